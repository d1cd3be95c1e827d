/*
 * What a call does, by strace: it runs no program but another CNI plugin, asks the kernel for no
 * table where one object will do, and sends no more netlink messages than it did when this test was
 * written. A change that needs fewer lowers the numbers here; one that needs more needs a reason.
 */
#include "same_world.h"
#include "trace.h"

#define NET(keys, ranges)                                                                     \
	"{\"cniVersion\":\"1.0.0\",\"name\":\"net1\",\"type\":\"bridge\",\"bridge\":\"br0\"," \
	"\"isGateway\":true" keys ",\"ipam\":{\"type\":\"host-local\",\"ranges\":[" ranges "]}}"
#define V4 "[{\"subnet\":\"10.1.0.0/24\"}]"
#define V6 "[{\"subnet\":\"fd00::/64\"}]"

static const char plain[] = NET("", V4);
static const char both[] = NET("", V4 "," V6);
static const char masq[] = NET(",\"ipMasq\":true", V4);
static const char nftables[] = NET(",\"ipMasq\":true,\"ipMasqBackend\":\"nftables\"", V4);
static const char everything[] =
	NET(",\"isDefaultGateway\":true,\"ipMasq\":true,\"macspoofchk\":true", V4 "," V6);

static const char *c1;

static void setup(void)
{
	world_setup();
	no_link_local();
	c1 = container_add("c1");
	/* Another container is there already, and so are bridge, gateway and table. */
	call_ok((struct call){ .command = "ADD",
			       .id = "other",
			       .netns = container_add("c2"),
			       .config = everything });
}

static struct seen look_at(const char *command, const char *config)
{
	return look((struct call){ .command = command, .netns = c1, .config = config });
}

START_TEST(nothing_is_executed)
{
	static const char *const configs[] = { plain, masq, nftables, everything };
	const char *config = configs[_i];
	struct reply r;

	ck_assert_int_eq(look_at("ADD", config).programs, 1);
	ck_assert_int_eq(look_at("DEL", config).programs, 1);
	ck_assert_int_eq(look_at("DEL", config).programs, 1);
	r = call_ok((struct call){ .command = "ADD", .netns = c1, .config = config });
	ck_assert_int_eq(look_at("CHECK", with_prev(config, r.out)).programs, 1);
}
END_TEST

START_TEST(add_dumps_no_table)
{
	static const char *const configs[] = { plain, masq, nftables, everything };
	struct seen s = look_at("ADD", configs[_i]);

	ck_assert_int_gt(s.requests, 0);
	ck_assert_msg(s.dumps == 0, "%d dumps, the last one: %s", s.dumps, s.dump);
}
END_TEST

START_TEST(the_count_of_messages_does_not_grow)
{
	struct seen add = look_at("ADD", plain), del = look_at("DEL", plain);

	/*
	 * bridge?; make the pair; veth addressless; up; eth0 up; its address; forwarding?; veth?; stale neighbour?; announce;
	 * finished. Before Linux 6.2, which does not echo, veth? once more.
	 */
	ck_assert_int_eq(add.requests, 11);
	/*
	 * veth?; delete it; its other name?; the mark of our nftables masquerade rules; such rules; our
	 * chain in iptables, in ip6tables; spoof check?
	 */
	ck_assert_int_eq(del.requests, 8);
}
END_TEST

/* Each commit that removes something may be waited for on its own. */
START_TEST(nothing_is_committed_twice)
{
	static const struct {
		const char *config;
		int add, del;
	} rows[] = {
		{ plain, 0, 0 },
		{ masq, 1, 1 },
		{ nftables, 1, 1 },
		{ everything, 2,
		  2 }, /* the spoof check stands from before the address until after the link */
	};

	ck_assert_int_eq(look_at("ADD", rows[_i].config).commits, rows[_i].add);
	ck_assert_int_eq(look_at("DEL", rows[_i].config).commits, rows[_i].del);
	ck_assert_int_eq(look_at("DEL", rows[_i].config).commits, 0);
}
END_TEST

START_TEST(firewall_commits_once)
{
	const char *config = with_prev(
		"{\"cniVersion\":\"1.0.0\",\"name\":\"net1\",\"type\":\"firewall\","
		"\"backend\":\"iptables\",\"ingressPolicy\":\"same-bridge\"}",
		call_ok((struct call){ .command = "ADD", .netns = c1, .config = both }).out);

	ck_assert_int_eq(look_at("ADD", config).commits, 1);
	ck_assert_int_eq(look_at("DEL", config).commits, 1);
	ck_assert_int_eq(look_at("DEL", config).commits, 0);
}
END_TEST

/* With a result there is the bridge and a neighbour of it to look at. */
START_TEST(del_forgets_the_neighbour_in_two_messages)
{
	struct reply r = call_ok((struct call){ .command = "ADD", .netns = c1, .config = plain });
	struct seen del = look_at("DEL", with_prev(plain, r.out));

	ck_assert_int_eq(del.requests, 10);
	ck_assert_int_eq(del.dumps, 1); /* masquerade rules */
}
END_TEST

/* The price of a call does not depend on how many others there are. */
START_TEST(add_sends_as_much_when_there_are_many)
{
	struct seen few = look_at("ADD", everything), many;

	call_ok((struct call){ .command = "DEL", .netns = c1, .config = everything });
	for (int i = 0; i < 20; i++)
		call_ok((struct call){ .command = "ADD",
				       .id = fmt("many%d", i),
				       .netns = c1,
				       .ifname = fmt("many%d", i),
				       .config = masq });
	many = look_at("ADD", everything);
	ck_assert_int_eq(few.requests, many.requests);
	ck_assert_int_eq(many.dumps, 0);
}
END_TEST

START_TEST(another_file_is_run_as_the_one_program)
{
	struct call c = { .netns = c1, .config = everything, .path = "/run/other" };
	static const char *const commands[] = { "ADD", "DEL" };

	sh("mkdir /run/other && cp %s/host-local /run/other", our_plugins());
	for (int i = 0; i < 2; i++) {
		c.command = commands[i];
		ck_assert_int_eq(look(c).programs, 2);
		ck_assert_str_eq(sh("grep -c 'execve(\"/run/other/host-local\"' " TRACE), "1");
	}
	/* A link to our own file is our own file. */
	sh("ln -sf %s/host-local /run/other/host-local", our_plugins());
	for (int i = 0; i < 2; i++) {
		c.command = commands[i];
		ck_assert_int_eq(look(c).programs, 1);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("trace");
	TCase *tc = tcase_create("trace");

	tcase_add_checked_fixture(tc, setup, world_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, nothing_is_executed, 0, 4);
	tcase_add_loop_test(tc, add_dumps_no_table, 0, 4);
	tcase_add_test(tc, the_count_of_messages_does_not_grow);
	tcase_add_loop_test(tc, nothing_is_committed_twice, 0, 4);
	tcase_add_test(tc, firewall_commits_once);
	tcase_add_test(tc, del_forgets_the_neighbour_in_two_messages);
	tcase_add_test(tc, add_sends_as_much_when_there_are_many);
	tcase_add_test(tc, another_file_is_run_as_the_one_program);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
