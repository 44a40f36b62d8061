/*
 * shim.h - control packets of shims (doc/protocols/shim.md): the header and what is in the messages.
 *
 *     off size field                         off size field
 *       0   1  version 1                       8   2  length of this piece
 *       1   1  type                           10   2  0
 *       2   1  flags  bit 0 TOKEN             12   8  id of the exchange
 *       3   1  0                              20  16  token, if TOKEN
 *       4   1  index of this piece             -   n  piece
 *       5   1  count of pieces                 -   -  padding, zeros
 *       6   2  size of all but the last; 0: there is one
 */
#ifndef O7S_WIRE_SHIM_H
#define O7S_WIRE_SHIM_H

#include <string.h>

#include <ouroboros/errno.h>
#include <ouroboros/qos.h>

#include "wire/cursor.h"
#include "wire/qos.h"

enum shim_type {
        SHIM_QUERY = 1,
        SHIM_HERE,
        SHIM_REQUEST,
        SHIM_REPLY,
        SHIM_GOT,
        SHIM_PROVE,
        SHIM_DONE,
        SHIM_DEALLOC,
        SHIM_DEALLOCATED,
        SHIM_TYPES
};

#define SHIM_VERSION     1u
#define SHIM_FLAG_TOKEN  0x01u
#define SHIM_HDR         20u
#define SHIM_TOKEN       16u
#define SHIM_PIECES_MAX  64u
#define SHIM_MESSAGE_MAX 65535u
#define SHIM_HASH_MAX    64u
#define SHIM_GOT_LEN     10u
#define SHIM_REPLY_LEN   21u /* without the OAP response */

struct shim_head {
        uint8_t  type;
        bool     has_token;
        uint8_t  index, count;
        uint16_t size, len;
        uint64_t id;
        uint8_t  token[SHIM_TOKEN];
};

static inline void shim_bytes_get(struct rd *r, uint8_t *out, size_t n)
{
        for (size_t i = 0; i < n; i++)
                out[i] = (uint8_t)rd_be(r, 1);
}

/* @n bytes where they are; NULL: there are not as many. */
static inline const uint8_t *shim_bytes_take(struct rd *r, size_t n)
{
        const uint8_t *p = r->p;

        if (r->bad || (size_t)(r->end - r->p) < n) {
                r->bad = true;
                return NULL;
        }
        r->p += n;
        return p;
}

static inline void shim_bytes_put(struct wr *w, const uint8_t *p, size_t n)
{
        if (w->bad || (size_t)(w->end - w->p) < n) {
                w->bad = true;
                return;
        }
        if (n > 0)
                memcpy(w->p, p, n);
        w->p += n;
}

/* -- the header ------------------------------------------------------------- */

/* Bytes of a packet, without padding. */
static inline size_t shim_packet_len(const struct shim_head *h)
{
        return SHIM_HDR + (h->has_token ? SHIM_TOKEN : 0) + h->len;
}

static inline void shim_head_put(struct wr *w, const struct shim_head *h)
{
        wr_be(w, SHIM_VERSION, 1);
        wr_be(w, h->type, 1);
        wr_be(w, h->has_token ? SHIM_FLAG_TOKEN : 0, 1);
        wr_be(w, 0, 1);
        wr_be(w, h->index, 1);
        wr_be(w, h->count, 1);
        wr_be(w, h->size, 2);
        wr_be(w, h->len, 2);
        wr_be(w, 0, 2);
        wr_be(w, h->id, 8);
        if (h->has_token)
                shim_bytes_put(w, h->token, SHIM_TOKEN);
}

/* How many pieces a message of this type may have; 0: there is no such type. */
static inline unsigned shim_pieces_max(uint8_t type)
{
        if (type == SHIM_REQUEST || type == SHIM_REPLY)
                return SHIM_PIECES_MAX;
        return type > 0 && type < SHIM_TYPES;
}

/* Whether what the header says of pieces goes together. */
static inline bool shim_piece_ok(const struct shim_head *h)
{
        bool last = h->index + 1 == h->count;

        if (h->count == 0 || h->count > shim_pieces_max(h->type) || h->index >= h->count)
                return false;
        if (h->count == 1)
                return h->size == 0;
        if (h->len == 0 || (last ? h->len > h->size : h->len != h->size))
                return false;
        return (h->count - 1u) * h->size + (last ? h->len : 1u) <= SHIM_MESSAGE_MAX;
}

