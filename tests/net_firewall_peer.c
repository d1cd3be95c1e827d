/*
 * firewall beside the Go plugin, on hosts with either kind of iptables: the same rules, and each
 * checks and deletes what the other one made.
 */
#include "iptables_kind.h"
#include "peer_state.h"
#include "same_world.h"

#include <unistd.h>

/* A bridge's and two addresses' worth of what the plugin in front returns. */
#define PREV(bridge, v4, v6)                                                      \
	"'prevResult':{'cniVersion':'1.0.0','interfaces':[{'name':'" bridge       \
	"'},{'name':'veth0'},{'name':'eth0','sandbox':'/run/netns/c1'}],'ips':[{" \
	"'address':'" v4 "/24','interface':2},{'address':'" v6 "/64','interface':2}]}"
#define NET(name, keys, prev) \
	"{'cniVersion':'1.0.0','name':'" name "','type':'firewall'," keys prev "}"
#define PREV_1 PREV("br1", "10.1.0.2", "fd01::2")
#define PREV_2 PREV("br2", "10.2.0.2", "fd02::2")

/* Two attachments, one after the other; the second one may be of another network. */
static const struct row {
	const char *name, *first, *second;
	bool newest; /* Debian's knows one policy only, and has other comments */
} rows[] = {
	{ "open", NET("net1", "", PREV_1), NET("net1", "", PREV("br1", "10.1.0.3", "fd01::3")),
	  false },
	{ "same-bridge", NET("net1", "'ingressPolicy':'same-bridge',", PREV_1),
	  NET("net2", "'ingressPolicy':'same-bridge',", PREV_2), true },
	{ "isolated", NET("net1", "'ingressPolicy':'isolated',", PREV_1),
	  NET("net2", "'ingressPolicy':'isolated',", PREV_2), true },
	{ "same-bridge, then isolated on that bridge",
	  NET("net1", "'ingressPolicy':'same-bridge',", PREV_1),
	  NET("net1", "'ingressPolicy':'isolated',", PREV("br1", "10.1.0.3", "fd01::3")), true },
	{ "two chains of operators", NET("net1", "'iptablesAdminChainName':'MY-ADMIN',", PREV_1),
	  NET("net2", "", PREV_2), false },
	{ "backend iptables, one family",
	  NET("net1", "'backend':'iptables',",
	      "'prevResult':{'cniVersion':'1.0.0','ips':[{'address':'10.1.0.2/24'}]}"),
	  NET("net1", "'backend':'nonsense','ingressPolicy':'open',",
	      "'prevResult':{'cniVersion':'1.0.0','ips':[{'address':'fd01::2/64'}]}"),
	  false },
	{ "the same address twice",
	  NET("net1", "",
	      "'prevResult':{'cniVersion':'1.0.0','ips':[{'address':'10.1.0.2/24'},"
	      "{'address':'10.1.0.2/16'}]}"),
	  NET("net1", "", PREV("br1", "10.1.0.3", "fd01::3")), false },
	{ "no address", NET("net1", "", "'prevResult':{'cniVersion':'1.0.0'}"),
	  NET("net1", "", PREV_1), false },
};
#define N_ROWS (int)(sizeof(rows) / sizeof(rows[0]))

static void setup(void)
{
	world_setup();
	kinds_make();
	container_add("c1");
}

static const char *config(const char *text)
{
	return conf(text, "");
}

static struct reply ask(const char *bin, int kind, const char *command, const char *id,
			const char *text)
{
	return call_ok((struct call){ .command = command,
				      .bin = bin,
				      .id = id,
				      .netns = "/run/netns/c1",
				      .config = config(text),
				      .wrapper = on_kind(kind) });
}

/* What is ours alone: the chain for published ports, and the jump to it. */
static const char *without_ours(const char *rules)
{
	return edit(rules, "/CNI-FORWARD-DNAT/d");
}

/* As iptables' own listing, and for the nft kind as that of nft, which shows how rules are encoded. */
static const char *state(int kind)
{
	const char *rules = without_ours(filter_rules(kind));

	if (kind == KIND_NFT)
		rules = fmt("%s\n%s", rules,
			    sh("{ nft list table ip filter; nft list table ip6 filter; } "
			       "2>/dev/null | sed -E 's/packets [0-9]+ bytes [0-9]+//; "
			       "/^$/d; "
			       "/chain CNI-FORWARD-DNAT/,/}/d; /jump CNI-FORWARD-DNAT/d'"));
	return rules;
}

