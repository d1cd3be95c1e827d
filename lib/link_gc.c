/*
 * Links of the host that belong to no valid attachment; see link_gc.h.
 */
#include "link_gc.h"
#include "conf.h"
#include "nl_link.h"

#include <errno.h>
#include <string.h>

/* What GC keeps, sorted by alias, and what it has found to be deleted. */
struct collection {
	const char *net;
	bool (*is_name)(const struct cni_port_id *id, const char *name);
	uint32_t unfinished;
	struct cni_port_id *keep; /* owned */
	struct cni_link *found; /* owned */
	size_t n_keep, n_found, room;
};

static inline void cni_auto_collection(struct collection *c)
{
	free(c->keep);
	free(c->found);
}

static int compare_ids(const void *a, const void *b)
{
	return strcmp(((const struct cni_port_id *)a)->alias,
		      ((const struct cni_port_id *)b)->alias);
}

static int list_valid(const struct cni_args *args, struct collection *c)
{
	struct cni_port_id own;
	struct cni_valid valid;
	size_t n = 0;
	int r;

	r = cni_port_id(args->name, "", "", &own);
	if (r < 0)
		return r;
	c->net = args->name;
	c->unfinished = own.unfinished;
	while (cni_conf_next_valid(args, &n, &valid))
		;
	c->keep = calloc(n + 1, sizeof(*c->keep));
	if (!c->keep)
		return -ENOMEM;
	for (n = 0; cni_conf_next_valid(args, &n, &valid); c->n_keep++) {
		r = cni_port_id(args->name, valid.containerid, valid.ifname, &c->keep[c->n_keep]);
		if (r < 0)
			return r;
	}
	qsort(c->keep, c->n_keep, sizeof(*c->keep), compare_ids);
	return 0;
}

/* An ADD that is under way is one of a valid attachment; any other was killed. */
static bool is_under_way(const struct collection *c, const char *name)
{
	for (size_t i = 0; i < c->n_keep; i++)
		if (c->is_name(&c->keep[i], name))
			return true;
	return false;
}

static bool is_garbage(const struct collection *c, const struct cni_link *link)
{
	struct cni_port_id id;

	if (*link->alias) {
		memcpy(id.alias, link->alias, sizeof(id.alias));
		return cni_alias_is_of(link->alias, c->net) &&
		       !bsearch(&id, c->keep, c->n_keep, sizeof(id), compare_ids);
	}
	return link->group == c->unfinished && !is_under_way(c, link->name);
}

static void forget_found(void *ctx)
{
	struct collection *c = ctx;

	c->n_found = 0;
}

static int collect(const struct cni_link *link, void *ctx)
{
	struct collection *c = ctx;

	if (!is_garbage(c, link))
		return 0;
	if (c->n_found == c->room) {
		size_t room = c->room ? 2 * c->room : 16;
		struct cni_link *more = reallocarray(c->found, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		c->found = more;
		c->room = room;
	}
	c->found[c->n_found++] = *link;
	return 0;
}

int cni_link_gc(const struct cni_args *args, const char *kind,
		bool (*is_name)(const struct cni_port_id *id, const char *name),
		struct cni_error *err)
{
	cni_auto(collection) struct collection c = { .is_name = is_name };
	cni_auto(nl) struct cni_nl host = CNI_NL_INIT;
	int first = 0, r;

	r = list_valid(args, &c);
	if (r < 0)
		return cni_fail(err, CNI_E_INTERNAL, -r, "list valid attachments");
	r = cni_nl_open(&host, -1, err);
	if (r < 0)
		return r;
	r = cni_link_each(&host, kind, forget_found, collect, &c);
	if (r < 0)
		return cni_nl_fail(&host, err, r, "failed to list links");
	for (size_t i = 0; i < c.n_found; i++) {
		r = cni_link_remove(&host, &c.found[i], err);
		if (first == 0)
			first = r;
	}
	return first;
}
