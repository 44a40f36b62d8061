/*
 * test_wycheproof_sign.c - verification against the vectors of project Wycheproof. ECDSA's digest is the vectors':
 * theirs goes with the curve, OAP's is SHA-384 on each.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>

#include "oap/sign.h"

#include "keys.h"
#include "vectors.h"

#define TEXT_MAX 65536u

static void verify(EVP_PKEY *key, const char *digest, const json_t *t)
{
        static uint8_t msg[TEXT_MAX], sig[TEXT_MAX];
        size_t         n     = vectors_bytes(t, "msg", msg, sizeof(msg));
        size_t         m     = vectors_bytes(t, "sig", sig, sizeof(sig));
        bool           valid = strcmp(vectors_text(t, "result"), "valid") == 0;

        if (sign_verify_with(key, digest, msg, n, sig, m) == valid)
                return;
        fail_msg("vector %d is %s", (int)vectors_number(t, "tcId"), vectors_text(t, "result"));
}

static size_t verify_group(const json_t *group)
{
        const char *digest = json_string_value(json_object_get(group, "sha"));
        uint8_t     der[2048];
        EVP_PKEY   *key = keys_public(der, vectors_bytes(group, "publicKeyDer", der, sizeof(der)));
        json_t     *t;
        size_t      i, n = 0;

        assert_true(sign_key_fits(key));
        json_array_foreach(json_object_get(group, "tests"), i, t)
        {
                verify(key, digest == NULL ? "SHA-384" : digest, t);
                n++;
        }
        assert_int_equal(ERR_peek_error(), 0);
        EVP_PKEY_free(key);
        return n;
}

static void run(const char *file, size_t expected)
{
        json_t *root = vectors_wycheproof(file), *group;
        size_t  i, n = 0;

        json_array_foreach(json_object_get(root, "testGroups"), i, group) n += verify_group(group);
        assert_int_equal(n, expected);
        json_decref(root);
}

static void test_p256(void **state)
{
        (void)state;
        run("ecdsa_secp256r1_sha256_test.json", 484);
}

static void test_p384(void **state)
{
        (void)state;
        run("ecdsa_secp384r1_sha384_test.json", 504);
}

static void test_p521(void **state)
{
        (void)state;
        run("ecdsa_secp521r1_sha512_test.json", 542);
}

static void test_ed25519(void **state)
{
        (void)state;
        run("ed25519_test.json", 151);
}

static void test_ed448(void **state)
{
        (void)state;
        run("ed448_test.json", 87);
}

static void test_rsa_pss(void **state)
{
        (void)state;
        run("rsa_pss_2048_sha384_mgf1_48_test.json", 141);
        run("rsa_pss_4096_sha384_mgf1_48_test.json", 141);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_p256),    cmocka_unit_test(test_p384),  cmocka_unit_test(test_p521),
                cmocka_unit_test(test_ed25519), cmocka_unit_test(test_ed448), cmocka_unit_test(test_rsa_pss),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
