#include "oap/message.h"

#include <assert.h>
#include <string.h>

#include "crypt/kex.h"
#include "wire/cursor.h"

#define VERSION   1u
#define FLAG_AUTH 0x01u
#define TAG       16u /* of AES-256-GCM */

/* The next @n bytes. */
static struct span rd_span(struct rd *r, size_t n)
{
        struct span s = {r->p, n};

        if (r->bad || (size_t)(r->end - r->p) < n) {
                r->bad = true;
                return (struct span){NULL, 0};
        }
        r->p += n;
        return s;
}

/* -- header ---------------------------------------------------------------- */

static size_t kex_len(enum oap_type type, enum suite s)
{
        return type == OAP_REQUEST ? kex_request_len(s) : kex_response_len(s);
}

/* A sealed body has a tag. */
static size_t body_min(enum oap_type type, enum suite s)
{
        return 4 + (type == OAP_RESPONSE && s != SUITE_PLAIN ? TAG : 0);
}

bool oap_id_get(const uint8_t *msg, size_t len, uint8_t id[OAP_ID])
{
        if (len < OAP_HDR)
                return false;
        memcpy(id, msg + 4, OAP_ID);
        return true;
}

bool oap_header_get(const uint8_t *msg, size_t len, enum oap_type type, struct oap_header *h,
                    struct span *kex, struct span *body)
{
        bool        fits    = len >= OAP_HDR && len <= OAP_MESSAGE_MAX;
        struct rd   r       = {msg, fits ? msg + len : msg, !fits}; /* nothing at all is NULL */
        bool        version = rd_be(&r, 1) == VERSION;
        bool        typed   = rd_be(&r, 1) == (uint64_t)type;
        unsigned    suite   = (unsigned)rd_be(&r, 1);
        unsigned    flags   = (unsigned)rd_be(&r, 1);
        struct span id      = rd_span(&r, OAP_ID);
        uint64_t    when    = rd_be(&r, 8);
        size_t      n       = (size_t)rd_be(&r, 2);
        bool        zero    = rd_be(&r, 2) == 0;

        if (id.p == NULL || !version || !typed || suite >= SUITE_N || (flags & ~FLAG_AUTH) != 0 || !zero ||
            n != kex_len(type, (enum suite)suite))
                return false;
        *kex  = rd_span(&r, n);
        *body = rd_span(&r, (size_t)(r.end - r.p));
        if (r.bad || body->len < body_min(type, (enum suite)suite))
                return false;
        *h = (struct oap_header){type, (enum suite)suite, flags == FLAG_AUTH, {0}, (int64_t)when};
        memcpy(h->id, id.p, OAP_ID);
        return true;
}

size_t oap_header_put(uint8_t *out, const struct oap_header *h, const uint8_t *kex, size_t n)
{
        struct wr w = {out, out + OAP_HDR, false};

        assert(n == kex_len(h->type, h->suite));
        wr_be(&w, VERSION, 1);
        wr_be(&w, h->type, 1);
        wr_be(&w, h->suite, 1);
        wr_be(&w, h->auth ? FLAG_AUTH : 0, 1);
        memcpy(w.p, h->id, OAP_ID);
        w.p += OAP_ID;
        wr_be(&w, (uint64_t)h->timestamp_ns, 8);
        wr_be(&w, n, 2);
        wr_be(&w, 0, 2);
        if (n > 0)
                memcpy(w.p, kex, n);
        return OAP_HDR + n;
}

/* -- body ------------------------------------------------------------------ */

static bool certs_get(struct span certs, struct oap_body *b)
{
        struct rd r = {certs.p, certs.p + certs.len, certs.len > OAP_CERTS_BYTES};

        while (!r.bad && r.p < r.end) {
                struct span der = rd_span(&r, (size_t)rd_be(&r, 2));

                if (der.len == 0 || b->n_certs == OAP_CERTS_MAX)
                        return false;
                b->cert[b->n_certs++] = der;
        }
        return !r.bad;
}

bool oap_body_get(struct span body, bool auth, struct oap_body *b)
{
        struct rd r         = {body.p, body.p + body.len, false};
        size_t    certs_len = (size_t)rd_be(&r, 2);
        size_t    data_len  = (size_t)rd_be(&r, 2);

        *b       = (struct oap_body){0};
        b->certs = rd_span(&r, certs_len);
        b->data  = rd_span(&r, data_len);
        b->sig   = rd_span(&r, (size_t)(r.end - r.p));
        if (r.bad || data_len > OAP_DATA_MAX || (certs_len > 0) != auth || (b->sig.len > 0) != auth)
                return false;
        return certs_get(b->certs, b);
}

size_t oap_body_put(uint8_t *out, struct span certs, struct span data)
{
        struct wr w = {out, out + 4, false};

        assert(certs.len <= OAP_CERTS_BYTES && data.len <= OAP_DATA_MAX);
        wr_be(&w, certs.len, 2);
        wr_be(&w, data.len, 2);
        if (certs.len > 0)
                memcpy(w.p, certs.p, certs.len);
        if (data.len > 0)
                memcpy(w.p + certs.len, data.p, data.len);
        return 4 + certs.len + data.len;
}
