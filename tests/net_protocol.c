/*
 * The protocol as a runtime meets it: environment, stdin, versions, the check of the namespace, and
 * what is on stdout and stderr. Texts and order are those of section A of the reference.
 */
#include "same_world.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define NET(version, type, last)                                                                 \
	"{\"cniVersion\":\"" version "\",\"name\":\"net1\",\"type\":\"" type "\","               \
	"\"bridge\":\"br0\",\"isGateway\":true,\"ipam\":{\"type\":\"host-local\",\"ranges\":[[{" \
	"\"subnet\":\"10.1.0.0/24\",\"rangeStart\":\"10.1.0.9\",\"rangeEnd\":\"" last "\"}]]},"  \
	"\"cni.dev/valid-attachments\":[{\"containerID\":\"ctr1\",\"ifname\":\"eth0\"}]}"
#define ALL_VERSIONS "\"0.1.0\",\"0.2.0\",\"0.3.0\",\"0.3.1\",\"0.4.0\",\"1.0.0\",\"1.1.0\""

static const char *const plugins[] = { "bridge", "host-local", "loopback" };
static const char bridge_conf[] = NET("1.0.0", "bridge", "10.1.0.12");
/* One address only: the file with the last one given never changes. */
static const char one_address[] = NET("1.0.0", "bridge", "10.1.0.9");

/* An error object is the whole of stdout, and its message exactly this. */
static void assert_error(struct reply r, int code, const char *msg, const char *details)
{
	ck_assert_msg(r.status == 1, "exited with %d\nstdout: %s\nstderr: %s", r.status, r.out,
		      r.err);
	ck_assert_msg(r.code == code && strcmp(r.msg, msg) == 0 && strcmp(r.details, details) == 0,
		      "wanted %d \"%s\" \"%s\", got: %s", code, msg, details, r.out);
}

/* ---- without stdin ---- */

START_TEST(no_command_prints_usage)
{
	const char *name = plugins[_i];
	struct reply r = call((struct call){ .plugin = name, .wrapper = "<&-" });

	ck_assert_int_eq(r.status, 0);
	ck_assert_str_eq(r.out, "");
	ck_assert_str_eq(r.err, fmt("CNI %s plugin v1.9.1+ccni.%s\n"
				    "CNI protocol versions supported: 0.1.0, 0.2.0, 0.3.0, 0.3.1, "
				    "0.4.0, 1.0.0, 1.1.0\n",
				    name, CCNI_VERSION));
}
END_TEST

START_TEST(version_is_byte_exact)
{
	struct reply r = call((struct call){ .plugin = plugins[_i],
					     .command = "VERSION",
					     .id = "",
					     .ifname = "",
					     .path = "",
					     .wrapper = "<&-" });

	ck_assert_int_eq(r.status, 0);
	ck_assert_str_eq(r.err, "");
	ck_assert_str_eq(r.out,
			 "{\"cniVersion\":\"1.1.0\",\"supportedVersions\":[" ALL_VERSIONS "]}\n");
}
END_TEST

/* ---- environment ---- */

