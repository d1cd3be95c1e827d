/*
 * Measures chains of CNI plugins as a runtime calls them: ADD, CHECK and DEL of one container after the
 * other. Each implementation has a "host" of its own (network and mount namespace, tmpfs on /run and
 * /var/lib), and they take turns, so that whatever else the machine does hits all alike.
 *
 *   drive [-n CALLS] [-b ATTACHMENTS] [-s SHELL] [-r RUNTIMECONFIG] CONFLIST NAME=DIRECTORY...
 *
 * -n  lives that are timed (51); one more before them is not
 * -b  attachments that are there before, made by the same plugins (0)
 * -s  a shell command that prepares each host before them
 * -r  runtimeConfig for plugins with the capability; "hostPort" grows by one with each container
 *
 * Prints "<name> <verb> <median us> <p99 us> <CPU us, median> <peak RSS KiB> <failed calls>" for each.
 * A plugin that fails ends its chain, whose time counts all the same; what it said of the first time is
 * on stderr.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sched.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_CALLS 1001
#define MAX_SIDES 4
#define MAX_PLUGINS 16
#define OUTPUT_MAX 65536

enum verb { ADD, CHECK, DEL, N_VERBS };

static const char *const verbs[] = { "ADD", "CHECK", "DEL" };

static struct {
	int calls, attachments;
	const char *prepare;
	json_t *list, *runtime;
} opt = { .calls = 51, .prepare = ":" };

/* What a timed chain cost. */
struct cost {
	double us, cpu_us;
	long rss_kib;
	bool failed;
};

