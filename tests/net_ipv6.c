/*
 * IPv6 of a container: addresses that are usable when ADD returns, duplicate address detection when it
 * is asked for, router advertisements, and hosts where IPv6 is off.
 */
#include "same_world.h"
#include "trace.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define NET(keys, addresses)                                                                  \
	"{\"cniVersion\":\"1.0.0\",\"name\":\"net1\",\"type\":\"bridge\",\"bridge\":\"br0\"," \
	"\"isDefaultGateway\":true" keys                                                      \
	",\"ipam\":{\"type\":\"static\",\"addresses\":[" addresses "]}}"
#define A(address) "{\"address\":\"" address "\"}"
#define DUAL A("10.1.0.2/24") "," A("fd00::2/64")
#define OTHER A("10.1.0.3/24") "," A("fd00::3/64")
#define DAD ",\"enabledad\":true"

static const char *c1, *c2;

static void setup(void)
{
	world_setup();
	c1 = container_add("c1");
	c2 = container_add("c2");
}

static struct call on(const char *command, const char *netns, const char *config)
{
	return (struct call){ .command = command,
			      .netns = netns,
			      .id = netns == c1 ? "ctr1" : "ctr2",
			      .config = config };
}

/* This process goes there for good; each test has its own. */
static void enter(const char *netns)
{
	int fd = open(netns, O_RDONLY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(setns(fd, CLONE_NEWNET), 0);
	close(fd);
}

static struct sockaddr_in6 address(const char *text, unsigned short port)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	ck_assert_int_eq(inet_pton(AF_INET6, text, &a.sin6_addr), 1);
	return a;
}

static int server_on(const char *text)
{
	struct sockaddr_in6 a = address(text, 7777);
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	return fd;
}

static const char *const modes[] = { NET("", DUAL), NET(DAD, DUAL) };

START_TEST(an_address_can_be_bound_and_connected_from_when_add_returns)
{
	struct sockaddr_in6 own = address("fd00::2", 0), server = address("fd00::1", 7777);
	struct timeval limit = { .tv_sec = 10 };
	int fd, listening;

	/* Somebody listens at the gateway's address. */
	call_ok(on("ADD", c2, NET("", OTHER)));
	listening = server_on("fd00::1");
	call_ok(on("ADD", c1, modes[_i]));
	enter(c1);
	fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)), 0);
	ck_assert_msg(bind(fd, (struct sockaddr *)&own, sizeof(own)) == 0, "bind: %s",
		      strerror(errno));
	ck_assert_msg(connect(fd, (struct sockaddr *)&server, sizeof(server)) == 0, "connect: %s",
		      strerror(errno));
	close(fd);
	close(listening);
}
END_TEST

START_TEST(no_address_is_tentative_without_detection)
{
	call_ok(on("ADD", c1, modes[0]));
	ck_assert_str_eq(sh_in("c1", "ip -6 -o addr show dev eth0 tentative"), "");
	ck_assert_str_eq(sh("ip -6 -o addr show dev br0 scope global tentative"), "");
	ck_assert_str_eq(sh_in("c1", "cat /proc/sys/net/ipv6/conf/eth0/accept_dad"), "0");
}
END_TEST

START_TEST(detection_is_over_when_add_returns)
{
	call_ok(on("ADD", c1, modes[1]));
	ck_assert_str_eq(sh_in("c1", "ip -6 -o addr show dev eth0 scope global tentative"), "");
	ck_assert_str_eq(sh_in("c1", "cat /proc/sys/net/ipv6/conf/eth0/accept_dad "
				     "/proc/sys/net/ipv6/conf/eth0/enhanced_dad | xargs"),
			 "1 1");
	ck_assert_str_eq(sh_in("c1", "ip -6 -o addr show dev eth0 scope global nodad"), "");
}
END_TEST

/* Also without a gateway, where the Go plugin does not wait. */
START_TEST(detection_does_not_need_a_gateway)
{
	call_ok(on("ADD", c1,
		   "{\"cniVersion\":\"1.0.0\",\"name\":\"net1\",\"type\":\"bridge\",\"bridge\":"
		   "\"br0\",\"enabledad\":true,\"ipam\":{\"type\":\"static\",\"addresses\":[" A(
			   "fd00::2/64") "," A("fd01::2/64") "]}}"));
	ck_assert_str_eq(sh_in("c1", "ip -6 -o addr show dev eth0 scope global tentative"), "");
}
END_TEST

START_TEST(a_duplicate_address_is_named_and_leaves_nothing)
{
	static const char *const wanted =
		NET(DAD, A("10.1.0.4/24") "," A("fd00::4/64") "," A("fd00::2/64"));
	const char *before;
	struct reply r;

	no_link_local();
	call_ok(on("ADD", c1, modes[0]));
	before = world_now();
	r = call_fails(on("ADD", c2, wanted), 999,
		       "link eth0 has address fd00::2 in DADFAILED state");
	ck_assert_str_eq(r.details, "another node of this link uses the address");
	assert_unchanged(before);
	sh("ping -c1 -W1 fd00::2");
	call_ok(on("DEL", c1, modes[0]));
	call_ok(on("ADD", c2, wanted));
}
END_TEST

