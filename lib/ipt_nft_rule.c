/*
 * Rules of iptables-nft; see ipt_nft_rule.h. It says in expressions of nf_tables what these can say, and
 * leaves the rest to the modules of x_tables.
 */
#include "ipt_nft_rule.h"
#include "ipt_xt.h"
#include "nft_expr.h"

#include <libnftnl/expr.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

/* ---- writing ---- */

static void encode_iface(struct nftnl_rule *out, uint32_t key, const struct cni_ipt_iface *iface)
{
	char name[CNI_IPT_IFACE_LEN];
	size_t len = strlen(iface->name);
	bool whole = len == 0 || iface->name[len - 1] != '+';

	memcpy(name, iface->name, sizeof(name));
	if (!whole)
		name[len - 1] = '\0';
	if (*name)
		cni_nft_match_ifname(out, key, !iface->invert, name, whole);
}

static void encode_addr(struct nftnl_rule *out, enum cni_nft_side side,
			const struct cni_ipt_addr *addr)
{
	if (addr->prefix.len > 0)
		cni_nft_match_addr(out, side, !addr->invert, &addr->prefix);
}

static void encode_matches(struct nftnl_rule *out, const struct cni_ipt_rule *rule)
{
	struct cni_xt xt[CNI_XT_MATCHES];
	size_t n = cni_xt_matches(rule, true, xt), i = 0;

	if (*rule->comment) {
		cni_nft_xt_match(out, xt[0].name, xt[0].revision, &xt[0].data, xt[0].len);
		i++;
	}
	if (rule->dport && (rule->protocol == IPPROTO_TCP || rule->protocol == IPPROTO_UDP))
		cni_nft_match_port(out, rule->dport);
	if (rule->mark_mask)
		cni_nft_match_mark(out, rule->mark, rule->mark_mask);
	for (; i < n; i++)
		cni_nft_xt_match(out, xt[i].name, xt[i].revision, &xt[i].data, xt[i].len);
}

static void encode_verdict(struct nftnl_rule *out, sa_family_t family,
			   const struct cni_ipt_rule *rule)
{
	struct cni_xt xt;

	switch (rule->verdict) {
	case CNI_IPT_CONTINUE:
		break;
	case CNI_IPT_ACCEPT:
		cni_nft_verdict(out, NF_ACCEPT, NULL);
		break;
	case CNI_IPT_DROP:
		cni_nft_verdict(out, NF_DROP, NULL);
		break;
	case CNI_IPT_RETURN:
		cni_nft_verdict(out, NFT_RETURN, NULL);
		break;
	case CNI_IPT_JUMP:
		cni_nft_verdict(out, NFT_JUMP, rule->chain);
		break;
	case CNI_IPT_MASQUERADE:
	case CNI_IPT_DNAT:
	case CNI_IPT_MARK:
		if (cni_xt_target(rule, family, &xt))
			cni_nft_xt_target(out, xt.name, xt.revision, &xt.data, xt.len);
		break;
	}
}

struct nftnl_rule *cni_ipt_nft_encode(sa_family_t family, const char *table, const char *chain,
				      const struct cni_ipt_rule *rule)
{
	uint32_t nfproto = family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6;
	struct nftnl_rule *out = cni_nft_rule(nfproto, table, chain, "");

	if (!out)
		return NULL;
	encode_iface(out, NFT_META_IIFNAME, &rule->in);
	encode_iface(out, NFT_META_OIFNAME, &rule->out);
	if (rule->protocol) {
		cni_nft_match_protocol(out, rule->protocol);
		/* Modules of x_tables look here for the protocol that they are made for. */
		nftnl_rule_set_u32(out, NFTNL_RULE_COMPAT_PROTO, rule->protocol);
		nftnl_rule_set_u32(out, NFTNL_RULE_COMPAT_FLAGS, 0);
	}
	encode_addr(out, CNI_NFT_SOURCE, &rule->source);
	encode_addr(out, CNI_NFT_DESTINATION, &rule->destination);
	encode_matches(out, rule);
	cni_nft_counter(out);
	encode_verdict(out, family, rule);
	return out;
}