static const struct {
	struct call c; /* NULL members: valid ones */
	const char *msg, *details;
} bad_environment[] = {
	{ { .command = "ADD", .id = "", .netns = "", .ifname = "", .path = "" },
	  "required env variables [CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH] missing",
	  "" },
	{ { .command = "CHECK", .id = "", .netns = "", .ifname = "", .path = "" },
	  "required env variables [CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH] missing",
	  "" },
	{ { .command = "DEL", .id = "", .netns = "", .ifname = "", .path = "" },
	  "required env variables [CNI_CONTAINERID,CNI_IFNAME,CNI_PATH] missing",
	  "" },
	{ { .command = "GC", .id = "", .netns = "", .ifname = "", .path = "" },
	  "required env variables [CNI_PATH] missing",
	  "" },
	{ { .command = "STATUS", .id = "a b", .netns = "", .ifname = "a/b", .path = "" },
	  "required env variables [CNI_PATH] missing",
	  "" },
	{ { .command = "ADD", .netns = "" }, "required env variables [CNI_NETNS] missing", "" },
	{ { .command = "ADD", .id = "", .path = "" },
	  "required env variables [CNI_CONTAINERID,CNI_PATH] missing",
	  "" },
	{ { .command = "ADD", .id = "a b", .netns = "" },
	  "invalid characters in containerID",
	  "a b" },
	{ { .command = "DEL", .id = "-a" }, "invalid characters in containerID", "-a" },
	{ { .command = "ADD", .id = "a\n" }, "invalid characters in containerID", "a\n" },
	{ { .command = "ADD", .netns = "", .ifname = "a:b" },
	  "interface name contains / or : or whitespace characters",
	  "" },
	{ { .command = "ADD", .ifname = "a/b" },
	  "interface name contains / or : or whitespace characters",
	  "" },
	{ { .command = "ADD",
	    .ifname = "a\xc2\xa0"
		      "b" },
	  "interface name contains / or : or whitespace characters",
	  "" },
	{ { .command = "ADD", .ifname = "." }, "interface name is . or ..", "" },
	{ { .command = "DEL", .ifname = ".." }, "interface name is . or ..", "" },
	{ { .command = "CHECK", .ifname = "sixteen_letters_" },
	  "interface name is too long",
	  "interface name should be less than 16 characters" },
	{ { .command = "FOO" }, "unknown CNI_COMMAND: FOO", "" },
	{ { .command = "add" }, "unknown CNI_COMMAND: add", "" },
};

START_TEST(environment_is_checked_in_order)
{
	const char *netns = container_add("c1"), *before = world_now();
	struct call c = bad_environment[_i].c;

	c.netns = c.netns ? c.netns : netns;
	c.config = bridge_conf;
	assert_error(call(c), 4, bad_environment[_i].msg, bad_environment[_i].details);
	assert_unchanged(before);
}
END_TEST

START_TEST(names_have_no_length_limit)
{
	const char *netns = container_add("c1");
	const char *id =
		"abcdefghijklmnopqrstuvwxyz0123456789_.-abcdefghijklmnopqrstuvwxyz0123456789";
	struct call c = { .command = "ADD", .netns = netns, .config = one_address };

	c.id = fmt("%s%s%s%s", id, id, id, id);
	c.ifname = "fifteen_letters";
	call_ok(c);
	c.command = "DEL";
	call_ok(c);
	ck_assert_int_ne(sh_status("ls /var/lib/cni/networks/net1/10.1.0.9"), 0);
}
END_TEST

/* ---- stdin ---- */

static const struct {
	const char *config;
	int code;
	const char *msg, *details;
} bad_stdin[] = {
	{ "", 6, "error unmarshall network config: ", "" },
	{ " \n", 6, "error unmarshall network config: ", "" },
	{ "null", 7, "missing network name", "" },
	{ "{}", 7, "missing network name", "" },
	{ "{\"name\":null}", 7, "missing network name", "" },
	{ "{\"name\":\"\"}", 7, "missing network name", "" },
	{ "[]", 6, "error unmarshall network config: ", "" },
	{ "[{\"name\":\"net1\"}]", 6, "error unmarshall network config: ", "" },
	{ "\"name\"", 6, "error unmarshall network config: ", "" },
	{ "true", 6, "error unmarshall network config: ", "" },
	{ "7", 6, "error unmarshall network config: ", "" },
	{ "what?", 6, "error unmarshall network config: ", "" },
	{ "{\"name\":\"net1\"", 6, "error unmarshall network config: ", "" },
	{ "{\"name\":\"net1\"} {}", 6, "error unmarshall network config: ", "" },
	{ "\xef\xbb\xbf{\"name\":\"net1\"}", 6, "error unmarshall network config: ", "" },
	{ "{\"name\":5}", 6, "error unmarshall network config: ", "" },
	{ "{\"name\":\"a b\"}", 7, "invalid characters found in network name", "a b" },
	{ "{\"name\":\"../x\"}", 7, "invalid characters found in network name", "../x" },
	{ "{\"name\":\"net1\",\"cniVersion\":5}", 6, "decoding version from network config: ", "" },
};

