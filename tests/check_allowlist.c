/*
 * The list of parameters that may be set: what it permits, and what is said when it does not. What lines
 * of RE2's syntax permit was compared with Go's regexp.
 */
#include "allowlist.h"
#include "suite.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
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
	/* One bad line, wherever, and nothing is permitted. */
	{ "somax\n[a", KEY, -EINVAL },
	{ "[a\nsomax", KEY, -EINVAL },
	/* Characters that libc and RE2 might see differently. */
	{ ".", "net.\xc3\xa4", -EPERM },
	{ ".", "net.\n", -EPERM },
	{ ".", "\x7f", -EPERM },
	{ "# \xc3\xa4 \xe2\x80\x94 a comment\nsomax", KEY, 0 },
	{ "net\xc3\xa4?\\.", KEY, 0 },
	{ "net[\xc3\xa4.]core[^\xc3\xa4]somax", KEY, 0 },
	{ "net\xc3\xa4", KEY, -EPERM },
	/* Anchors. */
	{ "^core", KEY, -EPERM },
	{ "net$", KEY, -EPERM },
	{ "^net|^core", KEY, 0 },
	{ "^core|conn$", KEY, 0 },
	{ "^core|net$", KEY, -EPERM },
	{ "(^net|^core).core", KEY, 0 },
	{ "a^b", "a^b", -EPERM },
	{ "a$b", "a$b", -EPERM },
	/* Repetitions. */
	{ "^a*$", "", 0 },
	{ "^a+$", "", -EPERM },
	{ "^a?b$", "aab", -EPERM },
	{ "^a*?b+?c??$", "aabb", 0 },
	{ "^a{2}$", "aaa", -EPERM },
	{ "^a{2,}$", "aaa", 0 },
	{ "^a{2,4}$", "aaaaa", -EPERM },
	{ "^a{2,4}?$", "aaaa", 0 },
	{ "^a{2,4}$", "aaaa", 0 },
	{ "^a{2,4}$", "a", -EPERM },
	{ "^a{0,3}$", "aaa", 0 },
	{ "^a{0,3}$", "aaaa", -EPERM },
	{ "^a{0,3}b$", "b", 0 },
	{ "^(ab){0,}c$", "c", 0 },
	{ "^(ab){1,}c$", "c", -EPERM },
	{ "^(ab|[c-e]){1,3}f$", "abdabf", 0 },
	{ "^a{0}b$", "b", 0 },
	{ "^a{0}b$", "ab", -EPERM },
	{ "^((ab){2}c){2}$", "ababcababc", 0 },
	{ "^([a-z0-9]{1,3}\\.){2}x$", "ab.c1.x", 0 },
	{ "^a{255}$", "a", -EPERM },
	/* Alternatives and groups. */
	{ "^net\\.(core|ipv4)\\.", KEY, 0 },
	{ "^net\\.(?:core|ipv4)\\.", KEY, 0 },
	{ "^net\\.(ipv6|ipv4)\\.", KEY, -EPERM },
	{ "^(a|(b|(c|d)))e$", "de", 0 },
	{ "a]}", "a]}", 0 },
	/* Classes. */
	{ "^[a-c]+$", "abd", -EPERM },
	{ "^[^a-c]$", "d", 0 },
	{ "^[]a]$", "]", 0 },
	{ "^[^]a]$", "]", -EPERM },
	{ "^[a-]$", "-", 0 },
	{ "^[a-c-e]+$", "-", 0 },
	{ "^[a-c-e]+$", "d", -EPERM },
	{ "^[a\\-z]$", "m", -EPERM },
	{ "^[a\\-z]$", "-", 0 },
	{ "^[\\]\\\\\\[\\^]{4}$", "]\\[^", 0 },
	{ "^[\\^a]$", "b", -EPERM },
	{ "^[\\[:a]$", ":", 0 },
	{ "^[!-~]+$", "!+,-./Z[\\]^_~", 0 },
	{ "^[!-~]+$", "a b", -EPERM },
	{ "^[+-.]+$", "+,-.", 0 },
	{ "^[+-.]$", "/", -EPERM },
	{ "^[Z-_]+$", "Z[\\]^_", 0 },
	{ "^[Z-_]$", "`", -EPERM },
	{ "^[^,-a]+$", "+b", 0 },
	{ "^[\\d.]+$", "10.1", 0 },
	{ "^[^\\d]$", "1", -EPERM },
	{ "^[^\\D]$", "1", 0 },
	{ "^[\\w-]+$", "a_-1", 0 },
	{ "[^\\w\\W]", KEY, -EPERM },
	{ "^[[:alpha:][:punct:]]+$", "a.B", 0 },
	{ "^[[:alpha:]]$", "1", -EPERM },
	{ "^[:alpha:]$", "z", -EPERM },
	{ "^\\d+$", "42", 0 },
	{ "^\\d$", "d", -EPERM },
	{ "^\\D$", "4", -EPERM },
	{ "^\\w+$", "a_1", 0 },
	{ "^\\W$", "a", -EPERM },
	{ "^\\W$", ".", 0 },
	{ "^\\s\\S$", " x", 0 },
	/* Escapes; what glibc takes for the ends of words and of the text is a character in RE2. */
	{ "^\\.$", "x", -EPERM },
	{ "^\\_\\-\\/\\ \\{\\}$", "_-/ {}", 0 },
	{ "\\<net", KEY, -EPERM },
	{ "\\<net\\>", "<net>", 0 },
	{ "\\`net", KEY, -EPERM },
	{ "conn\\'", KEY, -EPERM },
};

