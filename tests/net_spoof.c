/*
 * macspoofchk: which frames get through, and the rules: made once, removed whatever has become of the
 * container, those of others left alone. net_peer holds them against the Go plugins'.
 */
#include "same_world.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define NET(name, keys)                                                                        \
	"{\"cniVersion\":\"1.1.0\",\"name\":\"" name                                           \
	"\",\"type\":\"bridge\",\"bridge\":\"br0\",\"isGateway\":true" keys                    \
	",\"ipam\":{\"type\":\"host-local\",\"dataDir\":\"/var/lib/cni/" name "\",\"subnet\":" \
	"\"10.1.0.0/24\"}}"
#define CHECKED NET("net1", ",\"macspoofchk\":true")
#define UNCHECKED NET("net1", "")
#define RULES "nft list ruleset 2>/dev/null | grep 'macspoofchk-\\|cni-br-iface'"

/* A type for experiments (IEEE 802), and what the last byte of a frame says. */
#define EXPERIMENT 0x88b5
enum { FOREIGN = 1, OWN, ARP };

static const uint8_t foreign[ETH_ALEN] = { 2, 0, 0, 0, 0, 0x66 };
static const char *c1;

static void setup(void)
{
	world_setup();
	no_link_local();
	c1 = container_add("c1");
}

static struct call on(const char *command, const char *id, const char *netns, const char *config)
{
	return (struct call){ .command = command, .id = id, .netns = netns, .config = config };
}

static struct reply add(const char *config)
{
	return call_ok(on("ADD", "ctr1", c1, config));
}

static const char *rules(void)
{
	return sh(RULES " || true");
}

/* ---- frames ---- */

/* A packet socket on eth0 of a container; gives up waiting after 5 s. */
static int open_packet(const char *netns)
{
	const struct timeval patience = { .tv_sec = 5 };
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int other = open(netns, O_RDONLY | O_CLOEXEC), fd;

	ck_assert_int_ge(own, 0);
	ck_assert_int_ge(other, 0);
	ck_assert_int_eq(setns(other, CLONE_NEWNET), 0);
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
	ck_assert_int_ge(fd, 0);
	at.sll_ifindex = (int)if_nametoindex("eth0");
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	ck_assert_int_eq(setns(own, CLONE_NEWNET), 0);
	close(own);
	close(other);
	return fd;
}

static void own_mac(const char *container, uint8_t mac[ETH_ALEN])
{
	const char *text = sh_in(container, "cat /sys/class/net/eth0/address");

	for (int i = 0; i < ETH_ALEN; i++)
		mac[i] = (uint8_t)strtoul(text + 3 * (size_t)i, NULL, 16);
}

/* To everybody. An ARP request for an address that nobody has, if the type says so. */
static void send_frame(int fd, const uint8_t source[ETH_ALEN], uint16_t type, uint8_t mark)
{
	static const uint8_t request[] = { 0, 1, 8, 0, 6, 4, 0, 1 };
	uint8_t frame[60] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	memcpy(frame + ETH_ALEN, source, ETH_ALEN);
	frame[12] = (uint8_t)(type >> 8);
	frame[13] = (uint8_t)type;
	if (type == ETH_P_ARP) {
		memcpy(frame + 14, request, sizeof(request));
		memcpy(frame + 22, source, ETH_ALEN);
		memcpy(frame + 28, (uint8_t[]){ 10, 1, 0, 9 }, 4);
		memcpy(frame + 38, (uint8_t[]){ 10, 1, 0, 99 }, 4);
	}
	frame[sizeof(frame) - 1] = mark;
	ck_assert_int_eq(send(fd, frame, sizeof(frame), 0), sizeof(frame));
}

/* @return the mark of the next frame that a test has sent; bridges keep frames in order */
static uint8_t receive_mark(int fd)
{
	for (;;) {
		uint8_t frame[2048];
		ssize_t n = recv(fd, frame, sizeof(frame), 0);
		bool arp = n == 60 && frame[12] == 8 && frame[13] == 6 && frame[59] == ARP;

		ck_assert_msg(n > 0, "no frame came");
		if (arp || (n == 60 && frame[12] == 0x88 && frame[13] == 0xb5))
			return frame[59];
	}
}

