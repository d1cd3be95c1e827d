/*
 * Source address check of a bridge port; see spoof.h.
 */
#include "spoof.h"
#include "nft_expr.h"
#include "nft_find.h"
#include "nft_udata.h"
#include "owners.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_bridge.h>
#include <stdio.h>
#include <string.h>

#define FAMILY NFPROTO_BRIDGE
#define TABLE "nat"
#define PREROUTING "PREROUTING"
#define CHAIN "cni-br-iface-"
#define COMMENT "macspoofchk-"

/* What nft(8) takes for a name: 127 bytes, of which CHAIN and "-mac" need 17. */
#define NAME_LEN 128
#define ID_LEN 111

/* Jumps removed in one transaction, with their chains; names leave room for a thousand. */
#define REMOVE_MAX 256
/* Others may change the table while we look, or delete a rule before our transaction does. */
#define REMOVE_TRIES 100

struct names {
	char id[ID_LEN], port[NAME_LEN], mac[NAME_LEN], comment[CNI_COMMENT_LEN];
};

static void name_chains(struct names *n)
{
	snprintf(n->port, sizeof(n->port), CHAIN "%s", n->id);
	snprintf(n->mac, sizeof(n->mac), CHAIN "%s-mac", n->id);
	snprintf(n->comment, sizeof(n->comment), COMMENT "%s", n->id);
}

static int name_all(const char *containerid, const char *ifname, struct names *ret)
{
	int n = snprintf(ret->id, ID_LEN, "%s-%s", containerid, ifname);

	/* A double quote would end the comment in nft's text. */
	if (n < 0 || n >= ID_LEN || strchr(ifname, '"')) {
		char owner[CNI_OWNER_LEN];
		int r = cni_owner("", containerid, ifname, owner);

		if (r < 0)
			return r;
		snprintf(ret->id, ID_LEN, "%s", owner + CNI_OWNER_NET_LEN);
	}
	name_chains(ret);
	return 0;
}

static bool is_unsupported(int r)
{
	return r == -EPROTONOSUPPORT || r == -EOPNOTSUPP || r == -EAFNOSUPPORT;
}

/* ---- removing ---- */

/* A jump in PREROUTING. */
struct entry {
	uint64_t handle;
	char id[ID_LEN];
	bool remove;
};

/* Which ones to remove: those with this id, of this owner or of none; or those of a network. */
struct sweep {
	const char *id; /* NULL: of whatever id */
	const char *port_chain; /* if this is not there, nothing is; NULL: look at all */
	const char *owner; /* with an id */
	bool any_net; /* the owner's network does not count */
	const char *net; /* the network's part of owners, for GC */
	const struct cni_owners *keep;
	struct entry *entry; /* owned; every jump of this plugin's kind, or with this id */
	size_t n, room, n_remove;
	bool in_use; /* what failed is the removal of a chain */
	bool busy; /* somebody else's rule leads to a chain of ours: empty it, as it can't go */
};

static inline void cni_auto_sweep(struct sweep *s)
{
	free(s->entry);
}

static bool is_garbage(const struct sweep *s, const char *owner)
{
	size_t from = s->any_net ? CNI_OWNER_NET_LEN : 0;

	if (s->id)
		return !*owner || (strlen(owner) >= from && !strcmp(owner + from, s->owner + from));
	return strncmp(owner, s->net, CNI_OWNER_NET_LEN) == 0 && !cni_owners_has(s->keep, owner);
}

static int consider(const struct nftnl_rule *rule, void *ctx)
{
	const char *id = cni_nft_comment(rule);
	struct sweep *s = ctx;
	struct entry *e;

	if (strncmp(id, COMMENT, strlen(COMMENT)) != 0)
		return 0;
	id += strlen(COMMENT);
	if (strlen(id) >= ID_LEN || (s->id && strcmp(id, s->id) != 0))
		return 0;
	if (s->n == s->room) {
		size_t room = s->room ? 2 * s->room : 16;

		e = reallocarray(s->entry, room, sizeof(*e));
		if (!e)
			return -ENOMEM;
		s->entry = e;
		s->room = room;
	}
	e = &s->entry[s->n++];
	e->handle = nftnl_rule_get_u64(rule, NFTNL_RULE_HANDLE);
	e->remove = s->n_remove < REMOVE_MAX && is_garbage(s, cni_nft_owner(rule));
	s->n_remove += e->remove;
	snprintf(e->id, sizeof(e->id), "%s", id);
	return 0;
}

