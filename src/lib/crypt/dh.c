/*
 * dh.c - both groups are driven by the same calls. A key starts from a template, which is made once: P-384's is the
 * curve without a key, X25519's some public key. To copy one costs a quarter of naming the curve.
 *
 * OpenSSL is told not to validate the peer's point when it agrees (EVP_PKEY_derive_set_peer_ex): it would multiply the
 * point by the order of the group, which costs two thirds of an agreement. What the decoder has checked (the first
 * byte here, coordinates below p and on the curve there) is a full validation, for the cofactor of P-384 is 1: every
 * point of the curve is of that order but infinity, which has no such encoding. X25519 takes any value; one of small
 * order shows as a result of zeros, which is refused.
 */
#include "crypt/dh.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "crypt/pkey.h"

#define UNCOMPRESSED 4

static const struct {
        size_t public_len;
        size_t secret_len;
        bool   point;
} groups[DH_N] = {
        [DH_P384]   = {97, 48, true},
        [DH_X25519] = {32, 32, false},
};

static EVP_PKEY *templates[DH_N]; /* NULL where there was no memory, or OpenSSL lacks it */

static EVP_PKEY *make_p384_template(void)
{
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
        EVP_PKEY     *key = NULL;

        if (ctx != NULL && EVP_PKEY_paramgen_init(ctx) == 1 && EVP_PKEY_CTX_set_group_name(ctx, "P-384") == 1)
                EVP_PKEY_paramgen(ctx, &key);
        EVP_PKEY_CTX_free(ctx);
        return key;
}

static EVP_PKEY *make_x25519_template(void)
{
        static const uint8_t base[32] = {9};

        return EVP_PKEY_new_raw_public_key_ex(NULL, "X25519", NULL, base, sizeof(base));
}

static void make_templates(void)
{
        templates[DH_P384]   = make_p384_template();
        templates[DH_X25519] = make_x25519_template();
        ERR_clear_error();
}

static EVP_PKEY *template_of(enum dh_group g)
{
        static pthread_once_t once = PTHREAD_ONCE_INIT;

        pthread_once(&once, make_templates);
        return templates[g];
}

size_t dh_public_len(enum dh_group g)
{
        return groups[g].public_len;
}

size_t dh_secret_len(enum dh_group g)
{
        return groups[g].secret_len;
}

EVP_PKEY *dh_make(enum dh_group g)
{
        EVP_PKEY *like = template_of(g);

        return like == NULL ? NULL : pkey_make(EVP_PKEY_CTX_new_from_pkey(NULL, like, NULL));
}

int dh_peer(enum dh_group g, const uint8_t *in, EVP_PKEY **peer)
{
        EVP_PKEY *like = template_of(g);
        EVP_PKEY *key;

        if (groups[g].point && in[0] != UNCOMPRESSED)
                return -EBADMSG;
        if (like == NULL || (key = EVP_PKEY_dup(like)) == NULL) {
                ERR_clear_error();
                return -ENOMEM;
        }
        if (EVP_PKEY_set1_encoded_public_key(key, in, groups[g].public_len) != 1) {
                EVP_PKEY_free(key);
                return pkey_fault();
        }
        *peer = key;
        return 0;
}

/* Whether it tells of a point of small order. On P-384 there is none, and 0 is an x-coordinate like any other. */
static bool is_small(enum dh_group g, const uint8_t *z)
{
        static const uint8_t zeros[DH_SECRET_MAX];

        return !groups[g].point && CRYPTO_memcmp(z, zeros, groups[g].secret_len) == 0;
}

static int derive(enum dh_group g, EVP_PKEY_CTX *ctx, EVP_PKEY *peer, uint8_t *z)
{
        size_t n = groups[g].secret_len;

        if (EVP_PKEY_derive_init(ctx) != 1 || EVP_PKEY_derive_set_peer_ex(ctx, peer, 0) != 1 ||
            EVP_PKEY_derive(ctx, z, &n) != 1)
                return pkey_fault();
        return n == groups[g].secret_len && !is_small(g, z) ? 0 : -EBADMSG;
}

int dh_agree(enum dh_group g, EVP_PKEY *own, EVP_PKEY *peer, uint8_t *z)
{
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, own, NULL);
        int           r   = ctx == NULL ? pkey_fault() : derive(g, ctx, peer, z);

        EVP_PKEY_CTX_free(ctx);
        if (r < 0)
                OPENSSL_cleanse(z, groups[g].secret_len);
        return r;
}
