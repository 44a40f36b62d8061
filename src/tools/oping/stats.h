/* stats.h - what became of the pings. No clock, no output: round-trip times go in, figures come out. */
#ifndef O7S_TOOLS_OPING_STATS_H
#define O7S_TOOLS_OPING_STATS_H

#include <stdint.h>

#include "common/order.h"

/* Zeros are a good start. */
struct stats {
        uint64_t     sent, received, out_of_order, duplicates;
        struct order order;
        int64_t      min_ns, max_ns;
        double       mean_ns;
        double       sum2; /* of squared differences from the mean */
};

static inline void stats_sent(struct stats *s)
{
        s->sent++;
}

/* Ping @seq, counted from 0, has come back after @rtt_ns. A copy is not counted as received. */
enum order_place stats_received(struct stats *s, uint64_t seq, int64_t rtt_ns);

/* In percent, 0 while nothing was sent. */
double stats_loss(const struct stats *s);

/* The standard deviation of the round-trip times, which ping(8) calls mdev. */
double stats_mdev_ns(const struct stats *s);

#endif
