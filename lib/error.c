/*
 * Failures as the CNI specification prints them; see error.h.
 */
#include "error.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *cni_strerror(int errnum)
{
	static char text[64];

	/* strerrordesc_np does not translate, and so needs no locale. */
	const char *desc = strerrordesc_np(errnum);

	if (!desc)
		snprintf(text, sizeof(text), "errno %d", errnum);
	else
		snprintf(text, sizeof(text), "%s", desc);
	text[0] = (char)tolower((unsigned char)text[0]);
	return text;
}

cni_printf(4, 0) static void record(struct cni_error *err, unsigned int code, int errnum,
				    const char *fmt, va_list ap)
{
	int n;

	if (!err || err->set)
		return;
	err->set = true;
	err->code = code;
	n = vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	if (errnum > 0 && n >= 0 && (size_t)n < sizeof(err->msg))
		snprintf(err->msg + n, sizeof(err->msg) - (size_t)n, ": %s", cni_strerror(errnum));
}

int cni_fail(struct cni_error *err, unsigned int code, int errnum, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	record(err, code, errnum, fmt, ap);
	va_end(ap);
	return -(errnum > 0 ? errnum : EIO);
}

int cni_invalid(struct cni_error *err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	record(err, CNI_E_CONFIG, 0, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

void cni_error_detail(struct cni_error *err, const char *fmt, ...)
{
	char text[sizeof(err->details)];
	va_list ap;
	size_t n;

	if (!err)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	n = strlen(err->details);
	if (text[0])
		snprintf(err->details + n, sizeof(err->details) - n, "%s%s", n ? "; " : "", text);
}

void cni_error_prefix(struct cni_error *err, const char *fmt, ...)
{
	char old[sizeof(err->msg)];
	va_list ap;
	size_t n;

	if (!err || !err->set)
		return;
	memcpy(old, err->msg, sizeof(old));
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	n = strlen(err->msg);
	strncat(err->msg, ": ", sizeof(err->msg) - 1 - n);
	n = strlen(err->msg);
	strncat(err->msg, old, sizeof(err->msg) - 1 - n);
}

void cni_note(const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	dprintf(STDERR_FILENO, "%s: %s\n", program_invocation_short_name, text);
}
