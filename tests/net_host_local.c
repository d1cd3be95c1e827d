/*
 * host-local, as a built program: the messages of every bad configuration (beside the newest Go plugin
 * where it is at hand), requested addresses, sets and their alternatives, the order in which addresses
 * are given out, what a failed ADD leaves, and DEL, GC and STATUS where something is in their way.
 */
#include "peer_state.h"

#include <fcntl.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define LOCAL(more, ipam)                                                                         \
	"{'cniVersion':'@','name':'net1','type':'host-local'" more ",'ipam':{'type':'host-local'" \
	"" ipam "}}"
#define RANGES(list) LOCAL("", ",'ranges':[" list "]")
#define SUBNET(cidr) "[{'subnet':'" cidr "'}]"
#define IPS(args, runtime) \
	",'args':{'cni':{'ips':[" args "]}},'runtimeConfig':{'ips':[" runtime "]}"

#define VALID(list) ",'cni.dev/valid-attachments':[" list "]"
#define VALID_B VALID("{'containerID':'b','ifname':'eth0'}")

#define STORE "/var/lib/cni/networks"

/* ---- calls ---- */

static struct call call_of(const char *command, const char *id, const char *config)
{
	return (struct call){ .command = command,
			      .id = id,
			      .netns = "/run/netns/none",
			      .config = conf(config, "1.1.0") };
}

/* @return the addresses that ADD gave, separated by blanks */
static const char *add_with(const char *id, const char *config, const char *args)
{
	struct call c = call_of("ADD", id, config);
	struct reply r;
	const char *text = "";
	json_t *ip;
	size_t i;

	c.args = args;
	r = call_ok(c);
	json_array_foreach (json_object_get(r.json, "ips"), i, ip)
		text = fmt("%s%s%s", text, i ? " " : "",
			   json_string_value(json_object_get(ip, "address")));
	return text;
}

static const char *add(const char *id, const char *config)
{
	return add_with(id, config, NULL);
}

static void del(const char *id, const char *config)
{
	call_ok(call_of("DEL", id, config));
}

/* Leases as "address=container/interface ...", by address. */
static const char *leases(void)
{
	return sh("cd " STORE "/net1 2>/dev/null || exit 0; for f in $(ls -v | grep '^[0-9f]'); do "
		  "[ -f $f ] && echo \"$f=$(tr -s '\\r\\n' / <$f)\"; done | xargs");
}

static void put(const char *name, const char *text)
{
	sh("mkdir -p " STORE "/net1; printf '%s' >" STORE "/net1/%s", text, name);
}

/* ---- messages ---- */

