/*
 * D-Bus messages as bytes; see dbus_message.h.
 */
#include "dbus_message.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#define PROTOCOL 1
#define NO_AUTO_START 0x2
/* The specification allows 2^26 bytes of header fields; ours end with the message. */
#define FIELDS_START CNI_DBUS_HEADER_LEN

enum field {
	FIELD_PATH = 1,
	FIELD_INTERFACE = 2,
	FIELD_MEMBER = 3,
	FIELD_ERROR_NAME = 4,
	FIELD_REPLY_SERIAL = 5,
	FIELD_DESTINATION = 6,
	FIELD_SIGNATURE = 8,
};

/* ---- out ---- */

static void pad(struct cni_buf *b, size_t start, size_t to)
{
	while (!b->failed && (b->len - start) % to)
		cni_buf_add(b, "", 1);
}

static void put_u32(struct cni_buf *b, uint32_t v)
{
	v = htole32(v);
	cni_buf_add(b, &v, sizeof(v));
}

static void put_string(struct cni_buf *b, size_t start, const char *text)
{
	pad(b, start, 4);
	put_u32(b, (uint32_t)strlen(text));
	cni_buf_add(b, text, strlen(text) + 1);
}

/* A structure of the field's number and a variant: signature, then value. */
static void put_field(struct cni_buf *b, size_t start, enum field field, const char *type,
		      const char *value)
{
	uint8_t head[4] = { (uint8_t)field, 1, (uint8_t)*type, 0 };

	pad(b, start, 8);
	cni_buf_add(b, head, sizeof(head));
	if (*type == 'g') {
		uint8_t len = (uint8_t)strlen(value);

		cni_buf_add(b, &len, 1);
		cni_buf_add(b, value, len + 1u);
	} else {
		put_string(b, start, value);
	}
}

void cni_dbus_put_call(struct cni_buf *b, uint32_t serial, const struct cni_dbus_call *call)
{
	uint8_t head[4] = { 'l', CNI_DBUS_METHOD_CALL, call->no_auto_start ? NO_AUTO_START : 0,
			    PROTOCOL };
	char signature[CNI_DBUS_ARGS + 1] = "";
	size_t start = b->len, body, n = 0;
	uint32_t len;

	for (; n < CNI_DBUS_ARGS && call->arg[n]; n++)
		signature[n] = 's';
	cni_buf_add(b, head, sizeof(head));
	put_u32(b, 0); /* length of the body and, below, of the fields: put in at the end */
	put_u32(b, serial);
	put_u32(b, 0);
	put_field(b, start, FIELD_PATH, "o", call->path);
	put_field(b, start, FIELD_INTERFACE, "s", call->interface);
	put_field(b, start, FIELD_MEMBER, "s", call->member);
	put_field(b, start, FIELD_DESTINATION, "s", call->destination);
	if (n > 0)
		put_field(b, start, FIELD_SIGNATURE, "g", signature);
	if (b->failed)
		return;
	len = htole32((uint32_t)(b->len - start - FIELDS_START));
	memcpy(b->data + start + 12, &len, sizeof(len));
	pad(b, start, 8);
	body = b->len;
	for (size_t i = 0; i < n; i++)
		put_string(b, body, call->arg[i]);
	if (b->failed)
		return;
	len = htole32((uint32_t)(b->len - body));
	memcpy(b->data + start + 4, &len, sizeof(len));
}

/* ---- in ---- */

/* What is left to read of a message; a read that does not fit sets `bad`, and gives zeros. */
struct reader {
	const uint8_t *data;
	size_t at, end; /* counted from the start of the message, as its alignment is */
	bool big_endian, bad;
};

static const uint8_t *take(struct reader *r, size_t align, size_t n)
{
	size_t at = (r->at + align - 1) / align * align;

	if (r->bad || at > r->end || n > r->end - at) {
		r->bad = true;
		return NULL;
	}
	r->at = at + n;
	return r->data + at;
}

static uint32_t take_u32(struct reader *r)
{
	const uint8_t *p = take(r, 4, 4);
	uint32_t v = 0;

	if (p)
		memcpy(&v, p, sizeof(v));
	return r->big_endian ? be32toh(v) : le32toh(v);
}

/* `len` bytes and a NUL, which there must not be another of. */
static const char *take_text(struct reader *r, size_t len)
{
	const char *p = (const char *)take(r, 1, len + 1);

	if (p && strnlen(p, len + 1) == len)
		return p;
	r->bad = true;
	return "";
}

static const char *take_string(struct reader *r)
{
	return take_text(r, take_u32(r));
}

static const char *take_signature(struct reader *r)
{
	const uint8_t *len = take(r, 1, 1);

	return len ? take_text(r, *len) : "";
}

/* One header field. Those that matter are kept; of the others only where they end. */
static void take_field(struct reader *r, struct cni_dbus_message *m, const char **signature)
{
	const uint8_t *number = take(r, 8, 1);
	const char *type = take_signature(r), *text = "";
	uint32_t value = 0;

	if (strcmp(type, "s") == 0 || strcmp(type, "o") == 0)
		text = take_string(r);
	else if (strcmp(type, "g") == 0)
		text = take_signature(r);
	else if (strcmp(type, "u") == 0)
		value = take_u32(r);
	else
		r->bad = true; /* none of the specification's fields */
	if (r->bad)
		return;
	if (*number == FIELD_ERROR_NAME)
		m->error_name = text;
	else if (*number == FIELD_REPLY_SERIAL)
		m->reply_serial = value;
	else if (*number == FIELD_SIGNATURE)
		*signature = text;
}

/* Lengths of the fields and of the body. */
static bool read_lengths(const uint8_t *head, uint32_t *fields, uint32_t *body)
{
	struct reader r = { .data = head, .at = 4, .end = CNI_DBUS_HEADER_LEN };

	r.big_endian = head[0] == 'B';
	*body = take_u32(&r);
	r.at = 12;
	*fields = take_u32(&r);
	return (head[0] == 'l' || head[0] == 'B') && head[3] == PROTOCOL;
}

int cni_dbus_message_len(const uint8_t head[static CNI_DBUS_HEADER_LEN], size_t *ret)
{
	uint32_t fields, body;

	if (!read_lengths(head, &fields, &body))
		return -EBADMSG;
	if (fields > CNI_DBUS_MESSAGE_MAX / 2 || body > CNI_DBUS_MESSAGE_MAX / 4)
		return -EMSGSIZE;
	*ret = FIELDS_START + ((size_t)fields + 7) / 8 * 8 + body;
	return 0;
}

int cni_dbus_message_read(const uint8_t *data, size_t len, struct cni_dbus_message *ret)
{
	struct cni_dbus_message m = { .error_name = "", .text = "" };
	struct reader r = { .data = data, .at = FIELDS_START };
	const char *signature = "";
	uint32_t fields, body;
	size_t whole;

	if (len < CNI_DBUS_HEADER_LEN || cni_dbus_message_len(data, &whole) < 0 || whole != len ||
	    !read_lengths(data, &fields, &body))
		return -EBADMSG;
	r.big_endian = data[0] == 'B';
	r.end = FIELDS_START + fields;
	while (r.at < r.end && !r.bad)
		take_field(&r, &m, &signature);
	r.at = len - body;
	r.end = len;
	m.type = data[1];
	if (*signature == 's')
		m.text = take_string(&r);
	else if (*signature == 'b')
		m.truth = take_u32(&r) != 0;
	if (r.bad)
		return -EBADMSG;
	*ret = m;
	return 0;
}
