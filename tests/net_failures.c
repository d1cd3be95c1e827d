/*
 * What is left when something goes wrong: IPAM plugins that fail in every way, last steps that fail,
 * DEL when much is gone already, and loopback.
 */
#include "same_world.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Delegates of the tests live here; what they were asked is in CALLS. */
#define DELEGATES "/run/delegates"
#define CALLS "/run/calls"
#define LEASES "/var/lib/cni/networks/net1"

#define NET(version, keys) \
	"{\"cniVersion\":\"" version "\",\"name\":\"net1\",\"type\":\"bridge\"," keys "}"
#define L3 "\"bridge\":\"br0\",\"isGateway\":true"
/* Ranges of one address each, so that files that say where to go on do not change. */
#define SET4 "[{\"subnet\":\"10.1.0.0/24\",\"rangeStart\":\"10.1.0.9\",\"rangeEnd\":\"10.1.0.9\"}]"
#define SET6 "[{\"subnet\":\"fd00::/64\",\"rangeStart\":\"fd00::9\",\"rangeEnd\":\"fd00::9\"}]"
#define LOCAL(keys) "\"ipam\":{\"type\":\"host-local\",\"ranges\":[" SET4 "," SET6 "]" keys "}"
#define DUAL NET("1.1.0", L3 ",\"ipMasq\":true,\"isDefaultGateway\":true," LOCAL(""))
#define SCRIPTED NET("1.0.0", L3 ",\"ipam\":{\"type\":\"scripted\"}")

static const char *c1;

static void setup(void)
{
	world_setup();
	no_link_local();
	sh("mkdir %s", DELEGATES);
	c1 = container_add("c1");
}

static struct call on_c1(const char *command, const char *config)
{
	return (struct call){ .command = command,
			      .netns = c1,
			      .config = config,
			      .path = fmt("%s:%s", DELEGATES, our_plugins()) };
}

static struct reply add(const char *config)
{
	return call_ok(on_c1("ADD", config));
}

static void del(const char *config)
{
	call_ok(on_c1("DEL", config));
}

/* The host as it is between attachments: bridge, table and store are there, and nobody uses them. */
static const char *idle_world(void)
{
	add(DUAL);
	del(DUAL);
	return world_now();
}

static void assert_nothing_left(void)
{
	ck_assert_str_eq(sh("ip -o link show type veth"), "");
	ck_assert_str_eq(sh("ls %s 2>/dev/null | grep '[.:].*[.:]' || true", LEASES), "");
	ck_assert_str_eq(masqueraded("ctr1"), "0");
}

/* ---- IPAM plugins that fail ---- */

/* Make the delegate "scripted", which notes each call, and runs `add` for ADD. */
static void script(const char *add_body)
{
	sh("cat >%s/scripted <<'END'\n#!/bin/sh\necho $CNI_COMMAND >>%s\ncat >/dev/null\n"
	   "[ $CNI_COMMAND = ADD ] || exit 0\n%s\nEND\nchmod 755 %s/scripted; rm -f %s",
	   DELEGATES, CALLS, add_body, DELEGATES, CALLS);
}

