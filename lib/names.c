/*
 * Names: which ones are allowed, and those that are made from others; see names.h.
 */
#include "names.h"
#include "buf.h"
#include "sha512.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool cni_name_is_valid(const char *name)
{
	if (!is_alnum(*name))
		return false;
	while (*++name)
		if (!is_alnum(*name) && !strchr("_.-", *name))
			return false;
	return true;
}

/* Unicode white space beyond ASCII, in UTF-8: what Go's unicode.IsSpace accepts. */
static bool has_wide_space(const char *s)
{
	static const char *const spaces[] = {
		"\xc2\x85",	"\xc2\xa0",	"\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81",
		"\xe2\x80\x82", "\xe2\x80\x83", "\xe2\x80\x84", "\xe2\x80\x85", "\xe2\x80\x86",
		"\xe2\x80\x87", "\xe2\x80\x88", "\xe2\x80\x89", "\xe2\x80\x8a", "\xe2\x80\xa8",
		"\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80",
	};

	for (size_t i = 0; i < CNI_ARRAY_SIZE(spaces); i++)
		if (strstr(s, spaces[i]))
			return true;
	return false;
}

int cni_ifname_check(const char *ifname, struct cni_error *err)
{
	if (strlen(ifname) > 15) {
		cni_fail(err, CNI_E_ENV, 0, "interface name is too long");
		cni_error_detail(err, "interface name should be less than 16 characters");
		return -EINVAL;
	}
	if (strcmp(ifname, ".") == 0 || strcmp(ifname, "..") == 0) {
		cni_fail(err, CNI_E_ENV, 0, "interface name is . or ..");
		return -EINVAL;
	}
	if (strpbrk(ifname, "/: \t\n\v\f\r") || has_wide_space(ifname)) {
		cni_fail(err, CNI_E_ENV, 0,
			 "interface name contains / or : or whitespace characters");
		return -EINVAL;
	}
	if (strchr(ifname, '%')) {
		/* The kernel would take "eth%d" for a template and choose another name. */
		cni_fail(err, CNI_E_ENV, 0, "interface name contains %%");
		return -EINVAL;
	}
	if (!*ifname) {
		cni_fail(err, CNI_E_ENV, 0, "interface name is empty");
		return -EINVAL;
	}
	return 0;
}

bool cni_name_is_path_component(const char *name)
{
	return *name && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && !strchr(name, '/');
}

int cni_owner(const char *net, const char *containerid, const char *ifname,
	      char ret[static CNI_OWNER_LEN])
{
	char net_hash[CNI_SHA512_HEXLEN], if_hash[CNI_SHA512_HEXLEN];
	cni_auto(free) char *both = NULL;
	int n = asprintf(&both, "%s:%s", ifname, containerid);

	if (n < 0)
		return -ENOMEM;
	cni_sha512_hex(net, strlen(net), net_hash);
	cni_sha512_hex(both, (size_t)n, if_hash);
	snprintf(ret, CNI_OWNER_LEN, "%.16s-%.16s", net_hash, if_hash);
	return 0;
}

static int hash_both(const char *net, const char *containerid, char ret[static CNI_SHA512_HEXLEN])
{
	cni_auto(free) char *both = NULL;
	int n = asprintf(&both, "%s%s", net, containerid);

	if (n < 0)
		return -ENOMEM;
	cni_sha512_hex(both, (size_t)n, ret);
	return 0;
}

int cni_chain_name(const char *prefix, const char *net, const char *containerid,
		   char ret[static CNI_CHAIN_NAME_LEN])
{
	char hash[CNI_SHA512_HEXLEN];
	int r = hash_both(net, containerid, hash);

	if (r < 0)
		return r;
	r = snprintf(ret, CNI_CHAIN_NAME_LEN, "CNI-%s%s", prefix, hash); /* cut to its length */
	return r < 0 ? -EINVAL : 0;
}

int cni_ifb_names(const struct cni_port_id *id, char ret[static CNI_IFB_NAMES][CNI_IFB_NAME_LEN])
{
	char hash[CNI_SHA512_HEXLEN];
	int r = hash_both(id->net, id->containerid, hash);

	if (r < 0)
		return r;
	snprintf(ret[0], CNI_IFB_NAME_LEN, "bwp%.12s", hash);
	snprintf(ret[1], CNI_IFB_NAME_LEN, "bwp%.8s", id->name[0] + strlen("veth"));
	return 0;
}

