/*
 * test_record.c - the record layer to the byte, and what it refuses: anything altered, made up or replayed.
 * For epochs see test_record_epochs.c.
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

#include "random.h"
#include "record_rig.h"
#include "vectors.h"

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
        struct rec           r                    = rig_seal(g);

        record_rx_destroy(g->rx);
        g->rx = record_rx_create(other);
        rig_refuse(g, &r, -EBADMSG);
}

/* -- altered ------------------------------------------------------------------ */

/* Of a record in epoch 3, with epoch 2 still held: changed numbers lead to every case. */
static void test_every_bit_counts(void **state)
{
        struct rig *g = *state;
        struct rec  first, r, a;

        first = rig_seal_in(g, 2);
        rig_accept(g, &first);
        first = rig_seal_next(g);
        rig_accept(g, &first);
        r = rig_seal(g);
        for (size_t bit = 0; bit < 8 * r.len; bit++) {
                bool past = bit == 25; /* epoch 3 reads as 1, whose keys are gone */
                bool seen = bit == 56; /* counter 1 as 0 */

                a = rec_altered(&r, bit);
                rig_refuse(g, &a, past || seen ? -EALREADY : -EBADMSG);
        }
        rig_accept(g, &r);
        rig_refuse(g, &r, -EALREADY);
}

static void test_every_length_counts(void **state)
{
        struct rig *g = *state;
        struct rec  r = rig_seal(g), a = r;

        for (a.len = 0; a.len < r.len; a.len++)
                rig_refuse(g, &a, -EBADMSG);
        a.len = r.len + 1;
        rig_refuse(g, &a, -EBADMSG);
        a.len = sizeof(a.bytes);
        rig_refuse(g, &a, -EBADMSG);
        rig_accept(g, &r);
}

/* Also with a tag that is right. */
static void test_unknown_types_are_forged(void **state)
{
        static const struct piece label = {"o7s v1 record", 13};
        struct rig               *g     = *state;
        struct aead               a     = {NULL};
        struct rec                r     = {.len = RECORD_OVERHEAD + 2};
        uint8_t                   keys[AEAD_KEY + AEAD_NONCE], nonce[AEAD_NONCE];

        assert_int_equal(hkdf_expand(keys, sizeof(keys), rig_secret, &label, 1), 0);
        assert_int_equal(aead_set(&a, keys, AEAD_SEAL), 0);
        for (unsigned type = 0; type < 256; type++) {
                r.bytes[0] = (uint8_t)type;
                r.bytes[7] = (uint8_t)type; /* counter */
                memcpy(nonce, keys + AEAD_KEY, sizeof(nonce));
                for (size_t i = 0; i < RECORD_HDR; i++)
                        nonce[4 + i] ^= r.bytes[i];
                assert_true(aead_seal(&a, nonce, r.bytes, RECORD_HDR, "hi", 2, r.bytes + RECORD_HDR));
                if (type <= RECORD_CLOSE)
                        assert_int_equal(rig_open(g, &r, 0), 2);
                else
                        rig_refuse(g, &r, -EBADMSG);
        }
        aead_end(&a);
}

static void test_junk(void **state)
{
        struct rig *g      = *state;
        struct rec  r      = rig_seal(g), junk;
        uint64_t    random = 4;

        for (int i = 0; i < 2000; i++) {
                junk.len = (size_t)random_below(&random, 100);
                random_fill(&random, junk.bytes, junk.len);
                if (i % 2 == 0)
                        memset(junk.bytes, 0, junk.len < 7 ? junk.len : 7); /* so that it gets further */
                rig_refuse(g, &junk, -EBADMSG);
        }
        assert_int_equal(ERR_peek_error(), 0);
        rig_accept(g, &r);
}

