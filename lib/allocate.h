/*
 * Choosing an address of a range set and taking it in the lease store: host-local's rules.
 */
#ifndef CNI_ALLOCATE_H
#define CNI_ALLOCATE_H

#include "range.h"
#include "result.h"
#include "store.h"

/** Who takes addresses, and where. */
struct cni_allocator {
	struct cni_store *store; /**< borrowed; open */
	const char *containerid, *ifname;
	bool reclaim; /**< leases of before the last boot may be taken over */
};

/**
 * Take an address of a set: the wanted one, or else the next free one after the last that the set gave
 * out, round robin, gateways left out. An attachment gets one address of a set, not two.
 *
 * @param index   the set's place in the configuration, under which the last address is remembered
 * @param wanted  an address inside the set; NULL = the next free one
 * @param ret     address and gateway, on success only
 * @return 0; negative errno, and nothing was taken
 */
int cni_allocate(const struct cni_allocator *a, const struct cni_range_set *set, size_t index,
		 const struct cni_ip *wanted, struct cni_ipconf *ret,
		 struct cni_error *err) cni_must_check;

/** Give back what cni_allocate took. What can't be given back is noted on stderr. */
void cni_allocate_undo(const struct cni_allocator *a, const struct cni_ip *ip);

/** @return 0 if a set has an address to give; negative errno with CNI_E_UNAVAILABLE if not */
int cni_allocate_possible(const struct cni_allocator *a, const struct cni_range_set *set,
			  struct cni_error *err) cni_must_check;

#endif
