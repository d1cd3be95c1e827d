/*
 * A limit on what a link sends, as the kernel's token bucket filter keeps it (tc-tbf(8)).
 */
#ifndef CNI_TBF_H
#define CNI_TBF_H

#include "base.h"

#include <stdbool.h>
#include <stdint.h>

/** The kernel's parameters. */
struct cni_tbf {
	uint64_t rate; /**< bytes a second */
	uint32_t
		buffer; /**< time in which the bucket fills, in ticks of 64 ns: the burst, divided by the rate */
	uint32_t limit; /**< bytes that may wait: 25 ms of the rate, and the burst */
};

/**
 * What the Go plugin makes of a rate and a burst: in 32 bits, of which the runtimes' burst for "none" (containerd's 2^32-1
 * bits, CRI-O's 2^35-1) makes a limit that wraps around, and is a sensible one by that. A bucket that fills in more than
 * 2^32-1 ticks (4.6 minutes) takes as long as that; theirs wraps around.
 *
 * @param rate   bits a second, 8 or more
 * @param burst  bits, 8 or more and less than 2^35-8
 */
struct cni_tbf cni_tbf_make(uint64_t rate, uint64_t burst);

/** @return bytes that the kernel's bucket holds, by its time and rate; with 0 it makes no filter */
uint64_t cni_tbf_bucket(const struct cni_tbf *tbf);

/**
 * @param have  of the kernel
 * @return whether that is what @p rate and @p burst make, here or in the Go plugin
 */
bool cni_tbf_is(const struct cni_tbf *have, uint64_t rate, uint64_t burst);

#endif
