/*
 * Two implementations' lives of the same attachments, one after the other, and the table of what may differ
 * between them on purpose.
 */
#ifndef TESTS_PEER_STORY_H
#define TESTS_PEER_STORY_H

#include "peer_configs.h"
#include "peer_state.h"

/* ---- what may differ ---- */

/*
 * Where a difference is looked for: everywhere, against Debian's old release, where ADD makes a pair of veth, or the
 * bridge, where IPAM gives a veth its addresses, in rows that name it.
 */
enum {
	ALWAYS = 1,
	OLD = 2,
	CODE_CONFIG = 4,
	CODE_ENV = 8,
	NEW_BRIDGE = 16,
	MASQ = 32,
	LENIENT = 64,
	METRICS = 128,
	LAYER3 = 256,
	DAD = 512, /* enabledad; NODAD: not */
	NODAD = 1024,
	ROUTED = 2048, /* ptp */
	ONLINK = 4096,
	VETH = 8192,
	TEXT = 16384,
};

/* Their text or ours is put through `sed -E`; `what` stands with the reason in docs/compat.md. */
static const struct {
	unsigned int when;
	const char *what, *theirs, *ours;
} differences[] = {
	{ VETH | OLD, "Queue length of the veth",
	  "/^<veth>@|^eth0@/s/( qlen 1000)? (link.ether)/ qlen 1000 \\2/", NULL },
	{ NODAD, "Addresses without duplicate address detection",
	  "/inet6 /{/link-local|::1.128/!s/ scope global( nodad)?/ scope global nodad/}", NULL },
	{ DAD, "Addresses without duplicate address detection",
	  "/^br0 inet6 /{/link-local/!s/ scope global( nodad)?/ scope global nodad/}", NULL },
	{ VETH, "MAC of the container's interface counts as set", "s#^(eth0/mac:) random#\\1 set#",
	  NULL },
	{ LAYER3 | OLD, "ndisc_notify of the container's interface",
	  "s/(eth0.ndisc_notify:).*/\\1*/", "s/(eth0.ndisc_notify:).*/\\1*/" },
	{ LAYER3, "Router advertisements in the container", "s#(eth0.accept_ra:).*#\\10#", NULL },
	{ ALWAYS, "Alias of the host end", NULL, "/^<veth>@/s/ alias ccni net1 eth0 ctr[12]//" },
	{ NEW_BRIDGE, "MAC of a new bridge", "s#^(br0/mac:) random#\\1 set#", NULL },
	{ ALWAYS, "Error objects name the version", NULL,
	  "/^    \"cniVersion\"/{N;s/^.*\\n(    \"code\")/\\1/}" },
	{ ALWAYS, "Error objects have details", NULL, "/^    \"msg\"/s/,$//; /^    \"details\"/d" },
	{ CODE_CONFIG, "Error code 7 for a bad configuration", "s/\"code\": 999/\"code\": 7/",
	  NULL },
	{ CODE_ENV, "Error code 4 for bad CNI_ARGS", "s/\"code\": 999/\"code\": 4/", NULL },
	{ MASQ, "DEL of a masqueraded container where iptables is the nft kind",
	  "/^== DEL of ctr[12]: exit 1$/{N;N;N;N;/running .*iptables/s/exit 1.*/exit 0\\n/}",
	  NULL },
	{ METRICS, "mtu and advmss of routes",
	  "s/^(10.50.0.0.16 via 10.1.0.9 dev eth0)/\\1 mtu 1400 advmss 1300/", NULL },
	{ LENIENT, "DEL of a configuration that does not validate",
	  "/^== DEL of ctr[12]: exit 1$/{N;N;N;N;s/exit 1.*/exit 0\\n/}", NULL },
	{ TEXT, "Texts of macvlan",
	  "s/\"Link not found/\"failed to lookup master \\\\\"lan0\\\\\": no such device/; "
	  "s/\"invalid args zz for MAC addr/\"failed to create macvlan/",
	  NULL },
	{ ROUTED, "Addresses without duplicate address detection",
	  "/^<veth> inet6 /s/ scope global( nodad)?/ scope global nodad/", NULL },
	{ ROUTED, "Addresses of a routed container bring no routes",
	  "/^eth0 inet/{/link-local/!s/( global( nodad)?)( eth0)?/\\1 noprefixroute\\3/}", NULL },
	{ ONLINK, "Gateways of a routed container's subnet",
	  "/^10.50.0.0.16 via 10.1.0.9/s/$/ onlink/; /^fd00:50::.48 via fd00:1::9/s/ pref/ onlink "
	  "pref/",
	  NULL },
	{ OLD, "Modes of lease files", "/^\\.\\/networks/s/ f 644$/ f 600/", NULL },
	{ OLD, "keep_addr_on_down", "s/(eth0.keep_addr_on_down:).*/\\1*/",
	  "s/(eth0.keep_addr_on_down:).*/\\1*/" },
};
#define N_DIFFERENCES (sizeof(differences) / sizeof(differences[0]))

