/*
 * Netlink requests; see nl.h.
 */
#include "nl.h"
#include "netns.h"

#include <errno.h>
#include <linux/netlink.h>
#include <netlink/attr.h>
#include <poll.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* linux/netlink.h: a dump answers with at most this much at once, if we offer the room. */
#define RECEIVE_BUFFER 32768
/* Enough for any request without a list. */
#define REQUEST_SIZE 1024
#define DUMP_ATTEMPTS 5

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* asm-generic/socket.h since Linux 5.14 */
#endif

/* What one request is waiting for. */
struct pending {
	struct cni_nl *nl;
	int (*on_reply)(struct nlmsghdr *nlh, void *ctx);
	void *ctx;
	uint32_t seq; /* answers to anything else are left-overs of a request that was given up */
	int result;
	bool acknowledged; /* the answer is not the end */
	bool interrupted;
	bool done;
};

static int connect_route(void *ctx)
{
	struct cni_nl *nl = ctx;

	return nl_connect(nl->sk, NETLINK_ROUTE) < 0 ? -(errno ? errno : EIO) : 0;
}

int cni_nl_open(struct cni_nl *nl, int netns_fd, struct cni_error *err)
{
	int on = 1, r;

	nl->netns_fd = netns_fd;
	nlmsg_set_default_size(REQUEST_SIZE); /* of those that libnl-route makes */
	nl->sk = nl_socket_alloc();
	nl->request = nlmsg_alloc_size(REQUEST_SIZE);
	errno = 0;
	r = nl->sk && nl->request ? cni_netns_call(netns_fd, connect_route, nl, err) : -ENOMEM;
	if (r < 0) {
		cni_nl_close(nl);
		return cni_fail(err, CNI_E_INTERNAL, -r, "open netlink socket");
	}
	nl_socket_disable_auto_ack(nl->sk);
	/* Both are refinements that old kernels lack: reasons in words, and filtered dumps. */
	(void)setsockopt(nl_socket_get_fd(nl->sk), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	(void)setsockopt(nl_socket_get_fd(nl->sk), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on,
			 sizeof(on));
	return 0;
}

uint64_t cni_nl_netns_cookie(struct cni_nl *nl)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	if (getsockopt(nl_socket_get_fd(nl->sk), SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len) < 0)
		return 0;
	return cookie;
}

void cni_nl_close(struct cni_nl *nl)
{
	if (nl->sk)
		nl_socket_free(nl->sk);
	nl->sk = NULL;
	nlmsg_free(nl->request);
	nl->request = NULL;
}

int cni_nl_reserve(struct cni_nl *nl, size_t size)
{
	struct nl_msg *more = nlmsg_alloc_size(size > REQUEST_SIZE ? size : REQUEST_SIZE);

	if (!more)
		return -ENOMEM;
	nlmsg_free(nl->request);
	nl->request = more;
	return 0;
}

struct nl_msg *cni_nl_begin(struct cni_nl *nl, int type, int flags, const void *header, size_t size)
{
	struct nlmsghdr *nlh = nlmsg_hdr(nl->request);

	*nlh = (struct nlmsghdr){
		.nlmsg_len = (uint32_t)nlmsg_total_size(0),
		.nlmsg_type = (uint16_t)type,
		.nlmsg_flags = (uint16_t)flags,
	};
	/* There is room for every header. */
	(void)nlmsg_append(nl->request, (void *)header, size, NLMSG_ALIGNTO);
	return nl->request;
}

/* The kernel's words follow the copied request in an error message (NLM_F_ACK_TLVS). */
static void keep_words(struct cni_nl *nl, struct nlmsghdr *nlh)
{
	struct nlmsgerr *e = nlmsg_data(nlh);
	size_t skip = sizeof(*e);
	struct nlattr *words;

	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
		skip += e->msg.nlmsg_len - sizeof(e->msg);
	words = nlmsg_find_attr(nlh, (int)skip, NLMSGERR_ATTR_MSG);
	if (words)
		nla_strlcpy(nl->why, words, sizeof(nl->why));
}

