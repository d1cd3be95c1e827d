/*
 * A container that takes over an address, a MAC or both is reached by the first packet: what the host,
 * its bridge and the other containers believed before is corrected by ADD, and by DEL.
 */
#include "world.h"

#include <string.h>

#define NET(keys, address, address6)                                                          \
	"{\"cniVersion\":\"1.0.0\",\"name\":\"net1\",\"type\":\"bridge\",\"bridge\":\"br0\"," \
	"\"isGateway\":true" keys ",\"ipam\":{\"type\":\"static\",\"addresses\":["            \
	"{\"address\":\"" address "/24\"},{\"address\":\"" address6 "/64\"}]}}"
#define FIRST NET("", "10.1.0.2", "fd00::2")
#define OTHER NET("", "10.1.0.3", "fd00::3")
#define NOBODY "02:00:00:00:00:99"

static const char *c1, *c2;

static void setup(void)
{
	world_setup();
	c1 = container_add("c1");
	c2 = container_add("c2");
}

static struct call on(const char *command, const char *netns, const char *id, const char *config)
{
	return (struct call){ .command = command, .netns = netns, .id = id, .config = config };
}

static const char *mac_in(const char *container)
{
	return sh_in(container, "cat /sys/class/net/eth0/address");
}

/* The first packet, and only one, has to come back. */
static void assert_answered(const char *container)
{
	static const char *const pings[] = { "ping -c1 -W5 10.1.0.2", "ping -c1 -W5 fd00::2" };

	for (int i = 0; i < 2; i++) {
		if (container)
			sh_in(container, "%s", pings[i]);
		else
			sh("%s", pings[i]);
	}
}

static const char *const states[] = { "stale", "reachable", "delay", "probe", "failed" };
#define N_STATES (int)(sizeof(states) / sizeof(states[0]))

START_TEST(the_host_reaches_a_reused_address_at_once)
{
	const char *lladdr = strcmp(states[_i], "failed") == 0 ? "" : "lladdr " NOBODY;

	call_ok(on("ADD", c2, "ctr2", OTHER));
	sh("for a in 10.1.0.2 fd00::2; do ip neigh replace $a %s dev br0 nud %s; done", lladdr,
	   states[_i]);
	call_ok(on("ADD", c1, "ctr1", FIRST));
	assert_answered(NULL);
	ck_assert_str_eq(sh("ip neigh show dev br0 | grep -c %s || true", NOBODY), "0");
}
END_TEST

START_TEST(another_container_reaches_a_reused_address_at_once)
{
	call_ok(on("ADD", c2, "ctr2", OTHER));
	sh_in("c2",
	      "for a in 10.1.0.2 fd00::2; do "
	      "ip neigh replace $a lladdr " NOBODY " dev eth0 nud %s; done",
	      _i ? "reachable" : "stale");
	call_ok(on("ADD", c1, "ctr1", FIRST));
	assert_answered("c2");
	ck_assert_str_eq(sh_in("c2", "ip neigh | grep -c %s || true", mac_in("c1")), "2");
}
END_TEST

/*
 * The kernel's own announcement, when the link goes up, comes before the port forwards, if only ADD takes
 * long enough for the kernel to see that the port has no carrier yet.
 */
START_TEST(what_is_announced_is_heard_although_the_port_forwards_late)
{
	struct call c = on("ADD", c1, "ctr1",
			   "{\"cniVersion\":\"1.0.0\",\"name\":\"net1\",\"type\":\"bridge\","
			   "\"bridge\":\"br0\",\"isGateway\":true,\"ipam\":{\"type\":\"slow\"}}");

	call_ok(on("ADD", c2, "ctr2", OTHER));
	sh("mkdir /run/slow && cat >/run/slow/slow <<'END' && chmod 755 /run/slow/slow\n"
	   "#!/bin/sh\ncat >/dev/null\n[ $CNI_COMMAND = ADD ] || exit 0\n"
	   "n=0; until grep -q down /sys/class/net/veth*/operstate; do\n"
	   "n=$((n + 1)); [ $n -lt 1000 ] || exit 1; sleep 0.01; done\n"
	   "echo '{\"cniVersion\":\"1.0.0\",\"ips\":[{\"address\":\"10.1.0.2/24\"},"
	   "{\"address\":\"fd00::2/64\"}]}'\nEND");
	sh_in("c2", "for a in 10.1.0.2 fd00::2; do "
		    "ip neigh replace $a lladdr " NOBODY " dev eth0 nud reachable; done");
	c.path = fmt("/run/slow:%s", our_plugins());
	call_ok(c);
	assert_answered("c2");
	ck_assert_str_eq(sh_in("c2", "ip neigh | grep -c %s || true", mac_in("c1")), "2");
}
END_TEST

