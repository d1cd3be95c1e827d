/*
 * What is read out of a lease store: what counts as a lease and what does not, the leases of one
 * attachment without those of the others, everything there is for the operator, and which leases are from
 * before the machine was last booted.
 */
#include "boot.h"
#include "buf.h"
#include "store_dir.h"

#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/xattr.h>

/* ---- reading ---- */

START_TEST(leases_are_read_in_both_forms)
{
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;
	struct seen seen;

	open_store(&store);
	put("10.1.0.2", "ctr1\r\neth0");
	put("10.1.0.3", " \n ctr2\r\neth1\r\n ");
	put("10.1.0.4", "ctr3");
	put("10.1.0.5", "ctr4\n");
	put("fd00::2", "ctr5\r\neth0");
	seen = see_all(&store);
	ck_assert_int_eq(seen.n, 5);
	expect_lease(&seen, "10.1.0.2", "ctr1", "eth0");
	expect_lease(&seen, "10.1.0.3", "ctr2", "eth1");
	expect_lease(&seen, "10.1.0.4", "ctr3", "-");
	expect_lease(&seen, "10.1.0.5", "ctr4", "-");
	expect_lease(&seen, "fd00::2", "ctr5", "eth0");
}
END_TEST

START_TEST(what_is_no_lease_is_passed_over)
{
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;
	static char big[100000];

	open_store(&store);
	put("last_reserved_ip.0", "10.1.0.2");
	put("readme", "ctr1\r\neth0");
	put("10.1.0.02", "ctr1\r\neth0");
	put("10.1.0.2~", "ctr1\r\neth0");
	put(".10.1.0.2", "ctr1\r\neth0");
	put("fd00::2%eth0", "ctr1\r\neth0");
	/* Spelt unlike the store does: giving it back would hit another's lease. */
	put("::ffff:10.1.0.3", "ctr1\r\neth0");
	put("FD00::3", "ctr1\r\neth0");
	put("10.1.0.4", " \r\n ");
	put("10.1.0.5", "ctr1\neth0"); /* without the carriage return it is no one's */
	put("10.1.0.6", "\r\n");
	memset(big, 'x', sizeof(big));
	put_file("10.1.0.7", "\0ctr1", 5);
	put_file("readme2", big, sizeof(big));
	ck_assert_int_eq(see_all(&store).n, 0);
}
END_TEST

START_TEST(a_long_lease_is_read_whole)
{
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;
	char id[301], want[320];

	memset(id, 'i', sizeof(id) - 1);
	id[sizeof(id) - 1] = '\0';
	open_store(&store);
	ck_assert_int_eq(reserve(&store, "10.1.0.2", id, "eth0"), 0);
	snprintf(want, sizeof(want), "%s\r\neth0", id);
	expect_file("10.1.0.2", want);
	ck_assert_int_eq(see_all(&store).n, 1);
}
END_TEST

START_TEST(an_old_lease_is_of_every_interface)
{
	const struct cni_lease new = { .containerid = "ctr1", .ifname = "eth0" };
	const struct cni_lease old = { .containerid = "ctr1" };

	ck_assert(cni_lease_is_of(&new, "ctr1", "eth0"));
	ck_assert(!cni_lease_is_of(&new, "ctr1", "eth1"));
	ck_assert(!cni_lease_is_of(&new, "ctr", "eth0"));
	ck_assert(!cni_lease_is_of(&new, "ctr11", "eth0"));
	ck_assert(cni_lease_is_of(&old, "ctr1", "eth7"));
	ck_assert(!cni_lease_is_of(&old, "ctr2", "eth7"));
}
END_TEST

struct dropping {
	struct cni_store *store;
	int n;
};

static int drop(const struct cni_lease *lease, void *ctx)
{
	struct dropping *d = ctx;

	d->n++;
	return cni_store_release(d->store, lease, NULL);
}

START_TEST(leases_may_be_given_back_while_they_are_walked)
{
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;
	struct dropping d = { .store = &store };

	open_store(&store);
	for (int i = 0; i < 200; i++) {
		char ip[32];

		snprintf(ip, sizeof(ip), "10.1.0.%d", i);
		ck_assert_int_eq(reserve(&store, ip, "ctr1", "eth0"), 0);
	}
	ck_assert_int_eq(cni_store_each(&store, drop, &d, NULL), 0);
	ck_assert_int_eq(d.n, 200);
	ck_assert_int_eq(count_files(), 0);
}
END_TEST

