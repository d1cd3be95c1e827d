/*
 * portmap without packets: what it refuses before it changes anything, what CHECK finds, what GC and DEL
 * leave, an ADD that comes again, and that it runs no program and lists nothing.
 */
#include "portmap_world.h"

#include <stdlib.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define TRACE "/run/trace"

static void setup(void)
{
	world_setup();
	no_link_local();
	sh("ip link add br0 type bridge && ip addr add " GW4 "/24 dev br0 && ip -6 addr add " GW6
	   "/64 dev br0 nodad && ip link set br0 up");
}

/* ---- what is refused ---- */

#define MAPS(list) ",\"runtimeConfig\":{\"portMappings\":" list "}"
#define PREV ",\"prevResult\":{\"cniVersion\":\"1.1.0\",\"ips\":[{\"address\":\"10.88.0.2/24\"}]}"
#define ONE MAPS("[" PORT(8080, 80, "tcp") "]")

static const struct {
	const char *keys;
	int code;
	const char *msg; /* without "failed to parse config: ", which CHECK leaves out */
} refused[] = {
	{ ONE ",\"backend\":5" PREV, 7,
	  "failed to parse network configuration: backend: expected" },
	{ ONE ",\"backend\":\"foo\"" PREV, 7, "unrecognized backend \"foo\"" },
	{ ONE ",\"backend\":\"\"" PREV, 7, "unrecognized backend \"\"" },
	{ ONE ",\"backend\":\"Iptables\"" PREV, 7, "unrecognized backend" },
	{ ONE ",\"snat\":\"yes\"" PREV, 7, "snat: expected true or false" },
	{ ONE ",\"markMasqBit\":32" PREV, 7, "MasqMarkBit must be between 0 and 31" },
	{ ONE ",\"markMasqBit\":-1" PREV, 7, "MasqMarkBit must be between 0 and 31" },
	{ ONE ",\"markMasqBit\":-2" PREV, 7, "MasqMarkBit must be between 0 and 31" },
	{ ONE ",\"markMasqBit\":3,\"externalSetMarkChain\":\"X\"" PREV, 7,
	  "Cannot specify externalSetMarkChain and markMasqBit" },
	{ ONE ",\"externalSetMarkChain\":\"\"" PREV, 7, "externalSetMarkChain" },
	{ ONE ",\"backend\":\"nftables\",\"externalSetMarkChain\":\"X\"" PREV, 7,
	  "nftables backend was requested but configuration contains iptables-specific options "
	  "[externalSetMarkChain]" },
	{ ONE ",\"backend\":\"nftables\",\"conditionsV4\":[\"-s\",\"1.2.3.4\"],\"conditionsV6\":["
	      "\"!\"]" PREV,
	  7, "contains iptables-specific options [conditionsV4 conditionsV6]" },
	{ ONE ",\"backend\":\"iptables\",\"conditionsV6\":[\"ip6\",\"saddr\",\"::1\"]" PREV, 7,
	  "iptables backend was requested but configuration contains nftables-specific options "
	  "[conditionsV6]" },
	{ ONE ",\"backend\":\"foo\",\"conditionsV4\":[\"-s\",\"1.2.3.4\"]" PREV, 7,
	  "foo backend was requested but configuration contains iptables-specific options" },
	{ ONE ",\"backend\":\"nftables\",\"conditionsV4\":[\"tcp\",\"flags\",\"syn\"]" PREV, 2,
	  "unsupported field conditionsV4: condition \"tcp\"" },
	{ ONE ",\"backend\":\"iptables\",\"conditionsV4\":[\"-m\",\"owner\"]" PREV, 2,
	  "unsupported field conditionsV4: condition \"-m\"" },
	{ ONE
	  ",\"backend\":\"iptables\",\"conditionsV4\":[\"-s\",\"1.2.3.4\",\"-s\",\"1.2.3.5\"]" PREV,
	  2, "unsupported field conditionsV4" },
	{ ONE ",\"backend\":\"iptables\",\"conditionsV4\":[\"-s\",\"fd00::1\"]" PREV, 7,
	  "conditionsV4: \"fd00::1\" is no IPv4 address or prefix" },
	{ ONE ",\"backend\":\"iptables\",\"conditionsV4\":[\"-i\",\"../../x\"]" PREV, 7,
	  "conditionsV4: \"../../x\" is no interface's name" },
	{ ONE ",\"backend\":\"iptables\",\"conditionsV4\":[\"-i\"]" PREV, 7,
	  "is no interface's name" },
	{ ONE ",\"conditionsV4\":[5]" PREV, 7, "conditionsV4: expected a list of strings" },
	{ MAPS("{}") PREV, 7, "runtimeConfig.portMappings: expected a list" },
	{ MAPS("[5]") PREV, 7, "portMappings[0]: expected an object" },
	{ MAPS("[{}]") PREV, 7, "Invalid container port number: 0" },
	{ MAPS("[{\"containerPort\":80,\"protocol\":\"tcp\"}]") PREV, 7,
	  "Invalid host port number: 0" },
	{ MAPS("[" PORT(70000, 80, "tcp") "]") PREV, 7, "Invalid host port number: 70000" },
	{ MAPS("[" PORT(80, 65536, "tcp") "]") PREV, 7, "Invalid container port number: 65536" },
	{ MAPS("[" PORT(80, -1, "tcp") "]") PREV, 7, "Invalid container port number: -1" },
	{ MAPS("[" PORT(80, 80, "icmp") "]") PREV, 7, "unknown protocol \"icmp\" specified" },
	{ MAPS("[{\"hostPort\":80,\"containerPort\":80}]") PREV, 7,
	  "unknown protocol \"\" specified" },
	{ MAPS("[{\"hostPort\":\"80\",\"containerPort\":80}]") PREV, 7,
	  "portMappings.hostPort: expected an integer" },
	{ MAPS("[" PORT_AT(80, 80, "tcp", "1.2.3") "]") PREV, 7,
	  "Invalid host IP address: \"1.2.3\"" },
	{ MAPS("[" PORT_AT(80, 80, "tcp", "$(id)") "]") PREV, 7,
	  "Invalid host IP address: \"$(id)\"" },
	{ ONE ",\"prevResult\":{\"ips\":[{\"address\":\"10.88.0.2\"}]}", 7,
	  "could not parse prevResult: invalid CIDR address: 10.88.0.2" },
	{ ONE ",\"prevResult\":{\"cniVersion\":\"0.4.0\"}", 7,
	  "could not parse prevResult: result type" },
	{ ONE ",\"allowPortConflicts\":1" PREV, 7, "allowPortConflicts: expected true or false" },
};

