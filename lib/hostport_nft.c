/*
 * Host ports in native nf_tables: tables "ip cni_hostport" and "ip6 cni_hostport" with the chains, rules
 * and comments of the Go plugins' nftables backend (reference 2.7).
 *
 * ADD lists nothing: it appends. What differs from the Go plugins' rules, and why, is in compat.md: the
 * rules that masquerade look at the translation only, conditions stand on the container's own rules, and
 * a chain drops what comes for 127.0.0.0/8 from outside.
 */
#include "hostport.h"
#include "names.h"
#include "nft_expr.h"
#include "nft_find.h"
#include "nft_udata.h"
#include "owners.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_ipv4.h>
#include <stdio.h>
#include <string.h>

#define TABLE "cni_hostport"
#define PORTS "hostports"
#define OLD_PORTS "hostip_hostports" /* of older Go plugins; empty, but looked into by DEL */
#define ALL_PORTS "hostports_all"
#define PREROUTING "prerouting" /* where the Go plugins capture */
#define OUTPUT "output"
#define LAST_PREROUTING "prerouting_last" /* where ours do */
#define LAST_OUTPUT "output_last"
#define MASQUERADING "masquerading"
#define LOCALHOST "localhost"

/*
 * Of two chains of one priority the kernel asks the younger one first: at the Go plugins' priority, ours
 * would take the ports of Kubernetes' services (CVE-2019-9946, which was about iptables). Whoever
 * translates at the usual priority comes first. The Go plugins' chains stay as they make them, because
 * a chain cannot have another priority than they ask for.
 */
#define PRIORITY_LAST (NF_IP_PRI_NAT_DST + 1)

static const uint32_t nfproto[] = {
	[CNI_HOSTPORT_V4] = NFPROTO_IPV4, [CNI_HOSTPORT_V6] = NFPROTO_IPV6
};
static const char *const family_name[] = { [CNI_HOSTPORT_V4] = "ip", [CNI_HOSTPORT_V6] = "ip6" };

static int failed(struct cni_error *err, int r, const char *what)
{
	cni_fail(err, r == -EAGAIN ? CNI_E_RETRY : CNI_E_INTERNAL, -r, "%s", what);
	if (cni_nft_is_absent(r))
		cni_error_detail(err, "the kernel has no nf_tables (modules nf_tables, nft_nat, "
				      "nft_masq, nft_fib); backend: \"iptables\" does without");
	return r;
}

/* ---- whose rules ---- */

/* An attachment as its rules name it. */
struct owner {
	char comment[CNI_COMMENT_LEN]; /* the container's id: all that the Go plugins know */
	char owner[CNI_OWNER_LEN]; /* network, container and interface */
};

static int owner_of(const struct cni_hostport *hp, struct owner *ret)
{
	snprintf(ret->comment, sizeof(ret->comment), "%s", hp->containerid);
	return cni_owner(hp->net, hp->containerid, hp->ifname, ret->owner);
}

/* A rule without an owner is of the Go plugins, or came through nft's text: the id has to do. */
static bool is_own(const struct nftnl_rule *rule, const void *ctx)
{
	const char *owner = cni_nft_owner(rule);
	const struct owner *o = ctx;

	return strcmp(cni_nft_comment(rule), o->comment) == 0 &&
	       (!*owner || strcmp(owner, o->owner) == 0);
}

/* ---- rules ---- */

static void take(struct cni_nft *nft, struct nftnl_rule *rule)
{
	cni_nft_rule_append_take(nft, rule);
}

static struct nftnl_rule *jump(int family, const char *from, const char *to)
{
	struct nftnl_rule *rule = cni_nft_rule(nfproto[family], TABLE, from, "");

	cni_nft_verdict(rule, NFT_JUMP, to);
	return rule;
}

/* What is for this host, whichever of its addresses. Nothing else is ever captured. */
static struct nftnl_rule *capture(int family, const char *from)
{
	struct nftnl_rule *rule = cni_nft_rule(nfproto[family], TABLE, from, "");

	cni_nft_match_local(rule);
	cni_nft_verdict(rule, NFT_JUMP, ALL_PORTS);
	return rule;
}

