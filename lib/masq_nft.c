/*
 * Masquerading in native nf_tables: table "inet cni_plugins_masquerade" with the chains, rules and
 * comments of the Go plugins' nftables backend; see masq.h.
 *
 * One rule per address, in one atomic batch over one socket. Rules carry their owner (names.h) in the
 * comment, so removing them needs neither the address nor the namespace.
 */
#include "masq_backend.h"
#include "names.h"
#include "nft_expr.h"
#include "nft_find.h"
#include "nft_look.h"
#include "nft_udata.h"
#include "owners.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_ipv4.h>
#include <stdio.h>
#include <string.h>

#define TABLE "cni_plugins_masquerade"
#define CHECKS "masq_checks"
#define POSTROUTING "postrouting"
#define FAMILY NFPROTO_INET

/* Rules deleted in one transaction. */
#define DELETE_MAX 200
/* Others may change the table while we look, or delete a rule before our transaction does. */
#define DELETE_TRIES 100
#define LIST_TRIES 100

static int failed(struct cni_error *err, int r, const char *what)
{
	cni_fail(err, CNI_E_INTERNAL, -r, "failed to %s in nf_tables table inet %s", what, TABLE);
	if (r == -EPROTONOSUPPORT || r == -EOPNOTSUPP || r == -EAFNOSUPPORT)
		cni_error_detail(err, "the kernel has no nf_tables (modules nf_tables, nft_masq); "
				      "ipMasqBackend nftables needs it");
	return r;
}

static void append_return(struct cni_nft *nft, const char *multicast)
{
	struct nftnl_rule *rule = cni_nft_rule(FAMILY, TABLE, POSTROUTING, "");
	struct cni_prefix p;

	if (rule && cni_prefix_parse(multicast, &p) == 0) {
		cni_nft_match_addr(rule, CNI_NFT_DESTINATION, true, &p);
		cni_nft_verdict(rule, NFT_RETURN, NULL);
	}
	cni_nft_rule_append_take(nft, rule);
}

/* What is removed, the kernel waits for: so it is looked at whether the shared part has to be written anew. */
static bool base_is_whole(struct cni_nft *nft)
{
	return cni_nft_chain_use(nft, FAMILY, TABLE, POSTROUTING) == 3 &&
	       cni_nft_chain_use(nft, FAMILY, TABLE, CHECKS) > 0;
}

/* The part that all networks share, so that it is whole whatever happened. */
static void ensure_base(struct cni_nft *nft)
{
	static const struct cni_nft_hook hook = { .type = "nat",
						  .hook = NF_INET_POST_ROUTING,
						  .priority = NF_IP_PRI_NAT_SRC };
	struct nftnl_rule *rule;

	cni_nft_table(nft, FAMILY, TABLE,
		      "Masquerading for plugins from github.com/containernetworking/plugins");
	cni_nft_chain(nft, FAMILY, TABLE, CHECKS, NULL,
		      "Masquerade traffic from certain IPs to any (non-multicast) IP outside their "
		      "subnet");
	cni_nft_chain(nft, FAMILY, TABLE, POSTROUTING, &hook, "");
	cni_nft_flush(nft, FAMILY, TABLE, POSTROUTING);
	append_return(nft, "224.0.0.0/4");
	append_return(nft, "ff00::/8");
	rule = cni_nft_rule(FAMILY, TABLE, POSTROUTING, "");
	cni_nft_verdict(rule, NFT_GOTO, CHECKS);
	cni_nft_rule_append_take(nft, rule);
}

static int nft_del(const struct cni_args *args, struct cni_error *err);

/* An earlier ADD's rules go first: an anchor leads to those of one transaction. */
static int start_over(struct cni_nft *nft, const char *owner, const struct cni_args *args,
		      struct cni_error *err)
{
	int r = cni_nft_has_anchor(nft, FAMILY, TABLE, owner);

	if (r < 0)
		return failed(err, r, "masquerade");
	return r > 0 ? nft_del(args, err) : 0;
}

/* What ADD makes. */
struct masq {
	char comment[CNI_COMMENT_LEN], owner[CNI_OWNER_LEN];
	const struct cni_result *res;
	bool random_fully;
};

static int put_rules(struct cni_nft *nft, const struct masq *m, bool whole)
{
	if (!whole)
		ensure_base(nft);
	cni_nft_anchor(nft, FAMILY, TABLE, m->owner, (unsigned int)m->res->n_ips);
	for (size_t i = 0; i < m->res->n_ips; i++) {
		struct nftnl_rule *rule = cni_nft_rule(FAMILY, TABLE, CHECKS, m->comment);
		const struct cni_prefix *address = &m->res->ips[i].address;
		struct cni_prefix self = { .ip = address->ip };

		self.len = cni_ip_bits(&self.ip);
		if (rule) {
			cni_nft_match_addr(rule, CNI_NFT_SOURCE, true, &self);
			cni_nft_match_addr(rule, CNI_NFT_DESTINATION, false, address);
			if (m->random_fully)
				cni_nft_masquerade_random(rule);
			else
				cni_nft_masquerade(rule);
		}
		cni_nft_rule_append_take(nft, rule);
	}
	return cni_nft_commit(nft);
}

static int nft_add(const struct cni_args *args, const struct cni_result *res, bool random_fully,
		   struct cni_error *err)
{
	cni_auto(nft) struct cni_nft nft = { 0 };
	struct masq m = { .res = res, .random_fully = random_fully };
	int r;

