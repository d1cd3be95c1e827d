/*
 * GC of the host's links that say by their alias, or while they are made by their group, of which attachment they are
 * (names.h, struct cni_port_id).
 */
#ifndef CNI_LINK_GC_H
#define CNI_LINK_GC_H

#include "names.h"
#include "plugin.h"

/**
 * Delete the links of a kind that belong to a network, but to no valid attachment (conf.h, cni_conf_next_valid), those of
 * killed ADDs among them. Lists the host's links of the kind.
 *
 * @param kind     as "veth"
 * @param is_name  whether an attachment's link may have this name: one that has is being made by an ADD
 * @return 0; negative errno: the rest was deleted
 */
int cni_link_gc(const struct cni_args *args, const char *kind,
		bool (*is_name)(const struct cni_port_id *id, const char *name),
		struct cni_error *err) cni_must_check;

#endif