/* ---- router advertisements ---- */

/* What a rogue router says: I am the way out, and here is a prefix to make addresses of. */
static void advertise(void)
{
	struct {
		struct nd_router_advert ra;
		struct nd_opt_prefix_info prefix;
	} packet = {
		.ra.nd_ra_type = ND_ROUTER_ADVERT,
		.prefix = {
			.nd_opt_pi_type = ND_OPT_PREFIX_INFORMATION,
			.nd_opt_pi_len = 4,
			.nd_opt_pi_prefix_len = 64,
			.nd_opt_pi_flags_reserved = ND_OPT_PI_FLAG_ONLINK | ND_OPT_PI_FLAG_AUTO,
			.nd_opt_pi_valid_time = htonl(86400),
			.nd_opt_pi_preferred_time = htonl(86400),
		},
	};
	struct sockaddr_in6 all = address("ff02::1", 0);
	int fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6), hops = 255;

	ck_assert_int_ge(fd, 0);
	packet.ra.nd_ra_router_lifetime = htons(1800);
	all.sin6_scope_id = if_nametoindex("eth0");
	packet.prefix.nd_opt_pi_prefix = address("2001:db8:bad::", 0).sin6_addr;
	ck_assert_int_eq(setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof(hops)), 0);
	ck_assert_int_eq(sendto(fd, &packet, sizeof(packet), 0, (struct sockaddr *)&all,
				sizeof(all)),
			 (ssize_t)sizeof(packet));
	close(fd);
}

/* Addresses and routes that an advertisement makes. */
static const char seen[] = "ip -6 addr show to 2001:db8:bad::/48; ip -6 route show proto ra";

START_TEST(router_advertisements_are_heeded_only_where_they_are_asked_for)
{
	static const char *const quiet[] = { NET("", DUAL), NET("", A("10.1.0.2/24")),
					     NET(",\"acceptRA\":false", DUAL) };
	static const char *const heeding = NET(",\"acceptRA\":true", A("10.1.0.9/24"));
	const char *rogue = container_add("rogue");
	int pid;

	call_ok(on("ADD", c1, quiet[_i]));
	call_ok((struct call){ .command = "ADD", .id = "ctr2", .netns = c2, .config = heeding });
	call_ok((struct call){ .command = "ADD",
			       .id = "ctr3",
			       .netns = rogue,
			       .config = NET("", A("fd00::8/64")) });
	sh_in("rogue", "for i in $(seq 500); do "
		       "ip -6 -o addr show dev eth0 scope link -tentative | grep -q fe80 && exit; "
		       "sleep 0.01; done; exit 1");
	pid = fork();
	if (pid == 0) {
		enter(rogue);
		advertise();
		_exit(0);
	}
	/* Who heeds it shows that it has gone round. */
	sh_in("c2",
	      "for i in $(seq 500); do [ $(ip -6 addr show to 2001:db8:bad::/48 | wc -l) -gt 0 ] "
	      "&& "
	      "ip -6 route show default proto ra | grep -q via && exit; sleep 0.01; done; exit 1");
	ck_assert_str_eq(sh_in("c1", "%s", seen), "");
	ck_assert_str_eq(sh("%s", seen), "");
	ck_assert_str_eq(sh_in("c1", "cat /proc/sys/net/ipv6/conf/eth0/accept_ra "
				     "/proc/sys/net/ipv6/conf/eth0/autoconf | xargs"),
			 "0 0");
	ck_assert_str_eq(sh_in("c2", "cat /proc/sys/net/ipv6/conf/eth0/accept_ra "
				     "/proc/sys/net/ipv6/conf/eth0/autoconf | xargs"),
			 "1 1");
}
END_TEST

/* A port without addresses is the container's own business. */
START_TEST(layer_2_leaves_router_advertisements_alone)
{
	call_ok(on("ADD", c1, "{\"cniVersion\":\"1.0.0\",\"name\":\"net1\",\"type\":\"bridge\"}"));
	ck_assert_str_eq(sh_in("c1", "cat /proc/sys/net/ipv6/conf/eth0/accept_ra "
				     "/proc/sys/net/ipv6/conf/eth0/autoconf | xargs"),
			 "1 1");
}
END_TEST

/* ---- IPv6 is off ---- */

#define OFF "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6"

