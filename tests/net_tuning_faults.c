/*
 * tuning when something is wrong: bad input, steps that fail, files that somebody planted, an ADD or DEL
 * killed (SIGKILL) or failed at each system call that may change something; and DEL, whatever is gone.
 */
#include "trace.h"
#include "tuning_world.h"

#include <stdlib.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define CALLS "sendmsg,sendto,openat,openat2,write,unlinkat,mkdir,renameat,renameat2"
#define SYSCTL(pairs) TUNING(",\"sysctl\":{" pairs "}")

/* ---- bad input ---- */

static const struct bad_input {
	const char *config;
	const char *args; /* CNI_ARGS; NULL = not set */
	const char *command; /* NULL = ADD */
	int code;
	const char *msg; /* part of the message */
} inputs[] = {
	/* Types. */
	{ TUNING(",\"sysctl\":[]"), NULL, NULL, 7, "failed to load netconf: sysctl: expected an" },
	{ SYSCTL("\"net.core.somaxconn\":1"), NULL, NULL, 7, "net.core.somaxconn: expected a str" },
	{ TUNING(",\"mac\":5"), NULL, NULL, 7, "mac: expected a string, got 5" },
	{ TUNING(",\"mtu\":\"1400\""), NULL, NULL, 7, "mtu: expected an integer" },
	{ TUNING(",\"mtu\":1400.5"), NULL, NULL, 7, "mtu: expected an integer" },
	{ TUNING(",\"promisc\":1"), NULL, NULL, 7, "promisc: expected true or false" },
	{ TUNING(",\"allmulti\":\"x\""), NULL, NULL, 7, "allmulti: expected true or false" },
	{ TUNING(",\"txQLen\":true"), NULL, NULL, 7, "txQLen: expected an integer" },
	{ TUNING(",\"dataDir\":[]"), NULL, NULL, 7, "dataDir: expected a string" },
	{ TUNING(",\"args\":{\"cni\":[]}"), NULL, NULL, 7, "args.cni: expected an object" },
	{ TUNING(",\"args\":{\"cni\":{\"mtu\":\"x\"}}"), NULL, NULL, 7, "args.cni.mtu: expected" },
	{ TUNING(",\"args\":{\"cni\":{\"sysctl\":{\"net.x\":1}}}"), NULL, NULL, 7,
	  "args.cni.sysctl.net.x: expected a string" },
	{ TUNING(",\"runtimeConfig\":{\"mac\":1}"), NULL, NULL, 7, "runtimeConfig.mac: expected" },
	{ TUNING(",\"ipam\":\"x\""), NULL, NULL, 7, "ipam: expected an object" },
	/* Values. */
	{ TUNING(",\"mac\":\"zz\""), NULL, NULL, 7,
	  "invalid args zz for MAC addr: address zz: invalid MAC address" },
	{ TUNING(",\"mac\":\"02:00:00:00:00:00:00:01\""), NULL, NULL, 7, "invalid MAC address" },
	{ TUNING(",\"mac\":\"03:00:00:00:00:01\""), NULL, NULL, 7, "not the address of one host" },
	{ TUNING(",\"mac\":\"00:00:00:00:00:00\""), NULL, NULL, 7, "not the address of one host" },
	{ TUNING(""), "MAC=zz", NULL, 7, "address zz: invalid MAC address" },
	{ TUNING(",\"mtu\":-1"), NULL, NULL, 7, "mtu: -1 is out of range" },
	{ TUNING(",\"mtu\":4294968796"), NULL, NULL, 7, "mtu: 4294968796 is out of range" },
	{ TUNING(",\"txQLen\":-2"), NULL, NULL, 7, "txQLen: -2 is out of range" },
	{ TUNING(",\"txQLen\":4294967296"), NULL, NULL, 7, "txQLen: 4294967296 is out of range" },
	{ TUNING(""), "FOO=1", NULL, 4, "ARGS: unknown args [\"FOO=1\"]" },
	{ TUNING(""), "mac=" NEW_MAC, NULL, 4, "ARGS: unknown args" },
	{ TUNING(""), "MAC", NULL, 4, "ARGS: invalid pair \"MAC\"" },
	/* Keys that lead elsewhere. */
	{ SYSCTL("\"net\":\"1\""), NULL, NULL, 7, "invalid net sysctl key: \"net\"" },
	{ SYSCTL("\"network.x\":\"1\""), NULL, NULL, 7, "invalid net sysctl key" },
	{ SYSCTL("\"\":\"1\""), NULL, NULL, 7, "invalid net sysctl key: \"\"" },
	{ SYSCTL("\"/etc/passwd\":\"1\""), NULL, NULL, 7,
	  "invalid net sysctl key: \"etc/passwd\"" },
	{ SYSCTL("\"net.ipv4.conf.../../../kernel/hostname\":\"x\""), NULL, NULL, 999,
	  "open /proc/sys/net/ipv4/conf/kernel/hostname: no such file or directory" },
	{ SYSCTL("\"net/../kernel/hostname\":\"x\""), NULL, NULL, 999,
	  "open /proc/sys/net/kernel/hostname: no such file or directory" },
	{ SYSCTL("\"net.core.somaxconn\\u0000x\":\"1\""), NULL, NULL, 6, "error unmarshall" },
	{ SYSCTL("\"net.core.somaxconn\":\"1\\u0000\""), NULL, NULL, 6, "error unmarshall" },
	{ SYSCTL("\"net.core\":\"1\""), NULL, NULL, 999,
	  "read /proc/sys/net/core: is a directory" },
	{ SYSCTL("\"net.core.nope\":\"1\""), NULL, NULL, 999,
	  "open /proc/sys/net/core/nope: no such file or directory" },
	{ SYSCTL("\"net.core.somaxconn\":\"1\",\"net.core.somaxconn\":\"1\""), NULL, NULL, 7,
	  "duplicated sysctl keys are not allowed" },
	{ SYSCTL("\"net.core.somaxconn\":\"1\",\"net/core/somaxconn\":\"2\""), NULL, NULL, 7,
	  "sysctl.net/core/somaxconn: the same parameter is \"1\" already" },
	{ TUNING(",\"args\":{\"cni\":{\"sysctl\":{\"net.core.somaxconn\":\"1\","
		 "\"net/core/somaxconn\":\"2\"}}}"),
	  NULL, NULL, 7, "sysctl.net/core/somaxconn: the same parameter is \"1\" already" },
	/* The chain. */
	{ BARE(EVERYTHING), NULL, NULL, 7, "Required prevResult missing" },
	{ BARE(",\"prevResult\":{\"cniVersion\":\"0.4.0\"},\"mtu\":1400"), NULL, NULL, 7,
	  "could not parse prevResult: result type supports [1.0.0 1.1.0] but" },
	{ BARE(",\"prevResult\":{\"ips\":[{\"address\":\"10.1.0.2\"}]}"), NULL, NULL, 7,
	  "could not parse prevResult: invalid CIDR address: 10.1.0.2" },
	/* Other verbs. */
	{ BARE(""), NULL, "CHECK", 7, "Required prevResult missing" },
	{ TUNING(",\"mac\":\"zz\""), NULL, "CHECK", 7, "address zz: invalid MAC address" },
	{ SYSCTL("\"kernel.x\":\"1\""), NULL, "CHECK", 7, "invalid net sysctl key" },
	{ BARE(",\"dataDir\":1"), NULL, "DEL", 7, "dataDir: expected a string" },
	{ BARE(",\"dataDir\":1,\"cni.dev/valid-attachments\":[]"), NULL, "GC", 7,
	  "dataDir: expec" },
	{ BARE(",\"cni.dev/valid-attachments\":[5]"), NULL, "GC", 7, "attachments[0]: expected" },
};