static void take(struct pending *p, struct nlmsghdr *nlh)
{
	if (nlh->nlmsg_seq != p->seq)
		return;
	if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
		p->interrupted = true;
	switch (nlh->nlmsg_type) {
	case NLMSG_ERROR: {
		struct nlmsgerr *e = nlmsg_data(nlh);

		if (e->error < 0) {
			p->result = e->error;
			keep_words(p->nl, nlh);
		}
		p->done = true;
		break;
	}
	case NLMSG_DONE:
		if (nlmsg_datalen(nlh) >= (int)sizeof(int) && *(int *)nlmsg_data(nlh) < 0)
			p->result = *(int *)nlmsg_data(nlh);
		p->done = true;
		break;
	case NLMSG_NOOP:
		break;
	default:
		if (p->on_reply && p->result == 0)
			p->result = p->on_reply(nlh, p->ctx);
		if (!p->acknowledged && !(nlh->nlmsg_flags & NLM_F_MULTI))
			p->done = true;
	}
}

/* Not nl_recvmsgs(), which allocates a buffer for each datagram. */
static int receive(struct cni_nl *nl, struct pending *p)
{
	alignas(struct nlmsghdr) char buf[RECEIVE_BUFFER];
	struct sockaddr_nl from;
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr msg = {
		.msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
	};
	int n = (int)recvmsg(nl_socket_get_fd(nl->sk), &msg, 0);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if (msg.msg_flags & MSG_TRUNC)
		return -EMSGSIZE;
	/* In a container's namespace others may write to this socket, too: the kernel alone has port 0. */
	if (from.nl_pid != 0)
		return 0;
	for (struct nlmsghdr *h = (void *)buf; nlmsg_ok(h, n) && !p->done; h = nlmsg_next(h, &n))
		take(p, h);
	return 0;
}

int cni_nl_request(struct cni_nl *nl, struct nl_msg *msg,
		   int (*on_reply)(struct nlmsghdr *nlh, void *ctx), void *ctx)
{
	struct pending p = { .nl = nl, .on_reply = on_reply, .ctx = ctx };
	struct nlmsghdr *nlh = nlmsg_hdr(msg);
	int r = 0;

	nl->why[0] = '\0';
	/* What is answered needs no acknowledgement as well. */
	p.acknowledged = !on_reply || nlh->nlmsg_flags & NLM_F_ECHO;
	if (p.acknowledged)
		nlh->nlmsg_flags |= NLM_F_ACK;
	nlh->nlmsg_seq = NL_AUTO_SEQ;
	nlh->nlmsg_pid = NL_AUTO_PORT;
	nl_complete_msg(nl->sk, msg);
	p.seq = nlh->nlmsg_seq;
	errno = 0;
	if (nl_send(nl->sk, msg) < 0)
		return -(errno ? errno : EIO);
	while (!p.done && r == 0)
		r = receive(nl, &p);
	if (r < 0)
		return r;
	return p.result < 0 ? p.result : p.interrupted ? -EINTR : 0;
}

int cni_nl_dump(struct cni_nl *nl, struct nl_msg *msg, void (*on_start)(void *ctx),
		int (*on_reply)(struct nlmsghdr *nlh, void *ctx), void *ctx)
{
	int r = -EINTR;

	nlmsg_hdr(msg)->nlmsg_flags |= NLM_F_DUMP;
	for (int i = 0; i < DUMP_ATTEMPTS && r == -EINTR; i++) {
		on_start(ctx);
		r = cni_nl_request(nl, msg, on_reply, ctx);
	}
	return r;
}

long cni_nl_deadline(int timeout_ms)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000 + timeout_ms;
}

int cni_nl_listen(struct cni_nl *events, int netns_fd, unsigned int group, struct cni_error *err)
{
	int r = cni_nl_open(events, netns_fd, err);

	if (r == 0 && nl_socket_add_membership(events->sk, (int)group) < 0)
		r = cni_fail(err, CNI_E_INTERNAL, ENOMEM, "listen for netlink events");
	return r;
}

int cni_nl_await(struct cni_nl *events, long deadline)
{
	struct pollfd pfd = { .fd = nl_socket_get_fd(events->sk), .events = POLLIN };
	long left = deadline - cni_nl_deadline(0);
	char drop[4096];
	int n;

	if (left <= 0)
		return -ETIMEDOUT;
	n = poll(&pfd, 1, (int)left);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if (n == 0)
		return -ETIMEDOUT;
	/* What happened is asked for afterwards; that something happened is enough. */
	while (recv(pfd.fd, drop, sizeof(drop), MSG_DONTWAIT) > 0)
		;
	return 0;
}

int cni_nl_fail(struct cni_nl *nl, struct cni_error *err, int r, const char *fmt, ...)
{
	char what[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	cni_fail(err, CNI_E_INTERNAL, -r, "%s", what);
	cni_error_detail(err, "%s", nl->why);
	return r;
}
