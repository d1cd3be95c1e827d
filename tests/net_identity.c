/*
 * Whose host end it is: what the alias says, names that are taken, what GC may take, what a killed ADD
 * leaves in another namespace; and that the bridge keeps its MAC and listens to nobody's router
 * advertisements.
 */
#include "same_world.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define BRIDGE(name, keys)                                                                \
	"{\"cniVersion\":\"1.1.0\",\"name\":\"" name "\",\"type\":\"bridge\",\"bridge\":" \
	"\"br0\"" keys "}"
#define LAYER2 BRIDGE("net1", "")
#define DUAL                                                                                 \
	BRIDGE("net1", ",\"isGateway\":true,\"ipam\":{\"type\":\"host-local\",\"ranges\":[[" \
		       "{\"subnet\":\"10.1.0.0/24\"}],[{\"subnet\":\"fd00::/64\"}]]}")
/* The link group of net1's ports while their ADD is under way. */
#define UNFINISHED "$((0x43 << 24 | 0x$(printf net1 | sha512sum | cut -c1-6)))"

static const char *c1;

static void setup(void)
{
	world_setup();
	c1 = container_add("c1");
}

static struct call on(const char *command, const char *id, const char *netns, const char *config)
{
	return (struct call){ .command = command, .id = id, .netns = netns, .config = config };
}

static void add(const char *id, const char *netns)
{
	call_ok(on("ADD", id, netns, LAYER2));
}

static void del(const char *id, const char *netns)
{
	call_ok(on("DEL", id, netns, LAYER2));
}

static const char *ports(void)
{
	return sh("ip -o link show type veth | sed 's/^[0-9]*: //; s/@.*//' | sort | xargs");
}

/* As an ADD leaves it that was killed before its last message. */
static void make_unfinished(const char *port)
{
	sh("ip link set %s alias '' group " UNFINISHED, port);
}

START_TEST(the_alias_names_network_interface_and_container)
{
	struct call c = on("ADD", "ctr1", c1, LAYER2);
	const char *id = sh("printf 'x%%.0s' $(seq 250)");

	call_ok(c);
	ck_assert_str_eq(sh("cat /sys/class/net/veth*/ifalias"), "ccni net1 eth0 ctr1");
	ck_assert_str_eq(sh("cat /sys/class/net/veth*/netdev_group"), "0");
	del("ctr1", c1);
	c.id = id;
	call_ok(c);
	ck_assert_str_eq(sh("cat /sys/class/net/veth*/ifalias | sed -E 's/[0-9a-f]{16}/H/g'"),
			 "ccni H-H");
	c.command = "GC";
	c.config = BRIDGE("net1", ",\"cni.dev/valid-attachments\":[]");
	call_ok(c);
	ck_assert_str_eq(ports(), "");
}
END_TEST

START_TEST(a_name_that_a_stranger_has_is_left_to_it)
{
	const char *first, *second, *before;
	struct reply r;

	no_link_local();
	add("ctr1", c1);
	first = ports();
	del("ctr1", c1);
	/* A veth without alias, and one that is another attachment's. */
	sh("ip link add %s type veth peer name other", first);
	add("ctr1", c1);
	second = sh("grep -l ctr1 /sys/class/net/veth*/ifalias | cut -d/ -f5");
	ck_assert_str_ne(first, second);
	del("ctr1", c1);
	sh("ip link show %s && ! ip link show %s", first, second);
	/* It is found although its first name is free now. */
	add("ctr1", c1);
	sh("ip link del %s", first);
	del("ctr1", c1);
	ck_assert_str_eq(ports(), "");
	sh("ip link add %s type veth peer name other; ip link add %s type veth peer name another; "
	   "ip link set %s alias 'ccni net1 eth0 ctr9'",
	   first, second, first);
	before = world_now();
	r = call_fails(on("ADD", "ctr1", c1, LAYER2), 999, "failed to make veth pair: file exists");
	ck_assert_ptr_nonnull(strstr(r.details, fmt("called %s and %s", first, second)));
	assert_unchanged(before);
	del("ctr1", c1);
	assert_unchanged(before);
}
END_TEST

START_TEST(add_clears_up_after_a_killed_add_in_another_namespace)
{
	const char *c2 = container_add("c2"), *port;

	add("ctr1", c1);
	port = ports();
	make_unfinished(port);
	add("ctr1", c2);
	ck_assert_str_eq(ports(), port);
	ck_assert_int_ne(sh_status_in("c1", "ip link show eth0"), 0);
	sh_in("c2", "ip link show eth0");
	/* One that has been finished is no leftover. */
	sh("ip link set %s group 7", port);
	call_fails(on("ADD", "ctr1", c2, LAYER2), 999, "already exists");
	ck_assert_str_eq(ports(), port);
	del("ctr1", c2);
}
END_TEST

