/*
 * Kernel parameters below /proc/sys/net, of this or another network namespace.
 */
#ifndef CNI_SYSCTL_H
#define CNI_SYSCTL_H

#include "error.h"

/** What to do with one parameter, and what came of it. */
struct cni_sysctl {
	char path[96]; /**< below /proc/sys/net/, as "ipv6/conf/eth0/accept_ra" */
	const char *value; /**< to be written, without a newline */
	bool if_differs; /**< read first, and write only if the value is another */
	int result; /**< out: 0, or the negative errno of reading or writing */
};

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

#endif
