/*
 * The host as gateway of a network; see gateway.h.
 */
#include "gateway.h"
#include "iface_check.h"
#include "nl_addr.h"
#include "nl_route.h"
#include "sysctl.h"

#include <errno.h>
#include <linux/if_addr.h>

static bool in_the_way(const struct cni_prefix *have, const struct cni_prefix *want)
{
	return have->ip.family == AF_INET || cni_prefix_contains(have, &want->ip) ||
	       cni_prefix_contains(want, &have->ip);
}

/* @return whether it is an address that this result asks for: it need not make room for another one */
static bool is_wanted(const struct cni_result *res, const struct cni_prefix *have)
{
	for (size_t i = 0; i < res->n_ips; i++)
		if (res->ips[i].address.len == have->len &&
		    cni_ip_cmp(&res->ips[i].gateway, &have->ip) == 0)
			return true;
	return false;
}

/* The slow path, taken once in a network's life. @return 1 if the address is there after all */
static int make_room(const struct cni_gateway *gw, const struct cni_result *res,
		     const struct cni_prefix *want, struct cni_error *err)
{
	cni_auto(addrs) struct cni_addr_list have = { 0 };
	char text[CNI_PREFIX_STRLEN];
	int r;

	r = cni_addr_list(gw->host, gw->link.index, want->ip.family, &have);
	if (r < 0)
		return cni_nl_fail(gw->host, err, r, "failed to list addresses of \"%s\"",
				   gw->link.name);
	for (size_t i = 0; i < have.n; i++)
		if (have.item[i].len == want->len && !cni_ip_cmp(&have.item[i].ip, &want->ip))
			return 1;
	for (size_t i = 0; i < have.n; i++) {
		if (!in_the_way(&have.item[i], want))
			continue;
		if (!gw->force) {
			cni_fail(err, CNI_E_INTERNAL, 0,
				 "failed to set %s: \"%s\" already has an IP address "
				 "different from %s",
				 gw->what, gw->link.name, cni_prefix_format(want, text));
			cni_error_detail(err, "it has %s; \"forceAddress\": true replaces it",
					 cni_prefix_format(&have.item[i], text));
			return -EEXIST;
		}
		if (is_wanted(res, &have.item[i]))
			continue;
		r = cni_addr_del(gw->host, gw->link.index, &have.item[i]);
		if (r < 0 && r != -EADDRNOTAVAIL)
			return cni_nl_fail(gw->host, err, r, "failed to set %s: remove %s",
					   gw->what, cni_prefix_format(&have.item[i], text));
	}
	return 0;
}

static int add_failed(const struct cni_gateway *gw, const struct cni_prefix *want, int r,
		      struct cni_error *err)
{
	char text[CNI_PREFIX_STRLEN];

	cni_nl_fail(gw->host, err, r, "failed to set %s: add %s to \"%s\"", gw->what,
		    cni_prefix_format(want, text), gw->link.name);
	if (want->ip.family == AF_INET6 && (r == -EACCES || r == -EOPNOTSUPP))
		cni_error_detail(
			err,
			"IPv6 is off: net.ipv6.conf.%s.disable_ipv6 is 1, or ipv6.disable=1 "
			"is on the kernel's command line",
			gw->link.name);
	return r;
}

static int ensure_address(const struct cni_gateway *gw, const struct cni_result *res,
			  const struct cni_prefix *want, struct cni_error *err)
{
	unsigned int flags = want->ip.family == AF_INET6 ? IFA_F_NODAD : 0;
	int r;

	/* Also if we made the link: another network's ADD may have used it meanwhile. */
	r = cni_addr_present(gw->host, gw->link.index, gw->link.name, want);
	if (r < 0)
		return add_failed(gw, want, r, err);
	if (r == 0)
		r = make_room(gw, res, want, err);
	if (r != 0)
		return r < 0 ? r : 0;
	r = cni_addr_add(gw->host, gw->link.index, want, flags);
	if (r < 0 && r != -EEXIST) /* another ADD may have been faster */
		return add_failed(gw, want, r, err);
	r = want->ip.family == AF_INET6
		    ? cni_route_await_local(gw->host, gw->link.index, gw->link.name, &want->ip, err)
		    : 0;
	if (r < 0)
		return r;
	/* A bridge that somebody else made floats with its ports' MACs until it is told its own. */
	r = gw->bare ? 0 : cni_link_set_mac(gw->host, gw->link.index, gw->link.mac);
	return r < 0 ? cni_nl_fail(gw->host, err, r, "failed to set MAC of \"%s\"", gw->link.name)
		     : 0;
}

int cni_gateway_forward(struct cni_nl *host, sa_family_t family, struct cni_error *err)
{
	struct cni_sysctl s;
	int r;

	/* A tenth of what it takes to read the file. */
	if (cni_forwarding_get(host, family) == 1)
		return 0;
	cni_sysctl_init(&s, "1", true, "%s",
			family == AF_INET ? "ipv4/ip_forward" : "ipv6/conf/all/forwarding");
	r = cni_sysctl_write(-1, &s, 1, err);
	if (r == 0 && s.result < 0)
		r = cni_fail(err, CNI_E_INTERNAL, -s.result, "failed to enable forwarding: net/%s",
			     s.path);
	return r;
}

static int ensure_family(const struct cni_gateway *gw, sa_family_t family,
			 const struct cni_result *res, struct cni_error *err)
{
	bool any = false;
	int r;

	for (size_t i = 0; i < res->n_ips; i++) {
		struct cni_prefix want = { res->ips[i].gateway, res->ips[i].address.len };

		if (want.ip.family != family)
			continue;
		r = ensure_address(gw, res, &want, err);
		if (r < 0)
			return r;
		any = true;
	}
	return any ? cni_gateway_forward(gw->host, family, err) : 0;
}

int cni_gateway_ensure(const struct cni_gateway *gw, const struct cni_result *res,
		       struct cni_error *err)
{
	int r;

	r = ensure_family(gw, AF_INET, res, err);
	return r < 0 ? r : ensure_family(gw, AF_INET6, res, err);
}

/* ---- CHECK ---- */

static void check_family(struct cni_nl *host, const struct cni_link *link, sa_family_t family,
			 const struct cni_result *prev, struct cni_faults *f)
{
	cni_auto(addrs) struct cni_addr_list have = { 0 };
	char text[CNI_IP_STRLEN];
	int r;

	r = cni_addr_list(host, link->index, family, &have);
	if (r < 0) {
		cni_check_failed(f, host, r, "failed to list addresses of \"%s\"", link->name);
		return;
	}
	for (size_t i = 0; i < prev->n_ips; i++) {
		const struct cni_ip *gw = &prev->ips[i].gateway;
		size_t k = 0;

		/* 0.0.0.0 is no address: the kernel takes it and forgets it. */
		if (gw->family != family || cni_ip_is_zero(gw))
			continue;
		while (k < have.n && cni_ip_cmp(&have.item[k].ip, gw) != 0)
			k++;
		if (k == have.n)
			cni_faults_add(f,
				       &(struct cni_fault){ "gateway", link->name,
							    cni_ip_format(gw, text), NULL },
				       "Gateway %s not found on interface %s",
				       cni_ip_format(gw, text), link->name);
	}
}

void cni_gateway_check(struct cni_nl *host, const struct cni_link *link,
		       const struct cni_result *prev, struct cni_faults *f)
{
	check_family(host, link, AF_INET, prev, f);
	check_family(host, link, AF_INET6, prev, f);
}
