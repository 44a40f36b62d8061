/* test_oap_leaf.c - who a certificate says it is: names of servers byte for byte, identities of clients. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "oap/chain.h"

/* -- certificates: only their names count here, so they have neither key nor signature ------------------------- */

struct name {
        int         type; /* GEN_*, or CN: a commonName */
        const char *bytes;
        int         len;      /* 0: up to the NUL            */
        int         encoding; /* 0: IA5String, UTF8String  */
};

enum { CN = 100, O_ = 101 };

static int length(const struct name *n)
{
        return n->len > 0 ? n->len : (int)strlen(n->bytes);
}

static void add_subject(X509 *x, const struct name *n)
{
        X509_NAME *subject = X509_get_subject_name(x);
        int        type    = n->encoding != 0 ? n->encoding : V_ASN1_UTF8STRING;

        assert_int_equal(X509_NAME_add_entry_by_NID(subject,
                                                    n->type == CN ? NID_commonName : NID_organizationName,
                                                    type, (const uint8_t *)n->bytes, length(n), -1, 0),
                         1);
}

static GENERAL_NAME *general_name(const struct name *n)
{
        GENERAL_NAME *g    = GENERAL_NAME_new();
        ASN1_STRING  *text = ASN1_STRING_type_new(n->type == GEN_IPADD ? V_ASN1_OCTET_STRING
                                                  : n->encoding != 0   ? n->encoding
                                                                       : V_ASN1_IA5STRING);

        assert_int_equal(ASN1_STRING_set(text, n->bytes, length(n)), 1);
        GENERAL_NAME_set0_value(g, n->type, text);
        return g;
}

/* @names end with one without bytes. */
static X509 *cert(const struct name *names)
{
        X509          *x   = X509_new();
        GENERAL_NAMES *alt = GENERAL_NAMES_new();

        for (; names->bytes != NULL; names++)
                if (names->type >= CN)
                        add_subject(x, names);
                else
                        assert_true(sk_GENERAL_NAME_push(alt, general_name(names)) > 0);
        if (sk_GENERAL_NAME_num(alt) > 0)
                assert_int_equal(X509_add1_ext_i2d(x, NID_subject_alt_name, alt, 0, X509V3_ADD_DEFAULT), 1);
        GENERAL_NAMES_free(alt);
        return x;
}

#define NAMES(...)                    \
        (const struct name[])         \
        {                             \
                __VA_ARGS__,          \
                {                     \
                        .bytes = NULL \
                }                     \
        }
#define DNS(s)                                \
        {                                     \
                .type = GEN_DNS, .bytes = (s) \
        }
#define DNS_N(s)                                                    \
        {                                                           \
                .type = GEN_DNS, .bytes = (s), .len = sizeof(s) - 1 \
        }
#define EMAIL(s)                                \
        {                                       \
                .type = GEN_EMAIL, .bytes = (s) \
        }
#define URI(s)                                \
        {                                     \
                .type = GEN_URI, .bytes = (s) \
        }
#define IP(s)                                             \
        {                                                 \
                .type = GEN_IPADD, .bytes = (s), .len = 4 \
        }
#define COMMON(s)                        \
        {                                \
                .type = CN, .bytes = (s) \
        }
#define COMMON_N(s)                                            \
        {                                                      \
                .type = CN, .bytes = (s), .len = sizeof(s) - 1 \
        }
#define COMMON_AS(enc, s)                                                         \
        {                                                                         \
                .type = CN, .bytes = (s), .len = sizeof(s) - 1, .encoding = (enc) \
        }
#define ORGANISATION(s)                  \
        {                                \
                .type = O_, .bytes = (s) \
        }

/* -- servers --------------------------------------------------------------------------------------------- */

static void assert_name(const struct name *names, const char *name, bool ok)
{
        X509 *x = cert(names);

        assert_int_equal(chain_check_name(x, name), ok ? OAP_OK : OAP_WRONG_NAME);
        assert_int_equal(ERR_peek_error(), 0);
        X509_free(x);
}

static void test_alternative_names(void **state)
{
        const struct name *one = NAMES(COMMON("c.example"), DNS("a.example"));

        (void)state;
        assert_name(one, "a.example", true);
        assert_name(one, "c.example", false);
        assert_name(one, "A.example", false);
        assert_name(one, "a.example.", false);
        assert_name(one, ".example", false);
        assert_name(one, "a.exampl", false);
        assert_name(one, "a.example2", false);
        assert_name(one, "b.a.example", false);
        assert_name(one, "", false);
        assert_name(NAMES(DNS("x"), EMAIL("e@x"), DNS("a.example")), "a.example", true);
        assert_name(NAMES(DNS("*.example")), "a.example", false);
        assert_name(NAMES(DNS("a*.example")), "ab.example", false);
        assert_name(NAMES(DNS("*")), "a", false);
        assert_name(NAMES(DNS(".example")), "a.example", false);
        assert_name(NAMES(DNS("xn--bcher-kva.example")), "xn--bcher-kva.example", true);
        assert_name(NAMES(DNS("xn--bcher-kva.example")),
                    "b\xc3\xbc"
                    "cher.example",
                    false);
        assert_name(NAMES(DNS("a b")), "a b", true); /* names of services are not host names */
        assert_name(NAMES(DNS("a.example ")), "a.example", false);
        assert_name(NAMES(DNS(" a.example")), "a.example", false);
}

