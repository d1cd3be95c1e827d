/*
 * `ccni install` killed (SIGKILL) at any system call that changes something: each name leads to a whole
 * program, the old one or the new one, at every instant; calling it again finishes, and what was there first is
 * never lost.
 */
#include "install_dir.h"

#include <fcntl.h>
#include <sys/mman.h>

struct content {
	void *data;
	size_t len;
};

static struct content content_of(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct content c;
	struct stat st;

	ck_assert_msg(fd >= 0 && fstat(fd, &st) == 0, "%s can't be read", path);
	c.len = (size_t)st.st_size;
	c.data = c.len ? mmap(NULL, c.len, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
	ck_assert(c.data != MAP_FAILED);
	close(fd);
	return c;
}

static bool same(struct content a, struct content b)
{
	return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

static struct content new_content, old_content[N_NAMES];

/* What is there now, and must be there again. */
static void remember(void)
{
	new_content = content_of(fmt("%s/ccni", our_plugins()));
	for (size_t i = 0; i < N_NAMES; i++) {
		const char *path = fmt(BIN "/%s", names[i]);

		old_content[i] = is_there(path) ? content_of(path) : (struct content){ NULL, 0 };
	}
}

/* Each name leads to a whole program, the old one or the new one. */
static void assert_whole(const char *when)
{
	ino_t good = 0; /* most are one file */

	for (size_t i = 0; i < N_NAMES; i++) {
		const char *path = fmt(BIN "/%s", names[i]);
		struct content now;
		struct stat st;

		if (!is_there(path)) {
			ck_assert_msg(!old_content[i].data, "%s: no %s", when, names[i]);
			continue;
		}
		st = stat_of(path);
		ck_assert_msg(st.st_mode & 0100, "%s: %s can't be run", when, names[i]);
		if (st.st_ino == good)
			continue;
		now = content_of(path);
		ck_assert_msg(same(now, new_content) || same(now, old_content[i]),
			      "%s: %s is neither the old nor the new one", when, names[i]);
		if (same(now, new_content))
			good = st.st_ino;
		munmap(now.data, now.len);
	}
}

static void kill_install_at(const char *args, const char *options, const struct point *p)
{
	struct call c = install_call(args);
	struct reply r;

	c.wrapper = fmt(NO_LEAK_CHECK "strace -o " TRACE " %s -e inject=%s:signal=KILL:when=%d",
			options, p->name, p->k);
	r = call(c);
	ck_assert_msg(r.status == 128 + 9, "%s was not killed at %s: exit status %d, %s", args,
		      p->line, r.status, r.err);
}

/* Kill at each point; then call it again, or restore at once. */
static void kill_each_install(const char *options, int step)
{
	static struct point points[MAX_POINTS];
	const char *before;
	int n;

	furnish();
	sh("ln -s dhcp " BIN "/tuning");
	before = snapshot();
	remember();
	n = points_of("--backup", options, points);
	ck_assert_int_gt(n, 35);
	install_ok("--restore");
	for (int i = 0; i < n; i += step) {
		kill_install_at("--backup", options, &points[i]);
		assert_whole(points[i].line);
		if (i / step % 4 != 3) {
			install_ok("--backup");
			assert_all_new();
		}
		if (!is_there(KEPT))
			install_ok("--backup");
		install_ok("--restore");
		same_text(points[i].line, before, snapshot());
	}
}

START_TEST(a_killed_install_is_finished_by_the_next)
{
	kill_each_install("", 1);
}
END_TEST

START_TEST(a_killed_install_without_hard_links_is_finished_by_the_next)
{
	kill_each_install(NO_LINKS, 11);
}
END_TEST

/* An install over ours, where others had put new files beside: what was kept before is never lost. */
START_TEST(a_killed_second_install_loses_nothing)
{
	static struct point points[MAX_POINTS];
	const char *state;
	int n;

	furnish();
	install_ok("--backup");
	sh("cd " BIN " && echo newer >x && chmod 755 x && mv x bridge");
	remember();
	sh("cp -a " BIN " /run/world/state");
	n = points_of("", "", points);
	state = "rm -rf " BIN "/.[!.]* " BIN "/*; cp -a /run/world/state/. " BIN;
	for (int i = 0; i < n; i++) {
		if (strstr(points[i].line, ".ccni-new"))
			continue; /* as in a first one */
		sh("%s", state);
		kill_install_at("", "", &points[i]);
		assert_whole(points[i].line);
		install_ok("");
		assert_all_new();
		ck_assert_int_eq(install("--restore").status, 0);
		ck_assert_str_eq(sh("cd " BIN " && cat bridge .ccni-backup/bridge.1"),
				 "newer\n#!/bin/sh\necho old bridge");
	}
}
END_TEST

START_TEST(a_killed_restore_is_finished_by_the_next)
{
	static struct point points[MAX_POINTS];
	const char *before;
	int n;

	furnish();
	before = snapshot();
	remember();
	install_ok("--backup");
	n = points_of("--restore", "", points);
	ck_assert_int_gt(n, 15);
	for (int i = 0; i < n; i++) {
		install_ok("--backup");
		kill_install_at("--restore", "", &points[i]);
		assert_whole(points[i].line);
		/* The tool goes last. */
		ck_assert(is_there(BIN "/ccni") || !is_there(BIN "/tuning"));
		install_ok("--restore");
		same_text(points[i].line, before, snapshot());
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("the installer");
	TCase *tc = tcase_create("SIGKILL");

	tcase_add_checked_fixture(tc, world_setup, world_teardown);
	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, a_killed_install_is_finished_by_the_next);
	tcase_add_test(tc, a_killed_install_without_hard_links_is_finished_by_the_next);
	tcase_add_test(tc, a_killed_second_install_loses_nothing);
	tcase_add_test(tc, a_killed_restore_is_finished_by_the_next);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
