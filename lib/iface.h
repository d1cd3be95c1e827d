/*
 * A container's interface: give it what a result says. Shared by all plugins that make an interface.
 */
#ifndef CNI_IFACE_H
#define CNI_IFACE_H

#include "nl_link.h"
#include "result.h"

/** How IPv6 behaves on the interface. `{0}`: IPAM owns the addresses, nobody else has a say. */
struct cni_iface_mode {
	bool detect_duplicates; /**< ask the link's other nodes, and wait for their answer */
	bool accept_ra; /**< leave router advertisements as the namespace has them */
	bool as_found; /**< leave both as the namespace has them, and announce the addresses when it is set up */
	bool alone; /**< nobody is on the link but the host: no announcements, and no routes to subnets */
};

/**
 * See whether an interface can be what a result says, and set its parameters: IPv6 enabled if there is
 * an IPv6 address, router advertisements off.
 *
 * @param sbox  socket in the container's namespace
 * @param link  the interface, down
 * @return 0; -EINVAL for what the result or the MTU makes impossible, before any change; other
 *         negative errno
 */
int cni_iface_prepare(struct cni_nl *sbox, const struct cni_link *link,
		      const struct cni_iface_mode *mode, const struct cni_result *res,
		      struct cni_error *err) cni_must_check;

/**
 * Set an interface up that is prepared. What it is connected to hears of its addresses by cni_iface_announce.
 * @return 0; negative errno
 */
int cni_iface_open(struct cni_nl *sbox, const struct cni_link *link,
		   struct cni_error *err) cni_must_check;

/**
 * Give an interface a result's addresses.
 *
 * @param sbox  socket in the container's namespace
 * @param link  the interface, prepared with the same @p mode and @p res. Better down: what is up keeps the kernel busy
 *              for a while, under the lock that all this needs. But if what it is connected to forwards later than it
 *              is up, duplicates are found only of what is added when both are: the kernel asks once
 * @param place the interface's index in the result; addresses with another one are left out
 * @return 0; negative errno
 */
int cni_iface_add_addresses(struct cni_nl *sbox, const struct cni_link *link, int place,
			    const struct cni_iface_mode *mode, const struct cni_result *res,
			    struct cni_error *err) cni_must_check;

/**
 * Wait until duplicate address detection, if @p mode asks for it, has found that nobody else has the interface's IPv6
 * addresses. Without carrier there is nobody to ask, and nothing to wait for.
 *
 * @param link   up, with the addresses
 * @param place  as for cni_iface_add_addresses
 * @return 0; -EADDRINUSE for a duplicate address; other negative errno
 */
int cni_iface_settle(struct cni_nl *sbox, const struct cni_link *link, int place,
		     const struct cni_iface_mode *mode, const struct cni_result *res,
		     struct cni_error *err) cni_must_check;

/**
 * Wait until an interface's IPv6 addresses are found by its neighbours. The kernel enters addresses, and lets in the
 * multicast by which they are asked for, in the background: a moment later, or many on a host at work. That it takes very
 * long is only noted.
 *
 * @param sbox   socket in the container's namespace
 * @param link   up, as is what it is connected to
 * @param place  as for cni_iface_add_addresses
 * @return 0; negative errno
 */
int cni_iface_wait(struct cni_nl *sbox, const struct cni_link *link, int place,
		   const struct cni_result *res, struct cni_error *err) cni_must_check;

/**
 * Make the link's other nodes, bridges among them, learn where the interface's addresses are now:
 * gratuitous ARP and unsolicited neighbour advertisements. A failure is only noted: the container
 * works, and its neighbours learn it later.
 *
 * @param sbox  socket in the container's namespace
 * @param link  configured; what it is connected to forwards
 */
void cni_iface_announce(struct cni_nl *sbox, const struct cni_link *link);

/**
 * Make the host forget who had a result's addresses before. Failures are only noted.
 *
 * @param host     socket in the host's namespace
 * @param ifindex  the host's link to the container's: a bridge
 */
void cni_iface_forget(struct cni_nl *host, int ifindex, const struct cni_result *res);

#endif
