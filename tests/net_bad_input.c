/*
 * Configurations and arguments that must be refused, in one table: each names its code and says what
 * is wrong, and leaves host, containers and lease store exactly as they were. The world has a live
 * attachment of another container, which must not be touched either.
 */
#include "same_world.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define LAST "/var/lib/cni/networks/net1/last_reserved_ip.0"
#define HEAD "{\"cniVersion\":\"1.1.0\",\"name\":\"net1\","
#define LOCAL "\"type\":\"host-local\",\"subnet\":\"10.1.0.0/24\""
/* A bridge network with further keys; one with other IPAM keys; host-local called by itself. */
#define BRIDGE(keys) HEAD "\"type\":\"bridge\",\"bridge\":\"br0\",\"ipam\":{" LOCAL "}," keys "}"
#define NAMED(keys) HEAD "\"type\":\"bridge\",\"ipam\":{" LOCAL "}," keys "}"
#define IPAM(keys) \
	HEAD "\"type\":\"bridge\",\"bridge\":\"br0\",\"ipam\":{\"type\":\"host-local\"," keys "}}"
#define STORE(keys) HEAD "\"type\":\"host-local\",\"ipam\":{" LOCAL "," keys "}}"
#define RANGES(list) IPAM("\"ranges\":" list)
#define RAW(keys) HEAD "\"type\":\"bridge\",\"bridge\":\"br0\"," keys "}"

struct bad_input {
	const char *config;
	const char *args; /* CNI_ARGS; NULL = not set */
	const char *command; /* NULL = ADD */
	int code;
	const char *msg; /* part of the message */
};

