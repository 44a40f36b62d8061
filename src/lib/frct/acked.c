/*
 * acked.c - what an acknowledgement means to the sender.
 *
 * Every packet that it covers for the first time is a piece of news to four: loss detection (which
 * transmission arrived, and what it has overtaken), the delivery rate, the bytes that are out, and the loss
 * event in which it may have been taken for lost by mistake. Only when all news are in is anything concluded:
 * what is lost now, what the congestion controller makes of it.
 *
 * Ranges repeat what the acknowledgement before said, as a rule but for one end of one range. So they are
 * compared with those, and only what is new is gone through.
 */
#include <string.h>

#include "base/clock.h"
#include "frct/sender_parts.h"

/* One acknowledgement, while it is looked at. */
struct news {
        const struct frct_hdr *h;
        int64_t                now_ns;
        uint64_t               ack;
        uint64_t               prior_in_flight;
        uint64_t               prior_lost;
        uint64_t               bytes, packets;
        uint64_t               left;       /* numbers that ranges may still tell of: they do not overlap */
        int64_t                first_ns;   /* when the oldest of the packets was sent first */
        bool                   tail_twice; /* the tail's probe came twice: the original was there */
        int64_t                rtt_ns;     /* 0: no sample */
        struct rate_sample     rate;
};

/* -- a packet --------------------------------------------------------------- */

/* Whether the last transmission of @p is younger than the packet that the acknowledgement answers. */
static bool original_arrived(const struct sent *p, const struct news *w)
{
        return p->retransmitted && (int32_t)(w->h->echo - p->stamp) < 0;
}

/* It was sent again by the tail's probe, and not because it was taken for lost. */
static bool was_only_probed(const struct sender *s, uint64_t seq)
{
        return s->tlp_again && seq == s->tlp_seq;
}

static void arrived(struct sender *s, uint64_t seq, struct sent *p, struct news *w)
{
        uint64_t bytes = p->len + s->extra;
        bool     early = original_arrived(p, w);
        int64_t  tx_ns = early ? p->first_ns : p->tx_ns;

        if (!p->lost)
                s->in_flight -= bytes;
        if (p->lost || (early && !was_only_probed(s, seq)))
                s->event.wrong++;
        if (early)
                s->spurious++;
        p->acked = true;
        w->bytes += bytes;
        w->packets++;
        if (p->first_ns < w->first_ns)
                w->first_ns = p->first_ns;
        loss_arrived(&s->loss, s->q, seq, tx_ns, w->now_ns);
        rate_acked(&s->rate, &w->rate, &p->rate, bytes, p->tx_ns, w->now_ns);
        p->lost = false;
}

static void arrived_range(struct sender *s, uint64_t from, uint64_t to, struct news *w)
{
        for (uint64_t seq = from; seq < to; seq++) {
                struct sent *p = sendq_at(s->q, seq);

                if (!p->acked)
                        arrived(s, seq, p, w);
        }
}

/* -- ranges ----------------------------------------------------------------- */

/* RFC 2883: the first range may tell of a packet that came twice. */
static bool is_dsack(const struct range *r, const struct range *second, uint64_t ack)
{
        return r->to <= ack || (second != NULL && r->from >= second->from && r->to <= second->to);
}

static void take_range(struct sender *s, struct range r, struct news *w)
{
        for (size_t i = 0; i < s->n_told; i++) {
                const struct range *t = &s->told[i];

                if (r.from == t->from && r.to >= t->to)
                        r.from = t->to;
                else if (r.to == t->to && r.from <= t->from)
                        r.to = t->from;
                else
                        continue;
                break;
        }
        if (r.from < sendq_base(s->q))
                r.from = sendq_base(s->q);
        if (r.from >= r.to || r.to - r.from > w->left)
                return;
        w->left -= r.to - r.from;
        arrived_range(s, r.from, r.to, w);
}

