#include "frct/bbr_cycle.h"

#include "frct/bbr_model.h"

#define PROBE_RTT_NS     (INT64_C(200) * 1000000)
#define PROBE_WAIT_NS    (INT64_C(2) * 1000000000)
#define PROBE_SPREAD_NS  (INT64_C(1) * 1000000000)
#define PROBE_AFTER_NS   (INT64_C(2) * 1000000000) /* PROBE_RTT, at most */
#define PROBE_ROUNDS     63u /* as often as Reno would lose a packet, on a path of so many packets */
#define DRAIN_ROUNDS     3u
#define STANDING_ROUNDS  3u  /* in which the queue that a probe leaves should be gone */
#define STALE_PART       8u  /* of the least delay: a probe that finds less of a queue is bound by nothing */
#define STALE_STEP       3u  /* packets for which inflight_hi grows by one then */
#define UP_PART          12u /* of the least delay, by which a probe may raise it */
#define RIVAL_PART       8u  /* that are left in PROBE_RTT */
#define THIN_ROUNDS      2u  /* to send, and to measure what was sent */
#define STARTUP_LOSSES   6u
#define STARTUP_MARKS    2u /* rounds */
#define UP_ROUNDS_MAX    30u
#define PROBE_RTT_GAIN   500u
#define DEFAULT_CWND     2000u
#define RANDOM_FACTOR    UINT64_C(6364136223846793005) /* Knuth's MMIX */
#define RANDOM_INCREMENT UINT64_C(1442695040888963407)

/* 0 .. @n - 1: the upper half, since the lower bits of such a generator repeat soon. */
static uint64_t pick(struct cc *c, uint64_t n)
{
        c->random = c->random * RANDOM_FACTOR + RANDOM_INCREMENT;
        return (c->random >> 32) * n >> 32;
}

bool bbr_is_cycling(const struct cc *c)
{
        return c->bbr.state >= BBR_DOWN && c->bbr.state <= BBR_UP;
}

/* -- the window to return to ------------------------------------------------ */

void bbr_cwnd_save(struct cc *c)
{
        struct bbr *b = &c->bbr;

        if (b->recovering || b->state == BBR_PROBE_RTT)
                b->prior_cwnd = bbr_max(b->prior_cwnd, c->cwnd);
        else
                b->prior_cwnd = c->cwnd;
}

void bbr_cwnd_restore(struct cc *c)
{
        c->cwnd = bbr_max(c->cwnd, c->bbr.prior_cwnd);
}

uint64_t bbr_cwnd_probe_rtt(const struct cc *c)
{
        return bbr_max(bbr_bdp(c, c->bbr.bw, PROBE_RTT_GAIN), bbr_min_cwnd(c));
}

/* -- entering a state --------------------------------------------------------- */

static void enter_down(struct cc *c, int64_t now_ns)
{
        struct bbr *b = &c->bbr;

        bbr_forget_signals(c);
        b->stood         = 0;
        b->yielded       = false;
        b->up_step       = BBR_UNBOUND;
        b->probe_rounds  = (unsigned)pick(c, 2);
        b->probe_wait_ns = PROBE_WAIT_NS + (int64_t)pick(c, PROBE_SPREAD_NS);
        b->cycle_ns      = now_ns;
        b->feedback      = BBR_OF_STOP;
        b->state         = BBR_DOWN;
        bbr_round_begin(c);
}

static void enter_refill(struct cc *c)
{
        struct bbr *b = &c->bbr;

        bbr_forget_short_term(c);
        b->up_rounds     = 0;
        b->up_acked      = 0;
        b->precautionary = false;
        b->feedback      = BBR_OF_REFILL;
        b->state         = BBR_REFILL;
        bbr_round_begin(c);
}

/*
 * inflight_hi grows by 1, 2, 4, 8, ... packets a round; by a third where the probe found no queue: then the
 * bound is of another time.
 */
