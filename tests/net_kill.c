/*
 * bridge killed (SIGKILL) before each system call that may change something: ADD works again without
 * a DEL, and DEL then leaves what it leaves after an ADD and DEL that nobody disturbed.
 *
 * strace does the killing: a first run under it lists the calls, then one run for each is killed
 * there. Leak detection is off in these runs, because it cannot work in a traced process.
 */
#include "same_world.h"

#include <stdlib.h>

#define TRACE "/run/trace"
#define CALLS                                                                            \
	"sendmsg,sendto,linkat,openat,openat2,write,unlinkat,setns,mkdir,mkdirat,flock," \
	"ftruncate,fchmod"
#define MAX_CALLS 400
#define MAX_POINTS MAX_CALLS
#define NO_LEAK_CHECK "env ASAN_OPTIONS=detect_leaks=0 "

/* Ranges of one address each, so that the files with the last one given are always the same. */
static const char config[] =
	"{\"cniVersion\":\"1.0.0\",\"name\":\"net1\",\"type\":\"bridge\",\"bridge\":\"br0\","
	"\"isDefaultGateway\":true,\"ipMasq\":true,\"ipam\":{\"type\":\"host-local\",\"ranges\":["
	"[{\"subnet\":\"10.1.0.0/24\",\"rangeStart\":\"10.1.0.9\",\"rangeEnd\":\"10.1.0.9\"}],"
	"[{\"subnet\":\"fd00::/64\",\"rangeStart\":\"fd00::9\",\"rangeEnd\":\"fd00::9\"}]]}}";

static const char *netns;

/* Where a plugin can be killed: at the `k`th call (from 1) of this name; strace counts each name. */
struct point {
	char name[16];
	int k;
	char line[160];
};

static void setup(void)
{
	world_setup();
	no_link_local();
	netns = container_add("c1");
}

static struct call on_c1(const char *command, const char *wrapper)
{
	return (struct call){
		.command = command, .netns = netns, .config = config, .wrapper = wrapper
	};
}

static bool may_change_something(const char *line)
{
	if (strstr(line, " = -1 EEXIST") || strstr(line, " = -1 ENOENT"))
		return false; /* the same as before the next one */
	return !strstr(line, "openat") || strstr(line, "O_WRONLY") || strstr(line, "O_CREAT");
}

static size_t name_length(const char *line)
{
	return strcspn(line, "(");
}

/* How many of the calls so far had the same name as the last one. */
static int count_name(char (*names)[16], int n)
{
	int count = 0;

	for (int i = 0; i < n; i++)
		count += strcmp(names[i], names[n - 1]) == 0;
	return count;
}

/* Run undisturbed, under strace; the points begin where the container's namespace was opened. */
static int find_points(const char *command, struct point points[MAX_POINTS])
{
	static char names[MAX_CALLS][16];
	char *line = NULL;
	bool begun = false;
	size_t size = 0;
	int calls = 0, n = 0;
	FILE *f;

	call_ok(on_c1(command, NO_LEAK_CHECK "strace -o " TRACE " -e trace=" CALLS));
	f = fopen(TRACE, "r");
	ck_assert_ptr_nonnull(f);
	while (getline(&line, &size, f) > 0) {
		if (strncmp(line, "+++", 3) == 0)
			continue;
		ck_assert_int_lt(calls, MAX_CALLS);
		snprintf(names[calls++], sizeof(names[0]), "%.*s", (int)name_length(line), line);
		begun |= strstr(line, netns) != NULL;
		if (!begun || !may_change_something(line))
			continue;
		memcpy(points[n].name, names[calls - 1], sizeof(points[n].name));
		points[n].k = count_name(names, calls);
		snprintf(points[n].line, sizeof(points[n].line), "%s", line);
		n++;
	}
	free(line);
	fclose(f);
	return n;
}

