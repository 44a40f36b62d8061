#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "crypt/secret.h"
#include "oap/side.h"

enum stage { NEW, BEGUN, VERIFIED, ADMITTED, KEYED, DONE, REFUSED };

struct oap_server {
        struct side        side;
        enum stage         stage;
        char               kernel[32]; /* "": the kernel does not vouch */
        uint8_t           *request;
        size_t             request_len;
        struct oap_header  head;
        struct span        request_kex; /* of the request, like the body's */
        struct oap_body    body;
        struct signed_text text; /* what a client that authenticates has signed */
        uint8_t            replay_key[REPLAY_KEY];
        struct kex        *kex; /* until it has agreed, or a refusal */
        uint8_t            response_kex[KEX_PUBLIC_MAX];
        struct draft       response;
        enum oap_reason    agreed, written; /* one for each of the steps that run at once */
};

/* -- life ------------------------------------------------------------------ */

static void drop_kex(struct oap_server *s)
{
        kex_destroy(s->kex);
        s->kex = NULL;
}

void oap_server_destroy(struct oap_server *s)
{
        if (s == NULL)
                return;
        drop_kex(s);
        draft_close(&s->response);
        if (s->request != NULL)
                secret_wipe(s->request, s->request_len);
        free(s->request);
        side_close(&s->side);
        secret_wipe(s, sizeof(*s));
        free(s);
}

struct oap_server *oap_server_create(const struct oap_server_conf *conf)
{
        const char        *kernel = conf->stance.kernel && conf->kernel != NULL ? conf->kernel : "";
        struct oap_server *s      = calloc(1, sizeof(*s));

        if (s == NULL)
                return NULL;
        s->agreed  = OAP_INTERNAL;
        s->written = OAP_INTERNAL;
        s->side    = (struct side){.peer_role = ROLE_CLIENT,
                                   .stance    = conf->stance,
                                   .creds     = creds_ref(conf->creds),
                                   .identity  = conf->identity,
                                   .chains    = conf->chains};
        if (!str_copy(s->kernel, sizeof(s->kernel), kernel) || !side_open(&s->side, &conf->ctx)) {
                oap_server_destroy(s);
                return NULL;
        }
        return s;
}

/* Every step of the handshake ends here, but for the two that run at once. */
static enum oap_reason step(struct oap_server *s, enum oap_reason r, enum stage next)
{
        if (r == OAP_OK) {
                s->stage = next;
                return OAP_OK;
        }
        s->stage = REFUSED;
        drop_kex(s);
        return side_refuse(&s->side, r);
}

/* A step that is not due ends the handshake. */
static enum oap_reason due(const struct oap_server *s, enum stage stage)
{
        return s->stage == stage ? OAP_OK : OAP_INTERNAL;
}

/* -- request --------------------------------------------------------------- */

static enum oap_reason take_request(struct oap_server *s, const uint8_t *msg, size_t len)
{
        struct span body;

        if (len == 0 || len > OAP_MESSAGE_MAX)
                return OAP_MALFORMED;
        s->request = malloc(len);
        if (s->request == NULL)
                return OAP_INTERNAL;
        s->request_len = len;
        memcpy(s->request, msg, len);
        if (!oap_header_get(s->request, len, OAP_REQUEST, &s->head, &s->request_kex, &body))
                return OAP_MALFORMED;
        memcpy(s->side.facts.id, s->head.id, OAP_ID);
        s->side.facts.suite         = s->head.suite;
        s->side.facts.peer_clock_ns = s->head.timestamp_ns;
        return oap_body_get(body, s->head.auth, &s->body) ? OAP_OK : OAP_MALFORMED;
}

static enum oap_reason check_policy(const struct oap_server *s)
{
        const struct stance *st = &s->side.stance;

        if ((st->suites & SUITE_BIT(s->head.suite)) == 0)
                return s->head.suite == SUITE_PLAIN ? OAP_PLAIN : OAP_SUITE;
        if (s->head.auth)
                return OAP_OK;
        return st->demand || (st->lists && s->kernel[0] == '\0') ? OAP_NO_CERT : OAP_OK;
}

