/*
 * The list of parameters that plugin tuning may set: patterns, one a line, as the Go plugin reads them.
 */
#ifndef CNI_ALLOWLIST_H
#define CNI_ALLOWLIST_H

#include "error.h"

/**
 * Check one parameter against the list.
 *
 * A line without the white space around it is a regular expression (re2.h), and found anywhere in the key
 * will do; an empty line is none. One line that can't be read, wherever, and nothing is permitted; neither
 * is ever a key of other than printable ASCII characters, or of more than 255.
 *
 * @param text  the file's contents, need not be NUL-terminated; nothing in it permits nothing
 * @param len   bytes
 * @param key   as it stands in the configuration
 * @return 0; -EPERM if no line permits it; -EINVAL for a line that can't be read; -ENOMEM
 */
int cni_allowlist_check(const char *text, size_t len, const char *key,
			struct cni_error *err) cni_must_check;

#endif
