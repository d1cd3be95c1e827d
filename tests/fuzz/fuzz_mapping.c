/*
 * Fuzz: the lists that portmap is given: {"portMappings": [...], "conditionsV4": [...], "conditionsV6":
 * [...]}.
 */
#include "mapping.h"

#include <assert.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_list(const struct cni_mapping_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct cni_mapping *m = &list->item[i];

		assert(m->host_port && m->container_port);
		assert(strcmp(cni_mapping_protocol(m->protocol), "?") != 0);
		assert(cni_mapping_applies(m, AF_INET) || cni_mapping_applies(m, AF_INET6));
		assert(m->host_ip.family != AF_UNSPEC || cni_mapping_is_any(m));
	}
}

/* Whoever is strict and content has read what the lenient one reads. */
static void check_mappings(json_t *array)
{
	cni_auto(mappings) struct cni_mapping_list strict = { 0 }, lenient = { 0 };
	struct cni_error err = { 0 };
	int r = cni_mapping_read(array, false, &strict, &err);

	assert(cni_mapping_read(array, true, &lenient, NULL) == 0);
	assert(r == 0 ? strict.n == lenient.n : (err.set && err.msg[0]));
	assert(lenient.n <= json_array_size(array));
	check_list(&strict);
	check_list(&lenient);
}

static void check_condition(const json_t *list, sa_family_t family)
{
	struct cni_condition c = { 0 };
	struct cni_error err = { 0 };

	(void)cni_condition_syntax(list);
	if (cni_condition_read(list, family, "conditions", &c, &err) < 0) {
		assert(err.set && err.msg[0]);
		return;
	}
	assert(strnlen(c.in, sizeof(c.in)) < sizeof(c.in));
	assert(c.source.ip.family == AF_UNSPEC || c.source.ip.family == family);
	assert(c.destination.ip.family == AF_UNSPEC || c.destination.ip.family == family);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cni_auto(json)
		json_t *conf = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
	json_t *list;

	list = json_object_get(conf, "portMappings");
	if (json_is_array(list))
		check_mappings(list);
	for (int v6 = 0; v6 < 2; v6++) {
		json_t *words = json_object_get(conf, v6 ? "conditionsV6" : "conditionsV4");
		const json_t *one;
		size_t i;

		json_array_foreach (words, i, one)
			if (!json_is_string(one))
				return 0; /* refused before: a list of strings */
		if (json_is_array(words))
			check_condition(words, v6 ? AF_INET6 : AF_INET);
	}
	return 0;
}
