/*
 * pki.h - certificates for tests: made when they are wanted, around the fixed time PKI_NOW_S, and written to the tree of
 * files that creds_read() reads. Whatever fails ends the process: a test without certificates proves nothing.
 */
#ifndef UNIT_PKI_H
#define UNIT_PKI_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PKI_NOW_S  INT64_C(1800000000) /* 2027 */
#define PKI_NOW_NS (PKI_NOW_S * INT64_C(1000000000))
#define PKI_DAY_S  INT64_C(86400)

enum pki_key {
        PKI_P256,
        PKI_P384,
        PKI_P521,
        PKI_ED25519,
        PKI_ED448,
        PKI_RSA_2048,
        PKI_RSA_PSS_2048,
        PKI_RSA_1024, /* too weak */
        PKI_P224,     /* not allowed */
        PKI_N_KEYS
};

EVP_PKEY *pki_key(enum pki_key type);

/* What a certificate says; zeros are a leaf of P-256 that is valid around PKI_NOW_S and has no names. */
struct pki_spec {
        enum pki_key key;
        const char  *cn;          /* the subject's commonName; NULL: the subject is empty */
        const char  *san;         /* in OpenSSL's notation, "DNS:a,email:b@c"; NULL: no such extension */
        bool         ca;          /* with keyCertSign */
        const char  *usage;       /* keyUsage of a leaf, "digitalSignature"; NULL: no such extension */
        const char  *purpose;     /* extendedKeyUsage, "serverAuth"; NULL: no such extension */
        const char  *basic;       /* basicConstraints in place of the usual ones */
        int64_t     from_s, to_s; /* validity, relative to PKI_NOW_S; both 0: a day before to 30 days after */
        const char *digest;       /* NULL: what fits the issuer's key */
        EVP_PKEY   *reuse;        /* certify this key in place of a new one */
        void (*alter)(X509 *x, X509 *issuer); /* NULL, or what is done last before it is signed */
};

struct pki_cert {
        X509     *x;
        EVP_PKEY *key;
};

/* @issuer NULL: signed by itself. */
struct pki_cert pki_cert(const struct pki_spec *spec, const struct pki_cert *issuer);
void            pki_free(struct pki_cert *c);

/* The DER of @c to @out, its length. */
size_t pki_der(const struct pki_cert *c, uint8_t *out, size_t room);

/* -- files: paths are @dir and a relative path in it, whose folders are made -- */

char *pki_dir(void);             /* a new, empty folder; for pki_dir_remove() */
void  pki_dir_remove(char *dir); /* with all that is in it; frees @dir */

void pki_write(const char *dir, const char *path, const char *text);
void pki_write_certs(const char *dir, const char *path, const struct pki_cert *const *certs, size_t n);
void pki_write_key(const char *dir, const char *path, EVP_PKEY *key); /* mode 0600 */

/* "cert" (leaf, then the others) and "key" in the folder @path, "server/a.example". */
void pki_write_identity(const char *dir, const char *path, const struct pki_cert *leaf,
                        const struct pki_cert *const *others, size_t n);

#endif
