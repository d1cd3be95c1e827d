/*
 * Fuzz: an entry of ip_tables or ip6_tables that others wrote: any header, any parts. The kernel lets in
 * none whose parts do not follow one after the other. One that is understood is written as the same rule.
 */
#include "ipt_legacy_rule.h"
#include "input.h"
#include "ipt_parts.h"

#include <assert.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PARTS 4
/* Of one part: a header, and more than the largest extension. */
#define PART_MAX (XT_ALIGN(sizeof(struct xt_entry_match)) + 512)

/* A match or a target, which begin alike. @return its length */
static size_t put_part(uint8_t *at, struct input *in, const char *name)
{
	struct xt_entry_match *m = (void *)at;
	size_t len = XT_ALIGN(sizeof(*m)) + XT_ALIGN((size_t)take_byte(in) * 2);

	memset(at, 0, len);
	snprintf(m->u.user.name, sizeof(m->u.user.name), "%s", name);
	m->u.user.revision = take_byte(in) % 4;
	m->u.user.match_size = (uint16_t)len;
	take(in, m->data, len - XT_ALIGN(sizeof(*m)));
	return len;
}

/* What libiptc says of an entry's target. */
static const char *target_of(sa_family_t family, const union cni_ipt_entry *e)
{
	size_t offset = family == AF_INET ? e->v4.target_offset : e->v6.target_offset;

	return ((const struct xt_entry_target *)((const void *)((const char *)e + offset)))
		->u.user.name;
}

static void check(sa_family_t family, const struct cni_ipt_rule *rule)
{
	union cni_ipt_entry entry;
	struct cni_ipt_rule again;

	assert(strnlen(rule->chain, sizeof(rule->chain)) < sizeof(rule->chain));
	assert(strnlen(rule->comment, sizeof(rule->comment)) < sizeof(rule->comment));
	if (rule->foreign)
		return;
	cni_ipt_legacy_encode(family, rule, &entry);
	cni_ipt_legacy_decode(family, &entry, target_of(family, &entry),
			      rule->verdict == CNI_IPT_JUMP, &again);
	assert(cni_ipt_rule_equal(rule, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const verdicts[] = { "ACCEPT", "DROP", "RETURN", "QUEUE", "" };
	struct input in = { data, size };
	sa_family_t family = take_byte(&in) & 1 ? AF_INET6 : AF_INET;
	size_t head = family == AF_INET ? sizeof(struct ipt_entry) : sizeof(struct ip6t_entry);
	unsigned int n = take_byte(&in) % PARTS, kind = take_byte(&in) % 3;
	uint8_t *entry = calloc(1, head + (PARTS + 1) * PART_MAX), *at = entry + head;
	const char *target = chain_names[take_byte(&in) % CHAIN_NAMES];
	struct cni_ipt_rule rule;
	void *exact;

	assert(entry);
	take(&in, entry, head);
	while (n-- > 0)
		at += put_part(at, &in, xt_names[take_byte(&in) % XT_NAMES]);
	if (family == AF_INET)
		((struct ipt_entry *)(void *)entry)->target_offset = (uint16_t)(at - entry);
	else
		((struct ip6t_entry *)(void *)entry)->target_offset = (uint16_t)(at - entry);
	if (kind == 1)
		target = verdicts[take_byte(&in) % 5];
	else if (kind == 2)
		target = xt_names[take_byte(&in) % XT_NAMES];
	at += put_part(at, &in, target);
	exact = malloc((size_t)(at - entry)); /* the sanitizers see what is read behind it */
	assert(exact);
	memcpy(exact, entry, (size_t)(at - entry));
	free(entry);
	cni_ipt_legacy_decode(family, exact, target, kind == 0, &rule);
	free(exact);
	check(family, &rule);
	return 0;
}
