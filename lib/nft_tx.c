/*
 * Transactions with several shares; see nft_tx.h.
 */
#include "nft_tx.h"
#include "nft.h"

#include <errno.h>

void cni_nft_tx_done(struct cni_nft_tx *tx)
{
	for (size_t i = 0; i < tx->n; i++)
		tx->share[i].kind->release(tx->share[i].ctx);
	tx->n = 0;
}

int cni_nft_tx_share(struct cni_nft_tx *tx, const struct cni_nft_share_kind *kind, void *ctx)
{
	if (!ctx)
		return -ENOMEM;
	if (tx->n == CNI_NFT_SHARES) {
		kind->release(ctx);
		return -ENOSPC;
	}
	tx->share[tx->n++] = (struct cni_nft_share){ .kind = kind, .ctx = ctx };
	return 0;
}

/* Whose message the kernel refused; NULL: the batch itself. */
static struct cni_nft_share *refused(struct cni_nft_tx *tx, const struct cni_nft *nft)
{
	size_t i = tx->n;

	while (nft->failed && i-- > 0)
		if (tx->share[i].first <= nft->failed)
			return &tx->share[i];
	return NULL;
}

/* @return 0; negative errno, with whose failure it is in @p at: NULL = nobody's */
static int try_once(struct cni_nft_tx *tx, struct cni_nft *nft, struct cni_nft_share **at)
{
	int most = CNI_NFT_NOTHING, r;

	*at = NULL;
	nft->failed = 0;
	r = cni_nft_watch(nft);
	for (size_t i = 0; i < tx->n && r >= 0; i++) {
		struct cni_nft_share *s = &tx->share[i];

		s->first = nft->seq;
		r = s->kind->plan(s->ctx, nft);
		most = r > most ? r : most;
		*at = r < 0 ? s : NULL;
	}
	if (r < 0 || most == CNI_NFT_NOTHING)
		return r < 0 ? r : 0;
	if (most == CNI_NFT_ANYWAY)
		cni_nft_unwatch(nft);
	r = cni_nft_commit(nft);
	tx->unsure = r < 0 && nft->torn;
	tx->changed |= r == 0;
	*at = refused(tx, nft);
	return r;
}

static bool is_stale(const struct cni_nft_share *s, struct cni_nft *nft, int r)
{
	return r < 0 && s && s->kind->is_stale && s->kind->is_stale(s->ctx, nft, r);
}

static void leave_out(struct cni_nft_tx *tx, struct cni_nft_share *s)
{
	s->kind->release(s->ctx);
	for (tx->n--; s < &tx->share[tx->n]; s++)
		s[0] = s[1];
}

/* @return 0; negative errno, with whose failure it is in @p at */
static int try_until_done(struct cni_nft_tx *tx, struct cni_nft *nft, struct cni_nft_share **at)
{
	int r;

	do
		r = try_once(tx, nft, at);
	while (cni_nft_again(nft, r) || is_stale(*at, nft, r));
	return cni_nft_outcome(r);
}

/* Nobody's failure is everybody's. */
static int all_failed(struct cni_nft_tx *tx, int r, struct cni_error *err)
{
	int result = 0;

	for (size_t i = 0; i < tx->n; i++) {
		int of_one = tx->share[i].kind->failed(tx->share[i].ctx, r, err);

		result = result < 0 ? result : of_one;
	}
	return result;
}

int cni_nft_tx_commit(struct cni_nft_tx *tx, struct cni_error *err)
{
	cni_auto(nft) struct cni_nft nft = { 0 };
	struct cni_nft_share *at = NULL;
	int r = tx->n > 0 ? cni_nft_open(&nft) : 0;

	while (r == 0 && tx->n > 0) {
		r = try_until_done(tx, &nft, &at);
		if (r == 0 || !at)
			break;
		r = at->kind->failed(at->ctx, r, err);
		if (r == 0)
			leave_out(tx, at);
	}
	if (r < 0 && !at) {
		int all = all_failed(tx, r, err);

		if (r == -EMSGSIZE && all < 0)
			cni_error_detail(err, "it has to be one message; in a user namespace "
					      "net.core.wmem_max is its limit");
		r = all;
	}
	cni_nft_tx_done(tx);
	return r;
}
