/*
 * The operator's tool: what the executable does under its own name.
 */
#ifndef CNI_TOOL_H
#define CNI_TOOL_H

#include "buf.h"
#include "plugin.h"

/**
 * Run a command of the tool: `ccni leases ...`, or print what there is.
 *
 * @param plugins  NULL-terminated: the plugins of this executable
 * @return the process's exit status: 0; 1 if something could not be read; 2 for a wrong call
 */
int cni_tool(int argc, char **argv, const struct cni_plugin *const *plugins);

/** A command gets its own name as argv[0], and cni_tool()'s plugins; it returns the exit status. */
typedef int cni_tool_command(int argc, char **argv, const struct cni_plugin *const *plugins);

/** `ccni leases [NETWORK] [--json] [--data-dir DIR]`: list the leases of host-local; changes nothing. */
cni_tool_command cni_tool_leases;

/** `ccni install [--bindir DIR] [--backup | --restore | --list]`: put the plugins in place; bindir.h. */
cni_tool_command cni_tool_install;

/**
 * Append a cell of a table. What comes from files must not steer a terminal: all but printable ASCII becomes
 * a question mark.
 * @param text   NULL or "": a dash
 * @param width  columns that it takes at least, two blanks not counted
 */
void cni_tool_cell(struct cni_buf *out, const char *text, int width);

/** Write to standard output. @return the exit status: 1 if it could not be written */
int cni_tool_print(const struct cni_buf *out);

#endif
