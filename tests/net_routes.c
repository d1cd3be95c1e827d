/*
 * Routes of a result in the container's tables: every key of a route, several gateways to one
 * destination, what is said twice, and what is refused.
 */
#include "same_world.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Beside the routes: two addresses, each with its gateway. */
#define NET(keys, routes)                                                                     \
	"{\"cniVersion\":\"1.1.0\",\"name\":\"net1\",\"type\":\"bridge\",\"bridge\":\"br0\"," \
	"\"isGateway\":true" keys ",\"ipam\":{\"type\":\"static\",\"addresses\":["            \
	"{\"address\":\"10.1.0.2/24\",\"gateway\":\"10.1.0.1\"},"                             \
	"{\"address\":\"fd00::2/64\",\"gateway\":\"fd00::1\"}],\"routes\":[" routes "]}}"
#define DST(dst, more) "{\"dst\":\"" dst "\"" more "}"
#define VIA(dst, gw) "{\"dst\":\"" dst "\",\"gw\":\"" gw "\"}"

static const char *c1;

static void setup(void)
{
	world_setup();
	no_link_local();
	c1 = container_add("c1");
}

static struct call on_c1(const char *command, const char *config)
{
	return (struct call){ .command = command, .netns = c1, .config = config };
}

/* All of a family in one line, without what the kernel makes for addresses. */
static const char *table_of(const char *family, const char *table)
{
	return sh_in("c1",
		     "ip %s route show table %s | grep -v 'proto kernel\\|^local\\|^multicast\\|"
		     "^anycast\\|^broadcast' | sed 's/ pref medium//' | xargs",
		     family, table);
}

static const struct {
	const char *name, *routes, *family, *table, *want;
} rows[] = {
	{ "metrics", DST("10.9.0.0/16", ",\"mtu\":1400,\"advmss\":1300"), "-4", "main",
	  "10.9.0.0/16 via 10.1.0.1 dev eth0 mtu 1400 advmss 1300" },
	{ "metrics, IPv6", DST("fd09::/64", ",\"mtu\":1400,\"advmss\":1300"), "-6", "main",
	  "fd09::/64 via fd00::1 dev eth0 metric 1024 mtu 1400 advmss 1300" },
	{ "negative metrics are none", DST("10.9.0.0/16", ",\"mtu\":-1,\"advmss\":-2"), "-4",
	  "main", "10.9.0.0/16 via 10.1.0.1 dev eth0" },
	{ "priority", DST("10.9.0.0/16", ",\"priority\":77"), "-4", "main",
	  "10.9.0.0/16 via 10.1.0.1 dev eth0 metric 77" },
	{ "priority, IPv6", DST("fd09::/64", ",\"priority\":77"), "-6", "main",
	  "fd09::/64 via fd00::1 dev eth0 metric 77" },
	{ "table", DST("10.9.0.0/16", ",\"table\":100"), "-4", "100",
	  "10.9.0.0/16 via 10.1.0.1 dev eth0" },
	{ "great table, IPv6", DST("fd09::/64", ",\"table\":70000"), "-6", "70000",
	  "fd09::/64 via fd00::1 dev eth0 metric 1024" },
	{ "table 0 is main", DST("10.9.0.0/16", ",\"table\":0"), "-4", "main",
	  "10.9.0.0/16 via 10.1.0.1 dev eth0" },
	{ "scope site", DST("10.9.0.0/16", ",\"scope\":200"), "-4", "main",
	  "10.9.0.0/16 via 10.1.0.1 dev eth0 scope site" },
	{ "scope link has no gateway", DST("10.9.0.0/16", ",\"scope\":253"), "-4", "main",
	  "10.9.0.0/16 dev eth0 scope link" },
	{ "scope link of IPv6 means nothing", DST("fd09::/64", ",\"scope\":253"), "-6", "main",
	  "fd09::/64 via fd00::1 dev eth0 metric 1024" },
	{ "gateway 0.0.0.0 is none", VIA("10.9.0.0/16", "0.0.0.0"), "-4", "main",
	  "10.9.0.0/16 dev eth0" },
	{ "gateway :: is none", VIA("fd09::/64", "::"), "-6", "main",
	  "fd09::/64 dev eth0 metric 1024" },
	{ "several gateways",
	  VIA("10.9.0.0/16", "10.1.0.7") "," VIA("10.8.0.0/16", "10.1.0.7") "," VIA(
		  "10.9.0.0/16", "10.1.0.8") "," VIA("10.9.0.0/16", "10.1.0.9"),
	  "-4", "main",
	  "10.8.0.0/16 via 10.1.0.7 dev eth0 10.9.0.0/16 "
	  "nexthop via 10.1.0.7 dev eth0 weight 1 nexthop via 10.1.0.8 dev eth0 weight 1 "
	  "nexthop via 10.1.0.9 dev eth0 weight 1" },
	{ "several gateways, IPv6", VIA("fd09::/64", "fd00::7") "," VIA("fd09::/64", "fd00::8"),
	  "-6", "main",
	  "fd09::/64 metric 1024 nexthop via fd00::7 dev eth0 weight 1 "
	  "nexthop via fd00::8 dev eth0 weight 1" },
	{ "several default gateways", VIA("0.0.0.0/0", "10.1.0.1") "," VIA("0.0.0.0/0", "10.1.0.8"),
	  "-4", "main",
	  "default nexthop via 10.1.0.1 dev eth0 weight 1 "
	  "nexthop via 10.1.0.8 dev eth0 weight 1" },
	{ "said twice",
	  VIA("10.9.0.0/16", "10.1.0.7") "," VIA("10.9.0.0/16", "10.1.0.7") "," DST(
		  "10.8.0.0/16", "") "," VIA("10.8.0.0/16", "10.1.0.1"),
	  "-4", "main", "10.8.0.0/16 via 10.1.0.1 dev eth0 10.9.0.0/16 via 10.1.0.7 dev eth0" },
	{ "said twice, IPv6", DST("fd09::/64", "") "," DST("fd09::5/64", ""), "-6", "main",
	  "fd09::/64 via fd00::1 dev eth0 metric 1024" },
	{ "twice without a gateway",
	  VIA("10.9.0.0/16", "0.0.0.0") "," DST("10.9.0.0/16", ",\"gw\":\"0.0.0.0\""), "-4", "main",
	  "10.9.0.0/16 dev eth0" },
	{ "priorities keep routes apart",
	  DST("10.9.0.0/16", ",\"gw\":\"10.1.0.7\",\"priority\":5") "," DST(
		  "10.9.0.0/16", ",\"gw\":\"10.1.0.8\",\"priority\":6"),
	  "-4", "main",
	  "10.9.0.0/16 via 10.1.0.7 dev eth0 metric 5 "
	  "10.9.0.0/16 via 10.1.0.8 dev eth0 metric 6" },
	{ "tables keep routes apart",
	  VIA("10.9.0.0/16", "10.1.0.7") "," DST("10.9.0.0/16",
						 ",\"gw\":\"10.1.0.8\",\"table\":100"),
	  "-4", "100", "10.9.0.0/16 via 10.1.0.8 dev eth0" },
	{ "host bits of IPv6 are cleared", DST("fd09::5/64", ""), "-6", "main",
	  "fd09::/64 via fd00::1 dev eth0 metric 1024" },
};

