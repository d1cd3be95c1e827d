/*
 * The veth pair of an attachment; see port.h.
 */
#include "port.h"
#include "link_gc.h"
#include "netns.h"
#include "nl_brport.h"
#include "sysctl.h"

#include <errno.h>
#include <string.h>

/* As long as the Go plugin waits, in all. */
#define UP_TIMEOUT_MS 2550

static void undo_create(void *ctx)
{
	struct cni_port *port = ctx;

	cni_link_undo(port->host, &port->host_end);
}

/* What a link with one of the attachment's names is. */
enum whose { OTHER, OURS, UNFINISHED };

static enum whose whose(const struct cni_link *link, const struct cni_port_id *id)
{
	if (strcmp(link->kind, "veth") != 0)
		return OTHER;
	if (strcmp(link->alias, id->alias) == 0)
		return OURS;
	return !*link->alias && link->group == id->unfinished ? UNFINISHED : OTHER;
}

/* ---- finding it again ---- */

/* @return 1 if a killed ADD of this attachment left its pair; 0 if not; negative errno */
static int is_leftover(struct cni_nl *host, const struct cni_port_id *id)
{
	for (int i = 0; i < CNI_PORT_NAMES; i++) {
		struct cni_link link;
		int r = cni_link_get(host, id->name[i], &link);

		if (r == 0 && whose(&link, id) == UNFINISHED)
			return 1;
		if (r < 0 && r != -ENODEV)
			return r;
	}
	return 0;
}

/*
 * Under each name: the first one may have been taken by a stranger who is gone now, or by a pair in a
 * namespace that the runtime has forgotten.
 * @return 1 if there was one
 */
static int delete_pairs(struct cni_nl *host, const struct cni_port_id *id, bool unfinished_only,
			struct cni_error *err)
{
	int found = 0;

	for (int i = 0; i < CNI_PORT_NAMES; i++) {
		struct cni_link link;
		enum whose w;
		int r = cni_link_get(host, id->name[i], &link);

		if (r == -ENODEV)
			continue;
		if (r < 0)
			return cni_nl_fail(host, err, r, "failed to lookup \"%s\"", id->name[i]);
		w = whose(&link, id);
		if (w == OTHER || (unfinished_only && w != UNFINISHED))
			continue;
		r = cni_link_remove(host, &link, err);
		if (r < 0)
			return r;
		found = 1;
	}
	return found;
}

/* ---- ADD ---- */

/* Which of the two names is the one that is taken? */
static bool is_in_the_way(const struct cni_port *port, struct cni_nl *sbox)
{
	struct cni_link link;

	if (cni_link_get(port->host, port->host_name, &link) == 0 &&
	    whose(&link, &port->id) == UNFINISHED)
		return true;
	return cni_link_get(sbox, port->id.ifname, &link) == 0;
}

static int identify(const struct cni_args *args, struct cni_port_id *ret, struct cni_error *err)
{
	int r = cni_port_id(args->name, args->containerid, args->ifname, ret);

	return r < 0 ? cni_fail(err, CNI_E_INTERNAL, -r, "name the attachment") : 0;
}

/* @return -EEXIST, with nothing in `err`, if the container's name is taken or a killed ADD left its pair */
static int create(struct cni_port *port, struct cni_nl *sbox, struct cni_veth_spec *spec,
		  struct cni_error *err)
{
	struct cni_error why = { 0 };
	int r = -EEXIST;

	spec->host_name = port->host_name;
	for (int i = 0; i < CNI_PORT_NAMES && r == -EEXIST; i++) {
		memcpy(port->host_name, port->id.name[i], sizeof(port->host_name));
		r = cni_veth_create(port->host, spec, &port->host_end, &port->cont_end);
		if (r == -EEXIST && is_in_the_way(port, sbox))
			return r;
	}
	if (r == 0)
		return 0;
	cni_nl_fail(port->host, err, r, "failed to make veth pair");
	/* It may be the answer only that was lost, for lack of memory, and the pair be there. */
	if (r == -EEXIST)
		cni_error_detail(err, "links of other attachments are called %s and %s",
				 port->id.name[0], port->id.name[1]);
	else if (delete_pairs(port->host, &port->id, true, &why) < 0)
		cni_note("undo of ADD: %s", why.msg);
	return r == -EEXIST ? -EBUSY : r;
}

