/*
 * test_oap_steps.c - the engines step by step: the clock and what was seen, steps that are left out or come twice, callers
 * that ask for what cannot be, two steps at once.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "oap_pair.h"

#define X   "suite = x25519\n"
#define SEC INT64_C(1000000000)

static const struct host_spec nothing, anchors_only = {.anchors = true},
                                       identity_only = {.credentials = true};
static const struct host_spec unsigned_x             = {.own = X};
static const struct host_spec signed_x               = {.credentials = true, .anchors = true, .own = X};

/* -- time --------------------------------------------------------------------- */

static void test_clock_and_replay(void **state)
{
        struct host client, server;
        struct pair p;
        uint8_t     kept[4096];
        struct span old = {kept, 0};

        (void)state;
        host_open(&client, ROLE_CLIENT, &signed_x);
        host_open(&server, ROLE_SERVER, &signed_x);
        pair_open(&p, &client, &server);
        assert_int_equal(pair_run(&p), OAP_OK);
        assert_true(p.keep_ns == PKI_NOW_NS + SEC);
        memcpy(kept, p.request.p, p.request.len);
        old.len = p.request.len;
        assert_int_equal(pair_serve(&p, old), OAP_REPLAY);
        assert_true(oap_server_facts(p.server)->reason == OAP_REPLAY);
        assert_int_equal(oap_server_data(p.server).len, 0);
        p.now_ns += 31 * SEC;
        assert_int_equal(pair_serve(&p, old), OAP_CLOCK);
        assert_true(oap_server_facts(p.server)->peer_clock_ns == PKI_NOW_NS);
        assert_non_null(strstr(oap_server_facts(p.server)->detail, "1800000000000000000"));
        p.now_ns -= 62 * SEC;
        assert_int_equal(pair_serve(&p, old), OAP_CLOCK);
        p.now_ns += 31 * SEC; /* back: it is below the horizon now, or in the table */
        assert_int_not_equal(pair_serve(&p, old), OAP_OK);
        pair_close(&p);
        host_close(&client);
        host_close(&server);
}

static void test_unsigned_requests_have_no_clock(void **state)
{
        struct host client, server;
        struct pair p;

        (void)state;
        host_open(&client, ROLE_CLIENT, &unsigned_x);
        host_open(&server, ROLE_SERVER, &unsigned_x);
        pair_open(&p, &client, &server);
        assert_int_equal(pair_ask(&p), OAP_OK);
        p.now_ns += 1000 * SEC;
        assert_int_equal(pair_serve(&p, p.request), OAP_OK);
        assert_int_equal(pair_finish(&p, p.response), OAP_OK);
        assert_int_equal(pair_serve(&p, p.request), OAP_OK);
        assert_int_equal(replay_count(p.replay), 0);
        assert_true(p.keep_ns == 0);
        pair_close(&p);
        host_close(&client);
        host_close(&server);
}

static void test_busy(void **state)
{
        struct host client, server;
        struct pair p;

        (void)state;
        host_open(&client, ROLE_CLIENT, &signed_x);
        host_open(&server, ROLE_SERVER, &signed_x);
        pair_open(&p, &client, &server);
        replay_destroy(p.replay);
        p.replay = replay_create(16, 1, PKI_NOW_NS, 30 * SEC);
        assert_int_equal(pair_run(&p), OAP_OK);
        assert_int_equal(pair_run(&p), OAP_BUSY);
        assert_int_equal(oap_server_data(p.server).len, 0);
        pair_close(&p);
        host_close(&client);
        host_close(&server);
}

/* -- what an engine refuses of its own caller --------------------------------- */