static struct nftnl_rule *drop_from_outside(void)
{
	static const struct cni_prefix net127 = { .ip = { .family = AF_INET, .b = { 127 } },
						  .len = 8 };
	struct nftnl_rule *rule =
		cni_nft_rule(NFPROTO_IPV4, TABLE, LOCALHOST, "127.0.0.0/8 is for this host only");

	cni_nft_match_iif(rule, false, "lo");
	cni_nft_match_addr(rule, CNI_NFT_DESTINATION, true, &net127);
	cni_nft_verdict(rule, NF_DROP, NULL);
	return rule;
}

static struct nftnl_rule *own_rule(int family, const char *chain, const struct owner *o)
{
	struct nftnl_rule *rule = cni_nft_rule(nfproto[family], TABLE, chain, o->comment);

	cni_nft_set_owner(rule, o->owner);
	return rule;
}

static struct nftnl_rule *forward(const struct cni_hostport *hp, int family,
				  const struct cni_mapping *m, const struct owner *o)
{
	struct nftnl_rule *rule = own_rule(family, PORTS, o);
	const struct cni_condition *c = &hp->condition[family];

	if (c->source.ip.family != AF_UNSPEC)
		cni_nft_match_addr(rule, CNI_NFT_SOURCE, !c->not_source, &c->source);
	if (c->destination.ip.family != AF_UNSPEC)
		cni_nft_match_addr(rule, CNI_NFT_DESTINATION, !c->not_destination, &c->destination);
	if (*c->in)
		cni_nft_match_iif(rule, !c->not_in, c->in);
	if (!cni_mapping_is_any(m)) {
		struct cni_prefix host = { .ip = m->host_ip, .len = cni_ip_bits(&m->host_ip) };

		cni_nft_match_addr(rule, CNI_NFT_DESTINATION, true, &host);
	}
	cni_nft_match_dport(rule, m->protocol, m->host_port);
	cni_nft_dnat(rule, &hp->ip[family].ip, m->container_port);
	return rule;
}

/* Masquerade what is translated to the container, if it comes from `source` (NULL: from anywhere). */
static struct nftnl_rule *masquerade(const struct cni_hostport *hp, int family,
				     const struct cni_prefix *source, const struct owner *o)
{
	struct nftnl_rule *rule = own_rule(family, MASQUERADING, o);
	struct cni_prefix self = { .ip = hp->ip[family].ip };

	self.len = cni_ip_bits(&self.ip);
	if (source)
		cni_nft_match_addr(rule, CNI_NFT_SOURCE, true, source);
	cni_nft_match_addr(rule, CNI_NFT_DESTINATION, true, &self);
	cni_nft_match_dnat(rule);
	cni_nft_masquerade(rule);
	return rule;
}

static const struct cni_prefix localhost = { .ip = { .family = AF_INET, .b = { 127, 0, 0, 1 } },
					     .len = 32 };

/* ---- ADD ---- */

static void add_base_chain(struct cni_nft *nft, int family, const char *chain, uint32_t hook,
			   int32_t priority, const char *type)
{
	const struct cni_nft_hook where = { .type = type, .hook = hook, .priority = priority };

	cni_nft_chain(nft, nfproto[family], TABLE, chain, &where, "");
}

static void empty_base_chain(struct cni_nft *nft, int family, const char *chain, uint32_t hook,
			     int32_t priority, const char *type)
{
	add_base_chain(nft, family, chain, hook, priority, type);
	cni_nft_flush(nft, nfproto[family], TABLE, chain);
}

/*
 * Whether the shared part is as ensure_base leaves it, by how much each chain is used: its rules, and the
 * rules that lead to it. Writing it anew would make the kernel wait until no packet is at the old one's
 * rules, which takes longer than all the rest.
 */
static bool base_is_whole(struct cni_nft *nft, int family, bool snat)
{
	static const struct {
		const char *chain;
		int use;
	} whole[] = {
		{ ALL_PORTS, 4 }, { OLD_PORTS, 1 },	  { PREROUTING, 0 },
		{ OUTPUT, 0 },	  { LAST_PREROUTING, 1 }, { LAST_OUTPUT, 1 },
	};

	for (size_t i = 0; i < CNI_ARRAY_SIZE(whole); i++)
		if (cni_nft_chain_use(nft, nfproto[family], TABLE, whole[i].chain) != whole[i].use)
			return false;
	if (snat && cni_nft_chain_use(nft, nfproto[family], TABLE, MASQUERADING) < 0)
		return false;
	return family != CNI_HOSTPORT_V4 ||
	       cni_nft_chain_use(nft, nfproto[family], TABLE, LOCALHOST) == 1;
}

