/*
 * Process 1 of the virtual machine that tests/vm/run starts: lays an overlay in memory over this
 * machine's root file system, which comes read-only by 9p, runs the shell script $VM_JOB in it (the
 * kernel's command line becomes the environment), and switches the machine off.
 *
 * Static, and alone in the initial RAM disk but for modules of the kernel: there is nothing else yet.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/module.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void switch_off(void)
{
	reboot(RB_POWER_OFF);
	_exit(1); /* the kernel panics, and the emulator ends */
}

static _Noreturn void give_up(const char *what)
{
	printf("vm: %s: %s\n", what, strerror(errno));
	fflush(NULL);
	switch_off();
}

static void mount_at(const char *type, const char *dir, unsigned long flags, const char *options)
{
	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		give_up(dir);
	if (mount(strcmp(type, "9p") == 0 ? "root" : type, dir, type, flags, options) < 0)
		give_up(dir);
}

/* The file /modules names them in the order in which they need each other, one a line. */
static void load_modules(void)
{
	FILE *list = fopen("/modules", "re");
	char name[256];

	if (!list)
		give_up("/modules");
	while (fgets(name, sizeof(name), list)) {
		int fd;

		name[strcspn(name, "\n")] = '\0';
		fd = open(name, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST))
			give_up(name);
		close(fd);
	}
	fclose(list);
}

static void enter_root(void)
{
	mount_at("9p", "/lower", MS_RDONLY,
		 "trans=virtio,version=9p2000.L,msize=512000,cache=loose");
	mount_at("tmpfs", "/upper", 0, "mode=0755");
	if (mkdir("/upper/files", 0755) < 0 || mkdir("/upper/work", 0755) < 0)
		give_up("/upper");
	mount_at("overlay", "/root", 0,
		 "lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work");
	/* Not in a child: the kernel's own calls of modprobe(8) follow process 1. */
	if (chroot("/root") < 0 || chdir("/") < 0)
		give_up("/root");
	mount_at("devtmpfs", "/dev", 0, NULL);
	mount_at("tmpfs", "/dev/shm", 0, "mode=1777");
	mount_at("proc", "/proc", 0, NULL);
	mount_at("sysfs", "/sys", 0, NULL);
	mount_at("tmpfs", "/run", 0, "mode=0755");
}

int main(void)
{
	const char *job = getenv("VM_JOB");
	pid_t pid;

	load_modules();
	enter_root();
	pid = fork();
	if (pid == 0) {
		execl("/bin/bash", "bash", job, NULL);
		give_up(job);
	}
	while (pid > 0 && wait(NULL) != pid)
		; /* whoever lost its parent is reaped here, too */
	sync();
	switch_off();
}
