#include "frct/bbr_model.h"

#include "frct/ack.h"

#define MIN_RTT_WINDOW_NS   (INT64_C(10) * 1000000000)
#define PROBE_RTT_PERIOD_NS (INT64_C(5) * 1000000000)
#define SMOOTHING           8
#define STANDING_PART       8u
#define YIELD_BELOW         980u

uint64_t bbr_carries(uint64_t rate, int64_t ns)
{
        uint64_t t = ns <= 0 ? 0 : (uint64_t)(ns < BBR_TIME_MAX ? ns : BBR_TIME_MAX);

        return rate / 1000000000 * t + rate % 1000000000 * t / 1000000000; /* the products: < 2^45, < 2^64 */
}

void bbr_model_init(struct cc *c, int64_t now_ns)
{
        c->bbr = (struct bbr){
                .min_rtt_ns       = INT64_MAX,
                .min_rtt_at_ns    = now_ns,
                .probe_rtt_min_ns = INT64_MAX,
                .probe_rtt_at_ns  = now_ns,
                .round_rtt_ns     = INT64_MAX,
                .extra_since_ns   = now_ns,
                .bw_lo            = BBR_UNBOUND,
                .inflight_lo      = BBR_UNBOUND,
                .inflight_hi      = BBR_UNBOUND,
                .up_step          = BBR_UNBOUND,
                .undo_state       = BBR_N_STATES,
                .pace             = 1000,
                .pace_sent        = 1000,
                .pace_acked       = 1000,
        };
}

/* -- volumes -------------------------------------------------------------- */

uint64_t bbr_min_cwnd(const struct cc *c)
{
        return CC_MIN_PACKETS * c->packet;
}

uint64_t bbr_bdp(const struct cc *c, uint64_t bw, unsigned thousandths)
{
        if (c->bbr.min_rtt_ns == INT64_MAX)
                return CC_INITIAL_PACKETS * c->packet;
        return bbr_scale(bbr_carries(bw, c->bbr.min_rtt_ns), thousandths);
}

/*
 * Room for what a receiver waits for before it acknowledges: the least round-trip time does not know of it, since
 * its delay is taken off the samples (5.5.8.2). And for a burst of our own.
 */
static uint64_t burst_budget(const struct cc *c)
{
        return c->burst + bbr_min(ACK_EVERY * c->packet, bbr_carries(c->bbr.max_bw, ACK_DELAY_NS));
}

uint64_t bbr_quantized(const struct cc *c, uint64_t bytes)
{
        uint64_t v = bbr_max(bbr_max(bytes, burst_budget(c)), bbr_min_cwnd(c));

        return c->bbr.state == BBR_UP ? v + 2 * c->packet : v;
}

uint64_t bbr_inflight(const struct cc *c, uint64_t bw, unsigned thousandths)
{
        return bbr_quantized(c, bbr_bdp(c, bw, thousandths));
}

/* Where the product is less than a few packets, it would have them probe all the time: hence the floor. */
uint64_t bbr_target(const struct cc *c)
{
        return bbr_max(bbr_min(bbr_bdp(c, c->bbr.bw, 1000), c->cwnd), bbr_min_cwnd(c));
}

uint64_t bbr_with_headroom(const struct cc *c)
{
        uint64_t hi = c->bbr.inflight_hi;
        uint64_t headroom;

        if (hi == BBR_UNBOUND)
                return hi;
        headroom = bbr_max(bbr_scale(hi, BBR_HEADROOM), c->packet);
        return bbr_max(hi - bbr_min(hi, headroom), bbr_min_cwnd(c));
}

/* -- rounds --------------------------------------------------------------- */

void bbr_round_begin(struct cc *c)
{
        c->bbr.round_end = c->bbr.delivered;
}

