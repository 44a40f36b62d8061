/*
 * record.c - epochs: when a sender moves on, and which of them a receiver has the keys of (ratchet.h).
 *
 * The sender's ratchet stands one step past its epoch. The receiver holds the current epoch and the one that
 * was current before; what is older, or was skipped, is gone. A record of a later epoch is a claim that
 * anybody can make, so nothing moves until its tag has verified, but the derivation must not be repeated for
 * every forged record either: the keys of the epochs that lie between the current one and the ratchet are kept
 * (struct ahead), and a cipher stays set for the epoch that was tried last (record_rx.next).
 *
 *     previous, current      | next, one of those ahead          |
 *     cipher and window      | keys without a window             | ratchet
 *                    epoch e | e+1 .......... ratchet.epoch - 1  | ratchet.epoch, at most e + 65
 *
 * On the path of a record there is no allocation and no look-up: the key is set once per epoch, and OpenSSL
 * gets nonce and tag in one call.
 */
#include "crypt/record.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "crypt/ratchet.h"
#include "crypt/secret.h"
#include "crypt/window.h"
#include "wire/cursor.h"

#define EPOCH_MAX ((UINT32_C(1) << 24) - 1) /* the last: it has 24 bits */
#define AHEAD_MAX 64u

#define PREVIOUS_NS (INT64_C(10) * 1000000000)
#define FORGED_MAX  (UINT64_C(1) << 36)

/* -- header ----------------------------------------------------------------- */

struct header {
        uint8_t  type;
        uint32_t epoch;
        uint32_t counter;
};

/* | type 8 | epoch 24 | counter 32 |  big-endian */
static bool header_get(struct header *h, const uint8_t *rec, size_t len)
{
        struct rd r = {rec, rec + len, false};

        h->type    = (uint8_t)rd_be(&r, 1);
        h->epoch   = (uint32_t)rd_be(&r, 3);
        h->counter = (uint32_t)rd_be(&r, 4);
        return len >= RECORD_OVERHEAD && len - RECORD_OVERHEAD <= RECORD_CONTENT_MAX &&
               h->type <= RECORD_CLOSE;
}

static void header_put(const struct header *h, uint8_t out[RECORD_HDR])
{
        struct wr w = {out, out + RECORD_HDR, false};

        wr_be(&w, h->type, 1);
        wr_be(&w, h->epoch, 3);
        wr_be(&w, h->counter, 4);
}

/* -- sender ----------------------------------------------------------------- */

struct record_tx {
        struct cipher  cipher;
        struct ratchet ratchet; /* stands at the next epoch */
        uint32_t       epoch;
        uint32_t       counter; /* of the next record */
        uint32_t       records; /* at most, in an epoch */
        uint32_t       last;    /* epoch */
        int64_t        began_ns;
};

/* The epoch that the ratchet stands at. */
static int tx_enter(struct record_tx *t, int64_t now_ns)
{
        struct keys k;
        int         r = ratchet_step(&t->ratchet, &k);

        if (r < 0)
                return r;
        r = cipher_set(&t->cipher, &k, AEAD_SEAL);
        secret_wipe(&k, sizeof(k));
        if (r < 0) { /* neither in the old epoch nor in the new one */
                cipher_end(&t->cipher);
                return r;
        }
        t->epoch    = t->ratchet.epoch - 1;
        t->counter  = 0;
        t->began_ns = now_ns;
        return 0;
}

struct record_tx *record_tx_create(const uint8_t secret[RECORD_SECRET], int64_t now_ns)
{
        struct record_tx *t = secret_alloc(sizeof(*t));

        if (t == NULL)
                return NULL;
        memcpy(t->ratchet.secret, secret, RECORD_SECRET);
        t->records = RECORD_EPOCH_RECORDS;
        t->last    = EPOCH_MAX;
        if (tx_enter(t, now_ns) < 0) {
                record_tx_destroy(t);
                return NULL;
        }
        return t;
}

void record_tx_destroy(struct record_tx *t)
{
        if (t == NULL)
                return;
        cipher_end(&t->cipher);
        secret_free(t);
}

