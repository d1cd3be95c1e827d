/*
 * Who has which port of the host; see hostport_claim.h.
 *
 * A port may be had at every address of a family, or at one; the two exclude each other. So there are
 * three sets for each family:
 *
 *   any   ports that somebody has at every address
 *   one   addresses' ports that somebody has
 *   some  ports that are in "one", at whatever address
 *
 * Taking a port asks for it among the other kind's, and adds it exclusively to its own. Only when that
 * fails are the sets read, to find out why.
 */
#include "hostport_claim.h"
#include "names.h"
#include "nft_set.h"
#include "owners.h"
#include "sha512.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#define TABLE "cni_hostport_owners"
#define TRIES 100

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

/* Call `fn` for each mapping and family that is to be claimed. */
static int each_claim(const struct cni_hostport *hp,
		      int (*fn)(const struct cni_mapping *m, int family, void *ctx), void *ctx)
{
	int r = 0;

	for (int f = 0; f < CNI_HOSTPORT_FAMILIES; f++)
		for (size_t i = 0; i < hp->mappings.n && r == 0; i++)
			if (cni_mapping_applies(&hp->mappings.item[i], cni_hostport_af(f)) &&
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

/* ---- who ---- */

/*
 * "<owner>,<chain>,<hash of the container's id>,<number of its elements>": what has to be compared, in
 * fixed columns.
 */
#define CHAIN_AT CNI_OWNER_LEN
#define CONTAINER_AT (CHAIN_AT + CNI_CHAIN_NAME_LEN)
#define CONTAINER_LEN 16
#define COUNT_AT (CONTAINER_AT + CONTAINER_LEN + 1)
#define WHO_LEN (COUNT_AT + 7)

struct who {
	char who[WHO_LEN];
	char comment[CNI_COMMENT_LEN]; /* for people, and for the message about a conflict */
};

static int who_is(const struct cni_hostport *hp, struct who *ret)
{
	char owner[CNI_OWNER_LEN], chain[CNI_CHAIN_NAME_LEN], hash[CNI_SHA512_HEXLEN];
	int r;

	r = cni_owner(hp->net, hp->containerid, hp->ifname, owner);
	if (r == 0)
		r = cni_chain_name("DN-", hp->net, hp->containerid, chain);
	cni_sha512_hex(hp->containerid, strlen(hp->containerid), hash);
	if (r == 0) {
		snprintf(ret->who, sizeof(ret->who), "%s,%s,%.*s,%06u", owner, chain, CONTAINER_LEN,
			 hash, count_claims(hp) % 1000000);
		snprintf(ret->comment, sizeof(ret->comment), "container %s, network %s",
			 hp->containerid, hp->net);
	}
	return r;
}

static bool is_same_attachment(const char *who, const struct who *self)
{
	return strncmp(who, self->who, CNI_OWNER_LEN) == 0;
}

static bool is_same_container(const char *who, const struct who *self)
{
	return strlen(who) == WHO_LEN - 1 &&
	       strncmp(who + CONTAINER_AT, self->who + CONTAINER_AT, CONTAINER_LEN) == 0;
}

/*
 * Between taking its ports and writing its rules an ADD holds a socket that has its owner's name, in the
 * abstract namespace: that is one for each network namespace, as the rules are, and ends with the process.
 */
static socklen_t busy_name(const char *owner, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	return (socklen_t)offsetof(struct sockaddr_un, sun_path) + 1 +
	       (socklen_t)snprintf(ret->sun_path + 1, sizeof(ret->sun_path) - 1, "cni-hostport/%s",
				   owner);
}

static int be_busy(const struct cni_hostport *hp)
{
	cni_auto(fd) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char owner[CNI_OWNER_LEN];
	struct sockaddr_un name;
	socklen_t len;
	int ret = -1;

	if (fd < 0 || cni_owner(hp->net, hp->containerid, hp->ifname, owner) < 0)
		return -1;
	len = busy_name(owner, &name);
	if (bind(fd, (struct sockaddr *)&name, len) == 0) {
		ret = fd;
		fd = -1;
	}
	return ret;
}

static bool is_busy(const char *owner)
{
	cni_auto(fd) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un name;
	socklen_t len = busy_name(owner, &name);

	return fd < 0 || connect(fd, (struct sockaddr *)&name, len) == 0;
}

/* Whether somebody's rules are there, or on their way. Who cannot be asked is taken to be alive. */
static bool is_alive(const char *who)
{
	char owner[CNI_OWNER_LEN], chain[CNI_CHAIN_NAME_LEN];

	if (strlen(who) != WHO_LEN - 1)
		return false;
	snprintf(owner, sizeof(owner), "%.*s", CNI_OWNER_LEN - 1, who);
	snprintf(chain, sizeof(chain), "%.*s", CNI_CHAIN_NAME_LEN - 1, who + CHAIN_AT);
	/* In this order: who is not at work any more has written what there is. */
	if (is_busy(owner))
		return true;
	for (size_t i = 0; cni_hostport_backends[i]; i++)
		if (cni_hostport_backends[i]->holds(owner, chain) != 0)
			return true;
	return false;
}

/* ---- elements ---- */

static struct cni_nft_elem element(const struct cni_mapping *m, const struct who *self)
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

struct stale;

struct job {
	struct cni_nft nft;
	const struct cni_hostport *hp;
	const struct who *self;
	const struct stale *stale;
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

static bool is_absent(int r)
{
	return r == -EPROTONOSUPPORT || r == -EAFNOSUPPORT;
}

/* Decide on what is read, until nobody has changed it meanwhile. */
static int decide(struct job *j, int (*put_together)(struct job *j))
{
	int tries = TRIES, r;

	do {
		j->changed = false;
		r = cni_nft_watch(&j->nft);
		if (r == 0)
			r = put_together(j);
		if (r == 0 && j->changed)
			r = cni_nft_commit(&j->nft);
	} while ((r == -ERESTART || r == -EINTR) && tries-- > 0);
	return r == -ERESTART ? -EAGAIN : r;
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

/* One mapping held against the elements of a set. */
struct match {
	struct job *j;
	const struct cni_nft_set *set;
	struct cni_nft_elem want;
	const struct cni_mapping *m;
	size_t len; /* bytes of the key that have to be equal */
	bool kept; /* somebody keeps one that matched */
	int result;
};

static int conflict(const struct match *x, const struct cni_nft_elem *e)
{
	char ip[CNI_IP_STRLEN];
	bool is_any = cni_mapping_is_any(x->m);

	cni_fail(x->j->err, CNI_E_INTERNAL, 0, "host port %u/%s%s%s is taken by %s",
		 x->m->host_port, cni_mapping_protocol(x->m->protocol), is_any ? "" : " of ",
		 is_any ? "" : cni_ip_format(&x->m->host_ip, ip), e->comment);
	cni_error_detail(x->j->err, "another hostPort or hostIP in portMappings; or "
				    "allowPortConflicts: true, which leaves the port to the first");
	return -EADDRINUSE;
}

static void on_match(const struct cni_nft_elem *e, void *ctx)
{
	struct match *x = ctx;

	if (x->result < 0 || memcmp(e->key, x->want.key, x->len) != 0)
		return;
	if (is_same_container(e->owner, x->j->self)) {
		x->j->again |= is_same_attachment(e->owner, x->j->self);
		x->kept = true;
	} else if (!is_alive(e->owner)) {
		cni_nft_elem_delete(&x->j->nft, x->set, e->key);
	} else if (x->j->allow) {
		x->kept = true;
	} else {
		x->result = conflict(x, e);
	}
}

/* @return 1 if an element that matches is kept; 0; negative errno */
static int hold_against(struct match *x, const struct cni_nft_set *set, size_t len)
{
	int r;

	x->set = set;
	x->len = len;
	x->kept = false;
	r = cni_nft_elem_each(&x->j->nft, set, on_match, x);
	return r < 0 ? r : x->result < 0 ? x->result : x->kept;
}

static int take_seen(const struct cni_mapping *m, int family, void *ctx)
{
	bool is_any = cni_mapping_is_any(m);
	size_t len = is_any ? PORT_LEN : PORT_LEN + cni_ip_size(&m->host_ip);
	struct match x = { .j = ctx, .m = m, .want = element(m, ((struct job *)ctx)->self) };
	struct cni_nft_elem key = mark(&x.want);
	int same, other;

	same = hold_against(&x, set_of(m, family), len);
	if (same < 0)
		return same;
	other = hold_against(&x, is_any ? &one[family] : &any[family], PORT_LEN);
	if (other < 0)
		return other;
	if (!same)
		cni_nft_elem_add(&x.j->nft, set_of(m, family), &x.want, false);
	if (!is_any)
		cni_nft_elem_add(&x.j->nft, &some[family], &key, false);
	else if (!other)
		delete_if_there(x.j, &some[family], &key);
	return 0;
}

static int take_all_seen(struct job *j)
{
	ensure_sets(j);
	j->changed = true;
	return each_claim(j->hp, take_seen, j);
}

int cni_claim_take(const struct cni_hostport *hp, bool allow, int *ret_busy, struct cni_error *err)
{
	cni_auto(job) struct job j = { .hp = hp, .allow = allow, .err = err };
	struct who self;
	int r;

	j.self = &self;
	*ret_busy = be_busy(hp);
	r = who_is(hp, &self);
	if (r == 0)
		r = cni_nft_open(&j.nft);
	if (r == 0)
		r = decide(&j, take_all_unseen);
	if (r == -EEXIST)
		r = decide(&j, take_all_seen);
	if (is_absent(r))
		return 0;
	return r < 0 ? failed(err, r, "take") : j.again;
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
	if (strlen(e->owner) == WHO_LEN - 1)
		d->j->expected = (unsigned int)strtoul(e->owner + COUNT_AT, NULL, 10);
	on_elem(e, ctx);
}

static bool is_mine(const char *who, const void *self)
{
	return is_same_attachment(who, self);
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
	struct who self;
	int r;

	j.self = &self;
	r = who_is(hp, &self);
	if (r == 0)
		r = cni_nft_open(&j.nft);
	if (r == 0)
		r = decide(&j, drop_by_list);
	if (r == 0 && (j.mine == 0 || j.mine != j.expected))
		r = decide(&j, drop_by_reading);
	return r < 0 && !is_absent(r) ? failed(err, r, "give back") : 0;
}

struct stale {
	struct cni_owners keep;
	char net[CNI_OWNER_LEN];
};

static bool is_not_valid(const char *who, const void *ctx)
{
	const struct stale *s = ctx;

	return strncmp(who, s->net, strlen(s->net)) == 0 && !cni_owners_has(&s->keep, who);
}

static int drop_stale(struct job *j)
{
	struct drop d = { .j = j, .is_stale = is_not_valid, .ctx = j->stale };
	int r = 0;

	for (int f = 0; f < CNI_HOSTPORT_FAMILIES && r == 0; f++)
		r = drop_listed(&d, f);
	return r;
}

int cni_claim_gc(const struct cni_args *args, struct cni_error *err)
{
	cni_auto(job) struct job j = { 0 };
	struct stale stale = { 0 };
	int r;

	j.stale = &stale;
	r = cni_owners_valid(args, &stale.keep);
	if (r == 0)
		r = cni_owner(args->name, "", "", stale.net);
	stale.net[CNI_OWNER_NET_LEN] = '\0';
	if (r == 0)
		r = cni_nft_open(&j.nft);
	if (r == 0)
		r = decide(&j, drop_stale);
	cni_auto_owners(&stale.keep);
	return r < 0 && !is_absent(r) ? failed(err, r, "give back") : 0;
}