static void count_round(struct cc *c, const struct cc_ack *a)
{
        struct bbr *b = &c->bbr;

        b->cwnd_limited_now |= a->cwnd_limited;
        b->cwnd_limited |= a->cwnd_limited;
        b->round_start = a->prior_delivered >= b->round_end;
        if (!b->round_start)
                return;
        bbr_round_begin(c);
        b->rounds++;
        b->probe_rounds++;
        b->pace_acked       = b->pace_sent;
        b->pace_sent        = b->pace;
        b->cwnd_limited     = b->cwnd_limited_now;
        b->cwnd_limited_now = false;
}

/* -- rate ----------------------------------------------------------------- */

static uint64_t sample_rate(const struct cc_ack *a)
{
        return bbr_min(a->rate, BBR_RATE_MAX);
}

static void note_bw(struct cc *c, const struct cc_ack *a)
{
        struct bbr *b = &c->bbr;

        if (a->rate == 0 || (a->app_limited && sample_rate(a) < b->max_bw))
                return;
        b->bw_of[1] = bbr_max(b->bw_of[1], sample_rate(a));
        b->max_bw   = bbr_max(b->bw_of[0], b->bw_of[1]);
}

/* A cycle without a sample tells nothing; the one before keeps its place. */
void bbr_bw_advance(struct cc *c)
{
        struct bbr *b = &c->bbr;

        if (b->bw_of[1] == 0)
                return;
        b->bw_of[0] = b->bw_of[1];
        b->bw_of[1] = 0;
        b->max_bw   = b->bw_of[0];
}

void bbr_full_reset(struct cc *c, uint64_t bw)
{
        c->bbr.full_bw     = bbr_min(bw, BBR_RATE_MAX);
        c->bbr.full_rounds = 0;
        c->bbr.full_now    = false;
}

static void look_if_full(struct cc *c, const struct cc_ack *a)
{
        struct bbr *b = &c->bbr;

        if (b->full_now || !b->round_start || a->app_limited || a->rate == 0)
                return;
        if (sample_rate(a) >= bbr_scale(b->full_bw, 1250)) {
                bbr_full_reset(c, a->rate);
                return;
        }
        b->full_now = ++b->full_rounds >= 3;
        b->full_ever |= b->full_now;
}

/* -- delay ---------------------------------------------------------------- */

static void note_rtt(struct cc *c, const struct cc_ack *a)
{
        struct bbr *b = &c->bbr;

        b->probe_rtt_due = a->now_ns > b->probe_rtt_at_ns + PROBE_RTT_PERIOD_NS;
        if (a->rtt_ns > 0 && (a->rtt_ns < b->probe_rtt_min_ns || b->probe_rtt_due)) {
                b->probe_rtt_min_ns = a->rtt_ns;
                b->probe_rtt_at_ns  = a->now_ns;
        }
        if (b->probe_rtt_min_ns < b->min_rtt_ns || a->now_ns > b->min_rtt_at_ns + MIN_RTT_WINDOW_NS) {
                b->min_rtt_ns    = b->probe_rtt_min_ns;
                b->min_rtt_at_ns = b->probe_rtt_at_ns;
        }
}

/* -- queue ---------------------------------------------------------------- */

bool bbr_is_above(const struct cc *c, int64_t rtt_ns, int64_t base_ns, unsigned part)
{
        const struct bbr *b         = &c->bbr;
        int64_t           gather_ns = (int64_t)(ACK_EVERY * c->packet * 1000000000 / bbr_max(b->bw, 1));

        return rtt_ns - base_ns > b->min_rtt_ns / part + gather_ns;
}

static bool queue_was_empty(const struct cc *c)
{
        const struct bbr *b = &c->bbr;

        return b->round_rtt_ns == INT64_MAX ||
               !bbr_is_above(c, b->round_rtt_ns, b->min_rtt_ns, STANDING_PART);
}

static int64_t least(int64_t a, int64_t b)
{
        return a < b ? a : b;
}