START_TEST(stdin_must_be_a_network)
{
	const char *netns = container_add("c1"), *before = world_now();
	struct call c = { .plugin = "bridge", .netns = netns, .config = bad_stdin[_i].config };

	for (size_t i = 0; i < 2; i++) {
		struct reply r;

		c.command = i == 0 ? "ADD" : "STATUS";
		r = call_fails(c, bad_stdin[_i].code, bad_stdin[_i].msg);
		ck_assert_ptr_eq(strstr(r.msg, bad_stdin[_i].msg), r.msg);
		ck_assert_str_eq(r.details, bad_stdin[_i].details);
	}
	assert_unchanged(before);
}
END_TEST

START_TEST(configuration_is_judged_before_the_command)
{
	call_fails((struct call){ .plugin = "bridge", .command = "FOO", .config = "" }, 6,
		   "error unmarshall network config");
	call_fails((struct call){ .plugin = "bridge", .command = "FOO", .config = "{}" }, 7,
		   "missing network name");
}
END_TEST

START_TEST(more_than_64_mib_are_not_read)
{
	const char *netns = container_add("c1");
	const char *config = fmt("%*s%s", 65 << 20, "", bridge_conf);

	call_fails(
		(struct call){
			.plugin = "bridge", .command = "ADD", .netns = netns, .config = config },
		5, "error reading from stdin: configuration has more than 67108864 bytes");
	ck_assert_int_ne(sh_status("ip link show br0"), 0);
	/* White space does not count against what is meant. */
	config = fmt("%*s%s", 1 << 20, "", bridge_conf);
	call_ok((struct call){
		.plugin = "bridge", .command = "ADD", .netns = netns, .config = config });
}
END_TEST

START_TEST(a_closed_or_unreadable_stdin_is_an_error)
{
	const char *netns = container_add("c1"), *before = world_now();
	struct call c = { .command = "ADD", .netns = netns, .config = bridge_conf };

	c.wrapper = "<&-";
	call_fails(c, 6, "error unmarshall network config");
	c.wrapper = "</";
	call_fails(c, 5, "error reading from stdin");
	assert_unchanged(before);
}
END_TEST

/* ---- versions ---- */

enum { OK = 0, INCOMPATIBLE, TOO_LOW, TOO_HIGH, UNREADABLE };

static const struct {
	const char *version;
	int add, check, gc, status; /* DEL is like ADD */
} gates[] = {
	{ "", OK, TOO_LOW, TOO_LOW, TOO_LOW },
	{ "0.1.0", OK, TOO_LOW, TOO_LOW, TOO_LOW },
	{ "0.2.0", OK, TOO_LOW, TOO_LOW, TOO_LOW },
	{ "0.3.0", OK, TOO_LOW, TOO_LOW, TOO_LOW },
	{ "0.3.1", OK, TOO_LOW, TOO_LOW, TOO_LOW },
	{ "0.4.0", OK, OK, TOO_LOW, TOO_LOW },
	{ "1.0.0", OK, OK, TOO_LOW, TOO_LOW },
	{ "1.1.0", OK, OK, OK, OK },
	{ "1.2.0", INCOMPATIBLE, TOO_HIGH, TOO_HIGH, TOO_HIGH },
	{ "0.5.0", INCOMPATIBLE, INCOMPATIBLE, TOO_LOW, TOO_LOW },
	{ "1.0", INCOMPATIBLE, INCOMPATIBLE, TOO_LOW, TOO_LOW },
	{ "0.0.1", INCOMPATIBLE, TOO_LOW, TOO_LOW, TOO_LOW },
	{ "abc", INCOMPATIBLE, UNREADABLE, UNREADABLE, UNREADABLE },
	{ "v1.0.0", INCOMPATIBLE, UNREADABLE, UNREADABLE, UNREADABLE },
	{ "1.0.0.0", INCOMPATIBLE, UNREADABLE, UNREADABLE, UNREADABLE },
	{ "1.0.0-rc1", INCOMPATIBLE, UNREADABLE, UNREADABLE, UNREADABLE },
	{ "1.0.0 ", INCOMPATIBLE, UNREADABLE, UNREADABLE, UNREADABLE },
};

