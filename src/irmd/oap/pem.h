/* pem.h - certificates and keys as administrators store them: PEM text, or for a key the URI of a provider. */
#ifndef O7S_IRMD_OAP_PEM_H
#define O7S_IRMD_OAP_PEM_H

#include <openssl/x509.h>
#include <stddef.h>
#include <stdint.h>

/*
 * All certificates in @text, in order, for sk_X509_pop_free(); blocks of other kinds are passed over. NULL: out of
 * memory. *@why is NULL, or what is wrong with the text, in words that follow the file's name; then those
 * that could be read are there all the same.
 */
STACK_OF(X509) * pem_certs(const uint8_t *text, size_t len, const char **why);

/*
 * The private key in @text (terminated): PEM without a passphrase, or one line that is a URI ("pkcs11:…"), which is
 * opened through the providers of OpenSSL's configuration. NULL and *@why.
 */
EVP_PKEY *pem_key(const uint8_t *text, size_t len, const char **why);

/* The chain as it is sent (message.h), allocated. 0, -ENOMEM, or -EINVAL and *@why: too many, or too large. */
int pem_wire(const STACK_OF(X509) * certs, uint8_t **out, size_t *len, const char **why);

/* "subject …, serial …, expires …" for the log. */
void pem_describe(X509 *x, char *out, size_t cap);

/* The parts of it: RFC 2253, upper-case hexadecimal. */
void pem_subject(X509 *x, char *out, size_t cap);
void pem_serial(X509 *x, char *out, size_t cap);

#endif
