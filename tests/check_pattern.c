/*
 * Regular expressions: what is found, what is not, what is refused and in which words. The expected
 * words and outcomes were taken from Go's regexp, by way of the tuning plugin's list of what is allowed.
 */
#include "pattern.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define KEY "net.core.somaxconn"

static int search(const char *pattern, const char *text)
{
	char why[CNI_PATTERN_WHY];

	return cni_pattern_search(pattern, strlen(pattern), text, why);
}

static const struct {
	const char *pattern, *text;
	int found;
} cases[] = {
	/* Not anchored, unless it says so. */
	{ "", "", 1 },
	{ "", KEY, 1 },
	{ "somax", KEY, 1 },
	{ "^somax", KEY, 0 },
	{ "somax$", KEY, 0 },
	{ "^net.core.somaxconn$", KEY, 1 },
	{ "^net.core.somaxconn$", "net/core/somaxconn", 1 },
	{ "^net\\.core\\.somaxconn$", "net/core/somaxconn", 0 },
	{ "\\Anet", KEY, 1 },
	{ "conn\\z", KEY, 1 },
	{ "net\\z", KEY, 0 },
	{ "a$b", "a$b", 0 },
	{ "^^a$$", "a", 1 },
	{ "^*a", "ba", 1 },
	/* Repetition. */
	{ "^a*$", "", 1 },
	{ "^a*$", "aaaa", 1 },
	{ "^a*$", "aab", 0 },
	{ "^a+$", "", 0 },
	{ "^a+b$", "aab", 1 },
	{ "^a?b$", "b", 1 },
	{ "^a?b$", "aab", 0 },
	{ "^a{2}$", "a", 0 },
	{ "^a{2}$", "aa", 1 },
	{ "^a{2}$", "aaa", 0 },
	{ "^a{2,}$", "a", 0 },
	{ "^a{2,}$", "aaaaa", 1 },
	{ "^a{2,4}$", "a", 0 },
	{ "^a{2,4}$", "aa", 1 },
	{ "^a{2,4}$", "aaaa", 1 },
	{ "^a{2,4}$", "aaaaa", 0 },
	{ "^a{0}b$", "b", 1 },
	{ "^a{0}b$", "ab", 0 },
	{ "^a{0,1}b$", "ab", 1 },
	{ "^(ab){2,3}c$", "ababc", 1 },
	{ "^(ab){2,3}c$", "ababababc", 0 },
	{ "^(a|bc){2}$", "abc", 1 },
	{ "^(a|bc){2}$", "abcc", 0 },
	{ "^a*?b+?c??$", "aabb", 1 },
	{ "^(a{2}){3}$", "aaaaaa", 1 },
	{ "^(a{2}){3}$", "aaaaa", 0 },
	{ "a{,2}", "a{,2}", 1 },
	{ "a{1", "a{1", 1 },
	{ "^x{}$", "x{}", 1 },
	{ "(|a)*b", "aab", 1 },
	{ "^(a*)*$", "aaa", 1 },
	{ "^(a*)+$", "b", 0 },
	{ "^()*$", "", 1 },
	{ "^(a|)+$", "aa", 1 },
	/* Alternatives. */
	{ "^(a|b|c)$", "a", 1 },
	{ "^(a|b|c)$", "b", 1 },
	{ "^(a|b|c)$", "c", 1 },
	{ "^(a|b|c)$", "d", 0 },
	{ "x|", "y", 1 },
	{ "|x", "y", 1 },
	{ "^ab|cd$", "xcd", 1 },
	{ "^ab|cd$", "abx", 1 },
	{ "^ab|cd$", "xabcdx", 0 },
	{ "^(a|(b|(c|d)))e$", "de", 1 },
	/* Classes. */
	{ "^[a-c]+$", "abc", 1 },
	{ "^[a-c]+$", "abd", 0 },
	{ "^[^a-c]$", "d", 1 },
	{ "^[^a-c]$", "a", 0 },
	{ "^[]a]$", "]", 1 },
	{ "^[^]a]$", "]", 0 },
	{ "^[a-]$", "-", 1 },
	{ "^[-a]$", "-", 1 },
	{ "^[a\\-z]$", "m", 0 },
	{ "^[a\\-z]$", "-", 1 },
	{ "^[[:digit:]]+$", "0987", 1 },
	{ "^[[:^digit:]]+$", "0", 0 },
	{ "^[[:word:]]+$", "a_9Z", 1 },
	{ "^[[:alpha:][:punct:]]+$", "a.B", 1 },
	{ "^[[:alpha:]]$", "1", 0 },
	{ "[[:xdigit:]]", "g", 0 },
	{ "[[:cntrl:]]", "a b", 0 },
	{ "[[:space:]]", "a b", 1 },
	{ "[:alpha:]", "lower", 1 },
	{ "^[:alpha:]$", "z", 0 },
	{ "^\\d+$", "42", 1 },
	{ "^\\d$", "d", 0 },
	{ "^\\D$", "4", 0 },
	{ "^\\D$", "d", 1 },
	{ "^\\w+$", "a_1", 1 },
	{ "^\\W$", "a", 0 },
	{ "^\\W$", ".", 1 },
	{ "^\\s$", "\t", 1 },
	{ "^\\S$", "\t", 0 },
	{ "^[\\d.]+$", "10.1", 1 },
	{ "^[^\\d]$", "1", 0 },
	{ "^[\\D]$", "1", 0 },
	{ "^[^\\D]$", "1", 1 },
	{ "^.$", "/", 1 },
	{ "^.$", "\n", 0 },
	{ "(?s)^.$", "\n", 1 },
	/* Escapes. */
	{ "^\\.$", ".", 1 },
	{ "^\\.$", "x", 0 },
	{ "^\\x41$", "A", 1 },
	{ "^\\x{41}$", "A", 1 },
	{ "^\\x{1F600}$", "\xf0\x9f\x98\x80", 1 },
	{ "^\\101$", "A", 1 },
	{ "^\\t\\n\\r\\f\\v\\a$", "\t\n\r\f\v\a", 1 },
	{ "^\\_\\-\\/$", "_-/", 1 },
	{ "^\\Qa.b\\E$", "a.b", 1 },
	{ "^\\Qa.b\\E$", "axb", 0 },
	{ "^\\Qab\\E+$", "abbb", 1 },
	{ "^\\Qa*", "a*", 1 },
	{ "^\\Q|)(", "|)(", 1 },
	{ "\\bcore\\b", KEY, 1 },
	{ "\\bore\\b", KEY, 0 },
	{ "\\Bore\\b", KEY, 1 },
	/* Groups and flags. */
	{ "^(?:ab)+$", "abab", 1 },
	{ "^(?P<name>ab)$", "ab", 1 },
	{ "^(?<name>ab)$", "ab", 1 },
	{ "(?i)^NET", KEY, 1 },
	{ "^NET", KEY, 0 },
	{ "(?i)^[N][^x]T", KEY, 1 },
	{ "(?i)^[^n]", KEY, 0 },
	{ "^(?i:N)et", KEY, 1 },
	{ "^(?i:N)ET", KEY, 0 },
	{ "^((?i)N)ET", KEY, 0 },
	{ "(?i)n(?-i)ET", KEY, 0 },
	{ "(?i)n(?-i)et", KEY, 1 },
	{ "(?m)^b$", "a\nb\nc", 1 },
	{ "^b$", "a\nb\nc", 0 },
	{ "(?U)^a+$", "aa", 1 },
	{ "(?is-m)^A.B$", "a\nb", 1 },
	/* Beyond ASCII: whole characters. */
	{ "^\xc3\xa4+$", "\xc3\xa4\xc3\xa4", 1 },
	{ "^.$", "\xc3\xa4", 1 },
	{ "^[\xc3\xa0-\xc3\xb0]$", "\xc3\xa4", 1 },
	{ "^[^a]$", "\xc3\xa4", 1 },
	{ "^\\W$", "\xc3\xa4", 1 },
	{ "^\xef\xbf\xbd$", "\xff", 1 },
	{ "# a comment \xe2\x80\x94 or so", KEY, 0 },
};

