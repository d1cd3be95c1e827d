/*
 * The lease store of host-local; see store.h. Everything below the network's directory is reached
 * through its descriptor and without following symbolic links.
 */
#include "store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define LEASE_MODE 0600
#define LOCK_MODE 0750
#define DIR_MODE 0755

/* Longer than any container id and interface name that a runtime makes. */
#define LEASE_MAX 4096

/* ---- opening ---- */

/* mkdir -p; the path is changed and restored on the way. */
static int make_dirs(char *path)
{
	for (char *p = path + 1; *p; p++) {
		int r;

		if (*p != '/')
			continue;
		*p = '\0';
		r = mkdir(path, DIR_MODE) < 0 ? -errno : 0;
		*p = '/';
		if (r < 0 && r != -EEXIST)
			return r;
	}
	return mkdir(path, DIR_MODE) < 0 && errno != EEXIST ? -errno : 0;
}

static int open_lock(int dir)
{
	int fd = openat(dir, "lock", O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
			LOCK_MODE);

	if (fd >= 0)
		(void)fchmod(fd, LOCK_MODE); /* whatever the umask */
	else if (errno == EEXIST)
		fd = openat(dir, "lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
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
		r = make_dirs(path);
	if (r == 0) {
		store.dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		r = store.dir < 0 ? -errno : 0;
	}
	if (r == -ENOENT && !create)
		return r;
	if (r == 0) {
		store.lock = open_lock(store.dir);
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
	*ret = store;
	store = (struct cni_store)CNI_STORE_INIT;
	return 0;
}

void cni_store_close(struct cni_store *store)
{
	if (store->lock >= 0)
		(void)close(store->lock); /* which unlocks */
	if (store->dir >= 0)
		(void)close(store->dir);
	*store = (struct cni_store)CNI_STORE_INIT;
}

/* ---- reading ---- */

bool cni_lease_is_of(const struct cni_lease *lease, const char *containerid, const char *ifname)
{
	return strcmp(lease->containerid, containerid) == 0 &&
	       (!lease->ifname || strcmp(lease->ifname, ifname) == 0);
}

/* Read a small file whole. @return bytes; negative errno */
static ssize_t read_small(int dir, const char *name, char *buf, size_t size)
{
	/* O_NONBLOCK: a FIFO planted here must not hang us. */
	cni_auto(fd) int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, buf, size - 1);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return n;
}

static char *trim(char *s)
{
	static const char space[] = " \t\r\n\v\f";
	char *end;

	s += strspn(s, space);
	end = s + strlen(s);
	while (end > s && strchr(space, end[-1]))
		end--;
	*end = '\0';
	return s;
}

/* Split "<id>\r\n<ifname>" or "<id>"; false if it is neither. */
static bool parse_lease(char *text, struct cni_lease *lease)
{
	char *id = trim(text), *sep = strstr(id, "\r\n");

	if (sep)
		*sep = '\0';
	lease->containerid = id;
	lease->ifname = sep ? sep + 2 : NULL;
	return *id && !strpbrk(id, "\r\n");
}

int cni_store_each(struct cni_store *store, int (*fn)(const struct cni_lease *lease, void *ctx),
		   void *ctx, struct cni_error *err)
{
	int fd = openat(store->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int r = 0;

	if (!dir) {
		r = -errno;
		if (fd >= 0)
			(void)close(fd);
		return cni_fail(err, CNI_E_INTERNAL, -r, "failed to read lease store");
	}
	while (r == 0 && (entry = readdir(dir))) {
		char text[LEASE_MAX], name[CNI_IP_STRLEN];
		struct cni_lease lease;

		/* Only the canonical name: "::ffff:10.0.0.1" is not the lease of 10.0.0.1. */
		if (cni_ip_parse(entry->d_name, &lease.ip) == 0 &&
		    strcmp(cni_ip_format(&lease.ip, name), entry->d_name) == 0 &&
		    read_small(store->dir, entry->d_name, text, sizeof(text)) > 0 &&
		    parse_lease(text, &lease))
			r = fn(&lease, ctx);
	}
	closedir(dir);
	return r;
}

/* ---- changing ---- */

static int write_lease(int fd, const char *containerid, const char *ifname)
{
	/* One write: a full disk must not leave half of it. */
	int n = dprintf(fd, "%s\r\n%s", containerid, ifname);

	if (n < 0)
		return errno ? -errno : -EIO;
	return fchmod(fd, LEASE_MODE) < 0 ? -errno : 0;
}

/* Give an unnamed file its name, which must be free. */
static int publish(int dir, int fd, const char *name)
{
	char self[32];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, self, dir, name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

/* For file systems without O_TMPFILE: under a name that is no address, then linked. */
static int reserve_aside(int dir, const char *name, const char *containerid, const char *ifname)
{
	static const char aside[] = ".lease.tmp"; /* we hold the lock: one at a time */
	cni_auto(fd) int fd = -1;
	int r;

	(void)unlinkat(dir, aside, 0);
	fd = openat(dir, aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, LEASE_MODE);
	if (fd < 0)
		return -errno;
	r = write_lease(fd, containerid, ifname);
	if (r == 0 && linkat(dir, aside, dir, name, 0) < 0)
		r = -errno;
	(void)unlinkat(dir, aside, 0);
	return r;
}

static int reserve(int dir, const char *name, const char *containerid, const char *ifname)
{
	cni_auto(fd) int fd = openat(dir, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, LEASE_MODE);
	int r;

	if (fd < 0)
		return errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL
			       ? reserve_aside(dir, name, containerid, ifname)
			       : -errno;
	r = write_lease(fd, containerid, ifname);
	return r < 0 ? r : publish(dir, fd, name);
}

/* Whether there is an empty regular file under this name: what a crash leaves. */
static bool is_torn(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	       st.st_size == 0;
}

bool cni_store_is_free(struct cni_store *store, const struct cni_ip *ip)
{
	char name[CNI_IP_STRLEN];
	struct stat st;

	cni_ip_format(ip, name);
	return fstatat(store->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || is_torn(store->dir, name);
}

int cni_store_reserve(struct cni_store *store, const struct cni_ip *ip, const char *containerid,
		      const char *ifname, struct cni_error *err)
{
	char name[CNI_IP_STRLEN];
	int r;

	/* Looking first spares a file for each address that is taken. */
	if (!cni_store_is_free(store, ip))
		return -EEXIST;
	(void)unlinkat(store->dir, cni_ip_format(ip, name), 0); /* torn, if anything */
	r = reserve(store->dir, name, containerid, ifname);
	if (r < 0 && r != -EEXIST)
		return cni_fail(err, CNI_E_INTERNAL, -r, "failed to write lease of %s", name);
	return r;
}

int cni_store_release(struct cni_store *store, const struct cni_ip *ip, struct cni_error *err)
{
	char name[CNI_IP_STRLEN];
	int r;

	cni_ip_format(ip, name);
	if (unlinkat(store->dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	r = errno;
	return cni_fail(err, CNI_E_INTERNAL, r, "failed to remove lease of %s", name);
}

void cni_store_last(struct cni_store *store, size_t set, struct cni_ip *ret)
{
	char name[40], text[CNI_IP_STRLEN + 1]; /* one more, to see what is too long */

	*ret = (struct cni_ip){ 0 };
	snprintf(name, sizeof(name), "last_reserved_ip.%zu", set);
	if (read_small(store->dir, name, text, sizeof(text)) > 0 && cni_ip_parse(text, ret) < 0)
		*ret = (struct cni_ip){ 0 };
}

int cni_store_set_last(struct cni_store *store, size_t set, const struct cni_ip *ip,
		       struct cni_error *err)
{
	char name[40], text[CNI_IP_STRLEN];
	cni_auto(fd) int fd = -1;
	ssize_t len;
	int r = 0;

	snprintf(name, sizeof(name), "last_reserved_ip.%zu", set);
	len = (ssize_t)strlen(cni_ip_format(ip, text));
	fd = openat(store->dir, name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, LEASE_MODE);
	/* Shortened after writing, so that it is never seen empty. */
	if (fd < 0 || fchmod(fd, LEASE_MODE) < 0 || write(fd, text, (size_t)len) != len ||
	    ftruncate(fd, len) < 0)
		r = errno ? errno : EIO;
	return r ? cni_fail(err, CNI_E_INTERNAL, r, "failed to write %s", name) : 0;
}
