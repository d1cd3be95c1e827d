/*
 * nf_tables over libnftnl and libmnl; see nft.h. Expressions are encoded as nft(8) does, so that its
 * listing reads as if nft had written them.
 */
#include "nft.h"
#include "outlive.h"

#include <errno.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/table.h>
#include <libnftnl/udata.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdalign.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

/*
 * A batch begins with room for some ten thousand rules, and grows: 65,535 ports published at once take up to
 * 150 MiB. Pages that are not written cost nothing. Behind its messages there is always room for one more.
 */
#define BATCH_SIZE ((size_t)8 << 20)
#define BATCH_MAX ((size_t)256 << 20)
#define MESSAGE_MAX 4096
/* A dump answers with at most this much at once, if we offer the room (linux/netlink.h). */
#define ANSWER_SIZE 32768

/* A generation in network byte order makes the kernel refuse the batch in any other; 0 = in none. */
static void begin(struct cni_nft *nft, uint32_t generation)
{
	struct nlmsghdr *h;

	nft->len = 0;
	nft->full = false;
	h = nftnl_batch_begin(nft->buf, nft->seq++);
	if (generation)
		mnl_attr_put_u32(h, NFNL_BATCH_GENID, generation);
	nft->len = h->nlmsg_len;
}

/*
 * Socket and buffer of the transaction before, which wait for the next one, and are left to the end of the
 * process: closing a socket makes the kernel wait until no packet is at what was removed (nft_rcv_nl_event),
 * some milliseconds; at the end that time has passed, beside what else was done, or cni_nft_leave spares it.
 */
static struct {
	struct mnl_socket *sk;
	uint32_t seq;
	char *buf;
	size_t size;
} idle;

/* What is sent has to fit. Without privilege outside of user namespaces net.core.wmem_max is the limit. */
static void make_room(struct cni_nft *nft, size_t size)
{
	const int room = (int)size;

	if (setsockopt(mnl_socket_get_fd(nft->sk), SOL_SOCKET, SO_SNDBUFFORCE, &room,
		       sizeof(room)) < 0)
		(void)setsockopt(mnl_socket_get_fd(nft->sk), SOL_SOCKET, SO_SNDBUF, &room,
				 sizeof(room));
}

