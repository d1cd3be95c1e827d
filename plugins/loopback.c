/*
 * loopback: sets the container's "lo" up, and down again. No keys of its own; CNI_IFNAME is ignored.
 */
#include "conf.h"
#include "netns.h"
#include "nl_addr.h"
#include "nl_link.h"

#include <errno.h>

#define LO "lo"

/* What the verbs work with: the namespace, and a socket in it. */
struct loopback {
	int netns;
	struct cni_nl nl;
	struct cni_link lo;
};

static void cni_auto_loopback(struct loopback *l)
{
	cni_nl_close(&l->nl);
	cni_auto_fd(&l->netns);
}

static int loopback_open(const struct cni_args *args, struct loopback *l, struct cni_error *err)
{
	int r;

	r = cni_netns_open(args->netns, &l->netns, err);
	if (r < 0)
		return r;
	r = cni_nl_open(&l->nl, l->netns, err);
	if (r < 0)
		return r;
	r = cni_link_get(&l->nl, LO, &l->lo);
	return r < 0 ? cni_nl_fail(&l->nl, err, r, "failed to lookup \"%s\"", LO) : 0;
}

static bool is_loopback(const struct cni_ip *ip)
{
	static const uint8_t one[16] = { [15] = 1 };

	return ip->family == AF_INET ? ip->b[0] == 127 : __builtin_memcmp(ip->b, one, 16) == 0;
}

/* Report the first address of a family; anything but a loopback address is an error. */
static int loopback_add_family(struct loopback *l, int family, struct cni_result *res,
			       struct cni_error *err)
{
	cni_auto(addrs) struct cni_addr_list addrs = { 0 };
	char text[CNI_IP_STRLEN];
	int r;

	r = cni_addr_list(&l->nl, l->lo.index, family, &addrs);
	if (r < 0)
		return cni_nl_fail(&l->nl, err, r, "failed to list addresses of \"%s\"", LO);
	for (size_t i = 0; i < addrs.n; i++)
		if (!is_loopback(&addrs.item[i].ip))
			return cni_fail(err, CNI_E_INTERNAL, 0,
					"loopback interface found with non-loopback address \"%s\"",
					cni_ip_format(&addrs.item[i].ip, text));
	if (addrs.n == 0)
		return 0;
	return cni_result_add_ip(res, &(struct cni_ipconf){ .address = addrs.item[0], .iface = 0 });
}

static int loopback_report(const struct cni_args *args, struct loopback *l, struct cni_result *res,
			   struct cni_error *err)
{
	char mac[CNI_MAC_STRLEN];
	int r;

	r = loopback_add_family(l, AF_INET, res, err);
	if (r == 0)
		r = loopback_add_family(l, AF_INET6, res, err);
	if (r == 0)
		r = cni_result_add_iface(res, LO, cni_mac_format(l->lo.mac, mac), args->netns);
	return r;
}

static int loopback_add(const struct cni_args *args, struct cni_result *res, struct cni_error *err)
{
	cni_auto(loopback) struct loopback l = { .netns = -1, .nl = CNI_NL_INIT };
	bool chained = json_object_get(args->conf, "prevResult") != NULL;
	cni_auto(result) struct cni_result own = { 0 };
	int r;

	r = cni_conf_check_types(args, err);
	if (r < 0)
		return r;
	if (chained) {
		r = cni_conf_prev_result(args, res, err);
		if (r < 0)
			return r;
	}
	r = loopback_open(args, &l, err);
	if (r < 0)
		return r;
	r = cni_link_set_flags(&l.nl, l.lo.index, IFF_UP, IFF_UP);
	if (r < 0)
		return cni_nl_fail(&l.nl, err, r, "failed to set \"%s\" up", LO);
	return loopback_report(args, &l, chained ? &own : res, err);
}

static int loopback_del(const struct cni_args *args, struct cni_error *err)
{
	cni_auto(loopback) struct loopback l = { .netns = -1, .nl = CNI_NL_INIT };
	struct cni_error why = { 0 };
	int r;

	if (!*args->netns)
		return 0;
	r = loopback_open(args, &l, &why);
	if (cni_netns_is_gone(r))
		return 0;
	if (r < 0) {
		*err = why;
		return r;
	}
	r = cni_link_set_flags(&l.nl, l.lo.index, 0, IFF_UP);
	return r < 0 ? cni_nl_fail(&l.nl, err, r, "failed to set \"%s\" down", LO) : 0;
}

static int loopback_check(const struct cni_args *args, struct cni_error *err)
{
	cni_auto(loopback) struct loopback l = { .netns = -1, .nl = CNI_NL_INIT };
	int r;

	r = loopback_open(args, &l, err);
	if (r < 0)
		return r;
	if (l.lo.flags & IFF_UP)
		return 0;
	return cni_fail(err, CNI_E_INTERNAL, 0, "loopback interface is down");
}

const struct cni_plugin cni_plugin_loopback = {
	.name = "loopback",
	.oldest = CNI_V0_1_0,
	.add = loopback_add,
	.del = loopback_del,
	.check = loopback_check,
	.gc = cni_noop,
	.status = cni_noop,
};
