/*
 * verified.h - chains that were verified, by a hash of everything that the verdict hangs on but time and name. Only good
 * verdicts are remembered; the oldest one makes room. Thread safe.
 */
#ifndef O7S_IRMD_OAP_VERIFIED_H
#define O7S_IRMD_OAP_VERIFIED_H

#include <openssl/x509.h>
#include <stdint.h>

#include "oap/chain.h"

struct verified_key {
        uint8_t sum[32];
};

/* The leaf of a chain that was verified and is valid at @wall_ns, for X509_free(), or NULL. */
X509 *chains_find(struct chains *c, const struct verified_key *key, int64_t wall_ns);

/* Remembers that the chain of @leaf is good in [@from_ns, @until_ns). Out of memory: it is not remembered. */
void chains_add(struct chains *c, const struct verified_key *key, X509 *leaf, int64_t from_ns,
                int64_t until_ns);

#endif
