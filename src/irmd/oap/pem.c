#include "oap/pem.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/store.h>
#include <openssl/ui.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "oap/message.h"

/* Files are never asked about at a terminal. */
static int no_passphrase(char *buf, int size, int writing, void *ctx)
{
        (void)buf;
        (void)size;
        (void)writing;
        (void)ctx;
        return -1;
}

/* The certificate in @der, which is nothing else. */
static X509 *whole_cert(const uint8_t *der, long len)
{
        const uint8_t *p = der;
        X509          *x = d2i_X509(NULL, &p, len);

        if (x != NULL && p == der + len)
                return x;
        X509_free(x);
        return NULL;
}

/* Adds the next block of @in. 1; 0: there is none; -EINVAL: it is bad; -ENOMEM. */
static int next_cert(BIO *in, STACK_OF(X509) * certs)
{
        char    *name = NULL, *header = NULL;
        uint8_t *der = NULL;
        long     len;
        X509    *x = NULL;
        int      r = 1;

        ERR_clear_error();
        if (PEM_read_bio(in, &name, &header, &der, &len) != 1)
                return ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE ? 0 : -EINVAL;
        if (strcmp(name, PEM_STRING_X509) == 0) {
                x = whole_cert(der, len);
                r = x == NULL ? -EINVAL : sk_X509_push(certs, x) > 0 ? 1 : -ENOMEM;
        }
        if (r == -ENOMEM)
                X509_free(x);
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_clear_free(der, (size_t)len);
        return r;
}

STACK_OF(X509) * pem_certs(const uint8_t *text, size_t len, const char **why)
{
        BIO *in               = BIO_new_mem_buf(text, (int)len);
        STACK_OF(X509) *certs = sk_X509_new_null();
        int r                 = in != NULL && certs != NULL ? 1 : -ENOMEM;

        *why = NULL;
        while (r == 1 || r == -EINVAL) { /* a bad block ends with its last line, or with the text */
                r = BIO_pending(in) > 0 ? next_cert(in, certs) : 0;
                if (r == -EINVAL)
                        *why = "holds a certificate that cannot be read";
        }
        ERR_clear_error();
        BIO_free(in);
        if (r == -ENOMEM) {
                sk_X509_pop_free(certs, X509_free);
                return NULL;
        }
        if (*why == NULL && sk_X509_num(certs) == 0)
                *why = "holds no certificate";
        return certs;
}

/* The one word of @text when that is a URI and not one of a file, which would go round our checks of files. */
static char *uri_of(const char *text)
{
        size_t start = strspn(text, " \t\r\n"), len = strcspn(text + start, " \t\r\n");
        size_t scheme = strspn(text + start, "abcdefghijklmnopqrstuvwxyz0123456789+.-");

        text += start;
        if (scheme == 0 || !islower((unsigned char)text[0]) || text[scheme] != ':' ||
            text[len + strspn(text + len, " \t\r\n")] != '\0' || strncmp(text, "file:", 5) == 0)
                return NULL;
        return strndup(text, len);
}

static EVP_PKEY *store_key(const char *uri)
{
        OSSL_STORE_CTX  *store = OSSL_STORE_open(uri, UI_null(), NULL, NULL, NULL);
        EVP_PKEY        *key   = NULL;
        OSSL_STORE_INFO *info;

        if (store == NULL)
                return NULL;
        OSSL_STORE_expect(store, OSSL_STORE_INFO_PKEY);
        while (key == NULL && !OSSL_STORE_eof(store) && (info = OSSL_STORE_load(store)) != NULL) {
                if (OSSL_STORE_INFO_get_type(info) == OSSL_STORE_INFO_PKEY)
                        key = OSSL_STORE_INFO_get1_PKEY(info);
                OSSL_STORE_INFO_free(info);
        }
        OSSL_STORE_close(store);
        return key;
}

static EVP_PKEY *text_key(const uint8_t *text, size_t len)
{
        BIO      *in  = BIO_new_mem_buf(text, (int)len);
        EVP_PKEY *key = in != NULL ? PEM_read_bio_PrivateKey(in, NULL, no_passphrase, NULL) : NULL;

        BIO_free(in);
        return key;
}

EVP_PKEY *pem_key(const uint8_t *text, size_t len, const char **why)
{
        char     *uri;
        EVP_PKEY *key;

        *why = "holds a NUL byte";
        if (memchr(text, '\0', len) != NULL)
                return NULL;
        uri  = uri_of((const char *)text);
        *why = uri != NULL ? "names a key that no provider gives" : "holds no private key without passphrase";
        key  = uri != NULL ? store_key(uri) : text_key(text, len);
        if (uri != NULL)
                OPENSSL_cleanse(uri, strlen(uri)); /* it may hold a PIN */
        free(uri);
        ERR_clear_error();
        return key;
}

/* Bytes on the wire, or -EINVAL and *@why. */
static int wire_size(const STACK_OF(X509) * certs, const char **why)
{
        int total = 0;

        *why = "holds more than 8 certificates";
        if (sk_X509_num(certs) > (int)OAP_CERTS_MAX)
                return -EINVAL;
        *why = "holds more than 32 kB of certificates";
        for (int i = 0; i < sk_X509_num(certs); i++) {
                int n = i2d_X509(sk_X509_value(certs, i), NULL);

                if (n <= 0 || n > UINT16_MAX || total + 2 + n > (int)OAP_CERTS_BYTES)
                        return -EINVAL;
                total += 2 + n;
        }
        return total;
}

int pem_wire(const STACK_OF(X509) * certs, uint8_t **out, size_t *len, const char **why)
{
        int      size = wire_size(certs, why);
        uint8_t *p;

        if (size < 0)
                return size;
        *out = p = malloc((size_t)size + 1);
        if (p == NULL)
                return -ENOMEM;
        for (int i = 0; i < sk_X509_num(certs); i++) {
                uint8_t *head = p;
                int      n;

                p += 2;
                n       = i2d_X509(sk_X509_value(certs, i), &p);
                head[0] = (uint8_t)(n >> 8);
                head[1] = (uint8_t)n;
        }
        *len = (size_t)size;
        return 0;
}

void pem_subject(X509 *x, char *out, size_t cap)
{
        BIO  *bio = BIO_new(BIO_s_mem());
        char *text;
        long  n;

        out[0] = '\0';
        if (bio != NULL && X509_NAME_print_ex(bio, X509_get_subject_name(x), 0, XN_FLAG_RFC2253) >= 0) {
                n = BIO_get_mem_data(bio, &text);
                snprintf(out, cap, "%.*s", n > 0 ? (int)n : 0, n > 0 ? text : "");
        }
        BIO_free(bio);
        ERR_clear_error();
}

void pem_serial(X509 *x, char *out, size_t cap)
{
        BIGNUM *bn  = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x), NULL);
        char   *hex = bn != NULL ? BN_bn2hex(bn) : NULL;

        snprintf(out, cap, "%s", hex != NULL ? hex : "");
        OPENSSL_free(hex);
        BN_free(bn);
        ERR_clear_error();
}

void pem_describe(X509 *x, char *out, size_t cap)
{
        char      subject[256], serial[64], expiry[32] = "?";
        struct tm tm;

        pem_subject(x, subject, sizeof(subject));
        pem_serial(x, serial, sizeof(serial));
        if (ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) == 1)
                strftime(expiry, sizeof(expiry), "%Y-%m-%dT%H:%M:%SZ", &tm);
        snprintf(out, cap, "subject %s, serial %s, expires %s", subject, serial, expiry);
}
