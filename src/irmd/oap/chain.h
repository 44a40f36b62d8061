/*
 * chain.h - verification of the certificates that a peer presents: to the anchors of its role, not revoked, fit for
 * the purpose, and who they say it is. Pure but for the memory of chains that were verified (a cache, thread safe).
 */
#ifndef O7S_IRMD_OAP_CHAIN_H
#define O7S_IRMD_OAP_CHAIN_H

#include <openssl/x509.h>
#include <stddef.h>
#include <stdint.h>

#include "oap/creds.h"
#include "oap/message.h"
#include "oap/reason.h"

#define CHAIN_IDENTITY_MAX 256u
#define CHAIN_NAMES_MAX    32u

/* Who a leaf says it is. */
struct leaf {
        EVP_PKEY *key;                          /* owned */
        uint8_t   fingerprint[32];              /* SHA-256 of the leaf's DER */
        char      identity[CHAIN_IDENTITY_MAX]; /* typed: "dns:a.example" …; "" for a server */
        char    **names;                        /* all typed names of the leaf; owned */
        size_t    n_names;
        char      serial[64];   /* hexadecimal, for the log */
        char      subject[256]; /* RFC 2253, for the log    */
};

void leaf_clear(struct leaf *l);

struct chains; /* verified chains: by hash of the certificates, snapshot and role; until validity or a day ends */

struct chains *chains_create(size_t max);        /* NULL: out of memory */
void           chains_destroy(struct chains *c); /* takes NULL */

/*
 * Verifies what @body carries for a peer in role @peer at @wall_ns (ns since 1970). A server's leaf must be for
 * @name (NULL for a client, whose identity is found instead). @chains may be NULL. OAP_OK and *@leaf, for
 * leaf_clear(), or why not; then @detail (size @detail_size, may be NULL) says more in words.
 */
enum oap_reason chain_verify(const struct creds *c, struct chains *chains, enum role peer,
                             const struct oap_body *body, const char *name, int64_t wall_ns,
                             struct leaf *leaf, char *detail, size_t detail_size);

/* The name rule by itself: whether @leaf is for @name, byte for byte. OAP_OK or OAP_WRONG_NAME. */
enum oap_reason chain_check_name(X509 *leaf, const char *name);

/* Identity and typed names of a client's leaf. OAP_OK or OAP_BAD_IDENTITY. */
enum oap_reason chain_identity(X509 *leaf, struct leaf *out);

/* Key types and sizes that may sign at all: OAP_OK or OAP_WEAK_KEY. */
enum oap_reason chain_key_ok(EVP_PKEY *key);

#endif
