/*
 * Results: printing the newest form in every version's shape, byte for byte as the Go plugins do, and
 * reading every version's shape back.
 */
#include "result.h"
#include "suite.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Parse as skel and delegate do. */
static json_t *parse(const char *text)
{
	char why[JSON_ERROR_TEXT_LENGTH] = "";
	json_t *obj = cni_json_parse(text, strlen(text), why);

	ck_assert_msg(obj != NULL, "%s: %s", text, why);
	return obj;
}

static void read_text(const char *text, enum cni_version other, struct cni_result *ret)
{
	cni_auto(json) json_t *obj = parse(text);
	struct cni_error err = { 0 };

	ck_assert_msg(cni_result_read(obj, other, ret, &err) == 0, "%s: %s", text, err.msg);
	ck_assert(!err.set);
}

static void print(const struct cni_result *res, enum cni_version v, struct cni_buf *ret)
{
	cni_auto(json) json_t *obj = NULL;
	struct cni_error err = { 0 };

	ck_assert_msg(cni_result_to_json(res, v, &obj, &err) == 0, "%s", err.msg);
	cni_json_print(obj, false, ret);
	ck_assert(!ret->failed);
}

/* ---- goldens: what the Go plugin "static" 1.9 printed (reference: A10) ---- */

static const char source[] =
	"{\"cniVersion\":\"1.1.0\",\"ips\":["
	"{\"address\":\"10.1.2.3/24\",\"gateway\":\"10.1.2.1\"},"
	"{\"address\":\"fd00::5/64\",\"gateway\":\"fd00::1\"}],"
	"\"routes\":[{\"dst\":\"0.0.0.0/0\"},"
	"{\"dst\":\"192.168.1.5/16\",\"gw\":\"10.1.2.9\",\"mtu\":1400,\"advmss\":1300,"
	"\"priority\":50,\"table\":100,\"scope\":253},"
	"{\"dst\":\"::/0\",\"gw\":\"fd00::9\"},"
	"{\"dst\":\"1.1.1.0/24\",\"table\":0,\"scope\":0}],"
	"\"dns\":{\"nameservers\":[\"8.8.8.8\"],\"domain\":\"ex.org\","
	"\"search\":[\"a.b\",\"c.d\"],\"options\":[\"ndots:5\"]}}";

/* What follows the version. */
static const char golden_ip4_ip6[] = "    \"ip4\": {\n"
				     "        \"ip\": \"10.1.2.3/24\",\n"
				     "        \"gateway\": \"10.1.2.1\",\n"
				     "        \"routes\": [\n"
				     "            {\n"
				     "                \"dst\": \"0.0.0.0/0\"\n"
				     "            },\n"
				     "            {\n"
				     "                \"dst\": \"192.168.1.5/16\",\n"
				     "                \"gw\": \"10.1.2.9\"\n"
				     "            },\n"
				     "            {\n"
				     "                \"dst\": \"1.1.1.0/24\"\n"
				     "            }\n"
				     "        ]\n"
				     "    },\n"
				     "    \"ip6\": {\n"
				     "        \"ip\": \"fd00::5/64\",\n"
				     "        \"gateway\": \"fd00::1\",\n"
				     "        \"routes\": [\n"
				     "            {\n"
				     "                \"dst\": \"::/0\",\n"
				     "                \"gw\": \"fd00::9\"\n"
				     "            }\n"
				     "        ]\n"
				     "    },\n"
				     "    \"dns\": {\n"
				     "        \"nameservers\": [\n"
				     "            \"8.8.8.8\"\n"
				     "        ],\n"
				     "        \"domain\": \"ex.org\",\n"
				     "        \"search\": [\n"
				     "            \"a.b\",\n"
				     "            \"c.d\"\n"
				     "        ],\n"
				     "        \"options\": [\n"
				     "            \"ndots:5\"\n"
				     "        ]\n"
				     "    }\n"
				     "}";

