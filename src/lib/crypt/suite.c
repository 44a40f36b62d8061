#include "crypt/suite.h"

#include <pthread.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>

/* What a suite is called, and what it needs of OpenSSL. */
static const struct {
        const char *name;
        const char *dh;
        const char *kem;
} suites[SUITE_N] = {
        [SUITE_PLAIN]           = {"plain", NULL, NULL},
        [SUITE_P384]            = {"p384", "EC", NULL},
        [SUITE_P384_MLKEM1024]  = {"p384-mlkem1024", "EC", "ML-KEM-1024"},
        [SUITE_X25519]          = {"x25519", "X25519", NULL},
        [SUITE_X25519_MLKEM768] = {"x25519-mlkem768", "X25519", "ML-KEM-768"},
};

static unsigned available; /* SUITE_BIT()s */

static bool known(enum suite s)
{
        return (unsigned)s < SUITE_N;
}

const char *suite_name(enum suite s)
{
        return known(s) ? suites[s].name : "unknown";
}

bool suite_parse(const char *s, enum suite *suite)
{
        for (unsigned i = SUITE_PLAIN + 1; i < SUITE_N; i++) {
                if (strcmp(s, suites[i].name) == 0) {
                        *suite = (enum suite)i;
                        return true;
                }
        }
        return false;
}

/* Keys of that type can be made: a library that is old or restricted lacks some. */
static bool provided(const char *algorithm)
{
        EVP_KEYMGMT *m = EVP_KEYMGMT_fetch(NULL, algorithm, NULL);

        EVP_KEYMGMT_free(m);
        return m != NULL;
}

static void probe(void)
{
        for (unsigned i = 0; i < SUITE_N; i++) {
                if ((suites[i].dh == NULL || provided(suites[i].dh)) &&
                    (suites[i].kem == NULL || provided(suites[i].kem)))
                        available |= SUITE_BIT(i);
        }
        ERR_clear_error();
}

bool suite_available(enum suite s)
{
        static pthread_once_t once = PTHREAD_ONCE_INIT;

        pthread_once(&once, probe);
        return known(s) && (available & SUITE_BIT(s)) != 0;
}
