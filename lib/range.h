/*
 * Address ranges of host-local: reading, checking, and choosing the next address, over whatever
 * knows which addresses are taken. Touches no file.
 */
#ifndef CNI_RANGE_H
#define CNI_RANGE_H

#include "ip.h"
#include "json.h"

/** Addresses start..end of a subnet, both inclusive, without the gateway. */
struct cni_range {
	struct cni_prefix subnet; /**< network address and length */
	struct cni_ip start, end, gateway;
	bool mapped; /**< the subnet was written as v4-mapped, which the Go plugin refuses */
};

/** Alternatives: one address is handed out of the whole set. */
struct cni_range_set {
	struct cni_range *range; /**< owned */
	size_t n;
};

/** All sets of a network: one address is handed out of each. `{0}` is empty. */
struct cni_ranges {
	struct cni_range_set *set; /**< owned */
	size_t n;
};

/** Release all sets; empty again. */
void cni_ranges_done(struct cni_ranges *ranges);

static inline void cni_auto_ranges(struct cni_ranges *ranges)
{
	cni_ranges_done(ranges);
}

/**
 * Read one range object (subnet, rangeStart, rangeEnd, gateway) as a set of its own, at the end.
 * Nothing is checked but the form of the values.
 * @return 0; -EINVAL; -ENOMEM
 */
int cni_ranges_add_single(struct cni_ranges *ranges, json_t *obj,
			  struct cni_error *err) cni_must_check;

/**
 * Read a list of sets, each a list of range objects, at the end.
 * @param key   name of the list in messages
 * @param list  borrowed; NULL adds nothing
 * @return 0; -EINVAL; -ENOMEM
 */
int cni_ranges_add_list(struct cni_ranges *ranges, const char *key, json_t *list,
			struct cni_error *err) cni_must_check;

/**
 * Fill in defaults and check everything, in the Go plugin's order and words: subnets large enough and
 * without host bits, starts and ends inside, no mixed families, no overlaps.
 * @return 0; -EINVAL
 */
int cni_ranges_check(struct cni_ranges *ranges, struct cni_error *err) cni_must_check;

/** @return the range of the set that holds @p ip between its start and end; NULL if none does */
const struct cni_range *cni_range_set_find(const struct cni_range_set *set,
					   const struct cni_ip *ip);

/** Append "start-end,start-end" to @p ret. */
void cni_range_set_format(const struct cni_range_set *set, struct cni_buf *ret);

/** A stretch of addresses to try, all of one range. */
struct cni_range_part {
	const struct cni_range *range; /**< borrowed */
	struct cni_ip from, to; /**< both inclusive */
};

/**
 * The order in which a set's addresses are tried, round robin: the rest of the range after @p last, the
 * ranges behind it, those before it, and the range again up to @p last. From the first range's start if
 * @p last is AF_UNSPEC or not in the set.
 *
 * @param n    which part, from 0
 * @param ret  set on true; gateways are not left out
 * @return false when there is no such part any more
 */
bool cni_range_set_part(const struct cni_range_set *set, const struct cni_ip *last, size_t n,
			struct cni_range_part *ret);

#endif