static const struct bad_input types[] = {
	/* The keys of bridge. */
	{ NAMED("\"bridge\":5"), NULL, NULL, 7, "bridge: expected a string, got 5" },
	{ NAMED("\"bridge\":[\"br0\"]"), NULL, NULL, 7, "bridge: expected a string" },
	{ BRIDGE("\"isGateway\":\"true\""), NULL, NULL, 7, "isGateway: expected true or false" },
	{ BRIDGE("\"isGateway\":1"), NULL, NULL, 7, "isGateway: expected true or false, got 1" },
	{ BRIDGE("\"isDefaultGateway\":\"yes\""), NULL, NULL, 7, "isDefaultGateway: expected" },
	{ BRIDGE("\"forceAddress\":0"), NULL, NULL, 7, "forceAddress: expected true or false" },
	{ BRIDGE("\"ipMasq\":{}"), NULL, NULL, 7, "ipMasq: expected true or false, got {}" },
	{ BRIDGE("\"ipMasqBackend\":1"), NULL, NULL, 7, "ipMasqBackend: expected a string" },
	{ BRIDGE("\"mtu\":\"1500\""), NULL, NULL, 7, "failed to load netconf: mtu: expected an" },
	{ BRIDGE("\"mtu\":1500.0"), NULL, NULL, 7, "mtu: expected an integer" },
	{ BRIDGE("\"mtu\":1e3"), NULL, NULL, 7, "mtu: expected an integer" },
	{ BRIDGE("\"mtu\":true"), NULL, NULL, 7, "mtu: expected an integer or \"auto\", got true" },
	{ BRIDGE("\"hairpinMode\":\"\""), NULL, NULL, 7, "hairpinMode: expected true or false" },
	{ BRIDGE("\"promiscMode\":[]"), NULL, NULL, 7, "promiscMode: expected true or false" },
	{ BRIDGE("\"vlan\":\"5\""), NULL, NULL, 7, "vlan: expected an integer" },
	{ BRIDGE("\"vlanTrunk\":{}"), NULL, NULL, 7, "vlanTrunk: expected a list" },
	{ BRIDGE("\"macspoofchk\":1"), NULL, NULL, 7, "macspoofchk: expected true or false" },
	{ BRIDGE("\"enabledad\":1"), NULL, NULL, 7, "enabledad: expected true or false" },
	{ BRIDGE("\"disableContainerInterface\":1"), NULL, NULL, 7, "disableContainerInterface:" },
	{ BRIDGE("\"portIsolation\":1"), NULL, NULL, 7, "portIsolation: expected true or false" },
	/* Those that every plugin has. */
	{ RAW("\"ipam\":[]"), NULL, NULL, 7, "ipam: expected an object" },
	{ RAW("\"ipam\":\"host-local\""), NULL, NULL, 7, "ipam: expected an object" },
	{ RAW("\"ipam\":{\"type\":5}"), NULL, NULL, 7, "ipam.type: expected a string" },
	{ BRIDGE("\"dns\":[]"), NULL, NULL, 7, "dns: expected an object" },
	{ BRIDGE("\"dns\":{\"nameservers\":\"1.1.1.1\"}"), NULL, NULL, 7, "nameservers: expected" },
	{ BRIDGE("\"dns\":{\"nameservers\":[1]}"), NULL, NULL, 7, "expected a list of strings" },
	{ BRIDGE("\"dns\":{\"domain\":[]}"), NULL, NULL, 7, "domain: expected a string" },
	{ BRIDGE("\"dns\":{\"search\":[null]}"), NULL, NULL, 7, "search: expected a list of" },
	{ BRIDGE("\"dns\":{\"options\":{}}"), NULL, NULL, 7, "options: expected a list of" },
	{ BRIDGE("\"capabilities\":[]"), NULL, NULL, 7, "capabilities: expected an object" },
	{ BRIDGE("\"capabilities\":{\"ips\":\"yes\"}"), NULL, NULL, 7, "capabilities.ips: expe" },
	{ BRIDGE("\"args\":[]"), NULL, NULL, 7, "args: expected an object" },
	{ BRIDGE("\"runtimeConfig\":\"\""), NULL, NULL, 7, "runtimeConfig: expected an object" },
	{ BRIDGE("\"prevResult\":\"{}\""), NULL, NULL, 7, "prevResult: expected an object" },
	/* Those of host-local. */
	{ STORE("\"dataDir\":1"), NULL, NULL, 7, "ipam.dataDir: expected a string" },
	{ STORE("\"resolvConf\":true"), NULL, NULL, 7, "ipam.resolvConf: expected a string" },
	{ STORE("\"routes\":{}"), NULL, NULL, 7, "ipam.routes: expected a list" },
	{ STORE("\"ranges\":{}"), NULL, NULL, 7, "ipam.ranges: expected a list" },
	{ IPAM("\"subnet\":10"), NULL, NULL, 7, "ipam.subnet: expected a string" },
	{ STORE("\"rangeStart\":9"), NULL, NULL, 7, "rangeStart: expected a string" },
	{ STORE("\"rangeEnd\":[]"), NULL, NULL, 7, "rangeEnd: expected a string" },
	{ STORE("\"gateway\":false"), NULL, NULL, 7, "gateway: expected a string" },
	{ HEAD "\"type\":\"host-local\"}", NULL, NULL, 7, "IPAM config missing 'ipam' key" },
	{ HEAD "\"type\":\"host-local\",\"ipam\":null}", NULL, NULL, 7, "IPAM config missing" },
};

