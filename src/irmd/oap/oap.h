/*
 * oap.h - the two engines of OAP (doc/protocols/oap.md): a client's and a server's handshake, one object each, pure:
 * message, time, randomness, credentials and policy in; message, result and reason out. The caller says which thread a
 * step runs on; steps of one object never overlap, but for oap_server_agree() and oap_server_sign().
 *
 *     client    oap_client_create -> oap_client_request* -> (the layer) -> oap_client_response*
 *
 *     server    oap_server_create -> oap_server_begin    length, header, policy, clock, replay look-up
 *                                 -> oap_server_verify*  chain, name, signature
 *                                 -> oap_server_admit    allow and deny, replay test and set
 *                                 -> oap_server_agree*   ECDH, in parallel with
 *                                    oap_server_sign*    once the server's data is known
 *                                 -> oap_server_respond  seals
 *
 * Steps with * do public-key work; oap_*_is_light() says that of this handshake they do none.
 */
#ifndef O7S_IRMD_OAP_OAP_H
#define O7S_IRMD_OAP_OAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypt/kex.h"
#include "crypt/record.h"
#include "oap/chain.h"
#include "oap/creds.h"
#include "oap/message.h"
#include "oap/reason.h"
#include "oap/replay.h"
#include "oap/rule.h"

#define OAP_QOS_WIRE 30u /* bytes of a QoS specification in its wire form: its fields in order, big-endian */

/* What both sides know of the flow without being told by OAP. */
struct oap_context {
        const char *dst;               /* destination name, 1 to 255 bytes */
        uint8_t     qos[OAP_QOS_WIRE]; /* as the client asked for it       */
};

/* What a completed handshake gives. Wiped by oap_keys_wipe(). */
struct oap_keys {
        enum suite suite;
        uint8_t    c2s[RECORD_SECRET], s2c[RECORD_SECRET]; /* zeros with the plain suite */
};

void oap_keys_wipe(struct oap_keys *k);

/* Facts for the log; valid as far as the handshake came. */
struct oap_facts {
        uint8_t         id[OAP_ID];
        enum suite      suite;
        bool            authenticated; /* the peer has signed, and was verified  */
        bool            signed_;       /* we have                                */
        int64_t         peer_clock_ns; /* of the request, at the server          */
        enum oap_reason reason;
        char            detail[256]; /* more about the reason, in words, or "" */
};

struct oap_client;
struct oap_server;

/*
 * Everything is borrowed for the life of the object but @creds (counted), @dst and @data (copied). @kex is taken: a
 * client's key pair of the stance's suite, NULL with the plain one. @id: 16 random bytes. @identity may be NULL when
 * the stance does not sign.
 */
struct oap_client_conf {
        struct oap_context     ctx;
        struct stance          stance;
        const struct creds    *creds;
        const struct identity *identity;
        struct chains         *chains;
        struct kex            *kex;
        const uint8_t         *id;
        const uint8_t         *data;
        size_t                 data_len;
};

/* NULL: out of memory (the key pair is destroyed). */
struct oap_client *oap_client_create(const struct oap_client_conf *conf);
void               oap_client_destroy(struct oap_client *c); /* takes NULL; wipes */
bool               oap_client_is_light(const struct oap_client *c);

/* Before the request, if none was given at the start: @kex is taken. */
void oap_client_give_kex(struct oap_client *c, struct kex *kex);

/* The request at @wall_ns, of the object. */
enum oap_reason oap_client_request(struct oap_client *c, int64_t wall_ns, struct span *request);

/* The one response. The ephemeral key is wiped, right or wrong. */
enum oap_reason oap_client_response(struct oap_client *c, const uint8_t *msg, size_t len, int64_t wall_ns);

/* After success. The data and the peer are of the object. */
const struct oap_keys  *oap_client_keys(const struct oap_client *c);
struct span             oap_client_data(const struct oap_client *c);
const struct leaf      *oap_client_peer(const struct oap_client *c); /* NULL: not authenticated */
const struct oap_facts *oap_client_facts(const struct oap_client *c);

struct oap_server_conf {
        struct oap_context     ctx;
        struct stance          stance;
        const struct creds    *creds;
        const struct identity *identity;
        struct chains         *chains;
        const char            *kernel; /* "uid:N" where the kernel vouches for the peer, else NULL; copied */
};

struct oap_server *oap_server_create(const struct oap_server_conf *conf);
void               oap_server_destroy(struct oap_server *s);

enum oap_reason oap_server_begin(struct oap_server *s, const uint8_t *msg, size_t len, struct replay *replay,
                                 int64_t skew_ns, int64_t wall_ns);
bool            oap_server_is_light(const struct oap_server *s); /* after begin */
enum oap_reason oap_server_verify(struct oap_server *s, int64_t wall_ns);

/* *@keep_ns as replay_add(). */
enum oap_reason oap_server_admit(struct oap_server *s, struct replay *replay, int64_t wall_ns,
                                 int64_t *keep_ns);

/*
 * Once admitted. @kex is taken: a server's key pair of the request's suite (oap_server_facts()), NULL with the plain
 * one. The request's value is checked here. Then agree and sign, in any order or at once: so neither writes to the facts
 * what it returns, respond does.
 */
enum oap_reason oap_server_give_kex(struct oap_server *s, struct kex *kex);
enum oap_reason oap_server_agree(struct oap_server *s);

/* @wall_ns: the response's timestamp; @data is copied. */
enum oap_reason oap_server_sign(struct oap_server *s, const uint8_t *data, size_t data_len, int64_t wall_ns);
enum oap_reason oap_server_respond(struct oap_server *s, struct span *response);

const struct oap_keys *oap_server_keys(const struct oap_server *s);
struct span            oap_server_data(const struct oap_server *s); /* the client's first data, after admit */
const struct leaf     *oap_server_peer(const struct oap_server *s);
const struct oap_facts *oap_server_facts(const struct oap_server *s);

#endif