static const char golden_lists[] = "    \"ips\": [\n"
				   "        {\n"
				   "            \"version\": \"4\",\n"
				   "            \"address\": \"10.1.2.3/24\",\n"
				   "            \"gateway\": \"10.1.2.1\"\n"
				   "        },\n"
				   "        {\n"
				   "            \"version\": \"6\",\n"
				   "            \"address\": \"fd00::5/64\",\n"
				   "            \"gateway\": \"fd00::1\"\n"
				   "        }\n"
				   "    ],\n"
				   "    \"routes\": [\n"
				   "        {\n"
				   "            \"dst\": \"0.0.0.0/0\"\n"
				   "        },\n"
				   "        {\n"
				   "            \"dst\": \"192.168.1.5/16\",\n"
				   "            \"gw\": \"10.1.2.9\",\n"
				   "            \"mtu\": 1400,\n"
				   "            \"advmss\": 1300,\n"
				   "            \"priority\": 50,\n"
				   "            \"table\": 100,\n"
				   "            \"scope\": 253\n"
				   "        },\n"
				   "        {\n"
				   "            \"dst\": \"::/0\",\n"
				   "            \"gw\": \"fd00::9\"\n"
				   "        },\n"
				   "        {\n"
				   "            \"dst\": \"1.1.1.0/24\",\n"
				   "            \"table\": 0,\n"
				   "            \"scope\": 0\n"
				   "        }\n"
				   "    ],\n"
				   "    \"dns\": {\n"
				   "        \"nameservers\": [\n"
				   "            \"8.8.8.8\"\n"
				   "        ],\n"
				   "        \"domain\": \"ex.org\",\n"
				   "        \"search\": [\n"
				   "            \"a.b\",\n"
				   "            \"c.d\"\n"
				   "        ],\n"
				   "        \"options\": [\n"
				   "            \"ndots:5\"\n"
				   "        ]\n"
				   "    }\n"
				   "}";

static const char golden_modern[] = "    \"dns\": {\n"
				    "        \"domain\": \"ex.org\",\n"
				    "        \"nameservers\": [\n"
				    "            \"8.8.8.8\"\n"
				    "        ],\n"
				    "        \"options\": [\n"
				    "            \"ndots:5\"\n"
				    "        ],\n"
				    "        \"search\": [\n"
				    "            \"a.b\",\n"
				    "            \"c.d\"\n"
				    "        ]\n"
				    "    },\n"
				    "    \"ips\": [\n"
				    "        {\n"
				    "            \"address\": \"10.1.2.3/24\",\n"
				    "            \"gateway\": \"10.1.2.1\"\n"
				    "        },\n"
				    "        {\n"
				    "            \"address\": \"fd00::5/64\",\n"
				    "            \"gateway\": \"fd00::1\"\n"
				    "        }\n"
				    "    ],\n"
				    "    \"routes\": [\n"
				    "        {\n"
				    "            \"dst\": \"0.0.0.0/0\"\n"
				    "        },\n"
				    "        {\n"
				    "            \"advmss\": 1300,\n"
				    "            \"dst\": \"192.168.1.5/16\",\n"
				    "            \"gw\": \"10.1.2.9\",\n"
				    "            \"mtu\": 1400,\n"
				    "            \"priority\": 50,\n"
				    "            \"scope\": 253,\n"
				    "            \"table\": 100\n"
				    "        },\n"
				    "        {\n"
				    "            \"dst\": \"::/0\",\n"
				    "            \"gw\": \"fd00::9\"\n"
				    "        },\n"
				    "        {\n"
				    "            \"dst\": \"1.1.1.0/24\",\n"
				    "            \"scope\": 0,\n"
				    "            \"table\": 0\n"
				    "        }\n"
				    "    ]\n"
				    "}";

START_TEST(every_version_is_printed_byte_for_byte)
{
	static const char *const rest[] = {
		[CNI_SHAPE_IP4_IP6] = golden_ip4_ip6,
		[CNI_SHAPE_LISTS] = golden_lists,
		[CNI_SHAPE_MODERN] = golden_modern,
	};
	enum cni_version v = (enum cni_version)_i;
	cni_auto(result) struct cni_result res = { 0 };
	cni_auto(buf) struct cni_buf want = { 0 }, got = { 0 };

	read_text(source, CNI_V0_1_0, &res);
	print(&res, v, &got);
	cni_buf_printf(&want, "{\n    \"cniVersion\": \"%s\",\n%s", cni_version_name(v),
		       rest[cni_version_shape(v)]);
	ck_assert_str_eq(got.data, want.data);
}
END_TEST

