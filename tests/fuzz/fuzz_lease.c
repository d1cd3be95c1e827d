/*
 * Fuzz: a lease's file and last_reserved_ip, as they may lie in a store's directory. The first byte is
 * the length of the name of a lease's file; then come the name, and the content of both files.
 */
#include "store.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char base[] = "/tmp/fuzz_lease.XXXXXX";
static struct cni_store store = CNI_STORE_INIT;

static void finish(void)
{
	cni_store_close(&store);
	char path[64];

	snprintf(path, sizeof(path), "%s/net/lock", base);
	(void)unlink(path);
	snprintf(path, sizeof(path), "%s/net", base);
	(void)rmdir(path);
	(void)rmdir(base);
}

static void start(void)
{
	if (store.dir >= 0)
		return;
	assert(mkdtemp(base));
	assert(cni_store_open(base, "net", true, &store, NULL) == 0);
	atexit(finish);
}

static void put(const char *name, const uint8_t *data, size_t size)
{
	cni_auto(fd) int fd = openat(store.dir, name,
				     O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

	assert(fd >= 0);
	assert(write(fd, data, size) == (ssize_t)size);
}

static int see(const struct cni_lease *lease, void *ctx)
{
	const char *name = ctx;
	char text[CNI_IP_STRLEN];

	assert(strcmp(cni_ip_format(&lease->ip, text), name) == 0);
	assert(lease->containerid[0] && !strpbrk(lease->containerid, "\r\n"));
	assert(cni_lease_is_of(lease, lease->containerid, lease->ifname ? lease->ifname : ""));
	assert(!cni_store_is_free(&store, &lease->ip));
	assert(cni_store_reserve(&store, &lease->ip, "other", "eth0", NULL) < 0);
	assert(cni_store_release(&store, &lease->ip, NULL) == 0);
	assert(cni_store_is_free(&store, &lease->ip));
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[64] = "10.1.0.2";
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
	put(name, data, size);
	assert(cni_store_each(&store, see, name, NULL) == 0);
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
	return 0;
}
