/*
 * record.c - keys that follow each other, and who may use which.
 *
 *     secret_0 --next--> secret_1 --next--> secret_2 ...        secret_{e+1} = Expand(secret_e, "o7s v1 next")
 *        |                  |                  |
 *      record             record             record             key_e | iv_e = Expand(secret_e, "o7s v1 record")
 *        v                  v                  v
 *     epoch 0            epoch 1            epoch 2
 *
 * A chain stands at one secret and only walks on: a step yields the keys of an epoch and leaves the secret of
 * the next, so that no state of ours leads back to an epoch that is over.
 *
 * The sender stands one step past its epoch. The receiver holds the current epoch and the one that was
 * current before; what is older, or was skipped, is gone. A record of a later epoch is a claim that anybody
 * can make, so nothing moves until its tag has verified, but the derivation must not be repeated for every
 * forged record either: the keys of the epochs that lie between the current one and the chain are kept
 * (struct ahead), and a cipher context stays set for the epoch that was tried last (record_rx.next).
 *
 *     previous, current      | next, one of those ahead          |
 *     context, iv, window    | keys without a window             | chain
 *                    epoch e | e+1 ............ chain.epoch - 1  | chain.epoch, at most e + 65
 *
 * On the path of a record there is no allocation and no look-up: the key is set once per epoch, and OpenSSL
 * gets nonce and tag in one call.
 */
#include "crypt/record.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "crypt/hkdf.h"
#include "crypt/secret.h"
#include "wire/cursor.h"

#define KEY_LEN   32u
#define IV_LEN    12u
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
        return len >= RECORD_OVERHEAD && len <= INT_MAX && h->type <= RECORD_CLOSE;
}

static void header_put(const struct header *h, uint8_t out[RECORD_HDR])
{
        struct wr w = {out, out + RECORD_HDR, false};

        wr_be(&w, h->type, 1);
        wr_be(&w, h->epoch, 3);
        wr_be(&w, h->counter, 4);
}

/* -- key schedule ----------------------------------------------------------- */

struct keys {
        uint8_t key[KEY_LEN];
        uint8_t iv[IV_LEN];
};

struct chain {
        uint8_t  secret[RECORD_SECRET];
        uint32_t epoch; /* that @secret is of */
};

static int expand(const struct chain *c, const char *label, void *out, size_t len)
{
        struct piece info = {label, strlen(label)};

        return hkdf_expand(out, len, c->secret, &info, 1);
}

/* The keys of the epoch that the chain stands at, and on to the next; or -ENOMEM, and it stays. */
static int chain_step(struct chain *c, struct keys *k)
{
        uint8_t next[RECORD_SECRET];
        int     r = expand(c, "o7s v1 record", k, sizeof(*k));

        if (r == 0)
                r = expand(c, "o7s v1 next", next, sizeof(next));
        if (r == 0) {
                memcpy(c->secret, next, sizeof(next));
                c->epoch++;
        } else {
                secret_wipe(k, sizeof(*k));
        }
        secret_wipe(next, sizeof(next));
        return r;
}

/* -- cipher ----------------------------------------------------------------- */

struct cipher {
        EVP_CIPHER_CTX *ctx; /* NULL: not in use */
        uint8_t         iv[IV_LEN];
};

static EVP_CIPHER *aes_256_gcm;

static void fetch(void)
{
        aes_256_gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
}

/* For sealing or for opening. An unused one gets its context. */
static int cipher_set(struct cipher *c, const struct keys *k, bool seal)
{
        static pthread_once_t once = PTHREAD_ONCE_INIT;

        pthread_once(&once, fetch);
        if (aes_256_gcm == NULL || (c->ctx == NULL && (c->ctx = EVP_CIPHER_CTX_new()) == NULL))
                return -ENOMEM;
        memcpy(c->iv, k->iv, IV_LEN);
        return EVP_CipherInit_ex2(c->ctx, aes_256_gcm, k->key, NULL, seal, NULL) ? 0 : -ENOMEM;
}

/* OpenSSL wipes the expanded key with the context. */
static void cipher_end(struct cipher *c)
{
        EVP_CIPHER_CTX_free(c->ctx);
        secret_wipe(c, sizeof(*c));
}

