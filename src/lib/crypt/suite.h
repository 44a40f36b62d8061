/*
 * suite.h - the cipher suites of OAP (doc/protocols/oap.md): what the keys are agreed with. Each but the
 * plain one has AES-256-GCM and SHA-384. The numbers are on the wire.
 */
#ifndef O7S_CRYPT_SUITE_H
#define O7S_CRYPT_SUITE_H

#include <stdbool.h>
#include <stddef.h>

enum suite {
        SUITE_PLAIN           = 0,
        SUITE_P384            = 1,
        SUITE_P384_MLKEM1024  = 2,
        SUITE_X25519          = 3,
        SUITE_X25519_MLKEM768 = 4,
        SUITE_N
};

#define SUITE_BIT(s) (1u << (s)) /* in a set of suites */

/* "plain", "p384", "p384-mlkem1024", …, or "unknown"; never NULL. */
const char *suite_name(enum suite s);

/* The suite with the name @s, as enc.cfg has it (not "plain"). False: there is none. */
bool suite_parse(const char *s, enum suite *suite);

/* Whether the OpenSSL that we run with has it. */
bool suite_available(enum suite s);

#endif
