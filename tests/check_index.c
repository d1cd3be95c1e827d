/*
 * The index beside the leases, by itself: what is added is found, what is removed is not, and the next
 * free address is what a plain model says; with many entries, few, crowded ones and scattered ones, and at
 * the ends of both families.
 */
#include "store_dir.h"

/* ---- an index for each test ---- */

static int dir = -1;
static struct cni_index ix = { .fd = -1 };

static void build(const struct cni_index_entry *entries, size_t n)
{
	ck_assert(!cni_index_open(&ix, dir));
	ck_assert(cni_index_build(&ix, entries, n));
	ck_assert(cni_index_usable(&ix));
}

static void index_setup(void)
{
	setup();
	dir = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(dir, 0);
}

static void index_teardown(void)
{
	cni_index_close(&ix);
	close(dir);
	teardown();
}

static void reopen(void)
{
	ck_assert(cni_index_usable(&ix));
	cni_index_close(&ix);
	ck_assert(cni_index_open(&ix, dir));
}

static uint64_t state = 1;

/* A number below n; the same ones in every run. */
static unsigned int any(unsigned int n)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned int)(state >> 33) % n;
}

/* ---- addresses ---- */

/* The address that lies `offset` behind another. */
static struct cni_ip behind(const struct cni_ip *ip, uint64_t offset)
{
	struct cni_ip ret = *ip;

	for (size_t i = cni_ip_size(ip); i-- > 0 && offset; offset >>= 8) {
		offset += ret.b[i];
		ret.b[i] = (uint8_t)offset;
	}
	return ret;
}

/* The n-th of addresses that are far apart. */
static struct cni_ip scattered(uint32_t n)
{
	struct cni_ip ip = { .family = AF_INET6, .b = { 0xfd } };

	n *= 2654435761u; /* a permutation */
	memcpy(ip.b + 4, &n, sizeof(n));
	ip.b[15] = (uint8_t)n;
	return ip;
}

/* An owner that only its page number and the number `n` tell from others. */
static uint64_t colliding(uint64_t n)
{
	return (n + 1) << 32 | 5;
}

static bool owns(uint64_t owner, const struct cni_ip *ip)
{
	struct cni_ip found[400];
	int n = cni_index_find(&ix, owner, found, CNI_ARRAY_SIZE(found));

	ck_assert_int_ge(n, 0);
	for (int i = 0; i < n; i++)
		if (cni_ip_cmp(&found[i], ip) == 0)
			return true;
	return false;
}

static int count(uint64_t owner)
{
	struct cni_ip found[400];

	return cni_index_find(&ix, owner, found, CNI_ARRAY_SIZE(found));
}

static struct cni_ip next(const struct cni_ip *from, const struct cni_ip *last)
{
	return cni_index_next_free(&ix, from, last);
}

static bool is_taken(const struct cni_ip *ip)
{
	return next(ip, ip).family == AF_UNSPEC;
}

static void expect_next(const char *from, const char *last, const char *want)
{
	struct cni_ip a = ip_of(from), b = ip_of(last), ip = next(&a, &b);
	char text[CNI_IP_STRLEN];

	ck_assert_str_eq(cni_ip_format(&ip, text), want);
}

static void take(const char *ip)
{
	struct cni_ip addr = ip_of(ip);

	cni_index_add(&ix, 7, &addr);
}

static off_t file_size(void)
{
	struct stat st;

	ck_assert_int_eq(fstatat(dir, CNI_INDEX_FILE, &st, 0), 0);
	return st.st_size;
}

/* ---- owners ---- */

START_TEST(each_attachment_has_a_number_of_its_own)
{
	static const char *const pairs[][2] = {
		{ "a", "b" },  { "a", NULL }, { "ab", NULL },  { "a", "" },	  { "", "a" },
		{ "b", "a" },  { "ab", "" },  { "", "ab" },    { "", NULL },	  { "a", "bc" },
		{ "ab", "c" }, { "", "" },    { "abc", NULL }, { "abc", "eth0" }, { "abc", "eth1" },
	};

	for (size_t i = 0; i < CNI_ARRAY_SIZE(pairs); i++) {
		uint64_t owner = cni_index_owner(pairs[i][0], pairs[i][1]);

		ck_assert_uint_ne(owner, 0);
		ck_assert_uint_eq(owner, cni_index_owner(pairs[i][0], pairs[i][1]));
		for (size_t k = 0; k < i; k++)
			ck_assert_uint_ne(owner, cni_index_owner(pairs[k][0], pairs[k][1]));
	}
}
END_TEST

