/*
 * Source address check of a bridge port (the Go plugins' "macspoofchk"): what a container sends with
 * another source MAC than its interface has is dropped, in nf_tables' bridge family.
 *
 * Table, chains, rules and comments are those of the Go plugins, so either implementation removes what
 * the other one added: in table "bridge nat", chain PREROUTING jumps for the host end's name to
 * "cni-br-iface-<id>", and that to "cni-br-iface-<id>-mac", which returns for the MAC and drops the rest.
 * <id> is "<container id>-<interface>", or a hash of it where a chain's name has no room. The jump also
 * carries its owner (names.h), which nft does not show: <id> does not tell the network.
 */
#ifndef CNI_SPOOF_H
#define CNI_SPOOF_H

#include "faults.h"
#include "port.h"

/**
 * Let the container send with its own MAC only. All of it is made in one transaction; what was left
 * under the same names is replaced, because a container has but one interface of a name.
 *
 * @param port  host_name and cont_end.mac are what the rules hold
 * @return 0; -EEXIST if somebody else's are called the same; other negative errno: nothing was added
 */
int cni_spoof_add(const struct cni_port *port, struct cni_error *err) cni_must_check;

/**
 * Check that the container's frames come by the rules, and that these let its MAC through.
 * @param host_name  the host end
 * @param mac        the container's end's
 */
void cni_spoof_check(const char *containerid, const char *ifname, const char *host_name,
		     const uint8_t mac[static CNI_MAC_LEN], struct cni_faults *f);

/**
 * Remove the rules and chains of an attachment, and those of the Go plugins for this container and
 * interface. Lists chain PREROUTING only if there is a chain of that name whose jump is not near.
 * @return 0, also if there is none or the kernel has no nf_tables; negative errno
 */
int cni_spoof_del(const char *net, const char *containerid, const char *ifname,
		  struct cni_error *err) cni_must_check;

/**
 * Remove rules and chains of a network that belong to no valid attachment (conf.h,
 * cni_conf_next_valid). Those of the Go plugins do not tell their network, and stay.
 * @return 0; negative errno
 */
int cni_spoof_gc(const struct cni_args *args, struct cni_error *err) cni_must_check;

#endif
