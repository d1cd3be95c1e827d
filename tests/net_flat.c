/*
 * What a call costs does not depend on how many others there are: ADD and DEL get as many bytes from the
 * kernel beside 300 attachments as beside one. (Time says less, and not on every machine.)
 */
#include "portmap_world.h"
#include "trace.h"

#define MANY 300

/*
 * A search that ends at the front of a chain gets what the kernel packs into one message, of a chain that
 * is longer than that; firewall makes two.
 */
#define LOOK_AHEAD 16384

/* ---- rules of others, as their attachments would have left them ---- */

/* Each program is given a text of `line`, with @ standing for 1 to MANY. */
static void fill(const char *head, const char *line, const char *tail, const char *program)
{
	sh("{ echo '%s'; for i in $(seq %d); do echo '%s' | sed \"s/@/$i/g\"; done; echo '%s'; } | "
	   "%s",
	   head, MANY, line, tail, program);
}

static void fill_masq_nftables(void)
{
	fill("",
	     "add rule inet cni_plugins_masquerade masq_checks ip saddr 10.99.0.@ ip daddr != "
	     "10.99.0.0/16 masquerade comment \"0123456789abcdef-0123456789abcdef, net: other, if: "
	     "eth0, id: other@\"",
	     "", "sed 's/10.99.0.\\([0-9]*\\)/10.99.1.1/' | nft -f -");
}

static void fill_masq_iptables(void)
{
	for (int v6 = 0; v6 < 2; v6++)
		fill("*nat\n:CNI-other - [0:0]",
		     "-A POSTROUTING -m comment --comment other@ -j CNI-other", "COMMIT",
		     v6 ? "ip6tables-nft-restore -n" : "iptables-nft-restore -n");
}

static void fill_spoof(void)
{
	fill("",
	     "add rule bridge nat PREROUTING iifname \"veth@\" return comment "
	     "\"macspoofchk-other@\"",
	     "", "nft -f -");
}

static void fill_portmap_nftables(void)
{
	for (int v6 = 0; v6 < 2; v6++) {
		const char *ip = v6 ? "ip6" : "ip", *to = v6 ? "[fd00:99::1]" : "10.99.0.1";

		fill("",
		     fmt("add rule %s cni_hostport hostports tcp dport @ dnat to %s:80 comment "
			 "\"other@\"",
			 ip, to),
		     "", "nft -f -");
		fill("",
		     fmt("add rule %s cni_hostport masquerading tcp dport @ masquerade comment "
			 "\"other@\"",
			 ip),
		     "", "nft -f -");
	}
}

static void fill_portmap_iptables(void)
{
	for (int v6 = 0; v6 < 2; v6++)
		fill("*nat\n:CNI-DN-other - [0:0]",
		     "-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment other@ -m multiport "
		     "--dports @ "
		     "-j CNI-DN-other",
		     "COMMIT", v6 ? "ip6tables-nft-restore -n" : "iptables-nft-restore -n");
}

static void fill_firewall(void)
{
	for (int v6 = 0; v6 < 2; v6++) {
		const char *restore = v6 ? "ip6tables-nft-restore -n" : "iptables-nft-restore -n";
		const char *ip = v6 ? "fd00:99::@" : "10.99.1.@";
		const char *to_v4 = v6 ? "cat" : "sed 's/10.99.1.\\([0-9]*\\)/10.99.1.1/'";

		fill("*filter", fmt("-A CNI-FORWARD -s %s -j ACCEPT", ip), "COMMIT",
		     fmt("%s | %s", to_v4, restore));
		fill("*filter",
		     fmt("-A CNI-FORWARD-DNAT -d %s -m comment --comment \"0123456789abcdef-"
			 "0123456789abcdef, id: other@, if: eth0, net: other\" -j ACCEPT",
			 ip),
		     "COMMIT", fmt("%s | %s", to_v4, restore));
	}
}

/* ---- what there is to be called ---- */

#define FIREWALL                                                             \
	"{\"cniVersion\":\"1.1.0\",\"name\":\"net1\",\"type\":\"firewall\"," \
	"\"backend\":\"iptables\"}"

static const char *firewall(int n)
{
	return with_prev(
		FIREWALL,
		fmt("{\"cniVersion\":\"1.1.0\",\"interfaces\":[{\"name\":\"eth0\","
		    "\"sandbox\":\"/run/netns/c%d\"}],\"ips\":[{\"address\":\"10.88.0.%d/24\","
		    "\"interface\":0},{\"address\":\"fd00:88::%d/64\",\"interface\":0}]}",
		    n, n + 1, n + 1));
}

static const char *bridge(int n, const char *keys)
{
	return fmt("{\"cniVersion\":\"1.1.0\",\"name\":\"net1\",\"type\":\"bridge\",\"bridge\":"
		   "\"br0\",%s,\"ipam\":{\"type\":\"static\",\"addresses\":[{\"address\":"
		   "\"10.88.0.%d/24\"},{\"address\":\"fd00:88::%d/64\"}]}}",
		   keys, n + 1, n + 1);
}

