#include "crypt/aead.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "crypt/secret.h"

static EVP_CIPHER *aes_256_gcm; /* NULL: OpenSSL could not */

static void fetch(void)
{
        aes_256_gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
}

int aead_set(struct aead *a, const uint8_t key[AEAD_KEY], enum aead_use use)
{
        static pthread_once_t once = PTHREAD_ONCE_INIT;

        pthread_once(&once, fetch);
        if (a->ctx == NULL)
                a->ctx = EVP_CIPHER_CTX_new();
        if (aes_256_gcm != NULL && a->ctx != NULL &&
            EVP_CipherInit_ex2(a->ctx, aes_256_gcm, key, NULL, use == AEAD_SEAL, NULL))
                return 0;
        aead_end(a);
        return -ENOMEM;
}

void aead_end(struct aead *a)
{
        EVP_CIPHER_CTX_free(a->ctx); /* wipes what it held */
        a->ctx = NULL;
}

/*
 * The tag as a parameter: given with the nonce, asked for at the end. EVP_CIPHER_CTX_ctrl() would build the
 * same each time, at 20 ns.
 */
static OSSL_PARAM tag_param(const uint8_t *tag)
{
        return OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, (void *)tag, AEAD_TAG);
}

/* Of a stream cipher the final calls have nothing left to write: they make and compare the tag. */
bool aead_seal(const struct aead *a, const uint8_t nonce[AEAD_NONCE], const void *aad, size_t aad_len,
               const void *in, size_t n, uint8_t *out)
{
        OSSL_PARAM tag[] = {tag_param(out + n), OSSL_PARAM_construct_end()};
        int        len;

        assert(a->ctx != NULL && n <= AEAD_TEXT_MAX && aad_len <= AEAD_TEXT_MAX);
        if (EVP_EncryptInit_ex2(a->ctx, NULL, NULL, nonce, NULL) &&
            EVP_EncryptUpdate(a->ctx, NULL, &len, aad, (int)aad_len) &&
            EVP_EncryptUpdate(a->ctx, out, &len, in, (int)n) && EVP_EncryptFinal_ex(a->ctx, out, &len) &&
            EVP_CIPHER_CTX_get_params(a->ctx, tag))
                return true;
        secret_wipe(out, n + AEAD_TAG);
        return false;
}

bool aead_open(const struct aead *a, const uint8_t nonce[AEAD_NONCE], const void *aad, size_t aad_len,
               const uint8_t *in, size_t n, void *out)
{
        OSSL_PARAM tag[] = {tag_param(in + n), OSSL_PARAM_construct_end()};
        int        len;

        assert(a->ctx != NULL && n <= AEAD_TEXT_MAX && aad_len <= AEAD_TEXT_MAX);
        if (EVP_DecryptInit_ex2(a->ctx, NULL, NULL, nonce, tag) &&
            EVP_DecryptUpdate(a->ctx, NULL, &len, aad, (int)aad_len) &&
            EVP_DecryptUpdate(a->ctx, out, &len, in, (int)n) && EVP_DecryptFinal_ex(a->ctx, out, &len))
                return true;
        secret_wipe(out, n);
        return false;
}
