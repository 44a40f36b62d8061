/*
 * message.h - a message in pieces: sending one, and collecting one. Pure state; who owns it does
 * the sending.
 */
#ifndef O7S_IPCPD_TRANSPORT_MESSAGE_H
#define O7S_IPCPD_TRANSPORT_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/shim.h"

#define OUTGOING_IN_FLIGHT 10u

struct outgoing {
        uint8_t *bytes;
        size_t   len, piece; /* bytes of all, and of each piece but the last */
        unsigned count;
        uint64_t arrived;               /* pieces that the peer has, by what it says               */
        uint64_t sent;                  /* pieces on their way or there; lost ones are not         */
        uint32_t turns;                 /* pieces sent, copies too                                 */
        uint32_t turn[SHIM_PIECES_MAX]; /* when each was sent last, counted in these; 0: not yet   */
};

/*
 * Takes @bytes (of malloc()) over, also on failure. NULL: out of memory, or more than 64 pieces of @piece
 * bytes.
 */
struct outgoing *outgoing_create(uint8_t *bytes, size_t len, size_t piece);
void             outgoing_destroy(struct outgoing *o); /* takes NULL */

/* The next piece to send now, taken as sent; -1: none, or enough are in flight. *@again: it is a copy. */
int outgoing_next(struct outgoing *o, bool *again);

/* What the peer says it has. Returns whether some of it is news. */
bool outgoing_heard(struct outgoing *o, uint64_t pieces);

/* What the peer has not said it has is taken as lost. */
void outgoing_repeat(struct outgoing *o);

bool outgoing_done(const struct outgoing *o);

/* Bytes of the packets that outgoing_next() would lead to now, if the header has no token. */
size_t outgoing_due(const struct outgoing *o);

/* Fills in what the header says of piece @i, and returns its bytes. */
const uint8_t *outgoing_piece(const struct outgoing *o, unsigned i, struct shim_head *h);

struct incoming {
        unsigned count, news; /* pieces of the message; that have come */
        uint16_t size, last;  /* bytes of each piece, of the last one   */
        uint64_t got;
        uint8_t *pieces[SHIM_PIECES_MAX];
};

enum { INCOMING_NEW, INCOMING_HAD, INCOMING_CONFLICT, INCOMING_COMPLETE };

struct incoming *incoming_create(const struct shim_head *h); /* NULL: out of memory */
void             incoming_destroy(struct incoming *in);      /* takes NULL */

/*
 * Whether the piece of this header is of another message than those that came; or was there already; or is
 * new.
 */
int incoming_judge(const struct incoming *in, const struct shim_head *h);

/* Adds a piece that is new. INCOMING_NEW, INCOMING_COMPLETE, or -ENOMEM: then it is as if it had not come. */
int incoming_add(struct incoming *in, const struct shim_head *h, const uint8_t *bytes);

/* Whether the peer should be told, after the new piece of this header, what has come. */
bool incoming_owes(const struct incoming *in, const struct shim_head *h);

/* Bytes of the pieces that have come. */
size_t incoming_bytes(const struct incoming *in);

/* All of it, when it is complete, to be freed. NULL: out of memory. */
uint8_t *incoming_join(const struct incoming *in);

#endif
