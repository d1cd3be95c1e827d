/*
 * tuning: its configuration; see tuning.h.
 */
#include "allowlist.h"
#include "conf.h"
#include "files.h"
#include "names.h"
#include "tuning.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DATA_DIR "/run/cni/tuning"
#define ALLOWLIST "/etc/cni/tuning/allowlist.conf"
#define ALLOWLIST_MAX (1u << 20)

int tuning_read_data_dir(const struct cni_args *args, struct tuning_conf *c, struct cni_error *err)
{
	static const struct cni_json_field field = { "dataDir", CNI_JSON_STRING,
						     offsetof(struct tuning_conf, data_dir) };
	int r = cni_json_read(args->conf, "", &field, 1, c, err);

	if (!c->data_dir || !*c->data_dir)
		c->data_dir = DATA_DIR;
	return r;
}

/* The keys that the configuration and args.cni have in common. */
static int tuning_read_place(json_t *obj, const char *where, json_t **sysctl, struct tuning_conf *c,
			     struct cni_error *err)
{
	static const struct cni_json_field fields[] = {
		{ "mac", CNI_JSON_STRING, offsetof(struct tuning_conf, mac) },
		{ "mtu", CNI_JSON_INT, offsetof(struct tuning_conf, mtu) },
		{ "promisc", CNI_JSON_BOOL, offsetof(struct tuning_conf, promisc) },
		{ "allmulti", CNI_JSON_BOOL, offsetof(struct tuning_conf, allmulti) },
		{ "txQLen", CNI_JSON_INT, offsetof(struct tuning_conf, txqlen) },
	};
	static const struct cni_json_field map = { "sysctl", CNI_JSON_OBJECT, 0 };
	const char *key;
	json_t *value;
	int r;

	r = cni_json_read(obj, where, fields, CNI_ARRAY_SIZE(fields), c, err);
	if (r == 0)
		r = cni_json_read(obj, where, &map, 1, sysctl, err);
	if (r < 0)
		return r;
	json_object_foreach (*sysctl, key, value)
		if (!json_is_string(value))
			return cni_invalid(err, "%ssysctl.%s: expected a string", where, key);
	c->want.set |= json_object_get(obj, "allmulti") ? CNI_LINK_ALLMULTI : 0;
	c->want.set |= json_object_get(obj, "txQLen") ? CNI_LINK_TXQLEN : 0;
	return 0;
}

static int tuning_read_env(const struct cni_args *args, struct tuning_conf *c,
			   struct cni_error *err)
{
	struct cni_env_arg known[] = { { .key = "MAC" }, { .key = NULL } };
	int r = cni_env_args_read(args->cni_args, known, err);

	if (r == 0)
		snprintf(c->env_mac, sizeof(c->env_mac), "%.*s", (int)known[0].len,
			 known[0].value ? known[0].value : "");
	return r;
}

/* All places, the weakest first. */
static int tuning_read_places(const struct cni_args *args, struct tuning_conf *c,
			      struct cni_error *err)
{
	static const struct cni_json_field mac = { "mac", CNI_JSON_STRING, 0 };
	json_t *from_args = json_object_get(json_object_get(args->conf, "args"), "cni");
	const char *runtime_mac = "";
	int r;

	r = cni_conf_check_types(args, err);
	if (r == 0)
		r = tuning_read_data_dir(args, c, err);
	if (r == 0)
		r = tuning_read_place(args->conf, "", &c->from_conf, c, err);
	if (r == 0)
		r = cni_json_read(json_object_get(args->conf, "runtimeConfig"), "runtimeConfig.",
				  &mac, 1, &runtime_mac, err);
	if (r < 0)
		return r;
	if (*c->env_mac)
		c->mac = c->env_mac;
	if (*runtime_mac)
		c->mac = runtime_mac;
	if (from_args && !json_is_object(from_args))
		return cni_invalid(err, "args.cni: expected an object");
	return tuning_read_place(from_args, "args.cni.", &c->from_args, c, err);
}