START_TEST(an_index_knows_what_it_was_built_of)
{
	const struct cni_ip ips[] = { ip_of("10.1.0.2"), ip_of("10.1.0.3"), ip_of("fd00::2"),
				      ip_of("10.1.0.4") };
	const struct cni_index_entry entries[] = {
		cni_index_entry(11, &ips[0]), cni_index_entry(12, &ips[1]),
		cni_index_entry(11, &ips[2]), cni_index_entry(0, &ips[3]), /* nobody's */
	};

	build(entries, CNI_ARRAY_SIZE(entries));
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(count(11), 2);
		ck_assert(owns(11, &ips[0]) && owns(11, &ips[2]));
		ck_assert_int_eq(count(12), 1);
		ck_assert(owns(12, &ips[1]));
		ck_assert_int_eq(count(13), 0);
		expect_next("10.1.0.1", "10.1.0.9", "10.1.0.1");
		expect_next("10.1.0.2", "10.1.0.9", "10.1.0.5");
		expect_next("fd00::2", "fd00::9", "fd00::3");
		reopen();
	}
}
END_TEST

START_TEST(no_more_is_found_than_there_is_room_for)
{
	struct cni_ip first = ip_of("10.1.0.0"), found[300];

	build(NULL, 0);
	for (unsigned int i = 0; i < 300; i++) {
		struct cni_ip ip = behind(&first, i);

		cni_index_add(&ix, 9, &ip);
	}
	ck_assert_int_eq(cni_index_find(&ix, 9, found, 300), 300);
	ck_assert_int_eq(cni_index_find(&ix, 9, found, 299), -1);
	ck_assert_int_eq(cni_index_find(&ix, 9, found, 0), -1);
	ck_assert_int_eq(cni_index_find(&ix, 8, found, 0), 0);
	ck_assert(cni_index_usable(&ix));
}
END_TEST

/* All in one page, and those behind it: more than are allowed to be there. */
START_TEST(owners_that_collide_are_told_apart)
{
	enum { N = 1000 };
	struct cni_ip first = ip_of("10.1.0.0"), ip;

	build(NULL, 0);
	for (unsigned int i = 0; i < N; i++) {
		ip = behind(&first, i);
		cni_index_add(&ix, colliding(i), &ip);
	}
	for (int round = 0; round < 2; round++) {
		for (unsigned int i = 0; i < N; i++) {
			ip = behind(&first, i);
			ck_assert_int_eq(count(colliding(i)), 1);
			ck_assert(owns(colliding(i), &ip));
		}
		reopen();
		for (unsigned int i = 0; i < N; i += 2) {
			ip = behind(&first, i);
			cni_index_remove(&ix, colliding(i), &ip);
		}
		for (unsigned int i = 0; i < N; i++) {
			ip = behind(&first, i);
			ck_assert_int_eq(count(colliding(i)), i % 2);
			ck_assert_int_eq(is_taken(&ip), i % 2);
		}
		for (unsigned int i = 0; i < N; i += 2) {
			ip = behind(&first, i);
			cni_index_add(&ix, colliding(i), &ip);
		}
	}
}
END_TEST

START_TEST(only_the_named_lease_is_forgotten)
{
	struct cni_ip a = ip_of("10.1.0.2"), b = ip_of("10.1.0.3"), c = ip_of("fd00::a01:2");

	build(NULL, 0);
	cni_index_add(&ix, 1, &a);
	cni_index_add(&ix, 1, &b);
	cni_index_add(&ix, 2, &c);
	cni_index_remove(&ix, 2, &a); /* not its: the entry stays, the address is free */
	ck_assert(owns(1, &a));
	cni_index_remove(&ix, 1, &c);
	ck_assert(owns(2, &c));
	cni_index_remove(&ix, 1, &b);
	cni_index_remove(&ix, 1, &b);
	ck_assert(owns(1, &a) && !owns(1, &b) && owns(2, &c));
	ck_assert_int_eq(count(1), 1);
	ck_assert(!is_taken(&b));
}
END_TEST

/* ---- many ---- */