static struct reply expect(struct call c, const char *command, const char *version, int outcome)
{
	c.command = command;
	switch (outcome) {
	case INCOMPATIBLE: {
		struct reply r = call(c);

		assert_error(r, 1, "incompatible CNI versions",
			     fmt("config is \"%s\", plugin supports [\"0.1.0\" \"0.2.0\" \"0.3.0\" "
				 "\"0.3.1\" \"0.4.0\" \"1.0.0\" \"1.1.0\"]",
				 version));
		return r;
	}
	case TOO_LOW:
		return call_fails(c, 1, fmt("config version does not allow %s", command));
	case TOO_HIGH:
		return call_fails(c, 1, fmt("plugin version does not allow %s", command));
	case UNREADABLE:
		return call_fails(c, 6,
				  strcmp(version, "1.0.0.0") == 0
					  ? "invalid version \"1.0.0.0\": too many parts"
					  : "failed to convert ");
	default:
		return call_ok(c);
	}
}

START_TEST(versions_gate_the_verbs)
{
	const char *version = gates[_i].version, *netns = container_add("c1");

	for (size_t i = 0; i < ARRAY_SIZE(plugins); i++) {
		struct call c = { .plugin = plugins[i], .netns = netns };
		json_t *conf = json_loads(bridge_conf, 0, NULL);
		struct reply added;
		char *text;

		json_object_set_new(conf, "cniVersion", json_string(version));
		text = json_dumps(conf, JSON_COMPACT);
		json_decref(conf);
		c.config = text;
		added = expect(c, "ADD", version, gates[_i].add);
		if (added.status == 0) {
			const char *printed =
				json_string_value(json_object_get(added.json, "cniVersion"));

			ck_assert_str_eq(printed, *version ? version : "0.1.0");
			c.config = with_prev(text, added.out);
		}
		expect(c, "CHECK", version, gates[_i].check);
		expect(c, "GC", version, gates[_i].gc);
		expect(c, "STATUS", version, gates[_i].status);
		expect(c, "DEL", version, gates[_i].add);
		free(text);
	}
}
END_TEST

/* ---- the host's own namespace ---- */

START_TEST(own_namespace_is_refused_before_any_work)
{
	static const char *const not_allowed[] = { NULL, "0", "yes", "2", "TRUE " };
	const char *paths[] = { "/proc/self/ns/net", "/run/host-netns" }, *before;

	sh("touch /run/host-netns && mount --bind /proc/self/ns/net /run/host-netns");
	before = world_now();
	for (size_t p = 0; p < ARRAY_SIZE(paths); p++) {
		for (size_t i = 0; i < ARRAY_SIZE(not_allowed); i++) {
			struct call c = { .netns = paths[p],
					  .config = bridge_conf,
					  .override = not_allowed[i] };
			const char *msg = "plugin's netns and netns from CNI_NETNS should not be "
					  "the same";

			c.plugin = plugins[i % ARRAY_SIZE(plugins)];
			c.command = "ADD";
			call_fails(c, 8, msg);
			c.command = "DEL";
			call_fails(c, 8, msg);
			c.command = "CHECK";
			call_fails(c, 8, msg);
		}
	}
	assert_unchanged(before);
	sh("umount /run/host-netns");
}
END_TEST

START_TEST(override_allows_own_namespace)
{
	static const char *const allowed[] = { "1", "TRUE", "true", "tRuE" };

	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++) {
		struct call c = { .command = "ADD",
				  .netns = "/proc/self/ns/net",
				  .config = one_address,
				  .override = allowed[i] };

		call_ok(c);
		ck_assert_str_eq(sh("ip -4 -o addr show eth0 | awk '{print $4}'"), "10.1.0.9/24");
		c.command = "DEL";
		call_ok(c);
		ck_assert_int_ne(sh_status("ip link show eth0"), 0);
	}
}
END_TEST

/* ---- the standard streams ---- */

