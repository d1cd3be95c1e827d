/*
 * Entries of ip_tables and ip6_tables; see ipt_legacy_rule.h.
 */
#include "ipt_legacy_rule.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* The parts of an entry that both families have, wherever they have them. */
struct parts {
	uint8_t *source, *source_mask, *destination, *destination_mask;
	char *in, *out;
	unsigned char *in_mask, *out_mask;
	uint16_t *protocol;
	uint8_t *flags, *inverted;
	uint16_t *target_offset, *next_offset;
	uint8_t *elements; /* matches, then the target */
	uint8_t goto_flag, other_flags; /* of `flags`; the others are foreign to the model */
};

static struct parts parts_of(sa_family_t family, union cni_ipt_entry *e)
{
	if (family == AF_INET)
		return (struct parts){
			.source = (uint8_t *)&e->v4.ip.src,
			.source_mask = (uint8_t *)&e->v4.ip.smsk,
			.destination = (uint8_t *)&e->v4.ip.dst,
			.destination_mask = (uint8_t *)&e->v4.ip.dmsk,
			.in = e->v4.ip.iniface,
			.out = e->v4.ip.outiface,
			.in_mask = e->v4.ip.iniface_mask,
			.out_mask = e->v4.ip.outiface_mask,
			.protocol = &e->v4.ip.proto,
			.flags = &e->v4.ip.flags,
			.inverted = &e->v4.ip.invflags,
			.target_offset = &e->v4.target_offset,
			.next_offset = &e->v4.next_offset,
			.elements = (uint8_t *)e + sizeof(e->v4),
			.goto_flag = IPT_F_GOTO,
			.other_flags = IPT_F_FRAG,
		};
	return (struct parts){
		.source = (uint8_t *)&e->v6.ipv6.src,
		.source_mask = (uint8_t *)&e->v6.ipv6.smsk,
		.destination = (uint8_t *)&e->v6.ipv6.dst,
		.destination_mask = (uint8_t *)&e->v6.ipv6.dmsk,
		.in = e->v6.ipv6.iniface,
		.out = e->v6.ipv6.outiface,
		.in_mask = e->v6.ipv6.iniface_mask,
		.out_mask = e->v6.ipv6.outiface_mask,
		.protocol = &e->v6.ipv6.proto,
		.flags = &e->v6.ipv6.flags,
		.inverted = &e->v6.ipv6.invflags,
		.target_offset = &e->v6.target_offset,
		.next_offset = &e->v6.next_offset,
		.elements = (uint8_t *)e + sizeof(e->v6),
		.goto_flag = IP6T_F_GOTO,
		.other_flags = IP6T_F_TOS,
	};
}

/* The two families number what can be inverted alike. */
static_assert(IPT_INV_SRCIP == IP6T_INV_SRCIP && IPT_INV_DSTIP == IP6T_INV_DSTIP &&
		      IPT_INV_VIA_IN == IP6T_INV_VIA_IN && IPT_INV_VIA_OUT == IP6T_INV_VIA_OUT,
	      "one set of flags");
#define INVERTIBLE (IPT_INV_SRCIP | IPT_INV_DSTIP | IPT_INV_VIA_IN | IPT_INV_VIA_OUT)

/* ---- writing ---- */

static struct cni_ip mask_of(sa_family_t family, unsigned int len)
{
	struct cni_prefix ones = { .ip.family = family, .len = len };

	memset(ones.ip.b, 0xff, cni_ip_size(&ones.ip));
	return cni_prefix_network(&ones);
}

static void put_addr(const struct cni_ipt_addr *addr, uint8_t *value, uint8_t *mask)
{
	struct cni_ip network = cni_prefix_network(&addr->prefix);
	struct cni_ip m = mask_of(network.family, addr->prefix.len);

	if (addr->prefix.len == 0)
		return;
	memcpy(value, network.b, cni_ip_size(&network));
	memcpy(mask, m.b, cni_ip_size(&m));
}