START_TEST(a_route_is_in_the_kernel_as_it_was_said)
{
	const char *config = fmt(NET("", "%s"), rows[_i].routes), *got;
	struct reply r = call_ok(on_c1("ADD", config));

	got = table_of(rows[_i].family, rows[_i].table);
	ck_assert_msg(strcmp(got, rows[_i].want) == 0, "%s: wanted \"%s\", got \"%s\"",
		      rows[_i].name, rows[_i].want, got);
	call_ok(on_c1("CHECK", with_prev(config, r.out)));
	call_ok(on_c1("DEL", config));
}
END_TEST

static const struct {
	const char *route, *msg, *details;
} refused[] = {
	{ DST("10.9.0.1/16", ""), "route 10.9.0.1/16: the destination has host bits",
	  "\"dst\" of the network is 10.9.0.0/16" },
	{ VIA("10.9.0.0/16", "fd00::7"), "route 10.9.0.0/16: gateway fd00::7 is of the other", "" },
	{ VIA("fd09::/64", "10.1.0.7"), "route fd09::/64: gateway 10.1.0.7 is of the other", "" },
	{ DST("10.9.0.0/16", ",\"mtu\":4294967296"), "mtu 4294967296 is more than 4294967295", "" },
	{ DST("10.9.0.0/16", ",\"advmss\":4294967296"), "advmss 4294967296 is more than", "" },
	{ DST("10.9.0.0/16", ",\"priority\":4294967296"), "priority 4294967296 is more than", "" },
	{ DST("10.9.0.0/16", ",\"table\":4294967296"), "table 4294967296 is more than", "" },
	{ DST("10.9.0.0/16", ",\"scope\":256"), "scope 256 is not in 0..255", "" },
	{ DST("10.9.0.0/16", ",\"scope\":-1"), "scope -1 is not in 0..255", "" },
};

