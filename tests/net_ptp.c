/*
 * ptp: containers that are routed to, with packets; what is undone, removed, found broken; and a kill at every step.
 * Beside its peer: net_ptp_peer.c.
 */
#include "same_world.h"
#include "trace.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define CALLS                                                                            \
	"sendmsg,sendto,linkat,openat,openat2,write,unlinkat,setns,mkdir,mkdirat,flock," \
	"ftruncate,fchmod"

#define NET(keys) "{\"cniVersion\":\"1.1.0\",\"name\":\"net1\",\"type\":\"ptp\"," keys "}"
#define RANGES "[{\"subnet\":\"10.1.0.0/24\"}],[{\"subnet\":\"fd00:1::/64\"}]"
#define LOCAL "\"ipam\":{\"type\":\"host-local\",\"ranges\":[" RANGES "]," ROUTES "}"
#define ROUTES "\"routes\":[{\"dst\":\"0.0.0.0/0\"},{\"dst\":\"::/0\"}]"
#define STATIC(address, more) \
	"\"ipam\":{\"type\":\"static\",\"addresses\":[{\"address\":\"" address "\"" more "}]}"
#define GW(address) ",\"gateway\":\"" address "\""
/* Ranges of one address each, so that the files with the last one given are always the same. */
#define ONE_EACH                                                                                  \
	"\"ipam\":{\"type\":\"host-local\",\"ranges\":["                                          \
	"[{\"subnet\":\"10.1.0.0/24\",\"rangeStart\":\"10.1.0.9\",\"rangeEnd\":\"10.1.0.9\"}],"   \
	"[{\"subnet\":\"fd00:1::/64\",\"rangeStart\":\"fd00:1::9\",\"rangeEnd\":\"fd00:1::9\"}]]" \
	"," ROUTES "}"

static const char dual[] = NET(LOCAL);
static const char masq[] = NET("\"ipMasq\":true,\"ipMasqBackend\":\"nftables\"," ONE_EACH);

static void setup(void)
{
	world_setup();
	container_add("c1");
	container_add("c2");
}

static struct reply add(int n, const char *config)
{
	return call_ok(on_container(n, "ADD", config));
}

static const char *veths(void)
{
	return sh("ip -o link show type veth | sed -n 's/.* alias //p' | xargs");
}

static const char *leases(void)
{
	return sh("ls /var/lib/cni/networks/net1 2>/dev/null | grep '[.:].*[.:]' | xargs");
}

static void assert_nothing_left(void)
{
	ck_assert_str_eq(sh("ip -o link show type veth"), "");
	ck_assert_str_eq(leases(), "");
	ck_assert_str_eq(masqueraded("ctr"), "0");
	ck_assert_str_eq(sh("ip route; ip -6 route | grep -v ^fe80 || :"), "");
}

/* ---- ADD ---- */

START_TEST(containers_reach_each_other_and_the_host_by_the_host)
{
	struct reply r = add(1, dual);

	/* At once: nothing of this waits for duplicate address detection. */
	sh("ping -c1 -W1 fd00:1::2 && ping -c1 -W1 10.1.0.2");
	add(2, dual);
	sh_in("c2", "ping -c1 -W1 fd00:1::1 && ping -c1 -W1 10.1.0.1");
	sh_in("c1", "ping -c1 -W1 fd00:1::3 && ping -c1 -W1 10.1.0.3");
	ck_assert_str_eq(sh_in("c1", "ip neigh show 10.1.0.3; ip neigh show fd00:1::3"), "");
	call_ok(on_container(1, "CHECK", with_prev(dual, r.out)));
	call_ok(on_container(2, "DEL", dual));
	call_ok(on_container(1, "DEL", dual));
	call_ok(on_container(1, "DEL", dual));
	assert_nothing_left();
}
END_TEST

/* The host forwards before it has asked: its question needs an address of its own on the link. */
START_TEST(a_packet_from_elsewhere_finds_its_way_in_at_once)
{
	container_add("outside");
	sh("ip link add out type veth peer name eth0 netns outside && ip addr add fd00:9::1/64 "
	   "dev out nodad && ip link set out up");
	sh_in("outside", "ip addr add fd00:9::2/64 dev eth0 nodad && ip link set eth0 up && "
			 "ip -6 route add default via fd00:9::1");
	add(1, dual);
	sh_in("outside", "ping -c1 -W2 fd00:1::2");
}
END_TEST

