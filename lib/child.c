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

/* Others are on its network, and own it. */
static const struct cni_iface_mode iface_mode = { .detect_duplicates = true, .as_found = true };

/* ---- the mode ---- */

static const char *mode_name(const struct cni_child_modes *modes, uint32_t value)
{
	for (size_t i = 0; modes->mode[i].name; i++)
		if (modes->mode[i].value == value)
			return modes->mode[i].name;
	return "?";
}

int cni_child_read_mode(const struct cni_child_modes *modes, const char *text, uint32_t *ret,
			struct cni_error *err)
{
	char names[80] = "";
	size_t len = 0;

	for (size_t i = 0; modes->mode[i].name; i++) {
		if (!*text || strcmp(text, modes->mode[i].name) == 0) {
			*ret = modes->mode[i].value;
			return 0;
		}
		len += (size_t)snprintf(names + len, sizeof(names) - len, "%s\"%s\"", i ? ", " : "",
					modes->mode[i].name);
	}
	cni_invalid(err, "unknown %s mode: \"%s\"", modes->kind, text);
	cni_error_detail(err, "\"mode\" is one of %s", names);
	return -EINVAL;
}

/* ---- the master ---- */

static int find_default(struct cni_nl *nl, struct cni_link *ret, struct cni_error *err)
{
	struct cni_route_hop hop = { 0 };
	int r;

	r = cni_route_default(nl, &hop);
	if (r < 0) {
		cni_fail(err, CNI_E_INTERNAL, 0, "no default route interface found");
		cni_error_detail(err,
				 "\"master\" names the interface; without it, it is that of the "
				 "default route");
		return r;
	}
	r = cni_link_get_index(nl, hop.ifindex, ret);
	return r < 0 ? cni_nl_fail(nl, err, r, "failed to lookup the default route's interface")
		     : 0;
}

int cni_child_master(struct cni_ends *e, bool in_container, const char *name,
		     struct cni_master *ret, struct cni_error *err)
{
	int r;

	ret->nl = in_container ? &e->sbox : &e->host;
	if (!*name)
		return find_default(ret->nl, &ret->link, err);
	r = cni_link_get(ret->nl, name, &ret->link);
	return r < 0 ? cni_nl_fail(ret->nl, err, r, "failed to lookup master \"%s\"", name) : 0;
}

int cni_child_check_mtu(const struct cni_master *master, json_int_t mtu, struct cni_error *err)
{
	if (mtu >= 0 && mtu <= master->link.mtu)
		return 0;
	cni_invalid(err, "invalid MTU %lld, must be [0, master MTU(%u)]", (long long)mtu,
		    master->link.mtu);
	cni_error_detail(err, "the master is \"%s\"", master->link.name);
	return -EINVAL;
}

/* ---- ADD ---- */

static void undo_create(void *ctx)
{
	struct cni_child *child = ctx;

	cni_link_undo(child->sbox, &child->link);
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
		r = cni_link_remove(child->sbox, &link, err);
	return r < 0 ? r : 1;
}

static int fail_name_taken(struct cni_error *err)
{
	cni_error_detail(err, "the container has an interface of this name; DEL removes it");
	return -EEXIST;
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
	if (r == 0)
		return 0;
	cni_nl_fail(nl, err, r, "failed to create %s", spec->kind);
	if (r == -EOPNOTSUPP)
		cni_error_detail(err,
				 "this kernel makes no links of this kind; is its module there?");
	return r == -EEXIST && !spec->lower ? fail_name_taken(err) : r;
}

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
	if (r < 0) {
		cni_nl_fail(child->sbox, err, r, "failed to rename %s to \"%s\"", kind,
			    args->ifname);
		return r == -EEXIST ? fail_name_taken(err) : r;
	}
	snprintf(child->link.name, sizeof(child->link.name), "%s", args->ifname);
	return 0;
}

