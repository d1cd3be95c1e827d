/*
 * When the index beside the leases is believed: as long as nobody else has touched the directory, and only
 * if it is ours, whole, of this boot and of this directory. And that one that lies does no harm.
 */
#include "boot.h"
#include "store_dir.h"

#include <time.h>

/* ---- an index with three leases for each test ---- */

static int dir = -1;
static struct cni_index ix = { .fd = -1 };

static void stale_setup(void)
{
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;

	setup();
	open_store(&store);
	ck_assert_int_eq(reserve(&store, "10.1.0.2", "ctr1", "eth0"), 0);
	ck_assert_int_eq(reserve(&store, "10.1.0.3", "ctr2", "eth0"), 0);
	ck_assert_int_eq(reserve(&store, "10.1.0.4", "ctr3", "eth0"), 0);
	dir = open(in_net("."), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(dir, 0);
}

static void stale_teardown(void)
{
	cni_index_close(&ix);
	close(dir);
	teardown();
}

static bool believed(void)
{
	bool r = cni_index_open(&ix, dir);

	ck_assert_int_eq(r, cni_index_usable(&ix));
	cni_index_close(&ix);
	return r;
}

/* The directory's time as it was: what was done to the file inside must be noticed by itself. */
static void with_same_time(void (*fn)(void))
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };
	struct stat st;

	ck_assert_int_eq(fstat(dir, &st), 0);
	fn();
	times[1] = st.st_mtim;
	ck_assert_int_eq(futimens(dir, times), 0);
}

