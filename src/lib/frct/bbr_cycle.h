/*
 * bbr_cycle.h - what BBR does next: Startup, Drain, the cycle that probes for bandwidth, PROBE_RTT
 * (draft-ietf-ccwg-bbr, 5.3). Part of BBR.
 */
#ifndef O7S_FRCT_BBR_CYCLE_H
#define O7S_FRCT_BBR_CYCLE_H

#include "frct/cc.h"

/* Thousandths. */
unsigned bbr_pacing_gain(const struct cc *c);
unsigned bbr_cwnd_gain(const struct cc *c);

/* Whether the state is one of those between Drain or PROBE_RTT and the next PROBE_RTT. */
bool bbr_is_cycling(const struct cc *c);

/* After bbr_model_acked(). */
void bbr_cycle_acked(struct cc *c, const struct cc_ack *a);

/* A probe with @in_flight bytes out was too much for the path. */
void bbr_cycle_too_high(struct cc *c, uint64_t in_flight, bool app_limited, int64_t now_ns);

/* Packets leave after silence. */
void bbr_cycle_restart(struct cc *c, int64_t now_ns);

/* The losses on account of which undo_state was left were none. */
void bbr_cycle_undo(struct cc *c);

/* The window as it was before recovery or PROBE_RTT. */
void bbr_cwnd_save(struct cc *c);
void bbr_cwnd_restore(struct cc *c);

/* The window in PROBE_RTT. */
uint64_t bbr_cwnd_probe_rtt(const struct cc *c);

#endif
