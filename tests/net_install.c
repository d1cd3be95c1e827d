/*
 * `ccni install` into the directory of a node that is at work: what it puts there, what it keeps, that
 * --restore gives back exactly what was there; what it refuses; other processes beside it, disks that are full,
 * and file systems without hard links.
 */
#include "install_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#define LABEL "security.selinux"

static void set_label(const char *name, const char *label)
{
	ck_assert_int_eq(setxattr(fmt(BIN "/%s", name), LABEL, label, strlen(label) + 1, 0), 0);
}

static const char *label(const char *name)
{
	char text[256] = "";

	if (getxattr(fmt(BIN "/%s", name), LABEL, text, sizeof(text) - 1) < 0)
		return "none";
	return fmt("%s", text);
}

/* ---- installing ---- */

START_TEST(installs_all_plugins_as_one_file)
{
	struct stat first, st;

	sh("mkdir " BIN "; umask 077; %s/ccni install --bindir " BIN "/", our_plugins());
	assert_all_new();
	first = stat_of(BIN "/ccni");
	ck_assert_uint_eq(first.st_nlink, N_NAMES);
	for (size_t i = 0; i < N_NAMES; i++) {
		st = stat_of(fmt(BIN "/%s", names[i]));
		ck_assert_uint_eq(st.st_ino, first.st_ino);
		if (strcmp(names[i], "ccni") != 0)
			call_ok((struct call){
				.bin = BIN, .plugin = names[i], .command = "VERSION", .id = "" });
	}
	ck_assert_str_eq(sh("ls -A " BIN " | xargs"),
			 "bandwidth bridge ccni dummy firewall host-local ipvlan loopback macvlan "
			 "portmap ptp static tuning vlan");
}
END_TEST

/* As from an init system that gives it none. */
START_TEST(installs_without_a_standard_output)
{
	sh("mkdir " BIN);
	ck_assert_int_eq(sh_status("%s/ccni install --bindir " BIN " >&-", our_plugins()), 0);
	assert_all_new();
	ck_assert_int_eq(sh_status("%s/ccni install --bindir " BIN " --list >&-", our_plugins()),
			 1);
}
END_TEST

START_TEST(a_file_of_another_set_is_not_lost_without_backup)
{
	const char *before;
	struct output o;

	furnish();
	before = snapshot();
	o = install("");
	ck_assert_int_eq(o.status, 1);
	ck_assert_str_eq(o.out, "");
	ck_assert_str_eq(o.err, "ccni install: " BIN "/bridge is of another set, and would be "
				"lost; --backup keeps it\n");
	same_text("nothing changes", before, snapshot());
	sh("rm " BIN "/bridge " BIN "/host-local; ln -s /usr/lib/cni/tuning " BIN "/tuning");
	o = install("");
	ck_assert_int_eq(o.status, 1);
	ck_assert_ptr_nonnull(strstr(o.err, BIN "/tuning is of another set"));
	sh("rm " BIN "/tuning");
	install_ok("");
	assert_all_new();
	ck_assert(!is_there(KEPT));
}
END_TEST

START_TEST(restore_gives_back_exactly_what_was_there)
{
	const char *before, *attribute = "user.note";
	struct stat bridge, multi;
	char value[16] = "";

	furnish();
	/* One file under two names, as k3s has them; links that lead elsewhere, and nowhere. */
	sh("cd " BIN " && printf multi >multi && chmod 4755 multi && ln multi portmap && "
	   "ln -s multi firewall && ln -s /nonexistent/loopback loopback && "
	   "touch -hd 2023-01-02T03:04:05.678 firewall");
	ck_assert_int_eq(setxattr(BIN "/bridge", attribute, "kept", 4, 0), 0);
	before = snapshot();
	bridge = stat_of(BIN "/bridge");
	multi = stat_of(BIN "/multi");
	install_ok("--backup");
	assert_all_new();
	ck_assert_str_eq(sh("cat " BIN "/multi"), "multi");
	install_ok("--restore");
	same_text("before and after", before, snapshot());
	ck_assert_uint_eq(stat_of(BIN "/bridge").st_ino, bridge.st_ino);
	ck_assert_uint_eq(stat_of(BIN "/portmap").st_ino, multi.st_ino);
	ck_assert_int_eq(getxattr(BIN "/bridge", attribute, value, sizeof(value)), 4);
	ck_assert_str_eq(value, "kept");
	/* Again there is nothing to do. */
	install_ok("--restore");
	same_text("after the second one", before, snapshot());
}
END_TEST

