#include "crypt/ratchet.h"

#include <string.h>

#include "crypt/hkdf.h"
#include "crypt/secret.h"

static int expand(const struct ratchet *r, const char *label, void *out, size_t len)
{
        struct piece info = {label, strlen(label)};

        return hkdf_expand(out, len, r->secret, &info, 1);
}

int ratchet_step(struct ratchet *r, struct keys *k)
{
        uint8_t next[RECORD_SECRET];
        int     e = expand(r, "o7s v1 record", k, sizeof(*k));

        if (e == 0)
                e = expand(r, "o7s v1 next", next, sizeof(next));
        if (e == 0) {
                memcpy(r->secret, next, sizeof(next));
                r->epoch++;
        } else {
                secret_wipe(k, sizeof(*k));
        }
        secret_wipe(next, sizeof(next));
        return e;
}

bool cipher_usable(const struct cipher *c)
{
        return c->aead.ctx != NULL;
}

int cipher_set(struct cipher *c, const struct keys *k, enum aead_use use)
{
        memcpy(c->iv, k->iv, sizeof(c->iv));
        return aead_set(&c->aead, k->key, use);
}

void cipher_end(struct cipher *c)
{
        aead_end(&c->aead);
        secret_wipe(c, sizeof(*c));
}

/* iv XOR (0^32 | header) */
static void nonce_make(uint8_t nonce[AEAD_NONCE], const struct cipher *c, const uint8_t hdr[RECORD_HDR])
{
        memcpy(nonce, c->iv, AEAD_NONCE);
        for (size_t i = 0; i < RECORD_HDR; i++)
                nonce[AEAD_NONCE - RECORD_HDR + i] ^= hdr[i];
}

bool cipher_seal(const struct cipher *c, const void *in, size_t n, uint8_t *rec)
{
        uint8_t nonce[AEAD_NONCE];

        nonce_make(nonce, c, rec);
        return aead_seal(&c->aead, nonce, rec, RECORD_HDR, in, n, rec + RECORD_HDR);
}

bool cipher_open(const struct cipher *c, const uint8_t *rec, size_t n, uint8_t *out)
{
        uint8_t nonce[AEAD_NONCE];

        nonce_make(nonce, c, rec);
        return aead_open(&c->aead, nonce, rec, RECORD_HDR, rec + RECORD_HDR, n, out);
}
