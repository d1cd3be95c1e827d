/*
 * host-local on a disk that is full, read-only, or fails (EIO at every system call of an ADD and of a
 * DEL), and where its directory is missing, relative or a file, or names are too long, under any umask: it
 * works or says what is wrong, and nothing is lost: the leases of others stay, a failed ADD leaves none, and
 * what a failed DEL left a later one removes.
 */
#include "lease_files.h"
#include "trace.h"

#include <stdlib.h>
#include <unistd.h>

#define DISK "/run/disk"
#define DIR DISK "/leases"

static void setup(void)
{
	world_setup();
	container_add("c1");
	sh("mkdir " DISK " && mount -t tmpfs -o size=256k,mode=0755 tmpfs " DISK);
}

static void teardown(void)
{
	(void)sh_status("umount -l " DISK);
	world_teardown();
}

static struct call of(const char *command, const char *id)
{
	return call_in(DIR, command, id);
}

static void add_others(void)
{
	call_ok(of("ADD", "n1"));
	call_ok(of("ADD", "n2"));
}

/* An error that says what it was about and what the kernel said. */
static void assert_clear(const struct reply *r, const char *cause)
{
	ck_assert_msg(r->status == 1 && (r->code == 5 || r->code == 50 || r->code == 999), "%d: %s",
		      r->status, r->out);
	ck_assert_msg(strstr(r->msg, DIR) || strstr(r->msg, "10.1.0.") ||
			      strstr(r->msg, "fd00::") || strstr(r->msg, "last_reserved_ip."),
		      "names nothing: %s", r->out);
	ck_assert_msg(strstr(r->msg, cause), "no cause: %s", r->out);
}

/* ---- full ---- */

/* The directory as an ADD may find it. */
enum before { IN_STEP, NO_INDEX, FRESH, N_BEFORE };

static void fill(enum before before, int pages, bool inodes)
{
	if (before != FRESH)
		add_others();
	if (before == NO_INDEX)
		sh("rm -f " DIR "/net1/.ccni-index");
	if (inodes)
		sh("mount -o remount,nr_inodes=$(( $(df --output=iused " DISK
		   " | tail -1) + %d )) " DISK,
		   pages);
	else
		sh("dd if=/dev/zero of=" DISK "/filler bs=4096 2>/dev/null; "
		   "[ $(df --output=avail " DISK " | tail -1) = 0 ] && "
		   "truncate -s $(( $(stat -c %%s " DISK "/filler) - %d * 4096 )) " DISK "/filler",
		   pages);
}

/* @return whether the ADD worked; if not it has left nothing and lost nothing */
static bool add_on_full(const char *others)
{
	struct reply r = call(of("ADD", "victim"));

	if (r.status == 0) {
		assert_given(DIR, "victim", &r);
	} else {
		assert_clear(&r, "no space left on device");
		ck_assert_str_eq(leases_of(DIR, "victim"), "");
		ck_assert_str_eq(leases(DIR), others);
	}
	call_ok(of("DEL", "victim"));
	ck_assert_str_eq(leases(DIR), others);
	return r.status == 0;
}

static void on_full_disk(enum before before, bool inodes)
{
	int worked = 0, failed = 0;

	/* Until it has worked on three disks, each with room for one more. */
	for (int pages = 0; worked < 3; pages++) {
		const char *others;

		ck_assert_int_lt(pages, 20);
		fill(before, pages, inodes);
		others = leases(DIR);
		if (add_on_full(others))
			worked++;
		else
			failed++;
		/* Once more, from where the first attempt left off. */
		add_on_full(others);
		ck_assert_int_eq(call(of("CHECK", "n1")).status == 0, before != FRESH);
		if (before != FRESH)
			call_ok(of("DEL", "n1"));
		ck_assert_str_eq(leases_of(DIR, "n1"), "");
		sh("rm -f " DISK "/filler; mount -o remount,nr_inodes=1000 " DISK);
		call_ok(of("ADD", "victim"));
		assert_index(DIR);
		ck_assert_str_eq(sh("find " DIR " -name '.*' ! -name .ccni-index; "
				    "find " DIR " -size 0 ! -name lock"),
				 "");
		sh("rm -rf " DIR);
	}
	/* With an index there is always room: it makes some. */
	ck_assert_int_eq(failed > 0, before != IN_STEP || inodes);
}

