/*
 * fuzz_leaf.c - f04: the names of a certificate, made of the input so that the right answer is known without the code under test.
 *
 *     a list of  | type 8 | length 8 | bytes |     type: 0 dNSName, 1 rfc822Name, 2 URI, 3 commonName, 4 organisation, 5 IP (modulo 6)
 *
 * Invariants: a certificate is for the name "a.example" exactly when the rules say so; an identity is its first name, and all
 * names are typed, printable and not longer than there is room.
 */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "oap/chain.h"

#include "input.h"

#define NAME "a.example"

enum { DNS, EMAIL, URI, COMMON, ORGANISATION, IP, N_TYPES };

/* What the rules need to know of a certificate. */
struct facts {
        bool alt;     /* it has alternative names    */
        bool dns;     /* NAME is among its dNSNames  */
        bool dns_nul; /* one of them holds a NUL     */
        int  common;  /* commonNames                 */
        bool is;      /* the last of these is NAME   */
};

static bool is_name(const uint8_t *p, size_t len)
{
        return len == strlen(NAME) && memcmp(p, NAME, len) == 0;
}

static void note(struct facts *f, int type, const uint8_t *p, size_t len)
{
        f->alt     = f->alt || type < COMMON || type == IP;
        f->dns     = f->dns || (type == DNS && is_name(p, len));
        f->dns_nul = f->dns_nul || (type == DNS && memchr(p, 0, len) != NULL);
        if (type == COMMON) {
                f->common++;
                f->is = is_name(p, len);
        }
}

static void add_alt(GENERAL_NAMES *names, int type, const uint8_t *p, size_t len)
{
        static const int types[N_TYPES] = {
                [DNS] = GEN_DNS, [EMAIL] = GEN_EMAIL, [URI] = GEN_URI, [IP] = GEN_IPADD};
        GENERAL_NAME *g = GENERAL_NAME_new();
        ASN1_STRING  *s = ASN1_STRING_type_new(type == IP ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);

        MUST(ASN1_STRING_set(s, p, (int)len) == 1);
        GENERAL_NAME_set0_value(g, types[type], s);
        MUST(sk_GENERAL_NAME_push(names, g) > 0);
}

/* One that OpenSSL would not put into a certificate is left out of the facts too. */
static void add(X509 *x, GENERAL_NAMES *names, struct facts *f, struct input *in)
{
        int            type = input_byte(in) % N_TYPES;
        size_t         len  = input_byte(in);
        const uint8_t *p    = in->p;

        if (len > (size_t)(in->end - in->p))
                len = (size_t)(in->end - in->p);
        in->p += len;
        if (type < COMMON || type == IP)
                add_alt(names, type, p, len);
        else if (len == 0 ||
                 X509_NAME_add_entry_by_NID(X509_get_subject_name(x),
                                            type == COMMON ? NID_commonName : NID_organizationName,
                                            V_ASN1_UTF8STRING, p, (int)len, -1, 0) != 1)
                return;
        note(f, type, p, len);
}

static X509 *cert_of(struct input *in, struct facts *f)
{
        X509          *x     = X509_new();
        GENERAL_NAMES *names = GENERAL_NAMES_new();

        MUST(x != NULL && names != NULL);
        while (input_left(in))
                add(x, names, f, in);
        if (f->alt)
                MUST(X509_add1_ext_i2d(x, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) == 1);
        GENERAL_NAMES_free(names);
        ERR_clear_error();
        return x;
}

static void check_typed(const char *name)
{
        static const char *const types[] = {"dns:", "email:", "uri:", "cn:"};
        size_t                   i       = 0;

        while (i < 4 && strncmp(name, types[i], strlen(types[i])) != 0)
                i++;
        MUST(i < 4);
        MUST(strlen(name) > strlen(types[i]) && strlen(name) < CHAIN_IDENTITY_MAX);
        for (const char *c = name; *c != '\0'; c++)
                MUST(*c > 0x20 && *c < 0x7f && (i != 0 || *c < 'A' || *c > 'Z'));
}

static void check_identity(X509 *x)
{
        struct leaf leaf = {0};

        if (chain_identity(x, &leaf) == OAP_OK) {
                MUST(leaf.n_names > 0 && leaf.n_names <= CHAIN_NAMES_MAX);
                MUST(strcmp(leaf.identity, leaf.names[0]) == 0);
                for (size_t i = 0; i < leaf.n_names; i++)
                        check_typed(leaf.names[i]);
        }
        leaf_clear(&leaf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct input in = {data, data + size};
        struct facts f  = {0};
        X509        *x  = cert_of(&in, &f);
        bool         ok = f.alt ? f.dns && !f.dns_nul : f.common == 1 && f.is;

        MUST((chain_check_name(x, NAME) == OAP_OK) == ok);
        check_identity(x);
        MUST(ERR_peek_error() == 0);
        X509_free(x);
        return 0;
}
