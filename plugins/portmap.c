/*
 * portmap: ports of the host that lead to the container. Chained after a plugin that gives addresses;
 * never enters the container's namespace.
 *
 * Keys (default):
 *   backend               string        "iptables" or "nftables" (iptables if the host has it)
 *   snat                  bool (true)   masquerade what the container would answer past the host
 *   masqAll               bool (false)  with snat: masquerade every source
 *   markMasqBit           int (13)      iptables: the bit of the mark that asks for it
 *   externalSetMarkChain  string        iptables: an existing chain that sets such a mark
 *   conditionsV4, conditionsV6  list of strings  further matches, in the backend's own words
 *   allowPortConflicts    bool (false)  a port that another container has is no error (ours)
 *   runtimeConfig.portMappings  list of {hostPort, containerPort, protocol, hostIP}
 */
#include "conf.h"
#include "hostport.h"
#include "hostport_claim.h"
#include "hostport_who.h"
#include "undo.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

struct portmap_conf {
	const char *backend, *set_mark_chain;
	json_t *conditions[CNI_HOSTPORT_FAMILIES], *mappings;
	json_int_t mark_bit;
	bool snat, masq_all, allow_conflicts;
	const struct cni_hostport_ops *ops;
	struct cni_hostport hp; /* what is wanted, read out of the above */
};
#define PORTMAP_CONF_INIT                    \
	{                                    \
		.snat = true, .mark_bit = 13 \
	}

static void cni_auto_portmap(struct portmap_conf *c)
{
	cni_auto_mappings(&c->hp.mappings);
}

/* ---- configuration ---- */

static const char *const portmap_condition_key[] = { "conditionsV4", "conditionsV6" };

static int portmap_read_keys(const struct cni_args *args, struct portmap_conf *c,
			     struct cni_error *err)
{
	static const struct cni_json_field fields[] = {
		{ "backend", CNI_JSON_STRING, offsetof(struct portmap_conf, backend) },
		{ "snat", CNI_JSON_BOOL, offsetof(struct portmap_conf, snat) },
		{ "masqAll", CNI_JSON_BOOL, offsetof(struct portmap_conf, masq_all) },
		{ "markMasqBit", CNI_JSON_INT, offsetof(struct portmap_conf, mark_bit) },
		{ "externalSetMarkChain", CNI_JSON_STRING,
		  offsetof(struct portmap_conf, set_mark_chain) },
		{ "conditionsV4", CNI_JSON_STRINGS,
		  offsetof(struct portmap_conf, conditions[CNI_HOSTPORT_V4]) },
		{ "conditionsV6", CNI_JSON_STRINGS,
		  offsetof(struct portmap_conf, conditions[CNI_HOSTPORT_V6]) },
		{ "allowPortConflicts", CNI_JSON_BOOL,
		  offsetof(struct portmap_conf, allow_conflicts) },
	};
	static const struct cni_json_field runtime[] = {
		{ "portMappings", CNI_JSON_ARRAY, offsetof(struct portmap_conf, mappings) },
	};
	int r;

	r = cni_conf_check_types(args, err);
	if (r == 0)
		r = cni_json_read(args->conf, "", fields, CNI_ARRAY_SIZE(fields), c, err);
	if (r == 0)
		r = cni_json_read(json_object_get(args->conf, "runtimeConfig"), "runtimeConfig.",
				  runtime, CNI_ARRAY_SIZE(runtime), c, err);
	if (r < 0)
		cni_error_prefix(err, "failed to parse network configuration");
	return r;
}

/* Keys that only the other backend understands, separated by blanks. */
static void portmap_list_foreign(const struct portmap_conf *c, enum cni_condition_syntax foreign,
				 struct cni_buf *ret)
{
	if (foreign == CNI_CONDITION_IPTABLES && c->set_mark_chain)
		cni_buf_printf(ret, "externalSetMarkChain");
	for (int f = 0; f < CNI_HOSTPORT_FAMILIES; f++)
		if (cni_condition_syntax(c->conditions[f]) == foreign)
			cni_buf_printf(ret, "%s%s", ret->len ? " " : "", portmap_condition_key[f]);
}

static int portmap_check_backend(const struct portmap_conf *c, struct cni_error *err)
{
	bool iptables = strcmp(c->backend, "iptables") == 0;
	cni_auto(buf) struct cni_buf foreign = { 0 };

	portmap_list_foreign(c, iptables ? CNI_CONDITION_NFT : CNI_CONDITION_IPTABLES, &foreign);
	if (foreign.len)
		return cni_invalid(err,
				   "%s backend was requested but configuration contains "
				   "%s-specific options [%s]",
				   c->backend, iptables ? "nftables" : "iptables", foreign.data);
	if (!c->ops)
		return cni_invalid(err, "unrecognized backend \"%s\"", c->backend);
	return 0;
}

