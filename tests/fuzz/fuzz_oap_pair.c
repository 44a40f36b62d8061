/*
 * fuzz_oap_pair.c - an honest client, an honest server, and between them somebody who changes both messages.
 *
 * input: | policy 1 | edits of the request, 0xff | edits of the response |
 *
 * An edit is | what 1 | where 2 | value 1 |: flips bits, sets a byte, takes one out or puts one in, cuts the end, or brings a
 * piece of an earlier message of the same policy.
 */
#include "oap_form.h"
#include "oap_pair.h"

#define MUTUAL   "authentication = mutual\nsuite = x25519\n"
#define SERVER   "authentication = server\nsuite = x25519\n"
#define OPTIONAL "authentication = optional\nsuite = x25519\n"

static const struct host_spec specs[][2] = {
        {{.credentials = true, .anchors = true, .own = MUTUAL},
         {.credentials = true, .anchors = true, .own = MUTUAL}},
        {{.anchors = true, .own = SERVER}, {.credentials = true, .anchors = true, .own = SERVER}},
        {{.own = OPTIONAL}, {.own = OPTIONAL}},
        {{.credentials = true, .anchors = true, .own = "disabled\n"},
         {.credentials = true, .anchors = true, .own = "disabled\n"}},
        {{.credentials = true, .anchors = true, .own = OPTIONAL}, {.anchors = true, .own = OPTIONAL}},
        {{.own = "disabled\n"}, {.own = "disabled\n"}},
};

#define POLICIES (sizeof(specs) / sizeof(*specs))

static struct host hosts[POLICIES][2];

struct text {
        uint8_t at[OAP_MESSAGE_MAX + 256];
        size_t  len;
};

static struct text before[2]; /* what was sent in the run before, each way */

static void set_up(void)
{
        for (size_t i = 0; i < POLICIES; i++) {
                for (int role = 0; role < 2; role++) {
                        struct host_spec spec = specs[i][role];

                        spec.key = PKI_ED25519;
                        spec.by  = &authorities()->root;
                        host_open(&hosts[i][role], role == 0 ? ROLE_CLIENT : ROLE_SERVER, &spec);
                }
        }
}

/* @n bytes at @at become @with of @m bytes. */
static void splice(struct text *t, size_t at, size_t n, const uint8_t *with, size_t m)
{
        if (at + n > t->len || t->len - n + m > sizeof(t->at))
                return;
        memmove(t->at + at + m, t->at + at + n, t->len - at - n);
        memcpy(t->at + at, with, m);
        t->len += m - n;
}

static void edit(struct text *t, const struct text *old, uint8_t what, size_t at, uint8_t value)
{
        if (t->len == 0)
                return;
        at %= t->len;
        switch (what % 6) {
        case 0: t->at[at] ^= value; return;
        case 1: t->at[at] = value; return;
        case 2: splice(t, at, 1, t->at, 0); return;
        case 3: splice(t, at, 0, &value, 1); return;
        case 4: t->len = at; return;
        default:
                if (at + value <= old->len)
                        splice(t, at, value, old->at + at, value);
        }
}

/* What arrives of @sent. */
static void meddle(struct input *in, struct text *t, struct span sent, const struct text *old)
{
        memcpy(t->at, sent.p, sent.len);
        t->len = sent.len;
        while (input_left(in)) {
                uint8_t what = input_byte(in);
                size_t  at;

                if (what == 0xff)
                        break;
                at = (size_t)input_le(in, 2);
                edit(t, old, what, at, input_byte(in));
        }
}

static void remember(struct text *t, struct span s)
{
        memcpy(t->at, s.p, s.len);
        t->len = s.len;
}

static bool same(const struct text *t, struct span s)
{
        return t->len == s.len && memcmp(t->at, s.p, s.len) == 0;
}

/* Whoever says that he knows the peer has got a message as the peer sent it: to this server, whose table is new. */
static void check_server(const struct pair *p, const struct text *t, enum oap_reason r)
{
        struct stance          st;
        const struct identity *id;

        MUST((oap_server_keys(p->server) != NULL) == (r == OAP_OK));
        if (r != OAP_OK)
                return;
        MUST(pair_stance(p, ROLE_SERVER, &st, &id) == OAP_OK);
        MUST((st.suites & SUITE_BIT(oap_server_keys(p->server)->suite)) != 0);
        MUST(!st.demand || oap_server_peer(p->server) != NULL);
        MUST(oap_server_peer(p->server) == NULL || same(t, p->request) ||
             same(t, (struct span){before[0].at, before[0].len}));
}

static void check_client(const struct pair *p, const struct text *request, const struct text *response,
                         enum oap_reason r)
{
        const struct oap_keys *c = oap_client_keys(p->client), *s = oap_server_keys(p->server);
        struct stance          st;
        const struct identity *id;

        MUST((c != NULL) == (r == OAP_OK));
        if (r != OAP_OK)
                return;
        MUST(pair_stance(p, ROLE_CLIENT, &st, &id) == OAP_OK);
        MUST(c->suite == st.suite && (!st.demand || oap_client_peer(p->client) != NULL));
        if (c->suite == SUITE_PLAIN && oap_client_peer(p->client) == NULL)
                return;
        MUST(same(request, p->request) && same(response, p->response));
        MUST(memcmp(c->c2s, s->c2s, RECORD_SECRET) == 0 && memcmp(c->s2c, s->s2c, RECORD_SECRET) == 0);
}

/* The certificates are always the same: one verification is enough. */
static void keep_chains(struct pair *p)
{
        static struct chains *chains[2];

        for (int i = 0; i < 2; i++) {
                if (chains[i] == NULL)
                        chains[i] = p->chains[i];
                else
                        chains_destroy(p->chains[i]);
                p->chains[i] = chains[i];
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static struct text request, response;
        struct input       in = {data, data + size};
        size_t             i  = input_byte(&in) % POLICIES;
        struct pair        p;
        enum oap_reason    r;

        if (hosts[0][0].creds == NULL)
                set_up();
        pair_open(&p, &hosts[i][0], &hosts[i][1]);
        keep_chains(&p);
        p.data  = "first";
        p.reply = "second";
        MUST(pair_ask(&p) == OAP_OK);
        meddle(&in, &request, p.request, &before[0]);
        form_check((struct span){request.at, request.len}, OAP_REQUEST);
        r = pair_serve(&p, (struct span){request.at, request.len});
        check_server(&p, &request, r);
        if (r == OAP_OK) {
                meddle(&in, &response, p.response, &before[1]);
                form_check((struct span){response.at, response.len}, OAP_RESPONSE);
                r = pair_finish(&p, (struct span){response.at, response.len});
                check_client(&p, &request, &response, r);
                remember(&before[1], p.response);
        }
        remember(&before[0], p.request);
        p.chains[0] = p.chains[1] = NULL;
        pair_close(&p);
        return 0;
}
