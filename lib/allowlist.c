/*
 * Which parameters may be set; see allowlist.h.
 */
#include "allowlist.h"
#include "buf.h"
#include "re2.h"

#include <errno.h>
#include <regex.h>
#include <string.h>

#define KEY_MAX 255 /* a parameter's path is shorter */

struct line {
	unsigned int number; /* from 1 */
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
		*ret = (struct line){ ret->number + 1, from, (size_t)(to - from) };
		if (ret->len)
			return true;
	}
	return false;
}

static int refuse(const char *text, const char *end, const char *key, struct cni_error *err)
{
	cni_auto(buf) struct cni_buf list = { 0 };
	struct line line = { 0 };

	while (next_line(&text, end, &line)) {
		if (list.len)
			cni_buf_add(&list, " ", 1);
		cni_buf_add(&list, line.text, line.len);
	}
	return cni_fail(err, CNI_E_CONFIG, 0,
			"Sysctl %s is not allowed. Only the following sysctls are allowed: [%s]",
			key, cni_buf_text(&list));
}

/* Not so, the byte of libc might not be the character of RE2. */
static bool is_plain(const char *key)
{
	size_t n = 0;

	while (key[n] >= ' ' && key[n] <= '~')
		n++;
	return !key[n] && n <= KEY_MAX;
}

/* Read a line, and search for it in a key, if there is one. @return 1 if it is found; 0; negative errno */
static int search(const struct line *line, const char *key, struct cni_error *err)
{
	cni_auto(buf) struct cni_buf re = { 0 };
	regex_t compiled;
	int r;

	/* From the first character on, so that libc goes through the key once, not from each place anew. */
	cni_buf_printf(&re, "^.*(");
	r = cni_re2_to_posix(line->text, line->len, &re, err);
	if (r < 0)
		cni_error_prefix(err, "line %u", line->number);
	if (r < 0 || !key)
		return r;
	cni_buf_printf(&re, ")");
	r = re.failed ? REG_ESPACE : regcomp(&compiled, re.data, REG_EXTENDED | REG_NOSUB);
	if (r != 0)
		return cni_fail(err, CNI_E_INTERNAL, ENOMEM, "line %u: compile %s", line->number,
				re.data ? re.data : "it");
	r = regexec(&compiled, key, 0, NULL, 0);
	regfree(&compiled);
	return r == 0;
}

int cni_allowlist_check(const char *text, size_t len, const char *key, struct cni_error *err)
{
	const char *p = text, *end = text + len;
	struct line line = { 0 };
	bool found = false;

	while (next_line(&p, end, &line)) {
		int r = search(&line, !found && is_plain(key) ? key : NULL, err);

		if (r < 0)
			return r;
		found |= r;
	}
	if (found)
		return 0;
	(void)refuse(text, end, key, err);
	return -EPERM;
}
