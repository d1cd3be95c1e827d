/*
 * What CNI-FORWARD lets through; see forward.h.
 */
#include "forward.h"
#include "ipt_expect.h"
#include "isolation.h"
#include "names.h"
#include "owners.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define TABLE "filter"
#define FORWARD "FORWARD"
#define CNI_FORWARD_CHAIN "CNI-FORWARD"
#define PUBLISHED_CHAIN "CNI-FORWARD-DNAT"

static const sa_family_t families[] = { AF_INET, AF_INET6 };

/* ---- the rules ---- */

static struct cni_ipt_addr whole(const struct cni_ip *ip)
{
	return (struct cni_ipt_addr){ .prefix = cni_prefix_alone(ip) };
}

static struct cni_ipt_rule jump(const char *chain, const char *comment)
{
	struct cni_ipt_rule rule = { .verdict = CNI_IPT_JUMP };

	snprintf(rule.chain, sizeof(rule.chain), "%s", chain);
	snprintf(rule.comment, sizeof(rule.comment), "%s", comment);
	return rule;
}

static struct cni_ipt_rule forward_jump(void)
{
	return jump(CNI_FORWARD_CHAIN, "CNI firewall plugin rules");
}

static struct cni_ipt_rule admin_jump(const struct cni_forward *f)
{
	return jump(f->admin_chain, "CNI firewall plugin admin overrides");
}

static struct cni_ipt_rule published_jump(void)
{
	struct cni_ipt_rule rule = jump(PUBLISHED_CHAIN, "CNI firewall plugin published ports");

	rule.ctstate = CNI_IPT_DNATED;
	return rule;
}

static struct cni_ipt_rule replies(const struct cni_ip *ip)
{
	return (struct cni_ipt_rule){ .destination = whole(ip),
				      .ctstate = CNI_IPT_RELATED | CNI_IPT_ESTABLISHED,
				      .verdict = CNI_IPT_ACCEPT };
}

static struct cni_ipt_rule own_traffic(const struct cni_ip *ip)
{
	return (struct cni_ipt_rule){ .source = whole(ip), .verdict = CNI_IPT_ACCEPT };
}

/*
 * The chain of one address, which no packet sees: its rule marks the place of the other three, which are
 * made right behind it in nf_tables, so that DEL need not look for them among those of all containers.
 * It says how many addresses the attachment has.
 */
static int marker_chain(const struct cni_ip *ip, char ret[static CNI_CHAIN_NAME_LEN])
{
	char text[CNI_IP_STRLEN];

	return cni_chain_name("FORWARD-DNAT-", cni_ip_format(ip, text), "", ret);
}

static struct cni_ipt_rule marker(const struct cni_forward *f, const struct cni_ip *ip)
{
	struct cni_ipt_rule rule = { .destination = whole(ip) };
	size_t v4 = 0;

	for (size_t i = 0; i < f->res->n_ips; i++)
		v4 += f->res->ips[i].address.ip.family == AF_INET;
	rule.verdict = f->published ? CNI_IPT_ACCEPT : CNI_IPT_CONTINUE;
	snprintf(rule.comment, sizeof(rule.comment), "%.*s, addresses: %zu and %zu",
		 CNI_OWNER_LEN - 1, f->comment, v4, f->res->n_ips - v4);
	return rule;
}

/* Says whose the address is, also where published ports are not let through. */
static struct cni_ipt_rule published(const struct cni_forward *f, const struct cni_ip *ip)
{
	struct cni_ipt_rule rule = { .destination = whole(ip) };

	snprintf(rule.comment, sizeof(rule.comment), "%s", f->comment);
	rule.verdict = f->published ? CNI_IPT_ACCEPT : CNI_IPT_CONTINUE;
	return rule;
}

/* The operator's tools paste comments into shells: no name goes in that one could misread. */
int cni_forward_own(struct cni_forward *f, const struct cni_args *args, struct cni_error *err)
{
	char owner[CNI_OWNER_LEN];
	int r;

	r = cni_owner(args->name, args->containerid, args->ifname, owner);
	if (r < 0)
		return cni_fail(err, CNI_E_INTERNAL, -r, "say whose a rule is");
	snprintf(f->comment, sizeof(f->comment), "%s, id: %s, if: %s, net: %s", owner,
		 args->containerid, cni_name_is_valid(args->ifname) ? args->ifname : "?",
		 args->name);
	return 0;
}

