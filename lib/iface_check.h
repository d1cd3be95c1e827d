/*
 * CHECK of a container's interface against the result of its ADD. Shared by all plugins that make an
 * interface. What others own (counters, other tables' routes, other links) is not looked at.
 */
#ifndef CNI_IFACE_CHECK_H
#define CNI_IFACE_CHECK_H

#include "nl_link.h"
#include "plugin.h"

/**
 * @param in_sandbox  whether the interface is in a container
 * @return the last interface of that name in a result, borrowed; NULL if there is none
 */
const struct cni_iface *cni_check_entry(const struct cni_result *prev, const char *name,
					bool in_sandbox);

/** @return whether the result gives a MAC and the link has another */
bool cni_check_mac_differs(const struct cni_iface *entry, const struct cni_link *now);

/**
 * Check that the container's interface is in the result and in the namespace, of one kind, with the
 * MAC of the result.
 *
 * @param sbox  socket in the container's namespace
 * @param kind  as "veth"
 * @param ret   the interface; on success only
 * @return 0; negative errno
 */
int cni_check_link(const struct cni_args *args, struct cni_nl *sbox, const char *kind,
		   const struct cni_result *prev, struct cni_link *ret,
		   struct cni_error *err) cni_must_check;

/**
 * Check that an interface has every address of a result and that every route is there.
 * @return 0; -ENOENT if one is missing; other negative errno
 */
int cni_check_addresses(struct cni_nl *sbox, const struct cni_link *link,
			const struct cni_result *prev, struct cni_error *err) cni_must_check;

#endif
