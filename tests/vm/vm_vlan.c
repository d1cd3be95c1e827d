/*
 * bridge on a kernel that filters VLANs: with real frames, what has to pass passes, and what has not to
 * does not. Containers share one subnet where they are to be kept apart, so that nothing but the VLAN
 * does it. Run by tests/vm/run; what needs no VLANs is in tests/net_vlan.c.
 */
#include "same_world.h"

#include <string.h>

#define HEAD "{\"cniVersion\":\"1.0.0\",\"name\":\"net1\",\"type\":\"bridge\",\"bridge\":\"br0\""

/* A network without gateway, whose container has the address 10.9.0.<last>. */
static const char *flat(const char *keys, int last)
{
	return fmt(
		HEAD
		"%s,\"ipam\":{\"type\":\"static\",\"addresses\":[{\"address\":\"10.9.0.%d/24\"}]}}",
		keys, last);
}

/* A network whose gateway is 10.<net>.0.1. */
static const char *routed(const char *keys, int net)
{
	return fmt(HEAD "%s,\"isGateway\":true,"
			"\"ipam\":{\"type\":\"host-local\",\"subnet\":\"10.%d.0.0/24\"}}",
		   keys, net);
}

static void setup(void)
{
	world_setup();
	no_link_local();
}

/* Container c<n>, attached. */
static struct reply attach(int n, const char *config)
{
	return call_ok((struct call){ .command = "ADD",
				      .id = fmt("ctr%d", n),
				      .netns = container_add(fmt("c%d", n)),
				      .config = config });
}

static const char *host_end(const char *container)
{
	return sh("ip -o link show type veth | grep -w 'link-netns %s' | "
		  "sed 's/^[0-9]*: //; s/@.*//'",
		  container);
}

static void reaches(const char *from, const char *address)
{
	sh_in(from, "ping -c1 -W5 %s", address);
}

/* Neither by ARP nor when its MAC is known. */
static void does_not_reach(const char *from, const char *dev, const char *address, const char *to)
{
	ck_assert_int_ne(sh_status_in(from, "ping -c1 -W1 %s", address), 0);
	sh_in(from, "ip neigh replace %s dev %s lladdr %s", address, dev,
	      sh_in(to, "cat /sys/class/net/eth0/address"));
	ck_assert_int_ne(sh_status_in(from, "ping -c1 -W1 %s", address), 0);
}

/* ---- frames ---- */

START_TEST(containers_of_one_vlan_reach_each_other_and_nobody_else)
{
	attach(1, flat(",\"vlan\":100", 1));
	attach(2, flat(",\"vlan\":100", 2));
	attach(3, flat(",\"vlan\":200", 3));
	attach(4, flat("", 4));
	reaches("c1", "10.9.0.2");
	reaches("c2", "10.9.0.1");
	does_not_reach("c1", "eth0", "10.9.0.3", "c3");
	does_not_reach("c1", "eth0", "10.9.0.4", "c4");
	does_not_reach("c4", "eth0", "10.9.0.1", "c1");
}
END_TEST

/* A VLAN link inside a container whose port is a trunk. */
static void tag(const char *container, int id, int last)
{
	sh_in(container,
	      "ip link add link eth0 name eth0.%d type vlan id %d && "
	      "ip addr add 10.9.0.%d/24 dev eth0.%d && ip link set eth0.%d up",
	      id, id, last, id, id);
}

START_TEST(a_trunk_passes_its_own_vlans_with_tags_and_no_other)
{
	attach(1, HEAD ",\"vlanTrunk\":[{\"minID\":20,\"maxID\":21}]}");
	attach(2, flat(",\"vlan\":20", 2));
	attach(3, flat(",\"vlan\":30", 3));
	attach(4, flat("", 4));
	tag("c1", 20, 101);
	reaches("c1", "10.9.0.2");
	reaches("c2", "10.9.0.101");
	sh_in("c1", "ip addr del 10.9.0.101/24 dev eth0.20");
	tag("c1", 30, 102);
	does_not_reach("c1", "eth0.30", "10.9.0.3", "c3");
	does_not_reach("c3", "eth0", "10.9.0.102", "c1");
	ck_assert_str_eq(sh_in("c1", "cat /sys/class/net/eth0.30/statistics/rx_packets"), "0");
	sh_in("c1", "ip addr del 10.9.0.102/24 dev eth0.30 && ip addr add 10.9.0.103/24 dev eth0");
	reaches("c1", "10.9.0.4"); /* no tag: VLAN 1 */
}
END_TEST