/* ---- reading ---- */

/* What a register holds, and the part of it that is going to be compared. */
struct loaded {
	enum { NOTHING, META, NETWORK, TRANSPORT } what;
	uint32_t reg;
	uint32_t key; /* of META: NFT_META_*; else the offset */
	uint32_t len; /* bytes; of META not known */
	bool masked;
	uint8_t mask[16];
};

struct reading {
	struct cni_ipt_rule *rule;
	sa_family_t family;
	struct loaded loaded;
	bool foreign;
};

static bool load(struct reading *rd, const struct nftnl_expr *e, const char *name)
{
	struct loaded *l = &rd->loaded;
	uint32_t base;

	if (l->what != NOTHING) /* what was loaded before was not compared */
		return false;
	if (strcmp(name, "meta") == 0) {
		if (!nftnl_expr_is_set(e, NFTNL_EXPR_META_DREG))
			return false;
		*l = (struct loaded){ .what = META };
		l->key = nftnl_expr_get_u32(e, NFTNL_EXPR_META_KEY);
		l->reg = nftnl_expr_get_u32(e, NFTNL_EXPR_META_DREG);
		return true;
	}
	base = nftnl_expr_get_u32(e, NFTNL_EXPR_PAYLOAD_BASE);
	if (!nftnl_expr_is_set(e, NFTNL_EXPR_PAYLOAD_DREG) ||
	    (base != NFT_PAYLOAD_NETWORK_HEADER && base != NFT_PAYLOAD_TRANSPORT_HEADER))
		return false;
	*l = (struct loaded){ .what = base == NFT_PAYLOAD_NETWORK_HEADER ? NETWORK : TRANSPORT };
	l->key = nftnl_expr_get_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET);
	l->len = nftnl_expr_get_u32(e, NFTNL_EXPR_PAYLOAD_LEN);
	l->reg = nftnl_expr_get_u32(e, NFTNL_EXPR_PAYLOAD_DREG);
	return true;
}

static bool read_mask(struct loaded *l, const struct nftnl_expr *e)
{
	static const uint8_t zero[16];
	uint32_t mask_len = 0, xor_len = 0;
	const void *mask = nftnl_expr_get(e, NFTNL_EXPR_BITWISE_MASK, &mask_len);
	const void * xor = nftnl_expr_get(e, NFTNL_EXPR_BITWISE_XOR, &xor_len);

	if (l->what == NOTHING || l->masked || !mask || !xor || mask_len > sizeof(l->mask) ||
	    xor_len > sizeof(zero) || memcmp(xor, zero, xor_len) != 0 ||
	    nftnl_expr_get_u32(e, NFTNL_EXPR_BITWISE_SREG) != l->reg ||
	    nftnl_expr_get_u32(e, NFTNL_EXPR_BITWISE_DREG) != l->reg)
		return false;
	l->masked = true;
	memcpy(l->mask, mask, mask_len);
	return true;
}

/* @return the number of leading ones; -1 if a one follows on a zero */
static int prefix_len(const uint8_t *mask, size_t size)
{
	unsigned int len = 0, bits = (unsigned int)size * 8;

	while (len < bits && (mask[len / 8] & (0x80 >> len % 8)))
		len++;
	for (unsigned int i = len; i < bits; i++)
		if (mask[i / 8] & (0x80 >> i % 8))
			return -1;
	return (int)len;
}

static bool compare_addr(const struct reading *rd, bool equal, const uint8_t *data, uint32_t len,
			 struct cni_ipt_addr *addr)
{
	const struct loaded *l = &rd->loaded;
	size_t size = rd->family == AF_INET ? 4 : 16;
	int bits = l->masked ? prefix_len(l->mask, size) : (int)len * 8;

