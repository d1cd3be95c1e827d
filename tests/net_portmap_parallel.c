/*
 * 64 portmap ADDs at once, beside others who change tables all the time, then 64 DELs: no rule is lost or
 * doubled, theirs or ours; of two containers with one port exactly one gets it.
 */
#include "portmap_world.h"

#include <stdlib.h>
#include <sys/wait.h>

#define CONTAINERS 64

static void setup(void)
{
	world_setup();
	no_link_local();
	sh("ip link add br0 type bridge && ip addr add " GW4 "/24 dev br0 && ip link set br0 up");
}

static void call_all(const char *command, const char *(*ports)(int n), int failures)
{
	struct running *running[CONTAINERS];
	int failed = 0;

	for (int i = 0; i < CONTAINERS; i++)
		running[i] = call_start(
			on_container(i + 1, command, portmap_alone(i + 1, "", ports(i))));
	for (int i = 0; i < CONTAINERS; i++) {
		struct reply r = call_wait(running[i]);

		if (r.status == 0)
			continue;
		failed++;
		ck_assert_msg(failures && strstr(r.msg, "is taken by"), "%s of ctr%d: %s%s",
			      command, i + 1, r.out, r.err);
	}
	ck_assert_int_eq(failed, failures);
}

static const char *own_ports(int i)
{
	return fmt("{\"hostPort\":%d,\"containerPort\":80,\"protocol\":\"tcp\"},"
		   "{\"hostPort\":%d,\"containerPort\":81,\"protocol\":\"udp\"}",
		   8100 + i, 8100 + i);
}

static const char *shared_ports(int i)
{
	return fmt("{\"hostPort\":%d,\"containerPort\":80,\"protocol\":\"tcp\"}", 8100 + i / 2);
}

/* Somebody else, who adds and deletes rules in a loop until told to stop; each time leaves one more. */
static pid_t disturb(const char *loop)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execlp("sh", "sh", "-c",
		       fmt("i=0; while [ ! -e /run/stop ]; do i=$((i+1)); echo $i >/run/$$; %s; "
			   "done "
			   ">/run/disturb.$$ 2>&1",
			   loop),
		       NULL);
		_exit(127);
	}
	return pid;
}

static void stop(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

/* How many rules there are that read so, as the backend's own tool prints them. */
static const char *count_of(const char *pattern)
{
	return sh("{ %s; } 2>/dev/null | grep -cE -e '%s' || true",
		  *backend->name == 'n'
			  ? "nft list table ip cni_hostport; nft list table ip6 cni_hostport"
			  : "iptables-save; ip6tables-save",
		  pattern);
}

static void assert_all_there(void)
{
	/* tcp and udp, of both families */
	ck_assert_str_eq(count_of("dport 81[0-9][0-9] (-j DNAT|dnat to)"),
			 fmt("%d", 4 * CONTAINERS));
	for (int i = 0; i < CONTAINERS; i++)
		if (i % 8 == 0)
			call_ok(on_container(i + 1, "CHECK",
					     portmap_alone(i + 1, "", own_ports(i))));
}

START_TEST(no_rule_is_lost_or_doubled_beside_others)
{
	pid_t nft, ipt;
	const char *tool;

	use_backend(_i);
	tool = strcmp(backend->iptables, "legacy") == 0 ? "/usr/sbin/iptables-legacy"
							: "/usr/sbin/iptables-nft";
	sh("nft add table ip other && nft add chain ip other c");
	nft = disturb("nft add rule ip other c tcp dport $i accept");
	ipt = disturb(
		fmt("%s -w -t nat -A PREROUTING -p tcp --dport 1 -m comment --comment other$i && "
		    "%s -w -t nat -D PREROUTING -p tcp --dport 1 -m comment --comment other$i && "
		    "%s -w -t nat -A POSTROUTING -p tcp --dport 1 -m comment --comment kept$i",
		    tool, tool, tool));
	call_all("ADD", own_ports, 0);
	assert_all_there();
	call_all("DEL", own_ports, 0);
	sh("touch /run/stop");
	stop(nft);
	stop(ipt);
	ck_assert_str_eq(sh("cat /run/disturb.*"), "");
	ck_assert_str_eq(sh("nft list chain ip other c | grep -c accept"), sh("cat /run/%d", nft));
	ck_assert_str_eq(sh("%s-save -t nat | grep -c kept", tool), sh("cat /run/%d", ipt));
	ck_assert_str_eq(sh("%s-save -t nat | grep -c 'other[0-9]' || true", tool), "0");
	ck_assert_str_eq(count_of("ctr[0-9]|CNI-DN-|dport 81[0-9][0-9]"), "0");
	/* What all share is there once. */
	if (*backend->name == 'i')
		ck_assert_str_eq(
			sh("for c in PREROUTING OUTPUT POSTROUTING; do %s -t nat -S $c; done | "
			   "grep -c CNI-HOSTPORT",
			   tool),
			"3");
	ck_assert_str_eq(sh("nft list table inet cni_hostport_owners | grep -c elements || true"),
			 "0");
}
END_TEST

START_TEST(of_two_at_once_one_gets_the_port)
{
	use_backend(_i);
	call_all("ADD", shared_ports, CONTAINERS / 2);
	ck_assert_str_eq(sh("nft list set inet cni_hostport_owners any4 | grep -c ' 81'"),
			 fmt("%d", CONTAINERS / 2));
	call_all("DEL", shared_ports, 0);
	ck_assert_str_eq(count_of("ctr[0-9]|CNI-DN-|dport 81[0-9][0-9]"), "0");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("portmap, many at once");
	TCase *tc = tcase_create("parallel");

	tcase_add_checked_fixture(tc, setup, world_teardown);
	tcase_set_timeout(tc, 240);
	tcase_add_loop_test(tc, no_rule_is_lost_or_doubled_beside_others, 0, BACKENDS);
	tcase_add_loop_test(tc, of_two_at_once_one_gets_the_port, 0, BACKENDS);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
