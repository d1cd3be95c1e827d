/*
 * CHECK of iptables' rules; see ipt_expect.h.
 */
#include "ipt_expect.h"

#include <errno.h>

struct expected {
	struct cni_ipt_expect *list;
	size_t n;
};

static void tick_off(const struct cni_ipt_rule *rule, void *ctx)
{
	struct expected *e = ctx;

	for (size_t i = 0; i < e->n; i++)
		e->list[i].found |= cni_ipt_rule_equal(rule, &e->list[i].rule);
}

int cni_ipt_expect(const struct cni_ipt_writer *writer, sa_family_t family, const char *table,
		   const char *chain, struct cni_ipt_expect *list, size_t n, struct cni_error *err)
{
	struct expected e = { list, n };
	int r;

	r = cni_ipt_each(writer, family, table, chain, tick_off, &e, err);
	return r == -ENOENT ? 0 : r;
}
