/*
 * bandwidth: what a container sends and receives is limited, with packets; what is undone, removed, found broken; a kill at
 * every step; and the state beside the Go plugin's.
 */
#include "same_world.h"
#include "trace.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define CALLS "sendmsg,sendto"

#define CONF_V(version, keys) \
	"{\"cniVersion\":\"" version "\",\"name\":\"net1\",\"type\":\"bandwidth\"" keys "}"
#define CONF(keys) CONF_V("1.0.0", keys)
#define LIMITS(text) ",\"runtimeConfig\":{\"bandwidth\":{" text "}}"
#define IN "\"IngressRate\":1000000,\"IngressBurst\":800000"
#define OUT "\"EgressRate\":2000000,\"EgressBurst\":1600000"
#define BRIDGE                                                                                \
	"{\"cniVersion\":\"1.0.0\",\"name\":\"net1\",\"type\":\"bridge\",\"bridge\":\"br0\"," \
	"\"isGateway\":true,\"ipam\":{\"type\":\"host-local\",\"subnet\":\"10.1.0.0/24\"}}"

static const char both[] = CONF(LIMITS(IN "," OUT));

/* The result of container 1's bridge. */
static const char *attached;
static json_t *attached_json;

static void attach(void)
{
	struct reply r = call_ok(on_container(1, "ADD", BRIDGE));

	attached = r.out;
	attached_json = r.json;
}

static void setup(void)
{
	world_setup();
	no_link_local();
	container_add("c1");
	container_add("c2");
	attach();
}

static struct call on(const char *command, const char *config)
{
	return on_container(1, command, with_prev(config, attached));
}

static struct reply add(const char *config)
{
	return call_ok(on("ADD", config));
}

/* The host's end of container 1. */
static const char *end(void)
{
	return sh("ip -o link show type veth | sed -n '/alias ccni net1 eth0 ctr1/"
		  "s/^[0-9]*: \\([^@]*\\)@.*/\\1/p'");
}

/* The name that the Go plugin gives the link of ctr1. */
static const char *first_name(void)
{
	return sh("echo bwp$(printf net1ctr1 | sha512sum | cut -c1-12)");
}

static const char *ifbs(void)
{
	return sh("ip -o link show type ifb | cut -d: -f2 | xargs");
}

/* What limits and leads, with the host's end and the ifb by these names; what differs by its nature is left out. */
static const char *shaping(void)
{
	return sh("V=%s; { tc qdisc show; tc filter show dev $V parent ffff: 2>/dev/null; } | "
		  "grep -v noqueue | sed -E \"s/$V/<end>/; s/bwp[0-9a-f]{12}/<ifb>/; "
		  "s/refcnt [0-9]+ //; /action order 2/,\\$d; s/index [0-9]+ ref.*//; s/ +$//\" | "
		  "grep -v '^\\s*$'",
		  end());
}

static void assert_nothing_left(void)
{
	ck_assert_str_eq(ifbs(), "");
	ck_assert_str_eq(sh("tc qdisc show | grep -v noqueue || :"), "");
}

/* ---- packets ---- */

#define SMALL "ping -c1 -W2 -s 20 "
#define LARGE "ping -c1 -W1 -s 1000 "

static const struct {
	const char *limits;
	int status; /* of a large packet and its answer */
} directions[] = {
	{ "\"IngressRate\":8000,\"IngressBurst\":1600", 1 },
	{ "\"EgressRate\":8000,\"EgressBurst\":1600", 1 },
	{ "\"IngressRate\":80000000,\"IngressBurst\":80000000,"
	  "\"EgressRate\":80000000,\"EgressBurst\":80000000",
	  0 },
};

/* A packet that is larger than the burst never goes through. */
START_TEST(packets_are_limited_in_each_direction)
{
	const char *config = fmt(CONF(LIMITS("%s")), directions[_i].limits);
	struct reply r;

	sh_in("c1", LARGE "10.1.0.1");
	r = add(config);
	sh_in("c1", SMALL "10.1.0.1");
	ck_assert_int_eq(sh_status_in("c1", LARGE "10.1.0.1"), directions[_i].status);
	call_ok(on_container(1, "CHECK", with_prev(config, r.out)));
}
END_TEST

START_TEST(the_result_names_the_link_and_nothing_else_changes)
{
	struct reply r = add(both);
	json_t *list = json_object_get(r.json, "interfaces"), *last = json_array_get(list, 3);

	ck_assert_str_eq(json_string_value(json_object_get(last, "name")), first_name());
	ck_assert_str_eq(json_string_value(json_object_get(last, "mac")),
			 sh("cat /sys/class/net/%s/address", first_name()));
	ck_assert_ptr_null(json_object_get(last, "sandbox"));
	json_array_remove(list, 3);
	ck_assert(json_equal(r.json, attached_json));
}
END_TEST

