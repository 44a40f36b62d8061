/*
 * test_oap_hostile.c - somebody in the middle: every bit of both messages flipped, every length, certificates taken away,
 * messages exchanged and repeated. No flow may come of it that is weaker than the policy of either side.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "oap/schedule.h"
#include "oap_pair.h"

#include "random.h"

#define X      "suite = x25519\n"
#define MUTUAL "authentication = mutual\n" X
#define SERVER "authentication = server\n" X

/* Room for a message that grows. */
static uint8_t changed[OAP_MESSAGE_MAX + 64];

static struct span copy(struct span m)
{
        memcpy(changed, m.p, m.len);
        return (struct span){changed, m.len};
}

struct scene {
        struct host client, server;
        struct pair p;
};

static void scene_open(struct scene *s, const struct host_spec *client, const struct host_spec *server)
{
        host_open(&s->client, ROLE_CLIENT, client);
        host_open(&s->server, ROLE_SERVER, server);
        pair_open(&s->p, &s->client, &s->server);
        s->p.data  = "first data of the client";
        s->p.reply = "of the server";
}

static void scene_close(struct scene *s)
{
        pair_close(&s->p);
        host_close(&s->client);
        host_close(&s->server);
}

/* Both sign and demand. */
static void scene_mutual(struct scene *s)
{
        struct host_spec spec = {.credentials = true, .anchors = true, .own = MUTUAL, .key = PKI_ED25519};

        spec.by = &authorities()->root; /* short chains, and signatures of one length */
        scene_open(s, &spec, &spec);
}

/* Nobody signs, the flow is encrypted or not. */
static void scene_unsigned(struct scene *s, const char *rule)
{
        const struct host_spec spec = {.own = rule};

        scene_open(s, &spec, &spec);
}

static void check_refused(const struct pair *p)
{
        assert_null(oap_client_keys(p->client));
        assert_int_equal(oap_client_data(p->client).len, 0);
        assert_int_not_equal(oap_client_facts(p->client)->reason, OAP_OK);
}

/* -- every bit ------------------------------------------------------------------ */

static void flip(struct span m, size_t bit)
{
        changed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_true(bit / 8 < m.len);
}

/* A server that demands a signature never answers a request of which a bit was changed. */
static void test_bits_of_a_signed_request(void **state)
{
        struct scene s;
        size_t       bits;

        (void)state;
        scene_mutual(&s);
        assert_int_equal(pair_ask(&s.p), OAP_OK);
        bits = s.p.request.len * 8;
        for (size_t bit = 0; bit < bits; bit++) {
                struct span m = copy(s.p.request);

                flip(m, bit);
                assert_int_not_equal(pair_serve(&s.p, m), OAP_OK);
                assert_null(oap_server_keys(s.p.server));
                assert_int_equal(oap_server_data(s.p.server).len, 0);
        }
        assert_int_equal(replay_count(s.p.replay), 0); /* and nobody can fill the table like that */
        assert_int_equal(pair_serve(&s.p, s.p.request), OAP_OK);
        scene_close(&s);
}

/*
 * Where nothing is signed the server may answer, but the two do not come together: the changed request is in the keys.
 * In plain the first data may be another then, and nothing else.
 */
static void bits_of_an_unsigned_request(const char *rule, bool plain)
{
        struct scene s;

        scene_unsigned(&s, rule);
        assert_int_equal(pair_ask(&s.p), OAP_OK);
        for (size_t bit = 0; bit < s.p.request.len * 8; bit++) {
                enum oap_reason r;
                struct span     m;

                assert_int_equal(pair_ask(&s.p), OAP_OK);
                m = copy(s.p.request);
                flip(m, bit);
                r = pair_serve(&s.p, m);
                if (r == OAP_OK)
                        r = pair_finish(&s.p, s.p.response);
                if (r == OAP_OK) {
                        assert_true(plain && (bit >= 8 * OAP_HDR || (bit >= 8 * 20 && bit < 8 * 28)));
                        assert_int_equal(oap_client_keys(s.p.client)->suite, SUITE_PLAIN);
                } else if (oap_client_facts(s.p.client)->reason != OAP_OK) {
                        check_refused(&s.p);
                }
        }
        scene_close(&s);
}