START_TEST(only_frames_with_the_containers_own_mac_get_through)
{
	const char *c2 = container_add("c2");
	uint8_t mac[ETH_ALEN], near[ETH_ALEN];
	int out, in;

	add(CHECKED);
	call_ok(on("ADD", "ctr2", c2, UNCHECKED));
	own_mac("c1", mac);
	memcpy(near, mac, sizeof(near));
	near[5] ^= 1;
	out = open_packet(c1);
	in = open_packet(c2);
	for (int i = 0; i < 3; i++) {
		send_frame(out, foreign, EXPERIMENT, FOREIGN);
		send_frame(out, foreign, ETH_P_ARP, ARP);
		send_frame(out, near, EXPERIMENT, FOREIGN);
		send_frame(out, mac, EXPERIMENT, OWN);
		send_frame(out, mac, ETH_P_ARP, ARP);
		ck_assert_int_eq(receive_mark(in), OWN);
		ck_assert_int_eq(receive_mark(in), ARP);
	}
	/* The other one is not checked. */
	send_frame(in, foreign, EXPERIMENT, FOREIGN);
	ck_assert_int_eq(receive_mark(out), FOREIGN);
	/* And without the check, this one neither. */
	call_ok(on("DEL", "ctr1", c1, CHECKED));
	add(UNCHECKED);
	close(out);
	out = open_packet(c1);
	send_frame(out, foreign, EXPERIMENT, FOREIGN);
	ck_assert_int_eq(receive_mark(in), FOREIGN);
	close(out);
	close(in);
}
END_TEST

START_TEST(a_changed_mac_is_cut_off)
{
	add(CHECKED);
	sh_in("c1", "ping -c1 -W2 10.1.0.1");
	sh_in("c1", "cat /sys/class/net/eth0/address >/run/mac; "
		    "ip link set eth0 address 02:00:00:00:00:66");
	ck_assert_int_ne(sh_status_in("c1", "ping -c1 -W1 10.1.0.1"), 0);
	sh_in("c1", "ip link set eth0 address $(cat /run/mac); ping -c1 -W2 10.1.0.1");
}
END_TEST

/* ---- rules ---- */

START_TEST(a_second_interface_and_container_have_their_own_rules)
{
	const char *c2 = container_add("c2"), *first;

	add(CHECKED);
	first = rules();
	call_ok((struct call){
		.command = "ADD", .netns = c1, .ifname = "eth1", .config = CHECKED });
	call_ok(on("ADD", "ctr2", c2, CHECKED));
	ck_assert_str_eq(sh("nft list chain bridge nat PREROUTING | grep -c jump"), "3");
	sh_in("c2", "ping -c1 -W2 10.1.0.1");
	call_ok(on("DEL", "ctr2", c2, CHECKED));
	call_ok((struct call){
		.command = "DEL", .netns = c1, .ifname = "eth1", .config = CHECKED });
	ck_assert_str_eq(rules(), first);
	call_ok(on("DEL", "ctr1", c1, CHECKED));
	ck_assert_str_eq(rules(), "");
}
END_TEST

static const struct {
	const char *damage, *netns, *config;
} decays[] = {
	{ "true", NULL, CHECKED },
	{ "true", NULL, UNCHECKED },
	{ "true", "", CHECKED },
	{ "true", NULL,
	  "{\"cniVersion\":\"1.0.0\",\"name\":\"net1\",\"type\":\"bridge\","
	  "\"bridge\":\"\",\"macspoofchk\":\"x\",\"vlan\":9999}" },
	{ "ip netns del c1", NULL, CHECKED },
	{ "ip netns del c1", "", UNCHECKED },
	{ "ip netns exec c1 ip link del eth0", NULL, CHECKED },
	{ "ip netns exec c1 ip link set eth0 down name eth9", NULL, UNCHECKED },
	{ "ip link del br0", NULL, CHECKED },
	{ "nft flush ruleset", NULL, CHECKED },
	{ "nft flush chain bridge nat PREROUTING", NULL, CHECKED },
	{ "nft flush chain bridge nat cni-br-iface-ctr1-eth0", NULL, CHECKED },
	{ "nft flush chain bridge nat cni-br-iface-ctr1-eth0; "
	  "nft delete chain bridge nat cni-br-iface-ctr1-eth0-mac",
	  NULL, CHECKED },
	/* Made twice, as the Go plugins do when they are run again; and without what nft hides. */
	{ "nft add rule bridge nat PREROUTING iifname veth0 jump cni-br-iface-ctr1-eth0 "
	  "comment macspoofchk-ctr1-eth0",
	  NULL, CHECKED },
	{ "nft list ruleset 2>/dev/null >/run/rules; nft flush ruleset; nft -f /run/rules", NULL,
	  CHECKED },
};

START_TEST(del_removes_the_rules_whatever_has_become_of_the_container)
{
	add(CHECKED);
	sh("%s", decays[_i].damage);
	for (int i = 0; i < 2; i++) {
		call_ok(on("DEL", "ctr1", decays[_i].netns ? decays[_i].netns : c1,
			   decays[_i].config));
		ck_assert_str_eq(rules(), "");
	}
}
END_TEST

