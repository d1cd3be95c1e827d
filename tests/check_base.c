/*
 * The base layer: errors, buffers, undo, ownership.
 */
#include "buf.h"
#include "error.h"
#include "undo.h"
#include "suite.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* ---- errors ---- */

START_TEST(the_first_cause_wins)
{
	struct cni_error err = { 0 };

	ck_assert_int_eq(cni_fail(&err, CNI_E_IO, ENOENT, "open %s", "x"), -ENOENT);
	ck_assert_int_eq(cni_fail(&err, CNI_E_INTERNAL, EPERM, "second"), -EPERM);
	ck_assert_int_eq(cni_invalid(&err, "third"), -EINVAL);
	ck_assert(err.set);
	ck_assert_uint_eq(err.code, CNI_E_IO);
	ck_assert_str_eq(err.msg, "open x: no such file or directory");
	ck_assert_str_eq(err.details, "");
	/* What is said now is said of the third one. */
	cni_error_detail(&err, "mends the third");
	ck_assert_str_eq(err.details, "");
}
END_TEST

START_TEST(a_failure_is_never_zero)
{
	struct cni_error err = { 0 };

	ck_assert_int_eq(cni_fail(&err, CNI_E_INTERNAL, 0, "odd"), -EIO);
	ck_assert_str_eq(err.msg, "odd");
	/* A delegate may report code 0: that is an error all the same. */
	err = (struct cni_error){ 0 };
	ck_assert_int_lt(cni_fail(&err, CNI_E_NONE, 0, "first"), 0);
	ck_assert_int_lt(cni_fail(&err, CNI_E_INTERNAL, 0, "second"), 0);
	ck_assert_uint_eq(err.code, 0);
	ck_assert_str_eq(err.msg, "first");
}
END_TEST

START_TEST(nobody_need_listen)
{
	ck_assert_int_eq(cni_fail(NULL, CNI_E_IO, EBUSY, "x"), -EBUSY);
	ck_assert_int_eq(cni_invalid(NULL, "x"), -EINVAL);
	cni_error_detail(NULL, "x");
	cni_error_prefix(NULL, "x");
}
END_TEST

START_TEST(a_long_message_is_cut)
{
	struct cni_error err = { 0 };
	char text[sizeof(err.msg) + 100];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	cni_fail(&err, CNI_E_IO, ENOENT, "%s", text);
	ck_assert_uint_eq(strlen(err.msg), sizeof(err.msg) - 1);
	cni_error_prefix(&err, "before");
	ck_assert_uint_eq(strlen(err.msg), sizeof(err.msg) - 1);
	ck_assert_int_eq(strncmp(err.msg, "before: xxx", 11), 0);
	cni_error_prefix(&err, "%s", text);
	ck_assert_uint_eq(strlen(err.msg), sizeof(err.msg) - 1);
	cni_error_detail(&err, "%s", text);
	cni_error_detail(&err, "%s", text);
	ck_assert_uint_eq(strlen(err.details), sizeof(err.details) - 1);
	/* A reason that just does not fit any more. */
	err = (struct cni_error){ 0 };
	text[sizeof(err.msg) - 5] = '\0';
	cni_fail(&err, CNI_E_IO, ENOENT, "%s", text);
	ck_assert_uint_eq(strlen(err.msg), sizeof(err.msg) - 1);
	ck_assert_str_eq(err.msg + sizeof(err.msg) - 5, ": no");
}
END_TEST

START_TEST(a_prefix_goes_in_front)
{
	struct cni_error err = { 0 };

	cni_error_prefix(&err, "nothing yet");
	ck_assert(!err.set);
	ck_assert_str_eq(err.msg, "");
	cni_invalid(&err, "%s", "inner");
	cni_error_prefix(&err, "range set %d", 3);
	cni_error_prefix(&err, "outer");
	ck_assert_str_eq(err.msg, "outer: range set 3: inner");
	ck_assert_uint_eq(err.code, CNI_E_CONFIG);
}
END_TEST