static void test_bits_of_an_unsigned_request(void **state)
{
        (void)state;
        bits_of_an_unsigned_request(X, false);
        bits_of_an_unsigned_request("disabled\n", true);
}

/* The object handles one response, so that each bit takes a client of its own: the client is cheap, with @rule. */
static void bits_of_a_response(const char *client, const char *server, bool credentials, bool plain)
{
        const struct host_spec c = {.anchors = credentials, .own = client};
        struct host_spec       v = {.credentials = credentials, .own = server, .key = PKI_ED25519};
        struct scene           s;

        v.by = &authorities()->root; /* a short chain, and signatures of one length */
        scene_open(&s, &c, &v);
        for (size_t bit = 0; bit == 0 || bit < s.p.response.len * 8; bit++) {
                struct span m;

                assert_int_equal(pair_ask(&s.p), OAP_OK);
                assert_int_equal(pair_serve(&s.p, s.p.request), OAP_OK);
                m = copy(s.p.response);
                flip(m, bit);
                if (pair_finish(&s.p, m) != OAP_OK) {
                        check_refused(&s.p);
                        continue;
                }
                assert_true(plain);
                assert_int_equal(oap_client_keys(s.p.client)->suite, SUITE_PLAIN);
        }
        scene_close(&s);
}

static void test_bits_of_a_sealed_response(void **state)
{
        (void)state;
        bits_of_a_response(SERVER, SERVER, true, false);
        bits_of_a_response(X, X, false, false);
}

static void test_bits_of_a_plain_response(void **state)
{
        (void)state;
        bits_of_a_response("disabled\n", "disabled\n", true, false); /* signed */
        bits_of_a_response("disabled\n", "disabled\n", false, true);
}

/* -- every length ---------------------------------------------------------------- */

static void test_lengths_of_a_request(void **state)
{
        struct scene s;

        (void)state;
        scene_mutual(&s);
        assert_int_equal(pair_ask(&s.p), OAP_OK);
        for (size_t len = 0; len < s.p.request.len; len++)
                assert_int_not_equal(pair_serve(&s.p, (struct span){s.p.request.p, len}), OAP_OK);
        copy(s.p.request);
        memset(changed + s.p.request.len, 0x30, 64);
        for (size_t more = 1; more <= 64; more++)
                assert_int_not_equal(pair_serve(&s.p, (struct span){changed, s.p.request.len + more}),
                                     OAP_OK);
        memset(changed + s.p.request.len, 0, sizeof(changed) - s.p.request.len);
        assert_int_not_equal(pair_serve(&s.p, (struct span){changed, OAP_MESSAGE_MAX}), OAP_OK);
        assert_int_equal(pair_serve(&s.p, (struct span){changed, OAP_MESSAGE_MAX + 1}), OAP_MALFORMED);
        assert_int_equal(pair_serve(&s.p, s.p.request), OAP_OK);
        scene_close(&s);
}

static void lengths_of_a_response(const char *rule)
{
        struct host_spec spec = {.credentials = true, .anchors = true, .own = rule, .key = PKI_ED25519};
        struct scene     s;
        size_t           len = 0;

        spec.by = &authorities()->root;

        scene_open(&s, &spec, &spec);
        do {
                struct span m;

                assert_int_equal(pair_ask(&s.p), OAP_OK);
                assert_int_equal(pair_serve(&s.p, s.p.request), OAP_OK);
                replay_destroy(s.p.replay);
                s.p.replay     = replay_create(1024, 1, PKI_NOW_NS, INT64_C(30000000000));
                m              = copy(s.p.response);
                changed[m.len] = 0;
                if (len == m.len) /* one byte too many */
                        len++;
                assert_int_not_equal(pair_finish(&s.p, (struct span){changed, len}), OAP_OK);
                check_refused(&s.p);
        } while (len++ < s.p.response.len);
        scene_close(&s);
}

