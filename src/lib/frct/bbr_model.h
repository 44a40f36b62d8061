/*
 * bbr_model.h - what BBR knows of the path: how fast it carries, how long it takes at least, how much it
 * holds (draft-ietf-ccwg-bbr, 5.5). Part of BBR: bbr.c sets the controls by it, bbr_cycle.c decides what to
 * find out next.
 */
#ifndef O7S_FRCT_BBR_MODEL_H
#define O7S_FRCT_BBR_MODEL_H

#include "frct/cc.h"

#define BBR_RATE_MAX (UINT64_C(1) << 40) /* bytes per second that are believed */
#define BBR_TIME_MAX (INT64_C(16) * 1000000000)

enum { BBR_BETA = 700, BBR_LOSS_THRESH = 20, BBR_HEADROOM = 150 }; /* thousandths */

static inline uint64_t bbr_min(uint64_t a, uint64_t b)
{
        return a < b ? a : b;
}

static inline uint64_t bbr_max(uint64_t a, uint64_t b)
{
        return a > b ? a : b;
}

/* @v by thousandths; fits for gains below 4 and all that is not BBR_UNBOUND. */
static inline uint64_t bbr_scale(uint64_t v, unsigned thousandths)
{
        return v / 1000 * thousandths + v % 1000 * thousandths / 1000;
}

/* Bytes that @rate (up to BBR_RATE_MAX) carries in @ns, of which no more than BBR_TIME_MAX count. */
uint64_t bbr_carries(uint64_t rate, int64_t ns);

void bbr_model_init(struct cc *c, int64_t now_ns);

/* The first thing about an acknowledgement: samples, rounds, bounds that follow from losses. */
void bbr_model_acked(struct cc *c, const struct cc_ack *a);

/* The last: what was decided upon it is done. */
void bbr_model_end(struct cc *c, const struct cc_ack *a);

/* A round begins now. */
void bbr_round_begin(struct cc *c);

void bbr_lost(struct cc *c, uint64_t delivered);
void bbr_marked(struct cc *c);

/* Losses that were counted, and what was delivered at best since, are forgotten. */
void bbr_forget_signals(struct cc *c);
void bbr_forget_short_term(struct cc *c);

/*
 * Whether @rtt_ns is above @base_ns by more than one @part of the least delay, and the time of the packets
 * that a receiver gathers before it acknowledges.
 */
bool bbr_is_above(const struct cc *c, int64_t rtt_ns, int64_t base_ns, unsigned part);

/*
 * The queue stands: if less is delivered than is sent, the rate is what is delivered, by beta less at most,
 * and no more is out than that takes.
 */
void bbr_yield(struct cc *c);

/* A cycle of probing is over: samples of the one before count no more. */
void bbr_bw_advance(struct cc *c);

void bbr_full_reset(struct cc *c, uint64_t bw);

/* Whether @lost of @in_flight bytes is more than a probe may lose. */
bool bbr_too_much(uint64_t lost, uint64_t in_flight);

/* Whether the sender probes, so that losses are expected and no sign of less room. */
bool bbr_is_probing(const struct cc *c);

/* Greatest aggregation of acknowledgements in the rounds that count. */
uint64_t bbr_extra(const struct cc *c);

uint64_t bbr_min_cwnd(const struct cc *c);

/* Bandwidth-delay product, by thousandths: as it is, and as much as is wanted in flight at least. */
uint64_t bbr_bdp(const struct cc *c, uint64_t bw, unsigned thousandths);
uint64_t bbr_inflight(const struct cc *c, uint64_t bw, unsigned thousandths);

/* @bytes, and no less than senders and receivers need that work in bursts. */
uint64_t bbr_quantized(const struct cc *c, uint64_t bytes);

/* What ought to be in flight: the product, unless congestion has cut the window. */
uint64_t bbr_target(const struct cc *c);

/* inflight_hi less what is left to others; BBR_UNBOUND. */
uint64_t bbr_with_headroom(const struct cc *c);

#endif
