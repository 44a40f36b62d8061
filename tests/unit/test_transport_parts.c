/*
 * test_transport_parts.c - what the handshake transport is made of: messages in pieces, ids that are over,
 * tokens, accounts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ipcpd/transport/memory.h"
#include "ipcpd/transport/message.h"
#include "ipcpd/transport/quota.h"
#include "ipcpd/transport/token.h"
#include "random.h"

static struct table_secret secret;

static int setup(void **state)
{
        uint64_t seed = 1;

        (void)state;
        random_fill(&seed, &secret, sizeof(secret));
        return 0;
}

static struct link_addr addr(unsigned n)
{
        return (struct link_addr){
                .host_len = 4, .len = 6, .b = {10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n, 1, 2}};
}

/* -- messages in pieces --------------------------------------------------------- */

static unsigned send_all(struct outgoing *o)
{
        unsigned n = 0;
        bool     again;

        while (outgoing_next(o, &again) >= 0)
                n++;
        return n;
}

static void test_in_flight(void **state)
{
        struct outgoing *o = outgoing_create(malloc(2000), 2000, 100);
        bool             again;

        (void)state;
        assert_non_null(o);
        assert_int_equal(outgoing_due(o), 10 * (SHIM_HDR + 100));
        assert_int_equal(send_all(o), 10);
        assert_int_equal(outgoing_due(o), 0);
        assert_true(outgoing_heard(o, 0x3));
        assert_false(outgoing_heard(o, 0x3)); /* no news */
        assert_int_equal(outgoing_next(o, &again), 10);
        assert_false(again);
        assert_int_equal(send_all(o), 1);
        outgoing_repeat(o);
        assert_int_equal(outgoing_next(o, &again), 2);
        assert_true(again);
        assert_true(outgoing_heard(o, UINT64_MAX)); /* more than there are */
        assert_true(outgoing_done(o));
        assert_int_equal(send_all(o), 0);
        outgoing_destroy(o);
}

/* A piece is lost once one has arrived that was sent three later. */
static void test_overtaken(void **state)
{
        struct outgoing *o = outgoing_create(malloc(500), 500, 100);
        bool             again;

        (void)state;
        assert_non_null(o);
        assert_int_equal(send_all(o), 5);
        assert_true(outgoing_heard(o, 0x4));
        assert_int_equal(send_all(o), 0);
        assert_true(outgoing_heard(o, 0x8));
        assert_int_equal(outgoing_next(o, &again), 0);
        assert_true(again);
        assert_int_equal(send_all(o), 0);
        assert_true(outgoing_heard(o, 0x10));
        assert_int_equal(outgoing_next(o, &again), 1); /* 0 was sent anew, after all of these */
        assert_int_equal(send_all(o), 0);
        outgoing_destroy(o);
}

static void test_how_many_pieces(void **state)
{
        struct outgoing *o = outgoing_create(malloc(6400), 6400, 100);
        struct shim_head h = {0};

        (void)state;
        assert_non_null(o);
        assert_int_equal(o->count, 64);
        (void)outgoing_piece(o, 63, &h);
        assert_int_equal(h.len, 100);
        outgoing_destroy(o);
        assert_null(outgoing_create(malloc(6401), 6401, 100));
        o = outgoing_create(malloc(1), 0, 100); /* nothing is a piece as well */
        assert_non_null(o);
        assert_int_equal(send_all(o), 1);
        (void)outgoing_piece(o, 0, &h);
        assert_int_equal(h.count, 1);
        assert_int_equal(h.size, 0);
        assert_int_equal(h.len, 0);
        outgoing_destroy(o);
        outgoing_destroy(NULL);
        incoming_destroy(NULL);
}

/* -- ids -------------------------------------------------------------------------- */

static void test_memory(void **state)
{
        struct memory        m = {0};
        struct transport_key k = {.peer = addr(1)};

        (void)state;
        assert_true(memory_age(&m, 0) == CLOCK_NEVER);
        for (k.id = 0; k.id < MEMORY_IDS_MAX; k.id++)
                memory_put(&m, &secret, (int64_t)k.id, &k, MEMORY_FLOW);
        assert_int_equal(memory_count(&m), MEMORY_IDS_MAX);
        k.id = 0;
        memory_put(&m, &secret, 1000000, &k, MEMORY_OVER); /* the newest now */
        k.id = 1000000;
        memory_put(&m, &secret, 1000000, &k, MEMORY_ANSWERED);
        assert_int_equal(memory_count(&m), MEMORY_IDS_MAX);
        assert_int_equal(memory_of(&m, &secret, &k), MEMORY_ANSWERED);
        k.id = 0;
        assert_int_equal(memory_of(&m, &secret, &k), MEMORY_OVER);
        k.id = 1; /* the oldest went */
        assert_int_equal(memory_of(&m, &secret, &k), MEMORY_NONE);
        k.id = 2;
        assert_int_equal(memory_of(&m, &secret, &k), MEMORY_FLOW);
        k.peer = addr(2);
        assert_int_equal(memory_of(&m, &secret, &k), MEMORY_NONE);
        assert_true(memory_age(&m, MEMORY_NS + 9) == MEMORY_NS + 10);
        assert_int_equal(memory_count(&m), MEMORY_IDS_MAX - 8);
        assert_true(memory_age(&m, MEMORY_NS + 1000000) == CLOCK_NEVER);
        assert_int_equal(memory_count(&m), 0);
        memory_fini(&m);
}

