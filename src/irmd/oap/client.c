#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "crypt/secret.h"
#include "oap/side.h"

enum stage { NEW, ASKED, DONE, REFUSED };

struct oap_client {
        struct side     side;
        enum stage      stage;
        struct kex     *kex; /* until the response, or a refusal */
        uint8_t        *data;
        size_t          data_len;
        struct draft    request;
        uint8_t        *answer; /* the response's body in clear */
        size_t          answer_len;
        struct oap_body body; /* spans of it */
};

/* -- life ------------------------------------------------------------------ */

void oap_client_destroy(struct oap_client *c)
{
        if (c == NULL)
                return;
        kex_destroy(c->kex);
        draft_close(&c->request);
        if (c->data != NULL)
                secret_wipe(c->data, c->data_len);
        free(c->data);
        if (c->answer != NULL)
                secret_wipe(c->answer, c->answer_len);
        free(c->answer);
        side_close(&c->side);
        secret_wipe(c, sizeof(*c));
        free(c);
}

static bool copy_data(struct oap_client *c, const struct oap_client_conf *conf)
{
        if (conf->data_len == 0)
                return true;
        c->data = malloc(conf->data_len);
        if (c->data == NULL)
                return false;
        c->data_len = conf->data_len;
        memcpy(c->data, conf->data, conf->data_len);
        return true;
}

struct oap_client *oap_client_create(const struct oap_client_conf *conf)
{
        struct oap_client *c = calloc(1, sizeof(*c));

        if (c == NULL) {
                kex_destroy(conf->kex);
                return NULL;
        }
        c->kex  = conf->kex;
        c->side = (struct side){.peer_role = ROLE_SERVER,
                                .stance    = conf->stance,
                                .creds     = creds_ref(conf->creds),
                                .identity  = conf->identity,
                                .chains    = conf->chains};
        memcpy(c->side.facts.id, conf->id, OAP_ID);
        c->side.facts.suite = conf->stance.suite;
        if (!side_open(&c->side, &conf->ctx) || !copy_data(c, conf)) {
                oap_client_destroy(c);
                return NULL;
        }
        return c;
}

void oap_client_give_kex(struct oap_client *c, struct kex *kex)
{
        if (c->stage != NEW) {
                kex_destroy(kex);
                return;
        }
        kex_destroy(c->kex);
        c->kex = kex;
}

bool oap_client_is_light(const struct oap_client *c)
{
        enum oap_reason fault;

        /* A server may authenticate without being asked. */
        return c->side.stance.suite == SUITE_PLAIN && !c->side.stance.sign &&
               creds_anchors(c->side.creds, ROLE_SERVER, &fault) == NULL;
}

/* Every step of the handshake ends here. */
static enum oap_reason step(struct oap_client *c, enum oap_reason r, enum stage next)
{
        if (r == OAP_OK) {
                c->stage = next;
                return OAP_OK;
        }
        c->stage = REFUSED;
        kex_destroy(c->kex);
        c->kex = NULL;
        return side_refuse(&c->side, r);
}

/* -- request --------------------------------------------------------------- */

/* Whether what the caller gave fits together. */
static enum oap_reason check_own(const struct oap_client *c)
{
        enum suite suite = c->kex == NULL ? SUITE_PLAIN : kex_suite(c->kex);

        if (c->stage != NEW || suite != c->side.stance.suite)
                return OAP_INTERNAL;
        return c->data_len > OAP_DATA_MAX ? OAP_MALFORMED : side_usable(&c->side);
}

static enum oap_reason write_request(struct oap_client *c, int64_t wall_ns)
{
        const struct side *s = &c->side;
        struct oap_header  h = {OAP_REQUEST, s->stance.suite, s->stance.sign, {0}, wall_ns};
        uint8_t            kex[KEX_PUBLIC_MAX];

        memcpy(h.id, s->facts.id, OAP_ID);
        if (c->kex != NULL)
                kex_request(c->kex, kex);
        if (!draft_open(&c->request, s, &h, kex, kex_request_len(h.suite),
                        (struct span){c->data, c->data_len}))
                return OAP_INTERNAL;
        return OAP_OK;
}

static enum oap_reason sign_request(struct oap_client *c)
{
        struct signed_text t;

        if (!c->side.stance.sign)
                return OAP_OK;
        if (side_context(&c->side) != OAP_OK)
                return OAP_INTERNAL;
        if (schedule_client_text(&t, c->side.ctx, (struct span){c->request.p, c->request.len}) < 0)
                return OAP_INTERNAL;
        return draft_sign(&c->request, &c->side, &t);
}

enum oap_reason oap_client_request(struct oap_client *c, int64_t wall_ns, struct span *request)
{
        enum oap_reason r = check_own(c);

