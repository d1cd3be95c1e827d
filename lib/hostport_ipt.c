/*
 * Host ports in iptables' tables: the chains, rules, comments and order of the Go plugins' iptables
 * backend (reference 2.6), by either writer of ipt.h.
 *
 * A container's chain is built anew by each ADD. DEL and GC know it by its name, and what leads to it by
 * being a jump there, in both writers' tables, whatever the host uses now. One rule more than the Go
 * plugins have: what comes for 127.0.0.0/8 from outside is dropped (compat.md).
 */
#include "conf.h"
#include "hostport.h"
#include "ipt.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define NAT "nat"
#define RAW "raw"
#define DNAT "CNI-HOSTPORT-DNAT"
#define SET_MARK "CNI-HOSTPORT-SETMARK"
#define MASQ "CNI-HOSTPORT-MASQ"
#define PURPOSE "unable to set up iptables rules for port mappings"
#define OLD_SNAT "CNI-HOSTPORT-SNAT" /* of ancient Go plugins; DEL still looks into it */

static const char *const version[] = { [CNI_HOSTPORT_V4] = "ipv4", [CNI_HOSTPORT_V6] = "ipv6" };

/* ---- rules that all containers share ---- */

static struct cni_ipt_rule jump(const char *chain, const char *comment)
{
	struct cni_ipt_rule rule = { .verdict = CNI_IPT_JUMP };

	snprintf(rule.chain, sizeof(rule.chain), "%s", chain);
	snprintf(rule.comment, sizeof(rule.comment), "%s", comment);
	return rule;
}

/* What is for this host, whichever of its addresses. Nothing else is ever captured. */
static struct cni_ipt_rule capture(void)
{
	struct cni_ipt_rule rule = jump(DNAT, "");

	rule.to_local = true;
	return rule;
}

static struct cni_ipt_rule set_mark(const struct cni_hostport *hp)
{
	return (struct cni_ipt_rule){ .verdict = CNI_IPT_MARK,
				      .set_mark = hp->mark,
				      .set_mask = hp->mark,
				      .comment = "CNI portfwd masquerade mark" };
}

static struct cni_ipt_rule masquerade(const struct cni_hostport *hp)
{
	return (struct cni_ipt_rule){ .verdict = CNI_IPT_MASQUERADE,
				      .mark = hp->mark,
				      .mark_mask = hp->mark };
}

static struct cni_ipt_rule masquerade_jump(void)
{
	return jump(MASQ, "CNI portfwd requiring masquerade");
}

static struct cni_ipt_rule drop_from_outside(void)
{
	return (struct cni_ipt_rule){
		.verdict = CNI_IPT_DROP,
		.destination.prefix = { .ip = { .family = AF_INET, .b = { 127 } }, .len = 8 },
		.in = { .name = "lo", .invert = true },
		.comment = "CNI portmap: 127.0.0.0/8 is for this host only"
	};
}

static bool marks_itself(const struct cni_hostport *hp)
{
	return hp->snat && !hp->set_mark_chain;
}

/* ---- a container's rules ---- */

static struct cni_ipt_rule for_port(const struct cni_mapping *m)
{
	struct cni_ipt_rule rule = { .protocol = m->protocol, .dport = m->host_port };

	if (!cni_mapping_is_any(m))
		rule.destination.prefix =
			(struct cni_prefix){ .ip = m->host_ip, .len = cni_ip_bits(&m->host_ip) };
	return rule;
}

/* The rules of one mapping: up to two that ask for masquerade, and the one that translates. */
static int each_rule(const struct cni_hostport *hp, int family, const struct cni_mapping *m,
		     int (*fn)(const struct cni_ipt_rule *rule, void *ctx), void *ctx)
{
	struct cni_ipt_rule rule = for_port(m);
	int r = 0;

	rule.verdict = CNI_IPT_JUMP;
	snprintf(rule.chain, sizeof(rule.chain), "%s",
		 hp->set_mark_chain ? hp->set_mark_chain : SET_MARK);
	if (hp->snat) {
		if (!hp->masq_all)
			rule.source.prefix = hp->ip[family];
		r = fn(&rule, ctx);
	}
	if (r == 0 && hp->snat && !hp->masq_all && family == CNI_HOSTPORT_V4) {
		rule.source.prefix =
			(struct cni_prefix){ .ip = { .family = AF_INET, .b = { 127, 0, 0, 1 } },
					     .len = 32 };
		r = fn(&rule, ctx);
	}
	if (r < 0)
		return r;
	rule = for_port(m);
	rule.verdict = CNI_IPT_DNAT;
	rule.to = hp->ip[family].ip;
	rule.to_port = m->container_port;
	return fn(&rule, ctx);
}

