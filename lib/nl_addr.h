/*
 * Addresses of links. Functions return 0 or the kernel's negative errno; report it with cni_nl_fail.
 */
#ifndef CNI_NL_ADDR_H
#define CNI_NL_ADDR_H

#include "ip.h"
#include "nl.h"

/**
 * Add an address, for good; IPv4 with a prefix up to /30 gets its broadcast address.
 *
 * @param flags  IFA_F_*, as IFA_F_NODAD; 0 = none
 * @return 0; -EEXIST if the link has it already
 */
int cni_addr_add(struct cni_nl *nl, int ifindex, const struct cni_prefix *p,
		 unsigned int flags) cni_must_check;

/** @return 0; -EADDRNOTAVAIL if the link does not have it */
int cni_addr_del(struct cni_nl *nl, int ifindex, const struct cni_prefix *p) cni_must_check;

/**
 * Ask, without a dump, whether a link has an address with just this prefix length.
 *
 * @param ifname  name of the link @p ifindex, in the process's own namespace
 * @return 1 if so; 0 if not, or if it can't be told without a dump; negative errno
 */
int cni_addr_present(struct cni_nl *nl, int ifindex, const char *ifname,
		     const struct cni_prefix *p) cni_must_check;

/**
 * Wait until duplicate address detection of an IPv6 address is over.
 *
 * @param events    listens to RTNLGRP_IPV6_IFADDR in the namespace of @p nl
 * @param deadline  of cni_nl_deadline
 * @return 0: the address can be used; -EADDRINUSE if another node of the link has it; -ETIMEDOUT;
 *         -EADDRNOTAVAIL if it is gone
 */
int cni_addr_settle(struct cni_nl *nl, struct cni_nl *events, int ifindex, const struct cni_ip *ip,
		    long deadline) cni_must_check;

/** Addresses of one link. `{0}` is the empty list. */
struct cni_addr_list {
	struct cni_prefix *item; /**< owned */
	size_t n;
};

static inline void cni_auto_addrs(struct cni_addr_list *list)
{
	free(list->item);
}

/**
 * List the addresses of a link in the kernel's order. A dump, which the kernel filters.
 * @param family  AF_INET, AF_INET6
 * @return 0; -EINTR if no consistent answer came in 5 attempts; negative errno
 */
int cni_addr_list(struct cni_nl *nl, int ifindex, int family,
		  struct cni_addr_list *ret) cni_must_check;

/**
 * List the addresses of all links but one. A dump of the namespace: for that of a container.
 * @param ifindex  of the link to leave out; 0 = none
 * @return as cni_addr_list
 */
int cni_addr_list_others(struct cni_nl *nl, int ifindex, int family,
			 struct cni_addr_list *ret) cni_must_check;

#endif
