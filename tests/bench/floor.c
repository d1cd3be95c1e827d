/*
 * See floor.h.
 */
#include "floor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BRIDGE "cni0"

static struct {
	struct nlmsghdr h;
	char room[2048];
} request;

static int host = -1, bridge, self = -1;

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* @return the family's header, zeroed */
static void *begin(uint16_t type, uint16_t flags, size_t size)
{
	memset(&request, 0, sizeof(request));
	request.h.nlmsg_type = type;
	request.h.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	request.h.nlmsg_len = (uint32_t)NLMSG_LENGTH(size);
	return NLMSG_DATA(&request.h);
}

static void *reserve(size_t size)
{
	char *at = (char *)&request + NLMSG_ALIGN(request.h.nlmsg_len);

	request.h.nlmsg_len = (uint32_t)(NLMSG_ALIGN(request.h.nlmsg_len) + size);
	return at;
}

static struct rtattr *put(uint16_t type, const void *data, size_t len)
{
	struct rtattr *a = reserve(RTA_LENGTH(len));

	a->rta_type = type;
	a->rta_len = (uint16_t)RTA_LENGTH(len);
	if (len)
		memcpy(RTA_DATA(a), data, len);
	return a;
}

static void put_text(uint16_t type, const char *text)
{
	put(type, text, strlen(text) + 1);
}

static void end(struct rtattr *nest)
{
	nest->rta_len = (uint16_t)((char *)&request + request.h.nlmsg_len - (char *)nest);
}

static void talk(int sock, const char *what)
{
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
		char rest[4096];
	} answer;

	if (send(sock, &request, request.h.nlmsg_len, 0) < 0 ||
	    recv(sock, &answer, sizeof(answer), 0) < 0)
		die(what);
	if (answer.h.nlmsg_type == NLMSG_ERROR && answer.e.error) {
		errno = -answer.e.error;
		die(what);
	}
}

static int open_socket(void)
{
	int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (sock < 0)
		die("socket");
	return sock;
}

static void set_up(int sock, int ifindex)
{
	struct ifinfomsg *link = begin(RTM_NEWLINK, 0, sizeof(*link));

	link->ifi_index = ifindex;
	link->ifi_flags = link->ifi_change = IFF_UP;
	talk(sock, "up");
}

void floor_open(void)
{
	struct rtattr *info;

	host = open_socket();
	self = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifinfomsg));
	put_text(IFLA_IFNAME, BRIDGE);
	info = put(IFLA_LINKINFO, NULL, 0);
	put_text(IFLA_INFO_KIND, "bridge");
	end(info);
	talk(host, "bridge");
	bridge = (int)if_nametoindex(BRIDGE);
	set_up(host, bridge);
}

static void make_pair(const char *name, int netns)
{
	struct ifinfomsg *link = begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(*link));
	struct rtattr *info, *data, *peer;

	link->ifi_flags = link->ifi_change = IFF_UP;
	put_text(IFLA_IFNAME, name);
	put(IFLA_MASTER, &bridge, sizeof(bridge));
	info = put(IFLA_LINKINFO, NULL, 0);
	put_text(IFLA_INFO_KIND, "veth");
	data = put(IFLA_INFO_DATA, NULL, 0);
	peer = put(VETH_INFO_PEER, NULL, 0);
	memset(reserve(sizeof(*link)), 0, sizeof(*link));
	put_text(IFLA_IFNAME, "eth0");
	put(IFLA_NET_NS_FD, &netns, sizeof(netns));
	end(peer);
	end(data);
	end(info);
	talk(host, "pair");
}

static void address(int sock, int ifindex, uint8_t family, const void *addr, size_t len)
{
	struct ifaddrmsg *a = begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof(*a));

	a->ifa_family = family;
	a->ifa_prefixlen = family == AF_INET ? 16 : 64;
	a->ifa_flags = family == AF_INET ? 0 : IFA_F_NODAD;
	a->ifa_index = (uint32_t)ifindex;
	put(IFA_LOCAL, addr, len);
	put(IFA_ADDRESS, addr, len);
	talk(sock, "address");
}

static void default_route(int sock, uint8_t family, const void *gateway, size_t len)
{
	struct rtmsg *r = begin(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, sizeof(*r));

	r->rtm_family = family;
	r->rtm_table = RT_TABLE_MAIN;
	r->rtm_protocol = RTPROT_BOOT;
	r->rtm_scope = RT_SCOPE_UNIVERSE;
	r->rtm_type = RTN_UNICAST;
	put(RTA_GATEWAY, gateway, len);
	talk(sock, "route");
}

void floor_add(int id, const char *netns, bool ipv6)
{
	uint32_t v4 = htonl(0x0a580002U + (uint32_t)id), gateway4 = htonl(0x0a580001U);
	uint8_t v6[16] = { 0xfd, 0, 0, 0x88, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 }, gateway6[16];
	int fd = open(netns, O_RDONLY | O_CLOEXEC), sock, eth0;
	char name[IFNAMSIZ];

	memcpy(gateway6, v6, sizeof(v6));
	gateway6[13] = 0;
	gateway6[15] = 1;
	v6[14] = (uint8_t)(id >> 8);
	v6[15] = (uint8_t)id;
	snprintf(name, sizeof(name), "floor%d", id);
	make_pair(name, fd);
	if (setns(fd, CLONE_NEWNET) < 0)
		die(netns);
	sock = open_socket();
	eth0 = (int)if_nametoindex("eth0");
	address(sock, eth0, AF_INET, &v4, sizeof(v4));
	if (ipv6)
		address(sock, eth0, AF_INET6, v6, sizeof(v6));
	set_up(sock, eth0);
	default_route(sock, AF_INET, &gateway4, sizeof(gateway4));
	if (ipv6)
		default_route(sock, AF_INET6, gateway6, sizeof(gateway6));
	close(sock);
	if (setns(self, CLONE_NEWNET) < 0)
		die("setns");
	close(fd);
}

void floor_del(int id)
{
	char name[IFNAMSIZ];

	snprintf(name, sizeof(name), "floor%d", id);
	begin(RTM_DELLINK, 0, sizeof(struct ifinfomsg));
	put_text(IFLA_IFNAME, name);
	talk(host, "delete");
}
