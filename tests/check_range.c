/*
 * Address ranges: reading and checking them, in the Go plugin's words, and walking round them. The walk
 * is compared with a plain model over random small ranges, too.
 */
#include "range.h"

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

/* The addresses of a walk from after `last` ("" = none) to its end, separated by blanks. */
static const char *walk_text(const char *ranges, const char *last, struct cni_buf *ret)
{
	cni_auto(ranges) struct cni_ranges r = { 0 };
	struct cni_ip start = ip_of(last), ip;
	const struct cni_range *range;
	struct cni_range_walk walk;

	load_good(ranges, &r);
	cni_range_walk_begin(&walk, &r.set[0], &start);
	while (cni_range_walk_next(&walk, &ip, &range)) {
		char text[CNI_IP_STRLEN];

		ck_assert_ptr_eq(range, cni_range_set_find(&r.set[0], &ip));
		cni_buf_printf(ret, "%s%s", ret->len ? " " : "", cni_ip_format(&ip, text));
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

/* ---- walking ---- */

#define TWO                                                                       \
	"[[{\"subnet\":\"10.1.0.0/29\",\"rangeStart\":\"10.1.0.1\",\"rangeEnd\":" \
	"\"10.1.0.3\"},{\"subnet\":\"10.2.0.0/29\",\"rangeStart\":\"10.2.0.5\","  \
	"\"rangeEnd\":\"10.2.0.6\"}]]"

static const struct {
	const char *ranges, *last, *walk;
} walks[] = {
	{ "[[{\"subnet\":\"10.1.0.0/30\"}]]", "", "10.1.0.2" },
	{ "[[{\"subnet\":\"10.1.0.0/30\"}]]", "10.1.0.2", "10.1.0.2" },
	{ "[[{\"subnet\":\"10.1.0.0/29\"}]]", "", "10.1.0.2 10.1.0.3 10.1.0.4 10.1.0.5 10.1.0.6" },
	{ "[[{\"subnet\":\"10.1.0.0/29\"}]]", "10.1.0.4",
	  "10.1.0.5 10.1.0.6 10.1.0.2 10.1.0.3 10.1.0.4" },
	{ "[[{\"subnet\":\"10.1.0.0/29\"}]]", "10.1.0.6",
	  "10.1.0.2 10.1.0.3 10.1.0.4 10.1.0.5 10.1.0.6" },
	{ "[[{\"subnet\":\"10.1.0.0/29\"}]]", "10.1.0.1",
	  "10.1.0.2 10.1.0.3 10.1.0.4 10.1.0.5 10.1.0.6" },
	/* an address that is not of the set */
	{ "[[{\"subnet\":\"10.1.0.0/30\"}]]", "10.9.0.1", "10.1.0.2" },
	{ "[[{\"subnet\":\"10.1.0.0/30\"}]]", "10.1.0.3", "10.1.0.2" },
	{ "[[{\"subnet\":\"10.1.0.0/30\"}]]", "fd00::1", "10.1.0.2" },
	/* the last address of an IPv6 subnet is usable */
	{ "[[{\"subnet\":\"fd00::/126\"}]]", "", "fd00::2 fd00::3" },
	/* the gateway elsewhere */
	{ "[[{\"subnet\":\"10.1.0.0/29\",\"gateway\":\"10.1.0.3\"}]]", "",
	  "10.1.0.1 10.1.0.2 10.1.0.4 10.1.0.5 10.1.0.6" },
	{ "[[{\"subnet\":\"10.1.0.0/30\",\"gateway\":\"10.9.0.1\"}]]", "", "10.1.0.1 10.1.0.2" },
	/* nothing but the gateway */
	{ "[[{\"subnet\":\"10.1.0.0/29\",\"rangeEnd\":\"10.1.0.1\"}]]", "", "" },
	{ "[[{\"subnet\":\"10.1.0.0/29\",\"rangeEnd\":\"10.1.0.1\"}]]", "10.1.0.1", "" },
	/* from one range to the next, and round */
	{ TWO, "", "10.1.0.2 10.1.0.3 10.2.0.5 10.2.0.6" },
	{ TWO, "10.1.0.3", "10.2.0.5 10.2.0.6 10.1.0.2 10.1.0.3" },
	{ TWO, "10.2.0.5", "10.2.0.6 10.1.0.2 10.1.0.3 10.2.0.5" },
	{ TWO, "10.2.0.6", "10.1.0.2 10.1.0.3 10.2.0.5 10.2.0.6" },
	/* a gateway is left out of its own range only */
	{ "[[{\"subnet\":\"10.1.0.0/30\",\"gateway\":\"10.2.0.1\"},"
	  "{\"subnet\":\"10.2.0.0/30\",\"gateway\":\"10.1.0.1\"}]]",
	  "", "10.1.0.1 10.1.0.2 10.2.0.1 10.2.0.2" },
	/* the ends of a family */
	{ "[[{\"subnet\":\"255.255.255.248/29\",\"rangeStart\":\"255.255.255.254\","
	  "\"rangeEnd\":\"255.255.255.255\"}]]",
	  "", "255.255.255.254 255.255.255.255" },
	{ "[[{\"subnet\":\"ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffc/126\"}]]", "",
	  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
};

START_TEST(a_walk_gives_every_address_once)
{
	cni_auto(buf) struct cni_buf text = { 0 };

	ck_assert_str_eq(walk_text(walks[_i].ranges, walks[_i].last, &text), walks[_i].walk);
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

START_TEST(a_walk_is_what_the_model_says)
{
	struct cni_range ranges[3], *range;
	struct cni_range_set set = { .range = ranges };
	struct cni_ip row[96], got;
	size_t range_of[96];

	state = 7;
	for (int round = 0; round < 3000; round++) {
		struct cni_range_walk walk;
		const struct cni_range *of;
		struct cni_ip last;
		size_t n, at = 0;

		any_set(&set);
		n = line_up(&set, row, range_of);
		last = any(4) ? model_ip(any(4), any(32)) : (struct cni_ip){ 0 };
		for (size_t i = 0; i < n; i++)
			if (cni_ip_cmp(&row[i], &last) == 0)
				at = i + 1;
		cni_range_walk_begin(&walk, &set, &last);
		for (size_t i = 0; i < n; i++) {
			size_t k = (at + i) % n;

			range = &set.range[range_of[k]];
			if (cni_ip_cmp(&row[k], &range->gateway) == 0)
				continue;
			ck_assert(cni_range_walk_next(&walk, &got, &of));
			ck_assert_int_eq(cni_ip_cmp(&got, &row[k]), 0);
			ck_assert_ptr_eq(of, range);
		}
		ck_assert(!cni_range_walk_next(&walk, &got, &of));
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
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tc);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, what_is_wrong_is_told_in_the_go_plugins_words, 0,
			    CNI_ARRAY_SIZE(wrong));
	tcase_add_loop_test(tc, what_is_not_given_has_a_default, 0, CNI_ARRAY_SIZE(good));
	tcase_add_test(tc, one_subnet_may_have_several_ranges_apart);
	tcase_add_test(tc, sets_are_kept_in_their_order);
	tcase_add_loop_test(tc, a_walk_gives_every_address_once, 0, CNI_ARRAY_SIZE(walks));
	tcase_add_test(tc, a_walk_is_what_the_model_says);
	tcase_add_test(tc, finding_is_what_the_model_says);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