	if (addr->prefix.len > 0 || len != l->len || len > size || bits <= 0 ||
	    (l->masked && len != size))
		return false;
	addr->prefix.ip.family = rd->family;
	memcpy(addr->prefix.ip.b, data, len);
	addr->prefix.len = (unsigned int)bits;
	addr->invert = !equal;
	return true;
}

static bool compare_protocol(struct cni_ipt_rule *rule, bool equal, const uint8_t *data,
			     uint32_t len)
{
	if (!equal || len != 1 || rule->protocol)
		return false;
	rule->protocol = *data;
	return true;
}

static bool compare_iface(struct cni_ipt_iface *iface, bool equal, const uint8_t *data,
			  uint32_t len)
{
	const uint8_t *end = memchr(data, '\0', len);
	size_t n = end ? (size_t)(end - data) : len;

	if (*iface->name || n == 0 || n + (end ? 1 : 2) > sizeof(iface->name) ||
	    (end && data[n - 1] == '+')) /* a whole name, which the model would take for a part */
		return false;
	memcpy(iface->name, data, n);
	if (!end)
		iface->name[n] = '+';
	iface->invert = !equal;
	return true;
}

static bool compare_meta(const struct reading *rd, bool equal, const uint8_t *data, uint32_t len)
{
	const struct loaded *l = &rd->loaded;
	struct cni_ipt_rule *rule = rd->rule;

	if (l->key == NFT_META_MARK && equal && len == 4 && !rule->mark_mask) {
		memcpy(&rule->mark, data, sizeof(rule->mark));
		rule->mark_mask = UINT32_MAX;
		if (l->masked)
			memcpy(&rule->mark_mask, l->mask, sizeof(rule->mark_mask));
		return rule->mark_mask != 0;
	}
	if (l->masked)
		return false;
	if (l->key == NFT_META_L4PROTO)
		return compare_protocol(rule, equal, data, len);
	if (l->key == NFT_META_IIFNAME)
		return compare_iface(&rule->in, equal, data, len);
	if (l->key == NFT_META_OIFNAME)
		return compare_iface(&rule->out, equal, data, len);
	return false;
}

/* Offsets: RFC 791, RFC 8200. */
static bool compare_network(const struct reading *rd, bool equal, const uint8_t *data, uint32_t len)
{
	bool v4 = rd->family == AF_INET;
	uint32_t offset = rd->loaded.key;

	if (offset == (v4 ? 12 : 8))
		return compare_addr(rd, equal, data, len, &rd->rule->source);
	if (offset == (v4 ? 16 : 24))
		return compare_addr(rd, equal, data, len, &rd->rule->destination);
	if (offset == (v4 ? 9 : 6) && !rd->loaded.masked) /* before 1.8.8 */
		return compare_protocol(rd->rule, equal, data, len);
	return false;
}

static bool compare_port(const struct reading *rd, bool equal, const uint8_t *data, uint32_t len)
{
	struct cni_ipt_rule *rule = rd->rule;

	if (!equal || len != 2 || rd->loaded.key != 2 || rd->loaded.len != 2 || rd->loaded.masked ||
	    rule->dport || (rule->protocol != IPPROTO_TCP && rule->protocol != IPPROTO_UDP))
		return false;
	rule->dport = (uint16_t)(data[0] << 8 | data[1]);
	return rule->dport != 0;
}

static bool compare(struct reading *rd, const struct nftnl_expr *e)
{
	uint32_t op = nftnl_expr_get_u32(e, NFTNL_EXPR_CMP_OP), len = 0;
	const uint8_t *data = nftnl_expr_get(e, NFTNL_EXPR_CMP_DATA, &len);
	bool equal = op == NFT_CMP_EQ;
	bool known = false;

	if (!data || (!equal && op != NFT_CMP_NEQ) ||
	    nftnl_expr_get_u32(e, NFTNL_EXPR_CMP_SREG) != rd->loaded.reg)
		return false;
	switch (rd->loaded.what) {
	case NOTHING:
		break;
	case META:
		known = compare_meta(rd, equal, data, len);
		break;
	case NETWORK:
		known = compare_network(rd, equal, data, len);
		break;
	case TRANSPORT:
		known = compare_port(rd, equal, data, len);
		break;
	}
	rd->loaded.what = NOTHING;
	return known;
}

