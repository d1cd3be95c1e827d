/*
 * nf_tables over libnftnl and libmnl: a socket, an atomic batch, and the few expressions that rules
 * here are made of. Functions without @p err return 0 or a negative errno.
 */
#ifndef CNI_NFT_H
#define CNI_NFT_H

#include "ip.h"

#include <libmnl/libmnl.h>
#include <libnftnl/rule.h>

/** A transaction being put together: all of it happens, or nothing. */
struct cni_nft {
	struct mnl_socket *sk; /**< owned */
	char *buf; /**< owned; messages of the batch */
	struct mnl_nlmsg_batch *batch;
	uint32_t seq;
	bool full; /**< a message did not fit: the commit will say -EMSGSIZE */
};

/** Open a socket in the caller's namespace and begin a batch. @return 0; negative errno */
int cni_nft_open(struct cni_nft *nft) cni_must_check;

/** Release everything; what was not committed never happens. */
void cni_nft_close(struct cni_nft *nft);

static inline void cni_auto_nft(struct cni_nft *nft)
{
	cni_nft_close(nft);
}

/** A base chain's place in the packet's way. */
struct cni_nft_hook {
	const char *type; /**< "nat", "filter" */
	uint32_t hook; /**< NF_INET_* */
	int32_t priority; /**< as in linux/netfilter_ipv4.h */
};

/** Add a table to the batch, unless it exists. @param comment  shown by nft list */
void cni_nft_table(struct cni_nft *nft, uint32_t family, const char *table, const char *comment);

/** Add a chain to the batch, unless it exists. @param hook  NULL = a regular chain */
void cni_nft_chain(struct cni_nft *nft, uint32_t family, const char *table, const char *chain,
		   const struct cni_nft_hook *hook, const char *comment);

/** Remove all rules of a chain, in the batch. */
void cni_nft_flush(struct cni_nft *nft, uint32_t family, const char *table, const char *chain);

/** Begin a rule. @return a new rule, to be given to cni_nft_rule_append; NULL without memory */
struct nftnl_rule *cni_nft_rule(uint32_t family, const char *table, const char *chain,
				const char *comment);

/** Append the rule at the end of its chain, in the batch; takes it over. */
void cni_nft_rule_append_take(struct cni_nft *nft, struct nftnl_rule *rule);

/** Delete a rule by its handle, in the batch. */
void cni_nft_rule_delete(struct cni_nft *nft, uint32_t family, const char *table, const char *chain,
			 uint64_t handle);

/** Which address of the packet a match looks at. */
enum cni_nft_side { CNI_NFT_SOURCE, CNI_NFT_DESTINATION };

/** Match: the packet is of the prefix's family, and its address is (not) inside the prefix. */
void cni_nft_match_addr(struct nftnl_rule *rule, enum cni_nft_side side, bool inside,
			const struct cni_prefix *p);

/** Verdict: NF_ACCEPT, NFT_RETURN, ... or NFT_GOTO, NFT_JUMP with a chain. */
void cni_nft_verdict(struct nftnl_rule *rule, int verdict, const char *chain);

/** Statement: masquerade. */
void cni_nft_masquerade(struct nftnl_rule *rule);

/** Send the batch and wait for the kernel's answer; a new batch is begun. @return 0; negative errno */
int cni_nft_commit(struct cni_nft *nft) cni_must_check;

/**
 * Call @p fn for each rule of one chain with its comment ("" if it has none). A dump, filtered by the
 * kernel.
 * @return 0, also if the chain does not exist; -EPROTONOSUPPORT if the kernel has no nf_tables;
 *         negative errno
 */
int cni_nft_each_rule(struct cni_nft *nft, uint32_t family, const char *table, const char *chain,
		      void (*fn)(uint64_t handle, const char *comment, void *ctx),
		      void *ctx) cni_must_check;

#endif
