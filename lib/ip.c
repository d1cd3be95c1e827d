/*
 * IP addresses, prefixes and MAC addresses in Go's dialect; see ip.h.
 */
#include "ip.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const uint8_t v4_mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

/* A run of decimal digits, at most `max`; stops at the first other character. */
static int parse_decimal(const char **text, unsigned int max, unsigned int *ret)
{
	const char *p = *text;
	unsigned int v = 0;

	if (*p < '0' || *p > '9')
		return -EINVAL;
	for (; *p >= '0' && *p <= '9'; p++) {
		v = v * 10 + (unsigned int)(*p - '0');
		if (v > max)
			return -EINVAL;
	}
	*text = p;
	*ret = v;
	return 0;
}

int cni_ip_parse(const char *text, struct cni_ip *ret)
{
	struct cni_ip ip = { 0 };

	/* glibc's inet_pton agrees with Go: no leading zeros in quads, no zones in IPv6. */
	if (inet_pton(AF_INET, text, ip.b) == 1) {
		ip.family = AF_INET;
	} else if (inet_pton(AF_INET6, text, ip.b) == 1) {
		ip.family = AF_INET6;
		if (memcmp(ip.b, v4_mapped, sizeof(v4_mapped)) == 0) {
			ip.family = AF_INET;
			memmove(ip.b, ip.b + 12, 4);
			memset(ip.b + 4, 0, 12);
		}
	} else {
		return -EINVAL;
	}
	*ret = ip;
	return 0;
}

int cni_prefix_parse(const char *text, struct cni_prefix *ret)
{
	const char *slash = strchr(text, '/');
	char addr[CNI_IP_STRLEN];
	struct cni_prefix p;
	const char *end;
	bool colons;

	if (!slash || (size_t)(slash - text) >= sizeof(addr))
		return -EINVAL;
	memcpy(addr, text, (size_t)(slash - text));
	addr[slash - text] = '\0';
	if (cni_ip_parse(addr, &p.ip) < 0)
		return -EINVAL;
	colons = strchr(addr, ':') != NULL;
	end = slash + 1;
	if (parse_decimal(&end, colons ? 128 : 32, &p.len) < 0 || *end)
		return -EINVAL;
	if (colons && p.ip.family == AF_INET) {
		if (p.len < 96)
			return -EINVAL;
		p.len -= 96;
	}
	*ret = p;
	return 0;
}

/* RFC 5952: lower case, the first longest run of at least two zero groups as "::". */
static void format_v6(const uint8_t b[static 16], char buf[static CNI_IP_STRLEN])
{
	size_t best = 8, best_len = 1, n = 0; /* best: a group; 8 = none */

	for (size_t i = 0; i < 8; i++) {
		size_t len = 0;

		while (i + len < 8 && !b[2 * (i + len)] && !b[2 * (i + len) + 1])
			len++;
		if (len > best_len) {
			best = i;
			best_len = len;
		}
		if (len)
			i += len - 1;
	}
	for (size_t i = 0; i < 8; i++) {
		if (i == best) {
			n += (size_t)snprintf(buf + n, CNI_IP_STRLEN - n, "::");
			i += best_len - 1;
			continue;
		}
		n += (size_t)snprintf(buf + n, CNI_IP_STRLEN - n, "%s%x",
				      i > 0 && buf[n - 1] != ':' ? ":" : "",
				      (unsigned int)(b[2 * i] << 8 | b[2 * i + 1]));
	}
}

char *cni_ip_format(const struct cni_ip *ip, char buf[static CNI_IP_STRLEN])
{
	if (ip->family == AF_INET)
		snprintf(buf, CNI_IP_STRLEN, "%u.%u.%u.%u", ip->b[0], ip->b[1], ip->b[2], ip->b[3]);
	else if (ip->family == AF_INET6)
		format_v6(ip->b, buf);
	else
		snprintf(buf, CNI_IP_STRLEN, "<nil>");
	return buf;
}

