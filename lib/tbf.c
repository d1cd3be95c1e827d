/*
 * The token bucket filter's parameters; see tbf.h.
 */
#include "tbf.h"

/* A second, in microseconds and in units of the 25 ms that packets may wait. */
#define US_PER_S 1000000
#define LATENCY_US 25000
#define NS_PER_S 1000000000
/* The kernel's ticks, of which there are so many in 8 microseconds. */
#define NS_PER_TICK 64
#define TICKS_PER_8_US 125

/* In the order of the Go plugin's roundings. */
static uint64_t buffer_us(uint64_t bytes_per_s, uint32_t bytes)
{
	return (uint64_t)((double)bytes * US_PER_S / (double)bytes_per_s);
}

static uint32_t limit_of(uint64_t bytes_per_s, uint32_t bytes)
{
	return (uint32_t)(uint64_t)((double)bytes_per_s * LATENCY_US / US_PER_S) + bytes;
}

struct cni_tbf cni_tbf_make(uint64_t rate, uint64_t burst)
{
	uint64_t bytes_per_s = rate / 8;
	uint32_t bytes = (uint32_t)(burst / 8);
	uint64_t us = buffer_us(bytes_per_s, bytes);
	uint64_t ticks = us > UINT32_MAX ? UINT32_MAX : us * TICKS_PER_8_US / 8;

	return (struct cni_tbf){
		.rate = bytes_per_s,
		.buffer = ticks > UINT32_MAX ? UINT32_MAX : (uint32_t)ticks,
		.limit = limit_of(bytes_per_s, bytes),
	};
}

uint64_t cni_tbf_bucket(const struct cni_tbf *tbf)
{
	/* No more than the burst in 2^32 bytes, times 10^9. */
	return tbf->buffer * (uint64_t)NS_PER_TICK * tbf->rate / NS_PER_S;
}

/* Theirs: cut to 32 bits at each step. */
static uint32_t wrapped_buffer(uint64_t bytes_per_s, uint32_t bytes)
{
	return (uint32_t)((uint64_t)(uint32_t)buffer_us(bytes_per_s, bytes) * TICKS_PER_8_US / 8);
}

bool cni_tbf_is(const struct cni_tbf *have, uint64_t rate, uint64_t burst)
{
	struct cni_tbf want = cni_tbf_make(rate, burst);

	return have->rate == want.rate && have->limit == want.limit &&
	       (have->buffer == want.buffer ||
		have->buffer == wrapped_buffer(want.rate, (uint32_t)(burst / 8)));
}
