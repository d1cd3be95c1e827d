/*
 * What a call does, by strace: programs that it starts, netlink messages that it sends, dumps among them;
 * and its system calls one by one, so that it can be killed at each.
 */
#ifndef TESTS_TRACE_H
#define TESTS_TRACE_H

#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRACE "/run/trace"
/** Leak detection cannot work in a traced process. */
#define NO_LEAK_CHECK "env ASAN_OPTIONS=detect_leaks=0 "

/** Whether this build has sanitizers: what they do before main() are hundreds of calls, not the same in each run. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

/** What was seen in a trace. */
struct seen {
	int programs; /* started, the plugin itself among them */
	int requests; /* netlink messages sent, those that frame a batch of nf_tables included */
	int dumps; /* those that ask for a whole table */
	int commits; /* batches of nf_tables */
	int outlives; /* files that the kernel closes after the process */
	int walks; /* dumps of flows: the kernel goes over all of them */
	int walks_by_port; /* those of one port; the others get all of a protocol, or of a container */
	const char *dump; /* the last one */
};

/* Count the messages of one sendmsg or sendto; numbers are printed raw. */
static inline void count_messages(const char *line, struct seen *s)
{
	static const char mark[] = "nlmsg_flags=", batch[] = "nlmsg_type=0x10,";
	static const char flows[] = "nlmsg_type=0x1<<8|0x1, nlmsg_flags=0x301,"; /* CT_GET */
	static const char port[] = "\\x06\\x00\\x03\\x00"; /* CTA_PROTO_DST_PORT */

	/* NFNL_MSG_BATCH_BEGIN: the first of a batch; a link's message has the same number. */
	s->commits += strstr(line, batch) && strstr(line, "nfgen_family=");
	s->walks += strstr(line, flows) != NULL;
	s->walks_by_port += strstr(line, flows) && strstr(line, port);
	for (const char *p = strstr(line, mark); p; p = strstr(p, mark)) {
		unsigned long flags;

		p += strlen(mark);
		flags = strtoul(p, NULL, 0);
		s->requests++;
		if ((flags & 0x300) == 0x300) { /* NLM_F_DUMP */
			s->dumps++;
			s->dump = fmt("%.400s", line);
		}
	}
}

/** Call, which has to succeed, and watch it. */
static inline struct seen look(struct call c)
{
	struct seen s = { .dump = "" };
	char *line = NULL;
	size_t size = 0;
	FILE *f;

	c.wrapper = NO_LEAK_CHECK
		"strace -f -X raw -v -s 65536 -o " TRACE
		" -e trace=execve,execveat,sendmsg,sendto,sendmmsg,io_uring_register";
	call_ok(c);
	f = fopen(TRACE, "r");
	ck_assert_ptr_nonnull(f);
	while (getline(&line, &size, f) > 0) {
		if (strstr(line, " execve"))
			s.programs++;
		if (strstr(line, " send"))
			count_messages(line, &s);
		s.outlives += strstr(line, " io_uring_register") && strstr(line, ") = 0");
	}
	free(line);
	fclose(f);
	return s;
}

#define MAX_POINTS 2000

/** A system call of a program: the `k`th (from 1) of this name, which is how strace counts. */
struct point {
	char name[24];
	int k;
	char line[160]; /**< of the trace */
};

/**
 * Call, which has to succeed, and list its system calls.
 * @param options  of strace, as "-e trace=write"
 * @return how many there are
 */
static inline int trace_points(struct call c, const char *options, struct point points[MAX_POINTS])
{
	char *line = NULL;
	size_t size = 0;
	int n = 0;
	FILE *f;

	c.wrapper = fmt(NO_LEAK_CHECK "strace -o " TRACE " %s", options);
	call_ok(c);
	f = fopen(TRACE, "r");
	ck_assert_ptr_nonnull(f);
	while (getline(&line, &size, f) > 0) {
		struct point *p = &points[n];

		if (strncmp(line, "+++", 3) == 0 || strncmp(line, "---", 3) == 0 ||
		    strstr(line, "= ? ERESTART"))
			continue; /* a call that the kernel begins anew is one call */
		ck_assert_int_lt(n, MAX_POINTS);
		snprintf(p->name, sizeof(p->name), "%.*s", (int)strcspn(line, "("), line);
		snprintf(p->line, sizeof(p->line), "%s", line);
		p->k = 1;
		for (int i = 0; i < n; i++)
			p->k += strcmp(points[i].name, p->name) == 0;
		n++;
	}
	free(line);
	fclose(f);
	return n;
}

