/*
 * Reading results of every version: a delegate's output, and prevResult. See result.h.
 */
#include "result.h"

#include <errno.h>
#include <string.h>

/* An address or prefix may be absent or "" where Go calls that "unset". */
static int read_ip(const char *text, struct cni_ip *ret, struct cni_error *err)
{
	if (!text || !*text)
		return 0;
	if (cni_ip_parse(text, ret) < 0)
		return cni_invalid(err, "invalid IP address: %s", text);
	return 0;
}

static int read_prefix(const char *text, const char *key, struct cni_prefix *ret,
		       struct cni_error *err)
{
	if (!text)
		return cni_invalid(err, "\"%s\" is missing", key);
	if (cni_prefix_parse(text, ret) < 0)
		return cni_invalid(err, "invalid CIDR address: %s", text);
	return 0;
}

static int read_iface(struct cni_result *res, json_t *obj, struct cni_error *err)
{
	struct {
		const char *name, *mac, *sandbox, *socket_path, *pci_id;
		json_int_t mtu;
	} in = { .name = "" };
	static const struct cni_json_field fields[] = {
		{ "name", CNI_JSON_STRING, offsetof(__typeof__(in), name) },
		{ "mac", CNI_JSON_STRING, offsetof(__typeof__(in), mac) },
		{ "sandbox", CNI_JSON_STRING, offsetof(__typeof__(in), sandbox) },
		{ "socketPath", CNI_JSON_STRING, offsetof(__typeof__(in), socket_path) },
		{ "pciID", CNI_JSON_STRING, offsetof(__typeof__(in), pci_id) },
		{ "mtu", CNI_JSON_INT, offsetof(__typeof__(in), mtu) },
	};
	struct cni_iface *last;
	int r;

	r = cni_json_read(obj, "interfaces[].", fields, CNI_ARRAY_SIZE(fields), &in, err);
	if (r < 0)
		return r;
	r = cni_result_add_iface(res, in.name, in.mac, in.sandbox);
	if (r < 0)
		return cni_fail(err, CNI_E_INTERNAL, ENOMEM, "read result");
	last = &res->ifaces[res->n_ifaces - 1];
	last->mtu = in.mtu;
	if (in.socket_path)
		last->socket_path = strdup(in.socket_path);
	if (in.pci_id)
		last->pci_id = strdup(in.pci_id);
	return 0;
}

static int read_ipconf(struct cni_result *res, json_t *obj, struct cni_error *err)
{
	struct {
		const char *address, *gateway;
		json_int_t iface;
	} in = { .iface = CNI_NO_IFACE };
	static const struct cni_json_field fields[] = {
		{ "address", CNI_JSON_STRING, offsetof(__typeof__(in), address) },
		{ "gateway", CNI_JSON_STRING, offsetof(__typeof__(in), gateway) },
		{ "interface", CNI_JSON_INT, offsetof(__typeof__(in), iface) },
	};
	struct cni_ipconf ip = { 0 };
	int r;

	r = cni_json_read(obj, "ips[].", fields, CNI_ARRAY_SIZE(fields), &in, err);
	if (r < 0)
		return r;
	r = read_prefix(in.address, "address", &ip.address, err);
	if (r < 0)
		return r;
	r = read_ip(in.gateway, &ip.gateway, err);
	if (r < 0)
		return r;
	if (in.iface < INT_MIN || in.iface > INT_MAX)
		return cni_invalid(err, "ips[].interface: %lld is no index of an interface",
				   (long long)in.iface);
	ip.iface = (int)in.iface;
	return cni_result_add_ip(res, &ip);
}

static int read_route(struct cni_result *res, json_t *obj, struct cni_error *err)
{
	struct {
		const char *dst, *gw;
		json_int_t mtu, advmss, priority, table, scope;
	} in = { 0 };
	static const struct cni_json_field fields[] = {
		{ "dst", CNI_JSON_STRING, offsetof(__typeof__(in), dst) },
		{ "gw", CNI_JSON_STRING, offsetof(__typeof__(in), gw) },
		{ "mtu", CNI_JSON_INT, offsetof(__typeof__(in), mtu) },
		{ "advmss", CNI_JSON_INT, offsetof(__typeof__(in), advmss) },
		{ "priority", CNI_JSON_INT, offsetof(__typeof__(in), priority) },
		{ "table", CNI_JSON_INT, offsetof(__typeof__(in), table) },
		{ "scope", CNI_JSON_INT, offsetof(__typeof__(in), scope) },
	};
	struct cni_route route = { 0 };
	int r;

	r = cni_json_read(obj, "routes[].", fields, CNI_ARRAY_SIZE(fields), &in, err);
	if (r < 0)
		return r;
	r = read_prefix(in.dst, "dst", &route.dst, err);
	if (r < 0)
		return r;
	r = read_ip(in.gw, &route.gw, err);
	if (r < 0)
		return r;
	route.mtu = in.mtu;
	route.advmss = in.advmss;
	route.priority = in.priority;
	route.table = in.table;
	route.scope = in.scope;
	route.has_table = json_object_get(obj, "table") != NULL;
	route.has_scope = json_object_get(obj, "scope") != NULL;
	return cni_result_add_route(res, &route);
}