/* The clock, and what was seen: so that a replay costs no public-key operation. */
static enum oap_reason check_fresh(struct oap_server *s, struct replay *replay, int64_t skew_ns,
                                   int64_t wall_ns)
{
        int64_t         when = s->head.timestamp_ns;
        struct span     own  = {s->request, s->request_len - s->body.sig.len};
        enum oap_reason r    = OAP_CLOCK;

        if (side_context(&s->side) != OAP_OK)
                return OAP_INTERNAL;
        if (schedule_client_text(&s->text, s->side.ctx, own) < 0 ||
            schedule_replay_key(&s->text, s->replay_key) < 0)
                return OAP_INTERNAL;
        if (when >= wall_ns - skew_ns && when <= wall_ns + skew_ns)
                r = replay_look(replay, s->replay_key, when, wall_ns);
        if (r == OAP_CLOCK)
                snprintf(s->side.facts.detail, sizeof(s->side.facts.detail),
                         "its clock %" PRId64 ", ours %" PRId64 ", accepted after %" PRId64 " ns", when,
                         wall_ns, replay_horizon(replay));
        return r;
}

enum oap_reason oap_server_begin(struct oap_server *s, const uint8_t *msg, size_t len, struct replay *replay,
                                 int64_t skew_ns, int64_t wall_ns)
{
        enum oap_reason r = due(s, NEW);

        if (r == OAP_OK)
                r = side_usable(&s->side);
        if (r == OAP_OK)
                r = take_request(s, msg, len);
        if (r == OAP_OK)
                r = check_policy(s);
        if (r == OAP_OK && s->head.auth)
                r = check_fresh(s, replay, skew_ns, wall_ns);
        return step(s, r, BEGUN);
}

bool oap_server_is_light(const struct oap_server *s)
{
        return !s->head.auth && s->head.suite == SUITE_PLAIN && !s->side.stance.sign;
}

enum oap_reason oap_server_verify(struct oap_server *s, int64_t wall_ns)
{
        enum oap_reason r = due(s, BEGUN);

        if (r == OAP_OK && (s->head.suite != SUITE_PLAIN || s->side.stance.sign))
                r = side_bind(&s->side, (struct span){s->request, s->request_len});
        if (r == OAP_OK && s->head.auth)
                r = side_verify(&s->side, &s->body, &s->text, wall_ns);
        return step(s, r, VERIFIED);
}

static bool admitted(const struct oap_server *s)
{
        const struct leaf *peer   = oap_server_peer(s);
        const char        *kernel = s->kernel[0] != '\0' ? s->kernel : NULL;

        if (peer == NULL)
                return stance_admits(&s->side.stance, NULL, NULL, 0, kernel);
        return stance_admits(&s->side.stance, peer->identity, (const char *const *)peer->names, peer->n_names,
                             kernel);
}

static enum oap_reason remember(struct oap_server *s, struct replay *replay, int64_t wall_ns,
                                int64_t *keep_ns)
{
        const char *identity = s->side.peer.identity;
        uint8_t     who[SHA384_LEN];

        if (sha384(who, (struct piece[]){{identity, strlen(identity)}}, 1) < 0)
                return OAP_INTERNAL;
        return replay_add(replay, s->replay_key, who, s->head.timestamp_ns, wall_ns, keep_ns);
}

enum oap_reason oap_server_admit(struct oap_server *s, struct replay *replay, int64_t wall_ns,
                                 int64_t *keep_ns)
{
        enum oap_reason r = due(s, VERIFIED);

        *keep_ns = 0;
        if (r == OAP_OK && !admitted(s))
                r = OAP_NOT_ALLOWED;
        if (r == OAP_OK && s->head.auth)
                r = remember(s, replay, wall_ns, keep_ns);
        return step(s, r, ADMITTED);
}

/* -- response -------------------------------------------------------------- */

static enum oap_reason answer(struct oap_server *s)
{
        int r;

        if (s->kex == NULL || kex_suite(s->kex) != s->head.suite)
                return OAP_INTERNAL;
        r = kex_answer(s->kex, s->request_kex.p, s->request_kex.len, s->response_kex);
        if (r < 0)
                return r == -EBADMSG ? OAP_BAD_KEX : OAP_INTERNAL;
        return OAP_OK;
}

