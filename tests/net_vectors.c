/*
 * What real runtimes asked, and what the Go plugins answered (tests/vectors: containerd, CRI-O, nerdctl,
 * podman, kubelet and others), asked of our plugins once more: environment and stdin as recorded, the
 * answer compared with the recorded one.
 *
 * All requests for one container are a life, replayed in their order in a world of its own: paths of
 * namespaces are those of the recording (below /proc those of a process of ours), MACs and veth names
 * that the kernel chose are replaced by today's. Of each kind of request one is kept only, so what must
 * have come before is made up from the request itself: its network, its ADD before its CHECK or DEL.
 * DEL is asked twice, and in the end nothing may be left.
 *
 * Requests to an IPAM plugin by its caller are replayed after the others, in which they are made inside.
 *
 * With CNI_TEST_PLUGINS the Go plugins can be asked: their answers pass, but they leave things behind
 * after a DEL without namespace or prevResult.
 */
#include "vectors.h"

#include <arpa/inet.h>
#include <net/if.h>

/* What was done to the world between two requests, so that the second one had to fail. */
static const struct {
	const char *file, *host, *inside;
} meanwhile[] = {
	{ "cnitool-1.3/018", NULL, "ip addr del 10.88.52.2/24 dev eth0" },
	{ "cnitool-1.3/019", "iptables -t nat -F CNI-DN-8e751bbe71406bb1b2243", NULL },
	{ "cnitool-1.3/020", NULL, "ip link set eth0 mtu 1300" },
	{ "cnitool-1.3/068", NULL, "ip route flush table main" },
	{ "nerdctl-2.1/031", "printf 'other\\r\\neth0' >/var/lib/cni/networks/rt-n1/10.88.101.50",
	  NULL },
	{ "nerdctl-2.1/032", "printf 'other\\r\\neth0' >/var/lib/cni/networks/rt-n1/10.88.101.50",
	  NULL },
	{ "podman-4.3/023", "printf 'other\\r\\neth0' >/var/lib/cni/networks/rt-n1/10.88.30.50",
	  NULL },
	{ "podman-4.3/024", "printf 'other\\r\\neth0' >/var/lib/cni/networks/rt-n1/10.88.30.50",
	  NULL },
};

/* Texts that are meant to differ (docs/compat.md), by their first words. */
static const struct {
	const char *theirs, *ours;
} texts[] = {
	{ "could not check ipv4 dnat: rule [[",
	  "could not check ipv4 dnat: rule in chain CNI-DN-" },
	{ "container veth name (\"eth0\") peer provided",
	  "container veth name (\"eth0\") already" },
};

/* ---- asking ---- */

static const char *environment(const struct vector *v, const char *command, const char *netns)
{
	const char *made = "env -u CNI_PATH", *key;
	json_t *value;

	json_object_foreach (v->env, key, value) {
		const char *text = json_string_value(value);

		if (strcmp(key, "CNI_COMMAND") == 0)
			text = command;
		else if (strcmp(key, "CNI_NETNS") == 0)
			text = netns;
		else if (strcmp(key, "CNI_PATH") == 0 && strncmp(text, "/opt/cni/bin", 12) == 0)
			text = our_plugins();
		made = fmt("%s %s='%s'", made, key, text);
	}
	return made;
}

static struct reply ask(const struct vector *v, const char *plugin, const char *command,
			const char *netns, const char *input)
{
	return call(
		(struct call){ .plugin = plugin,
			       .config = input,
			       .id = "",
			       .ifname = "",
			       /* with which the harness leaves the environment to the next line */
			       .wrapper = environment(v, command, netns) });
}

/* ---- what is attached ---- */

static struct attached {
	const struct vector *by; /* for the environment */
	const char *plugin, *network, *netns, *input, *result;
	bool gone, failed;
} attachments[128];
static size_t n_attachments;

