/*
 * IP addresses, prefixes and MAC addresses: text, comparison, arithmetic.
 *
 * Text follows Go's net package, because configurations, lease file names and results are compared
 * byte for byte with those of the Go plugins: no leading zeros in dotted quads, no IPv6 zones, a
 * v4-mapped IPv6 address is an IPv4 address, and output is RFC 5952 without dotted tails.
 */
#ifndef CNI_IP_H
#define CNI_IP_H

#include "base.h"

#include <sys/socket.h>

/** Room for any address in text, with the NUL. */
#define CNI_IP_STRLEN 46
/** Room for any prefix in text, with the NUL. */
#define CNI_PREFIX_STRLEN 50
#define CNI_MAC_LEN 6
#define CNI_MAC_STRLEN 18

/** An address in network byte order. `family` AF_UNSPEC (0) means "none". */
struct cni_ip {
	sa_family_t family; /**< AF_INET, AF_INET6 or AF_UNSPEC */
	uint8_t b[16]; /**< 4 bytes used for AF_INET; the rest zero */
};

/** An address with the length of its network part; host bits are kept. */
struct cni_prefix {
	struct cni_ip ip;
	unsigned int len; /**< bits, 0..32 or 0..128 */
};

/** @return 4 or 16, the bytes of an address of this family */
static inline size_t cni_ip_size(const struct cni_ip *ip)
{
	return ip->family == AF_INET ? 4 : 16;
}

/** @return 32 or 128, the bits of an address of this family */
static inline unsigned int cni_ip_bits(const struct cni_ip *ip)
{
	return (unsigned int)cni_ip_size(ip) * 8;
}

/**
 * Read an address as Go's net.ParseIP does.
 * @param ret  set on success only
 * @return 0; -EINVAL
 */
int cni_ip_parse(const char *text, struct cni_ip *ret) cni_must_check;

/**
 * Read "address/length" as Go's net.ParseCIDR does, keeping the host bits.
 * @param ret  set on success only; a v4-mapped "::ffff:a.b.c.d/120" becomes "a.b.c.d/24"
 * @return 0; -EINVAL
 */
int cni_prefix_parse(const char *text, struct cni_prefix *ret) cni_must_check;

/** Write an address in text; AF_UNSPEC becomes "<nil>". @return @p buf */
char *cni_ip_format(const struct cni_ip *ip, char buf[static CNI_IP_STRLEN]);

/** Write a prefix in text, host bits kept. @return @p buf */
char *cni_prefix_format(const struct cni_prefix *p, char buf[static CNI_PREFIX_STRLEN]);

/** Order within one family as memcmp does; different families compare by family. */
int cni_ip_cmp(const struct cni_ip *a, const struct cni_ip *b);

/** @return whether all bits are zero: 0.0.0.0, ::, or no address */
bool cni_ip_is_zero(const struct cni_ip *ip);

/** Add one. @return 0; -ERANGE if @p ip is the last address of its family (then unchanged) */
int cni_ip_next(struct cni_ip *ip) cni_must_check;

/** Subtract one. @return 0; -ERANGE if @p ip is the first of its family (then unchanged) */
int cni_ip_prev(struct cni_ip *ip) cni_must_check;

/** @return the network address: host bits cleared */
struct cni_ip cni_prefix_network(const struct cni_prefix *p);

/** @return the last address: host bits set (IPv4: the broadcast address) */
struct cni_ip cni_prefix_last(const struct cni_prefix *p);

/** @return the prefix that holds one address alone: /32 or /128 */
struct cni_prefix cni_prefix_alone(const struct cni_ip *ip);

/** @return whether @p ip is of the prefix's family and inside it */
bool cni_prefix_contains(const struct cni_prefix *p, const struct cni_ip *ip);

/** @return whether @p p is 0.0.0.0/0 or ::/0 */
bool cni_prefix_is_default(const struct cni_prefix *p);

/**
 * Read a 6-byte MAC in Go's three spellings: "aa:bb:...", "aa-bb-...", "aabb.ccdd.eeff".
 * @param ret  set on success only
 * @return 0; -EINVAL
 */
int cni_mac_parse(const char *text, uint8_t ret[static CNI_MAC_LEN]) cni_must_check;

/** Write a MAC in lower case with colons. @return @p buf */
char *cni_mac_format(const uint8_t mac[static CNI_MAC_LEN], char buf[static CNI_MAC_STRLEN]);

#endif
