/*
 * The writer for iptables-nft: its tables are tables of nf_tables; see ipt.h.
 *
 * A transaction is planned by what is read, sent as one batch, and planned again if the kernel says
 * that the plan has become old. As little as possible is read: a rule in a chain that this transaction
 * makes, or that leads to one, can't be there yet, so a new attachment's rules cost the same however
 * many others there are.
 */
#include "ipt_nft_rule.h"
#include "ipt_writer.h"
#include "nft_find.h"
#include "nft_look.h"
#include "nft_tx.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_ipv4.h>
#include <string.h>

/* Plans may fail because things come and go beside us; if it goes on like that, something is broken. */
#define CHURN_MAX 20

/* A rule that the kernel has (with a handle), or that this transaction is adding. */
struct known {
	struct cni_ipt_rule rule;
	uint64_t handle;
	bool gone; /* this transaction deletes it */
};

/* What is known of a chain. */
struct view {
	sa_family_t family;
	const char *table, *chain; /* borrowed from an operation */
	bool fresh; /* made by this transaction */
	bool made; /* fresh, or built-in and its making is in the batch */
	bool dropped; /* this transaction removes it */
	bool loaded; /* the kernel's rules are among the known */
	bool sought; /* something was looked for in vain: the next time all is loaded */
	struct known *rule; /* owned */
	size_t n, room;
	size_t met; /* so many were known before all was loaded */
	const char *jumps_to; /* all rules that lead there are among the known; borrowed */
};

struct plan {
	struct cni_nft *nft; /* borrowed from the transaction, for one try */
	struct cni_ipt_op *op; /* owned */
	size_t n;
	const char *purpose; /* NULL = none said */
	size_t at; /* the operation that is being planned */
	unsigned int churn;
	uint32_t *first; /* owned; number of each operation's first message */
	bool *keep; /* owned; chains that turned out to be in use */
	struct view *view; /* owned; one for each operation at most */
	size_t views;
	bool any; /* there is something in the batch */
	bool watched; /* it was decided by something that must not have changed */
};

static void forget_views(struct plan *p)
{
	for (size_t i = 0; i < p->views; i++)
		free(p->view[i].rule);
	p->views = 0;
}

static void free_plan(void *plan)
{
	struct plan *p = plan;

	if (p->view)
		forget_views(p);
	free(p->first);
	free(p->keep);
	free(p->view);
	free(p->op);
	free(p);
}

static uint32_t nfproto(sa_family_t family)
{
	return family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6;
}

/* ---- built-in chains, as iptables-nft makes them ---- */

static const struct builtin {
	const char *table, *chain;
	struct cni_nft_hook hook;
} builtins[] = {
	{ "filter", "INPUT", { "filter", NF_INET_LOCAL_IN, NF_IP_PRI_FILTER } },
	{ "filter", "FORWARD", { "filter", NF_INET_FORWARD, NF_IP_PRI_FILTER } },
	{ "filter", "OUTPUT", { "filter", NF_INET_LOCAL_OUT, NF_IP_PRI_FILTER } },
	{ "nat", "PREROUTING", { "nat", NF_INET_PRE_ROUTING, NF_IP_PRI_NAT_DST } },
	{ "nat", "INPUT", { "nat", NF_INET_LOCAL_IN, NF_IP_PRI_NAT_SRC } },
	{ "nat", "OUTPUT", { "nat", NF_INET_LOCAL_OUT, NF_IP_PRI_NAT_DST } },
	{ "nat", "POSTROUTING", { "nat", NF_INET_POST_ROUTING, NF_IP_PRI_NAT_SRC } },
	{ "mangle", "PREROUTING", { "filter", NF_INET_PRE_ROUTING, NF_IP_PRI_MANGLE } },
	{ "mangle", "INPUT", { "filter", NF_INET_LOCAL_IN, NF_IP_PRI_MANGLE } },
	{ "mangle", "FORWARD", { "filter", NF_INET_FORWARD, NF_IP_PRI_MANGLE } },
	{ "mangle", "OUTPUT", { "route", NF_INET_LOCAL_OUT, NF_IP_PRI_MANGLE } },
	{ "mangle", "POSTROUTING", { "filter", NF_INET_POST_ROUTING, NF_IP_PRI_MANGLE } },
	{ "raw", "PREROUTING", { "filter", NF_INET_PRE_ROUTING, NF_IP_PRI_RAW } },
	{ "raw", "OUTPUT", { "filter", NF_INET_LOCAL_OUT, NF_IP_PRI_RAW } },
};