START_TEST(a_subnets_own_route_does_not_come_back_with_the_link)
{
	add(1, dual);
	sh_in("c1", "ip link set eth0 down && ip link set eth0 up");
	ck_assert_str_eq(sh_in("c1", "ip route show proto kernel"), "");
}
END_TEST

static const struct {
	const char *config, *routes;
} gateways[] = {
	{ NET(STATIC("10.1.0.2/32", GW("169.254.1.1"))),
	  "10.1.0.2 via 169.254.1.1 dev eth0 src 10.1.0.2 "
	  "169.254.1.1 dev eth0 scope link src 10.1.0.2" },
	{ NET("\"ipam\":{\"type\":\"static\",\"addresses\":[{\"address\":\"10.1.0.2/24\"" GW(
		  "10.1.0.1") "},{\"address\":\"10.1.0.3/24\"" GW("10.1.0.1") "}]}"),
	  "10.1.0.0/24 via 10.1.0.1 dev eth0 src 10.1.0.2 "
	  "10.1.0.1 dev eth0 scope link src 10.1.0.2" },
	{ NET("\"ipam\":{\"type\":\"static\",\"addresses\":[{\"address\":\"10.1.0.2/24\"" GW(
		  "169.254.1.1") "}],\"routes\":[{\"dst\":\"0.0.0.0/0\"}]}"),
	  "default via 169.254.1.1 dev eth0 "
	  "10.1.0.0/24 via 169.254.1.1 dev eth0 src 10.1.0.2 "
	  "169.254.1.1 dev eth0 scope link src 10.1.0.2" },
};

/* What the Go plugin can't do: a single address, a shared gateway, one outside of the subnet that routes go by. */
START_TEST(gateways_may_be_anywhere)
{
	struct reply r = add(1, gateways[_i].config);

	ck_assert_str_eq(sh_in("c1", "ip route | xargs"), gateways[_i].routes);
	sh("ping -c1 -W1 10.1.0.2");
	call_ok(on_container(1, "CHECK", with_prev(gateways[_i].config, r.out)));
	call_ok(on_container(1, "DEL", gateways[_i].config));
	assert_nothing_left();
}
END_TEST

/* ---- ADD that fails ---- */

static const struct {
	const char *before, *config;
	int code;
	const char *msg, *details;
} failures[] = {
	{ NULL, NET("\"mtu\":1500"), 7, "no plugin name provided", "" },
	{ NULL, NET("\"mtu\":67," LOCAL), 7, "mtu", "" },
	{ NULL, NET("\"mtu\":\"big\"," LOCAL), 7, "failed to load netconf", "" },
	{ NULL, NET("\"mtu\":1279," LOCAL), 7, "less than the 1280", "" },
	{ NULL, NET("\"ipMasq\":true,\"ipMasqBackend\":\"zzz\"," LOCAL), 7,
	  "unknown ipmasq backend \"zzz\"", "" },
	{ NULL, NET(STATIC("10.1.0.2/24", "")), 7, "address 10.1.0.2/24 has no gateway",
	  "\"gateway\" beside the address" },
	{ NULL, NET("\"ipam\":{\"type\":\"absent\"}"), 999, "absent", "" },
	{ "ip -n c1 link add eth0 type bridge", dual, 999, "container veth name (\"eth0\") already",
	  "DEL removes it" },
	{ "ip link add other type bridge && ip link set other up && "
	  "ip route add 10.1.0.2 dev other",
	  dual, 999, "failed to add route 10.1.0.2/32 dev veth",
	  "link \"other\" of the host leads there" },
	{ "ip -n c1 link add eth9 type bridge && ip -n c1 link set eth9 up && "
	  "ip -n c1 route add 10.1.0.1 dev eth9",
	  dual, 999, "failed to add route 10.1.0.1/32 dev eth0",
	  "another interface of the container leads there" },
	{ "sysctl -qw net.ipv6.conf.default.disable_ipv6=1", dual, 999,
	  "failed to add IP addr fd00:1::1/128", "IPv6 is off on this host" },
	{ NULL,
	  NET("\"ipMasq\":true,\"ipam\":{\"type\":\"static\",\"addresses\":[{\"address\":"
	      "\"10.1.0.2/24\"" GW("10.1.0.1") "}],\"routes\":[{\"dst\":\"10.50.0.0/16\","
					       "\"gw\":\"10.9.9.9\"}]}"),
	  999, "failed to add route '10.50.0.0/16 via 10.9.9.9", "" },
};

