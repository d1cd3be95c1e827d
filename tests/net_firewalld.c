/*
 * firewall with firewalld: a real one, on a D-Bus system bus of the test's own, beside the Go plugin.
 */
#include "iptables_kind.h"
#include "peer_state.h"
#include "same_world.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define BUS "/run/dbus/system_bus_socket"

#define PREV(v4, v6)                                                                \
	",'prevResult':{'cniVersion':'1.1.0','interfaces':[{'name':'br1'}],'ips':[" \
	"{'address':'" v4 "/24'},{'address':'" v6 "/64'}]}"
#define NET(keys) "{'cniVersion':'1.1.0','name':'net1','type':'firewall'" keys "}"
#define PREV_1 PREV("10.1.0.2", "fd01::2")
#define PREV_2 PREV("10.1.0.3", "fd01::3")
#define BOTH "10.1.0.2/32 fd01::2/128"

static const char net1[] = NET(PREV_1);
static pid_t bus, firewalld;

/* A daemon that ends with the test. */
static pid_t start(const char *command)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0) {
		int log = open("/run/daemons.log", O_WRONLY | O_CREAT | O_APPEND, 0600);

		dup2(log, STDOUT_FILENO);
		dup2(log, STDERR_FILENO);
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent)
			execl("/bin/sh", "sh", "-c", fmt("exec %s", command), NULL);
		_exit(127);
	}
	return pid;
}

static void start_bus(void)
{
	bus = start("dbus-daemon --system --nofork --nopidfile");
	sh("timeout 60 sh -c 'until test -S " BUS "; do sleep 0.02; done'");
}

static void setup(void)
{
	world_setup();
	kinds_make();
	container_add("c1");
	sh("mkdir /run/dbus /run/firewalld.conf && cp -r /etc/firewalld/. /run/firewalld.conf && "
	   "mount --bind /run/firewalld.conf /etc/firewalld && mount -t tmpfs none /var/log");
}

static void setup_firewalld(void)
{
	setup();
	start_bus();
	firewalld = start("firewalld --nofork --nopid");
	sh("timeout 60 sh -c 'until firewall-cmd --state; do sleep 0.05; done' 2>&1 || "
	   "{ cat /run/daemons.log /var/log/firewalld; false; }");
}

static struct call on(const char *bin, const char *command, const char *id, const char *text)
{
	return (struct call){ .command = command,
			      .bin = bin,
			      .id = id,
			      .netns = "/run/netns/c1",
			      .config = conf(text, ""),
			      .wrapper = on_kind(KIND_NFT) };
}

static struct call ours(const char *command, const char *id, const char *text)
{
	return on(our_plugins(), command, id, text);
}

static const char *sources(const char *zone)
{
	return sh("firewall-cmd --zone %s --list-sources | tr ' ' '\\n' | sort | xargs", zone);
}

static const char *records(void)
{
	return sh("mkdir -p /run/cni/firewalld; ls -A /run/cni/firewalld | xargs");
}

/* ---- firewalld runs ---- */

START_TEST(addresses_are_sources_of_the_zone_until_del)
{
	call_ok(ours("STATUS", "", NET(",'backend':'firewalld'")));
	call_ok(ours("ADD", "ctr1", net1));
	ck_assert_str_eq(sources("trusted"), BOTH);
	ck_assert_str_eq(sh("nft list tables"), "table inet firewalld");
	call_ok(ours("CHECK", "ctr1", net1));
	call_ok(ours("ADD", "ctr1", net1));
	sh("firewall-cmd --zone trusted --remove-source fd01::2/128");
	call_fails(ours("CHECK", "ctr1", net1), 999,
		   "failed to find the address fd01::2/128 in trusted zone");
	call_ok(ours("DEL", "ctr1", net1));
	ck_assert_str_eq(sources("trusted"), "");
	ck_assert_str_eq(records(), "");
	call_ok(ours("DEL", "ctr1", net1));
}
END_TEST

START_TEST(del_needs_neither_prev_result_nor_the_same_configuration)
{
	call_ok(ours("ADD", "ctr1", NET(",'firewalldZone':'internal'" PREV_1)));
	ck_assert_str_eq(sources("internal"), BOTH);
	call_ok(ours("DEL", "ctr1", NET(",'backend':'iptables','firewalldZone':'public'")));
	ck_assert_str_eq(sources("internal"), "");
	call_ok(ours("ADD", "ctr1", NET(",'firewalldZone':'internal'" PREV_1)));
	call_ok(ours("DEL", "ctr1", NET(",'backend':'iptables','firewalldZone':'public'" PREV_1)));
	ck_assert_str_eq(sources("internal"), "");
	ck_assert_str_eq(records(), "");
}
END_TEST

