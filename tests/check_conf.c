/*
 * The keys that all plugins share: their types, CNI_ARGS, the MAC asked for, prevResult, dns, and the
 * list of valid attachments.
 */
#include "conf.h"
#include "suite.h"

#include <check.h>
#include <errno.h>
#include <string.h>

/* A request with this configuration; release .conf. */
static struct cni_args request(const char *config, enum cni_version version)
{
	char why[JSON_ERROR_TEXT_LENGTH] = "";
	struct cni_args args = {
		.conf = cni_json_parse(config, strlen(config), why),
		.config = config,
		.config_len = strlen(config),
		.version = version,
		.cni_args = "",
	};

	ck_assert_msg(args.conf != NULL, "%s: %s", config, why);
	return args;
}

/* ---- types ---- */

static const struct {
	const char *config, *msg; /* NULL = good */
} types[] = {
	{ "{}", NULL },
	{ "{\"capabilities\":{\"mac\":true,\"x\":false},\"ipam\":{\"type\":\"x\"},\"dns\":{},"
	  "\"args\":{},\"runtimeConfig\":{},\"prevResult\":{},\"other\":[]}",
	  NULL },
	{ "{\"capabilities\":null,\"ipam\":null,\"dns\":null,\"args\":null,"
	  "\"runtimeConfig\":null,\"prevResult\":null}",
	  NULL },
	{ "{\"capabilities\":{\"mac\":1}}", "capabilities.mac: expected true or false" },
	{ "{\"capabilities\":[]}", "capabilities: expected an object, got []" },
	{ "{\"ipam\":\"host-local\"}", "ipam: expected an object, got \"host-local\"" },
	{ "{\"ipam\":{\"type\":1}}", "ipam.type: expected a string, got 1" },
	{ "{\"dns\":[]}", "dns: expected an object, got []" },
	{ "{\"dns\":{\"nameservers\":\"1.1.1.1\"}}",
	  "dns.nameservers: expected a list of strings, got \"1.1.1.1\"" },
	{ "{\"dns\":{\"search\":[1]}}", "dns.search: expected a list of strings, got [1]" },
	{ "{\"dns\":{\"options\":{}}}", "dns.options: expected a list of strings, got {}" },
	{ "{\"dns\":{\"domain\":true}}", "dns.domain: expected a string, got true" },
	{ "{\"args\":\"x\"}", "args: expected an object, got \"x\"" },
	{ "{\"runtimeConfig\":[1]}", "runtimeConfig: expected an object, got [1]" },
	{ "{\"prevResult\":\"\"}", "prevResult: expected an object, got \"\"" },
};

START_TEST(types_of_common_keys_are_checked)
{
	struct cni_args args = request(types[_i].config, CNI_V1_0_0);
	struct cni_error err = { 0 };
	int r = cni_conf_check_types(&args, &err);

	ck_assert_int_eq(r, types[_i].msg ? -EINVAL : 0);
	ck_assert_str_eq(err.msg, types[_i].msg ? types[_i].msg : "");
	ck_assert_uint_eq(err.code, types[_i].msg ? CNI_E_CONFIG : CNI_E_NONE);
	json_decref(args.conf);
}
END_TEST

START_TEST(the_type_of_ipam_may_be_absent)
{
	static const char *const configs[][2] = {
		{ "{}", "" },
		{ "{\"ipam\":{}}", "" },
		{ "{\"ipam\":{\"type\":null}}", "" },
		{ "{\"ipam\":{\"type\":\"\"}}", "" },
		{ "{\"IPAM\":{\"Type\":\"static\"}}", "static" },
	};

	for (size_t i = 0; i < CNI_ARRAY_SIZE(configs); i++) {
		struct cni_args args = request(configs[i][0], CNI_V1_0_0);

		ck_assert_str_eq(cni_conf_ipam_type(&args), configs[i][1]);
		ck_assert_int_eq(cni_conf_ipam(&args) != NULL, i > 0);
		json_decref(args.conf);
	}
}
END_TEST

/* ---- CNI_ARGS ---- */