START_TEST(details_are_joined)
{
	struct cni_error err = { 0 };

	cni_invalid(&err, "x");
	cni_error_detail(&err, "%s", "");
	ck_assert_str_eq(err.details, "");
	cni_error_detail(&err, "one %d", 1);
	cni_error_detail(&err, "%s", "");
	cni_error_detail(&err, "two");
	ck_assert_str_eq(err.details, "one 1; two");
}
END_TEST

START_TEST(reasons_are_worded_as_go_does)
{
	ck_assert_str_eq(cni_strerror(ENOENT), "no such file or directory");
	ck_assert_str_eq(cni_strerror(EEXIST), "file exists");
	ck_assert_str_eq(cni_strerror(EPERM), "operation not permitted");
	ck_assert_str_eq(cni_strerror(99999), "errno 99999");
}
END_TEST

/* ---- buffers ---- */

START_TEST(a_buffer_grows_and_stays_terminated)
{
	cni_auto(buf) struct cni_buf b = { 0 };
	char big[5000];

	ck_assert_ptr_null(b.data);
	cni_buf_add(&b, "", 0);
	ck_assert_str_eq(b.data, "");
	memset(big, 'x', sizeof(big));
	for (size_t n = 0; n < 600; n++) {
		cni_buf_add(&b, big, 1);
		ck_assert_uint_eq(b.len, n + 1);
		ck_assert_int_eq(b.data[b.len], '\0');
	}
	cni_buf_add(&b, big, sizeof(big));
	ck_assert_uint_eq(b.len, 5600);
	ck_assert_uint_eq(strlen(b.data), 5600);
	cni_buf_printf(&b, "%s-%d", "end", 7);
	ck_assert_str_eq(b.data + 5600, "end-7");
	ck_assert_uint_eq(b.len, 5605);
	cni_buf_add(&b, "a\0b", 3);
	ck_assert_uint_eq(b.len, 5608);
	ck_assert_mem_eq(b.data + 5605, "a\0b", 4);
	cni_buf_done(&b);
	ck_assert_ptr_null(b.data);
	ck_assert_uint_eq(b.len, 0);
}
END_TEST

START_TEST(a_print_may_fill_a_buffer_exactly)
{
	for (int n = 250; n < 260; n++) {
		cni_auto(buf) struct cni_buf b = { 0 };

		cni_buf_printf(&b, "%*s", n, "x");
		ck_assert_uint_eq(b.len, (size_t)n);
		ck_assert_uint_eq(strlen(b.data), (size_t)n);
	}
}
END_TEST