static int portmap_choose_backend(struct portmap_conf *c, struct cni_error *err)
{
	c->ops = c->backend ? NULL : cni_hostport_default();
	for (size_t i = 0; c->backend && cni_hostport_backends[i]; i++)
		if (strcmp(cni_hostport_backends[i]->name, c->backend) == 0)
			c->ops = cni_hostport_backends[i];
	if (!c->backend)
		c->backend = c->ops->name;
	return portmap_check_backend(c, err);
}

static bool portmap_has_mark_bit(const struct cni_args *args)
{
	const json_t *given = json_object_get(args->conf, "markMasqBit");

	return given && !json_is_null(given);
}

/* The checks, in the Go plugin's order: the first complaint is the same one. */
static int portmap_check_values(const struct cni_args *args, struct portmap_conf *c,
				struct cni_error *err)
{
	int r;

	if (portmap_has_mark_bit(args) && c->set_mark_chain)
		return cni_invalid(err, "Cannot specify externalSetMarkChain and markMasqBit");
	if (c->mark_bit < 0 || c->mark_bit > 31)
		return cni_invalid(err, "MasqMarkBit must be between 0 and 31");
	if (c->set_mark_chain &&
	    (!*c->set_mark_chain || strlen(c->set_mark_chain) >= CNI_CHAIN_NAME_LEN))
		return cni_invalid(err,
				   "externalSetMarkChain: \"%s\" is no chain's name: 1 to %d bytes",
				   c->set_mark_chain, CNI_CHAIN_NAME_LEN - 1);
	r = portmap_choose_backend(c, err);
	if (r < 0)
		return r;
	c->hp = (struct cni_hostport){ .net = args->name,
				       .containerid = args->containerid,
				       .ifname = args->ifname,
				       .snat = c->snat,
				       .masq_all = c->masq_all,
				       .mark = 1U << c->mark_bit,
				       .set_mark_chain = c->set_mark_chain };
	for (int f = 0; f < CNI_HOSTPORT_FAMILIES && r == 0; f++)
		r = cni_condition_read(c->conditions[f], cni_hostport_af(f),
				       portmap_condition_key[f], &c->hp.condition[f], err);
	return r < 0 ? r : cni_mapping_read(c->mappings, false, &c->hp.mappings, err);
}

/**
 * @param prev  the result so far, read if there is one
 * @return 1 if there is one; 0; negative errno
 */
static int portmap_read(const struct cni_args *args, struct portmap_conf *c,
			struct cni_result *prev, struct cni_error *err)
{
	bool chained = json_object_get(args->conf, "prevResult") != NULL;
	int r;

	r = portmap_read_keys(args, c, err);
	if (r == 0 && chained)
		r = cni_conf_prev_result(args, prev, err);
	if (r == 0)
		r = portmap_check_values(args, c, err);
	if (r < 0)
		return r;
	cni_hostport_addresses(&c->hp, prev);
	return chained;
}

static bool portmap_has_work(const struct portmap_conf *c)
{
	return cni_hostport_concerns(&c->hp, CNI_HOSTPORT_V4) ||
	       cni_hostport_concerns(&c->hp, CNI_HOSTPORT_V6);
}

/* The rules are there, or gone; flows that the kernel remembers go on without looking at them. */
static void portmap_forget(const struct cni_hostport *hp, bool gone, bool shared)
{
	struct cni_error err = { 0 };

	if (cni_hostport_forget(hp, gone, shared, &err) < 0)
		cni_note("failed to flush conntrack entries: %s", err.msg);
}

/* ---- ADD ---- */

static void portmap_undo(void *ctx)
{
	const struct portmap_conf *c = ctx;
	struct cni_error err = { 0 };

	if (cni_hostport_remove(&c->hp, &err) < 0)
		cni_note("undo of ADD: %s", err.msg);
}

static int portmap_commit(struct portmap_conf *c, struct cni_nft_tx *tx, struct cni_undo *undo,
			  struct cni_error *err)
{
	int r = cni_nft_tx_commit(tx, err);

	/* What was there before this ADD is not undone. */
	if ((r == 0 || tx->unsure) && !c->hp.again && undo->n == 0)
		cni_undo_push(undo, portmap_undo, c);
	return r;
}