static const char *const unlimited[] = {
	CONF(""),
	CONF(LIMITS("")),
	CONF(LIMITS("\"IngressRate\":0,\"IngressBurst\":0,\"EgressRate\":0,\"EgressBurst\":0")),
	/* The top counts, as soon as it says anything. */
	CONF(",\"ingressRate\":0" LIMITS(IN)),
};

START_TEST(without_limits_nothing_is_done)
{
	struct reply r = add(unlimited[_i]);

	ck_assert(json_equal(r.json, attached_json));
	assert_nothing_left();
	call_ok(on("CHECK", unlimited[_i]));
	call_ok(on("DEL", unlimited[_i]));
}
END_TEST

/* ---- beside the Go plugin ---- */

static const struct {
	const char *limits;
	bool top; /* of the configuration, not of runtimeConfig */
	bool wraps; /* theirs wraps around, and ours does not */
} rows[] = {
	{ IN, false, false },
	{ OUT, false, false },
	{ IN "," OUT, false, false },
	{ IN "," OUT, true, false },
	{ "\"INGRESSRATE\":333333333,\"ingressburst\":123456789", false, false },
	{ "\"ingressRate\":80000000000,\"ingressBurst\":34359738359", false, false },
	/* containerd's burst, and CRI-O's */
	{ "\"IngressRate\":100000000,\"IngressBurst\":4294967295,\"EgressRate\":0,"
	  "\"EgressBurst\":0",
	  false, false },
	{ "\"IngressRate\":10000000,\"IngressBurst\":4294967295", false, true },
	{ "\"EgressRate\":1000000,\"EgressBurst\":34359738359", false, true },
};

static const char *without_burst(const char *text)
{
	return sh_filter(text, "sed -E 's/ burst .*//'");
}

static struct reply by(const char *bin, const char *command, const char *config, const char *result)
{
	struct call c = on_container(1, command, with_prev(config, result));

	c.bin = bin;
	return call_ok(c);
}

static void compare(int row, const char *bin)
{
	const char *config = rows[row].top ? fmt(CONF(",%s"), rows[row].limits)
					   : fmt(CONF(LIMITS("%s")), rows[row].limits);
	struct reply r = by(NULL, "ADD", config, attached);
	const char *ours = shaping(), *theirs;

	if (!rows[row].wraps)
		by(bin, "CHECK", config, r.out);
	by(bin, "DEL", config, r.out);
	ck_assert_str_eq(ifbs(), "");
	call_ok(on_container(1, "DEL", BRIDGE));
	attach();
	r = by(bin, "ADD", config, attached);
	theirs = shaping();
	ck_assert_ptr_nonnull(strstr(ours, "tbf"));
	if (rows[row].wraps)
		ck_assert_str_eq(without_burst(ours), without_burst(theirs));
	else
		ck_assert_str_eq(ours, theirs);
	by(NULL, "CHECK", config, r.out);
	by(NULL, "DEL", config, r.out);
	ck_assert_str_eq(ifbs(), "");
}

START_TEST(same_as_debian)
{
	compare(_i, debian_plugins());
}
END_TEST

START_TEST(same_as_newest)
{
	compare(_i, newest_plugins());
}
END_TEST

/* ---- ADD that fails ---- */

static const struct {
	const char *before, *config;
	int code;
	const char *msg, *details;
} failures[] = {
	{ NULL, CONF(LIMITS("\"ingressRate\":1000")), 7, "if rate is set, burst must also be set",
	  "" },
	{ NULL, CONF(LIMITS("\"egressBurst\":1000")), 7, "if burst is set, rate must also be set",
	  "" },
	{ NULL, CONF(LIMITS("\"egressRate\":1000,\"egressBurst\":34359738360")), 7,
	  "burst cannot be more than 4GB", "" },
	{ NULL, CONF(LIMITS("\"egressRate\":-1,\"egressBurst\":1000")), 7, "egressRate: -1", "" },
	{ NULL, CONF(LIMITS("\"ingressRate\":7,\"ingressBurst\":1000")), 7, "less than a byte",
	  "" },
	{ NULL, CONF(LIMITS(IN ",\"egressRate\":64000,\"egressBurst\":8")), 7,
	  "egressBurst: 8 is too little for egressRate 64000", "rounds this one to nothing" },
	{ NULL, CONF(LIMITS("\"ingressRate\":\"1M\",\"ingressBurst\":1000")), 7,
	  "runtimeConfig.bandwidth.ingressRate", "" },
	{ NULL, CONF(",\"runtimeConfig\":{\"bandwidth\":5}"), 7, "runtimeConfig.bandwidth", "" },
	{ "ip -n c1 link set eth0 name eth9", CONF(LIMITS(IN)), 999,
	  "container interface eth0 has no veth peer", "" },
	{ "ip -n c1 link del eth0 && ip -n c1 link add eth0 type bridge", CONF(LIMITS(IN)), 999,
	  "eth0 is not a veth interface", "no end on the host" },
	{ "ip link set $V netns c2", CONF(LIMITS(IN)), 999,
	  "no veth peer of container interface found in host ns", "" },
	{ "ip link set $V name other", CONF(LIMITS(IN)), 999,
	  "no veth peer of container interface found in host ns", "it is \"other\"" },
	/* Somebody else's: it stays, and what was limited by then is not any more. */
	{ "tc qdisc add dev $V root handle 1: pfifo limit 7", CONF(LIMITS(IN)), 999,
	  "create qdisc: limit what \"veth", "" },
	{ "tc qdisc add dev $V clsact", CONF(LIMITS(IN "," OUT)), 999, "lead what ", "" },
};

