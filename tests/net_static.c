/*
 * static, as a built program: every source of addresses, every message, in every version, beside the
 * newest Go plugin where it is at hand (CNI_PEER_DIR, tests/peer); CHECK, which sees more than theirs;
 * and bridge with static as its IPAM plugin, called inside and run as another file.
 */
#include "peer_state.h"

#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static const char *const versions[] = { "0.1.0", "0.2.0", "0.3.0", "0.3.1",
					"0.4.0", "1.0.0", "1.1.0" };

#define STATIC(more, ipam)                                                                         \
	"{'cniVersion':'@','name':'net1','type':'static'" more ",'ipam':{'type':'static'" ipam "}" \
	"}"
#define ONE ",'addresses':[{'address':'10.1.2.3/24','gateway':'10.1.2.1'}]"
#define DUAL                                                            \
	",'addresses':[{'address':'10.1.2.3/24','gateway':'10.1.2.1'}," \
	"{'address':'fd00::5/64','gateway':'fd00::1'}]"
#define ARGS_IPS(list) ",'args':{'cni':{'ips':[" list "]}}"
#define RUNTIME_IPS(list) ",'runtimeConfig':{'ips':[" list "]}"

/* ---- ADD: what comes out ---- */

static const struct row {
	const char *name, *config, *args;
	const char *addresses; /* "address>gateway ..." of the result; NULL: it fails */
	const char *msg; /* of the failure, whole */
	int code;
} rows[] = {
	{ "one address", STATIC("", ONE), NULL, "10.1.2.3/24>10.1.2.1", NULL, 0 },
	{ "no gateway", STATIC("", ",'addresses':[{'address':'10.1.2.3/24'}]"), NULL,
	  "10.1.2.3/24>", NULL, 0 },
	{ "an empty gateway is none",
	  STATIC("", ",'addresses':[{'address':'10.1.2.3/24','gateway':''}]"), NULL, "10.1.2.3/24>",
	  NULL, 0 },
	{ "both families, routes, dns",
	  STATIC("", DUAL ",'routes':[{'dst':'0.0.0.0/0'},{'dst':'192.168.1.5/16','gw':'10.1.2.9',"
			  "'mtu':1400,'advmss':1300,'priority':50,'table':100,'scope':253},"
			  "{'dst':'::/0','gw':'fd00::9'},{'dst':'1.1.1.0/24','table':0,'scope':0}],"
			  "'dns':{'nameservers':['8.8.8.8'],'domain':'ex.org',"
			  "'search':['a.b','c.d'],'options':['ndots:5']}"),
	  NULL, "10.1.2.3/24>10.1.2.1 fd00::5/64>fd00::1", NULL, 0 },
	{ "gateway of another subnet and family",
	  STATIC("", ",'addresses':[{'address':'10.1.2.3/24','gateway':'fd00::1'}]"), NULL,
	  "10.1.2.3/24>fd00::1", NULL, 0 },
	{ "network and broadcast address, and v4-mapped",
	  STATIC("", ",'addresses':[{'address':'10.1.2.0/24'},"
		     "{'address':'fd00::/64'}]"),
	  NULL, "10.1.2.0/24> fd00::/64>", NULL, 0 },
	{ "v4-mapped", STATIC("", ",'addresses':[{'address':'::ffff:10.0.0.5/120'}]"), NULL,
	  "10.0.0.5/24>", NULL, 0 },
	{ "leading zero in the length", STATIC("", ",'addresses':[{'address':'10.1.2.3/08'}]"),
	  NULL, "10.1.2.3/8>", NULL, 0 },
	{ "the old key version",
	  STATIC("", ",'addresses':[{'version':'4','address':'10.1.2.3/24'}]"), NULL,
	  "10.1.2.3/24>", NULL, 0 },
	{ "keys in any case",
	  STATIC("", ",'ADDRESSES':[{'address':'10.1.2.3/24','GATEWAY':'10.1.2.1'}]"), NULL,
	  "10.1.2.3/24>10.1.2.1", NULL, 0 },
	/* CNI_ARGS add to the configured ones. */
	{ "CNI_ARGS IP", STATIC("", ""), "IP=10.9.0.5/24", "10.9.0.5/24>", NULL, 0 },
	{ "CNI_ARGS IP of the other family", STATIC("", ONE), "IP=fd00::9/64",
	  "10.1.2.3/24>10.1.2.1 fd00::9/64>", NULL, 0 },
	{ "CNI_ARGS GATEWAY of the subnet", STATIC("", ""),
	  "IP=10.9.0.5/24,\tfd00::9/64 ;GATEWAY= fd00::1,10.9.0.1",
	  "10.9.0.5/24>10.9.0.1 fd00::9/64>fd00::1", NULL, 0 },
	{ "CNI_ARGS GATEWAY of no subnet", STATIC("", ""), "IP=10.9.0.5/24;GATEWAY=10.8.0.1",
	  "10.9.0.5/24>", NULL, 0 },
	{ "CNI_ARGS GATEWAY is not for configured addresses",
	  STATIC("", ",'addresses':[{'address':'10.1.2.3/24'}]"), "GATEWAY=10.1.2.9;IP=fd00::9/64",
	  "10.1.2.3/24> fd00::9/64>", NULL, 0 },
	{ "empty CNI_ARGS", STATIC("", ONE), "IP=;GATEWAY=", "10.1.2.3/24>10.1.2.1", NULL, 0 },
	{ "CNI_ARGS with other keys", STATIC("", ""),
	  "K8S_POD_NAME=p;IP=10.9.0.5/24;IgnoreUnknown=1", "10.9.0.5/24>", NULL, 0 },
	/* The others replace. */
	{ "args.cni.ips", STATIC(ARGS_IPS("'10.3.0.5/24','fd00::3/64'"), ONE), "IP=10.9.0.5/24",
	  "10.3.0.5/24> fd00::3/64>", NULL, 0 },
	{ "an empty args.cni.ips", STATIC(ARGS_IPS(""), ONE), NULL, "10.1.2.3/24>10.1.2.1", NULL,
	  0 },
	{ "runtimeConfig.ips", STATIC(RUNTIME_IPS("'10.4.0.5/24'") ARGS_IPS("'10.3.0.5/24'"), ONE),
	  "IP=10.9.0.5/24;GATEWAY=10.4.0.1", "10.4.0.5/24>", NULL, 0 },
	{ "an empty runtimeConfig.ips", STATIC(RUNTIME_IPS("") ARGS_IPS("'10.3.0.5/24'"), ONE),
	  NULL, "10.3.0.5/24>", NULL, 0 },
	{ "replaced addresses need not be CIDRs",
	  STATIC(RUNTIME_IPS("'10.4.0.5/24'"), ",'addresses':[{'address':'bad'}]"), NULL,
	  "10.4.0.5/24>", NULL, 0 },
	/* Refused. */
	{ "no ipam", "{'cniVersion':'@','name':'net1','type':'static'}", NULL, NULL,
	  "IPAM config missing 'ipam' key", 7 },
	{ "null ipam", "{'cniVersion':'@','name':'net1','type':'static','ipam':null}", NULL, NULL,
	  "IPAM config missing 'ipam' key", 7 },
	{ "address without length", STATIC("", ",'addresses':[{'address':'10.1.2.3'}]"), NULL, NULL,
	  "the 'address' field is expected to be in CIDR notation, got: '10.1.2.3'", 7 },
	{ "no address", STATIC("", ",'addresses':[{'gateway':'10.1.2.1'}]"), NULL, NULL,
	  "the 'address' field is expected to be in CIDR notation, got: ''", 7 },
	{ "bad gateway", STATIC("", ",'addresses':[{'address':'10.1.2.3/24','gateway':'foo'}]"),
	  NULL, NULL, "invalid IP address: foo", 7 },
	{ "CNI_ARGS IP without length", STATIC("", ONE), "IP=10.0.9.9", NULL,
	  "the 'ip' field is expected to be in CIDR notation, got: '10.0.9.9'", 4 },
	{ "CNI_ARGS IP with an empty item", STATIC("", ONE), "IP=10.0.9.9/24,", NULL,
	  "the 'ip' field is expected to be in CIDR notation, got: ''", 4 },
	{ "CNI_ARGS GATEWAY", STATIC("", ONE), "GATEWAY=x", NULL, "invalid gateway address: x", 4 },
	{ "CNI_ARGS unknown", STATIC("", ONE), "FOO=bar;X=y", NULL,
	  "ARGS: unknown args [\"FOO=bar\" \"X=y\"]", 4 },
	{ "CNI_ARGS no pair", STATIC("", ONE), "IP=10.0.9.9/24;", NULL, "ARGS: invalid pair \"\"",
	  4 },
	{ "args.cni.ips without length", STATIC(ARGS_IPS("'10.3.0.5'"), ONE), NULL, NULL,
	  "an entry in the 'ips' field is NOT in CIDR notation, got: '10.3.0.5'", 7 },
	{ "args.cni.ips, even if not used",
	  STATIC(RUNTIME_IPS("'10.4.0.5/24'") ARGS_IPS("'10.3.0.5'"), ONE), NULL, NULL,
	  "an entry in the 'ips' field is NOT in CIDR notation, got: '10.3.0.5'", 7 },
	{ "runtimeConfig.ips without length", STATIC(RUNTIME_IPS("'x'"), ONE), NULL, NULL,
	  "an entry in the 'ips' field is NOT in CIDR notation, got: 'x'", 7 },
	{ "CNI_ARGS are looked at before the addresses",
	  STATIC(ARGS_IPS("'y'"), ",'addresses':[{'address':'bad'}]"), "IP=x", NULL,
	  "the 'ip' field is expected to be in CIDR notation, got: 'x'", 4 },
	{ "args.cni.ips are looked at before the addresses",
	  STATIC(ARGS_IPS("'y'"), ",'addresses':[{'address':'bad'}]"), NULL, NULL,
	  "an entry in the 'ips' field is NOT in CIDR notation, got: 'y'", 7 },
};

