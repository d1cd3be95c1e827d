/*
 * Who has a port of the host, as an element of the owners' sets (hostport_claim.h) says it, and whether
 * that one is alive.
 */
#ifndef CNI_HOSTPORT_WHO_H
#define CNI_HOSTPORT_WHO_H

#include "hostport.h"

/** Room for what is compared: owner, chain, 16 digits, a number of 6; separators and the NUL. */
#define CNI_WHO_LEN (CNI_OWNER_LEN + CNI_CHAIN_NAME_LEN + 17 + 7)

/** An attachment that has ports. */
struct cni_who {
	char who[CNI_WHO_LEN]; /**< what is compared */
	char comment[CNI_COMMENT_LEN]; /**< for people, and for the message about a conflict */
};

/**
 * @param n  how many elements the attachment has
 * @return 0; negative errno
 */
int cni_who_is(const struct cni_hostport *hp, unsigned int n, struct cni_who *ret) cni_must_check;

/** @return whether @p who, read from an element, is this attachment */
bool cni_who_same_attachment(const char *who, const struct cni_who *self);

/** @return whether @p who is an attachment of this one's container */
bool cni_who_same_container(const char *who, const struct cni_who *self);

/** @return how many elements @p who has; 0 if it does not say */
unsigned int cni_who_count(const char *who);

/**
 * Say that an ADD is at work on its rules, until the descriptor is closed.
 * @return a file descriptor; -1 if it could not be had
 */
int cni_who_be_busy(const struct cni_hostport *hp);

/** @return whether somebody's rules are there, or on their way; who cannot be asked is taken to be alive */
bool cni_who_is_alive(const char *who);

#endif
