/*
 * Rules of host ports in native nf_tables; see hostport_nft_rule.h.
 */
#include "hostport_nft_rule.h"
#include "nft_expr.h"
#include "nft_udata.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>
#include <string.h>

uint32_t cni_hostport_nfproto(int family)
{
	return family == CNI_HOSTPORT_V4 ? NFPROTO_IPV4 : NFPROTO_IPV6;
}

/* ---- whose rules ---- */

int cni_hostport_owner_of(const struct cni_hostport *hp, struct cni_hostport_owner *ret)
{
	snprintf(ret->comment, sizeof(ret->comment), "%s", hp->containerid);
	return cni_owner(hp->net, hp->containerid, hp->ifname, ret->owner);
}

bool cni_hostport_is_own(const struct nftnl_rule *rule, const void *ctx)
{
	const char *owner = cni_nft_owner(rule);
	const struct cni_hostport_owner *o = ctx;

	return strcmp(cni_nft_comment(rule), o->comment) == 0 &&
	       (!*owner || strcmp(owner, o->owner) == 0);
}

/* ---- rules ---- */

struct nftnl_rule *cni_hostport_nft_jump(int family, const char *from, const char *to)
{
	struct nftnl_rule *rule =
		cni_nft_rule(cni_hostport_nfproto(family), CNI_HOSTPORT_TABLE, from, "");

	cni_nft_verdict(rule, NFT_JUMP, to);
	return rule;
}

struct nftnl_rule *cni_hostport_nft_capture(int family, const char *from)
{
	struct nftnl_rule *rule =
		cni_nft_rule(cni_hostport_nfproto(family), CNI_HOSTPORT_TABLE, from, "");

	cni_nft_match_local(rule);
	cni_nft_verdict(rule, NFT_JUMP, CNI_HOSTPORT_ALL_PORTS);
	return rule;
}

struct nftnl_rule *cni_hostport_nft_drop_from_outside(void)
{
	static const struct cni_prefix net127 = { .ip = { .family = AF_INET, .b = { 127 } },
						  .len = 8 };
	struct nftnl_rule *rule = cni_nft_rule(NFPROTO_IPV4, CNI_HOSTPORT_TABLE,
					       CNI_HOSTPORT_LOCALHOST,
					       "127.0.0.0/8 is for this host only");

	cni_nft_match_iif(rule, false, "lo");
	cni_nft_match_addr(rule, CNI_NFT_DESTINATION, true, &net127);
	cni_nft_verdict(rule, NF_DROP, NULL);
	return rule;
}

static struct nftnl_rule *own_rule(int family, const char *chain,
				   const struct cni_hostport_owner *o)
{
	struct nftnl_rule *rule =
		cni_nft_rule(cni_hostport_nfproto(family), CNI_HOSTPORT_TABLE, chain, o->comment);

	cni_nft_set_owner(rule, o->owner);
	return rule;
}

struct nftnl_rule *cni_hostport_nft_condition(const struct cni_hostport *hp, int family,
					      const struct cni_hostport_owner *o)
{
	struct nftnl_rule *rule = own_rule(family, CNI_HOSTPORT_PORTS, o);
	const struct cni_condition *c = &hp->condition[family];

	if (c->source.ip.family != AF_UNSPEC)
		cni_nft_match_addr(rule, CNI_NFT_SOURCE, !c->not_source, &c->source);
	if (c->destination.ip.family != AF_UNSPEC)
		cni_nft_match_addr(rule, CNI_NFT_DESTINATION, !c->not_destination, &c->destination);
	if (*c->in)
		cni_nft_match_iif(rule, !c->not_in, c->in);
	return rule;
}

struct nftnl_rule *cni_hostport_nft_forward(const struct cni_hostport *hp, int family,
					    const struct cni_mapping *m,
					    const struct cni_hostport_owner *o)
{
	struct nftnl_rule *rule = cni_hostport_nft_condition(hp, family, o);

	if (!cni_mapping_is_any(m)) {
		struct cni_prefix host = cni_prefix_alone(&m->host_ip);

		cni_nft_match_addr(rule, CNI_NFT_DESTINATION, true, &host);
	}
	cni_nft_match_dport(rule, m->protocol, m->host_port);
	cni_nft_dnat(rule, &hp->ip[family].ip, m->container_port);
	return rule;
}

/* Masquerade what is translated to the container, if it comes from `source` (NULL: from anywhere). */
static struct nftnl_rule *masquerade_from(const struct cni_hostport *hp, int family,
					  const struct cni_prefix *source,
					  const struct cni_hostport_owner *o)
{
	struct nftnl_rule *rule = own_rule(family, CNI_HOSTPORT_MASQUERADING, o);
	struct cni_prefix self = { .ip = hp->ip[family].ip };

	self.len = cni_ip_bits(&self.ip);
	if (source)
		cni_nft_match_addr(rule, CNI_NFT_SOURCE, true, source);
	cni_nft_match_addr(rule, CNI_NFT_DESTINATION, true, &self);
	cni_nft_match_dnat(rule);
	cni_nft_masquerade(rule);
	return rule;
}

struct nftnl_rule *cni_hostport_nft_masquerade(const struct cni_hostport *hp, int family,
					       const struct cni_hostport_owner *o)
{
	return masquerade_from(hp, family, hp->masq_all ? NULL : &hp->ip[family], o);
}

struct nftnl_rule *cni_hostport_nft_masquerade_localhost(const struct cni_hostport *hp,
							 const struct cni_hostport_owner *o)
{
	static const struct cni_prefix localhost = {
		.ip = { .family = AF_INET, .b = { 127, 0, 0, 1 } }, .len = 32
	};

	return masquerade_from(hp, CNI_HOSTPORT_V4, &localhost, o);
}
