/*
 * Extensions of x_tables, to and from the model; see ipt_xt.h.
 *
 * What is read is then written once more: only if that gives the same bytes does the model say all
 * that the extension says.
 */
#include "ipt_xt.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <string.h>

static union cni_xt_data *begin(struct cni_xt *xt, const char *name, uint8_t revision, size_t len)
{
	memset(xt, 0, sizeof(*xt));
	xt->name = name;
	xt->revision = revision;
	xt->len = XT_ALIGN(len);
	return &xt->data;
}

/* Begin an extension whose data is this member. */
#define BEGIN(xt, name, revision, member) begin(xt, name, revision, sizeof((xt)->data.member))

/* ---- matches ---- */

static void put_comment(const struct cni_ipt_rule *rule, struct cni_xt *xt)
{
	char *comment = BEGIN(xt, "comment", 0, comment)->comment.comment;

	memcpy(comment, rule->comment, strnlen(rule->comment, XT_MAX_COMMENT_LEN - 1));
}

/* `-p P --dport`; a range of ports from the first to the last. */
static bool put_port(const struct cni_ipt_rule *rule, struct cni_xt *xt)
{
	union cni_xt_data *d;

	switch (rule->protocol) {
	case IPPROTO_TCP:
		d = BEGIN(xt, "tcp", 0, tcp);
		d->tcp.spts[1] = 0xffff;
		d->tcp.dpts[0] = d->tcp.dpts[1] = rule->dport;
		return true;
	case IPPROTO_UDP:
		d = BEGIN(xt, "udp", 0, udp);
		d->udp.spts[1] = 0xffff;
		d->udp.dpts[0] = d->udp.dpts[1] = rule->dport;
		return true;
	case IPPROTO_SCTP:
		d = BEGIN(xt, "sctp", 0, sctp);
		d->sctp.dpts[0] = d->sctp.dpts[1] = rule->dport;
		d->sctp.flags = XT_SCTP_DEST_PORTS;
		for (int i = 0; i < XT_NUM_SCTP_FLAGS; i++)
			d->sctp.flag_info[i].chunktype = UINT8_MAX; /* as iptables: none */
		return true;
	case IPPROTO_DCCP:
		d = BEGIN(xt, "dccp", 0, dccp);
		d->dccp.dpts[0] = d->dccp.dpts[1] = rule->dport;
		d->dccp.flags = XT_DCCP_DEST_PORTS;
		return true;
	default:
		return false;
	}
}

static void put_multiport(const struct cni_ipt_rule *rule, struct cni_xt *xt)
{
	struct xt_multiport_v1 *multiport = &BEGIN(xt, "multiport", 1, multiport)->multiport;

	multiport->flags = XT_MULTIPORT_DESTINATION;
	multiport->count = (uint8_t)rule->n_dports;
	memcpy(multiport->ports, rule->dports, rule->n_dports * sizeof(rule->dports[0]));
}

static const struct {
	unsigned int model;
	uint16_t kernel;
} states[] = {
	{ CNI_IPT_NEW, XT_CONNTRACK_STATE_BIT(IP_CT_NEW) },
	{ CNI_IPT_RELATED, XT_CONNTRACK_STATE_BIT(IP_CT_RELATED) },
	{ CNI_IPT_ESTABLISHED, XT_CONNTRACK_STATE_BIT(IP_CT_ESTABLISHED) },
	{ CNI_IPT_INVALID, XT_CONNTRACK_STATE_INVALID },
	{ CNI_IPT_DNATED, XT_CONNTRACK_STATE_DNAT },
};

static void put_conntrack(const struct cni_ipt_rule *rule, struct cni_xt *xt)
{
	struct xt_conntrack_mtinfo3 *ct = &BEGIN(xt, "conntrack", 3, conntrack)->conntrack;

	ct->match_flags = XT_CONNTRACK_STATE;
	ct->invert_flags = rule->ctstate_invert ? XT_CONNTRACK_STATE : 0;
	for (size_t i = 0; i < CNI_ARRAY_SIZE(states); i++)
		if (rule->ctstate & states[i].model)
			ct->state_mask |= states[i].kernel;
}

static void put_to_local(struct cni_xt *xt)
{
	BEGIN(xt, "addrtype", 1, addrtype)->addrtype.dest = XT_ADDRTYPE_LOCAL;
}

