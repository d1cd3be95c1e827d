/*
 * What each file of conf-examples/ promises: its two containers' addresses and routes, and what is so
 * on the host. A test requires that every file has its entry here.
 */
#ifndef TESTS_EXAMPLES_H
#define TESTS_EXAMPLES_H

#include "world.h"

/* One of the two containers of an example. */
struct member {
	const char *name; /* of the namespace; also the container id */
	const char *capabilities; /* what the runtime has to say, a JSON object; NULL = nothing */
	const char *args; /* CNI_ARGS */
	const char *addresses; /* in the result and on the interface, separated by blanks */
	const char *also; /* shell command that must succeed inside after ADD; NULL = none */
};

struct example {
	const char *file;
	struct member member[2];
	const char *ifname; /* NULL = eth0 */
	const char *gateways; /* that answer, separated by blanks; NULL = none */
	const char *router; /* outside: its address in the containers' network; NULL = none */
	const char *families; /* that are masqueraded: "4", "6", "46"; NULL = none */
	const char *dns; /* of the result; NULL = none */
	const char *before; /* shell command for the host before ADD; NULL = none */
	const char *also; /* shell command that must succeed in the host after ADD; NULL = none */
};

#define HAS_DEFAULT(gw) "ip route show default | grep -q '^default via " gw " dev eth0'"
#define HAS_DEFAULT6(gw) "ip -6 route show default | grep -q '^default via " gw " dev eth0'"
#define HAS_NO_ROUTE_OUT "! ip route show default | grep -q ."
#define HAS_MTU(mtu) "ip link show eth0 | grep -q ' mtu " mtu " '"
#define HAS_MAC(mac) "ip link show eth0 | grep -q ' link/ether " mac " '"

#define PUBLISH(host) \
	"{\"portMappings\":[{\"hostPort\":" host ",\"containerPort\":80,\"protocol\":\"tcp\"}]}"

