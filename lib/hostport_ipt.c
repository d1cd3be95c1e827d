/*
 * Host ports in iptables' tables: the chains, rules, comments and order of the Go plugins' iptables
 * backend (reference 2.6), by either writer of ipt.h.
 *
 * A container's chain is built anew by each ADD. DEL and GC know it by its name, and what leads to it by
 * being a jump there, in both writers' tables, whatever the host uses now. One rule more than the Go
 * plugins have: what comes for 127.0.0.0/8 from outside is dropped (compat.md).
 */
#include "conf.h"
#include "hostport_ipt_rule.h"
#include "ipt_expect.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define NAT "nat"
#define RAW "raw"
#define PURPOSE "unable to set up iptables rules for port mappings"
#define OLD_SNAT "CNI-HOSTPORT-SNAT" /* of ancient Go plugins; DEL still looks into it */

static const char *const version[] = { [CNI_HOSTPORT_V4] = "ipv4", [CNI_HOSTPORT_V6] = "ipv6" };

/* ---- ADD ---- */

static void ensure_base(struct cni_ipt *tx, const struct cni_hostport *hp, int family)
{
	struct cni_ipt_rule rule;

	/* Without snat nothing of ours sets route_localnet; hosts that have no table raw may do with that. */
	if (family == CNI_HOSTPORT_V4 && hp->snat) {
		rule = cni_hostport_drop_from_outside();
		cni_ipt_on(tx, AF_INET, RAW);
		cni_ipt_append(tx, "PREROUTING", &rule);
	}
	cni_ipt_on(tx, cni_hostport_af(family), NAT);
	if (cni_hostport_marks_itself(hp)) {
		cni_ipt_chain(tx, CNI_HOSTPORT_SET_MARK);
		rule = cni_hostport_set_mark(hp);
		cni_ipt_append(tx, CNI_HOSTPORT_SET_MARK, &rule);
		cni_ipt_chain(tx, CNI_HOSTPORT_MASQ);
		rule = cni_hostport_masquerade(hp);
		cni_ipt_append(tx, CNI_HOSTPORT_MASQ, &rule);
		rule = cni_hostport_masquerade_jump();
		cni_ipt_insert(tx, "POSTROUTING", &rule);
	}
	/* Appended: who was here first, such as KUBE-SERVICES, stays first (CVE-2019-9946). */
	cni_ipt_chain(tx, CNI_HOSTPORT_DNAT);
	rule = cni_hostport_capture();
	cni_ipt_append(tx, "PREROUTING", &rule);
	cni_ipt_append(tx, "OUTPUT", &rule);
}

static int append_entry(const struct cni_ipt_rule *rule, void *ctx)
{
	cni_ipt_append(ctx, CNI_HOSTPORT_DNAT, rule);
	return 0;
}

struct own {
	struct cni_ipt *tx;
	const char *chain;
};

static int append_own(const struct cni_ipt_rule *rule, void *ctx)
{
	const struct own *own = ctx;

	cni_ipt_append(own->tx, own->chain, rule);
	return 0;
}

/* A chain that is there may be that of another interface. */
static bool is_replaced(const struct cni_ipt_rule *rule, void *hp)
{
	(void)rule;
	return ((const struct cni_hostport *)hp)->again;
}

static void remove_old(struct cni_ipt *tx, const struct cni_hostport *hp, const char *chain)
{
	cni_ipt_delete_jumps(tx, CNI_HOSTPORT_DNAT, chain, is_replaced, (void *)hp);
	cni_ipt_delete_if(tx, chain, is_replaced, (void *)hp);
}

static void add_own(struct cni_ipt *tx, const struct cni_hostport *hp, int family, char *chain)
{
	struct own own = { tx, chain };

	cni_ipt_chain(tx, chain);
	remove_old(tx, hp, chain);
	for (size_t i = 0; i < hp->mappings.n; i++)
		if (cni_mapping_applies(&hp->mappings.item[i], cni_hostport_af(family)))
			(void)cni_hostport_each_rule(hp, family, &hp->mappings.item[i], append_own,
						     &own);
	(void)cni_hostport_each_entry(hp, family, chain, append_entry, tx);
}

