/*
 * host-local where somebody planted things in its directory: files, directories, FIFOs and symbolic
 * links under the names of addresses and of its own files. No call hangs, nothing planted is written
 * to, followed or removed, and what can work works.
 */
#include "lease_files.h"

#include <unistd.h>

#define DIR "/var/lib/cni/networks"
#define NET DIR "/net1"
#define OUTSIDE "/run/world/outside"

static void setup(void)
{
	world_setup();
	container_add("c1");
	/* The canary looks like a lease of the caller, so that DEL has a reason to touch it. */
	sh("mkdir " OUTSIDE "; cd " OUTSIDE
	   "; printf 'victim\\r\\neth0' >canary; chmod 640 canary; "
	   "mkdir net; printf 'victim\\r\\neth0' >net/10.1.0.2; "
	   "touch -d @1000000000 canary net/10.1.0.2 net .");
	call_ok(call_in(DIR, "ADD", "n1"));
}

static struct call of(const char *command, const char *id)
{
	return call_in(DIR, command, id);
}

static const char *outside(void)
{
	return sh("cd " OUTSIDE "; find . -exec stat -c '%%n %%i %%a %%u %%h %%s %%Y' {} + | sort; "
		  "cat canary net/*");
}

static const char *others(void)
{
	return sh("cd " NET " && grep -D skip -sH '^n1' 10.1.0.2 fd00::2");
}

/* ---- under the name of the next address ---- */

static const struct plant {
	const char *name, *command;
	const char *look; /* prints what it is, wherever it is: its name is $f; NULL = it may go */
} plants[] = {
	{ "empty file", "touch 10.1.0.3", NULL },
	{ "lines of something", "printf '#!/bin/sh\\nexit 1\\n' >10.1.0.3", "cat $f" },
	{ "one line that no container is called by", "echo 'do not use' >10.1.0.3", "cat $f" },
	{ "binary", "head -c 70000 /dev/zero >10.1.0.3", "cksum <$f" },
	{ "directory", "mkdir 10.1.0.3; echo mine >10.1.0.3/file", "cat $f/file" },
	{ "empty directory", "mkdir 10.1.0.3", "stat -c '%F %a' $f" },
	{ "FIFO", "mkfifo 10.1.0.3", "stat -c '%F %a' $f" },
	{ "device", "mknod 10.1.0.3 c 1 3", "stat -c '%F %a %t %T' $f" },
	{ "link to a lease outside", "ln -s " OUTSIDE "/canary 10.1.0.3", "readlink $f" },
	{ "link to a directory", "ln -s " OUTSIDE "/net 10.1.0.3", "readlink $f" },
	{ "link to nothing", "ln -s " OUTSIDE "/new 10.1.0.3", "readlink $f" },
	{ "link to itself", "ln -s 10.1.0.3 10.1.0.3", "readlink $f" },
};
#define N_PLANTS (int)(sizeof(plants) / sizeof(plants[0]))

static const char *look_at(const struct plant *p, const char *name)
{
	return p->look ? sh("cd " NET "; f=%s; %s", name, p->look) : "";
}

/* It does not block the address, is not followed, and is not lost. */
START_TEST(what_has_the_name_of_an_address)
{
	const struct plant *p = &plants[_i];
	const char *before, *there, *neighbour = others();
	struct reply r;

	sh("cd " NET "; %s", p->command);
	before = outside();
	there = look_at(p, "10.1.0.3");
	call_ok(of("STATUS", ""));
	call_ok(of("DEL", "victim"));
	call_fails(of("CHECK", "victim"), 999, "Failed to find address");
	ck_assert_str_eq(look_at(p, "10.1.0.3"), there);
	r = call_ok(of("ADD", "victim"));
	ck_assert_str_eq(address(&r, 0), "10.1.0.3");
	ck_assert_str_eq(look_at(p, "foreign-10.1.0.3.1"), there);
	call_ok(of("CHECK", "victim"));
	call_ok(of("DEL", "victim"));
	call_ok(of("DEL", "victim"));
	call_fails(of("CHECK", "victim"), 999, "Failed to find address");
	call_ok(gc_in(DIR, VALID("n1")));
	call_ok(of("STATUS", ""));
	ck_assert_str_eq(look_at(p, "foreign-10.1.0.3.1"), there);
	ck_assert_str_eq(outside(), before);
	ck_assert_str_eq(others(), neighbour);
	assert_index(DIR);
}
END_TEST

