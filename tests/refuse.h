/*
 * The kernel's refusal, as often and wherever a test wants it: a wrapper for call() under which the N-th
 * netlink request of a program never reaches the kernel, and is answered by an error message as the
 * kernel would have written it. Nothing in the program is changed for it.
 *
 * The program runs under a seccomp filter that asks the wrapper before each sendmsg, sendto, recvmsg and
 * recvfrom (seccomp_unotify(2)); the wrapper lets it go on, or does the call in its place.
 */
#ifndef TESTS_REFUSE_H
#define TESTS_REFUSE_H

#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/** First argument of a test program that is to be the wrapper. */
#define REFUSE_MODE "--refuse"
/** What the wrapper writes: how many requests there were, and which one it refused. */
#define REFUSE_REPORT "/run/refused"

/* A program that does nothing for so long hangs. */
#define REFUSE_PATIENCE_MS 30000

/** How a request fails. */
enum refusal {
	REFUSE_ANSWER, /**< it is refused: the answer is an error */
	REFUSE_SEND, /**< it cannot be sent */
	LOSE_ANSWER, /**< it is carried out, and the answer is lost for lack of memory */
};

/* ---- in the wrapper ---- */

struct refuser {
	int at, error;
	enum refusal how;
	int seen; /* requests so far */
	/* The request whose answer is due. */
	pid_t pid;
	int fd;
	struct nlmsghdr request;
	bool due;
};

static inline ssize_t refuse_read(pid_t pid, uint64_t from, void *to, size_t len)
{
	struct iovec here = { to, len }, there = { (void *)(uintptr_t)from, len };

	return process_vm_readv(pid, &here, 1, &there, 1, 0);
}

static inline void refuse_write(pid_t pid, uint64_t to, const void *from, size_t len)
{
	struct iovec here = { (void *)(uintptr_t)from, len },
		     there = { (void *)(uintptr_t)to, len };

	if (len > 0 && process_vm_writev(pid, &here, 1, &there, 1, 0) != (ssize_t)len)
		abort();
}

/* The first request of a message; of a batch of nf_tables, the one behind its beginning. */
static inline size_t refuse_parse(const char *bytes, size_t len, struct nlmsghdr *ret)
{
	memcpy(ret, bytes, sizeof(*ret));
	if (ret->nlmsg_type == NLMSG_MIN_TYPE && len > ret->nlmsg_len)
		memcpy(ret, bytes + NLMSG_ALIGN(ret->nlmsg_len), sizeof(*ret));
	return len;
}

/* @return bytes of a netlink request that is about to be sent; 0 if it is something else */
static inline size_t refuse_request(const struct seccomp_notif *n, struct nlmsghdr *ret)
{
	pid_t pid = (pid_t)n->pid;
	char bytes[1024];
	struct msghdr msg;
	struct iovec iov;
	size_t len;

	if (n->data.nr == SYS_sendto) {
		iov.iov_base = (void *)(uintptr_t)n->data.args[1];
		iov.iov_len = n->data.args[2];
	} else if (n->data.nr != SYS_sendmsg ||
		   refuse_read(pid, n->data.args[1], &msg, sizeof(msg)) != sizeof(msg) ||
		   refuse_read(pid, (uintptr_t)msg.msg_iov, &iov, sizeof(iov)) != sizeof(iov)) {
		return 0;
	}
	len = iov.iov_len < sizeof(bytes) ? iov.iov_len : sizeof(bytes);
	if (len < sizeof(*ret) || refuse_read(pid, (uintptr_t)iov.iov_base, bytes, len) < 0)
		return 0;
	refuse_parse(bytes, len, ret);
	return iov.iov_len;
}

/* Put the answer where recvmsg(2) or recvfrom(2) would have put it. @return its bytes */
static inline int64_t refuse_answer(struct refuser *r, const struct seccomp_notif *n)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct {
		struct nlmsghdr head;
		struct nlmsgerr body;
	} answer = { .head = { .nlmsg_len = sizeof(answer),
			       .nlmsg_type = NLMSG_ERROR,
			       .nlmsg_seq = r->request.nlmsg_seq,
			       .nlmsg_pid = r->request.nlmsg_pid },
		     .body = { .error = -r->error, .msg = r->request } };
	pid_t pid = (pid_t)n->pid;
	struct msghdr msg;
	struct iovec iov = { (void *)(uintptr_t)n->data.args[1], n->data.args[2] };

	uint64_t flags = n->data.args[n->data.nr == SYS_recvmsg ? 2 : 3];

	r->due = flags & MSG_PEEK;
	if (n->data.nr == SYS_recvmsg) {
		if (refuse_read(pid, n->data.args[1], &msg, sizeof(msg)) != sizeof(msg) ||
		    refuse_read(pid, (uintptr_t)msg.msg_iov, &iov, sizeof(iov)) != sizeof(iov) ||
		    msg.msg_namelen < sizeof(kernel))
			abort();
		refuse_write(pid, (uintptr_t)msg.msg_name, &kernel, sizeof(kernel));
		msg.msg_namelen = sizeof(kernel);
		msg.msg_controllen = 0;
		msg.msg_flags = 0;
		refuse_write(pid, n->data.args[1], &msg, sizeof(msg));
	}
	refuse_write(pid, (uintptr_t)iov.iov_base, &answer,
		     iov.iov_len < sizeof(answer) ? iov.iov_len : sizeof(answer));
	return sizeof(answer);
}

