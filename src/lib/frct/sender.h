/*
 * sender.h - the sending half of an end: what is out, what may leave now, what an acknowledgement means, and
 * the timers of all that. It puts sendq, rtt, loss, rate, cc and pacer together; the receiving half and
 * packets as bytes are not its business.
 *
 * One timer, `timer_ns`, does for probe (TLP), retransmission (RTO) and a closed window, as RFC 8985 has it:
 * at any time only one of them is due. Loss by reordering (loss.reo_due_ns) has its own.
 */
#ifndef O7S_FRCT_SENDER_H
#define O7S_FRCT_SENDER_H

#include "frct/cc.h"
#include "frct/frct.h"
#include "frct/loss.h"
#include "frct/pacer.h"
#include "frct/rate.h"
#include "frct/rtt.h"
#include "frct/sendq.h"

/* Numbers that a receiver is trusted to take before it has said what it takes. */
#define SENDER_FIRST_WINDOW 64u

enum sender_timer { TIMER_NONE, TIMER_TLP, TIMER_RTO, TIMER_WINDOW };

/* A loss event, as long as it may turn out to be none. */
struct event {
        uint64_t lost;  /* packets taken for lost                          */
        uint64_t wrong; /* of these: the original has arrived after all    */
        bool     open;
};

struct sender {
        struct sendq *q;
        struct rtt    rtt;
        struct loss   loss;
        struct rate   rate;
        struct cc     cc;
        struct pacer  pacer;

        bool     reliable;
        uint64_t extra;        /* bytes of a packet besides its payload        */
        uint64_t edge;         /* the peer's                                   */
        bool     edge_known;   /* it has told                                 */
        bool     flight_known; /* the peer has acknowledged something of what is out, since nothing was */
        uint64_t in_flight;    /* bytes that are neither acknowledged nor lost */
        uint32_t origin;       /* of stamps, µs                                */
        int64_t  data_ns;      /* when DATA was sent last                      */

        enum sender_timer timer;
        int64_t           timer_ns;
        unsigned          backoff; /* timeouts in a row                     */
        unsigned          window_probes;
        int64_t           room_ns; /* when a window opened that had held back what was out */
        bool              force;   /* a packet must leave, whatever the window of congestion says */
        bool              probe;   /* the next packet asks for an acknowledgement                 */
        bool              tlp_out;
        bool              tlp_again; /* it was sent before                  */
        uint64_t          tlp_seq;

        struct event event;
        uint64_t     round_end; /* of the round in which marks counted      */
        uint16_t     marks;
        bool         cwnd_limited;
        int64_t      pace_ns; /* pacing holds a packet back until then; CLOCK_NEVER */

        size_t       n_told; /* ranges of the acknowledgement before: they need not be gone through again */
        struct range told[FRCT_RANGES_MAX];

        uint64_t retransmitted, spurious, probes, timeouts, losses, marked;
};

/* 0 or -ENOMEM. */
int  sender_init(struct sender *s, const struct frct_conf *conf, uint64_t first, uint32_t origin,
                 int64_t now_ns);
void sender_fini(struct sender *s);

/* After long silence a run is over: begins another at @first if so, before something is queued. */
void sender_begin(struct sender *s, int64_t idle_ns, uint64_t first, int64_t now_ns);

/* Something was queued. */
void sender_queued(struct sender *s, int64_t now_ns);

/* An acknowledgement has come. False: it cannot be meant for us. */
bool sender_acknowledged(struct sender *s, const struct frct_hdr *h, int64_t now_ns);

/* Timers that are due. False: something was sent for longer than R in vain. */
bool sender_expire(struct sender *s, int64_t now_ns);

/*
 * The packet to be sent now, or NULL. The caller makes it, and then says so by sender_sent(). Asking twice
 * gives the same.
 */
struct sent *sender_next(struct sender *s, uint64_t *seq, int64_t now_ns);
void         sender_sent(struct sender *s, uint64_t seq, int64_t now_ns);

/*
 * Whether a probe that is sent now asks a closed window. Then it carries RUN, for the receiver may have
 * forgotten the run meanwhile, and keeps the run as DATA does.
 */
bool sender_asks_window(struct sender *s, int64_t now_ns);

/* Whether the packet to be sent must carry RUN. */
bool sender_tells_run(const struct sender *s);

int64_t sender_due_ns(const struct sender *s);

uint32_t sender_stamp(const struct sender *s, int64_t now_ns);

/* Nothing is waiting or out. */
bool sender_is_quiet(const struct sender *s);

#endif
