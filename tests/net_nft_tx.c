/*
 * Transactions with several shares (lib/nft_tx.h), in the kernel: all of them or none, planned anew as long
 * as somebody is faster, and gone on with when one of them says that it has nothing to do.
 */
#include "nft.h"
#include "nft_set.h"
#include "nft_tx.h"
#include "world.h"

#include <linux/netfilter.h>
#include <sched.h>

/* A share that makes a table, or a chain in it that must not be there. */
struct maker {
	const char *table, *chain; /* NULL: the table */
	int result; /* of planning; enum cni_nft_planned */
	int fine; /* a failure that is none */
	bool drops_chain; /* and plans anew, if it is there */
	unsigned int planned, released;
	void (*disturb)(void); /* called after the first planning */
};

static int plan(void *ctx, struct cni_nft *nft)
{
	struct maker *m = ctx;

	if (m->result < CNI_NFT_ANYWAY)
		return m->result;
	if (m->chain && m->drops_chain && m->planned)
		cni_nft_chain_delete(nft, NFPROTO_IPV4, m->table, m->chain);
	if (m->chain)
		cni_nft_chain_new(nft, NFPROTO_IPV4, m->table, m->chain);
	else
		cni_nft_table(nft, NFPROTO_IPV4, m->table, "");
	if (m->planned++ == 0 && m->disturb)
		m->disturb();
	return m->result;
}

static bool is_stale(void *ctx, struct cni_nft *nft, int r)
{
	const struct maker *m = ctx;

	(void)nft;
	return r == -EEXIST && m->drops_chain && m->planned < 2;
}

static int failed(void *ctx, int r, struct cni_error *err)
{
	const struct maker *m = ctx;

	if (r == m->fine)
		return 0;
	cni_fail(err, CNI_E_INTERNAL, -r, "make %s", m->chain ? m->chain : m->table);
	return r;
}

static void release(void *ctx)
{
	struct maker *m = ctx;

	m->released++;
}

static const struct cni_nft_share_kind kind = {
	.plan = plan, .is_stale = is_stale, .failed = failed, .release = release
};

static int commit(struct maker *a, struct maker *b, struct maker *c, struct cni_error *err)
{
	struct cni_nft_tx tx = { .n = 0 };
	int r;

	ck_assert_int_eq(cni_nft_tx_share(&tx, &kind, a), 0);
	ck_assert_int_eq(cni_nft_tx_share(&tx, &kind, b), 0);
	ck_assert_int_eq(cni_nft_tx_share(&tx, &kind, c), 0);
	r = cni_nft_tx_commit(&tx, err);
	ck_assert_uint_eq(a->released, 1);
	ck_assert_uint_eq(b->released, 1);
	ck_assert_uint_eq(c->released, 1);
	ck_assert_uint_eq(tx.n, 0);
	return r;
}

static const char *tables(void)
{
	return sh("echo $(nft list tables | sort)");
}

START_TEST(what_one_is_refused_none_gets)
{
	struct maker a = { .table = "a", .result = CNI_NFT_ANYWAY };
	struct maker b = { .table = "old", .chain = "old", .result = CNI_NFT_ANYWAY };
	struct maker c = { .table = "c", .result = CNI_NFT_ANYWAY };
	struct cni_error err = { 0 };

	sh("nft add table ip old && nft add chain ip old old");
	ck_assert_int_eq(commit(&a, &b, &c, &err), -EEXIST);
	ck_assert_str_eq(err.msg, "make old: file exists"); /* whose failure it is */
	ck_assert_str_eq(tables(), "table ip old");
}
END_TEST

START_TEST(a_share_that_is_stale_has_all_planned_anew)
{
	struct maker a = { .table = "a", .result = CNI_NFT_ANYWAY };
	struct maker b = { .table = "old", .chain = "old", .result = CNI_NFT_DECIDED };
	struct maker c = { .table = "c", .result = CNI_NFT_ANYWAY };
	struct cni_error err = { 0 };

	b.drops_chain = true;
	sh("nft add table ip old && nft add chain ip old old && nft add rule ip old old drop");
	ck_assert_int_eq(commit(&a, &b, &c, &err), 0);
	ck_assert_uint_eq(a.planned, 2);
	ck_assert_uint_eq(b.planned, 2);
	ck_assert_str_eq(tables(), "table ip a table ip c table ip old");
	ck_assert_str_eq(sh("nft list table ip old | grep drop || true"), "");
}
END_TEST

START_TEST(without_a_share_that_says_it_is_fine_the_others_go_on)
{
	struct maker a = { .table = "a", .result = CNI_NFT_ANYWAY };
	struct maker b = {
		.table = "no", .chain = "no", .result = CNI_NFT_ANYWAY, .fine = -ENOENT
	};
	struct maker c = { .table = "c", .result = CNI_NFT_ANYWAY };
	struct cni_error err = { 0 };

	if (_i == 1) /* it fails before there is a batch */
		b.result = b.fine;
	ck_assert_int_eq(commit(&a, &b, &c, &err), 0);
	ck_assert(!err.set);
	ck_assert_str_eq(tables(), "table ip a table ip c");
}
END_TEST

