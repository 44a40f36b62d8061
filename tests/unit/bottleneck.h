/*
 * bottleneck.h - a sender that always (or now and then) has something to send, under BBR, over a path with one
 * bottleneck: a rate, a round-trip time, a buffer that drops or marks, losses by chance. In virtual time, and the
 * same each time.
 *
 * The way back takes no time and loses nothing: all of the delay lies on the way there. What is lost is known
 * with the next acknowledgement, and is not sent again: there is always new data in its place.
 */
#ifndef UNIT_BOTTLENECK_H
#define UNIT_BOTTLENECK_H

#include <string.h>

#include "base/clock.h"
#include "frct/cc.h"
#include "frct/rate.h"
#include "frct/rtt.h"

#include "random.h"

#define PACKETS (1u << 16) /* that can be out */

struct path {
        uint64_t rate; /* bytes per second */
        int64_t  rtt_ns;
        uint64_t buffer;   /* bytes that may wait; 0: any */
        uint64_t mark_at;  /* bytes that wait when packets are marked; 0: never */
        uint64_t loss_ppm; /* packets of a million that get lost by chance */
        unsigned ack_every;
};

struct packet {
        int64_t          tx_ns, arrive_ns;
        bool             dropped, marked;
        struct rate_mark mark;
};

struct flow {
        struct cc     cc;
        struct rtt    rtt;
        struct rate   rate;
        struct path   path;
        int64_t       now_ns;
        int64_t      *free_ns; /* of the bottleneck: its own_free_ns, or shared with others */
        int64_t       own_free_ns;
        int64_t       pace_ns;
        struct packet packets[PACKETS];
        uint64_t head, arriving, next; /* oldest that is not accounted for, next to arrive, next to be sent */
        uint64_t in_flight;
        unsigned waiting; /* packets that were not acknowledged yet */
        int64_t  ack_ns;
        uint64_t marks;
        bool     recovering, cwnd_limited;
        uint64_t recover_at, mark_at;
        uint64_t app_rate; /* bytes per second that there are to send; 0: any */
        int64_t  app_ns;
        uint64_t random;
        uint64_t n_lost, n_timeouts; /* packets, calls */
        int64_t  since_ns;           /* of what follows */
        uint64_t delivered_before, lost_before, n_sent;
        int64_t  wait_sum_ns, wait_max_ns;
        void (*watch)(struct flow *f); /* after each acknowledgement */
        void *watcher;
};

static inline struct packet *flow_packet(struct flow *f, uint64_t seq)
{
        return &f->packets[seq % PACKETS];
}

static void flow_init(struct flow *f, const struct path *p, uint64_t packet, uint64_t seed)
{
        memset(f, 0, sizeof(*f));
        f->path      = *p;
        f->random    = seed;
        f->free_ns   = &f->own_free_ns;
        f->ack_ns    = CLOCK_NEVER;
        f->cc.ops    = &cc_bbr;
        f->cc.packet = packet;
        f->cc.random = seed;
        f->cc.ops->init(&f->cc, 0);
}

/* -- there ------------------------------------------------------------------- */

static uint64_t queue_bytes(const struct flow *f)
{
        int64_t wait_ns = *f->free_ns > f->now_ns ? *f->free_ns - f->now_ns : 0;

        return (uint64_t)((double)wait_ns * (double)f->path.rate / 1e9);
}

static void enqueue(struct flow *f, struct packet *p)
{
        uint64_t queue   = queue_bytes(f);
        int64_t  took_ns = (int64_t)(f->cc.packet * (uint64_t)NS_PER_S / f->path.rate);

        p->dropped = random_below(&f->random, 1000000) < f->path.loss_ppm ||
                     (f->path.buffer > 0 && queue + f->cc.packet > f->path.buffer);
        p->marked = f->path.mark_at > 0 && queue >= f->path.mark_at;
        f->n_sent++;
        if (*f->free_ns > f->now_ns) {
                f->wait_sum_ns += *f->free_ns - f->now_ns;
                f->wait_max_ns =
                        *f->free_ns - f->now_ns > f->wait_max_ns ? *f->free_ns - f->now_ns : f->wait_max_ns;
        }
        if (p->dropped)
                return;
        *f->free_ns  = (*f->free_ns > f->now_ns ? *f->free_ns : f->now_ns) + took_ns;
        p->arrive_ns = *f->free_ns + f->path.rtt_ns;
}

static bool app_has(struct flow *f)
{
        if (f->app_rate == 0 || f->app_ns <= f->now_ns)
                return true;
        if (f->in_flight < f->cc.cwnd)
                rate_app_limited(&f->rate, f->in_flight);
        return false;
}

static bool window_has(struct flow *f)
{
        if (f->in_flight + f->cc.packet <= f->cc.cwnd)
                return true;
        f->cwnd_limited = true;
        return false;
}