static const struct {
	const char *text;
	const char *a, *mac; /* values; NULL = absent */
	const char *msg, *details; /* NULL = good */
} env_args[] = {
	{ "", NULL, NULL, NULL, NULL },
	{ "A=1", "1", NULL, NULL, NULL },
	{ "A=", "", NULL, NULL, NULL },
	{ "A=1;MAC=2", "1", "2", NULL, NULL },
	{ "A=1;A=2", "2", NULL, NULL, NULL },
	{ "A=1;A=", "", NULL, NULL, NULL },
	{ "IgnoreUnknown=1", NULL, NULL, NULL, NULL },
	{ "IgnoreUnknown=1;K8S_POD_NAME=x;A=1", "1", NULL, NULL, NULL },
	{ "K8S_POD_NAME=x;IgnoreUnknown=true", NULL, NULL, NULL, NULL },
	{ "x=;IgnoreUnknown=TrUe", NULL, NULL, NULL, NULL },
	{ "IgnoreUnknown=0;x=1;IgnoreUnknown=1", NULL, NULL, NULL, NULL },
	{ "IgnoreUnknown=FALSE;A=1", "1", NULL, NULL, NULL },
	{ "=x;IgnoreUnknown=1", NULL, NULL, NULL, NULL },
	{ "FOO", NULL, NULL, "ARGS: invalid pair \"FOO\"", "" },
	{ ";", NULL, NULL, "ARGS: invalid pair \"\"", "" },
	{ "A=1;", NULL, NULL, "ARGS: invalid pair \"\"", "" },
	{ ";A=1", NULL, NULL, "ARGS: invalid pair \"\"", "" },
	{ "A=1;;MAC=1", NULL, NULL, "ARGS: invalid pair \"\"", "" },
	{ "A=b=c", NULL, NULL, "ARGS: invalid pair \"A=b=c\"", "" },
	{ "A==", NULL, NULL, "ARGS: invalid pair \"A==\"", "" },
	{ "IgnoreUnknown=1;FOO", NULL, NULL, "ARGS: invalid pair \"FOO\"", "" },
	{ "X=y;FOO", NULL, NULL, "ARGS: invalid pair \"FOO\"", "" },
	{ "FOO=bar", NULL, NULL, "ARGS: unknown args [\"FOO=bar\"]",
	  "IgnoreUnknown=1 in CNI_ARGS accepts them" },
	{ "FOO=bar;A=1;X=y", NULL, NULL, "ARGS: unknown args [\"FOO=bar\" \"X=y\"]",
	  "IgnoreUnknown=1 in CNI_ARGS accepts them" },
	{ "FOO=bar;IgnoreUnknown=0", NULL, NULL, "ARGS: unknown args [\"FOO=bar\"]",
	  "IgnoreUnknown=1 in CNI_ARGS accepts them" },
	{ "IgnoreUnknown=1;FOO=bar;IgnoreUnknown=false", NULL, NULL,
	  "ARGS: unknown args [\"FOO=bar\"]", "IgnoreUnknown=1 in CNI_ARGS accepts them" },
	{ "ignoreunknown=1;mac=1", NULL, NULL, "ARGS: unknown args [\"ignoreunknown=1\" \"mac=1\"]",
	  "IgnoreUnknown=1 in CNI_ARGS accepts them" },
	{ " A=1", NULL, NULL, "ARGS: unknown args [\" A=1\"]",
	  "IgnoreUnknown=1 in CNI_ARGS accepts them" },
	{ "AA=1", NULL, NULL, "ARGS: unknown args [\"AA=1\"]",
	  "IgnoreUnknown=1 in CNI_ARGS accepts them" },
	{ "IgnoreUnknown=x", NULL, NULL,
	  "ARGS: error parsing value of pair \"IgnoreUnknown=x\": boolean unmarshal error: "
	  "invalid input x",
	  "" },
	{ "IgnoreUnknown=", NULL, NULL,
	  "ARGS: error parsing value of pair \"IgnoreUnknown=\": boolean unmarshal error: "
	  "invalid input ",
	  "" },
	{ "IgnoreUnknown=yes;A=1", NULL, NULL,
	  "ARGS: error parsing value of pair \"IgnoreUnknown=yes\": boolean unmarshal error: "
	  "invalid input yes",
	  "" },
	{ "IgnoreUnknown=11", NULL, NULL,
	  "ARGS: error parsing value of pair \"IgnoreUnknown=11\": boolean unmarshal error: "
	  "invalid input 11",
	  "" },
};

