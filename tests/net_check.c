/*
 * CHECK: each thing that is broken is reported, and nothing else; several at once are all reported; what
 * others own is none of its business.
 */
#include "same_world.h"

#include <linux/if_packet.h>
#include <net/if.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define DELEGATES "/run/delegates"
#define LEASES "/var/lib/cni/networks/net1"

#define NET(version, keys) \
	"{\"cniVersion\":\"" version "\",\"name\":\"net1\",\"type\":\"bridge\"," keys "}"
#define BR "\"bridge\":\"br0\""
#define L3 BR ",\"isGateway\":true"
#define SET4 "[{\"subnet\":\"10.1.0.0/24\",\"rangeStart\":\"10.1.0.9\",\"rangeEnd\":\"10.1.0.9\"}]"
#define SET6 "[{\"subnet\":\"fd00::/64\",\"rangeStart\":\"fd00::9\",\"rangeEnd\":\"fd00::9\"}]"
#define LOCAL(keys) "\"ipam\":{\"type\":\"host-local\",\"ranges\":[" SET4 "," SET6 "]" keys "}"
#define MASQ ",\"ipMasq\":true,\"ipMasqBackend\":\"nftables\""
#define DUAL NET("1.1.0", L3 MASQ ",\"mtu\":1400,\"isDefaultGateway\":true," LOCAL(""))

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

/*
 * What CHECK lists, a line for each fault: "what interface want have", with - for null; of the host end,
 * whose name is random, "<veth>".
 */
static const char *faults_of(const struct reply *r)
{
	json_t *list = json_loads(r->details, 0, NULL), *one;
	const char *text = "";
	size_t i;

	ck_assert_msg(json_is_array(list), "not a list: %s", r->details);
	json_array_foreach (list, i, one) {
		static const char *const keys[] = { "what", "interface", "want", "have" };

		for (size_t k = 0; k < ARRAY_SIZE(keys); k++) {
			json_t *value = json_object_get(one, keys[k]);
			const char *word = json_string_value(value);

			ck_assert_msg(word || json_is_null(value), "%s in %s", keys[k], r->details);
			if (word && strlen(word) == 12 && strncmp(word, "veth", 4) == 0)
				word = "<veth>";
			text = fmt("%s%s%s", text, k ? " " : i ? "\n" : "", word ? word : "-");
		}
	}
	json_decref(list);
	return text;
}

/* ---- one thing broken, that thing reported ---- */

