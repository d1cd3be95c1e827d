/*
 * The owners that GC must keep; see owners.h.
 */
#include "owners.h"
#include "conf.h"

#include <errno.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, CNI_OWNER_LEN - 1);
}

int cni_owners_valid(const struct cni_args *args, struct cni_owners *ret)
{
	struct cni_valid valid;
	size_t at = 0;
	int r;

	while (cni_conf_next_valid(args, &at, &valid))
		;
	ret->owner = calloc(at + 1, sizeof(*ret->owner));
	if (!ret->owner)
		return -ENOMEM;
	for (at = 0; cni_conf_next_valid(args, &at, &valid); ret->n++) {
		r = cni_owner(args->name, valid.containerid, valid.ifname, ret->owner[ret->n]);
		if (r < 0)
			return r;
	}
	qsort(ret->owner, ret->n, sizeof(*ret->owner), compare);
	r = cni_owner(args->name, "", "", ret->net);
	ret->net[CNI_OWNER_NET_LEN] = '\0';
	return r;
}

bool cni_owners_has(const struct cni_owners *o, const char *text)
{
	return strlen(text) >= CNI_OWNER_LEN - 1 &&
	       bsearch(text, o->owner, o->n, sizeof(*o->owner), compare);
}

bool cni_owners_stale(const struct cni_owners *o, const char *text)
{
	return strncmp(text, o->net, CNI_OWNER_NET_LEN) == 0 && strlen(text) >= CNI_OWNER_LEN - 1 &&
	       !cni_owners_has(o, text);
}
