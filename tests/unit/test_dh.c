/* test_dh.c - what of P-384 is decoded as a point; small orders of X25519; what an agreement leaves behind. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>

#include "crypt/dh.h"
#include "crypt/pkey.h"

#include "vectors.h"

#define POINT 97u

static const uint8_t zeros[DH_SECRET_MAX];

static int decode(enum dh_group g, const uint8_t *value)
{
        EVP_PKEY *peer = NULL;
        int       r    = dh_peer(g, value, &peer);

        assert_int_equal(peer != NULL, r == 0);
        assert_int_equal(ERR_peek_error(), 0);
        EVP_PKEY_free(peer);
        return r;
}

static void test_points(void **state)
{
        json_t *root = vectors_own("kex.json"), *t;
        uint8_t value[POINT];
        size_t  i, n = 0;

        (void)state;
        json_array_foreach(json_object_get(root, "p384"), i, t)
        {
                assert_int_equal(vectors_bytes(t, "value", value, POINT), POINT);
                assert_int_equal(decode(DH_P384, value),
                                 json_is_true(json_object_get(t, "ok")) ? 0 : -EBADMSG);
                n++;
        }
        assert_true(n >= 20);
        json_decref(root);
}

/* No other first byte, and no neighbour of a point in any bit of its coordinates, is a point. */
static void test_every_bit(void **state)
{
        EVP_PKEY *own = dh_make(DH_P384);
        uint8_t   value[POINT];

        (void)state;
        assert_non_null(own);
        assert_true(pkey_encode(own, value, POINT));
        assert_int_equal(decode(DH_P384, value), 0);
        for (unsigned first = 0; first < 256; first++) {
                value[0] = (uint8_t)first;
                assert_int_equal(decode(DH_P384, value), first == 4 ? 0 : -EBADMSG);
        }
        value[0] = 4;
        for (size_t bit = 8; bit < POINT * 8; bit++) {
                value[bit / 8] ^= (uint8_t)(1u << bit % 8);
                assert_int_equal(decode(DH_P384, value), -EBADMSG);
                value[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        EVP_PKEY_free(own);
}

static void test_small_orders(void **state)
{
        json_t   *root = vectors_own("kex.json"), *t;
        EVP_PKEY *own  = dh_make(DH_X25519), *peer;
        uint8_t   value[32], z[DH_SECRET_MAX];
        size_t    i, n = 0;

        (void)state;
        json_array_foreach(json_object_get(root, "x25519_zero"), i, t)
        {
                vectors_bytes(t, "value", value, sizeof(value));
                assert_int_equal(dh_peer(DH_X25519, value, &peer), 0);
                memset(z, 0xaa, sizeof(z));
                assert_int_equal(dh_agree(DH_X25519, own, peer, z), -EBADMSG);
                assert_memory_equal(z, zeros, 32);
                assert_int_equal(ERR_peek_error(), 0);
                EVP_PKEY_free(peer);
                n++;
        }
        assert_int_equal(n, 14);
        EVP_PKEY_free(own);
        json_decref(root);
}

static void test_keys_do_not_mix(void **state)
{
        EVP_PKEY *a = dh_make(DH_P384), *b = dh_make(DH_X25519);
        uint8_t   z[DH_SECRET_MAX], public[POINT];

        (void)state;
        memset(z, 0xaa, sizeof(z));
        assert_int_equal(dh_agree(DH_P384, a, b, z), -EBADMSG);
        assert_memory_equal(z, zeros, 48);
        assert_int_equal(dh_agree(DH_X25519, b, a, z), -EBADMSG);
        assert_false(pkey_encode(a, public, POINT - 1));
        assert_false(pkey_encode(b, public, POINT));
        assert_int_equal(ERR_peek_error(), 0);
        EVP_PKEY_free(a);
        EVP_PKEY_free(b);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_points),
                cmocka_unit_test(test_every_bit),
                cmocka_unit_test(test_small_orders),
                cmocka_unit_test(test_keys_do_not_mix),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
