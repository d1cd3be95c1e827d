/*
 * Routes. Functions return 0 or the kernel's negative errno; report it with cni_nl_fail.
 */
#ifndef CNI_NL_ROUTE_H
#define CNI_NL_ROUTE_H

#include "nl.h"
#include "result.h"

/** @return the routing table a route says, or the main one: 1..4294967295 */
json_int_t cni_route_table(const struct cni_route *route);

/**
 * Add a unicast route out of one link, with what the result's route says: table, scope, priority,
 * mtu, advmss. The route's own gateway is not looked at.
 *
 * @param gw    gateways, of the destination's family, borrowed
 * @param n_gw  how many; 0 = the destination is on the link, more than 1 = a multipath route
 * @param sure  the gateways are on the link, even if no route says so
 * @return 0; -EEXIST if there is just this route; -ENETUNREACH if a gateway is not on the link
 */
int cni_route_add(struct cni_nl *nl, int ifindex, const struct cni_route *route,
		  const struct cni_ip *const *gw, size_t n_gw, bool sure) cni_must_check;

/** A route of the main table that a plugin makes by itself. Addresses are borrowed, and of one family. */
struct cni_path {
	struct cni_prefix dst; /**< without host bits */
	const struct cni_ip *gw; /**< on the link; NULL = the destination is */
	const struct cni_ip *from; /**< source of its own packets; NULL = the kernel's choice */
	uint8_t scope; /**< RT_SCOPE_*; IPv6 has none */
};

/** Add it out of one link. @return 0; -EEXIST if there is one to this destination, by whatever link */
int cni_path_add(struct cni_nl *nl, int ifindex, const struct cni_path *path) cni_must_check;

/** Where packets leave the host. */
struct cni_route_hop {
	int ifindex;
	unsigned int mtu; /**< bytes, if the route itself says so; 0 = the link's */
};

/**
 * Ask where the host sends what it knows no better way for: its default route, or what stands for one
 * (a VPN's two halves, policy rules). IPv4's first, then IPv6's. A request for each, no dump.
 *
 * @return 0; -ENETUNREACH or another refusal if there is no such route
 */
int cni_route_default(struct cni_nl *nl, struct cni_route_hop *ret) cni_must_check;

/** The route that a packet to an address would take. */
struct cni_route_hit {
	int ifindex; /**< out of this link */
	bool local; /**< to this host itself */
	bool on_link; /**< without a gateway, and not by the default route */
};

/**
 * Ask which route leads to an address, without listing any.
 * @param ret  set on success only
 * @return 0; -ENETUNREACH, -EHOSTUNREACH if none does; other negative errno
 */
int cni_route_get(struct cni_nl *nl, const struct cni_ip *to,
		  struct cni_route_hit *ret) cni_must_check;

/**
 * Wait until the kernel takes in what comes to an IPv6 address of a link, and hears who asks for it by multicast. It enters
 * an address in the background, also one without duplicate address detection: a moment later, or many on a host at work.
 * That it takes longer than 2.5 s is only noted.
 *
 * @param name  of the link, for messages
 * @return 0; negative errno, with @p err
 */
int cni_route_await_local(struct cni_nl *nl, int ifindex, const char *name, const struct cni_ip *ip,
			  struct cni_error *err) cni_must_check;

/**
 * Whether packets are forwarded between links: net.ipv4.ip_forward, net.ipv6.conf.all.forwarding.
 * @param family  AF_INET or AF_INET6
 * @return the parameter's value; negative errno
 * @see linux/netconf.h
 */
int cni_forwarding_get(struct cni_nl *nl, int family) cni_must_check;

/** Routes of one family. `{0}` is the empty list; multipath routes appear once per path. */
struct cni_route_list {
	struct cni_route *item; /**< owned */
	size_t n;
};

static inline void cni_auto_routes(struct cni_route_list *list)
{
	free(list->item);
}

/**
 * List the unicast routes of every table but "local". A dump; for CHECK, in the container's namespace.
 * @return 0; -EINTR if no consistent answer came in 5 attempts; negative errno
 */
int cni_route_list(struct cni_nl *nl, int family, struct cni_route_list *ret) cni_must_check;

#endif