static const struct builtin *find_builtin(const char *table, const char *chain)
{
	for (size_t i = 0; i < CNI_ARRAY_SIZE(builtins); i++)
		if (strcmp(builtins[i].table, table) == 0 && strcmp(builtins[i].chain, chain) == 0)
			return &builtins[i];
	return NULL;
}

/* ---- what is there ---- */

static struct view *find_view(const struct plan *p, const struct cni_ipt_op *op, const char *chain)
{
	for (size_t i = 0; i < p->views; i++)
		if (p->view[i].family == op->family && strcmp(p->view[i].table, op->table) == 0 &&
		    strcmp(p->view[i].chain, chain) == 0)
			return &p->view[i];
	return NULL;
}

static struct view *view_of(struct plan *p, const struct cni_ipt_op *op)
{
	struct view *v = find_view(p, op, op->chain);

	if (!v) {
		v = &p->view[p->views++];
		*v = (struct view){ .family = op->family, .table = op->table, .chain = op->chain };
	}
	return v;
}

static struct known *add_known(struct view *v)
{
	if (v->n == v->room) {
		size_t room = v->room ? 2 * v->room : 8;
		struct known *rule = reallocarray(v->rule, room, sizeof(*rule));

		if (!rule)
			return NULL;
		v->rule = rule;
		v->room = room;
	}
	v->rule[v->n].gone = false;
	return &v->rule[v->n++];
}

static int load_rule(const struct nftnl_rule *rule, void *ctx)
{
	uint64_t handle = nftnl_rule_get_u64(rule, NFTNL_RULE_HANDLE);
	struct view *v = ctx;
	struct known *k;

	for (size_t i = 0; i < v->met; i++)
		if (v->rule[i].handle == handle)
			return 0;
	k = add_known(v);
	if (!k)
		return -ENOMEM;
	cni_ipt_nft_decode(rule, v->family, &k->rule);
	k->handle = handle;
	return 0;
}

static int load(struct cni_nft *nft, struct view *v)
{
	if (v->loaded || v->fresh)
		return 0;
	v->loaded = true;
	v->met = v->n;
	return cni_nft_each_rule(nft, nfproto(v->family), v->table, v->chain, load_rule, v);
}

struct sought {
	const struct cni_ipt_rule *rule;
	sa_family_t family;
};

static int compare_rule(const struct nftnl_rule *rule, void *ctx)
{
	const struct sought *s = ctx;
	struct cni_ipt_rule decoded;

	cni_ipt_nft_decode(rule, s->family, &decoded);
	return cni_ipt_rule_equal(&decoded, s->rule) ? -ECANCELED : 0;
}

/*
 * Read the kernel's rules up to the one that is looked for: what all attachments share stands at the
 * front. On a socket of its own, which the rest of the listing goes with.
 */
static int seek(const struct view *v, const struct cni_ipt_rule *rule)
{
	cni_auto(nft) struct cni_nft nft = { 0 };
	struct sought s = { rule, v->family };
	int r;

	r = cni_nft_open(&nft);
	if (r == 0)
		r = cni_nft_each_rule(&nft, nfproto(v->family), v->table, v->chain, compare_rule,
				      &s);
	return r == -ECANCELED ? 1 : r;
}

