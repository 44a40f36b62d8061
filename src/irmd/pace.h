/*
 * pace.h - which public-key steps are quick enough to be done on the loop.
 *
 * Handing a step to another thread and its end back costs two wakes, which on many machines is more time than an
 * agreement on X25519 takes, and all of it is latency. So what steps of a kind take is measured (processor time, a
 * running mean that believes bad news at once), and a quick one is done where it is, as long as the present turn of the
 * loop has spent little on such steps: others wait meanwhile. What it is of a stranger's is never done on the loop.
 */
#ifndef O7S_IRMD_PACE_H
#define O7S_IRMD_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "crypt/suite.h"

enum pace_kind { PACE_REQUEST, PACE_VERIFY, PACE_KEY, PACE_AGREE, PACE_SIGN, PACE_CHECK, PACE_N };

struct pace {
        int64_t mean_ns[PACE_N][SUITE_N]; /* 0: not known yet */
        int64_t spent_ns;                 /* in this turn     */
};

/* Another turn of the loop begins. */
void pace_turn(struct pace *p);

/* Whether a step of @kind (and one of @also, or PACE_N: none) may be done now. */
bool pace_now(const struct pace *p, enum suite s, enum pace_kind kind, enum pace_kind also);

/* A step took @ns; @here: on the loop. */
void pace_took(struct pace *p, enum suite s, enum pace_kind kind, int64_t ns, bool here);

#endif
