/*
 * pubkey_clock.h - what pubkey_clock.so tells: it is loaded into a daemon before all else (LD_PRELOAD), stands before
 * OpenSSL's public-key operations, and adds up the processor time of the threads that are in them.
 */
#ifndef BENCH_PUBKEY_CLOCK_H
#define BENCH_PUBKEY_CLOCK_H

#include <stdatomic.h>
#include <stdint.h>

/* Names the file that holds struct pubkey_clock. Without it nothing is counted. */
#define PUBKEY_CLOCK_ENV "O7S_BENCH_PUBKEY_CLOCK"

/* In shared memory. */
struct pubkey_clock {
        _Atomic int64_t  cpu_ns;
        _Atomic uint64_t operations;
};

#endif
