/*
 * `ccni install`: puts this executable into a directory of plugins, on a node that is at work; puts back what
 * was there before; lists what is what. How it is done: bindir.h.
 */
#include "bindir.h"
#include "tool.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

/* ---- listing ---- */

static const char *text_of(const struct cni_program *p, char text[64])
{
	static const char *const kinds[] = {
		[CNI_PROGRAM_NONE] = "nothing",
		[CNI_PROGRAM_OTHER] = "other",
		[CNI_PROGRAM_SYMLINK] = "symlink",
		[CNI_PROGRAM_STRANGE] = "no-program",
	};

	if (p->kind == CNI_PROGRAM_OURS)
		snprintf(text, 64, "ccni-%s", p->version);
	else
		snprintf(text, 64, "%s", kinds[p->kind]);
	return text;
}

static int list_one(const struct cni_bindir_entry *e, void *ctx)
{
	struct cni_buf *out = ctx;
	char text[64];

	cni_tool_cell(out, e->name, 16);
	cni_tool_cell(out, text_of(&e->now, text), 12);
	cni_tool_cell(out, e->is_kept ? text_of(&e->kept, text) : NULL, 12);
	cni_buf_printf(out, "\n");
	return 0;
}

static int list(const struct cni_bindir *d, struct cni_buf *out, struct cni_error *err)
{
	cni_buf_printf(out, "%-16s  %-12s  %-12s  \n", "NAME", "NOW", "RESTORE");
	return cni_bindir_each(d, list_one, out, err);
}

/* ---- the command ---- */

static int wrong_call(void)
{
	dprintf(STDERR_FILENO,
		"usage: ccni install [--bindir DIR] [--backup | --restore | --list]\n");
	return 2;
}

enum mode { MODE_INSTALL, MODE_BACKUP, MODE_RESTORE, MODE_LIST };

static int run(enum mode mode, const struct cni_bindir *d, const char *const *names,
	       struct cni_buf *out, struct cni_error *err)
{
	switch (mode) {
	case MODE_INSTALL:
	case MODE_BACKUP:
		return cni_bindir_install(d, names, mode == MODE_BACKUP, err);
	case MODE_RESTORE:
		return cni_bindir_restore(d, names, err);
	case MODE_LIST:
		return list(d, out, err);
	}
	return 0;
}

int cni_tool_install(int argc, char **argv, const struct cni_plugin *const *plugins)
{
	static const struct option options[] = {
		{ "bindir", required_argument, NULL, 'd' },
		{ "backup", no_argument, NULL, MODE_BACKUP },
		{ "restore", no_argument, NULL, MODE_RESTORE },
		{ "list", no_argument, NULL, MODE_LIST },
		{ NULL, 0, NULL, 0 },
	};
	cni_auto(bindir) struct cni_bindir dir = CNI_BINDIR_INIT;
	cni_auto(buf) struct cni_buf out = { 0 };
	cni_auto(free) const char **names = NULL;
	enum mode mode = MODE_INSTALL;
	const char *path = CCNI_BINDIR;
	struct cni_error err = { 0 };
	size_t n = 0;
	int o, r;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == 'd')
			path = optarg;
		else if (o == '?' || mode != MODE_INSTALL)
			return wrong_call();
		else
			mode = (enum mode)o;
	}
	if (optind < argc || !*path)
		return wrong_call();
	while (plugins[n])
		n++;
	names = calloc(n + 2, sizeof(*names));
	if (!names)
		return 1;
	for (size_t i = 0; i < n; i++)
		names[i] = plugins[i]->name;
	names[n] = CNI_BINDIR_TOOL;
	r = cni_bindir_open(path, mode != MODE_LIST, &dir, &err);
	if (r == 0)
		r = run(mode, &dir, names, &out, &err);
	if (r < 0) {
		dprintf(STDERR_FILENO, "ccni install: %s%s%s\n", err.msg, *err.details ? "; " : "",
			err.details);
		return 1;
	}
	return cni_tool_print(&out);
}