START_TEST(what_is_wrong_is_refused_before_any_change)
{
	const char *before = rules_now();

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		const char *config = fmt("{\"cniVersion\":\"1.1.0\",\"name\":\"net1\",\"type\":"
					 "\"portmap\"%s}",
					 refused[i].keys);
		struct reply r =
			call_fails(on_container(1, "ADD", config), refused[i].code, refused[i].msg);

		ck_assert_msg(strncmp(r.msg, "failed to parse config: ", 24) == 0, "%s", r.msg);
		r = call_fails(on_container(1, "CHECK", config), refused[i].code, refused[i].msg);
		ck_assert_ptr_null(strstr(r.msg, "failed to parse config"));
		/* DEL always gets there. */
		call_ok(on_container(1, "DEL", config));
	}
	assert_same(before, rules_now());
}
END_TEST

START_TEST(a_previous_result_is_needed)
{
	const char *config = portmap_conf("", "");

	call_fails(on_container(1, "ADD", config), 7, "must be called as chained plugin");
	call_fails(on_container(1, "CHECK", config), 7, "Required prevResult missing");
	call_ok(on_container(1, "DEL", config));
	call_ok(on_container(1, "DEL", portmap_conf("", PORT(8080, 80, "tcp"))));
}
END_TEST

/* Which of the result's addresses is the container's (reference 2.4). */
static const struct {
	const char *interface; /* of address 10.88.0.2 */
	bool mapped;
} selections[] = {
	{ ",\"interface\":1", true },  { ",\"interface\":0", false },
	{ ",\"interface\":2", false }, { ",\"interface\":3", false },
	{ ",\"interface\":9", true },  { ",\"interface\":-1", true },
	{ ",\"interface\":-5", true }, { "", true },
};