static void note_queue(struct cc *c, const struct cc_ack *a)
{
        struct bbr *b = &c->bbr;

        if (b->round_start) {
                b->stood        = queue_was_empty(c) ? 0 : b->stood + 1;
                b->round_rtt_ns = INT64_MAX;
        }
        if (a->rtt_ns <= 0)
                return;
        b->srtt_ns += (a->rtt_ns - b->srtt_ns) / (b->srtt_ns == 0 ? 1 : SMOOTHING);
        b->up_srtt_ns   = least(b->up_srtt_ns, b->srtt_ns);
        b->round_rtt_ns = least(b->round_rtt_ns, a->rtt_ns);
}

/* -- aggregation ---------------------------------------------------------- */

/* In Startup, where the rate doubles, only the round that runs counts. */
static void extra_round(struct bbr *b)
{
        b->extra_acked[b->rounds % BBR_EXTRA_SLOTS] = 0;
        for (unsigned i = 0; i < BBR_EXTRA_SLOTS && !b->full_ever; i++)
                b->extra_acked[i] = 0;
}

static void note_aggregation(struct cc *c, const struct cc_ack *a)
{
        struct bbr *b        = &c->bbr;
        uint64_t    expected = bbr_carries(b->bw, a->now_ns - b->extra_since_ns);
        uint64_t   *slot     = &b->extra_acked[b->rounds % BBR_EXTRA_SLOTS];

        if (b->round_start)
                extra_round(b);
        if (b->extra_delivered <= expected) {
                b->extra_delivered = 0;
                b->extra_since_ns  = a->now_ns;
                expected           = 0;
        }
        b->extra_delivered += a->acked;
        *slot = bbr_max(*slot, bbr_min(b->extra_delivered - bbr_min(b->extra_delivered, expected), c->cwnd));
}

uint64_t bbr_extra(const struct cc *c)
{
        uint64_t v = 0;

        for (unsigned i = 0; i < BBR_EXTRA_SLOTS; i++)
                v = bbr_max(v, c->bbr.extra_acked[i]);
        return v;
}

/* -- congestion ----------------------------------------------------------- */

bool bbr_too_much(uint64_t lost, uint64_t in_flight)
{
        return lost > bbr_scale(in_flight, BBR_LOSS_THRESH);
}

bool bbr_is_probing(const struct cc *c)
{
        return c->bbr.state == BBR_STARTUP || c->bbr.state == BBR_REFILL || c->bbr.state == BBR_UP;
}

void bbr_lost(struct cc *c, uint64_t delivered)
{
        struct bbr *b = &c->bbr;

        b->delivered = bbr_max(b->delivered, delivered);
        if (!b->lost_in_round && !b->marked_in_round)
                b->loss_round_end = b->delivered;
        b->lost_in_round = true;
        b->losses++;
}

void bbr_marked(struct cc *c)
{
        struct bbr *b = &c->bbr;

        if (!b->lost_in_round && !b->marked_in_round)
                b->loss_round_end = b->delivered;
        b->marked_in_round = true;
}

void bbr_forget_signals(struct cc *c)
{
        struct bbr *b = &c->bbr;

        b->lost_in_round   = false;
        b->marked_in_round = false;
        b->bw_latest       = 0;
        b->inflight_latest = 0;
}

void bbr_forget_short_term(struct cc *c)
{
        c->bbr.bw_lo       = BBR_UNBOUND;
        c->bbr.inflight_lo = BBR_UNBOUND;
}

static void note_latest(struct bbr *b, const struct cc_ack *a)
{
        b->bw_latest        = bbr_max(b->bw_latest, sample_rate(a));
        b->inflight_latest  = bbr_max(b->inflight_latest, a->delivered - a->prior_delivered);
        b->loss_round_start = a->prior_delivered >= b->loss_round_end;
        if (b->loss_round_start)
                b->loss_round_end = a->delivered;
}

