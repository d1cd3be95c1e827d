/*
 * The result of an ADD: the model, and printing it in every version's form. Reading: result_read.c.
 */
#include "result.h"

#include <errno.h>
#include <string.h>

/* ---- the model ---- */

static void iface_done(struct cni_iface *i)
{
	free(i->name);
	free(i->mac);
	free(i->sandbox);
	free(i->socket_path);
	free(i->pci_id);
}

bool cni_result_has_family(const struct cni_result *res, sa_family_t family)
{
	for (size_t i = 0; i < res->n_ips; i++)
		if (res->ips[i].address.ip.family == family)
			return true;
	return false;
}

void cni_result_drop_ifaces(struct cni_result *res)
{
	for (size_t i = 0; i < res->n_ifaces; i++)
		iface_done(&res->ifaces[i]);
	free(res->ifaces);
	res->ifaces = NULL;
	res->n_ifaces = 0;
}

void cni_result_done(struct cni_result *res)
{
	cni_result_drop_ifaces(res);
	free(res->ips);
	free(res->routes);
	json_decref(res->dns);
	*res = (struct cni_result){ 0 };
}

/* Make the list one longer; the new last element is zero. */
static void *grow(void *list, size_t n, size_t size)
{
	char *more = realloc(list, (n + 1) * size);

	if (more)
		memset(more + n * size, 0, size);
	return more;
}

static bool copy_text(char **to, const char *from)
{
	if (!from)
		return true;
	*to = strdup(from);
	return *to != NULL;
}

int cni_result_add_iface(struct cni_result *res, const char *name, const char *mac,
			 const char *sandbox)
{
	struct cni_iface *list = grow(res->ifaces, res->n_ifaces, sizeof(*list)), *last;

	if (!list)
		return -ENOMEM;
	res->ifaces = list;
	last = &list[res->n_ifaces];
	if (!copy_text(&last->name, name) || !copy_text(&last->mac, mac) ||
	    !copy_text(&last->sandbox, sandbox)) {
		iface_done(last);
		return -ENOMEM;
	}
	res->n_ifaces++;
	return 0;
}

int cni_result_add_ip(struct cni_result *res, const struct cni_ipconf *ip)
{
	struct cni_ipconf *list = grow(res->ips, res->n_ips, sizeof(*list));

	if (!list)
		return -ENOMEM;
	res->ips = list;
	list[res->n_ips++] = *ip;
	return 0;
}

int cni_result_add_route(struct cni_result *res, const struct cni_route *route)
{
	struct cni_route *list = grow(res->routes, res->n_routes, sizeof(*list));

	if (!list)
		return -ENOMEM;
	res->routes = list;
	list[res->n_routes++] = *route;
	return 0;
}

/* ---- printing: keys are inserted in the order in which Go prints them ---- */

static void put_text(json_t *obj, const char *key, const char *text)
{
	if (text && *text)
		json_object_set_new(obj, key, json_string_nocheck(text));
}

static void put_int(json_t *obj, const char *key, json_int_t value, bool present)
{
	if (present)
		json_object_set_new(obj, key, json_integer(value));
}

static void put_list(json_t *obj, const char *key, json_t *list_take)
{
	if (json_array_size(list_take))
		json_object_set_new(obj, key, list_take);
	else
		json_decref(list_take);
}

static void put_ip(json_t *obj, const char *key, const struct cni_ip *ip)
{
	char text[CNI_IP_STRLEN];

	if (ip->family != AF_UNSPEC)
		put_text(obj, key, cni_ip_format(ip, text));
}

static void put_prefix(json_t *obj, const char *key, const struct cni_prefix *p)
{
	char text[CNI_PREFIX_STRLEN];

	put_text(obj, key, cni_prefix_format(p, text));
}

static json_t *dns_json(const struct cni_result *res, enum cni_shape shape)
{
	static const char *const modern[] = { "domain", "nameservers", "options", "search" };
	static const char *const lists[] = { "nameservers", "domain", "search", "options" };
	const char *const *order = shape == CNI_SHAPE_MODERN ? modern : lists;
	json_t *dns = json_object();

	for (size_t i = 0; i < CNI_ARRAY_SIZE(modern); i++) {
		json_t *value = json_object_get(res->dns, order[i]);

		if (json_array_size(value) || json_string_length(value))
			json_object_set(dns, order[i], value);
	}
	return dns;
}

static json_t *ifaces_json(const struct cni_result *res, enum cni_shape shape)
{
	json_t *list = json_array();

	for (size_t i = 0; i < res->n_ifaces; i++) {
		const struct cni_iface *f = &res->ifaces[i];
		json_t *obj = json_object();

		if (shape == CNI_SHAPE_MODERN) {
			put_text(obj, "mac", f->mac);
			put_int(obj, "mtu", f->mtu, f->mtu != 0);
		}
		json_object_set_new(obj, "name", json_string_nocheck(f->name ? f->name : ""));
		if (shape == CNI_SHAPE_MODERN)
			put_text(obj, "pciID", f->pci_id);
		else
			put_text(obj, "mac", f->mac);
		put_text(obj, "sandbox", f->sandbox);
		if (shape == CNI_SHAPE_MODERN)
			put_text(obj, "socketPath", f->socket_path);
		json_array_append_new(list, obj);
	}
	return list;
}

