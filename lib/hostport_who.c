/*
 * The owner of a host port, as an element says it; see hostport_who.h.
 */
#include "hostport_who.h"
#include "names.h"
#include "sha512.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

/*
 * "<owner>,<chain>,<hash of the container's id>,<number of its elements>": what has to be compared, in
 * fixed columns.
 */
#define CHAIN_AT CNI_OWNER_LEN
#define CONTAINER_AT (CHAIN_AT + CNI_CHAIN_NAME_LEN)
#define CONTAINER_LEN 16
#define COUNT_AT (CONTAINER_AT + CONTAINER_LEN + 1)
#define COUNT_LEN 6
_Static_assert(COUNT_AT + COUNT_LEN + 1 == CNI_WHO_LEN, "room for all columns");

int cni_who_is(const struct cni_hostport *hp, unsigned int n, struct cni_who *ret)
{
	char owner[CNI_OWNER_LEN], chain[CNI_CHAIN_NAME_LEN], hash[CNI_SHA512_HEXLEN];
	int r;

	r = cni_owner(hp->net, hp->containerid, hp->ifname, owner);
	if (r == 0)
		r = cni_chain_name("DN-", hp->net, hp->containerid, chain);
	cni_sha512_hex(hp->containerid, strlen(hp->containerid), hash);
	if (r == 0) {
		snprintf(ret->who, sizeof(ret->who), "%s,%s,%.*s,%06u", owner, chain, CONTAINER_LEN,
			 hash, n % 1000000);
		snprintf(ret->comment, sizeof(ret->comment), "container %s, network %s",
			 hp->containerid, hp->net);
	}
	return r;
}

bool cni_who_same_attachment(const char *who, const struct cni_who *self)
{
	return strncmp(who, self->who, CNI_OWNER_LEN) == 0;
}

bool cni_who_same_container(const char *who, const struct cni_who *self)
{
	return strlen(who) == CNI_WHO_LEN - 1 &&
	       strncmp(who + CONTAINER_AT, self->who + CONTAINER_AT, CONTAINER_LEN) == 0;
}

unsigned int cni_who_count(const char *who)
{
	const char *count = who + COUNT_AT;

	if (strlen(who) != CNI_WHO_LEN - 1 || strspn(count, "0123456789") != COUNT_LEN)
		return 0;
	return (unsigned int)strtoul(count, NULL, 10);
}

/*
 * Between taking its ports and writing its rules an ADD holds a socket that has its owner's name, in the
 * abstract namespace: that is one for each network namespace, as the rules are, and ends with the process.
 */
static socklen_t busy_name(const char *owner, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	return (socklen_t)offsetof(struct sockaddr_un, sun_path) + 1 +
	       (socklen_t)snprintf(ret->sun_path + 1, sizeof(ret->sun_path) - 1, "cni-hostport/%s",
				   owner);
}

int cni_who_be_busy(const struct cni_hostport *hp)
{
	cni_auto(fd) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char owner[CNI_OWNER_LEN];
	struct sockaddr_un name;
	socklen_t len;
	int ret = -1;

	if (fd < 0 || cni_owner(hp->net, hp->containerid, hp->ifname, owner) < 0)
		return -1;
	len = busy_name(owner, &name);
	if (bind(fd, (struct sockaddr *)&name, len) == 0) {
		ret = fd;
		fd = -1;
	} else {
		cni_note("somebody else has the name \"%s\": %s", name.sun_path + 1,
			 cni_strerror(errno));
	}
	return ret;
}

static bool is_busy(const char *owner)
{
	cni_auto(fd) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un name;
	socklen_t len = busy_name(owner, &name);

	return fd < 0 || connect(fd, (struct sockaddr *)&name, len) == 0;
}

bool cni_who_is_alive(const char *who)
{
	char owner[CNI_OWNER_LEN], chain[CNI_CHAIN_NAME_LEN];

	if (strlen(who) != CNI_WHO_LEN - 1)
		return false;
	snprintf(owner, sizeof(owner), "%.*s", CNI_OWNER_LEN - 1, who);
	snprintf(chain, sizeof(chain), "%.*s", CNI_CHAIN_NAME_LEN - 1, who + CHAIN_AT);
	/* In this order: who is not at work any more has written what there is. */
	if (is_busy(owner))
		return true;
	for (size_t i = 0; cni_hostport_backends[i]; i++)
		if (cni_hostport_backends[i]->holds(owner, chain) != 0)
			return true;
	return false;
}