/* ---- ADD ---- */

/* A result may name an address twice. */
static bool is_repeated(const struct cni_result *res, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (cni_ip_cmp(&res->ips[k].address.ip, &res->ips[i].address.ip) == 0)
			return true;
	return false;
}

/* Rules of iptables-legacy have no handles. */
static void note_marker(struct cni_ipt *tx, const struct cni_forward *f, const struct cni_ip *ip)
{
	struct cni_ipt_rule rule = marker(f, ip);
	char chain[CNI_CHAIN_NAME_LEN];

	if (tx->writer != &cni_ipt_nft || marker_chain(ip, chain) < 0)
		return;
	cni_ipt_chain(tx, chain);
	cni_ipt_add(tx, chain, &rule);
}

/*
 * An address's rules are added without looking: that would mean to read those of all containers. What
 * an earlier owner of the address left goes with them.
 */
void cni_forward_note(struct cni_ipt *tx, sa_family_t family, const struct cni_forward *f)
{
	struct cni_ipt_rule rule;

	if (!cni_result_has_family(f->res, family))
		return;
	cni_ipt_on(tx, family, TABLE);
	cni_ipt_chain(tx, CNI_FORWARD_CHAIN);
	cni_ipt_chain(tx, f->admin_chain);
	cni_ipt_chain(tx, PUBLISHED_CHAIN);
	rule = forward_jump();
	cni_ipt_insert_below(tx, FORWARD, &rule, &cni_isolation_hook);
	rule = admin_jump(f);
	cni_ipt_insert(tx, CNI_FORWARD_CHAIN, &rule);
	rule = published_jump();
	if (f->published)
		cni_ipt_append(tx, CNI_FORWARD_CHAIN, &rule); /* behind every operator's chain */
	for (size_t i = 0; i < f->res->n_ips; i++) {
		const struct cni_ip *ip = &f->res->ips[i].address.ip;

		if (ip->family != family || is_repeated(f->res, i))
			continue;
		note_marker(tx, f, ip);
		rule = replies(ip);
		cni_ipt_add(tx, CNI_FORWARD_CHAIN, &rule);
		rule = own_traffic(ip);
		cni_ipt_add(tx, CNI_FORWARD_CHAIN, &rule);
		rule = published(f, ip);
		cni_ipt_add(tx, PUBLISHED_CHAIN, &rule);
	}
}

/* ---- DEL, GC ---- */

/* An address that is looked at. */
struct leaving_ip {
	struct cni_ip ip;
	bool kept; /* it belongs to an attachment that stays */
};

/* Rules that one transaction of GC deletes at most: a batch has its size. */
#define DELETE_MAX 4000

/* What leaves the tables of one family. */
struct leaving {
	sa_family_t family;
	struct leaving_ip *item; /* owned */
	size_t n;
	bool gathered; /* the items are complete, and sorted: rules are being deleted by them */
	size_t deleted;
	bool more; /* there are more than DELETE_MAX */
	int error;

	const struct cni_result *prev; /* NULL with GC */
	const char *owner; /* DEL: who goes. An address belongs to the last one that added it */
	const struct cni_owners *valid; /* GC: who stays, and keeps its addresses */
};

static inline void cni_auto_leaving(struct leaving *l)
{
	free(l->item);
}

static int compare(const void *ip, const void *item)
{
	return cni_ip_cmp(ip, &((const struct leaving_ip *)item)->ip);
}

static struct leaving_ip *find(const struct leaving *l, const struct cni_ip *ip)
{
	if (l->gathered)
		return l->n ? bsearch(ip, l->item, l->n, sizeof(*l->item), compare) : NULL;
	for (size_t i = 0; i < l->n; i++)
		if (cni_ip_cmp(&l->item[i].ip, ip) == 0)
			return &l->item[i];
	return NULL;
}

static void leave(struct leaving *l, const struct cni_ip *ip, bool kept)
{
	struct leaving_ip *item = find(l, ip);

	if (!item) {
		item = reallocarray(l->item, l->n + 1, sizeof(*item));
		if (!item) {
			l->error = -ENOMEM;
			return;
		}
		l->item = item;
		item = &l->item[l->n++];
		*item = (struct leaving_ip){ .ip = *ip };
	}
	item->kept = kept || (l->valid && item->kept);
}

