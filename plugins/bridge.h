/*
 * bridge: what its parts share. The plugin is in three files: its configuration (bridge_conf.c), CHECK
 * (bridge_check.c), and the other verbs (bridge.c).
 *
 * Keys (default):
 *   bridge            string ("cni0")  the bridge; made if it is not there
 *   isGateway         bool (false)     the bridge gets the gateway's address; forwarding is enabled
 *   isDefaultGateway  bool (false)     isGateway, and a default route by it
 *   forceAddress      bool (false)     an address of the bridge that is in the way is replaced
 *   ipMasq            bool (false)     what leaves the subnet is masqueraded
 *   ipMasqBackend     string           "nftables" or "iptables"; absent: iptables if the host has it
 *   ipMasqRandomFully bool (false)     masquerade with source ports chosen at random (ours)
 *   vlan              int (0)          VLAN of the container's frames, 1..4094; 0 = none
 *   vlanTrunk         list             VLANs that pass with their tags: {"id"}, {"minID", "maxID"}
 *   preserveDefaultVlan bool (false)   the port stays in the bridge's default VLAN besides
 *   portIsolation     bool (false)     no frames between ports that have this
 *   disableContainerInterface bool (false)  the container's interface stays down; excludes ipam
 *   mtu               int (0)          bytes, of a new bridge and of the pair; 0 = kernel default;
 *                                      "auto" = that of the host's default route
 *   hairpinMode       bool (false)     the port sends frames back where they came from
 *   promiscMode       bool (false)     the bridge is promiscuous
 *   macspoofchk       bool (false)     what the container sends with another source MAC is dropped
 *   enabledad         bool (false)     IPv6 addresses are used only if nobody else has them
 *   acceptRA          bool (false)     the container may heed router advertisements
 *   ipam, dns         objects          see SPEC.md; without ipam the port is layer 2 only
 *   runtimeConfig.mac, args.cni.mac, CNI_ARGS MAC   the container's MAC
 */
#ifndef BRIDGE_H
#define BRIDGE_H

#include "iface.h"
#include "masq.h"
#include "nl_brport.h"
#include "nl_link.h"
#include "plugin.h"

/** The configuration, with defaults filled in. Strings and lists are borrowed from the request. */
struct bridge_conf {
	const char *bridge;
	struct cni_masq_conf masq;
	json_int_t mtu; /**< may be CNI_JSON_AUTO */
	json_int_t vlan;
	json_t *vlan_trunk;
	bool is_gw, is_default_gw, force_address, ip_masq, promisc;
	bool macspoofchk, no_cont_iface, keep_default_vlan;
	bool filter_vlans; /**< a new bridge does so: there is a VLAN key, though perhaps an empty one */
	struct cni_iface_mode mode; /**< enabledad, acceptRA */
	struct cni_brport port; /**< hairpinMode, portIsolation, and what the VLAN keys come to */
	bool has_mac;
	uint8_t mac[CNI_MAC_LEN];
};

/**
 * Read the keys, and check their types and what they say of VLANs: all that STATUS needs.
 * @param ret  also on failure set to defaults
 * @return 0; -EINVAL
 */
int bridge_read_keys(const struct cni_args *args, struct bridge_conf *ret,
		     struct cni_error *err) cni_must_check;

/** Read the keys and CNI_ARGS, and check every value. @return 0; -EINVAL */
int bridge_read(const struct cni_args *args, struct bridge_conf *ret,
		struct cni_error *err) cni_must_check;

/**
 * Refuse VLANs on a bridge that does not keep them apart.
 * @param br  the bridge, which was there before
 * @return 0; -EOPNOTSUPP
 */
int bridge_check_filtering(const struct bridge_conf *c, const struct cni_link *br,
			   struct cni_error *err) cni_must_check;

/** The verb CHECK. @return 0; negative errno */
int bridge_check(const struct cni_args *args, struct cni_error *err);

#endif
