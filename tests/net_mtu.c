/*
 * The key "mtu": numbers, "auto", and what no interface can have.
 */
#include "same_world.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define NET(mtu, address)                                                                     \
	"{\"cniVersion\":\"1.0.0\",\"name\":\"net1\",\"type\":\"bridge\",\"bridge\":\"br0\"," \
	"\"isGateway\":true,\"mtu\":" mtu ",\"ipam\":{\"type\":\"static\",\"addresses\":["    \
	"{\"address\":\"" address "\"}]}}"
#define V4 "10.1.0.2/24"
#define V6 "fd00::2/64"

static const char *c1;

static void setup(void)
{
	world_setup();
	no_link_local();
	c1 = container_add("c1");
	sh("ip link add up0 mtu 1400 type veth peer name far0 mtu 1400; "
	   "ip link add up1 mtu 9000 type veth peer name far1 mtu 9000; "
	   "for i in 0 1; do ip addr add 192.0.2.$((i * 100 + 1))/30 dev up$i; "
	   "ip addr add 2001:db8:$i::1/64 dev up$i nodad; ip link set up$i up; "
	   "ip link set far$i up; done");
}

static struct call on_c1(const char *command, const char *config)
{
	return (struct call){ .command = command, .netns = c1, .config = config };
}

/* MTU of the bridge, the host end and the container end. */
static const char *mtus(void)
{
	return fmt("%s %s", sh("cat /sys/class/net/br0/mtu /sys/class/net/veth*/mtu | xargs"),
		   sh_in("c1", "cat /sys/class/net/eth0/mtu"));
}

static const struct {
	const char *routes, *config, *want;
} rows[] = {
	{ "true", NET("1300", V4), "1300 1300 1300" },
	{ "true", NET("68", V4), "68 68 68" },
	{ "true", NET("0", V4), "1500 1500 1500" },
	{ "true", NET("-5", V4), "1500 1500 1500" },
	{ "true", NET("1280", V6), "1280 1280 1280" },
	{ "true", NET("65535", V4), "65535 65535 65535" },
	{ "ip route add default via 192.0.2.2", NET("\"auto\"", V4), "1400 1400 1400" },
	{ "ip route add default via 192.0.2.102", NET("\"auto\"", V4), "9000 9000 9000" },
	{ "ip route add default via 192.0.2.102 metric 5; "
	  "ip route add default via 192.0.2.2 metric 9",
	  NET("\"auto\"", V4), "9000 9000 9000" },
	{ "ip route add default via 192.0.2.102 mtu 1350", NET("\"auto\"", V4), "1350 1350 1350" },
	{ "ip route add 0.0.0.0/1 dev up0; ip route add 128.0.0.0/1 dev up0; "
	  "ip route add default via 192.0.2.102",
	  NET("\"auto\"", V4), "1400 1400 1400" },
	{ "ip -6 route add default via 2001:db8:1::2", NET("\"auto\"", V4), "9000 9000 9000" },
	{ "ip -6 route add default via 2001:db8:1::2; ip route add default via 192.0.2.2",
	  NET("\"auto\"", V6), "1400 1400 1400" },
	{ "ip route add unreachable default; ip -6 route add default via 2001:db8::2",
	  NET("\"auto\"", V6), "1400 1400 1400" },
	{ "ip route add default dev lo", NET("\"auto\"", V4), "65535 65535 65535" },
};

START_TEST(bridge_and_pair_have_it)
{
	sh("%s", rows[_i].routes);
	call_ok(on_c1("ADD", rows[_i].config));
	ck_assert_str_eq(mtus(), rows[_i].want);
	call_ok(on_c1("DEL", rows[_i].config));
}
END_TEST

/* The bridge is everybody's: only the new pair follows. */
START_TEST(a_bridge_that_is_there_keeps_its_own)
{
	sh("ip link add br0 type bridge; ip link set br0 mtu 1450; ip route add default dev up1");
	call_ok(on_c1("ADD", NET("\"auto\"", V4)));
	ck_assert_str_eq(mtus(), "1450 9000 9000");
}
END_TEST

