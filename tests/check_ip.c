/*
 * Addresses, prefixes and MACs: the texts that Go's net package takes and prints, and the arithmetic.
 */
#include "ip.h"
#include "suite.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct cni_ip ip_of(const char *text)
{
	struct cni_ip ip = { 0 };

	ck_assert_msg(cni_ip_parse(text, &ip) == 0, "\"%s\" is refused", text);
	return ip;
}

static struct cni_prefix prefix_of(const char *text)
{
	struct cni_prefix p = { 0 };

	ck_assert_msg(cni_prefix_parse(text, &p) == 0, "\"%s\" is refused", text);
	return p;
}

/* Text in, and how it comes out again. */
static const struct {
	const char *in, *out;
} addresses[] = {
	{ "0.0.0.0", "0.0.0.0" },
	{ "255.255.255.255", "255.255.255.255" },
	{ "10.1.0.2", "10.1.0.2" },
	{ "::", "::" },
	{ "::1", "::1" },
	{ "1::", "1::" },
	{ "FE80::ABCD", "fe80::abcd" },
	{ "2001:0db8:0000:0001:0000:0000:0000:0002", "2001:db8:0:1::2" },
	{ "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8" },
	{ "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304" },
	{ "::10.0.0.1", "::a00:1" }, /* v4-compatible is no IPv4 address */
	{ "64:ff9b::1.2.3.4", "64:ff9b::102:304" },
	{ "::ffff:10.0.0.5", "10.0.0.5" },
	{ "::ffff:0a00:0005", "10.0.0.5" },
	{ "::ffff:0:0", "0.0.0.0" },
	{ "::fffe:10.0.0.5", "::fffe:a00:5" },
	{ "1:0:0:2:0:0:0:3", "1:0:0:2::3" }, /* the longest run */
	{ "1:0:0:2:3:0:0:4", "1::2:3:0:0:4" }, /* the first of two as long */
	{ "1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7" }, /* one group is no run */
	{ "0:0:1:2:3:4:5:6", "::1:2:3:4:5:6" },
	{ "1:2:3:4:5:6:0:0", "1:2:3:4:5:6::" },
	{ "1::2:3:4:5:6:7", "1:0:2:3:4:5:6:7" }, /* "::" for one group is taken */
	{ "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
	  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
};

START_TEST(an_address_is_printed_as_rfc_5952_says)
{
	char text[CNI_IP_STRLEN];
	struct cni_ip ip = ip_of(addresses[_i].in), again;

	ck_assert_str_eq(cni_ip_format(&ip, text), addresses[_i].out);
	again = ip_of(text);
	ck_assert_int_eq(cni_ip_cmp(&ip, &again), 0);
	ck_assert_int_eq(ip.family, strchr(text, ':') ? AF_INET6 : AF_INET);
}
END_TEST

static const char *const no_addresses[] = {
	"",
	" ",
	"x",
	"10",
	"10.1",
	"10.1.0",
	"10.1.0.2.3",
	"10.1.0.",
	".10.1.0",
	"10..0.1",
	"10.1.0.256",
	"10.1.0.1000",
	"10.1.0.02",
	"010.1.0.2",
	"10.1.0.00",
	"+10.1.0.2",
	"-1.1.0.2",
	"0x0a.1.0.2",
	" 10.1.0.2",
	"10.1.0.2 ",
	"10.1.0.2\n",
	"10.1.0.2/24",
	"fe80::1%eth0",
	"fe80::1%",
	":",
	":::",
	":1::2",
	"1::2::3",
	"1:2:3:4:5:6:7",
	"1:2:3:4:5:6:7:8:9",
	"1:2:3:4:5:6:7::8:9",
	"1:2:3:4::5:6:7:8",
	"12345::",
	"g::",
	"::1.2.3",
	"::1.2.3.04",
	"::1.2.3.4.5",
	"::1.2.3.4:5",
	"1:2:3:4:5:6:7:1.2.3.4",
	"[::1]",
};

START_TEST(what_go_refuses_as_an_address_is_refused)
{
	struct cni_ip ip = { .family = 77 };

	ck_assert_int_eq(cni_ip_parse(no_addresses[_i], &ip), -EINVAL);
	ck_assert_int_eq(ip.family, 77);
}
END_TEST

static const struct {
	const char *in, *out, *network, *last;
} prefixes[] = {
	{ "10.1.2.3/24", "10.1.2.3/24", "10.1.2.0", "10.1.2.255" },
	{ "10.1.2.3/08", "10.1.2.3/8", "10.0.0.0", "10.255.255.255" },
	{ "10.1.2.3/0032", "10.1.2.3/32", "10.1.2.3", "10.1.2.3" },
	{ "10.1.2.3/31", "10.1.2.3/31", "10.1.2.2", "10.1.2.3" },
	{ "10.1.2.3/0", "10.1.2.3/0", "0.0.0.0", "255.255.255.255" },
	{ "10.1.2.255/9", "10.1.2.255/9", "10.0.0.0", "10.127.255.255" },
	{ "fd00::5/64", "fd00::5/64", "fd00::", "fd00::ffff:ffff:ffff:ffff" },
	{ "fd00::5/127", "fd00::5/127", "fd00::4", "fd00::5" },
	{ "fd00::5/128", "fd00::5/128", "fd00::5", "fd00::5" },
	{ "fd00::5/0", "fd00::5/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
	{ "::a00:1/64", "::a00:1/64", "::", "::ffff:ffff:ffff:ffff" },
	{ "::ffff:10.0.0.5/120", "10.0.0.5/24", "10.0.0.0", "10.0.0.255" },
	{ "::ffff:10.0.0.5/128", "10.0.0.5/32", "10.0.0.5", "10.0.0.5" },
	{ "::ffff:10.0.0.5/96", "10.0.0.5/0", "0.0.0.0", "255.255.255.255" },
};

START_TEST(a_prefix_keeps_its_host_bits)
{
	struct cni_prefix p = prefix_of(prefixes[_i].in);
	struct cni_ip network = cni_prefix_network(&p), last = cni_prefix_last(&p);
	char text[CNI_PREFIX_STRLEN];

	ck_assert_str_eq(cni_prefix_format(&p, text), prefixes[_i].out);
	ck_assert_str_eq(cni_ip_format(&network, text), prefixes[_i].network);
	ck_assert_str_eq(cni_ip_format(&last, text), prefixes[_i].last);
	ck_assert(cni_prefix_contains(&p, &p.ip));
	ck_assert(cni_prefix_contains(&p, &network));
	ck_assert(cni_prefix_contains(&p, &last));
	if (cni_ip_next(&last) == 0)
		ck_assert(!cni_prefix_contains(&p, &last));
	if (cni_ip_prev(&network) == 0)
		ck_assert(!cni_prefix_contains(&p, &network));
}
END_TEST

static const char *const no_prefixes[] = {
	"",
	"/",
	"/24",
	"10.1.0.0",
	"10.1.0.0/",
	"10.1.0.0/ 24",
	"10.1.0.0/24 ",
	" 10.1.0.0/24",
	"10.1.0.0/+24",
	"10.1.0.0/-1",
	"10.1.0.0/33",
	"10.1.0.0/033",
	"10.1.0.0/4294967320", /* 24, were it cut to 32 bits */
	"10.1.0.0/18446744073709551640",
	"10.1.0.0/0x18",
	"10.1.0.0/24/24",
	"10.1.0.0/255.255.255.0",
	"10.01.0.0/24",
	"fd00::/129",
	"fe80::1%eth0/64",
	"::ffff:10.0.0.5/129",
	"fd00:0000:0000:0000:0000:0000:0000:0000:0000:0000/64",
};

START_TEST(what_go_refuses_as_a_prefix_is_refused)
{
	struct cni_prefix p = { .len = 777 };

	ck_assert_int_eq(cni_prefix_parse(no_prefixes[_i], &p), -EINVAL);
	ck_assert_uint_eq(p.len, 777);
}
END_TEST

START_TEST(no_address_is_printed_as_nil)
{
	struct cni_prefix none = { 0 };
	char text[CNI_PREFIX_STRLEN];

	ck_assert_str_eq(cni_prefix_format(&none, text), "<nil>");
	ck_assert_str_eq(cni_ip_format(&none.ip, text), "<nil>");
}
END_TEST

static const struct {
	const char *lower, *upper;
} neighbours[] = {
	{ "10.0.0.1", "10.0.0.2" },
	{ "10.0.0.255", "10.0.1.0" },
	{ "9.255.255.255", "10.0.0.0" },
	{ "0.0.0.0", "0.0.0.1" },
	{ "255.255.255.254", "255.255.255.255" },
	{ "::", "::1" },
	{ "::ffff", "::1:0" },
	{ "fd00::ffff:ffff:ffff:ffff", "fd00:0:0:1::" },
	{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
};

START_TEST(next_and_prev_carry)
{
	struct cni_ip lower = ip_of(neighbours[_i].lower), upper = ip_of(neighbours[_i].upper);
	struct cni_ip a = lower, b = upper;

	ck_assert_int_lt(cni_ip_cmp(&lower, &upper), 0);
	ck_assert_int_gt(cni_ip_cmp(&upper, &lower), 0);
	ck_assert_int_eq(cni_ip_next(&a), 0);
	ck_assert_int_eq(cni_ip_cmp(&a, &upper), 0);
	ck_assert_int_eq(cni_ip_prev(&b), 0);
	ck_assert_int_eq(cni_ip_cmp(&b, &lower), 0);
}
END_TEST

START_TEST(the_ends_of_a_family_do_not_wrap)
{
	static const char *const ends[][2] = {
		{ "0.0.0.0", "255.255.255.255" },
		{ "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
	};

	for (size_t i = 0; i < CNI_ARRAY_SIZE(ends); i++) {
		struct cni_ip first = ip_of(ends[i][0]), last = ip_of(ends[i][1]);
		struct cni_ip a = first, b = last;

		ck_assert_int_eq(cni_ip_prev(&a), -ERANGE);
		ck_assert_mem_eq(&a, &first, sizeof(a));
		ck_assert_int_eq(cni_ip_next(&b), -ERANGE);
		ck_assert_mem_eq(&b, &last, sizeof(b));
	}
}
END_TEST

START_TEST(families_do_not_mix)
{
	struct cni_prefix four = prefix_of("0.0.0.0/0"), six = prefix_of("::/0");
	struct cni_ip a = ip_of("0.0.0.0"), b = ip_of("::"), none = { 0 };

	ck_assert(cni_prefix_is_default(&four));
	ck_assert(cni_prefix_is_default(&six));
	ck_assert(!cni_prefix_contains(&four, &b));
	ck_assert(!cni_prefix_contains(&six, &a));
	ck_assert(!cni_prefix_contains(&four, &none));
	ck_assert_int_ne(cni_ip_cmp(&a, &b), 0);
	ck_assert_int_eq(cni_ip_cmp(&a, &b), -cni_ip_cmp(&b, &a));
	six.len = 1;
	ck_assert(!cni_prefix_is_default(&six));
	four.ip.b[3] = 1;
	ck_assert(!cni_prefix_is_default(&four));
}
END_TEST

START_TEST(a_mac_has_three_spellings)
{
	static const char *const spellings[] = {
		"0a:1b:2C:3d:4E:5f",
		"0A-1b-2c-3D-4e-5F",
		"0a1B.2c3d.4E5f",
	};

	for (size_t i = 0; i < CNI_ARRAY_SIZE(spellings); i++) {
		uint8_t mac[CNI_MAC_LEN];
		char text[CNI_MAC_STRLEN];

		ck_assert_int_eq(cni_mac_parse(spellings[i], mac), 0);
		ck_assert_str_eq(cni_mac_format(mac, text), "0a:1b:2c:3d:4e:5f");
	}
}
END_TEST

START_TEST(what_is_no_mac_of_six_bytes_is_refused)
{
	static const char *const wrong[] = {
		"",
		"0a:1b:2c:3d:4e",
		"0a:1b:2c:3d:4e:5f:60:71", /* an EUI-64: Go takes it, but no link here does */
		"0a:1b-2c:3d:4e:5f",
		"0a:1b:2c:3d:4e:5g",
		"0a:1b:2c:3d:4e:5",
		"a:1b:2c:3d:4e:5f0",
		"0a:1b:2c:3d:4e:5f ",
		" a:1b:2c:3d:4e:5f",
		"0a1b2c3d4e5f",
		"0a1b:2c3d:4e5f",
		"0a1b.2c3d-4e5f",
		"0a1b.2c3d.4e5",
		"0a.1b.2c.3d.4e.5f",
		"0a 1b 2c 3d 4e 5f",
		"+a:1b:2c:3d:4e:5f",
	};
	const uint8_t before[CNI_MAC_LEN] = { 1, 2, 3, 4, 5, 6 };

	for (size_t i = 0; i < CNI_ARRAY_SIZE(wrong); i++) {
		uint8_t mac[CNI_MAC_LEN] = { 1, 2, 3, 4, 5, 6 };

		ck_assert_msg(cni_mac_parse(wrong[i], mac) == -EINVAL, "\"%s\"", wrong[i]);
		ck_assert_mem_eq(mac, before, sizeof(mac));
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ip");
	TCase *tc = tcase_create("ip");

	suite_add_tcase(suite, tc);
	tcase_add_loop_test(tc, an_address_is_printed_as_rfc_5952_says, 0,
			    CNI_ARRAY_SIZE(addresses));
	tcase_add_loop_test(tc, what_go_refuses_as_an_address_is_refused, 0,
			    CNI_ARRAY_SIZE(no_addresses));
	tcase_add_loop_test(tc, a_prefix_keeps_its_host_bits, 0, CNI_ARRAY_SIZE(prefixes));
	tcase_add_loop_test(tc, what_go_refuses_as_a_prefix_is_refused, 0,
			    CNI_ARRAY_SIZE(no_prefixes));
	tcase_add_test(tc, no_address_is_printed_as_nil);
	tcase_add_loop_test(tc, next_and_prev_carry, 0, CNI_ARRAY_SIZE(neighbours));
	tcase_add_test(tc, the_ends_of_a_family_do_not_wrap);
	tcase_add_test(tc, families_do_not_mix);
	tcase_add_test(tc, a_mac_has_three_spellings);
	tcase_add_test(tc, what_is_no_mac_of_six_bytes_is_refused);
	return run_suite(suite);
}