static int open_socket(struct cni_nft *nft)
{
	if (idle.sk) {
		nft->sk = idle.sk;
		nft->seq = idle.seq;
		idle.sk = NULL;
		return 0;
	}
	nft->torn = true;
	nft->sk = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!nft->sk || mnl_socket_bind(nft->sk, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	make_room(nft, BATCH_SIZE);
	nft->torn = false;
	return 0;
}

static void close_socket(struct cni_nft *nft)
{
	if (!nft->sk)
		return;
	if (idle.sk || nft->torn) {
		(void)mnl_socket_close(nft->sk);
		return;
	}
	idle.sk = nft->sk;
	idle.seq = nft->seq;
}

static int open_buffer(struct cni_nft *nft)
{
	char *buf = idle.buf;
	size_t size = idle.size;

	idle.buf = NULL;
	/* Zeroes, because libmnl leaves padding as it is. */
	if (!buf) {
		size = BATCH_SIZE;
		buf = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	}
	if (buf == MAP_FAILED)
		return -ENOMEM;
	nft->buf = buf;
	nft->size = size;
	return 0;
}

static void close_buffer(struct cni_nft *nft)
{
	if (nft->buf && idle.buf) {
		(void)munmap(nft->buf, nft->size);
	} else if (nft->buf) {
		idle.buf = nft->buf;
		idle.size = nft->size;
	}
}

int cni_nft_open(struct cni_nft *nft)
{
	int r;

	*nft = (struct cni_nft){ .seq = (uint32_t)time(NULL) };
	r = open_buffer(nft);
	if (r == 0)
		r = open_socket(nft);
	if (r < 0)
		return r;
	begin(nft, 0);
	return 0;
}

void cni_nft_close(struct cni_nft *nft)
{
	close_socket(nft);
	close_buffer(nft);
	cni_turn_done(&nft->turn);
	*nft = (struct cni_nft){ 0 };
}

void cni_nft_leave(void)
{
	if (idle.sk)
		(void)cni_outlive(mnl_socket_get_fd(idle.sk));
}

struct nlmsghdr *cni_nft_message(struct cni_nft *nft, uint16_t type, uint32_t family,
				 uint16_t flags)
{
	return nftnl_nlmsg_build_hdr(nft->buf + nft->len, type, (uint16_t)family, flags,
				     nft->seq++);
}

static bool grow(struct cni_nft *nft)
{
	size_t size = 2 * nft->size;
	void *buf = size > BATCH_MAX ? MAP_FAILED
				     : mremap(nft->buf, nft->size, size, MREMAP_MAYMOVE);

	if (buf == MAP_FAILED)
		return false;
	nft->buf = buf;
	nft->size = size;
	return true;
}

void cni_nft_message_done(struct cni_nft *nft)
{
	size_t len = nft->len + ((struct nlmsghdr *)(void *)(nft->buf + nft->len))->nlmsg_len;

	if (len + MESSAGE_MAX <= nft->size || grow(nft))
		nft->len = len;
	else
		nft->full = true; /* the next one takes its place */
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
		if (*comment &&
		    nftnl_table_set_data(t, NFTNL_TABLE_USERDATA, nftnl_udata_buf_data(udata),
					 nftnl_udata_buf_len(udata)) < 0)
			nft->full = true;
		nftnl_table_nlmsg_build_payload(
			cni_nft_message(nft, NFT_MSG_NEWTABLE, family, NLM_F_CREATE), t);
		cni_nft_message_done(nft);
	}
	nft->full |= !t || !udata;
	if (t)
		nftnl_table_free(t);
	nftnl_udata_buf_free(udata);
}

static void chain_message(struct cni_nft *nft, uint16_t type, uint16_t flags, uint32_t family,
			  const char *table, const char *chain, const struct cni_nft_hook *hook,
			  const char *comment)
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
		if (*comment &&
		    nftnl_chain_set_data(c, NFTNL_CHAIN_USERDATA, nftnl_udata_buf_data(udata),
					 nftnl_udata_buf_len(udata)) < 0)
			nft->full = true;
		nftnl_chain_nlmsg_build_payload(cni_nft_message(nft, type, family, flags), c);
		cni_nft_message_done(nft);
	}
	nft->full |= !c || !udata;
	if (c)
		nftnl_chain_free(c);
	nftnl_udata_buf_free(udata);
}

void cni_nft_chain(struct cni_nft *nft, uint32_t family, const char *table, const char *chain,
		   const struct cni_nft_hook *hook, const char *comment)
{
	chain_message(nft, NFT_MSG_NEWCHAIN, NLM_F_CREATE, family, table, chain, hook, comment);
}

void cni_nft_chain_new(struct cni_nft *nft, uint32_t family, const char *table, const char *chain)
{
	chain_message(nft, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_EXCL, family, table, chain, NULL,
		      "");
}

void cni_nft_chain_delete(struct cni_nft *nft, uint32_t family, const char *table,
			  const char *chain)
{
	chain_message(nft, NFT_MSG_DELCHAIN, 0, family, table, chain, NULL, "");
}

