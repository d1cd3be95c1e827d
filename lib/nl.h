/*
 * Netlink requests: a route socket in one network namespace, one request at a time, and the kernel's
 * own reason when it refuses.
 *
 * libnl folds many kernel errors into one of its own numbers; here every result is a negative errno,
 * and the kernel's words (NETLINK_EXT_ACK) are kept for the user.
 */
#ifndef CNI_NL_H
#define CNI_NL_H

#include "error.h"

#include <netlink/msg.h>
#include <netlink/netlink.h>

CNI_AUTO(msg, struct nl_msg *, nlmsg_free)

/** A route socket in one namespace; it stays there whatever the process does. */
struct cni_nl {
	struct nl_sock *sk; /**< owned; NULL while closed */
	struct nl_msg *request; /**< owned; of cni_nl_begin */
	int netns_fd; /**< borrowed; the namespace, -1 = the process's own */
	char why[256]; /**< the kernel's words about the last refusal; "" if it had none */
};
#define CNI_NL_INIT                        \
	{                                  \
		.sk = NULL, .netns_fd = -1 \
	}

/**
 * Open the socket inside a namespace.
 *
 * @param netns_fd  borrowed, must stay open as long as @p nl; -1 = the process's own namespace
 * @return 0; negative errno
 */
int cni_nl_open(struct cni_nl *nl, int netns_fd, struct cni_error *err) cni_must_check;

/** Close the socket; closing a closed one is fine. */
void cni_nl_close(struct cni_nl *nl);

static inline void cni_auto_nl(struct cni_nl *nl)
{
	cni_nl_close(nl);
}

/** @return a number that only this socket's namespace has until the next boot; 0 before Linux 5.14 */
uint64_t cni_nl_netns_cookie(struct cni_nl *nl);

/**
 * Make room for a long request, before it is begun.
 * @param size  bytes, header and all
 * @return 0; -ENOMEM
 */
int cni_nl_reserve(struct cni_nl *nl, size_t size) cni_must_check;

/**
 * Begin a request, in the one message that each socket has for them.
 *
 * @param type    RTM_*
 * @param flags   NLM_F_*, but for those that cni_nl_request adds
 * @param header  the family's header, such as struct ifinfomsg; copied
 * @param size    its size in bytes
 * @return the message, for attributes to be put into and for cni_nl_request; the socket's own: there until the
 *         next call
 */
struct nl_msg *cni_nl_begin(struct cni_nl *nl, int type, int flags, const void *header,
			    size_t size);

/**
 * Send a request and wait for its end.
 *
 * @param msg      borrowed; NLM_F_ACK is added unless an answer is expected. With NLM_F_ECHO the answer is the kernel's
 *                 notification of what was done, which not every kernel sends
 * @param on_reply called for each answer other than the acknowledgement; returns 0 or a negative
 *                 errno, which becomes the result; NULL if none is expected
 * @return 0; the kernel's negative errno; -EINTR for a dump that the kernel says is inconsistent;
 *         -ENOMEM
 */
int cni_nl_request(struct cni_nl *nl, struct nl_msg *msg,
		   int (*on_reply)(struct nlmsghdr *nlh, void *ctx), void *ctx) cni_must_check;

/**
 * The same for a dump, repeated while it is interrupted, at most 5 times.
 * @param on_start  called before each attempt, to forget the answers of the one before
 * @return as cni_nl_request; -EINTR if no attempt was consistent
 */
int cni_nl_dump(struct cni_nl *nl, struct nl_msg *msg, void (*on_start)(void *ctx),
		int (*on_reply)(struct nlmsghdr *nlh, void *ctx), void *ctx) cni_must_check;

/** @return a moment for cni_nl_await, @p timeout_ms from now: milliseconds of the monotonic clock */
long cni_nl_deadline(int timeout_ms);

/**
 * Open a socket that hears the kernel's events of one group. Listen first, then ask how things are:
 * what changes after that makes cni_nl_await return.
 *
 * @param events    CNI_NL_INIT; release with cni_auto(nl), also after a failure
 * @param netns_fd  as for cni_nl_open
 * @param group     RTNLGRP_*
 * @return 0; negative errno
 */
int cni_nl_listen(struct cni_nl *events, int netns_fd, unsigned int group,
		  struct cni_error *err) cni_must_check;

/**
 * Wait for an event, and drop it: the caller asks again what it wants to know.
 * @return 0, also for a signal; -ETIMEDOUT at the deadline
 */
int cni_nl_await(struct cni_nl *events, long deadline) cni_must_check;

/**
 * Report a failed request: as cni_fail with CNI_E_INTERNAL, with the kernel's words in the details.
 * @param r  the negative errno that the request returned
 * @return @p r
 */
int cni_nl_fail(struct cni_nl *nl, struct cni_error *err, int r, const char *fmt, ...)
	cni_printf(4, 5);

#endif
