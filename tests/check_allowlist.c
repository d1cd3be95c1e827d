/*
 * The list of parameters that may be set: what it permits, and what is said when it does not.
 */
#include "allowlist.h"

#include <check.h>
#include <errno.h>
#include <string.h>

#define KEY "net.core.somaxconn"

static int check(const char *list, const char *key, struct cni_error *err)
{
	return cni_allowlist_check(list, strlen(list), key, err);
}

static const struct {
	const char *list, *key;
	int result;
} cases[] = {
	{ "^net.core.somaxconn$\n", KEY, 0 },
	{ "^net.core.somaxconn$", KEY, 0 },
	{ "somax", KEY, 0 },
	{ "\t ^net.core.somaxconn$ \r\n", KEY, 0 },
	{ "x\n\n \n^net.core.somaxconn$\n", KEY, 0 },
	{ "^net.core.somaxconn$", "net/core/somaxconn", 0 },
	{ "^net\\.core\\.somaxconn$", "net/core/somaxconn", -EPERM },
	{ "^net.core.somaxconn$", "net.core.somaxconn2", -EPERM },
	{ "", KEY, -EPERM },
	{ "\n \n", KEY, -EPERM },
	{ "# net.core.somaxconn", KEY, -EPERM },
	{ "^net.ipv4.conf.IFNAME.[a-z_]*$", "net.ipv4.conf.IFNAME.arp_filter", 0 },
	{ "^net.ipv4.conf.eth0.[a-z_]*$", "net.ipv4.conf.IFNAME.arp_filter", -EPERM },
	/* A line after the one that permits is not looked at, as with the Go plugin. */
	{ "somax\n[a", KEY, 0 },
	{ "[a\nsomax", KEY, -EINVAL },
};

START_TEST(a_list_permits_what_one_of_its_lines_does)
{
	struct cni_error err = { 0 };

	ck_assert_int_eq(check(cases[_i].list, cases[_i].key, &err), cases[_i].result);
	ck_assert(err.set == (cases[_i].result != 0));
}
END_TEST

START_TEST(a_refusal_names_the_key_and_the_list)
{
	struct cni_error err = { 0 };

	ck_assert_int_eq(check(" ^a$\n\n^b$ \n", KEY, &err), -EPERM);
	ck_assert_str_eq(err.msg, "Sysctl " KEY " is not allowed. Only the following sysctls are "
				  "allowed: [^a$ ^b$]");
	ck_assert_uint_eq(err.code, CNI_E_CONFIG);
}
END_TEST

START_TEST(a_bad_pattern_is_named)
{
	struct cni_error err = { 0 };

	ck_assert_int_eq(check("^a$\n[b\n", KEY, &err), -EINVAL);
	ck_assert_str_eq(err.msg, "error parsing regexp: missing closing ]: `[b`");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("allowlist");
	TCase *tc = tcase_create("allowlist");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tc);
	tcase_add_loop_test(tc, a_list_permits_what_one_of_its_lines_does, 0,
			    CNI_ARRAY_SIZE(cases));
	tcase_add_test(tc, a_refusal_names_the_key_and_the_list);
	tcase_add_test(tc, a_bad_pattern_is_named);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
