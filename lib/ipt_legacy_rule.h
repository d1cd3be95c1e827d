/*
 * A rule of iptables' as ip_tables and ip6_tables hold it: an entry with its matches and its target, as
 * iptables-legacy writes it.
 */
#ifndef CNI_IPT_LEGACY_RULE_H
#define CNI_IPT_LEGACY_RULE_H

#include "ipt_xt.h"

#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>

/** Room for any entry. */
union cni_ipt_entry {
	struct ipt_entry v4;
	struct ip6t_entry v6;
	uint64_t room[(sizeof(struct ip6t_entry) +
		       (CNI_XT_MATCHES + 1) *
			       (sizeof(struct xt_entry_match) + sizeof(union cni_xt_data))) /
			      sizeof(uint64_t) +
		      1];
};

/** Write a rule. @param family  AF_INET or AF_INET6: which member of @p ret is set */
void cni_ipt_legacy_encode(sa_family_t family, const struct cni_ipt_rule *rule,
			   union cni_ipt_entry *ret);

/**
 * Read an entry into the model; what the model can't say makes it foreign.
 *
 * @param entry    a struct ipt_entry or struct ip6t_entry, by @p family
 * @param target   what libiptc calls its target: a chain, ACCEPT, DROP, RETURN, "" or a module
 * @param is_jump  @p target is a chain
 */
void cni_ipt_legacy_decode(sa_family_t family, const void *entry, const char *target, bool is_jump,
			   struct cni_ipt_rule *ret);

#endif
