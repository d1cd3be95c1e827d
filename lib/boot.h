/*
 * Which boot of the machine this is.
 */
#ifndef CNI_BOOT_H
#define CNI_BOOT_H

#include "base.h"

/** Bytes of a boot id in text, without a NUL. */
#define CNI_BOOT_ID_LEN 36

/** Read the kernel's boot id; the rest of @p ret is zero. @return false if it can't be had */
bool cni_boot_id(char ret[static CNI_BOOT_ID_LEN + 4]);

#endif
