/*
 * bridge: CHECK, that what ADD made is still so.
 */
#include "bridge.h"
#include "conf.h"
#include "delegate.h"
#include "ends.h"
#include "iface_check.h"
#include "vlan_gateway.h"

#include <errno.h>
#include <string.h>

static int bridge_check_bridge(struct cni_nl *host, const struct bridge_conf *c,
			       const struct cni_result *prev, struct cni_link *br,
			       struct cni_error *err)
{
	const struct cni_iface *entry = cni_check_entry(prev, c->bridge, false);
	int r;

	if (!entry)
		return cni_fail(err, CNI_E_INTERNAL, 0, "Interface name missing %s", c->bridge);
	r = cni_link_get(host, c->bridge, br);
	if (r == -ENODEV)
		return cni_fail(err, CNI_E_INTERNAL, 0, "Interface name %s not found", c->bridge);
	if (r < 0)
		return cni_nl_fail(host, err, r, "failed to lookup \"%s\"", c->bridge);
	if (strcmp(br->kind, "bridge") != 0)
		return cni_fail(err, CNI_E_INTERNAL, 0,
				"Interface %s does not have link type of bridge", c->bridge);
	/* Without an address the MAC of a bridge may float with its ports. */
	if (c->is_gw && cni_check_mac_differs(entry, br))
		return cni_fail(err, CNI_E_INTERNAL, 0, "Bridge interface %s Mac doesn't match: %s",
				c->bridge, entry->mac);
	/* The flag, not the counter: somebody's tcpdump is no fault. */
	if (c->promisc && !(br->flags & IFF_PROMISC))
		return cni_fail(err, CNI_E_INTERNAL, 0,
				"Bridge interface %s configured Promisc Mode true doesn't match "
				"current state: false",
				c->bridge);
	return 0;
}

/* What a port is beyond what was asked for is somebody else's doing, and no fault. */
static int bridge_check_flags(const struct bridge_conf *c, const struct cni_link *end,
			      struct cni_error *err)
{
	bool hairpin = c->port.hairpin && !end->port.hairpin;

	if (!hairpin && (!c->port.isolated || end->port.isolated))
		return 0;
	return cni_fail(err, CNI_E_INTERNAL, 0,
			"Interface %s configured %s true doesn't match current state: false",
			end->name, hairpin ? "hairpinMode" : "portIsolation");
}

/* The first VLAN that a port has too much or too little; 0 = none. */
static unsigned int bridge_odd_vlan(const struct cni_vlan_port *want,
				    const struct cni_brport_vlans *have, unsigned int default_vlan)
{
	for (unsigned int id = CNI_VLAN_FIRST; id <= CNI_VLAN_LAST; id++) {
		bool tagged = cni_vlan_set_has(&want->tagged, id);

		/* The Go plugins before 1.8 let every port stay in the default VLAN. */
		if (id == default_vlan && id != want->native && !tagged)
			continue;
		if (tagged != cni_vlan_set_has(&have->tagged, id) ||
		    (id == want->native) != cni_vlan_set_has(&have->untagged, id))
			return id;
	}
	return want->native == have->native ? 0 : want->native;
}

static int bridge_check_vlans(struct cni_nl *host, const struct bridge_conf *c,
			      const struct cni_link *br, const struct cni_link *end,
			      struct cni_error *err)
{
	struct cni_brport_vlans have;
	unsigned int odd;
	int r;

	if (c->port.vlans.native == 0)
		return 0;
	r = bridge_check_filtering(c, br, err);
	if (r < 0)
		return r;
	r = cni_brport_get_vlans(host, end->index, &have);
	if (r == -EOPNOTSUPP)
		return 0; /* an old kernel cannot tell */
	if (r < 0)
		return cni_nl_fail(host, err, r, "failed to list the VLANs of \"%s\"", end->name);
	odd = bridge_odd_vlan(&c->port.vlans, &have, br->bridge.default_vlan);
	if (odd == 0)
		return 0;
	r = cni_fail(err, CNI_E_INTERNAL, 0,
		     "VLANs of bridge port %s don't match the configuration", end->name);
	cni_error_detail(err, "VLAN %u of %s is not what \"vlan\" and \"vlanTrunk\" ask for", odd,
			 end->name);
	return r;
}

/* The other end of the container's veth: in the result, and a port of the bridge. */
static int bridge_check_port(const struct cni_args *args, struct cni_nl *host,
			     const struct bridge_conf *c, const struct cni_result *prev,
			     const struct cni_link *br, const struct cni_link *cont,
			     struct cni_error *err)
{
	const struct cni_iface *entry;
	struct cni_link end;
	int r;

	r = cni_link_get_index(host, cont->peer, &end);
	if (r < 0 || strcmp(end.kind, "veth") != 0 || end.peer != cont->index ||
	    end.master != br->index || !cni_check_entry(prev, end.name, false)) {
		r = cni_fail(err, CNI_E_INTERNAL, 0, "CNI veth created for bridge %s was not found",
			     br->name);
		cni_error_detail(err, "the host end of %s is not the port of %s that ADD made",
				 args->ifname, br->name);
		return r;
	}
	entry = cni_check_entry(prev, end.name, false);
	if (cni_check_mac_differs(entry, &end))
		return cni_fail(err, CNI_E_INTERNAL, 0,
				"Interface %s Mac doesn't match: %s not found", end.name,
				entry->mac);
	r = bridge_check_flags(c, &end, err);
	return r < 0 ? r : bridge_check_vlans(host, c, br, &end, err);
}

/* The link that carries the addresses of a VLAN's gateway. */
static int bridge_check_gateway(struct cni_nl *host, const struct bridge_conf *c,
				const struct cni_link *br, const struct cni_result *prev,
				struct cni_error *err)
{
	if (!c->is_gw || !c->vlan || prev->n_ips == 0)
		return 0;
	return cni_vlan_gateway_check(host, br, (unsigned int)c->vlan, err);
}

int bridge_check(const struct cni_args *args, struct cni_error *err)
{
	cni_auto(ends) struct cni_ends e = CNI_ENDS_INIT;
	cni_auto(result) struct cni_result prev = { 0 };
	struct cni_link br = { 0 }, cont;
	struct bridge_conf c;
	int r;

	r = bridge_read(args, &c, err);
	if (r < 0)
		return r;
	r = cni_ends_open(args, &e, err);
	if (r < 0)
		return r;
	r = cni_ipam_ask(args, CNI_CHECK, err);
	if (r < 0)
		return r;
	r = cni_conf_prev_result(args, &prev, err);
	if (r < 0)
		return r;
	r = bridge_check_bridge(&e.host, &c, &prev, &br, err);
	if (r < 0)
		return r;
	r = cni_check_link(args, &e.sbox, "veth", &prev, &cont, err);
	if (r < 0)
		return r;
	r = bridge_check_port(args, &e.host, &c, &prev, &br, &cont, err);
	if (r < 0)
		return r;
	r = bridge_check_gateway(&e.host, &c, &br, &prev, err);
	return r < 0 ? r : cni_check_addresses(&e.sbox, &cont, &prev, err);
}
