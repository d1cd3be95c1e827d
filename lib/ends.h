/*
 * The two ends of an attachment's work: a route socket in the host's namespace, which is the process's
 * own, and one in the container's.
 */
#ifndef CNI_ENDS_H
#define CNI_ENDS_H

#include "netns.h"
#include "nl_link.h"
#include "plugin.h"

/** Both sockets, and the container's namespace that the second one borrows. */
struct cni_ends {
	int netns; /**< owned; the container's namespace */
	struct cni_nl host, sbox;
};
#define CNI_ENDS_INIT                                                 \
	{                                                             \
		.netns = -1, .host = CNI_NL_INIT, .sbox = CNI_NL_INIT \
	}

/**
 * Open the namespace of CNI_NETNS and both sockets.
 * @param e  CNI_ENDS_INIT; release with cni_auto(ends), also after a failure
 * @return 0; negative errno, see cni_netns_open
 */
int cni_ends_open(const struct cni_args *args, struct cni_ends *e,
		  struct cni_error *err) cni_must_check;

/**
 * Find the host's end of a container's veth. Numbers of links are small and not unique: a link of the host that has the
 * right one is the other end only if it leads into the container's namespace.
 *
 * @param cont  the container's link, as it was looked up
 * @param ret   set if the result is 0
 * @return 0; -ENODEV if @p cont is no veth, or its other end is not in the host's namespace; other negative errno
 */
int cni_ends_peer(struct cni_ends *e, const struct cni_link *cont,
		  struct cni_link *ret) cni_must_check;

static inline void cni_auto_ends(struct cni_ends *e)
{
	cni_nl_close(&e->host);
	cni_nl_close(&e->sbox);
	cni_auto_fd(&e->netns);
}

#endif