static void test_light(void **state)
{
        struct host client, server;
        struct pair p;

        (void)state;
        host_open(&client, ROLE_CLIENT, &nothing);
        host_open(&server, ROLE_SERVER, &nothing);
        pair_open(&p, &client, &server);
        assert_int_equal(pair_run(&p), OAP_OK);
        assert_true(p.light[0] && p.light[1]);
        pair_close(&p);
        host_close(&client);
        host_open(&client, ROLE_CLIENT, &anchors_only);
        pair_open(&p, &client, &server);
        p.local = true;
        assert_int_equal(pair_run(&p), OAP_OK);
        assert_false(p.light[0] || p.light[1]);
        pair_close(&p);
        host_close(&client);
        host_close(&server);
}

static void test_faults_fail_closed(void **state)
{
        static const struct host_spec faulty[] = {
                {.credentials = true, .anchors = true, .own = "nonsense\n"},
                {.credentials = true, .anchors = true, .root = "nonsense\n"},
        };
        struct host   good, bad;
        struct stance open = {.suites = SUITE_BIT(SUITE_PLAIN)};
        struct pair   p;

        (void)state;
        host_open(&good, ROLE_SERVER, &nothing);
        for (size_t i = 0; i < 2; i++) {
                host_open(&bad, ROLE_CLIENT, &faulty[i]);
                pair_open(&p, &bad, &good);
                assert_int_equal(pair_ask_with(&p, &open, creds_client(bad.creds, "alice")), OAP_BAD_POLICY);
                assert_null(oap_client_keys(p.client));
                pair_close(&p);
                pair_open(&p, &good, &bad);
                assert_int_equal(pair_ask(&p), OAP_OK);
                assert_int_equal(pair_serve_with(&p, p.request, &open, creds_client(bad.creds, "alice")),
                                 OAP_BAD_POLICY);
                pair_close(&p);
                host_close(&bad);
        }
        host_close(&good);
        host_open(&bad, ROLE_CLIENT, &identity_only);
        pki_write(bad.dir, "cacert/bad.pem", "rubbish");
        creds_unref(bad.creds);
        bad.creds = creds_read(bad.dir, NULL, NULL, NULL);
        pair_open(&p, &bad, &bad);
        assert_int_equal(pair_ask_with(&p, &open, NULL), OAP_BAD_CREDENTIALS);
        pair_close(&p);
        host_close(&bad);
}

static void test_nothing_to_sign_with(void **state)
{
        struct stance sign = {.sign = true, .suites = SUITE_BIT(SUITE_PLAIN)};
        struct host   host, empty;
        struct pair   p;

        (void)state;
        host_open(&host, ROLE_CLIENT, &anchors_only);
        host_open(&empty, ROLE_CLIENT, &(struct host_spec){.own = "disabled\n"});
        pair_open(&p, &host, &host);
        assert_int_equal(pair_ask_with(&p, &sign, NULL), OAP_NO_CREDENTIALS);
        pair_close(&p);
        pair_open(&p, &empty, &empty);
        assert_int_equal(pair_ask_with(&p, &sign, creds_client(empty.creds, "alice")), OAP_NO_CREDENTIALS);
        pair_close(&p);
        host_close(&host);
        host_close(&empty);
}

static struct oap_client *client_of(struct kex *kex, const char *dst, enum suite suite, const struct host *h,
                                    size_t data_len)
{
        static const uint8_t   id[OAP_ID], data[OAP_DATA_MAX + 1];
        struct oap_client_conf conf = {.ctx      = {.dst = dst},
                                       .creds    = h->creds,
                                       .kex      = kex,
                                       .id       = id,
                                       .data     = data,
                                       .data_len = data_len};

        conf.stance.suite  = suite;
        conf.stance.suites = SUITE_BIT(suite);
        return oap_client_create(&conf);
}