static void test_lengths_of_a_response(void **state)
{
        (void)state;
        lengths_of_a_response(X);
        lengths_of_a_response("disabled\n");
}

/* -- what a middle can do that knows the protocol --------------------------------- */

/* @m without AUTH: certificates and signature are taken out. Only of a body in clear. */
static struct span strip(struct span m, enum oap_type type)
{
        struct oap_header h;
        struct span       kex, body;
        struct oap_body   b;
        size_t            n;

        assert_true(oap_header_get(m.p, m.len, type, &h, &kex, &body));
        assert_true(oap_body_get(body, h.auth, &b));
        h.auth = false;
        n      = oap_header_put(changed, &h, kex.p, kex.len);
        n += oap_body_put(changed + n, (struct span){NULL, 0}, b.data);
        return (struct span){changed, n};
}

static void test_stripped_request(void **state)
{
        static const struct host_spec mild = {.credentials = true, .anchors = true, .own = SERVER};
        static const struct host_spec both = {.credentials = true, .anchors = true, .own = X};
        struct scene                  s;

        (void)state;
        scene_mutual(&s);
        assert_int_equal(pair_ask(&s.p), OAP_OK);
        assert_int_equal(pair_serve(&s.p, strip(s.p.request, OAP_REQUEST)), OAP_NO_CERT);
        scene_close(&s);
        /* A server that demands nothing answers; the client finds that it is not to its request. */
        scene_open(&s, &both, &mild);
        assert_int_equal(pair_ask(&s.p), OAP_OK);
        assert_int_equal(pair_serve(&s.p, strip(s.p.request, OAP_REQUEST)), OAP_OK);
        assert_int_equal(pair_finish(&s.p, s.p.response), OAP_BAD_TAG);
        check_refused(&s.p);
        scene_close(&s);
}

static void test_stripped_response(void **state)
{
        static const struct host_spec plain = {.credentials = true, .anchors = true, .own = "disabled\n"};
        struct scene                  s;
        const uint8_t                *flags;

        (void)state;
        scene_open(&s, &plain, &plain);
        assert_int_equal(pair_ask(&s.p), OAP_OK);
        assert_int_equal(pair_serve(&s.p, s.p.request), OAP_OK);
        assert_int_equal(pair_finish(&s.p, strip(s.p.response, OAP_RESPONSE)), OAP_NO_CERT);
        check_refused(&s.p);
        scene_close(&s);
        scene_mutual(&s);
        assert_int_equal(pair_ask(&s.p), OAP_OK);
        assert_int_equal(pair_serve(&s.p, s.p.request), OAP_OK);
        copy(s.p.response);
        flags      = &changed[3];
        changed[3] = 0;
        assert_int_equal(pair_finish(&s.p, (struct span){changed, s.p.response.len}), OAP_NO_CERT);
        assert_int_equal(*flags, 0);
        scene_close(&s);
}

/* A response that says another suite than was asked for, well formed in itself. */
static void test_suite_downgrade(void **state)
{
        struct scene      s;
        struct oap_header h       = {.type = OAP_RESPONSE};
        uint8_t           kex[97] = {4};

        (void)state;
        for (int suite = 0; suite <= SUITE_P384; suite++) {
                size_t n;

                scene_unsigned(&s, X);
                assert_int_equal(pair_ask(&s.p), OAP_OK);
                h.suite = (enum suite)suite;
                memcpy(h.id, s.p.request.p + 4, OAP_ID);
                n = oap_header_put(changed, &h, kex, suite == SUITE_PLAIN ? 0 : sizeof(kex));
                n += oap_body_put(changed + n, (struct span){NULL, 0}, (struct span){NULL, 0});
                assert_int_equal(
                        pair_finish(&s.p, (struct span){changed, n + (suite == SUITE_PLAIN ? 0 : 16)}),
                        suite == SUITE_PLAIN ? OAP_PLAIN : OAP_SUITE);
                check_refused(&s.p);
                scene_close(&s);
        }
        /* And a request: the server's policy names one suite. */
        scene_unsigned(&s, X);
        assert_int_equal(pair_ask(&s.p), OAP_OK);
        memcpy(h.id, s.p.request.p + 4, OAP_ID);
        h.type  = OAP_REQUEST;
        h.suite = SUITE_PLAIN;
        assert_int_equal(
                pair_serve(&s.p, (struct span){changed,
                                               oap_header_put(changed, &h, NULL, 0) +
                                                       oap_body_put(changed + OAP_HDR, (struct span){NULL, 0},
                                                                    (struct span){NULL, 0})}),
                OAP_PLAIN);
        scene_close(&s);
}