START_TEST(an_add_that_fails_leaves_nothing_and_says_why)
{
	const char *before;
	struct reply r;

	no_link_local();
	add(2, NET(STATIC("10.3.0.2/24", GW("10.3.0.1")))); /* what all containers share is there */
	call_ok(on_container(2, "DEL", dual));
	sh("echo 1 >/proc/sys/net/ipv6/conf/all/forwarding");
	if (failures[_i].before)
		sh("%s", failures[_i].before);
	before = sh("ip -o link | cut -d: -f2 | sort; ip route; ip -6 route; ip -n c1 -o link; "
		    "ip -n c1 route");
	r = call_fails(on_container(1, "ADD", failures[_i].config), failures[_i].code,
		       failures[_i].msg);
	ck_assert_msg(strstr(r.details, failures[_i].details) != NULL, "%s", r.out);
	assert_same(before, sh("ip -o link | cut -d: -f2 | sort; ip route; ip -6 route; "
			       "ip -n c1 -o link; ip -n c1 route"));
	ck_assert_str_eq(leases(), "");
	ck_assert_str_eq(masqueraded("ctr"), "0");
}
END_TEST

/* ---- DEL, GC, STATUS ---- */

static void take_namespace(void)
{
	container_del("c1");
}
static void take_interface(void)
{
	sh_in("c1", "ip link del eth0");
}
static void take_rules(void)
{
	sh("nft flush ruleset");
}

START_TEST(del_needs_nothing_that_is_left)
{
	static void (*const losses[])(void) = { take_namespace, take_interface, take_rules };
	struct call c;

	add(1, masq);
	ck_assert_str_eq(masqueraded("ctr1"), "2");
	losses[_i]();
	c = on_container(1, "DEL", dual); /* which does not speak of masquerading */
	if (_i == 0)
		c.netns = "";
	call_ok(c);
	assert_nothing_left();
}
END_TEST

START_TEST(gc_removes_what_no_valid_attachment_owns)
{
	static const char gc[] = NET(
		"\"cni.dev/valid-attachments\":[{\"containerID\":\"ctr2\",\"ifname\":\"eth0\"}],"
		"\"ipMasq\":true,\"ipMasqBackend\":\"nftables\"," LOCAL);
	static const char config[] = NET("\"ipMasq\":true,\"ipMasqBackend\":\"nftables\"," LOCAL);

	add(1, config);
	add(2, config);
	call_ok((struct call){ .command = "GC", .id = "", .ifname = "", .config = gc });
	ck_assert_str_eq(veths(), "ccni net1 eth0 ctr2");
	ck_assert_str_eq(leases(), "10.1.0.3 fd00:1::3");
	ck_assert_str_eq(masqueraded("ctr1"), "0");
	ck_assert_str_eq(masqueraded("ctr2"), "2");
	sh("ping -c1 -W1 10.1.0.3");
}
END_TEST

START_TEST(status_asks_ipam)
{
	struct call c = { .command = "STATUS", .id = "", .ifname = "", .config = dual };

	call_ok(c);
	c.config = NET("\"ipam\":{\"type\":\"host-local\",\"subnet\":\"10.1.0.0/33\"}");
	call_fails(c, 7, "10.1.0.0/33");
	c.config = NET("\"mtu\":1400");
	call_fails(c, 7, "no plugin name provided");
}
END_TEST

/* ---- CHECK ---- */

