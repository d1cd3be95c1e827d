/*
 * Fuzz: a list of range sets, read and checked; those that are good are cut into the parts in which they
 * are tried, after a last address that the input's first bytes choose.
 */
#include "range.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEAD 6 /* flags, the address's last 4 bytes, which set */

static bool same(const struct cni_ip *a, const struct cni_ip *b)
{
	return cni_ip_cmp(a, b) == 0;
}

/* The parts that a range has: itself, or its rest at the very beginning and the other piece at the end. */
static void check_range(const struct cni_range_set *set, const struct cni_ip *last,
			const struct cni_range *range)
{
	struct cni_range_part part, seen[2];
	size_t n = 0, at[2] = { 0 }, i;
	struct cni_ip next;

	for (i = 0; cni_range_set_part(set, last, i, &part); i++) {
		assert(i <= set->n);
		assert(part.range >= set->range && part.range < set->range + set->n);
		if (part.range != range)
			continue;
		assert(n < 2);
		at[n] = i;
		seen[n++] = part;
	}
	assert(n > 0);
	if (n == 1) {
		assert(same(&seen[0].from, &range->start) && same(&seen[0].to, &range->end));
		return;
	}
	assert(at[0] == 0 && at[1] == i - 1);
	assert(same(&seen[0].to, &range->end) && same(&seen[1].from, &range->start));
	assert(same(&seen[1].to, last));
	next = *last;
	assert(cni_ip_next(&next) == 0 && same(&next, &seen[0].from));
}

static void check_set(const struct cni_range_set *set, const struct cni_ip *last)
{
	struct cni_range_part part;
	size_t n = 0;

	for (; cni_range_set_part(set, last, n, &part); n++) {
		assert(cni_ip_cmp(&part.from, &part.to) <= 0);
		assert(cni_range_set_find(set, &part.from) == part.range);
		assert(cni_range_set_find(set, &part.to) == part.range);
		assert(cni_prefix_contains(&part.range->subnet, &part.from));
		assert(cni_prefix_contains(&part.range->subnet, &part.to));
	}
	/* What was given out last is tried last; without that, the set is tried as it is listed. */
	if (cni_range_set_find(set, last)) {
		assert(cni_range_set_part(set, last, n - 1, &part) && same(&part.to, last));
	} else {
		assert(n == set->n && cni_range_set_part(set, last, 0, &part));
		assert(part.range == set->range);
	}
	for (size_t i = 0; i < set->n; i++)
		check_range(set, last, &set->range[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cni_auto(ranges) struct cni_ranges ranges = { 0 };
	char why[JSON_ERROR_TEXT_LENGTH];
	cni_auto(json) json_t *list = NULL;
	cni_auto(buf) struct cni_buf text = { 0 };
	struct cni_error err = { 0 };
	struct cni_ip last = { 0 };

	if (size < HEAD)
		return 0;
	list = cni_json_parse((const char *)data + HEAD, size - HEAD, why);
	if (!list)
		return 0;
	if (cni_ranges_add_list(&ranges, "ranges", list, &err) < 0 ||
	    cni_ranges_check(&ranges, &err) < 0) {
		assert(err.set && err.msg[0]);
		return 0;
	}
	if (ranges.n == 0)
		return 0;
	/* An address that differs from a start in its last bytes only is likely to be inside. */
	last = ranges.set[data[5] % ranges.n].range[0].start;
	memcpy(last.b + cni_ip_size(&last) - 4, data + 1, 4);
	if (data[0] & 1)
		last = (struct cni_ip){ 0 };
	else if (data[0] & 2)
		last = ranges.set[data[5] % ranges.n].range[0].end;
	for (size_t i = 0; i < ranges.n; i++) {
		check_set(&ranges.set[i], &last);
		cni_range_set_format(&ranges.set[i], &text);
	}
	assert(text.len > 0);
	return 0;
}