static int stop(const struct cni_lease *lease, void *ctx)
{
	(void)lease;
	++*(int *)ctx;
	return 42;
}

START_TEST(a_walk_ends_when_told)
{
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;
	int n = 0;

	open_store(&store);
	ck_assert_int_eq(cni_store_each(&store, stop, &n, NULL), 0);
	ck_assert_int_eq(reserve(&store, "10.1.0.2", "a", "eth0"), 0);
	ck_assert_int_eq(reserve(&store, "10.1.0.3", "b", "eth0"), 0);
	ck_assert_int_eq(cni_store_each(&store, stop, &n, NULL), 42);
	ck_assert_int_eq(n, 1);
}
END_TEST

/* ---- the leases of one attachment ---- */

/* The three ways in which a store may stand when it is asked. */
enum asked { INDEXED, REBUILT, LOOKED_AT };

static void ask(struct cni_store *store, int how)
{
	cni_store_close(store);
	if (how == REBUILT)
		ck_assert_int_eq(unlink(in_net(CNI_INDEX_FILE)), 0);
	if (how == LOOKED_AT)
		ck_assert_int_eq(cni_store_open_to_look(data_dir(), "net1", store), 0);
	else
		open_store(store);
	ck_assert_int_eq(cni_index_usable(&store->index), how != LOOKED_AT);
}

START_TEST(an_attachment_s_leases_are_found_in_both_forms)
{
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;
	struct seen seen;

	open_store(&store);
	cni_store_close(&store);
	put("10.1.0.2", "ctr1\r\neth0");
	put("10.1.0.3", "ctr1");
	put("10.1.0.4", "ctr1\r\neth1");
	put("10.1.0.5", "ctr11\r\neth0");
	put("10.1.0.6", "ctr\r\n1eth0");
	put("10.1.0.7", "");
	ck_assert_int_eq(mkdir(in_net("10.1.0.8"), 0700), 0);
	open_store(&store);
	ck_assert_int_eq(reserve(&store, "fd00::2", "ctr1", "eth0"), 0);
	ask(&store, _i);
	seen = see_of(&store, "ctr1", "eth0");
	ck_assert_int_eq(seen.n, 3);
	expect_lease(&seen, "10.1.0.2", "ctr1", "eth0");
	expect_lease(&seen, "10.1.0.3", "ctr1", "-");
	expect_lease(&seen, "fd00::2", "ctr1", "eth0");
	seen = see_of(&store, "ctr1", "eth7");
	ck_assert_int_eq(seen.n, 1);
	expect_lease(&seen, "10.1.0.3", "ctr1", "-");
	ck_assert_int_eq(see_of(&store, "ctr11", "eth0").n, 1);
	ck_assert_int_eq(see_of(&store, "ctr2", "eth0").n, 0);
}
END_TEST

/* More than the index is asked for at once. */
START_TEST(an_attachment_may_have_many_leases)
{
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;
	struct dropping d = { .store = &store };

	open_store(&store);
	for (int i = 1; i <= 90; i++) {
		char ip[32];

		snprintf(ip, sizeof(ip), "10.1.0.%d", i);
		ck_assert_int_eq(reserve(&store, ip, i % 9 ? "many" : "few", "eth0"), 0);
	}
	ask(&store, _i);
	ck_assert_int_eq(see_of(&store, "many", "eth0").n, 80);
	ck_assert_int_eq(see_of(&store, "few", "eth0").n, 10);
	ask(&store, INDEXED);
	ck_assert_int_eq(cni_store_each_of(&store, "many", "eth0", drop, &d, NULL), 0);
	ck_assert_int_eq(d.n, 80);
	ck_assert_int_eq(count_files(), 10);
	ask(&store, _i);
	ck_assert_int_eq(see_of(&store, "many", "eth0").n, 0);
	ck_assert_int_eq(see_of(&store, "few", "eth0").n, 10);
}
END_TEST

START_TEST(a_walk_over_an_attachment_s_leases_ends_when_told)
{
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;
	int n = 0;

	open_store(&store);
	put("10.1.0.4", "a");
	ask(&store, INDEXED);
	ck_assert_int_eq(reserve(&store, "10.1.0.2", "a", "eth0"), 0);
	ck_assert_int_eq(reserve(&store, "10.1.0.3", "a", "eth0"), 0);
	ask(&store, _i);
	ck_assert_int_eq(cni_store_each_of(&store, "a", "eth0", stop, &n, NULL), 42);
	ck_assert_int_eq(n, 1);
	ck_assert_int_eq(cni_store_each_of(&store, "b", "eth0", stop, &n, NULL), 0);
	ck_assert_int_eq(n, 1);
}
END_TEST

