/*
 * A directory of plugins; see bindir.h. Everything below it is reached through descriptors and without
 * following symbolic links.
 */
#include "bindir.h"
#include "copy.h"
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#define PROGRAM_MODE 0755
#define DIR_MODE 0755
#define ABSENT ".absent"
#define ASIDE ".aside" /* in the directory of what is kept: a copy in the making */
#define LABEL "security.selinux"
#define LABEL_MAX 4096 /* a page: more the kernel does not give */
#define VERSION_LEN sizeof(((struct cni_program *)0)->version)

/* How a program of ours is told from others without running it; in the form that what(1) looks for. */
#define MARK "@(#)ccni "
static const char mark[] = MARK CCNI_VERSION;
#define MARK_MAX (strlen(MARK) + VERSION_LEN)

/* ---- messages ---- */

static int failed_at(const struct cni_bindir *d, const char *sub, const char *name, int errnum,
		     const char *what, struct cni_error *err)
{
	return cni_fail(err, CNI_E_IO, errnum, "failed to %s %s/%s%s%s", what, d->path, sub,
			*sub && *name ? "/" : "", name);
}

static int failed(const struct cni_bindir *d, const char *name, int errnum, const char *what,
		  struct cni_error *err)
{
	return failed_at(d, "", name, errnum, what, err);
}

/* ---- looking ---- */

static int open_dir(int dir, const char *name)
{
	return openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static bool is_there(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static enum cni_program_kind kind_of(int dir, const char *name)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? CNI_PROGRAM_NONE : CNI_PROGRAM_STRANGE;
	if (S_ISLNK(st.st_mode))
		return CNI_PROGRAM_SYMLINK;
	return S_ISREG(st.st_mode) ? CNI_PROGRAM_OTHER : CNI_PROGRAM_STRANGE;
}

/* Look for the mark. @return whether it is there; negative errno */
static int find_mark(int fd, char version[static VERSION_LEN])
{
	char data[65536 + 1];
	size_t kept = 0; /* the end of what was read before, where a mark may begin */
	ssize_t n;

	while ((n = cni_read_full(fd, data + kept, sizeof(data) - 1 - kept)) > 0) {
		size_t len = kept + (size_t)n;
		const char *found = memmem(data, len, mark, strlen(MARK));

		data[len] = '\0';
		if (found && (found + MARK_MAX <= data + len || len < sizeof(data) - 1)) {
			snprintf(version, VERSION_LEN, "%s", found + strlen(MARK));
			return 1;
		}
		kept = len < MARK_MAX ? len : MARK_MAX;
		memmove(data, data + len - kept, kept);
	}
	return (int)n;
}

struct cni_program cni_program_look(int dir, const char *name)
{
	struct cni_program p = { .kind = kind_of(dir, name) };
	cni_auto(fd) int fd = -1;
	int r;

	if (p.kind != CNI_PROGRAM_OTHER)
		return p;
	fd = cni_file_open_at(dir, name);
	r = fd < 0 ? -errno : find_mark(fd, p.version);
	p.kind = r < 0 ? CNI_PROGRAM_STRANGE : r ? CNI_PROGRAM_OURS : CNI_PROGRAM_OTHER;
	return p;
}

static bool is_ours(int dir, const char *name)
{
	return cni_program_look(dir, name).kind == CNI_PROGRAM_OURS;
}

/* ---- lists of names ---- */

struct names {
	char **name; /* owned, NULL-terminated, in order */
	size_t n;
};

static void names_done(const struct names *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->name[i]);
	free(l->name);
}

static void cni_auto_names(const struct names *l)
{
	names_done(l);
}

