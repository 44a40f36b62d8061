/*
 * test_oap_chain.c - chains of certificates and the verdict on each: a matrix of them, made when the test runs, and then what is
 * remembered of verdicts.
 *
 * A row lists the certificates from the leaf up to the root, each made by the one after it and the last by itself. All but
 * the last are sent, and the last is the trust anchor, unless the row says otherwise by digits.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/param_build.h>
#include <openssl/x509v3.h>

#include "oap/chain.h"

#include "pki.h"

#define CERTS 9u

struct row {
        const char     *what;
        enum oap_reason verdict;
        struct pki_spec cert[CERTS];
        const char     *by;                     /* who made each, where that is not the next one   */
        const char     *send, *anchor, *revoke; /* "-": none                                       */
        enum role       role;
        const char     *name;         /* NULL: "a.example" for a server */
        int64_t         at_s;         /* relative to PKI_NOW_S          */
        EVP_PKEY      **key0, **key1; /* keys of the first two, NULL: made as the spec says */
        size_t (*mangle)(uint8_t *der,
                         size_t   len); /* the leaf's DER, with room for more; returns its length */
};

/* -- keys that nobody should have --------------------------------------------------------------------------- */

static EVP_PKEY *k1, *brainpool, *described, *x25519, *rsa_2047, *rsa_8192, *rsa_8193, *shared_key;

/* The public half of an RSA key that has no other half: a number of @bits bits. */
static EVP_PKEY *rsa_of(int bits)
{
        OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
        BIGNUM         *n = BN_new(), *e = BN_new();
        EVP_PKEY_CTX   *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
        EVP_PKEY       *key = NULL;
        OSSL_PARAM     *params;

        BN_set_bit(n, bits - 1);
        BN_set_bit(n, 0);
        BN_set_word(e, 65537);
        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n);
        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, e);
        params = OSSL_PARAM_BLD_to_param(bld);
        assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
        assert_int_equal(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params), 1);
        OSSL_PARAM_free(params);
        OSSL_PARAM_BLD_free(bld);
        EVP_PKEY_CTX_free(ctx);
        BN_free(n);
        BN_free(e);
        return key;
}

static int make_keys(void **state)
{
        (void)state;
        k1        = EVP_EC_gen("secp256k1");
        brainpool = EVP_EC_gen("brainpoolP256r1");
        described = EVP_EC_gen("P-256");
        assert_int_equal(EVP_PKEY_set_utf8_string_param(described, OSSL_PKEY_PARAM_EC_ENCODING, "explicit"),
                         1);
        x25519     = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
        rsa_2047   = rsa_of(2047);
        rsa_8192   = rsa_of(8192);
        rsa_8193   = rsa_of(8193);
        shared_key = pki_key(PKI_P256);
        return 0;
}

static int free_keys(void **state)
{
        EVP_PKEY *keys[] = {k1, brainpool, described, x25519, rsa_2047, rsa_8192, rsa_8193, shared_key};

        (void)state;
        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
                EVP_PKEY_free(keys[i]);
        return 0;
}

/* -- what certificates may say ------------------------------------------------------------------------------- */

static void add_extension(X509 *x, int nid, const char *value)
{
        X509V3_CTX      c;
        X509_EXTENSION *e;

        X509V3_set_ctx(&c, x, x, NULL, NULL, 0);
        e = X509V3_EXT_conf_nid(NULL, &c, nid, value);
        assert_non_null(e);
        assert_int_equal(X509_add_ext(x, e, -1), 1);
        X509_EXTENSION_free(e);
}

static void add_unknown(X509 *x, int critical)
{
        ASN1_OBJECT       *oid   = OBJ_txt2obj("1.3.6.1.4.1.99999.1", 1);
        ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
        X509_EXTENSION    *e;

        ASN1_OCTET_STRING_set(value, (const uint8_t *)"\x05\x00", 2);
        e = X509_EXTENSION_create_by_OBJ(NULL, oid, critical, value);
        assert_int_equal(X509_add_ext(x, e, -1), 1);
        X509_EXTENSION_free(e);
        ASN1_OCTET_STRING_free(value);
        ASN1_OBJECT_free(oid);
}

#define ALTER(name) static void name(X509 *x, X509 *issuer)

ALTER(critical_unknown)
{
        (void)issuer;
        add_unknown(x, 1);
}

ALTER(harmless_unknown)
{
        (void)issuer;
        add_unknown(x, 0);
}

ALTER(permit_example)
{
        (void)issuer;
        add_extension(x, NID_name_constraints, "critical,permitted;DNS:example");
}

ALTER(permit_other)
{
        (void)issuer;
        add_extension(x, NID_name_constraints, "critical,permitted;DNS:other");
}

ALTER(exclude_example)
{
        (void)issuer;
        add_extension(x, NID_name_constraints, "critical,excluded;DNS:example");
}

ALTER(exclude_other)
{
        (void)issuer;
        add_extension(x, NID_name_constraints, "critical,excluded;DNS:other");
}

ALTER(permit_mail_of_example)
{
        (void)issuer;
        add_extension(x, NID_name_constraints, "permitted;email:example");
}

ALTER(second_san)
{
        (void)issuer;
        add_extension(x, NID_subject_alt_name, "DNS:b.example");
}

ALTER(without_key_ids)
{
        (void)issuer;
        X509_EXTENSION_free(X509_delete_ext(x, X509_get_ext_by_NID(x, NID_authority_key_identifier, -1)));
}

ALTER(other_key_id)
{
        AUTHORITY_KEYID *id = AUTHORITY_KEYID_new();

        without_key_ids(x, issuer);
        id->keyid = ASN1_OCTET_STRING_new();
        ASN1_OCTET_STRING_set(id->keyid, (const uint8_t *)"not this one", 12);
        assert_int_equal(X509_add1_ext_i2d(x, NID_authority_key_identifier, id, 0, X509V3_ADD_DEFAULT), 1);
        AUTHORITY_KEYID_free(id);
}

ALTER(version_1)
{
        (void)issuer;
        while (X509_get_ext_count(x) > 0)
                X509_EXTENSION_free(X509_delete_ext(x, 0));
        assert_int_equal(X509_set_version(x, X509_VERSION_1), 1);
}

ALTER(version_1_with_extensions)
{
        (void)issuer;
        assert_int_equal(X509_set_version(x, X509_VERSION_1), 1);
}

ALTER(version_4)
{
        (void)issuer;
        assert_int_equal(X509_set_version(x, 3), 1);
}

ALTER(negative_serial)
{
        (void)issuer;
        ASN1_INTEGER_set(X509_get_serialNumber(x), -5);
}

ALTER(no_serial)
{
        (void)issuer;
        ASN1_INTEGER_set(X509_get_serialNumber(x), 0);
}