static const char with_ifaces[] =
	"{\"cniVersion\":\"1.1.0\",\"interfaces\":["
	"{\"name\":\"br0\",\"mac\":\"72:8a:66:99:c5:ab\",\"mtu\":1500},"
	"{\"name\":\"eth0\",\"mac\":\"FE:eb:93:78:83:75\",\"sandbox\":\"/run/netns/a\","
	"\"socketPath\":\"/s\",\"pciID\":\"0000:00:01.0\",\"mtu\":-1},{}],"
	"\"ips\":[{\"address\":\"10.88.0.2/16\",\"interface\":0},"
	"{\"address\":\"fd00::2/64\",\"gateway\":\"\",\"interface\":1},"
	"{\"address\":\"10.88.0.3/16\",\"interface\":-1},"
	"{\"address\":\"10.88.0.4/16\",\"interface\":-5},"
	"{\"address\":\"10.88.0.5/16\",\"interface\":9}]}";

START_TEST(interfaces_keep_what_the_version_has_room_for)
{
	static const char lists[] =
		"{\"cniVersion\":\"0.3.1\",\"interfaces\":["
		"{\"name\":\"br0\",\"mac\":\"72:8a:66:99:c5:ab\"},"
		"{\"name\":\"eth0\",\"mac\":\"FE:eb:93:78:83:75\",\"sandbox\":\"/run/netns/a\"},"
		"{\"name\":\"\"}],\"ips\":["
		"{\"version\":\"4\",\"interface\":0,\"address\":\"10.88.0.2/16\"},"
		"{\"version\":\"6\",\"interface\":1,\"address\":\"fd00::2/64\"},"
		"{\"version\":\"4\",\"interface\":-1,\"address\":\"10.88.0.3/16\"},"
		"{\"version\":\"4\",\"interface\":-5,\"address\":\"10.88.0.4/16\"},"
		"{\"version\":\"4\",\"interface\":9,\"address\":\"10.88.0.5/16\"}],\"dns\":{}}";
	static const char modern[] =
		"{\"cniVersion\":\"1.0.0\",\"interfaces\":["
		"{\"mac\":\"72:8a:66:99:c5:ab\",\"mtu\":1500,\"name\":\"br0\"},"
		"{\"mac\":\"FE:eb:93:78:83:75\",\"mtu\":-1,\"name\":\"eth0\","
		"\"pciID\":\"0000:00:01.0\",\"sandbox\":\"/run/netns/a\",\"socketPath\":\"/s\"},"
		"{\"name\":\"\"}],\"ips\":["
		"{\"address\":\"10.88.0.2/16\",\"interface\":0},"
		"{\"address\":\"fd00::2/64\",\"interface\":1},"
		"{\"address\":\"10.88.0.3/16\",\"interface\":-1},"
		"{\"address\":\"10.88.0.4/16\",\"interface\":-5},"
		"{\"address\":\"10.88.0.5/16\",\"interface\":9}]}";
	static const char old[] = "{\"cniVersion\":\"0.2.0\",\"ip4\":{\"ip\":\"10.88.0.2/16\"},"
				  "\"ip6\":{\"ip\":\"fd00::2/64\"},\"dns\":{}}";
	static const struct {
		enum cni_version v;
		const char *want;
	} cases[] = { { CNI_V0_2_0, old }, { CNI_V0_3_1, lists }, { CNI_V1_0_0, modern } };
	cni_auto(result) struct cni_result res = { 0 };

	read_text(with_ifaces, CNI_V0_1_0, &res);
	for (size_t i = 0; i < CNI_ARRAY_SIZE(cases); i++) {
		cni_auto(json) json_t *obj = NULL;
		cni_auto(buf) struct cni_buf got = { 0 };

		ck_assert_int_eq(cni_result_to_json(&res, cases[i].v, &obj, NULL), 0);
		cni_json_print(obj, true, &got);
		ck_assert_str_eq(got.data, cases[i].want);
	}
}
END_TEST

