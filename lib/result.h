/*
 * The result of an ADD, in the newest form of the specification; older forms exist only at the
 * door, where results are read and printed (SPEC.md section 5 "Result types").
 */
#ifndef CNI_RESULT_H
#define CNI_RESULT_H

#include "ip.h"
#include "json.h"
#include "version.h"

#include <limits.h>

/** One entry of "interfaces". Strings are owned; NULL = absent. */
struct cni_iface {
	char *name;
	char *mac; /**< opaque text: a result passed through keeps its spelling */
	char *sandbox; /**< path of the network namespace; NULL on the host */
	char *socket_path; /**< since 1.1.0 */
	char *pci_id; /**< since 1.1.0 */
	json_int_t mtu; /**< bytes, since 1.1.0; 0 = absent */
};

/** The absent index of an interface. */
#define CNI_NO_IFACE INT_MIN

/** One entry of "ips". */
struct cni_ipconf {
	struct cni_prefix address;
	struct cni_ip gateway; /**< AF_UNSPEC = absent */
	/**
	 * Index into the result's interfaces, or CNI_NO_IFACE. One that came from somebody else may lead to none of
	 * them, and be negative; it is printed as it came.
	 */
	int iface;
};

/** One entry of "routes". */
struct cni_route {
	struct cni_prefix dst;
	struct cni_ip gw; /**< AF_UNSPEC = absent */
	json_int_t mtu; /**< bytes; 0 = absent */
	json_int_t advmss; /**< bytes; 0 = absent */
	json_int_t priority; /**< metric, lower wins; 0 = absent */
	json_int_t table; /**< valid if has_table */
	json_int_t scope; /**< RT_SCOPE_*; valid if has_scope */
	bool has_table, has_scope;
};

/** `{0}` is the empty result. */
struct cni_result {
	struct cni_iface *ifaces; /**< owned, as are the other lists */
	struct cni_ipconf *ips;
	struct cni_route *routes;
	size_t n_ifaces, n_ips, n_routes;
	json_t *dns; /**< owned; object with nameservers, domain, search, options; or NULL */
};

/** Release everything in a result; it is empty again. */
void cni_result_done(struct cni_result *res);

static inline void cni_auto_result(struct cni_result *res)
{
	cni_result_done(res);
}

/** Append an interface with copies of the texts; @p mac and @p sandbox may be NULL. @return 0; -ENOMEM */
int cni_result_add_iface(struct cni_result *res, const char *name, const char *mac,
			 const char *sandbox) cni_must_check;

/** Append a copy of an address. @return 0; -ENOMEM */
int cni_result_add_ip(struct cni_result *res, const struct cni_ipconf *ip) cni_must_check;

/** Append a copy of a route. @return 0; -ENOMEM */
int cni_result_add_route(struct cni_result *res, const struct cni_route *route) cni_must_check;

/** @return whether a result has an address of a family: AF_INET, AF_INET6 */
bool cni_result_has_family(const struct cni_result *res, sa_family_t family);

/** Forget the interfaces, as a main plugin does with those of its IPAM plugin. */
void cni_result_drop_ifaces(struct cni_result *res);

/**
 * Build the JSON object of a result as version @p v spells it, in the Go plugins' order of keys.
 *
 * @param ret  new reference, on success only
 * @return 0; -ENOMEM; -EINVAL if the old form cannot hold it (0.1.0 and 0.2.0 need an address)
 */
int cni_result_to_json(const struct cni_result *res, enum cni_version v, json_t **ret,
		       struct cni_error *err) cni_must_check;

/**
 * Read a result of whatever version it says it has.
 *
 * @param obj    normalised object (cni_json_parse); borrowed
 * @param other  the version to assume when "cniVersion" is absent
 * @param ret    set on success only; release with cni_result_done
 * @return 0; -EINVAL; -ENOMEM
 */
int cni_result_read(json_t *obj, enum cni_version other, struct cni_result *ret,
		    struct cni_error *err) cni_must_check;

/**
 * Read a list of route objects into the end of a result's routes (keys as in "routes").
 * @param list  borrowed; NULL reads nothing
 * @return 0; -EINVAL; -ENOMEM
 */
int cni_result_read_routes(struct cni_result *res, json_t *list,
			   struct cni_error *err) cni_must_check;

/**
 * Check a "dns" object and keep a copy in the result, replacing what was there.
 * @param obj  borrowed; NULL does nothing
 * @return 0; -EINVAL; -ENOMEM
 */
int cni_result_set_dns(struct cni_result *res, json_t *obj, struct cni_error *err) cni_must_check;

#endif