START_TEST(stdout_holds_only_the_result)
{
	const char *netns = container_add("c1");
	struct call c = { .command = "ADD", .netns = netns, .config = bridge_conf };
	struct reply r = call_ok(c);
	size_t len = strlen(r.out);

	ck_assert_int_eq(r.out[0], '{');
	ck_assert_int_eq(r.out[len - 1], '}');
	ck_assert_str_eq(r.err, "");
	c.command = "DEL";
	call_ok(c);
	c.command = "ADD";
	c.wrapper = "2>&-";
	r = call_ok(c);
	ck_assert_str_eq(r.err, "");
	ck_assert_int_eq(r.out[0], '{');
	c.command = "CHECK";
	c.config = with_prev(bridge_conf, r.out);
	call_ok(c);
	c.command = "DEL";
	call_ok(c);
}
END_TEST

/* No file of ours takes the place of what is closed; an ADD that cannot tell its result is undone. */
START_TEST(closed_streams_do_not_catch_our_files)
{
	const char *netns = container_add("c1");
	struct call c = { .command = "ADD", .netns = netns, .config = one_address };
	struct reply r;

	c.wrapper = ">&-";
	r = call(c);
	ck_assert_int_eq(r.status, 1);
	ck_assert_msg(strstr(r.err, "write result to stdout") != NULL, "%s", r.err);
	ck_assert_int_ne(sh_status("ls /var/lib/cni/networks/net1/10.1.0.9"), 0);
	ck_assert_int_ne(sh_status_in("c1", "ip link show eth0"), 0);
	c.wrapper = "2>&-";
	call_ok(c);
	ck_assert_str_eq(sh("cat /var/lib/cni/networks/net1/10.1.0.9 | tr -d '\\r'"), "ctr1\neth0");
	ck_assert_str_eq(sh_in("c1", "ip -4 -o addr show eth0 | awk '{print $4}'"), "10.1.0.9/24");
	c.command = "DEL";
	c.wrapper = ">&- 2>&-";
	r = call(c);
	ck_assert_int_eq(r.status, 0);
	ck_assert_int_ne(sh_status("ls /var/lib/cni/networks/net1/10.1.0.9"), 0);
	ck_assert_int_ne(sh_status_in("c1", "ip link show eth0"), 0);
}
END_TEST

START_TEST(add_whose_result_cannot_be_written_leaves_nothing)
{
	const char *netns = container_add("c1"), *before;
	struct call c = { .netns = netns, .config = one_address };

	for (size_t i = 0; i < ARRAY_SIZE(plugins); i++) {
		struct reply r;

		c.plugin = plugins[i];
		c.wrapper = NULL;
		c.command = "ADD";
		call_ok(c);
		c.command = "DEL";
		call_ok(c);
		before = world_now();
		c.command = "ADD";
		c.wrapper = ">/dev/full";
		r = call(c);
		ck_assert_int_eq(r.status, 1);
		ck_assert_msg(strstr(r.err, "write result to stdout: no space left on device") !=
				      NULL,
			      "stderr: %s", r.err);
		assert_unchanged(before);
	}
}
END_TEST

