/*
 * nf_tables over libnftnl and libmnl: a socket, and an atomic batch. What is in a chain: nft_look.h; what rules
 * are made of: nft_expr.h; sets: nft_set.h. Functions without @p err return 0 or a negative errno.
 */
#ifndef CNI_NFT_H
#define CNI_NFT_H

#include "ip.h"
#include "turn.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/rule.h>

CNI_AUTO(nftnl_rule, struct nftnl_rule *, nftnl_rule_free)

/** A transaction being put together: all of it happens, or nothing. */
struct cni_nft {
	struct mnl_socket *sk; /**< owned */
	char *buf; /**< owned; messages of the batch, and room for one more */
	size_t size, len; /**< of the buffer; of the messages */
	uint32_t seq; /**< of the next message */
	uint32_t set_id; /**< of the last set in the batch */
	uint32_t failed; /**< of the message that the last commit failed at; 0 = the batch itself */
	struct cni_turn turn;
	bool torn; /**< an answer was not read to its end: the socket is good for nothing more */
	bool full; /**< a message found no room, or no memory: the commit will say -EMSGSIZE */
};

/** @return whether a failure means that the kernel has no nf_tables, so that there is nothing to remove */
static inline bool cni_nft_is_absent(int r)
{
	return r == -EPROTONOSUPPORT || r == -EAFNOSUPPORT;
}

/**
 * Begin a batch, on a socket in the namespace in which the process opened its first one.
 * @return 0; negative errno
 */
int cni_nft_open(struct cni_nft *nft) cni_must_check;

/** Release everything but the socket, which the next one takes; what was not committed never happens. */
void cni_nft_close(struct cni_nft *nft);

/**
 * Last of all, for who has no more to do and wants to be gone: let the kernel close the process's socket, behind its
 * back. To close it is to wait until no packet is at what was removed, by anybody, just now.
 */
void cni_nft_leave(void);

static inline void cni_auto_nft(struct cni_nft *nft)
{
	cni_nft_close(nft);
}

/** A base chain's place in the packet's way. */
struct cni_nft_hook {
	const char *type; /**< "nat", "filter" */
	uint32_t hook; /**< NF_INET_* */
	int32_t priority; /**< as in linux/netfilter_ipv4.h */
};

/** Add a table to the batch, unless it exists. @param comment  shown by nft list */
void cni_nft_table(struct cni_nft *nft, uint32_t family, const char *table, const char *comment);

/** Add a chain to the batch, unless it exists. @param hook  NULL = a regular chain */
void cni_nft_chain(struct cni_nft *nft, uint32_t family, const char *table, const char *chain,
		   const struct cni_nft_hook *hook, const char *comment);

/** Add a regular chain to the batch; the commit says -EEXIST if it is there. */
void cni_nft_chain_new(struct cni_nft *nft, uint32_t family, const char *table, const char *chain);

/**
 * Delete a chain with its rules, in the batch; the commit says -ENOENT if it is not there, and -EBUSY
 * if a rule leads to it.
 */
void cni_nft_chain_delete(struct cni_nft *nft, uint32_t family, const char *table,
			  const char *chain);

/** Remove all rules of a chain, in the batch. */
void cni_nft_flush(struct cni_nft *nft, uint32_t family, const char *table, const char *chain);

/** Begin a rule. @return a new rule, to be given to cni_nft_rule_append; NULL without memory */
struct nftnl_rule *cni_nft_rule(uint32_t family, const char *table, const char *chain,
				const char *comment);

/** Append the rule at the end of its chain, in the batch; takes it over. */
void cni_nft_rule_append_take(struct cni_nft *nft, struct nftnl_rule *rule);

/** Put the rule in front of its chain, in the batch; takes it over. */
void cni_nft_rule_insert_take(struct cni_nft *nft, struct nftnl_rule *rule);

/** Delete a rule by its handle, in the batch. */
void cni_nft_rule_delete(struct cni_nft *nft, uint32_t family, const char *table, const char *chain,
			 uint64_t handle);

/**
 * Have the next commit fail with -ERESTART if anybody changes any table from now on, so that it is
 * safe to decide by what is read. To be called right after cni_nft_open() or cni_nft_commit(), before
 * anything is put into the batch.
 * @return 0; negative errno
 */
int cni_nft_watch(struct cni_nft *nft) cni_must_check;

/** Take cni_nft_watch() back: what was put into the batch holds in whatever generation. */
void cni_nft_unwatch(struct cni_nft *nft);

/**
 * Decide anew, if what it went by was changed by somebody else; in turns with all others that have to.
 *
 *	do
 *		r = put_together_and_commit(&nft);
 *	while (cni_nft_again(&nft, r));
 *	return cni_nft_outcome(r);
 *
 * @param r  what came of the try
 * @return whether to try again: r is -ERESTART or -EINTR, and there is still time
 */
bool cni_nft_again(struct cni_nft *nft, int r);

/** @return what a caller is told of the last try: @p r, or -EAGAIN if others were always faster */
static inline int cni_nft_outcome(int r)
{
	return r == -ERESTART || r == -EINTR ? -EAGAIN : r;
}

/**
 * Send the batch and wait for the kernel's answer; a new batch is begun.
 * @return 0; -ERESTART after cni_nft_watch, if somebody else was faster; other negative errno, with
 *         the number of the message that the kernel refused in `failed`
 */
int cni_nft_commit(struct cni_nft *nft) cni_must_check;

/* ---- for modules that speak nf_tables themselves ---- */

/** Begin a message of the batch, of type NFT_MSG_*; cni_nft_message_done ends it. */
struct nlmsghdr *cni_nft_message(struct cni_nft *nft, uint16_t type, uint32_t family,
				 uint16_t flags);
void cni_nft_message_done(struct cni_nft *nft);

/**
 * Send a question beside the batch, and read the answer to its end.
 *
 * @param question  its sequence number is filled in
 * @param fn        gets each message of the answer; a negative errno is what the caller gets
 * @return 0; -EPROTONOSUPPORT if the kernel has no nf_tables; -EINTR for a dump that is not consistent;
 *         other negative errno
 */
int cni_nft_ask(struct cni_nft *nft, struct nlmsghdr *question,
		int (*fn)(const struct nlmsghdr *h, void *ctx), void *ctx) cni_must_check;

#endif