/* Where the Go plugin's port drops every frame without a tag. */
START_TEST(a_native_vlan_that_the_trunk_lists_stays_native)
{
	attach(1, flat(",\"vlan\":20,\"vlanTrunk\":[{\"id\":20},{\"id\":21}]", 1));
	attach(2, flat(",\"vlan\":20", 2));
	attach(3, flat(",\"vlan\":21", 3));
	reaches("c1", "10.9.0.2");
	does_not_reach("c1", "eth0", "10.9.0.3", "c3");
	sh_in("c1", "ip addr flush dev eth0");
	tag("c1", 21, 101);
	reaches("c1", "10.9.0.3");
}
END_TEST

START_TEST(each_vlan_has_a_gateway_of_its_own)
{
	struct reply r = attach(1, routed(",\"vlan\":100", 5));
	json_t *gw = json_array_get(json_object_get(r.json, "interfaces"), 3);

	attach(2, routed(",\"vlan\":200", 6));
	attach(3, routed(",\"vlan\":100", 5));
	reaches("c1", "10.5.0.1");
	reaches("c3", "10.5.0.1");
	reaches("c2", "10.6.0.1");
	ck_assert_str_eq(sh("ip -4 -o addr | awk '{print $2, $4}' | grep -v '^lo' | sort"),
			 "br0.100 10.5.0.1/24\nbr0.200 10.6.0.1/24");
	ck_assert_str_eq(json_string_value(json_object_get(gw, "name")), "br0.100");
	ck_assert_str_eq(json_string_value(json_object_get(gw, "mac")),
			 sh("cat /sys/class/net/br0.100/address"));
	/* A gateway's port lets nobody into another VLAN. */
	sh_in("c1", "ip addr add 10.6.0.9/24 dev eth0");
	ck_assert_int_ne(sh_status_in("c1", "ping -I 10.6.0.9 -c1 -W1 10.6.0.1"), 0);
	for (int i = 1; i <= 3; i++)
		call_ok((struct call){ .command = "DEL",
				       .id = fmt("ctr%d", i),
				       .netns = fmt("/run/netns/c%d", i),
				       .config = routed(",\"vlan\":100", 5) });
	ck_assert_str_eq(sh("ip -o link show type veth | grep -c ."), "4");
}
END_TEST

START_TEST(isolated_ports_of_a_vlan_reach_its_gateway_only)
{
	attach(1, routed(",\"vlan\":100,\"portIsolation\":true", 5));
	attach(2, routed(",\"vlan\":100,\"portIsolation\":true", 5));
	reaches("c1", "10.5.0.1");
	reaches("c2", "10.5.0.1");
	does_not_reach("c1", "eth0", "10.5.0.3", "c2");
}
END_TEST

/* What these tests' calls change; world_dump() starts too many programs for an emulated machine. */
static const char *links(void)
{
	return sh(
		"ip -o link | sed 's/ state [A-Z]*//; s/<[^>]*>//'; ip -o addr; bridge vlan show; "
		"ip -o -d link show br0 | grep -o 'vlan_filtering [01]'; "
		"ls /var/lib/cni/networks/net1/10* 2>/dev/null; true");
}

/* ---- the gateway's link, in every state it may be found in ---- */

static const struct {
	const char *made; /* what is there before */
	const char *error; /* NULL: it serves */
} gateways[] = {
	/* A pair that somebody made, down, and out of the bridge. */
	{ "ip link add br0.100 type veth peer name port0", NULL },
	/* A killed ADD: its port is unfinished and in the wrong VLAN. */
	{ "ip link add br0.100 type veth peer name port0 && "
	  "ip link set port0 group 0x434e4900 master br0 up",
	  NULL },
	{ "ip link add link br0 name br0.100 type vlan id 100 && "
	  "bridge vlan add dev br0 vid 100 self",
	  NULL },
	{ "ip link add link br0 name br0.100 type vlan id 101", "not a vlan gateway of bridge" },
	{ "ip link add br0.100 type dummy", "not a vlan gateway of bridge" },
	{ "ip link add br1 type bridge && ip link add br0.100 type veth peer name port0 && "
	  "ip link set port0 master br1",
	  "not a vlan gateway of bridge" },
	{ "ip netns add else && ip link add br0.100 type veth peer name port0 netns else",
	  "not a vlan gateway of bridge" },
	/* As above, and the host's link of that index says of itself what the other end would. */
	{ "ip netns add else && "
	  "ip link add br0.100 index 70 type veth peer name port0 index 80 netns else && "
	  "ip link add other index 80 type veth peer name port1 index 70 netns else",
	  "not a vlan gateway of bridge" },
	{ "ip link add br0.100 up type dummy && ip addr add 10.5.0.1/24 dev br0.100",
	  "not a vlan gateway of bridge" },
};

