/*
 * What a program does that has nothing but rows of configurations to hold two implementations against each other by: the
 * tests, and main(). A header, because each net_*.c is a program of its own.
 */
#ifndef TESTS_PEER_ROWS_H
#define TESTS_PEER_ROWS_H

#include "peer_story.h"

static const struct row *compared;

START_TEST(same_as_debian)
{
	if (!compared[_i].newest)
		compare(&compared[_i], debian_plugins(), true);
}
END_TEST

START_TEST(same_as_newest)
{
	compare(&compared[_i], newest_plugins(), false);
}
END_TEST

/**
 * Compare by each row, beside every set of theirs that has the plugin.
 * @param tc  may have other tests, too
 * @return for main() to return
 */
static inline int compare_rows(const char *suite_name, TCase *tc, const char *plugin,
			       const struct row *rows, int n)
{
	Suite *suite = suite_create(suite_name);

	compared = rows;
	tcase_add_checked_fixture(tc, world_setup, world_teardown);
	tcase_set_timeout(tc, 120);
	if (peer_has(PEER_DEBIAN, plugin))
		tcase_add_loop_test(tc, same_as_debian, 0, n);
	if (peer_has(getenv("CNI_PEER_DIR"), plugin))
		tcase_add_loop_test(tc, same_as_newest, 0, n);
	suite_add_tcase(suite, tc);
	return peer_main(suite, plugin);
}

#endif