static const struct bad_input values[] = {
	{ NAMED("\"bridge\":\"\""), NULL, NULL, 7, "failed to create bridge \"\"" },
	{ NAMED("\"bridge\":\"sixteen_letters_\""), NULL, NULL, 7, "name is too long" },
	{ NAMED("\"bridge\":\"a/b\""), NULL, NULL, 7, "failed to create bridge \"a/b\"" },
	{ NAMED("\"bridge\":\"br%d\""), NULL, NULL, 7, "interface name contains %" },
	{ NAMED("\"bridge\":\"..\""), NULL, NULL, 7, "interface name is . or .." },
	{ NAMED("\"bridge\":\"other0\""), NULL, NULL, 7, "already exists but is not a bridge" },
	{ BRIDGE("\"mtu\":65536"), NULL, NULL, 7, "mtu: 65536 is more than 65535" },
	{ BRIDGE("\"mtu\":4294968796"), NULL, NULL, 7, "mtu: 4294968796 is more than" },
	{ BRIDGE("\"mtu\":99999999999999999999"), NULL, NULL, 7, "mtu: expected an integer" },
	{ BRIDGE("\"mtu\":40"), NULL, NULL, 7, "mtu: 40 is less than 68" },
	{ BRIDGE("\"mtu\":\"Auto\""), NULL, NULL, 7, "mtu: expected an integer or \"auto\"" },
	{ BRIDGE("\"acceptRA\":1"), NULL, NULL, 7, "acceptRA: expected true or false" },
	{ BRIDGE("\"vlan\":-1"), NULL, NULL, 7, "invalid VLAN ID -1 (must be between 0 and 4094)" },
	{ BRIDGE("\"vlan\":4095"), NULL, NULL, 7, "invalid VLAN ID 4095" },
	{ BRIDGE("\"vlanTrunk\":[{\"minID\":9,\"maxID\":4}]"), NULL, NULL, 7,
	  "minID is greater than maxID in trunk parameter" },
	{ BRIDGE("\"vlanTrunk\":[{\"id\":4095}]"), NULL, NULL, 7, "incorrect trunk id parameter" },
	{ NAMED("\"bridge\":\"br0123456789012\",\"vlan\":100,\"isGateway\":true"), NULL, NULL, 7,
	  "failed to create vlan gateway \"br0123456789012.100\"" },
	{ BRIDGE("\"disableContainerInterface\":true"), NULL, NULL, 7,
	  "cannot use IPAM when DisableContainerInterface flag is set" },
	{ BRIDGE("\"hairpinMode\":true,\"promiscMode\":true"), NULL, NULL, 7,
	  "cannot set hairpin mode and promiscuous mode at the same time" },
	{ BRIDGE("\"ipMasq\":true,\"ipMasqBackend\":\"foo\""), NULL, NULL, 7,
	  "unknown ipmasq backend \"foo\"" },
	/* Not done yet: refused, not passed over. */
	/* IPAM plugins that there are not. */
	{ RAW("\"ipam\":{\"type\":\"nope\"}"), NULL, NULL, 999, "failed to find plugin \"nope\"" },
	{ RAW("\"ipam\":{\"type\":\"../x\"}"), NULL, NULL, 7, "invalid plugin name: ../x" },
	{ RAW("\"ipam\":{\"type\":\"..\"}"), NULL, NULL, 7, "invalid plugin name: .." },
	/* The MAC, in its three places. */
	{ BRIDGE("\"runtimeConfig\":{\"mac\":\"zz\"}"), NULL, NULL, 7, "zz: invalid MAC address" },
	{ BRIDGE("\"runtimeConfig\":{\"mac\":5}"), NULL, NULL, 7, "mac: expected a string" },
	{ BRIDGE("\"args\":{\"cni\":{\"mac\":\"02:00:00:00:00\"}}"), NULL, NULL, 7, "invalid MAC" },
	{ BRIDGE("\"args\":{\"cni\":{\"mac\":\"03:00:00:00:00:01\"}}"), NULL, NULL, 7,
	  "multicast" },
	{ BRIDGE("\"mtu\":0"), "MAC=02:00:00:00:00:0g", NULL, 7, "invalid MAC address" },
	/* The JSON dialect. */
	{ BRIDGE("\"mtu\":1500,"), NULL, NULL, 6, "error unmarshall network config" },
	{ BRIDGE("\"x\":1 /* no */"), NULL, NULL, 6, "error unmarshall network config" },
	{ BRIDGE("\"x\":'y'"), NULL, NULL, 6, "error unmarshall network config" },
	{ BRIDGE("\"x\":\"a\nb\""), NULL, NULL, 6, "error unmarshall network config" },
	{ BRIDGE("\"x\":01"), NULL, NULL, 6, "error unmarshall network config" },
	{ BRIDGE("\"x\":NaN"), NULL, NULL, 6, "error unmarshall network config" },
	{ BRIDGE("\"MTU\":\"1500\""), NULL, NULL, 7, "mtu: expected an integer" },
	{ BRIDGE("\"mtu\":5,\"mtu\":\"x\""), NULL, NULL, 7, "mtu: expected an integer" },
	{ BRIDGE("\"ISGATEWAY\":7"), NULL, NULL, 7, "isGateway: expected true or false" },
	{ BRIDGE("\"mtu\":5") "{}", NULL, NULL, 6, "error unmarshall network config" },
};

