/*
 * vlan, dummy and ipvlan, as far as no such link is needed, which the kernel of this machine may not make: configurations
 * that are refused, a kernel that refuses, and the verbs that find no link. The rest is in tests/vm/vm_links.c.
 */
#include "refuse.h"
#include "same_world.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define STORE "/var/lib/cni/networks/net1"
#define LOCAL ",'ipam':{'type':'host-local','subnet':'10.1.0.0/24'}"
#define CONF(type, more) "{'cniVersion':'1.1.0','name':'net1','type':'" type "'" more "}"
#define VLAN(more) CONF("vlan", more LOCAL)
#define DUMMY(more) CONF("dummy", more LOCAL)
#define IPVLAN(more) CONF("ipvlan", more LOCAL)
#define AFTER(interfaces, more) \
	CONF("ipvlan",          \
	     ",'prevResult':{'cniVersion':'1.1.0','interfaces':[" interfaces "],'ips':[]}" more)

/* The least that each can do with, and how many netlink requests there are before the one that makes the link. */
static const struct {
	const char *type, *config;
	int before;
} kinds[] = {
	{ "vlan", VLAN(",'master':'eth1','vlanId':5"), 1 },
	{ "dummy", DUMMY(""), 0 },
	{ "ipvlan", IPVLAN(",'master':'eth1'"), 1 },
};

/* In a configuration ' stands for ". */
static const char *plain(const char *text)
{
	char *made = (char *)fmt("%s", text);

	for (char *p = made; *p; p++)
		if (*p == '\'')
			*p = '"';
	return made;
}

static void setup(void)
{
	world_setup();
	no_link_local();
	container_add("c1");
	sh("ip link add eth1 up type veth peer name far1 && mkdir -p " STORE);
}

/* ---- what is refused ---- */

static const struct {
	const char *config;
	int code;
	const char *msg;
	const char *details; /* NULL = any */
} refused[] = {
	{ VLAN(",'vlanId':5"), 7,
	  "\"master\" field is required. It specifies the host interface name to create the VLAN "
	  "for",
	  NULL },
	{ VLAN(",'master':'','vlanId':5"), 7, "\"master\" field is required", NULL },
	{ VLAN(",'master':5"), 7, "failed to load netconf: master: expected a string", NULL },
	{ VLAN(",'master':'eth1','vlanId':4095"), 7,
	  "invalid VLAN ID 4095 (must be between 0 and 4094 inclusive)", NULL },
	{ VLAN(",'master':'eth1','vlanId':-1"), 7, "invalid VLAN ID -1", NULL },
	{ VLAN(",'master':'eth1','vlanId':'5'"), 7, "vlanId: expected an integer", NULL },
	{ VLAN(",'master':'eth1','mtu':1501"), 7, "invalid MTU 1501, must be [0, master MTU(1500)]",
	  "the master is \"eth1\"" },
	{ VLAN(",'master':'eth1','mtu':-1"), 7, "invalid MTU -1", NULL },
	{ VLAN(",'master':'eth9'"), 999, "failed to lookup master \"eth9\": ", NULL },
	{ VLAN(",'master':'eth1','linkInContainer':true"), 999,
	  "failed to lookup master \"eth1\": ", NULL },
	{ VLAN(",'master':'eth1','linkInContainer':1"), 7, "linkInContainer: expected", NULL },
	{ CONF("vlan", ",'master':'eth1'"), 7, "no plugin name provided",
	  "\"ipam\" needs a \"type\": the plugin that gives addresses" },
	{ CONF("dummy", ""), 7, "dummy interface requires an IPAM configuration", NULL },
	{ CONF("dummy", ",'ipam':{}"), 7, "dummy interface requires an IPAM configuration", NULL },
	{ DUMMY(",'dns':5"), 7, "failed to parse network config: dns: expected an object", NULL },
	{ IPVLAN(",'master':'eth1','mode':'L3'"), 7, "unknown ipvlan mode: \"L3\"",
	  "\"mode\" is one of \"l2\", \"l3\", \"l3s\"" },
	{ IPVLAN(",'master':'eth1','mode':3"), 7, "failed to load netconf: mode: expected", NULL },
	{ IPVLAN(",'master':'eth1','mtu':4294967296"), 7, "invalid MTU 4294967296", NULL },
	{ IPVLAN(",'master':'eth9'"), 999, "failed to lookup master \"eth9\": ", NULL },
	{ IPVLAN(""), 999, "no default route interface found", NULL },
	{ CONF("ipvlan", ",'master':'eth1'"), 7, "no plugin name provided", NULL },
	{ AFTER("", LOCAL), 7, "chained master failure. PrevResult lacks a single named interface",
	  "\"master\" names the interface" },
	{ AFTER("{'name':'eth1'},{'name':'eth0'}", LOCAL), 7, "chained master failure", NULL },
	{ AFTER("{'name':''}", LOCAL), 7, "chained master failure", NULL },
	{ AFTER("{'name':'eth1'}", ""), 7, "no plugin name provided", NULL },
	{ CONF("ipvlan", ",'prevResult':{'cniVersion':'1.1.0','ips':[{'address':'zz'}]}"), 7,
	  "could not parse prevResult: ", NULL },
};

START_TEST(what_cannot_work_is_refused_and_nothing_changed)
{
	const char *before = world_now();

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		struct reply r = call_fails(on_container(1, "ADD", plain(refused[i].config)),
					    refused[i].code, refused[i].msg);

		if (refused[i].details)
			ck_assert_str_eq(r.details, refused[i].details);
	}
	assert_unchanged(before);
}
END_TEST

