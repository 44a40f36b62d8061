/*
 * cubic.c - CUBIC (RFC 9438).
 *
 *     W(t) = C (t - K)^3 + W_max     C = 0.4 packets / s^3; K: W(0) is the window at the beginning
 *
 * Without floating point: t counts in ticks of 2^16 ns, windows in bytes, and W(t) - W_max is computed from
 * the cube of at most 21 bits, so in 63. Precision is 65 us in t and some bytes in W, for windows of up to
 * a million packets.
 *
 * Reductions count from the window, not from what is in flight: so the window must not grow unless it is
 * used (RFC 9438, 4.6 and 5.8), which is_used() sees to. Time in which it is not used is no time of the
 * curve.
 *
 * Divisions are rare: congestion avoidance grows in steps of at least 1/32 of a window acknowledged, and
 * the pacing rate is computed anew when the window or the round-trip time has changed by 1/64.
 */
#include "frct/cc.h"

#include "base/clock.h"

#define CWND_MAX (UINT64_C(1) << 32) /* bytes: 2^16 packets, the widest window of a receiver, of 2^16 bytes */

#define BETA_LOSS     70u  /* percent that are left                        */
#define BETA_MARK     85u  /* RFC 8511: a queue that marks is a short one  */
#define ALPHA_Q10     542u /* 3 (1 - beta) / (1 + beta) for losses: Reno too takes less for a mark */
#define ALPHA_ONE_Q10 1024u

#define MIN_LOSS_PACKETS 2u
#define BURST_MAX        (UINT64_C(64) << 10)
#define NO_THRESHOLD     UINT64_MAX

/* -- the curve -------------------------------------------------------------- */

#define TICK_SHIFT  16
#define TICKS_MAX   ((INT64_C(1) << 21) - 1) /* 137 s from K: a million packets */
#define CUBE_SHIFT  24
#define C_Q40       UINT64_C(2076919)   /* C in packets / tick^3, << (CUBE_SHIFT + 40)      */
#define TICKS3_Q16  UINT64_C(135525272) /* 1 / C in ticks^3 / packet, >> 16                 */
#define PACKETS_Q16 ((uint64_t)INT64_MAX / TICKS3_Q16)

static int64_t ticks(int64_t ns)
{
        int64_t t = ns >> TICK_SHIFT;

        return t < 2 * TICKS_MAX ? t : 2 * TICKS_MAX;
}

/* Of @x below 2^63, rounded down: bit by bit, once a stage. */
static int64_t cube_root(uint64_t x)
{
        uint64_t root = 0;

        for (uint64_t bit = UINT64_C(1) << 20; bit > 0; bit >>= 1) {
                uint64_t r = root | bit;

                if (r * r * r <= x)
                        root = r;
        }
        return (int64_t)root;
}

/* Ticks in which the curve climbs @bytes to where it is flat. */
static int64_t ticks_to_climb(uint64_t bytes, uint64_t packet)
{
        uint64_t packets_q16 = (bytes << 16) / packet;

        return cube_root((packets_q16 < PACKETS_Q16 ? packets_q16 : PACKETS_Q16) * TICKS3_Q16);
}

/* W(@t). */
static uint64_t curve_at(const struct cubic_curve *w, uint64_t packet, int64_t t)
{
        uint64_t far         = (uint64_t)(t > w->k ? t - w->k : w->k - t);
        uint64_t d           = far < (uint64_t)TICKS_MAX ? far : (uint64_t)TICKS_MAX;
        uint64_t packets_q20 = ((d * d * d >> CUBE_SHIFT) * C_Q40) >> 20;
        uint64_t bytes       = (packets_q20 * packet) >> 20;

        if (t > w->k)
                return w->w_max + bytes;
        return bytes < w->w_max ? w->w_max - bytes : 0;
}

/* After slow start or a timeout, nothing is known of a maximum: K is 0 (RFC 9438, 4.8 and 4.10). */
static void curve_begin(struct cubic_curve *w, const struct cc *c, int64_t now_ns)
{
        w->begun    = true;
        w->start_ns = now_ns;
        w->est_q16  = c->cwnd << 16;
        if (w->w_max > c->cwnd) {
                w->k = ticks_to_climb(w->w_max - c->cwnd, c->packet);
        } else {
                w->k     = 0;
                w->w_max = c->cwnd;
        }
}

