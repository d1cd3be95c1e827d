/*
 * Sets of nf_tables; see nft_set.h.
 */
#include "nft_set.h"
#include "nft_udata.h"

#include <errno.h>
#include <libnftnl/common.h>
#include <libnftnl/set.h>
#include <libnftnl/udata.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

/* nft(8) joins the types of a concatenation so, 6 bits for each. */
#define TYPE_BITS 6

static uint32_t part_size(enum cni_nft_type type)
{
	return type == CNI_NFT_IPV6 ? 16 : 4;
}

static uint32_t key_len(const struct cni_nft_set *set)
{
	uint32_t len = 0;

	for (size_t i = 0; i < CNI_NFT_PARTS && set->type[i]; i++)
		len += part_size(set->type[i]);
	return len;
}

static struct nftnl_set *name(const struct cni_nft_set *set)
{
	struct nftnl_set *s = nftnl_set_alloc();

	if (s) {
		nftnl_set_set_u32(s, NFTNL_SET_FAMILY, set->family);
		nftnl_set_set_str(s, NFTNL_SET_TABLE, set->table);
		nftnl_set_set_str(s, NFTNL_SET_NAME, set->name);
	}
	return s;
}

void cni_nft_set(struct cni_nft *nft, const struct cni_nft_set *set)
{
	struct nftnl_set *s = name(set);
	uint32_t type = 0;

	if (!s) {
		nft->full = true;
		return;
	}
	for (size_t i = 0; i < CNI_NFT_PARTS && set->type[i]; i++)
		type = type << TYPE_BITS | set->type[i];
	nftnl_set_set_u32(s, NFTNL_SET_KEY_TYPE, type);
	nftnl_set_set_u32(s, NFTNL_SET_KEY_LEN, key_len(set));
	nftnl_set_set_u32(s, NFTNL_SET_ID, ++nft->set_id);
	nftnl_set_nlmsg_build_payload(
		cni_nft_message(nft, NFT_MSG_NEWSET, set->family, NLM_F_CREATE), s);
	cni_nft_message_done(nft);
	nftnl_set_free(s);
}

/* A set object that names the set and holds one element; NULL without memory. */
static struct nftnl_set *with_elem(const struct cni_nft_set *set, const struct cni_nft_elem *elem)
{
	struct nftnl_udata_buf *udata = nftnl_udata_buf_alloc(NFT_USERDATA_MAXLEN);
	struct nftnl_set_elem *e = nftnl_set_elem_alloc();
	struct nftnl_set *s = name(set);

	if (!s || !e || !udata) {
		nftnl_udata_buf_free(udata);
		if (e)
			nftnl_set_elem_free(e);
		if (s)
			nftnl_set_free(s);
		return NULL;
	}
	nftnl_set_elem_set(e, NFTNL_SET_ELEM_KEY, elem->key, key_len(set));
	if (*elem->comment)
		nftnl_udata_put_strz(udata, NFTNL_UDATA_SET_ELEM_COMMENT, elem->comment);
	if (*elem->owner)
		nftnl_udata_put_strz(udata, CNI_NFT_OWNER, elem->owner);
	nftnl_set_elem_add(s, e);
	if (nftnl_udata_buf_len(udata) &&
	    nftnl_set_elem_set(e, NFTNL_SET_ELEM_USERDATA, nftnl_udata_buf_data(udata),
			       nftnl_udata_buf_len(udata)) < 0) {
		nftnl_set_free(s);
		s = NULL;
	}
	nftnl_udata_buf_free(udata);
	return s;
}

static void elem_message(struct cni_nft *nft, const struct cni_nft_set *set,
			 const struct cni_nft_elem *elem, uint16_t type, uint16_t flags)
{
	struct nftnl_set *s = with_elem(set, elem);

	if (!s) {
		nft->full = true;
		return;
	}
	nftnl_set_elems_nlmsg_build_payload(cni_nft_message(nft, type, set->family, flags), s);
	cni_nft_message_done(nft);
	nftnl_set_free(s);
}

void cni_nft_elem_add(struct cni_nft *nft, const struct cni_nft_set *set,
		      const struct cni_nft_elem *elem, bool exclusive)
{
	elem_message(nft, set, elem, NFT_MSG_NEWSETELEM,
		     exclusive ? NLM_F_CREATE | NLM_F_EXCL : NLM_F_CREATE);
}

/* An element of which only the key counts. */
static struct cni_nft_elem only_key(const uint8_t key[static CNI_NFT_KEY_LEN])
{
	struct cni_nft_elem elem = { .comment = "", .owner = "" };