/*
 * One on a master is not born with its name: where its master is, that may be another link's, and some kernels mind. One
 * on none is born in the container.
 */
int cni_child_create(const struct cni_args *args, struct cni_ends *e,
		     const struct cni_master *master, const struct cni_link_spec *spec,
		     struct cni_undo *undo, struct cni_child *ret, struct cni_error *err)
{
	struct cni_nl *nl = master ? master->nl : &e->sbox;
	struct cni_link_spec full = *spec;
	int r;

	r = identify(args, &e->sbox, ret, err);
	if (r < 0)
		return r;
	full.name = master ? ret->temp_name : args->ifname;
	full.netns_fd = nl == &e->sbox ? -1 : e->netns;
	full.group = ret->id.unfinished;
	if (master) {
		full.lower = master->link.index;
		memcpy(ret->master, master->link.name, sizeof(ret->master));
	}
	r = create(args, ret, nl, &full, err);
	if (r < 0)
		return r;
	r = cni_link_get(&e->sbox, full.name, &ret->link);
	if (r < 0) {
		(void)!cni_link_del(&e->sbox, full.name);
		return cni_nl_fail(&e->sbox, err, r, "failed to lookup \"%s\"", full.name);
	}
	cni_undo_push(undo, undo_create, ret);
	return master ? rename_link(args, ret, err) : 0;
}

int cni_child_open(struct cni_child *child, struct cni_error *err)
{
	int r = cni_link_set_flags(child->sbox, child->link.index, IFF_UP, IFF_UP);

	if (r == 0)
		return 0;
	cni_nl_fail(child->sbox, err, r, "failed to set \"%s\" UP", child->link.name);
	if (r == -ENETDOWN && *child->master)
		cni_error_detail(err, "its master \"%s\" is down", child->master);
	return r;
}

int cni_child_configure(struct cni_child *child, struct cni_result *res, struct cni_error *err)
{
	const struct cni_iface_mode *mode = &iface_mode;
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
		return cni_link_remove(child->sbox, &link, err);
	cni_note("\"%s\" stays: it is no %s", name, kind);
	return 0;
}

static int remove_link(const struct cni_args *args, const char *kind, struct cni_error *err)
{
	cni_auto(nl) struct cni_nl sbox = CNI_NL_INIT;
	cni_auto(fd) int fd = -1;
	struct cni_child child = { 0 };
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

/* ---- GC ---- */

int cni_child_gc(const struct cni_args *args, struct cni_error *err)
{
	return cni_ipam_ask(args, CNI_GC, err);
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

void cni_child_check_mode(const struct cni_child_modes *modes, uint32_t want,
			  const struct cni_link *link, struct cni_faults *f)
{
	const char *wanted = mode_name(modes, want), *have = mode_name(modes, link->mode);

	if (link->mode != want)
		cni_faults_add(f, &(struct cni_fault){ "mode", link->name, wanted, have },
			       "%s mode %s does not match expected value: %s", modes->title, have,
			       wanted);
}

/* Numbers of links are small: one of the container may have the master's. */
static bool is_on(const struct cni_args *args, const struct cni_link *link,
		  const struct cni_link *master, bool in_container)
{
	bool same_namespace = link->peer_nsid < 0;

	if (link->peer != master->index)
		return false;
	return same_namespace == in_container || (same_namespace && cni_netns_is_own(args->netns));
}

void cni_child_check_master(const struct cni_args *args, struct cni_ends *e, bool in_container,
			    const char *name, const struct cni_link *link, struct cni_faults *f)
{
	struct cni_error why = { 0 };
	struct cni_master master;

	if (!*name)
		return;
	if (cni_child_master(e, in_container, name, &master, &why) < 0)
		cni_faults_add_error(f, "master", &why);
	else if (!is_on(args, link, &master.link, in_container))
		cni_faults_add(f, &(struct cni_fault){ "master", link->name, name, NULL },
			       "Interface %s is not on master %s", link->name, name);
}