static const struct example examples[] = {
	{ .file = "10-app-net.conflist",
	  .member = { { .name = "webapp",
			.capabilities = "{\"ips\":[\"192.168.52.2\"]}",
			.addresses = "192.168.52.2/24",
			.also = HAS_DEFAULT("192.168.52.5") },
		      { .name = "sleep",
			.args = "IgnoreUnknown=1;IP=192.168.52.1",
			.addresses = "192.168.52.1/24",
			.also = HAS_DEFAULT("192.168.52.5") } },
	  .gateways = "192.168.52.5",
	  .families = "4",
	  .also = "ip -o -4 addr show app-net-0 | grep -q ' 192.168.52.5/24 '" },
	{ .file = "20-v-net.conflist",
	  .member = { { .name = "red",
			.addresses = "192.168.15.1/24",
			.also = HAS_DEFAULT("192.168.15.5") },
		      { .name = "blue",
			.capabilities = PUBLISH("80"),
			.addresses = "192.168.15.2/24",
			.also = HAS_DEFAULT("192.168.15.5") } },
	  .gateways = "192.168.15.5",
	  .families = "4",
	  .also = "ip -o -4 addr show v-net-0 | grep -q ' 192.168.15.5/24 '" },
	{ .file = "30-br0.conflist",
	  .member = { { .name = "first",
			.capabilities = "{\"ips\":[\"10.201.0.4/24\"]}",
			.addresses = "10.201.0.4/24",
			.also = HAS_DEFAULT("10.201.0.1") },
		      { .name = "second",
			.capabilities = "{\"ips\":[\"10.201.0.5/24\"]}",
			.addresses = "10.201.0.5/24",
			.also = HAS_DEFAULT("10.201.0.1") } },
	  .gateways = "10.201.0.1",
	  .families = "4",
	  .dns = "{\"nameservers\":[\"8.8.8.8\"]}",
	  .also = "ip -o -4 addr show br0 | grep -q ' 10.201.0.1/24 '" },
	{ .file = "40-docker0.conflist",
	  .member = { { .name = "one",
			.capabilities = PUBLISH("8080"),
			.addresses = "172.17.0.2/16",
			.also = HAS_DEFAULT("172.17.0.1") },
		      { .name = "two",
			.addresses = "172.17.0.3/16",
			.also = HAS_DEFAULT("172.17.0.1") } },
	  .gateways = "172.17.0.1",
	  .families = "4",
	  .also = "ip -o -4 addr show docker0 | grep -q ' 172.17.0.1/16 '" },
	{ .file = "50-dual-stack.conflist",
	  .member = { { .name = "one",
			.addresses = "10.50.0.2/24 fd00:50::2/64",
			.also = HAS_DEFAULT6("fd00:50::1") },
		      { .name = "two",
			.addresses = "10.50.0.3/24 fd00:50::3/64",
			.also = HAS_DEFAULT("10.50.0.1") } },
	  .gateways = "10.50.0.1 fd00:50::1",
	  .families = "46" },
	{ .file = "51-ipv6-only.conflist",
	  .member = { { .name = "one",
			.addresses = "fd00:51::2/64",
			.also = HAS_DEFAULT6("fd00:51::1") },
		      { .name = "two",
			.addresses = "fd00:51::3/64",
			.also = "! ip -4 addr | grep -q inet" } },
	  .gateways = "fd00:51::1",
	  .families = "6" },
	{ .file = "52-layer-2.conflist",
	  .member = { { .name = "one",
			.addresses = "",
			.also = "ip addr add 10.52.0.1/24 dev eth0" },
		      { .name = "two",
			.addresses = "",
			.also = "ip addr add 10.52.0.2/24 dev eth0 && "
				"ping -q -c1 -W10 10.52.0.1" } },
	  .also = "! ip -o -4 addr show wire0 | grep -q ." },
	{ .file = "53-two-sets.conflist",
	  .member = { { .name = "one",
			.addresses = "10.53.1.2/24 10.53.2.2/24",
			.also = HAS_NO_ROUTE_OUT },
		      { .name = "two",
			.addresses = "10.53.1.3/24 10.53.2.3/24",
			.also = HAS_NO_ROUTE_OUT } },
	  .also = "! ip -o -4 addr show two0 | grep -q ." },
	{ .file = "54-two-ranges.conflist",
	  .member = { { .name = "one", .addresses = "10.54.0.20/24" },
		      { .name = "two", .addresses = "10.54.0.200/24" } },
	  .gateways = "10.54.0.1" },
	{ .file = "55-routed.conflist",
	  .member = { { .name = "one",
			.capabilities = PUBLISH("8080"),
			.addresses = "10.55.0.2/24 fd00:55::2/64",
			.also = HAS_DEFAULT6("fd00:55::1") },
		      { .name = "two",
			.addresses = "10.55.0.3/24 fd00:55::3/64",
			.also = HAS_DEFAULT("10.55.0.1") } },
	  .gateways = "10.55.0.1 fd00:55::1",
	  .families = "46",
	  .also = "ip route show 10.55.0.3 | grep -q '^10.55.0.3 dev veth' && "
		  "ip -6 route show fd00:55::2 | grep -q '^fd00:55::2 dev veth'" },
	{ .file = "56-macvlan.conflist",
	  .member = { { .name = "one",
			.addresses = "10.56.0.200/24",
			.also = HAS_DEFAULT("10.56.0.1") },
		      { .name = "two",
			.addresses = "10.56.0.201/24",
			.also = "ip -d link show eth0 | grep -q ' macvlan mode bridge '" } },
	  .gateways = "10.56.0.1",
	  .router = "10.56.0.1/24" },
	{ .file = "60-hairpin.conflist",
	  .member = { { .name = "one",
			.addresses = "10.60.0.2/24",
			.also = HAS_DEFAULT("10.60.0.1") },
		      { .name = "two", .addresses = "10.60.0.3/24" } },
	  .gateways = "10.60.0.1",
	  .also = "test $(ip -d link show master hair0 | grep -c 'hairpin on') -eq 2" },
	{ .file = "61-promiscuous.conflist",
	  .member = { { .name = "one", .addresses = "10.61.0.2/24" },
		      { .name = "two", .addresses = "10.61.0.3/24" } },
	  .gateways = "10.61.0.1",
	  .also = "ip link show ear0 | grep -q PROMISC" },
	{ .file = "62-mtu-1400.conflist",
	  .member = { { .name = "one", .addresses = "10.62.0.2/24", .also = HAS_MTU("1400") },
		      { .name = "two",
			.addresses = "10.62.0.3/24",
			.also = HAS_MTU("1400") " && ping -q -c1 -W10 -s 1372 -M do 10.62.0.2" } },
	  .gateways = "10.62.0.1",
	  .also = "test $(ip -o link | grep small0 | grep -c ' mtu 1400 ') -eq 3" },
	{ .file = "63-fixed-mac.conflist",
	  .member = { { .name = "one",
			.capabilities = "{\"mac\":\"02:63:00:00:00:01\"}",
			.addresses = "10.63.0.2/24",
			.also = HAS_MAC("02:63:00:00:00:01") },
		      { .name = "two",
			.capabilities = "{\"mac\":\"02:63:00:00:00:02\"}",
			.addresses = "10.63.0.3/24",
			.also = HAS_MAC("02:63:00:00:00:02") } },
	  .gateways = "10.63.0.1" },
	{ .file = "64-resolv-conf.conflist",
	  .member = { { .name = "one", .addresses = "10.64.0.2/24" },
		      { .name = "two", .addresses = "10.64.0.3/24" } },
	  .gateways = "10.64.0.1",
	  .dns = "{\"nameservers\":[\"192.0.2.53\"],\"search\":[\"example.org\"],"
		 "\"options\":[\"ndots:2\"]}",
	  /* A file of our own in the place of the machine's, in this world only. */
	  .before = "printf '%s\\n' 'nameserver 192.0.2.53' 'search example.org' 'options ndots:2' "
		    ">/run/world/resolv.conf; f=$(readlink -m /etc/resolv.conf); "
		    "case $f in /run/*) mkdir -p ${f%/*}; touch $f;; esac; "
		    "mount --bind /run/world/resolv.conf $f" },
	{ .file = "65-runtime-ranges.conflist",
	  .member = { { .name = "one",
			.capabilities = "{\"ipRanges\":[[{\"subnet\":\"10.65.7.0/24\"}]]}",
			.addresses = "10.65.7.2/24",
			.also = HAS_DEFAULT("10.65.7.1") },
		      { .name = "two",
			.capabilities = "{\"ipRanges\":[[{\"subnet\":\"10.65.7.0/24\"}]]}",
			.addresses = "10.65.7.3/24",
			.also = HAS_DEFAULT("10.65.7.1") } },
	  .gateways = "10.65.7.1" },
	{ .file = "67-no-spoofing.conflist",
	  .member = { { .name = "one", .addresses = "10.67.0.2/24" },
		      { .name = "two", .addresses = "10.67.0.3/24" } },
	  .gateways = "10.67.0.1",
	  .also = "test $(nft list table bridge nat | grep -c drop) -eq 2" },
	{ .file = "70-static.conflist",
	  .member = { { .name = "one",
			.capabilities = "{\"ips\":[\"10.70.0.2/24\",\"fd00:70::2/64\"]}",
			.addresses = "10.70.0.2/24 fd00:70::2/64",
			.also = HAS_DEFAULT6("fd00:70::1") },
		      { .name = "two",
			.args = "IgnoreUnknown=1;IP=10.70.0.3/24,fd00:70::3/64;"
				"GATEWAY=10.70.0.1,fd00:70::1",
			.addresses = "10.70.0.3/24 fd00:70::3/64",
			.also = HAS_DEFAULT("10.70.0.1") } },
	  .gateways = "10.70.0.1 fd00:70::1",
	  .families = "46",
	  .dns = "{\"nameservers\":[\"10.70.0.1\"]}",
	  .also = "test ! -e /var/lib/cni/networks" },
	{ .file = "80-firewall.conflist",
	  .member = { { .name = "one",
			.addresses = "10.80.0.2/24 fd00:80::2/64",
			.also = HAS_DEFAULT6("fd00:80::1") },
		      { .name = "two",
			.addresses = "10.80.0.3/24 fd00:80::3/64",
			.also = HAS_DEFAULT("10.80.0.1") } },
	  .gateways = "10.80.0.1 fd00:80::1",
	  .families = "46",
	  .before = "iptables -P FORWARD DROP && ip6tables -P FORWARD DROP",
	  .also = "iptables -S CNI-FORWARD | grep -q -- '-s 10.80.0.2/32 -j ACCEPT' && "
		  "iptables -S CNI-ISOLATION-STAGE-2 | grep -q -- '-o fw0 .* -j DROP'" },
	{ .file = "80-nerdctl.conflist",
	  .member = { { .name = "one",
			.capabilities = PUBLISH("8080"),
			.addresses = "10.4.0.2/24" },
		      { .name = "two", .addresses = "10.4.0.3/24" } },
	  .families = "4",
	  .also = "iptables -S CNI-FORWARD | grep -q -- '-s 10.4.0.2/32 -j ACCEPT' && "
		  "iptables -S CNI-ISOLATION-STAGE-2 | grep -q -- '-o nerdctl0 .* -j DROP'" },
	{ .file = "81-kubernetes.conflist",
	  .member = { { .name = "one",
			.capabilities = PUBLISH("8080"),
			.addresses = "10.244.1.2/24 fd00:244:1::2/64" },
		      { .name = "two", .addresses = "10.244.1.3/24 fd00:244:1::3/64" } },
	  .families = "46" },
	{ .file = "82-tuning.conflist",
	  .member = { { .name = "one",
			.capabilities = "{\"mac\":\"02:82:00:00:00:01\"}",
			.addresses = "10.82.0.2/24",
			.also = HAS_MAC("02:82:00:00:00:01") " && " HAS_MTU("1400") },
		      { .name = "two",
			.addresses = "10.82.0.3/24",
			.also = "ip link show eth0 | grep -q 'qlen 500' && "
				"[ $(cat /proc/sys/net/core/somaxconn) = 1024 ] && "
				"[ $(cat /proc/sys/net/ipv4/conf/eth0/arp_announce) = 2 ]" } },
	  .gateways = "10.82.0.1",
	  .also = "ls /run/cni/tuning | grep -q ." },
	{ .file = "83-nomad.conflist",
	  .member = { { .name = "one",
			.capabilities =
				"{\"portMappings\":[{\"HostPort\":25000,\"ContainerPort\":80,"
				"\"Protocol\":\"tcp\",\"HostIP\":\"\"},{\"HostPort\":25000,"
				"\"ContainerPort\":80,\"Protocol\":\"udp\",\"HostIP\":\"\"}]}",
			.args = "IgnoreUnknown=1;NOMAD_GROUP_NAME=web;NOMAD_JOB_ID=one",
			.addresses = "172.26.64.2/20",
			.also = HAS_DEFAULT("172.26.64.1") " && ip link show lo up | grep -q lo" },
		      { .name = "two", .addresses = "172.26.64.3/20" } },
	  .gateways = "172.26.64.1",
	  .families = "4",
	  .also = "iptables -S CNI-FORWARD 1 | grep -q -- '-j NOMAD-ADMIN' && "
		  "iptables -t nat -S POSTROUTING | grep -qF 'name: \\\"nomad\\\" id: "
		  "\\\"one\\\"'" },
	{ .file = "84-bandwidth.conflist",
	  .member = { { .name = "one",
			.capabilities = "{\"bandwidth\":{\"ingressRate\":50000000,"
					"\"ingressBurst\":5000000,\"egressRate\":20000000,"
					"\"egressBurst\":4000000}}",
			.addresses = "10.84.0.2/24",
			.also = HAS_DEFAULT("10.84.0.1") },
		      { .name = "two",
			.addresses = "10.84.0.3/24",
			.also = HAS_DEFAULT("10.84.0.1") } },
	  .gateways = "10.84.0.1",
	  .also = "tc qdisc show | grep -q 'tbf 1: dev veth.* rate 50Mbit ' && "
		  "tc qdisc show | grep -q 'tbf 1: dev bwp.* rate 20Mbit '" },
	{ .file = "99-loopback.conflist",
	  .member = { { .name = "one", .addresses = "127.0.0.1/8 ::1/128" },
		      { .name = "two", .addresses = "127.0.0.1/8 ::1/128" } },
	  .ifname = "lo" },
};

#define N_EXAMPLES (sizeof(examples) / sizeof(examples[0]))

#endif
