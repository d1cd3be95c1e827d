/*
 * Files that outlive the process by a moment. The last close of some waits until no packet is at what was
 * done with them, and the end of a process waits for that: here a worker of the kernel does.
 */
#ifndef CNI_OUTLIVE_H
#define CNI_OUTLIVE_H

#include <stdbool.h>

/**
 * Have the kernel close a file after the process has ended, in the background; the process keeps it, and closes
 * it as it likes. It costs two system calls, 0.1 ms.
 *
 * @param fd  stays the caller's
 * @return whether that worked. If not, nothing is lost but time: io_uring may be switched off
 *         (kernel.io_uring_disabled), forbidden to this process, or too old (before Linux 5.10); and where a
 *         seccomp filter is at work it is not tried, since that may kill who tries
 * @see io_uring_setup(2), io_uring_register(2), IORING_REGISTER_FILES
 */
bool cni_outlive(int fd);

#endif
