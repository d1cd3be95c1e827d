/*
 * To be preloaded: adds up what a program asks malloc and its relatives for, and writes the number of bytes
 * and of calls to the file $ALLOCATED at the end. Call number $ALLOCATED_FAILS finds no memory. glibc only;
 * not for programs with a sanitizer, which has its own malloc.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);

static size_t bytes, calls, failing;

__attribute__((constructor)) static void start(void)
{
	const char *text = getenv("ALLOCATED_FAILS");

	calls = 0;
	failing = text ? strtoul(text, NULL, 10) : 0;
}

/* @return whether this call is the one that fails */
static int note(size_t size)
{
	bytes += size;
	if (++calls != failing)
		return 0;
	errno = ENOMEM;
	return 1;
}

void *malloc(size_t size)
{
	return note(size) ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	return note(n * size) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
	return note(size) ? NULL : __libc_realloc(p, size);
}

__attribute__((destructor)) static void report(void)
{
	const char *path = getenv("ALLOCATED");
	size_t sum = bytes, n = calls; /* without stdio's own */
	FILE *f;

	failing = 0;
	f = path ? fopen(path, "we") : NULL;
	if (f) {
		fprintf(f, "%zu %zu\n", sum, n);
		fclose(f);
	}
}