static void test_misuse(void **state)
{
        char               name[258];
        struct host        h;
        struct oap_client *c;
        struct span        s;

        (void)state;
        host_open(&h, ROLE_CLIENT, &nothing);
        memset(name, 'a', sizeof(name));
        name[257] = '\0';
        assert_null(client_of(NULL, name, SUITE_PLAIN, &h, 0));
        name[256] = '\0';
        assert_null(client_of(NULL, name, SUITE_PLAIN, &h, 0));
        assert_null(client_of(kex_client(SUITE_X25519), "", SUITE_X25519, &h, 0));
        name[255] = '\0';
        c         = client_of(NULL, name, SUITE_PLAIN, &h, OAP_DATA_MAX);
        assert_int_equal(oap_client_request(c, 0, &s), OAP_OK);
        assert_int_equal(oap_client_request(c, 0, &s), OAP_INTERNAL);
        oap_client_destroy(c);
        c = client_of(NULL, name, SUITE_X25519, &h, 0);
        assert_false(oap_client_is_light(c)); /* the key pair may come later */
        oap_client_give_kex(c, kex_client(SUITE_X25519));
        oap_client_give_kex(c, kex_client(SUITE_X25519));
        assert_int_equal(oap_client_request(c, 0, &s), OAP_OK);
        oap_client_give_kex(c, kex_client(SUITE_X25519)); /* too late: the first is used */
        oap_client_destroy(c);
        c = client_of(NULL, name, SUITE_X25519, &h, 0);
        assert_int_equal(oap_client_request(c, 0, &s), OAP_INTERNAL);
        oap_client_destroy(c);
        c = client_of(kex_client(SUITE_X25519), name, SUITE_PLAIN, &h, 0);
        assert_int_equal(oap_client_request(c, 0, &s), OAP_INTERNAL);
        oap_client_destroy(c);
        c = client_of(NULL, name, SUITE_PLAIN, &h, OAP_DATA_MAX + 1);
        assert_int_equal(oap_client_request(c, 0, &s), OAP_MALFORMED);
        assert_int_equal(oap_client_response(c, (const uint8_t *)"", 0, 0), OAP_NOT_MY_REQUEST);
        oap_client_destroy(c);
        oap_client_destroy(NULL);
        oap_server_destroy(NULL);
        host_close(&h);
}

/* A server at which the request of @p has been admitted. */
static struct oap_server *admitted(const struct pair *p, const struct stance *st)
{
        struct oap_server_conf conf = {
                .ctx = {.dst = PAIR_NAME}, .stance = *st, .creds = p->server_host->creds};
        struct oap_server *s = oap_server_create(&conf);
        int64_t            keep;

        assert_int_equal(oap_server_begin(s, p->request.p, p->request.len, p->replay, SEC, p->now_ns),
                         OAP_OK);
        assert_int_equal(oap_server_verify(s, p->now_ns), OAP_OK);
        assert_int_equal(oap_server_admit(s, p->replay, p->now_ns, &keep), OAP_OK);
        return s;
}

