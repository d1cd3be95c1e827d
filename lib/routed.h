/*
 * A pair that is routed instead of bridged: the host has a route to each address of the container, and the gateways,
 * which are addresses of the host's end, are all that the container has on its link.
 */
#ifndef CNI_ROUTED_H
#define CNI_ROUTED_H

#include "faults.h"
#include "port.h"
#include "result.h"

/** How a container's interface is to be set up for this (iface.h). */
extern const struct cni_iface_mode cni_routed_mode;

/**
 * Check that each address of a result has a gateway.
 * @return 0; -EINVAL with code CNI_E_CONFIG, naming the address
 */
int cni_routed_check_result(const struct cni_result *res, struct cni_error *err) cni_must_check;

/**
 * Give the host's end the gateways' addresses, see to it that the host forwards, and set the end up, without duplicate
 * address detection, as there is nobody to ask.
 *
 * @param port  made, and down; before the container's end is up
 * @param res   passed cni_routed_check_result
 * @return 0; negative errno
 */
int cni_routed_open(struct cni_port *port, const struct cni_result *res,
		    struct cni_error *err) cni_must_check;

/**
 * Wait until the host's end sends, and is found by the container: cni_port_wait, and what cni_iface_wait does for the other
 * end.
 * @return 0; negative errno
 */
int cni_routed_wait(struct cni_port *port, const struct cni_result *res,
		    struct cni_error *err) cni_must_check;

/**
 * The container's side: routes to the gateways, and by them to its own subnets.
 *
 * @param sbox  socket in the container's namespace
 * @param link  the container's end, up, with the addresses of @p res
 * @return 0; -EEXIST if another interface of the container leads there; other negative errno
 */
int cni_routed_lead_out(struct cni_nl *sbox, const struct cni_link *link,
			const struct cni_result *res, struct cni_error *err) cni_must_check;

/**
 * The host's side: a route to each address of a result.
 * @return 0; -EEXIST if another link of the host leads there, as that of another container; other negative errno
 */
int cni_routed_lead_in(struct cni_port *port, const struct cni_result *res,
		       struct cni_error *err) cni_must_check;

/**
 * CHECK of the host's side: the end has the gateways, and what is sent to the addresses goes out by it.
 * @param host  socket in the host's namespace
 * @param end   the host's end
 */
void cni_routed_check(struct cni_nl *host, const struct cni_link *end,
		      const struct cni_result *prev, struct cni_faults *f);

#endif
