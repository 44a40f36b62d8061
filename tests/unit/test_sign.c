/* test_sign.c - each type of key signs by its one scheme; other keys, other schemes and altered bytes are refused. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "oap/sign.h"

static const uint8_t msg[] = "Ouroboros OAP v1 client, and what follows it";

/* -- keys ------------------------------------------------------------------- */

/* A new key with one parameter. NULL: OpenSSL lacks the type. */
static EVP_PKEY *make(const char *type, OSSL_PARAM first)
{
        OSSL_PARAM    params[] = {first, OSSL_PARAM_construct_end()};
        EVP_PKEY_CTX *ctx      = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
        EVP_PKEY     *key      = NULL;

        if (ctx != NULL) {
                assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
                assert_int_equal(EVP_PKEY_CTX_set_params(ctx, params), 1);
                assert_int_equal(EVP_PKEY_keygen(ctx, &key), 1);
        }
        EVP_PKEY_CTX_free(ctx);
        ERR_clear_error();
        return key;
}

static EVP_PKEY *make_plain(const char *type)
{
        return make(type, OSSL_PARAM_construct_end());
}

static EVP_PKEY *make_ec(const char *curve)
{
        return make("EC", OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)curve, 0));
}

static EVP_PKEY *make_rsa(const char *type, size_t bits)
{
        return make(type, OSSL_PARAM_construct_size_t(OSSL_PKEY_PARAM_RSA_BITS, &bits));
}

/* A public RSA key of any size: only its size matters. */
static EVP_PKEY *rsa_of_size(int bits)
{
        OSSL_PARAM_BLD *b   = OSSL_PARAM_BLD_new();
        EVP_PKEY_CTX   *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
        BIGNUM         *n   = BN_new();
        EVP_PKEY       *key = NULL;
        OSSL_PARAM     *params;

        assert_true(BN_set_bit(n, bits - 1) && BN_set_bit(n, 0));
        OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_N, n);
        OSSL_PARAM_BLD_push_uint(b, OSSL_PKEY_PARAM_RSA_E, 65537);
        params = OSSL_PARAM_BLD_to_param(b);
        assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
        assert_int_equal(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params), 1);
        OSSL_PARAM_free(params);
        OSSL_PARAM_BLD_free(b);
        EVP_PKEY_CTX_free(ctx);
        BN_free(n);
        return key;
}

/* -- what signs ------------------------------------------------------------- */