static const struct bad_input ranges[] = {
	{ IPAM("\"ranges\":[]"), NULL, NULL, 7, "no IP ranges specified" },
	{ IPAM("\"subnet\":\"\""), NULL, NULL, 7, "invalid CIDR address: " },
	{ IPAM("\"subnet\":\"10.1.0.0\""), NULL, NULL, 7, "invalid CIDR address: 10.1.0.0" },
	{ IPAM("\"subnet\":\"10.1.0.0/33\""), NULL, NULL, 7, "invalid CIDR address: 10.1.0.0/33" },
	{ IPAM("\"subnet\":\"10.1.0.0/-1\""), NULL, NULL, 7, "invalid CIDR address" },
	{ IPAM("\"subnet\":\"10.01.0.0/24\""), NULL, NULL, 7,
	  "invalid CIDR address: 10.01.0.0/24" },
	{ IPAM("\"subnet\":\"fe80::%1/64\""), NULL, NULL, 7, "invalid CIDR address: fe80::%1/64" },
	{ IPAM("\"subnet\":\"10.1.0.0/31\""), NULL, NULL, 7, "Network 10.1.0.0/31 too small" },
	{ IPAM("\"subnet\":\"fd00::/127\""), NULL, NULL, 7, "Network fd00::/127 too small" },
	{ IPAM("\"subnet\":\"10.1.0.7/24\""), NULL, NULL, 7,
	  "invalid range set 0: Network has host bits set. For a subnet mask of length 24 the "
	  "network address is 10.1.0.0" },
	{ STORE("\"rangeStart\":\"10.2.0.5\""), NULL, NULL, 7,
	  "RangeStart 10.2.0.5 not in network 10.1.0.0/24" },
	{ STORE("\"rangeEnd\":\"10.2.0.5\""), NULL, NULL, 7, "RangeEnd 10.2.0.5 not in network" },
	{ STORE("\"rangeEnd\":\"fd00::1\""), NULL, NULL, 7, "RangeEnd fd00::1 not in network" },
	{ STORE("\"rangeStart\":\"10.1.0.9\",\"rangeEnd\":\"10.1.0.8\""), NULL, NULL, 7,
	  "RangeStart 10.1.0.9 not in network" },
	{ STORE("\"rangeStart\":\"10.1.0\""), NULL, NULL, 7, "invalid IP address: 10.1.0" },
	{ STORE("\"rangeEnd\":\"10.1.0.9/24\""), NULL, NULL, 7, "invalid IP address: 10.1.0.9/24" },
	{ STORE("\"gateway\":\"gw\""), NULL, NULL, 7, "invalid IP address: gw" },
	{ RANGES("[{}]"), NULL, NULL, 7, "ranges[0]: expected a list" },
	{ RANGES("[[5]]"), NULL, NULL, 7, "expected a list of lists of objects" },
	{ RANGES("[[]]"), NULL, NULL, 7, "invalid range set 0: empty range set" },
	{ RANGES("[[{}]]"), NULL, NULL, 7, "not v4 nor v6" },
	{ RANGES("[[{\"subnet\":\"10.2.0.0/24\"},{\"subnet\":\"fd00::/64\"}]]"), NULL, NULL, 7,
	  "mixed address families" },
	{ RANGES("[[{\"subnet\":\"10.1.0.0/24\"},{\"subnet\":\"10.1.0.0/25\"}]]"), NULL, NULL, 7,
	  "subnets 10.1.0.1-10.1.0.254 and 10.1.0.1-10.1.0.126 overlap" },
	{ RANGES("[[{\"subnet\":\"10.1.0.0/24\"}],[{\"subnet\":\"fd00::/64\"}],[{\"subnet\":"
		 "\"10.1.0.128/25\"}]]"),
	  NULL, NULL, 7, "range set 0 overlaps with 2" },
	{ BRIDGE("\"runtimeConfig\":{\"ipRanges\":{}}"), NULL, NULL, 7, "runtimeConfig.ipRanges:" },
	{ BRIDGE("\"runtimeConfig\":{\"ipRanges\":[[{\"subnet\":\"10.1.0.0/24\"}]]}"), NULL, NULL,
	  7, "range set 0 overlaps with 1" },
	{ "{\"cniVersion\":\"0.2.0\",\"name\":\"net1\",\"type\":\"host-local\",\"ipam\":{"
	  "\"ranges\":"
	  "[[{\"subnet\":\"10.1.0.0/24\"}],[{\"subnet\":\"10.2.0.0/24\"}]]}}",
	  NULL, NULL, 7, "CNI version 0.2.0 does not support more than 1 address per family" },
	/* Routes and dns. */
	{ STORE("\"routes\":[5]"), NULL, NULL, 7, "routes" },
	{ STORE("\"routes\":[{}]"), NULL, NULL, 7, "\"dst\" is missing" },
	{ STORE("\"routes\":[{\"dst\":\"10.0.0.0\"}]"), NULL, NULL, 7, "invalid CIDR address: 10" },
	{ STORE("\"routes\":[{\"dst\":\"\"}]"), NULL, NULL, 7, "invalid CIDR address: " },
	{ STORE("\"routes\":[{\"dst\":\"0.0.0.0/0\",\"gw\":\"gw\"}]"), NULL, NULL, 7,
	  "address: gw" },
	{ STORE("\"routes\":[{\"dst\":\"0.0.0.0/0\",\"mtu\":\"9\"}]"), NULL, NULL, 7,
	  "mtu: expect" },
	{ STORE("\"resolvConf\":\"/nonexistent\""), NULL, NULL, 7, "no such file or directory" },
	{ STORE("\"resolvConf\":\"/run\""), NULL, NULL, 7, "is a directory" },
	{ STORE("\"routes\":[]") " ]", NULL, NULL, 6, "error unmarshall network config" },
	{ IPAM("\"subnet\":\"10.1.0.0/24\",\"routes\":[{\"dst\":\"10.9.0.0/16\",\"gw\":"
	       "\"172.31.0.1\"}],\"rangeStart\":\"10.1.0.2\",\"rangeEnd\":\"10.1.0.3\""),
	  NULL, NULL, 999, "failed to add route" },
};