enum {
	MASQ_NFTABLES,
	MASQ_IPTABLES,
	SPOOF,
	PORTMAP_NFTABLES,
	PORTMAP_IPTABLES,
	FIREWALL_IPTABLES,
	ALL
};

/* The configuration of container number n (1 or 2) in a scenario. */
static const char *config_of(int scenario, int n)
{
	switch (scenario) {
	case MASQ_NFTABLES:
		return bridge(n, "\"ipMasq\":true,\"ipMasqBackend\":\"nftables\"");
	case MASQ_IPTABLES:
		return bridge(n, "\"ipMasq\":true,\"ipMasqBackend\":\"iptables\"");
	case SPOOF:
		return bridge(n, "\"macspoofchk\":true");
	case FIREWALL_IPTABLES:
		return firewall(n);
	default:
		backend = &backends[scenario == PORTMAP_NFTABLES ? 0 : 1];
		return portmap_alone(n, "",
				     n == 1 ? PORT(9090, 80, "tcp")
					    : PORT(8080, 80, "tcp") "," PORT(8081, 81, "udp"));
	}
}

static void (*const fills[ALL])(void) = {
	fill_masq_nftables,    fill_masq_iptables,    fill_spoof,
	fill_portmap_nftables, fill_portmap_iptables, fill_firewall
};

/* ---- the measure ---- */

/* What the kernel says to a call, in bytes. */
static long bytes_received(int scenario, int n, const char *command)
{
	struct call c = on_container(n, command, config_of(scenario, n));

	c.wrapper = NO_LEAK_CHECK "strace -f -o " TRACE " -e trace=recvfrom,recvmsg";
	call_ok(c);
	return strtol(sh("sed -n 's/.* = \\([0-9]*\\)$/\\1/p' " TRACE
			 " | awk '{ n += $1 } END { print n + 0 }'"),
		      NULL, 10);
}

static void setup(void)
{
	world_setup();
	no_link_local();
	use_iptables("nft");
	container_add("c1");
	container_add("c2");
}

START_TEST(a_call_beside_many_gets_no_more_from_the_kernel_than_beside_one)
{
	long add, del, add_many, del_many;

	call_ok(on_container(1, "ADD", config_of(_i, 1)));
	add = bytes_received(_i, 2, "ADD");
	del = bytes_received(_i, 2, "DEL");
	fills[_i]();
	add_many = bytes_received(_i, 2, "ADD");
	fills[_i]();
	del_many = bytes_received(_i, 2, "DEL");
	ck_assert_int_gt(add, 0);
	ck_assert_int_gt(del, 0);
	ck_assert_msg(add_many <= add + LOOK_AHEAD && del_many <= del + 64,
		      "ADD gets %ld bytes, beside many %ld; DEL %ld, %ld", add, add_many, del,
		      del_many);
}
END_TEST

/* Tables that somebody lists and loads again: what stands where, and by which handle, is new. */
static void write_anew(void)
{
	sh("for t in 'bridge nat' 'inet cni_plugins_masquerade' 'ip cni_hostport' 'ip6 "
	   "cni_hostport'; "
	   "do nft list table $t >/run/table 2>/dev/null || continue; "
	   "{ echo \"delete table $t\"; cat /run/table; } | nft -f - || exit 1; done; "
	   "for t in iptables ip6tables; do $t-nft-save >/run/table && $t-nft-restore </run/table; "
	   "done");
}

START_TEST(rules_that_somebody_wrote_anew_are_found_by_reading)
{
	const char *before;

	call_ok(on_container(1, "ADD", config_of(_i, 1)));
	write_anew();
	before = rules_now();
	call_ok(on_container(2, "ADD", config_of(_i, 2)));
	write_anew();
	call_ok(on_container(2, "DEL", config_of(_i, 2)));
	assert_same(before, rules_now());
}
END_TEST

/* Two ADDs without a DEL between them: the second one's rules are not all that there are. */
START_TEST(rules_of_every_add_are_removed)
{
	const char *before;

	call_ok(on_container(1, "ADD", config_of(_i, 1)));
	before = rules_now();
	call_ok(on_container(2, "ADD", config_of(_i, 2)));
	if (strstr(config_of(_i, 2), "bridge")) /* whose ADD expects no interface */
		sh_in("c2", "ip link del eth0");
	call_ok(on_container(2, "ADD", config_of(_i, 2)));
	call_ok(on_container(2, "DEL", config_of(_i, 2)));
	assert_same(before, rules_now());
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("flat");
	TCase *tc = tcase_create("flat");

	tcase_add_checked_fixture(tc, setup, world_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, a_call_beside_many_gets_no_more_from_the_kernel_than_beside_one, 0,
			    ALL);
	tcase_add_loop_test(tc, rules_that_somebody_wrote_anew_are_found_by_reading, 0, ALL);
	tcase_add_loop_test(tc, rules_of_every_add_are_removed, 0, ALL);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
