/*
 * JSON as the Go plugins read and print it; see json.h.
 */
#include "json.h"
#include "utf8.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/*
 * Keys of CNI configurations and results, in their documented spelling. Sorted without regard to
 * case (a test checks): a key of the input that equals one of these but for case becomes it.
 */
static const char *const known_keys[] = {
	"acceptPublishedPorts",
	"acceptRA",
	"address",
	"addresses",
	"advmss",
	"allmulti",
	"allowPortConflicts",
	"args",
	"backend",
	"bandwidth",
	"bcqueuelen",
	"bridge",
	"capabilities",
	"cni",
	"cni.dev/attachments",
	"cni.dev/valid-attachments",
	"cniVersion",
	"code",
	"conditionsV4",
	"conditionsV6",
	"containerID",
	"containerPort",
	"dataDir",
	"details",
	"disableContainerInterface",
	"dns",
	"domain",
	"dst",
	"egressBurst",
	"egressRate",
	"enabledad",
	"externalSetMarkChain",
	"firewalldZone",
	"forceAddress",
	"gateway",
	"gw",
	"hairpinMode",
	"hostIP",
	"hostPort",
	"id",
	"ifname",
	"ingressBurst",
	"ingressPolicy",
	"ingressRate",
	"interface",
	"interfaces",
	"ip",
	"ip4",
	"ip6",
	"ipam",
	"ipMasq",
	"ipMasqBackend",
	"ipMasqRandomFully",
	"ipRanges",
	"ips",
	"iptablesAdminChainName",
	"isDefaultGateway",
	"isGateway",
	"linkInContainer",
	"mac",
	"macspoofchk",
	"markMasqBit",
	"masqAll",
	"master",
	"maxID",
	"minID",
	"mode",
	"msg",
	"mtu",
	"name",
	"nameservers",
	"options",
	"pciID",
	"portIsolation",
	"portMappings",
	"preserveDefaultVlan",
	"prevResult",
	"priority",
	"promisc",
	"promiscMode",
	"protocol",
	"rangeEnd",
	"ranges",
	"rangeStart",
	"reclaimAfterReboot",
	"resolvConf",
	"routes",
	"runtimeConfig",
	"sandbox",
	"scope",
	"search",
	"snat",
	"socketPath",
	"subnet",
	"sysctl",
	"table",
	"txQLen",
	"type",
	"version",
	"vlan",
	"vlanId",
	"vlanTrunk",
};

static int compare_key(const void *key, const void *entry)
{
	return strcasecmp(key, *(const char *const *)entry);
}

static const char *canonical_key(const char *key)
{
	const char *const *found = bsearch(key, known_keys, CNI_ARRAY_SIZE(known_keys),
					   sizeof(known_keys[0]), compare_key);

	return found ? *found : key;
}

/* ---- memory ---- */

static bool lacked_memory;

static void *allocate(size_t size)
{
	void *p = malloc(size);

	lacked_memory |= !p;
	return p;
}

void cni_json_watch_memory(void)
{
	json_set_alloc_funcs(allocate, free);
}

bool cni_json_lacked_memory(void)
{
	return lacked_memory;
}

/* ---- text in: what jansson would refuse or lose ---- */

/* The value of the escape \uXXXX at `p`, or -1. */
static long unicode_escape(const char *p, size_t left)
{
	long v = 0;

	if (left < 6 || p[0] != '\\' || p[1] != 'u')
		return -1;
	for (int i = 2; i < 6; i++) {
		static const char digits[] = "0123456789abcdef";
		const char *d = p[i] ? strchr(digits, tolower((unsigned char)p[i])) : NULL;

		if (!d)
			return -1;
		v = v << 4 | (d - digits);
	}
	return v;
}

static bool is_high_surrogate(long v)
{
	return v >= 0xd800 && v < 0xdc00;
}

static bool is_low_surrogate(long v)
{
	return v >= 0xdc00 && v < 0xe000;
}

