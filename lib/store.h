/*
 * The lease store of host-local: one directory per network, in the Go plugin's format.
 *
 *   <address>            who has it: "<container id>\r\n<ifname>"; old ones just "<container id>"
 *   last_reserved_ip.N   the address that range set N gave out last
 *   lock                 flock(2) target of every process that reads and decides
 *
 * A lease appears under its name complete or not at all. An empty file under an address's name is the
 * leftover of a crash: it counts as free. So does what can be no lease at all (a directory, a symbolic
 * link, a text that names no container); it is moved aside, to "foreign-<address>.N", when the address
 * is given out. What is asked of the store takes the same time however many
 * leases there are (lease_index.h).
 */
#ifndef CNI_STORE_H
#define CNI_STORE_H

#include "error.h"
#include "ip.h"
#include "lease_file.h"
#include "lease_index.h"

/** Where leases are unless "dataDir" says otherwise. */
#define CNI_STORE_DIR "/var/lib/cni/networks"

/** An open store, locked against every other process. */
struct cni_store {
	int dir; /**< owned descriptor of the network's directory; -1 = closed */
	int lock; /**< owned; holds the lock */
	struct cni_index index;
};
#define CNI_STORE_INIT                                 \
	{                                              \
		.dir = -1, .lock = -1, .index.fd = -1, \
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

/**
 * Open a network's store to look at it: nothing is made, written or waited for, and what is being
 * changed meanwhile may be seen half.
 * @return 0; -ENOENT if there is no store; other negative errno
 */
int cni_store_open_to_look(const char *data_dir, const char *network,
			   struct cni_store *ret) cni_must_check;

/** Unlock and close; closing a closed one is fine. */
void cni_store_close(struct cni_store *store);

static inline void cni_auto_store(struct cni_store *store)
{
	cni_store_close(store);
}

/**
 * Call @p fn for every lease; it may release the one it is given. Files that are no leases are passed
 * over. Reads them all.
 * @return 0; the first non-zero that @p fn returned; negative errno, also if a file could not be read,
 *         after all others have been gone through
 */
int cni_store_each(struct cni_store *store, int (*fn)(const struct cni_lease *lease, void *ctx),
		   void *ctx, struct cni_error *err) cni_must_check;

/** A file under an address's name. */
struct cni_store_entry {
	struct cni_ip ip;
	const struct cni_lease *lease; /**< NULL if it is none */
	bool torn; /**< empty: the leftover of a crash */
	bool old_boot; /**< cni_store_is_of_old_boot */
	int64_t since; /**< when it was written; seconds since 1970 */
};

/**
 * Call @p fn for every file under an address's name, lease or not.
 * @return as cni_store_each
 */
int cni_store_inspect(struct cni_store *store,
		      int (*fn)(const struct cni_store_entry *e, void *ctx), void *ctx,
		      struct cni_error *err) cni_must_check;

/**
 * Call @p fn for every lease of an attachment, as cni_store_each does; without reading the others.
 * @return as cni_store_each
 */
int cni_store_each_of(struct cni_store *store, const char *containerid, const char *ifname,
		      int (*fn)(const struct cni_lease *lease, void *ctx), void *ctx,
		      struct cni_error *err) cni_must_check;

/**
 * @return the first address from @p from to @p to, both inclusive, that may be free;
 * AF_UNSPEC if there is none
 */
struct cni_ip cni_store_next_free(struct cni_store *store, const struct cni_ip *from,
				  const struct cni_ip *to);

/**
 * Take an address.
 * @return 0; -EEXIST if somebody has it (nothing in @p err); other negative errno: not taken
 */
int cni_store_reserve(struct cni_store *store, const struct cni_ip *ip, const char *containerid,
		      const char *ifname, struct cni_error *err) cni_must_check;

/** Give an address back. @return 0, also if nobody had it; negative errno */
int cni_store_release(struct cni_store *store, const struct cni_lease *lease,
		      struct cni_error *err) cni_must_check;

/**
 * Whether a lease was written before the machine was last booted, so that its container is gone.
 * @return true only if that is certain: false for leases of the Go plugins, which do not say
 */
bool cni_store_is_of_old_boot(const struct cni_store *store, const struct cni_ip *ip);

/** Forget the index and make it anew from the files: others may have changed them without the lock. */
void cni_store_refresh(struct cni_store *store);

/** @return whether the file system says that nobody has the address */
bool cni_store_is_free(const struct cni_store *store, const struct cni_ip *ip);

/** @return 0 if leases can be written; negative errno */
int cni_store_check_writable(const struct cni_store *store) cni_must_check;

/** The address that a range set gave out last; AF_UNSPEC if unknown. */
void cni_store_last(struct cni_store *store, size_t set, struct cni_ip *ret);

/** Remember the address that a range set gave out last. @return 0; negative errno */
int cni_store_set_last(struct cni_store *store, size_t set, const struct cni_ip *ip,
		       struct cni_error *err) cni_must_check;

#endif
