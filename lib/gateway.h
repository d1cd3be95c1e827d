/*
 * The host as gateway of a network: its addresses on a bridge, and forwarding.
 */
#ifndef CNI_GATEWAY_H
#define CNI_GATEWAY_H

#include "faults.h"
#include "nl_link.h"
#include "result.h"

/** The link that carries the gateway's addresses. */
struct cni_gateway {
	struct cni_nl *host; /**< borrowed; socket in the process's own namespace */
	struct cni_link link; /**< up */
	const char *what; /**< borrowed; what is being set, for messages: "bridge addr" */
	bool bare; /**< just made by us: its MAC is fixed */
	bool force; /**< replace an address that is in the way, instead of failing */
};

/**
 * See to it that the host forwards packets of a family. Shared by all containers, so never undone.
 *
 * @param host    socket in the process's own namespace
 * @param family  AF_INET or AF_INET6
 * @return 0; negative errno
 */
int cni_gateway_forward(struct cni_nl *host, sa_family_t family,
			struct cni_error *err) cni_must_check;

/**
 * See to it that the link has the gateway address of every address of a result, and that its families
 * are forwarded. Shared by all containers, so nothing of it is ever undone.
 *
 * In the way is any other IPv4 address, and an IPv6 address whose subnet overlaps.
 *
 * @return 0; -EEXIST if an address is in the way and @p gw->force is not set; negative errno
 */
int cni_gateway_ensure(const struct cni_gateway *gw, const struct cni_result *res,
		       struct cni_error *err) cni_must_check;

/**
 * Check that a link still has the gateway address of every address of a result, with whatever prefix
 * length: without it the containers' gateway does not answer.
 * @param host  socket in the process's own namespace
 */
void cni_gateway_check(struct cni_nl *host, const struct cni_link *link,
		       const struct cni_result *prev, struct cni_faults *f);

#endif