static const struct {
	const char *damage; /* $1 is the host end */
	const char *msg; /* begins so, in the Go plugin's words where it sees the fault */
	const char *faults;
} damages[] = {
	{ "ip netns exec c1 ip addr add 10.1.0.9/25 dev eth0; "
	  "ip netns exec c1 ip addr del 10.1.0.9/24 dev eth0",
	  "Failed to match addr 10.1.0.9/24 on interface eth0",
	  "address eth0 10.1.0.9/24 10.1.0.9/25" },
	{ "ip netns exec c1 ip addr add 10.1.0.10/24 dev eth0; "
	  "ip netns exec c1 ip addr del 10.1.0.9/24 dev eth0; "
	  "ip netns exec c1 ip addr add 10.1.0.10/24 dev eth0; "
	  "ip netns exec c1 ip route add default via 10.1.0.1",
	  "Failed to match addr 10.1.0.9/24 on interface eth0", "address eth0 10.1.0.9/24 -" },
	{ "ip netns exec c1 ip addr del fd00::9/64 dev eth0",
	  "Failed to match addr fd00::9/64 on interface eth0", "address eth0 fd00::9/64 -" },
	{ "ip netns exec c1 ip route del default", "Expected Route {Dst:0.0.0.0/0 ",
	  "route eth0 0.0.0.0/0 via 10.1.0.1 -" },
	{ "ip netns exec c1 ip -6 route del default", "Expected Route {Dst:::/0 ",
	  "route eth0 ::/0 via fd00::1 -" },
	{ "ip netns exec c1 ip route del 10.1.0.0/24",
	  "Failed to find Gateway 10.1.0.1 for interface eth0", "route eth0 10.1.0.0/24 -" },
	{ "ip netns exec c1 ip link set eth0 down",
	  "Failed to find Gateway 10.1.0.1 for interface eth0; Failed to find Gateway fd00::1 ",
	  "route eth0 10.1.0.0/24 -\nroute eth0 fd00::/64 -\n"
	  "route eth0 0.0.0.0/0 via 10.1.0.1 -\nroute eth0 ::/0 via fd00::1 -\n"
	  "state eth0 up down" },
	{ "ip netns exec c1 ip link set eth0 name eth9", "Interface name eth0 not found",
	  "interface eth0 eth0 -" },
	{ "ip netns exec c1 ip link del eth0", "Interface name eth0 not found",
	  "interface eth0 eth0 -" },
	{ "ip netns exec c1 ip link set eth0 address 02:00:00:00:00:01",
	  "Interface eth0 Mac @ doesn't match container Mac: 02:00:00:00:00:01",
	  "mac eth0 @ 02:00:00:00:00:01" },
	{ "ip netns exec c1 sh -c 'ip link del eth0; ip link add eth0 type bridge'",
	  "Error: Container interface eth0 not of type veth", "kind eth0 veth bridge" },
	{ "ip link del br0", "Interface name br0 not found", "interface br0 br0 -" },
	{ "ip link del br0; ip link add br0 type veth peer name br1",
	  "Interface br0 does not have link type of bridge", "kind br0 bridge veth" },
	{ "ip link set br0 address 02:00:00:00:00:01",
	  "Bridge interface br0 Mac doesn't match: ", "mac br0 @ 02:00:00:00:00:01" },
	{ "echo 1 >/proc/sys/net/ipv6/conf/br0/keep_addr_on_down; "
	  "ip addr flush dev br0; ip addr add 10.1.0.1/16 dev br0; ip addr add fd00::1/60 dev br0; "
	  "ip link set br0 down",
	  "Interface br0 is down", "state br0 up down" },
	{ "ip addr del 10.1.0.1/24 dev br0", "Gateway 10.1.0.1 not found on interface br0",
	  "gateway br0 10.1.0.1 -" },
	{ "ip addr del fd00::1/64 dev br0", "Gateway fd00::1 not found on interface br0",
	  "gateway br0 fd00::1 -" },
	{ "ip link set $1 nomaster", "CNI veth created for bridge br0 was not found",
	  "port <veth> br0 -" },
	{ "ip link add br1 type bridge; ip link set $1 master br1",
	  "CNI veth created for bridge br0 was not found", "port <veth> br0 br1" },
	{ "ip link set $1 name veth0", "CNI veth created for bridge br0 was not found",
	  "result veth0 veth0 -" },
	{ "ip netns add c2; ip link set $1 netns c2; ip link add br1 type bridge",
	  "CNI veth created for bridge br0 was not found", "port eth0 br0 -" },
	{ "ip link set $1 address 02:00:00:00:00:01", "Interface $1 Mac doesn't match: @ not found",
	  "mac <veth> @ 02:00:00:00:00:01" },
	{ "ip link set $1 down", "Interface $1 is down", "state <veth> up down" },
	{ "ip link set $1 mtu 1280", "Interface $1 has MTU 1280, less than 1400",
	  "mtu <veth> 1400 1280" },
	{ "nft flush chain inet cni_plugins_masquerade masq_checks",
	  "Masquerade rules of interface eth0 not found", "masquerade eth0 2 rules 0 rules" },
	{ "nft delete table inet cni_plugins_masquerade",
	  "Masquerade rules of interface eth0 not found", "masquerade eth0 2 rules 0 rules" },
	{ "rm " LEASES "/10.1.0.9 " LEASES "/fd00::9",
	  "host-local: Failed to find address added by container ctr1", "ipam - - -" },
	{ "echo other >" LEASES "/10.1.0.9; rm " LEASES "/fd00::9",
	  "host-local: Failed to find address added by container ctr1", "ipam - - -" },
};