START_TEST(an_add_that_fails_leaves_nothing_and_says_why)
{
	const char *before;
	struct reply r;

	if (failures[_i].before)
		sh("V=%s; %s", end(), failures[_i].before);
	before = sh("ip -o link | wc -l; tc qdisc show");
	r = call_fails(on("ADD", failures[_i].config), failures[_i].code, failures[_i].msg);
	ck_assert_msg(strstr(r.details, failures[_i].details) != NULL, "%s", r.out);
	ck_assert_str_eq(sh("ip -o link | wc -l; tc qdisc show"), before);
}
END_TEST

START_TEST(it_stands_behind_another_plugin)
{
	call_fails(on_container(1, "ADD", both), 7, "must be called as chained plugin");
	call_fails(on_container(1, "ADD", CONF("")), 7, "must be called as chained plugin");
	call_fails(on_container(1, "CHECK", both), 7, "must be called as a chained plugin");
}
END_TEST

/* ---- whose link is whose ---- */

START_TEST(each_interface_of_a_container_has_its_own_link)
{
	struct call second = on_container(1, "ADD", BRIDGE), limit;

	second.ifname = "eth1";
	limit = second;
	limit.config = with_prev(both, call_ok(second).out);
	add(both);
	call_ok(limit);
	ck_assert_str_eq(sh("ip -o link show type ifb | wc -l"), "2");
	call_ok(on("DEL", both));
	ck_assert_str_eq(sh("ip link show type ifb | sed -n 's/.*alias //p'"),
			 "ccni net1 eth1 ctr1");
	limit.command = "DEL";
	call_ok(limit);
	ck_assert_str_eq(ifbs(), "");
}
END_TEST

START_TEST(a_second_add_is_as_the_first)
{
	struct reply r = add(both);
	const char *first = shaping();

	r = add(both);
	ck_assert_str_eq(shaping(), first);
	call_ok(on_container(1, "CHECK", with_prev(both, r.out)));
	sh_in("c1", SMALL "10.1.0.1");
}
END_TEST

START_TEST(a_link_of_another_kind_keeps_its_name)
{
	struct reply r;

	sh("ip link add %s type bridge", first_name());
	r = add(both);
	ck_assert_str_eq(sh("ip -o link show type ifb | wc -l"), "1");
	call_ok(on_container(1, "CHECK", with_prev(both, r.out)));
	call_ok(on("DEL", both));
	sh("ip link show %s", first_name());
	ck_assert_str_eq(ifbs(), "");
}
END_TEST

START_TEST(del_needs_nothing_but_the_names)
{
	struct call c =
		on_container(1, "DEL", CONF(LIMITS("\"ingressRate\":5,\"egressRate\":\"x\"")));

	add(both);
	call_ok(on_container(1, "DEL", BRIDGE));
	container_del("c1");
	c.netns = _i ? c.netns : "";
	call_ok(c);
	assert_nothing_left();
	call_ok(c);
}
END_TEST

START_TEST(gc_removes_what_no_valid_attachment_owns)
{
	struct call c = { .command = "GC", .id = "", .ifname = "" };
	const char *other = call_ok(on_container(2, "ADD", BRIDGE)).out;
	const char *kept;

	call_ok(on_container(2, "ADD", with_prev(both, other)));
	kept = ifbs();
	add(both);
	sh("ip link add bwp0123456789ab type ifb"); /* a Go plugin's: of whom? */
	c.config = CONF_V("1.1.0",
			  ",\"cni.dev/valid-attachments\":[{\"containerID\":\"ctr2\",\"ifname\":"
			  "\"eth0\"}]");
	call_ok(c);
	ck_assert_str_eq(ifbs(), fmt("%s bwp0123456789ab", kept));
	c.config = CONF_V("1.1.0", "");
	call_ok(c);
	ck_assert_str_eq(ifbs(), fmt("%s bwp0123456789ab", kept));
}
END_TEST