/* Copy the string token at `p` (its opening quote) with U+FFFD for what is no Unicode. */
static size_t copy_string(const char *p, size_t left, struct cni_buf *out)
{
	size_t i = 1;

	cni_buf_add(out, "\"", 1);
	while (i < left && p[i] != '"') {
		long v = unicode_escape(p + i, left - i);
		size_t n = v >= 0 ? 6 : p[i] == '\\' ? 2 : cni_utf8_length(p + i, left - i);

		if (is_high_surrogate(v) &&
		    is_low_surrogate(unicode_escape(p + i + 6, left - i - 6)))
			n = 12;
		else if (is_high_surrogate(v) || is_low_surrogate(v))
			v = -2;
		if (v == -2 || n == 0)
			cni_buf_add(out, "\xef\xbf\xbd", 3);
		else
			cni_buf_add(out, p + i, n <= left - i ? n : left - i);
		i += n ? n : 1;
	}
	if (i >= left)
		return left;
	cni_buf_add(out, "\"", 1);
	return i + 1;
}

/*
 * Copy the number token at `p`. One that no C type holds becomes a large real: Go minds such a
 * number only where a key that it knows has it, and there an integer is wanted.
 */
static size_t copy_number(const char *p, size_t left, struct cni_buf *out)
{
	char token[512];
	size_t n = 0;

	while (n < left && n < sizeof(token) - 1 && p[n] && strchr("+-.0123456789eE", p[n]))
		n++;
	memcpy(token, p, n);
	token[n] = '\0';
	errno = 0;
	if (strpbrk(token, ".eE") ? isinf(strtod(token, NULL)) : (strtoll(token, NULL, 10), errno))
		cni_buf_add(out, "1e300", 5);
	else
		cni_buf_add(out, p, n);
	return n;
}

/* Every key gets a number of this form, so that jansson keeps repeated ones apart. */
#define KEY_NUMBER "%08u:"
#define KEY_NUMBER_LEN 9

/*
 * The slow path, for documents that jansson does not take as they are: replace what is no Unicode
 * and number the keys. It need not understand broken documents: jansson reads the outcome.
 */
static void rewrite(const char *text, size_t len, struct cni_buf *out)
{
	unsigned int number = 0;
	size_t i = 0;

	while (i < len) {
		size_t at = out->len, next;

		if (text[i] == '-' || (text[i] >= '0' && text[i] <= '9')) {
			i += copy_number(text + i, len - i, out);
			continue;
		}
		if (text[i] != '"') {
			cni_buf_add(out, text + i++, 1);
			continue;
		}
		i += copy_string(text + i, len - i, out);
		for (next = i; next < len && strchr(" \t\r\n", text[next]) && text[next]; next++)
			;
		if (next < len && text[next] == ':') {
			char prefix[KEY_NUMBER_LEN + 8];

			snprintf(prefix, sizeof(prefix), KEY_NUMBER, number++ % 100000000);
			if (cni_buf_reserve(out, KEY_NUMBER_LEN) < 0)
				return;
			memmove(out->data + at + 1 + KEY_NUMBER_LEN, out->data + at + 1,
				out->len - at);
			memcpy(out->data + at + 1, prefix, KEY_NUMBER_LEN);
			out->len += KEY_NUMBER_LEN;
		}
	}
}

/*
 * A copy with canonical keys, no null members, and repeated keys resolved as Go does.
 * Keys carry a number of `skip` characters. Keys below "sysctl" are names, not ours to respell.
 */
static json_t *normalise(const json_t *in, size_t skip, bool names)
{
	json_t *out, *value;
	const char *key;
	size_t i;

	if (json_is_array(in)) {
		out = json_array();
		json_array_foreach (in, i, value)
			if (json_array_append_new(out, normalise(value, skip, names)) < 0)
				goto fail;
		return out;
	}
	if (!json_is_object(in))
		return json_incref((json_t *)in);
	out = json_object();
	json_object_foreach ((json_t *)in, key, value) {
		const char *name = names ? key + skip : canonical_key(key + skip);
		json_t *old = json_object_get(out, name), *copy;

		if (json_is_null(value))
			continue;
		copy = normalise(value, skip, names || strcmp(name, "sysctl") == 0);
		if (json_is_object(old) && json_is_object(copy)) {
			int r = json_object_update_recursive(old, copy);

			json_decref(copy);
			if (r < 0)
				goto fail;
		} else if (json_object_set_new(out, name, copy) < 0) {
			goto fail;
		}
	}
	return out;
fail:
	json_decref(out);
	return NULL;
}