/* @return whether entry i is the first of those removed with its id, and none with it stays */
static bool takes_chains_along(const struct sweep *s, size_t i)
{
	for (size_t k = 0; k < s->n; k++)
		if ((k < i || !s->entry[k].remove) && strcmp(s->entry[k].id, s->entry[i].id) == 0)
			return false;
	return true;
}

static int put_chain_removal(struct cni_nft *nft, const char *chain, bool busy)
{
	int r = cni_nft_chain_exists(nft, FAMILY, TABLE, chain);

	if (r > 0 && busy)
		cni_nft_flush(nft, FAMILY, TABLE, chain);
	else if (r > 0)
		cni_nft_chain_delete(nft, FAMILY, TABLE, chain);
	return r;
}

/* The first chain's rule leads to the second one, so it has to go before. @return 1 if there was one */
static int put_chains_removal(struct cni_nft *nft, const char *id, bool busy)
{
	struct names n;
	int port, mac;

	snprintf(n.id, sizeof(n.id), "%s", id);
	name_chains(&n);
	port = put_chain_removal(nft, n.port, busy);
	if (port < 0)
		return port;
	mac = put_chain_removal(nft, n.mac, busy);
	return mac < 0 ? mac : port | mac;
}

/* Jumps first: while one leads there, a chain is busy. @return 1 if there is something to remove */
static int put_removals(struct cni_nft *nft, const struct sweep *s, uint32_t *first_chain)
{
	int r = 0;

	*first_chain = nft->seq;
	if (s->n == 0 && s->id) /* without a jump: the Go plugins make the chains first */
		r = put_chains_removal(nft, s->id, s->busy);
	for (size_t i = 0; i < s->n; i++)
		if (s->entry[i].remove)
			cni_nft_rule_delete(nft, FAMILY, TABLE, PREROUTING, s->entry[i].handle);
	if (s->n_remove > 0)
		*first_chain = nft->seq;
	for (size_t i = 0; i < s->n && r >= 0; i++)
		if (s->entry[i].remove && takes_chains_along(s, i))
			r = put_chains_removal(nft, s->entry[i].id, s->busy);
	return r < 0 ? r : r > 0 || s->n_remove > 0;
}

static int sweep_once(struct sweep *s)
{
	cni_auto(nft) struct cni_nft nft = { 0 };
	uint32_t first_chain = 0;
	int r;

	s->in_use = false;
	r = cni_nft_open(&nft);
	if (r < 0)
		return r;
	if (s->port_chain) {
		r = cni_nft_chain_exists(&nft, FAMILY, TABLE, s->port_chain);
		if (r <= 0)
			return r;
	}
	s->n = s->n_remove = 0;
	r = s->port_chain ? cni_nft_near_jumps(&nft, FAMILY, TABLE, PREROUTING, s->port_chain,
					       consider, s)
			  : 0;
	if (r == 0)
		r = cni_nft_each_rule(&nft, FAMILY, TABLE, PREROUTING, consider, s);
	if (r >= 0)
		r = put_removals(&nft, s, &first_chain);
	if (r > 0) {
		r = cni_nft_commit(&nft);
		s->in_use = r == -EBUSY && nft.failed >= first_chain;
	}
	return r < 0 ? r : s->n_remove == REMOVE_MAX ? -EINTR : 0;
}

static int sweep(struct sweep *s, struct cni_error *err)
{
	int tries = REMOVE_TRIES, r;

	do {
		r = sweep_once(s);
		if (s->in_use && !s->busy) {
			s->busy = true;
			r = -EINTR;
		}
	} while ((r == -ENOENT || r == -EINTR) && tries-- > 0);
	if (r == 0 || is_unsupported(r)) /* no nf_tables in this kernel: no rules */
		return 0;
	cni_fail(err, CNI_E_INTERNAL, -r,
		 "failed to remove spoof-check from nf_tables table bridge " TABLE);
	return r;
}

