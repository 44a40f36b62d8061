/*
 * pool.h - packets, and a fixed number of buffers for them that are made once: nothing is allocated per
 * packet. Memory that no packet has needed yet costs nothing but addresses.
 */
#ifndef O7S_RELAY_POOL_H
#define O7S_RELAY_POOL_H

#include <stddef.h>
#include <stdint.h>

/*
 * More than the longest datagram, and no round number: otherwise the heads of all packets would contend for
 * the same few lines of the processor's caches.
 */
#define PKT_ROOM 67104u

struct pkt {
        struct pkt *next;
        int64_t     at_ns; /* when it came; later, when it is due            */
        uint64_t    seq;   /* orders those that are due at the same time     */
        size_t      len;
        uint8_t     data[PKT_ROOM];
};

struct pool {
        struct pkt *all, *free; /* @free: those that were used before */
        size_t      n, fresh;   /* from @fresh on nothing was used yet */
};

int         pool_create(struct pool *p, size_t n); /* 0 or -ENOMEM */
void        pool_destroy(struct pool *p);
struct pkt *pool_get(struct pool *p); /* NULL: all are in use */
void        pool_put(struct pool *p, struct pkt *k);

#endif
