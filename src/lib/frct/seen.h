/*
 * seen.h - which numbers of an unreliable flow have arrived, for its acknowledgements. The receive queue does
 * not wait for what is missing, but the sender's congestion control must hear of it, until the sender itself
 * has given it up: it says so in `first` of each packet (the floor).
 *
 *          floor    next
 *           | all    | ranges between holes, in order; the oldest hole is forgotten when there are too many
 *
 * Pure, no allocation.
 */
#ifndef O7S_FRCT_SEEN_H
#define O7S_FRCT_SEEN_H

#include <stdbool.h>
#include <stddef.h>

#include "frct/number.h"

#define SEEN_MAX 64u

struct seen {
        uint64_t     next; /* all from the floor to this have arrived, or are given up */
        size_t       n;
        struct range range[SEEN_MAX]; /* ascending, behind next, not touching */
};

void seen_begin(struct seen *s, uint64_t first);

/* @seq arrived. False: it was here before, or is given up. */
bool seen_put(struct seen *s, uint64_t seq);

/* Nothing before @first matters any more. */
void seen_floor(struct seen *s, uint64_t first);

/* As recvq_ranges(). */
size_t seen_ranges(const struct seen *s, uint64_t newest, struct range *out, size_t max);

#endif