START_TEST(the_address_of_the_interface_is_mapped)
{
	for (size_t i = 0; i < ARRAY_SIZE(selections); i++) {
		const char *prev =
			fmt("{\"cniVersion\":\"1.1.0\",\"interfaces\":[{\"name\":\"br0\"},"
			    "{\"name\":\"eth0\",\"sandbox\":\"/x\"},{\"name\":\"eth0\"},"
			    "{\"name\":\"eth1\",\"sandbox\":\"/x\"}],\"ips\":[{\"address\":"
			    "\"10.88.0.2/24\"%s}]}",
			    selections[i].interface);
		const char *config = with_prev(portmap_conf("", PORT(8080, 80, "tcp")), prev);

		call_ok(on_container(1, "ADD", config));
		ck_assert_int_eq(sh_status("nft list ruleset | grep -q 'dnat to 10.88.0.2:80'"),
				 selections[i].mapped ? 0 : 1);
		call_ok(on_container(1, "DEL", config));
	}
}
END_TEST

/* What containerd and nerdctl send. */
START_TEST(keys_match_whatever_their_case_and_a_protocol_too)
{
	const char *ports =
		"{\"HostPort\":8080,\"ContainerPort\":80,\"Protocol\":\"TCP\",\"HostIP\":"
		"\"0.0.0.0\"}";

	call_ok(on_container(1, "ADD", portmap_alone(1, "", ports)));
	ck_assert_str_eq(sh("nft list ruleset | grep -c 'tcp dport 8080 dnat to'"), "1");
}
END_TEST

/* ---- DEL, and ADD again ---- */

static const char *own_rules(void)
{
	return sh("{ nft list ruleset; for t in iptables ip6tables; do /usr/sbin/$t-legacy-save; "
		  "done; } "
		  "2>/dev/null | grep -E 'ctr1|CNI-[DS]N-|10\\.88\\.0\\.2[^0-9]' || true");
}

#define SOME PORT(8080, 80, "tcp") "," PORT(8081, 81, "udp") "," PORT_AT(8082, 82, "tcp", HOST4)

/* What the runtime may have forgotten, and what may be gone. */
static const struct {
	const char *what, *command, *config;
} decays[] = {
	{ "as it was", "", NULL },
	{ "no list of ports", "",
	  "{\"cniVersion\":\"1.1.0\",\"name\":\"net1\",\"type\":\"portmap\"}" },
	{ "an older version, without prevResult", "",
	  "{\"cniVersion\":\"0.3.1\",\"name\":\"net1\",\"type\":\"portmap\"" ONE "}" },
	{ "a bad configuration", "",
	  "{\"cniVersion\":\"1.1.0\",\"name\":\"net1\",\"type\":\"portmap\",\"backend\":7,"
	  "\"runtimeConfig\":{\"portMappings\":[{}]}}" },
	{ "the other backend", "",
	  "{\"cniVersion\":\"1.1.0\",\"name\":\"net1\",\"type\":\"portmap\",\"backend\":"
	  "\"nftables\"" ONE "}" },
	{ "no iptables any more", "PATH", NULL },
	{ "no rules any more", "nft flush ruleset", NULL },
	{ "the bridge gone", "ip link del br0", NULL },
	{ "no owners any more", "nft delete table inet cni_hostport_owners", NULL },
	{ "the entries gone",
	  "for t in iptables ip6tables; do $t -t nat -F CNI-HOSTPORT-DNAT; done 2>/dev/null; "
	  "for f in ip ip6; do nft flush chain $f cni_hostport hostports; done 2>/dev/null; true",
	  NULL },
};

START_TEST(del_removes_whatever_is_left)
{
	int n = (int)ARRAY_SIZE(decays), d = _i % n;
	const char *config;

	use_backend(_i / n);
	config = portmap_alone(1, "", SOME);
	call_ok(on_container(1, "ADD", config));
	ck_assert_str_ne(own_rules(), "");
	if (strcmp(decays[d].command, "PATH") == 0)
		setenv("PATH", "/nonexistent", 1);
	else if (*decays[d].command)
		sh("%s", decays[d].command);
	for (int i = 0; i < 2; i++) {
		struct call c =
			on_container(1, "DEL", decays[d].config ? decays[d].config : config);

		c.netns = i ? "" : "/run/netns/gone";
		call_ok(c);
		setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
		ck_assert_msg(!*own_rules(), "%s: %s", decays[d].what, own_rules());
	}
}
END_TEST

