/*
 * Flows that the kernel remembers; see conntrack.h.
 */
#include "conntrack.h"
#include "buf.h"
#include "mapping.h"
#include "nft.h"
#include "nl.h"
#include "nl_route.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <string.h>

/*
 * What the kernel's filter is to compare (its net/netfilter/nf_internals.h; since Linux 5.8, older ones
 * send everything).
 */
#define FILTER_IP_SRC (1U << 0)
#define FILTER_PROTO_NUM (1U << 3)
#define FILTER_PROTO_DST_PORT (1U << 5)

/* Deleted in one pass, some 100 bytes each; what is left is found by the next one. */
#define DELETE_MAX 65536
/*
 * A dump goes over the whole hash table, whatever is asked for. On a machine with 262,144 buckets, as the kernel makes
 * them from 4 GiB of memory on, that takes as long as sending so many flows.
 */
#define FLOWS_PER_DUMP 5000
#define MESSAGE_MAX 512

/* New flows may come as fast as old ones are deleted. */
#define FORGET_TIMEOUT_MS 3000

/* One direction of a flow. */
struct tuple {
	struct cni_ip src, dst;
	uint8_t protocol;
	uint16_t dst_port;
};

/* What the kernel is asked for in one dump. */
struct question {
	sa_family_t family;
	uint8_t protocol;
	uint16_t port; /* that they were sent to; 0 = any */
	struct cni_ip replier; /* who answers; AF_INET, or AF_UNSPEC = anybody */
};

/* Going over the flows, and what was found: the messages that delete them. */
struct pass {
	const struct cni_flows *want; /* sorted by port */
	size_t n_want;
	const struct question *question;
	struct cni_nl *route; /* for asking whose address that is */
	struct cni_ip asked; /* for last; most flows of a port go to one address */
	bool asked_is_local;
	struct cni_buf found; /* owned */
	unsigned int n;
};

static inline void cni_auto_pass(struct pass *p)
{
	cni_buf_done(&p->found);
}

static struct nlmsghdr *begin(void *buf, uint8_t type, uint16_t flags, sa_family_t family)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *g;

	h->nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type);
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->nfgen_family = (uint8_t)family;
	g->version = NFNETLINK_V0;
	return h;
}

/* ---- reading a flow ---- */

static int keep_attr(const struct nlattr *attr, void *ctx)
{
	const struct nlattr **table = ctx;

	if (mnl_attr_get_type(attr) <= CTA_MAX)
		table[mnl_attr_get_type(attr)] = attr;
	return MNL_CB_OK;
}

static void read_ip(const struct nlattr *attr, sa_family_t family, struct cni_ip *ret)
{
	struct cni_ip ip = { .family = family };

	if (!attr || mnl_attr_get_payload_len(attr) < cni_ip_size(&ip))
		return;
	memcpy(ip.b, mnl_attr_get_payload(attr), cni_ip_size(&ip));
	*ret = ip;
}

static struct tuple read_tuple(const struct nlattr *nest, sa_family_t family)
{
	const struct nlattr *part[CTA_MAX + 1] = { 0 }, *ip[CTA_MAX + 1] = { 0 };
	const struct nlattr *proto[CTA_MAX + 1] = { 0 };
	struct tuple t = { 0 };

	if (nest)
		(void)mnl_attr_parse_nested(nest, keep_attr, part);
	if (part[CTA_TUPLE_IP])
		(void)mnl_attr_parse_nested(part[CTA_TUPLE_IP], keep_attr, ip);
	if (part[CTA_TUPLE_PROTO])
		(void)mnl_attr_parse_nested(part[CTA_TUPLE_PROTO], keep_attr, proto);
	read_ip(ip[family == AF_INET ? CTA_IP_V4_SRC : CTA_IP_V6_SRC], family, &t.src);
	read_ip(ip[family == AF_INET ? CTA_IP_V4_DST : CTA_IP_V6_DST], family, &t.dst);
	if (proto[CTA_PROTO_NUM])
		t.protocol = mnl_attr_get_u8(proto[CTA_PROTO_NUM]);
	if (proto[CTA_PROTO_DST_PORT])
		t.dst_port = ntohs(mnl_attr_get_u16(proto[CTA_PROTO_DST_PORT]));
	return t;
}

