/*
 * Measures host-local on one directory of leases: ADD of the next address, ADD that has to go round past
 * all taken ones, CHECK and DEL, ours and another's in turn, each with a copy of the directory of its own.
 * Called by tests/bench/leases, which makes a table of what this prints:
 * "<leases> <ours|theirs> <call> <median in microseconds>".
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_CALLS 1001

enum verb { ADD, ADD_ROUND, CHECK, DEL, ADD_ANEW, N_VERBS };

static const char *const titles[] = { "ADD", "ADD-round", "CHECK", "DEL", "ADD-anew" };

/* One implementation and its directory. */
struct side {
	const char *name, *program, *data_dir;
	bool indexed; /* keeps an index, which can be taken away */
	int config; /* stdin of every call */
	double us[N_VERBS][MAX_CALLS];
	size_t n[N_VERBS];
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "leases: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- a directory full of leases ---- */

/* The i-th address that host-local gives out of 10.0.0.0/16 or fd00::/64. */
static void address(bool v6, unsigned int i, char ret[static 40])
{
	if (v6)
		snprintf(ret, 40, "fd00::%x", i + 2);
	else
		snprintf(ret, 40, "10.0.%u.%u", (i + 2) >> 8, (i + 2) & 255);
}

static void write_file(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		die(name);
	close(fd);
}

static int open_network(const struct side *s)
{
	char path[4096];
	int dir;

	snprintf(path, sizeof(path), "%s/bench", s->data_dir);
	if ((mkdir(s->data_dir, 0755) < 0 || mkdir(path, 0755) < 0) && errno != EEXIST)
		die(path);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		die(path);
	return dir;
}

static void set_last(const struct side *s, bool v6, unsigned int i)
{
	int dir = open_network(s);
	char ip[40];

	address(v6, i, ip);
	write_file(dir, "last_reserved_ip.0", ip);
	close(dir);
}

static void fill(const struct side *s, bool v6, unsigned int n)
{
	int dir = open_network(s);

	for (unsigned int i = 0; i < n; i++) {
		char ip[40], text[128];

		address(v6, i, ip);
		snprintf(text, sizeof(text), "%064x\r\neth0", i);
		write_file(dir, ip, text);
	}
	close(dir);
}

static int make_config(const struct side *s, bool v6)
{
	int fd = open(s->data_dir, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);

	if (fd < 0 || dprintf(fd,
			      "{\"cniVersion\":\"1.0.0\",\"name\":\"bench\",\"type\":\"host-"
			      "local\",\"ipam\":{"
			      "\"type\":\"host-local\",\"subnet\":\"%s\",\"dataDir\":\"%s\"}}",
			      v6 ? "fd00::/64" : "10.0.0.0/16", s->data_dir) < 0)
		die("configuration");
	return fd;
}

/* ---- calls ---- */

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* @return microseconds from before the start of the process until it is reaped */
static double call(const struct side *s, const char *command, unsigned int id)
{
	char verb[32], container[96];
	char *env[] = {
		verb, container, "CNI_NETNS=/run/netns/none", "CNI_IFNAME=eth0", NULL, NULL
	};
	char *argv[] = { (char *)s->program, NULL };
	posix_spawn_file_actions_t files;
	char path[4096];
	double start;
	int status;
	pid_t pid;

	snprintf(verb, sizeof(verb), "CNI_COMMAND=%s", command);
	snprintf(container, sizeof(container), "CNI_CONTAINERID=b%063x", id);
	snprintf(path, sizeof(path), "CNI_PATH=%s", s->data_dir);
	env[4] = path;
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, s->config, STDIN_FILENO);
	posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	lseek(s->config, 0, SEEK_SET);
	start = now_us();
	errno = posix_spawn(&pid, s->program, &files, NULL, argv, env);
	if (errno || waitpid(pid, &status, 0) != pid)
		die(s->program);
	start = now_us() - start;
	posix_spawn_file_actions_destroy(&files);
	if (status != 0) {
		fprintf(stderr, "leases: %s %s: wait status %x\n", s->program, command, status);
		exit(1);
	}
	return start;
}

static void note(struct side *s, enum verb verb, double us)
{
	s->us[verb][s->n[verb]++] = us;
}

/* One life of a container; where the last address is decides what ADD has to pass. */
static void life(struct side *s, bool v6, unsigned int leases, unsigned int id)
{
	set_last(s, v6, leases ? leases - 1 : 0);
	note(s, ADD, call(s, "ADD", id));
	note(s, CHECK, call(s, "CHECK", id));
	note(s, DEL, call(s, "DEL", id));
	set_last(s, v6, 0);
	note(s, ADD_ROUND, call(s, "ADD", id));
	call(s, "DEL", id);
}

/* The index is gone or stale, as after a change by somebody else. */
static void life_anew(struct side *s, bool v6, unsigned int leases, unsigned int id)
{
	int dir = open_network(s);

	unlinkat(dir, ".ccni-index", 0);
	close(dir);
	set_last(s, v6, leases ? leases - 1 : 0);
	note(s, ADD_ANEW, call(s, "ADD", id));
	call(s, "DEL", id);
}

static void measure(struct side sides[2], bool v6, unsigned int leases, const unsigned int calls[2])
{
	for (int k = 0; k < 2; k++) {
		for (unsigned int i = 0; i < 2; i++)
			life(&sides[k], v6, leases, i); /* to warm up */
		memset(sides[k].n, 0, sizeof(sides[k].n));
	}
	for (unsigned int i = 0; i < calls[0] || i < calls[1]; i++)
		for (int k = 0; k < 2; k++)
			if (i < calls[k])
				life(&sides[k], v6, leases, i);
	for (unsigned int i = 0; i < 11; i++)
		for (int k = 0; k < 2; k++)
			if (sides[k].indexed)
				life_anew(&sides[k], v6, leases, i);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void report(struct side *s, unsigned int leases)
{
	for (int v = 0; v < N_VERBS; v++) {
		if (s->n[v] == 0)
			continue;
		qsort(s->us[v], s->n[v], sizeof(s->us[v][0]), compare);
		printf("%u %s %s %.0f\n", leases, s->name, titles[v], s->us[v][s->n[v] / 2]);
	}
}

int main(int argc, char **argv)
{
	static struct side sides[2] = { { .name = "ours", .indexed = true }, { .name = "theirs" } };
	unsigned int leases, calls[2];
	char path[2][4096];
	bool v6;

	if (argc != 8) {
		fprintf(stderr, "usage: leases OURS THEIRS DIRECTORY 4|6 LEASES CALLS_OF_OURS "
				"CALLS_OF_THEIRS\n");
		return 2;
	}
	v6 = argv[4][0] == '6';
	leases = (unsigned int)strtoul(argv[5], NULL, 10);
	for (int k = 0; k < 2; k++) {
		calls[k] = (unsigned int)strtoul(argv[6 + k], NULL, 10);
		if (calls[k] == 0 || calls[k] > MAX_CALLS || leases > 65000)
			return 2;
		snprintf(path[k], sizeof(path[k]), "%s/%s", argv[3], sides[k].name);
		sides[k].program = argv[1 + k];
		sides[k].data_dir = path[k];
		fill(&sides[k], v6, leases);
		sides[k].config = make_config(&sides[k], v6);
	}
	measure(sides, v6, leases, calls);
	for (int k = 0; k < 2; k++)
		report(&sides[k], leases);
	return 0;
}
