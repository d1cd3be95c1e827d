/*
 * bridge's VLANs beside the newest Go plugin: the same result, the same VLANs and flags of every port,
 * but for the improvements that docs/compat.md lists. And each deletes what the other one made.
 */
#include "same_world.h"

#include <stdlib.h>
#include <string.h>

#define HEAD "{\"cniVersion\":\"1.0.0\",\"name\":\"net1\",\"type\":\"bridge\",\"bridge\":\"br0\""
#define GATEWAY ",\"isGateway\":true,\"ipam\":{\"type\":\"host-local\",\"subnet\":\"10.5.0.0/24\"}"

static const struct {
	const char *keys;
	const char *theirs, *ours; /* VLANs of the port where they differ on purpose */
	const char *before; /* a command that makes the host what it is */
} rows[] = {
	{ .keys = "\"vlan\":100" },
	{ .keys = "\"vlan\":100,\"preserveDefaultVlan\":true" },
	{ .keys = "\"vlan\":1" },
	{ .keys = "\"vlanTrunk\":[{\"minID\":10,\"maxID\":12},{\"id\":20},{\"id\":11}]" },
	{ .keys = "\"vlanTrunk\":[{\"id\":20}],\"preserveDefaultVlan\":true" },
	{ .keys = "\"vlan\":5,\"vlanTrunk\":[{\"id\":20}]" },
	{ .keys = "\"vlan\":5,\"vlanTrunk\":[{\"id\":1},{\"id\":20}]" },
	{ .keys = "\"vlan\":20,\"vlanTrunk\":[{\"id\":20},{\"id\":21}]",
	  .theirs = "20\n21",
	  .ours = "20 PVID Egress Untagged\n21" },
	{ .keys = "\"vlanTrunk\":[]" },
	{ .keys = "\"vlanTrunk\":[{}]" },
	{ .keys = "\"vlanTrunk\":[{\"id\":1}]" },
	{ .keys = "\"vlanTrunk\":[{\"minID\":2,\"maxID\":9}],\"hairpinMode\":true,"
		  "\"portIsolation\":true" },
	{ .keys = "\"disableContainerInterface\":true,\"vlan\":7" },
	{ .keys = "\"vlan\":100" GATEWAY },
	{ .keys = "\"vlan\":100,\"preserveDefaultVlan\":true,\"mtu\":1400" GATEWAY },
	{ .keys = "\"vlan\":9",
	  .before = "ip link add br0 type bridge vlan_filtering 1 vlan_default_pvid 9" },
	{ .keys = "\"vlanTrunk\":[{\"id\":20}],\"preserveDefaultVlan\":true",
	  .before = "ip link add br0 type bridge vlan_filtering 1 vlan_default_pvid 9" },
	{ .keys = "\"vlanTrunk\":[{\"id\":20}]",
	  .before = "ip link add br0 type bridge vlan_filtering 1 vlan_default_pvid 0" },
};

/* What a call has made of links, addresses and VLANs; what is random becomes a word. */
static const char *state(void)
{
	return sh("{ bridge vlan show | "
		  "awk 'NR > 1 { if (/^[a-z]/) p = $1; sub(/^[^ ]* +/, \"\"); print \"vlan\", p, "
		  "$0 }'; "
		  "ip -o -d link show type bridge | grep -o 'vlan_filtering.*default_pvid [0-9]*'; "
		  "ip -o -d link show type veth | grep -o 'mtu.*\\|hairpin o[nf]*\\|isolated "
		  "o[nf]*'; "
		  "ip -o addr | awk '{ print $2, $4 }'; ip netns exec c1 ip -o link show eth0; } | "
		  "sed -E 's/veth[0-9a-f]{8}/veth/g; s/num[tr]xqueues [0-9]+//g; "
		  "s/8000\\.[0-9a-f:]+/id/g; "
		  "s/[a-z_]+timer +[0-9.]+//g; s/([0-9a-f]{2}:){5}[0-9a-f]{2}/mac/g; "
		  "s/qlen [0-9]+//; s/state [A-Z]+//; s/link-netns.*//; s/^[0-9]+: //; "
		  "s/@if[0-9]+//; "
		  "s/vlan_default_pvid/pvid/; s/ +/ /g; s/[ \\\\]*$//; s/promiscuity [0-9]+//' | "
		  "sort");
}

