#include "crypt/kex.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <openssl/crypto.h>

#include "crypt/dh.h"
#include "crypt/kem.h"
#include "crypt/pkey.h"

static const struct scheme {
        enum dh_group dh;
        enum kem      kem;
} schemes[SUITE_N] = {
        [SUITE_P384]            = {DH_P384, KEM_NONE},
        [SUITE_P384_MLKEM1024]  = {DH_P384, KEM_1024},
        [SUITE_X25519]          = {DH_X25519, KEM_NONE},
        [SUITE_X25519_MLKEM768] = {DH_X25519, KEM_768},
};

struct kex {
        enum suite    suite;
        struct scheme scheme;
        bool          client;
        EVP_PKEY     *own;                    /* NULL once used */
        EVP_PKEY     *kem;                    /* likewise; a client's, where the suite has one */
        EVP_PKEY     *peer;                   /* from a good request or response until Z is made */
        uint8_t       kem_secret[KEM_SECRET]; /* likewise */
        uint8_t public[KEX_PUBLIC_MAX];       /* a client's request; of a server the part of @own */
};

static bool has_keys(enum suite s)
{
        return s > SUITE_PLAIN && s < SUITE_N;
}

size_t kex_request_len(enum suite s)
{
        return has_keys(s) ? dh_public_len(schemes[s].dh) + kem_public_len(schemes[s].kem) : 0;
}

size_t kex_response_len(enum suite s)
{
        return has_keys(s) ? dh_public_len(schemes[s].dh) + kem_cipher_len(schemes[s].kem) : 0;
}

static bool encode(struct kex *k)
{
        const struct scheme *s = &k->scheme;
        size_t               n = dh_public_len(s->dh);

        if (k->own == NULL || !pkey_encode(k->own, k->public, n))
                return false;
        if (s->kem == KEM_NONE || !k->client)
                return k->kem == NULL;
        return k->kem != NULL && pkey_encode(k->kem, k->public + n, kem_public_len(s->kem));
}

static struct kex *create(enum suite s, bool client, EVP_PKEY *own, EVP_PKEY *kem)
{
        struct kex *k = has_keys(s) ? OPENSSL_zalloc(sizeof(*k)) : NULL;

        if (k == NULL) {
                EVP_PKEY_free(own);
                EVP_PKEY_free(kem);
                return NULL;
        }
        *k = (struct kex){.suite = s, .scheme = schemes[s], .client = client, .own = own, .kem = kem};
        if (!encode(k)) {
                kex_destroy(k);
                return NULL;
        }
        return k;
}

struct kex *kex_client(enum suite s)
{
        if (!has_keys(s) || !suite_available(s))
                return NULL;
        return create(s, true, dh_make(schemes[s].dh), kem_make(schemes[s].kem));
}

struct kex *kex_server(enum suite s)
{
        if (!has_keys(s) || !suite_available(s))
                return NULL;
        return create(s, false, dh_make(schemes[s].dh), NULL);
}

struct kex *kex_client_of(enum suite s, EVP_PKEY *own, EVP_PKEY *kem)
{
        return create(s, true, own, kem);
}

struct kex *kex_server_of(enum suite s, EVP_PKEY *own)
{
        return create(s, false, own, NULL);
}

/* OpenSSL wipes private keys when it frees them. */
static void drop_keys(struct kex *k)
{
        EVP_PKEY_free(k->own);
        EVP_PKEY_free(k->kem);
        EVP_PKEY_free(k->peer);
        k->own = k->kem = k->peer = NULL;
        OPENSSL_cleanse(k->kem_secret, sizeof(k->kem_secret));
}

void kex_destroy(struct kex *k)
{
        if (k == NULL)
                return;
        drop_keys(k);
        OPENSSL_clear_free(k, sizeof(*k));
}

enum suite kex_suite(const struct kex *k)
{
        return k->suite;
}

void kex_request(const struct kex *k, uint8_t *out)
{
        assert(k->client);
        memcpy(out, k->public, kex_request_len(k->suite));
}

int kex_answer(struct kex *k, const uint8_t *request, size_t len, uint8_t *response)
{
        const struct scheme *s = &k->scheme;
        size_t               n = dh_public_len(s->dh);
        int                  r;

        assert(!k->client);
        if (k->own == NULL || k->peer != NULL || len != kex_request_len(k->suite))
                return -EBADMSG;
        r = dh_peer(s->dh, request, &k->peer);
        if (r == 0 && s->kem != KEM_NONE)
                r = kem_encapsulate(s->kem, request + n, response + n, k->kem_secret);
        if (r < 0)
                drop_keys(k);
        else
                memcpy(response, k->public, n);
        return r;
}

/* Puts Z together. Returns its length. */
static int put_together(const struct kex *k, uint8_t z[KEX_SECRET_MAX])
{
        size_t n = dh_secret_len(k->scheme.dh);
        int    r = dh_agree(k->scheme.dh, k->own, k->peer, z);

        if (r < 0)
                return r;
        if (k->scheme.kem == KEM_NONE)
                return (int)n;
        memcpy(z + n, k->kem_secret, KEM_SECRET);
        return (int)(n + KEM_SECRET);
}

int kex_answer_secret(struct kex *k, uint8_t z[KEX_SECRET_MAX])
{
        int r = -EBADMSG;

        assert(!k->client);
        if (k->peer != NULL)
                r = put_together(k, z);
        drop_keys(k);
        if (r < 0)
                OPENSSL_cleanse(z, KEX_SECRET_MAX);
        return r;
}

static int finish(struct kex *k, const uint8_t *response, size_t len, uint8_t z[KEX_SECRET_MAX])
{
        const struct scheme *s = &k->scheme;
        int                  r;

        if (k->own == NULL || len != kex_response_len(k->suite))
                return -EBADMSG;
        r = dh_peer(s->dh, response, &k->peer);
        if (r == 0 && s->kem != KEM_NONE)
                r = kem_decapsulate(s->kem, k->kem, response + dh_public_len(s->dh), k->kem_secret);
        return r < 0 ? r : put_together(k, z);
}

int kex_finish(struct kex *k, const uint8_t *response, size_t len, uint8_t z[KEX_SECRET_MAX])
{
        int r;

        assert(k->client);
        r = finish(k, response, len, z);
        drop_keys(k);
        if (r < 0)
                OPENSSL_cleanse(z, KEX_SECRET_MAX);
        return r;
}
