/*
 * What every plugin reads from its configuration and CNI_ARGS; see conf.h.
 */
#include "conf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static json_t *object_at(const struct cni_args *args, const char *key, const char *inner)
{
	json_t *obj = json_object_get(args->conf, key);

	return inner ? json_object_get(obj, inner) : obj;
}

int cni_conf_check_types(const struct cni_args *args, struct cni_error *err)
{
	struct {
		json_t *capabilities, *ipam, *dns, *cni_args, *runtime, *prev;
	} in = { 0 };
	static const struct cni_json_field fields[] = {
		{ "capabilities", CNI_JSON_OBJECT, offsetof(__typeof__(in), capabilities) },
		{ "ipam", CNI_JSON_OBJECT, offsetof(__typeof__(in), ipam) },
		{ "dns", CNI_JSON_OBJECT, offsetof(__typeof__(in), dns) },
		{ "args", CNI_JSON_OBJECT, offsetof(__typeof__(in), cni_args) },
		{ "runtimeConfig", CNI_JSON_OBJECT, offsetof(__typeof__(in), runtime) },
		{ "prevResult", CNI_JSON_OBJECT, offsetof(__typeof__(in), prev) },
	};
	struct {
		const char *type;
	} ipam = { 0 };
	static const struct cni_json_field ipam_fields[] = {
		{ "type", CNI_JSON_STRING, offsetof(__typeof__(ipam), type) },
	};
	struct cni_result dns = { 0 };
	const char *key;
	json_t *value;
	int r;

	r = cni_json_read(args->conf, "", fields, CNI_ARRAY_SIZE(fields), &in, err);
	if (r < 0)
		return r;
	json_object_foreach (in.capabilities, key, value)
		if (!json_is_boolean(value))
			return cni_invalid(err, "capabilities.%s: expected true or false", key);
	r = cni_json_read(in.ipam, "ipam.", ipam_fields, CNI_ARRAY_SIZE(ipam_fields), &ipam, err);
	if (r < 0)
		return r;
	r = cni_result_set_dns(&dns, in.dns, err);
	cni_result_done(&dns);
	return r;
}

json_t *cni_conf_ipam(const struct cni_args *args)
{
	return object_at(args, "ipam", NULL);
}

const char *cni_conf_ipam_type(const struct cni_args *args)
{
	const char *type = json_string_value(object_at(args, "ipam", "type"));

	return type ? type : "";
}

int cni_conf_require_ipam(const struct cni_args *args, const char *missing, struct cni_error *err)
{
	if (*cni_conf_ipam_type(args))
		return 0;
	cni_invalid(err, "%s", missing);
	cni_error_detail(err, "\"ipam\" needs a \"type\": the plugin that gives addresses");
	return -EINVAL;
}

int cni_conf_prev_result(const struct cni_args *args, struct cni_result *ret, struct cni_error *err)
{
	static const char *const families[] = {
		[CNI_SHAPE_IP4_IP6] = " 0.1.0 0.2.0", /* the first is "" */
		[CNI_SHAPE_LISTS] = "0.3.0 0.3.1 0.4.0",
		[CNI_SHAPE_MODERN] = "1.0.0 1.1.0",
	};
	enum cni_shape shape = cni_version_shape(args->version);
	json_t *prev = object_at(args, "prevResult", NULL);
	const char *text = json_string_value(json_object_get(prev, "cniVersion"));
	enum cni_version v;
	int r;

	if (!prev) {
		cni_fail(err, CNI_E_CONFIG, 0, "Required prevResult missing");
		return -ENOENT;
	}
	if (text && *text && (cni_version_find(text, &v) < 0 || cni_version_shape(v) != shape))
		return cni_invalid(err,
				   "could not parse prevResult: result type supports [%s] but "
				   "unmarshalled CNIVersion is \"%s\"",
				   families[shape], text);
	r = cni_result_read(prev, args->version, ret, err);
	if (r < 0)
		cni_error_prefix(err, "could not parse prevResult");
	return r;
}

