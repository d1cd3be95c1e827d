/*
 * The token bucket filter's parameters, beside those that the Go plugin's calls left in a kernel.
 */
#include "suite.h"
#include "tbf.h"

#define KBIT 1000ull
#define MBIT 1000000ull
#define GBIT 1000000000ull

static const struct {
	uint64_t rate, burst; /* bits */
	struct cni_tbf want;
	uint32_t theirs; /* its buffer, where that is another */
} rows[] = {
	{ 1 * MBIT, 800 * KBIT, { 125000, 12500000, 103125 }, 0 },
	{ 2 * MBIT, 1600 * KBIT, { 250000, 12500000, 206250 }, 0 },
	{ 333333333, 123456789, { 41666666, 5787031, 16473764 }, 0 },
	{ 16000, 16000, { 2000, 15625000, 2050 }, 0 },
	{ 10 * GBIT, 10 * GBIT, { 1250000000, 15625000, 1281250000 }, 0 },
	{ 80 * GBIT, 34359738359ull, { 10000000000ull, 6710875, 249999998 }, 0 },
	/* Runtimes' words for "as much as there is". */
	{ 1 * MBIT, 2147483647, { 125000, 4294967295u, 268438580 }, 3489660803u },
	{ 10 * MBIT, 4294967295u, { 1250000, 4294967295u, 536902161 }, 2415919079u },
	{ 100 * MBIT, 4294967295u, { 12500000, 671088625, 537183411 }, 0 },
	{ 10 * MBIT, 34359738359ull, { 1250000, 4294967295u, 31248 }, 2147483619u },
	{ 1 * GBIT, 34359738359ull, { 125000000, 536870906, 3124998 }, 0 },
	{ 1 * MBIT, 34359738359ull, { 125000, 4294967295u, 3123 }, 2684354310u },
	{ 8, 8, { 1, 15625000, 1 }, 0 },
};

START_TEST(parameters_are_those_of_the_go_plugin)
{
	struct cni_tbf tbf = cni_tbf_make(rows[_i].rate, rows[_i].burst);

	ck_assert_uint_eq(tbf.rate, rows[_i].want.rate);
	ck_assert_uint_eq(tbf.buffer, rows[_i].want.buffer);
	ck_assert_uint_eq(tbf.limit, rows[_i].want.limit);
	ck_assert(cni_tbf_is(&tbf, rows[_i].rate, rows[_i].burst));
	if (rows[_i].theirs) {
		tbf.buffer = rows[_i].theirs;
		ck_assert(cni_tbf_is(&tbf, rows[_i].rate, rows[_i].burst));
	}
	tbf.buffer--;
	ck_assert(!cni_tbf_is(&tbf, rows[_i].rate, rows[_i].burst));
	tbf.buffer++;
	tbf.limit++;
	ck_assert(!cni_tbf_is(&tbf, rows[_i].rate, rows[_i].burst));
	tbf.limit--;
	tbf.rate++;
	ck_assert(!cni_tbf_is(&tbf, rows[_i].rate, rows[_i].burst));
}
END_TEST

/* As the kernel's refusals, which begin one bit below each of the larger. */
static const struct {
	uint64_t rate, burst; /* bits */
	bool is_made;
} buckets[] = {
	{ 8, 8, true },
	{ 64 * KBIT, 8, false },
	{ 64 * KBIT, 16, true },
	{ 80 * GBIT, 79992, false },
	{ 80 * GBIT, 80000, true },
	{ 10 * GBIT, 34359738359ull, true },
	{ 1ull << 62, 34359738359ull, false },
	{ 8, 34359738359ull, true },
};

START_TEST(a_bucket_without_a_byte_is_found)
{
	struct cni_tbf tbf = cni_tbf_make(buckets[_i].rate, buckets[_i].burst);

	ck_assert_int_eq(cni_tbf_bucket(&tbf) > 0, buckets[_i].is_made);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tbf");
	TCase *tc = tcase_create("tbf");

	tcase_add_loop_test(tc, parameters_are_those_of_the_go_plugin, 0,
			    (int)(sizeof(rows) / sizeof(rows[0])));
	tcase_add_loop_test(tc, a_bucket_without_a_byte_is_found, 0,
			    (int)(sizeof(buckets) / sizeof(buckets[0])));
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
