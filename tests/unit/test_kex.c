/*
 * test_kex.c - both sides agree, on what an independent calculation says; what is not a public key is refused, and
 * nothing of a secret is given out with a refusal.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>

#include "crypt/kex.h"

#include "keys.h"
#include "vectors.h"

#define POINT 97u

static const uint8_t zeros[KEX_SECRET_MAX];

/* -- agreement -------------------------------------------------------------- */

struct round {
        uint8_t request[KEX_PUBLIC_MAX], response[KEX_PUBLIC_MAX];
        uint8_t client_z[KEX_SECRET_MAX], server_z[KEX_SECRET_MAX];
        int     client_len, server_len;
};

static void play(struct round *r, enum suite s)
{
        struct kex *client = kex_client(s), *server = kex_server(s);

        assert_true(client != NULL && server != NULL);
        assert_int_equal(kex_suite(client), s);
        kex_request(client, r->request);
        assert_int_equal(kex_answer(server, r->request, kex_request_len(s), r->response), 0);
        r->client_len = kex_finish(client, r->response, kex_response_len(s), r->client_z);
        r->server_len = kex_answer_secret(server, r->server_z);
        kex_destroy(client);
        kex_destroy(server);
}

static void each_suite(void (*fn)(enum suite s))
{
        for (unsigned s = SUITE_PLAIN + 1; s < SUITE_N; s++) {
                if (suite_available((enum suite)s))
                        fn((enum suite)s);
        }
}

static void agree(enum suite s)
{
        static const int lengths[] = {0, 48, 80, 32, 64};
        struct round     a, b;

        play(&a, s);
        play(&b, s);
        assert_int_equal(a.client_len, lengths[s]);
        assert_int_equal(a.server_len, lengths[s]);
        assert_memory_equal(a.client_z, a.server_z, (size_t)lengths[s]);
        assert_memory_not_equal(a.request, b.request, kex_request_len(s));
        assert_memory_not_equal(a.response, b.response, kex_response_len(s));
        assert_memory_not_equal(a.client_z, b.client_z, 32);
}

static void test_both_agree(void **state)
{
        (void)state;
        each_suite(agree);
}

static void test_lengths(void **state)
{
        static const size_t requests[]  = {0, 97, 97 + 1568, 32, 32 + 1184};
        static const size_t responses[] = {0, 97, 97 + 1568, 32, 32 + 1088};

        (void)state;
        for (unsigned s = 0; s < SUITE_N; s++) {
                assert_int_equal(kex_request_len((enum suite)s), requests[s]);
                assert_int_equal(kex_response_len((enum suite)s), responses[s]);
        }
        assert_int_equal(kex_request_len((enum suite)77), 0);
        assert_int_equal(kex_response_len((enum suite) - 1), 0);
}

static void test_no_keys_where_there_is_no_suite(void **state)
{
        (void)state;
        assert_null(kex_client(SUITE_PLAIN));
        assert_null(kex_server(SUITE_PLAIN));
        assert_null(kex_client((enum suite)77));
        for (unsigned s = 1; s < SUITE_N; s++) {
                if (suite_available((enum suite)s))
                        continue;
                assert_null(kex_client((enum suite)s));
                assert_null(kex_server((enum suite)s));
        }
        kex_destroy(NULL);
}

/* -- known answers ---------------------------------------------------------- */

struct known {
        enum suite suite;
        uint8_t    request[KEX_PUBLIC_MAX], response[KEX_PUBLIC_MAX], z[KEX_SECRET_MAX];
        size_t     request_len, response_len, z_len;
};

static EVP_PKEY *dh_key(const json_t *t, const char *who, const char *who_public)
{
        uint8_t private[48], public[POINT];
        size_t n = vectors_bytes(t, who, private, sizeof(private));

        vectors_bytes(t, who_public, public, sizeof(public));
        return n == 32 ? keys_x25519(private) : keys_p384(private, public);
}

static EVP_PKEY *kem_key(const json_t *t)
{
        uint8_t seed[64];

        if (json_object_get(t, "kem") == NULL)
                return NULL;
        vectors_bytes(t, "seed", seed, sizeof(seed));
        return keys_mlkem(vectors_text(t, "kem"), seed);
}