json_t *cni_json_parse(const char *text, size_t len, char why[static JSON_ERROR_TEXT_LENGTH])
{
	cni_auto(json) json_t *doc = NULL;
	json_error_t first, second;
	size_t skip = 0;
	json_t *out;

	doc = json_loadb(text, len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &first);
	if (!doc) {
		cni_auto(buf) struct cni_buf buf = { 0 };

		rewrite(text, len, &buf);
		if (buf.failed) {
			snprintf(why, JSON_ERROR_TEXT_LENGTH, "out of memory");
			return NULL;
		}
		skip = KEY_NUMBER_LEN;
		doc = json_loadb(cni_buf_text(&buf), buf.len, JSON_DECODE_ANY, &second);
	}
	if (!doc && !lacked_memory) {
		bool repeated = json_error_code(&first) == json_error_duplicate_key;
		const json_error_t *e = repeated ? &second : &first;

		if (len == 0)
			snprintf(why, JSON_ERROR_TEXT_LENGTH, "unexpected end of JSON input");
		else
			snprintf(why, JSON_ERROR_TEXT_LENGTH, "line %d column %d: %.120s", e->line,
				 e->column, e->text);
		return NULL;
	}
	out = normalise(doc, skip, false);
	if (out && !lacked_memory)
		return out;
	snprintf(why, JSON_ERROR_TEXT_LENGTH, "out of memory");
	json_decref(out);
	return NULL;
}

bool cni_json_repeats(const char *text, size_t len, const char *object)
{
	cni_auto(json) json_t *doc = NULL, *seen = json_object();
	cni_auto(buf) struct cni_buf buf = { 0 };
	const char *key, *name;
	json_t *member, *value;

	rewrite(text, len, &buf);
	if (!buf.failed && buf.data)
		doc = json_loadb(buf.data, buf.len, 0, NULL);
	json_object_foreach (doc, key, member) {
		if (strcmp(canonical_key(key + KEY_NUMBER_LEN), object) != 0)
			continue;
		json_object_foreach (member, name, value) {
			if (json_object_get(seen, name + KEY_NUMBER_LEN))
				return true;
			json_object_set_new(seen, name + KEY_NUMBER_LEN, json_true());
		}
	}
	return false;
}

/* ---- reading ---- */

static const char *kind_name(enum cni_json_kind kind)
{
	switch (kind) {
	case CNI_JSON_STRING:
		return "a string";
	case CNI_JSON_BOOL:
		return "true or false";
	case CNI_JSON_INT:
		return "an integer";
	case CNI_JSON_INT_OR_AUTO:
		return "an integer or \"auto\"";
	case CNI_JSON_OBJECT:
		return "an object";
	case CNI_JSON_ARRAY:
		return "a list";
	case CNI_JSON_STRINGS:
		return "a list of strings";
	}
	return "";
}

static bool all_strings(const json_t *array)
{
	json_t *value;
	size_t i;

	json_array_foreach (array, i, value)
		if (!json_is_string(value))
			return false;
	return json_is_array(array);
}

static bool is_auto(const json_t *value)
{
	return json_is_string(value) && strcmp(json_string_value(value), "auto") == 0;
}

static bool read_field(json_t *value, const struct cni_json_field *f, void *to)
{
	switch (f->kind) {
	case CNI_JSON_STRING:
		if (json_is_string(value))
			*(const char **)to = json_string_value(value);
		return json_is_string(value);
	case CNI_JSON_BOOL:
		if (json_is_boolean(value))
			*(bool *)to = json_is_true(value);
		return json_is_boolean(value);
	case CNI_JSON_INT:
		if (json_is_integer(value))
			*(json_int_t *)to = json_integer_value(value);
		return json_is_integer(value);
	case CNI_JSON_INT_OR_AUTO:
		if (is_auto(value))
			*(json_int_t *)to = CNI_JSON_AUTO;
		else if (json_is_integer(value) && json_integer_value(value) != CNI_JSON_AUTO)
			*(json_int_t *)to = json_integer_value(value);
		else
			return false;
		return true;
	case CNI_JSON_OBJECT:
		if (json_is_object(value))
			*(json_t **)to = value;
		return json_is_object(value);
	case CNI_JSON_ARRAY:
		if (json_is_array(value))
			*(json_t **)to = value;
		return json_is_array(value);
	case CNI_JSON_STRINGS:
		if (all_strings(value))
			*(json_t **)to = value;
		return all_strings(value);
	}
	return false;
}

