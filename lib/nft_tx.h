/*
 * A transaction in which several modules have a share: each reads what it has to know, and adds its
 * messages; all of it is one commit, and planned anew by all of them as long as somebody else was faster.
 *
 * One, because the kernel goes over every chain at each commit, and because a process that removed
 * something in two commits waits twice for all processors before it ends (docs/internals.md).
 */
#ifndef CNI_NFT_TX_H
#define CNI_NFT_TX_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cni_nft;

/** What comes of planning a share. */
enum cni_nft_planned {
	CNI_NFT_NOTHING, /**< there is nothing to do */
	CNI_NFT_ANYWAY, /**< the messages hold, whatever others do meanwhile */
	CNI_NFT_DECIDED, /**< they were decided by what was read: nobody must have changed it */
};

/** What a module does for its share. Its functions get what was given with the share. */
struct cni_nft_share_kind {
	/**
	 * Read, and put messages into the batch of @p nft, behind those of other shares. Called anew for
	 * each try, whose generation is watched (cni_nft_watch).
	 * @return enum cni_nft_planned; negative errno
	 */
	int (*plan)(void *ctx, struct cni_nft *nft);
	/**
	 * Asked when planning or the commit failed with @p r because of this share.
	 * @return whether it is worth another try, though nobody is known to have been faster. NULL = never
	 */
	bool (*is_stale)(void *ctx, struct cni_nft *nft, int r);
	/**
	 * Say in @p err what could not be done.
	 * @return what the transaction's owner gets; 0 = nothing had to be done: the others go on without
	 */
	int (*failed)(void *ctx, int r, struct cni_error *err);
	/** Release what was given with the share. */
	void (*release)(void *ctx);
};

/** Shares that one transaction may have. */
#define CNI_NFT_SHARES 4

/** A transaction; `{0}` has no share yet. */
struct cni_nft_tx {
	struct cni_nft_share {
		const struct cni_nft_share_kind *kind;
		void *ctx;
		uint32_t first; /**< number of its first message in the last try */
	} share[CNI_NFT_SHARES];
	size_t n;
	bool unsure; /**< the commit failed, but not by the kernel's word: all may have happened */
	bool changed; /**< something was committed */
};

/** Forget the shares; what was not committed never happens. */
void cni_nft_tx_done(struct cni_nft_tx *tx);

static inline void cni_auto_nft_tx(struct cni_nft_tx *tx)
{
	cni_nft_tx_done(tx);
}

/**
 * Add a share.
 * @param ctx  is taken over, also on failure; NULL is -ENOMEM
 * @return 0; -ENOMEM; -ENOSPC beyond CNI_NFT_SHARES
 */
int cni_nft_tx_share(struct cni_nft_tx *tx, const struct cni_nft_share_kind *kind,
		     void *ctx) cni_must_check;

/**
 * Do what all shares ask for, or nothing, and forget them. Without shares there is nothing to do.
 *
 * @param err  is filled by the share that failed; by each of them if it is nobody's failure, as when the
 *             kernel has no nf_tables
 * @return 0; -EAGAIN if others were always faster; what a share's failed() made of another negative errno
 */
int cni_nft_tx_commit(struct cni_nft_tx *tx, struct cni_error *err) cni_must_check;

#endif
