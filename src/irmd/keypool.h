/*
 * keypool.h - ephemeral key pairs that were made ahead, while there was nothing else to do: making one takes longer
 * than agreeing. Each is used once. Of a suite that nobody uses, none are made.
 */
#ifndef O7S_IRMD_KEYPOOL_H
#define O7S_IRMD_KEYPOOL_H

#include "crypt/kex.h"
#include "oap/creds.h"
#include "work.h"

struct keypool;

/* NULL: out of memory. */
struct keypool *keypool_open(struct work *w);
void            keypool_close(struct keypool *p); /* no job may be left; takes NULL */

/*
 * A key pair for our @role in a handshake, now the caller's; NULL: there is none, make one (kex_client(), kex_server()
 * on a thread). From now on the suite is one that is used.
 */
struct kex *keypool_take(struct keypool *p, enum role role, enum suite s);

/* There is nothing else to do: makes one if one is missing, and again when that is done. */
void keypool_fill(struct keypool *p);

#endif
