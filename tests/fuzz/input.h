/*
 * The bytes of a fuzzer as a row of choices: what is asked for beyond the end is zero.
 */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct input {
	const uint8_t *at;
	size_t left;
};

static inline void take(struct input *in, void *ret, size_t n)
{
	size_t have = n < in->left ? n : in->left;

	memset(ret, 0, n);
	if (have)
		memcpy(ret, in->at, have);
	in->at += have;
	in->left -= have;
}

static inline uint8_t take_byte(struct input *in)
{
	uint8_t b;

	take(in, &b, 1);
	return b;
}

/** @return a block that is no longer than it says, for the sanitizers to watch; the caller frees it */
static inline void *take_block(struct input *in, size_t n)
{
	void *block = malloc(n ? n : 1);

	if (!block)
		abort();
	take(in, block, n);
	return block;
}

#endif