static void put_mark(const struct cni_ipt_rule *rule, struct cni_xt *xt)
{
	struct xt_mark_mtinfo1 *mark = &BEGIN(xt, "mark", 1, mark)->mark;

	mark->mark = rule->mark;
	mark->mask = rule->mark_mask;
}

size_t cni_xt_matches(const struct cni_ipt_rule *rule, bool native,
		      struct cni_xt ret[static CNI_XT_MATCHES])
{
	bool native_port = rule->protocol == IPPROTO_TCP || rule->protocol == IPPROTO_UDP;
	size_t n = 0;

	if (*rule->comment)
		put_comment(rule, &ret[n++]);
	if (rule->dport && !(native && native_port) && put_port(rule, &ret[n]))
		n++;
	if (rule->n_dports)
		put_multiport(rule, &ret[n++]);
	if (rule->to_local)
		put_to_local(&ret[n++]);
	if (rule->mark_mask && !native)
		put_mark(rule, &ret[n++]);
	if (rule->ctstate)
		put_conntrack(rule, &ret[n++]);
	return n;
}

/* ---- targets ---- */

static void put_masquerade(const struct cni_ipt_rule *rule, sa_family_t family, struct cni_xt *xt)
{
	unsigned int flags = rule->random_fully ? NF_NAT_RANGE_PROTO_RANDOM_FULLY : 0;

	if (family == AF_INET) {
		union cni_xt_data *d = BEGIN(xt, "MASQUERADE", 0, masquerade4);

		d->masquerade4.rangesize = 1;
		d->masquerade4.range[0].flags = flags;
	} else {
		BEGIN(xt, "MASQUERADE", 0, masquerade6)->masquerade6.flags = flags;
	}
}

static void put_dnat(const struct cni_ipt_rule *rule, struct cni_xt *xt)
{
	struct nf_nat_range2 *range = &BEGIN(xt, "DNAT", 2, dnat)->dnat;

	range->flags = NF_NAT_RANGE_MAP_IPS;
	memcpy(&range->min_addr, rule->to.b, cni_ip_size(&rule->to));
	range->max_addr = range->min_addr;
	if (rule->to_port) {
		range->flags |= NF_NAT_RANGE_PROTO_SPECIFIED;
		range->min_proto.all = range->max_proto.all = htons(rule->to_port);
	}
}

bool cni_xt_target(const struct cni_ipt_rule *rule, sa_family_t family, struct cni_xt *ret)
{
	if (rule->verdict == CNI_IPT_MASQUERADE) {
		put_masquerade(rule, family, ret);
	} else if (rule->verdict == CNI_IPT_DNAT) {
		put_dnat(rule, ret);
	} else if (rule->verdict == CNI_IPT_MARK) {
		struct xt_mark_tginfo2 *mark = &BEGIN(ret, "MARK", 2, set_mark)->set_mark;

		mark->mark = rule->set_mark;
		mark->mask = rule->set_mask;
	} else {
		return false;
	}
	return true;
}

/* ---- reading ---- */

/* The kernel's bytes in our union; what does not fit is none of those that we know. */
static bool take(struct cni_xt *xt, const char *name, uint32_t revision, const void *data,
		 size_t len)
{
	if (len > sizeof(xt->data) || revision > UINT8_MAX)
		return false;
	begin(xt, name, (uint8_t)revision, len);
	memcpy(&xt->data, data, len);
	return true;
}

static bool same(const struct cni_xt *a, const struct cni_xt *b)
{
	return strcmp(a->name, b->name) == 0 && a->revision == b->revision && a->len == b->len &&
	       memcmp(&a->data, &b->data, a->len) == 0;
}

