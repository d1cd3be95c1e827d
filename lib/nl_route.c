/*
 * Routes; see nl_route.h.
 */
#include "nl_route.h"

#include <errno.h>
#include <linux/netconf.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <string.h>

#define LOCAL_TIMEOUT_MS 2500

/* A route and its numbers; each of several gateways. */
#define ROUTE_SIZE 256
#define PATH_SIZE (sizeof(struct rtnexthop) + RTA_SPACE(16))

json_int_t cni_route_table(const struct cni_route *route)
{
	return route->has_table && route->table > 0 ? route->table : RT_TABLE_MAIN;
}

static int put_metrics(struct nl_msg *msg, const struct cni_route *route)
{
	struct nlattr *metrics;

	if (route->mtu <= 0 && route->advmss <= 0)
		return 0;
	metrics = nla_nest_start(msg, RTA_METRICS);
	if (!metrics || (route->mtu > 0 && nla_put_u32(msg, RTAX_MTU, (uint32_t)route->mtu) < 0) ||
	    (route->advmss > 0 && nla_put_u32(msg, RTAX_ADVMSS, (uint32_t)route->advmss) < 0))
		return -ENOMEM;
	nla_nest_end(msg, metrics);
	return 0;
}

/* One path is written as attributes of the route, more than one as a list of them. */
static int put_paths(struct nl_msg *msg, int ifindex, const struct cni_ip *const *gw, size_t n,
		     unsigned int flags)
{
	struct nlattr *list;

	if (n < 2) {
		if (nla_put_u32(msg, RTA_OIF, (uint32_t)ifindex) < 0 ||
		    (n && nla_put(msg, RTA_GATEWAY, (int)cni_ip_size(gw[0]), gw[0]->b) < 0))
			return -ENOMEM;
		return 0;
	}
	list = nla_nest_start(msg, RTA_MULTIPATH);
	for (size_t i = 0; list && i < n; i++) {
		struct rtnexthop *nh = nlmsg_reserve(msg, sizeof(*nh), NLMSG_ALIGNTO);

		if (!nh)
			return -ENOMEM;
		*nh = (struct rtnexthop){ .rtnh_ifindex = ifindex,
					  .rtnh_flags = (unsigned char)flags };
		if (nla_put(msg, RTA_GATEWAY, (int)cni_ip_size(gw[i]), gw[i]->b) < 0)
			return -ENOMEM;
		nh->rtnh_len = (unsigned short)((char *)nlmsg_tail(nlmsg_hdr(msg)) - (char *)nh);
	}
	if (!list)
		return -ENOMEM;
	return nla_nest_end(msg, list) < 0 ? -EMSGSIZE : 0;
}

int cni_route_add(struct cni_nl *nl, int ifindex, const struct cni_route *route,
		  const struct cni_ip *const *gw, size_t n_gw, bool sure)
{
	unsigned int flags = sure && n_gw ? RTNH_F_ONLINK : 0;
	uint32_t table = (uint32_t)cni_route_table(route);
	struct rtmsg rtm = {
		.rtm_family = (uint8_t)route->dst.ip.family,
		.rtm_dst_len = (uint8_t)route->dst.len,
		.rtm_table = table < 256 ? (uint8_t)table : RT_TABLE_UNSPEC,
		.rtm_protocol = RTPROT_BOOT,
		.rtm_scope = route->has_scope ? (uint8_t)route->scope : RT_SCOPE_UNIVERSE,
		.rtm_type = RTN_UNICAST,
		.rtm_flags = n_gw == 1 ? flags : 0,
	};
	int r = n_gw > 1 ? cni_nl_reserve(nl, ROUTE_SIZE + n_gw * PATH_SIZE) : 0;
	struct nl_msg *msg;

	if (r < 0)
		return r;
	msg = cni_nl_begin(nl, RTM_NEWROUTE, NLM_F_CREATE, &rtm, sizeof(rtm));
	r = put_paths(msg, ifindex, gw, n_gw, flags);
	if (r < 0)
		return r;
	if (nla_put(msg, RTA_DST, (int)cni_ip_size(&route->dst.ip), route->dst.ip.b) < 0 ||
	    (route->priority > 0 &&
	     nla_put_u32(msg, RTA_PRIORITY, (uint32_t)route->priority) < 0) ||
	    (table >= 256 && nla_put_u32(msg, RTA_TABLE, table) < 0) || put_metrics(msg, route) < 0)
		return -ENOMEM;
	return cni_nl_request(nl, msg, NULL, NULL);
}

