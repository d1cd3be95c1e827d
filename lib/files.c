/*
 * Files and directories; see files.h.
 */
#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#define PARENT_MODE 0755
/* flock() can't wait with a deadline, so it is asked again and again. */
#define LOCK_INTERVAL_MS 2

static int make_one(const char *path, mode_t mode)
{
	return mkdir(path, mode) < 0 && errno != EEXIST ? -errno : 0;
}

int cni_dir_make(const char *path, mode_t mode)
{
	cni_auto(free) char *part = NULL;
	int r = make_one(path, mode);

	if (r != -ENOENT)
		return r;
	part = strdup(path);
	r = part ? 0 : -ENOMEM;
	for (char *p = part; r == 0 && *p; p++) {
		if (*p != '/' || p == part || !p[strspn(p, "/")])
			continue;
		*p = '\0';
		r = make_one(part, PARENT_MODE);
		*p = '/';
	}
	return r < 0 ? r : make_one(path, mode);
}

int cni_dir_check_writable(const char *path)
{
	cni_auto(free) char *part = strdup(path);
	const char *nearest = part; /* directory that is there */
	char *slash;

	if (!part)
		return -ENOMEM;
	while (access(part, F_OK) < 0 && (slash = strrchr(part, '/')) && slash > part)
		*slash = '\0';
	if (access(part, F_OK) < 0)
		nearest = *part == '/' ? "/" : ".";
	return access(nearest, W_OK) < 0 ? -errno : 0;
}

int cni_dir_each(int at, int (*fn)(const char *name, void *ctx), void *ctx)
{
	int fd = openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	int r = 0;

	if (!dir) {
		r = -errno;
		if (fd >= 0)
			(void)close(fd);
		return r;
	}
	errno = 0;
	while (r == 0 && (entry = readdir(dir))) {
		r = fn(entry->d_name, ctx);
		errno = 0;
	}
	if (r == 0 && errno)
		r = -errno;
	closedir(dir);
	return r;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int cni_lock_within(int fd, int ms)
{
	const int64_t end = now_ms() + ms;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if ((errno != EWOULDBLOCK && errno != EINTR) || now_ms() >= end)
			return -errno;
		(void)poll(NULL, 0, LOCK_INTERVAL_MS);
	}
	return 0;
}

int cni_file_read(const char *path, size_t max, struct cni_buf *ret)
{
	cni_auto(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	return fd < 0 ? -errno : cni_buf_read_fd(ret, fd, max);
}
