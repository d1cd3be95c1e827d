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
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
