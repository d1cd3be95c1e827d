/*
 * What CHECK found wrong: all of it, not only the first.
 *
 * An attachment that is broken is rarely broken in one place, and who has to mend it wants the whole
 * list. Each fault is told twice: in words, joined in the error's message, and for machines as one
 * object of the JSON array in its details (docs/check.md). The first one gives the error its code, and
 * its words are the Go plugins'. Both texts are bounded; what finds no room is counted.
 */
#ifndef CNI_FAULTS_H
#define CNI_FAULTS_H

#include "error.h"

/** What is wrong, for machines. Texts are borrowed; NULL is printed as null. */
struct cni_fault {
	const char *what; /**< kind of fault, a word of docs/check.md */
	const char *iface; /**< name of the interface it is about; NULL = none */
	const char *want; /**< as it was after ADD */
	const char *have; /**< as it is; NULL = it is not there */
};

/** Faults found so far. `{0}` is none. */
struct cni_faults {
	unsigned int n; /**< how many */
	unsigned int code; /**< of the first one */
	unsigned int untold, unlisted; /**< found no room in msg, in list */
	char msg[2000]; /**< words, joined with "; " */
	char list[1960]; /**< objects, joined with "," */
};

/**
 * Add a fault, with code CNI_E_INTERNAL.
 * @param fmt  the words; the Go plugins', where they look for the same fault
 */
void cni_faults_add(struct cni_faults *f, const struct cni_fault *fault, const char *fmt, ...)
	cni_printf(3, 4);

/**
 * Add what somebody else reports, or what kept CHECK from looking: its object has code, msg and details
 * instead of a wish.
 * @param what  "ipam", "error"
 * @param why   recorded; its code, if this is the first fault, becomes that of the whole
 */
void cni_faults_add_error(struct cni_faults *f, const char *what, const struct cni_error *why);

/** Report all faults as one error. @return 0 if there are none; -EIO */
int cni_faults_report(const struct cni_faults *f, struct cni_error *err) cni_must_check;

#endif
