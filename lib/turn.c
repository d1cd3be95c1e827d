/*
 * Trying again, in turns; see turn.h. The turn is a lock on the network namespace itself (flock(2) on
 * its file in /proc): there is one for each, it needs no place on disk, and it is gone with its process.
 */
#include "turn.h"
#include "files.h"

#include <fcntl.h>
#include <unistd.h>

static bool is_past(const struct timespec *t)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > t->tv_sec || (now.tv_sec == t->tv_sec && now.tv_nsec >= t->tv_nsec);
}

static struct timespec from_now(int seconds)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += seconds;
	return t;
}

/* Anybody may hold the lock, so that it must not be needed. */
static void wait_for_turn(struct cni_turn *t)
{
	t->waited = true;
	t->lock = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (t->lock >= 0)
		(void)!cni_lock_within(t->lock, CNI_TURN_PATIENCE * 1000 / 2);
}

bool cni_turn_patient(struct cni_turn *t)
{
	if (t->begun)
		return !is_past(&t->end);
	t->begun = true;
	t->end = from_now(CNI_TURN_PATIENCE);
	return true;
}

bool cni_turn_again(struct cni_turn *t)
{
	if (!cni_turn_patient(t))
		return false;
	if (!t->waited)
		wait_for_turn(t);
	return true;
}

void cni_turn_done(struct cni_turn *t)
{
	if (t->waited && t->lock >= 0)
		(void)close(t->lock);
	*t = (struct cni_turn){ 0 };
}
