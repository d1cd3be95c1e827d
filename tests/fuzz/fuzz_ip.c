/*
 * Fuzz: one text as address, prefix and MAC. What is taken prints in a form that is taken again and is
 * the same; a prefix holds its own ends and nothing beside them.
 */
#include "ip.h"
#include "names.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_address(const char *text)
{
	char printed[CNI_IP_STRLEN], again_printed[CNI_IP_STRLEN];
	struct cni_ip ip, again, beside;

	if (cni_ip_parse(text, &ip) < 0)
		return;
	assert(ip.family == AF_INET || ip.family == AF_INET6);
	assert(cni_ip_parse(cni_ip_format(&ip, printed), &again) == 0);
	assert(cni_ip_cmp(&ip, &again) == 0);
	assert(strcmp(cni_ip_format(&again, again_printed), printed) == 0);
	beside = ip;
	if (cni_ip_next(&beside) == 0)
		assert(cni_ip_cmp(&beside, &ip) > 0 && cni_ip_prev(&beside) == 0);
	assert(cni_ip_cmp(&beside, &ip) == 0);
}

static void check_prefix(const char *text)
{
	char printed[CNI_PREFIX_STRLEN];
	struct cni_ip network, last;
	struct cni_prefix p, again;

	if (cni_prefix_parse(text, &p) < 0)
		return;
	assert(p.len <= cni_ip_bits(&p.ip));
	assert(cni_prefix_parse(cni_prefix_format(&p, printed), &again) == 0);
	assert(cni_ip_cmp(&p.ip, &again.ip) == 0 && p.len == again.len);
	network = cni_prefix_network(&p);
	last = cni_prefix_last(&p);
	assert(cni_ip_cmp(&network, &p.ip) <= 0 && cni_ip_cmp(&p.ip, &last) <= 0);
	assert(cni_prefix_contains(&p, &network) && cni_prefix_contains(&p, &last));
	if (cni_ip_prev(&network) == 0)
		assert(!cni_prefix_contains(&p, &network));
	if (cni_ip_next(&last) == 0)
		assert(!cni_prefix_contains(&p, &last));
}

static void check_mac(const char *text)
{
	uint8_t mac[CNI_MAC_LEN], again[CNI_MAC_LEN];
	char printed[CNI_MAC_STRLEN];

	if (cni_mac_parse(text, mac) < 0)
		return;
	assert(cni_mac_parse(cni_mac_format(mac, printed), again) == 0);
	assert(memcmp(mac, again, sizeof(mac)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cni_auto(free) char *text = malloc(size + 1);
	char comment[CNI_COMMENT_LEN];

	memcpy(text, data, size);
	text[size] = '\0';
	check_address(text);
	check_prefix(text);
	check_mac(text);
	(void)cni_name_is_valid(text);
	if (cni_ifname_check(text, NULL) == 0)
		assert(strlen(text) >= 1 && strlen(text) <= 15 && !strpbrk(text, "/: \t\n"));
	assert(cni_owner_comment(text, text, text, comment) == 0);
	assert(strlen(comment) < sizeof(comment) && !strchr(comment, '"'));
	return 0;
}
