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
#include "netns.h"
#include "port.h"
#include "sysctl.h"

#include <errno.h>
#include <string.h>

/* Places in the result's list of interfaces. */
enum { RESULT_BRIDGE, RESULT_HOST, RESULT_CONTAINER };

/* ---- ADD, step by step ---- */

/* The bridge, up. Shared by all containers, so never undone; `created` tells that it is bare. */
static int bridge_ensure(struct cni_nl *host, const struct bridge_conf *c, struct cni_link *br,
			 bool *created, struct cni_error *err)
{
	unsigned int want = IFF_UP | (c->promisc ? IFF_PROMISC : 0);
	struct cni_sysctl accept_ra;
	int r;

	*created = false;
	r = cni_link_get(host, c->bridge, br);
	if (r == -ENODEV) {
		r = cni_bridge_create(host, c->bridge, c->mtu > 0 ? (unsigned int)c->mtu : 0);
		*created = r == 0;
		if (r == 0 || r == -EEXIST)
			r = cni_link_get(host, c->bridge, br);
	}
	if (r < 0)
		return cni_nl_fail(host, err, r,
				   "failed to create bridge \"%s\": could not add \"%s\"",
				   c->bridge, c->bridge);
	if (strcmp(br->kind, "bridge") != 0)
		return cni_invalid(
			err,
			"failed to create bridge \"%s\": \"%s\" already exists but is not a bridge",
			c->bridge, c->bridge);
	cni_sysctl_init(&accept_ra, "0", false, "ipv6/conf/%s/accept_ra", c->bridge);
	(void)!cni_sysctl_write(-1, &accept_ra, 1, NULL); /* fails where IPv6 is off: fine */
	if ((br->flags & want) == want)
		return 0;
	r = cni_link_set_flags(host, br->index, want, want);
	return r < 0 ? cni_nl_fail(host, err, r, "failed to set bridge \"%s\" up", c->bridge) : 0;
}

/* A killed ADD left the pair, and perhaps addresses and rules: take them away as its DEL would. */
static int bridge_clear_leftover(const struct cni_args *args, struct cni_ends *e,
				 struct cni_error *err)
{
	int r;

	r = cni_port_is_leftover(&e->host, &e->sbox, args->ifname);
	if (r < 0)
		return cni_nl_fail(&e->host, err, r, "failed to look at \"%s\"", args->ifname);
	if (r == 0) {
		cni_fail(err, CNI_E_INTERNAL, 0, "container veth name (\"%s\") already exists",
			 args->ifname);
		cni_error_detail(err,
				 "the container has an interface of this name; DEL removes it");
		return -EEXIST;
	}
	r = cni_masq_del(args, err);
	if (r == 0)
		r = cni_ipam_ask(args, CNI_DEL, err);
	if (r < 0)
		return r;
	r = cni_link_del(&e->sbox, args->ifname);
	return r < 0 && r != -ENODEV
		       ? cni_nl_fail(&e->sbox, err, r, "failed to delete \"%s\"", args->ifname)
		       : 0;
}

static int bridge_add_port(const struct cni_args *args, struct cni_ends *e,
			   const struct bridge_conf *c, const struct cni_link *br,
			   struct cni_undo *undo, struct cni_port *port, struct cni_error *err)
{
	struct cni_veth_spec spec = {
		.ifname = args->ifname,
		.netns_fd = e->netns,
		.bridge = br->index,
		.mtu = c->mtu > 0 ? (unsigned int)c->mtu : 0,
		.mac = c->has_mac ? c->mac : NULL,
	};
	int r;

	r = cni_port_create(&e->host, &e->sbox, &spec, undo, port, err);
	if (r == -EEXIST) {
		r = bridge_clear_leftover(args, e, err);
		if (r == 0)
			r = cni_port_create(&e->host, &e->sbox, &spec, undo, port, err);
		if (r == -EEXIST)
			cni_fail(err, CNI_E_INTERNAL, 0,
				 "container veth name (\"%s\") already exists", args->ifname);
	}
	if (r < 0 || !c->hairpin)
		return r;
	r = cni_bridge_port_set_hairpin(&e->host, port->host_name, true);
	return r < 0 ? cni_nl_fail(&e->host, err, r, "failed to set hairpin mode of \"%s\"",
				   port->host_name)
		     : 0;
}

