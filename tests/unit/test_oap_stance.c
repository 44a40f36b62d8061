/* test_oap_stance.c - what follows from policy: every rule with every holding, and allow and deny. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <ouroboros/errno.h>

#include "oap/rule.h"

#define PLAIN SUITE_BIT(SUITE_PLAIN)
#define P384  SUITE_BIT(SUITE_P384)
#define X     SUITE_BIT(SUITE_X25519)

static struct rule with(enum rule_auth auth)
{
        return (struct rule){.encrypt = true, .auth = auth, .suites = P384 | X, .first = SUITE_X25519};
}

static void test_client_without_rule(void **state)
{
        (void)state;
        for (unsigned i = 0; i < 8; i++) {
                struct holdings h = {.credentials = i & 1, .anchors = i & 2, .local = i & 4};
                struct stance   s;

                assert_int_equal(stance_client(&h, &s), OAP_OK);
                assert_int_equal(s.sign, h.credentials);
                assert_int_equal(s.demand, h.anchors && !h.local);
                assert_int_equal(s.suite, h.credentials || h.anchors ? SUITE_P384 : SUITE_PLAIN);
                assert_int_equal(s.suites, SUITE_BIT(s.suite));
                assert_int_equal(s.kernel, h.local);
                assert_null(s.rule);
        }
}

static void test_server_without_rule(void **state)
{
        (void)state;
        for (unsigned i = 0; i < 8; i++) {
                struct holdings h = {.credentials = i & 1, .anchors = i & 2, .local = i & 4};
                struct stance   s;

                assert_int_equal(stance_server(&h, &s), OAP_OK);
                assert_int_equal(s.sign, h.credentials);
                assert_int_equal(s.demand, h.credentials && h.anchors && !h.local);
                assert_int_equal(s.suites, h.credentials ? P384 : P384 | PLAIN);
                assert_int_equal(s.kernel, h.local);
                assert_false(s.lists || s.hold);
        }
}

/* What each `authentication` gives with and without credentials, anchors, the kernel. */
static void check_auth(enum rule_auth auth, unsigned i, bool server)
{
        struct rule     r       = with(auth);
        struct holdings h       = {.own = &r, .credentials = i & 1, .anchors = i & 2, .local = i & 4};
        bool            must    = auth == AUTH_MUTUAL || (auth == AUTH_SERVER && server);
        bool            rule_2  = h.anchors && !h.local && (!server || h.credentials);
        bool            demand  = auth == AUTH_MUTUAL || (auth == AUTH_SERVER && !server);
        bool            silent  = auth == AUTH_SERVER && !server;
        enum oap_reason outcome = must && !h.credentials ? OAP_NO_CREDENTIALS : OAP_OK;
        struct stance   s;

        assert_int_equal(server ? stance_server(&h, &s) : stance_client(&h, &s), outcome);
        if (outcome != OAP_OK)
                return;
        assert_int_equal(s.sign, h.credentials && !silent);
        assert_int_equal(s.demand, auth == AUTH_BY_RULE_2 ? rule_2 : demand);
        assert_int_equal(s.suites, P384 | X);
        assert_int_equal(s.suite, SUITE_X25519);
        assert_ptr_equal(s.rule, &r);
}

static void test_authentication(void **state)
{
        (void)state;
        for (int auth = AUTH_BY_RULE_2; auth <= AUTH_MUTUAL; auth++) {
                for (unsigned i = 0; i < 16; i++)
                        check_auth((enum rule_auth)auth, i & 7, i & 8);
        }
}