static const struct row {
	const char *name, *config, *args;
	int code; /* of ours; theirs is 999 */
	const char *msg; /* whole */
	bool own_words; /* theirs says it differently */
} rows[] = {
	{ "subnet without length", LOCAL("", ",'subnet':'10.1.0.0'"), NULL, 7,
	  "invalid CIDR address: 10.1.0.0", false },
	{ "empty subnet", LOCAL("", ",'subnet':''"), NULL, 7, "invalid CIDR address: ", false },
	{ "rangeStart", LOCAL("", ",'subnet':'10.1.0.0/24','rangeStart':'x'"), NULL, 7,
	  "invalid IP address: x", false },
	{ "gateway with a leading zero", LOCAL("", ",'subnet':'10.1.0.0/24','gateway':'10.1.0.01'"),
	  NULL, 7, "invalid IP address: 10.1.0.01", false },
	{ "no ipam", "{'cniVersion':'@','name':'net1','type':'host-local'}", NULL, 7,
	  "IPAM config missing 'ipam' key", false },
	{ "null ipam", "{'cniVersion':'@','name':'net1','type':'host-local','ipam':null}", NULL, 7,
	  "IPAM config missing 'ipam' key", false },
	/* CNI_ARGS, then the other requested addresses, then ranges. */
	{ "CNI_ARGS IP", LOCAL("", ""), "IP=10.1.0", 4,
	  "ARGS: error parsing value of pair \"IP=10.1.0\": invalid IP address 10.1.0", false },
	{ "CNI_ARGS unknown", LOCAL("", ""), "MAC=00:11:22:33:44:55", 4,
	  "ARGS: unknown args [\"MAC=00:11:22:33:44:55\"]", false },
	{ "CNI_ARGS IgnoreUnknown", LOCAL("", ""), "IgnoreUnknown=x", 4,
	  "ARGS: error parsing value of pair \"IgnoreUnknown=x\": boolean unmarshal error: invalid "
	  "input x",
	  false },
	{ "args.cni.ips", LOCAL(IPS("'10.1.0'", "'z'"), ""), NULL, 7, "invalid IP address 10.1.0",
	  false },
	{ "runtimeConfig.ips", LOCAL(IPS("", "'z'"), ""), NULL, 7, "invalid IP address z", false },
	{ "no ranges", LOCAL("", ""), NULL, 7, "no IP ranges specified", false },
	{ "range keys without subnet", LOCAL("", ",'rangeStart':'10.1.0.2'"), NULL, 7,
	  "no IP ranges specified", false },
	/* The first bad set, and in it the first bad range. */
	{ "empty set", RANGES(SUBNET("10.1.0.0/24") ",[]"), NULL, 7,
	  "invalid range set 1: empty range set", false },
	{ "range without subnet", RANGES("[{'rangeStart':'10.1.0.2'}]"), NULL, 7,
	  "invalid range set 0: IP <nil> not v4 nor v6", false },
	{ "too small", RANGES(SUBNET("10.1.0.0/31")), NULL, 7,
	  "invalid range set 0: Network 10.1.0.0/31 too small to allocate from", false },
	{ "too small for IPv6", RANGES(SUBNET("fd00::/127")), NULL, 7,
	  "invalid range set 0: Network fd00::/127 too small to allocate from", false },
	{ "v4-mapped", RANGES(SUBNET("::ffff:10.1.0.0/120")), NULL, 7,
	  "invalid range set 0: IPNet IP and Mask version mismatch", false },
	{ "host bits", RANGES(SUBNET("10.1.0.5/24")), NULL, 7,
	  "invalid range set 0: Network has host bits set. For a subnet mask of length 24 the "
	  "network address is 10.1.0.0",
	  false },
	{ "start outside", RANGES("[{'subnet':'10.1.0.0/24','rangeStart':'10.2.0.5'}]"), NULL, 7,
	  "invalid range set 0: RangeStart 10.2.0.5 not in network 10.1.0.0/24", false },
	{ "end outside", RANGES("[{'subnet':'10.1.0.0/24','rangeEnd':'10.2.0.5'}]"), NULL, 7,
	  "invalid range set 0: RangeEnd 10.2.0.5 not in network 10.1.0.0/24", false },
	{ "start after end",
	  RANGES("[{'subnet':'10.1.0.0/24','rangeStart':'10.1.0.9','rangeEnd':'10.1.0.5'}]"), NULL,
	  7, "invalid range set 0: RangeStart 10.1.0.9 not in network 10.1.0.0/24", false },
	{ "mixed families", RANGES("[{'subnet':'10.1.0.0/24'},{'subnet':'fd00::/64'}]"), NULL, 7,
	  "invalid range set 0: mixed address families", false },
	{ "overlap in a set", RANGES("[{'subnet':'10.1.0.0/24'},{'subnet':'10.1.0.0/25'}]"), NULL,
	  7, "invalid range set 0: subnets 10.1.0.1-10.1.0.254 and 10.1.0.1-10.1.0.126 overlap",
	  false },
	{ "overlap of sets",
	  RANGES(SUBNET("10.1.0.0/24") "," SUBNET("10.2.0.0/24") "," SUBNET("10.1.0.0/25")), NULL,
	  7, "range set 0 overlaps with 2", false },
	{ "sets of the runtime come first",
	  LOCAL(",'runtimeConfig':{'ipRanges':[" SUBNET("10.3.0.0/31") "]}",
		",'subnet':'10.1.0.0/31','ranges':[" SUBNET("10.2.0.0/31") "]"),
	  NULL, 7, "invalid range set 0: Network 10.3.0.0/31 too small to allocate from", false },
	{ "the single range comes next",
	  LOCAL(",'runtimeConfig':{'ipRanges':[" SUBNET("10.3.0.0/24") "]}",
		",'subnet':'10.1.0.0/31','ranges':[" SUBNET("10.2.0.0/31") "]"),
	  NULL, 7, "invalid range set 1: Network 10.1.0.0/31 too small to allocate from", false },
	{ "resolvConf", LOCAL("", ",'subnet':'10.1.0.0/24','resolvConf':'/nonexist'"), NULL, 7,
	  "ipam.resolvConf: open /nonexist: no such file or directory", true },
	{ "resolvConf is a directory", LOCAL("", ",'subnet':'10.1.0.0/24','resolvConf':'/run'"),
	  NULL, 7, "ipam.resolvConf: read /run: is a directory", true },
	/* ADD itself. */
	{ "the gateway", LOCAL("", ",'subnet':'10.1.0.0/24'"), "IP=10.1.0.1", 7,
	  "failed to allocate for range 0: requested ip 10.1.0.1 is subnet's gateway", false },
	{ "in no range", LOCAL(IPS("", "'10.7.0.5/16'"), ",'subnet':'10.1.0.0/24'"), NULL, 7,
	  "failed to allocate all requested IPs: 10.7.0.5", false },
	{ "exhausted",
	  RANGES("[{'subnet':'10.1.0.0/30','rangeEnd':'10.1.0.1'},"
		 "{'subnet':'10.2.0.0/30','rangeEnd':'10.2.0.1'}]"),
	  NULL, 999,
	  "failed to allocate for range 0: no IP addresses available in range set: "
	  "10.1.0.1-10.1.0.1,10.2.0.1-10.2.0.1",
	  false },
};