/* What a match may say, without looking whether it says more. */
static void guess_match(const struct cni_xt *xt, struct cni_ipt_rule *part)
{
	const union cni_xt_data *d = &xt->data;

	if (strcmp(xt->name, "comment") == 0) {
		memcpy(part->comment, d->comment.comment, sizeof(part->comment) - 1);
	} else if (strcmp(xt->name, "tcp") == 0) {
		part->dport = d->tcp.dpts[0];
	} else if (strcmp(xt->name, "udp") == 0) {
		part->dport = d->udp.dpts[0];
	} else if (strcmp(xt->name, "sctp") == 0) {
		part->dport = d->sctp.dpts[0];
	} else if (strcmp(xt->name, "dccp") == 0) {
		part->dport = d->dccp.dpts[0];
	} else if (strcmp(xt->name, "multiport") == 0) {
		part->n_dports = d->multiport.count;
		if (part->n_dports > CNI_IPT_PORTS)
			part->n_dports = CNI_IPT_PORTS;
		memcpy(part->dports, d->multiport.ports, part->n_dports * sizeof(part->dports[0]));
	} else if (strcmp(xt->name, "addrtype") == 0) {
		part->to_local = true;
	} else if (strcmp(xt->name, "mark") == 0) {
		part->mark = d->mark.mark;
		part->mark_mask = d->mark.mask;
	} else if (strcmp(xt->name, "conntrack") == 0) {
		part->ctstate_invert = d->conntrack.invert_flags != 0;
		for (size_t i = 0; i < CNI_ARRAY_SIZE(states); i++)
			if (d->conntrack.state_mask & states[i].kernel)
				part->ctstate |= states[i].model;
	}
}

/* Put a part into a rule that must not have such a part. */
static bool merge(const struct cni_ipt_rule *part, struct cni_ipt_rule *rule)
{
	if ((*part->comment && *rule->comment) || (part->dport && rule->dport) ||
	    (part->n_dports && rule->n_dports) || (part->to_local && rule->to_local) ||
	    (part->mark_mask && rule->mark_mask) || (part->ctstate && rule->ctstate))
		return false;
	if (*part->comment)
		memcpy(rule->comment, part->comment, sizeof(rule->comment));
	if (part->dport)
		rule->dport = part->dport;
	if (part->n_dports) {
		memcpy(rule->dports, part->dports, sizeof(rule->dports));
		rule->n_dports = part->n_dports;
	}
	rule->to_local |= part->to_local;
	if (part->mark_mask) {
		rule->mark = part->mark;
		rule->mark_mask = part->mark_mask;
	}
	if (part->ctstate) {
		rule->ctstate = part->ctstate;
		rule->ctstate_invert = part->ctstate_invert;
	}
	return true;
}

bool cni_xt_read_match(const char *name, uint32_t revision, const void *data, size_t len,
		       struct cni_ipt_rule *rule)
{
	struct cni_ipt_rule part = { .protocol = rule->protocol };
	struct cni_xt xt, again[CNI_XT_MATCHES];

	if (!take(&xt, name, revision, data, len))
		return false;
	guess_match(&xt, &part);
	return cni_xt_matches(&part, false, again) == 1 && same(&xt, &again[0]) &&
	       merge(&part, rule);
}

bool cni_xt_read_target(const char *name, uint32_t revision, const void *data, size_t len,
			sa_family_t family, struct cni_ipt_rule *rule)
{
	struct cni_ipt_rule part = { .to.family = family };
	struct cni_xt xt, again;

	if (rule->verdict != CNI_IPT_CONTINUE || !take(&xt, name, revision, data, len))
		return false;
	if (strcmp(name, "MASQUERADE") == 0) {
		part.verdict = CNI_IPT_MASQUERADE;
		part.random_fully = family == AF_INET ? xt.data.masquerade4.range[0].flags != 0
						      : xt.data.masquerade6.flags != 0;
	} else if (strcmp(name, "DNAT") == 0) {
		part.verdict = CNI_IPT_DNAT;
		memcpy(part.to.b, &xt.data.dnat.min_addr, cni_ip_size(&part.to));
		part.to_port = ntohs(xt.data.dnat.min_proto.all);
	} else if (strcmp(name, "MARK") == 0) {
		part.verdict = CNI_IPT_MARK;
		part.set_mark = xt.data.set_mark.mark;
		part.set_mask = xt.data.set_mark.mask;
	}
	if (!cni_xt_target(&part, family, &again) || !same(&xt, &again))
		return false;
	rule->verdict = part.verdict;
	rule->random_fully = part.random_fully;
	rule->to = part.to;
	rule->to_port = part.to_port;
	rule->set_mark = part.set_mark;
	rule->set_mask = part.set_mask;
	return true;
}
