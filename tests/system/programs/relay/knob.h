/*
 * knob.h - what can be set of one direction: KEY=VALUE, a number with k, M or G after it if that is shorter.
 * Everything is 0 at first.
 */
#ifndef O7S_RELAY_KNOB_H
#define O7S_RELAY_KNOB_H

#include <stdbool.h>
#include <stddef.h>

enum knob {
        DELAY_MS,
        JITTER_MS,     /* up to so much more, all equally likely                            */
        KEEP_ORDER,    /* 1: nothing overtakes because of jitter or of a delay that fell    */
        RATE,          /* bit/s of what is carried (datagrams, frames); 0: no limit         */
        QUEUE_BYTES,   /* before the rate, that being sent included; what finds it full is  */
        QUEUE_PACKETS, /* lost, but an empty queue takes any packet; 0: no limit            */
        ECN_BYTES,     /* frames that find more than this are marked CE, if they are IP's   */
        ECN_PACKETS,   /* and say that they may be; 0: none                                 */
        LOSS,          /* %, each for itself                                                */
        BURST_P,       /* %, Gilbert: that a packet begins a burst of losses,               */
        BURST_R,       /* %, and that the next one after a loss ends it                     */
        DUP,           /* % that come twice                                                 */
        REORDER,       /* % that come REORDER_MS later than they should, past all order     */
        REORDER_MS,
        CORRUPT, /* % in which one bit is wrong */
        DOWN,    /* 1: everything is lost       */
        KNOB_N
};

struct knobs {
        double v[KNOB_N];
};

const char *knob_name(enum knob k);

/* By its name. KNOB_N: there is none such. */
enum knob knob_find(const char *name, size_t len);

/* A number as described. False: it is none. */
bool knob_number(const char *text, double *out);

/* Whether @v may be the value of @k. */
bool knob_fits(enum knob k, double v);

/* The largest that fits. */
double knob_max(enum knob k);

#endif
