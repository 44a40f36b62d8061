#include "oap/side.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "crypt/secret.h"
#include "oap/sign.h"

_Static_assert(OAP_HDR + KEX_PUBLIC_MAX + 4 + OAP_CERTS_BYTES + OAP_DATA_MAX + SIGN_MAX + SCHEDULE_TAG <=
                       OAP_MESSAGE_MAX,
               "whatever we send is a message");

bool side_open(struct side *s, const struct oap_context *ctx)
{
        if (!str_copy(s->dst, sizeof(s->dst), ctx->dst) || s->dst[0] == '\0')
                return false;
        memcpy(s->qos, ctx->qos, sizeof(s->qos));
        s->secret = secret_alloc(sizeof(*s->secret));
        return s->secret != NULL;
}

enum oap_reason side_context(struct side *s)
{
        struct oap_context ctx = {.dst = s->dst};

        memcpy(ctx.qos, s->qos, sizeof(ctx.qos));
        return schedule_context(s->ctx, &ctx) < 0 ? OAP_INTERNAL : OAP_OK;
}

enum oap_reason side_bind(struct side *s, struct span request)
{
        if (s->bound)
                return OAP_OK;
        if (side_context(s) != OAP_OK ||
            sha384(s->request, (struct piece[]){{request.p, request.len}}, 1) < 0)
                return OAP_INTERNAL;
        s->bound = true;
        return OAP_OK;
}

void side_close(struct side *s)
{
        secret_free(s->secret);
        leaf_clear(&s->peer);
        creds_unref(s->creds);
}

enum oap_reason side_usable(const struct side *s)
{
        const struct identity *id     = s->identity;
        enum oap_reason        policy = OAP_OK, anchors = OAP_OK;

        if (id != NULL && id->fault != OAP_OK)
                return id->fault;
        if (id == NULL || id->rule == NULL)
                (void)creds_root_rule(s->creds, &policy);
        (void)creds_anchors(s->creds, s->peer_role, &anchors);
        if (policy != OAP_OK)
                return policy;
        if (anchors == OAP_OK && s->stance.sign && (id == NULL || id->key == NULL || id->certs.len == 0))
                return OAP_NO_CREDENTIALS;
        return anchors;
}

enum oap_reason side_refuse(struct side *s, enum oap_reason why)
{
        s->facts.reason = why;
        secret_free(s->secret);
        s->secret = NULL;
        return why;
}

void side_complete(struct side *s)
{
        secret_wipe(s->secret->z, sizeof(s->secret->z));
        secret_wipe(&s->secret->schedule, sizeof(s->secret->schedule));
        secret_wipe(s->request, sizeof(s->request));
        s->secret->keys.suite = s->facts.suite;
        s->facts.signed_      = s->stance.sign;
}

enum oap_reason side_verify(struct side *s, const struct oap_body *body, const struct signed_text *t,
                            int64_t wall_ns)
{
        const char     *name = s->peer_role == ROLE_SERVER ? s->dst : NULL;
        enum oap_reason r    = chain_verify(s->creds, s->chains, s->peer_role, body, name, wall_ns, &s->peer,
                                            s->facts.detail, sizeof(s->facts.detail));

        if (r != OAP_OK)
                return r;
        if (!sign_verify(s->peer.key, t->bytes, t->len, body->sig.p, body->sig.len))
                return OAP_BAD_SIGNATURE;
        s->facts.authenticated = true;
        return OAP_OK;
}

void oap_keys_wipe(struct oap_keys *k)
{
        secret_wipe(k, sizeof(*k));
}

/* -- drafts ---------------------------------------------------------------- */

bool draft_open(struct draft *d, const struct side *s, const struct oap_header *h, const uint8_t *kex,
                size_t kex_len, struct span data)
{
        struct span certs = h->auth ? s->identity->certs : (struct span){NULL, 0};

        d->p = malloc(OAP_HDR + kex_len + 4 + certs.len + data.len + SIGN_MAX);
        if (d->p == NULL)
                return false;
        d->head_len = oap_header_put(d->p, h, kex, kex_len);
        d->len      = d->head_len + oap_body_put(d->p + d->head_len, certs, data);
        return true;
}

void draft_close(struct draft *d)
{
        if (d->p != NULL)
                secret_wipe(d->p, d->len);
        free(d->p);
        *d = (struct draft){0};
}

struct span draft_head(const struct draft *d)
{
        return (struct span){d->p, d->head_len};
}

struct span draft_body(const struct draft *d)
{
        return (struct span){d->p + d->head_len, d->len - d->head_len};
}

enum oap_reason draft_sign(struct draft *d, const struct side *s, const struct signed_text *t)
{
        int n = sign_make(s->identity->key, t->bytes, t->len, d->p + d->len);

        if (n <= 0)
                return n == -ENOMEM ? OAP_INTERNAL : OAP_BAD_CREDENTIALS;
        d->len += (size_t)n;
        return OAP_OK;
}

bool draft_seal(struct draft *d, const struct schedule *schedule)
{
        struct span  head   = draft_head(d);
        struct draft sealed = {malloc(d->len + SCHEDULE_TAG), d->head_len, d->len + SCHEDULE_TAG};

        if (sealed.p == NULL)
                return false;
        memcpy(sealed.p, head.p, head.len);
        if (schedule_seal(schedule, head, draft_body(d), sealed.p + head.len) < 0) {
                draft_close(&sealed);
                return false;
        }
        draft_close(d);
        *d = sealed;
        return true;
}