START_TEST(a_bad_configuration_is_refused_with_these_words)
{
	const struct row *row = &rows[_i];
	struct call c = call_of("ADD", "ctr1", row->config);
	struct reply r;

	c.args = row->args;
	r = call_fails(c, row->code, row->msg);
	ck_assert_msg(strcmp(r.msg, row->msg) == 0, "%s: %s", row->name, r.msg);
	ck_assert_str_eq(leases(), "");
}
END_TEST

START_TEST(same_words_as_the_newest)
{
	const struct row *row = &rows[_i];
	struct call c = call_of("ADD", "ctr1", row->config);
	struct reply r;

	c.args = row->args;
	c.bin = newest_plugins();
	r = call(c);
	ck_assert_int_eq(r.status, 1);
	if (row->own_words)
		ck_assert_str_ne(r.msg, row->msg);
	else
		ck_assert_str_eq(r.msg, row->msg);
}
END_TEST

static const char *const versions[] = { "", "0.1.0", "0.2.0", "0.3.0", "1.1.0" };

START_TEST(before_0_3_0_there_is_one_set_of_a_family)
{
	struct call c = call_of("ADD", "ctr1", "{}");

	c.config = conf(RANGES(SUBNET("10.1.0.0/24") "," SUBNET("fd00::/64")), versions[_i]);
	call_ok(c);
	c.id = "ctr2";
	c.config = conf(RANGES(SUBNET("10.1.0.0/24") "," SUBNET("10.2.0.0/24")), versions[_i]);
	if (_i < 3)
		call_fails(c, 7, "does not support more than 1 address per family");
	else
		call_ok(c);
}
END_TEST

/* ---- requested addresses ---- */

static const char three_sets[] = LOCAL(IPS("'10.2.0.22/24'", "'10.3.0.33'"),
				       ",'ranges':[" SUBNET("10.1.0.0/24") "," SUBNET(
					       "10.2.0.0/24") "," SUBNET("10.3.0.0/24") "]");

START_TEST(requested_addresses_of_all_sources_add_up)
{
	ck_assert_str_eq(add_with("a", three_sets, "IgnoreUnknown=true;IP=10.1.0.11/8"),
			 "10.1.0.11/24 10.2.0.22/24 10.3.0.33/24");
	ck_assert_str_eq(leases(), "10.1.0.11=a/eth0 10.2.0.22=a/eth0 10.3.0.33=a/eth0");
	/* The next one that asks for nothing goes on from there. */
	ck_assert_str_eq(add("b", LOCAL("", ",'subnet':'10.1.0.0/24'")), "10.1.0.12/24");
}
END_TEST

START_TEST(an_address_requested_twice_is_one)
{
	ck_assert_str_eq(add_with("a",
				  LOCAL(IPS("'10.1.0.9','10.1.0.9/24'", "'10.1.0.9'"),
					",'subnet':'10.1.0.0/24'"),
				  "IP=10.1.0.9/30"),
			 "10.1.0.9/24");
}
END_TEST