START_TEST(an_empty_result_is_short)
{
	const struct cni_result res = { 0 };

	for (int v = CNI_V0_1_0; v < CNI_VERSIONS; v++) {
		cni_auto(json) json_t *obj = NULL;
		cni_auto(buf) struct cni_buf got = { 0 }, want = { 0 };
		struct cni_error err = { 0 };
		int r = cni_result_to_json(&res, (enum cni_version)v, &obj, &err);

		if (v < CNI_V0_3_0) {
			ck_assert_int_eq(r, -EINVAL);
			ck_assert_uint_eq(err.code, CNI_E_INTERNAL);
			ck_assert_str_eq(err.msg, "cannot convert: no valid IP addresses");
			ck_assert_ptr_null(obj);
			continue;
		}
		ck_assert_int_eq(r, 0);
		cni_json_print(obj, true, &got);
		cni_buf_printf(&want, "{\"cniVersion\":\"%s\"%s}",
			       cni_version_name((enum cni_version)v),
			       v < CNI_V1_0_0 ? ",\"dns\":{}" : "");
		ck_assert_str_eq(got.data, want.data);
	}
}
END_TEST

START_TEST(the_old_form_takes_the_first_address_of_a_family_and_its_routes)
{
	cni_auto(result) struct cni_result res = { 0 };
	cni_auto(json) json_t *obj = NULL;
	cni_auto(buf) struct cni_buf got = { 0 };

	read_text("{\"ips\":[{\"address\":\"fd00::1/64\"},{\"address\":\"fd00::2/64\"}],"
		  "\"routes\":[{\"dst\":\"0.0.0.0/0\"},{\"dst\":\"::/0\",\"mtu\":9}],"
		  "\"dns\":{\"search\":[]}}",
		  CNI_V1_0_0, &res);
	ck_assert_int_eq(cni_result_to_json(&res, CNI_V0_1_0, &obj, NULL), 0);
	cni_json_print(obj, true, &got);
	ck_assert_str_eq(got.data, "{\"cniVersion\":\"0.1.0\",\"ip6\":{\"ip\":\"fd00::1/64\","
				   "\"routes\":[{\"dst\":\"::/0\"}]},\"dns\":{}}");
}
END_TEST

/* ---- reading ---- */

START_TEST(old_results_are_converted_up)
{
	static const char *const results[] = {
		"{\"cniVersion\":\"0.2.0\",\"ip6\":{\"ip\":\"fd00::5/64\","
		"\"routes\":[{\"dst\":\"::/0\",\"gw\":\"fd00::9\"}]},"
		"\"ip4\":{\"ip\":\"10.0.0.5/24\",\"gateway\":\"10.0.0.1\","
		"\"routes\":[{\"dst\":\"0.0.0.0/0\"}]},\"dns\":{\"domain\":\"x\"}}",
		"{\"cniVersion\":\"0.3.1\",\"ips\":[{\"version\":\"4\","
		"\"address\":\"10.0.0.5/24\",\"gateway\":\"10.0.0.1\"},"
		"{\"version\":\"6\",\"address\":\"fd00::5/64\"}],"
		"\"routes\":[{\"dst\":\"0.0.0.0/0\"},{\"dst\":\"::/0\",\"gw\":\"fd00::9\"}],"
		"\"dns\":{\"domain\":\"x\"}}",
	};
	static const char want[] =
		"{\"cniVersion\":\"1.0.0\",\"dns\":{\"domain\":\"x\"},\"ips\":["
		"{\"address\":\"10.0.0.5/24\",\"gateway\":\"10.0.0.1\"},"
		"{\"address\":\"fd00::5/64\"}],\"routes\":["
		"{\"dst\":\"0.0.0.0/0\"},{\"dst\":\"::/0\",\"gw\":\"fd00::9\"}]}";

	for (size_t i = 0; i < CNI_ARRAY_SIZE(results); i++) {
		cni_auto(result) struct cni_result res = { 0 };
		cni_auto(json) json_t *obj = NULL;
		cni_auto(buf) struct cni_buf got = { 0 };

		read_text(results[i], CNI_V1_1_0, &res);
		ck_assert_int_eq(res.ips[0].iface, CNI_NO_IFACE);
		ck_assert_int_eq(cni_result_to_json(&res, CNI_V1_0_0, &obj, NULL), 0);
		cni_json_print(obj, true, &got);
		ck_assert_str_eq(got.data, want);
	}
}
END_TEST