	r = cni_owner_comment(args->name, args->containerid, args->ifname, m.comment);
	if (r == 0)
		r = cni_owner(args->name, args->containerid, args->ifname, m.owner);
	if (r == 0)
		r = cni_nft_open(&nft);
	if (r < 0)
		return failed(err, r, "masquerade");
	r = start_over(&nft, m.owner, args, err);
	if (r < 0)
		return r;
	r = put_rules(&nft, &m, base_is_whole(&nft));
	if (r == -ENOENT) /* somebody removed the table meanwhile */
		r = put_rules(&nft, &m, false);
	return r < 0 ? failed(err, r, "masquerade") : 0;
}

/* Rules of one owner. */
struct tally {
	const char *owner;
	unsigned int n;
};

static int count(const struct nftnl_rule *rule, void *ctx)
{
	struct tally *t = ctx;

	t->n += strncmp(cni_nft_comment(rule), t->owner, strlen(t->owner)) == 0;
	return 0;
}

static int count_rules(struct tally *t)
{
	int r = -EINTR;

	for (int i = 0; i < LIST_TRIES && r == -EINTR; i++) {
		cni_auto(nft) struct cni_nft nft = { 0 };

		t->n = 0;
		r = cni_nft_open(&nft);
		if (r == 0)
			r = cni_nft_each_rule(&nft, FAMILY, TABLE, CHECKS, count, t);
	}
	return r;
}

static void nft_check(const struct cni_args *args, const struct cni_result *prev,
		      struct cni_faults *f)
{
	char owner[CNI_OWNER_LEN], want[32], have[32];
	struct tally t = { .owner = owner };
	struct cni_error why = { 0 };
	int r;

	r = cni_owner(args->name, args->containerid, args->ifname, owner);
	if (r == 0)
		r = count_rules(&t);
	if (r < 0) {
		(void)failed(&why, r, "look for masquerade rules");
		cni_faults_add_error(f, "error", &why);
	} else if (t.n < prev->n_ips) {
		snprintf(want, sizeof(want), "%zu rules", prev->n_ips);
		snprintf(have, sizeof(have), "%u rules", t.n);
		cni_faults_add(f, &(struct cni_fault){ "masquerade", args->ifname, want, have },
			       "Masquerade rules of interface %s not found in nf_tables table inet "
			       "%s: it has %s, not %s",
			       args->ifname, TABLE, have, want);
	}
}

/* Which rules to delete: those of an attachment, or of all of a network's that are not valid. */
struct sweep {
	const char *owner;
	const struct cni_owners *valid; /* with GC */
	uint64_t handle[DELETE_MAX];
	unsigned int n;
};

static int consider(const struct nftnl_rule *rule, void *ctx)
{
	const char *comment = cni_nft_comment(rule);
	struct sweep *s = ctx;

	if (s->n < DELETE_MAX && (s->valid ? cni_owners_stale(s->valid, comment)
					   : strncmp(comment, s->owner, CNI_OWNER_LEN - 1) == 0))
		s->handle[s->n++] = nftnl_rule_get_u64(rule, NFTNL_RULE_HANDLE);
	return 0;
}

static bool is_own(const struct nftnl_rule *rule, const void *owner)
{
	return strncmp(cni_nft_comment(rule), owner, CNI_OWNER_LEN - 1) == 0;
}

/* @return how much there is to remove: rules, and anchors; negative errno */
static int put_removals(struct cni_nft *nft, struct sweep *s)
{
	static const char *const chains[] = { CHECKS, NULL };
	int anchors, r;

	anchors = s->valid ? cni_nft_anchors_sweep(nft, FAMILY, TABLE, s->valid)
			   : cni_nft_anchored_delete(nft, FAMILY, TABLE, s->owner, chains, is_own,
						     s->owner);
	s->n = 0;
	if (anchors > 0 && !s->valid) /* it led to all of them */
		return anchors;
	if (anchors < 0 && anchors != -ENOENT)
		return anchors;
	r = cni_nft_each_rule(nft, FAMILY, TABLE, CHECKS, consider, s);
	for (unsigned int i = 0; i < s->n && r == 0; i++)
		cni_nft_rule_delete(nft, FAMILY, TABLE, CHECKS, s->handle[i]);
	return r < 0 ? r : (int)s->n + (s->valid ? anchors : anchors == 0);
}

static int sweep(struct sweep *s, struct cni_error *err)
{
	int tries = DELETE_TRIES, r;

	do {
		cni_auto(nft) struct cni_nft nft = { 0 };

		r = cni_nft_open(&nft);
		if (r == 0)
			r = put_removals(&nft, s);
		if (r > 0)
			r = cni_nft_commit(&nft);
	} while (((r == -ENOENT || r == -EINTR) && tries-- > 0) || (r == 0 && s->n == DELETE_MAX));
	if (cni_nft_is_absent(r))
		return 0; /* no nf_tables in this kernel: no rules */
	return r < 0 ? failed(err, r, "remove masquerade rules") : 0;
}

static int nft_del(const struct cni_args *args, struct cni_error *err)
{
	char owner[CNI_OWNER_LEN];
	struct sweep s = { .owner = owner };
	int r;

	r = cni_owner(args->name, args->containerid, args->ifname, owner);
	return r < 0 ? failed(err, r, "remove masquerade rules") : sweep(&s, err);
}

static int nft_gc(const struct cni_args *args, struct cni_error *err)
{
	cni_auto(owners) struct cni_owners valid = { 0 };
	struct sweep s = { .valid = &valid };
	int r;

	r = cni_owners_valid(args, &valid);
	return r < 0 ? failed(err, r, "remove masquerade rules") : sweep(&s, err);
}

const struct cni_masq_backend cni_masq_nft = {
	.name = "nftables",
	.add = nft_add,
	.check = nft_check,
	.del = nft_del,
	.gc = nft_gc,
};
