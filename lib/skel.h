/*
 * The protocol: what happens between a runtime's call and a plugin's verb, and the only writer of
 * stdout (SPEC.md section 2 "Execution Protocol").
 */
#ifndef CNI_SKEL_H
#define CNI_SKEL_H

#include "plugin.h"

/** What `CNI_COMMAND=` prints: not lower than the Go release whose behaviour this build follows. */
#define CNI_BUILD_VERSION "v1.9.1+ccni." CCNI_VERSION

/**
 * Serve one request: environment, stdin, verb, stdout.
 *
 * From here on stdout belongs to the result alone: descriptor 1 is pointed at stderr, so that no
 * library can spoil it.
 *
 * @param plugin    who is asked
 * @param siblings  NULL-terminated: all plugins of this executable
 * @return the process's exit status: 0, or 1 after an error object was printed
 */
int cni_serve(const struct cni_plugin *plugin, const struct cni_plugin *const *siblings);

#endif
