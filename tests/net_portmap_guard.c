/*
 * What portmap must never let happen: the attacks on port forwarders that are known, each as a test that
 * fails without the protection, and two containers with one port.
 */
#include "portmap_world.h"

#include <stdlib.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/*
 * CVE-2025-67499: the nftables backend of the Go plugins once took every packet to a mapped port, whoever
 * it was for. A container, and a neighbour who uses this host as a router, talk to a third host on it.
 */
START_TEST(cve_2025_67499_only_traffic_to_this_host_is_captured)
{
	static const char *const ips[] = { "", "0.0.0.0", "::" };
	int b = _i / (int)ARRAY_SIZE(ips);
	const char *ip = ips[_i % (int)ARRAY_SIZE(ips)];

	use_backend(b);
	attach(1, "",
	       fmt("{\"hostPort\":53,\"containerPort\":53,\"protocol\":\"udp\",\"hostIP\":\"%s\"},"
		   "{\"hostPort\":853,\"containerPort\":53,\"protocol\":\"tcp\",\"hostIP\":\"%s\"}",
		   ip, ip));
	connect_container(2);
	/* The container would answer "10.88..." or nothing; the third host answers all. */
	serve("out", "udp", OUT4, 53);
	serve("out", "udp", OUT6, 53);
	serve("out", "tcp", OUT4, 853);
	serve("out", "tcp", OUT6, 853);
	reaches("c2", "udp", OUT4, 53, "10.88.0.3");
	reaches("c2", "udp", OUT6, 53, "fd00:88::3");
	reaches("c2", "tcp", OUT4, 853, "10.88.0.3");
	reaches("c2", "tcp", OUT6, 853, "fd00:88::3");
	reaches(NULL, "udp", OUT4, 53, HOST4);
	reaches(NULL, "tcp", OUT6, 853, HOST6);
}
END_TEST

/* A neighbour on the link sends what is for 127.0.0.1 to the host's MAC. */
static void route_localhost_to_host(const char *where, const char *gateway)
{
	sh_in(where,
	      "echo 1 >/proc/sys/net/ipv4/conf/eth0/route_localnet && "
	      "ip route add 127.0.0.1/32 via %s table 100 onlink dev eth0 && "
	      "ip rule add pref 1 to 127.0.0.1 lookup 100 && ip rule add pref 2 lookup local && "
	      "ip rule del pref 0",
	      gateway);
}

/*
 * CVE-2020-8558: with route_localnet, which portmap sets, what listens on 127.0.0.1 only was reached from
 * the link, and so is a port that is published there.
 */
START_TEST(cve_2020_8558_neighbours_do_not_reach_127_0_0_1)
{
	const char *config;

	use_backend(_i);
	config = attach(1, "", PORT_AT(8080, 80, "tcp", "127.0.0.1") "," PORT(8081, 81, "udp"));
	connect_container(2);
	serve("c1", "tcp", "0.0.0.0", 80);
	serve("c1", "udp", "0.0.0.0", 81);
	serve(NULL, "tcp", "127.0.0.1", 9999);
	ck_assert_str_eq(sh("cat /proc/sys/net/ipv4/conf/br0/route_localnet"), "1");
	route_localhost_to_host("out", HOST4);
	route_localhost_to_host("c2", GW4);
	reaches(NULL, "tcp", "127.0.0.1", 8080, GW4);
	reaches(NULL, "tcp", "127.0.0.1", 9999, "127.0.0.1");
	for (int i = 0; i < 2; i++) {
		const char *where = i ? "c2" : "out";

		reaches_not(where, "tcp", "127.0.0.1", 8080);
		reaches_not(where, "udp", "127.0.0.1", 8081);
		reaches_not(where, "tcp", "127.0.0.1", 9999);
	}
	/* It stays shut when the port is gone: route_localnet does not go with it. */
	call_ok(on_container(1, "DEL", config));
	reaches_not("c2", "tcp", "127.0.0.1", 9999);
}
END_TEST

/* The same with the protection taken away, to see that the attack works. */
START_TEST(the_neighbour_of_cve_2020_8558_does_reach_it_without_the_rule)
{
	use_backend(_i);
	attach(1, "", PORT_AT(8080, 80, "tcp", "127.0.0.1"));
	serve("c1", "tcp", "0.0.0.0", 80);
	route_localhost_to_host("out", HOST4);
	if (strcmp(backend->name, "nftables") == 0)
		sh("nft flush chain ip cni_hostport localhost");
	else
		sh("iptables -t raw -F PREROUTING");
	reaches("out", "tcp", "127.0.0.1", 8080, OUT4);
}
END_TEST