/* -- small things ----------------------------------------------------------- */

static void set_cwnd(struct cc *c, uint64_t bytes)
{
        c->cwnd = bytes < CWND_MAX ? bytes : CWND_MAX;
}

static bool in_slow_start(const struct cc *c)
{
        return c->cwnd < c->cubic.ssthresh;
}

static bool in_first_slow_start(const struct cc *c)
{
        return c->cubic.ssthresh == NO_THRESHOLD;
}

/*
 * Whether the window is in use. Where the pacer delays packets that the window lets, the window is not what
 * holds the sender back, but it would be: so what was out counts as well, less of it in slow start, where
 * the window runs ahead.
 */
static bool is_used(const struct cc *c, const struct cc_ack *a)
{
        if (a->cwnd_limited)
                return true;
        if (in_slow_start(c))
                return a->prior_in_flight > c->cwnd >> 1;
        return a->prior_in_flight >= c->cwnd - (c->cwnd >> 3);
}

/* -- pacing ----------------------------------------------------------------- */

/*
 * Twice the window per round trip in slow start, which doubles it, and 5/4 later: faster than the window
 * allows, so that it is the window that decides. Bursts are 1 ms long.
 */
static void pace(struct cc *c)
{
        struct cubic *q       = &c->cubic;
        uint64_t      gain_ns = (uint64_t)(in_slow_start(c) ? 2 * NS_PER_S : NS_PER_S + NS_PER_S / 4);

        if (q->srtt_ns <= 0)
                return;
        q->paced.cwnd    = c->cwnd;
        q->paced.srtt_ns = q->srtt_ns;
        c->pacing_rate   = c->cwnd * gain_ns / (uint64_t)q->srtt_ns;
        if (c->pacing_rate == 0)
                c->pacing_rate = 1;
        c->burst = c->pacing_rate >> 10;
        if (c->burst > BURST_MAX)
                c->burst = BURST_MAX;
        if (c->burst < 2 * c->packet)
                c->burst = 2 * c->packet;
}

static bool has_drifted(uint64_t v, uint64_t from)
{
        return (v > from ? v - from : from - v) > from >> 6;
}

static void pace_on(struct cc *c)
{
        const struct cubic *q = &c->cubic;

        if (has_drifted(c->cwnd, q->paced.cwnd) ||
            has_drifted((uint64_t)q->srtt_ns, (uint64_t)q->paced.srtt_ns))
                pace(c);
}

/* -- growth ----------------------------------------------------------------- */

static void leave_slow_start(struct cc *c)
{
        c->cubic.ssthresh = c->cwnd;
        pace(c);
}

/* By what was acknowledged (RFC 3465), at most 8 packets at once if they are not paced (RFC 9406, 4.3). */
static void slow_start(struct cc *c, const struct cc_ack *a)
{
        struct cubic      *q     = &c->cubic;
        enum hystart_phase phase = HYSTART_FAST;
        uint64_t           grow  = a->acked;

        if (in_first_slow_start(c))
                phase = hystart_acked(&q->hystart, a->base, a->next, a->rtt_ns);
        if (phase == HYSTART_OVER)
                leave_slow_start(c);
        if (phase == HYSTART_OVER || !is_used(c, a))
                return;
        if (c->pacing_rate == 0 && grow > HYSTART_LIMIT * c->packet)
                grow = HYSTART_LIMIT * c->packet;
        if (phase == HYSTART_CAREFUL)
                grow /= HYSTART_GROWTH_DIVISOR;
        set_cwnd(c, grow < q->ssthresh - c->cwnd ? c->cwnd + grow : q->ssthresh);
        if (!in_slow_start(c))
                pace(c);
}

/* The part of a window, << 20, that was acknowledged since the last step; 0: too little for a step. */
static uint64_t take_credit(struct cc *c, uint64_t acked)
{
        struct cubic *q = &c->cubic;
        uint64_t      part_q20;

        q->credit += acked;
        if (q->credit < c->cwnd >> 5)
                return 0;
        part_q20  = (q->credit < c->cwnd ? q->credit << 20 : c->cwnd << 20) / c->cwnd;
        q->credit = 0;
        return part_q20;
}

/*
 * RFC 9438, 4.3: alpha packets a round trip, and one as soon as it is where it was before the reduction.
 * Returns bytes.
 */
