/*
 * The two ends of the work; see ends.h.
 */
#include "ends.h"

#include <errno.h>
#include <string.h>

int cni_ends_open(const struct cni_args *args, struct cni_ends *e, struct cni_error *err)
{
	int r;

	r = cni_netns_open(args->netns, &e->netns, err);
	if (r < 0) {
		cni_error_prefix(err, "failed to open netns \"%s\"", args->netns);
		return r;
	}
	r = cni_nl_open(&e->host, -1, err);
	return r < 0 ? r : cni_nl_open(&e->sbox, e->netns, err);
}

int cni_ends_peer(struct cni_ends *e, const struct cni_link *cont, struct cni_link *ret)
{
	struct cni_link end;
	int nsid, r;

	if (strcmp(cont->kind, "veth") != 0 || cont->peer == 0)
		return -ENODEV;
	r = cni_link_get_index(&e->host, cont->peer, &end);
	if (r < 0)
		return r;
	if (strcmp(end.kind, "veth") != 0 || end.peer != cont->index)
		return -ENODEV;
	r = cni_nsid_get(&e->host, e->netns, &nsid);
	if (r == 0 && end.peer_nsid != nsid)
		r = -ENODEV;
	if (r == 0)
		*ret = end;
	return r;
}
