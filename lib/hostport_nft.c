/*
 * Host ports in native nf_tables: tables "ip cni_hostport" and "ip6 cni_hostport" with the chains, rules
 * and comments of the Go plugins' nftables backend (reference 2.7).
 *
 * ADD lists nothing: it appends. What differs from the Go plugins' rules, and why, is in compat.md: the
 * rules that masquerade look at the translation only, conditions stand on the container's own rules, and
 * a chain drops what comes for 127.0.0.0/8 from outside.
 */
#include "buf.h"
#include "hostport_nft_rule.h"
#include "nft_expr.h"
#include "nft_find.h"
#include "nft_look.h"
#include "nft_udata.h"
#include "owners.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_ipv4.h>
#include <stdio.h>
#include <string.h>

#define OLD_PORTS "hostip_hostports" /* of older Go plugins; empty, but looked into by DEL */
#define PREROUTING "prerouting" /* where the Go plugins capture */
#define OUTPUT "output"
#define LAST_PREROUTING "prerouting_last" /* where ours do */
#define LAST_OUTPUT "output_last"

/*
 * Of two chains of one priority the kernel asks the younger one first: at the Go plugins' priority, ours
 * would take the ports of Kubernetes' services (CVE-2019-9946, which was about iptables). Whoever
 * translates at the usual priority comes first. The Go plugins' chains stay as they make them, because
 * a chain cannot have another priority than they ask for.
 */
#define PRIORITY_LAST (NF_IP_PRI_NAT_DST + 1)

static const char *const family_name[] = { [CNI_HOSTPORT_V4] = "ip", [CNI_HOSTPORT_V6] = "ip6" };

static int failed(struct cni_error *err, int r, const char *what)
{
	cni_fail(err, r == -EAGAIN ? CNI_E_RETRY : CNI_E_INTERNAL, -r, "%s", what);
	if (cni_nft_is_absent(r))
		cni_error_detail(err, "the kernel has no nf_tables (modules nf_tables, nft_nat, "
				      "nft_masq, nft_fib); backend: \"iptables\" does without");
	return r;
}

/* ---- ADD ---- */

static void take(struct cni_nft *nft, struct nftnl_rule *rule)
{
	cni_nft_rule_append_take(nft, rule);
}

static void add_base_chain(struct cni_nft *nft, int family, const char *chain, uint32_t hook,
			   int32_t priority, const char *type)
{
	const struct cni_nft_hook where = { .type = type, .hook = hook, .priority = priority };

	cni_nft_chain(nft, cni_hostport_nfproto(family), CNI_HOSTPORT_TABLE, chain, &where, "");
}

static void empty_base_chain(struct cni_nft *nft, int family, const char *chain, uint32_t hook,
			     int32_t priority, const char *type)
{
	add_base_chain(nft, family, chain, hook, priority, type);
	cni_nft_flush(nft, cni_hostport_nfproto(family), CNI_HOSTPORT_TABLE, chain);
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
		{ CNI_HOSTPORT_ALL_PORTS, 4 }, { OLD_PORTS, 1 },   { PREROUTING, 0 }, { OUTPUT, 0 },
		{ LAST_PREROUTING, 1 },	       { LAST_OUTPUT, 1 },
	};

	for (size_t i = 0; i < CNI_ARRAY_SIZE(whole); i++)
		if (cni_nft_chain_use(nft, cni_hostport_nfproto(family), CNI_HOSTPORT_TABLE,
				      whole[i].chain) != whole[i].use)
			return false;
	if (snat && cni_nft_chain_use(nft, cni_hostport_nfproto(family), CNI_HOSTPORT_TABLE,
				      CNI_HOSTPORT_MASQUERADING) < 0)
		return false;
	return family != CNI_HOSTPORT_V4 ||
	       cni_nft_chain_use(nft, cni_hostport_nfproto(family), CNI_HOSTPORT_TABLE,
				 CNI_HOSTPORT_LOCALHOST) == 1;
}