static void expect_value(const struct cni_env_arg *arg, const char *want)
{
	ck_assert_int_eq(arg->value != NULL, want != NULL);
	if (want) {
		ck_assert_uint_eq(arg->len, strlen(want));
		ck_assert_mem_eq(arg->value, want, arg->len);
	}
}

START_TEST(cni_args_are_split_and_checked)
{
	struct cni_env_arg known[] = { { .key = "A" }, { .key = "MAC" }, { .key = NULL } };
	struct cni_error err = { 0 };
	/* Exactly as long as the text, so that AddressSanitizer sees a byte read too many. */
	char *text = strdup(env_args[_i].text);
	int r = cni_env_args_read(text, known, &err);

	if (env_args[_i].msg) {
		ck_assert_int_lt(r, 0);
		ck_assert_uint_eq(err.code, CNI_E_ENV);
		ck_assert_str_eq(err.msg, env_args[_i].msg);
		ck_assert_str_eq(err.details, env_args[_i].details);
	} else {
		ck_assert_msg(r == 0, "%s", err.msg);
		expect_value(&known[0], env_args[_i].a);
		expect_value(&known[1], env_args[_i].mac);
	}
	free(text);
}
END_TEST

START_TEST(refused_cni_args_are_invalid)
{
	static const char *const refused[] = { "FOO", "FOO=1", "IgnoreUnknown=x" };
	struct cni_env_arg known[] = { { .key = NULL } };

	for (size_t i = 0; i < CNI_ARRAY_SIZE(refused); i++)
		ck_assert_int_eq(cni_env_args_read(refused[i], known, NULL), -EINVAL);
}
END_TEST

/* ---- MAC ---- */

static const struct {
	const char *config, *cni_args, *want;
} macs[] = {
	{ "{}", "", "" },
	{ "{}", "MAC=0a:00:00:00:00:01", "0a:00:00:00:00:01" },
	{ "{\"args\":{\"cni\":{\"mac\":\"02:00:00:00:00:02\"}}}", "MAC=02:00:00:00:00:01",
	  "02:00:00:00:00:02" },
	{ "{\"args\":{\"cni\":{\"mac\":\"02:00:00:00:00:02\"}},\"runtimeConfig\":{\"mac\":\"02:00:"
	  "00:00:00:03\"}}",
	  "MAC=02:00:00:00:00:01", "02:00:00:00:00:03" },
	{ "{\"runtimeConfig\":{\"mac\":\"02:00:00:00:00:03\"}}", "", "02:00:00:00:00:03" },
	{ "{\"args\":{\"cni\":{\"mac\":\"02:00:00:00:00:02\"}},\"runtimeConfig\":{\"mac\":\"\"}}",
	  "MAC=02:00:00:00:00:01", "02:00:00:00:00:02" },
	{ "{\"args\":{\"cni\":{\"mac\":\"\"}},\"runtimeConfig\":{\"mac\":null}}",
	  "MAC=02:00:00:00:00:01", "02:00:00:00:00:01" },
	{ "{\"args\":{\"cni\":null}}", "MAC=", "" },
	{ "{\"ARGS\":{\"CNI\":{\"MAC\":\"02:00:00:00:00:02\"}}}", "IgnoreUnknown=1;x=y",
	  "02:00:00:00:00:02" },
};

START_TEST(the_runtimes_mac_goes_before_all_others)
{
	struct cni_args args = request(macs[_i].config, CNI_V1_0_0);
	struct cni_error err = { 0 };
	char text[CNI_MAC_STRLEN] = "";
	uint8_t mac[CNI_MAC_LEN];
	int r;

	args.cni_args = macs[_i].cni_args;
	r = cni_conf_mac(&args, "", "make", mac, &err);
	ck_assert_msg(r == (*macs[_i].want != '\0'), "%s", err.msg);
	ck_assert_str_eq(r ? cni_mac_format(mac, text) : "", macs[_i].want);
	json_decref(args.conf);
}
END_TEST