ALTER(other_issuer_name)
{
        X509_NAME *name = X509_NAME_dup(X509_get_subject_name(issuer));

        assert_int_equal(X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC, (const uint8_t *)"x", -1, -1, 0),
                         1);
        assert_int_equal(X509_set_issuer_name(x, name), 1);
        X509_NAME_free(name);
}

ALTER(until_9999)
{
        (void)issuer;
        assert_int_equal(ASN1_TIME_set_string_X509(X509_getm_notAfter(x), "99991231235959Z"), 1);
}

ALTER(reversed_validity)
{
        (void)issuer;
        ASN1_TIME_set(X509_getm_notBefore(x), PKI_NOW_S + 10);
        ASN1_TIME_set(X509_getm_notAfter(x), PKI_NOW_S - 10);
}

static void add_san(X509 *x, int type, const char *bytes, int len)
{
        GENERAL_NAMES *names = GENERAL_NAMES_new();
        GENERAL_NAME  *name  = GENERAL_NAME_new();
        ASN1_STRING   *text  = ASN1_STRING_type_new(V_ASN1_IA5STRING);

        ASN1_STRING_set(text, bytes, len);
        GENERAL_NAME_set0_value(name, type, text);
        sk_GENERAL_NAME_push(names, name);
        assert_int_equal(X509_add1_ext_i2d(x, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT), 1);
        GENERAL_NAMES_free(names);
}

ALTER(nul_in_dns)
{
        (void)issuer;
        add_san(x, GEN_DNS, "a.example\0.evil", 15);
}

ALTER(two_common_names)
{
        (void)issuer;
        assert_int_equal(X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                                                    (const uint8_t *)"b.example", -1, -1, 0),
                         1);
}

ALTER(organisation_cn)
{
        (void)issuer;
        assert_int_equal(X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "O", MBSTRING_ASC,
                                                    (const uint8_t *)"CN=a.example", -1, -1, 0),
                         1);
}

/* -- encodings ----------------------------------------------------------------------------------------------- */

static size_t trailing_byte(uint8_t *der, size_t len)
{
        der[len] = 0;
        return len + 1;
}

static size_t truncated(uint8_t *der, size_t len)
{
        (void)der;
        return len - 1;
}

static size_t garbage(uint8_t *der, size_t len)
{
        memset(der, 'x', len);
        return len;
}

static size_t only_a_sequence(uint8_t *der, size_t len)
{
        (void)len;
        der[0] = 0x30;
        der[1] = 0;
        return 2;
}

/* The outer length, which has two bytes, in three. */
static size_t long_length(uint8_t *der, size_t len)
{
        assert_int_equal(der[1], 0x82);
        memmove(der + 3, der + 2, len - 2);
        der[1] = 0x83;
        der[2] = 0;
        return len + 1;
}

static size_t indefinite_length(uint8_t *der, size_t len)
{
        assert_int_equal(der[1], 0x82);
        memmove(der + 2, der + 4, len - 4);
        der[1]       = 0x80;
        der[len - 2] = der[len - 1] = 0;
        return len;
}

static size_t altered_signature(uint8_t *der, size_t len)
{
        der[len - 1] ^= 1;
        return len;
}

/* Inside of the serial number. */
static size_t altered_content(uint8_t *der, size_t len)
{
        der[15] ^= 1;
        return len;
}

/* Another signature algorithm outside than inside: ecdsa-with-SHA256 and -SHA384 differ in one byte. */
static size_t algorithms_differ(uint8_t *der, size_t len)
{
        static const uint8_t oid[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};

        for (size_t i = len - sizeof(oid); i > 0; i--)
                if (memcmp(der + i, oid, sizeof(oid)) == 0) {
                        der[i + 7] = 3;
                        return len;
                }
        fail();
        return len;
}

/* -- the matrix ---------------------------------------------------------------------------------------------- */

#define SRV .cn = "leaf", .san = "DNS:a.example"
#define CLI .cn = "leaf", .san = "DNS:c.example"
#define CA  .ca = true
#define ROOT                     \
        {                        \
                .cn = "root", CA \
        }
#define INT(n)                     \
        {                          \
                .cn = "int" #n, CA \
        }
#define LEAF        \
        {           \
                SRV \
        }

#define IS(text, reason) .what = (text), .verdict = (reason), .cert

static const struct row shapes[] = {
        {IS("no certificate", OAP_NO_CERT) = {LEAF, ROOT}, .send = "-"},
        {IS("no anchors", OAP_NO_ANCHORS) = {LEAF, ROOT}, .anchor = "-"},
        {IS("one CA", OAP_OK) = {LEAF, ROOT}},
        {IS("one intermediate", OAP_OK) = {LEAF, INT(1), ROOT}},
        {IS("two intermediates", OAP_OK) = {LEAF, INT(2), INT(1), ROOT}},
        {IS("seven intermediates", OAP_OK) = {LEAF, INT(7), INT(6), INT(5), INT(4), INT(3), INT(2), INT(1),
                                              ROOT}},
        {IS("an intermediate is missing", OAP_UNKNOWN_CA) = {LEAF, INT(1), ROOT}, .send = "0"},
        {IS("the middle one is missing", OAP_UNKNOWN_CA) = {LEAF, INT(3), INT(2), INT(1), ROOT},
         .send                                           = "013"},
        {IS("intermediates in another order", OAP_OK) = {LEAF, INT(3), INT(2), INT(1), ROOT}, .send = "0312"},
        {IS("the intermediate twice", OAP_OK) = {LEAF, INT(1), ROOT}, .send = "011"},
        {IS("the leaf twice", OAP_OK) = {LEAF, ROOT}, .send = "00"},
        {IS("with the root", OAP_OK) = {LEAF, INT(1), ROOT}, .send = "012"},
        {IS("an unrelated one too", OAP_OK) = {LEAF, ROOT, {.cn = "x", CA}}, .by = "112", .send = "02",
         .anchor = "1"},
        {IS("the intermediate first", OAP_WRONG_PURPOSE) = {LEAF, INT(1), ROOT}, .send = "10"},
        {IS("another CA's", OAP_UNKNOWN_CA) = {LEAF, ROOT, {.cn = "other", CA}}, .by = "112", .send = "0",
         .anchor = "2"},
        {IS("another CA's, root sent", OAP_UNKNOWN_CA) = {LEAF, ROOT, {.cn = "other", CA}}, .by = "112",
         .send = "01", .anchor = "2"},
        {IS("a CA of the same name", OAP_UNKNOWN_CA) = {LEAF, ROOT, ROOT}, .by = "112", .send = "0",
         .anchor = "2"},
        {IS("the same, without key ids", OAP_CHAIN) = {{SRV, .alter = without_key_ids}, ROOT, ROOT},
         .by = "112", .send = "0", .anchor = "2"},
        {IS("the right one of two of a name", OAP_OK) = {LEAF, ROOT, ROOT}, .by = "112", .send = "0",
         .anchor = "12"},
        {IS("self-signed", OAP_SELF_SIGNED) = {LEAF, ROOT}, .by = "01"},
        {IS("self-signed CA", OAP_SELF_SIGNED) = {{SRV, CA, .usage = "digitalSignature,keyCertSign"}, ROOT},
         .by                                   = "01"},
        {IS("self-signed, in cacert", OAP_BAD_CREDENTIALS) = {LEAF, ROOT}, .by = "01", .anchor = "0"},
        {IS("self-signed CA:FALSE, in cacert", OAP_BAD_CREDENTIALS) = {{SRV, .basic = "critical,CA:FALSE"},
                                                                       ROOT},
         .by = "01", .anchor = "0"},
        {IS("the same beside an anchor", OAP_SELF_SIGNED) = {{SRV, .basic = "critical,CA:FALSE"}, ROOT},
         .by = "01", .anchor = "01"},
        {IS("the anchor itself", OAP_SELF_SIGNED) = {{SRV, CA, .usage = "digitalSignature,keyCertSign"},
                                                     ROOT},
         .by = "01", .anchor = "0"},
        {IS("a leaf in cacert", OAP_BAD_CREDENTIALS) = {LEAF, ROOT}, .anchor = "0"},
        {IS("an anchor that is no root", OAP_UNKNOWN_CA) = {LEAF, INT(1), ROOT}, .send = "0", .anchor = "1"},
        {IS("the same, sent too", OAP_UNKNOWN_CA) = {LEAF, INT(1), ROOT}, .send = "01", .anchor = "1"},
        {IS("intermediate kept with the root", OAP_OK) = {LEAF, INT(1), ROOT}, .send = "0", .anchor = "12"},
        {IS("a leaf as issuer", OAP_CHAIN) = {LEAF, {.cn = "b"}, ROOT}},
        {IS("another key id of the issuer", OAP_UNKNOWN_CA) = {{SRV, .alter = other_key_id}, ROOT}},
        {IS("another name of the issuer", OAP_UNKNOWN_CA) = {{SRV, .alter = other_issuer_name}, ROOT}},
};

