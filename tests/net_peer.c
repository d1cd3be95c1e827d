/*
 * Ours against the Go plugins: the same configuration through both, each in a world of its own, must give
 * the same result, the same state of the kernel and the same files, at every step of two attachments'
 * lives. What differs on purpose stands in the table "differences" here and in docs/compat.md.
 *
 * Against Debian's 1.1.1 and, if CNI_PEER_DIR has them (tests/peer), the newest.
 */
#include "peer_state.h"

#include <unistd.h>

/* ---- what may differ ---- */

/*
 * Where a difference is looked for: everywhere, against Debian's old release, where the bridge is made by
 * ADD, in rows that name it.
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
};

/* Their text or ours is put through `sed -E`; `what` stands with the reason in docs/compat.md. */
static const struct {
	unsigned int when;
	const char *what, *theirs, *ours;
} differences[] = {
	{ ALWAYS, "Queue length of the veth",
	  "/^<veth>@|^eth0@/s/( qlen 1000)? (link.ether)/ qlen 1000 \\2/", NULL },
	{ ALWAYS, "Addresses without duplicate address detection",
	  "/inet6 /{/link-local|::1.128/!s/ scope global( nodad)?/ scope global nodad/}", NULL },
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
	{ OLD, "Modes of lease files", "/^\\.\\/networks/s/ f 644$/ f 600/", NULL },
	{ OLD, "keep_addr_on_down", "s/(eth0.keep_addr_on_down:).*/\\1*/",
	  "s/(eth0.keep_addr_on_down:).*/\\1*/" },
};
#define N_DIFFERENCES (sizeof(differences) / sizeof(differences[0]))

/* ---- configurations ---- */

#define BRIDGE(more) "{'cniVersion':'@','name':'net1','type':'bridge','bridge':'br0'" more "}"
#define LOCAL(more) ",'ipam':{'type':'host-local'," more "}"
#define V4 "'subnet':'10.1.0.0/24'"
#define V6 "'subnet':'fd00:1::/64'"
#define DUAL "'ranges':[[{" V4 "}],[{" V6 "}]],'routes':[{'dst':'0.0.0.0/0'},{'dst':'::/0'}]"
#define GW ",'isGateway':true"
#define DEFAULT_GW ",'isDefaultGateway':true"

struct row {
	const char *name, *config;
	const char *args; /* CNI_ARGS, of the first container only */
	const char *before; /* run in the host first */
	bool newest; /* Debian's 1.1.1 does not know this */
	bool only_replies; /* nothing is attached; what theirs leaves then is in compat.md */
	bool no_check; /* CHECK of theirs cannot work: reason in compat.md */
	unsigned int allow; /* differences, besides those that are everywhere */
	const char *version; /* NULL = 1.0.0 */
};