/* Rows whose outcome depends on the version. */
static const struct {
	const char *name, *config;
} narrow[] = {
	{ "two of a family", STATIC("", ",'addresses':[{'address':'10.1.2.3/24'},"
					"{'address':'10.1.2.4/24'},{'address':'10.1.2.4/24'}]") },
	{ "none", STATIC("", "") },
};

static const char *result_addresses(const struct reply *r)
{
	json_t *list = json_object_get(r->json, "ips"), *ip;
	const char *text = "";
	size_t i;

	json_array_foreach (list, i, ip) {
		const char *gw = json_string_value(json_object_get(ip, "gateway"));

		text = fmt("%s%s%s>%s", text, i ? " " : "",
			   json_string_value(json_object_get(ip, "address")), gw ? gw : "");
	}
	return text;
}

START_TEST(add_gives_what_is_configured)
{
	const struct row *row = &rows[_i];
	struct call c = { .command = "ADD",
			  .netns = "/run/netns/none",
			  .args = row->args,
			  .config = conf(row->config, "1.0.0") };
	struct reply r;

	if (row->addresses) {
		r = call_ok(c);
		ck_assert_msg(strcmp(result_addresses(&r), row->addresses) == 0,
			      "%s: wanted %s, got: %s", row->name, row->addresses, r.out);
	} else {
		r = call_fails(c, row->code, row->msg);
		ck_assert_msg(strcmp(r.msg, row->msg) == 0, "%s: %s", row->name, r.msg);
	}
	ck_assert_str_eq(r.err, "");
}
END_TEST