void record_tx_rotate_after(struct record_tx *t, uint32_t records)
{
        assert(records >= 1 && records <= RECORD_EPOCH_RECORDS);
        t->records = records;
}

void record_tx_end_after(struct record_tx *t, uint32_t epochs)
{
        assert(epochs >= 1 && epochs <= EPOCH_MAX + 1);
        t->last = epochs - 1;
}

static bool tx_epoch_over(const struct record_tx *t, int64_t now_ns)
{
        return t->counter >= t->records || now_ns - t->began_ns >= RECORD_EPOCH_NS;
}

static int tx_ready(struct record_tx *t, int64_t now_ns)
{
        if (!cipher_usable(&t->cipher))
                return -EPERM;
        if (!tx_epoch_over(t, now_ns))
                return 0;
        return t->epoch >= t->last ? -EOVERFLOW : tx_enter(t, now_ns);
}

ptrdiff_t record_seal(struct record_tx *t, enum record_type type, const void *in, size_t n, int64_t now_ns,
                      uint8_t *out)
{
        int r = tx_ready(t, now_ns);

        assert(n <= RECORD_CONTENT_MAX && (unsigned)type <= RECORD_CLOSE);
        if (r < 0)
                return r;
        header_put(&(struct header){(uint8_t)type, t->epoch, t->counter++}, out);
        return cipher_seal(&t->cipher, in, n, out) ? (ptrdiff_t)(n + RECORD_OVERHEAD) : -ENOMEM;
}

uint32_t record_tx_epoch(const struct record_tx *t)
{
        return t->epoch;
}

/* -- receiver --------------------------------------------------------------- */

struct epoch {
        struct cipher cipher;
        uint32_t      number;
        struct window window;
};

struct ahead {
        struct keys keys[AHEAD_MAX]; /* by epoch % AHEAD_MAX */
};

struct record_rx {
        struct epoch   current;
        struct epoch   previous;
        int64_t        moved_ns; /* to the current epoch */
        struct cipher  next;     /* of the epoch next_number, ahead */
        uint32_t       next_number;
        struct ahead  *ahead; /* NULL: the ratchet stands at the epoch after the current one */
        struct ratchet ratchet;
        uint64_t       forged, forged_max, replayed;
};

static int rx_start(struct record_rx *r)
{
        struct keys k;
        int         e = ratchet_step(&r->ratchet, &k);

        if (e == 0)
                e = cipher_set(&r->current.cipher, &k, AEAD_OPEN);
        secret_wipe(&k, sizeof(k));
        return e;
}

struct record_rx *record_rx_create(const uint8_t secret[RECORD_SECRET])
{
        struct record_rx *r = secret_alloc(sizeof(*r));

        if (r == NULL)
                return NULL;
        memcpy(r->ratchet.secret, secret, RECORD_SECRET);
        r->forged_max = FORGED_MAX;
        if (rx_start(r) < 0) {
                record_rx_destroy(r);
                return NULL;
        }
        return r;
}

void record_rx_destroy(struct record_rx *r)
{
        if (r == NULL)
                return;
        cipher_end(&r->current.cipher);
        cipher_end(&r->previous.cipher);
        cipher_end(&r->next);
        secret_free(r->ahead);
        secret_free(r);
}

void record_rx_end_after(struct record_rx *r, uint64_t forged)
{
        assert(forged >= 1 && forged <= FORGED_MAX);
        r->forged_max = forged;
}

static void epoch_end(struct epoch *e)
{
        cipher_end(&e->cipher);
        secret_wipe(e, sizeof(*e));
}

void record_rx_expire(struct record_rx *r, int64_t now_ns)
{
        if (cipher_usable(&r->previous.cipher) && now_ns - r->moved_ns >= PREVIOUS_NS)
                epoch_end(&r->previous);
}

static int rx_forged(struct record_rx *r)
{
        return ++r->forged >= r->forged_max ? -EPROTO : -EBADMSG;
}

static int rx_replayed(struct record_rx *r)
{
        r->replayed++;
        return -EALREADY;
}

