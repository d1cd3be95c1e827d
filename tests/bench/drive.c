/*
 * Measures chains of CNI plugins as a runtime calls them: ADD, CHECK and DEL of one container after the
 * other, or of several at once. Each implementation has a "host" of its own (network and mount namespace,
 * tmpfs on /run and /var/lib), and they take turns, so that whatever else the machine does hits all alike.
 *
 *   drive [-n CALLS] [-p ATONCE] [-b ATTACHMENTS] [-s SHELL] [-r RUNTIMECONFIG] [-c COUNT] [-6]
 *         CONFLIST NAME=DIRECTORY...
 *
 * -n  lives that are timed (51); one more before them is not
 * -p  containers that live at the same time (1)
 * -b  attachments that are there before, made by the same plugins (0)
 * -s  a shell command that prepares each host before them
 * -r  runtimeConfig for plugins with the capability; "hostPort" grows by one with each container
 * -c  the program of tests/count.c: one more life, not timed, in which system calls are counted
 * -6  floor: with an IPv6 address
 *
 * "floor:PROGRAM" in a DIRECTORY's place is the floor: PROGRAM, which does nothing, is started for each plugin
 * of the chain, and what the kernel has to do is asked of it directly (floor.h).
 *
 * Prints "<name> <verb> <median us> <p99 us> <CPU us, median> <peak RSS KiB> <failed calls> <chains per
 * second> <programs> <system calls> <netlink messages> <dumps>" for each; what -c counts is 0 without
 * it. A plugin that fails ends its chain, whose time counts all the same; what it said of the first time is
 * on stderr.
 */
#include "floor.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_SAMPLES 8192
#define MAX_ATONCE 64
#define MAX_SIDES 4
#define MAX_PLUGINS 16
#define OUTPUT_MAX 65536

enum verb { ADD, CHECK, DEL, N_VERBS };

static const char *const verbs[] = { "ADD", "CHECK", "DEL" };

static struct {
	int calls, at_once, attachments;
	const char *prepare, *count;
	bool ipv6;
	json_t *list, *runtime;
} opt = { .calls = 51, .at_once = 1, .prepare = ":" };

/* What a chain cost. */
struct cost {
	double begin, end, us, cpu_us; /* us: of the programs alone */
	bool failed;
	unsigned long programs, calls, messages, dumps, rss_kib; /* if they were counted */
};

/*
 * One implementation, with its host in a process of its own, which does lives for each byte it gets.
 * In shared memory. Samples of one life stand together.
 */
struct side {
	const char *name, *dir;
	const char *floor; /* the program that does nothing; NULL: plugins in dir */
	int to, from;
	bool counting;
	pthread_barrier_t barrier;
	struct cost cost[N_VERBS][MAX_SAMPLES], counted[N_VERBS];
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

#define COUNTS "/run/counts"

/* What the counting program has found adds up. */
static void add_counts(struct cost *cost)
{
	unsigned long programs = 0, calls = 0, messages = 0, dumps = 0, rss = 0;
	FILE *f = fopen(COUNTS, "re");

	if (!f || fscanf(f, "%lu %lu %lu %lu %lu", &programs, &calls, &messages, &dumps, &rss) != 5)
		die(COUNTS);
	fclose(f);
	cost->programs += programs;
	cost->calls += calls;
	cost->messages += messages;
	cost->dumps += dumps;
	cost->rss_kib = rss > cost->rss_kib ? rss : cost->rss_kib;
}

/* Start a program and wait for its end; only that is timed. @return whether it succeeded */
static bool start_and_wait(char **argv, char **env, int in, int out, struct cost *cost)
{
	posix_spawn_file_actions_t files;
	struct rusage used;
	double begin;
	int status;
	pid_t pid;

	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, in, 0);
	posix_spawn_file_actions_adddup2(&files, out, 1);
	begin = now_us();
	errno = posix_spawn(&pid, argv[0], &files, NULL, argv, env);
	if (errno)
		die(argv[0]);
	if (wait4(pid, &status, 0, &used) < 0)
		die("wait");
	cost->us += now_us() - begin;
	cost->cpu_us += seconds_to_us(used.ru_utime) + seconds_to_us(used.ru_stime);
	posix_spawn_file_actions_destroy(&files);
	return status == 0;
}

