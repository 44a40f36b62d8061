#include "crypt/hkdf.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "crypt/secret.h"

/* What OpenSSL looks up by name, once for the process. NULL where it could not. */
struct algorithms {
        EVP_MD  *sha384;
        EVP_KDF *hkdf;
};

static struct algorithms algorithms;

static void fetch(void)
{
        algorithms.sha384 = EVP_MD_fetch(NULL, "SHA2-384", NULL);
        algorithms.hkdf   = EVP_KDF_fetch(NULL, "HKDF", NULL);
}

static const struct algorithms *fetched(void)
{
        static pthread_once_t once = PTHREAD_ONCE_INIT;

        pthread_once(&once, fetch);
        return &algorithms;
}

/* -- SHA-384 ---------------------------------------------------------------- */

int sha384(uint8_t out[SHA384_LEN], const struct piece *pieces, size_t n)
{
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        bool        ok  = ctx != NULL && EVP_DigestInit_ex2(ctx, fetched()->sha384, NULL);

        for (size_t i = 0; ok && i < n; i++)
                ok = EVP_DigestUpdate(ctx, pieces[i].data, pieces[i].len);
        ok = ok && EVP_DigestFinal_ex(ctx, out, NULL);
        EVP_MD_CTX_free(ctx);
        if (!ok)
                secret_wipe(out, SHA384_LEN);
        return ok ? 0 : -ENOMEM;
}

/* -- HKDF ------------------------------------------------------------------- */

/* OpenSSL's parameters are not const, and are only read. */
static OSSL_PARAM octets(const char *key, const void *data, size_t len)
{
        return OSSL_PARAM_construct_octet_string(key, (void *)data, len);
}

static OSSL_PARAM text(const char *key, const char *value)
{
        return OSSL_PARAM_construct_utf8_string(key, (char *)value, 0);
}

static int derive(uint8_t *out, size_t len, const OSSL_PARAM *params)
{
        const struct algorithms *a   = fetched();
        EVP_KDF_CTX             *ctx = a->hkdf == NULL ? NULL : EVP_KDF_CTX_new(a->hkdf);
        bool                     ok  = ctx != NULL && EVP_KDF_derive(ctx, out, len, params) == 1;

        EVP_KDF_CTX_free(ctx);
        if (!ok)
                secret_wipe(out, len);
        return ok ? 0 : -ENOMEM;
}

int hkdf_extract(uint8_t prk[SHA384_LEN], const uint8_t *salt, size_t salt_len, const uint8_t *ikm,
                 size_t ikm_len)
{
        const OSSL_PARAM params[] = {
                text(OSSL_KDF_PARAM_MODE, "EXTRACT_ONLY"),
                text(OSSL_KDF_PARAM_DIGEST, "SHA2-384"),
                octets(OSSL_KDF_PARAM_SALT, salt, salt_len),
                octets(OSSL_KDF_PARAM_KEY, ikm, ikm_len),
                OSSL_PARAM_construct_end(),
        };

        return derive(prk, SHA384_LEN, params);
}

int hkdf_expand(uint8_t *out, size_t out_len, const uint8_t prk[SHA384_LEN], const struct piece *info,
                size_t n)
{
        OSSL_PARAM params[3 + HKDF_INFO_PIECES + 1];
        size_t     k = 0;

        assert(n <= HKDF_INFO_PIECES);
        params[k++] = text(OSSL_KDF_PARAM_MODE, "EXPAND_ONLY");
        params[k++] = text(OSSL_KDF_PARAM_DIGEST, "SHA2-384");
        params[k++] = octets(OSSL_KDF_PARAM_KEY, prk, SHA384_LEN);
        for (size_t i = 0; i < n; i++)
                params[k++] = octets(OSSL_KDF_PARAM_INFO, info[i].data, info[i].len);
        params[k] = OSSL_PARAM_construct_end();
        return derive(out, out_len, params);
}