/* -- tokens ------------------------------------------------------------------------- */

/*
 * Against openssl: printf '\x02\x0a\x00\x00\x01\x01\x02' | openssl mac -digest SHA256 -macopt hexkey:0707…07
 * HMAC
 */
static void test_token(void **state)
{
        static const uint8_t right[SHIM_TOKEN] = {2,    0x94, 0x71, 0xe8, 0xcd, 0x9b, 0xa2, 0x04,
                                                  0x72, 0xa7, 0x17, 0x77, 0x70, 0xe0, 0x3e, 0xfa};
        uint8_t              key[TOKEN_SECRET], other[TOKEN_SECRET] = {0}, token[SHIM_TOKEN];
        struct link_addr     a = addr(1), b = addr(2);
        const int64_t        now = 2 * TOKEN_EPOCH_NS + 5;

        (void)state;
        memset(key, 7, sizeof(key));
        token_make(key, now, &a, token);
        assert_memory_equal(token, right, SHIM_TOKEN);
        assert_true(token_valid(key, now, &a, token));
        assert_false(token_valid(key, now, &b, token));
        assert_false(token_valid(other, now, &a, token));
        assert_true(token_valid(key, 8 * TOKEN_EPOCH_NS - 1, &a, token));
        assert_false(token_valid(key, 8 * TOKEN_EPOCH_NS, &a, token));
        assert_false(token_valid(key, 2 * TOKEN_EPOCH_NS - 1, &a, token)); /* of the future */
}

/* Epochs are counted in a byte. */
static void test_token_epoch_wraps(void **state)
{
        uint8_t          key[TOKEN_SECRET] = {1}, token[SHIM_TOKEN];
        struct link_addr a                 = addr(1);

        (void)state;
        token_make(key, 255 * TOKEN_EPOCH_NS, &a, token);
        assert_true(token_valid(key, 260 * TOKEN_EPOCH_NS, &a, token));
        assert_false(token_valid(key, 261 * TOKEN_EPOCH_NS, &a, token));
}

static void test_tokens_kept(void **state)
{
        struct tokens    ts                = {0};
        uint8_t          token[SHIM_TOKEN] = {0};
        struct link_addr a                 = addr(0);

        (void)state;
        for (unsigned i = 0; i < TOKENS_MAX; i++) {
                a = addr(i);
                tokens_put(&ts, &secret, &a, token);
        }
        token[0] = 1;
        a        = addr(0);
        tokens_put(&ts, &secret, &a, token);
        assert_int_equal(tokens_get(&ts, &secret, &a)[0], 1);
        a = addr(TOKENS_MAX);
        tokens_put(&ts, &secret, &a, token);
        a = addr(1); /* the oldest went */
        assert_null(tokens_get(&ts, &secret, &a));
        a = addr(2);
        assert_non_null(tokens_get(&ts, &secret, &a));
        tokens_fini(&ts);
}

/* -- accounts ------------------------------------------------------------------------- */

static void test_account(void **state)
{
        struct sources   ss = {0};
        struct link_addr a = addr(1), port = addr(1), b = addr(2);
        struct source   *o, *own;

        (void)state;
        port.b[5] = 77;
        o         = source_enter(&ss, &secret, &a, false, SOURCE_BYTES_MAX - 10);
        assert_non_null(o);
        assert_ptr_equal(source_enter(&ss, &secret, &port, false, 4), o); /* the same host */
        assert_null(source_enter(&ss, &secret, &port, false, 7));
        assert_false(source_take(&ss, o, SIZE_MAX));
        own = source_enter(&ss, &secret, &a, true, 7);
        assert_true(own != NULL && own != o);
        assert_null(source_enter(&ss, &secret, &b, false, SOURCE_BYTES_MAX + 1));
        for (unsigned i = 0; i < SOURCE_REQUESTS_MAX; i++)
                assert_true(source_begin(o));
        assert_false(source_begin(o));
        source_complete(o);
        assert_true(source_begin(o));
        source_give(&ss, own, 7);
        source_give(&ss, o, 4);
        source_give(&ss, o, SOURCE_BYTES_MAX - 10);
        assert_int_equal(ss.bytes, 0);
        assert_null(ss.table);
        sources_fini(&ss);
}

/* The hash depends on every byte of the key, and on the secret. */
static void test_table_hash(void **state)
{
        uint8_t             key[28] = {0};
        struct table_secret other   = secret;
        unsigned            base    = table_hash(&secret, key, sizeof(key));

        (void)state;
        for (size_t i = 0; i < sizeof(key); i++) {
                key[i] = 1;
                assert_true(table_hash(&secret, key, sizeof(key)) != base);
                key[i] = 0;
        }
        other.factors[TABLE_KEY_WORDS] ^= UINT64_C(1) << 40;
        assert_true(table_hash(&other, key, sizeof(key)) != base);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_in_flight),       cmocka_unit_test(test_overtaken),
                cmocka_unit_test(test_how_many_pieces), cmocka_unit_test(test_memory),
                cmocka_unit_test(test_token),           cmocka_unit_test(test_token_epoch_wraps),
                cmocka_unit_test(test_tokens_kept),     cmocka_unit_test(test_account),
                cmocka_unit_test(test_table_hash),
        };

        return cmocka_run_group_tests(tests, setup, NULL);
}
