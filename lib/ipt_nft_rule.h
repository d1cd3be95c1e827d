/*
 * A rule of iptables' as nf_tables holds it: written as iptables-nft 1.8.9 does, byte for byte, and read
 * from what any version writes.
 */
#ifndef CNI_IPT_NFT_RULE_H
#define CNI_IPT_NFT_RULE_H

#include "ipt.h"

#include <libnftnl/rule.h>

/**
 * @param family  AF_INET or AF_INET6
 * @return a new rule, to be given to cni_nft_rule_append_take or _insert_take; NULL without memory
 */
struct nftnl_rule *cni_ipt_nft_encode(sa_family_t family, const char *table, const char *chain,
				      const struct cni_ipt_rule *rule);

/** Read a rule into the model; what the model can't say makes it foreign. */
void cni_ipt_nft_decode(const struct nftnl_rule *from, sa_family_t family,
			struct cni_ipt_rule *ret);

#endif