START_TEST(del_of_the_unknown_changes_nothing)
{
	const char *before;

	use_backend(_i);
	before = rules_now();
	call_ok(on_container(1, "DEL", portmap_alone(1, "", SOME)));
	assert_same(before, rules_now());
	call_ok(on_container(2, "ADD", portmap_alone(2, "", SOME)));
	before = rules_now();
	call_ok(on_container(1, "DEL", portmap_alone(1, "", SOME)));
	assert_same(before, rules_now());
}
END_TEST

START_TEST(add_again_replaces_what_it_made_before)
{
	const char *once;

	use_backend(_i);
	call_ok(on_container(1, "ADD", portmap_alone(1, "", SOME)));
	once = rules_now();
	call_ok(on_container(1, "ADD", portmap_alone(1, "", SOME)));
	ck_assert_str_eq(sh("echo '%s' | sort", once), sh("echo '%s' | sort", rules_now()));
	/* With another address: nothing leads to the old one. */
	call_ok(on_container(1, "ADD",
			     with_prev(portmap_conf("", PORT(8080, 80, "tcp")),
				       "{\"cniVersion\":\"1.1.0\",\"ips\":[{\"address\":"
				       "\"10.88.0.77/24\"}]}")));
	ck_assert_str_eq(sh("{ nft list ruleset; iptables-save; } 2>/dev/null | grep -c "
			    "'10\\.88\\.0\\.2:' || true"),
			 "0");
	call_ok(on_container(1, "DEL", portmap_conf("", PORT(8080, 80, "tcp"))));
	ck_assert_str_eq(sh("{ nft list ruleset; iptables-save; } 2>/dev/null | grep -c "
			    "'10\\.88\\.0\\.77' || true"),
			 "0");
}
END_TEST

/* Not one port in common, so that no element is in the way of another. */
START_TEST(add_again_with_other_ports_leaves_none_of_the_old_ones)
{
	const char *other, *fresh, *gone;

	use_backend(_i);
	other = portmap_alone(1, "", PORT(9001, 80, "tcp") "," PORT(9002, 53, "udp"));
	call_ok(on_container(1, "ADD", other));
	fresh = rules_now();
	call_ok(on_container(1, "DEL", other));
	gone = rules_now();
	call_ok(on_container(1, "ADD", portmap_alone(1, "", SOME)));
	call_ok(on_container(1, "ADD", other));
	assert_same(fresh, rules_now());
	call_ok(on_container(1, "DEL", other));
	assert_same(gone, rules_now());
}
END_TEST

START_TEST(add_again_without_a_family_leaves_none_of_its_rules)
{
	use_backend(_i);
	call_ok(on_container(1, "ADD", portmap_alone(1, "", PORT(8080, 80, "tcp"))));
	call_ok(on_container(1, "ADD",
			     with_prev(portmap_conf("", PORT(8080, 80, "tcp")),
				       "{\"cniVersion\":\"1.1.0\",\"ips\":[{\"address\":"
				       "\"10.88.0.2/24\"}]}")));
	ck_assert_str_eq(sh("{ nft list table ip6 cni_hostport | grep ctr1; ip6tables-save | "
			    "grep 'fd00:88::2\\|ctr1'; } 2>/dev/null || true"),
			 "");
}
END_TEST

START_TEST(add_of_a_second_interface_leaves_the_ports_of_the_first)
{
	struct call second = on_container(1, "ADD", NULL);

	use_backend(_i);
	second.config = portmap_alone(1, "", PORT(9001, 80, "tcp"));
	second.ifname = "eth1";
	call_ok(on_container(1, "ADD", portmap_alone(1, "", PORT(8080, 80, "tcp"))));
	call_ok(second);
	call_ok(on_container(1, "CHECK", portmap_alone(1, "", PORT(8080, 80, "tcp"))));
}
END_TEST