/* What is asked for besides is never done. */
START_TEST(bad_input_is_refused_and_changes_nothing)
{
	const char *before = tuning_state(), *world = world_now();
	const struct bad_input *b = &inputs[_i];
	struct call c = on_c1(b->command ? b->command : "ADD", b->config);

	c.args = b->args;
	c.plugin = "tuning";
	call_fails(c, b->code, b->msg);
	assert_state(before);
	assert_unchanged(world);
	ck_assert_int_ne(sh_status("test -e /run/cni"), 0);
}
END_TEST

/*
 * A parameter outside of net is the whole machine's, and kernel.core_pattern runs a program of the
 * container's choice there. The values are those it has already: nothing happens if this test fails.
 */
START_TEST(cve_2022_0811_no_parameter_outside_of_net_is_set)
{
	static const char *const keys[] = { "kernel.core_pattern", "kernel/core_pattern",
					    "/kernel/core_pattern", "../kernel/core_pattern",
					    ".kernel.core_pattern" };
	const char *value = sh("cat /proc/sys/kernel/core_pattern");

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		call_fails(on_c1("ADD", fmt(SYSCTL("\"%s\":\"%s\""), keys[i], value)), 7,
			   "invalid net sysctl key: \"kernel/core_pattern\"");
		call_fails(on_c1("ADD",
				 fmt(TUNING(",\"args\":{\"cni\":{\"sysctl\":{\"%s\":\"%s\"}}}"),
				     keys[i], value)),
			   7, "invalid net sysctl key: \"kernel/core_pattern\"");
	}
}
END_TEST