static const struct row rows[] = {
	{ .name = "bridge, plain", .config = BRIDGE(LOCAL(V4)) },
	{ .name = "isGateway", .config = BRIDGE(GW LOCAL(V4 ",'routes':[{'dst':'0.0.0.0/0'}]")) },
	{ .name = "isDefaultGateway", .config = BRIDGE(DEFAULT_GW LOCAL(V4)) },
	{ .name = "dual stack", .config = BRIDGE(GW LOCAL(DUAL)) },
	{ .name = "dual stack, isDefaultGateway",
	  .config = BRIDGE(DEFAULT_GW LOCAL("'ranges':[[{" V4 "}],[{" V6 "}]]")) },
	{ .name = "IPv6 only", .config = BRIDGE(DEFAULT_GW LOCAL(V6)) },
	{ .name = "two range sets of IPv6",
	  .config = BRIDGE(GW LOCAL("'ranges':[[{" V6 "}],[{'subnet':'fd00:2::/64'}]]")) },
	{ .name = "two range sets of IPv4",
	  .config = BRIDGE(LOCAL("'ranges':[[{" V4 "}],[{'subnet':'10.2.0.0/24'}]]")) },
	{ .name = "two ranges in a set",
	  .config =
		  BRIDGE(LOCAL("'ranges':[[{'subnet':'10.1.0.0/30'},{'subnet':'10.2.0.0/24'}]]")) },
	{ .name = "range with start, end and gateway",
	  .config = BRIDGE(GW LOCAL(V4 ",'rangeStart':'10.1.0.20','rangeEnd':'10.1.0.30',"
				       "'gateway':'10.1.0.254'")) },
	{ .name = "mtu", .config = BRIDGE(GW ",'mtu':1400" LOCAL(V4)) },
	{ .name = "hairpinMode", .config = BRIDGE(GW ",'hairpinMode':true" LOCAL(V4)) },
	{ .name = "promiscMode", .config = BRIDGE(GW ",'promiscMode':true" LOCAL(V4)) },
	{ .name = "MAC from CNI_ARGS",
	  .config = BRIDGE(GW LOCAL(V4)),
	  .args = "IgnoreUnknown=1;MAC=" ASKED_MAC "01" },
	{ .name = "MAC from args.cni",
	  .config = BRIDGE(GW ",'args':{'cni':{'mac':'" ASKED_MAC "02'}}" LOCAL(V4)) },
	{ .name = "MAC from runtimeConfig, before the others",
	  .config = BRIDGE(GW ",'args':{'cni':{'mac':'" ASKED_MAC
			      "02'}},'runtimeConfig':{'mac':'" ASKED_MAC "03'}" LOCAL(V4)),
	  .args = "IgnoreUnknown=1;MAC=" ASKED_MAC "01" },
	{ .name = "layer 2 only", .config = BRIDGE(""), .no_check = true },
	{ .name = "dns of the network",
	  .config = BRIDGE(GW ",'dns':{'nameservers':['10.9.9.9'],'search':['a.b','c'],"
			      "'domain':'d.e','options':['ndots:2']}" LOCAL(V4)) },
	{ .name = "dns: an empty list wipes",
	  .config = BRIDGE(
		  ",'dns':{'nameservers':[]}" LOCAL(V4 ",'resolvConf':'/run/world/resolv.conf'")),
	  .before = "echo nameserver 10.8.8.8 > /run/world/resolv.conf" },
	{ .name = "resolvConf",
	  .config = BRIDGE(LOCAL(V4 ",'resolvConf':'/run/world/resolv.conf'")),
	  .before = "printf '# x\\nnameserver 10.8.8.8\\nnameserver fe80::1%%eth0\\nsearch a b\\n"
		    "domain q\\noptions ndots:5 rotate\\n' > /run/world/resolv.conf",
	  .newest = true /* 1.1.1 drops what IPAM says */ },
	{ .name = "routes with gw",
	  .config = BRIDGE(GW LOCAL(DUAL ",'routes':[{'dst':'10.50.0.0/16','gw':'10.1.0.9'},"
					 "{'dst':'fd00:50::/48','gw':'fd00:1::9'},"
					 "{'dst':'10.60.0.0/16'}]")),
	  .newest = true /* CHECK of 1.1.1 misses the last route */ },
	{ .name = "routes with mtu and advmss",
	  .config = BRIDGE(GW LOCAL(V4 ",'routes':[{'dst':'10.50.0.0/16','gw':'10.1.0.9',"
				       "'mtu':1400,'advmss':1300}]")),
	  .newest = true,
	  .allow = METRICS },
	{ .name = "routes with priority and table",
	  .config = BRIDGE(GW LOCAL(V4 ",'routes':[{'dst':'10.50.0.0/16','priority':50},"
				       "{'dst':'10.60.0.0/16','table':100}]")),
	  .newest = true,
	  .no_check = true },
	{ .name = "ipMasq, iptables by default",
	  .config = BRIDGE(GW ",'ipMasq':true" LOCAL(DUAL)) },
	{ .name = "ipMasq, nftables",
	  .config = BRIDGE(GW ",'ipMasq':true,'ipMasqBackend':'nftables'" LOCAL(V4)),
	  .newest = true,
	  .allow = MASQ },
	{ .name = "ipMasq, nftables, dual stack",
	  .config = BRIDGE(DEFAULT_GW ",'ipMasq':true,'ipMasqBackend':'nftables'" LOCAL(
		  "'ranges':[[{" V4 "}],[{" V6 "}]]")),
	  .newest = true,
	  .allow = MASQ },
	{ .name = "requested address in CNI_ARGS",
	  .config = BRIDGE(GW LOCAL(V4)),
	  .args = "IgnoreUnknown=1;IP=10.1.0.77" },
	{ .name = "requested addresses in args.cni.ips",
	  .config =
		  BRIDGE(GW ",'args':{'cni':{'ips':['10.1.0.88/24','fd00:1::88']}}" LOCAL(DUAL)) },
	{ .name = "requested addresses in runtimeConfig.ips",
	  .config = BRIDGE(GW ",'runtimeConfig':{'ips':['10.1.0.99']}" LOCAL(DUAL)) },
	{ .name = "ranges in runtimeConfig.ipRanges",
	  .config = BRIDGE(GW ",'runtimeConfig':{'ipRanges':[[{" V4 "}],[{" V6 "}]]},"
			      "'ipam':{'type':'host-local'}") },
	{ .name = "forceAddress",
	  .config = BRIDGE(GW ",'forceAddress':true" LOCAL(V4)),
	  .before = "ip link add br0 type bridge; ip addr add 10.1.0.7/24 dev br0" },
	{ .name = "address in the way",
	  .config = BRIDGE(GW LOCAL(V4)),
	  .before = "ip link add br0 type bridge; ip addr add 10.1.0.7/24 dev br0",
	  .no_check = true },
	{ .name = "bridge made by hand",
	  .config = BRIDGE(GW LOCAL(V4)),
	  .before = "ip link add br0 mtu 1450 type bridge; "
		    "ip addr add fd00:9::1/64 dev br0 nodad" },
	{ .name = "bridge made by hand, no gateway",
	  .config = BRIDGE(LOCAL(V4)),
	  .before = "ip link add br0 type bridge" },
	{ .name = "not a bridge",
	  .config = BRIDGE(LOCAL(V4)),
	  .before = "ip link add br0 type veth peer name other",
	  .no_check = true,
	  .only_replies = true,
	  .allow = CODE_CONFIG },
	{ .name = "no ranges",
	  .config = BRIDGE(LOCAL("'ranges':[]")),
	  .no_check = true,
	  .only_replies = true,
	  .allow = CODE_CONFIG | LENIENT },
	{ .name = "bad CNI_ARGS",
	  .config = BRIDGE(LOCAL(V4)),
	  .args = "FOO=bar",
	  .no_check = true,
	  .only_replies = true,
	  .allow = CODE_ENV | LENIENT },
	{ .name = "requested address is the gateway's",
	  .config = BRIDGE(LOCAL(V4)),
	  .args = "IgnoreUnknown=1;IP=10.1.0.1",
	  .no_check = true,
	  .allow = CODE_CONFIG },
	{ .name = "exhausted",
	  .config = BRIDGE(LOCAL("'subnet':'10.1.0.0/30'")),
	  .no_check = true },
	{ .name = "dual stack, 0.1.0", .config = BRIDGE(GW LOCAL(DUAL)), .version = "0.1.0" },
	{ .name = "dual stack, 0.2.0", .config = BRIDGE(GW LOCAL(DUAL)), .version = "0.2.0" },
	{ .name = "dual stack, 0.3.0", .config = BRIDGE(GW LOCAL(DUAL)), .version = "0.3.0" },
	{ .name = "dual stack, 0.3.1", .config = BRIDGE(GW LOCAL(DUAL)), .version = "0.3.1" },
	{ .name = "dual stack, 0.4.0", .config = BRIDGE(GW LOCAL(DUAL)), .version = "0.4.0" },
	{ .name = "dual stack, 1.1.0",
	  .config = BRIDGE(GW LOCAL(DUAL)),
	  .version = "1.1.0",
	  .newest = true },
	{ .name = "loopback", .config = "{'cniVersion':'@','name':'lo','type':'loopback'}" },
	{ .name = "loopback, 1.1.0",
	  .config = "{'cniVersion':'@','name':'lo','type':'loopback'}",
	  .version = "1.1.0",
	  .newest = true },
};
#define N_ROWS (int)(sizeof(rows) / sizeof(rows[0]))

