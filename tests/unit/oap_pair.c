#include "oap_pair.h"

#include <stdlib.h>
#include <string.h>

#define CLIENT_DIR "client/default"
#define SERVER_DIR "server/" PAIR_NAME

/* -- hosts ----------------------------------------------------------------- */

const struct authorities *authorities(void)
{
        static const struct pki_spec ca     = {.key = PKI_P256, .cn = "Root", .ca = true};
        static const struct pki_spec middle = {.key = PKI_P256, .cn = "Middle", .ca = true};
        static const struct pki_spec other  = {.key = PKI_P256, .cn = "Other", .ca = true};
        static struct authorities    a;

        if (a.root.x == NULL) {
                a.root   = pki_cert(&ca, NULL);
                a.middle = pki_cert(&middle, &a.root);
                a.other  = pki_cert(&other, NULL);
        }
        return &a;
}

static void make_leaf(struct host *h, const struct host_spec *spec)
{
        const struct authorities *a      = authorities();
        bool                      server = h->role == ROLE_SERVER;
        struct pki_spec           usual  = {.key     = spec->key,
                                            .cn      = server ? "A server" : "Alice",
                                            .san     = server ? "DNS:" PAIR_NAME : "email:" PAIR_ALICE,
                                            .usage   = "critical,digitalSignature",
                                            .purpose = server ? "serverAuth" : "clientAuth"};
        const struct pki_cert    *by     = spec->by != NULL ? spec->by : &a->middle;

        h->leaf = pki_cert(spec->leaf != NULL ? spec->leaf : &usual, by);
        pki_write_identity(h->dir, server ? SERVER_DIR : CLIENT_DIR, &h->leaf,
                           (const struct pki_cert *[]){&a->middle}, by == &a->middle);
}

void host_open(struct host *h, enum role role, const struct host_spec *spec)
{
        const struct authorities *a   = authorities();
        const char               *own = role == ROLE_SERVER ? SERVER_DIR "/enc.cfg" : CLIENT_DIR "/enc.cfg";

        *h = (struct host){.role = role, .dir = pki_dir()};
        if (spec->credentials)
                make_leaf(h, spec);
        if (spec->anchors)
                pki_write_certs(h->dir, "cacert/root.pem", (const struct pki_cert *[]){&a->root}, 1);
        if (spec->own != NULL)
                pki_write(h->dir, own, spec->own);
        if (spec->root != NULL)
                pki_write(h->dir, "enc.cfg", spec->root);
        if (spec->revoked != NULL)
                pki_write_certs(h->dir, "untrusted/one.pem", &spec->revoked, 1);
        h->creds = creds_read(h->dir, NULL, NULL, NULL);
        if (h->creds == NULL)
                abort();
}

void host_close(struct host *h)
{
        creds_unref(h->creds);
        pki_free(&h->leaf);
        pki_dir_remove(h->dir);
}

/* -- pairs ------------------------------------------------------------------- */

void pair_open(struct pair *p, const struct host *client, const struct host *server)
{
        *p = (struct pair){.client_host = client,
                           .server_host = server,
                           .data        = "",
                           .reply       = "",
                           .name        = PAIR_NAME,
                           .now_ns      = PKI_NOW_NS,
                           .replay      = replay_create(1024, 1, PKI_NOW_NS, 30 * INT64_C(1000000000)),
                           .chains      = {chains_create(16), chains_create(16)}};
}

static void drop(struct pair *p)
{
        oap_client_destroy(p->client);
        oap_server_destroy(p->server);
        p->client = NULL;
        p->server = NULL;
}

void pair_close(struct pair *p)
{
        drop(p);
        replay_destroy(p->replay);
        chains_destroy(p->chains[0]);
        chains_destroy(p->chains[1]);
}

