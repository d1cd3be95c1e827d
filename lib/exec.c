/*
 * Running another CNI plugin as a program; see exec.h.
 *
 * Its three streams are anonymous files, not pipes: there is nothing to pump, and nothing that can
 * block when it does not read or writes much.
 */
#include "exec.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define BUSY_WAIT_MS 1000
#define OUTPUT_MAX (16u << 20)

/*
 * The environment with CNI_COMMAND set to `command` ("CNI_COMMAND=..."); of repeated names the first, which is the one
 * that we go by.
 */
static char **make_environment(char *command)
{
	size_t n = 0, used = 0;
	char **env;

	while (environ[n])
		n++;
	env = calloc(n + 2, sizeof(*env));
	if (!env)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		size_t name = strcspn(environ[i], "=") + 1;
		bool again = strncmp(environ[i], command, name) == 0;

		for (size_t k = 0; k < used && !again; k++)
			again = strncmp(environ[i], env[k], name) == 0;
		if (!again)
			env[used++] = environ[i];
	}
	env[used] = command;
	return env;
}

static int spawn(const char *path, char **env, const int fds[static 3], pid_t *pid)
{
	char *argv[] = { (char *)path, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, ignored_here;
	int r;

	sigemptyset(&none);
	sigemptyset(&ignored_here);
	sigaddset(&ignored_here, SIGPIPE);
	r = posix_spawn_file_actions_init(&actions);
	if (r)
		return -r;
	r = posix_spawnattr_init(&attr);
	if (r) {
		posix_spawn_file_actions_destroy(&actions);
		return -r;
	}
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &ignored_here);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	for (int i = 0; i < 3 && r == 0; i++)
		r = posix_spawn_file_actions_adddup2(&actions, fds[i], i);
	if (r == 0)
		r = posix_spawn(pid, path, &actions, &attr, argv, env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

/* Spawn; if somebody has the file open for writing, wait for the close. */
static int spawn_when_free(const char *path, char **env, const int fds[static 3], pid_t *pid)
{
	cni_auto(fd) int notify = -1;
	int r = spawn(path, env, fds, pid);

	if (r != -ETXTBSY)
		return r;
	notify = inotify_init1(IN_CLOEXEC);
	if (notify < 0 || inotify_add_watch(notify, path, IN_CLOSE_WRITE) < 0)
		return r;
	for (int tries = 0; tries < 10 && r == -ETXTBSY; tries++) {
		struct pollfd pfd = { .fd = notify, .events = POLLIN };
		char drop[4096];

		/* Tried again before each wait: the close may have come before the watch. */
		r = spawn(path, env, fds, pid);
		if (r == -ETXTBSY && poll(&pfd, 1, BUSY_WAIT_MS / 10) > 0)
			(void)!read(notify, drop, sizeof(drop));
	}
	return r;
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return lseek(fd, 0, SEEK_SET) < 0 ? -errno : 0;
}

static int read_back(int fd, struct cni_buf *ret)
{
	return lseek(fd, 0, SEEK_SET) < 0 ? -errno : cni_buf_read_fd(ret, fd, OUTPUT_MAX);
}

int cni_exec_plugin(const char *path, const char *command, const char *in, size_t len,
		    struct cni_exec_result *ret)
{
	cni_auto(exec) struct cni_exec_result res = { 0 };
	cni_auto(free) char *setting = NULL;
	cni_auto(free) char **env = NULL;
	cni_auto(fd) int in_fd = memfd_create("cni-stdin", MFD_CLOEXEC);
	cni_auto(fd) int out_fd = memfd_create("cni-stdout", MFD_CLOEXEC);
	cni_auto(fd) int err_fd = memfd_create("cni-stderr", MFD_CLOEXEC);
	int r;
	pid_t pid = -1;

	if (in_fd < 0 || out_fd < 0 || err_fd < 0)
		return -errno;
	if (asprintf(&setting, "CNI_COMMAND=%s", command) < 0)
		return -ENOMEM;
	env = make_environment(setting);
	if (!env)
		return -ENOMEM;
	r = write_all(in_fd, in, len);
	if (r < 0)
		return r;
	r = spawn_when_free(path, env, (int[3]){ in_fd, out_fd, err_fd }, &pid);
	if (r < 0)
		return r;
	while (waitpid(pid, &res.status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	r = read_back(out_fd, &res.out);
	if (r == 0)
		r = read_back(err_fd, &res.err);
	if (r < 0)
		return r;
	*ret = res;
	res = (struct cni_exec_result){ 0 };
	return 0;
}