/** A configuration to compare by. */
struct row {
	const char *name, *config;
	const char *args; /* CNI_ARGS, of the first container only */
	const char *before; /* run in the host first */
	const char *inside; /* run in each container first */
	bool newest; /* Debian's 1.1.1 does not know this */
	bool only_replies; /* nothing is attached; what theirs leaves then is in compat.md */
	bool alone; /* one container is enough */
	bool no_check; /* CHECK of theirs cannot work: reason in compat.md */
	unsigned int allow; /* differences, besides those that are everywhere */
	const char *version; /* NULL = 1.0.0 */
};

/* ---- both lives ---- */

static inline bool is_of(const struct row *row, const char *plugin)
{
	return strstr(row->config, fmt("'type':'%s'", plugin));
}

/* Theirs leaves duplicate address detection as it finds it, and waits for it. */
static inline bool detects_as_found(const struct row *row)
{
	return is_of(row, "ptp") || is_of(row, "macvlan");
}

static inline void step(FILE *log, const char *what, const struct row *row, const char *bin, int n,
			const char *result, bool loose)
{
	const char *config = conf(row->config, row->version ? row->version : "1.0.0");
	struct call c = {
		.command = what,
		.bin = bin,
		.id = fmt("ctr%d", n),
		.netns = fmt("/run/netns/c%d", n),
		.args = n == 1 ? row->args : NULL,
		.config = result ? with_prev(config, result) : config,
	};
	struct reply r = call(c);

	fprintf(log, "== %s of %s: %s", what, c.id, reply_text(&r, loose));
}

/* One implementation's whole story, in a new world; the text is the caller's. */
static inline char *story(const struct row *row, const char *bin, bool loose)
{
	const char *version = row->version ? row->version : "1.0.0";
	bool check = strcmp(version, "0.4.0") >= 0 && !row->no_check;
	bool failed = false;
	char *text = NULL;
	size_t size;
	FILE *log;

	world_teardown();
	world_setup();
	log = open_memstream(&text, &size);
	ck_assert_ptr_nonnull(log);
	sh("sysctl -qw net.ipv6.conf.default.accept_dad=0"); /* or link-local ones take seconds */
	if (row->before)
		sh("%s", row->before);
	for (int n = 1; n <= (row->alone ? 1 : 2); n++) {
		struct call c = { .command = "ADD",
				  .bin = bin,
				  .netns = container_add(fmt("c%d", n)),
				  .id = fmt("ctr%d", n),
				  .args = n == 1 ? row->args : NULL,
				  .config = conf(row->config, version) };
		struct reply r;

		if (detects_as_found(row)) /* it takes 2 s each time */
			sh_in(fmt("c%d", n), "sysctl -qw net.ipv6.conf.default.accept_dad=0");
		if (row->inside)
			sh_in(fmt("c%d", n), "%s", row->inside);
		r = call(c);
		failed |= r.status != 0;
		/* What a failed ADD leaves is not compared: theirs leaves the pair. */
		fprintf(log, "== ADD of ctr%d: %s%s\n", n, reply_text(&r, loose),
			!failed && !row->only_replies ? state_text() : "");
		if (check && r.status == 0)
			step(log, "CHECK", row, bin, n, r.out, loose);
	}
	step(log, "DEL", row, bin, 1, NULL, loose);
	if (!row->alone) {
		fprintf(log, "%s\n", failed ? "" : state_text());
		step(log, "DEL", row, bin, 1, NULL, loose);
		step(log, "DEL", row, bin, 2, NULL, loose);
	}
	fprintf(log, "%s\n", row->only_replies ? "" : state_text());
	fclose(log);
	return text;
}

/* Add a script to a pipeline of sed. */
static inline const char *piped(const char *pipeline, const char *script)
{
	return script ? fmt("%s | sed -E '%s'", pipeline, script) : pipeline;
}

/* @return the differences that are looked for in a row */
static inline unsigned int allowed(const struct row *row, bool old)
{
	unsigned int allow = row->allow | ALWAYS | (old ? OLD : 0);

	if (is_of(row, "macvlan")) /* neither a pair nor a bridge */
		return allow;
	return allow | VETH | (strstr(row->config, "'ipam'") ? LAYER3 : 0) |
	       (strstr(row->config, "'enabledad'") ? DAD : NODAD) |
	       (is_of(row, "ptp") ? ROUTED : 0) |
	       (row->before && strstr(row->before, "ip link add") ? 0 : NEW_BRIDGE);
}

static inline void compare(const struct row *row, const char *bin, bool old)
{
	char *theirs = story(row, bin, old), *ours = story(row, our_plugins(), old);
	unsigned int allow = allowed(row, old);
	const char *a = "cat", *b = "cat";

	for (size_t i = 0; i < N_DIFFERENCES; i++) {
		if (!(differences[i].when & allow))
			continue;
		a = piped(a, differences[i].theirs);
		b = piped(b, differences[i].ours);
	}
	same_text(row->name, sh_filter(theirs, "%s", a), sh_filter(ours, "%s", b));
	free(theirs);
	free(ours);
}

#endif