/* iv XOR (0^32 | header) */
static void nonce_make(uint8_t nonce[IV_LEN], const uint8_t iv[IV_LEN], const uint8_t hdr[RECORD_HDR])
{
        memcpy(nonce, iv, IV_LEN);
        for (size_t i = 0; i < RECORD_HDR; i++)
                nonce[IV_LEN - RECORD_HDR + i] ^= hdr[i];
}

static OSSL_PARAM tag_param(uint8_t tag[RECORD_TAG])
{
        return OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, tag, RECORD_TAG);
}

/* Content and tag to behind the header, which is at @rec already. */
static bool cipher_seal(const struct cipher *c, const void *in, size_t n, uint8_t *rec)
{
        uint8_t   *text  = rec + RECORD_HDR;
        OSSL_PARAM tag[] = {tag_param(text + n), OSSL_PARAM_construct_end()};
        uint8_t    nonce[IV_LEN];
        int        len;

        nonce_make(nonce, c->iv, rec);
        return EVP_EncryptInit_ex2(c->ctx, NULL, NULL, nonce, NULL) &&
               EVP_EncryptUpdate(c->ctx, NULL, &len, rec, RECORD_HDR) &&
               EVP_EncryptUpdate(c->ctx, text, &len, in, (int)n) &&
               EVP_EncryptFinal_ex(c->ctx, text + n, &len) && EVP_CIPHER_CTX_get_params(c->ctx, tag);
}

/* Whether the record has a good tag; its content, or zeros, to @out. A bad tag leaves no error in OpenSSL's queue. */
static bool cipher_open(const struct cipher *c, const uint8_t *rec, size_t n, uint8_t *out)
{
        const uint8_t *text  = rec + RECORD_HDR;
        OSSL_PARAM     tag[] = {tag_param((uint8_t *)text + n), OSSL_PARAM_construct_end()};
        uint8_t        nonce[IV_LEN];
        int            len;
        bool           good;

        nonce_make(nonce, c->iv, rec);
        good = EVP_DecryptInit_ex2(c->ctx, NULL, NULL, nonce, tag) &&
               EVP_DecryptUpdate(c->ctx, NULL, &len, rec, RECORD_HDR) &&
               EVP_DecryptUpdate(c->ctx, out, &len, text, (int)n) &&
               EVP_DecryptFinal_ex(c->ctx, out + n, &len) > 0;
        if (!good)
                secret_wipe(out, n);
        return good;
}

/* -- sender ----------------------------------------------------------------- */

struct record_tx {
        struct cipher cipher;
        struct chain  chain; /* stands at the next epoch */
        uint32_t      epoch;
        uint32_t      counter; /* of the next record */
        uint32_t      records; /* at most, in an epoch */
        int64_t       began_ns;
};

/* The epoch that the chain stands at. */
static int tx_enter(struct record_tx *t, int64_t now_ns)
{
        struct keys k;
        int         r = chain_step(&t->chain, &k);

        if (r < 0)
                return r;
        r = cipher_set(&t->cipher, &k, true);
        secret_wipe(&k, sizeof(k));
        if (r < 0) { /* neither in the old epoch nor in the new one */
                cipher_end(&t->cipher);
                return r;
        }
        t->epoch    = t->chain.epoch - 1;
        t->counter  = 0;
        t->began_ns = now_ns;
        return 0;
}

struct record_tx *record_tx_create(const uint8_t secret[RECORD_SECRET], int64_t now_ns)
{
        struct record_tx *t = secret_alloc(sizeof(*t));

