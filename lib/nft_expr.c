/*
 * What rules are made of; see nft_expr.h. Expressions are encoded as nft(8) does, so that its listing
 * reads as if nft had written them.
 */
#include "nft_expr.h"
#include "buf.h"

#include <arpa/inet.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

static struct nftnl_expr *expr(struct nftnl_rule *rule, const char *name)
{
	struct nftnl_expr *e = rule ? nftnl_expr_alloc(name) : NULL;

	if (e)
		nftnl_rule_add_expr(rule, e);
	else if (rule)
		nftnl_rule_unset(rule, NFTNL_RULE_CHAIN);
	return e;
}

static void compare(struct nftnl_rule *rule, bool equal, const void *data, size_t len)
{
	struct nftnl_expr *e = expr(rule, "cmp");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, equal ? NFT_CMP_EQ : NFT_CMP_NEQ);
	nftnl_expr_set(e, NFTNL_EXPR_CMP_DATA, data, (uint32_t)len);
}

static void load_meta(struct nftnl_rule *rule, uint32_t key)
{
	struct nftnl_expr *e = expr(rule, "meta");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, key);
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_DREG, NFT_REG_1);
}

static void load_payload(struct nftnl_rule *rule, uint32_t base, uint32_t offset, uint32_t len)
{
	struct nftnl_expr *e = expr(rule, "payload");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, base);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, len);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, NFT_REG_1);
}

/* Only a table of all families holds packets of another one. */
static void match_family(struct nftnl_rule *rule, uint8_t nfproto)
{
	if (!rule || nftnl_rule_get_u32(rule, NFTNL_RULE_FAMILY) != NFPROTO_INET)
		return;
	load_meta(rule, NFT_META_NFPROTO);
	compare(rule, true, &nfproto, sizeof(nfproto));
}

static void bitwise(struct nftnl_rule *rule, const void *and, uint32_t size)
{
	struct nftnl_expr *e = expr(rule, "bitwise");
	static const uint8_t zero[16];

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_LEN, size);
	nftnl_expr_set(e, NFTNL_EXPR_BITWISE_MASK, and, size);
	nftnl_expr_set(e, NFTNL_EXPR_BITWISE_XOR, zero, size);
}

static void mask(struct nftnl_rule *rule, const struct cni_prefix *p)
{
	struct cni_prefix ones = { .ip.family = p->ip.family, .len = p->len };
	uint32_t size = (uint32_t)cni_ip_size(&p->ip);
	struct cni_ip m;

	memset(ones.ip.b, 0xff, size);
	m = cni_prefix_network(&ones);
	bitwise(rule, m.b, size);
}

void cni_nft_match_addr(struct nftnl_rule *rule, enum cni_nft_side side, bool inside,
			const struct cni_prefix *p)
{
	bool v4 = p->ip.family == AF_INET, whole_bytes = p->len % 8 == 0 && p->len > 0;
	size_t size = cni_ip_size(&p->ip), len = whole_bytes ? p->len / 8 : size;
	uint32_t offset = v4 ? 12 : 8; /* of the source address (RFC 791, RFC 8200) */
	struct cni_ip net = cni_prefix_network(p);

	if (side == CNI_NFT_DESTINATION)
		offset += (uint32_t)size;
	match_family(rule, v4 ? NFPROTO_IPV4 : NFPROTO_IPV6);
	load_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, offset, (uint32_t)len);
	if (!whole_bytes)
		mask(rule, p);
	compare(rule, inside, net.b, len);
}

void cni_nft_match_protocol(struct nftnl_rule *rule, uint8_t protocol)
{
	load_meta(rule, NFT_META_L4PROTO);
	compare(rule, true, &protocol, sizeof(protocol));
}

void cni_nft_match_port(struct nftnl_rule *rule, uint16_t port)
{
	uint16_t wire = htons(port);

	/* At the same place in TCP, UDP and SCTP (RFC 9293, RFC 768, RFC 9260). */
	load_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 2, sizeof(wire));
	compare(rule, true, &wire, sizeof(wire));
}