/* ---- both lives ---- */

static void step(FILE *log, const char *what, const struct row *row, const char *bin, int n,
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
static char *story(const struct row *row, const char *bin, bool loose)
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
	for (int n = 1; n <= 2; n++) {
		struct call c = { .command = "ADD",
				  .bin = bin,
				  .netns = container_add(fmt("c%d", n)),
				  .id = fmt("ctr%d", n),
				  .args = n == 1 ? row->args : NULL,
				  .config = conf(row->config, version) };
		struct reply r = call(c);

		failed |= r.status != 0;
		/* What a failed ADD leaves is not compared: theirs leaves the pair. */
		fprintf(log, "== ADD of ctr%d: %s%s\n", n, reply_text(&r, loose),
			!failed && !row->only_replies ? state_text() : "");
		if (check && r.status == 0)
			step(log, "CHECK", row, bin, n, r.out, loose);
	}
	step(log, "DEL", row, bin, 1, NULL, loose);
	fprintf(log, "%s\n", failed ? "" : state_text());
	step(log, "DEL", row, bin, 1, NULL, loose);
	step(log, "DEL", row, bin, 2, NULL, loose);
	fprintf(log, "%s\n", row->only_replies ? "" : state_text());
	fclose(log);
	return text;
}

static void compare(const struct row *row, const char *bin, bool old)
{
	char *theirs = story(row, bin, old), *ours = story(row, our_plugins(), old);
	unsigned int allow = row->allow | ALWAYS | (old ? OLD : 0) |
			     (row->before && strstr(row->before, "ip link add") ? 0 : NEW_BRIDGE);
	const char *a = theirs, *b = ours;

	for (size_t i = 0; i < N_DIFFERENCES; i++) {
		if (!(differences[i].when & allow))
			continue;
		if (differences[i].theirs)
			a = edit(a, differences[i].theirs);
		if (differences[i].ours)
			b = edit(b, differences[i].ours);
	}
	same_text(row->name, a, b);
	free(theirs);
	free(ours);
}

