/*
 * Every request to the kernel that a call makes is refused once, the first, the second, and so on, with
 * each of several errors. ADD leaves what was there before and works when it is tried again; DEL reports
 * the refusal, does the rest, and finishes when it is tried again; CHECK never says that all is well.
 */
#include "refuse.h"
#include "same_world.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
/* More than any call makes. */
#define MAX_REQUESTS 60

#define NET(keys) "{\"cniVersion\":\"1.0.0\",\"name\":\"net1\",\"type\":\"bridge\"" keys "}"
#define BR ",\"bridge\":\"br0\""
/* Ranges of one address each, so that the files with the last one given are always the same. */
#define SET4 "[{\"subnet\":\"10.1.0.0/24\",\"rangeStart\":\"10.1.0.9\",\"rangeEnd\":\"10.1.0.9\"}]"
#define SET6 "[{\"subnet\":\"fd00::/64\",\"rangeStart\":\"fd00::9\",\"rangeEnd\":\"fd00::9\"}]"
#define LOCAL(sets) ",\"ipam\":{\"type\":\"host-local\",\"ranges\":[" sets "]}"
#define MASQ ",\"ipMasq\":true,\"ipMasqBackend\":\"nftables\""

static const struct {
	const char *name, *config;
} variants[] = {
	{ "dual stack", NET(BR ",\"isDefaultGateway\":true" MASQ LOCAL(SET4 "," SET6)) },
	{ "plain", NET(BR LOCAL(SET4)) },
	{ "layer 2", NET(BR) },
	{ "hairpin", NET(BR ",\"isGateway\":true,\"hairpinMode\":true,\"mtu\":1400,\"args\":"
			    "{\"cni\":{\"mac\":\"02:00:00:00:00:07\"}}" LOCAL(SET4)) },
	{ "promiscuous", NET(BR ",\"isGateway\":true,\"promiscMode\":true" LOCAL(SET6)) },
	{ "spoof check", NET(BR ",\"isGateway\":true,\"macspoofchk\":true" LOCAL(SET4)) },
	{ "isolated", NET(BR ",\"isGateway\":true,\"portIsolation\":true,\"enabledad\":true" LOCAL(
			      SET4 "," SET6)) },
};
#define N_VARIANTS (int)ARRAY_SIZE(variants)

/* The first variant, which makes most requests, meets each error everywhere; the others in turns. */
static const int errors[] = { ENOBUFS, EBUSY, EEXIST, EPERM };
#define N_ERRORS (int)ARRAY_SIZE(errors)
#define N_RUNS (N_VARIANTS + N_ERRORS - 1)

static int variant_of(int run)
{
	return run < N_ERRORS ? 0 : run - N_ERRORS + 1;
}

static int error_of(int run, int at)
{
	return errors[run < N_ERRORS ? run : at % N_ERRORS];
}

static const char *c1, *config;

static void setup(void)
{
	world_setup();
	no_link_local();
	c1 = container_add("c1");
}

static struct call on_c1(const char *command)
{
	return (struct call){ .command = command, .netns = c1, .config = config };
}

static struct reply refused(struct call c, int at, int error, enum refusal how)
{
	struct reply r;

	c.wrapper = refusing(at, error, how);
	r = call(c);
	ck_assert_msg(r.status == 0 || r.status == 1,
		      "%s, request %d (%s), errno %d: status %d, %s%s", c.command, at,
		      what_was_refused(), error, r.status, r.out, r.err);
	return r;
}

static const char *told(const char *command, int at, int error)
{
	return fmt("%s, request %d (%s), %s", command, at, what_was_refused(), strerror(error));
}

static void assert_left(const char *what, const char *before)
{
	const char *diff = difference(before, world_now());

	ck_assert_msg(diff == NULL, "%s: has changed:\n%s", what, diff);
}

/* As if no plugin had ever run. */
static void forget_everything(void)
{
	sh("ip link del br0 2>/dev/null; nft flush ruleset; rm -rf /var/lib/cni; "
	   "echo 0 >/proc/sys/net/ipv4/ip_forward; echo 0 >/proc/sys/net/ipv6/conf/all/forwarding");
}

static void assert_nobody_attached(const char *what)
{
	ck_assert_msg(
		!*sh("ip -o link show type veth; nft list ruleset 2>/dev/null | grep 'id: ctr1'; "
		     "find /var/lib -name '*.9' -o -name '*:9'"),
		"%s: something is left", what);
}

/* ---- ADD ---- */

/* @return whether there was such a request */
static bool add_refused(int at, int error, enum refusal how, const char *before)
{
	struct reply r = refused(on_c1("ADD"), at, error, how);
	const char *what = told("ADD", at, error);

	if (!what_was_refused()) {
		ck_assert_int_eq(r.status, 0);
		call_ok(on_c1("DEL"));
		if (before)
			assert_left("at the end", before);
		return false;
	}
	if (r.status != 0) {
		ck_assert_msg(*r.msg && r.code == 999, "%s: %s", what, r.out);
		if (before)
			assert_left(what, before);
		else
			assert_nobody_attached(what);
		r = call(on_c1("ADD"));
		ck_assert_msg(r.status == 0, "%s: not again: %s", what, r.out);
	}
	/* else an answer that it can do without: "it is there already" */
	call_ok(on_c1("DEL"));
	assert_nobody_attached(what);
	return true;
}