/* The part that all containers share, so that it is whole whatever happened. */
static void ensure_base(struct cni_nft *nft, int family, bool snat)
{
	uint32_t proto = nfproto[family];

	cni_nft_table(nft, proto, TABLE, "CNI portmap plugin");
	cni_nft_chain(nft, proto, TABLE, PORTS, NULL, "");
	cni_nft_chain(nft, proto, TABLE, OLD_PORTS, NULL, "");
	cni_nft_chain(nft, proto, TABLE, ALL_PORTS, NULL, "");
	cni_nft_flush(nft, proto, TABLE, ALL_PORTS);
	take(nft, jump(family, ALL_PORTS, OLD_PORTS));
	take(nft, jump(family, ALL_PORTS, PORTS));
	empty_base_chain(nft, family, PREROUTING, NF_INET_PRE_ROUTING, NF_IP_PRI_NAT_DST, "nat");
	empty_base_chain(nft, family, OUTPUT, NF_INET_LOCAL_OUT, NF_IP_PRI_NAT_DST, "nat");
	empty_base_chain(nft, family, LAST_PREROUTING, NF_INET_PRE_ROUTING, PRIORITY_LAST, "nat");
	take(nft, capture(family, LAST_PREROUTING));
	empty_base_chain(nft, family, LAST_OUTPUT, NF_INET_LOCAL_OUT, PRIORITY_LAST, "nat");
	take(nft, capture(family, LAST_OUTPUT));
	if (snat)
		add_base_chain(nft, family, MASQUERADING, NF_INET_POST_ROUTING, NF_IP_PRI_NAT_SRC,
			       "nat");
	if (family != CNI_HOSTPORT_V4)
		return;
	empty_base_chain(nft, family, LOCALHOST, NF_INET_PRE_ROUTING, NF_IP_PRI_RAW, "filter");
	take(nft, drop_from_outside());
}

static unsigned int count_own(const struct cni_hostport *hp, int family)
{
	unsigned int n = 0;

	for (size_t i = 0; i < hp->mappings.n; i++)
		n += cni_mapping_applies(&hp->mappings.item[i], cni_hostport_af(family));
	return n + hp->snat + (hp->snat && family == CNI_HOSTPORT_V4 && !hp->masq_all);
}

/* The rules follow their anchor: DEL counts on that. */
static void add_own(struct cni_nft *nft, const struct cni_hostport *hp, int family,
		    const struct owner *o)
{
	cni_nft_anchor(nft, nfproto[family], TABLE, o->owner, count_own(hp, family));
	for (size_t i = 0; i < hp->mappings.n; i++)
		if (cni_mapping_applies(&hp->mappings.item[i], cni_hostport_af(family)))
			take(nft, forward(hp, family, &hp->mappings.item[i], o));
	if (!hp->snat)
		return;
	take(nft, masquerade(hp, family, hp->masq_all ? NULL : &hp->ip[family], o));
	if (family == CNI_HOSTPORT_V4 && !hp->masq_all)
		take(nft, masquerade(hp, family, &localhost, o));
}

/* ---- removing ---- */

static const char *const chains_with_owners[] = { PORTS, MASQUERADING, OLD_PORTS, NULL };

/* Rules to be deleted, in the batch that is being put together; a share in a transaction. */
struct sweep {
	struct cni_nft *nft;
	const struct cni_hostport *hp; /* ADD: what comes in their place */
	int family;
	const char *chain;
	const struct cni_owners *valid; /* of attachments that are none of these; or, if NULL: */
	struct owner own; /* this one's */
	unsigned int n;
};

