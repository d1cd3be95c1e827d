/*
 * Kernel parameters below /proc/sys/net; see sysctl.h.
 *
 * The tree is opened once per call and everything below it without following symbolic links and
 * without crossing mounts, so that an interface name or a planted mount cannot lead a write
 * elsewhere (the runc CVE-2025-52881 class).
 */
#include "sysctl.h"
#include "netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

struct job {
	struct cni_sysctl *set;
	size_t n;
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

static int apply(int dir, struct cni_sysctl *s)
{
	size_t len = strlen(s->value);
	cni_auto(fd) int fd = -1;
	ssize_t n;

	if (s->if_differs) {
		char now[64];

		fd = open_below(dir, s->path, O_RDONLY);
		if (fd < 0)
			return fd;
		n = read(fd, now, sizeof(now) - 1);
		if (n < 0)
			return -errno;
		if ((size_t)n >= len && memcmp(now, s->value, len) == 0 &&
		    ((size_t)n == len || now[len] == '\n'))
			return 0;
		(void)close(fd);
	}
	fd = open_below(dir, s->path, O_WRONLY);
	if (fd < 0)
		return fd;
	n = write(fd, s->value, len);
	return n < 0 ? -errno : n == (ssize_t)len ? 0 : -EIO;
}

static int apply_all(void *ctx)
{
	struct job *job = ctx;
	cni_auto(fd) int dir = open("/proc/sys/net", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs;
	int r = 0;

	if (dir < 0)
		r = -errno;
	else if (fstatfs(dir, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC)
		r = -ENXIO;
	for (size_t i = 0; i < job->n; i++)
		job->set[i].result = r < 0 ? r : apply(dir, &job->set[i]);
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
	struct job job = { set, n };

	return n ? cni_netns_call(netns_fd, apply_all, &job, err) : 0;
}
