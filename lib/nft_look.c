/*
 * What is in a chain of nf_tables; see nft_look.h.
 */
#include "nft_look.h"
#include "nft_udata.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <libnftnl/common.h>
#include <libnftnl/rule.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <string.h>

static int take_chain(const struct nlmsghdr *h, void *ctx)
{
	struct cni_nft_chain *ret = ctx;
	const struct nlattr *attr;

	mnl_attr_for_each(attr, h, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attr) == NFTA_CHAIN_USE &&
		    mnl_attr_validate(attr, MNL_TYPE_U32) == 0)
			ret->use = ntohl(mnl_attr_get_u32(attr)) & INT32_MAX;
		else if (mnl_attr_get_type(attr) == NFTA_CHAIN_HANDLE &&
			 mnl_attr_validate(attr, MNL_TYPE_U64) == 0)
			ret->handle = be64toh(mnl_attr_get_u64(attr));
		else if (mnl_attr_get_type(attr) == NFTA_CHAIN_USERDATA)
			snprintf(ret->comment, sizeof(ret->comment), "%s",
				 cni_nft_udata_comment(mnl_attr_get_payload(attr),
						       mnl_attr_get_payload_len(attr)));
	}
	return 0;
}

int cni_nft_chain_get(struct cni_nft *nft, uint32_t family, const char *table, const char *chain,
		      struct cni_nft_chain *ret)
{
	char buf[512] __attribute__((aligned(4))) = { 0 }; /* names have less than 256 bytes */
	struct nlmsghdr *h = nftnl_nlmsg_build_hdr(buf, NFT_MSG_GETCHAIN, (uint16_t)family, 0, 0);

	*ret = (struct cni_nft_chain){ 0 };
	if (strlen(table) >= NFT_TABLE_MAXNAMELEN / 2 || strlen(chain) >= NFT_CHAIN_MAXNAMELEN / 2)
		return -ENAMETOOLONG;
	mnl_attr_put_strz(h, NFTA_CHAIN_TABLE, table);
	mnl_attr_put_strz(h, NFTA_CHAIN_NAME, chain);
	return cni_nft_ask(nft, h, take_chain, ret);
}

int cni_nft_chain_use(struct cni_nft *nft, uint32_t family, const char *table, const char *chain)
{
	struct cni_nft_chain c;
	int r = cni_nft_chain_get(nft, family, table, chain, &c);

	return r < 0 ? r : (int)c.use;
}

int cni_nft_chain_exists(struct cni_nft *nft, uint32_t family, const char *table, const char *chain)
{
	int r = cni_nft_chain_use(nft, family, table, chain);

	return r == -ENOENT ? 0 : r < 0 ? r : 1;
}

struct each {
	int (*fn)(const struct nftnl_rule *rule, void *ctx);
	void *ctx;
};

static int on_rule(const struct nlmsghdr *h, void *ctx)
{
	struct nftnl_rule *rule = nftnl_rule_alloc();
	const struct each *each = ctx;
	int r = rule ? 0 : -ENOMEM;

	if (rule && nftnl_rule_nlmsg_parse(h, rule) == 0)
		r = each->fn(rule, each->ctx);
	if (rule)
		nftnl_rule_free(rule);
	return r;
}

int cni_nft_each_rule(struct cni_nft *nft, uint32_t family, const char *table, const char *chain,
		      int (*fn)(const struct nftnl_rule *rule, void *ctx), void *ctx)
{
	struct nftnl_rule *which = cni_nft_rule(family, table, chain, "");
	char buf[1024] __attribute__((aligned(4))) = { 0 }; /* table and chain */
	struct each each = { fn, ctx };
	struct nlmsghdr *h;
	int r;

	if (!which)
		return -ENOMEM;
	h = nftnl_nlmsg_build_hdr(buf, NFT_MSG_GETRULE, (uint16_t)family, NLM_F_DUMP, 0);
	nftnl_rule_nlmsg_build_payload(h, which);
	nftnl_rule_free(which);
	r = cni_nft_ask(nft, h, on_rule, &each);
	return r == -ENOENT ? 0 : r;
}

static int take_rule(const struct nlmsghdr *h, void *ctx)
{
	struct nftnl_rule **ret = ctx;
	struct nftnl_rule *rule = nftnl_rule_alloc();

	if (!rule)
		return -ENOMEM;
	if (*ret || nftnl_rule_nlmsg_parse(h, rule) < 0)
		nftnl_rule_free(rule);
	else
		*ret = rule;
	return 0;
}

int cni_nft_rule_get(struct cni_nft *nft, uint32_t family, const char *table, const char *chain,
		     uint64_t handle, struct nftnl_rule **ret)
{
	struct nftnl_rule *which = cni_nft_rule(family, table, chain, "");
	char buf[1024] __attribute__((aligned(4))) = { 0 }; /* table, chain and handle */
	struct nlmsghdr *h;
	int r;

	*ret = NULL;
	if (!which)
		return -ENOMEM;
	nftnl_rule_set_u64(which, NFTNL_RULE_HANDLE, handle);
	h = nftnl_nlmsg_build_hdr(buf, NFT_MSG_GETRULE, (uint16_t)family, 0, 0);
	nftnl_rule_nlmsg_build_payload(h, which);
	nftnl_rule_free(which);
	r = cni_nft_ask(nft, h, take_rule, ret);
	return r == 0 && !*ret ? -ENOENT : r;
}