/* Call `read` for each member of a list, all of which must be objects. */
static int read_each(struct cni_result *res, json_t *list, const char *key,
		     int (*read)(struct cni_result *, json_t *, struct cni_error *),
		     struct cni_error *err)
{
	json_t *member;
	size_t i;
	int r;

	if (list && !json_is_array(list))
		return cni_invalid(err, "%s: expected a list", key);
	json_array_foreach (list, i, member) {
		if (!json_is_object(member))
			return cni_invalid(err, "%s[%zu]: expected an object", key, i);
		r = read(res, member, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int cni_result_read_routes(struct cni_result *res, json_t *list, struct cni_error *err)
{
	return read_each(res, list, "routes", read_route, err);
}

int cni_result_set_dns(struct cni_result *res, json_t *obj, struct cni_error *err)
{
	struct {
		json_t *nameservers, *search, *options;
		const char *domain;
	} in = { 0 };
	static const struct cni_json_field fields[] = {
		{ "nameservers", CNI_JSON_STRINGS, offsetof(__typeof__(in), nameservers) },
		{ "domain", CNI_JSON_STRING, offsetof(__typeof__(in), domain) },
		{ "search", CNI_JSON_STRINGS, offsetof(__typeof__(in), search) },
		{ "options", CNI_JSON_STRINGS, offsetof(__typeof__(in), options) },
	};
	int r;

	if (!obj)
		return 0;
	if (!json_is_object(obj))
		return cni_invalid(err, "dns: expected an object");
	r = cni_json_read(obj, "dns.", fields, CNI_ARRAY_SIZE(fields), &in, err);
	if (r < 0)
		return r;
	json_decref(res->dns);
	res->dns = json_deep_copy(obj);
	return res->dns ? 0 : cni_fail(err, CNI_E_INTERNAL, ENOMEM, "read dns");
}

/* 0.1.0 and 0.2.0: one address with its routes below "ip4" and "ip6". */
static int read_family(struct cni_result *res, json_t *obj, const char *key, struct cni_error *err)
{
	struct {
		const char *ip, *gateway;
	} in = { 0 };
	static const struct cni_json_field fields[] = {
		{ "ip", CNI_JSON_STRING, offsetof(__typeof__(in), ip) },
		{ "gateway", CNI_JSON_STRING, offsetof(__typeof__(in), gateway) },
	};
	struct cni_ipconf ip = { .iface = CNI_NO_IFACE };
	json_t *part = json_object_get(obj, key);
	int r;

	if (!part)
		return 0;
	if (!json_is_object(part))
		return cni_invalid(err, "%s: expected an object", key);
	r = cni_json_read(part, "", fields, CNI_ARRAY_SIZE(fields), &in, err);
	if (r < 0)
		return r;
	r = read_prefix(in.ip, "ip", &ip.address, err);
	if (r < 0)
		return r;
	r = read_ip(in.gateway, &ip.gateway, err);
	if (r < 0)
		return r;
	r = cni_result_add_ip(res, &ip);
	if (r < 0)
		return r;
	return cni_result_read_routes(res, json_object_get(part, "routes"), err);
}

static int read_lists(struct cni_result *res, json_t *obj, struct cni_error *err)
{
	int r;

	r = read_each(res, json_object_get(obj, "interfaces"), "interfaces", read_iface, err);
	if (r < 0)
		return r;
	r = read_each(res, json_object_get(obj, "ips"), "ips", read_ipconf, err);
	if (r < 0)
		return r;
	return cni_result_read_routes(res, json_object_get(obj, "routes"), err);
}

int cni_result_read(json_t *obj, enum cni_version other, struct cni_result *ret,
		    struct cni_error *err)
{
	cni_auto(result) struct cni_result res = { 0 };
	const char *text = json_string_value(json_object_get(obj, "cniVersion"));
	enum cni_version v = other;
	int r;

	if (text && *text && cni_version_find(text, &v) < 0) {
		cni_fail(err, CNI_E_INTERNAL, 0, "unsupported CNI result version \"%s\"", text);
		return -EINVAL;
	}
	if (cni_version_shape(v) == CNI_SHAPE_IP4_IP6) {
		r = read_family(&res, obj, "ip4", err);
		if (r == 0)
			r = read_family(&res, obj, "ip6", err);
	} else {
		r = read_lists(&res, obj, err);
	}
	if (r == 0)
		r = cni_result_set_dns(&res, json_object_get(obj, "dns"), err);
	if (r < 0)
		return r;
	*ret = res;
	res = (struct cni_result){ 0 };
	return 0;
}
