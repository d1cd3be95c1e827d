/*
 * Regular expressions in RE2's syntax, which the Go plugins read, as POSIX writes them: libc's regex(3)
 * then does the rest.
 *
 * What both have is taken over or spelled the other way; what RE2 alone has is refused, and so is what
 * POSIX leaves open. Nothing is left to be read in another sense than RE2's.
 */
#ifndef CNI_RE2_H
#define CNI_RE2_H

#include "buf.h"
#include "error.h"

/** Most bytes of an expression. */
#define CNI_RE2_MAX 1024

/**
 * Append what stands for @p text in a POSIX extended regular expression, for regcomp(3) with REG_EXTENDED in
 * the "C" locale. Whether it is found is the same in every text of printable ASCII characters; which part
 * of the text that is, may differ. The memory and time that regcomp(3) takes for it are bounded.
 *
 * @param text  the expression, need not be NUL-terminated, not empty
 * @param len   bytes
 * @return 0; -EINVAL if it is malformed, too large or not to be had: @p err names the place; -ENOMEM
 */
int cni_re2_to_posix(const char *text, size_t len, struct cni_buf *out,
		     struct cni_error *err) cni_must_check;

#endif
