/*
 * loss.h - RACK-TLP (RFC 8985) over a queue of sent packets: which of them are lost, when to look again, and
 * when to probe for the loss of the last ones. Pure: times come in, marks in struct sent go out. The echo of
 * a stamp tells which transmission arrived, so the heuristics of the RFC for that are not needed.
 *
 * The work is bounded by the number of transmissions, not by the window: sendq.h keeps what is out in the
 * order in which it was sent, and a packet leaves that order when it arrives or is lost, until it is sent
 * again (sendq_resent()).
 */
#ifndef O7S_FRCT_LOSS_H
#define O7S_FRCT_LOSS_H

#include <stdbool.h>
#include <stdint.h>

#include "frct/number.h"
#include "frct/rtt.h"
#include "frct/sendq.h"

#define LOSS_REO_PERSIST  16u   /* recoveries                                             */
#define LOSS_REO_MULT_MAX 1000u /* srtt is the bound that counts                          */
#define LOSS_DUPTHRESH    3u

struct loss {
        int64_t  rack_tx_ns;  /* transmission of the latest-sent packet that has arrived      */
        uint64_t rack_order;  /* sent.order of it; 0: before all that were sent in the same ns */
        int64_t  rack_rtt_ns; /* its round trip                                               */
        uint64_t fack;        /* one past the highest number that has arrived                 */
        uint64_t fack_before; /* the same, before this acknowledgement                        */
        bool     reordered;   /* a packet arrived that was overtaken without being sent again */
        unsigned reo_mult;    /* of min_rtt / 4                                               */
        unsigned reo_persist; /* recoveries until it is 1 again                               */
        uint64_t dsack_round; /* end of the round in which a D-SACK counted already; 0: none  */
        bool     recovering;
        uint64_t recovery_end; /* next, when this loss event began                            */
        int64_t  reo_due_ns;   /* when some packet will be taken for lost; CLOCK_NEVER        */
        unsigned overtaken;    /* packets known to have arrived behind the first hole         */
        uint64_t
                first_lost; /* the first that was marked by the last loss_detect() or loss_timeout() that marked any */
};

/* At the beginning of each run: numbers of another one mean nothing in it. */
void loss_init(struct loss *l);

/*
 * The packet @seq (base <= seq < next) has arrived, in the transmission at @tx_ns (sent.tx_ns, or a former
 * one), as an acknowledgement at @now_ns tells. Once for each packet, before it is dropped; in any order
 * within one acknowledgement.
 */
void loss_arrived(struct loss *l, struct sendq *q, uint64_t seq, int64_t tx_ns, int64_t now_ns);

/* A D-SACK: a packet was received twice, while @next is the sender's next number. */
void loss_dsack(struct loss *l, uint64_t next);

/* Width of the reordering window, now. */
int64_t loss_window_ns(const struct loss *l, const struct rtt *r);

/*
 * Marks what is lost among the sent packets of @q: sent.lost. Returns the bytes of payload newly marked, sets
 * *@n to their number, and reo_due_ns. Called after the arrivals of an acknowledgement, and when reo_due_ns
 * has come. Visits each packet a bounded number of times per loss, not per acknowledgement.
 */
uint64_t loss_detect(struct loss *l, struct sendq *q, const struct rtt *r, int64_t now_ns, unsigned *n);

/*
 * RTO: all that is out and was sent a round trip ago or earlier is lost, and the oldest in any case, so that
 * a timeout never comes to nothing. Like loss_detect().
 */
uint64_t loss_timeout(struct loss *l, struct sendq *q, const struct rtt *r, int64_t now_ns, unsigned *n);

/*
 * After a loss: true if this one begins an event (the congestion controller hears of it once), and recovery
 * until @next was acknowledged.
 */
bool loss_begin(struct loss *l, uint64_t next);

/* The event was none: the next loss begins another. */
void loss_undo(struct loss *l);

/* The left edge is at @base: true if that ends recovery. Ends the round of a D-SACK, too. */
bool loss_advance(struct loss *l, uint64_t base);

#endif
