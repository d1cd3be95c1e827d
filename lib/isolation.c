/*
 * Isolation of bridges; see isolation.h.
 */
#include "isolation.h"
#include "ipt_expect.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#define TABLE "filter"
#define STAGE_1 "CNI-ISOLATION-STAGE-1"
#define STAGE_2 "CNI-ISOLATION-STAGE-2"

#define COMMENT "CNI firewall plugin rules (ingressPolicy: "
#define COMMENT_BOTH COMMENT "same-bridge|isolated)"
#define COMMENT_SAME_BRIDGE COMMENT "same-bridge)"
#define COMMENT_ISOLATED COMMENT "isolated)"

const struct cni_ipt_rule cni_isolation_hook = {
	.comment = COMMENT_BOTH,
	.verdict = CNI_IPT_JUMP,
	.chain = STAGE_1,
};

/* In which chain a rule is, and at which end of it. */
struct place {
	const char *chain;
	bool first;
};

/* All of a bridge's rules, in the Go plugin's order of making them. */
enum { HOOK, LEAVES, AMONG, RETURN_1, ENTERS, RETURN_2, RULES };

static const struct place places[RULES] = {
	[HOOK] = { "FORWARD", true }, [LEAVES] = { STAGE_1, true },
	[AMONG] = { STAGE_1, true },  [RETURN_1] = { STAGE_1, false },
	[ENTERS] = { STAGE_2, true }, [RETURN_2] = { STAGE_2, false },
};

static void set_iface(struct cni_ipt_iface *iface, const char *name, bool invert)
{
	snprintf(iface->name, sizeof(iface->name), "%s", name);
	iface->invert = invert;
}

static struct cni_ipt_rule rule_of(int which, const char *bridge, enum cni_isolation policy)
{
	bool isolated = policy == CNI_ISOLATION_ISOLATED;
	const char *comment = COMMENT_BOTH;
	struct cni_ipt_rule rule = { 0 };

	switch (which) {
	case HOOK:
		return cni_isolation_hook;
	case LEAVES:
		comment = isolated ? COMMENT_ISOLATED : COMMENT_SAME_BRIDGE;
		set_iface(&rule.in, bridge, false);
		set_iface(&rule.out, bridge, true);
		rule.verdict = CNI_IPT_JUMP;
		snprintf(rule.chain, sizeof(rule.chain), STAGE_2);
		break;
	case AMONG:
		comment = COMMENT_ISOLATED;
		set_iface(&rule.in, bridge, false);
		set_iface(&rule.out, bridge, false);
		rule.verdict = CNI_IPT_DROP;
		break;
	case ENTERS:
		set_iface(&rule.out, bridge, false);
		rule.verdict = CNI_IPT_DROP;
		break;
	default:
		rule.verdict = CNI_IPT_RETURN;
	}
	snprintf(rule.comment, sizeof(rule.comment), "%s", comment);
	return rule;
}

static bool is_needed(int which, enum cni_isolation policy)
{
	return which != AMONG || policy == CNI_ISOLATION_ISOLATED;
}

void cni_isolation_note(struct cni_ipt *tx, sa_family_t family, const char *bridge,
			enum cni_isolation policy)
{
	if (policy == CNI_ISOLATION_OPEN)
		return;
	cni_ipt_on(tx, family, TABLE);
	cni_ipt_chain(tx, STAGE_1);
	cni_ipt_chain(tx, STAGE_2);
	for (int i = 0; i < RULES; i++) {
		struct cni_ipt_rule rule = rule_of(i, bridge, policy);

		if (!is_needed(i, policy))
			continue;
		if (places[i].first)
			cni_ipt_insert(tx, places[i].chain, &rule);
		else
			cni_ipt_append(tx, places[i].chain, &rule);
	}
}

