/*
 * For the tests of the lease store and its index: a data directory made for each test, and what is put
 * there and seen there. A header, because each check_*.c is a program of its own.
 */
#ifndef TESTS_STORE_DIR_H
#define TESTS_STORE_DIR_H

#include "store.h"
#include "suite.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static char base[] = "/tmp/check_store.XXXXXX";

static inline void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(base));
}

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static inline void teardown(void)
{
	ck_assert_int_eq(nftw(base, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
	strcpy(base + strlen(base) - 6, "XXXXXX");
}

/** @return the path of something in the store's directory; overwritten by the next call */
static inline const char *in_net(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/nets/net1/%s", base, name);
	return path;
}

/** @return the path of all networks */
static inline const char *data_dir(void)
{
	static char path[64];

	snprintf(path, sizeof(path), "%s/nets", base);
	return path;
}

static inline void open_store(struct cni_store *ret)
{
	struct cni_error err = { 0 };

	ck_assert_msg(cni_store_open(data_dir(), "net1", true, ret, &err) == 0, "%s", err.msg);
}

/** Let go of a store as a process does that is killed: its index is not brought in step. */
static inline void kill_store(struct cni_store *store)
{
	if (store->index.fd >= 0)
		close(store->index.fd);
	close(store->lock);
	close(store->dir);
	*store = (struct cni_store)CNI_STORE_INIT;
}

static inline struct cni_ip ip_of(const char *text)
{
	struct cni_ip ip = { 0 };

	ck_assert_msg(cni_ip_parse(text, &ip) == 0, "%s", text);
	return ip;
}

static inline int reserve_ip(struct cni_store *store, const struct cni_ip *ip, const char *id,
			     const char *ifname)
{
	struct cni_error err = { 0 };
	int r = cni_store_reserve(store, ip, id, ifname, &err);

	ck_assert_msg(r == 0 || r == -EEXIST || err.set, "%d without a message", r);
	return r;
}

static inline int reserve(struct cni_store *store, const char *ip, const char *id,
			  const char *ifname)
{
	struct cni_ip addr = ip_of(ip);

	return reserve_ip(store, &addr, id, ifname);
}

static inline int release(struct cni_store *store, const char *ip, const char *id,
			  const char *ifname, struct cni_error *err)
{
	struct cni_lease lease = { ip_of(ip), id, ifname };

	return cni_store_release(store, &lease, err);
}

static inline bool is_free(struct cni_store *store, const char *ip)
{
	struct cni_ip addr = ip_of(ip);

	return cni_store_is_free(store, &addr);
}

/** @return cni_store_next_free, as text */
static inline const char *next_free(struct cni_store *store, const char *from, const char *to)
{
	static char text[CNI_IP_STRLEN];
	struct cni_ip a = ip_of(from), b = ip_of(to), ip = cni_store_next_free(store, &a, &b);

	return cni_ip_format(&ip, text);
}

static inline void put_file(const char *name, const char *content, size_t len)
{
	cni_auto(fd) int fd = open(in_net(name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	ck_assert_msg(fd >= 0, "%s: %s", name, strerror(errno));
	ck_assert_int_eq(write(fd, content, len), (ssize_t)len);
}

/** Make a file, as another program would. */
static inline void put(const char *name, const char *content)
{
	put_file(name, content, strlen(content));
}

static inline void expect_file(const char *name, const char *want)
{
	cni_auto(fd) int fd = open(in_net(name), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char text[512];
	ssize_t n;

	ck_assert_msg(fd >= 0, "%s: %s", name, strerror(errno));
	n = read(fd, text, sizeof(text) - 1);
	ck_assert_int_ge(n, 0);
	text[n] = '\0';
	ck_assert_str_eq(text, want);
}

/** @return how many files there are besides the lock and the index */
static inline int count_files(void)
{
	DIR *dir = opendir(in_net(""));
	struct dirent *entry;
	int n = 0;

	ck_assert_ptr_nonnull(dir);
	while ((entry = readdir(dir)))
		n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		     strcmp(entry->d_name, "lock") != 0 &&
		     strcmp(entry->d_name, CNI_INDEX_FILE) != 0;
	closedir(dir);
	return n;
}

/** Leases as text, in no order. */
struct seen {
	int n;
	struct {
		char ip[CNI_IP_STRLEN], id[64], ifname[64];
	} lease[100];
};

static inline int see(const struct cni_lease *lease, void *ctx)
{
	struct seen *seen = ctx;

	ck_assert_int_lt(seen->n, (int)CNI_ARRAY_SIZE(seen->lease));
	cni_ip_format(&lease->ip, seen->lease[seen->n].ip);
	snprintf(seen->lease[seen->n].id, 64, "%s", lease->containerid);
	snprintf(seen->lease[seen->n].ifname, 64, "%s", lease->ifname ? lease->ifname : "-");
	seen->n++;
	return 0;
}

static inline struct seen see_all(struct cni_store *store)
{
	struct seen seen = { 0 };

	ck_assert_int_eq(cni_store_each(store, see, &seen, NULL), 0);
	return seen;
}

static inline struct seen see_of(struct cni_store *store, const char *id, const char *ifname)
{
	struct seen seen = { 0 };

	ck_assert_int_eq(cni_store_each_of(store, id, ifname, see, &seen, NULL), 0);
	return seen;
}

static inline void expect_lease(const struct seen *seen, const char *ip, const char *id,
				const char *ifname)
{
	for (int i = 0; i < seen->n; i++)
		if (strcmp(seen->lease[i].ip, ip) == 0) {
			ck_assert_str_eq(seen->lease[i].id, id);
			ck_assert_str_eq(seen->lease[i].ifname, ifname);
			return;
		}
	ck_abort_msg("no lease of %s", ip);
}

#endif
