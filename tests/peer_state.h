/*
 * For the tests that hold two implementations against each other: everything that a call changes, as
 * one text in which what is random (MACs, names of veth ends, link-local addresses, interface numbers)
 * is replaced by a word. Texts made here live until the test's process ends, also when the world is made
 * anew. A header, because each net_*.c is a program of its own and links the world only.
 */
#ifndef TESTS_PEER_STATE_H
#define TESTS_PEER_STATE_H

#include "world.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* A MAC that a configuration asks for begins so, and is compared as it is. */
#define ASKED_MAC "0a:58:00:00:00:"

/* In a configuration ' stands for ", and @ for the version. */
static inline const char *conf(const char *text, const char *version)
{
	const char *at = strchr(text, '@');
	char *p, *made;

	if (at)
		made = (char *)fmt("%.*s%s%s", (int)(at - text), text, version, at + 1);
	else
		made = (char *)fmt("%s", text);
	for (p = made; *p; p++)
		if (*p == '\'')
			*p = '"';
	return made;
}

/* Put a text through `sed -E`. */
static inline const char *edit(const char *text, const char *script)
{
	return sh_filter(text, "sed -E '%s'", script);
}

/* ---- looking into a namespace from here ---- */

/** Go into a network namespace, by its path. @return the one before, for leave() */
static inline int enter(const char *netns)
{
	int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int there = open(netns, O_RDONLY | O_CLOEXEC);

	ck_assert_int_ge(here, 0);
	ck_assert_msg(there >= 0 && setns(there, CLONE_NEWNET) == 0, "%s: %s", netns,
		      strerror(errno));
	close(there);
	return here;
}

static inline void leave(int before)
{
	ck_assert_int_eq(setns(before, CLONE_NEWNET), 0);
	close(before);
}

