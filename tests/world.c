/*
 * A small world for one test; see world.h.
 */
#include "suite.h"
#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORLD "/run/world"

/* ---- memory that lives as long as the world ---- */

/* A list that doubles: AddressSanitizer holds on to each smaller one for long. */
static void *one_more(void *list, size_t n)
{
	if (n == 0 || (n & (n - 1)) == 0)
		list = realloc(list, (n ? 2 * n : 1) * sizeof(void *));
	ck_assert_ptr_nonnull(list);
	return list;
}

static void **kept;
static size_t n_kept;

static void *keep(void *p)
{
	ck_assert_ptr_nonnull(p);
	kept = one_more(kept, n_kept);
	kept[n_kept++] = p;
	return p;
}

static json_t **documents;
static size_t n_documents;

static json_t *keep_json(json_t *j)
{
	if (j) {
		documents = one_more(documents, n_documents);
		documents[n_documents++] = j;
	}
	return j;
}

__attribute__((format(printf, 1, 0))) static char *vfmt(const char *format, va_list ap)
{
	char *text = NULL;

	ck_assert_int_ge(vasprintf(&text, format, ap), 0);
	return keep(text);
}

const char *fmt(const char *format, ...)
{
	va_list ap;
	char *text;

	va_start(ap, format);
	text = vfmt(format, ap);
	va_end(ap);
	return text;
}

/* ---- the world ---- */