int cni_json_read(json_t *obj, const char *where, const struct cni_json_field *fields, size_t n,
		  void *ret, struct cni_error *err)
{
	for (size_t i = 0; i < n; i++) {
		json_t *value = json_object_get(obj, fields[i].key);
		cni_auto(buf) struct cni_buf text = { 0 };

		if (!value || read_field(value, &fields[i], (char *)ret + fields[i].offset))
			continue;
		cni_json_print(value, true, &text);
		return cni_invalid(err, "%s%s: expected %s, got %.100s", where, fields[i].key,
				   kind_name(fields[i].kind), text.data ? text.data : "?");
	}
	return 0;
}

/* ---- printing ---- */

void cni_json_print_string(const char *value, size_t len, struct cni_buf *ret)
{
	static const char short_from[] = "\"\\\b\f\n\r\t", short_to[] = "\"\\bfnrt";

	cni_buf_add(ret, "\"", 1);
	for (size_t i = 0, n; i < len; i += n ? n : 1) {
		unsigned char c = (unsigned char)value[i];
		const char *s = c ? strchr(short_from, c) : NULL;

		n = cni_utf8_length(value + i, len - i);
		if (s)
			cni_buf_printf(ret, "\\%c", short_to[s - short_from]);
		else if (c < 0x20 || c == '<' || c == '>' || c == '&')
			cni_buf_printf(ret, "\\u%04x", c);
		else if (n == 3 && (memcmp(value + i, "\xe2\x80\xa8", 3) == 0 ||
				    memcmp(value + i, "\xe2\x80\xa9", 3) == 0))
			cni_buf_printf(ret, "\\u%04x", 0x2000 + (value[i + 2] & 0x3f)); /* U+2028 */
		else if (n == 0)
			cni_buf_printf(ret, "\\ufffd");
		else
			cni_buf_add(ret, value + i, n);
	}
	cni_buf_add(ret, "\"", 1);
}

static void new_line(bool compact, int depth, struct cni_buf *ret)
{
	if (!compact)
		cni_buf_printf(ret, "\n%*s", depth * 4, "");
}

static void print_value(const json_t *value, bool compact, int depth, struct cni_buf *ret);

static void print_object(const json_t *value, bool compact, int depth, struct cni_buf *ret)
{
	const char *key, *sep = "";
	json_t *member;

	cni_buf_add(ret, "{", 1);
	json_object_foreach ((json_t *)value, key, member) {
		cni_buf_printf(ret, "%s", sep);
		new_line(compact, depth + 1, ret);
		cni_json_print_string(key, strlen(key), ret);
		cni_buf_printf(ret, compact ? ":" : ": ");
		print_value(member, compact, depth + 1, ret);
		sep = ",";
	}
	if (json_object_size(value))
		new_line(compact, depth, ret);
	cni_buf_add(ret, "}", 1);
}

static void print_array(const json_t *value, bool compact, int depth, struct cni_buf *ret)
{
	json_t *member;
	size_t i;

	cni_buf_add(ret, "[", 1);
	json_array_foreach (value, i, member) {
		cni_buf_printf(ret, "%s", i ? "," : "");
		new_line(compact, depth + 1, ret);
		print_value(member, compact, depth + 1, ret);
	}
	if (json_array_size(value))
		new_line(compact, depth, ret);
	cni_buf_add(ret, "]", 1);
}

static void print_value(const json_t *value, bool compact, int depth, struct cni_buf *ret)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		print_object(value, compact, depth, ret);
		break;
	case JSON_ARRAY:
		print_array(value, compact, depth, ret);
		break;
	case JSON_STRING:
		cni_json_print_string(json_string_value(value), json_string_length(value), ret);
		break;
	case JSON_INTEGER:
		cni_buf_printf(ret, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		break;
	case JSON_REAL:
		/* Adding zero makes -0 0, which is what reading "-0" gives: as an integer. */
		cni_buf_printf(ret, "%.17g", json_real_value(value) + 0.0);
		break;
	case JSON_TRUE:
		cni_buf_printf(ret, "true");
		break;
	case JSON_FALSE:
		cni_buf_printf(ret, "false");
		break;
	case JSON_NULL:
		cni_buf_printf(ret, "null");
		break;
	}
}

void cni_json_print(const json_t *value, bool compact, struct cni_buf *ret)
{
	if (!value || lacked_memory)
		ret->failed = true;
	else
		print_value(value, compact, 0, ret);
}