/* Steps that are left out, made twice or given the wrong key pair: no response, no keys. */
static void test_order_of_steps(void **state)
{
        static const uint8_t         data[OAP_DATA_MAX + 1];
        const struct stance          st    = {.suites = SUITE_BIT(SUITE_X25519)};
        const struct oap_server_conf early = {.ctx = {.dst = PAIR_NAME}, .stance = st};
        struct oap_server_conf       conf  = early;
        struct oap_server           *s;
        struct host                  h;
        struct pair                  p;
        struct span                  out;
        int64_t                      keep;

        (void)state;
        host_open(&h, ROLE_CLIENT, &unsigned_x);
        pair_open(&p, &h, &h);
        assert_int_equal(pair_ask(&p), OAP_OK);

        conf.creds = h.creds;
        s          = oap_server_create(&conf);
        assert_int_equal(oap_server_admit(s, p.replay, 0, &keep), OAP_INTERNAL);
        assert_int_equal(oap_server_begin(s, p.request.p, p.request.len, p.replay, SEC, 0), OAP_INTERNAL);
        assert_int_equal(oap_server_verify(s, 0), OAP_INTERNAL);
        assert_int_equal(oap_server_agree(s), OAP_INTERNAL);
        oap_server_destroy(s);

        s = admitted(&p, &st);
        assert_int_equal(oap_server_give_kex(s, NULL), OAP_INTERNAL);
        oap_server_destroy(s);
        s = admitted(&p, &st);
        assert_int_equal(oap_server_give_kex(s, kex_server(SUITE_P384)), OAP_INTERNAL);
        assert_int_equal(oap_server_agree(s), OAP_INTERNAL);
        oap_server_destroy(s);
        s = admitted(&p, &st);
        assert_int_equal(oap_server_sign(s, data, 0, 0), OAP_INTERNAL); /* before there is a key */
        assert_int_equal(oap_server_give_kex(s, kex_server(SUITE_X25519)), OAP_OK);
        assert_int_equal(oap_server_sign(s, data, 0, 0), OAP_OK);
        assert_int_equal(oap_server_sign(s, data, 0, 0), OAP_INTERNAL);
        assert_int_equal(oap_server_respond(s, &out), OAP_INTERNAL); /* has not agreed */
        assert_null(oap_server_keys(s));
        assert_int_equal(out.len, 0);
        oap_server_destroy(s);
        s = admitted(&p, &st);
        assert_int_equal(oap_server_give_kex(s, kex_server(SUITE_X25519)), OAP_OK);
        assert_int_equal(oap_server_agree(s), OAP_OK);
        assert_int_equal(oap_server_agree(s), OAP_INTERNAL);
        assert_int_equal(oap_server_sign(s, data, sizeof(data), 0), OAP_MALFORMED);
        assert_int_equal(oap_server_respond(s, &out), OAP_MALFORMED);
        assert_int_equal(oap_server_respond(s, &out), OAP_INTERNAL);
        assert_null(oap_server_keys(s));
        oap_server_destroy(s);
        s = admitted(&p, &st);
        assert_int_equal(oap_server_give_kex(s, kex_server(SUITE_X25519)), OAP_OK);
        assert_int_equal(oap_server_give_kex(s, kex_server(SUITE_X25519)), OAP_INTERNAL);
        assert_int_equal(oap_server_data(s).len, 0);
        oap_server_destroy(s);
        conf.ctx.dst = "";
        assert_null(oap_server_create(&conf));
        conf.ctx.dst       = PAIR_NAME;
        conf.stance.kernel = true;
        conf.kernel        = "uid:99999999999999999999999999999";
        assert_null(oap_server_create(&conf));
        pair_close(&p);
        host_close(&h);
}

static void *agree(void *server)
{
        return (void *)(uintptr_t)oap_server_agree(server);
}

/* The two dear steps of a server, on two threads. */
static void test_agree_beside_sign(void **state)
{
        const struct identity *id;
        struct oap_server_conf conf = {.ctx = {.dst = PAIR_NAME}};
        struct host            client, server;
        struct pair            p;

        (void)state;
        host_open(&client, ROLE_CLIENT, &signed_x);
        host_open(&server, ROLE_SERVER, &signed_x);
        pair_open(&p, &client, &server);
        memset(conf.ctx.qos, 0x42, sizeof(conf.ctx.qos));
        assert_int_equal(pair_stance(&p, ROLE_SERVER, &conf.stance, &id), OAP_OK);
        conf.creds    = server.creds;
        conf.identity = id;
        for (int turn = 0; turn < 50; turn++) {
                struct oap_server *s = oap_server_create(&conf);
                struct span        out;
                pthread_t          t;
                void              *r;

                assert_int_equal(pair_ask(&p), OAP_OK);
                assert_int_equal(oap_server_begin(s, p.request.p, p.request.len, p.replay, SEC, p.now_ns),
                                 OAP_OK);
                assert_int_equal(oap_server_verify(s, p.now_ns), OAP_OK);
                assert_int_equal(oap_server_admit(s, p.replay, p.now_ns, &p.keep_ns), OAP_OK);
                assert_int_equal(oap_server_give_kex(s, kex_server(SUITE_X25519)), OAP_OK);
                assert_int_equal(pthread_create(&t, NULL, agree, s), 0);
                assert_int_equal(oap_server_sign(s, NULL, 0, p.now_ns), OAP_OK);
                pthread_join(t, &r);
                assert_null(r);
                assert_int_equal(oap_server_respond(s, &out), OAP_OK);
                assert_int_equal(pair_finish(&p, out), OAP_OK);
                assert_memory_equal(oap_client_keys(p.client)->c2s, oap_server_keys(s)->c2s, RECORD_SECRET);
                oap_server_destroy(s);
        }
        pair_close(&p);
        host_close(&client);
        host_close(&server);
}