START_TEST(del_empties_a_chain_that_somebody_elses_rule_leads_to)
{
	add(CHECKED);
	sh("nft add chain bridge nat mine; nft add rule bridge nat mine jump "
	   "cni-br-iface-ctr1-eth0");
	call_ok(on("DEL", "ctr1", c1, CHECKED));
	ck_assert_str_eq(sh("nft list chain bridge nat cni-br-iface-ctr1-eth0 | wc -l"), "4");
	ck_assert_str_eq(sh("nft list ruleset 2>/dev/null | grep -c macspoofchk || true"), "0");
	sh("nft delete rule bridge nat mine handle $(nft -a list chain bridge nat mine | "
	   "sed -n 's/.*jump.*handle //p')");
	call_ok(on("DEL", "ctr1", c1, CHECKED));
	ck_assert_str_eq(rules(), "");
}
END_TEST

START_TEST(a_failed_add_leaves_no_rule)
{
	static const char bad[] =
		"{\"cniVersion\":\"1.0.0\",\"name\":\"net1\",\"type\":\"bridge\",\"bridge\":"
		"\"br0\","
		"\"macspoofchk\":true,\"ipam\":{\"type\":\"host-local\",\"subnet\":\"10.1.0.0/24\","
		"\"routes\":[{\"dst\":\"192.168.0.0/16\",\"gw\":\"172.31.0.1\"}]}}";

	for (int i = 0; i < 2; i++) {
		call_fails(on("ADD", "ctr1", c1, bad), 999, "failed to add route");
		ck_assert_str_eq(rules(), "");
		ck_assert_str_eq(sh("ip -o link show type veth"), "");
	}
}
END_TEST

START_TEST(what_is_in_the_way_is_named_and_nothing_is_left)
{
	struct reply r;

	sh("nft add table bridge nat; nft add chain bridge nat PREROUTING");
	r = call_fails(on("ADD", "ctr1", c1, CHECKED), 999, "failed to setup spoof-check");
	ck_assert_ptr_nonnull(strstr(r.details, "nft list table bridge nat"));
	ck_assert_str_eq(rules(), "");
	ck_assert_str_eq(sh("ip -o link show type veth"), "");
}
END_TEST

/* Left by a Go plugin whose DEL came after the namespace was gone, and by a killed ADD. */
START_TEST(add_replaces_what_is_left_under_its_names)
{
	const char *clean;

	add(CHECKED);
	clean = sh(RULES " | sed 's/saddr [^ ]*//'");
	sh("nft list ruleset 2>/dev/null | sed s/veth[0-9a-f]*/veth0/ >/run/rules");
	call_ok(on("DEL", "ctr1", c1, CHECKED));
	sh("nft flush ruleset; nft -f /run/rules");
	add(CHECKED);
	ck_assert_str_eq(sh(RULES " | sed 's/saddr [^ ]*//'"), clean);
	sh_in("c1", "ping -c1 -W2 10.1.0.1");
	call_ok(on("DEL", "ctr1", c1, CHECKED));
	sh("nft add chain bridge nat cni-br-iface-ctr1-eth0-mac");
	add(CHECKED);
	ck_assert_str_eq(sh(RULES " | sed 's/saddr [^ ]*//'"), clean);
}
END_TEST

/* Their chains would be one: neither loses its rules, or gets the other one's. */
START_TEST(a_container_whose_names_read_as_anothers_is_refused)
{
	struct call c = on("ADD", "ctr1-a", c1, CHECKED);
	const char *before;

	c.ifname = "b";
	call_ok(c);
	before = rules();
	c.id = "ctr1";
	c.ifname = "a-b";
	call_fails(c, 999, "failed to setup spoof-check: file exists");
	ck_assert_str_eq(rules(), before);
	c.command = "DEL";
	call_ok(c);
	ck_assert_str_eq(rules(), before);
}
END_TEST

/* An ADD that was killed before its last message; the key was switched off since. */
START_TEST(add_removes_the_rules_of_a_killed_add)
{
	add(CHECKED);
	sh("ip link set $(ls /sys/class/net/br0/brif) alias '' "
	   "group $((0x43 << 24 | 0x$(printf net1 | sha512sum | cut -c1-6)))");
	add(UNCHECKED);
	ck_assert_str_eq(rules(), "");
}
END_TEST

/* The same container and interface, so the same names, in a network that does not have them. */
START_TEST(del_of_another_network_leaves_the_rules)
{
	struct call other = on("ADD", "ctr1", c1, NET("net2", ",\"macspoofchk\":true"));
	const char *before;

	add(CHECKED);
	before = rules();
	call_fails(other, 999, "already exists");
	ck_assert_str_eq(rules(), before);
	other.command = "DEL";
	call_ok(other);
	ck_assert_str_eq(rules(), before);
	sh_in("c1", "ping -c1 -W2 10.1.0.1");
}
END_TEST