static int add(const struct cni_hostport *hp, struct cni_nft_tx *with, struct cni_error *err)
{
	cni_auto(ipt) struct cni_ipt tx = { .writer = cni_ipt_host(), .purpose = PURPOSE };
	char chain[CNI_CHAIN_NAME_LEN];
	int r;

	r = cni_chain_name("DN-", hp->net, hp->containerid, chain);
	if (r < 0)
		return cni_fail(err, CNI_E_INTERNAL, -r, "failed to name a chain");
	for (int f = 0; f < CNI_HOSTPORT_FAMILIES; f++) {
		if (cni_hostport_concerns(hp, f)) {
			ensure_base(&tx, hp, f);
			add_own(&tx, hp, f, chain);
		} else if (hp->was_here) {
			cni_ipt_on(&tx, cni_hostport_af(f), NAT);
			remove_old(&tx, hp, chain);
		}
	}
	return cni_ipt_commit_with(&tx, with, err);
}

/* ---- removing ---- */

static void drop_chain(struct cni_ipt *tx, const char *from, const char *own)
{
	cni_ipt_delete_jumps(tx, from, own, NULL, NULL);
	cni_ipt_chain_drop(tx, own);
}

static void pass_over(const struct cni_ipt_rule *rule, void *ctx)
{
	(void)rule;
	(void)ctx;
}

/* @return 1; 0; negative errno */
static int chain_exists(const struct cni_ipt_writer *writer, int family, const char *chain)
{
	int r = cni_ipt_each(writer, cni_hostport_af(family), NAT, chain, pass_over, NULL, NULL);

	return r == -ENOENT ? 0 : r < 0 ? r : 1;
}

/* @return 1 if there was something that is removed by now; 0; negative errno */
static int del_by(const struct cni_ipt_writer *writer, char *chain, char *old_chain,
		  struct cni_nft_tx *with, struct cni_error *err)
{
	cni_auto(ipt) struct cni_ipt tx = { .writer = writer };
	bool found = false;
	int r;

	for (int f = 0; f < CNI_HOSTPORT_FAMILIES; f++) {
		int has = chain_exists(writer, f, chain);
		int has_old = chain_exists(writer, f, old_chain);

		/* The shared chain, which is longer, is looked into for nobody who has none there. */
		cni_ipt_on(&tx, cni_hostport_af(f), NAT);
		if (has != 0)
			drop_chain(&tx, CNI_HOSTPORT_DNAT, chain);
		if (has_old != 0)
			drop_chain(&tx, OLD_SNAT, old_chain);
		found |= has > 0 || has_old > 0;
	}
	r = cni_ipt_commit_with(&tx, with, err);
	return r < 0 ? r : found && writer == &cni_ipt_legacy;
}

/* These names do without the interface's. */
static int del(const struct cni_hostport *hp, struct cni_nft_tx *with, struct cni_error *err)
{
	char chain[CNI_CHAIN_NAME_LEN], old_chain[CNI_CHAIN_NAME_LEN];
	int result, r;

	result = cni_chain_name("DN-", hp->net, hp->containerid, chain);
	if (result == 0)
		result = cni_chain_name("SN-", hp->net, hp->containerid, old_chain);
	if (result < 0)
		return cni_fail(err, CNI_E_INTERNAL, -result, "failed to name a chain");
	for (size_t i = 0; cni_ipt_writers[i]; i++) {
		r = del_by(cni_ipt_writers[i], chain, old_chain, with, err);
		result = cni_hostport_joined(result, r);
	}
	return result;
}

/* ---- GC ---- */

#define COMMENT_HEAD "dnat name: \""

/* Names of chains. */
struct chains {
	char (*name)[CNI_CHAIN_NAME_LEN]; /* owned */
	size_t n, room;
};

static inline void cni_auto_chains(struct chains *c)
{
	free(c->name);
}

static int keep_chain(struct chains *c, const char *name)
{
	if (c->n == c->room) {
		size_t room = c->room ? c->room * 2 : 16;
		void *more = reallocarray(c->name, room, sizeof(*c->name));

		if (!more)
			return -ENOMEM;
		c->name = more;
		c->room = room;
	}
	snprintf(c->name[c->n++], sizeof(*c->name), "%s", name);
	return 0;
}

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Made once: each name costs a hash, and each is compared with every rule. */
static int list_valid(const struct cni_args *args, struct chains *ret)
{
	char name[CNI_CHAIN_NAME_LEN];
	struct cni_valid valid;
	size_t at = 0;
	int r = 0;

	while (r == 0 && cni_conf_next_valid(args, &at, &valid)) {
		r = cni_chain_name("DN-", args->name, valid.containerid, name);
		if (r == 0)
			r = keep_chain(ret, name);
	}
	if (ret->n)
		qsort(ret->name, ret->n, sizeof(*ret->name), compare);
	return r;
}

