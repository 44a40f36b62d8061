/*
 * schedule.h - what OAP hashes, signs and derives (doc/protocols/oap.md "What is signed" and "Key schedule"). The
 * order of every concatenation of the protocol is written down here and nowhere else. Thread safe.
 *
 * All return 0 or -ENOMEM, unless they say more.
 */
#ifndef O7S_IRMD_OAP_SCHEDULE_H
#define O7S_IRMD_OAP_SCHEDULE_H

#include <stddef.h>
#include <stdint.h>

#include "crypt/aead.h"
#include "crypt/hkdf.h"
#include "oap/message.h"
#include "oap/oap.h"

#define SCHEDULE_TAG AEAD_TAG /* bytes that sealing adds */

/* SHA-384(length of the name | name | QoS). -EINVAL: the name is empty or too long. */
int schedule_context(uint8_t out[SHA384_LEN], const struct oap_context *ctx);

/* What a side signs: nothing in it is secret. */
struct signed_text {
        uint8_t bytes[24 + 3 * SHA384_LEN]; /* label with its zero, hashes */
        size_t  len;
};

/* @request: up to, not including, the signature. */
int schedule_client_text(struct signed_text *t, const uint8_t ctx[SHA384_LEN], struct span request);

/*
 * @request: hash of the whole request. @head: header and key exchange value of the response, @body: its body in clear up
 * to, not including, the signature.
 */
int schedule_server_text(struct signed_text *t, const uint8_t ctx[SHA384_LEN],
                         const uint8_t request[SHA384_LEN], struct span head, struct span body);

/* Under what name the replay cache knows the request that @t was signed for. */
int schedule_replay_key(const struct signed_text *t, uint8_t key[REPLAY_KEY]);

/* Keys between the agreed secret and the keys of the flow. Wiped by its owner. */
struct schedule {
        uint8_t th1[SHA384_LEN];
        uint8_t prk[SHA384_LEN];
        uint8_t reply[AEAD_KEY + AEAD_NONCE];
};

/* @head: header and key exchange value of the response. */
int schedule_begin(struct schedule *s, const uint8_t ctx[SHA384_LEN], const uint8_t request[SHA384_LEN],
                   struct span head, const uint8_t *z, size_t z_len);

/* Seals to @out, which has room for @body.len + SCHEDULE_TAG and does not overlap. Once per schedule. */
int schedule_seal(const struct schedule *s, struct span head, struct span body, uint8_t *out);

/* Opens to @out, which has room for @sealed.len - SCHEDULE_TAG. -EBADMSG: @out is wiped. */
int schedule_open(const struct schedule *s, struct span head, struct span sealed, uint8_t *out);

/* The keys of the flow, with the response's body in clear. */
int schedule_finish(const struct schedule *s, struct span body, struct oap_keys *keys);

#endif