/** @return index of the first call whose line has this text; n if none has */
static inline int first_point(const struct point *points, int n, const char *text)
{
	int i = 0;

	while (i < n && !strstr(points[i].line, text))
		i++;
	return i;
}

/*
 * Which socket is asked for a route, a link, or an address of the container; 0 if it is something else. strace knows not
 * what a socket is that was made in another namespace.
 */
static inline int question(const struct point *p)
{
	static const char *const asked[] = { "RTM_GETROUTE", "0x1a ", "RTM_GETLINK", "0x12 ",
					     "0x16 " };
	const char *type = strstr(p->line, "nlmsg_type=");

	for (int i = 0; type && i < 5; i++)
		if (strncmp(type + strlen("nlmsg_type="), asked[i], strlen(asked[i])) == 0)
			return 3 * atoi(p->line + strcspn(p->line, "(") + 1) + i / 2;
	return 0;
}

/* Whether the kernel was late with a carrier or an IPv6 address, and was asked for it once more. */
static inline bool asked_again(const struct point *points, int n)
{
	int last = 0;

	for (int i = 0; i < n; i++) {
		int now = question(&points[i]);

		if (strncmp(points[i].name, "send", 4) != 0)
			continue;
		if (now && now == last)
			return true;
		last = now;
	}
	return false;
}

/**
 * List the system calls of these names ("write,sendmsg") of a call, which has to succeed, that may change
 * something, from where the container's namespace is opened or the kernel asked.
 * @return how many there are
 */
static inline int changing_points(struct call c, const char *names, struct point points[MAX_POINTS])
{
	int all = trace_points(c, fmt("-e trace=%s", names), points), n = 0, opened, asked;

	/* The next time it is not, and then there are fewer calls. */
	for (int i = 0; strcmp(c.command, "ADD") == 0 && asked_again(points, all); i++) {
		struct call del = c;

		ck_assert_int_lt(i, 50);
		del.command = "DEL";
		call_ok(del);
		all = trace_points(c, fmt("-e trace=%s", names), points);
	}
	opened = first_point(points, all, c.netns);
	asked = first_point(points, all, "send");
	for (int i = opened < asked ? opened : asked; i < all; i++) {
		const char *line = points[i].line;

		if (strstr(line, " = -1 EEXIST") || strstr(line, " = -1 ENOENT"))
			continue; /* the same as before the next one */
		if (!strstr(line, "openat") || strstr(line, "O_WRONLY") || strstr(line, "O_CREAT"))
			points[n++] = points[i];
	}
	return n;
}

/** Call, and do harm at a point: strace's "signal=..." or "error=...". */
static inline struct reply harm_at(struct call c, const struct point *p, const char *harm)
{
	c.wrapper = fmt(NO_LEAK_CHECK "strace -o " TRACE " -e trace=%s -e inject=%s:%s:when=%d",
			p->name, p->name, harm, p->k);
	return call(c);
}

/**
 * @return the same call of the plugins without sanitizers: for one that is killed, in which they never get to speak,
 * and do hundreds of system calls before main()
 */
static inline struct call by_plain(struct call c)
{
	c.bin = plain_plugins();
	return c;
}

/** Call, and kill the program (SIGKILL) at a point. */
static inline void kill_at(struct call c, const struct point *p)
{
	struct reply r = harm_at(c, p, "signal=KILL");

	ck_assert_msg(r.status == 128 + 9, "%s was not killed at %s: exit status %d, %s%s",
		      c.command, p->line, r.status, r.out, r.err);
}

#endif