START_TEST(status_reads_the_limits)
{
	struct call c = {
		.command = "STATUS", .id = "", .ifname = "", .config = CONF_V("1.1.0", "")
	};

	call_ok(c);
	c.config = CONF_V("1.1.0", ",\"ingressRate\":1000");
	call_fails(c, 7, "burst must also be set");
}
END_TEST

/* ---- CHECK ---- */

static const struct {
	const char *damage, *msg;
} damages[] = {
	{ "tc qdisc del dev $V root", "Failed to find qdisc: what \"veth" },
	{ "tc qdisc change dev $V root handle 1: tbf rate 2mbit burst 100000b latency 25ms",
	  "Rate doesn't match on \"veth" },
	{ "tc qdisc change dev $V root handle 1: tbf rate 1mbit burst 100000b latency 50ms",
	  "Limit doesn't match on \"veth" },
	{ "tc qdisc change dev $V root handle 1: tbf rate 1mbit burst 90000b limit 103125",
	  "Buffer doesn't match on \"veth" },
	{ "tc qdisc del dev $I root", "Failed to find qdisc: what \"bwp" },
	{ "tc qdisc replace dev $I root pfifo", "Failed to find qdisc: what \"bwp" },
	{ "ip link del $I", "get ifb device: Link not found" },
	{ "ip link set $I down", "is down" },
	{ "tc qdisc del dev $V ingress", "is not led to \"bwp" },
	{ "tc filter del dev $V parent ffff:", "is not led to \"bwp" },
	{ "tc filter del dev $V parent ffff: && ip link add i9 type ifb && tc filter add dev $V "
	  "parent ffff: protocol all u32 match u32 0 0 action mirred egress redirect dev i9",
	  "is not led to \"bwp" },
	{ "ip -n c1 link set eth0 name eth9", "has no veth peer" },
};

START_TEST(check_finds_what_is_broken)
{
	struct call c = on_container(1, "CHECK", with_prev(both, add(both).out));

	call_ok(c);
	sh("V=%s; I=%s; %s", end(), first_name(), damages[_i].damage);
	call_fails(c, 999, damages[_i].msg);
}
END_TEST

/* ---- killed ---- */

START_TEST(after_a_killed_add_add_works_and_del_leaves_nothing)
{
	static struct point points[MAX_POINTS];
	int n = trace_points(by_plain(on("ADD", both)), "-e trace=" CALLS, points);
	const char *whole = shaping();

	ck_assert_int_gt(n, 8);
	for (int i = 0; i < n; i++) {
		call_ok(on("DEL", both));
		sh("V=%s; tc qdisc del dev $V root; tc qdisc del dev $V ingress; :", end());
		kill_at(by_plain(on("ADD", both)), &points[i]);
		if (i % 2) {
			call_ok(on("DEL", both));
			ck_assert_str_eq(ifbs(), "");
		}
		add(both);
		ck_assert_str_eq(shaping(), whole);
	}
	call_ok(on("DEL", both));
	call_ok(on_container(1, "DEL", BRIDGE));
	assert_nothing_left();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("bandwidth");
	TCase *tc = tcase_create("bandwidth");

	tcase_add_checked_fixture(tc, setup, world_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, packets_are_limited_in_each_direction, 0, ARRAY_SIZE(directions));
	tcase_add_test(tc, the_result_names_the_link_and_nothing_else_changes);
	tcase_add_loop_test(tc, without_limits_nothing_is_done, 0, ARRAY_SIZE(unlimited));
	if (peer_has("/usr/lib/cni", "bandwidth"))
		tcase_add_loop_test(tc, same_as_debian, 0, ARRAY_SIZE(rows));
	if (peer_has(getenv("CNI_PEER_DIR"), "bandwidth"))
		tcase_add_loop_test(tc, same_as_newest, 0, ARRAY_SIZE(rows));
	tcase_add_loop_test(tc, an_add_that_fails_leaves_nothing_and_says_why, 0,
			    ARRAY_SIZE(failures));
	tcase_add_test(tc, it_stands_behind_another_plugin);
	tcase_add_test(tc, each_interface_of_a_container_has_its_own_link);
	tcase_add_test(tc, a_second_add_is_as_the_first);
	tcase_add_test(tc, a_link_of_another_kind_keeps_its_name);
	tcase_add_loop_test(tc, del_needs_nothing_but_the_names, 0, 2);
	tcase_add_test(tc, gc_removes_what_no_valid_attachment_owns);
	tcase_add_test(tc, status_reads_the_limits);
	tcase_add_loop_test(tc, check_finds_what_is_broken, 0, ARRAY_SIZE(damages));
	tcase_add_test(tc, after_a_killed_add_add_works_and_del_leaves_nothing);
	suite_add_tcase(suite, tc);
	return peer_main(suite, "bandwidth");
}
