/*
 * A link in the container that is all there is of an attachment: made on another link, its master (macvlan), or on none.
 * The host keeps nothing of it: it goes with the container's namespace.
 *
 * While an ADD is under way the link is in link group cni_port_id.unfinished (names.h), as a bridge's port is (port.h), and
 * before it gets its name it has one made from the attachment's. So the next ADD knows what a killed one left. A live
 * attachment's link is in group 0.
 */
#ifndef CNI_CHILD_H
#define CNI_CHILD_H

#include "ends.h"
#include "faults.h"
#include "iface.h"
#include "json.h"
#include "names.h"
#include "nl_create.h"
#include "undo.h"

/** The link that others are made on. `{0}` is "none". */
struct cni_master {
	struct cni_nl *nl; /**< borrowed; socket where it is: the host's or the container's */
	struct cni_link link;
};

/** The link. `{0}` is "none". */
struct cni_child {
	struct cni_nl *sbox; /**< borrowed; socket in the container's namespace */
	struct cni_port_id id; /**< of the attachment */
	char temp_name[CNI_VETH_NAME_LEN]; /**< what one on a master is called at first */
	char master[IFNAMSIZ]; /**< what it is made on; "" = nothing */
	struct cni_link link;
};

/** What "mode" may say of one kind of link. */
struct cni_child_modes {
	const char *kind; /**< as "macvlan" */
	const char *title; /**< of such a link, in the words of the Go plugin's CHECK */
	struct {
		const char *name;
		uint32_t value; /**< as in struct cni_link */
	} mode[5]; /**< the first one is the default; NULL ends them */
};

/** @param text  "" = the default. @return 0; -EINVAL */
int cni_child_read_mode(const struct cni_child_modes *modes, const char *text, uint32_t *ret,
			struct cni_error *err) cni_must_check;

/**
 * Find the link that others are made on.
 *
 * @param e             must outlive @p ret
 * @param in_container  whether it is one of the container's
 * @param name          or one of its other names; "" = that of the default route, IPv4 before IPv6
 * @return 0; -ENODEV; -ENETUNREACH if there is no default route; other negative errno
 */
int cni_child_master(struct cni_ends *e, bool in_container, const char *name,
		     struct cni_master *ret, struct cni_error *err) cni_must_check;

/**
 * @param mtu  bytes; 0 = that of the master
 * @return 0; -EINVAL with code CNI_E_CONFIG if it is negative, or more than the master's
 */
int cni_child_check_mtu(const struct cni_master *master, json_int_t mtu,
			struct cni_error *err) cni_must_check;

/**
 * Make the link, down, in the container. What a killed ADD left of this attachment is taken away first, the addresses of
 * its IPAM plugin too.
 *
 * @param args    the attachment; must outlive @p ret, as must @p e
 * @param master  what it is made on; NULL = nothing
 * @param spec    name, netns_fd, lower and group are for this to say
 * @param undo    gains one step, if the link is made: delete it; @p ret must outlive it
 * @param ret     also set on failure: its link.index tells whether the link was made
 * @return 0; -EEXIST if the container has a link of this name, or the master has one like it; other negative errno
 */
int cni_child_create(const struct cni_args *args, struct cni_ends *e,
		     const struct cni_master *master, const struct cni_link_spec *spec,
		     struct cni_undo *undo, struct cni_child *ret,
		     struct cni_error *err) cni_must_check;

/** Set it up as it is, without addresses. @return 0; negative errno */
int cni_child_open(struct cni_child *child, struct cni_error *err) cni_must_check;

/**
 * Give it a result's addresses and routes, and set it up; its neighbours hear of it.
 *
 * @param res  of IPAM; all of its addresses become this interface's, the first of the result
 * @return 0; -EADDRINUSE if another node has one of its IPv6 addresses; other negative errno
 */
int cni_child_configure(struct cni_child *child, struct cni_result *res,
			struct cni_error *err) cni_must_check;

/** The last step of ADD: list the interface in the result, and make the attachment a live one. @return 0; negative errno */
int cni_child_finish(const struct cni_args *args, struct cni_child *child, struct cni_result *res,
		     struct cni_error *err) cni_must_check;

/**
 * DEL: ask the IPAM plugin, and then, whatever it says, delete the link: dhcp needs it to give its lease back. One of another
 * kind is not of this attachment, and stays.
 *
 * @param kind  as "macvlan"
 * @return 0, also if there is nothing, or no container any more; negative errno
 */
int cni_child_del(const struct cni_args *args, const char *kind,
		  struct cni_error *err) cni_must_check;

/** GC: the link is in its container, and goes with it, so only addresses are ever left. @return 0; negative errno */
int cni_child_gc(const struct cni_args *args, struct cni_error *err);

/**
 * CHECK: IPAM, and the link with its addresses and routes.
 *
 * @param ret  the link, if there is one of this kind
 * @return whether there is, so that it can be looked at further
 */
bool cni_child_check(const struct cni_args *args, struct cni_nl *sbox, const char *kind,
		     const struct cni_result *prev, struct cni_link *ret,
		     struct cni_faults *f) cni_must_check;

/** CHECK: the link's mode. @param want  one of the modes' values */
void cni_child_check_mode(const struct cni_child_modes *modes, uint32_t want,
			  const struct cni_link *link, struct cni_faults *f);

/**
 * CHECK: what the link is made on. Only one that the configuration names: the default route may have moved since, and
 * that is no fault.
 */
void cni_child_check_master(const struct cni_args *args, struct cni_ends *e, bool in_container,
			    const char *name, const struct cni_link *link, struct cni_faults *f);

#endif
