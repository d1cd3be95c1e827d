/*
 * macvlan and bandwidth, with every request to the kernel refused once, not sent, or its answer lost: a failed ADD leaves
 * what was there before; DEL does not say that all went well if not, and finishes when it is repeated. For bridge:
 * net_fault.c.
 */
#include "refuse.h"
#include "same_world.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
/* More than any call makes. */
#define MAX_REQUESTS 40

#define CONF(type, keys) \
	"{\"cniVersion\":\"1.0.0\",\"name\":\"net1\",\"type\":\"" type "\"" keys "}"
#define LAN ",\"master\":\"lan0\""
/* Ranges of one address each, so that the files with the last one given are always the same. */
#define SET4 "[{\"subnet\":\"10.1.0.0/24\",\"rangeStart\":\"10.1.0.9\",\"rangeEnd\":\"10.1.0.9\"}]"
#define SET6 "[{\"subnet\":\"fd00::/64\",\"rangeStart\":\"fd00::9\",\"rangeEnd\":\"fd00::9\"}]"
#define LOCAL                                                                \
	",\"ipam\":{\"type\":\"host-local\",\"ranges\":[" SET4 "," SET6 "]," \
	"\"routes\":[{\"dst\":\"0.0.0.0/0\"},{\"dst\":\"::/0\"}]}"
#define BEHIND                                                                             \
	",\"prevResult\":{\"cniVersion\":\"1.0.0\",\"interfaces\":[{\"name\":\"veth0\"}]," \
	"\"ips\":[{\"address\":\"10.1.0.9/24\"}]}"
#define RATE(way) "\"" way "Rate\":1000000,\"" way "Burst\":800000"

static const char *const configs[] = {
	CONF("macvlan", LAN LOCAL),
	CONF("macvlan", LAN ",\"mode\":\"passthru\""),
	CONF("bandwidth", "," RATE("ingress") "," RATE("egress") BEHIND),
};

/* Each as it may be met: "it is there already" is believed only of an answer. */
static const struct {
	int error;
	enum refusal how;
} ways[] = {
	{ EEXIST, REFUSE_ANSWER },
	{ ENOBUFS, REFUSE_SEND },
	{ ENOBUFS, LOSE_ANSWER },
};
#define N_RUNS (int)(ARRAY_SIZE(configs) * ARRAY_SIZE(ways))

static int run;

static struct call on_c1(const char *command)
{
	return on_container(1, command, configs[(size_t)run / ARRAY_SIZE(ways)]);
}

static bool is_bandwidth(void)
{
	return strstr(on_c1("ADD").config, "Rate") != NULL;
}

/* The interface that is limited is there all the time; macvlan makes its own. */
static void setup(void)
{
	world_setup();
	no_link_local();
	container_add("c1");
	/* What can't find out whether there is a carrier waits, which takes time. */
	sh_in("c1", "sysctl -qw net.ipv6.conf.default.accept_dad=0");
	sh("ip link add lan0 type bridge && ip link set lan0 up");
}

static void start(int i)
{
	run = i;
	if (is_bandwidth())
		sh("ip link add veth0 type veth peer name eth0 netns c1 && ip link set veth0 up");
	call_ok(on_c1("ADD"));
	call_ok(on_c1("DEL"));
}

/* bandwidth's DEL leaves to the plugin before it what goes with the host's end. */
static void forget_limits(void)
{
	if (is_bandwidth())
		sh("tc qdisc del dev veth0 root; tc qdisc del dev veth0 ingress; :");
}

static const char *state(void)
{
	return fmt("%s%s", world_now(), sh("tc qdisc show | grep -v noqueue || :"));
}

static void assert_left(const char *what, const char *before)
{
	const char *diff = difference(before, state());

	ck_assert_msg(diff == NULL, "%s: has changed:\n%s", what, diff);
}

/* @return which request was refused; NULL if there are fewer */
static const char *call_refused(const char *command, int at, struct reply *ret)
{
	const typeof(ways[0]) *w = &ways[(size_t)run % ARRAY_SIZE(ways)];
	struct call c = on_c1(command);

	ck_assert_int_lt(at, MAX_REQUESTS);
	c.wrapper = refusing(at, w->error, w->how);
	*ret = call(c);
	if (!what_was_refused()) {
		ck_assert_int_eq(ret->status, 0);
		return NULL;
	}
	ck_assert_msg(ret->status == 0 || (ret->status == 1 && *ret->msg), "%s%s", ret->out,
		      ret->err);
	return fmt("%s, request %d (%s), %s: %s%s", command, at, what_was_refused(),
		   strerror(w->error), ret->out, ret->err);
}

START_TEST(a_refused_add_changes_nothing)
{
	const char *before, *what;
	struct reply r;
	int at = 1;

	start(_i);
	forget_limits();
	before = state();
	for (; (what = call_refused("ADD", at, &r)); at++) {
		if (r.status != 0)
			assert_left(what, before);
		/* else an answer that it can do without */
		call_ok(on_c1("DEL"));
		forget_limits();
		assert_left(what, before);
	}
	ck_assert_int_gt(at, 6);
}
END_TEST

START_TEST(a_refused_del_says_so_and_finishes_when_repeated)
{
	const char *before, *what;
	struct reply r;
	int at = 1;

	start(_i);
	forget_limits();
	before = state();
	for (;; at++) {
		call_ok(on_c1("ADD"));
		what = call_refused("DEL", at, &r);
		if (!what)
			break;
		forget_limits();
		if (r.status == 0)
			assert_left(what, before);
		call_ok(on_c1("DEL"));
		assert_left(what, before);
	}
	ck_assert_int_gt(at, 2);
}
END_TEST

int main(int argc, char **argv)
{
	Suite *suite;
	TCase *tc;

	if (argc > 5 && strcmp(argv[1], REFUSE_MODE) == 0)
		return refuse_main(argv + 2);
	suite = suite_create("refused");
	tc = tcase_create("refused");
	tcase_add_checked_fixture(tc, setup, world_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, a_refused_add_changes_nothing, 0, N_RUNS);
	tcase_add_loop_test(tc, a_refused_del_says_so_and_finishes_when_repeated, 0, N_RUNS);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
