/*
 * Ours against the Go plugins: the same configuration through both, each in a world of its own, must give
 * the same result, the same state of the kernel and the same files, at every step of two attachments'
 * lives. What differs on purpose stands in the table "differences" of peer_story.h and in docs/compat.md.
 *
 * Against Debian's 1.1.1 and, if CNI_PEER_DIR has them (tests/peer), the newest.
 */
#include "peer_rows.h"

static const struct row rows[] = {
	{ .name = "bridge, plain", .config = BRIDGE(LOCAL(V4)) },
	{ .name = "isGateway", .config = BRIDGE(GW LOCAL(V4 ",'routes':[{'dst':'0.0.0.0/0'}]")) },
	{ .name = "isDefaultGateway", .config = BRIDGE(DEFAULT_GW LOCAL(V4)) },
	{ .name = "dual stack", .config = BRIDGE(GW LOCAL(DUAL)) },
	{ .name = "dual stack, isDefaultGateway",
	  .config = BRIDGE(DEFAULT_GW LOCAL("'ranges':[[{" V4 "}],[{" V6 "}]]")) },
	{ .name = "IPv6 only", .config = BRIDGE(DEFAULT_GW LOCAL(V6)) },
	{ .name = "two range sets of IPv6",
	  .config = BRIDGE(GW LOCAL("'ranges':[[{" V6 "}],[{'subnet':'fd00:2::/64'}]]")) },
	{ .name = "two range sets of IPv4",
	  .config = BRIDGE(LOCAL("'ranges':[[{" V4 "}],[{'subnet':'10.2.0.0/24'}]]")) },
	{ .name = "two ranges in a set",
	  .config =
		  BRIDGE(LOCAL("'ranges':[[{'subnet':'10.1.0.0/30'},{'subnet':'10.2.0.0/24'}]]")) },
	{ .name = "range with start, end and gateway",
	  .config = BRIDGE(GW LOCAL(V4 ",'rangeStart':'10.1.0.20','rangeEnd':'10.1.0.30',"
				       "'gateway':'10.1.0.254'")) },
	{ .name = "mtu", .config = BRIDGE(GW ",'mtu':1400" LOCAL(V4)) },
	{ .name = "hairpinMode", .config = BRIDGE(GW ",'hairpinMode':true" LOCAL(V4)) },
	{ .name = "portIsolation",
	  .config = BRIDGE(GW ",'portIsolation':true" LOCAL(V4)),
	  .newest = true },
	{ .name = "portIsolation and hairpinMode",
	  .config = BRIDGE(GW ",'portIsolation':true,'hairpinMode':true" LOCAL(V4)),
	  .newest = true },
	{ .name = "promiscMode", .config = BRIDGE(GW ",'promiscMode':true" LOCAL(V4)) },
	{ .name = "macspoofchk", .config = BRIDGE(GW ",'macspoofchk':true" LOCAL(V4)) },
	{ .name = "macspoofchk, layer 2, MAC from CNI_ARGS",
	  .config = BRIDGE(",'macspoofchk':true"),
	  .args = "IgnoreUnknown=1;MAC=" ASKED_MAC "01",
	  .no_check = true },
	{ .name = "MAC from CNI_ARGS",
	  .config = BRIDGE(GW LOCAL(V4)),
	  .args = "IgnoreUnknown=1;MAC=" ASKED_MAC "01" },
	{ .name = "MAC from args.cni",
	  .config = BRIDGE(GW ",'args':{'cni':{'mac':'" ASKED_MAC "02'}}" LOCAL(V4)) },
	{ .name = "MAC from runtimeConfig, before the others",
	  .config = BRIDGE(GW ",'args':{'cni':{'mac':'" ASKED_MAC
			      "02'}},'runtimeConfig':{'mac':'" ASKED_MAC "03'}" LOCAL(V4)),
	  .args = "IgnoreUnknown=1;MAC=" ASKED_MAC "01" },
	{ .name = "layer 2 only", .config = BRIDGE(""), .no_check = true },
	{ .name = "dns of the network",
	  .config = BRIDGE(GW ",'dns':{'nameservers':['10.9.9.9'],'search':['a.b','c'],"
			      "'domain':'d.e','options':['ndots:2']}" LOCAL(V4)) },
	{ .name = "dns: an empty list wipes",
	  .config = BRIDGE(
		  ",'dns':{'nameservers':[]}" LOCAL(V4 ",'resolvConf':'/run/world/resolv.conf'")),
	  .before = "echo nameserver 10.8.8.8 > /run/world/resolv.conf" },
	{ .name = "resolvConf",
	  .config = BRIDGE(LOCAL(V4 ",'resolvConf':'/run/world/resolv.conf'")),
	  .before = "printf '# x\\nnameserver 10.8.8.8\\nnameserver fe80::1%%eth0\\nsearch a b\\n"
		    "domain q\\noptions ndots:5 rotate\\n' > /run/world/resolv.conf",
	  .newest = true /* 1.1.1 drops what IPAM says */ },
	{ .name = "routes with gw",
	  .config = BRIDGE(GW LOCAL(DUAL ",'routes':[{'dst':'10.50.0.0/16','gw':'10.1.0.9'},"
					 "{'dst':'fd00:50::/48','gw':'fd00:1::9'},"
					 "{'dst':'10.60.0.0/16'}]")),
	  .newest = true /* CHECK of 1.1.1 misses the last route */ },
	{ .name = "routes with mtu and advmss",
	  .config = BRIDGE(GW LOCAL(V4 ",'routes':[{'dst':'10.50.0.0/16','gw':'10.1.0.9',"
				       "'mtu':1400,'advmss':1300}]")),
	  .newest = true,
	  .allow = METRICS },
	{ .name = "routes with priority and table",
	  .config = BRIDGE(GW LOCAL(V4 ",'routes':[{'dst':'10.50.0.0/16','priority':50},"
				       "{'dst':'10.60.0.0/16','table':100}]")),
	  .newest = true,
	  .no_check = true },
	{ .name = "route on the link",
	  .config = BRIDGE(GW LOCAL(V4 ",'routes':[{'dst':'10.50.0.0/16','gw':'0.0.0.0'}]")),
	  .newest = true,
	  .no_check = true /* theirs compares 0.0.0.0 with no gateway */ },
	{ .name = "routes with scope",
	  .config = BRIDGE(GW LOCAL(V4 ",'routes':[{'dst':'10.50.0.0/16','scope':200}]")),
	  .newest = true },
	{ .name = "IPv6 route with two gateways",
	  .config = BRIDGE(GW LOCAL(V6 ",'routes':[{'dst':'fd00:50::/48','gw':'fd00:1::8'},"
				       "{'dst':'fd00:50::/48','gw':'fd00:1::9'}]")),
	  .newest = true,
	  .no_check = true /* theirs does not know multipath routes */ },
	{ .name = "IPv6 route with host bits",
	  .config = BRIDGE(GW LOCAL(V6 ",'routes':[{'dst':'fd00:50::7/48'}]")),
	  .newest = true,
	  .no_check = true /* theirs looks for the host bits */ },
	{ .name = "ipMasq, iptables by default",
	  .config = BRIDGE(GW ",'ipMasq':true" LOCAL(DUAL)) },
	{ .name = "ipMasq, nftables",
	  .config = BRIDGE(GW ",'ipMasq':true,'ipMasqBackend':'nftables'" LOCAL(V4)),
	  .newest = true,
	  .allow = MASQ },
	{ .name = "ipMasq, nftables, dual stack",
	  .config = BRIDGE(DEFAULT_GW ",'ipMasq':true,'ipMasqBackend':'nftables'" LOCAL(
		  "'ranges':[[{" V4 "}],[{" V6 "}]]")),
	  .newest = true,
	  .allow = MASQ },
	{ .name = "requested address in CNI_ARGS",
	  .config = BRIDGE(GW LOCAL(V4)),
	  .args = "IgnoreUnknown=1;IP=10.1.0.77" },
	{ .name = "requested addresses in args.cni.ips",
	  .config =
		  BRIDGE(GW ",'args':{'cni':{'ips':['10.1.0.88/24','fd00:1::88']}}" LOCAL(DUAL)) },
	{ .name = "requested addresses in runtimeConfig.ips",
	  .config = BRIDGE(GW ",'runtimeConfig':{'ips':['10.1.0.99']}" LOCAL(DUAL)) },
	{ .name = "ranges in runtimeConfig.ipRanges",
	  .config = BRIDGE(GW ",'runtimeConfig':{'ipRanges':[[{" V4 "}],[{" V6 "}]]},"
			      "'ipam':{'type':'host-local'}") },
	{ .name = "forceAddress",
	  .config = BRIDGE(GW ",'forceAddress':true" LOCAL(V4)),
	  .before = "ip link add br0 type bridge; ip addr add 10.1.0.7/24 dev br0" },
	{ .name = "address in the way",
	  .config = BRIDGE(GW LOCAL(V4)),
	  .before = "ip link add br0 type bridge; ip addr add 10.1.0.7/24 dev br0",
	  .no_check = true },
	{ .name = "bridge made by hand",
	  .config = BRIDGE(GW LOCAL(V4)),
	  .before = "ip link add br0 mtu 1450 type bridge; "
		    "ip addr add fd00:9::1/64 dev br0 nodad" },
	{ .name = "bridge made by hand, no gateway",
	  .config = BRIDGE(LOCAL(V4)),
	  .before = "ip link add br0 type bridge" },
	{ .name = "not a bridge",
	  .config = BRIDGE(LOCAL(V4)),
	  .before = "ip link add br0 type veth peer name other",
	  .no_check = true,
	  .only_replies = true,
	  .allow = CODE_CONFIG },
	{ .name = "no ranges",
	  .config = BRIDGE(LOCAL("'ranges':[]")),
	  .no_check = true,
	  .only_replies = true,
	  .allow = CODE_CONFIG | LENIENT },
	{ .name = "bad CNI_ARGS",
	  .config = BRIDGE(LOCAL(V4)),
	  .args = "FOO=bar",
	  .no_check = true,
	  .only_replies = true,
	  .allow = CODE_ENV | LENIENT },
	{ .name = "requested address is the gateway's",
	  .config = BRIDGE(LOCAL(V4)),
	  .args = "IgnoreUnknown=1;IP=10.1.0.1",
	  .no_check = true,
	  .allow = CODE_CONFIG },
	{ .name = "exhausted",
	  .config = BRIDGE(LOCAL("'subnet':'10.1.0.0/30'")),
	  .no_check = true },
	{ .name = "dual stack, 0.1.0", .config = BRIDGE(GW LOCAL(DUAL)), .version = "0.1.0" },
	{ .name = "dual stack, 0.2.0", .config = BRIDGE(GW LOCAL(DUAL)), .version = "0.2.0" },
	{ .name = "dual stack, 0.3.0", .config = BRIDGE(GW LOCAL(DUAL)), .version = "0.3.0" },
	{ .name = "dual stack, 0.3.1", .config = BRIDGE(GW LOCAL(DUAL)), .version = "0.3.1" },
	{ .name = "dual stack, 0.4.0", .config = BRIDGE(GW LOCAL(DUAL)), .version = "0.4.0" },
	{ .name = "dual stack, 1.1.0",
	  .config = BRIDGE(GW LOCAL(DUAL)),
	  .version = "1.1.0",
	  .newest = true },
	{ .name = "loopback", .config = "{'cniVersion':'@','name':'lo','type':'loopback'}" },
	{ .name = "loopback, 1.1.0",
	  .config = "{'cniVersion':'@','name':'lo','type':'loopback'}",
	  .version = "1.1.0",
	  .newest = true },
};
#define N_ROWS (int)(sizeof(rows) / sizeof(rows[0]))

START_TEST(differences_are_documented)
{
	for (size_t i = 0; i < N_DIFFERENCES; i++)
		ck_assert_msg(sh_status("grep -qF -e \"**%s**\" %s/docs/compat.md",
					differences[i].what, SOURCE_DIR) == 0,
			      "docs/compat.md does not tell of \"%s\"", differences[i].what);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("rows");

	tcase_add_test(tc, differences_are_documented);
	return compare_rows("peer", tc, "bridge", rows, N_ROWS);
}
