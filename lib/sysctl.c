/*
 * Kernel parameters below /proc/sys/net; see sysctl.h.
 *
 * Everything is opened without following symbolic links and without crossing mounts, so an interface name or a planted
 * mount cannot lead a write elsewhere (the runc CVE-2025-52881 class).
 *
 * In the host's /proc the kernel keeps what is called `ipv4` or `ipv6` in each network namespace in one chain of its cache
 * of names, and goes through it for every path: 1.6 us for each namespace, so a directory is opened once for all that is
 * asked of it. An instance of proc of our own, which is mounted nowhere, has no such chain, and costs 0.15 ms, a part of it
 * waiting for RCU when it goes. It is used where namespaces are many, or nobody said that they are few. Where none can be
 * had (before Linux 5.2, in some user namespaces), and where /proc/sys was made read-only, which is somebody's wish, it is
 * /proc after all.
 */
#include "sysctl.h"
#include "buf.h"
#include "netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#define TREE "/proc/sys/net"

/* So many are gone through, in two places, in the time that an instance of proc of our own takes. */
#define FEW_NAMESPACES 50

/*
 * A value has to come whole with one read: of a long one, as ipv4/ip_local_reserved_ports, the kernel
 * gives no second part. It clears as much as it is asked for, so those that are known to be short ask for
 * less.
 */
#define SHORT_VALUE 4096
#define LONG_VALUE (64u << 10)

/* Where parameters are opened, in one namespace: most of them are in one directory. */
struct place {
	char path[CNI_SYSCTL_PATH_LEN]; /* of dir, below the tree; "" = none yet */
	int tree, dir; /* tree borrowed, dir owned; negative errno: can't be opened */
};

struct job {
	struct cni_sysctl *set;
	size_t n;
	struct cni_error *err;
};