static int names_add(struct names *l, const char *name, size_t len)
{
	char **more, *copy;

	for (size_t i = 0; i < l->n; i++)
		if (strncmp(l->name[i], name, len) == 0 && !l->name[i][len])
			return 0;
	more = realloc(l->name, (l->n + 2) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	l->name = more;
	copy = strndup(name, len);
	if (!copy)
		return -ENOMEM;
	l->name[l->n++] = copy;
	l->name[l->n] = NULL;
	return 0;
}

struct picking {
	struct names *l;
	size_t (*pick)(const char *entry);
};

static int names_pick(const char *entry, void *ctx)
{
	const struct picking *p = ctx;
	size_t len = p->pick(entry);

	return len ? names_add(p->l, entry, len) : 0;
}

/*
 * Add the names in a directory that `pick` wants: it returns how many bytes of each stand for the name;
 * 0 = none.
 */
static int names_read(struct names *l, int at, size_t (*pick)(const char *entry))
{
	struct picking p = { l, pick };

	return cni_dir_each(at, names_pick, &p);
}

/* The tool comes last: while it is there, it can be called again to finish what was broken off. */
static int compare(const void *a, const void *b)
{
	const char *x = *(char *const *)a, *y = *(char *const *)b;
	int last = (strcmp(x, CNI_BINDIR_TOOL) == 0) - (strcmp(y, CNI_BINDIR_TOOL) == 0);

	return last ? last : strcmp(x, y);
}

static void names_sort(struct names *l)
{
	if (l->n > 1)
		qsort(l->name, l->n, sizeof(*l->name), compare);
}

static size_t pick_any(const char *entry)
{
	return strcmp(entry, ".") == 0 || strcmp(entry, "..") == 0 ? 0 : strlen(entry);
}

static size_t pick_visible(const char *entry)
{
	return *entry == '.' ? 0 : strlen(entry);
}

/* A name of which something is kept: "bridge" and "bridge.absent" stand for bridge, "bridge.1" for nothing. */
static size_t pick_kept(const char *entry)
{
	size_t len = strcspn(entry, ".");

	return !entry[len] || strcmp(entry + len, ABSENT) == 0 ? len : 0;
}

/* ---- directories ---- */

static int sync_dir(int fd)
{
	/* EINVAL: a file system that has nothing to write. */
	return fsync(fd) < 0 && errno != EINVAL ? -errno : 0;
}

/* Remove a directory of ours with its files, if it is there. */
static int remove_dir(const struct cni_bindir *d, const char *name, struct cni_error *err)
{
	cni_auto(names) struct names files = { 0 };
	cni_auto(fd) int fd = open_dir(d->fd, name);
	int r;

	if (fd < 0)
		return errno == ENOENT ? 0 : failed(d, name, errno, "open", err);
	r = names_read(&files, fd, pick_any);
	for (size_t i = 0; r == 0 && i < files.n; i++)
		if (unlinkat(fd, files.name[i], 0) < 0)
			return failed_at(d, name, files.name[i], errno, "remove", err);
	if (r == 0 && unlinkat(d->fd, name, AT_REMOVEDIR) < 0)
		r = -errno;
	return r < 0 ? failed(d, name, -r, "remove", err) : 0;
}

/* @return a descriptor; negative errno */
static int make_dir(const struct cni_bindir *d, const char *name, struct cni_error *err)
{
	int fd;

	if (mkdirat(d->fd, name, DIR_MODE) < 0 && errno != EEXIST)
		return failed(d, name, errno, "make", err);
	fd = open_dir(d->fd, name);
	return fd < 0 ? failed(d, name, errno, "open", err) : fd;
}

int cni_bindir_open(const char *path, bool lock, struct cni_bindir *ret, struct cni_error *err)
{
	cni_auto(bindir) struct cni_bindir d = CNI_BINDIR_INIT;

	snprintf(d.path, sizeof(d.path), "%s", path);
	for (size_t n = strlen(d.path); n > 1 && d.path[n - 1] == '/'; n--)
		d.path[n - 1] = '\0';
	d.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d.fd < 0)
		return cni_fail(err, CNI_E_IO, errno, "failed to open %s", d.path);
	while (lock && flock(d.fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return cni_fail(err, CNI_E_IO, errno, "failed to lock %s", d.path);
	*ret = d;
	d.fd = -1;
	return 0;
}

/* ---- installing ---- */

struct label {
	char text[LABEL_MAX];
	ssize_t len; /* 0 or less: none */
};

static void label_read(int dir, const char *name, struct label *ret)
{
	cni_auto(fd) int fd = cni_file_open_at(dir, name);

	ret->len = fd < 0 ? 0 : fgetxattr(fd, LABEL, ret->text, sizeof(ret->text));
}

/* What must be so before anything is made. */
static int check_names(const struct cni_bindir *d, const char *const *names, bool keep,
		       struct cni_error *err)
{
	for (; *names; names++) {
		enum cni_program_kind kind = cni_program_look(d->fd, *names).kind;

		if (kind == CNI_PROGRAM_STRANGE)
			return cni_fail(err, CNI_E_IO, ENOTSUP,
					"%s/%s is not a file that can be read", d->path, *names);
		if (!keep && (kind == CNI_PROGRAM_OTHER || kind == CNI_PROGRAM_SYMLINK)) {
			(void)cni_fail(err, CNI_E_IO, 0,
				       "%s/%s is of another set, and would be lost", d->path,
				       *names);
			cni_error_detail(err, "--backup keeps it");
			return -EEXIST;
		}
	}
	return 0;
}

/* This executable, in a directory where nobody looks for it. */
static int new_program(int exe, int dir, const char *name, const struct label *label)
{
	cni_auto(fd) int to = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int r;

	if (to < 0 || lseek(exe, 0, SEEK_SET) < 0)
		return -errno;
	r = cni_copy_data(exe, to);
	if (r == 0 && fchmod(to, PROGRAM_MODE) < 0)
		r = -errno;
	if (r == 0 && label->len > 0 &&
	    fsetxattr(to, LABEL, label->text, (size_t)label->len, 0) < 0)
		r = -errno;
	return r == 0 && fsync(to) < 0 ? -errno : r;
}

/*
 * All new programs are one file, with the label of the first old one; one whose label differs is a file of its
 * own, because a label belongs to the file and not to its name.
 */
static int prepare_programs(const struct cni_bindir *d, const char *const *names, int new,
			    struct cni_error *err)
{
	cni_auto(fd) int exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct label common = { .len = 0 };
	int r = 0;

	if (exe < 0)
		return cni_fail(err, CNI_E_IO, errno, "failed to open /proc/self/exe");
	for (size_t i = 0; common.len <= 0 && names[i]; i++)
		label_read(d->fd, names[i], &common);
	for (size_t i = 0; r == 0 && names[i]; i++) {
		struct label own = { .len = 0 };
		bool shared;

		label_read(d->fd, names[i], &own);
		shared = own.len <= 0 || (own.len == common.len &&
					  memcmp(own.text, common.text, (size_t)own.len) == 0);
		if (i == 0 || !shared || linkat(new, names[0], new, names[i], 0) < 0)
			r = new_program(exe, new, names[i], own.len > 0 ? &own : &common);
		if (r < 0)
			r = failed_at(d, CNI_BINDIR_NEW, names[i], -r, "write", err);
	}
	return r;
}

/* Let a file that is kept make room for one that came after it; it stays, with a number. */
static int number_kept(int kept, const char *name)
{
	char numbered[NAME_MAX + 1];
	unsigned int n = 1;

	do
		snprintf(numbered, sizeof(numbered), "%s.%u", name, n++);
	while (is_there(kept, numbered));
	return renameat(kept, name, kept, numbered) < 0 ? -errno : 0;
}

/* Whether what is under a name is nothing, ours, or what is kept of it; else others put it there later. */
static bool is_ours_to_give(const struct cni_bindir *d, const char *name, int kept)
{
	enum cni_program_kind kind = cni_program_look(d->fd, name).kind;

	return kind == CNI_PROGRAM_NONE || kind == CNI_PROGRAM_OURS ||
	       cni_file_is_same(d->fd, name, kept, name);
}

static int keep_one(const struct cni_bindir *d, const char *name, int kept)
{
	bool has_file = is_there(kept, name);
	char absent[NAME_MAX + 1];
	enum cni_program_kind kind = kind_of(d->fd, name);
	int r = 0;

	snprintf(absent, sizeof(absent), "%s" ABSENT, name);
	if (has_file || is_there(kept, absent)) {
		if (is_ours_to_give(d, name, kept))
			return 0;
	} else if (kind == CNI_PROGRAM_NONE) {
		cni_auto(fd) int fd =
			openat(kept, absent, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

		return fd < 0 ? -errno : 0;
	}
	r = cni_link_or_copy(d->fd, name, kept, ASIDE);
	if (r == 0 && has_file)
		r = number_kept(kept, name);
	if (r == 0 && renameat(kept, ASIDE, kept, name) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(kept, ASIDE, 0);
	return r == 0 && unlinkat(kept, absent, 0) < 0 && errno != ENOENT ? -errno : r;
}

static int keep_all(const struct cni_bindir *d, const char *const *names, struct cni_error *err)
{
	cni_auto(fd) int kept = make_dir(d, CNI_BINDIR_KEPT, err);
	int r = 0;

	if (kept < 0)
		return kept;
	for (; *names; names++) {
		r = keep_one(d, *names, kept);
		if (r < 0)
			return failed(d, *names, -r, "keep", err);
	}
	r = sync_dir(kept);
	if (r == 0)
		r = sync_dir(d->fd);
	return r < 0 ? failed(d, CNI_BINDIR_KEPT, -r, "write", err) : 0;
}

/* The only step that changes what runtimes see. */
static int rename_programs(const struct cni_bindir *d, const char *const *names, int new,
			   struct cni_error *err)
{
	int r;

	for (; *names; names++)
		if (renameat(new, *names, d->fd, *names) < 0)
			return failed(d, *names, errno, "replace", err);
	r = sync_dir(d->fd);
	return r < 0 ? failed(d, "", -r, "write", err) : 0;
}

int cni_bindir_install(const struct cni_bindir *d, const char *const *names, bool keep,
		       struct cni_error *err)
{
	bool had_kept = is_there(d->fd, CNI_BINDIR_KEPT);
	cni_auto(fd) int new = -1;
	int r = check_names(d, names, keep || had_kept, err);

	if (r == 0)
		r = remove_dir(d, CNI_BINDIR_NEW, err);
	if (r < 0)
		return r;
	new = make_dir(d, CNI_BINDIR_NEW, err);
	if (new < 0)
		return new;
	r = prepare_programs(d, names, new, err);
	if (r == 0 && (keep || had_kept)) {
		r = keep_all(d, names, err);
		if (r < 0 && !had_kept)
			(void)remove_dir(d, CNI_BINDIR_KEPT, NULL);
	}
	if (r == 0)
		r = rename_programs(d, names, new, err);
	if (r == 0)
		return remove_dir(d, CNI_BINDIR_NEW, err);
	(void)remove_dir(d, CNI_BINDIR_NEW, NULL);
	return r;
}

/* ---- restoring ---- */

static int restore_one(const struct cni_bindir *d, const char *name, int kept)
{
	char absent[NAME_MAX + 1];

	snprintf(absent, sizeof(absent), "%s" ABSENT, name);
	if (is_there(kept, name) && !is_ours_to_give(d, name, kept)) {
		int r = number_kept(kept, name);

		if (r < 0)
			return r;
		cni_note("%s/%s came later, and stays", d->path, name);
	} else if (is_there(kept, name)) {
		if (renameat(kept, name, d->fd, name) < 0)
			return -errno;
		/* Of two names of one file, as after a killed install, rename() leaves both. */
		if (unlinkat(kept, name, 0) < 0 && errno != ENOENT)
			return -errno;
	} else if (is_ours(d->fd, name) && unlinkat(d->fd, name, 0) < 0) {
		return -errno;
	}
	return unlinkat(kept, absent, 0) < 0 && errno != ENOENT ? -errno : 0;
}

static int restore_all(const struct cni_bindir *d, int kept, struct cni_error *err)
{
	cni_auto(names) struct names names = { 0 };
	int r = names_read(&names, kept, pick_kept);

	if (r < 0)
		return failed(d, CNI_BINDIR_KEPT, -r, "read", err);
	names_sort(&names);
	for (size_t i = 0; i < names.n; i++) {
		r = restore_one(d, names.name[i], kept);
		if (r < 0)
			return failed(d, names.name[i], -r, "restore", err);
	}
	(void)unlinkat(kept, ASIDE, 0);
	r = sync_dir(d->fd);
	if (r == 0)
		r = sync_dir(kept);
	return r < 0 ? failed(d, "", -r, "write", err) : 0;
}

static int nothing_kept(const struct cni_bindir *d, const char *const *names, struct cni_error *err)
{
	for (; *names; names++)
		if (is_ours(d->fd, *names)) {
			(void)cni_fail(err, CNI_E_IO, 0, "nothing is kept in %s/" CNI_BINDIR_KEPT,
				       d->path);
			return -ENOENT;
		}
	return 0;
}

int cni_bindir_restore(const struct cni_bindir *d, const char *const *names, struct cni_error *err)
{
	cni_auto(fd) int kept = -1;
	int r = remove_dir(d, CNI_BINDIR_NEW, err);

	if (r < 0)
		return r;
	kept = open_dir(d->fd, CNI_BINDIR_KEPT);
	if (kept < 0 && errno == ENOENT)
		return nothing_kept(d, names, err);
	if (kept < 0)
		return failed(d, CNI_BINDIR_KEPT, errno, "open", err);
	r = restore_all(d, kept, err);
	if (r == 0 && unlinkat(d->fd, CNI_BINDIR_KEPT, AT_REMOVEDIR) < 0) {
		if (errno != ENOTEMPTY && errno != EEXIST)
			return failed(d, CNI_BINDIR_KEPT, errno, "remove", err);
		cni_note("%s/" CNI_BINDIR_KEPT " has older files, which were not put back",
			 d->path);
	}
	return r;
}

/* ---- listing ---- */

int cni_bindir_each(const struct cni_bindir *d,
		    int (*fn)(const struct cni_bindir_entry *e, void *ctx), void *ctx,
		    struct cni_error *err)
{
	cni_auto(names) struct names names = { 0 };
	cni_auto(fd) int kept = open_dir(d->fd, CNI_BINDIR_KEPT);
	int r = names_read(&names, d->fd, pick_visible);

	if (r == 0 && kept >= 0)
		r = names_read(&names, kept, pick_kept);
	if (r < 0)
		return failed(d, "", -r, "read", err);
	names_sort(&names);
	for (size_t i = 0; r == 0 && i < names.n; i++) {
		struct cni_bindir_entry e = { .name = names.name[i],
					      .now = cni_program_look(d->fd, names.name[i]) };
		char absent[NAME_MAX + 1];

		snprintf(absent, sizeof(absent), "%.*s" ABSENT, NAME_MAX - 8, e.name);
		if (kept >= 0 && is_ours_to_give(d, e.name, kept)) {
			e.kept = cni_program_look(kept, e.name);
			e.is_kept = e.kept.kind != CNI_PROGRAM_NONE || is_there(kept, absent);
		}
		r = fn(&e, ctx);
	}
	return r;
}