/** @return MAC of an interface here or, if @p netns is not NULL, there; "" if there is no such interface */
static inline const char *mac_of(const char *netns, const char *name)
{
	int before = enter(netns ? netns : "/proc/self/ns/net");
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq r = { 0 };
	const unsigned char *m = (const unsigned char *)r.ifr_hwaddr.sa_data;
	bool found;

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	found = ioctl(fd, SIOCGIFHWADDR, &r) == 0;
	close(fd);
	leave(before);
	return found ? fmt("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
		     : "";
}

static inline const char *replaced(const char *text, const char *from, const char *to)
{
	const char *at;

	while ((at = strstr(text, from)))
		text = fmt("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
	return text;
}

/* A result whose keys are in the order of the alphabet, without an empty dns. */
static inline const char *sorted(json_t *json)
{
	char *made;
	const char *text;

	if (json_object_size(json_object_get(json, "dns")) == 0)
		json_object_del(json, "dns");
	made = json_dumps(json, JSON_SORT_KEYS | JSON_INDENT(4));
	ck_assert_ptr_nonnull(made);
	text = fmt("%s", made);
	free(made);
	return text;
}

/**
 * @param loose  sort keys, leave out an empty dns
 * @return stdout of a call; MACs that are those of the links they are said of become "<mac>"
 */
static inline const char *plain_reply(const struct reply *r, bool loose)
{
	json_t *list = json_object_get(r->json, "interfaces"), *one;
	const char *text = loose && r->status == 0 && r->json ? sorted(r->json) : r->out;
	size_t i;

	json_array_foreach (list, i, one) {
		const char *name = json_string_value(json_object_get(one, "name"));
		const char *mac = json_string_value(json_object_get(one, "mac"));
		const char *sandbox = json_string_value(json_object_get(one, "sandbox"));
		const char *now;

		ck_assert_ptr_nonnull(name);
		if (!mac || strncmp(mac, ASKED_MAC, strlen(ASKED_MAC)) == 0 ||
		    strcmp(mac, "00:00:00:00:00:00") == 0)
			continue;
		now = mac_of(sandbox && *sandbox ? sandbox : NULL, name);
		if (strcmp(mac, now) == 0)
			text = replaced(text, mac, "<mac>");
	}
	if (!strstr(text, "\"veth") && !strstr(text, "\"/run/netns/"))
		return text;
	return edit(text, "s/\"veth[0-9a-f]{8}\"/\"<veth>\"/; "
			  "s#\"/run/netns/[^\"]*\"#\"<netns>\"#");
}

/** The same after the exit status. */
static inline const char *reply_text(const struct reply *r, bool loose)
{
	return fmt("exit %d\n%s\n", r->status, plain_reply(r, loose));
}

/* ---- the state ---- */

static inline bool sysctl_is(const char *link, const char *key, char value)
{
	FILE *f = fopen(fmt("/proc/sys/net/ipv6/conf/%s/%s", link, key), "r");
	int c = f ? fgetc(f) : EOF;

	if (f)
		fclose(f);
	return c == value;
}

/* Whether a link has an address of its own, and all that it has may be used: neither tentative nor to come. */
static inline bool has_link_local(const char *link)
{
	FILE *f = fopen("/proc/self/net/if_inet6", "r");
	bool found = false, tentative = false;
	char name[IF_NAMESIZE];
	unsigned int scope, flags;

	while (f && fscanf(f, "%*s %*x %*x %x %x %15s", &scope, &flags, name) == 3) {
		if (strcmp(name, link) != 0)
			continue;
		found |= scope == 0x20;
		tentative |= (flags & 0x40) != 0;
	}
	if (f)
		fclose(f);
	return found && !tentative;
}

/* The kernel handles a changed carrier within a second; at once, if it is asked about it. */
static inline void ask_carrier(const char *link)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ethtool_value value = { .cmd = ETHTOOL_GLINK };
	struct ifreq r = { .ifr_data = (char *)&value };

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", link);
	(void)ioctl(fd, SIOCETHTOOL, &r);
	close(fd);
}

/* Whether each link here that is up and has a carrier has its link-local address, if it is to have one. */
static inline bool settled(void)
{
	const unsigned int up = IFF_UP | 0x10000; /* IFF_LOWER_UP, which libc's header has not */
	struct ifaddrs *all;
	bool yes = true;

	ck_assert_int_eq(getifaddrs(&all), 0);
	for (const struct ifaddrs *a = all; a && yes; a = a->ifa_next) {
		if (!a->ifa_addr || a->ifa_addr->sa_family != AF_PACKET ||
		    (a->ifa_flags & up) != up || strcmp(a->ifa_name, "lo") == 0)
			continue;
		yes = sysctl_is(a->ifa_name, "disable_ipv6", '1') ||
		      sysctl_is(a->ifa_name, "addr_gen_mode", '1') || has_link_local(a->ifa_name);
		if (!yes)
			ask_carrier(a->ifa_name);
	}
	freeifaddrs(all);
	return yes;
}

/** Wait, 5 s at most, for what the kernel does on its own after a call: link-local addresses. */
static inline void settle(const char *netns)
{
	int before = enter(netns);

	for (int i = 0; i < 2500 && !settled(); i++)
		usleep(2000);
	leave(before);
}

/** The same here and in every container. */
static inline void settle_all(void)
{
	DIR *dir = opendir("/run/netns");
	const struct dirent *entry;

	settle("/proc/self/ns/net");
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			settle(fmt("/run/netns/%s", entry->d_name));
	if (dir)
		closedir(dir);
}

static const char dump_links[] =
	"ip -o -d link; printf \"addr\\nroute show table all\\n\" | ip -o -batch -; cd "
	"/sys/class/net; grep -H . */addr_assign_type; cd /proc/sys/net; "
	"grep . ipv4/ip_forward ipv4/conf/*/arp_notify ipv4/conf/*/forwarding "
	"ipv6/conf/*/accept_dad ipv6/conf/*/accept_ra ipv6/conf/*/disable_ipv6 "
	"ipv6/conf/*/enhanced_dad ipv6/conf/*/forwarding ipv6/conf/*/keep_addr_on_down "
	"ipv6/conf/*/ndisc_notify; ";

/*
 * Each line is whole in itself, so they can be sorted; rules must keep their order. Without the empty
 * chains that mark where rules of ours are (docs/compat.md).
 */
static const char plain_links[] =
	"sed -E \""
	"s/^[0-9]+: //; s/@if[0-9]+/@peer/; s/ link-netns(id)? [^ ]+//; s/ iif [^ ]+//; "
	"s/veth[0-9a-f]{8}/<veth>/g; /^<veth>/s/addrgenmode [a-z0-9]+//; s/num[tr]xqueues "
	"[0-9]+//g; "
	"/ether " ASKED_MAC "/!s/ether ([0-9a-f]{2}:){5}[0-9a-f]{2}/ether <mac>/; "
	"s/8000\\.[0-9a-f:]+/<bridge id>/g; s/fe80::[0-9a-f:]+/<link-local>/g; "
	"s/addr_assign_type:[12]/mac: random/; s/addr_assign_type:3/mac: set/; "
	"s/[a-z_]+_timer +[0-9.]+//g; "
	"s/ state [A-Z]+//; s/<NO-CARRIER,/</; s/,LOWER_UP//; s/,M-DOWN//; s/ linkdown//; "
	/* Ours have no IPv6 address: net_identity. */
	"/<veth>/{/<link-local>|fe80::|ff00::|disable_ipv6/d}; "
	"s/[ \\]+/ /g; s/ \\$//\" | sort; nft list ruleset | sed -E \"/chain rules-of-/,/}/d; "
	"/^\\$/d; s/veth[0-9a-f]{8}/<veth>/; "
	"/saddr " ASKED_MAC "/!s/saddr ([0-9a-f]{2}:){5}[0-9a-f]{2}/saddr <mac>/\"; ";

/** @return links, addresses, routes, parameters and rules here and in every container; the store */
static inline const char *state_text(void)
{
	settle_all();
	return sh("echo '== host'; { %s } | %s "
		  "for c in $(ls /run/netns 2>/dev/null); do echo \"== $c\"; "
		  "ip netns exec $c sh -c '{ %s } | %s'; done; "
		  "[ -d /var/lib/cni ] || exit 0; cd /var/lib/cni; "
		  "find . ! -name .ccni-index -printf '%%p %%y %%m\\n' | sort; "
		  "find . -type f ! -name .ccni-index -printf '%%p: %%s bytes\\n' | sort; "
		  "find . -type f ! -name .ccni-index -print0 | sort -z | "
		  "xargs -0r grep -a '' /dev/null | cat -A",
		  dump_links, plain_links, dump_links, plain_links);
}

/** Fail, showing the first lines that differ, unless the texts are the same. */
static inline void same_text(const char *what, const char *theirs, const char *ours)
{
	const char *a = fmt("%s.theirs", world_dir()), *b = fmt("%s.ours", world_dir());
	FILE *f;

	if (strcmp(theirs, ours) == 0)
		return;
	f = fopen(a, "w");
	ck_assert_ptr_nonnull(f);
	fputs(theirs, f);
	fclose(f);
	f = fopen(b, "w");
	ck_assert_ptr_nonnull(f);
	fputs(ours, f);
	fclose(f);
	ck_abort_msg("%s: theirs (-) and ours (+) differ:\n%.4000s", what,
		     sh("diff -U2 --label theirs --label ours %s %s | cut -c1-700 | head -60", a,
			b));
}

/* ---- main() ---- */

#define PEER_DEBIAN "/usr/lib/cni"

#endif