static uint64_t grow_as_reno(struct cc *c, uint64_t part_q20)
{
        struct cubic_curve *w     = &c->cubic.curve;
        uint64_t            alpha = w->est_q16 >> 16 < w->prior ? ALPHA_Q10 : ALPHA_ONE_Q10;

        w->est_q16 += (c->packet * part_q20 * alpha) >> 14;
        if (w->est_q16 >> 16 > CWND_MAX)
                w->est_q16 = CWND_MAX << 16;
        return w->est_q16 >> 16;
}

/*
 * RFC 9438, 4.4 and 4.5: in a round trip to where the curve will be then, but no more than half as much
 * again.
 */
static void grow_to(struct cc *c, uint64_t target, uint64_t part_q20)
{
        uint64_t most = c->cwnd + (c->cwnd >> 1);

        if (target > most)
                target = most;
        if (target > c->cwnd)
                set_cwnd(c, c->cwnd + ((target - c->cwnd) * part_q20 >> 20));
}

static void grow(struct cc *c, uint64_t part_q20, int64_t now_ns)
{
        struct cubic_curve *w     = &c->cubic.curve;
        int64_t             since = now_ns - w->start_ns;
        uint64_t            reno  = grow_as_reno(c, part_q20);

        if (curve_at(w, c->packet, ticks(since)) >= reno)
                grow_to(c, curve_at(w, c->packet, ticks(since + c->cubic.srtt_ns)), part_q20);
        else if (reno > c->cwnd)
                set_cwnd(c, reno);
}

static void avoid_congestion(struct cc *c, const struct cc_ack *a)
{
        struct cubic *q = &c->cubic;
        uint64_t      part_q20;

        if (!is_used(c, a)) {
                q->curve.start_ns += a->now_ns - q->last_ns;
                return;
        }
        if (!q->curve.begun)
                curve_begin(&q->curve, c, a->now_ns);
        part_q20 = take_credit(c, a->acked);
        if (part_q20 > 0)
                grow(c, part_q20, a->now_ns);
}

static void observe(struct cubic *q, const struct cc_ack *a, const struct rtt *r)
{
        if (!a->recovering)
                q->phase = CUBIC_OPEN;
        if (a->base >= q->mark_end)
                q->marked = false;
        if (r->sampled) {
                q->srtt_ns = r->srtt_ns;
                q->rto_ns  = rtt_rto_ns(r, 0);
        }
}

static void cubic_acked(struct cc *c, const struct cc_ack *a, const struct rtt *r)
{
        struct cubic *q = &c->cubic;

        observe(q, a, r);
        if (q->phase != CUBIC_RECOVERY && in_slow_start(c))
                slow_start(c, a);
        else if (q->phase == CUBIC_OPEN)
                avoid_congestion(c, a);
        pace_on(c);
        q->last_ns = a->now_ns;
}

/* -- idleness --------------------------------------------------------------- */

/*
 * RFC 5681, 4.1, in the way of RFC 2861: each timeout's length of silence takes half of the window, not
 * below the initial one, and slow start leads back to three quarters of what it was. The way back is paced.
 */
static void decay(struct cc *c, int64_t silent_ns)
{
        struct cubic *q       = &c->cubic;
        uint64_t      initial = CC_INITIAL_PACKETS * c->packet;
        uint64_t      back    = c->cwnd - (c->cwnd >> 2);

        if (q->rto_ns == 0 || silent_ns <= q->rto_ns || c->cwnd <= initial)
                return;
        for (; silent_ns > q->rto_ns && c->cwnd > initial; silent_ns -= q->rto_ns)
                c->cwnd >>= 1;
        if (c->cwnd < initial)
                c->cwnd = initial;
        if (q->ssthresh < back)
                q->ssthresh = back;
        q->curve.begun = false;
        pace(c);
}

static void cubic_sent(struct cc *c, uint64_t bytes, uint64_t in_flight, bool idle, int64_t now_ns)
{
        struct cubic *q = &c->cubic;

        (void)bytes;
        if (idle && in_flight == 0) {
                q->curve.start_ns += now_ns - q->last_ns;
                q->last_ns = now_ns;
                decay(c, now_ns - q->sent_ns);
        }
        q->sent_ns = now_ns;
}

/* -- reduction -------------------------------------------------------------- */

