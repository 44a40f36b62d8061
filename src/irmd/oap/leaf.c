/*
 * Who a certificate says it is. Only bytes count: nothing is decoded, folded or matched by pattern, but for the lower case
 * that DNS names have anyway.
 */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oap/chain.h"
#include "oap/sign.h"

void leaf_clear(struct leaf *l)
{
        EVP_PKEY_free(l->key);
        for (size_t i = 0; i < l->n_names; i++)
                free(l->names[i]);
        free(l->names);
        *l = (struct leaf){0};
}

enum oap_reason chain_key_ok(EVP_PKEY *key)
{
        return key != NULL && sign_key_fits(key) ? OAP_OK : OAP_WEAK_KEY;
}

/* -- names of servers -------------------------------------------------------------------------------------- */

static bool is_bytes(const ASN1_STRING *s, const char *name)
{
        size_t len = strlen(name);

        return (size_t)ASN1_STRING_length(s) == len && memcmp(ASN1_STRING_get0_data(s), name, len) == 0;
}

static bool has_nul(const ASN1_STRING *s)
{
        return memchr(ASN1_STRING_get0_data(s), '\0', (size_t)ASN1_STRING_length(s)) != NULL;
}

/* One byte a character: what is compared byte for byte must not need decoding. */
static bool is_narrow(const ASN1_STRING *s)
{
        int type = ASN1_STRING_type(s);

        return type == V_ASN1_UTF8STRING || type == V_ASN1_PRINTABLESTRING || type == V_ASN1_IA5STRING ||
               type == V_ASN1_T61STRING;
}

/* The commonName @i of @x, or NULL. */
static const ASN1_STRING *common_name(const X509 *x, int i)
{
        const X509_NAME *subject = X509_get_subject_name(x);
        int              at      = -1;

        do
                at = X509_NAME_get_index_by_NID(subject, NID_commonName, at);
        while (at >= 0 && i-- > 0);
        return at >= 0 ? X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)) : NULL;
}

/* NULL and *@absent, or NULL: it is there and cannot be read, or is there twice. */
static GENERAL_NAMES *alt_names(X509 *x, bool *absent)
{
        int            crit;
        GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, &crit, NULL);

        *absent = names == NULL && crit == -1;
        return names;
}

/* Every dNSName is looked at, for one with a NUL spoils the certificate. */
static bool alt_names_have(const GENERAL_NAMES *names, const char *name)
{
        bool found = false;

        for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
                const GENERAL_NAME *n = sk_GENERAL_NAME_value(names, i);

                if (n->type != GEN_DNS)
                        continue;
                if (has_nul(n->d.dNSName))
                        return false;
                found = found || is_bytes(n->d.dNSName, name);
        }
        return found;
}

static bool common_name_is(const X509 *x, const char *name)
{
        const ASN1_STRING *cn = common_name(x, 0);

        return cn != NULL && common_name(x, 1) == NULL && is_narrow(cn) && !has_nul(cn) && is_bytes(cn, name);
}

enum oap_reason chain_check_name(X509 *leaf, const char *name)
{
        bool           absent;
        GENERAL_NAMES *names = alt_names(leaf, &absent);
        bool ok = absent ? common_name_is(leaf, name) : names != NULL && alt_names_have(names, name);

        GENERAL_NAMES_free(names);
        ERR_clear_error();
        return ok ? OAP_OK : OAP_WRONG_NAME;
}

/* -- identities of clients --------------------------------------------------------------------------------- */

enum { LOWER_NONE, LOWER_ALL, LOWER_DOMAIN };

static bool printable(const ASN1_STRING *s)
{
        const unsigned char *p = ASN1_STRING_get0_data(s);

        for (int i = 0; i < ASN1_STRING_length(s); i++)
                if (p[i] < 0x21 || p[i] > 0x7e)
                        return false;
        return ASN1_STRING_length(s) > 0 && is_narrow(s);
}

static void lower(char *s, int how)
{
        if (how == LOWER_DOMAIN)
                s = strrchr(s, '@');
        if (how == LOWER_NONE || s == NULL)
                return;
        for (; *s != '\0'; s++)
                if (*s >= 'A' && *s <= 'Z')
                        *s = (char)(*s - 'A' + 'a');
}

