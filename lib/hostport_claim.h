/*
 * Who has which port of the host: so that a port that another container has is an error that names it,
 * and not a rule that never matches.
 *
 * Kept in sets of nf_tables, whichever backend holds the rules, in a table that no packet sees: "inet
 * cni_hostport_owners". Taking a port is one transaction that asks for nothing, however many are taken. A
 * port whose owner has no rules any more (the Go plugins remove theirs and know nothing of this) is free,
 * unless its ADD is still at work.
 */
#ifndef CNI_HOSTPORT_CLAIM_H
#define CNI_HOSTPORT_CLAIM_H

#include "hostport.h"

/**
 * Take the ports of an attachment when @p tx is committed, which fails with -EADDRINUSE, naming the port and
 * its owner, if another container has one. Those that the same container has, also in another network, are no
 * conflict: the runtime gives one list to all its networks.
 *
 * @param hp     must live until the commit; there `again` becomes true if the attachment had some already,
 *               before later shares are planned. They are looked for, and given back, if `was_here`
 * @param allow  a port that another container has is no conflict, either; it keeps it
 * @param err    must live until the commit
 * @return 0; negative errno
 */
int cni_claim_take(struct cni_hostport *hp, bool allow, struct cni_nft_tx *tx,
		   struct cni_error *err) cni_must_check;

/**
 * Give back the ports that the attachment has, when @p tx is committed: those of its list, or without one
 * whichever they are.
 * @param hp  must live until the commit
 * @return 0; negative errno
 */
int cni_claim_drop(const struct cni_hostport *hp, struct cni_nft_tx *tx,
		   struct cni_error *err) cni_must_check;

/** Give back the ports of this network's attachments that are not valid (conf.h). @return 0; negative errno */
int cni_claim_gc(const struct cni_args *args, struct cni_error *err) cni_must_check;

/**
 * See which ports of the list other attachments have. Reads the sets, once.
 * @param ret  for each mapping and family; what others have becomes true, all else stays
 */
void cni_claim_others_have(const struct cni_hostport *hp, bool (*ret)[CNI_HOSTPORT_FAMILIES]);

#endif