START_TEST(a_link_of_the_gateways_name_serves_or_is_refused)
{
	const char *config = routed(",\"vlan\":100", 5), *netns = container_add("c1"), *before;

	sh("ip link add br0 up address 02:00:00:00:00:01 type bridge vlan_filtering 1 && %s",
	   gateways[_i].made);
	before = links();
	if (gateways[_i].error) {
		call_fails((struct call){ .command = "ADD", .netns = netns, .config = config }, 999,
			   gateways[_i].error);
		assert_same(before, links());
		return;
	}
	call_ok((struct call){ .command = "ADD", .netns = netns, .config = config });
	reaches("c1", "10.5.0.1");
	ck_assert_str_eq(sh("ip -o link show group 0x434e4900"), "");
}
END_TEST

START_TEST(a_gateway_whose_bridge_was_deleted_is_connected_again)
{
	attach(1, routed(",\"vlan\":100", 5));
	sh("ip link del br0");
	attach(2, routed(",\"vlan\":100", 5));
	reaches("c2", "10.5.0.1");
	ck_assert_str_eq(sh("ip -o link show | grep -c 'br0.100@'"), "1");
}
END_TEST

START_TEST(many_first_adds_at_once_make_one_gateway)
{
	enum { N = 8 };
	struct running *run[N];

	for (int i = 0; i < N; i++)
		container_add(fmt("c%d", i));
	for (int i = 0; i < N; i++)
		run[i] = call_start((struct call){ .command = "ADD",
						   .id = fmt("ctr%d", i),
						   .netns = fmt("/run/netns/c%d", i),
						   .config = routed(",\"vlan\":100", 5) });
	for (int i = 0; i < N; i++) {
		struct reply r = call_wait(run[i]);

		ck_assert_msg(r.status == 0, "%s", r.out);
	}
	for (int i = 0; i < N; i++)
		reaches(fmt("c%d", i), "10.5.0.1");
	ck_assert_str_eq(sh("ip -o link show master br0 | grep -c ."), fmt("%d", N + 1));
	ck_assert_str_eq(sh("ip -o link show group 0x434e4900"), "");
}
END_TEST

/* ---- what the kernel is told ---- */

/*
 * Requests of an ADD on the host's side that change links: "<RTM_NEWLINK> <RTM_SETLINK> <RTM_DELLINK>".
 * Those to the container's side strace cannot read: it does not know what their socket is.
 */
static const char *changes(const char *config, int n)
{
	call_ok((struct call){ .command = "ADD",
			       .id = fmt("ctr%d", n),
			       .netns = container_add(fmt("c%d", n)),
			       .config = config,
			       .wrapper = "strace -f -s 65536 -o /run/trace -e trace=sendmsg" });
	return sh("for t in NEW SET DEL; do grep -c nlmsg_type=RTM_${t}LINK /run/trace; done | "
		  "xargs");
}

START_TEST(vlans_cost_two_messages_however_many_and_a_gateway_that_is_there_none)
{
	char *list = (char *)fmt("%40000s", ""), *to = list;

	/* Pairs with gaps between them make the longest list. */
	for (int id = 2; id + 1 <= 4094; id += 3)
		to += sprintf(to, "%s{\"minID\":%d,\"maxID\":%d}", id == 2 ? "" : ",", id, id + 1);
	sh("ip link add br0 up type bridge vlan_filtering 1");
	ck_assert_str_eq(changes(flat("", 1), 1),
			 "3 1 0"); /* the pair, addressless, up; finished */
	ck_assert_str_eq(
		changes(flat(",\"vlan\":100,\"hairpinMode\":true,\"portIsolation\":true", 2), 2),
		"3 2 1");
	ck_assert_str_eq(changes(flat(fmt(",\"vlan\":4093,\"vlanTrunk\":[%s]", list), 3), 3),
			 "3 2 1");
	ck_assert_str_eq(sh("bridge -j vlan show dev %s | grep -o '\"vlan\":' | wc -l",
			    host_end("c3")),
			 "2729");
	call_ok((struct call){ .command = "ADD",
			       .id = "ctr4",
			       .netns = container_add("c4"),
			       .config = routed(",\"vlan\":100", 5) });
	ck_assert_str_eq(changes(routed(",\"vlan\":100", 5), 5), "3 2 1");
}
END_TEST

