/*
 * Network namespaces: the only place that calls setns(2).
 *
 * The process works from the namespace it was started in, the host's. It enters another one for two
 * things only: to open a netlink socket there (which stays there), and to write /proc/sys/net, which
 * follows the caller.
 */
#ifndef CNI_NETNS_H
#define CNI_NETNS_H

#include "error.h"

/**
 * Open a network namespace by its path.
 *
 * @param path  as in CNI_NETNS; must lead to an nsfs or procfs file
 * @param ret   close-on-exec descriptor, on success only
 * @return 0; -ENOENT if the path does not exist; -EINVAL if what is there is no namespace; other
 *         negative errno
 */
int cni_netns_open(const char *path, int *ret, struct cni_error *err) cni_must_check;

/**
 * Open the namespace of what is to be removed.
 *
 * @param path  CNI_NETNS; "" = the runtime knows none any more
 * @param ret   set if the result is 1; close it
 * @return 1 if it is there; 0 if it is gone, with all that was in it; negative errno, with @p err unless that tells an
 *         earlier cause
 */
int cni_netns_open_left(const char *path, int *ret, struct cni_error *err) cni_must_check;

/** @return whether @p path leads to the very namespace this process is in; false if it leads nowhere */
bool cni_netns_is_own(const char *path);

/**
 * @param r  what cni_netns_open returned
 * @return whether the namespace is gone, with all that was in it: no such path, or just the file that
 *         it was mounted on
 */
bool cni_netns_is_gone(int r);

/** @return whether two paths are the same text, or lead to the same namespace */
bool cni_netns_same(const char *a, const char *b);

/**
 * Call @p fn inside a namespace and come back. If there is no way back the process ends at once:
 * going on would change the wrong namespace.
 *
 * @param fd  of the namespace; -1 = stay where we are
 * @return what @p fn returned; negative errno of entering
 */
int cni_netns_call(int fd, int (*fn)(void *ctx), void *ctx, struct cni_error *err) cni_must_check;

#endif
