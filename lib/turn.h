/*
 * Trying again, in turns. Who decides by what he read loses if somebody else is faster, and many who
 * try again at once outdo one another for as long as they last. So a loser waits for its turn: of all
 * processes in one network namespace that lost, one tries at a time.
 */
#ifndef CNI_TURN_H
#define CNI_TURN_H

#include "base.h"

#include <time.h>

/** How long it is tried again, in seconds. */
#define CNI_TURN_PATIENCE 10

/** One who may have to try again; {0} before the first try. */
struct cni_turn {
	struct timespec end; /**< of the patience, if it has begun */
	bool begun;
	bool waited; /**< for the turn */
	int lock; /**< owned if `waited`; -1 = none */
};

/** @return whether there is still time to try again; the patience begins with the first call */
bool cni_turn_patient(struct cni_turn *t);

/**
 * After a try that was lost: wait for the turn, at most half of the patience, and go on without it if
 * it does not come; it is kept until cni_turn_done(). A process must not wait for one while it has
 * another.
 * @return true: try again; false: the patience has come to its end
 */
bool cni_turn_again(struct cni_turn *t);

/** Let the next one have its turn. */
void cni_turn_done(struct cni_turn *t);

#endif
