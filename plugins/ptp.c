/*
 * ptp: connects a container to the host alone, by a veth pair. The host has a route to each of its addresses, and the
 * container reaches everybody by the host, those of its own subnet too.
 *
 * Keys (default):
 *   mtu               int (0)       bytes, of both ends; 0 = kernel default; "auto" = that of the host's default route
 *   ipMasq            bool (false)  what leaves the subnet is masqueraded
 *   ipMasqBackend     string        "nftables" or "iptables"; absent: iptables if the host has it
 *   ipMasqRandomFully bool (false)  masquerade with source ports chosen at random (ours)
 *   ipam              object        who gives addresses, each with its gateway; required
 *   dns               object        replaces the DNS settings of the IPAM plugin
 */
#include "conf.h"
#include "delegate.h"
#include "ends.h"
#include "iface.h"
#include "iface_check.h"
#include "masq.h"
#include "mtu.h"
#include "port.h"
#include "routed.h"
#include "routes.h"

#include <errno.h>
#include <linux/if.h>

/* Places in the result's list of interfaces. */
enum { RESULT_HOST, RESULT_CONTAINER };

/* The configuration, with defaults filled in. Strings are borrowed from the request. */
struct ptp_conf {
	struct cni_masq_conf masq;
	json_int_t mtu; /* may be CNI_JSON_AUTO */
	bool ip_masq;
};

static int ptp_read(const struct cni_args *args, struct ptp_conf *ret, struct cni_error *err)
{
	static const struct cni_json_field fields[] = {
		{ "mtu", CNI_JSON_INT_OR_AUTO, offsetof(struct ptp_conf, mtu) },
		{ "ipMasq", CNI_JSON_BOOL, offsetof(struct ptp_conf, ip_masq) },
		{ "ipMasqBackend", CNI_JSON_STRING, offsetof(struct ptp_conf, masq.backend) },
		{ "ipMasqRandomFully", CNI_JSON_BOOL,
		  offsetof(struct ptp_conf, masq.random_fully) },
	};
	int r;

	*ret = (struct ptp_conf){ .masq.backend = "" };
	r = cni_conf_check_types(args, err);
	if (r == 0)
		r = cni_json_read(args->conf, "", fields, CNI_ARRAY_SIZE(fields), ret, err);
	if (r < 0) {
		cni_error_prefix(err, "failed to load netconf");
		return r;
	}
	if (!*cni_conf_ipam_type(args))
		return cni_invalid(err, "no plugin name provided: \"ipam\" needs a \"type\", as a "
					"container without addresses can't be routed to");
	if (ret->ip_masq && !cni_masq_knows(ret->masq.backend))
		return cni_invalid(err, "unknown ipmasq backend \"%s\"", ret->masq.backend);
	return cni_mtu_check(ret->mtu, err);
}

/* ---- ADD, step by step ---- */

/* What a killed ADD may have left beside its pair. */
static int ptp_clear(const struct cni_args *args, struct cni_error *err)
{
	int r = cni_masq_del(args, err);

	return r < 0 ? r : cni_ipam_ask(args, CNI_DEL, err);
}

static int ptp_ask_ipam(const struct cni_args *args, struct cni_undo *undo, struct cni_result *res,
			struct cni_error *err)
{
	int r = cni_ipam_add(args, undo, res, err);

	for (size_t i = 0; r == 0 && i < res->n_ips; i++)
		res->ips[i].iface = RESULT_CONTAINER;
	return r < 0 ? r : cni_routed_check_result(res, err);
}

/* Addresses before the ends are up: what is up keeps the kernel busy, under the lock that all this needs. */
static int ptp_set_up(struct cni_ends *e, struct cni_port *port, const struct cni_result *res,
		      struct cni_error *err)
{
	const struct cni_link *cont = &port->cont_end;
	int r;

	r = cni_iface_prepare(&e->sbox, cont, &cni_routed_mode, res, err);
	if (r == 0)
		r = cni_iface_add_addresses(&e->sbox, cont, RESULT_CONTAINER, &cni_routed_mode, res,
					    err);
	if (r == 0)
		r = cni_routed_open(port, res, err);
	if (r < 0)
		return r;
	r = cni_link_set_flags(&e->sbox, cont->index, IFF_UP, IFF_UP);
	return r < 0 ? cni_nl_fail(&e->sbox, err, r, "failed to set \"%s\" UP", cont->name) : 0;
}

/* The result's own routes go by the gateways, so these come first. */
static int ptp_add_routes(struct cni_ends *e, struct cni_port *port, const struct cni_result *res,
			  struct cni_error *err)
{
	int r = cni_routed_lead_out(&e->sbox, &port->cont_end, res, err);

	if (r == 0)
		r = cni_routes_add(&e->sbox, &port->cont_end, &cni_routed_mode, res, err);
	return r < 0 ? r : cni_routed_lead_in(port, res, err);
}

/* Both ends send and hear when ADD returns. */
static int ptp_wait(struct cni_ends *e, struct cni_port *port, const struct cni_result *res,
		    struct cni_error *err)
{
	int r = cni_routed_wait(port, res, err);

	return r < 0 ? r : cni_iface_wait(&e->sbox, &port->cont_end, RESULT_CONTAINER, res, err);
}

static int ptp_list_ifaces(const struct cni_args *args, const struct cni_port *port,
			   struct cni_result *res, struct cni_error *err)
{
	char mac[CNI_MAC_STRLEN];
	int r = cni_result_add_iface(res, port->host_name, cni_mac_format(port->host_end.mac, mac),
				     NULL);