enum oap_reason pair_stance(const struct pair *p, enum role role, struct stance *s,
                            const struct identity **id)
{
        const struct creds *c      = role == ROLE_CLIENT ? p->client_host->creds : p->server_host->creds;
        enum oap_reason     policy = OAP_OK, anchors = OAP_OK;
        struct holdings     h = {.local = p->local};

        *id           = role == ROLE_CLIENT ? creds_client(c, "alice") : creds_server(c, p->name);
        h.own         = *id == NULL ? NULL : (*id)->rule;
        h.root        = creds_root_rule(c, &policy);
        h.anchors     = creds_anchors(c, role == ROLE_CLIENT ? ROLE_SERVER : ROLE_CLIENT, &anchors) != NULL;
        h.credentials = *id != NULL && (*id)->key != NULL;
        return role == ROLE_CLIENT ? stance_client(&h, s) : stance_server(&h, s);
}

static struct oap_context context(const struct pair *p)
{
        struct oap_context c = {.dst = p->name};

        memset(c.qos, 0x42, sizeof(c.qos));
        return c;
}

enum oap_reason pair_ask_with(struct pair *p, const struct stance *s, const struct identity *id)
{
        static uint8_t         serial[OAP_ID];
        struct oap_client_conf conf = {.ctx      = context(p),
                                       .stance   = *s,
                                       .creds    = p->client_host->creds,
                                       .identity = id,
                                       .chains   = p->chains[0],
                                       .kex      = s->suite == SUITE_PLAIN ? NULL : kex_client(s->suite),
                                       .id       = serial,
                                       .data     = (const uint8_t *)p->data,
                                       .data_len = strlen(p->data)};

        serial[0]++;
        oap_client_destroy(p->client);
        p->client   = oap_client_create(&conf);
        p->light[0] = oap_client_is_light(p->client);
        return oap_client_request(p->client, p->now_ns, &p->request);
}

enum oap_reason pair_ask(struct pair *p)
{
        const struct identity *id;
        struct stance          s;
        enum oap_reason        r = pair_stance(p, ROLE_CLIENT, &s, &id);

        return r == OAP_OK ? pair_ask_with(p, &s, id) : r;
}

static enum oap_reason respond(struct pair *p)
{
        enum suite      suite = oap_server_facts(p->server)->suite;
        enum oap_reason r;

        r = oap_server_give_kex(p->server, suite == SUITE_PLAIN ? NULL : kex_server(suite));
        if (r == OAP_OK)
                r = oap_server_sign(p->server, (const uint8_t *)p->reply, strlen(p->reply), p->now_ns);
        if (r == OAP_OK)
                r = oap_server_agree(p->server);
        return r == OAP_OK ? oap_server_respond(p->server, &p->response) : r;
}

enum oap_reason pair_serve_with(struct pair *p, struct span msg, const struct stance *s,
                                const struct identity *id)
{
        struct oap_server_conf conf = {.ctx      = context(p),
                                       .stance   = *s,
                                       .creds    = p->server_host->creds,
                                       .identity = id,
                                       .chains   = p->chains[1],
                                       .kernel   = p->local ? "uid:1000" : NULL};
        enum oap_reason        r;

        oap_server_destroy(p->server);
        p->server = oap_server_create(&conf);
        r = oap_server_begin(p->server, msg.p, msg.len, p->replay, 30 * INT64_C(1000000000), p->now_ns);
        if (r == OAP_OK) {
                p->light[1] = oap_server_is_light(p->server);
                r           = oap_server_verify(p->server, p->now_ns);
        }
        if (r == OAP_OK)
                r = oap_server_admit(p->server, p->replay, p->now_ns, &p->keep_ns);
        return r == OAP_OK ? respond(p) : r;
}

enum oap_reason pair_serve(struct pair *p, struct span msg)
{
        const struct identity *id;
        struct stance          s;
        enum oap_reason        r = pair_stance(p, ROLE_SERVER, &s, &id);

        return r == OAP_OK ? pair_serve_with(p, msg, &s, id) : r;
}

enum oap_reason pair_finish(struct pair *p, struct span msg)
{
        return oap_client_response(p->client, msg.p, msg.len, p->now_ns);
}

enum oap_reason pair_run(struct pair *p)
{
        enum oap_reason r = pair_ask(p);

        if (r == OAP_OK)
                r = pair_serve(p, p->request);
        return r == OAP_OK ? pair_finish(p, p->response) : r;
}
