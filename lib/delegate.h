/*
 * Asking the IPAM plugin of a network (SPEC.md section 4, "Plugin delegation").
 *
 * The plugin is looked for in CNI_PATH. If what is found is this very executable, its verb is called
 * inside the process; else it is run. Both ways give the same outcome.
 */
#ifndef CNI_DELEGATE_H
#define CNI_DELEGATE_H

#include "plugin.h"
#include "undo.h"

/**
 * Ask the IPAM plugin for addresses. Whatever comes of it, the plugin's DEL is then owed: it is
 * pushed before the call, as the specification wants a DEL even after a failed ADD.
 *
 * @param args  borrowed until @p undo has run or was disarmed
 * @param undo  gains one step: the delegate's DEL
 * @param res   empty on entry; gets the delegate's result in the newest form, without interfaces
 * @return 0; negative errno, with the delegate's own code, message and details
 */
int cni_ipam_add(const struct cni_args *args, struct cni_undo *undo, struct cni_result *res,
		 struct cni_error *err) cni_must_check;

/**
 * Ask the IPAM plugin for another verb: CNI_DEL, CNI_CHECK, CNI_GC or CNI_STATUS.
 * @return 0, also if the network has no IPAM plugin; negative errno
 */
int cni_ipam_ask(const struct cni_args *args, enum cni_verb verb,
		 struct cni_error *err) cni_must_check;

#endif
