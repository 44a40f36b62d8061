/*
 * outbox.h - the sending half of a flow whose packets are not what the application wrote: encrypted, or with a checksum
 * (crypt/crc32.h).
 *
 * Encrypted ones are sealed in memory of its own, then copied into the ring.
 *
 * Sealing in the ring itself would save the copy, and hand the peer a signature on what it writes there
 * meanwhile: OpenSSL reads the ciphertext again for the tag (crypt/record.h).
 *
 * Belongs to the writers' lock of its flow.
 */
#ifndef O7S_DEV_OUTBOX_H
#define O7S_DEV_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypt/record.h"
#include "shm/port.h"

struct outbox; /* private to outbox.c */

/* @secret is copied; NULL: checksums. NULL: out of memory. */
struct outbox *outbox_create(const uint8_t secret[RECORD_SECRET]);

/* Wipes everything. Takes NULL. */
void outbox_destroy(struct outbox *o);

/*
 * Sends one message of @n bytes, 1 to PORT_MSG_MAX. 0, -EAGAIN (no room), -EFLOWDOWN (the peer has ended),
 * -EPROTO (it broke the ring, or the keys are used up: the flow must end), -ENOMEM.
 */
int outbox_write(struct outbox *o, struct port *p, const void *buf, size_t n);

/*
 * Says @type, which is not RECORD_DATA, to the other library. The application there is not disturbed unless
 * @wakes. A close finds room in a full ring. Results as above. Without encryption nobody would believe it: nothing is said.
 */
int outbox_say(struct outbox *o, struct port *p, enum record_type type, bool wakes);

/* Bytes that a packet has more than its message. */
size_t outbox_overhead(const struct outbox *o);

/* The records, for tests. */
struct record_tx *outbox_records(struct outbox *o);

#endif
