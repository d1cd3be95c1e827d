/*
 * nf_tables over libnftnl and libmnl; see nft.h. Expressions are encoded as nft(8) does, so that its
 * listing reads as if nft had written them.
 */
#include "nft.h"

#include <errno.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/table.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* Room for some hundred rules; every message must leave MESSAGE_MAX free behind it. */
#define BATCH_SIZE 65536
#define MESSAGE_MAX 4096

static void begin(struct cni_nft *nft)
{
	mnl_nlmsg_batch_reset(nft->batch);
	nft->full = false;
	nftnl_batch_begin(mnl_nlmsg_batch_current(nft->batch), nft->seq++);
	mnl_nlmsg_batch_next(nft->batch);
}

int cni_nft_open(struct cni_nft *nft)
{
	*nft = (struct cni_nft){ .seq = (uint32_t)time(NULL) };
	nft->buf = calloc(1, BATCH_SIZE + MESSAGE_MAX); /* libmnl leaves padding as it is */
	if (!nft->buf)
		return -ENOMEM;
	nft->sk = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!nft->sk || mnl_socket_bind(nft->sk, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	nft->batch = mnl_nlmsg_batch_start(nft->buf, BATCH_SIZE);
	if (!nft->batch)
		return -ENOMEM;
	begin(nft);
	return 0;
}

void cni_nft_close(struct cni_nft *nft)
{
	if (nft->batch)
		mnl_nlmsg_batch_stop(nft->batch);
	if (nft->sk)
		(void)mnl_socket_close(nft->sk);
	free(nft->buf);
	*nft = (struct cni_nft){ 0 };
}

static struct nlmsghdr *message(struct cni_nft *nft, uint16_t type, uint32_t family, uint16_t flags)
{
	return nftnl_nlmsg_build_hdr(mnl_nlmsg_batch_current(nft->batch), type, (uint16_t)family,
				     flags, nft->seq++);
}

static void message_done(struct cni_nft *nft)
{
	if (!mnl_nlmsg_batch_next(nft->batch))
		nft->full = true;
}

/* ---- objects ---- */

/* A comment as nft keeps it: an attribute in the object's user data, with its NUL. */
static struct nftnl_udata_buf *comment_udata(uint8_t type, const char *comment)
{
	struct nftnl_udata_buf *udata = nftnl_udata_buf_alloc(NFT_USERDATA_MAXLEN);

	if (udata)
		nftnl_udata_put_strz(udata, type, comment);
	return udata;
}

void cni_nft_table(struct cni_nft *nft, uint32_t family, const char *table, const char *comment)
{
	struct nftnl_udata_buf *udata = comment_udata(NFTNL_UDATA_TABLE_COMMENT, comment);
	struct nftnl_table *t = nftnl_table_alloc();

	if (t && udata) {
		nftnl_table_set_u32(t, NFTNL_TABLE_FAMILY, family);
		nftnl_table_set_str(t, NFTNL_TABLE_NAME, table);
		nftnl_table_set_data(t, NFTNL_TABLE_USERDATA, nftnl_udata_buf_data(udata),
				     nftnl_udata_buf_len(udata));
		nftnl_table_nlmsg_build_payload(
			message(nft, NFT_MSG_NEWTABLE, family, NLM_F_CREATE), t);
		message_done(nft);
	}
	nft->full |= !t || !udata;
	nftnl_table_free(t);
	nftnl_udata_buf_free(udata);
}

void cni_nft_chain(struct cni_nft *nft, uint32_t family, const char *table, const char *chain,
		   const struct cni_nft_hook *hook, const char *comment)
{
	struct nftnl_udata_buf *udata = comment_udata(NFTNL_UDATA_CHAIN_COMMENT, comment);
	struct nftnl_chain *c = nftnl_chain_alloc();

	if (c && udata) {
		nftnl_chain_set_u32(c, NFTNL_CHAIN_FAMILY, family);
		nftnl_chain_set_str(c, NFTNL_CHAIN_TABLE, table);
		nftnl_chain_set_str(c, NFTNL_CHAIN_NAME, chain);
		if (hook) {
			nftnl_chain_set_str(c, NFTNL_CHAIN_TYPE, hook->type);
			nftnl_chain_set_u32(c, NFTNL_CHAIN_HOOKNUM, hook->hook);
			nftnl_chain_set_s32(c, NFTNL_CHAIN_PRIO, hook->priority);
		}
		if (*comment)
			nftnl_chain_set_data(c, NFTNL_CHAIN_USERDATA, nftnl_udata_buf_data(udata),
					     nftnl_udata_buf_len(udata));
		nftnl_chain_nlmsg_build_payload(
			message(nft, NFT_MSG_NEWCHAIN, family, NLM_F_CREATE), c);
		message_done(nft);
	}
	nft->full |= !c || !udata;
	nftnl_chain_free(c);
	nftnl_udata_buf_free(udata);
}

struct nftnl_rule *cni_nft_rule(uint32_t family, const char *table, const char *chain,
				const char *comment)
{
	struct nftnl_udata_buf *udata = comment_udata(NFTNL_UDATA_RULE_COMMENT, comment);
	struct nftnl_rule *rule = nftnl_rule_alloc();

	if (rule && udata) {
		nftnl_rule_set_u32(rule, NFTNL_RULE_FAMILY, family);
		nftnl_rule_set_str(rule, NFTNL_RULE_TABLE, table);
		nftnl_rule_set_str(rule, NFTNL_RULE_CHAIN, chain);
		if (*comment)
			nftnl_rule_set_data(rule, NFTNL_RULE_USERDATA, nftnl_udata_buf_data(udata),
					    nftnl_udata_buf_len(udata));
	} else if (rule) {
		nftnl_rule_free(rule);
		rule = NULL;
	}
	nftnl_udata_buf_free(udata);
	return rule;
}

void cni_nft_rule_append_take(struct cni_nft *nft, struct nftnl_rule *rule)
{
	if (!rule) {
		nft->full = true;
		return;
	}
	nftnl_rule_nlmsg_build_payload(message(nft, NFT_MSG_NEWRULE,
					       nftnl_rule_get_u32(rule, NFTNL_RULE_FAMILY),
					       NLM_F_CREATE | NLM_F_APPEND),
				       rule);
	message_done(nft);
	nftnl_rule_free(rule);
}

static void delete_rules(struct cni_nft *nft, uint32_t family, const char *table, const char *chain,
			 uint64_t handle)
{
	struct nftnl_rule *rule = cni_nft_rule(family, table, chain, "");

	if (!rule) {
		nft->full = true;
		return;
	}
	if (handle)
		nftnl_rule_set_u64(rule, NFTNL_RULE_HANDLE, handle);
	nftnl_rule_nlmsg_build_payload(message(nft, NFT_MSG_DELRULE, family, 0), rule);
	message_done(nft);
	nftnl_rule_free(rule);
}

void cni_nft_flush(struct cni_nft *nft, uint32_t family, const char *table, const char *chain)
{
	delete_rules(nft, family, table, chain, 0);
}

void cni_nft_rule_delete(struct cni_nft *nft, uint32_t family, const char *table, const char *chain,
			 uint64_t handle)
{
	delete_rules(nft, family, table, chain, handle);
}

/* ---- expressions ---- */

static struct nftnl_expr *expr(struct nftnl_rule *rule, const char *name)
{
	struct nftnl_expr *e = rule ? nftnl_expr_alloc(name) : NULL;

	if (e)
		nftnl_rule_add_expr(rule, e);
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

static void match_family(struct nftnl_rule *rule, uint8_t nfproto)
{
	struct nftnl_expr *e = expr(rule, "meta");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, NFT_META_NFPROTO);
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_DREG, NFT_REG_1);
	compare(rule, true, &nfproto, sizeof(nfproto));
}

