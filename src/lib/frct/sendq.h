/*
 * sendq.h - what a sender has queued and what it has sent and not seen acknowledged, packet by packet.
 * Numbers are consecutive:
 *
 *          base                 next                    end
 *           | sent, unacknowledged | queued, never sent   |
 *
 * Each packet that was sent is out, or taken for lost and waiting to be sent again, or has arrived and waits
 * for those before it. Those that are out are also kept in the order of their last transmission, and those
 * that are lost in the order in which that was seen, so that nobody has to search the window (sendq_oldest(),
 * sendq_first_lost()).
 *
 * Payloads lie in chunks of pools that grow, in slabs, up to a bound, and are given back when the queue is
 * empty for long (sendq_trim()): no allocation per packet in a stream. Packets that are nearly empty, as
 * messages often are, have small chunks of their own. Entries are a ring that doubles. Not thread safe.
 */
#ifndef O7S_FRCT_SENDQ_H
#define O7S_FRCT_SENDQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sendq;

#define SENDQ_PACKETS_MAX (1u << 16) /* in the queue, FIN among them             */
#define SENDQ_SMALL       256u       /* bytes of payload that fit a small chunk  */

/* State of a connection when a packet was sent, for the delivery rate (frct/rate.h). */
struct rate_mark {
        uint64_t delivered; /* bytes                                         */
        uint64_t lost;      /* bytes                                         */
        uint64_t in_flight; /* bytes, with this packet                       */
        int64_t  delivered_ns;
        int64_t  first_ns;
        bool     app_limited;
};

/* A packet that was queued. */
struct sent {
        const uint8_t   *payload;       /* of the queue; NULL with FIN                           */
        uint16_t         len;           /* of the payload                                        */
        uint8_t          flags;         /* FRCT_FIRST, FRCT_LAST, FRCT_FIN                       */
        bool             acked;         /* by a range: it waits here for those before it         */
        bool             lost;          /* taken for lost, not sent again yet                    */
        bool             retransmitted; /* sent more than once                                  */
        uint8_t          place;         /* private: one of enum place                            */
        uint32_t         older, newer;  /* private: lower halves of the numbers next to it there */
        uint32_t         stamp;         /* of the last transmission                              */
        int64_t          first_ns;      /* when it was sent first                                */
        int64_t          tx_ns;         /* last                                                  */
        uint64_t         order;         /* of the last transmission among all: larger is later   */
        struct rate_mark rate;          /* at the last transmission                              */
};

/*
 * @piece: bytes of payload in a packet, 1 to 65535. @bytes_max: of the chunks that packets take (so that the
 * memory is bounded, however small the messages are); a message of as many bytes always fits an empty queue,
 * unless that makes more than SENDQ_PACKETS_MAX - 1 packets. Chunks of either size that are free stay until
 * sendq_trim(): a queue never has more than twice @bytes_max. The first number is @first. NULL: out of
 * memory.
 */
struct sendq *sendq_create(size_t piece, size_t bytes_max, uint64_t first);
void          sendq_destroy(struct sendq *q); /* wipes the payloads: they may be anybody's secret */

/*
 * Queues a message, cut into pieces; copies it. 0; -EAGAIN: no room now (and nothing was queued); -EMSGSIZE:
 * there will never be; -ENOMEM. @n is at least 1.
 */
int sendq_push(struct sendq *q, const void *msg, size_t n);

/* Queues FIN, for which there is always room. 0 or -ENOMEM. */
int sendq_push_fin(struct sendq *q);

/* Whether sendq_push() of @n bytes would do. */
bool sendq_has_room(const struct sendq *q, size_t n);

uint64_t sendq_base(const struct sendq *q);
uint64_t sendq_next(const struct sendq *q);
uint64_t sendq_end(const struct sendq *q);

/* Bytes of payload in the queue. */
size_t sendq_bytes(const struct sendq *q);

/* @base <= @seq < @end. Borrowed until the queue changes. */
struct sent *sendq_at(struct sendq *q, uint64_t seq);

/* The packet at next was sent: next moves, the packet is out. The caller fills in its times. */
void sendq_sent(struct sendq *q);

/*
 * The packet @seq (base <= seq < next), lost or not, was sent again: it is out, and lost no more. The caller
 * fills in its times.
 */
void sendq_resent(struct sendq *q, uint64_t seq);

/*
 * loss.c calls these two: the packet @seq has arrived (again: nothing changes; sent.acked is the caller's),
 * or is taken for lost (it was out).
 */
void sendq_arrived(struct sendq *q, uint64_t seq);
void sendq_lose(struct sendq *q, uint64_t seq);

/*
 * Of those that are out the one whose last transmission is the oldest; of those that are lost the first to be
 * sent again. NULL: there is none.
 */
struct sent *sendq_oldest(struct sendq *q, uint64_t *seq);
struct sent *sendq_first_lost(struct sendq *q, uint64_t *seq);

/* How many have arrived behind the first that has not. */
size_t sendq_overtaken(const struct sendq *q);

/*
 * What lies before @seq (base <= seq <= next) is done with, whether it arrived or not: wiped, and its room
 * free.
 */
void sendq_drop(struct sendq *q, uint64_t seq);

/* The queue is empty: it goes on with the number @first. */
void sendq_restart(struct sendq *q, uint64_t first);

/* Gives back memory that an empty queue does not need. */
void sendq_trim(struct sendq *q);

#endif
