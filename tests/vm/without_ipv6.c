/* On a kernel that was booted with ipv6.disable=1: networks of IPv4 work, those of IPv6 say why not. */
#include "world.h"

#define NET(address)                                                                          \
	"{\"cniVersion\":\"1.0.0\",\"name\":\"net1\",\"type\":\"bridge\",\"bridge\":\"br0\"," \
	"\"isDefaultGateway\":true,\"ipMasq\":true,\"ipMasqBackend\":\"nftables\",\"ipam\":{" \
	"\"type\":"                                                                           \
	"\"static\",\"addresses\":[{\"address\":\"" address "\"}]}}"

static const char *c1;

static void setup(void)
{
	world_setup();
	c1 = container_add("c1");
	ck_assert_int_ne(sh_status("test -e /proc/sys/net/ipv6/conf"), 0);
}

static struct call on(const char *command, const char *config)
{
	return (struct call){ .command = command, .netns = c1, .id = "ctr1", .config = config };
}

START_TEST(a_network_of_ipv4_works)
{
	struct reply r = call_ok(on("ADD", NET("10.1.0.2/24")));

	ck_assert_str_eq(r.err, "");
	sh_in("c1", "ping -c1 -W5 10.1.0.1");
	call_ok(on("CHECK", with_prev(NET("10.1.0.2/24"), r.out)));
	call_ok(on("DEL", with_prev(NET("10.1.0.2/24"), r.out)));
	ck_assert_int_ne(sh_status_in("c1", "ip link show eth0"), 0);
}
END_TEST

START_TEST(a_network_of_ipv6_is_refused_and_leaves_nothing)
{
	call_ok(on("ADD", NET("10.1.0.2/24")));
	call_ok(on("DEL", NET("10.1.0.2/24")));
	call_fails(on("ADD", NET("fd00::2/64")), 999, "");
	ck_assert_str_eq(sh("ip -o link show type veth"), "");
	ck_assert_int_ne(sh_status_in("c1", "ip link show eth0"), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("without IPv6");
	TCase *tc = tcase_create("without IPv6");

	tcase_add_checked_fixture(tc, setup, world_teardown);
	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, a_network_of_ipv4_works);
	tcase_add_test(tc, a_network_of_ipv6_is_refused_and_leaves_nothing);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
