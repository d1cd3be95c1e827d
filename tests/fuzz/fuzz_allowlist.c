/*
 * Fuzz: a list of allowed parameters, and a parameter in front of it. What a list permits it permits also
 * with a good line more, and nothing with a bad one.
 */
#include "allowlist.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define KEY_MAX 128

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
	size_t key_len = end ? (size_t)(end - data) : 0, len = end ? size - key_len - 1 : size;
	cni_auto(free) char *text = malloc(len + 3);
	char key[KEY_MAX + 1] = "";
	struct cni_error err = { 0 };
	int r;

	if (key_len > KEY_MAX || memchr(data, '\0', key_len))
		return 0;
	memcpy(key, data, key_len);
	memcpy(text, data + size - len, len);
	memcpy(text + len, "\nx", 3);
	r = cni_allowlist_check(text, len, key, &err);
	assert(r == 0 || r == -EPERM || r == -EINVAL);
	assert((r == 0) == !err.set);
	if (r != -EPERM)
		assert(cni_allowlist_check(text, len + 2, key, NULL) == r);
	text[len + 1] = '(';
	assert(cni_allowlist_check(text, len + 2, key, NULL) == -EINVAL);
	return 0;
}