/* Ports and rules are one transaction, but for rules of ip_tables, which come second. */
static int portmap_forward(struct portmap_conf *c, struct cni_error *err)
{
	bool apart = c->ops->is_apart && c->ops->is_apart();
	cni_auto(fd) int busy = -1; /* until the rules are there */
	cni_auto(undo) struct cni_undo undo = { 0 };
	cni_auto(nft_tx) struct cni_nft_tx tx = { .n = 0 };
	int r;

	c->hp.was_here = c->ops->was_here(&c->hp);
	r = cni_claim_take(&c->hp, c->allow_conflicts, &tx, err);
	if (r == 0 && apart) {
		busy = cni_who_be_busy(&c->hp);
		r = portmap_commit(c, &tx, &undo, err);
	}
	if (r == 0)
		r = c->ops->add(&c->hp, &tx, err);
	if (r == 0)
		r = portmap_commit(c, &tx, &undo, err);
	if (r < 0)
		return r;
	r = cni_hostport_enable_localhost(&c->hp, err);
	if (r < 0)
		return r;
	portmap_forget(&c->hp, false, c->allow_conflicts);
	cni_undo_disarm(&undo);
	return 0;
}

static int portmap_add(const struct cni_args *args, struct cni_result *res, struct cni_error *err)
{
	cni_auto(portmap) struct portmap_conf c = PORTMAP_CONF_INIT;
	int r;

	r = portmap_read(args, &c, res, err);
	if (r < 0) {
		cni_error_prefix(err, "failed to parse config");
		return r;
	}
	if (r == 0)
		return cni_invalid(err, "must be called as chained plugin");
	return portmap_has_work(&c) ? portmap_forward(&c, err) : 0;
}

/* ---- DEL: needs no more than network, container id and interface name ---- */

/* What can still be read; the rest does without. */
static void portmap_read_leniently(const struct cni_args *args, struct portmap_conf *c)
{
	cni_auto(result) struct cni_result prev = { 0 };
	json_t *runtime = json_object_get(args->conf, "runtimeConfig");

	c->hp = (struct cni_hostport){ .net = args->name,
				       .containerid = args->containerid,
				       .ifname = args->ifname };
	(void)!cni_mapping_read(json_object_get(runtime, "portMappings"), true, &c->hp.mappings,
				NULL);
	if (cni_conf_prev_result(args, &prev, NULL) == 0)
		cni_hostport_addresses(&c->hp, &prev);
}

static int portmap_del(const struct cni_args *args, struct cni_error *err)
{
	cni_auto(portmap) struct portmap_conf c = PORTMAP_CONF_INIT;
	int r;

	portmap_read_leniently(args, &c);
	r = cni_hostport_remove(&c.hp, err);
	if (r != 0 || c.hp.mappings.n > 0)
		portmap_forget(&c.hp, true, false);
	return r < 0 ? r : 0;
}

/* ---- CHECK, GC, STATUS ---- */

static int portmap_check(const struct cni_args *args, struct cni_error *err)
{
	cni_auto(portmap) struct portmap_conf c = PORTMAP_CONF_INIT;
	cni_auto(result) struct cni_result prev = { 0 };
	int r;

	r = portmap_read(args, &c, &prev, err);
	if (r < 0)
		return r;
	if (r == 0)
		return cni_invalid(err, "Required prevResult missing");
	return portmap_has_work(&c) ? c.ops->check(&c.hp, err) : 0;
}

static int portmap_gc(const struct cni_args *args, struct cni_error *err)
{
	int known = cni_conf_knows_valid(args, err), result = known < 0 ? known : 0, r;

	for (size_t i = 0; known > 0 && cni_hostport_backends[i]; i++) {
		r = cni_hostport_backends[i]->gc(args, err);
		result = result < 0 ? result : r;
	}
	r = known > 0 ? cni_claim_gc(args, err) : 0;
	return result < 0 ? result : r;
}

static int portmap_status(const struct cni_args *args, struct cni_error *err)
{
	cni_auto(portmap) struct portmap_conf c = PORTMAP_CONF_INIT;
	cni_auto(result) struct cni_result prev = { 0 };
	int r;

	r = portmap_read(args, &c, &prev, err);
	if (r < 0)
		return r;
	r = c.ops->usable(err);
	if (r < 0)
		err->code = CNI_E_UNAVAILABLE;
	return r;
}

const struct cni_plugin cni_plugin_portmap = {
	.name = "portmap",
	.oldest = CNI_V0_1_0,
	.add = portmap_add,
	.del = portmap_del,
	.check = portmap_check,
	.gc = portmap_gc,
	.status = portmap_status,
};
