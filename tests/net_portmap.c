/*
 * portmap with real packets: who reaches which port by which address, and at which address the
 * container sees them.
 */
#include "portmap_world.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Servers of container 1 on the ports that are mapped here; container ports differ from host ports. */
static const char everywhere[] =
	PORT(8080, 80, "tcp") "," PORT(8081, 81, "udp") "," PORT(7000, 70, "sctp");

static void serve_everywhere(int n)
{
	const char *where = fmt("c%d", n);

	serve(where, "tcp", "0.0.0.0", 80);
	serve(where, "udp", "0.0.0.0", 81);
	serve(where, "sctp", "0.0.0.0", 70);
	serve(where, "tcp", "::", 80);
	serve(where, "udp", "::", 81);
	serve(where, "sctp", "::", 70);
}

static const struct {
	const char *protocol;
	int port;
} services[] = { { "tcp", 8080 }, { "udp", 8081 }, { "sctp", 7000 } };

/* From whom, by which address of the host, and who the container sees (reference 2.8). */
static const struct {
	const char *from, *to, *seen;
} ways[] = {
	{ NULL, "127.0.0.1", GW4 }, { NULL, "127.0.0.2", "" }, { NULL, HOST4, HOST4 },
	{ NULL, HOST6, HOST6 },	    { NULL, GW4, "" },	       { NULL, GW6, "" },
	{ "out", HOST4, OUT4 },	    { "out", HOST6, OUT6 },    { "c2", HOST4, GW4 },
	{ "c2", HOST6, GW6 },	    { "c2", GW4, GW4 },	       { "c2", GW6, GW6 },
	{ "c1", HOST4, GW4 },	    { "c1", HOST6, GW6 },
};

START_TEST(every_protocol_reaches_the_container_from_everywhere)
{
	use_backend(_i);
	attach(1, "", everywhere);
	connect_container(2);
	serve_everywhere(1);
	for (size_t s = 0; s < ARRAY_SIZE(services); s++)
		for (size_t w = 0; w < ARRAY_SIZE(ways); w++)
			/* 127.0.0.2 is as much this host as 127.0.0.1, but not masqueraded. */
			if (strcmp(ways[w].to, "127.0.0.2") != 0)
				reaches(ways[w].from, services[s].protocol, ways[w].to,
					services[s].port, ways[w].seen);
	reaches_not(NULL, "tcp", HOST4, 80);
	reaches_not("out", "udp", HOST4, 80);
}
END_TEST

static const struct {
	const char *ip;
	bool host4, gw4, lo, host6,
		gw6; /* whether that address of the host leads to the container */
} host_ips[] = {
	{ "", true, true, true, true, true },
	{ "0.0.0.0", true, true, true, false, false },
	{ "::", false, false, false, true, true },
	{ HOST4, true, false, false, false, false },
	{ GW4, false, true, false, false, false },
	{ "127.0.0.1", false, false, true, false, false },
	{ HOST6, false, false, false, true, false },
	{ "::ffff:" HOST4, true, false, false, false, false },
	{ "192.0.2.77", false, false, false, false, false },
};

static void reaches_if(bool wanted, const char *from, const char *protocol, const char *to,
		       int port)
{
	if (wanted)
		reaches(from, protocol, to, port, "");
	else
		reaches_not(from, protocol, to, port);
}

START_TEST(host_ip_limits_the_addresses)
{
	const char *ports = "";

	use_backend(_i);
	for (size_t h = 0; h < ARRAY_SIZE(host_ips); h++)
		ports = fmt("%s%s{\"hostPort\":%zu,\"containerPort\":80,\"protocol\":\"tcp\","
			    "\"hostIP\":\"%s\"}",
			    ports, h ? "," : "", 8080 + h, host_ips[h].ip);
	attach(1, "", ports);
	serve("c1", "tcp", "0.0.0.0", 80);
	serve("c1", "tcp", "::", 80);
	for (size_t h = 0; h < ARRAY_SIZE(host_ips); h++) {
		int port = 8080 + (int)h;

		reaches_if(host_ips[h].host4, "out", "tcp", HOST4, port);
		reaches_if(host_ips[h].host4, NULL, "tcp", HOST4, port);
		reaches_if(host_ips[h].gw4, "out", "tcp", GW4, port);
		reaches_if(host_ips[h].lo, NULL, "tcp", "127.0.0.1", port);
		reaches_if(host_ips[h].host6, "out", "tcp", HOST6, port);
		reaches_if(host_ips[h].gw6, NULL, "tcp", GW6, port);
	}
}
END_TEST