static bool has_chain(const struct chains *c, const char *name)
{
	return c->n && bsearch(name, c->name, c->n, sizeof(*c->name), compare);
}

/* Chains of this network that no valid attachment has. */
struct stale {
	const char *net;
	const struct chains *valid;
	struct chains found;
	int error;
};

/* Whether an entry is this network's: its comment says so, and a network's name holds no '"'. */
static bool is_of_network(const struct cni_ipt_rule *rule, const char *net)
{
	size_t head = strlen(COMMENT_HEAD), len = strlen(net);

	return rule->verdict == CNI_IPT_JUMP && strncmp(rule->comment, COMMENT_HEAD, head) == 0 &&
	       strncmp(rule->comment + head, net, len) == 0 && rule->comment[head + len] == '"' &&
	       strncmp(rule->chain, "CNI-DN-", 7) == 0;
}

static void collect(const struct cni_ipt_rule *rule, void *ctx)
{
	struct stale *s = ctx;

	if (s->error == 0 && is_of_network(rule, s->net) && !has_chain(s->valid, rule->chain))
		s->error = keep_chain(&s->found, rule->chain);
}

static int gc_by(const struct cni_ipt_writer *writer, int family, const char *net,
		 const struct chains *valid, struct cni_error *err)
{
	struct stale s = { .net = net, .valid = valid };
	cni_auto(ipt) struct cni_ipt tx = { .writer = writer };
	int r;

	r = cni_ipt_each(writer, cni_hostport_af(family), NAT, CNI_HOSTPORT_DNAT, collect, &s, err);
	if (r == 0 && s.error < 0) {
		r = s.error;
		cni_fail(err, CNI_E_INTERNAL, -r, "failed to list chains to be removed");
	}
	if (r == 0 && s.found.n) {
		cni_ipt_on(&tx, cni_hostport_af(family), NAT);
		for (size_t i = 0; i < s.found.n; i++)
			drop_chain(&tx, CNI_HOSTPORT_DNAT, s.found.name[i]);
		r = cni_ipt_commit(&tx, err);
	}
	cni_auto_chains(&s.found);
	return r == -ENOENT ? 0 : r;
}

static int gc(const struct cni_args *args, struct cni_error *err)
{
	cni_auto(chains) struct chains valid = { 0 };
	int result, r;

	result = list_valid(args, &valid);
	if (result < 0)
		return cni_fail(err, CNI_E_INTERNAL, -result, "failed to name the valid chains");
	for (size_t i = 0; cni_ipt_writers[i]; i++)
		for (int f = 0; f < CNI_HOSTPORT_FAMILIES; f++) {
			r = gc_by(cni_ipt_writers[i], f, args->name, &valid, err);
			result = result < 0 ? result : r;
		}
	return result;
}

/* ---- CHECK ---- */

/* What one chain should hold: each is read once, however many rules that is. */
struct check {
	const struct cni_ipt_writer *writer;
	int family;
	struct cni_ipt_expect *list; /* owned; has room for all of them */
	size_t n;
	struct cni_error *err;
};

static inline void cni_auto_check(struct check *c)
{
	free(c->list);
}

static int expect(const struct cni_ipt_rule *rule, void *ctx)
{
	struct check *c = ctx;

	c->list[c->n++] = (struct cni_ipt_expect){ .rule = *rule };
	return 0;
}

static int missing(const struct check *c, const char *chain, const struct cni_ipt_rule *rule)
{
	bool is_there = chain_exists(c->writer, c->family, chain) != 0;

	cni_fail(c->err, CNI_E_INTERNAL, 0, "could not check %s dnat: %s%s not found in %stable %s",
		 version[c->family], is_there ? "rule in chain " : "chain ", chain,
		 is_there ? "" : "iptables ", NAT);
	if (rule->verdict == CNI_IPT_DNAT || rule->dport)
		cni_error_detail(c->err, "missing: the rule that %s %s port %u",
				 rule->verdict == CNI_IPT_DNAT ? "translates" : "marks",
				 cni_mapping_protocol(rule->protocol), rule->dport);
	else if (rule->verdict == CNI_IPT_JUMP)
		cni_error_detail(c->err, "missing: the rule that leads to %s", rule->chain);
	else
		cni_error_detail(c->err, "missing: the rule that %s",
				 rule->verdict == CNI_IPT_MARK ? "sets the mark" : "masquerades");
	return -ENOENT;
}

