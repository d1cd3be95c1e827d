/*
 * Ports of bridges: how they pass frames on, and their VLANs.
 *
 * Functions return 0 or the kernel's negative errno; report it with cni_nl_fail.
 */
#ifndef CNI_NL_BRPORT_H
#define CNI_NL_BRPORT_H

#include "nl.h"
#include "vlan.h"

/** What a port is told. `{0}`: nothing but what the bridge gives a new port. */
struct cni_brport {
	bool hairpin; /**< send frames back where they came from */
	bool isolated; /**< exchange no frames with other isolated ports */
	struct cni_vlan_port vlans;
};

/** @return whether the port is told anything at all */
bool cni_brport_is_special(const struct cni_brport *want);

/**
 * Tell a new port what it is to be: one message, and a second one if the port has to leave the bridge's
 * default VLAN. Saying it again changes nothing.
 *
 * @param index         of the port
 * @param want          what is false or 0 in it is left as it is
 * @param default_vlan  of the bridge, which the port is in since it joined; 0 = none
 * @return 0; -EOPNOTSUPP if the kernel lacks VLANs of bridges; negative errno
 */
int cni_brport_set(struct cni_nl *nl, int index, const struct cni_brport *want,
		   unsigned int default_vlan) cni_must_check;

/** A port passes no frame any more, in either direction. @return 0; negative errno */
int cni_brport_silence(struct cni_nl *nl, int index) cni_must_check;

/** The VLANs that a port has. */
struct cni_brport_vlans {
	unsigned int native; /**< of frames that come without a tag; 0 = they are dropped */
	struct cni_vlan_set untagged, tagged; /**< of frames that leave without, with a tag */
};

/**
 * Ask for one port's VLANs.
 * @return 0 and @p ret; -EOPNOTSUPP if the kernel cannot tell (before Linux 5.6)
 */
int cni_brport_get_vlans(struct cni_nl *nl, int index, struct cni_brport_vlans *ret) cni_must_check;

#endif