/* One implementation, with its host in a process of its own: it does a life for each byte it gets. */
struct side {
	const char *name, *dir;
	int to, from;
	struct cost cost[N_VERBS][MAX_CALLS];
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "drive: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double seconds_to_us(struct timeval t)
{
	return (double)t.tv_sec * 1e6 + (double)t.tv_usec;
}

/* ---- one plugin ---- */

static int file_of(const char *text)
{
	int fd = memfd_create("stdin", MFD_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		die("stdin");
	return fd;
}

/* @return the result, or NULL */
static json_t *run(const struct side *s, enum verb verb, int id, json_t *config, struct cost *cost)
{
	char path[4200], command[32], container[64], netns[64], cni_path[4200];
	char *env[] = { command,  container,
			netns,	  "CNI_IFNAME=eth0",
			cni_path, "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
			NULL };
	char *argv[] = { path, NULL }, *text = json_dumps(config, JSON_COMPACT), out[OUTPUT_MAX];
	int in = file_of(text), result = memfd_create("stdout", MFD_CLOEXEC), status, r;
	posix_spawn_file_actions_t files;
	static bool failed[N_VERBS];
	struct rusage used;
	double start;
	ssize_t n;
	pid_t pid;

	snprintf(path, sizeof(path), "%s/%s", s->dir,
		 json_string_value(json_object_get(config, "type")));
	snprintf(command, sizeof(command), "CNI_COMMAND=%s", verbs[verb]);
	snprintf(container, sizeof(container), "CNI_CONTAINERID=bench-container-%d", id);
	snprintf(netns, sizeof(netns), "CNI_NETNS=/run/netns/%d", id);
	snprintf(cni_path, sizeof(cni_path), "CNI_PATH=%s", s->dir);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, in, 0);
	posix_spawn_file_actions_adddup2(&files, result, 1);
	start = now_us();
	r = posix_spawn(&pid, path, &files, NULL, argv, env);
	if (r) {
		errno = r;
		die(path);
	}
	if (wait4(pid, &status, 0, &used) < 0)
		die("wait");
	cost->us += now_us() - start;
	cost->cpu_us += seconds_to_us(used.ru_utime) + seconds_to_us(used.ru_stime);
	if (used.ru_maxrss > cost->rss_kib)
		cost->rss_kib = used.ru_maxrss;
	n = pread(result, out, sizeof(out) - 1, 0);
	out[n > 0 ? n : 0] = '\0';
	if (status && !failed[verb])
		fprintf(stderr, "drive: %s %s: %s\n%s\n", verbs[verb], path, out, text);
	failed[verb] |= status != 0;
	cost->failed = status != 0;
	posix_spawn_file_actions_destroy(&files);
	close(in);
	close(result);
	free(text);
	return json_loads(out, 0, NULL);
}

/* ---- a chain, as libcni calls it ---- */

/* runtimeConfig for the capabilities that the plugin has, with this container's ports. */
static void add_runtime_config(json_t *config, int id)
{
	json_t *copy = opt.runtime ? json_deep_copy(opt.runtime) : json_object(), *value, *port;
	json_t *capabilities = json_object_get(config, "capabilities");
	const char *key;
	void *next;
	size_t i;

	json_object_foreach_safe(copy, next, key,
				 value) if (!json_is_true(json_object_get(capabilities, key)))
		json_object_del(copy, key);
	json_array_foreach (json_object_get(copy, "portMappings"), i, value) {
		port = json_object_get(value, "hostPort");
		json_integer_set(port, json_integer_value(port) + id);
	}
	if (json_object_size(copy))
		json_object_set(config, "runtimeConfig", copy);
	json_decref(copy);
}

static void chain(const struct side *s, enum verb verb, int id, json_t **result, struct cost *cost)
{
	json_t *plugins = json_object_get(opt.list, "plugins");
	size_t n = json_array_size(plugins);

	*cost = (struct cost){ 0 };
	for (size_t i = 0; i < n && !cost->failed; i++) {
		json_t *config =
			json_deep_copy(json_array_get(plugins, verb == DEL ? n - 1 - i : i));
		json_t *out;

		json_object_set(config, "name", json_object_get(opt.list, "name"));
		json_object_set(config, "cniVersion", json_object_get(opt.list, "cniVersion"));
		add_runtime_config(config, id);
		if (*result)
			json_object_set(config, "prevResult", *result);
		out = run(s, verb, id, config, cost);
		if (verb == ADD) {
			json_decref(*result);
			*result = json_incref(out);
		}
		json_decref(out);
		json_decref(config);
	}
}

/* ---- a host ---- */

static void make_netns(int id)
{
	char path[64];
	pid_t pid;

	snprintf(path, sizeof(path), "/run/netns/%d", id);
	close(open(path, O_CREAT | O_RDONLY | O_CLOEXEC, 0644));
	pid = fork();
	if (pid == 0)
		_exit(unshare(CLONE_NEWNET) < 0 ||
		      mount("/proc/self/ns/net", path, NULL, MS_BIND, NULL) < 0);
	if (pid < 0 || waitpid(pid, &(int){ 0 }, 0) < 0)
		die(path);
}

static void remove_netns(int id)
{
	char path[64];

	snprintf(path, sizeof(path), "/run/netns/%d", id);
	(void)umount2(path, MNT_DETACH);
	(void)unlink(path);
}

static void become_host(const struct side *s)
{
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL) < 0 ||
	    mount("tmpfs", "/run", "tmpfs", 0, NULL) < 0 ||
	    mount("tmpfs", "/var/lib", "tmpfs", 0, NULL) < 0 || mkdir("/run/netns", 0755) < 0)
		die("host");
	if (system("ip link set lo up") || system(opt.prepare))
		die(opt.prepare);
	for (int id = 1; id <= opt.attachments; id++) {
		json_t *result = NULL;
		struct cost cost;

		make_netns(id);
		chain(s, ADD, id, &result, &cost);
		json_decref(result);
		if (cost.failed)
			exit(1);
	}
}

static void live(const struct side *s, int id, struct cost cost[static N_VERBS])
{
	json_t *result = NULL;

	make_netns(id);
	for (int verb = 0; verb < N_VERBS; verb++)
		chain(s, (enum verb)verb, id, &result, &cost[verb]);
	json_decref(result);
	remove_netns(id);
}