/* STATUS and CHECK see what ADD sees in the configuration alone; STATUS asks the IPAM plugin, too. */
START_TEST(status_is_of_the_configuration_and_of_ipam)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		call_ok(on_container(1, "STATUS", plain(kinds[i].config)));
	call_fails(on_container(1, "STATUS", plain(VLAN(""))), 7, "\"master\" field is required");
	call_fails(on_container(1, "STATUS", plain(CONF("dummy", ""))), 7,
		   "requires an IPAM configuration");
	call_fails(on_container(1, "STATUS", plain(IPVLAN(",'mode':'l9'"))), 7,
		   "unknown ipvlan mode");
	call_ok(on_container(1, "STATUS", plain(AFTER("{'name':'eth1'}", ""))));
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct call c = on_container(1, "STATUS", plain(kinds[i].config));

		sh("rm -rf /var/lib/cni/networks && touch /var/lib/cni/networks");
		call_fails(c, 50, "");
		sh("rm /var/lib/cni/networks");
	}
}
END_TEST

/* A kernel without the module, as this machine's may be; the IPAM plugin has not been asked by then. */
START_TEST(a_kernel_without_such_links_is_named_and_nothing_left)
{
	const char *before = world_now();
	struct call c = on_container(1, "ADD", plain(kinds[_i].config));
	struct reply r;

	c.wrapper = refusing(kinds[_i].before + 1, EOPNOTSUPP, REFUSE_ANSWER);
	r = call_fails(c, 999, fmt("failed to create %s: operation not supported", kinds[_i].type));
	ck_assert_ptr_nonnull(strstr(r.details, "this kernel makes no links of this kind"));
	assert_unchanged(before);
}
END_TEST

/* ---- where there is no link ---- */

/* A lease of the attachment, as after an ADD whose namespace is gone. */
static void lease(const char *id, const char *ifname)
{
	struct call c = on_container(1, "ADD", plain(kinds[0].config));

	c.plugin = "host-local";
	c.id = id;
	c.ifname = ifname;
	call_ok(c);
}

static const char *leases(void)
{
	return sh("cd " STORE " && ls | grep ^10 | xargs");
}

START_TEST(del_gives_the_address_back_whatever_is_gone)
{
	const char *config =
		fmt("{'cniVersion':'1.1.0','name':'net1','type':'%s','master':7,'mode':'l9',"
		    "'vlanId':-7,'mtu':'x'" LOCAL "}",
		    kinds[_i].type);

	for (int i = 0; i < 3; i++) {
		struct call c = on_container(1, "DEL", plain(config));

		lease("ctr1", "eth0");
		ck_assert_str_ne(leases(), "");
		c.netns = i == 0 ? "/run/netns/c1" : i == 1 ? "/run/netns/gone" : "";
		call_ok(c);
		ck_assert_str_eq(leases(), "");
		call_ok(c);
	}
}
END_TEST

START_TEST(del_spares_what_is_of_another_kind)
{
	struct reply r;

	sh_in("c1", "ip link add eth0 type veth peer name other");
	lease("ctr1", "eth0");
	r = call_ok(on_container(1, "DEL", plain(kinds[_i].config)));
	ck_assert_ptr_nonnull(strstr(r.err, fmt("\"eth0\" stays: it is no %s", kinds[_i].type)));
	sh_in("c1", "ip link show eth0");
	ck_assert_str_eq(leases(), "");
}
END_TEST

START_TEST(gc_gives_back_what_nobody_has)
{
	struct call c = on_container(1, "GC", plain(kinds[_i].config));

	lease("ctr1", "eth0");
	lease("ctr2", "eth0");
	c.config = fmt("%.*s,\"cni.dev/valid-attachments\":"
		       "[{\"containerID\":\"ctr2\",\"ifname\":\"eth0\"}]}",
		       (int)strlen(c.config) - 1, c.config);
	call_ok(c);
	ck_assert_str_eq(leases(), "10.1.0.3");
}
END_TEST

START_TEST(check_says_what_is_missing)
{
	struct call c = on_container(1, "CHECK", plain(kinds[_i].config));
	const char *prev = fmt("{\"cniVersion\":\"1.1.0\",\"interfaces\":[{\"name\":\"eth0\","
			       "\"sandbox\":\"/run/netns/c1\"}],"
			       "\"ips\":[{\"address\":\"10.1.0.2/24\"}]}");

	call_fails(c, 7, "Required prevResult missing");
	lease("ctr1", "eth0");
	c.config = with_prev(c.config, prev);
	call_fails(c, 999, "Interface name eth0 not found");
	sh_in("c1", "ip link add eth0 type veth peer name other");
	call_fails(c, 999, fmt("Error: Container interface eth0 not of type %s", kinds[_i].type));
}
END_TEST

int main(int argc, char **argv)
{
	Suite *suite = suite_create("links that this kernel may not make");
	TCase *tc = tcase_create("links");

	if (argc > 1 && strcmp(argv[1], REFUSE_MODE) == 0)
		return refuse_main(argv + 2);
	tcase_add_checked_fixture(tc, setup, world_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, what_cannot_work_is_refused_and_nothing_changed);
	tcase_add_test(tc, status_is_of_the_configuration_and_of_ipam);
	tcase_add_loop_test(tc, a_kernel_without_such_links_is_named_and_nothing_left, 0,
			    ARRAY_SIZE(kinds));
	tcase_add_loop_test(tc, del_gives_the_address_back_whatever_is_gone, 0, ARRAY_SIZE(kinds));
	tcase_add_loop_test(tc, del_spares_what_is_of_another_kind, 0, ARRAY_SIZE(kinds));
	tcase_add_loop_test(tc, gc_gives_back_what_nobody_has, 0, ARRAY_SIZE(kinds));
	tcase_add_loop_test(tc, check_says_what_is_missing, 0, ARRAY_SIZE(kinds));
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