START_TEST(its_own_version_decides_how_a_result_is_read)
{
	static const struct {
		const char *version; /* in JSON */
		enum cni_version other;
		size_t ips;
	} cases[] = {
		{ "\"0.1.0\"", CNI_V1_1_0, 1 },
		{ "\"0.2.0\"", CNI_V1_1_0, 1 },
		{ "\"0.3.0\"", CNI_V0_1_0, 2 },
		{ "\"0.4.0\"", CNI_V0_1_0, 2 },
		{ "\"1.0.0\"", CNI_V0_1_0, 2 },
		{ "\"1.1.0\"", CNI_V0_1_0, 2 },
		/* without one, the configuration's */
		{ "\"\"", CNI_V0_2_0, 1 },
		{ "\"\"", CNI_V0_3_0, 2 },
		{ "null", CNI_V0_1_0, 1 },
		{ "null", CNI_V1_0_0, 2 },
		{ "5", CNI_V0_1_0, 1 },
		{ "5", CNI_V1_0_0, 2 },
	};

	for (size_t i = 0; i < CNI_ARRAY_SIZE(cases); i++) {
		cni_auto(result) struct cni_result res = { 0 };
		cni_auto(buf) struct cni_buf text = { 0 };

		cni_buf_printf(&text,
			       "{\"cniVersion\":%s,\"ip4\":{\"ip\":\"10.0.0.1/8\"},"
			       "\"ips\":[{\"address\":\"10.0.0.2/8\"},"
			       "{\"address\":\"10.0.0.3/8\"}]}",
			       cases[i].version);
		read_text(text.data, cases[i].other, &res);
		ck_assert_uint_eq(res.n_ips, cases[i].ips);
		ck_assert_int_eq(res.ips[0].address.ip.b[3], cases[i].ips == 1 ? 1 : 2);
	}
}
END_TEST

static const struct {
	const char *text, *msg;
	unsigned int code;
} broken[] = {
	{ "{\"cniVersion\":\"9.9.9\"}", "unsupported CNI result version \"9.9.9\"",
	  CNI_E_INTERNAL },
	{ "{\"cniVersion\":\"1.0\"}", "unsupported CNI result version \"1.0\"", CNI_E_INTERNAL },
	{ "{\"ips\":[{}]}", "\"address\" is missing", CNI_E_CONFIG },
	{ "{\"ips\":[{\"address\":null}]}", "\"address\" is missing", CNI_E_CONFIG },
	{ "{\"ips\":[{\"address\":\"\"}]}", "invalid CIDR address: ", CNI_E_CONFIG },
	{ "{\"ips\":[{\"address\":\"10.0.0.2\"}]}", "invalid CIDR address: 10.0.0.2",
	  CNI_E_CONFIG },
	{ "{\"ips\":[{\"address\":\"10.0.0.2/8\",\"gateway\":\"x\"}]}", "invalid IP address: x",
	  CNI_E_CONFIG },
	{ "{\"ips\":[{\"address\":\"10.0.0.2/8\",\"interface\":4294967296}]}",
	  "ips[].interface: 4294967296 is no index of an interface", CNI_E_CONFIG },
	{ "{\"ips\":{}}", "ips: expected a list", CNI_E_CONFIG },
	{ "{\"ips\":[null]}", "ips[0]: expected an object", CNI_E_CONFIG },
	{ "{\"interfaces\":[{},5]}", "interfaces[1]: expected an object", CNI_E_CONFIG },
	{ "{\"interfaces\":[{\"mac\":5}]}", "interfaces[].mac: expected a string, got 5",
	  CNI_E_CONFIG },
	{ "{\"routes\":[{\"gw\":\"10.0.0.1\"}]}", "\"dst\" is missing", CNI_E_CONFIG },
	{ "{\"routes\":[{\"dst\":\"default\"}]}", "invalid CIDR address: default", CNI_E_CONFIG },
	{ "{\"routes\":[{\"dst\":\"::/0\",\"gw\":\"10.0.0\"}]}", "invalid IP address: 10.0.0",
	  CNI_E_CONFIG },
	{ "{\"routes\":[{\"dst\":\"::/0\",\"mtu\":\"1\"}]}",
	  "routes[].mtu: expected an integer, got \"1\"", CNI_E_CONFIG },
	{ "{\"dns\":[]}", "dns: expected an object", CNI_E_CONFIG },
	{ "{\"dns\":{\"nameservers\":[1]}}", "dns.nameservers: expected a list of strings, got [1]",
	  CNI_E_CONFIG },
	{ "{\"dns\":{\"domain\":[]}}", "dns.domain: expected a string, got []", CNI_E_CONFIG },
	{ "{\"cniVersion\":\"0.2.0\",\"ip4\":{}}", "\"ip\" is missing", CNI_E_CONFIG },
	{ "{\"cniVersion\":\"0.2.0\",\"ip6\":\"fd00::1/64\"}", "ip6: expected an object",
	  CNI_E_CONFIG },
	{ "{\"cniVersion\":\"0.2.0\",\"ip6\":{\"ip\":\"fd00::1/64\",\"routes\":[{}]}}",
	  "\"dst\" is missing", CNI_E_CONFIG },
};

