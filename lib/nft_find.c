/*
 * Rules found by the order in which they were made; see nft_find.h.
 */
#include "nft_find.h"
#include "nft_expr.h"

#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>
#include <string.h>

/* What is worth it: jumps to look for, and handles to ask for. */
#define JUMPS_MAX 16
#define PROBES_MAX 256
#define AND_MORE 2
/* An anchor says how many rules it has, but anybody may write one. */
#define ANCHORED_MAX 8192
/* Anchors that one transaction removes: a batch has its size. */
#define SWEPT_MAX 2000

/* ---- jumps ---- */

/* The rules of the chain that is led to. */
struct inside {
	uint64_t handle[PROBES_MAX]; /* of the first ones */
	uint64_t last; /* the highest handle */
	unsigned int n;
};

static int take_inside(const struct nftnl_rule *rule, void *ctx)
{
	uint64_t handle = nftnl_rule_get_u64(rule, NFTNL_RULE_HANDLE);
	struct inside *in = ctx;

	if (in->n < PROBES_MAX)
		in->handle[in->n] = handle;
	in->n++;
	if (handle > in->last)
		in->last = handle;
	return 0;
}

static bool is_inside(const struct inside *in, uint64_t handle)
{
	for (unsigned int i = 0; i < in->n; i++)
		if (in->handle[i] == handle)
			return true;
	return false;
}

struct jumps {
	struct nftnl_rule *rule[JUMPS_MAX]; /* owned */
	unsigned int n;
};

static inline void cni_auto_jumps(struct jumps *j)
{
	for (unsigned int i = 0; i < j->n; i++)
		nftnl_rule_free(j->rule[i]);
}

/*
 * Ask for `want` jumps between the chain's own handle and as many behind its last rule's, and a few more:
 * the chain that they are in may have been made with them.
 */
static int probe(struct cni_nft *nft, uint32_t family, const char *table, const char *chain,
		 const char *target, uint64_t first, const struct inside *in, unsigned int want,
		 struct jumps *found)
{
	uint64_t end = (in->last > first ? in->last : first) + want + AND_MORE;

	if (in->n > PROBES_MAX || end - first > in->n + PROBES_MAX)
		return 0;
	for (uint64_t h = first + 1; h <= end && found->n < want; h++) {
		cni_auto(nftnl_rule) struct nftnl_rule *rule = NULL;
		int r = is_inside(in, h) ? -ENOENT
					 : cni_nft_rule_get(nft, family, table, chain, h, &rule);

		if (r < 0 && r != -ENOENT)
			return r;
		if (r == 0 && cni_nft_leads_to(rule, target))
			found->rule[found->n++] = CNI_TAKE(rule);
	}
	return found->n == want;
}

int cni_nft_near_jumps(struct cni_nft *nft, uint32_t family, const char *table, const char *chain,
		       const char *target, int (*fn)(const struct nftnl_rule *rule, void *ctx),
		       void *ctx)
{
	cni_auto(jumps) struct jumps found = { .n = 0 };
	struct inside in = { .n = 0 };
	struct cni_nft_chain c;
	int r;

	r = cni_nft_chain_get(nft, family, table, target, &c);
	if (r == -ENOENT)
		return 1;
	if (r == 0)
		r = cni_nft_each_rule(nft, family, table, target, take_inside, &in);
	if (r < 0)
		return r;
	if (c.use < in.n || c.use - in.n > JUMPS_MAX) /* more, or changed meanwhile */
		return 0;
	r = probe(nft, family, table, chain, target, c.handle, &in, c.use - in.n, &found);
	if (r <= 0)
		return r;
	for (unsigned int i = 0; i < found.n; i++) {
		r = fn(found.rule[i], ctx);
		if (r < 0)
			return r;
	}
	return 1;
}

int cni_nft_rule_behind(struct cni_nft *nft, uint32_t family, const char *table, const char *chain,
			const char *marker, unsigned int k, struct nftnl_rule **ret)
{
	struct inside in = { .n = 0 };
	int r = cni_nft_each_rule(nft, family, table, marker, take_inside, &in);

	*ret = NULL;
	if (r == 0)
		r = in.n == 1 ? cni_nft_rule_get(nft, family, table, chain, in.last + k, ret)
			      : -ENOENT;
	return r;
}

/* ---- anchors ---- */

#define ANCHOR "rules-of-"
#define COMMENT "rules: "

struct anchor {
	char name[sizeof(ANCHOR) + CNI_OWNER_LEN];
};

static struct anchor name_of(const char *owner)
{
	struct anchor a;

	snprintf(a.name, sizeof(a.name), ANCHOR "%s", owner);
	return a;
}

void cni_nft_anchor(struct cni_nft *nft, uint32_t family, const char *table, const char *owner,
		    unsigned int n)
{
	char comment[32];

	snprintf(comment, sizeof(comment), COMMENT "%u", n);
	cni_nft_chain(nft, family, table, name_of(owner).name, NULL, comment);
}