START_TEST(finds_what_re2_finds)
{
	ck_assert_msg(search(cases[_i].pattern, cases[_i].text) == cases[_i].found, "%s in %s: %d",
		      cases[_i].pattern, cases[_i].text, search(cases[_i].pattern, cases[_i].text));
}
END_TEST

static const struct {
	const char *pattern, *why;
} refused[] = {
	{ "(a", "missing closing ): `(a`" },
	{ "a(b(c)", "missing closing ): `a(b(c)`" },
	{ "a)", "unexpected ): `a)`" },
	{ "*a", "missing argument to repetition operator: `*`" },
	{ "|*", "missing argument to repetition operator: `*`" },
	{ "(+)", "missing argument to repetition operator: `+`" },
	{ "(?i)*", "missing argument to repetition operator: `*`" },
	{ "a**", "invalid nested repetition operator: `**`" },
	{ "a{2}{3}", "invalid nested repetition operator: `{2}{3}`" },
	{ "[b-a]", "invalid character class range: `b-a`" },
	{ "[[:foo:]]", "invalid character class range: `[:foo:]`" },
	{ "[a", "missing closing ]: `[a`" },
	{ "[]a", "missing closing ]: `[]a`" },
	{ "[a-", "missing closing ]: `[a-`" },
	{ "[", "missing closing ]: `[`" },
	{ "[a-\\d]", "invalid escape sequence: `\\d`" },
	{ "\\", "trailing backslash at end of expression: ``" },
	{ "[\\", "trailing backslash at end of expression: ``" },
	{ "\\q", "invalid escape sequence: `\\q`" },
	{ "\\8", "invalid escape sequence: `\\8`" },
	{ "\\1", "invalid escape sequence: `\\1`" },
	{ "\\x4", "invalid escape sequence: `\\x4`" },
	{ "\\x{110000}", "invalid escape sequence: " },
	{ "\\x{}", "invalid escape sequence: " },
	{ "\\pN", "invalid escape sequence: `\\p`" },
	{ "a{2000}", "invalid repeat count: `{2000}`" },
	{ "a{2,1}", "invalid repeat count: `{2,1}`" },
	{ "a{99999999999999999999}", "invalid repeat count: `{99999999999999999999}`" },
	{ "(((a{100}){100}){100})", "expression too large: `" },
	{ "(?z)a", "invalid or unsupported Perl syntax: `(?z`" },
	{ "(?i", "invalid or unsupported Perl syntax: `(?i`" },
	{ "(?-", "invalid or unsupported Perl syntax: `(?-`" },
	{ "(?)", "invalid or unsupported Perl syntax: `(?)`" },
	{ "(?=a)", "invalid or unsupported Perl syntax: `(?=`" },
	{ "(?P<n>a", "missing closing ): `(?P<n>a`" },
	{ "(?P<>a)", "invalid named capture: `(?P<`" },
	{ "a\xff", "invalid UTF-8: `" },
};

