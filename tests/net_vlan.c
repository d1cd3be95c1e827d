/*
 * bridge: VLANs, isolation, hairpin mode and disableContainerInterface, as far as any kernel shows them.
 * Tags on real frames need a kernel that filters VLANs: tests/vm/vm_vlan.c.
 */
#include "same_world.h"

#include <string.h>

#define NET(keys)                                                                                 \
	"{\"cniVersion\":\"1.1.0\",\"name\":\"net1\",\"type\":\"bridge\",\"bridge\":\"br0\"" keys \
	"}"
#define LOCAL ",\"ipam\":{\"type\":\"host-local\",\"subnet\":\"10.1.0.0/24\"}"

static void setup(void)
{
	world_setup();
	no_link_local();
}

static bool kernel_filters_vlans(void)
{
	bool yes = sh_status("ip link add probe type bridge vlan_filtering 1") == 0;

	if (yes)
		sh("ip link del probe");
	return yes;
}

static const char *host_end(const char *container)
{
	return sh("ip -o link show type veth | grep -w 'link-netns %s' | "
		  "sed 's/^[0-9]*: //; s/@.*//'",
		  container);
}

/* ---- VLANs where they can't be ---- */

START_TEST(a_kernel_without_vlans_is_named_and_nothing_is_left)
{
	static const struct {
		const char *config, *key;
	} asked[] = {
		{ NET(",\"vlan\":100" LOCAL), "\"vlan\" needs a kernel" },
		{ NET(",\"vlanTrunk\":[{\"id\":7}]" LOCAL), "\"vlanTrunk\" needs a kernel" },
		{ NET(",\"vlanTrunk\":[]" LOCAL), "\"vlanTrunk\" needs a kernel" },
	};
	const char *netns = container_add("c1"), *before = world_now();
	struct call add = { .command = "ADD", .netns = netns, .config = asked[_i].config };
	struct reply r;

	if (kernel_filters_vlans()) {
		call_ok(add);
		ck_assert_str_ne(sh("ip -d link show br0 | grep -o 'vlan_filtering 1'"), "");
		return;
	}
	r = call_fails(add, 999, "could not add \"br0\": operation not supported");
	ck_assert_msg(strstr(r.details, asked[_i].key) != NULL, "%s", r.out);
	assert_unchanged(before);
}
END_TEST

/* Never an attachment that looks kept apart, and is not. */
START_TEST(a_bridge_that_does_not_filter_is_refused_and_left_as_it_is)
{
	static const struct {
		const char *config, *msg;
	} asked[] = {
		{ NET(",\"vlan\":100" LOCAL),
		  "bridge \"br0\" does not filter VLANs, so \"vlan\" would keep nothing apart" },
		{ NET(",\"vlanTrunk\":[{\"id\":7}]" LOCAL),
		  "bridge \"br0\" does not filter VLANs, so \"vlanTrunk\" would keep nothing" },
	};
	const char *netns = container_add("c1"), *before;
	struct reply r;

	sh("ip link add br0 type bridge");
	before = world_now();
	r = call_fails(
		(struct call){ .command = "ADD", .netns = netns, .config = asked[_i].config }, 999,
		asked[_i].msg);
	ck_assert_ptr_nonnull(strstr(r.details, kernel_filters_vlans()
							? "ip link set br0 type bridge "
							  "vlan_filtering 1"
							: "CONFIG_BRIDGE_VLAN_FILTERING"));
	assert_unchanged(before);
	call_fails((struct call){ .command = "STATUS", .config = asked[_i].config }, 50,
		   asked[_i].msg);
	call_ok((struct call){ .command = "DEL", .netns = netns, .config = asked[_i].config });
}
END_TEST

/* It asks for no VLAN: the port is to be what the bridge makes of it. */
START_TEST(an_empty_trunk_takes_any_bridge)
{
	static const char config[] = NET(",\"vlanTrunk\":[{}]" LOCAL);
	const char *netns = container_add("c1");

	sh("ip link add br0 type bridge");
	call_ok((struct call){ .command = "STATUS", .config = config });
	call_ok((struct call){ .command = "ADD", .netns = netns, .config = config });
	sh_in("c1", "ip link show eth0");
}
END_TEST

/* ---- flags of the port ---- */

static const char isolated[] = NET(",\"isGateway\":true,\"portIsolation\":true" LOCAL);