int cni_conf_chained(const struct cni_args *args, const char *missing, struct cni_result *ret,
		     struct cni_error *err)
{
	if (object_at(args, "prevResult", NULL))
		return cni_conf_prev_result(args, ret, err);
	cni_fail(err, CNI_E_CONFIG, 0, "%s", missing);
	cni_error_detail(
		err,
		"%s works on what the plugins before it made: it has to stand behind one of "
		"them in the network's list of plugins",
		args->plugin->name);
	return -ENOENT;
}

int cni_conf_apply_dns(const struct cni_args *args, struct cni_result *res, struct cni_error *err)
{
	json_t *dns = object_at(args, "dns", NULL);

	if (!json_object_get(dns, "nameservers") && !json_object_get(dns, "search") &&
	    !json_object_get(dns, "options") && !json_string_length(json_object_get(dns, "domain")))
		return 0;
	return cni_result_set_dns(res, dns, err);
}

int cni_conf_only_dns(const struct cni_args *args, struct cni_result *res, struct cni_error *err)
{
	json_decref(res->dns);
	res->dns = NULL;
	return cni_result_set_dns(res, object_at(args, "dns", NULL), err);
}

int cni_conf_mac(const struct cni_args *args, const char *own, const char *making,
		 uint8_t ret[static CNI_MAC_LEN], struct cni_error *err)
{
	struct cni_env_arg known[] = { { .key = "MAC" }, { .key = NULL } };
	json_t *cni = object_at(args, "args", "cni");
	json_t *sources[] = {
		json_object_get(cni, "mac"),
		object_at(args, "runtimeConfig", "mac"),
	};
	char buf[64]; /* what does not fit is no MAC, also when it is cut */
	const char *text = buf;
	int r;

	r = cni_env_args_read(args->cni_args, known, err);
	if (r < 0)
		return r;
	if (cni && !json_is_object(cni))
		return cni_invalid(err, "args.cni: expected an object");
	snprintf(buf, sizeof(buf), "%.*s", (int)known[0].len, known[0].value ? known[0].value : "");
	for (size_t i = 0; i < CNI_ARRAY_SIZE(sources); i++) {
		if (sources[i] && !json_is_string(sources[i]))
			return cni_invalid(err, "mac: expected a string");
		if (json_string_length(sources[i]))
			text = json_string_value(sources[i]);
	}
	if (!*text)
		text = own;
	if (!*text)
		return 0;
	if (cni_mac_parse(text, ret) < 0)
		return cni_invalid(err, "%s: address %s: invalid MAC address", making, text);
	if (ret[0] & 1)
		return cni_invalid(err, "%s: address %s is a multicast MAC", making, text);
	return 1;
}

int cni_conf_check_layer2(const struct cni_args *args, struct cni_error *err)
{
	struct cni_result empty = { 0 };
	cni_auto(json) json_t *obj = NULL;

	return cni_result_to_json(&empty, args->version, &obj, err);
}

int cni_conf_check_families(const struct cni_args *args, size_t n4, size_t n6,
			    struct cni_error *err)
{
	if (args->version < CNI_V0_3_0 && (n4 > 1 || n6 > 1))
		return cni_invalid(err,
				   "CNI version %s does not support more than 1 address per family",
				   cni_version_name(args->version));
	return 0;
}

/* Go's rule for booleans in CNI_ARGS: 1, true, 0, false, whatever their case. */
static int parse_bool(const char *pair, int pair_len, const char *value, size_t len, bool *ret,
		      struct cni_error *err)
{
	if ((len == 1 && *value == '1') || (len == 4 && strncasecmp(value, "true", 4) == 0)) {
		*ret = true;
	} else if ((len == 1 && *value == '0') ||
		   (len == 5 && strncasecmp(value, "false", 5) == 0)) {
		*ret = false;
	} else {
		cni_fail(err, CNI_E_ENV, 0,
			 "ARGS: error parsing value of pair \"%.*s\": boolean unmarshal "
			 "error: invalid input %.*s",
			 pair_len, pair, (int)len, value);
		return -EINVAL;
	}
	return 0;
}