static int consider(const struct nftnl_rule *rule, void *ctx)
{
	struct sweep *s = ctx;

	/* What does not say of which network it is, stays: it may be of another one. */
	if (s->valid ? !cni_owners_stale(s->valid, cni_nft_owner(rule)) : !is_own(rule, &s->own))
		return 0;
	cni_nft_rule_delete(s->nft, nfproto[s->family], TABLE, s->chain,
			    nftnl_rule_get_u64(rule, NFTNL_RULE_HANDLE));
	s->n++;
	return 0;
}

static int sweep_by_reading(struct sweep *s)
{
	int r = 0;

	for (size_t i = 0; chains_with_owners[i] && r == 0; i++) {
		s->chain = chains_with_owners[i];
		r = cni_nft_each_rule(s->nft, nfproto[s->family], TABLE, s->chain, consider, s);
	}
	return r;
}

/* @return 1 if an anchor led to all rules of a family; 0; -ENOENT without anchor; other negative errno */
static int sweep_anchors(struct sweep *s)
{
	uint32_t proto = nfproto[s->family];
	int r = s->valid ? cni_nft_anchors_sweep(s->nft, proto, TABLE, s->valid)
			 : cni_nft_anchored_delete(s->nft, proto, TABLE, s->own.owner,
						   chains_with_owners, is_own, &s->own);

	s->n += s->valid ? r > 0 : r >= 0;
	return s->valid && r > 0 ? 0 : r;
}

/* ADD is one transaction for both families: if one has an anchor, the other one's rules have one, too. */
static int sweep_all(struct sweep *s)
{
	int led[CNI_HOSTPORT_FAMILIES], r = 0;

	s->n = 0;
	for (s->family = 0; s->family < CNI_HOSTPORT_FAMILIES; s->family++) {
		led[s->family] = sweep_anchors(s);
		if (led[s->family] < 0 && led[s->family] != -ENOENT)
			return led[s->family];
	}
	for (s->family = 0; s->family < CNI_HOSTPORT_FAMILIES && r == 0; s->family++)
		if (led[s->family] == 0 || (led[s->family] < 0 && led[!s->family] <= 0))
			r = sweep_by_reading(s);
	return r;
}

static int plan_sweep(void *ctx, struct cni_nft *nft)
{
	struct sweep *s = ctx;
	int r;

	s->nft = nft;
	r = sweep_all(s);
	return r < 0 ? r : s->n > 0 ? CNI_NFT_DECIDED : CNI_NFT_NOTHING;
}

/* No nf_tables in this kernel: no rules. */
static int sweep_failed(void *ctx, int r, struct cni_error *err)
{
	(void)ctx;
	return cni_nft_is_absent(r) ? 0 : failed(err, r, "error deleting nftables rules");
}

/* The rules of one attachment, or of those that are not valid. */
static int share(const struct cni_nft_share_kind *kind, const struct cni_hostport *hp,
		 const struct cni_owners *valid, struct cni_nft_tx *tx, struct cni_error *err)
{
	struct sweep *s = calloc(1, sizeof(*s));
	int r = s ? 0 : -ENOMEM;

	if (s) {
		s->hp = hp;
		s->valid = valid;
		r = hp ? owner_of(hp, &s->own) : 0;
	}
	if (r == 0)
		r = cni_nft_tx_share(tx, kind, CNI_TAKE(s));
	free(s);
	return r < 0 ? kind->failed(NULL, r, err) : 0;
}

static const struct cni_nft_share_kind sweeping = { plan_sweep, NULL, sweep_failed, free };

static int del(const struct cni_hostport *hp, struct cni_nft_tx *tx, struct cni_error *err)
{
	return share(&sweeping, hp, NULL, tx, err);
}

static int has_anchor(struct cni_nft *nft, const char *owner)
{
	int r = 0;

	for (int f = 0; f < CNI_HOSTPORT_FAMILIES && r == 0; f++)
		r = cni_nft_has_anchor(nft, nfproto[f], TABLE, owner);
	return r;
}