/* ---- CHECK ---- */

START_TEST(check_sees_vlans_that_are_too_few_too_many_or_not_native)
{
	static const struct {
		const char *change, *msg; /* on the port $p; NULL: no fault */
	} changes[] = {
		{ "true", NULL },
		{ "bridge vlan del dev $p vid 21", "VLANs of bridge port" },
		{ "bridge vlan del dev $p vid 5", "VLANs of bridge port" },
		{ "bridge vlan add dev $p vid 5", "VLANs of bridge port" },
		{ "bridge vlan add dev $p vid 21 untagged", "VLANs of bridge port" },
		{ "bridge vlan add dev $p vid 30", "VLANs of bridge port" },
		{ "bridge vlan add dev $p vid 30 pvid untagged", "VLANs of bridge port" },
		/* As the Go plugins before 1.8 left it. */
		{ "bridge vlan add dev $p vid 1 untagged", NULL },
		{ "ip link set br0 type bridge vlan_filtering 0", "does not filter VLANs" },
		{ "ip link del br0.5", "Interface name br0.5 not found" },
		{ "ip link set br0.5 down", "Interface br0.5 is down, or not connected" },
		{ "ip link set $(ip -o link show master br0 | grep -o 'veth[0-9a-f]*@br0.5' | "
		  "cut -d@ -f1) nomaster",
		  "Interface br0.5 is down, or not connected" },
	};
	const char *config = routed(",\"vlan\":5,\"vlanTrunk\":[{\"minID\":20,\"maxID\":22}]", 5);
	struct reply r = attach(1, config);
	const char *chk = with_prev(config, r.out);

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct call c = {
			.command = "CHECK", .id = "ctr1", .netns = "/run/netns/c1", .config = chk
		};

		sh("p=%s; %s", host_end("c1"), changes[i].change);
		if (changes[i].msg)
			call_fails(c, 999, changes[i].msg);
		else
			call_ok(c);
		c.command = "DEL";
		call_ok(c);
		sh("ip link del br0; ip link del br0.5; true");
		c.command = "ADD";
		r = call_ok(c);
		chk = with_prev(config, r.out);
	}
}
END_TEST

static TCase *add_case(Suite *suite, const char *name)
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, setup, world_teardown);
	tcase_set_timeout(tc, 240);
	suite_add_tcase(suite, tc);
	return tc;
}

int main(void)
{
	Suite *suite = suite_create("vlan on a stock kernel");
	TCase *tc = add_case(suite, "frames");

	tcase_add_test(tc, containers_of_one_vlan_reach_each_other_and_nobody_else);
	tcase_add_test(tc, a_trunk_passes_its_own_vlans_with_tags_and_no_other);
	tcase_add_test(tc, a_native_vlan_that_the_trunk_lists_stays_native);
	tcase_add_test(tc, each_vlan_has_a_gateway_of_its_own);
	tcase_add_test(tc, isolated_ports_of_a_vlan_reach_its_gateway_only);
	tc = add_case(suite, "gateway");
	tcase_add_loop_test(tc, a_link_of_the_gateways_name_serves_or_is_refused, 0,
			    sizeof(gateways) / sizeof(gateways[0]));
	tcase_add_test(tc, a_gateway_whose_bridge_was_deleted_is_connected_again);
	tcase_add_test(tc, many_first_adds_at_once_make_one_gateway);
	tc = add_case(suite, "messages");
	tcase_add_test(tc, vlans_cost_two_messages_however_many_and_a_gateway_that_is_there_none);
	tc = add_case(suite, "check");
	tcase_add_test(tc, check_sees_vlans_that_are_too_few_too_many_or_not_native);
	return world_main(suite);
}
