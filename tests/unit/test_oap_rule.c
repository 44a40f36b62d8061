/* test_oap_rule.c - enc.cfg: every key and value, and every way to get one wrong, which is told with file and line. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "oap/rule.h"

enum where { ROOT, SERVER, CLIENT };

#define PATH "/etc/o7s/enc.cfg"

static struct rule_fault fault;

static int parse_n(struct rule **r, const char *text, size_t len, enum where where)
{
        char *exact = malloc(len + (len == 0)); /* so that a sanitizer sees a byte too many */
        int   rc;

        memcpy(exact, text, len);
        rc = rule_parse(r, exact, len, PATH, where == ROOT, where == CLIENT, &fault);
        free(exact);
        return rc;
}

static struct rule *good(const char *text, enum where where)
{
        struct rule *r;

        if (parse_n(&r, text, strlen(text), where) != 0)
                fail_msg("'%s' refused: %s", text, fault.text);
        assert_string_equal(r->file, PATH);
        return r;
}

/* Refused at @line, with @words in the fault. */
static void bad_n(const char *text, size_t len, enum where where, unsigned line, const char *words)
{
        struct rule *r;
        char         place[64];

        if (parse_n(&r, text, len, where) != -EINVAL)
                fail_msg("accepted: '%s'", text);
        assert_null(r);
        assert_int_equal(fault.line, line);
        snprintf(place, sizeof(place), line > 0 ? PATH ":%u: " : PATH ": ", line);
        assert_memory_equal(fault.text, place, strlen(place));
        if (strstr(fault.text, words) == NULL)
                fail_msg("'%s' is not in '%s'", words, fault.text);
}

static void bad(const char *text, enum where where, unsigned line, const char *words)
{
        bad_n(text, strlen(text), where, line, words);
}

static void test_defaults(void **state)
{
        static const char *const empty[] = {"", "\n", "# nothing\n", " \t\r\n\n", "\xef\xbb\xbf", "   # x"};

        (void)state;
        for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
                struct rule *r = good(empty[i], ROOT);

                assert_false(r->disabled);
                assert_true(r->encrypt);
                assert_int_equal(r->auth, AUTH_BY_RULE_2);
                assert_int_equal(r->suites, SUITE_BIT(SUITE_P384));
                assert_int_equal(r->first, SUITE_P384);
                assert_false(r->allow.present || r->deny.present);
                assert_false(r->hold);
                assert_false(r->local_as_remote);
                assert_int_equal(r->clock_skew_s, RULE_SKEW_DEFAULT_S);
                rule_free(r);
        }
        rule_free(NULL);
}

static void test_values(void **state)
{
        struct rule *r;

        (void)state;
        r = good("encryption=disabled\nauthentication = optional\nfirst-data\t=\tconfirmed\nlocal = "
                 "as-remote\n"
                 "clock-skew = 5",
                 ROOT);
        assert_false(r->encrypt);
        assert_false(r->disabled);
        assert_int_equal(r->auth, AUTH_OPTIONAL);
        assert_true(r->hold);
        assert_true(r->local_as_remote);
        assert_int_equal(r->clock_skew_s, 5);
        rule_free(r);
        r = good("encryption = required\r\nauthentication = mutual # both\r\nfirst-data = now\r\nlocal = "
                 "kernel\r\n"
                 "clock-skew = 3600\r\n",
                 ROOT);
        assert_true(r->encrypt);
        assert_int_equal(r->auth, AUTH_MUTUAL);
        assert_false(r->hold);
        assert_false(r->local_as_remote);
        assert_int_equal(r->clock_skew_s, 3600);
        rule_free(r);
        r = good("authentication = server", CLIENT);
        assert_int_equal(r->auth, AUTH_SERVER);
        rule_free(r);
}

static void test_disabled(void **state)
{
        struct rule *r =
                good("\xef\xbb\xbf  disabled  # plain\nauthentication = mutual\nallow = dns:a\n", SERVER);

        (void)state;
        assert_true(r->disabled);
        assert_false(r->encrypt);
        assert_int_equal(r->auth, AUTH_MUTUAL);
        assert_int_equal(r->allow.n, 1);
        rule_free(r);
        bad("disabled = yes", ROOT, 1, "stands alone");
        bad("disabled =", ROOT, 1, "stands alone");
        bad("disabled\ndisabled", ROOT, 2, "repeated");
        bad("disabled\nencryption = required", ROOT, 0, "contradicts");
        bad("encryption = disabled\ndisabled", ROOT, 0, "contradicts");
        bad("suite = x25519\ndisabled", ROOT, 0, "contradicts");
        bad("disabled\nfirst-data = confirmed", ROOT, 0, "contradicts");
        rule_free(good("disabled\nfirst-data = now", ROOT));
}