static int open_file(void)
{
	int fd = openat(dir, CNI_INDEX_FILE, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	ck_assert_int_ge(fd, 0);
	return fd;
}

/* ---- in step ---- */

static void use_store(int what)
{
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;
	struct cni_ip ip = ip_of("10.1.0.9");

	open_store(&store);
	switch (what) {
	case 0:
		ck_assert_int_eq(see_of(&store, "ctr1", "eth0").n, 1);
		ck_assert_int_eq(see_all(&store).n, 3);
		break;
	case 1:
		ck_assert_int_eq(reserve(&store, "10.1.0.9", "ctr9", "eth0"), 0);
		ck_assert_int_eq(cni_store_set_last(&store, 0, &ip, NULL), 0);
		break;
	case 2:
		ck_assert_int_eq(see_of(&store, "ctr9", "eth0").n, 1);
		ck_assert_int_eq(reserve(&store, "10.1.0.9", "ctr8", "eth0"), -EEXIST);
		break;
	case 3:
		ck_assert_int_eq(release(&store, "10.1.0.9", "ctr9", "eth0", NULL), 0);
		break;
	default:
		ck_assert_int_eq(see_of(&store, "ctr9", "eth0").n, 0);
		ck_assert_int_eq(cni_store_set_last(&store, 0, &ip, NULL), 0);
	}
}

START_TEST(it_stays_in_step_as_long_as_only_we_change_the_leases)
{
	for (int i = 0; i < 10; i++) {
		ck_assert_msg(believed(), "before step %d", i);
		use_store(i % 5);
	}
	ck_assert(believed());
}
END_TEST

/* Whoever makes a change bears the present time, and ours lies behind it. */
START_TEST(its_time_lies_in_the_past)
{
	struct timespec now;
	struct stat st;

	ck_assert_int_eq(clock_gettime(CLOCK_REALTIME, &now), 0);
	ck_assert_int_eq(fstat(dir, &st), 0);
	ck_assert_int_lt(st.st_mtim.tv_sec, now.tv_sec);
}
END_TEST

/* ---- somebody else ---- */

static void make_lease(void)
{
	put("10.1.0.5", "ctr5\r\neth0");
}

static void make_file(void)
{
	put("any", "");
}

static void make_dir(void)
{
	ck_assert_int_eq(mkdirat(dir, "any", 0700), 0);
}

static void make_link(void)
{
	ck_assert_int_eq(symlinkat("10.1.0.2", dir, "10.1.0.5"), 0);
}

static void make_second_name(void)
{
	ck_assert_int_eq(linkat(dir, "10.1.0.2", dir, "10.1.0.5", 0), 0);
}

static void remove_lease(void)
{
	ck_assert_int_eq(unlinkat(dir, "10.1.0.2", 0), 0);
}

static void rename_lease(void)
{
	ck_assert_int_eq(renameat(dir, "10.1.0.2", dir, "10.1.0.5"), 0);
}

static void rename_over(void)
{
	ck_assert_int_eq(renameat(dir, "10.1.0.2", dir, "10.1.0.3"), 0);
}

static void move_out(void)
{
	ck_assert_int_eq(renameat(dir, "10.1.0.2", dir, "../10.1.0.2"), 0);
}

static void touch_dir(void)
{
	ck_assert_int_eq(futimens(dir, NULL), 0);
}

static void (*const disturbances[])(void) = {
	make_lease,   make_file,    make_dir,	 make_link, make_second_name,
	remove_lease, rename_lease, rename_over, move_out,  touch_dir,
};

START_TEST(it_is_stale_once_somebody_else_changed_the_directory)
{
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;

	ck_assert(believed());
	disturbances[_i]();
	ck_assert(!believed());
	open_store(&store);
	ck_assert(cni_index_usable(&store.index));
	cni_store_close(&store);
	ck_assert(believed());
}
END_TEST

START_TEST(what_somebody_else_did_is_seen)
{
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;

	make_lease();
	open_store(&store);
	ck_assert_int_eq(see_of(&store, "ctr5", "eth0").n, 1);
	ck_assert_str_eq(next_free(&store, "10.1.0.2", "10.1.0.9"), "10.1.0.6");
	cni_store_close(&store);
	remove_lease();
	open_store(&store);
	ck_assert_int_eq(see_of(&store, "ctr1", "eth0").n, 0);
	ck_assert_str_eq(next_free(&store, "10.1.0.2", "10.1.0.9"), "10.1.0.2");
	cni_store_close(&store);
	ck_assert_int_eq(renameat(dir, "10.1.0.5", dir, "10.1.0.3"), 0);
	open_store(&store);
	ck_assert_int_eq(see_of(&store, "ctr5", "eth0").n, 1);
	ck_assert_int_eq(see_of(&store, "ctr2", "eth0").n, 0);
}
END_TEST

/* ---- killed ---- */

START_TEST(it_is_stale_after_we_were_killed)
{
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;

	open_store(&store);
	if (_i == 0)
		ck_assert_int_eq(reserve(&store, "10.1.0.5", "ctr5", "eth0"), 0);
	else
		ck_assert_int_eq(release(&store, "10.1.0.2", "ctr1", "eth0", NULL), 0);
	kill_store(&store);
	ck_assert(!believed());
	open_store(&store);
	ck_assert_int_eq(see_of(&store, "ctr5", "eth0").n, _i == 0);
	ck_assert_int_eq(see_of(&store, "ctr1", "eth0").n, _i == 0);
	ck_assert_str_eq(next_free(&store, "10.1.0.2", "10.1.0.9"), _i ? "10.1.0.2" : "10.1.0.6");
}
END_TEST

/* The new time is in the header, the directory does not have it yet. */
START_TEST(it_is_stale_if_killed_between_the_header_and_the_stamp)
{
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };
	struct stat st;

	open_store(&store);
	ck_assert_int_eq(reserve(&store, "10.1.0.5", "ctr5", "eth0"), 0);
	ck_assert_int_eq(fstat(dir, &st), 0);
	times[1] = st.st_mtim;
	cni_store_close(&store);
	ck_assert(believed());
	ck_assert_int_eq(futimens(dir, times), 0);
	ck_assert(!believed());
}
END_TEST