/*
 * CVE-2019-9946: portmap put itself before what was there, and so took the ports of Kubernetes' services.
 * Who was in PREROUTING first is asked first.
 */
START_TEST(cve_2019_9946_services_of_others_come_first)
{
	use_backend(_i);
	connect_container(2);
	serve("c2", "tcp", "0.0.0.0", 80);
	sh("iptables -t nat -N KUBE-SERVICES && "
	   "iptables -t nat -A PREROUTING -j KUBE-SERVICES && iptables -t nat -A OUTPUT -j "
	   "KUBE-SERVICES "
	   "&& iptables -t nat -A KUBE-SERVICES -d " HOST4
	   " -p tcp --dport 8080 -j DNAT --to-destination 10.88.0.3:80");
	attach(1, "", PORT(8080, 81, "tcp") "," PORT(8082, 81, "tcp"));
	serve("c1", "tcp", "0.0.0.0", 81);
	reaches("out", "tcp", HOST4, 8082, "");
	sh("ip -n c1 link set eth0 down");
	reaches("out", "tcp", HOST4, 8080, "");
}
END_TEST

/* ---- one port, two containers ---- */

static const struct {
	const char *first, *second;
	bool conflict;
} pairs[] = {
	{ PORT(8080, 80, "tcp"), PORT(8080, 81, "tcp"), true },
	{ PORT(8080, 80, "tcp"), PORT(8080, 81, "udp"), false },
	{ PORT(8080, 80, "tcp"), PORT(8081, 81, "tcp"), false },
	{ PORT(8080, 80, "tcp"), PORT_AT(8080, 81, "tcp", "127.0.0.1"), true },
	{ PORT(8080, 80, "tcp"), PORT_AT(8080, 81, "tcp", HOST6), true },
	{ PORT_AT(8080, 80, "tcp", HOST4), PORT(8080, 81, "tcp"), true },
	{ PORT_AT(8080, 80, "tcp", HOST4), PORT_AT(8080, 81, "tcp", HOST4), true },
	{ PORT_AT(8080, 80, "tcp", HOST4), PORT_AT(8080, 81, "tcp", GW4), false },
	{ PORT_AT(8080, 80, "tcp", HOST4), PORT_AT(8080, 81, "tcp", "0.0.0.0"), true },
	{ PORT_AT(8080, 80, "tcp", "0.0.0.0"), PORT_AT(8080, 81, "tcp", "::"), false },
	{ PORT_AT(8080, 80, "sctp", "::"), PORT_AT(8080, 81, "sctp", HOST6), true },
	{ PORT(8080, 80, "tcp"), PORT(9, 80, "tcp") "," PORT(8080, 81, "tcp"), true },
};

static void assert_conflict(const char *first, const char *second)
{
	const char *config = portmap_alone(2, "", second), *before = rules_now();

	for (int i = 0; i < 2; i++) {
		struct reply r = call_fails(on_container(2, "ADD", config), 999,
					    "is taken by container ctr1, network net1");

		ck_assert_msg(strstr(r.msg, "host port 8080/") != NULL, "%s, then %s: %s", first,
			      second, r.msg);
		ck_assert_ptr_nonnull(strstr(r.details, "allowPortConflicts"));
		assert_same(before, rules_now());
	}
	call_ok(on_container(2, "DEL", config));
	assert_same(before, rules_now());
}

START_TEST(a_port_that_another_container_has_is_an_error_that_names_it)
{
	use_backend(_i);
	for (size_t p = 0; p < ARRAY_SIZE(pairs); p++) {
		const char *second = portmap_alone(2, "", pairs[p].second);

		call_ok(on_container(1, "ADD", portmap_alone(1, "", pairs[p].first)));
		if (pairs[p].conflict)
			assert_conflict(pairs[p].first, pairs[p].second);
		else
			call_ok(on_container(2, "ADD", second));
		/* Free again when the first is gone, its list forgotten. */
		call_ok(on_container(1, "DEL", portmap_conf("", "")));
		if (pairs[p].conflict)
			call_ok(on_container(2, "ADD", second));
		call_ok(on_container(2, "DEL", second));
	}
}
END_TEST

START_TEST(conflicts_can_be_allowed_and_the_first_keeps_the_port)
{
	const char *first, *second;

	use_backend(_i);
	first = attach(1, "", PORT(8080, 80, "tcp"));
	second = attach(2, ",\"allowPortConflicts\":true", PORT(8080, 80, "tcp"));
	serve("c1", "tcp", "0.0.0.0", 80);
	reaches("out", "tcp", HOST4, 8080, "");
	call_ok(on_container(1, "DEL", first));
	reaches_not("out", "tcp", HOST4, 8080);
	serve("c2", "tcp", "0.0.0.0", 80);
	reaches("out", "tcp", HOST4, 8080, "");
	call_ok(on_container(2, "DEL", second));
}
END_TEST

