/*
 * Masquerading: the choice of a backend, and removal from all of them; see masq.h.
 */
#include "masq.h"
#include "ipt.h"
#include "masq_backend.h"

#include <errno.h>
#include <string.h>

static const struct cni_masq_backend *const backends[] = { &cni_masq_nft, &cni_masq_ipt };

static const struct cni_masq_backend *find(const char *name)
{
	if (!*name)
		return cni_ipt_is_usable() ? &cni_masq_ipt : &cni_masq_nft;
	for (size_t i = 0; i < CNI_ARRAY_SIZE(backends); i++)
		if (strcmp(backends[i]->name, name) == 0)
			return backends[i];
	return NULL;
}

bool cni_masq_knows(const char *backend)
{
	return !*backend || find(backend);
}

static void undo_add(void *ctx)
{
	const struct cni_args *args = ctx;
	struct cni_error err = { 0 };

	if (cni_masq_del(args, &err) < 0)
		cni_note("undo of ADD: %s", err.msg);
}

int cni_masq_add(const struct cni_args *args, const struct cni_masq_conf *conf,
		 const struct cni_result *res, struct cni_undo *undo, struct cni_error *err)
{
	const struct cni_masq_backend *backend = find(conf->backend);

	if (!backend)
		return cni_invalid(err, "unknown ipmasq backend \"%s\"", conf->backend);
	if (res->n_ips == 0)
		return 0;
	cni_undo_push(undo, undo_add, (void *)args);
	return backend->add(args, res, conf->random_fully, err);
}

void cni_masq_check(const struct cni_args *args, const struct cni_masq_conf *conf,
		    const struct cni_result *prev, struct cni_faults *f)
{
	const struct cni_masq_backend *backend = *conf->backend ? find(conf->backend) : NULL;

	if (backend && backend->check)
		backend->check(args, prev, f);
}

int cni_masq_del(const struct cni_args *args, struct cni_error *err)
{
	int first = 0;

	for (size_t i = 0; i < CNI_ARRAY_SIZE(backends); i++) {
		int r = backends[i]->del(args, err);

		first = first < 0 ? first : r;
	}
	return first;
}

int cni_masq_gc(const struct cni_args *args, struct cni_error *err)
{
	int first = 0;

	for (size_t i = 0; i < CNI_ARRAY_SIZE(backends); i++) {
		int r = backends[i]->gc(args, err);

		first = first < 0 ? first : r;
	}
	return first;
}