static void mask(struct nftnl_rule *rule, const struct cni_prefix *p)
{
	struct cni_prefix ones = { .ip.family = p->ip.family, .len = p->len };
	uint32_t size = (uint32_t)cni_ip_size(&p->ip);
	struct nftnl_expr *e = expr(rule, "bitwise");
	static const uint8_t zero[16];
	struct cni_ip m;

	memset(ones.ip.b, 0xff, size);
	m = cni_prefix_network(&ones);
	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_LEN, size);
	nftnl_expr_set(e, NFTNL_EXPR_BITWISE_MASK, m.b, size);
	nftnl_expr_set(e, NFTNL_EXPR_BITWISE_XOR, zero, size);
}

void cni_nft_match_addr(struct nftnl_rule *rule, enum cni_nft_side side, bool inside,
			const struct cni_prefix *p)
{
	bool v4 = p->ip.family == AF_INET, whole_bytes = p->len % 8 == 0 && p->len > 0;
	size_t size = cni_ip_size(&p->ip), len = whole_bytes ? p->len / 8 : size;
	uint32_t offset = v4 ? 12 : 8; /* of the source address (RFC 791, RFC 8200) */
	struct cni_ip net = cni_prefix_network(p);
	struct nftnl_expr *e;

	if (side == CNI_NFT_DESTINATION)
		offset += (uint32_t)size;
	match_family(rule, v4 ? NFPROTO_IPV4 : NFPROTO_IPV6);
	e = expr(rule, "payload");
	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, NFT_PAYLOAD_NETWORK_HEADER);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, (uint32_t)len);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, NFT_REG_1);
	if (!whole_bytes)
		mask(rule, p);
	compare(rule, inside, net.b, len);
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

