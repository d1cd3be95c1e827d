/*
 * tuning beside the Go plugin: the same configuration through both, each in a world of its own, gives the
 * same result, the same parameters and attributes and the same backup files; and what one of them has
 * added, the other checks and deletes. What differs on purpose stands in the table "differences" here and in
 * docs/compat.md.
 *
 * Against Debian's 1.1.1 and, if CNI_PEER_DIR has them (tests/peer), the newest.
 */
#include "tuning_world.h"

#include "peer_state.h"

#include <unistd.h>

enum {
	ALWAYS = 1,
	MAC = 2,
	MTU = 4,
	CODE_CONFIG = 8,
	CODE_ENV = 16,
	LENIENT = 32,
	TEXT = 64,
	CHECK = 128
};

/* Their text or ours is put through `sed -E`; `what` stands with the reason in docs/compat.md. */
static const struct {
	unsigned int when;
	const char *what, *theirs, *ours;
} differences[] = {
	{ ALWAYS, "Error objects name the version", NULL,
	  "/^    \"cniVersion\"/{N;s/^.*\\n(    \"code\")/\\1/}" },
	{ ALWAYS, "Error objects have details", NULL, "/^    \"msg\"/s/,$//; /^    \"details\"/d" },
	{ CODE_CONFIG, "Error code 7 for a bad configuration", "s/\"code\": 999/\"code\": 7/",
	  NULL },
	{ CODE_ENV, "Error code 4 for bad CNI_ARGS", "s/\"code\": 999/\"code\": 4/", NULL },
	{ MAC, "The MAC in the result",
	  "s/\"mac\": \"02-00-00-00-00-0A\"/\"mac\": \"02:00:00:00:00:0a\"/", NULL },
	{ MTU, "The mtu in the result", "/^ *\"mtu\": 1500,$/{N;/eth0/s/1500/1400/}", NULL },
	{ LENIENT, "DEL of a configuration that does not validate",
	  "/^== DEL: exit 1$/{N;N;N;N;s/exit 1.*/exit 0\\n/}", NULL },
	{ CHECK, "CHECK of what is set in other words",
	  "/^== CHECK: exit 1$/{N;N;N;N;s/exit 1.*/exit 0\\n/}", NULL },
	{ TEXT, "Texts of tuning", "s/\"msg\": .*/\"msg\"/", "s/\"msg\": .*/\"msg\"/" },
};
#define N_DIFFERENCES (int)(sizeof(differences) / sizeof(differences[0]))

#define CONF(keys)                                                                         \
	"{'cniVersion':'1.0.0','name':'net1','type':'tuning','prevResult':{'interfaces':[" \
	"{'name':'host0'},{'name':'eth0','mac':'" OLD_MAC "','sandbox':'/x'}],'ips':["     \
	"{'address':'10.1.0.2/24','interface':1}]}" keys "}"
#define ALL                                                                          \
	",'sysctl':{'net.core.somaxconn':'77','net.ipv4.conf.eth0.arp_filter':'1'}," \
	"'mac':'" NEW_MAC "','mtu':1400,'promisc':true,'allmulti':true"

