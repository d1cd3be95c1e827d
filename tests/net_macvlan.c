/*
 * macvlan: containers on the network of one of the host's interfaces, with packets; what is undone, removed, found broken; and
 * a kill at every step. Beside its peer: net_macvlan_peer.c.
 */
#include "same_world.h"
#include "trace.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define CALLS                                                                            \
	"sendmsg,sendto,linkat,openat,openat2,write,unlinkat,setns,mkdir,mkdirat,flock," \
	"ftruncate,fchmod"

#define NET_V(version, keys) \
	"{\"cniVersion\":\"" version "\",\"name\":\"net1\",\"type\":\"macvlan\"" keys "}"
#define NET(keys) NET_V("1.1.0", keys)
#define ON_LAN ",\"master\":\"lan0\""
#define LOCAL(ranges) ",\"ipam\":{\"type\":\"host-local\",\"ranges\":[" ranges "]," ROUTES "}"
#define V4 "[{\"subnet\":\"10.1.0.0/24\",\"rangeStart\":\"10.1.0.9\"}]"
#define V6 "[{\"subnet\":\"fd00:1::/64\",\"rangeStart\":\"fd00:1::9\"}]"
#define ROUTES "\"routes\":[{\"dst\":\"0.0.0.0/0\"},{\"dst\":\"::/0\"}]"
/* Ranges of one address each, so that the files with the last one given are always the same. */
#define ONE_EACH                                                                          \
	LOCAL("[{\"subnet\":\"10.1.0.0/24\",\"rangeStart\":\"10.1.0.9\",\"rangeEnd\":"    \
	      "\"10.1.0.9\"}],[{\"subnet\":\"fd00:1::/64\",\"rangeStart\":\"fd00:1::9\"," \
	      "\"rangeEnd\":\"fd00:1::9\"}]")
#define STATIC(addresses) ",\"ipam\":{\"type\":\"static\",\"addresses\":[" addresses "]}"
#define NOBODY "02:00:00:00:00:99"

static const char dual[] = NET(ON_LAN LOCAL(V4 "," V6));
static const char one_each[] = NET(ON_LAN ONE_EACH);
static const char layer2[] = NET(ON_LAN);

/* The other node hears multicast only when the kernel has seen the carrier, in its own time. */
static void open_lan(void)
{
	sh_in("lan", "ip link set eth0 up && ip addr replace 10.1.0.1/24 dev eth0 && "
		     "ip addr replace fd00:1::1/64 dev eth0 nodad && for i in $(seq 500); do "
		     "ip -6 route show table local | grep -q '^multicast ff00::/8 dev eth0' && "
		     "ip -6 route show table local | grep -q '^local fd00:1::1 dev eth0' && exit; "
		     "sleep 0.01; done; exit 1");
}

/* The host is on a network with one other node, `lan`. */
static void setup(void)
{
	world_setup();
	container_add("lan");
	sh("ip link set lo up && ip link add lan0 type veth peer name eth0 netns lan && "
	   "ip link set lan0 address 02:00:00:00:00:0a && ip link set lan0 up");
	open_lan();
	for (int i = 1; i <= 2; i++) {
		container_add(fmt("c%d", i));
		/* Detection has tests of its own: it takes a second or two. */
		sh_in(fmt("c%d", i), "echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad");
	}
}

static struct reply add(int n, const char *config)
{
	return call_ok(on_container(n, "ADD", config));
}

static const char *leases(void)
{
	return sh("ls /var/lib/cni/networks/net1 2>/dev/null | grep '[.:].*[.:]' | xargs");
}

/* Links of the host and both containers, without numbers. */
static const char *links(void)
{
	return sh("for n in '' '-n c1' '-n c2'; do "
		  "ip $n -o link | sed -E 's/^[0-9]+: ([^:@]*).*/\\1/' | sort; done | xargs");
}

