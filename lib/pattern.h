/*
 * Regular expressions in RE2's syntax, as the Go plugins read them (re2/wiki/Syntax): whether one is
 * found anywhere in a text.
 *
 * The time is bounded by the product of both lengths, whatever the pattern: all possible states go
 * through the text side by side, and none is ever tried again.
 *
 * Not there: classes of Unicode properties (`\pN`), and case folding (`(?i)`) beyond ASCII. A pattern
 * with the former is refused, as one that is malformed.
 */
#ifndef CNI_PATTERN_H
#define CNI_PATTERN_H

#include "base.h"

/** Room for why a pattern is refused; longer reasons are cut. */
#define CNI_PATTERN_WHY 256

/**
 * Search @p text for @p pattern; not anchored, unless the pattern says so.
 *
 * @param pattern  bytes, need not be NUL-terminated
 * @param len      how many
 * @param text     NUL-terminated; bytes that are no UTF-8 match as U+FFFD
 * @param why      on -EINVAL: what Go's regexp says of such a pattern
 * @return 1 if it is found; 0 if not; -EINVAL if it is no pattern; -ENOMEM
 */
int cni_pattern_search(const char *pattern, size_t len, const char *text,
		       char why[static CNI_PATTERN_WHY]) cni_must_check;

#endif
