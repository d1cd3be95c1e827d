/*
 * The executable: picks the plugin by the name it was called by.
 */
#include "skel.h"

#include <stdio.h>
#include <string.h>

extern const struct cni_plugin cni_plugin_bridge, cni_plugin_host_local, cni_plugin_loopback;

static const struct cni_plugin *const plugins[] = {
	&cni_plugin_bridge,
	&cni_plugin_host_local,
	&cni_plugin_loopback,
	NULL,
};

/* Called by another name, the executable says what it is. */
static int print_plugins(const char *name)
{
	dprintf(STDERR_FILENO,
		"%s %s: CNI plugins. Call it, through a hard link or a copy, by the name of one "
		"of:\n",
		name, CNI_BUILD_VERSION);
	for (const struct cni_plugin *const *p = plugins; *p; p++)
		dprintf(STDERR_FILENO, "  %s\n", (*p)->name);
	return 2;
}

int main(int argc, char **argv)
{
	const char *name = argc > 0 ? argv[0] : "";
	const char *slash = strrchr(name, '/');

	if (slash)
		name = slash + 1;
	for (const struct cni_plugin *const *p = plugins; *p; p++)
		if (strcmp(name, (*p)->name) == 0)
			return cni_serve(*p, plugins);
	return print_plugins(name);
}