static void assert_nothing_left(void)
{
	ck_assert_str_eq(links(), "lan0 lo lo lo");
	ck_assert_str_eq(leases(), "");
}

/* ---- ADD ---- */

START_TEST(containers_reach_the_network_and_each_other_at_once)
{
	struct reply r = add(1, dual);

	sh_in("c1", "ping -c1 -W1 10.1.0.1 && ping -c1 -W1 fd00:1::1");
	add(2, dual);
	sh_in("lan", "ping -c1 -W1 10.1.0.10 && ping -c1 -W1 fd00:1::a");
	sh_in("c1", "ping -c1 -W1 10.1.0.10 && ping -c1 -W1 fd00:1::a");
	ck_assert_str_eq(sh_in("c1", "ip route | head -1"), "default via 10.1.0.1 dev eth0 ");
	call_ok(on_container(1, "CHECK", with_prev(dual, r.out)));
	call_ok(on_container(2, "DEL", dual));
	call_ok(on_container(1, "DEL", dual));
	call_ok(on_container(1, "DEL", dual));
	assert_nothing_left();
}
END_TEST

/* Whoever knew the address by another MAC learns of it: gratuitous ARP and neighbour advertisement. */
START_TEST(neighbours_hear_of_the_address)
{
	sh_in("lan", "for a in 10.1.0.9 fd00:1::9; do "
		     "ip neigh replace $a lladdr " NOBODY " dev eth0 nud reachable; done");
	add(1, dual);
	sh_in("lan", "ping -c1 -W1 10.1.0.9 && ping -c1 -W1 fd00:1::9");
	ck_assert_str_eq(sh_in("lan", "ip neigh | grep -c " NOBODY " || :"), "0");
}
END_TEST

static const struct {
	const char *mode;
	int together; /* exit status of a ping from one container to the other */
} modes[] = { { "bridge", 0 }, { "private", 1 }, { "vepa", 1 } };

START_TEST(the_mode_says_who_reaches_whom)
{
	const char *config = fmt(NET(ON_LAN ",\"mode\":\"%s\"" LOCAL(V4)), modes[_i].mode);
	struct reply r = add(1, config);

	add(2, config);
	ck_assert_ptr_nonnull(
		strstr(sh("ip -n c1 -d link show eth0"), fmt("macvlan mode %s ", modes[_i].mode)));
	sh_in("c1", "ping -c1 -W1 10.1.0.1");
	ck_assert_int_eq(sh_status_in("c1", "ping -c1 -W1 10.1.0.10"), modes[_i].together);
	call_ok(on_container(1, "CHECK", with_prev(config, r.out)));
}
END_TEST

START_TEST(passthru_is_for_one)
{
	static const char config[] = NET(ON_LAN ",\"mode\":\"passthru\"" LOCAL(V4));
	struct reply r = add(1, config);

	ck_assert_ptr_nonnull(strstr(r.out, "\"mac\": \"02:00:00:00:00:0a\""));
	call_ok(on_container(1, "CHECK", with_prev(config, r.out)));
	call_fails(on_container(2, "ADD", config), 999,
		   "failed to create macvlan: invalid argument");
	ck_assert_str_eq(links(), "lan0 lo eth0 lo lo");
	call_ok(on_container(2, "DEL", config));
	call_ok(on_container(1, "DEL", config));
	add(2, config);
}
END_TEST

START_TEST(without_ipam_the_link_is_up_and_has_no_address)
{
	struct reply r = add(1, layer2);

	ck_assert_str_eq(sh_in("c1", "ip -4 addr show eth0; ip -6 addr show eth0 scope global"),
			 "");
	ck_assert_ptr_nonnull(strstr(sh_in("c1", "ip link show eth0"), ",UP"));
	call_ok(on_container(1, "CHECK", with_prev(layer2, r.out)));
	call_fails(on_container(2, "ADD", NET_V("0.2.0", ON_LAN)), 999,
		   "cannot convert: no valid IP addresses");
	call_ok(on_container(1, "DEL", layer2));
	assert_nothing_left();
}
END_TEST