START_TEST(an_unfinished_pair_of_another_network_is_left)
{
	const char *port;

	add("ctr1", c1);
	port = ports();
	sh("ip link set %s alias '' group $((0x43 << 24 | 1))", port);
	call_fails(on("ADD", "ctr1", c1, LAYER2), 999, "already exists");
	ck_assert_str_eq(ports(), port);
	call_ok(on("GC", "", NULL, BRIDGE("net1", ",\"cni.dev/valid-attachments\":[]")));
	ck_assert_str_eq(ports(), port);
}
END_TEST

static const char *port_of(const char *id)
{
	return sh("grep -l ' %s$' /sys/class/net/veth*/ifalias | cut -d/ -f5", id);
}

START_TEST(gc_takes_ports_of_this_network_only)
{
	static const char gc[] = BRIDGE(
		"net1", ",\"cni.dev/valid-attachments\":[{\"containerID\":\"kept\",\"ifname\":"
			"\"eth0\"},{\"containerID\":\"begun\",\"ifname\":\"eth0\"}]");
	static const char *const ids[] = { "kept", "begun", "stale", "killed" };
	const char *kept, *begun, *other, *go;
	struct call theirs = on("ADD", "theirs", NULL, BRIDGE("net1", ""));

	if (!debian_plugins()) {
		ck_assert_msg(!getenv("CNI_TEST_MUST_RUN"), "/usr/lib/cni has no Go plugins");
		return;
	}
	for (int i = 0; i < 4; i++)
		add(ids[i], container_add(ids[i]));
	kept = port_of("kept");
	begun = port_of("begun");
	make_unfinished(begun);
	make_unfinished(port_of("killed"));
	call_ok(on("ADD", "other", container_add("other"), BRIDGE("net12", "")));
	other = port_of("other");
	go = ports();
	theirs.netns = container_add("theirs");
	theirs.bin = debian_plugins();
	theirs.config = "{\"cniVersion\":\"1.0.0\",\"name\":\"net1\",\"type\":\"bridge\","
			"\"bridge\":\"br0\"}";
	call_ok(theirs);
	go = sh("for p in %s; do case '%s' in *$p*) ;; *) echo $p;; esac; done", ports(), go);
	sh("ip link add veth00000000 type veth peer name veth00000001; "
	   "ip link set veth00000000 alias 'uplink to rack 7'");
	for (int i = 0; i < 2; i++) {
		call_ok(on("GC", "", NULL, gc));
		ck_assert_str_eq(ports(), sh("printf '%%s\\n' %s %s %s %s veth00000000 "
					     "veth00000001 | sort | xargs",
					     kept, begun, go, other));
	}
	ck_assert_int_ne(sh_status_in("stale", "ip link show eth0"), 0);
	ck_assert_int_ne(sh_status_in("killed", "ip link show eth0"), 0);
}
END_TEST

/* ---- the bridge ---- */

/* A bridge whose MAC nobody has set takes the lowest of its ports'. */
START_TEST(a_new_bridge_keeps_its_mac)
{
	const char *mac = NULL, *now;

	for (int i = 0; i < 8; i++) {
		add(fmt("ctr%d", i), container_add(fmt("m%d", i)));
		now = sh("cat /sys/class/net/br0/address");
		if (mac)
			ck_assert_str_eq(now, mac);
		mac = now;
	}
	sh("for p in $(ls /sys/class/net/br0/brif); do ip link set $p address 02:00:00:00:00:01; "
	   "break; done");
	ck_assert_str_eq(sh("cat /sys/class/net/br0/address"), mac);
	for (int i = 0; i < 8; i++) {
		del(fmt("ctr%d", i), fmt("/run/netns/m%d", i));
		ck_assert_str_eq(sh("cat /sys/class/net/br0/address"), mac);
	}
	ck_assert_str_eq(sh("cat /sys/class/net/br0/addr_assign_type"), "3");
}
END_TEST

