/* test_wycheproof_kex.c - ECDH on P-384, X25519 and ML-KEM against the vectors of project Wycheproof. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>

#include "crypt/dh.h"
#include "crypt/kem.h"
#include "crypt/kex.h"
#include "crypt/pkey.h"

#include "keys.h"
#include "vectors.h"

#define POINT     97u
#define VALUE_MAX 8192u

/* Calls @fn for every vector of the file; their number. */
static size_t each(const char *file, void (*fn)(const json_t *group, const json_t *t))
{
        json_t *root = vectors_wycheproof(file), *group, *t;
        size_t  i, j, n = 0;

        json_array_foreach(json_object_get(root, "testGroups"), i, group)
        {
                json_array_foreach(json_object_get(group, "tests"), j, t)
                {
                        fn(group, t);
                        n++;
                }
        }
        assert_int_equal(ERR_peek_error(), 0);
        json_decref(root);
        return n;
}

static bool result_is(const json_t *t, const char *result)
{
        return strcmp(vectors_text(t, "result"), result) == 0;
}

static bool has_flag(const json_t *t, const char *flag)
{
        json_t *f;
        size_t  i;

        json_array_foreach(json_object_get(t, "flags"), i, f)
        {
                if (strcmp(json_string_value(f), flag) == 0)
                        return true;
        }
        return false;
}

/* -- P-384 ------------------------------------------------------------------ */

/* Wycheproof's integers have as many bytes as they need, or one more. */
static EVP_PKEY *private_p384(const json_t *t)
{
        uint8_t bytes[49], scalar[48] = {0};
        size_t  n       = vectors_bytes(t, "private", bytes, sizeof(bytes));
        size_t  surplus = n > 48 ? n - 48 : 0;

        memcpy(scalar + 48 - (n - surplus), bytes + surplus, n - surplus);
        return keys_p384(scalar, NULL);
}

static void agrees_p384(const json_t *t, const uint8_t point[POINT])
{
        EVP_PKEY *own = private_p384(t), *peer = NULL;
        uint8_t   z[DH_SECRET_MAX], shared[DH_SECRET_MAX];

        if (!result_is(t, "valid")) {
                assert_int_equal(dh_peer(DH_P384, point, &peer), -EBADMSG);
        } else {
                assert_int_equal(vectors_bytes(t, "shared", shared, sizeof(shared)), sizeof(shared));
                assert_int_equal(dh_peer(DH_P384, point, &peer), 0);
                assert_int_equal(dh_agree(DH_P384, own, peer, z), 0);
                assert_memory_equal(z, shared, sizeof(shared));
        }
        EVP_PKEY_free(own);
        EVP_PKEY_free(peer);
}

static void refuses_encoding(const uint8_t *value, size_t len)
{
        struct kex *k = kex_server(SUITE_P384);
        uint8_t     response[KEX_PUBLIC_MAX];

        assert_int_equal(kex_answer(k, value, len, response), -EBADMSG);
        kex_destroy(k);
}

/* Compressed points are acceptable to Wycheproof, not to OAP. */
static void ecpoint(const json_t *group, const json_t *t)
{
        uint8_t value[VALUE_MAX];
        size_t  n = vectors_bytes(t, "public", value, sizeof(value));

        (void)group;
        if (n == POINT)
                agrees_p384(t, value);
        else
                refuses_encoding(value, n);
}

static void test_p384_points(void **state)
{
        (void)state;
        assert_int_equal(each("ecdh_secp384r1_ecpoint_test.json", ecpoint), 790);
}

/* Public keys in SubjectPublicKeyInfo: those whose frame is the usual one have a point that OAP could carry. */
static void spki(const json_t *group, const json_t *t)
{
        static const uint8_t frame[] = {0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86,
                                        0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b,
                                        0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00};
        uint8_t              value[VALUE_MAX];
        size_t               n = vectors_bytes(t, "public", value, sizeof(value));

        (void)group;
        if (n == sizeof(frame) + POINT && memcmp(value, frame, sizeof(frame)) == 0)
                agrees_p384(t, value + sizeof(frame));
}