static const struct {
	const char *before, *keys;
} masters[] = {
	{ ":", ON_LAN },
	{ "ip link add x1 type bridge && ip link set x1 up && "
	  "ip route add default dev x1 metric 9 && ip route add default dev lan0 metric 5",
	  "" },
	{ "ip -6 route add default dev lan0", "" },
	{ "ip route add default nexthop dev lan0 weight 1 nexthop dev lan0 weight 2", "" },
	{ "ip link property add dev lan0 altname uplink", ",\"master\":\"uplink\"" },
	{ "ip link property add dev lan0 altname a-name-of-more-than-15-bytes",
	  ",\"master\":\"a-name-of-more-than-15-bytes\"" },
	{ "ip link set lan0 netns c1 && ip -n c1 link set lan0 up",
	  ON_LAN ",\"linkInContainer\":true" },
	{ "ip link set lan0 netns c1 && ip -n c1 link set lan0 up && "
	  "ip -n c1 route add default dev lan0 metric 9",
	  ",\"linkInContainer\":true" },
	/* What the container's is called has a namesake on the host. */
	{ "ip link add eth0 type bridge", ON_LAN },
};

START_TEST(the_master_is_found)
{
	const char *config = fmt(NET("%s" LOCAL(V4)), masters[_i].keys);
	struct reply r;

	sh("%s", masters[_i].before);
	r = add(1, config);
	sh_in("lan", "ping -c1 -W1 10.1.0.9");
	call_ok(on_container(1, "CHECK", with_prev(config, r.out)));
	call_ok(on_container(1, "DEL", config));
	ck_assert_int_ne(sh_status_in("c1", "ip link show eth0"), 0);
	ck_assert_str_eq(leases(), "");
}
END_TEST

static const struct {
	const char *keys, *args, *mac;
} macs[] = {
	{ ",\"mac\":\"02-00-00-00-00-77\"", NULL, "02:00:00:00:00:77" },
	{ ",\"mac\":\"02:00:00:00:00:77\"", "IgnoreUnknown=1;MAC=02:00:00:00:00:78;A=B",
	  "02:00:00:00:00:78" },
	{ ",\"mac\":\"02:00:00:00:00:77\",\"runtimeConfig\":{\"mac\":\"02:00:00:00:00:79\"}",
	  "MAC=02:00:00:00:00:78", "02:00:00:00:00:79" },
};

START_TEST(the_mac_is_the_one_asked_for)
{
	struct call c = on_container(1, "ADD", fmt(NET(ON_LAN "%s"), macs[_i].keys));
	struct reply r;

	c.args = macs[_i].args;
	r = call_ok(c);
	ck_assert_ptr_nonnull(strstr(r.out, fmt("\"mac\": \"%s\"", macs[_i].mac)));
	ck_assert_str_eq(sh_in("c1", "cat /sys/class/net/eth0/address"), macs[_i].mac);
}
END_TEST

START_TEST(the_link_has_what_the_configuration_says)
{
	struct reply r = add(1, NET(ON_LAN ",\"mtu\":1400,\"bcqueuelen\":1500,\"dns\":{"
					   "\"nameservers\":[\"10.1.0.53\"]},\"ipam\":{\"type\":"
					   "\"static\",\"dns\":{\"search\":[\"of.ipam\"]},"
					   "\"addresses\":[{\"address\":\"10.1.0.9/24\"}]}"));

	ck_assert_ptr_nonnull(strstr(sh("ip -n c1 -d link show eth0"), " mtu 1400 "));
	ck_assert_ptr_nonnull(strstr(sh("ip -n c1 -d link show eth0"), "bcqueuelen 1500 "));
	ck_assert_ptr_nonnull(strstr(sh("ip -n c1 -d link show eth0"), "group default"));
	ck_assert_ptr_nonnull(strstr(r.out, "10.1.0.53"));
	ck_assert_ptr_null(strstr(r.out, "of.ipam"));
}
END_TEST