/* A container with a MAC of its own has come here from behind another port. */
START_TEST(the_bridge_finds_a_mac_at_its_new_port)
{
	static const char *const config =
		NET(",\"args\":{\"cni\":{\"mac\":\"02:00:00:00:00:07\"}}", "10.1.0.2", "fd00::2");

	call_ok(on("ADD", c2, "ctr2", OTHER));
	/* A port that does not forward yet takes no entry. */
	sh("ip link add far type veth peer name beyond && ip link set far master br0 && "
	   "ip link set far up && ip link set beyond up && for i in $(seq 500); do "
	   "bridge fdb add 02:00:00:00:00:07 dev far master dynamic && exit; sleep 0.01; done; "
	   "exit 1");
	call_ok(on("ADD", c1, "ctr1", config));
	ck_assert_str_eq(sh("bridge fdb | grep ^02:00:00:00:00:07 | grep -c far || true"), "0");
	ck_assert_str_eq(sh("bridge fdb | grep -c '^02:00:00:00:00:07 dev veth'"), "1");
	assert_answered("c2");
}
END_TEST

START_TEST(what_the_administrator_has_set_stays)
{
	call_ok(on("ADD", c2, "ctr2", OTHER));
	sh("ip neigh add 10.1.0.2 lladdr " NOBODY " dev br0 nud permanent && "
	   "ip neigh add fd00::2 lladdr " NOBODY " dev br0 nud permanent");
	call_ok(on("ADD", c1, "ctr1", FIRST));
	ck_assert_str_eq(sh("ip neigh show nud permanent | grep -c " NOBODY), "2");
}
END_TEST

START_TEST(other_neighbours_stay)
{
	call_ok(on("ADD", c2, "ctr2", OTHER));
	sh("ping -c1 -W1 10.1.0.3");
	sh("ip neigh replace 10.1.0.4 lladdr " NOBODY " dev br0 nud stale; ip link add br9 type "
	   "bridge; ip link set br9 up; ip neigh add 10.1.0.2 lladdr " NOBODY " dev br9 nud stale");
	call_ok(on("ADD", c1, "ctr1", FIRST));
	ck_assert_str_eq(sh("ip neigh show 10.1.0.3 | awk '{print $5}'"), mac_in("c2"));
	ck_assert_str_eq(sh("ip neigh show 10.1.0.4 | awk '{print $5}'"), NOBODY);
	ck_assert_str_eq(sh("ip neigh show 10.1.0.2 dev br9 | awk '{print $3}'"), NOBODY);
}
END_TEST

START_TEST(del_makes_the_host_forget_what_it_knew_by_the_result)
{
	struct reply r = call_ok(on("ADD", c1, "ctr1", FIRST));
	const char *config = with_prev(FIRST, r.out);

	call_ok(on("ADD", c2, "ctr2", OTHER));
	assert_answered(NULL);
	sh("ping -c1 -W1 10.1.0.3");
	ck_assert_str_eq(sh("ip neigh show dev br0 | grep -c '^10.1.0.2 \\|^fd00::2 '"), "2");
	call_ok(on("DEL", _i ? c1 : "", "ctr1", config));
	ck_assert_str_eq(sh("ip neigh show dev br0 | grep -c '^10.1.0.2 \\|^fd00::2 ' || true"),
			 "0");
	ck_assert_str_eq(sh("ip neigh show dev br0 | grep -c '^10.1.0.3 '"), "1");
	call_ok(on("DEL", c1, "ctr1", config));
	sh("ip link del br0");
	call_ok(on("DEL", c1, "ctr1", config));
	call_ok(on("DEL", c1, "ctr1", with_prev(FIRST, "{\"ips\":[{\"address\":\"x\"}]}")));
	call_ok(on("DEL", c1, "ctr1", FIRST));
}
END_TEST

