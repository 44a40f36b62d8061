/*
 * Verification, in this order: the form of each certificate; the leaf's key; X509_verify_cert() to the role's anchors; what
 * is revoked; the name. All of it but the name hangs on the bytes of the chain, the role, the snapshot and the time, so
 * a good verdict on these is remembered (verified.h).
 */
#include "oap/chain.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "oap/der.h"
#include "oap/pem.h"
#include "oap/verified.h"

#define SECURITY_LEVEL 2
#define NS_PER_S_      INT64_C(1000000000)
#define DAY_NS         (24 * 3600 * NS_PER_S_)

/* One verification. */
struct job {
        const struct creds *creds;
        enum role           peer;
        int64_t             wall_ns;
        X509               *leaf;
        STACK_OF(X509) * others;   /* that were sent with it */
        int64_t from_ns, until_ns; /* all of the chain is valid */
        char   *detail;
        size_t  detail_size;
};

__attribute__((format(printf, 3, 4))) static enum oap_reason
refuse(const struct job *j, enum oap_reason reason, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        if (j->detail != NULL && j->detail_size > 0)
                vsnprintf(j->detail, j->detail_size, fmt, ap);
        va_end(ap);
        return reason;
}

/* -- form -------------------------------------------------------------------------------------------------- */

/* Extensions came with version 3; a certificate that has them and says that it is older contradicts itself. */
static bool version_ok(const X509 *x)
{
        long v = X509_get_version(x);

        return v == X509_VERSION_3 ||
               ((v == X509_VERSION_1 || v == X509_VERSION_2) && X509_get_ext_count(x) == 0);
}

static X509 *parse(struct span der)
{
        const uint8_t *p = der.p;
        X509          *x = der_ok(der) ? d2i_X509(NULL, &p, (long)der.len) : NULL;

        if (x != NULL && p == der.p + der.len && version_ok(x))
                return x;
        X509_free(x);
        return NULL;
}

static enum oap_reason parse_all(struct job *j, const struct oap_body *body)
{
        j->others = sk_X509_new_null();
        if (j->others == NULL)
                return OAP_INTERNAL;
        for (size_t i = 0; i < body->n_certs; i++) {
                X509 *x = parse(body->cert[i]);

                if (x == NULL)
                        return refuse(j, OAP_CERT_ENCODING, "certificate %zu", i);
                if (i == 0) {
                        j->leaf = x;
                } else if (sk_X509_push(j->others, x) <= 0) {
                        X509_free(x);
                        return OAP_INTERNAL;
                }
        }
        return OAP_OK;
}

/* -- the verdict of OpenSSL -------------------------------------------------------------------------------- */

static enum oap_reason reason_of(int error)
{
        switch (error) {
        case X509_V_ERR_CERT_HAS_EXPIRED: return OAP_EXPIRED;
        case X509_V_ERR_CERT_NOT_YET_VALID: return OAP_NOT_YET_VALID;
        case X509_V_ERR_ERROR_IN_CERT_NOT_AFTER_FIELD:
        case X509_V_ERR_ERROR_IN_CERT_NOT_BEFORE_FIELD:
        case X509_V_ERR_UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY: return OAP_CERT_ENCODING;
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: return OAP_SELF_SIGNED;
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
        case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        case X509_V_ERR_CERT_UNTRUSTED: return OAP_UNKNOWN_CA;
        case X509_V_ERR_INVALID_PURPOSE:
        case X509_V_ERR_CERT_REJECTED: return OAP_WRONG_PURPOSE;
        case X509_V_ERR_EE_KEY_TOO_SMALL:
        case X509_V_ERR_CA_KEY_TOO_SMALL:
        case X509_V_ERR_CA_MD_TOO_WEAK:
        case X509_V_ERR_EC_KEY_EXPLICIT_PARAMS: return OAP_WEAK_KEY;
        case X509_V_ERR_OUT_OF_MEM: return OAP_INTERNAL;
        default: return OAP_CHAIN;
        }
}

