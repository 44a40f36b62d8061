#include "keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>

static EVP_PKEY *from_data(const char *type, OSSL_PARAM_BLD *b)
{
        OSSL_PARAM   *params = OSSL_PARAM_BLD_to_param(b);
        EVP_PKEY_CTX *ctx    = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
        EVP_PKEY     *key    = NULL;

        assert_non_null(params);
        if (ctx != NULL) {
                assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
                assert_int_equal(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params), 1);
        }
        ERR_clear_error();
        EVP_PKEY_CTX_free(ctx);
        OSSL_PARAM_free(params);
        OSSL_PARAM_BLD_free(b);
        return key;
}

EVP_PKEY *keys_p384(const uint8_t private[48], const uint8_t public[97])
{
        OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
        BIGNUM         *n = BN_bin2bn(private, 48, NULL);
        EVP_PKEY       *key;

        assert_true(b != NULL && n != NULL);
        OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME, "P-384", 0);
        OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_PRIV_KEY, n);
        if (public != NULL)
                OSSL_PARAM_BLD_push_octet_string(b, OSSL_PKEY_PARAM_PUB_KEY, public, 97);
        key = from_data("EC", b);
        BN_free(n);
        return key;
}

EVP_PKEY *keys_x25519(const uint8_t private[32])
{
        return EVP_PKEY_new_raw_private_key_ex(NULL, "X25519", NULL, private, 32);
}

EVP_PKEY *keys_mlkem(const char *name, const uint8_t seed[64])
{
        OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();

        assert_non_null(b);
        OSSL_PARAM_BLD_push_octet_string(b, "seed", seed, 64);
        return from_data(name, b);
}

EVP_PKEY *keys_public(const uint8_t *der, size_t len)
{
        EVP_PKEY *key = d2i_PUBKEY(NULL, &der, (long)len);

        assert_non_null(key);
        return key;
}
