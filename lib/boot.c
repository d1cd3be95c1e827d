/*
 * Which boot of the machine this is; see boot.h.
 */
#include "boot.h"

#include <fcntl.h>
#include <string.h>

bool cni_boot_id(char ret[static CNI_BOOT_ID_LEN + 4])
{
	cni_auto(fd) int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

	memset(ret, 0, CNI_BOOT_ID_LEN + 4);
	return fd >= 0 && read(fd, ret, CNI_BOOT_ID_LEN) == CNI_BOOT_ID_LEN;
}