/* ---- duplicate address detection ---- */

static void detect(void)
{
	sh_in("c1", "echo 1 >/proc/sys/net/ipv6/conf/default/accept_dad");
}

START_TEST(an_address_of_another_node_is_refused)
{
	static const char config[] = NET(ON_LAN LOCAL(V6));

	detect();
	sh_in("lan", "ip addr add fd00:1::9/64 dev eth0 nodad");
	call_fails(on_container(1, "ADD", config), 999, "has address fd00:1::9 in DADFAILED state");
	assert_nothing_left();
	/* The next one is free. */
	add(1, config);
	ck_assert_str_eq(leases(), "fd00:1::a");
	ck_assert_str_eq(sh_in("c1", "ip -6 addr show eth0 scope global tentative"), "");
	sh_in("lan", "ping -c1 -W1 fd00:1::a");
}
END_TEST

START_TEST(without_carrier_nothing_is_waited_for)
{
	static struct point points[MAX_POINTS];
	int n;

	detect();
	sh_in("lan", "ip link set eth0 down");
	n = trace_points(on_container(1, "ADD", NET(ON_LAN LOCAL(V4 "," V6))),
			 "-e trace=poll,ppoll,sendmsg", points);
	ck_assert_int_lt(first_point(points, n, "sendmsg"), n);
	ck_assert_int_eq(first_point(points, n, "poll"), n);
	/* It comes, and so does the address. */
	open_lan();
	sh_in("c1", "for i in $(seq 500); do ip -6 addr show eth0 tentative | grep -q . || exit 0; "
		    "sleep 0.01; done; exit 1");
	sh_in("lan", "ping -c1 -W1 fd00:1::9 && ping -c1 -W1 10.1.0.9");
}
END_TEST

/* ---- ADD that fails ---- */

static const struct {
	const char *before, *config;
	int code;
	const char *msg, *details;
} failures[] = {
	{ NULL, NET(",\"master\":5"), 7, "failed to load netconf", "" },
	{ NULL, NET(ON_LAN ",\"mode\":\"source\""), 7, "unknown macvlan mode: \"source\"",
	  "\"passthru\"" },
	{ NULL, NET(ON_LAN ",\"mtu\":1501"), 7, "invalid MTU 1501, must be [0, master MTU(1500)]",
	  "the master is \"lan0\"" },
	{ NULL, NET(ON_LAN ",\"mtu\":-1"), 7, "invalid MTU -1", "" },
	{ NULL, NET(ON_LAN ",\"mtu\":1279" LOCAL(V6)), 7, "less than the 1280", "" },
	{ NULL, NET(ON_LAN ",\"bcqueuelen\":-1"), 7, "bcqueuelen: -1", "" },
	{ NULL, NET(ON_LAN ",\"bcqueuelen\":4294967296"), 7, "bcqueuelen: 4294967296", "" },
	{ NULL, NET(ON_LAN ",\"mac\":\"zz\""), 7, "address zz: invalid MAC address", "" },
	{ NULL, NET(ON_LAN ",\"mac\":\"01:00:5e:00:00:01\""), 7, "is a multicast MAC", "" },
	{ NULL, NET(",\"master\":\"eth9\"" LOCAL(V4)), 999,
	  "failed to lookup master \"eth9\": no such device", "" },
	{ NULL, NET(LOCAL(V4)), 999, "no default route interface found", "\"master\"" },
	{ NULL, NET(",\"master\":\"lo\"" LOCAL(V4)), 999, "failed to create macvlan: ", "" },
	{ NULL, NET(ON_LAN ",\"linkInContainer\":true"), 999, "failed to lookup master \"lan0\"",
	  "" },
	{ NULL, NET(ON_LAN ",\"ipam\":{\"type\":\"absent\"}"), 999, "absent", "" },
	{ "ip -n c1 link add eth0 type bridge", NET(ON_LAN LOCAL(V4)), 999,
	  "failed to rename macvlan to \"eth0\": file exists", "DEL removes it" },
	{ "ip -n c1 link add lan9 type bridge && ip -n c1 link add eth0 link lan9 type macvlan",
	  NET(ON_LAN LOCAL(V4)), 999, "failed to rename macvlan to \"eth0\": file exists",
	  "DEL removes it" },
	{ NULL,
	  NET(ON_LAN ",\"ipam\":{\"type\":\"static\",\"addresses\":[{\"address\":\"10.1.0.9/24\"}],"
		     "\"routes\":[{\"dst\":\"10.50.0.0/16\",\"gw\":\"10.9.9.9\"}]}"),
	  999, "failed to add route '10.50.0.0/16 via 10.9.9.9", "" },
};

