/*
 * firewall with iptables' rules, by its verbs: what DEL and GC find without help, what CHECK and STATUS
 * say, and what is refused. Packets: net_firewall_packets.c; the Go plugin: net_firewall_peer.c.
 */
#include "iptables_kind.h"
#include "peer_state.h"
#include "same_world.h"

#define PREV(v4, v6)                                                                       \
	",'prevResult':{'cniVersion':'1.1.0','interfaces':[{'name':'br1'},{'name':'eth0'," \
	"'sandbox':'/run/netns/c1'}],'ips':[{'address':'" v4 "/24','interface':1},"        \
	"{'address':'" v6 "/64','interface':1}]}"
#define NET(name, keys) "{'cniVersion':'1.1.0','name':'" name "','type':'firewall'" keys "}"
#define VALID(list) ",'cni.dev/valid-attachments':[" list "]"
#define PREV_1 PREV("10.1.0.2", "fd01::2")
#define PREV_2 PREV("10.1.0.3", "fd01::3")

static const char net1[] = NET("net1", PREV_1);

static void setup(void)
{
	world_setup();
	kinds_make();
	container_add("c1");
}

/* A call on a host with iptables of a kind. */
static struct call on(int kind, const char *command, const char *id, const char *text)
{
	return (struct call){ .command = command,
			      .id = id,
			      .netns = "/run/netns/c1",
			      .config = conf(text, ""),
			      .wrapper = on_kind(kind) };
}

static bool has(int kind, const char *what)
{
	return strstr(filter_rules(kind), what) != NULL;
}

static void assert_no_trace_of(int kind, const char *address)
{
	ck_assert_msg(!has(kind, address), "%s is in\n%s", address, filter_rules(kind));
}

/* ---- DEL ---- */

START_TEST(del_needs_no_prev_result)
{
	const char *before;

	call_ok(on(_i, "ADD", "ctr1", net1));
	call_ok(on(_i, "DEL", "ctr1", NET("net1", "")));
	before = filter_rules(_i);
	assert_no_trace_of(_i, "10.1.0.2");
	assert_no_trace_of(_i, "fd01::2");
	call_ok(on(_i, "DEL", "ctr1", NET("net1", "")));
	assert_same(before, filter_rules(_i));
}
END_TEST

START_TEST(del_needs_no_valid_configuration)
{
	static const char *const configs[] = {
		NET("net1", ",'ingressPolicy':'nonsense'"),
		NET("net1", ",'backend':5"),
		NET("net1", ",'ipam':'x'"),
		NET("net1",
		    ",'iptablesAdminChainName':'a chain with blanks and far too long a name'"),
		NET("net1", ",'prevResult':{'ips':[{'address':'nonsense'}]}"),
		NET("net1", ",'prevResult':{'cniVersion':'0.4.0','ips':[]}"),
	};

	for (size_t i = 0; i < sizeof(configs) / sizeof(configs[0]); i++) {
		call_ok(on(KIND_NFT, "ADD", "ctr1", net1));
		call_ok(on(KIND_NFT, "DEL", "ctr1", configs[i]));
		assert_no_trace_of(KIND_NFT, "10.1.0.2");
	}
}
END_TEST

START_TEST(del_removes_what_was_made_by_the_other_kind_of_iptables)
{
	call_ok(on(_i, "ADD", "ctr1", net1));
	call_ok(on(!_i, "DEL", "ctr1", net1));
	assert_no_trace_of(_i, "10.1.0.2");
	assert_no_trace_of(_i, "fd01::2");
}
END_TEST

/* The lease of ctr1 was given on without its DEL; that comes late. */
START_TEST(a_late_del_leaves_the_rules_of_the_addresses_new_owner)
{
	call_ok(on(_i, "ADD", "ctr1", net1));
	call_ok(on(_i, "ADD", "ctr2", net1));
	call_ok(on(_i, "DEL", "ctr1", net1));
	call_ok(on(_i, "CHECK", "ctr2", net1));
	ck_assert(has(_i, "id: ctr2"));
	ck_assert(!has(_i, "id: ctr1"));
	call_ok(on(_i, "DEL", "ctr2", net1));
	assert_no_trace_of(_i, "10.1.0.2");
	assert_no_trace_of(_i, "fd01::2");
}
END_TEST

