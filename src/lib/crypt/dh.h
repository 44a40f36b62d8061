/*
 * dh.h - Diffie-Hellman over P-384 and X25519 for kex.c: key pairs, what travels of them, what two agree on.
 * Thread safe.
 */
#ifndef O7S_CRYPT_DH_H
#define O7S_CRYPT_DH_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>

#define DH_PUBLIC_MAX 97u
#define DH_SECRET_MAX 48u

enum dh_group { DH_P384, DH_X25519, DH_N };

size_t dh_public_len(enum dh_group g); /* uncompressed point, or X25519 value */
size_t dh_secret_len(enum dh_group g); /* x-coordinate, padded on the left, or X25519 result */

/* A new key pair, the caller's. NULL: out of memory. */
EVP_PKEY *dh_make(enum dh_group g);

/*
 * Another's public half from dh_public_len() bytes. 0 and *@peer, the caller's; -EBADMSG: not an uncompressed
 * point of the curve; -ENOMEM.
 */
int dh_peer(enum dh_group g, const uint8_t *in, EVP_PKEY **peer);

/* dh_secret_len() bytes to @z. 0, -EBADMSG (X25519: all zeros) or -ENOMEM; then @z is wiped. */
int dh_agree(enum dh_group g, EVP_PKEY *own, EVP_PKEY *peer, uint8_t *z);

#endif