START_TEST(a_requested_address_is_not_blocked_and_nothing_is_overwritten)
{
	const struct plant *p = &plants[_i];
	struct call wanted = of("ADD", "asker");
	const char *there;
	struct reply r;

	sh("cd " NET "; echo mine >foreign-10.1.0.3.1; %s", p->command);
	there = look_at(p, "10.1.0.3");
	wanted.args = "IP=10.1.0.3";
	r = call_ok(wanted);
	ck_assert_str_eq(address(&r, 0), "10.1.0.3");
	ck_assert_str_eq(sh("cat " NET "/foreign-10.1.0.3.1"), "mine");
	ck_assert_str_eq(look_at(p, "foreign-10.1.0.3.2"), there);
	call_ok(of("DEL", "asker"));
	assert_index(DIR);
}
END_TEST

/* What can't be moved keeps its address; the next one is given out. */
START_TEST(a_mount_point_keeps_its_address)
{
	struct reply r;

	sh("cd " NET "; mkdir 10.1.0.3; mount -t tmpfs none 10.1.0.3");
	r = call_ok(of("ADD", "victim"));
	ck_assert_str_eq(address(&r, 0), "10.1.0.4");
	call_ok(of("DEL", "victim"));
	sh("umount " NET "/10.1.0.3");
	assert_index(DIR);
}
END_TEST

/* ---- under the names of our own files ---- */

static const char *const kinds[] = {
	"ln -s " OUTSIDE "/canary %s",
	"ln -s " OUTSIDE "/new %s",
	"ln -s " OUTSIDE "/net %s",
	"ln -s /dev/full %s",
	"mkfifo %s",
	"mkdir %s",
};
#define N_KINDS (int)(sizeof(kinds) / sizeof(kinds[0]))

static const char *plant(const char *name, int kind)
{
	const char *at = strchr(kinds[kind], '%');

	return fmt("%.*s%s", (int)(at - kinds[kind]), kinds[kind], name);
}

/* @return what it is, and not when it was used last */
static const char *look(const char *name)
{
	return sh("stat -c '%%N %%F %%a' " NET "/%s", name);
}

/* Either all is well, or the error names the file, and nothing has been given. */
static void works_or_says_so(const char *what, const char *cause)
{
	struct reply r = call(of("ADD", "victim"));

	if (r.status == 0) {
		assert_given(DIR, "victim", &r);
		call_ok(of("CHECK", "victim"));
		call_ok(of("DEL", "victim"));
	} else {
		ck_assert_msg(r.status == 1 && r.code == 999 && strstr(r.msg, cause), "%s: %d %s",
			      what, r.status, r.out);
	}
	ck_assert_str_eq(leases_of(DIR, "victim"), "");
}

static void assert_as_before(const char *before, const char *neighbour)
{
	ck_assert_str_eq(outside(), before);
	ck_assert_str_eq(others(), neighbour);
	ck_assert_int_ne(access(OUTSIDE "/new", F_OK), 0);
}

START_TEST(what_has_the_name_of_the_index)
{
	const char *before = outside(), *neighbour = others(), *there;

	sh("cd " NET "; rm .ccni-index; %s", plant(".ccni-index", _i));
	there = look(".ccni-index");
	for (int i = 0; i < 2; i++) {
		call_ok(of("ADD", "victim"));
		call_ok(of("CHECK", "victim"));
		call_ok(of("CHECK", "n1"));
		call_ok(of("DEL", "victim"));
		ck_assert_str_eq(leases_of(DIR, "victim"), "");
		call_ok(gc_in(DIR, VALID("n1")));
		call_ok(of("STATUS", ""));
	}
	/* It is ours to replace, but not what is behind it. */
	ck_assert(strcmp(look(".ccni-index"), there) == 0 ||
		  strstr(look(".ccni-index"), "regular file 600"));
	assert_as_before(before, neighbour);
}
END_TEST