static const struct row constraints[] = {
        {IS("intermediate CA:FALSE", OAP_CHAIN) = {LEAF, {.cn = "i", .basic = "critical,CA:FALSE"}, ROOT}},
        {IS("intermediate without basicConstraints",
            OAP_CHAIN) = {LEAF, {.cn = "i", .usage = "keyCertSign"}, ROOT}},
        {IS("intermediate of version 1", OAP_CHAIN) = {LEAF, {.cn = "i", .alter = version_1}, ROOT}},
        {IS("basicConstraints not critical", OAP_OK) = {LEAF, {.cn = "i", .basic = "CA:TRUE"}, ROOT}},
        {IS("intermediate without keyUsage",
            OAP_OK) = {LEAF, {.cn = "i", .basic = "critical,CA:TRUE"}, ROOT}},
        {IS("intermediate without keyCertSign",
            OAP_CHAIN) = {LEAF, {.cn = "i", CA, .usage = "digitalSignature,cRLSign"}, ROOT}},
        {IS("path length 0, leaf below",
            OAP_OK) = {LEAF, {.cn = "root", CA, .basic = "critical,CA:TRUE,pathlen:0"}}},
        {IS("path length 0, intermediate below",
            OAP_CHAIN) = {LEAF, INT(1), {.cn = "root", CA, .basic = "critical,CA:TRUE,pathlen:0"}}},
        {IS("path length 1, one below",
            OAP_OK) = {LEAF, INT(1), {.cn = "root", CA, .basic = "critical,CA:TRUE,pathlen:1"}}},
        {IS("path length 1, two below",
            OAP_CHAIN) = {LEAF, INT(2), INT(1), {.cn = "root", CA, .basic = "critical,CA:TRUE,pathlen:1"}}},
        {IS("path length 0 in the middle",
            OAP_CHAIN) = {LEAF, INT(2), {.cn = "i", CA, .basic = "critical,CA:TRUE,pathlen:0"}, ROOT}},
        {IS("path length 0 of the last",
            OAP_OK) = {LEAF, {.cn = "i", CA, .basic = "critical,CA:TRUE,pathlen:0"}, ROOT}},
        {IS("a leaf that is a CA", OAP_OK) = {{SRV, CA, .usage = "digitalSignature,keyCertSign"}, ROOT}},
        {IS("a leaf that is a CA and below path length 0",
            OAP_OK) = {{SRV, CA, .usage = "digitalSignature,keyCertSign"},
                       {.cn = "root", CA, .basic = "critical,CA:TRUE,pathlen:0"}}},
        {IS("leaf CA:FALSE", OAP_OK) = {{SRV, .basic = "critical,CA:FALSE"}, ROOT}},
        {IS("names permitted", OAP_OK) = {LEAF, {.cn = "i", CA, .alter = permit_example}, ROOT}},
        {IS("names not permitted", OAP_CHAIN) = {LEAF, {.cn = "i", CA, .alter = permit_other}, ROOT}},
        {IS("names excluded", OAP_CHAIN) = {LEAF, {.cn = "i", CA, .alter = exclude_example}, ROOT}},
        {IS("other names excluded", OAP_OK) = {LEAF, {.cn = "i", CA, .alter = exclude_other}, ROOT}},
        {IS("constraint of another type",
            OAP_OK) = {LEAF, {.cn = "i", CA, .alter = permit_mail_of_example}, ROOT}},
        {IS("constraint two steps up",
            OAP_CHAIN) = {LEAF, INT(2), {.cn = "i", CA, .alter = permit_other}, ROOT}},
        {IS("constraint of the root", OAP_CHAIN) = {LEAF, {.cn = "root", CA, .alter = permit_other}}},
        {IS("commonName not permitted",
            OAP_CHAIN) = {{.cn = "a.example"}, {.cn = "i", CA, .alter = permit_other}, ROOT}},
        {IS("commonName permitted",
            OAP_OK) = {{.cn = "a.example"}, {.cn = "i", CA, .alter = permit_example}, ROOT}},
        {IS("one of two names not permitted",
            OAP_CHAIN) = {{.cn = "leaf", .san = "DNS:a.example,DNS:a.other"},
                          {.cn = "i", CA, .alter = permit_example},
                          ROOT}},
        {IS("mail not permitted", OAP_CHAIN) = {{.cn = "leaf", .san = "email:a@other"},
                                                {.cn = "i", CA, .alter = permit_mail_of_example},
                                                ROOT},
         .role                               = ROLE_CLIENT},
        {IS("mail permitted", OAP_OK) = {{.cn = "leaf", .san = "email:a@example"},
                                         {.cn = "i", CA, .alter = permit_mail_of_example},
                                         ROOT},
         .role                        = ROLE_CLIENT},
};

#define PURPOSE(p)                  \
        {                           \
                SRV, .purpose = (p) \
        }
#define USAGE(u)                  \
        {                         \
                SRV, .usage = (u) \
        }

