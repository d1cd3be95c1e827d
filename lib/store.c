/*
 * The lease store of host-local; see store.h. Everything below the network's directory is reached
 * through its descriptor and without following symbolic links.
 */
#include "store.h"
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define LAST_MODE 0600
#define LOCK_MODE 0750
#define DIR_MODE 0755

/* ---- reading ---- */

/* Files under the names of addresses, and who is to be shown them. */
struct scan {
	int at;
	int (*fn)(enum cni_lease_kind what, const struct cni_lease *lease, void *ctx);
	void *ctx;
};

static int scan_one(const char *name, void *ctx)
{
	const struct scan *s = ctx;
	char text[CNI_LEASE_MAX], canonical[CNI_IP_STRLEN];
	struct cni_lease lease = { 0 };

	/* Only the canonical name: "::ffff:10.0.0.1" is not the lease of 10.0.0.1. */
	if (cni_ip_parse(name, &lease.ip) < 0 ||
	    strcmp(cni_ip_format(&lease.ip, canonical), name) != 0)
		return 0;
	return s->fn(cni_lease_read(s->at, name, text, &lease), &lease, s->ctx);
}

/* Call `fn` for every file under an address's name. */
static int scan(int at,
		int (*fn)(enum cni_lease_kind what, const struct cni_lease *lease, void *ctx),
		void *ctx)
{
	struct scan s = { at, fn, ctx };

	return cni_dir_each(at, scan_one, &s);
}

struct each {
	int (*fn)(const struct cni_lease *lease, void *ctx);
	void *ctx;
	const char *containerid, *ifname; /* NULL = everybody's */
	int result;
	int error; /* positive errno of a file that could not be read; 0 = none */
	struct cni_ip unreadable;
};

static int each_lease(enum cni_lease_kind what, const struct cni_lease *lease, void *ctx)
{
	struct each *each = ctx;

	if (what == CNI_LEASE_UNREADABLE) {
		each->error = errno;
		each->unreadable = lease->ip;
	}
	if (what == CNI_LEASE_HELD &&
	    (!each->containerid || cni_lease_is_of(lease, each->containerid, each->ifname)))
		each->result = each->fn(lease, each->ctx);
	return each->result ? 1 : 0;
}

static int each_by_scan(struct cni_store *store, struct each *each, struct cni_error *err)
{
	int r = scan(store->dir, each_lease, each);
	char name[CNI_IP_STRLEN];

	if (r < 0)
		return cni_fail(err, CNI_E_INTERNAL, -r, "failed to read lease store");
	if (each->result == 0 && each->error)
		return cni_fail(err, CNI_E_INTERNAL, each->error, "failed to read lease of %s",
				cni_ip_format(&each->unreadable, name));
	return each->result;
}

int cni_store_each(struct cni_store *store, int (*fn)(const struct cni_lease *lease, void *ctx),
		   void *ctx, struct cni_error *err)
{
	struct each each = { .fn = fn, .ctx = ctx };

	return each_by_scan(store, &each, err);
}

bool cni_store_is_of_old_boot(const struct cni_store *store, const struct cni_ip *ip)
{
	char name[CNI_IP_STRLEN];

	return cni_lease_is_of_old_boot(store->dir, cni_ip_format(ip, name));
}

struct inspection {
	const struct cni_store *store;
	int (*fn)(const struct cni_store_entry *e, void *ctx);
	void *ctx;
	int result;
};

static int inspect(enum cni_lease_kind what, const struct cni_lease *lease, void *ctx)
{
	struct inspection *in = ctx;
	struct cni_store_entry e = { .ip = lease->ip, .torn = what == CNI_LEASE_TORN };
	char name[CNI_IP_STRLEN];
	struct stat st;

	if (what == CNI_LEASE_ABSENT)
		return 0;
	if (what == CNI_LEASE_HELD)
		e.lease = lease;
	e.old_boot = cni_store_is_of_old_boot(in->store, &lease->ip);
	if (fstatat(in->store->dir, cni_ip_format(&lease->ip, name), &st, AT_SYMLINK_NOFOLLOW) == 0)
		e.since = st.st_mtim.tv_sec;
	in->result = in->fn(&e, in->ctx);
	return in->result ? 1 : 0;
}

int cni_store_inspect(struct cni_store *store,
		      int (*fn)(const struct cni_store_entry *e, void *ctx), void *ctx,
		      struct cni_error *err)
{
	struct inspection in = { .store = store, .fn = fn, .ctx = ctx };
	int r = scan(store->dir, inspect, &in);

	return r < 0 ? cni_fail(err, CNI_E_INTERNAL, -r, "failed to read lease store") : in.result;
}

/* ---- asking the index; the files have the last word ---- */

/* More leases than one attachment has: one for each range set. */
#define OWNED_MAX 64

