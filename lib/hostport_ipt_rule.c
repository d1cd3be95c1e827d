/*
 * Rules of host ports in iptables' tables; see hostport_ipt_rule.h.
 */
#include "hostport_ipt_rule.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

/* ---- rules that all containers share ---- */

static struct cni_ipt_rule jump(const char *chain, const char *comment)
{
	struct cni_ipt_rule rule = { .verdict = CNI_IPT_JUMP };

	snprintf(rule.chain, sizeof(rule.chain), "%s", chain);
	snprintf(rule.comment, sizeof(rule.comment), "%s", comment);
	return rule;
}

/* What is for this host, whichever of its addresses. Nothing else is ever captured. */
struct cni_ipt_rule cni_hostport_capture(void)
{
	struct cni_ipt_rule rule = jump(CNI_HOSTPORT_DNAT, "");

	rule.to_local = true;
	return rule;
}

struct cni_ipt_rule cni_hostport_set_mark(const struct cni_hostport *hp)
{
	return (struct cni_ipt_rule){ .verdict = CNI_IPT_MARK,
				      .set_mark = hp->mark,
				      .set_mask = hp->mark,
				      .comment = "CNI portfwd masquerade mark" };
}

struct cni_ipt_rule cni_hostport_masquerade(const struct cni_hostport *hp)
{
	return (struct cni_ipt_rule){ .verdict = CNI_IPT_MASQUERADE,
				      .mark = hp->mark,
				      .mark_mask = hp->mark };
}

struct cni_ipt_rule cni_hostport_masquerade_jump(void)
{
	return jump(CNI_HOSTPORT_MASQ, "CNI portfwd requiring masquerade");
}

struct cni_ipt_rule cni_hostport_drop_from_outside(void)
{
	return (struct cni_ipt_rule){
		.verdict = CNI_IPT_DROP,
		.destination.prefix = { .ip = { .family = AF_INET, .b = { 127 } }, .len = 8 },
		.in = { .name = "lo", .invert = true },
		.comment = "CNI portmap: 127.0.0.0/8 is for this host only"
	};
}

bool cni_hostport_marks_itself(const struct cni_hostport *hp)
{
	return hp->snat && !hp->set_mark_chain;
}

/* ---- a container's rules ---- */

static struct cni_ipt_rule for_port(const struct cni_mapping *m)
{
	struct cni_ipt_rule rule = { .protocol = m->protocol, .dport = m->host_port };

	if (!cni_mapping_is_any(m))
		rule.destination.prefix = cni_prefix_alone(&m->host_ip);
	return rule;
}

/* The rules of one mapping: up to two that ask for masquerade, and the one that translates. */
int cni_hostport_each_rule(const struct cni_hostport *hp, int family, const struct cni_mapping *m,
			   int (*fn)(const struct cni_ipt_rule *rule, void *ctx), void *ctx)
{
	struct cni_ipt_rule rule = for_port(m);
	int r = 0;

	rule.verdict = CNI_IPT_JUMP;
	snprintf(rule.chain, sizeof(rule.chain), "%s",
		 hp->set_mark_chain ? hp->set_mark_chain : CNI_HOSTPORT_SET_MARK);
	if (hp->snat) {
		if (!hp->masq_all)
			rule.source.prefix = hp->ip[family];
		r = fn(&rule, ctx);
	}
	if (r == 0 && hp->snat && !hp->masq_all && family == CNI_HOSTPORT_V4) {
		rule.source.prefix =
			(struct cni_prefix){ .ip = { .family = AF_INET, .b = { 127, 0, 0, 1 } },
					     .len = 32 };
		r = fn(&rule, ctx);
	}
	if (r < 0)
		return r;
	rule = for_port(m);
	rule.verdict = CNI_IPT_DNAT;
	rule.to = hp->ip[family].ip;
	rule.to_port = m->container_port;
	return fn(&rule, ctx);
}

/* Cut as the Go plugins do, to what iptables stores. */
static void entry_comment(const char *net, const char *containerid,
			  char ret[static CNI_IPT_COMMENT_LEN])
{
	int n = snprintf(ret, CNI_IPT_COMMENT_LEN, "dnat name: \"%s\" id: \"%s\"", net,
			 containerid);

	if (n >= CNI_IPT_COMMENT_LEN)
		memcpy(ret + CNI_IPT_COMMENT_LEN - 4, "...", 4);
}

/*
 * The rules that lead to a container's chain: for each protocol, in the alphabet's order, one for every
 * 15 ports. They name the ports of both families, as the Go plugins' do.
 */
int cni_hostport_each_entry(const struct cni_hostport *hp, int family, const char *chain,
			    int (*fn)(const struct cni_ipt_rule *rule, void *ctx), void *ctx)
{
	static const uint8_t protocols[] = { IPPROTO_SCTP, IPPROTO_TCP, IPPROTO_UDP };
	const struct cni_condition *c = &hp->condition[family];
	struct cni_ipt_rule entry = {
		.verdict = CNI_IPT_JUMP,
		.source = { .prefix = c->source, .invert = c->not_source },
		.destination = { .prefix = c->destination, .invert = c->not_destination },
		.in.invert = c->not_in,
	};
	int r = 0;

	snprintf(entry.chain, sizeof(entry.chain), "%s", chain);
	snprintf(entry.in.name, sizeof(entry.in.name), "%s", c->in);
	entry_comment(hp->net, hp->containerid, entry.comment);
	for (size_t p = 0; p < CNI_ARRAY_SIZE(protocols) && r == 0; p++) {
		entry.protocol = protocols[p];
		entry.n_dports = 0;
		for (size_t i = 0; i < hp->mappings.n && r == 0; i++) {
			if (hp->mappings.item[i].protocol != entry.protocol)
				continue;
			entry.dports[entry.n_dports++] = hp->mappings.item[i].host_port;
			if (entry.n_dports == CNI_IPT_PORTS) {
				r = fn(&entry, ctx);
				entry.n_dports = 0;
			}
		}
		if (entry.n_dports && r == 0) {
			memset(entry.dports + entry.n_dports, 0,
			       (CNI_IPT_PORTS - entry.n_dports) * sizeof(entry.dports[0]));
			r = fn(&entry, ctx);
		}
	}
	return r;
}