int cni_isolation_check(const struct cni_ipt_writer *writer, sa_family_t family, const char *bridge,
			enum cni_isolation policy, struct cni_error *err)
{
	for (int i = 0; i < RULES && policy != CNI_ISOLATION_OPEN; i++) {
		struct cni_ipt_expect e = { .rule = rule_of(i, bridge, policy) };
		int r;

		if (!is_needed(i, policy))
			continue;
		r = cni_ipt_expect(writer, family, TABLE, places[i].chain, &e, 1, err);
		if (r < 0)
			return r;
		if (e.found)
			continue;
		cni_fail(err, CNI_E_INTERNAL, 0,
			 "expected %s rule of ingressPolicy for bridge \"%s\" not found",
			 places[i].chain, bridge);
		cni_error_detail(err,
				 "in the iptables table filter; the next ADD on this bridge brings "
				 "it back");
		return -ENOENT;
	}
	return 0;
}

/* What GC took from a bridge that was gone when it looked. */
struct taken {
	char bridge[CNI_IPT_IFACE_LEN];
	enum cni_isolation policy;
};

/* Of one family. */
struct taking {
	sa_family_t family;
	struct taken *item; /* owned */
	size_t n;
};

static bool is_gone(const char *bridge)
{
	return if_nametoindex(bridge) == 0 && errno == ENODEV;
}

static bool note_taken(struct taking *t, const char *bridge, enum cni_isolation policy)
{
	struct taken *item;

	for (size_t i = 0; i < t->n; i++)
		if (t->item[i].policy == policy && strcmp(t->item[i].bridge, bridge) == 0)
			return true;
	item = reallocarray(t->item, t->n + 1, sizeof(*item));
	if (!item)
		return false;
	t->item = item;
	item = &t->item[t->n++];
	snprintf(item->bridge, sizeof(item->bridge), "%s", bridge);
	item->policy = policy;
	return true;
}

/* Without memory a rule stays for the next GC. */
static bool is_left_over(const struct cni_ipt_rule *rule, void *ctx)
{
	const char *bridge = *rule->in.name ? rule->in.name : rule->out.name;

	if (rule->foreign || !*bridge || strncmp(rule->comment, COMMENT, strlen(COMMENT)) != 0 ||
	    !is_gone(bridge))
		return false;
	if (strcmp(rule->comment, COMMENT_ISOLATED) == 0)
		return note_taken(ctx, bridge, CNI_ISOLATION_ISOLATED);
	if (strcmp(rule->comment, COMMENT_SAME_BRIDGE) == 0)
		return note_taken(ctx, bridge, CNI_ISOLATION_SAME_BRIDGE);
	return true;
}

/*
 * A bridge that is being made meanwhile gets its rules from an ADD, which makes the transaction look
 * again; but an ADD that found all of its rules has written nothing that could be noticed.
 */
static int put_back(struct cni_ipt *tx, const struct taking *t, struct cni_error *err)
{
	for (size_t i = 0; i < t->n; i++)
		if (if_nametoindex(t->item[i].bridge) != 0)
			cni_isolation_note(tx, t->family, t->item[i].bridge, t->item[i].policy);
	return cni_ipt_commit(tx, err);
}

static int sweep(const struct cni_ipt_writer *writer, sa_family_t family, struct cni_error *err)
{
	cni_auto(ipt) struct cni_ipt tx = { .writer = writer };
	struct taking t = { .family = family };
	int r, back;

	cni_ipt_on(&tx, family, TABLE);
	cni_ipt_delete_if(&tx, STAGE_1, is_left_over, &t);
	cni_ipt_delete_if(&tx, STAGE_2, is_left_over, &t);
	r = cni_ipt_commit(&tx, err);
	back = put_back(&tx, &t, err);
	free(t.item);
	return r < 0 ? r : back;
}

int cni_isolation_gc(struct cni_error *err)
{
	static const sa_family_t families[] = { AF_INET, AF_INET6 };
	int first = 0;

	for (const struct cni_ipt_writer *const *w = cni_ipt_writers; *w; w++) {
		for (size_t i = 0; i < CNI_ARRAY_SIZE(families); i++) {
			int r = sweep(*w, families[i], err);

			if (r < 0 && first == 0)
				first = r;
		}
	}
	return first;
}
