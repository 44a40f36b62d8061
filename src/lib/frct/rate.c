/*
 * rate.c - see rate.h. draft-ietf-ccwg-bbr, 4.1: names are those of the draft but for C.delivered_time
 * (delivered_ns) and C.first_send_time (first_ns); has_data is `any`.
 */
#include "frct/rate.h"

#include "base/clock.h"

/*
 * With nothing out, the flight that begins is what the next sample is taken of: idle time is no part of it.
 */
void rate_sent(struct rate *r, struct rate_mark *m, uint64_t bytes, uint64_t in_flight, int64_t now_ns)
{
        if (in_flight == 0)
                r->first_ns = r->delivered_ns = now_ns;
        *m = (struct rate_mark){
                .delivered    = r->delivered,
                .lost         = r->lost,
                .in_flight    = in_flight + bytes,
                .delivered_ns = r->delivered_ns,
                .first_ns     = r->first_ns,
                .app_limited  = r->app_limited != 0,
        };
}

void rate_app_limited(struct rate *r, uint64_t in_flight)
{
        uint64_t end = r->delivered + in_flight;

        r->app_limited = end > 0 ? end : 1;
}

void rate_begin(struct rate_sample *s)
{
        *s = (struct rate_sample){0};
}

/* The sample is of the packet that was sent last; of several sent at once, of the one that is told last. */
void rate_acked(struct rate *r, struct rate_sample *s, const struct rate_mark *m, uint64_t bytes,
                int64_t tx_ns, int64_t now_ns)
{
        r->delivered += bytes;
        r->delivered_ns = now_ns;
        if (s->any && tx_ns < s->first_tx_ns)
                return;
        s->any             = true;
        s->prior_delivered = m->delivered;
        s->prior_ns        = m->delivered_ns;
        s->app_limited     = m->app_limited;
        s->tx_in_flight    = m->in_flight;
        s->prior_lost      = m->lost;
        s->send_ns         = tx_ns - m->first_ns;
        s->first_tx_ns     = tx_ns;
        r->first_ns        = tx_ns;
}

/* Bytes per second; a product that does not fit (18 GB) is computed by the microsecond. */
static uint64_t rate_of(uint64_t bytes, int64_t ns)
{
        if (bytes <= UINT64_MAX / NS_PER_S)
                return bytes * NS_PER_S / (uint64_t)ns;
        return bytes / ((uint64_t)ns / NS_PER_US + 1) * (NS_PER_S / NS_PER_US);
}

/*
 * For long, data neither leaves nor arrives faster than the path carries it: the shorter of the two times
 * comes from compression. Less than the least round trip cannot be, and such a sample is given up.
 */
void rate_end(struct rate *r, struct rate_sample *s, int64_t min_rtt_ns)
{
        int64_t ack_ns = r->delivered_ns - s->prior_ns;

        if (r->app_limited > 0 && r->delivered > r->app_limited)
                r->app_limited = 0;
        if (!s->any)
                return;
        s->lost        = r->lost - s->prior_lost;
        s->delivered   = r->delivered - s->prior_delivered;
        s->interval_ns = s->send_ns > ack_ns ? s->send_ns : ack_ns;
        if (s->interval_ns > 0 && s->interval_ns >= min_rtt_ns)
                s->rate = rate_of(s->delivered, s->interval_ns);
        else
                s->interval_ns = 0;
}
