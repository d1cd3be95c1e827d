/*
 * CHECK of a container's interface; see iface_check.h.
 */
#include "iface_check.h"
#include "netns.h"
#include "nl_addr.h"
#include "nl_route.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdarg.h>
#include <stdio.h>
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

void cni_check_failed(struct cni_faults *f, struct cni_nl *nl, int r, const char *fmt, ...)
{
	struct cni_error why = { 0 };
	char what[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	(void)cni_nl_fail(nl, &why, r, "%s", what);
	cni_faults_add_error(f, "error", &why);
}

bool cni_check_exists(struct cni_nl *nl, const char *name, struct cni_link *ret,
		      struct cni_faults *f)
{
	int r = cni_link_get(nl, name, ret);

	if (r == -ENODEV)
		cni_faults_add(f, &(struct cni_fault){ "interface", name, name, NULL },
			       "Interface name %s not found", name);
	else if (r < 0)
		cni_check_failed(f, nl, r, "failed to lookup \"%s\"", name);
	return r == 0;
}

bool cni_check_mac_differs(const struct cni_iface *entry, const struct cni_link *now,
			   struct cni_fault *fault, char have[static CNI_MAC_STRLEN])
{
	*fault = (struct cni_fault){ "mac", now->name, entry->mac, cni_mac_format(now->mac, have) };
	return entry->mac && *entry->mac && strcasecmp(entry->mac, have) != 0;
}

void cni_check_up(const struct cni_link *link, struct cni_faults *f)
{
	if (!(link->flags & IFF_UP))
		cni_faults_add(f, &(struct cni_fault){ "state", link->name, "up", "down" },
			       "Interface %s is down", link->name);
}

void cni_check_mtu(const struct cni_link *end, json_int_t want, struct cni_faults *f)
{
	char asked[24], have[24];

	if (want <= 0 || end->mtu >= want)
		return;
	snprintf(asked, sizeof(asked), "%lld", (long long)want);
	snprintf(have, sizeof(have), "%u", end->mtu);
	cni_faults_add(f, &(struct cni_fault){ "mtu", end->name, asked, have },
		       "Interface %s has MTU %s, less than %s", end->name, have, asked);
}

bool cni_check_link(const struct cni_args *args, struct cni_nl *sbox, const char *kind,
		    const struct cni_result *prev, struct cni_link *ret, struct cni_faults *f)
{
	const struct cni_iface *entry = cni_check_entry(prev, args->ifname, true);
	const char *sandbox = entry ? entry->sandbox : NULL;
	char mac[CNI_MAC_STRLEN];
	struct cni_fault fault;

	if (!entry || !cni_netns_same(sandbox, args->netns))
		cni_faults_add(f,
			       &(struct cni_fault){ "sandbox", args->ifname, sandbox, args->netns },
			       "Sandbox in prevResult %s doesn't match configured netns: %s",
			       sandbox ? sandbox : "", args->netns);
	if (!cni_check_exists(sbox, args->ifname, ret, f))
		return false;
	if (strcmp(ret->kind, kind) != 0) {
		cni_faults_add(f, &(struct cni_fault){ "kind", args->ifname, kind, ret->kind },
			       "Error: Container interface %s not of type %s", args->ifname, kind);
		return false;
	}
	if (entry && cni_check_mac_differs(entry, ret, &fault, mac))
		cni_faults_add(f, &fault, "Interface %s Mac %s doesn't match container Mac: %s",
			       args->ifname, entry->mac, mac);
	return true;
}

int cni_check_host_end(struct cni_ends *e, const struct cni_link *link, struct cni_link *ret,
		       struct cni_faults *f)
{
	int r = cni_ends_peer(e, link, ret);

	if (r == 0)
		return 1;
	if (r == -ENODEV)
		return 0;
	cni_check_failed(f, &e->host, r, "failed to lookup the host end of \"%s\"", link->name);
	return -1;
}

/* ---- addresses and routes ---- */

/* What the kernel has of one family. */
struct present {
	struct cni_addr_list addrs;
	struct cni_route_list routes;
};

static inline void cni_auto_present(struct present *p)
{
	cni_auto_addrs(&p->addrs);
	cni_auto_routes(&p->routes);
}

static bool list_present(struct cni_nl *sbox, const struct cni_link *link, int family,
			 struct present *ret, struct cni_faults *f)
{
	int r;

	r = cni_addr_list(sbox, link->index, family, &ret->addrs);
	if (r == 0)
		r = cni_route_list(sbox, family, &ret->routes);
	if (r < 0)
		cni_check_failed(f, sbox, r, "failed to list addresses and routes of \"%s\"",
				 link->name);
	return r == 0;
}

/* @return whether the link has it */
static bool check_address(const struct cni_addr_list *have, const struct cni_link *link,
			  const struct cni_prefix *want, struct cni_faults *f)
{
	char text[CNI_PREFIX_STRLEN], other[CNI_PREFIX_STRLEN];
	struct cni_fault fault = { "address", link->name, cni_prefix_format(want, text), NULL };

	for (size_t i = 0; i < have->n; i++) {
		if (cni_ip_cmp(&have->item[i].ip, &want->ip) != 0)
			continue;
		if (have->item[i].len == want->len)
			return true;
		fault.have = cni_prefix_format(&have->item[i], other);
	}
	cni_faults_add(f, &fault, "Failed to match addr %s on interface %s", text, link->name);
	return false;
}

/* The route that the kernel makes for an address; it goes when the link goes down. */
static bool has_subnet_route(const struct cni_route_list *routes, const struct cni_prefix *net)
{
	if (net->len == cni_ip_bits(&net->ip))
		return true; /* a single address has none */
	for (size_t i = 0; i < routes->n; i++)
		if (routes->item[i].dst.len == net->len &&
		    cni_ip_cmp(&routes->item[i].dst.ip, &net->ip) == 0)
			return true;
	return false;
}

static bool same_destination(const struct cni_prefix *a, const struct cni_prefix *b)
{
	struct cni_ip x = cni_prefix_network(a), y = cni_prefix_network(b);

	return a->len == b->len && cni_ip_cmp(&x, &y) == 0;
}

/* A route in the words of ip-route(8). */
#define ROUTE_STRLEN (CNI_PREFIX_STRLEN + CNI_IP_STRLEN + 40)

static void check_route(const struct cni_route_list *have, const struct cni_link *link,
			const struct cni_route *want, struct cni_faults *f)
{
	json_int_t table = cni_route_table(want);
	char dst[CNI_PREFIX_STRLEN], gw[CNI_IP_STRLEN], text[ROUTE_STRLEN], where[32] = "";

	for (size_t i = 0; i < have->n; i++) {
		const struct cni_route *r = &have->item[i];

		if (r->table == table && same_destination(&r->dst, &want->dst) &&
		    (want->gw.family == AF_UNSPEC || cni_prefix_is_default(&want->dst) ||
		     cni_ip_cmp(&r->gw, &want->gw) == 0 ||
		     (cni_ip_is_zero(&want->gw) && cni_ip_is_zero(&r->gw))))
			return;
	}
	cni_prefix_format(&want->dst, dst);
	cni_ip_format(&want->gw, gw);
	if (table != RT_TABLE_MAIN)
		snprintf(where, sizeof(where), " table %lld", (long long)table);
	snprintf(text, sizeof(text), "%s%s%s%s", dst, want->gw.family == AF_UNSPEC ? "" : " via ",
		 want->gw.family == AF_UNSPEC ? "" : gw, where);
	cni_faults_add(f, &(struct cni_fault){ "route", link->name, text, NULL },
		       "Expected Route {Dst:%s GW:%s Table:%lld} not found in routing table", dst,
		       gw, (long long)table);
}

/* One address, and the route that comes with it. */
static void check_ip(const struct present *p, const struct cni_link *link,
		     const struct cni_ipconf *want, struct cni_faults *f)
{
	struct cni_prefix net = { cni_prefix_network(&want->address), want->address.len };
	char text[CNI_PREFIX_STRLEN], gw[CNI_IP_STRLEN];

	if (!check_address(&p->addrs, link, &want->address, f))
		return;
	if (!has_subnet_route(&p->routes, &net))
		cni_faults_add(f,
			       &(struct cni_fault){ "route", link->name,
						    cni_prefix_format(&net, text), NULL },
			       "Failed to find Gateway %s for interface %s",
			       cni_ip_format(&want->gateway, gw), link->name);
}

void cni_check_addresses(struct cni_nl *sbox, const struct cni_link *link,
			 const struct cni_result *prev, struct cni_faults *f)
{
	cni_auto(present) struct present v4 = { 0 }, v6 = { 0 };

	if (!list_present(sbox, link, AF_INET, &v4, f) ||
	    !list_present(sbox, link, AF_INET6, &v6, f))
		return;
	for (size_t i = 0; i < prev->n_ips; i++)
		check_ip(prev->ips[i].address.ip.family == AF_INET ? &v4 : &v6, link, &prev->ips[i],
			 f);
	for (size_t i = 0; i < prev->n_routes; i++)
		check_route(prev->routes[i].dst.ip.family == AF_INET ? &v4.routes : &v6.routes,
			    link, &prev->routes[i], f);
}