static void test_other_types(void **state)
{
        (void)state;
        assert_name(NAMES(EMAIL("a.example")), "a.example", false);
        assert_name(NAMES(URI("a.example")), "a.example", false);
        assert_name(NAMES(URI("https://a.example")), "a.example", false);
        assert_name(NAMES(IP("a.ex")), "a.ex", false);
        assert_name(NAMES(COMMON("a.example"), IP("\x01\x02\x03\x04")), "a.example", false);
        assert_name(NAMES(COMMON("a.example"), EMAIL("x@y")), "a.example", false);
}

static void test_common_name(void **state)
{
        (void)state;
        assert_name(NAMES(COMMON("a.example")), "a.example", true);
        assert_name(NAMES(COMMON("a.example")), "A.example", false);
        assert_name(NAMES(COMMON("*.example")), "a.example", false);
        assert_name(NAMES(COMMON("a.example"), COMMON("a.example")), "a.example", false);
        assert_name(NAMES(COMMON("b"), COMMON("a.example")), "a.example", false);
        assert_name(NAMES(ORGANISATION("CN=a.example")), "a.example", false);
        assert_name(NAMES(COMMON("b"), ORGANISATION("CN=a.example")), "a.example", false);
        assert_name(NAMES(COMMON("CN=a.example")), "a.example", false);
        assert_name(NAMES(COMMON("b,CN=a.example")), "a.example", false);
        assert_name(NAMES(COMMON("b/CN=a.example")), "a.example", false);
        assert_name(NAMES(ORGANISATION("a.example")), "a.example", false);
        assert_name(NAMES(COMMON_AS(V_ASN1_PRINTABLESTRING, "a.example")), "a.example", true);
        assert_name(NAMES(COMMON_AS(V_ASN1_IA5STRING, "a.example")), "a.example", true);
        assert_name(NAMES(COMMON_AS(V_ASN1_BMPSTRING, "\0a\0b")), "ab", false);
        assert_name(NAMES(COMMON_AS(V_ASN1_BMPSTRING, "ab")), "ab", false); /* one character, U+6162 */
        assert_name(NAMES(COMMON_AS(V_ASN1_UNIVERSALSTRING, "abcd")), "abcd", false);
}

static void test_nul(void **state)
{
        (void)state;
        assert_name(NAMES(DNS_N("a.example\0.evil")), "a.example", false);
        assert_name(NAMES(DNS_N("a.example\0")), "a.example", false);
        assert_name(NAMES(DNS_N("\0a.example")), "", false);
        assert_name(NAMES(DNS("a.example"), DNS_N("x\0y")), "a.example", false); /* spoils the whole */
        assert_name(NAMES(DNS_N("x\0y"), DNS("a.example")), "a.example", false);
        assert_name(NAMES(COMMON_N("a.example\0.evil")), "a.example", false);
        assert_name(NAMES(COMMON_N("a.example\0")), "a.example", false);
}

/* An extension that is there and cannot be read is not an absent one: the commonName does not count. */
static void test_broken_extension(void **state)
{
        X509              *x     = cert(NAMES(COMMON("a.example")));
        ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
        X509_EXTENSION    *e;
        struct leaf        leaf = {0};

        (void)state;
        ASN1_OCTET_STRING_set(value, (const uint8_t *)"\x30\x05junk", 6);
        e = X509_EXTENSION_create_by_NID(NULL, NID_subject_alt_name, 0, value);
        assert_int_equal(X509_add_ext(x, e, -1), 1);
        assert_int_equal(chain_check_name(x, "a.example"), OAP_WRONG_NAME);
        assert_int_equal(chain_identity(x, &leaf), OAP_BAD_IDENTITY);
        leaf_clear(&leaf);
        X509_EXTENSION_free(e);
        ASN1_OCTET_STRING_free(value);
        X509_free(x);
}

/* -- clients --------------------------------------------------------------------------------------------- */

/* @names: all of them, parted by blanks; its first is the identity. NULL: there is none. */
static void assert_identity(const struct name *parts, const char *names)
{
        X509           *x    = cert(parts);
        struct leaf     leaf = {0};
        enum oap_reason r    = chain_identity(x, &leaf);
        char            all[8192];
        size_t          n = 0;

        assert_int_equal(r, names != NULL ? OAP_OK : OAP_BAD_IDENTITY);
        all[0] = '\0';
        for (size_t i = 0; i < leaf.n_names; i++)
                n += (size_t)snprintf(all + n, sizeof(all) - n, "%s%s", i > 0 ? " " : "", leaf.names[i]);
        if (names != NULL) {
                assert_string_equal(all, names);
                assert_string_equal(leaf.identity, leaf.names[0]);
        }
        assert_int_equal(ERR_peek_error(), 0);
        leaf_clear(&leaf);
        assert_null(leaf.names);
        X509_free(x);
}