/* One list of ports goes to all networks of a container; the first one has them. */
START_TEST(two_networks_of_one_container_are_no_conflict)
{
	const char *first, *second;
	struct call c;

	use_backend(_i);
	first = attach(1, "", PORT(8080, 80, "tcp"));
	second = of_network(first, "net2");
	c = on_container(1, "ADD", second);
	c.ifname = "eth1";
	call_ok(c);
	serve("c1", "tcp", "0.0.0.0", 80);
	c.command = "DEL";
	call_ok(c);
	reaches("out", "tcp", HOST4, 8080, "");
	call_ok(on_container(1, "DEL", first));
	reaches_not("out", "tcp", HOST4, 8080);
}
END_TEST

static void remove_rules(void)
{
	sh("nft delete table ip cni_hostport; nft delete table ip6 cni_hostport; "
	   "for t in iptables ip6tables; do $t -t nat -F; $t -t nat -X; done 2>/dev/null; true");
}

/* The kernel refuses each of them, and has no room for so many answers. */
START_TEST(of_hundreds_of_ports_each_is_taken_or_free)
{
	const char *range = port_range(2000, 400);

	use_backend(_i);
	call_ok(on_container(1, "ADD", portmap_alone(1, "", range)));
	call_fails(on_container(2, "ADD", portmap_alone(2, "", range)), 999,
		   "/tcp is taken by container ctr1, network net1");
	call_ok(on_container(2, "ADD", portmap_alone(2, ",\"allowPortConflicts\":true", range)));
	call_ok(on_container(2, "DEL", portmap_conf("", range)));
	call_fails(on_container(2, "ADD", portmap_alone(2, "", range)), 999, "is taken");
	remove_rules();
	call_ok(on_container(2, "ADD", portmap_alone(2, "", range)));
	call_fails(on_container(1, "ADD", portmap_alone(1, "", PORT(2399, 80, "tcp"))), 999,
		   "container ctr2");
}
END_TEST

/* The Go plugins remove rules, and know of no owners: what has no rules any more is free. */
START_TEST(a_port_whose_rules_are_gone_is_free)
{
	use_backend(_i);
	attach(1, "", PORT(8080, 80, "tcp") "," PORT_AT(8082, 80, "tcp", HOST4));
	if (strcmp(backend->name, "nftables") == 0)
		sh("nft flush chain ip cni_hostport hostports; "
		   "nft flush chain ip6 cni_hostport hostports");
	else
		sh("for t in iptables ip6tables; do $t -t nat -F; $t -t nat -X; done");
	attach(2, "", PORT(8080, 80, "tcp") "," PORT(8082, 80, "tcp"));
	serve("c2", "tcp", "0.0.0.0", 80);
	reaches("out", "tcp", HOST4, 8080, "");
	call_fails(on_container(3, "ADD",
				with_prev(portmap_conf("", PORT(8080, 80, "tcp")),
					  connect_container(3))),
		   999, "container ctr2");
}
END_TEST

static const char *ports_owned(void)
{
	return sh("for s in any4 any6 one4 one6; do nft list set inet cni_hostport_owners $s; done "
		  "| grep -oE '(tcp|udp) \\. [0-9]+' | sort -u | xargs");
}

/* One owner who is gone stands in the way of several mappings, and each of several in that of one. */
START_TEST(a_dead_owner_is_met_by_several_mappings)
{
	static const struct {
		const char *dead, *list;
	} cases[] = {
		{ PORT(8080, 80, "tcp"),
		  PORT_AT(8080, 80, "tcp", HOST4) "," PORT_AT(8080, 81, "tcp", GW4) },
		{ PORT(8080, 80, "tcp"), PORT(8080, 80, "tcp") "," PORT_AT(8080, 81, "tcp", GW4) },
		{ PORT(8080, 80, "tcp"), PORT_AT(8080, 81, "tcp", GW4) "," PORT(8080, 80, "tcp") },
		{ PORT_AT(8080, 80, "tcp", GW4),
		  PORT_AT(8080, 81, "tcp", GW4) "," PORT(8080, 80, "tcp") },
		{ PORT_AT(8080, 80, "tcp", GW4),
		  PORT(8080, 80, "tcp") "," PORT_AT(8080, 81, "tcp", GW4) },
	};

	use_backend(_i);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *config = portmap_alone(2, "", cases[i].list);

		call_ok(on_container(1, "ADD", portmap_alone(1, "", cases[i].dead)));
		remove_rules();
		call_ok(on_container(2, "ADD", config));
		call_fails(on_container(3, "ADD", portmap_alone(3, "", PORT(8080, 80, "tcp"))), 999,
			   "container ctr2");
		call_fails(on_container(3, "ADD",
					portmap_alone(3, "", PORT_AT(8080, 80, "tcp", GW4))),
			   999, "container ctr2");
		call_ok(on_container(2, "DEL", config));
		call_ok(on_container(1, "DEL", portmap_conf("", "")));
		ck_assert_str_eq(ports_owned(), "");
	}
}
END_TEST

