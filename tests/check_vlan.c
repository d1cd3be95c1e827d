/*
 * Sets of VLANs, the key vlanTrunk, and what a port becomes by both.
 */
#include "vlan.h"
#include "suite.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* A set as "2-4 7". */
static const char *text_of(const struct cni_vlan_set *set)
{
	static char text[32768];
	struct cni_vlan_run run = { 0 };
	size_t n = 0;

	text[0] = '\0';
	while (cni_vlan_set_next(set, &run)) {
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%u", n ? " " : "", run.first);
		if (run.last != run.first)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "-%u", run.last);
	}
	return text;
}

static int read_trunk(const char *json, struct cni_vlan_set *set, struct cni_error *err)
{
	char why[JSON_ERROR_TEXT_LENGTH];
	json_t *list = cni_json_parse(json, strlen(json), why);
	int r;

	ck_assert_msg(list != NULL, "%s: %s", json, why);
	r = cni_vlan_read_trunk(list, set, err);
	json_decref(list);
	return r;
}

START_TEST(an_empty_set_has_no_runs)
{
	struct cni_vlan_set set = { 0 };

	ck_assert_str_eq(text_of(&set), "");
}
END_TEST

START_TEST(runs_are_as_long_as_they_can_be)
{
	struct cni_vlan_set set = { 0 };

	cni_vlan_set_add(&set, 4094, 4094);
	cni_vlan_set_add(&set, 60, 70);
	cni_vlan_set_add(&set, 71, 71);
	cni_vlan_set_add(&set, 1, 1);
	ck_assert_str_eq(text_of(&set), "1 60-71 4094");
	cni_vlan_set_remove(&set, 64);
	cni_vlan_set_remove(&set, 3000);
	ck_assert_str_eq(text_of(&set), "1 60-63 65-71 4094");
	cni_vlan_set_add(&set, 1, 4094);
	ck_assert_str_eq(text_of(&set), "1-4094");
	ck_assert(cni_vlan_set_has(&set, 4094));
	ck_assert(!cni_vlan_set_has(&set, 0));
}
END_TEST

static const struct {
	const char *json, *set;
} trunks[] = {
	{ "[]", "" },
	{ "[{}]", "" },
	{ "[null]", "" },
	{ "[{\"id\":1}]", "1" },
	{ "[{\"id\":4094},{\"minID\":1,\"maxID\":3}]", "1-3 4094" },
	{ "[{\"minID\":10,\"maxID\":12},{\"id\":11},{\"id\":20}]", "10-12 20" },
	{ "[{\"minID\":10,\"maxID\":10,\"id\":13}]", "10 13" },
	{ "[{\"minid\":10,\"MAXID\":11,\"Id\":12}]", "10-12" },
	{ "[{\"minID\":null,\"id\":12}]", "12" },
};

START_TEST(a_trunk_is_the_union_of_its_elements)
{
	struct cni_vlan_set set = { 0 };

	ck_assert_int_eq(read_trunk(trunks[_i].json, &set, NULL), 0);
	ck_assert_str_eq(text_of(&set), trunks[_i].set);
}
END_TEST

static const struct {
	const char *json, *msg;
} bad_trunks[] = {
	{ "[{\"minID\":0,\"maxID\":5}]", "incorrect trunk minID parameter" },
	{ "[{\"minID\":4095,\"maxID\":5}]", "incorrect trunk minID parameter" },
	{ "[{\"minID\":1,\"maxID\":4095}]", "incorrect trunk maxID parameter" },
	{ "[{\"minID\":1,\"maxID\":-1}]", "incorrect trunk maxID parameter" },
	{ "[{\"minID\":6,\"maxID\":5}]", "minID is greater than maxID in trunk parameter" },
	{ "[{\"maxID\":5}]",
	  "minID and maxID should be configured simultaneously, minID is missing" },
	{ "[{\"minID\":5,\"id\":9}]",
	  "minID and maxID should be configured simultaneously, maxID is missing" },
	{ "[{\"id\":0}]", "incorrect trunk id parameter" },
	{ "[{\"id\":5},{\"id\":4095}]", "incorrect trunk id parameter" },
	{ "[{\"id\":4294967301}]", "incorrect trunk id parameter" },
	{ "[{\"id\":\"5\"}]", "failed to load netconf: vlanTrunk.id: expected an integer" },
	{ "[5]", "failed to load netconf: vlanTrunk: expected objects" },
};

START_TEST(a_bad_trunk_is_refused_in_the_go_plugins_words)
{
	struct cni_vlan_set set = { 0 };
	struct cni_error err = { 0 };

	ck_assert_int_eq(read_trunk(bad_trunks[_i].json, &set, &err), -EINVAL);
	ck_assert_uint_eq(err.code, CNI_E_CONFIG);
	ck_assert_msg(strncmp(err.msg, bad_trunks[_i].msg, strlen(bad_trunks[_i].msg)) == 0,
		      "wanted \"%s\", got \"%s\"", bad_trunks[_i].msg, err.msg);
}
END_TEST

START_TEST(a_fault_of_a_trunk_says_which_element)
{
	struct cni_vlan_set set = { 0 };
	struct cni_error err = { 0 };

	ck_assert_int_eq(read_trunk("[{\"id\":5},{\"id\":4095}]", &set, &err), -EINVAL);
	ck_assert_str_eq(err.details, "vlanTrunk[1]; VLAN ids are 1 to 4094");
}
END_TEST

static const struct {
	unsigned int vlan;
	const char *trunk;
	unsigned int native;
	const char *tagged;
} plans[] = {
	{ 0, "[]", 0, "" },
	{ 100, "[]", 100, "" },
	{ 0, "[{\"id\":20}]", 1, "20" },
	{ 0, "[{\"id\":1}]", 1, "" },
	{ 5, "[{\"id\":20}]", 5, "20" },
	{ 5, "[{\"id\":1}]", 5, "1" },
	/* The Go plugin makes 20 a tagged one here, and the port is without a native VLAN. */
	{ 20, "[{\"id\":20},{\"id\":21}]", 20, "21" },
};

START_TEST(a_port_has_one_native_vlan_which_is_not_tagged)
{
	struct cni_vlan_set trunk = { 0 };
	struct cni_vlan_port port;

	ck_assert_int_eq(read_trunk(plans[_i].trunk, &trunk, NULL), 0);
	port = cni_vlan_port_plan(plans[_i].vlan, &trunk, true);
	ck_assert_uint_eq(port.native, plans[_i].native);
	ck_assert_str_eq(text_of(&port.tagged), plans[_i].tagged);
	ck_assert(port.keep_default);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("vlan");
	TCase *tc = tcase_create("vlan");

	tcase_add_test(tc, an_empty_set_has_no_runs);
	tcase_add_test(tc, runs_are_as_long_as_they_can_be);
	tcase_add_loop_test(tc, a_trunk_is_the_union_of_its_elements, 0, CNI_ARRAY_SIZE(trunks));
	tcase_add_loop_test(tc, a_bad_trunk_is_refused_in_the_go_plugins_words, 0,
			    CNI_ARRAY_SIZE(bad_trunks));
	tcase_add_test(tc, a_fault_of_a_trunk_says_which_element);
	tcase_add_loop_test(tc, a_port_has_one_native_vlan_which_is_not_tagged, 0,
			    CNI_ARRAY_SIZE(plans));
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