static void test_response_to_another_request(void **state)
{
        struct scene s;
        struct span  m;

        (void)state;
        scene_mutual(&s);
        assert_int_equal(pair_ask(&s.p), OAP_OK);
        assert_int_equal(pair_serve(&s.p, s.p.request), OAP_OK);
        m = copy(s.p.response);
        assert_int_equal(pair_ask(&s.p), OAP_OK);
        assert_int_equal(pair_finish(&s.p, m), OAP_NOT_MY_REQUEST);
        check_refused(&s.p);
        /* With the id of this one it is the keys that differ. */
        assert_int_equal(pair_ask(&s.p), OAP_OK);
        memcpy(changed + 4, s.p.request.p + 4, OAP_ID);
        assert_int_equal(pair_finish(&s.p, m), OAP_BAD_TAG);
        check_refused(&s.p);
        /* A request that comes back is none. */
        assert_int_equal(pair_ask(&s.p), OAP_OK);
        assert_int_equal(pair_finish(&s.p, s.p.request), OAP_MALFORMED);
        assert_int_equal(pair_serve(&s.p, m), OAP_MALFORMED);
        scene_close(&s);
}

static void test_second_response(void **state)
{
        struct scene    s;
        struct oap_keys first;

        (void)state;
        scene_mutual(&s);
        assert_int_equal(pair_run(&s.p), OAP_OK);
        first = *oap_client_keys(s.p.client);
        assert_int_equal(pair_finish(&s.p, s.p.response), OAP_NOT_MY_REQUEST);
        assert_memory_equal(&first, oap_client_keys(s.p.client), sizeof(first)); /* the flow is as it was */
        oap_keys_wipe(&first);
        assert_int_equal(first.c2s[0] | first.c2s[47] | first.s2c[0] | first.s2c[47], 0);
        /* After a wrong one the right one comes too late. */
        assert_int_equal(pair_ask(&s.p), OAP_OK);
        assert_int_equal(pair_serve(&s.p, s.p.request), OAP_OK);
        assert_int_equal(pair_finish(&s.p, (struct span){s.p.response.p, 10}), OAP_MALFORMED);
        assert_int_equal(pair_finish(&s.p, s.p.response), OAP_NOT_MY_REQUEST);
        check_refused(&s.p);
        scene_close(&s);
}

/* The name and the QoS are not sent, and are in every key and signature. */
static void test_context(void **state)
{
        static const struct host_spec client = {.anchors = true, .own = X}, server = {.own = X};
        struct scene                  s;

        (void)state;
        for (int signs = 0; signs < 2; signs++) {
                struct host_spec c = client;

                c.credentials = signs;
                c.anchors     = false;
                scene_open(&s, &c, &server);
                if (signs) { /* a server that can verify, for another name: the signature is of this one */
                        struct host_spec v = server;

                        v.anchors = true;
                        host_close(&s.server);
                        host_open(&s.server, ROLE_SERVER, &v);
                }
                assert_int_equal(pair_ask(&s.p), OAP_OK);
                s.p.name = "other.example";
                {
                        static const struct stance st = {.suites = SUITE_BIT(SUITE_X25519)};
                        enum oap_reason            r  = pair_serve_with(&s.p, s.p.request, &st, NULL);

                        assert_int_equal(r, signs ? OAP_BAD_SIGNATURE : OAP_OK);
                        if (r == OAP_OK)
                                assert_int_equal(pair_finish(&s.p, s.p.response), OAP_BAD_TAG);
                }
                scene_close(&s);
        }
}

