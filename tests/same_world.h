/*
 * Comparing world_dump() before and after: without what the kernel changes in its own time, and with
 * a failure that shows the difference instead of two long texts.
 */
#ifndef TESTS_SAME_WORLD_H
#define TESTS_SAME_WORLD_H

#include "world.h"

#include <stdio.h>
#include <string.h>

/* Every occurrence of `what`, out of a text of our own. */
static inline void cut_out(char *text, const char *what)
{
	size_t len = strlen(what);
	char *to = text;

	while (*text) {
		if (strncmp(text, what, len) == 0)
			text += len;
		else
			*to++ = *text++;
	}
	*to = '\0';
}

/** For a fixture: no link-local addresses, which would come, and be tentative, in their own time. */
static inline void no_link_local(void)
{
	sh("echo 1 >/proc/sys/net/ipv6/conf/default/addr_gen_mode");
}

/** @return how many addresses are masqueraded for containers whose id begins so, by whatever backend */
static inline const char *masqueraded(const char *id)
{
	return sh("{ nft list ruleset; iptables-save; ip6tables-save; } 2>/dev/null | "
		  "grep -c 'id: %s\\|-A POSTROUTING.*id: ..%s' || :",
		  id, id);
}

/** world_dump(), without the mark of routes that the kernel sets some time after the carrier went. */
static inline const char *world_now(void)
{
	char *text = (char *)fmt("%s", world_dump());

	cut_out(text, " linkdown");
	return text;
}

/** @return what differs between two texts, as diff(1) shows it; NULL if they are equal */
static inline const char *difference(const char *before, const char *after)
{
	const char *const texts[] = { before, after };

	if (strcmp(before, after) == 0)
		return NULL;
	for (int i = 0; i < 2; i++) {
		FILE *f = fopen(i ? "/run/after" : "/run/before", "w");

		ck_assert_ptr_nonnull(f);
		fputs(texts[i], f);
		fclose(f);
	}
	return sh("diff /run/before /run/after | head -c 1500");
}

static inline void assert_same(const char *before, const char *after)
{
	const char *diff = difference(before, after);

	ck_assert_msg(diff == NULL, "something has changed:\n%s", diff);
}

/** The test fails unless the world is as it was when world_now() returned `before`. */
static inline void assert_unchanged(const char *before)
{
	assert_same(before, world_now());
}

#endif
