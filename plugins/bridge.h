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
 *   mtu               int (0)          bytes, of a new bridge and of the pair; 0 = kernel default
 *   hairpinMode       bool (false)     the port sends frames back where they came from
 *   promiscMode       bool (false)     the bridge is promiscuous
 *   ipam, dns         objects          see SPEC.md; without ipam the port is layer 2 only
 *   runtimeConfig.mac, args.cni.mac, CNI_ARGS MAC   the container's MAC
 */
#ifndef BRIDGE_H
#define BRIDGE_H

#include "masq.h"
#include "plugin.h"

/** The configuration, with defaults filled in. Strings and lists are borrowed from the request. */
struct bridge_conf {
	const char *bridge;
	struct cni_masq_conf masq;
	json_int_t mtu, vlan;
	json_t *vlan_trunk;
	bool is_gw, is_default_gw, force_address, ip_masq, hairpin, promisc;
	bool macspoofchk, enabledad, no_cont_iface, isolation, keep_default_vlan;
	bool has_mac;
	uint8_t mac[CNI_MAC_LEN];
};

/**
 * Read the keys, their types only: all that STATUS needs.
 * @param ret  also on failure set to defaults
 * @return 0; -EINVAL
 */
int bridge_read_keys(const struct cni_args *args, struct bridge_conf *ret,
		     struct cni_error *err) cni_must_check;

/** Read the keys and CNI_ARGS, and check every value. @return 0; -EINVAL */
int bridge_read(const struct cni_args *args, struct bridge_conf *ret,
		struct cni_error *err) cni_must_check;

/** The verb CHECK. @return 0; negative errno */
int bridge_check(const struct cni_args *args, struct cni_error *err);

#endif