/* Names of leases that were opened since the watch was set; "#..." is a file that has no name yet. */
static void opened_names(int watch, struct cni_buf *ret)
{
	_Alignas(struct inotify_event) char raw[8192];
	ssize_t n;

	while ((n = read(watch, raw, sizeof(raw))) > 0)
		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *e = (const void *)(raw + at);

			ck_assert(!(e->mask & IN_Q_OVERFLOW));
			if (e->len && e->name[0] != '#' && strcmp(e->name, "lock") != 0 &&
			    strcmp(e->name, CNI_INDEX_FILE) != 0)
				cni_buf_printf(ret, "%s ", e->name);
			at += (ssize_t)(sizeof(*e) + e->len);
		}
	ck_assert_int_eq(errno, EAGAIN);
}

/* What ADD, CHECK and DEL ask, among 500 leases of others. */
START_TEST(nobody_else_s_lease_is_opened)
{
	cni_auto(fd) int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;
	cni_auto(buf) struct cni_buf names = { 0 };

	open_store(&store);
	for (int i = 0; i < 500; i++) {
		char ip[32], id[32];

		snprintf(ip, sizeof(ip), "10.1.%d.%d", i / 256, i % 256);
		snprintf(id, sizeof(id), "ctr%d", i);
		ck_assert_int_eq(reserve(&store, ip, id, "eth0"), 0);
	}
	cni_store_close(&store);
	ck_assert_int_ge(watch, 0);
	ck_assert_int_ge(inotify_add_watch(watch, in_net("."), IN_OPEN), 0);
	open_store(&store);
	ck_assert_int_eq(see_of(&store, "new", "eth0").n, 0);
	ck_assert_str_eq(next_free(&store, "10.1.0.0", "10.1.255.255"), "10.1.1.244");
	ck_assert_int_eq(reserve(&store, "10.1.1.244", "new", "eth0"), 0);
	cni_store_close(&store);
	open_store(&store);
	ck_assert_int_eq(see_of(&store, "ctr300", "eth0").n, 1);
	ck_assert_int_eq(release(&store, "10.1.1.44", "ctr300", "eth0", NULL), 0);
	ck_assert_int_eq(see_of(&store, "ctr300", "eth0").n, 0);
	cni_store_close(&store);
	opened_names(watch, &names);
	ck_assert_str_eq(names.data ? names.data : "", "10.1.1.44 ");
}
END_TEST

/* Somebody who does not ask for the lock removes a lease while we have it; our own change hides that. */
START_TEST(an_index_that_was_found_wrong_is_not_believed_again)
{
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;

	open_store(&store);
	ck_assert_int_eq(reserve(&store, "10.1.0.2", "ctr1", "eth0"), 0);
	ck_assert_int_eq(unlink(in_net("10.1.0.2")), 0);
	ck_assert_int_eq(reserve(&store, "10.1.0.3", "ctr2", "eth0"), 0);
	ask(&store, INDEXED);
	ck_assert_int_eq(see_of(&store, "ctr1", "eth0").n, 0);
	ask(&store, INDEXED);
	ck_assert_str_eq(next_free(&store, "10.1.0.2", "10.1.0.9"), "10.1.0.2");
	ck_assert_int_eq(see_of(&store, "ctr2", "eth0").n, 1);
}
END_TEST

