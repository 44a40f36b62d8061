/* test_oap_message.c - OAP messages as bytes: exact layout, every prefix, every fault of form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypt/kex.h"
#include "oap/message.h"

#include "random.h"

static const size_t kex_len[SUITE_N][3] = {
        [SUITE_PLAIN]           = {0, 0, 0},
        [SUITE_P384]            = {0, 97, 97},
        [SUITE_P384_MLKEM1024]  = {0, 97 + 1568, 97 + 1568},
        [SUITE_X25519]          = {0, 32, 32},
        [SUITE_X25519_MLKEM768] = {0, 32 + 1184, 32 + 1088},
};

/* Two certificates of 3 and 1 bytes, data, signature. */
static const uint8_t     certs[]   = {0, 3, 0xaa, 0xbb, 0xcc, 0, 1, 0xdd};
static const uint8_t     data[]    = {'h', 'e', 'l', 'l', 'o'};
static const uint8_t     sig[]     = {0x51, 0x52, 0x53, 0x54};
static const struct span span_none = {NULL, 0};

/* Writes a message; returns its length. */
static size_t write_message(uint8_t *out, enum oap_type type, enum suite suite, bool auth)
{
        struct oap_header h = {type, suite, auth, {0}, INT64_C(0x0102030405060708)};
        uint8_t           kex[KEX_PUBLIC_MAX];
        size_t            n;

        memset(kex, 0x77, sizeof(kex));
        for (size_t i = 0; i < OAP_ID; i++)
                h.id[i] = (uint8_t)(0xe0 + i);
        n = oap_header_put(out, &h, kex, kex_len[suite][type]);
        n += oap_body_put(out + n, auth ? (struct span){certs, sizeof(certs)} : span_none,
                          (struct span){data, sizeof(data)});
        if (auth) {
                memcpy(out + n, sig, sizeof(sig));
                n += sizeof(sig);
        }
        return n;
}

/* A copy of exactly the size, so that a sanitizer sees a step beyond it. */
static bool parse(const uint8_t *msg, size_t len, enum oap_type type, bool clear)
{
        uint8_t          *copy = malloc(len == 0 ? 1 : len);
        struct oap_header h;
        struct span       kex, body;
        struct oap_body   b;
        bool              ok;

        memcpy(copy, msg, len);
        ok = oap_header_get(copy, len, type, &h, &kex, &body);
        if (ok) {
                assert_int_equal(kex.len, kex_len[h.suite][type]);
                assert_ptr_equal(kex.p, copy + OAP_HDR);
                assert_ptr_equal(body.p + body.len, copy + len);
        }
        if (ok && clear)
                ok = oap_body_get(body, h.auth, &b);
        free(copy);
        return ok;
}

static void test_layout(void **state)
{
        static const uint8_t expected[] = {
                1,    1,    3,    1,                                         /* version type suite flags */
                0xe0, 0xe1, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7,              /* id */
                0xe8, 0xe9, 0xea, 0xeb, 0xec, 0xed, 0xee, 0xef,              /* id */
                1,    2,    3,    4,    5,    6,    7,    8,    0, 32, 0, 0, /* timestamp kex_len 0 */
        };
        static const uint8_t body[] = {0,    8,   0,   5,   0,   3,   0xaa, 0xbb, 0xcc, 0,   1,
                                       0xdd, 'h', 'e', 'l', 'l', 'o', 0x51, 0x52, 0x53, 0x54};
        uint8_t              msg[256];
        size_t               n = write_message(msg, OAP_REQUEST, SUITE_X25519, true);

        (void)state;
        assert_int_equal(n, 32 + 32 + sizeof(body));
        assert_memory_equal(msg, expected, sizeof(expected));
        assert_memory_equal(msg + 64, body, sizeof(body));
}

