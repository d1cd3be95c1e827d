/*
 * Files and directories; see files.h.
 */
#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define PARENT_MODE 0755

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
		if (*p != '/' || p == part)
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

int cni_file_read(const char *path, size_t max, struct cni_buf *ret)
{
	cni_auto(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	return fd < 0 ? -errno : cni_buf_read_fd(ret, fd, max);
}