static void steepen(struct cc *c)
{
        struct bbr *b     = &c->bbr;
        bool        stale = !b->rivals && !bbr_is_above(c, b->up_srtt_ns, b->min_rtt_ns, STALE_PART);

        b->up_step = stale ? STALE_STEP * c->packet : bbr_max(c->cwnd >> b->up_rounds, c->packet);
        if (b->up_rounds < UP_ROUNDS_MAX)
                b->up_rounds++;
}

static void enter_up(struct cc *c, const struct cc_ack *a)
{
        c->bbr.is_probe   = true;
        c->bbr.feedback   = BBR_OF_START;
        c->bbr.state      = BBR_UP;
        c->bbr.up_srtt_ns = c->bbr.srtt_ns;
        bbr_round_begin(c);
        bbr_full_reset(c, a->rate);
        steepen(c);
}

/* The window is saved first: the state tells whether what was saved before still counts. */
static void enter_probe_rtt(struct cc *c)
{
        struct bbr *b = &c->bbr;

        bbr_cwnd_save(c);
        b->probe_rtt_done_ns = 0;
        b->probe_rtt_low_ns  = INT64_MAX;
        b->feedback          = BBR_OF_STOP;
        b->state             = BBR_PROBE_RTT;
        bbr_round_begin(c);
}

/* -- Startup, Drain ----------------------------------------------------------- */

/* A whole round in recovery, with losses enough to be no accident; or marks in two rounds running. */
static bool loses_much(const struct cc *c, const struct cc_ack *a)
{
        const struct bbr *b = &c->bbr;

        if (!b->loss_round_start)
                return false;
        return b->mark_rounds >= STARTUP_MARKS || (a->recovering && b->losses >= STARTUP_LOSSES &&
                                                   bbr_too_much(a->sample_lost, a->tx_in_flight));
}

static void in_startup(struct cc *c, const struct cc_ack *a)
{
        struct bbr *b = &c->bbr;

        if (!b->full_ever && loses_much(c, a)) {
                b->undo_state  = BBR_STARTUP;
                b->full_ever   = true;
                b->inflight_hi = bbr_max(bbr_bdp(c, b->bw, 1000), b->inflight_latest);
        }
        if (!b->full_ever)
                return;
        b->state       = BBR_DRAIN;
        b->drain_round = b->rounds;
}

static void in_drain(struct cc *c, const struct cc_ack *a)
{
        if (a->in_flight <= bbr_inflight(c, c->bbr.bw, 1000) ||
            c->bbr.rounds > c->bbr.drain_round + DRAIN_ROUNDS)
                enter_down(c, a->now_ns);
}

/* -- the cycle ---------------------------------------------------------------- */

static bool is_time_to_probe(const struct cc *c, int64_t now_ns)
{
        uint64_t packets = bbr_target(c) / c->packet;

        return now_ns > c->bbr.cycle_ns + c->bbr.probe_wait_ns ||
               c->bbr.probe_rounds >= bbr_min(packets, PROBE_ROUNDS);
}

/*
 * The greatest rates that flows have seen add up to more than the path carries, since each saw its own when
 * others had less; what they are given at one time does not. Who has most yields most. Rivals would take what
 * is yielded.
 */
static void yield_if_due(struct cc *c, const struct cc_ack *a)
{
        const struct bbr *b = &c->bbr;

        if (b->round_start && b->stood >= STANDING_ROUNDS && !b->yielded && !b->rivals && !a->app_limited &&
            b->rounds > b->thin_until)
                bbr_yield(c);
}

static void in_down(struct cc *c, const struct cc_ack *a)
{
        yield_if_due(c, a);
        if (is_time_to_probe(c, a->now_ns))
                enter_refill(c);
        else if (a->in_flight <= bbr_with_headroom(c) && a->in_flight <= bbr_inflight(c, c->bbr.max_bw, 1000))
                c->bbr.state = BBR_CRUISE;
}

