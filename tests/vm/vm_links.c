/*
 * vlan, dummy and ipvlan on a kernel that makes such links, which this machine's own may not: with real packets, through
 * every verb. Run by tests/vm/run; what needs no such link is in tests/net_links.c.
 */
#include "same_world.h"

#include <string.h>

#define LEASES                                                      \
	",\"ipam\":{\"type\":\"host-local\",\"subnet\":\"10.9.0.0/" \
	"24\",\"routes\":[{\"dst\":\"10.20.0.0/16\"}]}"

/* The least that each of them can do with. */
static const struct {
	const char *type, *keys;
} kinds[] = {
	{ "vlan", ",\"master\":\"eth1\",\"vlanId\":5" },
	{ "dummy", "" },
	{ "ipvlan", ",\"master\":\"eth1\"" },
};
enum { VLAN, DUMMY, IPVLAN, KINDS };

static const char *config(const char *type, const char *keys)
{
	return fmt("{\"cniVersion\":\"1.1.0\",\"name\":\"net1\",\"type\":\"%s\"%s}", type, keys);
}

/* With addresses of the test's own choice: the keys of "addresses" and behind it. */
static const char *fixed(const char *type, const char *keys, const char *ips)
{
	return config(type, fmt("%s,\"ipam\":{\"type\":\"static\",\"addresses\":[%s]}", keys, ips));
}

static const char *leased(int kind)
{
	return config(kinds[kind].type, fmt("%s" LEASES, kinds[kind].keys));
}

/* Container c<n>, attached. */
static struct reply attach(int n, const char *conf)
{
	container_add(fmt("c%d", n));
	return call_ok(on_container(n, "ADD", conf));
}

static void setup(void)
{
	world_setup();
	no_link_local();
	sh("ip link add eth1 up type veth peer name peer0");
}

/* eth1 leads out of the host. */
static void setup_outside(void)
{
	setup();
	container_add("out");
	sh("ip link set peer0 netns out");
	sh_in("out", "ip addr add 10.9.0.100/24 dev peer0 && ip link set peer0 up");
}

/* A VLAN of the far end. */
static void tag_outside(int id, int last)
{
	sh_in("out",
	      "ip link add link peer0 name peer0.%d up type vlan id %d && "
	      "ip addr flush dev peer0 && ip addr add 10.9.0.%d/24 dev peer0.%d",
	      id, id, last, id);
}

static void reaches(const char *from, const char *address)
{
	sh_in(from, "ping -c1 -W5 %s", address);
}

/* What an ADD makes, of c1; world_dump() starts too many programs for an emulated machine. */
static const char *state(void)
{
	return sh("printf 'link\\naddr\\nroute\\n' | ip -n c1 -o -batch -; "
		  "echo /sys/class/net/* /var/lib/cni/networks/net1/10*");
}

/* ---- packets ---- */

/* The far end believes that an address is somebody else's, as after a container that had it before. */
static void mislead(const char *dev, const char *address)
{
	sh_in("out", "ip neigh replace %s dev %s lladdr 02:00:00:00:00:99 nud stale", address, dev);
}

/* It has heard of the right one, without having asked. */
static void was_told(const char *address, const char *mac)
{
	for (int i = 0;
	     i < 100 && sh_status_in("out", "ip neigh show %s | grep -q %s", address, mac); i++)
		;
	sh_in("out", "ip neigh show %s | grep %s", address, mac);
}

START_TEST(a_vlan_reaches_itself_behind_the_master_and_no_other)
{
	struct reply r;
	const char *mac;

	tag_outside(5, 100);
	mislead("peer0.5", "10.9.0.1");
	r = attach(1, fixed("vlan", kinds[VLAN].keys,
			    "{\"address\":\"10.9.0.1/24\"},{\"address\":\"fd09::1/64\"}"));
	mac = sh("cat /sys/class/net/eth1/address");
	was_told("10.9.0.1", mac);
	reaches("c1", "10.9.0.100");
	reaches("out", "10.9.0.1");
	sh_in("out", "ip addr add fd09::100/64 dev peer0.5 nodad");
	reaches("out", "fd09::1");
	ck_assert_str_eq(sh_in("c1", "ip -o -d link show eth0 | sed 's/promisc.*maxmtu [0-9]*//' | "
				     "grep -o 'mtu [0-9]*\\|vlan prot.*id "
				     "[0-9]*\\|group [a-z0-9]*' | xargs"),
			 "mtu 1500 group default vlan protocol 802.1Q id 5");
	ck_assert_str_eq(json_string_value(json_object_get(
				 json_array_get(json_object_get(r.json, "interfaces"), 0), "mac")),
			 mac);
	attach(2, fixed("vlan", ",\"master\":\"eth1\",\"vlanId\":6,\"mtu\":1400",
			"{\"address\":\"10.9.0.2/24\"}"));
	ck_assert_str_eq(sh_in("c2", "cat /sys/class/net/eth0/mtu"), "1400");
	ck_assert_int_ne(sh_status_in("c2", "ping -c1 -W1 10.9.0.100"), 0);
	call_ok(on_container(1, "DEL", fixed("vlan", kinds[VLAN].keys, "")));
	ck_assert_int_ne(sh_status_in("c1", "ip link show eth0"), 0);
}
END_TEST

