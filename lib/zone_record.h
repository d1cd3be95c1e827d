/*
 * Whose an address in a firewalld zone is. firewalld has no room for a comment, so this is written
 * beside it: one small file per address in /run/cni/firewalld, where it is lost when the zone's
 * runtime configuration is: with the boot.
 *
 * A record is there complete or not at all. It is a help, never a need: without one, the addresses of
 * prevResult and the configured zone are believed.
 */
#ifndef CNI_ZONE_RECORD_H
#define CNI_ZONE_RECORD_H

#include "ip.h"
#include "names.h"

/** Room for a zone's name, with the NUL. firewalld itself allows 17 bytes. */
#define CNI_ZONE_LEN 64

/** One address in a zone. */
struct cni_zone_record {
	struct cni_ip ip;
	char owner[CNI_OWNER_LEN]; /**< cni_owner of the attachment */
	char zone[CNI_ZONE_LEN]; /**< without control characters */
};

/** Write a record, in the place of an older one of the same address. @return 0; negative errno */
int cni_zone_record_put(const struct cni_zone_record *rec) cni_must_check;

/** @return 0 and @p ret; -ENOENT if there is none; -EBADMSG if the file is no record */
int cni_zone_record_get(const struct cni_ip *ip, struct cni_zone_record *ret) cni_must_check;

/** Remove the record of an address, if there is one. */
void cni_zone_record_drop(const struct cni_ip *ip);

/**
 * Call @p fn for every record, in no order. A walk over the containers of all networks.
 * @return 0, also if nothing was ever recorded; -ENOMEM or what else @p fn returned, which ends it
 */
int cni_zone_record_each(int (*fn)(const struct cni_zone_record *rec, void *ctx),
			 void *ctx) cni_must_check;

#endif
