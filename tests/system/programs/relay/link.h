/*
 * link.h - one direction: what happens to a packet between the ports, in this order.
 *
 *     came -> lost? -> twice? -> a bit wrong? -> queue, at a rate -> delay -> goes
 *
 * A packet that has left the queue is no longer bound to its order: the delay is a heap of times. Times are
 * computed from when a packet came, not from when somebody looked, so that no error adds up. Each effect
 * draws from random numbers of its own: with the same seed and packets it strikes the same ones, whatever
 * else is set.
 */
#ifndef O7S_RELAY_LINK_H
#define O7S_RELAY_LINK_H

#include <stdint.h>
#include <stdio.h>

#include "knob.h"
#include "pool.h"

enum count {
        C_CAME,
        C_CAME_BYTES,
        C_PASSED,
        C_PASSED_BYTES,
        C_LOST_LOSS,
        C_LOST_BURST,
        C_LOST_DOWN,
        C_LOST_QUEUE,
        C_LOST_POOL, /* the relay's own buffers are all in use    */
        C_LOST_SEND, /* the kernel did not take it, or has no peer */
        C_DUPLICATED,
        C_REORDERED,
        C_CORRUPTED,
        C_MARKED,
        C_N
};

enum chance { BY_LOSS, BY_BURST, BY_DUP, BY_CORRUPT, BY_BIT, BY_JITTER, BY_REORDER, CHANCES };

struct link {
        struct knobs knobs;
        bool         frames; /* they are Ethernet's: can be marked */
        struct pool *pool;
        uint64_t     random[CHANCES];
        bool         in_burst;

        struct pkt *head, **tail; /* the queue; @head is being sent    */
        int64_t     free_ns;      /* when @head has been, or the last was */
        uint64_t    queued, queued_bytes;

        struct pkt **heap; /* the delay: earliest first */
        size_t       n;
        int64_t      last_ns; /* when the last of those in order is due */
        uint64_t     seq;

        uint64_t count[C_N];
};

int  link_create(struct link *l, struct pool *pool, bool frames, uint64_t seed); /* 0 or -ENOMEM */
void link_destroy(struct link *l);

/* A packet came at @k->at_ns. It is the link's from now on. */
void link_take(struct link *l, struct pkt *k);

/* At most @max that are to go by @now_ns; they are the caller's. */
size_t link_give(struct link *l, int64_t now_ns, struct pkt **out, size_t max);

/* When there is something to do next; INT64_MAX: when a packet comes. */
int64_t link_next_ns(const struct link *l);

/* As a JSON object. */
void link_print(const struct link *l, FILE *out);

#endif