START_TEST(old_versions_hold_one_address_of_a_family)
{
	bool old = _i < 2;
	struct call two = { .command = "ADD",
			    .netns = "/run/netns/none",
			    .config = conf(narrow[0].config, versions[_i]) };
	struct call none = two;
	struct reply r;

	none.config = conf(narrow[1].config, versions[_i]);
	if (old) {
		call_fails(two, 7,
			   fmt("CNI version %s does not support more than 1 address per family",
			       versions[_i]));
		call_fails(none, 999, "cannot convert: no valid IP addresses");
		return;
	}
	r = call_ok(two);
	ck_assert_str_eq(result_addresses(&r), "10.1.2.3/24> 10.1.2.4/24> 10.1.2.4/24>");
	r = call_ok(none);
	ck_assert_str_eq(result_addresses(&r), "");
}
END_TEST

/* ---- beside theirs ---- */

/* What a call did, without what differs on purpose: codes, details, the version in errors. */
static const char *outcome(const char *bin, const char *command, const char *config,
			   const char *args)
{
	struct reply r = call((struct call){ .command = command,
					     .bin = bin,
					     .netns = "/run/netns/none",
					     .args = args,
					     .config = config });

	if (r.status == 0)
		return fmt("exit 0\n%s", r.out);
	return fmt("exit %d\n%s\n", r.status, r.msg);
}