START_TEST(without_snat_nothing_is_masqueraded)
{
	use_backend(_i);
	attach(1, ",\"snat\":false", everywhere);
	serve_everywhere(1);
	reaches("out", "tcp", HOST4, 8080, OUT4);
	reaches(NULL, "tcp", HOST4, 8080, HOST4);
	reaches_not(NULL, "tcp", "127.0.0.1", 8080);
	reaches_not("c1", "tcp", HOST4, 8080);
	ck_assert_str_eq(sh("cat /proc/sys/net/ipv4/conf/br0/route_localnet"), "0");
}
END_TEST

/* What is not translated is nobody's business: a router's client keeps its address. */
START_TEST(masq_all_masquerades_every_client_of_a_mapped_port_and_no_other)
{
	use_backend(_i);
	attach(1, ",\"masqAll\":true", everywhere);
	serve_everywhere(1);
	reaches("out", "tcp", HOST4, 8080, GW4);
	reaches("out", "tcp", HOST6, 8080, GW6);
	reaches("c1", "udp", HOST4, 8081, GW4);
	reaches(NULL, "tcp", "127.0.0.1", 8080, GW4);
	reaches("out", "tcp", "10.88.0.2", 80, OUT4);
}
END_TEST

START_TEST(nothing_reaches_the_container_after_del)
{
	const char *config;

	use_backend(_i);
	config = attach(1, "", everywhere);
	serve_everywhere(1);
	reaches("out", "tcp", HOST4, 8080, "");
	call_ok(on_container(1, "DEL", config));
	for (size_t s = 0; s < ARRAY_SIZE(services); s++) {
		reaches_not("out", services[s].protocol, HOST4, services[s].port);
		reaches_not("out", services[s].protocol, HOST6, services[s].port);
		reaches_not(NULL, services[s].protocol, "127.0.0.1", services[s].port);
	}
}
END_TEST

START_TEST(conditions_choose_the_clients)
{
	static const char *const keys[][2] = {
		/* nftables, iptables */
		{ ",\"conditionsV4\":[\"ip\",\"saddr\",\"203.0.113.0/24\"]",
		  ",\"conditionsV4\":[\"-s\",\"203.0.113.0/24\"]" },
		{ ",\"conditionsV4\":[\"ip saddr != 10.88.0.0/24\",\"iifname != br0\"]",
		  ",\"conditionsV4\":[\"!\",\"-s\",\"10.88.0.0/24\",\"!\",\"-i\",\"br0\"]" },
		{ ",\"conditionsV4\":[\"iifname\",\"\\\"up0\\\"\"]",
		  ",\"conditionsV4\":[\"--in-interface\",\"up0\"]" },
		{ ",\"conditionsV4\":[\"ip\",\"daddr\",\"" HOST4 "\"],\"conditionsV6\":[]",
		  ",\"conditionsV4\":[\"-d\",\"" HOST4 "\"]" },
	};
	int b = _i / (int)ARRAY_SIZE(keys), k = _i % (int)ARRAY_SIZE(keys);
	bool by_source = k < 3;

	use_backend(b);
	attach(1, keys[k][*backend->name == 'i'], everywhere);
	connect_container(2);
	/* Another container without any, afterwards, changes nothing for the first. */
	call_ok(on_container(2, "ADD",
			     with_prev(portmap_conf("", PORT(9090, 80, "tcp")),
				       "{\"cniVersion\":\"1.1.0\",\"ips\":[{\"address\":"
				       "\"10.88.0.3/24\"}]}")));
	serve_everywhere(1);
	serve("c2", "tcp", "0.0.0.0", 80);
	reaches("out", "tcp", HOST4, 8080, "");
	reaches("out", "tcp", HOST6, 8080, "");
	reaches_if(!by_source, "c2", "tcp", HOST4, 8080);
	if (!by_source)
		reaches_not("out", "tcp", GW4, 8080);
	reaches("c1", "tcp", HOST4, 9090, "");
}
END_TEST