START_TEST(a_broken_result_is_refused_whole)
{
	cni_auto(json) json_t *obj = parse(broken[_i].text);
	struct cni_result res = { 0 };
	const struct cni_result empty = { 0 };
	struct cni_error err = { 0 };

	ck_assert_int_eq(cni_result_read(obj, CNI_V1_0_0, &res, &err), -EINVAL);
	ck_assert_str_eq(err.msg, broken[_i].msg);
	ck_assert_uint_eq(err.code, broken[_i].code);
	ck_assert_mem_eq(&res, &empty, sizeof(res));
}
END_TEST

START_TEST(an_empty_object_is_an_empty_result)
{
	for (int v = CNI_V0_1_0; v < CNI_VERSIONS; v++) {
		cni_auto(result) struct cni_result res = { 0 };

		read_text("{}", (enum cni_version)v, &res);
		ck_assert_uint_eq(res.n_ips + res.n_ifaces + res.n_routes, 0);
	}
}
END_TEST

/* ---- round trips ---- */

static uint64_t state;

/* A number below n; the same ones in every run. */
static unsigned int any(unsigned int n)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned int)(state >> 33) % n;
}

static struct cni_ip any_ip(void)
{
	struct cni_ip ip = { .family = any(2) ? AF_INET : AF_INET6 };

	for (size_t i = 0; i < cni_ip_size(&ip); i++)
		ip.b[i] = any(2) ? (uint8_t)any(256) : 0;
	ip.b[0] |= 0x20; /* never v4-mapped, which would be read as IPv4 */
	return ip;
}

static struct cni_prefix any_prefix(void)
{
	struct cni_prefix p = { .ip = any_ip() };

	p.len = any(cni_ip_bits(&p.ip) + 1);
	return p;
}

static const char *any_text(void)
{
	static const char *const texts[] = { "", "a", "eth0", "<&>", "\"\\", "\xc3\xa4", "x\ny" };

	return texts[any(CNI_ARRAY_SIZE(texts))];
}