START_TEST(a_late_del_leaves_the_new_owners_addresses)
{
	call_ok(ours("ADD", "ctr1", net1));
	call_ok(ours("ADD", "ctr2", net1));
	call_ok(ours("DEL", "ctr1", net1));
	call_ok(ours("DEL", "ctr1", NET("")));
	ck_assert_str_eq(sources("trusted"), BOTH);
	call_ok(ours("DEL", "ctr2", NET("")));
	ck_assert_str_eq(sources("trusted"), "");
}
END_TEST

START_TEST(gc_removes_what_no_valid_attachment_owns)
{
	call_ok(ours("ADD", "ctr1", net1));
	call_ok(ours("ADD", "ctr2", NET(PREV_2)));
	call_ok(ours("ADD", "ctr3",
		     replaced(replaced(NET(PREV("10.2.0.2", "fd02::2")), "net1", "NET"), "NET",
			      "net2")));
	call_ok(ours("GC", "",
		     NET(",'cni.dev/valid-attachments':[{'containerID':'ctr2','ifname':'eth0'}]")));
	ck_assert_str_eq(sources("trusted"), "10.1.0.3/32 10.2.0.2/32 fd01::3/128 fd02::2/128");
	ck_assert_str_eq(records(), "10.1.0.3 10.2.0.2 fd01::3 fd02::2");
}
END_TEST

START_TEST(a_failed_add_leaves_no_address)
{
	call_fails(ours("ADD", "ctr1", NET(",'firewalldZone':'badzone'" PREV_1)), 999,
		   "failed to add the address 10.1.0.2/32 to badzone zone: INVALID_ZONE: badzone");
	/* The second address is in the way. */
	sh("firewall-cmd --zone public --add-source fd01::2/128");
	call_fails(ours("ADD", "ctr1", net1), 999,
		   "failed to add the address fd01::2/128 to trusted zone: ZONE_CONFLICT");
	ck_assert_str_eq(sources("trusted"), "");
	ck_assert_str_eq(sources("public"), "fd01::2/128");
	ck_assert_str_eq(records(), "");
}
END_TEST

START_TEST(a_failed_add_leaves_the_record_of_who_has_the_address)
{
	call_ok(ours("ADD", "ctr1", NET(PREV("10.1.0.2", "fd01::3"))));
	sh("firewall-cmd --zone public --add-source fd01::2/128");
	call_fails(ours("ADD", "ctr2", net1), 999, "ZONE_CONFLICT");
	ck_assert_str_eq(records(), "10.1.0.2 fd01::3");
	call_ok(ours("DEL", "ctr2", NET("")));
	ck_assert_str_eq(sources("trusted"), "10.1.0.2/32 fd01::3/128");
	call_ok(ours("DEL", "ctr1", NET("")));
	ck_assert_str_eq(sources("trusted"), "");
}
END_TEST

/* The bus dies when a record was written, and firewalld has not answered. */
START_TEST(an_add_that_is_not_answered_leaves_its_record)
{
	pid_t killer;

	ck_assert_int_eq(kill(firewalld, SIGSTOP), 0);
	killer = fork();
	if (killer == 0) {
		for (int i = 0; i < 6000 && access("/run/cni/firewalld/10.1.0.2", F_OK) < 0; i++)
			(void)poll(NULL, 0, 10);
		_exit(kill(bus, SIGKILL) < 0);
	}
	call_fails(ours("ADD", "ctr1", net1), 999, "addSource");
	ck_assert_int_eq(waitpid(killer, NULL, 0), killer);
	ck_assert_str_eq(records(), "10.1.0.2");
}
END_TEST

START_TEST(del_finds_an_address_that_prev_result_does_not_name)
{
	call_ok(ours("ADD", "ctr1", net1));
	call_ok(ours("DEL", "ctr1", NET(PREV_2)));
	ck_assert_str_eq(sources("trusted"), "");
	ck_assert_str_eq(records(), "");
}
END_TEST

START_TEST(isolation_is_by_iptables_here_too)
{
	const char *net = NET(",'ingressPolicy':'same-bridge'" PREV_1), *rules;

	call_ok(ours("ADD", "ctr1", net));
	ck_assert_str_eq(sources("trusted"), BOTH);
	rules = filter_rules(KIND_NFT);
	ck_assert_ptr_nonnull(strstr(rules, "-A CNI-ISOLATION-STAGE-2 -o br1 "));
	ck_assert_ptr_null(strstr(rules, "10.1.0.2"));
	call_ok(ours("CHECK", "ctr1", net));
	sh("iptables-nft -F CNI-ISOLATION-STAGE-2");
	call_fails(ours("CHECK", "ctr1", net), 999, "CNI-ISOLATION-STAGE-2");
}
END_TEST

