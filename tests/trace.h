/*
 * What a call does, by strace: programs that it starts, netlink messages that it sends, dumps among them.
 */
#ifndef TESTS_TRACE_H
#define TESTS_TRACE_H

#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRACE "/run/trace"

/** What was seen in a trace. */
struct seen {
	int programs; /* started, the plugin itself among them */
	int requests; /* netlink messages sent, those that frame a batch of nf_tables included */
	int dumps; /* those that ask for a whole table */
	const char *dump; /* the last one */
};

/* Count the messages of one sendmsg or sendto; numbers are printed raw. */
static inline void count_messages(const char *line, struct seen *s)
{
	static const char mark[] = "nlmsg_flags=";

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

	/* Leak detection cannot work in a traced process. */
	c.wrapper = "env ASAN_OPTIONS=detect_leaks=0 strace -f -X raw -v -s 65536 -o " TRACE
		    " -e trace=execve,execveat,sendmsg,sendto,sendmmsg";
	call_ok(c);
	f = fopen(TRACE, "r");
	ck_assert_ptr_nonnull(f);
	while (getline(&line, &size, f) > 0) {
		if (strstr(line, " execve"))
			s.programs++;
		if (strstr(line, " send"))
			count_messages(line, &s);
	}
	free(line);
	fclose(f);
	return s;
}

#endif
