/*
 * For the tests of plugins that write iptables' rules: the two kinds of iptables that a host may have.
 * A call takes the kind by its PATH, which holds nothing but `iptables` and `ip6tables`.
 */
#ifndef TESTS_IPTABLES_KIND_H
#define TESTS_IPTABLES_KIND_H

#include "world.h"

enum { KIND_NFT, KIND_LEGACY, KINDS };

static const char *const kind_names[KINDS] = { "nft", "legacy" };

/** For a fixture: make the directories that are the PATH of a host of either kind. */
static inline void kinds_make(void)
{
	for (int k = 0; k < KINDS; k++)
		sh("mkdir -p /run/kind/%s; for v in 4 6; do "
		   "ln -s /usr/sbin/xtables-%s-multi /run/kind/%s/ip${v#4}tables; done",
		   kind_names[k], kind_names[k], kind_names[k]);
}

/** @return the wrapper that makes a call meet a host of that kind */
static inline const char *on_kind(int kind)
{
	return fmt("env PATH=/run/kind/%s", kind_names[kind]);
}

/** @return the rules of table filter, both families, as iptables-save prints them, without counters */
static inline const char *filter_rules(int kind)
{
	return sh("for v in 4 6; do echo IPv$v; "
		  "/usr/sbin/xtables-%s-multi ip${v#4}tables-save -t filter 2>/dev/null | "
		  "sed 's/ \\[[0-9:]*\\]$//; /^#/d'; done",
		  kind_names[kind]);
}

/** Forget all rules, as if the host had been booted. */
static inline void filter_flush(void)
{
	sh("nft flush ruleset; for t in iptables-legacy ip6tables-legacy; do "
	   "$t -F; $t -X; $t -P FORWARD ACCEPT; done");
}

#endif
