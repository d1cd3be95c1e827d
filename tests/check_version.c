/*
 * Versions: which ones a configuration may name for which verb, and the errors of those it may not.
 */
#include "version.h"
#include "suite.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What a verb makes of a version. */
enum outcome {
	OK,
	MEMBER, /* "incompatible CNI versions" */
	CONFIG, /* the configuration is too old for the verb */
	PLUGIN, /* the plugin is too old for the configuration */
	PARSE, /* no version at all */
};

/* The matrix of the reference, A6, for a plugin that supports all versions. */
static const struct {
	const char *version;
	enum outcome add, check, gc; /* DEL is as ADD, STATUS as GC */
	const char *parse; /* the parser's message */
} matrix[] = {
	{ "", OK, CONFIG, CONFIG, NULL },
	{ "0.1.0", OK, CONFIG, CONFIG, NULL },
	{ "0.2.0", OK, CONFIG, CONFIG, NULL },
	{ "0.3.0", OK, CONFIG, CONFIG, NULL },
	{ "0.3.1", OK, CONFIG, CONFIG, NULL },
	{ "0.4.0", OK, OK, CONFIG, NULL },
	{ "1.0.0", OK, OK, CONFIG, NULL },
	{ "1.1.0", OK, OK, OK, NULL },
	{ "1.2.0", MEMBER, PLUGIN, PLUGIN, NULL },
	{ "1.1.1", MEMBER, PLUGIN, PLUGIN, NULL },
	{ "2.0.0", MEMBER, PLUGIN, PLUGIN, NULL },
	{ "0.5.0", MEMBER, MEMBER, CONFIG, NULL },
	{ "1.0", MEMBER, MEMBER, CONFIG, NULL },
	{ "1", MEMBER, MEMBER, CONFIG, NULL },
	{ "1.1", MEMBER, MEMBER, MEMBER, NULL },
	{ "01.1.0", MEMBER, MEMBER, MEMBER, NULL },
	{ "0.0.1", MEMBER, CONFIG, CONFIG, NULL },
	{ "abc", MEMBER, PARSE, PARSE,
	  "failed to convert major version part \"abc\": strconv.Atoi: parsing \"abc\": "
	  "invalid syntax" },
	{ "v1.0.0", MEMBER, PARSE, PARSE,
	  "failed to convert major version part \"v1\": strconv.Atoi: parsing \"v1\": "
	  "invalid syntax" },
	{ "1.x.0", MEMBER, PARSE, PARSE,
	  "failed to convert minor version part \"x\": strconv.Atoi: parsing \"x\": "
	  "invalid syntax" },
	{ "1.0.0-rc1", MEMBER, PARSE, PARSE,
	  "failed to convert micro version part \"0-rc1\": strconv.Atoi: parsing \"0-rc1\": "
	  "invalid syntax" },
	{ "1.0.0 ", MEMBER, PARSE, PARSE,
	  "failed to convert micro version part \"0 \": strconv.Atoi: parsing \"0 \": "
	  "invalid syntax" },
	{ "1..0", MEMBER, PARSE, PARSE,
	  "failed to convert minor version part \"\": strconv.Atoi: parsing \"\": "
	  "invalid syntax" },
	{ ".", MEMBER, PARSE, PARSE,
	  "failed to convert major version part \"\": strconv.Atoi: parsing \"\": "
	  "invalid syntax" },
	{ "1.0.0.0", MEMBER, PARSE, PARSE, "invalid version \"1.0.0.0\": too many parts" },
};

static void expect(const char *version, enum cni_verb verb, enum outcome want, const char *parse)
{
	struct cni_error err = { 0 };
	enum cni_version v = CNI_V0_3_0;
	char msg[256], details[256] = "";
	int r = cni_version_allows(version, verb, CNI_V0_1_0, &v, &err);

	if (want == OK) {
		ck_assert_msg(r == 0, "%s of \"%s\": %s", cni_verb_name(verb), version, err.msg);
		ck_assert_str_eq(cni_version_name(v), *version ? version : "0.1.0");
		return;
	}
	ck_assert_msg(r < 0, "%s of \"%s\" is accepted", cni_verb_name(verb), version);
	ck_assert_int_eq(v, CNI_V0_3_0);
	ck_assert_uint_eq(err.code, want == PARSE ? CNI_E_DECODE : CNI_E_VERSION);
	switch (want) {
	case OK:
	case MEMBER:
		snprintf(msg, sizeof(msg), "incompatible CNI versions");
		snprintf(details, sizeof(details),
			 "config is \"%s\", plugin supports [\"0.1.0\" \"0.2.0\" \"0.3.0\" "
			 "\"0.3.1\" \"0.4.0\" \"1.0.0\" \"1.1.0\"]",
			 version);
		break;
	case CONFIG:
		snprintf(msg, sizeof(msg), "config version does not allow %s", cni_verb_name(verb));
		break;
	case PLUGIN:
		snprintf(msg, sizeof(msg), "plugin version does not allow %s", cni_verb_name(verb));
		break;
	case PARSE:
		snprintf(msg, sizeof(msg), "%s", parse);
		break;
	}
	ck_assert_str_eq(err.msg, msg);
	ck_assert_str_eq(err.details, details);
}

