/*
 * Address ranges: reading and checking them, in the Go plugin's words, and the order in which addresses
 * are tried. That order is compared with a plain model over random small ranges, too.
 */
#include "range.h"
#include "suite.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- helpers ---- */

/* Read a list of sets, as in "ipam.ranges", and check it. */
static int load(const char *text, struct cni_ranges *ret, struct cni_error *err)
{
	char why[JSON_ERROR_TEXT_LENGTH] = "";
	cni_auto(json) json_t *list = cni_json_parse(text, strlen(text), why);
	int r;

	ck_assert_msg(list != NULL, "%s: %s", text, why);
	r = cni_ranges_add_list(ret, "ipam.ranges", list, err);
	return r < 0 ? r : cni_ranges_check(ret, err);
}

static void load_good(const char *text, struct cni_ranges *ret)
{
	struct cni_error err = { 0 };
	int r = load(text, ret, &err);

	ck_assert_msg(r == 0, "%s: %s", text, err.msg);
	ck_assert(!err.set);
}

static struct cni_ip ip_of(const char *text)
{
	struct cni_ip ip = { 0 };

	if (*text)
		ck_assert_msg(cni_ip_parse(text, &ip) == 0, "%s", text);
	return ip;
}

/* The parts that are tried after `last` ("" = none), separated by blanks. */
static const char *parts_text(const char *ranges, const char *last, struct cni_buf *ret)
{
	cni_auto(ranges) struct cni_ranges r = { 0 };
	struct cni_ip start = ip_of(last);
	struct cni_range_part part;

	load_good(ranges, &r);
	for (size_t i = 0; cni_range_set_part(&r.set[0], &start, i, &part); i++) {
		char from[CNI_IP_STRLEN], to[CNI_IP_STRLEN];

		ck_assert_ptr_eq(part.range, cni_range_set_find(&r.set[0], &part.from));
		ck_assert_ptr_eq(part.range, cni_range_set_find(&r.set[0], &part.to));
		cni_buf_printf(ret, "%s%s-%s", ret->len ? " " : "", cni_ip_format(&part.from, from),
			       cni_ip_format(&part.to, to));
	}
	return ret->data ? ret->data : "";
}

/* ---- checking ---- */

