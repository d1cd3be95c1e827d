/*
 * GC, which removes leases, ports and masquerade rules that no valid attachment owns, and STATUS.
 */
#include "same_world.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define NET(version, keys) \
	"{\"cniVersion\":\"" version "\",\"name\":\"net1\",\"type\":\"bridge\"," keys "}"
#define L3 "\"bridge\":\"br0\",\"isGateway\":true"
#define NFTABLES "\"ipMasq\":true,\"ipMasqBackend\":\"nftables\""
#define OTHER                                                                         \
	"{\"cniVersion\":\"1.1.0\",\"name\":\"net2\",\"type\":\"bridge\",\"bridge\":" \
	"\"br2\"," NFTABLES ",\"ipam\":{\"type\":\"host-local\",\"subnet\":\"10.2.0.0/24\"}}"
#define POOL(keys)                                                                         \
	NET("1.1.0", L3 "," NFTABLES keys ",\"ipam\":{\"type\":\"host-local\",\"subnet\":" \
			"\"10.1.0.0/29\"}")
#define VALID(list) ",\"cni.dev/valid-attachments\":" list
#define ONE(id, ifname) "{\"containerID\":\"" id "\",\"ifname\":\"" ifname "\"}"

static const char *c1;

static void setup(void)
{
	world_setup();
	no_link_local();
	c1 = container_add("c1");
}

static const char *owners(void)
{
	return sh("cd /var/lib/cni/networks; for f in net*/10.*; do "
		  "[ -e $f ] && echo ${f%%/*}:$(tr '\\r\\n' ' ' <$f); done | tr -s ' ' | sort");
}

/* Rules that say whose they are, interface and all. */
static const char *rules(void)
{
	return sh("nft list ruleset | sed -n 's/.*net: \\(.*\\), if: \\(.*\\), id: "
		  "\\(.*\\)\"/\\1:\\3 \\2/p' | sort");
}

static const char *ports(void)
{
	return sh("ip -o link show type veth | sed -n 's/.*alias ccni \\([^ ]*\\) \\([^ ]*\\) "
		  "\\([^ ]*\\)$/\\1:\\3 \\2/p' | sort");
}

static void attach(const char *config, const char *id, const char *ifname)
{
	call_ok((struct call){
		.command = "ADD", .id = id, .netns = c1, .ifname = ifname, .config = config });
}

static const struct {
	const char *config, *owners;
} collections[] = {
	{ POOL(VALID("[" ONE("a", "e1") "," ONE("b", "e2") "," ONE("x", "e9") "]")),
	  "net1:a e1\nnet1:b e2\nnet2:a n1\nnet2:b n2" },
	{ POOL(VALID("[" ONE("a", "e3") "]")), "net1:a e3\nnet2:a n1\nnet2:b n2" },
	{ POOL(",\"cni.dev/attachments\":[" ONE("b", "e2") "]"),
	  "net1:b e2\nnet2:a n1\nnet2:b n2" },
	{ POOL(VALID("[" ONE("b", "e1") "]")), "net2:a n1\nnet2:b n2" },
	{ POOL(VALID("[]")), "net2:a n1\nnet2:b n2" },
	{ POOL(VALID("null")), "net2:a n1\nnet2:b n2" },
	/* Without the list nothing is known to be valid, and nothing is removed. */
	{ POOL(""), "net1:a e1\nnet1:a e3\nnet1:b e2\nnet2:a n1\nnet2:b n2" },
};

START_TEST(gc_removes_what_no_valid_attachment_of_this_network_owns)
{
	attach(POOL(""), "a", "e1");
	attach(POOL(""), "b", "e2");
	attach(POOL(""), "a", "e3");
	attach(OTHER, "a", "n1");
	attach(OTHER, "b", "n2");
	for (int i = 0; i < 2; i++) {
		call_ok((struct call){ .command = "GC",
				       .id = "",
				       .ifname = "",
				       .config = collections[_i].config });
		ck_assert_str_eq(owners(), collections[_i].owners);
		ck_assert_str_eq(rules(), collections[_i].owners);
		ck_assert_str_eq(ports(), collections[_i].owners);
	}
	ck_assert_str_eq(sh_in("c1", "ip -o link show type veth | wc -l"),
			 sh("ip -o link show type veth | wc -l"));
}
END_TEST

START_TEST(gc_of_a_host_without_anything_succeeds)
{
	const char *before = world_now();

	call_ok((struct call){ .command = "GC", .config = POOL(VALID("[]")) });
	assert_unchanged(before);
}
END_TEST

START_TEST(status_tells_whether_there_is_an_address_left)
{
	struct call status = { .command = "STATUS", .id = "", .ifname = "", .config = POOL("") };
	const char *before = world_now();

	call_ok(status);
	assert_unchanged(before);
	for (int i = 2; i <= 6; i++) {
		call_ok(status);
		attach(POOL(""), fmt("ctr%d", i), fmt("eth%d", i));
	}
	before = world_now();
	call_fails(status, 50, "no IP addresses available in range set: 10.1.0.1-10.1.0.6");
	call_fails((struct call){ .command = "ADD", .netns = c1, .config = POOL("") }, 999,
		   "failed to allocate for range 0: no IP addresses available in range set: "
		   "10.1.0.1-10.1.0.6");
	assert_unchanged(before);
	status.config = NET("1.1.0", "\"ipam\":{\"type\":\"nope\"}");
	call_fails(status, 999, "failed to find plugin \"nope\"");
	status.config = NET("1.1.0", "\"bridge\":\"br0\"");
	call_ok(status);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("GC and STATUS");
	TCase *tc = tcase_create("verbs");

	tcase_add_checked_fixture(tc, setup, world_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, gc_removes_what_no_valid_attachment_of_this_network_owns, 0,
			    ARRAY_SIZE(collections));
	tcase_add_test(tc, gc_of_a_host_without_anything_succeeds);
	tcase_add_test(tc, status_tells_whether_there_is_an_address_left);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