START_TEST(the_next_free_address_is_the_first_that_nobody_has)
{
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;

	open_store(&store);
	cni_store_close(&store);
	put("10.1.0.3", "ctr1\r\neth0");
	put("10.1.0.4", "ctr2");
	put("10.1.0.5", ""); /* torn */
	put("10.1.0.6", "ctr1\r\neth1");
	put("10.1.0.7", "no lease, but who knows\n?");
	put("10.1.0.8", "ctr3\r\neth0");
	put("fd00::1", "ctr1\r\neth0");
	ck_assert_int_eq(symlink("nowhere", in_net("10.1.0.9")), 0);
	open_store(&store);
	ask(&store, _i);
	ck_assert_str_eq(next_free(&store, "10.1.0.2", "10.1.0.9"), "10.1.0.2");
	ck_assert_str_eq(next_free(&store, "10.1.0.5", "10.1.0.9"), "10.1.0.5");
	ck_assert_str_eq(next_free(&store, "10.1.0.3", "10.1.0.9"), "10.1.0.5");
	ck_assert_str_eq(next_free(&store, "10.1.0.6", "10.1.0.9"), "10.1.0.7");
	ck_assert_str_eq(next_free(&store, "10.1.0.8", "10.1.0.10"), "10.1.0.9");
	ck_assert_str_eq(next_free(&store, "10.1.0.3", "10.1.0.4"), "<nil>");
	ck_assert_str_eq(next_free(&store, "10.1.0.3", "10.1.0.3"), "<nil>");
	ck_assert_str_eq(next_free(&store, "fd00::1", "fd00::ffff"), "fd00::2");
}
END_TEST

/* ---- looking ---- */

/* Everything in the directory that a change would show in. */
static void describe(struct cni_buf *ret)
{
	DIR *dir = opendir(in_net(""));
	struct dirent *entry;

	ck_assert_ptr_nonnull(dir);
	while ((entry = readdir(dir))) {
		struct stat st;

		if (strcmp(entry->d_name, "..") == 0)
			continue;
		ck_assert_int_eq(fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW), 0);
		cni_buf_printf(ret, "%s %lu %o %ld %ld.%09ld %ld.%09ld\n", entry->d_name,
			       (unsigned long)st.st_ino, st.st_mode, (long)st.st_size,
			       (long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec, (long)st.st_ctim.tv_sec,
			       st.st_ctim.tv_nsec);
	}
	closedir(dir);
}

static int count_entries(const struct cni_store_entry *e, void *ctx)
{
	(void)e;
	++*(int *)ctx;
	return 0;
}

START_TEST(looking_changes_nothing_and_waits_for_nobody)
{
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;
	cni_auto(buf) struct cni_buf before = { 0 }, after = { 0 };
	cni_auto(fd) int other = -1;
	int n = 0;

	open_store(&store);
	ck_assert_int_eq(reserve(&store, "10.1.0.2", "ctr1", "eth0"), 0);
	cni_store_close(&store);
	put("10.1.0.3", "ctr1"); /* and the index is stale */
	put("10.1.0.4", "");
	if (_i > 0)
		ck_assert_int_eq(unlink(in_net(CNI_INDEX_FILE)), 0);
	if (_i > 1)
		ck_assert_int_eq(unlink(in_net("lock")), 0);
	other = open(in_net("lock"), O_RDONLY | O_CLOEXEC);
	ck_assert(other < 0 || flock(other, LOCK_EX) == 0);
	describe(&before);
	ck_assert_int_eq(cni_store_open_to_look(data_dir(), "net1", &store), 0);
	ck_assert_int_eq(see_all(&store).n, 2);
	ck_assert_int_eq(see_of(&store, "ctr1", "eth0").n, 2);
	ck_assert_int_eq(cni_store_inspect(&store, count_entries, &n, NULL), 0);
	ck_assert_int_eq(n, 3);
	ck_assert(!is_free(&store, "10.1.0.2"));
	cni_store_close(&store);
	describe(&after);
	ck_assert_str_eq(after.data, before.data);
}
END_TEST

START_TEST(there_is_nothing_to_look_at_in_a_store_that_is_not_there)
{
	struct cni_store store = CNI_STORE_INIT;
	struct stat st;
	char link[80];

	ck_assert_int_eq(cni_store_open_to_look(data_dir(), "net1", &store), -ENOENT);
	ck_assert_int_eq(store.dir, -1);
	ck_assert_int_lt(stat(data_dir(), &st), 0);
	ck_assert_int_eq(mkdir(data_dir(), 0700), 0);
	snprintf(link, sizeof(link), "%s/net1", data_dir());
	ck_assert_int_eq(symlink("..", link), 0);
	ck_assert_int_lt(cni_store_open_to_look(data_dir(), "net1", &store), 0);
	ck_assert_int_eq(store.dir, -1);
}
END_TEST

/* ---- boots ---- */

#define BOOT_ATTR "user.ccni.boot_id"

/* @return whether the file system keeps such attributes; says so if it does not */
static bool set_boot(const char *name, const char *id, size_t len)
{
	if (setxattr(in_net(name), BOOT_ATTR, id, len, 0) == 0)
		return true;
	ck_assert_int_eq(errno, ENOTSUP);
	fprintf(stderr, "not tested: %s has no user attributes\n", base);
	return false;
}