static bool bridge_has_default_route(const struct cni_result *res, sa_family_t family)
{
	for (size_t i = 0; i < res->n_routes; i++)
		if (res->routes[i].dst.ip.family == family &&
		    cni_prefix_is_default(&res->routes[i].dst))
			return true;
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

static void bridge_undo_masq(void *ctx)
{
	const struct cni_args *args = ctx;
	struct cni_error err = { 0 };

	if (cni_masq_del(args, &err) < 0)
		cni_note("undo of ADD: %s", err.msg);
}

static int bridge_masquerade(const struct cni_args *args, const struct bridge_conf *c,
			     const struct cni_result *res, struct cni_undo *undo,
			     struct cni_error *err)
{
	int r;

	r = cni_masq_add(args, &c->masq, res, err);
	if (r == 0)
		cni_undo_push(undo, bridge_undo_masq, (void *)args);
	return r;
}

/* The interfaces of the result. A bridge that is not of our making may have changed its MAC. */
static int bridge_list_ifaces(const struct cni_args *args, struct cni_nl *host, struct cni_link *br,
			      bool bare, const struct cni_port *port, struct cni_result *res,
			      struct cni_error *err)
{
	char mac[CNI_MAC_STRLEN];
	int r = bare ? 0 : cni_link_get_index(host, br->index, br);

	if (r < 0)
		return cni_nl_fail(host, err, r, "failed to lookup bridge");
	r = cni_result_add_iface(res, br->name, cni_mac_format(br->mac, mac), NULL);
	if (r == 0)
		r = cni_result_add_iface(res, port->host_name,
					 cni_mac_format(port->host_end.mac, mac), NULL);
	if (r == 0)
		r = cni_result_add_iface(res, args->ifname, cni_mac_format(port->cont_end.mac, mac),
					 args->netns);
	return r;
}

/* Layer 3: addresses of IPAM, in the container and on the bridge. */
static int bridge_add_addresses(const struct cni_args *args, struct cni_ends *e,
				const struct bridge_conf *c, const struct cni_gateway *gw,
				const struct cni_port *port, struct cni_undo *undo,
				struct cni_result *res, struct cni_error *err)
{
	int r;

	r = cni_ipam_add(args, undo, res, err);
	if (r < 0)
		return r;
	r = bridge_plan(c, res, err);
	if (r < 0)
		return r;
	r = cni_iface_configure(&e->sbox, &port->cont_end, RESULT_CONTAINER, res, err);
	if (r < 0)
		return r;
	r = c->is_gw ? cni_gateway_ensure(gw, res, err) : 0;
	if (r < 0)
		return r;
	return c->ip_masq ? bridge_masquerade(args, c, res, undo, err) : 0;
}

static int bridge_set_up(struct cni_ends *e, const struct cni_port *port, struct cni_error *err)
{
	int r = cni_link_set_flags(&e->sbox, port->cont_end.index, IFF_UP, IFF_UP);

	return r < 0 ? cni_nl_fail(&e->sbox, err, r, "failed to set \"%s\" up", port->cont_end.name)
		     : 0;
}

/* Results before 0.3.0 are nothing but addresses, so a port without any can't be reported. */
static int bridge_check_reportable(const struct cni_args *args, bool layer3, struct cni_error *err)
{
	struct cni_result empty = { 0 };
	cni_auto(json) json_t *obj = NULL;

	return layer3 ? 0 : cni_result_to_json(&empty, args->version, &obj, err);
}

static int bridge_add(const struct cni_args *args, struct cni_result *res, struct cni_error *err)
{
	cni_auto(ends) struct cni_ends e = CNI_ENDS_INIT;
	bool layer3 = *cni_conf_ipam_type(args);
	struct cni_port port = { 0 };
	struct bridge_conf c;
	struct cni_link br;
	struct cni_gateway gw = { .host = &e.host, .link = &br };
	cni_auto(undo) struct cni_undo undo = { 0 };
	int r;

	r = bridge_read(args, &c, err);
	if (r < 0)
		return r;
	r = bridge_check_reportable(args, layer3, err);
	if (r < 0)
		return r;
	r = cni_ends_open(args, &e, err);
	if (r < 0)
		return r;
	gw.force = c.force_address;
	r = bridge_ensure(&e.host, &c, &br, &gw.bare, err);
	if (r < 0)
		return r;
	r = bridge_add_port(args, &e, &c, &br, &undo, &port, err);
	if (r < 0)
		return r;
	r = layer3 ? bridge_add_addresses(args, &e, &c, &gw, &port, &undo, res, err)
		   : bridge_set_up(&e, &port, err);
	if (r < 0)
		return r;
	r = cni_port_wait(&port, err);
	if (r == 0)
		r = bridge_list_ifaces(args, &e.host, &br, gw.bare, &port, res, err);
	if (r == 0)
		r = cni_conf_apply_dns(args, res, err);
	if (r == 0)
		r = cni_port_finish(&port, err);
	if (r == 0)
		cni_undo_disarm(&undo);
	return r;
}

/* ---- DEL: every step runs; none needs more than network, container id and interface name ---- */

static int bridge_delete_link(const struct cni_args *args, struct cni_error *err)
{
	cni_auto(nl) struct cni_nl sbox = CNI_NL_INIT;
	struct cni_error why = { 0 };
	cni_auto(fd) int netns = -1;
	int r;

	if (!*args->netns)
		return 0;
	r = cni_netns_open(args->netns, &netns, &why);
	if (cni_netns_is_gone(r))
		return 0; /* it took the interface along */
	if (r < 0) {
		*err = why;
		return r;
	}
	r = cni_nl_open(&sbox, netns, err);
	if (r < 0)
		return r;
	r = cni_link_del(&sbox, args->ifname);
	return r < 0 && r != -ENODEV
		       ? cni_nl_fail(&sbox, err, r, "failed to delete \"%s\"", args->ifname)
		       : 0;
}

static int bridge_del(const struct cni_args *args, struct cni_error *err)
{
	int link = bridge_delete_link(args, err);
	int ipam = cni_ipam_ask(args, CNI_DEL, err);
	int masq = cni_masq_del(args, err);

	return link < 0 ? link : ipam < 0 ? ipam : masq;
}

/* ---- GC, STATUS ---- */

static int bridge_gc(const struct cni_args *args, struct cni_error *err)
{
	int known = cni_conf_knows_valid(args, err);
	int ipam = known < 0 ? known : cni_ipam_ask(args, CNI_GC, err);
	int masq = known > 0 ? cni_masq_gc(args, err) : 0;

	return ipam < 0 ? ipam : masq;
}

static int bridge_status(const struct cni_args *args, struct cni_error *err)
{
	struct bridge_conf c;
	int r;

	r = bridge_read_keys(args, &c, err);
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
