/*
 * Neighbours; see nl_neigh.h.
 */
#include "nl_neigh.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

static int ask(struct cni_nl *nl, int type, int ifindex, const struct cni_ip *ip,
	       int (*on_reply)(struct nlmsghdr *nlh, void *ctx), void *ctx)
{
	struct ndmsg ndm = { .ndm_family = (uint8_t)ip->family, .ndm_ifindex = ifindex };
	struct nl_msg *msg = cni_nl_begin(nl, type, 0, &ndm, sizeof(ndm));

	if (nla_put(msg, NDA_DST, (int)cni_ip_size(ip), ip->b) < 0)
		return -ENOMEM;
	return cni_nl_request(nl, msg, on_reply, ctx);
}

static int read_state(struct nlmsghdr *nlh, void *ctx)
{
	struct ndmsg *ndm = nlmsg_data(nlh);

	if (nlh->nlmsg_type != RTM_NEWNEIGH || nlmsg_datalen(nlh) < (int)sizeof(*ndm))
		return -EBADMSG;
	*(uint16_t *)ctx = ndm->ndm_state;
	return 0;
}

int cni_neigh_forget(struct cni_nl *nl, int ifindex, const struct cni_ip *ip)
{
	uint16_t state = 0;
	int r = ask(nl, RTM_GETNEIGH, ifindex, ip, read_state, &state);

	if (r == 0 && !(state & (NUD_PERMANENT | NUD_NOARP)))
		r = ask(nl, RTM_DELNEIGH, ifindex, ip, NULL, NULL);
	return r == -ENOENT ? 0 : r;
}