static bool set_up(const struct job *j, X509_STORE_CTX *ctx, X509_STORE *anchors)
{
        X509_VERIFY_PARAM *param;

        if (X509_STORE_CTX_init(ctx, anchors, j->leaf, j->others) != 1 ||
            X509_STORE_CTX_set_purpose(ctx, j->peer == ROLE_SERVER ? X509_PURPOSE_SSL_SERVER
                                                                   : X509_PURPOSE_SSL_CLIENT) != 1)
                return false;
        param = X509_STORE_CTX_get0_param(ctx);
        X509_VERIFY_PARAM_set_auth_level(param, SECURITY_LEVEL);
        X509_VERIFY_PARAM_set_time(param, (time_t)(j->wall_ns / NS_PER_S_));
        return true;
}

/* -- beyond OpenSSL ---------------------------------------------------------------------------------------- */

/* A curve that is described and not named may be any, also one that was made to fit a signature (CVE-2020-0601). */
static bool curve_is_described(const X509 *x)
{
        EVP_PKEY *key   = X509_get0_pubkey(x);
        int       found = 0;

        if (key == NULL || EVP_PKEY_get_base_id(key) != EVP_PKEY_EC)
                return false;
        return EVP_PKEY_get_int_param(key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &found) == 1 &&
               found != 0;
}

static int64_t to_ns(const ASN1_TIME *t, int64_t otherwise)
{
        struct tm tm;
        time_t    s;

        if (ASN1_TIME_to_tm(t, &tm) != 1)
                return otherwise;
        s = timegm(&tm);
        if (s > INT64_MAX / NS_PER_S_)
                return INT64_MAX;
        return s < INT64_MIN / NS_PER_S_ ? INT64_MIN : (int64_t)s * NS_PER_S_;
}

/* As OpenSSL has it: from the second of notBefore on, until before that of notAfter. */
static void narrow(struct job *j, const X509 *x)
{
        int64_t from  = to_ns(X509_get0_notBefore(x), INT64_MAX);
        int64_t until = to_ns(X509_get0_notAfter(x), INT64_MIN);

        j->from_ns  = from > j->from_ns ? from : j->from_ns;
        j->until_ns = until < j->until_ns ? until : j->until_ns;
}

static enum oap_reason check_member(struct job *j, X509 *x, int depth)
{
        char subject[128];

        pem_subject(x, subject, sizeof(subject));
        if (curve_is_described(x))
                return refuse(j, OAP_WEAK_KEY, "explicit curve parameters: %s", subject);
        if (creds_revoked(j->creds, x))
                return refuse(j, depth == 0 ? OAP_REVOKED : OAP_REVOKED_CA, "revoked: %s", subject);
        narrow(j, x);
        return OAP_OK;
}

/* A chain of one is an anchor that vouches for itself. */
static enum oap_reason check_members(struct job *j, const STACK_OF(X509) * chain)
{
        enum oap_reason r = OAP_OK;

        if (sk_X509_num(chain) < 2)
                return refuse(j, OAP_SELF_SIGNED, "the certificate is a trust anchor itself");
        if ((X509_get_key_usage(j->leaf) & KU_DIGITAL_SIGNATURE) == 0)
                return refuse(j, OAP_WRONG_PURPOSE, "keyUsage without digitalSignature");
        for (int i = 0; r == OAP_OK && i < sk_X509_num(chain); i++)
                r = check_member(j, sk_X509_value(chain, i), i);
        return r;
}

static enum oap_reason run(struct job *j, X509_STORE_CTX *ctx)
{
        X509 *at;
        int   error, ok = X509_verify_cert(ctx);
        char  subject[128] = "";

        error = X509_STORE_CTX_get_error(ctx);
        if (ok == 1 && error == X509_V_OK)
                return check_members(j, X509_STORE_CTX_get0_chain(ctx));
        at = X509_STORE_CTX_get_current_cert(ctx);
        if (at != NULL)
                pem_subject(at, subject, sizeof(subject));
        return refuse(j, error == X509_V_OK ? OAP_INTERNAL : reason_of(error), "%s: %s",
                      X509_verify_cert_error_string(error), subject);
}

static enum oap_reason verify(struct job *j)
{
        enum oap_reason r;
        X509_STORE     *anchors = creds_anchors(j->creds, j->peer, &r);
        X509_STORE_CTX *ctx;