void cni_nft_match_dport(struct nftnl_rule *rule, uint8_t protocol, uint16_t port)
{
	cni_nft_match_protocol(rule, protocol);
	cni_nft_match_port(rule, port);
}

void cni_nft_match_iif(struct nftnl_rule *rule, bool equal, const char *name)
{
	char padded[IFNAMSIZ] = { 0 };

	memcpy(padded, name, strnlen(name, sizeof(padded) - 1));
	load_meta(rule, NFT_META_IIFNAME);
	compare(rule, equal, padded, sizeof(padded));
}

void cni_nft_match_ifname(struct nftnl_rule *rule, uint32_t key, bool equal, const char *name,
			  bool whole)
{
	load_meta(rule, key);
	compare(rule, equal, name, strlen(name) + (whole ? 1 : 0));
}

void cni_nft_match_mark(struct nftnl_rule *rule, uint32_t mark, uint32_t bits)
{
	load_meta(rule, NFT_META_MARK);
	if (bits != UINT32_MAX)
		bitwise(rule, &bits, sizeof(bits));
	compare(rule, true, &mark, sizeof(mark));
}

void cni_nft_match_source_mac(struct nftnl_rule *rule, const uint8_t mac[static CNI_MAC_LEN])
{
	load_payload(rule, NFT_PAYLOAD_LL_HEADER, CNI_MAC_LEN, CNI_MAC_LEN);
	compare(rule, true, mac, CNI_MAC_LEN);
}

void cni_nft_match_local(struct nftnl_rule *rule)
{
	struct nftnl_expr *e = expr(rule, "fib");
	uint32_t type = RTN_LOCAL;

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_FLAGS, NFTA_FIB_F_DADDR);
	nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
	nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_DREG, NFT_REG_1);
	compare(rule, true, &type, sizeof(type));
}

void cni_nft_match_dnat(struct nftnl_rule *rule)
{
	struct nftnl_expr *e = expr(rule, "ct");
	uint32_t dnat = IPS_DST_NAT, none = 0;

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_KEY, NFT_CT_STATUS);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_DREG, NFT_REG_1);
	bitwise(rule, &dnat, sizeof(dnat));
	compare(rule, false, &none, sizeof(none));
}

void cni_nft_verdict(struct nftnl_rule *rule, int verdict, const char *chain)
{
	struct nftnl_expr *e = expr(rule, "immediate");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_VERDICT, (uint32_t)verdict);
	if (chain)
		nftnl_expr_set_str(e, NFTNL_EXPR_IMM_CHAIN, chain);
}

void cni_nft_counter(struct nftnl_rule *rule)
{
	(void)expr(rule, "counter");
}

/* The expression takes the data over, and frees it. */
static void set_xt_data(struct nftnl_rule *rule, struct nftnl_expr *e, uint16_t attr,
			const void *data, size_t len)
{
	void *copy = malloc(len);

	if (!copy) {
		nftnl_rule_unset(rule, NFTNL_RULE_CHAIN);
		return;
	}
	memcpy(copy, data, len);
	nftnl_expr_set(e, attr, copy, (uint32_t)len);
}

void cni_nft_xt_match(struct nftnl_rule *rule, const char *name, uint32_t revision,
		      const void *data, size_t len)
{
	struct nftnl_expr *e = expr(rule, "match");

	if (!e)
		return;
	nftnl_expr_set_str(e, NFTNL_EXPR_MT_NAME, name);
	nftnl_expr_set_u32(e, NFTNL_EXPR_MT_REV, revision);
	set_xt_data(rule, e, NFTNL_EXPR_MT_INFO, data, len);
}

