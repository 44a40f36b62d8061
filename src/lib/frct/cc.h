/*
 * cc.h - congestion control: how much may be out and how fast it may leave. A table of functions over the
 * same events; the state of all is in one struct, without allocation. All amounts are bytes of packets as the
 * layer carries them, all times ns, rates bytes per second.
 *
 *     cwnd          bytes that may be out
 *     pacing_rate   bytes per second; 0: as fast as the window lets
 *
 * The engine calls: sent (before a packet leaves), acked (once for each acknowledgement that brings something
 * new, after the loss detection of the same acknowledgement), lost (once for each loss event's beginning and
 * for each batch of packets within it), marked, timeout, undo.
 */
#ifndef O7S_FRCT_CC_H
#define O7S_FRCT_CC_H

#include <stdbool.h>
#include <stdint.h>

#include "frct/rtt.h"

#define CC_INITIAL_PACKETS 10u /* RFC 6928 */
#define CC_MIN_PACKETS     4u

enum cc_kind { CC_NONE, CC_CUBIC, CC_BBR, CC_N };

struct cc;

/* What an acknowledgement brought. */
struct cc_ack {
        int64_t  now_ns;
        uint64_t acked;           /* bytes newly known to have arrived                               */
        uint64_t lost;            /* bytes newly taken for lost by the same acknowledgement          */
        uint64_t in_flight;       /* bytes out, after it                                             */
        uint64_t prior_in_flight; /* before it                                                      */
        int64_t  rtt_ns;          /* sample, without the receiver's delay; 0: none                   */
        uint64_t delivered;       /* bytes in all, with these                                        */
        uint64_t rate;            /* delivery rate of the sample (rate.h); 0: none                   */
        int64_t  interval_ns;     /* over which it was measured                                      */
        bool     app_limited;     /* the sender had too little to send then                          */
        uint64_t prior_delivered; /* bytes, when the packet was sent that gives the sample          */
        uint64_t tx_in_flight;    /* bytes out when that packet was sent, with it                    */
        uint64_t sample_lost;     /* bytes lost between its sending and now                          */
        uint64_t marks;           /* packets newly reported as marked                                */
        uint64_t packets;         /* newly acknowledged                                              */
        uint64_t base;            /* left edge of the sender, now                                    */
        uint64_t next;            /* its next number: rounds end when base has reached this one      */
        bool     recovering;
        bool     cwnd_limited; /* the window was what held the sender back since the last one     */
};

struct cc_loss {
        int64_t  now_ns;
        bool     begins;       /* a new loss event                                          */
        uint64_t bytes;        /* newly taken for lost                                      */
        uint64_t in_flight;    /* after it                                                  */
        uint64_t tx_in_flight; /* out when the first of them was sent, with it           */
        uint64_t sample_lost;  /* lost since that one was sent, with them                */
        bool     app_limited;  /* that one was sent when there was too little to send   */
        uint64_t delivered;
        uint64_t next;
};

struct cc_ops {
        const char *name;
        void (*init)(struct cc *c, int64_t now_ns);
        void (*sent)(struct cc *c, uint64_t bytes, uint64_t in_flight, bool idle,
                     int64_t now_ns); /* @in_flight: before; @idle: nothing was out for lack of data */
        void (*acked)(struct cc *c, const struct cc_ack *a, const struct rtt *r);
        void (*lost)(struct cc *c, const struct cc_loss *l);
        void (*marked)(struct cc *c, uint64_t packets, uint64_t in_flight, int64_t now_ns,
                       uint64_t next); /* at most once a round */
        void (*timeout)(struct cc *c, uint64_t in_flight, int64_t now_ns);
        void (*recovered)(struct cc *c, uint64_t in_flight, int64_t now_ns);
        void (*undo)(struct cc *c, int64_t now_ns); /* the last loss event (or timeout) was none */
};

#include "frct/bbr.h"
#include "frct/cubic.h"

struct cc {
        const struct cc_ops *ops;
        uint64_t             packet; /* bytes of the largest */
        uint64_t             cwnd;
        uint64_t             pacing_rate;
        uint64_t             burst;  /* bytes that may leave back to back; 0: ten packets */
        uint64_t             random; /* state of a small generator (BBR's probe times) */
        bool                 withheld; /* the window is small on purpose: rate_app_limited() after acked, so that the rate is no measurement */
        union {
                struct cubic cubic;
                struct bbr   bbr;
        };
};

/* @packet: bytes of the largest packet, with all headers. @seed: any. */
void cc_init(struct cc *c, enum cc_kind kind, uint64_t packet, uint64_t seed, int64_t now_ns);

extern const struct cc_ops cc_none, cc_cubic, cc_bbr;

/* CC_N: no such name. */
enum cc_kind cc_by_name(const char *name);

#endif
