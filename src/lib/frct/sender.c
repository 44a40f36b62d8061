/*
 * sender.c - what leaves, and when. What an acknowledgement means is in acked.c.
 *
 * A packet may leave if the peer has room for its number, the congestion window for its bytes, and the pacer
 * lets it. What was lost goes before what is new. Two things break the rules of congestion, by one packet
 * each: a timeout (nothing would ever come back) and the probe of a tail (RFC 8985, 7.3).
 */
#include "frct/sender_parts.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "frct/ack.h"

#define WINDOW_PROBE_MAX_NS (5 * NS_PER_S)

/* -- birth and death -------------------------------------------------------- */

int sender_init(struct sender *s, const struct frct_conf *conf, uint64_t first, uint32_t origin,
                int64_t now_ns)
{
        size_t piece = conf->packet - FRCT_HDR_DATA_MAX;

        *s = (struct sender){
                .reliable = conf->reliable,
                .extra    = conf->overhead + FRCT_HDR_DATA,
                .edge     = first + SENDER_FIRST_WINDOW,
                .origin   = origin,
                .data_ns  = now_ns,
                .timer_ns = CLOCK_NEVER,
                .pace_ns  = CLOCK_NEVER,
        };
        s->q = sendq_create(piece, conf->tx_bytes > 0 ? conf->tx_bytes : FRCT_QUEUE_BYTES, first);
        loss_init(&s->loss);
        cc_init(&s->cc, conf->cc, piece + s->extra, conf->seed, now_ns);
        pacer_init(&s->pacer, s->cc.burst, now_ns);
        return s->q == NULL ? -ENOMEM : 0;
}

void sender_fini(struct sender *s)
{
        sendq_destroy(s->q);
        s->q = NULL;
}

static bool is_sending(const struct sender *s)
{
        return sendq_base(s->q) != sendq_next(s->q);
}

/*
 * Nothing of the old run lives: neither its packets nor their acknowledgements (doc/protocols/frct.md,
 * "Runs").
 */
void sender_begin(struct sender *s, int64_t idle_ns, uint64_t first, int64_t now_ns)
{
        if (sendq_base(s->q) != sendq_end(s->q) || now_ns - s->data_ns <= idle_ns)
                return;
        sendq_restart(s->q, first);
        loss_init(&s->loss);
        s->edge       = first + SENDER_FIRST_WINDOW;
        s->edge_known = false;
        s->n_told     = 0;
        s->tlp_out    = false;
        s->tlp_again  = false;
        s->event      = (struct event){0};
        s->round_end  = first;
}

/* -- what leaves ------------------------------------------------------------ */

static uint64_t size_of(const struct sender *s, const struct sent *p)
{
        return p->len + s->extra;
}

/*
 * The packet that is to be sent again before all others. A run begins with more trust than a receiver may
 * deserve (SENDER_FIRST_WINDOW): what it has no room for is not sent again until it has.
 */
static struct sent *next_lost(struct sender *s, uint64_t *seq)
{
        struct sent *p = s->reliable ? sendq_first_lost(s->q, seq) : NULL;

        return p != NULL && *seq < s->edge ? p : NULL;
}

static struct sent *next_new(struct sender *s, uint64_t *seq)
{
        *seq = sendq_next(s->q);
        return *seq < sendq_end(s->q) && *seq < s->edge ? sendq_at(s->q, *seq) : NULL;
}

/* The tail's last packet, when there is none new that could ask for it. */
static struct sent *last_out(struct sender *s, uint64_t *seq)
{
        for (*seq = sendq_next(s->q); *seq > sendq_base(s->q);) {
                struct sent *p = sendq_at(s->q, --*seq);

                if (!p->acked && *seq < s->edge)
                        return p;
        }
        return NULL;
}

/* What a timer wants sent. */
static struct sent *forced(struct sender *s, uint64_t *seq)
{
        struct sent *p = next_lost(s, seq);

        if (p == NULL)
                p = next_new(s, seq);
        if (p == NULL && s->reliable)
                p = last_out(s, seq);
        return p;
}

static bool window_lets(struct sender *s, const struct sent *p)
{
        if (s->in_flight == 0 || s->in_flight + size_of(s, p) <= s->cc.cwnd)
                return true;
        s->cwnd_limited = true;
        return false;
}

static bool pacer_lets(struct sender *s, int64_t now_ns)
{
        int64_t due_ns = pacer_due_ns(&s->pacer, now_ns);

        s->pace_ns = due_ns <= now_ns ? CLOCK_NEVER : due_ns;
        return due_ns <= now_ns;
}

struct sent *sender_next(struct sender *s, uint64_t *seq, int64_t now_ns)
{
        struct sent *p;