/* A pipe that does not block; a child gets the end `inherited` of it. */
static void make_pipe(int fds[static 2], int inherited)
{
	ck_assert_int_eq(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
	ck_assert_int_eq(fcntl(fds[inherited], F_SETFD, 0), 0);
}

static void put(int fd, const char *text, size_t len)
{
	ck_assert_int_eq((int)write(fd, text, len), (int)len);
}

/* As a runtime has them that waits for events: what is not there yet, or has no room, is waited for. */
START_TEST(streams_that_do_not_block_are_waited_for)
{
	const char *netns = container_add("c1"), *lease = "/var/lib/cni/networks/net1/10.1.0.9";
	const size_t half = sizeof(one_address) / 2, len = strlen(one_address);
	char text[4096] = "";
	int in[2], out[2], unread = 1, n = 0;
	struct running *running;

	make_pipe(in, 0);
	make_pipe(out, 1);
	while (write(out[1], text, sizeof(text)) > 0) /* no room for a result */
		;
	put(in[1], one_address, half);
	running = call_start((struct call){ .plugin = "host-local",
					    .command = "ADD",
					    .netns = netns,
					    .config = "",
					    .wrapper = fmt("<&%d >&%d", in[0], out[1]) });
	close(in[0]);
	close(out[1]);
	for (int i = 0; i < 5000 && unread; i++) {
		ck_assert_int_eq(ioctl(in[1], FIONREAD, &unread), 0);
		(void)poll(NULL, 0, 1);
	}
	ck_assert_int_eq(unread, 0);
	put(in[1], one_address + half, len - half);
	close(in[1]);
	sh("for i in $(seq 500); do [ -e %s ] && exit 0; sleep 0.01; done; exit 1", lease);
	for (ssize_t got = 1; got != 0;) {
		struct pollfd pfd = { .fd = out[0], .events = POLLIN };

		ck_assert_int_eq(poll(&pfd, 1, 5000), 1);
		got = read(out[0], text, sizeof(text));
		ck_assert_int_ge((int)got, 0);
		n = got ? (int)got : n;
	}
	close(out[0]);
	ck_assert_int_eq(call_wait(running).status, 0);
	ck_assert_msg(n > 2 && strncmp(text + n - 2, "\n}", 2) == 0, "%.*s", n, text);
	sh("test -e %s", lease);
}
END_TEST

/* ---- names ---- */

START_TEST(one_link_alone_is_a_whole_plugin)
{
	const char *netns = container_add("c1");

	for (size_t i = 0; i < ARRAY_SIZE(plugins); i++) {
		const char *dir = fmt("/run/alone/%s", plugins[i]);
		struct call c = { .plugin = plugins[i],
				  .command = "ADD",
				  .netns = netns,
				  .bin = dir,
				  .path = our_plugins(),
				  .config = bridge_conf };
		struct reply r;

		sh("mkdir -p %s && cp %s/%s %s", dir, our_plugins(), plugins[i], dir);
		ck_assert_str_eq(sh("ls %s", dir), plugins[i]);
		r = call_ok(c);
		c.config = with_prev(bridge_conf, r.out);
		c.command = "CHECK";
		call_ok(c);
		c.command = "DEL";
		call_ok(c);
	}
}
END_TEST

START_TEST(an_unknown_name_is_refused)
{
	struct reply r;

	sh("mkdir /run/alone && cp %s/bridge /run/alone/unheard-of", our_plugins());
	r = call((struct call){ .plugin = "unheard-of",
				.command = "ADD",
				.bin = "/run/alone",
				.config = bridge_conf });
	ck_assert_int_eq(r.status, 2);
	ck_assert_str_eq(r.out, "");
	ck_assert_ptr_eq(strstr(r.err, "unheard-of "), r.err);
	for (size_t i = 0; i < ARRAY_SIZE(plugins); i++)
		ck_assert_ptr_nonnull(strstr(r.err, plugins[i]));
}
END_TEST

static void setup(void)
{
	world_setup();
	no_link_local();
}

int main(void)
{
	Suite *suite = suite_create("protocol");
	TCase *tc = tcase_create("protocol");
	const int n_plugins = ARRAY_SIZE(plugins);

	tcase_add_checked_fixture(tc, setup, world_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, no_command_prints_usage, 0, n_plugins);
	tcase_add_loop_test(tc, version_is_byte_exact, 0, n_plugins);
	tcase_add_loop_test(tc, environment_is_checked_in_order, 0, ARRAY_SIZE(bad_environment));
	tcase_add_test(tc, names_have_no_length_limit);
	tcase_add_loop_test(tc, stdin_must_be_a_network, 0, ARRAY_SIZE(bad_stdin));
	tcase_add_test(tc, configuration_is_judged_before_the_command);
	tcase_add_test(tc, more_than_64_mib_are_not_read);
	tcase_add_test(tc, a_closed_or_unreadable_stdin_is_an_error);
	tcase_add_loop_test(tc, versions_gate_the_verbs, 0, ARRAY_SIZE(gates));
	tcase_add_test(tc, own_namespace_is_refused_before_any_work);
	tcase_add_test(tc, override_allows_own_namespace);
	tcase_add_test(tc, stdout_holds_only_the_result);
	tcase_add_test(tc, closed_streams_do_not_catch_our_files);
	tcase_add_test(tc, add_whose_result_cannot_be_written_leaves_nothing);
	tcase_add_test(tc, streams_that_do_not_block_are_waited_for);
	tcase_add_test(tc, one_link_alone_is_a_whole_plugin);
	tcase_add_test(tc, an_unknown_name_is_refused);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