/* What the path delivered, had we sent by all of bw. */
static uint64_t latest_bw(const struct bbr *b)
{
        return b->bw_latest * 1000 / bbr_max(bbr_min(b->pace_sent, b->pace_acked), 1);
}

/*
 * Where a window of @bytes stops falling, whatever beta says: at what was delivered, in bursts. What is marked is
 * delivered all the same, so then that is no floor; the product is one, once, since a queue that is gone may have
 * been the whole trouble.
 */
static uint64_t inflight_floor(const struct cc *c, uint64_t bytes)
{
        const struct bbr *b       = &c->bbr;
        uint64_t          product = bbr_inflight(c, b->max_bw, 1000);

        if (!b->marked_in_round)
                return b->inflight_latest + bbr_extra(c);
        return bytes > product ? product : bbr_min_cwnd(c);
}

static bool is_to_lower(const struct cc *c)
{
        const struct bbr *b = &c->bbr;

        if (bbr_is_probing(c))
                return false;
        return b->marked_in_round || (b->lost_in_round && b->rounds > b->thin_until);
}

/* Of the window before the event: a timeout has left one packet of it. */
static uint64_t window_before(const struct cc *c)
{
        return c->bbr.recovering ? bbr_max(c->cwnd, c->bbr.prior_cwnd) : c->cwnd;
}

/* Once a round: down to what the path showed, by beta at most. */
static void lower_bounds(struct cc *c)
{
        struct bbr *b     = &c->bbr;
        uint64_t    bw    = b->bw_lo == BBR_UNBOUND ? b->max_bw : b->bw_lo;
        uint64_t    bytes = b->inflight_lo == BBR_UNBOUND ? window_before(c) : b->inflight_lo;

        b->bw_lo       = bbr_min(bw, bbr_max(latest_bw(b), bbr_scale(bw, BBR_BETA)));
        b->inflight_lo = bbr_max(inflight_floor(c, bytes), bbr_scale(bytes, BBR_BETA));
}

/*
 * Samples show no more than the pace, which is below bw for a lone flow as well: only who was delivered less
 * than that yields, and then by both.
 */
void bbr_yield(struct cc *c)
{
        struct bbr *b    = &c->bbr;
        uint64_t    room = c->burst + ACK_EVERY * c->packet;

        if (latest_bw(b) > bbr_scale(b->max_bw, YIELD_BELOW))
                return;
        b->yielded     = true;
        b->max_bw      = bbr_max(b->bw_latest, bbr_scale(b->max_bw, BBR_BETA));
        b->bw_of[0]    = b->max_bw;
        b->bw_of[1]    = b->max_bw;
        b->inflight_lo = bbr_min(b->inflight_lo, bbr_bdp(c, b->max_bw, 1000) + room);
}

static void heed_congestion(struct cc *c)
{
        struct bbr *b = &c->bbr;

        if (!b->loss_round_start)
                return;
        if (is_to_lower(c))
                lower_bounds(c);
        b->mark_rounds     = b->marked_in_round ? b->mark_rounds + 1 : 0;
        b->lost_in_round   = false;
        b->marked_in_round = false;
}

/* -- an acknowledgement --------------------------------------------------- */

void bbr_model_acked(struct cc *c, const struct cc_ack *a)
{
        c->bbr.delivered = a->delivered;
        note_latest(&c->bbr, a);
        count_round(c, a);
        note_bw(c, a);
        heed_congestion(c);
        note_aggregation(c, a);
        look_if_full(c, a);
        note_rtt(c, a);
        note_queue(c, a);
}

void bbr_model_end(struct cc *c, const struct cc_ack *a)
{
        struct bbr *b = &c->bbr;

        if (b->loss_round_start) {
                b->bw_latest       = sample_rate(a);
                b->inflight_latest = a->delivered - a->prior_delivered;
                b->losses          = 0;
        }
        b->bw = bbr_min(b->max_bw, b->bw_lo);
}