static const struct {
	const char *body; /* what the delegate does for ADD */
	int code;
	const char *msg, *details;
} failing_ipam[] = {
	{ "echo '{\"code\":42,\"msg\":\"no way\",\"details\":\"at all\"}'; exit 1", 42, "no way",
	  "at all" },
	{ "echo '{\"code\":11,\"msg\":\"later\"}'; exit 1", 11, "later", "" },
	{ "echo garbage; exit 1", 999,
	  "netplugin failed but error parsing its diagnostic message \"garbage", "" },
	{ "echo '[1]'; exit 1", 999, "netplugin failed but error parsing its diagnostic", "" },
	{ "echo oops >&2; exit 1", 999, "netplugin failed: \"oops", "" },
	{ "exit 3", 999, "netplugin failed with no error message: exit status 3", "" },
	{ "kill -9 $$", 999, "netplugin failed with no error message: signal: ", "" },
	{ "echo garbage", 999, "failed to unmarshal raw result: ", "" },
	{ "exit 0", 999, "failed to unmarshal raw result: unexpected end of JSON input", "" },
	{ "echo '[]'", 999, "failed to unmarshal raw result: ", "" },
	{ "echo '{\"cniVersion\":\"1.0.0\"}'", 999, "IPAM plugin returned missing IP config", "" },
	{ "echo null", 999, "IPAM plugin returned missing IP config", "" },
	{ "echo '{\"cniVersion\":\"9.9.9\",\"ips\":[{\"address\":\"10.9.0.5/24\"}]}'", 999,
	  "unsupported CNI result version \"9.9.9\"", "" },
	{ "echo '{\"ips\":[{\"address\":\"10.9.0.5\"}]}'", 7, "invalid CIDR address: 10.9.0.5",
	  "" },
	{ "echo '{\"ips\":[{\"gateway\":\"10.9.0.1\"}]}'", 7, "\"address\" is missing", "" },
};

START_TEST(failing_ipam_add_leaves_nothing_and_its_del_is_called)
{
	const char *before = idle_world();
	struct reply r;

	script(failing_ipam[_i].body);
	r = call_fails(on_c1("ADD", SCRIPTED), failing_ipam[_i].code, failing_ipam[_i].msg);
	ck_assert_str_eq(r.details, failing_ipam[_i].details);
	ck_assert_str_eq(sh("cat %s", CALLS), "ADD\nDEL");
	assert_unchanged(before);
	/* And again, without a DEL in between. */
	script("echo '{\"cniVersion\":\"0.4.0\",\"ips\":[{\"version\":\"4\",\"address\":"
	       "\"10.1.0.77/24\"}]}'; echo note >&2");
	r = add(SCRIPTED);
	ck_assert_str_eq(r.err, "note\n");
	ck_assert_str_eq(sh_in("c1", "ip -4 -o addr show eth0 | awk '{print $4}'"), "10.1.0.77/24");
	ck_assert_str_eq(sh("cat %s", CALLS), "ADD");
	del(SCRIPTED);
	ck_assert_str_eq(sh("cat %s", CALLS), "ADD\nDEL");
	assert_unchanged(before);
}
END_TEST

/* Else the addresses would be another attachment's. */
START_TEST(of_a_repeated_variable_the_first_is_the_delegates_too)
{
	static char bridge[] = "bridge";
	char *const argv[] = { bridge, NULL };
	char *const env[] = {
		(char *)"CNI_COMMAND=ADD",
		(char *)"CNI_CONTAINERID=ctr1",
		(char *)"CNI_IFNAME=eth0",
		(char *)"CNI_IFNAME=eth1",
		(char *)fmt("CNI_NETNS=%s", c1),
		(char *)"CNI_CONTAINERID=ctr2",
		(char *)"PATH=/usr/bin:/bin",
		(char *)"CNI_PATH=" DELEGATES,
		NULL,
	};
	const char *program = fmt("%s/bridge", our_plugins());
	int status;
	pid_t pid;

	script("echo $CNI_CONTAINERID $CNI_IFNAME $CNI_NETNS >>" CALLS "\n"
	       "echo '{\"cniVersion\":\"1.0.0\",\"ips\":[{\"address\":\"10.1.0.77/24\"}]}'");
	sh("cat >/run/config <<'END'\n%s\nEND", SCRIPTED);
	pid = fork();
	if (pid == 0) {
		if (freopen("/run/config", "r", stdin) && freopen("/dev/null", "w", stdout))
			execve(program, argv, env);
		_exit(127);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_str_eq(sh("cat %s", CALLS), fmt("ADD\nctr1 eth0 %s", c1));
}
END_TEST

START_TEST(ipam_that_cannot_be_run_leaves_nothing)
{
	const char *before = idle_world();
	struct reply r;

	r = call_fails(on_c1("ADD", SCRIPTED), 999, "failed to find plugin \"scripted\" in path [");
	ck_assert_ptr_nonnull(strstr(r.msg, fmt("[%s %s]", DELEGATES, our_plugins())));
	assert_unchanged(before);
	sh("mkdir %s/scripted", DELEGATES); /* not a file: not a plugin */
	call_fails(on_c1("ADD", SCRIPTED), 999, "failed to find plugin \"scripted\" in path [");
	sh("rmdir %s/scripted; echo >%s/scripted", DELEGATES, DELEGATES);
	call_fails(on_c1("ADD", SCRIPTED), 999,
		   fmt("fork/exec %s/scripted: permission denied", DELEGATES));
	sh("chmod 755 %s/scripted; printf '\\177ELF' >%s/scripted", DELEGATES, DELEGATES);
	call_fails(on_c1("ADD", SCRIPTED), 999, fmt("fork/exec %s/scripted: ", DELEGATES));
	assert_unchanged(before);
}
END_TEST

/* Else it would ask without end. */
START_TEST(a_plugin_that_is_its_own_ipam_plugin_is_refused)
{
	static const char own[] = NET("1.1.0", L3 ",\"ipam\":{\"type\":\"bridge\"},"
						  "\"cni.dev/valid-attachments\":[]");
	static const char *const verbs[] = { "ADD", "DEL", "STATUS", "GC" };
	const char *before = idle_world();
	struct call c = on_c1("ADD", own);

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		c.command = verbs[i];
		call_fails(c, 7, "ipam.type: \"bridge\" is the plugin that asks");
	}
	assert_unchanged(before);
	c = on_c1("CHECK", with_prev(own, "{\"cniVersion\":\"1.1.0\"}"));
	call_fails(c, 7, "ipam.type: \"bridge\" is the plugin that asks");
}
END_TEST

