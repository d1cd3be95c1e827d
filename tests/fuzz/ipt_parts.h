/*
 * For the fuzzers of rules: extensions of x_tables that a rule may name, known ones and others.
 */
#ifndef FUZZ_IPT_PARTS_H
#define FUZZ_IPT_PARTS_H

static const char *const xt_names[] = {
	"comment", "tcp",	"udp",	      "sctp", "dccp", "udplite", "multiport", "addrtype",
	"mark",	   "conntrack", "MASQUERADE", "DNAT", "MARK", "limit",	 "",
};
#define XT_NAMES (sizeof(xt_names) / sizeof(xt_names[0]))

static const char *const chain_names[] = { "KUBE-SERVICES", "A", "",
					   "a-name-of-one-more-than-28-bytes" };
#define CHAIN_NAMES (sizeof(chain_names) / sizeof(chain_names[0]))

#endif
