/*
 * Traffic control; see nl_tc.h.
 */
#include "nl_tc.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <netinet/in.h>
#include <netlink/attr.h>
#include <string.h>

#define TBF "tbf"
#define INGRESS "ingress"
#define TBF_HANDLE (1u << 16)
#define INGRESS_HANDLE (TC_H_INGRESS & TC_H_MAJ_MASK)

static struct tcmsg root_of(int ifindex)
{
	return (struct tcmsg){ .tcm_ifindex = ifindex,
			       .tcm_parent = TC_H_ROOT,
			       .tcm_handle = TBF_HANDLE };
}

static struct tcmsg ingress_of(int ifindex)
{
	return (struct tcmsg){ .tcm_ifindex = ifindex,
			       .tcm_parent = TC_H_INGRESS,
			       .tcm_handle = INGRESS_HANDLE };
}

/* The filter: the first of all, of any protocol. */
static struct tcmsg filter_of(int ifindex)
{
	return (struct tcmsg){ .tcm_ifindex = ifindex,
			       .tcm_parent = INGRESS_HANDLE,
			       .tcm_info = TC_H_MAKE(1u << 16, htons(ETH_P_ALL)) };
}

/* ---- sending ---- */

static int put_limit(struct cni_nl *nl, int ifindex, int how, const struct cni_tbf *tbf)
{
	struct tcmsg tcm = root_of(ifindex);
	struct tc_tbf_qopt qopt = {
		.rate.rate = tbf->rate > UINT32_MAX ? UINT32_MAX : (uint32_t)tbf->rate,
		.limit = tbf->limit,
		.buffer = tbf->buffer,
	};
	struct nl_msg *msg = cni_nl_begin(nl, RTM_NEWQDISC, NLM_F_CREATE | how, &tcm, sizeof(tcm));
	struct nlattr *options;

	if (nla_put_string(msg, TCA_KIND, TBF) < 0)
		return -ENOMEM;
	options = nla_nest_start(msg, TCA_OPTIONS);
	if (!options || nla_put(msg, TCA_TBF_PARMS, sizeof(qopt), &qopt) < 0 ||
	    (tbf->rate > UINT32_MAX && nla_put_u64(msg, TCA_TBF_RATE64, tbf->rate) < 0))
		return -ENOMEM;
	nla_nest_end(msg, options);
	return cni_nl_request(nl, msg, NULL, NULL);
}

int cni_tc_limit(struct cni_nl *nl, int ifindex, const struct cni_tbf *tbf)
{
	int r = put_limit(nl, ifindex, NLM_F_EXCL, tbf);
	struct cni_tbf before;

	if (r == -EEXIST && cni_tc_get_limit(nl, ifindex, &before) == 0)
		r = put_limit(nl, ifindex, NLM_F_REPLACE, tbf);
	return r;
}

int cni_tc_unlimit(struct cni_nl *nl, int ifindex)
{
	struct tcmsg tcm = root_of(ifindex);
	struct nl_msg *msg = cni_nl_begin(nl, RTM_DELQDISC, 0, &tcm, sizeof(tcm));
	int r;

	if (nla_put_string(msg, TCA_KIND, TBF) < 0)
		return -ENOMEM;
	r = cni_nl_request(nl, msg, NULL, NULL);
	/* ENOENT: by nothing of its own; EINVAL: by something else. */
	return r == -ENOENT || r == -EINVAL ? 0 : r;
}

struct seen_limit {
	struct cni_tbf tbf;
	bool found;
};

