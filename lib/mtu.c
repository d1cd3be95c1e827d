/*
 * The key "mtu"; see mtu.h.
 */
#include "mtu.h"
#include "nl_addr.h"
#include "nl_route.h"

#include <errno.h>

/* What Ethernet devices take: linux/if_ether.h, ETH_MIN_MTU and ETH_MAX_MTU. */
#define MTU_MIN 68
#define MTU_MAX 65535

int cni_mtu_check(json_int_t mtu, struct cni_error *err)
{
	if (mtu > MTU_MAX)
		return cni_invalid(err, "mtu: %lld is more than %d", (long long)mtu, MTU_MAX);
	if (mtu > 0 && mtu < MTU_MIN)
		return cni_invalid(err, "mtu: %lld is less than %d", (long long)mtu, MTU_MIN);
	return 0;
}

int cni_mtu_resolve(struct cni_nl *host, json_int_t *mtu, struct cni_error *err)
{
	struct cni_route_hop hop = { 0 };
	struct cni_link link = { 0 };
	int r;

	if (*mtu != CNI_JSON_AUTO)
		return 0;
	r = cni_route_default(host, &hop);
	if (r < 0) {
		cni_nl_fail(host, err, r, "mtu \"auto\": look for the host's default route");
		cni_error_detail(err, "\"mtu\": a number needs none");
		return r;
	}
	r = cni_link_get_index(host, hop.ifindex, &link);
	if (r < 0)
		return cni_nl_fail(host, err, r, "mtu \"auto\": look at the default route's link");
	*mtu = hop.mtu > 0 && hop.mtu < link.mtu ? hop.mtu : link.mtu;
	if (*mtu > MTU_MAX) /* lo has more than a veth can have */
		*mtu = MTU_MAX;
	return 0;
}

static bool is_link_local(const struct cni_ip *ip)
{
	return ip->b[0] == 0xfe && (ip->b[1] & 0xc0) == 0x80;
}

int cni_mtu_check_port(struct cni_nl *host, const struct cni_link *bridge, json_int_t mtu,
		       struct cni_error *err)
{
	cni_auto(addrs) struct cni_addr_list have = { 0 };
	char text[CNI_PREFIX_STRLEN];
	int r;

	if (mtu <= 0 || mtu >= CNI_MTU_IPV6)
		return 0;
	r = cni_addr_list(host, bridge->index, AF_INET6, &have);
	if (r < 0)
		return cni_nl_fail(host, err, r, "failed to list addresses of \"%s\"",
				   bridge->name);
	for (size_t i = 0; i < have.n; i++) {
		if (have.item[i].ip.family != AF_INET6 || is_link_local(&have.item[i].ip))
			continue;
		cni_invalid(err, "mtu: %lld would take IPv6 away from \"%s\", which has %s",
			    (long long)mtu, bridge->name, cni_prefix_format(&have.item[i], text));
		cni_error_detail(err, "IPv6 needs %d bytes, and a bridge has what its ports have",
				 CNI_MTU_IPV6);
		return -EINVAL;
	}
	return 0;
}
