/*
 * Every file of conf-examples/, run for real: two containers on the network, as a runtime attaches
 * them, with traffic between them, to the gateway and, where it is masqueraded, to an outside world
 * that has no way back to the containers' subnet. A file without expectations here is a failure.
 */
#include "examples.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXAMPLES SOURCE_DIR "/conf-examples"

/* Addresses of the outside world, and of the host's side of the way there. */
#define OUTSIDE4 "198.51.100.2"
#define OUTSIDE6 "2001:db8::2"
#define HOST4 "198.51.100.1"
#define HOST6 "2001:db8::1"
#define PORT 80
/* No answer after this many seconds is none. */
#define PATIENCE 10

/* ---- what a runtime does ---- */

static const char *read_text(const char *path)
{
	return sh("cat %s", path);
}

/* The network as text; the test fails unless it is a list as libcni reads it. */
static json_t *load_list(const char *path)
{
	json_t *list = json_loads(read_text(path), 0, NULL);

	ck_assert_msg(list != NULL, "%s is not JSON", path);
	ck_assert_msg(json_is_string(json_object_get(list, "cniVersion")), "%s: cniVersion", path);
	ck_assert_msg(json_is_string(json_object_get(list, "name")), "%s: name", path);
	ck_assert_msg(json_array_size(json_object_get(list, "plugins")) > 0, "%s: plugins", path);
	return list;
}

/* runtimeConfig: of what the runtime has to say, what the plugin asks for. */
static void put_runtime_config(json_t *conf, const char *capabilities)
{
	json_auto_t *offered = json_loads(capabilities, 0, NULL);
	json_t *runtime = json_object(), *wanted, *value;
	const char *key;

	ck_assert_ptr_nonnull(offered);
	json_object_foreach (json_object_get(conf, "capabilities"), key, wanted) {
		value = json_object_get(offered, key);
		if (json_is_true(wanted) && value)
			json_object_set(runtime, key, value);
	}
	json_object_set_new(conf, "runtimeConfig", runtime);
}

/* What plugin @p i of the list gets on stdin. */
static const char *plugin_config(json_t *list, size_t i, const struct member *m, const char *prev)
{
	json_t *plugin = json_array_get(json_object_get(list, "plugins"), i);
	json_auto_t *conf = json_deep_copy(plugin);
	const char *text;
	char *dumped;

	json_object_set(conf, "name", json_object_get(list, "name"));
	json_object_set(conf, "cniVersion", json_object_get(list, "cniVersion"));
	if (m->capabilities)
		put_runtime_config(conf, m->capabilities);
	dumped = json_dumps(conf, JSON_COMPACT);
	ck_assert_ptr_nonnull(dumped);
	text = prev ? with_prev(dumped, prev) : fmt("%s", dumped);
	free(dumped);
	return text;
}

/* One verb for one container, through the whole list. @return ADD: the last plugin's result */
static const char *run_list(json_t *list, const struct example *ex, const struct member *m,
			    const char *command, const char *prev)
{
	size_t n = json_array_size(json_object_get(list, "plugins"));
	bool add = strcmp(command, "ADD") == 0, del = strcmp(command, "DEL") == 0;

	for (size_t i = 0; i < n; i++) {
		struct call c = { .command = command,
				  .id = m->name,
				  .netns = fmt("/run/netns/%s", m->name),
				  .ifname = ex->ifname,
				  .args = m->args,
				  .config = plugin_config(list, del ? n - 1 - i : i, m, prev) };
		struct reply r = call_ok(c);

		if (add)
			prev = r.out;
	}
	return prev;
}

/* ---- the outside world ---- */

static void outside_add(void)
{
	container_add("outside");
	sh("ip link add uplink type veth peer name uplink netns outside && ip link set uplink up "
	   "&& "
	   "ip addr add " HOST4 "/24 dev uplink && ip addr add " HOST6 "/64 dev uplink nodad");
	sh_in("outside", "ip link set lo up && ip link set uplink up && ip addr add " OUTSIDE4
			 "/24 dev uplink "
			 "&& ip addr add " OUTSIDE6 "/64 dev uplink nodad");
}