static void test_identities(void **state)
{
        (void)state;
        assert_identity(NAMES(DNS("A.Example")), "dns:a.example");
        assert_identity(NAMES(EMAIL("Al.B@HOST.Example")), "email:Al.B@host.example");
        assert_identity(NAMES(EMAIL("\"A@B\"@HOST")), "email:\"A@B\"@host");
        assert_identity(NAMES(EMAIL("NoHost")), "email:NoHost");
        assert_identity(NAMES(URI("spiffe://TD/X")), "uri:spiffe://TD/X");
        assert_identity(NAMES(COMMON("Alice")), "cn:Alice");
        assert_identity(NAMES(COMMON("Alice"), IP("\x01\x02\x03\x04")), "cn:Alice");
        assert_identity(NAMES(COMMON("A"), DNS("b"), EMAIL("c@d")), "dns:b email:c@d cn:A");
        assert_identity(NAMES(EMAIL("c@d"), DNS("b"), URI("u:v"), DNS("e")), "email:c@d dns:b uri:u:v dns:e");
        assert_identity(NAMES(COMMON("A"), COMMON("B"), DNS("b")), "dns:b cn:A cn:B");
        assert_identity(NAMES(COMMON("Alice Smith"), DNS("b")), "dns:b cn:Alice?Smith");
        assert_identity(NAMES(COMMON("J\xc3\xb8rn"), DNS("b")), "dns:b cn:J??rn");
}

static void test_no_identity(void **state)
{
        (void)state;
        assert_identity(NAMES(ORGANISATION("x")), NULL);
        assert_identity(NAMES(IP("\x01\x02\x03\x04")), NULL);
        assert_identity(NAMES(COMMON("A"), COMMON("B")), NULL);
        assert_identity(NAMES(COMMON("A B")), NULL);
        assert_identity(NAMES(COMMON("A\x7f")), NULL);
        assert_identity(NAMES(COMMON("J\xc3\xb8rn")), NULL);
        assert_identity(NAMES(COMMON_N("A\0B")), NULL);
        assert_identity(NAMES(COMMON_AS(V_ASN1_BMPSTRING, "ab")), NULL);
        assert_identity(NAMES(DNS("a b")), NULL);
        assert_identity(NAMES(DNS("a\n")), NULL);
        assert_identity(NAMES(DNS("a\xc3\xa9")), NULL);
        assert_identity(NAMES(DNS_N("a\0b")), NULL);
        assert_identity(NAMES(DNS("a"), EMAIL("b c@d")), NULL); /* one bad name spoils all */
        assert_identity(NAMES(DNS("a"), COMMON_N("b\0c")), NULL);
        assert_identity(NAMES(DNS(""), COMMON("a")), NULL);
        assert_identity(NAMES(EMAIL("a"), URI("")), NULL);
}

/* A name that does not fit could be the one that `deny` looks for. */
static void test_too_long_or_many(void **state)
{
        struct name many[CHAIN_NAMES_MAX + 2] = {{0}};
        char        text[CHAIN_IDENTITY_MAX + 8];
        X509       *x;
        struct leaf leaf = {0};

        (void)state;
        memset(text, 'a', sizeof(text));
        text[CHAIN_IDENTITY_MAX - 1 - 4] = '\0';
        x                                = cert(NAMES(DNS(text)));
        assert_int_equal(chain_identity(x, &leaf), OAP_OK);
        assert_int_equal(strlen(leaf.identity), CHAIN_IDENTITY_MAX - 1);
        leaf_clear(&leaf);
        X509_free(x);
        text[CHAIN_IDENTITY_MAX - 1 - 4] = 'a';
        text[CHAIN_IDENTITY_MAX - 4]     = '\0';
        assert_identity(NAMES(DNS(text)), NULL);
        assert_identity(NAMES(DNS("a"), DNS(text)), NULL);
        for (size_t i = 0; i < CHAIN_NAMES_MAX; i++)
                many[i] = (struct name)DNS("a");
        x = cert(many);
        assert_int_equal(chain_identity(x, &leaf), OAP_OK);
        assert_int_equal(leaf.n_names, CHAIN_NAMES_MAX);
        leaf_clear(&leaf);
        X509_free(x);
        many[CHAIN_NAMES_MAX] = (struct name)DNS("a");
        assert_identity(many, NULL);
}

static void test_clear(void **state)
{
        struct leaf leaf = {0};

        (void)state;
        leaf_clear(&leaf);
        leaf_clear(&leaf);
        assert_int_equal(chain_key_ok(NULL), OAP_WEAK_KEY);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_alternative_names),
                cmocka_unit_test(test_other_types),
                cmocka_unit_test(test_common_name),
                cmocka_unit_test(test_nul),
                cmocka_unit_test(test_broken_extension),
                cmocka_unit_test(test_identities),
                cmocka_unit_test(test_no_identity),
                cmocka_unit_test(test_too_long_or_many),
                cmocka_unit_test(test_clear),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