static const struct {
	const char *ranges, *msg;
} wrong[] = {
	/* the form */
	{ "[{\"subnet\":\"10.1.0.0/24\"}]", "ipam.ranges[0]: expected a list of objects" },
	{ "[[],5]", "ipam.ranges[1]: expected a list of objects" },
	{ "{}", "ipam.ranges: expected a list of lists of objects" },
	{ "[[\"10.1.0.0/24\"]]", "ipam.ranges: expected a list of lists of objects" },
	{ "[[{\"subnet\":5}]]", "ipam.subnet: expected a string, got 5" },
	{ "[[{\"subnet\":\"10.1.0.0\"}]]", "invalid CIDR address: 10.1.0.0" },
	{ "[[{\"subnet\":\"\"}]]", "invalid CIDR address: " },
	{ "[[{\"subnet\":\"10.1.0.0/24\",\"rangeStart\":\"x\"}]]", "invalid IP address: x" },
	{ "[[{\"subnet\":\"10.1.0.0/24\",\"rangeEnd\":\"10.1.0\"}]]",
	  "invalid IP address: 10.1.0" },
	{ "[[{\"subnet\":\"10.1.0.0/24\",\"gateway\":\"10.1.0.01\"}]]",
	  "invalid IP address: 10.1.0.01" },
	/* one range */
	{ "[[]]", "invalid range set 0: empty range set" },
	{ "[[{\"subnet\":\"10.1.0.0/24\"}],[]]", "invalid range set 1: empty range set" },
	{ "[[{}]]", "invalid range set 0: IP <nil> not v4 nor v6" },
	{ "[[{\"subnet\":null,\"gateway\":\"10.1.0.1\"}]]",
	  "invalid range set 0: IP <nil> not v4 nor v6" },
	{ "[[{\"subnet\":\"10.1.0.0/31\"}]]",
	  "invalid range set 0: Network 10.1.0.0/31 too small to allocate from" },
	{ "[[{\"subnet\":\"10.1.0.1/32\"}]]",
	  "invalid range set 0: Network 10.1.0.1/32 too small to allocate from" },
	{ "[[{\"subnet\":\"10.1.0.1/31\"}]]",
	  "invalid range set 0: Network 10.1.0.1/31 too small to allocate from" },
	{ "[[{\"subnet\":\"fd00::/127\"}]]",
	  "invalid range set 0: Network fd00::/127 too small to allocate from" },
	{ "[[{\"subnet\":\"10.1.0.5/24\"}]]",
	  "invalid range set 0: Network has host bits set. For a subnet mask of length 24 the "
	  "network address is 10.1.0.0" },
	{ "[[{\"subnet\":\"fd00::1/64\"}]]",
	  "invalid range set 0: Network has host bits set. For a subnet mask of length 64 the "
	  "network address is fd00::" },
	{ "[[{\"subnet\":\"10.1.0.0/24\",\"rangeStart\":\"10.2.0.5\"}]]",
	  "invalid range set 0: RangeStart 10.2.0.5 not in network 10.1.0.0/24" },
	{ "[[{\"subnet\":\"10.1.0.0/24\",\"rangeStart\":\"fd00::1\"}]]",
	  "invalid range set 0: RangeStart fd00::1 not in network 10.1.0.0/24" },
	{ "[[{\"subnet\":\"10.1.0.0/24\",\"rangeStart\":\"10.1.0.9\",\"rangeEnd\":\"10.1.0.8\"}]]",
	  "invalid range set 0: RangeStart 10.1.0.9 not in network 10.1.0.0/24" },
	{ "[[{\"subnet\":\"10.1.0.0/24\",\"rangeEnd\":\"10.1.1.0\"}]]",
	  "invalid range set 0: RangeEnd 10.1.1.0 not in network 10.1.0.0/24" },
	/* the end is before the start that is the default */
	{ "[[{\"subnet\":\"10.1.0.0/24\",\"rangeEnd\":\"10.1.0.0\"}]]",
	  "invalid range set 0: RangeEnd 10.1.0.0 not in network 10.1.0.0/24" },
	/* beyond the end that is the default: the Go plugin takes it and leaves the subnet */
	{ "[[{\"subnet\":\"10.1.0.0/24\",\"rangeStart\":\"10.1.0.255\"}]]",
	  "invalid range set 0: RangeStart 10.1.0.255 not in network 10.1.0.0/24" },
	/* the start is checked before the end */
	{ "[[{\"subnet\":\"10.1.0.0/24\",\"rangeStart\":\"10.2.0.1\",\"rangeEnd\":\"10.3.0.1\"}]]",
	  "invalid range set 0: RangeStart 10.2.0.1 not in network 10.1.0.0/24" },
	/* too small is told before host bits, these before the start */
	{ "[[{\"subnet\":\"10.1.0.5/24\",\"rangeStart\":\"10.2.0.5\"}]]",
	  "invalid range set 0: Network has host bits set. For a subnet mask of length 24 the "
	  "network address is 10.1.0.0" },
	/* a set */
	{ "[[{\"subnet\":\"10.1.0.0/24\"},{\"subnet\":\"fd00::/64\"}]]",
	  "invalid range set 0: mixed address families" },
	{ "[[{\"subnet\":\"10.1.0.0/24\"},{\"subnet\":\"10.1.0.0/25\"}]]",
	  "invalid range set 0: subnets 10.1.0.1-10.1.0.254 and 10.1.0.1-10.1.0.126 overlap" },
	{ "[[{\"subnet\":\"10.1.0.0/24\",\"rangeEnd\":\"10.1.0.9\"},"
	  "{\"subnet\":\"10.2.0.0/24\"},"
	  "{\"subnet\":\"10.1.0.0/24\",\"rangeStart\":\"10.1.0.9\"}]]",
	  "invalid range set 0: subnets 10.1.0.1-10.1.0.9 and 10.1.0.9-10.1.0.254 overlap" },
	/* each range of a set before its overlaps */
	{ "[[{\"subnet\":\"10.1.0.0/24\"},{\"subnet\":\"10.1.0.0/24\"},{\"subnet\":"
	  "\"10.1.0.0/31\"}]]",
	  "invalid range set 0: Network 10.1.0.0/31 too small to allocate from" },
	/* between sets */
	{ "[[{\"subnet\":\"10.1.0.0/24\"}],[{\"subnet\":\"fd00::/64\"}],"
	  "[{\"subnet\":\"10.2.0.0/24\"},{\"subnet\":\"10.1.0.0/16\",\"rangeEnd\":\"10.1.0.1\"}]]",
	  "range set 0 overlaps with 2" },
	/* each set before their overlaps */
	{ "[[{\"subnet\":\"10.1.0.0/24\"}],[{\"subnet\":\"10.1.0.0/24\"}],[]]",
	  "invalid range set 2: empty range set" },
	/* Go's words for a v4-mapped subnet */
	{ "[[{\"subnet\":\"::ffff:10.1.0.0/120\"}]]",
	  "invalid range set 0: IPNet IP and Mask version mismatch" },
};

