/*
 * Whose an address in a firewalld zone is; see zone_record.h. A file's name is the address, its
 * content two lines: owner, zone.
 */
#include "zone_record.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define PARENT "/run/cni"
#define DIRECTORY PARENT "/firewalld"

#define TEXT_MAX (CNI_OWNER_LEN + CNI_ZONE_LEN)

/* Nobody but root can put anything there: a link in the way is refused, not followed. */
static int open_directory(bool create)
{
	int fd;

	if (create && ((mkdir(PARENT, 0755) < 0 && errno != EEXIST) ||
		       (mkdir(DIRECTORY, 0700) < 0 && errno != EEXIST)))
		return -errno;
	fd = open(DIRECTORY, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int write_text(int dir, const char *name, const char *text)
{
	cni_auto(fd) int fd =
		openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	return n < 0 ? -errno : (size_t)n == strlen(text) ? 0 : -ENOSPC;
}

int cni_zone_record_put(const struct cni_zone_record *rec)
{
	char name[CNI_IP_STRLEN], aside[CNI_IP_STRLEN + 16], text[TEXT_MAX + 2];
	cni_auto(fd) int dir = open_directory(true);
	int r;

	if (dir < 0)
		return dir;
	cni_ip_format(&rec->ip, name);
	/* The name of no address; who made it before us with our process id is dead. */
	snprintf(aside, sizeof(aside), ".%s.%d", name, (int)getpid());
	snprintf(text, sizeof(text), "%s\n%s\n", rec->owner, rec->zone);
	(void)unlinkat(dir, aside, 0);
	r = write_text(dir, aside, text);
	if (r == 0 && renameat(dir, aside, dir, name) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(dir, aside, 0);
	return r;
}

static int read_record(int dir, const char *name, struct cni_zone_record *ret)
{
	cni_auto(fd) int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char text[TEXT_MAX + 2], *zone, *end;
	struct cni_zone_record rec;
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	zone = strchr(text, '\n');
	end = zone ? strchr(zone + 1, '\n') : NULL;
	if (!end || zone - text != CNI_OWNER_LEN - 1 || end - zone - 1 >= CNI_ZONE_LEN ||
	    cni_ip_parse(name, &rec.ip) < 0)
		return -EBADMSG;
	*zone++ = *end = '\0';
	memcpy(rec.owner, text, CNI_OWNER_LEN);
	memcpy(rec.zone, zone, (size_t)(end - zone) + 1);
	*ret = rec;
	return 0;
}

int cni_zone_record_get(const struct cni_ip *ip, struct cni_zone_record *ret)
{
	cni_auto(fd) int dir = open_directory(false);
	char name[CNI_IP_STRLEN];

	return dir < 0 ? -ENOENT : read_record(dir, cni_ip_format(ip, name), ret);
}

void cni_zone_record_drop(const struct cni_ip *ip)
{
	cni_auto(fd) int dir = open_directory(false);
	char name[CNI_IP_STRLEN];

	if (dir >= 0)
		(void)unlinkat(dir, cni_ip_format(ip, name), 0);
}

int cni_zone_record_each(int (*fn)(const struct cni_zone_record *rec, void *ctx), void *ctx)
{
	int dir = open_directory(false), r = 0;
	const struct dirent *entry;
	DIR *list;

	if (dir < 0)
		return 0;
	list = fdopendir(dir);
	if (!list) {
		r = -errno;
		(void)close(dir);
		return r;
	}
	while (r == 0 && (entry = readdir(list))) {
		struct cni_zone_record rec;

		if (read_record(dir, entry->d_name, &rec) == 0)
			r = fn(&rec, ctx);
	}
	(void)closedir(list);
	return r;
}