/* "I am a default router, and 2001:db8:bad::/64 is on the link" (RFC 4861, 4.2 and 4.6.2). */
static const uint8_t advertisement[] = {
	134,  0,    0,	  0,	64,   0,    0x07, 0x08, 0, 0, 0,    0,	  0, 0, 0, 0,
	3,    4,    64,	  0xc0, 0,    1,    0x51, 0x80, 0, 0, 0x38, 0x40, 0, 0, 0, 0,
	0x20, 0x01, 0x0d, 0xb8, 0x0b, 0xad, 0,	  0,	0, 0, 0,    0,	  0, 0, 0, 0,
};

static void advertise(void)
{
	struct sockaddr_in6 all = { .sin6_family = AF_INET6 };
	int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int other = open(c1, O_RDONLY | O_CLOEXEC), fd, hops = 255;

	ck_assert_int_ge(own, 0);
	ck_assert_int_ge(other, 0);
	ck_assert_int_eq(setns(other, CLONE_NEWNET), 0);
	fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(inet_pton(AF_INET6, "ff02::1", &all.sin6_addr), 1);
	all.sin6_scope_id = if_nametoindex("eth0");
	ck_assert_int_eq(setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof(hops)), 0);
	ck_assert_int_eq(sendto(fd, advertisement, sizeof(advertisement), 0,
				(struct sockaddr *)&all, sizeof(all)),
			 sizeof(advertisement));
	close(fd);
	ck_assert_int_eq(setns(own, CLONE_NEWNET), 0);
	close(own);
	close(other);
}

static const char *const bridges[] = {
	"true",
	"ip link add br0 type bridge",
	"ip link add br0 type bridge; ip link set br0 up; echo 1 "
	">/proc/sys/net/ipv6/conf/br0/accept_ra",
	"ip link add br0 type bridge; echo 2 >/proc/sys/net/ipv6/conf/br0/accept_ra; ip link set "
	"br0 up",
};

START_TEST(a_router_advertisement_of_a_container_changes_nothing_on_the_host)
{
	static const char state[] = "ip -6 route; ip -6 -o addr | sed 's/ valid.*//'; "
				    "sysctl net.ipv6.conf.br0.mtu net.ipv6.conf.br0.hop_limit";
	const char *before;

	/* Link-local addresses at once, so that their time is no difference. */
	sh("sysctl -qw net.ipv6.conf.default.accept_dad=0; %s", bridges[_i]);
	call_ok(on("ADD", "ctr1", c1, DUAL));
	ck_assert_str_eq(sh("cat /proc/sys/net/ipv6/conf/br0/accept_ra "
			    "/proc/sys/net/ipv6/conf/veth*/accept_ra | xargs"),
			 "0 0");
	/* A port has no address, and no route but that of multicast. */
	ck_assert_str_eq(sh("ip -6 -o addr show"),
			 sh("ip -6 -o addr show dev lo; ip -6 -o addr show dev br0"));
	ck_assert_str_eq(sh("ip -6 route show table all | grep veth | grep -v ff00::/8 || :"), "");
	/* What was sent before the answered one has been seen. */
	sh_in("c1", "for i in $(seq 500); do ip -6 -o addr show dev eth0 scope link | grep -q . && "
		    "exit 0; sleep 0.01; done; exit 1");
	sh_in("c1", "ping -c1 -W2 fd00::1");
	before = sh("%s", state);
	for (int i = 0; i < 3; i++)
		advertise();
	sh_in("c1", "ping -c1 -W2 fd00::1");
	ck_assert_str_eq(sh("%s", state), before);
	/* It is a good one: who listens to it believes it. */
	sh("echo 2 >/proc/sys/net/ipv6/conf/br0/accept_ra");
	advertise();
	sh("for i in $(seq 500); do ip -6 route show default | grep -q br0 && "
	   "ip -6 route | grep -q 2001:db8:bad: && exit 0; sleep 0.01; done; ip -6 route; exit 1");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("identity");
	TCase *tc = tcase_create("identity");

	tcase_add_checked_fixture(tc, setup, world_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, the_alias_names_network_interface_and_container);
	tcase_add_test(tc, a_name_that_a_stranger_has_is_left_to_it);
	tcase_add_test(tc, add_clears_up_after_a_killed_add_in_another_namespace);
	tcase_add_test(tc, an_unfinished_pair_of_another_network_is_left);
	tcase_add_test(tc, gc_takes_ports_of_this_network_only);
	tcase_add_test(tc, a_new_bridge_keeps_its_mac);
	tcase_add_loop_test(tc, a_router_advertisement_of_a_container_changes_nothing_on_the_host,
			    0, (int)(sizeof(bridges) / sizeof(bridges[0])));
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