        if (r == OAP_OK)
                r = write_request(c, wall_ns);
        if (r == OAP_OK)
                r = sign_request(c);
        *request = (struct span){c->request.p, c->request.len};
        return step(c, r, ASKED);
}

/* -- response -------------------------------------------------------------- */

/* What can be said of a response without opening it. */
static enum oap_reason check_form(const struct oap_client *c, const uint8_t *msg, size_t len,
                                  struct oap_header *h, struct span *kex, struct span *sealed)
{
        const struct side *s = &c->side;

        if (!oap_header_get(msg, len, OAP_RESPONSE, h, kex, sealed))
                return OAP_MALFORMED;
        if (memcmp(h->id, s->facts.id, OAP_ID) != 0)
                return OAP_NOT_MY_REQUEST;
        if (h->suite != s->stance.suite)
                return h->suite == SUITE_PLAIN ? OAP_PLAIN : OAP_SUITE;
        return s->stance.demand && !h->auth ? OAP_NO_CERT : OAP_OK;
}

/* The body in clear, which is the key confirmation of the server too. */
static enum oap_reason open_sealed(struct oap_client *c, struct span head, struct span kex,
                                   struct span sealed)
{
        struct side_secrets *k = c->side.secret;
        int                  n = kex_finish(c->kex, kex.p, kex.len, k->z);

        if (n < 0)
                return n == -EBADMSG ? OAP_BAD_KEX : OAP_INTERNAL;
        k->z_len = (size_t)n;
        if (schedule_begin(&k->schedule, c->side.ctx, c->side.request, head, k->z, k->z_len) < 0)
                return OAP_INTERNAL;
        c->answer_len = sealed.len - SCHEDULE_TAG;
        n             = schedule_open(&k->schedule, head, sealed, c->answer);
        if (n < 0)
                return n == -EBADMSG ? OAP_BAD_TAG : OAP_INTERNAL;
        return schedule_finish(&k->schedule, (struct span){c->answer, c->answer_len}, &k->keys) < 0
                       ? OAP_INTERNAL
                       : OAP_OK;
}

static enum oap_reason open_body(struct oap_client *c, struct span head, struct span kex, struct span sealed)
{
        c->answer = malloc(sealed.len);
        if (c->answer == NULL)
                return OAP_INTERNAL;
        if (c->side.stance.suite != SUITE_PLAIN)
                return open_sealed(c, head, kex, sealed);
        c->answer_len = sealed.len;
        memcpy(c->answer, sealed.p, sealed.len);
        return OAP_OK;
}

static enum oap_reason verify_server(struct oap_client *c, struct span head, int64_t wall_ns)
{
        struct span        body = {c->answer, c->answer_len - c->body.sig.len};
        struct signed_text t;

        if (schedule_server_text(&t, c->side.ctx, c->side.request, head, body) < 0)
                return OAP_INTERNAL;
        return side_verify(&c->side, &c->body, &t, wall_ns);
}

static enum oap_reason take_response(struct oap_client *c, const uint8_t *msg, size_t len, int64_t wall_ns)
{
        struct oap_header h;
        struct span       kex, sealed;
        enum oap_reason   r = check_form(c, msg, len, &h, &kex, &sealed);
        struct span       head;

        if (r != OAP_OK)
                return r;
        if (h.suite != SUITE_PLAIN || h.auth)
                r = side_bind(&c->side, (struct span){c->request.p, c->request.len});
        head = (struct span){msg, len - sealed.len};
        if (r == OAP_OK)
                r = open_body(c, head, kex, sealed);
        if (r != OAP_OK)
                return r;
        if (!oap_body_get((struct span){c->answer, c->answer_len}, h.auth, &c->body))
                return OAP_MALFORMED;
        return h.auth ? verify_server(c, head, wall_ns) : OAP_OK;
}

enum oap_reason oap_client_response(struct oap_client *c, const uint8_t *msg, size_t len, int64_t wall_ns)
{
        enum oap_reason r;

        if (c->stage != ASKED)
                return OAP_NOT_MY_REQUEST;
        r = step(c, take_response(c, msg, len, wall_ns), DONE);
        if (r == OAP_OK)
                side_complete(&c->side);
        kex_destroy(c->kex);
        c->kex = NULL;
        return r;
}

/* -- results --------------------------------------------------------------- */

const struct oap_keys *oap_client_keys(const struct oap_client *c)
{
        return c->stage == DONE ? &c->side.secret->keys : NULL;
}

struct span oap_client_data(const struct oap_client *c)
{
        return c->stage == DONE ? c->body.data : (struct span){NULL, 0};
}

const struct leaf *oap_client_peer(const struct oap_client *c)
{
        return c->side.facts.authenticated ? &c->side.peer : NULL;
}

const struct oap_facts *oap_client_facts(const struct oap_client *c)
{
        return &c->side.facts;
}
