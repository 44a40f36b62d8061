/* stats.h - what became of the pings. No clock, no output: round-trip times go in, figures come out. */
#ifndef O7S_TOOLS_OPING_STATS_H
#define O7S_TOOLS_OPING_STATS_H

#include <stdint.h>

/* Zeros are a good start. */
struct stats {
        uint64_t sent, received, out_of_order, duplicates;
        uint64_t next; /* one above the highest number that came back       */
        uint64_t seen; /* bit i: number next - 1 - i came back              */
        int64_t  min_ns, max_ns;
        double   mean_ns;
        double   sum2; /* of squared differences from the mean              */
};

enum stats_reply {
        STATS_IN_ORDER,
        STATS_OUT_OF_ORDER, /* after one with a higher number */
        STATS_DUPLICATE     /* not counted as received        */
};

static inline void stats_sent(struct stats *s)
{
        s->sent++;
}

/*
 * Ping @seq, counted from 0, has come back after @rtt_ns. One 64 or more below the highest is never taken for
 * a copy.
 */
enum stats_reply stats_received(struct stats *s, uint64_t seq, int64_t rtt_ns);

/* In percent, 0 while nothing was sent. */
double stats_loss(const struct stats *s);

/* The standard deviation of the round-trip times, which ping(8) calls mdev. */
double stats_mdev_ns(const struct stats *s);

#endif