/* ---- steps that fail ---- */

static const struct {
	const char *prepare, *config, *msg, *details;
} steps[] = {
	{ "true", TUNING(EVERYTHING ",\"args\":{\"cni\":{\"mtu\":10}}"),
	  "failed to set attributes of \"eth0\": invalid argument",
	  "mtu less than device minimum" },
	{ "true", TUNING(EVERYTHING ",\"args\":{\"cni\":{\"mtu\":100000}}"),
	  "failed to set attributes of \"eth0\"", "mtu greater than device maximum" },
	{ "true", SYSCTL("\"net.core.somaxconn\":\"77\",\"net.ipv4.conf.all.arp_filter\":\"x\""),
	  "write /proc/sys/net/ipv4/conf/all/arp_filter: invalid argument",
	  "the kernel does not take the value \"x\"" },
	{ "true", SYSCTL("\"net.core.somaxconn\":\"77\",\"net.ipv4.tcp_rmem\":\"4096 100000 x\""),
	  "write /proc/sys/net/ipv4/tcp_rmem: invalid argument",
	  "the kernel does not take the value \"4096 100000 x\"" },
	{ "true", SYSCTL("\"net.ipv4.ip_local_reserved_ports\":\"5\",\"net.core.somaxconn\":\"x\""),
	  "write /proc/sys/net/core/somaxconn: invalid argument", "" },
	{ "true", SYSCTL("\"net.core.somaxconn\":\"77\",\"net.core.nope\":\"1\""),
	  "open /proc/sys/net/core/nope: no such file or directory",
	  "namespace has no /proc/sys/net/core/nope" },
	{ "true", SYSCTL("\"net.core.somaxconn\":\"77\",\"net.ipv6.conf.eth7.accept_ra\":\"1\""),
	  "open /proc/sys/net/ipv6/conf/eth7/accept_ra: no such file or directory",
	  "has no /proc/sys/net/ipv6/conf/eth7: no such interface, or one without IPv6" },
	{ "ip netns exec c1 ip link set eth0 mtu 1200",
	  SYSCTL("\"net.core.somaxconn\":\"77\",\"net.ipv6.conf.IFNAME.accept_ra\":\"1\""),
	  "open /proc/sys/net/ipv6/conf/eth0/accept_ra", "one without IPv6, as an mtu below 1280" },
	{ "true", SYSCTL("\"net.core.somaxconn\":\"77\",\"net.netfilter.nf_conntrack_max\":\"9\""),
	  "/proc/sys/net/netfilter/nf_conntrack_max", "" },
	{ "true", SYSCTL("\"net.core.somaxconn\":\"77\",\"net.ipv4.conf.all.mc_forwarding\":\"1\""),
	  "open /proc/sys/net/ipv4/conf/all/mc_forwarding: permission denied",
	  "lets nobody set it" },
	{ "ip netns exec c1 ip link del eth0", TUNING(EVERYTHING),
	  "failed to get \"eth0\": Link not found", "" },
	{ "echo >/run/cni", TUNING(EVERYTHING),
	  "failed to create backup file in /run/cni/tuning: not a directory",
	  "dataDir chooses another directory" },
	{ "mkdir -p " BACKUPS "/ctr1_eth0.json", TUNING(EVERYTHING),
	  "failed to create backup file in /run/cni/tuning: is a directory", "" },
	{ "mkdir -p " BACKUPS " && mount -t tmpfs -o ro tmpfs " BACKUPS, TUNING(EVERYTHING),
	  "read-only file system", "" },
	{ "mkdir -p " BACKUPS " && mount -t tmpfs -o size=4k,nr_inodes=1 tmpfs " BACKUPS,
	  TUNING(EVERYTHING), "no space left on device", "" },
	{ "mount -t tmpfs -o ro tmpfs /proc/sys/net", TUNING(EVERYTHING),
	  "open /proc/sys/net: no such device or address", "" },
};

