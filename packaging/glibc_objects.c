/*
 * For the static build: Debian's libnftnl.a and libmnl.a were compiled for glibc, whose checked variants of
 * two functions they call. The executable has musl, which has not got them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

int __fprintf_chk(FILE *file, int flag, const char *fmt, ...);
int __snprintf_chk(char *buf, size_t size, int flag, size_t room, const char *fmt, ...);

int __fprintf_chk(FILE *file, int flag, const char *fmt, ...)
{
	va_list ap;
	int r;

	(void)flag;
	va_start(ap, fmt);
	r = vfprintf(file, fmt, ap);
	va_end(ap);
	return r;
}

int __snprintf_chk(char *buf, size_t size, int flag, size_t room, const char *fmt, ...)
{
	va_list ap;
	int r;

	(void)flag;
	if (size > room)
		__builtin_trap();
	va_start(ap, fmt);
	r = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return r;
}