static int read_limit(struct nlmsghdr *nlh, void *ctx)
{
	struct nlattr *tb[TCA_MAX + 1], *options[TCA_TBF_MAX + 1];
	struct seen_limit *seen = ctx;
	struct tc_tbf_qopt qopt;

	if (nlmsg_parse(nlh, sizeof(struct tcmsg), tb, TCA_MAX, NULL) < 0)
		return -EBADMSG;
	if (!tb[TCA_KIND] || strcmp(nla_get_string(tb[TCA_KIND]), TBF) != 0 || !tb[TCA_OPTIONS])
		return 0;
	if (nla_parse_nested(options, TCA_TBF_MAX, tb[TCA_OPTIONS], NULL) < 0 ||
	    !options[TCA_TBF_PARMS] || nla_len(options[TCA_TBF_PARMS]) < (int)sizeof(qopt))
		return -EBADMSG;
	memcpy(&qopt, nla_data(options[TCA_TBF_PARMS]), sizeof(qopt));
	seen->tbf = (struct cni_tbf){ qopt.rate.rate, qopt.buffer, qopt.limit };
	if (options[TCA_TBF_RATE64])
		seen->tbf.rate = nla_get_u64(options[TCA_TBF_RATE64]);
	seen->found = true;
	return 0;
}

/* What the kernel tells to one who asks is the notification that it would tell to all. */
int cni_tc_get_limit(struct cni_nl *nl, int ifindex, struct cni_tbf *ret)
{
	struct tcmsg tcm = { .tcm_ifindex = ifindex, .tcm_parent = TC_H_ROOT };
	struct nl_msg *msg = cni_nl_begin(nl, RTM_GETQDISC, NLM_F_ECHO, &tcm, sizeof(tcm));
	struct seen_limit seen = { 0 };
	int r = cni_nl_request(nl, msg, read_limit, &seen);

	if (r < 0)
		return r;
	*ret = seen.tbf;
	return seen.found ? 0 : -ENOENT;
}

/* ---- receiving ---- */

static int add_ingress(struct cni_nl *nl, int ifindex)
{
	struct tcmsg tcm = ingress_of(ifindex);
	struct nl_msg *msg =
		cni_nl_begin(nl, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, &tcm, sizeof(tcm));

	if (nla_put_string(msg, TCA_KIND, INGRESS) < 0)
		return -ENOMEM;
	return cni_nl_request(nl, msg, NULL, NULL);
}

static int put_action(struct nl_msg *msg, int to)
{
	struct tc_mirred mirred = { .action = TC_ACT_STOLEN,
				    .eaction = TCA_EGRESS_REDIR,
				    .ifindex = (uint32_t)to };
	struct nlattr *actions = nla_nest_start(msg, TCA_U32_ACT), *one, *options;

	one = actions ? nla_nest_start(msg, 1) : NULL;
	if (!one || nla_put_string(msg, TCA_ACT_KIND, "mirred") < 0)
		return -ENOMEM;
	options = nla_nest_start(msg, TCA_ACT_OPTIONS);
	if (!options || nla_put(msg, TCA_MIRRED_PARMS, sizeof(mirred), &mirred) < 0)
		return -ENOMEM;
	nla_nest_end(msg, options);
	nla_nest_end(msg, one);
	nla_nest_end(msg, actions);
	return 0;
}

static int add_filter(struct cni_nl *nl, int ifindex, int to)
{
	/* One key behind it: of no bits, which all packets have. */
	const union {
		struct tc_u32_sel sel;
		uint8_t with_key[sizeof(struct tc_u32_sel) + sizeof(struct tc_u32_key)];
	} all = { .sel = { .flags = TC_U32_TERMINAL, .nkeys = 1 } };
	struct tcmsg tcm = filter_of(ifindex);
	struct nl_msg *msg =
		cni_nl_begin(nl, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, &tcm, sizeof(tcm));
	struct nlattr *options;

	if (nla_put_string(msg, TCA_KIND, "u32") < 0)
		return -ENOMEM;
	options = nla_nest_start(msg, TCA_OPTIONS);
	if (!options || nla_put_u32(msg, TCA_U32_CLASSID, TC_H_MAKE(1u << 16, 1)) < 0 ||
	    nla_put(msg, TCA_U32_SEL, sizeof(all), &all) < 0 || put_action(msg, to) < 0)
		return -ENOMEM;
	nla_nest_end(msg, options);
	return cni_nl_request(nl, msg, NULL, NULL);
}

