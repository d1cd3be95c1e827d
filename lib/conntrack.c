/*
 * Flows that the kernel remembers; see conntrack.h.
 */
#include "conntrack.h"
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

#define ANSWER_SIZE 32768
/* Deleted in one pass; what is left is found by the next one. */
#define DELETE_MAX 256

/* New flows may come as fast as old ones are deleted. */
#define FORGET_TIMEOUT_MS 3000

/* One direction of a flow. */
struct tuple {
	struct cni_ip src, dst;
	uint8_t protocol;
	uint16_t dst_port;
};

/* What a pass over the flows found: the messages that delete them. */
struct pass {
	const struct cni_flows *want;
	struct cni_nl *route; /* for asking whose address that is */
	struct cni_ip asked; /* for last; most flows of a port go to one address */
	bool asked_is_local;
	char *buf; /* DELETE_MAX messages of MESSAGE_MAX bytes, one after the other */
	size_t used;
	unsigned int n;
};
#define MESSAGE_MAX 512

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

static bool is_wanted(struct pass *p, const struct tuple *orig, const struct tuple *reply,
		      bool translated)
{
	const struct cni_flows *want = p->want;
	bool answers = want->container.family != AF_UNSPEC &&
		       cni_ip_cmp(&reply->src, &want->container) == 0;

	if (orig->protocol != want->protocol)
		return false;
	if (want->port && orig->dst_port != want->port)
		return false;
	if (want->answered_by_container && !translated)
		return false;
	if (want->container.family != AF_UNSPEC && answers != want->answered_by_container)
		return false;
	return is_zero(&want->to) ? is_local(p, &orig->dst)
				  : cni_ip_cmp(&orig->dst, &want->to) == 0;
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
	struct pass *p = ctx;
	struct tuple orig, reply;
	struct nlmsghdr *del;
	uint32_t status;

	(void)mnl_attr_parse(h, sizeof(struct nfgenmsg), keep_attr, attr);
	orig = read_tuple(attr[CTA_TUPLE_ORIG], p->want->to.family);
	reply = read_tuple(attr[CTA_TUPLE_REPLY], p->want->to.family);
	status = attr[CTA_STATUS] ? ntohl(mnl_attr_get_u32(attr[CTA_STATUS])) : 0;
	if (p->n >= DELETE_MAX || !is_wanted(p, &orig, &reply, status & IPS_DST_NAT))
		return MNL_CB_OK;
	del = begin(p->buf + p->used, IPCTNL_MSG_CT_DELETE, NLM_F_ACK, p->want->to.family);
	copy_attr(del, attr[CTA_TUPLE_ORIG]);
	copy_attr(del, attr[CTA_ZONE]);
	copy_attr(del, attr[CTA_ID]); /* this very one, not another one that took its place */
	p->used += MNL_ALIGN(del->nlmsg_len);
	p->n++;
	return MNL_CB_OK;
}

/* ---- talking ---- */

static int ask(struct mnl_socket *sk, struct nlmsghdr *h, mnl_cb_t fn, void *ctx)
{
	static uint32_t seq = 1;
	cni_auto(free) char *buf = malloc(ANSWER_SIZE);
	int r = MNL_CB_OK;

	if (!buf)
		return -ENOMEM;
	h->nlmsg_seq = seq++;
	if (mnl_socket_sendto(sk, h, h->nlmsg_len) < 0)
		return -errno;
	while (r > MNL_CB_STOP) {
		ssize_t n = mnl_socket_recvfrom(sk, buf, ANSWER_SIZE);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		r = mnl_cb_run(buf, (size_t)n, h->nlmsg_seq, mnl_socket_get_portid(sk), fn, ctx);
	}
	return r < 0 ? -errno : 0;
}

static int dump(struct mnl_socket *sk, struct pass *p)
{
	const struct cni_flows *want = p->want;
	bool v4 = want->to.family == AF_INET, by_port = want->port != 0;
	char buf[512] __attribute__((aligned(4))) = { 0 };
	struct nlmsghdr *h = begin(buf, IPCTNL_MSG_CT_GET, NLM_F_DUMP, want->to.family);
	struct nlattr *tuple, *part;

	/* By the port asked for, or by the container that answers: never all of them. */
	tuple = mnl_attr_nest_start(h, by_port ? CTA_TUPLE_ORIG : CTA_TUPLE_REPLY);
	if (!by_port) {
		part = mnl_attr_nest_start(h, CTA_TUPLE_IP);
		mnl_attr_put(h, v4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, cni_ip_size(&want->to),
			     want->container.b);
		mnl_attr_nest_end(h, part);
	}
	part = mnl_attr_nest_start(h, CTA_TUPLE_PROTO);
	mnl_attr_put_u8(h, CTA_PROTO_NUM, want->protocol);
	if (by_port)
		mnl_attr_put_u16(h, CTA_PROTO_DST_PORT, htons(want->port));
	mnl_attr_nest_end(h, part);
	mnl_attr_nest_end(h, tuple);
	part = mnl_attr_nest_start(h, CTA_FILTER);
	mnl_attr_put_u32(h, CTA_FILTER_ORIG_FLAGS,
			 by_port ? FILTER_PROTO_NUM | FILTER_PROTO_DST_PORT : 0);
	mnl_attr_put_u32(h, CTA_FILTER_REPLY_FLAGS, by_port ? 0 : FILTER_PROTO_NUM | FILTER_IP_SRC);
	mnl_attr_nest_end(h, part);
	p->used = p->n = 0;
	return ask(sk, h, on_flow, p);
}

static int delete_found(struct mnl_socket *sk, struct pass *p)
{
	size_t at = 0;

	for (unsigned int i = 0; i < p->n; i++) {
		struct nlmsghdr *h = (struct nlmsghdr *)(void *)(p->buf + at);
		int r;

		at += MNL_ALIGN(h->nlmsg_len);
		r = ask(sk, h, NULL, NULL);
		if (r < 0 && r != -ENOENT) /* ended by itself */
			return r;
	}
	return 0;
}

static inline void cni_auto_mnl(struct mnl_socket **sk)
{
	if (*sk)
		(void)mnl_socket_close(*sk);
}

int cni_conntrack_forget(const struct cni_flows *flows)
{
	cni_auto(mnl) struct mnl_socket *sk = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	cni_auto(free) char *buf = calloc(DELETE_MAX, MESSAGE_MAX);
	cni_auto(nl) struct cni_nl route = CNI_NL_INIT;
	struct pass p = { .want = flows, .route = &route, .buf = buf };
	long deadline = cni_nl_deadline(FORGET_TIMEOUT_MS);
	bool again;
	int r;

	if (!sk || mnl_socket_bind(sk, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	if (!buf)
		return -ENOMEM;
	r = cni_nl_open(&route, -1, NULL);
	do {
		if (r == 0)
			r = dump(sk, &p);
		again = p.n == DELETE_MAX ||
			r == -EINTR; /* some were missed: met by the next pass */
		if (r == 0 || r == -EINTR)
			r = delete_found(sk, &p);
		if (r == 0 && again && cni_nl_deadline(0) >= deadline)
			r = -EAGAIN;
	} while (r == 0 && again);
	/* nfnetlink's answer for a subsystem that is not there. */
	return r == -EINVAL || r == -EOPNOTSUPP ? 0 : r;
}
