/*
 * CHECK of a container's interface against the result of its ADD. Shared by all plugins that make an
 * interface. What others own (counters, other tables' routes, other links) is not looked at.
 */
#ifndef CNI_IFACE_CHECK_H
#define CNI_IFACE_CHECK_H

#include "faults.h"
#include "nl_link.h"
#include "plugin.h"

/**
 * @param in_sandbox  whether the interface is in a container
 * @return the last interface of that name in a result, borrowed; NULL if there is none
 */
const struct cni_iface *cni_check_entry(const struct cni_result *prev, const char *name,
					bool in_sandbox);

/**
 * Add the failure of a request, which kept CHECK from looking: it is never taken for "fine".
 * @param r  the negative errno that the request returned
 */
void cni_check_failed(struct cni_faults *f, struct cni_nl *nl, int r, const char *fmt, ...)
	cni_printf(4, 5);

/**
 * Look a link up by name; that it is not there is a fault.
 * @return whether there is one, in @p ret
 */
bool cni_check_exists(struct cni_nl *nl, const char *name, struct cni_link *ret,
		      struct cni_faults *f) cni_must_check;

/**
 * Whether a link has the MAC of the result, if the result gives one; the words are the caller's.
 * @param fault  on return, if it differs: what is wrong
 * @param have   memory for @p fault
 */
bool cni_check_mac_differs(const struct cni_iface *entry, const struct cni_link *now,
			   struct cni_fault *fault, char have[static CNI_MAC_STRLEN]);

/** A link that is down is a fault: nothing goes through it. */
void cni_check_up(const struct cni_link *link, struct cni_faults *f);

/**
 * Check that the container's interface is in the result and in the namespace, of one kind, with the
 * MAC of the result.
 *
 * @param sbox  socket in the container's namespace
 * @param kind  as "veth"
 * @param ret   the interface, if there is one of this kind
 * @return whether there is, so that it can be looked at further
 */
bool cni_check_link(const struct cni_args *args, struct cni_nl *sbox, const char *kind,
		    const struct cni_result *prev, struct cni_link *ret,
		    struct cni_faults *f) cni_must_check;

/** Check that an interface has every address of a result, and that every route is there. */
void cni_check_addresses(struct cni_nl *sbox, const struct cni_link *link,
			 const struct cni_result *prev, struct cni_faults *f);

#endif
