/*
 * User data of nf_tables' objects: anybody may have written it.
 */
#include "nft.h"
#include "nft_udata.h"
#include "suite.h"

#include <check.h>
#include <string.h>

START_TEST(only_whole_attributes_of_user_data_are_read)
{
	static const struct {
		const char *data;
		uint32_t len, whole;
	} rows[] = {
		{ "", 0, 0 },	       { "\0", 1, 0 },	       { "\0\0", 2, 2 },
		{ "\0\1a", 3, 3 },     { "\0\2a", 3, 0 },      { "\0\1a\0", 4, 3 },
		{ "\0\1a\0\1", 5, 3 }, { "\0\1a\0\1b", 6, 6 }, { "\0\1a\0\377b", 6, 3 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ck_assert_uint_eq(cni_nft_udata_len(rows[i].data, rows[i].len), rows[i].whole);
}
END_TEST

/* The sanitizers see what is read behind the block. */
START_TEST(a_foreign_comment_ends_with_its_block)
{
	struct nftnl_rule *rule = cni_nft_rule(2, "t", "c", "");

	ck_assert_ptr_nonnull(rule);
	ck_assert_int_eq(nftnl_rule_set_data(rule, NFTNL_RULE_USERDATA, "\0\2a\0\0\377bc", 8), 0);
	ck_assert_str_eq(cni_nft_comment(rule), "a");
	ck_assert_str_eq(cni_nft_owner(rule), "");
	nftnl_rule_free(rule);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("nft");
	TCase *tc = tcase_create("user data");

	tcase_add_test(tc, only_whole_attributes_of_user_data_are_read);
	tcase_add_test(tc, a_foreign_comment_ends_with_its_block);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