static void somebody_is_faster(void)
{
	sh("nft add table ip faster");
}

START_TEST(who_decided_by_what_was_read_is_asked_again)
{
	struct maker a = { .table = "a", .result = CNI_NFT_ANYWAY };
	struct maker b = { .table = "b", .result = _i == 0 ? CNI_NFT_DECIDED : CNI_NFT_ANYWAY };
	struct maker c = { .table = "c", .result = CNI_NFT_NOTHING };
	struct cni_error err = { 0 };

	b.disturb = somebody_is_faster;
	ck_assert_int_eq(commit(&a, &b, &c, &err), 0);
	ck_assert_uint_eq(a.planned, _i == 0 ? 2 : 1);
	ck_assert_str_eq(tables(), "table ip a table ip b table ip faster");
}
END_TEST

START_TEST(there_is_an_end_to_shares)
{
	struct maker m = { .table = "m", .result = CNI_NFT_ANYWAY };
	struct cni_nft_tx tx = { .n = 0 };

	for (int i = 0; i < CNI_NFT_SHARES; i++)
		ck_assert_int_eq(cni_nft_tx_share(&tx, &kind, &m), 0);
	ck_assert_int_eq(cni_nft_tx_share(&tx, &kind, &m), -ENOSPC);
	ck_assert_int_eq(cni_nft_tx_share(&tx, &kind, NULL), -ENOMEM);
	ck_assert_uint_eq(m.released, 1);
	cni_nft_tx_done(&tx);
	ck_assert_uint_eq(m.released, CNI_NFT_SHARES + 1);
	ck_assert_str_eq(tables(), "");
}
END_TEST

static const struct cni_nft_set ports = { .family = NFPROTO_IPV4,
					  .table = "t",
					  .name = "ports",
					  .type = { CNI_NFT_PROTOCOL, CNI_NFT_PORT } };

/* Put a set with n elements, of some 200 bytes each, into one batch. */
static int commit_elements(unsigned int n)
{
	cni_auto(nft) struct cni_nft nft = { 0 };
	struct cni_nft_elem e = { .owner = "of nobody" };
	const char *comment = fmt("%0128d", 0);

	e.comment = comment;
	ck_assert_int_eq(cni_nft_open(&nft), 0);
	cni_nft_table(&nft, NFPROTO_IPV4, ports.table, "");
	cni_nft_set(&nft, &ports);
	for (unsigned int i = 0; i < n; i++) {
		e.key[0] = (uint8_t)(i >> 14);
		e.key[4] = (uint8_t)(i >> 8 & 0x3f);
		e.key[5] = (uint8_t)i;
		cni_nft_elem_add(&nft, &ports, &e, true);
	}
	return cni_nft_commit(&nft);
}

static void count_element(const struct cni_nft_elem *e, void *n)
{
	(void)e;
	++*(unsigned int *)n;
}

static unsigned int elements(void)
{
	cni_auto(nft) struct cni_nft nft = { 0 };
	unsigned int n = 0;

	ck_assert_int_eq(cni_nft_open(&nft), 0);
	ck_assert_int_eq(cni_nft_elem_each(&nft, &ports, count_element, &n), 0);
	return n;
}

/* More than a batch has room for when it begins. */
START_TEST(a_batch_grows_with_what_is_put_into_it)
{
	ck_assert_int_eq(commit_elements(50000), 0);
	ck_assert_uint_eq(elements(), 50000);
}
END_TEST

/* What no privilege raises is at least what the system allows everybody, and not its default, half of that. */
START_TEST(in_a_user_namespace_a_batch_may_be_as_long_as_the_system_allows)
{
	ck_assert_int_eq(unshare(CLONE_NEWUSER | CLONE_NEWNET), 0);
	ck_assert_int_eq(commit_elements(1500), 0);
	ck_assert_uint_eq(elements(), 1500);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("shares of a transaction");
	TCase *tc = tcase_create("shares");

	tcase_add_checked_fixture(tc, world_setup, world_teardown);
	tcase_add_test(tc, what_one_is_refused_none_gets);
	tcase_add_test(tc, a_share_that_is_stale_has_all_planned_anew);
	tcase_add_loop_test(tc, without_a_share_that_says_it_is_fine_the_others_go_on, 0, 2);
	tcase_add_loop_test(tc, who_decided_by_what_was_read_is_asked_again, 0, 2);
	tcase_add_test(tc, there_is_an_end_to_shares);
	tcase_add_test(tc, a_batch_grows_with_what_is_put_into_it);
	tcase_add_test(tc, in_a_user_namespace_a_batch_may_be_as_long_as_the_system_allows);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
