/*
 * test_record.c - the record layer to the byte, and what it refuses: anything altered, replayed, of an epoch
 * that is over or cannot be yet. Whatever is refused leaves no trace.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/err.h>

#include "crypt/aead.h"
#include "crypt/hkdf.h"
#include "crypt/record.h"

#include "random.h"
#include "vectors.h"

#define S       INT64_C(1000000000)
#define HOUR    (3600 * S)
#define REC_MAX 2048u

/* A record, made with a content that tells its epoch and counter. */
struct rec {
        uint8_t bytes[REC_MAX];
        size_t  len;
};

struct rig {
        struct record_tx *tx;
        struct record_rx *rx;
        uint8_t           out[REC_MAX];
        enum record_type  type;
};

static const uint8_t secret[RECORD_SECRET] = {0x5e, 0xc4, 0xe7};
static const uint8_t zeros[REC_MAX];

static int set_up(void **state)
{
        struct rig *g = calloc(1, sizeof(*g));

        g->tx  = record_tx_create(secret, 0);
        g->rx  = record_rx_create(secret);
        *state = g;
        return g->tx == NULL || g->rx == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
        struct rig *g = *state;

        record_tx_destroy(g->tx);
        record_rx_destroy(g->rx);
        free(g);
        return 0;
}

static struct rec seal_at(struct rig *g, int64_t now_ns)
{
        struct rec r;
        ptrdiff_t  n = record_seal(g->tx, RECORD_DATA, "content", 7, now_ns, r.bytes);

        assert_int_equal(n, 7 + RECORD_OVERHEAD);
        r.len = (size_t)n;
        return r;
}

static struct rec seal(struct rig *g)
{
        return seal_at(g, 0);
}

/* The first record of the sender's next epoch. */
static struct rec seal_next(struct rig *g)
{
        struct rec r;

        record_tx_rotate_after(g->tx, 1);
        r = seal(g);
        record_tx_rotate_after(g->tx, RECORD_EPOCH_RECORDS);
        return r;
}

/* The first record of @epoch, which is later than the sender's. */
static struct rec seal_in(struct rig *g, uint32_t epoch)
{
        while (record_tx_epoch(g->tx) + 1 < epoch)
                (void)seal_next(g);
        return seal_next(g);
}

static ptrdiff_t open_at(struct rig *g, const struct rec *r, int64_t now_ns)
{
        memset(g->out, 0, sizeof(g->out));
        return record_open(g->rx, r->bytes, r->len, now_ns, g->out, &g->type);
}

static void accept_at(struct rig *g, const struct rec *r, int64_t now_ns)
{
        assert_int_equal(open_at(g, r, now_ns), 7);
        assert_memory_equal(g->out, "content", 7);
        assert_int_equal(g->type, RECORD_DATA);
}

static void accept(struct rig *g, const struct rec *r)
{
        accept_at(g, r, 0);
}

/* With @error; no byte of the content gets out. */
static void refuse_at(struct rig *g, const struct rec *r, int64_t now_ns, int error)
{
        uint64_t forged = record_rx_forged(g->rx), replayed = record_rx_replayed(g->rx);
        uint32_t epoch = record_rx_epoch(g->rx);

        assert_int_equal(open_at(g, r, now_ns), error);
        assert_memory_equal(g->out, zeros, sizeof(g->out));
        assert_int_equal(record_rx_epoch(g->rx), epoch);
        assert_int_equal(record_rx_forged(g->rx), forged + (error == -EBADMSG));
        assert_int_equal(record_rx_replayed(g->rx), replayed + (error == -EALREADY));
}

static void refuse(struct rig *g, const struct rec *r, int error)
{
        refuse_at(g, r, 0, error);
}

/* @r with one bit changed. */
static struct rec altered(const struct rec *r, size_t bit)
{
        struct rec a = *r;

        a.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        return a;
}

/* A claim to be of @epoch, with a tag that cannot be right. */
static struct rec forged(uint32_t epoch, uint32_t counter)
{
        struct rec r = {.len = RECORD_OVERHEAD + 5};

        for (size_t i = 0; i < 3; i++)
                r.bytes[1 + i] = (uint8_t)(epoch >> (16 - 8 * i));
        for (size_t i = 0; i < 4; i++)
                r.bytes[4 + i] = (uint8_t)(counter >> (24 - 8 * i));
        return r;
}

/* -- known answers ----------------------------------------------------------- */