static const char *const ipvlan_modes[] = { "", "l3", "l3s" };

START_TEST(ipvlans_of_a_master_reach_each_other)
{
	const char *mode = ipvlan_modes[_i];
	const char *keys = fmt(",\"master\":\"eth1\",\"mtu\":1400%s%s%s",
			       *mode ? ",\"mode\":\"" : "", mode, *mode ? "\"" : "");

	mislead("peer0", "10.9.0.1");
	for (int i = 1; i <= 2; i++)
		attach(i, fixed("ipvlan", keys,
				fmt("{\"address\":\"10.9.0.%d/24\"}%s", i,
				    *mode ? "" : fmt(",{\"address\":\"fd09::%d/64\"}", i))));
	ck_assert_str_eq(sh_in("c1", "ip -o -d link show eth0 | sed 's/promisc.*maxmtu [0-9]*//' | "
				     "grep -o 'mtu [0-9]*\\|ipvlan .*bridge' "
				     "| xargs"),
			 fmt("mtu 1400 ipvlan mode %s bridge", *mode ? mode : "l2"));
	if (!*mode)
		was_told("10.9.0.1", sh("cat /sys/class/net/eth1/address"));
	reaches("c1", "10.9.0.2");
	if (!*mode) {
		reaches("c1", "10.9.0.100");
		reaches("out", "10.9.0.2");
		reaches("c2", "fd09::1");
	}
	for (int i = 1; i <= 2; i++)
		call_ok(on_container(i, "DEL", config("ipvlan", "")));
	ck_assert_str_eq(sh("for c in c1 c2; do ip -n $c -o link; done | grep -c ."), "2");
}
END_TEST

START_TEST(a_dummys_addresses_are_there)
{
	attach(1,
	       fixed("dummy", "", "{\"address\":\"10.9.0.1/32\"},{\"address\":\"fd09::1/128\"}"));
	sh_in("c1", "ip link set lo up");
	reaches("c1", "10.9.0.1");
	reaches("c1", "fd09::1");
	ck_assert_str_eq(sh_in("c1",
			       "ip -o link show eth0 | grep -o '<.*>\\|group [a-z0-9]*' | xargs"),
			 "<BROADCAST,NOARP,UP,LOWER_UP> group default");
}
END_TEST

/* ---- what nothing is waited for ---- */

/* The kernel never says UP of a dummy or an ipvlan, and there is no neighbour to ask where there is no ARP. */
START_TEST(nothing_is_waited_for_that_does_not_come)
{
	const char *const confs[] = {
		fixed("dummy", "", "{\"address\":\"fd09::1/64\"}"),
		fixed("ipvlan", kinds[IPVLAN].keys, "{\"address\":\"fd09::2/64\"}"),
		fixed("ipvlan", ",\"master\":\"eth1\",\"mode\":\"l3\"",
		      "{\"address\":\"fd09::3/64\"}"),
	};

	sh("ip link set peer0 up");
	for (int i = 0; i < 3; i++) {
		struct call c = on_container(i, "ADD", confs[i]);

		container_add(fmt("c%d", i));
		c.wrapper = "strace -f -o /run/trace -e trace=poll,ppoll";
		call_ok(c);
		ck_assert_str_eq(sh("grep Timeout /run/trace; true"), "");
		ck_assert_str_eq(sh_in(fmt("c%d", i), "ip -o addr show scope global tentative"),
				 "");
		c.wrapper = NULL;
		c.command = "DEL";
		call_ok(c);
	}
}
END_TEST

/* ---- a failed ADD ---- */

