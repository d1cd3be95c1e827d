/*
 * Which parameters may be set; see allowlist.h.
 */
#include "allowlist.h"
#include "buf.h"
#include "pattern.h"

#include <errno.h>
#include <string.h>

struct line {
	const char *text;
	size_t len;
};

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The next line that is not empty, without the white space around it. @return false at the end */
static bool next_line(const char **p, const char *end, struct line *ret)
{
	while (*p < end) {
		const char *from = *p, *to = memchr(from, '\n', (size_t)(end - from));

		to = to ? to : end;
		*p = to < end ? to + 1 : end;
		while (from < to && is_space(*from))
			from++;
		while (from < to && is_space(to[-1]))
			to--;
		*ret = (struct line){ from, (size_t)(to - from) };
		if (ret->len)
			return true;
	}
	return false;
}

static int refuse(const char *text, const char *end, const char *key, struct cni_error *err)
{
	cni_auto(buf) struct cni_buf list = { 0 };
	struct line line;

	while (next_line(&text, end, &line)) {
		if (list.len)
			cni_buf_add(&list, " ", 1);
		cni_buf_add(&list, line.text, line.len);
	}
	return cni_fail(err, CNI_E_CONFIG, 0,
			"Sysctl %s is not allowed. Only the following sysctls are allowed: [%s]",
			key, list.data ? list.data : "");
}

int cni_allowlist_check(const char *text, size_t len, const char *key, struct cni_error *err)
{
	const char *p = text, *end = text + len;
	char why[CNI_PATTERN_WHY];
	struct line line;

	while (next_line(&p, end, &line)) {
		int r = cni_pattern_search(line.text, line.len, key, why);

		if (r > 0)
			return 0;
		if (r == -EINVAL)
			return cni_invalid(err, "%s", why);
		if (r < 0)
			return cni_fail(err, CNI_E_INTERNAL, -r, "read list of allowed sysctls");
	}
	(void)refuse(text, end, key, err);
	return -EPERM;
}