/* Where bridge, address and table are there already: a refused ADD changes nothing at all. */
START_TEST(a_refused_add_changes_nothing)
{
	int at = 1;
	const char *before;

	config = variants[variant_of(_i)].config;
	call_ok(on_c1("ADD"));
	call_ok(on_c1("DEL"));
	before = world_now();
	while (add_refused(at, error_of(_i, at), REFUSE_ANSWER, before))
		ck_assert_int_lt(++at, MAX_REQUESTS);
	ck_assert_int_gt(at, 6);
}
END_TEST

/* The first ADD of a host makes them, and they may stay. */
START_TEST(a_refused_first_add_leaves_no_attachment)
{
	int at = 1;

	config = variants[variant_of(_i)].config;
	for (; add_refused(at, error_of(_i, at), REFUSE_ANSWER, NULL); at++) {
		ck_assert_int_lt(at, MAX_REQUESTS);
		forget_everything();
	}
	ck_assert_int_gt(at, 8);
}
END_TEST

START_TEST(an_add_that_cannot_send_or_hear_changes_nothing)
{
	enum refusal how = _i % 2 ? REFUSE_SEND : LOSE_ANSWER;
	const char *before;
	int at = 1;

	config = variants[_i / 2].config;
	call_ok(on_c1("ADD"));
	call_ok(on_c1("DEL"));
	before = world_now();
	while (add_refused(at, ENOBUFS, how, before))
		ck_assert_int_lt(++at, MAX_REQUESTS);
	ck_assert_int_gt(at, 7);
}
END_TEST

/* ---- DEL ---- */

START_TEST(a_refused_del_says_so_does_the_rest_and_finishes_when_repeated)
{
	int at = 1;
	const char *before;

	config = variants[variant_of(_i)].config;
	call_ok(on_c1("ADD"));
	call_ok(on_c1("DEL"));
	before = world_now();
	for (;; at++) {
		const char *what;
		struct reply r;

		ck_assert_int_lt(at, MAX_REQUESTS);
		call_ok(on_c1("ADD"));
		r = refused(on_c1("DEL"), at, error_of(_i, at), REFUSE_ANSWER);
		if (!what_was_refused())
			break;
		what = told("DEL", at, error_of(_i, at));
		/* What is asked once more, as after EBUSY, may do all the same. */
		if (r.status == 0)
			assert_left(what, before);
		else
			ck_assert_msg(*r.msg, "%s: %s", what, r.out);
		ck_assert_msg(!*sh("find /var/lib -name '*.9' -o -name '*:9'"), "%s: leases stay",
			      what);
		call_ok(on_c1("DEL"));
		assert_left(what, before);
	}
	ck_assert_int_gt(at, 2);
}
END_TEST

/* ---- CHECK ---- */

START_TEST(a_refused_check_never_says_that_all_is_well)
{
	int at = 1;
	struct call check;

	config = variants[variant_of(_i)].config;
	check = on_c1("CHECK");
	check.config = with_prev(config, call_ok(on_c1("ADD")).out);
	for (;; at++) {
		struct reply r = refused(check, at, error_of(_i, at), REFUSE_ANSWER);
		json_t *list;

		ck_assert_int_lt(at, MAX_REQUESTS);
		if (!what_was_refused())
			break;
		ck_assert_msg(r.status == 1 && r.code == 999, "%s: %s",
			      told("CHECK", at, error_of(_i, at)), r.out);
		list = json_loads(r.details, 0, NULL);
		ck_assert_msg(json_is_array(list), "%s: %s", told("CHECK", at, error_of(_i, at)),
			      r.out);
		json_decref(list);
		call_ok(check);
	}
	ck_assert_int_gt(at, 3);
}
END_TEST

static void add_case(Suite *suite, const char *name, const TTest *test, int from, int to)
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, setup, world_teardown);
	tcase_set_timeout(tc, 300);
	tcase_add_loop_test(tc, test, from, to);
	suite_add_tcase(suite, tc);
}

int main(int argc, char **argv)
{
	Suite *suite;

	if (argc > 5 && strcmp(argv[1], REFUSE_MODE) == 0)
		return refuse_main(argv + 2);
	suite = suite_create("fault");
	add_case(suite, "ADD", a_refused_add_changes_nothing, 0, N_RUNS);
	add_case(suite, "first", a_refused_first_add_leaves_no_attachment, N_ERRORS - 1, N_RUNS);
	add_case(suite, "unheard", an_add_that_cannot_send_or_hear_changes_nothing, 0, 4);
	add_case(suite, "DEL", a_refused_del_says_so_does_the_rest_and_finishes_when_repeated, 0,
		 N_RUNS);
	add_case(suite, "CHECK", a_refused_check_never_says_that_all_is_well, 0, N_RUNS);
	return world_main(suite);
}