/* Only an ADD that follows an earlier one has to look for that one's rules. */
static int plan_add(void *ctx, struct cni_nft *nft)
{
	struct sweep *old = ctx;
	const struct cni_hostport *hp = old->hp;
	int r = hp->again ? 1 : has_anchor(nft, old->own.owner);

	old->nft = nft;
	if (r > 0)
		r = sweep_all(old);
	for (int f = 0; f < CNI_HOSTPORT_FAMILIES && r == 0; f++) {
		if (!cni_hostport_has(hp, f))
			continue;
		if (!base_is_whole(nft, f, hp->snat))
			ensure_base(nft, f, hp->snat);
		add_own(nft, hp, f, &old->own);
	}
	return r < 0 ? r : CNI_NFT_DECIDED;
}

static int add_failed(void *ctx, int r, struct cni_error *err)
{
	(void)ctx;
	return failed(err, r, "unable to set up nftables rules for port mappings");
}

static int add(const struct cni_hostport *hp, struct cni_nft_tx *tx, struct cni_error *err)
{
	static const struct cni_nft_share_kind adding = { plan_add, NULL, add_failed, free };

	return share(&adding, hp, NULL, tx, err);
}

/* ---- GC ---- */

static int gc(const struct cni_args *args, struct cni_error *err)
{
	cni_auto(owners) struct cni_owners valid = { 0 };
	cni_auto(nft_tx) struct cni_nft_tx tx = { .n = 0 };
	int r = cni_owners_valid(args, &valid);

	r = r < 0 ? sweep_failed(NULL, r, err) : share(&sweeping, NULL, &valid, &tx, err);
	return r < 0 ? r : cni_nft_tx_commit(&tx, err);
}

/* ---- CHECK ---- */

/* What one chain is searched for. */
struct look {
	const struct owner *own; /* NULL: rules of everybody */
	struct nftnl_rule *full, *bare; /* rules to find: ours; one of the Go plugins */
	const char *chain; /* or: a rule that leads there */
	unsigned int n, ours; /* found; and those with our mark */
};

static int look_at(const struct nftnl_rule *rule, void *ctx)
{
	struct look *l = ctx;
	bool ours = *cni_nft_owner(rule) != '\0', hit = true;

	if (l->own && !is_own(rule, l->own))
		return 0;
	if (l->full)
		hit = cni_nft_ends_in(rule, ours ? l->full : l->bare);
	else if (l->chain)
		hit = cni_nft_leads_to(rule, l->chain);
	l->n += hit;
	l->ours += hit && ours;
	return 0;
}

static int missing(struct cni_error *err, int family, const char *chain, const char *what)
{
	cni_fail(err, CNI_E_INTERNAL, 0, "missing hostport rules in \"%s\" chain", chain);
	cni_error_detail(err, "table %s %s has no rule %s", family_name[family], TABLE, what);
	return -ENOENT;
}

/* @return 0; -ENOENT, said, if less than `want` were found */
static int search(struct cni_nft *nft, int family, const char *chain, struct look *l,
		  unsigned int want, const char *what, struct cni_error *err)
{
	int r;

	do {
		l->n = l->ours = 0;
		r = cni_nft_each_rule(nft, nfproto[family], TABLE, chain, look_at, l);
	} while (cni_nft_again(nft, r));
	r = cni_nft_outcome(r);
	if (r < 0)
		return failed(err, r, "failed to list nftables rules");
	return l->n < want ? missing(err, family, chain, what) : 0;
}

/* What the Go plugins' chain or ours has to have: whoever came last emptied or filled theirs. */
static int search_capture(struct cni_nft *nft, int family, const char *theirs, const char *ours,
			  struct cni_error *err)
{
	struct look l = { .chain = ALL_PORTS };
	int r = search(nft, family, theirs, &l, 0, "", err);

	if (r < 0 || l.n > 0)
		return r;
	return search(nft, family, ours, &l, 1, "that leads to " ALL_PORTS, err);
}

static int check_mapping(struct cni_nft *nft, const struct cni_hostport *hp, int family,
			 const struct cni_mapping *m, const struct owner *o, bool *ours,
			 struct cni_error *err)
{
	struct cni_hostport unconditional = *hp;
	struct look l = { .own = o };
	char what[160], to[CNI_IP_STRLEN], host[CNI_IP_STRLEN];
	int r = -ENOMEM;