static const struct row purposes[] = {
        {IS("none, server", OAP_OK) = {LEAF, ROOT}},
        {IS("none, client", OAP_OK) = {LEAF, ROOT}, .role = ROLE_CLIENT},
        {IS("serverAuth, server", OAP_OK) = {PURPOSE("serverAuth"), ROOT}},
        {IS("serverAuth, client", OAP_WRONG_PURPOSE) = {PURPOSE("serverAuth"), ROOT}, .role = ROLE_CLIENT},
        {IS("clientAuth, server", OAP_WRONG_PURPOSE) = {PURPOSE("clientAuth"), ROOT}},
        {IS("clientAuth, client", OAP_OK) = {PURPOSE("clientAuth"), ROOT}, .role = ROLE_CLIENT},
        {IS("both, server", OAP_OK) = {PURPOSE("serverAuth,clientAuth"), ROOT}},
        {IS("both, client", OAP_OK) = {PURPOSE("critical,serverAuth,clientAuth"), ROOT}, .role = ROLE_CLIENT},
        {IS("any, server", OAP_WRONG_PURPOSE) = {PURPOSE("anyExtendedKeyUsage"), ROOT}},
        {IS("any, client", OAP_WRONG_PURPOSE) = {PURPOSE("anyExtendedKeyUsage"), ROOT}, .role = ROLE_CLIENT},
        {IS("codeSigning", OAP_WRONG_PURPOSE) = {PURPOSE("codeSigning"), ROOT}},
        {IS("emailProtection, client", OAP_WRONG_PURPOSE) = {PURPOSE("emailProtection"), ROOT},
         .role                                            = ROLE_CLIENT},
        {IS("an unknown one", OAP_WRONG_PURPOSE) = {PURPOSE("1.3.6.1.4.1.99999.2"), ROOT}},
        {IS("intermediate for clients",
            OAP_WRONG_PURPOSE) = {LEAF, {.cn = "i", CA, .purpose = "clientAuth"}, ROOT}},
        {IS("intermediate for servers", OAP_OK) = {LEAF, {.cn = "i", CA, .purpose = "serverAuth"}, ROOT}},
        {IS("intermediate for servers, client",
            OAP_WRONG_PURPOSE) = {LEAF, {.cn = "i", CA, .purpose = "serverAuth"}, ROOT},
         .role                 = ROLE_CLIENT},
        {IS("digitalSignature", OAP_OK) = {USAGE("digitalSignature"), ROOT}},
        {IS("digitalSignature, critical", OAP_OK) = {USAGE("critical,digitalSignature"), ROOT}},
        {IS("digitalSignature and more", OAP_OK) = {USAGE("digitalSignature,keyEncipherment"), ROOT}},
        {IS("digitalSignature, client", OAP_OK) = {USAGE("digitalSignature"), ROOT}, .role = ROLE_CLIENT},
        {IS("keyEncipherment", OAP_WRONG_PURPOSE) = {USAGE("keyEncipherment"), ROOT}},
        {IS("keyAgreement", OAP_WRONG_PURPOSE) = {USAGE("keyAgreement"), ROOT}},
        {IS("keyAgreement, client", OAP_WRONG_PURPOSE) = {USAGE("keyAgreement"), ROOT}, .role = ROLE_CLIENT},
        {IS("nonRepudiation", OAP_WRONG_PURPOSE) = {USAGE("nonRepudiation"), ROOT}},
        {IS("keyCertSign", OAP_WRONG_PURPOSE) = {{SRV, CA}, ROOT}},
};

#define VALID(from, to)                             \
        {                                           \
                SRV, .from_s = (from), .to_s = (to) \
        }

static const struct row times[] = {
        {IS("the last second", OAP_OK) = {VALID(-9, 1), ROOT}},
        {IS("the second it ends", OAP_EXPIRED) = {VALID(-9, 0), ROOT}},
        {IS("the second it begins", OAP_OK) = {VALID(0, 9), ROOT}},
        {IS("a second too early", OAP_NOT_YET_VALID) = {VALID(1, 9), ROOT}},
        {IS("long expired", OAP_EXPIRED) = {VALID(-9 * PKI_DAY_S, -8 * PKI_DAY_S), ROOT}},
        {IS("clock of 1970", OAP_NOT_YET_VALID) = {LEAF, ROOT}, .at_s = -PKI_NOW_S},
        {IS("clock of 2200", OAP_EXPIRED) = {LEAF, ROOT}, .at_s = 63000 * PKI_DAY_S},
        {IS("until 9999", OAP_OK) = {{SRV, .alter = until_9999}, {.cn = "root", CA, .alter = until_9999}},
         .at_s                    = 63000 * PKI_DAY_S},
        {IS("ends before it begins", OAP_NOT_YET_VALID) = {{SRV, .alter = reversed_validity}, ROOT}},
        {IS("expired intermediate", OAP_EXPIRED) = {LEAF, {.cn = "i", CA, .from_s = -9, .to_s = -1}, ROOT}},
        {IS("intermediate not yet valid",
            OAP_NOT_YET_VALID) = {LEAF, {.cn = "i", CA, .from_s = 1, .to_s = 9}, ROOT}},
        {IS("expired root", OAP_EXPIRED) = {LEAF, {.cn = "root", CA, .from_s = -9, .to_s = -1}}},
        {IS("root not yet valid", OAP_NOT_YET_VALID) = {LEAF, {.cn = "root", CA, .from_s = 1, .to_s = 9}}},
        {IS("longer than its CA", OAP_OK) = {VALID(-9, 99), {.cn = "root", CA, .from_s = -5, .to_s = 5}}},
};

#define KEY(k)                  \
        {                       \
                SRV, .key = (k) \
        }
#define ROOT_KEY(k)                          \
        {                                    \
                .cn = "root", CA, .key = (k) \
        }
#define DIGEST(d)                  \
        {                          \
                SRV, .digest = (d) \
        }