START_TEST(refuses_in_go_s_words)
{
	const char *pattern = refused[_i].pattern;
	char why[CNI_PATTERN_WHY] = "";

	ck_assert_int_eq(cni_pattern_search(pattern, strlen(pattern), "a", why), -EINVAL);
	ck_assert_msg(strstr(why, "error parsing regexp: ") == why &&
			      strstr(why, refused[_i].why) != NULL,
		      "%s: %s", pattern, why);
}
END_TEST

START_TEST(what_hangs_others_takes_no_time)
{
	char text[2001] = "";

	memset(text, 'a', sizeof(text) - 1);
	ck_assert_int_eq(search("^(a*)*(a|a)*(a?){500}a*b$", text), 0);
	ck_assert_int_eq(search("^(a|aa)+$", text), 1);
}
END_TEST

START_TEST(deep_nesting_is_refused)
{
	char pattern[100001] = "", why[CNI_PATTERN_WHY];

	memset(pattern, '(', sizeof(pattern) - 1);
	ck_assert_int_eq(cni_pattern_search(pattern, sizeof(pattern) - 1, "a", why), -EINVAL);
	ck_assert_ptr_nonnull(strstr(why, "nests too deeply"));
	memset(pattern, '|', sizeof(pattern) - 1);
	ck_assert_int_eq(cni_pattern_search(pattern, sizeof(pattern) - 1, "a", why), -EINVAL);
}
END_TEST

/* A NUL is a character like others; only a configuration never has one. */
START_TEST(zero_bytes_match_nothing)
{
	char why[CNI_PATTERN_WHY];

	ck_assert_int_eq(cni_pattern_search("a\0b", 3, "a", why), 0);
	ck_assert_int_eq(cni_pattern_search("\\\0", 2, "a", why), 0);
	ck_assert_int_eq(cni_pattern_search("a$\0*", 4, "a", why), 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pattern");
	TCase *tc = tcase_create("pattern");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tc, finds_what_re2_finds, 0, ARRAY_SIZE(cases));
	tcase_add_loop_test(tc, refuses_in_go_s_words, 0, ARRAY_SIZE(refused));
	tcase_add_test(tc, what_hangs_others_takes_no_time);
	tcase_add_test(tc, deep_nesting_is_refused);
	tcase_add_test(tc, zero_bytes_match_nothing);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
