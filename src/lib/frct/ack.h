/*
 * ack.h - when a receiver acknowledges (doc/protocols/frct.md, "Acknowledgement"). It owns what an
 * acknowledgement says besides numbers: echo, delay, marks, the packet that came twice. Pure.
 *
 * Echoed is the latest stamp of all that came in the run, not the stamp of the last packet: then whatever an
 * acknowledgement covers was sent at or before its echo, so a packet that was sent again only after it has
 * arrived in its original. If a late packet's older stamp were echoed, an acknowledgement that covers a
 * retransmission as well would make it look needless. The delay is since that packet came, so the sample is
 * right.
 */
#ifndef O7S_FRCT_ACK_H
#define O7S_FRCT_ACK_H

#include <stdbool.h>
#include <stdint.h>

#include "frct/number.h"

#define ACK_DELAY_NS (INT64_C(10) * 1000000)
#define ACK_EARLY    128u /* packets of a run in which every second is acknowledged */
#define ACK_EVERY    8u

/*
 * Longer than any packet lives, and less than half a turn of the stamps: what comes then is later, whatever
 * its stamp.
 */
#define ACK_ECHO_NS (INT64_C(1000) * 1000000000)

struct ack {
        int64_t      due_ns;  /* CLOCK_NEVER: none is owed                           */
        unsigned     waiting; /* packets that were not acknowledged yet              */
        uint64_t     seen;    /* packets of this run                                 */
        uint32_t     echo;    /* the latest stamp of this run                        */
        int64_t      echo_ns; /* when it came                                        */
        uint16_t     marks;   /* of the flow: they outlive runs, as the sender's count does */
        bool         marked;  /* the last packet was                                 */
        bool         any;     /* something was received in this run                  */
        struct range twice;   /* to be told as D-SACK; empty: none                   */
        uint64_t     newest;  /* number received last                                */
};

void ack_init(struct ack *a);

/* A run began: what was owed is not any more. */
void ack_begin(struct ack *a);

/*
 * A packet with DATA came. @at_once: it was out of order, filled a gap, FIN, or the like; @dup: it had been
 * here. Of several that came twice before the acknowledgement is made, those next to each other are told, or
 * the last.
 */
void ack_data(struct ack *a, uint64_t seq, uint32_t stamp, bool mark, bool at_once, bool dup, int64_t now_ns);

/*
 * An acknowledgement is due now, for the packet with @stamp (PROBE), or for the window's sake (ack_window():
 * unless nothing has come in this run that it could acknowledge).
 */
void ack_probe(struct ack *a, uint32_t stamp, int64_t now_ns);
void ack_window(struct ack *a, int64_t now_ns);

/* An acknowledgement was made. */
void ack_made(struct ack *a);

/* µs between the echoed packet and @now_ns, as a header has it. */
uint32_t ack_delay_us(const struct ack *a, int64_t now_ns);

#endif
