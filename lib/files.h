/*
 * Files and directories of the host that plugins read and keep.
 */
#ifndef CNI_FILES_H
#define CNI_FILES_H

#include "buf.h"

#include <stdbool.h>
#include <sys/stat.h>

/** @return whether both are of one file, by whatever names */
static inline bool cni_stat_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/**
 * Make a directory, and those above it that are missing.
 * @param mode  of the directory itself; those above get 0755
 * @return 0, also if it is there; negative errno
 */
int cni_dir_make(const char *path, mode_t mode) cni_must_check;

/** @return 0 if the directory is there or could be made, and written to; negative errno */
int cni_dir_check_writable(const char *path) cni_must_check;

/**
 * Call @p fn for each name in a directory, "." and ".." among them.
 *
 * @param at  descriptor of the directory, which stays the caller's
 * @param fn  what is not 0 ends it
 * @return 0; what @p fn returned; negative errno
 */
int cni_dir_each(int at, int (*fn)(const char *name, void *ctx), void *ctx) cni_must_check;

/**
 * Take the lock of an open file (flock(2), exclusive), and wait for it if others have it.
 *
 * @param ms  how long, at most
 * @return 0; -EWOULDBLOCK if others had it all the time; other negative errno
 */
int cni_lock_within(int fd, int ms) cni_must_check;

/**
 * Read a whole file; anything that would block is not waited for.
 *
 * @param max  most bytes to accept
 * @param ret  empty; holds what was read also on failure
 * @return 0; -EFBIG if there is more than @p max; negative errno of opening or reading
 */
int cni_file_read(const char *path, size_t max, struct cni_buf *ret) cni_must_check;

#endif
