/*
 * D-Bus messages as bytes: method calls out, answers in. As much of the format as a client needs that
 * calls methods with strings and reads a string or a boolean (D-Bus specification, "Message
 * Protocol").
 */
#ifndef CNI_DBUS_MESSAGE_H
#define CNI_DBUS_MESSAGE_H

#include "buf.h"

/** The longest message that is read; firewalld's answers are one string. */
#define CNI_DBUS_MESSAGE_MAX 65536u
/** Bytes of a message from which its whole length can be told. */
#define CNI_DBUS_HEADER_LEN 16
/** Arguments of a call. */
#define CNI_DBUS_ARGS 2

/** A method call. Strings are borrowed, valid UTF-8. */
struct cni_dbus_call {
	const char *destination, *path, *interface, *member;
	const char *arg[CNI_DBUS_ARGS]; /**< strings; NULL ends them */
	bool no_auto_start; /**< a service that does not run stays so */
};

/** Kinds of messages (the specification's numbers). */
enum cni_dbus_type {
	CNI_DBUS_METHOD_CALL = 1,
	CNI_DBUS_METHOD_RETURN = 2,
	CNI_DBUS_ERROR = 3,
	CNI_DBUS_SIGNAL = 4,
};

/** A message that was read. Strings are borrowed from its bytes, and end in NUL. */
struct cni_dbus_message {
	unsigned int type; /**< enum cni_dbus_type, or one yet unknown: to be ignored */
	uint32_t reply_serial; /**< of the call that it answers; 0 = none */
	const char *error_name; /**< of an error; "" if there is none */
	const char *text; /**< first argument, if it is a string; else "" */
	bool truth; /**< first argument, if it is a boolean; else false */
};

/**
 * Append a method call to a buffer.
 * @param serial  number of the call on its connection, not 0
 */
void cni_dbus_put_call(struct cni_buf *b, uint32_t serial, const struct cni_dbus_call *call);

/**
 * Tell a message's length from its beginning.
 *
 * @param head  first bytes of the message
 * @param ret   bytes of the whole, CNI_DBUS_HEADER_LEN to CNI_DBUS_MESSAGE_MAX; on success only
 * @return 0; -EBADMSG if this is no message; -EMSGSIZE if it is longer than we read
 */
int cni_dbus_message_len(const uint8_t head[static CNI_DBUS_HEADER_LEN],
			 size_t *ret) cni_must_check;

/**
 * Read one message.
 *
 * @param data  the whole of it
 * @param len   what cni_dbus_message_len said
 * @param ret   on success only; lives as long as @p data
 * @return 0; -EBADMSG if it breaks the specification
 */
int cni_dbus_message_read(const uint8_t *data, size_t len,
			  struct cni_dbus_message *ret) cni_must_check;

#endif