int cni_spoof_del(const char *net, const char *containerid, const char *ifname,
		  struct cni_error *err)
{
	char owner[CNI_OWNER_LEN];
	struct names n;
	cni_auto(sweep) struct sweep s = { .id = n.id, .port_chain = n.port, .owner = owner };
	int r;

	r = cni_owner(net, containerid, ifname, owner);
	if (r == 0)
		r = name_all(containerid, ifname, &n);
	return r < 0 ? cni_fail(err, CNI_E_INTERNAL, -r, "failed to remove spoof-check")
		     : sweep(&s, err);
}

int cni_spoof_gc(const struct cni_args *args, struct cni_error *err)
{
	cni_auto(owners) struct cni_owners keep = { 0 };
	cni_auto(sweep) struct sweep s = { .keep = &keep };
	char net[CNI_OWNER_LEN];
	int r;

	r = cni_owners_valid(args, &keep);
	if (r == 0)
		r = cni_owner(args->name, "", "", net);
	s.net = net;
	return r < 0 ? cni_fail(err, CNI_E_INTERNAL, -r, "failed to remove spoof-check")
		     : sweep(&s, err);
}

/* ---- adding ---- */

static void put_rules(struct cni_nft *nft, const struct names *n, const char *owner,
		      const struct cni_port *port)
{
	static const struct cni_nft_hook hook = { .type = "filter",
						  .hook = NF_BR_PRE_ROUTING,
						  .priority = NF_BR_PRI_NAT_DST_BRIDGED };
	struct nftnl_rule *rule;

	cni_nft_table(nft, FAMILY, TABLE, "");
	cni_nft_chain(nft, FAMILY, TABLE, PREROUTING, &hook, "");
	cni_nft_chain_new(nft, FAMILY, TABLE, n->port);
	cni_nft_chain_new(nft, FAMILY, TABLE, n->mac);
	rule = cni_nft_rule(FAMILY, TABLE, n->mac, n->comment);
	cni_nft_match_source_mac(rule, port->cont_end.mac);
	cni_nft_verdict(rule, NFT_RETURN, NULL);
	cni_nft_rule_append_take(nft, rule);
	rule = cni_nft_rule(FAMILY, TABLE, n->mac, n->comment);
	cni_nft_verdict(rule, NF_DROP, NULL);
	cni_nft_rule_append_take(nft, rule);
	rule = cni_nft_rule(FAMILY, TABLE, n->port, n->comment);
	cni_nft_verdict(rule, NFT_JUMP, n->mac);
	cni_nft_rule_append_take(nft, rule);
	rule = cni_nft_rule(FAMILY, TABLE, PREROUTING, n->comment);
	cni_nft_set_owner(rule, owner);
	cni_nft_match_iif(rule, true, port->host_name);
	cni_nft_verdict(rule, NFT_JUMP, n->port);
	cni_nft_rule_append_take(nft, rule);
}

static int add(const struct names *n, const char *owner, const struct cni_port *port)
{
	cni_auto(nft) struct cni_nft nft = { 0 };
	int r = cni_nft_open(&nft);

	if (r < 0)
		return r;
	put_rules(&nft, n, owner, port);
	return cni_nft_commit(&nft);
}

int cni_spoof_add(const struct cni_port *port, struct cni_error *err)
{
	char owner[CNI_OWNER_LEN];
	struct names n;
	/* Not what is of another one whose id and interface read the same: "a-b" "c" and "a" "b-c". */
	cni_auto(sweep) struct sweep stale = { .id = n.id, .owner = owner, .any_net = true };
	int r;

	r = cni_owner(port->id.net, port->id.containerid, port->id.ifname, owner);
	if (r == 0)
		r = name_all(port->id.containerid, port->id.ifname, &n);
	if (r == 0)
		r = add(&n, owner, port);
	if (r == -EEXIST) {
		r = sweep(&stale, err);
		if (r < 0)
			return r;
		r = add(&n, owner, port);
	}
	if (r == 0)
		return 0;
	cni_fail(err, CNI_E_INTERNAL, -r, "failed to setup spoof-check");
	if (r == -EEXIST)
		cni_error_detail(err, "something else is in the way: nft list table bridge " TABLE);
	else if (is_unsupported(r))
		cni_error_detail(err, "the kernel has no nf_tables for bridges (CONFIG_NF_TABLES_"
				      "BRIDGE); \"macspoofchk\" needs it");
	return r;
}

