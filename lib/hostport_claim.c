/*
 * Who has which port of the host; see hostport_claim.h.
 *
 * A port may be had at every address of a family, or at one; the two exclude each other. So there are
 * three sets for each family:
 *
 *   any   ports that somebody has at every address
 *   one   addresses' ports that somebody has
 *   some  ports that are in "one", at whatever address; one too many costs a look, one missing a port
 *
 * Taking a port asks for it among the other kind's, and adds it exclusively to its own. Only when that
 * fails are the sets read, to find out why.
 */
#include "hostport_claim.h"
#include "hostport_who.h"
#include "nft_set.h"
#include "owners.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <stdio.h>
#include <string.h>

#define TABLE "cni_hostport_owners"

#define SET(set, ...)                                                                          \
	{                                                                                      \
		.family = NFPROTO_INET, .table = TABLE, .name = (set), .type = { __VA_ARGS__ } \
	}

static const struct cni_nft_set any[CNI_HOSTPORT_FAMILIES] = {
	SET("any4", CNI_NFT_PROTOCOL, CNI_NFT_PORT),
	SET("any6", CNI_NFT_PROTOCOL, CNI_NFT_PORT),
};
static const struct cni_nft_set one[CNI_HOSTPORT_FAMILIES] = {
	SET("one4", CNI_NFT_PROTOCOL, CNI_NFT_PORT, CNI_NFT_IPV4),
	SET("one6", CNI_NFT_PROTOCOL, CNI_NFT_PORT, CNI_NFT_IPV6),
};
static const struct cni_nft_set some[CNI_HOSTPORT_FAMILIES] = {
	SET("some4", CNI_NFT_PROTOCOL, CNI_NFT_PORT),
	SET("some6", CNI_NFT_PROTOCOL, CNI_NFT_PORT),
};

/* Bytes of a key that say protocol and port: the whole of it in "any" and "some". */
#define PORT_LEN 8

/* ---- elements ---- */

static struct cni_nft_elem element(const struct cni_mapping *m, const struct cni_who *self)
{
	struct cni_nft_elem e = { .comment = self->comment, .owner = self->who };
	uint16_t port = htons(m->host_port);

	e.key[0] = m->protocol;
	memcpy(e.key + 4, &port, sizeof(port));
	if (!cni_mapping_is_any(m))
		memcpy(e.key + PORT_LEN, m->host_ip.b, cni_ip_size(&m->host_ip));
	return e;
}

/* A mark in "some" says nothing but its key. */
static struct cni_nft_elem mark(const struct cni_nft_elem *e)
{
	struct cni_nft_elem m = *e;

	m.comment = m.owner = "";
	return m;
}

static const struct cni_nft_set *set_of(const struct cni_mapping *m, int family)
{
	return cni_mapping_is_any(m) ? &any[family] : &one[family];
}

/* ---- a share in a transaction, on the sets ---- */

struct held {
	const struct cni_nft_set *set;
	uint8_t key[CNI_NFT_KEY_LEN];
};

struct job {
	int (*put_together)(struct job *j);
	const char *what; /* for the error's message */
	struct cni_nft *nft; /* borrowed from the transaction, for one try */
	const struct cni_hostport *hp;
	struct cni_who self;
	const struct cni_owners *valid; /* GC: whom to keep */
	bool allow;
	bool *again; /* becomes true if the attachment has some already */
	bool changed; /* there is something to commit */
	struct held *held; /* owned; elements of ours that the list of ports led to */
	unsigned int n_held, expected; /* how many it led to; and how many there are */
	struct {
		char who[CNI_WHO_LEN];
		bool alive;
	} asked; /* for last; hundreds of ports are one owner's */
	struct cni_error *err;
};

static void ensure_sets(struct job *j)
{
	cni_nft_table(j->nft, NFPROTO_INET, TABLE, "Which container has which port of this host");
	for (int f = 0; f < CNI_HOSTPORT_FAMILIES; f++) {
		cni_nft_set(j->nft, &any[f]);
		cni_nft_set(j->nft, &one[f]);
		cni_nft_set(j->nft, &some[f]);
	}
}