struct answer {
        uint32_t         epoch, counter;
        enum record_type type;
        uint8_t          content[REC_MAX];
        size_t           n;
        struct rec       rec;
};

static void read_answer(struct answer *a, const json_t *t)
{
        a->epoch   = (uint32_t)vectors_number(t, "epoch");
        a->counter = (uint32_t)vectors_number(t, "counter");
        a->type    = (enum record_type)vectors_number(t, "type");
        a->n       = vectors_bytes(t, "content", a->content, sizeof(a->content));
        a->rec.len = vectors_bytes(t, "record", a->rec.bytes, sizeof(a->rec.bytes));
}

/* A sender whose next record is the one with these numbers; @rx follows it through the epochs. */
static struct record_tx *sender_at(const uint8_t *first, const struct answer *a, struct record_rx *rx)
{
        struct record_tx *t = record_tx_create(first, 0);
        uint8_t           rec[RECORD_OVERHEAD];
        enum record_type  type;

        record_tx_rotate_after(t, 1);
        for (uint32_t i = 0; i < a->epoch + (a->counter > 0); i++) {
                assert_int_equal(record_seal(t, RECORD_KEEPALIVE, NULL, 0, 0, rec), RECORD_OVERHEAD);
                assert_int_equal(record_open(rx, rec, sizeof(rec), 0, rec, &type), 0);
        }
        if (a->counter > 0)
                record_tx_rotate_after(t, RECORD_EPOCH_RECORDS);
        for (uint32_t i = 1; i < a->counter; i++)
                assert_int_equal(record_seal(t, RECORD_KEEPALIVE, NULL, 0, 0, rec), RECORD_OVERHEAD);
        return t;
}

static void try_answer(const uint8_t *first, const struct answer *a)
{
        struct record_rx *rx = record_rx_create(first);
        struct record_tx *tx = sender_at(first, a, rx);
        uint8_t           out[REC_MAX];
        enum record_type  type;

        assert_int_equal(record_seal(tx, a->type, a->content, a->n, 0, out), a->rec.len);
        assert_memory_equal(out, a->rec.bytes, a->rec.len);
        assert_int_equal(record_tx_epoch(tx), a->epoch);
        assert_int_equal(record_open(rx, a->rec.bytes, a->rec.len, 0, out, &type), a->n);
        assert_memory_equal(out, a->content, a->n);
        assert_int_equal(type, a->type);
        assert_int_equal(record_rx_epoch(rx), a->epoch);
        record_tx_destroy(tx);
        record_rx_destroy(rx);
}

static void test_known_records(void **state)
{
        json_t       *root = vectors_own("record.json");
        json_t       *t;
        struct answer a;
        uint8_t       first[RECORD_SECRET];
        size_t        i;

        (void)state;
        assert_int_equal(vectors_bytes(root, "secret", first, sizeof(first)), RECORD_SECRET);
        json_array_foreach(json_object_get(root, "records"), i, t)
        {
                read_answer(&a, t);
                try_answer(first, &a);
        }
        assert_true(i >= 10);
        json_decref(root);
}

/* That the secrets and keys in the vectors follow from each other, for those who build on them. */
static void test_known_schedule(void **state)
{
        static const struct piece next = {"o7s v1 next", 11}, record = {"o7s v1 record", 13};
        json_t                   *root = vectors_own("record.json");
        json_t                   *t;
        uint8_t                   s[RECORD_SECRET], keys[AEAD_KEY + AEAD_NONCE], expected[RECORD_SECRET];
        size_t                    i;
        int64_t                   epoch = 0;

        (void)state;
        vectors_bytes(root, "secret", s, sizeof(s));
        json_array_foreach(json_object_get(root, "schedule"), i, t)
        {
                for (; epoch < vectors_number(t, "epoch"); epoch++)
                        assert_int_equal(hkdf_expand(s, sizeof(s), s, &next, 1), 0);
                assert_int_equal(hkdf_expand(keys, sizeof(keys), s, &record, 1), 0);
                vectors_bytes(t, "secret", expected, sizeof(expected));
                assert_memory_equal(s, expected, sizeof(s));
                vectors_bytes(t, "key", expected, sizeof(expected));
                assert_memory_equal(keys, expected, AEAD_KEY);
                vectors_bytes(t, "iv", expected, sizeof(expected));
                assert_memory_equal(keys + AEAD_KEY, expected, AEAD_NONCE);
        }
        assert_true(i >= 5);
        json_decref(root);
}