/* Adds the typed name. The first one is the identity. */
static enum oap_reason add_name(struct leaf *out, const char *type, const ASN1_STRING *s, int how)
{
        int   len = ASN1_STRING_length(s), prefix = (int)strlen(type);
        char *name;

        if (out->n_names == CHAIN_NAMES_MAX || prefix + len >= (int)CHAIN_IDENTITY_MAX)
                return OAP_BAD_IDENTITY;
        if (asprintf(&name, "%s%.*s", type, len, (const char *)ASN1_STRING_get0_data(s)) < 0)
                return OAP_INTERNAL;
        lower(name + prefix, how);
        out->names[out->n_names++] = name;
        if (out->identity[0] == '\0')
                snprintf(out->identity, sizeof(out->identity), "%s", name);
        return OAP_OK;
}

static enum oap_reason add_alt_name(struct leaf *out, const GENERAL_NAME *n)
{
        static const struct {
                const char *type;
                int         lower;
        } types[] = {
                [GEN_EMAIL] = {"email:", LOWER_DOMAIN},
                [GEN_DNS]   = {"dns:", LOWER_ALL},
                [GEN_URI]   = {"uri:", LOWER_NONE},
        };

        if (n->type < 0 || (size_t)n->type >= sizeof(types) / sizeof(types[0]) || types[n->type].type == NULL)
                return OAP_OK; /* of a type that has no say here */
        if (!printable(n->d.ia5))
                return OAP_BAD_IDENTITY;
        return add_name(out, types[n->type].type, n->d.ia5, types[n->type].lower);
}

static enum oap_reason add_alt_names(struct leaf *out, const GENERAL_NAMES *names)
{
        enum oap_reason r = OAP_OK;

        for (int i = 0; names != NULL && r == OAP_OK && i < sk_GENERAL_NAME_num(names); i++)
                r = add_alt_name(out, sk_GENERAL_NAME_value(names, i));
        return r;
}

/*
 * A commonName beside alternative names is no identity, but `deny` looks at it: bytes that no identity has are shown as '?'
 * there ("Alice Smith" is cn:Alice?Smith), for people do have names with blanks.
 */
static enum oap_reason add_second_cn(struct leaf *out, const ASN1_STRING *cn)
{
        ASN1_STRING    *shown = has_nul(cn) ? NULL : ASN1_STRING_dup(cn);
        enum oap_reason r     = OAP_BAD_IDENTITY;

        if (shown == NULL)
                return r;
        for (int i = 0; i < ASN1_STRING_length(shown); i++) {
                unsigned char *c = (unsigned char *)ASN1_STRING_get0_data(shown) + i;

                *c = *c < 0x21 || *c > 0x7e ? '?' : *c;
        }
        r = add_name(out, "cn:", shown, LOWER_NONE);
        ASN1_STRING_free(shown);
        return r;
}

static enum oap_reason add_common_names(struct leaf *out, const X509 *leaf)
{
        bool               only = out->n_names == 0;
        enum oap_reason    r    = OAP_OK;
        const ASN1_STRING *cn;

        if (only && ((cn = common_name(leaf, 0)) == NULL || common_name(leaf, 1) != NULL || !printable(cn)))
                return OAP_BAD_IDENTITY;
        for (int i = 0; r == OAP_OK && (cn = common_name(leaf, i)) != NULL; i++)
                r = only ? add_name(out, "cn:", cn, LOWER_NONE) : add_second_cn(out, cn);
        return r;
}

enum oap_reason chain_identity(X509 *leaf, struct leaf *out)
{
        bool            absent;
        GENERAL_NAMES  *names = alt_names(leaf, &absent);
        enum oap_reason r     = OAP_BAD_IDENTITY;

        out->names = calloc(CHAIN_NAMES_MAX, sizeof(char *));
        if (out->names == NULL)
                r = OAP_INTERNAL;
        else if (absent || names != NULL)
                r = add_alt_names(out, names);
        if (r == OAP_OK)
                r = add_common_names(out, leaf);
        GENERAL_NAMES_free(names);
        ERR_clear_error();
        return r;
}
