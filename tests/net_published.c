/*
 * The example networks that publish ports, as they are: connected by conf-examples/cni-run, and reached
 * from a namespace that plays the outside world.
 */
#include "portmap_world.h"

#include <stdlib.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
	const char *file, *ports;
	int n; /* which container of the network gets the ports: 1, 2 */
	const char *container; /* its address */
	int port;
	bool from_itself; /* hairpinMode */
} networks[] = {
	{ "20-v-net", PORT(80, 80, "tcp"), 2, "192.168.15.2", 80, false },
	{ "40-docker0", PORT(8080, 80, "tcp"), 1, "172.17.0.2", 8080, false },
	{ "80-nerdctl",
	  "{\"HostPort\":8080,\"ContainerPort\":80,\"Protocol\":\"tcp\",\"HostIP\":\"0.0.0.0\"}", 1,
	  "10.4.0.2", 8080, true },
	{ "81-kubernetes", PORT(8080, 80, "tcp"), 1, "10.244.1.2", 8080, true },
};

static void run(const char *command, const char *file, int n, const char *ports)
{
	setenv("CNI_PATH", our_plugins(), 1);
	setenv("CAP_ARGS", fmt("{\"portMappings\":[%s]}", ports), 1);
	sh(SOURCE_DIR "/conf-examples/cni-run %s " SOURCE_DIR
		      "/conf-examples/%s.conflist ctr%d /run/netns/c%d",
	   command, file, n, n);
}

START_TEST(published_ports_are_reached_from_outside)
{
	int w = _i % (int)ARRAY_SIZE(networks);
	const char *file = networks[w].file, *me = fmt("c%d", networks[w].n);
	int port = networks[w].port;

	use_backend(1 +
		    _i / (int)ARRAY_SIZE(networks)); /* the examples leave the choice to the host */
	for (int n = 1; n <= 2; n++) {
		container_add(fmt("c%d", n));
		run("ADD", file, n, n == networks[w].n ? networks[w].ports : "");
	}
	ck_assert_str_eq(sh_in(me, "ip -4 -o addr show eth0 | sed 's#.* inet \\([^/]*\\)/.*#\\1#'"),
			 networks[w].container);
	serve(me, "tcp", "0.0.0.0", 80);
	/* Who asks keeps its address; who is asked, or goes out, has the host's. */
	reaches("out", "tcp", HOST4, port, OUT4);
	reaches(NULL, "tcp", HOST4, port, "");
	reaches(NULL, "tcp", "127.0.0.1", port, "");
	reaches(fmt("c%d", 3 - networks[w].n), "tcp", HOST4, port, "");
	if (networks[w].from_itself)
		reaches(me, "tcp", HOST4, port, "");
	serve("out", "tcp", OUT4, 4000);
	reaches(me, "tcp", OUT4, 4000, HOST4);
	reaches_not("out", "tcp", HOST4, port + 1);
	for (int n = 1; n <= 2; n++)
		run("CHECK", file, n, n == networks[w].n ? networks[w].ports : "");
	for (int n = 1; n <= 2; n++)
		run("DEL", file, n, "");
	reaches_not("out", "tcp", HOST4, port);
	ck_assert_str_eq(sh("{ iptables-save; ip6tables-save; nft list ruleset; } 2>/dev/null | "
			    "grep -E 'ctr[12]|CNI-DN' || true"),
			 "");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("published ports");
	TCase *tc = tcase_create("examples");

	tcase_add_checked_fixture(tc, portmap_setup, world_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, published_ports_are_reached_from_outside, 0,
			    (BACKENDS - 1) * (int)ARRAY_SIZE(networks));
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
