/* Turns of those who try again: one at a time, in one network namespace. */
#include "turn.h"
#include "suite.h"

#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

/* A process that waits for its turn, says so, and keeps it until it is told to end. */
struct waiter {
	pid_t pid;
	int said, told;
};

static struct waiter waiter_start(void)
{
	struct waiter w;
	int said[2], told[2];
	char c = 0;

	ck_assert_int_eq(pipe(said), 0);
	ck_assert_int_eq(pipe(told), 0);
	w.pid = fork();
	ck_assert_int_ge(w.pid, 0);
	if (w.pid == 0) {
		struct cni_turn t = { 0 };
		ssize_t n;

		close(told[1]);
		if (!cni_turn_again(&t))
			_exit(1);
		n = write(said[1], &c, 1);
		n += read(told[0], &c, 1);
		cni_turn_done(&t);
		_exit(n == 2 ? 0 : 2);
	}
	close(said[1]);
	close(told[0]);
	w.said = said[0];
	w.told = told[1];
	return w;
}

static bool has_turn(const struct waiter *w, int ms)
{
	struct pollfd p = { .fd = w->said, .events = POLLIN };

	return poll(&p, 1, ms) == 1;
}

static void waiter_end(const struct waiter *w)
{
	int status;

	ck_assert_int_eq(write(w->told, "", 1), 1);
	ck_assert_int_eq(waitpid(w->pid, &status, 0), w->pid);
	ck_assert_int_eq(status, 0);
	close(w->told);
	close(w->said);
}

START_TEST(the_next_one_waits_until_the_turn_is_given_back)
{
	struct waiter first = waiter_start(), second;

	ck_assert(has_turn(&first, 60000));
	second = waiter_start();
	ck_assert(!has_turn(&second, 100));
	waiter_end(&first);
	ck_assert(has_turn(&second, 60000));
	waiter_end(&second);
}
END_TEST

START_TEST(who_dies_gives_its_turn_back)
{
	struct waiter first = waiter_start(), second;
	int status;

	ck_assert(has_turn(&first, 60000));
	second = waiter_start();
	kill(first.pid, SIGKILL);
	ck_assert_int_eq(waitpid(first.pid, &status, 0), first.pid);
	ck_assert(has_turn(&second, 60000));
	waiter_end(&second);
}
END_TEST

START_TEST(a_stranger_who_never_lets_go_stops_nobody)
{
	int fd = open("/proc/self/ns/net", O_RDONLY);
	struct cni_turn t = { 0 };

	ck_assert_int_eq(flock(fd, LOCK_EX), 0);
	ck_assert(cni_turn_again(&t));
	ck_assert(cni_turn_again(&t)); /* at once: it is waited for once */
	cni_turn_done(&t);
	close(fd);
}
END_TEST

START_TEST(patience_has_an_end)
{
	struct cni_turn t = { 0 };

	ck_assert(cni_turn_patient(&t));
	t.end.tv_sec -= CNI_TURN_PATIENCE + 1;
	ck_assert(!cni_turn_patient(&t));
	ck_assert(!cni_turn_again(&t));
	cni_turn_done(&t);
	ck_assert(cni_turn_patient(&t)); /* another time begins anew */
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("turn");
	TCase *tc = tcase_create("turn");

	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, the_next_one_waits_until_the_turn_is_given_back);
	tcase_add_test(tc, who_dies_gives_its_turn_back);
	tcase_add_test(tc, a_stranger_who_never_lets_go_stops_nobody);
	tcase_add_test(tc, patience_has_an_end);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
