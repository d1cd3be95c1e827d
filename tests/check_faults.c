/*
 * The list of faults that CHECK reports: its form, its order, and what is said when it is too long.
 */
#include "faults.h"
#include "suite.h"

#include <check.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

static json_t *list_of(const struct cni_error *err)
{
	json_error_t why;
	json_t *list = json_loads(err->details, 0, &why);

	ck_assert_msg(json_is_array(list), "%s in: %s", why.text, err->details);
	return list;
}

START_TEST(no_fault_is_no_error)
{
	struct cni_faults f = { 0 };
	struct cni_error err = { 0 };

	ck_assert_int_eq(cni_faults_report(&f, &err), 0);
	ck_assert(!err.set);
}
END_TEST

START_TEST(faults_are_told_in_words_and_as_a_list)
{
	struct cni_faults f = { 0 };
	struct cni_error err = { 0 }, ipam = { 0 };

	cni_faults_add(&f, &(struct cni_fault){ "address", "eth0", "10.1.0.2/24", NULL },
		       "no addr %s", "10.1.0.2/24");
	cni_faults_add(&f, &(struct cni_fault){ "mac", "e\"0", "a", "b" }, "second");
	cni_fail(&ipam, CNI_E_RETRY, ENOENT, "third");
	cni_error_detail(&ipam, "hint");
	cni_faults_add_error(&f, "ipam", &ipam);
	ck_assert_int_lt(cni_faults_report(&f, &err), 0);
	ck_assert_uint_eq(err.code, CNI_E_INTERNAL);
	ck_assert_str_eq(err.msg, "no addr 10.1.0.2/24; second; third: no such file or directory");
	ck_assert_str_eq(
		err.details,
		"[{\"what\":\"address\",\"interface\":\"eth0\",\"want\":\"10.1.0.2/24\","
		"\"have\":null},"
		"{\"what\":\"mac\",\"interface\":\"e\\\"0\",\"want\":\"a\",\"have\":\"b\"},"
		"{\"what\":\"ipam\",\"interface\":null,\"want\":null,\"have\":null,\"code\":11,"
		"\"msg\":\"third: no such file or directory\",\"details\":\"hint\"}]");
	json_decref(list_of(&err));
}
END_TEST

START_TEST(who_fails_without_a_word_is_named)
{
	struct cni_error err = { 0 }, ipam = { 0 };
	struct cni_faults f = { 0 };

	cni_faults_add_error(&f, "ipam", &ipam);
	ck_assert_int_lt(cni_faults_report(&f, &err), 0);
	ck_assert_uint_eq(err.code, CNI_E_INTERNAL);
	ck_assert_str_eq(err.msg, "ipam");
	json_decref(list_of(&err));
}
END_TEST

START_TEST(the_first_fault_gives_the_code)
{
	struct cni_faults f = { 0 };
	struct cni_error err = { 0 }, ipam = { 0 };

	cni_fail(&ipam, 0, 0, "code 0 is a failure, too");
	cni_faults_add_error(&f, "ipam", &ipam);
	cni_faults_add(&f, &(struct cni_fault){ "mac", "eth0", "a", "b" }, "second");
	ck_assert_int_lt(cni_faults_report(&f, &err), 0);
	ck_assert(err.set);
	ck_assert_uint_eq(err.code, 0);
}
END_TEST

/* However many and however long: both texts fit, the list is JSON, and every fault is counted. */
START_TEST(what_finds_no_room_is_counted)
{
	static const size_t lengths[] = { 1, 30, 254, 255, 256, 1000, 1900, 2100, 5000 };
	char text[5001];

	memset(text, _i % 2 ? '\x01' : 'x', sizeof(text) - 1);
	text[lengths[_i / 2]] = '\0';
	for (unsigned int n = 1; n < 60; n++) {
		struct cni_faults f = { 0 };
		struct cni_error err = { 0 };
		unsigned int told = 1, listed;
		json_t *list, *last;
		char more[32];

		for (unsigned int i = 0; i < n; i++)
			cni_faults_add(&f, &(struct cni_fault){ "address", text, text, text },
				       "fault %s", text);
		ck_assert_int_lt(cni_faults_report(&f, &err), 0);
		list = list_of(&err);
		listed = (unsigned int)json_array_size(list);
		last = json_array_get(list, listed - 1);
		if (strcmp(json_string_value(json_object_get(last, "what")), "more") == 0)
			listed += (unsigned int)json_integer_value(json_object_get(last, "count")) -
				  1;
		ck_assert_uint_eq(listed, n);
		json_decref(list);
		for (const char *p = err.msg; (p = strstr(p, "; fault ")); p++)
			told++;
		if (told < n) {
			snprintf(more, sizeof(more), "; and %u more", n - told);
			ck_assert_str_eq(err.msg + strlen(err.msg) - strlen(more), more);
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("faults");
	TCase *tc = tcase_create("faults");

	tcase_add_test(tc, no_fault_is_no_error);
	tcase_add_test(tc, faults_are_told_in_words_and_as_a_list);
	tcase_add_test(tc, who_fails_without_a_word_is_named);
	tcase_add_test(tc, the_first_fault_gives_the_code);
	tcase_add_loop_test(tc, what_finds_no_room_is_counted, 0, 18);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
