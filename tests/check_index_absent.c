/*
 * The lease store without its index: with something else in its place, and where the disk has no room for
 * it. It is slower then, but does all its work.
 */
#include "store_dir.h"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>

static void alone_setup(void)
{
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;

	setup();
	open_store(&store);
	ck_assert_int_eq(reserve(&store, "10.1.0.2", "ctr1", "eth0"), 0);
	ck_assert_int_eq(reserve(&store, "10.1.0.3", "ctr2", "eth0"), 0);
}

static void remove_index(void)
{
	ck_assert_int_eq(unlink(in_net(CNI_INDEX_FILE)), 0);
}

/* ---- something else in its place ---- */

/* The store's whole work, with an index or without. */
static void work(bool indexed)
{
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;

	for (int i = 0; i < 2; i++) {
		open_store(&store);
		ck_assert_int_eq(cni_index_usable(&store.index), indexed);
		ck_assert_int_eq(see_of(&store, "ctr1", "eth0").n, 1);
		ck_assert_int_eq(see_of(&store, "new", "eth0").n, 0);
		ck_assert_int_eq(reserve(&store, "10.1.0.3", "new", "eth0"), -EEXIST);
		ck_assert_int_eq(reserve(&store, "10.1.0.5", "new", "eth0"), 0);
		cni_store_close(&store);
		open_store(&store);
		ck_assert_int_eq(see_of(&store, "new", "eth0").n, 1);
		ck_assert_int_eq(release(&store, "10.1.0.5", "new", "eth0", NULL), 0);
		ck_assert_int_eq(see_of(&store, "new", "eth0").n, 0);
		ck_assert(is_free(&store, "10.1.0.5"));
		cni_store_close(&store);
	}
}

START_TEST(a_directory_in_its_place_is_worked_without)
{
	remove_index();
	ck_assert_int_eq(mkdir(in_net(CNI_INDEX_FILE), 0700), 0);
	if (_i)
		put(CNI_INDEX_FILE "/x", "");
	work(false);
}
END_TEST

START_TEST(a_symbolic_link_in_its_place_is_not_followed)
{
	static const char *const to[] = { "outside", "nowhere", "10.1.0.2" };
	struct stat st;

	put("outside", "mine");
	remove_index();
	ck_assert_int_eq(symlink(to[_i], in_net(CNI_INDEX_FILE)), 0);
	work(false);
	expect_file("outside", "mine");
	expect_file("10.1.0.2", "ctr1\r\neth0");
	ck_assert_int_lt(lstat(in_net("nowhere"), &st), 0);
}
END_TEST

/* ---- a full disk ---- */

/* One call with room for no larger files than that. libcheck writes files, too: it must not do so here. */
#define WITH_ROOM(size, call)                      \
	({                                         \
		limit_files(size);                 \
		__typeof__(call) called_ = (call); \
		limit_files(RLIM_INFINITY);        \
		called_;                           \
	})

static void limit_files(rlim_t size)
{
	const struct rlimit limit = { size, RLIM_INFINITY };

	(void)!setrlimit(RLIMIT_FSIZE, &limit);
}

static int count_lease(const struct cni_lease *lease, void *ctx)
{
	(void)lease;
	++*(int *)ctx;
	return 0;
}

/* Open and close under the limit, and look for one attachment. */
static bool there_with_room(rlim_t room, const char *id)
{
	struct cni_store store = CNI_STORE_INIT;
	int n = 0;

	ck_assert_int_eq(WITH_ROOM(room, cni_store_open(data_dir(), "net1", false, &store, NULL)),
			 0);
	ck_assert_int_eq(
		WITH_ROOM(room, cni_store_each_of(&store, id, "eth0", count_lease, &n, NULL)), 0);
	WITH_ROOM(room, (cni_store_close(&store), 0));
	ck_assert_int_le(n, 1);
	return n == 1;
}

/* Too large from the beginning; then, when it has to grow. */
START_TEST(without_room_for_the_index_the_store_works)
{
	static const rlim_t rooms[] = { 100, CNI_INDEX_PAGE, 3 * CNI_INDEX_PAGE,
					4 * CNI_INDEX_PAGE };
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;
	rlim_t room = rooms[_i];
	char ip[32], id[32];

	remove_index();
	signal(SIGXFSZ, SIG_IGN);
	for (int i = 10; i < 210; i++) {
		struct cni_ip addr;

		snprintf(ip, sizeof(ip), "10.1.0.%d", i);
		snprintf(id, sizeof(id), "new%d", i);
		addr = ip_of(ip);
		ck_assert(i % 10 || !there_with_room(room, id));
		ck_assert_int_eq(
			WITH_ROOM(room, cni_store_open(data_dir(), "net1", true, &store, NULL)), 0);
		ck_assert_int_eq(
			WITH_ROOM(room, cni_store_reserve(&store, &addr, id, "eth0", NULL)), 0);
		WITH_ROOM(room, (cni_store_close(&store), 0));
		ck_assert(there_with_room(room, id));
	}
	ck_assert_int_eq(WITH_ROOM(room, cni_store_open(data_dir(), "net1", true, &store, NULL)),
			 0);
	ck_assert(!cni_index_usable(&store.index));
	for (int i = 10; i < 210; i += 3) {
		struct cni_lease lease;

		snprintf(ip, sizeof(ip), "10.1.0.%d", i);
		snprintf(id, sizeof(id), "new%d", i);
		lease = (struct cni_lease){ ip_of(ip), id, "eth0" };
		ck_assert_int_eq(WITH_ROOM(room, cni_store_release(&store, &lease, NULL)), 0);
		ck_assert(is_free(&store, ip));
	}
	cni_store_close(&store);
	ck_assert(!there_with_room(room, "new208"));
	ck_assert(there_with_room(room, "new207"));
	open_store(&store);
	ck_assert(cni_index_usable(&store.index));
	ck_assert_str_eq(next_free(&store, "10.1.0.11", "10.1.0.255"), "10.1.0.13");
}
END_TEST

