/*
 * What is written on objects of nf_tables: their user data, where nft(8) keeps comments, and we keep
 * owners.
 */
#ifndef CNI_NFT_UDATA_H
#define CNI_NFT_UDATA_H

#include "base.h"

#include <libnftnl/rule.h>

/**
 * User data is a list of attributes, which the kernel does not look at: anybody's may be cut or false.
 * @param udata  of @p len bytes
 * @return how many bytes at its beginning are whole attributes, which libnftnl can walk over
 */
uint32_t cni_nft_udata_len(const void *udata, uint32_t len);

/** @return the comment in user data of a chain or a rule; "" if there is none; lives as long as the data */
const char *cni_nft_udata_comment(const void *udata, uint32_t len);

/** @return the comment that nft shows; "" if the rule has none; lives as long as the rule */
const char *cni_nft_comment(const struct nftnl_rule *rule);

/**
 * User data of a rule or an element beside its comment: who owns it, where the comment is not free to
 * say so. nft(8) passes over kinds of user data that it does not know.
 */
#define CNI_NFT_OWNER 0x80

/** @return what cni_nft_set_owner noted; "" if nothing; lives as long as the rule */
const char *cni_nft_owner(const struct nftnl_rule *rule);

/** Note an owner on a rule, beside its comment; together at most 250 bytes. NULL is ignored. */
void cni_nft_set_owner(struct nftnl_rule *rule, const char *owner);

#endif