START_TEST(a_full_disk_is_said_and_loses_nothing)
{
	on_full_disk((enum before)_i, false);
}
END_TEST

START_TEST(a_disk_out_of_inodes_is_said_and_loses_nothing)
{
	on_full_disk((enum before)_i, true);
}
END_TEST

/* ---- read-only ---- */

START_TEST(a_read_only_disk_is_said_and_still_read)
{
	static const char cause[] = "read-only file system";
	const char *others;
	struct reply r;

	add_others();
	others = leases(DIR);
	sh("mount -o remount,ro " DISK);
	r = call(of("ADD", "victim"));
	assert_clear(&r, cause);
	call_ok(of("CHECK", "n1"));
	call_ok(of("DEL", "victim"));
	r = call(of("DEL", "n1"));
	assert_clear(&r, cause);
	ck_assert_msg(strstr(r.msg, "10.1.0.2") || strstr(r.msg, "fd00::2"), "%s", r.msg);
	r = call(of("STATUS", ""));
	assert_clear(&r, cause);
	ck_assert_int_eq(r.code, 50);
	call_ok(gc_in(DIR, VALID("n1") "," VALID("n2")));
	r = call(gc_in(DIR, VALID("n1")));
	assert_clear(&r, cause);
	ck_assert_str_eq(leases(DIR), others);
	sh("mount -o remount,rw " DISK);
	assert_index(DIR);
	call_ok(of("DEL", "n1"));
	ck_assert_str_eq(leases_of(DIR, "n1"), "");
	ck_assert_str_ne(leases_of(DIR, "n2"), "");
}
END_TEST

/* The index is stale and can't be mended: the leases are read one by one. */
START_TEST(a_read_only_disk_is_read_without_an_index)
{
	add_others();
	sh("printf 'n3\\r\\neth0' >" DIR "/net1/10.1.0.9; mount -o remount,ro " DISK);
	call_ok(of("CHECK", "n1"));
	call_ok(of("CHECK", "n3"));
	call_fails(of("CHECK", "victim"), 999, "Failed to find address");
	call_ok(of("DEL", "victim"));
}
END_TEST

START_TEST(a_read_only_disk_without_the_directory_is_said)
{
	struct reply r;

	sh("mount -o remount,ro " DISK);
	r = call(of("ADD", "victim"));
	assert_clear(&r, "read-only file system");
	call_ok(of("DEL", "victim"));
	call_ok(gc_in(DIR, ""));
}
END_TEST

/* ---- EIO ---- */

