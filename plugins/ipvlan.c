/*
 * ipvlan: gives a container a link on an interface of the host, its master, and so a place on the network that this is
 * connected to, with the master's own MAC: the kernel tells such links apart by their addresses.
 *
 * Keys (default):
 *   master          string         the interface, by any of its names; absent: the one that the plugin before in the chain
 *                                  made, or that of the default route
 *   mode            string ("l2")  "l2", "l3" or "l3s"; the kernel has one for all links of a master: the latest
 *   mtu             int (0)        bytes; 0 = that of the master
 *   linkInContainer bool (false)   the master is an interface of the container
 *   ipam            object         who gives addresses; absent: those of the plugin before in the chain
 *   dns             object         DNS settings of the result; no others are used
 */
#include "child.h"
#include "conf.h"
#include "delegate.h"

#include <errno.h>
#include <linux/if_link.h>

#define KIND "ipvlan"

static const struct cni_child_modes modes = {
	.kind = KIND,
	.title = "Container IPVlan",
	.mode = {
		{ "l2", IPVLAN_MODE_L2 },
		{ "l3", IPVLAN_MODE_L3 },
		{ "l3s", IPVLAN_MODE_L3S },
	},
};

/* The configuration, with defaults filled in. Strings are borrowed from the request. */
struct ipvlan_conf {
	const char *master, *mode_name;
	uint32_t mode;
	json_int_t mtu;
	bool in_container;
};

static int ipvlan_read(const struct cni_args *args, struct ipvlan_conf *ret, struct cni_error *err)
{
	static const struct cni_json_field fields[] = {
		{ "master", CNI_JSON_STRING, offsetof(struct ipvlan_conf, master) },
		{ "mode", CNI_JSON_STRING, offsetof(struct ipvlan_conf, mode_name) },
		{ "mtu", CNI_JSON_INT, offsetof(struct ipvlan_conf, mtu) },
		{ "linkInContainer", CNI_JSON_BOOL, offsetof(struct ipvlan_conf, in_container) },
	};
	int r;

	*ret = (struct ipvlan_conf){ .master = "", .mode_name = "" };
	r = cni_conf_check_types(args, err);
	if (r == 0)
		r = cni_json_read(args->conf, "", fields, CNI_ARRAY_SIZE(fields), ret, err);
	if (r < 0) {
		cni_error_prefix(err, "failed to load netconf");
		return r;
	}
	if (ret->mtu > UINT32_MAX)
		return cni_invalid(err, "invalid MTU %lld", (long long)ret->mtu);
	return cni_child_read_mode(&modes, ret->mode_name, &ret->mode, err);
}

/* ---- ADD ---- */

/* @return 0; -EINVAL if the plugin before in the chain has made none, or several */
static int ipvlan_chain_master(const struct cni_result *prev, const char **ret,
			       struct cni_error *err)
{
	if (prev->n_ifaces != 1 || !*prev->ifaces[0].name) {
		cni_invalid(err, "chained master failure. PrevResult lacks a single named "
				 "interface");
		cni_error_detail(err, "\"master\" names the interface");
		return -EINVAL;
	}
	*ret = prev->ifaces[0].name;
	return 0;
}

/*
 * What stands in for a master and addresses that the configuration does not name.
 * @param ret  the prevResult; c->master may be borrowed from it
 */
static int ipvlan_read_chain(const struct cni_args *args, struct ipvlan_conf *c,
			     struct cni_result *ret, struct cni_error *err)
{
	bool chained = json_object_get(args->conf, "prevResult");
	int r = chained ? cni_conf_prev_result(args, ret, err) : 0;

	if (r == 0 && chained && !*c->master)
		r = ipvlan_chain_master(ret, &c->master, err);
	if (r == 0 && ret->n_ips == 0)
		r = cni_conf_require_ipam(args, "no plugin name provided", err);
	return r;
}

