/*
 * Golden results: what ADD prints, byte for byte, in every version of the specification. MACs, the name of
 * the veth's host end and the path of the namespace are replaced by words.
 *
 * The files below tests/golden are what the newest Go plugins print, but for two deliberate differences
 * (docs/compat.md): error objects name the version, and loopback's results before 1.0.0 have their own
 * version's shape. With CNI_GOLDEN_WRITE=1 they are written instead of compared; CNI_TEST_PLUGINS names
 * other plugins to take them from.
 */
#include "peer_state.h"

static const char *const versions[] = { "0.1.0", "0.2.0", "0.3.0", "0.3.1",
					"0.4.0", "1.0.0", "1.1.0" };
#define N_VERSIONS (int)(sizeof(versions) / sizeof(versions[0]))

#define LOCAL "'ipam':{'type':'host-local',"
#define DUAL "'ranges':[[{'subnet':'10.1.0.0/24'}],[{'subnet':'fd00:1::/64'}]]"

static const struct golden {
	const char *plugin, *name, *config;
} cases[] = {
	{ "bridge", "dual-stack-default-gateway",
	  "{'cniVersion':'@','name':'net1','type':'bridge','bridge':'br0',"
	  "'isDefaultGateway':true," LOCAL DUAL "}}" },
	{ "bridge", "mac-dns-routes",
	  "{'cniVersion':'@','name':'net1','type':'bridge','bridge':'br0','isGateway':true,"
	  "'runtimeConfig':{'mac':'" ASKED_MAC "07'},'dns':{'nameservers':['10.9.9.9'],"
	  "'domain':'d.e','search':['a','b'],'options':['ndots:2']}," LOCAL
	  "'subnet':'10.1.0.0/24','routes':[{'dst':'0.0.0.0/0'},"
	  "{'dst':'10.50.0.0/16','gw':'10.1.0.9'}]}}" },
	{ "bridge", "layer-2", "{'cniVersion':'@','name':'net1','type':'bridge','bridge':'br0'}" },
	{ "host-local", "one-range",
	  "{'cniVersion':'@','name':'net1','type':'host-local'," LOCAL "'subnet':'10.1.0.0/24'}}" },
	{ "host-local", "dual-stack-routes-resolv-conf",
	  "{'cniVersion':'@','name':'net1','type':'host-local'," LOCAL DUAL
	  ",'resolvConf':'/run/world/resolv.conf','routes':[{'dst':'0.0.0.0/0'},"
	  "{'dst':'::/0','gw':'fd00:1::9'},{'dst':'10.50.0.0/16','mtu':1400,'advmss':1300,"
	  "'priority':50,'table':100,'scope':0}]}}" },
	{ "host-local", "exhausted",
	  "{'cniVersion':'@','name':'net1','type':'host-local'," LOCAL
	  "'subnet':'10.1.0.0/30','rangeStart':'10.1.0.1','rangeEnd':'10.1.0.1'}}" },
	{ "static", "addresses-routes-dns",
	  "{'cniVersion':'@','name':'net1','type':'static','ipam':{'type':'static',"
	  "'addresses':[{'address':'10.1.2.3/24','gateway':'10.1.2.1'},"
	  "{'address':'fd00::5/64','gateway':'fd00::1'}],'routes':[{'dst':'0.0.0.0/0'},"
	  "{'dst':'192.168.1.5/16','gw':'10.1.2.9','mtu':1400,'advmss':1300,'priority':50,"
	  "'table':100,'scope':253},{'dst':'::/0','gw':'fd00::9'},"
	  "{'dst':'1.1.1.0/24','table':0,'scope':0}],'dns':{'nameservers':['8.8.8.8'],"
	  "'domain':'ex.org','search':['a.b','c.d'],'options':['ndots:5']}}}" },
	{ "static", "addresses-of-the-runtime",
	  "{'cniVersion':'@','name':'net1','type':'static','runtimeConfig':{'ips':"
	  "['10.4.0.5/24']},'args':{'cni':{'ips':['10.3.0.5/24']}},'ipam':{'type':'static',"
	  "'addresses':[{'address':'10.1.2.3/24','gateway':'10.1.2.1'}]}}" },
	{ "static", "no-addresses",
	  "{'cniVersion':'@','name':'net1','type':'static','ipam':{'type':'static'}}" },
	{ "loopback", "plain", "{'cniVersion':'@','name':'lo','type':'loopback'}" },
};
#define N_CASES (int)(sizeof(cases) / sizeof(cases[0]))

static const char *contents(const char *path)
{
	FILE *f = fopen(path, "r");
	char text[8192];
	size_t n;

	ck_assert_msg(f != NULL, "%s: missing", path);
	n = fread(text, 1, sizeof(text) - 1, f);
	ck_assert_uint_lt(n, sizeof(text) - 1);
	fclose(f);
	text[n] = '\0';
	return fmt("%s", text);
}

static void write_golden(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

START_TEST(prints_the_golden_result)
{
	const struct golden *g = &cases[_i / N_VERSIONS];
	const char *version = versions[_i % N_VERSIONS], *path, *text;
	struct reply r;

	sh("printf '# x\\nnameserver 10.8.8.8\\nsearch a b\\ndomain q\\noptions rotate\\n' > "
	   "/run/world/resolv.conf");
	r = call((struct call){ .command = "ADD",
				.netns = container_add("c1"),
				.config = conf(g->config, version) });
	text = plain_reply(&r, false);
	path = fmt("%s/tests/golden/%s/%s.%s.json", SOURCE_DIR, g->plugin, g->name, version);
	if (getenv("CNI_GOLDEN_WRITE"))
		write_golden(path, text);
	else
		ck_assert_str_eq(contents(path), text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("golden");
	TCase *tc = tcase_create("results");

	tcase_add_checked_fixture(tc, world_setup, world_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, prints_the_golden_result, 0, N_CASES * N_VERSIONS);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
