/*
 * The world of the tests of plugin tuning: a container with an interface whose attributes are known, a
 * prevResult that has it, and everything that the plugin may change, as one text.
 */
#ifndef TESTS_TUNING_WORLD_H
#define TESTS_TUNING_WORLD_H

#include "same_world.h"

#define ALLOWLIST "/etc/cni/tuning/allowlist.conf"
#define BACKUPS "/run/cni/tuning"
#define OLD_MAC "02:00:00:00:00:01"
#define NEW_MAC "02:00:00:00:00:42"

#define PREV                                                                                \
	"\"prevResult\":{\"cniVersion\":\"1.1.0\",\"interfaces\":[{\"name\":\"host0\"},"    \
	"{\"name\":\"eth0\",\"mac\":\"" OLD_MAC "\",\"mtu\":1500,\"sandbox\":\"/x\"}],"     \
	"\"ips\":[{\"interface\":1,\"address\":\"10.1.0.2/24\",\"gateway\":\"10.1.0.1\"}]," \
	"\"routes\":[{\"dst\":\"0.0.0.0/0\"}],\"dns\":{\"nameservers\":[\"10.1.0.1\"]}}"
/* A configuration with further keys, the first without a comma; and one without prevResult. */
#define HEAD "{\"cniVersion\":\"1.1.0\",\"name\":\"net1\",\"type\":\"tuning\""
#define TUNING(keys) HEAD "," PREV keys "}"
#define BARE(keys) HEAD keys "}"

/* Changes all there is to change. */
#define EVERYTHING                                                                               \
	",\"sysctl\":{\"net.core.somaxconn\":\"77\",\"net.ipv4.conf.IFNAME.arp_filter\":\"1\"}," \
	"\"mac\":\"" NEW_MAC "\",\"mtu\":1400,\"promisc\":true,\"allmulti\":true,\"txQLen\":50"

static const char *c1;

static inline void add_link(void)
{
	sh("ip link add host0 address 02:00:00:00:00:10 type veth peer name eth0 address " OLD_MAC
	   " netns c1");
	sh_in("c1", "ip link set eth0 up");
}

/* /etc is the machine's own; what is written there goes to a layer above it, which ends with the test. */
static inline void own_etc(void)
{
	sh("mkdir /run/etc /run/etc-work && mount -t overlay overlay "
	   "-o lowerdir=/etc,upperdir=/run/etc,workdir=/run/etc-work /etc");
}

static inline void tuning_setup(void)
{
	world_setup();
	no_link_local();
	own_etc();
	c1 = container_add("c1");
	sh("for c in '' 'ip netns exec c1'; do $c sh -c 'echo 1 "
	   ">/proc/sys/net/ipv6/conf/default/addr_gen_mode'; done");
	add_link();
}

static inline void tuning_teardown(void)
{
	sh("umount -l /etc");
	world_teardown();
}

static inline struct call on_c1(const char *command, const char *config)
{
	return (struct call){ .command = command, .netns = c1, .config = config };
}

/** @return what can be tuned in container and host, and the backups but for whose they are */
static inline const char *tuning_state(void)
{
	static const char one[] =
		"ip -o link | sed 's/@[^:]*//; s/ state [A-Z]*//; s/,LOWER_UP//; s/NO-CARRIER,//; "
		"s/ link-netns.*//'; cd /proc/sys/net; grep . core/somaxconn "
		"ipv4/ip_local_reserved_ports ipv4/tcp_rmem ipv4/conf/*/arp_filter "
		"ipv6/conf/*/accept_ra ipv6/conf/*/mtu; ";

	return sh(
		"%s ip netns list | grep -q c1 && ip netns exec c1 sh -c \"%s\"; "
		"cat /proc/sys/kernel/hostname; cd /run; for f in $(find cni -type f 2>/dev/null | "
		"sort); do echo $f $(stat -c %%a $f); sed '/network/d; /netns/d; /ifindex/d; "
		"s/,$//' $f; echo; done",
		one, one);
}

static inline void assert_state(const char *before)
{
	assert_same(before, tuning_state());
}

/** @return one attribute of the interface, as sysfs or ip(8) has it */
static inline const char *link_mac(void)
{
	return sh_in("c1", "cat /sys/class/net/eth0/address");
}

static inline const char *link_mtu(void)
{
	return sh_in("c1", "cat /sys/class/net/eth0/mtu");
}

static inline const char *sysctl_of_c1(const char *path)
{
	return sh_in("c1", "cat /proc/sys/net/%s", path);
}

#endif
