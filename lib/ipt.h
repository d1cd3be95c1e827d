/*
 * iptables' rules without iptables: a small model of a rule, and transactions on chains.
 *
 * Two writers put the model into the kernel: one into the tables of iptables-nft (nf_tables), one
 * into those of iptables-legacy (ip_tables). Either leaves exactly what the host's own iptables
 * would, so that `iptables-save`, `-C` and `-D` know the rules as theirs. Which one a host uses is
 * decided once, by cni_ipt_host(); nothing else depends on it. No program is run, iptables neither.
 *
 *	cni_auto(ipt) struct cni_ipt tx = { .writer = cni_ipt_host() };
 *
 *	cni_ipt_on(&tx, AF_INET, "nat");
 *	cni_ipt_chain(&tx, "CNI-abc");
 *	cni_ipt_append(&tx, "CNI-abc", &(struct cni_ipt_rule){ .verdict = CNI_IPT_MASQUERADE });
 *	cni_ipt_append(&tx, "POSTROUTING",
 *		       &(struct cni_ipt_rule){ .verdict = CNI_IPT_JUMP, .chain = "CNI-abc" });
 *	return cni_ipt_commit(&tx, err);
 *
 * The operations only note what is wanted; cni_ipt_commit() reads what it has to know, and does it.
 */
#ifndef CNI_IPT_H
#define CNI_IPT_H

#include "error.h"
#include "ip.h"

/** Room for a chain's name: 28 bytes at most (XT_EXTENSION_MAXNAMELEN), and the NUL. */
#define CNI_IPT_CHAIN_LEN 29
/** Room for a comment: 255 bytes at most, and the NUL. */
#define CNI_IPT_COMMENT_LEN 256
/** Room for an interface's name: 15 bytes at most, and the NUL. */
#define CNI_IPT_IFACE_LEN 16
/** Ports of one multiport match. */
#define CNI_IPT_PORTS 15

/** `-s`, `-d`, with `!` if inverted. Length 0: not given. Host bits are ignored. */
struct cni_ipt_addr {
	struct cni_prefix prefix;
	bool invert;
};

/** `-i`, `-o`, with `!` if inverted. "": not given. A last '+' stands for any rest, as in iptables. */
struct cni_ipt_iface {
	char name[CNI_IPT_IFACE_LEN];
	bool invert;
};

/** States of `--ctstate`, to be joined. */
enum cni_ipt_ctstate {
	CNI_IPT_NEW = 1,
	CNI_IPT_RELATED = 2,
	CNI_IPT_ESTABLISHED = 4,
	CNI_IPT_INVALID = 8,
	CNI_IPT_DNATED = 16, /**< state DNAT: the original destination was translated */
};

/** What happens to a packet that the rule matches. */
enum cni_ipt_verdict {
	CNI_IPT_CONTINUE, /**< nothing: no `-j` */
	CNI_IPT_ACCEPT,
	CNI_IPT_DROP,
	CNI_IPT_RETURN,
	CNI_IPT_JUMP, /**< to `chain` */
	CNI_IPT_MASQUERADE, /**< `random_fully`: with --random-fully */
	CNI_IPT_DNAT, /**< --to-destination `to`:`to_port` */
	CNI_IPT_MARK, /**< --set-xmark `set_mark`/`set_mask` */
};

/**
 * One rule. `{0}` matches every packet and does nothing; a member that is zero is not given. It owns
 * nothing: copy it as you like.
 */
struct cni_ipt_rule {
	struct cni_ipt_addr source, destination;
	struct cni_ipt_iface in, out;
	uint8_t protocol; /**< IPPROTO_*; 0 = any */
	uint16_t dport; /**< `-p P --dport`: tcp, udp, sctp or dccp only; host byte order */
	uint16_t dports
		[CNI_IPT_PORTS]; /**< `-m multiport --dports`; udplite, too; host byte order */
	unsigned int n_dports;
	bool to_local; /**< `-m addrtype --dst-type LOCAL` */
	uint32_t mark, mark_mask; /**< `-m mark --mark`; mask 0 = not given */
	unsigned int ctstate; /**< `-m conntrack --ctstate`: enum cni_ipt_ctstate, joined */
	bool ctstate_invert;
	char comment
		[CNI_IPT_COMMENT_LEN]; /**< `-m comment`, printed in front of the other matches */