static const struct bad_input requests[] = {
	{ STORE("\"routes\":[]"), "IP=10.1.0", NULL, 4, "invalid IP address 10.1.0" },
	{ STORE("\"routes\":[]"), "IP=10.1.0.1", NULL, 7, "requested ip 10.1.0.1 is subnet's" },
	{ STORE("\"routes\":[]"), "IP=10.2.0.5", NULL, 7, "all requested IPs: 10.2.0.5" },
	{ STORE("\"routes\":[]"), "IP=10.1.0.2", NULL, 999, "10.1.0.2 is not available" },
	{ STORE("\"routes\":[]"), "FOO", NULL, 4, "ARGS: invalid pair \"FOO\"" },
	{ STORE("\"routes\":[]"), "IP=10.1.0.5;", NULL, 4, "ARGS: invalid pair \"\"" },
	{ STORE("\"routes\":[]"), "A=b=c", NULL, 4, "ARGS: invalid pair \"A=b=c\"" },
	{ STORE("\"routes\":[]"), "X=y;Z=1", NULL, 4, "ARGS: unknown args [\"X=y\" \"Z=1\"]" },
	{ STORE("\"routes\":[]"), "ip=10.1.0.5", NULL, 4, "ARGS: unknown args [\"ip=10.1.0.5\"]" },
	{ STORE("\"routes\":[]"), "IgnoreUnknown=x", NULL, 4, "invalid input x" },
	{ STORE("\"routes\":[]"), "IgnoreUnknown=0;X=y", NULL, 4, "unknown args [\"X=y\"]" },
	{ BRIDGE("\"mtu\":0"), "IP=10.1.0.5", NULL, 4, "ARGS: unknown args [\"IP=10.1.0.5\"]" },
	{ BRIDGE("\"mtu\":0"), "MAC=02:00:00:00:00:01", NULL, 4, "unknown args [\"MAC=02:00:0" },
	{ BRIDGE("\"runtimeConfig\":{\"ips\":\"10.1.0.5\"}"), NULL, NULL, 7, "a list of strings" },
	{ BRIDGE("\"runtimeConfig\":{\"ips\":[5]}"), NULL, NULL, 7,
	  "runtimeConfig.ips[0]: expect" },
	{ BRIDGE("\"runtimeConfig\":{\"ips\":[\"\"]}"), NULL, NULL, 7, "" },
	{ BRIDGE("\"runtimeConfig\":{\"ips\":[\"10.1.0\"]}"), NULL, NULL, 7, "IP address 10.1.0" },
	{ BRIDGE("\"args\":{\"cni\":{\"ips\":[\"10.1.0.1/24\"]}}"), NULL, NULL, 7, "gateway" },
	{ BRIDGE("\"args\":{\"cni\":{\"ips\":[\"fd00::5\"]}}"), NULL, NULL, 7, "IPs: fd00::5" },
	{ BRIDGE("\"runtimeConfig\":{\"ips\":[\"10.1.0.2\"]}"), NULL, NULL, 999, "not available" },
};

