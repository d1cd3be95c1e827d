/*
 * bridge: connects a container to a bridge on the host by a veth pair. Its keys: bridge.h.
 */
#include "bridge.h"
#include "conf.h"
#include "delegate.h"
#include "ends.h"
#include "gateway.h"
#include "iface.h"
#include "masq.h"
#include "mtu.h"
#include "netns.h"
#include "port.h"
#include "routes.h"
#include "spoof.h"
#include "sysctl.h"
#include "vlan_gateway.h"

#include <errno.h>
#include <linux/if.h>
#include <string.h>

/* Places in the result's list of interfaces; a VLAN's gateway comes last. */
enum { RESULT_BRIDGE, RESULT_HOST, RESULT_CONTAINER };

/* ---- ADD, step by step ---- */

static const char *bridge_vlan_key(const struct bridge_conf *c)
{
	return c->vlan ? "vlan" : "vlanTrunk";
}

static void bridge_blame_kernel(const struct bridge_conf *c, struct cni_error *err)
{
	cni_error_detail(err,
			 "\"%s\" needs a kernel with VLANs of bridges "
			 "(CONFIG_BRIDGE_VLAN_FILTERING)",
			 bridge_vlan_key(c));
}

/* It is not switched over: tagged frames of its other ports would stop passing, and they are not ours. */
int bridge_check_filtering(const struct bridge_conf *c, const struct cni_link *br,
			   struct cni_error *err)
{
	if (c->port.vlans.native == 0 || br->bridge.filters_vlans)
		return 0;
	cni_fail(err, CNI_E_INTERNAL, 0,
		 "bridge \"%s\" does not filter VLANs, so \"%s\" would keep nothing apart",
		 br->name, bridge_vlan_key(c));
	if (!br->bridge.knows_vlans)
		bridge_blame_kernel(c, err);
	else
		cni_error_detail(
			err,
			"`ip link set %s type bridge vlan_filtering 1` switches it on for all "
			"ports; a network without VLANs that may be the first to make this "
			"bridge does so with \"vlanTrunk\": []",
			br->name);
	return -EOPNOTSUPP;
}

/* The bridge, up. Shared by all containers, so never undone; `created` tells that it is bare. */
static int bridge_ensure(struct cni_nl *host, const struct bridge_conf *c, struct cni_link *br,
			 bool *created, struct cni_error *err)
{
	unsigned int want = IFF_UP | (c->promisc ? IFF_PROMISC : 0);
	int r;

	*created = false;
	r = cni_link_get(host, c->bridge, br);
	if (r == -ENODEV) {
		r = cni_bridge_create(host, c->bridge, c->mtu > 0 ? (unsigned int)c->mtu : 0,
				      c->filter_vlans);
		*created = r == 0;
		if (r == 0 || r == -EEXIST)
			r = cni_link_get(host, c->bridge, br);
	}
	if (r < 0) {
		cni_nl_fail(host, err, r, "failed to create bridge \"%s\": could not add \"%s\"",
			    c->bridge, c->bridge);
		if (r == -EOPNOTSUPP && c->filter_vlans)
			bridge_blame_kernel(c, err);
		return r;
	}
	if (strcmp(br->kind, "bridge") != 0)
		return cni_invalid(
			err,
			"failed to create bridge \"%s\": \"%s\" already exists but is not a bridge",
			c->bridge, c->bridge);
	r = bridge_check_filtering(c, br, err);
	if (r == 0 && !*created)
		r = cni_mtu_check_port(host, br, c->mtu, err);
	if (r < 0)
		return r;
	if (br->accept_ra) /* by its own name: the configuration may call it by another */
		cni_sysctl_ignore_advertisements(br->name);
	if ((br->flags & want) == want)
		return 0;
	r = cni_link_set_flags(host, br->index, want, want);
	return r < 0 ? cni_nl_fail(host, err, r, "failed to set bridge \"%s\" up", c->bridge) : 0;
}

/* What a killed ADD may have left beside its pair. */
static int bridge_clear(const struct cni_args *args, struct cni_error *err)
{
	int r = cni_masq_del(args, err);

	if (r == 0)
		r = cni_spoof_del(args->name, args->containerid, args->ifname, err);
	return r < 0 ? r : cni_ipam_ask(args, CNI_DEL, err);
}

static int bridge_add_port(const struct cni_args *args, struct cni_ends *e,
			   const struct bridge_conf *c, const struct cni_link *br,
			   struct cni_undo *undo, struct cni_port *port, struct cni_error *err)
{
	struct cni_veth_spec spec = {
		.bridge = br->index,
		.mtu = c->mtu > 0 ? (unsigned int)c->mtu : 0,
		.mac = c->has_mac ? c->mac : NULL,
	};

