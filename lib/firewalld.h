/*
 * firewalld: a container's addresses as sources of a zone, by D-Bus (org.fedoraproject.FirewallD1.zone,
 * runtime configuration only, as the Go plugin does it). Whose an address is, is written beside it
 * (zone_record.h).
 */
#ifndef CNI_FIREWALLD_H
#define CNI_FIREWALLD_H

#include "plugin.h"

/** @return whether the system bus answers and firewalld is on it; waits for 5 s at most */
bool cni_firewalld_running(void);

/**
 * Put every address of a result into a zone. Those that are in it already stay.
 *
 * @param zone  1..63 bytes
 * @return 0; negative errno: no address was added
 */
int cni_firewalld_add(const struct cni_args *args, const char *zone, const struct cni_result *res,
		      struct cni_error *err) cni_must_check;

/**
 * Take an attachment's addresses out of their zones: those of @p prev that are not on record as
 * another attachment's, or, if it has none, those that are on record as this one's.
 *
 * @param zone  where addresses without a record are; NULL = nowhere
 * @param prev  what ADD returned, if it is known; else empty
 * @return 0, also if they or firewalld are gone, or it keeps them because their rules are; negative errno
 */
int cni_firewalld_del(const struct cni_args *args, const char *zone, const struct cni_result *prev,
		      struct cni_error *err) cni_must_check;

/** @return 0 if every address of a result is in the zone; -ENOENT if not; other negative errno */
int cni_firewalld_check(const char *zone, const struct cni_result *res,
			struct cni_error *err) cni_must_check;

/** Take out of their zones what is on record for attachments that are not valid. @return 0; negative errno */
int cni_firewalld_gc(const struct cni_args *args, struct cni_error *err) cni_must_check;

#endif
