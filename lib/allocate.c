/*
 * Choosing an address of a range set and taking it; see allocate.h. Order and messages are those of the
 * Go plugin (reference: C4).
 */
#include "allocate.h"

#include <errno.h>

static int exhausted(const struct cni_range_set *set, unsigned int code, struct cni_error *err)
{
	cni_auto(buf) struct cni_buf text = { 0 };

	cni_range_set_format(set, &text);
	return cni_fail(err, code, 0, "no IP addresses available in range set: %s",
			cni_buf_text(&text));
}

/* ---- one address of a set for an attachment ---- */

/* The lease that the attachment has in the set already. */
struct own {
	const struct cni_allocator *a;
	const struct cni_range_set *set;
	struct cni_error *err;
};

static int refuse_or_release(const struct cni_lease *lease, void *ctx)
{
	const struct own *own = ctx;
	char text[CNI_IP_STRLEN];
	int r;

	if (!cni_range_set_find(own->set, &lease->ip))
		return 0;
	if (own->a->reclaim && cni_store_is_of_old_boot(own->a->store, &lease->ip))
		return cni_store_release(own->a->store, lease, own->err);
	r = cni_fail(own->err, CNI_E_INTERNAL, 0,
		     "%s has been allocated to %s, duplicate allocation is not allowed",
		     cni_ip_format(&lease->ip, text), own->a->containerid);
	cni_error_detail(own->err, "interface %s has this address since an ADD without DEL",
			 own->a->ifname);
	return r;
}

/* ---- taking ---- */

static int take(const struct cni_allocator *a, const struct cni_ip *ip, struct cni_error *err)
{
	return cni_store_reserve(a->store, ip, a->containerid, a->ifname, err);
}

static int take_wanted(const struct cni_allocator *a, const struct cni_range_set *set,
		       const struct cni_range *range, const struct cni_ip *ip,
		       struct cni_error *err)
{
	cni_auto(buf) struct cni_buf text = { 0 };
	char ip_text[CNI_IP_STRLEN];
	int r;

	if (cni_ip_cmp(ip, &range->gateway) == 0)
		return cni_invalid(err, "requested ip %s is subnet's gateway",
				   cni_ip_format(ip, ip_text));
	r = take(a, ip, err);
	if (r != -EEXIST)
		return r;
	cni_range_set_format(set, &text);
	cni_fail(err, CNI_E_INTERNAL, 0, "requested IP address %s is not available in range set %s",
		 cni_ip_format(ip, ip_text), cni_buf_text(&text));
	return r;
}

/*
 * Step to the next address of a part that may be free, itself included, gateways left out.
 * @return false when there is none
 */
static bool next_candidate(struct cni_store *store, const struct cni_range_part *part,
			   struct cni_ip *ip)
{
	for (;;) {
		*ip = cni_store_next_free(store, ip, &part->to);
		if (ip->family == AF_UNSPEC || cni_ip_cmp(ip, &part->to) > 0)
			return false;
		if (cni_ip_cmp(ip, &part->range->gateway) != 0)
			return true;
		if (cni_ip_next(ip) < 0)
			return false;
	}
}

/* Take the first free address of a part. @return -EEXIST if there is none */
static int take_part(const struct cni_allocator *a, const struct cni_range_part *part,
		     struct cni_ip *ip, struct cni_error *err)
{
	*ip = part->from;
	while (next_candidate(a->store, part, ip)) {
		int r = take(a, ip, err);

		if (r != -EEXIST)
			return r;
		if (cni_ip_next(ip) < 0)
			break;
	}
	return -EEXIST;
}

static int take_next(const struct cni_allocator *a, const struct cni_range_set *set,
		     const struct cni_ip *last, struct cni_ip *ip, const struct cni_range **range,
		     struct cni_error *err)
{
	struct cni_range_part part;

	for (size_t i = 0; cni_range_set_part(set, last, i, &part); i++) {
		int r = take_part(a, &part, ip, err);

		*range = part.range;
		if (r != -EEXIST)
			return r;
	}
	return -EEXIST;
}

/* ---- when none is free ---- */

