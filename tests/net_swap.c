/*
 * The programs are exchanged on a running node, in either direction: what one attached, the other checks,
 * keeps at GC and deletes; the leases of one are the other's, too.
 */
#include "peer_configs.h"
#include "peer_state.h"

/* How attachments are made and how they end. */
static const struct swap {
	const char *name, *config;
	bool newest;
} swaps[] = {
	{ "plain", BRIDGE(GW LOCAL(V4 ",'routes':[{'dst':'0.0.0.0/0'}]")), false },
	{ "dual stack", BRIDGE(DEFAULT_GW LOCAL("'ranges':[[{" V4 "}],[{" V6 "}]]")), false },
	{ "macspoofchk", BRIDGE(GW ",'macspoofchk':true" LOCAL(V4)), false },
	{ "ipMasq",
	  BRIDGE(DEFAULT_GW ",'ipMasq':true,'ipMasqBackend':'nftables'" LOCAL("'ranges':[[{" V4
									      "}],[{" V6 "}]]")),
	  true },
};
#define N_SWAPS (int)(sizeof(swaps) / sizeof(swaps[0]))

/* The Go plugins, found at `bin`, see nft but no iptables: their DEL fails where that is the nft kind. */
static struct call swap_call(const char *bin, const char *command, int n, const char *config)
{
	return (struct call){
		.command = command,
		.bin = bin,
		.id = fmt("ctr%d", n),
		.netns = fmt("/run/netns/c%d", n),
		.config = config,
		.wrapper = bin == our_plugins() ? NULL : "env PATH=/run/world/tools",
	};
}

/* Everything but the place where the next search for an address starts. */
static const char *swap_state(void)
{
	return edit(state_text(), "/last_reserved_ip.[0-9]+:/d");
}

static void swap(const struct swap *s, const char *first, const char *second, const char *version)
{
	const char *config = conf(s->config, version), *before, *attached, *prev, *gc;
	struct reply r;

	sh("mkdir /run/world/tools; ln -s $(command -v nft) /run/world/tools/");
	sh("sysctl -qw net.ipv6.conf.default.accept_dad=0");
	container_add("c0");
	container_add("c1");
	/* The bridge, its address and the table are there to stay, and are not looked at. */
	call_ok(swap_call(first, "ADD", 0, config));
	settle_all(); /* or the bridge has its link-local address now or later */
	call_ok(swap_call(first, "DEL", 0, config));
	before = swap_state();
	r = call_ok(swap_call(first, "ADD", 1, config));
	attached = swap_state();
	ck_assert_str_ne(before, attached);
	prev = with_prev(config, r.out);
	call_ok(swap_call(second, "CHECK", 1, prev));
	if (strcmp(version, "1.1.0") == 0) {
		gc = fmt("%.*s,\"cni.dev/valid-attachments\":[{\"containerID\":\"ctr1\","
			 "\"ifname\":\"eth0\"}]}",
			 (int)strlen(config) - 1, config);
		call_ok(swap_call(second, "GC", 1, gc));
	}
	same_text("after CHECK and GC", attached, swap_state());
	call_ok(swap_call(first, "CHECK", 1, prev));
	call_ok(swap_call(second, "DEL", 1, prev));
	same_text("after DEL", before, swap_state());
	call_ok(swap_call(first, "DEL", 1, prev));
	same_text("after the second DEL", before, swap_state());
	/* What marks the place of ours is left by a DEL of theirs, and goes with the next one of ours. */
	if (first == our_plugins())
		ck_assert_int_ne(sh_status("nft list ruleset | grep rules-of-"), 0);
}

START_TEST(theirs_is_deleted_by_ours)
{
	swap(&swaps[_i], newest_plugins(), our_plugins(), "1.1.0");
}
END_TEST

START_TEST(ours_is_deleted_by_theirs)
{
	swap(&swaps[_i], our_plugins(), newest_plugins(), "1.1.0");
}
END_TEST

START_TEST(debians_is_deleted_by_ours)
{
	if (!swaps[_i].newest)
		swap(&swaps[_i], debian_plugins(), our_plugins(), "1.0.0");
}
END_TEST

START_TEST(ours_is_deleted_by_debians)
{
	if (!swaps[_i].newest)
		swap(&swaps[_i], our_plugins(), debian_plugins(), "1.0.0");
}
END_TEST

