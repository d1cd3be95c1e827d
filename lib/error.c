/*
 * Failures as the CNI specification prints them; see error.h.
 */
#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What the kernel may answer, in the words of Go and glibc; other libcs have others. */
static const char *const texts[] = {
	[EPERM] = "operation not permitted",
	[ENOENT] = "no such file or directory",
	[ESRCH] = "no such process",
	[EINTR] = "interrupted system call",
	[EIO] = "input/output error",
	[ENXIO] = "no such device or address",
	[E2BIG] = "argument list too long",
	[ENOEXEC] = "exec format error",
	[EBADF] = "bad file descriptor",
	[ECHILD] = "no child processes",
	[EAGAIN] = "resource temporarily unavailable",
	[ENOMEM] = "cannot allocate memory",
	[EACCES] = "permission denied",
	[EFAULT] = "bad address",
	[EBUSY] = "device or resource busy",
	[EEXIST] = "file exists",
	[EXDEV] = "invalid cross-device link",
	[ENODEV] = "no such device",
	[ENOTDIR] = "not a directory",
	[EISDIR] = "is a directory",
	[EINVAL] = "invalid argument",
	[ENFILE] = "too many open files in system",
	[EMFILE] = "too many open files",
	[ENOTTY] = "inappropriate ioctl for device",
	[ETXTBSY] = "text file busy",
	[EFBIG] = "file too large",
	[ENOSPC] = "no space left on device",
	[ESPIPE] = "illegal seek",
	[EROFS] = "read-only file system",
	[EMLINK] = "too many links",
	[EPIPE] = "broken pipe",
	[EDOM] = "numerical argument out of domain",
	[ERANGE] = "numerical result out of range",
	[EDEADLK] = "resource deadlock avoided",
	[ENAMETOOLONG] = "file name too long",
	[ENOLCK] = "no locks available",
	[ENOSYS] = "function not implemented",
	[ENOTEMPTY] = "directory not empty",
	[ELOOP] = "too many levels of symbolic links",
	[ENODATA] = "no data available",
	[ETIME] = "timer expired",
	[ENOLINK] = "link has been severed",
	[EPROTO] = "protocol error",
	[EBADMSG] = "bad message",
	[EOVERFLOW] = "value too large for defined data type",
	[ENOTUNIQ] = "name not unique on network",
	[EILSEQ] = "invalid or incomplete multibyte or wide character",
	[EUSERS] = "too many users",
	[ENOTSOCK] = "socket operation on non-socket",
	[EDESTADDRREQ] = "destination address required",
	[EMSGSIZE] = "message too long",
	[EPROTOTYPE] = "protocol wrong type for socket",
	[ENOPROTOOPT] = "protocol not available",
	[EPROTONOSUPPORT] = "protocol not supported",
	[ESOCKTNOSUPPORT] = "socket type not supported",
	[EOPNOTSUPP] = "operation not supported",
	[EPFNOSUPPORT] = "protocol family not supported",
	[EAFNOSUPPORT] = "address family not supported by protocol",
	[EADDRINUSE] = "address already in use",
	[EADDRNOTAVAIL] = "cannot assign requested address",
	[ENETDOWN] = "network is down",
	[ENETUNREACH] = "network is unreachable",
	[ENETRESET] = "network dropped connection on reset",
	[ECONNABORTED] = "software caused connection abort",
	[ECONNRESET] = "connection reset by peer",
	[ENOBUFS] = "no buffer space available",
	[EISCONN] = "transport endpoint is already connected",
	[ENOTCONN] = "transport endpoint is not connected",
	[ETOOMANYREFS] = "too many references: cannot splice",
	[ETIMEDOUT] = "connection timed out",
	[ECONNREFUSED] = "connection refused",
	[EHOSTDOWN] = "host is down",
	[EHOSTUNREACH] = "no route to host",
	[EALREADY] = "operation already in progress",
	[EINPROGRESS] = "operation now in progress",
	[ESTALE] = "stale file handle",
	[EUCLEAN] = "structure needs cleaning",
	[EREMOTEIO] = "remote I/O error",
	[EDQUOT] = "disk quota exceeded",
	[ECANCELED] = "operation canceled",
};

const char *cni_strerror(int errnum)
{
	static char text[32];

	if (errnum > 0 && (size_t)errnum < CNI_ARRAY_SIZE(texts) && texts[errnum])
		return texts[errnum];
	snprintf(text, sizeof(text), "errno %d", errnum);
	return text;
}

cni_printf(4, 0) static void record(struct cni_error *err, unsigned int code, int errnum,
				    const char *fmt, va_list ap)
{
	int n;

	if (!err)
		return;
	if (err->set) {
		err->passed_over = true;
		return;
	}
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

	if (!err || err->passed_over)
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
