/*
 * macvlan: gives a container a link with a MAC of its own on an interface of the host, its master, and so a place on the
 * network that this is connected to. The host itself is not reached by it: the kernel keeps a master and its macvlans
 * apart.
 *
 * Keys (default):
 *   master          string (the default route's) the interface, by any of its names
 *   mode            string ("bridge") "bridge", "private", "vepa" or "passthru"
 *   mtu             int (0)        bytes; 0 = that of the master, which is also the most
 *   mac             string         of the container's interface; runtimeConfig.mac, args.cni.mac and CNI_ARGS MAC go before it
 *   bcqueuelen      int (0)        packets that wait to be copied for all; 0 = kernel default
 *   linkInContainer bool (false)   the master is an interface of the container
 *   ipam            object         who gives addresses; absent: layer 2, the link is set up without
 *   dns             object         DNS settings of the result; those of the IPAM plugin are not used
 */
#include "child.h"
#include "conf.h"
#include "delegate.h"

#include <errno.h>
#include <linux/if_link.h>

#define KIND "macvlan"

static const struct cni_child_modes modes = {
	.kind = KIND,
	.title = "container macvlan",
	.mode = {
		{ "bridge", MACVLAN_MODE_BRIDGE },
		{ "private", MACVLAN_MODE_PRIVATE },
		{ "vepa", MACVLAN_MODE_VEPA },
		{ "passthru", MACVLAN_MODE_PASSTHRU },
	},
};

/* The configuration, with defaults filled in. Strings are borrowed from the request. */
struct macvlan_conf {
	const char *master, *mode_name, *mac_text;
	uint32_t mode;
	json_int_t mtu, bcqueuelen;
	bool in_container;
	bool has_mac;
	uint8_t mac[CNI_MAC_LEN];
};

static int macvlan_read(const struct cni_args *args, struct macvlan_conf *ret,
			struct cni_error *err)
{
	static const struct cni_json_field fields[] = {
		{ "master", CNI_JSON_STRING, offsetof(struct macvlan_conf, master) },
		{ "mode", CNI_JSON_STRING, offsetof(struct macvlan_conf, mode_name) },
		{ "mac", CNI_JSON_STRING, offsetof(struct macvlan_conf, mac_text) },
		{ "mtu", CNI_JSON_INT, offsetof(struct macvlan_conf, mtu) },
		{ "bcqueuelen", CNI_JSON_INT, offsetof(struct macvlan_conf, bcqueuelen) },
		{ "linkInContainer", CNI_JSON_BOOL, offsetof(struct macvlan_conf, in_container) },
	};
	int r;

	*ret = (struct macvlan_conf){ .master = "", .mode_name = "", .mac_text = "" };
	r = cni_conf_check_types(args, err);
	if (r == 0)
		r = cni_json_read(args->conf, "", fields, CNI_ARRAY_SIZE(fields), ret, err);
	if (r < 0) {
		cni_error_prefix(err, "failed to load netconf");
		return r;
	}
	if (ret->bcqueuelen < 0 || ret->bcqueuelen > UINT32_MAX)
		return cni_invalid(err, "bcqueuelen: %lld is not in the range 0..%u",
				   (long long)ret->bcqueuelen, UINT32_MAX);
	return cni_child_read_mode(&modes, ret->mode_name, &ret->mode, err);
}

/* ADD and CHECK look at CNI_ARGS, too. */
static int macvlan_read_all(const struct cni_args *args, struct macvlan_conf *ret,
			    struct cni_error *err)
{
	int r = macvlan_read(args, ret, err);

	if (r == 0)
		r = cni_conf_mac(args, ret->mac_text, "failed to create macvlan", ret->mac, err);
	ret->has_mac = r > 0;
	return r < 0 ? r : 0;
}

/* ---- ADD ---- */

static int macvlan_create(const struct cni_args *args, const struct macvlan_conf *c,
			  struct cni_ends *e, struct cni_undo *undo, struct cni_child *child,
			  struct cni_error *err)
{
	uint32_t queue = (uint32_t)c->bcqueuelen;
	const struct cni_link_option options[] = {
		{ IFLA_MACVLAN_MODE, sizeof(c->mode), &c->mode },
		{ IFLA_MACVLAN_BC_QUEUE_LEN, sizeof(queue), &queue },
	};
	const struct cni_link_spec spec = {
		.kind = KIND,
		.mtu = (unsigned int)c->mtu,
		.mac = c->has_mac ? c->mac : NULL,
		.options = options,
		.n_options = queue ? 2 : 1,
	};
	struct cni_master master;
	int r;

	r = cni_child_master(e, c->in_container, c->master, &master, err);
	if (r == 0)
		r = cni_child_check_mtu(&master, c->mtu, err);
	return r < 0 ? r : cni_child_create(args, e, &master, &spec, undo, child, err);
}

static int macvlan_add(const struct cni_args *args, struct cni_result *res, struct cni_error *err)
{
	cni_auto(ends) struct cni_ends e = CNI_ENDS_INIT;
	bool layer3 = *cni_conf_ipam_type(args);
	struct cni_child child = { 0 };
	cni_auto(undo) struct cni_undo undo = { 0 };
	struct macvlan_conf c;
	int r;

	r = macvlan_read_all(args, &c, err);
	if (r == 0 && !layer3)
		r = cni_conf_check_layer2(args, err);
	if (r == 0)
		r = cni_ends_open(args, &e, err);
	if (r == 0)
		r = macvlan_create(args, &c, &e, &undo, &child, err);
	if (r == 0 && layer3)
		r = cni_ipam_add(args, &undo, res, err);
	if (r == 0)
		r = layer3 ? cni_child_configure(&child, res, err) : cni_child_open(&child, err);
	if (r == 0)
		r = cni_conf_only_dns(args, res, err);
	if (r == 0)
		r = cni_child_finish(args, &child, res, err);
	if (r == 0)
		cni_undo_disarm(&undo);
	return r;
}

/* ---- DEL: needs nothing of the configuration but the IPAM plugin ---- */

static int macvlan_del(const struct cni_args *args, struct cni_error *err)
{
	return cni_child_del(args, KIND, err);
}

/* ---- CHECK: everything that is wrong is reported at once ---- */

static int macvlan_check(const struct cni_args *args, struct cni_error *err)
{
	cni_auto(ends) struct cni_ends e = CNI_ENDS_INIT;
	cni_auto(result) struct cni_result prev = { 0 };
	struct cni_faults f = { 0 };
	struct macvlan_conf c;
	struct cni_link link;
	int r;

	r = macvlan_read_all(args, &c, err);
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

static int macvlan_status(const struct cni_args *args, struct cni_error *err)
{
	struct macvlan_conf c;
	int r = macvlan_read(args, &c, err);

	return r < 0 ? r : cni_ipam_ask(args, CNI_STATUS, err);
}

const struct cni_plugin cni_plugin_macvlan = {
	.name = KIND,
	.oldest = CNI_V0_1_0,
	.add = macvlan_add,
	.del = macvlan_del,
	.check = macvlan_check,
	.gc = cni_child_gc,
	.status = macvlan_status,
};
