/*
 * bridge's ipMasq in the host's iptables, of both kinds and both families: the same rules as the Go
 * plugins', removed by either implementation, whatever happened in between.
 */
#include "same_world.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define NET_OF(version, keys)                                                      \
	"{\"cniVersion\":\"" version                                               \
	"\",\"name\":\"net1\",\"type\":\"bridge\",\"bridge\":\"br0\","             \
	"\"isGateway\":true" keys ",\"ipam\":{\"type\":\"host-local\",\"ranges\":" \
	"[[{\"subnet\":\"10.88.0.0/24\"}],[{\"subnet\":\"fd00:88::/64\"}]]}}"
#define NET(keys) NET_OF("1.0.0", keys)
#define MASQ ",\"ipMasq\":true"
#define BACKEND(name) MASQ ",\"ipMasqBackend\":\"" name "\""

static const char config[] = NET(MASQ);
static const char *const kinds[] = { "nft", "legacy" };
static const char *c1;

static void setup(void)
{
	world_setup();
	no_link_local();
	c1 = container_add("c1");
}

/* The host's iptables is of this kind, as alternatives(8) would have it. */
static void host_has(const char *kind)
{
	sh("mkdir -p /run/bin; cd /run/bin; for t in iptables ip6tables iptables-save "
	   "ip6tables-save; do "
	   "ln -sf /usr/sbin/xtables-%s-multi $t; done",
	   kind);
	setenv("PATH", "/run/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
}

/* Everything that a packet filter holds, of whatever kind, but for what it has counted. */
static const char *filter(void)
{
	return sh(
		"{ for t in iptables ip6tables; do for k in nft legacy; do $t-$k-save; done; done; "
		"nft list ruleset; } 2>/dev/null | grep -v '^#' | "
		"sed 's/\\[[0-9]*:[0-9]*\\]//; s/packets [0-9]* bytes [0-9]*//'");
}

/* The same without built-in chains, which are never removed. */
static const char *left(void)
{
	return sh("{ for t in iptables ip6tables; do for k in nft legacy; do $t-$k-save; done; "
		  "done | "
		  "grep CNI; nft list ruleset | grep saddr; } 2>/dev/null; true");
}

static struct reply ask(const char *command, const char *bin, const char *ifname, const char *conf)
{
	return call_ok((struct call){
		.command = command, .bin = bin, .netns = c1, .ifname = ifname, .config = conf });
}

static void compare(const char *theirs)
{
	const char *their_rules, *our_rules;

	ask("ADD", theirs, "eth0", config);
	their_rules = filter();
	ask("DEL", NULL, "eth0", config);
	ck_assert_str_eq(left(), "");
	sh("nft flush ruleset; for t in iptables ip6tables; do $t -t nat -F; $t -t nat -X; done");
	sh("nft flush ruleset; ip link del br0; rm -r /var/lib/cni");

	ask("ADD", NULL, "eth0", config);
	our_rules = filter();
	ck_assert_str_eq(our_rules, their_rules);
	ck_assert_str_eq(masqueraded("ctr1"), "2");
	ask("DEL", theirs, "eth0", config);
	ck_assert_str_eq(left(), "");
}

START_TEST(rules_are_those_of_the_newest_go_plugins_and_either_removes_them)
{
	if (!newest_plugins())
		return;
	host_has(kinds[_i]);
	compare(newest_plugins());
}
END_TEST

START_TEST(rules_are_those_of_debians_go_plugins_and_either_removes_them)
{
	if (!debian_plugins())
		return;
	host_has(kinds[_i]);
	compare(debian_plugins());
}
END_TEST

static const char *jumps(void)
{
	return sh("iptables -t nat -S POSTROUTING | sed -n 's/.*-s \\([^ ]*\\).*/\\1/p' | xargs");
}

START_TEST(two_interfaces_on_one_network_do_not_disturb_each_other)
{
	const char *both;

	host_has(kinds[_i]);
	ask("ADD", NULL, "eth0", config);
	ask("ADD", NULL, "eth1", config);
	ck_assert_str_eq(jumps(), "10.88.0.2/32 10.88.0.3/32");
	both = sh("iptables -t nat -S | grep CNI- | grep -v POSTROUTING");
	for (int i = 0; i < 2; i++) { /* also where the interface is gone already */
		ask("DEL", NULL, "eth0", config);
		ck_assert_str_eq(jumps(), "10.88.0.3/32");
		ck_assert_str_eq(sh("iptables -t nat -S | grep CNI- | grep -v POSTROUTING"), both);
	}
	ask("ADD", NULL, "eth0", config);
	ck_assert_str_eq(jumps(), "10.88.0.3/32 10.88.0.4/32");
	ask("DEL", NULL, "eth1", config);
	ck_assert_str_eq(jumps(), "10.88.0.4/32");
	ask("DEL", NULL, "eth0", config);
	ck_assert_str_eq(left(), "");
}
END_TEST

/* What may have become of an attachment before its DEL. */
static const struct {
	const char *what, *netns, *config;
	bool del_netns;
} decay[] = {
	{ "true", NULL, NET(""), false },
	{ "true", NULL, NET(BACKEND("nftables")), false },
	{ "ip netns exec c1 ip link del eth0", NULL, config, false },
	{ "ip netns exec c1 ip addr flush dev eth0", NULL, config, false },
	{ "ip link del br0", NULL, config, false },
	{ "true", NULL, config, true },
	{ "true", "", NET(""), false },
	{ "rm -r /var/lib/cni", NULL, config, false },
	{ "iptables -t nat -F POSTROUTING", NULL, config, false },
	{ "ip6tables -t nat -F $(ip6tables -t nat -S | sed -n 's/-N //p')", NULL, config, false },
};

START_TEST(del_removes_the_rules_whatever_happened)
{
	for (size_t i = 0; i < ARRAY_SIZE(decay); i++) {
		struct call c = { .command = "DEL", .netns = c1, .config = decay[i].config };

		host_has(kinds[_i]);
		ask("ADD", NULL, "eth0", config);
		sh("%s", decay[i].what);
		if (decay[i].del_netns)
			container_del("c1");
		if (decay[i].netns)
			c.netns = decay[i].netns;
		host_has(kinds[!_i]); /* and the host changed to the other kind */
		call_ok(c);
		ck_assert_str_eq(left(), "");
		call_ok(c);
		if (!decay[i].del_netns)
			container_del("c1");
		c1 = container_add("c1");
	}
}
END_TEST

START_TEST(del_removes_the_rules_of_an_address_that_another_link_carries_too)
{
	host_has(kinds[0]);
	ask("ADD", NULL, "eth0", config);
	sh("ip netns exec c1 ip addr add 10.88.0.2/32 dev lo");
	ask("DEL", NULL, "eth0",
	    NET(MASQ ",\"prevResult\":{\"cniVersion\":\"1.0.0\",\"ips\":"
		     "[{\"address\":\"10.88.0.2/24\"}]}"));
	ck_assert_str_eq(left(), "");
}
END_TEST

/* The error is told, and the rules stay for the next DEL. */
START_TEST(a_namespace_that_cannot_be_looked_into_is_not_gone)
{
	struct call c = { .command = "DEL", .netns = "/run/loop", .config = config };

	host_has(kinds[0]);
	ask("ADD", NULL, "eth0", config);
	sh("ln -s loop /run/loop");
	call_fails(c, 999, "/run/loop");
	ck_assert_str_eq(jumps(), "10.88.0.2/32");
	ask("DEL", NULL, "eth0", config);
	ck_assert_str_eq(left(), "");
}
END_TEST

START_TEST(gc_removes_the_rules_of_containers_that_are_not_valid)
{
	static const char gc[] = NET_OF("1.1.0",
					MASQ ",\"cni.dev/valid-attachments\":"
					     "[{\"containerID\":\"ctr1\",\"ifname\":\"eth0\"}]");
	static const char other[] =
		"{\"cniVersion\":\"1.0.0\",\"name\":\"net\",\"type\":\"bridge\",\"bridge\":\"br2\","
		"\"ipMasq\":true,\"ipam\":{\"type\":\"host-local\",\"subnet\":\"10.2.0.0/24\"}}";
	const char *kept;

	host_has(kinds[_i]);
	ask("ADD", NULL, "eth0", config);
	call_ok((struct call){
		.command = "ADD", .id = "x", .netns = c1, .ifname = "n0", .config = other });
	kept = left();
	for (int i = 1; i <= 2; i++)
		call_ok((struct call){ .command = "ADD",
				       .id = "gone",
				       .netns = c1,
				       .ifname = fmt("x%d", i),
				       .config = config });
	sh("iptables -t nat -A POSTROUTING -s 10.1.1.1 -j ACCEPT");
	ck_assert_str_ne(left(), kept);
	call_ok((struct call){ .command = "GC", .id = "", .ifname = "", .config = gc });
	sh("iptables -t nat -D POSTROUTING -s 10.1.1.1 -j ACCEPT");
	ck_assert_str_eq(left(), kept);
}
END_TEST

START_TEST(random_fully_is_asked_for_by_a_key)
{
	static const char random[] = NET(MASQ ",\"ipMasqRandomFully\":true");

	host_has(kinds[_i]);
	ask("ADD", NULL, "eth0", random);
	ck_assert_str_eq(sh("iptables-save | grep -c 'MASQUERADE --random-fully'"), "1");
	ck_assert_str_eq(sh("ip6tables-save | grep -c 'MASQUERADE --random-fully'"), "1");
	ask("DEL", NULL, "eth0", random);
	ck_assert_str_eq(left(), "");
	ask("ADD", NULL, "eth0", NET(BACKEND("nftables") ",\"ipMasqRandomFully\":true"));
	ck_assert_str_eq(sh("nft list ruleset 2>/dev/null | grep -c 'masquerade fully-random'"),
			 "2");
	ask("DEL", NULL, "eth0", config);
	ck_assert_str_eq(left(), "");
}
END_TEST

START_TEST(the_default_is_the_iptables_that_the_host_has)
{
	struct call c = { .command = "ADD", .netns = c1, .config = config };
	static const char nft_rule[] = "nft list ruleset | grep -c 'id: ctr1'";
	static const char ipt_rule[] = "iptables-nft-save 2>/dev/null | grep -c -- '-j CNI-'";

	c.wrapper = "env PATH=/nonexistent";
	call_ok(c);
	ck_assert_str_eq(sh("%s", nft_rule), "2");
	c.command = "DEL";
	call_ok(c);
	ck_assert_str_eq(left(), "");

	c.command = "ADD";
	c.config = NET(BACKEND("iptables"));
	call_ok(c);
	ck_assert_str_eq(sh("%s", ipt_rule), "1");
	ck_assert_int_ne(sh_status("%s", nft_rule), 0);
	c.command = "DEL";
	call_ok(c);
	ck_assert_str_eq(left(), "");
}
END_TEST

START_TEST(a_held_lock_fails_add_as_a_whole_and_asks_to_try_again)
{
	int lock;

	host_has("legacy");
	ask("ADD", NULL, "eth0", config);
	ask("DEL", NULL, "eth0", config);
	lock = open("/run/xtables.lock", O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(lock, 0);
	ck_assert_int_eq(flock(lock, LOCK_EX), 0);
	call_fails((struct call){ .command = "ADD", .netns = c1, .config = config }, 11,
		   "/run/xtables.lock");
	ck_assert_str_eq(sh("ip -o link show type veth"), "");
	ck_assert_str_eq(sh("ls /var/lib/cni/networks/net1 | grep '[.:].*[.:]' || :"), "");
	host_has("nft");
	ask("ADD", NULL, "eth0", config); /* has no such lock */
	ask("DEL", NULL, "eth0", config);
	close(lock);
	ck_assert_str_eq(left(), "");
}
END_TEST

START_TEST(no_program_is_run)
{
	static const char *const commands[] = { "ADD", "DEL", "DEL" };

	host_has(kinds[_i]);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		call_ok((struct call){ .command = commands[i],
				       .netns = c1,
				       .config = config,
				       .wrapper = "env ASAN_OPTIONS=detect_leaks=0 strace -f -o "
						  "/run/trace -e trace=execve" });
		ck_assert_str_eq(sh("grep -c execve /run/trace"), "1");
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ipMasq in iptables");
	TCase *tc = tcase_create("kinds");

	tcase_add_checked_fixture(tc, setup, world_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, rules_are_those_of_the_newest_go_plugins_and_either_removes_them, 0,
			    2);
	tcase_add_loop_test(tc, rules_are_those_of_debians_go_plugins_and_either_removes_them, 0,
			    2);
	tcase_add_loop_test(tc, two_interfaces_on_one_network_do_not_disturb_each_other, 0, 2);
	tcase_add_loop_test(tc, del_removes_the_rules_whatever_happened, 0, 2);
	tcase_add_test(tc, del_removes_the_rules_of_an_address_that_another_link_carries_too);
	tcase_add_test(tc, a_namespace_that_cannot_be_looked_into_is_not_gone);
	tcase_add_loop_test(tc, gc_removes_the_rules_of_containers_that_are_not_valid, 0, 2);
	tcase_add_loop_test(tc, random_fully_is_asked_for_by_a_key, 0, 2);
	tcase_add_test(tc, the_default_is_the_iptables_that_the_host_has);
	tcase_add_test(tc, a_held_lock_fails_add_as_a_whole_and_asks_to_try_again);
	tcase_add_loop_test(tc, no_program_is_run, 0, 2);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