static const struct {
	const char *damage, *msg;
} damages[] = {
	{ "ip -n c1 link del eth0", "Interface name eth0 not found" },
	{ "ip -n c1 link set eth0 down", "Interface eth0 is down" },
	{ "ip -n c1 addr del 10.1.0.9/24 dev eth0", "Failed to match addr 10.1.0.9/24" },
	{ "ip -n c1 route del default", "Expected Route {Dst:0.0.0.0/0" },
	{ "ip -n c1 route del 10.1.0.0/24", "Failed to find Gateway 10.1.0.1" },
	{ "ip link set $V down", "is down" },
	{ "ip link set $V address 02:00:00:00:00:01", "Mac doesn" },
	{ "ip link set $V mtu 1300", "has MTU 1300, less than 1400" },
	{ "ip addr del 10.1.0.1/32 dev $V", "Gateway 10.1.0.1 not found" },
	{ "ip addr del fd00:1::1/128 dev $V", "Gateway fd00:1::1 not found" },
	{ "ip route del 10.1.0.9", "sends to 10.1.0.9 does not go out" },
	{ "ip -6 route del fd00:1::9", "sends to fd00:1::9 does not go out" },
	{ "nft flush chain inet cni_plugins_masquerade masq_checks", "masq" },
	{ "rm /var/lib/cni/networks/net1/10.1.0.9 /var/lib/cni/networks/net1/fd00*", "host-local" },
	{ "ip link set $V netns c2", "has no end on the host" },
	/* Numbers of another pair are those of ours. */
	{ "N=$(cat /sys/class/net/$V/ifindex); M=$(ip -n c1 -o link show eth0 | cut -d: -f1); "
	  "ip link set $V netns c2 && ip netns add c3 && "
	  "ip link add x1 index $N type veth peer name y1 index $M netns c3",
	  "has no end on the host" },
};

START_TEST(check_finds_what_is_broken)
{
	static const char config[] =
		NET("\"mtu\":1400,\"ipMasq\":true,\"ipMasqBackend\":\"nftables\"," ONE_EACH);
	struct call c = on_container(1, "CHECK", with_prev(config, add(1, config).out));

	call_ok(c);
	sh("V=$(ip -o link show type veth | sed 's/.*: \\(veth[^@]*\\)@.*/\\1/'); %s",
	   damages[_i].damage);
	call_fails(c, 999, damages[_i].msg);
}
END_TEST

/* ---- killed ---- */

static int points_of(const char *command, struct point points[MAX_POINTS])
{
	int n = changing_points(by_plain(on_container(1, command, masq)), CALLS, points);

	ck_assert_int_gt(n, 5);
	return n;
}

START_TEST(after_a_killed_add_add_works_and_del_leaves_nothing)
{
	static struct point points[MAX_POINTS];
	int n;

	add(1, masq); /* makes the directories, table and chains that stay */
	call_ok(on_container(1, "DEL", masq));
	n = points_of("ADD", points);
	call_ok(on_container(1, "DEL", masq));
	/* The last one writes the result: all is done then, only nobody knows. */
	for (int i = 0; i < n - 1; i++) {
		kill_at(by_plain(on_container(1, "ADD", masq)), &points[i]);
		if (_i == 0) {
			add(1, masq);
			sh("ping -c1 -W1 10.1.0.9");
			ck_assert_str_eq(masqueraded("ctr1"), "2");
		}
		call_ok(on_container(1, "DEL", masq));
		assert_nothing_left();
	}
}
END_TEST

START_TEST(after_a_killed_del_another_one_leaves_nothing)
{
	static struct point points[MAX_POINTS];
	int n;

	add(1, masq);
	n = points_of("DEL", points);
	for (int i = 0; i < n; i++) {
		add(1, masq);
		kill_at(by_plain(on_container(1, "DEL", masq)), &points[i]);
		call_ok(on_container(1, "DEL", masq));
		assert_nothing_left();
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ptp");
	TCase *tc = tcase_create("ptp");

	tcase_add_checked_fixture(tc, setup, world_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, containers_reach_each_other_and_the_host_by_the_host);
	tcase_add_test(tc, a_packet_from_elsewhere_finds_its_way_in_at_once);
	tcase_add_test(tc, a_subnets_own_route_does_not_come_back_with_the_link);
	tcase_add_loop_test(tc, gateways_may_be_anywhere, 0, ARRAY_SIZE(gateways));
	tcase_add_loop_test(tc, an_add_that_fails_leaves_nothing_and_says_why, 0,
			    ARRAY_SIZE(failures));
	tcase_add_loop_test(tc, del_needs_nothing_that_is_left, 0, 3);
	tcase_add_test(tc, gc_removes_what_no_valid_attachment_owns);
	tcase_add_test(tc, status_asks_ipam);
	tcase_add_loop_test(tc, check_finds_what_is_broken, 0, ARRAY_SIZE(damages));
	tcase_add_loop_test(tc, after_a_killed_add_add_works_and_del_leaves_nothing, 0, 2);
	tcase_add_test(tc, after_a_killed_del_another_one_leaves_nothing);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
