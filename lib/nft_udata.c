/*
 * What is written on objects of nf_tables; see nft_udata.h.
 */
#include "nft_udata.h"

#include <libnftnl/common.h>
#include <libnftnl/udata.h>
#include <linux/netfilter/nf_tables.h>

_Static_assert((int)NFTNL_UDATA_CHAIN_COMMENT == (int)NFTNL_UDATA_RULE_COMMENT,
	       "one type of comment");

struct texts {
	const char *comment, *owner;
};

static int take_text(const struct nftnl_udata *attr, void *ctx)
{
	const char *text = nftnl_udata_get(attr);
	struct texts *t = ctx;

	if (nftnl_udata_len(attr) == 0 || text[nftnl_udata_len(attr) - 1] != '\0')
		return 0;
	if (nftnl_udata_type(attr) == NFTNL_UDATA_RULE_COMMENT)
		t->comment = text;
	else if (nftnl_udata_type(attr) == CNI_NFT_OWNER)
		t->owner = text;
	return 0;
}

uint32_t cni_nft_udata_len(const void *udata, uint32_t len)
{
	const uint8_t *p = udata;
	uint32_t at = 0;

	while (len - at >= 2 && len - at - 2 >= p[at + 1])
		at += 2U + p[at + 1];
	return at;
}

static struct texts texts_of(const void *udata, uint32_t len)
{
	struct texts t = { "", "" };

	if (udata)
		(void)nftnl_udata_parse(udata, cni_nft_udata_len(udata, len), take_text, &t);
	return t;
}

static struct texts texts_on(const struct nftnl_rule *rule)
{
	uint32_t len = 0;
	const void *udata = nftnl_rule_get_data(rule, NFTNL_RULE_USERDATA, &len);

	return texts_of(udata, len);
}

const char *cni_nft_udata_comment(const void *udata, uint32_t len)
{
	return texts_of(udata, len).comment;
}

const char *cni_nft_comment(const struct nftnl_rule *rule)
{
	return texts_on(rule).comment;
}

const char *cni_nft_owner(const struct nftnl_rule *rule)
{
	return texts_on(rule).owner;
}

void cni_nft_set_owner(struct nftnl_rule *rule, const char *owner)
{
	struct nftnl_udata_buf *udata = nftnl_udata_buf_alloc(NFT_USERDATA_MAXLEN);
	int r = -1;

	if (rule && udata) {
		struct texts t = texts_on(rule);

		if (*t.comment)
			nftnl_udata_put_strz(udata, NFTNL_UDATA_RULE_COMMENT, t.comment);
		nftnl_udata_put_strz(udata, CNI_NFT_OWNER, owner);
		r = nftnl_rule_set_data(rule, NFTNL_RULE_USERDATA, nftnl_udata_buf_data(udata),
					nftnl_udata_buf_len(udata));
	}
	if (rule &&
	    r < 0) { /* no memory: the kernel refuses it, rather than nobody finding it again */
		nftnl_rule_unset(rule, NFTNL_RULE_USERDATA);
		nftnl_rule_unset(rule, NFTNL_RULE_CHAIN);
	}
	nftnl_udata_buf_free(udata);
}
