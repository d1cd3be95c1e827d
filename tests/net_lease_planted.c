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
	bool free; /* the address can be had all the same */
	const char *look; /* prints what there is, the same before and after */
} plants[] = {
	{ "empty file", "touch 10.1.0.3", true, "true" },
	{ "lines of something", "printf '#!/bin/sh\\nexit 1\\n' >10.1.0.3", false, "cat 10.1.0.3" },
	{ "binary", "head -c 70000 /dev/zero >10.1.0.3", false, "cksum <10.1.0.3" },
	{ "directory", "mkdir 10.1.0.3; echo mine >10.1.0.3/file", false, "cat 10.1.0.3/file" },
	{ "empty directory", "mkdir 10.1.0.3", false, "ls -ld 10.1.0.3" },
	{ "FIFO", "mkfifo 10.1.0.3", false, "ls -l 10.1.0.3" },
	{ "device", "mknod 10.1.0.3 c 1 3", false, "ls -l 10.1.0.3" },
	{ "link to a lease outside", "ln -s " OUTSIDE "/canary 10.1.0.3", false, "ls -l 10.1.0.3" },
	{ "link to a directory", "ln -s " OUTSIDE "/net 10.1.0.3", false, "ls -l 10.1.0.3" },
	{ "link to nothing", "ln -s " OUTSIDE "/new 10.1.0.3", false, "ls -l 10.1.0.3" },
	{ "link to itself", "ln -s 10.1.0.3 10.1.0.3", false, "ls -l 10.1.0.3" },
};
#define N_PLANTS (int)(sizeof(plants) / sizeof(plants[0]))

START_TEST(what_has_the_name_of_an_address)
{
	const struct plant *p = &plants[_i];
	const char *before, *there, *neighbour = others();
	struct call wanted = of("ADD", "asker");
	struct reply r;

	sh("cd " NET "; %s", p->command);
	before = outside();
	there = sh("cd " NET "; %s", p->look);
	wanted.args = "IP=10.1.0.3";
	if (p->free)
		call_ok(wanted);
	else
		call_fails(wanted, 999, "requested IP address 10.1.0.3 is not available");
	call_ok(of("DEL", "asker"));
	if (p->free)
		sh("cd " NET "; %s", p->command);
	/* A failed one may have left the place where the search goes on. */
	sh("printf 10.1.0.2 >" NET "/last_reserved_ip.0");
	r = call_ok(of("ADD", "victim"));
	ck_assert_str_eq(address(&r, 0), p->free ? "10.1.0.3" : "10.1.0.4");
	call_ok(of("CHECK", "victim"));
	call_ok(of("DEL", "victim"));
	call_ok(of("DEL", "victim"));
	call_fails(of("CHECK", "victim"), 999, "Failed to find address");
	call_ok(gc_in(DIR, VALID("n1")));
	call_ok(of("STATUS", ""));
	ck_assert_str_eq(sh("cd " NET "; %s", p->look), there);
	ck_assert_str_eq(outside(), before);
	ck_assert_str_eq(others(), neighbour);
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
	tcase_add_loop_test(tc, what_has_the_name_of_the_index, 0, N_KINDS);
	tcase_add_loop_test(tc, what_has_the_name_of_the_last_address, 0, N_KINDS);
	tcase_add_loop_test(tc, what_has_the_name_of_the_lock, 0, N_KINDS);
	tcase_add_test(tc, the_network_is_no_link);
	tcase_add_test(tc, the_data_directory_may_be_a_link);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