static const struct row keys[] = {
        {IS("P-384", OAP_OK) = {KEY(PKI_P384), ROOT}},
        {IS("P-521", OAP_OK) = {KEY(PKI_P521), ROOT}},
        {IS("Ed25519", OAP_OK) = {KEY(PKI_ED25519), ROOT}},
        {IS("Ed448", OAP_OK) = {KEY(PKI_ED448), ROOT}},
        {IS("RSA 2048", OAP_OK) = {KEY(PKI_RSA_2048), ROOT}},
        {IS("RSA-PSS 2048", OAP_OK) = {KEY(PKI_RSA_PSS_2048), ROOT}},
        {IS("RSA 8192", OAP_OK) = {LEAF, ROOT}, .key0 = &rsa_8192},
        {IS("RSA 8193", OAP_WEAK_KEY) = {LEAF, ROOT}, .key0 = &rsa_8193},
        {IS("RSA 2047", OAP_WEAK_KEY) = {LEAF, ROOT}, .key0 = &rsa_2047},
        {IS("RSA 1024", OAP_WEAK_KEY) = {KEY(PKI_RSA_1024), ROOT}},
        {IS("P-224", OAP_WEAK_KEY) = {KEY(PKI_P224), ROOT}},
        {IS("secp256k1", OAP_WEAK_KEY) = {LEAF, ROOT}, .key0 = &k1},
        {IS("Brainpool", OAP_WEAK_KEY) = {LEAF, ROOT}, .key0 = &brainpool},
        {IS("a curve described", OAP_WEAK_KEY) = {LEAF, ROOT}, .key0 = &described},
        {IS("a key that cannot sign", OAP_WEAK_KEY) = {LEAF, ROOT}, .key0 = &x25519},
        {IS("CA of P-384", OAP_OK) = {LEAF, ROOT_KEY(PKI_P384)}},
        {IS("CA of Ed25519", OAP_OK) = {LEAF, ROOT_KEY(PKI_ED25519)}},
        {IS("CA of Ed448", OAP_OK) = {LEAF, ROOT_KEY(PKI_ED448)}},
        {IS("CA of RSA 2048", OAP_OK) = {LEAF, ROOT_KEY(PKI_RSA_2048)}},
        {IS("CA of RSA-PSS", OAP_OK) = {LEAF, ROOT_KEY(PKI_RSA_PSS_2048)}},
        {IS("CA of RSA 1024", OAP_WEAK_KEY) = {LEAF, ROOT_KEY(PKI_RSA_1024)}},
        {IS("intermediate of RSA 1024", OAP_WEAK_KEY) = {LEAF, {.cn = "i", CA, .key = PKI_RSA_1024}, ROOT}},
        {IS("intermediate with a curve described", OAP_WEAK_KEY) = {LEAF, INT(1), ROOT}, .key1 = &described},
        {IS("SHA-384", OAP_OK) = {DIGEST("SHA384"), ROOT}},
        {IS("SHA-512", OAP_OK) = {DIGEST("SHA512"), ROOT}},
        {IS("SHA-1", OAP_WEAK_KEY) = {DIGEST("SHA1"), ROOT}},
        {IS("SHA-1 by RSA", OAP_WEAK_KEY) = {DIGEST("SHA1"), ROOT_KEY(PKI_RSA_2048)}},
        {IS("MD5 by RSA", OAP_WEAK_KEY) = {DIGEST("MD5"), ROOT_KEY(PKI_RSA_2048)}},
        {IS("SHA-1 on the intermediate", OAP_WEAK_KEY) = {LEAF, {.cn = "i", CA, .digest = "SHA1"}, ROOT}},
        {IS("SHA-1 on the root, which nobody looks at", OAP_OK) = {LEAF,
                                                                   {.cn = "root", CA, .digest = "SHA1"}}},
};

static const struct row encodings[] = {
        {IS("unknown extension", OAP_OK) = {{SRV, .alter = harmless_unknown}, ROOT}},
        {IS("critical unknown extension", OAP_CHAIN) = {{SRV, .alter = critical_unknown}, ROOT}},
        {IS("the same of an intermediate",
            OAP_CHAIN) = {LEAF, {.cn = "i", CA, .alter = critical_unknown}, ROOT}},
        {IS("the same of the root", OAP_CHAIN) = {LEAF, {.cn = "root", CA, .alter = critical_unknown}}},
        {IS("alternative names twice", OAP_UNKNOWN_CA) = {{SRV, .alter = second_san}, ROOT}},
        {IS("alternative names twice, client", OAP_UNKNOWN_CA) = {{SRV, .alter = second_san}, ROOT},
         .role                                                 = ROLE_CLIENT},
        {IS("version 1", OAP_OK) = {{.cn = "a.example", .alter = version_1}, ROOT}},
        {IS("version 1 with extensions", OAP_CERT_ENCODING) = {{SRV, .alter = version_1_with_extensions},
                                                               ROOT}},
        {IS("version 4", OAP_CERT_ENCODING) = {{SRV, .alter = version_4}, ROOT}},
        {IS("intermediate of version 4",
            OAP_CERT_ENCODING) = {LEAF, {.cn = "i", CA, .alter = version_4}, ROOT}},
        {IS("negative serial number", OAP_OK) = {{SRV, .alter = negative_serial}, ROOT}},
        {IS("serial number 0", OAP_OK) = {{SRV, .alter = no_serial}, ROOT}},
        {IS("a byte too many", OAP_CERT_ENCODING) = {LEAF, ROOT}, .mangle = trailing_byte},
        {IS("a byte too few", OAP_CERT_ENCODING) = {LEAF, ROOT}, .mangle = truncated},
        {IS("garbage", OAP_CERT_ENCODING) = {LEAF, ROOT}, .mangle = garbage},
        {IS("an empty sequence", OAP_CERT_ENCODING) = {LEAF, ROOT}, .mangle = only_a_sequence},
        {IS("a length longer than need be", OAP_CERT_ENCODING) = {LEAF, ROOT}, .mangle = long_length},
        {IS("an indefinite length", OAP_CERT_ENCODING) = {LEAF, ROOT}, .mangle = indefinite_length},
        {IS("altered signature", OAP_CHAIN) = {LEAF, ROOT}, .mangle = altered_signature},
        {IS("altered content", OAP_CHAIN) = {LEAF, ROOT}, .mangle = altered_content},
        {IS("two signature algorithms", OAP_CHAIN) = {LEAF, ROOT}, .mangle = algorithms_differ},
};

static const struct row revocations[] = {
        {IS("revoked leaf", OAP_REVOKED) = {LEAF, ROOT}, .revoke = "0"},
        {IS("revoked intermediate", OAP_REVOKED_CA) = {LEAF, INT(1), ROOT}, .revoke = "1"},
        {IS("revoked root", OAP_REVOKED_CA) = {LEAF, INT(1), ROOT}, .revoke = "2"},
        {IS("another is revoked", OAP_OK) = {LEAF, {.cn = "b"}, ROOT}, .by = "222", .send = "0",
         .revoke = "1"},
        {IS("the key of another that is revoked", OAP_REVOKED) = {LEAF, {.cn = "b"}, ROOT, {.cn = "old", CA}},
         .by = "2323", .send = "0", .anchor = "2", .revoke = "1", .key0 = &shared_key, .key1 = &shared_key},
        {IS("a revoked one that is not of the chain", OAP_OK) = {LEAF, {.cn = "b"}, ROOT}, .by = "222",
         .send = "01", .revoke = "1"},
        {IS("revoked and expired", OAP_EXPIRED) = {VALID(-9, -1), ROOT}, .revoke = "0"},
        {IS("revoked and of another name", OAP_REVOKED) = {LEAF, ROOT}, .revoke = "0", .name = "b.example"},
        {IS("revoked client", OAP_REVOKED) = {LEAF, ROOT}, .revoke = "0", .role = ROLE_CLIENT},
};