/* -- round trips -------------------------------------------------------------- */

static void test_every_length_and_type(void **state)
{
        struct rig *g = *state;
        uint8_t     in[1500], rec[1500 + RECORD_OVERHEAD + 1];
        uint64_t    random = 3;

        random_fill(&random, in, sizeof(in));
        for (size_t n = 0; n <= sizeof(in); n++) {
                enum record_type type = (enum record_type)(n % 3);

                rec[n + RECORD_OVERHEAD] = 0xaa;
                g->out[n]                = 0xaa;
                assert_int_equal(record_seal(g->tx, type, in, n, 0, rec), n + RECORD_OVERHEAD);
                assert_int_equal(record_open(g->rx, rec, n + RECORD_OVERHEAD, 0, g->out, &g->type), n);
                assert_memory_equal(g->out, in, n);
                assert_int_equal(g->type, type);
                assert_int_equal(rec[n + RECORD_OVERHEAD], 0xaa);
                assert_int_equal(g->out[n], 0xaa);
        }
}

static void test_a_megabyte(void **state)
{
        struct rig  *g  = *state;
        const size_t n  = 1 << 20;
        uint8_t     *in = malloc(n), *rec = malloc(n + RECORD_OVERHEAD), *out = malloc(n);

        memset(in, 'm', n);
        assert_int_equal(record_seal(g->tx, RECORD_DATA, in, n, 0, rec), n + RECORD_OVERHEAD);
        assert_int_equal(record_open(g->rx, rec, n + RECORD_OVERHEAD, 0, out, &g->type), n);
        assert_memory_equal(out, in, n);
        free(in);
        free(rec);
        free(out);
}

static void test_directions_do_not_mix(void **state)
{
        static const uint8_t other[RECORD_SECRET] = {1};
        struct rig          *g                    = *state;
        struct rec           r                    = seal(g);

        record_rx_destroy(g->rx);
        g->rx = record_rx_create(other);
        refuse(g, &r, -EBADMSG);
}

/* -- altered ------------------------------------------------------------------ */

/* Of a record in epoch 3, with epoch 2 still held: changed numbers lead to every case. */
static void test_every_bit_counts(void **state)
{
        struct rig *g = *state;
        struct rec  first, r, a;

        first = seal_in(g, 2);
        accept(g, &first);
        first = seal_next(g);
        accept(g, &first);
        r = seal(g);
        for (size_t bit = 0; bit < 8 * r.len; bit++) {
                bool past = bit == 25; /* epoch 3 reads as 1, whose keys are gone */
                bool seen = bit == 56; /* counter 1 as 0 */

                a = altered(&r, bit);
                refuse(g, &a, past || seen ? -EALREADY : -EBADMSG);
        }
        accept(g, &r);
        refuse(g, &r, -EALREADY);
}

static void test_every_length_counts(void **state)
{
        struct rig *g = *state;
        struct rec  r = seal(g), a = r;

        for (a.len = 0; a.len < r.len; a.len++)
                refuse(g, &a, -EBADMSG);
        a.len = r.len + 1;
        refuse(g, &a, -EBADMSG);
        a.len = sizeof(a.bytes);
        refuse(g, &a, -EBADMSG);
        accept(g, &r);
}

/* Also with a tag that is right. */
static void test_unknown_types_are_forged(void **state)
{
        static const struct piece label = {"o7s v1 record", 13};
        struct rig               *g     = *state;
        struct aead               a     = {NULL};
        struct rec                r     = {.len = RECORD_OVERHEAD + 2};
        uint8_t                   keys[AEAD_KEY + AEAD_NONCE], nonce[AEAD_NONCE];

        assert_int_equal(hkdf_expand(keys, sizeof(keys), secret, &label, 1), 0);
        assert_int_equal(aead_set(&a, keys, AEAD_SEAL), 0);
        for (unsigned type = 0; type < 256; type++) {
                r.bytes[0] = (uint8_t)type;
                r.bytes[7] = (uint8_t)type; /* counter */
                memcpy(nonce, keys + AEAD_KEY, sizeof(nonce));
                for (size_t i = 0; i < RECORD_HDR; i++)
                        nonce[4 + i] ^= r.bytes[i];
                assert_true(aead_seal(&a, nonce, r.bytes, RECORD_HDR, "hi", 2, r.bytes + RECORD_HDR));
                if (type <= RECORD_CLOSE)
                        assert_int_equal(open_at(g, &r, 0), 2);
                else
                        refuse(g, &r, -EBADMSG);
        }
        aead_end(&a);
}

