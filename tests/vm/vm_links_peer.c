/*
 * vlan, dummy and ipvlan beside the newest Go plugins: the same results, links, addresses, routes and parameters, but for
 * what docs/compat.md lists; and each finds whole, and deletes, what the other one made.
 */
#include "same_world.h"

#include <stdlib.h>
#include <string.h>

#define IPAM(more) ",\"ipam\":{\"type\":\"static\",\"addresses\":[" more "]"
#define V4 "{\"address\":\"10.9.0.1/24\",\"gateway\":\"10.9.0.100\"}"
#define V6 "{\"address\":\"fd09::1/64\",\"gateway\":\"fd09::100\"}"
#define DUAL                                                        \
	IPAM(V4 "," V6)                                             \
	",\"routes\":[{\"dst\":\"0.0.0.0/0\"},{\"dst\":\"::/0\"}]," \
	"\"dns\":{\"nameservers\":[\"192.0.2.1\"]}},"               \
	"\"dns\":{\"domain\":\"example.org\"}"

static const struct {
	const char *type, *keys, *version;
	const char *prev; /* result of the plugin before */
	bool no_check; /* theirs asks for "master" */
} rows[] = {
	{ .type = "vlan", .keys = ",\"master\":\"eth1\",\"vlanId\":5" DUAL },
	{ .type = "vlan",
	  .keys = ",\"master\":\"m0\",\"mtu\":1400,\"linkInContainer\":true" IPAM(V4) "}",
	  .version = "0.4.0" },
	{ .type = "dummy", .keys = DUAL },
	{ .type = "dummy", .keys = ",\"mtu\":1400" IPAM(V4) "}", .version = "0.2.0" },
	{ .type = "ipvlan", .keys = ",\"master\":\"eth1\",\"mode\":\"l2\"" DUAL },
	{ .type = "ipvlan", .keys = ",\"master\":\"eth1\",\"mode\":\"l3\",\"mtu\":1501" DUAL },
	{ .type = "ipvlan",
	  .keys = ",\"master\":\"m0\",\"mode\":\"l3s\",\"mtu\":-5,\"linkInContainer\":true" IPAM(
		  V4) "}",
	  .version = "0.3.1" },
	{ .type = "ipvlan",
	  .keys = ",\"dns\":{\"domain\":\"example.org\"}",
	  .prev = "{\"cniVersion\":\"1.0.0\",\"interfaces\":[{\"name\":\"eth1\"}],"
		  "\"ips\":[" V4 "],\"routes\":[{\"dst\":\"0.0.0.0/0\"}],"
		  "\"dns\":{\"nameservers\":[\"192.0.2.1\"]}}",
	  .no_check = true },
};

static const char *config_of(size_t row)
{
	const char *conf = fmt("{\"cniVersion\":\"%s\",\"name\":\"net1\",\"type\":\"%s\"%s}",
			       rows[row].version ? rows[row].version : "1.0.0", rows[row].type,
			       rows[row].keys);

	return rows[row].prev ? with_prev(conf, rows[row].prev) : conf;
}

/* Only a dummy's MAC is random. Theirs has a vlan announce nothing. */
static const char *state(size_t row)
{
	return sh_in("c1",
		     "{ ip -o -d link show eth0; printf 'addr\\nroute show table all\\n' | ip -o "
		     "-batch -; "
		     "cd /proc/sys/net; grep . ipv4/conf/eth0/arp_notify "
		     "ipv6/conf/eth0/accept_dad ipv6/conf/eth0/accept_ra "
		     "ipv6/conf/eth0/disable_ipv6 ipv6/conf/eth0/keep_addr_on_down "
		     "ipv6/conf/eth0/ndisc_notify; } | sed -E 's/^[0-9]+: //; "
		     "s/link-netns(id)? [^ ]+//; s/state [A-Z]+//; s/ +/ /g; %s' | sort",
		     strcmp(rows[row].type, "dummy") == 0  ? "s/([0-9a-f]{2}:){5}[0-9a-f]{2}/mac/g"
		     : strcmp(rows[row].type, "vlan") == 0 ? "/_notify:/d"
							   : "");
}

static const char *result(const struct reply *r)
{
	char *text = json_dumps(r->json, JSON_SORT_KEYS | JSON_INDENT(1));
	const char *mac = json_string_value(
		json_object_get(json_array_get(json_object_get(r->json, "interfaces"), 0), "mac"));
	const char *copy = fmt("%s", text);

	free(text);
	if (mac)
		ck_assert_str_eq(mac,
				 sh_in("c1", "read -r m </sys/class/net/eth0/address; echo $m"));
	cut_out((char *)copy, mac ? mac : "-");
	return copy;
}

/* Attach by `adder`, look, have `other` look and detach. @return result and state */
static const char *run_row(size_t row, const char *adder, const char *other)
{
	struct call c = on_container(1, "ADD", config_of(row));
	const char *seen;
	struct reply r;

	c.bin = adder;
	r = call_ok(c);
	seen = fmt("%s\n%s", result(&r), state(row));
	c.bin = other;
	if (!rows[row].no_check && (!rows[row].version || rows[row].version[2] >= '4')) {
		c.command = "CHECK";
		c.config = with_prev(config_of(row), r.out);
		call_ok(c);
	}
	c.command = "DEL";
	call_ok(c);
	ck_assert_int_ne(sh_status_in("c1", "[ -e /sys/class/net/eth0 ]"), 0);
	return seen;
}

/* In one world, as an emulated machine takes long to make one. */
START_TEST(results_and_state_are_the_go_plugins)
{
	ck_assert_msg(newest_plugins() != NULL, "no CNI_PEER_DIR: tests/peer fetches the plugins");
	sh("ip link add eth1 address 02:00:00:00:00:01 up type veth peer name peer0 && "
	   "ip link set peer0 up");
	container_add("c1");
	sh_in("c1", "echo 1 >/proc/sys/net/ipv6/conf/default/addr_gen_mode && "
		    "echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad && "
		    "ip link add m0 address 02:00:00:00:00:02 up type veth peer name m1 && "
		    "ip link set m1 up");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *theirs = run_row(i, newest_plugins(), our_plugins());
		const char *ours = run_row(i, our_plugins(), newest_plugins());
		const char *diff = difference(theirs, ours);

		ck_assert_msg(!diff, "%s%s:\n%s", rows[i].type, rows[i].keys, diff);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("links in the container beside the Go plugins");
	TCase *tc = tcase_create("peer");

	tcase_add_checked_fixture(tc, world_setup, world_teardown);
	tcase_add_checked_fixture(tc, no_link_local, NULL);
	tcase_set_timeout(tc, 240);
	tcase_add_test(tc, results_and_state_are_the_go_plugins);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