static void delete_if_there(struct job *j, const struct cni_nft_set *set,
			    const struct cni_nft_elem *e)
{
	cni_nft_elem_add(j->nft, set, e, false);
	cni_nft_elem_delete(j->nft, set, e->key);
}

static int plan(void *ctx, struct cni_nft *nft)
{
	struct job *j = ctx;
	int r;

	j->nft = nft;
	j->changed = false;
	r = j->put_together(j);
	return r < 0 ? r : j->changed ? CNI_NFT_DECIDED : CNI_NFT_NOTHING;
}

/* Without nf_tables there are no owners, and nothing to do. */
static int failed(void *ctx, int r, struct cni_error *err)
{
	const struct job *j = ctx;

	if (cni_nft_is_absent(r))
		return 0;
	cni_fail(err, r == -EAGAIN ? CNI_E_RETRY : CNI_E_INTERNAL, -r,
		 "failed to %s host ports in nf_tables table inet %s", j->what, TABLE);
	return r;
}

static void free_job(void *ctx)
{
	struct job *j = ctx;

	if (j)
		free(j->held);
	free(j);
}

static bool is_seen_now(void *ctx, struct cni_nft *nft, int r);

static int share(const struct job *what, struct cni_nft_tx *tx, struct cni_error *err)
{
	static const struct cni_nft_share_kind kind = {
		.plan = plan, .is_stale = is_seen_now, .failed = failed, .release = free_job
	};
	unsigned int n = what->hp ? cni_hostport_count(what->hp) : 0;
	struct job *j = calloc(1, sizeof(*j));
	int r = j ? 0 : -ENOMEM;

	if (j) {
		*j = *what;
		j->held = calloc(n + 1, sizeof(*j->held));
		r = !j->held ? -ENOMEM : j->hp ? cni_who_is(j->hp, n, &j->self) : 0;
	}
	if (r == 0)
		r = cni_nft_tx_share(tx, &kind, CNI_TAKE(j));
	free_job(j);
	return r < 0 ? failed((void *)what, r, err) : 0;
}

/* ---- taking ---- */

static void pass_over(const struct cni_nft_elem *e, void *ctx)
{
	(void)e;
	(void)ctx;
}

/* @return -EEXIST if the port is taken the other way */
static int take_unseen(const struct cni_mapping *m, int family, void *ctx)
{
	struct job *j = ctx;
	struct cni_nft_elem e = element(m, &j->self), key = mark(&e);
	bool is_any = cni_mapping_is_any(m);
	int r;

	r = cni_nft_elem_get(j->nft, is_any ? &some[family] : &any[family], key.key, pass_over,
			     NULL);
	if (r != 0)
		return r < 0 ? r : -EEXIST;
	cni_nft_elem_add(j->nft, set_of(m, family), &e, true);
	if (!is_any)
		cni_nft_elem_add(j->nft, &some[family], &key, false);
	return 0;
}

static int take_all_unseen(struct job *j)
{
	ensure_sets(j);
	j->changed = true;
	return cni_hostport_each_port(j->hp, take_unseen, j);
}

/* One set of a family held against all mappings. */
struct seen {
	struct job *j;
	const struct cni_nft_set *set;
	int family, result;
	bool unmarked; /* marks of ports that others may have, too, are gone */
};

static int conflict(struct job *j, const struct cni_mapping *m, const struct cni_nft_elem *e)
{
	char ip[CNI_IP_STRLEN];
	bool is_any = cni_mapping_is_any(m);

	cni_fail(j->err, CNI_E_INTERNAL, 0, "host port %u/%s%s%s is taken by %s", m->host_port,
		 cni_mapping_protocol(m->protocol), is_any ? "" : " of ",
		 is_any ? "" : cni_ip_format(&m->host_ip, ip), e->comment);
	cni_error_detail(j->err, "another hostPort or hostIP in portMappings; or "
				 "allowPortConflicts: true, which leaves the port to the first");
	return -EADDRINUSE;
}

