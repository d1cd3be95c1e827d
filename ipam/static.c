/*
 * static: gives the addresses that the configuration or the runtime names. Keeps no state.
 *
 * Keys of "ipam":
 *   addresses   list of {address: CIDR, gateway: IP}
 *   routes      copied to the result
 *   dns         copied to the result
 * CNI_ARGS IP (list of CIDRs separated by commas) adds addresses, CNI_ARGS GATEWAY gives these their
 * gateways; a non-empty args.cni.ips replaces all of that, a non-empty runtimeConfig.ips everything.
 */
#include "conf.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

struct static_conf {
	json_t *addresses, *routes, *dns; /* borrowed */
};

/* ---- configuration ---- */

static int static_refuse(unsigned int code, const char *key, const char *text,
			 struct cni_error *err)
{
	return cni_fail(err, code, 0,
			"the '%s' field is expected to be in CIDR notation, got: '%s'", key, text);
}

static int static_add_configured(json_t *obj, struct cni_result *res, struct cni_error *err)
{
	struct {
		const char *address, *gateway, *version;
	} in = { "", "", "" };
	static const struct cni_json_field fields[] = {
		{ "address", CNI_JSON_STRING, offsetof(__typeof__(in), address) },
		{ "gateway", CNI_JSON_STRING, offsetof(__typeof__(in), gateway) },
		{ "version", CNI_JSON_STRING, offsetof(__typeof__(in), version) },
	};
	struct cni_ipconf ip = { .iface = CNI_NO_IFACE };
	int r;

	if (!json_is_object(obj))
		return cni_invalid(err, "ipam.addresses: expected a list of objects");
	r = cni_json_read(obj, "ipam.addresses[].", fields, CNI_ARRAY_SIZE(fields), &in, err);
	if (r < 0)
		return r;
	if (cni_prefix_parse(in.address, &ip.address) < 0)
		return static_refuse(CNI_E_CONFIG, "address", in.address, err);
	if (*in.gateway && cni_ip_parse(in.gateway, &ip.gateway) < 0)
		return cni_invalid(err, "invalid IP address: %s", in.gateway);
	return cni_result_add_ip(res, &ip);
}

/* Take the next item of a list separated by commas, blanks trimmed; NULL at the end. */
static const char *static_next_item(struct cni_env_arg *list, char *buf, size_t size)
{
	const char *from = list->value, *comma;
	size_t len = list->len;

	if (!from)
		return NULL;
	comma = memchr(from, ',', len);
	if (comma)
		len = (size_t)(comma - from);
	list->value = comma ? comma + 1 : NULL;
	list->len -= comma ? len + 1 : len;
	for (; len && isspace((unsigned char)*from); from++)
		len--;
	while (len && isspace((unsigned char)from[len - 1]))
		len--;
	if (len >= size)
		len = size - 1;
	memcpy(buf, from, len);
	buf[len] = '\0';
	return buf;
}

/* CNI_ARGS: addresses, and the gateways of their subnets. */
static int static_add_env(const struct cni_args *args, struct cni_result *res,
			  struct cni_error *err)
{
	struct cni_env_arg known[] = { { .key = "IP" }, { .key = "GATEWAY" }, { .key = NULL } };
	char buf[64];
	int r;

	r = cni_env_args_read(args->cni_args, known, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < CNI_ARRAY_SIZE(known); i++)
		if (known[i].len == 0)
			known[i].value = NULL; /* "IP=" is none, not a list of one empty item */
	while (static_next_item(&known[0], buf, sizeof(buf))) {
		struct cni_ipconf ip = { .iface = CNI_NO_IFACE };

		if (cni_prefix_parse(buf, &ip.address) < 0)
			return static_refuse(CNI_E_ENV, "ip", buf, err);
		if (cni_result_add_ip(res, &ip) < 0)
			return cni_fail(err, CNI_E_INTERNAL, ENOMEM, "read CNI_ARGS");
	}
	while (static_next_item(&known[1], buf, sizeof(buf))) {
		struct cni_ip gw;

		if (cni_ip_parse(buf, &gw) < 0)
			return cni_fail(err, CNI_E_ENV, 0, "invalid gateway address: %s", buf);
		for (size_t i = 0; i < res->n_ips; i++)
			if (cni_prefix_contains(&res->ips[i].address, &gw))
				res->ips[i].gateway = gw;
	}
	return 0;
}

/* A list of CIDRs; checked even if it is not used. */
static int static_add_list(const char *where, json_t *list, bool use, struct cni_result *res,
			   struct cni_error *err)
{
	json_t *value;
	size_t i;

	if (list && !json_is_array(list))
		return cni_invalid(err, "%s.ips: expected a list of strings", where);
	json_array_foreach (list, i, value) {
		const char *text = json_string_value(value);
		struct cni_ipconf ip = { .iface = CNI_NO_IFACE };

		if (!text || cni_prefix_parse(text, &ip.address) < 0)
			return cni_invalid(err,
					   "an entry in the 'ips' field is NOT in CIDR notation, "
					   "got: '%s'",
					   text ? text : "no string");
		if (use && cni_result_add_ip(res, &ip) < 0)
			return cni_fail(err, CNI_E_INTERNAL, ENOMEM, "read %s.ips", where);
	}
	return 0;
}