static bool is_old(const struct cni_store *store, const char *ip)
{
	struct cni_ip addr = ip_of(ip);

	return cni_store_is_of_old_boot(store, &addr);
}

static const char other_boot[] = "01234567-89ab-cdef-0123-456789abcdef";

START_TEST(a_lease_says_in_which_boot_it_was_written)
{
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;
	char got[64], want[CNI_BOOT_ID_LEN + 4];

	open_store(&store);
	put("10.1.0.3", "");
	if (!set_boot("10.1.0.3", other_boot, CNI_BOOT_ID_LEN))
		return;
	ck_assert_int_eq(reserve(&store, "10.1.0.2", "ctr1", "eth0"), 0);
	ck_assert_int_eq(reserve(&store, "10.1.0.3", "ctr1", "eth0"), 0);
	ck_assert(cni_boot_id(want));
	ck_assert_int_eq(getxattr(in_net("10.1.0.2"), BOOT_ATTR, got, sizeof(got)),
			 CNI_BOOT_ID_LEN);
	ck_assert_mem_eq(got, want, CNI_BOOT_ID_LEN);
	ck_assert(!is_old(&store, "10.1.0.2"));
	ck_assert(!is_old(&store, "10.1.0.3"));
	expect_file("10.1.0.2", "ctr1\r\neth0");
}
END_TEST

START_TEST(only_a_lease_that_names_another_boot_is_of_an_old_one)
{
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;

	open_store(&store);
	for (int i = 2; i < 6; i++) {
		char ip[32];

		snprintf(ip, sizeof(ip), "10.1.0.%d", i);
		ck_assert_int_eq(reserve(&store, ip, "ctr1", "eth0"), 0);
	}
	put("10.1.0.6", "ctr1\r\neth0"); /* the Go plugin's */
	put("outside", "ctr1\r\neth0");
	if (!set_boot("10.1.0.3", other_boot, CNI_BOOT_ID_LEN))
		return;
	ck_assert(set_boot("10.1.0.4", other_boot, CNI_BOOT_ID_LEN - 1));
	ck_assert(set_boot("10.1.0.5", "01234567-89ab-cdef-0123-456789abcdef\n", 37));
	ck_assert(set_boot("outside", other_boot, CNI_BOOT_ID_LEN));
	ck_assert_int_eq(symlink("outside", in_net("10.1.0.7")), 0);
	ck_assert_int_eq(mkfifo(in_net("10.1.0.8"), 0600), 0);
	ck_assert(!is_old(&store, "10.1.0.2"));
	ck_assert(is_old(&store, "10.1.0.3"));
	ck_assert(!is_old(&store, "10.1.0.4"));
	ck_assert(!is_old(&store, "10.1.0.5"));
	ck_assert(!is_old(&store, "10.1.0.6"));
	ck_assert(!is_old(&store, "10.1.0.7"));
	ck_assert(!is_old(&store, "10.1.0.8"));
	ck_assert(!is_old(&store, "10.1.0.9")); /* not there */
}
END_TEST

/* ---- everything there is ---- */

/* One line for each entry; "L" lease, "T" torn, "F" foreign, with "o" for an old boot. */
static int note_entry(const struct cni_store_entry *e, void *ctx)
{
	char ip[CNI_IP_STRLEN], line[160];
	struct cni_buf *text = ctx;

	ck_assert(!e->lease || !e->torn);
	if (e->lease)
		ck_assert_int_eq(cni_ip_cmp(&e->lease->ip, &e->ip), 0);
	snprintf(line, sizeof(line), "%s %s%s %s %s %ld", cni_ip_format(&e->ip, ip),
		 e->lease ? "L" : (e->torn ? "T" : "F"), e->old_boot ? "o" : "",
		 e->lease ? e->lease->containerid : "-",
		 e->lease && e->lease->ifname ? e->lease->ifname : "-", (long)e->since);
	cni_buf_printf(text, "[%s]", line);
	return 0;
}

