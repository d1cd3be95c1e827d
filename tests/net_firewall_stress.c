/*
 * firewall under stress: many at once beside others who change the same tables, and system calls that
 * fail one after the other.
 */
#include "iptables_kind.h"
#include "peer_state.h"
#include "same_world.h"

#define CONTAINERS 32

static void setup(void)
{
	world_setup();
	kinds_make();
	container_add("c1");
}

/* The n-th container: two addresses of its own on one isolated bridge. */
static struct call nth(int kind, const char *command, int n)
{
	return (struct call){
		.command = command,
		.id = fmt("ctr%d", n),
		.netns = "/run/netns/c1",
		.config = conf(fmt("{'cniVersion':'1.1.0','name':'net1','type':'firewall',"
				   "'backend':'iptables','ingressPolicy':'isolated','prevResult':{'"
				   "interfaces':[{'name':"
				   "'br1'}],'ips':[{'address':'10.1.0.%d/24'},{'address':"
				   "'fd01::%d/64'}]}}",
				   n + 1, n + 1),
			       ""),
		.wrapper = on_kind(kind),
	};
}

/* ---- many at once ---- */

static void call_all(int kind, const char *command)
{
	struct running *running[CONTAINERS];
	int failed = 0;

	for (int i = 0; i < CONTAINERS; i++)
		running[i] = call_start(nth(kind, command, i));
	for (int i = 0; i < CONTAINERS; i++) {
		struct reply r = call_wait(running[i]);

		if (r.status == 0)
			continue;
		fprintf(stderr, "%s of ctr%d: %s%s\n", command, i, r.out, r.err);
		failed++;
	}
	ck_assert_msg(failed == 0, "%d of %d %s failed", failed, CONTAINERS, command);
}

/* Others who add and delete a rule in the same chain, and in a table of their own, until told to stop. */
static void start_others(int kind)
{
	sh("touch /run/go; ipt='/usr/sbin/xtables-%s-multi iptables -w 60'; "
	   "(while test -e /run/go; do "
	   "$ipt -A FORWARD -s 192.0.2.1 -j ACCEPT && $ipt -D FORWARD -s 192.0.2.1 -j ACCEPT && "
	   "$ipt -A FORWARD -s 192.0.2.2 -j ACCEPT || touch /run/others-failed; done) "
	   ">/dev/null 2>/run/others & echo $! >/run/others.pid; "
	   "(while test -e /run/go; do nft 'add table inet others; add chain inet others c; "
	   "delete table inet others' || touch /run/others-failed; done) >/dev/null 2>&1 & "
	   "echo $! >>/run/others.pid",
	   kind_names[kind]);
}

static void stop_others(void)
{
	sh("rm /run/go; for p in $(cat /run/others.pid); do "
	   "timeout 60 tail --pid=$p -f /dev/null; done; "
	   "test ! -e /run/others-failed || { cat /run/others; false; }");
}

/* Every rule of every container once, and what is shared once. */
static void assert_all_once(const char *rules)
{
	FILE *f = fopen("/run/rules", "w");

	ck_assert_ptr_nonnull(f);
	fputs(rules, f);
	fclose(f);
	sh("sed -i '/^-A CNI-FORWARD-DNAT-/d' /run/rules"); /* marks */
	ck_assert_str_eq(
		sh("grep -v 192.0.2.2 /run/rules | grep '^-A' | sed '/^-A.* [0-9.]*\\/32/!d' "
		   "| sort | uniq -d"),
		"");
	for (int i = 0; i < CONTAINERS; i++) {
		ck_assert_str_eq(sh("grep -c -e ' 10.1.0.%d/32 ' /run/rules", i + 1), "3");
		ck_assert_str_eq(sh("grep -c -e ' fd01::%d/128 ' /run/rules", i + 1), "3");
	}
	ck_assert_str_eq(sh("grep -c -e '-A FORWARD .* -j CNI' /run/rules"), "4");
	ck_assert_str_eq(sh("grep -c -e '-A CNI-FORWARD .* -j CNI' /run/rules"), "4");
	ck_assert_str_eq(sh("grep -c -e '-A CNI-ISOLATION' /run/rules"), "10");
}