/* In what is expected: $1 for the host end, @ for a MAC, which is random. */
static const char *as_pattern(const char *text, const char *host_end)
{
	const char *at;

	while ((at = strstr(text, "$1")))
		text = fmt("%.*s%s%s", (int)(at - text), text, host_end, at + 2);
	while ((at = strchr(text, '@')))
		text = fmt("%.*s??:??:??:??:??:??%s", (int)(at - text), text, at + 1);
	return text;
}

static bool matches(const char *pattern, const char *text)
{
	while (*pattern && (*pattern == '?' || *pattern == *text) && *text)
		pattern++, text++;
	return *pattern == '\0';
}

START_TEST(what_is_broken_is_reported_and_nothing_else)
{
	struct reply r = add(DUAL);
	const char *config = with_prev(DUAL, r.out), *before, *faults;
	const char *end = sh("ip -o link show type veth | sed 's/.*: \\(.*\\)@.*/\\1/'");

	call_ok(on_c1("CHECK", config));
	sh("set -- %s; %s", end, damages[_i].damage);
	before = world_now();
	r = call_fails(on_c1("CHECK", config), 999, "");
	ck_assert_msg(matches(as_pattern(damages[_i].msg, end), r.msg), "%s", r.msg);
	faults = faults_of(&r);
	ck_assert_msg(matches(as_pattern(damages[_i].faults, end), faults) &&
			      strlen(faults) == strlen(as_pattern(damages[_i].faults, end)),
		      "%s", faults);
	assert_unchanged(before);
}
END_TEST

/* Or is there for another MAC. */
START_TEST(a_spoof_check_that_is_gone_is_reported)
{
	static const char spoof[] = NET("1.0.0", BR ",\"macspoofchk\":true");
	static const char *const spoof_damages[] = {
		"nft flush chain bridge nat PREROUTING",
		"nft flush chain bridge nat cni-br-iface-ctr1-eth0",
		"nft flush chain bridge nat cni-br-iface-ctr1-eth0-mac",
		"nft delete table bridge nat",
		"nft add chain bridge nat other; nft add rule bridge nat other jump "
		"cni-br-iface-ctr1-eth0; nft flush chain bridge nat PREROUTING",
		"nft insert rule bridge nat PREROUTING iifname other drop; "
		"ip netns exec c1 ip link set eth0 address 02:00:00:00:00:01",
	};
	const char *config = with_prev(spoof, add(spoof).out), *faults;
	struct reply r;

	call_ok(on_c1("CHECK", config));
	sh("nft add rule bridge nat PREROUTING iifname other accept");
	call_ok(on_c1("CHECK", config));
	sh("%s", spoof_damages[_i]);
	r = call_fails(on_c1("CHECK", config), 999, "Spoof check of interface eth0 not found");
	faults = strstr(faults_of(&r), "macspoofchk");
	ck_assert_msg(faults && matches(as_pattern("macspoofchk eth0 @ -", ""), faults), "%s",
		      faults_of(&r));
}
END_TEST
#define SPOOF_DAMAGES 6

