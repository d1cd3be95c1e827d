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

/* ---- what ---- */

/* Whether a mapping before this one in the list is for the same port and address. */
static bool is_repeated(const struct cni_hostport *hp, size_t i, int family)
{
	const struct cni_mapping *m = &hp->mappings.item[i];

	for (size_t k = 0; k < i; k++) {
		const struct cni_mapping *o = &hp->mappings.item[k];

		if (cni_mapping_applies(o, cni_hostport_af(family)) && o->protocol == m->protocol &&
		    o->host_port == m->host_port &&
		    cni_mapping_is_any(o) == cni_mapping_is_any(m) &&
		    (cni_mapping_is_any(m) || cni_ip_cmp(&o->host_ip, &m->host_ip) == 0))
			return true;
	}
	return false;
}

/* A family that the container has no address of is left to others; DEL may not know: then both count. */
static bool is_claimed(const struct cni_hostport *hp, int family)
{
	return hp->ip[family].ip.family != AF_UNSPEC ||
	       (hp->ip[CNI_HOSTPORT_V4].ip.family == AF_UNSPEC &&
		hp->ip[CNI_HOSTPORT_V6].ip.family == AF_UNSPEC);
}

/* Call `fn` for each mapping and family that is to be claimed. */
static int each_claim(const struct cni_hostport *hp,
		      int (*fn)(const struct cni_mapping *m, int family, void *ctx), void *ctx)
{
	int r = 0;

	for (int f = 0; f < CNI_HOSTPORT_FAMILIES; f++)
		for (size_t i = 0; i < hp->mappings.n && r == 0; i++)
			if (is_claimed(hp, f) &&
			    cni_mapping_applies(&hp->mappings.item[i], cni_hostport_af(f)) &&
			    !is_repeated(hp, i, f))
				r = fn(&hp->mappings.item[i], f, ctx);
	return r;
}

static int count_one(const struct cni_mapping *m, int family, void *ctx)
{
	(void)m;
	(void)family;
	++*(unsigned int *)ctx;
	return 0;
}

static unsigned int count_claims(const struct cni_hostport *hp)
{
	unsigned int n = 0;

	(void)each_claim(hp, count_one, &n);
	return n;
}

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

/* ---- a transaction on the sets ---- */

struct job {
	struct cni_nft nft;
	const struct cni_hostport *hp;
	const struct cni_who *self;
	const struct cni_owners *valid; /* GC: whom to keep */
	bool allow, again;
	bool changed; /* there is something to commit */
	unsigned int mine, expected; /* elements found by their keys; and how many there are */
	struct cni_error *err;
};

static inline void cni_auto_job(struct job *j)
{
	cni_nft_close(&j->nft);
}

static void ensure_sets(struct job *j)
{
	cni_nft_table(&j->nft, NFPROTO_INET, TABLE, "Which container has which port of this host");
	for (int f = 0; f < CNI_HOSTPORT_FAMILIES; f++) {
		cni_nft_set(&j->nft, &any[f]);
		cni_nft_set(&j->nft, &one[f]);
		cni_nft_set(&j->nft, &some[f]);
	}
}

static void delete_if_there(struct job *j, const struct cni_nft_set *set,
			    const struct cni_nft_elem *e)
{
	cni_nft_elem_add(&j->nft, set, e, false);
	cni_nft_elem_delete(&j->nft, set, e->key);
}

static int failed(struct cni_error *err, int r, const char *what)
{
	cni_fail(err, r == -EAGAIN ? CNI_E_RETRY : CNI_E_INTERNAL, -r,
		 "failed to %s host ports in nf_tables table inet %s", what, TABLE);
	return r;
}

/* Decide on what is read, until nobody has changed it meanwhile. */
static int decide(struct job *j, int (*put_together)(struct job *j))
{
	int r;

	do {
		j->changed = false;
		r = cni_nft_watch(&j->nft);
		if (r == 0)
			r = put_together(j);
		if (r == 0 && j->changed)
			r = cni_nft_commit(&j->nft);
	} while (cni_nft_again(&j->nft, r));
	return cni_nft_outcome(r);
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
	struct cni_nft_elem e = element(m, j->self), key = mark(&e);
	bool is_any = cni_mapping_is_any(m);
	int r;

	r = cni_nft_elem_get(&j->nft, is_any ? &some[family] : &any[family], key.key, pass_over,
			     NULL);
	if (r != 0)
		return r < 0 ? r : -EEXIST;
	cni_nft_elem_add(&j->nft, set_of(m, family), &e, true);
	if (!is_any)
		cni_nft_elem_add(&j->nft, &some[family], &key, false);
	return 0;
}