static void test_junk(void **state)
{
        struct rig *g      = *state;
        struct rec  r      = seal(g), junk;
        uint64_t    random = 4;

        for (int i = 0; i < 2000; i++) {
                junk.len = (size_t)random_below(&random, 100);
                random_fill(&random, junk.bytes, junk.len);
                if (i % 2 == 0)
                        memset(junk.bytes, 0, junk.len < 7 ? junk.len : 7); /* so that it gets further */
                refuse(g, &junk, -EBADMSG);
        }
        assert_int_equal(ERR_peek_error(), 0);
        accept(g, &r);
}

static void test_too_many_forged_end_it(void **state)
{
        struct rig *g = *state;
        struct rec  r = seal(g), a = altered(&r, 100);

        record_rx_end_after(g->rx, 3);
        refuse(g, &a, -EBADMSG);
        accept(g, &r);
        refuse(g, &r, -EALREADY); /* does not count */
        r = seal(g);
        refuse(g, &a, -EALREADY); /* nor does what is not tried */
        a = altered(&r, 100);
        refuse(g, &a, -EBADMSG);
        assert_int_equal(open_at(g, &a, 0), -EPROTO);
        assert_int_equal(open_at(g, &r, 0), -EPROTO);
        assert_int_equal(record_rx_forged(g->rx), 3);
}

/* -- replayed ------------------------------------------------------------------ */

static void test_replays(void **state)
{
        enum { N = 300 };
        static struct rec r[N];
        struct rig       *g      = *state;
        uint64_t          random = 5;

        for (size_t i = 0; i < N; i++)
                r[i] = seal(g);
        for (size_t i = N - 1; i > 0; i--) {
                size_t     k    = (size_t)random_below(&random, i + 1);
                struct rec swap = r[i];

                r[i] = r[k];
                r[k] = swap;
        }
        for (size_t i = 0; i < N; i++) {
                accept(g, &r[i]);
                for (size_t k = 0; k <= i; k++)
                        refuse(g, &r[k], -EALREADY);
        }
}

static void test_edges_of_the_window(void **state)
{
        struct rig *g = *state;
        struct rec  r[3], last;

        for (size_t i = 0; i < 3; i++)
                r[i] = seal(g);
        for (uint32_t i = 3; i < 4097; i++)
                last = seal(g);
        accept(g, &last); /* 4096: the window is 1 to 4096 */
        refuse(g, &r[0], -EALREADY);
        accept(g, &r[1]);
        refuse(g, &r[1], -EALREADY);
        last = seal(g);
        accept(g, &last); /* 4097 */
        accept(g, &r[2]);
        last = seal(g);
        accept(g, &last);
        refuse(g, &r[2], -EALREADY);
}

static void test_forged_counters_do_not_move_the_window(void **state)
{
        struct rig *g = *state;
        struct rec  r = seal(g), f;

        for (uint64_t c = 1; c <= UINT32_MAX; c = 4 * c + 3) {
                f = forged(0, (uint32_t)c);
                refuse(g, &f, -EBADMSG);
        }
        accept(g, &r);
}

/* -- epochs: sender ------------------------------------------------------------- */

static void test_sender_moves_on_after_an_hour(void **state)
{
        struct rig *g = *state;
        struct rec  r;

        r = seal_at(g, HOUR - 1);
        assert_int_equal(record_tx_epoch(g->tx), 0);
        accept(g, &r);
        r = seal_at(g, HOUR);
        assert_int_equal(record_tx_epoch(g->tx), 1);
        accept(g, &r);
        r = seal_at(g, 2 * HOUR - 1);
        assert_int_equal(record_tx_epoch(g->tx), 1);
        accept(g, &r);
        r = seal_at(g, 100 * HOUR); /* by one, however long it was quiet */
        assert_int_equal(record_tx_epoch(g->tx), 2);
        accept(g, &r);
        r = seal_at(g, 101 * HOUR - 1);
        assert_int_equal(record_tx_epoch(g->tx), 2);
        accept(g, &r);
}

static void test_sender_moves_on_after_records(void **state)
{
        struct rig *g = *state;
        struct rec  r;

        record_tx_rotate_after(g->tx, 10);
        for (uint32_t i = 0; i < 1000; i++) {
                r = seal(g);
                assert_int_equal(record_tx_epoch(g->tx), i / 10);
                assert_int_equal(r.bytes[7], i % 10);
                accept(g, &r);
                assert_int_equal(record_rx_epoch(g->rx), i / 10);
        }
}

