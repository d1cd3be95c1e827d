/*
 * ptp against the Go plugin, as net_peer.c does with bridge: results, the kernel's state and files at every step of two
 * attachments' lives.
 */
#include "peer_rows.h"

#define PTP(more) "{'cniVersion':'@','name':'net1','type':'ptp'" more "}"

static const struct row rows[] = {
	{ .name = "IPv4", .config = PTP(LOCAL(V4)) },
	{ .name = "IPv4 with a default route",
	  .config = PTP(LOCAL(V4 ",'routes':[{'dst':'0.0.0.0/0'}]")) },
	{ .name = "dual stack", .config = PTP(LOCAL(DUAL)) },
	{ .name = "IPv6 only", .config = PTP(LOCAL(V6 ",'routes':[{'dst':'::/0'}]")) },
	{ .name = "IPv6, a single address",
	  .config = PTP(",'ipam':{'type':'static','addresses':[{'address':'fd00:1::2/128',"
			"'gateway':'fd00:1::1'}]}"),
	  .alone = true },
	{ .name = "two subnets",
	  .config = PTP(LOCAL("'ranges':[[{" V4 "}],[{'subnet':'10.2.0.0/24'}]]")) },
	{ .name = "routes by another gateway of the subnet",
	  .config = PTP(LOCAL("'ranges':[[{" V4 "}],[{" V6 "}]],'routes':["
			      "{'dst':'10.50.0.0/16','gw':'10.1.0.9'},"
			      "{'dst':'fd00:50::/48','gw':'fd00:1::9'},"
			      "{'dst':'10.60.0.0/16'}]")),
	  .newest = true /* CHECK of 1.1.1 misses the last route */,
	  .allow = ONLINK },
	{ .name = "routes with priority and table",
	  .config = PTP(LOCAL(V4 ",'routes':[{'dst':'10.50.0.0/16','priority':50},"
				 "{'dst':'10.60.0.0/16','table':100}]")),
	  .newest = true,
	  .no_check = true },
	{ .name = "mtu", .config = PTP(",'mtu':1400" LOCAL(DUAL)) },
	{ .name = "dns of the network",
	  .config = PTP(",'dns':{'nameservers':['10.9.9.9'],'search':['a.b','c']}" LOCAL(V4)) },
	{ .name = "ipMasq, iptables by default", .config = PTP(",'ipMasq':true" LOCAL(DUAL)) },
	{ .name = "ipMasq, nftables",
	  .config = PTP(",'ipMasq':true,'ipMasqBackend':'nftables'" LOCAL(DUAL)),
	  .newest = true,
	  .allow = MASQ },
	{ .name = "requested address in CNI_ARGS",
	  .config = PTP(LOCAL(V4)),
	  .args = "IgnoreUnknown=1;IP=10.1.0.77" },
	{ .name = "exhausted", .config = PTP(LOCAL("'subnet':'10.1.0.0/30'")), .no_check = true },
	{ .name = "unknown backend",
	  .config = PTP(",'ipMasq':true,'ipMasqBackend':'zzz'" LOCAL(V4)),
	  .newest = true,
	  .no_check = true,
	  .only_replies = true,
	  .allow = CODE_CONFIG | MASQ },
	{ .name = "dual stack, 0.2.0", .config = PTP(LOCAL(DUAL)), .version = "0.2.0" },
	{ .name = "dual stack, 0.4.0", .config = PTP(LOCAL(DUAL)), .version = "0.4.0" },
	{ .name = "dual stack, 1.1.0",
	  .config = PTP(LOCAL(DUAL)),
	  .version = "1.1.0",
	  .newest = true },
};
#define N_ROWS (int)(sizeof(rows) / sizeof(rows[0]))

int main(void)
{
	return compare_rows("ptp beside its peer", tcase_create("rows"), "ptp", rows, N_ROWS);
}