	enum cni_ipt_verdict verdict;
	char chain[CNI_IPT_CHAIN_LEN]; /**< of CNI_IPT_JUMP */
	bool random_fully;
	struct cni_ip to; /**< of the table's family */
	uint16_t to_port; /**< 0 = the port stays */
	uint32_t set_mark, set_mask;

	/**
	 * Set when a rule was read that says more than this model can: only `chain` and `comment` are
	 * to be trusted then (if they are there), and it is equal to no rule.
	 */
	bool foreign;
};

/** Where rules are kept; opaque. */
struct cni_ipt_writer;

/** The tables of iptables-nft, in nf_tables. */
extern const struct cni_ipt_writer cni_ipt_nft;
/** The tables of iptables-legacy, in ip_tables; changed under iptables' lock, /run/xtables.lock. */
extern const struct cni_ipt_writer cni_ipt_legacy;
/**
 * Both, then NULL: DEL and GC go over all of them, whatever the host uses now. A writer that the
 * kernel does not have holds no chains: removing from it succeeds, and loads and makes nothing.
 */
extern const struct cni_ipt_writer *const cni_ipt_writers[];

/**
 * @return whether the host has an iptables in PATH that this kernel can serve: what makes iptables the
 *         default backend, as with the Go plugins; else nftables is
 */
bool cni_ipt_is_usable(void);

/**
 * Which writer the host's own iptables corresponds to, found without running it.
 *
 * The file that `iptables` in PATH, /usr/sbin or /sbin leads to decides, if its name has "nft" or
 * "legacy" in it. If there is none, or it is called otherwise, the kernel's tables do, by the signs
 * that Kubernetes' iptables wrappers look at: nf_tables if it has kubelet's marker chains in table
 * mangle; else legacy if ip_tables has tables in this network namespace; else nf_tables.
 *
 * @return the writer, also if no iptables is installed: what is configured works without it
 */
const struct cni_ipt_writer *cni_ipt_host(void);

/**
 * See whether the kernel has what a writer writes to, without making anything. Of ip_tables that
 * can't be told, since asking for it makes it: it passes.
 * @return 0; -EPROTONOSUPPORT
 */
int cni_ipt_probe(const struct cni_ipt_writer *writer) cni_must_check;

/** @return "nf_tables" or "legacy", as iptables --version prints it */
const char *cni_ipt_writer_name(const struct cni_ipt_writer *writer);

/** A transaction that is being put together; set `writer` and `purpose` only. */
struct cni_ipt {
	const struct cni_ipt_writer *writer;
	const char *purpose; /**< a constant, put in front of errors; NULL = nothing */
	struct cni_ipt_op *op; /**< owned */
	size_t n, room;
	sa_family_t family; /**< of the operations to come */
	const char *table;
	int error; /**< an operation could not be noted; the commit will say so */
};

/** Forget everything that was not committed. */
void cni_ipt_done(struct cni_ipt *tx);

static inline void cni_auto_ipt(struct cni_ipt *tx)
{
	cni_ipt_done(tx);
}

/**
 * The table that the following operations work on; may change within a transaction.
 * @param family  AF_INET or AF_INET6
 * @param table   "filter", "nat", "mangle" or "raw"; a constant
 */
void cni_ipt_on(struct cni_ipt *tx, sa_family_t family, const char *table);

/** Make a chain, unless it is there. Built-in chains are made when a rule goes into one. */
void cni_ipt_chain(struct cni_ipt *tx, const char *chain);

/** Append a rule, unless the chain has an equal one, anywhere. */
void cni_ipt_append(struct cni_ipt *tx, const char *chain, const struct cni_ipt_rule *rule);

/** Insert a rule as the first, unless the chain has an equal one, anywhere. */
void cni_ipt_insert(struct cni_ipt *tx, const char *chain, const struct cni_ipt_rule *rule);

/**
 * As cni_ipt_insert, but below another rule: if the rule has to be inserted, and the chain has @p above,
 * that one is put in front again.
 * @param above  must live until the commit
 */
void cni_ipt_insert_below(struct cni_ipt *tx, const char *chain, const struct cni_ipt_rule *rule,
			  const struct cni_ipt_rule *above);

