/*
 * rtt.h - round-trip time as the sender sees it: smoothed and with its variation (RFC 6298), the least of the
 * last seconds (RFC 8985, 6.2), and the timeouts that follow. Each acknowledgement gives a sample, since it
 * echoes the stamp of the very transmission that it answers. Plain data, no failure; a zeroed one has no
 * sample.
 */
#ifndef O7S_FRCT_RTT_H
#define O7S_FRCT_RTT_H

#include <stdbool.h>
#include <stdint.h>

#define RTT_MIN_WINDOW_NS (INT64_C(10) * 1000000000) /* over which min_ns is the least       */
#define RTT_ACK_DELAY_NS  (INT64_C(10) * 1000000)    /* longest that a receiver waits for more */
#define RTT_RTO_FIRST_NS  (INT64_C(1) * 1000000000)
#define RTT_RTO_MIN_NS    (INT64_C(50) * 1000000)
#define RTT_RTO_MAX_NS    (INT64_C(60) * 1000000000)

struct rtt_min {
        int64_t at_ns, rtt_ns;
};

struct rtt {
        bool           sampled;
        int64_t        latest_ns; /* last sample, as it was smoothed */
        int64_t        srtt_ns;
        int64_t        var_ns;
        int64_t        min_ns; /* of the window */
        struct rtt_min min[3]; /* private: candidates for the minimum, Kathleen Nichols' windowed filter */
};

/*
 * A sample of @rtt_ns (more than 0), the time the receiver held the acknowledgement back, @delay_ns, not yet
 * taken off: smoothed without it, as long as that does not give less than the minimum. The minimum is of
 * whole samples: a peer may say what it likes.
 */
void rtt_sample(struct rtt *r, int64_t rtt_ns, int64_t delay_ns, int64_t now_ns);

/* Retransmission timeout after @backoff of them in a row, between RTT_RTO_MIN_NS and RTT_RTO_MAX_NS. */
int64_t rtt_rto_ns(const struct rtt *r, unsigned backoff);

/*
 * Probe timeout of tail loss: 2 srtt; @alone: so few packets are out that their acknowledgement may be held
 * back. 1 s without a sample.
 */
int64_t rtt_pto_ns(const struct rtt *r, bool alone);

#endif
