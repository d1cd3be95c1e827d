/*
 * Files that outlive the process; see outlive.h. An io_uring that is never asked for anything holds a
 * reference to the file: when the process ends, a worker of the kernel takes the ring apart.
 */
#include "outlive.h"

#include <linux/io_uring.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

bool cni_outlive(int fd)
{
	/* Before 5.10 this flag is refused; and before 5.7 the end of a process would wait for its ring as well. */
	struct io_uring_params params = { .flags = IORING_SETUP_R_DISABLED };
	int ring;

	/* A filter may kill who asks. */
	if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != 0)
		return false;
	ring = (int)syscall(SYS_io_uring_setup, 1, &params); /* close-on-exec, always */
	if (ring < 0)
		return false;
	if (syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES, &fd, 1) == 0)
		return true; /* the ring stays open: the end of the process is what closes it */
	(void)close(ring);
	return false;
}
