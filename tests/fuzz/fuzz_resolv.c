/*
 * Fuzz: a resolv.conf; what comes of it is a "dns" that a result takes and prints.
 */
#include "resolv.h"
#include "result.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cni_auto(free) char *text = malloc(size + 1);
	cni_auto(result) struct cni_result res = { 0 };
	cni_auto(json) json_t *dns = NULL, *obj = NULL, *again = NULL;
	cni_auto(buf) struct cni_buf printed = { 0 };
	char why[JSON_ERROR_TEXT_LENGTH];

	memcpy(text, data, size);
	text[size] = '\0';
	dns = cni_resolv_parse(text);
	assert(dns);
	assert(cni_result_set_dns(&res, dns, NULL) == 0);
	assert(cni_result_to_json(&res, CNI_VERSION_NEWEST, &obj, NULL) == 0);
	cni_json_print(obj, false, &printed);
	again = cni_json_parse(printed.data, printed.len, why);
	assert(again);
	return 0;
}