START_TEST(a_failed_add_leaves_nothing)
{
	static const struct {
		const char *keys, *msg; /* behind those of the kind */
	} rows[] = {
		{ ",\"ipam\":{\"type\":\"host-local\",\"subnet\":\"10.9.0.0/"
		  "24\",\"rangeStart\":\"10.9.0.9\",\"rangeEnd\":\"10.9.0.9\",\"gateway\":"
		  "\"10.9.0.9\"}",
		  "no IP addresses available" },
		{ ",\"ipam\":{\"type\":\"host-local\",\"subnet\":\"10.9.0.0/"
		  "24\",\"routes\":[{\"dst\":\"10.20.0.0/16\",\"gw\":\"192.0.2.1\"}]}",
		  "network is unreachable" },
	};
	const char *before;

	container_add("c1");
	before = state();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		call_fails(on_container(1, "ADD",
					config(kinds[_i].type,
					       fmt("%s%s", kinds[_i].keys, rows[i].keys))),
			   999, rows[i].msg);
		assert_same(before, state());
	}
	/* The name is another's. */
	sh_in("c1", "ip link add eth0 type dummy && ip link add x0 type bridge");
	before = state();
	{
		struct reply r = call_fails(on_container(1, "ADD", leased(_i)), 999, "file exists");

		ck_assert_ptr_nonnull(strstr(r.details, "DEL removes it"));
	}
	assert_same(before, state());
}
END_TEST

START_TEST(a_vlan_that_is_used_is_refused_by_its_name)
{
	const char *before;
	struct reply r;

	attach(1, leased(VLAN));
	container_add("c2");
	before = state();
	r = call_fails(on_container(2, "ADD", leased(VLAN)), 999,
		       "failed to create vlan: file exists");
	ck_assert_ptr_nonnull(strstr(r.details, "VLAN 5 of \"eth1\" is another link's"));
	assert_same(before, state());
}
END_TEST

START_TEST(a_vlan_of_a_master_that_is_down_is_refused)
{
	const char *before;
	struct reply r;

	sh("ip link set eth1 down");
	container_add("c1");
	before = state();
	r = call_fails(on_container(1, "ADD", leased(VLAN)), 999,
		       "failed to set \"eth0\" UP: network is down");
	ck_assert_str_eq(r.details, "its master \"eth1\" is down");
	assert_same(before, state());
}
END_TEST

/* Killed when it is about to make its request number `nth` to the kernel. */
static void kill_at(const char *conf, const char *nth)
{
	struct call c = on_container(1, "ADD", conf);

	c.wrapper = fmt("strace -o /run/trace -e trace=sendmsg "
			"-e inject=sendmsg:signal=KILL:when=%s",
			nth);
	ck_assert_int_ne(call(c).status, 0);
}

START_TEST(what_a_killed_add_left_is_cleared)
{
	const char *conf = leased(_i);
	struct call c = on_container(1, "ADD", conf);
	const char *made = _i == DUMMY ? "2" : "3", *last;

	container_add("c1");
	c.wrapper = "strace -o /run/trace -e trace=sendmsg";
	call_ok(c);
	last = sh("grep -c sendmsg /run/trace");
	call_ok(on_container(1, "DEL", conf));
	for (int i = 0; i < 2; i++) {
		/* Right after the link is made, under whichever name; before the attachment counts as live. */
		kill_at(conf, i ? last : made);
		ck_assert_str_eq(sh_in("c1", "ip -o link | grep -c ' group 1[0-9]*'"), "1");
		if (i == 0)
			ck_assert_int_eq(sh_status_in("c1", "ip link show eth0"),
					 _i == DUMMY ? 0 : 1);
		call_ok(on_container(1, "ADD", conf));
		ck_assert_str_eq(sh_in("c1", "ip -o link | grep -vc ' lo: '"), "1");
		ck_assert_str_eq(sh("ls /var/lib/cni/networks/net1 | grep -c ^10"), "1");
		call_ok(on_container(1, "DEL", conf));
	}
	kill_at(conf, made);
	call_ok(on_container(1, "DEL", conf));
	ck_assert_str_eq(sh_in("c1", "ip -o link | grep -vc ' lo: '; true"), "0");
}
END_TEST

/* ---- DEL ---- */

START_TEST(del_needs_nothing_of_the_configuration_but_ipam)
{
	const char *bare =
		config(kinds[_i].type, ",\"mode\":\"l9\",\"vlanId\":9999,\"mtu\":-1" LEASES);
	const char *before;

	container_add("c1");
	before = state();
	call_ok(on_container(1, "ADD", leased(_i)));
	call_ok(on_container(1, "DEL", bare));
	assert_same(before, state());
	call_ok(on_container(1, "DEL", bare));
	/* What is of another kind is not of this attachment. */
	sh_in("c1", "ip link add eth0 type bridge");
	call_ok(on_container(1, "DEL", bare));
	sh_in("c1", "ip link del eth0");
	/* Without its namespace. */
	call_ok(on_container(1, "ADD", leased(_i)));
	container_del("c1");
	call_ok(on_container(1, "DEL", bare));
	ck_assert_str_eq(sh("ls /var/lib/cni/networks/net1 | grep -c ^10; true"), "0");
}
END_TEST