static void test_suites(void **state)
{
        struct rule *r = good("suite = x25519, p384", SERVER);

        (void)state;
        assert_int_equal(r->suites, SUITE_BIT(SUITE_P384) | SUITE_BIT(SUITE_X25519));
        assert_int_equal(r->first, SUITE_X25519);
        rule_free(r);
        r = good("suite = x25519", CLIENT);
        assert_int_equal(r->suites, SUITE_BIT(SUITE_X25519));
        assert_int_equal(r->first, SUITE_X25519);
        rule_free(r);
        r = good("suite = p384 x25519", ROOT);
        assert_int_equal(r->first, SUITE_P384);
        rule_free(r);
        bad("suite = p384,x25519", CLIENT, 1, "one suite");
        bad("suite = p384, p384", SERVER, 1, "twice");
        bad("suite =", SERVER, 1, "empty");
        bad("suite = ,", SERVER, 1, "empty");
        bad("suite = plain", SERVER, 1, "no suite 'plain'");
        bad("suite = P384", SERVER, 1, "no suite 'P384'");
        bad("suite = aes-ctr", SERVER, 1, "no suite");
        bad("suite = p384;x25519", SERVER, 1, "no suite");
}

static void test_suites_of_newer_openssl(void **state)
{
        static const enum suite suites[] = {SUITE_P384_MLKEM1024, SUITE_X25519_MLKEM768};
        char                    text[64];

        (void)state;
        for (size_t i = 0; i < 2; i++) {
                snprintf(text, sizeof(text), "suite = %s", suite_name(suites[i]));
                if (suite_available(suites[i]))
                        rule_free(good(text, CLIENT));
                else
                        bad(text, CLIENT, 1, "newer OpenSSL");
        }
}

static void test_patterns(void **state)
{
        struct rule *r = good("deny = dns:*.Bad.Example, email:A.B@HOST.example\tcn:Eve uri:Spiffe://X/y#z\n"
                              "allow=dns:a.example,uid:0,uid:[1-9]*,*,d*:x,uri:*?\n",
                              SERVER);

        (void)state;
        assert_true(r->deny.present && r->allow.present);
        assert_int_equal(r->deny.n, 4);
        assert_string_equal(r->deny.at[0], "dns:*.bad.example");
        assert_string_equal(r->deny.at[1], "email:A.B@host.example");
        assert_string_equal(r->deny.at[2], "cn:Eve");
        assert_string_equal(r->deny.at[3], "uri:Spiffe://X/y#z");
        assert_int_equal(r->allow.n, 6);
        rule_free(r);
        r = good("allow =\ndeny = \t # nobody", ROOT);
        assert_true(r->allow.present && r->deny.present);
        assert_int_equal(r->allow.n + r->deny.n, 0);
        rule_free(r);
}

static void test_patterns_that_match_nothing(void **state)
{
        (void)state;
        bad("deny = a.example", SERVER, 1, "does not begin with");
        bad("deny = dsn:a.example", SERVER, 1, "does not begin with");
        bad("deny = DNS:a.example", SERVER, 1, "does not begin with");
        bad("deny = :a", SERVER, 1, "does not begin with");
        bad("deny = dns", SERVER, 1, "does not begin with");
        bad("deny = dns:", SERVER, 1, "no name");
        bad("deny = dns:a\\", SERVER, 1, "backslash");
        bad("deny = *\\\\\\", SERVER, 1, "backslash");
        rule_free(good("deny = cn:a\\\\", SERVER));
        bad("allow = uid:root", SERVER, 1, "number");
        bad("allow = dns:a\xc3\xa9", SERVER, 1, "no identity has");
        bad("allow = dns:a, cn:b\x01", SERVER, 1, "no identity has");
}

static void test_wrong_values(void **state)
{
        (void)state;
        bad("encryption = yes", ROOT, 1, "cannot be 'yes'");
        bad("encryption = Required", ROOT, 1, "cannot be");
        bad("encryption =", ROOT, 1, "cannot be ''");
        bad("encryption", ROOT, 1, "needs a value");
        bad("encryption required", ROOT, 1, "unknown key");
        bad("encryption = required = x", ROOT, 1, "cannot be");
        bad("authentication = client", ROOT, 1, "cannot be");
        bad("authentication = none", ROOT, 1, "cannot be");
        bad("first-data = later", ROOT, 1, "cannot be");
        bad("local = trust", ROOT, 1, "cannot be");
        bad("clock-skew = 0", ROOT, 1, "1 to 3600");
        bad("clock-skew = 3601", ROOT, 1, "1 to 3600");
        bad("clock-skew = -1", ROOT, 1, "1 to 3600");
        bad("clock-skew = 30s", ROOT, 1, "1 to 3600");
        bad("clock-skew = 99999999999999999999", ROOT, 1, "1 to 3600");
        bad("clock-skew =", ROOT, 1, "1 to 3600");
}