/* A client that never pauses keeps its flow alive: it has to be told that the container is another one. */
static void udp_client_follows(const char *from, const char *ip)
{
	const char *first = attach(1, "", PORT(8081, 81, "udp"));
	union peer to = peer_of(ip, 8081);
	int sk;

	/* Somebody else's rules: without any, the kernel would follow no flows at all. */
	call_ok(on_container(9, "ADD", portmap_alone(9, "", PORT(9999, 81, "udp"))));
	serve("c1", "udp", "0.0.0.0", 81);
	serve("c1", "udp", "::", 81);
	sk = socket_in(from, to.any.sa_family, SOCK_DGRAM, 0);
	ck_assert_int_eq(connect(sk, &to.any, peer_len(&to)), 0);
	ck_assert_int_eq(send(sk, "?", 1, 0), 1);
	ck_assert_str_ne(receive_text(sk, ANSWER_MS), "");
	call_ok(on_container(1, "DEL", first));
	(void)!send(sk, "?", 1, 0);
	ck_assert_str_eq(receive_text(sk, SILENCE_MS), "");
	attach(2, "", PORT(8081, 82, "udp"));
	serve("c2", "udp", "0.0.0.0", 82);
	serve("c2", "udp", "::", 82);
	/* The first packet may meet the refusal of an earlier one. */
	for (int i = 0; i < 2; i++) {
		(void)!send(sk, "?", 1, 0);
		if (*receive_text(sk, ANSWER_MS))
			break;
		ck_assert_msg(i == 0, "the client still talks to the old container");
	}
	close(sk);
}

START_TEST(a_udp_client_that_never_pauses_follows_the_port)
{
	static const struct {
		const char *from, *ip;
	} clients[] = {
		{ "out", HOST4 }, { "out", HOST6 }, { NULL, HOST4 }, { NULL, "127.0.0.1" }
	};
	int n = (int)ARRAY_SIZE(clients);

	use_backend(_i / n);
	udp_client_follows(clients[_i % n].from, clients[_i % n].ip);
}
END_TEST

/* Lines of the kernel's table of flows that hold a text. */
static int flows(const char *text)
{
	return atoi(sh("grep -c '%s' /proc/net/nf_conntrack || true", text));
}

/* Only flows to a mapped port of this host's own addresses, that miss the container, or went to it. */
START_TEST(flows_of_others_stay)
{
	const char *config, *result;

	use_backend(_i);
	result = connect_container(1);
	connect_container(2);
	/* The kernel follows flows once somebody asks for their state. */
	sh("nft add table inet t && nft 'add chain inet t c { type filter hook prerouting priority "
	   "0; }' "
	   "&& nft add rule inet t c ct state new accept");
	for (int port = 8081; port <= 8082; port++) {
		serve("out", "udp", OUT4, port);
		serve(NULL, "udp", HOST4, port);
	}
	reaches("c2", "udp", OUT4, 8081, "10.88.0.3"); /* the same port of another host */
	reaches("out", "udp", HOST4, 8082, OUT4); /* another port of this host */
	reaches("out", "udp", HOST4, 8081, OUT4); /* a service of this host, up to now */
	ck_assert_int_eq(flows("udp .*dport=808[12] "), 3);
	config = with_prev(portmap_conf("", PORT(8081, 81, "udp")), result);
	call_ok(on_container(1, "ADD", config));
	ck_assert_int_eq(flows("dst=" OUT4 " .*dport=8081 "), 1);
	ck_assert_int_eq(flows("dst=" HOST4 " .*dport=8082 "), 1);
	ck_assert_int_eq(flows("dst=" HOST4 " .*dport=8081 "), 0);
	serve("c1", "udp", "0.0.0.0", 81);
	reaches("out", "udp", HOST4, 8081, OUT4);
	reaches("c2", "udp", "10.88.0.2", 81, "10.88.0.3"); /* not by way of the host's port */
	ck_assert_int_eq(flows("dst=" HOST4 " .*dport=8081 "), 1);
	call_ok(on_container(1, "DEL", _i % 2 ? config : with_prev(portmap_conf("", ""), result)));
	ck_assert_int_eq(flows("dst=" HOST4 " .*dport=8081 "), 0);
	ck_assert_int_eq(flows("dst=" OUT4 " .*dport=8081 "), 1);
	ck_assert_int_eq(flows("dst=" HOST4 " .*dport=8082 "), 1);
}
END_TEST

