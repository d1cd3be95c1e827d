/*
 * bridge: CHECK, that what ADD made is still so. Everything that is wrong is reported at once; what
 * cannot be there because something else is missing (a port without its bridge) is not told apart.
 */
#include "bridge.h"
#include "conf.h"
#include "delegate.h"
#include "ends.h"
#include "gateway.h"
#include "iface_check.h"
#include "masq.h"
#include "spoof.h"
#include "vlan_gateway.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* @return whether there is a bridge, so that its ports and addresses can be looked at */
static bool bridge_check_bridge(struct cni_nl *host, const struct bridge_conf *c,
				const struct cni_result *prev, struct cni_link *br,
				struct cni_faults *f)
{
	const struct cni_iface *entry = cni_check_entry(prev, c->bridge, false);
	char mac[CNI_MAC_STRLEN];
	struct cni_fault fault;

	if (!entry)
		cni_faults_add(f, &(struct cni_fault){ "result", c->bridge, c->bridge, NULL },
			       "Interface name missing %s", c->bridge);
	if (!cni_check_exists(host, c->bridge, br, f))
		return false;
	if (strcmp(br->kind, "bridge") != 0) {
		cni_faults_add(f, &(struct cni_fault){ "kind", br->name, "bridge", br->kind },
			       "Interface %s does not have link type of bridge", br->name);
		return false;
	}
	/* Without an address the MAC of a bridge may float with its ports. */
	if (c->is_gw && entry && cni_check_mac_differs(entry, br, &fault, mac))
		cni_faults_add(f, &fault, "Bridge interface %s Mac doesn't match: %s", br->name,
			       entry->mac);
	/* The flag, not the counter: somebody's tcpdump is no fault. */
	if (c->promisc && !(br->flags & IFF_PROMISC))
		cni_faults_add(f, &(struct cni_fault){ "promiscuous", br->name, "on", "off" },
			       "Bridge interface %s configured Promisc Mode true doesn't match "
			       "current state: false",
			       br->name);
	cni_check_up(br, f);
	return true;
}

/* The host end is there: is it a port of the bridge, if there is one, and in the result? */
static void bridge_check_place(struct cni_nl *host, const char *bridge, const struct cni_link *br,
			       const struct cni_link *end, bool named, struct cni_faults *f)
{
	struct cni_fault fault = { "port", end->name, bridge, NULL };
	struct cni_link master;

	if (br && end->master != br->index) {
		if (end->master && cni_link_get_index(host, end->master, &master) == 0)
			fault.have = master.name;
		cni_faults_add(
			f, &fault,
			"CNI veth created for bridge %s was not found: the host end %s is in %s",
			bridge, end->name, fault.have ? fault.have : "no bridge");
	} else if (!named) {
		fault = (struct cni_fault){ "result", end->name, end->name, NULL };
		cni_faults_add(f, &fault,
			       "CNI veth created for bridge %s was not found: the host end %s is "
			       "not in prevResult",
			       bridge, end->name);
	}
}

/* What a port is beyond what was asked for is somebody else's doing, and no fault. */
static void bridge_check_flags(const struct bridge_conf *c, const struct cni_link *end,
			       struct cni_faults *f)
{
	static const char text[] =
		"Interface %s configured %s true doesn't match current state: false";

	if (c->port.hairpin && !end->port.hairpin)
		cni_faults_add(f, &(struct cni_fault){ "hairpin", end->name, "on", "off" }, text,
			       end->name, "hairpinMode");
	if (c->port.isolated && !end->port.isolated)
		cni_faults_add(f, &(struct cni_fault){ "isolation", end->name, "on", "off" }, text,
			       end->name, "portIsolation");
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

static void bridge_check_vlans(struct cni_nl *host, const struct bridge_conf *c,
			       const struct cni_link *br, const struct cni_link *end,
			       struct cni_faults *f)
{
	struct cni_brport_vlans have;
	struct cni_error why = { 0 };
	char odd[16];
	int r;