START_TEST(further_installs_keep_what_was_there_first)
{
	const char *before;

	furnish();
	before = snapshot();
	install_ok("--backup");
	install_ok("--backup");
	install_ok(""); /* what is kept stays kept */
	sh("rm " BIN "/tuning " BIN "/bridge");
	install_ok("--backup");
	assert_all_new();
	install_ok("--restore");
	same_text("before and after", before, snapshot());
}
END_TEST

/* As after an upgrade of the Go set's package: its new file is what restore has to give, and none is lost. */
START_TEST(what_others_install_later_is_kept_too)
{
	struct output o;

	furnish();
	install_ok("--backup");
	sh("cd " BIN " && echo newer >x && mv x bridge && echo newer >x && mv x static");
	install_ok("");
	assert_all_new();
	sh("cd " BIN " && cp -p .ccni-backup/bridge x && mv x bridge"); /* the same once more */
	install_ok("");
	ck_assert_str_eq(sh("ls -A " KEPT " | xargs"),
			 "bandwidth.absent bridge bridge.1 ccni.absent dummy.absent "
			 "firewall.absent host-local ipvlan.absent loopback.absent macvlan.absent "
			 "portmap.absent ptp.absent static tuning.absent vlan.absent");
	o = install("--restore");
	ck_assert_int_eq(o.status, 0);
	ck_assert_ptr_nonnull(strstr(o.err, KEPT " has older files"));
	ck_assert_str_eq(sh("cd " BIN " && cat bridge static .ccni-backup/bridge.1"),
			 "newer\nnewer\n#!/bin/sh\necho old bridge");
	ck_assert_str_eq(sh("ls -A " BIN " " KEPT " | xargs"),
			 BIN ": .ccni-backup bridge dhcp host-local sbr static " KEPT ": bridge.1");
}
END_TEST

/* As an upgrade of the Go set's package leaves it: its new files are not exchanged for older ones. */
START_TEST(restore_spares_what_others_installed_since)
{
	struct output o;

	furnish();
	install_ok("--backup");
	sh("cd " BIN " && rm tuning bridge && echo theirs >tuning && echo newer >bridge && "
	   "cp .ccni-backup/host-local x && mv x host-local");
	o = install("--restore");
	ck_assert_int_eq(o.status, 0);
	ck_assert_ptr_nonnull(strstr(o.err, BIN "/bridge came later, and stays"));
	ck_assert_str_eq(sh("cd " BIN " && ls -A . .ccni-backup | xargs; cat tuning bridge; "
			    "cat .ccni-backup/bridge.1; stat -c %%u:%%a:%%Y host-local"),
			 ".: .ccni-backup bridge dhcp host-local sbr tuning .ccni-backup: "
			 "bridge.1\ntheirs\nnewer\n#!/bin/sh\necho old bridge\n"
			 "1000:751:1709210096");
}
END_TEST

/* A build of another version, which differs in its version's text only. */
static void put_older_build(const char *name)
{
	sh("rm -f " BIN "/%s; sed 's/@(#)ccni [0-9.]*[0-9]/@(#)ccni 0.0.9/' %s/ccni >" BIN "/%s && "
	   "chmod 755 " BIN "/%s",
	   name, our_plugins(), name, name);
}