START_TEST(a_plugins_own_mac_is_the_last_to_be_asked)
{
	struct cni_args args = request("{}", CNI_V1_0_0);
	struct cni_error err = { 0 };
	uint8_t mac[CNI_MAC_LEN];

	ck_assert_int_eq(cni_conf_mac(&args, "02:00:00:00:00:03", "make", mac, &err), 1);
	ck_assert_uint_eq(mac[5], 3);
	args.cni_args = "MAC=02:00:00:00:00:01";
	ck_assert_int_eq(cni_conf_mac(&args, "02:00:00:00:00:03", "make", mac, &err), 1);
	ck_assert_uint_eq(mac[5], 1);
	ck_assert_int_eq(cni_conf_mac(&args, "03:00:00:00:00:03", "make", mac, &err), 1);
	args.cni_args = "";
	ck_assert_int_eq(cni_conf_mac(&args, "03:00:00:00:00:03", "make", mac, &err), -EINVAL);
	ck_assert_str_eq(err.msg, "make: address 03:00:00:00:00:03 is a multicast MAC");
	json_decref(args.conf);
}
END_TEST

START_TEST(a_mac_that_cannot_be_read_is_an_error)
{
	struct cni_args args = request("{\"runtimeConfig\":{\"mac\":\"3\"}}", CNI_V1_0_0);
	struct cni_error err = { 0 };
	uint8_t mac[CNI_MAC_LEN];
	char text[600] = "MAC=02:00:00:00:00:01";

	/* CNI_ARGS are checked though another MAC wins. */
	args.cni_args = "MAC=1;FOO=2";
	ck_assert_int_lt(cni_conf_mac(&args, "", "make", mac, &err), 0);
	ck_assert_str_eq(err.msg, "ARGS: unknown args [\"FOO=2\"]");
	json_decref(args.conf);
	args = request("{\"args\":{\"cni\":{\"mac\":5}}}", CNI_V1_0_0);
	args.cni_args = "";
	err = (struct cni_error){ 0 };
	ck_assert_int_eq(cni_conf_mac(&args, "", "make", mac, &err), -EINVAL);
	ck_assert_uint_eq(err.code, CNI_E_CONFIG);
	json_decref(args.conf);
	/* What holds the MAC is no object. */
	args = request("{\"args\":{\"cni\":\"mac\"}}", CNI_V1_0_0);
	args.cni_args = "";
	err = (struct cni_error){ 0 };
	ck_assert_int_eq(cni_conf_mac(&args, "", "make", mac, &err), -EINVAL);
	ck_assert_str_eq(err.msg, "args.cni: expected an object");
	json_decref(args.conf);
	/* One that begins like a MAC and goes on for long, no MAC at all, and a multicast one. */
	args = request("{}", CNI_V1_0_0);
	memset(text + strlen(text), 'a', 500);
	args.cni_args = text;
	ck_assert_int_eq(cni_conf_mac(&args, "", "make", mac, NULL), -EINVAL);
	args.cni_args = "MAC=zz";
	err = (struct cni_error){ 0 };
	ck_assert_int_eq(cni_conf_mac(&args, "", "make", mac, &err), -EINVAL);
	ck_assert_str_eq(err.msg, "make: address zz: invalid MAC address");
	args.cni_args = "MAC=01:00:5e:00:00:01";
	ck_assert_int_eq(cni_conf_mac(&args, "", "make", mac, NULL), -EINVAL);
	json_decref(args.conf);
}
END_TEST

/* ---- prevResult ---- */

START_TEST(a_missing_prev_result_is_told)
{
	static const char *const configs[] = { "{}", "{\"prevResult\":null}" };

	for (size_t i = 0; i < CNI_ARRAY_SIZE(configs); i++) {
		struct cni_args args = request(configs[i], CNI_V1_0_0);
		struct cni_result res = { 0 };
		struct cni_error err = { 0 };

		ck_assert_int_eq(cni_conf_prev_result(&args, &res, &err), -ENOENT);
		ck_assert_str_eq(err.msg, "Required prevResult missing");
		json_decref(args.conf);
	}
}
END_TEST

/* Each version of the configuration with each version of the result. */
START_TEST(a_chained_plugin_says_in_its_own_words_what_it_misses)
{
	static const struct cni_plugin tuning = { .name = "tuning" };
	struct cni_args args = request("{}", CNI_V1_0_0);
	cni_auto(result) struct cni_result res = { 0 };
	struct cni_error err = { 0 };

	args.plugin = &tuning;
	ck_assert_int_eq(cni_conf_chained(&args, "must be chained", &res, &err), -ENOENT);
	ck_assert_str_eq(err.msg, "must be chained");
	ck_assert_ptr_nonnull(strstr(err.details, "tuning works on what the plugins before it"));
	json_decref(args.conf);
	args = request("{\"prevResult\":{\"interfaces\":[{\"name\":\"eth0\"}]}}", CNI_V1_0_0);
	ck_assert_int_eq(cni_conf_chained(&args, "must be chained", &res, &err), 0);
	ck_assert_uint_eq(res.n_ifaces, 1);
	json_decref(args.conf);
}
END_TEST

