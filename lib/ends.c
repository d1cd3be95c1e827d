/*
 * The two ends of the work; see ends.h.
 */
#include "ends.h"

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
