/*
 * A container's interface; see iface.h.
 */
#include "iface.h"
#include "nl_addr.h"
#include "routes.h"
#include "sysctl.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <stdio.h>
#include <string.h>

static bool has_v6(const struct cni_result *res)
{
	for (size_t i = 0; i < res->n_ips; i++)
		if (res->ips[i].address.ip.family == AF_INET6)
			return true;
	return false;
}

/*
 * One visit to the namespace for all parameters. arp_notify makes the kernel announce the address when
 * it is added; accept_dad=0 does for link-local addresses what IFA_F_NODAD does for ours.
 */
static int set_parameters(struct cni_nl *sbox, const struct cni_link *link, bool v6,
			  struct cni_error *err)
{
	struct cni_sysctl set[5];
	size_t n = 0;
	int r;

	cni_sysctl_init(&set[n++], "0", false, "ipv6/conf/%s/accept_dad", link->name);
	cni_sysctl_init(&set[n++], "1", false, "ipv4/conf/%s/arp_notify", link->name);
	if (v6) {
		cni_sysctl_init(&set[n++], "0", true, "ipv6/conf/lo/disable_ipv6");
		cni_sysctl_init(&set[n++], "0", true, "ipv6/conf/%s/disable_ipv6", link->name);
		cni_sysctl_init(&set[n++], "1", false, "ipv6/conf/%s/keep_addr_on_down",
				link->name);
	}
	r = cni_sysctl_write(sbox->netns_fd, set, n, err);
	/* The first two are refinements; without IPv6 there is nothing to refine. */
	for (size_t i = 2; i < n && r == 0; i++) {
		if (set[i].result == 0)
			continue;
		r = cni_fail(err, CNI_E_INTERNAL, -set[i].result,
			     "failed to enable IPv6 for interface \"%s\" (net/%s)", link->name,
			     set[i].path);
		cni_error_detail(err, "the network has an IPv6 address; is IPv6 off on this host?");
	}
	return r;
}

static int add_addresses(struct cni_nl *sbox, const struct cni_link *link, int place,
			 const struct cni_result *res, struct cni_error *err)
{
	for (size_t i = 0; i < res->n_ips; i++) {
		const struct cni_prefix *p = &res->ips[i].address;
		char text[CNI_PREFIX_STRLEN];
		int r;

		if (res->ips[i].iface != place)
			continue;
		r = cni_addr_add(sbox, link->index, p, p->ip.family == AF_INET6 ? IFA_F_NODAD : 0);
		if (r < 0)
			return cni_nl_fail(sbox, err, r, "failed to add IP addr %s to \"%s\"",
					   cni_prefix_format(p, text), link->name);
	}
	return 0;
}

int cni_iface_configure(struct cni_nl *sbox, const struct cni_link *link, int place,
			const struct cni_result *res, struct cni_error *err)
{
	int r;

	r = cni_routes_check(res, err);
	if (r < 0)
		return r;
	r = set_parameters(sbox, link, has_v6(res), err);
	if (r < 0)
		return r;
	r = add_addresses(sbox, link, place, res, err);
	if (r < 0)
		return r;
	r = cni_link_set_flags(sbox, link->index, IFF_UP, IFF_UP);
	if (r < 0)
		return cni_nl_fail(sbox, err, r, "failed to set \"%s\" UP", link->name);
	return cni_routes_add(sbox, link, res, err);
}