int cni_path_add(struct cni_nl *nl, int ifindex, const struct cni_path *path)
{
	const struct cni_ip *dst = &path->dst.ip;
	struct rtmsg rtm = {
		.rtm_family = (uint8_t)dst->family,
		.rtm_dst_len = (uint8_t)path->dst.len,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_BOOT,
		.rtm_scope = path->scope,
		.rtm_type = RTN_UNICAST,
	};
	struct nl_msg *msg =
		cni_nl_begin(nl, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &rtm, sizeof(rtm));

	if (nla_put(msg, RTA_DST, (int)cni_ip_size(dst), dst->b) < 0 ||
	    nla_put_u32(msg, RTA_OIF, (uint32_t)ifindex) < 0 ||
	    (path->gw && nla_put(msg, RTA_GATEWAY, (int)cni_ip_size(path->gw), path->gw->b) < 0) ||
	    (path->from &&
	     nla_put(msg, RTA_PREFSRC, (int)cni_ip_size(path->from), path->from->b) < 0))
		return -ENOMEM;
	return cni_nl_request(nl, msg, NULL, NULL);
}

/* ---- reading ---- */

static void read_metrics(struct nlattr *metrics, struct cni_route *route)
{
	struct nlattr *tb[RTAX_MAX + 1];

	if (!metrics || nla_parse_nested(tb, RTAX_MAX, metrics, NULL) < 0)
		return;
	route->mtu = tb[RTAX_MTU] ? nla_get_u32(tb[RTAX_MTU]) : 0;
	route->advmss = tb[RTAX_ADVMSS] ? nla_get_u32(tb[RTAX_ADVMSS]) : 0;
}

static int read_hop(struct nlmsghdr *nlh, void *ctx)
{
	struct cni_route_hop *hop = ctx;
	struct rtmsg *rtm = nlmsg_data(nlh);
	struct nlattr *tb[RTA_MAX + 1];
	struct cni_route route = { 0 };

	if (nlh->nlmsg_type != RTM_NEWROUTE ||
	    nlmsg_parse(nlh, sizeof(*rtm), tb, RTA_MAX, NULL) < 0)
		return -EBADMSG;
	if (rtm->rtm_type != RTN_UNICAST || !tb[RTA_OIF])
		return -ENETUNREACH;
	read_metrics(tb[RTA_METRICS], &route);
	*hop = (struct cni_route_hop){ (int)nla_get_u32(tb[RTA_OIF]), (unsigned int)route.mtu };
	return 0;
}

static int default_of(struct cni_nl *nl, int family, struct cni_route_hop *ret)
{
	/*
	 * Addresses that nobody has a better way to: IPv4's dummy (RFC 7600), and the first of IPv6's
	 * global ones. Not of 0.0.0.0/8: Linux before 5.3 refuses that.
	 */
	static const struct cni_ip v4 = { AF_INET, { 192, 0, 0, 8 } }, v6 = { AF_INET6, { 0x20 } };
	const struct cni_ip *to = family == AF_INET ? &v4 : &v6;
	struct rtmsg rtm = {
		.rtm_family = (uint8_t)family,
		.rtm_dst_len = (uint8_t)cni_ip_bits(to),
	};
	struct nl_msg *msg = cni_nl_begin(nl, RTM_GETROUTE, 0, &rtm, sizeof(rtm));

	if (nla_put(msg, RTA_DST, (int)cni_ip_size(to), to->b) < 0)
		return -ENOMEM;
	return cni_nl_request(nl, msg, read_hop, ret);
}