/* Where the kernel vouches and has said for nobody, it has not. */
static void test_kernel_without_a_name(void **state)
{
        struct stance          st   = {.suites = SUITE_BIT(SUITE_PLAIN), .lists = true, .kernel = true};
        struct oap_server_conf conf = {.ctx = {.dst = PAIR_NAME}, .stance = st};
        struct oap_server     *s;
        struct host            h;
        struct pair            p;

        (void)state;
        host_open(&h, ROLE_CLIENT, &nothing);
        pair_open(&p, &h, &h);
        assert_int_equal(pair_ask(&p), OAP_OK);
        conf.creds = h.creds;
        s          = oap_server_create(&conf);
        assert_int_equal(oap_server_begin(s, p.request.p, p.request.len, p.replay, SEC, 0), OAP_NO_CERT);
        oap_server_destroy(s);
        /* Nor has it where the flow is not local. */
        conf.kernel        = "uid:0";
        conf.stance.kernel = false;
        s                  = oap_server_create(&conf);
        assert_int_equal(oap_server_begin(s, p.request.p, p.request.len, p.replay, SEC, 0), OAP_NO_CERT);
        oap_server_destroy(s);
        /* A plain handshake has no key pair. */
        conf.stance.lists = false;
        s                 = oap_server_create(&conf);
        assert_int_equal(oap_server_begin(s, p.request.p, p.request.len, p.replay, SEC, 0), OAP_OK);
        assert_int_equal(oap_server_verify(s, 0), OAP_OK);
        assert_int_equal(oap_server_admit(s, p.replay, 0, &p.keep_ns), OAP_OK);
        assert_int_equal(oap_server_give_kex(s, kex_server(SUITE_X25519)), OAP_OK);
        assert_int_equal(oap_server_agree(s), OAP_INTERNAL);
        oap_server_destroy(s);
        pair_close(&p);
        host_close(&h);
}

/* -- the share of time that is not public-key work ----------------------------- */

static int64_t now(void)
{
        struct timespec t;

        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
        return t.tv_sec * SEC + t.tv_nsec;
}

/* Plain, unsigned handshakes are all parsing, hashing, copying and policy: what every handshake pays besides. */
static void test_own_share(void **state)
{
        struct host h;
        struct pair p;
        int64_t     begin, each;

        (void)state;
        host_open(&h, ROLE_CLIENT, &nothing);
        pair_open(&p, &h, &h);
        begin = now();
        for (int i = 0; i < 1000; i++)
                assert_int_equal(pair_run(&p), OAP_OK);
        each = (now() - begin) / 1000;
        print_message("a plain handshake, both sides: %.1f us\n", (double)each / 1000);
        assert_true(each < SEC / 1000);
        pair_close(&p);
        host_close(&h);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_clock_and_replay),
                cmocka_unit_test(test_unsigned_requests_have_no_clock),
                cmocka_unit_test(test_busy),
                cmocka_unit_test(test_light),
                cmocka_unit_test(test_faults_fail_closed),
                cmocka_unit_test(test_nothing_to_sign_with),
                cmocka_unit_test(test_misuse),
                cmocka_unit_test(test_order_of_steps),
                cmocka_unit_test(test_agree_beside_sign),
                cmocka_unit_test(test_kernel_without_a_name),
                cmocka_unit_test(test_own_share),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
