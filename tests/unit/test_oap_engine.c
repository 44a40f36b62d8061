/* test_oap_engine.c - handshakes between two hosts with real credentials: what comes of every policy. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "oap_pair.h"

static const struct host_spec nothing, anchors_only = {.anchors = true},
                                       identity_only = {.credentials = true};

static bool same_keys(const struct pair *p)
{
        const struct oap_keys *c = oap_client_keys(p->client), *s = oap_server_keys(p->server);

        assert_non_null(c);
        assert_non_null(s);
        return c->suite == s->suite && memcmp(c->c2s, s->c2s, RECORD_SECRET) == 0 &&
               memcmp(c->s2c, s->s2c, RECORD_SECRET) == 0;
}

static bool is_zero(const uint8_t *p, size_t n)
{
        while (n > 0 && *p == 0) {
                p++;
                n--;
        }
        return n == 0;
}

/* Of a flow that both have. */
static void check_keys(const struct pair *p)
{
        const struct oap_keys *k = oap_client_keys(p->client);

        assert_true(same_keys(p));
        assert_int_equal(is_zero(k->c2s, RECORD_SECRET), k->suite == SUITE_PLAIN);
        assert_int_equal(is_zero(k->s2c, RECORD_SECRET), k->suite == SUITE_PLAIN);
        if (k->suite != SUITE_PLAIN)
                assert_memory_not_equal(k->c2s, k->s2c, RECORD_SECRET);
}

/* Nothing leaks out of a handshake that failed. */
static void check_nothing(const struct pair *p)
{
        if (p->client != NULL) {
                assert_null(oap_client_keys(p->client));
                assert_int_equal(oap_client_data(p->client).len, 0);
        }
}

/* One handshake of two hosts; checks what every handshake must keep to. */
static enum oap_reason meet(const struct host_spec *c, const struct host_spec *s, bool local,
                            enum suite *suite, bool *client_known, bool *server_known)
{
        struct host     client, server;
        struct pair     p;
        enum oap_reason r;

        host_open(&client, ROLE_CLIENT, c);
        host_open(&server, ROLE_SERVER, s);
        pair_open(&p, &client, &server);
        p.local = local;
        p.data  = "ping";
        p.reply = "pong";
        r       = pair_run(&p);
        if (r == OAP_OK) {
                struct span at_server = oap_server_data(p.server), at_client = oap_client_data(p.client);

                check_keys(&p);
                assert_int_equal(at_server.len, 4);
                assert_memory_equal(at_server.p, "ping", 4);
                assert_int_equal(at_client.len, 4);
                assert_memory_equal(at_client.p, "pong", 4);
                *suite        = oap_client_keys(p.client)->suite;
                *client_known = oap_server_peer(p.server) != NULL;
                *server_known = oap_client_peer(p.client) != NULL;
                if (*client_known)
                        assert_string_equal(oap_server_peer(p.server)->identity,
                                            c->leaf == NULL ? "email:" PAIR_ALICE : "cn:" PAIR_NAME);
                assert_int_equal(oap_client_facts(p.client)->signed_, *client_known);
                assert_int_equal(oap_server_facts(p.server)->signed_, *server_known);
                assert_memory_equal(oap_client_facts(p.client)->id, oap_server_facts(p.server)->id, OAP_ID);
        } else {
                check_nothing(&p);
        }
        pair_close(&p);
        host_close(&client);
        host_close(&server);
        return r;
}

struct line {
        const char            *what;
        const struct host_spec client, server;
        bool                   local;
        enum oap_reason        outcome;
        enum suite             suite;
        bool                   client_known, server_known;
};

static void check(const struct line *l)
{
        enum suite      suite        = SUITE_N;
        bool            client_known = false, server_known = false;
        enum oap_reason r = meet(&l->client, &l->server, l->local, &suite, &client_known, &server_known);

        if (r != l->outcome)
                fail_msg("%s: %s, not %s", l->what, oap_reason_name(r), oap_reason_name(l->outcome));
        if (r != OAP_OK)
                return;
        if (suite != l->suite || client_known != l->client_known || server_known != l->server_known)
                fail_msg("%s: %s, client %d, server %d", l->what, suite_name(suite), client_known,
                         server_known);
}

#define NOTHING                      \
        {                            \
                .credentials = false \
        }
#define ANCHORS                 \
        {                       \
                .anchors = true \
        }
#define IDENTITY                    \
        {                           \
                .credentials = true \
        }
#define BOTH                                         \
        {                                            \
                .credentials = true, .anchors = true \
        }
