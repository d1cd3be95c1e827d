/*
 * Masquerading by iptables' rules, as the Go plugins' iptables backend makes them; see masq.h.
 *
 * A container has one chain per network and family, called by their hash: it accepts what stays in the
 * subnet and masquerades what is no multicast. Each address of the container leads there from
 * POSTROUTING. Neither chain nor comment names the interface, so the interfaces of one container in one
 * network share the chain, and only the address tells whose a jump is: with an interface go all jumps but
 * those from an address that another interface of the container has. With the last jump goes the chain.
 */
#include "conf.h"
#include "ipt.h"
#include "masq_backend.h"
#include "names.h"
#include "netns.h"
#include "nl_addr.h"
#include "nl_link.h"
#include "result.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define TABLE "nat"
#define POSTROUTING "POSTROUTING"

static const sa_family_t families[] = { AF_INET, AF_INET6 };

/* `name: "NET" id: "ID"`, cut to what iptables stores. */
static void comment_of(const char *net, const char *containerid,
		       char ret[static CNI_IPT_COMMENT_LEN])
{
	(void)!snprintf(ret, CNI_IPT_COMMENT_LEN, "name: \"%s\" id: \"%s\"", net, containerid);
}

/* ---- ADD ---- */

static void add_address(struct cni_ipt *tx, const char *chain, const char *comment,
			const struct cni_prefix *address, bool random_fully)
{
	bool v4 = address->ip.family == AF_INET;
	struct cni_ipt_rule subnet = { .destination.prefix = *address, .verdict = CNI_IPT_ACCEPT };
	struct cni_ipt_rule rest = { .verdict = CNI_IPT_MASQUERADE, .random_fully = random_fully };
	struct cni_ipt_rule jump = { .verdict = CNI_IPT_JUMP };

	/* 224.0.0.0/4, ff00::/8 */
	rest.destination.invert = true;
	rest.destination.prefix.len = v4 ? 4 : 8;
	rest.destination.prefix.ip.family = address->ip.family;
	rest.destination.prefix.ip.b[0] = v4 ? 224 : 0xff;
	jump.source.prefix = (struct cni_prefix){ .ip = address->ip };
	jump.source.prefix.len = cni_ip_bits(&address->ip);
	(void)!snprintf(jump.chain, sizeof(jump.chain), "%s", chain);
	memcpy(subnet.comment, comment, CNI_IPT_COMMENT_LEN);
	memcpy(rest.comment, comment, CNI_IPT_COMMENT_LEN);
	memcpy(jump.comment, comment, CNI_IPT_COMMENT_LEN);

	cni_ipt_on(tx, address->ip.family, TABLE);
	cni_ipt_chain(tx, chain);
	cni_ipt_insert(tx, chain, &subnet); /* before what masquerades, also for a second address */
	cni_ipt_append(tx, chain, &rest);
	cni_ipt_append(tx, POSTROUTING, &jump);
}

static int ipt_del(const struct cni_args *args, struct cni_error *err);

static int ipt_add(const struct cni_args *args, const struct cni_result *res, bool random_fully,
		   struct cni_error *err)
{
	cni_auto(ipt) struct cni_ipt tx = { .writer = cni_ipt_host() };
	char chain[CNI_CHAIN_NAME_LEN], comment[CNI_IPT_COMMENT_LEN];
	struct cni_error ignored = { 0 };
	int r;

	r = cni_chain_name("", args->name, args->containerid, chain);
	if (r < 0)
		return cni_fail(err, CNI_E_INTERNAL, -r, "masquerade");
	comment_of(args->name, args->containerid, comment);
	for (size_t i = 0; i < res->n_ips; i++)
		add_address(&tx, chain, comment, &res->ips[i].address, random_fully);
	r = cni_ipt_commit(&tx, err);
	if (r < 0) { /* iptables-legacy may have done one family, and not the other */
		cni_error_prefix(err, "failed to masquerade");
		(void)!ipt_del(args, &ignored);
	}
	return r;
}

/* ---- DEL ---- */

/* The container's addresses that are not the interface's: none if its namespace is gone. */
static int list_others(const struct cni_args *args, sa_family_t family, struct cni_addr_list *ret,
		       struct cni_error *err)
{
	cni_auto(nl) struct cni_nl sbox = CNI_NL_INIT;
	cni_auto(fd) int netns = -1;
	struct cni_error why = { 0 };
	struct cni_link link;
	int r;