/* Of several for one set, the first of CNI_ARGS, args.cni.ips, runtimeConfig.ips; the others are left. */
START_TEST(the_first_requested_address_of_a_set_wins)
{
	struct call c = call_of("ADD", "a",
				LOCAL(IPS("'10.1.0.8','10.1.0.7'", "'10.1.0.6'"),
				      ",'subnet':'10.1.0.0/24'"));

	for (int i = 0; i < 5; i++) {
		c.args = "IP=10.1.0.9";
		call_fails(c, 7,
			   "failed to allocate all requested IPs: 10.1.0.8 10.1.0.7 10.1.0.6");
		c.args = NULL;
		call_fails(c, 7, "failed to allocate all requested IPs: 10.1.0.7 10.1.0.6");
		ck_assert_str_eq(leases(), "");
	}
}
END_TEST

START_TEST(a_requested_address_may_not_be_a_second_one)
{
	static const char net[] = LOCAL("", ",'subnet':'10.1.0.0/24'");
	struct call c = call_of("ADD", "a", net);

	ck_assert_str_eq(add("a", net), "10.1.0.2/24");
	c.args = "IP=10.1.0.9";
	call_fails(c, 999,
		   "failed to allocate for range 0: 10.1.0.2 has been allocated to a, duplicate "
		   "allocation is not allowed");
	c.ifname = "eth1";
	call_ok(c);
	c.id = "b";
	call_fails(c, 999,
		   "failed to allocate for range 0: requested IP address 10.1.0.9 is not available "
		   "in range set 10.1.0.1-10.1.0.254");
	ck_assert_str_eq(leases(), "10.1.0.2=a/eth0 10.1.0.9=a/eth1");
}
END_TEST

/* An old lease, of before interfaces were written down, is of every interface of its container. */
START_TEST(an_old_lease_counts_as_its_containers)
{
	static const char net[] = LOCAL("", ",'subnet':'10.1.0.0/24'");

	put("10.1.0.7", "a");
	call_fails(call_of("ADD", "a", net), 999, "10.1.0.7 has been allocated to a");
	call_ok(call_of("CHECK", "a", net));
	call_fails(call_of("CHECK", "b", net), 999,
		   "host-local: Failed to find address added by container b");
	del("b", net);
	ck_assert_str_eq(leases(), "10.1.0.7=a");
	del("a", net);
	ck_assert_str_eq(leases(), "");
}
END_TEST

/* ---- the order of addresses ---- */

START_TEST(addresses_go_round)
{
	static const char net[] = LOCAL("", ",'subnet':'10.1.0.0/29'");

	for (int i = 2; i <= 4; i++)
		ck_assert_str_eq(add(fmt("c%d", i), net), fmt("10.1.0.%d/29", i));
	/* One that was given back is not given again before all others were. */
	del("c2", net);
	del("c4", net);
	ck_assert_str_eq(add("d", net), "10.1.0.5/29");
	ck_assert_str_eq(add("e", net), "10.1.0.6/29");
	ck_assert_str_eq(add("f", net), "10.1.0.2/29");
	ck_assert_str_eq(add("g", net), "10.1.0.4/29");
	call_fails(call_of("ADD", "h", net), 999, "no IP addresses available in range set");
	del("c3", net);
	ck_assert_str_eq(add("h", net), "10.1.0.3/29");
}
END_TEST

/* What the last address is cannot be trusted: it begins anew, and never gives what is taken. */
START_TEST(a_last_address_that_makes_no_sense_is_forgotten)
{
	static const char *const texts[] = {
		"",	    "x",       "10.1.0.4\\n",
		"10.9.0.4", "fd00::4", "10.1.0.4 10.1.0.4 10.1.0.4 10.1.0.4 10.1.0.4 10.1.0.4"
	};
	static const char net[] = LOCAL("", ",'subnet':'10.1.0.0/29'");

	ck_assert_str_eq(add("a", net), "10.1.0.2/29");
	put("last_reserved_ip.0", texts[_i]);
	ck_assert_str_eq(add("b", net), "10.1.0.3/29");
	ck_assert_str_eq(sh("cat " STORE "/net1/last_reserved_ip.0"), "10.1.0.3");
}
END_TEST