/* What one added, the other checks and removes; the second round is with the names of old results. */
START_TEST(the_programs_can_be_exchanged)
{
	const char *sides[] = { newest_plugins(), our_plugins(), newest_plugins() };

	for (int i = 0; i < 2; i++) {
		call_ok(on(sides[i], "ADD", "ctr1", net1));
		ck_assert_str_eq(sources("trusted"), BOTH);
		call_ok(on(sides[i + 1], "CHECK", "ctr1", net1));
		call_ok(on(sides[i + 1], "ADD", "ctr1", net1));
		call_ok(on(sides[i + 1], "DEL", "ctr1", net1));
		ck_assert_str_eq(sources("trusted"), "");
		call_ok(on(sides[i], "DEL", "ctr1", net1));
	}
}
END_TEST

/* ---- it does not ---- */

START_TEST(a_bus_without_firewalld_means_iptables)
{
	const char *asked = NET(",'backend':'firewalld'" PREV_1);

	start_bus();
	call_ok(ours("ADD", "ctr1", net1));
	ck_assert_ptr_nonnull(strstr(filter_rules(KIND_NFT), "-s 10.1.0.2/32 -j ACCEPT"));
	call_ok(ours("DEL", "ctr1", net1));
	call_fails(ours("ADD", "ctr1", asked), 999, "org.fedoraproject.FirewallD1");
	call_fails(ours("CHECK", "ctr1", asked), 999, "failed to find the address 10.1.0.2/32");
	call_fails(ours("STATUS", "", NET(",'backend':'firewalld'")), 50, "not running");
	ck_assert_str_eq(records(), "");
	call_ok(ours("DEL", "ctr1", asked));
}
END_TEST

START_TEST(no_bus_is_an_error_for_add_and_none_for_del)
{
	const char *asked = NET(",'backend':'firewalld'" PREV_1);

	call_fails(ours("ADD", "ctr1", asked), 999,
		   "connect to the D-Bus system bus "
		   "unix:path=/var/run/dbus/system_bus_socket: no such file or directory");
	call_fails(ours("CHECK", "ctr1", asked), 999, "no such file or directory");
	call_ok(ours("DEL", "ctr1", asked));
	call_ok(ours("DEL", "ctr1", NET(",'backend':'firewalld'")));
}
END_TEST

/* firewalld keeps the sources, and says that it can't do without the rules. */
START_TEST(del_succeeds_when_the_rules_of_firewalld_were_flushed)
{
	struct reply r;

	call_ok(ours("ADD", "ctr1", net1));
	sh("nft flush ruleset");
	r = call_ok(ours("DEL", "ctr1", net1));
	ck_assert_ptr_nonnull(strstr(r.err, "keeps the address fd01::2/128 in trusted zone"));
	call_ok(ours("GC", "", NET(",'cni.dev/valid-attachments':[]")));
	call_ok(ours("DEL", "ctr1", NET("")));
	ck_assert_str_eq(records(), "10.1.0.2 fd01::2");
}
END_TEST

/* Records are kept by firewalld's lifetime, not by its bus: they go with the container in any case. */
START_TEST(del_succeeds_when_firewalld_has_gone_meanwhile)
{
	call_ok(ours("ADD", "ctr1", net1));
	sh("mv " BUS " /run/dbus/away");
	call_ok(ours("DEL", "ctr1", NET("")));
	ck_assert_str_eq(records(), "");
}
END_TEST

START_TEST(the_bus_is_where_the_environment_says)
{
	struct call c = ours("ADD", "ctr1", net1);

	sh("mkdir '/run/a bus' && mv " BUS " '/run/a bus/socket'");
	c.wrapper = "env DBUS_SYSTEM_BUS_ADDRESS='tcp:host=x;unix:path=/run/none;unix:path=/run/"
		    "a%20bus/socket,guid=0'";
	call_ok(c);
	sh("mv '/run/a bus/socket' " BUS);
	ck_assert_str_eq(sources("trusted"), BOTH);
}
END_TEST