static void take_twice(struct sender *s, const struct range *r, struct news *w)
{
        loss_dsack(&s->loss, sendq_next(s->q));
        w->tail_twice = s->tlp_seq >= r->from && s->tlp_seq < r->to;
}

static void take_ranges(struct sender *s, struct news *w)
{
        struct range r[FRCT_RANGES_MAX];
        size_t       n    = 0;
        uint64_t     next = sendq_next(s->q);

        for (size_t i = 0; i < w->h->n_ranges; i++) {
                r[n].from = number_near(w->ack, w->h->ranges[i].from);
                r[n].to   = number_near(w->ack, w->h->ranges[i].to);
                if (r[n].from < r[n].to && r[n].to <= next)
                        n++;
        }
        for (size_t i = 0; i < n; i++) {
                if (i == 0 && is_dsack(&r[0], n > 1 ? &r[1] : NULL, w->ack))
                        take_twice(s, &r[0], w);
                else if (r[i].to > w->ack)
                        take_range(s, r[i], w);
        }
        memcpy(s->told, r, n * sizeof(r[0]));
        s->n_told = n;
}

/* -- samples ---------------------------------------------------------------- */

/* An echo that is older than anything that has arrived now, or from the future, is no sample. */
static void take_sample(struct sender *s, struct news *w)
{
        uint32_t age_us  = sender_stamp(s, w->now_ns) - w->h->echo;
        int64_t  rtt_ns  = age_us == 0 ? NS_PER_US : age_us * NS_PER_US;
        int64_t  hold_ns = w->h->delay * NS_PER_US;

        if (rtt_ns > w->now_ns - w->first_ns + NS_PER_US || hold_ns >= FRCT_A_NS)
                return;
        if (hold_ns >= rtt_ns)
                hold_ns = 0;
        rtt_sample(&s->rtt, rtt_ns, hold_ns, w->now_ns);
        w->rtt_ns = rtt_ns - hold_ns;
}

static void take_marks(struct sender *s, const struct news *w)
{
        uint16_t n = (uint16_t)(w->h->marks - s->marks);

        if (n >= 0x8000) /* older than what we know */
                return;
        s->marks = w->h->marks;
        s->marked += n;
        if (n == 0 || sendq_base(s->q) < s->round_end)
                return;
        s->round_end = sendq_next(s->q);
        s->cc.ops->marked(&s->cc, n, s->in_flight, w->now_ns, s->round_end);
}

/* What was trusted until the first acknowledgement is known now. Then it never moves back. */
static void take_edge(struct sender *s, const struct news *w)
{
        uint64_t edge = number_near(w->ack, w->h->edge);
        bool     held = s->reliable && sendq_base(s->q) >= s->edge && sendq_base(s->q) < sendq_next(s->q);

        if (!s->edge_known)
                s->edge = w->ack;
        s->edge_known = true;
        if (edge <= s->edge || edge < w->ack)
                return;
        if (held)
                sender_take_back(s, w->now_ns);
        s->edge          = edge;
        s->window_probes = 0;
}

/* -- conclusions ------------------------------------------------------------ */

static void conclude_losses(struct sender *s, int64_t now_ns)
{
        unsigned n;
        uint64_t payload = loss_detect(&s->loss, s->q, &s->rtt, now_ns, &n);

        sender_lost(s, payload, n, now_ns);
}

/*
 * RFC 8985, 7.4: the probe was answered. If only it was, and not the original, something was lost; the
 * controller has not heard of it.
 */
static void conclude_tail(struct sender *s, uint64_t spurious_before, const struct news *w)
{
        bool           answered = s->tlp_out && sendq_base(s->q) > s->tlp_seq;
        struct cc_loss l        = {.now_ns = w->now_ns, .next = sendq_next(s->q)};

        if (!answered)
                return;
        s->tlp_out = false;
        if (!s->tlp_again || s->spurious > spurious_before || w->tail_twice || s->loss.recovering)
                return;
        l.begins    = loss_begin(&s->loss, l.next);
        l.in_flight = s->in_flight;
        l.delivered = s->rate.delivered;
        s->losses++;
        s->cc.ops->lost(&s->cc, &l);
}

