/*
 * Names: container IDs, network and interface names, host ends, owners and comments of rules.
 */
#include "names.h"
#include "suite.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

START_TEST(a_name_is_letters_digits_and_three_marks)
{
	static const char *const good[] = {
		"a", "Z", "0", "a.b", "a_b", "a-b", "0-_.", "9z", "a..", "net1",
	};
	static const char *const bad[] = {
		"",    "_a",  ".a",   "-a",  "a b",	 "a/b", "a\n",	 "\na",
		"a:b", "a@b", "a\tb", "a%b", "\xc3\xa4", "a+b", "a\x7f", "..",
	};
	char longest[301];

	for (size_t i = 0; i < CNI_ARRAY_SIZE(good); i++)
		ck_assert_msg(cni_name_is_valid(good[i]), "\"%s\" is refused", good[i]);
	for (size_t i = 0; i < CNI_ARRAY_SIZE(bad); i++)
		ck_assert_msg(!cni_name_is_valid(bad[i]), "\"%s\" is accepted", bad[i]);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	ck_assert(cni_name_is_valid(longest));
	for (int c = 1; c < 256; c++) {
		char text[] = { 'a', (char)c, '\0' };
		bool want = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			    (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';

		ck_assert_msg(cni_name_is_valid(text) == want, "byte %d", c);
	}
}
END_TEST

static const struct {
	const char *name, *msg, *details;
} ifnames[] = {
	{ "eth0", NULL, NULL },
	{ "-x", NULL, NULL },
	{ "a.b", NULL, NULL },
	{ "...", NULL, NULL },
	{ "123456789012345", NULL, NULL },
	{ "\xc3\xa4\xc3\xb6\xc3\xbc", NULL, NULL },
	{ "\xff\xfe", NULL, NULL },
	{ "a\xe2\x80\x8b", NULL, NULL }, /* zero width space is no white space */
	{ "1234567890123456", "interface name is too long",
	  "interface name should be less than 16 characters" },
	{ "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4",
	  "interface name is too long", "interface name should be less than 16 characters" },
	{ ".", "interface name is . or ..", "" },
	{ "..", "interface name is . or ..", "" },
	{ "a/b", "interface name contains / or : or whitespace characters", "" },
	{ "eth0:1", "interface name contains / or : or whitespace characters", "" },
	{ "a b", "interface name contains / or : or whitespace characters", "" },
	{ "a\t", "interface name contains / or : or whitespace characters", "" },
	{ "a\n", "interface name contains / or : or whitespace characters", "" },
	{ "\va", "interface name contains / or : or whitespace characters", "" },
	{ "\fa", "interface name contains / or : or whitespace characters", "" },
	{ "a\r", "interface name contains / or : or whitespace characters", "" },
	{ "a\xc2\x85", "interface name contains / or : or whitespace characters", "" },
	{ "a\xc2\xa0", "interface name contains / or : or whitespace characters", "" },
	{ "a\xe1\x9a\x80", "interface name contains / or : or whitespace characters", "" },
	{ "a\xe2\x80\x80", "interface name contains / or : or whitespace characters", "" },
	{ "a\xe2\x80\x8a", "interface name contains / or : or whitespace characters", "" },
	{ "a\xe2\x80\xa8", "interface name contains / or : or whitespace characters", "" },
	{ "a\xe2\x80\xa9", "interface name contains / or : or whitespace characters", "" },
	{ "a\xe2\x80\xaf", "interface name contains / or : or whitespace characters", "" },
	{ "a\xe2\x81\x9f", "interface name contains / or : or whitespace characters", "" },
	{ "a\xe3\x80\x80", "interface name contains / or : or whitespace characters", "" },
	/* Stricter than the Go plugins: the kernel would choose another name. */
	{ "eth%d", "interface name contains %", "" },
	{ "", "interface name is empty", "" },
};

START_TEST(an_interface_name_follows_the_kernels_rules)
{
	struct cni_error err = { 0 };
	int r = cni_ifname_check(ifnames[_i].name, &err);

	if (!ifnames[_i].msg) {
		ck_assert_int_eq(r, 0);
		ck_assert(!err.set);
		return;
	}
	ck_assert_int_lt(r, 0);
	ck_assert_uint_eq(err.code, CNI_E_ENV);
	ck_assert_str_eq(err.msg, ifnames[_i].msg);
	ck_assert_str_eq(err.details, ifnames[_i].details);
}
END_TEST

START_TEST(a_refused_interface_name_is_invalid)
{
	ck_assert_int_eq(cni_ifname_check("a/b", NULL), -EINVAL);
	ck_assert_int_eq(cni_ifname_check("1234567890123456", NULL), -EINVAL);
	ck_assert_int_eq(cni_ifname_check("..", NULL), -EINVAL);
	ck_assert_int_eq(cni_ifname_check("", NULL), -EINVAL);
}
END_TEST

START_TEST(a_path_component_stays_in_its_directory)
{
	static const char *const bad[] = { "", ".", "..", "a/b", "/", "/a", "../a", "a/" };
	static const char *const good[] = { "a", "...", "..a", ".a", "a.", " " };

	for (size_t i = 0; i < CNI_ARRAY_SIZE(bad); i++)
		ck_assert_msg(!cni_name_is_path_component(bad[i]), "\"%s\"", bad[i]);
	for (size_t i = 0; i < CNI_ARRAY_SIZE(good); i++)
		ck_assert_msg(cni_name_is_path_component(good[i]), "\"%s\"", good[i]);
}
END_TEST

static void identify(const char *net, const char *id, const char *ifname, struct cni_port_id *ret)
{
	ck_assert_int_eq(cni_port_id(net, id, ifname, ret), 0);
}

START_TEST(a_host_end_is_veth_and_eight_digits)
{
	struct cni_port_id a, again, others[3];

	identify("net1", "ctr1", "eth0", &a);
	identify("net1", "ctr1", "eth0", &again);
	identify("net2", "ctr1", "eth0", &others[0]);
	identify("net1", "ctr2", "eth0", &others[1]);
	identify("net1", "ctr1", "eth1", &others[2]);
	for (int i = 0; i < CNI_PORT_NAMES; i++) {
		ck_assert_uint_eq(strlen(a.name[i]), 12);
		ck_assert(strncmp(a.name[i], "veth", 4) == 0);
		ck_assert_uint_eq(strspn(a.name[i] + 4, "0123456789abcdef"), 8);
		ck_assert_str_eq(a.name[i], again.name[i]);
		for (int k = 0; k < i; k++)
			ck_assert_str_ne(a.name[i], a.name[k]);
		for (size_t k = 0; k < CNI_ARRAY_SIZE(others); k++)
			ck_assert_str_ne(a.name[i], others[k].name[i]);
	}
	/* Attachments outlive the program that made them, so these never change. */
	ck_assert_str_eq(a.name[0], "veth9fb6ac25");
	ck_assert_str_eq(a.name[1], "vethb24dfdc0");
	ck_assert_uint_eq(a.unfinished, 0x438e48f3u);
	ck_assert_uint_eq(others[1].unfinished, a.unfinished);
	ck_assert_uint_ne(others[0].unfinished, a.unfinished);
}
END_TEST

START_TEST(an_alias_names_network_interface_and_container)
{
	struct cni_port_id id;

	identify("net1", "ctr1", "eth0", &id);
	ck_assert_str_eq(id.alias, "ccni net1 eth0 ctr1");
	ck_assert(cni_alias_is_ours(id.alias));
	ck_assert(cni_alias_is_of(id.alias, "net1"));
	ck_assert(!cni_alias_is_of(id.alias, "net"));
	ck_assert(!cni_alias_is_of(id.alias, "net12"));
	ck_assert(!cni_alias_is_of(id.alias, ""));
}
END_TEST

START_TEST(an_alias_without_room_is_the_owner)
{
	struct cni_port_id id, other;
	char owner[CNI_OWNER_LEN], longest[301];

	memset(longest, 'x', sizeof(longest) - 1);
	longest[300] = '\0';
	/* "ccni net1 eth0 " has 15 of the 255 bytes. */
	identify("net1", longest + 60, "eth0", &id);
	ck_assert_uint_eq(strlen(id.alias), 255);
	ck_assert(strncmp(id.alias, "ccni net1 eth0 xxx", 18) == 0);
	identify("net1", longest + 59, "eth0", &id);
	ck_assert_int_eq(cni_owner("net1", longest + 59, "eth0", owner), 0);
	ck_assert_str_eq(id.alias + 5, owner);
	ck_assert(cni_alias_is_of(id.alias, "net1"));
	ck_assert(!cni_alias_is_of(id.alias, "net2"));
	identify("net1", longest + 58, "eth0", &other);
	ck_assert_str_ne(id.alias, other.alias);
	identify(longest, "ctr1", "eth0", &id);
	ck_assert(cni_alias_is_of(id.alias, longest));
	ck_assert(!cni_alias_is_of(id.alias, longest + 1));
}
END_TEST

START_TEST(an_alias_of_somebody_else_is_not_ours)
{
	static const char *const others[] = { "", "ccni", "uplink to rack 7", "cni net1 eth0 a" };

	for (size_t i = 0; i < CNI_ARRAY_SIZE(others); i++) {
		ck_assert_msg(!cni_alias_is_ours(others[i]), "\"%s\"", others[i]);
		ck_assert_msg(!cni_alias_is_of(others[i], "net1"), "\"%s\"", others[i]);
	}
	ck_assert(!cni_alias_is_of("ccni net1", "net1"));
}
END_TEST

START_TEST(an_owner_is_two_hashes)
{
	char owner[CNI_OWNER_LEN];

	ck_assert_int_eq(cni_owner("c1net", "ctr1", "eth0", owner), 0);
	ck_assert_str_eq(owner, "4ba47a0e64c250d8-7883a6f9ce71eedb");
	ck_assert_int_eq(cni_owner("c1net", "ctr1", "eth1", owner), 0);
	ck_assert_str_eq(owner, "4ba47a0e64c250d8-148ce14770d00f64");
}
END_TEST

START_TEST(a_comment_is_what_the_go_plugin_writes)
{
	char comment[CNI_COMMENT_LEN];

	ck_assert_int_eq(cni_owner_comment("c1net", "ctr1", "eth0", comment), 0);
	ck_assert_str_eq(comment,
			 "4ba47a0e64c250d8-7883a6f9ce71eedb, net: c1net, if: eth0, id: ctr1");
}
END_TEST

START_TEST(a_comment_loses_double_quotes_only_from_its_text)
{
	char comment[CNI_COMMENT_LEN], owner[CNI_OWNER_LEN], plain[CNI_OWNER_LEN];

	ck_assert_int_eq(cni_owner_comment("c1net", "ctr1", "e\"th\"0", comment), 0);
	ck_assert_int_eq(cni_owner("c1net", "ctr1", "e\"th\"0", owner), 0);
	ck_assert_int_eq(cni_owner("c1net", "ctr1", "eth0", plain), 0);
	ck_assert_str_ne(owner, plain);
	ck_assert_int_eq(strncmp(comment, owner, strlen(owner)), 0);
	ck_assert_str_eq(comment + strlen(owner), ", net: c1net, if: eth0, id: ctr1");
}
END_TEST

START_TEST(a_comment_is_cut_to_128_bytes)
{
	/* After the owner (33), ", net: n" (8), ", if: eth0" (10) and ", id: " (6): 71 are left. */
	for (int len = 69; len < 300; len++) {
		char id[301], comment[CNI_COMMENT_LEN + 1];
		size_t n = len < 71 ? (size_t)len : 71;

		for (int i = 0; i < len; i++)
			id[i] = (char)('a' + i % 26);
		id[len] = '\0';
		comment[CNI_COMMENT_LEN] = 'x';
		ck_assert_int_eq(cni_owner_comment("n", id, "eth0", comment), 0);
		ck_assert_uint_eq(strlen(comment), 57 + n);
		ck_assert_int_eq(strncmp(comment + 57, id, n), 0);
		ck_assert_int_eq(comment[CNI_COMMENT_LEN], 'x');
	}
}
END_TEST

/* The Go plugins' own test vectors. */
START_TEST(a_chain_is_a_hash_of_network_and_container)
{
	char chain[CNI_CHAIN_NAME_LEN];

	ck_assert_int_eq(cni_chain_name("", "test", "1234", chain), 0);
	ck_assert_str_eq(chain, "CNI-2bbe0c48b91a7d1b8a6753a8");
	ck_assert_int_eq(cni_chain_name("", "testalongnamethatdoesnotmakesense", "1234", chain), 0);
	ck_assert_str_eq(chain, "CNI-374f33fe84ab0ed84dcdebe3");
	ck_assert_int_eq(cni_chain_name("PREFIX-", "test", "1234", chain), 0);
	ck_assert_str_eq(chain, "CNI-PREFIX-2bbe0c48b91a7d1b8");
	ck_assert_int_eq(cni_chain_name("DN-", "testnet", "cidA", chain), 0);
	ck_assert_str_eq(chain, "CNI-DN-52569ef82c0ccb6a4a27b");
}
END_TEST

static const struct {
	const char *key, *ifname;
	int result;
	const char *path;
} sysctls[] = {
	{ "net.core.somaxconn", "eth0", 0, "net/core/somaxconn" },
	{ "net/core/somaxconn", "eth0", 0, "net/core/somaxconn" },
	{ "net.ipv4.conf.IFNAME.arp_filter", "eth0", 0, "net/ipv4/conf/eth0/arp_filter" },
	{ "net.ipv4.conf.IFNAME.x", "eth0.100", 0, "net/ipv4/conf/eth0.100/x" },
	{ "net/ipv4/conf/eth0.100/x", "eth0.100", 0, "net/ipv4/conf/eth0/100/x" },
	{ "net.IFNAME.IFNAME", "eth0", 0, "net/eth0/IFNAME" },
	{ "net.IFNAME", "IFNAME", 0, "net/IFNAME" },
	{ "net.ipv4.conf.IFNAME.x", "..", 0, "net/ipv4/conf/../x" }, /* no name of an interface */
	{ "//net..core.somaxconn.", "eth0", 0, "net/core/somaxconn" },
	{ "net.ipv4.conf.../../kernel/core_pattern", "eth0", 0,
	  "net/ipv4/conf/kernel/core_pattern" },
	{ "net/../kernel/core_pattern", "eth0", 0, "net/kernel/core_pattern" },
	{ "kernel.hostname", "eth0", -EINVAL, "kernel/hostname" },
	{ "IFNAME.core", "kernel", -EINVAL, "kernel/core" },
	{ "net", "eth0", -EINVAL, "net" },
	{ "net.", "eth0", -EINVAL, "net" },
	{ "network.x", "eth0", -EINVAL, "network/x" },
	{ "", "eth0", -EINVAL, "" },
	{ "/", "eth0", -EINVAL, "" },
};

START_TEST(a_parameter_has_its_path_below_net)
{
	char path[CNI_SYSCTL_PATH_LEN];

	ck_assert_int_eq(cni_sysctl_path(sysctls[_i].key, sysctls[_i].ifname, path),
			 sysctls[_i].result);
	ck_assert_str_eq(path, sysctls[_i].path);
}
END_TEST

START_TEST(a_parameter_s_path_that_is_too_long_is_refused)
{
	char key[300] = "net.", path[CNI_SYSCTL_PATH_LEN];

	memset(key + 4, 'a', CNI_SYSCTL_PATH_LEN - 6);
	ck_assert_int_eq(cni_sysctl_path(key, "eth0", path), 0);
	ck_assert_uint_eq(strlen(path), CNI_SYSCTL_PATH_LEN - 2);
	memset(key + 4, 'a', sizeof(key) - 5);
	ck_assert_int_eq(cni_sysctl_path(key, "eth0", path), -ENAMETOOLONG);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("names");
	TCase *tc = tcase_create("names");

	suite_add_tcase(suite, tc);
	tcase_add_test(tc, a_name_is_letters_digits_and_three_marks);
	tcase_add_loop_test(tc, an_interface_name_follows_the_kernels_rules, 0,
			    CNI_ARRAY_SIZE(ifnames));
	tcase_add_test(tc, a_refused_interface_name_is_invalid);
	tcase_add_test(tc, a_path_component_stays_in_its_directory);
	tcase_add_test(tc, a_host_end_is_veth_and_eight_digits);
	tcase_add_test(tc, an_alias_names_network_interface_and_container);
	tcase_add_test(tc, an_alias_without_room_is_the_owner);
	tcase_add_test(tc, an_alias_of_somebody_else_is_not_ours);
	tcase_add_test(tc, an_owner_is_two_hashes);
	tcase_add_test(tc, a_comment_is_what_the_go_plugin_writes);
	tcase_add_test(tc, a_comment_loses_double_quotes_only_from_its_text);
	tcase_add_test(tc, a_comment_is_cut_to_128_bytes);
	tcase_add_test(tc, a_chain_is_a_hash_of_network_and_container);
	tcase_add_loop_test(tc, a_parameter_has_its_path_below_net, 0, CNI_ARRAY_SIZE(sysctls));
	tcase_add_test(tc, a_parameter_s_path_that_is_too_long_is_refused);
	return run_suite(suite);
}