static int take_all_unseen(struct job *j)
{
	ensure_sets(j);
	j->changed = true;
	return each_claim(j->hp, take_unseen, j);
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

	for (size_t i = 0; i < list->n && is_claimed(s->j->hp, s->family); i++)
		if (concerns(e, s->set, s->family, &list->item[i], s->j->self))
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
				    s->j->self)) { /* written anew, if it is still wanted */
		s->j->again = true;
		cni_nft_elem_delete(&s->j->nft, s->set, e->key);
		if (s->set == &one[s->family]) {
			delete_if_there(s->j, &some[s->family], &key);
			s->unmarked = true;
		}
		return;
	}
	m = concerned(e, s);
	if (!m)
		return;
	if (!cni_who_same_container(e->owner, s->j->self)) {
		if (!cni_who_is_alive(e->owner)) {
			cni_nft_elem_delete(&s->j->nft, s->set, e->key);
			return;
		}
		if (!s->j->allow) {
			s->result = conflict(s->j, m, e);
			return;
		}
	}
	if (s->set == &one[s->family])
		cni_nft_elem_add(&s->j->nft, &some[s->family], &key, false);
}

static void mark_others(const struct cni_nft_elem *e, void *ctx)
{
	const struct seen *s = ctx;
	struct cni_nft_elem key = mark(e);

	if (!cni_who_same_attachment(e->owner, s->j->self))
		cni_nft_elem_add(&s->j->nft, &some[s->family], &key, false);
}

static int see(struct job *j, const struct cni_nft_set *set, int family)
{
	struct seen s = { .j = j, .set = set, .family = family };
	int r = cni_nft_elem_each(&j->nft, set, on_seen, &s);

	if (r == 0 && s.result == 0 && s.unmarked)
		r = cni_nft_elem_each(&j->nft, set, mark_others, &s);
	return r < 0 ? r : s.result;
}

/* The marks that are still right are put back by who is met in "one", and by our own. */
static int unmark(const struct cni_mapping *m, int family, void *ctx)
{
	struct job *j = ctx;
	struct cni_nft_elem e = element(m, j->self), key = mark(&e);

	if (cni_mapping_is_any(m))
		delete_if_there(j, &some[family], &key);
	return 0;
}

/* What somebody keeps stays as it is. */
static int take_free(const struct cni_mapping *m, int family, void *ctx)
{
	struct job *j = ctx;
	struct cni_nft_elem e = element(m, j->self), key = mark(&e);

	cni_nft_elem_add(&j->nft, set_of(m, family), &e, false);
	if (!cni_mapping_is_any(m))
		cni_nft_elem_add(&j->nft, &some[family], &key, false);
	return 0;
}

static int take_all_seen(struct job *j)
{
	int r;

	ensure_sets(j);
	j->changed = true;
	r = each_claim(j->hp, unmark, j);
	for (int f = 0; f < CNI_HOSTPORT_FAMILIES && r == 0; f++) {
		r = see(j, &any[f], f);
		if (r == 0)
			r = see(j, &one[f], f);
	}
	return r < 0 ? r : each_claim(j->hp, take_free, j);
}

int cni_claim_take(const struct cni_hostport *hp, bool allow, bool look, int *ret_busy,
		   struct cni_error *err)
{
	cni_auto(job) struct job j = { .hp = hp, .allow = allow, .err = err };
	struct cni_who self;
	int r;

	j.self = &self;
	*ret_busy = cni_who_be_busy(hp);
	r = cni_who_is(hp, count_claims(hp), &self);
	if (r == 0)
		r = cni_nft_open(&j.nft);
	if (r == 0)
		r = look ? -EEXIST : decide(&j, take_all_unseen);
	if (r == -EEXIST)
		r = decide(&j, take_all_seen);
	if (cni_nft_is_absent(r))
		return 0;
	return r < 0 ? failed(err, r, "take") : j.again;
}

struct others {
	const struct cni_mapping *m;
	const struct cni_who *self;
	const struct cni_nft_set *set;
	int family;
	bool found;
};