START_TEST(an_add_that_fails_leaves_nothing_and_says_why)
{
	const char *before;
	struct reply r;

	if (failures[_i].before)
		sh("%s", failures[_i].before);
	before = links();
	r = call_fails(on_container(1, "ADD", failures[_i].config), failures[_i].code,
		       failures[_i].msg);
	ck_assert_msg(strstr(r.details, failures[_i].details) != NULL, "%s", r.out);
	ck_assert_str_eq(links(), before);
	ck_assert_str_eq(leases(), "");
}
END_TEST

/* ---- DEL, GC, STATUS ---- */

static const char *const losses[] = {
	"umount /run/netns/c1 && rm /run/netns/c1", /* and CNI_NETNS is empty */
	"umount /run/netns/c1 && rm /run/netns/c1",
	"ip -n c1 link del eth0",
	"ip link del lan0",
};

START_TEST(del_needs_nothing_that_is_left)
{
	/* Nothing of it is valid but what names the IPAM plugin. */
	struct call c = on_container(
		1, "DEL", NET(",\"master\":\"gone\",\"mode\":\"no\",\"mtu\":-5" LOCAL(V4)));

	add(1, dual);
	sh("%s", losses[_i]);
	if (_i == 0)
		c.netns = "";
	c.args = "FOO=1";
	call_ok(c);
	ck_assert_str_eq(leases(), "");
	call_ok(c);
}
END_TEST

START_TEST(del_leaves_a_link_of_another_kind)
{
	struct reply r;

	sh_in("c1", "ip link add eth0 type bridge");
	r = call_ok(on_container(1, "DEL", dual));
	ck_assert_ptr_nonnull(strstr(r.err, "\"eth0\" stays: it is no macvlan"));
	sh_in("c1", "ip link show eth0");
}
END_TEST

START_TEST(del_removes_the_link_although_ipam_fails)
{
	add(1, layer2);
	call_fails(on_container(1, "DEL", NET(ON_LAN ",\"ipam\":{\"type\":\"absent\"}")), 999,
		   "absent");
	ck_assert_str_eq(links(), "lan0 lo lo lo");
}
END_TEST

/* dhcp gives its lease back by the link. */
START_TEST(ipam_is_asked_while_the_link_is_there)
{
	struct call c = on_container(1, "ADD", NET(ON_LAN ",\"ipam\":{\"type\":\"witness\"}"));

	sh("mkdir /run/w && cat >/run/w/witness <<'END' && chmod 755 /run/w/witness\n"
	   "#!/bin/sh\ncat >/dev/null\n"
	   "echo $CNI_COMMAND $(ip -n c1 -o link show eth0 | grep -c eth0) >>/run/seen\n"
	   "[ $CNI_COMMAND = DEL ] || echo '{\"cniVersion\":\"1.1.0\",\"ips\":[{\"address\":"
	   "\"10.1.0.9/24\"}]}'\nEND");
	c.path = fmt("/run/w:%s", our_plugins());
	call_ok(c);
	c.command = "DEL";
	call_ok(c);
	ck_assert_str_eq(sh("xargs </run/seen"), "ADD 1 DEL 1");
}
END_TEST

