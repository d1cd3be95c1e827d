/*
 * Names: which ones are allowed, and those that are made from others.
 */
#ifndef CNI_NAMES_H
#define CNI_NAMES_H

#include "error.h"

/** @return whether @p name matches `^[a-zA-Z0-9][a-zA-Z0-9_.\-]*$` (SPEC.md, container ID and name) */
bool cni_name_is_valid(const char *name);

/**
 * Check an interface name by the rules of libcni: 1..15 bytes, no '/', ':' or white space, not "."
 * or "..".
 * @return 0; -EINVAL with code CNI_E_ENV
 */
int cni_ifname_check(const char *ifname, struct cni_error *err) cni_must_check;

/** @return whether @p name can be one component of a path: not empty, "." or "..", without '/' */
bool cni_name_is_path_component(const char *name);

/** Room for a host end's name: "veth", 8 hex digits, NUL. */
#define CNI_VETH_NAME_LEN 13

/** Make a name for a host end, as the Go plugins do: "veth" and 8 random hex digits. */
void cni_veth_name(char ret[static CNI_VETH_NAME_LEN]);

/** Room for the owner part of a rule comment: two times 16 hex digits, "-", NUL. */
#define CNI_OWNER_LEN 34
/** Room for a rule comment: what nft accepts at most, and the NUL. */
#define CNI_COMMENT_LEN 129

/**
 * The part of a rule's comment that says whose it is: 16 hex digits of the hash of the network, "-",
 * 16 of the hash of "<ifname>:<container id>". The first 17 bytes stand for the network.
 * @return 0; -ENOMEM
 */
int cni_owner(const char *net, const char *containerid, const char *ifname,
	      char ret[static CNI_OWNER_LEN]) cni_must_check;

/**
 * The whole comment, as the Go plugins' nftables masquerade writes it, cut to 128 bytes.
 * @return 0; -ENOMEM
 */
int cni_owner_comment(const char *net, const char *containerid, const char *ifname,
		      char ret[static CNI_COMMENT_LEN]) cni_must_check;

/** Room for a kernel parameter's path; no parameter of the kernel's has a longer one. */
#define CNI_SYSCTL_PATH_LEN 128

/**
 * The path below /proc/sys of a kernel parameter, as plugin tuning spells it: each "." is a "/", and then
 * the first "IFNAME" is the interface's name, whose dots stay.
 *
 * @param ret  the path, without "//" and slashes at its ends; set also for -EINVAL, cut if need be
 * @return 0; -EINVAL if it does not lead below "net/"; -ENAMETOOLONG
 */
int cni_sysctl_path(const char *key, const char *ifname,
		    char ret[static CNI_SYSCTL_PATH_LEN]) cni_must_check;

#endif
