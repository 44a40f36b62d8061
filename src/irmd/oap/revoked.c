#include "oap/revoked.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

struct mark {
        uint8_t sum[32];
};

struct revoked {
        struct mark *marks; /* sorted: of keys, and of issuers with serials */
        size_t       n;
};

/* Adds a number of the key, with its length in front. */
static bool add_number(EVP_MD_CTX *md, const EVP_PKEY *key, const char *param)
{
        BIGNUM *bn = NULL;
        uint8_t buf[4 + 2048];
        int     len = 0;
        bool    ok;

        ok = EVP_PKEY_get_bn_param(key, param, &bn) == 1 && BN_num_bytes(bn) <= 2048;
        if (ok) {
                len    = BN_bn2bin(bn, buf + 4);
                buf[0] = buf[1] = 0;
                buf[2]          = (uint8_t)(len >> 8);
                buf[3]          = (uint8_t)len;
                ok              = EVP_DigestUpdate(md, buf, 4 + (size_t)len) == 1;
        }
        BN_free(bn);
        return ok;
}

static bool add_ec(EVP_MD_CTX *md, const EVP_PKEY *key)
{
        char   curve[64] = "";
        size_t len;

        if (EVP_PKEY_get_group_name(key, curve, sizeof(curve), &len) != 1)
                return false;
        return EVP_DigestUpdate(md, curve, strlen(curve) + 1) == 1 &&
               add_number(md, key, OSSL_PKEY_PARAM_EC_PUB_X);
}

static bool add_bits(EVP_MD_CTX *md, const X509 *x)
{
        const ASN1_BIT_STRING *bits = X509_get0_pubkey_bitstr(x);

        return bits != NULL &&
               EVP_DigestUpdate(md, ASN1_STRING_get0_data(bits), (size_t)ASN1_STRING_length(bits)) == 1;
}

/* Keys that cannot be taken apart are known by their encoding. */
static bool add_key(EVP_MD_CTX *md, const X509 *x)
{
        const EVP_PKEY *key  = X509_get0_pubkey(x);
        int             type = key != NULL ? EVP_PKEY_get_base_id(key) : EVP_PKEY_NONE;

        if (type == EVP_PKEY_RSA || type == EVP_PKEY_RSA_PSS)
                return EVP_DigestUpdate(md, "rsa", 4) == 1 && add_number(md, key, OSSL_PKEY_PARAM_RSA_N) &&
                       add_number(md, key, OSSL_PKEY_PARAM_RSA_E);
        if (type == EVP_PKEY_EC)
                return EVP_DigestUpdate(md, "ec", 3) == 1 && add_ec(md, key);
        return EVP_DigestUpdate(md, "key", 4) == 1 && add_bits(md, x);
}

static bool add_serial(EVP_MD_CTX *md, const X509 *x)
{
        const ASN1_INTEGER *serial = X509_get0_serialNumber(x);
        int                 ok     = 0;
        unsigned long       name   = X509_NAME_hash_ex(X509_get_issuer_name(x), NULL, NULL, &ok);
        uint8_t             sign   = ASN1_STRING_type(serial) == V_ASN1_NEG_INTEGER;

        return ok == 1 && EVP_DigestUpdate(md, "serial", 7) == 1 &&
               EVP_DigestUpdate(md, &name, sizeof(name)) == 1 && EVP_DigestUpdate(md, &sign, 1) == 1 &&
               EVP_DigestUpdate(md, ASN1_STRING_get0_data(serial), (size_t)ASN1_STRING_length(serial)) == 1;
}

static bool mark_make(struct mark *m, X509 *x, bool (*add)(EVP_MD_CTX *md, const X509 *x))
{
        EVP_MD_CTX *md = EVP_MD_CTX_new();
        bool        ok;

        ok = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 && add(md, x) &&
             EVP_DigestFinal_ex(md, m->sum, NULL) == 1;
        EVP_MD_CTX_free(md);
        if (!ok)
                ERR_clear_error();
        return ok;
}

static int mark_cmp(const void *a, const void *b)
{
        return memcmp(a, b, sizeof(struct mark));
}

static bool add_file(struct revoked *r, const STACK_OF(X509) * certs)
{
        for (int i = 0; certs != NULL && i < sk_X509_num(certs); i++) {
                X509 *x = sk_X509_value(certs, i);

                if (!mark_make(&r->marks[r->n], x, add_key) || !mark_make(&r->marks[r->n + 1], x, add_serial))
                        return false;
                r->n += 2;
        }
        return true;
}

struct revoked *revoked_create(const struct certdir *d)
{
        struct revoked *r = calloc(1, sizeof(*r));

        if (r == NULL || (r->marks = calloc(2 * certdir_count(d) + 1, sizeof(struct mark))) == NULL) {
                revoked_free(r);
                return NULL;
        }
        for (size_t i = 0; i < d->n; i++)
                if (!add_file(r, certdir_certs(d, i))) {
                        revoked_free(r);
                        return NULL;
                }
        qsort(r->marks, r->n, sizeof(struct mark), mark_cmp);
        return r;
}

void revoked_free(struct revoked *r)
{
        if (r != NULL)
                free(r->marks);
        free(r);
}

bool revoked_has(const struct revoked *r, X509 *x)
{
        struct mark key, serial;

        if (r->n == 0)
                return false;
        if (!mark_make(&key, x, add_key) || !mark_make(&serial, x, add_serial))
                return true;
        return bsearch(&key, r->marks, r->n, sizeof(key), mark_cmp) != NULL ||
               bsearch(&serial, r->marks, r->n, sizeof(serial), mark_cmp) != NULL;
}