static const struct row names[] = {
        {IS("another name", OAP_WRONG_NAME) = {LEAF, ROOT}, .name = "b.example"},
        {IS("the beginning of it", OAP_WRONG_NAME) = {LEAF, ROOT}, .name = "a.exam"},
        {IS("more than it", OAP_WRONG_NAME) = {LEAF, ROOT}, .name = "a.example.org"},
        {IS("the end of it", OAP_WRONG_NAME) = {LEAF, ROOT}, .name = "example"},
        {IS("with a final dot", OAP_WRONG_NAME) = {LEAF, ROOT}, .name = "a.example."},
        {IS("in upper case", OAP_WRONG_NAME) = {LEAF, ROOT}, .name = "A.EXAMPLE"},
        {IS("a wildcard", OAP_WRONG_NAME) = {{.cn = "x", .san = "DNS:*.example"}, ROOT}},
        {IS("a wildcard taken at its word", OAP_OK) = {{.cn = "x", .san = "DNS:*.example"}, ROOT},
         .name                                      = "*.example"},
        {IS("NUL in the name", OAP_WRONG_NAME) = {{.cn = "x", .alter = nul_in_dns}, ROOT}},
        {IS("NUL in the client's name", OAP_BAD_IDENTITY) = {{.cn = "x", .alter = nul_in_dns}, ROOT},
         .role                                            = ROLE_CLIENT},
        {IS("commonName", OAP_OK) = {{.cn = "a.example"}, ROOT}},
        {IS("commonName beside alternative names",
            OAP_WRONG_NAME) = {{.cn = "a.example", .san = "DNS:b.example"}, ROOT}},
        {IS("commonName beside a mail address", OAP_WRONG_NAME) = {{.cn = "a.example", .san = "email:a@b"},
                                                                   ROOT}},
        {IS("two commonNames", OAP_WRONG_NAME) = {{.cn = "a.example", .alter = two_common_names}, ROOT}},
        {IS("O=CN=a.example", OAP_WRONG_NAME) = {{.cn = "b.example", .alter = organisation_cn}, ROOT}},
        {IS("client without a name", OAP_BAD_IDENTITY) = {{.usage = "digitalSignature"}, ROOT},
         .role                                         = ROLE_CLIENT},
        {IS("client with a blank", OAP_BAD_IDENTITY) = {{.cn = "Alice Smith"}, ROOT}, .role = ROLE_CLIENT},
        {IS("client with a commonName", OAP_OK) = {{.cn = "alice"}, ROOT}, .role = ROLE_CLIENT},
        {IS("client with an address", OAP_OK) = {{.cn = "x y", .san = "email:a@b"}, ROOT},
         .role                                = ROLE_CLIENT},
        {IS("wrong name of a wrong CA", OAP_UNKNOWN_CA) = {LEAF, ROOT, {.cn = "o", CA}}, .by = "112",
         .send = "0", .anchor = "2", .name = "b"},
};

/* -- running it ---------------------------------------------------------------------------------------------- */

#define ROOM (OAP_CERTS_BYTES + 16u)

struct wire {
        uint8_t         bytes[ROOM];
        size_t          len;
        struct oap_body body;
};

static void wire_add(struct wire *w, const struct pki_cert *c, const struct row *row, bool leaf)
{
        uint8_t *at = w->bytes + w->len + 2;
        size_t   n  = pki_der(c, at, ROOM - w->len - 2);

        if (leaf && row->mangle != NULL)
                n = row->mangle(at, n);
        at[-2]                          = (uint8_t)(n >> 8);
        at[-1]                          = (uint8_t)n;
        w->body.cert[w->body.n_certs++] = (struct span){at, n};
        w->len += 2 + n;
        w->body.certs = (struct span){w->bytes, w->len};
}

static size_t count(const struct row *row)
{
        size_t n = CERTS;

        while (n > 0 && row->cert[n - 1].cn == NULL && !row->cert[n - 1].ca && row->cert[n - 1].usage == NULL)
                n--;
        return n;
}

static void make(const struct row *row, size_t n, struct pki_cert *out)
{
        for (size_t i = n; i-- > 0;) {
                struct pki_spec spec   = row->cert[i];
                size_t          issuer = row->by != NULL ? (size_t)(row->by[i] - '0') : i + 1;
                EVP_PKEY      **key    = i == 0 ? row->key0 : i == 1 ? row->key1 : NULL;

                if (key != NULL)
                        spec.reuse = *key;
                out[i] = pki_cert(&spec, issuer == i || issuer >= n ? NULL : &out[issuer]);
        }
}

/* The certificates that the digits of @which name, into files of @folder. */
static void put(const char *dir, const char *folder, const struct pki_cert *certs, const char *which)
{
        char path[64];

        for (; *which >= '0' && *which <= '9'; which++) {
                const struct pki_cert *c = &certs[*which - '0'];

                snprintf(path, sizeof(path), "%s/%c.pem", folder, *which);
                pki_write_certs(dir, path, &c, 1);
        }
}

static void pack(struct wire *w, const struct row *row, const struct pki_cert *certs, size_t n)
{
        memset(w, 0, sizeof(*w));
        for (size_t i = 0; row->send == NULL && i + 1 < n; i++)
                wire_add(w, &certs[i], row, i == 0);
        for (const char *c = row->send; c != NULL && *c >= '0' && *c <= '9'; c++)
                wire_add(w, &certs[*c - '0'], row, c == row->send);
}

static struct creds *tree_of(const struct row *row, const struct pki_cert *certs, size_t n)
{
        char         *dir    = pki_dir();
        char          last[] = {(char)('0' + n - 1), '\0'};
        struct creds *c;

        put(dir, "cacert", certs, row->anchor != NULL ? row->anchor : last);
        if (row->revoke != NULL)
                put(dir, "untrusted", certs, row->revoke);
        c = creds_read(dir, NULL, NULL, NULL);
        assert_non_null(c);
        pki_dir_remove(dir);
        return c;
}

static enum oap_reason verdict(const struct row *row, const struct creds *c, struct chains *chains,
                               const struct wire *w, struct leaf *leaf, char detail[256])
{
        const char     *name = row->role == ROLE_CLIENT ? NULL : row->name != NULL ? row->name : "a.example";
        enum oap_reason r    = chain_verify(c, chains, row->role, &w->body, name,
                                            PKI_NOW_NS + row->at_s * INT64_C(1000000000), leaf, detail, 256);

        assert_int_equal(ERR_peek_error(), 0);
        assert_true((r == OAP_OK) == (leaf->key != NULL));
        return r;
}