static void spend(struct flow *f)
{
        int64_t burst_ns, least_ns;

        if (f->cc.pacing_rate == 0)
                return;
        burst_ns = (int64_t)(f->cc.burst * (uint64_t)NS_PER_S / f->cc.pacing_rate);
        least_ns = f->now_ns - burst_ns;

        f->pace_ns = f->pace_ns > least_ns ? f->pace_ns : least_ns;
        f->pace_ns += (int64_t)(f->cc.packet * (uint64_t)NS_PER_S / f->cc.pacing_rate);
        if (f->app_rate > 0)
                f->app_ns += (int64_t)(f->cc.packet * (uint64_t)NS_PER_S / f->app_rate);
}

static void flow_send(struct flow *f)
{
        while (app_has(f) && window_has(f) && f->pace_ns <= f->now_ns) {
                struct packet *p    = flow_packet(f, f->next);
                bool           idle = f->in_flight == 0 && f->rate.app_limited > 0;

                f->cc.ops->sent(&f->cc, f->cc.packet, f->in_flight, idle, f->now_ns);
                *p = (struct packet){.tx_ns = f->now_ns};
                rate_sent(&f->rate, &p->mark, f->cc.packet, f->in_flight, f->now_ns);
                f->in_flight += f->cc.packet;
                enqueue(f, p);
                spend(f);
                f->next++;
        }
}

/* -- back -------------------------------------------------------------------- */

static void lose(struct flow *f, const struct packet *first, uint64_t n)
{
        struct cc_loss l = {.now_ns = f->now_ns, .bytes = n * f->cc.packet};

        if (n == 0)
                return;
        f->in_flight -= l.bytes;
        f->rate.lost += l.bytes;
        f->n_lost += n;
        l.begins       = !f->recovering;
        l.in_flight    = f->in_flight;
        l.tx_in_flight = first->mark.in_flight;
        l.sample_lost  = f->rate.lost - first->mark.lost;
        l.app_limited  = first->mark.app_limited;
        l.delivered    = f->rate.delivered;
        l.next         = f->next;
        if (l.begins)
                f->recover_at = f->next;
        f->recovering = true;
        f->cc.ops->lost(&f->cc, &l);
}

static void tell_marks(struct flow *f)
{
        uint64_t n = f->marks;

        f->marks = 0;
        if (n == 0 || f->head < f->mark_at)
                return;
        f->mark_at = f->next;
        f->cc.ops->marked(&f->cc, n, f->in_flight, f->now_ns, f->next);
}

/* What has arrived of what was sent before @upto, and what never will: the first of those, and how many. */
static const struct packet *account(struct flow *f, uint64_t upto, struct cc_ack *a, struct rate_sample *s,
                                    uint64_t *n)
{
        const struct packet *lost = NULL;

        for (*n = 0; f->head < upto; f->head++) {
                struct packet *p = flow_packet(f, f->head);

                if (p->dropped) {
                        lost = (*n)++ == 0 ? p : lost;
                        continue;
                }
                a->packets++;
                a->acked += f->cc.packet;
                a->rtt_ns = p->arrive_ns - p->tx_ns;
                f->in_flight -= f->cc.packet;
                f->marks += p->marked;
                rate_acked(&f->rate, s, &p->mark, f->cc.packet, p->tx_ns, f->now_ns);
        }
        return lost;
}

static void tell_acked(struct flow *f, struct cc_ack *a, const struct rate_sample *s)
{
        a->in_flight       = f->in_flight;
        a->delivered       = f->rate.delivered;
        a->rate            = s->rate;
        a->interval_ns     = s->interval_ns;
        a->app_limited     = s->app_limited;
        a->prior_delivered = s->prior_delivered;
        a->tx_in_flight    = s->tx_in_flight;
        a->sample_lost     = s->lost;
        a->base            = f->head;
        a->next            = f->next;
        a->recovering      = f->recovering && f->head < f->recover_at;
        a->cwnd_limited    = f->cwnd_limited;
        f->cwnd_limited    = false;
        f->cc.ops->acked(&f->cc, a, &f->rtt);
        if (f->cc.withheld)
                rate_app_limited(&f->rate, f->in_flight);
        if (f->recovering && !a->recovering) {
                f->recovering = false;
                f->cc.ops->recovered(&f->cc, f->in_flight, f->now_ns);
        }
}

/* All that was sent before @upto has arrived, or never will. */
static void flow_ack(struct flow *f, uint64_t upto)
{
        struct cc_ack        a = {.now_ns = f->now_ns, .prior_in_flight = f->in_flight};
        struct rate_sample   s;
        const struct packet *lost;
        uint64_t             n;

        rate_begin(&s);
        lost   = account(f, upto, &a, &s, &n);
        a.lost = n * f->cc.packet;
        rtt_sample(&f->rtt, a.rtt_ns, 0, f->now_ns);
        lose(f, lost, n);
        rate_end(&f->rate, &s, f->rtt.min_ns);
        tell_acked(f, &a, &s);
        tell_marks(f);
        f->waiting = 0;
        f->ack_ns  = CLOCK_NEVER;
        if (f->watch != NULL)
                f->watch(f);
}

