/*
 * A container's interface; see iface.h.
 */
#include "iface.h"
#include "mtu.h"
#include "nl_addr.h"
#include "nl_neigh.h"
#include "nl_route.h"
#include "routes.h"
#include "sysctl.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <string.h>

/* As long as the Go plugin waits for duplicate address detection, and for a port. */
#define DAD_TIMEOUT_MS 5000
#define UP_TIMEOUT_MS 2550

/*
 * One visit to the namespace for all parameters. ndisc_notify, and arp_notify (of cni_iface_open, or for a link that is set
 * up by itself), are what makes the kernel announce addresses; accept_dad=0 does for link-local addresses what
 * IFA_F_NODAD does for ours.
 */
static int set_parameters(struct cni_nl *sbox, const struct cni_link *link, bool v6,
			  const struct cni_iface_mode *mode, struct cni_error *err)
{
	bool nobody = link->flags & IFF_NOARP; /* is there to be told */
	struct cni_sysctl set[9];
	size_t needed, n = 0;
	int r = 0;

	if (v6) {
		cni_sysctl_init(&set[n++], "0", true, "ipv6/conf/lo/disable_ipv6");
		cni_sysctl_init(&set[n++], "0", true, "ipv6/conf/%s/disable_ipv6", link->name);
		cni_sysctl_init(&set[n++], "1", false, "ipv6/conf/%s/keep_addr_on_down",
				link->name);
	}
	needed = n;
	/* The rest are refinements; without IPv6 there is nothing to refine. */
	if (!nobody && ((v6 && !mode->alone) || mode->as_found))
		cni_sysctl_init(&set[n++], "1", false, "ipv6/conf/%s/ndisc_notify", link->name);
	if (mode->as_found && !nobody)
		cni_sysctl_init(&set[n++], "1", false, "ipv4/conf/%s/arp_notify", link->name);
	if (!mode->accept_ra && !mode->as_found) {
		cni_sysctl_init(&set[n++], "0", false, "ipv6/conf/%s/accept_ra", link->name);
		cni_sysctl_init(&set[n++], "0", false, "ipv6/conf/%s/autoconf", link->name);
	}
	if (mode->detect_duplicates && !mode->as_found)
		cni_sysctl_init(&set[n++], "1", false, "ipv6/conf/%s/enhanced_dad", link->name);
	if (!mode->as_found)
		cni_sysctl_init(&set[n++], mode->detect_duplicates ? "1" : "0", false,
				"ipv6/conf/%s/accept_dad", link->name);
	r = cni_sysctl_write(sbox->netns_fd, set, n, err);
	for (size_t i = 0; i < needed && r == 0; i++) {
		if (set[i].result == 0)
			continue;
		r = cni_fail(err, CNI_E_INTERNAL, -set[i].result,
			     "failed to enable IPv6 for interface \"%s\" (net/%s)", link->name,
			     set[i].path);
		cni_error_detail(err, "the network has an IPv6 address; is IPv6 off on this host?");
	}
	return r;
}

static int check_mtu(const struct cni_link *link, struct cni_error *err)
{
	if (link->mtu >= CNI_MTU_IPV6)
		return 0;
	cni_invalid(err, "mtu %u of \"%s\" is less than the %d that IPv6 needs", link->mtu,
		    link->name, CNI_MTU_IPV6);
	cni_error_detail(err, "the network has an IPv6 address; \"mtu\" has to be %d or more",
			 CNI_MTU_IPV6);
	return -EINVAL;
}

int cni_iface_prepare(struct cni_nl *sbox, const struct cni_link *link,
		      const struct cni_iface_mode *mode, const struct cni_result *res,
		      struct cni_error *err)
{
	bool v6 = cni_result_has_family(res, AF_INET6);
	int r;

	r = cni_routes_check(res, err);
	if (r == 0 && v6)
		r = check_mtu(link, err);
	return r < 0 ? r : set_parameters(sbox, link, v6, mode, err);
}

int cni_iface_open(struct cni_nl *sbox, const struct cni_link *link, struct cni_error *err)
{
	int r = cni_link_set_up_notifying(sbox, link->index);

	return r < 0 ? cni_nl_fail(sbox, err, r, "failed to set \"%s\" UP", link->name) : 0;
}

int cni_iface_add_addresses(struct cni_nl *sbox, const struct cni_link *link, int place,
			    const struct cni_iface_mode *mode, const struct cni_result *res,
			    struct cni_error *err)
{
	for (size_t i = 0; i < res->n_ips; i++) {
		const struct cni_prefix *p = &res->ips[i].address;
		bool sure = p->ip.family == AF_INET6 && !mode->detect_duplicates;
		unsigned int flags = (sure ? IFA_F_NODAD : 0) |
				     (mode->alone ? IFA_F_NOPREFIXROUTE : 0);
		char text[CNI_PREFIX_STRLEN];
		int r;

		if (res->ips[i].iface != place)
			continue;
		r = cni_addr_add(sbox, link->index, p, flags);
		if (r < 0)
			return cni_nl_fail(sbox, err, r, "failed to add IP addr %s to \"%s\"",
					   cni_prefix_format(p, text), link->name);
	}
	return 0;
}

