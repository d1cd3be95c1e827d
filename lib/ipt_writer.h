/*
 * What the two writers of iptables' rules have in common: the operations they are given, and the
 * table of functions that each of them is.
 */
#ifndef CNI_IPT_WRITER_H
#define CNI_IPT_WRITER_H

#include "ipt.h"

/** What an operation asks for; see the functions of ipt.h. */
enum cni_ipt_what {
	CNI_IPT_OP_CHAIN,
	CNI_IPT_OP_APPEND,
	CNI_IPT_OP_INSERT,
	CNI_IPT_OP_ADD,
	CNI_IPT_OP_DELETE,
	CNI_IPT_OP_DELETE_IF,
	CNI_IPT_OP_DELETE_BEHIND,
	CNI_IPT_OP_DROP,
};

/** One operation of a transaction. */
struct cni_ipt_op {
	enum cni_ipt_what what;
	sa_family_t family;
	const char *table;
	char chain[CNI_IPT_CHAIN_LEN];
	struct cni_ipt_rule rule; /**< of APPEND, INSERT, ADD, DELETE, DELETE_BEHIND */
	const struct cni_ipt_rule
		*above; /**< of INSERT: what stays in front of it; NULL = nothing */
	bool (*match)(const struct cni_ipt_rule *rule, void *ctx); /**< of DELETE_IF; NULL = any */
	void *ctx;
	/** Of DELETE_IF: only rules that lead there; "" = all. Of DELETE_BEHIND: the marker. */
	char target[CNI_IPT_CHAIN_LEN];
	unsigned int behind; /**< of DELETE_BEHIND */
};

/** A writer. */
struct cni_ipt_writer {
	const char *name;
	/** @return whether the kernel has what the writer needs; may load and make table nat */
	bool (*usable)(void);
	/** cni_ipt_commit, of at least one operation; NULL if the writer has join(). */
	int (*commit)(const struct cni_ipt_op *op, size_t n, struct cni_error *err);
	/**
	 * Have at least one operation be done with a transaction of nf_tables; NULL if it can't be.
	 * @param op       owned; is taken over, also on failure
	 * @param purpose  as that of cni_ipt
	 * @return 0; negative errno
	 */
	int (*join)(struct cni_ipt_op *op, size_t n, const char *purpose, struct cni_nft_tx *into);
	/** cni_ipt_each. */
	int (*each)(sa_family_t family, const char *table, const char *chain,
		    void (*fn)(const struct cni_ipt_rule *rule, void *ctx), void *ctx,
		    struct cni_error *err);
};

/** @return whether the operation only ever removes, so that a table that is not there is not made */
static inline bool cni_ipt_op_removes(const struct cni_ipt_op *op)
{
	return op->what >= CNI_IPT_OP_DELETE;
}

/** @return whether a DELETE or DELETE_IF means this rule */
bool cni_ipt_op_deletes(const struct cni_ipt_op *op, const struct cni_ipt_rule *rule);

/** Record that an operation failed, with its chain and what may mend it. @return @p r */
int cni_ipt_op_failed(const struct cni_ipt_op *op, int r, struct cni_error *err);

/** Seconds after which a writer gives up waiting for others. */
#define CNI_IPT_PATIENCE 20

#endif
