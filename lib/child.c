/*
 * A link in the container that is all there is of an attachment; see child.h.
 */
#include "child.h"
#include "conf.h"
#include "delegate.h"
#include "iface_check.h"
#include "netns.h"
#include "nl_route.h"
#include "routes.h"

#include <errno.h>
#include <linux/if.h>
#include <stdio.h>
#include <string.h>

/* Its place in the result's list of interfaces. */
#define RESULT_PLACE 0

const struct cni_iface_mode cni_child_mode = { .detect_duplicates = true, .as_found = true };

/* ---- the master ---- */

static int find_default(struct cni_nl *nl, struct cni_link *ret, struct cni_error *err)
{
	struct cni_route_hop hop = { 0 };
	int r;

	r = cni_route_default(nl, AF_INET, &hop);
	if (r < 0)
		r = cni_route_default(nl, AF_INET6, &hop);
	if (r < 0) {
		cni_nl_fail(nl, err, r, "no default route interface found");
		cni_error_detail(err,
				 "\"master\" names the interface; without it, it is that of the "
				 "default route");
		return r;
	}
	r = cni_link_get_index(nl, hop.ifindex, ret);
	return r < 0 ? cni_nl_fail(nl, err, r, "failed to lookup the default route's interface")
		     : 0;
}

int cni_child_master(struct cni_nl *nl, const char *name, struct cni_link *ret,
		     struct cni_error *err)
{
	int r;

	if (!*name)
		return find_default(nl, ret, err);
	r = cni_link_get(nl, name, ret);
	return r < 0 ? cni_nl_fail(nl, err, r, "failed to lookup master \"%s\"", name) : 0;
}

int cni_child_check_mtu(const struct cni_link *master, json_int_t mtu, struct cni_error *err)
{
	if (mtu >= 0 && mtu <= master->mtu)
		return 0;
	cni_invalid(err, "invalid MTU %lld, must be [0, master MTU(%u)]", (long long)mtu,
		    master->mtu);
	cni_error_detail(err, "the master is \"%s\"", master->name);
	return -EINVAL;
}

/* ---- ADD ---- */

static void undo_create(void *ctx)
{
	struct cni_child *child = ctx;
	int r = cni_link_del_index(child->sbox, child->link.index);

	if (r < 0 && r != -ENODEV)
		cni_note("undo of ADD: delete %s: %s", child->link.name, cni_strerror(-r));
}

static int identify(const struct cni_args *args, struct cni_nl *sbox, struct cni_child *ret,
		    struct cni_error *err)
{
	int r;

	*ret = (struct cni_child){ .sbox = sbox };
	r = cni_port_id(args->name, args->containerid, args->ifname, &ret->id);
	if (r < 0)
		return cni_fail(err, CNI_E_INTERNAL, -r, "name the attachment");
	/* The same hash as in a host end's name, which is another: links of both kinds may have one network's name. */
	snprintf(ret->temp_name, sizeof(ret->temp_name), "ccni%s",
		 ret->id.name[0] + strlen("veth"));
	return 0;
}

static int delete_link(struct cni_nl *sbox, const struct cni_link *link, struct cni_error *err)
{
	int r = cni_link_del_index(sbox, link->index);

	return r < 0 && r != -ENODEV
		       ? cni_nl_fail(sbox, err, r, "failed to delete \"%s\"", link->name)
		       : 0;
}

/* @return 1 if a killed ADD of this attachment left a link of this name, in @p ret; 0 if not; negative errno */
static int is_leftover(const struct cni_child *child, const char *kind, const char *name,
		       struct cni_link *ret)
{
	int r = cni_link_get(child->sbox, name, ret);

	if (r < 0)
		return r == -ENODEV ? 0 : r;
	return strcmp(ret->kind, kind) == 0 && ret->group == child->id.unfinished;
}

/*
 * Its addresses first: it is the link that tells of them.
 * @return 1 if there was a leftover; 0 if not; negative errno
 */
static int clear_leftover(const struct cni_args *args, const struct cni_child *child,
			  const char *kind, const char *name, struct cni_error *err)
{
	struct cni_link link;
	int r = is_leftover(child, kind, name, &link);

	if (r < 0)
		return cni_nl_fail(child->sbox, err, r,
				   "failed to look for the leftover of an ADD");
	if (r == 0)
		return 0;
	r = cni_ipam_ask(args, CNI_DEL, err);
	if (r == 0)
		r = delete_link(child->sbox, &link, err);
	return r < 0 ? r : 1;
}

/* A leftover is in the way by its name, or by what it takes of the master: a VLAN's id, all with passthru. */
static int create(const struct cni_args *args, struct cni_child *child, struct cni_nl *nl,
		  const struct cni_link_spec *spec, struct cni_error *err)
{
	const char *const names[] = { child->temp_name, args->ifname };
	int r = cni_link_create(nl, spec), cleared = 0;

	for (int i = 0; i < 2 && r < 0 && cleared >= 0; i++) {
		struct cni_error why = { 0 };

		cleared = clear_leftover(args, child, spec->kind, names[i], &why);
		if (cleared < 0)
			cni_note("after a failed ADD: %s", why.msg);
		if (cleared > 0)
			r = cni_link_create(nl, spec);
	}
	return r < 0 ? cni_nl_fail(nl, err, r, "failed to create %s", spec->kind) : 0;
}