START_TEST(an_older_build_is_ours)
{
	sh("mkdir " BIN);
	put_older_build("bridge");
	install_ok("");
	assert_all_new();
	ck_assert(!is_there(KEPT));
	put_older_build("bridge");
	install_ok("--backup");
	assert_all_new();
	install_ok("--restore");
	ck_assert_str_eq(sh("grep -c '@(#)ccni 0.0.9' " BIN "/bridge; ls -A " BIN " | wc -l"),
			 "1\n14");
	/* Now ours are there, and nothing is kept. */
	ck_assert_int_eq(install("--restore").status, 1);
	ck_assert_str_eq(install("--restore").err, "ccni install: nothing is kept in " KEPT "\n");
}
END_TEST

START_TEST(list_says_what_is_what)
{
	furnish();
	sh("ln -s sbr " BIN "/loopback; mkdir " BIN "/dir; printf x >\"" BIN
	   "/$(printf 'a\\033[2J')\"");
	install_ok("--backup");
	sh("echo later >" BIN "/x && mv " BIN "/x " BIN "/portmap");
	put_older_build("static");
	ck_assert_str_eq(
		sh("%s/ccni install --list --bindir " BIN
		   " | sed -E 's/ccni-0\\.0\\.9[^ ]*/OLD/; s/ccni-[0-9][^ ]*/NOW/; s/ +/ /g'",
		   our_plugins()),
		"NAME NOW RESTORE \n"
		"a?[2J other - \n"
		"bandwidth NOW nothing \n"
		"bridge NOW other \n"
		"dhcp other - \n"
		"dir no-program - \n"
		"dummy NOW nothing \n"
		"firewall NOW nothing \n"
		"host-local NOW other \n"
		"ipvlan NOW nothing \n"
		"loopback NOW symlink \n"
		"macvlan NOW nothing \n"
		"portmap other - \n"
		"ptp NOW nothing \n"
		"sbr other - \n"
		"static OLD nothing \n"
		"tuning NOW nothing \n"
		"vlan NOW nothing \n"
		"ccni NOW nothing ");
}
END_TEST

START_TEST(security_labels_stay)
{
	furnish();
	put_old("firewall");
	put_old("tuning");
	set_label("bridge", "system_u:object_r:one_t:s0");
	set_label("host-local", "system_u:object_r:one_t:s0");
	set_label("firewall", "system_u:object_r:other_t:s0");
	install_ok("--backup");
	assert_all_new();
	ck_assert_str_eq(label("bridge"), "system_u:object_r:one_t:s0");
	ck_assert_uint_eq(stat_of(BIN "/bridge").st_ino, stat_of(BIN "/host-local").st_ino);
	/* What had none shares the file; what had another one can't. */
	ck_assert_uint_eq(stat_of(BIN "/bridge").st_ino, stat_of(BIN "/tuning").st_ino);
	ck_assert_str_eq(label("firewall"), "system_u:object_r:other_t:s0");
	install_ok("--restore");
	ck_assert_str_eq(label("firewall"), "system_u:object_r:other_t:s0");
	ck_assert_str_eq(label("tuning"), "none");
}
END_TEST

/* ---- on a node at work ---- */

