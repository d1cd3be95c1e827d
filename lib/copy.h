/*
 * Copies of files, with all that a file system keeps by them.
 */
#ifndef CNI_COPY_H
#define CNI_COPY_H

#include "base.h"

/**
 * Open a file to read it; a link is not followed, and what would block is not waited for.
 * @return a descriptor; -1 with errno
 */
int cni_file_open_at(int dir, const char *name) cni_must_check;

/** Append what can be read from one descriptor to another. @return 0; negative errno */
int cni_copy_data(int from, int to) cni_must_check;

/** Read until a buffer is full, or the file ends. @return bytes; negative errno */
ssize_t cni_read_full(int fd, char *data, size_t size) cni_must_check;

/**
 * @return whether two names lead to one file, or to regular files with the same bytes, or to symbolic links
 * that say the same; links are not followed, and what can't be read is not the same
 */
bool cni_file_is_same(int a_dir, const char *a, int b_dir, const char *b);

/**
 * Give a file or a symbolic link, which is not followed, another name; where the file system has no hard links,
 * or no more for this file, make a copy: contents, owner, mode, times, extended attributes, written to disk.
 *
 * @param dir      descriptor of the directory of @p name
 * @param to_dir   likewise of @p to_name, on the same file system
 * @param to_name  what is there is removed first; after a failure it may be there in part
 * @return 0; negative errno
 */
int cni_link_or_copy(int dir, const char *name, int to_dir, const char *to_name) cni_must_check;

#endif
