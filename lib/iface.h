/*
 * A container's interface: give it what a result says. Shared by all plugins that make an interface.
 */
#ifndef CNI_IFACE_H
#define CNI_IFACE_H

#include "nl_link.h"
#include "result.h"

/**
 * Configure an interface by a result: IPv6 enabled if there is an IPv6 address, addresses, up, routes.
 * IPv6 addresses skip duplicate address detection: IPAM owns them, and they are usable at once.
 *
 * @param sbox  socket in the container's namespace
 * @param link  the interface, down
 * @param place the interface's index in the result; addresses with another one are left out
 * @param res   a route without gateway takes the first one of its family that an address has
 * @return 0; negative errno
 */
int cni_iface_configure(struct cni_nl *sbox, const struct cni_link *link, int place,
			const struct cni_result *res, struct cni_error *err) cni_must_check;

#endif
