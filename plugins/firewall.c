/*
 * firewall: lets a container's traffic through the host's packet filter, and keeps bridges apart.
 * Stands behind the plugin that makes the interface.
 *
 * Keys (default):
 *   backend                 string ("")  "iptables", "firewalld"; else firewalld if it runs, or iptables
 *   iptablesAdminChainName  string ("CNI-ADMIN")  chain of the operator, asked first
 *   firewalldZone           string ("trusted")    zone that gets the container's addresses
 *   ingressPolicy           string ("open")       "open", "same-bridge", "isolated"
 *   acceptPublishedPorts    bool (true)           iptables: let through what was translated to the
 *                                                 container
 */
#include "conf.h"
#include "firewalld.h"
#include "forward.h"
#include "isolation.h"
#include "names.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

/* firewalld itself allows 17 bytes (its limit follows from iptables' chain names). */
#define ZONE_MAX 63

static const sa_family_t families[] = { AF_INET, AF_INET6 };

struct firewall_conf {
	const char *backend, *admin_chain, *zone, *policy;
	bool accept_published;
	enum cni_isolation isolation; /* of policy */
	const char *bridge; /* that is isolated; borrowed from the previous result */
};

/* ---- configuration ---- */

/* The keys, their types only; on failure defaults for those that were not reached. */
static int firewall_read_keys(const struct cni_args *args, struct firewall_conf *ret,
			      struct cni_error *err)
{
	static const struct cni_json_field fields[] = {
		{ "backend", CNI_JSON_STRING, offsetof(struct firewall_conf, backend) },
		{ "iptablesAdminChainName", CNI_JSON_STRING,
		  offsetof(struct firewall_conf, admin_chain) },
		{ "firewalldZone", CNI_JSON_STRING, offsetof(struct firewall_conf, zone) },
		{ "ingressPolicy", CNI_JSON_STRING, offsetof(struct firewall_conf, policy) },
		{ "acceptPublishedPorts", CNI_JSON_BOOL,
		  offsetof(struct firewall_conf, accept_published) },
	};
	int r;

	*ret = (struct firewall_conf){
		.backend = "", .admin_chain = "", .zone = "", .policy = "", .accept_published = true
	};
	r = cni_conf_check_types(args, err);
	if (r == 0)
		r = cni_json_read(args->conf, "", fields, CNI_ARRAY_SIZE(fields), ret, err);
	if (r < 0)
		cni_error_prefix(err, "failed to load netconf");
	if (!*ret->admin_chain)
		ret->admin_chain = "CNI-ADMIN";
	if (!*ret->zone)
		ret->zone = "trusted";
	return r;
}

/* What iptables -N would refuse, and names that would lead in a circle or to a verdict. */
static int firewall_check_chain(const char *name, struct cni_error *err)
{
	static const char *const taken[] = { "INPUT",  "FORWARD", "OUTPUT", "ACCEPT",	  "DROP",
					     "RETURN", "QUEUE",	  "REJECT", "CNI-FORWARD" };
	static const char ours[] = "CNI-FORWARD-", isolation[] = "CNI-ISOLATION-";
	bool bad = *name == '-' || *name == '!' || strncmp(name, ours, strlen(ours)) == 0 ||
		   strncmp(name, isolation, strlen(isolation)) == 0;

	if (strlen(name) >= CNI_IPT_CHAIN_LEN)
		return cni_invalid(err,
				   "iptablesAdminChainName: chain name \"%s\" too long (must be "
				   "under %d chars)",
				   name, CNI_IPT_CHAIN_LEN);
	for (size_t i = 0; i < CNI_ARRAY_SIZE(taken); i++)
		bad |= strcmp(name, taken[i]) == 0;
	for (const char *p = name; *p; p++)
		bad |= isspace((unsigned char)*p) || iscntrl((unsigned char)*p);
	return bad ? cni_invalid(err,
				 "iptablesAdminChainName: \"%s\" cannot be the name of a chain of "
				 "yours",
				 name)
		   : 0;
}

static int firewall_check_zone(const char *zone, struct cni_error *err)
{
	bool bad = strlen(zone) > ZONE_MAX;

	for (const char *p = zone; *p; p++)
		bad |= iscntrl((unsigned char)*p) != 0;
	return bad ? cni_invalid(err, "firewalldZone: \"%s\" cannot be the name of a zone", zone)
		   : 0;
}

static int firewall_read_policy(struct firewall_conf *c, struct cni_error *err)
{
	static const char *const names[] = {
		[CNI_ISOLATION_OPEN] = "open",
		[CNI_ISOLATION_SAME_BRIDGE] = "same-bridge",
		[CNI_ISOLATION_ISOLATED] = "isolated",
	};

	if (!*c->policy)
		c->policy = names[CNI_ISOLATION_OPEN];
	for (size_t i = 0; i < CNI_ARRAY_SIZE(names); i++) {
		if (strcmp(c->policy, names[i]) == 0) {
			c->isolation = (enum cni_isolation)i;
			return 0;
		}
	}
	cni_invalid(err, "unknown ingress policy: \"%s\"", c->policy);
	cni_error_detail(err, "ingressPolicy is open, same-bridge or isolated");
	return -EINVAL;
}