static const struct {
	const char *mtu, *address;
	int code;
	const char *msg, *details;
} refused[] = {
	{ "67", V4, 7, "mtu: 67 is less than 68", "" },
	{ "1", V4, 7, "mtu: 1 is less than 68", "" },
	{ "65536", V4, 7, "mtu: 65536 is more than 65535", "" },
	{ "1279", V6, 7, "mtu 1279 of \"eth0\" is less than the 1280 that IPv6 needs",
	  "\"mtu\" has to be 1280 or more" },
	{ "\"auto\"", V4, 999, "mtu \"auto\": look for the host's default route: network is",
	  "\"mtu\": a number needs none" },
	{ "\"1500\"", V4, 7, "mtu: expected an integer or \"auto\", got \"1500\"", "" },
	{ "\"Auto\"", V4, 7, "mtu: expected an integer or \"auto\", got \"Auto\"", "" },
	{ "\"\"", V4, 7, "mtu: expected an integer or \"auto\", got \"\"", "" },
	{ "1.5", V4, 7, "mtu: expected an integer or \"auto\", got 1.5", "" },
	{ "true", V4, 7, "mtu: expected an integer or \"auto\", got true", "" },
};

START_TEST(what_cannot_be_is_refused_and_leaves_nothing)
{
	const char *before, *config = fmt(NET("%s", "%s"), refused[_i].mtu, refused[_i].address);
	struct reply r;

	/* IPv6 of a bridge that had a small port for a moment begins anew, with the defaults. */
	sh("echo 0 >/proc/sys/net/ipv6/conf/default/accept_ra");
	call_ok(on_c1("ADD", NET("1500", V4)));
	call_ok(on_c1("DEL", NET("1500", V4)));
	before = world_now();
	r = call_fails(on_c1("ADD", config), refused[_i].code, refused[_i].msg);
	ck_assert_msg(strstr(r.details, refused[_i].details) != NULL, "%s", r.out);
	assert_unchanged(before);
}
END_TEST

/* A bridge's MTU follows its ports', and with less than 1280 bytes the kernel removes its addresses. */
START_TEST(a_small_mtu_does_not_take_ipv6_from_a_bridge)
{
	const char *before;
	struct reply r;

	call_ok((struct call){ .command = "ADD",
			       .id = "other",
			       .netns = container_add("c2"),
			       .config = NET("0", "fd00::3/64") });
	before = world_now();
	r = call_fails(on_c1("ADD", NET("1279", V4)), 7,
		       "mtu: 1279 would take IPv6 away from \"br0\", which has fd00::1/64");
	ck_assert_ptr_nonnull(strstr(r.details, "IPv6 needs 1280 bytes"));
	assert_unchanged(before);
	call_ok(on_c1("ADD", NET("1280", V6)));
	ck_assert_str_eq(sh("ip -6 -o addr show br0 scope global | awk '{print $4}'"),
			 "fd00::1/64");
}
END_TEST

/* DEL and CHECK do not need what ADD needed. */
START_TEST(auto_needs_a_default_route_for_add_only)
{
	struct reply r;

	sh("ip route add default dev up0");
	r = call_ok(on_c1("ADD", NET("\"auto\"", V4)));
	sh("ip route del default");
	call_ok(on_c1("CHECK", with_prev(NET("\"auto\"", V4), r.out)));
	call_ok(on_c1("DEL", NET("\"auto\"", V4)));
	ck_assert_int_ne(sh_status_in("c1", "ip link show eth0"), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("mtu");
	TCase *tc = tcase_create("mtu");

	tcase_add_checked_fixture(tc, setup, world_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, bridge_and_pair_have_it, 0, ARRAY_SIZE(rows));
	tcase_add_test(tc, a_bridge_that_is_there_keeps_its_own);
	tcase_add_loop_test(tc, what_cannot_be_is_refused_and_leaves_nothing, 0,
			    ARRAY_SIZE(refused));
	tcase_add_test(tc, a_small_mtu_does_not_take_ipv6_from_a_bridge);
	tcase_add_test(tc, auto_needs_a_default_route_for_add_only);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
