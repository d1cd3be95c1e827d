/*
 * Fuzz: bytes from a bus, cut into messages and read as an answer.
 */
#include "dbus_message.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cni_dbus_message m;
	size_t len;

	while (size >= CNI_DBUS_HEADER_LEN && cni_dbus_message_len(data, &len) == 0) {
		assert(len >= CNI_DBUS_HEADER_LEN && len <= CNI_DBUS_MESSAGE_MAX);
		if (len > size)
			return 0;
		if (cni_dbus_message_read(data, len, &m) == 0)
			assert(strlen(m.error_name) < len && strlen(m.text) < len);
		data += len;
		size -= len;
	}
	return 0;
}
