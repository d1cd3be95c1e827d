/*
 * The world of portmap's tests: a host with a bridge, an uplink with addresses of both families, a
 * neighbour "out" on that uplink, and containers attached by bridge and portmap in a chain. A header,
 * because each net_*.c is a program of its own and links the world only.
 */
#ifndef TESTS_PORTMAP_WORLD_H
#define TESTS_PORTMAP_WORLD_H

#include "same_world.h"
#include "traffic.h"

#include <stdlib.h>

#define HOST4 "203.0.113.1"
#define HOST6 "2001:db8:ff::1"
#define OUT4 "203.0.113.2"
#define OUT6 "2001:db8:ff::2"
#define GW4 "10.88.0.1"
#define GW6 "fd00:88::1"

/* Which backend, and which iptables PATH leads to ("": as installed). */
struct backend {
	const char *name, *iptables;
};
static const struct backend backends[] = {
	{ "nftables", "" },
	{ "iptables", "nft" },
	{ "iptables", "legacy" },
};
#define BACKENDS ((int)(sizeof(backends) / sizeof(backends[0])))

static const struct backend *backend = &backends[0];

/** Let `iptables` in PATH be of this kind. */
static inline void use_iptables(const char *kind)
{
	sh("mkdir -p /run/ipt && for t in iptables ip6tables iptables-save ip6tables-save; do "
	   "ln -sf /usr/sbin/xtables-%s-multi /run/ipt/$t; done",
	   kind);
	setenv("PATH", "/run/ipt:/usr/sbin:/usr/bin:/sbin:/bin", 1);
}

static inline void portmap_setup(void)
{
	world_setup();
	/* Forwarding asks for neighbours from a link-local address, which is to be there at once. */
	sh("cd /proc/sys/net/ipv6/conf && echo 0 >default/accept_dad && echo 0 >all/accept_dad");
	container_add("out");
	sh("ip link add up0 type veth peer name eth0 netns out && ip link set up0 up && "
	   "ip addr add " HOST4 "/24 dev up0 && ip addr add " HOST6 "/64 dev up0 nodad && "
	   "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
	sh_in("out",
	      "ip link set lo up; ip link set eth0 up && ip addr add " OUT4 "/24 dev eth0 && "
	      "ip addr add " OUT6 "/64 dev eth0 nodad && ip route add 10.88.0.0/16 via " HOST4
	      " && ip route add fd00:88::/64 via " HOST6);
}

static inline void use_backend(int i)
{
	backend = &backends[i];
	if (*backend->iptables)
		use_iptables(backend->iptables);
}

/** @return bridge's configuration for container number n, with address .n+1 of both families */
static inline const char *bridge_conf(int n)
{
	return fmt("{\"cniVersion\":\"1.1.0\",\"name\":\"net1\",\"type\":\"bridge\",\"bridge\":"
		   "\"br0\","
		   "\"isDefaultGateway\":true,\"hairpinMode\":true,\"ipam\":{\"type\":\"static\","
		   "\"addresses\":[{\"address\":\"10.88.0.%d/24\",\"gateway\":\"" GW4 "\"},"
		   "{\"address\":\"fd00:88::%d/64\",\"gateway\":\"" GW6 "\"}]}}",
		   n + 1, n + 1);
}

/** @return portmap's configuration; `keys` begin with a comma, `ports` is the list's inside */
static inline const char *portmap_conf(const char *keys, const char *ports)
{
	return fmt("{\"cniVersion\":\"1.1.0\",\"name\":\"net1\",\"type\":\"portmap\",\"backend\":"
		   "\"%s\"%s,\"runtimeConfig\":{\"portMappings\":[%s]}}",
		   backend->name, keys, ports);
}

#define PORT(host, container, protocol)                                          \
	"{\"hostPort\":" #host ",\"containerPort\":" #container ",\"protocol\":" \
	"\"" protocol "\"}"
#define PORT_AT(host, container, protocol, ip)                                   \
	"{\"hostPort\":" #host ",\"containerPort\":" #container ",\"protocol\":" \
	"\"" protocol "\",\"hostIP\":\"" ip "\"}"

/** @return mappings of n ports of TCP in a row, as people publish ranges */
static inline const char *port_range(int first, int n)
{
	enum { ROOM = 64 };
	char *list = calloc((size_t)n, ROOM);
	size_t len = 0;
	const char *ret;

	ck_assert_ptr_nonnull(list);
	for (int i = 0; i < n; i++)
		len += (size_t)snprintf(list + len, ROOM,
					"%s{\"hostPort\":%d,\"containerPort\":80,\"protocol\":"
					"\"tcp\"}",
					i ? "," : "", first + i);
	ret = fmt("%s", list);
	free(list);
	return ret;
}

/** @return the same with a result for container number n, which need not be there */
static inline const char *portmap_alone(int n, const char *keys, const char *ports)
{
	return with_prev(
		portmap_conf(keys, ports),
		fmt("{\"cniVersion\":\"1.1.0\",\"interfaces\":[{\"name\":\"eth0\",\"sandbox\":"
		    "\"/run/netns/c%d\"}],\"ips\":[{\"address\":\"10.88.0.%d/24\","
		    "\"interface\":0},{\"address\":\"fd00:88::%d/64\",\"interface\":0}]}",
		    n, n + 1, n + 1));
}

/** @return the same configuration in another network */
static inline const char *of_network(const char *config, const char *net)
{
	const char *at = strstr(config, "\"net1\"");

	ck_assert_ptr_nonnull(at);
	return fmt("%.*s\"%s\"%s", (int)(at - config), config, net, at + strlen("\"net1\""));
}

/** Connect container number n to the bridge. @return the result, for portmap */
static inline const char *connect_container(int n)
{
	container_add(fmt("c%d", n));
	return call_ok(on_container(n, "ADD", bridge_conf(n))).out;
}

static inline const char *disconnect_container(int n)
{
	call_ok(on_container(n, "DEL", bridge_conf(n)));
	container_del(fmt("c%d", n));
	return "";
}

/** Connect container number n, and map ports to it. @return portmap's configuration, with prevResult */
static inline const char *attach(int n, const char *keys, const char *ports)
{
	const char *result = connect_container(n);
	const char *config = with_prev(portmap_conf(keys, ports), result);

	call_ok(on_container(n, "ADD", config));
	return config;
}

/** @return every rule of every kind, without counters, and the parameter that portmap sets */
static inline const char *rules_now(void)
{
	return sh("{ nft list ruleset; /usr/sbin/iptables-legacy-save; "
		  "/usr/sbin/ip6tables-legacy-save; grep . "
		  "/proc/sys/net/ipv4/conf/*/route_localnet; } 2>/dev/null | "
		  "sed -E '/^# (Generated|Completed)/d; s/counter packets [0-9]+ bytes "
		  "[0-9]+/counter/; s/\\[[0-9:]*\\]$//'");
}

#endif
