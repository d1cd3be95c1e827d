/*
 * tuning: sets kernel parameters of the container's network namespace, and attributes of its interface;
 * DEL gives the attributes back. Works on what the plugins before it in the chain made. Its keys: tuning.h.
 */
#include "tuning.h"
#include "conf.h"
#include "files.h"
#include "netns.h"
#include "undo.h"

#include <errno.h>
#include <string.h>

int tuning_open(const struct cni_args *args, struct tuning *t, bool with_link,
		struct cni_error *err)
{
	int r;

	t->backup = (struct cni_link_backup){ .dir = t->conf.data_dir,
					      .network = args->name,
					      .containerid = args->containerid,
					      .ifname = args->ifname };
	r = cni_netns_open(args->netns, &t->netns, err);
	if (r < 0 || !with_link)
		return r;
	r = cni_nl_open(&t->nl, t->netns, err);
	if (r == 0)
		r = cni_link_get(&t->nl, args->ifname, &t->link);
	if (r == 0) {
		t->backup.netns = cni_nl_netns_cookie(&t->nl);
		t->backup.ifindex = t->link.index;
	}
	return r;
}

/* ---- ADD, step by step ---- */

static void tuning_undo_sysctl(void *ctx)
{
	struct tuning *t = ctx;

	cni_sysctl_put_back(t->netns, t->conf.sysctl, t->conf.n_sysctl);
}

static void tuning_undo_backup(void *ctx)
{
	struct tuning *t = ctx;
	struct cni_error err = { 0 };

	if (cni_link_backup_remove(&t->backup, &err) < 0)
		cni_note("undo of ADD: %s", err.msg);
}

static void tuning_undo_link(void *ctx)
{
	struct tuning *t = ctx;

	cni_link_restore_attrs(&t->nl, &t->link, &t->old);
}

/* What it was is on disk before it changes, so that DEL can restore it, whenever we are killed. */
static int tuning_change_link(struct tuning *t, struct cni_undo *undo, struct cni_error *err)
{
	const struct cni_link_attrs *want = &t->conf.want;
	int r;

	t->old = cni_link_attrs_of(&t->link, want->set);
	r = cni_link_backup_save(&t->backup, &t->old, err);
	if (r < 0)
		return r;
	if (r > 0)
		cni_undo_push(undo, tuning_undo_backup, t);
	/* Before the call: the kernel may take some attributes and refuse the next. */
	cni_undo_push(undo, tuning_undo_link, t);
	r = cni_link_set_attrs(&t->nl, t->link.index, want);
	return r < 0 ? cni_nl_fail(&t->nl, err, r, "failed to set attributes of \"%s\"",
				   t->link.name)
		     : 0;
}

/* Every entry of that name, as the Go plugin does. */
static int tuning_report(const struct cni_args *args, const struct cni_link_attrs *want,
			 struct cni_result *res, struct cni_error *err)
{
	char mac[CNI_MAC_STRLEN];

	cni_mac_format(want->mac, mac);
	for (size_t i = 0; i < res->n_ifaces; i++) {
		struct cni_iface *iface = &res->ifaces[i];

		if (!iface->name || strcmp(iface->name, args->ifname) != 0)
			continue;
		if (want->set & CNI_LINK_MTU && iface->mtu)
			iface->mtu = want->mtu;
		if (!(want->set & CNI_LINK_MAC))
			continue;
		free(iface->mac);
		iface->mac = strdup(mac);
		if (!iface->mac)
			return cni_fail(err, CNI_E_INTERNAL, ENOMEM, "report \"%s\"", iface->name);
	}
	return 0;
}

static int tuning_add(const struct cni_args *args, struct cni_result *res, struct cni_error *err)
{
	cni_auto(tuning) struct tuning t = TUNING_INIT;
	const struct tuning_conf *c = &t.conf;
	cni_auto(undo) struct cni_undo undo = { 0 };
	int r;

	r = tuning_read(args, &t.conf, err);
	if (r == 0)
		r = tuning_check_allowed(c, err);
	if (r == 0)
		r = cni_conf_chained(args, TUNING_CHAINED, res, err);
	if (r == 0)
		r = tuning_report(args, &c->want, res, err);
	if (r < 0)
		return r;
	r = tuning_open(args, &t, c->want.set, err);
	if (r == -ENODEV)
		return cni_fail(err, CNI_E_INTERNAL, 0, "failed to get \"%s\": Link not found",
				args->ifname);
	if (r < 0)
		return cni_nl_fail(&t.nl, err, r, "failed to get \"%s\"", args->ifname);
	r = cni_sysctl_exchange(t.netns, c->sysctl, c->n_sysctl, err);
	if (r < 0)
		return r;
	cni_undo_push(&undo, tuning_undo_sysctl, &t);
	r = c->want.set ? tuning_change_link(&t, &undo, err) : 0;
	if (r == 0)
		cni_undo_disarm(&undo);
	return r;
}

/* ---- DEL: of the configuration it needs no more than the place of the backups ---- */

static int tuning_del(const struct cni_args *args, struct cni_error *err)
{
	cni_auto(tuning) struct tuning t = TUNING_INIT;
	struct cni_error why = { 0 };
	int r;

	r = tuning_read_data_dir(args, &t.conf, err);
	if (r < 0)
		return r;
	r = tuning_open(args, &t, true, &why);
	if (r < 0 && r != -ENODEV && !cni_netns_is_gone(r)) {
		cni_nl_fail(&t.nl, &why, r, "failed to get \"%s\"", args->ifname);
		*err = why;
		return r; /* with the backup kept, for the next DEL */
	}
	if (r == 0 && cni_link_backup_read(&t.backup, &t.old) == 0)
		cni_link_restore_attrs(&t.nl, &t.link, &t.old);
	return cni_link_backup_remove(&t.backup, err);
}

/* ---- GC, STATUS ---- */

static int tuning_gc(const struct cni_args *args, struct cni_error *err)
{
	int known = cni_conf_knows_valid(args, err), r;
	struct tuning_conf c = { 0 };

	if (known <= 0)
		return known;
	r = tuning_read_data_dir(args, &c, err);
	return r < 0 ? r : cni_link_backup_gc(c.data_dir, args, err);
}

static int tuning_status(const struct cni_args *args, struct cni_error *err)
{
	cni_auto(tuning_conf) struct tuning_conf c = { 0 };
	int r;

	r = tuning_read(args, &c, err);
	if (r < 0)
		return r;
	r = tuning_check_allowed(&c, err);
	if (r == 0 && c.want.set) {
		r = cni_dir_check_writable(c.data_dir);
		if (r < 0) {
			cni_fail(err, CNI_E_INTERNAL, -r, "backup files can't be written to %s",
				 c.data_dir);
			cni_error_detail(err, "dataDir chooses another directory");
		}
	}
	if (r < 0)
		err->code = CNI_E_UNAVAILABLE;
	return r;
}

const struct cni_plugin cni_plugin_tuning = {
	.name = "tuning",
	.oldest = CNI_V0_1_0,
	.add = tuning_add,
	.del = tuning_del,
	.check = tuning_check,
	.gc = tuning_gc,
	.status = tuning_status,
};