/* Whether the piece is there, and behind it zeros, in a request, or nothing. @r is not moved. */
static inline bool shim_rest_ok(const struct rd *r, const struct shim_head *h)
{
        size_t  rest = (size_t)(r->end - r->p);
        uint8_t any  = 0;

        if (rest < h->len || (rest > h->len && h->type != SHIM_REQUEST))
                return false;
        for (size_t i = h->len; i < rest; i++)
                any |= r->p[i];
        return any == 0;
}

/* False: it is none. Else the piece, @h->len bytes, begins at @r->p. */
static inline bool shim_head_get(struct rd *r, struct shim_head *h)
{
        bool     known = rd_be(r, 1) == SHIM_VERSION;
        uint64_t flags, reserved;

        h->type  = (uint8_t)rd_be(r, 1);
        flags    = rd_be(r, 1);
        reserved = rd_be(r, 1);
        h->index = (uint8_t)rd_be(r, 1);
        h->count = (uint8_t)rd_be(r, 1);
        h->size  = (uint16_t)rd_be(r, 2);
        h->len   = (uint16_t)rd_be(r, 2);
        reserved |= rd_be(r, 2);
        h->id        = rd_be(r, 8);
        h->has_token = flags & SHIM_FLAG_TOKEN;
        memset(h->token, 0, sizeof(h->token));
        if (h->has_token)
                shim_bytes_get(r, h->token, SHIM_TOKEN);
        if (r->bad || !known || reserved != 0 || (flags & ~(uint64_t)SHIM_FLAG_TOKEN) != 0)
                return false;
        if (h->has_token && h->type != SHIM_REQUEST && h->type != SHIM_GOT)
                return false;
        return shim_piece_ok(h) && shim_rest_ok(r, h);
}

/* -- names ------------------------------------------------------------------ */

/* | length 8 | hash | */
static inline void shim_hash_put(struct wr *w, const uint8_t *hash, size_t len)
{
        wr_be(w, len, 1);
        shim_bytes_put(w, hash, len);
}

/* Where it is, or NULL. */
static inline const uint8_t *shim_hash_get(struct rd *r, size_t *len)
{
        *len = (size_t)rd_be(r, 1);
        if (*len == 0 || *len > SHIM_HASH_MAX)
                r->bad = true;
        return shim_bytes_take(r, *len);
}

/* -- REQUEST ---------------------------------------------------------------- */

struct shim_request {
        uint32_t       eid;
        const uint8_t *hash;
        size_t         hash_len;
        qosspec_t      qs;
        const uint8_t *oap;
        size_t         oap_len;
};

static inline size_t shim_request_len(const struct shim_request *rq)
{
        return 4 + 1 + rq->hash_len + QOS_WIRE + rq->oap_len;
}

/* | eid 32 | hash | QoS | OAP request | */
static inline void shim_request_put(struct wr *w, const struct shim_request *rq)
{
        uint8_t qos[QOS_WIRE];

        qos_wire_put(&rq->qs, qos);
        wr_be(w, rq->eid, 4);
        shim_hash_put(w, rq->hash, rq->hash_len);
        shim_bytes_put(w, qos, sizeof(qos));
        shim_bytes_put(w, rq->oap, rq->oap_len);
}

static inline void shim_qos_get(struct rd *r, qosspec_t *qs)
{
        qs->delay        = (uint32_t)rd_be(r, 4);
        qs->bandwidth    = rd_be(r, 8);
        qs->availability = (uint8_t)rd_be(r, 1);
        qs->loss         = (uint32_t)rd_be(r, 4);
        qs->ber          = (uint32_t)rd_be(r, 4);
        qs->in_order     = (uint8_t)rd_be(r, 1);
        qs->max_gap      = (uint32_t)rd_be(r, 4);
        qs->timeout      = (uint32_t)rd_be(r, 4);
}

