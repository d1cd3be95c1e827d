/*
 * Port mappings, as portmap's runtimeConfig.portMappings lists them, and the conditions that its
 * conditionsV4 and conditionsV6 put on them.
 */
#ifndef CNI_MAPPING_H
#define CNI_MAPPING_H

#include "error.h"
#include "ip.h"
#include "json.h"

/** One port of the host, and where in the container it leads. */
struct cni_mapping {
	uint8_t protocol; /**< IPPROTO_TCP, IPPROTO_UDP or IPPROTO_SCTP */
	uint16_t host_port, container_port; /**< host byte order, not 0 */
	/**
	 * The host's address that is mapped. AF_UNSPEC: every one of both families; 0.0.0.0 or "::": every
	 * one of this family.
	 */
	struct cni_ip host_ip;
};

/** `{0}` is the empty list. */
struct cni_mapping_list {
	struct cni_mapping *item; /**< owned */
	size_t n;
};

static inline void cni_auto_mappings(struct cni_mapping_list *list)
{
	free(list->item);
}

/**
 * Read a list of mappings.
 *
 * @param array    borrowed; NULL is an empty one
 * @param lenient  for DEL: leave out the entries that are bad, instead of failing
 * @param ret      released by the caller
 * @return 0; -EINVAL, naming entry, key and value; -ENOMEM
 */
int cni_mapping_read(json_t *array, bool lenient, struct cni_mapping_list *ret,
		     struct cni_error *err) cni_must_check;

/** @return whether the mapping concerns this family */
bool cni_mapping_applies(const struct cni_mapping *m, sa_family_t family);

/** @return whether it is for every address of its family, or families */
bool cni_mapping_is_any(const struct cni_mapping *m);

/** @return "tcp", "udp" or "sctp" */
const char *cni_mapping_protocol(uint8_t protocol);

/** Whose words a list of conditions is written in. */
enum cni_condition_syntax { CNI_CONDITION_NONE, CNI_CONDITION_IPTABLES, CNI_CONDITION_NFT };

/** What a packet has to be like, beside going to a mapped port. `{0}`: anything. */
struct cni_condition {
	struct cni_prefix source, destination; /**< AF_UNSPEC: any */
	bool not_source, not_destination, not_in;
	char in[16]; /**< interface it came in by; "": any */
};

/** @return the syntax of a list of conditions, by its first word; NULL and the empty list have none */
enum cni_condition_syntax cni_condition_syntax(const json_t *list);

/**
 * Read conditions: of iptables `-s`, `-d`, `-i`, of nft `ip saddr`, `ip daddr`, `iifname`, each once, each
 * may be inverted.
 *
 * @param list    strings, borrowed; NULL reads nothing
 * @param family  AF_INET or AF_INET6; addresses of the other one are refused
 * @param key     for messages
 * @return 0; -EINVAL with code CNI_E_FIELD for what iptables or nft may know and this does not
 */
int cni_condition_read(const json_t *list, sa_family_t family, const char *key,
		       struct cni_condition *ret, struct cni_error *err) cni_must_check;

#endif
