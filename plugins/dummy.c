/*
 * dummy: gives a container an interface that leads nowhere, and so addresses that are there whatever else comes and goes.
 *
 * Keys:
 *   ipam  object  who gives addresses, and DNS settings; required
 */
#include "child.h"
#include "conf.h"
#include "delegate.h"

#define KIND "dummy"

static int dummy_read(const struct cni_args *args, struct cni_error *err)
{
	int r = cni_conf_check_types(args, err);

	if (r < 0) {
		cni_error_prefix(err, "failed to parse network config");
		return r;
	}
	return cni_conf_require_ipam(args, "dummy interface requires an IPAM configuration", err);
}

static int dummy_add(const struct cni_args *args, struct cni_result *res, struct cni_error *err)
{
	cni_auto(ends) struct cni_ends e = CNI_ENDS_INIT;
	const struct cni_link_spec spec = { .kind = KIND };
	struct cni_child child = { 0 };
	cni_auto(undo) struct cni_undo undo = { 0 };
	int r;

	r = dummy_read(args, err);
	if (r == 0)
		r = cni_ends_open(args, &e, err);
	if (r == 0)
		r = cni_child_create(args, &e, NULL, &spec, &undo, &child, err);
	if (r == 0)
		r = cni_ipam_add(args, &undo, res, err);
	if (r == 0)
		r = cni_child_configure(&child, res, err);
	if (r == 0)
		r = cni_child_finish(args, &child, res, err);
	if (r == 0)
		cni_undo_disarm(&undo);
	return r;
}

/* Needs nothing of the configuration but the IPAM plugin. */
static int dummy_del(const struct cni_args *args, struct cni_error *err)
{
	return cni_child_del(args, KIND, err);
}

/* Everything that is wrong is reported at once. */
static int dummy_check(const struct cni_args *args, struct cni_error *err)
{
	cni_auto(ends) struct cni_ends e = CNI_ENDS_INIT;
	cni_auto(result) struct cni_result prev = { 0 };
	struct cni_faults f = { 0 };
	struct cni_link link;
	int r;

	r = dummy_read(args, err);
	if (r == 0)
		r = cni_ends_open(args, &e, err);
	if (r == 0)
		r = cni_conf_prev_result(args, &prev, err);
	if (r < 0)
		return r;
	(void)!cni_child_check(args, &e.sbox, KIND, &prev, &link, &f);
	return cni_faults_report(&f, err);
}

static int dummy_status(const struct cni_args *args, struct cni_error *err)
{
	int r = dummy_read(args, err);

	return r < 0 ? r : cni_ipam_ask(args, CNI_STATUS, err);
}

const struct cni_plugin cni_plugin_dummy = {
	.name = KIND,
	.oldest = CNI_V0_1_0,
	.add = dummy_add,
	.del = dummy_del,
	.check = dummy_check,
	.gc = cni_child_gc,
	.status = dummy_status,
};
