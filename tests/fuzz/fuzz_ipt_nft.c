/*
 * Fuzz: a rule of iptables-nft that others wrote, expression by expression. One that is understood is
 * written as the same rule.
 */
#include "ipt_nft_rule.h"
#include "nft.h"
#include "input.h"
#include "ipt_parts.h"

#include <assert.h>
#include <libnftnl/expr.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REGISTERS 3 /* the verdict's, and two more: what is loaded is likely to be looked at */

static uint32_t take_register(struct input *in)
{
	return take_byte(in) % REGISTERS;
}

/* An extension; libnftnl takes its block over. */
static void put_extension(struct nftnl_expr *e, struct input *in, uint16_t name, uint16_t revision,
			  uint16_t info)
{
	size_t len = (size_t)take_byte(in) * 2;

	nftnl_expr_set_str(e, name, xt_names[take_byte(in) % XT_NAMES]);
	nftnl_expr_set_u32(e, revision, take_byte(in) % 4);
	nftnl_expr_set(e, info, take_block(in, len), (uint32_t)len);
}

static void put_bytes(struct nftnl_expr *e, struct input *in, uint16_t what, size_t len)
{
	uint8_t bytes[16];

	take(in, bytes, sizeof(bytes));
	nftnl_expr_set(e, what, bytes, (uint32_t)len);
}

static void put_verdict(struct nftnl_expr *e, struct input *in)
{
	static const uint32_t verdicts[] = { NF_DROP,
					     NF_ACCEPT,
					     NF_QUEUE,
					     (uint32_t)NFT_JUMP,
					     (uint32_t)NFT_GOTO,
					     (uint32_t)NFT_RETURN };

	uint32_t verdict = verdicts[take_byte(in) % 6];

	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, take_register(in));
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_VERDICT, verdict);
	if (verdict == (uint32_t)NFT_JUMP || verdict == (uint32_t)NFT_GOTO) /* or it is not freed */
		nftnl_expr_set_str(e, NFTNL_EXPR_IMM_CHAIN,
				   chain_names[take_byte(in) % CHAIN_NAMES]);
}

static const char *const kinds[] = { "match",	"target", "meta",      "payload",
				     "bitwise", "cmp",	  "immediate", "counter" };
enum { MATCH, TARGET, META, PAYLOAD, BITWISE, CMP, IMMEDIATE, COUNTER, KINDS };

static void put_expr(struct nftnl_rule *rule, struct input *in)
{
	unsigned int kind = take_byte(in) % KINDS;
	struct nftnl_expr *e = nftnl_expr_alloc(kinds[kind]);

	assert(e);
	switch (kind) {
	case MATCH:
		put_extension(e, in, NFTNL_EXPR_MT_NAME, NFTNL_EXPR_MT_REV, NFTNL_EXPR_MT_INFO);
		break;
	case TARGET:
		put_extension(e, in, NFTNL_EXPR_TG_NAME, NFTNL_EXPR_TG_REV, NFTNL_EXPR_TG_INFO);
		break;
	case META:
		nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, take_byte(in) % (NFT_META_L4PROTO + 1));
		nftnl_expr_set_u32(e, NFTNL_EXPR_META_DREG, take_register(in));
		break;
	case PAYLOAD:
		nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, take_byte(in) % 3);
		nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, take_byte(in));
		nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, take_byte(in) % 17);
		nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, take_register(in));
		break;
	case BITWISE:
		nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_SREG, take_register(in));
		nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_DREG, take_register(in));
		put_bytes(e, in, NFTNL_EXPR_BITWISE_MASK, take_byte(in) % 17);
		put_bytes(e, in, NFTNL_EXPR_BITWISE_XOR, take_byte(in) % 17);
		break;
	case CMP:
		nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, take_register(in));
		nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, take_byte(in) % 3);
		put_bytes(e, in, NFTNL_EXPR_CMP_DATA, take_byte(in) % 17);
		break;
	case IMMEDIATE:
		put_verdict(e, in);
		break;
	default:
		break;
	}
	nftnl_rule_add_expr(rule, e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	sa_family_t family = take_byte(&in) & 1 ? AF_INET6 : AF_INET;
	struct cni_ipt_rule rule, again;
	struct nftnl_rule *from = nftnl_rule_alloc(), *to;

	assert(from);
	while (in.left > 0)
		put_expr(from, &in);
	cni_ipt_nft_decode(from, family, &rule);
	nftnl_rule_free(from);
	assert(strnlen(rule.chain, sizeof(rule.chain)) < sizeof(rule.chain));
	assert(strnlen(rule.comment, sizeof(rule.comment)) < sizeof(rule.comment));
	if (rule.foreign)
		return 0;
	to = cni_ipt_nft_encode(family, "filter", "FORWARD", &rule);
	assert(to);
	cni_ipt_nft_decode(to, family, &again);
	nftnl_rule_free(to);
	assert(cni_ipt_rule_equal(&rule, &again));
	return 0;
}