/* In the outside world: answer one connection with the address it comes from. Does not return. */
static void serve(int family, int ready)
{
	struct sockaddr_in6 any6 = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };
	struct sockaddr_in any4 = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	struct sockaddr *any = family == AF_INET ? (void *)&any4 : (void *)&any6;
	socklen_t len = family == AF_INET ? sizeof(any4) : sizeof(any6);
	int netns = open("/run/netns/outside", O_RDONLY | O_CLOEXEC), listener, client;
	struct sockaddr_storage peer;
	char host[NI_MAXHOST];
	int yes = 1;

	(void)signal(SIGALRM, SIG_DFL); /* check's own handler would kill the whole test */
	alarm(PATIENCE);
	if (netns < 0 || setns(netns, CLONE_NEWNET) < 0)
		_exit(2);
	listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) < 0 ||
	    bind(listener, any, len) < 0 || listen(listener, 1) < 0)
		_exit(3);
	if (write(ready, "", 1) != 1)
		_exit(4);
	len = sizeof(peer);
	client = accept(listener, (struct sockaddr *)&peer, &len);
	if (client < 0 || getnameinfo((struct sockaddr *)&peer, len, host, sizeof(host), NULL, 0,
				      NI_NUMERICHOST) != 0)
		_exit(5);
	_exit(dprintf(client, "%s\n", host) < 0 ? 6 : 0);
}

/* @return the address that the outside world sees when the container connects to it */
static const char *seen_from_outside(const char *container, int family)
{
	const char *outside = family == AF_INET ? OUTSIDE4 : OUTSIDE6, *seen;
	int ready[2], status;
	pid_t pid;
	char c;

	ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		serve(family, ready[1]);
	close(ready[1]);
	ck_assert_msg(read(ready[0], &c, 1) == 1, "the server of the outside world died");
	close(ready[0]);
	seen = sh_in(container, "timeout %d bash -c 'cat </dev/tcp/%s/%d'", PATIENCE, outside,
		     PORT);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
		      "the server of the outside world: wait status %x", status);
	return seen;
}

/* ---- what must be so ---- */

#define ADDRESSES "ip -o addr show dev %s | awk '$4 !~ /^fe80:/ { print $4 }' | xargs"
#define LINKS "ip -o link | awk '{ print $2, $3 }'"
#define LEASES \
	"find /var/lib/cni -type f ! -name lock ! -name 'last_reserved_ip.*' ! -name '.*' | xargs"

static const char *ifname_of(const struct example *ex)
{
	return ex->ifname ? ex->ifname : "eth0";
}

static void assert_result(const struct example *ex, const struct member *m, const char *result)
{
	json_auto_t *res = json_loads(result, 0, NULL);
	json_auto_t *dns = json_loads(ex->dns ? ex->dns : "{}", 0, NULL);
	json_t *got = json_object_get(res, "dns"), *ip;
	const char *addresses = "";
	size_t i;

	json_array_foreach (json_object_get(res, "ips"), i, ip)
		addresses = fmt("%s%s%s", addresses, i ? " " : "",
				json_string_value(json_object_get(ip, "address")));
	ck_assert_str_eq(addresses, m->addresses);
	ck_assert_msg(ex->dns ? json_equal(got, dns) : !got || json_equal(got, dns), "dns in %s",
		      result);
}

static void ping_all(const struct member *from, const char *addresses)
{
	if (addresses && *addresses)
		sh_in(from->name, "for a in %s; do ping -q -c1 -W%d ${a%%/*} || exit; done",
		      addresses, PATIENCE);
}

static void assert_member(const struct example *ex, const struct member *m,
			  const struct member *other)
{
	ck_assert_str_eq(sh_in(m->name, ADDRESSES, ifname_of(ex)), m->addresses);
	sh_in(m->name, "ip link show %s | grep -q '[<,]UP[,>]'", ifname_of(ex));
	if (m->also)
		sh_in(m->name, "%s", m->also);
	ping_all(m, other->addresses);
	ping_all(m, ex->gateways);
}

static void assert_masquerade(const struct example *ex, const struct member *m)
{
	if (strchr(ex->families, '4'))
		ck_assert_str_eq(seen_from_outside(m->name, AF_INET), HOST4);
	if (strchr(ex->families, '6'))
		ck_assert_str_eq(seen_from_outside(m->name, AF_INET6), HOST6);
	sh_in("outside", "for a in %s; do ! ip route get ${a%%/*} || exit; done", m->addresses);
}