static void test_wrong_keys(void **state)
{
        static const char *const once[] = {
                "encryption = required", "authentication = mutual", "suite = p384",  "allow = *", "deny =",
                "first-data = now",      "local = kernel",          "clock-skew = 1"};
        char text[128];

        (void)state;
        for (size_t i = 0; i < sizeof(once) / sizeof(once[0]); i++) {
                snprintf(text, sizeof(text), "%s\n# between\n\n%s\n", once[i], once[i]);
                bad(text, ROOT, 4, "repeated");
        }
        bad("# fine\n\nencription = required\n", ROOT, 3, "unknown key 'encription'");
        bad("Encryption = required", ROOT, 1, "unknown key");
        bad("= required", ROOT, 1, "unknown key ''");
        bad("=", ROOT, 1, "unknown key");
        bad("encryption = required\nx", ROOT, 2, "unknown key 'x'");
        bad("a\x1b[31mb = 1", ROOT, 1, "unknown key 'a?[31mb'");
}

static void test_places(void **state)
{
        (void)state;
        bad("local = kernel", SERVER, 1, "system-wide");
        bad("clock-skew = 3", SERVER, 1, "system-wide");
        bad("local = kernel", CLIENT, 1, "system-wide");
        bad("allow = *", CLIENT, 1, "no meaning for a client");
        bad("deny = *", CLIENT, 1, "no meaning for a client");
        bad("first-data = now", CLIENT, 1, "no meaning for a client");
}

static void test_bytes(void **state)
{
        static const char nul[] = "encryption = required\nallow = dns:a\0b\n";
        static const char end[] = "encryption = required\0";

        (void)state;
        bad_n(nul, sizeof(nul) - 1, ROOT, 2, "NUL");
        bad_n(end, sizeof(end) - 1, ROOT, 1, "NUL");
        bad("\xff\xfe"
            "e",
            ROOT, 1, "unknown key");
        bad("\xef\xbb\xbf\xef\xbb\xbf"
            "disabled",
            ROOT, 1, "unknown key"); /* one mark is enough */
        bad("\xef\xbb"
            "disabled",
            ROOT, 1, "unknown key");
        bad("encryption = required\n\xef\xbb\xbf"
            "disabled",
            ROOT, 2, "unknown key");
}

static void test_sizes(void **state)
{
        size_t       max  = 1024u * 1024u;
        char        *text = malloc(max + 1);
        struct rule *r;

        (void)state;
        memset(text, '\n', max + 1);
        assert_int_equal(parse_n(&r, text, max, ROOT), 0);
        rule_free(r);
        bad_n(text, max + 1, ROOT, 0, "larger");
        memset(text, ' ', max);
        text[0] = '#';
        text[1] = '\n';
        bad_n(text, 70000, ROOT, 2, "longer");
        assert_int_equal(parse_n(&r, text, 65538, ROOT), 0);
        rule_free(r);
        free(text);
}

/* A path that fills the fault leaves room for what is wrong. */
static void test_long_path(void **state)
{
        char         path[4096];
        struct rule *r;

        (void)state;
        memset(path, 'p', sizeof(path) - 1);
        path[sizeof(path) - 1] = '\0';
        assert_int_equal(rule_parse(&r, "nonsense", 8, path, true, false, &fault), -EINVAL);
        assert_non_null(strstr(fault.text, "ppp:1: unknown key 'nonsense'"));
}

static void test_every_prefix(void **state)
{
        static const char text[] =
                "\xef\xbb\xbfsuite = x25519 # c\r\nallow = dns:a, email:b@C\nlocal = kernel\n";
        struct rule *r;

        (void)state;
        for (size_t n = 0; n < sizeof(text); n++) {
                int rc = parse_n(&r, text, n, ROOT);

                assert_true(rc == 0 || rc == -EINVAL);
                assert_true((rc == 0) == (r != NULL));
                rule_free(r);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_defaults),
                cmocka_unit_test(test_values),
                cmocka_unit_test(test_disabled),
                cmocka_unit_test(test_suites),
                cmocka_unit_test(test_suites_of_newer_openssl),
                cmocka_unit_test(test_patterns),
                cmocka_unit_test(test_patterns_that_match_nothing),
                cmocka_unit_test(test_wrong_values),
                cmocka_unit_test(test_wrong_keys),
                cmocka_unit_test(test_places),
                cmocka_unit_test(test_bytes),
                cmocka_unit_test(test_sizes),
                cmocka_unit_test(test_long_path),
                cmocka_unit_test(test_every_prefix),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