START_TEST(alternatives_of_a_set_follow_each_other)
{
	static const char net[] =
		RANGES("[{'subnet':'10.1.0.0/24','rangeStart':'10.1.0.1','rangeEnd':'10.1.0.3'},"
		       "{'subnet':'10.2.0.0/30','gateway':'10.2.0.2'}]," SUBNET("fd00::/126"));

	ck_assert_str_eq(add("a", net), "10.1.0.2/24 fd00::2/126");
	ck_assert_str_eq(add("b", net), "10.1.0.3/24 fd00::3/126");
	del("b", net);
	ck_assert_str_eq(add("c", net), "10.2.0.1/30 fd00::3/126");
	/* The second set has no more; what the first one had to give is given back. */
	call_fails(call_of("ADD", "d", net), 999,
		   "failed to allocate for range 1: no IP addresses available in range set: "
		   "fd00::1-fd00::3");
	ck_assert_str_eq(leases(), "10.1.0.2=a/eth0 10.2.0.1=c/eth0 fd00::2=a/eth0 fd00::3=c/eth0");
	del("a", net);
	ck_assert_str_eq(add("d", net), "10.1.0.2/24 fd00::2/126");
}
END_TEST

START_TEST(a_moved_gateway_frees_one_address_and_bars_another)
{
	ck_assert_str_eq(add("a", LOCAL("", ",'subnet':'10.1.0.0/29'")), "10.1.0.2/29");
#define MOVED LOCAL("", ",'subnet':'10.1.0.0/29','gateway':'10.1.0.3'")
	for (int i = 4; i <= 6; i++)
		ck_assert_str_eq(add(fmt("c%d", i), MOVED), fmt("10.1.0.%d/29", i));
	ck_assert_str_eq(add("d", MOVED), "10.1.0.1/29");
	call_fails(call_of("ADD", "e", MOVED), 999, "no IP addresses available");
#undef MOVED
}
END_TEST