void cni_nft_xt_target(struct nftnl_rule *rule, const char *name, uint32_t revision,
		       const void *data, size_t len)
{
	struct nftnl_expr *e = expr(rule, "target");

	if (!e)
		return;
	nftnl_expr_set_str(e, NFTNL_EXPR_TG_NAME, name);
	nftnl_expr_set_u32(e, NFTNL_EXPR_TG_REV, revision);
	set_xt_data(rule, e, NFTNL_EXPR_TG_INFO, data, len);
}

void cni_nft_masquerade(struct nftnl_rule *rule)
{
	(void)expr(rule, "masq");
}

void cni_nft_masquerade_random(struct nftnl_rule *rule)
{
	struct nftnl_expr *e = expr(rule, "masq");

	if (e)
		nftnl_expr_set_u32(e, NFTNL_EXPR_MASQ_FLAGS, NF_NAT_RANGE_PROTO_RANDOM_FULLY);
}

static void load_value(struct nftnl_rule *rule, uint32_t reg, const void *data, size_t len)
{
	struct nftnl_expr *e = expr(rule, "immediate");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, reg);
	nftnl_expr_set(e, NFTNL_EXPR_IMM_DATA, data, (uint32_t)len);
}

void cni_nft_dnat(struct nftnl_rule *rule, const struct cni_ip *to, uint16_t port)
{
	uint16_t wire = htons(port);
	struct nftnl_expr *e;

	load_value(rule, NFT_REG_1, to->b, cni_ip_size(to));
	load_value(rule, NFT_REG_2, &wire, sizeof(wire));
	e = expr(rule, "nat");
	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_TYPE, NFT_NAT_DNAT);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_FAMILY,
			   to->family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6);
	/* All that the kernel would fill in, too, so that a listed rule compares equal. */
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_ADDR_MIN, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_ADDR_MAX, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_PROTO_MIN, NFT_REG_2);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_PROTO_MAX, NFT_REG_2);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_FLAGS,
			   NF_NAT_RANGE_MAP_IPS | NF_NAT_RANGE_PROTO_SPECIFIED);
}

/* ---- comparing ---- */

static int print(struct nftnl_expr *e, void *ctx)
{
	struct cni_buf *text = ctx;
	char buf[512];

	nftnl_expr_snprintf(buf, sizeof(buf), e, NFTNL_OUTPUT_DEFAULT, 0);
	cni_buf_printf(text, "[%s %s]", nftnl_expr_get_str(e, NFTNL_EXPR_NAME), buf);
	return 0;
}

void cni_nft_text(const struct nftnl_rule *rule, struct cni_buf *ret)
{
	/* libnftnl's iterator takes no const, and changes nothing. */
	(void)nftnl_expr_foreach((struct nftnl_rule *)rule, print, ret);
}

bool cni_nft_ends_in(const struct nftnl_rule *rule, const struct nftnl_rule *part)
{
	cni_auto(buf) struct cni_buf all = { 0 }, end = { 0 };

	cni_nft_text(rule, &all);
	cni_nft_text(part, &end);
	return !all.failed && !end.failed && all.len >= end.len && end.len > 0 &&
	       strcmp(all.data + all.len - end.len, end.data) == 0;
}

struct target {
	const char *chain;
	bool found;
};

static int is_target(struct nftnl_expr *e, void *ctx)
{
	struct target *t = ctx;

	if (strcmp(nftnl_expr_get_str(e, NFTNL_EXPR_NAME), "immediate") == 0 &&
	    nftnl_expr_is_set(e, NFTNL_EXPR_IMM_CHAIN))
		t->found |= strcmp(nftnl_expr_get_str(e, NFTNL_EXPR_IMM_CHAIN), t->chain) == 0;
	return 0;
}

bool cni_nft_leads_to(const struct nftnl_rule *rule, const char *chain)
{
	struct target t = { .chain = chain };

	(void)nftnl_expr_foreach((struct nftnl_rule *)rule, is_target, &t);
	return t.found;
}
