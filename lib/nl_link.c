/*
 * Links; see nl_link.h.
 */
#include "nl_link.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <string.h>
#include <sys/ioctl.h>

/* ---- looking up ---- */

static void read_bridge(struct nlattr *data, struct cni_link *link)
{
	struct nlattr *tb[IFLA_BR_MAX + 1];

	if (nla_parse_nested(tb, IFLA_BR_MAX, data, NULL) < 0)
		return;
	link->bridge.knows_vlans = tb[IFLA_BR_VLAN_DEFAULT_PVID];
	if (tb[IFLA_BR_VLAN_FILTERING])
		link->bridge.filters_vlans = nla_get_u8(tb[IFLA_BR_VLAN_FILTERING]);
	if (tb[IFLA_BR_VLAN_DEFAULT_PVID])
		link->bridge.default_vlan = nla_get_u16(tb[IFLA_BR_VLAN_DEFAULT_PVID]);
}

static void read_vlan(struct nlattr *data, struct cni_link *link)
{
	struct nlattr *id = nla_find(nla_data(data), nla_len(data), IFLA_VLAN_ID);

	if (id)
		link->vlan = nla_get_u16(id);
}

static void read_macvlan(struct nlattr *data, struct cni_link *link)
{
	struct nlattr *mode = nla_find(nla_data(data), nla_len(data), IFLA_MACVLAN_MODE);

	if (mode)
		link->mode = nla_get_u32(mode);
}

static void read_ipvlan(struct nlattr *data, struct cni_link *link)
{
	struct nlattr *mode = nla_find(nla_data(data), nla_len(data), IFLA_IPVLAN_MODE);

	if (mode)
		link->mode = nla_get_u16(mode);
}

static void read_port(struct nlattr *data, struct cni_link *link)
{
	struct nlattr *tb[IFLA_BRPORT_MAX + 1];

	if (nla_parse_nested(tb, IFLA_BRPORT_MAX, data, NULL) < 0)
		return;
	if (tb[IFLA_BRPORT_MODE])
		link->port.hairpin = nla_get_u8(tb[IFLA_BRPORT_MODE]);
	if (tb[IFLA_BRPORT_ISOLATED])
		link->port.isolated = nla_get_u8(tb[IFLA_BRPORT_ISOLATED]);
}

static void read_info(struct nlattr *info, struct cni_link *link)
{
	static const struct {
		const char *kind;
		void (*read)(struct nlattr *data, struct cni_link *link);
	} kinds[] = {
		{ "bridge", read_bridge },
		{ "vlan", read_vlan },
		{ "macvlan", read_macvlan },
		{ "ipvlan", read_ipvlan },
	};
	struct nlattr *tb[IFLA_INFO_MAX + 1];

	if (!info || nla_parse_nested(tb, IFLA_INFO_MAX, info, NULL) < 0)
		return;
	if (tb[IFLA_INFO_KIND])
		nla_strlcpy(link->kind, tb[IFLA_INFO_KIND], sizeof(link->kind));
	for (size_t i = 0; tb[IFLA_INFO_DATA] && i < CNI_ARRAY_SIZE(kinds); i++)
		if (strcmp(link->kind, kinds[i].kind) == 0)
			kinds[i].read(tb[IFLA_INFO_DATA], link);
	if (tb[IFLA_INFO_SLAVE_DATA] && tb[IFLA_INFO_SLAVE_KIND] &&
	    strcmp(nla_get_string(tb[IFLA_INFO_SLAVE_KIND]), "bridge") == 0)
		read_port(tb[IFLA_INFO_SLAVE_DATA], link);
}

static void read_inet6(struct nlattr *families, struct cni_link *link)
{
	struct nlattr *inet6 = nla_find(nla_data(families), nla_len(families), AF_INET6);
	struct nlattr *conf = inet6 ? nla_find(nla_data(inet6), nla_len(inet6), IFLA_INET6_CONF)
				    : NULL;

	link->ipv6 = inet6;
	if (conf && nla_len(conf) > DEVCONF_ACCEPT_RA * (int)sizeof(int32_t))
		link->accept_ra = ((int32_t *)nla_data(conf))[DEVCONF_ACCEPT_RA];
}

