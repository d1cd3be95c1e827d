/*
 * bridge with host-local, as built programs in a world of their own.
 */
#include "same_world.h"

static const char plain[] =
	"{\"cniVersion\":\"1.0.0\",\"name\":\"net1\",\"type\":\"bridge\",\"bridge\":\"br0\","
	"\"isGateway\":true,\"ipam\":{\"type\":\"host-local\",\"subnet\":\"10.1.0.0/24\","
	"\"routes\":[{\"dst\":\"0.0.0.0/0\"}]}}";

START_TEST(add_check_del)
{
	const char *netns, *before, *chk;
	struct reply r;

	no_link_local();
	netns = container_add("c1");
	r = call_ok((struct call){ .command = "ADD", .netns = netns, .config = plain });
	ck_assert_str_eq(sh_in("c1", "ip -4 -o addr show eth0 | awk '{print $4}'"), "10.1.0.2/24");
	ck_assert_str_eq(sh_in("c1", "ip route show default | xargs"),
			 "default via 10.1.0.1 dev eth0");
	sh_in("c1", "ping -c1 -W1 10.1.0.1");
	chk = with_prev(plain, r.out);
	call_ok((struct call){ .command = "CHECK", .netns = netns, .config = chk });
	before = world_now();
	call_fails((struct call){ .command = "ADD", .netns = netns, .config = plain }, 999,
		   "already exists");
	assert_unchanged(before);
	call_ok((struct call){ .command = "DEL", .netns = netns, .config = plain });
	call_ok((struct call){ .command = "DEL", .netns = netns, .config = plain });
	ck_assert_int_ne(sh_status_in("c1", "ip link show eth0"), 0);
	ck_assert_int_ne(sh_status("ls /var/lib/cni/networks/net1/10.1.0.2"), 0);
}
END_TEST

static const char masq[] =
	"{\"cniVersion\":\"1.0.0\",\"name\":\"net1\",\"type\":\"bridge\",\"bridge\":\"br0\","
	"\"isGateway\":true,\"ipMasq\":true,"
	"\"ipam\":{\"type\":\"host-local\",\"subnet\":\"10.1.0.0/24\"}}";

static void assert_freed(void)
{
	ck_assert_int_ne(sh_status("ls /var/lib/cni/networks/net1/10.1.0.2"), 0);
	ck_assert_str_eq(masqueraded("ctr1"), "0");
}

/* As after a crash between umount and unlink, or a reboot with a directory that stays. */
START_TEST(del_succeeds_where_only_the_file_of_the_namespace_is_left)
{
	const char *netns = container_add("c1");

	call_ok((struct call){ .command = "ADD", .netns = netns, .config = masq });
	container_del("c1");
	sh("touch %s", netns);
	call_fails((struct call){ .command = "ADD", .netns = netns, .config = masq }, 999,
		   "unknown FS magic");
	call_ok((struct call){ .command = "DEL", .netns = netns, .config = masq });
	assert_freed();
	call_ok((struct call){
		.plugin = "loopback", .command = "DEL", .netns = netns, .config = masq });
}
END_TEST

/* A path by process id, used again by a process of the host: its links are not ours to delete. */
START_TEST(del_in_our_own_namespace_takes_nothing_of_it_and_says_so)
{
	const char *netns = container_add("c1");

	call_ok((struct call){ .command = "ADD", .netns = netns, .config = masq });
	sh("ip link add eth0 type bridge");
	call_fails((struct call){ .command = "DEL", .netns = "/proc/self/ns/net", .config = masq },
		   8, "should not be the same");
	assert_freed();
	sh("ip link show eth0");
	/* The attachment itself is found by its host end. */
	ck_assert_int_ne(sh_status_in("c1", "ip link show eth0"), 0);
}
END_TEST

START_TEST(del_succeeds_on_a_kernel_without_nf_tables)
{
	/* What nfnetlink answers when asked for a subsystem that is not there: rules, links, spoof check. */
	call_ok((struct call){ .command = "DEL",
			       .config = plain,
			       .wrapper = "env ASAN_OPTIONS=detect_leaks=0 strace -o /dev/null -e "
					  "inject=recvmsg:error=EINVAL:when=1..3" });
	call_ok((struct call){ .command = "DEL",
			       .config = plain,
			       .wrapper = "env ASAN_OPTIONS=detect_leaks=0 strace -o /dev/null -e "
					  "inject=recvmsg:error=EINVAL:when=7+" });
	call_ok((struct call){ .command = "DEL",
			       .config = plain,
			       .wrapper = "env ASAN_OPTIONS=detect_leaks=0 strace -o /dev/null -e "
					  "inject=socket:error=EPROTONOSUPPORT:when=1..3" });
}
END_TEST

/* Kernel parameters go by the first name alone. */
START_TEST(a_bridge_by_another_name_ignores_advertisements)
{
	const char *netns = container_add("c1");

	sh("ip link add bridge-by-name type bridge; "
	   "ip link property add dev bridge-by-name altname br0; "
	   "echo 1 >/proc/sys/net/ipv6/conf/bridge-by-name/accept_ra");
	call_ok((struct call){ .command = "ADD", .netns = netns, .config = plain });
	ck_assert_str_eq(sh("cat /proc/sys/net/ipv6/conf/bridge-by-name/accept_ra"), "0");
}
END_TEST

START_TEST(an_ignored_sigchld_of_the_runtime_does_not_matter)
{
	const char *netns = container_add("c1"), *elsewhere = fmt("%s/bin", world_dir());

	sh("mkdir %s; cp %s/host-local %s", elsewhere, our_plugins(), elsewhere);
	call_ok((struct call){ .command = "ADD",
			       .netns = netns,
			       .config = plain,
			       .path = elsewhere,
			       .wrapper = "env --ignore-signal=CHLD" });
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("bridge");
	TCase *tc = tcase_create("verbs");

	tcase_add_checked_fixture(tc, world_setup, world_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, add_check_del);
	tcase_add_test(tc, del_succeeds_where_only_the_file_of_the_namespace_is_left);
	tcase_add_test(tc, del_in_our_own_namespace_takes_nothing_of_it_and_says_so);
	tcase_add_test(tc, del_succeeds_on_a_kernel_without_nf_tables);
	tcase_add_test(tc, a_bridge_by_another_name_ignores_advertisements);
	tcase_add_test(tc, an_ignored_sigchld_of_the_runtime_does_not_matter);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