/* Without carrier there is nobody to ask, and no reason to fail: as the Go plugins see it. */
static bool has_carrier(struct cni_nl *sbox, const struct cni_link *link)
{
	struct cni_link now;

	return cni_link_get_index(sbox, link->index, &now) < 0 || now.flags & IFF_LOWER_UP;
}

int cni_iface_settle(struct cni_nl *sbox, const struct cni_link *link, int place,
		     const struct cni_iface_mode *mode, const struct cni_result *res,
		     struct cni_error *err)
{
	cni_auto(nl) struct cni_nl events = CNI_NL_INIT;
	long deadline = cni_nl_deadline(DAD_TIMEOUT_MS);
	int r;

	if (!mode->detect_duplicates || !cni_result_has_family(res, AF_INET6) ||
	    !has_carrier(sbox, link))
		return 0;
	r = cni_nl_listen(&events, sbox->netns_fd, RTNLGRP_IPV6_IFADDR, err);
	for (size_t i = 0; i < res->n_ips && r == 0; i++) {
		const struct cni_ip *ip = &res->ips[i].address.ip;
		char text[CNI_IP_STRLEN];

		if (res->ips[i].iface != place || ip->family != AF_INET6)
			continue;
		cni_ip_format(ip, text);
		r = cni_addr_settle(sbox, &events, link->index, ip, deadline);
		if (r == -ETIMEDOUT && !has_carrier(sbox, link))
			return 0;
		if (r == -EADDRINUSE) {
			cni_fail(err, CNI_E_INTERNAL, 0,
				 "failed to settle addresses for \"%s\": link %s has address %s "
				 "in DADFAILED state",
				 link->name, link->name, text);
			cni_error_detail(err, "another node of this link uses the address");
		} else if (r == -ETIMEDOUT) {
			cni_fail(err, CNI_E_INTERNAL, 0,
				 "failed to settle addresses for \"%s\": link %s still has "
				 "tentative address %s after %d seconds",
				 link->name, link->name, text, DAD_TIMEOUT_MS / 1000);
		} else if (r < 0) {
			cni_nl_fail(sbox, err, r, "failed to settle address %s of \"%s\"", text,
				    link->name);
		}
	}
	return r;
}

/*
 * Of links that have had their carrier from the first the kernel never says UP. veth, macvlan and vlan are told of it, and
 * say UNKNOWN only for a moment.
 */
static bool is_up(const struct cni_link *link)
{
	return link->operstate == IF_OPER_UP ||
	       (link->operstate == IF_OPER_UNKNOWN &&
		(strcmp(link->kind, "dummy") == 0 || strcmp(link->kind, "ipvlan") == 0));
}

/* Multicast comes in by a route that is made when the kernel's link watcher has seen the carrier. */
int cni_iface_wait(struct cni_nl *sbox, const struct cni_link *link, int place,
		   const struct cni_result *res, struct cni_error *err)
{
	struct cni_link now;
	int r;

	if (!cni_result_has_family(res, AF_INET6))
		return 0;
	r = cni_link_get_index(sbox, link->index, &now);
	if (r == 0 && !(now.flags & IFF_LOWER_UP))
		return 0; /* without carrier nobody asks */
	if (r == 0 && !is_up(&now))
		r = cni_link_wait_up(sbox, link->name, UP_TIMEOUT_MS, &now, err);
	if (r < 0 && r != -ETIMEDOUT)
		return cni_nl_fail(sbox, err, r, "failed to lookup \"%s\"", link->name);
	r = 0;
	for (size_t i = 0; r == 0 && i < res->n_ips; i++) {
		const struct cni_ip *ip = &res->ips[i].address.ip;

		if (res->ips[i].iface == place && ip->family == AF_INET6)
			r = cni_route_await_local(sbox, link->index, link->name, ip, err);
	}
	return r;
}

void cni_iface_forget(struct cni_nl *host, int ifindex, const struct cni_result *res)
{
	char text[CNI_IP_STRLEN];

	for (size_t i = 0; i < res->n_ips; i++) {
		const struct cni_ip *ip = &res->ips[i].address.ip;
		int r = cni_neigh_forget(host, ifindex, ip);

		if (r < 0 && r != -EOPNOTSUPP) /* Linux before 5.0 */
			cni_note("forget the neighbour %s: %s", cni_ip_format(ip, text),
				 cni_strerror(-r));
	}
}

/*
 * The kernel announces all addresses of a link whose MAC is set, also to what it was. A packet socket
 * would do the same in 16 ms: closing one waits for an RCU grace period.
 */
void cni_iface_announce(struct cni_nl *sbox, const struct cni_link *link)
{
	int r = cni_link_set_mac(sbox, link->index, link->mac);

	if (r < 0)
		cni_note("announce the addresses of %s: %s", link->name, cni_strerror(-r));
}
