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

/** Room for the owner part of a rule comment: two times 16 hex digits, "-", NUL. */
#define CNI_OWNER_LEN 34
/** Bytes of it that stand for the network, with the "-". */
#define CNI_OWNER_NET_LEN 17
/** Room for a rule comment: what nft accepts at most, and the NUL. */
#define CNI_COMMENT_LEN 129

/**
 * The part of a rule's comment that says whose it is: 16 hex digits of the hash of the network, "-",
 * 16 of the hash of "<ifname>:<container id>". The first
 * CNI_OWNER_NET_LEN bytes stand for the network.
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

/** Room for a host end's name: "veth", 8 hex digits, NUL. */
#define CNI_VETH_NAME_LEN 13
/** Make a name for a link of the host that belongs to no attachment: "veth" and 8 random hex digits. */
void cni_veth_name(char ret[static CNI_VETH_NAME_LEN]);

/** Names that an attachment's host end may have: another one if the first is taken by somebody else. */
#define CNI_PORT_NAMES 2
/** Room for an interface alias: what the kernel takes at most, and the NUL (linux/if.h IFALIASZ). */
#define CNI_ALIAS_LEN 256

/** How the host end of an attachment is known to the kernel. */
struct cni_port_id {
	const char *net, *containerid, *ifname; /**< borrowed */
	/**
	 * "ccni <network> <interface> <container id>", or "ccni <owner>" (cni_owner) where that has no
	 * room. No two attachments have the same.
	 */
	char alias[CNI_ALIAS_LEN];
	/** "veth" and 8 hex digits of a hash of the owner, as good as random, in the order of trying. */
	char name[CNI_PORT_NAMES][CNI_VETH_NAME_LEN];
	/** Link group while ADD is under way: 'C' in the upper 8 bits, a hash of the network below. */
	uint32_t unfinished;
};

/** Make the identity of an attachment. @return 0; -ENOMEM */
int cni_port_id(const char *net, const char *containerid, const char *ifname,
		struct cni_port_id *ret) cni_must_check;

/** @return whether an interface alias is one of cni_port_id's, of whatever attachment */
bool cni_alias_is_ours(const char *alias);

/** @return whether a link group is one of cni_port_id's, of whatever network */
bool cni_group_is_ours(uint32_t group);

/** @return whether an interface alias is that of an attachment to network @p net */
bool cni_alias_is_of(const char *alias, const char *net);
/** Room for the name of a chain of iptables', as cni_chain_name makes it: 28 bytes, NUL. */
#define CNI_CHAIN_NAME_LEN 29

/**
 * The chain of iptables' that belongs to a container in a network, called as the Go plugins do: "CNI-",
 * a prefix, and so much of the hash of network and container, one after the other, that it is 28 bytes
 * long. Interfaces of one container in one network share it.
 *
 * @param prefix  "" for masquerading, "DN-" for published ports
 * @return 0; -ENOMEM
 */
int cni_chain_name(const char *prefix, const char *net, const char *containerid,
		   char ret[static CNI_CHAIN_NAME_LEN]) cni_must_check;
/** Names that an attachment's ifb may have: another one if the first is taken by somebody else. */
#define CNI_IFB_NAMES 2
/** Room for an ifb's name: what the kernel takes at most, and the NUL. */
#define CNI_IFB_NAME_LEN 16

/**
 * Make the names of the link that what a container sends goes through to be limited: the first one called as the Go
 * plugin does, which is the same for all interfaces of one container in a network; the second one of this attachment.
 * @return 0; -ENOMEM
 */
int cni_ifb_names(const struct cni_port_id *id,
		  char ret[static CNI_IFB_NAMES][CNI_IFB_NAME_LEN]) cni_must_check;

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