START_TEST(a_prev_result_must_be_of_the_same_family)
{
	static const char *const families[] = {
		[CNI_SHAPE_IP4_IP6] = "[ 0.1.0 0.2.0]",
		[CNI_SHAPE_LISTS] = "[0.3.0 0.3.1 0.4.0]",
		[CNI_SHAPE_MODERN] = "[1.0.0 1.1.0]",
	};
	enum cni_version conf = (enum cni_version)_i;

	for (int v = CNI_V0_1_0; v < CNI_VERSIONS; v++) {
		const char *name = cni_version_name((enum cni_version)v);
		enum cni_shape shape = cni_version_shape(conf);
		cni_auto(buf) struct cni_buf text = { 0 }, want = { 0 };
		cni_auto(result) struct cni_result res = { 0 };
		struct cni_error err = { 0 };
		struct cni_args args;
		int r;

		cni_buf_printf(&text,
			       "{\"prevResult\":{\"cniVersion\":\"%s\","
			       "\"ip4\":{\"ip\":\"10.0.0.1/8\"},"
			       "\"ips\":[{\"address\":\"10.0.0.1/8\"}]}}",
			       name);
		args = request(text.data, conf);
		r = cni_conf_prev_result(&args, &res, &err);
		json_decref(args.conf);
		if (cni_version_shape((enum cni_version)v) == shape) {
			ck_assert_msg(r == 0, "%s", err.msg);
			ck_assert_uint_eq(res.n_ips, 1);
			continue;
		}
		cni_buf_printf(&want,
			       "could not parse prevResult: result type supports %s but "
			       "unmarshalled CNIVersion is \"%s\"",
			       families[shape], name);
		ck_assert_int_eq(r, -EINVAL);
		ck_assert_str_eq(err.msg, want.data);
		ck_assert_uint_eq(res.n_ips, 0);
	}
}
END_TEST

START_TEST(a_prev_result_without_version_is_of_the_configurations)
{
	static const char *const configs[] = {
		"{\"prevResult\":{\"ip4\":{\"ip\":\"10.0.0.1/8\"},"
		"\"ips\":[{\"address\":\"10.0.0.1/8\"},{\"address\":\"10.0.0.2/8\"}]}}",
		"{\"prevResult\":{\"cniVersion\":\"\",\"ip4\":{\"ip\":\"10.0.0.1/8\"},"
		"\"ips\":[{\"address\":\"10.0.0.1/8\"},{\"address\":\"10.0.0.2/8\"}]}}",
	};

	for (size_t i = 0; i < CNI_ARRAY_SIZE(configs); i++)
		for (int v = CNI_V0_1_0; v < CNI_VERSIONS; v++) {
			struct cni_args args = request(configs[i], (enum cni_version)v);
			cni_auto(result) struct cni_result res = { 0 };

			ck_assert_int_eq(cni_conf_prev_result(&args, &res, NULL), 0);
			ck_assert_uint_eq(res.n_ips, v < CNI_V0_3_0 ? 1 : 2);
			json_decref(args.conf);
		}
}
END_TEST

START_TEST(a_broken_prev_result_is_named_as_such)
{
	static const char *const configs[][2] = {
		{ "{\"prevResult\":{\"ips\":[{\"address\":\"10.0.0.2\"}]}}",
		  "could not parse prevResult: invalid CIDR address: 10.0.0.2" },
		{ "{\"prevResult\":{\"ips\":[{\"gateway\":\"10.0.0.2\"}]}}",
		  "could not parse prevResult: \"address\" is missing" },
		{ "{\"prevResult\":{\"cniVersion\":\"9.9.9\"}}",
		  "could not parse prevResult: result type supports [1.0.0 1.1.0] but "
		  "unmarshalled CNIVersion is \"9.9.9\"" },
		{ "{\"prevResult\":{\"ips\":5}}",
		  "could not parse prevResult: ips: expected a list" },
	};

	for (size_t i = 0; i < CNI_ARRAY_SIZE(configs); i++) {
		struct cni_args args = request(configs[i][0], CNI_V1_0_0);
		struct cni_result res = { 0 };
		struct cni_error err = { 0 };

		ck_assert_int_eq(cni_conf_prev_result(&args, &res, &err), -EINVAL);
		ck_assert_str_eq(err.msg, configs[i][1]);
		json_decref(args.conf);
	}
}
END_TEST