/* The part that all containers share, so that it is whole whatever happened. */
static void ensure_base(struct cni_nft *nft, int family, bool snat)
{
	uint32_t proto = cni_hostport_nfproto(family);

	cni_nft_table(nft, proto, CNI_HOSTPORT_TABLE, "CNI portmap plugin");
	cni_nft_chain(nft, proto, CNI_HOSTPORT_TABLE, CNI_HOSTPORT_PORTS, NULL, "");
	cni_nft_chain(nft, proto, CNI_HOSTPORT_TABLE, OLD_PORTS, NULL, "");
	cni_nft_chain(nft, proto, CNI_HOSTPORT_TABLE, CNI_HOSTPORT_ALL_PORTS, NULL, "");
	cni_nft_flush(nft, proto, CNI_HOSTPORT_TABLE, CNI_HOSTPORT_ALL_PORTS);
	take(nft, cni_hostport_nft_jump(family, CNI_HOSTPORT_ALL_PORTS, OLD_PORTS));
	take(nft, cni_hostport_nft_jump(family, CNI_HOSTPORT_ALL_PORTS, CNI_HOSTPORT_PORTS));
	empty_base_chain(nft, family, PREROUTING, NF_INET_PRE_ROUTING, NF_IP_PRI_NAT_DST, "nat");
	empty_base_chain(nft, family, OUTPUT, NF_INET_LOCAL_OUT, NF_IP_PRI_NAT_DST, "nat");
	empty_base_chain(nft, family, LAST_PREROUTING, NF_INET_PRE_ROUTING, PRIORITY_LAST, "nat");
	take(nft, cni_hostport_nft_capture(family, LAST_PREROUTING));
	empty_base_chain(nft, family, LAST_OUTPUT, NF_INET_LOCAL_OUT, PRIORITY_LAST, "nat");
	take(nft, cni_hostport_nft_capture(family, LAST_OUTPUT));
	if (snat)
		add_base_chain(nft, family, CNI_HOSTPORT_MASQUERADING, NF_INET_POST_ROUTING,
			       NF_IP_PRI_NAT_SRC, "nat");
	if (family != CNI_HOSTPORT_V4)
		return;
	empty_base_chain(nft, family, CNI_HOSTPORT_LOCALHOST, NF_INET_PRE_ROUTING, NF_IP_PRI_RAW,
			 "filter");
	take(nft, cni_hostport_nft_drop_from_outside());
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
		    const struct cni_hostport_owner *o)
{
	unsigned int n = count_own(hp, family);

	if (n > 0)
		cni_nft_anchor(nft, cni_hostport_nfproto(family), CNI_HOSTPORT_TABLE, o->owner, n);
	for (size_t i = 0; i < hp->mappings.n; i++)
		if (cni_mapping_applies(&hp->mappings.item[i], cni_hostport_af(family)))
			take(nft, cni_hostport_nft_forward(hp, family, &hp->mappings.item[i], o));
	if (!hp->snat)
		return;
	take(nft, cni_hostport_nft_masquerade(hp, family, o));
	if (family == CNI_HOSTPORT_V4 && !hp->masq_all)
		take(nft, cni_hostport_nft_masquerade_localhost(hp, o));
}

/* ---- removing ---- */

static const char *const chains_with_owners[] = { CNI_HOSTPORT_PORTS, CNI_HOSTPORT_MASQUERADING,
						  OLD_PORTS, NULL };

/* Rules to be deleted, in the batch that is being put together; a share in a transaction. */
struct sweep {
	struct cni_nft *nft;
	const struct cni_hostport *hp; /* ADD: what comes in their place */
	int family;
	const char *chain;
	const struct cni_owners *valid; /* of attachments that are none of these; or, if NULL: */
	struct cni_hostport_owner own; /* this one's */
	unsigned int n;
};

static int consider(const struct nftnl_rule *rule, void *ctx)
{
	struct sweep *s = ctx;

	/* What does not say of which network it is, stays: it may be of another one. */
	if (s->valid ? !cni_owners_stale(s->valid, cni_nft_owner(rule))
		     : !cni_hostport_is_own(rule, &s->own))
		return 0;
	cni_nft_rule_delete(s->nft, cni_hostport_nfproto(s->family), CNI_HOSTPORT_TABLE, s->chain,
			    nftnl_rule_get_u64(rule, NFTNL_RULE_HANDLE));
	s->n++;
	return 0;
}

static int sweep_by_reading(struct sweep *s)
{
	int r = 0;

	for (size_t i = 0; chains_with_owners[i] && r == 0; i++) {
		s->chain = chains_with_owners[i];
		r = cni_nft_each_rule(s->nft, cni_hostport_nfproto(s->family), CNI_HOSTPORT_TABLE,
				      s->chain, consider, s);
	}
	return r;
}