/*
 * ADD in each version. The others, which do nothing in either, in one version each,
 * and in another one for each @p row: all rows together have each verb in each version several times.
 */
static void compare(int row, const char *name, const char *config, const char *args)
{
	static const char *const verbs[] = { "ADD", "DEL", "GC", "STATUS" };

	for (size_t v = 0; v < ARRAY_SIZE(versions); v++)
		for (size_t k = 0; k < ARRAY_SIZE(verbs); k++) {
			const char *text = conf(config, versions[v]);

			if (k > 0 && v != ((size_t)row + k) % ARRAY_SIZE(versions))
				continue;
			same_text(fmt("%s, %s of %s", name, verbs[k], versions[v]),
				  outcome(newest_plugins(), verbs[k], text, args),
				  outcome(our_plugins(), verbs[k], text, args));
		}
}

START_TEST(same_as_the_newest)
{
	if (_i < (int)ARRAY_SIZE(rows))
		compare(_i, rows[_i].name, rows[_i].config, rows[_i].args);
	else
		compare(_i, narrow[_i - (int)ARRAY_SIZE(rows)].name,
			narrow[_i - (int)ARRAY_SIZE(rows)].config, NULL);
}
END_TEST

/* CHECK: where theirs fails, ours does with the same words; theirs misses an address that is gone. */
START_TEST(check_is_stricter_than_the_newest_by_one_thing)
{
	static const char *const prev[] = {
		"{'cniVersion':'1.0.0','ips':[{'address':'10.1.2.3/24','gateway':'10.1.2.1'}]}",
		"{'cniVersion':'1.0.0','ips':[{'address':'10.1.2.3/25','gateway':'10.1.2.1'}]}",
		"{'cniVersion':'1.0.0','ips':[{'address':'10.1.2.3/24','gateway':'10.1.2.2'}]}",
		"{'cniVersion':'1.0.0','ips':[{'address':'10.1.2.3/24'}]}",
		"{'cniVersion':'1.0.0','ips':[{'address':'10.1.2.4/24','gateway':'10.1.2.1'}]}",
	};
	const char *config = conf(STATIC("", ONE), "1.0.0"), *theirs, *ours;

	for (size_t i = 0; i < ARRAY_SIZE(prev); i++) {
		const char *with = with_prev(config, conf(prev[i], ""));

		theirs = outcome(newest_plugins(), "CHECK", with, NULL);
		ours = outcome(our_plugins(), "CHECK", with, NULL);
		if (i < 4)
			same_text(prev[i], theirs, ours);
		else
			ck_assert_str_eq(theirs, "exit 0\n");
	}
	same_text("no prevResult", outcome(newest_plugins(), "CHECK", config, NULL),
		  outcome(our_plugins(), "CHECK", config, NULL));
}
END_TEST

/* ---- DEL, GC, STATUS, CHECK ---- */

