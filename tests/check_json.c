/*
 * JSON in Go's dialect: what is taken, the normal form it is brought into, the messages about wrong
 * types, and the text that is printed.
 */
#include "json.h"
#include "suite.h"

#include <check.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- normal form ---- */

/* Parse from memory that ends with the text, so that AddressSanitizer sees a byte read too many. */
static json_t *parse(const char *text, size_t len, char why[static JSON_ERROR_TEXT_LENGTH])
{
	char *copy = malloc(len ? len : 1);
	json_t *doc;

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, text, len);
	doc = cni_json_parse(copy, len, why);
	free(copy);
	return doc;
}

static void expect(const char *text, const char *want)
{
	char why[JSON_ERROR_TEXT_LENGTH] = "";
	cni_auto(json) json_t *doc = parse(text, strlen(text), why);
	cni_auto(buf) struct cni_buf got = { 0 };

	ck_assert_msg(doc != NULL, "%s: %s", text, why);
	cni_json_print(doc, true, &got);
	ck_assert_str_eq(got.data, want);
}

static const struct {
	const char *text, *normal;
} documents[] = {
	/* keys fold to their documented spelling; others stay as they are */
	{ "{\"CNIVERSION\":\"1\",\"Ipam\":{\"TYPE\":\"x\"}}",
	  "{\"cniVersion\":\"1\",\"ipam\":{\"type\":\"x\"}}" },
	{ "{\"Foo\":1,\"foo\":2}", "{\"Foo\":1,\"foo\":2}" },
	{ "[{\"MTU\":1},{\"x\":{\"MTU\":2}}]", "[{\"mtu\":1},{\"x\":{\"mtu\":2}}]" },
	{ "{\"sysctl\":{\"NAME\":\"1\",\"x\":{\"Mtu\":1}},\"NAME\":\"n\"}",
	  "{\"sysctl\":{\"NAME\":\"1\",\"x\":{\"Mtu\":1}},\"name\":\"n\"}" },
	/* null means "not given", but a list keeps its length */
	{ "{\"bridge\":null,\"ipam\":{\"type\":null},\"x\":[null,{\"y\":null}]}",
	  "{\"ipam\":{},\"x\":[null,{}]}" },
	{ "null", "null" },
	{ "{\"mtu\":1,\"mtu\":null}", "{\"mtu\":1}" },
	{ "{\"mtu\":null,\"MTU\":1}", "{\"mtu\":1}" },
	/* a number that no C type holds matters only to who reads it */
	{ "{\"foo\":18446744073709551616,\"bar\":-1e999,\"n\":12}",
	  "{\"foo\":1.0000000000000001e+300,\"bar\":1.0000000000000001e+300,\"n\":12}" },
	/* there is one zero */
	{ "[-0e0,-0.0,-0,0.5]", "[0,0,0,0.5]" },
	/* the last one wins, folded or not */
	{ "{\"mtu\":1,\"mtu\":2}", "{\"mtu\":2}" },
	{ "{\"mtu\":1,\"MTU\":2}", "{\"mtu\":2}" },
	{ "{\"MTU\":1,\"mtu\":2}", "{\"mtu\":2}" },
	{ "{\"mtu\":1,\"MTU\":2,\"mtu\":3}", "{\"mtu\":3}" },
	{ "{\"MTU\":1,\"mtu\":2,\"MTU\":3}", "{\"mtu\":3}" },
	{ "{\"foo\":1,\"foo\":2}", "{\"foo\":2}" },
	{ "{\"a\":{\"mtu\":1,\"mtu\":2}}", "{\"a\":{\"mtu\":2}}" },
	{ "{\"ips\":[1,2],\"ips\":[3]}", "{\"ips\":[3]}" },
	{ "{\"mtu\" \n:1,\"mtu\"\t:2}", "{\"mtu\":2}" },
	{ "{\"k\":\"mtu\",\"mtu\":1,\"mtu\":\"a:b\"}", "{\"k\":\"mtu\",\"mtu\":\"a:b\"}" },
	/* objects merge, at every depth */
	{ "{\"args\":{\"cni\":{\"mac\":\"a\"}},\"args\":{\"cni\":{}}}",
	  "{\"args\":{\"cni\":{\"mac\":\"a\"}}}" },
	{ "{\"args\":{\"cni\":{\"mac\":\"a\"}},\"ARGS\":{\"CNI\":{\"ips\":[]}}}",
	  "{\"args\":{\"cni\":{\"mac\":\"a\",\"ips\":[]}}}" },
	{ "{\"args\":{\"cni\":{\"mac\":\"a\"}},\"args\":{\"cni\":{\"MAC\":\"b\"}},\"x\":1}",
	  "{\"args\":{\"cni\":{\"mac\":\"b\"}},\"x\":1}" },
	{ "{\"dns\":{\"domain\":\"a\"},\"dns\":null}", "{\"dns\":{\"domain\":\"a\"}}" },
	/* what is no Unicode becomes U+FFFD, byte by byte */
	{ "{\"a\":\"x\xffy\"}", "{\"a\":\"x\xef\xbf\xbdy\"}" },
	{ "\"\xc3\"", "\"\xef\xbf\xbd\"" },
	{ "\"\xe2\x82\"", "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
	{ "\"\xc0\x80\"", "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
	{ "\"\xed\xa0\x80\"", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
	{ "\"\xf4\x90\x80\x80\"", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
	{ "\"\xf5\x80\x80\x80\"", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
	{ "\"\xf0\x9f\x98\x80\xc3\xa4\xff\"", "\"\xf0\x9f\x98\x80\xc3\xa4\xef\xbf\xbd\"" },
	{ "{\"\xff\":1,\"MTU\":2}", "{\"\xef\xbf\xbd\":1,\"mtu\":2}" },
	{ "{\"mtu\":1,\"mtu\":2,\"a\":\"\xff\\\"\"}", "{\"mtu\":2,\"a\":\"\xef\xbf\xbd\\\"\"}" },
	{ "\"\\ud800\"", "\"\xef\xbf\xbd\"" },
	{ "\"\\uDC00x\"", "\"\xef\xbf\xbdx\"" },
	{ "\"\\ud800\\u0041\"", "\"\xef\xbf\xbd"
				"A\"" },
	{ "\"\\ud800\\ud83d\\ude00\"", "\"\xef\xbf\xbd\xf0\x9f\x98\x80\"" },
	{ "\"\\ud83d\\uDE00\"", "\"\xf0\x9f\x98\x80\"" },
	{ "\"\\\\ud800\"", "\"\\\\ud800\"" },
	{ "{\"\\ud800\":\"\\ud800\\n\"}", "{\"\xef\xbf\xbd\":\"\xef\xbf\xbd\\n\"}" },
	/* any value, any white space around it */
	{ " \t\r\n{ } \t\r\n", "{}" },
	{ "true", "true" },
	{ "-0", "0" },
	{ "9223372036854775807", "9223372036854775807" },
	{ "-9223372036854775808", "-9223372036854775808" },
	{ "\"\\u0041\\/\"", "\"A/\"" },
	{ "\"\x7f\"", "\"\x7f\"" },
};

START_TEST(a_document_is_brought_into_normal_form)
{
	expect(documents[_i].text, documents[_i].normal);
}
END_TEST

/* Every key that the plugins, results and errors have, in its documented spelling. */
static const char *const documented[] = {
	"acceptRA",
	"cniVersion",
	"name",
	"type",
	"args",
	"capabilities",
	"runtimeConfig",
	"prevResult",
	"ipam",
	"dns",
	"ips",
	"mac",
	"cni",
	"ipRanges",
	"cni.dev/valid-attachments",
	"cni.dev/attachments",
	"containerID",
	"ifname",
	"bridge",
	"isGateway",
	"isDefaultGateway",
	"forceAddress",
	"ipMasq",
	"ipMasqBackend",
	"mtu",
	"hairpinMode",
	"promiscMode",
	"vlan",
	"vlanTrunk",
	"preserveDefaultVlan",
	"macspoofchk",
	"disableContainerInterface",
	"portIsolation",
	"enabledad",
	"id",
	"minID",
	"maxID",
	"dataDir",
	"resolvConf",
	"routes",
	"ranges",
	"subnet",
	"rangeStart",
	"rangeEnd",
	"gateway",
	"addresses",
	"address",
	"interfaces",
	"interface",
	"sandbox",
	"socketPath",
	"pciID",
	"dst",
	"gw",
	"advmss",
	"priority",
	"table",
	"scope",
	"version",
	"ip4",
	"ip6",
	"ip",
	"nameservers",
	"domain",
	"search",
	"options",
	"code",
	"msg",
	"details",
};

START_TEST(every_documented_key_is_folded)
{
	const char *key = documented[_i];
	char upper[64] = "", lower[64] = "", text[160], want[160];

	for (size_t i = 0; key[i]; i++) {
		upper[i] = (char)toupper((unsigned char)key[i]);
		lower[i] = (char)tolower((unsigned char)key[i]);
	}
	snprintf(want, sizeof(want), "{\"%s\":2}", key);
	snprintf(text, sizeof(text), "{\"%s\":2}", upper);
	expect(text, want);
	snprintf(text, sizeof(text), "{\"%s\":1,\"%s\":2}", upper, lower);
	expect(text, want);
}
END_TEST

static const char *const refused[] = {
	"", /* an empty document */
	" ",
	"{",
	"{}x",
	"{}{}",
	"{} // comment",
	"/* comment */{}",
	"\xef\xbb\xbf{}", /* a byte order mark */
	"{\"a\":1,}",
	"[1,]",
	"{a:1}",
	"{'a':1}",
	"{\"a\" 1}",
	"{\"a\":}",
	"{1:2}",
	"\"a\nb\"",
	"\"a\tb\"",
	"\"a",
	"\"a\\",
	"\"a\\\"",
	"\"\\x\"",
	"\"\\u12\"",
	"\"\\u12g4\"",
	"\"\\ud8\x10\x10\"", /* control characters are no digits */
	"\"\\",
	"01",
	"+1",
	"1.",
	".5",
	"0x10",
	"NaN",
	"nul",
	"True",
	"{\"mtu\":1,\"mtu\":2",
	"{\"mtu\":1,\"mtu\":2}x",
	"{\"a\":\"\xff\"}x",
	"\xff",
	"{\"a\":\xff}",
};

START_TEST(what_is_no_json_is_refused_with_a_reason)
{
	char why[JSON_ERROR_TEXT_LENGTH] = "";
	json_t *doc = parse(refused[_i], strlen(refused[_i]), why);

	ck_assert_msg(!doc, "%s is accepted", refused[_i]);
	ck_assert_str_ne(why, "");
	if (_i == 0)
		ck_assert_str_eq(why, "unexpected end of JSON input");
	else
		ck_assert_msg(strncmp(why, "line ", 5) == 0, "%s", why);
}
END_TEST

START_TEST(a_nul_byte_is_refused)
{
	static const struct {
		const char *text;
		size_t len;
	} in[] = {
		{ "{}\0", 3 },
		{ "{\"a\":\"\0\"}", 9 },
		{ "{\"a\0b\":1,\"a\0b\":2}", 17 },
		/* Go takes it; here a text could be cut short by it unseen. */
		{ "{\"name\":\"a\\u0000b\"}", 19 },
	};

	for (size_t i = 0; i < CNI_ARRAY_SIZE(in); i++) {
		char why[JSON_ERROR_TEXT_LENGTH] = "";

		ck_assert_ptr_null(parse(in[i].text, in[i].len, why));
		ck_assert_str_ne(why, "");
	}
}
END_TEST

START_TEST(a_reason_tells_the_place_in_the_users_text)
{
	char why[JSON_ERROR_TEXT_LENGTH] = "";

	ck_assert_ptr_null(parse("{\n\"mtu\": x}", 11, why));
	ck_assert_msg(strncmp(why, "line 2 column ", 14) == 0, "%s", why);
}
END_TEST

START_TEST(depth_has_a_limit_and_no_effect_before_it)
{
	for (size_t depth = 1; depth <= 100000; depth *= 10) {
		char *text = malloc(2 * depth), why[JSON_ERROR_TEXT_LENGTH] = "";
		json_t *doc;

		ck_assert_ptr_nonnull(text);
		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		doc = parse(text, 2 * depth, why);
		ck_assert_msg((doc != NULL) == (depth <= 1000), "%zu: %s", depth, why);
		if (doc) {
			cni_auto(buf) struct cni_buf got = { 0 };

			cni_json_print(doc, true, &got);
			ck_assert_uint_eq(got.len, 2 * depth);
		} else {
			ck_assert_str_ne(why, "");
		}
		json_decref(doc);
		free(text);
	}
}
END_TEST

/* ---- reading ---- */

struct members {
	const char *string;
	bool boolean;
	json_int_t integer, choice;
	json_t *object, *array, *strings;
};

static const struct cni_json_field fields[] = {
	{ "string", CNI_JSON_STRING, offsetof(struct members, string) },
	{ "boolean", CNI_JSON_BOOL, offsetof(struct members, boolean) },
	{ "integer", CNI_JSON_INT, offsetof(struct members, integer) },
	{ "choice", CNI_JSON_INT_OR_AUTO, offsetof(struct members, choice) },
	{ "object", CNI_JSON_OBJECT, offsetof(struct members, object) },
	{ "array", CNI_JSON_ARRAY, offsetof(struct members, array) },
	{ "strings", CNI_JSON_STRINGS, offsetof(struct members, strings) },
};

START_TEST(members_are_set_or_left_alone)
{
	char why[JSON_ERROR_TEXT_LENGTH];
	const char text[] = "{\"string\":\"s\",\"boolean\":true,\"integer\":-5,\"object\":{},"
			    "\"array\":[1],\"strings\":[\"a\"],\"more\":1}";
	cni_auto(json) json_t *obj = parse(text, strlen(text), why);
	cni_auto(json) json_t *empty = json_object();
	struct members m = { .string = "default", .integer = 7, .boolean = true };
	const struct members before = m;

	ck_assert_int_eq(cni_json_read(NULL, "", fields, CNI_ARRAY_SIZE(fields), &m, NULL), 0);
	ck_assert_mem_eq(&m, &before, sizeof(m));
	ck_assert_int_eq(cni_json_read(empty, "", fields, CNI_ARRAY_SIZE(fields), &m, NULL), 0);
	ck_assert_mem_eq(&m, &before, sizeof(m));
	ck_assert_int_eq(cni_json_read(obj, "", fields, CNI_ARRAY_SIZE(fields), &m, NULL), 0);
	ck_assert_str_eq(m.string, "s");
	ck_assert(m.boolean);
	ck_assert_int_eq(m.integer, -5);
	ck_assert_ptr_eq(m.object, json_object_get(obj, "object"));
	ck_assert_ptr_eq(m.array, json_object_get(obj, "array"));
	ck_assert_ptr_eq(m.strings, json_object_get(obj, "strings"));
}
END_TEST

static const struct {
	const char *text, *msg;
} wrong_types[] = {
	{ "{\"string\":5}", "at.string: expected a string, got 5" },
	{ "{\"string\":[\"a\",true]}", "at.string: expected a string, got [\"a\",true]" },
	{ "{\"boolean\":\"true\"}", "at.boolean: expected true or false, got \"true\"" },
	{ "{\"boolean\":1}", "at.boolean: expected true or false, got 1" },
	{ "{\"integer\":\"1500\"}", "at.integer: expected an integer, got \"1500\"" },
	{ "{\"integer\":1.5}", "at.integer: expected an integer, got 1.5" },
	{ "{\"integer\":1500.0}", "at.integer: expected an integer, got 1500" },
	{ "{\"integer\":1e3}", "at.integer: expected an integer, got 1000" },
	{ "{\"integer\":false}", "at.integer: expected an integer, got false" },
	{ "{\"choice\":\"Auto\"}", "at.choice: expected an integer or \"auto\", got \"Auto\"" },
	{ "{\"choice\":1.5}", "at.choice: expected an integer or \"auto\", got 1.5" },
	{ "{\"choice\":-9223372036854775808}",
	  "at.choice: expected an integer or \"auto\", got -9223372036854775808" },
	{ "{\"object\":[]}", "at.object: expected an object, got []" },
	{ "{\"object\":\"\"}", "at.object: expected an object, got \"\"" },
	{ "{\"array\":{\"a\":{}}}", "at.array: expected a list, got {\"a\":{}}" },
	{ "{\"strings\":[\"a\",1]}", "at.strings: expected a list of strings, got [\"a\",1]" },
	{ "{\"strings\":\"a\"}", "at.strings: expected a list of strings, got \"a\"" },
};

START_TEST(an_integer_may_be_left_to_us)
{
	static const struct {
		const char *text;
		json_int_t want;
	} choices[] = {
		{ "{\"choice\":\"auto\"}", CNI_JSON_AUTO },
		{ "{\"choice\":-9223372036854775807}", -INT64_MAX },
		{ "{\"choice\":1500}", 1500 },
		{ "{\"choice\":null}", 7 },
	};
	char why[JSON_ERROR_TEXT_LENGTH];

	for (size_t i = 0; i < CNI_ARRAY_SIZE(choices); i++) {
		cni_auto(json) json_t *obj = parse(choices[i].text, strlen(choices[i].text), why);
		struct members m = { .choice = 7 };

		ck_assert_int_eq(cni_json_read(obj, "", fields, CNI_ARRAY_SIZE(fields), &m, NULL),
				 0);
		ck_assert(m.choice == choices[i].want);
	}
}
END_TEST

START_TEST(a_wrong_type_is_named_with_key_and_value)
{
	const char *text = wrong_types[_i].text;
	char why[JSON_ERROR_TEXT_LENGTH];
	cni_auto(json) json_t *obj = parse(text, strlen(text), why);
	struct cni_error err = { 0 };
	struct members m = { 0 };

	ck_assert_int_eq(cni_json_read(obj, "at.", fields, CNI_ARRAY_SIZE(fields), &m, &err),
			 -EINVAL);
	ck_assert_uint_eq(err.code, CNI_E_CONFIG);
	ck_assert_str_eq(err.msg, wrong_types[_i].msg);
}
END_TEST

START_TEST(a_long_wrong_value_is_cut)
{
	cni_auto(json) json_t *obj = json_object();
	struct cni_error err = { 0 };
	struct members m = { 0 };
	char text[1000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	json_object_set_new(obj, "integer", json_string(text));
	ck_assert_int_eq(cni_json_read(obj, "", fields, CNI_ARRAY_SIZE(fields), &m, &err), -EINVAL);
	ck_assert_uint_eq(strlen(err.msg), strlen("integer: expected an integer, got ") + 100);
}
END_TEST

/* ---- printing ---- */

static const struct {
	const char *text, *printed;
} strings[] = {
	{ "", "\"\"" },
	{ "a/b", "\"a/b\"" },
	{ "\"\\", "\"\\\"\\\\\"" },
	{ "\b\f\n\r\t", "\"\\b\\f\\n\\r\\t\"" },
	{ "\x01\x0b\x1f\x7f", "\"\\u0001\\u000b\\u001f\x7f\"" },
	{ "<nil> & co", "\"\\u003cnil\\u003e \\u0026 co\"" },
	{ "\xe2\x80\xa8\xe2\x80\xa9", "\"\\u2028\\u2029\"" },
	{ "x\xe2\x80\xa7\xe2\x80\xaay", "\"x\xe2\x80\xa7\xe2\x80\xaay\"" },
	{ "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"" },
	/* what is no UTF-8, as an interface's name may be, must not spoil the document */
	{ "a\xff", "\"a\\ufffd\"" },
	{ "\xe2\x80", "\"\\ufffd\\ufffd\"" },
	{ "\xed\xa0\x80z", "\"\\ufffd\\ufffd\\ufffdz\"" },
};

START_TEST(a_string_is_escaped_as_go_does)
{
	cni_auto(buf) struct cni_buf got = { 0 };

	cni_json_print_string(strings[_i].text, strlen(strings[_i].text), &got);
	ck_assert_str_eq(got.data, strings[_i].printed);
}
END_TEST

START_TEST(a_nul_is_escaped)
{
	cni_auto(buf) struct cni_buf got = { 0 };

	cni_json_print_string("a\0b", 3, &got);
	ck_assert_str_eq(got.data, "\"a\\u0000b\"");
}
END_TEST

START_TEST(a_document_is_indented_as_go_does)
{
	static const char text[] =
		"{\"b\":{},\"a\":[],\"n\":null,\"l\":[1,{\"x\":true,\"<\":false}]}";
	cni_auto(json) json_t *doc = json_loads(text, 0, NULL);
	cni_auto(buf) struct cni_buf indented = { 0 }, compact = { 0 };

	cni_json_print(doc, false, &indented);
	ck_assert_str_eq(indented.data, "{\n"
					"    \"b\": {},\n"
					"    \"a\": [],\n"
					"    \"n\": null,\n"
					"    \"l\": [\n"
					"        1,\n"
					"        {\n"
					"            \"x\": true,\n"
					"            \"\\u003c\": false\n"
					"        }\n"
					"    ]\n"
					"}");
	cni_json_print(doc, true, &compact);
	ck_assert_str_eq(compact.data, "{\"b\":{},\"a\":[],\"n\":null,\"l\":[1,{\"x\":true,"
				       "\"\\u003c\":false}]}");
}
END_TEST

static const struct {
	const char *text;
	bool repeats;
} repeated[] = {
	{ "{}", false },
	{ "{\"sysctl\":{\"a\":\"1\",\"b\":\"1\"}}", false },
	{ "{\"sysctl\":{\"a\":\"1\",\"a\":\"1\"}}", true },
	{ "{\"sysctl\":{\"a\":\"1\",\"A\":\"1\"}}", false },
	{ "{\"Sysctl\":{\"a\":\"1\",\"a\":null}}", true },
	{ "{\"sysctl\":{\"a\":\"1\"},\"sysctl\":{\"a\":\"2\"}}", true },
	{ "{\"sysctl\":{\"a\":\"1\"},\"SYSCTL\":{\"b\":\"2\"}}", false },
	{ "{\"x\":{\"a\":\"1\",\"a\":\"1\"},\"sysctl\":{\"a\":\"1\"}}", false },
	{ "{\"args\":{\"sysctl\":{\"a\":\"1\",\"a\":\"1\"}},\"sysctl\":{}}", false },
	{ "{\"sysctl\":[\"a\",\"a\"]}", false },
};

START_TEST(a_key_that_stands_twice_is_found)
{
	const char *text = repeated[_i].text;

	ck_assert_msg(cni_json_repeats(text, strlen(text), "sysctl") == repeated[_i].repeats, "%s",
		      text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("json");
	TCase *tc = tcase_create("json");

	suite_add_tcase(suite, tc);
	tcase_add_loop_test(tc, a_document_is_brought_into_normal_form, 0,
			    CNI_ARRAY_SIZE(documents));
	tcase_add_loop_test(tc, every_documented_key_is_folded, 0, CNI_ARRAY_SIZE(documented));
	tcase_add_loop_test(tc, what_is_no_json_is_refused_with_a_reason, 0,
			    CNI_ARRAY_SIZE(refused));
	tcase_add_test(tc, a_nul_byte_is_refused);
	tcase_add_test(tc, a_reason_tells_the_place_in_the_users_text);
	tcase_add_test(tc, depth_has_a_limit_and_no_effect_before_it);
	tcase_add_test(tc, members_are_set_or_left_alone);
	tcase_add_test(tc, an_integer_may_be_left_to_us);
	tcase_add_loop_test(tc, a_wrong_type_is_named_with_key_and_value, 0,
			    CNI_ARRAY_SIZE(wrong_types));
	tcase_add_test(tc, a_long_wrong_value_is_cut);
	tcase_add_loop_test(tc, a_string_is_escaped_as_go_does, 0, CNI_ARRAY_SIZE(strings));
	tcase_add_test(tc, a_nul_is_escaped);
	tcase_add_test(tc, a_document_is_indented_as_go_does);
	tcase_add_loop_test(tc, a_key_that_stands_twice_is_found, 0, CNI_ARRAY_SIZE(repeated));
	return run_suite(suite);
}