/* @return 1 if an anchor led to all rules of a family; 0; -ENOENT without anchor; other negative errno */
static int sweep_anchors(struct sweep *s)
{
	uint32_t proto = cni_hostport_nfproto(s->family);
	int r = s->valid
			? cni_nft_anchors_sweep(s->nft, proto, CNI_HOSTPORT_TABLE, s->valid)
			: cni_nft_anchored_delete(s->nft, proto, CNI_HOSTPORT_TABLE, s->own.owner,
						  chains_with_owners, cni_hostport_is_own, &s->own);

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
		r = hp ? cni_hostport_owner_of(hp, &s->own) : 0;
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
		r = cni_nft_has_anchor(nft, cni_hostport_nfproto(f), CNI_HOSTPORT_TABLE, owner);
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
		if (!cni_hostport_concerns(hp, f))
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
	const struct cni_hostport_owner *own; /* rules of this one; NULL: of everybody */
	const char *chain; /* that lead there; NULL: wherever */
	unsigned int n; /* found */
};

static int look_at(const struct nftnl_rule *rule, void *ctx)
{
	struct look *l = ctx;

	l->n += (!l->own || cni_hostport_is_own(rule, l->own)) &&
		(!l->chain || cni_nft_leads_to(rule, l->chain));
	return 0;
}

static int missing(struct cni_error *err, int family, const char *chain, const char *what)
{
	cni_fail(err, CNI_E_INTERNAL, 0, "missing hostport rules in \"%s\" chain", chain);
	cni_error_detail(err, "table %s %s has no rule %s", family_name[family], CNI_HOSTPORT_TABLE,
			 what);
	return -ENOENT;
}