/* Call `fn` for the leases that the index names. @return false if the index was wrong */
static bool each_by_index(struct cni_store *store, uint64_t owner, struct each *each)
{
	struct cni_ip ips[OWNED_MAX];
	int n = cni_index_find(&store->index, owner, ips, OWNED_MAX);

	for (int i = 0; i < n && each->result == 0; i++) {
		char text[CNI_LEASE_MAX], name[CNI_IP_STRLEN];
		struct cni_lease lease = { .ip = ips[i] };

		if (cni_lease_read(store->dir, cni_ip_format(&ips[i], name), text, &lease) !=
		    CNI_LEASE_HELD)
			return false;
		if (cni_lease_is_of(&lease, each->containerid, each->ifname))
			each->result = each->fn(&lease, each->ctx);
	}
	return n >= 0;
}

int cni_store_each_of(struct cni_store *store, const char *containerid, const char *ifname,
		      int (*fn)(const struct cni_lease *lease, void *ctx), void *ctx,
		      struct cni_error *err)
{
	struct each each = { .fn = fn, .ctx = ctx, .containerid = containerid, .ifname = ifname };
	const char *owners[] = { ifname, NULL }; /* leases of now, and old ones */

	for (size_t i = 0; i < CNI_ARRAY_SIZE(owners) && each.result == 0; i++) {
		if (!each_by_index(store, cni_index_owner(containerid, owners[i]), &each)) {
			cni_index_give_up(&store->index);
			return each_by_scan(store, &each, err);
		}
	}
	return each.result;
}

struct cni_ip cni_store_next_free(struct cni_store *store, const struct cni_ip *from,
				  const struct cni_ip *to)
{
	struct cni_ip ip = *from;

	if (cni_index_usable(&store->index))
		return cni_index_next_free(&store->index, from, to);
	while (!cni_store_is_free(store, &ip))
		if (cni_ip_cmp(&ip, to) >= 0 || cni_ip_next(&ip) < 0)
			return (struct cni_ip){ 0 };
	return ip;
}

/* What a new index is made of. */
struct gathering {
	struct cni_index_entry *entry;
	size_t n, size;
};

static int gather(enum cni_lease_kind what, const struct cni_lease *lease, void *ctx)
{
	struct gathering *g = ctx;

	if (what == CNI_LEASE_UNREADABLE)
		return -EIO; /* no index is better than one that does not know this owner */
	if (what != CNI_LEASE_HELD)
		return 0;
	if (g->n == g->size) {
		size_t size = g->size ? 2 * g->size : 64;
		struct cni_index_entry *more = reallocarray(g->entry, size, sizeof(*more));

		if (!more)
			return -ENOMEM;
		g->entry = more;
		g->size = size;
	}
	g->entry[g->n++] =
		cni_index_entry(cni_index_owner(lease->containerid, lease->ifname), &lease->ip);
	return 0;
}

static void rebuild(struct cni_store *store)
{
	struct gathering g = { 0 };

	if (cni_index_possible(store->dir) && scan(store->dir, gather, &g) == 0)
		(void)cni_index_build(&store->index, g.entry, g.n);
	free(g.entry);
}

void cni_store_refresh(struct cni_store *store)
{
	cni_index_give_up(&store->index);
	rebuild(store);
}

/* ---- opening ---- */