bool world_available(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(unshare(CLONE_NEWNET | CLONE_NEWNS) < 0);
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

void world_setup(void)
{
	ck_assert_int_eq(unshare(CLONE_NEWNET | CLONE_NEWNS), 0);
	ck_assert_int_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	ck_assert_int_eq(mount("tmpfs", "/run", "tmpfs", 0, "mode=0755"), 0);
	ck_assert_int_eq(mount("tmpfs", "/var/lib", "tmpfs", 0, "mode=0755"), 0);
	ck_assert_int_eq(mkdir(WORLD, 0755), 0);
	/* /sys shows the network devices of the namespace it was mounted in. */
	(void)!mount("sysfs", "/sys", "sysfs", 0, NULL);
	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	umask(022);
	sh("ip link set lo up");
}

void world_teardown(void)
{
	(void)!umount2("/sys", MNT_DETACH);
	(void)!umount2("/var/lib", MNT_DETACH);
	(void)!umount2("/run", MNT_DETACH);
	for (size_t i = 0; i < n_documents; i++)
		json_decref(documents[i]);
	for (size_t i = 0; i < n_kept; i++)
		free(kept[i]);
	free(documents);
	free(kept);
	documents = NULL;
	kept = NULL;
	n_documents = n_kept = 0;
}

const char *world_dir(void)
{
	return WORLD;
}

const char *container_add(const char *name)
{
	sh("ip netns add %s", name);
	return fmt("/run/netns/%s", name);
}

void container_del(const char *name)
{
	sh("ip netns del %s", name);
}

/* ---- programs ---- */

/*
 * Start a program, looked for in PATH unless its name has a slash. Not by fork(), which copies the page
 * tables of all that a test holds, under AddressSanitizer for longer than most programs run.
 * @return its process; 0 if it could not be started, which @p err tells
 */
static pid_t start(const char *const argv[], char **env, int in, int out, int err)
{
	const int fds[] = { in, out, err };
	posix_spawn_file_actions_t actions;
	pid_t pid = 0;
	int r;

	ck_assert_int_eq(posix_spawn_file_actions_init(&actions), 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(posix_spawn_file_actions_adddup2(&actions, fds[i], i), 0);
	r = posix_spawnp(&pid, argv[0], &actions, NULL, (char **)argv, env);
	posix_spawn_file_actions_destroy(&actions);
	if (r == 0)
		return pid;
	dprintf(err, "exec %s: %s\n", argv[0], strerror(r));
	return 0;
}

/* @return the exit status; 128 + signal if killed, 127 if it never was, as a shell has it */
static int end(pid_t pid)
{
	int status;

	if (pid == 0)
		return 127;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* ---- shell ---- */

static char *read_file(int fd)
{
	size_t len = 0, size = 4096;
	char *text = malloc(size);
	ssize_t n;

	lseek(fd, 0, SEEK_SET);
	ck_assert_ptr_nonnull(text);
	while ((n = read(fd, text + len, size - len - 1)) > 0) {
		len += (size_t)n;
		if (len + 1 >= size) {
			size *= 2;
			text = realloc(text, size);
			ck_assert_ptr_nonnull(text);
		}
	}
	text[len] = '\0';
	return keep(text);
}

static int temporary(void)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	return fd;
}

/* A file that is to be read from its beginning. */
static int input_of(const char *text)
{
	int fd = temporary();
	ssize_t len = (ssize_t)strlen(text);

	ck_assert_int_eq(write(fd, text, (size_t)len), len);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static int run_shell(const char *container, const char *command, int in, const char **out)
{
	const char *const argv[] = { "ip", "netns", "exec", container, "sh", "-c", command, NULL };
	int fd = temporary(), status;

	status = end(start(container ? argv : argv + 4, environ, in, fd, fd));
	*out = read_file(fd);
	close(fd);
	return status;
}

static const char *shell(const char *container, const char *command)
{
	const char *out;
	int status = run_shell(container, command, STDIN_FILENO, &out);
	size_t len = strlen(out);

	ck_assert_msg(status == 0, "`%s` exited with %d: %s", command, status, out);
	if (len && out[len - 1] == '\n')
		((char *)out)[len - 1] = '\0';
	return out;
}

const char *sh(const char *format, ...)
{
	va_list ap;
	const char *command;

	va_start(ap, format);
	command = vfmt(format, ap);
	va_end(ap);
	return shell(NULL, command);
}

const char *sh_in(const char *container, const char *format, ...)
{
	va_list ap;
	const char *command;

	va_start(ap, format);
	command = vfmt(format, ap);
	va_end(ap);
	return shell(container, command);
}

const char *sh_filter(const char *text, const char *format, ...)
{
	const char *command, *out;
	int in = input_of(text), status;
	va_list ap;

	va_start(ap, format);
	command = vfmt(format, ap);
	va_end(ap);
	status = run_shell(NULL, command, in, &out);
	close(in);
	ck_assert_msg(status == 0, "`%s` exited with %d: %s", command, status, out);
	return out;
}

int sh_status(const char *format, ...)
{
	const char *command, *out;
	va_list ap;

	va_start(ap, format);
	command = vfmt(format, ap);
	va_end(ap);
	return run_shell(NULL, command, STDIN_FILENO, &out);
}

int sh_status_in(const char *container, const char *format, ...)
{
	const char *command, *out;
	va_list ap;

	va_start(ap, format);
	command = vfmt(format, ap);
	va_end(ap);
	return run_shell(container, command, STDIN_FILENO, &out);
}

/* ---- calling plugins ---- */

struct running {
	pid_t pid;
	int out, err;
};

static const char *type_of(const char *config)
{
	json_t *j = keep_json(json_loads(config, 0, NULL));
	const char *type = json_string_value(json_object_get(j, "type"));

	ck_assert_msg(type != NULL, "no plugin named, and no type in: %s", config);
	return type;
}

/* Ours, with what this call says; "" = not there. */
static char **environment_of(const struct call *c, const char *bin)
{
	const struct {
		const char *name, *value;
	} said[] = {
		{ "CNI_COMMAND", c->command },
		{ "CNI_CONTAINERID", c->id ? c->id : "ctr1" },
		{ "CNI_NETNS", c->netns },
		{ "CNI_IFNAME", c->ifname ? c->ifname : "eth0" },
		{ "CNI_ARGS", c->args },
		{ "CNI_PATH", c->path ? c->path : bin },
		{ "CNI_NETNS_OVERRIDE", c->override },
	};
	const size_t n_said = sizeof(said) / sizeof(said[0]);
	size_t n = 0, i;
	char **env;

	while (environ[n])
		n++;
	env = keep(calloc(n + n_said + 1, sizeof(*env)));
	n = 0;
	for (char **e = environ; *e; e++) {
		size_t len = strcspn(*e, "=");

		for (i = 0; i < n_said; i++)
			if (strlen(said[i].name) == len && strncmp(*e, said[i].name, len) == 0)
				break;
		if (i == n_said)
			env[n++] = *e;
	}
	for (i = 0; i < n_said; i++)
		if (said[i].value && *said[i].value)
			env[n++] = (char *)fmt("%s=%s", said[i].name, said[i].value);
	return env;
}

struct running *call_start(struct call c)
{
	const char *config = c.config ? c.config : "", *bin = c.bin ? c.bin : our_plugins();
	const char *plugin = c.plugin ? c.plugin : type_of(config);
	const char *wrapper = c.wrapper ? c.wrapper : getenv("CNI_TEST_WRAPPER");
	const char *program = fmt("%s/%s", bin, plugin);
	const char *const bare[] = { program, NULL };
	const char *const wrapped[] = { "sh", "-c",
					wrapper ? fmt("exec %s %s", wrapper, program) : NULL,
					NULL };
	struct running *r = keep(calloc(1, sizeof(*r)));
	int in = input_of(config);

	r->out = temporary();
	r->err = temporary();
	r->pid = start(wrapper ? wrapped : bare, environment_of(&c, bin), in, r->out, r->err);
	close(in);
	return r;
}

struct reply call_wait(struct running *r)
{
	struct reply reply = { .code = -1, .msg = "", .details = "" };
	const char *text;
	json_t *code;

	reply.status = end(r->pid);
	reply.out = read_file(r->out);
	reply.err = read_file(r->err);
	close(r->out);
	close(r->err);
	reply.json = keep_json(json_loads(reply.out, 0, NULL));
	code = json_object_get(reply.json, "code");
	if (json_is_integer(code))
		reply.code = (int)json_integer_value(code);
	text = json_string_value(json_object_get(reply.json, "msg"));
	reply.msg = text ? text : "";
	text = json_string_value(json_object_get(reply.json, "details"));
	reply.details = text ? text : "";
	return reply;
}

struct call on_container(int n, const char *command, const char *config)
{
	return (struct call){ .command = command,
			      .id = fmt("ctr%d", n),
			      .netns = fmt("/run/netns/c%d", n),
			      .config = config };
}

struct reply call(struct call c)
{
	return call_wait(call_start(c));
}

struct reply call_ok(struct call c)
{
	struct reply r = call(c);

	ck_assert_msg(r.status == 0, "%s exited with %d\nstdout: %s\nstderr: %s", c.command,
		      r.status, r.out, r.err);
	if (strcmp(c.command, "ADD") == 0)
		ck_assert_msg(r.json != NULL, "ADD printed no JSON: %s", r.out);
	else if (strcmp(c.command, "VERSION") != 0)
		ck_assert_str_eq(r.out, "");
	return r;
}

struct reply call_fails(struct call c, int code, const char *msg)
{
	struct reply r = call(c);

	ck_assert_msg(r.status == 1, "%s exited with %d, not 1\nstdout: %s\nstderr: %s", c.command,
		      r.status, r.out, r.err);
	ck_assert_msg(r.code == code && strstr(r.msg, msg) != NULL,
		      "wanted code %d and \"%s\", got: %s", code, msg, r.out);
	return r;
}

const char *with_prev(const char *config, const char *result)
{
	json_t *j = keep_json(json_loads(config, 0, NULL));
	json_t *prev = json_loads(result, 0, NULL);

	ck_assert_ptr_nonnull(j);
	ck_assert_ptr_nonnull(prev);
	json_object_set_new(j, "prevResult", prev);
	return keep(json_dumps(j, JSON_COMPACT));
}

/* ---- looking at everything ---- */

/*
 * In few programs, because each costs a millisecond, and tests dump thousands of times. Each line is whole in
 * itself, so they can be sorted; rules keep their order.
 */
static const char dump_namespace[] =
	"{ ip -o link; ip -o -d link show type bridge | grep -o \"vlan_filtering [01]\"; "
	"printf \"addr\\nroute show table all\\n\" | ip -o -batch -; cd /proc/sys/net; "
	"grep . ipv4/ip_forward ipv6/conf/all/forwarding ipv6/conf/*/accept_ra "
	"ipv6/conf/*/accept_dad ipv6/conf/*/disable_ipv6; } | "
	"sed -E \"s/ state [A-Z]+//; s/<[^>]*>//; s/ valid_lft.*//; "
	"/^(local|broadcast|anycast|multicast|ff00)/d\" | sort; "
	"{ nft list ruleset; iptables-save; ip6tables-save; } 2>/dev/null | grep -v \"^#\" || :";

const char *world_dump(void)
{
	return sh("echo '== host'; %s; "
		  "for c in $(ls /run/netns 2>/dev/null); do echo \"== $c\"; "
		  "ip netns exec $c sh -c '%s'; done; "
		  "files() { find %s /var/lib/cni -type f ! -name '*.trace' ! -name .ccni-index "
		  "\"$@\" 2>/dev/null; }; echo '== files'; files -printf '%%p %%m %%s\\n' | sort; "
		  "files -print0 | sort -z | xargs -0r grep -a '' /dev/null || :",
		  dump_namespace, dump_namespace, WORLD);
}

/* ---- whose plugins ---- */

static const char *directory_with_bridge(const char *dir)
{
	return dir && access(fmt("%s/bridge", dir), X_OK) == 0 ? dir : NULL;
}

const char *our_plugins(void)
{
	const char *dir = getenv("CNI_TEST_PLUGINS");

	return dir ? dir : PLUGIN_DIR;
}

const char *plain_plugins(void)
{
	const char *dir = getenv("CNI_TEST_PLUGINS");

	return dir ? dir : PLAIN_PLUGIN_DIR;
}

const char *debian_plugins(void)
{
	return directory_with_bridge("/usr/lib/cni");
}

const char *newest_plugins(void)
{
	return directory_with_bridge(getenv("CNI_PEER_DIR"));
}

int world_main(Suite *suite)
{
	if (!world_available()) {
		fprintf(stderr, "no right to make namespaces: skipped\n");
		return getenv("CNI_TEST_MUST_RUN") ? 1 : 77;
	}
	return run_suite(suite);
}

bool peer_has(const char *dir, const char *plugin)
{
	char path[4096];

	return dir && snprintf(path, sizeof(path), "%s/%s", dir, plugin) < (int)sizeof(path) &&
	       access(path, X_OK) == 0;
}

int peer_main(Suite *suite, const char *plugin)
{
	int r = world_main(suite);

	if (r != 0 || peer_has(getenv("CNI_PEER_DIR"), plugin))
		return r;
	fprintf(stderr, "CNI_PEER_DIR names no plugins (tests/peer gets them): the newest were not "
			"compared\n");
	return getenv("CNI_TEST_MUST_RUN") ? 1 : 77;
}
