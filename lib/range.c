/*
 * Address ranges of host-local; see range.h. Messages are the Go plugin's (reference: C2).
 */
#include "range.h"

#include <errno.h>
#include <string.h>

void cni_ranges_done(struct cni_ranges *ranges)
{
	for (size_t i = 0; i < ranges->n; i++)
		free(ranges->set[i].range);
	free(ranges->set);
	*ranges = (struct cni_ranges){ 0 };
}

/* ---- reading ---- */

static int read_optional_ip(const char *text, struct cni_ip *ret, struct cni_error *err)
{
	if (!*text)
		return 0;
	return cni_ip_parse(text, ret) < 0 ? cni_invalid(err, "invalid IP address: %s", text) : 0;
}

static int read_range(json_t *obj, struct cni_range *ret, struct cni_error *err)
{
	struct {
		const char *subnet, *start, *end, *gateway;
	} in = { NULL, "", "", "" };
	static const struct cni_json_field fields[] = {
		{ "subnet", CNI_JSON_STRING, offsetof(__typeof__(in), subnet) },
		{ "rangeStart", CNI_JSON_STRING, offsetof(__typeof__(in), start) },
		{ "rangeEnd", CNI_JSON_STRING, offsetof(__typeof__(in), end) },
		{ "gateway", CNI_JSON_STRING, offsetof(__typeof__(in), gateway) },
	};
	int r;

	if (!json_is_object(obj))
		return cni_invalid(err, "ipam.ranges: expected a list of lists of objects");
	r = cni_json_read(obj, "ipam.", fields, CNI_ARRAY_SIZE(fields), &in, err);
	if (r < 0)
		return r;
	*ret = (struct cni_range){ 0 };
	if (in.subnet && cni_prefix_parse(in.subnet, &ret->subnet) < 0)
		return cni_invalid(err, "invalid CIDR address: %s", in.subnet);
	ret->mapped = ret->subnet.ip.family == AF_INET && strchr(in.subnet, ':');
	r = read_optional_ip(in.start, &ret->start, err);
	if (r == 0)
		r = read_optional_ip(in.end, &ret->end, err);
	if (r == 0)
		r = read_optional_ip(in.gateway, &ret->gateway, err);
	return r;
}

static struct cni_range_set *add_set(struct cni_ranges *ranges, size_t size)
{
	struct cni_range_set *more = reallocarray(ranges->set, ranges->n + 1, sizeof(*more));

	if (!more)
		return NULL;
	ranges->set = more;
	more[ranges->n].n = 0;
	more[ranges->n].range = calloc(size ? size : 1, sizeof(struct cni_range));
	return more[ranges->n].range ? &more[ranges->n++] : NULL;
}

int cni_ranges_add_single(struct cni_ranges *ranges, json_t *obj, struct cni_error *err)
{
	struct cni_range_set *set = add_set(ranges, 1);

	if (!set)
		return cni_fail(err, CNI_E_INTERNAL, ENOMEM, "read ranges");
	set->n = 1;
	return read_range(obj, &set->range[0], err);
}

int cni_ranges_add_list(struct cni_ranges *ranges, const char *key, json_t *list,
			struct cni_error *err)
{
	json_t *ranges_of_set, *obj;
	size_t i, k;
	int r;

	if (list && !json_is_array(list))
		return cni_invalid(err, "%s: expected a list of lists of objects", key);
	json_array_foreach (list, i, ranges_of_set) {
		struct cni_range_set *set;

		if (!json_is_array(ranges_of_set))
			return cni_invalid(err, "%s[%zu]: expected a list of objects", key, i);
		set = add_set(ranges, json_array_size(ranges_of_set));
		if (!set)
			return cni_fail(err, CNI_E_INTERNAL, ENOMEM, "read ranges");
		json_array_foreach (ranges_of_set, k, obj) {
			r = read_range(obj, &set->range[k], err);
			if (r < 0)
				return r;
			set->n++;
		}
	}
	return 0;
}

/* ---- checking ---- */

static int outside(const char *what, const struct cni_ip *ip, const struct cni_prefix *subnet,
		   struct cni_error *err)
{
	char a[CNI_IP_STRLEN], s[CNI_PREFIX_STRLEN];

	return cni_invalid(err, "%s %s not in network %s", what, cni_ip_format(ip, a),
			   cni_prefix_format(subnet, s));
}

