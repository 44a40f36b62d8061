/* teller.h - whom the reading of credentials tells what it finds (creds.h). */
#ifndef O7S_IRMD_OAP_TELLER_H
#define O7S_IRMD_OAP_TELLER_H

#include <openssl/x509.h>

#include "oap/creds.h"
#include "oap/pem.h"

struct teller {
        creds_tell_fn *fn; /* may be NULL */
        void          *ctx;
};

static inline void tell(const struct teller *t, enum creds_note note, const char *what, const char *text)
{
        if (t->fn != NULL)
                t->fn(t->ctx, note, what, text);
}

static inline void tell_cert(const struct teller *t, enum creds_note note, const char *what, X509 *x)
{
        char text[512];

        pem_describe(x, text, sizeof(text));
        tell(t, note, what, text);
}

#endif
