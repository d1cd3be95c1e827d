/*
 * Flows that the kernel remembers, when ports come and go: which are forgotten, and how often the kernel
 * goes over its table for that, which takes longer than all the rest.
 */
#include "portmap_world.h"
#include "trace.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* The kernel follows flows once somebody asks for their state. */
static void follow_flows(void)
{
	sh("nft add table inet t && nft 'add chain inet t c { type filter hook prerouting priority "
	   "0; }' && nft add rule inet t c ct state new accept");
}

/* @return the configuration without its list of ports, as runtimes call DEL that do not know it any more */
static const char *without_ports(const char *config)
{
	char *copy = (char *)fmt("%s", config), *key = strstr(copy, "portMappings");

	ck_assert_ptr_nonnull(key);
	*key = 'X';
	return copy;
}

/* A client that never pauses keeps its flow alive: it has to be told that the container is another one. */
static void udp_client_follows(const char *from, const char *ip, bool with_list)
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
	call_ok(on_container(1, "DEL", with_list ? first : without_ports(first)));
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

	use_backend(_i / n % BACKENDS);
	udp_client_follows(clients[_i % n].from, clients[_i % n].ip, _i < n * BACKENDS);
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
	follow_flows();
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

/* @return many mappings of one protocol, of host ports from 9000 on */
static const char *many_ports(int n, const char *protocol)
{
	const char *list = "";

	for (int i = 0; i < n; i++)
		list = fmt("%s%s{\"hostPort\":%d,\"containerPort\":%d,\"protocol\":\"%s\"}", list,
			   i ? "," : "", 9000 + i, 100 + i, protocol);
	return list;
}

/* Datagrams of `n` clients of port 8081 of the host. */
static void send_many(int n)
{
	union peer to = peer_of(HOST4, 8081);

	for (int i = 0; i < n; i++) {
		union peer from = peer_of(OUT4, 10000 + i);
		int sk = socket_in("out", AF_INET, SOCK_DGRAM, 0);

		ck_assert_int_eq(bind(sk, &from.any, peer_len(&from)), 0);
		ck_assert_int_eq(sendto(sk, "?", 1, 0, &to.any, peer_len(&to)), 1);
		close(sk);
	}
}

/* How the kernel is asked depends on how many dumps it saves to get all of a protocol: none for one port. */
START_TEST(thousands_of_flows_are_forgotten)
{
	static const struct {
		const char *ports;
		int n;
		bool by_port;
	} rows[] = {
		{ PORT(8081, 81, "udp"), 5000, true },
		{ PORT(8083, 83, "udp") "," PORT(8081, 81, "udp"), 5000, false },
		{ PORT(8083, 83, "udp") "," PORT(8081, 81, "udp"), 10500, true },
	};
	const char *result;
	struct seen add;

	follow_flows();
	result = connect_container(1);
	serve(NULL, "udp", HOST4, 8082);
	reaches("out", "udp", HOST4, 8082, OUT4); /* the neighbour is known */
	send_many(rows[_i].n);
	ck_assert_int_gt(flows("dst=" HOST4 " .*dport=8081 "), rows[_i].n * 97 / 100);
	add = look(on_container(1, "ADD", with_prev(portmap_conf("", rows[_i].ports), result)));
	ck_assert_int_eq(add.walks, rows[_i].by_port ? 2 * (_i > 0 ? 2 : 1) : 2);
	ck_assert_int_eq(add.walks_by_port, rows[_i].by_port ? add.walks : 0);
	ck_assert_int_eq(flows("dst=" HOST4 " .*dport=8081 "), 0);
	ck_assert_int_eq(flows("dst=" HOST4 " .*dport=8082 "), 1);
}
END_TEST

/* Together with others of its protocol, a port of one address is still a port of one address. */
START_TEST(ports_of_one_address_share_a_walk_and_no_flow)
{
	const char *ports = PORT_AT(8081, 81, "udp", HOST4) "," PORT_AT(8082, 82, "udp", GW4);
	struct seen add;
	const char *result;

	use_backend(_i);
	follow_flows();
	result = connect_container(1);
	connect_container(2);
	for (int port = 8081; port <= 8082; port++) {
		serve(NULL, "udp", HOST4, port);
		serve(NULL, "udp", GW4, port);
		reaches("c2", "udp", HOST4, port, "10.88.0.3");
		reaches("c2", "udp", GW4, port, "10.88.0.3");
	}
	add = look(on_container(1, "ADD", with_prev(portmap_conf("", ports), result)));
	ck_assert_int_eq(add.walks, 1);
	ck_assert_int_eq(flows("dst=" HOST4 " .*dport=8081 "), 0);
	ck_assert_int_eq(flows("dst=" GW4 " .*dport=8082 "), 0);
	ck_assert_int_eq(flows("dst=" GW4 " .*dport=8081 "), 1);
	ck_assert_int_eq(flows("dst=" HOST4 " .*dport=8082 "), 1);
}
END_TEST

START_TEST(flows_of_sctp_follow_too)
{
	const char *result, *config;

	use_backend(_i);
	follow_flows();
	result = connect_container(1);
	serve(NULL, "sctp", "0.0.0.0", 7000);
	reaches("out", "sctp", HOST4, 7000, OUT4);
	ck_assert_int_eq(flows("sctp .*dst=" HOST4 " .*dport=7000 "), 1);
	config = with_prev(portmap_conf("", PORT(7000, 70, "sctp")), result);
	call_ok(on_container(1, "ADD", config));
	ck_assert_int_eq(flows("sctp .*dst=" HOST4 " .*dport=7000 "), 0);
	serve("c1", "sctp", "0.0.0.0", 70);
	reaches("out", "sctp", HOST4, 7000, OUT4);
	ck_assert_int_eq(flows("sctp .*dst=" HOST4 " .*dport=7000 .*src=10.88.0.2 "), 1);
	call_ok(on_container(1, "DEL", _i % 2 ? config : without_ports(config)));
	ck_assert_int_eq(flows("sctp .*dst=" HOST4 " .*dport=7000 "), 0);
}
END_TEST