static const struct row {
	const char *name, *config;
	const char *args; /* CNI_ARGS */
	const char *list; /* what is allowed; NULL = no list */
	bool newest; /* Debian's 1.1.1 does not know this */
	unsigned int allow; /* differences, besides those that are everywhere */
} rows[] = {
	{ .name = "nothing", .config = CONF("") },
	{ .name = "everything", .config = CONF(ALL) },
	{ .name = "sysctl", .config = CONF(",'sysctl':{'net.core.somaxconn':'77'}") },
	{ .name = "sysctl with slashes", .config = CONF(",'sysctl':{'net/core/somaxconn':'77'}") },
	{ .name = "sysctl, spelled oddly",
	  .config = CONF(",'sysctl':{'//net..core.somaxconn.':'77'}") },
	{ .name = "sysctl of the interface",
	  .config = CONF(",'sysctl':{'net.ipv6.conf.IFNAME.accept_ra':'0'}"),
	  .newest = true },
	{ .name = "sysctl without a value", .config = CONF(",'sysctl':{'net.core.somaxconn':''}") },
	{ .name = "sysctl with null",
	  .config = CONF(",'sysctl':{'net.core.somaxconn':null}"),
	  .allow = CHECK },
	{ .name = "sysctl for writing",
	  .config = CONF(",'sysctl':{'net.ipv4.route.flush':'1'}"),
	  .allow = CHECK },
	{ .name = "sysctl that cannot be read until it is set",
	  .config = CONF(",'sysctl':{'net.ipv6.conf.IFNAME.stable_secret':"
			 "'2001:0db8:0000:0000:0000:0000:0000:0001'}"),
	  .newest = true },
	{ .name = "sysctl with more than the kernel takes",
	  .config = CONF(",'sysctl':{'net.core.somaxconn':'77 88'}") },
	{ .name = "mac", .config = CONF(",'mac':'" NEW_MAC "'") },
	{ .name = "mac with dashes",
	  .config = CONF(",'mac':'02-00-00-00-00-0A'"),
	  .allow = MAC | CHECK },
	{ .name = "mtu", .config = CONF(",'mtu':1400") },
	{ .name = "mtu 0", .config = CONF(",'mtu':0") },
	{ .name = "promisc", .config = CONF(",'promisc':true") },
	{ .name = "promisc false", .config = CONF(",'promisc':false") },
	{ .name = "allmulti", .config = CONF(",'allmulti':true") },
	{ .name = "allmulti false", .config = CONF(",'allmulti':false") },
	{ .name = "txQLen", .config = CONF(",'txQLen':50"), .newest = true },
	{ .name = "txQLen 0", .config = CONF(",'txQLen':0"), .newest = true },
	{ .name = "txQLen -1", .config = CONF(",'txQLen':-1"), .newest = true, .allow = CHECK },
	{ .name = "capital letters",
	  .config = CONF(",'MTU':1400,'SYSCTL':{'net.core.somaxconn':'77'},'Promisc':true") },
	{ .name = "dataDir", .config = CONF(",'mac':'" NEW_MAC "','dataDir':'/run/cni/other'") },
	{ .name = "MAC in CNI_ARGS", .config = CONF(""), .args = "IgnoreUnknown=1;MAC=" NEW_MAC },
	{ .name = "MAC in runtimeConfig",
	  .config = CONF(",'mac':'02:00:00:00:00:0a','runtimeConfig':{'mac':'" NEW_MAC "'}"),
	  .args = "MAC=02:00:00:00:00:0b" },
	{ .name = "args.cni",
	  .config = CONF(ALL ",'runtimeConfig':{'mac':'02:00:00:00:00:0b'},'args':{'cni':{"
			     "'sysctl':{'net.core.somaxconn':'88'},'mac':'02:00:00:00:00:0c',"
			     "'mtu':0,'promisc':false,'allmulti':false}}") },
	{ .name = "args.cni takes back",
	  .config = CONF(",'mac':'" NEW_MAC "','args':{'cni':{'mac':''}}") },
	{ .name = "allowed",
	  .config = CONF(",'sysctl':{'net.core.somaxconn':'77'}"),
	  .list = "^net.ipv4\n ^net.core.somaxconn$ \n",
	  .newest = true },
	{ .name = "allowed, as POSIX would not write it",
	  .config = CONF(",'sysctl':{'net.core.somaxconn':'77'}"),
	  .list = "# \xc3\xa4\n^net\\.(?:ipv4|core)[^\\s\\d]\\w{1,20}?$",
	  .newest = true },
	{ .name = "not allowed",
	  .config = CONF(",'sysctl':{'net.core.somaxconn':'77'}"),
	  .list = "^net.ipv4\n\n# x\n",
	  .allow = CODE_CONFIG,
	  .newest = true },
	{ .name = "a bad pattern",
	  .config = CONF(",'sysctl':{'net.core.somaxconn':'77'}"),
	  .list = "^net.ipv4\n(a|*)\n",
	  .allow = CODE_CONFIG | TEXT,
	  .newest = true },
	{ .name = "mtu in the result",
	  .config =
		  "{'cniVersion':'1.0.0','name':'net1','type':'tuning','prevResult':{'interfaces':["
		  "{'name':'host0','mtu':1500},{'name':'eth0','mtu':1500}]},'mtu':1400}",
	  .newest = true,
	  .allow = MTU },
	/* Nothing comes of these. */
	{ .name = "no such parameter", .config = CONF(",'sysctl':{'net.core.nope':'77'}") },
	{ .name = "a bad value", .config = CONF(",'sysctl':{'net.core.somaxconn':'x'}") },
	{ .name = "not a net parameter",
	  .config = CONF(",'sysctl':{'kernel.hostname':'x'}"),
	  .allow = CODE_CONFIG,
	  .newest = true },
	{ .name = "twice the same",
	  .config = CONF(",'sysctl':{'net.core.somaxconn':'1','net.core.somaxconn':'1'}"),
	  .allow = CODE_CONFIG | LENIENT,
	  .newest = true },
	{ .name = "a bad mtu", .config = CONF(",'mtu':10"), .allow = TEXT },
	{ .name = "a bad CNI_ARGS",
	  .config = CONF(",'mtu':1400"),
	  .args = "FOO",
	  .allow = CODE_ENV | LENIENT },
	{ .name = "a wrong type",
	  .config = CONF(",'mtu':'x'"),
	  .allow = CODE_CONFIG | LENIENT | TEXT },
};
#define N_ROWS (int)(sizeof(rows) / sizeof(rows[0]))