START_TEST(del_of_anything_succeeds)
{
	static const char *const configs[] = {
		STATIC("", ONE),
		STATIC("", ",'addresses':[{'address':'bad','gateway':'bad'}]"),
		STATIC(RUNTIME_IPS("'bad'") ARGS_IPS("'bad'"), ",'addresses':'bad'"),
		"{'cniVersion':'@','name':'net1','type':'static'}",
		"{'cniVersion':'@','name':'net1','type':'static','ipam':{'type':'other','dns':7}}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(configs); i++)
		for (size_t v = 0; v < ARRAY_SIZE(versions); v++)
			for (int twice = 0; twice < 2; twice++)
				call_ok((struct call){ .command = "DEL",
						       .args = i ? "FOO;=" : NULL,
						       .config = conf(configs[i], versions[v]) });
	call_ok((struct call){ .command = "GC", .config = conf(configs[1], "1.1.0") });
	call_ok((struct call){ .command = "STATUS", .config = conf(configs[1], "1.1.0") });
	ck_assert_str_eq(sh("find /var/lib/cni 2>/dev/null | xargs"), "");
}
END_TEST

static const struct {
	const char *prev;
	const char *msg; /* NULL: CHECK succeeds */
	const char *details;
} checks[] = {
	{ "{'ips':[{'address':'10.1.2.3/24','gateway':'10.1.2.1'},"
	  "{'address':'fd00::5/64','gateway':'fd00::1'}]}",
	  NULL, NULL },
	/* Plugins behind this one may add addresses and interfaces, reorder, and change a prefix. */
	{ "{'interfaces':[{'name':'eth0'}],'ips':[{'address':'10.7.0.1/24','interface':0},"
	  "{'address':'fd00:0::5/128','gateway':'fd00::1'},"
	  "{'address':'10.1.2.3/32','gateway':'10.1.2.1','interface':0}],"
	  "'routes':[{'dst':'0.0.0.0/0'}]}",
	  NULL, NULL },
	{ "{'ips':[{'address':'fd00::5/64','gateway':'fd00::1'}]}",
	  "static: Failed to match addr 10.1.2.3 on interface net7",
	  "prevResult does not have it" },
	{ "{'ips':[{'address':'10.1.2.3/24','gateway':'10.1.2.1'},"
	  "{'address':'fd00::6/64','gateway':'fd00::1'}]}",
	  "static: Failed to match addr fd00::5 on interface net7", "prevResult does not have it" },
	{ "{}", "static: Failed to match addr 10.1.2.3 on interface net7",
	  "prevResult does not have it" },
	{ "{'ips':[{'address':'10.1.2.3/24','gateway':'10.1.2.1'},"
	  "{'address':'fd00::5/64','gateway':'fd00::2'}]}",
	  "static: Failed to match addr fd00::5 on interface net7",
	  "prevResult has another gateway for it" },
	{ "{'ips':[{'address':'10.1.2.3/24'},{'address':'fd00::5/64','gateway':'fd00::1'}]}",
	  "static: Failed to match addr 10.1.2.3 on interface net7",
	  "prevResult has another gateway for it" },
};

START_TEST(check_notices_a_missing_address_and_a_changed_gateway)
{
	struct call c = { .command = "CHECK",
			  .netns = "/run/netns/none",
			  .ifname = "net7",
			  .config = with_prev(conf(STATIC("", DUAL), "1.0.0"),
					      conf(checks[_i].prev, "")) };

	if (checks[_i].msg) {
		struct reply r = call_fails(c, 999, checks[_i].msg);

		ck_assert_str_eq(r.details, checks[_i].details);
	} else {
		call_ok(c);
	}
}
END_TEST

START_TEST(check_needs_a_previous_result_and_a_good_configuration)
{
	struct call c = { .command = "CHECK",
			  .netns = "/run/netns/none",
			  .config = conf(STATIC("", ONE), "1.0.0") };

	call_fails(c, 7, "Required prevResult missing");
	c.config = with_prev(conf(STATIC("", ",'addresses':[{'address':'bad'}]"), "1.0.0"), "{}");
	call_fails(c, 7, "the 'address' field is expected to be in CIDR notation, got: 'bad'");
	c.config = with_prev(conf(STATIC("", ""), "1.0.0"), "{}");
	c.args = "IP=10.9.0.9/24;GATEWAY=10.9.0.1";
	call_fails(c, 999, "static: Failed to match addr 10.9.0.9 on interface eth0");
}
END_TEST

/* ---- under bridge ---- */

#define BRIDGED                                                                                   \
	"{'cniVersion':'@','name':'net1','type':'bridge','bridge':'br0','isDefaultGateway':true," \
	"'ipam':{'type':'static'" DUAL ",'dns':{'nameservers':['10.9.9.9']},"                     \
	"'routes':[{'dst':'10.50.0.0/16','gw':'10.1.2.9'}]}}"

/* Where nothing can be executed: only a call inside the process can work. */
static const char *path_of_inside(void)
{
	sh("mkdir /run/world/inside; mount --bind %s /run/world/inside; "
	   "mount -o remount,bind,noexec /run/world/inside",
	   our_plugins());
	ck_assert_int_ne(sh_status("/run/world/inside/static"), 0);
	return "/run/world/inside";
}

static const char *path_of_copy(void)
{
	sh("mkdir /run/world/copy /run/world/path; cp %s/static /run/world/copy/; "
	   "printf '#!/bin/sh\\necho ran >> /run/world/ran\\nexec /run/world/copy/static\\n' > "
	   "/run/world/path/static; chmod 755 /run/world/path/static",
	   our_plugins());
	return "/run/world/path";
}

/* Every verb, and all they leave behind, as one text. */
static const char *life(const char *path, const char *version)
{
	const char *config = conf(BRIDGED, version), *text;
	struct call c = {
		.command = "ADD", .path = path, .netns = container_add("c1"), .config = config
	};
	struct reply r;

	r = call(c);
	text = fmt("ADD %s\n%s\n", reply_text(&r, false), state_text());
	if (strcmp(version, "0.4.0") >= 0) {
		c.command = "CHECK";
		c.config = with_prev(config, r.out);
		call_ok(c);
	}
	c.command = "DEL";
	call_ok(c);
	call_ok(c);
	return fmt("%s%s\n", text, state_text());
}

START_TEST(bridge_asks_static_inside_or_as_another_file)
{
	const char *inside, *run;
	char *first;

	inside = life(path_of_inside(), versions[_i]);
	ck_assert_ptr_nonnull(strstr(inside, "10.1.2.3/24"));
	ck_assert_ptr_nonnull(strstr(inside, "fd00::5/64"));
	first = strdup(inside);
	world_teardown();
	world_setup();
	run = life(path_of_copy(), versions[_i]);
	sh("test -s /run/world/ran");
	same_text("run (-) and inside (+)", run, first);
	free(first);
}
END_TEST

START_TEST(check_of_bridge_asks_static)
{
	const char *config = conf(BRIDGED, "1.0.0"), *prev;
	struct call c = { .command = "ADD", .netns = container_add("c1"), .config = config };

	prev = call_ok(c).out;
	c.command = "CHECK";
	c.config = with_prev(config, prev);
	call_ok(c);
	/* The attachment is whole, but the configuration wants another address now. */
	c.config = with_prev(replaced(config, "10.1.2.3/24", "10.1.2.4/24"), prev);
	call_fails(c, 999, "static: Failed to match addr 10.1.2.4 on interface eth0");
	c.config = with_prev(
		replaced(config, "\"gateway\":\"10.1.2.1\"", "\"gateway\":\"10.1.2.7\""), prev);
	call_fails(c, 999, "static: Failed to match addr 10.1.2.3 on interface eth0");
	/* static's own CHECK bears what bridge made of its result: interfaces, their indices. */
	c.config = with_prev(conf(STATIC("", DUAL), "1.0.0"), prev);
	call_ok(c);
}
END_TEST

int main(void)
{
	const char *dir = getenv("CNI_PEER_DIR");
	bool newest = dir && *dir;
	Suite *suite = suite_create("static");
	TCase *tc = tcase_create("verbs");

	tcase_add_checked_fixture(tc, world_setup, world_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, add_gives_what_is_configured, 0, ARRAY_SIZE(rows));
	tcase_add_loop_test(tc, old_versions_hold_one_address_of_a_family, 0, ARRAY_SIZE(versions));
	tcase_add_test(tc, del_of_anything_succeeds);
	tcase_add_loop_test(tc, check_notices_a_missing_address_and_a_changed_gateway, 0,
			    ARRAY_SIZE(checks));
	tcase_add_test(tc, check_needs_a_previous_result_and_a_good_configuration);
	tcase_add_loop_test(tc, bridge_asks_static_inside_or_as_another_file, 0,
			    ARRAY_SIZE(versions));
	tcase_add_test(tc, check_of_bridge_asks_static);
	if (newest) {
		tcase_add_loop_test(tc, same_as_the_newest, 0,
				    ARRAY_SIZE(rows) + ARRAY_SIZE(narrow));
		tcase_add_test(tc, check_is_stricter_than_the_newest_by_one_thing);
	}
	suite_add_tcase(suite, tc);
	return peer_main(suite, "static");
}
