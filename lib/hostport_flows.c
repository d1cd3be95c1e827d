/*
 * Flows of a container's ports; see hostport.h.
 */
#include "conntrack.h"
#include "hostport.h"
#include "hostport_claim.h"

#include <errno.h>
#include <netinet/in.h>

/* TCP says that a connection is gone; these would go on with what the kernel remembers. */
static const uint8_t remembered[] = { IPPROTO_UDP, IPPROTO_SCTP };

static bool is_remembered(uint8_t protocol)
{
	for (size_t i = 0; i < CNI_ARRAY_SIZE(remembered); i++)
		if (remembered[i] == protocol)
			return true;
	return false;
}

static struct cni_flows flows_of(const struct cni_hostport *hp, int family, bool gone)
{
	return (struct cni_flows){ .to.family = cni_hostport_af(family),
				   .container = hp->ip[family].ip,
				   .answered_by_container = gone };
}

/* @param others  ports whose flows are none of ours: somebody else has them, or may have them by now */
static size_t by_port(const struct cni_hostport *hp, bool gone,
		      bool (*others)[CNI_HOSTPORT_FAMILIES], struct cni_flows *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < hp->mappings.n; i++) {
		const struct cni_mapping *m = &hp->mappings.item[i];

		if (!is_remembered(m->protocol))
			continue;
		for (int f = 0; f < CNI_HOSTPORT_FAMILIES; f++) {
			if (!cni_mapping_applies(m, cni_hostport_af(f)) ||
			    !cni_hostport_needs(hp, f) || others[i][f])
				continue;
			ret[n] = flows_of(hp, f, gone);
			ret[n].protocol = m->protocol;
			ret[n].port = m->host_port;
			if (m->host_ip.family != AF_UNSPEC)
				ret[n].to = m->host_ip;
			n++;
		}
	}
	return n;
}

/* Whatever was translated to the container. */
static size_t by_container(const struct cni_hostport *hp, struct cni_flows *ret)
{
	size_t n = 0;

	for (int f = 0; f < CNI_HOSTPORT_FAMILIES; f++)
		for (size_t i = 0; i < CNI_ARRAY_SIZE(remembered); i++) {
			if (hp->ip[f].ip.family == AF_UNSPEC)
				continue;
			ret[n] = flows_of(hp, f, true);
			ret[n++].protocol = remembered[i];
		}
	return n;
}

static bool has_remembered(const struct cni_hostport *hp)
{
	for (size_t i = 0; i < hp->mappings.n; i++)
		if (is_remembered(hp->mappings.item[i].protocol))
			return true;
	return false;
}

int cni_hostport_forget(const struct cni_hostport *hp, bool gone, bool shared,
			struct cni_error *err)
{
	size_t room = (hp->mappings.n + CNI_ARRAY_SIZE(remembered)) * CNI_HOSTPORT_FAMILIES;
	cni_auto(free) struct cni_flows *flows = calloc(room, sizeof(*flows));
	cni_auto(free) bool(*others)[CNI_HOSTPORT_FAMILIES] =
		calloc(hp->mappings.n + 1, sizeof(*others));
	bool known = hp->ip[CNI_HOSTPORT_V4].ip.family != AF_UNSPEC ||
		     hp->ip[CNI_HOSTPORT_V6].ip.family != AF_UNSPEC;
	size_t n;

	if (!flows || !others)
		return cni_fail(err, CNI_E_INTERNAL, ENOMEM, "flows");
	if ((gone ? !known : shared) && has_remembered(hp))
		cni_claim_others_have(hp, others);
	n = hp->mappings.n == 0 && gone ? by_container(hp, flows)
					: by_port(hp, gone, others, flows);
	return cni_conntrack_forget(flows, n, err);
}
