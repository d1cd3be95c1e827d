/*
 * Fuzz: any bytes through the JSON parser; what it takes is in normal form, and what is printed of it
 * is taken again and prints the same.
 */
#include "json.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* No member is null: the rest of the code relies on it. */
static void check_normal(const json_t *value)
{
	const char *key;
	json_t *member;
	size_t i;

	json_object_foreach ((json_t *)value, key, member) {
		assert(!json_is_null(member));
		check_normal(member);
	}
	json_array_foreach (value, i, member)
		check_normal(member);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cni_auto(buf) struct cni_buf first = { 0 }, second = { 0 }, indented = { 0 };
	char why[JSON_ERROR_TEXT_LENGTH] = "";
	cni_auto(json) json_t *doc = cni_json_parse((const char *)data, size, why);
	cni_auto(json) json_t *again = NULL;

	if (!doc) {
		assert(why[0]);
		return 0;
	}
	check_normal(doc);
	cni_json_print(doc, true, &first);
	again = cni_json_parse(first.data, first.len, why);
	assert(again);
	cni_json_print(again, true, &second);
	assert(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
	cni_json_print(doc, false, &indented);
	assert(indented.len >= first.len);
	return 0;
}