	r = cni_netns_open_left(args->netns, &netns, &why);
	if (r == 0)
		return 0;
	if (r > 0)
		r = cni_nl_open(&sbox, netns, &why);
	if (r == 0)
		r = cni_link_get(&sbox, args->ifname, &link);
	if (r == 0 || r == -ENODEV)
		r = cni_addr_list_others(&sbox, r < 0 ? 0 : link.index, family, ret);
	if (r < 0 && why.set && err && !err->set)
		*err = why;
	return r < 0 ? cni_fail(err, CNI_E_INTERNAL, -r, "list addresses in %s", args->netns) : 0;
}

struct ours {
	const char *ifname;
	struct cni_result prev; /* owned */
	struct cni_addr_list keep; /* owned */
};

static inline void cni_auto_ours(struct ours *o)
{
	cni_auto_result(&o->prev);
	cni_auto_addrs(&o->keep);
}

/* Whether prevResult says that the interface got the address; another one may carry it, too. */
static bool is_named(const struct cni_result *prev, const char *ifname, const struct cni_ip *ip)
{
	for (size_t i = 0; i < prev->n_ips; i++) {
		int at = prev->ips[i].iface;
		const char *name = at >= 0 && (size_t)at < prev->n_ifaces ? prev->ifaces[at].name
									  : NULL;

		if (name && strcmp(name, ifname) != 0)
			continue;
		if (cni_ip_cmp(&prev->ips[i].address.ip, ip) == 0)
			return true;
	}
	return false;
}

static bool is_ours(const struct cni_ipt_rule *rule, void *ctx)
{
	const struct ours *o = ctx;

	if (rule->foreign || is_named(&o->prev, o->ifname, &rule->source.prefix.ip))
		return true;
	for (size_t i = 0; i < o->keep.n; i++)
		if (cni_ip_cmp(&rule->source.prefix.ip, &o->keep.item[i].ip) == 0)
			return false;
	return true;
}

static void ignore(const struct cni_ipt_rule *rule, void *ctx)
{
	(void)rule;
	(void)ctx;
}

/* What leads to a chain goes, and then the chain; without the chain nothing can lead to it. */
static int note_removal(struct cni_ipt *tx, const struct cni_args *args, sa_family_t family,
			const char *chain, struct ours *ours, struct cni_error *err)
{
	int r;

	r = cni_ipt_each(tx->writer, family, TABLE, chain, ignore, NULL, err);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = list_others(args, family, &ours->keep, err);
	if (r < 0)
		return r;
	(void)!cni_conf_prev_result(args, &ours->prev, NULL);
	cni_ipt_on(tx, family, TABLE);
	cni_ipt_delete_jumps(tx, POSTROUTING, chain, is_ours, ours);
	cni_ipt_chain_drop(tx, chain);
	return 0;
}

/* Both families in one transaction: each that removes something may be waited for on its own. */
static int remove_from(const struct cni_args *args, const struct cni_ipt_writer *writer,
		       const char *chain, struct cni_error *err)
{
	cni_auto(ours) struct ours v4 = { .ifname = args->ifname };
	cni_auto(ours) struct ours v6 = { .ifname = args->ifname };
	cni_auto(ipt) struct cni_ipt tx = { .writer = writer };
	int first, r;

	first = note_removal(&tx, args, AF_INET, chain, &v4, err);
	r = note_removal(&tx, args, AF_INET6, chain, &v6, err);
	first = first < 0 ? first : r;
	r = cni_ipt_commit(&tx, err);
	return first < 0 ? first : r;
}

static int ipt_del(const struct cni_args *args, struct cni_error *err)
{
	char chain[CNI_CHAIN_NAME_LEN];
	int first;

	first = cni_chain_name("", args->name, args->containerid, chain);
	if (first < 0)
		return cni_fail(err, CNI_E_INTERNAL, -first, "remove masquerade rules");
	for (size_t w = 0; cni_ipt_writers[w]; w++) {
		int r = remove_from(args, cni_ipt_writers[w], chain, err);

		first = first < 0 ? first : r;
	}
	return first;
}

/* ---- GC ---- */

/* Chains that one transaction removes at most: a batch has its size. */
#define STALE_MAX 1000