START_TEST(same_as_debian)
{
	if (!rows[_i].newest)
		compare(&rows[_i], debian_plugins(), true);
}
END_TEST

START_TEST(same_as_newest)
{
	compare(&rows[_i], newest_plugins(), false);
}
END_TEST

START_TEST(differences_are_documented)
{
	for (size_t i = 0; i < N_DIFFERENCES; i++)
		ck_assert_msg(sh_status("grep -qF -e \"**%s**\" %s/docs/compat.md",
					differences[i].what, SOURCE_DIR) == 0,
			      "docs/compat.md does not tell of \"%s\"", differences[i].what);
}
END_TEST

/* Parts, included because the build makes one program of each net_*.c and of nothing else. */
#include "peer_delegate.c"
#include "peer_swap.c"

/* Before the tests run, where world.h's functions can't be used. */
static bool has_bridge(const char *dir)
{
	char path[4096];

	return dir && snprintf(path, sizeof(path), "%s/bridge", dir) < (int)sizeof(path) &&
	       access(path, X_OK) == 0;
}

int main(void)
{
	bool debian = has_bridge("/usr/lib/cni"), newest = has_bridge(getenv("CNI_PEER_DIR"));
	Suite *suite = suite_create("peer");
	TCase *tc = tcase_create("rows");
	int r;

	tcase_add_checked_fixture(tc, world_setup, world_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, differences_are_documented);
	if (debian)
		tcase_add_loop_test(tc, same_as_debian, 0, N_ROWS);
	if (newest)
		tcase_add_loop_test(tc, same_as_newest, 0, N_ROWS);
	suite_add_tcase(suite, tc);
	add_swap_tests(suite, debian, newest);
	add_delegate_tests(suite, newest);
	r = world_main(suite);
	if (r != 0 || newest)
		return r;
	fprintf(stderr, "CNI_PEER_DIR names no plugins (tests/peer gets them): the newest were not "
			"compared\n");
	return getenv("CNI_TEST_MUST_RUN") ? 1 : 77;
}