/* Every address of a /16 but one is taken, by files that somebody else wrote. */
START_TEST(the_one_free_address_of_a_16_is_found)
{
	static const char net[] = LOCAL("", ",'subnet':'10.1.0.0/16'");
	int dir, fd;

	sh("mkdir -p " STORE "/net1");
	dir = open(STORE "/net1", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(dir, 0);
	for (unsigned int i = 2; i < 65535; i++) {
		char name[32];

		if (i == 0x4d07)
			continue;
		snprintf(name, sizeof(name), "10.1.%u.%u", i >> 8, i & 255);
		fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		ck_assert_int_ge(fd, 0);
		ck_assert_int_eq(dprintf(fd, "c%u\r\neth0", i), snprintf(NULL, 0, "c%u", i) + 6);
		close(fd);
	}
	close(dir);
	put("last_reserved_ip.0", "10.1.200.1");
	call_ok(call_of("STATUS", "", net));
	ck_assert_str_eq(add("new", net), "10.1.77.7/16");
	call_fails(call_of("ADD", "more", net), 999, "no IP addresses available in range set");
	call_fails(call_of("STATUS", "", net), 50, "no IP addresses available in range set");
	del("c513", net);
	ck_assert_str_eq(add("more", net), "10.1.2.1/16");
}
END_TEST

/* ---- a failed ADD ---- */

START_TEST(a_failed_add_gives_back_what_it_took_and_no_more)
{
	add("a", LOCAL("", ",'subnet':'10.1.0.0/24'"));
	put("10.3.0.1", "x\\r\\neth0");
	/* The lease of the first line is the same attachment's, in a set of an earlier configuration. */
	call_fails(call_of("ADD", "a",
			   RANGES(SUBNET("10.2.0.0/24") ",[{'subnet':'10.3.0.0/24','rangeEnd':"
							"'10.3.0.1','gateway':'10.3.0.9'}]")),
		   999,
		   "failed to allocate for range 1: no IP addresses available in range set: "
		   "10.3.0.1-10.3.0.1");
	ck_assert_str_eq(leases(), "10.1.0.2=a/eth0 10.3.0.1=x/eth0");
	call_fails(call_of("ADD", "a", RANGES(SUBNET("10.2.0.0/24") "," SUBNET("10.1.0.0/24"))),
		   999, "failed to allocate for range 1: 10.1.0.2 has been allocated to a");
	ck_assert_str_eq(leases(), "10.1.0.2=a/eth0 10.3.0.1=x/eth0");
	call_fails(call_of("ADD", "a", LOCAL(IPS("'10.9.9.9'", ""), ",'subnet':'10.2.0.0/24'")), 7,
		   "failed to allocate all requested IPs: 10.9.9.9");
	ck_assert_str_eq(leases(), "10.1.0.2=a/eth0 10.3.0.1=x/eth0");
	ck_assert_str_eq(add("a", LOCAL("", ",'subnet':'10.2.0.0/24'")), "10.2.0.5/24");
}
END_TEST

/* ---- DEL, GC, STATUS ---- */

static const char *const broken[] = {
	LOCAL(VALID_B, ",'ranges':[" SUBNET("10.1.0.0/31") "]"),
	LOCAL(VALID_B, ",'subnet':'x','ranges':[[]]"),
	LOCAL(VALID_B, ",'ranges':[" SUBNET("10.1.0.0/24") "," SUBNET("10.1.0.0/25") "]"),
	LOCAL(VALID_B, ",'resolvConf':'/nonexist'"),
	LOCAL(VALID_B IPS("'x'", "'y'"), ""),
};

START_TEST(del_and_gc_do_without_valid_ranges)
{
	static const char net[] = LOCAL("", ",'subnet':'10.1.0.0/24'");
	struct call c = call_of("DEL", "a", broken[_i]);

	add("a", net);
	add("b", net);
	add("c", net);
	c.args = "FOO;=";
	call_ok(c);
	call_ok(c);
	ck_assert_str_eq(leases(), "10.1.0.3=b/eth0 10.1.0.4=c/eth0");
	c.command = "GC";
	call_ok(c);
	ck_assert_str_eq(leases(), "10.1.0.3=b/eth0");
}
END_TEST

#define NET1(more) LOCAL(more, ",'subnet':'10.1.0.0/24'")

START_TEST(gc_removes_leases_of_this_network_and_nothing_else)
{
	const char *kept;

	add("a", NET1(""));
	add("b", NET1(""));
	put("10.1.0.10", "a");
	put("10.1.0.11", "b");
	put("10.1.0.12", "x\\r\\neth0");
	put("10.1.0.13", "b\\r\\neth1");
	put("10.99.0.1", "x\\r\\neth0"); /* of no range any more */
	put("10.1.0.14", "neither\\nnor");
	put("NOTES", "x");
	sh("mkdir -p " STORE "/net2 " STORE "/net1/10.1.0.15; cp " STORE "/net1/10.* " STORE
	   "/net2 2>/dev/null; true");
	kept = sh("cd " STORE "; ls -i net1/lock net1/last_reserved_ip.0 net1/NOTES; ls -i net2");
	call_ok(call_of("GC", "", NET1(VALID_B)));
	ck_assert_str_eq(leases(), "10.1.0.3=b/eth0 10.1.0.11=b 10.1.0.14=neither/nor");
	ck_assert_str_eq(kept,
			 sh("cd " STORE "; ls -i net1/lock net1/last_reserved_ip.0 net1/NOTES; "
			    "ls -i net2"));
	ck_assert_str_eq(sh("cat " STORE "/net1/last_reserved_ip.0"), "10.1.0.3");
	call_ok(call_of("GC", "", NET1(VALID(""))));
	ck_assert_str_eq(leases(), "10.1.0.14=neither/nor");
	ck_assert_str_eq(add("new", NET1("")), "10.1.0.4/24");
}
END_TEST

START_TEST(gc_goes_on_past_what_it_cannot_remove)
{
	const char *stuck = STORE "/net1/10.1.0.3";

	for (int i = 0; i < 4; i++)
		add(fmt("%c", 'a' + i), NET1(""));
	sh("mkdir " STORE "/net1/10.1.0.9");
	/* A file that is a mount point cannot be unlinked, whoever asks. */
	sh("mount --bind %s %s", stuck, stuck);
	call_fails(call_of("GC", "", NET1(VALID(""))), 999,
		   "failed to remove lease of 10.1.0.3: device or resource busy");
	ck_assert_str_eq(leases(), "10.1.0.3=b/eth0");
	call_fails(call_of("DEL", "b", NET1("")), 999, "failed to remove lease of 10.1.0.3");
	call_ok(call_of("DEL", "a", NET1("")));
	sh("umount %s", stuck);
	call_ok(call_of("GC", "", NET1(VALID(""))));
	ck_assert_str_eq(leases(), "");
	sh("test -d " STORE "/net1/10.1.0.9");
}
END_TEST

START_TEST(status_names_the_exhausted_set)
{
	static const char two[] = RANGES(SUBNET("10.1.0.0/30") "," SUBNET("10.2.0.0/30"));

	call_ok(call_of("STATUS", "", two));
	add("a", LOCAL("", ",'ranges':[" SUBNET("10.2.0.0/30") "]"));
	call_fails(call_of("STATUS", "", two), 50,
		   "no IP addresses available in range set: 10.2.0.1-10.2.0.2");
	del("a", two);
	call_ok(call_of("STATUS", "", two));
	/* An address whose lease is torn can be given out. */
	put("10.2.0.2", "");
	call_ok(call_of("STATUS", "", two));
	ck_assert_str_eq(add("a", two), "10.1.0.2/30 10.2.0.2/30");
	call_fails(call_of("STATUS", "", LOCAL("", ",'subnet':'10.1.0.0/31'")), 7, "too small");
	call_ok(call_of("STATUS", "", LOCAL("", ""))); /* the runtime may give ranges with ADD */
}
END_TEST

START_TEST(status_names_the_directory_that_cannot_be_written)
{
	static const char net[] = LOCAL("", ",'subnet':'10.1.0.0/24','dataDir':'/run/world/nets'");
	static const char below[] =
		LOCAL("", ",'subnet':'10.1.0.0/24','dataDir':'/run/world/file/nets'");

	add("a", net);
	sh("mount --bind /run/world/nets /run/world/nets && "
	   "mount -o remount,bind,ro /run/world/nets");
	call_fails(call_of("STATUS", "", net), 50,
		   "leases can't be written below /run/world/nets/net1: read-only file system");
	call_fails(call_of("ADD", "b", net), 999,
		   "failed to write lease of 10.1.0.3: read-only file system");
	call_ok(call_of("CHECK", "a", net));
	call_fails(call_of("DEL", "a", net), 999,
		   "failed to remove lease of 10.1.0.2: read-only file system");
	call_ok(call_of("DEL", "b", net));
	sh("umount /run/world/nets");
	call_ok(call_of("STATUS", "", net));
	sh("echo >/run/world/file");
	call_fails(call_of("STATUS", "", below), 50,
		   "leases can't be written below /run/world/file/nets/net1: not a directory");
}
END_TEST

static void add_tests(TCase *tc)
{
	tcase_add_loop_test(tc, a_bad_configuration_is_refused_with_these_words, 0,
			    ARRAY_SIZE(rows));
	tcase_add_loop_test(tc, before_0_3_0_there_is_one_set_of_a_family, 0, ARRAY_SIZE(versions));
	tcase_add_test(tc, requested_addresses_of_all_sources_add_up);
	tcase_add_test(tc, an_address_requested_twice_is_one);
	tcase_add_test(tc, the_first_requested_address_of_a_set_wins);
	tcase_add_test(tc, a_requested_address_may_not_be_a_second_one);
	tcase_add_test(tc, an_old_lease_counts_as_its_containers);
	tcase_add_test(tc, addresses_go_round);
	tcase_add_loop_test(tc, a_last_address_that_makes_no_sense_is_forgotten, 0, 6);
	tcase_add_test(tc, alternatives_of_a_set_follow_each_other);
	tcase_add_test(tc, a_moved_gateway_frees_one_address_and_bars_another);
	tcase_add_test(tc, the_one_free_address_of_a_16_is_found);
	tcase_add_test(tc, a_failed_add_gives_back_what_it_took_and_no_more);
	tcase_add_loop_test(tc, del_and_gc_do_without_valid_ranges, 0, ARRAY_SIZE(broken));
	tcase_add_test(tc, gc_removes_leases_of_this_network_and_nothing_else);
	tcase_add_test(tc, gc_goes_on_past_what_it_cannot_remove);
	tcase_add_test(tc, status_names_the_exhausted_set);
	tcase_add_test(tc, status_names_the_directory_that_cannot_be_written);
}

int main(void)
{
	const char *dir = getenv("CNI_PEER_DIR");
	bool newest = dir && *dir;
	Suite *suite = suite_create("host-local");
	TCase *tc = tcase_create("verbs");

	tcase_add_checked_fixture(tc, world_setup, world_teardown);
	tcase_set_timeout(tc, 120);
	add_tests(tc);
	if (newest)
		tcase_add_loop_test(tc, same_words_as_the_newest, 0, ARRAY_SIZE(rows));
	suite_add_tcase(suite, tc);
	return peer_main(suite, "host-local");
}