/* Every bit of the message and, in steps, of the signature; every shorter signature; a longer one. */
static void refuses_what_is_altered(EVP_PKEY *key, const uint8_t *sig, size_t n)
{
        uint8_t text[sizeof(msg)], other[SIGN_MAX + 1] = {0};

        for (size_t bit = 0; bit < 8 * sizeof(msg); bit += 5) {
                memcpy(text, msg, sizeof(msg));
                text[bit / 8] ^= (uint8_t)(1u << bit % 8);
                assert_false(sign_verify(key, text, sizeof(msg), sig, n));
        }
        memcpy(other, sig, n);
        for (size_t bit = 0; bit < 8 * n; bit += 1 + n / 16) {
                other[bit / 8] ^= (uint8_t)(1u << bit % 8);
                assert_false(sign_verify(key, msg, sizeof(msg), other, n));
                other[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        for (size_t len = 0; len < n; len += 1 + n / 32)
                assert_false(sign_verify(key, msg, sizeof(msg), other, len));
        assert_false(sign_verify(key, msg, sizeof(msg), other, n + 1));
        assert_false(sign_verify(key, msg, sizeof(msg) - 1, sig, n));
        assert_int_equal(ERR_peek_error(), 0);
}

/* Consumes both. */
static void signs(EVP_PKEY *key, EVP_PKEY *other)
{
        uint8_t sig[SIGN_MAX];
        int     n;

        assert_true(key != NULL && other != NULL);
        assert_true(sign_key_fits(key));
        n = sign_make(key, msg, sizeof(msg), sig);
        assert_in_range(n, 1, SIGN_MAX);
        assert_true(sign_verify(key, msg, sizeof(msg), sig, (size_t)n));
        assert_false(sign_verify(other, msg, sizeof(msg), sig, (size_t)n));
        refuses_what_is_altered(key, sig, (size_t)n);
        EVP_PKEY_free(key);
        EVP_PKEY_free(other);
}

static void test_ecdsa(void **state)
{
        (void)state;
        signs(make_ec("P-256"), make_ec("P-256"));
        signs(make_ec("P-384"), make_ec("P-256"));
        signs(make_ec("P-521"), make_ec("P-521"));
}

static void test_eddsa(void **state)
{
        (void)state;
        signs(make_plain("ED25519"), make_plain("ED25519"));
        signs(make_plain("ED448"), make_plain("ED25519"));
}

static void test_rsa(void **state)
{
        (void)state;
        signs(make_rsa("RSA", 2048), rsa_of_size(2048));
        signs(make_rsa("RSA-PSS", 2048), rsa_of_size(2048));
}

static void test_mldsa(void **state)
{
        static const char *const names[] = {"ML-DSA-44", "ML-DSA-65", "ML-DSA-87"};
        EVP_PKEY                *probe   = make_plain(names[0]);

        (void)state;
        if (probe == NULL) {
                print_message("this OpenSSL has no ML-DSA: skipped\n");
                skip();
        }
        EVP_PKEY_free(probe);
        for (size_t i = 0; i < 3; i++)
                signs(make_plain(names[i]), make_plain(names[i]));
}

/* -- what does not ---------------------------------------------------------- */

static void refused(EVP_PKEY *key)
{
        uint8_t sig[SIGN_MAX] = {0};

        assert_non_null(key);
        assert_false(sign_key_fits(key));
        assert_int_equal(sign_make(key, msg, sizeof(msg), sig), -EINVAL);
        assert_false(sign_verify(key, msg, sizeof(msg), sig, 64));
        assert_int_equal(ERR_peek_error(), 0);
        EVP_PKEY_free(key);
}

static void test_curves_that_are_not_named(void **state)
{
        (void)state;
        refused(make_ec("P-224"));
        refused(make_ec("secp256k1"));
        refused(make_ec("brainpoolP384r1"));
}

/* A key as @encoding puts it, read back from its own DER. */
static EVP_PKEY *reread(EVP_PKEY *key, const char *encoding)
{
        unsigned char *der = NULL;
        const uint8_t *p;
        int            n;
        EVP_PKEY      *out;

        assert_int_equal(EVP_PKEY_set_utf8_string_param(key, OSSL_PKEY_PARAM_EC_ENCODING, encoding), 1);
        n = i2d_PUBKEY(key, &der);
        assert_true(n > 0);
        p   = der;
        out = d2i_PUBKEY(NULL, &p, n);
        assert_non_null(out);
        OPENSSL_free(der);
        EVP_PKEY_free(key);
        return out;
}

static void test_a_curve_that_is_spelled_out(void **state)
{
        EVP_PKEY *named = reread(make_ec("P-384"), OSSL_PKEY_EC_ENCODING_GROUP);

        (void)state;
        assert_true(sign_key_fits(named));
        EVP_PKEY_free(named);
        refused(reread(make_ec("P-384"), OSSL_PKEY_EC_ENCODING_EXPLICIT));
}

static void test_sizes_of_rsa(void **state)
{
        static const int sizes[] = {2048, 2049, 3072, 4096, 8191, 8192};

        (void)state;
        for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
                EVP_PKEY *key = rsa_of_size(sizes[i]);

                assert_true(sign_key_fits(key));
                EVP_PKEY_free(key);
        }
        refused(make_rsa("RSA", 1024));
        refused(rsa_of_size(2047));
        refused(rsa_of_size(8193));
        refused(rsa_of_size(16384));
}

static void test_keys_that_cannot_sign(void **state)
{
        (void)state;
        refused(make_plain("X25519"));
        refused(make_plain("X448"));
}

/* Fits by size, but has only its public half, or may only be used with another digest. */
static void test_keys_that_may_not_sign(void **state)
{
        EVP_PKEY *public = rsa_of_size(2048);
        EVP_PKEY *sha256 =
                make("RSA-PSS", OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_RSA_DIGEST, "SHA256", 0));
        uint8_t sig[SIGN_MAX];

        (void)state;
        assert_int_equal(sign_make(public, msg, sizeof(msg), sig), -EINVAL);
        assert_int_equal(sign_make(sha256, msg, sizeof(msg), sig), -EINVAL);
        assert_int_equal(ERR_peek_error(), 0);
        EVP_PKEY_free(public);
        EVP_PKEY_free(sha256);
}

