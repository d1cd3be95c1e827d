/*
 * The recordings of net_vectors.c: requests of runtimes and the Go plugins' answers, sorted into lives,
 * and today's names of what the kernel of that day named.
 */
#ifndef TESTS_VECTORS_H
#define TESTS_VECTORS_H

#include "world.h"

#include <fcntl.h>
#include <glob.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Plugins whose requests are replayed; those that need others are counted and named. */
static const char *const replayed[] = { "bandwidth", "bridge",	"firewall", "host-local",
					"loopback",  "macvlan", "portmap",  "ptp",
					"static",    "tuning" };

/* ---- the recordings ---- */

struct vector {
	const char *file; /* "podman-4.3/005-ADD-bridge.json" */
	const char *client, *plugin, *command, *id, *netns, *ifname, *input;
	json_t *doc, *env, *conf, *answer;
	const char *errors; /* stderr */
	int status;
	bool delegated; /* asked by another plugin */
};

static struct vector vectors[1024];
static size_t n_vectors;

/* All requests for one container. */
static struct {
	const char *client, *id;
} lives[256];
static int n_lives;

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static bool is_chained(const char *plugin)
{
	return strcmp(plugin, "bandwidth") == 0 || strcmp(plugin, "firewall") == 0 ||
	       strcmp(plugin, "portmap") == 0 || strcmp(plugin, "tuning") == 0;
}

static bool makes_a_link(const char *plugin)
{
	return strcmp(plugin, "bridge") == 0 || strcmp(plugin, "macvlan") == 0 ||
	       strcmp(plugin, "ptp") == 0;
}

static bool is_here(const char *plugin)
{
	for (size_t i = 0; i < sizeof(replayed) / sizeof(replayed[0]); i++)
		if (strcmp(plugin, replayed[i]) == 0)
			return true;
	return false;
}

/* @return the plugin for want of which a request is not replayed: its own, or IPAM's; NULL if none is wanting */
static const char *wanting(const struct vector *v)
{
	const char *ipam = text_of(json_object_get(v->conf, "ipam"), "type");

	if (!is_here(v->plugin))
		return v->plugin;
	return *ipam && !is_here(ipam) ? ipam : NULL;
}

static bool is_of_life(const struct vector *v, int n)
{
	return strcmp(lives[n].client, v->client) == 0 && strcmp(lives[n].id, v->id) == 0;
}

static void load(const char *path)
{
	struct vector *v = &vectors[n_vectors++];
	json_t *doc = json_load_file(path, 0, NULL);
	const char *type;
	int i;

	if (!doc || n_vectors == sizeof(vectors) / sizeof(vectors[0])) {
		fprintf(stderr, "%s: not a recording, or too many\n", path);
		exit(1);
	}
	v->file = strdup(path + strlen(SOURCE_DIR "/tests/vectors/"));
	v->doc = doc;
	v->client = text_of(doc, "client");
	v->plugin = text_of(doc, "plugin");
	v->env = json_object_get(doc, "env");
	v->command = text_of(v->env, "CNI_COMMAND");
	v->id = text_of(v->env, "CNI_CONTAINERID");
	v->netns = text_of(v->env, "CNI_NETNS");
	v->ifname = text_of(v->env, "CNI_IFNAME");
	v->input = text_of(doc, "stdin");
	v->conf = json_loads(v->input, 0, NULL);
	v->answer = json_object_get(doc, "stdout");
	v->errors = text_of(doc, "stderr");
	v->status = (int)json_integer_value(json_object_get(doc, "exit"));
	type = json_string_value(json_object_get(v->conf, "type"));
	v->delegated = type && strcmp(type, v->plugin) != 0;
	if (wanting(v))
		return;
	for (i = 0; i < n_lives; i++)
		if (is_of_life(v, i))
			return;
	lives[n_lives].client = v->client;
	lives[n_lives++].id = v->id;
}

/* ---- what is called differently today ---- */

static struct {
	const char *then, *now; /* with quotes */
} pairs[512];
static size_t n_pairs;

