/*
 * What both backends of host ports share; see hostport.h.
 */
#include "hostport.h"
#include "hostport_claim.h"
#include "ipt.h"
#include "nl_link.h"
#include "nl_route.h"
#include "sysctl.h"

#include <errno.h>
#include <string.h>

const struct cni_hostport_ops *const cni_hostport_backends[] = { &cni_hostport_nft,
								 &cni_hostport_ipt, NULL };

const struct cni_hostport_ops *cni_hostport_default(void)
{
	return cni_ipt_is_usable() ? &cni_hostport_ipt : &cni_hostport_nft;
}

static int commit_removal(struct cni_nft_tx *tx, struct cni_error *err)
{
	int r = cni_nft_tx_commit(tx, err);

	return r < 0 ? r : tx->changed;
}

static int remove_rules(const struct cni_hostport *hp, const struct cni_hostport_ops *backend,
			struct cni_error *err)
{
	cni_auto(nft_tx) struct cni_nft_tx tx = { .n = 0 };
	int r = backend->del(hp, &tx, err);

	return cni_hostport_joined(r, commit_removal(&tx, err));
}

/* Something is in the way of one of them: what can go, goes. */
static int remove_each(const struct cni_hostport *hp, struct cni_error *err)
{
	cni_auto(nft_tx) struct cni_nft_tx owners = { .n = 0 };
	int result = 0;

	for (size_t i = 0; cni_hostport_backends[i]; i++)
		result = cni_hostport_joined(result,
					     remove_rules(hp, cni_hostport_backends[i], err));
	if (result >= 0)
		result = cni_hostport_joined(result, cni_claim_drop(hp, &owners, err));
	return result < 0 ? result : cni_hostport_joined(result, commit_removal(&owners, err));
}

int cni_hostport_remove(const struct cni_hostport *hp, struct cni_error *err)
{
	cni_auto(nft_tx) struct cni_nft_tx tx = { .n = 0 };
	struct cni_error why = { 0 };
	int result = 0, r;

	for (size_t i = 0; cni_hostport_backends[i]; i++)
		result = cni_hostport_joined(result, cni_hostport_backends[i]->del(hp, &tx, err));
	if (result >= 0) /* else the rules that are left keep their ports */
		result = cni_hostport_joined(result, cni_claim_drop(hp, &tx, err));
	r = commit_removal(&tx, &why);
	if (r < 0 && r != -EAGAIN)
		r = remove_each(hp, err);
	else if (r < 0 && !err->set)
		*err = why;
	return cni_hostport_joined(result, r);
}

bool cni_hostport_concerns(const struct cni_hostport *hp, int family)
{
	return hp->ip[family].ip.family != AF_UNSPEC && hp->mappings.n > 0;
}

bool cni_hostport_has(const struct cni_hostport *hp, int family)
{
	if (hp->ip[family].ip.family == AF_UNSPEC)
		return false;
	for (size_t i = 0; i < hp->mappings.n; i++)
		if (cni_mapping_applies(&hp->mappings.item[i], cni_hostport_af(family)))
			return true;
	return false;
}

/* Whether a mapping before this one in the list is for the same port and address. */
static bool is_repeated(const struct cni_hostport *hp, size_t i, int family)
{
	const struct cni_mapping *m = &hp->mappings.item[i];

	for (size_t k = 0; k < i; k++) {
		const struct cni_mapping *o = &hp->mappings.item[k];

		if (cni_mapping_applies(o, cni_hostport_af(family)) && o->protocol == m->protocol &&
		    o->host_port == m->host_port &&
		    cni_mapping_is_any(o) == cni_mapping_is_any(m) &&
		    (cni_mapping_is_any(m) || cni_ip_cmp(&o->host_ip, &m->host_ip) == 0))
			return true;
	}
	return false;
}

bool cni_hostport_needs(const struct cni_hostport *hp, int family)
{
	return hp->ip[family].ip.family != AF_UNSPEC ||
	       (hp->ip[CNI_HOSTPORT_V4].ip.family == AF_UNSPEC &&
		hp->ip[CNI_HOSTPORT_V6].ip.family == AF_UNSPEC);
}

int cni_hostport_each_port(const struct cni_hostport *hp,
			   int (*fn)(const struct cni_mapping *m, int family, void *ctx), void *ctx)
{
	int r = 0;

	for (int f = 0; f < CNI_HOSTPORT_FAMILIES; f++)
		for (size_t i = 0; i < hp->mappings.n && r == 0; i++)
			if (cni_hostport_needs(hp, f) &&
			    cni_mapping_applies(&hp->mappings.item[i], cni_hostport_af(f)) &&
			    !is_repeated(hp, i, f))
				r = fn(&hp->mappings.item[i], f, ctx);
	return r;
}

static int count_one(const struct cni_mapping *m, int family, void *ctx)
{
	(void)m;
	(void)family;
	++*(unsigned int *)ctx;
	return 0;
}

unsigned int cni_hostport_count(const struct cni_hostport *hp)
{
	unsigned int n = 0;

	(void)cni_hostport_each_port(hp, count_one, &n);
	return n;
}

static bool is_other_interface(const struct cni_hostport *hp, const struct cni_result *prev,
			       const struct cni_ipconf *ip)
{
	const struct cni_iface *iface;

	if (ip->iface < 0 || (size_t)ip->iface >= prev->n_ifaces)
		return false;
	iface = &prev->ifaces[ip->iface];
	return !iface->sandbox || !*iface->sandbox || !iface->name ||
	       strcmp(iface->name, hp->ifname) != 0;
}

void cni_hostport_addresses(struct cni_hostport *hp, const struct cni_result *prev)
{
	for (size_t i = 0; i < prev->n_ips; i++) {
		const struct cni_ipconf *ip = &prev->ips[i];
		bool v4 = ip->address.ip.family == AF_INET;
		struct cni_prefix *place = &hp->ip[v4 ? CNI_HOSTPORT_V4 : CNI_HOSTPORT_V6];

		if (place->ip.family == AF_UNSPEC && !is_other_interface(hp, prev, ip))
			*place = ip->address;
	}
}

int cni_hostport_enable_localhost(const struct cni_hostport *hp, struct cni_error *err)
{
	cni_auto(nl) struct cni_nl nl = CNI_NL_INIT;
	const struct cni_ip *ip = &hp->ip[CNI_HOSTPORT_V4].ip;
	struct cni_route_hit hit = { 0 };
	struct cni_sysctl localnet;
	struct cni_link link;
	int r;

	if (!hp->snat || !cni_hostport_has(hp, CNI_HOSTPORT_V4))
		return 0;
	r = cni_nl_open(&nl, -1, err);
	if (r < 0)
		return r;
	r = cni_route_get(&nl, ip, &hit);
	if (r < 0 || !hit.on_link || cni_link_get_index(&nl, hit.ifindex, &link) < 0)
		return 0; /* nothing leads there now, or a router does */
	cni_sysctl_init(&localnet, "1", true, "ipv4/conf/%s/route_localnet", link.name);
	r = cni_sysctl_write(-1, &localnet, 1, err);
	if (r < 0 || localnet.result < 0)
		return cni_fail(err, CNI_E_INTERNAL, -(r < 0 ? r : localnet.result),
				"unable to enable route_localnet of %s", link.name);
	return 0;
}