START_TEST(isolated_containers_reach_the_gateway_but_not_each_other)
{
	for (int i = 1; i <= 3; i++)
		call_ok((struct call){ .command = "ADD",
				       .id = fmt("ctr%d", i),
				       .netns = container_add(fmt("c%d", i)),
				       .config = i < 3 ? isolated
						       : NET(",\"isGateway\":true" LOCAL) });
	for (int i = 1; i <= 3; i++)
		sh_in(fmt("c%d", i), "ping -c1 -W5 10.1.0.1");
	/* Isolation is between isolated ports only. */
	sh_in("c1", "ping -c1 -W5 10.1.0.4");
	sh_in("c3", "ping -c1 -W5 10.1.0.3");
	ck_assert_int_ne(sh_status_in("c1", "ping -c1 -W1 10.1.0.3"), 0);
	/* Not for want of an answer to ARP only. */
	sh_in("c1", "ip neigh replace 10.1.0.3 dev eth0 lladdr %s",
	      sh_in("c2", "cat /sys/class/net/eth0/address"));
	ck_assert_int_ne(sh_status_in("c1", "ping -c1 -W1 10.1.0.3"), 0);
}
END_TEST

START_TEST(hairpin_and_isolation_come_in_one_message)
{
	static const char config[] = NET(",\"hairpinMode\":true,\"portIsolation\":true" LOCAL);
	const char *trace = "/run/trace";

	call_ok((struct call){ .command = "ADD",
			       .netns = container_add("c1"),
			       .config = config,
			       .wrapper = "env ASAN_OPTIONS=detect_leaks=0 strace -f -o /run/trace "
					  "-e trace=sendmsg" });
	ck_assert_str_eq(sh("ip -d link show %s | grep -o 'hairpin on\\|isolated on' | xargs",
			    host_end("c1")),
			 "hairpin on isolated on");
	/* Besides the group's, at the end. */
	ck_assert_str_eq(sh("grep -c 'nlmsg_type=RTM_SETLINK' %s", trace), "2");
}
END_TEST

START_TEST(check_misses_a_flag_that_went)
{
	static const struct {
		const char *config, *command, *msg;
	} flags[] = {
		{ NET(",\"hairpinMode\":true" LOCAL), "hairpin off", "hairpinMode true" },
		{ NET(",\"portIsolation\":true" LOCAL), "isolated off", "portIsolation true" },
	};
	const char *netns = container_add("c1"), *config = flags[_i].config;
	struct reply r =
		call_ok((struct call){ .command = "ADD", .netns = netns, .config = config });

	config = with_prev(config, r.out);
	call_ok((struct call){ .command = "CHECK", .netns = netns, .config = config });
	sh("bridge link set dev %s hairpin on isolated on", host_end("c1"));
	call_ok((struct call){ .command = "CHECK", .netns = netns, .config = config });
	sh("bridge link set dev %s %s", host_end("c1"), flags[_i].command);
	call_fails((struct call){ .command = "CHECK", .netns = netns, .config = config }, 999,
		   flags[_i].msg);
}
END_TEST

/* ---- disableContainerInterface ---- */

START_TEST(a_disabled_container_interface_stays_down_and_nobody_waits)
{
	static const char config[] = NET(",\"disableContainerInterface\":true,\"mtu\":1400");
	const char *netns = container_add("c1");
	struct reply r =
		call_ok((struct call){ .command = "ADD", .netns = netns, .config = config });
	json_t *ifaces = json_object_get(r.json, "interfaces");

	ck_assert_str_eq(sh_in("c1", "ip -o link show eth0 up"), "");
	ck_assert_str_ne(sh("ip -o link show %s up", host_end("c1")), "");
	ck_assert_str_eq(sh("cat /sys/class/net/%s/mtu", host_end("c1")), "1400");
	ck_assert_uint_eq(json_array_size(ifaces), 3);
	ck_assert_str_eq(json_string_value(json_object_get(json_array_get(ifaces, 1), "mac")),
			 sh("cat /sys/class/net/%s/address", host_end("c1")));
	call_ok((struct call){
		.command = "CHECK", .netns = netns, .config = with_prev(config, r.out) });
	call_ok((struct call){ .command = "DEL", .netns = netns, .config = config });
	ck_assert_int_ne(sh_status_in("c1", "ip link show eth0"), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("vlan");
	TCase *tc = tcase_create("vlan");

	tcase_add_checked_fixture(tc, setup, world_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, a_kernel_without_vlans_is_named_and_nothing_is_left, 0, 3);
	tcase_add_loop_test(tc, a_bridge_that_does_not_filter_is_refused_and_left_as_it_is, 0, 2);
	tcase_add_test(tc, an_empty_trunk_takes_any_bridge);
	tcase_add_test(tc, isolated_containers_reach_the_gateway_but_not_each_other);
	tcase_add_test(tc, hairpin_and_isolation_come_in_one_message);
	tcase_add_loop_test(tc, check_misses_a_flag_that_went, 0, 2);
	tcase_add_test(tc, a_disabled_container_interface_stays_down_and_nobody_waits);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
