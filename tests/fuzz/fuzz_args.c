/*
 * Fuzz: CNI_ARGS. A value that is found lies inside the text; a failure says what is wrong.
 */
#include "conf.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cni_env_arg known[] = { { .key = "IP" }, { .key = "MAC" }, { .key = NULL } };
	cni_auto(free) char *text = malloc(size + 1);
	struct cni_error err = { 0 };

	memcpy(text, data, size);
	text[size] = '\0';
	if (cni_env_args_read(text, known, &err) < 0) {
		assert(err.set && err.code == CNI_E_ENV && err.msg[0]);
		return 0;
	}
	assert(!err.set);
	for (struct cni_env_arg *arg = known; arg->key; arg++) {
		size_t key_len = strlen(arg->key);

		if (!arg->value)
			continue;
		assert(arg->value > text + key_len && arg->value + arg->len <= text + strlen(text));
		assert(memcmp(arg->value - key_len - 1, arg->key, key_len) == 0);
		assert(arg->value[-1] == '=');
		assert(!memchr(arg->value, ';', arg->len) && !memchr(arg->value, '=', arg->len));
	}
	return 0;
}
