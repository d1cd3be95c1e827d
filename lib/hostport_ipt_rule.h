/*
 * The rules of host ports in iptables' tables: those of the Go plugins' iptables backend (reference 2.6), and
 * one more. Which of them are made, removed and looked for: hostport_ipt.c.
 */
#ifndef CNI_HOSTPORT_IPT_RULE_H
#define CNI_HOSTPORT_IPT_RULE_H

#include "hostport.h"
#include "ipt.h"

/** Chains of table nat that all containers share. */
#define CNI_HOSTPORT_DNAT "CNI-HOSTPORT-DNAT"
#define CNI_HOSTPORT_SET_MARK "CNI-HOSTPORT-SETMARK"
#define CNI_HOSTPORT_MASQ "CNI-HOSTPORT-MASQ"

/** What is for this host, whichever of its addresses, goes to CNI_HOSTPORT_DNAT. Nothing else is ever captured. */
struct cni_ipt_rule cni_hostport_capture(void);

/** The rule of CNI_HOSTPORT_SET_MARK. */
struct cni_ipt_rule cni_hostport_set_mark(const struct cni_hostport *hp);

/** The rule of CNI_HOSTPORT_MASQ. */
struct cni_ipt_rule cni_hostport_masquerade(const struct cni_hostport *hp);

/** The rule that leads to CNI_HOSTPORT_MASQ. */
struct cni_ipt_rule cni_hostport_masquerade_jump(void);

/** What comes for 127.0.0.0/8 from outside is dropped; of IPv4's table raw. */
struct cni_ipt_rule cni_hostport_drop_from_outside(void);

/** @return whether ours are the chain that sets the mark and the one that looks at it */
bool cni_hostport_marks_itself(const struct cni_hostport *hp);

/**
 * Call @p fn for the rules of one mapping in the container's chain: up to two that ask for masquerade, and the
 * one that translates.
 * @return 0; the negative errno that @p fn returned
 */
int cni_hostport_each_rule(const struct cni_hostport *hp, int family, const struct cni_mapping *m,
			   int (*fn)(const struct cni_ipt_rule *rule, void *ctx), void *ctx);

/**
 * Call @p fn for the rules of CNI_HOSTPORT_DNAT that lead to a container's chain: for each protocol, in the
 * alphabet's order, one for every 15 ports. They name the ports of both families, as the Go plugins' do.
 * @param chain  the container's
 * @return 0; the negative errno that @p fn returned
 */
int cni_hostport_each_entry(const struct cni_hostport *hp, int family, const char *chain,
			    int (*fn)(const struct cni_ipt_rule *rule, void *ctx), void *ctx);

#endif
