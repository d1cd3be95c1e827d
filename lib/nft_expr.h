/*
 * What nf_tables rules are made of: matches and statements, appended to a rule from cni_nft_rule().
 *
 * Running out of memory leaves an expression out; the kernel would take such a rule, so every function
 * here marks it by giving it no chain, which the kernel refuses.
 */
#ifndef CNI_NFT_EXPR_H
#define CNI_NFT_EXPR_H

#include "nft.h"

/** Which address of the packet a match looks at. */
enum cni_nft_side { CNI_NFT_SOURCE, CNI_NFT_DESTINATION };

/** Match: the packet is of the prefix's family, and its address is (not) inside the prefix. */
void cni_nft_match_addr(struct nftnl_rule *rule, enum cni_nft_side side, bool inside,
			const struct cni_prefix *p);

/** Match: the transport protocol (IPPROTO_*) and its destination port (host byte order). */
void cni_nft_match_dport(struct nftnl_rule *rule, uint8_t protocol, uint16_t port);

/** Match: the packet did (not) come in by this interface. @param name  1..15 bytes */
void cni_nft_match_iif(struct nftnl_rule *rule, bool equal, const char *name);

/** Match: the destination is an address of this host ("fib daddr type local"). */
void cni_nft_match_local(struct nftnl_rule *rule);

/** Match: the connection's destination was translated ("ct status dnat"). */
void cni_nft_match_dnat(struct nftnl_rule *rule);

/** Verdict: NF_ACCEPT, NFT_RETURN, ... or NFT_GOTO, NFT_JUMP with a chain. */
void cni_nft_verdict(struct nftnl_rule *rule, int verdict, const char *chain);

/** Statement: masquerade. */
void cni_nft_masquerade(struct nftnl_rule *rule);

/** Statement: translate the destination. @param port  host byte order */
void cni_nft_dnat(struct nftnl_rule *rule, const struct cni_ip *to, uint16_t port);

#endif
