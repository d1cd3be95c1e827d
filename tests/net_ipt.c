/*
 * iptables' rules, written by us and by the host's own iptables of either kind: the same text in every
 * listing, and either knows and removes the other's.
 */
#include "ipt_expect.h"
#include "world.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

/* One kind of iptables for one family. */
static const struct kind {
	const char *tool, *save;
	const struct cni_ipt_writer *writer;
	sa_family_t family;
} kinds[] = {
	{ "iptables-nft", "iptables-nft-save", &cni_ipt_nft, AF_INET },
	{ "ip6tables-nft", "ip6tables-nft-save", &cni_ipt_nft, AF_INET6 },
	{ "iptables-legacy", "iptables-legacy-save", &cni_ipt_legacy, AF_INET },
	{ "ip6tables-legacy", "ip6tables-legacy-save", &cni_ipt_legacy, AF_INET6 },
};

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define QUOTED "name: \"net\" id: \"ctr\""
#define RULE(...) ((struct cni_ipt_rule){ __VA_ARGS__ })
#define TO .verdict = CNI_IPT_JUMP, .chain = "CNI-to"
/* An address with its length, for either family. */
#define A4(a, b, c, d, n)                                   \
	{                                                   \
		.ip = { AF_INET, { a, b, c, d } }, .len = n \
	}
#define A6(x, n)                                                                \
	{                                                                       \
		.ip = { AF_INET6, { 0xfd, 0, 0, 1, 0x1f, [15] = x } }, .len = n \
	}

