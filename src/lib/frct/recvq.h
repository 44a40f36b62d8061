/*
 * recvq.h - what a receiver has got: packets in order that make messages, to be read, and those behind a gap.
 *
 *          read                next                         edge
 *           | in order, not read | some of it, behind a gap   |
 *
 * Reliable: everything between is waited for. Unreliable: next follows the newest packet, and a message that
 * misses one is dropped at once (what has arrived is seen.h's business then). Memory: chunks of a pool as in
 * sendq.h, one for each packet. The edge never moves back. Not thread safe.
 *
 * What a peer does wrong costs it its own messages. Left out, as if they had been read:
 *
 *     a piece that neither begins a message nor goes on with one
 *     a message that is not finished when the next begins, or at FIN
 *     a message that is longer than FRCT_MESSAGE_MAX, or that fills the whole window and is not finished: all its pieces
 *     whatever is numbered behind FIN
 */
#ifndef O7S_FRCT_RECVQ_H
#define O7S_FRCT_RECVQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frct/number.h"

struct recvq;

enum recvq_put {
        RECVQ_IN_ORDER,  /* it was the next                                                      */
        RECVQ_FILLED,    /* it was the next, and behind it lay more                              */
        RECVQ_GAP,       /* it is behind a gap (unreliable: taken, and one was left)             */
        RECVQ_DUPLICATE, /* it was here before, or is older than what is expected                */
        RECVQ_OUTSIDE,   /* at the edge or beyond, or behind FIN, or no payload that fits @piece */
        RECVQ_NO_MEMORY, /* as if it had got lost                                                */
};

/*
 * @piece: the largest payload of a packet, 1 to 65535. @bytes_max: of chunks that packets may take.
 * @packets_max: numbers between read and edge, a power of two, at least 64. A message of FRCT_MESSAGE_MAX in
 * full pieces always fits an empty queue: bytes_max is raised to that, but packets_max is not (65536 do for
 * pieces of 16). NULL: out of memory.
 */
struct recvq *recvq_create(size_t piece, size_t bytes_max, size_t packets_max, bool reliable);
void          recvq_destroy(struct recvq *q); /* wipes what lies in it; takes NULL */

/*
 * Nothing is known of the sender (any more): a run begins at @first. Messages that are whole stay to be read;
 * the rest, and a message cut short, is dropped. The end stays the end: once all before FIN was there,
 * nothing but FIN is taken in any run. Before the first run: every packet is outside.
 */
void recvq_begin(struct recvq *q, uint64_t first);

/*
 * Takes a copy of the packet @seq with @flags (FRCT_FIRST, _LAST, _FIN, as frct_hdr_ok() lets them go
 * together) and @n bytes of payload.
 */
enum recvq_put recvq_put(struct recvq *q, uint64_t seq, uint8_t flags, const void *payload, size_t n);

/* Unreliable: nothing before @first will come. Reliable: ignored. */
void recvq_skip(struct recvq *q, uint64_t first);

uint64_t recvq_next(const struct recvq *q);

/* The first number that there is no room for, as of now; at least what it was before, in this run. */
uint64_t recvq_edge(const struct recvq *q);

/* How many numbers the window is wide when nothing waits. */
uint64_t recvq_window(const struct recvq *q);

/*
 * Ranges behind next, at most @max: first the one that holds @newest (if it is behind next), then from the
 * highest down, none twice. Returns how many.
 */
size_t recvq_ranges(const struct recvq *q, uint64_t newest, struct range *out, size_t max);

/* Whether a whole message can be read: its length, 0 (nothing yet), or -ENODATA: all before FIN was read. */
ptrdiff_t recvq_look(const struct recvq *q);

/* Whether FIN has come, and everything before it. */
bool recvq_ended(const struct recvq *q);

/*
 * Reads from the oldest message, if it is there: up to @n bytes from where the last read stopped. Packets
 * that were read to their end are wiped, and their room is free. Returns the bytes.
 */
size_t recvq_read(struct recvq *q, void *buf, size_t n);

/* Bytes of the oldest message that were read already. */
size_t recvq_offset(const struct recvq *q);

/* Bytes of payload that lie in it. */
size_t recvq_bytes(const struct recvq *q);

/* Gives back memory that an empty queue does not need. */
void recvq_trim(struct recvq *q);

#endif