START_TEST(del_removes_what_earlier_owners_of_the_address_left)
{
	call_ok(on(_i, "ADD", "ctr1", net1));
	call_ok(on(_i, "ADD", "ctr2", net1));
	call_ok(on(_i, "ADD", "ctr2", net1));
	call_ok(on(_i, "DEL", "ctr2", NET("net1", "")));
	assert_no_trace_of(_i, "10.1.0.2");
	assert_no_trace_of(_i, "fd01::2");
}
END_TEST

/* The address of a valid attachment is not lost because another one claimed it, before or after. */
START_TEST(gc_keeps_the_address_of_a_valid_attachment)
{
	static const char gc[] = NET("net1", VALID("{'containerID':'ctr1','ifname':'eth0'}"));

	for (int first = 0; first < 2; first++) {
		call_ok(on(_i, "ADD", first ? "ctr1" : "ctr2", net1));
		call_ok(on(_i, "ADD", first ? "ctr2" : "ctr1", net1));
		call_ok(on(_i, "GC", "", gc));
		ck_assert(!has(_i, "id: ctr2"));
		call_ok(on(_i, "CHECK", "ctr1", net1));
		call_ok(on(_i, "DEL", "ctr1", net1));
		assert_no_trace_of(_i, "10.1.0.2");
	}
}
END_TEST

START_TEST(two_interfaces_of_a_container_do_not_disturb_each_other)
{
	struct call second = on(KIND_NFT, "ADD", "ctr1", NET("net1", PREV_2));
	const char *before;

	call_ok(on(KIND_NFT, "ADD", "ctr1", net1));
	before = filter_rules(KIND_NFT);
	second.ifname = "eth1";
	call_ok(second);
	second.command = "DEL";
	second.config = conf(NET("net1", ""), "");
	call_ok(second);
	assert_same(before, filter_rules(KIND_NFT));
}
END_TEST

START_TEST(del_succeeds_after_a_flush_and_add_brings_all_back)
{
	const char *before;

	call_ok(on(_i, "ADD", "ctr1", net1));
	before = filter_rules(_i);
	filter_flush();
	call_ok(on(_i, "DEL", "ctr1", net1));
	call_ok(on(_i, "ADD", "ctr1", net1));
	assert_same(before, filter_rules(_i));
}
END_TEST

/* Comments are cut at 255 bytes, and hold no name that a shell would read as more than a word. */
START_TEST(names_of_any_length_and_form_are_told_apart)
{
	char name[301] = "n";
	struct call c = on(_i, "ADD", "ctr1", net1);

	memset(name + 1, 'x', sizeof(name) - 2);
	c.ifname = "$(reboot)\"`'";
	c.config = conf(replaced(net1, "net1", name), "");
	call_ok(c);
	ck_assert(has(_i, "id: ctr1, if: ?, net: nxxx"));
	ck_assert(!has(_i, "reboot"));
	c.command = "DEL";
	c.config = conf(replaced(NET("net1", ""), "net1", name), "");
	call_ok(c);
	assert_no_trace_of(_i, "10.1.0.2");
}
END_TEST

/* ---- GC ---- */

#define CTR1_ETH0 "{'containerID':'ctr1','ifname':'eth0'}"

START_TEST(gc_removes_what_no_valid_attachment_of_the_network_owns)
{
	const char *before;

	call_ok(on(_i, "ADD", "other", NET("net2", PREV("10.2.0.2", "fd02::2"))));
	call_ok(on(_i, "ADD", "ctr1", net1));
	before = filter_rules(_i);
	call_ok(on(_i, "ADD", "ctr2", NET("net1", PREV_2)));
	call_ok(on(_i, "GC", "", NET("net1", ""))); /* nothing is known: nothing goes */
	ck_assert(has(_i, "id: ctr2"));
	call_ok(on(_i, "GC", "", NET("net1", VALID(CTR1_ETH0))));
	assert_same(before, filter_rules(_i));
	call_ok(on(_i, "GC", "", NET("net1", VALID(""))));
	assert_no_trace_of(_i, "10.1.0.");
	ck_assert(has(_i, "-s 10.2.0.2/32 -j ACCEPT"));
	call_fails(on(_i, "GC", "", NET("net1", ",'cni.dev/valid-attachments':5")), 7, "");
}
END_TEST

