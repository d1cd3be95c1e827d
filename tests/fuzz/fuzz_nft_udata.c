/*
 * Fuzz: user data of rules and of sets' elements, and who is said there to have a port. The first byte
 * says how long the key is.
 */
#include "hostport_who.h"
#include "nft_set.h"
#include "owners.h"
#include "input.h"
#include "nft_udata.h"

#include <assert.h>
#include <libnftnl/set.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_who(const char *who)
{
	static const struct cni_who self = {
		.who = "0123456789abcdef-0123456789abcdef,CNI-DN-0123456789abcdef01234,"
		       "0123456789abcdef,000002",
	};

	assert(cni_who_count(who) < 1000000);
	if (cni_who_same_attachment(who, &self))
		assert(strlen(who) >= CNI_OWNER_LEN);
	(void)cni_who_same_container(who, &self);
}

static void check_rule(const void *udata, size_t len)
{
	struct nftnl_rule *rule = nftnl_rule_alloc();
	char owner[][CNI_OWNER_LEN] = { "0123456789abcdef-0123456789abcdef" };
	const struct cni_owners valid = { .owner = owner, .n = 1, .net = "0123456789abcdef-" };

	assert(rule);
	assert(nftnl_rule_set_data(rule, NFTNL_RULE_USERDATA, udata, (uint32_t)len) == 0);
	assert(strlen(cni_nft_comment(rule)) < len || !*cni_nft_comment(rule));
	assert(strlen(cni_nft_owner(rule)) < len || !*cni_nft_owner(rule));
	assert(!cni_owners_stale(&valid, cni_nft_owner(rule)) ||
	       !cni_owners_has(&valid, cni_nft_owner(rule)));
	check_who(cni_nft_owner(rule));
	nftnl_rule_free(rule);
}

static void check_elem(const void *key, size_t key_len, const void *udata, size_t len)
{
	struct nftnl_set_elem *e = nftnl_set_elem_alloc();
	struct cni_nft_elem elem;

	assert(e);
	nftnl_set_elem_set(e, NFTNL_SET_ELEM_KEY, key, (uint32_t)key_len);
	nftnl_set_elem_set(e, NFTNL_SET_ELEM_USERDATA, udata, (uint32_t)len);
	if (cni_nft_elem_read(e, &elem)) {
		assert(key_len <= CNI_NFT_KEY_LEN && memcmp(elem.key, key, key_len) == 0);
		assert(strlen(elem.comment) < len || !*elem.comment);
		check_who(elem.owner);
	}
	nftnl_set_elem_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	size_t key_len = take_byte(&in) % 33, len;
	uint8_t key[32];
	void *udata;

	take(&in, key, sizeof(key));
	len = in.left;
	udata = take_block(&in, len);
	assert(cni_nft_udata_len(udata, (uint32_t)len) <= len);
	check_rule(udata, len);
	check_elem(key, key_len, udata, len);
	free(udata);
	return 0;
}
