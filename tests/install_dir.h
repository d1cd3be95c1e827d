/*
 * For the tests of `ccni install`: the directory of a node, with plugins of another set and files that are none
 * of ours.
 */
#ifndef TESTS_INSTALL_DIR_H
#define TESTS_INSTALL_DIR_H

#include "peer_state.h"
#include "trace.h"

#include <sys/stat.h>
#include <unistd.h>

#define BIN "/run/world/bin"
#define KEPT BIN "/.ccni-backup"
#define NO_LINKS "-e inject=linkat:error=EPERM "

static const char *const names[] = { "bandwidth", "bridge",   "dummy",	 "firewall", "host-local",
				     "ipvlan",	  "loopback", "macvlan", "portmap",  "ptp",
				     "static",	  "tuning",   "vlan",	 "ccni" };
#define N_NAMES (sizeof(names) / sizeof(names[0]))

/* ---- running it ---- */

struct output {
	int status;
	const char *out, *err;
};

static inline struct call install_call(const char *args)
{
	return (struct call){ .command = "",
			      .plugin = fmt("ccni install --bindir " BIN " %s", args),
			      .wrapper = "env" };
}

static inline struct output install(const char *args)
{
	struct reply r = call(install_call(args));

	return (struct output){ r.status, r.out, r.err };
}

static inline void install_ok(const char *args)
{
	struct output o = install(args);

	ck_assert_msg(o.status == 0, "%s: exit %d: %s", args, o.status, o.err);
	ck_assert_str_eq(o.err, "");
}

/* ---- a directory that is in use ---- */

/* An old plugin; each has its own bytes, owner, mode and time. */
static inline void put_old(const char *name)
{
	sh("cd " BIN " && printf '#!/bin/sh\\necho old %s\\n' >%s && chown 1000:100 %s && "
	   "chmod 751 %s && touch -d 2024-02-29T12:34:56.789Z %s",
	   name, name, name, name, name);
}

/* Two names that we have, two that we have not; nothing under our other names. */
static inline void furnish(void)
{
	sh("mkdir -p " BIN);
	put_old("bridge");
	put_old("host-local");
	put_old("sbr");
	put_old("dhcp");
}

/* Everything in the directory but times of change; of names that we don't have these, too. */
static inline const char *snapshot(void)
{
	return sh("cd " BIN
		  " && find . -mindepth 1 -printf '%%P %%y %%m %%U %%G %%n %%s %%T@ %%l\\n' | "
		  "sort; find . -type f | sort | xargs -r sha256sum; "
		  "stat -c '%%n %%i %%Z' sbr dhcp 2>/dev/null; :");
}

static inline struct stat stat_of(const char *path)
{
	struct stat st;

	ck_assert_msg(lstat(path, &st) == 0, "%s is not there", path);
	return st;
}

static inline bool is_there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

/** That all names are this build, to be run by everybody, and nothing else is left but what is kept. */
static inline void assert_all_new(void)
{
	ino_t good = 0; /* most are one file */

	for (size_t i = 0; i < N_NAMES; i++) {
		const char *path = fmt(BIN "/%s", names[i]);
		struct stat st = stat_of(path);

		if (st.st_ino == good)
			continue;
		ck_assert_msg(S_ISREG(st.st_mode) && (st.st_mode & 07777) == 0755 && st.st_uid == 0,
			      "%s has mode %o and owner %u", path, st.st_mode, st.st_uid);
		ck_assert_int_eq(sh_status("cmp %s/ccni %s", our_plugins(), path), 0);
		good = st.st_ino;
	}
	ck_assert(!is_there(BIN "/.ccni-new"));
}

/* ---- its system calls ---- */

#define CHANGES                                                                                  \
	"openat,mkdirat,linkat,renameat,unlinkat,fchmod,fchown,fsync,write,symlinkat,fsetxattr," \
	"exit_group"

/** The calls that change something, from the first one below the directory on. Of many writes one counts. */
static inline int points_of(const char *args, const char *options, struct point points[MAX_POINTS])
{
	int all, n = 0, begin;

	all = trace_points(install_call(args), fmt("%s -e trace=" CHANGES, options), points);
	begin = first_point(points, all, "\"" BIN "\"");
	ck_assert_int_lt(begin, all);
	for (int i = begin + 1; i < all; i++) {
		if (strcmp(points[i].name, "openat") == 0 && !strstr(points[i].line, "O_CREAT"))
			continue;
		if (strcmp(points[i].name, "write") == 0 && n > 0 &&
		    strcmp(points[n - 1].name, "write") == 0)
			n--;
		points[n++] = points[i];
	}
	ck_assert_str_eq(points[n - 1].name, "exit_group");
	return n;
}

#endif