static void compare(const struct row *row, int kind, const char *bin)
{
	const char *theirs[5], *ours[5], *sides[2] = { bin, our_plugins() };

	for (int i = 0; i < 2; i++) {
		const char **seen = i ? ours : theirs;

		filter_flush();
		seen[0] = fmt("%s%s", sorted(ask(sides[i], kind, "ADD", "ctr1", row->first).json),
			      state(kind));
		seen[1] = fmt("%s%s", sorted(ask(sides[i], kind, "ADD", "ctr2", row->second).json),
			      state(kind));
		ask(sides[i], kind, "CHECK", "ctr2", row->second);
		ask(sides[i], kind, "DEL", "ctr1", row->first);
		seen[2] = state(kind);
		ask(sides[i], kind, "DEL", "ctr1", row->first);
		seen[3] = state(kind);
		ask(sides[i], kind, "DEL", "ctr2", row->second);
		seen[4] = state(kind);
	}
	for (size_t i = 0; i < 5; i++) {
		const char *diff = difference(theirs[i], ours[i]);

		ck_assert_msg(!diff, "%s, %s, step %zu:\n%s", row->name, kind_names[kind], i, diff);
	}
}

START_TEST(the_rules_are_those_of_the_go_plugin)
{
	compare(&rows[_i / KINDS], _i % KINDS, newest_plugins());
}
END_TEST

START_TEST(the_rules_are_those_of_debians_go_plugin)
{
	if (!rows[_i / KINDS].newest)
		compare(&rows[_i / KINDS], _i % KINDS, debian_plugins());
}
END_TEST

/* Rows that the programs are exchanged on. */
static const int swapped[] = { 0, 2 };
#define N_SWAPPED 2

/* What one attached, the other finds in order, and removes. */
static void swap(const struct row *row, int kind, const char *first, const char *second)
{
	const char *before, *attached;

	ask(first, kind, "ADD", "other", row->second);
	ask(first, kind, "ADD", "ctr1", row->first);
	ask(first, kind, "DEL", "ctr1", row->first);
	before = state(kind);
	ask(first, kind, "ADD", "ctr1", row->first);
	attached = state(kind);
	ask(second, kind, "CHECK", "ctr1", row->first);
	assert_same(attached, state(kind));
	ask(first, kind, "CHECK", "ctr1", row->first);
	ask(second, kind, "DEL", "ctr1", row->first);
	assert_same(before, state(kind));
	ask(first, kind, "DEL", "ctr1", row->first);
	assert_same(before, state(kind));
}

START_TEST(ours_is_deleted_by_theirs)
{
	swap(&rows[swapped[_i / KINDS]], _i % KINDS, our_plugins(), newest_plugins());
}
END_TEST

START_TEST(theirs_is_deleted_by_ours)
{
	swap(&rows[swapped[_i / KINDS]], _i % KINDS, newest_plugins(), our_plugins());
	ck_assert_ptr_null(strstr(filter_rules(_i % KINDS), "id: "));
}
END_TEST

/*
 * What their DEL does not know of ours: a rule that lets translated flows through to the address. The
 * address's next container takes it along.
 */
START_TEST(what_their_del_leaves_goes_with_the_next_container_of_the_address)
{
	const char *net = NET("net1", "", PREV_1), *before;

	ask(our_plugins(), _i, "ADD", "ctr1", net);
	ask(newest_plugins(), _i, "DEL", "ctr1", net);
	before = filter_rules(_i);
	ck_assert_ptr_nonnull(strstr(before, "-A CNI-FORWARD-DNAT -d 10.1.0.2/32"));
	ck_assert_ptr_null(strstr(before, "-s 10.1.0.2/32"));
	ask(our_plugins(), _i, "ADD", "ctr2", net);
	ask(our_plugins(), _i, "DEL", "ctr2", net);
	ck_assert_ptr_null(strstr(filter_rules(_i), "id: ctr1"));
	ck_assert_ptr_null(strstr(filter_rules(_i), "10.1.0.2"));
	ck_assert_ptr_null(strstr(filter_rules(_i), "fd01::2"));
}
END_TEST

int main(void)
{
	bool debian = peer_has("/usr/lib/cni", "firewall"),
	     newest = peer_has(getenv("CNI_PEER_DIR"), "firewall");
	Suite *suite = suite_create("firewall beside the Go plugin");
	TCase *tc = tcase_create("peer");

	tcase_add_checked_fixture(tc, setup, world_teardown);
	tcase_set_timeout(tc, 120);
	if (debian)
		tcase_add_loop_test(tc, the_rules_are_those_of_debians_go_plugin, 0,
				    N_ROWS * KINDS);
	if (newest) {
		tcase_add_loop_test(tc, the_rules_are_those_of_the_go_plugin, 0, N_ROWS * KINDS);
		tcase_add_loop_test(tc, ours_is_deleted_by_theirs, 0, N_SWAPPED * KINDS);
		tcase_add_loop_test(tc, theirs_is_deleted_by_ours, 0, N_SWAPPED * KINDS);
		tcase_add_loop_test(
			tc, what_their_del_leaves_goes_with_the_next_container_of_the_address, 0,
			KINDS);
	}
	suite_add_tcase(suite, tc);
	return peer_main(suite, "firewall");
}