void cni_nft_masquerade(struct nftnl_rule *rule)
{
	(void)expr(rule, "masq");
}

/* ---- talking ---- */

/*
 * The kernel answers a batch while it is being sent, and only with errors, since nothing asks for an
 * acknowledgement: what it has to say is there already, and silence is success.
 */
static int answers(struct cni_nft *nft)
{
	int result = 0;

	for (;;) {
		char buf[8192];
		ssize_t n = recv(mnl_socket_get_fd(nft->sk), buf, sizeof(buf), MSG_DONTWAIT);
		int left = (int)n;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return result < 0 ? result : errno == EAGAIN ? 0 : -errno;
		for (struct nlmsghdr *h = (struct nlmsghdr *)(void *)buf; mnl_nlmsg_ok(h, left);
		     h = mnl_nlmsg_next(h, &left)) {
			const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);

			if (h->nlmsg_type == NLMSG_ERROR && e->error < 0 && result == 0)
				result = e->error;
		}
	}
}

int cni_nft_commit(struct cni_nft *nft)
{
	int r;

	if (nft->full)
		return -EMSGSIZE;
	nftnl_batch_end(mnl_nlmsg_batch_current(nft->batch), nft->seq++);
	mnl_nlmsg_batch_next(nft->batch);
	r = (int)mnl_socket_sendto(nft->sk, mnl_nlmsg_batch_head(nft->batch),
				   mnl_nlmsg_batch_size(nft->batch));
	r = r < 0 ? -errno : answers(nft);
	begin(nft);
	return r;
}

struct each {
	void (*fn)(uint64_t handle, const char *comment, void *ctx);
	void *ctx;
};

static int take_comment(const struct nftnl_udata *attr, void *ctx)
{
	const char **comment = ctx;

	if (nftnl_udata_type(attr) == NFTNL_UDATA_RULE_COMMENT && nftnl_udata_len(attr) > 0 &&
	    ((char *)nftnl_udata_get(attr))[nftnl_udata_len(attr) - 1] == '\0')
		*comment = nftnl_udata_get(attr);
	return 0;
}

static int on_rule(const struct nlmsghdr *h, void *ctx)
{
	struct nftnl_rule *rule = nftnl_rule_alloc();
	struct each *each = ctx;
	const char *comment = "";
	const void *udata;
	uint32_t len;

	if (!rule)
		return MNL_CB_ERROR;
	if (nftnl_rule_nlmsg_parse(h, rule) == 0) {
		udata = nftnl_rule_get_data(rule, NFTNL_RULE_USERDATA, &len);
		if (udata)
			nftnl_udata_parse(udata, len, take_comment, &comment);
		each->fn(nftnl_rule_get_u64(rule, NFTNL_RULE_HANDLE), comment, each->ctx);
	}
	nftnl_rule_free(rule);
	return MNL_CB_OK;
}

int cni_nft_each_rule(struct cni_nft *nft, uint32_t family, const char *table, const char *chain,
		      void (*fn)(uint64_t handle, const char *comment, void *ctx), void *ctx)
{
	struct nftnl_rule *which = cni_nft_rule(family, table, chain, "");
	struct each each = { fn, ctx };
	cni_auto(free) char *buf = calloc(1, 32768);
	uint32_t seq = nft->seq++;
	struct nlmsghdr *h;
	int r = -ENOMEM;

	if (which && buf) {
		h = nftnl_nlmsg_build_hdr(buf, NFT_MSG_GETRULE, (uint16_t)family, NLM_F_DUMP, seq);
		nftnl_rule_nlmsg_build_payload(h, which);
		r = mnl_socket_sendto(nft->sk, h, h->nlmsg_len) < 0 ? -errno : MNL_CB_OK;
		while (r > MNL_CB_STOP) {
			ssize_t n = mnl_socket_recvfrom(nft->sk, buf, 32768);

			r = n < 0 ? -errno
				  : mnl_cb_run(buf, (size_t)n, seq, mnl_socket_get_portid(nft->sk),
					       on_rule, &each);
			if (r == MNL_CB_ERROR)
				r = -errno;
		}
	}
	nftnl_rule_free(which);
	/* nfnetlink's answer for a subsystem that is not there. */
	if (r == -EINVAL || r == -EOPNOTSUPP)
		r = -EPROTONOSUPPORT;
	return r == -ENOENT ? 0 : r;
}
