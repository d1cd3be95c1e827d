/*
 * What links were before plugin tuning changed them, in the Go plugin's files: one for each attachment,
 * "<container id>_<interface>.json", an object with the old values of what was changed.
 *
 * Ours says in addition whose it is and of which link (keys "network", "netns", "ifindex", which the Go
 * plugin passes over): a second ADD keeps the values of the first, GC knows its network's files, and no
 * link gets what another one had. A file without them is the Go plugin's.
 */
#ifndef CNI_LINK_BACKUP_H
#define CNI_LINK_BACKUP_H

#include "nl_link.h"
#include "plugin.h"

/** Whose backup, and of which link; all borrowed. */
struct cni_link_backup {
	const char *dir; /**< where the files are; made when one is saved */
	const char *network, *containerid, *ifname;
	uint64_t netns; /**< of the link: cni_nl_netns_cookie; 0 = not known */
	int ifindex; /**< of the link */
};

/**
 * Write what a link is now. Values of an earlier backup of the same link are older, and stay.
 *
 * @param now  those of its attributes that are to be changed
 * @return 1 if there was no such backup; 0 if there was; negative errno
 */
int cni_link_backup_save(const struct cni_link_backup *b, const struct cni_link_attrs *now,
			 struct cni_error *err) cni_must_check;

/**
 * Read what a link was.
 *
 * @param ret  on success only; those that were saved
 * @return 0; -ENOENT if there is none; -ESTALE if it is of another link; -EBADMSG if it is no backup;
 *         other negative errno
 */
int cni_link_backup_read(const struct cni_link_backup *b,
			 struct cni_link_attrs *ret) cni_must_check;

/** Remove the file; it is not followed if it is a symbolic link. @return 0, also if there is none */
int cni_link_backup_remove(const struct cni_link_backup *b, struct cni_error *err) cni_must_check;

/**
 * Remove the network's files that belong to none of the valid attachments (cni_conf_knows_valid). Those
 * of the Go plugin do not name their network and stay.
 */
int cni_link_backup_gc(const char *dir, const struct cni_args *args,
		       struct cni_error *err) cni_must_check;

#endif
