/*
 * certdir.h - a folder of certificates, *.pem: trust anchors, or what is revoked. Other files in it (a README) are passed
 * over. A file that is bad keeps its last good state, a folder that cannot be listed keeps all of it.
 */
#ifndef O7S_IRMD_OAP_CERTDIR_H
#define O7S_IRMD_OAP_CERTDIR_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>

#include "oap/teller.h"

enum certdir_kind { CERTDIR_ANCHORS, CERTDIR_REVOKED };

/* One *.pem; unchanged ones are shared by snapshots. */
struct certfile;

struct certdir {
        enum certdir_kind kind;
        bool              there;
        bool              blind;   /* cannot be listed, and never could     */
        bool              content; /* holds something, server/ and client/ aside */
        struct certfile **files;   /* in the order of their names           */
        size_t            n;
        char              why[256]; /* it cannot be listed, or ""            */
};

/*
 * Reads @path, called @what when something is told. Of anchors every certificate of a file must be a CA's, and one that
 * is not spoils the file; of revoked ones all that can be read count. NULL: out of memory.
 */
struct certdir *certdir_read(const char *path, const char *what, enum certdir_kind kind,
                             const struct certdir *last, const struct teller *t);
void            certdir_free(struct certdir *d); /* takes NULL */

/* The certificates of file @i that count, NULL: none; and what is wrong with it, or "". */
STACK_OF(X509) * certdir_certs(const struct certdir *d, size_t i);
const char *certdir_why(const struct certdir *d, size_t i);

/* Certificates that count. */
size_t certdir_count(const struct certdir *d);

/* Whether they, or the faults, are not the same. */
bool certdir_differs(const struct certdir *a, const struct certdir *b);

#endif