START_TEST(it_grows_with_what_is_added_and_keeps_all)
{
	enum { N = 60000 };
	struct cni_ip first = ip_of("10.1.0.0"), ip;

	build(NULL, 0);
	for (unsigned int i = 0; i < N; i++) {
		ip = behind(&first, i);
		cni_index_add(&ix, cni_index_owner("ctr", cni_ip_format(&ip, (char[46]){ 0 })),
			      &ip);
	}
	reopen();
	expect_next("10.1.0.0", "10.1.255.255", "10.1.234.96");
	for (unsigned int i = 0; i < N; i++) {
		uint64_t owner;

		ip = behind(&first, i);
		owner = cni_index_owner("ctr", cni_ip_format(&ip, (char[46]){ 0 }));
		ck_assert_int_eq(count(owner), 1);
		ck_assert(owns(owner, &ip));
	}
	ck_assert_int_le(file_size(), 16 * 1024 * 1024);
	for (unsigned int i = 0; i < N; i++) {
		ip = behind(&first, i);
		cni_index_remove(&ix, cni_index_owner("ctr", cni_ip_format(&ip, (char[46]){ 0 })),
				 &ip);
		if (i % 1000 == 0)
			ck_assert(!is_taken(&ip));
	}
	reopen();
	for (unsigned int i = 0; i < N; i += 7) {
		ip = behind(&first, i);
		ck_assert(!is_taken(&ip));
		ck_assert_int_eq(count(cni_index_owner("ctr", cni_ip_format(&ip, (char[46]){ 0 }))),
				 0);
	}
}
END_TEST

/* One page filled and emptied again and again, among others that stay. */
START_TEST(what_is_gone_leaves_no_trace)
{
	enum { STAYING = 500, COMING = 400, ROUNDS = 100 };
	struct cni_ip first = ip_of("10.1.0.0"), other = ip_of("10.2.0.0"), ip;
	off_t size = 0;

	build(NULL, 0);
	for (unsigned int i = 0; i < STAYING; i++) {
		ip = behind(&first, i);
		cni_index_add(&ix, (uint64_t)i * 0x9e3779b97f4a7c15u, &ip);
	}
	for (int round = 0; round < ROUNDS; round++) {
		for (unsigned int i = 0; i < COMING; i++) {
			ip = behind(&other, i);
			cni_index_add(&ix, colliding(i), &ip);
		}
		for (unsigned int i = 0; i < COMING; i++) {
			ip = behind(&other, i);
			ck_assert(owns(colliding(i), &ip));
			cni_index_remove(&ix, colliding(i), &ip);
			ck_assert_int_eq(count(colliding(i)), 0);
		}
		expect_next("10.2.0.0", "10.2.255.255", "10.2.0.0");
		if (round == 1)
			size = file_size();
	}
	reopen();
	for (unsigned int i = 0; i < STAYING; i++) {
		ip = behind(&first, i);
		ck_assert(owns((uint64_t)i * 0x9e3779b97f4a7c15u, &ip));
	}
	ck_assert_int_eq(file_size(), size);
}
END_TEST

START_TEST(in_a_page_that_never_was_full_not_even_a_slot_stays_in_use)
{
	struct cni_ip a = ip_of("10.1.0.2"), b = ip_of("10.1.0.3");

	build(NULL, 0);
	cni_index_add(&ix, 1, &a);
	for (unsigned int i = 0; i < 1000; i++) {
		cni_index_add(&ix, i + 2, &b);
		ck_assert_uint_eq(ix.header.owners, 2);
		cni_index_remove(&ix, i + 2, &b);
		ck_assert_uint_eq(ix.header.owners, 1);
	}
	ck_assert_int_eq(file_size(), 3 * CNI_INDEX_PAGE);
}
END_TEST

START_TEST(scattered_addresses_are_told_from_their_neighbours)
{
	enum { N = 20000 };
	struct cni_ip ip, one;

	build(NULL, 0);
	for (unsigned int i = 0; i < N; i++) {
		ip = scattered(i);
		cni_index_add(&ix, i + 1, &ip);
	}
	reopen();
	for (unsigned int i = 0; i < N; i++) {
		ip = scattered(i);
		one = behind(&ip, 1);
		ck_assert(is_taken(&ip) && !is_taken(&one));
		ck_assert(owns(i + 1, &ip));
		ip = scattered(N + i);
		ck_assert(!is_taken(&ip));
	}
}
END_TEST

