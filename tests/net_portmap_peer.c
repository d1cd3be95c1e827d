/*
 * portmap beside the Go plugin: the same result and the same rules, but for the improvements that
 * docs/compat.md lists; what one has added, the other one removes.
 */
#include "peer_state.h"
#include "portmap_world.h"

#include <stdlib.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
	const char *what, *keys, *ports;
	bool iptables_only; /* or the newest packaged Go plugin does not know it in nftables */
} cases[] = {
	{ "all kinds of mapping", "",
	  PORT(8080, 80, "tcp") "," PORT(8081, 81, "udp") "," PORT_AT(
		  9090, 90, "tcp",
		  HOST4) "," PORT_AT(9091, 91, "tcp",
				     HOST6) "," PORT_AT(9092, 92, "tcp",
							"0.0.0.0") "," PORT_AT(9093, 93, "tcp",
									       "::") "," PORT(7000,
											      70,
											      "sct"
											      "p"),
	  false },
	{ "no snat", ",\"snat\":false", PORT(8080, 80, "tcp"), false },
	{ "masqAll", ",\"masqAll\":true", PORT(8080, 80, "tcp") "," PORT(8081, 81, "udp"), true },
	{ "another bit", ",\"markMasqBit\":0", PORT(8080, 80, "tcp"), true },
	{ "somebody else's mark", ",\"externalSetMarkChain\":\"KUBE-MARK-MASQ\"",
	  PORT(8080, 80, "tcp"), true },
	{ "conditions",
	  ",\"conditionsV4\":[\"!\",\"-d\",\"1.2.3.4\"],\"conditionsV6\":[\"-s\","
	  "\"fd00::/8\",\"-i\",\"br0\"]",
	  PORT(8080, 80, "tcp"), true },
	{ "repeated, and of both families", "",
	  PORT(8080, 80, "tcp") "," PORT(8080, 81, "tcp") "," PORT_AT(8082, 82, "tcp", HOST6),
	  false },
	{ "of one family", "", PORT_AT(8080, 80, "tcp", "0.0.0.0"), false },
	{ "of one family, no snat", ",\"snat\":false", PORT_AT(8080, 80, "udp", HOST6), false },
	{ "more than 15 ports", "",
	  PORT(2001, 1, "tcp") "," PORT(2002, 1, "tcp") "," PORT(2003, 1, "tcp") "," PORT(2004, 1, "tcp") "," PORT(2005, 1, "tcp") "," PORT(2006, 1, "tcp") "," PORT(2007, 1, "tcp") "," PORT(
		  2008, 1,
		  "tcp") "," PORT(2009, 1,
				  "tcp") "," PORT(2010, 1,
						  "tcp") "," PORT(2011, 1,
								  "tcp") "," PORT(2012, 1,
										  "tcp") "," PORT(2013,
												  1,
												  "tcp") "," PORT(2014,
														  1,
														  "tcp") "," PORT(2015,
																  1,
																  "tcp") "," PORT(2016,
																		  1,
																		  "tcp") "," PORT(2017,
																				  1,
																				  "udp"),
	  false },
	{ "nothing", "", "", false },
};

static void setup(void)
{
	world_setup();
	no_link_local();
	sh("ip link add br0 type bridge && ip addr add " GW4 "/24 dev br0 && ip -6 addr add " GW6
	   "/64 dev br0 nodad && ip link set br0 up");
}

/* Rules as the tools print them, without counters, handles and what is ours alone. */
static const char *rules_beside(void)
{
	return sh(
		"{ if [ %d = 1 ]; then "
		"nft list table ip cni_hostport; nft list table ip6 cni_hostport; else "
		"for t in iptables %s; do $t-save; done; fi; } 2>/dev/null | "
		"sed 's/\\[[0-9:]*\\]$//; /^#/d; /^$/d'; "
		"cat /proc/sys/net/ipv4/conf/br0/route_localnet",
		strcmp(backend->name, "nftables") == 0,
		/* ip6tables-legacy 1.8.9 -C takes a rule for another port's: the Go plugin leaves it out. */
		strcmp(backend->iptables, "legacy") == 0 ? "" : "ip6tables");
}

/*
 * What docs/compat.md says of rules: 127.0.0.0/8 from outside, what is masqueraded in nftables, at which
 * priority it is captured, and the chain that marks the place of a container's rules.
 */
