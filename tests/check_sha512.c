/*
 * SHA-512: the standard's examples, and lengths around the borders of its blocks (with 112 bytes and
 * more in the last block the padding needs another one). Expected values are of sha512sum(1).
 */
#include "sha512.h"
#include "suite.h"

#include <check.h>
#include <string.h>

/* clang-format off */
static const struct {
	size_t len; /* so many times "a" */
	const char *hash;
} runs[] = {
	{ 0, "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e" },
	{ 1, "1f40fc92da241694750979ee6cf582f2d5d7d28e18335de05abc54d0560e0f5302860c652bf08d560252aa5e74210546f369fbbbce8c12cfc7957b2652fe9a75" },
	{ 3, "d6f644b19812e97b5d871658d6d3400ecd4787faeb9b8990c1e7608288664be77257104a58d033bcf1a0e0945ff06468ebe53e2dff36e248424c7273117dac09" },
	{ 55, "b0220c772cbf6c1822e2cb38a437d0e1d58772417a4bbb21c961364f8b6143e05aa6316dca8d1d7b19e16448419076395f6086cb55101fbd6d5497b148e1745f" },
	{ 63, "c1b0f5c6d3b03dfe4a2602e67242f54e344090b66e01100a469b129f583f016c7e27dddeaa438393dcc7ec54b0b57c9ba7af007f9b56db5f6fb677d972a31362" },
	{ 64, "01d35c10c6c38c2dcf48f7eebb3235fb5ad74a65ec4cd016e2354c637a8fb49b695ef3c1d6f7ae4cd74d78cc9c9bcac9d4f23a73019998a7f73038a5c9b2dbde" },
	{ 110, "c825949632e509824543f7eaf159fb6041722fce3c1cdcbb613b3d37ff107c519417baac32f8e74fe29d7f4823bf6886956603dca5354a6ed6e4a542e06b7d28" },
	{ 111, "fa9121c7b32b9e01733d034cfc78cbf67f926c7ed83e82200ef86818196921760b4beff48404df811b953828274461673c68d04e297b0eb7b2b4d60fc6b566a2" },
	{ 112, "c01d080efd492776a1c43bd23dd99d0a2e626d481e16782e75d54c2503b5dc32bd05f0f1ba33e568b88fd2d970929b719ecbb152f58f130a407c8830604b70ca" },
	{ 113, "55ddd8ac210a6e18ba1ee055af84c966e0dbff091c43580ae1be703bdb85da31acf6948cf5bd90c55a20e5450f22fb89bd8d0085e39f85a86cc46abbca75e24d" },
	{ 119, "130396a75cb483f2eee8c56d8a668bb3d2641f5243212c0bee2bd33da096ad9eb8179fe18f9eaacf76e09fae9de4c3f14ba13341e345be05bf76c182cc3468cb" },
	{ 120, "f241de612b01aa2fa3cf01531d2a8e5e17fc761dfd48a704a834a47f57d6eade7804ecc39be42fdef16ec6adeaf7c01c2fd0c4cc97d3860907cfa4a3b36d0c05" },
	{ 126, "9986e67bf52a755f8924f28dae9627f889a45d466ce8616c4ed68ec3afd7a3a14785c335c6c68d62e7379af762b2bc17117a902083a99fae337a268a5d4f4427" },
	{ 127, "828613968b501dc00a97e08c73b118aa8876c26b8aac93df128502ab360f91bab50a51e088769a5c1eff4782ace147dce3642554199876374291f5d921629502" },
	{ 128, "b73d1929aa615934e61a871596b3f3b33359f42b8175602e89f7e06e5f658a243667807ed300314b95cacdd579f3e33abdfbe351909519a846d465c59582f321" },
	{ 129, "4f681e0bd53cda4b5a2041cc8a06f2eabde44fb16c951fbd5b87702f07aeab611565b19c47fde30587177ebb852e3971bbd8d3fd30da18d71037dfbd98420429" },
	{ 238, "7f341c9f9d83e00281e640a549ca2a3adebcfb0533d46e3b4c7a6c7f6166fa17688e741e21224a6a27ab10e201b03105c9eb6abecb4ed92f85894c9ff8a8bc0b" },
	{ 239, "52c853cb8d907f3d4d6b889beb027985d7c273486d75f8baf26f80d24e90c74c6c3de3e22131582380a7d14d43f2941a31385439cd6ddc469f628015e50bf286" },
	{ 240, "4c296d90c61052a62ffb1dd196f1b7b09373b1f93e71836baebf89690546b7595684dbe9467a8e484fa0d1094272b4344a7c24f5fee8daedeb0bf549c985ab5f" },
	{ 241, "81bd43dcdb4d9a7bae6f4f3ebd771d5988481613097aa5de5774f9fdfc1d4230a608fa1a9dfe3147dc88545df63513f93d13d92d27963926e5a3632aaed4c8bb" },
	{ 255, "d8b5a659e365f704ab114ae7079a8da24fb9997b3052a4a63b37d654652bad6fbdd2b52d737e20a9d5ac3c5831d6afdd32ff737a3dd95269d2793bc2aa850aab" },
	{ 256, "6a9169eb662f136d87374070e8828b3e615a7eca32a89446e9225b02832709be095e635c824a2bb70213ba2ea0ababac0809827843992c851903b7ac0c136699" },
	{ 257, "17fa1d01865805f9e657c5f5088754d19913eb418577b03cd040b99e5e1354fd31d0d7f24b5474c62b49e3271860859510909685c5811eba23b06e1e3369899d" },
	{ 1000, "67ba5535a46e3f86dbfbed8cbbaf0125c76ed549ff8b0b9e03e0c88cf90fa634fa7b12b47d77b694de488ace8d9a65967dc96df599727d3292a8d9d447709c97" },
};
/* clang-format on */

