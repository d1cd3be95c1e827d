/*
 * The places where a plugin can be killed, or a system call of it made to fail: strace lists the calls of
 * a run that nobody disturbs, and does the harm in another one. Leak detection is off in these runs,
 * because it cannot work in a traced process.
 */
#ifndef TESTS_POINTS_H
#define TESTS_POINTS_H

#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRACE "/run/trace"
#define MAX_CALLS 400
#define MAX_POINTS MAX_CALLS
#define NO_LEAK_CHECK "env ASAN_OPTIONS=detect_leaks=0 "

/* The `k`th call (from 1) of this name; strace counts each name. */
struct point {
	char name[16];
	int k;
	char line[160];
};

static inline bool may_change_something(const char *line)
{
	if (strstr(line, " = -1 EEXIST") || strstr(line, " = -1 ENOENT"))
		return false; /* the same as before the next one */
	return !strstr(line, "openat") || strstr(line, "O_WRONLY") || strstr(line, "O_CREAT");
}

/* How many of the calls so far had the same name as the last one. */
static inline int count_name(char (*names)[16], int n)
{
	int count = 0;

	for (int i = 0; i < n; i++)
		count += strcmp(names[i], names[n - 1]) == 0;
	return count;
}

/**
 * Run a call undisturbed, and list its system calls of these names that may change something, from where
 * the container's namespace was opened, or the first message sent.
 * @return how many there are
 */
static inline int find_points(struct call c, const char *calls_of_interest,
			      struct point points[MAX_POINTS])
{
	static char names[MAX_CALLS][16];
	char *line = NULL;
	bool begun = false;
	size_t size = 0;
	int calls = 0, n = 0;
	FILE *f;

	c.wrapper = fmt(NO_LEAK_CHECK "strace -o " TRACE " -e trace=%s", calls_of_interest);
	call_ok(c);
	f = fopen(TRACE, "r");
	ck_assert_ptr_nonnull(f);
	while (getline(&line, &size, f) > 0) {
		/* A call that the kernel begins anew is one call. */
		if (strncmp(line, "+++", 3) == 0 || strstr(line, "= ? ERESTART"))
			continue;
		ck_assert_int_lt(calls, MAX_CALLS);
		snprintf(names[calls++], sizeof(names[0]), "%.*s", (int)strcspn(line, "("), line);
		begun |= strstr(line, c.netns) != NULL || strncmp(line, "send", 4) == 0;
		if (!begun || !may_change_something(line))
			continue;
		memcpy(points[n].name, names[calls - 1], sizeof(points[n].name));
		points[n].k = count_name(names, calls);
		snprintf(points[n].line, sizeof(points[n].line), "%s", line);
		n++;
	}
	free(line);
	fclose(f);
	return n;
}

/** Run a call and do harm at a point of it: strace's "signal=..." or "error=...". */
static inline struct reply harm_at(struct call c, const struct point *p, const char *harm)
{
	c.wrapper = fmt(NO_LEAK_CHECK "strace -o " TRACE " -e trace=%s -e inject=%s:%s:when=%d",
			p->name, p->name, harm, p->k);
	return call(c);
}

static inline void kill_at(struct call c, const struct point *p)
{
	struct reply r = harm_at(c, p, "signal=KILL");

	ck_assert_msg(r.status == 128 + 9, "%s was not killed at %s: exit status %d, %s%s",
		      c.command, p->line, r.status, r.out, r.err);
}

#endif