/* Values of the key exchange that are none. */
static void test_key_exchange_values(void **state)
{
        struct scene s;
        struct span  m;

        (void)state;
        scene_unsigned(&s, X);
        assert_int_equal(pair_ask(&s.p), OAP_OK);
        m = copy(s.p.request);
        memset(changed + OAP_HDR, 0, 32);
        assert_int_equal(pair_serve(&s.p, m), OAP_BAD_KEX);
        assert_null(oap_server_keys(s.p.server));
        assert_int_equal(pair_serve(&s.p, s.p.request), OAP_OK);
        m = copy(s.p.response);
        memset(changed + OAP_HDR, 0, 32);
        assert_int_equal(pair_finish(&s.p, m), OAP_BAD_KEX);
        check_refused(&s.p);
        scene_close(&s);
        scene_unsigned(&s, "suite = p384\n");
        assert_int_equal(pair_ask(&s.p), OAP_OK);
        m = copy(s.p.request);
        changed[OAP_HDR + 96] ^= 1;
        assert_int_equal(pair_serve(&s.p, m), OAP_BAD_KEX);
        scene_close(&s);
}

/* A peer that seals rubbish under the right key: it is malformed after it was opened. */
static void test_sealed_rubbish(void **state)
{
        struct scene         s;
        struct schedule      k;
        struct kex          *kex = kex_server(SUITE_X25519);
        uint8_t              z[KEX_SECRET_MAX], ctx[SHA384_LEN], request[SHA384_LEN];
        struct oap_context   c         = {.dst = PAIR_NAME};
        struct oap_header    h         = {.type = OAP_RESPONSE, .suite = SUITE_X25519};
        static const uint8_t rubbish[] = {0, 9, 0, 9, 1, 2, 3};
        uint8_t              value[32];
        struct span          head = {changed, OAP_HDR + 32};
        int                  n;

        (void)state;
        memset(c.qos, 0x42, sizeof(c.qos));
        scene_unsigned(&s, X);
        assert_int_equal(pair_ask(&s.p), OAP_OK);
        assert_int_equal(kex_answer(kex, s.p.request.p + OAP_HDR, 32, value), 0);
        n = kex_answer_secret(kex, z);
        assert_int_equal(n, 32);
        memcpy(h.id, s.p.request.p + 4, OAP_ID);
        oap_header_put(changed, &h, value, sizeof(value));
        schedule_context(ctx, &c);
        sha384(request, (struct piece[]){{s.p.request.p, s.p.request.len}}, 1);
        assert_int_equal(schedule_begin(&k, ctx, request, head, z, (size_t)n), 0);
        assert_int_equal(schedule_seal(&k, head, (struct span){rubbish, sizeof(rubbish)}, changed + head.len),
                         0);
        assert_int_equal(pair_finish(&s.p, (struct span){changed, head.len + sizeof(rubbish) + 16}),
                         OAP_MALFORMED);
        check_refused(&s.p);
        kex_destroy(kex);
        scene_close(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_bits_of_a_signed_request),
                cmocka_unit_test(test_bits_of_an_unsigned_request),
                cmocka_unit_test(test_bits_of_a_sealed_response),
                cmocka_unit_test(test_bits_of_a_plain_response),
                cmocka_unit_test(test_lengths_of_a_request),
                cmocka_unit_test(test_lengths_of_a_response),
                cmocka_unit_test(test_stripped_request),
                cmocka_unit_test(test_stripped_response),
                cmocka_unit_test(test_suite_downgrade),
                cmocka_unit_test(test_response_to_another_request),
                cmocka_unit_test(test_second_response),
                cmocka_unit_test(test_context),
                cmocka_unit_test(test_key_exchange_values),
                cmocka_unit_test(test_sealed_rubbish),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