START_TEST(what_is_wrong_is_told_in_the_go_plugins_words)
{
	cni_auto(ranges) struct cni_ranges ranges = { 0 };
	struct cni_error err = { 0 };

	ck_assert_int_eq(load(wrong[_i].ranges, &ranges, &err), -EINVAL);
	ck_assert_str_eq(err.msg, wrong[_i].msg);
	ck_assert_uint_eq(err.code, CNI_E_CONFIG);
}
END_TEST

static const struct {
	const char *range, *start_end, *gateway;
} good[] = {
	{ "{\"subnet\":\"10.1.0.0/24\"}", "10.1.0.1-10.1.0.254", "10.1.0.1" },
	{ "{\"subnet\":\"10.1.0.0/30\"}", "10.1.0.1-10.1.0.2", "10.1.0.1" },
	{ "{\"subnet\":\"0.0.0.0/0\"}", "0.0.0.1-255.255.255.254", "0.0.0.1" },
	{ "{\"subnet\":\"fd00::/64\"}", "fd00::1-fd00::ffff:ffff:ffff:ffff", "fd00::1" },
	{ "{\"subnet\":\"fd00::/126\"}", "fd00::1-fd00::3", "fd00::1" },
	{ "{\"subnet\":\"10.1.0.0/24\",\"rangeStart\":\"10.1.0.0\",\"rangeEnd\":\"10.1.0.255\"}",
	  "10.1.0.0-10.1.0.255", "10.1.0.1" },
	{ "{\"subnet\":\"10.1.0.0/24\",\"rangeStart\":\"10.1.0.9\",\"rangeEnd\":\"10.1.0.9\"}",
	  "10.1.0.9-10.1.0.9", "10.1.0.1" },
	{ "{\"subnet\":\"10.1.0.0/24\",\"rangeStart\":\"\",\"rangeEnd\":null,\"gateway\":\"\"}",
	  "10.1.0.1-10.1.0.254", "10.1.0.1" },
	{ "{\"subnet\":\"10.1.0.0/24\",\"gateway\":\"10.1.0.254\"}", "10.1.0.1-10.1.0.254",
	  "10.1.0.254" },
	/* a gateway need not be of the subnet, nor of its family */
	{ "{\"subnet\":\"10.1.0.0/24\",\"gateway\":\"192.168.0.1\"}", "10.1.0.1-10.1.0.254",
	  "192.168.0.1" },
	{ "{\"subnet\":\"10.1.0.0/24\",\"gateway\":\"fe80::1\"}", "10.1.0.1-10.1.0.254",
	  "fe80::1" },
	{ "{\"SUBNET\":\"10.1.0.0/24\",\"RangeSTART\":\"::ffff:10.1.0.5\"}", "10.1.0.5-10.1.0.254",
	  "10.1.0.1" },
};