#define RULED(c, a, text)                                         \
        {                                                         \
                .credentials = (c), .anchors = (a), .own = (text) \
        }
#define ROOTED(c, a, text)                                         \
        {                                                          \
                .credentials = (c), .anchors = (a), .root = (text) \
        }

/* How a line ends that no flow comes of. */
#define REFUSED(why) why, SUITE_N, false, false

static void test_without_files(void **state)
{
        static const struct line lines[] = {
                {"nobody has anything", NOTHING, NOTHING, false, OAP_OK, SUITE_PLAIN, false, false},
                {"anchors alone want a server that signs", ANCHORS, NOTHING, false, REFUSED(OAP_NO_CERT)},
                {"and get one", ANCHORS, IDENTITY, false, OAP_OK, SUITE_P384, false, true},
                {"a client with nothing, a server that encrypts", NOTHING, IDENTITY, false,
                 REFUSED(OAP_PLAIN)},
                {"mutual", BOTH, BOTH, false, OAP_OK, SUITE_P384, true, true},
                {"a server that wants to know", ANCHORS, BOTH, false, REFUSED(OAP_NO_CERT)},
                {"a client that nobody can verify", BOTH, NOTHING, false, REFUSED(OAP_NO_ANCHORS)},
                {"nor this server", BOTH, IDENTITY, false, REFUSED(OAP_NO_ANCHORS)},
                {"a server that the client cannot verify", IDENTITY, BOTH, false, REFUSED(OAP_NO_ANCHORS)},
                {"anchors of a server without credentials", NOTHING, ANCHORS, false, OAP_OK, SUITE_PLAIN,
                 false, false},
                {"client known to such a server", IDENTITY, ANCHORS, false, OAP_OK, SUITE_P384, true, false},
                {"local: the kernel knows", ANCHORS, NOTHING, true, OAP_OK, SUITE_P384, false, false},
                {"local: likewise at the server", ANCHORS, BOTH, true, OAP_OK, SUITE_P384, false, true},
                {"local: what is presented is verified", BOTH, NOTHING, true, REFUSED(OAP_NO_ANCHORS)},
                {"local: mutual", BOTH, BOTH, true, OAP_OK, SUITE_P384, true, true},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
                check(&lines[i]);
}

#define X "suite = x25519\n"

static void test_suites(void **state)
{
        static const struct line lines[] = {
                {"x25519", RULED(1, 1, X), RULED(1, 1, X), false, OAP_OK, SUITE_X25519, true, true},
                {"not the server's", RULED(1, 1, X), BOTH, false, REFUSED(OAP_SUITE)},
                {"nor the client's", BOTH, RULED(1, 1, X), false, REFUSED(OAP_SUITE)},
                {"one of several", RULED(1, 1, X), RULED(1, 1, "suite = p384 x25519\n"), false, OAP_OK,
                 SUITE_X25519, true, true},
                {"encrypted, nobody known", RULED(0, 0, X), RULED(0, 0, X), false, OAP_OK, SUITE_X25519,
                 false, false},
                {"disabled: signed in plain", RULED(1, 1, "disabled\n"), RULED(1, 1, "disabled\n"), false,
                 OAP_OK, SUITE_PLAIN, true, true},
                {"disabled here alone", RULED(1, 1, "disabled\n"), BOTH, false, REFUSED(OAP_PLAIN)},
                {"disabled there alone", BOTH, RULED(1, 1, "disabled\n"), false, REFUSED(OAP_SUITE)},
                {"encryption = disabled", RULED(0, 0, "encryption = disabled\n"),
                 RULED(0, 0, "encryption = disabled\n"), false, OAP_OK, SUITE_PLAIN, false, false},
                {"an enc.cfg switches it on", ROOTED(0, 0, "#\n"), ROOTED(0, 0, "#\n"), false, OAP_OK,
                 SUITE_P384, false, false},
                {"which a plain client is not up to", NOTHING, ROOTED(0, 0, "#\n"), false,
                 REFUSED(OAP_PLAIN)},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
                check(&lines[i]);
}

#define MUTUAL   "authentication = mutual\n" X
#define SERVER   "authentication = server\n" X
#define OPTIONAL "authentication = optional\n" X

static void test_authentication(void **state)
{
        static const struct line lines[] = {
                {"mutual", RULED(1, 1, MUTUAL), RULED(1, 1, MUTUAL), false, OAP_OK, SUITE_X25519, true, true},
                {"mutual, no credentials here", RULED(0, 1, MUTUAL), RULED(1, 1, MUTUAL), false,
                 REFUSED(OAP_NO_CREDENTIALS)},
                {"mutual, none there", RULED(1, 1, MUTUAL), RULED(0, 1, MUTUAL), false,
                 REFUSED(OAP_NO_CREDENTIALS)},
                {"server", RULED(1, 1, SERVER), RULED(1, 1, SERVER), false, OAP_OK, SUITE_X25519, false,
                 true},
                {"server, the client has nothing", RULED(0, 1, SERVER), RULED(1, 0, SERVER), false, OAP_OK,
                 SUITE_X25519, false, true},
                {"server, none there", RULED(1, 1, SERVER), RULED(0, 1, SERVER), false,
                 REFUSED(OAP_NO_CREDENTIALS)},
                {"server, silent there", RULED(1, 1, SERVER), RULED(0, 1, OPTIONAL), false,
                 REFUSED(OAP_NO_CERT)},
                {"optional, both have", RULED(1, 1, OPTIONAL), RULED(1, 1, OPTIONAL), false, OAP_OK,
                 SUITE_X25519, true, true},
                {"optional, neither has", RULED(0, 1, OPTIONAL), RULED(0, 1, OPTIONAL), false, OAP_OK,
                 SUITE_X25519, false, false},
                {"optional is verified", RULED(1, 1, OPTIONAL), RULED(0, 0, OPTIONAL), false,
                 REFUSED(OAP_NO_ANCHORS)},
                {"mutual at the server alone", RULED(0, 1, OPTIONAL), RULED(1, 1, MUTUAL), false,
                 REFUSED(OAP_NO_CERT)},
                {"local: a demand that is written stands", RULED(0, 1, OPTIONAL), RULED(1, 1, MUTUAL), true,
                 REFUSED(OAP_NO_CERT)},
                {"local: likewise at the client", RULED(1, 1, MUTUAL), RULED(0, 1, OPTIONAL), true,
                 REFUSED(OAP_NO_CERT)},
                {"local as remote", ROOTED(0, 1, "local = as-remote\n" X), RULED(0, 0, X), true,
                 REFUSED(OAP_NO_CERT)},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
                check(&lines[i]);
}

#define ALLOW(who) "allow = " who "\n" X
#define DENY(who)  "deny = " who "\n" X

static void test_lists(void **state)
{
        static const struct line lines[] = {
                {"allowed", RULED(1, 1, X), RULED(1, 1, ALLOW("email:*@example")), false, OAP_OK,
                 SUITE_X25519, true, true},
                {"not allowed", RULED(1, 1, X), RULED(1, 1, ALLOW("dns:*")), false, REFUSED(OAP_NOT_ALLOWED)},
                {"denied", RULED(1, 1, X), RULED(1, 1, DENY("email:alice@*")), false,
                 REFUSED(OAP_NOT_ALLOWED)},
                {"another is denied", RULED(1, 1, X), RULED(1, 1, DENY("email:bob@*")), false, OAP_OK,
                 SUITE_X25519, true, true},
                {"nobody, and a list", RULED(0, 1, X), RULED(0, 1, DENY("email:bob@*")), false,
                 REFUSED(OAP_NO_CERT)},
                {"local: the kernel's name", RULED(0, 1, X), RULED(0, 1, ALLOW("uid:1000")), true, OAP_OK,
                 SUITE_X25519, false, false},
                {"local: another's", RULED(0, 1, X), RULED(0, 1, ALLOW("uid:1001")), true,
                 REFUSED(OAP_NOT_ALLOWED)},
                {"local: denied", RULED(0, 1, X), RULED(0, 1, DENY("uid:1000")), true,
                 REFUSED(OAP_NOT_ALLOWED)},
                {"local: the certificate's name", RULED(1, 1, X), RULED(1, 1, ALLOW("email:alice@*")), true,
                 OAP_OK, SUITE_X25519, true, true},
                {"uid is not of the network", RULED(0, 1, X), RULED(0, 1, ALLOW("uid:1000")), false,
                 REFUSED(OAP_NO_CERT)},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
                check(&lines[i]);
}

static void test_key_types(void **state)
{
        static const enum pki_key keys[] = {PKI_P256,  PKI_P384,     PKI_P521,        PKI_ED25519,
                                            PKI_ED448, PKI_RSA_2048, PKI_RSA_PSS_2048};

        (void)state;
        for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
                struct line      l = {"key type", RULED(1, 1, X), RULED(1, 1, X), false,
                                      OAP_OK,     SUITE_X25519,   true,           true};
                struct host_spec c = l.client, s = l.server;

                c.key = keys[i];
                s.key = keys[sizeof(keys) / sizeof(*keys) - 1 - i];
                memcpy((void *)&l.client, &c, sizeof(c));
                memcpy((void *)&l.server, &s, sizeof(s));
                check(&l);
        }
}

/* -- credentials that are not what they should be ---------------------------- */

static enum oap_reason with_leaf(enum role role, const struct pki_spec *leaf, const struct pki_cert *by,
                                 const struct pki_cert *revoked)
{
        struct host_spec bad = RULED(1, 1, X), judge = RULED(1, 1, X);
        bool             a, b;
        enum suite       suite;

        bad.leaf      = leaf;
        bad.by        = by;
        judge.revoked = revoked;
        return role == ROLE_CLIENT ? meet(&bad, &judge, false, &suite, &a, &b)
                                   : meet(&judge, &bad, false, &suite, &a, &b);
}

static void test_bad_certificates(void **state)
{
        static const struct pki_spec expired = {
                .cn = "x", .san = "DNS:" PAIR_NAME, .from_s = -10, .to_s = -1};
        static const struct pki_spec early   = {.cn = "x", .san = "DNS:" PAIR_NAME, .from_s = 1, .to_s = 10};
        static const struct pki_spec other   = {.cn = PAIR_NAME, .san = "DNS:x" PAIR_NAME};
        static const struct pki_spec cn_only = {.cn = PAIR_NAME};
        const struct authorities    *a       = authorities();

        (void)state;
        for (int role = ROLE_SERVER; role <= ROLE_CLIENT; role++) {
                enum role r = (enum role)role;

                assert_int_equal(with_leaf(r, NULL, NULL, NULL), OAP_OK);
                assert_int_equal(with_leaf(r, &cn_only, NULL, NULL), OAP_OK);
                assert_int_equal(with_leaf(r, &expired, NULL, NULL), OAP_EXPIRED);
                assert_int_equal(with_leaf(r, &early, NULL, NULL), OAP_NOT_YET_VALID);
                assert_int_equal(with_leaf(r, NULL, &a->other, NULL), OAP_UNKNOWN_CA);
                assert_int_equal(with_leaf(r, NULL, NULL, &a->middle), OAP_REVOKED_CA);
        }
        assert_int_equal(with_leaf(ROLE_SERVER, &other, NULL, NULL), OAP_WRONG_NAME);
}

/* -- time --------------------------------------------------------------------- */

#define SEC INT64_C(1000000000)

static void test_clock_and_replay(void **state)
{
        struct host_spec spec = RULED(1, 1, X);
        struct host      client, server;
        struct pair      p;
        uint8_t          kept[4096];
        struct span      old = {kept, 0};

        (void)state;
        host_open(&client, ROLE_CLIENT, &spec);
        host_open(&server, ROLE_SERVER, &spec);
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
        struct host_spec spec = RULED(0, 0, X);
        struct host      client, server;
        struct pair      p;

        (void)state;
        host_open(&client, ROLE_CLIENT, &spec);
        host_open(&server, ROLE_SERVER, &spec);
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
        struct host_spec spec = RULED(1, 1, X);
        struct host      client, server;
        struct pair      p;

        (void)state;
        host_open(&client, ROLE_CLIENT, &spec);
        host_open(&server, ROLE_SERVER, &spec);
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
                check_nothing(&p);
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
        struct host_spec             spec  = RULED(0, 0, X);
        const struct stance          st    = {.suites = SUITE_BIT(SUITE_X25519)};
        const struct oap_server_conf early = {.ctx = {.dst = PAIR_NAME}, .stance = st};
        struct oap_server_conf       conf  = early;
        struct oap_server           *s;
        struct host                  h;
        struct pair                  p;
        struct span                  out;
        int64_t                      keep;

        (void)state;
        host_open(&h, ROLE_CLIENT, &spec);
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
        static const struct host_spec spec = {.credentials = true, .anchors = true, .own = X};
        const struct identity        *id;
        struct oap_server_conf        conf = {.ctx = {.dst = PAIR_NAME}};
        struct host                   client, server;
        struct pair                   p;

        (void)state;
        host_open(&client, ROLE_CLIENT, &spec);
        host_open(&server, ROLE_SERVER, &spec);
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
                cmocka_unit_test(test_without_files),
                cmocka_unit_test(test_suites),
                cmocka_unit_test(test_authentication),
                cmocka_unit_test(test_lists),
                cmocka_unit_test(test_key_types),
                cmocka_unit_test(test_bad_certificates),
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