/* A plugin that waits for its configuration is replaced, and does its work; so is the tool itself, while it runs. */
START_TEST(programs_that_run_are_replaced)
{
	static const char net[] =
		"{\"cniVersion\":\"1.0.0\",\"name\":\"net1\",\"type\":\"bridge\"}";
	int in[2];
	pid_t pid;
	int status;

	sh("mkdir " BIN);
	install_ok("");
	ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		dup2(in[0], STDIN_FILENO);
		setenv("CNI_COMMAND", "DEL", 1);
		setenv("CNI_CONTAINERID", "x", 1);
		setenv("CNI_IFNAME", "eth0", 1);
		setenv("CNI_PATH", BIN, 1);
		execl(BIN "/bridge", "bridge", NULL);
		_exit(127);
	}
	close(in[0]);
	while (!strstr(sh("readlink /proc/%d/exe", pid), BIN))
		;
	sh(BIN "/ccni install --bindir " BIN);
	assert_all_new();
	ck_assert_str_eq(sh("readlink /proc/%d/exe", pid), BIN "/bridge (deleted)");
	ck_assert_int_eq(write(in[1], net, sizeof(net) - 1), sizeof(net) - 1);
	close(in[1]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(many_at_once)
{
	enum { CALLS = 12 };
	struct running *running[CALLS];
	const char *before;

	furnish();
	before = snapshot();
	for (int i = 0; i < CALLS; i++)
		running[i] = call_start(install_call(i % 4 == 3 ? "--restore" : "--backup"));
	for (int i = 0; i < CALLS; i++) {
		struct reply r = call_wait(running[i]);

		ck_assert_msg(r.status == 0, "%s", r.err);
	}
	install_ok("--backup");
	assert_all_new();
	install_ok("--restore");
	same_text("before and after", before, snapshot());
}
END_TEST

START_TEST(waits_for_another_install)
{
	const char *before;
	struct running *running;
	struct reply r;
	int fd;

	furnish();
	before = snapshot();
	fd = open(BIN, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_eq(flock(fd, LOCK_EX), 0);
	running = call_start(install_call("--backup"));
	sh("n=0; until grep -q -- '-> FLOCK.*:%lu ' /proc/locks; do n=$((n+1)); [ $n -lt 3000 ]; "
	   "sleep 0.01; done",
	   (unsigned long)stat_of(BIN).st_ino);
	same_text("nothing changes", before, snapshot());
	sh("%s/ccni install --list --bindir " BIN, our_plugins()); /* looking is free */
	close(fd);
	r = call_wait(running);
	ck_assert_msg(r.status == 0, "%s", r.err);
	assert_all_new();
}
END_TEST

/* ---- what is refused, and what fails ---- */

START_TEST(a_wrong_call_shows_the_usage)
{
	static const char *const wrong[] = { "--nope",	      "--backup --restore", "x",
					     "--list --list", "--backup --list",    "--bindir" };

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct output o = install(wrong[i]);

		ck_assert_int_eq(o.status, 2);
		ck_assert_str_eq(o.out, "");
		ck_assert_ptr_nonnull(strstr(o.err, "usage: ccni install [--bindir DIR] "
						    "[--backup | --restore | --list]\n"));
	}
	ck_assert(!is_there(BIN));
}
END_TEST

/* It fails, names the path and the cause, and leaves everything as it was. */
static void fails(const char *args, const char *wrapper, const char *message)
{
	const char *before = snapshot();
	struct call c = install_call(args);
	struct reply r;

	if (wrapper)
		c.wrapper = wrapper;
	r = call(c);
	ck_assert_int_eq(r.status, 1);
	ck_assert_msg(strstr(r.err, message) != NULL, "wanted \"%s\", got: %s", message, r.err);
	same_text("nothing changes", before, snapshot());
}

START_TEST(what_is_no_file_is_an_error)
{
	ck_assert_str_eq(install("").err,
			 "ccni install: failed to open " BIN ": no such file or directory\n");
	ck_assert_str_eq(install("--list").err,
			 "ccni install: failed to open " BIN ": no such file or directory\n");
	furnish();
	sh("mkdir " BIN "/tuning");
	fails("--backup", NULL, BIN "/tuning is not a file that can be read");
	sh("rmdir " BIN "/tuning; mkfifo " BIN "/tuning");
	fails("--backup", NULL, BIN "/tuning is not a file that can be read");
	sh("rm " BIN "/tuning; ln -s /run/world " KEPT);
	fails("--backup", NULL, KEPT);
	fails("--restore", NULL, KEPT);
}
END_TEST

START_TEST(a_read_only_directory_is_an_error)
{
	furnish();
	install_ok("--backup");
	sh("mount --bind " BIN " " BIN " && mount -o remount,bind,ro " BIN);
	fails("--backup", NULL, BIN "/.ccni-new: read-only file system");
	fails("--restore", NULL, "read-only file system");
	install_ok("--list");
}
END_TEST

/* Room for the old files, and not for the new one; with copies, for some of them. */
START_TEST(a_full_disk_is_an_error)
{
	size_t kib = (size_t)stat_of(fmt("%s/ccni", our_plugins())).st_size / 1024;

	sh("mkdir " BIN " && mount -t tmpfs -o size=%zuk tmpfs " BIN, kib / 2);
	furnish();
	fails("--backup", NULL, BIN "/.ccni-new/bandwidth: no space left on device");
	sh("mount -o remount,size=%zuk " BIN, kib * 7 / 2);
	fails("--backup", fmt(NO_LEAK_CHECK "strace -o " TRACE " -e trace=linkat " NO_LINKS),
	      BIN "/.ccni-new/firewall: no space left on device");
	install_ok("--backup"); /* with hard links it is enough */
	assert_all_new();
}
END_TEST

/* Whatever fails before the first name is changed leaves everything as it was. */
START_TEST(a_failing_step_changes_nothing)
{
	static struct point points[MAX_POINTS];
	int n, failed = 0;

	furnish();
	n = points_of("--backup", "", points);
	install_ok("--restore");
	for (int i = 0; i < n; i++) {
		const struct point *p = &points[i];

		if (strcmp(p->name, "renameat") == 0 && !strstr(p->line, ".aside"))
			break;
		if (strcmp(p->name, "linkat") == 0)
			continue; /* there will be a copy */
		fails("--backup",
		      fmt(NO_LEAK_CHECK "strace -o " TRACE " -e inject=%s:error=EIO:when=%d",
			  p->name, p->k),
		      "input/output error");
		failed++;
	}
	ck_assert_int_gt(failed, 12);
}
END_TEST

/* ---- without hard links ---- */

static void install_without_links(const char *args)
{
	struct call c = install_call(args);
	struct reply r;

	c.wrapper = NO_LEAK_CHECK "strace -o " TRACE " -e trace=linkat " NO_LINKS;
	r = call(c);
	ck_assert_msg(r.status == 0, "%s", r.err);
}

START_TEST(without_hard_links_there_are_copies)
{
	const char *before;

	furnish();
	sh("cd " BIN " && ln -s ../elsewhere firewall && chown -h 1000:100 firewall && "
	   "touch -hd 2023-01-02T03:04:05.678 firewall");
	put_old("tuning");
	sh("chmod 4755 " BIN "/tuning");
	set_label("tuning", "system_u:object_r:one_t:s0");
	before = snapshot();
	install_without_links("--backup");
	assert_all_new();
	ck_assert_uint_eq(stat_of(BIN "/bridge").st_nlink, 1);
	install_without_links("--backup");
	install_ok("--restore");
	same_text("before and after", before, snapshot());
	ck_assert_str_eq(label("tuning"), "system_u:object_r:one_t:s0");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("the installer");
	TCase *tc = tcase_create("install");

	tcase_add_checked_fixture(tc, world_setup, world_teardown);
	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, installs_all_plugins_as_one_file);
	tcase_add_test(tc, installs_without_a_standard_output);
	tcase_add_test(tc, a_file_of_another_set_is_not_lost_without_backup);
	tcase_add_test(tc, restore_gives_back_exactly_what_was_there);
	tcase_add_test(tc, further_installs_keep_what_was_there_first);
	tcase_add_test(tc, what_others_install_later_is_kept_too);
	tcase_add_test(tc, restore_spares_what_others_installed_since);
	tcase_add_test(tc, an_older_build_is_ours);
	tcase_add_test(tc, list_says_what_is_what);
	tcase_add_test(tc, security_labels_stay);
	tcase_add_test(tc, programs_that_run_are_replaced);
	tcase_add_test(tc, many_at_once);
	tcase_add_test(tc, waits_for_another_install);
	tcase_add_test(tc, a_wrong_call_shows_the_usage);
	tcase_add_test(tc, what_is_no_file_is_an_error);
	tcase_add_test(tc, a_read_only_directory_is_an_error);
	tcase_add_test(tc, a_full_disk_is_an_error);
	tcase_add_test(tc, a_failing_step_changes_nothing);
	tcase_add_test(tc, without_hard_links_there_are_copies);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
