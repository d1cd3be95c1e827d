/*
 * bandwidth: limits what a container sends and receives, at the host's end of its veth. Stands behind the plugin that makes
 * the interface.
 *
 * What the container receives is what that end sends, which the kernel can limit. What it sends is received there, and
 * goes through a link of its own (ifb) to be limited as that sends it.
 *
 * Keys, in runtimeConfig.bandwidth (capability `bandwidth`) or, if any of them stands there, at the top (default):
 *   ingressRate  int (0)  bits a second that the container receives; 0 = no limit
 *   ingressBurst int (0)  bits that may come at once; set if and only if the rate is
 *   egressRate   int (0)  the same of what it sends
 *   egressBurst  int (0)
 */
#include "conf.h"
#include "ends.h"
#include "faults.h"
#include "ifb.h"
#include "iface_check.h"
#include "nl_tc.h"

#include <errno.h>
#include <string.h>

#define MISSING "must be called as chained plugin"
/* The kernel counts bytes in 32 bits. */
#define BURST_END (8 * (json_int_t)UINT32_MAX)

/* One direction; 0 = no limit. */
struct limit {
	json_int_t rate, burst; /* bits a second, bits */
};

struct bandwidth_conf {
	struct limit ingress, egress;
};

static const struct cni_json_field keys[] = {
	{ "ingressRate", CNI_JSON_INT, offsetof(struct bandwidth_conf, ingress.rate) },
	{ "ingressBurst", CNI_JSON_INT, offsetof(struct bandwidth_conf, ingress.burst) },
	{ "egressRate", CNI_JSON_INT, offsetof(struct bandwidth_conf, egress.rate) },
	{ "egressBurst", CNI_JSON_INT, offsetof(struct bandwidth_conf, egress.burst) },
};

/* ---- configuration ---- */

/* Of less the kernel makes no filter. It keeps a burst as the time that it takes. */
static int check_size(const struct limit *l, const char *rate, const char *burst,
		      struct cni_error *err)
{
	struct cni_tbf tbf;

	if (l->rate == 0)
		return 0;
	if (l->rate < 8 || l->burst < 8)
		return cni_invalid(err, "%s %lld and %s %lld: less than a byte can't be counted",
				   rate, (long long)l->rate, burst, (long long)l->burst);
	tbf = cni_tbf_make((uint64_t)l->rate, (uint64_t)l->burst);
	if (cni_tbf_bucket(&tbf) > 0)
		return 0;
	cni_invalid(err, "%s: %lld is too little for %s %lld", burst, (long long)l->burst, rate,
		    (long long)l->rate);
	cni_error_detail(err, "the kernel keeps a burst as the time that it takes at that rate, "
			      "and rounds this one to nothing");
	return -EINVAL;
}

static int check_limit(const struct limit *l, const char *rate, const char *burst,
		       struct cni_error *err)
{
	if (l->rate < 0)
		return cni_invalid(err, "%s: %lld is less than 0", rate, (long long)l->rate);
	if (l->burst < 0)
		return cni_invalid(err, "%s: %lld is less than 0", burst, (long long)l->burst);
	if (l->burst == 0 && l->rate != 0)
		return cni_invalid(err, "if rate is set, burst must also be set: %s is %lld, %s 0",
				   rate, (long long)l->rate, burst);
	if (l->rate == 0 && l->burst != 0)
		return cni_invalid(err, "if burst is set, rate must also be set: %s is %lld, %s 0",
				   burst, (long long)l->burst, rate);
	if (l->burst >= BURST_END)
		return cni_invalid(err, "burst cannot be more than 4GB: %s is %lld bits", burst,
				   (long long)l->burst);
	return check_size(l, rate, burst, err);
}

static bool has_any(json_t *obj)
{
	for (size_t i = 0; i < CNI_ARRAY_SIZE(keys); i++)
		if (json_object_get(obj, keys[i].key))
			return true;
	return false;
}

/* The whole set from one place. */
static int bandwidth_read(const struct cni_args *args, struct bandwidth_conf *ret,
			  struct cni_error *err)
{
	json_t *runtime =
		json_object_get(json_object_get(args->conf, "runtimeConfig"), "bandwidth");
	bool top = has_any(args->conf);
	int r;

	*ret = (struct bandwidth_conf){ 0 };
	r = cni_conf_check_types(args, err);
	if (r == 0 && !top && runtime && !json_is_object(runtime))
		r = cni_invalid(err, "runtimeConfig.bandwidth: expected an object");
	if (r == 0)
		r = cni_json_read(top ? args->conf : runtime, top ? "" : "runtimeConfig.bandwidth.",
				  keys, CNI_ARRAY_SIZE(keys), ret, err);
	if (r < 0) {
		cni_error_prefix(err, "failed to parse config");
		return r;
	}
	r = check_limit(&ret->ingress, "ingressRate", "ingressBurst", err);
	return r < 0 ? r : check_limit(&ret->egress, "egressRate", "egressBurst", err);
}

/* ---- the host's end ---- */

