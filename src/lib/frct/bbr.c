/*
 * bbr.c - BBRv3 (draft-ietf-ccwg-bbr-06): congestion control by a model of the path instead of by its losses.
 *
 * A path has a rate and a least delay; their product is what it takes to keep it busy, and whatever more is
 * in flight stands in a queue. So the model holds these two, and two bounds on either, learnt from losses:
 * long-term ones, found by probing, and short-term ones, which answer any loss that comes while not probing,
 * and are forgotten before the next probe. bbr_model.c keeps it. Neither can be measured while the other is
 * (the rate shows with a queue, the delay without), so the flow does one thing after the other: bbr_cycle.c.
 * Here are the events, and what follows from model and state for the three controls: pacing rate, burst,
 * window.
 *
 *     Startup -> Drain -> DOWN -> CRUISE -> REFILL -> UP -> DOWN ...
 *     PROBE_RTT, from any of them, after 5 s without a new minimum
 *
 * ECN. The draft leaves the answer to marks open, but that they are congestion. A mark is taken for what loss
 * above the threshold is, since it says the same (a queue is too long) without the damage:
 *
 *     while probing         inflight_hi becomes what was in flight, and UP ends;
 *     in Startup            two rounds running with marks: the pipe is full;
 *     else, once a round    inflight_lo falls by beta, and bw_lo to what was delivered, by beta at most.
 *
 * One thing differs from loss: inflight_lo does not stop at what was delivered. What is marked is delivered
 * all the same, so that bound would always hold and the queue never shrink. It stops at the product, once. As
 * the window is twice the product in most states, a single mark takes only room that was not used; marks that
 * go on take the queue, then the rate.
 *
 * Departures from the draft's pseudocode. The first three hold it to its own words, that a round with X % of
 * loss outside of probing slows the flow by X % (5.3.3.8.3); as written they cost more, in each round until
 * the next probe, and 1 % of random loss more than a quarter of the throughput where acknowledgements come
 * for eight packets at once.
 *
 *     bw_lo follows what was delivered of what was sent: no sample shows more than the pace, which the margin keeps
 *     1 % below bw, and DOWN 10 %. Any loss would have taken that for the path's limit.
 *     inflight_lo leaves room for aggregated acknowledgements, as the window itself does.
 *     Losses lower nothing in the two rounds after PROBE_RTT: their samples are of what it held back.
 *     What undo restores is saved once an event, not once a round of it: else it would restore what losses had done.
 *     After a timeout inflight_lo begins with the window before it, not with one packet.
 *     Fewer than four packets of product count as four where rounds between probes are counted.
 *
 * And what the draft lacks for company, equals and CUBIC (why, and by how much: doc/protocols/frct.md):
 *
 *     A probe that lost too much leaves beta of what was in flight, where the draft keeps all of it; but never
 *     less than the product and the headroom on it.
 *     UP ends when the delay has risen by a twelfth of the least, since the probe began.
 *     Who finds that the queue stands, three rounds after its probe, takes what is delivered for its rate;
 *     unless PROBE_RTT did not empty the queue: then others fill it who would take what is yielded.
 *     inflight_hi grows by a third of what is acknowledged, while a probe began without a queue.
 *     After PROBE_RTT the next probe comes within 2 s: all have left it at once, and would probe at once.
 *
 * Amounts are bytes, rates bytes per second, gains thousandths; products are formed so that 100 GB/s over ten
 * seconds fit in 64 bits.
 */
#include "frct/bbr_cycle.h"
#include "frct/bbr_model.h"

#define FIRST_RTT_NS (INT64_C(1) * 1000000) /* that the first packets are paced by */
#define MARGIN       990u                   /* thousandths of the rate: a queue that formed goes away */
#define BURST_NS     (INT64_C(1) * 1000000)
#define BURST_MAX    (UINT64_C(64) << 10)

/* -- controls --------------------------------------------------------------- */