START_TEST(names_without_room_are_hashed)
{
	const char *id = sh("printf 'x%%.0s' $(seq 106)"), *longer = fmt("%sy", id);

	call_ok(on("ADD", id, c1, CHECKED));
	ck_assert_int_eq(
		sh_status("nft list ruleset 2>/dev/null | grep -q macspoofchk-%s-eth0", id), 1);
	ck_assert_str_eq(
		sh("nft list ruleset 2>/dev/null | grep -c 'comment \"macspoofchk-[0-9a-f]*\"'"),
		"4");
	call_ok((struct call){
		.command = "ADD", .id = longer, .netns = c1, .ifname = "eth1", .config = CHECKED });
	ck_assert_str_eq(sh("nft list ruleset 2>/dev/null | grep -c macspoofchk"), "8");
	call_ok(on("DEL", id, c1, CHECKED));
	ck_assert_str_eq(sh("nft list ruleset 2>/dev/null | grep -c macspoofchk"), "4");
	call_ok((struct call){
		.command = "DEL", .id = longer, .netns = c1, .ifname = "eth1", .config = CHECKED });
	ck_assert_str_eq(rules(), "");
	/* One less is the longest that has room. */
	call_ok(on("ADD", id + 1, c1, CHECKED));
	ck_assert_str_eq(sh("nft list ruleset 2>/dev/null | grep -c macspoofchk-%s-eth0", id + 1),
			 "4");
	call_ok(on("DEL", id + 1, c1, CHECKED));
	ck_assert_str_eq(rules(), "");
}
END_TEST

START_TEST(gc_removes_rules_of_no_valid_attachment_of_this_network)
{
	static const char gc[] =
		NET("net1", ",\"cni.dev/valid-attachments\":[{\"containerID\":\"ctr1\",\"ifname\":"
			    "\"eth0\"},{\"containerID\":\"ctr9\",\"ifname\":\"eth1\"}]");
	struct call second = on("ADD", "ctr1", c1, CHECKED), third = on("ADD", "ctr1", c1, NULL);

	add(CHECKED);
	second.ifname = "eth1";
	call_ok(second);
	third.ifname = "eth2";
	third.config = NET("net2", ",\"macspoofchk\":true");
	call_ok(third);
	call_ok(on("ADD", "gone", container_add("c2"), CHECKED));
	container_del("c2");
	/* What the Go plugins make does not tell its network. */
	sh("nft add chain bridge nat cni-br-iface-go-eth0; nft add rule bridge nat PREROUTING "
	   "iifname veth0 jump cni-br-iface-go-eth0 comment macspoofchk-go-eth0");
	for (int i = 0; i < 2; i++) {
		call_ok((struct call){ .command = "GC", .id = "", .ifname = "", .config = gc });
		ck_assert_str_eq(sh("nft list chain bridge nat PREROUTING | sed -n 's/.*jump "
				    "cni-br-iface-//p' | cut -d' ' -f1 | sort | xargs"),
				 "ctr1-eth0 ctr1-eth2 go-eth0");
		ck_assert_str_eq(sh("nft list table bridge nat | grep -c 'chain cni-br-iface'"),
				 "5");
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("spoof");
	TCase *tc = tcase_create("macspoofchk");

	tcase_add_checked_fixture(tc, setup, world_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, only_frames_with_the_containers_own_mac_get_through);
	tcase_add_test(tc, a_changed_mac_is_cut_off);
	tcase_add_test(tc, a_second_interface_and_container_have_their_own_rules);
	tcase_add_loop_test(tc, del_removes_the_rules_whatever_has_become_of_the_container, 0,
			    ARRAY_SIZE(decays));
	tcase_add_test(tc, del_empties_a_chain_that_somebody_elses_rule_leads_to);
	tcase_add_test(tc, a_failed_add_leaves_no_rule);
	tcase_add_test(tc, what_is_in_the_way_is_named_and_nothing_is_left);
	tcase_add_test(tc, add_replaces_what_is_left_under_its_names);
	tcase_add_test(tc, a_container_whose_names_read_as_anothers_is_refused);
	tcase_add_test(tc, add_removes_the_rules_of_a_killed_add);
	tcase_add_test(tc, del_of_another_network_leaves_the_rules);
	tcase_add_test(tc, names_without_room_are_hashed);
	tcase_add_test(tc, gc_removes_rules_of_no_valid_attachment_of_this_network);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
