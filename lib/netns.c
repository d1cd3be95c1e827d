/*
 * Network namespaces; see netns.h.
 */
#include "netns.h"
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define OWN_NETNS "/proc/self/ns/net"

int cni_netns_open(const char *path, int *ret, struct cni_error *err)
{
	struct statfs fs;
	int fd, r;

	/* statfs first, as the Go plugins do: opening a device or a FIFO may block or do harm. */
	if (statfs(path, &fs) < 0) {
		r = errno;
		return cni_fail(err, CNI_E_INTERNAL, r, "failed to Statfs \"%s\"", path);
	}
	if (fs.f_type != NSFS_MAGIC && fs.f_type != PROC_SUPER_MAGIC) {
		cni_fail(err, CNI_E_INTERNAL, 0, "unknown FS magic on \"%s\": %lx", path,
			 (unsigned long)fs.f_type);
		cni_error_detail(err, "CNI_NETNS is not the path of a network namespace");
		return -EINVAL;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		r = errno;
		return cni_fail(err, CNI_E_INTERNAL, r, "open \"%s\"", path);
	}
	*ret = fd;
	return 0;
}

bool cni_netns_is_gone(int r)
{
	return r == -ENOENT || r == -ENOTDIR || r == -EINVAL;
}

int cni_netns_open_left(const char *path, int *ret, struct cni_error *err)
{
	struct cni_error why = { 0 };
	int r;

	if (!*path)
		return 0;
	r = cni_netns_open(path, ret, &why);
	if (r == 0)
		return 1;
	if (cni_netns_is_gone(r))
		return 0;
	if (err && !err->set)
		*err = why;
	return r;
}

bool cni_netns_same(const char *a, const char *b)
{
	struct stat x, y;

	return strcmp(a, b) == 0 || (stat(a, &x) == 0 && stat(b, &y) == 0 && cni_stat_same(&x, &y));
}

/* The process's own namespace, opened once, and borrowed; negative errno. */
static int own_netns(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = open(OWN_NETNS, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

bool cni_netns_is_own(const char *path)
{
	struct stat own, other;

	return *path && stat(path, &other) == 0 && fstat(own_netns(), &own) == 0 &&
	       cni_stat_same(&own, &other);
}

int cni_netns_call(int fd, int (*fn)(void *ctx), void *ctx, struct cni_error *err)
{
	int own, r;

	if (fd < 0)
		return fn(ctx);
	own = own_netns();
	if (own < 0)
		return cni_fail(err, CNI_E_INTERNAL, -own, "open %s", OWN_NETNS);
	if (setns(fd, CLONE_NEWNET) < 0) {
		r = errno;
		return cni_fail(err, CNI_E_INTERNAL, r, "enter network namespace");
	}
	r = fn(ctx);
	if (setns(own, CLONE_NEWNET) < 0)
		_exit(70);
	return r;
}