static _Noreturn void be_host(const struct side *s, int from, int to)
{
	int id = opt.attachments;
	char c;

	become_host(s);
	if (write(to, "", 1) != 1)
		die("pipe");
	while (read(from, &c, 1) == 1) {
		struct cost cost[N_VERBS];

		live(s, ++id, cost);
		if (write(to, cost, sizeof(cost)) != (ssize_t)sizeof(cost))
			die("pipe");
	}
	exit(0);
}

static void start(struct side *s)
{
	int to[2], from[2];
	pid_t pid;
	char c;

	if (pipe2(to, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0)
		die("pipe");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		close(to[1]);
		close(from[0]);
		be_host(s, to[0], from[1]);
	}
	close(to[0]);
	close(from[1]);
	s->to = to[1];
	s->from = from[0];
	if (read(s->from, &c, 1) != 1)
		exit(1); /* it has said why */
}

/* ---- the whole ---- */

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void report(const struct side *s, enum verb verb)
{
	double us[MAX_CALLS], cpu[MAX_CALLS];
	size_t n = (size_t)opt.calls;
	int failed = 0;
	long rss = 0;

	for (size_t i = 0; i < n; i++) {
		failed += s->cost[verb][i].failed;
		us[i] = s->cost[verb][i].us;
		cpu[i] = s->cost[verb][i].cpu_us;
		if (s->cost[verb][i].rss_kib > rss)
			rss = s->cost[verb][i].rss_kib;
	}
	qsort(us, n, sizeof(us[0]), compare);
	qsort(cpu, n, sizeof(cpu[0]), compare);
	printf("%s %s %.0f %.0f %.0f %ld %d\n", s->name, verbs[verb], us[n / 2], us[n * 99 / 100],
	       cpu[n / 2], rss, failed);
}

static void one_life(struct side *s, int i)
{
	struct cost cost[N_VERBS];

	if (write(s->to, "", 1) != 1 || read(s->from, cost, sizeof(cost)) != (ssize_t)sizeof(cost))
		exit(1); /* it has said why */
	for (int verb = 0; i >= 0 && verb < N_VERBS; verb++)
		s->cost[verb][i] = cost[verb];
}

static void usage(void)
{
	fprintf(stderr, "usage: drive [-n CALLS] [-b ATTACHMENTS] [-s SHELL] [-r RUNTIMECONFIG] "
			"CONFLIST NAME=DIRECTORY...\n");
	exit(2);
}

static void parse(int argc, char **argv)
{
	json_error_t e;
	int c;

	while ((c = getopt(argc, argv, "n:b:s:r:")) != -1)
		switch (c) {
		case 'n':
			opt.calls = atoi(optarg);
			break;
		case 'b':
			opt.attachments = atoi(optarg);
			break;
		case 's':
			opt.prepare = optarg;
			break;
		case 'r':
			opt.runtime = json_loads(optarg, 0, &e);
			if (!opt.runtime)
				usage();
			break;
		default:
			usage();
		}
	if (optind == argc || argc - optind - 1 > MAX_SIDES || opt.calls < 1 ||
	    opt.calls > MAX_CALLS)
		usage();
	opt.list = json_load_file(argv[optind], 0, &e);
	if (!opt.list) {
		fprintf(stderr, "drive: %s: %s\n", argv[optind], e.text);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	static struct side side[MAX_SIDES];
	int n = 0;

	parse(argc, argv);
	for (int i = optind + 1; i < argc; i++, n++) {
		side[n].name = strsep(&argv[i], "=");
		side[n].dir = argv[i] ? argv[i] : "";
		start(&side[n]);
	}
	for (int i = -1; i < opt.calls; i++)
		for (int k = 0; k < n; k++)
			one_life(&side[k], i);
	for (int k = 0; k < n; k++)
		for (int verb = 0; verb < N_VERBS; verb++)
			report(&side[k], (enum verb)verb);
	return 0;
}
