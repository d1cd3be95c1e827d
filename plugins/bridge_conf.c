/*
 * bridge: its configuration; see bridge.h.
 */
#include "bridge.h"
#include "conf.h"
#include "mtu.h"
#include "names.h"
#include "vlan_gateway.h"

#include <errno.h>
#include <string.h>

/* What "vlan", "vlanTrunk" and "preserveDefaultVlan" come to. */
static int bridge_plan_vlans(struct bridge_conf *c, struct cni_error *err)
{
	struct cni_vlan_set trunk = { 0 };
	int r;

	if (c->vlan < 0 || c->vlan > CNI_VLAN_LAST)
		return cni_invalid(err, "invalid VLAN ID %lld (must be between 0 and %d)",
				   (long long)c->vlan, CNI_VLAN_LAST);
	r = cni_vlan_read_trunk(c->vlan_trunk, &trunk, err);
	if (r < 0)
		return r;
	c->filter_vlans = c->vlan || c->vlan_trunk;
	c->port.vlans = cni_vlan_port_plan((unsigned int)c->vlan, &trunk, c->keep_default_vlan);
	return 0;
}

/* What matters only where IPAM gives addresses. */
static int bridge_check_layer3(const struct bridge_conf *c, struct cni_error *err)
{
	char name[IFNAMSIZ];

	if (c->is_gw && c->vlan &&
	    cni_vlan_gateway_name(c->bridge, (unsigned int)c->vlan, name) < 0)
		return cni_invalid(
			err,
			"failed to create vlan interface: failed to create vlan gateway "
			"\"%s.%lld\": bridge: with the VLAN's number, the name is longer "
			"than %d characters",
			c->bridge, (long long)c->vlan, IFNAMSIZ - 1);
	if (c->ip_masq && !cni_masq_knows(c->masq.backend))
		return cni_invalid(err, "unknown ipmasq backend \"%s\"", c->masq.backend);
	return 0;
}

static int bridge_check_values(const struct cni_args *args, struct bridge_conf *c,
			       struct cni_error *err)
{
	struct cni_error why = { 0 };

	if (!*c->bridge)
		return cni_invalid(err, "failed to create bridge \"\": bridge: the name is empty");
	if (cni_ifname_check(c->bridge, &why) < 0)
		return cni_invalid(err, "failed to create bridge \"%s\": bridge: %s", c->bridge,
				   why.msg);
	if (cni_mtu_check(c->mtu, err) < 0)
		return -EINVAL;
	if (c->no_cont_iface && *cni_conf_ipam_type(args))
		return cni_invalid(err,
				   "cannot use IPAM when DisableContainerInterface flag is set");
	if (c->port.hairpin && c->promisc)
		return cni_invalid(err,
				   "cannot set hairpin mode and promiscuous mode at the same time");
	return *cni_conf_ipam_type(args) ? bridge_check_layer3(c, err) : 0;
}

int bridge_read_keys(const struct cni_args *args, struct bridge_conf *ret, struct cni_error *err)
{
	static const struct cni_json_field fields[] = {
		{ "bridge", CNI_JSON_STRING, offsetof(struct bridge_conf, bridge) },
		{ "isGateway", CNI_JSON_BOOL, offsetof(struct bridge_conf, is_gw) },
		{ "isDefaultGateway", CNI_JSON_BOOL, offsetof(struct bridge_conf, is_default_gw) },
		{ "forceAddress", CNI_JSON_BOOL, offsetof(struct bridge_conf, force_address) },
		{ "ipMasq", CNI_JSON_BOOL, offsetof(struct bridge_conf, ip_masq) },
		{ "ipMasqBackend", CNI_JSON_STRING, offsetof(struct bridge_conf, masq.backend) },
		{ "ipMasqRandomFully", CNI_JSON_BOOL,
		  offsetof(struct bridge_conf, masq.random_fully) },
		{ "mtu", CNI_JSON_INT_OR_AUTO, offsetof(struct bridge_conf, mtu) },
		{ "hairpinMode", CNI_JSON_BOOL, offsetof(struct bridge_conf, port.hairpin) },
		{ "promiscMode", CNI_JSON_BOOL, offsetof(struct bridge_conf, promisc) },
		{ "vlan", CNI_JSON_INT, offsetof(struct bridge_conf, vlan) },
		{ "vlanTrunk", CNI_JSON_ARRAY, offsetof(struct bridge_conf, vlan_trunk) },
		{ "macspoofchk", CNI_JSON_BOOL, offsetof(struct bridge_conf, macspoofchk) },
		{ "enabledad", CNI_JSON_BOOL,
		  offsetof(struct bridge_conf, mode.detect_duplicates) },
		{ "acceptRA", CNI_JSON_BOOL, offsetof(struct bridge_conf, mode.accept_ra) },
		{ "disableContainerInterface", CNI_JSON_BOOL,
		  offsetof(struct bridge_conf, no_cont_iface) },
		{ "preserveDefaultVlan", CNI_JSON_BOOL,
		  offsetof(struct bridge_conf, keep_default_vlan) },
		{ "portIsolation", CNI_JSON_BOOL, offsetof(struct bridge_conf, port.isolated) },
	};
	int r;

	*ret = (struct bridge_conf){ .bridge = "cni0", .masq.backend = "" };
	r = cni_conf_check_types(args, err);
	if (r == 0)
		r = cni_json_read(args->conf, "", fields, CNI_ARRAY_SIZE(fields), ret, err);
	ret->is_gw |= ret->is_default_gw;
	if (r == 0)
		return bridge_plan_vlans(ret, err);
	cni_error_prefix(err, "failed to load netconf");
	return r;
}

int bridge_read(const struct cni_args *args, struct bridge_conf *ret, struct cni_error *err)
{
	int r;

	r = bridge_read_keys(args, ret, err);
	if (r < 0)
		return r;
	r = bridge_check_values(args, ret, err);
	if (r < 0)
		return r;
	r = cni_conf_mac(args, "", "failed to make veth pair", ret->mac, err);
	if (r < 0)
		return r;
	ret->has_mac = r > 0;
	return 0;
}