/* A killed ADD left the pair, and perhaps addresses and rules: take them away as its DEL would. */
static int clear_leftover(const struct cni_args *args, const struct cni_port *port,
			  cni_port_clear *clear, struct cni_error *err)
{
	int r = is_leftover(port->host, &port->id);

	if (r < 0)
		return cni_nl_fail(port->host, err, r, "failed to look for the leftover of an ADD");
	if (r == 0)
		return -EEXIST;
	r = clear(args, err);
	if (r < 0)
		return r;
	/* Last: it is what tells the leftover. */
	r = delete_pairs(port->host, &port->id, true, err);
	return r < 0 ? r : 0;
}

int cni_port_create(const struct cni_args *args, struct cni_ends *e,
		    const struct cni_veth_spec *spec, cni_port_clear *clear, struct cni_undo *undo,
		    struct cni_port *ret, struct cni_error *err)
{
	struct cni_veth_spec full = *spec;
	int r;

	*ret = (struct cni_port){ .host = &e->host };
	r = identify(args, &ret->id, err);
	if (r < 0)
		return r;
	full.ifname = args->ifname;
	full.netns_fd = e->netns;
	full.host_group = ret->id.unfinished;
	r = create(ret, &e->sbox, &full, err);
	if (r == -EEXIST) {
		r = clear_leftover(args, ret, clear, err);
		if (r == 0)
			r = create(ret, &e->sbox, &full, err);
	}
	if (r == -EEXIST) {
		cni_fail(err, CNI_E_INTERNAL, 0, "container veth name (\"%s\") already exists",
			 args->ifname);
		cni_error_detail(err,
				 "the container has an interface of this name; DEL removes it");
	}
	if (r < 0)
		return r;
	cni_undo_push(undo, undo_create, ret);
	/* The container's has the lowest id that was free: so many others the host has links to. */
	cni_sysctl_namespaces(ret->host_end.peer_nsid);
	cni_sysctl_ignore_advertisements(ret->host_name); /* in time: the link is down */
	return 0;
}

/*
 * Of an address of its own a port has no use, and each one's routes make the next link's way up longer. Not by
 * disable_ipv6, which would be all that IPv6 brings along: who writes it while others change links spins until he
 * happens upon a moment when nobody does.
 */
int cni_port_open(struct cni_port *port, struct cni_error *err)
{
	int r = cni_link_set_up_addressless(port->host, &port->host_end);

	return r < 0 ? cni_nl_fail(port->host, err, r, "failed to set \"%s\" up", port->host_name)
		     : 0;
}

int cni_port_wait(struct cni_port *port, struct cni_error *err)
{
	int r;

	r = cni_link_wait_up(port->host, port->host_name, UP_TIMEOUT_MS, &port->host_end, err);
	if (r == -ETIMEDOUT) {
		cni_fail(err, CNI_E_INTERNAL, 0, "bridge port in error state: down");
		cni_error_detail(err, "%s did not come up", port->host_name);
	} else if (r < 0) {
		cni_nl_fail(port->host, err, r, "failed to lookup \"%s\"", port->host_name);
	}
	return r;
}

int cni_port_look(struct cni_port *port, struct cni_error *err)
{
	int r = cni_link_get(port->host, port->host_name, &port->host_end);

	return r < 0 ? cni_nl_fail(port->host, err, r, "failed to lookup \"%s\"", port->host_name)
		     : 0;
}

int cni_port_finish(struct cni_port *port, struct cni_error *err)
{
	int r = cni_link_label(port->host, port->host_name, 0, port->id.alias);

	return r < 0 ? cni_nl_fail(port->host, err, r, "failed to finish port \"%s\"",
				   port->host_name)
		     : 0;
}