static int firewall_read(const struct cni_args *args, struct firewall_conf *ret,
			 struct cni_error *err)
{
	int r;

	r = firewall_read_keys(args, ret, err);
	if (r == 0)
		r = firewall_check_chain(ret->admin_chain, err);
	if (r == 0)
		r = firewall_check_zone(ret->zone, err);
	return r < 0 ? r : firewall_read_policy(ret, err);
}

static int firewall_prev_result(const struct cni_args *args, struct cni_result *ret,
				struct cni_error *err)
{
	if (!json_object_get(args->conf, "prevResult")) {
		cni_invalid(err, "missing prevResult from earlier plugin");
		cni_error_detail(err, "chain firewall behind the plugin that makes the interface");
		return -EINVAL;
	}
	return cni_conf_prev_result(args, ret, err);
}

/* The bridge is what the plugin in front listed first. */
static int firewall_find_bridge(struct firewall_conf *c, const struct cni_result *prev,
				struct cni_error *err)
{
	struct cni_error why = { 0 };

	if (c->isolation == CNI_ISOLATION_OPEN)
		return 0;
	if (prev->n_ifaces == 0)
		return cni_invalid(err,
				   "interface needs to be set for ingress policy \"%s\", make sure "
				   "to chain \"firewall\" plugin with \"bridge\"",
				   c->policy);
	c->bridge = prev->ifaces[0].name;
	if (!c->bridge || !*c->bridge)
		return cni_invalid(err, "got empty bridge name");
	if (cni_ifname_check(c->bridge, &why) < 0)
		return cni_invalid(err, "bridge \"%s\" in prevResult: %s", c->bridge, why.msg);
	if (c->bridge[strlen(c->bridge) - 1] == '+')
		return cni_invalid(err,
				   "bridge \"%s\" in prevResult: to iptables that stands for every "
				   "name beginning so",
				   c->bridge);
	return 0;
}

/* ---- backends ---- */

static void firewall_note_isolation(struct cni_ipt *tx, const struct firewall_conf *c,
				    const struct cni_result *res)
{
	for (size_t i = 0; i < res->n_ips; i++)
		cni_isolation_note(tx, res->ips[i].address.ip.family, c->bridge, c->isolation);
}

static int firewall_check_isolation(const struct firewall_conf *c, const struct cni_result *res,
				    struct cni_error *err)
{
	const struct cni_ipt_writer *writer = cni_ipt_host();
	int r = 0;

	for (size_t i = 0; i < res->n_ips && r == 0; i++)
		r = cni_isolation_check(writer, res->ips[i].address.ip.family, c->bridge,
					c->isolation, err);
	return r;
}

static int firewall_iptables_add(const struct cni_args *args, const struct firewall_conf *c,
				 const struct cni_result *res, struct cni_error *err)
{
	cni_auto(ipt) struct cni_ipt tx = { .writer = cni_ipt_host() };
	struct cni_forward f = { .admin_chain = c->admin_chain,
				 .published = c->accept_published,
				 .res = res };
	struct cni_error ignored = { 0 };
	int r;

	r = cni_forward_own(&f, args, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < CNI_ARRAY_SIZE(families); i++)
		cni_forward_note(&tx, families[i], &f);
	firewall_note_isolation(&tx, c, res);
	r = cni_ipt_commit(&tx, err);
	if (r < 0) /* legacy tables are changed one by one */
		(void)!cni_forward_del(args, res, &ignored);
	return r;
}

static int firewall_iptables_check(const struct cni_args *args, const struct firewall_conf *c,
				   const struct cni_result *prev, struct cni_error *err)
{
	struct cni_forward f = { .admin_chain = c->admin_chain,
				 .published = c->accept_published,
				 .res = prev };
	int r;

	r = cni_forward_own(&f, args, err);
	for (size_t i = 0; i < CNI_ARRAY_SIZE(families) && r == 0; i++)
		r = cni_forward_check(cni_ipt_host(), families[i], &f, err);
	return r;
}

static int firewall_iptables_status(struct cni_error *err)
{
	const struct cni_ipt_writer *writer = cni_ipt_host();
	int r;

	r = cni_ipt_probe(writer);
	if (r < 0)
		cni_fail(err, CNI_E_UNAVAILABLE, -r, "backend iptables (%s) cannot be used",
			 cni_ipt_writer_name(writer));
	return r;
}

