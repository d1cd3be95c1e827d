/*
 * The key "mtu": its range, and what "auto" stands for.
 */
#ifndef CNI_MTU_H
#define CNI_MTU_H

#include "json.h"
#include "nl_link.h"

/** Bytes that a link needs to have IPv6 (RFC 8200, section 5). */
#define CNI_MTU_IPV6 1280

/**
 * @param mtu  as CNI_JSON_INT_OR_AUTO read it; 0 and less mean the kernel's default
 * @return 0; -EINVAL with code CNI_E_CONFIG if no veth can have it (68..65535)
 */
int cni_mtu_check(json_int_t mtu, struct cni_error *err) cni_must_check;

/**
 * Replace CNI_JSON_AUTO by the MTU of the host's default route: that of its device, or what the route
 * itself says if that is less. IPv4 first, then IPv6. Other values stay.
 *
 * @param host  socket in the host's namespace
 * @return 0; -ENETUNREACH if there is no default route; other negative errno
 */
int cni_mtu_resolve(struct cni_nl *host, json_int_t *mtu, struct cni_error *err) cni_must_check;

/**
 * Refuse a port that would take IPv6 away from everybody on a bridge: a bridge's MTU follows its
 * ports', and below 1280 the kernel removes the IPv6 addresses of a link. Costs nothing for other MTUs.
 *
 * @param host    socket in the host's namespace
 * @param bridge  borrowed
 * @param mtu     of the port; 0 and less mean the kernel's default
 * @return 0; -EINVAL with code CNI_E_CONFIG if the bridge has an IPv6 address that others may need
 */
int cni_mtu_check_port(struct cni_nl *host, const struct cni_link *bridge, json_int_t mtu,
		       struct cni_error *err) cni_must_check;

#endif
