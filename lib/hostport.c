/*
 * What both backends of host ports share; see hostport.h.
 */
#include "hostport.h"
#include "ipt.h"
#include "nl_link.h"
#include "nl_route.h"
#include "sysctl.h"

#include <errno.h>
#include <string.h>

const struct cni_hostport_ops *const cni_hostport_backends[] = { &cni_hostport_nft,
								 &cni_hostport_ipt, NULL };

const struct cni_hostport_ops *cni_hostport_default(void)
{
	return cni_ipt_is_usable() ? &cni_hostport_ipt : &cni_hostport_nft;
}

bool cni_hostport_has(const struct cni_hostport *hp, int family)
{
	if (hp->ip[family].ip.family == AF_UNSPEC)
		return false;
	for (size_t i = 0; i < hp->mappings.n; i++)
		if (cni_mapping_applies(&hp->mappings.item[i], cni_hostport_af(family)))
			return true;
	return false;
}

static bool is_other_interface(const struct cni_hostport *hp, const struct cni_result *prev,
			       const struct cni_ipconf *ip)
{
	const struct cni_iface *iface;

	if (ip->iface < 0 || (size_t)ip->iface >= prev->n_ifaces)
		return false;
	iface = &prev->ifaces[ip->iface];
	return !iface->sandbox || !*iface->sandbox || !iface->name ||
	       strcmp(iface->name, hp->ifname) != 0;
}

void cni_hostport_addresses(struct cni_hostport *hp, const struct cni_result *prev)
{
	for (size_t i = 0; i < prev->n_ips; i++) {
		const struct cni_ipconf *ip = &prev->ips[i];
		bool v4 = ip->address.ip.family == AF_INET;
		struct cni_prefix *place = &hp->ip[v4 ? CNI_HOSTPORT_V4 : CNI_HOSTPORT_V6];

		if (place->ip.family == AF_UNSPEC && !is_other_interface(hp, prev, ip))
			*place = ip->address;
	}
}

int cni_hostport_enable_localhost(const struct cni_hostport *hp, struct cni_error *err)
{
	cni_auto(nl) struct cni_nl nl = CNI_NL_INIT;
	const struct cni_ip *ip = &hp->ip[CNI_HOSTPORT_V4].ip;
	struct cni_route_hit hit = { 0 };
	struct cni_sysctl localnet;
	struct cni_link link;
	int r;

	if (!hp->snat || !cni_hostport_has(hp, CNI_HOSTPORT_V4))
		return 0;
	r = cni_nl_open(&nl, -1, err);
	if (r < 0)
		return r;
	r = cni_route_get(&nl, ip, &hit);
	if (r < 0 || !hit.on_link || cni_link_get_index(&nl, hit.ifindex, &link) < 0)
		return 0; /* nothing leads there now, or a router does */
	cni_sysctl_init(&localnet, "1", true, "ipv4/conf/%s/route_localnet", link.name);
	r = cni_sysctl_write(-1, &localnet, 1, err);
	if (r < 0 || localnet.result < 0)
		return cni_fail(err, CNI_E_INTERNAL, -(r < 0 ? r : localnet.result),
				"unable to enable route_localnet of %s", link.name);
	return 0;
}
