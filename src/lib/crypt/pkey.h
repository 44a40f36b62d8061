/* pkey.h - what dh.c and kem.c both do with OpenSSL's keys. Thread safe. */
#ifndef O7S_CRYPT_PKEY_H
#define O7S_CRYPT_PKEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>

/* A new key pair of the kind that @ctx (consumed; NULL: there was no memory for it) is for. NULL: out of memory. */
EVP_PKEY *pkey_make(EVP_PKEY_CTX *ctx);

/* The public half of @key to @out. False: it has not @len bytes. */
bool pkey_encode(EVP_PKEY *key, uint8_t *out, size_t len);

/*
 * Why OpenSSL failed at something that another sent: -ENOMEM, or -EBADMSG, it did not like what it was given.
 * Empties the error queue.
 */
int pkey_fault(void);

#endif