static void test_read_is_what_was_written(void **state)
{
        uint8_t msg[4096];

        (void)state;
        for (int type = OAP_REQUEST; type <= OAP_RESPONSE; type++) {
                for (int suite = 0; suite < SUITE_N; suite++) {
                        struct oap_header h;
                        struct span       kex, body;
                        struct oap_body   b;
                        size_t n = write_message(msg, (enum oap_type)type, (enum suite)suite, true);

                        assert_true(oap_header_get(msg, n, (enum oap_type)type, &h, &kex, &body));
                        assert_int_equal(h.type, type);
                        assert_int_equal(h.suite, suite);
                        assert_true(h.auth);
                        assert_true(h.timestamp_ns == INT64_C(0x0102030405060708));
                        assert_memory_equal(h.id, msg + 4, OAP_ID);
                        assert_true(oap_body_get(body, true, &b));
                        assert_int_equal(b.n_certs, 2);
                        assert_memory_equal(b.cert[0].p, certs + 2, 3);
                        assert_int_equal(b.cert[1].len, 1);
                        assert_memory_equal(b.data.p, data, sizeof(data));
                        assert_int_equal(b.sig.len, sizeof(sig));
                        assert_false(oap_body_get(body, false, &b));
                }
        }
}

static void test_each_field_of_the_header(void **state)
{
        static const struct {
                size_t  at;
                uint8_t value;
        } bad[] = {{0, 0}, {0, 2},   {1, 2},  {1, 0},  {1, 3},   {2, 1},   {2, 5},  {2, 255}, {3, 2},
                   {3, 3}, {3, 128}, {28, 1}, {29, 0}, {29, 31}, {29, 33}, {30, 1}, {31, 1}};
        uint8_t msg[256];

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
                size_t n = write_message(msg, OAP_REQUEST, SUITE_X25519, true);

                assert_true(parse(msg, n, OAP_REQUEST, true));
                msg[bad[i].at] = bad[i].value;
                assert_false(parse(msg, n, OAP_REQUEST, true));
        }
}

/* For the log: of whatever is long enough. */
static void test_id_alone(void **state)
{
        uint8_t msg[256], id[OAP_ID] = {0};

        (void)state;
        write_message(msg, OAP_REQUEST, SUITE_PLAIN, false);
        msg[0] = 99;
        assert_false(oap_id_get(msg, OAP_HDR - 1, id));
        assert_int_equal(id[0], 0);
        assert_true(oap_id_get(msg, OAP_HDR, id));
        assert_memory_equal(id, msg + 4, OAP_ID);
}

static void test_flag_and_contents_agree(void **state)
{
        uint8_t msg[256];
        size_t  n = write_message(msg, OAP_REQUEST, SUITE_PLAIN, false);

        (void)state;
        assert_true(parse(msg, n, OAP_REQUEST, true));
        msg[3] = 1;
        assert_false(parse(msg, n, OAP_REQUEST, true));
        n      = write_message(msg, OAP_REQUEST, SUITE_PLAIN, true);
        msg[3] = 0;
        assert_false(parse(msg, n, OAP_REQUEST, true));
        msg[3] = 1;
        assert_false(parse(msg, n - sizeof(sig), OAP_REQUEST, true)); /* certificates without a signature */
        n        = write_message(msg, OAP_REQUEST, SUITE_PLAIN, false);
        msg[n++] = 1; /* a signature without certificates */
        assert_false(parse(msg, n, OAP_REQUEST, true));
}

/* Up to its signature no prefix of a message is one; a sealed body must have its tag. */
static void test_every_prefix(void **state)
{
        uint8_t msg[4096];

        (void)state;
        for (int suite = 0; suite < SUITE_N; suite++) {
                size_t n = write_message(msg, OAP_REQUEST, (enum suite)suite, true);

                for (size_t len = 0; len < n; len++)
                        assert_int_equal(parse(msg, len, OAP_REQUEST, true), len > n - sizeof(sig));
                n = write_message(msg, OAP_REQUEST, (enum suite)suite, false);
                for (size_t len = 0; len < n; len++)
                        assert_false(parse(msg, len, OAP_REQUEST, true));
                n = write_message(msg, OAP_RESPONSE, (enum suite)suite, true);
                for (size_t len = 0; len < n; len++)
                        assert_int_equal(parse(msg, len, OAP_RESPONSE, false),
                                         len >= OAP_HDR + kex_len[suite][OAP_RESPONSE] + 4 +
                                                         (suite == 0 ? 0 : 16));
        }
}