int cni_link_read(struct nlmsghdr *nlh, void *ctx)
{
	struct nlattr *tb[IFLA_MAX + 1];
	struct cni_link *link = ctx;
	struct ifinfomsg *ifi = nlmsg_data(nlh);

	if (nlh->nlmsg_type != RTM_NEWLINK ||
	    nlmsg_parse(nlh, sizeof(*ifi), tb, IFLA_MAX, NULL) < 0)
		return -EBADMSG;
	*link = (struct cni_link){ .index = ifi->ifi_index,
				   .flags = ifi->ifi_flags,
				   .peer_nsid = -1 };
	if (tb[IFLA_IFNAME])
		nla_strlcpy(link->name, tb[IFLA_IFNAME], sizeof(link->name));
	if (tb[IFLA_ADDRESS] && nla_len(tb[IFLA_ADDRESS]) == CNI_MAC_LEN)
		memcpy(link->mac, nla_data(tb[IFLA_ADDRESS]), CNI_MAC_LEN);
	if (tb[IFLA_MTU])
		link->mtu = nla_get_u32(tb[IFLA_MTU]);
	if (tb[IFLA_TXQLEN])
		link->txqlen = nla_get_u32(tb[IFLA_TXQLEN]);
	if (tb[IFLA_MASTER])
		link->master = (int)nla_get_u32(tb[IFLA_MASTER]);
	if (tb[IFLA_LINK])
		link->peer = (int)nla_get_u32(tb[IFLA_LINK]);
	if (tb[IFLA_LINK_NETNSID])
		link->peer_nsid = nla_get_s32(tb[IFLA_LINK_NETNSID]);
	/* A kernel before 5.10 leaves out an index that equals the link's own. */
	if (!tb[IFLA_LINK] && link->peer_nsid >= 0)
		link->peer = link->index;
	if (tb[IFLA_OPERSTATE])
		link->operstate = nla_get_u8(tb[IFLA_OPERSTATE]);
	if (tb[IFLA_GROUP])
		link->group = nla_get_u32(tb[IFLA_GROUP]);
	if (tb[IFLA_IFALIAS])
		nla_strlcpy(link->alias, tb[IFLA_IFALIAS], sizeof(link->alias));
	if (tb[IFLA_AF_SPEC])
		read_inet6(tb[IFLA_AF_SPEC], link);
	read_info(tb[IFLA_LINKINFO], link);
	return 0;
}

/* The kernel looks for other names under the one attribute, too, but takes no long ones there. */
static int name_attr(const char *name)
{
	return strlen(name) < IFNAMSIZ ? IFLA_IFNAME : IFLA_ALT_IFNAME;
}

static int get_link(struct cni_nl *nl, const char *name, int index, struct cni_link *ret)
{
	struct ifinfomsg ifi = { .ifi_family = AF_UNSPEC, .ifi_index = index };
	struct nl_msg *msg = cni_nl_begin(nl, RTM_GETLINK, 0, &ifi, sizeof(ifi));

	if ((name && nla_put_string(msg, name_attr(name), name) < 0) ||
	    nla_put_u32(msg, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS) < 0)
		return -ENOMEM;
	return cni_nl_request(nl, msg, cni_link_read, ret);
}

int cni_link_get(struct cni_nl *nl, const char *name, struct cni_link *ret)
{
	return get_link(nl, name, 0, ret);
}

int cni_link_get_mac(struct cni_nl *nl, const char *name, uint8_t ret[static CNI_MAC_LEN])
{
	struct ifreq req = { 0 };

	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", name);
	if (ioctl(nl_socket_get_fd(nl->sk), SIOCGIFHWADDR, &req) < 0)
		return -errno;
	memcpy(ret, req.ifr_hwaddr.sa_data, CNI_MAC_LEN);
	return 0;
}

int cni_link_get_index(struct cni_nl *nl, int index, struct cni_link *ret)
{
	return get_link(nl, NULL, index, ret);
}