static json_t *ips_json(const struct cni_result *res, enum cni_shape shape)
{
	json_t *list = json_array();

	for (size_t i = 0; i < res->n_ips; i++) {
		const struct cni_ipconf *ip = &res->ips[i];
		json_t *obj = json_object();

		if (shape == CNI_SHAPE_LISTS) {
			put_text(obj, "version", ip->address.ip.family == AF_INET ? "4" : "6");
			put_int(obj, "interface", ip->iface, ip->iface != CNI_NO_IFACE);
		}
		put_prefix(obj, "address", &ip->address);
		put_ip(obj, "gateway", &ip->gateway);
		if (shape == CNI_SHAPE_MODERN)
			put_int(obj, "interface", ip->iface, ip->iface != CNI_NO_IFACE);
		json_array_append_new(list, obj);
	}
	return list;
}

static json_t *routes_json(const struct cni_result *res, enum cni_shape shape)
{
	json_t *list = json_array();

	for (size_t i = 0; i < res->n_routes; i++) {
		const struct cni_route *r = &res->routes[i];
		json_t *obj = json_object();

		if (shape == CNI_SHAPE_MODERN)
			put_int(obj, "advmss", r->advmss, r->advmss != 0);
		put_prefix(obj, "dst", &r->dst);
		put_ip(obj, "gw", &r->gw);
		put_int(obj, "mtu", r->mtu, r->mtu != 0);
		if (shape == CNI_SHAPE_LISTS)
			put_int(obj, "advmss", r->advmss, r->advmss != 0);
		put_int(obj, "priority", r->priority, r->priority != 0);
		if (shape == CNI_SHAPE_LISTS)
			put_int(obj, "table", r->table, r->has_table);
		put_int(obj, "scope", r->scope, r->has_scope);
		if (shape == CNI_SHAPE_MODERN)
			put_int(obj, "table", r->table, r->has_table);
		json_array_append_new(list, obj);
	}
	return list;
}

/* 0.1.0 and 0.2.0: the first address of each family, with the routes of that family. */
static bool put_family(json_t *obj, const char *key, const struct cni_result *res,
		       sa_family_t family)
{
	json_t *list, *part;
	size_t i;

	for (i = 0; i < res->n_ips && res->ips[i].address.ip.family != family; i++)
		;
	if (i == res->n_ips)
		return false;
	part = json_object();
	put_prefix(part, "ip", &res->ips[i].address);
	put_ip(part, "gateway", &res->ips[i].gateway);
	list = json_array();
	for (i = 0; i < res->n_routes; i++) {
		json_t *route;

		if (res->routes[i].dst.ip.family != family)
			continue;
		route = json_object();
		put_prefix(route, "dst", &res->routes[i].dst);
		put_ip(route, "gw", &res->routes[i].gw);
		json_array_append_new(list, route);
	}
	put_list(part, "routes", list);
	json_object_set_new(obj, key, part);
	return true;
}

int cni_result_to_json(const struct cni_result *res, enum cni_version v, json_t **ret,
		       struct cni_error *err)
{
	enum cni_shape shape = cni_version_shape(v);
	cni_auto(json) json_t *obj = json_object();

	put_text(obj, "cniVersion", cni_version_name(v));
	switch (shape) {
	case CNI_SHAPE_IP4_IP6: {
		bool any4 = put_family(obj, "ip4", res, AF_INET);
		bool any6 = put_family(obj, "ip6", res, AF_INET6);

		if (!any4 && !any6) {
			cni_fail(err, CNI_E_INTERNAL, 0, "cannot convert: no valid IP addresses");
			cni_error_detail(err, "results of cniVersion %s need an address",
					 cni_version_name(v));
			return -EINVAL;
		}
		break;
	}
	case CNI_SHAPE_LISTS:
		put_list(obj, "interfaces", ifaces_json(res, shape));
		put_list(obj, "ips", ips_json(res, shape));
		put_list(obj, "routes", routes_json(res, shape));
		break;
	case CNI_SHAPE_MODERN: {
		json_t *dns = dns_json(res, shape);

		if (json_object_size(dns))
			json_object_set(obj, "dns", dns);
		json_decref(dns);
		put_list(obj, "interfaces", ifaces_json(res, shape));
		put_list(obj, "ips", ips_json(res, shape));
		put_list(obj, "routes", routes_json(res, shape));
		break;
	}
	}
	if (shape != CNI_SHAPE_MODERN)
		json_object_set_new(obj, "dns", dns_json(res, shape));
	if (!obj)
		return cni_fail(err, CNI_E_INTERNAL, ENOMEM, "print result");
	*ret = CNI_TAKE(obj);
	return 0;
}
