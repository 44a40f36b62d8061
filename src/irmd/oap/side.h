/*
 * side.h - what the client's and the server's engine have in common: policy, credentials, the peer, secrets, facts.
 * Private to client.c and server.c.
 */
#ifndef O7S_IRMD_OAP_SIDE_H
#define O7S_IRMD_OAP_SIDE_H

#include "oap/oap.h"
#include "oap/schedule.h"

struct side_secrets {
        uint8_t         z[KEX_SECRET_MAX];
        size_t          z_len;
        struct schedule schedule;
        struct oap_keys keys;
};

struct side {
        enum role              peer_role;
        struct stance          stance;
        const struct creds    *creds; /* counted */
        const struct identity *identity;
        struct chains         *chains;
        char                   dst[256];
        uint8_t                qos[OAP_QOS_WIRE];
        bool                   bound;               /* the two hashes are there */
        uint8_t                ctx[SHA384_LEN];     /* of the context           */
        uint8_t                request[SHA384_LEN]; /* of the whole request     */
        struct side_secrets   *secret;              /* NULL once refused */
        struct leaf            peer;
        struct oap_facts       facts;
};

/* @s has role, stance and credentials; the rest is made here. False: out of memory, or the name is none. */
bool side_open(struct side *s, const struct oap_context *ctx);
void side_close(struct side *s); /* of whatever side_open() left behind */

/*
 * The hash of the context, which a plain handshake without signatures never needs; and, once the request is whole, both.
 * OAP_OK or OAP_INTERNAL.
 */
enum oap_reason side_context(struct side *s);
enum oap_reason side_bind(struct side *s, struct span request);

/* Whether our own credentials, anchors and policy can be used at all: the caller's stance alone is not believed. */
enum oap_reason side_usable(const struct side *s);

/* The end: notes @why, wipes the secrets, returns @why. */
enum oap_reason side_refuse(struct side *s, enum oap_reason why);

/* The keys are there: what led to them is wiped. */
void side_complete(struct side *s);

/* Chain, name (of a server), signature of @t. */
enum oap_reason side_verify(struct side *s, const struct oap_body *body, const struct signed_text *t,
                            int64_t wall_ns);

/* A message that is being written: header and key exchange value, body, and room for what follows. */
struct draft {
        uint8_t *p;
        size_t   head_len, len;
};

/* All but the signature; our certificates are in it when the stance says so. False: out of memory. */
bool draft_open(struct draft *d, const struct side *s, const struct oap_header *h, const uint8_t *kex,
                size_t kex_len, struct span data);
void draft_close(struct draft *d); /* wipes; takes an empty one */

struct span draft_head(const struct draft *d);
struct span draft_body(const struct draft *d); /* as far as it is written */

/* Puts the body sealed in the place of the clear one, which is wiped. False: out of memory. */
bool draft_seal(struct draft *d, const struct schedule *schedule);

/* Our signature of @t at the end. */
enum oap_reason draft_sign(struct draft *d, const struct side *s, const struct signed_text *t);

#endif
