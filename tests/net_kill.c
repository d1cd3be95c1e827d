/*
 * bridge killed (SIGKILL) before each system call that may change something: ADD works again without
 * a DEL, and DEL then leaves what it leaves after an ADD and DEL that nobody disturbed.
 *
 * A first run lists the calls, then one run for each is killed there.
 */
#include "same_world.h"
#include "trace.h"

#define CALLS                                                                            \
	"sendmsg,sendto,linkat,openat,openat2,write,unlinkat,setns,mkdir,mkdirat,flock," \
	"ftruncate,fchmod"

/* Ranges of one address each, so that the files with the last one given are always the same. */
static const char config[] =
	"{\"cniVersion\":\"1.0.0\",\"name\":\"net1\",\"type\":\"bridge\",\"bridge\":\"br0\","
	"\"isDefaultGateway\":true,\"ipMasq\":true,\"macspoofchk\":true,\"ipam\":{\"type\":\"host-"
	"local\",\"ranges\":["
	"[{\"subnet\":\"10.1.0.0/24\",\"rangeStart\":\"10.1.0.9\",\"rangeEnd\":\"10.1.0.9\"}],"
	"[{\"subnet\":\"fd00::/64\",\"rangeStart\":\"fd00::9\",\"rangeEnd\":\"fd00::9\"}]]}}";

static const char *netns;

static void setup(void)
{
	world_setup();
	no_link_local();
	netns = container_add("c1");
}

static struct call on_c1(const char *command)
{
	return (struct call){ .command = command, .netns = netns, .config = config };
}

/* The world, but for what is random: the bridge is made anew for each point. */
static const char *what_is_left(void)
{
	FILE *f = fopen("/run/dump", "w");

	ck_assert_ptr_nonnull(f);
	fputs(world_now(), f);
	fclose(f);
	return sh("sed -E 's/^[0-9]+: //; s/link.ether [0-9a-f:]+/MAC/' /run/dump | sort");
}

/* As if no plugin had ever run. */
static void forget_everything(void)
{
	sh("ip link del br0 2>/dev/null; nft flush ruleset; rm -rf /var/lib/cni; "
	   "echo 0 >/proc/sys/net/ipv4/ip_forward; echo 0 >/proc/sys/net/ipv6/conf/all/forwarding");
}

static void assert_attached(void)
{
	struct reply r = call_ok(on_c1("ADD"));
	struct call check = on_c1("CHECK");

	check.config = with_prev(config, r.out);
	call_ok(check);
	sh_in("c1", "ping -c1 -W2 10.1.0.1 && ping -c1 -W2 fd00::1");
	ck_assert_str_eq(masqueraded("ctr1"), "2");
	ck_assert_str_eq(sh("nft list ruleset 2>/dev/null | grep -c 'macspoofchk-ctr1'"), "4");
}

static bool is_result(const struct point *p)
{
	return strncmp(p->line, "write(", 6) == 0 && strstr(p->line, "cniVersion");
}

/*
 * Whether the last call was killed at its result. On a busy machine it may have had one write more before that than the one
 * that was listed: one that the kernel began anew, a note that something was late.
 */
static bool was_at_result(void)
{
	return sh_status("grep -q '^write(.*cniVersion' " TRACE) == 0;
}

/* Kill ADD at each point, after what `before` leaves; then ADD, CHECK, DEL. */
static void kill_each_add(const struct point *points, int n, const char *clean,
			  const struct point *before)
{
	for (int i = 0; i < n; i++) {
		if (before)
			kill_at(by_plain(on_c1("ADD")), before);
		kill_at(by_plain(on_c1("ADD")), &points[i]);
		if (is_result(&points[i]) && was_at_result()) {
			/* All is done, only nobody knows: as after any ADD, DEL has to come first. */
			call_fails(on_c1("ADD"), 999, "already exists");
			call_ok(on_c1("DEL"));
		}
		assert_attached();
		call_ok(on_c1("DEL"));
		ck_assert_msg(!difference(clean, what_is_left()), "ADD killed at %s: left is\n%s",
			      points[i].line, difference(clean, what_is_left()));
		forget_everything();
	}
}

START_TEST(add_works_again_after_a_killed_add)
{
	static struct point points[MAX_POINTS];
	int n = changing_points(by_plain(on_c1("ADD")), CALLS, points);
	const char *clean;

	ck_assert_int_gt(n, 15);
	ck_assert(is_result(&points[n - 1]));
	call_ok(on_c1("DEL"));
	clean = what_is_left();
	forget_everything();
	kill_each_add(points, n, clean, NULL);
}
END_TEST

/* The first ADD was killed late; the second one, while it clears up after it. */
START_TEST(add_works_again_after_two_killed_adds)
{
	static struct point points[MAX_POINTS];
	int n = changing_points(by_plain(on_c1("ADD")), CALLS, points);
	struct point late = points[n - 2];
	const char *clean;

	call_ok(on_c1("DEL"));
	clean = what_is_left();
	forget_everything();
	kill_at(by_plain(on_c1("ADD")), &late);
	ck_assert_str_eq(masqueraded("ctr1"), "2");
	n = changing_points(by_plain(on_c1("ADD")), CALLS, points);
	call_ok(on_c1("DEL"));
	forget_everything();
	ck_assert_int_gt(n, 15);
	kill_each_add(points, n, clean, &late);
}
END_TEST

START_TEST(del_finishes_what_a_killed_add_began)
{
	static struct point points[MAX_POINTS];
	int n = changing_points(by_plain(on_c1("ADD")), CALLS, points);

	call_ok(on_c1("DEL"));
	forget_everything();
	for (int i = 0; i < n; i++) {
		kill_at(by_plain(on_c1("ADD")), &points[i]);
		call_ok(on_c1("DEL"));
		ck_assert_str_eq(sh("ip -o link show type veth"), "");
		ck_assert_int_ne(sh_status_in("c1", "ip link show eth0"), 0);
		ck_assert_str_eq(sh("find /var/lib -name '*.9' -o -name '*:9'"), "");
		ck_assert_str_eq(masqueraded("ctr1"), "0");
		ck_assert_int_ne(sh_status("nft list ruleset 2>/dev/null | grep macspoofchk-ctr1"),
				 0);
		forget_everything();
	}
}
END_TEST

START_TEST(del_works_again_after_a_killed_del)
{
	static struct point points[MAX_POINTS];
	const char *clean;
	int n;

	/* The first one makes the shared chains, too, so that its DEL looks for rules in one more place. */
	call_ok(on_c1("ADD"));
	call_ok(on_c1("DEL"));
	call_ok(on_c1("ADD"));
	n = changing_points(by_plain(on_c1("DEL")), CALLS, points);
	ck_assert_int_ge(n, 7);
	clean = what_is_left();
	for (int i = 0; i < n; i++) {
		call_ok(on_c1("ADD"));
		kill_at(by_plain(on_c1("DEL")), &points[i]);
		call_ok(on_c1("DEL"));
		ck_assert_msg(!difference(clean, what_is_left()), "DEL killed at %s: left is\n%s",
			      points[i].line, difference(clean, what_is_left()));
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("kill");
	TCase *tc = tcase_create("SIGKILL");

	tcase_add_checked_fixture(tc, setup, world_teardown);
	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, add_works_again_after_a_killed_add);
	tcase_add_test(tc, add_works_again_after_two_killed_adds);
	tcase_add_test(tc, del_finishes_what_a_killed_add_began);
	tcase_add_test(tc, del_works_again_after_a_killed_del);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