START_TEST(flows_of_who_keeps_the_port_stay)
{
	use_backend(_i);
	attach(1, "", PORT(8081, 81, "udp"));
	serve("c1", "udp", "0.0.0.0", 81);
	reaches("out", "udp", HOST4, 8081, OUT4);
	ck_assert_int_eq(flows("dst=" HOST4 " .*dport=8081 .*src=10.88.0.2 "), 1);
	attach(2, ",\"allowPortConflicts\":true", PORT(8081, 81, "udp"));
	ck_assert_int_eq(flows("dst=" HOST4 " .*dport=8081 .*src=10.88.0.2 "), 1);
	/* Its address is not known any more. */
	call_ok(on_container(2, "DEL", portmap_conf("", PORT(8081, 81, "udp"))));
	ck_assert_int_eq(flows("dst=" HOST4 " .*dport=8081 .*src=10.88.0.2 "), 1);
	call_ok(on_container(1, "DEL", portmap_conf("", PORT(8081, 81, "udp"))));
	ck_assert_int_eq(flows("dst=" HOST4 " .*dport=8081 "), 0);
}
END_TEST

START_TEST(thousands_of_flows_are_forgotten)
{
	union peer to = peer_of(HOST4, 8081);

	sh("nft add table inet t && nft 'add chain inet t c { type filter hook prerouting priority "
	   "0; }' && nft add rule inet t c ct state new accept");
	serve(NULL, "udp", HOST4, 8082);
	reaches("out", "udp", HOST4, 8082, OUT4); /* the neighbour is known */
	for (int i = 0; i < 5000; i++) {
		union peer from = peer_of(OUT4, 10000 + i);
		int sk = socket_in("out", AF_INET, SOCK_DGRAM, 0);

		ck_assert_int_eq(bind(sk, &from.any, peer_len(&from)), 0);
		ck_assert_int_eq(sendto(sk, "?", 1, 0, &to.any, peer_len(&to)), 1);
		close(sk);
	}
	ck_assert_int_gt(flows("dst=" HOST4 " .*dport=8081 "), 4500);
	attach(1, "", PORT(8081, 81, "udp"));
	ck_assert_int_eq(flows("dst=" HOST4 " .*dport=8081 "), 0);
	ck_assert_int_eq(flows("dst=" HOST4 " .*dport=8082 "), 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("portmap");
	TCase *tc = tcase_create("packets");

	tcase_add_checked_fixture(tc, portmap_setup, world_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, every_protocol_reaches_the_container_from_everywhere, 0, BACKENDS);
	tcase_add_loop_test(tc, host_ip_limits_the_addresses, 0, BACKENDS);
	tcase_add_loop_test(tc, without_snat_nothing_is_masqueraded, 0, BACKENDS);
	tcase_add_loop_test(tc, masq_all_masquerades_every_client_of_a_mapped_port_and_no_other, 0,
			    BACKENDS);
	tcase_add_loop_test(tc, nothing_reaches_the_container_after_del, 0, BACKENDS);
	tcase_add_loop_test(tc, conditions_choose_the_clients, 0, BACKENDS * 4);
	tcase_add_loop_test(tc, flows_of_others_stay, 0, BACKENDS);
	tcase_add_loop_test(tc, a_udp_client_that_never_pauses_follows_the_port, 0, BACKENDS * 4);
	tcase_add_loop_test(tc, flows_of_who_keeps_the_port_stay, 0, BACKENDS);
	tcase_add_test(tc, thousands_of_flows_are_forgotten);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
