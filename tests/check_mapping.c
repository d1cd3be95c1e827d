/*
 * Port mappings and conditions: what is read, and what is refused.
 */
#include "mapping.h"
#include "suite.h"

#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static json_t *parse(const char *text)
{
	char why[JSON_ERROR_TEXT_LENGTH];
	json_t *j = cni_json_parse(text, strlen(text), why);

	ck_assert_ptr_nonnull(j);
	return j;
}

START_TEST(a_mapping_is_read)
{
	cni_auto(mappings) struct cni_mapping_list list = { 0 };
	cni_auto(json) json_t *j = parse(
		"[{\"HostPort\":65535,\"containerport\":1,\"Protocol\":\"SCTP\"},"
		"{\"hostPort\":1,\"containerPort\":2,\"protocol\":\"udp\",\"hostIP\":\"::ffff:1.2."
		"3.4\"},"
		"{\"hostPort\":1,\"containerPort\":2,\"protocol\":\"tcp\",\"hostIP\":\"::\"}]");
	struct cni_error err = { 0 };

	ck_assert_int_eq(cni_mapping_read(j, false, &list, &err), 0);
	ck_assert_uint_eq(list.n, 3);
	ck_assert_int_eq(list.item[0].protocol, IPPROTO_SCTP);
	ck_assert_int_eq(list.item[0].host_port, 65535);
	ck_assert_int_eq(list.item[0].container_port, 1);
	ck_assert(cni_mapping_is_any(&list.item[0]));
	ck_assert(cni_mapping_applies(&list.item[0], AF_INET));
	ck_assert(cni_mapping_applies(&list.item[0], AF_INET6));
	ck_assert(!cni_mapping_is_any(&list.item[1]));
	ck_assert(cni_mapping_applies(&list.item[1], AF_INET));
	ck_assert(!cni_mapping_applies(&list.item[1], AF_INET6));
	ck_assert(cni_mapping_is_any(&list.item[2]));
	ck_assert(!cni_mapping_applies(&list.item[2], AF_INET));
}
END_TEST

START_TEST(del_takes_what_it_can_read)
{
	cni_auto(mappings) struct cni_mapping_list list = { 0 }, none = { 0 };
	cni_auto(json)
		json_t *j = parse("[5,{},{\"hostPort\":7,\"containerPort\":7,\"protocol\":\"tcp\"},"
				  "{\"hostPort\":\"x\"}]");

	ck_assert_int_eq(cni_mapping_read(j, true, &list, NULL), 0);
	ck_assert_uint_eq(list.n, 1);
	ck_assert_int_eq(list.item[0].host_port, 7);
	ck_assert_int_eq(cni_mapping_read(NULL, true, &none, NULL), 0);
	ck_assert_uint_eq(none.n, 0);
}
END_TEST

static const struct {
	const char *list;
	sa_family_t family;
	int result;
	const char *source, *destination, *in; /* "!" in front: inverted; NULL: not given */
} conditions[] = {
	{ "[]", AF_INET, 0, NULL, NULL, NULL },
	{ "[\"-s\",\"1.2.3.4\"]", AF_INET, 0, "1.2.3.4/32", NULL, NULL },
	{ "[\"!\",\"--source\",\"1.2.3.4/8\",\"-d\",\"5.6.7.8\",\"!\",\"-i\",\"eth0\"]", AF_INET, 0,
	  "!1.2.3.4/8", "5.6.7.8/32", "!eth0" },
	{ "[\"-s fd00::/8\"]", AF_INET6, 0, "fd00::/8", NULL, NULL },
	{ "[\"ip\",\"saddr\",\"!=\",\"10.0.0.0/8\"]", AF_INET, 0, "!10.0.0.0/8", NULL, NULL },
	{ "[\"meta iifname \\\"eth0\\\" ip6 daddr == fd00::1\"]", AF_INET6, 0, NULL, "fd00::1/128",
	  "eth0" },
	{ "[\"ip\",\"saddr\",\"{\",\"1.2.3.4\",\"}\"]", AF_INET, -EINVAL, NULL, NULL, NULL },
	{ "[\"ip6\",\"saddr\",\"fd00::1\"]", AF_INET, -EINVAL, NULL, NULL, NULL },
	{ "[\"-s\"]", AF_INET, -EINVAL, NULL, NULL, NULL },
	{ "[\"!\"]", AF_INET, -EINVAL, NULL, NULL, NULL },
	{ "[\"-i\",\"a234567890123456\"]", AF_INET, -EINVAL, NULL, NULL, NULL },
	{ "[\"-i\",\"eth+\"]", AF_INET, -EINVAL, NULL, NULL, NULL },
	{ "[\"-s\",\"1.2.3.4\",\"-s\",\"1.2.3.4\"]", AF_INET, -EINVAL, NULL, NULL, NULL },
	{ "[\"accept\"]", AF_INET, -EINVAL, NULL, NULL, NULL },
	{ "[\"ip\",\"saddr\",\"1.2.3.4\",\"drop;\",\"flush\",\"ruleset\"]", AF_INET, -EINVAL, NULL,
	  NULL, NULL },
};

static void same_prefix(const char *wanted, bool inverted, const struct cni_prefix *p)
{
	char text[CNI_PREFIX_STRLEN];

	if (!wanted) {
		ck_assert_int_eq(p->ip.family, AF_UNSPEC);
		return;
	}
	ck_assert_int_eq(inverted, *wanted == '!');
	ck_assert_str_eq(cni_prefix_format(p, text), wanted + (*wanted == '!'));
}

START_TEST(conditions_are_read)
{
	cni_auto(json) json_t *j = parse(conditions[_i].list);
	struct cni_condition c = { 0 };
	struct cni_error err = { 0 };
	const char *in = conditions[_i].in;

	ck_assert_int_eq(cni_condition_read(j, conditions[_i].family, "key", &c, &err),
			 conditions[_i].result);
	ck_assert_int_eq(err.set, conditions[_i].result < 0);
	if (err.set)
		return;
	same_prefix(conditions[_i].source, c.not_source, &c.source);
	same_prefix(conditions[_i].destination, c.not_destination, &c.destination);
	ck_assert_str_eq(c.in, in ? in + (*in == '!') : "");
	ck_assert_int_eq(c.not_in, in && *in == '!');
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("mapping");
	TCase *tc = tcase_create("mapping");

	tcase_add_test(tc, a_mapping_is_read);
	tcase_add_test(tc, del_takes_what_it_can_read);
	tcase_add_loop_test(tc, conditions_are_read, 0, ARRAY_SIZE(conditions));
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