START_TEST(what_is_not_given_has_a_default)
{
	char gateway[CNI_IP_STRLEN], why[JSON_ERROR_TEXT_LENGTH];
	cni_auto(json) json_t *obj = cni_json_parse(good[_i].range, strlen(good[_i].range), why);
	cni_auto(ranges) struct cni_ranges ranges = { 0 };
	cni_auto(buf) struct cni_buf text = { 0 };
	struct cni_error err = { 0 };

	ck_assert_int_eq(cni_ranges_add_single(&ranges, obj, &err), 0);
	ck_assert_msg(cni_ranges_check(&ranges, &err) == 0, "%s", err.msg);
	ck_assert_uint_eq(ranges.n, 1);
	cni_range_set_format(&ranges.set[0], &text);
	ck_assert_str_eq(text.data, good[_i].start_end);
	ck_assert_str_eq(cni_ip_format(&ranges.set[0].range[0].gateway, gateway), good[_i].gateway);
}
END_TEST

START_TEST(one_subnet_may_have_several_ranges_apart)
{
	cni_auto(ranges) struct cni_ranges ranges = { 0 };
	cni_auto(buf) struct cni_buf text = { 0 };

	load_good("[[{\"subnet\":\"10.1.0.0/24\",\"rangeStart\":\"10.1.0.10\",\"rangeEnd\":"
		  "\"10.1.0.19\"},{\"subnet\":\"10.1.0.0/24\",\"rangeEnd\":\"10.1.0.9\"}],"
		  "[{\"subnet\":\"10.1.0.0/24\",\"rangeStart\":\"10.1.0.20\"}],"
		  "[{\"subnet\":\"fd00::/64\"}]]",
		  &ranges);
	ck_assert_uint_eq(ranges.n, 3);
	cni_range_set_format(&ranges.set[0], &text);
	ck_assert_str_eq(text.data, "10.1.0.10-10.1.0.19,10.1.0.1-10.1.0.9");
}
END_TEST

START_TEST(sets_are_kept_in_their_order)
{
	cni_auto(ranges) struct cni_ranges ranges = { 0 };
	cni_auto(json) json_t *list = json_loads("[[{\"subnet\":\"10.2.0.0/24\"}]]", 0, NULL);
	cni_auto(json) json_t *one = json_loads("{\"subnet\":\"10.1.0.0/24\"}", 0, NULL);

	ck_assert_int_eq(cni_ranges_add_list(&ranges, "x", NULL, NULL), 0);
	ck_assert_uint_eq(ranges.n, 0);
	ck_assert_int_eq(cni_ranges_check(&ranges, NULL), 0);
	ck_assert_int_eq(cni_ranges_add_list(&ranges, "x", list, NULL), 0);
	ck_assert_int_eq(cni_ranges_add_single(&ranges, one, NULL), 0);
	ck_assert_int_eq(cni_ranges_check(&ranges, NULL), 0);
	ck_assert_uint_eq(ranges.n, 2);
	ck_assert_uint_eq(ranges.set[0].range[0].subnet.ip.b[1], 2);
	ck_assert_uint_eq(ranges.set[1].range[0].subnet.ip.b[1], 1);
}
END_TEST

/* ---- the order of trying ---- */

#define ONE "[[{\"subnet\":\"10.1.0.0/29\"}]]"
#define TWO                                                                       \
	"[[{\"subnet\":\"10.1.0.0/29\",\"rangeStart\":\"10.1.0.1\",\"rangeEnd\":" \
	"\"10.1.0.3\"},{\"subnet\":\"10.2.0.0/29\",\"rangeStart\":\"10.2.0.5\","  \
	"\"rangeEnd\":\"10.2.0.6\"}]]"
