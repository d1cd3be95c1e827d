/*
 * resolv.conf(5) as host-local reads it; see resolv.h. Nothing is validated, as in the Go plugin
 * (reference: C6): values are passed on as they stand.
 */
#include "resolv.h"

#include <string.h>

static const char space[] = " \t\r\v\f";

static void append(json_t *dns, const char *key, const char *value)
{
	json_t *list = json_object_get(dns, key);

	if (!list) {
		list = json_array();
		json_object_set_new(dns, key, list);
	}
	json_array_append_new(list, json_string_nocheck(value));
}

static void parse_line(char *line, json_t *dns)
{
	char *rest = line, *word = strtok_r(line, space, &rest);
	char *value = word ? strtok_r(NULL, space, &rest) : NULL;

	if (!value || *word == '#' || *word == ';')
		return;
	if (strcmp(word, "nameserver") == 0)
		append(dns, "nameservers", value);
	else if (strcmp(word, "domain") == 0)
		json_object_set_new(dns, "domain", json_string_nocheck(value));
	else if (strcmp(word, "search") == 0 || strcmp(word, "options") == 0)
		for (; value; value = strtok_r(NULL, space, &rest))
			append(dns, word, value);
}

json_t *cni_resolv_parse(char *text)
{
	json_t *dns = json_object();
	char *rest = text;

	for (char *line = strsep(&rest, "\n"); dns && line; line = strsep(&rest, "\n"))
		parse_line(line, dns);
	return dns;
}
