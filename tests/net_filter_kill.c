/*
 * portmap and firewall killed (SIGKILL) before each system call that may change something, in every
 * backend: DEL, GC, or another ADD and a DEL then leave what they leave where nobody disturbed anything,
 * and the rules of another container stay as they are.
 *
 * A first run lists the calls, then one run for each is killed there; each way to end takes every fifth
 * of them, beginning with another one. CNI_TEST_KILL=all: each way takes all.
 */
#include "peer_state.h"
#include "portmap_world.h"
#include "trace.h"

#define CALLS                                                                                     \
	"socket,bind,sendmsg,sendto,setsockopt,openat,write,flock,mkdir,mkdirat,unlink,unlinkat," \
	"linkat,rename,ftruncate"
#define STRIDE 5

/* Both families, so that a call has two tables to change. */
static const struct variant {
	const char *name, *config;
	int backend; /* of portmap_world.h; its iptables is firewall's, too */
} variants[] = {
	{ "portmap, nftables",
	  "'portmap','backend':'nftables','capabilities':{'portMappings':true}", 0 },
	{ "portmap, iptables-nft", "'portmap','backend':'iptables'", 1 },
	{ "portmap, iptables-legacy", "'portmap','backend':'iptables'", 2 },
	{ "firewall, iptables-nft", "'firewall','backend':'iptables','ingressPolicy':'same-bridge'",
	  1 },
	{ "firewall, iptables-legacy",
	  "'firewall','backend':'iptables','ingressPolicy':'same-bridge'", 2 },
};
#define N_VARIANTS (int)(sizeof(variants) / sizeof(variants[0]))

static const struct variant *variant;
static struct point points[MAX_POINTS];

static void setup(void)
{
	world_setup();
	no_link_local();
	container_add("c1");
	container_add("c2");
	sh("ip link add br0 type bridge && ip addr add " GW4 "/24 dev br0 && ip -6 addr add " GW6
	   "/64 dev br0 nodad && ip link set br0 up");
}

/* Container number n; the other one is number 2. */
static struct call on(int n, const char *command)
{
	const char *net =
		fmt("{'cniVersion':'1.1.0','name':'net1','type':%s,'runtimeConfig':{"
		    "'portMappings':[{'hostPort':%d,'containerPort':80,'protocol':'tcp'},"
		    "{'hostPort':%d,'containerPort':81,'protocol':'udp'}]},"
		    "'cni.dev/valid-attachments':[{'containerID':'ctr2','ifname':'eth0'}]}",
		    variant->config, 8000 + n, 8100 + n);
	const char *prev = fmt("{'cniVersion':'1.1.0','interfaces':[{'name':'br0'},{'name':'eth0',"
			       "'sandbox':'/run/netns/c%d'}],'ips':[{'address':'10.88.0.%d/24',"
			       "'interface':1},{'address':'fd00:88::%d/64','interface':1}]}",
			       n, n + 1, n + 1);

	return on_container(n, command, with_prev(conf(net, ""), conf(prev, "")));
}

static int list_points(struct call c)
{
	int all = trace_points(c, "-e trace=" CALLS, points), n = 0;

	for (int i = first_point(points, all, "socket("); i < all; i++) {
		const char *line = points[i].line;

		if (strstr(line, "openat") && !strstr(line, "O_WRONLY") &&
		    !strstr(line, "O_RDWR") && !strstr(line, "O_CREAT"))
			continue;
		points[n++] = points[i];
	}
	ck_assert_int_ge(n, 4);
	return n;
}

static int stride(void)
{
	return getenv("CNI_TEST_KILL") ? 1 : STRIDE;
}

/* The other container is there first, and so is all that is shared. @return the rules without number 1 */
static const char *begin(int i)
{
	variant = &variants[i];
	use_backend(variant->backend);
	call_ok(on(2, "ADD"));
	call_ok(on(1, "ADD"));
	call_ok(on(1, "DEL"));
	return rules_now();
}

static void assert_clean(const char *clean, const char *what, const struct point *p)
{
	const char *left = difference(clean, rules_now());

	ck_assert_msg(!left, "%s: %s killed at %s: left is\n%s", variant->name, what, p->line,
		      left);
}

/* Kill ADD at every so many system calls, and have what follows clean up; each test begins at another. */
static void kill_each_add(int i, int first, void (*clean_up)(void))
{
	const char *clean = begin(i);
	int n = list_points(by_plain(on(1, "ADD")));

	call_ok(on(1, "DEL"));
	for (int k = first; k < n; k += stride()) {
		kill_at(by_plain(on(1, "ADD")), &points[k]);
		clean_up();
		assert_clean(clean, "ADD", &points[k]);
	}
}

static void by_del(void)
{
	call_ok(on(1, "DEL"));
}

static void by_gc(void)
{
	struct call gc = on(1, "GC");

	gc.id = gc.ifname = "";
	call_ok(gc);
}

static void by_add_and_del(void)
{
	call_ok(on(1, "ADD"));
	call_ok(on(1, "CHECK"));
	call_ok(on(1, "DEL"));
}

START_TEST(del_finishes_what_a_killed_add_began)
{
	kill_each_add(_i, 0, by_del);
}
END_TEST

START_TEST(gc_finishes_what_a_killed_add_began)
{
	kill_each_add(_i, 1, by_gc);
}
END_TEST

START_TEST(add_works_again_after_a_killed_add)
{
	kill_each_add(_i, 2, by_add_and_del);
}
END_TEST

START_TEST(del_works_again_after_a_killed_del)
{
	const char *clean = begin(_i);
	int n;

	call_ok(on(1, "ADD"));
	n = list_points(by_plain(on(1, "DEL")));
	for (int i = 0; i < n; i += stride()) {
		call_ok(on(1, "ADD"));
		kill_at(by_plain(on(1, "DEL")), &points[i]);
		call_ok(on(1, "DEL"));
		assert_clean(clean, "DEL", &points[i]);
	}
	call_ok(on(2, "CHECK"));
	call_ok(on(2, "DEL"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("packet filter, killed");
	TCase *tc = tcase_create("SIGKILL");

	tcase_add_checked_fixture(tc, setup, world_teardown);
	tcase_set_timeout(tc, 300);
	tcase_add_loop_test(tc, del_finishes_what_a_killed_add_began, 0, N_VARIANTS);
	tcase_add_loop_test(tc, gc_finishes_what_a_killed_add_began, 0, N_VARIANTS);
	tcase_add_loop_test(tc, add_works_again_after_a_killed_add, 0, N_VARIANTS);
	tcase_add_loop_test(tc, del_works_again_after_a_killed_del, 0, N_VARIANTS);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