START_TEST(an_add_that_fails_leaves_nothing)
{
	const char *before;

	use_backend(_i);
	call_ok(on_container(2, "ADD", portmap_alone(2, "", PORT(9999, 80, "tcp"))));
	before = rules_now();
	/* The kernel cannot be told about the interface: the last step that can fail. */
	sh("mount -t tmpfs -o ro tmpfs /proc/sys/net");
	call_fails(on_container(1, "ADD", portmap_alone(1, "", SOME)), 999,
		   "unable to enable route_localnet of br0");
	sh("umount /proc/sys/net");
	assert_same(before, rules_now());
	call_ok(on_container(1, "ADD", portmap_alone(1, "", SOME)));
}
END_TEST

/* ---- CHECK ---- */

static const struct {
	const char *nft, *iptables; /* the damage */
} damages[] = {
	{ "nft flush chain ip cni_hostport hostports", "iptables -t nat -F CNI-HOSTPORT-DNAT" },
	{ "nft flush chain ip6 cni_hostport hostports", "ip6tables -t nat -F CNI-HOSTPORT-DNAT" },
	{ "nft flush chain ip cni_hostport masquerading", "iptables -t nat -F POSTROUTING" },
	{ "nft flush chain ip cni_hostport hostports_all", "iptables -t nat -F CNI-HOSTPORT-MASQ" },
	{ "nft flush chain ip6 cni_hostport prerouting_last", "ip6tables -t nat -F PREROUTING" },
	{ "nft flush chain ip cni_hostport output_last", "iptables -t nat -F OUTPUT" },
	{ "nft flush chain ip cni_hostport localhost", "iptables -t nat -F CNI-HOSTPORT-SETMARK" },
	{ "h=$(nft -a list chain ip cni_hostport hostports | sed -n 's/.*dport 8081.*handle //p'); "
	  "nft delete rule ip cni_hostport hostports handle $h",
	  "c=$(iptables -t nat -S | sed -n 's/^-N \\(CNI-DN-.*\\)/\\1/p'); "
	  "iptables -t nat -D $c -p udp --dport 8081 -j DNAT --to-destination 10.88.0.2:81" },
	{ "nft flush ruleset",
	  "nft flush ruleset; for t in iptables ip6tables; do "
	  "/usr/sbin/$t-legacy -t nat -F; /usr/sbin/$t-legacy -t nat -X; done" },
};

START_TEST(check_finds_damage)
{
	const char *config, *before;
	int n = (int)ARRAY_SIZE(damages);
	struct reply r;

	use_backend(_i / n);
	config = portmap_alone(1, "", SOME);
	call_ok(on_container(1, "ADD", config));
	call_ok(on_container(1, "CHECK", config));
	sh("%s", *backend->name == 'n' ? damages[_i % n].nft : damages[_i % n].iptables);
	before = rules_now();
	r = call_fails(on_container(1, "CHECK", config), 999, "");
	ck_assert_msg(*r.details || strstr(r.msg, "not found") || strstr(r.msg, "missing"), "%s",
		      r.msg);
	assert_same(before, rules_now());
	/* ADD again mends it. */
	call_ok(on_container(1, "DEL", config));
	call_ok(on_container(1, "ADD", config));
	call_ok(on_container(1, "CHECK", config));
}
END_TEST

START_TEST(check_compares_ports_and_addresses)
{
	static const char *const others[] = { PORT(8083, 80, "tcp"), PORT(8080, 81, "tcp"),
					      PORT(8080, 80, "udp"),
					      PORT_AT(8080, 80, "tcp", HOST4),
					      PORT_AT(8082, 82, "tcp", "0.0.0.0") };

	use_backend(_i);
	call_ok(on_container(1, "ADD", portmap_alone(1, "", SOME)));
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		call_fails(on_container(1, "CHECK", portmap_alone(1, "", others[i])), 999, "");
	call_fails(on_container(1, "CHECK", portmap_alone(5, "", SOME)), 999, "");
	call_ok(on_container(1, "CHECK", portmap_alone(1, "", SOME)));
	call_ok(on_container(1, "CHECK", portmap_alone(1, "", "")));
}
END_TEST

/* ---- GC, STATUS ---- */

