/*
 * revoked.h - the certificates of untrusted/ as a set that is asked by public key and by issuer and serial.
 *
 * A key is known by its value, whatever it is wrapped in: an RSA key is the same for PKCS #1 and PSS, a point of a curve
 * the same in its compressed form. Names of issuers are compared as X.509 does, without regard to case and string type.
 */
#ifndef O7S_IRMD_OAP_REVOKED_H
#define O7S_IRMD_OAP_REVOKED_H

#include <openssl/x509.h>
#include <stdbool.h>

#include "oap/certdir.h"

struct revoked;

/* NULL: out of memory. */
struct revoked *revoked_create(const struct certdir *d);
void            revoked_free(struct revoked *r); /* takes NULL */

bool revoked_has(const struct revoked *r, X509 *x); /* also when that cannot be found out */

#endif