/* ---- CHECK ---- */

/* A chain held against the rules that belong there, in their order; others may stand between them. */
struct look {
	struct nftnl_rule *want[2]; /* owned; NULL: no more */
	unsigned int found;
};

static inline void cni_auto_look(struct look *l)
{
	for (size_t i = 0; i < CNI_ARRAY_SIZE(l->want); i++)
		if (l->want[i])
			nftnl_rule_free(l->want[i]);
}

static int compare(const struct nftnl_rule *rule, void *ctx)
{
	struct look *l = ctx;

	if (l->found < CNI_ARRAY_SIZE(l->want) && l->want[l->found] &&
	    cni_nft_ends_in(rule, l->want[l->found]))
		l->found++;
	return 0;
}

/* @return 1 if the chain has what is wanted; 0 if not; negative errno */
static int has_all(struct cni_nft *nft, const char *chain, const char *target, struct look *l)
{
	int r = 0;

	if (!l->want[0])
		return -ENOMEM;
	do {
		l->found = 0;
		r = target ? cni_nft_near_jumps(nft, FAMILY, TABLE, chain, target, compare, l) : 0;
		if (r == 0)
			r = cni_nft_each_rule(nft, FAMILY, TABLE, chain, compare, l);
	} while (cni_nft_again(nft, r));
	if (r < 0)
		return cni_nft_outcome(r);
	return l->found == (l->want[1] ? 2 : 1);
}

/* @return 1 if all is there; 0; negative errno */
static int check(const struct names *n, const char *host_name,
		 const uint8_t mac[static CNI_MAC_LEN])
{
	cni_auto(nft) struct cni_nft nft = { 0 };
	cni_auto(look) struct look hook = { 0 }, port = { 0 }, macs = { 0 };
	int r;

	hook.want[0] = cni_nft_rule(FAMILY, TABLE, PREROUTING, "");
	cni_nft_match_iif(hook.want[0], true, host_name);
	cni_nft_verdict(hook.want[0], NFT_JUMP, n->port);
	port.want[0] = cni_nft_rule(FAMILY, TABLE, n->port, "");
	cni_nft_verdict(port.want[0], NFT_JUMP, n->mac);
	macs.want[0] = cni_nft_rule(FAMILY, TABLE, n->mac, "");
	cni_nft_match_source_mac(macs.want[0], mac);
	cni_nft_verdict(macs.want[0], NFT_RETURN, NULL);
	macs.want[1] = cni_nft_rule(FAMILY, TABLE, n->mac, "");
	cni_nft_verdict(macs.want[1], NF_DROP, NULL);
	r = cni_nft_open(&nft);
	if (r == 0)
		r = has_all(&nft, PREROUTING, n->port, &hook);
	if (r > 0)
		r = has_all(&nft, n->port, NULL, &port);
	return r > 0 ? has_all(&nft, n->mac, NULL, &macs) : r;
}

void cni_spoof_check(const char *containerid, const char *ifname, const char *host_name,
		     const uint8_t mac[static CNI_MAC_LEN], struct cni_faults *f)
{
	struct cni_error why = { 0 };
	char want[CNI_MAC_STRLEN];
	struct names n;
	int r = name_all(containerid, ifname, &n);

	if (r == 0)
		r = check(&n, host_name, mac);
	if (r < 0 && !is_unsupported(r)) {
		cni_fail(&why, CNI_E_INTERNAL, -r, "failed to look for the spoof check");
		cni_faults_add_error(f, "error", &why);
	} else if (r <= 0) {
		cni_mac_format(mac, want);
		cni_faults_add(
			f, &(struct cni_fault){ "macspoofchk", ifname, want, NULL },
			"Spoof check of interface %s not found in nf_tables table bridge " TABLE
			": %s -> %s for %s",
			ifname, PREROUTING, n.port, want);
	}
}