/* More than one transaction holds. */
START_TEST(gc_removes_any_number_of_rules)
{
	call_ok(on(KIND_NFT, "ADD", "ctr1", net1));
	sh("{ echo '*filter'; iptables-nft-save -t filter | grep -- '-A CNI-FORWARD.*10.1.0.2' | "
	   "awk '{ for (i = 0; i < 6000; i++) { rule = $0; "
	   "sub(/10.1.0.2/, \"10.9.\" int(i / 250) \".\" i %% 250, rule); print rule } }'; "
	   "echo COMMIT; } | iptables-nft-restore --noflush");
	ck_assert(has(KIND_NFT, "-d 10.9.23.249/32 "));
	call_ok(on(KIND_NFT, "GC", "", NET("net1", VALID(""))));
	assert_no_trace_of(KIND_NFT, "10.9.");
	assert_no_trace_of(KIND_NFT, "10.1.0.2");
}
END_TEST

START_TEST(gc_removes_the_isolation_of_bridges_that_are_gone)
{
	const char *before;

	sh("ip link add br1 type bridge && ip link add br2 type bridge");
	call_ok(on(_i, "ADD", "ctr1", NET("net1", ",'ingressPolicy':'isolated'" PREV_1)));
	before = filter_rules(_i);
	call_ok(on(_i, "ADD", "ctr2",
		   replaced(NET("net1", ",'ingressPolicy':'isolated'" PREV_1), "'br1'", "'br2'")));
	call_ok(on(_i, "DEL", "ctr2", NET("net1", "")));
	call_ok(on(_i, "ADD", "ctr1", NET("net1", ",'ingressPolicy':'isolated'" PREV_1)));
	call_ok(on(_i, "GC", "", NET("net1", VALID(CTR1_ETH0))));
	ck_assert(has(_i, "-o br2 "));
	sh("ip link del br2");
	call_ok(on(_i, "GC", "", NET("net1", VALID(CTR1_ETH0))));
	assert_same(before, filter_rules(_i));
}
END_TEST

/* Somebody took the jump to CNI-FORWARD away: it comes back behind the one to isolation. */
START_TEST(isolation_stays_in_front)
{
	const char *list = fmt("/usr/sbin/xtables-%s-multi iptables -S FORWARD", kind_names[_i]);
	const char *before;

	call_ok(on(_i, "ADD", "ctr1", NET("net1", ",'ingressPolicy':'isolated'" PREV_1)));
	before = sh("%s", list);
	sh("/usr/sbin/xtables-%s-multi iptables -D FORWARD 2", kind_names[_i]);
	ck_assert_str_ne(sh("%s", list), before);
	call_ok(on(_i, "ADD", "ctr2", NET("net2", PREV_2)));
	assert_same(before, sh("%s", list));
}
END_TEST

/* ---- CHECK, STATUS ---- */

