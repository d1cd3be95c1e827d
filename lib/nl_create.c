/*
 * Making links; see nl_create.h.
 */
#include "nl_create.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/veth.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

CNI_AUTO(link, struct rtnl_link *, rtnl_link_put)
CNI_AUTO(naddr, struct nl_addr *, nl_addr_put)

/* ---- of one kind ---- */

/* By hand: libnl-route knows not all kinds, nor all of their options. */
int cni_link_create(struct cni_nl *nl, const struct cni_link_spec *spec)
{
	struct ifinfomsg ifi = { .ifi_family = AF_UNSPEC };
	struct nl_msg *msg =
		cni_nl_begin(nl, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &ifi, sizeof(ifi));
	struct nlattr *info, *data;

	if (nla_put_string(msg, IFLA_IFNAME, spec->name) < 0 ||
	    (spec->netns_fd >= 0 &&
	     nla_put_u32(msg, IFLA_NET_NS_FD, (uint32_t)spec->netns_fd) < 0) ||
	    (spec->lower && nla_put_u32(msg, IFLA_LINK, (uint32_t)spec->lower) < 0) ||
	    (spec->mtu && nla_put_u32(msg, IFLA_MTU, spec->mtu) < 0) ||
	    (spec->mac && nla_put(msg, IFLA_ADDRESS, CNI_MAC_LEN, spec->mac) < 0) ||
	    (spec->unqueued && nla_put_u32(msg, IFLA_TXQLEN, 0) < 0) ||
	    (spec->group && nla_put_u32(msg, IFLA_GROUP, spec->group) < 0))
		return -ENOMEM;
	info = nla_nest_start(msg, IFLA_LINKINFO);
	if (!info || nla_put_string(msg, IFLA_INFO_KIND, spec->kind) < 0)
		return -ENOMEM;
	if (spec->n_options) {
		data = nla_nest_start(msg, IFLA_INFO_DATA);
		if (!data)
			return -ENOMEM;
		for (size_t i = 0; i < spec->n_options; i++) {
			const struct cni_link_option *o = &spec->options[i];

			if (nla_put(msg, o->type, o->size, o->value) < 0)
				return -ENOMEM;
		}
		nla_nest_end(msg, data);
	}
	nla_nest_end(msg, info);
	return cni_nl_request(nl, msg, NULL, NULL);
}

static int random_mac(uint8_t ret[static CNI_MAC_LEN])
{
	if (getrandom(ret, CNI_MAC_LEN, 0) != CNI_MAC_LEN)
		return -EAGAIN;
	ret[0] = (uint8_t)((ret[0] & 0xfc) | 0x02);
	return 0;
}

int cni_bridge_create(struct cni_nl *nl, const char *name, unsigned int mtu, bool filter_vlans)
{
	static const uint8_t on = 1;
	static const struct cni_link_option filter = { IFLA_BR_VLAN_FILTERING, sizeof(on), &on };
	uint8_t mac[CNI_MAC_LEN];
	int r = random_mac(mac);

	return r < 0 ? r
		     : cni_link_create(nl, &(struct cni_link_spec){ .kind = "bridge",
								    .name = name,
								    .netns_fd = -1,
								    .mtu = mtu,
								    .mac = mac,
								    .options = &filter,
								    .n_options = filter_vlans });
}

/* ---- veth pairs, with libnl-route's objects ---- */

/* From Linux 6.2 on the kernel echoes what it made; else it has to be asked. */
static int create(struct cni_nl *nl, struct rtnl_link *link, struct cni_link *ret)
{
	cni_auto(msg) struct nl_msg *msg = NULL;
	int r;

	if (rtnl_link_build_add_request(link, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ECHO, &msg) < 0)
		return -ENOMEM;
	*ret = (struct cni_link){ 0 };
	r = cni_nl_request(nl, msg, cni_link_read, ret);
	return r < 0 || ret->index ? r : cni_link_get(nl, rtnl_link_get_name(link), ret);
}

static int set_mac(struct rtnl_link *link, const uint8_t mac[static CNI_MAC_LEN])
{
	cni_auto(naddr) struct nl_addr *addr = nl_addr_build(AF_LLC, mac, CNI_MAC_LEN);

	if (!addr)
		return -ENOMEM;
	rtnl_link_set_addr(link, addr);
	return 0;
}

/* The end of a pair that is in another namespace, by what was asked for and by what the host end says. */
static void describe_peer(const struct cni_veth_spec *spec, const uint8_t mac[static CNI_MAC_LEN],
			  const struct cni_link *host, struct cni_link *ret)
{
	*ret = (struct cni_link){
		.index = host->peer,
		.mtu = host->mtu,
		.peer = host->index,
		.peer_nsid = -1,
	};
	snprintf(ret->name, sizeof(ret->name), "%s", spec->ifname);
	strcpy(ret->kind, "veth");
	memcpy(ret->mac, mac, CNI_MAC_LEN);
}

/*
 * As many as it uses. By default the kernel makes one for each processor there could be, and takes all but the first
 * away again, for which it waits for RCU, at both ends.
 */
static void use_one_queue(struct rtnl_link *link)
{
	rtnl_link_set_num_tx_queues(link, 1);
	rtnl_link_set_num_rx_queues(link, 1);
}

int cni_veth_create(struct cni_nl *nl, const struct cni_veth_spec *spec, struct cni_link *host_end,
		    struct cni_link *cont_end)
{
	cni_auto(link) struct rtnl_link *host = rtnl_link_veth_alloc();
	struct rtnl_link *peer = host ? rtnl_link_veth_get_peer(host) : NULL;
	uint8_t mac[CNI_MAC_LEN];
	int r;

	if (!peer)
		return -ENOMEM;
	use_one_queue(host);
	use_one_queue(peer);
	rtnl_link_set_name(host, spec->host_name);
	rtnl_link_set_group(host, spec->host_group);
	if (spec->bridge)
		rtnl_link_set_master(host, spec->bridge);
	rtnl_link_set_name(peer, spec->ifname);
	if (spec->netns_fd >= 0)
		rtnl_link_set_ns_fd(peer, spec->netns_fd);
	if (spec->mtu) {
		rtnl_link_set_mtu(host, spec->mtu);
		rtnl_link_set_mtu(peer, spec->mtu);
	}
	r = spec->mac ? 0 : random_mac(mac);
	if (spec->mac)
		memcpy(mac, spec->mac, CNI_MAC_LEN);
	if (r == 0)
		r = set_mac(peer, mac);
	rtnl_link_put(peer);
	if (r == 0)
		r = create(nl, host, host_end);
	if (r == 0)
		describe_peer(spec, mac, host_end, cont_end);
	return r;
}
