/*
 * The rules of host ports in native nf_tables: those of the Go plugins' nftables backend (reference 2.7), but
 * for what compat.md says. Which of them are made, removed and looked for: hostport_nft.c.
 */
#ifndef CNI_HOSTPORT_NFT_RULE_H
#define CNI_HOSTPORT_NFT_RULE_H

#include "hostport.h"
#include "nft.h"

/** The table, of families ip and ip6, and chains in it. */
#define CNI_HOSTPORT_TABLE "cni_hostport"
#define CNI_HOSTPORT_PORTS "hostports"
#define CNI_HOSTPORT_ALL_PORTS "hostports_all"
#define CNI_HOSTPORT_MASQUERADING "masquerading"
#define CNI_HOSTPORT_LOCALHOST "localhost"

/** @return NFPROTO_IPV4 or NFPROTO_IPV6 */
uint32_t cni_hostport_nfproto(int family);

/** An attachment as its rules name it. */
struct cni_hostport_owner {
	char comment[CNI_COMMENT_LEN]; /**< the container's id: all that the Go plugins know */
	char owner[CNI_OWNER_LEN]; /**< network, container and interface */
};

/** @return 0; -ENOMEM */
int cni_hostport_owner_of(const struct cni_hostport *hp,
			  struct cni_hostport_owner *ret) cni_must_check;

/**
 * A rule without an owner is of the Go plugins, or came through nft's text: the id has to do.
 * @param owner  struct cni_hostport_owner
 * @return whether the rule is this one's
 */
bool cni_hostport_is_own(const struct nftnl_rule *rule, const void *owner);

/* Each of these returns a new rule; NULL without memory, and then it may be given on as it is. */

/** From one chain to another one. */
struct nftnl_rule *cni_hostport_nft_jump(int family, const char *from, const char *to);

/** What is for this host, whichever of its addresses, goes to all ports. Nothing else is ever captured. */
struct nftnl_rule *cni_hostport_nft_capture(int family, const char *from);

/** What comes for 127.0.0.0/8 from outside is dropped. */
struct nftnl_rule *cni_hostport_nft_drop_from_outside(void);

/** The beginning of cni_hostport_nft_forward(), which all mappings of a family share: for comparing. */
struct nftnl_rule *cni_hostport_nft_condition(const struct cni_hostport *hp, int family,
					      const struct cni_hostport_owner *o);

/** What is for a mapped port is translated to the container. */
struct nftnl_rule *cni_hostport_nft_forward(const struct cni_hostport *hp, int family,
					    const struct cni_mapping *m,
					    const struct cni_hostport_owner *o);

/** What was translated to the container is masqueraded, if it comes from its subnet, or with masqAll. */
struct nftnl_rule *cni_hostport_nft_masquerade(const struct cni_hostport *hp, int family,
					       const struct cni_hostport_owner *o);

/** The same, if it comes from 127.0.0.1. */
struct nftnl_rule *cni_hostport_nft_masquerade_localhost(const struct cni_hostport *hp,
							 const struct cni_hostport_owner *o);

#endif