/* ---- CHECK ---- */

/* Made anew by hand, on that interface of the host. */
#define REMADE(master, more)                                                          \
	"ip link del eth0; ip -n host link add link " master " name x netns c1 " more \
	" && ip link set x name eth0 up && ip addr add 10.9.0.2/24 dev eth0"

/* One after the other in the container, and what CHECK then finds among what there was before. */
struct damage {
	const char *change, *msg; /* NULL: no fault */
};

static const struct damage of_vlan[] = {
	{ "ip addr add 10.30.0.1/24 dev eth0", NULL },
	{ "ip link set eth0 mtu 1300", "Interface eth0 has MTU 1300, less than 1400" },
	{ "ip link set eth0 address 02:00:00:00:00:01", "doesn't match container Mac" },
	{ REMADE("eth1", "type vlan id 7"), "Interface eth0 is in VLAN 7, not in 5" },
	{ REMADE("eth2", "type vlan id 5"), "Interface eth0 is not on master eth1" },
	{ "ip link del eth0; n=$(ip -n host -o link show eth1 | cut -d: -f1) && "
	  "ip link add m0 index $n type veth && ip link add link m0 name eth0 type vlan id 5",
	  "Interface eth0 is not on master eth1" },
	{ "ip -n host link del eth1", "failed to lookup master \"eth1\"" },
	{ "ip link del eth0; ip link add eth0 type bridge", "eth0 not of type vlan" },
};

static const struct damage of_dummy[] = {
	{ "ip link set eth0 mtu 1300", NULL },
	{ "ip link set eth0 address 02:00:00:00:00:01", "doesn't match container Mac" },
	{ "ip route del 10.20.0.0/16", "Expected Route {Dst:10.20.0.0/16" },
	{ "ip link set eth0 down", "Interface eth0 is down" },
	{ "ip addr flush dev eth0", "Failed to match addr 10.9.0.2/24 on interface eth0" },
	{ "ip link del eth0; ip link add eth0 type bridge", "eth0 not of type dummy" },
	{ "ip link del eth0", "Interface name eth0 not found" },
};

static const struct damage of_ipvlan[] = {
	{ "ip link set eth0 mtu 1300", NULL },
	{ "ip link set eth0 type ipvlan mode l3s",
	  "Container IPVlan mode l3s does not match expected value: l2" },
	{ REMADE("eth2", "type ipvlan"), "Interface eth0 is not on master eth1" },
	{ "ip link del eth0; ip link add eth0 type bridge", "eth0 not of type ipvlan" },
};

static const struct {
	const struct damage *row;
	size_t n;
} damages[] = {
	{ of_vlan, sizeof(of_vlan) / sizeof(of_vlan[0]) },
	{ of_dummy, sizeof(of_dummy) / sizeof(of_dummy[0]) },
	{ of_ipvlan, sizeof(of_ipvlan) / sizeof(of_ipvlan[0]) },
};

START_TEST(check_finds_each_damage)
{
	const char *conf = config(kinds[_i].type, fmt("%s%s" LEASES, kinds[_i].keys,
						      _i == DUMMY ? "" : ",\"mtu\":1400"));
	struct reply r = attach(1, conf);
	struct call check = on_container(1, "CHECK", with_prev(conf, r.out));

	call_ok(check);
	sh("ip netns attach host $$; ip link add eth2 up type veth"); /* for "ip -n host" */
	for (size_t i = 0; i < damages[_i].n; i++) {
		const struct damage *d = &damages[_i].row[i];

		sh_in("c1", "%s", d->change);
		if (d->msg)
			call_fails(check, 999, d->msg);
		else
			call_ok(check);
	}
}
END_TEST

/* ---- chained, and in the container ---- */

