/*
 * Real packets between the namespaces of a world: servers that answer with the address that they saw the
 * client at, and clients. A header, because each net_*.c is a program of its own and links the world only.
 *
 * Kernels without SCTP sockets still translate SCTP; there its packets are made by hand (RFC 9260: an INIT
 * is answered by an INIT ACK).
 */
#ifndef TESTS_TRAFFIC_H
#define TESTS_TRAFFIC_H

#include "world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* What no answer takes, at most, when there is one; and how long none is waited for. */
#define ANSWER_MS 3000
#define SILENCE_MS 120

/** A socket in a namespace; `where` NULL is the host. */
static inline int socket_in(const char *where, int family, int type, int protocol)
{
	int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), other = -1, sk;

	ck_assert_int_ge(own, 0);
	if (where) {
		other = open(fmt("/run/netns/%s", where), O_RDONLY | O_CLOEXEC);
		ck_assert_msg(other >= 0, "no namespace %s", where);
		ck_assert_int_eq(setns(other, CLONE_NEWNET), 0);
		close(other);
	}
	sk = socket(family, type | SOCK_CLOEXEC, protocol);
	ck_assert_msg(sk >= 0, "socket: %s", strerror(errno));
	ck_assert_int_eq(setns(own, CLONE_NEWNET), 0);
	close(own);
	return sk;
}

union peer {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static inline socklen_t peer_len(const union peer *p)
{
	return p->any.sa_family == AF_INET ? sizeof(p->v4) : sizeof(p->v6);
}

static inline union peer peer_of(const char *ip, int port)
{
	union peer p = { 0 };

	if (strchr(ip, ':')) {
		p.v6.sin6_family = AF_INET6;
		p.v6.sin6_port = htons((uint16_t)port);
		ck_assert_int_eq(inet_pton(AF_INET6, ip, &p.v6.sin6_addr), 1);
	} else {
		p.v4.sin_family = AF_INET;
		p.v4.sin_port = htons((uint16_t)port);
		ck_assert_int_eq(inet_pton(AF_INET, ip, &p.v4.sin_addr), 1);
	}
	return p;
}

static inline void peer_text(const union peer *p, char text[static INET6_ADDRSTRLEN])
{
	const void *ip = p->any.sa_family == AF_INET ? (const void *)&p->v4.sin_addr
						     : (const void *)&p->v6.sin6_addr;

	ck_assert_ptr_nonnull(inet_ntop(p->any.sa_family, ip, text, INET6_ADDRSTRLEN));
}

/* ---- SCTP by hand ---- */

struct sctp_init {
	uint16_t src, dst;
	uint32_t tag, checksum;
	uint8_t type, flags;
	uint16_t len;
	uint32_t init_tag, window;
	uint16_t out, in;
	uint32_t tsn;
} __attribute__((packed));

static inline uint32_t crc32c(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint32_t crc = ~0U;

	while (len--) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
	}
	return ~crc;
}

static inline void sctp_send(int sk, const union peer *to, uint16_t src, uint16_t dst, uint8_t type,
			     uint32_t tag)
{
	struct sctp_init p = { .src = src,
			       .dst = dst,
			       .tag = tag,
			       .type = type,
			       .len = htons(20),
			       .init_tag = htonl(0x1234),
			       .window = htonl(65536),
			       .out = htons(1),
			       .in = htons(1),
			       .tsn = htonl(1) };
	union peer whom = *to;

	if (whom.any.sa_family == AF_INET6)
		whom.v6.sin6_port = 0;
	p.checksum = htole32(crc32c(&p, sizeof(p)));
	(void)!sendto(sk, &p, sizeof(p), 0, &whom.any, peer_len(&whom));
}

/* The next SCTP chunk of a type on a raw socket, and from whom. */
static inline bool sctp_receive(int sk, uint8_t type, uint16_t port, struct sctp_init *ret,
				union peer *from, int ms)
{
	struct pollfd pfd = { .fd = sk, .events = POLLIN };
	uint8_t buf[2048];

	while (poll(&pfd, 1, ms) > 0) {
		socklen_t len = sizeof(*from);
		ssize_t n = recvfrom(sk, buf, sizeof(buf), 0, &from->any, &len);
		size_t skip = from->any.sa_family == AF_INET ? (buf[0] & 15U) * 4 : 0;

		if (n < (ssize_t)(skip + sizeof(*ret)))
			continue;
		memcpy(ret, buf + skip, sizeof(*ret));
		if (ret->type == type && ret->dst == htons(port))
			return true;
	}
	return false;
}

static inline void sctp_serve(int sk, int port)
{
	struct sctp_init p;
	union peer from;

	while (sctp_receive(sk, 1, (uint16_t)port, &p, &from, -1)) {
		/* Who asked, in the ack's place for a number: no text fits in there. */
		sctp_send(sk, &from, p.dst, p.src, 2, p.init_tag);
	}
}