START_TEST(del_without_its_ipam_plugin_does_the_rest_and_says_so)
{
	struct call c = on_c1("DEL", DUAL);

	add(DUAL);
	c.path = DELEGATES;
	call_fails(c, 999, "failed to find plugin \"host-local\"");
	ck_assert_str_eq(sh("ip -o link show type veth"), "");
	ck_assert_str_eq(masqueraded("ctr1"), "0");
	del(DUAL);
	assert_nothing_left();
}
END_TEST

START_TEST(of_several_failures_of_del_the_first_is_told)
{
	struct call c = on_c1("DEL", DUAL);
	struct reply r;

	c.netns = "/proc/1/status";
	c.path = DELEGATES; /* without its IPAM plugin */
	r = call_fails(c, 999, "enter network namespace: invalid argument");
	ck_assert_str_eq(r.details, "");
}
END_TEST

/* ---- last steps that fail ---- */

static const struct {
	const char *prepare, *config, *msg, *details;
} failing_steps[] = {
	{ "true",
	  NET("1.0.0",
	      L3 "," LOCAL(",\"routes\":[{\"dst\":\"192.168.0.0/16\",\"gw\":\"172.31.0.1\"}]")),
	  "failed to add route '192.168.0.0/16 via 172.31.0.1 dev eth0", "" },
	{ "ip -4 addr flush dev br0; ip addr add 10.8.0.1/24 dev br0", DUAL,
	  "\"br0\" already has an IP address different from 10.1.0.1/24",
	  "it has 10.8.0.1/24; \"forceAddress\": true replaces it" },
	{ "ip -6 addr flush dev br0; ip addr add fd00::7/48 dev br0 nodad", DUAL,
	  "\"br0\" already has an IP address different from fd00::1/64",
	  "it has fd00::7/48; \"forceAddress\": true replaces it" },
	{ "ip netns exec c1 sh -c 'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6'; "
	  "mount -t tmpfs -o ro tmpfs /proc/sys/net",
	  DUAL, "failed to enable IPv6 for interface \"eth0\"", "" },
};

