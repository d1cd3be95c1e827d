/*
 * Neighbours: which MAC a host believes an address to have.
 */
#ifndef CNI_NL_NEIGH_H
#define CNI_NL_NEIGH_H

#include "ip.h"
#include "nl.h"

/**
 * Forget what a link's neighbour table says of an address, so that the next packet asks anew. What
 * an administrator has set for good (permanent, noarp) stays. Asks for the one entry; nothing is
 * listed.
 *
 * @param ip  IPv4 or IPv6
 * @return 0, also if there is no entry; negative errno
 */
int cni_neigh_forget(struct cni_nl *nl, int ifindex, const struct cni_ip *ip) cni_must_check;

#endif
