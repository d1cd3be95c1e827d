/*
 * The writer for iptables-legacy: tables of ip_tables and ip6_tables, through libiptc; see ipt.h.
 *
 * ip_tables knows only whole tables: one is read, changed, and put back in one piece, under the lock
 * that iptables itself takes.
 */
#include "files.h"
#include "ipt_legacy_rule.h"
#include "ipt_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <libiptc/libip6tc.h>
#include <libiptc/libiptc.h>
#include <stdio.h>
#include <string.h>

/* As iptables(8): its lock, and the variable that moves it. */
#define LOCK_FILE "/run/xtables.lock"
#define LOCK_VARIABLE "XTABLES_LOCKFILE"
/* Somebody who does not take the lock changed the table between reading and writing. */
#define COMMIT_TRIES 20

/* ---- libiptc has every function twice ---- */

struct tc {
	struct xtc_handle *(*init)(const char *table);
	void (*free)(struct xtc_handle *h);
	int (*commit)(struct xtc_handle *h);
	int (*is_chain)(const char *chain, struct xtc_handle *h);
	int (*create_chain)(const char *chain, struct xtc_handle *h);
	int (*flush)(const char *chain, struct xtc_handle *h);
	int (*delete_chain)(const char *chain, struct xtc_handle *h);
	int (*references)(unsigned int *n, const char *chain, struct xtc_handle *h);
	int (*delete_rule)(const char *chain, unsigned int i, struct xtc_handle *h);
	const void *(*first)(const char *chain, struct xtc_handle *h);
	const void *(*next)(const void *rule, struct xtc_handle *h);
	const char *(*target)(const void *rule, struct xtc_handle *h);
	int (*append)(const char *chain, const union cni_ipt_entry *rule, struct xtc_handle *h);
	int (*insert)(const char *chain, const union cni_ipt_entry *rule, struct xtc_handle *h);
};

/* Functions that have the entry's type in their own. */
#define WRAP(lib, entry, member)                                                    \
	static const void *lib##_first(const char *chain, struct xtc_handle *h)     \
	{                                                                           \
		return lib##_first_rule(chain, h);                                  \
	}                                                                           \
	static const void *lib##_next(const void *rule, struct xtc_handle *h)       \
	{                                                                           \
		return lib##_next_rule(rule, h);                                    \
	}                                                                           \
	static const char *lib##_target(const void *rule, struct xtc_handle *h)     \
	{                                                                           \
		return lib##_get_target(rule, h);                                   \
	}                                                                           \
	static int lib##_append(const char *chain, const union cni_ipt_entry *rule, \
				struct xtc_handle *h)                               \
	{                                                                           \
		return lib##_append_entry(chain, &rule->member, h);                 \
	}                                                                           \
	static int lib##_insert(const char *chain, const union cni_ipt_entry *rule, \
				struct xtc_handle *h)                               \
	{                                                                           \
		return lib##_insert_entry(chain, &rule->member, 0, h);              \
	}                                                                           \
	static const struct tc lib = {                                              \
		lib##_init,	    lib##_free,		  lib##_commit,             \
		lib##_is_chain,	    lib##_create_chain,	  lib##_flush_entries,      \
		lib##_delete_chain, lib##_get_references, lib##_delete_num_entry,   \
		lib##_first,	    lib##_next,		  lib##_target,             \
		lib##_append,	    lib##_insert                                    \
	}

WRAP(iptc, ipt_entry, v4);
WRAP(ip6tc, ip6t_entry, v6);

/* ---- one table ---- */

struct table {
	const struct tc *tc;
	sa_family_t family;
	const char *name;
	struct xtc_handle *h; /* owned */
	bool changed;
};

static void table_close(struct table *t)
{
	if (t->h)
		t->tc->free(t->h);
	t->h = NULL;
}

static int last_error(void)
{
	return errno > 0 ? -errno : -EIO; /* 0: not the version that libiptc knows */
}

static int table_open(struct table *t, sa_family_t family, const char *name)
{
	*t = (struct table){ .tc = family == AF_INET ? &iptc : &ip6tc, .family = family };
	t->name = name;
	errno = 0;
	t->h = t->tc->init(name);
	if (t->h)
		return 0;
	/* No such module, or none of this table. */
	return errno == ENOPROTOOPT || errno == ENOENT ? -EPROTONOSUPPORT : last_error();
}

