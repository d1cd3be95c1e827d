/*
 * The lease store, in a directory made for each test: the files' form and modes, the lock, taking
 * addresses and giving them back, and what was given out last.
 */
#include "store_dir.h"

#include <sys/file.h>
#include <sys/wait.h>

static unsigned int mode_of(const char *name)
{
	struct stat st;

	ck_assert_msg(lstat(in_net(name), &st) == 0, "%s: %s", name, strerror(errno));
	return st.st_mode & 07777;
}

/* ---- form and modes ---- */

START_TEST(files_are_as_the_go_plugin_writes_them)
{
	static const mode_t masks[] = { 0, 022, 077 };
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;
	struct cni_ip last = ip_of("10.1.0.2");

	umask(masks[_i]);
	open_store(&store);
	ck_assert_int_eq(reserve(&store, "10.1.0.2", "ctr1", "eth0"), 0);
	ck_assert_int_eq(reserve(&store, "2001:DB8:0:1::2", "ctr1", "eth0"), 0);
	ck_assert_int_eq(cni_store_set_last(&store, 0, &last, NULL), 0);
	umask(0);
	expect_file("lock", "");
	expect_file("10.1.0.2", "ctr1\r\neth0");
	expect_file("2001:db8:0:1::2", "ctr1\r\neth0");
	expect_file("last_reserved_ip.0", "10.1.0.2");
	ck_assert_int_eq(count_files(), 3);
	ck_assert_uint_eq(mode_of("."), 0755 & ~masks[_i]);
	ck_assert_uint_eq(mode_of(".."), 0755 & ~masks[_i]);
	ck_assert_uint_eq(mode_of("lock"), 0750);
	ck_assert_uint_eq(mode_of("10.1.0.2"), 0600);
	ck_assert_uint_eq(mode_of("2001:db8:0:1::2"), 0600);
	ck_assert_uint_eq(mode_of("last_reserved_ip.0"), 0600);
	ck_assert_uint_eq(mode_of(CNI_INDEX_FILE), 0600);
}
END_TEST

START_TEST(a_store_that_is_not_there_is_made_only_if_asked)
{
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;
	struct cni_error err = { 0 };

	ck_assert_int_eq(cni_store_open(base, "a", false, &store, &err), -ENOENT);
	ck_assert(!err.set);
	ck_assert_int_eq(store.dir, -1);
	ck_assert_int_eq(store.lock, -1);
	open_store(&store);
	cni_store_close(&store);
	cni_store_close(&store);
	ck_assert_int_eq(cni_store_open(base, "nets/net1", false, &store, &err), 0);
}
END_TEST

START_TEST(a_store_that_cannot_be_made_names_its_path)
{
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;
	struct cni_error err = { 0 };

	open_store(&store);
	put("file", "x");
	ck_assert_int_eq(cni_store_open(in_net("file"), "net", true, &store, &err), -ENOTDIR);
	ck_assert_msg(strstr(err.msg, "/nets/net1/file/net: not a directory"), "%s", err.msg);
	ck_assert_str_eq(err.details, "ipam.dataDir chooses another directory");
}
END_TEST

START_TEST(a_path_with_odd_slashes_is_made)
{
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;
	struct stat st;
	char dir[64];

	snprintf(dir, sizeof(dir), "%s//x///y/", base);
	ck_assert_int_eq(cni_store_open(dir, "n", true, &store, NULL), 0);
	snprintf(dir, sizeof(dir), "%s/x/y/n/lock", base);
	ck_assert_int_eq(stat(dir, &st), 0);
}
END_TEST

/* ---- the lock ---- */