/* ---- choosing ---- */

static bool is_zero(const struct cni_ip *ip)
{
	static const uint8_t zero[16];

	return memcmp(ip->b, zero, sizeof(zero)) == 0;
}

static bool is_local(struct pass *p, const struct cni_ip *ip)
{
	struct cni_route_hit hit;

	if (p->asked.family == AF_UNSPEC || cni_ip_cmp(&p->asked, ip) != 0) {
		p->asked_is_local = cni_route_get(p->route, ip, &hit) == 0 && hit.local;
		p->asked = *ip;
	}
	return p->asked_is_local;
}

static bool is_wanted(struct pass *p, const struct cni_flows *want, const struct tuple *orig,
		      const struct tuple *reply, bool translated)
{
	bool answers = want->container.family != AF_UNSPEC &&
		       cni_ip_cmp(&reply->src, &want->container) == 0;

	if (want->to.family != p->question->family || orig->protocol != want->protocol)
		return false;
	if (want->answered_by_container && !translated)
		return false;
	if (want->container.family != AF_UNSPEC && answers != want->answered_by_container)
		return false;
	return is_zero(&want->to) ? is_local(p, &orig->dst)
				  : cni_ip_cmp(&orig->dst, &want->to) == 0;
}

/* The first that is wanted of a port; of a higher one, or n_want, if there is none. */
static size_t first_of_port(const struct pass *p, uint16_t port)
{
	size_t low = 0, high = p->n_want;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (p->want[middle].port < port)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* @param port  of those that are asked: that of the flow, or 0, those of any port */
static bool is_wanted_of_port(struct pass *p, uint16_t port, const struct tuple *orig,
			      const struct tuple *reply, bool translated)
{
	for (size_t i = first_of_port(p, port); i < p->n_want && p->want[i].port == port; i++)
		if (is_wanted(p, &p->want[i], orig, reply, translated))
			return true;
	return false;
}

static void copy_attr(struct nlmsghdr *h, const struct nlattr *attr)
{
	if (attr)
		mnl_attr_put(h, attr->nla_type, mnl_attr_get_payload_len(attr),
			     mnl_attr_get_payload(attr));
}

static int on_flow(const struct nlmsghdr *h, void *ctx)
{
	const struct nlattr *attr[CTA_MAX + 1] = { 0 };
	char buf[MESSAGE_MAX] __attribute__((aligned(4))) = { 0 };
	struct pass *p = ctx;
	struct tuple orig, reply;
	struct nlmsghdr *del;
	bool translated;

	(void)mnl_attr_parse(h, sizeof(struct nfgenmsg), keep_attr, attr);
	orig = read_tuple(attr[CTA_TUPLE_ORIG], p->question->family);
	reply = read_tuple(attr[CTA_TUPLE_REPLY], p->question->family);
	translated = attr[CTA_STATUS] && ntohl(mnl_attr_get_u32(attr[CTA_STATUS])) & IPS_DST_NAT;
	if (p->n >= DELETE_MAX || !(is_wanted_of_port(p, 0, &orig, &reply, translated) ||
				    is_wanted_of_port(p, orig.dst_port, &orig, &reply, translated)))
		return 0;
	del = begin(buf, IPCTNL_MSG_CT_DELETE, NLM_F_ACK, p->question->family);
	copy_attr(del, attr[CTA_TUPLE_ORIG]);
	copy_attr(del, attr[CTA_ZONE]);
	copy_attr(del, attr[CTA_ID]); /* this very one, not another one that took its place */
	cni_buf_add(&p->found, del, MNL_ALIGN(del->nlmsg_len));
	p->n++;
	return 0;
}

/* ---- talking ---- */

static int dump(struct cni_nft *nft, struct pass *p)
{
	const struct question *q = p->question;
	bool by_replier = q->replier.family == AF_INET;
	uint32_t flags = FILTER_PROTO_NUM | (by_replier ? FILTER_IP_SRC : 0) |
			 (q->port ? FILTER_PROTO_DST_PORT : 0);
	char buf[MESSAGE_MAX] __attribute__((aligned(4))) = { 0 };
	struct nlmsghdr *h = begin(buf, IPCTNL_MSG_CT_GET, NLM_F_DUMP, q->family);
	struct nlattr *tuple, *part;

	tuple = mnl_attr_nest_start(h, by_replier ? CTA_TUPLE_REPLY : CTA_TUPLE_ORIG);
	if (by_replier) {
		part = mnl_attr_nest_start(h, CTA_TUPLE_IP);
		mnl_attr_put(h, CTA_IP_V4_SRC, cni_ip_size(&q->replier), q->replier.b);
		mnl_attr_nest_end(h, part);
	}
	part = mnl_attr_nest_start(h, CTA_TUPLE_PROTO);
	mnl_attr_put_u8(h, CTA_PROTO_NUM, q->protocol);
	if (q->port)
		mnl_attr_put_u16(h, CTA_PROTO_DST_PORT, htons(q->port));
	mnl_attr_nest_end(h, part);
	mnl_attr_nest_end(h, tuple);
	part = mnl_attr_nest_start(h, CTA_FILTER);
	mnl_attr_put_u32(h, CTA_FILTER_ORIG_FLAGS, by_replier ? 0 : flags);
	mnl_attr_put_u32(h, CTA_FILTER_REPLY_FLAGS, by_replier ? flags : 0);
	mnl_attr_nest_end(h, part);
	p->n = 0;
	p->found.len = 0;
	return cni_nft_ask(nft, h, on_flow, p);
}

static int ignore(const struct nlmsghdr *h, void *ctx)
{
	(void)h;
	(void)ctx;
	return 0;
}

static int delete_found(struct cni_nft *nft, const struct pass *p)
{
	size_t at = 0;

	if (p->found.failed)
		return -ENOMEM;
	while (at < p->found.len) {
		struct nlmsghdr *h = (struct nlmsghdr *)(void *)(p->found.data + at);
		int r;

		at += MNL_ALIGN(h->nlmsg_len);
		r = cni_nft_ask(nft, h, ignore, NULL);
		if (r < 0 && r != -ENOENT) /* ended by itself */
			return r;
	}
	return 0;
}

static int forget(struct cni_nft *nft, struct pass *p)
{
	long deadline = cni_nl_deadline(FORGET_TIMEOUT_MS);
	bool again;
	int r;

	do {
		r = dump(nft, p);
		again = p->n == DELETE_MAX ||
			r == -EINTR; /* some were missed: met by the next pass */
		if (r == 0 || r == -EINTR)
			r = delete_found(nft, p);
		if (r == 0 && again && cni_nl_deadline(0) >= deadline)
			r = -EAGAIN;
	} while (r == 0 && again);
	return r;
}

static int take_count(const struct nlmsghdr *h, void *ctx)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, h, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attr) == CTA_STATS_GLOBAL_ENTRIES &&
		    mnl_attr_validate(attr, MNL_TYPE_U32) == 0)
			*(uint32_t *)ctx = ntohl(mnl_attr_get_u32(attr));
	}
	return 0;
}

