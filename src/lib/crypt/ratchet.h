/*
 * ratchet.h - the keys of one direction of an encrypted flow, which follow each other, and the cipher of one
 * epoch.
 *
 *     secret_0 --next--> secret_1 --next--> secret_2 ...        secret_{e+1} = Expand(secret_e, "o7s v1 next")
 *        |                  |                  |
 *      record             record             record             key_e | iv_e = Expand(secret_e, "o7s v1 record")
 *        v                  v                  v
 *     epoch 0            epoch 1            epoch 2
 *
 * A ratchet stands at one secret and only walks on: a step yields the keys of an epoch and leaves the secret
 * of the next, so that it does not lead back to an epoch that is over. Part of the record layer (record.h).
 */
#ifndef O7S_CRYPT_RATCHET_H
#define O7S_CRYPT_RATCHET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypt/aead.h"
#include "crypt/record.h"

struct keys {
        uint8_t key[AEAD_KEY];
        uint8_t iv[AEAD_NONCE];
};

struct ratchet {
        uint8_t  secret[RECORD_SECRET];
        uint32_t epoch; /* that @secret is of */
};

/* The keys of the epoch that @r stands at, and on to the next; or -ENOMEM, and it stays. */
int ratchet_step(struct ratchet *r, struct keys *k);

/* Zeros: not usable. */
struct cipher {
        struct aead aead;
        uint8_t     iv[AEAD_NONCE];
};

bool cipher_usable(const struct cipher *c);

/* 0, or -ENOMEM: @c is not usable. */
int cipher_set(struct cipher *c, const struct keys *k, enum aead_use use);

/* Wipes it. */
void cipher_end(struct cipher *c);

/* Content and tag to behind the header, which is at @rec already. As aead_seal(). */
bool cipher_seal(const struct cipher *c, const void *in, size_t n, uint8_t *rec);

/* The @n bytes of content behind the header of @rec to @out. As aead_open(). */
bool cipher_open(const struct cipher *c, const uint8_t *rec, size_t n, uint8_t *out);

#endif
