/*
 * A pair that is routed; see routed.h.
 */
#include "routed.h"
#include "gateway.h"
#include "iface.h"
#include "nl_addr.h"
#include "nl_route.h"
#include "sysctl.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

const struct cni_iface_mode cni_routed_mode = { .alone = true };

/* Two addresses may share a gateway, or a subnet; it is the first one's. */
static bool gateway_is_earlier(const struct cni_result *res, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (cni_ip_cmp(&res->ips[i].gateway, &res->ips[at].gateway) == 0)
			return true;
	return false;
}

static bool subnet_is_earlier(const struct cni_result *res, size_t at)
{
	const struct cni_prefix *p = &res->ips[at].address;
	struct cni_ip net = cni_prefix_network(p);

	for (size_t i = 0; i < at; i++) {
		struct cni_ip other = cni_prefix_network(&res->ips[i].address);

		if (res->ips[i].address.len == p->len && cni_ip_cmp(&other, &net) == 0)
			return true;
	}
	return false;
}

int cni_routed_check_result(const struct cni_result *res, struct cni_error *err)
{
	for (size_t i = 0; i < res->n_ips; i++) {
		const struct cni_ipconf *ip = &res->ips[i];
		char text[CNI_PREFIX_STRLEN];

		if (ip->gateway.family == ip->address.ip.family)
			continue;
		cni_invalid(err, "ipam: address %s has no gateway",
			    cni_prefix_format(&ip->address, text));
		cni_error_detail(err, "the container reaches everybody by its gateway, an address "
				      "that the host gets for it; \"gateway\" beside the address, "
				      "or its subnet, names one");
		return -EINVAL;
	}
	return 0;
}

/* ---- the host's end ---- */

static int add_gateways(struct cni_port *port, const struct cni_result *res, struct cni_error *err)
{
	for (size_t i = 0; i < res->n_ips; i++) {
		struct cni_prefix gw = cni_prefix_alone(&res->ips[i].gateway);
		bool v6 = gw.ip.family == AF_INET6;
		char text[CNI_PREFIX_STRLEN];
		int r;

		if (gateway_is_earlier(res, i))
			continue;
		r = cni_addr_add(port->host, port->host_end.index, &gw, v6 ? IFA_F_NODAD : 0);
		if (r == 0)
			continue;
		cni_nl_fail(port->host, err, r, "failed to add IP addr %s to \"%s\"",
			    cni_prefix_format(&gw, text), port->host_name);
		if (v6 && (r == -EACCES || r == -EOPNOTSUPP))
			cni_error_detail(err, "IPv6 is off on this host, at least for new links "
					      "(net.ipv6.conf.default.disable_ipv6)");
		return r;
	}
	return 0;
}

/*
 * Neighbours of IPv6 are asked for from the link-local address, also for what is forwarded: until it is more than
 * tentative, nothing gets to the container.
 */
static int set_up(struct cni_port *port, bool v6, struct cni_error *err)
{
	struct cni_sysctl dad;
	int r;

	if (!v6)
		return cni_port_open(port, err);
	cni_sysctl_init(&dad, "0", false, "ipv6/conf/%s/accept_dad", port->host_name);
	r = cni_sysctl_write(-1, &dad, 1, err);
	if (r < 0)
		return r;
	r = cni_link_set_flags(port->host, port->host_end.index, IFF_UP, IFF_UP);
	return r < 0 ? cni_nl_fail(port->host, err, r, "failed to set \"%s\" up", port->host_name)
		     : 0;
}

int cni_routed_open(struct cni_port *port, const struct cni_result *res, struct cni_error *err)
{
	bool v4 = cni_result_has_family(res, AF_INET), v6 = cni_result_has_family(res, AF_INET6);
	int r;

	r = v4 ? cni_gateway_forward(port->host, AF_INET, err) : 0;
	if (r == 0 && v6)
		r = cni_gateway_forward(port->host, AF_INET6, err);
	if (r == 0)
		r = add_gateways(port, res, err);
	return r < 0 ? r : set_up(port, v6, err);
}

int cni_routed_wait(struct cni_port *port, const struct cni_result *res, struct cni_error *err)
{
	int r = cni_port_wait(port, err);

	for (size_t i = 0; r == 0 && i < res->n_ips; i++) {
		const struct cni_ip *gw = &res->ips[i].gateway;

		if (gw->family == AF_INET6)
			r = cni_route_await_local(port->host, port->host_end.index, port->host_name,
						  gw, err);
	}
	return r;
}

/* ---- routes ---- */

static int add_path(struct cni_nl *nl, const struct cni_link *link, const struct cni_path *path,
		    struct cni_error *err)
{
	char text[CNI_PREFIX_STRLEN];
	int r = cni_path_add(nl, link->index, path);

	return r < 0 ? cni_nl_fail(nl, err, r, "failed to add route %s dev %s",
				   cni_prefix_format(&path->dst, text), link->name)
		     : 0;
}

int cni_routed_lead_out(struct cni_nl *sbox, const struct cni_link *link,
			const struct cni_result *res, struct cni_error *err)
{
	int r = 0;

	for (size_t i = 0; i < res->n_ips && r == 0; i++) {
		const struct cni_ipconf *ip = &res->ips[i];
		struct cni_path gw = { .dst = cni_prefix_alone(&ip->gateway),
				       .from = &ip->address.ip };
		struct cni_path net = {
			.dst = { cni_prefix_network(&ip->address), ip->address.len },
			.gw = &ip->gateway,
			.from = &ip->address.ip,
		};

		gw.scope = ip->gateway.family == AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
		if (!gateway_is_earlier(res, i))
			r = add_path(sbox, link, &gw, err);
		if (r == 0 && !subnet_is_earlier(res, i))
			r = add_path(sbox, link, &net, err);
	}
	if (r == -EEXIST)
		cni_error_detail(err, "another interface of the container leads there");
	return r;
}

/* Which link is in the way? */
static void blame_other(struct cni_nl *host, const struct cni_ip *ip, struct cni_error *err)
{
	struct cni_route_hit hit;
	struct cni_link other;

	if (cni_route_get(host, ip, &hit) == 0 &&
	    cni_link_get_index(host, hit.ifindex, &other) == 0)
		cni_error_detail(err,
				 "link \"%s\" of the host leads there: another container has "
				 "this address",
				 other.name);
}

int cni_routed_lead_in(struct cni_port *port, const struct cni_result *res, struct cni_error *err)
{
	for (size_t i = 0; i < res->n_ips; i++) {
		const struct cni_ip *ip = &res->ips[i].address.ip;
		struct cni_path path = { .dst = cni_prefix_alone(ip) };
		int r;

		path.scope = ip->family == AF_INET ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
		r = add_path(port->host, &port->host_end, &path, err);
		if (r == -EEXIST)
			blame_other(port->host, ip, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- CHECK ---- */

void cni_routed_check(struct cni_nl *host, const struct cni_link *end,
		      const struct cni_result *prev, struct cni_faults *f)
{
	cni_gateway_check(host, end, prev, f);
	for (size_t i = 0; i < prev->n_ips; i++) {
		const struct cni_ip *ip = &prev->ips[i].address.ip;
		char text[CNI_IP_STRLEN];
		struct cni_route_hit hit;

		if (cni_route_get(host, ip, &hit) == 0 && hit.ifindex == end->index)
			continue;
		cni_ip_format(ip, text);
		cni_faults_add(f, &(struct cni_fault){ "route", end->name, text, NULL },
			       "What the host sends to %s does not go out by \"%s\"", text,
			       end->name);
	}
}