	if (c->port.vlans.native == 0)
		return;
	if (bridge_check_filtering(c, br, &why) < 0) {
		cni_faults_add_error(f, "vlan", &why);
		return;
	}
	r = cni_brport_get_vlans(host, end->index, &have);
	if (r == -EOPNOTSUPP)
		return; /* an old kernel cannot tell */
	if (r < 0) {
		cni_check_failed(f, host, r, "failed to list the VLANs of \"%s\"", end->name);
		return;
	}
	snprintf(odd, sizeof(odd), "%u",
		 bridge_odd_vlan(&c->port.vlans, &have, br->bridge.default_vlan));
	if (strcmp(odd, "0") != 0)
		cni_faults_add(f, &(struct cni_fault){ "vlan", end->name, odd, NULL },
			       "VLANs of bridge port %s don't match the configuration: VLAN %s is "
			       "not what \"vlan\" and \"vlanTrunk\" ask for",
			       end->name, odd);
}

/* The gateway's addresses are the bridge's, or those of its VLAN's own link. */
static void bridge_check_gateway(struct cni_nl *host, const struct bridge_conf *c,
				 const struct cni_link *br, const struct cni_result *prev,
				 struct cni_faults *f)
{
	struct cni_link link = *br;
	struct cni_error why = { 0 };
	char name[IFNAMSIZ];

	if (!c->is_gw || prev->n_ips == 0)
		return;
	if (c->vlan && (cni_vlan_gateway_check(host, br, (unsigned int)c->vlan, &why) < 0 ||
			cni_vlan_gateway_name(br->name, (unsigned int)c->vlan, name) < 0 ||
			cni_link_get(host, name, &link) < 0)) {
		cni_faults_add_error(f, "vlan", &why);
		return;
	}
	cni_gateway_check(host, &link, prev, f);
}

/* The other end of the container's veth; `br` is NULL if there is no bridge. */
static void bridge_check_port(const struct cni_args *args, struct cni_ends *e,
			      const struct bridge_conf *c, const struct cni_result *prev,
			      const struct cni_link *br, const struct cni_link *cont,
			      struct cni_faults *f)
{
	const struct cni_iface *entry;
	char mac[CNI_MAC_STRLEN];
	struct cni_fault fault;
	struct cni_link end;
	int r;

	r = cni_check_host_end(e, cont, &end, f);
	if (r < 0)
		return;
	if (r == 0) {
		cni_faults_add(f, &(struct cni_fault){ "port", cont->name, c->bridge, NULL },
			       "CNI veth created for bridge %s was not found: %s has no end here",
			       c->bridge, cont->name);
		return;
	}
	entry = cni_check_entry(prev, end.name, false);
	bridge_check_place(&e->host, c->bridge, br, &end, entry != NULL, f);
	if (entry && cni_check_mac_differs(entry, &end, &fault, mac))
		cni_faults_add(f, &fault, "Interface %s Mac doesn't match: %s not found", end.name,
			       entry->mac);
	cni_check_up(&end, f);
	cni_check_mtu(&end, c->mtu, f);
	bridge_check_flags(c, &end, f);
	if (br && end.master == br->index)
		bridge_check_vlans(&e->host, c, br, &end, f);
	if (c->macspoofchk)
		cni_spoof_check(args->containerid, args->ifname, end.name, cont->mac, f);
}

int bridge_check(const struct cni_args *args, struct cni_error *err)
{
	cni_auto(ends) struct cni_ends e = CNI_ENDS_INIT;
	cni_auto(result) struct cni_result prev = { 0 };
	struct cni_link br = { 0 }, cont;
	struct cni_error ipam = { 0 };
	struct cni_faults f = { 0 };
	struct bridge_conf c;
	bool has_bridge;
	int r;

	r = bridge_read(args, &c, err);
	if (r < 0)
		return r;
	r = cni_ends_open(args, &e, err);
	if (r < 0)
		return r;
	r = cni_conf_prev_result(args, &prev, err);
	if (r < 0)
		return r;
	if (cni_ipam_ask(args, CNI_CHECK, &ipam) < 0)
		cni_faults_add_error(&f, "ipam", &ipam);
	has_bridge = bridge_check_bridge(&e.host, &c, &prev, &br, &f);
	if (cni_check_link(args, &e.sbox, "veth", &prev, &cont, &f)) {
		bridge_check_port(args, &e, &c, &prev, has_bridge ? &br : NULL, &cont, &f);
		cni_check_addresses(&e.sbox, &cont, &prev, &f);
		if (!c.no_cont_iface)
			cni_check_up(&cont, &f);
	}
	if (has_bridge)
		bridge_check_gateway(&e.host, &c, &br, &prev, &f);
	if (c.ip_masq)
		cni_masq_check(args, &c.masq, &prev, &f);
	return cni_faults_report(&f, err);
}
