/*
 * Sets of nf_tables: finding one thing by its key, however many there are, and taking one without
 * anybody else having it.
 */
#ifndef CNI_NFT_SET_H
#define CNI_NFT_SET_H

#include "nft.h"

/** What keys are made of: data types as nft(8) numbers them (its include/datatype.h). */
enum cni_nft_type {
	CNI_NFT_IPV4 = 7,
	CNI_NFT_IPV6 = 8,
	CNI_NFT_PROTOCOL = 12,
	CNI_NFT_PORT = 13,
};

/** Parts of a key, each of which begins at a multiple of 4 bytes. */
#define CNI_NFT_PARTS 3
#define CNI_NFT_KEY_LEN 24

/** Where a set is, and what its keys are. */
struct cni_nft_set {
	uint32_t family; /**< NFPROTO_* of the table */
	const char *table, *name;
	enum cni_nft_type type[CNI_NFT_PARTS]; /**< 0 = no more parts */
};

/** An element: its key, what nft shows as its comment, and what it does not show. */
struct cni_nft_elem {
	uint8_t key[CNI_NFT_KEY_LEN];
	const char *comment; /**< at most 128 bytes; "" = none */
	const char *owner; /**< at most 100 bytes; "" = none */
};

/** Add a set to the batch, unless it exists. */
void cni_nft_set(struct cni_nft *nft, const struct cni_nft_set *set);

/**
 * Add an element to the batch.
 * @param exclusive  it must not be there: else the commit fails with -EEXIST; if false and it is there,
 *                   it stays as it is
 */
void cni_nft_elem_add(struct cni_nft *nft, const struct cni_nft_set *set,
		      const struct cni_nft_elem *elem, bool exclusive);

/** Remove all elements of a set, in the batch. */
void cni_nft_set_flush(struct cni_nft *nft, const struct cni_nft_set *set);

/** Delete the element of a key, in the batch; the commit fails with -ENOENT if there is none. */
void cni_nft_elem_delete(struct cni_nft *nft, const struct cni_nft_set *set,
			 const uint8_t key[static CNI_NFT_KEY_LEN]);

/**
 * Look for one element by its key.
 * @param fn  gets it, if it is there; it lives for the call only
 * @return 1 if it is there; 0 if it, or the set, is not; -EPROTONOSUPPORT; other negative errno
 */
int cni_nft_elem_get(struct cni_nft *nft, const struct cni_nft_set *set,
		     const uint8_t key[static CNI_NFT_KEY_LEN],
		     void (*fn)(const struct cni_nft_elem *elem, void *ctx),
		     void *ctx) cni_must_check;

/**
 * Call @p fn for each element of a set. A dump of this set.
 * @return 0, also if the set does not exist; -EPROTONOSUPPORT; -EINTR if it was changed meanwhile; other
 *         negative errno
 */
int cni_nft_elem_each(struct cni_nft *nft, const struct cni_nft_set *set,
		      void (*fn)(const struct cni_nft_elem *elem, void *ctx),
		      void *ctx) cni_must_check;

struct nftnl_set_elem;

/**
 * Read an element that the kernel showed; anybody may have written it.
 * @param ret  its texts live as long as @p from
 * @return false if it is of no set of ours
 */
bool cni_nft_elem_read(const struct nftnl_set_elem *from, struct cni_nft_elem *ret);

#endif
