/*
 * The routes of a result in a container: what of them is wrong, and which of them are one route of
 * the kernel.
 */
#ifndef CNI_ROUTES_H
#define CNI_ROUTES_H

#include "iface.h"
#include "nl_link.h"
#include "result.h"

/**
 * Check what the kernel would refuse without a word, or cut off: host bits of an IPv4 destination, a
 * gateway of the other family, numbers that do not fit. Touches nothing.
 *
 * @return 0; -EINVAL with code CNI_E_CONFIG, naming the route
 */
int cni_routes_check(const struct cni_result *res, struct cni_error *err) cni_must_check;

/**
 * Add the routes of a result to one link. Several gateways to one destination become one multipath
 * route, and what is said twice is added once. Routes that differ in table, priority, scope, mtu or
 * advmss stay apart.
 *
 * A route without gateway takes the first one of its family that an address of the result has; the
 * gateway 0.0.0.0 or ::, or an IPv4 scope of "link" or narrower, says that there is none.
 *
 * @param nl    socket in the container's namespace
 * @param link  borrowed; up
 * @param mode  of the link: one that is alone on it has no routes to its subnets, and gateways of these are on it still
 * @param res   passed cni_routes_check
 * @return 0; negative errno
 */
int cni_routes_add(struct cni_nl *nl, const struct cni_link *link,
		   const struct cni_iface_mode *mode, const struct cni_result *res,
		   struct cni_error *err) cni_must_check;

#endif
