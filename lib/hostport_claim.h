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
 * Take the ports of an attachment. Those that the same container has, also in another network, are no
 * conflict: the runtime gives one list to all its networks.
 *
 * @param allow     one that another container has is none, either; it keeps it
 * @param look      the attachment may have ports of an earlier ADD: they are looked for, and given back
 * @param ret_busy  gets a file descriptor that says "at work", to be closed when the rules are there; -1 if
 *                  it could not be had
 * @return 0; 1 if the attachment had some of them already, from an earlier ADD; -EADDRINUSE, naming the
 *         port and its owner; other negative errno. Then nothing was taken.
 */
int cni_claim_take(const struct cni_hostport *hp, bool allow, bool look, int *ret_busy,
		   struct cni_error *err) cni_must_check;

/**
 * Give back the ports that the attachment has: those of its list, or without one whichever they are.
 * @return 0; negative errno
 */
int cni_claim_drop(const struct cni_hostport *hp, struct cni_error *err) cni_must_check;

/** Give back the ports of this network's attachments that are not valid (conf.h). @return 0; negative errno */
int cni_claim_gc(const struct cni_args *args, struct cni_error *err) cni_must_check;

/**
 * See whether another attachment has the port of a mapping in this family. Reads the sets.
 * @param m  need not be of @p hp's list
 */
bool cni_claim_others_have(const struct cni_hostport *hp, const struct cni_mapping *m, int family);

#endif
