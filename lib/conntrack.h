/*
 * Flows that the kernel remembers, and that outlive the rules they were made by: a client that never
 * pauses keeps its flow of UDP (or SCTP) alive, and with it the translation to a container that is
 * gone, or the lack of one.
 */
#ifndef CNI_CONNTRACK_H
#define CNI_CONNTRACK_H

#include "error.h"
#include "ip.h"

/** Which flows to forget: with a port, or those that a container answers. */
struct cni_flows {
	uint8_t protocol; /**< IPPROTO_* */
	struct cni_ip
		to; /**< what they were sent to; all zero: any address of this host. The family counts */
	uint16_t port; /**< that they were sent to; host byte order; 0 = any */
	/** The container that answers (or should); AF_UNSPEC: whoever */
	struct cni_ip container;
	/** Forget those that were translated, to this container; else those that it does not answer. */
	bool answered_by_container;
};

/**
 * Forget flows, in the namespace of the process's socket to nf_tables (nft.h). The kernel picks those of a
 * protocol, and of a port or of who answers, so that no table is sent; each is looked at before it is deleted.
 * Flows that are asked for together cost one walk of the kernel over its table, or few; none if it is empty.
 *
 * @param flows  kinds of flows; their order changes
 * @param n      how many
 * @param err    what failed first; the others were forgotten nevertheless
 * @return 0, also if the kernel has no connection tracking, or there is nothing to forget; -EAGAIN if
 *         some were left after 3 seconds; other negative errno
 * @see linux/netfilter/nfnetlink_conntrack.h
 */
int cni_conntrack_forget(struct cni_flows *flows, size_t n, struct cni_error *err) cni_must_check;

#endif