/* How many flows there are, if the kernel says. The answer claims to be one of several: the acknowledgement ends it. */
static int count(struct cni_nft *nft, uint32_t *ret)
{
	char buf[64] __attribute__((aligned(4)));
	struct nlmsghdr *h = begin(buf, IPCTNL_MSG_CT_GET_STATS, NLM_F_ACK, AF_UNSPEC);

	return cni_nft_ask(nft, h, take_count, ret);
}

/* By an IPv6 address the kernel can't pick: it compares the wrong way round (ctnetlink_filter_match_tuple). */
static struct question question_for(const struct cni_flows *flows, bool any_port)
{
	struct question q = { .family = flows->to.family, .protocol = flows->protocol };

	if (flows->answered_by_container && flows->container.family == AF_INET)
		q.replier = flows->container;
	else if (!any_port)
		q.port = flows->port;
	return q;
}

static int compare_questions(const void *a, const void *b)
{
	const struct question *p = a, *q = b;

	if (p->family != q->family)
		return p->family < q->family ? -1 : 1;
	if (p->protocol != q->protocol)
		return p->protocol < q->protocol ? -1 : 1;
	if (p->port != q->port)
		return p->port < q->port ? -1 : 1;
	return cni_ip_cmp(&p->replier, &q->replier);
}