/* @return whether the table is there: asking libiptc would make the kernel load and make it */
static bool table_exists(sa_family_t family, const char *name)
{
	FILE *f = fopen(family == AF_INET ? "/proc/thread-self/net/ip_tables_names"
					  : "/proc/thread-self/net/ip6_tables_names",
			"re");
	char line[XT_TABLE_MAXNAMELEN + 2];
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		found = strcmp(line, name) == 0;
	}
	if (f)
		(void)fclose(f);
	return found;
}

static void decode(const struct table *t, const void *entry, struct cni_ipt_rule *ret)
{
	const char *target = t->tc->target(entry, t->h);

	cni_ipt_legacy_decode(t->family, entry, target, *target && t->tc->is_chain(target, t->h),
			      ret);
}

static bool has_rule(const struct table *t, const struct cni_ipt_op *op)
{
	const void *entry = t->tc->first(op->chain, t->h);
	struct cni_ipt_rule rule;

	for (; entry; entry = t->tc->next(entry, t->h)) {
		decode(t, entry, &rule);
		if (cni_ipt_rule_equal(&rule, &op->rule))
			return true;
	}
	return false;
}

static int add_rule(struct table *t, const struct cni_ipt_op *op)
{
	union cni_ipt_entry entry;

	if (op->what != CNI_IPT_OP_ADD && has_rule(t, op))
		return 0;
	cni_ipt_legacy_encode(t->family, &op->rule, &entry);
	t->changed = true;
	errno = 0;
	if (op->what == CNI_IPT_OP_INSERT ? t->tc->insert(op->chain, &entry, t->h)
					  : t->tc->append(op->chain, &entry, t->h))
		return 0;
	return last_error();
}

/* Deleting ends a walk, so the walk begins anew behind what was looked at. */
static int delete_rules(struct table *t, const struct cni_ipt_op *op)
{
	unsigned int looked_at = 0;
	const void *entry;

	do {
		unsigned int i = 0;

		for (entry = t->tc->first(op->chain, t->h); entry;
		     entry = t->tc->next(entry, t->h), i++) {
			struct cni_ipt_rule rule;

			if (i < looked_at)
				continue;
			looked_at++;
			decode(t, entry, &rule);
			if (cni_ipt_op_deletes(op, &rule))
				break;
		}
		if (entry && !t->tc->delete_rule(op->chain, --looked_at, t->h))
			return last_error();
		t->changed |= entry != NULL;
	} while (entry);
	return 0;
}

static int insert_below(struct table *t, const struct cni_ipt_op *op)
{
	struct cni_ipt_op above = *op;
	int r;

	r = add_rule(t, op);
	above.rule = *op->above;
	if (r < 0 || !has_rule(t, &above))
		return r;
	above.what = CNI_IPT_OP_DELETE;
	r = delete_rules(t, &above);
	above.what = CNI_IPT_OP_INSERT;
	return r < 0 ? r : add_rule(t, &above);
}

static int drop_chain(struct table *t, const char *chain)
{
	unsigned int references = 0;

	if (!t->tc->references(&references, chain, t->h))
		return last_error();
	if (references > 0)
		return 0;
	t->changed = true;
	return t->tc->flush(chain, t->h) && t->tc->delete_chain(chain, t->h) ? 0 : last_error();
}

static int apply_op(struct table *t, const struct cni_ipt_op *op)
{
	bool exists = t->tc->is_chain(op->chain, t->h) != 0;

	switch (op->what) {
	case CNI_IPT_OP_CHAIN:
		if (exists)
			return 0;
		t->changed = true;
		return t->tc->create_chain(op->chain, t->h) ? 0 : last_error();
	case CNI_IPT_OP_APPEND:
	case CNI_IPT_OP_INSERT:
	case CNI_IPT_OP_ADD:
		if (exists && op->above && !has_rule(t, op))
			return insert_below(t, op);
		return exists ? add_rule(t, op) : -ENOENT;
	case CNI_IPT_OP_DELETE:
	case CNI_IPT_OP_DELETE_IF:
		return exists ? delete_rules(t, op) : 0;
	case CNI_IPT_OP_DELETE_BEHIND: /* rules have no order of birth here */
		return -ESTALE;
	case CNI_IPT_OP_DROP:
		return exists ? drop_chain(t, op->chain) : 0;
	}
	return 0;
}

/* ---- transactions ---- */

struct transaction {
	const struct cni_ipt_op *op;
	size_t n;
	size_t at; /* which operation failed */
	bool dry; /* only find out whether there is anything to do */
	bool changes;
};

static bool same_table(const struct cni_ipt_op *a, const struct cni_ipt_op *b)
{
	return a->family == b->family && strcmp(a->table, b->table) == 0;
}

