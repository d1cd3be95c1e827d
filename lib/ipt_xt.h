/*
 * The parts of iptables' rules that are extensions of x_tables: matches such as "comment", targets
 * such as "MASQUERADE". Both kinds of iptables hand them to the same kernel modules, as the same bytes;
 * the revisions are those that iptables 1.8 chooses.
 */
#ifndef CNI_IPT_XT_H
#define CNI_IPT_XT_H

#include "ipt.h"

/* Before the kernel's own, which leave out what these have. */
#include <net/if.h>
#include <netinet/in.h>

#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_addrtype.h>
#include <linux/netfilter/xt_comment.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_dccp.h>
#include <linux/netfilter/xt_mark.h>
#include <linux/netfilter/xt_multiport.h>
#include <linux/netfilter/xt_sctp.h>
#include <linux/netfilter/xt_tcpudp.h>

/** An extension's data, as its kernel module knows it. */
union cni_xt_data {
	struct xt_comment_info comment;
	struct xt_tcp tcp;
	struct xt_udp udp;
	struct xt_sctp_info sctp;
	struct xt_dccp_info dccp;
	struct xt_multiport_v1 multiport;
	struct xt_addrtype_info_v1 addrtype;
	struct xt_mark_mtinfo1 mark;
	struct xt_conntrack_mtinfo3 conntrack;
	struct nf_nat_ipv4_multi_range_compat masquerade4; /**< the older form of a range */
	struct nf_nat_range masquerade6;
	struct nf_nat_range2 dnat;
	struct xt_mark_tginfo2 set_mark;
	uint64_t room[38]; /**< more than the largest, rounded up */
};

/** One extension. */
struct cni_xt {
	const char *name;
	uint8_t revision;
	size_t len; /**< of the data, rounded up as the kernel wants it (XT_ALIGN) */
	union cni_xt_data data; /**< zero where nothing is meant, also between members */
};

/** A rule's matches at most: comment, ports, multiport, addrtype, mark, conntrack. */
#define CNI_XT_MATCHES 6

/**
 * @param native  leave out what nf_tables says itself: ports of tcp and udp, and the mark
 * @return how many there are in @p ret, in the order in which they are printed
 */
size_t cni_xt_matches(const struct cni_ipt_rule *rule, bool native,
		      struct cni_xt ret[static CNI_XT_MATCHES]);

/**
 * @param family  of the table
 * @return whether the rule's verdict is an extension: then it is in @p ret
 */
bool cni_xt_target(const struct cni_ipt_rule *rule, sa_family_t family, struct cni_xt *ret);

/**
 * Read a match of the kernel's into the model.
 *
 * @param data  @p len bytes, not necessarily aligned
 * @param rule  with its protocol read before
 * @return false if the model can't say all that it says, or has such a part already
 */
bool cni_xt_read_match(const char *name, uint32_t revision, const void *data, size_t len,
		       struct cni_ipt_rule *rule);

/** The same of a target. */
bool cni_xt_read_target(const char *name, uint32_t revision, const void *data, size_t len,
			sa_family_t family, struct cni_ipt_rule *rule);

#endif
