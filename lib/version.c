/*
 * CNI specification versions; see version.h.
 */
#include "version.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const version_names[CNI_VERSIONS] = {
	"0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0",
};

static const char *const verb_names[] = { "ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION" };

const char *cni_version_name(enum cni_version v)
{
	return version_names[v];
}

enum cni_shape cni_version_shape(enum cni_version v)
{
	return v < CNI_V0_3_0	? CNI_SHAPE_IP4_IP6
	       : v < CNI_V1_0_0 ? CNI_SHAPE_LISTS
				: CNI_SHAPE_MODERN;
}

int cni_version_find(const char *text, enum cni_version *ret)
{
	if (!*text)
		text = version_names[CNI_V0_1_0];
	for (int v = 0; v < CNI_VERSIONS; v++) {
		if (strcmp(text, version_names[v]) == 0) {
			*ret = (enum cni_version)v;
			return 0;
		}
	}
	return -ENOENT;
}

const char *cni_verb_name(enum cni_verb verb)
{
	return verb_names[verb];
}

int cni_verb_find(const char *text, enum cni_verb *ret)
{
	for (size_t i = 0; i < CNI_ARRAY_SIZE(verb_names); i++) {
		if (strcmp(text, verb_names[i]) == 0) {
			*ret = (enum cni_verb)i;
			return 0;
		}
	}
	return -ENOENT;
}

/* Read "major[.minor[.micro]]" as numbers; "" is 0.1.0. */
static int parse_numbers(const char *text, long ret[static 3], struct cni_error *err)
{
	static const char *const part_names[] = { "major", "minor", "micro" };
	const char *p = *text ? text : version_names[CNI_V0_1_0];

	memset(ret, 0, 3 * sizeof(ret[0]));
	for (int i = 0;; i++) {
		size_t n = strcspn(p, ".");
		bool good = n > 0 && n < 10;

		if (i == 3)
			return cni_fail(err, CNI_E_DECODE, 0,
					"invalid version \"%s\": too many parts", text);
		for (size_t k = 0; k < n && good; k++) {
			good = isdigit((unsigned char)p[k]);
			ret[i] = ret[i] * 10 + (p[k] - '0');
		}
		if (!good)
			return cni_fail(err, CNI_E_DECODE, 0,
					"failed to convert %s version part \"%.*s\": strconv.Atoi: "
					"parsing \"%.*s\": invalid syntax",
					part_names[i], (int)n, p, (int)n, p);
		if (!p[n])
			return 0;
		p += n + 1;
	}
}

static int compare_numbers(const long a[static 3], const long b[static 3])
{
	for (int i = 0; i < 3; i++)
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	return 0;
}

/* CHECK came with 0.4.0, GC and STATUS with 1.1.0; compared as numbers, before membership. */
static int gate_verb(const char *text, enum cni_verb verb, struct cni_error *err)
{
	static const long newest[3] = { 1, 1, 0 }, check_since[3] = { 0, 4, 0 };
	const long *since = verb == CNI_CHECK ? check_since : newest;
	long v[3];
	int r;

	if (verb != CNI_CHECK && verb != CNI_GC && verb != CNI_STATUS)
		return 0;
	r = parse_numbers(text, v, err);
	if (r < 0)
		return r;
	if (compare_numbers(v, since) < 0)
		return cni_fail(err, CNI_E_VERSION, 0, "config version does not allow %s",
				cni_verb_name(verb));
	if (compare_numbers(v, newest) > 0)
		return cni_fail(err, CNI_E_VERSION, 0, "plugin version does not allow %s",
				cni_verb_name(verb));
	return 0;
}

int cni_version_allows(const char *text, enum cni_verb verb, enum cni_version oldest,
		       enum cni_version *ret, struct cni_error *err)
{
	char list[128] = "";
	enum cni_version v;
	size_t n = 0;
	int r;

	r = gate_verb(text, verb, err);
	if (r < 0)
		return r;
	if (cni_version_find(text, &v) == 0 && v >= oldest) {
		*ret = v;
		return 0;
	}
	for (int i = (int)oldest; i < CNI_VERSIONS; i++)
		n += (size_t)snprintf(list + n, sizeof(list) - n, "%s\"%s\"", n ? " " : "",
				      version_names[i]);
	r = cni_fail(err, CNI_E_VERSION, 0, "incompatible CNI versions");
	cni_error_detail(err, "config is \"%s\", plugin supports [%s]", text, list);
	return r;
}
