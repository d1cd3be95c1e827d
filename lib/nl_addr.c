/*
 * Addresses of links; see nl_addr.h.
 */
#include "nl_addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/route/addr.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

CNI_AUTO(raddr, struct rtnl_addr *, rtnl_addr_put)
CNI_AUTO(naddr, struct nl_addr *, nl_addr_put)

static struct nl_addr *to_nl(const struct cni_ip *ip, unsigned int len)
{
	struct nl_addr *addr = nl_addr_build(ip->family, ip->b, cni_ip_size(ip));

	if (addr)
		nl_addr_set_prefixlen(addr, (int)len);
	return addr;
}

static struct rtnl_addr *build(int ifindex, const struct cni_prefix *p)
{
	cni_auto(raddr) struct rtnl_addr *addr = rtnl_addr_alloc();
	cni_auto(naddr) struct nl_addr *local = to_nl(&p->ip, p->len);

	if (!addr || !local || rtnl_addr_set_local(addr, local) < 0)
		return NULL;
	rtnl_addr_set_ifindex(addr, ifindex);
	rtnl_addr_set_family(addr, p->ip.family);
	rtnl_addr_set_scope(addr, RT_SCOPE_UNIVERSE);
	return CNI_TAKE(addr);
}

int cni_addr_add(struct cni_nl *nl, int ifindex, const struct cni_prefix *p, unsigned int flags)
{
	cni_auto(raddr) struct rtnl_addr *addr = build(ifindex, p);
	cni_auto(msg) struct nl_msg *msg = NULL;

	if (!addr)
		return -ENOMEM;
	if (flags)
		rtnl_addr_set_flags(addr, flags);
	if (p->ip.family == AF_INET && p->len < 31) {
		struct cni_ip last = cni_prefix_last(p);
		cni_auto(naddr) struct nl_addr *brd = to_nl(&last, 32);

		if (!brd || rtnl_addr_set_broadcast(addr, brd) < 0)
			return -ENOMEM;
	}
	if (rtnl_addr_build_add_request(addr, NLM_F_CREATE | NLM_F_EXCL, &msg) < 0)
		return -ENOMEM;
	return cni_nl_request(nl, msg, NULL, NULL);
}

int cni_addr_del(struct cni_nl *nl, int ifindex, const struct cni_prefix *p)
{
	cni_auto(raddr) struct rtnl_addr *addr = build(ifindex, p);
	cni_auto(msg) struct nl_msg *msg = NULL;

	if (!addr || rtnl_addr_build_delete_request(addr, 0, &msg) < 0)
		return -ENOMEM;
	return cni_nl_request(nl, msg, NULL, NULL);
}

/*
 * IPv4 has no request for one address. The old ioctls do: with an address in the request, they look
 * for that address on the link first (net/ipv4/devinet.c, devinet_ioctl).
 */
static int present4(const char *ifname, const struct cni_prefix *p)
{
	cni_auto(fd) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in want = { .sin_family = AF_INET }, got;
	struct ifreq req = { 0 };

	if (fd < 0)
		return -errno;
	memcpy(&want.sin_addr, p->ip.b, 4);
	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", ifname);
	memcpy(&req.ifr_addr, &want, sizeof(want));
	if (ioctl(fd, SIOCGIFADDR, &req) < 0)
		return errno == EADDRNOTAVAIL ? 0 : -errno;
	memcpy(&got, &req.ifr_addr, sizeof(got));
	if (got.sin_addr.s_addr != want.sin_addr.s_addr)
		return 0;
	memcpy(&req.ifr_addr, &want, sizeof(want));
	if (ioctl(fd, SIOCGIFNETMASK, &req) < 0)
		return -errno;
	memcpy(&got, &req.ifr_netmask, sizeof(got));
	return (unsigned int)__builtin_popcount(got.sin_addr.s_addr) == p->len;
}

struct answer {
	struct cni_prefix addr;
	uint32_t flags; /* IFA_F_* */
};