static int static_check_old_version(const struct cni_args *args, const struct cni_result *res,
				    struct cni_error *err)
{
	size_t n4 = 0, n6 = 0;

	for (size_t i = 0; i < res->n_ips; i++) {
		if (res->ips[i].address.ip.family == AF_INET)
			n4++;
		else
			n6++;
	}
	return cni_conf_check_families(args, n4, n6, err);
}

static int static_read_keys(const struct cni_args *args, struct static_conf *c,
			    struct cni_error *err)
{
	static const struct cni_json_field fields[] = {
		{ "addresses", CNI_JSON_ARRAY, offsetof(struct static_conf, addresses) },
		{ "routes", CNI_JSON_ARRAY, offsetof(struct static_conf, routes) },
		{ "dns", CNI_JSON_OBJECT, offsetof(struct static_conf, dns) },
	};
	int r;

	r = cni_conf_check_types(args, err);
	if (r < 0)
		return r;
	if (!cni_conf_ipam(args))
		return cni_invalid(err, "IPAM config missing 'ipam' key");
	return cni_json_read(cni_conf_ipam(args), "ipam.", fields, CNI_ARRAY_SIZE(fields), c, err);
}

/* Addresses of the last source that has any; those of an overridden one need not be valid. */
static int static_read_addresses(const struct cni_args *args, const struct static_conf *c,
				 struct cni_result *res, struct cni_error *err)
{
	cni_auto(result) struct cni_result env = { 0 };
	json_t *cni_ips =
		json_object_get(json_object_get(json_object_get(args->conf, "args"), "cni"), "ips");
	json_t *run_ips = json_object_get(json_object_get(args->conf, "runtimeConfig"), "ips");
	json_t *obj;
	size_t i;
	int r;

	r = static_add_env(args, &env, err);
	if (r < 0)
		return r;
	r = static_add_list("args.cni", cni_ips, json_array_size(run_ips) == 0, res, err);
	if (r < 0)
		return r;
	r = static_add_list("runtimeConfig", run_ips, true, res, err);
	if (r < 0 || res->n_ips > 0)
		return r;
	json_array_foreach (c->addresses, i, obj) {
		r = static_add_configured(obj, res, err);
		if (r < 0)
			return r;
	}
	for (i = 0; i < env.n_ips; i++)
		if (cni_result_add_ip(res, &env.ips[i]) < 0)
			return cni_fail(err, CNI_E_INTERNAL, ENOMEM, "read CNI_ARGS");
	return 0;
}

static int static_read(const struct cni_args *args, struct cni_result *res, struct cni_error *err)
{
	struct static_conf c = { 0 };
	int r;

	r = static_read_keys(args, &c, err);
	if (r < 0)
		return r;
	r = static_read_addresses(args, &c, res, err);
	if (r < 0)
		return r;
	r = cni_result_read_routes(res, c.routes, err);
	if (r < 0)
		return r;
	r = cni_result_set_dns(res, c.dns, err);
	return r < 0 ? r : static_check_old_version(args, res, err);
}

/* ---- verbs ---- */

static int static_add(const struct cni_args *args, struct cni_result *res, struct cni_error *err)
{
	return static_read(args, res, err);
}

/* A chained plugin may have changed the prefix or added to the result, but not taken an address. */
static const struct cni_ipconf *static_find(const struct cni_result *prev, const struct cni_ip *ip)
{
	for (size_t i = 0; i < prev->n_ips; i++)
		if (cni_ip_cmp(&prev->ips[i].address.ip, ip) == 0)
			return &prev->ips[i];
	return NULL;
}

static int static_check(const struct cni_args *args, struct cni_error *err)
{
	cni_auto(result) struct cni_result want = { 0 }, prev = { 0 };
	char text[CNI_IP_STRLEN];
	int r;

	r = static_read(args, &want, err);
	if (r < 0)
		return r;
	r = cni_conf_prev_result(args, &prev, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < want.n_ips; i++) {
		const struct cni_ipconf *w = &want.ips[i];
		const struct cni_ipconf *have = static_find(&prev, &w->address.ip);

		if (have && (w->gateway.family == AF_UNSPEC ||
			     cni_ip_cmp(&have->gateway, &w->gateway) == 0))
			continue;
		r = cni_fail(err, CNI_E_INTERNAL, 0,
			     "static: Failed to match addr %s on interface %s",
			     cni_ip_format(&w->address.ip, text), args->ifname);
		cni_error_detail(err, have ? "prevResult has another gateway for it"
					   : "prevResult does not have it");
		return r;
	}
	return 0;
}

const struct cni_plugin cni_plugin_static = {
	.name = "static",
	.oldest = CNI_V0_1_0,
	.add = static_add,
	.del = cni_noop,
	.check = static_check,
	.gc = cni_noop,
	.status = cni_noop,
};