static const struct bad_input other_verbs[] = {
	/* DEL needs no more than names, the type of IPAM and the place of its leases. */
	{ RAW("\"ipam\":{\"type\":5}"), NULL, "DEL", 7, "ipam.type: expected a string" },
	{ RAW("\"ipam\":{\"type\":\"nope\"}"), NULL, "DEL", 999, "failed to find plugin \"nope\"" },
	{ STORE("\"dataDir\":1"), NULL, "DEL", 7, "ipam.dataDir: expected a string" },
	{ HEAD "\"type\":\"host-local\"}", NULL, "DEL", 7, "IPAM config missing 'ipam' key" },
	{ BRIDGE("\"mtu\":\"1500\""), NULL, "CHECK", 7, "mtu: expected an integer" },
	{ BRIDGE("\"vlan\":7777"), NULL, "CHECK", 7, "invalid VLAN ID 7777" },
	{ BRIDGE("\"mtu\":0"), "X", "CHECK", 4, "ARGS: invalid pair \"X\"" },
	{ BRIDGE("\"mtu\":\"1500\""), NULL, "STATUS", 7, "failed to load netconf" },
	{ IPAM("\"subnet\":\"10.1.0.7/24\""), NULL, "STATUS", 7, "Network has host bits set" },
	{ IPAM("\"ranges\":[[]]"), NULL, "STATUS", 7, "empty range set" },
	{ BRIDGE("\"cni.dev/valid-attachments\":{}"), NULL, "GC", 7, "expected a list" },
	{ BRIDGE("\"cni.dev/valid-attachments\":[5]"), NULL, "GC", 7, "attachments[0]: expected" },
	{ BRIDGE("\"cni.dev/valid-attachments\":[{\"containerID\":\"ctr0\"}]"), NULL, "GC", 7,
	  "attachments[0]: expected an object with containerID and ifname" },
};

static const struct {
	const struct bad_input *cases;
	size_t n;
} tables[] = {
	{ types, ARRAY_SIZE(types) },
	{ values, ARRAY_SIZE(values) },
	{ ranges, ARRAY_SIZE(ranges) },
	{ requests, ARRAY_SIZE(requests) },
	{ other_verbs, ARRAY_SIZE(other_verbs) },
};

/* The wrong answer, described; NULL if it is right. */
static const char *judge(const struct bad_input *b, const char *netns, const char *before)
{
	static const char bridge[] = "\"type\":\"bridge\""; /* even if the JSON is broken */
	struct reply r =
		call((struct call){ .command = b->command ? b->command : "ADD",
				    .netns = netns,
				    .args = b->args,
				    .plugin = strstr(b->config, bridge) ? "bridge" : "host-local",
				    .config = b->config });

	if (r.status != 1 || r.code != b->code || !strstr(r.msg, b->msg))
		return fmt("wanted code %d and \"%s\", got exit status %d and: %s%s", b->code,
			   b->msg, r.status, r.out, r.err);
	/* Where the next search for an address begins may move on; what is taken may not. */
	sh("test -s %s && printf 10.1.0.2 >%s", LAST, LAST);
	return difference(before, world_now());
}

START_TEST(bad_input_is_refused_and_changes_nothing)
{
	const char *netns = container_add("c1"), *before;
	int wrong = 0;

	no_link_local();
	sh("ip link add other0 type veth peer name other1");
	call_ok((struct call){ .command = "ADD",
			       .id = "ctr0",
			       .netns = container_add("c0"),
			       .config = BRIDGE("\"isGateway\":true,\"ipMasq\":true") });
	before = world_now();
	for (size_t i = 0; i < tables[_i].n; i++) {
		const struct bad_input *b = &tables[_i].cases[i];
		const char *why = judge(b, netns, before);

		if (why) {
			fprintf(stderr, "case %zu: %s CNI_ARGS=%s %s\n\t%s\n", i,
				b->command ? b->command : "ADD", b->args ? b->args : "", b->config,
				why);
			wrong++;
		}
	}
	ck_assert_int_eq(wrong, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("bad input");
	TCase *tc = tcase_create("refused");

	tcase_add_checked_fixture(tc, world_setup, world_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, bad_input_is_refused_and_changes_nothing, 0, ARRAY_SIZE(tables));
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