static int apply_table(struct transaction *tx, const struct cni_ipt_op *first)
{
	struct table t;
	int r;

	r = table_open(&t, first->family, first->table);
	for (size_t i = 0; i < tx->n && r == 0; i++) {
		if (!same_table(&tx->op[i], first))
			continue;
		tx->at = i;
		r = apply_op(&t, &tx->op[i]);
	}
	tx->changes |= t.changed;
	errno = 0;
	if (r == 0 && t.changed && !tx->dry && !t.tc->commit(t.h))
		r = last_error();
	table_close(&t);
	return r;
}

/* @return whether the table has to be looked at: if it is not there, there is nothing to remove */
static bool concerns(const struct transaction *tx, const struct cni_ipt_op *first)
{
	for (size_t i = 0; i < tx->n; i++)
		if (same_table(&tx->op[i], first) && !cni_ipt_op_removes(&tx->op[i]))
			return true;
	return table_exists(first->family, first->table);
}

static bool is_first_of_table(const struct transaction *tx, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (same_table(&tx->op[j], &tx->op[i]))
			return false;
	return true;
}

static int apply(struct transaction *tx)
{
	int r = 0;

	for (size_t i = 0; i < tx->n && r == 0; i++) {
		int tries = COMMIT_TRIES;

		if (!is_first_of_table(tx, i) || !concerns(tx, &tx->op[i]))
			continue;
		tx->at = i;
		do
			r = apply_table(tx, &tx->op[i]);
		while (r == -EAGAIN && --tries > 0);
	}
	return r;
}

/* @return the lock's file, open and locked; negative errno */
static int lock(struct cni_error *err)
{
	const char *variable = getenv(LOCK_VARIABLE);
	const char *path = variable && *variable ? variable : LOCK_FILE;
	cni_auto(fd) int fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
	int locked, r;

	if (fd < 0)
		return cni_fail(err, CNI_E_INTERNAL, errno, "open %s, the lock of iptables", path);
	r = cni_lock_within(fd, CNI_IPT_PATIENCE * 1000);
	if (r < 0 && r != -EWOULDBLOCK)
		return cni_fail(err, CNI_E_INTERNAL, -r, "lock %s", path);
	if (r < 0) {
		cni_fail(err, CNI_E_RETRY, EAGAIN, "another program holds %s, the lock of iptables",
			 path);
		cni_error_detail(err, "waited %d s; `fuser %s` names the program", CNI_IPT_PATIENCE,
				 path);
		return -EAGAIN;
	}
	locked = fd;
	fd = -1;
	return locked;
}

static int legacy_commit(const struct cni_ipt_op *op, size_t n, struct cni_error *err)
{
	struct transaction tx = { .op = op, .n = n, .dry = true };
	cni_auto(fd) int locked = -1;
	int r = 0;

	for (size_t i = 0; i < n; i++)
		tx.dry &= cni_ipt_op_removes(&op[i]);
	/* Where there is nothing to remove, nobody's lock is waited for. */
	if (tx.dry) {
		r = apply(&tx);
		if (r == 0 && !tx.changes)
			return 0;
	}
	if (r == 0) {
		locked = lock(err);
		if (locked < 0)
			return locked;
		tx.dry = false;
		r = apply(&tx);
	}
	return r < 0 ? cni_ipt_op_failed(&op[tx.at], r, err) : 0;
}

static int legacy_each(sa_family_t family, const char *table, const char *chain,
		       void (*fn)(const struct cni_ipt_rule *rule, void *ctx), void *ctx,
		       struct cni_error *err)
{
	struct cni_ipt_rule rule;
	const void *entry;
	struct table t;
	int r;

	if (!table_exists(family, table))
		return -ENOENT;
	r = table_open(&t, family, table);
	if (r < 0)
		return cni_fail(err, CNI_E_INTERNAL, -r, "read %s table %s",
				family == AF_INET ? "iptables" : "ip6tables", table);
	r = t.tc->is_chain(chain, t.h) ? 0 : -ENOENT;
	for (entry = r == 0 ? t.tc->first(chain, t.h) : NULL; entry;
	     entry = t.tc->next(entry, t.h)) {
		decode(&t, entry, &rule);
		fn(&rule, ctx);
	}
	table_close(&t);
	return r;
}

static bool legacy_usable(void)
{
	struct table t;
	int r = table_open(&t, AF_INET, "nat");

	table_close(&t);
	return r == 0;
}

const struct cni_ipt_writer cni_ipt_legacy = {
	.name = "legacy",
	.usable = legacy_usable,
	.commit = legacy_commit,
	.each = legacy_each,
};