/* Calls whose failure is not the disk's, or that cannot fail. */
static bool is_of_no_disk(const char *name)
{
	static const char *const names[] = { "mmap",	   "munmap",	 "mprotect", "madvise",
					     "brk",	   "close",	 "lseek",    "getrandom",
					     "exit_group", "sigaltstack" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* All calls of an undisturbed run; *begin: where it first names its directory. */
static int find_points(const char *command, struct point points[MAX_POINTS], int *begin)
{
	int n = trace_points(of(command, "victim"), "", points);

	*begin = first_point(points, n, "\"" DISK);
	ck_assert_int_lt(*begin, n);
	return n;
}

static struct reply call_failing_at(const char *command, const struct point *p)
{
	struct call c = of(command, "victim");
	struct reply r;

	c.wrapper = fmt(NO_LEAK_CHECK "timeout -s KILL 60 strace -f -o " TRACE " -e trace=%s -e "
				      "inject=%s:error=EIO:when=%d",
			p->name, p->name, p->k);
	r = call(c);
	ck_assert_msg(sh_status("grep -q INJECTED " TRACE) == 0, "nothing failed at %s", p->line);
	ck_assert_msg(r.status == 0 || r.status == 1, "EIO at %s: exit status %d, %s%s", p->line,
		      r.status, r.out, r.err);
	return r;
}

/* The result or the error cannot be told on stdout then. */
static bool is_reply(const struct point *p)
{
	return strcmp(p->name, "write") == 0 && strstr(p->line, "cniVersion");
}

START_TEST(an_add_that_meets_an_error_works_or_leaves_nothing)
{
	static struct point points[MAX_POINTS];
	int begin, n, failed = 0;
	const char *others;

	add_others();
	others = leases(DIR);
	n = find_points("ADD", points, &begin);
	call_ok(of("DEL", "victim"));
	for (int i = begin; i < n; i++) {
		struct reply r;

		if (is_of_no_disk(points[i].name))
			continue;
		if (_i)
			sh("touch " DIR "/net1"); /* the index is stale */
		r = call_failing_at("ADD", &points[i]);
		if (is_reply(&points[i])) {
			ck_assert_int_eq(r.status, 1);
		} else if (r.status == 0) {
			assert_given(DIR, "victim", &r);
		} else {
			assert_clear(&r, "input/output error");
			ck_assert_msg(!*leases_of(DIR, "victim"), "EIO at %s: left are %s",
				      points[i].line, leases_of(DIR, "victim"));
			failed++;
		}
		if (i % 2)
			call_ok(of("DEL", "victim"));
		assert_index(DIR);
		call_ok(of("DEL", "victim"));
		ck_assert_str_eq(leases(DIR), others);
		ck_assert_str_eq(sh("find " DIR " -name '.*' ! -name .ccni-index"), "");
	}
	ck_assert_int_gt(failed, 10);
}
END_TEST

START_TEST(a_del_that_meets_an_error_works_or_says_so)
{
	static struct point points[MAX_POINTS];
	int begin, n, failed = 0;
	const char *others;

	add_others();
	others = leases(DIR);
	call_ok(of("ADD", "victim"));
	n = find_points("DEL", points, &begin);
	for (int i = begin; i < n; i++) {
		struct reply r;

		if (is_of_no_disk(points[i].name))
			continue;
		call_ok(of("ADD", "victim"));
		if (_i)
			sh("touch " DIR "/net1");
		r = call_failing_at("DEL", &points[i]);
		if (r.status == 0) {
			ck_assert_msg(!*leases_of(DIR, "victim"), "EIO at %s: left are %s",
				      points[i].line, leases_of(DIR, "victim"));
		} else {
			assert_clear(&r, "input/output error");
			failed++;
		}
		call_ok(of("DEL", "victim"));
		ck_assert_str_eq(leases_of(DIR, "victim"), "");
		assert_index(DIR);
		ck_assert_str_eq(leases(DIR), others);
	}
	ck_assert_int_gt(failed, 4);
}
END_TEST

/* ---- the directory ---- */

START_TEST(a_missing_directory_is_made_by_add_only)
{
	struct call c;
	struct reply r;

	call_ok(of("DEL", "victim"));
	call_ok(gc_in(DIR, ""));
	call_fails(of("CHECK", "victim"), 999, "Failed to find address");
	ck_assert_int_ne(access(DIR, F_OK), 0);
	c = call_in(DISK "/a/b//c/", "ADD", "victim");
	r = call_ok(c);
	assert_given(DISK "/a/b/c", "victim", &r);
	c.command = "DEL";
	call_ok(c);
	ck_assert_str_eq(leases(DISK "/a/b/c"), "");
}
END_TEST

START_TEST(a_file_in_place_of_the_directory_is_said)
{
	static const char *const places[] = { DIR, DIR "/below", DISK };

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		static const char *const commands[] = { "ADD", "DEL", "CHECK" };

		sh("echo mine >" DIR "; echo mine >" DISK "/net1");
		for (size_t k = 0; k < 3; k++) {
			struct reply r = call(call_in(places[i], commands[k], "victim"));

			ck_assert_int_eq(r.status, 1);
			ck_assert_int_eq(r.code, 999);
			ck_assert_msg(strstr(r.out, places[i]), "%s", r.out);
			ck_assert_msg(strstr(r.msg, "not a directory"), "%s", r.out);
		}
		ck_assert_str_eq(sh("cat " DIR " " DISK "/net1"), "mine\nmine");
	}
}
END_TEST

START_TEST(a_relative_directory_is_below_the_current_one)
{
	struct call c = call_in("leases", "ADD", "victim");
	struct reply r;

	c.wrapper = "env -C " DISK;
	r = call_ok(c);
	assert_given(DIR, "victim", &r);
	c.command = "CHECK";
	call_ok(c);
	c.command = "DEL";
	call_ok(c);
	ck_assert_str_eq(leases(DIR), "");
}
END_TEST

/* ---- long names ---- */

/* What is read of a lease are 4095 bytes: the id, CR LF, "eth0". */
START_TEST(a_container_whose_lease_could_not_be_read_whole_gets_none)
{
	const char *longest = fmt("%04089d", 0), *longer = fmt("%04090d", 0);

	call_ok(of("ADD", longest));
	call_ok(of("CHECK", longest));
	call_ok(of("DEL", longest));
	ck_assert_str_eq(leases(DIR), "");
	call_fails(of("ADD", longer), 4, "CNI_CONTAINERID is too long: 4090 bytes");
	call_ok(of("DEL", longer));
	ck_assert_str_eq(leases(DIR), "");
}
END_TEST

START_TEST(a_network_whose_directory_cannot_be_has_no_leases_to_delete)
{
	static const char *const commands[] = { "ADD", "CHECK", "STATUS", "DEL", "GC" };

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		struct call c = of(commands[i], "victim");
		struct reply r;

		c.config = fmt("{\"cniVersion\":\"1.1.0\",\"name\":\"%s\",\"type\":\"host-local\","
			       "\"cni.dev/valid-attachments\":[],"
			       "\"ipam\":{\"dataDir\":\"" DIR "\",\"subnet\":\"10.1.0.0/24\"}}",
			       fmt("%0256d", 0));
		r = call(c);
		ck_assert_msg(r.status == (i < 3), "%s: %s", commands[i], r.out);
		ck_assert(i >= 3 || strstr(r.msg, DIR));
	}
}
END_TEST