static void assert_nothing_left(const struct example *ex, const char *links[2])
{
	for (size_t i = 0; i < 2; i++)
		ck_assert_str_eq(sh_in(ex->member[i].name, LINKS), links[i]);
	ck_assert_str_eq(sh("ip -o link show type veth | grep -v ': uplink@' | xargs"), "");
	ck_assert_str_eq(sh("mkdir -p /var/lib/cni && " LEASES), "");
	ck_assert_str_eq(sh("nft list ruleset 2>/dev/null | grep saddr | xargs"), "");
}

/* ---- tests ---- */

START_TEST(works)
{
	const struct example *ex = &examples[_i];
	json_auto_t *list = load_list(fmt(EXAMPLES "/%s", ex->file));
	const char *links[2], *result[2];

	if (ex->before)
		sh("%s", ex->before);
	if (ex->families || ex->router)
		outside_add();
	if (ex->router) {
		sh_in("outside", "ip addr add %s dev uplink", ex->router);
		sh("ip route add default via " OUTSIDE4);
	}
	for (size_t i = 0; i < 2; i++) {
		container_add(ex->member[i].name);
		links[i] = sh_in(ex->member[i].name, LINKS);
	}
	for (size_t i = 0; i < 2; i++) {
		result[i] = run_list(list, ex, &ex->member[i], "ADD", NULL);
		assert_result(ex, &ex->member[i], result[i]);
	}
	for (size_t i = 0; i < 2; i++)
		assert_member(ex, &ex->member[i], &ex->member[!i]);
	if (ex->also)
		sh("%s", ex->also);
	for (size_t i = 0; i < 2; i++) {
		if (ex->families)
			assert_masquerade(ex, &ex->member[i]);
		run_list(list, ex, &ex->member[i], "CHECK", result[i]);
	}
	for (size_t i = 0; i < 2; i++)
		run_list(list, ex, &ex->member[i], "DEL", result[i]);
	assert_nothing_left(ex, links);
}
END_TEST

static bool is_expected(const char *file)
{
	for (size_t i = 0; i < N_EXAMPLES; i++)
		if (strcmp(examples[i].file, file) == 0)
			return true;
	return false;
}

START_TEST(every_file_has_expectations)
{
	char *list = (char *)sh("cd " EXAMPLES " && ls *.conflist"), *save = NULL;
	size_t n = 0;

	for (char *f = strtok_r(list, "\n", &save); f; f = strtok_r(NULL, "\n", &save), n++)
		ck_assert_msg(is_expected(f), "conf-examples/%s is not tested", f);
	ck_assert_uint_eq(n, N_EXAMPLES);
}
END_TEST

START_TEST(every_file_is_in_the_readme)
{
	for (size_t i = 0; i < N_EXAMPLES; i++)
		sh("grep -q '^| `%s` ' " EXAMPLES "/README.md", examples[i].file);
}
END_TEST

/* Two networks of one name would share their leases. */
START_TEST(all_can_be_installed_together)
{
	ck_assert_str_eq(sh("cd " EXAMPLES " && jq -r .name *.conflist | sort | uniq -d"), "");
	ck_assert_str_eq(sh("cd " EXAMPLES " && jq -r '.plugins[].bridge // empty' *.conflist | "
			    "sort | uniq -d"),
			 "");
}
END_TEST

static const char chained[] =
	"{\"cniVersion\":\"1.0.0\",\"name\":\"chained\",\"plugins\":["
	"{\"type\":\"bridge\",\"bridge\":\"br9\",\"isGateway\":true,\"ipMasq\":true,"
	"\"capabilities\":{\"ips\":true},"
	"\"ipam\":{\"type\":\"host-local\",\"subnet\":\"10.9.0.0/24\"}},{\"type\":\"loopback\"}]}";

#define CNI_RUN "CNI_PATH=%s " EXAMPLES "/cni-run "
#define CACHED "/var/lib/cni/results/chained-ctr1-eth0"

