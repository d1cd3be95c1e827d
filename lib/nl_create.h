/*
 * Making links: bridges, veth pairs, and those that need no more than a kind with its options, on another link or not.
 *
 * Functions return 0 or the kernel's negative errno; report it with cni_nl_fail.
 */
#ifndef CNI_NL_CREATE_H
#define CNI_NL_CREATE_H

#include "nl_link.h"

/** What a kind of link wants to be told: an attribute of its IFLA_INFO_DATA (linux/if_link.h). */
struct cni_link_option {
	int type; /**< as IFLA_MACVLAN_MODE */
	int size; /**< bytes of value */
	const void *value; /**< borrowed; in the kernel's form */
};

/** A link to be made. Strings are borrowed. */
struct cni_link_spec {
	const char *kind; /**< as "macvlan" */
	const char *name; /**< 1..15 bytes */
	int netns_fd; /**< where it is born; -1 = where the socket is */
	int lower; /**< index of the link that it is made on, where the socket is; 0 = none */
	unsigned int mtu; /**< bytes; 0 = kernel default */
	const uint8_t *mac; /**< 6 bytes; NULL = kernel default */
	uint32_t group; /**< link group */
	bool unqueued; /**< queue length 0; else kernel default */
	const struct cni_link_option *options;
	size_t n_options;
};

/**
 * Create a link in one RTM_NEWLINK. It is down.
 * @return 0; -EEXIST if the name is taken, there or where the socket is; -EOPNOTSUPP if the kernel does not know the
 *         kind; other negative errno
 */
int cni_link_create(struct cni_nl *nl, const struct cni_link_spec *spec) cni_must_check;

/**
 * Create a bridge, with its MAC fixed in the same message: a bridge whose MAC was set keeps
 * it when ports come and go, and udev leaves it alone.
 *
 * @param mtu          bytes; 0 = kernel default
 * @param filter_vlans keep VLANs apart
 * @return 0; -EEXIST if a link of that name exists; -EOPNOTSUPP if the kernel cannot filter VLANs
 */
int cni_bridge_create(struct cni_nl *nl, const char *name, unsigned int mtu,
		      bool filter_vlans) cni_must_check;

/** A veth pair to be made. */
struct cni_veth_spec {
	const char *host_name; /**< host end, 1..15 bytes */
	const char *ifname; /**< container end, 1..15 bytes */
	int netns_fd; /**< where the container end is born; -1 = where the host end is */
	int bridge; /**< index of the bridge that the host end joins; 0 = none */
	unsigned int mtu; /**< bytes, both ends; 0 = kernel default */
	const uint8_t *mac; /**< container end, 6 bytes; NULL = random */
	uint32_t host_group; /**< link group of the host end */
};

/**
 * Create a veth pair in one RTM_NEWLINK: the host end named and in its bridge, the container end born in its
 * namespace with name and MAC. Both are down.
 *
 * @param nl        socket in the host's namespace
 * @param host_end  on success: as the kernel has it
 * @param cont_end  on success: index, name, MAC and MTU. By the host end's word, not by the name in the container, where
 *                  somebody may have exchanged it
 * @return 0; -EEXIST if either name is taken; negative errno, also if the pair was made and the answer was lost
 * @see linux/veth.h VETH_INFO_PEER
 */
int cni_veth_create(struct cni_nl *nl, const struct cni_veth_spec *spec, struct cni_link *host_end,
		    struct cni_link *cont_end) cni_must_check;

#endif