/* Whether a comment of PUBLISHED_CHAIN is of an attachment that goes. */
static bool is_leaving(const struct cni_ipt_rule *rule, const struct leaving *l)
{
	return l->valid ? cni_owners_stale(l->valid, rule->comment)
			: strncmp(rule->comment, l->owner, CNI_OWNER_LEN - 1) == 0;
}

/* What prevResult says leaves, unless the comments say otherwise. */
static void start_over(struct leaving *l)
{
	l->n = l->deleted = 0;
	l->gathered = l->more = false;
	for (size_t i = 0; l->prev && i < l->prev->n_ips; i++)
		if (l->prev->ips[i].address.ip.family == l->family)
			leave(l, &l->prev->ips[i].address.ip, false);
}

/*
 * The first walk over PUBLISHED_CHAIN, which deletes nothing. Rules come in the order in which they
 * were added. A transaction that is done again walks again, and forgets what it knew.
 */
static bool gather(const struct cni_ipt_rule *rule, void *ctx)
{
	const struct cni_ip *ip = &rule->destination.prefix.ip;
	struct leaving *l = ctx;

	if (l->gathered)
		start_over(l);
	if (rule->foreign)
		return false;
	if (is_leaving(rule, l))
		leave(l, ip, false);
	else if (l->valid || find(l, ip))
		leave(l, ip, true);
	return false;
}

static int compare_items(const void *a, const void *b)
{
	return compare(&((const struct leaving_ip *)a)->ip, b);
}

static void end_gathering(struct leaving *l)
{
	if (!l->gathered && l->n > 0)
		qsort(l->item, l->n, sizeof(*l->item), compare_items);
	l->gathered = true;
}

static bool leaves(const struct leaving *l, const struct cni_ip *ip)
{
	const struct leaving_ip *item = find(l, ip);

	return item && !item->kept && !l->error;
}

static bool take(struct leaving *l)
{
	if (l->valid && l->deleted == DELETE_MAX)
		l->more = true;
	else
		l->deleted++;
	return !l->more;
}

/* A rule of CNI-FORWARD that goes. */
static bool goes_forward(const struct cni_ipt_rule *rule, void *ctx)
{
	const struct cni_ip *to = &rule->destination.prefix.ip, *from = &rule->source.prefix.ip;
	struct cni_ipt_rule in = replies(to), out = own_traffic(from);
	struct leaving *l = ctx;

	end_gathering(l);
	return ((cni_ipt_rule_equal(rule, &in) && leaves(l, to)) ||
		(cni_ipt_rule_equal(rule, &out) && leaves(l, from))) &&
	       take(l);
}

/*
 * A rule of PUBLISHED_CHAIN that goes: in the name of who goes, or an older one of its address. It
 * tells whose the address was, so the rules of CNI-FORWARD go before.
 */
static bool goes(const struct cni_ipt_rule *rule, void *ctx)
{
	struct leaving *l = ctx;

	end_gathering(l);
	return (is_leaving(rule, l) ||
		(!rule->foreign && leaves(l, &rule->destination.prefix.ip))) &&
	       !l->error && take(l);
}

/* Markers of addresses that have left; a marker too many makes the next DEL of the address look around. */
static int drop_markers(const struct leaving *l, struct cni_error *err)
{
	cni_auto(ipt) struct cni_ipt tx = { .writer = &cni_ipt_nft };
	char chain[CNI_CHAIN_NAME_LEN];

	cni_ipt_on(&tx, l->family, TABLE);
	for (size_t i = 0; i < l->n; i++)
		if (!l->item[i].kept && marker_chain(&l->item[i].ip, chain) == 0)
			cni_ipt_chain_drop(&tx, chain);
	return cni_ipt_commit(&tx, err);
}

/* Decided within the transaction, so that who adds an address meanwhile keeps it. */
static int sweep_table(const struct cni_ipt_writer *writer, struct leaving *l,
		       struct cni_error *err)
{
	cni_auto(ipt) struct cni_ipt tx = { .writer = writer };
	int r;

