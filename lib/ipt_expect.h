/*
 * CHECK of iptables' rules: which of those that should be in a chain are not.
 */
#ifndef CNI_IPT_EXPECT_H
#define CNI_IPT_EXPECT_H

#include "ipt.h"

/** A rule that should be there. */
struct cni_ipt_expect {
	struct cni_ipt_rule rule;
	bool found; /**< out */
};

/**
 * Look for rules in one chain, which is read once.
 *
 * @param list   `found` is set in those that are there
 * @param table  as in cni_ipt_on
 * @return 0, also if some or all are missing, or the chain; negative errno
 */
int cni_ipt_expect(const struct cni_ipt_writer *writer, sa_family_t family, const char *table,
		   const char *chain, struct cni_ipt_expect *list, size_t n,
		   struct cni_error *err) cni_must_check;

#endif