START_TEST(everything_that_is_broken_is_reported_at_once)
{
	const char *config = with_prev(DUAL, add(DUAL).out);
	struct reply r;

	sh("rm %s/10.1.0.9 %s/fd00::9; ip link set br0 address 02:00:00:00:00:01 down; "
	   "nft flush ruleset; ip addr flush dev br0; "
	   "ip netns exec c1 ip addr flush dev eth0; "
	   "set -- $(ip -o link show type veth | sed 's/.*: \\(.*\\)@.*/\\1/'); "
	   "ip link set $1 nomaster down mtu 1300",
	   LEASES, LEASES);
	r = call_fails(on_c1("CHECK", config), 999, "");
	ck_assert_msg(matches(as_pattern("ipam - - -\n"
					 "mac br0 @ 02:00:00:00:00:01\n"
					 "state br0 up down\n"
					 "port <veth> br0 -\n"
					 "state <veth> up down\n"
					 "mtu <veth> 1400 1300\n"
					 "address eth0 10.1.0.9/24 -\n"
					 "address eth0 fd00::9/64 -\n"
					 "route eth0 0.0.0.0/0 via 10.1.0.1 -\n"
					 "gateway br0 10.1.0.1 -\n"
					 "gateway br0 fd00::1 -\n"
					 "masquerade eth0 2 rules 0 rules",
					 ""),
			      faults_of(&r)),
		      "%s", faults_of(&r));
	ck_assert_msg(matches(as_pattern("host-local: Failed to find address added by container "
					 "ctr1; Bridge interface br0 Mac doesn't match: @; ",
					 ""),
			      r.msg) &&
			      strstr(r.msg, "; Gateway fd00::1 not found on interface br0; "),
		      "%s", r.msg);
}
END_TEST

/* Far more faults than an error has room for: valid JSON, and a count of the rest. */
START_TEST(a_long_list_ends_in_a_count)
{
	const char *routes = "", *config;
	struct reply r;
	json_t *list, *last;

	for (int i = 0; i < 100; i++)
		routes = fmt("%s%s{\"dst\":\"10.50.%d.0/24\"}", routes, i ? "," : "", i);
	config = fmt(NET("1.0.0", L3 "," LOCAL(",\"routes\":[%s]")), routes);
	config = with_prev(config, add(config).out);
	call_ok(on_c1("CHECK", config));
	sh_in("c1", "ip link set eth0 down");
	r = call_fails(on_c1("CHECK", config), 999, " more");
	list = json_loads(r.details, 0, NULL);
	ck_assert_msg(json_is_array(list), "%s", r.details);
	last = json_array_get(list, json_array_size(list) - 1);
	ck_assert_str_eq(json_string_value(json_object_get(last, "what")), "more");
	/* 100 routes, a subnet for each address, and the link's state. */
	ck_assert_int_eq(json_integer_value(json_object_get(last, "count")) +
				 (json_int_t)json_array_size(list) - 1,
			 103);
	json_decref(list);
}
END_TEST

/* ---- prevResult ---- */

/* `good` is changed by sed before it is used as prevResult. */
static const struct {
	const char *sed, *msg;
	int code;
} wrong_prev[] = {
	{ "s/10.1.0.9/10.1.0.8/", "Failed to match addr 10.1.0.8/24", 999 },
	{ "s,10.1.0.9/24,10.1.0.9/25,", "Failed to match addr 10.1.0.9/25", 999 },
	{ "s,10.1.0.9/24,10.1.0.9,", "could not parse prevResult: invalid CIDR address", 7 },
	{ "s/1.1.0/0.4.0/", "could not parse prevResult: result type supports [1.0.0 1.1.0] but",
	  7 },
	{ "s/\"br0\"/\"br1\"/", "Interface name missing br0", 999 },
	{ "s,/run/netns/c1,/run/netns/c2,", "doesn't match configured netns: /run/netns/c1", 999 },
	{ "s/\"eth0\"/\"eth1\"/", "doesn't match configured netns: /run/netns/c1", 999 },
	{ "s/\"veth[^\"]*\"/\"veth0\"/", "CNI veth created for bridge br0 was not found", 999 },
	{ "s,0.0.0.0/0,0.0.0.0/1,", "Expected Route {Dst:0.0.0.0/1 ", 999 },
	{ "s/.*/{}/", "Interface name missing br0; Sandbox in prevResult  doesn't match", 999 },
};

START_TEST(check_compares_with_the_right_result)
{
	const char *good = json_dumps(add(DUAL).json, JSON_COMPACT), *prev;

	prev = sh("printf %%s '%s' | sed '%s'", good, wrong_prev[_i].sed);
	ck_assert_str_ne(good, prev);
	call_fails(on_c1("CHECK", with_prev(DUAL, prev)), wrong_prev[_i].code, wrong_prev[_i].msg);
	call_ok(on_c1("CHECK", with_prev(DUAL, good)));
	free((char *)good);
}
END_TEST