/* Something that listens there and is no bus. */
static void start_nonsense(const char *answer)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX, .sun_path = BUS };
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t parent = getpid();

	sh("rm -f " BUS);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&sun, sizeof(sun)), 0);
	ck_assert_int_eq(listen(listener, 4), 0);
	if (fork() == 0) {
		char buf[512];

		if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
			_exit(1);
		for (;;) {
			int client = accept(listener, NULL, NULL);

			if (client < 0 || read(client, buf, sizeof(buf)) < 0 ||
			    write(client, answer, strlen(answer)) < 0)
				_exit(2);
			close(client);
		}
	}
	close(listener);
}

START_TEST(what_is_no_bus_means_iptables)
{
	static const char *const answers[] = {
		"",
		"REJECTED EXTERNAL\r\n",
		"OK 0\r\nnot a message of D-Bus at all",
		"OK 0\r\nl\3\1\1",
	};
	struct reply r;

	start_nonsense(answers[_i]);
	r = call_ok(ours("ADD", "ctr1", net1));
	ck_assert_str_eq(r.err, "");
	ck_assert_ptr_nonnull(strstr(filter_rules(KIND_NFT), "-s 10.1.0.2/32 -j ACCEPT"));
	call_fails(ours("ADD", "ctr2", NET(",'backend':'firewalld'" PREV_2)), 999, "D-Bus");
}
END_TEST

/* Nothing that was planted there is followed or believed. */
START_TEST(planted_records_do_no_harm)
{
	sh("echo untouched >/run/canary; mkdir -p /run/cni/firewalld; cd /run/cni/firewalld; "
	   "ln -s /run/canary 10.1.0.2; echo nonsense >fd01::2; mkfifo fd01::9; mkdir 10.1.0.9");
	call_ok(ours("ADD", "ctr1", net1));
	ck_assert_str_eq(sh("cat /run/canary"), "untouched");
	call_ok(ours("DEL", "ctr1", NET("")));
	ck_assert_str_eq(sources("trusted"), "");
	sh("rm -rf /run/cni; mkdir /run/elsewhere /run/cni; ln -s /run/elsewhere "
	   "/run/cni/firewalld");
	ck_assert_ptr_nonnull(strstr(call_ok(ours("ADD", "ctr1", net1)).err, "cannot remember"));
	ck_assert_str_eq(sh("ls /run/elsewhere"), "");
	call_ok(ours("DEL", "ctr1", net1));
	ck_assert_str_eq(sources("trusted"), "");
}
END_TEST

int main(void)
{
	bool newest = getenv("CNI_PEER_DIR") != NULL;
	Suite *suite = suite_create("firewalld");
	TCase *runs = tcase_create("firewalld runs"), *not = tcase_create("it does not");

	if (access("/usr/sbin/firewalld", X_OK) != 0 || access("/usr/bin/dbus-daemon", X_OK) != 0) {
		fprintf(stderr, "firewalld or dbus-daemon is not installed: skipped\n");
		return getenv("CNI_TEST_MUST_RUN") ? 1 : 77;
	}
	tcase_add_checked_fixture(runs, setup_firewalld, world_teardown);
	tcase_set_timeout(runs, 120);
	tcase_add_test(runs, addresses_are_sources_of_the_zone_until_del);
	tcase_add_test(runs, del_needs_neither_prev_result_nor_the_same_configuration);
	tcase_add_test(runs, a_late_del_leaves_the_new_owners_addresses);
	tcase_add_test(runs, gc_removes_what_no_valid_attachment_owns);
	tcase_add_test(runs, a_failed_add_leaves_no_address);
	tcase_add_test(runs, a_failed_add_leaves_the_record_of_who_has_the_address);
	tcase_add_test(runs, an_add_that_is_not_answered_leaves_its_record);
	tcase_add_test(runs, del_finds_an_address_that_prev_result_does_not_name);
	tcase_add_test(runs, isolation_is_by_iptables_here_too);
	if (newest)
		tcase_add_test(runs, the_programs_can_be_exchanged);
	tcase_add_test(runs, del_succeeds_when_firewalld_has_gone_meanwhile);
	tcase_add_test(runs, del_succeeds_when_the_rules_of_firewalld_were_flushed);
	tcase_add_test(runs, the_bus_is_where_the_environment_says);
	tcase_add_test(runs, planted_records_do_no_harm);
	suite_add_tcase(suite, runs);
	tcase_add_checked_fixture(not, setup, world_teardown);
	tcase_set_timeout(not, 120);
	tcase_add_test(not, a_bus_without_firewalld_means_iptables);
	tcase_add_test(not, no_bus_is_an_error_for_add_and_none_for_del);
	tcase_add_loop_test(not, what_is_no_bus_means_iptables, 0, 4);
	suite_add_tcase(suite, not );
	return world_main(suite);
}