/* Look for all that was expected, and expect nothing more. */
static int check_chain(struct check *c, const char *chain)
{
	int r = cni_ipt_expect(c->writer, cni_hostport_af(c->family), NAT, chain, c->list, c->n,
			       c->err);

	for (size_t i = 0; i < c->n && r == 0; i++)
		if (!c->list[i].found)
			r = missing(c, chain, &c->list[i].rule);
	c->n = 0;
	return r;
}

static int check_rule(struct check *c, const char *chain, struct cni_ipt_rule rule)
{
	(void)expect(&rule, c);
	return check_chain(c, chain);
}

static int check_own(struct check *c, const struct cni_hostport *hp, const char *chain)
{
	int r = 0;

	for (size_t i = 0; i < hp->mappings.n && r == 0; i++)
		if (cni_mapping_applies(&hp->mappings.item[i], cni_hostport_af(c->family)))
			r = cni_hostport_each_rule(hp, c->family, &hp->mappings.item[i], expect, c);
	if (r == 0)
		r = check_chain(c, chain);
	if (r == 0)
		r = cni_hostport_each_entry(hp, c->family, chain, expect, c);
	return r < 0 ? r : check_chain(c, CNI_HOSTPORT_DNAT);
}

static int check_base(struct check *c, const struct cni_hostport *hp)
{
	int r = check_rule(c, "PREROUTING", cni_hostport_capture());

	if (r == 0)
		r = check_rule(c, "OUTPUT", cni_hostport_capture());
	if (r < 0 || !cni_hostport_marks_itself(hp))
		return r;
	r = check_rule(c, CNI_HOSTPORT_SET_MARK, cni_hostport_set_mark(hp));
	if (r == 0)
		r = check_rule(c, CNI_HOSTPORT_MASQ, cni_hostport_masquerade(hp));
	return r < 0 ? r : check_rule(c, "POSTROUTING", cni_hostport_masquerade_jump());
}

static int check(const struct cni_hostport *hp, struct cni_error *err)
{
	cni_auto(check) struct check c = { .writer = cni_ipt_host(), .err = err };
	char chain[CNI_CHAIN_NAME_LEN];
	int r;

	/* Three for each mapping at most; other chains have fewer. */
	c.list = calloc(3 * hp->mappings.n + 1, sizeof(*c.list));
	r = c.list ? cni_chain_name("DN-", hp->net, hp->containerid, chain) : -ENOMEM;
	for (c.family = 0; c.family < CNI_HOSTPORT_FAMILIES && r == 0; c.family++) {
		if (!cni_hostport_has(hp, c.family))
			continue;
		r = check_own(&c, hp, chain);
		if (r == 0)
			r = check_base(&c, hp);
	}
	return r;
}

static int usable(struct cni_error *err)
{
	const struct cni_ipt_writer *writer = cni_ipt_host();
	int r = cni_ipt_probe(writer);

	if (r == 0)
		r = chain_exists(writer, CNI_HOSTPORT_V4, "PREROUTING");
	return r < 0 ? cni_fail(err, CNI_E_INTERNAL, -r, "backend iptables (%s) cannot be used",
				cni_ipt_writer_name(writer))
		     : 0;
}

static int holds(const char *owner, const char *chain)
{
	int r = 0;

	(void)owner;
	for (size_t i = 0; cni_ipt_writers[i] && r == 0; i++)
		for (int f = 0; f < CNI_HOSTPORT_FAMILIES && r == 0; f++)
			r = chain_exists(cni_ipt_writers[i], f, chain);
	return r;
}

/* The chain may be that of another interface. */
static bool was_here(const struct cni_hostport *hp)
{
	char chain[CNI_CHAIN_NAME_LEN];
	int r = 0;

	if (cni_chain_name("DN-", hp->net, hp->containerid, chain) < 0)
		return false;
	for (int f = 0; f < CNI_HOSTPORT_FAMILIES && r == 0; f++)
		r = chain_exists(cni_ipt_host(), f, chain);
	return r > 0;
}

static bool is_apart(void)
{
	return cni_ipt_host() == &cni_ipt_legacy;
}

const struct cni_hostport_ops cni_hostport_ipt = {
	.name = "iptables",
	.usable = usable,
	.is_apart = is_apart,
	.add = add,
	.del = del,
	.check = check,
	.holds = holds,
	.was_here = was_here,
	.gc = gc,
};