int cni_route_default(struct cni_nl *nl, struct cni_route_hop *ret)
{
	int r = default_of(nl, AF_INET, ret);

	return r < 0 ? default_of(nl, AF_INET6, ret) : r;
}

/* ---- listing ---- */

static void read_ip(struct nlattr *attr, int family, struct cni_ip *ip)
{
	*ip = (struct cni_ip){ 0 };
	if (!attr)
		return;
	ip->family = (sa_family_t)family;
	if (nla_len(attr) == (int)cni_ip_size(ip))
		memcpy(ip->b, nla_data(attr), cni_ip_size(ip));
}

static int append(struct cni_route_list *list, const struct cni_route *route)
{
	struct cni_route *more = reallocarray(list->item, list->n + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	list->item = more;
	more[list->n++] = *route;
	return 0;
}

static int append_paths(struct cni_route_list *list, struct cni_route *route, struct nlattr *multi)
{
	struct rtnexthop *nh = nla_data(multi);
	int left = nla_len(multi);

	while (left >= (int)sizeof(*nh) && nh->rtnh_len >= sizeof(*nh) && nh->rtnh_len <= left) {
		struct nlattr *gw = nla_find((struct nlattr *)(void *)RTNH_DATA(nh),
					     nh->rtnh_len - (int)RTNH_LENGTH(0), RTA_GATEWAY);
		int r;

		read_ip(gw, route->dst.ip.family, &route->gw);
		r = append(list, route);
		if (r < 0)
			return r;
		left -= (int)RTNH_ALIGN(nh->rtnh_len);
		nh = RTNH_NEXT(nh);
	}
	return 0;
}

static int collect(struct nlmsghdr *nlh, void *ctx)
{
	struct cni_route_list *list = ctx;
	struct rtmsg *rtm = nlmsg_data(nlh);
	struct nlattr *tb[RTA_MAX + 1];
	struct cni_route route = { .has_table = true, .has_scope = true };

	if (nlh->nlmsg_type != RTM_NEWROUTE ||
	    nlmsg_parse(nlh, sizeof(*rtm), tb, RTA_MAX, NULL) < 0)
		return -EBADMSG;
	if (rtm->rtm_type != RTN_UNICAST || rtm->rtm_flags & RTM_F_CLONED)
		return 0;
	read_ip(tb[RTA_DST], rtm->rtm_family, &route.dst.ip);
	route.dst.ip.family = rtm->rtm_family;
	route.dst.len = rtm->rtm_dst_len;
	route.table = tb[RTA_TABLE] ? nla_get_u32(tb[RTA_TABLE]) : rtm->rtm_table;
	route.scope = rtm->rtm_scope;
	route.priority = tb[RTA_PRIORITY] ? nla_get_u32(tb[RTA_PRIORITY]) : 0;
	read_metrics(tb[RTA_METRICS], &route);
	if (tb[RTA_MULTIPATH])
		return append_paths(list, &route, tb[RTA_MULTIPATH]);
	read_ip(tb[RTA_GATEWAY], rtm->rtm_family, &route.gw);
	return append(list, &route);
}

static void forget(void *ctx)
{
	struct cni_route_list *list = ctx;

	list->n = 0;
}

int cni_route_list(struct cni_nl *nl, int family, struct cni_route_list *ret)
{
	struct rtmsg rtm = { .rtm_family = (uint8_t)family };
	struct nl_msg *msg = cni_nl_begin(nl, RTM_GETROUTE, 0, &rtm, sizeof(rtm));

	return cni_nl_dump(nl, msg, forget, collect, ret);
}

static int on_hit(struct nlmsghdr *nlh, void *ctx)
{
	const struct rtmsg *rtm = nlmsg_data(nlh);
	struct cni_route_hit *hit = ctx;
	struct nlattr *oif = nlmsg_find_attr(nlh, sizeof(*rtm), RTA_OIF);

	hit->ifindex = oif ? (int)nla_get_u32(oif) : 0;
	hit->local = rtm->rtm_type == RTN_LOCAL;
	hit->on_link = rtm->rtm_type == RTN_UNICAST && rtm->rtm_dst_len > 0 &&
		       !nlmsg_find_attr(nlh, sizeof(*rtm), RTA_GATEWAY) &&
		       !nlmsg_find_attr(nlh, sizeof(*rtm), RTA_VIA);
	return 0;
}

/* @param oif  the link whose route is wanted, if it has one; 0 = any */
static int get_route(struct cni_nl *nl, const struct cni_ip *to, int oif, struct cni_route_hit *ret)
{
	struct rtmsg rtm = { .rtm_family = (uint8_t)to->family,
			     .rtm_dst_len = (uint8_t)cni_ip_bits(to),
			     /* the route itself, not what was made of it for this address */
			     .rtm_flags = RTM_F_FIB_MATCH };
	struct nl_msg *msg = cni_nl_begin(nl, RTM_GETROUTE, 0, &rtm, sizeof(rtm));

	if (nla_put(msg, RTA_DST, (int)cni_ip_size(to), to->b) < 0 ||
	    (oif && nla_put_u32(msg, RTA_OIF, (uint32_t)oif) < 0))
		return -ENOMEM;
	return cni_nl_request(nl, msg, on_hit, ret);
}

int cni_route_get(struct cni_nl *nl, const struct cni_ip *to, struct cni_route_hit *ret)
{
	return get_route(nl, to, 0, ret);
}

int cni_route_await_local(struct cni_nl *nl, int ifindex, const char *name, const struct cni_ip *ip,
			  struct cni_error *err)
{
	cni_auto(nl) struct cni_nl events = CNI_NL_INIT;
	long deadline = cni_nl_deadline(LOCAL_TIMEOUT_MS);
	bool listening = false;
	char text[CNI_IP_STRLEN];
	int r = 0;

	while (r == 0) {
		struct cni_route_hit hit;

		if (get_route(nl, ip, ifindex, &hit) == 0 && hit.local && hit.ifindex == ifindex)
			return 0;
		if (listening)
			r = cni_nl_await(&events, deadline);
		else
			r = cni_nl_listen(&events, nl->netns_fd, RTNLGRP_IPV6_ROUTE, err);
		listening = true;
	}
	cni_ip_format(ip, text);
	if (r == -ETIMEDOUT)
		cni_note("%s of \"%s\" is not in use yet", text, name);
	return r == -ETIMEDOUT
		       ? 0
		       : cni_nl_fail(nl, err, r, "failed to wait for %s of \"%s\"", text, name);
}

static int on_netconf(struct nlmsghdr *nlh, void *ctx)
{
	struct nlattr *value = nlmsg_find_attr(nlh, sizeof(struct netconfmsg), NETCONFA_FORWARDING);

	if (!value || nla_len(value) < (int)sizeof(int32_t))
		return -EBADMSG;
	*(int *)ctx = nla_get_s32(value);
	return 0;
}

int cni_forwarding_get(struct cni_nl *nl, int family)
{
	struct netconfmsg netconf = { .ncm_family = (uint8_t)family };
	struct nl_msg *msg = cni_nl_begin(nl, RTM_GETNETCONF, 0, &netconf, sizeof(netconf));
	int value = 0, r;

	if (nla_put_s32(msg, NETCONFA_IFINDEX, NETCONFA_IFINDEX_ALL) < 0)
		return -ENOMEM;
	r = cni_nl_request(nl, msg, on_netconf, &value);
	return r < 0 ? r : value;
}
