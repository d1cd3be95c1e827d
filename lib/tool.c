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
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "leases", "leases [NETWORK] [--json] [--data-dir DIR]   list the leases of host-local",
	  cni_tool_leases },
};

static int usage(const struct cni_plugin *const *plugins)
{
	dprintf(STDERR_FILENO, "%s %s: CNI plugins, and a tool to look at what they keep\n\n",
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
			return commands[i].run(argc - 1, argv + 1);
	return usage(plugins);
}
