/*
 * The owners (names.h) of the attachments that GC must keep, made once: each is compared with every
 * rule, and costs two hashes.
 */
#ifndef CNI_OWNERS_H
#define CNI_OWNERS_H

#include "names.h"
#include "plugin.h"

/** `{0}` is none. */
struct cni_owners {
	char (*owner)[CNI_OWNER_LEN]; /**< owned, sorted */
	size_t n;
	char net[CNI_OWNER_LEN]; /**< what all owners of the network begin with */
};

static inline void cni_auto_owners(struct cni_owners *o)
{
	free(o->owner);
}

/** List the owners of the attachments that are valid in @p args' network. @return 0; -ENOMEM */
int cni_owners_valid(const struct cni_args *args, struct cni_owners *ret) cni_must_check;

/** @return whether @p text begins with one of them */
bool cni_owners_has(const struct cni_owners *o, const char *text);

/** @return whether @p text begins with an owner of the network that is none of them */
bool cni_owners_stale(const struct cni_owners *o, const char *text);

#endif
