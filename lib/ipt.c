/*
 * The model of iptables' rules, and transactions as a list of what is wanted; see ipt.h.
 */
#include "ipt.h"
#include "ipt_writer.h"
#include "nft_tx.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const struct cni_ipt_writer *const cni_ipt_writers[] = { &cni_ipt_nft, &cni_ipt_legacy, NULL };

const char *cni_ipt_writer_name(const struct cni_ipt_writer *writer)
{
	return writer->name;
}

/* ---- the model ---- */

static bool addr_equal(const struct cni_ipt_addr *a, const struct cni_ipt_addr *b)
{
	struct cni_ip x = cni_prefix_network(&a->prefix), y = cni_prefix_network(&b->prefix);

	if (a->prefix.len == 0 || b->prefix.len == 0) /* -s 0.0.0.0/0 is as good as none */
		return a->prefix.len == b->prefix.len;
	return a->prefix.len == b->prefix.len && a->invert == b->invert && cni_ip_cmp(&x, &y) == 0;
}

static bool iface_equal(const struct cni_ipt_iface *a, const struct cni_ipt_iface *b)
{
	return strcmp(a->name, b->name) == 0 && (!*a->name || a->invert == b->invert);
}

/* Numbers first: of hundreds of rules for ports most differ in nothing else. */
static bool matches_equal(const struct cni_ipt_rule *a, const struct cni_ipt_rule *b)
{
	return a->dport == b->dport && a->protocol == b->protocol && a->n_dports == b->n_dports &&
	       memcmp(a->dports, b->dports, a->n_dports * sizeof(a->dports[0])) == 0 &&
	       a->to_local == b->to_local && a->mark_mask == b->mark_mask &&
	       (!a->mark_mask || a->mark == b->mark) && a->ctstate == b->ctstate &&
	       (!a->ctstate || a->ctstate_invert == b->ctstate_invert) &&
	       strcmp(a->comment, b->comment) == 0 && iface_equal(&a->in, &b->in) &&
	       iface_equal(&a->out, &b->out) && addr_equal(&a->source, &b->source) &&
	       addr_equal(&a->destination, &b->destination);
}

bool cni_ipt_rule_equal(const struct cni_ipt_rule *a, const struct cni_ipt_rule *b)
{
	if (a->foreign || b->foreign || a->verdict != b->verdict || !matches_equal(a, b))
		return false;
	switch (a->verdict) {
	case CNI_IPT_JUMP:
		return strcmp(a->chain, b->chain) == 0;
	case CNI_IPT_MASQUERADE:
		return a->random_fully == b->random_fully;
	case CNI_IPT_DNAT:
		return a->to_port == b->to_port && cni_ip_cmp(&a->to, &b->to) == 0;
	case CNI_IPT_MARK:
		return a->set_mark == b->set_mark && a->set_mask == b->set_mask;
	case CNI_IPT_CONTINUE:
	case CNI_IPT_ACCEPT:
	case CNI_IPT_DROP:
	case CNI_IPT_RETURN:
		break;
	}
	return true;
}

/* ---- transactions ---- */

static struct cni_ipt_op *note(struct cni_ipt *tx, enum cni_ipt_what what, const char *chain)
{
	size_t len = strlen(chain);
	struct cni_ipt_op *op;

	if (tx->n == tx->room) {
		size_t room = tx->room ? 2 * tx->room : 8;

		op = reallocarray(tx->op, room, sizeof(*op));
		if (!op) {
			tx->error = -ENOMEM;
			return NULL;
		}
		tx->op = op;
		tx->room = room;
	}
	if (len >= sizeof(op->chain)) {
		tx->error = -ENAMETOOLONG;
		return NULL;
	}
	op = &tx->op[tx->n++];
	*op = (struct cni_ipt_op){ .what = what, .family = tx->family, .table = tx->table };
	memcpy(op->chain, chain, len + 1);
	return op;
}

static void note_rule(struct cni_ipt *tx, enum cni_ipt_what what, const char *chain,
		      const struct cni_ipt_rule *rule)
{
	struct cni_ipt_op *op = note(tx, what, chain);

	if (op)
		op->rule = *rule;
}

void cni_ipt_on(struct cni_ipt *tx, sa_family_t family, const char *table)
{
	tx->family = family;
	tx->table = table;
}

void cni_ipt_chain(struct cni_ipt *tx, const char *chain)
{
	(void)note(tx, CNI_IPT_OP_CHAIN, chain);
}

void cni_ipt_append(struct cni_ipt *tx, const char *chain, const struct cni_ipt_rule *rule)
{
	note_rule(tx, CNI_IPT_OP_APPEND, chain, rule);
}

void cni_ipt_insert(struct cni_ipt *tx, const char *chain, const struct cni_ipt_rule *rule)
{
	note_rule(tx, CNI_IPT_OP_INSERT, chain, rule);
}

void cni_ipt_insert_below(struct cni_ipt *tx, const char *chain, const struct cni_ipt_rule *rule,
			  const struct cni_ipt_rule *above)
{
	struct cni_ipt_op *op = note(tx, CNI_IPT_OP_INSERT, chain);

	if (op) {
		op->rule = *rule;
		op->above = above;
	}
}

void cni_ipt_add(struct cni_ipt *tx, const char *chain, const struct cni_ipt_rule *rule)
{
	note_rule(tx, CNI_IPT_OP_ADD, chain, rule);
}