struct nftnl_rule *cni_nft_rule(uint32_t family, const char *table, const char *chain,
				const char *comment)
{
	struct nftnl_udata_buf *udata = comment_udata(NFTNL_UDATA_RULE_COMMENT, comment);
	struct nftnl_rule *rule = nftnl_rule_alloc();
	int r = udata ? 0 : -1;

	if (rule && udata) {
		nftnl_rule_set_u32(rule, NFTNL_RULE_FAMILY, family);
		r = nftnl_rule_set_str(rule, NFTNL_RULE_TABLE, table);
		if (r == 0)
			r = nftnl_rule_set_str(rule, NFTNL_RULE_CHAIN, chain);
		if (r == 0 && *comment)
			r = nftnl_rule_set_data(rule, NFTNL_RULE_USERDATA,
						nftnl_udata_buf_data(udata),
						nftnl_udata_buf_len(udata));
	}
	if (rule && r < 0) {
		nftnl_rule_free(rule);
		rule = NULL;
	}
	nftnl_udata_buf_free(udata);
	return rule;
}

static void new_rule_take(struct cni_nft *nft, struct nftnl_rule *rule, uint16_t flags)
{
	if (!rule) {
		nft->full = true;
		return;
	}
	nftnl_rule_nlmsg_build_payload(cni_nft_message(nft, NFT_MSG_NEWRULE,
						       nftnl_rule_get_u32(rule, NFTNL_RULE_FAMILY),
						       flags),
				       rule);
	cni_nft_message_done(nft);
	nftnl_rule_free(rule);
}

void cni_nft_rule_append_take(struct cni_nft *nft, struct nftnl_rule *rule)
{
	new_rule_take(nft, rule, NLM_F_CREATE | NLM_F_APPEND);
}

void cni_nft_rule_insert_take(struct cni_nft *nft, struct nftnl_rule *rule)
{
	new_rule_take(nft, rule, NLM_F_CREATE);
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
	nftnl_rule_nlmsg_build_payload(cni_nft_message(nft, NFT_MSG_DELRULE, family, 0), rule);
	cni_nft_message_done(nft);
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

/* ---- talking ---- */

/*
 * The kernel answers a batch while it is being sent, and only with errors, since nothing asks for an
 * acknowledgement: what it has to say is there already, and silence is success. Each message that it refuses
 * is an answer; of hundreds the last ones may find no room, which is told first (ENOBUFS), and once.
 */
static int answers(struct cni_nft *nft)
{
	bool lost = false;
	int result = 0;

	for (;;) {
		char buf[8192];
		ssize_t n = recv(mnl_socket_get_fd(nft->sk), buf, sizeof(buf), MSG_DONTWAIT);
		int left = (int)n;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == ENOBUFS && !lost) {
			lost = true;
			continue;
		}
		if (n < 0) {
			int cause = lost ? ENOBUFS : errno == EAGAIN ? 0 : errno;

			nft->torn = errno != EAGAIN || (lost && result == 0);
			return result < 0 ? result : -cause;
		}
		for (struct nlmsghdr *h = (struct nlmsghdr *)(void *)buf; mnl_nlmsg_ok(h, left);
		     h = mnl_nlmsg_next(h, &left)) {
			const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);

			if (h->nlmsg_type == NLMSG_ERROR && e->error < 0 && result == 0) {
				result = e->error;
				nft->failed = h->nlmsg_seq;
			}
		}
	}
}

int cni_nft_commit(struct cni_nft *nft)
{
	int r;

	nft->failed = 0;
	if (nft->full) {
		begin(nft, 0);
		return -EMSGSIZE;
	}
	nft->len += nftnl_batch_end(nft->buf + nft->len, nft->seq++)->nlmsg_len;
	if (nft->len > BATCH_SIZE)
		make_room(nft, nft->len);
	r = (int)mnl_socket_sendto(nft->sk, nft->buf, nft->len);
	r = r < 0 ? -errno : answers(nft);
	begin(nft, 0);
	return r;
}

/* What a question is answered with: one message, or those of a dump. */
struct answer {
	int (*fn)(const struct nlmsghdr *h, void *ctx); /* 0; negative errno ends it */
	void *ctx;
	uint32_t seq;
	bool done, interrupted;
	int result;
};

