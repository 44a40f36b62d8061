/*
 * patience.h - how long waiting awake has paid so far, and so how long to try next time.
 *
 * A sleeper costs its waker 10 to 14 us and wakes 20 us late (two cores, a machine with mitigations); a
 * spinner answers in 0.1 us but burns a processor. Which is right depends on the peer, and only the past
 * tells. Spinning as long as a sleep would have cost is never worse than twice the best (the ski rental
 * argument), so SPIN_MAX_NS is about one wake on either side; from there the budget of a flow's direction
 * doubles with each wait that spinning ended and halves with each that it did not, down to nothing.
 *
 * A budget of nothing learns nothing, and two sides that both sleep would do so for ever: so now and then a
 * full budget is tried again. Waits that were too long for any budget do not count towards the next try, so a
 * flow that is idle between messages is left in peace.
 *
 * Pure: no clock, no lock.
 */
#ifndef O7S_DEV_PATIENCE_H
#define O7S_DEV_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

#define SPIN_MAX_NS (50 * NS_PER_US)
#define SPIN_MIN_NS (1 * NS_PER_US)   /* a smaller budget is none                                        */
#define SPIN_FAR_NS (200 * NS_PER_US) /* a wait that took longer, asleep, could not have been spun away */

/*
 * Whether to do what pays only at times. Each failure doubles the number of occasions that are passed over
 * before the next try; a success makes every occasion a try. All zeros: the first occasion is one.
 */
struct hunch {
        uint16_t skip; /* occasions to pass over */
        uint16_t gap;  /* that many after the next failure, about half */
};

#define HUNCH_GAP_MAX 1023

/* One occasion. True: try it, and tell hunch_learn(). */
bool hunch_try(struct hunch *h);

void hunch_learn(struct hunch *h, bool paid);

struct patience {
        int64_t      budget_ns;
        struct hunch probe;
};

void patience_init(struct patience *p);

/* How long the wait that now begins may spin; 0: go to sleep at once. */
int64_t patience_budget_ns(struct patience *p);

/* Spinning for up to @budget_ns ended the wait. */
void patience_paid(struct patience *p, int64_t budget_ns);

/* It did not; the wait took @waited_ns in all, asleep in the end. */
void patience_wasted(struct patience *p, int64_t budget_ns, int64_t waited_ns);

#endif