static int open_lock(int dir)
{
	int fd = openat(dir, "lock", O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
			LOCK_MODE);

	if (fd >= 0)
		(void)fchmod(fd, LOCK_MODE); /* whatever the umask */
	else if (errno == EEXIST)
		fd = openat(dir, "lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

/*
 * Where no lock can be made, nobody can decide anything, of either implementation; but DEL gets there:
 * it takes no more than what is its own. The directory is the lock between two of ours.
 */
static int open_lock_to_release(int dir)
{
	int fd = open_lock(dir);

	if (fd != -ENOSPC && fd != -EDQUOT && fd != -EROFS)
		return fd;
	fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int cni_store_open(const char *data_dir, const char *network, bool create, struct cni_store *ret,
		   struct cni_error *err)
{
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;
	cni_auto(free) char *path = NULL;
	int r = 0;

	if (asprintf(&path, "%s/%s", data_dir, network) < 0)
		return cni_fail(err, CNI_E_INTERNAL, ENOMEM, "open lease store");
	if (create)
		r = cni_dir_make(path, DIR_MODE);
	if (r == 0) {
		store.dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		r = store.dir < 0 ? -errno : 0;
	}
	if (r == -ENOENT && !create)
		return r;
	if (r == 0) {
		store.lock = create ? open_lock(store.dir) : open_lock_to_release(store.dir);
		r = store.lock < 0 ? store.lock : 0;
	}
	while (r == 0 && flock(store.lock, LOCK_EX) < 0)
		if (errno != EINTR)
			r = -errno;
	if (r < 0) {
		r = cni_fail(err, CNI_E_INTERNAL, -r, "failed to open lease store %s", path);
		cni_error_detail(err, "ipam.dataDir chooses another directory");
		return r;
	}
	if (!cni_index_open(&store.index, store.dir))
		rebuild(&store);
	*ret = store;
	store = (struct cni_store)CNI_STORE_INIT;
	return 0;
}

int cni_store_open_to_look(const char *data_dir, const char *network, struct cni_store *ret)
{
	cni_auto(free) char *path = NULL;
	int fd;

	if (asprintf(&path, "%s/%s", data_dir, network) < 0)
		return -ENOMEM;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret = (struct cni_store)CNI_STORE_INIT;
	ret->dir = fd;
	return 0;
}

void cni_store_close(struct cni_store *store)
{
	cni_index_close(&store->index);
	if (store->lock >= 0)
		(void)close(store->lock); /* which unlocks */
	if (store->dir >= 0)
		(void)close(store->dir);
	*store = (struct cni_store)CNI_STORE_INIT;
}

/* ---- changing ---- */

/* On a full disk the index makes room for what matters. @return whether trying again makes sense */
static bool make_room(struct cni_store *store, int error)
{
	if ((error != -ENOSPC && error != -EDQUOT) || !cni_index_usable(&store->index))
		return false;
	cni_index_give_up(&store->index);
	return true;
}

int cni_store_reserve(struct cni_store *store, const struct cni_ip *ip, const char *containerid,
		      const char *ifname, struct cni_error *err)
{
	char name[CNI_IP_STRLEN];
	int r;

	cni_ip_format(ip, name);
	r = cni_lease_create(store->dir, name, containerid, ifname);
	if (r == -EEXIST && cni_lease_make_way(store->dir, name))
		r = cni_lease_create(store->dir, name, containerid, ifname);
	if (make_room(store, r))
		r = cni_lease_create(store->dir, name, containerid, ifname);
	if (r == -EEXIST)
		return r;
	if (r < 0)
		return cni_fail(err, CNI_E_INTERNAL, -r, "failed to write lease of %s", name);
	cni_index_add(&store->index, cni_index_owner(containerid, ifname), ip);
	return 0;
}

int cni_store_release(struct cni_store *store, const struct cni_lease *lease, struct cni_error *err)
{
	char name[CNI_IP_STRLEN];

	cni_ip_format(&lease->ip, name);
	if (unlinkat(store->dir, name, 0) < 0 && errno != ENOENT) {
		int r = errno;

		return cni_fail(err, CNI_E_INTERNAL, r, "failed to remove lease of %s", name);
	}
	cni_index_remove(&store->index, cni_index_owner(lease->containerid, lease->ifname),
			 &lease->ip);
	return 0;
}

bool cni_store_is_free(const struct cni_store *store, const struct cni_ip *ip)
{
	char name[CNI_IP_STRLEN];
	enum cni_lease_kind what = cni_lease_look(store->dir, cni_ip_format(ip, name));

	return what != CNI_LEASE_HELD && what != CNI_LEASE_UNREADABLE;
}

int cni_store_check_writable(const struct cni_store *store)
{
	return faccessat(store->dir, ".", W_OK, AT_EACCESS) < 0 ? -errno : 0;
}

void cni_store_last(struct cni_store *store, size_t set, struct cni_ip *ret)
{
	char name[40], text[CNI_IP_STRLEN + 1]; /* one more, to see what is too long */

	*ret = (struct cni_ip){ 0 };
	snprintf(name, sizeof(name), "last_reserved_ip.%zu", set);
	if (cni_read_small(store->dir, name, text, sizeof(text)) > 0 && cni_ip_parse(text, ret) < 0)
		*ret = (struct cni_ip){ 0 };
}

static int write_last(int dir, const char *name, const char *text)
{
	cni_auto(fd) int fd = openat(
		dir, name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, LAST_MODE);
	ssize_t len = (ssize_t)strlen(text), n;

	if (fd < 0 || fchmod(fd, LAST_MODE) < 0)
		return -errno;
	n = write(fd, text, (size_t)len);
	if (n != len)
		return n < 0 ? -errno : -EIO;
	/* Shortened after writing, so that it is never seen empty. */
	return ftruncate(fd, len) < 0 ? -errno : 0;
}

int cni_store_set_last(struct cni_store *store, size_t set, const struct cni_ip *ip,
		       struct cni_error *err)
{
	char name[40], text[CNI_IP_STRLEN];
	int r;

	snprintf(name, sizeof(name), "last_reserved_ip.%zu", set);
	cni_ip_format(ip, text);
	r = write_last(store->dir, name, text);
	if (make_room(store, r))
		r = write_last(store->dir, name, text);
	return r < 0 ? cni_fail(err, CNI_E_INTERNAL, -r, "failed to write %s", name) : 0;
}