/* @return how many questions there are, each once */
static size_t list_questions(const struct cni_flows *flows, size_t n, bool any_port,
			     struct question *ret)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		ret[i] = question_for(&flows[i], any_port);
	qsort(ret, n, sizeof(*ret), compare_questions);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || compare_questions(&ret[kept - 1], &ret[i]) != 0)
			ret[kept++] = ret[i];
	return kept;
}

/* By their ports, or by protocol alone if the dumps that this saves take longer than sending all flows does. */
static size_t choose_questions(const struct cni_flows *flows, size_t n, uint32_t present,
			       struct question *ret)
{
	size_t joined = list_questions(flows, n, true, ret);
	size_t by_port = list_questions(flows, n, false, ret);

	if (by_port == joined || present / (by_port - joined) >= FLOWS_PER_DUMP)
		return by_port;
	return list_questions(flows, n, true, ret);
}

static int compare_ports(const void *a, const void *b)
{
	const struct cni_flows *p = a, *q = b;

	return (p->port > q->port) - (p->port < q->port);
}

static int failed(const struct question *q, int r, struct cni_error *err)
{
	const char *version = q->family == AF_INET ? "IPv4" : "IPv6";

	if (q->port)
		return cni_fail(err, CNI_E_INTERNAL, -r, "flows of %s, %s port %u", version,
				cni_mapping_protocol(q->protocol), q->port);
	return cni_fail(err, CNI_E_INTERNAL, -r, "flows of %s, %s", version,
			cni_mapping_protocol(q->protocol));
}

/* What one question fails at, the next one may not. */
static int forget_all(struct cni_nft *nft, struct cni_flows *flows, size_t n, uint32_t present,
		      struct cni_error *err)
{
	cni_auto(free) struct question *questions = calloc(n, sizeof(*questions));
	cni_auto(nl) struct cni_nl route = CNI_NL_INIT;
	cni_auto(pass) struct pass p = { .want = flows, .n_want = n, .route = &route };
	size_t n_questions;
	int result;

	if (!questions)
		return cni_fail(err, CNI_E_INTERNAL, ENOMEM, "flows");
	result = cni_nl_open(&route, -1, err);
	if (result < 0)
		return result;
	qsort(flows, n, sizeof(*flows), compare_ports);
	n_questions = choose_questions(flows, n, present, questions);
	for (size_t i = 0; i < n_questions; i++) {
		int r;

		p.question = &questions[i];
		r = forget(nft, &p);
		if (r < 0 && !cni_nft_is_absent(r) && result == 0)
			result = failed(&questions[i], r, err);
	}
	return result;
}

int cni_conntrack_forget(struct cni_flows *flows, size_t n, struct cni_error *err)
{
	cni_auto(nft) struct cni_nft nft = { 0 };
	uint32_t present = UINT32_MAX;
	int r;

	if (n == 0)
		return 0;
	r = cni_nft_open(&nft);
	if (r == 0)
		r = count(&nft, &present);
	if (cni_nft_is_absent(r))
		return 0;
	if (r < 0)
		return cni_fail(err, CNI_E_INTERNAL, -r, "number of flows");
	return present > 0 ? forget_all(&nft, flows, n, present, err) : 0;
}