/* A data directory on a tmpfs of few pages that this process alone sees. @return false: not allowed to */
static bool small_disk(void)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/disk", base);
	if (unshare(CLONE_NEWNS) < 0) {
		fprintf(stderr, "not tested: no mount namespace: %s\n", strerror(errno));
		return false;
	}
	ck_assert_int_eq(mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL), 0);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert_int_eq(mount("none", path, "tmpfs", 0, "size=16k,mode=700"), 0);
	return true;
}

static void end_small_disk(void)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/disk", base);
	ck_assert_int_eq(umount2(path, MNT_DETACH), 0);
}

/* Of four pages the filler has _i; a lease takes one, an index three: leases come first. */
START_TEST(the_last_room_on_a_disk_is_for_leases)
{
	static uint8_t filler[4 * 4096];
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;
	char path[128], disk[64], ip[32];
	struct cni_error err = { 0 };
	cni_auto(fd) int fd = -1;

	if (!small_disk())
		return;
	snprintf(disk, sizeof(disk), "%s/disk", base);
	snprintf(path, sizeof(path), "%s/filler", disk);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_eq(write(fd, filler, (size_t)_i * 4096), _i * 4096);
	for (int i = 0; i <= 4 - _i; i++) {
		struct cni_ip addr;

		snprintf(ip, sizeof(ip), "10.1.0.%d", i);
		addr = ip_of(ip);
		ck_assert_msg(cni_store_open(disk, "n", true, &store, &err) == 0, "%s", err.msg);
		if (i < 4 - _i) {
			ck_assert_msg(cni_store_reserve(&store, &addr, "a", "eth0", &err) == 0,
				      "%d: %s", i, err.msg);
		} else {
			ck_assert_int_eq(cni_store_reserve(&store, &addr, "a", "eth0", &err),
					 -ENOSPC);
			ck_assert_ptr_nonnull(strstr(err.msg, "failed to write lease of"));
			ck_assert(cni_store_is_free(&store, &addr));
			snprintf(path, sizeof(path), "%s/n/%s", disk, ip);
			ck_assert_int_lt(access(path, F_OK), 0);
		}
		ck_assert_int_eq(see_of(&store, "a", "eth0").n, i < 4 - _i ? i + 1 : i);
		cni_store_close(&store);
	}
	/* Giving back needs no room. */
	for (int i = 0; i < 4 - _i; i++) {
		snprintf(ip, sizeof(ip), "10.1.0.%d", i);
		ck_assert_int_eq(cni_store_open(disk, "n", false, &store, NULL), 0);
		ck_assert_int_eq(release(&store, ip, "a", "eth0", NULL), 0);
		ck_assert_int_eq(see_of(&store, "a", "eth0").n, 3 - _i - i);
		cni_store_close(&store);
	}
	end_small_disk();
}
END_TEST

START_TEST(the_last_room_on_a_disk_is_for_the_last_address)
{
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;
	struct cni_ip ip = ip_of("10.1.0.2"), got;
	struct cni_error err = { 0 };
	char disk[64];

	if (!small_disk())
		return;
	snprintf(disk, sizeof(disk), "%s/disk", base);
	ck_assert_int_eq(cni_store_open(disk, "n", true, &store, &err), 0);
	ck_assert(cni_index_usable(&store.index));
	ck_assert_int_eq(reserve(&store, "10.1.0.2", "a", "eth0"), 0);
	ck_assert_msg(cni_store_set_last(&store, 0, &ip, &err) == 0, "%s", err.msg);
	cni_store_last(&store, 0, &got);
	ck_assert_int_eq(cni_ip_cmp(&got, &ip), 0);
	cni_store_close(&store);
	end_small_disk();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("index_absent");
	TCase *tc = tcase_create("index_absent");

	suite_add_tcase(suite, tc);
	tcase_add_checked_fixture(tc, alone_setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, a_directory_in_its_place_is_worked_without, 0, 2);
	tcase_add_loop_test(tc, a_symbolic_link_in_its_place_is_not_followed, 0, 3);
	tcase_add_loop_test(tc, without_room_for_the_index_the_store_works, 0, 4);
	tcase_add_loop_test(tc, the_last_room_on_a_disk_is_for_leases, 0, 5);
	tcase_add_test(tc, the_last_room_on_a_disk_is_for_the_last_address);
	return run_suite(suite);
}