/* @return 0; -ENOENT, said, if less than `want` were found */
static int search(struct cni_nft *nft, int family, const char *chain, struct look *l,
		  unsigned int want, const char *what, struct cni_error *err)
{
	int r;

	do {
		l->n = 0;
		r = cni_nft_each_rule(nft, cni_hostport_nfproto(family), CNI_HOSTPORT_TABLE, chain,
				      look_at, l);
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
	struct look l = { .chain = CNI_HOSTPORT_ALL_PORTS };
	int r = search(nft, family, theirs, &l, 0, "", err);

	if (r < 0 || l.n > 0)
		return r;
	return search(nft, family, ours, &l, 1, "that leads to " CNI_HOSTPORT_ALL_PORTS, err);
}

/* A rule for a port that should be there. */
struct wanted {
	struct cni_buf text; /* owned; what cni_nft_text() says of it */
	const struct cni_mapping *m;
	bool found;
};

/* Those of one family, sorted by their texts, and each once. */
struct wanted_list {
	const struct cni_hostport_owner *own;
	struct wanted *item; /* owned */
	size_t n;
	struct cni_buf condition; /* owned; what the Go plugins' rules leave to the shared ones */
	bool ours; /* one with our mark was found */
};

static inline void cni_auto_wanted(struct wanted_list *w)
{
	for (size_t i = 0; i < w->n; i++)
		cni_buf_done(&w->item[i].text);
	free(w->item);
	cni_buf_done(&w->condition);
}

static int compare_wanted(const void *a, const void *b)
{
	return strcmp(((const struct wanted *)a)->text.data, ((const struct wanted *)b)->text.data);
}

/* @return 0; -ENOMEM */
static int text_of_take(struct nftnl_rule *rule, struct cni_buf *ret)
{
	cni_buf_add(ret, "", 0); /* never NULL */
	if (rule)
		cni_nft_text(rule, ret);
	if (rule)
		nftnl_rule_free(rule);
	return rule && !ret->failed ? 0 : -ENOMEM;
}

static int list_wanted(const struct cni_hostport *hp, int family, struct wanted_list *w)
{
	size_t kept = 0;
	int r = text_of_take(cni_hostport_nft_condition(hp, family, w->own), &w->condition);

	w->item = calloc(hp->mappings.n, sizeof(*w->item));
	if (!w->item)
		return -ENOMEM;
	for (size_t i = 0; i < hp->mappings.n && r == 0; i++) {
		const struct cni_mapping *m = &hp->mappings.item[i];

		if (!cni_mapping_applies(m, cni_hostport_af(family)))
			continue;
		w->item[w->n].m = m;
		r = text_of_take(cni_hostport_nft_forward(hp, family, m, w->own),
				 &w->item[w->n++].text);
	}
	if (r < 0)
		return r;
	qsort(w->item, w->n, sizeof(*w->item), compare_wanted);
	for (size_t i = 0; i < w->n; i++)
		if (kept > 0 && compare_wanted(&w->item[kept - 1], &w->item[i]) == 0)
			cni_buf_done(&w->item[i].text);
		else
			w->item[kept++] = w->item[i];
	w->n = kept;
	return 0;
}

static int tick_off(const struct nftnl_rule *rule, void *ctx)
{
	bool ours = *cni_nft_owner(rule) != '\0';
	struct wanted_list *w = ctx;
	struct wanted key = { .found = false }, *hit;
	int r;

	if (!cni_hostport_is_own(rule, w->own))
		return 0;
	cni_buf_add(&key.text, w->condition.data, ours ? 0 : w->condition.len);
	cni_nft_text(rule, &key.text);
	r = key.text.failed ? -ENOMEM : 0;
	hit = r == 0 ? bsearch(&key, w->item, w->n, sizeof(key), compare_wanted) : NULL;
	if (hit) {
		hit->found = true;
		w->ours |= ours;
	}
	cni_buf_done(&key.text);
	return r;
}

static int missing_port(const struct cni_hostport *hp, int family, const struct cni_mapping *m,
			struct cni_error *err)
{
	char what[160], to[CNI_IP_STRLEN], host[CNI_IP_STRLEN];

	snprintf(what, sizeof(what), "for %s port %u%s%s to %s port %u",
		 cni_mapping_protocol(m->protocol), m->host_port,
		 cni_mapping_is_any(m) ? "" : " of ",
		 cni_mapping_is_any(m) ? "" : cni_ip_format(&m->host_ip, host),
		 cni_ip_format(&hp->ip[family].ip, to), m->container_port);
	return missing(err, family, CNI_HOSTPORT_PORTS, what);
}

/* The chain is read once, however many ports that is. */
static int check_ports(struct cni_nft *nft, const struct cni_hostport *hp, int family,
		       const struct cni_hostport_owner *o, bool *ours, struct cni_error *err)
{
	cni_auto(wanted) struct wanted_list w = { .own = o };
	int r = list_wanted(hp, family, &w);

	if (r == 0)
		do {
			for (size_t i = 0; i < w.n; i++)
				w.item[i].found = false;
			r = cni_nft_each_rule(nft, cni_hostport_nfproto(family), CNI_HOSTPORT_TABLE,
					      CNI_HOSTPORT_PORTS, tick_off, &w);
		} while (cni_nft_again(nft, r));
	r = cni_nft_outcome(r);
	if (r < 0)
		return failed(err, r, "failed to list nftables rules");
	for (size_t i = 0; i < w.n; i++)
		if (!w.item[i].found)
			return missing_port(hp, family, w.item[i].m, err);
	*ours = w.ours;
	return 0;
}

static int check_family(struct cni_nft *nft, const struct cni_hostport *hp, int family,
			const struct cni_hostport_owner *o, struct cni_error *err)
{
	struct look ports = { .chain = CNI_HOSTPORT_PORTS }, own = { .own = o }, any = { 0 };
	unsigned int n_masq = family == CNI_HOSTPORT_V4 && !hp->masq_all ? 2 : 1;
	bool ours = false;
	int r = check_ports(nft, hp, family, o, &ours, err);

	if (r == 0 && hp->snat)
		r = search(nft, family, CNI_HOSTPORT_MASQUERADING, &own, n_masq, "that masquerades",
			   err);
	if (r == 0)
		r = search(nft, family, CNI_HOSTPORT_ALL_PORTS, &ports, 1,
			   "that leads to " CNI_HOSTPORT_PORTS, err);
	if (r == 0)
		r = search_capture(nft, family, PREROUTING, LAST_PREROUTING, err);
	if (r == 0)
		r = search_capture(nft, family, OUTPUT, LAST_OUTPUT, err);
	if (r == 0 && ours && family == CNI_HOSTPORT_V4)
		r = search(nft, family, CNI_HOSTPORT_LOCALHOST, &any, 1,
			   "against 127.0.0.0/8 from outside", err);
	return r;
}

static int check(const struct cni_hostport *hp, struct cni_error *err)
{
	cni_auto(nft) struct cni_nft nft = { 0 };
	struct cni_hostport_owner o;
	int r;

	r = cni_hostport_owner_of(hp, &o);
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
			r = cni_nft_each_rule(&nft, cni_hostport_nfproto(f), CNI_HOSTPORT_TABLE,
					      CNI_HOSTPORT_PORTS, is_held, (void *)owner);
		} while (cni_nft_again(&nft, r));
	return r == -ECANCELED ? 1 : r == -EPROTONOSUPPORT ? 0 : r;
}

static bool was_here(const struct cni_hostport *hp)
{
	cni_auto(nft) struct cni_nft nft = { 0 };
	struct cni_hostport_owner o;

	return cni_hostport_owner_of(hp, &o) == 0 && cni_nft_open(&nft) == 0 &&
	       has_anchor(&nft, o.owner) > 0;
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
