/*
 * kem.h - ML-KEM (FIPS 203) for kex.c, where the OpenSSL that runs has it (3.5 and later; suite_available()).
 * Thread safe.
 */
#ifndef O7S_CRYPT_KEM_H
#define O7S_CRYPT_KEM_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>

#define KEM_PUBLIC_MAX 1568u
#define KEM_SECRET     32u

enum kem { KEM_NONE, KEM_768, KEM_1024, KEM_N };

size_t kem_public_len(enum kem k); /* encapsulation key; 0 of KEM_NONE */
size_t kem_cipher_len(enum kem k); /* ciphertext; likewise */

/* A new key pair, the caller's. NULL: out of memory, OpenSSL lacks it, or KEM_NONE. */
EVP_PKEY *kem_make(enum kem k);

/*
 * Makes a secret for the owner of the encapsulation key @public, which is checked (FIPS 203 section 7.2), and its
 * ciphertext. 0, -EBADMSG (not such a key) or -ENOMEM; then @secret is wiped.
 */
int kem_encapsulate(enum kem k, const uint8_t *public, uint8_t *cipher, uint8_t secret[KEM_SECRET]);

/*
 * The secret in @cipher. An altered ciphertext gives another secret, not an error. 0, -EBADMSG or -ENOMEM; then
 * @secret is wiped.
 */
int kem_decapsulate(enum kem k, EVP_PKEY *key, const uint8_t *cipher, uint8_t secret[KEM_SECRET]);

#endif