struct each {
	const char *kind;
	void (*on_start)(void *ctx);
	int (*fn)(const struct cni_link *link, void *ctx);
	void *ctx;
};

static void start_each(void *ctx)
{
	const struct each *each = ctx;

	each->on_start(each->ctx);
}

static int take_each(struct nlmsghdr *nlh, void *ctx)
{
	const struct each *each = ctx;
	struct cni_link link;
	int r;

	r = cni_link_read(nlh, &link);
	if (r < 0 || strcmp(link.kind, each->kind) != 0) /* old kernels do not filter */
		return r;
	return each->fn(&link, each->ctx);
}

int cni_link_each(struct cni_nl *nl, const char *kind, void (*on_start)(void *ctx),
		  int (*fn)(const struct cni_link *link, void *ctx), void *ctx)
{
	struct each each = { kind, on_start, fn, ctx };
	struct ifinfomsg ifi = { .ifi_family = AF_UNSPEC };
	struct nl_msg *msg = cni_nl_begin(nl, RTM_GETLINK, 0, &ifi, sizeof(ifi));
	struct nlattr *info;

	if (nla_put_u32(msg, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS) < 0)
		return -ENOMEM;
	info = nla_nest_start(msg, IFLA_LINKINFO);
	if (!info || nla_put_string(msg, IFLA_INFO_KIND, kind) < 0)
		return -ENOMEM;
	nla_nest_end(msg, info);
	return cni_nl_dump(nl, msg, start_each, take_each, &each);
}

static int take_nsid(struct nlmsghdr *nlh, void *ctx)
{
	struct nlattr *id = nlmsg_find_attr(nlh, sizeof(struct rtgenmsg), NETNSA_NSID);

	if (id)
		*(int *)ctx = nla_get_s32(id);
	return 0;
}

int cni_nsid_get(struct cni_nl *nl, int netns_fd, int *ret)
{
	struct rtgenmsg gen = { .rtgen_family = AF_UNSPEC };
	struct nl_msg *msg = cni_nl_begin(nl, RTM_GETNSID, 0, &gen, sizeof(gen));

	if (nla_put_u32(msg, NETNSA_FD, (uint32_t)netns_fd) < 0)
		return -ENOMEM;
	*ret = -1;
	return cni_nl_request(nl, msg, take_nsid, ret);
}

/* ---- changing ---- */

static int delete (struct cni_nl *nl, const char *name, int index)
{
	struct ifinfomsg ifi = { .ifi_family = AF_UNSPEC, .ifi_index = index };
	struct nl_msg *msg = cni_nl_begin(nl, RTM_DELLINK, 0, &ifi, sizeof(ifi));

	if ((name && nla_put_string(msg, IFLA_IFNAME, name) < 0))
		return -ENOMEM;
	return cni_nl_request(nl, msg, NULL, NULL);
}

int cni_link_del(struct cni_nl *nl, const char *name)
{
	return delete (nl, name, 0);
}

int cni_link_del_index(struct cni_nl *nl, int index)
{
	return delete (nl, NULL, index);
}

int cni_link_remove(struct cni_nl *nl, const struct cni_link *link, struct cni_error *err)
{
	int r = cni_link_del_index(nl, link->index);

	return r < 0 && r != -ENODEV
		       ? cni_nl_fail(nl, err, r, "failed to delete \"%s\"", link->name)
		       : 0;
}

void cni_link_undo(struct cni_nl *nl, const struct cni_link *link)
{
	int r = cni_link_del_index(nl, link->index);

	if (r < 0 && r != -ENODEV)
		cni_note("undo of ADD: delete %s: %s", link->name, cni_strerror(-r));
}

int cni_link_rename(struct cni_nl *nl, int index, const char *name)
{
	struct ifinfomsg ifi = { .ifi_index = index };
	struct nl_msg *msg = cni_nl_begin(nl, RTM_NEWLINK, 0, &ifi, sizeof(ifi));

	if (nla_put_string(msg, IFLA_IFNAME, name) < 0)
		return -ENOMEM;
	return cni_nl_request(nl, msg, NULL, NULL);
}

