/*
 * peer.h - the other process. The measuring process starts it as a fresh program ("o7s_bench peer ..."),
 * waits until it listens, and tells it what to do in the messages themselves: the first byte of each is its
 * kind. So the server's loop is the same for both transports and has nothing else in it.
 */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "transport.h"

#define MESSAGE_MAX (64 * 1024)

enum message_kind {
        MSG_DATA = 1, /* count it                                                     */
        MSG_ECHO,     /* send it back                                                 */
        MSG_STAMP,    /* send back how long it was under way, after a pause, stamped  */
        MSG_COUNT     /* send back how many MSG_DATA came since the last of these     */
};

/* The beginning of every message; the rest is filling. */
struct message {
        uint8_t  kind;
        int64_t  sent_ns;  /* MSG_STAMP: by the clock that both processes read */
        int64_t  delay_ns; /* in its answer: how long the question took        */
        int64_t  think_ns; /* MSG_STAMP: pause before the answer               */
        uint64_t count;    /* in the answer to MSG_COUNT                       */
};

struct peer {
        const struct transport *transport;
        pid_t                   pid; /* 0: none */
        char                    address[64];
};

/*
 * Starts a peer that listens at @address, NULL: one of its own, on the processor @cpu (or CPU_ANY), in the role
 *     "answer"  accepts one connection after the other and treats its messages as above
 *     "close"   accepts in @n_threads threads and closes what it accepted at once
 *     "keep"    accepts in @n_threads threads and keeps everything open
 * False, and a line on stderr, when it did not come to listen.
 */
bool peer_start(struct peer *p, const struct transport *t, const char *role, const char *address,
                unsigned n_threads, int cpu);

/*
 * Connects to it. Tries for up to a second: a peer that listens may not have begun to accept, and a flow to a process
 * that never asked for one is refused.
 */
int peer_connect(const struct peer *p);

/* Ends it. Takes a peer that was never started, if zeroed. */
void peer_stop(struct peer *p);

/* The program that peer_start() runs: TRANSPORT ROLE ADDRESS THREADS CPU. */
int peer_main(int argc, char **argv);

#endif