#define THREE                                                                        \
	"[[{\"subnet\":\"10.3.0.0/30\"},{\"subnet\":\"10.1.0.0/29\",\"rangeStart\":" \
	"\"10.1.0.2\"},{\"subnet\":\"10.2.0.0/30\"}]]"
#define SINGLE                                                                    \
	"[[{\"subnet\":\"10.1.0.0/29\",\"rangeStart\":\"10.1.0.5\",\"rangeEnd\":" \
	"\"10.1.0.5\"}]]"
#define V4_END                                                                     \
	"[[{\"subnet\":\"255.255.255.248/29\",\"rangeStart\":\"255.255.255.254\"," \
	"\"rangeEnd\":\"255.255.255.255\"}]]"
#define V6_END "[[{\"subnet\":\"ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffc/126\"}]]"
#define ONES "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff"

static const struct {
	const char *ranges, *last, *parts;
} orders[] = {
	{ ONE, "", "10.1.0.1-10.1.0.6" },
	{ ONE, "10.1.0.1", "10.1.0.2-10.1.0.6 10.1.0.1-10.1.0.1" },
	{ ONE, "10.1.0.4", "10.1.0.5-10.1.0.6 10.1.0.1-10.1.0.4" },
	{ ONE, "10.1.0.5", "10.1.0.6-10.1.0.6 10.1.0.1-10.1.0.5" },
	{ ONE, "10.1.0.6", "10.1.0.1-10.1.0.6" },
	{ SINGLE, "", "10.1.0.5-10.1.0.5" },
	{ SINGLE, "10.1.0.5", "10.1.0.5-10.1.0.5" },
	/* an address that is not of the set */
	{ ONE, "10.9.0.1", "10.1.0.1-10.1.0.6" },
	{ ONE, "10.1.0.0", "10.1.0.1-10.1.0.6" },
	{ ONE, "10.1.0.7", "10.1.0.1-10.1.0.6" },
	{ ONE, "fd00::1", "10.1.0.1-10.1.0.6" },
	{ SINGLE, "10.1.0.4", "10.1.0.5-10.1.0.5" },
	/* a gateway is in its part: whoever tries the addresses leaves it out */
	{ "[[{\"subnet\":\"10.1.0.0/29\",\"gateway\":\"10.1.0.3\"}]]", "10.1.0.2",
	  "10.1.0.3-10.1.0.6 10.1.0.1-10.1.0.2" },
	{ "[[{\"subnet\":\"10.1.0.0/29\",\"rangeEnd\":\"10.1.0.1\"}]]", "", "10.1.0.1-10.1.0.1" },
	/* from one range to the next, and round */
	{ TWO, "", "10.1.0.1-10.1.0.3 10.2.0.5-10.2.0.6" },
	{ TWO, "10.1.0.1", "10.1.0.2-10.1.0.3 10.2.0.5-10.2.0.6 10.1.0.1-10.1.0.1" },
	{ TWO, "10.1.0.3", "10.2.0.5-10.2.0.6 10.1.0.1-10.1.0.3" },
	{ TWO, "10.2.0.5", "10.2.0.6-10.2.0.6 10.1.0.1-10.1.0.3 10.2.0.5-10.2.0.5" },
	{ TWO, "10.2.0.6", "10.1.0.1-10.1.0.3 10.2.0.5-10.2.0.6" },
	{ TWO, "10.1.0.4", "10.1.0.1-10.1.0.3 10.2.0.5-10.2.0.6" },
	/* as they are listed, not as they count */
	{ THREE, "", "10.3.0.1-10.3.0.2 10.1.0.2-10.1.0.6 10.2.0.1-10.2.0.2" },
	{ THREE, "10.1.0.4",
	  "10.1.0.5-10.1.0.6 10.2.0.1-10.2.0.2 10.3.0.1-10.3.0.2 10.1.0.2-10.1.0.4" },
	{ THREE, "10.1.0.6", "10.2.0.1-10.2.0.2 10.3.0.1-10.3.0.2 10.1.0.2-10.1.0.6" },
	{ THREE, "10.2.0.1",
	  "10.2.0.2-10.2.0.2 10.3.0.1-10.3.0.2 10.1.0.2-10.1.0.6 10.2.0.1-10.2.0.1" },
	/* the last address of an IPv6 subnet is usable */
	{ "[[{\"subnet\":\"fd00::/126\"}]]", "", "fd00::1-fd00::3" },
	{ "[[{\"subnet\":\"fd00::/126\"}]]", "fd00::2", "fd00::3-fd00::3 fd00::1-fd00::2" },
	{ "[[{\"subnet\":\"fd00::/64\"}]]", "fd00::ffff",
	  "fd00::1:0-fd00::ffff:ffff:ffff:ffff fd00::1-fd00::ffff" },
	/* the ends of a family */
	{ V4_END, "", "255.255.255.254-255.255.255.255" },
	{ V4_END, "255.255.255.254",
	  "255.255.255.255-255.255.255.255 255.255.255.254-255.255.255.254" },
	{ V4_END, "255.255.255.255", "255.255.255.254-255.255.255.255" },
	{ V6_END, ONES "e", ONES "f-" ONES "f " ONES "d-" ONES "e" },
	{ V6_END, ONES "f", ONES "d-" ONES "f" },
};

