/* options.h - how a measurement is to be made. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define DAEMONS_MAX 8

struct transport;

struct options {
        const struct transport *rival;     /* what flows are compared with            */
        const char             *name;      /* of the server, for flows; NULL: a new one     */
        const char             *suite;     /* that flows must have, authenticated; NULL: any */
        const char             *clock;     /* of share: the file of pubkey_clock.so         */
        const char             *only;      /* name of the one transport to run, or NULL     */
        FILE                   *json;      /* where JSON lines go, or NULL                  */
        unsigned                cores;     /* 1: all on one processor, 2: as a user sees it */
        unsigned                pairs;     /* of slices                                     */
        int64_t                 slice_ns;  /* length of each                                */
        size_t                  size;      /* of messages                                   */
        const char             *regime;    /* of pingpong: "busy", "paced" or "asleep"      */
        int64_t                 think_ns;  /* pause before a message in the last two        */
        const char             *mode;      /* of alloc: "threads", "start" or "single"      */
        unsigned                in_flight; /* allocations at once                           */
        unsigned                acceptors; /* threads of the server that accept             */
        size_t                  count;     /* of flows                                      */
        size_t                  n_daemons;
        pid_t                   daemons[DAEMONS_MAX]; /* counted, and pinned, with flows    */
};

#endif