static int ipvlan_create(const struct cni_args *args, const struct ipvlan_conf *c,
			 struct cni_ends *e, struct cni_undo *undo, struct cni_child *child,
			 struct cni_error *err)
{
	uint16_t mode = (uint16_t)c->mode, flags = 0;
	const struct cni_link_option options[] = {
		{ IFLA_IPVLAN_MODE, sizeof(mode), &mode },
		{ IFLA_IPVLAN_FLAGS, sizeof(flags), &flags },
	};
	const struct cni_link_spec spec = {
		.kind = KIND,
		.mtu = c->mtu > 0 ? (unsigned int)c->mtu : 0,
		.options = options,
		.n_options = CNI_ARRAY_SIZE(options),
	};
	struct cni_master master;
	int r = cni_child_master(e, c->in_container, c->master, &master, err);

	return r < 0 ? r : cni_child_create(args, e, &master, &spec, undo, child, err);
}

/* @param prev  moves to the result if there is no IPAM plugin */
static int ipvlan_ask_ipam(const struct cni_args *args, struct cni_result *prev,
			   struct cni_undo *undo, struct cni_result *res, struct cni_error *err)
{
	if (*cni_conf_ipam_type(args))
		return cni_ipam_add(args, undo, res, err);
	*res = *prev;
	*prev = (struct cni_result){ 0 };
	cni_result_drop_ifaces(res);
	return 0;
}

static int ipvlan_add(const struct cni_args *args, struct cni_result *res, struct cni_error *err)
{
	cni_auto(ends) struct cni_ends e = CNI_ENDS_INIT;
	cni_auto(result) struct cni_result prev = { 0 };
	struct cni_child child = { 0 };
	struct ipvlan_conf c;
	cni_auto(undo) struct cni_undo undo = { 0 };
	int r;

	r = ipvlan_read(args, &c, err);
	if (r == 0)
		r = ipvlan_read_chain(args, &c, &prev, err);
	if (r == 0)
		r = cni_ends_open(args, &e, err);
	if (r == 0)
		r = ipvlan_create(args, &c, &e, &undo, &child, err);
	if (r == 0)
		r = ipvlan_ask_ipam(args, &prev, &undo, res, err);
	if (r == 0)
		r = cni_conf_only_dns(args, res, err);
	if (r == 0)
		r = cni_child_configure(&child, res, err);
	if (r == 0)
		r = cni_child_finish(args, &child, res, err);
	if (r == 0)
		cni_undo_disarm(&undo);
	return r;
}

/* ---- DEL: needs nothing of the configuration but the IPAM plugin ---- */

static int ipvlan_del(const struct cni_args *args, struct cni_error *err)
{
	return cni_child_del(args, KIND, err);
}

/* ---- CHECK: everything that is wrong is reported at once ---- */

static int ipvlan_check(const struct cni_args *args, struct cni_error *err)
{
	cni_auto(ends) struct cni_ends e = CNI_ENDS_INIT;
	cni_auto(result) struct cni_result prev = { 0 };
	struct cni_faults f = { 0 };
	struct ipvlan_conf c;
	struct cni_link link;
	int r;

	r = ipvlan_read(args, &c, err);
	if (r == 0)
		r = cni_ends_open(args, &e, err);
	if (r == 0)
		r = cni_conf_prev_result(args, &prev, err);
	if (r < 0)
		return r;
	if (cni_child_check(args, &e.sbox, KIND, &prev, &link, &f)) {
		cni_child_check_mode(&modes, c.mode, &link, &f);
		cni_child_check_master(args, &e, c.in_container, c.master, &link, &f);
	}
	return cni_faults_report(&f, err);
}

/* ---- STATUS ---- */

static int ipvlan_status(const struct cni_args *args, struct cni_error *err)
{
	struct ipvlan_conf c;
	int r = ipvlan_read(args, &c, err);

	return r < 0 ? r : cni_ipam_ask(args, CNI_STATUS, err);
}

const struct cni_plugin cni_plugin_ipvlan = {
	.name = KIND,
	.oldest = CNI_V0_1_0,
	.add = ipvlan_add,
	.del = ipvlan_del,
	.check = ipvlan_check,
	.gc = cni_child_gc,
	.status = ipvlan_status,
};