static void in_cruise(struct cc *c, const struct cc_ack *a)
{
        yield_if_due(c, a);
        if (is_time_to_probe(c, a->now_ns))
                enter_refill(c);
}

static void in_refill(struct cc *c, const struct cc_ack *a)
{
        if (c->bbr.round_start)
                enter_up(c, a);
}

/*
 * A probe has found its part when it has raised the delay: all flows raise the queue by the same, whatever
 * they have. Caution: where the last probe lost too much, this one turns back at once, and comes again if that
 * went well.
 */
static bool is_time_to_go_down(struct cc *c, const struct cc_ack *a)
{
        struct bbr *b = &c->bbr;

        if (bbr_is_above(c, b->srtt_ns, b->up_srtt_ns, UP_PART))
                return true;
        if (b->too_high && a->in_flight >= b->inflight_hi) {
                b->precautionary = true;
                return true;
        }
        if (b->cwnd_limited && c->cwnd >= b->inflight_hi) {
                bbr_full_reset(c, a->rate); /* it is the bound that limits, not the path */
                return false;
        }
        return b->full_now;
}

static void in_up(struct cc *c, const struct cc_ack *a)
{
        if (!is_time_to_go_down(c, a))
                return;
        c->bbr.too_high = false; /* as far as is known yet */
        enter_down(c, a->now_ns);
}

/* -- PROBE_RTT ------------------------------------------------------------------ */

static void leave_probe_rtt(struct cc *c, int64_t now_ns)
{
        struct bbr *b = &c->bbr;

        b->probe_rtt_at_ns = now_ns;
        b->thin_until      = b->rounds + THIN_ROUNDS;
        bbr_cwnd_restore(c);
        bbr_forget_short_term(c);
        b->state = BBR_STARTUP;
        if (!b->full_ever)
                return;
        if (b->probe_rtt_low_ns != INT64_MAX)
                b->rivals = bbr_is_above(c, b->probe_rtt_low_ns, b->min_rtt_ns, RIVAL_PART);
        enter_down(c, now_ns); /* the clock of the cycle starts again; there is no queue that had to go */
        b->probe_wait_ns = (int64_t)pick(c, PROBE_AFTER_NS);
        b->state         = BBR_CRUISE;
}

static void leave_probe_rtt_if_done(struct cc *c, int64_t now_ns)
{
        if (c->bbr.probe_rtt_done_ns != 0 && now_ns > c->bbr.probe_rtt_done_ns)
                leave_probe_rtt(c, now_ns);
}

static void in_probe_rtt(struct cc *c, const struct cc_ack *a)
{
        struct bbr *b = &c->bbr;

        if (a->rtt_ns > 0 && a->rtt_ns < b->probe_rtt_low_ns)
                b->probe_rtt_low_ns = a->rtt_ns;
        if (b->probe_rtt_done_ns == 0) {
                if (a->in_flight > bbr_cwnd_probe_rtt(c))
                        return;
                b->probe_rtt_done_ns = a->now_ns + PROBE_RTT_NS;
                b->probe_rtt_round   = false;
                bbr_round_begin(c);
                return;
        }
        b->probe_rtt_round |= b->round_start;
        if (b->probe_rtt_round)
                leave_probe_rtt_if_done(c, a->now_ns);
}

/* -- all of them ------------------------------------------------------------------ */

static const struct {
        unsigned pacing, cwnd; /* gains, thousandths */
        void (*acked)(struct cc *c, const struct cc_ack *a);
} states[BBR_N_STATES] = {
        [BBR_STARTUP]   = {2770, DEFAULT_CWND, in_startup}, /* 4 ln 2: twice the rate in a round */
        [BBR_DRAIN]     = {500, DEFAULT_CWND, in_drain},
        [BBR_DOWN]      = {900, DEFAULT_CWND, in_down},
        [BBR_CRUISE]    = {1000, DEFAULT_CWND, in_cruise},
        [BBR_REFILL]    = {1000, DEFAULT_CWND, in_refill},
        [BBR_UP]        = {1250, 2250, in_up},
        [BBR_PROBE_RTT] = {1000, PROBE_RTT_GAIN, in_probe_rtt},
};