static int tuning_check_attrs(struct tuning_conf *c, struct cni_error *err)
{
	static const uint8_t zero[CNI_MAC_LEN];

	if (c->mtu < 0 || c->mtu > INT32_MAX)
		return cni_invalid(err, "mtu: %lld is out of range", (long long)c->mtu);
	/* -1 is what the longest queue looks like, and is taken for it. */
	if (c->txqlen < -1 || c->txqlen > UINT32_MAX)
		return cni_invalid(err, "txQLen: %lld is out of range", (long long)c->txqlen);
	c->want.mtu = (unsigned int)c->mtu;
	c->want.txqlen = (uint32_t)c->txqlen;
	c->want.promisc = c->promisc;
	c->want.allmulti = c->allmulti;
	c->want.set |= c->mtu ? CNI_LINK_MTU : 0;
	c->want.set |= c->promisc ? CNI_LINK_PROMISC : 0;
	if (!*c->mac)
		return 0;
	if (cni_mac_parse(c->mac, c->want.mac) < 0)
		return cni_invalid(err,
				   "invalid args %s for MAC addr: address %s: invalid MAC address",
				   c->mac, c->mac);
	if (c->want.mac[0] & 1 || memcmp(c->want.mac, zero, CNI_MAC_LEN) == 0)
		return cni_invalid(err, "invalid args %s for MAC addr: not the address of one host",
				   c->mac);
	c->want.set |= CNI_LINK_MAC;
	return 0;
}

/* @return what args.cni sets a parameter to, however it spells it; NULL = nothing */
static const char *tuning_overriding(const struct tuning_conf *c, const char *ifname,
				     const char *path)
{
	char other[CNI_SYSCTL_PATH_LEN];
	const char *key;
	json_t *value;

	json_object_foreach (c->from_args, key, value)
		if (cni_sysctl_path(key, ifname, other) == 0 && strcmp(other, path) == 0)
			return json_string_value(value);
	return NULL;
}

/* One parameter can be spelled in several ways, but not meant in two. */
static int tuning_add_sysctl(struct tuning_conf *c, const char *key, const char *value,
			     const char *path, struct cni_error *err)
{
	struct cni_sysctl *s;

	for (s = c->sysctl; s < c->sysctl + c->n_sysctl; s++) {
		if (strcmp(s->path, path) != 0)
			continue;
		if (strcmp(s->value, value) != 0)
			return cni_invalid(err, "sysctl.%s: the same parameter is \"%s\" already",
					   key, s->value);
		return 0;
	}
	cni_sysctl_init(s, value, false, "%s", path);
	c->n_sysctl++;
	return 0;
}

static int tuning_read_sysctl(const struct cni_args *args, struct tuning_conf *c,
			      struct cni_error *err)
{
	char path[CNI_SYSCTL_PATH_LEN];
	const char *key;
	json_t *value;
	int r;

	c->all = json_object();
	if (!c->all || (c->from_conf && json_object_update(c->all, c->from_conf) < 0) ||
	    (c->from_args && json_object_update(c->all, c->from_args) < 0))
		return cni_fail(err, CNI_E_INTERNAL, ENOMEM, "read sysctl");
	c->sysctl = calloc(json_object_size(c->all) + 1, sizeof(*c->sysctl));
	if (!c->sysctl)
		return cni_fail(err, CNI_E_INTERNAL, ENOMEM, "read sysctl");
	c->n_sysctl = 0;
	json_object_foreach (c->all, key, value) {
		const char *text = json_string_value(value), *over;

		r = cni_sysctl_path(key, args->ifname, path);
		if (r < 0)
			return cni_invalid(err, "invalid net sysctl key: \"%s\"", path);
		over = tuning_overriding(c, args->ifname, path);
		if (over && !json_object_get(c->from_args, key))
			text = over;
		r = tuning_add_sysctl(c, key, text, path + strlen("net/"), err);
		if (r < 0)
			return r;
	}
	return 0;
}

int tuning_read(const struct cni_args *args, struct tuning_conf *c, struct cni_error *err)
{
	int r;

	*c = (struct tuning_conf){ .mac = "" };
	if (json_object_get(args->conf, "sysctl") &&
	    cni_json_repeats(args->config, args->config_len, "sysctl"))
		return cni_invalid(err, "duplicated sysctl keys are not allowed");
	r = tuning_read_env(args, c, err);
	if (r < 0)
		return r;
	r = tuning_read_places(args, c, err);
	if (r < 0) {
		cni_error_prefix(err, "failed to load netconf");
		return r;
	}
	r = tuning_check_attrs(c, err);
	return r < 0 ? r : tuning_read_sysctl(args, c, err);
}

int tuning_check_allowed(const struct tuning_conf *c, struct cni_error *err)
{
	cni_auto(buf) struct cni_buf list = { 0 };
	const char *key;
	json_t *value;
	int r;

	if (c->n_sysctl == 0)
		return 0;
	r = cni_file_read(ALLOWLIST, ALLOWLIST_MAX, &list);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return cni_fail(err, CNI_E_CONFIG, -r, "read %s", ALLOWLIST);
	json_object_foreach (c->all, key, value) {
		r = cni_allowlist_check(list.data, list.len, key, err);
		if (r < 0) {
			cni_error_detail(err, "%s has the patterns of what is allowed", ALLOWLIST);
			return r;
		}
	}
	return 0;
}