static int open_below(int dir, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)flags | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};
	int fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));

	/* Before Linux 5.6. Interface names hold no "/", and are not "." or "..". */
	if (fd < 0 && errno == ENOSYS)
		fd = openat(dir, path, flags | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

/* @return the directory of parameters in an instance of proc of our own, detached; negative errno */
static int open_own_tree(void)
{
	cni_auto(fd) int fs = (int)syscall(SYS_fsopen, "proc", FSOPEN_CLOEXEC);
	cni_auto(fd) int mount = -1;
	int dir;

	if (fs < 0 || syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	mount = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0);
	if (mount < 0)
		return -errno;
	dir = openat(mount, "sys/net", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return dir < 0 ? -errno : dir;
}

static bool namespaces_are_few;

void cni_sysctl_namespaces(int n)
{
	namespaces_are_few = n >= 0 && n <= FEW_NAMESPACES;
}

static int open_tree(void)
{
	cni_auto(fd) int dir = open(TREE, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs = { 0 };
	int own = -EROFS, hosts;

	if (dir >= 0 && (fstatfs(dir, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC))
		return -ENXIO;
	if (dir < 0 || !(namespaces_are_few || (fs.f_flags & ST_RDONLY)))
		own = open_own_tree();
	if (own >= 0 || dir < 0)
		return own;
	hosts = dir;
	dir = -1;
	return hosts;
}

/* The tree, opened once in a process, and borrowed; negative errno. */
static int tree(void)
{
	static int dir = -1;

	if (dir < 0)
		dir = open_tree();
	return dir;
}

static inline void cni_auto_place(struct place *place)
{
	if (*place->path && place->dir >= 0)
		(void)close(place->dir);
	place->path[0] = '\0';
}

/* @return descriptor of a parameter, owned; negative errno */
static int open_parameter(struct place *place, const char *path, int flags)
{
	const char *leaf = strrchr(path, '/');
	size_t len = leaf ? (size_t)(leaf - path) : 0;

	if (place->tree < 0 || len == 0)
		return place->tree < 0 ? place->tree : open_below(place->tree, path, flags);
	if (strncmp(place->path, path, len) != 0 || place->path[len]) {
		cni_auto_place(place);
		snprintf(place->path, sizeof(place->path), "%.*s", (int)len, path);
		place->dir = open_below(place->tree, place->path, O_PATH | O_DIRECTORY);
	}
	return place->dir < 0 ? place->dir : open_below(place->dir, leaf + 1, flags);
}

static int read_value(struct place *place, const char *path, size_t room, char **ret)
{
	cni_auto(buf) struct cni_buf buf = { 0 };
	cni_auto(fd) int fd = open_parameter(place, path, O_RDONLY);
	int r;

	if (fd < 0)
		return fd;
	r = cni_buf_reserve(&buf, room);
	if (r == 0)
		r = cni_buf_read_fd(&buf, fd, LONG_VALUE);
	if (r < 0)
		return r;
	if (buf.len && buf.data[buf.len - 1] == '\n')
		buf.data[buf.len - 1] = '\0';
	*ret = strdup(buf.data);
	return *ret ? 0 : -ENOMEM;
}

/*
 * The kernel may take a part: of "5 6", where there is one number, the first. The rest, written after it, it
 * passes over, unless kernel.sysctl_writes_strict is 0.
 */
static int write_value(struct place *place, const char *path, const char *value)
{
	cni_auto(fd) int fd = open_parameter(place, path, O_WRONLY);
	size_t len = strlen(value), done = 0;

	if (fd < 0)
		return fd;
	do {
		ssize_t n = write(fd, value + done, len - done);

		if (n < 0 || (n == 0 && len > 0))
			return n < 0 ? -errno : -EIO;
		done += (size_t)n;
	} while (done < len);
	return 0;
}

static int apply(struct place *place, struct cni_sysctl *s)
{
	if (s->if_differs) {
		cni_auto(free) char *now = NULL;
		int r = read_value(place, s->path, SHORT_VALUE, &now);

		if (r < 0 || strcmp(now, s->value) == 0)
			return r;
	}
	return write_value(place, s->path, s->value);
}

static int apply_all(void *ctx)
{
	cni_auto(place) struct place place = { .tree = tree() };
	struct job *job = ctx;

	for (size_t i = 0; i < job->n; i++)
		job->set[i].result = apply(&place, &job->set[i]);
	return 0;
}

/* What is there to be written only, as ipv4/route/flush, has no value to be read. */
static int read_if_readable(struct place *place, struct cni_sysctl *s)
{
	int r = read_value(place, s->path, LONG_VALUE, &s->was);

	return r == -EACCES || r == -EPERM ? 0 : r;
}

static int read_all(void *ctx)
{
	cni_auto(place) struct place place = { .tree = tree() };
	struct job *job = ctx;

	for (size_t i = 0; i < job->n; i++)
		job->set[i].result = read_if_readable(&place, &job->set[i]);
	return 0;
}

/* An empty value is a line without anything in it: to write nothing at all changes nothing. */
static int put_one_back(struct place *place, const struct cni_sysctl *s)
{
	cni_auto(free) char *now = NULL;
	int r = s->was ? read_value(place, s->path, LONG_VALUE, &now) : 0;

	if (!s->was || r < 0 || strcmp(now, s->was) == 0)
		return r;
	return write_value(place, s->path, *s->was ? s->was : "\n");
}

static void put_back(struct place *place, struct cni_sysctl *set, size_t n)
{
	while (n-- > 0) {
		int r = put_one_back(place, &set[n]);

		if (r < 0)
			cni_note("undo of ADD: write %s/%s: %s", TREE, set[n].path,
				 cni_strerror(-r));
	}
}

static int put_back_all(void *ctx)
{
	cni_auto(place) struct place place = { .tree = tree() };
	struct job *job = ctx;

	put_back(&place, job->set, place.tree < 0 ? 0 : job->n);
	return 0;
}

/* Which part of a path is the first that is not there, and what that may mean. */
static void explain_missing(int tree_dir, const char *path, struct cni_error *err)
{
	char part[CNI_SYSCTL_PATH_LEN];

	for (size_t n = strcspn(path, "/");; n += 1 + strcspn(path + n + 1, "/")) {
		cni_auto(fd) int fd = -1;

		snprintf(part, sizeof(part), "%.*s", (int)n, path);
		fd = open_below(tree_dir, part, O_PATH);
		if (fd < 0 || !path[n])
			break;
	}
	cni_error_detail(
		err, "the container's network namespace has no %s/%s%s", TREE, part,
		strcmp(part, "ipv6") == 0 ? ": this kernel runs without IPv6"
		: strncmp(part, "ipv6/conf/", 10) == 0 && !strchr(part + 10, '/')
			? ": no such interface, or one without IPv6, as an mtu below 1280 makes it"
			: "");
}

static int fail(int tree_dir, const struct cni_sysctl *s, const char *what, int r,
		struct cni_error *err)
{
	r = cni_fail(err, CNI_E_INTERNAL, -r, "%s %s/%s", what, TREE, s->path);
	if (r == -ENOENT || r == -ENOTDIR)
		explain_missing(tree_dir, s->path, err);
	else if (r == -EACCES || r == -EPERM)
		cni_error_detail(
			err, "the kernel lets nobody set it in a container's network namespace");
	else if (r == -EINVAL || r == -ERANGE)
		cni_error_detail(err, "the kernel does not take the value \"%s\"", s->value);
	return r;
}

/* Where /proc/sys is mounted read-only, what has its value already needs no writing. */
static bool is_well_as_it_is(const struct cni_sysctl *s, int r)
{
	return (r == -EROFS || r == -EACCES || r == -EPERM) && s->was &&
	       strcmp(s->was, s->value) == 0;
}

static int exchange_all(void *ctx)
{
	cni_auto(place) struct place place = { .tree = tree() };
	struct job *job = ctx;
	struct cni_sysctl *set = job->set;

	if (place.tree < 0)
		return cni_fail(job->err, CNI_E_INTERNAL, -place.tree, "open %s", TREE);
	for (size_t i = 0; i < job->n; i++) {
		int r = read_if_readable(&place, &set[i]);

		/* EIO: ipv6/conf/X/stable_secret cannot be read until it is set. */
		if (r < 0 && r != -EIO)
			return fail(place.tree, &set[i], r == -ENOENT ? "open" : "read", r,
				    job->err);
	}
	for (size_t i = 0; i < job->n; i++) {
		int r = write_value(&place, set[i].path, set[i].value);

		if (r < 0 && !is_well_as_it_is(&set[i], r)) {
			/* This one, too: of "1 2 x" the kernel has set two numbers. */
			put_back(&place, set, i + 1);
			return fail(place.tree, &set[i],
				    r == -EACCES || r == -EROFS ? "open" : "write", r, job->err);
		}
	}
	return 0;
}

void cni_sysctl_init(struct cni_sysctl *s, const char *value, bool if_differs, const char *fmt, ...)
{
	va_list ap;

	*s = (struct cni_sysctl){ .value = value, .if_differs = if_differs };
	va_start(ap, fmt);
	vsnprintf(s->path, sizeof(s->path), fmt, ap);
	va_end(ap);
}

int cni_sysctl_write(int netns_fd, struct cni_sysctl *set, size_t n, struct cni_error *err)
{
	struct job job = { .set = set, .n = n };

	return n ? cni_netns_call(netns_fd, apply_all, &job, err) : 0;
}

void cni_sysctl_ignore_advertisements(const char *ifname)
{
	struct cni_sysctl accept_ra;

	cni_sysctl_init(&accept_ra, "0", false, "ipv6/conf/%s/accept_ra", ifname);
	/* Fails where IPv6 is off: nothing to do. */
	(void)!cni_sysctl_write(-1, &accept_ra, 1, NULL);
}

void cni_sysctl_done(struct cni_sysctl *set, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(set[i].was);
		set[i].was = NULL;
	}
}

int cni_sysctl_read(int netns_fd, struct cni_sysctl *set, size_t n, struct cni_error *err)
{
	struct job job = { .set = set, .n = n };

	return n ? cni_netns_call(netns_fd, read_all, &job, err) : 0;
}

int cni_sysctl_exchange(int netns_fd, struct cni_sysctl *set, size_t n, struct cni_error *err)
{
	struct job job = { set, n, err };

	return n ? cni_netns_call(netns_fd, exchange_all, &job, err) : 0;
}

void cni_sysctl_put_back(int netns_fd, struct cni_sysctl *set, size_t n)
{
	struct job job = { .set = set, .n = n };

	if (n)
		(void)!cni_netns_call(netns_fd, put_back_all, &job, NULL);
}