unsigned bbr_pacing_gain(const struct cc *c)
{
        return states[c->bbr.state].pacing;
}

unsigned bbr_cwnd_gain(const struct cc *c)
{
        return states[c->bbr.state].cwnd;
}

/* inflight_hi follows what the path has carried without losing too much. */
static void raise_hi(struct cc *c, const struct cc_ack *a)
{
        struct bbr *b = &c->bbr;

        if (b->inflight_hi == BBR_UNBOUND || bbr_too_much(a->sample_lost, a->tx_in_flight))
                return;
        b->inflight_hi = bbr_max(b->inflight_hi, a->tx_in_flight);
        if (b->state != BBR_UP || !b->cwnd_limited || c->cwnd < b->inflight_hi)
                return;
        b->up_acked += a->acked;
        b->inflight_hi += b->up_acked / b->up_step * c->packet;
        b->up_acked %= b->up_step;
        if (b->round_start)
                steepen(c);
}

/* Acknowledgements of a probe are over, a round after it. True: it went well, and is repeated without caution. */
static bool end_cycle(struct cc *c, const struct cc_ack *a)
{
        struct bbr *b = &c->bbr;

        b->is_probe = false;
        b->feedback = BBR_OF_NOTHING;
        if (!bbr_is_cycling(c))
                return false;
        if (!a->app_limited)
                bbr_bw_advance(c);
        if (!b->precautionary || b->too_high)
                return false;
        enter_refill(c);
        return true;
}

static bool adapt_long_term(struct cc *c, const struct cc_ack *a)
{
        struct bbr *b = &c->bbr;

        if (b->feedback == BBR_OF_START && b->round_start)
                b->feedback = BBR_OF_PROBE;
        else if (b->feedback == BBR_OF_STOP && b->round_start && end_cycle(c, a))
                return true;
        raise_hi(c, a);
        return false;
}

void bbr_cycle_acked(struct cc *c, const struct cc_ack *a)
{
        struct bbr *b = &c->bbr;

        if (!b->full_ever || !adapt_long_term(c, a))
                states[b->state].acked(c, a);
        if (b->state != BBR_PROBE_RTT && b->probe_rtt_due && !b->idle_restart)
                enter_probe_rtt(c);
        b->idle_restart = false;
}

/* The product is left when the headroom is taken off. */
static uint64_t least_hi(const struct cc *c)
{
        return bbr_target(c) * 1000 / (1000 - BBR_HEADROOM);
}

void bbr_cycle_too_high(struct cc *c, uint64_t in_flight, bool app_limited, int64_t now_ns)
{
        struct bbr *b = &c->bbr;

        b->too_high = true;
        b->is_probe = false; /* one answer to a probe */
        if (!app_limited)
                b->inflight_hi = bbr_max(bbr_scale(in_flight, BBR_BETA), least_hi(c));
        if (b->state == BBR_UP)
                enter_down(c, now_ns);
}

void bbr_cycle_restart(struct cc *c, int64_t now_ns)
{
        c->bbr.idle_restart   = true;
        c->bbr.extra_since_ns = now_ns;
        if (c->bbr.state == BBR_PROBE_RTT)
                leave_probe_rtt_if_done(c, now_ns);
}

void bbr_cycle_undo(struct cc *c)
{
        struct bbr *b = &c->bbr;

        if (b->undo_state == BBR_STARTUP)
                b->full_ever = false; /* that is where PROBE_RTT leads then */
        if (b->state == BBR_PROBE_RTT)
                b->undo_state = BBR_N_STATES;
        if (b->undo_state == BBR_STARTUP)
                b->state = BBR_STARTUP;
        else if (b->undo_state == BBR_UP && b->state != BBR_UP)
                enter_refill(c);
        b->undo_state = BBR_N_STATES;
}