/* A descriptor of a file with so many bytes. */
static int file_of(size_t n)
{
	FILE *file = tmpfile();
	int fd;

	ck_assert_ptr_nonnull(file);
	for (size_t i = 0; i < n; i++)
		fputc('a' + (int)(i % 26), file);
	ck_assert_int_eq(fflush(file), 0);
	fd = dup(fileno(file));
	ck_assert_int_ge(fd, 0);
	fclose(file);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

START_TEST(a_file_is_read_whole_up_to_a_limit)
{
	static const struct {
		size_t size, max;
		int want;
	} cases[] = {
		{ 0, 0, 0 },	    { 0, 10, 0 },	   { 10, 10, 0 },
		{ 11, 10, -EFBIG }, { 100000, 100000, 0 }, { 100000, 99999, -EFBIG },
		{ 4096, 4096, 0 },  { 4095, 4096, 0 },	   { 8192, 8191, -EFBIG },
	};

	for (size_t i = 0; i < CNI_ARRAY_SIZE(cases); i++) {
		cni_auto(fd) int fd = file_of(cases[i].size);
		cni_auto(buf) struct cni_buf b = { 0 };

		ck_assert_int_eq(cni_buf_read_fd(&b, fd, cases[i].max), cases[i].want);
		if (cases[i].want < 0)
			continue;
		ck_assert_uint_eq(b.len, cases[i].size);
		for (size_t k = 0; k < b.len; k++)
			ck_assert_int_eq(b.data[k], 'a' + (int)(k % 26));
	}
}
END_TEST

START_TEST(a_failing_read_is_reported)
{
	cni_auto(buf) struct cni_buf b = { 0 };
	cni_auto(fd) int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	ck_assert_int_eq(cni_buf_read_fd(&b, fd, 10), -EISDIR);
}
END_TEST

/* ---- undo ---- */

static char trace[32];

static void note_step(void *ctx)
{
	strcat(trace, ctx);
}

static int work(int steps, bool succeed)
{
	static char names[] = "a\0b\0c\0d\0e\0f\0g\0h\0i\0j\0k\0l\0m\0n\0o\0p";
	cni_auto(undo) struct cni_undo undo = { 0 };

	trace[0] = '\0';
	for (int i = 0; i < steps; i++)
		cni_undo_push(&undo, note_step, names + 2 * (size_t)i);
	if (!succeed)
		return -EIO;
	cni_undo_disarm(&undo);
	return 0;
}

START_TEST(steps_are_undone_newest_first)
{
	ck_assert_int_lt(work(3, false), 0);
	ck_assert_str_eq(trace, "cba");
	ck_assert_int_lt(work(CNI_UNDO_STEPS, false), 0);
	ck_assert_str_eq(trace, "ponmlkjihgfedcba");
	ck_assert_int_lt(work(0, false), 0);
	ck_assert_str_eq(trace, "");
}
END_TEST

START_TEST(success_undoes_nothing)
{
	ck_assert_int_eq(work(3, true), 0);
	ck_assert_str_eq(trace, "");
}
END_TEST

/* A step may find that others are pending; it must not be run twice for it. */
static void run_again(void *ctx)
{
	struct cni_undo *undo = ctx;

	strcat(trace, "x");
	cni_auto_undo(undo);
}

START_TEST(a_step_runs_once)
{
	struct cni_undo undo = { 0 };

	trace[0] = '\0';
	cni_undo_push(&undo, note_step, (char[]){ "a" });
	cni_undo_push(&undo, run_again, &undo);
	cni_auto_undo(&undo);
	ck_assert_str_eq(trace, "xa");
	cni_auto_undo(&undo);
	ck_assert_str_eq(trace, "xa");
}
END_TEST

/* ---- ownership ---- */

START_TEST(taking_leaves_the_owner_empty)
{
	cni_auto(free) char *owner = strdup("x"), *next = NULL;
	char *before = owner;

	next = CNI_TAKE(owner);
	ck_assert_ptr_null(owner);
	ck_assert_ptr_eq(next, before);
}
END_TEST

START_TEST(a_descriptor_is_closed_with_its_scope)
{
	int number;
	{
		cni_auto(fd) int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), none = -1;

		ck_assert_int_ge(fd, 0);
		ck_assert_int_eq(none, -1);
		number = fd;
	}
	ck_assert_int_eq(fcntl(number, F_GETFD), -1);
	ck_assert_int_eq(errno, EBADF);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("base");
	TCase *tc = tcase_create("base");

	suite_add_tcase(suite, tc);
	tcase_add_test(tc, the_first_cause_wins);
	tcase_add_test(tc, a_failure_is_never_zero);
	tcase_add_test(tc, nobody_need_listen);
	tcase_add_test(tc, a_long_message_is_cut);
	tcase_add_test(tc, a_prefix_goes_in_front);
	tcase_add_test(tc, details_are_joined);
	tcase_add_test(tc, reasons_are_worded_as_go_does);
	tcase_add_test(tc, a_buffer_grows_and_stays_terminated);
	tcase_add_test(tc, a_print_may_fill_a_buffer_exactly);
	tcase_add_test(tc, a_file_is_read_whole_up_to_a_limit);
	tcase_add_test(tc, a_failing_read_is_reported);
	tcase_add_test(tc, steps_are_undone_newest_first);
	tcase_add_test(tc, success_undoes_nothing);
	tcase_add_test(tc, a_step_runs_once);
	tcase_add_test(tc, taking_leaves_the_owner_empty);
	tcase_add_test(tc, a_descriptor_is_closed_with_its_scope);
	return run_suite(suite);
}
