/*
 * A bridge port of a container: the veth pair, made in one message, and found again after a crash.
 *
 * While an ADD is under way the host end is in link group CNI_PORT_UNFINISHED. The last step of ADD
 * takes it out. A pair that is still in that group when the next ADD finds the container's interface
 * name taken is the leftover of a killed ADD, and may be removed; any other is a live attachment.
 */
#ifndef CNI_PORT_H
#define CNI_PORT_H

#include "names.h"
#include "nl_link.h"
#include "undo.h"

/** Link group of host ends whose ADD is under way: "CNI" in ASCII. */
#define CNI_PORT_UNFINISHED 0x434e4900u

/** A veth pair between a bridge and a container. `{0}` is "none". */
struct cni_port {
	struct cni_nl *host; /**< borrowed; socket in the host's namespace */
	char host_name[CNI_VETH_NAME_LEN];
	struct cni_link host_end, cont_end;
};

/**
 * Make the pair, host end up and in the bridge, container end down.
 *
 * @param spec  everything but host_name and host_group, which are chosen here
 * @param undo  on success gains one step: delete the pair; @p ret must outlive it
 * @param ret   on success: names, and the container end as the kernel knows it
 * @return 0; -EEXIST if the container's name is taken (nothing changed, nothing in @p err)
 */
int cni_port_create(struct cni_nl *host, struct cni_nl *sbox, const struct cni_veth_spec *spec,
		    struct cni_undo *undo, struct cni_port *ret,
		    struct cni_error *err) cni_must_check;

/**
 * @return 1 if the container's interface of this name belongs to a killed ADD; 0 if to a live
 * attachment, or to somebody else; negative errno
 */
int cni_port_is_leftover(struct cni_nl *host, struct cni_nl *sbox, const char *ifname);

/**
 * Wait until the port forwards.
 * @return 0 and port->host_end; -ETIMEDOUT if it does not come up
 */
int cni_port_wait(struct cni_port *port, struct cni_error *err) cni_must_check;

/**
 * Read the host end as it is, without waiting for anything.
 * @return 0 and port->host_end; negative errno
 */
int cni_port_look(struct cni_port *port, struct cni_error *err) cni_must_check;

/**
 * The attachment is live from here on. Last of all: an ADD that is killed before has to be cleared up
 * by the next one.
 * @return 0; negative errno
 */
int cni_port_finish(struct cni_port *port, struct cni_error *err) cni_must_check;

#endif