	return cni_port_create(args, e, &spec, bridge_clear, undo, port, err);
}

/* Before the container's end is up, so that no frame passes another way. */
static int bridge_set_port(const struct bridge_conf *c, const struct cni_link *br,
			   const struct cni_port *port, struct cni_error *err)
{
	struct cni_nl *host = port->host;
	int r;

	if (!cni_brport_is_special(&c->port))
		return 0;
	r = cni_brport_set(host, port->host_end.index, &c->port, br->bridge.default_vlan);
	return r < 0 ? cni_nl_fail(host, err, r, "failed to set up bridge port \"%s\"",
				   port->host_name)
		     : 0;
}

static void bridge_undo_spoofchk(void *ctx)
{
	const struct cni_args *args = ctx;
	struct cni_error err = { 0 };

	if (cni_spoof_del(args->name, args->containerid, args->ifname, &err) < 0)
		cni_note("undo of ADD: %s", err.msg);
}

static int bridge_check_spoofing(const struct cni_args *args, const struct cni_port *port,
				 struct cni_undo *undo, struct cni_error *err)
{
	int r = cni_spoof_add(port, err);

	if (r == 0)
		cni_undo_push(undo, bridge_undo_spoofchk, (void *)args);
	return r;
}

/* One without a gateway gets this one, and is the same, unless its table, weight or scope is another. */
static bool bridge_has_default_route(const struct cni_result *res, sa_family_t family)
{
	for (size_t i = 0; i < res->n_routes; i++) {
		const struct cni_route *r = &res->routes[i];
		bool plain = !r->has_table && r->priority <= 0 && !(r->has_scope && r->scope);

		if (r->dst.ip.family == family && cni_prefix_is_default(&r->dst) &&
		    (r->gw.family != AF_UNSPEC || plain))
			return true;
	}
	return false;
}

/* Give addresses their interface and gateway, and the result its default routes. */
static int bridge_plan(const struct bridge_conf *c, struct cni_result *res, struct cni_error *err)
{
	for (size_t i = 0; i < res->n_ips; i++) {
		struct cni_ipconf *ip = &res->ips[i];
		struct cni_route route = { .dst.ip.family = ip->address.ip.family };

		ip->iface = RESULT_CONTAINER;
		if (c->is_gw && ip->gateway.family == AF_UNSPEC) {
			ip->gateway = cni_prefix_network(&ip->address);
			if (cni_ip_next(&ip->gateway) < 0)
				return cni_invalid(
					err, "no gateway address after the last one there is");
		}
		if (!c->is_default_gw || bridge_has_default_route(res, route.dst.ip.family))
			continue;
		route.gw = ip->gateway;
		if (cni_result_add_route(res, &route) < 0)
			return cni_fail(err, CNI_E_INTERNAL, ENOMEM, "add default route");
	}
	return 0;
}

/*
 * The interfaces of the result. A bridge that is not of our making may have changed its MAC. One whose first port this
 * is can send when the kernel's link watcher has seen it: who asks for the link need not wait for that.
 */
static int bridge_list_ifaces(const struct cni_args *args, struct cni_link *br,
			      const struct cni_port *port, const struct cni_gateway *gw,
			      struct cni_result *res, struct cni_error *err)
{
	char mac[CNI_MAC_STRLEN];
	int r = br->operstate == IF_OPER_UP ? cni_link_get_mac(port->host, br->name, br->mac)
					    : cni_link_get_index(port->host, br->index, br);

	if (r < 0)
		return cni_nl_fail(port->host, err, r, "failed to lookup bridge");
	r = cni_result_add_iface(res, br->name, cni_mac_format(br->mac, mac), NULL);
	if (r == 0)
		r = cni_result_add_iface(res, port->host_name,
					 cni_mac_format(port->host_end.mac, mac), NULL);
	if (r == 0)
		r = cni_result_add_iface(res, args->ifname, cni_mac_format(port->cont_end.mac, mac),
					 args->netns);
	if (r == 0 && gw->link.index != br->index)
		r = cni_result_add_iface(res, gw->link.name, cni_mac_format(gw->link.mac, mac),
					 NULL);
	return r;
}

/* Layer 2 only: both ends up, and that is all. */
static int bridge_set_up(const struct bridge_conf *c, struct cni_ends *e, struct cni_port *port,
			 struct cni_error *err)
{
	int r = cni_port_open(port, err);

	if (r < 0 || c->no_cont_iface)
		return r;
	r = cni_link_set_flags(&e->sbox, port->cont_end.index, IFF_UP, IFF_UP);
	return r < 0 ? cni_nl_fail(&e->sbox, err, r, "failed to set \"%s\" up", port->cont_end.name)
		     : 0;
}