/* As it comes, then with a memory that does not know it yet, then with one that may. */
static void check(const struct row *row)
{
        static struct wire w;
        struct pki_cert    certs[CERTS];
        struct chains     *chains = chains_create(4);
        size_t             n      = count(row);
        struct creds      *c;
        struct leaf        leaf;
        char               detail[256];

        make(row, n, certs);
        c = tree_of(row, certs, n);
        pack(&w, row, certs, n);
        for (int i = 0; i < 3; i++) {
                enum oap_reason r = verdict(row, c, i == 0 ? NULL : chains, &w, &leaf, detail);

                if (r != row->verdict)
                        fail_msg("%s: %s, not %s (%s)", row->what, oap_reason_name(r),
                                 oap_reason_name(row->verdict), detail);
                leaf_clear(&leaf);
        }
        creds_unref(c);
        chains_destroy(chains);
        for (size_t i = 0; i < n; i++)
                pki_free(&certs[i]);
}

#define MATRIX(rows)                                                          \
        static void test_##rows(void **state)                                 \
        {                                                                     \
                (void)state;                                                  \
                for (size_t i = 0; i < sizeof(rows) / sizeof((rows)[0]); i++) \
                        check(&(rows)[i]);                                    \
        }

MATRIX(shapes)
MATRIX(constraints)
MATRIX(purposes)
MATRIX(times)
MATRIX(keys)
MATRIX(encodings)
MATRIX(revocations)
MATRIX(names)

static void test_matrix_is_large(void **state)
{
        size_t n = sizeof(shapes) + sizeof(constraints) + sizeof(purposes) + sizeof(times) + sizeof(keys) +
                   sizeof(encodings) + sizeof(revocations) + sizeof(names);

        (void)state;
        assert_true(n / sizeof(struct row) >= 100);
}

/* -- crossing ------------------------------------------------------------------------------------------------ */

/*
 * One intermediate, certified by two roots, of which one is an anchor. Of two certificates that fit equally OpenSSL follows
 * the one that was sent first, and does not come back: whoever sends both sends first what most peers trust.
 */
static void test_cross_signed(void **state)
{
        static const struct {
                const char     *send; /* 0 leaf, 1 by the old root, 2 by the new one */
                enum oap_reason verdict;
        } cases[] = {{"012", OAP_UNKNOWN_CA},
                     {"021", OAP_OK},
                     {"02", OAP_OK},
                     {"01", OAP_UNKNOWN_CA},
                     {"0", OAP_UNKNOWN_CA}};
        static struct wire w;
        struct pki_cert    c[5];
        struct creds      *creds;
        struct leaf        leaf;
        char               detail[256];

        (void)state;
        c[4]  = pki_cert(&(struct pki_spec){.cn = "new root", CA}, NULL);
        c[3]  = pki_cert(&(struct pki_spec){.cn = "old root", CA}, NULL);
        c[2]  = pki_cert(&(struct pki_spec){.cn = "i", CA, .reuse = shared_key}, &c[4]);
        c[1]  = pki_cert(&(struct pki_spec){.cn = "i", CA, .reuse = shared_key}, &c[3]);
        c[0]  = pki_cert(&(struct pki_spec)LEAF, &c[1]);
        creds = tree_of(&(struct row){.anchor = "4"}, c, 5);
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct row row = {.send = cases[i].send};

                pack(&w, &row, c, 5);
                assert_int_equal(verdict(&row, creds, NULL, &w, &leaf, detail), cases[i].verdict);
                leaf_clear(&leaf);
        }
        creds_unref(creds);
        for (size_t i = 0; i < 5; i++)
                pki_free(&c[i]);
}

/* Nine certificates are refused where messages are read. */
static void test_nine(void **state)
{
        static uint8_t     body[4 + ROOM];
        static struct wire w;
        struct pki_cert    c = pki_cert(&(struct pki_spec)LEAF, NULL);
        struct oap_body    b;

        (void)state;
        memset(&w, 0, sizeof(w));
        for (size_t i = 1; i <= 9; i++) {
                uint8_t *at = w.bytes + w.len + 2;
                size_t   n  = pki_der(&c, at, ROOM - w.len - 2);

                at[-2] = (uint8_t)(n >> 8);
                at[-1] = (uint8_t)n;
                w.len += 2 + n;
                body[0] = (uint8_t)(w.len >> 8);
                body[1] = (uint8_t)w.len;
                memcpy(body + 4, w.bytes, w.len);
                assert_true(oap_body_get((struct span){body, 4 + w.len + 64}, true, &b) ==
                            (i <= OAP_CERTS_MAX));
        }
        pki_free(&c);
}

/* -- what comes of it ---------------------------------------------------------------------------------------- */

/* A chain of two that the cases below start from. */
struct pair {
        struct pki_cert certs[2];
        struct creds   *creds;
        struct row      row;
        struct wire     wire;
};

static void pair_make(struct pair *p, const struct pki_spec *leaf)
{
        struct row row = {.cert = {*leaf, ROOT}};

        memset(p, 0, sizeof(*p));
        p->row = row;
        make(&p->row, 2, p->certs);
        p->creds = tree_of(&p->row, p->certs, 2);
        pack(&p->wire, &p->row, p->certs, 2);
}

static void pair_free(struct pair *p)
{
        creds_unref(p->creds);
        pki_free(&p->certs[0]);
        pki_free(&p->certs[1]);
}

/* The same at another time. */
static enum oap_reason at(struct pair *p, struct chains *chains, int64_t s)
{
        struct leaf     leaf;
        char            detail[256];
        enum oap_reason r;

        p->row.at_s = s;
        r           = verdict(&p->row, p->creds, chains, &p->wire, &leaf, detail);
        leaf_clear(&leaf);
        return r;
}

static void test_leaf(void **state)
{
        static struct pair p;
        struct leaf        leaf;
        uint8_t            sum[32];
        char               detail[256] = "old";

        (void)state;
        pair_make(&p, &(struct pki_spec){.cn = "a,b", .san = "email:Al@HOST,DNS:C.example,URI:X:Y"});
        p.row.role = ROLE_CLIENT;
        assert_int_equal(verdict(&p.row, p.creds, NULL, &p.wire, &leaf, detail), OAP_OK);
        assert_string_equal(detail, "");
        assert_string_equal(leaf.identity, "email:Al@host");
        assert_int_equal(leaf.n_names, 4);
        assert_string_equal(leaf.names[1], "dns:c.example");
        assert_string_equal(leaf.names[2], "uri:X:Y");
        assert_string_equal(leaf.names[3], "cn:a,b");
        assert_string_equal(leaf.subject, "CN=a\\,b");
        assert_int_equal(strtol(leaf.serial, NULL, 16),
                         ASN1_INTEGER_get(X509_get0_serialNumber(p.certs[0].x)));
        X509_digest(p.certs[0].x, EVP_sha256(), sum, NULL);
        assert_memory_equal(leaf.fingerprint, sum, 32);
        assert_int_equal(EVP_PKEY_eq(leaf.key, p.certs[0].key), 1);
        leaf_clear(&leaf);
        leaf_clear(&leaf);
        p.row.role = ROLE_SERVER;
        p.row.name = "c.example"; /* whose certificate has it in another case: bytes count */
        assert_int_equal(verdict(&p.row, p.creds, NULL, &p.wire, &leaf, detail), OAP_WRONG_NAME);
        assert_string_equal(detail, "CN=a\\,b is not for c.example");
        p.row.name = "C.example";
        assert_int_equal(verdict(&p.row, p.creds, NULL, &p.wire, &leaf, detail), OAP_OK);
        assert_string_equal(leaf.identity, "");
        leaf_clear(&leaf);
        assert_int_equal(
                chain_verify(p.creds, NULL, ROLE_SERVER, &p.wire.body, "x", PKI_NOW_NS, &leaf, NULL, 0),
                OAP_WRONG_NAME);
        pair_free(&p);
}

