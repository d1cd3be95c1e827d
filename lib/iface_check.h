/*
 * CHECK of a container's interface against the result of its ADD. Shared by all plugins that make an
 * interface. What others own (counters, other tables' routes, other links) is not looked at.
 */
#ifndef CNI_IFACE_CHECK_H
#define CNI_IFACE_CHECK_H

#include "ends.h"
#include "faults.h"
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
 * Check that a host end is not smaller than was asked for: frames that are longer than it takes are lost without a word.
 * A container's end of another MTU is no fault: the tuning plugin sets it, and TCP goes by the smaller one.
 * @param want  bytes; 0 and less, CNI_JSON_AUTO among them, ask for nothing
 */
void cni_check_mtu(const struct cni_link *end, json_int_t want, struct cni_faults *f);

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

/**
 * Look up the other end of a container's veth, in the host.
 *
 * @param link  of cni_check_link
 * @return 1 if it is there; 0 if not, which is for the caller to say; -1 if the request failed, which is added
 */
int cni_check_host_end(struct cni_ends *e, const struct cni_link *link, struct cni_link *ret,
		       struct cni_faults *f) cni_must_check;

/** Check that an interface has every address of a result, and that every route is there. */
void cni_check_addresses(struct cni_nl *sbox, const struct cni_link *link,
			 const struct cni_result *prev, struct cni_faults *f);

#endif