/* ---- DEL ---- */

void cni_port_silence(const struct cni_args *args)
{
	cni_auto(nl) struct cni_nl host = CNI_NL_INIT;
	struct cni_error ignored = { 0 };
	struct cni_port_id id;

	if (identify(args, &id, &ignored) < 0 || cni_nl_open(&host, -1, &ignored) < 0)
		return;
	for (int i = 0; i < CNI_PORT_NAMES; i++) {
		struct cni_link link;

		if (cni_link_get(&host, id.name[i], &link) < 0 || whose(&link, &id) == OTHER)
			continue;
		(void)!cni_brport_silence(&host, link.index);
		return;
	}
}

/* @return whether a host end is of an attachment of ours, finished or not */
static bool is_marked(const struct cni_link *end)
{
	return cni_alias_is_ours(end->alias) || (!*end->alias && cni_group_is_ours(end->group));
}

/*
 * @return 1 if a container's interface is no bridge port, or its other end says that it is of somebody
 * else's attachment
 */
static int is_anothers(struct cni_nl *host, const struct cni_port_id *id,
		       const struct cni_link *cont, int netns)
{
	struct cni_link end;
	int nsid = -1, r;

	if (strcmp(cont->kind, "veth") != 0)
		return 1;
	if (cont->peer == 0)
		return 0; /* on its way out, or a kernel that does not say: as the Go plugins do */
	r = cni_link_get_index(host, cont->peer, &end);
	if (r == -ENODEV || (r == 0 && (strcmp(end.kind, "veth") != 0 || end.peer != cont->index ||
					!is_marked(&end) || whose(&end, id) != OTHER)))
		return 0;
	/* Numbers of links are small and not unique: this one's peer may be in another namespace. */
	if (r == 0)
		r = cni_nsid_get(host, netns, &nsid);
	return r < 0 ? r : end.peer_nsid == nsid;
}

static int remove_inside(struct cni_nl *host, const struct cni_port_id *id, int netns,
			 struct cni_error *err)
{
	cni_auto(nl) struct cni_nl sbox = CNI_NL_INIT;
	struct cni_link cont;
	int r;

	r = cni_nl_open(&sbox, netns, err);
	if (r < 0)
		return r;
	r = cni_link_get(&sbox, id->ifname, &cont);
	if (r < 0)
		return r == -ENODEV
			       ? 0
			       : cni_nl_fail(&sbox, err, r, "failed to lookup \"%s\"", id->ifname);
	r = is_anothers(host, id, &cont, netns);
	if (r < 0)
		return cni_nl_fail(host, err, r, "failed to look at the other end of \"%s\"",
				   id->ifname);
	if (r > 0) {
		cni_note("\"%s\" stays: it is not of this attachment", id->ifname);
		return 0;
	}
	return cni_link_remove(&sbox, &cont, err);
}

int cni_port_remove(const struct cni_args *args, struct cni_error *err)
{
	cni_auto(nl) struct cni_nl host = CNI_NL_INIT;
	cni_auto(fd) int fd = -1;
	struct cni_port_id id;
	int r;

	r = identify(args, &id, err);
	if (r == 0)
		r = cni_nl_open(&host, -1, err);
	if (r < 0)
		return r;
	r = delete_pairs(&host, &id, false, err);
	if (r != 0)
		return r < 0 ? r : 0;
	r = cni_netns_open_left(args->netns, &fd, err);
	return r > 0 ? remove_inside(&host, &id, fd, err) : r;
}

/* ---- GC ---- */

static bool is_name(const struct cni_port_id *id, const char *name)
{
	for (int i = 0; i < CNI_PORT_NAMES; i++)
		if (strcmp(id->name[i], name) == 0)
			return true;
	return false;
}

int cni_port_gc(const struct cni_args *args, struct cni_error *err)
{
	return cni_link_gc(args, "veth", is_name, err);
}
