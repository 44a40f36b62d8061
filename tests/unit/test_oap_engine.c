/* test_oap_engine.c - handshakes between two hosts with real credentials: what comes of every policy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "oap_pair.h"

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

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_without_files),  cmocka_unit_test(test_suites),
                cmocka_unit_test(test_authentication), cmocka_unit_test(test_lists),
                cmocka_unit_test(test_key_types),      cmocka_unit_test(test_bad_certificates),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
