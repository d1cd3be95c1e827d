/*
 * vlan: gives a container a VLAN of an interface of the host, its master: what the container sends leaves by this with the
 * VLAN's tag, and what comes with that tag is the container's.
 *
 * Keys (default):
 *   master          string         the interface, by any of its names; required
 *   vlanId          int (0)        0 to 4094; 0 = tagged, but of no VLAN
 *   mtu             int (0)        bytes; 0 = that of the master, which is also the most
 *   linkInContainer bool (false)   the master is an interface of the container
 *   ipam            object         who gives addresses; required
 *   dns             object         DNS settings of the result; those of the IPAM plugin are not used
 */
#include "child.h"
#include "conf.h"
#include "delegate.h"
#include "iface_check.h"

#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>

#define KIND "vlan"
#define VLAN_ID_MAX 4094

/* The configuration, with defaults filled in. Strings are borrowed from the request. */
struct vlan_conf {
	const char *master;
	json_int_t id, mtu;
	bool in_container;
};

static int vlan_read(const struct cni_args *args, struct vlan_conf *ret, struct cni_error *err)
{
	static const struct cni_json_field fields[] = {
		{ "master", CNI_JSON_STRING, offsetof(struct vlan_conf, master) },
		{ "vlanId", CNI_JSON_INT, offsetof(struct vlan_conf, id) },
		{ "mtu", CNI_JSON_INT, offsetof(struct vlan_conf, mtu) },
		{ "linkInContainer", CNI_JSON_BOOL, offsetof(struct vlan_conf, in_container) },
	};
	int r;

	*ret = (struct vlan_conf){ .master = "" };
	r = cni_conf_check_types(args, err);
	if (r == 0)
		r = cni_json_read(args->conf, "", fields, CNI_ARRAY_SIZE(fields), ret, err);
	if (r < 0) {
		cni_error_prefix(err, "failed to load netconf");
		return r;
	}
	if (!*ret->master)
		return cni_invalid(err, "\"master\" field is required. It specifies the host "
					"interface name to create the VLAN for");
	if (ret->id < 0 || ret->id > VLAN_ID_MAX)
		return cni_invalid(err, "invalid VLAN ID %lld (must be between 0 and %d inclusive)",
				   (long long)ret->id, VLAN_ID_MAX);
	return cni_conf_require_ipam(args, "no plugin name provided", err);
}

/* ---- ADD ---- */

static int vlan_create(const struct cni_args *args, const struct vlan_conf *c, struct cni_ends *e,
		       struct cni_undo *undo, struct cni_child *child, struct cni_error *err)
{
	uint16_t id = (uint16_t)c->id;
	const struct cni_link_option option = { IFLA_VLAN_ID, sizeof(id), &id };
	const struct cni_link_spec spec = {
		.kind = KIND,
		.mtu = (unsigned int)c->mtu,
		.options = &option,
		.n_options = 1,
	};
	struct cni_master master;
	int r;

	r = cni_child_master(e, c->in_container, c->master, &master, err);
	if (r == 0)
		r = cni_child_check_mtu(&master, c->mtu, err);
	if (r < 0)
		return r;
	r = cni_child_create(args, e, &master, &spec, undo, child, err);
	if (r == -EEXIST && !child->link.index)
		cni_error_detail(err, "VLAN %u of \"%s\" is another link's, in whatever namespace",
				 id, c->master);
	return r;
}

static int vlan_add(const struct cni_args *args, struct cni_result *res, struct cni_error *err)
{
	cni_auto(ends) struct cni_ends e = CNI_ENDS_INIT;
	struct cni_child child = { 0 };
	struct vlan_conf c;
	cni_auto(undo) struct cni_undo undo = { 0 };
	int r;

	r = vlan_read(args, &c, err);
	if (r == 0)
		r = cni_ends_open(args, &e, err);
	if (r == 0)
		r = vlan_create(args, &c, &e, &undo, &child, err);
	if (r == 0)
		r = cni_ipam_add(args, &undo, res, err);
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

static int vlan_del(const struct cni_args *args, struct cni_error *err)
{
	return cni_child_del(args, KIND, err);
}

/* ---- CHECK: everything that is wrong is reported at once ---- */

static void vlan_check_id(const struct vlan_conf *c, const struct cni_link *link,
			  struct cni_faults *f)
{
	char want[24], have[24];

	if (link->vlan == c->id)
		return;
	snprintf(want, sizeof(want), "%lld", (long long)c->id);
	snprintf(have, sizeof(have), "%u", link->vlan);
	cni_faults_add(f, &(struct cni_fault){ "vlan", link->name, want, have },
		       "Interface %s is in VLAN %s, not in %s", link->name, have, want);
}

static int vlan_check(const struct cni_args *args, struct cni_error *err)
{
	cni_auto(ends) struct cni_ends e = CNI_ENDS_INIT;
	cni_auto(result) struct cni_result prev = { 0 };
	struct cni_faults f = { 0 };
	struct vlan_conf c;
	struct cni_link link;
	int r;

	r = vlan_read(args, &c, err);
	if (r == 0)
		r = cni_ends_open(args, &e, err);
	if (r == 0)
		r = cni_conf_prev_result(args, &prev, err);
	if (r < 0)
		return r;
	if (cni_child_check(args, &e.sbox, KIND, &prev, &link, &f)) {
		vlan_check_id(&c, &link, &f);
		cni_child_check_master(args, &e, c.in_container, c.master, &link, &f);
		cni_check_mtu(&link, c.mtu, &f);
	}
	return cni_faults_report(&f, err);
}

/* ---- STATUS ---- */

static int vlan_status(const struct cni_args *args, struct cni_error *err)
{
	struct vlan_conf c;
	int r = vlan_read(args, &c, err);

	return r < 0 ? r : cni_ipam_ask(args, CNI_STATUS, err);
}

const struct cni_plugin cni_plugin_vlan = {
	.name = KIND,
	.oldest = CNI_V0_1_0,
	.add = vlan_add,
	.del = vlan_del,
	.check = vlan_check,
	.gc = cni_child_gc,
	.status = vlan_status,
};
