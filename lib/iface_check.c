/*
 * CHECK of a container's interface; see iface_check.h.
 */
#include "iface_check.h"
#include "netns.h"
#include "nl_addr.h"
#include "nl_route.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/* ---- the link ---- */

const struct cni_iface *cni_check_entry(const struct cni_result *prev, const char *name,
					bool in_sandbox)
{
	const struct cni_iface *found = NULL;

	for (size_t i = 0; i < prev->n_ifaces; i++) {
		const struct cni_iface *f = &prev->ifaces[i];

		if (strcmp(f->name, name) == 0 && (f->sandbox && *f->sandbox) == in_sandbox)
			found = f;
	}
	return found;
}

bool cni_check_mac_differs(const struct cni_iface *entry, const struct cni_link *now)
{
	char mac[CNI_MAC_STRLEN];

	return entry->mac && *entry->mac &&
	       strcasecmp(entry->mac, cni_mac_format(now->mac, mac)) != 0;
}

int cni_check_link(const struct cni_args *args, struct cni_nl *sbox, const char *kind,
		   const struct cni_result *prev, struct cni_link *ret, struct cni_error *err)
{
	const struct cni_iface *entry = cni_check_entry(prev, args->ifname, true);
	int r;

	if (!entry || !cni_netns_same(entry->sandbox, args->netns))
		return cni_fail(err, CNI_E_INTERNAL, 0,
				"Sandbox in prevResult %s doesn't match configured netns: %s",
				entry ? entry->sandbox : "", args->netns);
	r = cni_link_get(sbox, args->ifname, ret);
	if (r == -ENODEV)
		return cni_fail(err, CNI_E_INTERNAL, 0, "Interface name %s not found",
				args->ifname);
	if (r < 0)
		return cni_nl_fail(sbox, err, r, "failed to lookup \"%s\"", args->ifname);
	if (strcmp(ret->kind, kind) != 0)
		return cni_fail(err, CNI_E_INTERNAL, 0,
				"Error: Container interface %s not of type %s", args->ifname, kind);
	if (cni_check_mac_differs(entry, ret))
		return cni_fail(err, CNI_E_INTERNAL, 0,
				"Interface %s Mac %s doesn't match container Mac", args->ifname,
				entry->mac);
	return 0;
}

/* ---- addresses and routes ---- */

static int check_address(const struct cni_addr_list *have, const struct cni_link *link,
			 const struct cni_prefix *want, struct cni_error *err)
{
	char text[CNI_PREFIX_STRLEN];

	for (size_t i = 0; i < have->n; i++)
		if (have->item[i].len == want->len && !cni_ip_cmp(&have->item[i].ip, &want->ip))
			return 0;
	cni_fail(err, CNI_E_INTERNAL, 0, "Failed to match addr %s on interface %s",
		 cni_prefix_format(want, text), link->name);
	return -ENOENT;
}

/* The route that the kernel makes for an address; it goes when the link goes down. */
static bool has_subnet_route(const struct cni_route_list *routes, const struct cni_prefix *addr)
{
	struct cni_prefix net = { .ip = cni_prefix_network(addr), .len = addr->len };

	if (net.len == cni_ip_bits(&net.ip))
		return true; /* a single address has none */
	for (size_t i = 0; i < routes->n; i++)
		if (routes->item[i].dst.len == net.len &&
		    cni_ip_cmp(&routes->item[i].dst.ip, &net.ip) == 0)
			return true;
	return false;
}

static bool same_destination(const struct cni_prefix *a, const struct cni_prefix *b)
{
	struct cni_ip x = cni_prefix_network(a), y = cni_prefix_network(b);

	return a->len == b->len && cni_ip_cmp(&x, &y) == 0;
}

static int check_route(const struct cni_route_list *have, const struct cni_route *want,
		       struct cni_error *err)
{
	json_int_t table = cni_route_table(want);
	char dst[CNI_PREFIX_STRLEN], gw[CNI_IP_STRLEN];

	for (size_t i = 0; i < have->n; i++) {
		const struct cni_route *r = &have->item[i];

		if (r->table == table && same_destination(&r->dst, &want->dst) &&
		    (want->gw.family == AF_UNSPEC || cni_prefix_is_default(&want->dst) ||
		     cni_ip_cmp(&r->gw, &want->gw) == 0 ||
		     (cni_ip_is_zero(&want->gw) && cni_ip_is_zero(&r->gw))))
			return 0;
	}
	cni_fail(err, CNI_E_INTERNAL, 0,
		 "Expected Route {Dst:%s GW:%s Table:%lld} not found in routing table",
		 cni_prefix_format(&want->dst, dst), cni_ip_format(&want->gw, gw),
		 (long long)table);
	return -ENOENT;
}

static int check_family(struct cni_nl *sbox, const struct cni_link *link,
			const struct cni_result *prev, int family, struct cni_error *err)
{
	cni_auto(addrs) struct cni_addr_list addrs = { 0 };
	cni_auto(routes) struct cni_route_list routes = { 0 };
	char gw[CNI_IP_STRLEN];
	int r;

	r = cni_addr_list(sbox, link->index, family, &addrs);
	if (r == 0)
		r = cni_route_list(sbox, family, &routes);
	if (r < 0)
		return cni_nl_fail(sbox, err, r, "failed to list addresses and routes of \"%s\"",
				   link->name);
	for (size_t i = 0; i < prev->n_ips; i++) {
		if (prev->ips[i].address.ip.family != family)
			continue;
		r = check_address(&addrs, link, &prev->ips[i].address, err);
		if (r < 0)
			return r;
		if (!has_subnet_route(&routes, &prev->ips[i].address)) {
			cni_fail(err, CNI_E_INTERNAL, 0,
				 "Failed to find Gateway %s for interface %s",
				 cni_ip_format(&prev->ips[i].gateway, gw), link->name);
			return -ENOENT;
		}
	}
	for (size_t i = 0; i < prev->n_routes; i++) {
		if (prev->routes[i].dst.ip.family != family)
			continue;
		r = check_route(&routes, &prev->routes[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

int cni_check_addresses(struct cni_nl *sbox, const struct cni_link *link,
			const struct cni_result *prev, struct cni_error *err)
{
	int r;

	r = check_family(sbox, link, prev, AF_INET, err);
	return r < 0 ? r : check_family(sbox, link, prev, AF_INET6, err);
}