/* The whole life: the address goes to another container, and nobody waits for a time-out. */
START_TEST(an_address_that_moves_is_found_by_everybody)
{
	const char *c3 = container_add("c3");

	call_ok(on("ADD", c1, "ctr1", FIRST));
	call_ok(on("ADD", c2, "ctr2", OTHER));
	for (int i = 0; i < 3; i++) {
		assert_answered(NULL);
		assert_answered("c2");
		call_ok(on("DEL", i % 2 ? c3 : c1, i % 2 ? "ctr3" : "ctr1", FIRST));
		call_ok(on("ADD", i % 2 ? c1 : c3, i % 2 ? "ctr1" : "ctr3", FIRST));
	}
	assert_answered("c2");
	assert_answered(NULL);
}
END_TEST

struct refusals {
	bool forget, announce; /**< noted, by an ADD that worked */
};

/* ADD, with the `n`th message refused. @return false if there are not as many */
static bool add_refused(int n, struct refusals *noted)
{
	struct call c = on("ADD", c1, "ctr1", FIRST);
	struct reply r;

	c.wrapper = fmt("env ASAN_OPTIONS=detect_leaks=0 strace -o /run/trace "
			"-e trace=sendmsg,sendto -e inject=sendmsg,sendto:error=EPERM:when=%d",
			n);
	r = call(c);
	if (r.status == 0) {
		if (strstr(r.err, "forget the neighbour 10.1.0.2: operation not permitted"))
			noted->forget = true;
		if (strstr(r.err, "announce the addresses of eth0: operation not permitted"))
			noted->announce = true;
		/* Well before the kernel itself begins to doubt an entry, after 5 s. */
		sh("ping -c4 -i0.2 -W1 10.1.0.2 && ping -c4 -i0.2 -W1 fd00::2");
		call_ok(on("DEL", c1, "ctr1", FIRST));
	}
	return sh_status("grep -q INJECTED /run/trace") == 0;
}

/*
 * Whatever the kernel refuses: ADD works without, or fails as a whole; these two it works without. On a busy machine
 * ADD asks more than once whether a link has a carrier: which message is the nth is not the same each time.
 */
START_TEST(an_announcement_that_the_kernel_refuses_is_only_noted)
{
	struct refusals noted = { 0 };

	call_ok(on("ADD", c2, "ctr2", OTHER));
	for (int round = 0; round < 10 && !(noted.forget && noted.announce); round++) {
		int n = 1;

		while (add_refused(n, &noted))
			ck_assert_int_lt(n++, 60);
	}
	ck_assert_msg(noted.forget && noted.announce, "forget %d, announce %d", noted.forget,
		      noted.announce);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("neigh");
	TCase *tc = tcase_create("neigh");

	tcase_add_checked_fixture(tc, setup, world_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, the_host_reaches_a_reused_address_at_once, 0, N_STATES);
	tcase_add_loop_test(tc, another_container_reaches_a_reused_address_at_once, 0, 2);
	tcase_add_test(tc, what_is_announced_is_heard_although_the_port_forwards_late);
	tcase_add_test(tc, the_bridge_finds_a_mac_at_its_new_port);
	tcase_add_test(tc, what_the_administrator_has_set_stays);
	tcase_add_test(tc, other_neighbours_stay);
	tcase_add_loop_test(tc, del_makes_the_host_forget_what_it_knew_by_the_result, 0, 2);
	tcase_add_test(tc, an_address_that_moves_is_found_by_everybody);
	tcase_add_test(tc, an_announcement_that_the_kernel_refuses_is_only_noted);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