/* False: it is none. Hash and OAP request stay where they are. */
static inline bool shim_request_get(struct rd *r, struct shim_request *rq)
{
        rq->eid  = (uint32_t)rd_be(r, 4);
        rq->hash = shim_hash_get(r, &rq->hash_len);
        shim_qos_get(r, &rq->qs);
        rq->oap_len = (size_t)(r->end - r->p);
        rq->oap     = shim_bytes_take(r, rq->oap_len);
        return !r->bad && rq->eid != 0 && rq->qs.in_order <= 1;
}

/* -- REPLY ------------------------------------------------------------------ */

enum shim_code {
        SHIM_OK,
        SHIM_UNKNOWN_NAME,
        SHIM_REFUSED,
        SHIM_BUSY,
        SHIM_AUTH,
        SHIM_CRYPT,
        SHIM_TIMEOUT,
        SHIM_CLOCKS
};

struct shim_reply {
        uint8_t        code;
        uint32_t       eid;
        uint8_t        token[SHIM_TOKEN];
        const uint8_t *oap;
        size_t         oap_len;
};

/* What the peer hears of a result, 0 or a negative code. */
static inline enum shim_code shim_code(int result)
{
        switch (result) {
        case 0: return SHIM_OK;
        case -ENAME: return SHIM_UNKNOWN_NAME;
        case -EBUSY:
        case -EAGAIN:
        case -EUSERS:
        case -EMFILE:
        case -ENOMEM: return SHIM_BUSY;
        case -EAUTH: return SHIM_AUTH;
        case -ECRYPT: return SHIM_CRYPT;
        case -ETIMEDOUT: return SHIM_TIMEOUT;
        case -ETIME: return SHIM_CLOCKS;
        default: return SHIM_REFUSED;
        }
}

/* What a code of the peer is here. */
static inline int shim_result(uint8_t code)
{
        switch (code) {
        case SHIM_OK: return 0;
        case SHIM_UNKNOWN_NAME: return -ENAME;
        case SHIM_BUSY: return -EBUSY;
        case SHIM_AUTH: return -EAUTH;
        case SHIM_CRYPT: return -ECRYPT;
        case SHIM_TIMEOUT: return -ETIMEDOUT;
        case SHIM_CLOCKS: return -ETIME;
        default: return -ENOTALLOC;
        }
}

/* | code 8 | eid 32 | token 128 | OAP response | */
static inline void shim_reply_put(struct wr *w, const struct shim_reply *rp)
{
        wr_be(w, rp->code, 1);
        wr_be(w, rp->eid, 4);
        shim_bytes_put(w, rp->token, SHIM_TOKEN);
        shim_bytes_put(w, rp->oap, rp->oap_len);
}

/* False: it is none. The OAP response stays where it is. */
static inline bool shim_reply_get(struct rd *r, struct shim_reply *rp)
{
        rp->code = (uint8_t)rd_be(r, 1);
        rp->eid  = (uint32_t)rd_be(r, 4);
        shim_bytes_get(r, rp->token, SHIM_TOKEN);
        rp->oap_len = (size_t)(r->end - r->p);
        rp->oap     = shim_bytes_take(r, rp->oap_len);
        if (r->bad)
                return false;
        return rp->code == SHIM_OK ? rp->eid != 0 : rp->eid == 0 && rp->oap_len == 0;
}

/* -- GOT -------------------------------------------------------------------- */

struct shim_got {
        uint8_t  what; /* SHIM_REQUEST or SHIM_REPLY */
        bool     complete;
        uint64_t pieces;
};

/* | what 8 | state 8 | pieces 64 | */
static inline void shim_got_put(struct wr *w, const struct shim_got *g)
{
        wr_be(w, g->what, 1);
        wr_be(w, g->complete, 1);
        wr_be(w, g->pieces, 8);
}

static inline bool shim_got_get(struct rd *r, struct shim_got *g)
{
        uint64_t state;

        g->what     = (uint8_t)rd_be(r, 1);
        state       = rd_be(r, 1);
        g->pieces   = rd_be(r, 8);
        g->complete = state & 1;
        return !r->bad && r->p == r->end && state <= 1 && (g->what == SHIM_REQUEST || g->what == SHIM_REPLY);
}

#endif