START_TEST(ipv4_networks_work_where_the_host_has_ipv6_off)
{
	static const char *const config = NET(",\"ipMasq\":true", A("10.1.0.2/24"));
	struct reply r;

	sh(OFF);
	if (_i == 1) /* the namespace, too, as a runtime may leave it */
		sh_in("c1", OFF);
	r = call_ok(on("ADD", c1, config));
	sh_in("c1", "ping -c1 -W1 10.1.0.1");
	ck_assert_str_eq(r.err, "");
	call_ok(on("CHECK", c1, with_prev(config, r.out)));
	call_ok(on("DEL", c1, with_prev(config, r.out)));
	ck_assert_int_ne(sh_status_in("c1", "ip link show eth0"), 0);
}
END_TEST

START_TEST(an_ipv6_network_says_that_the_host_has_ipv6_off)
{
	const char *before;
	struct reply r;

	sh(OFF);
	call_ok(on("ADD", c1, NET("", A("10.1.0.2/24"))));
	call_ok(on("DEL", c1, NET("", A("10.1.0.2/24"))));
	before = world_now();
	r = call_fails(on("ADD", c1, NET("", A("fd00::2/64"))), 999,
		       "failed to set bridge addr: add fd00::1/64 to \"br0\": permission denied");
	ck_assert_msg(strstr(r.details, "IPv6 is off: net.ipv6.conf.br0.disable_ipv6 is 1") != NULL,
		      "%s", r.out);
	assert_unchanged(before);
}
END_TEST

/* Without a gateway the host has no part in it. */
START_TEST(a_container_may_have_ipv6_where_the_host_and_its_namespace_have_it_off)
{
	static const char *const config =
		"{\"cniVersion\":\"1.0.0\",\"name\":\"net1\",\"type\":\"bridge\",\"bridge\":"
		"\"br0\","
		"\"ipam\":{\"type\":\"static\",\"addresses\":[" A("fd00::2/64") "]}}";

	sh(OFF);
	sh_in("c1", OFF);
	call_ok(on("ADD", c1, config));
	ck_assert_str_eq(sh_in("c1", "ip -6 -o addr show eth0 scope global | awk '{print $4}'"),
			 "fd00::2/64");
}
END_TEST

/* Read at once, which no program could be started for. */
static bool takes_in(int routes, const char *what)
{
	static char text[16384];
	ssize_t n = pread(routes, text, sizeof(text) - 1, 0);

	ck_assert_int_gt(n, 0);
	text[n] = '\0';
	return strstr(text, what) != NULL;
}

/*
 * The kernel makes addresses, and lets multicast in, in workers that need the lock which all changes of links need: if ADD
 * is over before they had it, the first packet is lost.
 */
START_TEST(addresses_are_found_at_once_while_others_change_links)
{
	static const char churn[] =
		"for i in $(seq 40); do echo link add a$i type veth peer name b$i; done >batch; "
		"for i in $(seq 40); do echo link set a$i up; echo link set b$i up; done >>batch; "
		"for i in $(seq 40); do echo link del a$i; done >>batch; "
		"while [ -e churning ]; do ip -batch batch; done";
	int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), routes;

	enter(c1);
	routes = open("/proc/self/net/ipv6_route", O_RDONLY | O_CLOEXEC);
	ck_assert(routes >= 0 && setns(here, CLONE_NEWNET) == 0);
	sh("cd %s && for i in 1 2 3; do mkdir $i && cd $i && touch churning && "
	   "{ timeout 60 unshare -n sh -c '%s' >/dev/null 2>&1 & } && cd ..; done",
	   world_dir(), churn);
	for (int i = 0; i < 20; i++) {
		call_ok(by_plain(on("ADD", c1, NET("", DUAL))));
		ck_assert(takes_in(routes, "fd000000000000000000000000000002 80 "));
		ck_assert(takes_in(routes, "ff000000000000000000000000000000 08 "));
		call_ok(by_plain(on("DEL", c1, NET("", DUAL))));
	}
	sh("cd %s && rm */churning", world_dir());
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ipv6");
	TCase *tc = tcase_create("ipv6");

	tcase_add_checked_fixture(tc, setup, world_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, an_address_can_be_bound_and_connected_from_when_add_returns, 0, 2);
	tcase_add_test(tc, no_address_is_tentative_without_detection);
	tcase_add_test(tc, addresses_are_found_at_once_while_others_change_links);
	tcase_add_test(tc, detection_is_over_when_add_returns);
	tcase_add_test(tc, detection_does_not_need_a_gateway);
	tcase_add_test(tc, a_duplicate_address_is_named_and_leaves_nothing);
	tcase_add_loop_test(tc, router_advertisements_are_heeded_only_where_they_are_asked_for, 0,
			    3);
	tcase_add_test(tc, layer_2_leaves_router_advertisements_alone);
	tcase_add_loop_test(tc, ipv4_networks_work_where_the_host_has_ipv6_off, 0, 2);
	tcase_add_test(tc, an_ipv6_network_says_that_the_host_has_ipv6_off);
	tcase_add_test(tc, a_container_may_have_ipv6_where_the_host_and_its_namespace_have_it_off);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
