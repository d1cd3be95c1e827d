/*
 * Rules of one attachment in a chain that all attachments share, found without reading that chain.
 *
 * The kernel numbers chains and rules of a table one after the other, and a batch is not interrupted by
 * others: so what was made in one batch has neighbouring handles, and a rule can be asked for by its
 * handle. What is found so is looked at before it is believed; whoever wrote the table anew (nft -f,
 * iptables-restore) changed all handles, and then the chain has to be read.
 */
#ifndef CNI_NFT_FIND_H
#define CNI_NFT_FIND_H

#include "nft_look.h"
#include "owners.h"

/**
 * Show the rules of @p chain that lead to @p target, if they were made in one batch with those in
 * @p target: as many as the kernel counts.
 *
 * @param fn  as in cni_nft_each_rule; is called for all of them, or for none
 * @return 1 if all were shown (none is fine: without @p target nothing can lead there); 0 if there are
 *         some that could not be found so; negative errno
 */
int cni_nft_near_jumps(struct cni_nft *nft, uint32_t family, const char *table, const char *chain,
		       const char *target, int (*fn)(const struct nftnl_rule *rule, void *ctx),
		       void *ctx) cni_must_check;

/**
 * Ask for the rule of @p chain that was made as the @p k-th behind the only rule of @p marker.
 * @param ret  gets it, to be freed; NULL on failure
 * @return 0; -ENOENT if there is no such rule there, or not one rule in @p marker; negative errno
 */
int cni_nft_rule_behind(struct cni_nft *nft, uint32_t family, const char *table, const char *chain,
			const char *marker, unsigned int k, struct nftnl_rule **ret) cni_must_check;

/**
 * Mark the place of an attachment's rules, in the batch: an empty chain, named by the owner, to be
 * followed by the rules at once. There must be no such chain, but for one that this batch deletes.
 *
 * @param owner  as names.h makes it
 * @param n      how many rules of this table follow
 */
void cni_nft_anchor(struct cni_nft *nft, uint32_t family, const char *table, const char *owner,
		    unsigned int n);

/** @return 1 if the attachment has an anchor, 0 if not; negative errno as cni_nft_each_rule */
int cni_nft_has_anchor(struct cni_nft *nft, uint32_t family, const char *table,
		       const char *owner) cni_must_check;

/**
 * Delete an attachment's anchor and the rules that it leads to, in the batch.
 *
 * @param chains  that the rules may be in; NULL ends them
 * @param is_own  says yes to a rule of the attachment
 * @return 1 if it led to all of them; 0 if there is an anchor, which goes, but the rules have to be
 *         looked for; -ENOENT if there is none; other negative errno
 */
int cni_nft_anchored_delete(struct cni_nft *nft, uint32_t family, const char *table,
			    const char *owner, const char *const chains[],
			    bool (*is_own)(const struct nftnl_rule *rule, const void *ctx),
			    const void *ctx) cni_must_check;

/**
 * Delete the anchors of a network's attachments that are not valid, in the batch. Reads all chains.
 * @return how many; negative errno as cni_nft_each_rule
 */
int cni_nft_anchors_sweep(struct cni_nft *nft, uint32_t family, const char *table,
			  const struct cni_owners *valid) cni_must_check;

#endif