/* -- signatures of another scheme, by the right key --------------------------- */

static void sign_otherwise(EVP_PKEY *key, const char *digest, const OSSL_PARAM *params, bool verifies)
{
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        uint8_t     sig[SIGN_MAX];
        size_t      n = sizeof(sig);

        assert_int_equal(EVP_DigestSignInit_ex(ctx, NULL, digest, NULL, NULL, key, params), 1);
        assert_int_equal(EVP_DigestSign(ctx, sig, &n, msg, sizeof(msg)), 1);
        assert_int_equal(sign_verify(key, msg, sizeof(msg), sig, n), verifies);
        EVP_MD_CTX_free(ctx);
}

static void pss(EVP_PKEY *key, const char *digest, const char *mgf1, const char *salt, bool verifies)
{
        const OSSL_PARAM params[] = {
                OSSL_PARAM_construct_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, "pss", 0),
                OSSL_PARAM_construct_utf8_string(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, (char *)mgf1, 0),
                OSSL_PARAM_construct_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, (char *)salt, 0),
                OSSL_PARAM_construct_end(),
        };

        sign_otherwise(key, digest, params, verifies);
}

static void test_other_schemes_of_rsa(void **state)
{
        EVP_PKEY *key = make_rsa("RSA", 2048);

        (void)state;
        pss(key, "SHA384", "SHA384", "48", true);
        pss(key, "SHA384", "SHA384", "47", false);
        pss(key, "SHA384", "SHA384", "0", false);
        pss(key, "SHA384", "SHA384", "max", false);
        pss(key, "SHA384", "SHA256", "48", false);
        pss(key, "SHA256", "SHA256", "32", false);
        pss(key, "SHA512", "SHA384", "48", false);
        sign_otherwise(key, "SHA384", NULL, false); /* PKCS #1 version 1.5 */
        EVP_PKEY_free(key);
}

static void test_other_digests_of_ecdsa(void **state)
{
        EVP_PKEY *key = make_ec("P-256");

        (void)state;
        sign_otherwise(key, "SHA384", NULL, true);
        sign_otherwise(key, "SHA256", NULL, false);
        sign_otherwise(key, "SHA512", NULL, false);
        EVP_PKEY_free(key);
}

/* -- threads ---------------------------------------------------------------- */

static void *sign_often(void *key)
{
        uint8_t sig[SIGN_MAX];

        for (int i = 0; i < 50; i++) {
                int n = sign_make(key, msg, sizeof(msg), sig);

                if (n <= 0 || !sign_verify(key, msg, sizeof(msg), sig, (size_t)n))
                        return key;
        }
        return NULL;
}

static void test_threads_share_a_key(void **state)
{
        EVP_PKEY *key = make_ec("P-256");
        pthread_t threads[4];
        void     *failed;

        (void)state;
        for (size_t i = 0; i < 4; i++)
                assert_int_equal(pthread_create(&threads[i], NULL, sign_often, key), 0);
        for (size_t i = 0; i < 4; i++) {
                assert_int_equal(pthread_join(threads[i], &failed), 0);
                assert_null(failed);
        }
        EVP_PKEY_free(key);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_ecdsa),
                cmocka_unit_test(test_eddsa),
                cmocka_unit_test(test_rsa),
                cmocka_unit_test(test_mldsa),
                cmocka_unit_test(test_curves_that_are_not_named),
                cmocka_unit_test(test_a_curve_that_is_spelled_out),
                cmocka_unit_test(test_sizes_of_rsa),
                cmocka_unit_test(test_keys_that_cannot_sign),
                cmocka_unit_test(test_keys_that_may_not_sign),
                cmocka_unit_test(test_other_schemes_of_rsa),
                cmocka_unit_test(test_other_digests_of_ecdsa),
                cmocka_unit_test(test_threads_share_a_key),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