static int find_end(const struct cni_args *args, struct cni_ends *e, const struct cni_result *prev,
		    struct cni_link *ret, struct cni_error *err)
{
	struct cni_link cont;
	int r = cni_link_get(&e->sbox, args->ifname, &cont);

	if (r < 0)
		return cni_nl_fail(&e->sbox, err, r,
				   "container interface %s has no veth peer: could not look it up",
				   args->ifname);
	if (strcmp(cont.kind, "veth") != 0) {
		cni_fail(err, CNI_E_INTERNAL, 0,
			 "container interface %s has no veth peer: %s is not a veth interface",
			 args->ifname, args->ifname);
		cni_error_detail(err, "what has no end on the host can't be limited there");
		return -EINVAL;
	}
	r = cni_ends_peer(e, &cont, ret);
	if (r < 0 && r != -ENODEV)
		return cni_nl_fail(&e->host, err, r, "failed to lookup the host end of \"%s\"",
				   args->ifname);
	if (r == 0 && cni_check_entry(prev, ret->name, false))
		return 0;
	cni_fail(err, CNI_E_INTERNAL, 0, "no veth peer of container interface found in host ns");
	if (r == 0)
		cni_error_detail(err, "it is \"%s\", which is not in prevResult", ret->name);
	return -ENODEV;
}

/* ---- ADD ---- */

/* What is undone needs both. */
struct shaping {
	struct cni_ends e;
	struct cni_link end;
	struct cni_ifb ifb;
};

static inline void cni_auto_shaping(struct shaping *s)
{
	cni_auto_ends(&s->e);
}

static void undo_limit(void *ctx)
{
	struct shaping *s = ctx;
	int r = cni_tc_unlimit(&s->e.host, s->end.index);

	if (r < 0)
		cni_note("undo of ADD: limit of %s: %s", s->end.name, cni_strerror(-r));
}

static void undo_redirect(void *ctx)
{
	struct shaping *s = ctx;
	int r = cni_tc_receive(&s->e.host, s->end.index);

	if (r < 0)
		cni_note("undo of ADD: redirection of %s: %s", s->end.name, cni_strerror(-r));
}

static int set_limit(struct cni_nl *host, const struct cni_link *link, const struct limit *l,
		     struct cni_error *err)
{
	struct cni_tbf tbf = cni_tbf_make((uint64_t)l->rate, (uint64_t)l->burst);
	int r = cni_tc_limit(host, link->index, &tbf);

	return r < 0 ? cni_nl_fail(host, err, r, "create qdisc: limit what \"%s\" sends",
				   link->name)
		     : 0;
}

static int limit_ingress(struct shaping *s, const struct limit *l, struct cni_undo *undo,
			 struct cni_error *err)
{
	int r = set_limit(&s->e.host, &s->end, l, err);

	/* Also if only the answer was lost; what is no filter of ours stays. */
	cni_undo_push(undo, undo_limit, s);
	return r;
}

static int list_ifb(const struct shaping *s, struct cni_result *res, struct cni_error *err)
{
	char mac[CNI_MAC_STRLEN];
	int r = cni_result_add_iface(res, s->ifb.link.name, cni_mac_format(s->ifb.link.mac, mac),
				     NULL);

	return r < 0 ? cni_fail(err, CNI_E_INTERNAL, -r, "list interfaces") : 0;
}

/* Nothing is led to the link before it is limited. */
static int limit_egress(const struct cni_args *args, struct shaping *s, const struct limit *l,
			struct cni_undo *undo, struct cni_result *res, struct cni_error *err)
{
	struct cni_nl *host = &s->e.host;
	int r;

	r = cni_ifb_create(args, host, s->end.mtu, undo, &s->ifb, err);
	if (r == 0)
		r = set_limit(host, &s->ifb.link, l, err);
	if (r < 0)
		return r;
	cni_undo_push(undo, undo_redirect, s);
	r = cni_tc_redirect(host, s->end.index, s->ifb.link.index);
	if (r < 0)
		return cni_nl_fail(host, err, r, "lead what \"%s\" receives to \"%s\"", s->end.name,
				   s->ifb.link.name);
	r = list_ifb(s, res, err);
	return r < 0 ? r : cni_ifb_finish(&s->ifb, err);
}

static int bandwidth_add(const struct cni_args *args, struct cni_result *res, struct cni_error *err)
{
	cni_auto(shaping) struct shaping s = { .e = CNI_ENDS_INIT };
	cni_auto(undo) struct cni_undo undo = { 0 };
	struct bandwidth_conf c;
	int r;

	r = bandwidth_read(args, &c, err);
	if (r == 0)
		r = cni_conf_chained(args, MISSING, res, err);
	if (r < 0 || (!c.ingress.rate && !c.egress.rate))
		return r;
	r = cni_ends_open(args, &s.e, err);
	if (r == 0)
		r = find_end(args, &s.e, res, &s.end, err);
	if (r == 0 && c.ingress.rate)
		r = limit_ingress(&s, &c.ingress, &undo, err);
	if (r == 0 && c.egress.rate)
		r = limit_egress(args, &s, &c.egress, &undo, res, err);
	if (r == 0)
		cni_undo_disarm(&undo);
	return r;
}

