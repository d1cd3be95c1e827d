/*
 * Kernel parameters below /proc/sys/net, of this or another network namespace.
 */
#ifndef CNI_SYSCTL_H
#define CNI_SYSCTL_H

#include "names.h"

/** What to do with one parameter, and what came of it. */
struct cni_sysctl {
	char path[CNI_SYSCTL_PATH_LEN]; /**< below /proc/sys/net/, as "ipv6/conf/eth0/accept_ra" */
	const char *value; /**< to be written, without a newline */
	bool if_differs; /**< read first, and write only if the value is another */
	int result; /**< out: 0, or the negative errno of reading or writing */
	char *was; /**< out of reading: owned, without the last newline; NULL = can't be read */
};

/**
 * Tell how many network namespaces there are, about, before the first parameter is opened: where they are few, there is a
 * faster way to them. Nothing else depends on it.
 * @param n  -1 = unknown
 */
void cni_sysctl_namespaces(int n);

/** Fill in one parameter; the path is a printf format. @param value  borrowed */
void cni_sysctl_init(struct cni_sysctl *s, const char *value, bool if_differs, const char *fmt, ...)
	cni_printf(4, 5);

/**
 * Write parameters in a namespace, entering it once. Each one's outcome is in its `result`; whether
 * that is a failure is for the caller to say.
 *
 * @param netns_fd  namespace; -1 = the caller's own
 * @return 0; negative errno if the namespace could not be entered
 */
int cni_sysctl_write(int netns_fd, struct cni_sysctl *set, size_t n,
		     struct cni_error *err) cni_must_check;

/** A link of the caller's namespace ignores router advertisements from now on; where IPv6 is off, it does. */
void cni_sysctl_ignore_advertisements(const char *ifname);

/** Free what reading stored in @p set. */
void cni_sysctl_done(struct cni_sysctl *set, size_t n);

/**
 * Read parameters into `was`, entering the namespace once. One that is there for writing only stays
 * NULL, with the result 0.
 *
 * @return as cni_sysctl_write
 */
int cni_sysctl_read(int netns_fd, struct cni_sysctl *set, size_t n,
		    struct cni_error *err) cni_must_check;

/**
 * Write all parameters or none, in their order: what they are is read into `was` before the first is
 * written, and written back if one fails. One that may not be written, and has the value, is no failure.
 *
 * @param err  which one failed, and why it may not be there or not be writable
 * @return 0; negative errno
 */
int cni_sysctl_exchange(int netns_fd, struct cni_sysctl *set, size_t n,
			struct cni_error *err) cni_must_check;

/** Write back what cni_sysctl_exchange found, last one first; a failure is noted. */
void cni_sysctl_put_back(int netns_fd, struct cni_sysctl *set, size_t n);

#endif