	memset(unconditional.condition, 0, sizeof(unconditional.condition));
	l.full = forward(hp, family, m, o);
	l.bare = forward(&unconditional, family, m, o);
	snprintf(what, sizeof(what), "for %s port %u%s%s to %s port %u",
		 cni_mapping_protocol(m->protocol), m->host_port,
		 cni_mapping_is_any(m) ? "" : " of ",
		 cni_mapping_is_any(m) ? "" : cni_ip_format(&m->host_ip, host),
		 cni_ip_format(&hp->ip[family].ip, to), m->container_port);
	if (l.full && l.bare)
		r = search(nft, family, PORTS, &l, 1, what, err);
	*ours |= l.ours > 0;
	if (l.full)
		nftnl_rule_free(l.full);
	if (l.bare)
		nftnl_rule_free(l.bare);
	return r;
}

static int check_family(struct cni_nft *nft, const struct cni_hostport *hp, int family,
			const struct owner *o, struct cni_error *err)
{
	struct look ports = { .chain = PORTS }, own = { .own = o }, any = { 0 };
	unsigned int n_masq = family == CNI_HOSTPORT_V4 && !hp->masq_all ? 2 : 1;
	bool ours = false;
	int r = 0;

	for (size_t i = 0; i < hp->mappings.n && r == 0; i++)
		if (cni_mapping_applies(&hp->mappings.item[i], cni_hostport_af(family)))
			r = check_mapping(nft, hp, family, &hp->mappings.item[i], o, &ours, err);
	if (r == 0 && hp->snat)
		r = search(nft, family, MASQUERADING, &own, n_masq, "that masquerades", err);
	if (r == 0)
		r = search(nft, family, ALL_PORTS, &ports, 1, "that leads to " PORTS, err);
	if (r == 0)
		r = search_capture(nft, family, PREROUTING, LAST_PREROUTING, err);
	if (r == 0)
		r = search_capture(nft, family, OUTPUT, LAST_OUTPUT, err);
	if (r == 0 && ours && family == CNI_HOSTPORT_V4)
		r = search(nft, family, LOCALHOST, &any, 1, "against 127.0.0.0/8 from outside",
			   err);
	return r;
}

static int check(const struct cni_hostport *hp, struct cni_error *err)
{
	cni_auto(nft) struct cni_nft nft = { 0 };
	struct owner o;
	int r;

	r = owner_of(hp, &o);
	if (r == 0)
		r = cni_nft_open(&nft);
	if (r < 0)
		return failed(err, r, "failed to list nftables rules");
	for (int f = 0; f < CNI_HOSTPORT_FAMILIES && r == 0; f++)
		if (cni_hostport_has(hp, f))
			r = check_family(&nft, hp, f, &o, err);
	return r;
}

static int is_held(const struct nftnl_rule *rule, void *owner)
{
	return strcmp(cni_nft_owner(rule), owner) == 0 ? -ECANCELED : 0;
}

static int holds(const char *owner, const char *chain)
{
	cni_auto(nft) struct cni_nft nft = { 0 };
	int r = cni_nft_open(&nft);

	(void)chain;
	for (int f = 0; f < CNI_HOSTPORT_FAMILIES && r == 0; f++)
		do {
			r = cni_nft_each_rule(&nft, nfproto[f], TABLE, PORTS, is_held,
					      (void *)owner);
		} while (cni_nft_again(&nft, r));
	return r == -ECANCELED ? 1 : r == -EPROTONOSUPPORT ? 0 : r;
}

static bool was_here(const struct cni_hostport *hp)
{
	cni_auto(nft) struct cni_nft nft = { 0 };
	struct owner o;

	return owner_of(hp, &o) == 0 && cni_nft_open(&nft) == 0 && has_anchor(&nft, o.owner) > 0;
}

static int usable(struct cni_error *err)
{
	cni_auto(nft) struct cni_nft nft = { 0 };
	int r = cni_nft_open(&nft);

	if (r == 0)
		r = cni_nft_watch(&nft);
	return r < 0 ? failed(err, r, "nftables cannot be used") : 0;
}

const struct cni_hostport_ops cni_hostport_nft = {
	.name = "nftables",
	.usable = usable,
	.add = add,
	.del = del,
	.check = check,
	.holds = holds,
	.was_here = was_here,
	.gc = gc,
};