int cni_nft_has_anchor(struct cni_nft *nft, uint32_t family, const char *table, const char *owner)
{
	return cni_nft_chain_exists(nft, family, table, name_of(owner).name);
}

/* What an anchor leads to. */
struct search {
	struct cni_nft *nft;
	uint32_t family;
	const char *table;
	const char *const *chains;
	bool (*is_own)(const struct nftnl_rule *rule, const void *ctx);
	const void *ctx;
	const char **in; /* owned; the chain of each rule */
	size_t at; /* the chain that had the last one: the next is likely to be there, too */
};

static inline void cni_auto_search(struct search *s)
{
	free(s->in);
}

/* @return 1 if one of the chains has a rule of this handle, and it is the owner's; 0; negative errno */
static int find(struct search *s, uint64_t handle)
{
	size_t n = 0;

	while (s->chains[n])
		n++;
	for (size_t i = 0; i < n; i++, s->at = (s->at + 1) % n) {
		cni_auto(nftnl_rule) struct nftnl_rule *rule = NULL;
		int r = cni_nft_rule_get(s->nft, s->family, s->table, s->chains[s->at], handle,
					 &rule);

		if (r != -ENOENT)
			return r < 0 ? r : s->is_own(rule, s->ctx);
	}
	return 0;
}

/* @return how many rules an anchor's comment says it has; 0 if that can't be */
static unsigned int count_of(const char *comment)
{
	size_t head = strlen(COMMENT);
	unsigned long n = strncmp(comment, COMMENT, head) == 0 ? strtoul(comment + head, NULL, 10)
							       : 0;

	return n <= ANCHORED_MAX ? (unsigned int)n : 0;
}

/* @return 1 if the anchor's rules are all there and the owner's; 0; negative errno */
static int find_all(struct search *s, uint64_t anchor, unsigned int n)
{
	int r = 1;

	if (n == 0)
		return 0;
	s->in = calloc(n, sizeof(*s->in));
	if (!s->in)
		return -ENOMEM;
	for (unsigned int i = 0; i < n && r > 0; i++) {
		r = find(s, anchor + 1 + i);
		s->in[i] = s->chains[s->at];
	}
	return r;
}

int cni_nft_anchored_delete(struct cni_nft *nft, uint32_t family, const char *table,
			    const char *owner, const char *const chains[],
			    bool (*is_own)(const struct nftnl_rule *rule, const void *ctx),
			    const void *ctx)
{
	cni_auto(search) struct search s = { .nft = nft,
					     .family = family,
					     .table = table,
					     .chains = chains,
					     .is_own = is_own,
					     .ctx = ctx };
	const struct anchor a = name_of(owner);
	struct cni_nft_chain c;
	unsigned int n;
	int r;

	r = cni_nft_chain_get(nft, family, table, a.name, &c);
	if (r < 0)
		return r;
	n = count_of(c.comment);
	r = find_all(&s, c.handle, n);
	for (unsigned int i = 0; i < n && s.in && r > 0; i++)
		cni_nft_rule_delete(nft, family, table, s.in[i], c.handle + 1 + i);
	if (r >= 0)
		cni_nft_chain_delete(nft, family, table, a.name);
	return r;
}

/* ---- GC ---- */

struct sweep {
	struct cni_nft *nft;
	const char *table;
	const struct cni_owners *valid;
	int n;
};

static int consider(const struct nlmsghdr *h, void *ctx)
{
	struct nftnl_chain *c = nftnl_chain_alloc();
	struct sweep *s = ctx;
	const char *name;

	if (!c)
		return -ENOMEM;
	if (s->n < SWEPT_MAX && nftnl_chain_nlmsg_parse(h, c) == 0 &&
	    strcmp(nftnl_chain_get_str(c, NFTNL_CHAIN_TABLE), s->table) == 0) {
		name = nftnl_chain_get_str(c, NFTNL_CHAIN_NAME);
		if (strncmp(name, ANCHOR, strlen(ANCHOR)) == 0 &&
		    cni_owners_stale(s->valid, name + strlen(ANCHOR))) {
			cni_nft_chain_delete(s->nft, nftnl_chain_get_u32(c, NFTNL_CHAIN_FAMILY),
					     s->table, name);
			s->n++;
		}
	}
	nftnl_chain_free(c);
	return 0;
}

int cni_nft_anchors_sweep(struct cni_nft *nft, uint32_t family, const char *table,
			  const struct cni_owners *valid)
{
	struct sweep s = { .nft = nft, .table = table, .valid = valid };
	char buf[64] __attribute__((aligned(4))) = { 0 };
	struct nlmsghdr *h =
		nftnl_nlmsg_build_hdr(buf, NFT_MSG_GETCHAIN, (uint16_t)family, NLM_F_DUMP, 0);
	int r = cni_nft_ask(nft, h, consider, &s);

	return r < 0 && r != -ENOENT ? r : s.n;
}
