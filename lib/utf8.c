/*
 * UTF-8; see utf8.h.
 */
#include "utf8.h"

size_t cni_utf8_length(const char *p, size_t left)
{
	const uint8_t *b = (const uint8_t *)p;
	size_t n = b[0] < 0x80 ? 1 : b[0] < 0xc2 ? 0 : b[0] < 0xe0 ? 2 : b[0] < 0xf0 ? 3 : 4;

	if (n == 0 || b[0] > 0xf4 || n > left)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((b[i] & 0xc0) != 0x80)
			return 0;
	/* Longer than need be, half a surrogate pair, beyond Unicode (RFC 3629, section 4). */
	if ((b[0] == 0xe0 && b[1] < 0xa0) || (b[0] == 0xed && b[1] > 0x9f) ||
	    (b[0] == 0xf0 && b[1] < 0x90) || (b[0] == 0xf4 && b[1] > 0x8f))
		return 0;
	return n;
}
