/*
 * HKDF is a page over HMAC here, not OpenSSL's own: that looks SHA-384 up by its name for every derivation, which takes
 * twice as long as deriving, and a flow derives a dozen times.
 */
#include "crypt/hkdf.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "crypt/secret.h"

/* What OpenSSL looks up by name, once for the process. NULL where it could not. */
struct algorithms {
        EVP_MD      *sha384;
        EVP_MAC_CTX *hmac; /* with SHA-384, without a key: to be copied */
};

static struct algorithms algorithms;

static EVP_MAC_CTX *make_hmac(void)
{
        char         name[]   = "SHA2-384";
        OSSL_PARAM   params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                                 OSSL_PARAM_construct_end()};
        EVP_MAC     *mac      = EVP_MAC_fetch(NULL, "HMAC", NULL);
        EVP_MAC_CTX *ctx      = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);

        EVP_MAC_free(mac);
        if (ctx == NULL || EVP_MAC_CTX_set_params(ctx, params) == 1)
                return ctx;
        EVP_MAC_CTX_free(ctx);
        return NULL;
}

static void fetch(void)
{
        algorithms.sha384 = EVP_MD_fetch(NULL, "SHA2-384", NULL);
        algorithms.hmac   = make_hmac();
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

static int hmac(uint8_t out[SHA384_LEN], const uint8_t *key, size_t key_len, const struct piece *pieces,
                size_t n)
{
        const struct algorithms *a   = fetched();
        EVP_MAC_CTX             *ctx = a->hmac == NULL ? NULL : EVP_MAC_CTX_dup(a->hmac);
        bool                     ok  = ctx != NULL && EVP_MAC_init(ctx, key, key_len, NULL);

        for (size_t i = 0; ok && i < n; i++)
                ok = EVP_MAC_update(ctx, pieces[i].data, pieces[i].len);
        ok = ok && EVP_MAC_final(ctx, out, NULL, SHA384_LEN);
        EVP_MAC_CTX_free(ctx);
        if (!ok)
                secret_wipe(out, SHA384_LEN);
        return ok ? 0 : -ENOMEM;
}

int hkdf_extract(uint8_t prk[SHA384_LEN], const uint8_t *salt, size_t salt_len, const uint8_t *ikm,
                 size_t ikm_len)
{
        static const uint8_t zeros[SHA384_LEN]; /* what no salt stands for */

        return hmac(prk, salt_len > 0 ? salt : zeros, salt_len > 0 ? salt_len : sizeof(zeros),
                    (struct piece[]){{ikm, ikm_len}}, 1);
}

/* T(i) = HMAC(prk, T(i - 1) | info | i) */
int hkdf_expand(uint8_t *out, size_t out_len, const uint8_t prk[SHA384_LEN], const struct piece *info,
                size_t n)
{
        struct piece pieces[1 + HKDF_INFO_PIECES + 1];
        uint8_t      t[SHA384_LEN];
        uint8_t      i    = 0;
        size_t       done = 0;

        assert(n <= HKDF_INFO_PIECES);
        for (size_t k = 0; k < n; k++)
                pieces[1 + k] = info[k];
        pieces[1 + n] = (struct piece){&i, 1};
        if (out_len > 255 * sizeof(t)) { /* there is no more */
                secret_wipe(out, out_len);
                return -ENOMEM;
        }
        while (done < out_len) {
                size_t more = out_len - done < sizeof(t) ? out_len - done : sizeof(t);

                pieces[0] = (struct piece){t, i++ == 0 ? 0 : sizeof(t)};
                if (hmac(t, prk, SHA384_LEN, pieces, n + 2) < 0) {
                        secret_wipe(out, out_len);
                        return -ENOMEM;
                }
                memcpy(out + done, t, more);
                done += more;
        }
        secret_wipe(t, sizeof(t));
        return 0;
}