START_TEST(check_needs_a_result)
{
	add(DUAL);
	call_fails(on_c1("CHECK", DUAL), 7, "Required prevResult missing");
	call_fails(on_c1("CHECK", NET("1.0.0", L3 ",\"prevResult\":null," LOCAL(""))), 7,
		   "Required prevResult missing");
}
END_TEST

/* ---- IPAM plugins that are run ---- */

START_TEST(an_ipam_program_is_one_of_the_faults)
{
	static const char config[] = NET("1.0.0", L3 ",\"ipam\":{\"type\":\"scripted\"}");
	const char *with;
	struct reply r;

	sh("cat >%s/scripted <<'END'\n#!/bin/sh\ncat >/dev/null\ncase $CNI_COMMAND in\n"
	   "ADD) echo '{\"cniVersion\":\"1.0.0\",\"ips\":[{\"address\":\"10.1.0.77/24\"}]}';;\n"
	   "CHECK) echo '{\"code\":42,\"msg\":\"no way\",\"details\":\"at \\\"all\\\"\"}'; exit 1\n"
	   "esac\nEND\nchmod 755 %s/scripted",
	   DELEGATES, DELEGATES);
	with = with_prev(config, add(config).out);
	r = call_fails(on_c1("CHECK", with), 42, "no way");
	ck_assert_str_eq(r.msg, "no way");
	ck_assert_str_eq(r.details,
			 "[{\"what\":\"ipam\",\"interface\":null,\"want\":null,\"have\":null,"
			 "\"code\":42,\"msg\":\"no way\",\"details\":\"at \\\"all\\\"\"}]");
	sh_in("c1", "ip link del eth0");
	r = call_fails(on_c1("CHECK", with), 42, "no way; Interface name eth0 not found");
	ck_assert_str_eq(faults_of(&r), "ipam - - -\ninterface eth0 eth0 -");
	sh("rm %s/scripted", DELEGATES);
	r = call_fails(on_c1("CHECK", with), 999, "failed to find plugin \"scripted\"");
	ck_assert_str_eq(faults_of(&r), "ipam - - -\ninterface eth0 eth0 -");
}
END_TEST

/* ---- what is no fault ---- */

static const struct {
	const char *config, *change;
} harmless[] = {
	/* the counter is others'. Q-27: without a gateway's address the MAC may float. */
	{ NET("1.0.0", BR "," LOCAL("")), "ip link set br0 address 02:00:00:00:00:01" },
	{ NET("1.0.0", L3 "," LOCAL("")), "ip link set br0 promisc on" },
	/* routes of other tables, and several ways to one destination. */
	{ NET("1.0.0", L3 "," LOCAL(",\"routes\":[{\"dst\":\"10.60.0.0/16\",\"table\":100},"
				    "{\"dst\":\"10.70.0.0/16\",\"gw\":\"10.1.0.1\"},"
				    "{\"dst\":\"fd07::7/48\",\"gw\":\"fd00::1\"}]")),
	  "ip netns exec c1 sh -c 'ip route replace 10.70.0.0/16 nexthop via 10.1.0.1 dev eth0 "
	  "nexthop via 10.1.0.2 dev eth0; ip -6 route append fd07::/48 via fd00::2 dev eth0'" },
	/* Chained plugins set these, operators those. */
	{ DUAL, "ip netns exec c1 ip link set eth0 mtu 1300" },
	{ DUAL, "ip netns exec c1 ip link set eth0 mtu 9000" },
	{ DUAL, "for l in $(ls /sys/class/net | grep veth); do ip link set $l mtu 9000; done" },
	{ DUAL,
	  "ip addr add 10.9.9.9/24 dev br0; ip netns exec c1 ip addr add 10.8.8.8/8 dev eth0" },
	{ DUAL, "ip addr add 10.1.0.1/16 dev br0; ip addr del 10.1.0.1/24 dev br0" },
	{ DUAL, "nft add table ip other; ip link add other type bridge; ip link set lo down" },
	/* Whoever added it may have put its rules elsewhere. */
	{ NET("1.0.0", L3 ",\"ipMasq\":true," LOCAL("")), "nft flush ruleset" },
	/* A gateway that is no address. */
	{ NET("1.0.0", L3 ",\"ipam\":{\"type\":\"static\",\"addresses\":[{\"address\":"
			  "\"10.1.0.9/24\",\"gateway\":\"0.0.0.0\"}]}"),
	  "true" },
	/* */
	{ NET("1.0.0", BR), "true" },
	{ NET("1.0.0", BR ",\"ipam\":{}"), "true" },
};