/* The gateway's addresses are the bridge's, or those of its VLAN's own link. */
static int bridge_ensure_gateway(const struct bridge_conf *c, struct cni_gateway *gw,
				 const struct cni_result *res, struct cni_error *err)
{
	const struct cni_link br = gw->link;
	int r = 0;

	if (c->vlan) {
		gw->what = "vlan interface for bridge with addr";
		r = cni_vlan_gateway_ensure(gw->host, &br, (unsigned int)c->vlan,
					    c->keep_default_vlan, &gw->link, &gw->bare, err);
	}
	return r < 0 ? r : cni_gateway_ensure(gw, res, err);
}

static int bridge_open(struct cni_ends *e, struct cni_port *port, struct cni_error *err)
{
	int r = cni_port_open(port, err);

	return r < 0 ? r : cni_iface_open(&e->sbox, &port->cont_end, err);
}

/*
 * Layer 3: addresses of IPAM, in the container and on the bridge. Up is the last but the routes, which need it;
 * but the kernel asks once who else has an address, and a port that does not forward yet loses the question.
 */
static int bridge_add_addresses(const struct cni_args *args, struct cni_ends *e,
				const struct bridge_conf *c, struct cni_gateway *gw,
				struct cni_port *port, struct cni_undo *undo,
				struct cni_result *res, struct cni_error *err)
{
	bool up_first = c->mode.detect_duplicates;
	int r;

	r = cni_ipam_add(args, undo, res, err);
	if (r < 0)
		return r;
	r = bridge_plan(c, res, err);
	if (r < 0)
		return r;
	r = cni_iface_prepare(&e->sbox, &port->cont_end, &c->mode, res, err);
	if (r == 0 && up_first)
		r = bridge_open(e, port, err);
	if (r == 0 && up_first)
		r = cni_port_wait(port, err);
	if (r < 0)
		return r;
	r = cni_iface_add_addresses(&e->sbox, &port->cont_end, RESULT_CONTAINER, &c->mode, res,
				    err);
	if (r == 0)
		r = cni_iface_settle(&e->sbox, &port->cont_end, RESULT_CONTAINER, &c->mode, res,
				     err);
	if (r < 0)
		return r;
	r = c->is_gw ? bridge_ensure_gateway(c, gw, res, err) : 0;
	if (r == 0 && c->ip_masq)
		r = cni_masq_add(args, &c->masq, res, undo, err);
	if (r == 0 && !up_first)
		r = bridge_open(e, port, err);
	return r < 0 ? r : cni_routes_add(&e->sbox, &port->cont_end, &c->mode, res, err);
}

/* Not before the port forwards: what is announced earlier is lost. */
static void bridge_announce(struct cni_ends *e, const struct cni_gateway *gw,
			    const struct cni_port *port, const struct cni_result *res)
{
	cni_iface_forget(&e->host, gw->link.index, res);
	cni_iface_announce(&e->sbox, &port->cont_end);
}

static int bridge_add(const struct cni_args *args, struct cni_result *res, struct cni_error *err)
{
	cni_auto(ends) struct cni_ends e = CNI_ENDS_INIT;
	bool layer3 = *cni_conf_ipam_type(args), made;
	struct cni_port port = { 0 };
	struct bridge_conf c;
	struct cni_gateway gw;
	struct cni_link br;
	cni_auto(undo) struct cni_undo undo = { 0 };
	int r;

	r = bridge_read(args, &c, err);
	if (r < 0)
		return r;
	r = layer3 ? 0 : cni_conf_check_layer2(args, err);
	if (r < 0)
		return r;
	r = cni_ends_open(args, &e, err);
	if (r < 0)
		return r;
	r = cni_mtu_resolve(&e.host, &c.mtu, err);
	if (r < 0)
		return r;
	r = bridge_ensure(&e.host, &c, &br, &made, err);
	if (r < 0)
		return r;
	r = bridge_add_port(args, &e, &c, &br, &undo, &port, err);
	if (r < 0)
		return r;
	r = c.macspoofchk ? bridge_check_spoofing(args, &port, &undo, err) : 0;
	if (r < 0)
		return r;
	r = bridge_set_port(&c, &br, &port, err);
	if (r < 0)
		return r;
	gw = (struct cni_gateway){ .host = &e.host, .link = br, .what = "bridge addr" };
	gw.bare = made;
	gw.force = c.force_address;
	r = layer3 ? bridge_add_addresses(args, &e, &c, &gw, &port, &undo, res, err)
		   : bridge_set_up(&c, &e, &port, err);
	if (r < 0)
		return r;
	r = c.no_cont_iface ? cni_port_look(&port, err) : cni_port_wait(&port, err);
	if (r == 0 && layer3)
		r = cni_iface_wait(&e.sbox, &port.cont_end, RESULT_CONTAINER, res, err);
	if (r == 0 && layer3)
		bridge_announce(&e, &gw, &port, res);
	if (r == 0)
		r = bridge_list_ifaces(args, &br, &port, &gw, res, err);
	if (r == 0)
		r = cni_conf_apply_dns(args, res, err);
	if (r == 0)
		r = cni_port_finish(&port, err);
	if (r == 0)
		cni_undo_disarm(&undo);
	return r;
}