/* A record of an epoch that we hold. */
static ptrdiff_t open_held(struct record_rx *r, struct epoch *e, const uint8_t *rec, size_t n, uint8_t *out,
                           uint32_t counter)
{
        if (!window_fresh(&e->window, counter))
                return rx_replayed(r);
        if (!cipher_open(&e->cipher, rec, n, out))
                return rx_forged(r);
        window_accept(&e->window, counter);
        return (ptrdiff_t)n;
}

/* Turns the ratchet past @number and keeps what it yields. */
static int ahead_derive(struct record_rx *r, uint32_t number)
{
        int e = 0;

        if (r->ahead == NULL && (r->ahead = secret_alloc(sizeof(*r->ahead))) == NULL)
                return -ENOMEM;
        while (e == 0 && r->ratchet.epoch <= number)
                e = ratchet_step(&r->ratchet, &r->ahead->keys[r->ratchet.epoch % AHEAD_MAX]);
        return e;
}

/* The context for trying @number. */
static int next_set(struct record_rx *r, uint32_t number)
{
        int e;

        if (cipher_usable(&r->next) && r->next_number == number)
                return 0;
        e = ahead_derive(r, number);
        if (e == 0)
                e = cipher_set(&r->next, &r->ahead->keys[number % AHEAD_MAX], AEAD_OPEN);
        if (e < 0)
                cipher_end(&r->next);
        r->next_number = number;
        return e;
}

/* What was tried has verified: it is the current epoch. */
static void next_enter(struct record_rx *r, int64_t now_ns)
{
        for (uint32_t n = r->current.number + 1; n <= r->next_number; n++)
                secret_wipe(&r->ahead->keys[n % AHEAD_MAX], sizeof(struct keys));
        if (r->ratchet.epoch == r->next_number + 1) {
                secret_free(r->ahead);
                r->ahead = NULL;
        }
        epoch_end(&r->previous);
        r->previous = r->current;
        secret_wipe(&r->current, sizeof(r->current));
        r->current.cipher = r->next;
        r->current.number = r->next_number;
        secret_wipe(&r->next, sizeof(r->next));
        r->moved_ns = now_ns;
}

static ptrdiff_t open_ahead(struct record_rx *r, const struct header *h, const uint8_t *rec, size_t n,
                            int64_t now_ns, uint8_t *out)
{
        int e;

        if (h->epoch - r->current.number > AHEAD_MAX)
                return rx_forged(r);
        e = next_set(r, h->epoch);
        if (e < 0)
                return e;
        if (!cipher_open(&r->next, rec, n, out))
                return rx_forged(r);
        next_enter(r, now_ns);
        window_accept(&r->current.window, h->counter);
        return (ptrdiff_t)n;
}

ptrdiff_t record_open(struct record_rx *r, const uint8_t *rec, size_t len, int64_t now_ns, uint8_t *out,
                      enum record_type *type)
{
        struct header h;
        ptrdiff_t     n;

        if (!cipher_usable(&r->current.cipher))
                return -EPERM;
        if (r->forged >= r->forged_max)
                return -EPROTO;
        record_rx_expire(r, now_ns);
        if (!header_get(&h, rec, len))
                return rx_forged(r);
        if (h.epoch == r->current.number)
                n = open_held(r, &r->current, rec, len - RECORD_OVERHEAD, out, h.counter);
        else if (h.epoch > r->current.number)
                n = open_ahead(r, &h, rec, len - RECORD_OVERHEAD, now_ns, out);
        else if (h.epoch == r->previous.number && cipher_usable(&r->previous.cipher))
                n = open_held(r, &r->previous, rec, len - RECORD_OVERHEAD, out, h.counter);
        else
                n = rx_replayed(r);
        if (n >= 0)
                *type = (enum record_type)h.type;
        return n;
}

uint32_t record_rx_epoch(const struct record_rx *r)
{
        return r->current.number;
}

uint64_t record_rx_forged(const struct record_rx *r)
{
        return r->forged;
}

uint64_t record_rx_replayed(const struct record_rx *r)
{
        return r->replayed;
}
