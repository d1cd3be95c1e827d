/*
 * Ports of bridges; see nl_brport.h. libnl-route knows only a part of it, so messages are put together
 * here.
 */
#include "nl_brport.h"

#include <errno.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>

/*
 * The longest list of VLANs, every other one of 4094, is 2047 attributes of 8 bytes; of pairs with gaps
 * between them, 1365 times 16.
 */
#define VLAN_MESSAGE_SIZE 32768

bool cni_brport_is_special(const struct cni_brport *want)
{
	return want->hairpin || want->isolated || want->vlans.native;
}

/* A request to the bridge of a port (family AF_BRIDGE), as yet without attributes. */
static struct nl_msg *port_request(struct cni_nl *nl, int type, int index)
{
	struct ifinfomsg ifi = { .ifi_family = AF_BRIDGE, .ifi_index = index };

	return cni_nl_begin(nl, type, 0, &ifi, sizeof(ifi));
}

static int put_flags(struct nl_msg *msg, const struct cni_brport *want)
{
	struct nlattr *flags;

	if (!want->hairpin && !want->isolated)
		return 0;
	/* Without the mark of a nest the kernel takes it for one byte, the port's state. */
	flags = nla_nest_start(msg, IFLA_PROTINFO | NLA_F_NESTED);
	if (!flags || (want->hairpin && nla_put_u8(msg, IFLA_BRPORT_MODE, 1) < 0) ||
	    (want->isolated && nla_put_u8(msg, IFLA_BRPORT_ISOLATED, 1) < 0))
		return -ENOMEM;
	nla_nest_end(msg, flags);
	return 0;
}

static int put_vlan(struct nl_msg *msg, unsigned int id, unsigned int flags)
{
	struct bridge_vlan_info info = { .flags = (uint16_t)flags, .vid = (uint16_t)id };

	return nla_put(msg, IFLA_BRIDGE_VLAN_INFO, sizeof(info), &info) < 0 ? -ENOMEM : 0;
}

static int put_vlans(struct nl_msg *msg, const struct cni_vlan_port *want)
{
	struct nlattr *spec = nla_nest_start(msg, IFLA_AF_SPEC);
	struct cni_vlan_run run = { 0 };
	int r;

	if (!spec)
		return -ENOMEM;
	r = put_vlan(msg, want->native, BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED);
	while (r == 0 && cni_vlan_set_next(&want->tagged, &run)) {
		if (run.first == run.last) {
			r = put_vlan(msg, run.first, 0);
			continue;
		}
		r = put_vlan(msg, run.first, BRIDGE_VLAN_INFO_RANGE_BEGIN);
		if (r == 0)
			r = put_vlan(msg, run.last, BRIDGE_VLAN_INFO_RANGE_END);
	}
	nla_nest_end(msg, spec);
	return r;
}

static int leave_vlan(struct cni_nl *nl, int index, unsigned int id)
{
	struct nl_msg *msg = port_request(nl, RTM_DELLINK, index);
	struct nlattr *spec = nla_nest_start(msg, IFLA_AF_SPEC);
	int r;

	if (!spec || put_vlan(msg, id, 0) < 0)
		return -ENOMEM;
	nla_nest_end(msg, spec);
	r = cni_nl_request(nl, msg, NULL, NULL);
	return r == -ENOENT ? 0 : r;
}

int cni_brport_set(struct cni_nl *nl, int index, const struct cni_brport *want,
		   unsigned int default_vlan)
{
	const struct cni_vlan_port *vlans = &want->vlans;
	int r = vlans->native ? cni_nl_reserve(nl, VLAN_MESSAGE_SIZE) : 0;
	struct nl_msg *msg;

	if (r < 0)
		return r;
	msg = port_request(nl, RTM_SETLINK, index);
	if (put_flags(msg, want) < 0 || (vlans->native && put_vlans(msg, vlans) < 0))
		return -ENOMEM;
	r = cni_nl_request(nl, msg, NULL, NULL);
	if (r < 0 || vlans->native == 0 || vlans->keep_default || default_vlan == 0 ||
	    default_vlan == vlans->native || cni_vlan_set_has(&vlans->tagged, default_vlan))
		return r;
	return leave_vlan(nl, index, default_vlan);
}

int cni_brport_silence(struct cni_nl *nl, int index)
{
	struct nl_msg *msg = port_request(nl, RTM_SETLINK, index);

	/* Without the mark of a nest it is one byte, the port's state. */
	if (nla_put_u8(msg, IFLA_PROTINFO, BR_STATE_DISABLED) < 0)
		return -ENOMEM;
	return cni_nl_request(nl, msg, NULL, NULL);
}

/* ---- looking ---- */

static void forget(void *ctx)
{
	*(struct cni_brport_vlans *)ctx = (struct cni_brport_vlans){ 0 };
}

static void collect_entry(struct nlattr *entry, struct cni_brport_vlans *ret)
{
	struct nlattr *tb[BRIDGE_VLANDB_ENTRY_MAX + 1];
	struct bridge_vlan_info *info;
	unsigned int last;

	if (nla_parse_nested(tb, BRIDGE_VLANDB_ENTRY_MAX, entry, NULL) < 0 ||
	    !tb[BRIDGE_VLANDB_ENTRY_INFO] ||
	    nla_len(tb[BRIDGE_VLANDB_ENTRY_INFO]) < (int)sizeof(*info))
		return;
	info = nla_data(tb[BRIDGE_VLANDB_ENTRY_INFO]);
	last = tb[BRIDGE_VLANDB_ENTRY_RANGE] ? nla_get_u16(tb[BRIDGE_VLANDB_ENTRY_RANGE])
					     : info->vid;
	if (info->vid < CNI_VLAN_FIRST || last > CNI_VLAN_LAST)
		return;
	if (info->flags & BRIDGE_VLAN_INFO_PVID)
		ret->native = info->vid;
	cni_vlan_set_add(info->flags & BRIDGE_VLAN_INFO_UNTAGGED ? &ret->untagged : &ret->tagged,
			 info->vid, last);
}

static int collect(struct nlmsghdr *nlh, void *ctx)
{
	int left = nlmsg_attrlen(nlh, sizeof(struct br_vlan_msg));
	struct nlattr *entry = nlmsg_attrdata(nlh, sizeof(struct br_vlan_msg));

	if (nlh->nlmsg_type != RTM_NEWVLAN)
		return -EBADMSG;
	for (; nla_ok(entry, left); entry = nla_next(entry, &left))
		if (nla_type(entry) == BRIDGE_VLANDB_ENTRY)
			collect_entry(entry, ctx);
	return 0;
}

int cni_brport_get_vlans(struct cni_nl *nl, int index, struct cni_brport_vlans *ret)
{
	struct br_vlan_msg want = { .family = AF_BRIDGE, .ifindex = (uint32_t)index };
	struct nl_msg *msg = cni_nl_begin(nl, RTM_GETVLAN, 0, &want, sizeof(want));

	/* A "dump" that the kernel confines to the one port. */
	return cni_nl_dump(nl, msg, forget, collect, ret);
}
