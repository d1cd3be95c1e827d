/*
 * Every request to the kernel that portmap makes is refused once, cannot be sent once, and its answer is lost
 * once: an ADD that fails leaves nothing, and DEL gets there, at the latest when it is repeated.
 */
#include "portmap_world.h"
#include "refuse.h"

#define MAX_REQUESTS 200
#define HOWS 3 /* enum refusal */

static const char *before, *config;

static void setup(void)
{
	world_setup();
	no_link_local();
}

/* Another container's ports and all that is shared are there. */
static void begin(int i)
{
	const char *other;

	use_backend(i / HOWS);
	other = portmap_alone(2, "", PORT(8081, 80, "tcp"));
	config = portmap_alone(1, "",
			       PORT(8080, 80, "tcp") "," PORT_AT(8053, 53, "udp", "127.0.0.1"));
	call_ok(on_container(2, "ADD", other));
	call_ok(on_container(1, "ADD", config));
	call_ok(on_container(1, "DEL", config));
	before = rules_now();
}

/* @return the reply to a call whose request number `at` fails; what_was_refused() says whether it had so many */
static struct reply refused(const char *command, int at, int how)
{
	struct call c = on_container(1, command, config);
	int error = how == LOSE_ANSWER ? ENOBUFS : ENOMEM;
	struct reply r;

	ck_assert_int_lt(at, MAX_REQUESTS);
	c.wrapper = refusing(at, error, (enum refusal)how);
	r = call(c);
	ck_assert_msg(r.status == 0 || (r.status == 1 && *r.msg), "%s, request %d: %d\n%s%s",
		      command, at, r.status, r.out, r.err);
	return r;
}

static void assert_nothing_left(const char *command, int at)
{
	const char *left = difference(before, rules_now());

	ck_assert_msg(!left, "%s, request %d (%s): left is\n%s", command, at, what_was_refused(),
		      left);
}

START_TEST(an_add_that_fails_leaves_nothing)
{
	int at = 1;

	for (begin(_i);; at++) {
		struct reply r = refused("ADD", at, _i % HOWS);

		if (!what_was_refused())
			break;
		if (r.status != 0)
			assert_nothing_left("ADD", at);
		call_ok(on_container(1, "ADD", config));
		call_ok(on_container(1, "CHECK", config));
		call_ok(on_container(1, "DEL", config));
		assert_nothing_left("ADD and DEL", at);
	}
	ck_assert_int_gt(at, 5);
}
END_TEST

START_TEST(a_del_that_fails_finishes_when_repeated)
{
	int at = 1 + _i % 2;

	for (begin(_i);; at += 2) { /* half of them; the next way to fail takes the others */
		struct reply r;

		call_ok(on_container(1, "ADD", config));
		r = refused("DEL", at, _i % HOWS);
		if (!what_was_refused())
			break;
		if (r.status != 0)
			call_ok(on_container(1, "DEL", config));
		assert_nothing_left("DEL", at);
	}
	ck_assert_int_gt(at, 5);
}
END_TEST

int main(int argc, char **argv)
{
	Suite *suite;
	TCase *tc;

	if (argc > 1 && strcmp(argv[1], REFUSE_MODE) == 0)
		return refuse_main(argv + 2);
	suite = suite_create("portmap, refused");
	tc = tcase_create("refused");
	tcase_add_checked_fixture(tc, setup, world_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, an_add_that_fails_leaves_nothing, 0, BACKENDS * HOWS);
	tcase_add_loop_test(tc, a_del_that_fails_finishes_when_repeated, 0, BACKENDS * HOWS);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