/* However full the table of stretches is, it is not made anew with every other lease. */
START_TEST(scattered_leases_that_come_and_go_do_not_rebuild_it_each_time)
{
	enum { STEPS = 2000 };
	unsigned int live = 40 + 4 * (unsigned int)_i, rebuilt = 0;
	struct cni_ip ip;

	build(NULL, 0);
	for (unsigned int i = 0; i < live + STEPS; i++) {
		uint32_t before = ix.header.chunks;

		ip = scattered(i);
		cni_index_add(&ix, i + 1, &ip);
		rebuilt += ix.header.chunks != before + 1;
		if (i < live)
			continue;
		ip = scattered(i - live);
		cni_index_remove(&ix, i - live + 1, &ip);
	}
	ck_assert_msg(rebuilt <= STEPS / 10, "%u leases: made anew %u times", live, rebuilt);
	ck_assert_int_le(file_size(), 16 * CNI_INDEX_PAGE);
}
END_TEST

/* ---- the next free address ---- */

/* Taken or not, of 65536 neighbours. */
struct model {
	struct cni_ip first;
	bool taken[65536];
	size_t n;
};

static void model_set(struct model *m, unsigned int at, bool taken)
{
	struct cni_ip ip = behind(&m->first, at);

	if (m->taken[at] == taken)
		return;
	m->taken[at] = taken;
	m->n += taken ? 1 : (size_t)-1;
	if (taken)
		cni_index_add(&ix, at % 1000 + 1, &ip);
	else
		cni_index_remove(&ix, at % 1000 + 1, &ip);
}

static void model_check(const struct model *m, unsigned int from, unsigned int last)
{
	struct cni_ip a = behind(&m->first, from), b = behind(&m->first, last), got, want;
	char text[CNI_IP_STRLEN], text2[CNI_IP_STRLEN];
	unsigned int at = from;

	while (at <= last && m->taken[at])
		at++;
	want = at <= last ? behind(&m->first, at) : (struct cni_ip){ 0 };
	got = next(&a, &b);
	ck_assert_msg(cni_ip_cmp(&got, &want) == 0, "from %u to %u: %s instead of %s", from, last,
		      cni_ip_format(&got, text), cni_ip_format(&want, text2));
}