START_TEST(it_is_stale_if_killed_while_it_was_made)
{
	ck_assert(!cni_index_open(&ix, open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
	ck_assert(cni_index_build(&ix, NULL, 0));
	close(ix.fd);
	ix.fd = -1;
	ck_assert(!cni_index_open(&ix, ix.dir));
	close(ix.dir);
}
END_TEST

/* ---- the file itself ---- */

static void write_at(off_t at, const void *data, size_t len)
{
	cni_auto(fd) int fd = open_file();

	ck_assert_int_eq(pwrite(fd, data, len, at), (ssize_t)len);
}

static void resize(off_t by)
{
	cni_auto(fd) int fd = open_file();
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_eq(ftruncate(fd, by == 0 ? 0 : st.st_size + by), 0);
}

static void empty_it(void)
{
	resize(0);
}

static void cut_a_byte(void)
{
	resize(-1);
}

static void cut_a_page(void)
{
	resize(-CNI_INDEX_PAGE);
}

static void add_a_page(void)
{
	resize(CNI_INDEX_PAGE);
}

static void cut_the_header(void)
{
	cni_auto(fd) int fd = open_file();

	ck_assert_int_eq(ftruncate(fd, sizeof(struct cni_index_header) - 1), 0);
}

static void fill_with_garbage(void)
{
	uint8_t garbage[CNI_INDEX_PAGE];

	memset(garbage, 0xa5, sizeof(garbage));
	write_at(0, garbage, sizeof(garbage));
}

static void other_magic(void)
{
	write_at(offsetof(struct cni_index_header, magic) + 7, "0", 1);
}

static void other_boot(void)
{
	write_at(offsetof(struct cni_index_header, boot_id), "01234567-89ab-cdef-0123-456789abcdef",
		 CNI_BOOT_ID_LEN);
}

static void other_inode(void)
{
	uint64_t ino = 1;

	write_at(offsetof(struct cni_index_header, dir_ino), &ino, sizeof(ino));
}

static void other_second(void)
{
	int64_t sec = 1;

	write_at(offsetof(struct cni_index_header, stamp_sec), &sec, sizeof(sec));
}

static void other_nanosecond(void)
{
	uint32_t nsec = 1;

	write_at(offsetof(struct cni_index_header, stamp_nsec), &nsec, sizeof(nsec));
}

/* Sizes that fit the file, but one is no power of two. */
static void set_sizes(uint32_t owner_pages, uint32_t chunk_pages)
{
	uint32_t pages[2] = { owner_pages, chunk_pages };

	resize(2 * CNI_INDEX_PAGE);
	write_at(offsetof(struct cni_index_header, owner_pages), pages, sizeof(pages));
}

static void odd_owner_pages(void)
{
	set_sizes(3, 1);
}

static void odd_chunk_pages(void)
{
	set_sizes(1, 3);
}

static void no_owner_pages(void)
{
	set_sizes(0, 4);
}

static void remove_it(void)
{
	ck_assert_int_eq(unlinkat(dir, CNI_INDEX_FILE, 0), 0);
}

static void fifo_instead(void)
{
	remove_it();
	ck_assert_int_eq(mkfifoat(dir, CNI_INDEX_FILE, 0600), 0);
}

static void (*const damages[])(void) = {
	empty_it,	 cut_a_byte,	    add_a_page,	      cut_a_page,
	cut_the_header,	 fill_with_garbage, other_magic,      other_boot,
	other_inode,	 other_second,	    other_nanosecond, odd_owner_pages,
	odd_chunk_pages, no_owner_pages,    remove_it,	      fifo_instead,
};

START_TEST(it_is_not_believed_if_anything_about_it_is_wrong)
{
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;

	ck_assert(believed());
	with_same_time(damages[_i]);
	ck_assert(!believed());
	open_store(&store); /* may have to remove what is there */
	ck_assert_int_eq(see_of(&store, "ctr3", "eth0").n, 1);
	cni_store_close(&store);
	open_store(&store);
	ck_assert(cni_index_usable(&store.index));
	ck_assert_int_eq(see_of(&store, "ctr3", "eth0").n, 1);
	ck_assert_str_eq(next_free(&store, "10.1.0.2", "10.1.0.9"), "10.1.0.5");
	cni_store_close(&store);
	ck_assert(believed());
}
END_TEST

/* Both with the time of the original, as cp -a makes them. */
START_TEST(a_copy_of_the_directory_is_not_believed)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };
	static uint8_t image[1 << 20];
	cni_auto(fd) int from = open_file(), to = -1, copy = -1;
	struct stat st;
	ssize_t n = read(from, image, sizeof(image));

	ck_assert_int_gt(n, 0);
	ck_assert_int_eq(mkdirat(dir, "../copy", 0700), 0);
	copy = openat(dir, "../copy", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	to = openat(copy, CNI_INDEX_FILE, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_eq(write(to, image, (size_t)n), n);
	ck_assert_int_eq(fstat(dir, &st), 0);
	times[1] = st.st_mtim;
	ck_assert_int_eq(futimens(copy, times), 0);
	ck_assert(!cni_index_open(&ix, copy));
	ck_assert(believed());
}
END_TEST

/* ---- giving up ---- */

START_TEST(what_was_given_up_is_not_believed_again)
{
	struct cni_ip ip = ip_of("10.1.0.5"), got;

	ck_assert(cni_index_open(&ix, dir));
	if (_i == 1)
		cni_index_add(&ix, 1, &ip);
	cni_index_give_up(&ix);
	ck_assert(!cni_index_usable(&ix));
	ck_assert_int_eq(cni_index_find(&ix, 1, &got, 1), -1);
	got = cni_index_next_free(&ix, &ip, &ip);
	ck_assert_int_eq(cni_ip_cmp(&got, &ip), 0);
	cni_index_add(&ix, 1, &ip);
	cni_index_remove(&ix, 1, &ip);
	cni_index_give_up(&ix);
	cni_index_close(&ix);
	ck_assert(!believed());
}
END_TEST

/* ---- lies ---- */

/* Written into the lease itself: the directory does not show that. */
START_TEST(the_file_has_the_last_word_about_whose_it_is)
{
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;
	cni_auto(fd) int fd = openat(dir, "10.1.0.2", O_WRONLY | O_CLOEXEC);

	ck_assert_int_eq(write(fd, "ctrX", 4), 4);
	ck_assert(believed());
	open_store(&store);
	ck_assert_int_eq(see_of(&store, "ctr1", "eth0").n, 0);
	ck_assert_int_eq(see_of(&store, "ctr2", "eth0").n, 1);
	ck_assert(!is_free(&store, "10.1.0.2"));
}
END_TEST

/* In step, and yet nothing in it is true: no answer may make an address be given out twice. */
START_TEST(a_lying_index_does_no_harm)
{
	uint8_t lies[CNI_INDEX_PAGE];

	for (unsigned int round = 0; round < 60; round++) {
		cni_auto(store) struct cni_store store = CNI_STORE_INIT;
		struct stat st;
		cni_auto(fd) int fd = -1;

		open_store(&store);
		cni_store_close(&store);
		fd = open_file();
		ck_assert_int_eq(fstat(fd, &st), 0);
		for (off_t at = CNI_INDEX_PAGE; at < st.st_size; at += CNI_INDEX_PAGE) {
			for (size_t i = 0; i < sizeof(lies); i++)
				lies[i] = (uint8_t)(round % 3 == 0 ? rand()
								   : (round % 3 == 1 ? 1 : 0));
			ck_assert_int_eq(pwrite(fd, lies, sizeof(lies), at), sizeof(lies));
		}
		if (round % 4 == 3) { /* the counters */
			memset(lies, round % 8 == 3 ? 0xff : 0, 8);
			write_at(offsetof(struct cni_index_header, owners), lies, 8);
		}
		open_store(&store);
		ck_assert(cni_index_usable(&store.index));
		(void)see_of(&store, "ctr1", "eth0");
		(void)next_free(&store, "0.0.0.0", "255.255.255.255");
		(void)next_free(&store, "::", "ffff::");
		ck_assert_int_eq(reserve(&store, "10.1.0.2", "new", "eth0"), -EEXIST);
		ck_assert_int_eq(reserve(&store, "10.1.0.5", "new", "eth0"), 0);
		ck_assert_int_eq(release(&store, "10.1.0.5", "new", "eth0", NULL), 0);
		ck_assert_int_eq(see_all(&store).n, 3);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("index_stale");
	TCase *tc = tcase_create("index_stale");

	suite_add_tcase(suite, tc);
	tcase_add_checked_fixture(tc, stale_setup, stale_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, it_stays_in_step_as_long_as_only_we_change_the_leases);
	tcase_add_test(tc, its_time_lies_in_the_past);
	tcase_add_loop_test(tc, it_is_stale_once_somebody_else_changed_the_directory, 0,
			    CNI_ARRAY_SIZE(disturbances));
	tcase_add_test(tc, what_somebody_else_did_is_seen);
	tcase_add_loop_test(tc, it_is_stale_after_we_were_killed, 0, 2);
	tcase_add_test(tc, it_is_stale_if_killed_between_the_header_and_the_stamp);
	tcase_add_test(tc, it_is_stale_if_killed_while_it_was_made);
	tcase_add_loop_test(tc, it_is_not_believed_if_anything_about_it_is_wrong, 0,
			    CNI_ARRAY_SIZE(damages));
	tcase_add_test(tc, a_copy_of_the_directory_is_not_believed);
	tcase_add_loop_test(tc, what_was_given_up_is_not_believed_again, 0, 2);
	tcase_add_test(tc, the_file_has_the_last_word_about_whose_it_is);
	tcase_add_test(tc, a_lying_index_does_no_harm);
	return run_suite(suite);
}
