/* Files that outlive their process. */
#include "outlive.h"
#include "suite.h"

#include <check.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* @return whether the other end of a pipe is closed within `ms` */
static bool is_closed(int fd, int ms)
{
	struct pollfd p = { .fd = fd };

	return poll(&p, 1, ms) == 1 && p.revents & POLLHUP;
}

START_TEST(a_file_is_open_until_the_process_ends_and_then_closed)
{
	int file[2], end[2], said[2], status;
	pid_t pid;
	char c;

	ck_assert_int_eq(pipe(file), 0);
	ck_assert_int_eq(pipe(end), 0);
	ck_assert_int_eq(pipe(said), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		close(end[1]);
		if (!cni_outlive(file[1]))
			_exit(77);
		close(file[1]);
		if (write(said[1], "", 1) != 1)
			_exit(2);
		_exit(read(end[0], &c, 1) == 0 ? 0 : 1);
	}
	close(file[1]);
	close(end[0]);
	close(said[1]);
	ck_assert_int_eq(read(said[0], &c, 1), 1); /* nobody has a descriptor of it any more */
	close(said[0]);
	ck_assert(!is_closed(file[0], 0));
	close(end[1]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert(is_closed(file[0], 60000));
	close(file[0]);
}
END_TEST

/* @return the number that the next descriptor will have */
static int next_fd(void)
{
	int fd = open("/dev/null", O_RDONLY);

	ck_assert_int_ge(fd, 0);
	close(fd);
	return fd;
}

START_TEST(what_is_no_file_outlives_nothing)
{
	int before = next_fd();

	ck_assert(!cni_outlive(before + 1000));
	ck_assert_int_eq(next_fd(), before); /* the ring was closed */
}
END_TEST

START_TEST(where_it_is_deadly_it_is_not_tried)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { sizeof(filter) / sizeof(filter[0]), filter };
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
		    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog))
			_exit(2);
		_exit(cni_outlive(0));
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("outlive");
	TCase *tc = tcase_create("outlive");

	/* The product does without, too; so must whoever runs this. */
	if (!cni_outlive(0)) {
		fprintf(stderr, "no io_uring here: not tested\n");
		return 77;
	}
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, a_file_is_open_until_the_process_ends_and_then_closed);
	tcase_add_test(tc, what_is_no_file_outlives_nothing);
	tcase_add_test(tc, where_it_is_deadly_it_is_not_tried);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