/* Isolation first: it is shared, and stays if the addresses can't be added. */
static int firewall_firewalld_add(const struct cni_args *args, const struct firewall_conf *c,
				  const struct cni_result *res, struct cni_error *err)
{
	cni_auto(ipt) struct cni_ipt tx = { .writer = cni_ipt_host() };
	int r;

	firewall_note_isolation(&tx, c, res);
	r = cni_ipt_commit(&tx, err);
	return r < 0 ? r : cni_firewalld_add(args, c->zone, res, err);
}

static int firewall_firewalld_check(const struct cni_args *args, const struct firewall_conf *c,
				    const struct cni_result *prev, struct cni_error *err)
{
	(void)args;
	return cni_firewalld_check(c->zone, prev, err);
}

static int firewall_firewalld_status(struct cni_error *err)
{
	if (cni_firewalld_running())
		return 0;
	cni_fail(err, CNI_E_UNAVAILABLE, 0, "firewalld is not running");
	cni_error_detail(err, "the key backend asks for it; \"iptables\" does without");
	return -EHOSTDOWN;
}

/* Where rules are kept, for the verbs that choose; DEL and GC go over all of them. */
struct firewall_backend {
	const char *name;
	int (*add)(const struct cni_args *args, const struct firewall_conf *c,
		   const struct cni_result *res, struct cni_error *err);
	int (*check)(const struct cni_args *args, const struct firewall_conf *c,
		     const struct cni_result *prev, struct cni_error *err);
	int (*status)(struct cni_error *err);
};

static const struct firewall_backend firewall_iptables = {
	.name = "iptables",
	.add = firewall_iptables_add,
	.check = firewall_iptables_check,
	.status = firewall_iptables_status,
};

static const struct firewall_backend firewall_firewalld = {
	.name = "firewalld",
	.add = firewall_firewalld_add,
	.check = firewall_firewalld_check,
	.status = firewall_firewalld_status,
};

/* Any other word means "choose", as with the Go plugin. */
static const struct firewall_backend *firewall_choose(const struct firewall_conf *c)
{
	if (strcmp(c->backend, firewall_iptables.name) == 0)
		return &firewall_iptables;
	if (strcmp(c->backend, firewall_firewalld.name) == 0)
		return &firewall_firewalld;
	return cni_firewalld_running() ? &firewall_firewalld : &firewall_iptables;
}

/* ---- verbs ---- */

static int firewall_add(const struct cni_args *args, struct cni_result *res, struct cni_error *err)
{
	struct firewall_conf c;
	int r;

	r = firewall_read(args, &c, err);
	if (r == 0)
		r = firewall_prev_result(args, res, err);
	if (r == 0)
		r = firewall_find_bridge(&c, res, err);
	return r < 0 ? r : firewall_choose(&c)->add(args, &c, res, err);
}

/* Whatever the configuration says by now: in every backend, and what can't be read is not there. */
static int firewall_del(const struct cni_args *args, struct cni_error *err)
{
	cni_auto(result) struct cni_result prev = { 0 };
	struct firewall_conf c;
	const char *zone = NULL;
	int iptables, firewalld;

	(void)!firewall_read_keys(args, &c, NULL);
	(void)!cni_conf_prev_result(args, &prev, NULL);
	if (prev.n_ips > 0 && firewall_choose(&c) == &firewall_firewalld)
		zone = c.zone;
	iptables = cni_forward_del(args, &prev, err);
	firewalld = cni_firewalld_del(args, zone, &prev, err);
	return iptables < 0 ? iptables : firewalld;
}

static int firewall_check(const struct cni_args *args, struct cni_error *err)
{
	cni_auto(result) struct cni_result prev = { 0 };
	struct firewall_conf c;
	int r;

	r = firewall_read(args, &c, err);
	if (r == 0)
		r = firewall_prev_result(args, &prev, err);
	if (r == 0)
		r = firewall_find_bridge(&c, &prev, err);
	if (r == 0)
		r = firewall_choose(&c)->check(args, &c, &prev, err);
	return r < 0 ? r : firewall_check_isolation(&c, &prev, err);
}

static int firewall_gc(const struct cni_args *args, struct cni_error *err)
{
	int known = cni_conf_knows_valid(args, err);
	int iptables = known > 0 ? cni_forward_gc(args, err) : known;
	int firewalld = known > 0 ? cni_firewalld_gc(args, err) : 0;
	int isolation = cni_isolation_gc(err);

	return iptables < 0 ? iptables : firewalld < 0 ? firewalld : isolation;
}

static int firewall_status(const struct cni_args *args, struct cni_error *err)
{
	struct firewall_conf c;
	int r;

	r = firewall_read(args, &c, err);
	return r < 0 ? r : firewall_choose(&c)->status(err);
}

const struct cni_plugin cni_plugin_firewall = {
	.name = "firewall",
	.oldest = CNI_V0_4_0,
	.add = firewall_add,
	.del = firewall_del,
	.check = firewall_check,
	.gc = firewall_gc,
	.status = firewall_status,
};
