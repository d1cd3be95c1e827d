/*
 * resolv.conf as host-local reads it.
 */
#include "resolv.h"
#include "suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* The dns object of a file, printed as Go prints it. */
static void expect(const char *file, const char *want)
{
	cni_auto(free) char *text = strdup(file);
	cni_auto(json) json_t *dns = cni_resolv_parse(text);
	cni_auto(json) json_t *wanted = json_loads(want, 0, NULL);

	ck_assert_ptr_nonnull(dns);
	ck_assert_ptr_nonnull(wanted);
	if (!json_equal(dns, wanted)) {
		cni_auto(buf) struct cni_buf got = { 0 };

		cni_json_print(dns, true, &got);
		ck_assert_str_eq(got.data, want);
	}
}

/* All kinds of lines at once (reference: C6). */
START_TEST(every_kind_of_line)
{
	expect("# comment\n"
	       "; comment too\n"
	       "\n"
	       "   \t\n"
	       "nameserver 1.1.1.1\n"
	       "  nameserver\t8.8.8.8   # more\n"
	       "nameserver fe80::1%eth0\n"
	       "nameserver notanip extra\n"
	       "nameserver\n"
	       "NAMESERVER 9.9.9.9\n"
	       "nameservers 9.9.9.9\n"
	       "domain a.b\n"
	       "domain c.d e.f\n"
	       "search x.y z.w\n"
	       "search q.r # foo\n"
	       "options ndots:5 timeout:1\n"
	       "options rotate\n"
	       "sortlist 1.2.3.0\n"
	       "nameserver 7.7.7.7",
	       "{\"domain\":\"c.d\",\"nameservers\":[\"1.1.1.1\",\"8.8.8.8\",\"fe80::1%eth0\","
	       "\"notanip\",\"7.7.7.7\"],\"options\":[\"ndots:5\",\"timeout:1\",\"rotate\"],"
	       "\"search\":[\"x.y\",\"z.w\",\"q.r\",\"#\",\"foo\"]}");
}
END_TEST

START_TEST(nothing_said_gives_no_keys)
{
	expect("", "{}");
	expect("\n\n", "{}");
	expect("# nameserver 1.1.1.1", "{}");
	expect(" ;nameserver 1.1.1.1\n", "{}");
	expect("nameserver\ndomain\nsearch\noptions\n", "{}");
	expect("nameserver:1.1.1.1 x\n", "{}");
}
END_TEST

START_TEST(lines_end_in_lf_or_crlf)
{
	expect("nameserver 1.1.1.1\r\nsearch a\r\nsearch b\r\n",
	       "{\"nameservers\":[\"1.1.1.1\"],\"search\":[\"a\",\"b\"]}");
}
END_TEST

START_TEST(a_line_may_be_long)
{
	static const char word[] = " 1234567.example";
	cni_auto(buf) struct cni_buf file = { 0 };
	cni_auto(json) json_t *dns = NULL;

	cni_buf_printf(&file, "search");
	for (int i = 0; i < 4000; i++)
		cni_buf_printf(&file, "%s", word);
	ck_assert(!file.failed);
	dns = cni_resolv_parse(file.data);
	ck_assert_uint_eq(json_array_size(json_object_get(dns, "search")), 4000);
	ck_assert_str_eq(json_string_value(json_array_get(json_object_get(dns, "search"), 3999)),
			 word + 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("resolv");
	TCase *tc = tcase_create("resolv");

	suite_add_tcase(suite, tc);
	tcase_add_test(tc, every_kind_of_line);
	tcase_add_test(tc, nothing_said_gives_no_keys);
	tcase_add_test(tc, lines_end_in_lf_or_crlf);
	tcase_add_test(tc, a_line_may_be_long);
	return run_suite(suite);
}