START_TEST(a_failing_step_leaves_nothing)
{
	const char *before;

	idle_world();
	sh("%s", failing_steps[_i].prepare);
	before = world_now();
	/* Twice: what the first one left would be in the second one's way. */
	for (int i = 0; i < 2; i++) {
		struct reply r = call_fails(on_c1("ADD", failing_steps[_i].config), 999,
					    failing_steps[_i].msg);

		ck_assert_msg(strstr(r.details, failing_steps[_i].details) != NULL, "%s", r.out);
		assert_unchanged(before);
	}
}
END_TEST

START_TEST(what_is_mounted_over_kernel_parameters_leads_no_write_astray)
{
	sh("echo 0 >/proc/sys/net/ipv4/ip_forward; mount -t tmpfs none /proc/sys/net/ipv4; "
	   "echo 0 >/proc/sys/net/ipv4/ip_forward");
	add(DUAL);
	ck_assert_str_eq(sh("cat /proc/sys/net/ipv4/ip_forward; umount /proc/sys/net/ipv4; "
			    "cat /proc/sys/net/ipv4/ip_forward"),
			 "0\n1");
}
END_TEST

START_TEST(force_address_replaces_what_is_in_the_way)
{
	sh("ip link add br0 type bridge && ip addr add 10.8.0.1/24 dev br0 && ip link set br0 up");
	add(NET("1.0.0", L3 ",\"forceAddress\":true," LOCAL("")));
	ck_assert_str_eq(sh("ip -4 -o addr show br0 | awk '{print $4}'"), "10.1.0.1/24");
	sh_in("c1", "ping -c1 -W1 10.1.0.1");
}
END_TEST

/* The Go plugin keeps the last one only. */
START_TEST(force_address_keeps_all_gateways_of_its_own_result)
{
	static const char config[] = NET(
		"1.0.0", L3 ",\"forceAddress\":true,\"ipam\":{\"type\":\"host-local\",\"ranges\":["
			    "[{\"subnet\":\"10.1.0.0/24\"}],[{\"subnet\":\"10.2.0.0/24\"}]]}");

	sh("ip link add br0 type bridge; ip addr add 10.3.0.1/24 dev br0");
	call_ok(on_c1("CHECK", with_prev(config, add(config).out)));
	ck_assert_str_eq(sh("ip -4 -o addr show br0 | awk '{print $4}'"),
			 "10.1.0.1/24\n10.2.0.1/24");
}
END_TEST

START_TEST(result_without_addresses_is_refused_before_any_change)
{
	static const char *const configs[] = { NET("0.1.0", "\"bridge\":\"br0\""),
					       NET("0.2.0", "\"bridge\":\"br0\",\"ipam\":{}"),
					       NET("", "\"bridge\":\"br0\"") };
	const char *before = world_now();

	for (size_t i = 0; i < ARRAY_SIZE(configs); i++)
		call_fails(on_c1("ADD", configs[i]), 999, "cannot convert: no valid IP addresses");
	assert_unchanged(before);
	add(NET("0.3.0", "\"bridge\":\"br0\""));
}
END_TEST

START_TEST(add_to_what_is_no_namespace_changes_nothing)
{
	static const struct {
		const char *netns, *msg;
	} bad[] = {
		{ "/run/netns/never",
		  "failed to open netns \"/run/netns/never\": failed to Statfs" },
		{ "/etc/passwd", "unknown FS magic on \"/etc/passwd\": " },
		{ "/etc/passwd/x", "not a directory" },
		{ "/proc/1/status", "" },
		{ "relative", "failed to Statfs \"relative\"" },
	};
	const char *before = world_now();

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct call c = on_c1("ADD", DUAL);

		c.netns = bad[i].netns;
		call_fails(c, 999, bad[i].msg);
		c.command = "CHECK";
		call_fails(c, 999, bad[i].msg);
	}
	assert_unchanged(before);
}
END_TEST

/* ---- DEL, whatever is gone ---- */

