/*
 * cubic.h - CUBIC (RFC 9438) with HyStart++ (RFC 9406): the state of one connection, private to cubic.c.
 */
#ifndef O7S_FRCT_CUBIC_H
#define O7S_FRCT_CUBIC_H

#include <stdbool.h>
#include <stdint.h>

#include "frct/hystart.h"

/*
 * How the window grows in congestion avoidance. A stage begins with the first growth after whatever changed
 * the window otherwise.
 */
struct cubic_curve {
        bool     begun;    /* the stage                                                       */
        uint64_t w_max;    /* bytes: where the curve is flat; 0: where the next stage begins  */
        uint64_t prior;    /* bytes: window before the last reduction                         */
        uint64_t est_q16;  /* bytes << 16: W_est, the window that Reno would have             */
        int64_t  k;        /* ticks from the beginning to w_max                               */
        int64_t  start_ns; /* of the stage, later by all time that does not count             */
};

enum cubic_phase {
        CUBIC_OPEN,
        CUBIC_RECOVERY, /* of a loss: the window rests                                */
        CUBIC_TIMEOUT,  /* what was out is sent again, in slow start                  */
};

struct cubic {
        enum cubic_phase   phase;
        uint64_t           ssthresh; /* UINT64_MAX: the first slow start                      */
        struct cubic_curve curve;
        struct hystart     hystart;
        uint64_t           credit;   /* bytes acknowledged that have not made it grow yet     */
        bool               marked;   /* it was reduced for a mark in this round ...           */
        uint64_t           mark_end; /* ... which ends with this number                       */
        int64_t            last_ns;  /* of the last acknowledgement                           */
        int64_t            sent_ns;  /* of the last packet                                    */
        int64_t            srtt_ns;  /* 0: unknown                                            */
        int64_t            rto_ns;
        struct {
                uint64_t cwnd;
                int64_t  srtt_ns;
        } paced; /* what the pacing rate was computed of */
        struct {
                bool               valid;
                uint64_t           cwnd;
                uint64_t           ssthresh;
                struct cubic_curve curve;
        } saved; /* before the last event */
};

#endif
