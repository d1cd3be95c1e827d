/*
 * Port mappings and their conditions; see mapping.h.
 */
#include "mapping.h"

#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

static const struct {
	const char *name;
	uint8_t number;
} protocols[] = {
	{ "tcp", IPPROTO_TCP },
	{ "udp", IPPROTO_UDP },
	{ "sctp", IPPROTO_SCTP },
};

const char *cni_mapping_protocol(uint8_t protocol)
{
	for (size_t i = 0; i < CNI_ARRAY_SIZE(protocols); i++)
		if (protocols[i].number == protocol)
			return protocols[i].name;
	return "?";
}

bool cni_mapping_applies(const struct cni_mapping *m, sa_family_t family)
{
	return m->host_ip.family == AF_UNSPEC || m->host_ip.family == family;
}

bool cni_mapping_is_any(const struct cni_mapping *m)
{
	static const uint8_t zero[16];

	return m->host_ip.family == AF_UNSPEC || memcmp(m->host_ip.b, zero, sizeof(zero)) == 0;
}

/* ---- the list ---- */

struct entry {
	json_int_t host_port, container_port;
	const char *protocol, *host_ip;
};

static int check_entry(const struct entry *e, struct cni_mapping *ret, struct cni_error *err)
{
	if (e->container_port <= 0 || e->container_port > UINT16_MAX)
		return cni_invalid(err, "Invalid container port number: %lld",
				   (long long)e->container_port);
	if (e->host_port <= 0 || e->host_port > UINT16_MAX)
		return cni_invalid(err, "Invalid host port number: %lld", (long long)e->host_port);
	*ret = (struct cni_mapping){ .host_port = (uint16_t)e->host_port,
				     .container_port = (uint16_t)e->container_port };
	for (size_t i = 0; i < CNI_ARRAY_SIZE(protocols); i++)
		if (strcasecmp(e->protocol, protocols[i].name) == 0)
			ret->protocol = protocols[i].number;
	if (!ret->protocol)
		return cni_invalid(err,
				   "unknown protocol \"%s\" specified: expected tcp, udp or sctp",
				   e->protocol);
	if (*e->host_ip && cni_ip_parse(e->host_ip, &ret->host_ip) < 0)
		return cni_invalid(err, "Invalid host IP address: \"%s\"", e->host_ip);
	return 0;
}

static int read_entry(json_t *obj, size_t i, struct cni_mapping *ret, struct cni_error *err)
{
	static const struct cni_json_field fields[] = {
		{ "hostPort", CNI_JSON_INT, offsetof(struct entry, host_port) },
		{ "containerPort", CNI_JSON_INT, offsetof(struct entry, container_port) },
		{ "protocol", CNI_JSON_STRING, offsetof(struct entry, protocol) },
		{ "hostIP", CNI_JSON_STRING, offsetof(struct entry, host_ip) },
	};
	struct entry e = { .protocol = "", .host_ip = "" };
	int r;

	if (!json_is_object(obj))
		return cni_invalid(err, "runtimeConfig.portMappings[%zu]: expected an object", i);
	r = cni_json_read(obj, "portMappings.", fields, CNI_ARRAY_SIZE(fields), &e, err);
	if (r == 0)
		r = check_entry(&e, ret, err);
	if (r < 0)
		cni_error_detail(err, "entry %zu of runtimeConfig.portMappings", i);
	return r;
}

int cni_mapping_read(json_t *array, bool lenient, struct cni_mapping_list *ret,
		     struct cni_error *err)
{
	json_t *obj;
	size_t i;

	ret->item = calloc(json_array_size(array) + 1, sizeof(*ret->item));
	if (!ret->item)
		return cni_fail(err, CNI_E_INTERNAL, ENOMEM, "read portMappings");
	json_array_foreach (array, i, obj) {
		int r = read_entry(obj, i, &ret->item[ret->n], lenient ? NULL : err);

		if (r == 0)
			ret->n++;
		else if (!lenient)
			return r;
	}
	return 0;
}

/* ---- conditions ---- */

enum cni_condition_syntax cni_condition_syntax(const json_t *list)
{
	const char *first = json_string_value(json_array_get(list, 0));

	if (!first || !*first)
		return CNI_CONDITION_NONE;
	return *first == '-' || *first == '!' ? CNI_CONDITION_IPTABLES : CNI_CONDITION_NFT;
}

/* The words of all strings of a list, one after the other. */
struct words {
	const json_t *list;
	const char *key;
	size_t i;
	const char *at;
};

#define WORD_MAX 64

/* The next word, without quotation marks; "" at the end. Too long a word is cut, and so is unknown. */
static void next_word(struct words *w, char ret[static WORD_MAX])
{
	size_t n = 0;

	for (;;) {
		while (w->at && (isspace((unsigned char)*w->at) || *w->at == '"'))
			w->at++;
		if (w->at && *w->at)
			break;
		w->at = json_string_value(json_array_get(w->list, w->i++));
		if (!w->at) {
			w->i--;
			break;
		}
	}
	while (w->at && *w->at && !isspace((unsigned char)*w->at) && *w->at != '"') {
		if (n < WORD_MAX - 1)
			ret[n++] = *w->at;
		w->at++;
	}
	ret[n] = '\0';
}