static bool is_alive(struct job *j, const char *who)
{
	if (strcmp(j->asked.who, who) != 0) {
		snprintf(j->asked.who, sizeof(j->asked.who), "%s", who);
		j->asked.alive = cni_who_is_alive(who);
	}
	return j->asked.alive;
}

/* Whether an element of a set is for a port that the mapping wants. */
static bool concerns(const struct cni_nft_elem *e, const struct cni_nft_set *set, int family,
		     const struct cni_mapping *m, const struct cni_who *self)
{
	struct cni_nft_elem want = element(m, self);
	size_t len = PORT_LEN;

	if (!cni_mapping_applies(m, cni_hostport_af(family)))
		return false;
	if (set == &one[family] && !cni_mapping_is_any(m))
		len += cni_ip_size(&m->host_ip);
	return memcmp(e->key, want.key, len) == 0;
}

static const struct cni_mapping *concerned(const struct cni_nft_elem *e, const struct seen *s)
{
	const struct cni_mapping_list *list = &s->j->hp->mappings;

	for (size_t i = 0; i < list->n && cni_hostport_needs(s->j->hp, s->family); i++)
		if (concerns(e, s->set, s->family, &list->item[i], &s->j->self))
			return &list->item[i];
	return NULL;
}

/* Each element is met once, so that none is deleted twice; what is wanted is added after all of them. */
static void on_seen(const struct cni_nft_elem *e, void *ctx)
{
	struct seen *s = ctx;
	struct cni_nft_elem key = mark(e);
	const struct cni_mapping *m;

	if (s->result < 0)
		return;
	if (cni_who_same_attachment(e->owner,
				    &s->j->self)) { /* written anew, if it is still wanted */
		*s->j->again = true;
		cni_nft_elem_delete(s->j->nft, s->set, e->key);
		if (s->set == &one[s->family]) {
			delete_if_there(s->j, &some[s->family], &key);
			s->unmarked = true;
		}
		return;
	}
	m = concerned(e, s);
	if (!m)
		return;
	if (!cni_who_same_container(e->owner, &s->j->self)) {
		if (!is_alive(s->j, e->owner)) {
			cni_nft_elem_delete(s->j->nft, s->set, e->key);
			return;
		}
		if (!s->j->allow) {
			s->result = conflict(s->j, m, e);
			return;
		}
	}
	if (s->set == &one[s->family])
		cni_nft_elem_add(s->j->nft, &some[s->family], &key, false);
}

static void mark_others(const struct cni_nft_elem *e, void *ctx)
{
	const struct seen *s = ctx;
	struct cni_nft_elem key = mark(e);

	if (!cni_who_same_attachment(e->owner, &s->j->self))
		cni_nft_elem_add(s->j->nft, &some[s->family], &key, false);
}

static int see(struct job *j, const struct cni_nft_set *set, int family)
{
	struct seen s = { .j = j, .set = set, .family = family };
	int r = cni_nft_elem_each(j->nft, set, on_seen, &s);

	if (r == 0 && s.result == 0 && s.unmarked)
		r = cni_nft_elem_each(j->nft, set, mark_others, &s);
	return r < 0 ? r : s.result;
}

/* The marks that are still right are put back by who is met in "one", and by our own. */
static int unmark(const struct cni_mapping *m, int family, void *ctx)
{
	struct job *j = ctx;
	struct cni_nft_elem e = element(m, &j->self), key = mark(&e);

	if (cni_mapping_is_any(m))
		delete_if_there(j, &some[family], &key);
	return 0;
}

/* What somebody keeps stays as it is. */
static int take_free(const struct cni_mapping *m, int family, void *ctx)
{
	struct job *j = ctx;
	struct cni_nft_elem e = element(m, &j->self), key = mark(&e);

	cni_nft_elem_add(j->nft, set_of(m, family), &e, false);
	if (!cni_mapping_is_any(m))
		cni_nft_elem_add(j->nft, &some[family], &key, false);
	return 0;
}