/* Cut as the Go plugins do, to what iptables stores. */
static void entry_comment(const char *net, const char *containerid,
			  char ret[static CNI_IPT_COMMENT_LEN])
{
	int n = snprintf(ret, CNI_IPT_COMMENT_LEN, "dnat name: \"%s\" id: \"%s\"", net,
			 containerid);

	if (n >= CNI_IPT_COMMENT_LEN)
		memcpy(ret + CNI_IPT_COMMENT_LEN - 4, "...", 4);
}

/*
 * The rules that lead to a container's chain: for each protocol, in the alphabet's order, one for every
 * 15 ports. They name the ports of both families, as the Go plugins' do.
 */
static int each_entry(const struct cni_hostport *hp, int family, const char *chain,
		      int (*fn)(const struct cni_ipt_rule *rule, void *ctx), void *ctx)
{
	static const uint8_t protocols[] = { IPPROTO_SCTP, IPPROTO_TCP, IPPROTO_UDP };
	const struct cni_condition *c = &hp->condition[family];
	struct cni_ipt_rule entry = {
		.verdict = CNI_IPT_JUMP,
		.source = { .prefix = c->source, .invert = c->not_source },
		.destination = { .prefix = c->destination, .invert = c->not_destination },
		.in.invert = c->not_in,
	};
	int r = 0;

	snprintf(entry.chain, sizeof(entry.chain), "%s", chain);
	snprintf(entry.in.name, sizeof(entry.in.name), "%s", c->in);
	entry_comment(hp->net, hp->containerid, entry.comment);
	for (size_t p = 0; p < CNI_ARRAY_SIZE(protocols) && r == 0; p++) {
		entry.protocol = protocols[p];
		entry.n_dports = 0;
		for (size_t i = 0; i < hp->mappings.n && r == 0; i++) {
			if (hp->mappings.item[i].protocol != entry.protocol)
				continue;
			entry.dports[entry.n_dports++] = hp->mappings.item[i].host_port;
			if (entry.n_dports == CNI_IPT_PORTS) {
				r = fn(&entry, ctx);
				entry.n_dports = 0;
			}
		}
		if (entry.n_dports && r == 0) {
			memset(entry.dports + entry.n_dports, 0,
			       (CNI_IPT_PORTS - entry.n_dports) * sizeof(entry.dports[0]));
			r = fn(&entry, ctx);
		}
	}
	return r;
}

/* ---- ADD ---- */

static void ensure_base(struct cni_ipt *tx, const struct cni_hostport *hp, int family)
{
	struct cni_ipt_rule rule;

	/* Without snat nothing of ours sets route_localnet; hosts that have no table raw may do with that. */
	if (family == CNI_HOSTPORT_V4 && hp->snat) {
		rule = drop_from_outside();
		cni_ipt_on(tx, AF_INET, RAW);
		cni_ipt_append(tx, "PREROUTING", &rule);
	}
	cni_ipt_on(tx, cni_hostport_af(family), NAT);
	if (marks_itself(hp)) {
		cni_ipt_chain(tx, SET_MARK);
		rule = set_mark(hp);
		cni_ipt_append(tx, SET_MARK, &rule);
		cni_ipt_chain(tx, MASQ);
		rule = masquerade(hp);
		cni_ipt_append(tx, MASQ, &rule);
		rule = masquerade_jump();
		cni_ipt_insert(tx, "POSTROUTING", &rule);
	}
	/* Appended: who was here first, such as KUBE-SERVICES, stays first (CVE-2019-9946). */
	cni_ipt_chain(tx, DNAT);
	rule = capture();
	cni_ipt_append(tx, "PREROUTING", &rule);
	cni_ipt_append(tx, "OUTPUT", &rule);
}