static void test_plain_by_rule(void **state)
{
        struct rule     disabled = {.disabled = true, .encrypt = true, .suites = P384};
        struct rule     off      = {.encrypt = false, .suites = P384, .first = SUITE_P384};
        struct rule    *rules[]  = {&disabled, &off};
        struct holdings h        = {.credentials = true, .anchors = true};
        struct stance   s;

        (void)state;
        for (size_t i = 0; i < 2; i++) {
                h.own = rules[i];
                assert_int_equal(stance_client(&h, &s), OAP_OK);
                assert_int_equal(s.suite, SUITE_PLAIN);
                assert_int_equal(s.suites, PLAIN);
                assert_true(s.sign && s.demand); /* rule 2 is not switched off by it */
                assert_int_equal(stance_server(&h, &s), OAP_OK);
                assert_int_equal(s.suites, PLAIN);
        }
}

static void test_own_rules_alone(void **state)
{
        struct rule     own  = with(AUTH_OPTIONAL);
        struct rule     root = with(AUTH_MUTUAL);
        struct holdings h    = {.own = &own, .root = &root};
        struct stance   s;

        (void)state;
        root.hold          = true;
        root.allow.present = true;
        assert_int_equal(stance_server(&h, &s), OAP_OK);
        assert_ptr_equal(s.rule, &own);
        assert_false(s.hold || s.lists || s.demand);
        h.own = NULL;
        assert_int_equal(stance_server(&h, &s), OAP_NO_CREDENTIALS);
        h.credentials = true;
        assert_int_equal(stance_server(&h, &s), OAP_OK);
        assert_true(s.hold && s.lists && s.demand);
        root.allow.present = false;
        root.deny.present  = true;
        assert_int_equal(stance_server(&h, &s), OAP_OK);
        assert_true(s.lists);
}

static void test_local_as_remote(void **state)
{
        struct rule     own  = with(AUTH_BY_RULE_2);
        struct rule     root = with(AUTH_BY_RULE_2);
        struct holdings h = {.own = &own, .root = &root, .credentials = true, .anchors = true, .local = true};
        struct stance   s;

        (void)state;
        stance_client(&h, &s);
        assert_true(s.kernel && !s.demand);
        stance_server(&h, &s);
        assert_true(s.kernel && !s.demand);
        root.local_as_remote = true;
        stance_client(&h, &s);
        assert_true(!s.kernel && s.demand);
        stance_server(&h, &s);
        assert_true(!s.kernel && s.demand);
}

/* What a file could not say, had it been read rightly, is the strictest. */
static void test_unknown_rule_is_mutual(void **state)
{
        struct rule     r = with((enum rule_auth)17);
        struct holdings h = {.own = &r};
        struct stance   s;

        (void)state;
        assert_int_equal(stance_client(&h, &s), OAP_NO_CREDENTIALS);
        assert_int_equal(stance_server(&h, &s), OAP_NO_CREDENTIALS);
        assert_true(s.demand);
}

/* -- allow and deny -------------------------------------------------------- */

struct admit {
        const char *allow, *deny; /* one pattern; "": an empty list; NULL: no such key */
        const char *identity, *other, *kernel;
        bool        admitted;
};

static bool admits(const struct admit *a)
{
        char       *allow[] = {(char *)a->allow}, *deny[] = {(char *)a->deny};
        struct rule r = {
                .allow = {allow, a->allow != NULL && *a->allow != '\0', a->allow != NULL},
                .deny  = {deny, a->deny != NULL && *a->deny != '\0', a->deny != NULL},
        };
        struct stance s       = {.lists = r.allow.present || r.deny.present, .rule = &r};
        const char   *names[] = {a->identity, a->other};

        return stance_admits(&s, a->identity, names, a->other != NULL ? 2 : 0, a->kernel);
}