/* How a dump ended: it may fail after its first messages, too. */
static int dump_result(const struct nlmsghdr *h)
{
	int result = 0;

	if (mnl_nlmsg_get_payload_len(h) >= sizeof(result))
		memcpy(&result, mnl_nlmsg_get_payload(h), sizeof(result));
	return result < 0 ? result : 0;
}

static void take_answer(struct answer *a, const struct nlmsghdr *h)
{
	if (h->nlmsg_seq != a->seq)
		return;
	a->interrupted |= (h->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
	a->done = h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR ||
		  !(h->nlmsg_flags & NLM_F_MULTI);
	if (h->nlmsg_type == NLMSG_ERROR)
		a->result = ((const struct nlmsgerr *)mnl_nlmsg_get_payload(h))->error;
	else if (h->nlmsg_type == NLMSG_DONE && a->result == 0)
		a->result = dump_result(h);
	else if (h->nlmsg_type >= NLMSG_MIN_TYPE && a->result == 0)
		a->result = a->fn(h, a->ctx);
}

/* Everything is read to its end, so that the socket is good for the next question, or it is given up. */
int cni_nft_ask(struct cni_nft *nft, struct nlmsghdr *question,
		int (*fn)(const struct nlmsghdr *h, void *ctx), void *ctx)
{
	struct answer a = { .fn = fn, .ctx = ctx, .seq = nft->seq++ };
	alignas(struct nlmsghdr) char buf[ANSWER_SIZE];

	question->nlmsg_seq = a.seq;
	if (mnl_socket_sendto(nft->sk, question, question->nlmsg_len) < 0)
		return -errno;
	nft->torn = true;
	while (!a.done && a.result != -ECANCELED) {
		ssize_t n = mnl_socket_recvfrom(nft->sk, buf, sizeof(buf));
		int left = (int)n;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			a.result = -errno;
			break;
		}
		for (struct nlmsghdr *h = (struct nlmsghdr *)(void *)buf; mnl_nlmsg_ok(h, left);
		     h = mnl_nlmsg_next(h, &left))
			take_answer(&a, h);
	}
	nft->torn = !a.done;
	/* nfnetlink's answer for a subsystem that is not there. */
	if (a.result == -EINVAL || a.result == -EOPNOTSUPP)
		return -EPROTONOSUPPORT;
	return a.result == 0 && a.interrupted ? -EINTR : a.result;
}

static int take_generation(const struct nlmsghdr *h, void *ctx)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, h,
			  sizeof(struct nfgenmsg)) if (mnl_attr_get_type(attr) == NFTA_GEN_ID &&
						       mnl_attr_validate(attr, MNL_TYPE_U32) == 0) *
		(uint32_t *)ctx = mnl_attr_get_u32(attr);
	return 0;
}

bool cni_nft_again(struct cni_nft *nft, int r)
{
	if (r == -EINTR) /* it was read while it changed; a turn is for who changes it */
		return cni_turn_patient(&nft->turn);
	return r == -ERESTART && cni_turn_again(&nft->turn);
}

int cni_nft_watch(struct cni_nft *nft)
{
	char buf[64] __attribute__((aligned(4)));
	struct nlmsghdr *h = nftnl_nlmsg_build_hdr(buf, NFT_MSG_GETGEN, AF_UNSPEC, 0, 0);
	uint32_t generation = 0;
	int r;

	r = cni_nft_ask(nft, h, take_generation, &generation);
	if (r == 0)
		begin(nft, generation);
	return r;
}

void cni_nft_unwatch(struct cni_nft *nft)
{
	struct nlmsghdr *h = (struct nlmsghdr *)(void *)nft->buf;
	struct nlattr *attr;

	mnl_attr_for_each(attr, h,
			  sizeof(struct nfgenmsg)) if (mnl_attr_get_type(attr) == NFNL_BATCH_GENID)
		memset(mnl_attr_get_payload(attr), 0, mnl_attr_get_payload_len(attr));
}