	memcpy(elem.key, key, sizeof(elem.key));
	return elem;
}

void cni_nft_elem_delete(struct cni_nft *nft, const struct cni_nft_set *set,
			 const uint8_t key[static CNI_NFT_KEY_LEN])
{
	struct cni_nft_elem elem = only_key(key);

	elem_message(nft, set, &elem, NFT_MSG_DELSETELEM, 0);
}

void cni_nft_set_flush(struct cni_nft *nft, const struct cni_nft_set *set)
{
	struct nftnl_set *s = name(set);

	if (!s) {
		nft->full = true;
		return;
	}
	nftnl_set_nlmsg_build_payload(cni_nft_message(nft, NFT_MSG_DELSETELEM, set->family, 0), s);
	cni_nft_message_done(nft);
	nftnl_set_free(s);
}

/* ---- reading ---- */

struct each {
	void (*fn)(const struct cni_nft_elem *elem, void *ctx);
	void *ctx;
	int n;
};

static int take_text(const struct nftnl_udata *attr, void *ctx)
{
	struct cni_nft_elem *elem = ctx;
	const char *text = nftnl_udata_get(attr);

	if (nftnl_udata_len(attr) == 0 || text[nftnl_udata_len(attr) - 1] != '\0')
		return 0;
	if (nftnl_udata_type(attr) == NFTNL_UDATA_SET_ELEM_COMMENT)
		elem->comment = text;
	else if (nftnl_udata_type(attr) == CNI_NFT_OWNER)
		elem->owner = text;
	return 0;
}

bool cni_nft_elem_read(const struct nftnl_set_elem *from, struct cni_nft_elem *ret)
{
	/* libnftnl's getter takes no const, and changes nothing. */
	struct nftnl_set_elem *e = (struct nftnl_set_elem *)from;
	uint32_t len = 0;
	const void *data = nftnl_set_elem_get(e, NFTNL_SET_ELEM_KEY, &len);

	*ret = (struct cni_nft_elem){ .comment = "", .owner = "" };
	if (!data || len > sizeof(ret->key))
		return false;
	memcpy(ret->key, data, len);
	len = 0;
	data = nftnl_set_elem_get(e, NFTNL_SET_ELEM_USERDATA, &len);
	if (data)
		(void)nftnl_udata_parse(data, cni_nft_udata_len(data, len), take_text, ret);
	return true;
}

static int on_elem(struct nftnl_set_elem *e, void *ctx)
{
	struct cni_nft_elem elem;
	struct each *each = ctx;

	if (cni_nft_elem_read(e, &elem)) {
		each->fn(&elem, each->ctx);
		each->n++;
	}
	return 0;
}

static int on_elems(const struct nlmsghdr *h, void *ctx)
{
	struct nftnl_set *s = nftnl_set_alloc();

	if (!s)
		return -ENOMEM;
	if (nftnl_set_elems_nlmsg_parse(h, s) == 0)
		(void)nftnl_set_elem_foreach(s, on_elem, ctx);
	nftnl_set_free(s);
	return 0;
}

static int ask(struct cni_nft *nft, const struct cni_nft_set *set, struct nftnl_set *s,
	       uint16_t flags, struct each *each)
{
	char buf[1024] __attribute__((aligned(4))) = { 0 };
	struct nlmsghdr *h;
	int r;

	if (!s)
		return -ENOMEM;
	h = nftnl_nlmsg_build_hdr(buf, NFT_MSG_GETSETELEM, (uint16_t)set->family, flags, 0);
	nftnl_set_elems_nlmsg_build_payload(h, s);
	r = cni_nft_ask(nft, h, on_elems, each);
	nftnl_set_free(s);
	return r == -ENOENT ? 0 : r;
}

int cni_nft_elem_get(struct cni_nft *nft, const struct cni_nft_set *set,
		     const uint8_t key[static CNI_NFT_KEY_LEN],
		     void (*fn)(const struct cni_nft_elem *elem, void *ctx), void *ctx)
{
	struct cni_nft_elem elem = only_key(key);
	struct each each = { .fn = fn, .ctx = ctx };
	int r = ask(nft, set, with_elem(set, &elem), 0, &each);

	return r < 0 ? r : each.n > 0;
}

int cni_nft_elem_each(struct cni_nft *nft, const struct cni_nft_set *set,
		      void (*fn)(const struct cni_nft_elem *elem, void *ctx), void *ctx)
{
	struct each each = { .fn = fn, .ctx = ctx };

	return ask(nft, set, name(set), NLM_F_DUMP, &each);
}
