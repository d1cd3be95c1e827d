/*
 * What CHECK found wrong; see faults.h.
 */
#include "faults.h"
#include "json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Longer texts, which only a strange prevResult or delegate has, are cut in the list. */
#define LISTED_MAX 255

/* Once something was left out so is the rest: what is told is the beginning. */
static void put(char *to, size_t room, const char *separator, const char *text,
		unsigned int *left_out)
{
	size_t n = strlen(to);

	if (n == 0)
		separator = "";
	if (*left_out || n + strlen(separator) + strlen(text) >= room)
		++*left_out;
	else
		stpcpy(stpcpy(to + n, separator), text);
}

static void print_member(struct cni_buf *b, const char *key, const char *value)
{
	cni_buf_printf(b, "%s\"%s\":", b->len ? "," : "{", key);
	if (value)
		cni_json_print_string(value, strnlen(value, LISTED_MAX), b);
	else
		cni_buf_add(b, "null", strlen("null"));
}

static void print_fault(struct cni_buf *b, const struct cni_fault *fault)
{
	print_member(b, "what", fault->what);
	print_member(b, "interface", fault->iface);
	print_member(b, "want", fault->want);
	print_member(b, "have", fault->have);
}

/* The object in `b` is closed here. */
static void record(struct cni_faults *f, unsigned int code, const char *words, struct cni_buf *b)
{
	cni_buf_add(b, "}", 1);
	if (f->n++ == 0)
		f->code = code;
	put(f->msg, sizeof(f->msg), "; ", words, &f->untold);
	if (b->failed)
		f->unlisted++;
	else
		put(f->list, sizeof(f->list), ",", b->data, &f->unlisted);
}

void cni_faults_add(struct cni_faults *f, const struct cni_fault *fault, const char *fmt, ...)
{
	cni_auto(buf) struct cni_buf b = { 0 };
	char words[sizeof(f->msg)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	print_fault(&b, fault);
	record(f, CNI_E_INTERNAL, words, &b);
}

void cni_faults_add_error(struct cni_faults *f, const char *what, const struct cni_error *why)
{
	unsigned int code = why->set ? why->code : CNI_E_INTERNAL;
	cni_auto(buf) struct cni_buf b = { 0 };
	char words[sizeof(f->msg)];

	snprintf(words, sizeof(words), "%.*s", (int)sizeof(words) - 1, *why->msg ? why->msg : what);
	print_fault(&b, &(struct cni_fault){ .what = what });
	cni_buf_printf(&b, ",\"code\":%u", code);
	print_member(&b, "msg", why->msg);
	if (why->details[0])
		print_member(&b, "details", why->details);
	record(f, code, words, &b);
}

int cni_faults_report(const struct cni_faults *f, struct cni_error *err)
{
	char more[96] = "", words[32] = "";
	int r;

	if (f->n == 0)
		return 0;
	if (f->untold)
		snprintf(words, sizeof(words), "; and %u more", f->untold);
	if (f->unlisted)
		snprintf(more, sizeof(more),
			 "%s{\"what\":\"more\",\"interface\":null,\"want\":null,\"have\":null,"
			 "\"count\":%u}",
			 *f->list ? "," : "", f->unlisted);
	r = cni_fail(err, f->code, 0, "%s%s", f->msg, words);
	cni_error_detail(err, "[%s%s]", f->list, more);
	return r;
}
