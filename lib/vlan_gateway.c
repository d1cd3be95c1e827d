/*
 * The gateway of a VLAN on a bridge; see vlan_gateway.h.
 *
 * While the pair is being made its port is in link group UNFINISHED, and the end with the addresses is
 * down. Whoever finds it so, because another ADD is at it or was killed, does what is
 * left to do: every step may be done twice.
 */
#include "vlan_gateway.h"
#include "nl_brport.h"
#include "nl_create.h"
#include "names.h"
#include "sysctl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Its port belongs to no attachment: a random name, and "CNI" as link group while it is made. */
#define NAME_TRIES 10
#define UNFINISHED 0x434e4900u

int cni_vlan_gateway_name(const char *bridge, unsigned int vlan, char ret[static IFNAMSIZ])
{
	int n = snprintf(ret, IFNAMSIZ, "%s.%u", bridge, vlan);

	return n < 0 || n >= IFNAMSIZ ? -ENAMETOOLONG : 0;
}

static int create(struct cni_nl *host, const char *name, const struct cni_link *br)
{
	char port_name[CNI_VETH_NAME_LEN];
	struct cni_veth_spec spec = {
		.host_name = port_name,
		.host_group = UNFINISHED,
		.ifname = name,
		.netns_fd = -1,
		.bridge = br->index,
		.mtu = br->mtu,
	};
	struct cni_link port, gateway;
	int r = -EEXIST;

	for (int i = 0; i < NAME_TRIES && r == -EEXIST; i++) {
		cni_veth_name(port_name);
		r = cni_veth_create(host, &spec, &port, &gateway);
		if (r == -EEXIST && cni_link_get(host, name, &gateway) == 0)
			break; /* another ADD was faster */
	}
	return r;
}

static int not_a_gateway(const struct cni_link *link, const struct cni_link *br,
			 struct cni_error *err)
{
	cni_fail(err, CNI_E_INTERNAL, 0,
		 "\"%s\" already exists but is not a vlan gateway of bridge \"%s\"", link->name,
		 br->name);
	cni_error_detail(
		err,
		"it is of kind \"%s\"; wanted is a veth whose other end is a port of %s, or "
		"a vlan link with this id on %s; delete it or give it another name",
		link->kind, br->name, br->name);
	return -EEXIST;
}

/* The other end of the pair. @return 1; 0 for a vlan link, which has none */
static int find_port(struct cni_nl *host, const struct cni_link *link, const struct cni_link *br,
		     unsigned int vlan, struct cni_link *port, struct cni_error *err)
{
	int r;

	if (strcmp(link->kind, "vlan") == 0 && link->peer == br->index && link->vlan == vlan)
		return 0;
	/* In another namespace the other end's index means another link. */
	if (strcmp(link->kind, "veth") != 0 || link->peer == 0 || link->peer_nsid >= 0)
		return not_a_gateway(link, br, err);
	r = cni_link_get_index(host, link->peer, port);
	if (r < 0 && r != -ENODEV)
		return cni_nl_fail(host, err, r, "failed to lookup the port of \"%s\"", link->name);
	if (r < 0 || strcmp(port->kind, "veth") != 0 || port->peer != link->index ||
	    (port->master != 0 && port->master != br->index))
		return not_a_gateway(link, br, err);
	return 1;
}

static bool is_finished(const struct cni_link *port, const struct cni_link *br)
{
	return port->master == br->index && port->group != UNFINISHED && (port->flags & IFF_UP);
}

/* A new port, one that a killed ADD left, or one that lost its bridge: make it what it has to be. */
static int finish_port(struct cni_nl *host, const struct cni_link *link,
		       const struct cni_link *port, const struct cni_link *br,
		       const struct cni_brport *want)
{
	int r = 0;

	cni_sysctl_ignore_advertisements(link->name);
	cni_sysctl_ignore_advertisements(port->name);
	if (port->master == 0)
		r = cni_link_set_master(host, port->index, br->index);
	if (r == 0)
		r = cni_brport_set(host, port->index, want, br->bridge.default_vlan);
	if (r == 0 && !(port->flags & IFF_UP))
		r = cni_link_set_flags(host, port->index, IFF_UP, IFF_UP);
	return r;
}

static int ensure(struct cni_nl *host, const struct cni_link *br, const char *name,
		  const struct cni_brport *want, struct cni_link *ret, bool *created,
		  struct cni_error *err)
{
	struct cni_link port = { 0 };
	bool finished = true;
	int r, paired;

	r = cni_link_get(host, name, ret);
	if (r == -ENODEV) {
		r = create(host, name, br);
		*created = r == 0;
		if (r == 0 || r == -EEXIST)
			r = cni_link_get(host, name, ret);
	}
	if (r < 0)
		return cni_nl_fail(host, err, r, "failed to make veth pair");
	paired = find_port(host, ret, br, want->vlans.native, &port, err);
	if (paired < 0)
		return paired;
	if (paired) {
		finished = is_finished(&port, br);
		r = finished ? 0 : finish_port(host, ret, &port, br, want);
	}
	if (r == 0 && !(ret->flags & IFF_UP))
		r = cni_link_set_flags(host, ret->index, IFF_UP, IFF_UP);
	if (r == 0 && !finished && port.group == UNFINISHED)
		r = cni_link_label(host, port.name, 0, "");
	return r < 0 ? cni_nl_fail(host, err, r, "failed to set it up") : 0;
}

int cni_vlan_gateway_ensure(struct cni_nl *host, const struct cni_link *br, unsigned int vlan,
			    bool keep_default, struct cni_link *ret, bool *created,
			    struct cni_error *err)
{
	struct cni_brport want = { .vlans = { .native = vlan, .keep_default = keep_default } };
	char name[IFNAMSIZ];
	int r = cni_vlan_gateway_name(br->name, vlan, name);

	*created = false;
	if (r < 0)
		r = cni_fail(err, CNI_E_INTERNAL, -r, "name of the link");
	else
		r = ensure(host, br, name, &want, ret, created, err);
	if (r < 0)
		cni_error_prefix(err,
				 "failed to create vlan interface: failed to create vlan gateway "
				 "\"%s\"",
				 name);
	return r;
}

int cni_vlan_gateway_check(struct cni_nl *host, const struct cni_link *br, unsigned int vlan,
			   struct cni_error *err)
{
	struct cni_link link, port = { 0 };
	char name[IFNAMSIZ];
	int r = cni_vlan_gateway_name(br->name, vlan, name);

	if (r < 0)
		return cni_fail(err, CNI_E_INTERNAL, -r, "name of the link");
	r = cni_link_get(host, name, &link);
	if (r == -ENODEV) {
		cni_fail(err, CNI_E_INTERNAL, 0, "Interface name %s not found", name);
		return r;
	}
	if (r < 0)
		return cni_nl_fail(host, err, r, "failed to lookup \"%s\"", name);
	r = find_port(host, &link, br, vlan, &port, err);
	if (r < 0 || ((link.flags & IFF_UP) && (r == 0 || is_finished(&port, br))))
		return r < 0 ? r : 0;
	cni_fail(err, CNI_E_INTERNAL, 0, "Interface %s is down, or not connected to bridge %s",
		 name, br->name);
	return -ENETDOWN;
}