/* @return 1 if the chain has such a rule, or gets it; 0 if not; negative errno */
static int has_rule(struct plan *p, struct view *v, const struct cni_ipt_op *op)
{
	const struct view *to = op->rule.verdict == CNI_IPT_JUMP ? find_view(p, op, op->rule.chain)
								 : NULL;
	int r = 0;

	if (!v->fresh && !(to && (to->fresh || to->chain == v->jumps_to))) {
		p->watched = true;
		r = v->loaded || v->sought || v->n > 0 ? load(p->nft, v) : seek(v, &op->rule);
		v->sought |= r == 0;
	}
	if (r != 0)
		return r;
	for (size_t i = 0; i < v->n; i++)
		if (!v->rule[i].gone && cni_ipt_rule_equal(&v->rule[i].rule, &op->rule))
			return 1;
	return 0;
}

/* ---- planning ---- */

static int plan_chain(struct plan *p, struct view *v)
{
	int r;

	if (v->made)
		return 0;
	r = cni_nft_chain_exists(p->nft, nfproto(v->family), v->table, v->chain);
	if (r != 0) {
		p->watched = true;
		return r < 0 ? r : 0;
	}
	cni_nft_table(p->nft, nfproto(v->family), v->table, "");
	cni_nft_chain_new(p->nft, nfproto(v->family), v->table, v->chain);
	v->fresh = v->made = p->any = true;
	return 0;
}

static int put_rule(struct plan *p, struct view *v, enum cni_ipt_what what,
		    const struct cni_ipt_rule *rule)
{
	struct known *k = add_known(v);
	struct nftnl_rule *encoded;

	if (!k)
		return -ENOMEM;
	k->rule = *rule;
	k->handle = 0;
	encoded = cni_ipt_nft_encode(v->family, v->table, v->chain, rule);
	if (what == CNI_IPT_OP_INSERT)
		cni_nft_rule_insert_take(p->nft, encoded);
	else
		cni_nft_rule_append_take(p->nft, encoded);
	p->any = true;
	return 0;
}

/* @return whether there was any */
static bool delete_known(struct plan *p, struct view *v, const struct cni_ipt_op *op)
{
	bool any = false;

	for (size_t i = 0; i < v->n; i++) {
		struct known *k = &v->rule[i];

		if (!k->handle || k->gone || !cni_ipt_op_deletes(op, &k->rule))
			continue;
		cni_nft_rule_delete(p->nft, nfproto(v->family), v->table, v->chain, k->handle);
		k->gone = p->any = true;
		any = true;
	}
	return any;
}

/* Put what has to stay above an inserted rule in front again. */
static int lift(struct plan *p, struct view *v, const struct cni_ipt_rule *above)
{
	const struct cni_ipt_op old = { .what = CNI_IPT_OP_DELETE, .rule = *above };
	int r;

	p->watched = true;
	r = load(p->nft, v);
	if (r == 0 && delete_known(p, v, &old))
		r = put_rule(p, v, CNI_IPT_OP_INSERT, above);
	return r;
}

static int plan_rule(struct plan *p, struct view *v, const struct cni_ipt_op *op)
{
	const struct builtin *builtin = find_builtin(op->table, op->chain);
	int r = op->what == CNI_IPT_OP_ADD ? 0 : has_rule(p, v, op);

	if (r != 0)
		return r < 0 ? r : 0;
	if (builtin && !v->made) {
		r = cni_nft_chain_exists(p->nft, nfproto(v->family), v->table, v->chain);
		if (r < 0)
			return r;
		v->made = r > 0;
	}
	/* One that is there must not be made again: after such a batch the kernel waits as after a removal. */
	if (builtin && !v->made) {
		cni_nft_table(p->nft, nfproto(v->family), v->table, "");
		cni_nft_chain(p->nft, nfproto(v->family), v->table, v->chain, &builtin->hook, "");
		v->made = true;
	}
	r = put_rule(p, v, op->what, &op->rule);
	return r == 0 && op->above ? lift(p, v, op->above) : r;
}

