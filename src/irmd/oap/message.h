/*
 * message.h - the two messages of OAP as bytes: layout, checks of form, nothing else.
 *
 *     off size field
 *       0   1  version      1
 *       1   1  type         1 request, 2 response
 *       2   1  suite        suite.h
 *       3   1  flags        bit 0 AUTH: certificates and signature present
 *       4  16  id           random, drawn by the client, repeated in the response
 *      20   8  timestamp    ns since 1970 UTC at the sender
 *      28   2  kex_len      as the suite and type say
 *      30   2  0
 *      32   -  kex
 *       -   -  body         request: in clear; response with suite != 0: sealed, 16-byte tag last
 *
 *     body:  u16 certs_len | u16 data_len | certs | data | sig (the rest)
 *     certs: u16 length, DER each, leaf first; at most 8 and 32 kB together
 */
#ifndef O7S_IRMD_OAP_MESSAGE_H
#define O7S_IRMD_OAP_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypt/suite.h"

#define OAP_HDR         32u
#define OAP_ID          16u
#define OAP_MESSAGE_MAX 65000u
#define OAP_DATA_MAX    (16u * 1024u) /* first data of an application */
#define OAP_CERTS_MAX   8u
#define OAP_CERTS_BYTES (32u * 1024u)

enum oap_type { OAP_REQUEST = 1, OAP_RESPONSE = 2 };

/* Bytes inside the message. */
struct span {
        const uint8_t *p;
        size_t         len;
};

struct oap_header {
        enum oap_type type;
        enum suite    suite;
        bool          auth;
        uint8_t       id[OAP_ID];
        int64_t       timestamp_ns;
};

struct oap_body {
        struct span certs; /* with their lengths, checked */
        struct span cert[OAP_CERTS_MAX];
        size_t      n_certs;
        struct span data;
        struct span sig;
};

/* Header and form of a whole message of type @type. False: refused. *@kex and *@body are spans of @msg. */
bool oap_header_get(const uint8_t *msg, size_t len, enum oap_type type, struct oap_header *h,
                    struct span *kex, struct span *body);

/* The id alone, of any message that is long enough to have one, well formed or not: for the log. */
bool oap_id_get(const uint8_t *msg, size_t len, uint8_t id[OAP_ID]);

/* A body in clear; @auth as the header says: certs and sig are both there or both not. False: refused. */
bool oap_body_get(struct span body, bool auth, struct oap_body *b);

/* Write at @out, return the bytes written (the sizes are the caller's to know: OAP_HDR + kex; 4 + certs + data). */
size_t oap_header_put(uint8_t *out, const struct oap_header *h, const uint8_t *kex, size_t kex_len);
size_t oap_body_put(uint8_t *out, struct span certs, struct span data); /* all but sig */

#endif