START_TEST(an_ipvlan_stands_on_what_the_plugin_before_made)
{
	const char *prev = "{\"cniVersion\":\"1.1.0\",\"interfaces\":[{\"name\":\"eth1\"}],"
			   "\"ips\":[{\"address\":\"10.9.0.7/24\",\"gateway\":\"10.9.0.100\"}],"
			   "\"routes\":[{\"dst\":\"0.0.0.0/0\"}],"
			   "\"dns\":{\"nameservers\":[\"192.0.2.1\"]}}";
	const char *conf = with_prev(config("ipvlan", ""), prev);
	struct reply r = attach(1, conf);

	reaches("c1", "10.9.0.100");
	ck_assert_str_eq(sh_in("c1", "ip route show default | xargs"),
			 "default via 10.9.0.100 dev eth0");
	ck_assert_ptr_null(strstr(r.out, "192.0.2.1"));
	ck_assert_int_eq((int)json_array_size(json_object_get(r.json, "interfaces")), 1);
	ck_assert_int_eq((int)json_integer_value(json_object_get(
				 json_array_get(json_object_get(r.json, "ips"), 0), "interface")),
			 0);
	call_ok(on_container(1, "CHECK", with_prev(config("ipvlan", ""), r.out)));
	call_ok(on_container(1, "DEL", config("ipvlan", "")));
	/* With an IPAM plugin, its addresses. */
	call_ok(on_container(1, "ADD", with_prev(config("ipvlan", LEASES), prev)));
	ck_assert_str_eq(sh_in("c1", "ip -o -4 addr show eth0 | awk '{print $4}'"), "10.9.0.2/24");
}
END_TEST

START_TEST(a_master_of_the_container_serves)
{
	const char *type = _i ? "ipvlan" : "vlan";
	const char *conf =
		config(type, fmt("%s,\"linkInContainer\":true" LEASES,
				 _i ? ",\"master\":\"m0\"" : ",\"master\":\"m0\",\"vlanId\":5"));
	struct call c;
	struct reply r;

	container_add("c1");
	c = on_container(1, "ADD", conf);
	c.ifname = "net0";
	call_fails(c, 999, "failed to lookup master \"m0\"");
	sh_in("c1", "ip link add m0 up type veth peer name m1 && ip link set m1 up");
	r = call_ok(c);
	ck_assert_str_eq(sh_in("c1", "ip -o link show net0 | grep -o net0@m0"), "net0@m0");
	c.command = "CHECK";
	c.config = with_prev(conf, r.out);
	call_ok(c);
	c.command = "DEL";
	call_ok(c);
	ck_assert_int_ne(sh_status_in("c1", "ip link show net0"), 0);
}
END_TEST

/* The interface of the default route, for an ipvlan whose configuration names none. */
START_TEST(an_ipvlan_without_a_master_is_on_the_default_routes)
{
	struct reply r;

	sh("ip addr add 10.9.0.200/24 dev eth1 && ip route add default via 10.9.0.100");
	r = attach(1, config("ipvlan", LEASES));
	reaches("c1", "10.9.0.100");
	sh("ip route del default");
	call_ok(on_container(1, "CHECK", with_prev(config("ipvlan", LEASES), r.out)));
	call_ok(on_container(1, "DEL", config("ipvlan", LEASES)));
	call_fails(on_container(1, "ADD", config("ipvlan", LEASES)), 999,
		   "no default route interface found");
}
END_TEST

static TCase *add_case(Suite *suite, const char *name, void (*fixture)(void))
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, fixture, world_teardown);
	tcase_set_timeout(tc, 240);
	suite_add_tcase(suite, tc);
	return tc;
}

int main(void)
{
	Suite *suite = suite_create("links in the container");
	TCase *tc = add_case(suite, "packets", setup_outside);

	tcase_add_test(tc, a_vlan_reaches_itself_behind_the_master_and_no_other);
	tcase_add_loop_test(tc, ipvlans_of_a_master_reach_each_other, 0, 3);
	tcase_add_test(tc, a_dummys_addresses_are_there);
	tc = add_case(suite, "ADD", setup);
	tcase_add_loop_test(tc, a_failed_add_leaves_nothing, 0, KINDS);
	tcase_add_test(tc, a_vlan_that_is_used_is_refused_by_its_name);
	tcase_add_test(tc, a_vlan_of_a_master_that_is_down_is_refused);
	tcase_add_loop_test(tc, what_a_killed_add_left_is_cleared, VLAN, DUMMY + 1);
	tcase_add_test(tc, nothing_is_waited_for_that_does_not_come);
	tc = add_case(suite, "DEL", setup);
	tcase_add_loop_test(tc, del_needs_nothing_of_the_configuration_but_ipam, 0, KINDS);
	tc = add_case(suite, "CHECK", setup);
	tcase_add_loop_test(tc, check_finds_each_damage, 0, KINDS);
	tc = add_case(suite, "masters", setup_outside);
	tcase_add_test(tc, an_ipvlan_stands_on_what_the_plugin_before_made);
	tcase_add_loop_test(tc, a_master_of_the_container_serves, 0, 2);
	tcase_add_test(tc, an_ipvlan_without_a_master_is_on_the_default_routes);
	return world_main(suite);
}
