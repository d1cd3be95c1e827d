/*
 * The operator's tool: what the executable does under its own name. It looks, and changes nothing.
 */
#ifndef CNI_TOOL_H
#define CNI_TOOL_H

#include "plugin.h"

/**
 * Run a command of the tool: `ccni leases ...`, or print what there is.
 *
 * @param plugins  NULL-terminated: the plugins of this executable
 * @return the process's exit status: 0; 1 if something could not be read; 2 for a wrong call
 */
int cni_tool(int argc, char **argv, const struct cni_plugin *const *plugins);

/** `ccni leases [NETWORK] [--json] [--data-dir DIR]`: list the leases of host-local. */
int cni_tool_leases(int argc, char **argv);

#endif
