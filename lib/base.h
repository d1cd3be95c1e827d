/*
 * Language helpers that every file uses: attributes, and ownership of locals.
 *
 * An owned local is declared with its releaser and a null value; it leaves the function through
 * CNI_TAKE. A releaser accepts the empty object, so an early return needs no label.
 */
#ifndef CNI_BASE_H
#define CNI_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#define cni_must_check __attribute__((warn_unused_result))
#define cni_printf(fmt, first) __attribute__((format(printf, fmt, first)))

#define CNI_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/** Declare a local that is released when it leaves scope: `cni_auto(fd) int fd = -1;`. */
#define cni_auto(kind) __attribute__((cleanup(cni_auto_##kind)))

/** Define the releaser of a pointer type for cni_auto(kind); @p release is not called on NULL. */
#define CNI_AUTO(kind, type, release)               \
	static inline void cni_auto_##kind(type *p) \
	{                                           \
		if (*p)                             \
			release(*p);                \
	}

/** Move ownership out of an owned pointer, leaving it empty. */
#define CNI_TAKE(p)                         \
	({                                  \
		__typeof__(p) taken_ = (p); \
		(p) = NULL;                 \
		taken_;                     \
	})

/** Releases memory of malloc and friends: `cni_auto(free) char *s = NULL;`. */
static inline void cni_auto_free(void *p)
{
	free(*(void **)p);
}

/** Closes a file descriptor; -1 is the empty value. A failing close has nothing to repair. */
static inline void cni_auto_fd(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

#endif
