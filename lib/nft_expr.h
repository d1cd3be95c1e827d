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

/** Match: the frame's source MAC; for rules of the bridge family. */
void cni_nft_match_source_mac(struct nftnl_rule *rule, const uint8_t mac[static CNI_MAC_LEN]);

/** Match: the destination is an address of this host ("fib daddr type local"). */
void cni_nft_match_local(struct nftnl_rule *rule);

/** Match: the connection's destination was translated ("ct status dnat"). */
void cni_nft_match_dnat(struct nftnl_rule *rule);

/** Verdict: NF_ACCEPT, NFT_RETURN, ... or NFT_GOTO, NFT_JUMP with a chain. */
void cni_nft_verdict(struct nftnl_rule *rule, int verdict, const char *chain);

/** Match: the transport protocol (IPPROTO_*). */
void cni_nft_match_protocol(struct nftnl_rule *rule, uint8_t protocol);

/** Match: the destination port, of a protocol that has it as TCP does. @param port  host byte order */
void cni_nft_match_port(struct nftnl_rule *rule, uint16_t port);

/**
 * Match: the interface that the packet came in by or leaves by does (not) have this name.
 * @param key    NFT_META_IIFNAME or NFT_META_OIFNAME
 * @param name   1..15 bytes
 * @param whole  else names that begin so
 */
void cni_nft_match_ifname(struct nftnl_rule *rule, uint32_t key, bool equal, const char *name,
			  bool whole);

/** Match: the packet's mark, as far as @p bits go. */
void cni_nft_match_mark(struct nftnl_rule *rule, uint32_t mark, uint32_t bits);

/** Statement: count packets and bytes. */
void cni_nft_counter(struct nftnl_rule *rule);

/** Match by an extension of x_tables. @param data  of @p len bytes, as the kernel's module wants it */
void cni_nft_xt_match(struct nftnl_rule *rule, const char *name, uint32_t revision,
		      const void *data, size_t len);

/** Statement: a target of x_tables; likewise. */
void cni_nft_xt_target(struct nftnl_rule *rule, const char *name, uint32_t revision,
		       const void *data, size_t len);

/** Statement: masquerade. */
void cni_nft_masquerade(struct nftnl_rule *rule);

/** Statement: masquerade, with source ports that nobody can guess. */
void cni_nft_masquerade_random(struct nftnl_rule *rule);

/** Statement: translate the destination. @param port  host byte order */
void cni_nft_dnat(struct nftnl_rule *rule, const struct cni_ip *to, uint16_t port);

struct cni_buf;

/** Write down what a rule does: two rules of one table do the same if their texts are equal. */
void cni_nft_text(const struct nftnl_rule *rule, struct cni_buf *ret);

/**
 * @return whether the last expressions of @p rule, as the kernel gave it, are those of @p part, a rule
 *         made here
 */
bool cni_nft_ends_in(const struct nftnl_rule *rule, const struct nftnl_rule *part);

/** @return whether the rule jumps or goes to the chain */
bool cni_nft_leads_to(const struct nftnl_rule *rule, const char *chain);

#endif