int cni_link_set_flags(struct cni_nl *nl, int index, unsigned int flags, unsigned int mask)
{
	struct ifinfomsg ifi = { .ifi_index = index, .ifi_flags = flags, .ifi_change = mask };
	struct nl_msg *msg = cni_nl_begin(nl, RTM_NEWLINK, 0, &ifi, sizeof(ifi));

	return cni_nl_request(nl, msg, NULL, NULL);
}

/* Flags, with one attribute of a family. */
static int set_flags_with(struct cni_nl *nl, int index, unsigned int flags, int family, int attr,
			  const void *value, int len)
{
	struct ifinfomsg ifi = { .ifi_index = index, .ifi_flags = flags, .ifi_change = flags };
	struct nl_msg *msg = cni_nl_begin(nl, RTM_NEWLINK, 0, &ifi, sizeof(ifi));
	struct nlattr *families = nla_nest_start(msg, IFLA_AF_SPEC);
	struct nlattr *one = families ? nla_nest_start(msg, family) : NULL;

	if (!one || nla_put(msg, attr, len, value) < 0)
		return -ENOMEM;
	nla_nest_end(msg, one);
	nla_nest_end(msg, families);
	return cni_nl_request(nl, msg, NULL, NULL);
}

int cni_link_set_up_notifying(struct cni_nl *nl, int index)
{
	const struct {
		struct nlattr head;
		uint32_t value;
	} notify = { { sizeof(notify), IPV4_DEVCONF_ARP_NOTIFY }, 1 };

	return set_flags_with(nl, index, IFF_UP, AF_INET, IFLA_INET_CONF, &notify, sizeof(notify));
}

/*
 * Two requests: IPv6 is told of a change of a link that is up, and as long as that has no carrier it goes over all
 * routes there are, to see which of them end here.
 */
int cni_link_set_up_addressless(struct cni_nl *nl, const struct cni_link *link)
{
	const uint8_t mode = IN6_ADDR_GEN_MODE_NONE;
	int r = link->ipv6 ? set_flags_with(nl, link->index, 0, AF_INET6, IFLA_INET6_ADDR_GEN_MODE,
					    &mode, sizeof(mode))
			   : 0;

	return r < 0 ? r : cni_link_set_flags(nl, link->index, IFF_UP, IFF_UP);
}

int cni_link_set_master(struct cni_nl *nl, int index, int master)
{
	struct ifinfomsg ifi = { .ifi_index = index };
	struct nl_msg *msg = cni_nl_begin(nl, RTM_NEWLINK, 0, &ifi, sizeof(ifi));

	if (nla_put_u32(msg, IFLA_MASTER, (uint32_t)master) < 0)
		return -ENOMEM;
	return cni_nl_request(nl, msg, NULL, NULL);
}

int cni_link_set_mac(struct cni_nl *nl, int index, const uint8_t mac[static CNI_MAC_LEN])
{
	struct ifinfomsg ifi = { .ifi_index = index };
	struct nl_msg *msg = cni_nl_begin(nl, RTM_NEWLINK, 0, &ifi, sizeof(ifi));

	if (nla_put(msg, IFLA_ADDRESS, CNI_MAC_LEN, mac) < 0)
		return -ENOMEM;
	return cni_nl_request(nl, msg, NULL, NULL);
}

struct cni_link_attrs cni_link_attrs_of(const struct cni_link *link, unsigned int set)
{
	struct cni_link_attrs attrs = {
		.set = set,
		.mtu = link->mtu,
		.txqlen = link->txqlen,
		.promisc = link->flags & IFF_PROMISC,
		.allmulti = link->flags & IFF_ALLMULTI,
	};

	memcpy(attrs.mac, link->mac, CNI_MAC_LEN);
	return attrs;
}

