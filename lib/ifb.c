/*
 * The link that what a container sends goes through; see ifb.h.
 */
#include "ifb.h"
#include "link_gc.h"
#include "nl_create.h"

#include <errno.h>
#include <linux/if.h>
#include <string.h>

#define KIND "ifb"

/* What a link with one of the names is; those before OTHERS are ours to delete. */
enum whose { OURS, UNFINISHED, THEIRS, OTHERS };

static enum whose whose(const struct cni_link *link, const struct cni_port_id *id, int i)
{
	if (strcmp(link->kind, KIND) != 0)
		return OTHERS;
	if (*link->alias)
		return strcmp(link->alias, id->alias) == 0 ? OURS : OTHERS;
	if (link->group == id->unfinished)
		return UNFINISHED;
	return i == 0 ? THEIRS : OTHERS;
}

static int identify(const struct cni_args *args, struct cni_port_id *id,
		    char names[static CNI_IFB_NAMES][CNI_IFB_NAME_LEN], struct cni_error *err)
{
	int r = cni_port_id(args->name, args->containerid, args->ifname, id);

	if (r == 0)
		r = cni_ifb_names(id, names);
	return r < 0 ? cni_fail(err, CNI_E_INTERNAL, -r, "name the attachment") : 0;
}

/* Delete what has this name if it is one of ours, or of what else up to `most`. @return 0, also if there is nothing */
static int delete_named(struct cni_nl *host, const struct cni_port_id *id, const char *name, int i,
			enum whose most)
{
	struct cni_link link;
	int r = cni_link_get(host, name, &link);

	if (r == 0 && whose(&link, id, i) <= most)
		r = cni_link_del_index(host, link.index);
	return r == -ENODEV ? 0 : r;
}

static void undo_create(void *ctx)
{
	struct cni_ifb *ifb = ctx;

	cni_link_undo(ifb->host, &ifb->link);
}

static void delete_unfinished(struct cni_nl *host, const struct cni_port_id *id, const char *name)
{
	struct cni_link link;
	int r = cni_link_get(host, name, &link);

	if (r == 0 && whose(&link, id, 0) == UNFINISHED)
		cni_link_undo(host, &link);
	if (r < 0 && r != -ENODEV)
		cni_note("undo of ADD: look for %s: %s", name, cni_strerror(-r));
}

int cni_ifb_create(const struct cni_args *args, struct cni_nl *host, unsigned int mtu,
		   struct cni_undo *undo, struct cni_ifb *ret, struct cni_error *err)
{
	char names[CNI_IFB_NAMES][CNI_IFB_NAME_LEN];
	struct cni_link_spec spec = { .kind = KIND, .netns_fd = -1, .mtu = mtu, .unqueued = true };
	int r;

	*ret = (struct cni_ifb){ .host = host };
	r = identify(args, &ret->id, names, err);
	if (r < 0)
		return r;
	spec.group = ret->id.unfinished;
	r = -EEXIST;
	for (int i = 0; i < CNI_IFB_NAMES && r == -EEXIST; i++) {
		spec.name = names[i];
		r = cni_link_create(host, &spec);
		if (r == -EEXIST && delete_named(host, &ret->id, names[i], i, UNFINISHED) == 0)
			r = cni_link_create(host, &spec);
		if (r == 0)
			r = cni_link_get(host, names[i], &ret->link);
	}
	if (r < 0) {
		cni_nl_fail(host, err, r, "failed to make link \"%s\"", spec.name);
		/* It may be an answer only that was lost, for lack of memory, and the link be there. */
		delete_unfinished(host, &ret->id, spec.name);
		return r;
	}
	cni_undo_push(undo, undo_create, ret);
	r = cni_link_set_up_addressless(host, &ret->link); /* of one of its own it has no use */
	return r < 0 ? cni_nl_fail(host, err, r, "failed to set \"%s\" up", ret->link.name) : 0;
}

int cni_ifb_finish(struct cni_ifb *ifb, struct cni_error *err)
{
	int r = cni_link_label(ifb->host, ifb->link.name, 0, ifb->id.alias);

	return r < 0 ? cni_nl_fail(ifb->host, err, r, "failed to finish \"%s\"", ifb->link.name)
		     : 0;
}

/* This attachment's own under whichever name comes before what may be another interface's. */
int cni_ifb_find(const struct cni_args *args, struct cni_nl *host, struct cni_link *ret,
		 struct cni_error *err)
{
	char names[CNI_IFB_NAMES][CNI_IFB_NAME_LEN];
	enum whose best = OTHERS;
	struct cni_port_id id;
	int r;

	r = identify(args, &id, names, err);
	if (r < 0)
		return r;
	for (int i = 0; i < CNI_IFB_NAMES; i++) {
		struct cni_link link;

		r = cni_link_get(host, names[i], &link);
		if (r < 0 && r != -ENODEV)
			return cni_nl_fail(host, err, r, "failed to lookup \"%s\"", names[i]);
		if (r == 0 && whose(&link, &id, i) < best) {
			best = whose(&link, &id, i);
			*ret = link;
		}
	}
	return best < OTHERS ? 0 : -ENODEV;
}

int cni_ifb_remove(const struct cni_args *args, struct cni_nl *host, struct cni_error *err)
{
	char names[CNI_IFB_NAMES][CNI_IFB_NAME_LEN];
	struct cni_port_id id;
	int r, first = 0;

	r = identify(args, &id, names, err);
	for (int i = 0; i < CNI_IFB_NAMES && r == 0; i++) {
		int one = delete_named(host, &id, names[i], i, THEIRS);

		if (one < 0 && first == 0)
			first = cni_nl_fail(host, err, one, "failed to delete \"%s\"", names[i]);
	}
	return r < 0 ? r : first;
}

static bool is_name(const struct cni_port_id *id, const char *name)
{
	char names[CNI_IFB_NAMES][CNI_IFB_NAME_LEN];

	if (cni_ifb_names(id, names) < 0)
		return true; /* nothing is known, and nothing deleted */
	return strcmp(names[0], name) == 0 || strcmp(names[1], name) == 0;
}

int cni_ifb_gc(const struct cni_args *args, struct cni_error *err)
{
	return cni_link_gc(args, KIND, is_name, err);
}