/**
 * Append a rule without looking for an equal one, so that it costs the same however long the chain is.
 * For rules that only a repeated request would double, and whose deletion finds all of them.
 */
void cni_ipt_add(struct cni_ipt *tx, const char *chain, const struct cni_ipt_rule *rule);

/**
 * Delete every rule equal to this one that was there before the transaction. No such rule or chain:
 * nothing to do.
 */
void cni_ipt_delete(struct cni_ipt *tx, const char *chain, const struct cni_ipt_rule *rule);

/**
 * Delete every rule that was there before the transaction and that @p match says yes to. No such rule
 * or chain: nothing to do.
 *
 * @param match  is called in cni_ipt_commit(), perhaps several times for one rule (a transaction that
 *               met another one is done again); it must not depend on how often. NULL = to all
 * @param ctx    must live until the commit
 */
void cni_ipt_delete_if(struct cni_ipt *tx, const char *chain,
		       bool (*match)(const struct cni_ipt_rule *rule, void *ctx), void *ctx);

/**
 * As cni_ipt_delete_if, of the rules that lead to @p target. Where they were made in one transaction with
 * the rules of that chain, nf_tables need not be asked for the whole of @p chain.
 * @param match  NULL = all of them
 */
void cni_ipt_delete_jumps(struct cni_ipt *tx, const char *chain, const char *target,
			  bool (*match)(const struct cni_ipt_rule *rule, void *ctx), void *ctx);

/**
 * Delete the rule that was added as the @p k-th after the only rule of chain @p marker, in one
 * transaction with it; no other equal one. If it is not found so, the commit says -ESTALE, and nothing
 * is done: always so in ip_tables, and in nf_tables where somebody wrote the table anew.
 */
void cni_ipt_delete_behind(struct cni_ipt *tx, const char *chain, const char *marker,
			   unsigned int k, const struct cni_ipt_rule *rule);

/**
 * Remove a chain with its rules. If it is not there, or a rule still leads to it after what was done
 * before in this transaction, nothing happens: it stays as it is, with its rules.
 */
void cni_ipt_chain_drop(struct cni_ipt *tx, const char *chain);

/**
 * Do what was noted, in its order, and begin a new transaction. All of it happens, or nothing; with
 * the legacy writer this holds for each table of each family, one after the other, and what comes
 * after a table that failed is not done.
 *
 * Nothing that others do meanwhile gets lost or doubled: nf_tables is asked to refuse a transaction
 * that was decided on old knowledge, and it is decided anew; ip_tables is read and written under the
 * lock.
 *
 * @param err  on failure: what could not be done to which chain
 * @return 0; -ENOENT if a chain that a rule goes into or leads to does not exist; -EAGAIN with
 *         CNI_E_RETRY if the lock or a quiet moment was not to be had within seconds; -ESTALE: see
 *         cni_ipt_delete_behind;
 *         -EPROTONOSUPPORT if the kernel has no such packet filter (never if things are only to be
 *         removed); other negative errno
 */
int cni_ipt_commit(struct cni_ipt *tx, struct cni_error *err) cni_must_check;

struct cni_nft_tx;

/**
 * As cni_ipt_commit; but what is to be done in nf_tables is done when @p with is committed (nft_tx.h), and
 * only then errors are known, if there are any.
 */
int cni_ipt_commit_with(struct cni_ipt *tx, struct cni_nft_tx *with,
			struct cni_error *err) cni_must_check;

/**
 * Look at the rules of one chain, in order; of nf_tables the kernel sends this chain only.
 *
 * @param table  as in cni_ipt_on
 * @param fn     gets each rule, which lives for the call only
 * @return 0; -ENOENT without @p err if there is no such chain; other negative errno
 */
int cni_ipt_each(const struct cni_ipt_writer *writer, sa_family_t family, const char *table,
		 const char *chain, void (*fn)(const struct cni_ipt_rule *rule, void *ctx),
		 void *ctx, struct cni_error *err) cni_must_check;

/** @return whether two rules mean and print the same; never if one is foreign */
bool cni_ipt_rule_equal(const struct cni_ipt_rule *a, const struct cni_ipt_rule *b);

#endif
