/*
 * Which boot of the machine this is; see boot.h.
 */
#include "boot.h"

#include <fcntl.h>
#include <string.h>

bool cni_boot_id(char ret[static CNI_BOOT_ID_LEN + 4])
{
	static char id[CNI_BOOT_ID_LEN + 4];

	if (!*id) {
		cni_auto(fd) int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

		if (fd < 0 || read(fd, id, CNI_BOOT_ID_LEN) != CNI_BOOT_ID_LEN)
			memset(id, 0, sizeof(id));
	}
	memcpy(ret, id, sizeof(id));
	return *id;
}