static bool is_reclaimable(const struct own *any, const struct cni_lease *lease)
{
	const struct cni_range *range = cni_range_set_find(any->set, &lease->ip);

	return range && cni_ip_cmp(&lease->ip, &range->gateway) != 0 &&
	       cni_store_is_of_old_boot(any->a->store, &lease->ip);
}

static int find_old(const struct cni_lease *lease, void *ctx)
{
	return is_reclaimable(ctx, lease);
}

static int release_old(const struct cni_lease *lease, void *ctx)
{
	const struct own *any = ctx;
	int r;

	if (!is_reclaimable(any, lease))
		return 0;
	r = cni_store_release(any->a->store, lease, any->err);
	return r < 0 ? r : 1;
}

/*
 * No address is free, says the index. Ask the files; then, if allowed, give up one lease of before the
 * last boot.
 */
static int take_last_resort(const struct cni_allocator *a, const struct cni_range_set *set,
			    const struct cni_ip *last, struct cni_ip *ip,
			    const struct cni_range **range, struct cni_error *err)
{
	struct own any = { a, set, err };
	int r;

	cni_store_refresh(a->store);
	r = take_next(a, set, last, ip, range, err);
	if (r != -EEXIST || !a->reclaim)
		return r == -EEXIST ? exhausted(set, CNI_E_INTERNAL, err) : r;
	r = cni_store_each(a->store, release_old, &any, err);
	if (r > 0)
		r = take_next(a, set, last, ip, range, err);
	else if (r == 0)
		r = -EEXIST;
	return r == -EEXIST ? exhausted(set, CNI_E_INTERNAL, err) : r;
}

/* ---- the whole ---- */

void cni_allocate_undo(const struct cni_allocator *a, const struct cni_ip *ip)
{
	struct cni_lease lease = { *ip, a->containerid, a->ifname };
	struct cni_error err = { 0 };

	if (cni_store_release(a->store, &lease, &err) < 0)
		cni_note("undo of ADD: %s", err.msg);
}

int cni_allocate(const struct cni_allocator *a, const struct cni_range_set *set, size_t index,
		 const struct cni_ip *wanted, struct cni_ipconf *ret, struct cni_error *err)
{
	const struct cni_range *range = set->range;
	struct own own = { a, set, err };
	struct cni_ip ip, last;
	int r;

	r = cni_store_each_of(a->store, a->containerid, a->ifname, refuse_or_release, &own, err);
	if (r < 0)
		return r;
	if (wanted) {
		ip = *wanted;
		range = cni_range_set_find(set, wanted);
		r = range ? take_wanted(a, set, range, wanted, err) : -EINVAL;
	} else {
		cni_store_last(a->store, index, &last);
		r = take_next(a, set, &last, &ip, &range, err);
		if (r == -EEXIST)
			r = take_last_resort(a, set, &last, &ip, &range, err);
	}
	if (r < 0)
		return r;
	r = cni_store_set_last(a->store, index, &ip, err);
	if (r < 0) {
		cni_allocate_undo(a, &ip);
		return r;
	}
	*ret = (struct cni_ipconf){ .address = { ip, range->subnet.len },
				    .gateway = range->gateway,
				    .iface = CNI_NO_IFACE };
	return 0;
}

static bool any_free(struct cni_store *store, const struct cni_range_set *set)
{
	const struct cni_ip none = { 0 };
	struct cni_range_part part;

	for (size_t i = 0; cni_range_set_part(set, &none, i, &part); i++) {
		struct cni_ip ip = part.from;

		while (next_candidate(store, &part, &ip)) {
			if (cni_store_is_free(store, &ip))
				return true;
			if (cni_ip_next(&ip) < 0)
				break;
		}
	}
	return false;
}

int cni_allocate_possible(const struct cni_allocator *a, const struct cni_range_set *set,
			  struct cni_error *err)
{
	struct own any = { a, set, err };
	int r;

	if (any_free(a->store, set))
		return 0;
	cni_store_refresh(a->store);
	if (any_free(a->store, set))
		return 0;
	r = a->reclaim ? cni_store_each(a->store, find_old, &any, err) : 0;
	return r > 0 ? 0 : r < 0 ? r : exhausted(set, CNI_E_UNAVAILABLE, err);
}
