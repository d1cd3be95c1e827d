/*
 * Fuzz: a lease's file and last_reserved_ip, as they may lie in a store's directory. The first byte is
 * the length of the name of a lease's file; then come the name, and the content of both files. Whatever it
 * is, the index, the files one by one and the operator's list agree about it.
 */
#include "names.h"
#include "store.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char bases[][32] = { "/dev/shm/fuzz_lease.XXXXXX", "/tmp/fuzz_lease.XXXXXX" };
static const char *base; /* the one that can be made */
static struct cni_store store = CNI_STORE_INIT;

static void finish(void)
{
	static const char *const names[] = { "net/lock", ("net/" CNI_INDEX_FILE), "net", "" };
	char path[64];

	cni_store_close(&store);
	for (size_t i = 0; i < CNI_ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", base, names[i]);
		(void)remove(path);
	}
}

static void start(void)
{
	static bool started;

	if (!started) {
		base = mkdtemp(bases[0]);
		if (!base)
			base = mkdtemp(bases[1]);
		assert(base);
		atexit(finish);
		started = true;
	}
	assert(cni_store_open(base, "net", true, &store, NULL) == 0);
}

static void put(const char *name, const uint8_t *data, size_t size)
{
	cni_auto(fd) int fd = -1;
	char path[128];

	snprintf(path, sizeof(path), "%s/net/%s", base, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	assert(fd >= 0);
	assert(write(fd, data, size) == (ssize_t)size);
}

/* What is found under one name, and in how many ways. */
struct found {
	const char *name;
	int leases, owned, listed;
};

static int count_owned(const struct cni_lease *lease, void *ctx)
{
	struct found *found = ctx;
	char text[CNI_IP_STRLEN];

	assert(strcmp(cni_ip_format(&lease->ip, text), found->name) == 0);
	found->owned++;
	return 0;
}

static int release_owned(const struct cni_lease *lease, void *ctx)
{
	(void)ctx;
	assert(cni_store_release(&store, lease, NULL) == 0);
	return 0;
}

static int see(const struct cni_lease *lease, void *ctx)
{
	const char *ifname = lease->ifname ? lease->ifname : "any";
	struct found *found = ctx;
	char text[CNI_IP_STRLEN];
	struct cni_ip next;

	found->leases++;
	assert(strcmp(cni_ip_format(&lease->ip, text), found->name) == 0);
	assert(cni_name_is_valid(lease->containerid));
	assert(cni_lease_is_of(lease, lease->containerid, ifname));
	assert(!cni_store_is_free(&store, &lease->ip));
	next = cni_store_next_free(&store, &lease->ip, &lease->ip);
	assert(next.family == AF_UNSPEC);
	assert(!cni_store_is_of_old_boot(&store, &lease->ip));
	assert(cni_store_reserve(&store, &lease->ip, "other", "eth0", NULL) == -EEXIST);
	assert(cni_store_each_of(&store, lease->containerid, ifname, count_owned, found, NULL) ==
	       0);
	assert(cni_store_each_of(&store, lease->containerid, ifname, release_owned, NULL, NULL) ==
	       0);
	assert(cni_store_is_free(&store, &lease->ip));
	assert(cni_store_each_of(&store, lease->containerid, ifname, count_owned, found, NULL) ==
	       0);
	next = cni_store_next_free(&store, &lease->ip, &lease->ip);
	assert(cni_ip_cmp(&next, &lease->ip) == 0);
	return 0;
}

static int list(const struct cni_store_entry *e, void *ctx)
{
	struct cni_ip next = cni_store_next_free(&store, &e->ip, &e->ip);
	struct found *found = ctx;
	char text[CNI_IP_STRLEN];

	assert(strcmp(cni_ip_format(&e->ip, text), found->name) == 0);
	assert(!e->lease || !e->torn);
	assert(cni_store_is_free(&store, &e->ip) == !e->lease);
	assert((next.family != AF_UNSPEC) == !e->lease);
	found->listed += e->lease ? 1 : 0;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[64] = "10.1.0.2";
	struct found found = { .name = name };
	struct cni_ip last;
	size_t len;

	if (size == 0)
		return 0;
	len = data[0] % sizeof(name);
	data++;
	size--;
	if (len > 0 && len <= size && !memchr(data, '/', len) && !memchr(data, '\0', len) &&
	    memcmp(data, "..", len < 2 ? len : 2) != 0 && memcmp(data, "lock", len < 4 ? len : 4)) {
		memcpy(name, data, len);
		name[len] = '\0';
		data += len;
		size -= len;
	}
	start();
	cni_store_close(&store);
	put(name, data, size); /* as another program does: without the index */
	start();
	assert(cni_index_usable(&store.index));
	assert(cni_store_inspect(&store, list, &found, NULL) == 0);
	assert(cni_store_each(&store, see, &found, NULL) == 0);
	assert(found.leases == found.listed && found.owned == found.leases);
	(void)unlinkat(store.dir, name, 0);
	put("last_reserved_ip.0", data, size);
	cni_store_last(&store, 0, &last);
	assert(last.family == AF_UNSPEC || last.family == AF_INET || last.family == AF_INET6);
	if (last.family != AF_UNSPEC) {
		struct cni_ip again;

		assert(cni_store_set_last(&store, 0, &last, NULL) == 0);
		cni_store_last(&store, 0, &again);
		assert(cni_ip_cmp(&last, &again) == 0);
	}
	(void)unlinkat(store.dir, "last_reserved_ip.0", 0);
	cni_store_close(&store);
	return 0;
}