static void test_too_many_forged_end_it(void **state)
{
        struct rig *g = *state;
        struct rec  r = rig_seal(g), a = rec_altered(&r, 100);

        record_rx_end_after(g->rx, 3);
        rig_refuse(g, &a, -EBADMSG);
        rig_accept(g, &r);
        rig_refuse(g, &r, -EALREADY); /* does not count */
        r = rig_seal(g);
        rig_refuse(g, &a, -EALREADY); /* nor does what is not tried */
        a = rec_altered(&r, 100);
        rig_refuse(g, &a, -EBADMSG);
        assert_int_equal(rig_open(g, &a, 0), -EPROTO);
        assert_int_equal(rig_open(g, &r, 0), -EPROTO);
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
                r[i] = rig_seal(g);
        for (size_t i = N - 1; i > 0; i--) {
                size_t     k    = (size_t)random_below(&random, i + 1);
                struct rec swap = r[i];

                r[i] = r[k];
                r[k] = swap;
        }
        for (size_t i = 0; i < N; i++) {
                rig_accept(g, &r[i]);
                for (size_t k = 0; k <= i; k++)
                        rig_refuse(g, &r[k], -EALREADY);
        }
}

static void test_edges_of_the_window(void **state)
{
        struct rig *g = *state;
        struct rec  r[3], last;

        for (size_t i = 0; i < 3; i++)
                r[i] = rig_seal(g);
        for (uint32_t i = 3; i < 4097; i++)
                last = rig_seal(g);
        rig_accept(g, &last); /* 4096: the window is 1 to 4096 */
        rig_refuse(g, &r[0], -EALREADY);
        rig_accept(g, &r[1]);
        rig_refuse(g, &r[1], -EALREADY);
        last = rig_seal(g);
        rig_accept(g, &last); /* 4097 */
        rig_accept(g, &r[2]);
        last = rig_seal(g);
        rig_accept(g, &last);
        rig_refuse(g, &r[2], -EALREADY);
}

static void test_forged_counters_do_not_move_the_window(void **state)
{
        struct rig *g = *state;
        struct rec  r = rig_seal(g), f;

        for (uint64_t c = 1; c <= UINT32_MAX; c = 4 * c + 3) {
                f = rec_forged(0, (uint32_t)c);
                rig_refuse(g, &f, -EBADMSG);
        }
        rig_accept(g, &r);
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
                r[i] = record_rx_create(rig_secret);
        for (size_t i = 0; i + 1 < N && p == NULL; i++) {
                if ((uintptr_t)r[i] / 4096 == (uintptr_t)r[i + 1] / 4096) {
                        p = (const uint8_t *)r[i];
                        assert_memory_not_equal(p, rig_zeros, LOOK);
                        record_rx_destroy(r[i]);
                        assert_memory_equal(p, rig_zeros, LOOK);
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
        if (rig_open(g, r, 0) != -EPERM)
                return 2;
        record_rx_expire(g->rx, RECORD_EPOCH_NS);
        record_tx_destroy(g->tx);
        record_rx_destroy(g->rx);
        g->tx = record_tx_create(rig_secret, 0);
        g->rx = record_rx_create(rig_secret);
        return rig_open(g, r, 0) == 7 ? 0 : 3;
}

static void test_child_can_do_nothing(void **state)
{
        struct rig *g     = *state;
        struct rec  r     = rig_seal(g);
        pid_t       child = fork();
        int         status;

        if (child == 0)
                _exit(be_child(g, &r));
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        rig_accept(g, &r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_known_records),
                cmocka_unit_test(test_known_schedule),
                RIG_TEST(test_every_length_and_type),
                RIG_TEST(test_a_megabyte),
                RIG_TEST(test_directions_do_not_mix),
                RIG_TEST(test_every_bit_counts),
                RIG_TEST(test_every_length_counts),
                RIG_TEST(test_unknown_types_are_forged),
                RIG_TEST(test_junk),
                RIG_TEST(test_too_many_forged_end_it),
                RIG_TEST(test_replays),
                RIG_TEST(test_edges_of_the_window),
                RIG_TEST(test_forged_counters_do_not_move_the_window),
                cmocka_unit_test(test_destroy_wipes),
                RIG_TEST(test_child_can_do_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