START_TEST(every_length_is_padded_right)
{
	char hash[CNI_SHA512_HEXLEN];
	/* Exactly as long as the input, so that AddressSanitizer sees a byte read too many. */
	char *text = malloc(runs[_i].len ? runs[_i].len : 1);

	ck_assert_ptr_nonnull(text);
	memset(text, 'a', runs[_i].len);
	cni_sha512_hex(text, runs[_i].len, hash);
	free(text);
	ck_assert_str_eq(hash, runs[_i].hash);
}
END_TEST

START_TEST(examples_of_the_standard)
{
	static const struct {
		const char *text, *hash;
	} examples[] = {
		{ "abc", "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
			 "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f" },
		{ "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
		  "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
		  "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018"
		  "501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909" },
	};
	char hash[CNI_SHA512_HEXLEN];

	for (size_t i = 0; i < CNI_ARRAY_SIZE(examples); i++) {
		cni_sha512_hex(examples[i].text, strlen(examples[i].text), hash);
		ck_assert_str_eq(hash, examples[i].hash);
	}
}
END_TEST

START_TEST(a_million_bytes)
{
	const size_t n = 1000000;
	char hash[CNI_SHA512_HEXLEN];
	char *text = malloc(n);

	ck_assert_ptr_nonnull(text);
	memset(text, 'a', n);
	cni_sha512_hex(text, n, hash);
	free(text);
	ck_assert_str_eq(hash, "e718483d0ce769644e2e42c7bc15b4638e1f98b13b2044285632a803afa973eb"
			       "de0ff244877ea60a4cb0432ce577c31beb009c5c2c49aa2e4eadb217ad8cc09b");
}
END_TEST

/* The Go plugins' chain names begin with these digits (reference: E6). */
START_TEST(hashes_in_chain_names)
{
	static const char *const names[][2] = {
		{ "test1234", "2bbe0c48b91a7d1b8a6753a8" },
		{ "testalongnamethatdoesnotmakesense1234", "374f33fe84ab0ed84dcdebe3" },
		{ "c1netctr1", "e6ea14d83526fa89a94ee1cf" },
	};
	char hash[CNI_SHA512_HEXLEN];

	for (size_t i = 0; i < CNI_ARRAY_SIZE(names); i++) {
		cni_sha512_hex(names[i][0], strlen(names[i][0]), hash);
		ck_assert_uint_eq(strlen(hash), CNI_SHA512_HEXLEN - 1);
		hash[24] = '\0';
		ck_assert_str_eq(hash, names[i][1]);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sha512");
	TCase *tc = tcase_create("sha512");

	suite_add_tcase(suite, tc);
	tcase_add_loop_test(tc, every_length_is_padded_right, 0, CNI_ARRAY_SIZE(runs));
	tcase_add_test(tc, examples_of_the_standard);
	tcase_add_test(tc, a_million_bytes);
	tcase_add_test(tc, hashes_in_chain_names);
	return run_suite(suite);
}