/* @return a configuration with this one address, and port 8080 */
static const char *with_address(const char *address)
{
	return with_prev(portmap_conf("", PORT(8080, 80, "tcp")),
			 fmt("{\"cniVersion\":\"1.1.0\",\"ips\":[{\"address\":\"%s\"}]}", address));
}

START_TEST(a_port_is_free_in_the_family_that_its_owner_has_no_address_of)
{
	use_backend(_i);
	call_ok(on_container(1, "ADD", with_address("10.88.0.2/24")));
	call_ok(on_container(2, "ADD", with_address("fd00:88::3/64")));
	call_fails(on_container(3, "ADD", with_address("10.88.0.4/24")), 999, "container ctr1");
	call_fails(on_container(3, "ADD", with_address("fd00:88::4/64")), 999, "container ctr2");
	/* The address is not known any more. */
	call_ok(on_container(1, "DEL", portmap_conf("", PORT(8080, 80, "tcp"))));
	call_fails(on_container(3, "ADD", with_address("fd00:88::4/64")), 999, "container ctr2");
	call_ok(on_container(2, "DEL", portmap_conf("", PORT(8080, 80, "tcp"))));
	ck_assert_str_eq(ports_owned(), "");
}
END_TEST

START_TEST(add_again_gives_back_the_ports_that_its_list_has_no_more)
{
	use_backend(_i);
	call_ok(on_container(
		1, "ADD",
		portmap_alone(1, "",
			      PORT(8080, 80, "tcp") "," PORT(8081, 80, "tcp") "," PORT_AT(
				      8083, 80, "tcp", GW4))));
	call_ok(on_container(
		1, "ADD", portmap_alone(1, "", PORT(8080, 80, "tcp") "," PORT(8082, 80, "tcp"))));
	ck_assert_str_eq(ports_owned(), "tcp . 8080 tcp . 8082");
	call_ok(on_container(1, "ADD",
			     portmap_alone(1, "",
					   PORT(8080, 80, "tcp") "," PORT(8082, 80, "tcp") "," PORT(
						   8084, 80, "tcp"))));
	/* The list of an earlier ADD: it leads to as many as that one had. */
	call_ok(on_container(
		1, "DEL", portmap_alone(1, "", PORT(8080, 80, "tcp") "," PORT(8082, 80, "tcp"))));
	ck_assert_str_eq(ports_owned(), "");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("portmap, guarded");
	TCase *tc = tcase_create("guard");

	tcase_add_checked_fixture(tc, portmap_setup, world_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, cve_2025_67499_only_traffic_to_this_host_is_captured, 0,
			    BACKENDS * 3);
	tcase_add_loop_test(tc, cve_2020_8558_neighbours_do_not_reach_127_0_0_1, 0, BACKENDS);
	tcase_add_loop_test(tc, the_neighbour_of_cve_2020_8558_does_reach_it_without_the_rule, 0,
			    BACKENDS);
	tcase_add_loop_test(tc, cve_2019_9946_services_of_others_come_first, 0, BACKENDS);
	tcase_add_loop_test(tc, a_port_that_another_container_has_is_an_error_that_names_it, 0,
			    BACKENDS);
	tcase_add_loop_test(tc, conflicts_can_be_allowed_and_the_first_keeps_the_port, 0, BACKENDS);
	tcase_add_loop_test(tc, two_networks_of_one_container_are_no_conflict, 0, BACKENDS);
	tcase_add_loop_test(tc, of_hundreds_of_ports_each_is_taken_or_free, 0, 2);
	tcase_add_loop_test(tc, a_port_whose_rules_are_gone_is_free, 0, BACKENDS);
	tcase_add_loop_test(tc, a_dead_owner_is_met_by_several_mappings, 0, BACKENDS);
	tcase_add_loop_test(tc, a_port_is_free_in_the_family_that_its_owner_has_no_address_of, 0,
			    BACKENDS);
	tcase_add_loop_test(tc, add_again_gives_back_the_ports_that_its_list_has_no_more, 0,
			    BACKENDS);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