/* All that was taken for lost has arrived in its original. */
static void conclude_event(struct sender *s, int64_t now_ns)
{
        if (!s->event.open || s->event.wrong < s->event.lost)
                return;
        s->event.open = false;
        loss_undo(&s->loss);
        s->cc.ops->undo(&s->cc, now_ns);
}

static void tell_controller(struct sender *s, struct news *w)
{
        struct cc_ack a = {
                .now_ns          = w->now_ns,
                .acked           = w->bytes,
                .packets         = w->packets,
                .lost            = s->rate.lost - w->prior_lost,
                .in_flight       = s->in_flight,
                .prior_in_flight = w->prior_in_flight,
                .rtt_ns          = w->rtt_ns,
                .delivered       = s->rate.delivered,
                .rate            = w->rate.rate,
                .interval_ns     = w->rate.interval_ns,
                .app_limited     = w->rate.app_limited,
                .prior_delivered = w->rate.prior_delivered,
                .tx_in_flight    = w->rate.tx_in_flight,
                .sample_lost     = w->rate.lost,
                .base            = sendq_base(s->q),
                .next            = sendq_next(s->q),
                .recovering      = s->loss.recovering,
                .cwnd_limited    = s->cwnd_limited,
        };

        s->cc.ops->acked(&s->cc, &a, &s->rtt);
        if (s->cc.withheld) /* it keeps the path emptier than it could be: what is measured now says nothing of the rate */
                rate_app_limited(&s->rate, s->in_flight);
        s->cwnd_limited = false;
}

static void conclude(struct sender *s, struct news *w, uint64_t spurious_before)
{
        bool recovered;

        s->flight_known = true;
        s->backoff      = 0;
        if (s->force) /* a probe that has not left: there is no need for it now */
                s->tlp_out = false;
        s->force = false;
        sendq_drop(s->q, w->ack > sendq_base(s->q) ? w->ack : sendq_base(s->q));
        sender_forget(s);
        recovered = loss_advance(&s->loss, sendq_base(s->q));
        conclude_losses(s, w->now_ns);
        conclude_tail(s, spurious_before, w);
        recovered = loss_advance(&s->loss, sendq_base(s->q)) || recovered;
        rate_end(&s->rate, &w->rate, s->rtt.min_ns);
        tell_controller(s, w);
        conclude_event(s, w->now_ns);
        if (recovered && !s->loss.recovering) {
                s->event.open = false;
                s->cc.ops->recovered(&s->cc, s->in_flight, w->now_ns);
        }
}

/* -- the whole -------------------------------------------------------------- */

bool sender_acknowledged(struct sender *s, const struct frct_hdr *h, int64_t now_ns)
{
        struct news w        = {.h = h, .now_ns = now_ns, .first_ns = INT64_MAX};
        uint64_t    base     = sendq_base(s->q);
        uint64_t    spurious = s->spurious;
        uint64_t    edge     = s->edge;

        w.ack = number_near(base, h->ack);
        if (w.ack > sendq_next(s->q) || sendq_next(s->q) - w.ack > UINT32_MAX / 2)
                return false;
        w.prior_in_flight = s->in_flight;
        w.prior_lost      = s->rate.lost;
        w.left            = sendq_next(s->q) - base;
        rate_begin(&w.rate);
        if (w.ack > base)
                arrived_range(s, base, w.ack, &w);
        take_ranges(s, &w);
        if (w.packets > 0)
                take_sample(s, &w);
        if (w.packets > 0)
                conclude(s, &w, spurious);
        take_edge(s, &w);
        take_marks(s, &w);
        pacer_set(&s->pacer, s->cc.pacing_rate, s->cc.burst, now_ns);
        if (w.packets > 0 || s->edge != edge)
                sender_set_timer(s, now_ns);
        return true;
}