static const struct {
	const char *first;
	unsigned int full; /* of 100 */
} models[] = {
	{ "10.1.0.0", 100 },
	{ "10.1.0.0", 50 },
	{ "10.1.255.129", 97 }, /* a /16's worth, but not on its border */
	{ "255.255.0.0", 100 }, /* to the last address there is */
	{ "fd00::", 100 },
	{ "fd00::ffff:ffff:ffff:8001", 99 }, /* carries far */
	{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:0", 100 },
};

START_TEST(the_next_free_address_is_what_the_model_says)
{
	static struct model m;

	m = (struct model){ .first = ip_of(models[_i].first) };
	state = 5 + (uint64_t)_i;
	build(NULL, 0);
	for (unsigned int i = 0; i < 65536; i++)
		if (any(100) < models[_i].full)
			model_set(&m, i, true);
	model_check(&m, 0, 65535);
	for (int step = 0; step < 6000; step++) {
		unsigned int at = any(65536), a = any(65536), b = any(65536);

		/* Bursts of neighbours, now and then. */
		for (unsigned int i = 0, n = any(10) ? 1 : any(600); i < n && at + i < 65536; i++)
			model_set(&m, at + i, any(100) < models[_i].full && step % 3);
		model_check(&m, a < b ? a : b, a < b ? b : a);
		model_check(&m, at, at);
		if (step % 40 == 0)
			model_check(&m, 0, 65535);
		if (step % 1000 == 0)
			reopen();
	}
	ck_assert(cni_index_usable(&ix));
}
END_TEST

/* The one free address, wherever it is, and then none. */
START_TEST(the_last_free_address_is_found)
{
	static const unsigned int at[] = { 0, 1, 7, 8, 255, 256, 257, 16383, 16384, 65534, 65535 };
	static struct model m;

	m = (struct model){ .first = ip_of(_i ? "fd00::" : "10.1.0.0") };
	build(NULL, 0);
	for (unsigned int i = 0; i < 65536; i++)
		model_set(&m, i, true);
	model_check(&m, 0, 65535);
	for (size_t i = 0; i < CNI_ARRAY_SIZE(at); i++) {
		model_set(&m, at[i], false);
		model_check(&m, 0, 65535);
		model_check(&m, at[i], 65535);
		if (at[i] > 0)
			model_check(&m, 0, at[i] - 1);
		if (at[i] < 65535)
			model_check(&m, at[i] + 1, 65535);
		model_set(&m, at[i], true);
	}
}
END_TEST

#define ONES "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff"

START_TEST(at_the_ends_of_a_family_nothing_runs_over)
{
	build(NULL, 0);
	expect_next("0.0.0.0", "255.255.255.255", "0.0.0.0");
	expect_next("255.255.255.255", "255.255.255.255", "255.255.255.255");
	expect_next("::", ONES "f", "::");
	expect_next(ONES "f", ONES "f", ONES "f");
	take("0.0.0.0");
	take("255.255.255.255");
	expect_next("0.0.0.0", "255.255.255.255", "0.0.0.1");
	expect_next("255.255.255.254", "255.255.255.255", "255.255.255.254");
	expect_next("255.255.255.255", "255.255.255.255", "<nil>");
	take("::");
	take(ONES "f");
	expect_next("::", ONES "f", "::1");
	expect_next(ONES "e", ONES "f", ONES "e");
	expect_next(ONES "f", ONES "f", "<nil>");
	take("255.255.255.254");
	take(ONES "e");
	expect_next("255.255.255.254", "255.255.255.255", "<nil>");
	expect_next(ONES "e", ONES "f", "<nil>");
	expect_next("255.255.255.253", "255.255.255.255", "255.255.255.253");
}
END_TEST

START_TEST(families_do_not_mix)
{
	build(NULL, 0);
	take("10.1.0.2");
	expect_next("::a01:2", "::a01:9", "::a01:2");
	expect_next("0:0:0:0:0:fffe:a01:2", "0:0:0:0:0:fffe:a01:9", "::fffe:a01:2");
	take("::a01:3");
	expect_next("10.1.0.3", "10.1.0.9", "10.1.0.3");
	expect_next("::a01:3", "::a01:9", "::a01:4");
}
END_TEST

START_TEST(nothing_outside_from_and_last_is_given)
{
	build(NULL, 0);
	expect_next("10.1.0.9", "10.1.0.8", "<nil>");
	for (int i = 0; i < 256; i++) {
		char ip[32];

		snprintf(ip, sizeof(ip), "10.1.0.%d", i);
		take(ip);
	}
	expect_next("10.1.0.9", "10.1.0.200", "<nil>");
	expect_next("10.1.0.9", "10.1.0.255", "<nil>");
	expect_next("10.1.0.9", "10.1.1.0", "10.1.1.0");
	take("10.1.1.0");
	expect_next("10.1.0.9", "10.1.1.0", "<nil>");
	expect_next("10.1.1.1", "10.1.1.1", "10.1.1.1");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("index");
	TCase *tc = tcase_create("index");

	suite_add_tcase(suite, tc);
	tcase_add_checked_fixture(tc, index_setup, index_teardown);
	tcase_set_timeout(tc, 100);
	tcase_add_test(tc, each_attachment_has_a_number_of_its_own);
	tcase_add_test(tc, an_index_knows_what_it_was_built_of);
	tcase_add_test(tc, no_more_is_found_than_there_is_room_for);
	tcase_add_test(tc, owners_that_collide_are_told_apart);
	tcase_add_test(tc, only_the_named_lease_is_forgotten);
	tcase_add_test(tc, it_grows_with_what_is_added_and_keeps_all);
	tcase_add_test(tc, what_is_gone_leaves_no_trace);
	tcase_add_test(tc, in_a_page_that_never_was_full_not_even_a_slot_stays_in_use);
	tcase_add_test(tc, scattered_addresses_are_told_from_their_neighbours);
	tcase_add_loop_test(tc, scattered_leases_that_come_and_go_do_not_rebuild_it_each_time, 0,
			    8);
	tcase_add_loop_test(tc, the_next_free_address_is_what_the_model_says, 0,
			    CNI_ARRAY_SIZE(models));
	tcase_add_loop_test(tc, the_last_free_address_is_found, 0, 2);
	tcase_add_test(tc, at_the_ends_of_a_family_nothing_runs_over);
	tcase_add_test(tc, families_do_not_mix);
	tcase_add_test(tc, nothing_outside_from_and_last_is_given);
	return run_suite(suite);
}