START_TEST(what_others_own_is_no_fault)
{
	const char *config = with_prev(harmless[_i].config, add(harmless[_i].config).out);

	call_ok(on_c1("CHECK", config));
	sh("%s", harmless[_i].change);
	call_ok(on_c1("CHECK", config));
}
END_TEST

START_TEST(check_of_layer_2_finds_what_is_broken)
{
	static const char config[] = NET("1.0.0", BR);
	const char *with = with_prev(config, add(config).out);
	struct reply r;

	sh_in("c1", "ip link set eth0 down");
	r = call_fails(on_c1("CHECK", with), 999, "Interface eth0 is down");
	ck_assert_str_eq(faults_of(&r), "state eth0 up down");
	sh("ip link del br0; ip link add br0 type bridge");
	r = call_fails(on_c1("CHECK", with), 999, "Interface br0 is down");
	ck_assert_str_eq(faults_of(&r), "state br0 up down\nport <veth> br0 -\nstate eth0 up down");
}
END_TEST

/* tcpdump asks by its socket, which counts, but does not set the flag. */
START_TEST(check_does_not_mind_a_capture)
{
	const char *config = with_prev(DUAL, add(DUAL).out);
	struct packet_mreq all = { .mr_ifindex = (int)if_nametoindex("br0"),
				   .mr_type = PACKET_MR_PROMISC };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)), 0);
	ck_assert_str_eq(sh("ip -d link show br0 | grep -o 'promiscuity [0-9]*'"), "promiscuity 1");
	call_ok(on_c1("CHECK", config));
	close(fd);
}
END_TEST

START_TEST(check_wants_the_promiscuity_that_is_configured)
{
	static const char promisc[] = NET("1.0.0", L3 ",\"promiscMode\":true," LOCAL(""));
	const char *config = with_prev(promisc, add(promisc).out);
	struct reply r;

	call_ok(on_c1("CHECK", config));
	sh("ip link set br0 promisc off");
	r = call_fails(on_c1("CHECK", config), 999, "configured Promisc Mode true doesn't match");
	ck_assert_str_eq(faults_of(&r), "promiscuous br0 on off");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("check");
	TCase *tc = tcase_create("check");

	tcase_add_checked_fixture(tc, setup, world_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, what_is_broken_is_reported_and_nothing_else, 0,
			    ARRAY_SIZE(damages));
	tcase_add_loop_test(tc, a_spoof_check_that_is_gone_is_reported, 0, SPOOF_DAMAGES);
	tcase_add_test(tc, everything_that_is_broken_is_reported_at_once);
	tcase_add_test(tc, a_long_list_ends_in_a_count);
	tcase_add_loop_test(tc, check_compares_with_the_right_result, 0, ARRAY_SIZE(wrong_prev));
	tcase_add_test(tc, check_needs_a_result);
	tcase_add_test(tc, an_ipam_program_is_one_of_the_faults);
	tcase_add_loop_test(tc, what_others_own_is_no_fault, 0, ARRAY_SIZE(harmless));
	tcase_add_test(tc, check_of_layer_2_finds_what_is_broken);
	tcase_add_test(tc, check_does_not_mind_a_capture);
	tcase_add_test(tc, check_wants_the_promiscuity_that_is_configured);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
