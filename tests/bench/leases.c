/*
 * Measures host-local on directories with more and more leases: ADD of the next address, ADD that has to
 * go round past all taken ones, CHECK and DEL. Ours and another's, each in directories of its own, take
 * turns, and so do the directories, so that whatever else the machine does hits all alike. Called by
 * tests/bench/leases, which makes a table of what this prints:
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
#define MAX_COUNTS 8
/* From this many leases on, theirs is called but a few times. */
#define MANY 60000
#define FEW 11

enum verb { ADD, ADD_ROUND, CHECK, DEL, ADD_ANEW, N_VERBS };

static const char *const titles[] = { "ADD", "ADD-round", "CHECK", "DEL", "ADD-anew" };

/* One implementation and one directory. */
struct side {
	const char *name, *program;
	char data_dir[4096];
	unsigned int leases;
	unsigned int calls;
	bool v6;
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
	char path[4200];
	int dir;

	snprintf(path, sizeof(path), "%s/bench", s->data_dir);
	if ((mkdir(s->data_dir, 0755) < 0 || mkdir(path, 0755) < 0) && errno != EEXIST)
		die(path);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		die(path);
	return dir;
}

static void set_last(const struct side *s, unsigned int i)
{
	int dir = open_network(s);
	char ip[40];

	address(s->v6, i, ip);
	write_file(dir, "last_reserved_ip.0", ip);
	close(dir);
}

static void fill(const struct side *s)
{
	int dir = open_network(s);

	for (unsigned int i = 0; i < s->leases; i++) {
		char ip[40], text[128];

		address(s->v6, i, ip);
		snprintf(text, sizeof(text), "%064x\r\neth0", i);
		write_file(dir, ip, text);
	}
	close(dir);
}

static int make_config(const struct side *s)
{
	int fd = open(s->data_dir, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);

	if (fd < 0 || dprintf(fd,
			      "{\"cniVersion\":\"1.0.0\",\"name\":\"bench\",\"type\":\"host-"
			      "local\",\"ipam\":{"
			      "\"type\":\"host-local\",\"subnet\":\"%s\",\"dataDir\":\"%s\"}}",
			      s->v6 ? "fd00::/64" : "10.0.0.0/16", s->data_dir) < 0)
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
	char path[4200];
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

/*
 * One life of a container, after another one that is not timed, so that what ran before in other
 * directories does not count; where the last address is decides what ADD has to pass.
 */
static void life(struct side *s, unsigned int id)
{
	call(s, "ADD", id);
	call(s, "DEL", id);
	set_last(s, s->leases ? s->leases - 1 : 0);
	note(s, ADD, call(s, "ADD", id));
	note(s, CHECK, call(s, "CHECK", id));
	note(s, DEL, call(s, "DEL", id));
	set_last(s, 0);
	note(s, ADD_ROUND, call(s, "ADD", id));
	call(s, "DEL", id);
}

/* The index is gone or stale, as after a change by somebody else. */
static void life_anew(struct side *s, unsigned int id)
{
	int dir = open_network(s);

	unlinkat(dir, ".ccni-index", 0);
	close(dir);
	set_last(s, s->leases ? s->leases - 1 : 0);
	note(s, ADD_ANEW, call(s, "ADD", id));
	call(s, "DEL", id);
}

static void measure(struct side *sides, size_t n)
{
	for (unsigned int i = 0; i < MAX_CALLS; i++)
		for (size_t k = 0; k < n; k++)
			if (i < sides[k].calls)
				life(&sides[k], i);
	for (unsigned int i = 0; i < FEW; i++)
		for (size_t k = 0; k < n; k++)
			if (sides[k].indexed)
				life_anew(&sides[k], i);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void report(struct side *s)
{
	for (int v = 0; v < N_VERBS; v++) {
		if (s->n[v] == 0)
			continue;
		qsort(s->us[v], s->n[v], sizeof(s->us[v][0]), compare);
		printf("%u %s %s %.0f\n", s->leases, s->name, titles[v], s->us[v][s->n[v] / 2]);
	}
}

int main(int argc, char **argv)
{
	static struct side sides[2 * MAX_COUNTS];
	size_t n = 0;

	if (argc < 7 || argc > 6 + MAX_COUNTS) {
		fprintf(stderr, "usage: leases OURS THEIRS DIRECTORY 4|6 CALLS LEASES...\n");
		return 2;
	}
	for (int i = 6; i < argc; i++)
		for (int k = 0; k < 2; k++, n++) {
			struct side *s = &sides[n];

			s->name = k ? "theirs" : "ours";
			s->program = argv[1 + k];
			s->indexed = k == 0;
			s->v6 = argv[4][0] == '6';
			s->leases = (unsigned int)strtoul(argv[i], NULL, 10);
			s->calls = (unsigned int)strtoul(argv[5], NULL, 10);
			if (s->leases > 65000 || s->calls == 0 || s->calls > MAX_CALLS)
				return 2;
			if (k && s->leases >= MANY && s->calls > FEW)
				s->calls = FEW;
			snprintf(s->data_dir, sizeof(s->data_dir), "%s/%s-%u", argv[3], s->name,
				 s->leases);
			fill(s);
			s->config = make_config(s);
		}
	measure(sides, n);
	for (size_t k = 0; k < n; k++)
		report(&sides[k]);
	return 0;
}