	do {
		start_over(l);
		cni_ipt_on(&tx, l->family, TABLE);
		cni_ipt_delete_if(&tx, PUBLISHED_CHAIN, gather, l);
		cni_ipt_delete_if(&tx, CNI_FORWARD_CHAIN, goes_forward, l);
		cni_ipt_delete_if(&tx, PUBLISHED_CHAIN, goes, l);
		r = cni_ipt_commit(&tx, err);
		if (r == 0 && writer == &cni_ipt_nft)
			r = drop_markers(l, err);
	} while (r == 0 && l->error == 0 && l->more);
	if (r == 0 && l->error < 0)
		r = cni_fail(err, CNI_E_INTERNAL, -l->error, "remove rules of " CNI_FORWARD_CHAIN);
	return r;
}

/* ---- DEL by markers ---- */

/* What a marker's chain holds. */
struct marked {
	struct cni_ipt_rule rule;
	size_t n;
};

static void take_marker(const struct cni_ipt_rule *rule, void *ctx)
{
	struct marked *m = ctx;

	m->rule = *rule;
	m->n++;
}

/* @return 1 if the address is marked as this attachment's, by one ADD, and nobody else's; 0 */
static int note_marked(struct cni_ipt *tx, const struct cni_forward *f, const struct cni_ip *ip)
{
	struct cni_forward was = *f;
	struct cni_ipt_rule expected, rule;
	char chain[CNI_CHAIN_NAME_LEN];
	struct marked m = { .n = 0 };

	if (marker_chain(ip, chain) < 0 ||
	    cni_ipt_each(&cni_ipt_nft, ip->family, TABLE, chain, take_marker, &m, NULL) < 0)
		return 0;
	was.published = m.rule.verdict == CNI_IPT_ACCEPT;
	expected = marker(&was, ip);
	if (m.n != 1 || !cni_ipt_rule_equal(&m.rule, &expected))
		return 0;
	cni_ipt_on(tx, ip->family, TABLE);
	rule = replies(ip);
	cni_ipt_delete_behind(tx, CNI_FORWARD_CHAIN, chain, 1, &rule);
	rule = own_traffic(ip);
	cni_ipt_delete_behind(tx, CNI_FORWARD_CHAIN, chain, 2, &rule);
	rule = published(&was, ip);
	cni_ipt_delete_behind(tx, PUBLISHED_CHAIN, chain, 3, &rule);
	cni_ipt_chain_drop(tx, chain);
	return 1;
}

/* @return 1 if all rules of the attachment in nf_tables were found by their markers, and are gone; 0 */
static int del_marked(const struct cni_forward *f)
{
	cni_auto(ipt) struct cni_ipt tx = { .writer = &cni_ipt_nft };
	struct cni_error ignored = { 0 };

	if (f->res->n_ips == 0)
		return 0;
	for (size_t i = 0; i < f->res->n_ips; i++)
		if (!is_repeated(f->res, i) && !note_marked(&tx, f, &f->res->ips[i].address.ip))
			return 0;
	return cni_ipt_commit(&tx, &ignored) == 0;
}

/* Every table is swept; the first failure is reported. */
static int sweep(const struct leaving *what, bool skip_nft, struct cni_error *err)
{
	int first = 0;

	for (const struct cni_ipt_writer *const *w = cni_ipt_writers; *w; w++) {
		if (skip_nft && *w == &cni_ipt_nft)
			continue;
		for (size_t i = 0; i < CNI_ARRAY_SIZE(families); i++) {
			cni_auto(leaving) struct leaving l = *what;
			int r;

			l.family = families[i];
			r = sweep_table(*w, &l, err);
			if (r < 0 && first == 0)
				first = r;
		}
	}
	return first;
}

int cni_forward_del(const struct cni_args *args, const struct cni_result *prev,
		    struct cni_error *err)
{
	struct cni_forward f = { .res = prev };
	struct leaving what = { .prev = prev, .owner = f.comment };
	int r;

	r = cni_forward_own(&f, args, err);
	return r < 0 ? r : sweep(&what, del_marked(&f), err);
}

int cni_forward_gc(const struct cni_args *args, struct cni_error *err)
{
	cni_auto(owners) struct cni_owners valid = { 0 };
	struct leaving what = { .valid = &valid };
	int r;

	r = cni_owners_valid(args, &valid);
	if (r < 0)
		return cni_fail(err, CNI_E_INTERNAL, -r, "remove rules of " CNI_FORWARD_CHAIN);
	return sweep(&what, false, err);
}

/* ---- CHECK ---- */