/* Each form of a rule that a plugin may want, and what iptables has to be told for the same. */
static const struct form {
	const char *table, *args;
	sa_family_t family; /* 0 = either */
	struct cni_ipt_rule rule;
} forms[] = {
	{ "nat", "-j ACCEPT", 0, { .verdict = CNI_IPT_ACCEPT } },
	{ "filter", "-j DROP", 0, { .verdict = CNI_IPT_DROP } },
	{ "nat", "-j RETURN", 0, { .verdict = CNI_IPT_RETURN } },
	{ "nat", "-j CNI-to", 0, { TO } },
	{ "nat", "", 0, { .verdict = CNI_IPT_CONTINUE } },
	{ "nat", "-m comment --comment 'name: \"net\" id: \"ctr\"'", 0, { .comment = QUOTED } },
	{ "raw",
	  "-s 10.0.0.0/24 -j RETURN",
	  AF_INET,
	  { .source.prefix = A4(10, 0, 0, 77, 24), .verdict = CNI_IPT_RETURN } },
	{ "nat", "-s 10.1.2.3 -j CNI-to", AF_INET, { .source.prefix = A4(10, 1, 2, 3, 32), TO } },
	{ "nat",
	  "! -d 224.0.0.0/4 -j MASQUERADE",
	  AF_INET,
	  { .destination = { A4(224, 0, 0, 0, 4), true }, .verdict = CNI_IPT_MASQUERADE } },
	{ "nat",
	  "! -s 10.0.0.0/9 -d 10.128.0.0/17 -j CNI-to",
	  AF_INET,
	  { .source = { A4(10, 0, 0, 0, 9), true },
	    .destination.prefix = A4(10, 128, 0, 0, 17),
	    TO } },
	{ "nat", "-s fd00:1:1f00::7 -j CNI-to", AF_INET6, { .source.prefix = A6(7, 128), TO } },
	{ "nat",
	  "! -d fd00:1:1800::/37 -j MASQUERADE",
	  AF_INET6,
	  { .destination = { A6(7, 37), true }, .verdict = CNI_IPT_MASQUERADE } },
	{ "nat",
	  "-d fd00:1::/32 -s fd00::/8 -j MASQUERADE --random-fully",
	  AF_INET6,
	  { .destination.prefix = A6(7, 32),
	    .source.prefix = A6(9, 8),
	    .verdict = CNI_IPT_MASQUERADE,
	    .random_fully = true } },
	{ "nat",
	  "-j MASQUERADE --random-fully",
	  0,
	  { .verdict = CNI_IPT_MASQUERADE, .random_fully = true } },
	{ "filter",
	  "-i br0 ! -o br0 -j CNI-to",
	  0,
	  { .in.name = "br0", .out = { "br0", true }, TO } },
	{ "filter",
	  "! -i br+ -o br123456789012+ -j DROP",
	  0,
	  { .in = { "br+", true }, .out.name = "br123456789012+", .verdict = CNI_IPT_DROP } },
	{ "filter",
	  "-i br1234567890123 -j DROP",
	  0,
	  { .in.name = "br1234567890123", .verdict = CNI_IPT_DROP } },
	{ "nat", "-p tcp -j CNI-to", 0, { .protocol = IPPROTO_TCP, TO } },
	{ "nat",
	  "-p tcp --dport 8080 -j CNI-to",
	  0,
	  { .protocol = IPPROTO_TCP, .dport = 8080, TO } },
	{ "nat", "-p udp --dport 53 -j CNI-to", 0, { .protocol = IPPROTO_UDP, .dport = 53, TO } },
	{ "nat", "-p sctp --dport 7 -j CNI-to", 0, { .protocol = IPPROTO_SCTP, .dport = 7, TO } },
	{ "nat", "-p dccp --dport 7 -j CNI-to", 0, { .protocol = IPPROTO_DCCP, .dport = 7, TO } },
	{ "filter",
	  "-i br0 -p tcp -s 10.0.0.0/8 -d 10.1.0.0/16 --dport 65535 -j DROP",
	  AF_INET,
	  { .in.name = "br0",
	    .source.prefix = A4(10, 0, 0, 0, 8),
	    .destination.prefix = A4(10, 1, 0, 0, 16),
	    .protocol = IPPROTO_TCP,
	    .dport = 65535,
	    .verdict = CNI_IPT_DROP } },
	{ "nat",
	  "-p tcp -m multiport --dports 1,65535 -j CNI-to",
	  0,
	  { .protocol = IPPROTO_TCP, .dports = { 1, 65535 }, .n_dports = 2, TO } },
	{ "nat",
	  "-p udplite -m multiport --dports 80 -j CNI-to",
	  0,
	  { .protocol = IPPROTO_UDPLITE, .dports = { 80 }, .n_dports = 1, TO } },
	{ "nat",
	  "-m comment --comment 'dnat name: \"net\" id: \"ctr\"' -m multiport -p tcp "
	  "--destination-ports 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15 ! -d 1.2.3.4 -j CNI-to",
	  AF_INET,
	  { .comment = "dnat " QUOTED,
	    .protocol = IPPROTO_TCP,
	    .dports = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
	    .n_dports = 15,
	    .destination = { A4(1, 2, 3, 4, 32), true },
	    TO } },
	{ "nat", "-m addrtype --dst-type LOCAL -j CNI-to", 0, { .to_local = true, TO } },
	{ "nat",
	  "-m mark --mark 0x2000/0x2000 -j MASQUERADE",
	  0,
	  { .mark = 0x2000, .mark_mask = 0x2000, .verdict = CNI_IPT_MASQUERADE } },
	{ "nat",
	  "-m comment --comment x -m mark --mark 5 -j CNI-to",
	  0,
	  { .comment = "x", .mark = 5, .mark_mask = UINT32_MAX, TO } },
	{ "filter",
	  "-d 10.1.2.3 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
	  AF_INET,
	  { .destination.prefix = A4(10, 1, 2, 3, 32),
	    .ctstate = CNI_IPT_RELATED | CNI_IPT_ESTABLISHED,
	    .verdict = CNI_IPT_ACCEPT } },
	{ "filter",
	  "-m comment --comment x -m conntrack --ctstate DNAT -j ACCEPT",
	  0,
	  { .comment = "x", .ctstate = CNI_IPT_DNATED, .verdict = CNI_IPT_ACCEPT } },
	{ "filter",
	  "-m conntrack ! --ctstate NEW,INVALID -j ACCEPT",
	  0,
	  { .ctstate = CNI_IPT_NEW | CNI_IPT_INVALID,
	    .ctstate_invert = true,
	    .verdict = CNI_IPT_ACCEPT } },
	{ "nat",
	  "-p tcp --dport 80 -j DNAT --to-destination 10.1.2.3:8080",
	  AF_INET,
	  { .protocol = IPPROTO_TCP,
	    .dport = 80,
	    .verdict = CNI_IPT_DNAT,
	    .to = { AF_INET, { 10, 1, 2, 3 } },
	    .to_port = 8080 } },
	{ "nat",
	  "-j DNAT --to-destination 10.1.2.3",
	  AF_INET,
	  { .verdict = CNI_IPT_DNAT, .to = { AF_INET, { 10, 1, 2, 3 } } } },
	{ "nat",
	  "-p udp -j DNAT --to-destination [fd00::2]:81",
	  AF_INET6,
	  { .protocol = IPPROTO_UDP,
	    .verdict = CNI_IPT_DNAT,
	    .to = { AF_INET6, { 0xfd, [15] = 2 } },
	    .to_port = 81 } },
	{ "nat",
	  "-j MARK --set-xmark 0x2000/0x2000",
	  0,
	  { .verdict = CNI_IPT_MARK, .set_mark = 0x2000, .set_mask = 0x2000 } },
};

/* Every form that a kind's family has, in one chain per table. */
static bool concerns(const struct kind *k, const struct form *f)
{
	return !f->family || f->family == k->family;
}

static const char *const tables[] = { "nat", "filter", "raw" };

static void write_ours(const struct kind *k)
{
	cni_auto(ipt) struct cni_ipt tx = { .writer = k->writer };
	struct cni_error err = { 0 };

	for (size_t t = 0; t < N(tables); t++) {
		cni_ipt_on(&tx, k->family, tables[t]);
		cni_ipt_chain(&tx, "CNI-to");
		cni_ipt_chain(&tx, "CNI-test");
		for (size_t i = 0; i < N(forms); i++)
			if (concerns(k, &forms[i]) && strcmp(forms[i].table, tables[t]) == 0)
				cni_ipt_append(&tx, "CNI-test", &forms[i].rule);
		cni_ipt_append(&tx, "OUTPUT", &RULE(.comment = "x", TO));
	}
	ck_assert_msg(cni_ipt_commit(&tx, &err) == 0, "%s; %s", err.msg, err.details);
}

