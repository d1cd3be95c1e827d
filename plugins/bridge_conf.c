/*
 * bridge: its configuration; see bridge.h.
 */
#include "bridge.h"
#include "conf.h"
#include "names.h"

#include <errno.h>
#include <string.h>

static int bridge_refuse(const char *key, const char *value, struct cni_error *err)
{
	return cni_fail(err, CNI_E_FIELD, 0, "unsupported field %s: %s is not supported yet", key,
			value);
}

/* Keys whose work is not done yet are refused, never passed over in silence. */
static int bridge_refuse_unsupported(const struct bridge_conf *c, struct cni_error *err)
{
	if (c->vlan != 0)
		return bridge_refuse("vlan", "a VLAN", err);
	if (c->vlan_trunk)
		return bridge_refuse("vlanTrunk", "a trunk", err);
	if (c->macspoofchk)
		return bridge_refuse("macspoofchk", "true", err);
	if (c->enabledad)
		return bridge_refuse("enabledad", "true", err);
	if (c->no_cont_iface)
		return bridge_refuse("disableContainerInterface", "true", err);
	if (c->isolation)
		return bridge_refuse("portIsolation", "true", err);
	return 0;
}

static int bridge_check_values(struct bridge_conf *c, struct cni_error *err)
{
	struct cni_error why = { 0 };

	if (!*c->bridge)
		return cni_invalid(err, "failed to create bridge \"\": bridge: the name is empty");
	if (cni_ifname_check(c->bridge, &why) < 0)
		return cni_invalid(err, "failed to create bridge \"%s\": bridge: %s", c->bridge,
				   why.msg);
	if (c->mtu > 65535)
		return cni_invalid(err, "mtu: %lld is more than 65535", (long long)c->mtu);
	if (c->vlan < 0 || c->vlan > 4094)
		return cni_invalid(err, "invalid VLAN ID %lld (must be between 0 and 4094)",
				   (long long)c->vlan);
	if (c->hairpin && c->promisc)
		return cni_invalid(err,
				   "cannot set hairpin mode and promiscuous mode at the same time");
	if (c->ip_masq && !cni_masq_knows(c->masq.backend))
		return cni_invalid(err, "unknown ipmasq backend \"%s\"", c->masq.backend);
	return 0;
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
		{ "mtu", CNI_JSON_INT, offsetof(struct bridge_conf, mtu) },
		{ "hairpinMode", CNI_JSON_BOOL, offsetof(struct bridge_conf, hairpin) },
		{ "promiscMode", CNI_JSON_BOOL, offsetof(struct bridge_conf, promisc) },
		{ "vlan", CNI_JSON_INT, offsetof(struct bridge_conf, vlan) },
		{ "vlanTrunk", CNI_JSON_ARRAY, offsetof(struct bridge_conf, vlan_trunk) },
		{ "macspoofchk", CNI_JSON_BOOL, offsetof(struct bridge_conf, macspoofchk) },
		{ "enabledad", CNI_JSON_BOOL, offsetof(struct bridge_conf, enabledad) },
		{ "disableContainerInterface", CNI_JSON_BOOL,
		  offsetof(struct bridge_conf, no_cont_iface) },
		{ "preserveDefaultVlan", CNI_JSON_BOOL,
		  offsetof(struct bridge_conf, keep_default_vlan) },
		{ "portIsolation", CNI_JSON_BOOL, offsetof(struct bridge_conf, isolation) },
	};
	int r;

	*ret = (struct bridge_conf){ .bridge = "cni0", .masq.backend = "" };
	r = cni_conf_check_types(args, err);
	if (r == 0)
		r = cni_json_read(args->conf, "", fields, CNI_ARRAY_SIZE(fields), ret, err);
	if (r < 0)
		cni_error_prefix(err, "failed to load netconf");
	ret->is_gw |= ret->is_default_gw;
	return r;
}

int bridge_read(const struct cni_args *args, struct bridge_conf *ret, struct cni_error *err)
{
	int r;

	r = bridge_read_keys(args, ret, err);
	if (r < 0)
		return r;
	r = bridge_check_values(ret, err);
	if (r < 0)
		return r;
	r = cni_conf_mac(args, ret->mac, err);
	if (r < 0)
		return r;
	ret->has_mac = r > 0;
	return bridge_refuse_unsupported(ret, err);
}