static struct cni_env_arg *find_arg(struct cni_env_arg *known, const char *key, size_t len)
{
	for (; known->key; known++)
		if (strlen(known->key) == len && memcmp(known->key, key, len) == 0)
			return known;
	return NULL;
}

int cni_env_args_read(const char *text, struct cni_env_arg *known, struct cni_error *err)
{
	cni_auto(buf) struct cni_buf unknown = { 0 };
	bool ignore = false;

	for (const char *p = text; *text; p += strcspn(p, ";") + 1) {
		size_t len = strcspn(p, ";"), key_len;
		const char *eq = memchr(p, '=', len);
		struct cni_env_arg *arg;

		if (!eq || memchr(eq + 1, '=', (size_t)(p + len - eq - 1))) {
			cni_fail(err, CNI_E_ENV, 0, "ARGS: invalid pair \"%.*s\"", (int)len, p);
			return -EINVAL;
		}
		key_len = (size_t)(eq - p);
		arg = find_arg(known, p, key_len);
		if (arg) {
			arg->value = eq + 1;
			arg->len = len - key_len - 1;
		} else if (key_len == 13 && memcmp(p, "IgnoreUnknown", 13) == 0) {
			int r = parse_bool(p, (int)len, eq + 1, len - key_len - 1, &ignore, err);

			if (r < 0)
				return r;
		} else {
			cni_buf_printf(&unknown, "%s\"%.*s\"", unknown.len ? " " : "", (int)len, p);
		}
		if (!p[len])
			break;
	}
	if (unknown.len && !ignore) {
		cni_fail(err, CNI_E_ENV, 0, "ARGS: unknown args [%s]", unknown.data);
		cni_error_detail(err, "IgnoreUnknown=1 in CNI_ARGS accepts them");
		return -EINVAL;
	}
	return 0;
}

static const char *const valid_keys[] = { "cni.dev/valid-attachments", "cni.dev/attachments" };

static json_t *valid_list(const struct cni_args *args)
{
	json_t *list = NULL;

	for (size_t i = 0; i < CNI_ARRAY_SIZE(valid_keys) && !list; i++)
		list = object_at(args, valid_keys[i], NULL);
	return list;
}

bool cni_conf_next_valid(const struct cni_args *args, size_t *at, struct cni_valid *ret)
{
	json_t *one = json_array_get(valid_list(args), *at);

	if (!one)
		return false;
	(*at)++;
	ret->containerid = json_string_value(json_object_get(one, "containerID"));
	ret->ifname = json_string_value(json_object_get(one, "ifname"));
	return true;
}

/* The normal form has no nulls, so that one is looked for in what came in. */
static bool valid_is_null(const struct cni_args *args)
{
	cni_auto(json) json_t *raw = json_loadb(args->config, args->config_len, 0, NULL);

	for (size_t i = 0; i < CNI_ARRAY_SIZE(valid_keys); i++)
		if (json_is_null(json_object_get(raw, valid_keys[i])))
			return true;
	return false;
}

int cni_conf_knows_valid(const struct cni_args *args, struct cni_error *err)
{
	json_t *list = valid_list(args);
	struct cni_valid one;
	size_t at = 0;

	if (!list)
		return valid_is_null(args);
	if (!json_is_array(list))
		return cni_invalid(err, "%s: expected a list", valid_keys[0]);
	while (cni_conf_next_valid(args, &at, &one))
		if (!one.containerid || !one.ifname)
			return cni_invalid(
				err, "%s[%zu]: expected an object with containerID and ifname",
				valid_keys[0], at - 1);
	return 1;
}
