/*
 * A bridge port of a container; see port.h.
 */
#include "port.h"
#include "sysctl.h"

#include <errno.h>
#include <string.h>

/* Host ends have random names of 32 bits; the container's name being taken is told apart below. */
#define NAME_TRIES 10

/* As long as the Go plugin waits, in all. */
#define UP_TIMEOUT_MS 2550

static void undo_create(void *ctx)
{
	struct cni_port *port = ctx;
	int r = cni_link_del(port->host, port->host_name);

	if (r < 0 && r != -ENODEV)
		cni_note("undo of ADD: delete %s: %s", port->host_name, cni_strerror(-r));
}

/*
 * No frame can reach the host end before the container end is up, so the parameter is in time although
 * the link is up already: the namespace never acts on a router advertisement.
 */
static void ignore_advertisements(const char *host_name)
{
	struct cni_sysctl accept_ra;

	cni_sysctl_init(&accept_ra, "0", false, "ipv6/conf/%s/accept_ra", host_name);
	(void)!cni_sysctl_write(-1, &accept_ra, 1,
				NULL); /* fails where IPv6 is off: nothing to do */
}

int cni_port_create(struct cni_nl *host, struct cni_nl *sbox, const struct cni_veth_spec *spec,
		    struct cni_undo *undo, struct cni_port *ret, struct cni_error *err)
{
	struct cni_veth_spec full = *spec;
	int r = -EEXIST;

	*ret = (struct cni_port){ .host = host };
	full.host_name = ret->host_name;
	full.host_group = CNI_PORT_UNFINISHED;
	for (int i = 0; i < NAME_TRIES && r == -EEXIST; i++) {
		cni_veth_name(ret->host_name);
		r = cni_veth_create(host, &full);
		if (r == -EEXIST && cni_link_get(sbox, spec->ifname, &ret->cont_end) == 0)
			return r;
	}
	if (r < 0)
		return cni_nl_fail(host, err, r, "failed to make veth pair");
	cni_undo_push(undo, undo_create, ret);
	ignore_advertisements(ret->host_name);
	r = cni_link_get(sbox, spec->ifname, &ret->cont_end);
	return r < 0 ? cni_nl_fail(sbox, err, r, "failed to lookup \"%s\"", spec->ifname) : 0;
}

int cni_port_is_leftover(struct cni_nl *host, struct cni_nl *sbox, const char *ifname)
{
	struct cni_link cont, end;
	int r;

	r = cni_link_get(sbox, ifname, &cont);
	if (r < 0)
		return r;
	if (strcmp(cont.kind, "veth") != 0 || cont.peer == 0)
		return 0;
	r = cni_link_get_index(host, cont.peer, &end);
	if (r < 0)
		return r == -ENODEV ? 0 : r;
	return strcmp(end.kind, "veth") == 0 && end.peer == cont.index &&
	       end.group == CNI_PORT_UNFINISHED;
}

int cni_port_wait(struct cni_port *port, struct cni_error *err)
{
	int r;

	r = cni_link_wait_up(port->host, port->host_name, UP_TIMEOUT_MS, &port->host_end, err);
	if (r == -ETIMEDOUT) {
		cni_fail(err, CNI_E_INTERNAL, 0, "bridge port in error state: down");
		cni_error_detail(err, "%s did not come up", port->host_name);
	} else if (r < 0) {
		cni_nl_fail(port->host, err, r, "failed to lookup \"%s\"", port->host_name);
	}
	return r;
}

int cni_port_look(struct cni_port *port, struct cni_error *err)
{
	int r = cni_link_get(port->host, port->host_name, &port->host_end);

	return r < 0 ? cni_nl_fail(port->host, err, r, "failed to lookup \"%s\"", port->host_name)
		     : 0;
}

int cni_port_finish(struct cni_port *port, struct cni_error *err)
{
	int r = cni_link_set_group(port->host, port->host_name, 0);

	return r < 0 ? cni_nl_fail(port->host, err, r, "failed to finish port \"%s\"",
				   port->host_name)
		     : 0;
}