char *cni_prefix_format(const struct cni_prefix *p, char buf[static CNI_PREFIX_STRLEN])
{
	cni_ip_format(&p->ip, buf);
	if (p->ip.family != AF_UNSPEC) {
		size_t n = strlen(buf);

		snprintf(buf + n, CNI_PREFIX_STRLEN - n, "/%u", p->len);
	}
	return buf;
}

int cni_ip_cmp(const struct cni_ip *a, const struct cni_ip *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->b, b->b, sizeof(a->b));
}

bool cni_ip_is_zero(const struct cni_ip *ip)
{
	static const uint8_t zero[16];

	return memcmp(ip->b, zero, sizeof(zero)) == 0;
}

int cni_ip_next(struct cni_ip *ip)
{
	struct cni_ip v = *ip;

	for (size_t i = cni_ip_size(&v); i-- > 0;) {
		if (++v.b[i] != 0) {
			*ip = v;
			return 0;
		}
	}
	return -ERANGE;
}

int cni_ip_prev(struct cni_ip *ip)
{
	struct cni_ip v = *ip;

	for (size_t i = cni_ip_size(&v); i-- > 0;) {
		if (v.b[i]-- != 0) {
			*ip = v;
			return 0;
		}
	}
	return -ERANGE;
}

/* The bits of byte `i` that belong to the network part. */
static uint8_t mask_byte(unsigned int len, size_t i)
{
	unsigned int from = (unsigned int)i * 8;

	if (len >= from + 8)
		return 0xff;
	if (len <= from)
		return 0;
	return (uint8_t)(0xff << (8 - (len - from)));
}

struct cni_ip cni_prefix_network(const struct cni_prefix *p)
{
	struct cni_ip ip = p->ip;

	for (size_t i = 0; i < cni_ip_size(&ip); i++)
		ip.b[i] &= mask_byte(p->len, i);
	return ip;
}

struct cni_ip cni_prefix_last(const struct cni_prefix *p)
{
	struct cni_ip ip = p->ip;

	for (size_t i = 0; i < cni_ip_size(&ip); i++)
		ip.b[i] |= (uint8_t)~mask_byte(p->len, i);
	return ip;
}

struct cni_prefix cni_prefix_alone(const struct cni_ip *ip)
{
	return (struct cni_prefix){ *ip, cni_ip_bits(ip) };
}

bool cni_prefix_contains(const struct cni_prefix *p, const struct cni_ip *ip)
{
	struct cni_prefix other = { .ip = *ip, .len = p->len };
	struct cni_ip a = cni_prefix_network(p), b;

	if (ip->family != p->ip.family)
		return false;
	b = cni_prefix_network(&other);
	return cni_ip_cmp(&a, &b) == 0;
}

bool cni_prefix_is_default(const struct cni_prefix *p)
{
	return p->len == 0 && cni_ip_is_zero(&p->ip);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int cni_mac_parse(const char *text, uint8_t ret[static CNI_MAC_LEN])
{
	uint8_t mac[CNI_MAC_LEN];
	size_t len = strlen(text);
	bool dots = len == 14;
	char sep = '.';

	if (!dots && len != 17)
		return -EINVAL;
	if (!dots)
		sep = text[2];
	if (!dots && sep != ':' && sep != '-')
		return -EINVAL;
	for (size_t i = 0, p = 0; i < CNI_MAC_LEN; i++) {
		int hi = hex_digit(text[p]), lo = hi < 0 ? -1 : hex_digit(text[p + 1]);

		if (lo < 0)
			return -EINVAL;
		mac[i] = (uint8_t)(hi << 4 | lo);
		p += 2;
		if (i + 1 < CNI_MAC_LEN && (!dots || i % 2 == 1) && text[p++] != sep)
			return -EINVAL;
	}
	memcpy(ret, mac, sizeof(mac));
	return 0;
}

char *cni_mac_format(const uint8_t mac[static CNI_MAC_LEN], char buf[static CNI_MAC_STRLEN])
{
	snprintf(buf, CNI_MAC_STRLEN, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
	return buf;
}