/* ---- DEL ---- */

/*
 * What leads to the ifb goes with it, in the kernel's time, and all else with the host's end, which the plugin before this one
 * deletes next: to take it away here would cost the kernel's waiting twice.
 */
static int bandwidth_del(const struct cni_args *args, struct cni_error *err)
{
	cni_auto(nl) struct cni_nl host = CNI_NL_INIT;
	int r = cni_nl_open(&host, -1, err);

	return r < 0 ? r : cni_ifb_remove(args, &host, err);
}

/* ---- CHECK: everything that is wrong is reported at once ---- */

static void check_sent(struct cni_nl *host, const struct cni_link *link, const struct limit *l,
		       struct cni_faults *f)
{
	struct cni_tbf want = cni_tbf_make((uint64_t)l->rate, (uint64_t)l->burst);
	struct cni_tbf have = { 0 };
	char asked[64], found[64];
	int r = cni_tc_get_limit(host, link->index, &have);

	if (r == -ENOENT)
		cni_faults_add(f, &(struct cni_fault){ "qdisc", link->name, "tbf", NULL },
			       "Failed to find qdisc: what \"%s\" sends is not limited",
			       link->name);
	else if (r < 0)
		cni_check_failed(f, host, r, "failed to look at the qdisc of \"%s\"", link->name);
	if (r < 0 || cni_tbf_is(&have, (uint64_t)l->rate, (uint64_t)l->burst))
		return;
	snprintf(asked, sizeof(asked), "rate %llu buffer %u limit %u",
		 (unsigned long long)want.rate, want.buffer, want.limit);
	snprintf(found, sizeof(found), "rate %llu buffer %u limit %u",
		 (unsigned long long)have.rate, have.buffer, have.limit);
	cni_faults_add(f, &(struct cni_fault){ "qdisc", link->name, asked, found },
		       "%s doesn't match on \"%s\": %s",
		       have.rate != want.rate	  ? "Rate"
		       : have.limit != want.limit ? "Limit"
						  : "Buffer",
		       link->name, found);
}

static void check_egress(const struct cni_args *args, struct cni_nl *host,
			 const struct cni_link *end, const struct limit *l, struct cni_faults *f)
{
	struct cni_error why = { 0 };
	struct cni_link ifb;
	int to = 0, r = cni_ifb_find(args, host, &ifb, &why);

	if (r == -ENODEV)
		cni_faults_add(f, &(struct cni_fault){ "interface", end->name, "ifb", NULL },
			       "get ifb device: Link not found");
	else if (r < 0)
		cni_faults_add_error(f, "interface", &why);
	if (r < 0)
		return;
	cni_check_up(&ifb, f);
	check_sent(host, &ifb, l, f);
	r = cni_tc_get_redirect(host, end->index, &to);
	if (r < 0 && r != -ENOENT)
		cni_check_failed(f, host, r, "failed to look at the filters of \"%s\"", end->name);
	else if (to != ifb.index)
		cni_faults_add(f, &(struct cni_fault){ "filter", end->name, ifb.name, NULL },
			       "What \"%s\" receives is not led to \"%s\"", end->name, ifb.name);
}

static int bandwidth_check(const struct cni_args *args, struct cni_error *err)
{
	cni_auto(ends) struct cni_ends e = CNI_ENDS_INIT;
	cni_auto(result) struct cni_result prev = { 0 };
	struct cni_faults f = { 0 };
	struct cni_link end = { 0 };
	struct bandwidth_conf c;
	int r;

	r = bandwidth_read(args, &c, err);
	if (r == 0)
		r = cni_conf_chained(args, "must be called as a chained plugin", &prev, err);
	if (r < 0 || (!c.ingress.rate && !c.egress.rate))
		return r;
	r = cni_ends_open(args, &e, err);
	if (r == 0)
		r = find_end(args, &e, &prev, &end, err);
	if (r < 0)
		return r;
	if (c.ingress.rate)
		check_sent(&e.host, &end, &c.ingress, &f);
	if (c.egress.rate)
		check_egress(args, &e.host, &end, &c.egress, &f);
	return cni_faults_report(&f, err);
}

/* ---- GC, STATUS ---- */

static int bandwidth_gc(const struct cni_args *args, struct cni_error *err)
{
	int known = cni_conf_knows_valid(args, err);

	return known <= 0 ? known : cni_ifb_gc(args, err);
}

static int bandwidth_status(const struct cni_args *args, struct cni_error *err)
{
	struct bandwidth_conf c;

	return bandwidth_read(args, &c, err);
}

const struct cni_plugin cni_plugin_bandwidth = {
	.name = "bandwidth",
	.oldest = CNI_V0_3_0,
	.add = bandwidth_add,
	.del = bandwidth_del,
	.check = bandwidth_check,
	.gc = bandwidth_gc,
	.status = bandwidth_status,
};