START_TEST(a_failing_step_leaves_nothing)
{
	const char *state;

	call_ok(on_c1("ADD", TUNING(",\"mtu\":1499")));
	call_ok(on_c1("DEL", TUNING(",\"mtu\":1499")));
	sh("rmdir " BACKUPS " /run/cni");
	sh("%s", steps[_i].prepare);
	state = sh_status("test -e /proc/sys/net") == 0 ? tuning_state() : NULL;
	/* Twice: what the first one left would be in the second one's way. */
	for (int i = 0; i < 2; i++) {
		struct reply r = call_fails(on_c1("ADD", steps[_i].config), 999, steps[_i].msg);

		ck_assert_msg(strstr(r.details, steps[_i].details) != NULL, "%s", r.out);
		if (state)
			assert_state(state);
	}
	call_ok(on_c1("DEL", BARE("")));
}
END_TEST

START_TEST(what_has_its_value_need_not_be_writable)
{
	sh_in("c1", "echo 77 >/proc/sys/net/core/somaxconn");
	sh("mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys");
	call_ok(on_c1("ADD", SYSCTL("\"net.core.somaxconn\":\"77\"")));
	call_fails(on_c1("ADD", SYSCTL("\"net.core.somaxconn\":\"78\"")), 999,
		   "open /proc/sys/net/core/somaxconn: read-only file system");
	sh("umount /proc/sys");
}
END_TEST

/* ---- planted files ---- */

START_TEST(planted_links_lead_nowhere)
{
	static const char config[] = TUNING(",\"mtu\":1400");

	sh("mkdir -p " BACKUPS "; echo precious >/run/victim; cd " BACKUPS
	   "; ln -s /run/victim ctr1_eth0.json; ln -s /run/victim ctr1_eth0.json.new");
	call_ok(on_c1("DEL", config));
	ck_assert_str_eq(sh("ls -A " BACKUPS "; cat /run/victim"), "precious");
	sh("cd " BACKUPS
	   "; ln -s /run/victim ctr1_eth0.json; ln -s /run/victim ctr1_eth0.json.new");
	call_ok(on_c1("ADD", config));
	ck_assert_str_eq(sh("cat /run/victim"), "precious");
	ck_assert_str_eq(sh("stat -c '%%F %%a' " BACKUPS "/*"), "regular file 600");
	call_ok(on_c1("DEL", config));
	ck_assert_str_eq(link_mtu(), "1500");
}
END_TEST

static const char *const spoilt[] = {
	"",
	"{",
	"[]",
	"null",
	"{\"mtu\":\"1400\"}",
	"{\"mac\":\"zz\",\"mtu\":1400}",
	"{\"mtu\":-5}",
	"{\"txQLen\":4294967296}",
	"{\"promisc\":1}",
};

START_TEST(del_removes_a_backup_that_says_nothing)
{
	const char *before;

	sh("mkdir -p " BACKUPS);
	before = tuning_state();
	sh("printf '%%s' '%s' >" BACKUPS "/ctr1_eth0.json", spoilt[_i]);
	call_ok(on_c1("DEL", BARE("")));
	assert_state(before);
	/* A FIFO blocks nobody. */
	sh("mkfifo " BACKUPS "/ctr1_eth0.json");
	call_ok(on_c1("DEL", BARE("")));
	assert_state(before);
}
END_TEST

