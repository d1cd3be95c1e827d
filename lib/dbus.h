/*
 * The D-Bus system bus: connect, and call methods. A client of its own, because libdbus and
 * libsystemd could only be loaded while running (few hosts have a use for it), which a static
 * executable cannot do, and because what firewalld needs of the protocol is two hundred lines.
 */
#ifndef CNI_DBUS_H
#define CNI_DBUS_H

#include "dbus_message.h"
#include "error.h"

/** A connection. `{ .fd = -1 }` is closed. */
struct cni_dbus {
	int fd; /**< owned */
	uint32_t serial; /**< of the last call */
	struct cni_buf in; /**< owned; bytes that were read ahead of a message */
	uint64_t deadline; /**< of the whole connection: CLOCK_MONOTONIC, milliseconds */
};

/** What a method returned. */
struct cni_dbus_reply {
	char error[256]; /**< name of the D-Bus error; "" if the call succeeded */
	char text[1024]; /**< first argument, if it is a string; of an error: its words */
	bool truth; /**< first argument, if it is a boolean */
};

/**
 * Connect to the system bus as the user we are: DBUS_SYSTEM_BUS_ADDRESS if it is set, else
 * unix:path=/var/run/dbus/system_bus_socket.
 *
 * @param timeout_ms  for connecting and every call on this connection together
 * @param bus         closed; on failure, too
 * @return 0; -ENOENT, -ECONNREFUSED if there is no bus; -ETIMEDOUT; other negative errno
 */
int cni_dbus_open(struct cni_dbus *bus, unsigned int timeout_ms,
		  struct cni_error *err) cni_must_check;

/** Close; closing a closed one is fine. */
void cni_dbus_close(struct cni_dbus *bus);

static inline void cni_auto_dbus(struct cni_dbus *bus)
{
	cni_dbus_close(bus);
}

/**
 * Call a method and wait for its answer. What else the bus sends is passed over.
 * @return 0 if there is an answer, which may be a D-Bus error; -ETIMEDOUT; other negative errno
 */
int cni_dbus_call(struct cni_dbus *bus, const struct cni_dbus_call *call,
		  struct cni_dbus_reply *ret, struct cni_error *err) cni_must_check;

#endif
