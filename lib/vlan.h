/*
 * Sets of VLANs, and what a bridge port is to be a member of.
 */
#ifndef CNI_VLAN_H
#define CNI_VLAN_H

#include "json.h"

#define CNI_VLAN_FIRST 1
#define CNI_VLAN_LAST 4094
/** The VLAN of ports that nobody gave another one, unless the bridge says otherwise (IEEE 802.1Q). */
#define CNI_VLAN_DEFAULT 1

/** A set of VLAN ids, CNI_VLAN_FIRST..CNI_VLAN_LAST. `{0}` is empty. */
struct cni_vlan_set {
	uint64_t word[64]; /**< one bit per id */
};

/** Add the ids @p first to @p last, both of them legal and in this order. */
void cni_vlan_set_add(struct cni_vlan_set *set, unsigned int first, unsigned int last);

/** Take one id out; one that is not in it is fine. */
void cni_vlan_set_remove(struct cni_vlan_set *set, unsigned int id);

/** @return whether the id is in the set */
bool cni_vlan_set_has(const struct cni_vlan_set *set, unsigned int id);

/** A run of ids that follow each other. */
struct cni_vlan_run {
	unsigned int first, last;
};

/**
 * Step through a set, run by run, ascending.
 * @param run  the run before; `{0}` to start. On true: the next one, as long as it can be
 * @return whether there is one
 */
bool cni_vlan_set_next(const struct cni_vlan_set *set, struct cni_vlan_run *run);

/**
 * Read "vlanTrunk": a list of objects with "id", or "minID" and "maxID", or all three.
 *
 * @param list  borrowed; NULL reads nothing. A null in the list is passed over
 * @param ret   gets the ids added
 * @return 0; -EINVAL
 */
int cni_vlan_read_trunk(json_t *list, struct cni_vlan_set *ret,
			struct cni_error *err) cni_must_check;

/** The VLANs of a bridge port. `{0}`: whatever the bridge gives a new port. */
struct cni_vlan_port {
	unsigned int
		native; /**< of frames without a tag, both ways; 0 = none of this is asked for */
	struct cni_vlan_set tagged; /**< of frames with a tag; never has the native one */
	bool keep_default; /**< stay in the bridge's default VLAN besides */
};

/**
 * What "vlan", "vlanTrunk" and "preserveDefaultVlan" ask for. A trunk without a native VLAN has
 * CNI_VLAN_DEFAULT for it; a native VLAN that the trunk lists, too, is native.
 *
 * @param vlan  the native one; 0 = none
 */
struct cni_vlan_port cni_vlan_port_plan(unsigned int vlan, const struct cni_vlan_set *trunk,
					bool keep_default);

#endif