/* What GC goes by: the network's comment, and the chains of containers that are to stay. */
struct survey {
	char comment[CNI_IPT_COMMENT_LEN]; /* up to the container */
	char (*keep)[CNI_CHAIN_NAME_LEN]; /* owned, sorted */
	size_t n_keep;
	char (*stale)[CNI_CHAIN_NAME_LEN]; /* owned, sorted; chains that this transaction removes */
	size_t n_stale;
};

static inline void cni_auto_survey(struct survey *s)
{
	free(s->keep);
	free(s->stale);
}

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static int list_kept(const struct cni_args *args, struct survey *s)
{
	struct cni_valid valid;
	size_t at = 0, n = 0;

	while (cni_conf_next_valid(args, &at, &valid))
		n++;
	s->keep = calloc(n + 1, sizeof(*s->keep));
	s->stale = calloc(STALE_MAX, sizeof(*s->stale));
	if (!s->keep || !s->stale)
		return -ENOMEM;
	for (at = 0; cni_conf_next_valid(args, &at, &valid); s->n_keep++) {
		int r = cni_chain_name("", args->name, valid.containerid, s->keep[s->n_keep]);

		if (r < 0)
			return r;
	}
	qsort(s->keep, s->n_keep, sizeof(*s->keep), compare);
	return 0;
}

static bool is_stale(const struct cni_ipt_rule *rule, void *ctx)
{
	const struct survey *s = ctx;

	return strncmp(rule->comment, s->comment, strlen(s->comment)) == 0 &&
	       strlen(rule->chain) == CNI_CHAIN_NAME_LEN - 1 &&
	       strncmp(rule->chain, "CNI-", strlen("CNI-")) == 0 &&
	       !bsearch(rule->chain, s->keep, s->n_keep, sizeof(*s->keep), compare);
}

static void note_stale(const struct cni_ipt_rule *rule, void *ctx)
{
	struct survey *s = ctx;

	if (s->n_stale < STALE_MAX && is_stale(rule, s))
		memcpy(s->stale[s->n_stale++], rule->chain, CNI_CHAIN_NAME_LEN);
}

static bool leads_to_stale(const struct cni_ipt_rule *rule, void *ctx)
{
	struct survey *s = ctx;

	return is_stale(rule, s) &&
	       bsearch(rule->chain, s->stale, s->n_stale, sizeof(*s->stale), compare);
}

/* @return 1 if there may be more; 0; negative errno */
static int sweep_some(const struct cni_ipt_writer *writer, sa_family_t family, struct survey *s,
		      struct cni_error *err)
{
	cni_auto(ipt) struct cni_ipt tx = { .writer = writer };
	int r;

	s->n_stale = 0;
	r = cni_ipt_each(writer, family, TABLE, POSTROUTING, note_stale, s, err);
	if (r < 0 || s->n_stale == 0)
		return r == -ENOENT ? 0 : r;
	qsort(s->stale, s->n_stale, sizeof(*s->stale), compare);
	cni_ipt_on(&tx, family, TABLE);
	cni_ipt_delete_if(&tx, POSTROUTING, leads_to_stale, s);
	for (size_t i = 0; i < s->n_stale; i++)
		if (i == 0 || strcmp(s->stale[i], s->stale[i - 1]) != 0)
			cni_ipt_chain_drop(&tx, s->stale[i]);
	r = cni_ipt_commit(&tx, err);
	return r < 0 ? r : s->n_stale == STALE_MAX;
}

static int sweep(const struct cni_ipt_writer *writer, sa_family_t family, struct survey *s,
		 struct cni_error *err)
{
	int r;

	do
		r = sweep_some(writer, family, s, err);
	while (r > 0);
	return r;
}

static int ipt_gc(const struct cni_args *args, struct cni_error *err)
{
	cni_auto(survey) struct survey s = { 0 };
	int first;

	comment_of(args->name, "", s.comment);
	s.comment[strlen(s.comment) - 1] = '\0'; /* the last quote */
	first = list_kept(args, &s);
	if (first < 0)
		return cni_fail(err, CNI_E_INTERNAL, -first, "remove masquerade rules");
	for (size_t w = 0; cni_ipt_writers[w]; w++)
		for (size_t f = 0; f < CNI_ARRAY_SIZE(families); f++) {
			int r = sweep(cni_ipt_writers[w], families[f], &s, err);

			first = first < 0 ? first : r;
		}
	return first;
}

const struct cni_masq_backend cni_masq_ipt = {
	.name = "iptables",
	.add = ipt_add,
	.del = ipt_del,
	.gc = ipt_gc,
};
