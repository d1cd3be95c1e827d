/*
 * SHA-512 (FIPS 180-4), the hash in the Go plugins' chain names and rule comments.
 *
 * Written here because none of the allowed libraries has it and the release is one static file of a
 * few hundred KB; the inputs are a name and an id, so speed does not matter.
 */
#ifndef CNI_SHA512_H
#define CNI_SHA512_H

#include "base.h"

/** Room for the hash in hex, with the NUL. */
#define CNI_SHA512_HEXLEN 129

/** Hash @p len bytes at @p data; @p ret gets 128 lower-case hex digits and a NUL. */
void cni_sha512_hex(const void *data, size_t len, char ret[static CNI_SHA512_HEXLEN]);

#endif
