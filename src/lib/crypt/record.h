/*
 * record.h - the record layer of encrypted flows: one direction of one flow is a sender here and a receiver
 * there.
 *
 *     off size
 *       0   1  type             0 data, 1 keepalive, 2 close
 *       1   3  epoch
 *       4   4  counter          starts at 0 in each epoch, never repeats
 *       8   n  ciphertext       AES-256-GCM(key_e, nonce = iv_e XOR (0^32 | bytes 0..7), AAD = bytes 0..7)
 *     8+n  16  tag
 *
 * Both work on private memory only: OpenSSL reads ciphertext twice, so a record in memory that a peer can
 * write to must be copied out before it is opened, and sealed before it is copied in (doc/protocols/oap.md).
 *
 * A sender or a receiver belongs to one thread at a time; different ones are independent. They own no clock:
 * @now_ns is monotonic and may be coarse (milliseconds).
 *
 * Secrets, IVs and windows are in memory of secret.h. The expanded AES keys are not: OpenSSL keeps them on its
 * own heap, neither locked nor left out of core dumps nor taken from a forked child; it wipes them when an
 * epoch is dropped and at the end. A forked child cannot use what its parent made (-EPERM), only destroy it;
 * OpenSSL's contexts are then lost to it.
 */
#ifndef O7S_CRYPT_RECORD_H
#define O7S_CRYPT_RECORD_H

#include <stddef.h>
#include <stdint.h>

#define RECORD_SECRET      48u
#define RECORD_HDR         8u
#define RECORD_TAG         16u
#define RECORD_OVERHEAD    (RECORD_HDR + RECORD_TAG)
#define RECORD_CONTENT_MAX (UINT32_C(1) << 30) /* nothing that travels comes near */

enum record_type { RECORD_DATA = 0, RECORD_KEEPALIVE = 1, RECORD_CLOSE = 2 };

/* When a sender moves to the next epoch, whichever comes first. */
#define RECORD_EPOCH_RECORDS (UINT32_C(1) << 24)
#define RECORD_EPOCH_NS      (INT64_C(3600) * 1000000000)

struct record_tx;
struct record_rx;

/* @secret is copied; the caller wipes his. NULL: out of memory. */
struct record_tx *record_tx_create(const uint8_t secret[RECORD_SECRET], int64_t now_ns);
struct record_rx *record_rx_create(const uint8_t secret[RECORD_SECRET]);

/* Wipe and free. Take NULL. */
void record_tx_destroy(struct record_tx *t);
void record_rx_destroy(struct record_rx *r);

/* Moves on after @records instead, 1 to RECORD_EPOCH_RECORDS: for tests. */
void record_tx_rotate_after(struct record_tx *t, uint32_t records);

/* Ends after @epochs instead, 1 to 2^24; after @forged records instead, 1 to 2^36: likewise. */
void record_tx_end_after(struct record_tx *t, uint32_t epochs);
void record_rx_end_after(struct record_rx *r, uint64_t forged);

/*
 * Seals @n bytes, at most RECORD_CONTENT_MAX, to @out, which has room for @n + RECORD_OVERHEAD, is private and
 * does not overlap @in. Returns the length of the record, or
 *   -EOVERFLOW  the last epoch is used up: the flow must end
 *   -EPERM      @t is of the process that forked this one, or its keys are gone
 *   -ENOMEM
 */
ptrdiff_t record_seal(struct record_tx *t, enum record_type type, const void *in, size_t n, int64_t now_ns,
                      uint8_t *out);

/*
 * Opens the record @rec of @len bytes (private memory) to @out, which has room for @len - RECORD_OVERHEAD
 * bytes and may not overlap. Returns the length of the content and its *@type; or
 *   -EBADMSG   not a record that the sender made; nothing of it is in @out, and nothing has changed
 *   -EALREADY  replayed, or too old to tell; likewise
 *   -EPROTO    2^36 forged records: the flow must end
 *   -EPERM     @r is of the process that forked this one
 *   -ENOMEM    nothing has changed, and the record may be tried again
 */
ptrdiff_t record_open(struct record_rx *r, const uint8_t *rec, size_t len, int64_t now_ns, uint8_t *out,
                      enum record_type *type);

/*
 * Drops the keys of the previous epoch when their time (10 s) is over. record_open() does it too: this is for
 * a reader who finds no record.
 */
void record_rx_expire(struct record_rx *r, int64_t now_ns);

/* The epoch of the next record, of the newest opened one: for people. */
uint32_t record_tx_epoch(const struct record_tx *t);
uint32_t record_rx_epoch(const struct record_rx *r);

/* Records that were refused so far. */
uint64_t record_rx_forged(const struct record_rx *r);
uint64_t record_rx_replayed(const struct record_rx *r);

#endif
