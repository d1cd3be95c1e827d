/*
 * The lease store of host-local: one directory per network, in the Go plugin's format.
 *
 *   <address>            who has it: "<container id>\r\n<ifname>"; old ones just "<container id>"
 *   last_reserved_ip.N   the address that range set N gave out last
 *   lock                 flock(2) target of every process that reads and decides
 *
 * A lease appears under its name complete or not at all. An empty file under an address's name is the
 * leftover of a crash: it counts as free.
 */
#ifndef CNI_STORE_H
#define CNI_STORE_H

#include "ip.h"

#include "error.h"

/** Where leases are unless "dataDir" says otherwise. */
#define CNI_STORE_DIR "/var/lib/cni/networks"

/** An open store, locked against every other process. */
struct cni_store {
	int dir; /**< owned descriptor of the network's directory; -1 = closed */
	int lock; /**< owned; holds the lock */
};
#define CNI_STORE_INIT                \
	{                             \
		.dir = -1, .lock = -1 \
	}

/**
 * Open a network's store and wait for its lock.
 *
 * @param data_dir  directory of all networks
 * @param network   name, one path component
 * @param create    make the directories if they are not there
 * @return 0; -ENOENT if there is no store and @p create is false (nothing in @p err); other negative
 *         errno
 */
int cni_store_open(const char *data_dir, const char *network, bool create, struct cni_store *ret,
		   struct cni_error *err) cni_must_check;

/** Unlock and close; closing a closed one is fine. */
void cni_store_close(struct cni_store *store);

static inline void cni_auto_store(struct cni_store *store)
{
	cni_store_close(store);
}

/** A lease as it stands in its file. */
struct cni_lease {
	struct cni_ip ip;
	const char *containerid; /**< never empty */
	const char *ifname; /**< NULL in leases from before the Go plugins wrote it */
};

/** @return whether a lease is of this attachment; an old one is of every interface of its container */
bool cni_lease_is_of(const struct cni_lease *lease, const char *containerid, const char *ifname);

/**
 * Call @p fn for every lease; it may release the one it is given. Files that are no leases are passed
 * over.
 * @return 0; the first non-zero that @p fn returned; negative errno
 */
int cni_store_each(struct cni_store *store, int (*fn)(const struct cni_lease *lease, void *ctx),
		   void *ctx, struct cni_error *err) cni_must_check;

/**
 * Take an address.
 * @return 0; -EEXIST if somebody has it (nothing in @p err); other negative errno: not taken
 */
int cni_store_reserve(struct cni_store *store, const struct cni_ip *ip, const char *containerid,
		      const char *ifname, struct cni_error *err) cni_must_check;

/** @return whether cni_store_reserve would find the address free */
bool cni_store_is_free(struct cni_store *store, const struct cni_ip *ip);

/** Give an address back. @return 0, also if nobody had it; negative errno */
int cni_store_release(struct cni_store *store, const struct cni_ip *ip,
		      struct cni_error *err) cni_must_check;

/** The address that a range set gave out last; AF_UNSPEC if unknown. */
void cni_store_last(struct cni_store *store, size_t set, struct cni_ip *ret);

/** Remember the address that a range set gave out last. @return 0; negative errno */
int cni_store_set_last(struct cni_store *store, size_t set, const struct cni_ip *ip,
		       struct cni_error *err) cni_must_check;

#endif
