/*
 * A growing byte buffer, always NUL-terminated once something was put in.
 */
#ifndef CNI_BUF_H
#define CNI_BUF_H

#include "base.h"

/** `{0}` is empty. Running out of memory is remembered, and told once, at the end. */
struct cni_buf {
	char *data; /**< owned; NULL while empty */
	size_t len; /**< bytes in use, without the NUL */
	size_t size; /**< bytes allocated */
	bool failed; /**< an append found no memory; contents are incomplete */
};

/** Free the contents; the buffer is empty again. */
void cni_buf_done(struct cni_buf *b);

static inline void cni_auto_buf(struct cni_buf *b)
{
	cni_buf_done(b);
}

/** @return the contents, to be printed; "" while empty */
static inline const char *cni_buf_text(const struct cni_buf *b)
{
	return b->data ? b->data : "";
}

/** Make room for @p n more bytes and the NUL. @return 0; -ENOMEM */
int cni_buf_reserve(struct cni_buf *b, size_t n);

/** Append @p n bytes. */
void cni_buf_add(struct cni_buf *b, const void *data, size_t n);

/** Append a formatted text. */
void cni_buf_printf(struct cni_buf *b, const char *fmt, ...) cni_printf(2, 3);

/**
 * Append everything readable from @p fd until end of file.
 *
 * @param max  most bytes to accept in all
 * @return 0; -EFBIG if there is more than @p max; -ENOMEM; another negative errno of read(2)
 */
int cni_buf_read_fd(struct cni_buf *b, int fd, size_t max) cni_must_check;

#endif
