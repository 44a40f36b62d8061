/*
 * frct_scenario.h - two ends, a network and what happens to them, drawn from a seed and played to the end.
 * Ends the process with an explanation when a promise is broken.
 */
#ifndef SIM_FRCT_SCENARIO_H
#define SIM_FRCT_SCENARIO_H

#include <stdbool.h>
#include <stdint.h>

/* What has happened, to be added up: a test in which nothing happens shows here. */
enum tally {
        TALLY_PACKETS,
        TALLY_SECONDS,
        TALLY_MESSAGES,
        TALLY_BYTES,
        TALLY_AGAIN,
        TALLY_SPURIOUS,
        TALLY_TIMEOUTS,
        TALLY_MARKS,
        TALLY_RUNS,    /* after the first                    */
        TALLY_RESUMED, /* an old one, after the receiver forgot it */
        TALLY_WRAPS,   /* runs whose numbers pass 2^32       */
        TALLY_CLOSED,  /* ends that waited for a closed window */
        TALLY_ENDS,    /* read                               */
        TALLY_PEER,    /* -EFLOWPEER                         */
        TALLY_DOWN,    /* -EFLOWDOWN                         */
        TALLY_UNRELIABLE,
        TALLY_FOUL,
        TALLY_N
};

extern const char *const tally_names[TALLY_N];

/* Plays @seed; adds to @tally. */
void scenario_play(uint64_t seed, bool trace, uint64_t tally[TALLY_N]);

#endif
