/*
 * Each key of bridge alone, and each two of them together, through ours and the newest Go plugin: the
 * same exit status, result and state of the kernel, or a difference of the table in peer_story.h.
 */
#include "peer_story.h"

static const struct key {
	const char *name, *config;
	const char *ipam; /* instead of addresses of IPv4; "" = none */
	const char *args; /* CNI_ARGS */
	unsigned int allow;
} keys[] = {
	{ "isGateway", .config = GW },
	{ "isDefaultGateway", .config = DEFAULT_GW },
	{ "forceAddress", .config = ",'forceAddress':true" },
	{ "ipMasq", .config = ",'ipMasq':true,'ipMasqBackend':'nftables'", .allow = MASQ },
	{ "mtu", .config = ",'mtu':1400" },
	{ "hairpinMode", .config = ",'hairpinMode':true" },
	{ "promiscMode", .config = ",'promiscMode':true" },
	{ "macspoofchk", .config = ",'macspoofchk':true" },
	{ "enabledad", .config = ",'enabledad':true" },
	{ "portIsolation", .config = ",'portIsolation':true" },
	{ "preserveDefaultVlan", .config = ",'preserveDefaultVlan':true" },
	{ "runtimeConfig.mac", .config = ",'runtimeConfig':{'mac':'" ASKED_MAC "03'}" },
	{ "args.cni.mac", .config = ",'args':{'cni':{'mac':'" ASKED_MAC "02'}}" },
	{ "MAC in CNI_ARGS", .config = "", .args = "IgnoreUnknown=1;MAC=" ASKED_MAC "01" },
	{ "dns", .config = ",'dns':{'nameservers':['10.9.9.9'],'search':['a.b']}" },
	{ "no ipam", .config = "", .ipam = "" },
	{ "dual stack", .config = "", .ipam = LOCAL("'ranges':[[{" V4 "}],[{" V6 "}]]") },
};
#define N_KEYS (int)(sizeof(keys) / sizeof(keys[0]))

/* @return the code of what is refused before any look at the container; else another one */
static int code_of(const struct row *row)
{
	return call((struct call){ .command = "ADD",
				   .netns = "/run/netns/none",
				   .args = row->args,
				   .config = conf(row->config, "1.0.0") })
		.code;
}

static void compare_keys(const struct key *a, const struct key *b)
{
	const char *ipam = a->ipam ? a->ipam : b->ipam ? b->ipam : LOCAL(V4);
	struct row row = {
		.args = a->args ? a->args : b->args,
		.alone = true,
		.allow = a->allow | b->allow,
	};
	int code;

	/* Each sets what the other takes away. */
	if (a != b && a->ipam && b->ipam)
		return;
	row.name = strdup(a == b ? a->name : fmt("%s, %s", a->name, b->name));
	row.config = strdup(fmt("{'cniVersion':'@','name':'net1','type':'bridge','bridge':'br0'"
				"%s%s%s}",
				a->config, a == b ? "" : b->config, ipam));
	code = code_of(&row);
	row.no_check = !*ipam; /* theirs fails always: docs/compat.md */
	if (code == 7) {
		/* The two exclude each other. */
		row.only_replies = true;
		row.allow |= CODE_CONFIG;
	}
	if (code != 2) /* a key that is not done yet */
		compare(&row, newest_plugins(), false);
	free((char *)row.name);
	free((char *)row.config);
}

/* With itself: alone. */
START_TEST(a_key_with_each_of_the_later_ones)
{
	for (int k = _i; k < N_KEYS; k++)
		compare_keys(&keys[_i], &keys[k]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pairs");
	TCase *tc = tcase_create("pairs");

	tcase_add_checked_fixture(tc, world_setup, world_teardown);
	tcase_set_timeout(tc, 600);
	if (peer_has(getenv("CNI_PEER_DIR"), "bridge"))
		tcase_add_loop_test(tc, a_key_with_each_of_the_later_ones, 0, N_KEYS);
	suite_add_tcase(suite, tc);
	return peer_main(suite, "bridge");
}