static void test_sender_ends_with_the_last_epoch(void **state)
{
        struct rig *g = *state;
        uint8_t     out[RECORD_OVERHEAD];

        record_tx_rotate_after(g->tx, 2);
        record_tx_end_after(g->tx, 3);
        for (int i = 0; i < 6; i++)
                assert_int_equal(record_seal(g->tx, RECORD_KEEPALIVE, NULL, 0, 0, out), RECORD_OVERHEAD);
        assert_int_equal(record_seal(g->tx, RECORD_KEEPALIVE, NULL, 0, 0, out), -EOVERFLOW);
        assert_int_equal(record_seal(g->tx, RECORD_CLOSE, NULL, 0, HOUR, out), -EOVERFLOW);
        assert_int_equal(record_tx_epoch(g->tx), 2);
}

/* -- epochs: receiver ------------------------------------------------------------ */

static void test_previous_epoch_comes_late(void **state)
{
        struct rig *g    = *state;
        struct rec  late = seal(g), later = seal(g), r = seal_next(g);

        accept(g, &r);
        accept(g, &late);
        assert_int_equal(record_rx_epoch(g->rx), 1);
        refuse(g, &late, -EALREADY);
        refuse(g, &r, -EALREADY);
        r = seal_next(g);
        accept(g, &r);
        refuse(g, &later, -EALREADY); /* two epochs back */
}

static void test_previous_epoch_has_its_own_window(void **state)
{
        struct rig *g = *state;
        struct rec  old[2], r;

        old[0] = seal(g);
        old[1] = seal(g);
        accept(g, &old[0]);
        for (int i = 0; i < 5000; i++) {
                r = i == 0 ? seal_next(g) : seal(g);
                accept(g, &r);
        }
        refuse(g, &old[0], -EALREADY);
        accept(g, &old[1]);
        refuse(g, &old[1], -EALREADY);
}

static void test_previous_epoch_is_dropped_after_ten_seconds(void **state)
{
        struct rig *g = *state;
        struct rec  late[3], r, a;

        for (size_t i = 0; i < 3; i++)
                late[i] = seal(g);
        r = seal_next(g);
        accept_at(g, &r, 100 * S);
        accept_at(g, &late[0], 110 * S - 1);
        r = seal(g);
        a = altered(&late[1], 99);
        refuse_at(g, &a, 110 * S - 1, -EBADMSG);
        refuse_at(g, &late[1], 110 * S, -EALREADY);
        refuse_at(g, &late[1], 100 * S, -EALREADY); /* for good */
        accept_at(g, &r, 110 * S);
}

static void test_previous_epoch_is_dropped_without_a_record(void **state)
{
        struct rig *g    = *state;
        struct rec  late = seal(g), later = seal(g), r = seal_next(g);

        record_rx_expire(g->rx, 1000 * S); /* there is none yet */
        accept_at(g, &r, 0);
        record_rx_expire(g->rx, 10 * S - 1);
        accept_at(g, &late, 0);
        record_rx_expire(g->rx, 10 * S);
        refuse_at(g, &later, 0, -EALREADY);
}

static void test_skipped_epochs_are_refused(void **state)
{
        struct rig *g  = *state;
        struct rec  r0 = seal(g), r1 = seal_next(g), r2 = seal_next(g), r3 = seal_next(g);

        accept(g, &r3);
        refuse(g, &r1, -EALREADY);
        refuse(g, &r2, -EALREADY);
        accept(g, &r0); /* current before */
        assert_int_equal(record_rx_epoch(g->rx), 3);
}

static void test_64_ahead_and_no_more(void **state)
{
        struct rig *g   = *state;
        struct rec  r64 = seal_in(g, 64), r65 = seal_next(g), r128, r129;

        refuse(g, &r65, -EBADMSG);
        accept(g, &r64);
        assert_int_equal(record_rx_epoch(g->rx), 64);
        accept(g, &r65);
        r128 = seal_in(g, 128);
        r129 = seal_next(g);
        accept(g, &r129); /* 64 ahead of 65 */
        refuse(g, &r128, -EALREADY);
}