START_TEST(check_says_what_is_missing_and_changes_nothing)
{
	static const struct {
		const char *rule; /* of iptables -D */
		const char *msg;
	} rows[] = {
		{ "FORWARD -m comment --comment 'CNI firewall plugin rules' -j CNI-FORWARD",
		  "expected FORWARD rule [-m comment --comment CNI firewall plugin rules -j "
		  "CNI-FORWARD] not found" },
		{ "CNI-FORWARD -m comment --comment 'CNI firewall plugin admin overrides' -j "
		  "CNI-ADMIN",
		  "expected CNI-FORWARD rule [-m comment --comment CNI firewall plugin admin "
		  "overrides -j CNI-ADMIN] not found" },
		{ "CNI-FORWARD -m comment --comment 'CNI firewall plugin published ports' -m "
		  "conntrack --ctstate DNAT -j CNI-FORWARD-DNAT",
		  "expected CNI-FORWARD rule [-m conntrack --ctstate DNAT -j CNI-FORWARD-DNAT] not "
		  "found" },
		{ "CNI-FORWARD -d 10.1.0.2/32 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
		  "expected rule [-d 10.1.0.2/32 -m conntrack --ctstate RELATED,ESTABLISHED -j "
		  "ACCEPT] not found" },
		{ "CNI-FORWARD -s 10.1.0.2/32 -j ACCEPT",
		  "expected rule [-s 10.1.0.2/32 -j ACCEPT] not found" },
		{ "CNI-ISOLATION-STAGE-2 -o br1 -m comment --comment 'CNI firewall plugin rules "
		  "(ingressPolicy: same-bridge|isolated)' -j DROP",
		  "expected CNI-ISOLATION-STAGE-2 rule of ingressPolicy for bridge \"br1\"" },
	};
	const char *net = NET("net1", ",'ingressPolicy':'same-bridge'" PREV_1), *before;

	filter_flush();
	before = filter_rules(_i);
	call_fails(on(_i, "CHECK", "ctr1", net), 999, "expected FORWARD rule");
	assert_same(before, filter_rules(_i));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		filter_flush();
		call_ok(on(_i, "ADD", "ctr1", net));
		call_ok(on(_i, "CHECK", "ctr1", net));
		sh("iptables-%s -D %s", kind_names[_i], rows[i].rule);
		before = filter_rules(_i);
		call_fails(on(_i, "CHECK", "ctr1", net), 999, rows[i].msg);
		assert_same(before, filter_rules(_i));
		call_ok(on(_i, "DEL", "ctr1", net));
	}
}
END_TEST

START_TEST(status_says_whether_the_backend_can_be_used)
{
	call_ok(on(_i, "STATUS", "", NET("net1", "")));
	ck_assert_str_eq(sh("nft list ruleset; cat /proc/net/ip_tables_names"), "");
	call_fails(on(_i, "STATUS", "", NET("net1", ",'backend':'firewalld'")), 50,
		   "firewalld is not running");
	call_fails(on(_i, "STATUS", "", NET("net1", ",'ingressPolicy':'x'")), 7, "ingress policy");
}
END_TEST

START_TEST(status_is_50_where_the_kernel_has_no_nf_tables)
{
	struct call c = on(KIND_NFT, "STATUS", "", NET("net1", ""));

	c.wrapper = "env ASAN_OPTIONS=detect_leaks=0 strace -o /dev/null -e "
		    "inject=socket:error=EPROTONOSUPPORT";
	call_fails(c, 50, "backend iptables (nf_tables) cannot be used");
}
END_TEST

/* ---- configuration ---- */

START_TEST(what_is_wrong_is_refused_before_any_change)
{
	static const struct {
		const char *config, *msg;
	} rows[] = {
		{ NET("net1", ""), "missing prevResult from earlier plugin" },
		{ NET("net1", ",'prevResult':{'ips':[{'address':'10.1.0.2'}]}"),
		  "could not parse prevResult" },
		{ NET("net1", ",'ingressPolicy':'closed'" PREV_1),
		  "unknown ingress policy: \"closed\"" },
		{ NET("net1", ",'ingressPolicy':'isolated','prevResult':{'ips':["
			      "{'address':'10.1.0.2/24'}]}"),
		  "interface needs to be set for ingress policy \"isolated\", make sure to chain "
		  "\"firewall\" plugin with \"bridge\"" },
		{ NET("net1",
		      ",'ingressPolicy':'isolated','prevResult':{'interfaces':[{'name':''}]}"),
		  "got empty bridge name" },
		{ NET("net1", ",'ingressPolicy':'isolated','prevResult':{'interfaces':["
			      "{'name':'a-name-that-is-too-long'}]}"),
		  "interface name is too long" },
		{ NET("net1", ",'ingressPolicy':'isolated','prevResult':{'interfaces':["
			      "{'name':'br+'}]}"),
		  "\"br+\"" },
		{ NET("net1", ",'iptablesAdminChainName':'a234567890123456789012345678X'" PREV_1),
		  "too long (must be under 29 chars)" },
		{ NET("net1", ",'iptablesAdminChainName':'CNI-FORWARD'" PREV_1), "CNI-FORWARD" },
		{ NET("net1", ",'iptablesAdminChainName':'ACCEPT'" PREV_1), "ACCEPT" },
		{ NET("net1", ",'iptablesAdminChainName':'-x'" PREV_1), "-x" },
		{ NET("net1", ",'iptablesAdminChainName':'two words'" PREV_1), "two words" },
		{ NET("net1", ",'firewalldZone':'new\\nline'" PREV_1), "firewalldZone" },
		{ NET("net1", ",'firewalldZone':5" PREV_1),
		  "failed to load netconf: firewalldZone" },
		{ NET("net1", ",'backend':[]" PREV_1), "failed to load netconf: backend" },
		{ NET("net1", ",'acceptPublishedPorts':'yes'" PREV_1),
		  "failed to load netconf: acceptPublishedPorts" },
	};
	const char *before = sh("nft list ruleset");

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		call_fails(on(KIND_NFT, "ADD", "ctr1", rows[i].config), 7, rows[i].msg);
		ck_assert_str_eq(sh("nft list ruleset"), before);
	}
}
END_TEST