START_TEST(many_at_once_beside_others_lose_and_double_nothing)
{
	start_others(_i);
	call_all(_i, "ADD");
	assert_all_once(filter_rules(_i));
	call_all(_i, "DEL");
	stop_others();
	ck_assert_ptr_null(strstr(filter_rules(_i), "10.1.0."));
	ck_assert_ptr_null(strstr(filter_rules(_i), "fd01::"));
	ck_assert_ptr_null(strstr(filter_rules(_i), "192.0.2.1"));
	ck_assert_ptr_nonnull(strstr(filter_rules(_i), "192.0.2.2"));
}
END_TEST

/* ---- what fails half-way ---- */

static const struct {
	int kind;
	const char *inject; /* of strace */
} faults[] = {
	{ KIND_NFT, "sendto:error=ENOBUFS" },
	{ KIND_NFT, "recvmsg:error=ENOMEM" },
	{ KIND_LEGACY, "setsockopt:error=ENOMEM" },
	{ KIND_LEGACY, "getsockopt:error=ENOMEM" },
};

/* The first, the second, ... call of its sort fails, until none does. */
START_TEST(an_add_that_fails_leaves_no_rule_of_its_addresses)
{
	int kind = faults[_i].kind, failures = 0;
	struct reply r = { .status = 1 };

	for (int n = 1; r.status != 0; n++) {
		struct call c = nth(kind, "ADD", 1);

		c.wrapper = fmt("%s ASAN_OPTIONS=detect_leaks=0 /usr/bin/strace -f -o /dev/null -e "
				"inject=%s:when=%d",
				on_kind(kind), faults[_i].inject, n);
		ck_assert_int_lt(n, 200);
		r = call(c);
		if (r.status == 0)
			break;
		failures++;
		ck_assert_msg(r.status == 1 && r.code == 999 && *r.msg, "%s%s", r.out, r.err);
		ck_assert_ptr_null(strstr(filter_rules(kind), "10.1.0.2"));
		ck_assert_ptr_null(strstr(filter_rules(kind), "fd01::2"));
	}
	ck_assert_int_gt(failures, 0);
	ck_assert_ptr_nonnull(strstr(filter_rules(kind), "fd01::2"));
}
END_TEST

/* A DEL that fails says so, and the next one finishes it. */
START_TEST(a_del_that_fails_can_be_repeated)
{
	int kind = faults[_i].kind;
	struct reply r = { .status = 1 };

	for (int n = 1; r.status != 0; n++) {
		struct call c = nth(kind, "DEL", 1);

		call_ok(nth(kind, "ADD", 1));
		c.wrapper = fmt("%s ASAN_OPTIONS=detect_leaks=0 /usr/bin/strace -f -o /dev/null -e "
				"inject=%s:when=%d",
				on_kind(kind), faults[_i].inject, n);
		ck_assert_int_lt(n, 200);
		r = call(c);
		ck_assert_msg(r.status == 0 || (r.status == 1 && *r.msg), "%s%s", r.out, r.err);
		call_ok(nth(kind, "DEL", 1));
		ck_assert_ptr_null(strstr(filter_rules(kind), "10.1.0.2"));
		ck_assert_ptr_null(strstr(filter_rules(kind), "fd01::2"));
	}
}
END_TEST

int main(void)
{
	int n_faults = (int)(sizeof(faults) / sizeof(faults[0]));
	Suite *suite = suite_create("firewall under stress");
	TCase *tc = tcase_create("stress");

	tcase_add_checked_fixture(tc, setup, world_teardown);
	tcase_set_timeout(tc, 300);
	tcase_add_loop_test(tc, many_at_once_beside_others_lose_and_double_nothing, 0, KINDS);
	tcase_add_loop_test(tc, an_add_that_fails_leaves_no_rule_of_its_addresses, 0, n_faults);
	tcase_add_loop_test(tc, a_del_that_fails_can_be_repeated, 0, n_faults);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