/* Append at most what fits, without the double quotes that would end the comment in nft's text. */
static void append_plain(char ret[static CNI_COMMENT_LEN], const char *text)
{
	size_t n = strlen(ret);

	for (; *text && n + 1 < CNI_COMMENT_LEN; text++)
		if (*text != '"')
			ret[n++] = *text;
	ret[n] = '\0';
}

int cni_owner_comment(const char *net, const char *containerid, const char *ifname,
		      char ret[static CNI_COMMENT_LEN])
{
	char owner[CNI_OWNER_LEN];
	int r;

	r = cni_owner(net, containerid, ifname, owner);
	if (r < 0)
		return r;
	snprintf(ret, CNI_COMMENT_LEN, "%s", owner);
	append_plain(ret, ", net: ");
	append_plain(ret, net);
	append_plain(ret, ", if: ");
	append_plain(ret, ifname);
	append_plain(ret, ", id: ");
	append_plain(ret, containerid);
	return 0;
}

void cni_veth_name(char ret[static CNI_VETH_NAME_LEN])
{
	uint32_t v = 0;

	/* A collision is found by the kernel and tried again, so weak numbers do no harm. */
	if (getrandom(&v, sizeof(v), 0) != (ssize_t)sizeof(v))
		v = (uint32_t)getpid() * 2654435761u;
	snprintf(ret, CNI_VETH_NAME_LEN, "veth%08x", v);
}

/* ---- the host end of an attachment ---- */

#define ALIAS "ccni "
#define GROUP (uint32_t)'C'

int cni_port_id(const char *net, const char *containerid, const char *ifname,
		struct cni_port_id *ret)
{
	char owner[CNI_OWNER_LEN], hash[CNI_SHA512_HEXLEN];
	int n, r;

	r = cni_owner(net, containerid, ifname, owner);
	if (r < 0)
		return r;
	*ret = (struct cni_port_id){ .net = net, .containerid = containerid, .ifname = ifname };
	n = snprintf(ret->alias, CNI_ALIAS_LEN, ALIAS "%s %s %s", net, ifname, containerid);
	if (n < 0 || n >= CNI_ALIAS_LEN)
		snprintf(ret->alias, CNI_ALIAS_LEN, ALIAS "%s", owner);
	cni_sha512_hex(owner, strlen(owner), hash);
	for (int i = 0; i < CNI_PORT_NAMES; i++)
		snprintf(ret->name[i], CNI_VETH_NAME_LEN, "veth%.8s", hash + 8 * (size_t)i);
	owner[6] = '\0'; /* 24 bits of the network's hash */
	ret->unfinished = GROUP << 24 | (uint32_t)strtoul(owner, NULL, 16);
	return 0;
}

bool cni_alias_is_ours(const char *alias)
{
	return strncmp(alias, ALIAS, strlen(ALIAS)) == 0;
}

bool cni_group_is_ours(uint32_t group)
{
	return group >> 24 == GROUP;
}

bool cni_alias_is_of(const char *alias, const char *net)
{
	size_t len = strlen(net);
	char hash[CNI_SHA512_HEXLEN];

	if (!cni_alias_is_ours(alias))
		return false;
	alias += strlen(ALIAS);
	if (strncmp(alias, net, len) == 0 && alias[len] == ' ')
		return true;
	if (strchr(alias, ' ') || strlen(alias) != CNI_OWNER_LEN - 1)
		return false;
	cni_sha512_hex(net, len, hash);
	return strncmp(alias, hash, 16) == 0 && alias[16] == '-';
}

int cni_sysctl_path(const char *key, const char *ifname, char ret[static CNI_SYSCTL_PATH_LEN])
{
	static const char placeholder[] = "IFNAME";
	const char *at = strstr(key, placeholder);
	cni_auto(buf) struct cni_buf path = { 0 };
	size_t n = 0;

	for (const char *p = key; *p; p++) {
		if (p == at) {
			cni_buf_add(&path, ifname, strlen(ifname));
			p += strlen(placeholder) - 1;
		} else {
			cni_buf_add(&path, *p == '.' ? "/" : p, 1);
		}
	}
	ret[0] = '\0';
	if (path.failed)
		return -ENOMEM;
	for (const char *p = path.data; p && *p && n < CNI_SYSCTL_PATH_LEN - 1; p++)
		if (*p != '/' || (n && p[1] && p[1] != '/'))
			ret[n++] = *p;
	ret[n] = '\0';
	if (strncmp(ret, "net/", 4) != 0)
		return -EINVAL;
	return n == CNI_SYSCTL_PATH_LEN - 1 ? -ENAMETOOLONG : 0;
}
