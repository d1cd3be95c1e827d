/*
 * An index beside the leases of a network, so that finding an attachment's lease and the next free
 * address does not read them all. Derived data: the lease files are the truth.
 *
 * It is in step with the directory as long as the directory's modification time is the one that we
 * gave it, on purpose in the past, after our last change: whoever makes or removes a file there since
 * (a Go plugin, an operator, we ourselves when killed half-way) makes the kernel set the present time.
 * So a stale index is noticed by one fstat(2), and an update may be torn: the directory says so.
 * An index of another boot is never believed, because a power cut may have kept half of it.
 *
 * Who changes files without the lock while we are at work may escape notice; so nobody is told that a
 * set is exhausted before the files have been looked at again (cni_store_refresh).
 *
 * Everything is done under the store's lock. No failure here is a failure of the request: without an
 * index the leases are read one by one.
 */
#ifndef CNI_LEASE_INDEX_H
#define CNI_LEASE_INDEX_H

#include "ip.h"

/** File name in the network's directory. */
#define CNI_INDEX_FILE ".ccni-index"

/** A lease as the index knows it. */
struct cni_index_entry {
	uint64_t owner; /**< cni_index_owner */
	uint8_t state; /**< internal */
	uint8_t family;
	uint8_t unused[6];
	uint8_t ip[16];
};

#define CNI_INDEX_PAGE 4096

/** First page of the file. */
struct cni_index_header {
	char magic[8];
	char boot_id[40];
	uint64_t dir_ino;
	int64_t stamp_sec;
	uint32_t stamp_nsec;
	uint32_t owner_pages, chunk_pages; /**< powers of two */
	uint32_t owners, chunks; /**< slots that are or were in use */
};

/** An open index. */
struct cni_index {
	int dir; /**< borrowed */
	int fd; /**< owned; -1 = not usable */
	bool changed;
	uint8_t *image; /**< owned; the whole file while it is being built; else NULL */
	struct cni_index_header header;
	uint64_t page_at; /**< which page is in `page`; 0 = none */
	_Alignas(8) uint8_t page[CNI_INDEX_PAGE];
};

/**
 * Open the index of a directory, if there is one that is in step with it.
 * @return true; false: build one, or do without (cni_index_usable tells)
 */
bool cni_index_open(struct cni_index *ix, int dir);

/** Write what is pending, declare the index in step with the directory, and close. */
void cni_index_close(struct cni_index *ix);

/**
 * Write a new index of these leases, in place of whatever there was.
 * @return whether it can be used
 */
bool cni_index_build(struct cni_index *ix, const struct cni_index_entry *entries, size_t n);

/**
 * @return whether the directory's file system keeps nanoseconds: where it rounds, no index could be
 * told from a stale one
 */
bool cni_index_possible(int dir);

/** @return whether questions can be asked; false once reading or writing failed */
static inline bool cni_index_usable(const struct cni_index *ix)
{
	return ix->fd >= 0;
}

/** Stop using the index: it is found stale by whoever comes next. */
void cni_index_give_up(struct cni_index *ix);

/** @return the number under which an attachment's leases are kept; @p ifname NULL for old leases */
uint64_t cni_index_owner(const char *containerid, const char *ifname);

/** @return the entry of a lease, for cni_index_build */
struct cni_index_entry cni_index_entry(uint64_t owner, const struct cni_ip *ip);

/**
 * List addresses that may belong to an owner: all that do, and seldom one that does not.
 * @return number of addresses in @p ret, at most @p max; -1 if there are more, or on trouble
 */
int cni_index_find(struct cni_index *ix, uint64_t owner, struct cni_ip *ret, int max);

/** Record a lease. */
void cni_index_add(struct cni_index *ix, uint64_t owner, const struct cni_ip *ip);

/** Forget a lease. */
void cni_index_remove(struct cni_index *ix, uint64_t owner, const struct cni_ip *ip);

/**
 * @return the first address from @p from to @p last, both inclusive, that the index does not know as
 * taken; AF_UNSPEC if there is none. Without a usable index: @p from.
 */
struct cni_ip cni_index_next_free(struct cni_index *ix, const struct cni_ip *from,
				  const struct cni_ip *last);

#endif
