/*
 * frct.h - FRCT's engine: one end of a flow in order (doc/protocols/frct.md). Time, packets and randomness
 * are arguments; packets and a deadline come out. It owns no clock, lock, thread or descriptor; callers
 * serialise.
 *
 *     frct_write()  frct_read()   the application's messages
 *     frct_rx()                   a packet has come
 *     frct_tx()                   the next packet that should leave now, if any: to be called until there is none, after each of the
 *                                 others, and at frct_due_ns()
 *
 * Memory: what is queued and not acknowledged, and what is received and not read, within the bounds of the
 * configuration. No allocation per packet but to grow. Payloads are wiped when they are let go.
 */
#ifndef O7S_FRCT_FRCT_H
#define O7S_FRCT_FRCT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frct/cc.h"
#include "wire/frct.h"

#define FRCT_MESSAGE_MAX (1u << 20)
#define FRCT_PACKET_MIN  (FRCT_HDR_MAX + 64) /* bytes of the smallest packets that it works with */

#define FRCT_A_NS (INT64_C(1) * 1000000000)
#define FRCT_R_NS (INT64_C(120) * 1000000000)

struct frct;

struct frct_conf {
        size_t       packet;     /* bytes of a packet, header included: FRCT_PACKET_MIN to 65535      */
        size_t       overhead;   /* bytes that what is below adds to each; for congestion control     */
        int64_t      mpl_ns;     /* of the layer                                                      */
        int64_t      timeout_ns; /* silence after which the peer is gone; 0: never                    */
        bool         reliable;
        enum cc_kind cc;
        size_t       tx_bytes; /* bounds of the queues; 0: FRCT_QUEUE_BYTES                           */
        size_t       rx_bytes;
        uint64_t     seed; /* random: first numbers, origin of stamps                                 */
};

#define FRCT_QUEUE_BYTES (16u << 20)

/* NULL: out of memory. */
struct frct *frct_create(const struct frct_conf *conf, int64_t now_ns);
void         frct_destroy(struct frct *f);

/*
 * Queues a message of 1 to FRCT_MESSAGE_MAX bytes. 0; -EAGAIN: no room; -EMSGSIZE; -ENOMEM; -EFLOWPEER,
 * -EFLOWDOWN: the flow is over; -EPIPE: after frct_fin().
 */
int frct_write(struct frct *f, const void *msg, size_t n, int64_t now_ns);

/* Whether the peer has said that it will send nothing more, and all of that has come, read or not. */
bool frct_peer_done(const struct frct *f);

/* There will be nothing more to send. 0, -ENOMEM. Again: 0. */
int frct_fin(struct frct *f, int64_t now_ns);

/*
 * Length of the oldest message (of what is left of it, when it was read in part); 0: none yet; -ENODATA: the
 * peer has ended and all was read; -EFLOWPEER, -EFLOWDOWN: and all that came whole was read.
 */
ptrdiff_t frct_look(struct frct *f);

/*
 * Reads up to @n bytes of it: frct_look() has said that it is there. More may be due to be sent (a window
 * update).
 */
size_t frct_read(struct frct *f, void *buf, size_t n, int64_t now_ns);

/*
 * A packet of @n bytes came; @marked: the layer says that it saw congestion. False: it was none, and nothing
 * changed but a counter.
 */
bool frct_rx(struct frct *f, const void *packet, size_t n, bool marked, int64_t now_ns);

/*
 * Makes the next packet that may leave now, into @out with room for conf.packet bytes. Its length; 0: none
 * now. Runs the timers that are due first.
 */
size_t frct_tx(struct frct *f, uint8_t *out, int64_t now_ns);

/*
 * Runs the timers that are due, when frct_tx() cannot be called since there is no room for a packet: the flow
 * may be over.
 */
void frct_expire(struct frct *f, int64_t now_ns);

/* When frct_tx() has to be called at the latest; CLOCK_NEVER. */
int64_t frct_due_ns(const struct frct *f);

/* Whether a message of @n bytes could be queued. */
bool frct_has_room(const struct frct *f, size_t n);

/* All that was written, and FIN if there was one, is acknowledged (unreliable: sent); or the flow is over. */
bool frct_is_quiet(const struct frct *f);

bool frct_is_reliable(const struct frct *f);

/* Nothing can be sent any more: -EFLOWPEER or -EFLOWDOWN has come of it. */
bool frct_is_over(const struct frct *f);

/* What carries the flow says that it has ended. */
void frct_down(struct frct *f);

struct frct_stats {
        uint64_t tx_packets, tx_bytes, retransmitted, spurious, probes, timeouts;
        uint64_t rx_packets, rx_bytes, duplicates, outside, malformed, marks;
        uint64_t losses; /* events */
        uint64_t cwnd, in_flight, pacing_rate;
        int64_t  srtt_ns, rtt_var_ns, min_rtt_ns;
        uint64_t tx_queued, rx_queued; /* bytes */
        uint64_t tx_window;            /* numbers that the peer has room for */
};

void frct_stats(const struct frct *f, struct frct_stats *s);

#endif