/* @return 0 if the rules that an operation deletes are known; negative errno */
static int load_for(struct plan *p, struct view *v, const struct cni_ipt_op *op)
{
	const struct view *to = *op->target ? find_view(p, op, op->target) : NULL;
	int r = 0;

	if (to && to->fresh)
		return 0;
	if (*op->target && !v->loaded && !v->fresh) {
		v->met = v->n;
		r = cni_nft_near_jumps(p->nft, nfproto(v->family), v->table, v->chain, op->target,
				       load_rule, v);
		if (r > 0)
			v->jumps_to = to ? to->chain : NULL;
	}
	return r != 0 ? (r < 0 ? r : 0) : load(p->nft, v);
}

static int plan_delete(struct plan *p, struct view *v, const struct cni_ipt_op *op)
{
	int r;

	if (op->what ==
	    CNI_IPT_OP_DELETE_IF) /* what is said yes to may depend on what else is there */
		p->watched = true;
	r = load_for(p, v, op);
	if (r == 0)
		(void)delete_known(p, v, op);
	return r;
}

static int plan_delete_behind(struct plan *p, struct view *v, const struct cni_ipt_op *op)
{
	cni_auto(nftnl_rule) struct nftnl_rule *rule = NULL;
	struct cni_ipt_rule decoded;
	int r;

	p->watched = true;
	r = cni_nft_rule_behind(p->nft, nfproto(v->family), v->table, v->chain, op->target,
				op->behind, &rule);
	if (r < 0)
		return r == -ENOENT ? -ESTALE : r;
	cni_ipt_nft_decode(rule, v->family, &decoded);
	if (!cni_ipt_rule_equal(&decoded, &op->rule))
		return -ESTALE;
	cni_nft_rule_delete(p->nft, nfproto(v->family), v->table, v->chain,
			    nftnl_rule_get_u64(rule, NFTNL_RULE_HANDLE));
	p->any = true;
	return 0;
}

static int plan_drop(struct plan *p, struct view *v)
{
	int r;

	if (v->dropped)
		return 0;
	r = cni_nft_chain_exists(p->nft, nfproto(v->family), v->table, v->chain);
	if (r <= 0)
		return r;
	cni_nft_chain_delete(p->nft, nfproto(v->family), v->table, v->chain);
	v->dropped = p->any = true;
	return 0;
}

static int plan_op(struct plan *p, size_t i)
{
	const struct cni_ipt_op *op = &p->op[i];
	struct view *v = view_of(p, op);

	switch (op->what) {
	case CNI_IPT_OP_CHAIN:
		return plan_chain(p, v);
	case CNI_IPT_OP_APPEND:
	case CNI_IPT_OP_INSERT:
	case CNI_IPT_OP_ADD:
		return plan_rule(p, v, op);
	case CNI_IPT_OP_DELETE:
	case CNI_IPT_OP_DELETE_IF:
		return plan_delete(p, v, op);
	case CNI_IPT_OP_DELETE_BEHIND:
		return plan_delete_behind(p, v, op);
	case CNI_IPT_OP_DROP:
		return p->keep[i] ? 0 : plan_drop(p, v);
	}
	return 0;
}

/* ---- the share in a transaction ---- */

static int plan(void *ctx, struct cni_nft *nft)
{
	struct plan *p = ctx;
	int r = 0;

	p->nft = nft;
	forget_views(p);
	p->any = p->watched = false;
	for (size_t i = 0; i < p->n && r == 0; i++) {
		p->at = i;
		p->first[i] = nft->seq;
		r = plan_op(p, i);
	}
	if (r < 0)
		return r;
	p->at = 0;
	return !p->any ? CNI_NFT_NOTHING : p->watched ? CNI_NFT_DECIDED : CNI_NFT_ANYWAY;
}

/* The operation that it failed at: the kernel names one of our messages, or there was no batch yet. */
static const struct cni_ipt_op *failed_at(struct plan *p)
{
	if (p->nft->failed)
		for (p->at = 0; p->at + 1 < p->n && p->first[p->at + 1] <= p->nft->failed;)
			p->at++;
	return &p->op[p->at];
}

