/*
 * rate.h - delivery rate (draft-ietf-ccwg-bbr, "Delivery rate samples"; Cheng et al., draft-cheng-iccrg-
 * delivery-rate-estimation): bytes delivered between the sending of a packet and its acknowledgement, over
 * the longer of the times that sending and acknowledging took. Pure; the marks lie in struct sent.
 */
#ifndef O7S_FRCT_RATE_H
#define O7S_FRCT_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include "frct/sendq.h"

struct rate {
        uint64_t delivered; /* bytes, ever                                          */
        uint64_t lost;
        int64_t  delivered_ns;
        int64_t  first_ns;    /* sending of the packet that was acknowledged last   */
        uint64_t app_limited; /* delivered at which the bubble is over; 0: none     */
};

/* Of one acknowledgement. */
struct rate_sample {
        uint64_t rate; /* bytes per second; 0: none                               */
        int64_t  interval_ns;
        uint64_t delivered; /* bytes in the interval                              */
        uint64_t prior_delivered;
        uint64_t tx_in_flight;
        uint64_t lost;
        bool     app_limited;
        /* private */
        int64_t  prior_ns, send_ns, first_tx_ns;
        uint64_t prior_lost;
        bool     any;
};

/* A packet of @bytes is about to be sent, with @in_flight bytes out before it. */
void rate_sent(struct rate *r, struct rate_mark *m, uint64_t bytes, uint64_t in_flight, int64_t now_ns);

/* The sender has nothing more to send, with @in_flight bytes out, and the window would allow more. */
void rate_app_limited(struct rate *r, uint64_t in_flight);

/* Begins a sample; then each packet that an acknowledgement covers, sent last at @tx_ns; then its end. */
void rate_begin(struct rate_sample *s);
void rate_acked(struct rate *r, struct rate_sample *s, const struct rate_mark *m, uint64_t bytes,
                int64_t tx_ns, int64_t now_ns);
void rate_end(struct rate *r, struct rate_sample *s, int64_t min_rtt_ns);

#endif