static struct attached *attached_find(const struct vector *v, const char *plugin)
{
	for (size_t i = n_attachments; i > 0; i--) {
		struct attached *a = &attachments[i - 1];

		if (!a->gone && strcmp(a->plugin, plugin) == 0 &&
		    strcmp(a->network, text_of(v->conf, "name")) == 0 &&
		    strcmp(a->by->ifname, v->ifname) == 0)
			return a;
	}
	return NULL;
}

static struct attached *attached_note(const struct vector *v, const char *plugin, const char *netns,
				      const char *input, const struct reply *r)
{
	struct attached *a = &attachments[n_attachments++];

	ck_assert_uint_lt(n_attachments, sizeof(attachments) / sizeof(attachments[0]));
	*a = (struct attached){ .by = v,
				.plugin = plugin,
				.network = text_of(v->conf, "name"),
				.netns = netns,
				.input = input,
				.result = r->out,
				.failed = r->status != 0 };
	return a;
}

static void detach_all(void)
{
	while (n_attachments > 0) {
		struct attached *a = &attachments[--n_attachments];
		struct reply r;

		if (a->gone)
			continue;
		r = ask(a->by, a->plugin, "DEL", a->netns, a->input);
		ck_assert_msg(r.status == 0, "DEL of %s after %s: %s", a->plugin, a->by->file,
			      r.out);
	}
}

/* The next address of each set is the one that the recorded run was given. */
static void leases_as_then(const json_t *conf, const json_t *result)
{
	const char *dir = fmt("/var/lib/cni/networks/%s", text_of(conf, "name"));
	json_t *one;
	size_t i;

	json_array_foreach (json_object_get(result, "ips"), i, one) {
		const char *address = text_of(one, "address");
		const char *plain = fmt("%.*s", (int)strcspn(address, "/"), address);
		int family = strchr(plain, ':') ? AF_INET6 : AF_INET;
		size_t byte = family == AF_INET ? 4 : 16;
		char text[INET6_ADDRSTRLEN];
		unsigned char ip[16];
		FILE *f;

		ck_assert_int_eq(inet_pton(family, plain, ip), 1);
		while (byte > 0 && ip[--byte]-- == 0)
			;
		inet_ntop(family, ip, text, sizeof(text));
		make_directories(dir);
		f = fopen(fmt("%s/last_reserved_ip.%zu", dir, i), "w");
		ck_assert_ptr_nonnull(f);
		ck_assert_int_ge(fputs(text, f), 0);
		ck_assert_int_eq(fclose(f), 0);
	}
}

/* The request of bridge for the network of @p v, as its client made it at some time; else made up. */
static json_t *network_of(const struct vector *v, const json_t *prev)
{
	const struct vector *best = strcmp(v->plugin, "bridge") == 0 ? v : NULL;
	json_t *conf, *list;

	for (size_t i = 0; i < n_vectors && !best; i++)
		if (strcmp(vectors[i].plugin, "bridge") == 0 &&
		    strcmp(vectors[i].client, v->client) == 0 &&
		    strcmp(text_of(vectors[i].conf, "name"), text_of(v->conf, "name")) == 0)
			best = &vectors[i];
	if (best) {
		conf = json_deep_copy(best->conf);
		json_object_set(conf, "cniVersion", json_object_get(v->conf, "cniVersion"));
		json_object_del(conf, "prevResult");
		return conf;
	}
	/* static adds the addresses of CNI_ARGS to these. */
	if (strstr(text_of(v->env, "CNI_ARGS"), ";IP="))
		list = json_array();
	else if (prev)
		list = json_deep_copy(json_object_get(prev, "ips"));
	else
		list = json_pack("[{s:s}]", "address", "10.88.254.2/24");
	for (size_t i = 0; i < json_array_size(list); i++) {
		json_object_del(json_array_get(list, i), "interface");
		json_object_del(json_array_get(list, i), "version");
	}
	return json_pack("{s:O, s:O, s:s, s:s, s:{s:s, s:o}}", "cniVersion",
			 json_object_get(v->conf, "cniVersion"), "name",
			 json_object_get(v->conf, "name"), "type", "bridge", "bridge", "made-up0",
			 "ipam", "type", "static", "addresses", list);
}