static void set_burst(struct cc *c)
{
        c->burst = bbr_max(bbr_min(bbr_carries(c->pacing_rate, BURST_NS), BURST_MAX), 2 * c->packet);
}

/* Before any rate is known: the first window in a round trip, by the gain of Startup. */
static void guess_pacing(struct cc *c, int64_t rtt_ns)
{
        uint64_t rate = CC_INITIAL_PACKETS * c->packet * 1000000000 / (uint64_t)rtt_ns;

        c->pacing_rate = bbr_max(bbr_scale(bbr_min(rate, BBR_RATE_MAX), bbr_pacing_gain(c)), c->packet);
        set_burst(c);
}

/*
 * Until the pipe was full it only grows: what was measured then may be the application's rate. Never 0: any
 * rate.
 */
static void set_pacing(struct cc *c, unsigned gain)
{
        uint64_t rate = bbr_scale(bbr_scale(c->bbr.bw, gain), MARGIN);

        c->bbr.pace = (unsigned)bbr_min(bbr_scale(gain, MARGIN), 1000);
        if (c->bbr.bw == 0 || (!c->bbr.full_ever && rate <= c->pacing_rate))
                return;
        c->pacing_rate = bbr_max(rate, c->packet);
        set_burst(c);
}

static uint64_t model_cap(const struct cc *c)
{
        const struct bbr *b   = &c->bbr;
        uint64_t          cap = BBR_UNBOUND;

        if (b->state == BBR_CRUISE || b->state == BBR_PROBE_RTT)
                cap = bbr_with_headroom(c);
        else if (bbr_is_cycling(c))
                cap = b->inflight_hi;
        return bbr_max(bbr_min(cap, b->inflight_lo), bbr_min_cwnd(c));
}

static uint64_t max_inflight(const struct cc *c)
{
        return bbr_quantized(c, bbr_bdp(c, c->bbr.bw, bbr_cwnd_gain(c)) + bbr_extra(c));
}

static void bound_cwnd(struct cc *c)
{
        if (c->bbr.full_ever)
                c->cwnd = bbr_min(c->cwnd, max_inflight(c));
        c->cwnd = bbr_max(c->cwnd, bbr_min_cwnd(c));
        if (c->bbr.state == BBR_PROBE_RTT)
                c->cwnd = bbr_min(c->cwnd, bbr_cwnd_probe_rtt(c));
        c->cwnd = bbr_min(c->cwnd, model_cap(c));
}

static void set_cwnd(struct cc *c, const struct cc_ack *a)
{
        if (c->bbr.full_ever || c->cwnd < max_inflight(c) || a->delivered < CC_INITIAL_PACKETS * c->packet)
                c->cwnd += a->acked;
        bound_cwnd(c);
}

static void set_controls(struct cc *c, const struct cc_ack *a)
{
        set_pacing(c, bbr_pacing_gain(c));
        set_cwnd(c, a);
        c->withheld = c->bbr.state == BBR_PROBE_RTT;
}

/* -- recovery ----------------------------------------------------------------- */

/* Of the whole event, not of each round of it: if it was for nothing, all of it was. */
static void save(struct cc *c)
{
        struct bbr *b = &c->bbr;

        bbr_cwnd_save(c);
        b->undo_state       = BBR_N_STATES;
        b->undo_bw_lo       = b->bw_lo;
        b->undo_inflight_lo = b->inflight_lo;
        b->undo_inflight_hi = b->inflight_hi;
}

/*
 * At which volume the losses came to be too much: of what was out before the batch of which @l tells the
 * first, so much may get lost, and so much was; the batch makes up the difference (5.5.10.2).
 */
