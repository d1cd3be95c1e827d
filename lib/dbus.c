/*
 * The D-Bus system bus; see dbus.h. D-Bus specification: "Server Addresses", "Authentication
 * Protocol", "Message Bus Messages".
 */
#include "dbus.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>

#define DEFAULT_ADDRESS "unix:path=/var/run/dbus/system_bus_socket"
/* The line that ends authentication is a word and a number of 32 digits. */
#define LINE_MAX_LEN 256

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* ---- bytes ---- */

static int wait_for(const struct cni_dbus *bus, short events)
{
	struct pollfd pfd = { .fd = bus->fd, .events = events };

	for (;;) {
		uint64_t now = now_ms();
		int n;

		if (now >= bus->deadline)
			return -ETIMEDOUT;
		n = poll(&pfd, 1, (int)(bus->deadline - now));
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

static int send_all(struct cni_dbus *bus, const struct cni_buf *b)
{
	size_t done = 0;

	if (b->failed)
		return -ENOMEM;
	while (done < b->len) {
		ssize_t n =
			send(bus->fd, b->data + done, b->len - done, MSG_NOSIGNAL | MSG_DONTWAIT);
		int r;

		if (n >= 0) {
			done += (size_t)n;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		r = wait_for(bus, POLLOUT);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Read on. @return 0 if there is more in bus->in than before */
static int receive(struct cni_dbus *bus)
{
	for (;;) {
		ssize_t n;
		int r;

		r = wait_for(bus, POLLIN);
		if (r < 0)
			return r;
		if (cni_buf_reserve(&bus->in, 4096) < 0)
			return -ENOMEM;
		n = recv(bus->fd, bus->in.data + bus->in.len, bus->in.size - bus->in.len - 1,
			 MSG_DONTWAIT);
		if (n > 0) {
			bus->in.len += (size_t)n;
			bus->in.data[bus->in.len] = '\0';
			return 0;
		}
		if (n == 0)
			return -ECONNRESET;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
	}
}

static void consume(struct cni_dbus *bus, size_t n)
{
	bus->in.len -= n;
	memmove(bus->in.data, bus->in.data + n, bus->in.len + 1);
}

/* ---- connecting ---- */

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, tolower((unsigned char)c)) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* The value of one key of an address, unescaped. @return its length; 0 if absent or too long */
static size_t address_value(const char *address, size_t len, const char *key, char *ret,
			    size_t size)
{
	const char *end = address + len, *p = memchr(address, ':', len);
	size_t n = 0;

	while (p && strncmp(p + 1, key, strlen(key)) != 0)
		p = memchr(p + 1, ',', (size_t)(end - p - 1));
	if (!p)
		return 0;
	for (p += 1 + strlen(key); p < end && *p != ','; p++) {
		int high = *p == '%' && end - p > 2 ? hex_digit(p[1]) : -1;
		int low = high >= 0 ? hex_digit(p[2]) : -1;

		if (n + 1 >= size)
			return 0;
		ret[n] = *p;
		if (low >= 0) {
			ret[n] = (char)(uint8_t)(high * 16 + low);
			p += 2;
		}
		n++;
	}
	return n;
}

/* Connect to one address of a list: unix:path=... or unix:abstract=... */
static int connect_to(struct cni_dbus *bus, const char *address, size_t len)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct timeval limit;
	bool abstract = false;
	uint64_t now, left;
	size_t n;
	int r;

	if (len < 5 || strncmp(address, "unix:", 5) != 0)
		return -EPROTONOSUPPORT;
	n = address_value(address, len, "path=", sun.sun_path, sizeof(sun.sun_path));
	if (n == 0) {
		abstract = true;
		n = address_value(address, len, "abstract=", sun.sun_path + 1,
				  sizeof(sun.sun_path) - 1);
	}
	if (n == 0)
		return -EINVAL;
	now = now_ms();
	if (now >= bus->deadline)
		return -ETIMEDOUT;
	bus->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bus->fd < 0)
		return -errno;
	/* A busy bus lets us queue for as long as we may send (unix(7)). */
	left = bus->deadline - now;
	limit = (struct timeval){ (time_t)(left / 1000), (suseconds_t)(left % 1000 * 1000) };
	(void)setsockopt(bus->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	n += offsetof(struct sockaddr_un, sun_path) + abstract;
	r = connect(bus->fd, (const struct sockaddr *)&sun, (socklen_t)n) < 0 ? -errno : 0;
	if (r == -EAGAIN)
		r = -ETIMEDOUT;
	if (r < 0) {
		(void)close(bus->fd);
		bus->fd = -1;
	}
	return r;
}

/* EXTERNAL: the bus asks the kernel who is at the other end, and compares. */
static int authenticate(struct cni_dbus *bus)
{
	cni_auto(buf) struct cni_buf out = { 0 };
	char uid[16], *eol;
	int r;

	snprintf(uid, sizeof(uid), "%u", (unsigned int)geteuid());
	cni_buf_add(&out, "", 1);
	cni_buf_printf(&out, "AUTH EXTERNAL ");
	for (const char *p = uid; *p; p++)
		cni_buf_printf(&out, "%02x", (unsigned int)*p);
	cni_buf_printf(&out, "\r\n");
	r = send_all(bus, &out);
	while (r == 0 && !(bus->in.data && strchr(bus->in.data, '\n')))
		r = bus->in.len > LINE_MAX_LEN ? -EBADMSG : receive(bus);
	if (r < 0)
		return r;
	if (strncmp(bus->in.data, "OK ", 3) != 0)
		return -EACCES;
	eol = strchr(bus->in.data, '\n');
	consume(bus, (size_t)(eol + 1 - bus->in.data));
	out.len = 0;
	cni_buf_printf(&out, "BEGIN\r\n");
	return send_all(bus, &out);
}

static int hello(struct cni_dbus *bus, struct cni_error *err)
{
	static const struct cni_dbus_call call = {
		.destination = "org.freedesktop.DBus",
		.path = "/org/freedesktop/DBus",
		.interface = "org.freedesktop.DBus",
		.member = "Hello",
	};
	struct cni_dbus_reply reply;
	int r;

	r = cni_dbus_call(bus, &call, &reply, err);
	if (r == 0 && *reply.error) {
		cni_fail(err, CNI_E_INTERNAL, 0, "D-Bus system bus: %s", reply.text);
		r = -EACCES;
	}
	return r;
}

int cni_dbus_open(struct cni_dbus *bus, unsigned int timeout_ms, struct cni_error *err)
{
	const char *list = getenv("DBUS_SYSTEM_BUS_ADDRESS"), *one;
	size_t len;
	int r = -EINVAL;

	list = list && *list ? list : DEFAULT_ADDRESS;
	*bus = (struct cni_dbus){ .fd = -1, .deadline = now_ms() + timeout_ms };
	for (one = list; *one && bus->fd < 0; one += len + (one[len] == ';')) {
		len = strcspn(one, ";");
		r = connect_to(bus, one, len);
	}
	if (r == 0)
		r = authenticate(bus);
	if (r < 0)
		cni_fail(err, CNI_E_INTERNAL, -r, "connect to the D-Bus system bus %s", list);
	else
		r = hello(bus, err);
	if (r < 0)
		cni_dbus_close(bus);
	return r;
}

void cni_dbus_close(struct cni_dbus *bus)
{
	cni_auto_fd(&bus->fd);
	cni_buf_done(&bus->in);
	*bus = (struct cni_dbus){ .fd = -1 };
}

/* ---- calling ---- */

/* The next message, at the front of bus->in. @param len  its bytes, to be consumed */
static int next_message(struct cni_dbus *bus, struct cni_dbus_message *ret, size_t *len)
{
	for (;;) {
		const uint8_t *data = (const uint8_t *)bus->in.data;
		int r;

		if (bus->in.len >= CNI_DBUS_HEADER_LEN) {
			r = cni_dbus_message_len(data, len);
			if (r < 0)
				return r;
			if (bus->in.len >= *len)
				return cni_dbus_message_read(data, *len, ret);
		}
		r = receive(bus);
		if (r < 0)
			return r;
	}
}

int cni_dbus_call(struct cni_dbus *bus, const struct cni_dbus_call *call,
		  struct cni_dbus_reply *ret, struct cni_error *err)
{
	cni_auto(buf) struct cni_buf out = { 0 };
	struct cni_dbus_message m;
	bool answered = false;
	size_t len;
	int r;

	*ret = (struct cni_dbus_reply){ 0 };
	cni_dbus_put_call(&out, ++bus->serial, call);
	r = send_all(bus, &out);
	while (r == 0 && !answered) {
		r = next_message(bus, &m, &len);
		if (r < 0)
			break;
		answered = m.reply_serial == bus->serial &&
			   (m.type == CNI_DBUS_METHOD_RETURN || m.type == CNI_DBUS_ERROR);
		if (answered) {
			if (m.type == CNI_DBUS_ERROR)
				snprintf(ret->error, sizeof(ret->error), "%s",
					 *m.error_name ? m.error_name : "unnamed");
			snprintf(ret->text, sizeof(ret->text), "%s", m.text);
			ret->truth = m.truth;
		}
		consume(bus, len);
	}
	return r < 0 ? cni_fail(err, CNI_E_INTERNAL, -r, "D-Bus call %s.%s", call->interface,
				call->member)
		     : 0;
}