/* @return the result, or NULL */
static json_t *run(const struct side *s, enum verb verb, int id, json_t *config, struct cost *cost)
{
	char path[4200], command[32], container[64], netns[64], cni_path[4200], file[] = COUNTS;
	char *env[] = { command,  container,
			netns,	  "CNI_IFNAME=eth0",
			cni_path, "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
			NULL };
	char *argv[] = { (char *)opt.count, file, path, NULL };
	char *text = json_dumps(config, JSON_COMPACT), output[OUTPUT_MAX];
	int in = file_of(text), out = memfd_create("stdout", MFD_CLOEXEC);
	static bool failed[N_VERBS];
	ssize_t n;

	snprintf(path, sizeof(path), "%s/%s", s->dir,
		 json_string_value(json_object_get(config, "type")));
	snprintf(command, sizeof(command), "CNI_COMMAND=%s", verbs[verb]);
	snprintf(container, sizeof(container), "CNI_CONTAINERID=bench-container-%d", id);
	snprintf(netns, sizeof(netns), "CNI_NETNS=/run/netns/%d", id);
	snprintf(cni_path, sizeof(cni_path), "CNI_PATH=%s", s->dir);
	cost->failed = !start_and_wait(s->counting ? argv : argv + 2, env, in, out, cost);
	if (s->counting)
		add_counts(cost);
	n = pread(out, output, sizeof(output) - 1, 0);
	output[n > 0 ? n : 0] = '\0';
	if (cost->failed && !failed[verb])
		fprintf(stderr, "drive: %s %s: %s\n%s\n", verbs[verb], path, output, text);
	failed[verb] |= cost->failed;
	close(in);
	close(out);
	free(text);
	return json_loads(output, 0, NULL);
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

/* The same number of processes, and what the kernel has to do. */
static void floor_chain(const struct side *s, enum verb verb, int id, size_t n, struct cost *cost)
{
	char path[64], *argv[] = { (char *)s->floor, NULL }, *env[] = { NULL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	double begin;

	for (size_t i = 0; i < n; i++)
		cost->failed |= !start_and_wait(argv, env, null, null, cost);
	close(null);
	snprintf(path, sizeof(path), "/run/netns/%d", id);
	begin = now_us();
	if (verb == ADD)
		floor_add(id, path, opt.ipv6);
	else if (verb == DEL)
		floor_del(id);
	cost->us += now_us() - begin;
}

static void chain(const struct side *s, enum verb verb, int id, json_t **result, struct cost *cost)
{
	json_t *plugins = json_object_get(opt.list, "plugins");
	size_t n = json_array_size(plugins);

	*cost = (struct cost){ .begin = now_us() };
	if (s->floor)
		floor_chain(s, verb, id, n, cost);
	for (size_t i = 0; i < n && !cost->failed && !s->floor; i++) {
		json_t *config =
			json_deep_copy(json_array_get(plugins, verb == DEL ? n - 1 - i : i));
		json_t *out;

		json_object_set(config, "name", json_object_get(opt.list, "name"));
		json_object_set(config, "cniVersion", json_object_get(opt.list, "cniVersion"));
		add_runtime_config(config, id);
		if (*result)
			json_object_set(config, "prevResult", *result);
		out = run(s, verb, id, config, cost);
		if (verb == ADD && !cost->failed) {
			json_decref(*result);
			*result = json_incref(out);
		}
		json_decref(out);
		json_decref(config);
	}
	cost->end = now_us();
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
	if (s->floor)
		floor_open();
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

/* One container; those that live at the same time begin each verb together. */
static void live(struct side *s, int id, struct cost *const cost[N_VERBS], bool together)
{
	json_t *result = NULL;

	for (int verb = 0; verb < N_VERBS; verb++) {
		if (together)
			pthread_barrier_wait(&s->barrier);
		chain(s, (enum verb)verb, id, &result, cost[verb]);
	}
	json_decref(result);
}

/* As many lives as are wanted at once; their costs go to `at` and what follows. */
static void live_at_once(struct side *s, int first, int at)
{
	for (int i = 0; i < opt.at_once; i++)
		make_netns(first + i);
	for (int i = 0; i < opt.at_once; i++) {
		struct cost *const cost[] = { &s->cost[ADD][at + i], &s->cost[CHECK][at + i],
					      &s->cost[DEL][at + i] };
		pid_t pid = opt.at_once == 1 ? 0 : fork();

		if (pid < 0)
			die("fork");
		if (pid > 0)
			continue;
		if (opt.at_once > 1)
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		live(s, first + i, cost, opt.at_once > 1);
		if (opt.at_once > 1)
			_exit(0);
	}
	for (int status; opt.at_once > 1 && wait(&status) > 0;)
		if (status)
			exit(1); /* and the others, which would wait for it, with us */
	for (int i = 0; i < opt.at_once; i++)
		remove_netns(first + i);
}

static void live_counted(struct side *s, int id)
{
	struct cost *const cost[] = { &s->counted[ADD], &s->counted[CHECK], &s->counted[DEL] };

	s->counting = true;
	make_netns(id);
	live(s, id, cost, false);
	remove_netns(id);
}

/* The first lives are not counted: those that follow take their place. */
static _Noreturn void be_host(struct side *s, int from, int to)
{
	int id = opt.attachments + 1, at = 0;
	char c;

	become_host(s);
	if (write(to, "", 1) != 1)
		die("pipe");
	for (int i = -1; read(from, &c, 1) == 1; i++) {
		if (i == opt.calls) {
			live_counted(s, id);
		} else {
			live_at_once(s, id, at);
			at += i < 0 ? 0 : opt.at_once;
			id += opt.at_once;
		}
		if (write(to, "", 1) != 1)
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

/* Chains per second in the median life, from the first one's begin to the last one's end. */
static double throughput(const struct cost *cost)
{
	double us[MAX_SAMPLES];

	for (int i = 0; i < opt.calls; i++) {
		const struct cost *life = cost + (size_t)i * (size_t)opt.at_once;
		double begin = life->begin, end = begin;

		for (int k = 0; k < opt.at_once; k++) {
			begin = life[k].begin < begin ? life[k].begin : begin;
			end = life[k].end > end ? life[k].end : end;
		}
		us[i] = end - begin;
	}
	qsort(us, (size_t)opt.calls, sizeof(us[0]), compare);
	return opt.at_once * 1e6 / us[opt.calls / 2];
}

static void report(const struct side *s, enum verb verb)
{
	size_t n = (size_t)opt.calls * (size_t)opt.at_once;
	const struct cost *counted = &s->counted[verb];
	double us[MAX_SAMPLES], cpu[MAX_SAMPLES];
	int failed = counted->failed;

	for (size_t i = 0; i < n; i++) {
		failed += s->cost[verb][i].failed;
		us[i] = s->cost[verb][i].us;
		cpu[i] = s->cost[verb][i].cpu_us;
	}
	qsort(us, n, sizeof(us[0]), compare);
	qsort(cpu, n, sizeof(cpu[0]), compare);
	printf("%s %s %.0f %.0f %.0f %lu %d %.1f %lu %lu %lu %lu\n", s->name, verbs[verb],
	       us[n / 2], us[n * 99 / 100], cpu[n / 2], counted->rss_kib, failed,
	       throughput(s->cost[verb]), counted->programs, counted->calls, counted->messages,
	       counted->dumps);
}

static void one_life(const struct side *s)
{
	char c;

	if (write(s->to, "", 1) != 1 || read(s->from, &c, 1) != 1)
		exit(1); /* it has said why */
}

static void usage(void)
{
	fprintf(stderr, "usage: drive [-n CALLS] [-p ATONCE] [-b ATTACHMENTS] [-s SHELL] "
			"[-r RUNTIMECONFIG] [-c COUNT] [-6] CONFLIST NAME=DIRECTORY...\n");
	exit(2);
}

static void parse(int argc, char **argv)
{
	json_error_t e;
	int c;

	while ((c = getopt(argc, argv, "n:p:b:s:r:c:6")) != -1)
		switch (c) {
		case 'n':
			opt.calls = atoi(optarg);
			break;
		case 'p':
			opt.at_once = atoi(optarg);
			break;
		case 'c':
			opt.count = optarg;
			break;
		case '6':
			opt.ipv6 = true;
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
	if (optind == argc || argc - optind - 1 > MAX_SIDES || opt.calls < 1 || opt.at_once < 1 ||
	    opt.at_once > MAX_ATONCE || opt.calls > MAX_SAMPLES / opt.at_once)
		usage();
	opt.list = json_load_file(argv[optind], 0, &e);
	if (!opt.list) {
		fprintf(stderr, "drive: %s: %s\n", argv[optind], e.text);
		exit(1);
	}
}

static void prepare(struct side *s, char *spec)
{
	static const char floor[] = "floor:";
	pthread_barrierattr_t shared;

	s->name = strsep(&spec, "=");
	s->dir = spec ? spec : "";
	if (strncmp(s->dir, floor, strlen(floor)) == 0)
		s->floor = s->dir + strlen(floor);
	pthread_barrierattr_init(&shared);
	pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&s->barrier, &shared, (unsigned int)opt.at_once);
	pthread_barrierattr_destroy(&shared);
}

int main(int argc, char **argv)
{
	struct side *side = mmap(NULL, MAX_SIDES * sizeof(*side), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int n = 0;

	if (side == MAP_FAILED)
		die("memory");
	parse(argc, argv);
	for (int i = optind + 1; i < argc; i++, n++) {
		prepare(&side[n], argv[i]);
		start(&side[n]);
	}
	for (int i = -1; i < opt.calls; i++)
		for (int k = 0; k < n; k++)
			one_life(&side[k]);
	for (int k = 0; opt.count && k < n; k++)
		if (!side[k].floor)
			one_life(&side[k]);
	for (int k = 0; k < n; k++)
		for (int verb = 0; verb < N_VERBS; verb++)
			report(&side[k], (enum verb)verb);
	return 0;
}