static void any_result(struct cni_result *ret)
{
	for (unsigned int n = any(4); n > 0; n--) {
		struct cni_iface *last;

		ck_assert_int_eq(cni_result_add_iface(ret, any_text(), any(2) ? any_text() : NULL,
						      any(2) ? any_text() : NULL),
				 0);
		last = &ret->ifaces[ret->n_ifaces - 1];
		last->mtu = any(2) ? any(9000) : 0;
		last->pci_id = any(2) ? strdup(any_text()) : NULL;
		last->socket_path = any(2) ? strdup(any_text()) : NULL;
	}
	for (unsigned int n = 1 + any(4); n > 0; n--) {
		struct cni_ipconf ip = { .address = any_prefix(), .iface = (int)any(4) - 1 };

		if (any(2))
			ip.gateway = any_ip();
		ck_assert_int_eq(cni_result_add_ip(ret, &ip), 0);
	}
	for (unsigned int n = any(4); n > 0; n--) {
		struct cni_route r = { .dst = any_prefix(),
				       .has_table = any(2),
				       .has_scope = any(2) };

		if (any(2))
			r.gw = any_ip();
		r.mtu = any(3);
		r.advmss = any(3);
		r.priority = (json_int_t)any(3) - 1;
		r.table = r.has_table ? any(3) : 0;
		r.scope = r.has_scope ? any(3) : 0;
		ck_assert_int_eq(cni_result_add_route(ret, &r), 0);
	}
	if (any(2))
		ret->dns =
			json_pack("{s:[s],s:s}", "nameservers", any_text(), "domain", any_text());
}

/* Whatever is printed in some version reads back as what prints the same. */
START_TEST(printing_and_reading_are_inverse)
{
	state = 20240601;
	for (int round = 0; round < 2000; round++) {
		enum cni_version v = (enum cni_version)any(CNI_VERSIONS);
		cni_auto(result) struct cni_result res = { 0 }, again = { 0 };
		cni_auto(buf) struct cni_buf first = { 0 }, second = { 0 };

		any_result(&res);
		print(&res, v, &first);
		/* The assumed version does not matter, as the text has its own. */
		read_text(first.data, (enum cni_version)any(CNI_VERSIONS), &again);
		print(&again, v, &second);
		ck_assert_str_eq(first.data, second.data);
		if (cni_version_shape(v) != CNI_SHAPE_IP4_IP6) {
			ck_assert_uint_eq(again.n_ips, res.n_ips);
			for (size_t i = 0; i < res.n_ips; i++) {
				const struct cni_ipconf *a = &again.ips[i], *b = &res.ips[i];

				ck_assert_int_eq(cni_ip_cmp(&a->address.ip, &b->address.ip), 0);
				ck_assert_uint_eq(a->address.len, b->address.len);
				ck_assert_int_eq(cni_ip_cmp(&a->gateway, &b->gateway), 0);
				ck_assert_int_eq(a->iface, b->iface);
			}
			ck_assert_uint_eq(again.n_routes, res.n_routes);
			ck_assert_uint_eq(again.n_ifaces, res.n_ifaces);
		}
	}
}
END_TEST

START_TEST(interfaces_can_be_forgotten)
{
	cni_auto(result) struct cni_result res = { 0 };

	read_text(with_ifaces, CNI_V1_1_0, &res);
	ck_assert_uint_eq(res.n_ifaces, 3);
	cni_result_drop_ifaces(&res);
	ck_assert_uint_eq(res.n_ifaces, 0);
	ck_assert_uint_eq(res.n_ips, 5);
	ck_assert_int_eq(cni_result_add_iface(&res, "eth0", NULL, NULL), 0);
	ck_assert_str_eq(res.ifaces[0].name, "eth0");
	ck_assert_ptr_null(res.ifaces[0].mac);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("result");
	TCase *tc = tcase_create("result");

	suite_add_tcase(suite, tc);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, every_version_is_printed_byte_for_byte, 0, CNI_VERSIONS);
	tcase_add_test(tc, interfaces_keep_what_the_version_has_room_for);
	tcase_add_test(tc, an_empty_result_is_short);
	tcase_add_test(tc, the_old_form_takes_the_first_address_of_a_family_and_its_routes);
	tcase_add_test(tc, old_results_are_converted_up);
	tcase_add_test(tc, its_own_version_decides_how_a_result_is_read);
	tcase_add_loop_test(tc, a_broken_result_is_refused_whole, 0, CNI_ARRAY_SIZE(broken));
	tcase_add_test(tc, an_empty_object_is_an_empty_result);
	tcase_add_test(tc, printing_and_reading_are_inverse);
	tcase_add_test(tc, interfaces_can_be_forgotten);
	return run_suite(suite);
}
