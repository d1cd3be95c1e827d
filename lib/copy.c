/*
 * Copies of files; see copy.h.
 */
#include "copy.h"
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

int cni_file_open_at(int dir, const char *name)
{
	return openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

int cni_copy_data(int from, int to)
{
	char data[65536];
	ssize_t n;

	while ((n = read(from, data, sizeof(data))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		for (ssize_t done = 0; done < n;) {
			ssize_t w = write(to, data + done, (size_t)(n - done));

			if (w < 0 && errno != EINTR)
				return -errno;
			done += w > 0 ? w : 0;
		}
	}
	return 0;
}

ssize_t cni_read_full(int fd, char *data, size_t size)
{
	size_t len = 0;

	while (len < size) {
		ssize_t n = read(fd, data + len, size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

/* Label, capabilities, access lists: all that a file system keeps by a name. */
static int copy_attributes(int from, int to)
{
	char names[4096], value[4096];
	ssize_t n = flistxattr(from, names, sizeof(names)), size;

	if (n < 0)
		return errno == EOPNOTSUPP ? 0 : -errno;
	for (const char *name = names; name < names + n; name += strlen(name) + 1) {
		size = fgetxattr(from, name, value, sizeof(value));
		if (size < 0 || fsetxattr(to, name, value, (size_t)size, 0) < 0)
			return -errno;
	}
	return 0;
}

static int copy_file(int dir, const char *name, const struct stat *st, int to_dir,
		     const char *to_name)
{
	struct timespec times[2] = { st->st_atim, st->st_mtim };
	cni_auto(fd) int to = -1;
	cni_auto(fd) int from = cni_file_open_at(dir, name);
	int r;

	if (from < 0)
		return -errno;
	to = openat(to_dir, to_name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (to < 0)
		return -errno;
	r = cni_copy_data(from, to);
	/* The owner first: a change of it takes mode bits and capabilities away. */
	if (r == 0 &&
	    (fchown(to, st->st_uid, st->st_gid) < 0 || fchmod(to, st->st_mode & 07777) < 0))
		r = -errno;
	if (r == 0)
		r = copy_attributes(from, to);
	if (r == 0 && (futimens(to, times) < 0 || fsync(to) < 0))
		r = -errno;
	return r;
}

static int copy_symlink(int dir, const char *name, const struct stat *st, int to_dir,
			const char *to_name)
{
	struct timespec times[2] = { st->st_atim, st->st_mtim };
	char target[PATH_MAX];
	ssize_t n = readlinkat(dir, name, target, sizeof(target) - 1);

	if (n < 0)
		return -errno;
	target[n] = '\0';
	if (symlinkat(target, to_dir, to_name) < 0 ||
	    fchownat(to_dir, to_name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    utimensat(to_dir, to_name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return 0;
}

int cni_link_or_copy(int dir, const char *name, int to_dir, const char *to_name)
{
	struct stat st;

	if (unlinkat(to_dir, to_name, 0) < 0 && errno != ENOENT)
		return -errno;
	if (linkat(dir, name, to_dir, to_name, 0) == 0)
		return 0;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return S_ISLNK(st.st_mode) ? copy_symlink(dir, name, &st, to_dir, to_name)
				   : copy_file(dir, name, &st, to_dir, to_name);
}

static bool same_link(int a_dir, const char *a, int b_dir, const char *b)
{
	char x[PATH_MAX], y[PATH_MAX];
	ssize_t n = readlinkat(a_dir, a, x, sizeof(x));

	return n >= 0 && readlinkat(b_dir, b, y, sizeof(y)) == n && memcmp(x, y, (size_t)n) == 0;
}

static bool same_data(int a, int b)
{
	char x[32768], y[32768];
	ssize_t n = 1;

	while (n > 0) {
		n = cni_read_full(a, x, sizeof(x));
		if (n != cni_read_full(b, y, sizeof(y)) || (n > 0 && memcmp(x, y, (size_t)n) != 0))
			return false;
	}
	return n == 0;
}

bool cni_file_is_same(int a_dir, const char *a, int b_dir, const char *b)
{
	cni_auto(fd) int x = -1, y = -1;
	struct stat p, q;

	if (fstatat(a_dir, a, &p, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fstatat(b_dir, b, &q, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	if (cni_stat_same(&p, &q))
		return true;
	if (S_ISLNK(p.st_mode) && S_ISLNK(q.st_mode))
		return same_link(a_dir, a, b_dir, b);
	if (!S_ISREG(p.st_mode) || !S_ISREG(q.st_mode) || p.st_size != q.st_size)
		return false;
	x = cni_file_open_at(a_dir, a);
	y = cni_file_open_at(b_dir, b);
	return x >= 0 && y >= 0 && same_data(x, y);
}
