/*
 * Links: look one up, change, delete. Every function but cni_link_each,
 * which is for GC, asks for one object by name or index.
 *
 * Functions return 0 or the kernel's negative errno; report it with cni_nl_fail.
 */
#ifndef CNI_NL_LINK_H
#define CNI_NL_LINK_H

#include "ip.h"
#include "names.h"
#include "nl.h"

#include <net/if.h>

/** What the kernel said about a link. */
struct cni_link {
	int index;
	char name[IFNAMSIZ];
	char kind[16]; /**< "bridge", "veth", ...; "" for hardware and lo */
	unsigned int flags; /**< IFF_* */
	uint8_t mac[CNI_MAC_LEN];
	unsigned int mtu; /**< bytes */
	uint32_t txqlen; /**< packets */
	int master; /**< index of the bridge it is a port of; 0 = none */
	int peer; /**< veth: index of the other end, in its namespace; 0 = none. vlan and the like: of the link below */
	int peer_nsid; /**< id of that namespace as seen from here; -1 = the link's own */
	uint8_t operstate; /**< IF_OPER_* (RFC 2863) */
	uint32_t group;
	char alias[CNI_ALIAS_LEN]; /**< "" = none */
	struct {
		bool knows_vlans; /**< the kernel can filter VLANs (CONFIG_BRIDGE_VLAN_FILTERING) */
		bool filters_vlans; /**< and does so here */
		unsigned int default_vlan; /**< native VLAN of new ports; 0 = none */
	} bridge; /**< of a bridge */
	unsigned int vlan; /**< of a vlan link: its id */
	uint32_t mode; /**< of a macvlan: MACVLAN_MODE_*, one bit; of an ipvlan: IPVLAN_MODE_* */
	bool ipv6; /**< IPv6 is to be had on it */
	int accept_ra; /**< net.ipv6.conf.<name>.accept_ra; 0 also for a link without IPv6 */
	struct {
		bool hairpin; /**< sends frames back where they came from */
		bool isolated; /**< exchanges no frames with other isolated ports */
	} port; /**< of a port of a bridge */
};

/**
 * Read what the kernel tells of a link, for cni_nl_request.
 * @param ctx  struct cni_link, set
 * @return 0; -EBADMSG
 */
int cni_link_read(struct nlmsghdr *nlh, void *ctx);

/**
 * @param name  of the link; one of more than 15 bytes can only be another name of it (altname)
 * @return 0 and @p ret; -ENODEV if there is no such link
 */
int cni_link_get(struct cni_nl *nl, const char *name, struct cni_link *ret) cni_must_check;

/** @return 0 and @p ret; -ENODEV if there is no such link */
int cni_link_get_index(struct cni_nl *nl, int index, struct cni_link *ret) cni_must_check;

/** Its MAC alone, which costs a tenth of asking for the link. @return 0; -ENODEV if there is no such link */
int cni_link_get_mac(struct cni_nl *nl, const char *name,
		     uint8_t ret[static CNI_MAC_LEN]) cni_must_check;

/**
 * Call @p fn for each link of a kind ("veth"). A dump, filtered by the kernel; started anew when the
 * links change meanwhile.
 *
 * @param on_start  forget what was seen so far
 * @param fn        0; a negative errno ends it
 * @return 0; negative errno
 */
int cni_link_each(struct cni_nl *nl, const char *kind, void (*on_start)(void *ctx),
		  int (*fn)(const struct cni_link *link, void *ctx), void *ctx) cni_must_check;

/**
 * The id by which this namespace knows another one.
 * @param netns_fd  borrowed
 * @param ret       -1 if it knows it by none: no link leads there
 * @return 0; negative errno
 */
int cni_nsid_get(struct cni_nl *nl, int netns_fd, int *ret) cni_must_check;

/** Delete by name; a veth's other end goes with it. @return 0; -ENODEV if it is gone already */
int cni_link_del(struct cni_nl *nl, const char *name) cni_must_check;

/** The same by index. */
int cni_link_del_index(struct cni_nl *nl, int index) cni_must_check;

