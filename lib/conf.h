/*
 * What every plugin reads from its configuration and CNI_ARGS: the common keys.
 */
#ifndef CNI_CONF_H
#define CNI_CONF_H

#include "plugin.h"

/**
 * Check the JSON types of the keys that are common to all plugins (capabilities, ipam, dns, args,
 * runtimeConfig, prevResult), whether or not this plugin uses them, as the Go plugins do.
 * @return 0; -EINVAL
 */
int cni_conf_check_types(const struct cni_args *args, struct cni_error *err) cni_must_check;

/** @return the "ipam" object, borrowed; NULL if absent */
json_t *cni_conf_ipam(const struct cni_args *args);

/** @return "ipam.type", borrowed; "" if absent: the network has no IPAM */
const char *cni_conf_ipam_type(const struct cni_args *args);

/**
 * Refuse a network that names no IPAM plugin.
 * @param missing  the Go plugin's words for it
 * @return 0; -EINVAL
 */
int cni_conf_require_ipam(const struct cni_args *args, const char *missing,
			  struct cni_error *err) cni_must_check;

/**
 * Read the prevResult, which must be of the same family of versions as the configuration.
 *
 * @param ret  set on success only; release with cni_result_done
 * @return 0; -ENOENT if there is none ("Required prevResult missing"); -EINVAL
 */
int cni_conf_prev_result(const struct cni_args *args, struct cni_result *ret,
			 struct cni_error *err) cni_must_check;

/**
 * The same for a plugin that works on what those before it in the chain made. Its ADD reads it into its
 * result and changes what it has to: what it leaves alone is printed as it was, in the configuration's
 * version.
 *
 * @param missing  the Go plugin's words for "there is none", of this plugin and verb
 */
int cni_conf_chained(const struct cni_args *args, const char *missing, struct cni_result *ret,
		     struct cni_error *err) cni_must_check;

/**
 * Let the configuration's "dns" replace the result's as a whole, if it says anything: a list counts
 * even when it is empty (reference: B2 step 16).
 * @return 0; -EINVAL; -ENOMEM
 */
int cni_conf_apply_dns(const struct cni_args *args, struct cni_result *res,
		       struct cni_error *err) cni_must_check;

/** Let the configuration's "dns" be all the DNS settings of the result, whatever was there. @return as cni_conf_apply_dns */
int cni_conf_only_dns(const struct cni_args *args, struct cni_result *res,
		      struct cni_error *err) cni_must_check;

/**
 * The MAC asked for the container's interface: runtimeConfig.mac, else args.cni.mac, else CNI_ARGS
 * MAC, else the plugin's own key. Reads CNI_ARGS and so reports what is wrong there, also when the MAC is found
 * elsewhere.
 *
 * @param own    what the plugin's own key says; "" = nothing, or it has none
 * @param making what an error begins with: "failed to make veth pair"
 * @param ret  a unicast MAC; set if the result is 1
 * @return 1 if one was asked for; 0 if none; -EINVAL
 */
int cni_conf_mac(const struct cni_args *args, const char *own, const char *making,
		 uint8_t ret[static CNI_MAC_LEN], struct cni_error *err) cni_must_check;

/**
 * Refuse more than one address of a family where the configuration's version has no room for it in a
 * result: before 0.3.0.
 * @param n4  IPv4 addresses that ADD would give
 * @param n6  IPv6 addresses
 * @return 0; -EINVAL
 */
int cni_conf_check_families(const struct cni_args *args, size_t n4, size_t n6,
			    struct cni_error *err) cni_must_check;

/**
 * Refuse a link without addresses where the configuration's version has no room for it in a result: before 0.3.0
 * that is nothing but addresses.
 * @return 0; -EINVAL
 */
int cni_conf_check_layer2(const struct cni_args *args, struct cni_error *err) cni_must_check;

/** A key that a plugin knows in CNI_ARGS. */
struct cni_env_arg {
	const char *key; /**< case-sensitive */
	const char *value; /**< out: borrowed, not NUL-terminated; NULL if absent; last one wins */
	size_t len; /**< out: bytes of value */
};

/**
 * Split CNI_ARGS ("K=V;K=V") and pick the known keys; "IgnoreUnknown" is always known.
 *
 * @param known  NULL-key-terminated; values are filled in
 * @return 0; -EINVAL with code CNI_E_ENV if malformed, or a key is unknown and IgnoreUnknown is not
 *         true
 */
int cni_env_args_read(const char *text, struct cni_env_arg *known,
		      struct cni_error *err) cni_must_check;

/** Walks the attachments that GC must keep; see cni_conf_next_valid. */
struct cni_valid {
	const char *containerid, *ifname; /**< borrowed */
};

/**
 * Step through "cni.dev/valid-attachments" (or its older name "cni.dev/attachments").
 *
 * @param at  position; start with 0
 * @return true and @p ret, or false at the end
 */
bool cni_conf_next_valid(const struct cni_args *args, size_t *at, struct cni_valid *ret);

/**
 * See whether GC was told what is valid, and check the list's form before anything is removed by it.
 *
 * CRI-O sends null for "none is valid" (Go's empty list); cnitool sends no key at all, and then
 * nothing is known: removing everything would be a guess.
 *
 * @return 1 if there is a list, which may be empty; 0 if there is none; -EINVAL
 */
int cni_conf_knows_valid(const struct cni_args *args, struct cni_error *err) cni_must_check;

#endif
