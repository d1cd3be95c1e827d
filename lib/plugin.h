/*
 * What a plugin is to the protocol: a name, the versions it supports, and its verbs.
 */
#ifndef CNI_PLUGIN_H
#define CNI_PLUGIN_H

#include "result.h"

struct cni_plugin;

/** One request of a runtime, checked. Everything is borrowed and outlives the verb. */
struct cni_args {
	const struct cni_plugin *plugin; /**< who is asked */
	enum cni_verb verb;
	const char *containerid; /**< CNI_CONTAINERID; "" with GC, STATUS */
	const char *netns; /**< CNI_NETNS, a path; may be "" with DEL */
	const char *ifname; /**< CNI_IFNAME, 1..15 bytes; "" with GC, STATUS */
	const char *cni_args; /**< CNI_ARGS, "K=V;K=V"; may be "" */
	const char *path; /**< CNI_PATH, directories separated by ":" */
	const char *config; /**< the configuration as it came in, for delegates */
	size_t config_len; /**< bytes of config */
	json_t *conf; /**< the same, normalised (json.h) */
	const char *name; /**< network name, from conf */
	enum cni_version version; /**< cniVersion, from conf */
	const struct cni_plugin *const
		*siblings; /**< NULL-terminated: plugins in this executable */
};

/** A plugin. Every verb is set; one without anything to do is cni_noop. */
struct cni_plugin {
	const char *name; /**< the file name it is installed under; config key "type" */
	enum cni_version oldest; /**< the oldest version it supports */

	/** Attach. @p res is empty on entry; on failure nothing is left behind. */
	int (*add)(const struct cni_args *args, struct cni_result *res, struct cni_error *err);
	/** Detach. Succeeds if nothing is attached; runs every step, reports the first failure. */
	int (*del)(const struct cni_args *args, struct cni_error *err);
	/** Fail unless what ADD made is still so. */
	int (*check)(const struct cni_args *args, struct cni_error *err);
	/** Remove what belongs to this network but to no valid attachment. */
	int (*gc)(const struct cni_args *args, struct cni_error *err);
	/** Fail, with CNI_E_UNAVAILABLE, if ADD could not succeed now. */
	int (*status)(const struct cni_args *args, struct cni_error *err);
};

/** The verb of a plugin that keeps no state there is anything to do about. @return 0 */
int cni_noop(const struct cni_args *args, struct cni_error *err);

/**
 * Run one checked request on @p args->plugin: the version gate, which sets @p args->version, then the
 * verb.
 *
 * @param res  for ADD; set on success only
 * @return 0; negative errno, with @p err
 */
int cni_plugin_run(struct cni_args *args, struct cni_result *res,
		   struct cni_error *err) cni_must_check;

#endif