static int missing(const char *chain, const char *rule, struct cni_error *err)
{
	cni_fail(err, CNI_E_INTERNAL, 0, "expected %srule [%s] not found", chain, rule);
	cni_error_detail(err, "in the iptables table filter; DEL and ADD bring it back");
	return -ENOENT;
}

/* The rules of one address in CNI-FORWARD: as many as there are, and their places in a list. */
enum { REPLIES, OWN_TRAFFIC, PER_ADDRESS };

static int check_addresses(const struct cni_ipt_expect *list, const struct cni_forward *f,
			   sa_family_t family, struct cni_error *err)
{
	char address[CNI_IP_STRLEN], text[256];

	for (size_t i = 0; i < f->res->n_ips; i++, list += PER_ADDRESS) {
		const struct cni_ip *ip = &f->res->ips[i].address.ip;

		if (ip->family != family)
			continue;
		cni_ip_format(ip, address);
		snprintf(text, sizeof(text),
			 "-d %s/%u -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", address,
			 cni_ip_bits(ip));
		if (!list[REPLIES].found)
			return missing("", text, err);
		snprintf(text, sizeof(text), "-s %s/%u -j ACCEPT", address, cni_ip_bits(ip));
		if (!list[OWN_TRAFFIC].found)
			return missing("", text, err);
	}
	return 0;
}

/* @return 1 if an address has the rule that the attachment gets from us; 0 if not; negative errno */
static int is_ours(const struct cni_ipt_writer *writer, sa_family_t family,
		   const struct cni_forward *f, struct cni_error *err)
{
	bool found = false;

	for (size_t i = 0; i < f->res->n_ips && !found; i++) {
		struct cni_ipt_expect e = { .rule = published(f, &f->res->ips[i].address.ip) };
		int r;

		if (f->res->ips[i].address.ip.family != family)
			continue;
		r = cni_ipt_expect(writer, family, TABLE, PUBLISHED_CHAIN, &e, 1, err);
		if (r < 0)
			return r;
		found = e.found;
	}
	return found;
}

static int check_jumps(const struct cni_ipt_writer *writer, sa_family_t family,
		       const struct cni_forward *f, struct cni_error *err)
{
	struct cni_ipt_expect hook = { .rule = forward_jump() },
			      jumps[] = { { .rule = admin_jump(f) }, { .rule = published_jump() } };
	char text[CNI_IPT_COMMENT_LEN + 64];
	int r;

	r = cni_ipt_expect(writer, family, TABLE, FORWARD, &hook, 1, err);
	if (r == 0)
		r = cni_ipt_expect(writer, family, TABLE, CNI_FORWARD_CHAIN, jumps,
				   CNI_ARRAY_SIZE(jumps), err);
	if (r < 0)
		return r;
	if (!hook.found)
		return missing("FORWARD ",
			       "-m comment --comment CNI firewall plugin rules -j CNI-FORWARD",
			       err);
	snprintf(text, sizeof(text), "-m comment --comment %s -j %s", jumps[0].rule.comment,
		 f->admin_chain);
	if (!jumps[0].found)
		return missing("CNI-FORWARD ", text, err);
	if (!f->published || jumps[1].found)
		return 0;
	r = is_ours(writer, family, f, err);
	return r > 0 ? missing("CNI-FORWARD ", "-m conntrack --ctstate DNAT -j CNI-FORWARD-DNAT",
			       err)
		     : r;
}

int cni_forward_check(const struct cni_ipt_writer *writer, sa_family_t family,
		      const struct cni_forward *f, struct cni_error *err)
{
	size_t n = f->res->n_ips * PER_ADDRESS;
	cni_auto(free) struct cni_ipt_expect *list = calloc(n + 1, sizeof(*list));
	int r;

	if (!list)
		return cni_fail(err, CNI_E_INTERNAL, ENOMEM, "check rules of " CNI_FORWARD_CHAIN);
	if (!cni_result_has_family(f->res, family))
		return 0;
	r = check_jumps(writer, family, f, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < f->res->n_ips; i++) {
		const struct cni_ip *ip = &f->res->ips[i].address.ip;

		list[i * PER_ADDRESS + REPLIES].rule = replies(ip);
		list[i * PER_ADDRESS + OWN_TRAFFIC].rule = own_traffic(ip);
	}
	r = cni_ipt_expect(writer, family, TABLE, CNI_FORWARD_CHAIN, list, n, err);
	return r < 0 ? r : check_addresses(list, f, family, err);
}
