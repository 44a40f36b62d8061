/*
 * sign.c - the signature scheme follows from the type of the key; there is one for each, so nothing is
 * negotiated and no signature can pass under another scheme.
 */
#include "oap/sign.h"

#include <errno.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>

#define DIGEST       "SHA2-384"
#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 8192

static bool fits_rsa(EVP_PKEY *key)
{
        int bits = EVP_PKEY_get_bits(key);

        return bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX;
}

/* Named curves by name: one that is spelled out in parameters may have a generator of its maker's choice. */
static bool fits_ec(EVP_PKEY *key)
{
        static const char *const curves[] = {"prime256v1", "secp384r1", "secp521r1"};
        char                     name[32];
        int                      spelled_out = 0;

        if (EVP_PKEY_get_group_name(key, name, sizeof(name), NULL) != 1)
                return false;
        if (EVP_PKEY_get_int_param(key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &spelled_out) == 1 &&
            spelled_out != 0)
                return false;
        for (size_t i = 0; i < sizeof(curves) / sizeof(*curves); i++) {
                if (strcmp(name, curves[i]) == 0)
                        return true;
        }
        return false;
}

static bool fits_always(EVP_PKEY *key)
{
        (void)key;
        return true;
}

enum padding { PADDING_NONE, PADDING_PSS };

/* A row for each type of key. */
static const struct scheme {
        const char  *type;
        bool         digest; /* hashes first, or signs the message as it is */
        enum padding padding;
        bool (*fits)(EVP_PKEY *key);
} schemes[] = {
        {"EC", true, PADDING_NONE, fits_ec},
        {"RSA", true, PADDING_PSS, fits_rsa},
        {"RSA-PSS", true, PADDING_PSS, fits_rsa},
        {"ED25519", false, PADDING_NONE, fits_always},
        {"ED448", false, PADDING_NONE, fits_always},
        {"ML-DSA-44", false, PADDING_NONE, fits_always},
        {"ML-DSA-65", false, PADDING_NONE, fits_always},
        {"ML-DSA-87", false, PADDING_NONE, fits_always},
};

static const struct scheme *scheme_of(EVP_PKEY *key)
{
        for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++) {
                if (EVP_PKEY_is_a(key, schemes[i].type))
                        return schemes[i].fits(key) ? &schemes[i] : NULL;
        }
        return NULL;
}

bool sign_key_fits(EVP_PKEY *key)
{
        bool fits = scheme_of(key) != NULL;

        ERR_clear_error();
        return fits;
}

/* OpenSSL's parameters are not const, and are only read. */
static OSSL_PARAM text(const char *key, const char *value)
{
        return OSSL_PARAM_construct_utf8_string(key, (char *)value, 0);
}

typedef int init_fn(EVP_MD_CTX *ctx, EVP_PKEY_CTX **pctx, const char *digest, OSSL_LIB_CTX *lib,
                    const char *query, EVP_PKEY *key, const OSSL_PARAM params[]);

/* A context that @init (to sign or to verify) has prepared. NULL and OpenSSL's reason. */
static EVP_MD_CTX *prepare(const struct scheme *s, EVP_PKEY *key, const char *digest, init_fn *init)
{
        const OSSL_PARAM pss[] = {
                text(OSSL_SIGNATURE_PARAM_PAD_MODE, OSSL_PKEY_RSA_PAD_MODE_PSS),
                text(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, digest),
                text(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST),
                OSSL_PARAM_construct_end(),
        };
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();

        if (ctx != NULL && init(ctx, NULL, s->digest ? digest : NULL, NULL, NULL, key,
                                s->padding == PADDING_PSS ? pss : NULL) != 1) {
                EVP_MD_CTX_free(ctx);
                ctx = NULL;
        }
        return ctx;
}

static int fault(void)
{
        int reason = ERR_GET_REASON(ERR_peek_last_error());

        ERR_clear_error();
        return reason == ERR_R_MALLOC_FAILURE ? -ENOMEM : -EINVAL;
}

int sign_make(EVP_PKEY *key, const uint8_t *msg, size_t len, uint8_t out[SIGN_MAX])
{
        const struct scheme *s   = scheme_of(key);
        EVP_MD_CTX          *ctx = s == NULL ? NULL : prepare(s, key, DIGEST, EVP_DigestSignInit_ex);
        size_t               n   = SIGN_MAX;
        bool                 ok  = ctx != NULL && EVP_DigestSign(ctx, out, &n, msg, len) == 1;

        EVP_MD_CTX_free(ctx);
        return ok ? (int)n : fault();
}

bool sign_verify_with(EVP_PKEY *key, const char *digest, const uint8_t *msg, size_t len, const uint8_t *sig,
                      size_t sig_len)
{
        const struct scheme *s   = scheme_of(key);
        EVP_MD_CTX          *ctx = s == NULL ? NULL : prepare(s, key, digest, EVP_DigestVerifyInit_ex);
        bool                 ok  = ctx != NULL && EVP_DigestVerify(ctx, sig, sig_len, msg, len) == 1;

        EVP_MD_CTX_free(ctx);
        ERR_clear_error();
        return ok;
}

bool sign_verify(EVP_PKEY *key, const uint8_t *msg, size_t len, const uint8_t *sig, size_t sig_len)
{
        return sign_verify_with(key, DIGEST, msg, len, sig, sig_len);
}