        s->pace_ns = CLOCK_NEVER;
        if (s->force)
                return forced(s, seq);
        p = next_lost(s, seq);
        if (p == NULL)
                p = next_new(s, seq);
        if (p == NULL) {
                if (s->in_flight < s->cc.cwnd)
                        rate_app_limited(&s->rate, s->in_flight);
                return NULL;
        }
        return window_lets(s, p) && pacer_lets(s, now_ns) ? p : NULL;
}

/* -- the timer -------------------------------------------------------------- */

static void set_timer(struct sender *s, enum sender_timer which, int64_t at_ns)
{
        s->timer    = which;
        s->timer_ns = at_ns;
}

/* Tail loss is probed for once, when nothing is known to be lost. */
static bool probes_tail(const struct sender *s)
{
        uint64_t seq;

        return s->reliable && s->backoff == 0 && !s->tlp_out && !s->loss.recovering && s->rtt.sampled &&
               sendq_first_lost(s->q, &seq) == NULL;
}

/* All that could be sent waits for room at the receiver. */
static bool is_held(const struct sender *s)
{
        return s->reliable
                       ? sendq_base(s->q) >= s->edge && sendq_base(s->q) < sendq_end(s->q)
                       : !is_sending(s) && sendq_next(s->q) >= s->edge && sendq_next(s->q) < sendq_end(s->q);
}

static int64_t window_probe_ns(const struct sender *s)
{
        int64_t ns = rtt_rto_ns(&s->rtt, s->window_probes);

        return ns < WINDOW_PROBE_MAX_NS ? ns : WINDOW_PROBE_MAX_NS;
}

static void set_loss_timer(struct sender *s, int64_t now_ns)
{
        int64_t rto_ns = now_ns + rtt_rto_ns(&s->rtt, s->backoff);
        int64_t pto_ns = now_ns + rtt_pto_ns(&s->rtt, sendq_next(s->q) - sendq_base(s->q) < ACK_EVERY);

        if (probes_tail(s) && pto_ns < rto_ns)
                set_timer(s, TIMER_TLP, pto_ns);
        else
                set_timer(s, TIMER_RTO, rto_ns);
}

void sender_set_timer(struct sender *s, int64_t now_ns)
{
        if (is_held(s))
                set_timer(s, TIMER_WINDOW, now_ns + window_probe_ns(s));
        else if (is_sending(s))
                set_loss_timer(s, now_ns);
        else
                set_timer(s, TIMER_NONE, CLOCK_NEVER);
}

void sender_queued(struct sender *s, int64_t now_ns)
{
        if (s->timer == TIMER_NONE)
                sender_set_timer(s, now_ns);
}

/* The packet @seq is out, for the first time or again. */
static void put_out(struct sender *s, struct sent *p, uint64_t seq, uint64_t bytes, int64_t now_ns)
{
        if (seq == sendq_next(s->q)) {
                p->first_ns = now_ns;
                s->in_flight += bytes;
                sendq_sent(s->q);
                return;
        }
        if (p->lost) {
                s->in_flight += bytes;
                if (seq == s->tlp_seq) /* no mere probe any more */
                        s->tlp_again = false;
        }
        s->retransmitted++;
        p->retransmitted = true;
        sendq_resent(s->q, seq);
}

static void note_probe(struct sender *s, uint64_t seq, bool again)
{
        if (s->force && s->tlp_out) {
                s->tlp_seq   = seq;
                s->tlp_again = again;
        }
        s->force = false;
        s->probe = false;
}

void sender_sent(struct sender *s, uint64_t seq, int64_t now_ns)
{
        struct sent *p     = sendq_at(s->q, seq);
        uint64_t     bytes = size_of(s, p);
        bool         idle  = s->in_flight == 0 && s->rate.app_limited > 0;

        s->cc.ops->sent(&s->cc, bytes, s->in_flight, idle, now_ns);
        rate_sent(&s->rate, &p->rate, bytes, s->in_flight, now_ns);
        pacer_set(&s->pacer, s->cc.pacing_rate, s->cc.burst, now_ns);
        pacer_spend(&s->pacer, bytes, now_ns);
        p->tx_ns = now_ns;
        p->stamp = sender_stamp(s, now_ns);
        if (!is_sending(s))
                s->flight_known = false;
        note_probe(s, seq, seq != sendq_next(s->q));
        put_out(s, p, seq, bytes, now_ns);
        s->data_ns = now_ns;
        sender_set_timer(s, now_ns);
}

/* -- loss ------------------------------------------------------------------- */

void sender_forget(struct sender *s)
{
        uint64_t seq = sendq_base(s->q);

        if (s->reliable)
                return;
        while (seq < sendq_next(s->q) && (sendq_at(s->q, seq)->lost || sendq_at(s->q, seq)->acked))
                seq++;
        sendq_drop(s->q, seq);
}

/* What was known when the first of them was sent. */
static void first_lost(const struct sender *s, struct cc_loss *l)
{
        const struct sent *p = sendq_at(s->q, s->loss.first_lost);

        l->tx_in_flight = p->rate.in_flight;
        l->sample_lost  = s->rate.lost - p->rate.lost;
        l->app_limited  = p->rate.app_limited;
}