/* A plain body of certificates that are @n times @each bytes, and a signature of one byte. */
static bool try_certs(size_t n, size_t each, size_t lie)
{
        uint8_t        *buf = calloc(1, OAP_MESSAGE_MAX + 1000);
        size_t          len = n * (2 + each);
        struct oap_body b;
        bool            ok;

        buf[0] = (uint8_t)(len >> 8);
        buf[1] = (uint8_t)len;
        for (size_t i = 0; i < n; i++) {
                buf[4 + i * (2 + each)] = (uint8_t)((each + lie) >> 8);
                buf[5 + i * (2 + each)] = (uint8_t)(each + lie);
        }
        ok = oap_body_get((struct span){buf, 4 + len + 1}, true, &b);
        if (ok)
                assert_int_equal(b.n_certs, n);
        free(buf);
        return ok;
}

static void test_certificates(void **state)
{
        (void)state;
        assert_true(try_certs(1, 1, 0));
        assert_true(try_certs(8, 100, 0));
        assert_false(try_certs(9, 100, 0));
        assert_false(try_certs(1, 0, 0));  /* an empty one */
        assert_false(try_certs(1, 10, 1)); /* longer than the list */
        assert_false(try_certs(2, 10, 1));
        assert_false(try_certs(1, 10, (size_t)-1)); /* a byte left over */
        assert_true(try_certs(1, OAP_CERTS_BYTES - 2, 0));
        assert_false(try_certs(1, OAP_CERTS_BYTES - 1, 0));
}

static void test_largest(void **state)
{
        uint8_t        *buf = calloc(1, OAP_MESSAGE_MAX + 1);
        struct oap_body b;

        (void)state;
        write_message(buf, OAP_RESPONSE, SUITE_X25519, false);
        assert_true(parse(buf, OAP_MESSAGE_MAX, OAP_RESPONSE, false));
        assert_false(parse(buf, OAP_MESSAGE_MAX + 1, OAP_RESPONSE, false));
        memset(buf, 0, 4);
        buf[2] = OAP_DATA_MAX >> 8;
        assert_true(oap_body_get((struct span){buf, 4 + OAP_DATA_MAX}, false, &b));
        assert_int_equal(b.data.len, OAP_DATA_MAX);
        buf[3] = 1;
        assert_false(oap_body_get((struct span){buf, 4 + OAP_DATA_MAX + 1}, false, &b));
        free(buf);
}

/* Whatever is accepted is what would be written of it: there is one form of a message. */
static void test_one_form(void **state)
{
        uint64_t seed     = 7;
        size_t   accepted = 0;
        uint8_t  msg[512], again[512];

        (void)state;
        for (int turn = 0; turn < 200000; turn++) {
                enum oap_type     type  = random_below(&seed, 2) ? OAP_REQUEST : OAP_RESPONSE;
                enum suite        suite = random_below(&seed, 2) ? SUITE_PLAIN : SUITE_X25519;
                size_t            n     = write_message(msg, type, suite, random_below(&seed, 2) == 0);
                struct oap_header h;
                struct span       kex, body;
                struct oap_body   b;
                size_t            len;

                for (uint64_t i = random_below(&seed, 3); i > 0; i--)
                        msg[random_below(&seed, n)] ^= (uint8_t)(1u << random_below(&seed, 8));
                n -= random_below(&seed, 2);
                if (!oap_header_get(msg, n, type, &h, &kex, &body) || !oap_body_get(body, h.auth, &b))
                        continue;
                accepted++;
                len = oap_header_put(again, &h, kex.p, kex.len);
                len += oap_body_put(again + len, b.certs, b.data);
                memcpy(again + len, b.sig.p, b.sig.len);
                assert_int_equal(len + b.sig.len, n);
                assert_memory_equal(again, msg, n);
        }
        assert_true(accepted > 50000);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_layout),
                cmocka_unit_test(test_read_is_what_was_written),
                cmocka_unit_test(test_each_field_of_the_header),
                cmocka_unit_test(test_id_alone),
                cmocka_unit_test(test_flag_and_contents_agree),
                cmocka_unit_test(test_every_prefix),
                cmocka_unit_test(test_certificates),
                cmocka_unit_test(test_largest),
                cmocka_unit_test(test_one_form),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
