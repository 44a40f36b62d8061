#include "crypt/kem.h"

#include <errno.h>

#include <openssl/crypto.h>

#include "crypt/pkey.h"

static const struct {
        const char *name; /* found when it runs: the same program serves OpenSSL with and without it */
        size_t      public_len;
        size_t      cipher_len;
} kems[KEM_N] = {
        [KEM_NONE] = {NULL, 0, 0},
        [KEM_768]  = {"ML-KEM-768", 1184, 1088},
        [KEM_1024] = {"ML-KEM-1024", 1568, 1568},
};

size_t kem_public_len(enum kem k)
{
        return kems[k].public_len;
}

size_t kem_cipher_len(enum kem k)
{
        return kems[k].cipher_len;
}

EVP_PKEY *kem_make(enum kem k)
{
        return k == KEM_NONE ? NULL : pkey_make(EVP_PKEY_CTX_new_from_name(NULL, kems[k].name, NULL));
}

static int encapsulate(EVP_PKEY_CTX *ctx, uint8_t *cipher, size_t cipher_len, uint8_t *secret)
{
        size_t n = cipher_len;
        size_t m = KEM_SECRET;

        if (EVP_PKEY_encapsulate_init(ctx, NULL) != 1 ||
            EVP_PKEY_encapsulate(ctx, cipher, &n, secret, &m) != 1)
                return pkey_fault();
        return n == cipher_len && m == KEM_SECRET ? 0 : -EBADMSG;
}

static int decapsulate(EVP_PKEY_CTX *ctx, const uint8_t *cipher, size_t cipher_len, uint8_t *secret)
{
        size_t m = KEM_SECRET;

        if (EVP_PKEY_decapsulate_init(ctx, NULL) != 1 ||
            EVP_PKEY_decapsulate(ctx, secret, &m, cipher, cipher_len) != 1)
                return pkey_fault();
        return m == KEM_SECRET ? 0 : -EBADMSG;
}

int kem_encapsulate(enum kem k, const uint8_t *public, uint8_t *cipher, uint8_t secret[KEM_SECRET])
{
        EVP_PKEY *key = EVP_PKEY_new_raw_public_key_ex(NULL, kems[k].name, NULL, public, kems[k].public_len);
        EVP_PKEY_CTX *ctx = key == NULL ? NULL : EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
        int           r   = ctx == NULL ? pkey_fault() : encapsulate(ctx, cipher, kems[k].cipher_len, secret);

        EVP_PKEY_CTX_free(ctx);
        EVP_PKEY_free(key);
        if (r < 0)
                OPENSSL_cleanse(secret, KEM_SECRET);
        return r;
}

int kem_decapsulate(enum kem k, EVP_PKEY *key, const uint8_t *cipher, uint8_t secret[KEM_SECRET])
{
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
        int           r   = ctx == NULL ? pkey_fault() : decapsulate(ctx, cipher, kems[k].cipher_len, secret);

        EVP_PKEY_CTX_free(ctx);
        if (r < 0)
                OPENSSL_cleanse(secret, KEM_SECRET);
        return r;
}
