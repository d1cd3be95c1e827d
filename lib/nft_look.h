/*
 * What is in a chain of nf_tables. Functions without @p err return 0 or a negative errno.
 */
#ifndef CNI_NFT_LOOK_H
#define CNI_NFT_LOOK_H

#include "nft.h"

/** What the kernel says of a chain. */
struct cni_nft_chain {
	uint64_t
		handle; /**< its number; those of chains and rules of a table grow, batch by batch */
	uint32_t use; /**< how many rules it has, and how many lead to it, together */
	char comment[256]; /**< "": none, or a kernel before 5.9 */
};

/** Ask for one chain. @return 0; -ENOENT if it or its table is not there; negative errno */
int cni_nft_chain_get(struct cni_nft *nft, uint32_t family, const char *table, const char *chain,
		      struct cni_nft_chain *ret) cni_must_check;

/** @return 1 if the chain is there, 0 if it or its table is not; negative errno as cni_nft_each_rule */
int cni_nft_chain_exists(struct cni_nft *nft, uint32_t family, const char *table,
			 const char *chain) cni_must_check;

/**
 * How much a chain is used: its rules, and the rules that lead to it.
 * @return the number; -ENOENT if the chain is not there; other negative errno
 */
int cni_nft_chain_use(struct cni_nft *nft, uint32_t family, const char *table,
		      const char *chain) cni_must_check;

/**
 * Call @p fn for each rule of one chain. A dump, filtered by the kernel.
 *
 * @param fn  gets the rule, which lives for the call only; a negative errno is what the caller gets
 *            in the end, and no further rule is shown. After -ECANCELED the rest is not even read, and
 *            the socket is good for nothing but to be closed
 * @return 0, also if the chain does not exist; -EINTR if the rules were changed meanwhile, so that
 *         some may be missing or were seen twice; -EPROTONOSUPPORT if the kernel has no nf_tables;
 *         negative errno
 */
int cni_nft_each_rule(struct cni_nft *nft, uint32_t family, const char *table, const char *chain,
		      int (*fn)(const struct nftnl_rule *rule, void *ctx),
		      void *ctx) cni_must_check;

/**
 * Ask for one rule by its handle: costs the same however many others the chain has.
 * @param ret  gets it, to be freed; NULL on failure
 * @return 0; -ENOENT if the chain has no such rule; negative errno
 */
int cni_nft_rule_get(struct cni_nft *nft, uint32_t family, const char *table, const char *chain,
		     uint64_t handle, struct nftnl_rule **ret) cni_must_check;

#endif
