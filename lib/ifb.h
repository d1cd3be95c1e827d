/*
 * The link that what a container sends goes through, so that it can be limited as what the host sends (kind ifb).
 *
 * It says by its alias of which attachment it is, as a bridge's port does (port.h); one that the Go plugin made has no alias,
 * and a name by which it is of all interfaces of a container.
 */
#ifndef CNI_IFB_H
#define CNI_IFB_H

#include "names.h"
#include "nl_link.h"
#include "plugin.h"
#include "undo.h"

/** The link. `{0}` is "none". */
struct cni_ifb {
	struct cni_nl *host; /**< borrowed; socket in the host's namespace */
	struct cni_port_id id; /**< of the attachment */
	struct cni_link link;
};

/**
 * Make it, and set it up. What an earlier ADD of this attachment left is deleted first.
 *
 * @param mtu   bytes; of what it takes from
 * @param undo  on success gains one step: delete it; @p ret must outlive it
 * @return 0; -EEXIST if links of others have both its names; other negative errno
 */
int cni_ifb_create(const struct cni_args *args, struct cni_nl *host, unsigned int mtu,
		   struct cni_undo *undo, struct cni_ifb *ret,
		   struct cni_error *err) cni_must_check;

/** The last step of ADD: from here on it is a live attachment's. @return 0; negative errno */
int cni_ifb_finish(struct cni_ifb *ifb, struct cni_error *err) cni_must_check;

/** Find it, whoever made it. @return 0 and @p ret; -ENODEV; other negative errno, with @p err */
int cni_ifb_find(const struct cni_args *args, struct cni_nl *host, struct cni_link *ret,
		 struct cni_error *err) cni_must_check;

/** Delete it, whoever made it. @return 0, also if there is none; negative errno */
int cni_ifb_remove(const struct cni_args *args, struct cni_nl *host,
		   struct cni_error *err) cni_must_check;

/** Delete those of a network that belong to no valid attachment; the Go plugin's do not say of which they are, and stay. */
int cni_ifb_gc(const struct cni_args *args, struct cni_error *err) cni_must_check;

#endif
