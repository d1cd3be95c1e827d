/*
 * One lease in its file; see lease_file.h.
 */
#include "lease_file.h"
#include "boot.h"
#include "names.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#define BOOT_ATTR "user.ccni.boot_id"
#define LEASE_MODE 0600

/* ---- reading ---- */

bool cni_lease_is_of(const struct cni_lease *lease, const char *containerid, const char *ifname)
{
	return strcmp(lease->containerid, containerid) == 0 &&
	       (!lease->ifname || strcmp(lease->ifname, ifname) == 0);
}

ssize_t cni_read_small(int dir, const char *name, char *buf, size_t size)
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

/*
 * Split "<id>\r\n<ifname>" or "<id>". False if no runtime can have such an id or interface: then no DEL
 * will ever name it, and it is no lease.
 */
static bool parse_lease(char *text, struct cni_lease *lease)
{
	char *id = trim(text), *sep = strstr(id, "\r\n");

	if (sep)
		*sep = '\0';
	lease->containerid = id;
	lease->ifname = sep ? sep + 2 : NULL;
	return cni_name_is_valid(id) && (!sep || cni_ifname_check(sep + 2, NULL) == 0);
}

/* Whether it is something else than a file: a directory, a link, a FIFO, ... Leaves errno alone. */
static bool is_no_file(int dir, const char *name)
{
	int saved = errno;
	struct stat st;
	bool is = fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(st.st_mode);

	errno = saved;
	return is;
}

enum cni_lease_kind cni_lease_read(int dir, const char *name, char text[static CNI_LEASE_MAX],
				   struct cni_lease *lease)
{
	ssize_t n = cni_read_small(dir, name, text, CNI_LEASE_MAX);

	if (n > 0 && parse_lease(text, lease))
		return CNI_LEASE_HELD;
	if (n == -ENOENT)
		return CNI_LEASE_ABSENT;
	if (n > 0 || is_no_file(dir, name))
		return CNI_LEASE_FOREIGN;
	if (n == 0)
		return CNI_LEASE_TORN;
	errno = (int)-n;
	return CNI_LEASE_UNREADABLE;
}

enum cni_lease_kind cni_lease_look(int dir, const char *name)
{
	struct cni_lease lease;
	char text[CNI_LEASE_MAX];

	return cni_lease_read(dir, name, text, &lease);
}

bool cni_lease_is_of_old_boot(int dir, const char *name)
{
	cni_auto(fd) int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char now[CNI_BOOT_ID_LEN + 4], then[CNI_BOOT_ID_LEN];

	return fd >= 0 && fgetxattr(fd, BOOT_ATTR, then, sizeof(then)) == (ssize_t)sizeof(then) &&
	       cni_boot_id(now) && memcmp(now, then, sizeof(then)) != 0;
}

/* ---- writing ---- */

bool cni_lease_fits(const char *containerid, const char *ifname)
{
	return strlen(containerid) + strlen("\r\n") + strlen(ifname) < CNI_LEASE_MAX;
}

static int write_lease(int fd, const char *containerid, const char *ifname)
{
	/* One write: a full disk must not leave half of it. */
	int n = dprintf(fd, "%s\r\n%s", containerid, ifname);
	char boot_id[CNI_BOOT_ID_LEN + 4];

	if (n < 0)
		return errno ? -errno : -EIO;
	if (fchmod(fd, LEASE_MODE) < 0)
		return -errno;
	/* A refinement: without it the lease is never taken for one of an old boot. */
	if (cni_boot_id(boot_id))
		(void)!fsetxattr(fd, BOOT_ATTR, boot_id, CNI_BOOT_ID_LEN, 0);
	return 0;
}

/* Give an unnamed file its name, which must be free. */
static int publish(int dir, int fd, const char *name)
{
	char self[32];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, self, dir, name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

/* Rename what must not replace anything. By number: musl has no renameat2(2) before 1.2.6. */
static int rename_to_new(int dir, const char *from, const char *to)
{
	return syscall(SYS_renameat2, dir, from, dir, to, RENAME_NOREPLACE) < 0 ? -errno : 0;
}

/* For file systems without O_TMPFILE: under a name that is no address, then linked. */
static int create_aside(int dir, const char *name, const char *containerid, const char *ifname)
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
	if (r == -EPERM || r == -EOPNOTSUPP) /* no hard links: vfat, some FUSE */
		r = rename_to_new(dir, aside, name);
	(void)unlinkat(dir, aside, 0);
	return r;
}

int cni_lease_create(int dir, const char *name, const char *containerid, const char *ifname)
{
	cni_auto(fd) int fd = openat(dir, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, LEASE_MODE);
	int r;

	if (fd < 0)
		return errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL
			       ? create_aside(dir, name, containerid, ifname)
			       : -errno;
	r = write_lease(fd, containerid, ifname);
	return r < 0 ? r : publish(dir, fd, name);
}

/* Where something goes that is under an address's name and no lease. */
#define ASIDE "foreign-%s.%d"
#define ASIDE_MAX 1000

/* Move it, whatever it is, to a name that is no address: it is not ours to delete. */
static int move_aside(int dir, const char *name)
{
	int r = -EEXIST;

	for (int i = 1; i <= ASIDE_MAX && r == -EEXIST; i++) {
		char aside[sizeof(ASIDE) + CNI_IP_STRLEN];

		snprintf(aside, sizeof(aside), ASIDE, name, i);
		r = rename_to_new(dir, name, aside);
		if (r == 0)
			cni_note("%s in the lease store is no lease: it is %s now", name, aside);
	}
	return r;
}

bool cni_lease_make_way(int dir, const char *name)
{
	enum cni_lease_kind what = cni_lease_look(dir, name);

	if (what == CNI_LEASE_TORN)
		return unlinkat(dir, name, 0) == 0;
	return what == CNI_LEASE_FOREIGN && move_aside(dir, name) == 0;
}