/* ---- servers ---- */

static inline void serve_one(int sk, int type)
{
	char text[INET6_ADDRSTRLEN], buf[64];
	union peer from;
	socklen_t len = sizeof(from);

	if (type == SOCK_DGRAM) {
		if (recvfrom(sk, buf, sizeof(buf), 0, &from.any, &len) < 0)
			return;
		peer_text(&from, text);
		(void)!sendto(sk, text, strlen(text), 0, &from.any, len);
	} else {
		int c = accept(sk, &from.any, &len);

		if (c < 0)
			return;
		peer_text(&from, text);
		(void)!write(c, text, strlen(text));
		close(c);
	}
}

/** Serve a port of a namespace ("tcp", "udp", "sctp") until the test ends. */
static inline void serve(const char *where, const char *protocol, const char *ip, int port)
{
	int type = *protocol == 't' ? SOCK_STREAM : *protocol == 'u' ? SOCK_DGRAM : SOCK_RAW;
	union peer self = peer_of(ip, port);
	int sk = socket_in(where, self.any.sa_family, type, type == SOCK_RAW ? IPPROTO_SCTP : 0);
	int on = 1;

	(void)setsockopt(sk, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	(void)setsockopt(sk, SOL_IP, IP_FREEBIND, &on, sizeof(on));
	if (self.any.sa_family == AF_INET6)
		(void)setsockopt(sk, SOL_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (type == SOCK_RAW && self.any.sa_family == AF_INET6)
		self.v6.sin6_port = 0;
	ck_assert_msg(bind(sk, &self.any, peer_len(&self)) == 0, "bind %s: %s", ip,
		      strerror(errno));
	if (type == SOCK_STREAM)
		ck_assert_int_eq(listen(sk, 16), 0);
	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			if (type == SOCK_RAW)
				sctp_serve(sk, port);
			else
				serve_one(sk, type);
	}
	close(sk);
}

/* ---- clients ---- */

static inline bool wait_for(int sk, short events, int ms)
{
	struct pollfd pfd = { .fd = sk, .events = events };

	return poll(&pfd, 1, ms) > 0;
}

static inline const char *receive_text(int sk, int ms)
{
	char buf[128];
	ssize_t n;

	if (!wait_for(sk, POLLIN, ms))
		return "";
	n = recv(sk, buf, sizeof(buf), 0);
	return n > 0 ? fmt("%.*s", (int)n, buf) : "";
}

static inline const char *ask_sctp(const char *where, const union peer *to, int port, int ms)
{
	static uint16_t next = 40000;
	int sk = socket_in(where, to->any.sa_family, SOCK_RAW, IPPROTO_SCTP);
	struct sctp_init answer;
	union peer from;
	bool ok;

	next++;
	sctp_send(sk, to, htons(next), htons((uint16_t)port), 1, 0);
	ok = sctp_receive(sk, 2, next, &answer, &from, ms);
	close(sk);
	return ok ? "answered" : "";
}

/**
 * Ask a server from a namespace.
 * @param ms  how long to wait for an answer
 * @return the address at which the server saw the client ("answered" with SCTP); "" without an answer
 */
static inline const char *ask_within(const char *where, const char *protocol, const char *ip,
				     int port, int ms)
{
	int type = *protocol == 't' ? SOCK_STREAM : SOCK_DGRAM;
	union peer to = peer_of(ip, port);
	const char *text = "";
	int sk;

	if (*protocol == 's')
		return ask_sctp(where, &to, port, ms);
	sk = socket_in(where, to.any.sa_family, type | SOCK_NONBLOCK, 0);
	if (connect(sk, &to.any, peer_len(&to)) == 0 ||
	    (errno == EINPROGRESS && wait_for(sk, POLLOUT, ms))) {
		if (type == SOCK_DGRAM)
			(void)!send(sk, "?", 1, 0);
		text = receive_text(sk, ms);
	}
	close(sk);
	return text;
}

/** Fail the test unless the server answers, and saw the client at `seen` ("" = wherever). */
static inline void reaches(const char *where, const char *protocol, const char *ip, int port,
			   const char *seen)
{
	const char *got = ask_within(where, protocol, ip, port, ANSWER_MS);

	ck_assert_msg(*got, "%s: %s to %s port %d: no answer", where ? where : "host", protocol, ip,
		      port);
	if (*seen && *protocol != 's')
		ck_assert_msg(strcmp(got, seen) == 0, "%s: %s to %s port %d: seen as %s, not %s",
			      where ? where : "host", protocol, ip, port, got, seen);
}

/** Fail the test if there is an answer. */
static inline void reaches_not(const char *where, const char *protocol, const char *ip, int port)
{
	const char *got = ask_within(where, protocol, ip, port, SILENCE_MS);

	ck_assert_msg(!*got, "%s: %s to %s port %d: answered, seen as %s", where ? where : "host",
		      protocol, ip, port, got);
}

#endif
