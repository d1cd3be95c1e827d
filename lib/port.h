/*
 * The veth pair of an attachment, made in one message, and found again by whom it is of. Its host end is a bridge's
 * port, or the port itself of the host.
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

#include "ends.h"
#include "names.h"
#include "nl_create.h"
#include "plugin.h"
#include "undo.h"

/** A veth pair between the host and a container. `{0}` is "none". */
struct cni_port {
	struct cni_nl *host; /**< borrowed; socket in the host's namespace */
	struct cni_port_id id; /**< of the attachment */
	char host_name[CNI_VETH_NAME_LEN];
	struct cni_link host_end, cont_end;
};

/**
 * What a killed ADD may have left of an attachment beside its pair: rules, addresses. It is removed as DEL does.
 * @return 0; negative errno, with @p err
 */
typedef int cni_port_clear(const struct cni_args *args, struct cni_error *err);

/**
 * Make the pair, with the host end in the bridge if there is one. Both ends are down. What a killed ADD left of this
 * attachment is taken away first.
 *
 * @param args   the attachment; must outlive @p ret, as must @p e
 * @param spec   ifname, netns_fd, host_name and host_group are for this to say
 * @param clear  what the plugin makes beside the pair
 * @param undo   on success gains one step: delete the pair; @p ret must outlive it
 * @param ret    on success: names, and both ends
 * @return 0; -EEXIST if the container has a link of this name; other negative errno
 */
int cni_port_create(const struct cni_args *args, struct cni_ends *e,
		    const struct cni_veth_spec *spec, cni_port_clear *clear, struct cni_undo *undo,
		    struct cni_port *ret, struct cni_error *err) cni_must_check;

/**
 * Set the host end up, right before the container end: what is up without carrier for longer is work for the
 * kernel, which tells everybody of it in the background, and once more when the carrier comes. Not after it: a link
 * that gets its carrier when it is up can send only after that.
 * @return 0; negative errno
 */
int cni_port_open(struct cni_port *port, struct cni_error *err) cni_must_check;

/**
 * The pair's host end passes no frame any more: for what is removed before the pair is. A courtesy: what
 * is no port, or has another state by its bridge's own protocol (STP), stays as it is.
 */
void cni_port_silence(const struct cni_args *args);

/**
 * Delete an attachment's pair by its host end, finished or not; if there is none, as with one of the Go plugins, delete
 * the interface in the container, unless it is no veth, or its other end says that it is of another
 * attachment. A namespace that is gone has taken it along.
 *
 * @return 0, also if there is nothing; negative errno, with @p err
 */
int cni_port_remove(const struct cni_args *args, struct cni_error *err) cni_must_check;

/**
 * Delete the pairs of a network that belong to no valid attachment (conf.h, cni_conf_next_valid),
 * those of killed ADDs among them. Lists the host's veths.
 * @return 0; negative errno: the rest was deleted
 */
int cni_port_gc(const struct cni_args *args, struct cni_error *err) cni_must_check;

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