/* ---- dns ---- */

static const struct {
	const char *config, *want; /* "dns" afterwards, where IPAM said "domain":"ipam" */
} dns[] = {
	{ "{}", "{\"domain\":\"ipam\"}" },
	{ "{\"dns\":null}", "{\"domain\":\"ipam\"}" },
	{ "{\"dns\":{}}", "{\"domain\":\"ipam\"}" },
	{ "{\"dns\":{\"domain\":\"\"}}", "{\"domain\":\"ipam\"}" },
	{ "{\"dns\":{\"nameservers\":null,\"search\":null}}", "{\"domain\":\"ipam\"}" },
	{ "{\"dns\":{\"other\":1}}", "{\"domain\":\"ipam\"}" },
	{ "{\"dns\":{\"domain\":\"d\"}}", "{\"domain\":\"d\"}" },
	{ "{\"dns\":{\"nameservers\":[\"1.1.1.1\"]}}", "{\"nameservers\":[\"1.1.1.1\"]}" },
	{ "{\"dns\":{\"nameservers\":[]}}", NULL },
	{ "{\"dns\":{\"search\":[]}}", NULL },
	{ "{\"dns\":{\"options\":[]}}", NULL },
};

START_TEST(dns_of_the_configuration_replaces_all_of_ipams)
{
	struct cni_args args = request(dns[_i].config, CNI_V1_0_0);
	cni_auto(result) struct cni_result res = { .dns = json_pack("{s:s}", "domain", "ipam") };
	cni_auto(json) json_t *obj = NULL;
	cni_auto(buf) struct cni_buf got = { 0 };

	ck_assert_int_eq(cni_conf_apply_dns(&args, &res, NULL), 0);
	ck_assert_int_eq(cni_result_to_json(&res, CNI_V1_0_0, &obj, NULL), 0);
	if (dns[_i].want)
		cni_json_print(json_object_get(obj, "dns"), true, &got);
	else
		ck_assert_ptr_null(json_object_get(obj, "dns"));
	ck_assert_str_eq(got.data ? got.data : "", dns[_i].want ? dns[_i].want : "");
	json_decref(args.conf);
}
END_TEST

/* ---- valid attachments ---- */

START_TEST(valid_attachments_are_walked_in_order)
{
	static const char *const keys[] = { "cni.dev/valid-attachments", "cni.dev/attachments" };

	for (size_t i = 0; i < CNI_ARRAY_SIZE(keys); i++) {
		cni_auto(buf) struct cni_buf text = { 0 };
		struct cni_valid one = { 0 };
		struct cni_args args;
		size_t at = 0;

		cni_buf_printf(&text,
			       "{\"%s\":[{\"containerID\":\"a\",\"ifname\":\"eth0\"},"
			       "{\"CONTAINERID\":\"b\",\"IfName\":\"eth1\"}]}",
			       keys[i]);
		args = request(text.data, CNI_V1_1_0);
		ck_assert_int_eq(cni_conf_knows_valid(&args, NULL), 1);
		ck_assert(cni_conf_next_valid(&args, &at, &one));
		ck_assert_str_eq(one.containerid, "a");
		ck_assert_str_eq(one.ifname, "eth0");
		ck_assert(cni_conf_next_valid(&args, &at, &one));
		ck_assert_str_eq(one.containerid, "b");
		ck_assert_str_eq(one.ifname, "eth1");
		ck_assert(!cni_conf_next_valid(&args, &at, &one));
		ck_assert(!cni_conf_next_valid(&args, &at, &one));
		json_decref(args.conf);
	}
}
END_TEST

START_TEST(the_newer_list_goes_before_the_older)
{
	struct cni_args args = request("{\"cni.dev/attachments\":[{\"containerID\":\"a\","
				       "\"ifname\":\"eth0\"}],\"cni.dev/valid-attachments\":[]}",
				       CNI_V1_1_0);
	struct cni_valid one;
	size_t at = 0;

	ck_assert_int_eq(cni_conf_knows_valid(&args, NULL), 1);
	ck_assert(!cni_conf_next_valid(&args, &at, &one));
	json_decref(args.conf);
}
END_TEST