/* ---- leases ---- */

static const char *lease_config(void)
{
	return conf("{'cniVersion':'@','name':'net1','type':'host-local'" LOCAL(
			    "'subnet':'10.1.0.0/28'") "}",
		    "1.0.0");
}

static struct call lease_call(const char *bin, const char *command, int n)
{
	return (struct call){ .command = command,
			      .bin = bin,
			      .id = fmt("ctr%d", n),
			      .netns = "/run/netns/none",
			      .config = lease_config() };
}

/* 13 addresses, 20 ADDs in turns: no address twice, then the same refusal of both. */
static void lease_in_turns(const char *theirs)
{
	enum { ADDRESSES = 13, ADDS = 20 };
	const char *refusal = NULL, *leases;

	for (int n = 0; n < ADDS; n++) {
		struct reply r = call(lease_call(n % 2 ? theirs : our_plugins(), "ADD", n));

		if (n < ADDRESSES) {
			ck_assert_msg(r.status == 0, "ADD %d: %s", n, r.out);
			continue;
		}
		ck_assert_int_eq(r.status, 1);
		ck_assert_int_eq(r.code, 999);
		if (refusal)
			ck_assert_str_eq(r.msg, refusal);
		refusal = r.msg;
	}
	leases = sh("cat /var/lib/cni/networks/net1/10.* | tr -c a-z0-9 ' ' | "
		    "sed 's/eth0/&\\n/g' | grep -c ctr");
	ck_assert_str_eq(leases, fmt("%d", ADDRESSES));
	for (int n = 0; n < ADDS; n++) /* each by the other */
		call_ok(lease_call(n % 2 ? our_plugins() : theirs, "DEL", n));
	ck_assert_int_ne(sh_status("ls /var/lib/cni/networks/net1/10.*"), 0);
}

START_TEST(leases_in_turns_with_newest)
{
	lease_in_turns(newest_plugins());
}
END_TEST

START_TEST(leases_in_turns_with_debian)
{
	lease_in_turns(debian_plugins());
}
END_TEST

/* A lease from before interface names were written is whole for both. */
START_TEST(legacy_lease)
{
	const char *bins[] = { newest_plugins(), our_plugins() };
	const char *refusal = NULL;

	for (size_t i = 0; i < 2; i++) {
		struct reply r;

		sh("mkdir -p /var/lib/cni/networks/net1; "
		   "printf ctr1 > /var/lib/cni/networks/net1/10.1.0.5");
		call_ok(lease_call(bins[i], "CHECK", 1));
		r = call_fails(lease_call(bins[i], "ADD", 1), 999, "10.1.0.5 has been allocated");
		if (refusal)
			ck_assert_str_eq(r.msg, refusal);
		refusal = r.msg;
		call_ok(lease_call(bins[i], "DEL", 2));
		sh("test -e /var/lib/cni/networks/net1/10.1.0.5");
		call_ok(lease_call(bins[i], "DEL", 1));
		sh("test ! -e /var/lib/cni/networks/net1/10.1.0.5");
	}
}
END_TEST

int main(void)
{
	bool debian = peer_has(PEER_DEBIAN, "bridge"),
	     newest = peer_has(getenv("CNI_PEER_DIR"), "bridge");
	Suite *suite = suite_create("swap");
	TCase *tc = tcase_create("swap");

	tcase_add_checked_fixture(tc, world_setup, world_teardown);
	tcase_set_timeout(tc, 120);
	if (debian) {
		tcase_add_loop_test(tc, debians_is_deleted_by_ours, 0, N_SWAPS);
		tcase_add_loop_test(tc, ours_is_deleted_by_debians, 0, N_SWAPS);
		tcase_add_test(tc, leases_in_turns_with_debian);
	}
	if (newest) {
		tcase_add_loop_test(tc, theirs_is_deleted_by_ours, 0, N_SWAPS);
		tcase_add_loop_test(tc, ours_is_deleted_by_theirs, 0, N_SWAPS);
		tcase_add_test(tc, leases_in_turns_with_newest);
		tcase_add_test(tc, legacy_lease);
	}
	suite_add_tcase(suite, tc);
	return peer_main(suite, "bridge");
}