static void step(FILE *log, const char *command, const struct row *row, const char *bin, bool old)
{
	struct call c = on_c1(command, conf(row->config, "1.0.0"));
	struct reply r;

	c.bin = bin;
	c.args = row->args;
	r = call(c);
	fprintf(log, "== %s: exit %d\n%s\n", command, r.status,
		old && r.status == 0 && r.json ? sorted(r.json) : r.out);
}

/* One implementation's whole story, in a new world; the text is the caller's. */
static char *story(const struct row *row, const char *bin, bool old)
{
	char *text = NULL;
	size_t size;
	FILE *log;

	tuning_teardown();
	tuning_setup();
	log = open_memstream(&text, &size);
	ck_assert_ptr_nonnull(log);
	if (row->list)
		sh("mkdir -p /etc/cni/tuning; printf '%%s' '%s' >" ALLOWLIST, row->list);
	step(log, "ADD", row, bin, old);
	fflush(log);
	if (strstr(text, "ADD: exit 0")) {
		fprintf(log, "%s\n", tuning_state());
		step(log, "CHECK", row, bin, old);
	}
	step(log, "DEL", row, bin, old);
	fprintf(log, "%s\n", tuning_state());
	step(log, "DEL", row, bin, old);
	fclose(log);
	return text;
}

static void compare(const struct row *row, const char *bin, bool old)
{
	char *theirs = story(row, bin, old), *ours = story(row, our_plugins(), old);
	const char *a = theirs, *b = ours;

	for (int i = 0; i < N_DIFFERENCES; i++) {
		if (!(differences[i].when & (row->allow | ALWAYS)))
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
	for (int i = 0; i < N_DIFFERENCES; i++)
		ck_assert_msg(sh_status("grep -qF -e \"**%s**\" %s/docs/compat.md",
					differences[i].what, SOURCE_DIR) == 0,
			      "docs/compat.md does not tell of \"%s\"", differences[i].what);
}
END_TEST

/* ---- the programs are exchanged between ADD and DEL ---- */

static void swap(const char *first, const char *second)
{
	const char *config = conf(CONF(ALL), "1.0.0"), *before, *added;
	struct call c = on_c1("ADD", config);

	before = tuning_state();
	c.bin = first;
	call_ok(c);
	added = tuning_state();
	c.bin = second;
	c.command = "CHECK";
	call_ok(c);
	assert_state(added);
	c.command = "DEL";
	call_ok(c);
	sh_in("c1", "echo 4096 >/proc/sys/net/core/somaxconn; "
		    "echo 0 >/proc/sys/net/ipv4/conf/eth0/arp_filter");
	assert_state(before);
	c.bin = first;
	call_ok(c);
	assert_state(before);
}

START_TEST(debian_and_ours_delete_what_the_other_added)
{
	if (_i)
		swap(debian_plugins(), our_plugins());
	else
		swap(our_plugins(), debian_plugins());
}
END_TEST

START_TEST(newest_and_ours_delete_what_the_other_added)
{
	if (_i)
		swap(newest_plugins(), our_plugins());
	else
		swap(our_plugins(), newest_plugins());
}
END_TEST

/* Theirs leaves its file when the namespace is gone; such a one is of no use for the next link. */
START_TEST(a_backup_that_theirs_left_is_replaced)
{
	struct call c = on_c1("ADD", conf(CONF(",'mac':'" NEW_MAC "','mtu':1400"), "1.0.0"));

	c.bin = newest_plugins();
	call_ok(c);
	c.command = "DEL";
	c.netns = "";
	call_ok(c);
	ck_assert_str_eq(sh("ls " BACKUPS), "ctr1_eth0.json");
	sh_in("c1", "ip link set eth0 address 02:00:00:00:00:07 mtu 1450");
	c.bin = our_plugins();
	c.command = "ADD";
	c.netns = c1;
	call_ok(c);
	c.command = "DEL";
	call_ok(c);
	ck_assert_str_eq(link_mac(), "02:00:00:00:00:07");
	ck_assert_str_eq(link_mtu(), "1450");
	ck_assert_str_eq(sh("ls " BACKUPS), "");
}
END_TEST

int main(void)
{
	bool debian = peer_has("/usr/lib/cni", "tuning"),
	     newest = peer_has(getenv("CNI_PEER_DIR"), "tuning");
	Suite *suite = suite_create("tuning beside the Go plugin");
	TCase *tc = tcase_create("peer");

	tcase_add_checked_fixture(tc, tuning_setup, tuning_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, differences_are_documented);
	if (debian) {
		tcase_add_loop_test(tc, same_as_debian, 0, N_ROWS);
		tcase_add_loop_test(tc, debian_and_ours_delete_what_the_other_added, 0, 2);
	}
	if (newest) {
		tcase_add_loop_test(tc, same_as_newest, 0, N_ROWS);
		tcase_add_loop_test(tc, newest_and_ours_delete_what_the_other_added, 0, 2);
		tcase_add_test(tc, a_backup_that_theirs_left_is_replaced);
	}
	suite_add_tcase(suite, tc);
	return peer_main(suite, "tuning");
}