START_TEST(a_chain_name_of_28_bytes_is_taken)
{
	call_ok(on(_i, "ADD", "ctr1",
		   NET("net1", ",'IPTABLESADMINCHAINNAME':'a234567890123456789012345678'" PREV_1)));
	ck_assert(has(_i, "-j a234567890123456789012345678"));
}
END_TEST

START_TEST(the_previous_result_comes_out_in_the_configurations_version)
{
	static const char *const versions[] = { "0.4.0", "1.0.0", "1.1.0" };

	for (size_t i = 0; i < 3; i++) {
		const char *text = replaced(net1, "1.1.0", "VERSION");
		struct reply r;

		r = call_ok(on(KIND_NFT, "ADD", "ctr1", replaced(text, "VERSION", versions[i])));
		ck_assert_str_eq(json_string_value(json_object_get(r.json, "cniVersion")),
				 versions[i]);
		ck_assert_uint_eq(json_array_size(json_object_get(r.json, "ips")), 2);
		ck_assert_uint_eq(json_array_size(json_object_get(r.json, "interfaces")), 2);
	}
	call_fails(on(KIND_NFT, "ADD", "ctr1", replaced(net1, "1.1.0", "0.3.1")), 1,
		   "incompatible CNI versions");
}
END_TEST

/* nerdctl reads this line, and wants 1.7.1 at least. */
START_TEST(without_a_command_the_version_is_told_on_stderr)
{
	struct reply r = call((struct call){ .plugin = "firewall" });

	ck_assert_int_eq(r.status, 0);
	ck_assert_msg(strncmp(r.err, "CNI firewall plugin v1.9.1", 26) == 0, "%s", r.err);
}
END_TEST

/* ---- no helpers ---- */

/* Hides what would be found in /usr/sbin and /sbin, too. */
START_TEST(a_host_without_iptables_gets_the_rules_of_iptables_nft)
{
	const char *wanted;
	struct call c =
		on(KIND_NFT, "ADD", "ctr1", NET("net1", ",'ingressPolicy':'isolated'" PREV_1));

	call_ok(c);
	wanted = filter_rules(KIND_NFT);
	sh("nft flush ruleset");
	c.wrapper = "unshare -m sh -c 'mount -t tmpfs none /usr/sbin; PATH=/nonexistent exec $0'";
	call_ok(c);
	assert_same(wanted, filter_rules(KIND_NFT));
	c.command = "CHECK";
	call_ok(c);
	c.command = "DEL";
	call_ok(c);
	assert_no_trace_of(KIND_NFT, "10.1.0.2");
}
END_TEST

