/*
 * A bridge port of a container: the veth pair, made in one message, and found again by whom it is of.
 *
 * The host end says whose it is (names.h, struct cni_port_id): its name is made from a hash of network,
 * container id and interface, and its alias spells them out. So DEL finds it with nothing but these
 * three, and takes no other for it, whatever became of the container's namespace. What the Go plugins
 * make has a random name and no alias.
 *
 * While an ADD is under way the host end has no alias yet and is in link group cni_port_id.unfinished.
 * The last step of ADD sets the one and takes it out of the other. A pair that the next ADD finds in
 * that group is the leftover of a killed ADD, and may be removed; any other is a live attachment.
 */
#ifndef CNI_PORT_H
#define CNI_PORT_H

#include "names.h"
#include "nl_link.h"
#include "plugin.h"
#include "undo.h"

/** A veth pair between a bridge and a container. `{0}` is "none". */
struct cni_port {
	struct cni_nl *host; /**< borrowed; socket in the host's namespace */
	const struct cni_port_id *id; /**< borrowed */
	char host_name[CNI_VETH_NAME_LEN];
	struct cni_link host_end, cont_end;
};

/**
 * Make the pair, with the host end in the bridge. Both ends are down.
 *
 * @param spec  everything but host_name and host_group, which @p id says
 * @param id    of the attachment; must outlive @p ret
 * @param undo  on success gains one step: delete the pair; @p ret must outlive it
 * @param ret   on success: names, and both ends
 * @return 0; -EEXIST if the container's name is taken, or a killed ADD left its pair (nothing changed,
 *         nothing in @p err)
 */
int cni_port_create(struct cni_nl *host, struct cni_nl *sbox, const struct cni_veth_spec *spec,
		    const struct cni_port_id *id, struct cni_undo *undo, struct cni_port *ret,
		    struct cni_error *err) cni_must_check;

/**
 * Set the host end up, right before the container end: what is up without carrier for longer is work for the
 * kernel, which tells everybody of it in the background, and once more when the carrier comes. Not after it: a link
 * that gets its carrier when it is up can send only after that.
 * @return 0; negative errno
 */
int cni_port_open(struct cni_port *port, struct cni_error *err) cni_must_check;

/** @return 1 if a killed ADD of this attachment left its pair; 0 if not; negative errno */
int cni_port_is_leftover(struct cni_nl *host, const struct cni_port_id *id);

/** Delete the pair that a killed ADD left. @return 0, also if there is none; negative errno */
int cni_port_clear(struct cni_nl *host, const struct cni_port_id *id,
		   struct cni_error *err) cni_must_check;

/**
 * The pair's host end passes no frame any more: for what is removed before the pair is. A courtesy: what
 * is no port, or has another state by its bridge's own protocol (STP), stays as it is.
 */
void cni_port_silence(struct cni_nl *host, const struct cni_port_id *id);

/**
 * Delete the pair by its host end, finished or not; if there is none, as with an attachment of the Go plugins, delete
 * the interface in the container, unless it is no veth, or its other end says that it is of another
 * attachment.
 *
 * @param host   socket in the host's namespace
 * @param netns  path of the container's namespace; "" or one that is gone: nothing to look into
 * @return 0, also if there is nothing; negative errno, with @p err
 */
int cni_port_remove(struct cni_nl *host, const struct cni_port_id *id, const char *netns,
		    struct cni_error *err) cni_must_check;

/**
 * Delete the pairs of a network that belong to no valid attachment (conf.h, cni_conf_next_valid),
 * those of killed ADDs among them. Lists the host's veths.
 * @return 0; negative errno: the rest was deleted
 */
int cni_port_gc(struct cni_nl *host, const struct cni_args *args,
		struct cni_error *err) cni_must_check;

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
