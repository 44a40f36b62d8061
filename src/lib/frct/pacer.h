/*
 * pacer.h - when the next packet may leave: a bucket that fills with the pacing rate and holds a burst. It
 * may be in debt by one packet, so that rates below one burst work. A caller that waits as it was told, and
 * comes up to 1 ms late, finds what has gathered meanwhile as well. Pure.
 */
#ifndef O7S_FRCT_PACER_H
#define O7S_FRCT_PACER_H

#include <stdint.h>

struct pacer {
        int64_t  at_ns;  /* when `level` was right                           */
        int64_t  level;  /* 10^-9 bytes                                      */
        int64_t  due_ns; /* when the caller was told to come; 0: it need not */
        uint64_t rate;   /* bytes per second; 0: no pacing                   */
        uint64_t burst;  /* bytes                                            */
};

void pacer_init(struct pacer *p, uint64_t burst, int64_t now_ns);

/*
 * A new rate or burst; what has gathered until now counts by the old one. A burst of 0 spaces every packet.
 */
void pacer_set(struct pacer *p, uint64_t rate, uint64_t burst, int64_t now_ns);

/* 0: a packet may leave now; else when one may. */
int64_t pacer_due_ns(struct pacer *p, int64_t now_ns);

/* A packet of @bytes left, at its time or (a probe, a timeout) before. */
void pacer_spend(struct pacer *p, uint64_t bytes, int64_t now_ns);

#endif