START_TEST(no_program_is_run)
{
	static const char *const verbs[] = { "ADD", "CHECK", "DEL", "GC", "STATUS" };
	const char *net = NET("net1", ",'ingressPolicy':'isolated'" VALID("") PREV_1);

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		struct call c = on(_i, verbs[i], "ctr1", net);

		c.wrapper = fmt("%s ASAN_OPTIONS=detect_leaks=0 /usr/bin/strace -f -o /run/trace "
				"-e trace=execve,execveat",
				on_kind(_i));
		call_ok(c);
		ck_assert_str_eq(sh("grep -c 'execve(' /run/trace"), "1");
	}
}
END_TEST

static int answers_read(struct call c)
{
	c.wrapper = fmt("%s ASAN_OPTIONS=detect_leaks=0 /usr/bin/strace -f -o /run/trace -e "
			"trace=recvmsg",
			on_kind(KIND_NFT));
	call_ok(c);
	return atoi(sh("grep -c 'recvmsg(' /run/trace"));
}

START_TEST(add_reads_no_rules_of_other_containers)
{
	int few, many;

	call_ok(on(KIND_NFT, "ADD", "ctr1", net1));
	few = answers_read(on(KIND_NFT, "ADD", "ctr2", NET("net1", PREV_2)));
	sh("{ echo '*filter'; for i in $(seq 4) ; do for j in $(seq 250); do "
	   "echo \"-A CNI-FORWARD -s 10.9.$i.$j -j ACCEPT\"; "
	   "echo \"-A CNI-FORWARD-DNAT -d 10.9.$i.$j -m comment --comment x -j ACCEPT\"; "
	   "echo \"-A FORWARD -d 10.9.$i.$j\"; done; done; echo COMMIT; } | "
	   "iptables-nft-restore --noflush");
	many = answers_read(on(KIND_NFT, "ADD", "ctr3", NET("net1", PREV("10.1.0.4", "fd01::4"))));
	ck_assert_int_eq(few, many);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("firewall");
	TCase *tc = tcase_create("verbs");

	tcase_add_checked_fixture(tc, setup, world_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, del_needs_no_prev_result, 0, KINDS);
	tcase_add_test(tc, del_needs_no_valid_configuration);
	tcase_add_loop_test(tc, del_removes_what_was_made_by_the_other_kind_of_iptables, 0, KINDS);
	tcase_add_loop_test(tc, a_late_del_leaves_the_rules_of_the_addresses_new_owner, 0, KINDS);
	tcase_add_loop_test(tc, del_removes_what_earlier_owners_of_the_address_left, 0, KINDS);
	tcase_add_loop_test(tc, gc_keeps_the_address_of_a_valid_attachment, 0, KINDS);
	tcase_add_test(tc, two_interfaces_of_a_container_do_not_disturb_each_other);
	tcase_add_loop_test(tc, del_succeeds_after_a_flush_and_add_brings_all_back, 0, KINDS);
	tcase_add_loop_test(tc, names_of_any_length_and_form_are_told_apart, 0, KINDS);
	tcase_add_loop_test(tc, gc_removes_what_no_valid_attachment_of_the_network_owns, 0, KINDS);
	tcase_add_test(tc, gc_removes_any_number_of_rules);
	tcase_add_loop_test(tc, gc_removes_the_isolation_of_bridges_that_are_gone, 0, KINDS);
	tcase_add_loop_test(tc, isolation_stays_in_front, 0, KINDS);
	tcase_add_loop_test(tc, check_says_what_is_missing_and_changes_nothing, 0, KINDS);
	tcase_add_loop_test(tc, status_says_whether_the_backend_can_be_used, 0, KINDS);
	tcase_add_test(tc, status_is_50_where_the_kernel_has_no_nf_tables);
	tcase_add_test(tc, what_is_wrong_is_refused_before_any_change);
	tcase_add_loop_test(tc, a_chain_name_of_28_bytes_is_taken, 0, KINDS);
	tcase_add_test(tc, the_previous_result_comes_out_in_the_configurations_version);
	tcase_add_test(tc, without_a_command_the_version_is_told_on_stderr);
	tcase_add_test(tc, a_host_without_iptables_gets_the_rules_of_iptables_nft);
	tcase_add_loop_test(tc, no_program_is_run, 0, KINDS);
	tcase_add_test(tc, add_reads_no_rules_of_other_containers);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