START_TEST(each_verb_of_each_version)
{
	const char *version = matrix[_i].version;

	expect(version, CNI_ADD, matrix[_i].add, matrix[_i].parse);
	expect(version, CNI_DEL, matrix[_i].add, matrix[_i].parse);
	expect(version, CNI_CHECK, matrix[_i].check, matrix[_i].parse);
	expect(version, CNI_GC, matrix[_i].gc, matrix[_i].parse);
	expect(version, CNI_STATUS, matrix[_i].gc, matrix[_i].parse);
}
END_TEST

START_TEST(a_plugin_may_not_support_the_oldest)
{
	struct cni_error err = { 0 };
	enum cni_version v;

	ck_assert_int_lt(cni_version_allows("0.3.1", CNI_ADD, CNI_V0_4_0, &v, &err), 0);
	ck_assert_uint_eq(err.code, CNI_E_VERSION);
	ck_assert_str_eq(err.msg, "incompatible CNI versions");
	ck_assert_str_eq(err.details, "config is \"0.3.1\", plugin supports [\"0.4.0\" "
				      "\"1.0.0\" \"1.1.0\"]");
	ck_assert_int_eq(cni_version_allows("0.4.0", CNI_ADD, CNI_V0_4_0, &v, NULL), 0);
	ck_assert_int_eq(v, CNI_V0_4_0);
	/* "" is 0.1.0, but shown as it was written. */
	err = (struct cni_error){ 0 };
	ck_assert_int_lt(cni_version_allows("", CNI_DEL, CNI_V1_1_0, &v, &err), 0);
	ck_assert_str_eq(err.details, "config is \"\", plugin supports [\"1.1.0\"]");
}
END_TEST

START_TEST(names_go_both_ways)
{
	static const enum cni_shape shapes[CNI_VERSIONS] = {
		CNI_SHAPE_IP4_IP6, CNI_SHAPE_IP4_IP6, CNI_SHAPE_LISTS,	CNI_SHAPE_LISTS,
		CNI_SHAPE_LISTS,   CNI_SHAPE_MODERN,  CNI_SHAPE_MODERN,
	};
	enum cni_version v;
	enum cni_verb verb;

	for (int i = 0; i < CNI_VERSIONS; i++) {
		ck_assert_int_eq(cni_version_find(cni_version_name((enum cni_version)i), &v), 0);
		ck_assert_int_eq(v, i);
		ck_assert_int_eq(cni_version_shape(v), shapes[i]);
	}
	ck_assert_int_eq(cni_version_find("", &v), 0);
	ck_assert_int_eq(v, CNI_V0_1_0);
	ck_assert_int_eq(cni_version_find("1.0", &v), -ENOENT);
	ck_assert_int_eq(cni_version_find("1.0.0 ", &v), -ENOENT);
	for (int i = CNI_ADD; i <= CNI_VERSION; i++) {
		ck_assert_int_eq(cni_verb_find(cni_verb_name((enum cni_verb)i), &verb), 0);
		ck_assert_int_eq(verb, i);
	}
	ck_assert_str_eq(cni_verb_name(CNI_CHECK), "CHECK");
	ck_assert_int_eq(cni_verb_find("add", &verb), -ENOENT);
	ck_assert_int_eq(cni_verb_find("", &verb), -ENOENT);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("version");
	TCase *tc = tcase_create("version");

	suite_add_tcase(suite, tc);
	tcase_add_loop_test(tc, each_verb_of_each_version, 0, CNI_ARRAY_SIZE(matrix));
	tcase_add_test(tc, a_plugin_may_not_support_the_oldest);
	tcase_add_test(tc, names_go_both_ways);
	return run_suite(suite);
}