static void client_knows(const json_t *t, const struct known *k)
{
        struct kex *c = kex_client_of(k->suite, dh_key(t, "client", "client_public"), kem_key(t));
        uint8_t     request[KEX_PUBLIC_MAX], z[KEX_SECRET_MAX];

        assert_non_null(c);
        kex_request(c, request);
        assert_memory_equal(request, k->request, k->request_len);
        assert_int_equal(kex_finish(c, k->response, k->response_len, z), k->z_len);
        assert_memory_equal(z, k->z, k->z_len);
        kex_destroy(c);
}

/* A server's KEM draws at random, so there only Diffie-Hellman's part is known. */
static void server_knows(const json_t *t, const struct known *k)
{
        struct kex *s   = kex_server_of(k->suite, dh_key(t, "server", "server_public"));
        bool        kem = json_object_get(t, "kem") != NULL;
        uint8_t     response[KEX_PUBLIC_MAX], z[KEX_SECRET_MAX];

        assert_non_null(s);
        assert_int_equal(kex_answer(s, k->request, k->request_len, response), 0);
        assert_memory_equal(response, k->response, strlen(vectors_text(t, "server_public")) / 2);
        assert_int_equal(kex_answer_secret(s, z), k->z_len);
        assert_memory_equal(z, k->z, k->z_len - (kem ? 32 : 0));
        kex_destroy(s);
}

static void test_known_answers(void **state)
{
        json_t      *root = vectors_own("kex.json"), *t;
        struct known k;
        size_t       i, n = 0;

        (void)state;
        json_array_foreach(json_object_get(root, "exchanges"), i, t)
        {
                assert_true(suite_parse(vectors_text(t, "suite"), &k.suite));
                if (!suite_available(k.suite))
                        continue;
                k.request_len  = vectors_bytes(t, "request", k.request, sizeof(k.request));
                k.response_len = vectors_bytes(t, "response", k.response, sizeof(k.response));
                k.z_len        = vectors_bytes(t, "z", k.z, sizeof(k.z));
                client_knows(t, &k);
                server_knows(t, &k);
                n++;
        }
        assert_true(n >= 8);
        json_decref(root);
}

static void test_keys_of_another_suite(void **state)
{
        static const uint8_t private[32] = {1};

        (void)state;
        assert_null(kex_client_of(SUITE_P384, keys_x25519(private), NULL));
        assert_null(kex_server_of(SUITE_P384, keys_x25519(private)));
        assert_null(kex_client_of(SUITE_PLAIN, keys_x25519(private), NULL));
        assert_null(kex_client_of(SUITE_X25519, keys_x25519(private), keys_x25519(private)));
        assert_null(kex_client_of(SUITE_X25519_MLKEM768, keys_x25519(private), NULL));
        assert_null(kex_client_of(SUITE_X25519, NULL, NULL));
        assert_int_equal(ERR_peek_error(), 0);
}

/* -- what others send ------------------------------------------------------- */

/* A client's value: refused at once, or with the secret; then there is no secret, now or later. */
static void server_refuses(enum suite s, const uint8_t *request, size_t len)
{
        struct kex *k = kex_server(s);
        uint8_t     response[KEX_PUBLIC_MAX], z[KEX_SECRET_MAX];
        int         r = kex_answer(k, request, len, response);

        assert_true(r == 0 || r == -EBADMSG);
        for (int i = 0; i < 2; i++) {
                memset(z, 0xaa, sizeof(z));
                assert_int_equal(kex_answer_secret(k, z), -EBADMSG);
                assert_memory_equal(z, zeros, sizeof(z));
        }
        assert_int_equal(ERR_peek_error(), 0);
        kex_destroy(k);
}

static void server_takes(enum suite s, const uint8_t *request)
{
        struct kex *k = kex_server(s);
        uint8_t     response[KEX_PUBLIC_MAX];

        assert_int_equal(kex_answer(k, request, kex_request_len(s), response), 0);
        kex_destroy(k);
}