/* The bridge's part of an attachment that a request takes for granted, or macvlan's if that came before. */
static struct attached *attach(const struct vector *v)
{
	const json_t *prev = json_object_get(v->conf, "prevResult");
	struct attached *bridge = attached_find(v, "bridge");
	struct attached *a = bridge ? bridge : attached_find(v, "macvlan");
	const char *netns, *input, *mac = "";
	json_t *conf, *one;
	struct reply r;
	size_t i;

	if (a &&
	    (!prev || !strstr(dump(prev), "\"veth") || strcmp(today(dump(prev)), dump(prev)) != 0))
		return a;
	detach_all();
	json_array_foreach (json_object_get(prev, "interfaces"), i, one)
		if (role(one) == 's')
			mac = text_of(one, "mac");
	conf = network_of(v, prev);
	if (*mac)
		json_object_set_new(conf, "runtimeConfig", json_pack("{s:s}", "mac", mac));
	leases_as_then(conf, prev);
	netns = place(*v->netns ? v->netns : "/run/netns/not-told");
	input = dump(conf);
	r = ask(v, "bridge", "ADD", netns, input);
	ck_assert_msg(r.status == 0, "%s: the ADD before it: %s", v->file, r.out);
	learn(prev, r.json, "svb", input);
	json_decref(conf);
	return attached_note(v, "bridge", netns, input, &r);
}

/* What must have been before this CHECK or DEL. */
static void add_before(const struct vector *v)
{
	json_t *conf = json_deep_copy(v->conf);
	const char *input, *netns;
	struct attached *base;
	struct reply r;

	if (strcmp(v->plugin, "bridge") == 0) {
		attach(v);
		json_decref(conf);
		return;
	}
	if (is_chained(v->plugin)) {
		base = attach(v);
		netns = base->netns;
		if (!json_object_get(conf, "prevResult"))
			json_object_set_new(conf, "prevResult", json_loads(base->result, 0, NULL));
	} else {
		if (makes_a_link(v->plugin))
			detach_all();
		netns = place(*v->netns ? v->netns : "/run/netns/not-told");
		leases_as_then(conf, json_object_get(conf, "prevResult"));
		json_object_del(conf, "prevResult");
	}
	input = today(dump(conf));
	json_decref(conf);
	r = ask(v, v->plugin, "ADD", netns, input);
	ck_assert_msg(r.status == 0, "%s: the ADD before it: %s", v->file, r.out);
	attached_note(v, v->plugin, netns, input, &r);
}

/* ---- replaying ---- */

static void happen(const char *file, const char *netns)
{
	for (size_t i = 0; i < sizeof(meanwhile) / sizeof(meanwhile[0]); i++) {
		if (strncmp(file, meanwhile[i].file, strlen(meanwhile[i].file)) != 0)
			continue;
		make_directories("/var/lib/cni/networks/rt-n1");
		if (meanwhile[i].host)
			sh("%s", meanwhile[i].host);
		if (meanwhile[i].inside)
			sh("nsenter --net=%s %s", netns, meanwhile[i].inside);
	}
}

/* nerdctl wants firewall of 1.7.1 at least for "isolated", and looks here. */
static void compare_version_line(const struct vector *v, const char *errors)
{
	const char *rest = strchr(errors, '\n');

	ck_assert_msg(rest != NULL, "%s: stderr: %s", v->file, errors);
	ck_assert_str_eq(rest, strchr(v->errors, '\n'));
	if (strncmp(errors, v->errors, (size_t)(rest - errors)) == 0)
		return; /* built without a version, as that one */
	ck_assert_msg(strncmp(errors, "CNI firewall plugin v", 21) == 0 &&
			      strverscmp(errors + 20, "v1.7.1") >= 0,
		      "%s: stderr: %s", v->file, errors);
}

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static void compare_error(const struct vector *v, const struct reply *r)
{
	const char *theirs = text_of(v->answer, "msg");
	bool same = begins(r->msg, theirs);

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]) && !same; i++)
		same = begins(theirs, texts[i].theirs) &&
		       (begins(r->msg, texts[i].ours) || begins(r->msg, texts[i].theirs));
	ck_assert_msg(same, "%s: wanted: %s\ngot: %s", v->file, theirs, r->out);
}