static int append_entry(const struct cni_ipt_rule *rule, void *ctx)
{
	cni_ipt_append(ctx, DNAT, rule);
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

static void add_own(struct cni_ipt *tx, const struct cni_hostport *hp, int family, char *chain)
{
	struct own own = { tx, chain };

	cni_ipt_chain(tx, chain);
	cni_ipt_delete_jumps(tx, DNAT, chain, is_replaced, (void *)hp);
	cni_ipt_delete_if(tx, chain, is_replaced, (void *)hp);
	for (size_t i = 0; i < hp->mappings.n; i++)
		if (cni_mapping_applies(&hp->mappings.item[i], cni_hostport_af(family)))
			(void)each_rule(hp, family, &hp->mappings.item[i], append_own, &own);
	(void)each_entry(hp, family, chain, append_entry, tx);
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
		if (!cni_hostport_has(hp, f))
			continue;
		ensure_base(&tx, hp, f);
		add_own(&tx, hp, f, chain);
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
			drop_chain(&tx, DNAT, chain);
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

	r = cni_ipt_each(writer, cni_hostport_af(family), NAT, DNAT, collect, &s, err);
	if (r == 0 && s.error < 0) {
		r = s.error;
		cni_fail(err, CNI_E_INTERNAL, -r, "failed to list chains to be removed");
	}
	if (r == 0 && s.found.n) {
		cni_ipt_on(&tx, cni_hostport_af(family), NAT);
		for (size_t i = 0; i < s.found.n; i++)
			drop_chain(&tx, DNAT, s.found.name[i]);
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

struct check {
	const struct cni_ipt_writer *writer;
	int family;
	const char *chain; /* the container's */
	struct cni_error *err;
};

static int check_rule(const struct check *c, const char *table, const char *chain,
		      const struct cni_ipt_rule *rule, const char *what)
{
	int r = cni_ipt_has(c->writer, cni_hostport_af(c->family), table, chain, rule, c->err);

	if (r == -ENOENT)
		cni_fail(c->err, CNI_E_INTERNAL, 0,
			 "could not check %s dnat: chain %s not found in iptables table %s",
			 version[c->family], chain, table);
	if (r == 0) {
		cni_fail(c->err, CNI_E_INTERNAL, 0,
			 "could not check %s dnat: rule in chain %s not found in table %s",
			 version[c->family], chain, table);
		cni_error_detail(c->err, "missing: the rule %s", what);
		return -ENOENT;
	}
	return r < 0 ? r : 0;
}

static int check_entry(const struct cni_ipt_rule *rule, void *ctx)
{
	return check_rule(ctx, NAT, DNAT, rule, "that leads to the container's chain");
}

static int check_own_rule(const struct cni_ipt_rule *rule, void *ctx)
{
	const struct check *c = ctx;
	char what[80];

	snprintf(what, sizeof(what), "that %s %s port %u",
		 rule->verdict == CNI_IPT_DNAT ? "translates" : "marks",
		 cni_mapping_protocol(rule->protocol), rule->dport);
	return check_rule(c, NAT, c->chain, rule, what);
}

static int check_own(struct check *c, const struct cni_hostport *hp)
{
	int r = 0;

	for (size_t i = 0; i < hp->mappings.n && r == 0; i++)
		if (cni_mapping_applies(&hp->mappings.item[i], cni_hostport_af(c->family)))
			r = each_rule(hp, c->family, &hp->mappings.item[i], check_own_rule, c);
	return r < 0 ? r : each_entry(hp, c->family, c->chain, check_entry, c);
}

static int check_base(const struct check *c, const struct cni_hostport *hp)
{
	struct cni_ipt_rule rule = capture();
	int r;

	r = check_rule(c, NAT, "PREROUTING", &rule, "that leads to " DNAT);
	if (r == 0)
		r = check_rule(c, NAT, "OUTPUT", &rule, "that leads to " DNAT);
	if (r < 0 || !marks_itself(hp))
		return r;
	rule = set_mark(hp);
	r = check_rule(c, NAT, SET_MARK, &rule, "that sets the mark");
	rule = masquerade(hp);
	if (r == 0)
		r = check_rule(c, NAT, MASQ, &rule, "that masquerades");
	rule = masquerade_jump();
	return r < 0 ? r : check_rule(c, NAT, "POSTROUTING", &rule, "that leads to " MASQ);
}

static int check(const struct cni_hostport *hp, struct cni_error *err)
{
	char chain[CNI_CHAIN_NAME_LEN];
	struct check c = { .writer = cni_ipt_host(), .chain = chain, .err = err };
	int r;

	r = cni_chain_name("DN-", hp->net, hp->containerid, chain);
	for (c.family = 0; c.family < CNI_HOSTPORT_FAMILIES && r == 0; c.family++) {
		if (!cni_hostport_has(hp, c.family))
			continue;
		r = check_own(&c, hp);
		if (r == 0)
			r = check_base(&c, hp);
	}
	return r;
}

static int usable(struct cni_error *err)
{
	int r = chain_exists(cni_ipt_host(), CNI_HOSTPORT_V4, "PREROUTING");

	return r < 0 ? cni_fail(err, CNI_E_INTERNAL, -r, "iptables cannot be used") : 0;
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
