/*
 * A directory of plugins on a running node: putting this executable there under the plugins' names, and
 * putting back what was there before.
 *
 * At every instant each name leads to a whole program, the old one or the new one; a process that is killed
 * at any place leaves what the next one clears up. Files of other names are never touched. Beside the programs
 * are, while needed, two directories that runtimes do not look into: CNI_BINDIR_KEPT, and CNI_BINDIR_NEW with
 * what is not in use yet. Nothing is ever run.
 */
#ifndef CNI_BINDIR_H
#define CNI_BINDIR_H

#include "error.h"

#include <limits.h>

/** What was there before: NAME is the old file itself, NAME.absent says that there was none. */
#define CNI_BINDIR_KEPT ".ccni-backup"
/** The new files until they are renamed; a leftover of a killed process is removed by the next one. */
#define CNI_BINDIR_NEW ".ccni-new"

/** The operator's tool, which is installed beside the plugins; the last to come and to go. */
#define CNI_BINDIR_TOOL "ccni"

/** An open directory of plugins; -1 is the empty descriptor. */
struct cni_bindir {
	int fd;
	char path[PATH_MAX]; /**< for messages */
};
#define CNI_BINDIR_INIT  \
	{                \
		.fd = -1 \
	}

static inline void cni_auto_bindir(struct cni_bindir *d)
{
	cni_auto_fd(&d->fd);
}

/**
 * Open a directory.
 * @param lock  wait until no other process has it locked, and lock it until it is closed
 */
int cni_bindir_open(const char *path, bool lock, struct cni_bindir *ret,
		    struct cni_error *err) cni_must_check;

/**
 * Put this executable there under every name. What can fail is done before the first name changes.
 *
 * @param names  NULL-terminated; file names without a dot, CNI_BINDIR_TOOL the last
 * @param keep   keep what is there for cni_bindir_restore(); once something is kept, this goes without saying.
 *               What was there before the first call is kept through all others, and so is what is not of
 *               this project when it comes later.
 * @return 0; -EEXIST if a file that is not of this project would be lost (nothing changed); other negative
 *         errno
 */
int cni_bindir_install(const struct cni_bindir *d, const char *const *names, bool keep,
		       struct cni_error *err) cni_must_check;

/**
 * Put back what was kept, and remove what was not there. What others put under a name since stays, and what
 * was kept of that name gets a number. Succeeds if all that has been done already.
 *
 * @param names  as for cni_bindir_install(); only looked at when nothing is kept
 * @return 0; -ENOENT if nothing is kept, and one of @p names is of this project; other negative errno
 */
int cni_bindir_restore(const struct cni_bindir *d, const char *const *names,
		       struct cni_error *err) cni_must_check;

/** What is under a name. */
enum cni_program_kind {
	CNI_PROGRAM_NONE, /**< nothing */
	CNI_PROGRAM_OURS, /**< this project's, of any version */
	CNI_PROGRAM_OTHER, /**< another file */
	CNI_PROGRAM_SYMLINK,
	CNI_PROGRAM_STRANGE, /**< a directory, a device, or not to be read */
};

struct cni_program {
	enum cni_program_kind kind;
	char version[32]; /**< of CNI_PROGRAM_OURS */
};

/** Look at a file. @param dir  descriptor of its directory */
struct cni_program cni_program_look(int dir, const char *name);

/** What is under a name now, and what cni_bindir_restore() would make of it. */
struct cni_bindir_entry {
	const char *name;
	struct cni_program now;
	bool is_kept; /**< restore changes this name ... */
	struct cni_program kept; /**< ... into this; CNI_PROGRAM_NONE: removes it */
};

/**
 * Look at every file whose name does not begin with a dot, and at every name that is kept; in order of names,
 * CNI_BINDIR_TOOL the last.
 * @return 0; what @p fn returned if that is not 0; negative errno
 */
int cni_bindir_each(const struct cni_bindir *d,
		    int (*fn)(const struct cni_bindir_entry *e, void *ctx), void *ctx,
		    struct cni_error *err) cni_must_check;

#endif