        if (t == NULL)
                return NULL;
        memcpy(t->chain.secret, secret, RECORD_SECRET);
        t->records = RECORD_EPOCH_RECORDS;
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

static bool tx_epoch_over(const struct record_tx *t, int64_t now_ns)
{
        return t->counter >= t->records || now_ns - t->began_ns >= RECORD_EPOCH_NS;
}

static int tx_ready(struct record_tx *t, int64_t now_ns)
{
        if (t->cipher.ctx == NULL)
                return -EPERM;
        if (!tx_epoch_over(t, now_ns))
                return 0;
        return t->epoch == EPOCH_MAX ? -EOVERFLOW : tx_enter(t, now_ns);
}

ptrdiff_t record_seal(struct record_tx *t, enum record_type type, const void *in, size_t n, int64_t now_ns,
                      uint8_t *out)
{
        int r = tx_ready(t, now_ns);

        assert(n <= RECORD_CONTENT_MAX && (unsigned)type <= RECORD_CLOSE);
        if (r < 0)
                return r;
        header_put(&(struct header){(uint8_t)type, t->epoch, t->counter++}, out);
        if (!cipher_seal(&t->cipher, in, n, out)) {
                secret_wipe(out, n + RECORD_OVERHEAD);
                return -ENOMEM;
        }
        return (ptrdiff_t)(n + RECORD_OVERHEAD);
}

uint32_t record_tx_epoch(const struct record_tx *t)
{
        return t->epoch;
}

/* -- replay window ---------------------------------------------------------- */

/* One word more than the window is wide: the word of the newest counter is partly in the future (RFC 6479). */
#define WINDOW       4096u
#define WINDOW_WORDS (WINDOW / 64 + 1)

struct window {
        uint64_t end; /* one past the highest counter seen */
        uint64_t seen[WINDOW_WORDS];
};

static uint64_t *window_word(struct window *w, uint64_t counter)
{
        return &w->seen[counter / 64 % WINDOW_WORDS];
}

/* Neither seen nor too old to tell. */
static bool window_fresh(struct window *w, uint32_t counter)
{
        if (counter >= w->end)
                return true;
        return counter + (uint64_t)WINDOW >= w->end && !(*window_word(w, counter) >> counter % 64 & 1);
}

/* Clears the words that the window enters as its end moves past @counter. */
static void window_advance(struct window *w, uint32_t counter)
{
        uint64_t first = w->end == 0 ? 0 : (w->end - 1) / 64 + 1;
        uint64_t last  = counter / 64;

        if (last + 1 - first > WINDOW_WORDS)
                first = last + 1 - WINDOW_WORDS;
        for (uint64_t word = first; word <= last; word++)
                w->seen[word % WINDOW_WORDS] = 0;
        w->end = (uint64_t)counter + 1;
}

static void window_accept(struct window *w, uint32_t counter)
{
        if (counter >= w->end)
                window_advance(w, counter);
        *window_word(w, counter) |= UINT64_C(1) << counter % 64;
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
        struct epoch  current;
        struct epoch  previous;
        int64_t       moved_ns; /* to the current epoch */
        struct cipher next;     /* of the epoch next_number, ahead */
        uint32_t      next_number;
        struct ahead *ahead; /* NULL: the chain stands at the epoch after the current one */
        struct chain  chain;
        uint64_t      forged, forged_max, replayed;
};

static int rx_start(struct record_rx *r)
{
        struct keys k;
        int         e = chain_step(&r->chain, &k);

        if (e == 0)
                e = cipher_set(&r->current.cipher, &k, false);
        secret_wipe(&k, sizeof(k));
        return e;
}

struct record_rx *record_rx_create(const uint8_t secret[RECORD_SECRET])
{
        struct record_rx *r = secret_alloc(sizeof(*r));

        if (r == NULL)
                return NULL;
        memcpy(r->chain.secret, secret, RECORD_SECRET);
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
        if (r->previous.cipher.ctx != NULL && now_ns - r->moved_ns >= PREVIOUS_NS)
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

/* Walks the chain past @number and keeps what it yields. */
static int ahead_derive(struct record_rx *r, uint32_t number)
{
        int e = 0;

        if (r->ahead == NULL && (r->ahead = secret_alloc(sizeof(*r->ahead))) == NULL)
                return -ENOMEM;
        while (e == 0 && r->chain.epoch <= number)
                e = chain_step(&r->chain, &r->ahead->keys[r->chain.epoch % AHEAD_MAX]);
        return e;
}

/* The context for trying @number. */
static int next_set(struct record_rx *r, uint32_t number)
{
        int e;

        if (r->next.ctx != NULL && r->next_number == number)
                return 0;
        e = ahead_derive(r, number);
        if (e == 0)
                e = cipher_set(&r->next, &r->ahead->keys[number % AHEAD_MAX], false);
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
        if (r->chain.epoch == r->next_number + 1) {
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

        if (r->current.cipher.ctx == NULL)
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
        else if (h.epoch == r->previous.number && r->previous.cipher.ctx != NULL)
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