	if (r == 0)
		r = cni_result_add_iface(res, args->ifname, cni_mac_format(port->cont_end.mac, mac),
					 args->netns);
	return r < 0 ? cni_fail(err, CNI_E_INTERNAL, -r, "list interfaces") : 0;
}

static int ptp_add(const struct cni_args *args, struct cni_result *res, struct cni_error *err)
{
	cni_auto(ends) struct cni_ends e = CNI_ENDS_INIT;
	struct cni_veth_spec spec = { 0 };
	struct cni_port port = { 0 };
	cni_auto(undo) struct cni_undo undo = { 0 };
	struct ptp_conf c;
	int r;

	r = ptp_read(args, &c, err);
	if (r < 0)
		return r;
	r = cni_ends_open(args, &e, err);
	if (r == 0)
		r = cni_mtu_resolve(&e.host, &c.mtu, err);
	if (r < 0)
		return r;
	spec.mtu = c.mtu > 0 ? (unsigned int)c.mtu : 0;
	r = cni_port_create(args, &e, &spec, ptp_clear, &undo, &port, err);
	if (r == 0)
		r = ptp_ask_ipam(args, &undo, res, err);
	if (r == 0)
		r = ptp_set_up(&e, &port, res, err);
	if (r == 0)
		r = ptp_add_routes(&e, &port, res, err);
	if (r == 0 && c.ip_masq)
		r = cni_masq_add(args, &c.masq, res, &undo, err);
	if (r == 0)
		r = ptp_wait(&e, &port, res, err);
	if (r == 0)
		r = ptp_list_ifaces(args, &port, res, err);
	if (r == 0)
		r = cni_conf_apply_dns(args, res, err);
	if (r == 0)
		r = cni_port_finish(&port, err);
	if (r == 0)
		cni_undo_disarm(&undo);
	return r;
}

/* ---- DEL: every step runs; none needs more than network, container id and interface name ---- */

/* The link goes first: nothing leaves unmasqueraded, and its address is free for others only then. */
static int ptp_del(const struct cni_args *args, struct cni_error *err)
{
	int link = cni_port_remove(args, err);
	int masq = cni_masq_del(args, err);
	int ipam = cni_ipam_ask(args, CNI_DEL, err);

	return link < 0 ? link : masq < 0 ? masq : ipam;
}

/* ---- CHECK: everything that is wrong is reported at once ---- */

static void ptp_check_host_end(struct cni_ends *e, const struct ptp_conf *c,
			       const struct cni_link *cont, const struct cni_result *prev,
			       struct cni_faults *f)
{
	const struct cni_iface *entry;
	char mac[CNI_MAC_STRLEN];
	struct cni_fault fault;
	struct cni_link end;
	int r = cni_check_host_end(e, cont, &end, f);

	if (r == 0)
		cni_faults_add(f, &(struct cni_fault){ "port", cont->name, NULL, NULL },
			       "Interface %s has no end on the host", cont->name);
	if (r <= 0)
		return;
	entry = cni_check_entry(prev, end.name, false);
	if (!entry)
		cni_faults_add(f, &(struct cni_fault){ "result", end.name, end.name, NULL },
			       "Interface %s, the host's end, is not in prevResult", end.name);
	else if (cni_check_mac_differs(entry, &end, &fault, mac))
		cni_faults_add(f, &fault, "Interface %s Mac doesn't match: %s not found", end.name,
			       entry->mac);
	cni_check_up(&end, f);
	cni_check_mtu(&end, c->mtu, f);
	cni_routed_check(&e->host, &end, prev, f);
}

static int ptp_check(const struct cni_args *args, struct cni_error *err)
{
	cni_auto(ends) struct cni_ends e = CNI_ENDS_INIT;
	cni_auto(result) struct cni_result prev = { 0 };
	struct cni_error ipam = { 0 };
	struct cni_faults f = { 0 };
	struct cni_link cont;
	struct ptp_conf c;
	int r;

	r = ptp_read(args, &c, err);
	if (r == 0)
		r = cni_ends_open(args, &e, err);
	if (r == 0)
		r = cni_conf_prev_result(args, &prev, err);
	if (r < 0)
		return r;
	if (cni_ipam_ask(args, CNI_CHECK, &ipam) < 0)
		cni_faults_add_error(&f, "ipam", &ipam);
	if (cni_check_link(args, &e.sbox, "veth", &prev, &cont, &f)) {
		ptp_check_host_end(&e, &c, &cont, &prev, &f);
		cni_check_addresses(&e.sbox, &cont, &prev, &f);
		cni_check_up(&cont, &f);
	}
	if (c.ip_masq)
		cni_masq_check(args, &c.masq, &prev, &f);
	return cni_faults_report(&f, err);
}

/* ---- GC, STATUS ---- */

static int ptp_gc(const struct cni_args *args, struct cni_error *err)
{
	int known = cni_conf_knows_valid(args, err), link, masq, ipam;

	if (known < 0)
		return known;
	link = known ? cni_port_gc(args, err) : 0;
	masq = known ? cni_masq_gc(args, err) : 0;
	ipam = cni_ipam_ask(args, CNI_GC, err);
	return link < 0 ? link : masq < 0 ? masq : ipam;
}

static int ptp_status(const struct cni_args *args, struct cni_error *err)
{
	struct ptp_conf c;
	int r = ptp_read(args, &c, err);

	return r < 0 ? r : cni_ipam_ask(args, CNI_STATUS, err);
}

const struct cni_plugin cni_plugin_ptp = {
	.name = "ptp",
	.oldest = CNI_V0_1_0,
	.add = ptp_add,
	.del = ptp_del,
	.check = ptp_check,
	.gc = ptp_gc,
	.status = ptp_status,
};