static void write_theirs(const struct kind *k)
{
	for (size_t t = 0; t < N(tables); t++) {
		sh("%s -t %s -N CNI-to && %s -t %s -N CNI-test", k->tool, tables[t], k->tool,
		   tables[t]);
		for (size_t i = 0; i < N(forms); i++)
			if (concerns(k, &forms[i]) && strcmp(forms[i].table, tables[t]) == 0)
				sh("%s -t %s -A CNI-test %s", k->tool, tables[t], forms[i].args);
		sh("%s -t %s -A OUTPUT -m comment --comment x -j CNI-to", k->tool, tables[t]);
	}
}

static void forget(const struct kind *k)
{
	for (size_t t = 0; t < N(tables); t++)
		sh("%s -t %s -F; %s -t %s -X", k->tool, tables[t], k->tool, tables[t]);
	sh("nft flush ruleset");
}

/* But for what was counted meanwhile. */
static const char *listed(const struct kind *k)
{
	return sh("{ %s | grep -v '^#'; nft list ruleset; nft --debug=netlink list ruleset | "
		  "sed 's/^\\(ip6\\?  *[^ ]* [^ ]*\\) [0-9 ]*$/\\1/'; } 2>/dev/null | "
		  "sed 's/\\[[0-9]*:[0-9]*\\]//; s/\\(packets\\|pkts\\) [0-9]* bytes [0-9]*//'",
		  k->save);
}

/* Listings are long: show where they part. */
static void assert_same(const char *a, const char *b)
{
	size_t line = 0;

	for (size_t i = 0; a[i] == b[i]; i++) {
		if (!a[i])
			return;
		if (a[i] == '\n')
			line = i + 1;
	}
	ck_abort_msg("\n%.*s\n%.*s", (int)strcspn(a + line, "\n"), a + line,
		     (int)strcspn(b + line, "\n"), b + line);
}

START_TEST(every_form_reads_as_if_iptables_had_written_it)
{
	const struct kind *k = &kinds[_i];
	const char *ours, *theirs;

	write_theirs(k);
	theirs = listed(k);
	forget(k);
	write_ours(k);
	ours = listed(k);
	assert_same(ours, theirs);
}
END_TEST

START_TEST(iptables_checks_and_deletes_what_we_wrote)
{
	const struct kind *k = &kinds[_i];

	write_ours(k);
	for (size_t i = 0; i < N(forms); i++) {
		if (!concerns(k, &forms[i]))
			continue;
		ck_assert_msg(sh_status("%s -t %s -C CNI-test %s", k->tool, forms[i].table,
					forms[i].args) == 0,
			      "-C %s", forms[i].args);
		ck_assert_msg(sh_status("%s -t %s -D CNI-test %s", k->tool, forms[i].table,
					forms[i].args) == 0,
			      "-D %s", forms[i].args);
	}
	ck_assert_str_eq(sh("%s | grep -c -- '-A CNI-test' || :", k->save), "0");
}
END_TEST

static bool has_rule(const struct kind *k, const struct form *f)
{
	struct cni_ipt_expect e = { .rule = f->rule };
	struct cni_error err = { 0 };

	ck_assert_int_eq(cni_ipt_expect(k->writer, k->family, f->table, "CNI-test", &e, 1, &err),
			 0);
	return e.found;
}

START_TEST(we_know_and_delete_what_iptables_wrote)
{
	const struct kind *k = &kinds[_i];
	struct cni_error err = { 0 };
	const char *before;

	write_theirs(k);
	before = listed(k);
	write_ours(k); /* everything is there */
	assert_same(listed(k), before);
	for (size_t i = 0; i < N(forms); i++) {
		cni_auto(ipt) struct cni_ipt tx = { .writer = k->writer };
		const struct form *f = &forms[i];

		if (!concerns(k, f))
			continue;
		ck_assert_msg(has_rule(k, f), "%s", f->args);
		cni_ipt_on(&tx, k->family, f->table);
		cni_ipt_delete(&tx, "CNI-test", &f->rule);
		ck_assert_int_eq(cni_ipt_commit(&tx, &err), 0);
		ck_assert_msg(!has_rule(k, f), "%s", f->args);
	}
	ck_assert_str_eq(sh("%s | grep -c -- '-A CNI-test' || :", k->save), "0");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ipt");
	TCase *tc = tcase_create("rules");

	tcase_add_checked_fixture(tc, world_setup, world_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, every_form_reads_as_if_iptables_had_written_it, 0, N(kinds));
	tcase_add_loop_test(tc, iptables_checks_and_deletes_what_we_wrote, 0, N(kinds));
	tcase_add_loop_test(tc, we_know_and_delete_what_iptables_wrote, 0, N(kinds));
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