START_TEST(everything_under_an_address_s_name_can_be_inspected)
{
	static const char *const names[] = { "10.1.0.2", "10.1.0.3", "10.1.0.4", "10.1.0.5",
					     "10.1.0.6", "10.1.0.7", "fd00::2" };
	static const char *const want[] = {
		"[10.1.0.2 L ctr1 eth0 1000]", "[10.1.0.3 L ctr2 - 1001]", "[10.1.0.4 T - - 1002]",
		"[10.1.0.5 F - - 1003]",       "[10.1.0.6 F - - 1004]",	   "[10.1.0.7 F - - 1005]",
		"[fd00::2 L ctr3 eth0 1006]"
	};
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;
	cni_auto(buf) struct cni_buf text = { 0 };
	size_t len = 0;

	open_store(&store);
	put("10.1.0.2", "ctr1\r\neth0");
	put("10.1.0.3", "ctr2\n");
	put("10.1.0.4", "");
	put("10.1.0.5", "a\nb");
	ck_assert_int_eq(mkdir(in_net("10.1.0.6"), 0700), 0);
	ck_assert_int_eq(symlink("10.1.0.2", in_net("10.1.0.7")), 0);
	put("fd00::2", "ctr3\r\neth0");
	put("last_reserved_ip.0", "10.1.0.2");
	put("10.1.0.02", "ctr1\r\neth0");
	put("readme", "ctr1\r\neth0");
	for (size_t i = 0; i < CNI_ARRAY_SIZE(names); i++) {
		const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
						   { .tv_sec = 1000 + (time_t)i } };

		ck_assert_int_eq(utimensat(-1, in_net(names[i]), times, AT_SYMLINK_NOFOLLOW), 0);
	}
	ck_assert_int_eq(cni_store_inspect(&store, note_entry, &text, NULL), 0);
	for (size_t i = 0; i < CNI_ARRAY_SIZE(want); i++) {
		ck_assert_msg(strstr(text.data, want[i]) != NULL, "no %s in %s", want[i],
			      text.data);
		len += strlen(want[i]);
	}
	ck_assert_uint_eq(text.len, len);
	if (set_boot("10.1.0.3", other_boot, CNI_BOOT_ID_LEN)) {
		text.len = 0;
		ck_assert_int_eq(cni_store_inspect(&store, note_entry, &text, NULL), 0);
		ck_assert_ptr_nonnull(strstr(text.data, "[10.1.0.3 Lo ctr2 - 1001]"));
	}
}
END_TEST

static int stop_entry(const struct cni_store_entry *e, void *ctx)
{
	(void)e;
	++*(int *)ctx;
	return -7;
}

START_TEST(an_inspection_ends_when_told)
{
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;
	int n = 0;

	open_store(&store);
	ck_assert_int_eq(cni_store_inspect(&store, stop_entry, &n, NULL), 0);
	put("10.1.0.2", "");
	put("10.1.0.3", "ctr1");
	ck_assert_int_eq(cni_store_inspect(&store, stop_entry, &n, NULL), -7);
	ck_assert_int_eq(n, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_read");
	TCase *tc = tcase_create("store_read");

	suite_add_tcase(suite, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, leases_are_read_in_both_forms);
	tcase_add_test(tc, what_is_no_lease_is_passed_over);
	tcase_add_test(tc, a_long_lease_is_read_whole);
	tcase_add_test(tc, an_old_lease_is_of_every_interface);
	tcase_add_test(tc, leases_may_be_given_back_while_they_are_walked);
	tcase_add_test(tc, a_walk_ends_when_told);
	tcase_add_loop_test(tc, an_attachment_s_leases_are_found_in_both_forms, 0, 3);
	tcase_add_loop_test(tc, an_attachment_may_have_many_leases, 0, 3);
	tcase_add_loop_test(tc, a_walk_over_an_attachment_s_leases_ends_when_told, 0, 3);
	tcase_add_test(tc, nobody_else_s_lease_is_opened);
	tcase_add_test(tc, an_index_that_was_found_wrong_is_not_believed_again);
	tcase_add_loop_test(tc, the_next_free_address_is_the_first_that_nobody_has, 0, 2);
	tcase_add_loop_test(tc, looking_changes_nothing_and_waits_for_nobody, 0, 3);
	tcase_add_test(tc, there_is_nothing_to_look_at_in_a_store_that_is_not_there);
	tcase_add_test(tc, a_lease_says_in_which_boot_it_was_written);
	tcase_add_test(tc, only_a_lease_that_names_another_boot_is_of_an_old_one);
	tcase_add_test(tc, everything_under_an_address_s_name_can_be_inspected);
	tcase_add_test(tc, an_inspection_ends_when_told);
	return run_suite(suite);
}