static uint64_t inflight_at_loss(const struct cc *c, const struct cc_loss *l)
{
        uint64_t size    = bbr_min(bbr_min(l->bytes, c->packet), l->tx_in_flight);
        uint64_t before  = l->tx_in_flight - size;
        uint64_t lost    = l->sample_lost - bbr_min(l->sample_lost, l->bytes);
        uint64_t allowed = bbr_scale(before, BBR_LOSS_THRESH);

        if (allowed <= lost)
                return before;
        return before + (allowed - lost) * 1000 / (1000 - BBR_LOSS_THRESH);
}

/* -- events ------------------------------------------------------------------- */

static void init(struct cc *c, int64_t now_ns)
{
        bbr_model_init(c, now_ns);
        c->cwnd     = CC_INITIAL_PACKETS * c->packet;
        c->withheld = false;
        guess_pacing(c, FIRST_RTT_NS);
}

static void sent(struct cc *c, uint64_t bytes, uint64_t in_flight, bool idle, int64_t now_ns)
{
        bool probed_rtt = c->bbr.state == BBR_PROBE_RTT;

        (void)bytes;
        (void)in_flight;
        if (!idle)
                return;
        bbr_cycle_restart(c, now_ns);
        if (bbr_is_cycling(c))
                set_pacing(c, 1000);
        if (probed_rtt)
                bound_cwnd(c);
}

static void acked(struct cc *c, const struct cc_ack *a, const struct rtt *r)
{
        (void)r;
        if (a->acked == 0)
                return;
        if (c->bbr.min_rtt_ns == INT64_MAX && a->rtt_ns > 0)
                guess_pacing(c, a->rtt_ns);
        c->bbr.recovering &= a->recovering;
        bbr_model_acked(c, a);
        bbr_cycle_acked(c, a);
        bbr_model_end(c, a);
        set_controls(c, a);
}

static void lost(struct cc *c, const struct cc_loss *l)
{
        struct bbr *b = &c->bbr;

        if (l->begins)
                save(c);
        b->recovering = true;
        bbr_lost(c, l->delivered);
        if (!b->is_probe || !bbr_too_much(l->sample_lost, l->tx_in_flight))
                return;
        if (b->state == BBR_UP)
                b->undo_state = BBR_UP;
        bbr_cycle_too_high(c, inflight_at_loss(c, l), l->app_limited, l->now_ns);
}

static void marked(struct cc *c, uint64_t packets, uint64_t in_flight, int64_t now_ns, uint64_t next)
{
        (void)packets;
        (void)next;
        bbr_marked(c);
        if (c->bbr.is_probe)
                bbr_cycle_too_high(c, in_flight, false, now_ns);
}

/* The model stays: silence is no measurement. The window opens again as acknowledgements come. */
static void timeout(struct cc *c, uint64_t in_flight, int64_t now_ns)
{
        (void)now_ns;
        if (c->bbr.recovering)
                bbr_cwnd_save(c);
        else
                save(c);
        c->bbr.recovering = true;
        c->cwnd           = in_flight + c->packet;
}

static void recovered(struct cc *c, uint64_t in_flight, int64_t now_ns)
{
        (void)in_flight;
        (void)now_ns;
        c->bbr.recovering = false;
        bbr_cwnd_restore(c);
        bound_cwnd(c);
}

static void undo(struct cc *c, int64_t now_ns)
{
        struct bbr *b = &c->bbr;

        (void)now_ns;
        b->recovering    = false;
        b->lost_in_round = false;
        b->bw_lo         = bbr_max(b->bw_lo, b->undo_bw_lo);
        b->inflight_lo   = bbr_max(b->inflight_lo, b->undo_inflight_lo);
        b->inflight_hi   = bbr_max(b->inflight_hi, b->undo_inflight_hi);
        b->bw            = bbr_min(b->max_bw, b->bw_lo);
        bbr_full_reset(c, 0);
        bbr_cycle_undo(c);
        bbr_cwnd_restore(c);
        set_pacing(c, bbr_pacing_gain(c));
        bound_cwnd(c);
}

const struct cc_ops cc_bbr = {"bbr", init, sent, acked, lost, marked, timeout, recovered, undo};