START_TEST(one_process_at_a_time_holds_the_store)
{
	struct cni_store store = CNI_STORE_INIT;
	cni_auto(fd) int other = -1;

	open_store(&store);
	other = open(in_net("lock"), O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(other, 0);
	ck_assert_int_eq(flock(other, LOCK_EX | LOCK_NB), -1);
	ck_assert_int_eq(errno, EWOULDBLOCK);
	cni_store_close(&store);
	ck_assert_int_eq(flock(other, LOCK_EX | LOCK_NB), 0);
}
END_TEST

/* Both read, decide and write; without the lock some of the numbers would get lost. */
START_TEST(what_is_read_under_the_lock_stays_true)
{
	enum { CHILDREN = 4, ROUNDS = 50 };
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;
	struct cni_ip last, want = ip_of("10.0.0.200");

	open_store(&store);
	last = ip_of("10.0.0.0");
	ck_assert_int_eq(cni_store_set_last(&store, 0, &last, NULL), 0);
	cni_store_close(&store);
	for (int i = 0; i < CHILDREN; i++) {
		pid_t pid = fork();

		ck_assert_int_ge(pid, 0);
		for (int k = 0; pid == 0 && k < ROUNDS; k++) {
			open_store(&store);
			cni_store_last(&store, 0, &last);
			if (cni_ip_next(&last) < 0 ||
			    cni_store_set_last(&store, 0, &last, NULL) < 0)
				_exit(1);
			cni_store_close(&store);
		}
		if (pid == 0)
			_exit(0);
	}
	for (int i = 0; i < CHILDREN; i++) {
		int status;

		ck_assert_int_ge(wait(&status), 0);
		ck_assert_int_eq(status, 0);
	}
	open_store(&store);
	cni_store_last(&store, 0, &last);
	ck_assert_int_eq(cni_ip_cmp(&last, &want), 0);
}
END_TEST

/* ---- taking and giving back ---- */

START_TEST(an_address_is_taken_once_until_it_is_given_back)
{
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;
	struct cni_error err = { 0 };

	open_store(&store);
	ck_assert(is_free(&store, "10.1.0.2"));
	ck_assert_int_eq(reserve(&store, "10.1.0.2", "ctr1", "eth0"), 0);
	ck_assert(!is_free(&store, "10.1.0.2"));
	ck_assert(is_free(&store, "10.1.0.3"));
	ck_assert_int_eq(reserve(&store, "10.1.0.2", "ctr2", "eth0"), -EEXIST);
	ck_assert_int_eq(reserve(&store, "10.1.0.2", "ctr1", "eth0"), -EEXIST);
	expect_file("10.1.0.2", "ctr1\r\neth0");
	ck_assert_int_eq(release(&store, "10.1.0.2", "ctr1", "eth0", &err), 0);
	ck_assert_int_eq(release(&store, "10.1.0.2", "ctr1", "eth0", &err), 0);
	ck_assert(!err.set);
	ck_assert(is_free(&store, "10.1.0.2"));
	ck_assert_int_eq(reserve(&store, "10.1.0.2", "ctr2", "eth1"), 0);
	expect_file("10.1.0.2", "ctr2\r\neth1");
	ck_assert_int_eq(count_files(), 1);
}
END_TEST

START_TEST(an_empty_file_counts_as_free)
{
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;

	open_store(&store);
	put("10.1.0.2", "");
	ck_assert(is_free(&store, "10.1.0.2"));
	ck_assert_int_eq(see_all(&store).n, 0);
	ck_assert_int_eq(reserve(&store, "10.1.0.2", "ctr1", "eth0"), 0);
	expect_file("10.1.0.2", "ctr1\r\neth0");
}
END_TEST

START_TEST(what_is_no_lease_makes_way_and_is_kept)
{
	static const char *const names[] = { "10.1.0.2", "10.1.0.3", "10.1.0.4", "10.1.0.5" };
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;
	struct cni_error err = { 0 };
	char target[32] = "";

	open_store(&store);
	ck_assert_int_eq(mkdir(in_net("10.1.0.2"), 0700), 0);
	ck_assert_int_eq(mkfifo(in_net("10.1.0.3"), 0600), 0);
	ck_assert_int_eq(symlink("/nowhere", in_net("10.1.0.4")), 0);
	put("10.1.0.5", "not a\r\nlease");
	ck_assert_int_eq(see_all(&store).n, 0);
	ck_assert_int_lt(release(&store, "10.1.0.2", "ctr1", "eth0", &err), 0);
	ck_assert_msg(strncmp(err.msg, "failed to remove lease of 10.1.0.2: ", 36) == 0, "%s",
		      err.msg);
	for (size_t i = 0; i < CNI_ARRAY_SIZE(names); i++) {
		ck_assert(is_free(&store, names[i]));
		ck_assert_int_eq(reserve(&store, names[i], "ctr1", "eth0"), 0);
		expect_file(names[i], "ctr1\r\neth0");
		ck_assert(!is_free(&store, names[i]));
		ck_assert_int_eq(reserve(&store, names[i], "ctr2", "eth0"), -EEXIST);
	}
	ck_assert_int_eq(rmdir(in_net("foreign-10.1.0.2.1")), 0);
	ck_assert_int_eq(access(in_net("foreign-10.1.0.3.1"), F_OK), 0);
	ck_assert_int_eq(readlink(in_net("foreign-10.1.0.4.1"), target, sizeof(target) - 1), 8);
	ck_assert_str_eq(target, "/nowhere");
	expect_file("foreign-10.1.0.5.1", "not a\r\nlease");
}
END_TEST

/* What no runtime can have written is no lease: no DEL would ever name it. */
START_TEST(a_lease_names_a_container_and_an_interface)
{
	static const struct {
		const char *text;
		bool lease;
	} texts[] = {
		{ "ctr1\r\neth0", true },
		{ " ctr1\r\neth0\n", true },
		{ "ctr1\n", true },
		{ "k8s_POD.x-1\r\nnet1", true },
		{ "two words", false },
		{ "ctr1\r\n", true },
		{ "ctr1\neth0", false },
		{ "-x\r\neth0", false },
		{ "\r\neth0", true },
		{ "ctr1\r\na/b", false },
		{ "ctr1\r\neth0\r\nx", false },
	};
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;

	open_store(&store);
	for (size_t i = 0; i < CNI_ARRAY_SIZE(texts); i++) {
		(void)unlink(in_net("10.1.0.9"));
		put("10.1.0.9", texts[i].text);
		ck_assert_msg(see_all(&store).n == texts[i].lease, "%zu: %s", i, texts[i].text);
		ck_assert_int_eq(is_free(&store, "10.1.0.9"), !texts[i].lease);
	}
}
END_TEST

START_TEST(symbolic_links_lead_nowhere)
{
	cni_auto(store) struct cni_store store = CNI_STORE_INIT, other = CNI_STORE_INIT;
	struct cni_ip ip = ip_of("10.1.0.2"), last;

	open_store(&store);
	put("outside", "ctr1\r\neth0");
	put("outside.last", "10.1.0.9");
	ck_assert_int_eq(symlink("outside", in_net("10.1.0.2")), 0);
	ck_assert_int_eq(symlink("outside.last", in_net("last_reserved_ip.0")), 0);
	ck_assert_int_eq(see_all(&store).n, 0);
	cni_store_last(&store, 0, &last);
	ck_assert_int_eq(last.family, AF_UNSPEC);
	ck_assert_int_lt(cni_store_set_last(&store, 0, &ip, NULL), 0);
	expect_file("outside.last", "10.1.0.9");
	/* The link itself can be given back; what it leads to stays. */
	ck_assert_int_eq(release(&store, "10.1.0.2", "ctr1", "eth0", NULL), 0);
	ck_assert(is_free(&store, "10.1.0.2"));
	expect_file("outside", "ctr1\r\neth0");
	/* Neither a network's directory nor its lock may be elsewhere. */
	ck_assert_int_eq(symlink(base, in_net("net2")), 0);
	ck_assert_int_lt(cni_store_open(in_net(""), "net2", true, &other, NULL), 0);
	ck_assert_int_eq(mkdir(in_net("net3"), 0700), 0);
	ck_assert_int_eq(symlink("../outside", in_net("net3/lock")), 0);
	ck_assert_int_lt(cni_store_open(in_net(""), "net3", true, &other, NULL), 0);
	ck_assert_int_eq(other.dir, -1);
}
END_TEST

/* ---- last_reserved_ip ---- */

START_TEST(the_last_address_is_kept_for_each_set)
{
	static const char *const values[] = { "10.1.0.200", "10.1.0.9", "fd00::1234:5678", "::1" };
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;
	struct cni_ip got, one = ip_of("10.9.0.1");

	open_store(&store);
	cni_store_last(&store, 0, &got);
	ck_assert_int_eq(got.family, AF_UNSPEC);
	ck_assert_int_eq(cni_store_set_last(&store, 12, &one, NULL), 0);
	for (size_t i = 0; i < CNI_ARRAY_SIZE(values); i++) {
		struct cni_ip ip = ip_of(values[i]);

		ck_assert_int_eq(cni_store_set_last(&store, 0, &ip, NULL), 0);
		expect_file("last_reserved_ip.0", values[i]);
		cni_store_last(&store, 0, &got);
		ck_assert_int_eq(cni_ip_cmp(&got, &ip), 0);
	}
	cni_store_last(&store, 12, &got);
	ck_assert_int_eq(cni_ip_cmp(&got, &one), 0);
}
END_TEST

START_TEST(a_last_address_that_is_none_is_unknown)
{
	static const char *const contents[] = {
		"",
		"10.1.0.2\n",
		" 10.1.0.2",
		"10.1.0.2/24",
		"10.1.0",
		"x",
		"0000:0000:0000:0000:0000:ffff:100.100.100.100xxxxxxxxxx",
	};
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;

	open_store(&store);
	for (size_t i = 0; i < CNI_ARRAY_SIZE(contents); i++) {
		struct cni_ip got = ip_of("10.1.0.1");

		put("last_reserved_ip.0", contents[i]);
		cni_store_last(&store, 0, &got);
		ck_assert_msg(got.family == AF_UNSPEC, "\"%s\"", contents[i]);
		ck_assert_int_eq(unlink(in_net("last_reserved_ip.0")), 0);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store");
	TCase *tc = tcase_create("store");

	suite_add_tcase(suite, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, files_are_as_the_go_plugin_writes_them, 0, 3);
	tcase_add_test(tc, a_store_that_is_not_there_is_made_only_if_asked);
	tcase_add_test(tc, a_store_that_cannot_be_made_names_its_path);
	tcase_add_test(tc, a_path_with_odd_slashes_is_made);
	tcase_add_test(tc, one_process_at_a_time_holds_the_store);
	tcase_add_test(tc, what_is_read_under_the_lock_stays_true);
	tcase_add_test(tc, an_address_is_taken_once_until_it_is_given_back);
	tcase_add_test(tc, an_empty_file_counts_as_free);
	tcase_add_test(tc, what_is_no_lease_makes_way_and_is_kept);
	tcase_add_test(tc, a_lease_names_a_container_and_an_interface);
	tcase_add_test(tc, symbolic_links_lead_nowhere);
	tcase_add_test(tc, the_last_address_is_kept_for_each_set);
	tcase_add_test(tc, a_last_address_that_is_none_is_unknown);
	return run_suite(suite);
}
