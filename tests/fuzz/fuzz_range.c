/*
 * Fuzz: a list of range sets, read and checked; those that are good are walked for a number of steps,
 * from a start that the input's first bytes choose.
 */
#include "range.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STEPS 300
#define HEAD 6 /* family, the address's last 4 bytes, which set */

static void walk(const struct cni_range_set *set, const struct cni_ip *last)
{
	struct cni_ip ip, first = { 0 };
	const struct cni_range *range;
	struct cni_range_walk walk;

	cni_range_walk_begin(&walk, set, last);
	for (int i = 0; i < STEPS && cni_range_walk_next(&walk, &ip, &range); i++) {
		struct cni_prefix subnet = range->subnet;

		assert(cni_range_set_find(set, &ip) == range);
		assert(cni_prefix_contains(&subnet, &ip));
		assert(cni_ip_cmp(&ip, &range->gateway) != 0);
		if (i == 0)
			first = ip;
		else
			assert(cni_ip_cmp(&ip, &first) != 0);
	}
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
	for (size_t i = 0; i < ranges.n; i++) {
		walk(&ranges.set[i], &last);
		cni_range_set_format(&ranges.set[i], &text);
	}
	assert(text.len > 0);
	return 0;
}