static int not_known(const struct words *w, const char *word, struct cni_error *err)
{
	cni_fail(err, CNI_E_FIELD, 0, "unsupported field %s: condition \"%s\"", w->key, word);
	cni_error_detail(err, "source, destination and incoming interface are known, each once: "
			      "-s, -d, -i of iptables, ip saddr, ip daddr, iifname of nft");
	return -EINVAL;
}

static int set_address(const struct words *w, const char *text, sa_family_t family,
		       struct cni_prefix *ret, struct cni_error *err)
{
	struct cni_prefix p = { 0 };

	if (ret->ip.family != AF_UNSPEC)
		return not_known(w, text, err);
	if (cni_prefix_parse(text, &p) < 0 && cni_ip_parse(text, &p.ip) == 0)
		p.len = cni_ip_bits(&p.ip);
	if (p.ip.family != family)
		return cni_invalid(err, "%s: \"%s\" is no IPv%d address or prefix", w->key, text,
				   family == AF_INET ? 4 : 6);
	*ret = p;
	return 0;
}

static int set_interface(const struct words *w, const char *text, struct cni_condition *ret,
			 struct cni_error *err)
{
	size_t len = strlen(text);

	if (*ret->in)
		return not_known(w, text, err);
	if (len == 0 || len >= sizeof(ret->in) || strpbrk(text, "/*+"))
		return cni_invalid(err, "%s: \"%s\" is no interface's name", w->key, text);
	memcpy(ret->in, text, len + 1);
	return 0;
}

static bool is_one_of(const char *word, const char *const names[static 3])
{
	return strcmp(word, names[0]) == 0 || strcmp(word, names[1]) == 0 ||
	       strcmp(word, names[2]) == 0;
}

/* One match; its first word has been read into `word`. */
static int read_iptables(struct words *w, char *word, sa_family_t family, struct cni_condition *ret,
			 struct cni_error *err)
{
	static const char *const source[] = { "-s", "--source", "--src" };
	static const char *const destination[] = { "-d", "--destination", "--dst" };
	static const char *const in[] = { "-i", "--in-interface", "-i" };
	bool not = strcmp(word, "!") == 0;
	char value[WORD_MAX];

	if (not )
		next_word(w, word);
	next_word(w, value);
	if (is_one_of(word, source)) {
		ret->not_source = not ;
		return set_address(w, value, family, &ret->source, err);
	}
	if (is_one_of(word, destination)) {
		ret->not_destination = not ;
		return set_address(w, value, family, &ret->destination, err);
	}
	if (is_one_of(word, in)) {
		ret->not_in = not ;
		return set_interface(w, value, ret, err);
	}
	return not_known(w, word, err);
}

/* The value after an optional operator. @return whether it was an inequality */
static bool nft_value(struct words *w, char value[static WORD_MAX])
{
	bool not ;

	next_word(w, value);
	not = strcmp(value, "!=") == 0;
	if (not || strcmp(value, "==") == 0)
		next_word(w, value);
	return not ;
}

static int read_nft(struct words *w, char *word, sa_family_t family, struct cni_condition *ret,
		    struct cni_error *err)
{
	const char *l3 = family == AF_INET ? "ip" : "ip6";
	char value[WORD_MAX];
	bool not ;

	if (strcmp(word, "meta") == 0)
		next_word(w, word);
	if (strcmp(word, "iifname") == 0) {
		ret->not_in = nft_value(w, value);
		return set_interface(w, value, ret, err);
	}
	if (strcmp(word, l3) != 0)
		return not_known(w, word, err);
	next_word(w, word);
	not = nft_value(w, value);
	if (strcmp(word, "saddr") == 0) {
		ret->not_source = not ;
		return set_address(w, value, family, &ret->source, err);
	}
	if (strcmp(word, "daddr") == 0) {
		ret->not_destination = not ;
		return set_address(w, value, family, &ret->destination, err);
	}
	return not_known(w, word, err);
}

int cni_condition_read(const json_t *list, sa_family_t family, const char *key,
		       struct cni_condition *ret, struct cni_error *err)
{
	enum cni_condition_syntax syntax = cni_condition_syntax(list);
	struct words w = { .list = list, .key = key };
	char word[WORD_MAX];

	*ret = (struct cni_condition){ 0 };
	for (next_word(&w, word); *word; next_word(&w, word)) {
		int r = syntax == CNI_CONDITION_IPTABLES ? read_iptables(&w, word, family, ret, err)
							 : read_nft(&w, word, family, ret, err);

		if (r < 0)
			return r;
	}
	return 0;
}