/* The mask covers the NUL of a whole name; the '+' stays in the name, outside the mask. */
static void put_iface(const struct cni_ipt_iface *iface, char *name, unsigned char *mask)
{
	size_t len = strlen(iface->name);

	if (len == 0 || strcmp(iface->name, "+") == 0)
		return;
	memcpy(name, iface->name, len);
	memset(mask, 0xff, iface->name[len - 1] == '+' ? len - 1 : len + 1);
}

static uint8_t *put_match(uint8_t *at, const struct cni_xt *xt)
{
	struct xt_entry_match *m = (struct xt_entry_match *)(void *)at;

	m->u.user.match_size = (uint16_t)(XT_ALIGN(sizeof(*m)) + xt->len);
	snprintf(m->u.user.name, sizeof(m->u.user.name), "%s", xt->name);
	m->u.user.revision = xt->revision;
	memcpy(m->data, &xt->data, xt->len);
	return at + m->u.user.match_size;
}

static const char *standard_name(const struct cni_ipt_rule *rule)
{
	switch (rule->verdict) {
	case CNI_IPT_ACCEPT:
		return "ACCEPT";
	case CNI_IPT_DROP:
		return "DROP";
	case CNI_IPT_RETURN:
		return "RETURN";
	case CNI_IPT_JUMP:
		return rule->chain;
	case CNI_IPT_CONTINUE:
	case CNI_IPT_MASQUERADE:
	case CNI_IPT_DNAT:
	case CNI_IPT_MARK:
		break;
	}
	return "";
}

/* libiptc turns the names of chains and verdicts into what the kernel wants. */
static uint8_t *put_target(uint8_t *at, sa_family_t family, const struct cni_ipt_rule *rule)
{
	struct xt_entry_target *t = (struct xt_entry_target *)(void *)at;
	struct cni_xt xt;

	if (cni_xt_target(rule, family, &xt)) {
		t->u.user.target_size = (uint16_t)(XT_ALIGN(sizeof(*t)) + xt.len);
		snprintf(t->u.user.name, sizeof(t->u.user.name), "%s", xt.name);
		t->u.user.revision = xt.revision;
		memcpy(t->data, &xt.data, xt.len);
	} else {
		t->u.user.target_size = XT_ALIGN(sizeof(struct xt_standard_target));
		snprintf(t->u.user.name, sizeof(t->u.user.name), "%s", standard_name(rule));
	}
	return at + t->u.user.target_size;
}

void cni_ipt_legacy_encode(sa_family_t family, const struct cni_ipt_rule *rule,
			   union cni_ipt_entry *ret)
{
	struct cni_xt xt[CNI_XT_MATCHES];
	size_t n = cni_xt_matches(rule, false, xt);
	struct parts p = parts_of(family, ret);
	uint8_t *at = p.elements;

	memset(ret, 0, sizeof(*ret));
	put_addr(&rule->source, p.source, p.source_mask);
	put_addr(&rule->destination, p.destination, p.destination_mask);
	put_iface(&rule->in, p.in, p.in_mask);
	put_iface(&rule->out, p.out, p.out_mask);
	*p.protocol = rule->protocol;
	if (family == AF_INET6 && rule->protocol)
		*p.flags |= IP6T_F_PROTO;
	if (rule->source.invert && rule->source.prefix.len)
		*p.inverted |= IPT_INV_SRCIP;
	if (rule->destination.invert && rule->destination.prefix.len)
		*p.inverted |= IPT_INV_DSTIP;
	if (rule->in.invert && *rule->in.name)
		*p.inverted |= IPT_INV_VIA_IN;
	if (rule->out.invert && *rule->out.name)
		*p.inverted |= IPT_INV_VIA_OUT;
	for (size_t i = 0; i < n; i++)
		at = put_match(at, &xt[i]);
	*p.target_offset = (uint16_t)(at - (uint8_t *)ret);
	at = put_target(at, family, rule);
	*p.next_offset = (uint16_t)(at - (uint8_t *)ret);
}

/* ---- reading ---- */

static bool read_addr(sa_family_t family, const uint8_t *value, const uint8_t *mask, bool invert,
		      struct cni_ipt_addr *ret)
{
	struct cni_prefix p = { .ip.family = family };
	struct cni_ip whole;