static void test_allow_and_deny(void **state)
{
        static const struct admit table[] = {
                {NULL, NULL, NULL, NULL, NULL, true},
                {NULL, NULL, "dns:a", NULL, NULL, true},
                {"dns:a", NULL, "dns:a", NULL, NULL, true},
                {"dns:a", NULL, "dns:ab", NULL, NULL, false},
                {"dns:a", NULL, "xdns:a", NULL, NULL, false},
                {"dns:a", NULL, "cn:a", NULL, NULL, false},
                {"dns:*.example", NULL, "dns:x.example", NULL, NULL, true},
                {"dns:*.example", NULL, "dns:example", NULL, NULL, false},
                {"uri:http://*", NULL, "uri:http://a/b", NULL, NULL, true},
                {"", NULL, "dns:a", NULL, "uid:0", false},      /* an empty list admits nobody */
                {"dns:b", NULL, "dns:a", "dns:b", NULL, false}, /* allow: the identity, no other name */
                {NULL, "dns:b", "dns:a", "dns:b", NULL, false}, /* deny: any name */
                {NULL, "dns:b", "dns:a", "dns:c", NULL, true},
                {"*", "dns:a", "dns:a", NULL, NULL, false}, /* deny wins */
                {NULL, "", "dns:a", NULL, NULL, true},
                {NULL, "", NULL, NULL, NULL, false}, /* nobody is nobody */
                {"*", NULL, NULL, NULL, NULL, false},
                {"uid:7", NULL, NULL, NULL, "uid:7", true},
                {"uid:7", NULL, NULL, NULL, "uid:77", false},
                {"uid:7", NULL, "dns:a", NULL, "uid:7", true},
                {"dns:a", NULL, "dns:a", NULL, "uid:7", true},
                {NULL, "uid:7", "dns:a", NULL, "uid:7", false},
                {"dns:a", "uid:7", "dns:a", NULL, "uid:7", false},
                {"dns:[", NULL, "dns:[", NULL, NULL, true},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
                if (admits(&table[i]) != table[i].admitted)
                        fail_msg("line %zu of the table", i);
        }
}

/* -- reasons --------------------------------------------------------------- */

static void test_reasons_have_words(void **state)
{
        (void)state;
        for (int i = 0; i < OAP_N_REASONS; i++) {
                assert_true(strlen(oap_reason_name((enum oap_reason)i)) > 0);
                assert_null(strpbrk(oap_reason_name((enum oap_reason)i), " \"ABCDEFGHIJKLMNOPQRSTUVWXYZ"));
                assert_true(strlen(oap_reason_text((enum oap_reason)i)) > 5);
                assert_int_equal(oap_reason_code((enum oap_reason)i) == 0, i == OAP_OK);
                for (int j = 0; j < i; j++)
                        assert_string_not_equal(oap_reason_name((enum oap_reason)i),
                                                oap_reason_name((enum oap_reason)j));
        }
        assert_string_equal(oap_reason_name((enum oap_reason)99), "internal");
        assert_string_equal(oap_reason_text(OAP_N_REASONS), oap_reason_text(OAP_INTERNAL));
}

static void test_codes(void **state)
{
        (void)state;
        assert_int_equal(oap_reason_code(OAP_MALFORMED), -EAUTH);
        assert_int_equal(oap_reason_code(OAP_SUITE), -ECRYPT);
        assert_int_equal(oap_reason_code(OAP_PLAIN), -ECRYPT);
        assert_int_equal(oap_reason_code(OAP_BAD_TAG), -ECRYPT);
        assert_int_equal(oap_reason_code(OAP_CLOCK), -ETIME);
        assert_int_equal(oap_reason_code(OAP_BUSY), -EBUSY);
        assert_int_equal(oap_reason_code(OAP_INTERNAL), -ENOMEM);
        assert_int_equal(oap_reason_code(OAP_WRONG_NAME), -EAUTH);
        assert_int_equal(oap_reason_code((enum oap_reason)99), -ENOMEM);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_client_without_rule),    cmocka_unit_test(test_server_without_rule),
                cmocka_unit_test(test_authentication),         cmocka_unit_test(test_plain_by_rule),
                cmocka_unit_test(test_own_rules_alone),        cmocka_unit_test(test_local_as_remote),
                cmocka_unit_test(test_unknown_rule_is_mutual), cmocka_unit_test(test_allow_and_deny),
                cmocka_unit_test(test_reasons_have_words),     cmocka_unit_test(test_codes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
