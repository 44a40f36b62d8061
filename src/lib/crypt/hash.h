/* hash.h - the hash functions that layers write names with (libgcrypt). */
#ifndef O7S_CRYPT_HASH_H
#define O7S_CRYPT_HASH_H

#include <stddef.h>
#include <stdint.h>

#include <ouroboros/ipcp.h>

#define HASH_MAX 64u

/* Bytes of a digest, or 0 for an unknown algorithm. */
size_t hash_len(enum hash_algo algo);

/* Writes hash_len(@algo) bytes to @out. The algorithm must be known. */
void hash_sum(enum hash_algo algo, const void *data, size_t len, uint8_t out[HASH_MAX]);

#endif