/* Defaults: gateway and start are the first address after the network's, end the last usable one. */
static int check_range(struct cni_range *range, struct cni_error *err)
{
	struct cni_ip network = cni_prefix_network(&range->subnet);
	struct cni_ip last = cni_prefix_last(&range->subnet), second = network;
	bool start_given = range->start.family != AF_UNSPEC;
	char text[CNI_PREFIX_STRLEN];

	if (range->subnet.ip.family == AF_UNSPEC)
		return cni_invalid(err, "IP <nil> not v4 nor v6");
	if (range->subnet.len > cni_ip_bits(&network) - 2)
		return cni_invalid(err, "Network %s too small to allocate from",
				   cni_prefix_format(&range->subnet, text));
	if (range->mapped)
		return cni_invalid(err, "IPNet IP and Mask version mismatch");
	if (cni_ip_cmp(&network, &range->subnet.ip) != 0)
		return cni_invalid(err,
				   "Network has host bits set. For a subnet mask of length %u the "
				   "network address is %s",
				   range->subnet.len, cni_ip_format(&network, text));
	(void)!cni_ip_next(&second);
	if (range->gateway.family == AF_UNSPEC)
		range->gateway = second;
	if (!start_given)
		range->start = second;
	else if (!cni_prefix_contains(&range->subnet, &range->start))
		return outside("RangeStart", &range->start, &range->subnet, err);
	if (range->end.family == AF_UNSPEC) {
		range->end = last;
		if (last.family == AF_INET)
			(void)!cni_ip_prev(&range->end);
	} else if (!cni_prefix_contains(&range->subnet, &range->end)) {
		return outside("RangeEnd", &range->end, &range->subnet, err);
	}
	if (cni_ip_cmp(&range->start, &range->end) > 0)
		return start_given ? outside("RangeStart", &range->start, &range->subnet, err)
				   : outside("RangeEnd", &range->end, &range->subnet, err);
	return 0;
}

static bool overlap(const struct cni_range *a, const struct cni_range *b)
{
	return a->start.family == b->start.family && cni_ip_cmp(&a->start, &b->end) <= 0 &&
	       cni_ip_cmp(&b->start, &a->end) <= 0;
}

static int check_set(struct cni_range_set *set, struct cni_error *err)
{
	int r;

	if (set->n == 0)
		return cni_invalid(err, "empty range set");
	for (size_t i = 0; i < set->n; i++) {
		r = check_range(&set->range[i], err);
		if (r < 0)
			return r;
		if (set->range[i].start.family != set->range[0].start.family)
			return cni_invalid(err, "mixed address families");
	}
	for (size_t i = 0; i < set->n; i++)
		for (size_t k = i + 1; k < set->n; k++)
			if (overlap(&set->range[i], &set->range[k])) {
				struct cni_range_set one = { &set->range[i], 1 };
				struct cni_range_set two = { &set->range[k], 1 };
				cni_auto(buf) struct cni_buf text = { 0 };

				cni_range_set_format(&one, &text);
				cni_buf_printf(&text, " and ");
				cni_range_set_format(&two, &text);
				return cni_invalid(err, "subnets %s overlap", cni_buf_text(&text));
			}
	return 0;
}

int cni_ranges_check(struct cni_ranges *ranges, struct cni_error *err)
{
	int r;

	for (size_t i = 0; i < ranges->n; i++) {
		r = check_set(&ranges->set[i], err);
		if (r < 0) {
			cni_error_prefix(err, "invalid range set %zu", i);
			return r;
		}
	}
	for (size_t i = 0; i < ranges->n; i++)
		for (size_t k = i + 1; k < ranges->n; k++)
			for (size_t a = 0; a < ranges->set[i].n; a++)
				for (size_t b = 0; b < ranges->set[k].n; b++)
					if (overlap(&ranges->set[i].range[a],
						    &ranges->set[k].range[b]))
						return cni_invalid(
							err, "range set %zu overlaps with %zu", i,
							k);
	return 0;
}

/* ---- using ---- */

const struct cni_range *cni_range_set_find(const struct cni_range_set *set, const struct cni_ip *ip)
{
	for (size_t i = 0; i < set->n; i++) {
		const struct cni_range *r = &set->range[i];

		if (ip->family == r->start.family && cni_ip_cmp(ip, &r->start) >= 0 &&
		    cni_ip_cmp(ip, &r->end) <= 0)
			return r;
	}
	return NULL;
}

void cni_range_set_format(const struct cni_range_set *set, struct cni_buf *ret)
{
	for (size_t i = 0; i < set->n; i++) {
		char start[CNI_IP_STRLEN], end[CNI_IP_STRLEN];

		cni_buf_printf(ret, "%s%s-%s", i ? "," : "",
			       cni_ip_format(&set->range[i].start, start),
			       cni_ip_format(&set->range[i].end, end));
	}
}

bool cni_range_set_part(const struct cni_range_set *set, const struct cni_ip *last, size_t n,
			struct cni_range_part *ret)
{
	const struct cni_range *in = cni_range_set_find(set, last);
	bool at_end = in && cni_ip_cmp(last, &in->end) == 0;
	size_t first = in ? (size_t)(in - set->range) : 0;

	/* Without a start inside a range, or from the end of one, every range is one whole part. */
	if (!in || at_end) {
		if (n >= set->n)
			return false;
		ret->range = &set->range[(first + at_end + n) % set->n];
		ret->from = ret->range->start;
		ret->to = ret->range->end;
		return true;
	}
	if (n > set->n)
		return false;
	ret->range = &set->range[(first + n) % set->n];
	ret->from = ret->range->start;
	ret->to = ret->range->end;
	if (n == 0) {
		ret->from = *last;
		(void)!cni_ip_next(&ret->from);
	} else if (n == set->n) {
		ret->to = *last;
	}
	return true;
}