unsigned int cni_link_attrs_differ(const struct cni_link *link, const struct cni_link_attrs *want)
{
	struct cni_link_attrs is = cni_link_attrs_of(link, want->set);
	unsigned int differ = 0;

	differ |= memcmp(is.mac, want->mac, CNI_MAC_LEN) != 0 ? CNI_LINK_MAC : 0;
	differ |= is.mtu != want->mtu ? CNI_LINK_MTU : 0;
	differ |= is.txqlen != want->txqlen ? CNI_LINK_TXQLEN : 0;
	differ |= is.promisc != want->promisc ? CNI_LINK_PROMISC : 0;
	differ |= is.allmulti != want->allmulti ? CNI_LINK_ALLMULTI : 0;
	return differ & want->set;
}

int cni_link_set_attrs(struct cni_nl *nl, int index, const struct cni_link_attrs *a)
{
	struct ifinfomsg ifi = { .ifi_index = index };
	struct nl_msg *msg;

	ifi.ifi_change |= a->set & CNI_LINK_PROMISC ? IFF_PROMISC : 0;
	ifi.ifi_change |= a->set & CNI_LINK_ALLMULTI ? IFF_ALLMULTI : 0;
	ifi.ifi_flags = ifi.ifi_change &
			((a->promisc ? IFF_PROMISC : 0) | (a->allmulti ? IFF_ALLMULTI : 0));
	msg = cni_nl_begin(nl, RTM_NEWLINK, 0, &ifi, sizeof(ifi));
	if ((a->set & CNI_LINK_MAC && nla_put(msg, IFLA_ADDRESS, CNI_MAC_LEN, a->mac) < 0) ||
	    (a->set & CNI_LINK_MTU && nla_put_u32(msg, IFLA_MTU, a->mtu) < 0) ||
	    (a->set & CNI_LINK_TXQLEN && nla_put_u32(msg, IFLA_TXQLEN, a->txqlen) < 0))
		return -ENOMEM;
	return cni_nl_request(nl, msg, NULL, NULL);
}

void cni_link_restore_attrs(struct cni_nl *nl, const struct cni_link *link,
			    const struct cni_link_attrs *attrs)
{
	static const char *const names[] = { "mac", "mtu", "txQLen", "promisc", "allmulti" };
	struct cni_link_attrs one = *attrs;

	if (!attrs->set || cni_link_set_attrs(nl, link->index, attrs) == 0)
		return;
	for (size_t i = 0; i < CNI_ARRAY_SIZE(names); i++) {
		int r;

		one.set = attrs->set & (1u << i);
		r = one.set ? cni_link_set_attrs(nl, link->index, &one) : 0;
		if (r < 0)
			cni_note("restore %s of \"%s\": %s", names[i], link->name,
				 cni_strerror(-r));
	}
}

int cni_link_label(struct cni_nl *nl, const char *name, uint32_t group, const char *alias)
{
	struct ifinfomsg ifi = { .ifi_family = AF_UNSPEC };
	struct nl_msg *msg = cni_nl_begin(nl, RTM_SETLINK, 0, &ifi, sizeof(ifi));

	/* Not RTM_NEWLINK: with a name and a group that means "every link of the group". */
	if (nla_put_string(msg, IFLA_IFNAME, name) < 0 || nla_put_u32(msg, IFLA_GROUP, group) < 0 ||
	    nla_put(msg, IFLA_IFALIAS, (int)strlen(alias), alias) < 0)
		return -ENOMEM;
	return cni_nl_request(nl, msg, NULL, NULL);
}

/* ---- waiting ---- */

int cni_link_wait_up(struct cni_nl *nl, const char *name, int timeout_ms, struct cni_link *ret,
		     struct cni_error *err)
{
	cni_auto(nl) struct cni_nl events = CNI_NL_INIT;
	long deadline = cni_nl_deadline(timeout_ms);
	int r;

	r = cni_link_get(nl, name, ret);
	if (r < 0 || ret->operstate == IF_OPER_UP)
		return r;
	r = cni_nl_listen(&events, nl->netns_fd, RTNLGRP_LINK, err);
	if (r < 0)
		return r;
	for (;;) {
		int waited;

		r = cni_link_get(nl, name, ret);
		if (r < 0 || ret->operstate == IF_OPER_UP)
			return r;
		waited = cni_nl_await(&events, deadline);
		if (waited < 0)
			return waited;
	}
}
