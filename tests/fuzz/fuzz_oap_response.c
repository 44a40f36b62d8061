/*
 * fuzz_oap_response.c - a client in the middle of its handshake that gets any response at all.
 *
 * input: | how 1 | response, from its byte 32 on with the id and header of the request, or a body |
 *
 * how: bit 0 x25519, or plain; 1 the client demands a signature; 2 the input is a body, which is sealed with the right keys
 * (x25519) by a server that knows them; 3 the response says AUTH; 4 the input is the whole message, header too.
 */
#include "oap/schedule.h"
#include "oap_form.h"
#include "oap_pair.h"

static struct host host;

static uint8_t message[OAP_MESSAGE_MAX];

/* A server's end of the key exchange: seals @body after the head at @message. Returns the length. */
static size_t seal(const struct pair *p, const struct oap_header *h, struct span body)
{
        struct oap_context c   = {.dst = PAIR_NAME};
        struct kex        *kex = kex_server(SUITE_X25519);
        uint8_t            value[32], z[KEX_SECRET_MAX], ctx[SHA384_LEN], request[SHA384_LEN];
        struct span        head = {message, OAP_HDR + sizeof(value)};
        struct schedule    k;
        int                n;

        memset(c.qos, 0x42, sizeof(c.qos)); /* as oap_pair.c */
        MUST(kex_answer(kex, p->request.p + OAP_HDR, 32, value) == 0);
        n = kex_answer_secret(kex, z);
        kex_destroy(kex);
        MUST(n == 32 && schedule_context(ctx, &c) == 0);
        MUST(sha384(request, (struct piece[]){{p->request.p, p->request.len}}, 1) == 0);
        oap_header_put(message, h, value, sizeof(value));
        MUST(schedule_begin(&k, ctx, request, head, z, (size_t)n) == 0);
        MUST(schedule_seal(&k, head, body, message + head.len) == 0);
        return head.len + body.len + SCHEDULE_TAG;
}

/* The response that the input stands for; its length. */
static size_t response(const struct pair *p, uint8_t how, const uint8_t *data, size_t size)
{
        struct oap_header h = {OAP_RESPONSE, how & 1 ? SUITE_X25519 : SUITE_PLAIN, how & 8, {0}, p->now_ns};
        uint8_t           kex[32] = {9};

        memcpy(h.id, p->request.p + 4, OAP_ID);
        if ((how & 5) == 5)
                return seal(p, &h, (struct span){data, size});
        if (how & 16) {
                memcpy(message, data, size);
                return size;
        }
        oap_header_put(message, &h, kex, how & 1 ? sizeof(kex) : 0);
        memcpy(message + OAP_HDR + (how & 1 ? sizeof(kex) : 0), data, size);
        return OAP_HDR + (how & 1 ? sizeof(kex) : 0) + size;
}

static void check(const struct pair *p, enum oap_reason r, const struct stance *st)
{
        const struct oap_facts *f = oap_client_facts(p->client);

        MUST((oap_client_keys(p->client) != NULL) == (r == OAP_OK));
        MUST(r == OAP_OK || oap_client_data(p->client).len == 0);
        MUST(f->reason == r);
        /* Nobody who is fed to us holds a key that the anchors vouch for. */
        MUST(!f->authenticated && !(st->demand && r == OAP_OK));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const struct host_spec spec = {.anchors = true};
        struct stance                 st   = {.suites = SUITE_BIT(SUITE_X25519) | SUITE_BIT(SUITE_PLAIN)};
        struct pair                   p;
        size_t                        len;

        if (size == 0 || size > OAP_MESSAGE_MAX - 128)
                return 0;
        if (host.creds == NULL)
                host_open(&host, ROLE_CLIENT, &spec);
        pair_open(&p, &host, &host);
        st.suite  = data[0] & 1 ? SUITE_X25519 : SUITE_PLAIN;
        st.demand = data[0] & 2;
        MUST(pair_ask_with(&p, &st, NULL) == OAP_OK);
        len = response(&p, data[0], data + 1, size - 1);
        form_check((struct span){message, len}, OAP_RESPONSE);
        check(&p, pair_finish(&p, (struct span){message, len}), &st);
        pair_close(&p);
        return 0;
}
