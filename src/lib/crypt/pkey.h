/* pkey.h - what dh.c and kem.c both do with OpenSSL's keys. Thread safe. */
#ifndef O7S_CRYPT_PKEY_H
#define O7S_CRYPT_PKEY_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>

/*
 * A new key pair of the kind that @ctx (consumed; NULL: there was no memory for it) is for, and its public half,
 * which must have @len bytes, to @out. NULL: out of memory.
 */
EVP_PKEY *pkey_make(EVP_PKEY_CTX *ctx, uint8_t *out, size_t len);

/*
 * Why OpenSSL failed at something that another sent: -ENOMEM, or -EBADMSG, it did not like what it was given.
 * Empties the error queue.
 */
int pkey_fault(void);

#endif