int cni_tc_redirect(struct cni_nl *nl, int ifindex, int to)
{
	int r = add_ingress(nl, ifindex);

	if (r == -EEXIST) {
		r = cni_tc_receive(nl, ifindex);
		if (r == 0)
			r = add_ingress(nl, ifindex);
	}
	if (r < 0)
		return r;
	r = add_filter(nl, ifindex, to);
	if (r < 0)
		(void)!cni_tc_receive(nl, ifindex);
	return r;
}

int cni_tc_receive(struct cni_nl *nl, int ifindex)
{
	struct tcmsg tcm = ingress_of(ifindex);
	struct nl_msg *msg = cni_nl_begin(nl, RTM_DELQDISC, 0, &tcm, sizeof(tcm));
	int r;

	/* Not a clsact, which has the same handle, and is of somebody else. */
	if (nla_put_string(msg, TCA_KIND, INGRESS) < 0)
		return -ENOMEM;
	r = cni_nl_request(nl, msg, NULL, NULL);
	return r == -ENOENT || r == -EINVAL ? 0 : r;
}

/* @return the index of the link that a filter's action leads to; 0 if it leads to none */
static int led_to(struct nlattr *actions)
{
	struct nlattr *one = nla_find(nla_data(actions), nla_len(actions), 1);
	struct nlattr *tb[TCA_ACT_MAX + 1], *parms;
	struct tc_mirred mirred;

	if (!one || nla_parse_nested(tb, TCA_ACT_MAX, one, NULL) < 0 || !tb[TCA_ACT_KIND] ||
	    strcmp(nla_get_string(tb[TCA_ACT_KIND]), "mirred") != 0 || !tb[TCA_ACT_OPTIONS])
		return 0;
	parms = nla_find(nla_data(tb[TCA_ACT_OPTIONS]), nla_len(tb[TCA_ACT_OPTIONS]),
			 TCA_MIRRED_PARMS);
	if (!parms || nla_len(parms) < (int)sizeof(mirred))
		return 0;
	memcpy(&mirred, nla_data(parms), sizeof(mirred));
	return mirred.eaction == TCA_EGRESS_REDIR ? (int)mirred.ifindex : 0;
}

static int read_filter(struct nlmsghdr *nlh, void *ctx)
{
	struct nlattr *tb[TCA_MAX + 1], *options[TCA_U32_MAX + 1];
	int to;

	if (nlmsg_parse(nlh, sizeof(struct tcmsg), tb, TCA_MAX, NULL) < 0)
		return -EBADMSG;
	if (!tb[TCA_KIND] || strcmp(nla_get_string(tb[TCA_KIND]), "u32") != 0 || !tb[TCA_OPTIONS] ||
	    nla_parse_nested(options, TCA_U32_MAX, tb[TCA_OPTIONS], NULL) < 0 ||
	    !options[TCA_U32_ACT])
		return 0;
	to = led_to(options[TCA_U32_ACT]);
	if (to)
		*(int *)ctx = to;
	return 0;
}

static void forget_filter(void *ctx)
{
	*(int *)ctx = 0;
}

/* A dump, of this link's filters only. */
int cni_tc_get_redirect(struct cni_nl *nl, int ifindex, int *to)
{
	struct tcmsg tcm = { .tcm_ifindex = ifindex, .tcm_parent = INGRESS_HANDLE };
	struct nl_msg *msg = cni_nl_begin(nl, RTM_GETTFILTER, 0, &tcm, sizeof(tcm));
	int found = 0, r = cni_nl_dump(nl, msg, forget_filter, read_filter, &found);

	if (r == -EINVAL) /* nothing is said of what it receives */
		return -ENOENT;
	if (r == 0 && found)
		*to = found;
	return r < 0 ? r : found ? 0 : -ENOENT;
}