static const struct {
	const char *damage, *netns, *config;
} gone[] = {
	{ "true", NULL, DUAL },
	{ "ip netns del c1", NULL, DUAL },
	{ "ip netns del c1; touch /run/netns/c1", "", DUAL },
	{ "ip netns del c1", "/run/netns/never", DUAL },
	{ "ip netns del c1", "/proc/999999999/ns/net", DUAL },
	{ "ip netns exec c1 ip link del eth0", NULL, DUAL },
	{ "ip link del br0", NULL, DUAL },
	{ "ip link del br0; ip netns del c1", NULL, DUAL },
	{ "rm -r " LEASES, NULL, DUAL },
	{ "rm -r /var/lib/cni", NULL, DUAL },
	{ "nft 'delete table ip nat; flush chain ip6 nat POSTROUTING'", NULL, DUAL },
	{ "nft flush ruleset; rm -r /var/lib/cni; ip link del br0; ip netns del c1", NULL, DUAL },
	/* The configuration has changed since. */
	{ "true", NULL, NET("1.1.0", "\"bridge\":\"br0\"," LOCAL("")) },
	{ "true", NULL, NET("0.1.0", "\"bridge\":\"\",\"mtu\":\"x\",\"vlan\":9999," LOCAL("")) },
	{ "true", NULL,
	  NET("1.1.0", "\"ipam\":{\"type\":\"host-local\",\"subnet\":\"10.1.0.7/24\"}") },
	{ "ip netns del c1", NULL,
	  NET("1.1.0", "\"ipam\":{\"type\":\"host-local\",\"ranges\":[[]]}") },
};

START_TEST(del_removes_everything_that_is_left)
{
	struct call c = on_c1("DEL", gone[_i].config);

	add(DUAL);
	ck_assert_str_eq(masqueraded("ctr1"), "2");
	sh("%s", gone[_i].damage);
	c.netns = gone[_i].netns ? gone[_i].netns : c1;
	call_ok(c);
	if (strstr(gone[_i].damage, "netns del")) /* the kernel cleans up in the background */
		sh("for i in $(seq 500); do [ -z \"$(ip -o link show type veth)\" ] && exit 0; "
		   "sleep 0.02; done; exit 1");
	assert_nothing_left();
	call_ok(c);
	ck_assert_int_ne(sh_status_in("c1", "ip link show eth0"), 0);
}
END_TEST

START_TEST(del_without_netns_removes_everything)
{
	struct call c = on_c1("DEL", DUAL);

	add(DUAL);
	c.netns = "";
	call_ok(c);
	assert_nothing_left();
	call_ok(c);
	del(DUAL);
}
END_TEST

START_TEST(del_of_the_unknown_changes_nothing)
{
	const char *before;
	struct call c = on_c1("DEL", DUAL);

	add(DUAL);
	before = world_now();
	c.id = "ctr2";
	c.ifname = "eth7";
	call_ok(c);
	assert_unchanged(before);
}
END_TEST

/* ---- loopback ---- */

#define LOOPBACK(keys) "{\"cniVersion\":\"1.1.0\",\"name\":\"lo\",\"type\":\"loopback\"" keys "}"
#define PREV                                                 \
	",\"prevResult\":{\"ips\":[{\"address\":\"10.3.0.2/" \
	"24\"}],\"interfaces\":[{\"name\":\"x\"}]}"

START_TEST(loopback_goes_up_and_down)
{
	struct reply r;
	json_t *result;

	call_fails(on_c1("CHECK", LOOPBACK("")), 999, "loopback interface is down");
	r = add(LOOPBACK(""));
	result = json_pack("{s:s,s:[{s:s,s:s,s:s}],s:[{s:s,s:i},{s:s,s:i}]}", "cniVersion", "1.1.0",
			   "interfaces", "mac", "00:00:00:00:00:00", "name", "lo", "sandbox", c1,
			   "ips", "address", "127.0.0.1/8", "interface", 0, "address", "::1/128",
			   "interface", 0);
	ck_assert_msg(json_equal(r.json, result), "%s", r.out);
	json_decref(result);
	sh_in("c1", "ping -c1 -W1 127.0.0.1 && ping -c1 -W1 ::1");
	add(LOOPBACK("")); /* again, which is no error */
	call_ok(on_c1("CHECK", with_prev(LOOPBACK(""), r.out)));
	call_ok((struct call){ .command = "GC",
			       .config = LOOPBACK(",\"cni.dev/valid-attachments\":[]") });
	call_ok((struct call){ .command = "STATUS", .config = LOOPBACK("") });
	call_ok(on_c1("CHECK", LOOPBACK("")));
	del(LOOPBACK(""));
	del(LOOPBACK(""));
	call_fails(on_c1("CHECK", LOOPBACK("")), 999, "loopback interface is down");
	ck_assert_str_eq(sh("ip -o link show lo | grep -o ',UP'"), ",UP");
	container_del("c1");
	del(LOOPBACK(""));
	call_ok((struct call){ .command = "DEL", .netns = "", .config = LOOPBACK("") });
}
END_TEST