static void kill_at(const char *command, const struct point *p)
{
	struct reply r = call(on_c1(command, fmt(NO_LEAK_CHECK "strace -o " TRACE " -e trace=%s -e "
							       "inject=%s:signal=KILL:when=%d",
						 p->name, p->name, p->k)));

	ck_assert_msg(r.status == 128 + 9, "%s was not killed at %s: exit status %d, %s%s", command,
		      p->line, r.status, r.out, r.err);
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
	struct reply r = call_ok(on_c1("ADD", NULL));
	struct call check = on_c1("CHECK", NULL);

	check.config = with_prev(config, r.out);
	call_ok(check);
	sh_in("c1", "ping -c1 -W2 10.1.0.1 && ping -c1 -W2 fd00::1");
	ck_assert_str_eq(masqueraded("ctr1"), "2");
}

static bool is_result(const struct point *p)
{
	return strncmp(p->line, "write(", 6) == 0 && strstr(p->line, "cniVersion");
}

/* Kill ADD at each point, after what `before` leaves; then ADD, CHECK, DEL. */
static void kill_each_add(const struct point *points, int n, const char *clean,
			  const struct point *before)
{
	for (int i = 0; i < n; i++) {
		if (before)
			kill_at("ADD", before);
		kill_at("ADD", &points[i]);
		if (is_result(&points[i])) {
			/* All is done, only nobody knows: as after any ADD, DEL has to come first. */
			call_fails(on_c1("ADD", NULL), 999, "already exists");
			call_ok(on_c1("DEL", NULL));
		}
		assert_attached();
		call_ok(on_c1("DEL", NULL));
		ck_assert_msg(!difference(clean, what_is_left()), "ADD killed at %s: left is\n%s",
			      points[i].line, difference(clean, what_is_left()));
		forget_everything();
	}
}

START_TEST(add_works_again_after_a_killed_add)
{
	static struct point points[MAX_POINTS];
	int n = find_points("ADD", points);
	const char *clean;

	ck_assert_int_gt(n, 15);
	ck_assert(is_result(&points[n - 1]));
	call_ok(on_c1("DEL", NULL));
	clean = what_is_left();
	forget_everything();
	kill_each_add(points, n, clean, NULL);
}
END_TEST

/* The first ADD was killed late; the second one, while it clears up after it. */
START_TEST(add_works_again_after_two_killed_adds)
{
	static struct point points[MAX_POINTS];
	int n = find_points("ADD", points);
	struct point late = points[n - 2];
	const char *clean;

	call_ok(on_c1("DEL", NULL));
	clean = what_is_left();
	forget_everything();
	kill_at("ADD", &late);
	ck_assert_str_eq(masqueraded("ctr1"), "2");
	n = find_points("ADD", points);
	call_ok(on_c1("DEL", NULL));
	forget_everything();
	ck_assert_int_gt(n, 15);
	kill_each_add(points, n, clean, &late);
}
END_TEST

START_TEST(del_finishes_what_a_killed_add_began)
{
	static struct point points[MAX_POINTS];
	int n = find_points("ADD", points);

	call_ok(on_c1("DEL", NULL));
	forget_everything();
	for (int i = 0; i < n; i++) {
		kill_at("ADD", &points[i]);
		call_ok(on_c1("DEL", NULL));
		ck_assert_str_eq(sh("ip -o link show type veth"), "");
		ck_assert_int_ne(sh_status_in("c1", "ip link show eth0"), 0);
		ck_assert_str_eq(sh("find /var/lib -name '*.9' -o -name '*:9'"), "");
		ck_assert_str_eq(masqueraded("ctr1"), "0");
		forget_everything();
	}
}
END_TEST

START_TEST(del_works_again_after_a_killed_del)
{
	static struct point points[MAX_POINTS];
	const char *clean;
	int n;

	call_ok(on_c1("ADD", NULL));
	n = find_points("DEL", points);
	ck_assert_int_ge(n, 7);
	clean = what_is_left();
	for (int i = 0; i < n; i++) {
		call_ok(on_c1("ADD", NULL));
		kill_at("DEL", &points[i]);
		call_ok(on_c1("DEL", NULL));
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
