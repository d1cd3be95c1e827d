/*
 * The operator's tool; see tool.h.
 */
#include "tool.h"
#include "skel.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name, *usage;
	cni_tool_command *run;
} commands[] = {
	{ "install",
	  "install [--bindir DIR] [--backup]              put the plugins into DIR; keep what is "
	  "there\n"
	  "  ccni install [--bindir DIR] --restore               put back what was kept\n"
	  "  ccni install [--bindir DIR] --list                  list what is there, and what is "
	  "kept",
	  cni_tool_install },
	{ "leases", "leases [NETWORK] [--json] [--data-dir DIR]     list the leases of host-local",
	  cni_tool_leases },
};

void cni_tool_cell(struct cni_buf *out, const char *text, int width)
{
	int n = 0;

	for (text = text && *text ? text : "-"; *text; text++, n++)
		cni_buf_printf(out, "%c", *text > ' ' && *text < 0x7f ? *text : '?');
	cni_buf_printf(out, "%*s  ", n < width ? width - n : 0, "");
}

int cni_tool_print(const struct cni_buf *out)
{
	if (out->len == 0) /* nothing to say is no error where nobody listens */
		return out->failed;
	return out->failed || write(STDOUT_FILENO, out->data, out->len) != (ssize_t)out->len;
}

static int usage(const struct cni_plugin *const *plugins)
{
	dprintf(STDERR_FILENO, "%s %s: CNI plugins, and a tool for who runs them\n\n",
		program_invocation_short_name, CNI_BUILD_VERSION);
	for (size_t i = 0; i < CNI_ARRAY_SIZE(commands); i++)
		dprintf(STDERR_FILENO, "  ccni %s\n", commands[i].usage);
	dprintf(STDERR_FILENO,
		"\nCalled through a hard link or a copy of this name it is the plugin:\n");
	for (; *plugins; plugins++)
		dprintf(STDERR_FILENO, "  %s\n", (*plugins)->name);
	return 2;
}

int cni_tool(int argc, char **argv, const struct cni_plugin *const *plugins)
{
	for (size_t i = 0; argc > 1 && i < CNI_ARRAY_SIZE(commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1, plugins);
	return usage(plugins);
}
