/*
 * kex.h - key exchange of the suites (suite.h): ephemeral keys, what travels of them, the shared secret Z.
 *
 *     suite            request                                       response
 *     p384             uncompressed point 97                         97
 *     p384-mlkem1024   97 + encapsulation key 1568                   97 + ciphertext 1568
 *     x25519           32                                            32
 *     x25519-mlkem768  32 + 1184                                     32 + 1088
 *
 *     Z = ECDH x-coordinate (48 bytes, left-padded) or X25519 result (32) [ | ML-KEM secret (32) ]
 *
 * What comes from outside is checked here: first byte of a point 4, coordinates below p, on the curve; an
 * all-zero X25519 result is refused; ML-KEM keys pass the modulus check (FIPS 203 section 7.2).
 * Different objects may be used by different threads at once.
 */
#ifndef O7S_CRYPT_KEX_H
#define O7S_CRYPT_KEX_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>

#include "crypt/suite.h"

#define KEX_PUBLIC_MAX (97u + 1568u)
#define KEX_SECRET_MAX (48u + 32u)

struct kex; /* an ephemeral key pair, used once */

/* What travels in a request and in a response; 0 for the plain suite. */
size_t kex_request_len(enum suite s);
size_t kex_response_len(enum suite s);

/* A client's key pair. NULL: out of memory, or the suite is not available. */
struct kex *kex_client(enum suite s);

/* A server's: without the part of the KEM, which is made in the answer. */
struct kex *kex_server(enum suite s);

/*
 * Likewise of keys that are there already: for known answers. They are taken over, and freed where the result is NULL
 * (they may also be of another suite); @kem is NULL where the suite has no KEM.
 */
struct kex *kex_client_of(enum suite s, EVP_PKEY *own, EVP_PKEY *kem);
struct kex *kex_server_of(enum suite s, EVP_PKEY *own);

/* Wipes and frees. Takes NULL. */
void kex_destroy(struct kex *k);

enum suite kex_suite(const struct kex *k);

/* A client's public part, kex_request_len() bytes to @out. */
void kex_request(const struct kex *k, uint8_t *out);

/*
 * The server's turn, once: checks the client's @request and writes kex_response_len() bytes to @response (with a KEM it
 * encapsulates). 0, -EBADMSG (the request's value is not acceptable) or -ENOMEM.
 */
int kex_answer(struct kex *k, const uint8_t *request, size_t len, uint8_t *response);

/*
 * Then, when it suits, the dear part: the secret. Returns its length, -EBADMSG (also when there is no answer, or the
 * secret was given before) or -ENOMEM; @z is wiped on failure, and the private key is gone either way.
 */
int kex_answer_secret(struct kex *k, uint8_t z[KEX_SECRET_MAX]);

/* The client's turn, once, with the server's @response: likewise. */
int kex_finish(struct kex *k, const uint8_t *response, size_t len, uint8_t z[KEX_SECRET_MAX]);

#endif