START_TEST(gc_and_status_ask_ipam)
{
	struct call c = { .command = "GC", .id = "", .ifname = "" };

	add(1, dual);
	add(2, dual);
	c.config = NET(ON_LAN ",\"cni.dev/valid-attachments\":[{\"containerID\":\"ctr2\","
			      "\"ifname\":\"eth0\"}]" LOCAL(V4 "," V6));
	call_ok(c);
	ck_assert_str_eq(leases(), "10.1.0.10 fd00:1::a");
	sh_in("lan", "ping -c1 -W1 10.1.0.10");
	c.command = "STATUS";
	c.config = dual;
	call_ok(c);
	c.config = NET(ON_LAN ",\"ipam\":{\"type\":\"host-local\",\"subnet\":\"10.1.0.0/33\"}");
	call_fails(c, 7, "10.1.0.0/33");
	c.config = NET(ON_LAN ",\"mode\":\"no\"");
	call_fails(c, 7, "unknown macvlan mode");
}
END_TEST

START_TEST(many_at_once_all_work)
{
	struct running *running[20];

	for (int i = 0; i < 20; i++) {
		container_add(fmt("m%d", i));
		sh_in(fmt("m%d", i), "echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad");
	}
	for (int i = 0; i < 20; i++)
		running[i] = call_start((struct call){ .command = "ADD",
						       .id = fmt("m%d", i),
						       .netns = fmt("/run/netns/m%d", i),
						       .config = dual });
	for (int i = 0; i < 20; i++) {
		struct reply r = call_wait(running[i]);

		ck_assert_msg(r.status == 0, "%s%s", r.out, r.err);
	}
	ck_assert_str_eq(sh("ls /var/lib/cni/networks/net1 | grep -c '^10.1\\|^fd00'"), "40");
	sh_in("lan", "for i in $(seq 9 28); do ping -c1 -W1 10.1.0.$i || exit 1; done");
}
END_TEST

/* ---- CHECK ---- */

static const struct {
	const char *damage, *msg;
} damages[] = {
	{ "ip -n c1 link del eth0", "Interface name eth0 not found" },
	{ "ip -n c1 link set eth0 down", "Interface eth0 is down" },
	{ "ip -n c1 link set eth0 address 02:00:00:00:00:01", "doesn't match container Mac" },
	{ "ip -n c1 addr del 10.1.0.9/24 dev eth0", "Failed to match addr 10.1.0.9/24" },
	{ "ip -n c1 route del default", "Expected Route {Dst:0.0.0.0/0" },
	{ "ip -n c1 link set eth0 type macvlan mode private",
	  "container macvlan mode private does not match expected value: bridge" },
	{ "ip -n c1 link del eth0 && ip -n c1 link add eth0 type bridge", "not of type macvlan" },
	{ "ip link set lan0 name lan9", "failed to lookup master \"lan0\"" },
	{ "ip link add a0 type veth peer name a1 && ip link set lan0 name lan9 && "
	  "ip link set a0 name lan0",
	  "Interface eth0 is not on master lan0" },
	{ "rm /var/lib/cni/networks/net1/10.1.0.9 /var/lib/cni/networks/net1/fd00*", "host-local" },
};

START_TEST(check_finds_what_is_broken)
{
	struct call c = on_container(1, "CHECK", with_prev(one_each, add(1, one_each).out));

	call_ok(c);
	sh("%s", damages[_i].damage);
	call_fails(c, 999, damages[_i].msg);
}
END_TEST

/* ---- killed ---- */