/* Not born with it: where its master is, that name may be another link's, and some kernels mind. */
static int rename_link(const struct cni_args *args, struct cni_child *child, struct cni_error *err)
{
	const char *kind = child->link.kind;
	int r = cni_link_rename(child->sbox, child->link.index, args->ifname);

	if (r == -EEXIST) {
		r = clear_leftover(args, child, kind, args->ifname, err);
		if (r < 0)
			return r;
		r = r > 0 ? cni_link_rename(child->sbox, child->link.index, args->ifname) : -EEXIST;
	}
	if (r < 0)
		cni_nl_fail(child->sbox, err, r, "failed to rename %s to \"%s\"", kind,
			    args->ifname);
	if (r == -EEXIST)
		cni_error_detail(err,
				 "the container has an interface of this name; DEL removes it");
	else if (r == 0)
		snprintf(child->link.name, sizeof(child->link.name), "%s", args->ifname);
	return r;
}

int cni_child_create(const struct cni_args *args, struct cni_ends *e, struct cni_nl *nl,
		     const struct cni_link_spec *spec, struct cni_undo *undo, struct cni_child *ret,
		     struct cni_error *err)
{
	struct cni_link_spec full = *spec;
	int r;

	r = identify(args, &e->sbox, ret, err);
	if (r < 0)
		return r;
	full.name = ret->temp_name;
	full.netns_fd = nl == &e->sbox ? -1 : e->netns;
	full.group = ret->id.unfinished;
	r = create(args, ret, nl, &full, err);
	if (r < 0)
		return r;
	r = cni_link_get(&e->sbox, ret->temp_name, &ret->link);
	if (r < 0) {
		(void)!cni_link_del(&e->sbox, ret->temp_name);
		return cni_nl_fail(&e->sbox, err, r, "failed to lookup \"%s\"", ret->temp_name);
	}
	cni_undo_push(undo, undo_create, ret);
	return rename_link(args, ret, err);
}

int cni_child_open(struct cni_child *child, struct cni_error *err)
{
	int r = cni_link_set_flags(child->sbox, child->link.index, IFF_UP, IFF_UP);

	return r < 0 ? cni_nl_fail(child->sbox, err, r, "failed to set \"%s\" UP", child->link.name)
		     : 0;
}

int cni_child_configure(struct cni_child *child, struct cni_result *res, struct cni_error *err)
{
	const struct cni_iface_mode *mode = &cni_child_mode;
	const struct cni_link *link = &child->link;
	int r;

	for (size_t i = 0; i < res->n_ips; i++)
		res->ips[i].iface = RESULT_PLACE;
	r = cni_iface_prepare(child->sbox, link, mode, res, err);
	if (r == 0)
		r = cni_iface_add_addresses(child->sbox, link, RESULT_PLACE, mode, res, err);
	if (r == 0)
		r = cni_child_open(child, err);
	if (r == 0)
		r = cni_iface_settle(child->sbox, link, RESULT_PLACE, mode, res, err);
	if (r == 0)
		r = cni_iface_wait(child->sbox, link, RESULT_PLACE, res, err);
	return r < 0 ? r : cni_routes_add(child->sbox, link, mode, res, err);
}

int cni_child_finish(const struct cni_args *args, struct cni_child *child, struct cni_result *res,
		     struct cni_error *err)
{
	char mac[CNI_MAC_STRLEN];
	int r = cni_result_add_iface(res, args->ifname, cni_mac_format(child->link.mac, mac),
				     args->netns);

	if (r < 0)
		return cni_fail(err, CNI_E_INTERNAL, -r, "list interfaces");
	r = cni_conf_only_dns(args, res, err);
	if (r < 0)
		return r;
	r = cni_link_label(child->sbox, args->ifname, 0, "");
	return r < 0 ? cni_nl_fail(child->sbox, err, r, "failed to finish \"%s\"", args->ifname)
		     : 0;
}

/* ---- DEL ---- */

static int remove_named(const struct cni_child *child, const char *kind, const char *name,
			struct cni_error *err)
{
	struct cni_link link;
	int r = cni_link_get(child->sbox, name, &link);

	if (r < 0)
		return r == -ENODEV
			       ? 0
			       : cni_nl_fail(child->sbox, err, r, "failed to lookup \"%s\"", name);
	if (strcmp(link.kind, kind) == 0)
		return delete_link(child->sbox, &link, err);
	cni_note("\"%s\" stays: it is no %s", name, kind);
	return 0;
}

static int remove_link(const struct cni_args *args, const char *kind, struct cni_error *err)
{
	cni_auto(nl) struct cni_nl sbox = CNI_NL_INIT;
	cni_auto(fd) int fd = -1;
	struct cni_child child;
	int r, temp;

	r = cni_netns_open_left(args->netns, &fd, err);
	if (r <= 0)
		return r;
	r = identify(args, &sbox, &child, err);
	if (r == 0)
		r = cni_nl_open(&sbox, fd, err);
	if (r < 0)
		return r;
	r = remove_named(&child, kind, args->ifname, err);
	temp = remove_named(&child, kind, child.temp_name, err);
	return r < 0 ? r : temp;
}

int cni_child_del(const struct cni_args *args, const char *kind, struct cni_error *err)
{
	int ipam = cni_ipam_ask(args, CNI_DEL, err);
	int link = remove_link(args, kind, err);

	return ipam < 0 ? ipam : link;
}

/* ---- CHECK ---- */

bool cni_child_check(const struct cni_args *args, struct cni_nl *sbox, const char *kind,
		     const struct cni_result *prev, struct cni_link *ret, struct cni_faults *f)
{
	struct cni_error ipam = { 0 };

	if (cni_ipam_ask(args, CNI_CHECK, &ipam) < 0)
		cni_faults_add_error(f, "ipam", &ipam);
	if (!cni_check_link(args, sbox, kind, prev, ret, f))
		return false;
	cni_check_addresses(sbox, ret, prev, f);
	cni_check_up(ret, f);
	return true;
}