	while (p.len < cni_ip_bits(&p.ip) && (mask[p.len / 8] & (0x80 >> p.len % 8)))
		p.len++;
	whole = mask_of(family, p.len);
	memcpy(p.ip.b, value, cni_ip_size(&p.ip));
	*ret = (struct cni_ipt_addr){ .prefix = p, .invert = invert };
	/* A mask with holes, or "not anywhere", is none of ours. */
	return memcmp(mask, whole.b, cni_ip_size(&whole)) == 0 && !(invert && p.len == 0);
}

static bool read_iface(const char *name, const unsigned char *mask, bool invert,
		       struct cni_ipt_iface *ret)
{
	size_t len = strnlen(name, sizeof(ret->name) - 1), covered = 0;

	memcpy(ret->name, name, len);
	ret->invert = invert && len > 0;
	while (covered < CNI_IPT_IFACE_LEN && mask[covered] == 0xff)
		covered++;
	if (len == 0)
		return covered == 0 && !invert;
	if (strcmp(ret->name, "+") == 0) /* any: none of ours says it so */
		return false;
	return covered == (name[len - 1] == '+' ? len - 1 : len + 1);
}

static bool read_matches(const struct parts *p, const uint8_t *entry, struct cni_ipt_rule *ret)
{
	bool known = true;

	for (const uint8_t *at = p->elements; at < entry + *p->target_offset;) {
		const struct xt_entry_match *m = (const void *)at;

		known &= cni_xt_read_match(m->u.user.name, m->u.user.revision, m->data,
					   m->u.user.match_size - XT_ALIGN(sizeof(*m)), ret);
		at += m->u.user.match_size;
	}
	return known;
}

static bool read_target(const struct xt_entry_target *t, sa_family_t family, const char *target,
			bool is_jump, struct cni_ipt_rule *ret)
{
	if (is_jump) {
		ret->verdict = CNI_IPT_JUMP;
		snprintf(ret->chain, sizeof(ret->chain), "%s", target);
		return strlen(target) < sizeof(ret->chain);
	}
	if (strcmp(target, "ACCEPT") == 0)
		ret->verdict = CNI_IPT_ACCEPT;
	else if (strcmp(target, "DROP") == 0)
		ret->verdict = CNI_IPT_DROP;
	else if (strcmp(target, "RETURN") == 0)
		ret->verdict = CNI_IPT_RETURN;
	else if (*target)
		return cni_xt_read_target(t->u.user.name, t->u.user.revision, t->data,
					  t->u.user.target_size - XT_ALIGN(sizeof(*t)), family,
					  ret);
	return true;
}

void cni_ipt_legacy_decode(sa_family_t family, const void *entry, const char *target, bool is_jump,
			   struct cni_ipt_rule *ret)
{
	/* Only read from here on: one description of where things are does for both ways. */
	union cni_ipt_entry *e = (union cni_ipt_entry *)entry;
	struct parts p = parts_of(family, e);
	bool known;

	*ret = (struct cni_ipt_rule){ .protocol = (uint8_t)*p.protocol };
	known = *p.protocol <= UINT8_MAX && !(*p.inverted & ~INVERTIBLE) &&
		!(*p.flags & (p.goto_flag | p.other_flags));
	known &= read_addr(family, p.source, p.source_mask, *p.inverted & IPT_INV_SRCIP,
			   &ret->source);
	known &= read_addr(family, p.destination, p.destination_mask, *p.inverted & IPT_INV_DSTIP,
			   &ret->destination);
	known &= read_iface(p.in, p.in_mask, *p.inverted & IPT_INV_VIA_IN, &ret->in);
	known &= read_iface(p.out, p.out_mask, *p.inverted & IPT_INV_VIA_OUT, &ret->out);
	known &= read_matches(&p, entry, ret);
	known &= read_target((const void *)((const uint8_t *)entry + *p.target_offset), family,
			     target, is_jump, ret);
	ret->foreign = !known;
}
