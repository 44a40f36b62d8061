/*
 * bbr.h - BBRv3 (draft-ietf-ccwg-bbr): the state of one connection, private to bbr.c, bbr_model.c and
 * bbr_cycle.c.
 */
#ifndef O7S_FRCT_BBR_H
#define O7S_FRCT_BBR_H

#include <stdbool.h>
#include <stdint.h>

#define BBR_UNBOUND     UINT64_MAX /* of a bound: there is none */
#define BBR_EXTRA_SLOTS 10u        /* rounds over which aggregation is remembered */

enum bbr_state {
        BBR_STARTUP,
        BBR_DRAIN,
        BBR_DOWN, /* this and the next three: the cycle that probes for bandwidth */
        BBR_CRUISE,
        BBR_REFILL,
        BBR_UP,
        BBR_PROBE_RTT,
        BBR_N_STATES
};

/* What the acknowledgements that come now tell of: they are a round behind what is sent. */
enum bbr_feedback { BBR_OF_NOTHING, BBR_OF_REFILL, BBR_OF_START, BBR_OF_PROBE, BBR_OF_STOP };

struct bbr {
        enum bbr_state state;

        /* Rate, in bytes per second. */
        uint64_t bw;       /* what the path carries now: the least of the next two */
        uint64_t max_bw;   /* the greatest of the next: long-term */
        uint64_t bw_of[2]; /* greatest sample of the cycle before, and of this one */
        uint64_t bw_lo;    /* short-term bound, or BBR_UNBOUND */

        /* Delay. */
        int64_t min_rtt_ns; /* INT64_MAX: no sample yet */
        int64_t min_rtt_at_ns;
        int64_t probe_rtt_min_ns; /* least since the last that counted for PROBE_RTT */
        int64_t probe_rtt_at_ns;
        bool    probe_rtt_due;
        bool    probe_rtt_round;   /* a round of PROBE_RTT was seen with little in flight */
        int64_t probe_rtt_done_ns; /* when it may end; 0: too much is in flight yet */
        int64_t probe_rtt_low_ns;  /* least while it lasts */

        /* The queue, by delay. */
        int64_t  srtt_ns;      /* smoothed; 0: no sample yet */
        int64_t  round_rtt_ns; /* least of this round, so far */
        int64_t  up_srtt_ns;   /* least smoothed since this probe began */
        unsigned stood;        /* rounds in a row in which it never was empty */
        bool     yielded;      /* in this cycle, on account of that */
        bool     rivals;       /* PROBE_RTT did not empty it: others fill it */

        /* Volume, in bytes. */
        uint64_t inflight_hi;                  /* long-term bound, or BBR_UNBOUND */
        uint64_t inflight_lo;                  /* short-term bound, or BBR_UNBOUND */
        uint64_t extra_acked[BBR_EXTRA_SLOTS]; /* greatest burst of acknowledgements, by round */
        uint64_t extra_delivered;
        int64_t  extra_since_ns;

        /* Rounds, which end when a packet is acknowledged that was sent after they began. */
        uint64_t delivered; /* as of the last event */
        uint64_t round_end;
        uint64_t rounds;
        bool     round_start;
        bool     cwnd_limited; /* in the round before, or so far in this one */
        bool     cwnd_limited_now;
        unsigned pace;      /* thousandths of bw at which packets leave, at most 1000 */
        unsigned pace_sent; /* as this round began, and as the one before did */
        unsigned pace_acked;
        uint64_t thin_until; /* round up to which samples are of packets that PROBE_RTT held back */

        /* Whether more rate brings no more delivery. */
        uint64_t full_bw;
        unsigned full_rounds;
        bool     full_now;
        bool     full_ever;

        /* Congestion, by rounds that begin with the first loss. */
        uint64_t loss_round_end;
        bool     loss_round_start;
        bool     lost_in_round, marked_in_round;
        unsigned losses;      /* in this round */
        unsigned mark_rounds; /* in a row */
        uint64_t bw_latest, inflight_latest;

        /* The cycle. */
        enum bbr_feedback feedback;
        bool              is_probe;      /* acknowledgements are of packets that probed */
        bool              too_high;      /* the last probe lost too much */
        bool              precautionary; /* it stopped where the one before had lost too much */
        uint64_t          up_acked;
        uint64_t          up_step; /* bytes acknowledged for which inflight_hi grows by a packet */
        unsigned          up_rounds;
        unsigned          probe_rounds; /* since the last probe */
        int64_t           probe_wait_ns;
        int64_t           cycle_ns; /* when it began */
        uint64_t          drain_round;

        /* Recovery, and what is restored when it was for nothing. */
        bool           recovering;
        bool           idle_restart;
        uint64_t       prior_cwnd;
        enum bbr_state undo_state; /* that was left on account of losses; BBR_N_STATES: none */
        uint64_t       undo_bw_lo, undo_inflight_lo, undo_inflight_hi;
};

#endif