static bool read_verdict(struct cni_ipt_rule *rule, const struct nftnl_expr *e)
{
	const char *chain = nftnl_expr_get_str(e, NFTNL_EXPR_IMM_CHAIN);
	uint32_t verdict;

	if (nftnl_expr_get_u32(e, NFTNL_EXPR_IMM_DREG) != NFT_REG_VERDICT ||
	    !nftnl_expr_is_set(e, NFTNL_EXPR_IMM_VERDICT) || rule->verdict != CNI_IPT_CONTINUE)
		return false;
	verdict = nftnl_expr_get_u32(e, NFTNL_EXPR_IMM_VERDICT);
	if (verdict == NF_ACCEPT) {
		rule->verdict = CNI_IPT_ACCEPT;
	} else if (verdict == NF_DROP) {
		rule->verdict = CNI_IPT_DROP;
	} else if (verdict == (uint32_t)NFT_RETURN) {
		rule->verdict = CNI_IPT_RETURN;
	} else if (verdict == (uint32_t)NFT_JUMP || verdict == (uint32_t)NFT_GOTO) {
		if (!chain || strlen(chain) >= sizeof(rule->chain))
			return false;
		rule->verdict = CNI_IPT_JUMP;
		memcpy(rule->chain, chain, strlen(chain) + 1);
		return verdict == (uint32_t)NFT_JUMP;
	} else {
		return false;
	}
	return true;
}

static int read_expr(struct nftnl_expr *e, void *ctx)
{
	const char *name = nftnl_expr_get_str(e, NFTNL_EXPR_NAME);
	struct reading *rd = ctx;
	uint32_t len = 0;
	const void *data;
	bool known = false;

	if (strcmp(name, "counter") == 0) {
		known = true;
	} else if (strcmp(name, "meta") == 0 || strcmp(name, "payload") == 0) {
		known = load(rd, e, name);
	} else if (strcmp(name, "bitwise") == 0) {
		known = read_mask(&rd->loaded, e);
	} else if (strcmp(name, "cmp") == 0) {
		known = compare(rd, e);
	} else if (strcmp(name, "immediate") == 0) {
		known = read_verdict(rd->rule, e);
	} else if (strcmp(name, "match") == 0) {
		data = nftnl_expr_get(e, NFTNL_EXPR_MT_INFO, &len);
		known = data && cni_xt_read_match(nftnl_expr_get_str(e, NFTNL_EXPR_MT_NAME),
						  nftnl_expr_get_u32(e, NFTNL_EXPR_MT_REV), data,
						  len, rd->rule);
	} else if (strcmp(name, "target") == 0) {
		data = nftnl_expr_get(e, NFTNL_EXPR_TG_INFO, &len);
		known = data && cni_xt_read_target(nftnl_expr_get_str(e, NFTNL_EXPR_TG_NAME),
						   nftnl_expr_get_u32(e, NFTNL_EXPR_TG_REV), data,
						   len, rd->family, rd->rule);
	}
	rd->foreign |= !known;
	return 0; /* go on: the comment and the chain may follow */
}

void cni_ipt_nft_decode(const struct nftnl_rule *from, sa_family_t family, struct cni_ipt_rule *ret)
{
	struct reading rd = { .rule = ret, .family = family };

	*ret = (struct cni_ipt_rule){ 0 };
	/* libnftnl's iterator takes no const, and changes nothing. */
	(void)nftnl_expr_foreach((struct nftnl_rule *)from, read_expr, &rd);
	ret->foreign = rd.foreign || rd.loaded.what != NOTHING;
}