static int take_all_seen(struct job *j)
{
	int r;

	ensure_sets(j);
	j->changed = true;
	*j->again = false;
	*j->asked.who = '\0';
	j->asked.alive = false;
	r = cni_hostport_each_port(j->hp, unmark, j);
	for (int f = 0; f < CNI_HOSTPORT_FAMILIES && r == 0; f++) {
		r = see(j, &any[f], f);
		if (r == 0)
			r = see(j, &one[f], f);
	}
	return r < 0 ? r : cni_hostport_each_port(j->hp, take_free, j);
}

/* A port that was not free: why, is seen by reading the sets. */
static bool is_seen_now(void *ctx, struct cni_nft *nft, int r)
{
	struct job *j = ctx;

	(void)nft;
	if (r != -EEXIST || j->put_together != take_all_unseen)
		return false;
	j->put_together = take_all_seen;
	return true;
}

int cni_claim_take(struct cni_hostport *hp, bool allow, struct cni_nft_tx *tx,
		   struct cni_error *err)
{
	const struct job j = { .put_together = hp->was_here ? take_all_seen : take_all_unseen,
			       .what = "take",
			       .hp = hp,
			       .allow = allow,
			       .again = &hp->again,
			       .err = err };

	return share(&j, tx, err);
}

struct others {
	const struct cni_hostport *hp;
	const struct cni_who *self;
	const struct cni_nft_set *set;
	int family;
	bool (*found)[CNI_HOSTPORT_FAMILIES];
};

static void on_others(const struct cni_nft_elem *e, void *ctx)
{
	const struct others *o = ctx;

	if (cni_who_same_attachment(e->owner, o->self))
		return;
	for (size_t i = 0; i < o->hp->mappings.n; i++)
		o->found[i][o->family] |=
			concerns(e, o->set, o->family, &o->hp->mappings.item[i], o->self);
}

static int look_at_others(struct cni_nft *nft, struct others *o)
{
	int r = 0;

	for (o->family = 0; o->family < CNI_HOSTPORT_FAMILIES && r == 0; o->family++) {
		o->set = &any[o->family];
		r = cni_nft_elem_each(nft, o->set, on_others, o);
		o->set = &one[o->family];
		if (r == 0)
			r = cni_nft_elem_each(nft, o->set, on_others, o);
	}
	return r;
}

void cni_claim_others_have(const struct cni_hostport *hp, bool (*ret)[CNI_HOSTPORT_FAMILIES])
{
	cni_auto(nft) struct cni_nft nft = { 0 };
	struct cni_who self;
	struct others o = { .hp = hp, .self = &self, .found = ret };
	int r;

	r = cni_who_is(hp, 0, &self);
	if (r == 0)
		r = cni_nft_open(&nft);
	if (r < 0)
		return;
	do
		r = look_at_others(&nft, &o);
	while (cni_nft_again(&nft, r));
}

/* ---- giving back ---- */

/* Which elements of a set are to go. */
struct drop {
	struct job *j;
	const struct cni_nft_set *set;
	bool (*is_stale)(const char *who, const void *ctx);
	const void *ctx;
	unsigned int n;
};

static void on_elem(const struct cni_nft_elem *e, void *ctx)
{
	struct drop *d = ctx;

	if (!d->is_stale(e->owner, d->ctx))
		return;
	cni_nft_elem_delete(d->j->nft, d->set, e->key);
	d->j->changed = true;
	d->n++;
}

static bool is_mine(const char *who, const void *self)
{
	return cni_who_same_attachment(who, self);
}

/* Mark anew which ports are in "one", leaving out those that go. */
struct marks {
	struct drop *d;
	const struct cni_nft_set *some;
};