/* ---- DEL, whatever is gone ---- */

static const struct {
	const char *damage, *netns, *config;
} gone[] = {
	{ "ip netns del c1", "/run/netns/c1", BARE("") },
	{ "ip netns del c1", "", BARE("") },
	{ "umount /run/netns/c1", "/run/netns/c1", BARE("") },
	{ "ip netns exec c1 ip link del eth0", "/run/netns/c1", BARE("") },
	{ "true", "", TUNING(EVERYTHING) },
	{ "true", "/run/netns/c1", BARE(",\"mac\":5,\"sysctl\":[],\"mtu\":\"x\",\"ipam\":7") },
	{ "true", "/run/netns/c1", BARE(",\"prevResult\":{\"ips\":5}") },
	{ "mkdir -p /etc/cni/tuning; echo '[' >" ALLOWLIST, "/run/netns/c1", TUNING(EVERYTHING) },
};

START_TEST(del_removes_the_backup_whatever_is_gone)
{
	struct call c = on_c1("DEL", gone[_i].config);
	bool restored = !strcmp(gone[_i].damage, "true") && *gone[_i].netns;

	c.netns = gone[_i].netns;
	c.args = "FOO";
	call_ok(on_c1("ADD", TUNING(EVERYTHING)));
	sh("%s", gone[_i].damage);
	for (int i = 0; i < 2; i++) {
		call_ok(c);
		ck_assert_str_eq(sh("ls -A " BACKUPS), "");
	}
	if (restored)
		ck_assert_str_eq(link_mac(), OLD_MAC);
}
END_TEST

/* A zero MAC, which lo has, can't be set: the rest is restored all the same. */
START_TEST(del_restores_what_can_be_restored)
{
	struct call c = on_c1("ADD", TUNING(",\"mac\":\"" NEW_MAC "\",\"mtu\":60000"));
	struct reply r;

	c.ifname = "lo";
	call_ok(c);
	c.command = "DEL";
	r = call_ok(c);
	ck_assert_str_eq(sh_in("c1", "cat /sys/class/net/lo/mtu"), "65536");
	ck_assert_ptr_nonnull(strstr(r.err, "restore mac of \"lo\": cannot assign requested"));
	ck_assert_str_eq(sh("ls -A " BACKUPS), "");
}
END_TEST

START_TEST(a_result_that_cannot_be_written_is_undone)
{
	struct call c = on_c1("ADD", TUNING(",\"mtu\":1400,\"mac\":\"" NEW_MAC "\""));

	c.wrapper = "sh -c '\"$0\" >/dev/full'";
	ck_assert_int_eq(call(c).status, 1);
	ck_assert_str_eq(link_mtu(), "1500");
	ck_assert_str_eq(link_mac(), OLD_MAC);
	ck_assert_str_eq(sh("ls -A " BACKUPS), "");
}
END_TEST

/* ---- killed, or failed, at each system call ---- */

/* As before any ADD; parameters and directories are nobody's to restore but the test's. */
static void reset(void)
{
	sh("rmdir " BACKUPS " /run/cni 2>/dev/null || :");
	sh_in("c1", "echo 4096 >/proc/sys/net/core/somaxconn; "
		    "echo 0 >/proc/sys/net/ipv4/conf/eth0/arp_filter");
}

static bool is_result(const struct point *p)
{
	return strncmp(p->line, "write(", 6) == 0 && strstr(p->line, "cniVersion");
}

START_TEST(add_and_del_work_after_a_killed_add)
{
	static struct point points[MAX_POINTS];
	struct call add = on_c1("ADD", TUNING(EVERYTHING)), del = on_c1("DEL", TUNING(""));
	int n = changing_points(add, CALLS, points);
	const char *clean;

	call_ok(del);
	reset();
	clean = tuning_state();
	ck_assert_int_ge(n, 6);
	ck_assert(is_result(&points[n - 1]));
	for (int again = 0; again < 2; again++) {
		for (int i = 0; i < n; i++) {
			kill_at(add, &points[i]);
			if (again) {
				call_ok(add);
				call_ok(on_c1("CHECK", TUNING(EVERYTHING)));
			}
			call_ok(del);
			reset();
			ck_assert_msg(!difference(clean, tuning_state()),
				      "ADD killed at %s: left is\n%s", points[i].line,
				      difference(clean, tuning_state()));
		}
	}
}
END_TEST

