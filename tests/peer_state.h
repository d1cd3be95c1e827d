/*
 * For the tests that hold two implementations against each other: everything that a call changes, as
 * one text in which what is random (MACs, names of veth ends, link-local addresses, interface numbers)
 * is replaced by a word. Texts made here live until the test's process ends, also when the world is made
 * anew. A header, because each net_*.c is a program of its own and links the world only.
 */
#ifndef TESTS_PEER_STATE_H
#define TESTS_PEER_STATE_H

#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
	const char *path = fmt("%s.edit", world_dir());
	FILE *f = fopen(path, "w");
	const char *made;

	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
	made = sh("sed -E '%s' %s && rm %s && echo .", script, path, path);
	return fmt("%.*s", (int)strlen(made) - 1, made); /* the dot keeps the last newlines */
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
		now = sandbox ? sh_in(strrchr(sandbox, '/') + 1, "cat /sys/class/net/%s/address",
				      name)
			      : sh("cat /sys/class/net/%s/address", name);
		if (strcmp(mac, now) == 0)
			text = replaced(text, mac, "<mac>");
	}
	return edit(text, "s/\"veth[0-9a-f]{8}\"/\"<veth>\"/; "
			  "s#\"/run/netns/[^\"]*\"#\"<netns>\"#");
}

/** The same after the exit status. */
static inline const char *reply_text(const struct reply *r, bool loose)
{
	return fmt("exit %d\n%s\n", r->status, plain_reply(r, loose));
}

/* Waits, 5 s at most, for what the kernel does on its own after a call: link-local addresses. */
static const char settle_links[] =
	"n=0; while [ $n -lt 500 ]; do ok=1; "
	"for l in $(ip -o link show up | grep LOWER_UP | sed \"s/^[0-9]*: //; s/[@:].*//\"); do "
	"[ $(cat /proc/sys/net/ipv6/conf/$l/disable_ipv6) = 1 ] || [ $l = lo ] || "
	"ip -d link show $l | grep -q \"addrgenmode none\" || "
	"ip -6 -o addr show dev $l scope link -tentative | grep -q fe80 || ok=0; done; "
	"[ $ok = 1 ] && break; n=$((n+1)); sleep 0.01; done; ";

static const char dump_links[] =
	"ip -o -d link; ip -o addr; ip route show table all; ip -6 route show table all; "
	"cd /sys/class/net; grep -H . */addr_assign_type; cd /proc/sys/net; "
	"grep . ipv4/ip_forward ipv4/conf/*/arp_notify ipv4/conf/*/forwarding "
	"ipv6/conf/*/accept_dad ipv6/conf/*/accept_ra ipv6/conf/*/disable_ipv6 "
	"ipv6/conf/*/enhanced_dad ipv6/conf/*/forwarding ipv6/conf/*/keep_addr_on_down; ";

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
	"/^eth0\\/addr_assign_type/d; " /* chosen by ADD, docs/compat.md */
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
	return sh("one() { %s { %s } | %s }\n"
		  "if [ \"$1\" = one ]; then one; exit; fi\n"
		  "echo '== host'; one; "
		  "for c in $(ls /run/netns 2>/dev/null); do echo \"== $c\"; "
		  "ip netns exec $c sh -c '%s { %s } | %s'; done; "
		  "[ -d /var/lib/cni ] || exit 0; cd /var/lib/cni; "
		  "find . ! -name .ccni-index -printf '%%p %%y %%m\\n' | sort; "
		  "for f in $(find . -type f ! -name .ccni-index | sort); do echo \"$f: $(cat -A "
		  "$f)\"; done",
		  settle_links, dump_links, plain_links, settle_links, dump_links, plain_links);
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