static void pair_add(const char *then, const char *now)
{
	ck_assert_uint_lt(n_pairs, sizeof(pairs) / sizeof(pairs[0]));
	pairs[n_pairs].then = fmt("\"%s\"", then);
	pairs[n_pairs++].now = fmt("\"%s\"", now);
}

/* The text with today's names; the newest pair of a name counts. */
static const char *today(const char *text)
{
	const char *made = "", *quote;

	while ((quote = strchr(text, '"'))) {
		size_t i = n_pairs;

		made = fmt("%s%.*s", made, (int)(quote - text), text);
		while (i > 0 && strncmp(quote, pairs[i - 1].then, strlen(pairs[i - 1].then)) != 0)
			i--;
		made = fmt("%s%s", made, i > 0 ? pairs[i - 1].now : "\"");
		text = quote + (i > 0 ? strlen(pairs[i - 1].then) : 1);
	}
	return fmt("%s%s", made, text);
}

static const char *dump(const json_t *json)
{
	char *made = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
	const char *text = fmt("%s", made ? made : "nothing");

	free(made);
	return text;
}

/* A process in a namespace of its own, which has it open as descriptor 9, too. It ends with the test. */
static pid_t keeper_start(void)
{
	int ready[2];
	pid_t pid;
	char c;

	ck_assert_int_eq(pipe(ready), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNET) < 0 || dup2(open("/proc/self/ns/net", O_RDONLY), 9) < 0 ||
		    write(ready[1], "", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	ck_assert_int_eq(read(ready[0], &c, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

/* As mkdir -p. */
static void make_directories(const char *path)
{
	for (size_t n = 1; n <= strlen(path); n++)
		if (path[n] == '/' || path[n] == '\0')
			(void)!mkdir(fmt("%.*s", (int)n, path), 0755);
}

/* @return today's path of a namespace, which is made when it is first asked for */
static const char *place(const char *then)
{
	const char *now = then;
	pid_t pid;
	int len = 0;

	if (*then != '/')
		return then;
	for (size_t i = n_pairs; i > 0; i--)
		if (strcmp(pairs[i - 1].then, fmt("\"%s\"", then)) == 0)
			return fmt("%.*s", (int)strlen(pairs[i - 1].now) - 2, pairs[i - 1].now + 1);
	pid = keeper_start();
	sscanf(then, "/proc/%*d%n", &len);
	if (len) {
		now = fmt("/proc/%d%s", pid, then + len);
	} else {
		make_directories(fmt("%.*s", (int)(strrchr(then, '/') - then), then));
		close(open(then, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
		ck_assert_int_eq(mount(fmt("/proc/%d/ns/net", pid), then, NULL, MS_BIND, NULL), 0);
	}
	pair_add(then, now);
	return now;
}

/* Whose end an interface of a result is: 's'andbox, 'v'eth on the host, 'i'fb, 'b'ridge. */
static char role(const json_t *interface)
{
	const char *name = text_of(interface, "name");

	if (*text_of(interface, "sandbox"))
		return 's';
	if (strncmp(name, "veth", 4) == 0)
		return 'v';
	return strncmp(name, "bwp", 3) == 0 ? 'i' : 'b';
}

/* Names and MACs that the kernel chose, of interfaces in these roles: not those that were asked for in the request. */
static void learn(const json_t *then, const json_t *now, const char *roles, const char *request)
{
	json_t *one, *other;
	size_t i, k;

	json_array_foreach (json_object_get(then, "interfaces"), i, one) {
		json_array_foreach (json_object_get(now, "interfaces"), k, other) {
			const char *mac = text_of(one, "mac");

			if (!strchr(roles, role(one)) || role(one) != role(other))
				continue;
			if (role(one) == 'v')
				pair_add(text_of(one, "name"), text_of(other, "name"));
			if (*mac && strcmp(mac, "00:00:00:00:00:00") != 0 &&
			    !strcasestr(request, mac))
				pair_add(mac, text_of(other, "mac"));
		}
	}
}

#endif