void sender_lost(struct sender *s, uint64_t payload, unsigned n, int64_t now_ns)
{
        struct cc_loss l = {.now_ns = now_ns, .bytes = payload + n * s->extra};

        if (n == 0)
                return;
        s->in_flight -= l.bytes;
        s->rate.lost += l.bytes;
        l.begins    = loss_begin(&s->loss, sendq_next(s->q));
        l.in_flight = s->in_flight;
        l.delivered = s->rate.delivered;
        l.next      = sendq_next(s->q);
        first_lost(s, &l);
        if (l.begins) {
                s->losses++;
                s->event = (struct event){.open = true};
        }
        s->event.lost += n;
        s->cc.ops->lost(&s->cc, &l);
        sender_forget(s);
}

static void look_for_losses(struct sender *s, int64_t now_ns)
{
        unsigned n;
        uint64_t payload = loss_detect(&s->loss, s->q, &s->rtt, now_ns, &n);

        sender_lost(s, payload, n, now_ns);
}

void sender_take_back(struct sender *s, int64_t now_ns)
{
        unsigned n;
        uint64_t payload = loss_timeout(&s->loss, s->q, &s->rtt, now_ns, &n);

        s->room_ns = now_ns;
        if (!s->reliable || n == 0)
                return;
        s->in_flight -= payload + n * s->extra;
}

/* -- time ------------------------------------------------------------------- */

/* RFC 8985, 7.3. */
static void probe_tail(struct sender *s)
{
        s->probes++;
        s->tlp_out = true;
        s->force   = true;
        s->probe   = true;
}

/* RFC 6298, 5.4 to 5.7, with what RACK knows. */
static void time_out(struct sender *s, int64_t now_ns)
{
        unsigned n;
        uint64_t payload = loss_timeout(&s->loss, s->q, &s->rtt, now_ns, &n);

        s->timeouts++;
        s->tlp_out = false;
        sender_lost(s, payload, n, now_ns);
        s->cc.ops->timeout(&s->cc, s->in_flight, now_ns);
        s->backoff++;
        s->force = s->reliable || sendq_next(s->q) < sendq_end(s->q);
        s->probe = true;
}

/* R does not run while the receiver has no room: it is there, or keepalive says that it is not. */
static int64_t hopeless_ns(const struct sender *s)
{
        int64_t from_ns;

        if (!s->reliable || !is_sending(s) || is_held(s))
                return CLOCK_NEVER;
        from_ns = sendq_at(s->q, sendq_base(s->q))->first_ns;
        return clock_after(from_ns > s->room_ns ? from_ns : s->room_ns, FRCT_R_NS);
}

static void fire(struct sender *s, int64_t now_ns)
{
        enum sender_timer which = s->timer;

        set_timer(s, TIMER_NONE, CLOCK_NEVER);
        switch (which) {
        case TIMER_TLP: probe_tail(s); break;
        case TIMER_RTO: time_out(s, now_ns); break;
        case TIMER_WINDOW:
                s->probe = true;
                s->window_probes++;
                break;
        case TIMER_NONE: break;
        }
        sender_set_timer(s, now_ns);
}

bool sender_expire(struct sender *s, int64_t now_ns)
{
        if (hopeless_ns(s) <= now_ns)
                return false;
        if (s->loss.reo_due_ns <= now_ns)
                look_for_losses(s, now_ns);
        if (s->timer == TIMER_RTO && !is_sending(s)) /* all that was out is given up */
                sender_set_timer(s, now_ns);
        if (s->timer_ns <= now_ns)
                fire(s, now_ns);
        return true;
}

int64_t sender_due_ns(const struct sender *s)
{
        int64_t due_ns = s->timer_ns;

        if (s->loss.reo_due_ns < due_ns)
                due_ns = s->loss.reo_due_ns;
        if (s->pace_ns < due_ns)
                due_ns = s->pace_ns;
        if (hopeless_ns(s) < due_ns)
                due_ns = hopeless_ns(s);
        return due_ns;
}

/* -- what is told ----------------------------------------------------------- */

uint32_t sender_stamp(const struct sender *s, int64_t now_ns)
{
        return (uint32_t)(now_ns / NS_PER_US) + s->origin;
}

bool sender_asks_window(struct sender *s, int64_t now_ns)
{
        if (!is_held(s))
                return false;
        s->data_ns = now_ns;
        return true;
}

bool sender_tells_run(const struct sender *s)
{
        return !s->reliable || !s->flight_known || !is_sending(s);
}

bool sender_is_quiet(const struct sender *s)
{
        return sendq_next(s->q) == sendq_end(s->q) && (!s->reliable || sendq_base(s->q) == sendq_end(s->q));
}