/* Forged claims make it derive; what it derived serves the true records afterwards, in any order. */
static void test_forged_epochs_move_nothing(void **state)
{
        static const uint32_t claims[] = {64, 1, 63, 2, 64, 65, 0xffffff, 10, 1};
        struct rig           *g        = *state;
        struct rec            r0       = seal(g), r;

        for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
                r = forged(claims[i], 0);
                refuse(g, &r, -EBADMSG);
        }
        accept(g, &r0);
        for (uint32_t epoch = 1; epoch < 200; epoch += epoch % 3 + 1) {
                r = forged(epoch + 40, 3);
                refuse(g, &r, -EBADMSG);
                r = seal_in(g, epoch);
                for (size_t bit = 64; bit < 8 * r.len; bit += 50) {
                        struct rec a = altered(&r, bit);

                        refuse(g, &a, -EBADMSG);
                }
                accept(g, &r);
                assert_int_equal(record_rx_epoch(g->rx), epoch);
                refuse(g, &r, -EALREADY);
        }
}

/* The window of a new epoch is new. */
static void test_first_record_of_an_epoch_may_have_any_counter(void **state)
{
        struct rig *g = *state;
        struct rec  first, r, last;

        accept(g, &(struct rec[]){seal(g)}[0]);
        first = seal_next(g);
        r     = seal(g);
        for (int i = 0; i < 4200; i++)
                last = seal(g);
        accept(g, &last);
        refuse(g, &first, -EALREADY);
        refuse(g, &r, -EALREADY);
        assert_int_equal(record_rx_epoch(g->rx), 1);
}

/* -- memory ----------------------------------------------------------------------- */

/* Two that share a page, so that the one's place can be looked at when it has gone. */
static void test_destroy_wipes(void **state)
{
        enum { LOOK = 1024, N = 8 }; /* a receiver is larger */
        struct record_rx *r[N];
        const uint8_t    *p = NULL;

        (void)state;
        for (size_t i = 0; i < N; i++)
                r[i] = record_rx_create(secret);
        for (size_t i = 0; i + 1 < N && p == NULL; i++) {
                if ((uintptr_t)r[i] / 4096 == (uintptr_t)r[i + 1] / 4096) {
                        p = (const uint8_t *)r[i];
                        assert_memory_not_equal(p, zeros, LOOK);
                        record_rx_destroy(r[i]);
                        assert_memory_equal(p, zeros, LOOK);
                        r[i] = NULL;
                }
        }
        assert_non_null(p);
        for (size_t i = 0; i < N; i++)
                record_rx_destroy(r[i]);
        record_tx_destroy(NULL);
}

static int be_child(struct rig *g, const struct rec *r)
{
        uint8_t out[RECORD_OVERHEAD];

        if (record_seal(g->tx, RECORD_KEEPALIVE, NULL, 0, 0, out) != -EPERM)
                return 1;
        if (open_at(g, r, 0) != -EPERM)
                return 2;
        record_rx_expire(g->rx, HOUR);
        record_tx_destroy(g->tx);
        record_rx_destroy(g->rx);
        g->tx = record_tx_create(secret, 0);
        g->rx = record_rx_create(secret);
        return open_at(g, r, 0) == 7 ? 0 : 3;
}

static void test_child_can_do_nothing(void **state)
{
        struct rig *g     = *state;
        struct rec  r     = seal(g);
        pid_t       child = fork();
        int         status;

        if (child == 0)
                _exit(be_child(g, &r));
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        accept(g, &r);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_known_records),
                cmocka_unit_test(test_known_schedule),
                T(test_every_length_and_type),
                T(test_a_megabyte),
                T(test_directions_do_not_mix),
                T(test_every_bit_counts),
                T(test_every_length_counts),
                T(test_unknown_types_are_forged),
                T(test_junk),
                T(test_too_many_forged_end_it),
                T(test_replays),
                T(test_edges_of_the_window),
                T(test_forged_counters_do_not_move_the_window),
                T(test_sender_moves_on_after_an_hour),
                T(test_sender_moves_on_after_records),
                T(test_sender_ends_with_the_last_epoch),
                T(test_previous_epoch_comes_late),
                T(test_previous_epoch_has_its_own_window),
                T(test_previous_epoch_is_dropped_after_ten_seconds),
                T(test_previous_epoch_is_dropped_without_a_record),
                T(test_skipped_epochs_are_refused),
                T(test_64_ahead_and_no_more),
                T(test_forged_epochs_move_nothing),
                T(test_first_record_of_an_epoch_may_have_any_counter),
                cmocka_unit_test(test_destroy_wipes),
                T(test_child_can_do_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