/* ---- DEL: every step runs; none needs more than network, container id and interface name ---- */

/*
 * After rules and after links that were removed the kernel waits until no packet is there any more: for both
 * at once, if the rules go first. Nothing leaves unmasqueraded meanwhile, because nothing leaves.
 */
static int bridge_stop_masquerading(const struct cni_args *args, struct cni_error *err)
{
	struct cni_error ignored = { 0 };
	struct bridge_conf c;

	if (bridge_read_keys(args, &c, &ignored) == 0 && c.ip_masq)
		cni_port_silence(args);
	return cni_masq_del(args, err);
}

/* The addresses are free for others. Nothing but a courtesy: the next ADD does it, too. */
static void bridge_forget_neighbours(const struct cni_args *args)
{
	cni_auto(result) struct cni_result prev = { 0 };
	cni_auto(nl) struct cni_nl host = CNI_NL_INIT;
	struct cni_error ignored = { 0 };
	char name[IFNAMSIZ] = "";
	struct bridge_conf c;
	struct cni_link link;

	if (bridge_read_keys(args, &c, &ignored) < 0 ||
	    cni_conf_prev_result(args, &prev, &ignored) < 0 || prev.n_ips == 0)
		return;
	if (c.vlan > 0 && c.vlan <= CNI_VLAN_LAST &&
	    cni_vlan_gateway_name(c.bridge, (unsigned int)c.vlan, name) < 0)
		return;
	if (cni_nl_open(&host, -1, &ignored) == 0 &&
	    cni_link_get(&host, *name ? name : c.bridge, &link) == 0)
		cni_iface_forget(&host, link.index, &prev);
}

static int bridge_del(const struct cni_args *args, struct cni_error *err)
{
	int masq = bridge_stop_masquerading(args, err);
	int link = cni_port_remove(args, err);
	int ipam = cni_ipam_ask(args, CNI_DEL, err);
	int spoof = 0;

	if (link == 0) /* while the link is there, it stays checked */
		spoof = cni_spoof_del(args->name, args->containerid, args->ifname, err);
	bridge_forget_neighbours(args);
	return masq < 0 ? masq : link < 0 ? link : ipam < 0 ? ipam : spoof;
}

/* ---- GC, STATUS ---- */

static int bridge_gc(const struct cni_args *args, struct cni_error *err)
{
	int known = cni_conf_knows_valid(args, err), link, ipam, masq, spoof;

	if (known < 0)
		return known;
	link = known ? cni_port_gc(args, err) : 0;
	spoof = known && link == 0 ? cni_spoof_gc(args, err) : 0;
	masq = known ? cni_masq_gc(args, err) : 0;
	ipam = cni_ipam_ask(args, CNI_GC, err);
	return link < 0 ? link : spoof < 0 ? spoof : masq < 0 ? masq : ipam;
}

/* An ADD of VLANs would fail on a bridge that does not filter them. */
static int bridge_status_vlans(const struct bridge_conf *c, struct cni_error *err)
{
	cni_auto(nl) struct cni_nl host = CNI_NL_INIT;
	struct cni_link br;
	int r;

	if (c->port.vlans.native == 0)
		return 0;
	r = cni_nl_open(&host, -1, err);
	if (r < 0)
		return r;
	r = cni_link_get(&host, c->bridge, &br);
	if (r < 0 || strcmp(br.kind, "bridge") != 0)
		return 0; /* not made yet; of another kind is for ADD to say */
	r = bridge_check_filtering(c, &br, err);
	if (r < 0)
		err->code = CNI_E_UNAVAILABLE;
	return r;
}

static int bridge_status(const struct cni_args *args, struct cni_error *err)
{
	struct bridge_conf c;
	int r;

	r = bridge_read_keys(args, &c, err);
	if (r == 0)
		r = bridge_status_vlans(&c, err);
	return r < 0 ? r : cni_ipam_ask(args, CNI_STATUS, err);
}

const struct cni_plugin cni_plugin_bridge = {
	.name = "bridge",
	.oldest = CNI_V0_1_0,
	.add = bridge_add,
	.del = bridge_del,
	.check = bridge_check,
	.gc = bridge_gc,
	.status = bridge_status,
};
