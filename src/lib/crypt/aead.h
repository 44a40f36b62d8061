/*
 * aead.h - AES-256-GCM with nonces of 96 bits and whole tags, over OpenSSL. The key is set once, for one
 * direction; what uses it afterwards neither allocates nor looks anything up. One thread at a time may use a
 * key. Private memory only (crypt/record.h says why).
 */
#ifndef O7S_CRYPT_AEAD_H
#define O7S_CRYPT_AEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AEAD_KEY      32u
#define AEAD_NONCE    12u
#define AEAD_TAG      16u
#define AEAD_TEXT_MAX (UINT32_C(1) << 30)

struct evp_cipher_ctx_st;

enum aead_use { AEAD_OPEN = 0, AEAD_SEAL = 1 };

/* Zeros: without a key. The expanded key is on OpenSSL's heap. */
struct aead {
        struct evp_cipher_ctx_st *ctx;
};

/* Gives @a its key, in place of one that it may have. 0, or -ENOMEM: it has none. */
int aead_set(struct aead *a, const uint8_t key[AEAD_KEY], enum aead_use use);

/* Wipes the key; @a is without one. */
void aead_end(struct aead *a);

/*
 * Seals @n bytes, at most AEAD_TEXT_MAX: ciphertext and tag, @n + AEAD_TAG bytes, to @out, which does not
 * overlap @in. False: OpenSSL failed, and @out is wiped.
 */
bool aead_seal(const struct aead *a, const uint8_t nonce[AEAD_NONCE], const void *aad, size_t aad_len,
               const void *in, size_t n, uint8_t *out);

/*
 * Opens @n bytes of ciphertext and the tag behind them to @out, which has room for @n bytes and does not
 * overlap. False: the tag is wrong, and @out is wiped. Leaves OpenSSL's queue of errors as it was.
 */
bool aead_open(const struct aead *a, const uint8_t nonce[AEAD_NONCE], const void *aad, size_t aad_len,
               const uint8_t *in, size_t n, void *out);

#endif