static void on_rest(const struct cni_nft_elem *e, void *ctx)
{
	const struct marks *m = ctx;
	struct cni_nft_elem key = mark(e);

	if (!m->d->is_stale(e->owner, m->d->ctx))
		cni_nft_elem_add(m->d->j->nft, m->some, &key, false);
}

/* Read the sets of one family; GC does, and DEL if it has no list, or one with addresses. */
static int drop_listed(struct drop *d, int family)
{
	struct marks marks = { .d = d, .some = &some[family] };
	int r;

	d->set = &any[family];
	r = cni_nft_elem_each(d->j->nft, d->set, on_elem, d);
	d->set = &one[family];
	d->n = 0;
	if (r == 0)
		r = cni_nft_elem_each(d->j->nft, d->set, on_elem, d);
	if (r < 0 || d->n == 0)
		return r;
	cni_nft_set_flush(d->j->nft, &some[family]);
	return cni_nft_elem_each(d->j->nft, d->set, on_rest, &marks);
}

static void on_held(const struct cni_nft_elem *e, void *ctx)
{
	struct job *j = ctx;

	if (!is_mine(e->owner, &j->self))
		return;
	j->expected = cni_who_count(e->owner);
	j->n_held++;
}

static int look_for(const struct cni_mapping *m, int family, void *ctx)
{
	struct job *j = ctx;
	struct held *h = &j->held[j->n_held];
	struct cni_nft_elem e = element(m, &j->self);
	int r;

	h->set = &any[family];
	memcpy(h->key, e.key, sizeof(h->key));
	r = cni_nft_elem_get(j->nft, h->set, h->key, on_held, j);
	return r < 0 ? r : 0;
}

/* What the list of ports leads to. An address makes it necessary to see who else has the port. */
static int look_for_all(struct job *j)
{
	j->n_held = j->expected = 0;
	for (size_t i = 0; i < j->hp->mappings.n; i++)
		if (!cni_mapping_is_any(&j->hp->mappings.item[i]))
			return 0;
	return cni_hostport_each_port(j->hp, look_for, j);
}

static int drop_by_reading(struct job *j)
{
	struct drop d = { .j = j, .is_stale = is_mine, .ctx = &j->self };
	int r = 0;

	for (int f = 0; f < CNI_HOSTPORT_FAMILIES && r == 0; f++)
		r = drop_listed(&d, f);
	return r;
}

/* By the list, if it is that of ADD: then it leads to as many elements as there are. */
static int drop_mine(struct job *j)
{
	int r = look_for_all(j);

	if (r < 0)
		return r;
	if (j->n_held == 0 || j->n_held != j->expected)
		return drop_by_reading(j);
	for (unsigned int i = 0; i < j->n_held; i++)
		cni_nft_elem_delete(j->nft, j->held[i].set, j->held[i].key);
	j->changed = true;
	return 0;
}

int cni_claim_drop(const struct cni_hostport *hp, struct cni_nft_tx *tx, struct cni_error *err)
{
	return share(&(struct job){ .put_together = drop_mine, .what = "give back", .hp = hp }, tx,
		     err);
}

static bool is_stale(const char *who, const void *valid)
{
	return cni_owners_stale(valid, who);
}

static int drop_stale(struct job *j)
{
	struct drop d = { .j = j, .is_stale = is_stale, .ctx = j->valid };
	int r = 0;

	for (int f = 0; f < CNI_HOSTPORT_FAMILIES && r == 0; f++)
		r = drop_listed(&d, f);
	return r;
}

int cni_claim_gc(const struct cni_args *args, struct cni_error *err)
{
	cni_auto(owners) struct cni_owners valid = { 0 };
	cni_auto(nft_tx) struct cni_nft_tx tx = { .n = 0 };
	struct job j = { .put_together = drop_stale, .what = "give back", .valid = &valid };
	int r = cni_owners_valid(args, &valid);

	r = r < 0 ? failed(&j, r, err) : share(&j, &tx, err);
	return r < 0 ? r : cni_nft_tx_commit(&tx, err);
}