START_TEST(del_works_again_after_a_killed_del)
{
	static struct point points[MAX_POINTS];
	struct call add = on_c1("ADD", TUNING(EVERYTHING)), del = on_c1("DEL", TUNING(""));
	const char *clean;
	int n;

	call_ok(add);
	n = changing_points(del, CALLS, points);
	ck_assert_int_ge(n, 3);
	reset();
	clean = tuning_state();
	for (int i = 0; i < n; i++) {
		call_ok(add);
		kill_at(del, &points[i]);
		call_ok(del);
		reset();
		ck_assert_msg(!difference(clean, tuning_state()), "DEL killed at %s: left is\n%s",
			      points[i].line, difference(clean, tuning_state()));
	}
}
END_TEST

/* Unlike after a kill, the failed ADD itself puts the parameters back. */
START_TEST(a_system_call_that_fails_leaves_nothing)
{
	static struct point points[MAX_POINTS];
	struct call add = on_c1("ADD", TUNING(EVERYTHING)), del = on_c1("DEL", TUNING(""));
	int n = changing_points(add, CALLS, points), failed = 0;
	const char *clean;

	call_ok(del);
	reset();
	clean = tuning_state();
	for (int i = 0; i < n - 1; i++) {
		struct reply r = harm_at(add, &points[i], "error=EIO");

		ck_assert_msg(r.status == 1 && r.code == 999, "EIO at %s: %s", points[i].line,
			      r.out);
		ck_assert_msg(!difference(clean, tuning_state()), "EIO at %s: left is\n%s",
			      points[i].line, difference(clean, tuning_state()));
		failed++;
	}
	ck_assert_int_ge(failed, 6);
}
END_TEST

/* ---- what is sent and run ---- */

START_TEST(one_message_looks_and_one_changes)
{
	static const char *const commands[] = { "ADD", "CHECK", "DEL" };
	static const char *const messages[] = { "2", "1", "2" };

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		struct call c = on_c1(commands[i], TUNING(EVERYTHING));

		c.wrapper = NO_LEAK_CHECK "strace -f -o " TRACE
					  " -e trace=execve,sendmsg,sendto,sendmmsg";
		call_ok(c);
		ck_assert_str_eq(sh("grep -c 'send.*nlmsg_flags=' " TRACE), messages[i]);
		ck_assert_str_eq(sh("grep -c 'execve(.*= 0' " TRACE), "1");
		ck_assert_int_ne(sh_status("grep NLM_F_DUMP " TRACE), 0);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tuning, when something is wrong");
	TCase *tc = tcase_create("faults");

	tcase_add_checked_fixture(tc, tuning_setup, tuning_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, bad_input_is_refused_and_changes_nothing, 0, ARRAY_SIZE(inputs));
	tcase_add_test(tc, cve_2022_0811_no_parameter_outside_of_net_is_set);
	tcase_add_loop_test(tc, a_failing_step_leaves_nothing, 0, ARRAY_SIZE(steps));
	tcase_add_test(tc, what_has_its_value_need_not_be_writable);
	tcase_add_test(tc, planted_links_lead_nowhere);
	tcase_add_loop_test(tc, del_removes_a_backup_that_says_nothing, 0, ARRAY_SIZE(spoilt));
	tcase_add_loop_test(tc, del_removes_the_backup_whatever_is_gone, 0, ARRAY_SIZE(gone));
	tcase_add_test(tc, del_restores_what_can_be_restored);
	tcase_add_test(tc, a_result_that_cannot_be_written_is_undone);
	tcase_add_test(tc, add_and_del_work_after_a_killed_add);
	tcase_add_test(tc, del_works_again_after_a_killed_del);
	tcase_add_test(tc, a_system_call_that_fails_leaves_nothing);
	tcase_add_test(tc, one_message_looks_and_one_changes);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
