/*
 * inbox.h - what is read of a flow beside the plain messages in its ring: what the peer sent with the flow
 * itself (first data), and the records of an encrypted flow, or packets with a checksum (crypt/crc32.h). A plain flow without
 * these has none.
 *
 * A record is copied out of the ring and then opened, into the reader's buffer if that has room for all of it,
 * else into memory of the inbox, from where it is read in parts. It stays in the ring until its message was
 * read to the end, so that the descriptor stays readable. First data lies in front of the ring, and says so to
 * the port (`extra`).
 *
 * Records that are forged or replayed, and packets that are damaged, are dropped, keepalives are taken, without a word: none of them ends a
 * read. A record that only looks like a message makes the descriptor readable all the same; whoever opens
 * it learns better.
 *
 * The end of the ring is the end of the flow only if the peer's library has said so in a record, which no one
 * in between can make.
 *
 * Belongs to the readers' lock of its flow, inside the port.
 */
#ifndef O7S_DEV_INBOX_H
#define O7S_DEV_INBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "crypt/record.h"
#include "shm/port.h"

struct inbox; /* private to inbox.c */

enum inbox_kind {
        INBOX_PLAIN,  /* messages as they are; here for first data only */
        INBOX_SUMMED, /* with checksums                                 */
        INBOX_SEALED
};

/*
 * For records sealed with @secret, which is NULL for another kind. Both that and @first, @first_len bytes or none, are
 * copied. @hold: the first data is to be read once a record was opened, which proves the peer live. NULL: out
 * of memory.
 */
struct inbox *inbox_create(enum inbox_kind kind, const uint8_t *secret, const void *first, size_t first_len,
                           bool hold);

/* Wipes everything. Takes NULL. */
void inbox_destroy(struct inbox *in);

/*
 * flow_read() of @count bytes, at least 1. @whole: a message that is longer is kept (-EMSGSIZE). The number of
 * bytes, or -EAGAIN (there is no message, or not among the next few records), -ENODATA (the peer has ended
 * the flow and everything was read), -EFLOWDOWN (it ended otherwise), -EPROTO (the peer lied: the flow must
 * end), -ENOMEM.
 */
ssize_t inbox_read(struct inbox *in, struct port *p, void *buf, size_t count, bool whole);

/* Whether that would give a message. 0: there is one; else as above. */
int inbox_look(struct inbox *in, struct port *p);

/* Leaves the port, as port_rx_leave(), after taking what is no message. */
void inbox_leave(struct inbox *in, struct port *p);

/* Whether the last inbox_read() took a message to its end. */
bool inbox_between(const struct inbox *in);

/* Whether all of it was read, and the plain ring is all there is. */
bool inbox_spent(const struct inbox *in);

/* Whether a record was opened. */
bool inbox_confirmed(const struct inbox *in);

/* The records, for tests; NULL: plain. */
struct record_rx *inbox_records(struct inbox *in);

#endif