/* Before 1.0.0 loopback of the Go plugins answers in the shape of 1.0.0 (docs/compat.md). */
static void loopback_as_theirs(const struct vector *v, json_t *result)
{
	json_t *one;
	size_t i;

	if (strcmp(v->plugin, "loopback") != 0 || text_of(result, "cniVersion")[0] != '0')
		return;
	json_object_del(result, "dns");
	json_array_foreach (json_object_get(result, "ips"), i, one)
		json_object_del(one, "version");
}

/* Without an address a bridge of the Go plugins has the MAC of a port, ours its own (docs/compat.md). */
static void bridge_as_ours(json_t *then, const json_t *now)
{
	json_t *bridge = json_array_get(json_object_get(then, "interfaces"), 0);
	const json_t *port = json_array_get(json_object_get(then, "interfaces"), 1);
	const json_t *ours = json_array_get(json_object_get(now, "interfaces"), 0);

	if (role(bridge) == 'b' && strcmp(text_of(bridge, "mac"), text_of(port, "mac")) == 0)
		json_object_set(bridge, "mac", json_object_get(ours, "mac"));
}

static void compare(const struct vector *v, const struct reply *r)
{
	loopback_as_theirs(v, r->json);
	ck_assert_msg(r->status == v->status, "%s: exit %d, not %d\nstdout: %s\nstderr: %s",
		      v->file, r->status, v->status, r->out, r->err);
	if (v->status != 0) {
		compare_error(v, r);
	} else if (json_is_object(v->answer)) {
		const char *wanted, *got;

		bridge_as_ours(v->answer, r->json);
		wanted = today(dump(v->answer));
		got = dump(r->json);

		ck_assert_msg(strcmp(wanted, got) == 0, "%s\nwanted %s\ngot    %s", v->file, wanted,
			      got);
	} else {
		ck_assert_msg(strcmp(r->out, "") == 0, "%s: %s", v->file, r->out);
	}
	if (*v->errors)
		compare_version_line(v, r->err);
}

/* The answer is that of the plugin before, so the rules have to say that the ports were understood. */
static void assert_published(const struct vector *v)
{
	const json_t *runtime = json_object_get(v->conf, "runtimeConfig");
	json_t *mapping, *value;
	const char *rules, *key;
	size_t i;

	if (!json_object_get(runtime, "portMappings"))
		return;
	rules = sh("iptables-save -t nat");
	json_array_foreach (json_object_get(runtime, "portMappings"), i, mapping)
		json_object_foreach (mapping, key, value)
			if (strcasecmp(key, "hostPort") == 0)
				ck_assert_msg(strstr(rules, fmt("--dport %d -j DNAT",
								(int)json_integer_value(value))),
					      "%s: %s %lld: %s", v->file, key,
					      json_integer_value(value), rules);
}

static void replay_add(const struct vector *v)
{
	const char *netns = place(v->netns), *input;
	struct reply r;

	if (is_chained(v->plugin))
		attach(v);
	else if (n_attachments > 0 && makes_a_link(v->plugin) && v->status == 0)
		detach_all();
	if (v->status == 0)
		leases_as_then(v->conf, v->answer);
	input = today(v->input);
	happen(v->file, netns);
	r = ask(v, v->plugin, "ADD", netns, input);
	if (r.status == 0)
		learn(v->answer, r.json, is_chained(v->plugin) ? "i" : "svb",
		      fmt("%s%s", v->input, text_of(v->env, "CNI_ARGS")));
	compare(v, &r);
	if (v->status == 0 && strcmp(v->plugin, "portmap") == 0)
		assert_published(v);
	if (v->status == 0 || !attached_find(v, v->plugin))
		attached_note(v, v->plugin, netns, input, &r);
}

