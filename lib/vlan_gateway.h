/*
 * The gateway of a VLAN on a bridge: a link that is for this VLAN what the bridge itself is for frames
 * without a tag. As the Go plugins make it, it is a veth pair with both ends on the host: one end,
 * "<bridge>.<vlan>", carries the addresses, the other one is a port of the bridge with the VLAN as its
 * native one.
 */
#ifndef CNI_VLAN_GATEWAY_H
#define CNI_VLAN_GATEWAY_H

#include "nl_link.h"

/**
 * Name the link that carries a VLAN's gateway addresses.
 * @return 0; -ENAMETOOLONG if "<bridge>.<vlan>" has more than 15 bytes
 */
int cni_vlan_gateway_name(const char *bridge, unsigned int vlan,
			  char ret[static IFNAMSIZ]) cni_must_check;

/**
 * See to it that the link is there, up, and connected to the bridge. Shared by all containers of the
 * VLAN, so it is never undone. One that somebody made as an 802.1Q link on the bridge does as well.
 *
 * @param br            the bridge, which filters VLANs
 * @param vlan          1..4094
 * @param keep_default  the new port stays in the bridge's default VLAN besides
 * @param ret           the link; on success only
 * @param created       whether it was made just now: its MAC is fixed, it has no address yet
 * @return 0; -EEXIST if something else has the name; negative errno
 */
int cni_vlan_gateway_ensure(struct cni_nl *host, const struct cni_link *br, unsigned int vlan,
			    bool keep_default, struct cni_link *ret, bool *created,
			    struct cni_error *err) cni_must_check;

/**
 * Check that the link is there, up, and connected to the bridge.
 * @return 0; -ENODEV if it is not there; -EEXIST if something else has the name; -ENETDOWN; negative errno
 */
int cni_vlan_gateway_check(struct cni_nl *host, const struct cni_link *br, unsigned int vlan,
			   struct cni_error *err) cni_must_check;

#endif