void cni_ipt_delete(struct cni_ipt *tx, const char *chain, const struct cni_ipt_rule *rule)
{
	note_rule(tx, CNI_IPT_OP_DELETE, chain, rule);
}

void cni_ipt_delete_if(struct cni_ipt *tx, const char *chain,
		       bool (*match)(const struct cni_ipt_rule *rule, void *ctx), void *ctx)
{
	struct cni_ipt_op *op = note(tx, CNI_IPT_OP_DELETE_IF, chain);

	if (op) {
		op->match = match;
		op->ctx = ctx;
	}
}

void cni_ipt_delete_jumps(struct cni_ipt *tx, const char *chain, const char *target,
			  bool (*match)(const struct cni_ipt_rule *rule, void *ctx), void *ctx)
{
	struct cni_ipt_op *op = note(tx, CNI_IPT_OP_DELETE_IF, chain);

	if (op) {
		(void)!snprintf(op->target, sizeof(op->target), "%s", target);
		op->match = match;
		op->ctx = ctx;
	}
}

void cni_ipt_delete_behind(struct cni_ipt *tx, const char *chain, const char *marker,
			   unsigned int k, const struct cni_ipt_rule *rule)
{
	struct cni_ipt_op *op = note(tx, CNI_IPT_OP_DELETE_BEHIND, chain);

	if (op) {
		(void)!snprintf(op->target, sizeof(op->target), "%s", marker);
		op->behind = k;
		op->rule = *rule;
	}
}

void cni_ipt_chain_drop(struct cni_ipt *tx, const char *chain)
{
	(void)note(tx, CNI_IPT_OP_DROP, chain);
}

bool cni_ipt_op_deletes(const struct cni_ipt_op *op, const struct cni_ipt_rule *rule)
{
	if (op->what == CNI_IPT_OP_DELETE)
		return cni_ipt_rule_equal(&op->rule, rule);
	return (!*op->target || strcmp(rule->chain, op->target) == 0) &&
	       (!op->match || op->match(rule, op->ctx));
}

void cni_ipt_done(struct cni_ipt *tx)
{
	free(tx->op);
	*tx = (struct cni_ipt){ .writer = tx->writer, .purpose = tx->purpose };
}

int cni_ipt_commit_with(struct cni_ipt *tx, struct cni_nft_tx *with, struct cni_error *err)
{
	int r = tx->error;

	if (r == 0 && tx->n > 0 && tx->writer->join)
		r = tx->writer->join(CNI_TAKE(tx->op), tx->n, tx->purpose, with);
	if (r < 0)
		cni_fail(err, CNI_E_INTERNAL, -r, "change iptables' rules");
	else if (tx->n > 0 && !tx->writer->join)
		r = tx->writer->commit(tx->op, tx->n, err);
	if (r < 0 && tx->purpose)
		cni_error_prefix(err, "%s", tx->purpose);
	cni_ipt_done(tx);
	return r;
}

int cni_ipt_commit(struct cni_ipt *tx, struct cni_error *err)
{
	cni_auto(nft_tx) struct cni_nft_tx alone = { .n = 0 };
	int r = cni_ipt_commit_with(tx, &alone, err);

	return r < 0 ? r : cni_nft_tx_commit(&alone, err);
}

int cni_ipt_op_failed(const struct cni_ipt_op *op, int r, struct cni_error *err)
{
	static const char *const what[] = {
		[CNI_IPT_OP_CHAIN] = "make",
		[CNI_IPT_OP_APPEND] = "append a rule to",
		[CNI_IPT_OP_INSERT] = "insert a rule into",
		[CNI_IPT_OP_ADD] = "append a rule to",
		[CNI_IPT_OP_DELETE] = "delete rules of",
		[CNI_IPT_OP_DELETE_IF] = "delete rules of",
		[CNI_IPT_OP_DELETE_BEHIND] = "delete rules of",
		[CNI_IPT_OP_DROP] = "remove",
	};
	const char *leads = op->rule.verdict == CNI_IPT_JUMP ? ", which leads to " : "";

	cni_fail(err, r == -EAGAIN ? CNI_E_RETRY : CNI_E_INTERNAL, -r,
		 "failed to %s chain %s of %s table %s%s%s", what[op->what], op->chain,
		 op->family == AF_INET ? "iptables" : "ip6tables", op->table, leads,
		 op->rule.chain);
	if (r == -ENOENT)
		cni_error_detail(err, "a chain is missing, or a kernel module of the rule's parts "
				      "(xt_comment, xt_conntrack, ...)");
	if (r == -EPROTONOSUPPORT || r == -EOPNOTSUPP || r == -EAFNOSUPPORT || r == -ENOPROTOOPT)
		cni_error_detail(err,
				 "the kernel has not loaded what this kind of iptables needs "
				 "(nf_tables and nft_compat, or ip_tables and iptable_%s)",
				 op->table);
	return r;
}

/* ---- questions ---- */

int cni_ipt_each(const struct cni_ipt_writer *writer, sa_family_t family, const char *table,
		 const char *chain, void (*fn)(const struct cni_ipt_rule *rule, void *ctx),
		 void *ctx, struct cni_error *err)
{
	return writer->each(family, table, chain, fn, ctx, err);
}