        if (anchors == NULL)
                return r != OAP_OK ? refuse(j, r, "trust anchors or revoked certificates cannot be read")
                                   : OAP_NO_ANCHORS;
        if (chain_key_ok(X509_get0_pubkey(j->leaf)) != OAP_OK)
                return refuse(j, OAP_WEAK_KEY, "the type or size of the leaf's key is not allowed");
        ctx = X509_STORE_CTX_new();
        r   = ctx != NULL && set_up(j, ctx, anchors) ? run(j, ctx) : OAP_INTERNAL;
        X509_STORE_CTX_free(ctx);
        return r;
}

/* -- with memory ------------------------------------------------------------------------------------------- */

static bool key_of(const struct job *j, const struct oap_body *body, struct verified_key *key)
{
        uint64_t    serial = creds_serial(j->creds);
        uint8_t     role   = (uint8_t)j->peer;
        EVP_MD_CTX *md     = EVP_MD_CTX_new();
        bool        ok;

        ok = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
             EVP_DigestUpdate(md, &role, 1) == 1 && EVP_DigestUpdate(md, &serial, sizeof(serial)) == 1 &&
             EVP_DigestUpdate(md, body->certs.p, body->certs.len) == 1 &&
             EVP_DigestFinal_ex(md, key->sum, NULL) == 1;
        EVP_MD_CTX_free(md);
        return ok;
}

static enum oap_reason verify_anew(struct job *j, const struct oap_body *body)
{
        enum oap_reason r;

        j->from_ns  = INT64_MIN;
        j->until_ns = j->wall_ns + DAY_NS;
        r           = parse_all(j, body);
        return r == OAP_OK ? verify(j) : r;
}

static enum oap_reason verify_once(struct job *j, struct chains *chains, const struct oap_body *body)
{
        struct verified_key key;
        enum oap_reason     r;

        if (chains != NULL && !key_of(j, body, &key))
                return OAP_INTERNAL;
        j->leaf = chains != NULL ? chains_find(chains, &key, j->wall_ns) : NULL;
        if (j->leaf != NULL)
                return OAP_OK;
        r = verify_anew(j, body);
        if (r == OAP_OK && chains != NULL)
                chains_add(chains, &key, j->leaf, j->from_ns, j->until_ns);
        return r;
}

static enum oap_reason fill(const struct job *j, struct leaf *out)
{
        out->key = X509_get_pubkey(j->leaf);
        if (out->key == NULL || X509_digest(j->leaf, EVP_sha256(), out->fingerprint, NULL) != 1)
                return OAP_INTERNAL;
        pem_serial(j->leaf, out->serial, sizeof(out->serial));
        pem_subject(j->leaf, out->subject, sizeof(out->subject));
        return OAP_OK;
}

static enum oap_reason check_who(const struct job *j, const char *name, struct leaf *out)
{
        enum oap_reason r = name != NULL ? chain_check_name(j->leaf, name) : chain_identity(j->leaf, out);
        char            subject[128];

        if (r == OAP_OK)
                return r;
        pem_subject(j->leaf, subject, sizeof(subject));
        return r == OAP_WRONG_NAME ? refuse(j, r, "%s is not for %s", subject, name)
                                   : refuse(j, r, "%s", subject);
}

enum oap_reason chain_verify(const struct creds *c, struct chains *chains, enum role peer,
                             const struct oap_body *body, const char *name, int64_t wall_ns,
                             struct leaf *leaf, char *detail, size_t detail_size)
{
        struct job j = {
                .creds = c, .peer = peer, .wall_ns = wall_ns, .detail = detail, .detail_size = detail_size};
        enum oap_reason r;

        *leaf = (struct leaf){0};
        refuse(&j, OAP_OK, "%s", "");
        if (body->n_certs == 0)
                return OAP_NO_CERT;
        ERR_clear_error();
        r = verify_once(&j, chains, body);
        if (r == OAP_OK)
                r = check_who(&j, name, leaf);
        if (r == OAP_OK)
                r = fill(&j, leaf);
        if (r != OAP_OK)
                leaf_clear(leaf);
        X509_free(j.leaf);
        sk_X509_pop_free(j.others, X509_free);
        ERR_clear_error();
        return r;
}