/* The script runs the list in order, hands results on, and keeps what CHECK and DEL need. */
START_TEST(cni_run_runs_a_list)
{
	const char *list = fmt("%s/chained.conflist", world_dir()), *out;

	container_add("red");
	sh("cat >%s <<'END'\n%s\nEND", list, chained);
	out = sh("CAP_ARGS='{\"ips\":[\"10.9.0.77\"],\"mac\":\"02:00:00:00:00:01\"}' " CNI_RUN
		 "ADD %s ctr1 /run/netns/red",
		 our_plugins(), list);
	ck_assert_ptr_nonnull(strstr(out, "\"10.9.0.77/24\""));
	ck_assert_str_eq(sh("jq -r '.kind, .networkName, .containerId, .ifName' " CACHED
			    " | xargs"),
			 "cniCacheV1 chained ctr1 eth0");
	ck_assert_str_eq(sh("jq -c .result " CACHED), sh("jq -c . <<'END'\n%s\nEND", out));
	sh_in("red", "ping -q -c1 -W%d 127.0.0.1", PATIENCE);
	sh(CNI_RUN "CHECK %s ctr1 /run/netns/red", our_plugins(), list);
	sh_in("red", "ip link set lo down");
	ck_assert_int_ne(sh_status(CNI_RUN "CHECK %s ctr1 /run/netns/red", our_plugins(), list), 0);
	sh(CNI_RUN "DEL %s ctr1 /run/netns/red", our_plugins(), list);
	ck_assert_str_eq(sh(LEASES), "");
	ck_assert_int_ne(sh_status_in("red", "ip link show eth0"), 0);
}
END_TEST

/* An ADD that fails half way, or whose result can't be kept, is taken back; a plugin's error is printed. */
START_TEST(cni_run_takes_a_failed_add_back)
{
	const char *list = fmt("%s/chained.conflist", world_dir());

	container_add("red");
	sh("cat >%s <<'END'\n%s\nEND", list, chained);
	sh("sed -i s/loopback/bridge/ %s", list);
	sh("! " CNI_RUN "ADD %s ctr1 /run/netns/red >/run/out", our_plugins(), list);
	ck_assert_str_eq(sh("jq -r .code /run/out"), "999");
	ck_assert_str_eq(sh(LEASES), "");
	ck_assert_int_ne(sh_status_in("red", "ip link show eth0"), 0);
	sh("sed -i s/bridge/loopback/3 %s", list);
	sh("! CNI_CACHE=/proc/nowhere " CNI_RUN "ADD %s ctr1 /run/netns/red 2>/dev/null",
	   our_plugins(), list);
	ck_assert_str_eq(sh(LEASES), "");
}
END_TEST

/* A mistake is told before anything is changed: a plugin that is not there, a second ADD. */
START_TEST(cni_run_refuses_before_it_calls)
{
	const char *list = fmt("%s/chained.conflist", world_dir()), *leases;

	container_add("red");
	sh("cat >%s <<'END'\n%s\nEND", list, chained);
	sh("sed s/loopback/nosuch/ %s >%s.bad", list, list);
	ck_assert_str_eq(sh("! " CNI_RUN "ADD %s.bad ctr1 /run/netns/red", our_plugins(), list),
			 fmt("cni-run: plugin nosuch is not in %s", our_plugins()));
	ck_assert_int_ne(sh_status_in("red", "ip link show eth0"), 0);
	sh(CNI_RUN "ADD %s ctr1 /run/netns/red", our_plugins(), list);
	leases = sh(LEASES);
	ck_assert_int_ne(sh_status(CNI_RUN "ADD %s ctr1 /run/netns/red", our_plugins(), list), 0);
	ck_assert_str_eq(sh(LEASES), leases);
	sh_in("red", "ip link show eth0");
}
END_TEST

int main(void)
{

	Suite *suite = suite_create("examples");
	TCase *tc = tcase_create("directory");

	tcase_add_checked_fixture(tc, world_setup, world_teardown);
	tcase_add_test(tc, every_file_has_expectations);
	tcase_add_test(tc, every_file_is_in_the_readme);
	tcase_add_test(tc, all_can_be_installed_together);
	tcase_add_test(tc, cni_run_runs_a_list);
	tcase_add_test(tc, cni_run_takes_a_failed_add_back);
	tcase_add_test(tc, cni_run_refuses_before_it_calls);
	tcase_set_timeout(tc, 120);
	suite_add_tcase(suite, tc);
	for (int i = 0; i < (int)N_EXAMPLES; i++) {
		tc = tcase_create(examples[i].file);
		tcase_add_checked_fixture(tc, world_setup, world_teardown);
		tcase_add_loop_test(tc, works, i, i + 1);
		tcase_set_timeout(tc, 120);
		suite_add_tcase(suite, tc);
	}
	return world_main(suite);
}
