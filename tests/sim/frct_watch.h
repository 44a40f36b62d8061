/*
 * frct_watch.h - one who sees all packets of an end, those that it sends and those that reach it, and says
 * which promise of doc/protocols/frct.md is broken. It keeps its own account of numbers and asks the engine
 * nothing.
 */
#ifndef SIM_FRCT_WATCH_H
#define SIM_FRCT_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct watch_conf {
        size_t  packet;
        int64_t mpl_ns;
        int64_t lag_ns; /* longest that a timer of this end is late                   */
        bool    reliable;
        bool    foul; /* it is sent garbage: nothing can be said of what it answers */
};

/* A number of the present run. */
struct watch_packet {
        uint64_t hash;
        int64_t  sent_ns; /* first */
        bool     arrived;
};

struct watch {
        struct watch_conf conf;

        /* what it sends */
        bool                 began;
        unsigned             run; /* how many it has begun                      */
        uint64_t             first, next;
        uint64_t             una, edge; /* by the acknowledgements that reached it     */
        bool                 edge_told; /* else it is only trusted                     */
        int64_t              room_ns;   /* when there was room for una again           */
        uint64_t             whole;     /* all numbers before it have arrived          */
        bool                 run_known; /* one of them was of this run                 */
        bool                 in_message, fin;
        int64_t              data_ns; /* when it sent DATA or RUN last               */
        int64_t              said_ns; /* any packet, last                            */
        struct watch_packet *packets;
        size_t               cap;
        uint32_t             stamp;    /* of the first packet                         */
        int64_t              stamp_ns; /* CLOCK_NEVER: there was none                 */

        /* what reaches it */
        unsigned peer_run;  /* the last run of its peer of which something arrived; 0: none */
        uint64_t told_edge; /* the highest that it has sent for this run                */
        int64_t  heard_ns;  /* last packet                                              */
        int64_t  fresh_ns;  /* last packet with DATA                                    */
        int64_t  owed_ns;   /* since when an acknowledgement is due; CLOCK_NEVER        */

        uint64_t n_resumed; /* a run went on after the receiver must have forgotten it */
        uint64_t n_wraps;   /* numbers passed 2^32                                    */
        uint64_t n_closed;  /* acknowledgements that leave no room                     */
};

void watch_init(struct watch *w, const struct watch_conf *conf, int64_t now_ns);
void watch_fini(struct watch *w);

/* The end @w, whose peer is @peer, sends a packet. NULL, or what is wrong with that. */
const char *watch_sends(struct watch *w, struct watch *peer, const uint8_t *packet, size_t n, int64_t now_ns);

/* A packet is about to reach it, as its peer has sent it. */
const char *watch_hears(struct watch *w, struct watch *peer, const uint8_t *packet, size_t n, int64_t now_ns);

/* Time has passed. */
const char *watch_waits(const struct watch *w, int64_t now_ns);

/*
 * Since when the oldest packet that is not acknowledged, as far as it can know, is out, with room for it at the
 * peer; CLOCK_NEVER: there is none, or no room.
 */
int64_t watch_oldest_ns(const struct watch *w);

/* One line about a packet. */
void watch_print(const uint8_t *packet, size_t n);

#endif