/* A server's; and a client that refused once does not take a good one afterwards. */
static void client_refuses(enum suite s, const uint8_t *response, size_t len)
{
        struct kex *k = kex_client(s), *server = kex_server(s);
        uint8_t     request[KEX_PUBLIC_MAX], good[KEX_PUBLIC_MAX], z[KEX_SECRET_MAX];

        kex_request(k, request);
        assert_int_equal(kex_answer(server, request, kex_request_len(s), good), 0);
        memset(z, 0xaa, sizeof(z));
        assert_int_equal(kex_finish(k, response, len, z), -EBADMSG);
        assert_memory_equal(z, zeros, sizeof(z));
        assert_int_equal(kex_finish(k, good, kex_response_len(s), z), -EBADMSG);
        assert_int_equal(ERR_peek_error(), 0);
        kex_destroy(k);
        kex_destroy(server);
}

static size_t next_length(size_t len, size_t exact)
{
        return len < 100 || len + 100 > exact ? len + 1 : len + 97;
}

static void every_length(enum suite s)
{
        static struct round r;
        uint8_t             longer[KEX_PUBLIC_MAX + 1] = {0};

        play(&r, s);
        memcpy(longer, r.request, kex_request_len(s));
        for (size_t len = 0; len <= kex_request_len(s) + 1; len = next_length(len, kex_request_len(s))) {
                if (len != kex_request_len(s))
                        server_refuses(s, longer, len);
        }
        memcpy(longer, r.response, kex_response_len(s));
        for (size_t len = 0; len <= kex_response_len(s) + 1; len = next_length(len, kex_response_len(s))) {
                if (len != kex_response_len(s))
                        client_refuses(s, longer, len);
        }
}

static void test_every_length(void **state)
{
        (void)state;
        each_suite(every_length);
}

static enum suite with_kem(enum suite s)
{
        return s == SUITE_P384 ? SUITE_P384_MLKEM1024 : SUITE_X25519_MLKEM768;
}

/* @value alone, and as the first part of a message that is good otherwise. */
static void both_refuse(enum suite s, const uint8_t *value, size_t len)
{
        static struct round r;

        server_refuses(s, value, len);
        client_refuses(s, value, len);
        if (!suite_available(with_kem(s)))
                return;
        s = with_kem(s);
        play(&r, s);
        memcpy(r.request, value, len);
        memcpy(r.response, value, len);
        server_refuses(s, r.request, kex_request_len(s));
        client_refuses(s, r.response, kex_response_len(s));
}

static void test_bad_points(void **state)
{
        json_t *root = vectors_own("kex.json"), *t;
        uint8_t value[POINT];
        size_t  i;

        (void)state;
        json_array_foreach(json_object_get(root, "p384"), i, t)
        {
                if (!json_is_true(json_object_get(t, "ok")))
                        both_refuse(SUITE_P384, value, vectors_bytes(t, "value", value, POINT));
        }
        json_array_foreach(json_object_get(root, "x25519_zero"), i, t)
                both_refuse(SUITE_X25519, value, vectors_bytes(t, "value", value, POINT));
        json_decref(root);
}

/* Sets coefficient @i of an encoded ML-KEM vector, 12 bits each. */
static void set_coefficient(uint8_t *key, size_t i, unsigned value)
{
        uint8_t *p = key + i / 2 * 3;

        if (i % 2 == 0) {
                p[0] = (uint8_t)value;
                p[1] = (uint8_t)((p[1] & 0xf0) | value >> 8);
        } else {
                p[1] = (uint8_t)((p[1] & 0x0f) | (value & 0xf) << 4);
                p[2] = (uint8_t)(value >> 4);
        }
}

/* Each coefficient of an encapsulation key is below 3329 (FIPS 203 section 7.2). */
static void modulus_check(enum suite s, size_t dh_len)
{
        static struct round r;
        uint8_t             request[KEX_PUBLIC_MAX];
        size_t              n = (kex_request_len(s) - dh_len - 32) * 2 / 3;

        play(&r, s);
        for (size_t i = 0; i < n; i += i < 4 || i + 4 >= n ? 1 : 83) {
                memcpy(request, r.request, sizeof(request));
                set_coefficient(request + dh_len, i, 3329);
                server_refuses(s, request, kex_request_len(s));
                set_coefficient(request + dh_len, i, 4095);
                server_refuses(s, request, kex_request_len(s));
        }
        set_coefficient(r.request + dh_len, 0, 3328);
        server_takes(s, r.request);
}