/* The kernel can't pick flows by an IPv6 address. */
START_TEST(flows_to_another_container_stay)
{
	const char *config[3];

	use_backend(_i % BACKENDS);
	for (int n = 1; n <= 2; n++) {
		config[n] =
			attach(n, "",
			       fmt("{\"hostPort\":%d,\"containerPort\":81,\"protocol\":\"udp\"}",
				   8080 + n));
		serve(fmt("c%d", n), "udp", "0.0.0.0", 81);
		serve(fmt("c%d", n), "udp", "::", 81);
		reaches("out", "udp", HOST4, 8080 + n, OUT4);
		reaches("out", "udp", HOST6, 8080 + n, OUT6);
		ck_assert_int_eq(flows(fmt("dport=%d ", 8080 + n)), 2);
	}
	call_ok(on_container(1, "DEL", _i < BACKENDS ? config[1] : without_ports(config[1])));
	ck_assert_int_eq(flows("dport=8081 "), 0);
	ck_assert_int_eq(flows("dport=8082 "), 2);
}
END_TEST

/* What happens most: a chain with portmap, and a container that publishes nothing, or no UDP. */
START_TEST(who_publishes_no_udp_lets_no_table_be_walked)
{
	const char *result = connect_container(1), *tcp, *none;

	use_backend(_i);
	follow_flows();
	serve(NULL, "udp", HOST4, 8082);
	reaches("out", "udp", HOST4, 8082, OUT4);
	ck_assert_int_eq(flows("dport=8082 "), 1);
	none = with_prev(portmap_conf("", ""), result);
	ck_assert_int_eq(look(on_container(1, "ADD", none)).walks, 0);
	ck_assert_int_eq(look(on_container(1, "DEL", none)).walks, 0);
	tcp = with_prev(portmap_conf("", many_ports(5, "tcp")), result);
	ck_assert_int_eq(look(on_container(1, "ADD", tcp)).walks, 0);
	ck_assert_int_eq(look(on_container(1, "DEL", tcp)).walks, 0);
}
END_TEST

START_TEST(many_ports_are_one_walk)
{
	const char *result = connect_container(1), *config;

	use_backend(_i);
	config = with_prev(portmap_conf("", many_ports(50, "udp")), result);
	follow_flows();
	serve(NULL, "udp", HOST4, 9007);
	reaches("out", "udp", HOST4, 9007, OUT4);
	ck_assert_int_eq(look(on_container(1, "ADD", config)).walks, 2); /* of each family */
	ck_assert_int_eq(flows("dport=9007 "), 0);
	serve("c1", "udp", "0.0.0.0", 107);
	reaches("out", "udp", HOST4, 9007, OUT4);
	ck_assert_int_eq(look(on_container(1, "DEL", config)).walks, 2);
	ck_assert_int_eq(flows("dport=9007 "), 0);
}
END_TEST

/* Whose flows must stay is asked once, for all ports. */
START_TEST(many_ports_ask_for_no_more_lists_than_few)
{
	static const char allow[] = ",\"allowPortConflicts\":true";
	int dumps[2];

	call_ok(on_container(2, "ADD", portmap_alone(2, "", many_ports(50, "udp"))));
	for (int i = 0; i < 2; i++) {
		const char *ports = many_ports(i ? 50 : 2, "udp");

		dumps[i] = look(on_container(1, "ADD", portmap_alone(1, allow, ports))).dumps;
		dumps[i] += look(on_container(1, "DEL", portmap_conf("", ports))).dumps;
	}
	ck_assert_int_eq(dumps[0], dumps[1]);
}
END_TEST

START_TEST(an_empty_table_is_not_walked)
{
	const char *config = portmap_alone(1, "", many_ports(5, "udp"));

	use_backend(_i);
	sh("echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6"); /* nobody here says anything */
	ck_assert_int_eq(look(on_container(1, "ADD", config)).walks, 0);
	ck_assert_int_eq(look(on_container(1, "DEL", config)).walks, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("portmap, flows");
	TCase *tc = tcase_create("flows");

	tcase_add_checked_fixture(tc, portmap_setup, world_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, flows_of_others_stay, 0, BACKENDS);
	tcase_add_loop_test(tc, a_udp_client_that_never_pauses_follows_the_port, 0, BACKENDS * 8);
	tcase_add_loop_test(tc, flows_of_who_keeps_the_port_stay, 0, BACKENDS);
	tcase_add_loop_test(tc, thousands_of_flows_are_forgotten, 0, 3);
	tcase_add_loop_test(tc, ports_of_one_address_share_a_walk_and_no_flow, 0, BACKENDS);
	tcase_add_loop_test(tc, flows_of_sctp_follow_too, 0, BACKENDS);
	tcase_add_loop_test(tc, flows_to_another_container_stay, 0, BACKENDS * 2);
	tcase_add_loop_test(tc, who_publishes_no_udp_lets_no_table_be_walked, 0, BACKENDS);
	tcase_add_loop_test(tc, many_ports_are_one_walk, 0, BACKENDS);
	tcase_add_test(tc, many_ports_ask_for_no_more_lists_than_few);
	tcase_add_loop_test(tc, an_empty_table_is_not_walked, 0, BACKENDS);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
