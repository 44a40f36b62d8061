/*
 * sign.h - signatures by the key of a certificate: ECDSA with SHA-384 (DER), RSA-PSS with SHA-384 (MGF1-SHA-384, salt
 * 48), Ed25519 and Ed448 pure, ML-DSA pure where OpenSSL has it. Thread safe.
 */
#ifndef O7S_IRMD_OAP_SIGN_H
#define O7S_IRMD_OAP_SIGN_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIGN_MAX 8192u /* bytes of a signature */

/*
 * Whether a key is of a type and size that may sign: RSA and RSA-PSS of 2048 to 8192 bits, EC on P-256, P-384 or P-521
 * by name, Ed25519, Ed448, ML-DSA. Neither signs nor verifies with any other.
 */
bool sign_key_fits(EVP_PKEY *key);

/* Returns the length of the signature of @msg, at most SIGN_MAX, or -EINVAL (a key that may not sign), -ENOMEM. */
int sign_make(EVP_PKEY *key, const uint8_t *msg, size_t len, uint8_t out[SIGN_MAX]);

bool sign_verify(EVP_PKEY *key, const uint8_t *msg, size_t len, const uint8_t *sig, size_t sig_len);

/* Likewise with another digest, where the scheme has one: published test vectors have theirs. */
bool sign_verify_with(EVP_PKEY *key, const char *digest, const uint8_t *msg, size_t len, const uint8_t *sig,
                      size_t sig_len);

#endif