static void test_modulus_check(void **state)
{
        (void)state;
        if (!suite_available(SUITE_P384_MLKEM1024)) {
                print_message("this OpenSSL has no ML-KEM: skipped\n");
                skip();
        }
        modulus_check(SUITE_P384_MLKEM1024, 97);
        modulus_check(SUITE_X25519_MLKEM768, 32);
}

/* An altered ciphertext gives the client another secret, no error: the tag of the response tells. */
static void altered_cipher(enum suite s, size_t dh_len)
{
        struct kex *client = kex_client(s), *server = kex_server(s);
        uint8_t     request[KEX_PUBLIC_MAX], response[KEX_PUBLIC_MAX], z[2][KEX_SECRET_MAX];
        int         n;

        kex_request(client, request);
        assert_int_equal(kex_answer(server, request, kex_request_len(s), response), 0);
        n = kex_answer_secret(server, z[0]);
        response[dh_len + 7] ^= 1;
        assert_int_equal(kex_finish(client, response, kex_response_len(s), z[1]), n);
        assert_memory_equal(z[0], z[1], (size_t)n - 32);
        assert_memory_not_equal(z[0] + n - 32, z[1] + n - 32, 32);
        kex_destroy(client);
        kex_destroy(server);
}

static void test_altered_cipher(void **state)
{
        (void)state;
        if (!suite_available(SUITE_P384_MLKEM1024)) {
                print_message("this OpenSSL has no ML-KEM: skipped\n");
                skip();
        }
        altered_cipher(SUITE_P384_MLKEM1024, 97);
        altered_cipher(SUITE_X25519_MLKEM768, 32);
}

/* -- order and number of turns ---------------------------------------------- */

static void each_once(enum suite s)
{
        struct kex *client = kex_client(s), *server = kex_server(s), *idle = kex_server(s);
        uint8_t     request[KEX_PUBLIC_MAX], response[KEX_PUBLIC_MAX], z[KEX_SECRET_MAX];

        assert_int_equal(kex_answer_secret(idle, z), -EBADMSG); /* without a request */
        kex_request(client, request);
        assert_int_equal(kex_answer(idle, request, kex_request_len(s), response), -EBADMSG);
        assert_int_equal(kex_answer(server, request, kex_request_len(s), response), 0);
        assert_int_equal(kex_answer(server, request, kex_request_len(s), response), -EBADMSG);
        assert_true(kex_answer_secret(server, z) > 0);
        assert_int_equal(kex_answer_secret(server, z), -EBADMSG);
        assert_int_equal(kex_answer(server, request, kex_request_len(s), response), -EBADMSG);
        assert_true(kex_finish(client, response, kex_response_len(s), z) > 0);
        assert_int_equal(kex_finish(client, response, kex_response_len(s), z), -EBADMSG);
        kex_destroy(client);
        kex_destroy(server);
        kex_destroy(idle);
}

static void test_keys_serve_once(void **state)
{
        (void)state;
        each_suite(each_once);
}

/* -- threads ---------------------------------------------------------------- */

static void *agree_often(void *arg)
{
        (void)arg;
        for (int i = 0; i < 10; i++)
                each_suite(agree);
        return NULL;
}

static void test_threads(void **state)
{
        pthread_t threads[4];

        (void)state;
        for (size_t i = 0; i < 4; i++)
                assert_int_equal(pthread_create(&threads[i], NULL, agree_often, NULL), 0);
        for (size_t i = 0; i < 4; i++)
                assert_int_equal(pthread_join(threads[i], NULL), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_threads), /* first: what is made once is made by several at once */
                cmocka_unit_test(test_both_agree),
                cmocka_unit_test(test_lengths),
                cmocka_unit_test(test_no_keys_where_there_is_no_suite),
                cmocka_unit_test(test_known_answers),
                cmocka_unit_test(test_keys_of_another_suite),
                cmocka_unit_test(test_every_length),
                cmocka_unit_test(test_bad_points),
                cmocka_unit_test(test_modulus_check),
                cmocka_unit_test(test_altered_cipher),
                cmocka_unit_test(test_keys_serve_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