/** Give a link that is down another name. @return 0; -EEXIST if it is taken; other negative errno */
int cni_link_rename(struct cni_nl *nl, int index, const char *name) cni_must_check;

/** Delete a link that may be gone already. @return 0; negative errno, with @p err */
int cni_link_remove(struct cni_nl *nl, const struct cni_link *link,
		    struct cni_error *err) cni_must_check;

/** Delete a link that a failed ADD has made; that it can't be deleted is only noted. */
void cni_link_undo(struct cni_nl *nl, const struct cni_link *link);

/** Set and clear IFF_* flags: those in @p mask become as in @p flags. @return 0; negative errno */
int cni_link_set_flags(struct cni_nl *nl, int index, unsigned int flags,
		       unsigned int mask) cni_must_check;

/**
 * Set it up, with net.ipv4.conf.<name>.arp_notify: it announces its IPv4 addresses when its MAC is set.
 * @return 0; negative errno
 */
int cni_link_set_up_notifying(struct cni_nl *nl, int index) cni_must_check;

/**
 * Set it up, without a link-local IPv6 address of its own (addrgenmode none) if IPv6 is to be had on it.
 * @param link  down
 * @return 0; negative errno
 */
int cni_link_set_up_addressless(struct cni_nl *nl, const struct cni_link *link) cni_must_check;

/** Make it a port of a bridge. @param master  index of the bridge. @return 0; negative errno */
int cni_link_set_master(struct cni_nl *nl, int index, int master) cni_must_check;

/** Set the MAC; one that was set is kept by a bridge. @return 0; negative errno */
int cni_link_set_mac(struct cni_nl *nl, int index,
		     const uint8_t mac[static CNI_MAC_LEN]) cni_must_check;

/** Attributes that can be changed together; bits of struct cni_link_attrs. */
enum cni_link_attr {
	CNI_LINK_MAC = 1,
	CNI_LINK_MTU = 2,
	CNI_LINK_TXQLEN = 4,
	CNI_LINK_PROMISC = 8,
	CNI_LINK_ALLMULTI = 16,
};

/** Some attributes of a link. */
struct cni_link_attrs {
	unsigned int set; /**< which are meant: enum cni_link_attr, combined */
	uint8_t mac[CNI_MAC_LEN];
	unsigned int mtu; /**< bytes */
	uint32_t txqlen; /**< packets */
	bool promisc; /**< IFF_PROMISC, as set by an administrator: not what a sniffer asks for */
	bool allmulti; /**< IFF_ALLMULTI, likewise */
};

/** @return the attributes of @p link that @p set names */
struct cni_link_attrs cni_link_attrs_of(const struct cni_link *link, unsigned int set);

/** @return which of the attributes that @p want names are others in @p link */
unsigned int cni_link_attrs_differ(const struct cni_link *link, const struct cni_link_attrs *want);

/**
 * Change attributes, with one message. The kernel sets one after the other, and if it refuses one, those
 * before it stay.
 * @return 0; negative errno
 */
int cni_link_set_attrs(struct cni_nl *nl, int index,
		       const struct cni_link_attrs *attrs) cni_must_check;

/**
 * Give a link attributes back: together, or if the kernel minds one of them, the others still. What could
 * not be restored is noted.
 */
void cni_link_restore_attrs(struct cni_nl *nl, const struct cni_link *link,
			    const struct cni_link_attrs *attrs);

/** Set the link group and the alias, in one message. @return 0; negative errno */
int cni_link_label(struct cni_nl *nl, const char *name, uint32_t group,
		   const char *alias) cni_must_check;

/**
 * Wait until a link's operational state is UP. Asks once; if it is not up yet, listens for the
 * kernel's link events.
 *
 * @param timeout_ms  longest wait
 * @param ret         the link as it was last seen; also on -ETIMEDOUT
 * @return 0; -ETIMEDOUT; -ENODEV if it is gone
 */
int cni_link_wait_up(struct cni_nl *nl, const char *name, int timeout_ms, struct cni_link *ret,
		     struct cni_error *err) cni_must_check;

#endif