static void gc(const char *keys)
{
	call_ok((struct call){ .command = "GC",
			       .id = "",
			       .ifname = "",
			       .config = fmt("{\"cniVersion\":\"1.1.0\",\"name\":\"net1\",\"type\":"
					     "\"portmap\"%s}",
					     keys) });
}

/* Containers that rules lead to, by the ports they have: ctr<n> has 8000 + n. */
static const char *mapped(void)
{
	return sh("{ nft list ruleset; iptables-save; } 2>/dev/null | grep -oE 'dport[s]? "
		  "800[0-9]' | "
		  "grep -o '.$' | sort -u | xargs");
}

static const char *owned(void)
{
	return sh(
		"nft list set inet cni_hostport_owners any4 | grep -o '800[0-9]' | grep -o '.$' | "
		"sort -u | xargs");
}

START_TEST(gc_removes_what_no_valid_attachment_of_this_network_owns)
{
	static const char two[] =
		",\"cni.dev/valid-attachments\":[{\"containerID\":\"ctr2\",\"ifname\":"
		"\"eth0\"},{\"containerID\":\"ctr9\",\"ifname\":\"eth0\"}]";
	const char *other;

	use_backend(_i);
	call_ok(on_container(1, "ADD", portmap_alone(1, "", PORT(8001, 80, "tcp"))));
	call_ok(on_container(2, "ADD", portmap_alone(2, "", PORT(8002, 80, "tcp"))));
	other = of_network(portmap_alone(3, "", PORT(8003, 80, "tcp")), "net10");
	call_ok(on_container(3, "ADD", other));
	gc("");
	ck_assert_str_eq(mapped(), "1 2 3");
	gc(two);
	ck_assert_str_eq(mapped(), "2 3");
	ck_assert_str_eq(owned(), "2 3");
	call_ok(on_container(2, "CHECK", portmap_alone(2, "", PORT(8002, 80, "tcp"))));
	gc(",\"cni.dev/valid-attachments\":[]");
	ck_assert_str_eq(mapped(), "3");
	ck_assert_str_eq(owned(), "3");
}
END_TEST

START_TEST(status_says_whether_add_could_work)
{
	struct call status = { .command = "STATUS", .id = "", .ifname = "" };
	const char *before;

	use_backend(_i);
	before = rules_now();
	status.config = portmap_conf("", "");
	call_ok(status);
	assert_same(before, rules_now());
	if (*backend->name != 'i')
		return;
	status.config = portmap_conf(",\"markMasqBit\":99", "");
	call_fails(status, 7, "MasqMarkBit");
}
END_TEST

START_TEST(status_is_50_where_the_kernel_has_no_nf_tables)
{
	struct call status = { .command = "STATUS", .id = "", .ifname = "" };

	use_backend(_i);
	status.config = portmap_conf("", "");
	status.wrapper = "env ASAN_OPTIONS=detect_leaks=0 strace -o /dev/null -e "
			 "inject=socket:error=EPROTONOSUPPORT";
	call_fails(status, 50, "cannot be used");
}
END_TEST

/* ---- what it takes ---- */

static const char *traced(const char *command, const char *config, int n)
{
	struct call c = on_container(n, command, config);

	c.wrapper = "env ASAN_OPTIONS=detect_leaks=0 strace -f -X raw -v -s 65536 -o " TRACE
		    " -e trace=execve,execveat,sendmsg,sendto";
	call_ok(c);
	return sh("grep -c ' execve\\|^execve' " TRACE);
}

START_TEST(nothing_is_executed_whatever_the_path)
{
	const char *config;

	use_backend(_i);
	config = portmap_alone(1, "", SOME);
	ck_assert_str_eq(traced("ADD", config, 1), "1");
	ck_assert_str_eq(traced("CHECK", config, 1), "1");
	ck_assert_str_eq(traced("DEL", config, 1), "1");
}
END_TEST