static inline void refuse_report(const struct refuser *r, const char *what)
{
	FILE *f = fopen(REFUSE_REPORT, "w");

	if (!f)
		abort();
	fprintf(f, "%d %s\n", r->seen, what);
	fclose(f);
}

static inline void refuse_decide(struct refuser *r, const struct seccomp_notif *n,
				 struct seccomp_notif_resp *ret)
{
	struct nlmsghdr request;
	size_t len = refuse_request(n, &request);

	ret->id = n->id;
	ret->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	if (len > 0 && ++r->seen == r->at) {
		char what[64];

		snprintf(what, sizeof(what), "type %u flags %#x", request.nlmsg_type,
			 request.nlmsg_flags);
		refuse_report(r, what);
		r->pid = (pid_t)n->pid;
		r->fd = (int)n->data.args[0];
		r->request = request;
		r->due = r->how != REFUSE_SEND;
		if (r->how == LOSE_ANSWER)
			return;
		ret->flags = 0;
		if (r->how == REFUSE_SEND)
			ret->error = -r->error;
		else
			ret->val = (int64_t)len;
	} else if ((n->data.nr == SYS_recvmsg || n->data.nr == SYS_recvfrom) && r->due &&
		   (pid_t)n->pid == r->pid && (int)n->data.args[0] == r->fd) {
		ret->flags = 0;
		if (r->how == LOSE_ANSWER) {
			ret->error = -r->error;
			r->due = false;
		} else {
			ret->val = refuse_answer(r, n);
		}
	}
}

/*
 * In the program to be: install the filter, tell its descriptor, wait until the wrapper has it (it does not
 * outlive execve), and become the program.
 */
static inline void refuse_become(int tell, int go, char **argv)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sendmsg, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sendto, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_recvfrom, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_recvmsg, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { sizeof(filter) / sizeof(filter[0]), filter };
	int fd;

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
			  &prog);
	if (write(tell, &fd, sizeof(fd)) != sizeof(fd) || read(go, &fd, sizeof(fd)) < 0)
		_exit(126);
	execv(argv[0], argv);
	_exit(127);
}

/** The wrapper: at, error, enum refusal, program and its arguments. @return the program's status */
static inline int refuse_main(char **argv)
{
	struct refuser r = { .at = atoi(argv[0]), .error = atoi(argv[1]) };
	int tell[2], go[2], listener = -1, status;
	pid_t pid;

	r.how = (enum refusal)atoi(argv[2]);
	if (pipe2(tell, O_CLOEXEC) < 0 || pipe2(go, O_CLOEXEC) < 0)
		return 125;
	pid = fork();
	if (pid == 0)
		refuse_become(tell[1], go[0], argv + 3);
	if (pid < 0 || read(tell[0], &listener, sizeof(listener)) != sizeof(listener))
		return 125;
	listener = (int)syscall(SYS_pidfd_getfd, syscall(SYS_pidfd_open, pid, 0), listener, 0);
	if (listener < 0 || write(go[1], &listener, sizeof(listener)) < 0) {
		fprintf(stderr, "no seccomp listener: %s\n", strerror(errno));
		kill(pid, SIGKILL);
		return 124;
	}
	refuse_report(&r, "");
	for (;;) {
		struct pollfd pfd = { .fd = listener, .events = POLLIN };
		struct seccomp_notif n = { 0 };
		struct seccomp_notif_resp answer = { 0 };

		/* Without a process under the filter it hangs up; one that hangs is killed. */
		if (poll(&pfd, 1, REFUSE_PATIENCE_MS) <= 0)
			kill(pid, SIGKILL);
		if (!(pfd.revents & POLLIN))
			break;
		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &n) < 0)
			continue;
		refuse_decide(&r, &n, &answer);
		(void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
	}
	if (r.at > r.seen)
		refuse_report(&r, "");
	if (waitpid(pid, &status, 0) != pid)
		return 125;
	/* At once: a search for leaks in the wrapper would take longer than all that it does. */
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

/* ---- in the test ---- */

/** @return a wrapper for struct call under which request number `at` (from 1) fails with `error` */
static inline const char *refusing(int at, int error, enum refusal how)
{
	static char self[4096];

	if (!*self)
		ck_assert_int_gt(readlink("/proc/self/exe", self, sizeof(self) - 1), 0);
	return fmt("%s " REFUSE_MODE " %d %d %d", self, at, error, (int)how);
}

/** @return which request was refused in the last call; NULL if it made fewer */
static inline const char *what_was_refused(void)
{
	FILE *f = fopen(REFUSE_REPORT, "r");
	char report[128] = "";
	const char *what;

	ck_assert_ptr_nonnull(f);
	ck_assert_ptr_nonnull(fgets(report, sizeof(report), f));
	fclose(f);
	report[strcspn(report, "\n")] = '\0';
	what = strchr(report, ' ');
	return what && what[1] ? fmt("%s", what + 1) : NULL;
}

#endif