static const char *const umasks[] = { "000", "022", "077", "0777" };
#define N_UMASKS (int)(sizeof(umasks) / sizeof(umasks[0]))

/* Directories keep to the umask, as the Go plugin's do: an operator may want them private. */
START_TEST(modes_do_not_depend_on_the_umask)
{
	struct call c = of("ADD", "victim");

	c.wrapper = fmt("sh -c 'umask %s; exec \"$0\"'", umasks[_i]);
	call_ok(c);
	c.id = "n1"; /* the second one finds the files there */
	call_ok(c);
	ck_assert_str_eq(sh("cd " DIR "/net1; stat -c '%%a %%n' $(ls -A)"),
			 "600 .ccni-index\n600 10.1.0.2\n600 10.1.0.3\n600 fd00::2\n600 fd00::3\n"
			 "600 last_reserved_ip.0\n600 last_reserved_ip.1\n750 lock");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lease disk");
	TCase *tc = tcase_create("disk");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 300);
	tcase_add_loop_test(tc, a_full_disk_is_said_and_loses_nothing, 0, N_BEFORE);
	tcase_add_loop_test(tc, a_disk_out_of_inodes_is_said_and_loses_nothing, 0, N_BEFORE);
	tcase_add_test(tc, a_read_only_disk_is_said_and_still_read);
	tcase_add_test(tc, a_read_only_disk_is_read_without_an_index);
	tcase_add_test(tc, a_read_only_disk_without_the_directory_is_said);
	tcase_add_loop_test(tc, an_add_that_meets_an_error_works_or_leaves_nothing, 0, 2);
	tcase_add_loop_test(tc, a_del_that_meets_an_error_works_or_says_so, 0, 2);
	tcase_add_test(tc, a_missing_directory_is_made_by_add_only);
	tcase_add_test(tc, a_file_in_place_of_the_directory_is_said);
	tcase_add_test(tc, a_relative_directory_is_below_the_current_one);
	tcase_add_test(tc, a_container_whose_lease_could_not_be_read_whole_gets_none);
	tcase_add_test(tc, a_network_whose_directory_cannot_be_has_no_leases_to_delete);
	tcase_add_loop_test(tc, modes_do_not_depend_on_the_umask, 0, N_UMASKS);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