static void replay_del(const struct vector *v)
{
	struct attached *a = attached_find(v, v->plugin);
	struct reply r;

	if (!a) {
		add_before(v);
		a = attached_find(v, v->plugin);
	}
	for (int i = 0; i < 2; i++) {
		r = ask(v, v->plugin, "DEL", place(v->netns), today(v->input));
		compare(v, &r);
	}
	if (*v->netns && makes_a_link(v->plugin))
		ck_assert_int_ne(sh_status("nsenter --net=%s ip link show %s", place(v->netns),
					   v->ifname),
				 0);
	a->gone = true;
}

/* The host's interface that a macvlan is on: a bridge, as no pair of veth may be left in the end. */
static void make_master(const char *name)
{
	if (*name && if_nametoindex(name) == 0)
		sh("ip link add %s type bridge && ip link set %s up", name, name);
}

static void replay(const struct vector *v)
{
	struct reply r;

	make_master(text_of(v->conf, "master"));
	if (strcmp(v->command, "ADD") == 0) {
		replay_add(v);
		return;
	}
	if (strcmp(v->command, "DEL") == 0) {
		replay_del(v);
		return;
	}
	if (strcmp(v->command, "CHECK") == 0 && !attached_find(v, v->plugin))
		add_before(v);
	happen(v->file, place(v->netns));
	r = ask(v, v->plugin, v->command, place(v->netns), today(v->input));
	compare(v, &r);
}

static void assert_nothing_is_left(const char *id)
{
	ck_assert_str_eq(
		sh("{ ip -o link show type veth; find /run/cni -type f; "
		   "find /var/lib/cni -type f -name '*[.:]*' ! -name 'last_reserved_ip.*' ! -name "
		   ".ccni-index ! -exec grep -q ^other {} ';' -print; "
		   "nft list ruleset | grep -F -e 10.88. -e fd88: -e '%s'; } 2>/dev/null || :",
		   *id ? id : "10.88."),
		"");
}

/* @param delegated  of what the plugins were asked by others, else of what the runtime asked */
static void replay_life(int n, bool delegated)
{
	int found = 0;

	for (size_t i = 0; i < n_vectors; i++) {
		const struct vector *v = &vectors[i];

		if (!wanting(v) && is_of_life(v, n) && v->delegated == delegated) {
			replay(v);
			found++;
		}
	}
	if (found == 0)
		return;
	detach_all();
	assert_nothing_is_left(lives[n].id);
}

START_TEST(answers_a_life_as_recorded)
{
	replay_life(_i, false);
	replay_life(_i, true);
}
END_TEST

/* Names the plugins for want of which requests are not replayed yet. */
static void report(void)
{
	size_t ours = 0;

	for (size_t i = 0; i < n_vectors; i++) {
		const char *plugin = wanting(&vectors[i]);
		size_t n = 0, first = n_vectors;

		if (!plugin) {
			ours++;
			continue;
		}
		for (size_t k = 0; k < n_vectors; k++) {
			const char *other = wanting(&vectors[k]);

			if (other && strcmp(other, plugin) == 0) {
				n++;
				first = k < first ? k : first;
			}
		}
		if (first == i)
			printf("not replayed: %zu requests that need %s%s\n", n, plugin,
			       peer_has(our_plugins(), plugin)
				       ? ", which is here by now: replayed[] wants it"
				       : "");
	}
	printf("replayed: %zu requests in %d lives\n", ours, n_lives);
}

int main(void)
{
	Suite *suite = suite_create("vectors");
	TCase *tc = tcase_create("requests");
	glob_t found;

	if (glob(SOURCE_DIR "/tests/vectors/*/*.json", 0, NULL, &found) != 0)
		return 1;
	for (size_t i = 0; i < found.gl_pathc; i++)
		load(found.gl_pathv[i]);
	globfree(&found);
	report();
	tcase_add_checked_fixture(tc, world_setup, world_teardown);
	tcase_set_timeout(tc, 300);
	tcase_add_loop_test(tc, answers_a_life_as_recorded, 0, n_lives);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