START_TEST(a_list_permits_what_one_of_its_lines_does)
{
	struct cni_error err = { 0 };

	ck_assert_msg(check(cases[_i].list, cases[_i].key, &err) == cases[_i].result,
		      "%s and %s: %s", cases[_i].list, cases[_i].key, err.msg);
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

static const struct {
	const char *line, *msg;
} refused[] = {
	/* RE2's alone. */
	{ "(?i)a", "at \"(?i)a\": not here; write it as a POSIX" },
	{ "a(?P<n>b)", "at \"(?P<n>b)\": not here" },
	{ "a(?", "at \"(?\": not here" },
	{ "\\bnet", "at \"\\bnet\": not here" },
	{ "\\Bnet", "not here" },
	{ "\\Anet", "not here" },
	{ "net\\z", "not here" },
	{ "\\Qa.b\\E", "not here" },
	{ "\\x41", "not here" },
	{ "\\101", "not here" },
	{ "\\1", "not here" },
	{ "\\t", "not here" },
	{ "\\C", "not here" },
	{ "\\pN", "not here" },
	{ "[\\pN]", "not here" },
	{ "[\\b]", "not here" },
	{ "[[:word:]]", "not here" },
	{ "[[:^digit:]]", "not here" },
	{ "[[.a.]]", "not here" },
	{ "[[=a=]]", "not here" },
	{ "[a-[:digit:]]", "not here" },
	/* What POSIX leaves open, or reads in another way. */
	{ "a{,2}", "at \"{,2}\": no repetition" },
	{ "a{1", "no repetition" },
	{ "a{}", "no repetition" },
	{ "a{01}", "no repetition" },
	{ "{", "a repetition of nothing" },
	{ "^*a", "a repetition of nothing" },
	{ "a|", "nothing there" },
	{ "(|a)", "nothing there" },
	{ "()", "nothing there" },
	{ "(a{0}|b)", "nothing there" },
	/* RE2 refuses it, too. */
	{ "*a", "a repetition of nothing" },
	{ "a|*", "a repetition of nothing" },
	{ "(+)", "a repetition of nothing" },
	{ "a**", "a repetition of a repetition" },
	{ "a*??", "a repetition of a repetition" },
	{ "a{2}{3}", "a repetition of a repetition" },
	{ "a{2,1}", "no repetition" },
	{ "(a", "missing )" },
	{ "a)", "unexpected )" },
	{ "[a", "missing ]" },
	{ "[]a", "missing ]" },
	{ "[a-", "missing ]" },
	{ "[b-a]", "the range ends before it begins" },
	{ "[a-\\d]", "not here" },
	{ "a\\", "not here" },
	{ "[\\", "not here" },
	{ "a\xff", "invalid UTF-8" },
	/* glibc finds it where it is not. */
	{ "([ab]$|c){2}", "repeats an anchor" },
	{ "a((^b))?", "repeats an anchor" },
	/* musl does not find it where it is. */
	{ "^$|a?", "may be empty in several ways, and with an anchor" },
	{ "a(b*|c|(^|d))", "may be empty in several ways" },
	/* What could take libc much memory or time. */
	{ "a{256}", "no repetition, or more than 255" },
	{ "a{99999999999999999999}", "no repetition, or more than 255" },
	{ "((a{100}){100}){100}", "too large, with this written out" },
	{ "(((((a+)+)+)+)+)+((((((((((b+)+)+)+)+)+)+)+)+)+)+", "too large, with this written out" },
	{ "(a*)*", "repeats for ever what may be empty" },
	{ "((a?|b?)(a|b?))+", "repeats for ever what may be empty" },
	{ "(a?){2,}", "repeats for ever what may be empty" },
	{ "(((((((((((((((((((((((((((((((((a)))))))))))))))))))))))))))))))))",
	  "nests too deeply" },
};

START_TEST(a_line_that_re2_might_read_differently_is_refused)
{
	char list[128];

	snprintf(list, sizeof(list), "net\n\n%s\n", refused[_i].line);
	for (int i = 0; i < 2; i++) {
		struct cni_error err = { 0 };

		ck_assert_int_eq(check(list, i ? KEY : "", &err), -EINVAL);
		ck_assert_uint_eq(err.code, CNI_E_CONFIG);
		ck_assert_msg(strncmp(err.msg, "line 3: ", 8) == 0 &&
				      strstr(err.msg, refused[_i].msg) != NULL,
			      "%s: %s", refused[_i].line, err.msg);
	}
}
END_TEST

/* What fits is compiled in no time and little memory; what would not be is refused. */
START_TEST(the_worst_lines_are_small)
{
	static const struct {
		const char *part;
		int fits, n;
	} worst[] = {
		{ "^", 256, 1024 }, { "(^a?|b)", 75, 146 }, { "(a?|b?)", 51, 146 },
		{ "a?", 120, 500 }, { "a{0,9}", 13, 170 },
	};

	for (size_t i = 0; i < CNI_ARRAY_SIZE(worst); i++) {
		char list[1025] = "";

		for (int n = 1; n <= worst[i].n; n++) {
			strcat(list, worst[i].part);
			if (n == worst[i].fits)
				ck_assert_int_eq(check(list, "", NULL), 0);
		}
		ck_assert_int_eq(check(list, "", NULL), -EINVAL);
	}
}
END_TEST

START_TEST(a_line_that_is_too_long_is_refused)
{
	char list[1026] = "";

	memset(list, 'a', 1024);
	ck_assert_int_eq(check(list, KEY, NULL), -EPERM);
	memset(list, 'a', 1025);
	ck_assert_int_eq(check(list, KEY, NULL), -EINVAL);
	ck_assert_int_eq(cni_allowlist_check("a\0b", 3, "a", NULL), -EINVAL);
}
END_TEST

START_TEST(a_key_that_is_too_long_is_not_permitted)
{
	char key[257] = "";

	memset(key, 'a', 255);
	ck_assert_int_eq(check("^a", key, NULL), 0);
	memset(key, 'a', 256);
	ck_assert_int_eq(check("^a", key, NULL), -EPERM);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("allowlist");
	TCase *tc = tcase_create("allowlist");

	suite_add_tcase(suite, tc);
	tcase_add_loop_test(tc, a_list_permits_what_one_of_its_lines_does, 0,
			    CNI_ARRAY_SIZE(cases));
	tcase_add_test(tc, a_refusal_names_the_key_and_the_list);
	tcase_add_loop_test(tc, a_line_that_re2_might_read_differently_is_refused, 0,
			    CNI_ARRAY_SIZE(refused));
	tcase_add_test(tc, the_worst_lines_are_small);
	tcase_add_test(tc, a_line_that_is_too_long_is_refused);
	tcase_add_test(tc, a_key_that_is_too_long_is_not_permitted);
	return run_suite(suite);
}