static int read_answer(struct nlmsghdr *nlh, void *ctx)
{
	struct answer *a = ctx;
	struct ifaddrmsg *ifa = nlmsg_data(nlh);
	struct nlattr *tb[IFA_MAX + 1];
	struct nlattr *local;

	if (nlh->nlmsg_type != RTM_NEWADDR || nlmsg_parse(nlh, sizeof(*ifa), tb, IFA_MAX, NULL) < 0)
		return -EBADMSG;
	/* IFA_ADDRESS is the other end's where there is one. */
	local = tb[IFA_LOCAL] ? tb[IFA_LOCAL] : tb[IFA_ADDRESS];
	*a = (struct answer){
		.addr = { .ip.family = ifa->ifa_family, .len = ifa->ifa_prefixlen },
		.flags = tb[IFA_FLAGS] ? nla_get_u32(tb[IFA_FLAGS]) : ifa->ifa_flags,
	};
	if (!local || nla_len(local) != (int)cni_ip_size(&a->addr.ip))
		return -EBADMSG;
	memcpy(a->addr.ip.b, nla_data(local), cni_ip_size(&a->addr.ip));
	return 0;
}

/* IPv6 has a request for one address. */
static int get6(struct cni_nl *nl, int ifindex, const struct cni_ip *ip, struct answer *ret)
{
	struct ifaddrmsg ifa = { .ifa_family = AF_INET6, .ifa_index = (unsigned int)ifindex };
	struct nl_msg *msg = cni_nl_begin(nl, RTM_GETADDR, 0, &ifa, sizeof(ifa));

	if (nla_put(msg, IFA_ADDRESS, 16, ip->b) < 0)
		return -ENOMEM;
	return cni_nl_request(nl, msg, read_answer, ret);
}

static int present6(struct cni_nl *nl, int ifindex, const struct cni_prefix *p)
{
	struct answer got = { 0 };
	int r = get6(nl, ifindex, &p->ip, &got);

	if (r == -EADDRNOTAVAIL)
		return 0;
	return r < 0 ? r : got.addr.len == p->len;
}

int cni_addr_present(struct cni_nl *nl, int ifindex, const char *ifname, const struct cni_prefix *p)
{
	return p->ip.family == AF_INET ? present4(ifname, p) : present6(nl, ifindex, p);
}

int cni_addr_settle(struct cni_nl *nl, struct cni_nl *events, int ifindex, const struct cni_ip *ip,
		    long deadline)
{
	struct answer now = { 0 };
	int r;

	for (;;) {
		r = get6(nl, ifindex, ip, &now);
		if (r < 0)
			return r;
		if (now.flags & IFA_F_DADFAILED)
			return -EADDRINUSE;
		if (!(now.flags & IFA_F_TENTATIVE))
			return 0;
		r = cni_nl_await(events, deadline);
		if (r < 0)
			return r;
	}
}

struct listing {
	struct cni_addr_list *list;
	unsigned int ifindex;
	bool others; /* of all links but this one */
};

static void forget(void *ctx)
{
	struct listing *l = ctx;

	l->list->n = 0;
}

static int collect(struct nlmsghdr *nlh, void *ctx)
{
	struct listing *l = ctx;
	struct ifaddrmsg *ifa = nlmsg_data(nlh);
	struct cni_prefix *more;
	struct answer got;
	int r;

	/* Kernels before 4.20 do not filter. */
	if (nlh->nlmsg_type == RTM_NEWADDR && (ifa->ifa_index == l->ifindex) == l->others)
		return 0;
	r = read_answer(nlh, &got);
	if (r < 0)
		return r;
	more = reallocarray(l->list->item, l->list->n + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	l->list->item = more;
	more[l->list->n++] = got.addr;
	return 0;
}

static int list_addrs(struct cni_nl *nl, int family, struct listing *l)
{
	struct ifaddrmsg ifa = { .ifa_family = (uint8_t)family,
				 .ifa_index = l->others ? 0 : l->ifindex };
	struct nl_msg *msg = cni_nl_begin(nl, RTM_GETADDR, 0, &ifa, sizeof(ifa));

	return cni_nl_dump(nl, msg, forget, collect, l);
}

int cni_addr_list(struct cni_nl *nl, int ifindex, int family, struct cni_addr_list *ret)
{
	return list_addrs(nl, family,
			  &(struct listing){ .list = ret, .ifindex = (unsigned int)ifindex });
}

int cni_addr_list_others(struct cni_nl *nl, int ifindex, int family, struct cni_addr_list *ret)
{
	return list_addrs(
		nl, family,
		&(struct listing){ .list = ret, .ifindex = (unsigned int)ifindex, .others = true });
}
