/*
 * Failures as the CNI specification prints them.
 *
 * Every function that can fail returns 0 or a negative errno, so that a caller can branch on it;
 * one whose failure a user will see also fills a struct cni_error, which belongs to the caller and
 * never allocates, so that reporting a failure cannot fail.
 */
#ifndef CNI_ERROR_H
#define CNI_ERROR_H

#include "base.h"

/** Error codes. 1-99 are the specification's ("Error", table of codes); 8 and 999 the Go set's. */
enum cni_error_code {
	CNI_E_NONE = 0,
	CNI_E_VERSION = 1, /**< incompatible CNI version */
	CNI_E_FIELD = 2, /**< a key that asks for what this build does not do */
	CNI_E_ENV = 4, /**< a CNI_* environment variable is missing or bad */
	CNI_E_IO = 5, /**< standard input or a file failed */
	CNI_E_DECODE = 6, /**< standard input is not a JSON configuration */
	CNI_E_CONFIG = 7, /**< a key of the configuration is bad */
	CNI_E_NETNS = 8, /**< CNI_NETNS is the plugin's own namespace */
	CNI_E_RETRY = 11, /**< passing trouble; the runtime should try again */
	CNI_E_UNAVAILABLE = 50, /**< STATUS: ADD would fail now */
	CNI_E_INTERNAL = 999, /**< the kernel or a file refused what ADD, DEL or CHECK needs */
};

/** One failure. `{0}` is "none yet". */
struct cni_error {
	bool set;
	bool passed_over; /**< another failure came later: the next details are its own, and go, too */
	unsigned int code; /**< enum cni_error_code, or whatever a delegate reported */
	char msg[2048]; /**< what was being done, to what, and the system's reason */
	char details[2048]; /**< the kernel's own words, or which key mends it; may be empty */
};

/**
 * Record a failure, unless one is recorded already: the first cause wins, because DEL goes on after
 * a failure and may fail again.
 *
 * @param err     where to record; NULL records nothing
 * @param code    enum cni_error_code
 * @param errnum  positive errno, whose text is appended to the message; 0 = no system reason
 * @param fmt     what was being done, and to what; lower case, no full stop
 * @return -errnum, or -EIO if @p errnum is 0: never 0
 */
int cni_fail(struct cni_error *err, unsigned int code, int errnum, const char *fmt, ...)
	cni_printf(4, 5);

/** cni_fail for a bad configuration: code CNI_E_CONFIG, no system reason. @return -EINVAL */
int cni_invalid(struct cni_error *err, const char *fmt, ...) cni_printf(2, 3);

/**
 * Add a hint or the kernel's own words to the failure that was recorded last; further ones are joined with
 * "; ". An empty text adds nothing, nor does one about a failure that came after the first.
 */
void cni_error_detail(struct cni_error *err, const char *fmt, ...) cni_printf(2, 3);

/** Put "<text>: " in front of a recorded failure's message. */
void cni_error_prefix(struct cni_error *err, const char *fmt, ...) cni_printf(2, 3);

/** @return the text of a positive errno as Go prints it: lower-case first letter; static storage */
const char *cni_strerror(int errnum);

/** A note to the operator on stderr, prefixed with the program's name. Never on stdout. */
void cni_note(const char *fmt, ...) cni_printf(1, 2);

#endif
