/*
 * wait.h - waiting for the other side of a flow: awake while that pays (patience.h), then asleep.
 *
 * Called with the lane's lock held, a reader inside the port; the lock is let go of meanwhile and held again
 * on return. 0: look again, anything may have happened (the slot may be closing, or another reader may have
 * left the port); -ETIMEDOUT.
 */
#ifndef O7S_DEV_WAIT_H
#define O7S_DEV_WAIT_H

#include <stdint.h>

#include "dev/slot.h"

/* For a message or the end. */
int wait_rx(struct slot *s, int64_t deadline_ns);

/* For room or the end. */
int wait_tx(struct slot *s, int64_t deadline_ns);

/*
 * For anything, after an attempt on a stream that has announced us as a sleeper. With the lock of @l,
 * whichever.
 */
int wait_stream(struct slot *s, struct lane *l, uint32_t ticket, int64_t deadline_ns);

/*
 * A message was taken, the lock is held. If it was the last, and messages of this flow come in streams, waits
 * for more, for 2 us at most.
 *
 * A reader that leaves an empty port must arm the bell, and one that comes back for each message meets the
 * writer there: a bell is rung and cleared, or at least the lines with the position and the word go back and
 * forth between two processors, for every message. One that lets a few gather first has them at several times
 * the speed.
 */
void wait_linger(struct slot *s);

#endif