START_TEST(addresses_are_tried_in_this_order)
{
	cni_auto(buf) struct cni_buf text = { 0 };

	ck_assert_str_eq(parts_text(orders[_i].ranges, orders[_i].last, &text), orders[_i].parts);
}
END_TEST

/* ---- random ranges against a plain model ---- */

static uint64_t state;

/* A number below n; the same ones in every run. */
static unsigned int any(unsigned int n)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned int)(state >> 33) % n;
}

static struct cni_ip model_ip(unsigned int subnet, unsigned int host)
{
	return (struct cni_ip){ .family = AF_INET, .b = { 10, (uint8_t)subnet, 0, (uint8_t)host } };
}

/* Up to three ranges, each in a /27 of its own, with any gateway. */
static void any_set(struct cni_range_set *set)
{
	set->n = 1 + any(3);
	for (unsigned int i = 0; i < set->n; i++) {
		unsigned int a = any(32), b = any(32);

		set->range[i] = (struct cni_range){
			.subnet = { model_ip(i, 0), 27 },
			.start = model_ip(i, a < b ? a : b),
			.end = model_ip(i, a < b ? b : a),
			.gateway = any(8) ? model_ip(i, any(32)) : (struct cni_ip){ 0 },
		};
	}
}

/* The model: every address of the set in a row, gateways too. @return how many */
static size_t line_up(const struct cni_range_set *set, struct cni_ip row[static 96],
		      size_t range_of[static 96])
{
	size_t n = 0;

	for (size_t i = 0; i < set->n; i++)
		for (unsigned int h = set->range[i].start.b[3]; h <= set->range[i].end.b[3]; h++) {
			range_of[n] = i;
			row[n++] = model_ip((unsigned int)i, h);
		}
	return n;
}

/* The parts of a set one after the other. @return how many addresses that is */
static size_t string_parts(const struct cni_range_set *set, const struct cni_ip *last,
			   struct cni_ip row[static 96],
			   const struct cni_range *range_of[static 96])
{
	struct cni_range_part part;
	size_t n = 0;

	for (size_t i = 0; cni_range_set_part(set, last, i, &part); i++) {
		ck_assert_uint_le(i, set->n);
		ck_assert_int_le(cni_ip_cmp(&part.from, &part.to), 0);
		for (struct cni_ip ip = part.from; cni_ip_cmp(&ip, &part.to) <= 0;
		     (void)!cni_ip_next(&ip)) {
			ck_assert_uint_lt(n, 96);
			range_of[n] = part.range;
			row[n++] = ip;
		}
	}
	return n;
}