START_TEST(no_list_differs_from_null)
{
	static const struct {
		const char *config;
		int want;
	} cases[] = {
		{ "{}", 0 },
		{ "{\"cni.dev/other\":null}", 0 },
		{ "{\"a\":{\"cni.dev/valid-attachments\":null}}", 0 },
		{ "{\"cni.dev/valid-attachments\":null}", 1 },
		{ "{\"cni.dev/attachments\":null}", 1 },
		{ "{\"cni.dev/valid-attachments\":[]}", 1 },
	};

	for (size_t i = 0; i < CNI_ARRAY_SIZE(cases); i++) {
		struct cni_args args = request(cases[i].config, CNI_V1_1_0);
		struct cni_valid one;
		size_t at = 0;

		ck_assert_int_eq(cni_conf_knows_valid(&args, NULL), cases[i].want);
		ck_assert(!cni_conf_next_valid(&args, &at, &one));
		json_decref(args.conf);
	}
}
END_TEST

/* GC removes what is not in the list: one that cannot be understood must not count as empty. */
START_TEST(a_list_that_cannot_be_understood_is_refused)
{
	static const char *const configs[][2] = {
		{ "{\"cni.dev/valid-attachments\":{}}",
		  "cni.dev/valid-attachments: expected a list" },
		{ "{\"cni.dev/valid-attachments\":[{\"containerID\":\"a\"}]}",
		  "cni.dev/valid-attachments[0]: expected an object with containerID and ifname" },
		{ "{\"cni.dev/valid-attachments\":[{\"containerID\":\"a\",\"ifname\":\"b\"},"
		  "{\"containerID\":5,\"ifname\":\"b\"}]}",
		  "cni.dev/valid-attachments[1]: expected an object with containerID and ifname" },
		{ "{\"cni.dev/valid-attachments\":[\"a\"]}",
		  "cni.dev/valid-attachments[0]: expected an object with containerID and ifname" },
		{ "{\"cni.dev/valid-attachments\":[null]}",
		  "cni.dev/valid-attachments[0]: expected an object with containerID and ifname" },
	};

	for (size_t i = 0; i < CNI_ARRAY_SIZE(configs); i++) {
		struct cni_args args = request(configs[i][0], CNI_V1_1_0);
		struct cni_error err = { 0 };

		ck_assert_int_eq(cni_conf_knows_valid(&args, &err), -EINVAL);
		ck_assert_str_eq(err.msg, configs[i][1]);
		json_decref(args.conf);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("conf");
	TCase *tc = tcase_create("conf");

	suite_add_tcase(suite, tc);
	tcase_add_loop_test(tc, types_of_common_keys_are_checked, 0, CNI_ARRAY_SIZE(types));
	tcase_add_test(tc, the_type_of_ipam_may_be_absent);
	tcase_add_loop_test(tc, cni_args_are_split_and_checked, 0, CNI_ARRAY_SIZE(env_args));
	tcase_add_test(tc, refused_cni_args_are_invalid);
	tcase_add_loop_test(tc, the_runtimes_mac_goes_before_all_others, 0, CNI_ARRAY_SIZE(macs));
	tcase_add_test(tc, a_plugins_own_mac_is_the_last_to_be_asked);
	tcase_add_test(tc, a_mac_that_cannot_be_read_is_an_error);
	tcase_add_test(tc, a_missing_prev_result_is_told);
	tcase_add_test(tc, a_chained_plugin_says_in_its_own_words_what_it_misses);
	tcase_add_loop_test(tc, a_prev_result_must_be_of_the_same_family, 0, CNI_VERSIONS);
	tcase_add_test(tc, a_prev_result_without_version_is_of_the_configurations);
	tcase_add_test(tc, a_broken_prev_result_is_named_as_such);
	tcase_add_loop_test(tc, dns_of_the_configuration_replaces_all_of_ipams, 0,
			    CNI_ARRAY_SIZE(dns));
	tcase_add_test(tc, valid_attachments_are_walked_in_order);
	tcase_add_test(tc, the_newer_list_goes_before_the_older);
	tcase_add_test(tc, no_list_differs_from_null);
	tcase_add_test(tc, a_list_that_cannot_be_understood_is_refused);
	return run_suite(suite);
}
