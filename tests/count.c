/*
 * Counts what a program costs in units that do not depend on the machine's mood:
 *
 *   count FILE PROGRAM [ARG...]
 *
 * runs PROGRAM, all that it starts included, and writes a line to FILE:
 *
 *   <programs> <system calls> <netlink messages> <dumps> <peak RSS, KiB>
 *
 * programs: how many execve(2) succeeded, PROGRAM's own among them. System calls: from there to the end.
 * Messages: those sent to a netlink address, each one of a batch. Dumps: messages that ask for a whole table. RSS: the
 * largest of any one process, by the kernel's VmHWM, which, unlike ru_maxrss, knows nothing of the process
 * that started it. Exit status: the program's, 128 + signal if it was killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/ptrace.h>

#define MESSAGES_MAX (1 << 20)

static struct {
	unsigned long programs, calls, messages, dumps, rss_kib;
} seen;

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "count: %s: %s\n", what, strerror(errno));
	exit(125);
}

/* @return how much could be read; 0 if nothing */
static size_t peek(pid_t pid, uint64_t at, void *buf, size_t size)
{
	struct iovec here = { buf, size }, there = { (void *)(uintptr_t)at, size };
	ssize_t n = at ? process_vm_readv(pid, &here, 1, &there, 1, 0) : 0;

	return n > 0 ? (size_t)n : 0;
}

static bool is_netlink(pid_t pid, uint64_t address)
{
	sa_family_t family;

	return peek(pid, address, &family, sizeof(family)) == sizeof(family) &&
	       family == AF_NETLINK;
}

static void count_messages(const char *buf, size_t len)
{
	struct nlmsghdr h;

	for (size_t at = 0; len - at >= sizeof(h); at += NLMSG_ALIGN(h.nlmsg_len)) {
		memcpy(&h, buf + at, sizeof(h));
		if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > len - at)
			return;
		seen.messages++;
		seen.dumps += (h.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
		if (NLMSG_ALIGN(h.nlmsg_len) > len - at)
			return;
	}
}

static void look_at_message(pid_t pid, const struct msghdr *m)
{
	static char buf[MESSAGES_MAX];
	size_t len = 0;

	if (!is_netlink(pid, (uintptr_t)m->msg_name))
		return;
	for (size_t i = 0; i < m->msg_iovlen; i++) {
		struct iovec part;

		if (peek(pid, (uintptr_t)(m->msg_iov + i), &part, sizeof(part)) != sizeof(part))
			break;
		if (part.iov_len > sizeof(buf) - len)
			break;
		len += peek(pid, (uintptr_t)part.iov_base, buf + len, part.iov_len);
	}
	count_messages(buf, len);
}

static void enter(pid_t pid, const struct ptrace_syscall_info *info)
{
	const uint64_t *arg = (const uint64_t *)info->entry.args;
	static char buf[MESSAGES_MAX];
	struct mmsghdr m;

	seen.calls++;
	switch (info->entry.nr) {
	case SYS_sendto:
		if (arg[2] <= sizeof(buf) && is_netlink(pid, arg[4]))
			count_messages(buf, peek(pid, arg[1], buf, arg[2]));
		break;
	case SYS_sendmsg:
		if (peek(pid, arg[1], &m.msg_hdr, sizeof(m.msg_hdr)) == sizeof(m.msg_hdr))
			look_at_message(pid, &m.msg_hdr);
		break;
	case SYS_sendmmsg:
		for (uint64_t i = 0; i < arg[2]; i++)
			if (peek(pid, arg[1] + i * sizeof(m), &m, sizeof(m)) == sizeof(m))
				look_at_message(pid, &m.msg_hdr);
		break;
	}
}

/* A thread is about to end: its memory is still there. */
static void look_at_memory(pid_t pid)
{
	char path[64], line[256];
	unsigned long kib;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmHWM: %lu kB", &kib) == 1 && kib > seen.rss_kib)
			seen.rss_kib = kib;
	if (f)
		fclose(f);
}

/* @return the signal to hand on */
static int stopped(pid_t pid, int status)
{
	struct ptrace_syscall_info info;

	if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
		if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) > 0 &&
		    info.op == PTRACE_SYSCALL_INFO_ENTRY && seen.programs)
			enter(pid, &info);
		return 0;
	}
	switch (status >> 16) {
	case 0: /* a signal */
		return WSTOPSIG(status);
	case PTRACE_EVENT_EXEC:
		seen.programs++;
		break;
	case PTRACE_EVENT_EXIT:
		look_at_memory(pid);
		break;
	}
	return 0;
}

static _Noreturn void be_program(char **argv)
{
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 || raise(SIGSTOP) != 0)
		die("trace");
	execvp(argv[0], argv);
	die(argv[0]);
}

/* @return the program's wait status */
static int follow(pid_t first)
{
	const unsigned long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC |
				      PTRACE_O_TRACEEXIT | PTRACE_O_TRACEFORK |
				      PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
	int status, result = 0;
	pid_t pid;

	if (waitpid(first, &status, 0) < 0 || !WIFSTOPPED(status) ||
	    ptrace(PTRACE_SETOPTIONS, first, NULL, options) < 0 ||
	    ptrace(PTRACE_SYSCALL, first, NULL, 0) < 0)
		die("trace");
	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		if (WIFSTOPPED(status)) {
			int sig = stopped(pid, status);

			/* The first stop of a new thread is ours, not a signal. */
			(void)ptrace(PTRACE_SYSCALL, pid, NULL, sig == SIGSTOP ? 0 : sig);
		} else if (pid == first) {
			result = status;
		}
	}
	return result;
}

int main(int argc, char **argv)
{
	pid_t pid;
	int status;
	FILE *f;

	if (argc < 3) {
		fprintf(stderr, "usage: count FILE PROGRAM [ARG...]\n");
		return 2;
	}
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0)
		be_program(argv + 2);
	status = follow(pid);
	f = fopen(argv[1], "we");
	if (!f ||
	    fprintf(f, "%lu %lu %lu %lu %lu\n", seen.programs, seen.calls, seen.messages,
		    seen.dumps, seen.rss_kib) < 0 ||
	    fclose(f))
		die(argv[1]);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