START_TEST(a_host_without_any_tool_takes_nftables)
{
	const char *config =
		sh("echo '%s' | sed 's/\"backend\":\"nftables\",//'", portmap_alone(1, "", SOME));

	ck_assert_ptr_null(strstr(config, "backend"));
	/* iptables is also looked for where it usually is. */
	sh("mkdir /run/empty && mount --bind /run/empty /usr/sbin");
	setenv("PATH", "/nonexistent", 1);
	call_ok(on_container(1, "ADD", config));
	call_ok(on_container(1, "CHECK", config));
	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	sh("umount /usr/sbin");
	ck_assert_str_eq(sh("nft list chain ip cni_hostport hostports | grep -c ctr1"), "3");
	/* Meanwhile somebody has installed iptables: DEL finds them nevertheless. */
	call_ok(on_container(1, "DEL", config));
	ck_assert_str_eq(own_rules(), "");
}
END_TEST

/* Messages that a call sends, and how many of them ask for a list. */
static void count(const char *command, int n, int *messages, int *dumps)
{
	*messages = *dumps = 0;
	(void)traced(command,
		     portmap_alone(n, "",
				   fmt("{\"hostPort\":%d,\"containerPort\":80,"
				       "\"protocol\":\"tcp\"}",
				       8000 + n)),
		     n);
	*messages = atoi(sh("grep -o 'nlmsg_flags=' " TRACE " | wc -l"));
	*dumps = atoi(sh("grep -oE 'nlmsg_flags=0x[0-9a-f]*3[0-9a-f][0-9a-f],' " TRACE " | wc -l"));
}

START_TEST(add_asks_for_no_list_and_sends_as_much_when_there_are_many)
{
	int few, many, dumps;

	use_backend(_i);
	call_ok(on_container(1, "ADD", portmap_alone(1, "", PORT(8001, 80, "tcp"))));
	count("ADD", 2, &few, &dumps);
	for (int n = 3; n < 23; n++)
		call_ok(on_container(n, "ADD",
				     portmap_alone(n, "",
						   fmt("{\"hostPort\":%d,\"containerPort\":80,"
						       "\"protocol\":\"tcp\"}",
						       8000 + n))));
	count("ADD", 23, &many, &dumps);
	ck_assert_int_eq(few, many);
	if (*backend->name == 'n')
		ck_assert_int_eq(dumps, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("portmap, its state");
	TCase *tc = tcase_create("state");

	tcase_add_checked_fixture(tc, setup, world_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, what_is_wrong_is_refused_before_any_change);
	tcase_add_test(tc, a_previous_result_is_needed);
	tcase_add_test(tc, the_address_of_the_interface_is_mapped);
	tcase_add_test(tc, keys_match_whatever_their_case_and_a_protocol_too);
	tcase_add_loop_test(tc, del_removes_whatever_is_left, 0,
			    BACKENDS * (int)ARRAY_SIZE(decays));
	tcase_add_loop_test(tc, del_of_the_unknown_changes_nothing, 0, BACKENDS);
	tcase_add_loop_test(tc, add_again_replaces_what_it_made_before, 0, BACKENDS);
	tcase_add_loop_test(tc, add_again_with_other_ports_leaves_none_of_the_old_ones, 0,
			    BACKENDS);
	tcase_add_loop_test(tc, add_again_without_a_family_leaves_none_of_its_rules, 0, BACKENDS);
	tcase_add_loop_test(tc, add_of_a_second_interface_leaves_the_ports_of_the_first, 0,
			    BACKENDS);
	tcase_add_loop_test(tc, an_add_that_fails_leaves_nothing, 0, BACKENDS);
	tcase_add_loop_test(tc, check_finds_damage, 0, BACKENDS * (int)ARRAY_SIZE(damages));
	tcase_add_loop_test(tc, check_compares_ports_and_addresses, 0, BACKENDS);
	tcase_add_loop_test(tc, gc_removes_what_no_valid_attachment_of_this_network_owns, 0,
			    BACKENDS);
	tcase_add_loop_test(tc, status_says_whether_add_could_work, 0, BACKENDS);
	tcase_add_loop_test(tc, status_is_50_where_the_kernel_has_no_nf_tables, 0, 2);
	tcase_add_loop_test(tc, nothing_is_executed_whatever_the_path, 0, BACKENDS);
	tcase_add_test(tc, a_host_without_any_tool_takes_nftables);
	tcase_add_loop_test(tc, add_asks_for_no_list_and_sends_as_much_when_there_are_many, 0,
			    BACKENDS);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