enum oap_reason oap_server_give_kex(struct oap_server *s, struct kex *kex)
{
        enum oap_reason r = due(s, ADMITTED);

        drop_kex(s);
        s->kex = kex;
        if (r == OAP_OK && s->head.suite != SUITE_PLAIN)
                r = answer(s);
        else if (r == OAP_OK)
                s->agreed = kex == NULL ? OAP_OK : OAP_INTERNAL;
        return step(s, r, KEYED);
}

enum oap_reason oap_server_agree(struct oap_server *s)
{
        int n;

        if (s->head.suite == SUITE_PLAIN)
                return s->agreed;
        if (s->stage != KEYED || s->kex == NULL)
                return OAP_INTERNAL;
        n = kex_answer_secret(s->kex, s->side.secret->z);
        drop_kex(s);
        if (n < 0)
                return s->agreed = n == -EBADMSG ? OAP_BAD_KEX : OAP_INTERNAL;
        s->side.secret->z_len = (size_t)n;
        return s->agreed      = OAP_OK;
}

static enum oap_reason write_response(struct oap_server *s, struct span data, int64_t wall_ns)
{
        const struct side *side = &s->side;
        struct oap_header  h    = {OAP_RESPONSE, s->head.suite, side->stance.sign, {0}, wall_ns};
        struct signed_text t;

        memcpy(h.id, s->head.id, OAP_ID);
        if (!draft_open(&s->response, side, &h, s->response_kex, kex_response_len(h.suite), data))
                return OAP_INTERNAL;
        if (!h.auth)
                return OAP_OK;
        if (schedule_server_text(&t, side->ctx, side->request, draft_head(&s->response),
                                 draft_body(&s->response)) < 0)
                return OAP_INTERNAL;
        return draft_sign(&s->response, side, &t);
}

enum oap_reason oap_server_sign(struct oap_server *s, const uint8_t *data, size_t data_len, int64_t wall_ns)
{
        if (s->stage != KEYED || s->response.p != NULL)
                return OAP_INTERNAL;
        s->written = data_len > OAP_DATA_MAX ? OAP_MALFORMED
                                             : write_response(s, (struct span){data, data_len}, wall_ns);
        return s->written;
}

/* The keys of the flow, while the body is in clear; then the body under the reply key. */
static enum oap_reason seal(struct oap_server *s)
{
        struct side_secrets *k = s->side.secret;
        struct draft        *d = &s->response;

        if (s->head.suite == SUITE_PLAIN)
                return OAP_OK;
        if (schedule_begin(&k->schedule, s->side.ctx, s->side.request, draft_head(d), k->z, k->z_len) < 0 ||
            schedule_finish(&k->schedule, draft_body(d), &k->keys) < 0 || !draft_seal(d, &k->schedule))
                return OAP_INTERNAL;
        return OAP_OK;
}

enum oap_reason oap_server_respond(struct oap_server *s, struct span *response)
{
        enum oap_reason r = due(s, KEYED);

        if (r == OAP_OK)
                r = s->agreed;
        if (r == OAP_OK)
                r = s->written;
        if (r == OAP_OK)
                r = seal(s);
        *response = (struct span){NULL, 0};
        if (step(s, r, DONE) == OAP_OK) {
                side_complete(&s->side);
                *response = (struct span){s->response.p, s->response.len};
        }
        return r;
}

/* -- results --------------------------------------------------------------- */

const struct oap_keys *oap_server_keys(const struct oap_server *s)
{
        return s->stage == DONE ? &s->side.secret->keys : NULL;
}

struct span oap_server_data(const struct oap_server *s)
{
        return s->stage >= ADMITTED && s->stage <= DONE ? s->body.data : (struct span){NULL, 0};
}

const struct leaf *oap_server_peer(const struct oap_server *s)
{
        return s->side.facts.authenticated ? &s->side.peer : NULL;
}

const struct oap_facts *oap_server_facts(const struct oap_server *s)
{
        return &s->side.facts;
}
