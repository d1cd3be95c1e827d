/*
 * One lease of host-local in its file, in the Go plugin's format: "<container id>\r\n<ifname>"; from
 * before that, just "<container id>". Names are relative to the network's directory, and no symbolic
 * link is followed.
 *
 * Each lease also carries the boot that it was written in, as the extended attribute
 * "user.ccni.boot_id", where the file system has such: the Go plugins do not see it.
 */
#ifndef CNI_LEASE_FILE_H
#define CNI_LEASE_FILE_H

#include "ip.h"

/** A lease as it stands in its file. */
struct cni_lease {
	struct cni_ip ip;
	const char *containerid; /**< never empty */
	const char *ifname; /**< NULL in leases from before the Go plugins wrote it */
};

/** @return whether a lease is of this attachment; an old one is of every interface of its container */
bool cni_lease_is_of(const struct cni_lease *lease, const char *containerid, const char *ifname);

/** What is under an address's name. */
enum cni_lease_kind {
	CNI_LEASE_ABSENT, /**< nothing */
	CNI_LEASE_TORN, /**< an empty file, the leftover of a crash */
	CNI_LEASE_FOREIGN, /**< not a file, or no text that a runtime can have written */
	CNI_LEASE_HELD, /**< a lease */
	CNI_LEASE_UNREADABLE, /**< can't be told now; errno says why */
};

/** Bytes that are read of a file; longer than any container id and interface name that a runtime makes. */
#define CNI_LEASE_MAX 4096

/** @return whether a lease of this attachment would be read whole; one that is not would never be found */
bool cni_lease_fits(const char *containerid, const char *ifname);

/**
 * Read the file under an address's name.
 *
 * @param text   receives the content, which @p lease borrows from
 * @param lease  container and interface, if the result is CNI_LEASE_HELD
 */
enum cni_lease_kind cni_lease_read(int dir, const char *name, char text[static CNI_LEASE_MAX],
				   struct cni_lease *lease);

/** The same, when only the answer is wanted. */
enum cni_lease_kind cni_lease_look(int dir, const char *name);

/**
 * @return true only if it is certain that a lease was written before the machine was last booted: false
 * for those of the Go plugins, which do not say
 */
bool cni_lease_is_of_old_boot(int dir, const char *name);

/**
 * Write a lease: it appears under its name complete or not at all. The caller holds the store's lock.
 * @return 0; -EEXIST if something is under the name; other negative errno
 */
int cni_lease_create(int dir, const char *name, const char *containerid,
		     const char *ifname) cni_must_check;

/**
 * Clear an address's name of what is no lease: an empty file is removed, anything else is moved aside,
 * to "foreign-<address>.N", for it is not ours to delete.
 * @return whether there was such a thing and the name is free now
 */
bool cni_lease_make_way(int dir, const char *name);

/**
 * Read a small file whole, as text.
 * @param size  of @p buf; the text is cut to one less
 * @return bytes; negative errno
 */
ssize_t cni_read_small(int dir, const char *name, char *buf, size_t size) cni_must_check;

#endif
