/* hkdf.h - SHA-384 and HKDF-SHA-384 (RFC 5869) over OpenSSL. Thread safe. */
#ifndef O7S_CRYPT_HKDF_H
#define O7S_CRYPT_HKDF_H

#include <stddef.h>
#include <stdint.h>

#define SHA384_LEN       48u
#define HKDF_INFO_PIECES 4u

/* One piece of what is hashed: pieces follow each other without anything between them. */
struct piece {
        const void *data;
        size_t      len;
};

/* 0 or -ENOMEM (OpenSSL failed, which it does for want of memory only). */
int sha384(uint8_t out[SHA384_LEN], const struct piece *pieces, size_t n);

/* Likewise. Whatever fails, @out is wiped. */
int hkdf_extract(uint8_t prk[SHA384_LEN], const uint8_t *salt, size_t salt_len, const uint8_t *ikm,
                 size_t ikm_len);

/*
 * Likewise; @info is the label and what follows it, at most HKDF_INFO_PIECES; @out_len is 1 to 255 * 48.
 */
int hkdf_expand(uint8_t *out, size_t out_len, const uint8_t prk[SHA384_LEN], const struct piece *info,
                size_t n);

#endif