static void test_p384_keys(void **state)
{
        (void)state;
        assert_int_equal(each("ecdh_secp384r1_test.json", spki), 1047);
}

/* -- X25519 ----------------------------------------------------------------- */

static void x25519(const json_t *group, const json_t *t)
{
        uint8_t private[32], public[32], shared[32], z[DH_SECRET_MAX];
        bool      zero = has_flag(t, "ZeroSharedSecret");
        EVP_PKEY *own, *peer;

        (void)group;
        vectors_bytes(t, "private", private, 32);
        vectors_bytes(t, "public", public, 32);
        vectors_bytes(t, "shared", shared, 32);
        own = keys_x25519(private);
        assert_int_equal(dh_peer(DH_X25519, public, &peer), 0);
        assert_int_equal(dh_agree(DH_X25519, own, peer, z), zero ? -EBADMSG : 0);
        assert_memory_equal(z, shared, 32); /* zeros where it is refused */
        EVP_PKEY_free(own);
        EVP_PKEY_free(peer);
}

static void test_x25519(void **state)
{
        (void)state;
        assert_int_equal(each("x25519_test.json", x25519), 518);
}

/* -- ML-KEM ----------------------------------------------------------------- */

static void decapsulates(enum kem k, const json_t *t, EVP_PKEY *key, const uint8_t *cipher)
{
        uint8_t public[KEM_PUBLIC_MAX], expected[KEM_PUBLIC_MAX], secret[KEM_SECRET], made[KEM_SECRET];
        uint8_t other[KEM_PUBLIC_MAX];

        assert_int_equal(vectors_bytes(t, "ek", expected, sizeof(expected)), kem_public_len(k));
        assert_true(pkey_encode(key, public, kem_public_len(k)));
        assert_memory_equal(public, expected, kem_public_len(k));
        assert_int_equal(kem_decapsulate(k, key, cipher, secret), 0);
        assert_int_equal(vectors_bytes(t, "K", expected, sizeof(expected)), KEM_SECRET);
        assert_memory_equal(secret, expected, KEM_SECRET);

        assert_int_equal(kem_encapsulate(k, public, other, made), 0);
        assert_int_equal(kem_decapsulate(k, key, other, secret), 0);
        assert_memory_equal(secret, made, KEM_SECRET);
}

/* The invalid ones have a seed or a ciphertext of another length, which kex.c does not let this far. */
static void mlkem(const json_t *group, const json_t *t)
{
        const char *name = vectors_text(group, "parameterSet");
        enum kem    k    = strcmp(name, "ML-KEM-768") == 0 ? KEM_768 : KEM_1024;
        uint8_t     seed[128], cipher[VALUE_MAX];
        size_t      n = vectors_bytes(t, "seed", seed, sizeof(seed));
        size_t      m = vectors_bytes(t, "c", cipher, sizeof(cipher));
        EVP_PKEY   *key;

        assert_int_equal(n == 64 && m == kem_cipher_len(k), result_is(t, "valid"));
        if (!result_is(t, "valid"))
                return;
        key = keys_mlkem(name, seed);
        assert_non_null(key);
        decapsulates(k, t, key, cipher);
        EVP_PKEY_free(key);
}

static void test_mlkem(void **state)
{
        (void)state;
        if (!suite_available(SUITE_P384_MLKEM1024)) {
                print_message("this OpenSSL has no ML-KEM: skipped\n");
                skip();
        }
        assert_int_equal(each("mlkem_768_test.json", mlkem), 193);
        assert_int_equal(each("mlkem_1024_test.json", mlkem), 193);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_p384_points),
                cmocka_unit_test(test_p384_keys),
                cmocka_unit_test(test_x25519),
                cmocka_unit_test(test_mlkem),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