START_TEST(loopback_passes_a_previous_result_on)
{
	struct reply r = add(LOOPBACK(PREV));

	ck_assert_int_eq((int)json_array_size(json_object_get(r.json, "interfaces")), 1);
	ck_assert_ptr_nonnull(strstr(r.out, "10.3.0.2/24"));
	ck_assert_ptr_null(strstr(r.out, "127.0.0.1"));
	call_ok(on_c1("CHECK", LOOPBACK("")));
}
END_TEST

START_TEST(loopback_refuses_what_is_wrong)
{
	const char *before = world_now();

	call_fails(on_c1("ADD", LOOPBACK(",\"prevResult\":5")), 7,
		   "prevResult: expected an object");
	call_fails(on_c1("ADD", LOOPBACK(",\"prevResult\":{\"ips\":5}")), 7,
		   "could not parse prev");
	assert_unchanged(before);
	sh_in("c1", "ip addr add 10.9.9.9/32 dev lo");
	call_fails(on_c1("ADD", LOOPBACK("")), 999,
		   "loopback interface found with non-loopback address \"10.9.9.9");
	sh_in("c1", "ip addr del 10.9.9.9/32 dev lo && ip addr add fd00::1/128 dev lo");
	call_fails(on_c1("ADD", LOOPBACK("")), 999,
		   "loopback interface found with non-loopback address \"fd00::1");
	del(LOOPBACK(""));
	ck_assert_int_ne(sh_status_in("c1", "ip -o link show lo | grep -q ,UP"), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("failures");
	TCase *tc = tcase_create("failures");

	tcase_add_checked_fixture(tc, setup, world_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, failing_ipam_add_leaves_nothing_and_its_del_is_called, 0,
			    ARRAY_SIZE(failing_ipam));
	tcase_add_test(tc, of_a_repeated_variable_the_first_is_the_delegates_too);
	tcase_add_test(tc, ipam_that_cannot_be_run_leaves_nothing);
	tcase_add_test(tc, a_plugin_that_is_its_own_ipam_plugin_is_refused);
	tcase_add_test(tc, del_without_its_ipam_plugin_does_the_rest_and_says_so);
	tcase_add_loop_test(tc, a_failing_step_leaves_nothing, 0, ARRAY_SIZE(failing_steps));
	tcase_add_test(tc, what_is_mounted_over_kernel_parameters_leads_no_write_astray);
	tcase_add_test(tc, force_address_replaces_what_is_in_the_way);
	tcase_add_test(tc, of_several_failures_of_del_the_first_is_told);
	tcase_add_test(tc, force_address_keeps_all_gateways_of_its_own_result);
	tcase_add_test(tc, result_without_addresses_is_refused_before_any_change);
	tcase_add_test(tc, add_to_what_is_no_namespace_changes_nothing);
	tcase_add_loop_test(tc, del_removes_everything_that_is_left, 0, ARRAY_SIZE(gone));
	tcase_add_test(tc, del_without_netns_removes_everything);
	tcase_add_test(tc, del_of_the_unknown_changes_nothing);
	tcase_add_test(tc, loopback_goes_up_and_down);
	tcase_add_test(tc, loopback_passes_a_previous_result_on);
	tcase_add_test(tc, loopback_refuses_what_is_wrong);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
