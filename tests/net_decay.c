/*
 * DEL, when the attachment is not where ADD left it: the interface renamed or moved, the namespace
 * unreadable or forgotten, its path used again by another container. What is gone altogether:
 * net_failures.
 */
#include "same_world.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define NET                                                                                      \
	"{\"cniVersion\":\"1.1.0\",\"name\":\"net1\",\"type\":\"bridge\",\"bridge\":\"br0\","    \
	"\"isGateway\":true,\"ipMasq\":true,\"ipMasqBackend\":\"nftables\",\"macspoofchk\":true" \
	",\"ipam\":{\"type\":\"host-local\",\"subnet\":\"10.1.0.0/24\"}}"
#define LEASES "/var/lib/cni/networks/net1/10.*"

static const char *c1;

static void setup(void)
{
	world_setup();
	no_link_local();
	c1 = container_add("c1");
}

static struct call on(const char *command, const char *id)
{
	return (struct call){ .command = command, .id = id, .netns = c1, .config = NET };
}

static const char *port_of(const char *id)
{
	return sh("grep -l ' %s$' /sys/class/net/veth*/ifalias | cut -d/ -f5", id);
}

static void assert_nothing_left(const char *id)
{
	ck_assert_str_eq(sh("ip -o link show type veth | grep 'eth0 %s$' || true", id), "");
	ck_assert_str_eq(sh("grep -ls '^%s' " LEASES " || true", id), "");
	ck_assert_str_eq(
		sh("nft list ruleset 2>/dev/null | grep 'id: %s\\|-%s-eth0' || true", id, id), "");
}

static const struct {
	const char *damage; /* $1 is the host end */
	const char *netns; /* NULL = that of ADD */
} decays[] = {
	{ "ip netns exec c1 ip link set eth0 down name eth9", NULL },
	{ "ip netns exec c1 sh -c 'ip link set eth0 down name eth9; ip link add eth0 type bridge'",
	  NULL },
	{ "ip netns add c9; ip netns exec c1 ip link set eth0 netns c9", NULL },
	{ "ip netns add c9; ip netns exec c1 ip link set eth0 netns c9 name other", NULL },
	{ "ip link set $1 nomaster down", NULL },
	{ "ip link set $1 down name veth0", NULL },
	{ "ip link set $1 alias ''", NULL },
	{ "ip link del br0", NULL },
	{ "ip link set br0 down name br9", NULL },
	/* The namespace is there, but nobody can say where. */
	{ "ln -s loop /run/loop", "/run/loop" },
	{ "mount --bind /run/netns/c1 $(mktemp); ip netns del c1", NULL },
	{ "true", "" },
	{ "true", "/etc/passwd" },
	{ "true", "/run/netns/never" },
};

START_TEST(del_finds_the_pair_wherever_it_is)
{
	struct call del = on("DEL", "ctr1");

	call_ok(on("ADD", "ctr1"));
	sh("set -- %s; %s", port_of("ctr1"), decays[_i].damage);
	if (decays[_i].netns)
		del.netns = decays[_i].netns;
	call_ok(del);
	ck_assert_str_eq(sh("ip -o link show type veth"), "");
	assert_nothing_left("ctr1");
	call_ok(strcmp(del.netns, "/run/loop") == 0 ? on("DEL", "ctr1") : del);
}
END_TEST

/* A link of the container's that took the interface's name is not what ADD made. */
START_TEST(del_leaves_what_took_the_name_of_a_renamed_interface)
{
	call_ok(on("ADD", "ctr1"));
	sh_in("c1", "ip link set eth0 down name eth9; ip link add eth0 type bridge");
	for (int i = 0; i < 2; i++) {
		call_ok(on("DEL", "ctr1"));
		sh_in("c1", "ip link show eth0");
		ck_assert_int_ne(sh_status_in("c1", "ip link show eth9"), 0);
	}
}
END_TEST

/* `forget` leaves c1 a new namespace. */
static const char *const reuses[] = {
	"ip netns del c1; ip netns add c1",
	"mount --bind /run/netns/c1 $(mktemp); ip netns del c1; ip netns add c1",
};

START_TEST(del_leaves_the_container_that_uses_the_path_now)
{
	call_ok(on("ADD", "ctr1"));
	sh("%s", reuses[_i]);
	call_ok(on("ADD", "ctr2"));
	for (int i = 0; i < 2; i++) {
		struct reply r = call_ok(on("DEL", "ctr1"));

		if (i > 0) /* the first one may still find the pair of the old namespace */
			ck_assert_ptr_nonnull(strstr(r.err, "\"eth0\" stays"));
		assert_nothing_left("ctr1");
		sh_in("c1", "ping -c1 -W2 10.1.0.1");
		ck_assert_str_eq(
			sh("nft list ruleset 2>/dev/null | grep -c 'id: ctr2\\|-ctr2-eth0\"'"),
			"5");
		ck_assert_str_eq(sh("cat " LEASES " | head -1 | tr -d '\\r'"), "ctr2");
	}
	call_ok(on("DEL", "ctr2"));
	assert_nothing_left("ctr2");
	ck_assert_int_ne(sh_status_in("c1", "ip link show eth0"), 0);
}
END_TEST

/*
 * As made by a Go plugin: nothing says whose it is, and DEL takes it as theirs does. Its numbers are
 * those of another container's pair, which is no reason to take it for that.
 */
START_TEST(del_takes_an_interface_that_says_nothing_of_its_owner)
{
	struct call other = on("ADD", "ctr2");
	const char *port, *number, *peer;

	other.netns = container_add("c2");
	call_ok(other);
	port = port_of("ctr2");
	number = sh_in("c2", "cat /sys/class/net/eth0/ifindex");
	peer = sh("cat /sys/class/net/%s/ifindex", port);
	container_add("c3");
	sh("ip -n c1 link add eth0 index %s type veth peer name eth0 index %s netns c3", number,
	   peer);
	call_ok(on("DEL", "ctr1"));
	ck_assert_int_ne(sh_status_in("c1", "ip link show eth0"), 0);
	sh_in("c2", "ping -c1 -W2 10.1.0.1");
}
END_TEST

/* The runtime lost the first one, and has made a new namespace for the container. */
START_TEST(one_del_removes_both_pairs_of_an_attachment)
{
	static const char layer2[] = "{\"cniVersion\":\"1.1.0\",\"name\":\"net1\",\"type\":"
				     "\"bridge\",\"bridge\":\"br0\"}";
	struct call c = { .command = "ADD", .netns = c1, .config = layer2 };

	call_ok(c);
	c.netns = container_add("c2");
	call_ok(c);
	ck_assert_str_eq(sh("ip -o link show master br0 | grep -c 'ccni net1 eth0 ctr1$'"), "2");
	c.command = "DEL";
	call_ok(c);
	ck_assert_str_eq(sh("ip -o link show type veth"), "");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("decay");
	TCase *tc = tcase_create("DEL");

	tcase_add_checked_fixture(tc, setup, world_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, del_finds_the_pair_wherever_it_is, 0, ARRAY_SIZE(decays));
	tcase_add_test(tc, del_leaves_what_took_the_name_of_a_renamed_interface);
	tcase_add_loop_test(tc, del_leaves_the_container_that_uses_the_path_now, 0,
			    ARRAY_SIZE(reuses));
	tcase_add_test(tc, del_takes_an_interface_that_says_nothing_of_its_owner);
	tcase_add_test(tc, one_del_removes_both_pairs_of_an_attachment);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