START_TEST(a_bad_route_is_named_and_leaves_nothing)
{
	const char *config = fmt(NET("", "%s"), refused[_i].route), *before;
	struct reply r;

	call_ok(on_c1("ADD", NET("", "")));
	call_ok(on_c1("DEL", NET("", "")));
	before = world_now();
	r = call_fails(on_c1("ADD", config), 7, refused[_i].msg);
	ck_assert_msg(strstr(r.details, refused[_i].details) != NULL, "%s", r.out);
	assert_unchanged(before);
}
END_TEST

START_TEST(a_route_has_as_many_gateways_as_are_said)
{
	const char *config, *routes = "";
	struct reply r;

	for (int i = 0; i < 100; i++)
		routes =
			fmt("%s%s" VIA("10.9.0.0/16", "10.1.0.%d") "," VIA("fd09::/64", "fd00::%x"),
			    routes, i ? "," : "", i + 10, i + 10);
	config = fmt(NET("", "%s"), routes);
	r = call_ok(on_c1("ADD", config));
	ck_assert_str_eq(sh_in("c1", "ip -4 route show 10.9.0.0/16 | grep -c nexthop"), "100");
	ck_assert_str_eq(sh_in("c1", "ip -6 route show fd09::/64 | grep -c nexthop"), "100");
	call_ok(on_c1("CHECK", with_prev(config, r.out)));
}
END_TEST

START_TEST(a_default_route_without_gateway_serves_as_the_default_gateways)
{
	const char *config = NET(",\"isDefaultGateway\":true",
				 DST("0.0.0.0/0", "") "," DST("::/0", ",\"mtu\":1400"));
	struct reply r = call_ok(on_c1("ADD", config));

	ck_assert_str_eq(table_of("-4", "main"), "default via 10.1.0.1 dev eth0");
	ck_assert_str_eq(table_of("-6", "main"),
			 "default via fd00::1 dev eth0 metric 1024 mtu 1400");
	ck_assert_int_eq((int)json_array_size(json_object_get(r.json, "routes")), 2);
}
END_TEST

/* In a scope that ends at the link it leads nowhere else; in another one it stands beside. */
START_TEST(a_default_route_of_another_scope_does_not)
{
	static const struct {
		const char *scope, *want;
	} scopes[] = {
		{ "0", "default via 10.1.0.1 dev eth0" },
		{ "200", "default via 10.1.0.1 dev eth0 default via 10.1.0.1 dev eth0 scope site" },
		{ "253", "default via 10.1.0.1 dev eth0 default dev eth0 scope link" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(scopes); i++) {
		const char *config = fmt(NET(",\"isDefaultGateway\":true", "%s"),
					 fmt(DST("0.0.0.0/0", ",\"scope\":%s"), scopes[i].scope));

		call_ok(on_c1("ADD", config));
		ck_assert_str_eq(table_of("-4", "main"), scopes[i].want);
		call_ok(on_c1("DEL", config));
	}
}
END_TEST

/* As the Go plugins leave it: of IPv4 the later network's default route comes first, IPv6 uses both. */
START_TEST(the_default_routes_of_two_networks_stand_beside_each_other)
{
	static const char second[] =
		"{\"cniVersion\":\"1.0.0\",\"name\":\"net2\",\"type\":\"bridge\",\"bridge\":"
		"\"br1\",\"isDefaultGateway\":true,\"ipam\":{\"type\":\"static\",\"addresses\":["
		"{\"address\":\"10.2.0.2/24\"},{\"address\":\"fd02::2/64\"}]}}";
	struct call c = on_c1("ADD", second);

	c.ifname = "eth1";
	call_ok(on_c1("ADD", NET(",\"isDefaultGateway\":true", "")));
	call_ok(c);
	ck_assert_str_eq(table_of("-4", "main"),
			 "default via 10.2.0.1 dev eth1 default via 10.1.0.1 dev eth0");
	ck_assert_str_eq(table_of("-6", "main"),
			 "default metric 1024 nexthop via fd00::1 dev eth0 weight 1 "
			 "nexthop via fd02::1 dev eth1 weight 1");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("routes");
	TCase *tc = tcase_create("routes");

	tcase_add_checked_fixture(tc, setup, world_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, a_route_is_in_the_kernel_as_it_was_said, 0, ARRAY_SIZE(rows));
	tcase_add_loop_test(tc, a_bad_route_is_named_and_leaves_nothing, 0, ARRAY_SIZE(refused));
	tcase_add_test(tc, a_route_has_as_many_gateways_as_are_said);
	tcase_add_test(tc, a_default_route_without_gateway_serves_as_the_default_gateways);
	tcase_add_test(tc, a_default_route_of_another_scope_does_not);
	tcase_add_test(tc, the_default_routes_of_two_networks_stand_beside_each_other);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
