/*
 * What the iptables chain CNI-FORWARD lets through, where FORWARD would drop it: a container's own
 * traffic, replies to it, and what was translated to it (its published ports).
 *
 * The first two are the Go plugin's rules to the letter, so that either implementation removes the
 * other's; they name an address only. The third is ours, in a chain of its own, CNI-FORWARD-DNAT. Its
 * comment says whose the address is: that is how DEL knows it without prevResult, and does not take
 * the rules of a container that has the address by now; and how GC knows what is stale.
 *
 *	-A FORWARD -m comment --comment "CNI firewall plugin rules" -j CNI-FORWARD
 *	-A CNI-FORWARD -m comment --comment "CNI firewall plugin admin overrides" -j CNI-ADMIN
 *	-A CNI-FORWARD -m comment --comment "CNI firewall plugin published ports" -m conntrack --ctstate DNAT -j CNI-FORWARD-DNAT
 *	-A CNI-FORWARD -d ADDRESS -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
 *	-A CNI-FORWARD -s ADDRESS -j ACCEPT
 *	-A CNI-FORWARD-DNAT -d ADDRESS -m comment --comment "OWNER, id: ..." -j ACCEPT
 *
 * In nf_tables each address also has a chain that nothing leads to, whose one rule was made right before
 * the other three: by its handle DEL finds theirs, however many there are.
 *
 *	-A CNI-FORWARD-DNAT-HASH -d ADDRESS -m comment --comment "OWNER, addresses: 1 and 0" -j ACCEPT
 */
#ifndef CNI_FORWARD_H
#define CNI_FORWARD_H

#include "ipt.h"
#include "plugin.h"

/** What is to be let through. */
struct cni_forward {
	const char *admin_chain; /**< where the operator's own rules are asked first */
	bool published; /**< let through what was translated to the container */
	const struct cni_result *res; /**< borrowed; each of its addresses */
	char comment[CNI_IPT_COMMENT_LEN]; /**< whose it is; see cni_forward_own */
};

/** Fill in the comment that says whose the addresses are. @return 0; -ENOMEM */
int cni_forward_own(struct cni_forward *f, const struct cni_args *args,
		    struct cni_error *err) cni_must_check;

/**
 * Note in a transaction what lets the addresses of one family through. No address of the family:
 * nothing.
 * @param f  must live until the commit
 */
void cni_forward_note(struct cni_ipt *tx, sa_family_t family, const struct cni_forward *f);

/**
 * Fail unless every rule is there. Ours is asked for only if the attachment is one of ours.
 * @return 0; -ENOENT if one is missing, and which is in @p err; other negative errno
 */
int cni_forward_check(const struct cni_ipt_writer *writer, sa_family_t family,
		      const struct cni_forward *f, struct cni_error *err) cni_must_check;

/**
 * Remove the rules of an attachment, with every writer: those of the addresses that are its own by
 * their comments, and those of @p prev that are nobody else's. Chains and jumps stay.
 *
 * @param prev  what ADD returned, if it is known; else empty
 * @return 0; negative errno
 */
int cni_forward_del(const struct cni_args *args, const struct cni_result *prev,
		    struct cni_error *err) cni_must_check;

/** Remove the rules of this network's attachments that are not valid. @return 0; negative errno */
int cni_forward_gc(const struct cni_args *args, struct cni_error *err) cni_must_check;

#endif
