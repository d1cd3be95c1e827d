/*
 * bridge with host-local, as built programs in a world of their own.
 */
#include "world.h"

#include <string.h>

static const char plain[] =
	"{\"cniVersion\":\"1.0.0\",\"name\":\"net1\",\"type\":\"bridge\",\"bridge\":\"br0\","
	"\"isGateway\":true,\"ipam\":{\"type\":\"host-local\",\"subnet\":\"10.1.0.0/24\","
	"\"routes\":[{\"dst\":\"0.0.0.0/0\"}]}}";

START_TEST(add_check_del)
{
	const char *netns = container_add("c1"), *before, *chk;
	struct reply r =
		call_ok((struct call){ .command = "ADD", .netns = netns, .config = plain });

	ck_assert_str_eq(sh_in("c1", "ip -4 -o addr show eth0 | awk '{print $4}'"), "10.1.0.2/24");
	ck_assert_str_eq(sh_in("c1", "ip route show default | xargs"),
			 "default via 10.1.0.1 dev eth0");
	sh_in("c1", "ping -c1 -W1 10.1.0.1");
	chk = with_prev(plain, r.out);
	call_ok((struct call){ .command = "CHECK", .netns = netns, .config = chk });
	before = world_dump();
	call_fails((struct call){ .command = "ADD", .netns = netns, .config = plain }, 999,
		   "already exists");
	ck_assert_str_eq(before, world_dump());
	call_ok((struct call){ .command = "DEL", .netns = netns, .config = plain });
	call_ok((struct call){ .command = "DEL", .netns = netns, .config = plain });
	ck_assert_int_ne(sh_status_in("c1", "ip link show eth0"), 0);
	ck_assert_int_ne(sh_status("ls /var/lib/cni/networks/net1/10.1.0.2"), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("bridge");
	TCase *tc = tcase_create("verbs");

	tcase_add_checked_fixture(tc, world_setup, world_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, add_check_del);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