static const char *result(const struct reply *r)
{
	char *text = json_dumps(r->json, JSON_SORT_KEYS | JSON_INDENT(1));
	const char *plain;

	sh("cat >/run/result <<'END'\n%s\nEND", text);
	free(text);
	plain = sh("sed -E 's/veth[0-9a-f]{8}/veth/; s/([0-9a-f]{2}:){5}[0-9a-f]{2}/mac/' "
		   "/run/result");
	return plain;
}

/* Make the host, attach by `adder`, look, detach by `deleter`. @return result and state */
static const char *run_row(int row, const char *adder, const char *deleter)
{
	const char *config = fmt(HEAD ",%s}", rows[row].keys);
	struct call c = {
		.command = "ADD", .bin = adder, .netns = container_add("c1"), .config = config
	};
	const char *seen;
	struct reply r;

	if (rows[row].before)
		sh("%s", rows[row].before);
	r = call_ok(c);
	seen = fmt("%s\n%s", result(&r), state());
	c.bin = deleter;
	c.command = "DEL";
	call_ok(c);
	ck_assert_int_ne(sh_status_in("c1", "ip link show eth0"), 0);
	container_del("c1");
	sh("ip link del br0; ip link del br0.100 2>/dev/null; rm -rf /var/lib/cni/*");
	return seen;
}

START_TEST(results_vlans_and_flags_are_the_go_plugins)
{
	const char *theirs, *ours;

	ck_assert_msg(newest_plugins() != NULL, "no CNI_PEER_DIR: tests/peer fetches the plugins");
	theirs = run_row(_i, newest_plugins(), our_plugins());
	ours = run_row(_i, our_plugins(), newest_plugins());
	if (!rows[_i].theirs) {
		assert_same(theirs, ours);
		return;
	}
	ck_assert_str_ne(theirs, ours);
	sh("cat >/run/theirs <<'END'\n%s\nEND", theirs);
	sh("cat >/run/ours <<'END'\n%s\nEND", ours);
	ck_assert_str_eq(sh("sed -n 's/^vlan veth //p' /run/theirs"), rows[_i].theirs);
	ck_assert_str_eq(sh("sed -n 's/^vlan veth //p' /run/ours"), rows[_i].ours);
}
END_TEST

/* An attachment of the older ones, which let the port stay in the default VLAN, passes ours' CHECK. */
START_TEST(check_passes_what_the_go_plugins_made)
{
	const char *bins[] = { newest_plugins(), debian_plugins() };
	const char *config = HEAD ",\"vlan\":100" GATEWAY "}";

	for (int i = 0; i < 2; i++) {
		struct call c = { .command = "ADD",
				  .bin = bins[i],
				  .netns = container_add("c1"),
				  .config = config };
		struct reply r;

		ck_assert_ptr_nonnull(bins[i]);
		r = call_ok(c);
		c.bin = our_plugins();
		c.config = with_prev(config, r.out);
		c.command = "CHECK";
		call_ok(c);
		c.command = "DEL";
		call_ok(c);
		container_del("c1");
		sh("ip link del br0; ip link del br0.100 2>/dev/null; rm -rf /var/lib/cni/*");
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("vlan beside the Go plugins");
	TCase *tc = tcase_create("peer");

	tcase_add_checked_fixture(tc, world_setup, world_teardown);
	tcase_add_checked_fixture(tc, no_link_local, NULL);
	tcase_set_timeout(tc, 240);
	tcase_add_loop_test(tc, results_vlans_and_flags_are_the_go_plugins, 0,
			    sizeof(rows) / sizeof(rows[0]));
	tcase_add_test(tc, check_passes_what_the_go_plugins_made);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