/* The row in which they stand, begun behind `last`: so every address is in one part, and in one only. */
START_TEST(every_address_is_in_one_part_as_the_model_says)
{
	const struct cni_range *range_got[96];
	struct cni_ip row[96], got[96];
	struct cni_range ranges[3];
	struct cni_range_set set = { .range = ranges };
	size_t range_of[96];

	state = 7;
	for (int round = 0; round < 5000; round++) {
		struct cni_ip last;
		size_t n, at = 0;

		any_set(&set);
		n = line_up(&set, row, range_of);
		last = any(4) ? model_ip(any(4), any(32)) : (struct cni_ip){ 0 };
		for (size_t i = 0; i < n; i++)
			if (cni_ip_cmp(&row[i], &last) == 0)
				at = i + 1;
		ck_assert_uint_eq(string_parts(&set, &last, got, range_got), n);
		for (size_t i = 0; i < n; i++) {
			size_t k = (at + i) % n;

			ck_assert_int_eq(cni_ip_cmp(&got[i], &row[k]), 0);
			ck_assert_ptr_eq(range_got[i], &set.range[range_of[k]]);
		}
	}
}
END_TEST

START_TEST(behind_the_last_part_there_is_none)
{
	cni_auto(ranges) struct cni_ranges ranges = { 0 };
	static const char *const last[] = { "", "10.1.0.2", "10.2.0.6" };
	static const size_t parts[] = { 2, 3, 2 };

	load_good(TWO, &ranges);
	for (size_t i = 0; i < CNI_ARRAY_SIZE(last); i++) {
		const struct cni_range_part before = { .from = ip_of("10.9.0.1") };
		struct cni_range_part part = before;
		struct cni_ip ip = ip_of(last[i]);

		ck_assert(!cni_range_set_part(&ranges.set[0], &ip, parts[i], &part));
		ck_assert(!cni_range_set_part(&ranges.set[0], &ip, SIZE_MAX, &part));
		ck_assert_ptr_null(part.range);
		ck_assert_int_eq(cni_ip_cmp(&part.from, &before.from), 0);
		ck_assert(cni_range_set_part(&ranges.set[0], &ip, parts[i] - 1, &part));
	}
}
END_TEST

START_TEST(finding_is_what_the_model_says)
{
	struct cni_range ranges[3];
	struct cni_range_set set = { .range = ranges };
	struct cni_ip row[96];
	size_t range_of[96];

	state = 11;
	for (int round = 0; round < 300; round++) {
		size_t n;

		any_set(&set);
		n = line_up(&set, row, range_of);
		for (unsigned int subnet = 0; subnet < 4; subnet++)
			for (unsigned int host = 0; host < 40; host++) {
				const struct cni_range *want = NULL;
				struct cni_ip ip = model_ip(subnet, host);

				for (size_t i = 0; i < n; i++)
					if (cni_ip_cmp(&row[i], &ip) == 0)
						want = &set.range[range_of[i]];
				ck_assert_ptr_eq(cni_range_set_find(&set, &ip), want);
			}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("range");
	TCase *tc = tcase_create("range");

	suite_add_tcase(suite, tc);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, what_is_wrong_is_told_in_the_go_plugins_words, 0,
			    CNI_ARRAY_SIZE(wrong));
	tcase_add_loop_test(tc, what_is_not_given_has_a_default, 0, CNI_ARRAY_SIZE(good));
	tcase_add_test(tc, one_subnet_may_have_several_ranges_apart);
	tcase_add_test(tc, sets_are_kept_in_their_order);
	tcase_add_loop_test(tc, addresses_are_tried_in_this_order, 0, CNI_ARRAY_SIZE(orders));
	tcase_add_test(tc, every_address_is_in_one_part_as_the_model_says);
	tcase_add_test(tc, behind_the_last_part_there_is_none);
	tcase_add_test(tc, finding_is_what_the_model_says);
	return run_suite(suite);
}
