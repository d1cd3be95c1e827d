/*
 * Rollback of a failed ADD: each changing step pushes its inverse; leaving early runs them, newest
 * first; success disarms.
 *
 * Declare it last (`cni_auto(undo) struct cni_undo undo = { 0 };`): locals are released in reverse
 * order of declaration, so the steps run while sockets and objects above are still alive. A step
 * works on its own, and logs: it never changes the error that is being reported.
 *
 * Only what this call made exclusively is undone. What containers share (a bridge, its address,
 * forwarding) never is.
 */
#ifndef CNI_UNDO_H
#define CNI_UNDO_H

#include "base.h"

#include <assert.h>

#define CNI_UNDO_STEPS 16

/** Pending inverses of the steps done so far. */
struct cni_undo {
	struct {
		void (*fn)(void *ctx);
		void *ctx;
	} step[CNI_UNDO_STEPS];
	unsigned int n;
};

/** Remember @p fn(@p ctx) as the next thing to undo; @p ctx must outlive @p undo. */
static inline void cni_undo_push(struct cni_undo *undo, void (*fn)(void *ctx), void *ctx)
{
	assert(undo->n < CNI_UNDO_STEPS);
	undo->step[undo->n].fn = fn;
	undo->step[undo->n].ctx = ctx;
	undo->n++;
}

/** The whole of it succeeded: nothing is to be undone any more. */
static inline void cni_undo_disarm(struct cni_undo *undo)
{
	undo->n = 0;
}

static inline void cni_auto_undo(struct cni_undo *undo)
{
	while (undo->n > 0) {
		undo->n--;
		undo->step[undo->n].fn(undo->step[undo->n].ctx);
	}
}

#endif
