/*
 * The routes of a result in a container; see routes.h.
 */
#include "routes.h"
#include "nl_route.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>

CNI_AUTO(paths, const struct cni_ip **, free)

static int check_number(const char *dst, const char *key, json_int_t value, json_int_t max,
			struct cni_error *err)
{
	return value <= max ? 0
			    : cni_invalid(err, "route %s: %s %lld is more than %lld", dst, key,
					  (long long)value, (long long)max);
}

static int check_route(const struct cni_route *route, struct cni_error *err)
{
	struct cni_prefix net = { cni_prefix_network(&route->dst), route->dst.len };
	char dst[CNI_PREFIX_STRLEN], text[CNI_PREFIX_STRLEN];
	int r;

	cni_prefix_format(&route->dst, dst);
	/* Of IPv6 the kernel clears them itself; of IPv4 it says "invalid argument". */
	if (net.ip.family == AF_INET && cni_ip_cmp(&net.ip, &route->dst.ip) != 0) {
		r = cni_invalid(err, "route %s: the destination has host bits", dst);
		cni_error_detail(err, "\"dst\" of the network is %s",
				 cni_prefix_format(&net, text));
		return r;
	}
	if (route->gw.family != AF_UNSPEC && route->gw.family != net.ip.family)
		return cni_invalid(err, "route %s: gateway %s is of the other IP family", dst,
				   cni_ip_format(&route->gw, text));
	if (route->has_scope && (route->scope < 0 || route->scope > UINT8_MAX))
		return cni_invalid(err, "route %s: scope %lld is not in 0..255", dst,
				   (long long)route->scope);
	r = check_number(dst, "mtu", route->mtu, UINT32_MAX, err);
	if (r == 0)
		r = check_number(dst, "advmss", route->advmss, UINT32_MAX, err);
	if (r == 0)
		r = check_number(dst, "priority", route->priority, UINT32_MAX, err);
	if (r == 0 && route->has_table)
		r = check_number(dst, "table", route->table, UINT32_MAX, err);
	return r;
}

int cni_routes_check(const struct cni_result *res, struct cni_error *err)
{
	int r = 0;

	for (size_t i = 0; i < res->n_routes && r == 0; i++)
		r = check_route(&res->routes[i], err);
	return r;
}

/* Where a route leads; NULL = the destination is on the link. */
static const struct cni_ip *gateway_of(const struct cni_result *res, const struct cni_route *route)
{
	if (route->gw.family != AF_UNSPEC)
		return cni_ip_is_zero(&route->gw) ? NULL : &route->gw;
	/* The kernel takes no gateway in a scope that ends at the link. IPv6 has no scopes. */
	if (route->dst.ip.family == AF_INET && route->has_scope && route->scope >= RT_SCOPE_LINK)
		return NULL;
	for (size_t i = 0; i < res->n_ips; i++)
		if (res->ips[i].gateway.family == route->dst.ip.family)
			return &res->ips[i].gateway;
	return NULL;
}

/* Whether two routes are one to the kernel, but for the gateway. */
static bool joins(const struct cni_result *res, const struct cni_route *a,
		  const struct cni_route *b)
{
	struct cni_ip x = cni_prefix_network(&a->dst), y = cni_prefix_network(&b->dst);

	return a->dst.len == b->dst.len && cni_ip_cmp(&x, &y) == 0 &&
	       cni_route_table(a) == cni_route_table(b) && a->priority == b->priority &&
	       (a->has_scope ? a->scope : 0) == (b->has_scope ? b->scope : 0) && a->mtu == b->mtu &&
	       a->advmss == b->advmss && !gateway_of(res, a) == !gateway_of(res, b);
}

static bool joins_earlier(const struct cni_result *res, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (joins(res, &res->routes[i], &res->routes[at]))
			return true;
	return false;
}

/* The gateways of a route and of those after it that join it, each once. */
static size_t collect_paths(const struct cni_result *res, size_t at, const struct cni_ip **paths)
{
	size_t n = 0;

	for (size_t i = at; i < res->n_routes; i++) {
		const struct cni_ip *gw = gateway_of(res, &res->routes[i]);
		bool take = gw && joins(res, &res->routes[at], &res->routes[i]);

		for (size_t k = 0; k < n && take; k++)
			take = cni_ip_cmp(paths[k], gw) != 0;
		if (take)
			paths[n++] = gw;
	}
	return n;
}

static int add_failed(struct cni_nl *nl, struct cni_error *err, int r, const struct cni_link *link,
		      const struct cni_route *route, const struct cni_ip *const *paths, size_t n)
{
	char dst[CNI_PREFIX_STRLEN], via[CNI_IP_STRLEN] = "<nil>", more[32] = "";

	if (n > 0)
		cni_ip_format(paths[0], via);
	if (n > 1)
		snprintf(more, sizeof(more), " and %zu more", n - 1);
	return cni_nl_fail(nl, err, r, "failed to add route '%s via %s%s dev %s metric %lld'",
			   cni_prefix_format(&route->dst, dst), via, more, link->name,
			   (long long)route->priority);
}

static bool is_in_subnet(const struct cni_result *res, const struct cni_ip *gw)
{
	bool inside = false;

	for (size_t i = 0; i < res->n_ips; i++) {
		if (cni_ip_cmp(&res->ips[i].gateway, gw) == 0)
			return false; /* there is a route to it */
		inside |= cni_prefix_contains(&res->ips[i].address, gw);
	}
	return inside;
}

/* Whether a gateway is on the link, though nothing but its subnet says so. */
static bool any_in_subnet(const struct cni_result *res, const struct cni_ip *const *paths, size_t n)
{
	while (n > 0)
		if (is_in_subnet(res, paths[--n]))
			return true;
	return false;
}

int cni_routes_add(struct cni_nl *nl, const struct cni_link *link,
		   const struct cni_iface_mode *mode, const struct cni_result *res,
		   struct cni_error *err)
{
	cni_auto(paths) const struct cni_ip **paths = NULL;

	if (res->n_routes == 0)
		return 0;
	paths = calloc(res->n_routes, sizeof(const struct cni_ip *));
	if (!paths)
		return cni_fail(err, CNI_E_INTERNAL, ENOMEM, "add routes");
	for (size_t i = 0; i < res->n_routes; i++) {
		size_t n;
		int r;

		if (joins_earlier(res, i))
			continue;
		n = collect_paths(res, i, paths);
		r = cni_route_add(nl, link->index, &res->routes[i], paths, n,
				  mode->alone && any_in_subnet(res, paths, n));
		if (r < 0)
			return add_failed(nl, err, r, link, &res->routes[i], paths, n);
	}
	return 0;
}
