/* keys.h - OpenSSL keys of given numbers, for tests. NULL: OpenSSL lacks the kind; anything else fails the test. */
#ifndef UNIT_KEYS_H
#define UNIT_KEYS_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>

/* Big-endian scalar, uncompressed point (NULL: without). */
EVP_PKEY *keys_p384(const uint8_t private[48], const uint8_t public[97]);
EVP_PKEY *keys_x25519(const uint8_t private[32]);

/* "ML-KEM-768" or "ML-KEM-1024", of d | z. */
EVP_PKEY *keys_mlkem(const char *name, const uint8_t seed[64]);

/* A public key in SubjectPublicKeyInfo. */
EVP_PKEY *keys_public(const uint8_t *der, size_t len);

#endif