/* A verdict is remembered until the certificate ends or a day is over, and never for a time before it. */
static void test_remembered_until(void **state)
{
        static struct pair p;
        struct chains     *chains = chains_create(8);

        (void)state;
        pair_make(&p, &(struct pki_spec){SRV, .from_s = -5, .to_s = 3 * PKI_DAY_S});
        assert_int_equal(at(&p, chains, 0), OAP_OK);
        assert_int_equal(at(&p, chains, PKI_DAY_S), OAP_OK);
        assert_int_equal(at(&p, chains, 3 * PKI_DAY_S - 1), OAP_OK);
        assert_int_equal(at(&p, chains, 3 * PKI_DAY_S), OAP_EXPIRED);
        assert_int_equal(at(&p, chains, 0), OAP_OK);
        assert_int_equal(at(&p, chains, -6), OAP_NOT_YET_VALID);
        assert_int_equal(at(&p, chains, -5), OAP_OK);
        pair_free(&p);
        chains_destroy(chains);
        chains_destroy(NULL);
}

/* The name is looked at each time, the role is part of what is remembered. */
static void test_not_remembered(void **state)
{
        static struct pair p;
        struct chains     *chains = chains_create(8);

        (void)state;
        pair_make(&p, &(struct pki_spec){SRV, .purpose = "serverAuth"});
        assert_int_equal(at(&p, chains, 0), OAP_OK);
        p.row.name = "b.example";
        assert_int_equal(at(&p, chains, 0), OAP_WRONG_NAME);
        p.row.name = NULL;
        p.row.role = ROLE_CLIENT;
        assert_int_equal(at(&p, chains, 0), OAP_WRONG_PURPOSE);
        p.row.role = ROLE_SERVER;
        p.wire.bytes[p.wire.len - 1] ^= 1;
        assert_int_equal(at(&p, chains, 0), OAP_CHAIN);
        p.wire.bytes[p.wire.len - 1] ^= 1;
        assert_int_equal(at(&p, chains, 0), OAP_OK);
        pair_free(&p);
        chains_destroy(chains);
}

/* What a new snapshot revokes was remembered with the one before, and is not any more. */
static void test_revoked_later(void **state)
{
        static struct pair p;
        struct chains     *chains = chains_create(8);
        char              *dir    = pki_dir();
        struct creds      *first, *second;

        (void)state;
        pair_make(&p, &(struct pki_spec)LEAF);
        put(dir, "cacert", p.certs, "1");
        first = creds_read(dir, NULL, NULL, NULL);
        creds_unref(p.creds);
        p.creds = first;
        assert_int_equal(at(&p, chains, 0), OAP_OK);
        put(dir, "untrusted", p.certs, "0");
        second  = creds_read(dir, first, NULL, NULL);
        p.creds = second;
        assert_int_equal(at(&p, chains, 0), OAP_REVOKED);
        p.creds = first; /* a handshake that is still under way */
        assert_int_equal(at(&p, chains, 0), OAP_OK);
        p.creds = second;
        assert_int_equal(at(&p, chains, 0), OAP_REVOKED);
        creds_unref(first);
        pair_free(&p);
        chains_destroy(chains);
        pki_dir_remove(dir);
}

/* A full memory drops the one that was used least lately, none at all remembers nothing. */
static void test_bounded(void **state)
{
        struct pair   *p         = calloc(3, sizeof(*p));
        struct chains *chains[2] = {chains_create(2), chains_create(0)};

        (void)state;
        assert_non_null(p);
        for (size_t i = 0; i < 3; i++)
                pair_make(&p[i], &(struct pki_spec)LEAF);
        for (size_t k = 0; k < 2; k++)
                for (size_t i = 0; i < 12; i++)
                        assert_int_equal(at(&p[i * i % 3], chains[k], 0), OAP_OK);
        for (size_t i = 0; i < 3; i++)
                pair_free(&p[i]);
        chains_destroy(chains[0]);
        chains_destroy(chains[1]);
        free(p);
}

struct crowd {
        struct pair   *p;
        struct chains *chains;
        size_t         n;
        unsigned       wrong;
};

static void *crowd_run(void *arg)
{
        struct crowd *c = arg;

        for (size_t i = 0; i < 200; i++) {
                const struct pair *p = &c->p[i % c->n];
                struct leaf        leaf;

                if (chain_verify(p->creds, c->chains, ROLE_SERVER, &p->wire.body, "a.example", PKI_NOW_NS,
                                 &leaf, NULL, 0) != OAP_OK)
                        c->wrong++;
                leaf_clear(&leaf);
        }
        return NULL;
}

static void test_threads(void **state)
{
        struct pair *p     = calloc(3, sizeof(*p));
        struct crowd c[4]  = {{.p = p, .n = 3}};
        struct crowd first = {p, chains_create(2), 3, 0};
        pthread_t    t[4];

        (void)state;
        assert_non_null(p);
        for (size_t i = 0; i < 3; i++)
                pair_make(&p[i], &(struct pki_spec)LEAF);
        for (size_t i = 0; i < 4; i++) {
                c[i] = first;
                assert_int_equal(pthread_create(&t[i], NULL, crowd_run, &c[i]), 0);
        }
        for (size_t i = 0; i < 4; i++) {
                pthread_join(t[i], NULL);
                assert_int_equal(c[i].wrong, 0);
        }
        for (size_t i = 0; i < 3; i++)
                pair_free(&p[i]);
        chains_destroy(first.chains);
        free(p);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_matrix_is_large),
                cmocka_unit_test(test_shapes),
                cmocka_unit_test(test_constraints),
                cmocka_unit_test(test_purposes),
                cmocka_unit_test(test_times),
                cmocka_unit_test(test_keys),
                cmocka_unit_test(test_encodings),
                cmocka_unit_test(test_revocations),
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_cross_signed),
                cmocka_unit_test(test_nine),
                cmocka_unit_test(test_leaf),
                cmocka_unit_test(test_remembered_until),
                cmocka_unit_test(test_not_remembered),
                cmocka_unit_test(test_revoked_later),
                cmocka_unit_test(test_bounded),
                cmocka_unit_test(test_threads),
        };

        return cmocka_run_group_tests(tests, make_keys, free_keys);
}
