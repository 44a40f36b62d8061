/*
 * transport_world.h - two hosts that ask each other for flows by the handshake transport, a bad network
 * between them, and a third who sends what it likes. In virtual time, all of it drawn from one seed.
 *
 * The owners check what they hear: every request of ours has one outcome, in time; theirs is heard at most
 * once; the bytes are those that were sent; timers are in the future; at the end nothing is left.
 */
#ifndef SIM_TRANSPORT_WORLD_H
#define SIM_TRANSPORT_WORLD_H

#include <stdbool.h>
#include <stdint.h>

enum hostile {
        HOSTILE_NONE,
        HOSTILE_OFF_PATH, /* from an address of its own, or others' addresses with ids that it guesses */
        HOSTILE_ON_PATH,  /* sees all packets, and sends them on altered */
        HOSTILE_N
};

enum {
        TALLY_ASKS,
        TALLY_FLOWS,
        TALLY_REFUSED,
        TALLY_NOBODY,
        TALLY_GIVEN_UP,
        TALLY_ENDED,
        TALLY_PACKETS,
        TALLY_LOST,
        TALLY_REPEATED,
        TALLY_PROVED,
        TALLY_INJECTED,
        TALLY_FOUND,
        TALLY_N
};

extern const char *const world_tally_names[TALLY_N];

/* Plays the seed and adds to @tally. NULL, or what went wrong. */
const char *world_play(uint64_t seed, bool trace, uint64_t tally[TALLY_N]);

#endif