static const char *const killed[] = {
	NET(ON_LAN ONE_EACH),
	/* What is left of this one keeps all others off the master, its own next ADD among them. */
	NET(ON_LAN ",\"mode\":\"passthru\"" ONE_EACH),
};

static int points_of(const char *command, const char *config, struct point points[MAX_POINTS])
{
	int n = changing_points(by_plain(on_container(1, command, config)), CALLS, points);

	ck_assert_int_gt(n, 4);
	return n;
}

static void kill_each_add(const char *config, bool add_again)
{
	static struct point points[MAX_POINTS];
	int n;

	add(1, config); /* makes the directories */
	call_ok(on_container(1, "DEL", config));
	n = points_of("ADD", config, points);
	call_ok(on_container(1, "DEL", config));
	/* The last one writes the result: all is done then, only nobody knows. */
	for (int i = 0; i < n - 1; i++) {
		kill_at(by_plain(on_container(1, "ADD", config)), &points[i]);
		if (add_again) {
			add(1, config);
			sh_in("lan", "ping -c1 -W1 10.1.0.9");
			ck_assert_str_eq(links(), "lan0 lo eth0 lo lo");
		}
		call_ok(on_container(1, "DEL", config));
		assert_nothing_left();
	}
}

START_TEST(after_a_killed_add_add_works)
{
	kill_each_add(killed[_i], true);
}
END_TEST

START_TEST(after_a_killed_add_del_leaves_nothing)
{
	kill_each_add(killed[0], false);
}
END_TEST

START_TEST(after_a_killed_del_another_one_leaves_nothing)
{
	static struct point points[MAX_POINTS];
	int n;

	add(1, one_each);
	n = points_of("DEL", one_each, points);
	for (int i = 0; i < n; i++) {
		add(1, one_each);
		kill_at(by_plain(on_container(1, "DEL", one_each)), &points[i]);
		call_ok(on_container(1, "DEL", one_each));
		assert_nothing_left();
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("macvlan");
	TCase *tc = tcase_create("macvlan");

	tcase_add_checked_fixture(tc, setup, world_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, containers_reach_the_network_and_each_other_at_once);
	tcase_add_test(tc, neighbours_hear_of_the_address);
	tcase_add_loop_test(tc, the_mode_says_who_reaches_whom, 0, ARRAY_SIZE(modes));
	tcase_add_test(tc, passthru_is_for_one);
	tcase_add_test(tc, without_ipam_the_link_is_up_and_has_no_address);
	tcase_add_loop_test(tc, the_master_is_found, 0, ARRAY_SIZE(masters));
	tcase_add_loop_test(tc, the_mac_is_the_one_asked_for, 0, ARRAY_SIZE(macs));
	tcase_add_test(tc, the_link_has_what_the_configuration_says);
	tcase_add_test(tc, an_address_of_another_node_is_refused);
	tcase_add_test(tc, without_carrier_nothing_is_waited_for);
	tcase_add_loop_test(tc, an_add_that_fails_leaves_nothing_and_says_why, 0,
			    ARRAY_SIZE(failures));
	tcase_add_loop_test(tc, del_needs_nothing_that_is_left, 0, ARRAY_SIZE(losses));
	tcase_add_test(tc, del_leaves_a_link_of_another_kind);
	tcase_add_test(tc, del_removes_the_link_although_ipam_fails);
	tcase_add_test(tc, ipam_is_asked_while_the_link_is_there);
	tcase_add_test(tc, gc_and_status_ask_ipam);
	tcase_add_test(tc, many_at_once_all_work);
	tcase_add_loop_test(tc, check_finds_what_is_broken, 0, ARRAY_SIZE(damages));
	tcase_add_loop_test(tc, after_a_killed_add_add_works, 0, ARRAY_SIZE(killed));
	tcase_add_test(tc, after_a_killed_add_del_leaves_nothing);
	tcase_add_test(tc, after_a_killed_del_another_one_leaves_nothing);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