static const char *without_improvements(const char *rules, bool ours)
{
	const char *path = fmt("%s/rules", world_dir());
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	fputs(rules, f);
	fclose(f);
	if (!ours)
		return sh("sed -E 's#ip saddr 10.88.0.2 ip daddr 10.88.0.2 masq#ip saddr "
			  "10.88.0.0/24 ip "
			  "daddr 10.88.0.2 masq#; s#saddr fd00:88::2 ip6#saddr fd00:88::/64 ip6#; "
			  "s#ip saddr 0.0.0.0/0 ##; s#ip6 saddr ::/0 ##' %s | "
			  "awk '/chain (prerouting|output) /{c=1} "
			  "!(c && /jump hostports_all/){print} /}/{c=0}'",
			  path);
	return sh("sed -E 's# ct status dnat masq# masq#' %s | "
		  "awk '/^\\*raw/{skip=1} !skip && !/chain "
		  "(localhost|prerouting_last|output_last|rules-of-.*) /"
		  "{if (!c) print} /chain (localhost|prerouting_last|output_last|rules-of-.*) "
		  "/{c=1} /}/{c=0} "
		  "/^COMMIT/{skip=0}'",
		  path);
}

/* The call's outcome, and the rules it left. */
static const char *add_with(const char *bin, const char *config)
{
	struct call c = on_container(1, "ADD", config);
	bool ours = bin == our_plugins();

	c.bin = bin;
	sh("for t in iptables ip6tables; do $t -t nat -N KUBE-MARK-MASQ; done 2>/dev/null; true");
	return fmt("%s\n%s", sorted(call_ok(c).json), without_improvements(rules_beside(), ours));
}

static bool is_skipped(size_t i)
{
	return cases[i].iptables_only && strcmp(backend->name, "nftables") == 0;
}

/* Each in a world of its own: what is shared stays. */
START_TEST(rules_and_results_are_those_of_the_go_plugin)
{
	int n = (int)ARRAY_SIZE(cases);
	size_t i = (size_t)(_i % n);
	const char *config, *theirs;

	ck_assert_msg(newest_plugins() != NULL, "no Go plugins");
	use_backend(_i / n);
	if (is_skipped(i))
		return;
	config = portmap_alone(1, cases[i].keys, cases[i].ports);
	theirs = fmt("%s", add_with(newest_plugins(), config));
	theirs = strdup(theirs);
	world_teardown();
	setup();
	use_backend(_i / n);
	config = portmap_alone(1, cases[i].keys, cases[i].ports);
	same_text(cases[i].what, theirs, add_with(our_plugins(), config));
	free((char *)theirs);
}
END_TEST

/*
 * Rules that name the attachment, or lead to its chain. That the Go plugin knows nothing of the table of
 * owners does no harm: a port whose owner has no rules is free.
 */
static const char *own_rules(void)
{
	return sh("{ nft list ruleset | sed '/^table inet cni_hostport_owners/,/^}/d'; for t in "
		  "iptables ip6tables; do /usr/sbin/$t-legacy-save; "
		  "done; } "
		  "2>/dev/null | grep -E 'ctr1|CNI-[DS]N-' || true");
}

static void call_by(const char *bin, const char *command, const char *config)
{
	struct call c = on_container(1, command, config);

	c.bin = bin;
	call_ok(c);
}

START_TEST(either_removes_what_the_other_one_added)
{
	int n = (int)ARRAY_SIZE(cases) - 1;
	size_t i = (size_t)(_i % n);
	const char *by[2] = { our_plugins(), newest_plugins() }, *config;

	ck_assert_ptr_nonnull(by[1]);
	use_backend(_i / n);
	if (is_skipped(i))
		return;
	sh("for t in iptables ip6tables; do $t -t nat -N KUBE-MARK-MASQ; done 2>/dev/null; true");
	config = portmap_alone(1, cases[i].keys, cases[i].ports);
	for (int first = 0; first < 2; first++) {
		call_by(by[first], "ADD", config);
		ck_assert_str_ne(own_rules(), "");
		/* It would find what the Go plugin left out (rules_beside). */
		if (!first || strcmp(backend->iptables, "legacy") != 0)
			call_by(by[0], "CHECK", config);
		call_by(by[1], "CHECK", config);
		call_by(by[!first], "DEL", config);
		ck_assert_str_eq(own_rules(), "");
		call_by(by[first], "DEL", config);
	}
	/* And with what it has left, the port is free for another container. */
	call_ok(on_container(2, "ADD", portmap_alone(2, cases[i].keys, cases[i].ports)));
}
END_TEST

int main(void)
{
	int n = (int)ARRAY_SIZE(cases);
	Suite *suite;
	TCase *tc;

	if (!getenv("CNI_PEER_DIR")) {
		fprintf(stderr, "no Go plugins (CNI_PEER_DIR): skipped\n");
		return getenv("CNI_TEST_MUST_RUN") ? 1 : 77;
	}
	suite = suite_create("portmap beside the Go plugin");
	tc = tcase_create("peer");
	tcase_add_checked_fixture(tc, setup, world_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, rules_and_results_are_those_of_the_go_plugin, 0, BACKENDS * n);
	tcase_add_loop_test(tc, either_removes_what_the_other_one_added, 0, BACKENDS * (n - 1));
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