static void flow_arrive(struct flow *f)
{
        f->arriving++;
        if (f->waiting++ == 0)
                f->ack_ns = f->now_ns + 10 * NS_PER_MS;
        if (f->waiting >= f->path.ack_every)
                flow_ack(f, f->arriving);
}

/* Nothing will arrive any more. */
static void flow_timeout(struct flow *f)
{
        lose(f, flow_packet(f, f->head), f->next - f->head);
        f->head = f->arriving = f->next;
        f->n_timeouts++;
        f->cc.ops->timeout(&f->cc, f->in_flight, f->now_ns);
        f->pace_ns = f->now_ns;
}

/* -- time -------------------------------------------------------------------- */

/* Nothing will arrive any more, and the window is full of it. */
static bool flow_is_stuck(const struct flow *f)
{
        return f->head < f->next && f->arriving == f->next && f->waiting == 0 &&
               f->in_flight + f->cc.packet > f->cc.cwnd;
}

static int64_t flow_due(struct flow *f, int64_t until_ns)
{
        int64_t due_ns = until_ns;
        int64_t send_ns;

        while (f->arriving < f->next && flow_packet(f, f->arriving)->dropped)
                f->arriving++;
        if (f->arriving < f->next && flow_packet(f, f->arriving)->arrive_ns < due_ns)
                due_ns = flow_packet(f, f->arriving)->arrive_ns;
        if (f->ack_ns < due_ns)
                due_ns = f->ack_ns;
        send_ns = f->app_rate > 0 && f->app_ns > f->pace_ns ? f->app_ns : f->pace_ns;
        if (f->in_flight + f->cc.packet <= f->cc.cwnd && send_ns < due_ns)
                due_ns = send_ns;
        if (flow_is_stuck(f) && f->now_ns + rtt_rto_ns(&f->rtt, 0) < due_ns)
                due_ns = f->now_ns + rtt_rto_ns(&f->rtt, 0);
        return due_ns > f->now_ns ? due_ns : f->now_ns;
}

static void flow_step(struct flow *f, int64_t until_ns)
{
        flow_send(f);
        f->now_ns = flow_due(f, until_ns);
        if (f->arriving < f->next && flow_packet(f, f->arriving)->arrive_ns <= f->now_ns)
                flow_arrive(f);
        else if (f->ack_ns <= f->now_ns)
                flow_ack(f, f->arriving);
        else if (flow_is_stuck(f))
                flow_timeout(f);
}

static void flow_run(struct flow *f, int64_t ns)
{
        int64_t until_ns = f->now_ns + ns;

        while (f->now_ns < until_ns)
                flow_step(f, until_ns);
}

/* -- several ------------------------------------------------------------------- */

/* Begins at @start_ns, on a line that is busy until *@line_ns. */
static inline void flow_share_line(struct flow *f, int64_t *line_ns, int64_t start_ns)
{
        f->free_ns = line_ns;
        f->now_ns = f->pace_ns = start_ns;
}

/* Who is behind goes first: a packet that is sent now finds the line as those before have left it. */
static inline void flows_run(struct flow *flows, unsigned n, int64_t until_ns)
{
        for (;;) {
                struct flow *first = &flows[0];

                for (unsigned i = 1; i < n; i++)
                        first = flows[i].now_ns < first->now_ns ? &flows[i] : first;
                if (first->now_ns >= until_ns)
                        return;
                flow_step(first, until_ns);
        }
}

/* -- figures ------------------------------------------------------------------- */

static void flow_measure(struct flow *f)
{
        f->since_ns         = f->now_ns;
        f->delivered_before = f->rate.delivered;
        f->lost_before      = f->rate.lost;
        f->n_sent           = 0;
        f->wait_sum_ns      = 0;
        f->wait_max_ns      = 0;
}

/* What was delivered since, of what the path could have carried: thousandths. */
static unsigned flow_share(const struct flow *f)
{
        double could = (double)f->path.rate * (double)(f->now_ns - f->since_ns) / 1e9;

        return (unsigned)((double)(f->rate.delivered - f->delivered_before) * 1000 / could);
}

/* Mean wait in the queue, in thousandths of the round-trip time without one. */
static unsigned flow_queue(const struct flow *f)
{
        return (unsigned)(f->wait_sum_ns / (int64_t)(f->n_sent + (f->n_sent == 0)) * 1000 / f->path.rtt_ns);
}

#endif