static void on_others(const struct cni_nft_elem *e, void *ctx)
{
	struct others *o = ctx;

	o->found |= concerns(e, o->set, o->family, o->m, o->self) &&
		    !cni_who_same_attachment(e->owner, o->self);
}

bool cni_claim_others_have(const struct cni_hostport *hp, const struct cni_mapping *m, int family)
{
	cni_auto(nft) struct cni_nft nft = { 0 };
	struct others o = { .m = m, .family = family };
	struct cni_who self;
	int r;

	o.self = &self;
	r = cni_who_is(hp, 0, &self);
	if (r == 0)
		r = cni_nft_open(&nft);
	if (r < 0)
		return false;
	do {
		o.set = &any[family];
		r = cni_nft_elem_each(&nft, o.set, on_others, &o);
		o.set = &one[family];
		if (r == 0)
			r = cni_nft_elem_each(&nft, o.set, on_others, &o);
	} while (cni_nft_again(&nft, r));
	return o.found;
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
	cni_nft_elem_delete(&d->j->nft, d->set, e->key);
	d->j->changed = true;
	d->n++;
}

static void on_known(const struct cni_nft_elem *e, void *ctx)
{
	struct drop *d = ctx;

	if (!d->is_stale(e->owner, d->ctx))
		return;
	d->j->mine++;
	d->j->expected = cni_who_count(e->owner);
	on_elem(e, ctx);
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
		cni_nft_elem_add(&m->d->j->nft, m->some, &key, false);
}

/* Read the sets of one family; GC does, and DEL if it has no list, or one with addresses. */
static int drop_listed(struct drop *d, int family)
{
	struct marks marks = { .d = d, .some = &some[family] };
	int r;

	d->set = &any[family];
	r = cni_nft_elem_each(&d->j->nft, d->set, on_elem, d);
	d->set = &one[family];
	d->n = 0;
	if (r == 0)
		r = cni_nft_elem_each(&d->j->nft, d->set, on_elem, d);
	if (r < 0 || d->n == 0)
		return r;
	cni_nft_set_flush(&d->j->nft, &some[family]);
	return cni_nft_elem_each(&d->j->nft, d->set, on_rest, &marks);
}

static int drop_known(const struct cni_mapping *m, int family, void *ctx)
{
	struct job *j = ctx;
	struct drop d = { .j = j, .set = &any[family], .is_stale = is_mine, .ctx = j->self };
	struct cni_nft_elem e = element(m, j->self);
	int r = cni_nft_elem_get(&j->nft, d.set, e.key, on_known, &d);

	return r < 0 ? r : 0;
}

/*
 * By the list, if it is that of ADD: then it leads to as many elements as there are. An address makes it
 * necessary to see who else has the port.
 */
static int drop_by_list(struct job *j)
{
	j->mine = j->expected = 0;
	for (size_t i = 0; i < j->hp->mappings.n; i++)
		if (!cni_mapping_is_any(&j->hp->mappings.item[i]))
			return 0;
	return each_claim(j->hp, drop_known, j);
}

static int drop_by_reading(struct job *j)
{
	struct drop d = { .j = j, .is_stale = is_mine, .ctx = j->self };
	int r = 0;

	for (int f = 0; f < CNI_HOSTPORT_FAMILIES && r == 0; f++)
		r = drop_listed(&d, f);
	return r;
}

int cni_claim_drop(const struct cni_hostport *hp, struct cni_error *err)
{
	cni_auto(job) struct job j = { .hp = hp };
	struct cni_who self;
	int r;

	j.self = &self;
	r = cni_who_is(hp, count_claims(hp), &self);
	if (r == 0)
		r = cni_nft_open(&j.nft);
	if (r == 0)
		r = decide(&j, drop_by_list);
	if (r == 0 && (j.mine == 0 || j.mine != j.expected))
		r = decide(&j, drop_by_reading);
	return r < 0 && !cni_nft_is_absent(r) ? failed(err, r, "give back") : 0;
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
	cni_auto(job) struct job j = { 0 };
	cni_auto(owners) struct cni_owners valid = { 0 };
	int r;

	j.valid = &valid;
	r = cni_owners_valid(args, &valid);
	if (r == 0)
		r = cni_nft_open(&j.nft);
	if (r == 0)
		r = decide(&j, drop_stale);
	return r < 0 && !cni_nft_is_absent(r) ? failed(err, r, "give back") : 0;
}
