/*
 * A growing byte buffer; see buf.h.
 */
#include "buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void cni_buf_done(struct cni_buf *b)
{
	free(b->data);
	*b = (struct cni_buf){ 0 };
}

int cni_buf_reserve(struct cni_buf *b, size_t n)
{
	size_t size = b->size ? b->size : 1024;
	char *data;

	if (b->failed)
		return -ENOMEM;
	while (size - b->len <= n)
		size *= 2;
	if (size == b->size)
		return 0;
	data = realloc(b->data, size);
	if (!data) {
		b->failed = true;
		return -ENOMEM;
	}
	b->data = data;
	b->size = size;
	return 0;
}

void cni_buf_add(struct cni_buf *b, const void *data, size_t n)
{
	if (cni_buf_reserve(b, n) < 0)
		return;
	memcpy(b->data + b->len, data, n);
	b->len += n;
	b->data[b->len] = '\0';
}

void cni_buf_printf(struct cni_buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || cni_buf_reserve(b, (size_t)n) < 0)
		return;
	va_start(ap, fmt);
	vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

int cni_buf_read_fd(struct cni_buf *b, int fd, size_t max)
{
	for (;;) {
		ssize_t n;

		if (cni_buf_reserve(b, 4096) < 0)
			return -ENOMEM;
		n = read(fd, b->data + b->len, b->size - b->len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		b->len += (size_t)n;
		b->data[b->len] = '\0';
		if (b->len > max)
			return -EFBIG;
		if (n == 0)
			return 0;
	}
}