START_TEST(what_has_the_name_of_the_last_address)
{
	const char *before = outside(), *neighbour = others(), *there;

	sh("cd " NET "; rm last_reserved_ip.1; %s", plant("last_reserved_ip.1", _i));
	there = look("last_reserved_ip.1");
	works_or_says_so(there, "last_reserved_ip.1");
	call_ok(of("CHECK", "n1"));
	call_ok(of("DEL", "victim"));
	call_ok(of("STATUS", ""));
	ck_assert_str_eq(look("last_reserved_ip.1"), there);
	assert_as_before(before, neighbour);
	sh("rm -rf " NET "/last_reserved_ip.1");
	call_ok(of("ADD", "victim"));
	assert_index(DIR);
}
END_TEST

START_TEST(what_has_the_name_of_the_lock)
{
	const char *before = outside(), *neighbour = others(), *there;
	struct reply r;

	sh("cd " NET "; rm lock; %s", plant("lock", _i));
	there = look("lock");
	works_or_says_so(there, "failed to open lease store " NET);
	if (strncmp(kinds[_i], "ln", 2) == 0)
		call_fails(of("ADD", "victim"), 999, "failed to open lease store " NET);
	r = call(of("DEL", "n1"));
	if (r.status != 0) {
		ck_assert_msg(strstr(r.msg, NET), "%s", r.out);
		assert_as_before(before, neighbour);
	}
	ck_assert_str_eq(look("lock"), there);
	ck_assert_str_eq(outside(), before);
	sh("rm -rf " NET "/lock");
	call_ok(of("DEL", "n1"));
	ck_assert_str_eq(leases_of(DIR, "n1"), "");
	call_ok(of("ADD", "victim"));
	assert_index(DIR);
}
END_TEST

START_TEST(the_network_is_no_link)
{
	static const char *const commands[] = { "ADD", "CHECK", "DEL", "STATUS" };
	const char *before = outside();
	struct reply r;

	sh("mv " NET " " DIR "/away; ln -s " OUTSIDE "/net " NET);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		r = call(of(commands[i], "victim"));
		ck_assert_msg(r.status == 1 && strstr(r.msg, NET), "%s: %s", commands[i], r.out);
	}
	r = call(gc_in(DIR, ""));
	ck_assert_msg(r.status == 1 && strstr(r.msg, NET), "GC: %s", r.out);
	ck_assert_str_eq(outside(), before);
	sh("rm " NET "; mv " DIR "/away " NET);
	call_ok(of("CHECK", "n1"));
	call_ok(of("DEL", "n1"));
	ck_assert_str_eq(leases_of(DIR, "n1"), "");
}
END_TEST

/* An operator may keep it on another disk: only what is in the network's directory is not followed. */
START_TEST(the_data_directory_may_be_a_link)
{
	struct reply r;

	sh("mkdir /run/world/data; mv " DIR "/net1 /run/world/data/; rmdir " DIR
	   "; ln -s /run/world/data " DIR);
	call_ok(of("CHECK", "n1"));
	r = call_ok(of("ADD", "victim"));
	assert_given("/run/world/data", "victim", &r);
	call_ok(of("DEL", "n1"));
	ck_assert_str_eq(leases_of("/run/world/data", "n1"), "");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("planted");
	TCase *tc = tcase_create("planted");

	tcase_add_checked_fixture(tc, setup, world_teardown);
	tcase_set_timeout(tc, 300);
	tcase_add_loop_test(tc, what_has_the_name_of_an_address, 0, N_PLANTS);
	tcase_add_loop_test(tc, a_requested_address_is_not_blocked_and_nothing_is_overwritten, 0,
			    N_PLANTS);
	tcase_add_test(tc, a_mount_point_keeps_its_address);
	tcase_add_loop_test(tc, what_has_the_name_of_the_index, 0, N_KINDS);
	tcase_add_loop_test(tc, what_has_the_name_of_the_last_address, 0, N_KINDS);
	tcase_add_loop_test(tc, what_has_the_name_of_the_lock, 0, N_KINDS);
	tcase_add_test(tc, the_network_is_no_link);
	tcase_add_test(tc, the_data_directory_may_be_a_link);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