static void save(struct cc *c)
{
        struct cubic *q = &c->cubic;

        q->saved.valid    = true;
        q->saved.cwnd     = c->cwnd;
        q->saved.ssthresh = q->ssthresh;
        q->saved.curve    = q->curve;
}

/* Leaves @percent of what the window was before the reduction. */
static void lower(struct cc *c, unsigned percent)
{
        struct cubic *q   = &c->cubic;
        uint64_t      min = MIN_LOSS_PACKETS * c->packet;

        q->ssthresh = q->curve.prior * percent / 100;
        if (q->ssthresh < min)
                q->ssthresh = min;
        if (c->cwnd > q->ssthresh)
                c->cwnd = q->ssthresh;
        q->curve.begun = false;
}

/*
 * RFC 9438, 4.6 and 4.7: a maximum below the last one means that there is less room; it is left to others
 * early.
 */
static void reduce(struct cc *c, unsigned percent)
{
        struct cubic_curve *w = &c->cubic.curve;

        w->w_max = c->cwnd < w->w_max ? c->cwnd * (100 + percent) / 200 : c->cwnd;
        w->prior = c->cwnd;
        lower(c, percent);
}

/*
 * A loss in the round of a mark is the same congestion (RFC 3168, 6.1.2): the two together take what the
 * loss alone would.
 */
static void reduce_for_loss(struct cc *c)
{
        save(c);
        if (c->cubic.marked)
                lower(c, BETA_LOSS);
        else
                reduce(c, BETA_LOSS);
}

static void cubic_lost(struct cc *c, const struct cc_loss *l)
{
        if (!l->begins)
                return;
        reduce_for_loss(c);
        c->cubic.phase = CUBIC_RECOVERY;
        pace(c);
}

/* What was lost in the same round has reduced it already, and more. */
static void cubic_marked(struct cc *c, uint64_t packets, uint64_t in_flight, int64_t now_ns, uint64_t next)
{
        struct cubic *q = &c->cubic;

        (void)in_flight;
        (void)now_ns;
        if (packets == 0 || q->marked || q->phase != CUBIC_OPEN)
                return;
        q->saved.valid = false; /* a loss before that was none does not excuse the mark */
        q->marked      = true;
        q->mark_end    = next;
        reduce(c, BETA_MARK);
        pace(c);
}

/*
 * RFC 9438, 4.8. A timeout in the middle of an event is part of it: the threshold was lowered then (RFC
 * 5681, 3.1).
 */
static void cubic_timeout(struct cc *c, uint64_t in_flight, int64_t now_ns)
{
        struct cubic *q = &c->cubic;

        (void)in_flight;
        (void)now_ns;
        if (q->phase == CUBIC_OPEN)
                reduce_for_loss(c);
        q->curve.w_max = 0;
        q->curve.begun = false;
        q->phase       = CUBIC_TIMEOUT;
        if (c->cwnd > c->packet)
                c->cwnd = c->packet;
        pace(c);
}

static void cubic_recovered(struct cc *c, uint64_t in_flight, int64_t now_ns)
{
        (void)in_flight;
        (void)now_ns;
        c->cubic.phase = CUBIC_OPEN;
}

/* RFC 9438, 4.9. A window that is wider than before by now needs nothing. */
static void cubic_undo(struct cc *c, int64_t now_ns)
{
        struct cubic *q = &c->cubic;

        (void)now_ns;
        if (!q->saved.valid)
                return;
        q->saved.valid = false;
        q->phase       = CUBIC_OPEN;
        if (c->cwnd >= q->saved.cwnd)
                return;
        c->cwnd     = q->saved.cwnd;
        q->ssthresh = q->saved.ssthresh;
        q->curve    = q->saved.curve;
        pace(c);
}

static void cubic_init(struct cc *c, int64_t now_ns)
{
        struct cubic *q = &c->cubic;

        q->ssthresh = NO_THRESHOLD;
        q->last_ns  = now_ns;
        q->sent_ns  = now_ns;
        hystart_init(&q->hystart);
}

const struct cc_ops cc_cubic = {
        .name      = "cubic",
        .init      = cubic_init,
        .sent      = cubic_sent,
        .acked     = cubic_acked,
        .lost      = cubic_lost,
        .marked    = cubic_marked,
        .timeout   = cubic_timeout,
        .recovered = cubic_recovered,
        .undo      = cubic_undo,
};