/* @return whether a plan that failed so is worth a new one, though nobody is known to be in the way */
static bool is_stale(void *ctx, struct cni_nft *nft, int r)
{
	struct plan *p = ctx;
	const struct cni_ipt_op *op = failed_at(p);

	if (r == -EBUSY && nft->failed && op->what == CNI_IPT_OP_DROP) { /* a rule leads to it */
		p->keep[p->at] = true;
		return true;
	}
	/* A chain came, or went, or a rule did. */
	return ((r == -EEXIST && op->what == CNI_IPT_OP_CHAIN) ||
		(r == -ENOENT && (cni_ipt_op_removes(op) || find_builtin(op->table, op->chain)))) &&
	       ++p->churn < CHURN_MAX;
}

static bool only_removes(const struct cni_ipt_op *op, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!cni_ipt_op_removes(&op[i]))
			return false;
	return true;
}

static int failed(void *ctx, int r, struct cni_error *err)
{
	const struct plan *p = ctx;

	if (cni_nft_is_absent(r) && only_removes(p->op, p->n))
		return 0;
	cni_ipt_op_failed(&p->op[p->at], r, err);
	if (p->purpose)
		cni_error_prefix(err, "%s", p->purpose);
	return r;
}

static const struct cni_nft_share_kind share_kind = {
	.plan = plan,
	.is_stale = is_stale,
	.failed = failed,
	.release = free_plan,
};

static int nft_join(struct cni_ipt_op *op, size_t n, const char *purpose, struct cni_nft_tx *into)
{
	struct plan *p = calloc(1, sizeof(*p));

	if (!p) {
		free(op);
		return -ENOMEM;
	}
	p->op = op;
	p->n = n;
	p->purpose = purpose;
	p->first = calloc(n, sizeof(*p->first));
	p->keep = calloc(n, sizeof(*p->keep));
	p->view = calloc(n, sizeof(*p->view));
	if (p->first && p->keep && p->view)
		return cni_nft_tx_share(into, &share_kind, p);
	free_plan(p);
	return -ENOMEM;
}

/* ---- looking ---- */

/* The rules as they were at one moment; -ENOENT if there is no such chain. */
static int look(struct cni_nft *nft, struct view *v)
{
	int r;

	do {
		v->loaded = false;
		v->n = 0;
		r = cni_nft_chain_exists(nft, nfproto(v->family), v->table, v->chain);
		if (r == 0 || cni_nft_is_absent(r))
			return -ENOENT;
		if (r == 1)
			r = load(nft, v);
	} while (cni_nft_again(nft, r));
	return cni_nft_outcome(r);
}

static int nft_each(sa_family_t family, const char *table, const char *chain,
		    void (*fn)(const struct cni_ipt_rule *rule, void *ctx), void *ctx,
		    struct cni_error *err)
{
	struct view v = { .family = family, .table = table, .chain = chain };
	cni_auto(nft) struct cni_nft nft = { 0 };
	int r;

	r = cni_nft_open(&nft);
	if (r == 0)
		r = look(&nft, &v);
	for (size_t i = 0; i < v.n && r == 0; i++)
		fn(&v.rule[i].rule, ctx);
	free(v.rule);
	if (cni_nft_is_absent(r))
		r = -ENOENT;
	if (r < 0 && r != -ENOENT)
		cni_fail(err, r == -EAGAIN ? CNI_E_RETRY : CNI_E_INTERNAL, -r,
			 "read chain %s of %s table %s", chain,
			 family == AF_INET ? "iptables" : "ip6tables", table);
	return r;
}

static bool nft_usable(void)
{
	cni_auto(nft) struct cni_nft nft = { 0 };
	int r = cni_nft_open(&nft);

	return r == 0 && cni_nft_chain_exists(&nft, NFPROTO_IPV4, "nat", "POSTROUTING") >= 0;
}

const struct cni_ipt_writer cni_ipt_nft = {
	.name = "nf_tables",
	.usable = nft_usable,
	.join = nft_join,
	.each = nft_each,
};
