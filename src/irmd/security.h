/*
 * security.h - what the handshakes of this daemon share: the credentials of now, the memory of chains and of requests,
 * key pairs made ahead, the work queue for public-key operations; and the watch that reads the credentials again when
 * their files change.
 *
 * One reading at a time, on the work queue: a file that hangs stops no flow. The snapshot is swapped on the loop.
 */
#ifndef O7S_IRMD_SECURITY_H
#define O7S_IRMD_SECURITY_H

#include <stdbool.h>

#include "irmd.h"
#include "oap/creds.h"
#include "oap/replay.h"
#include "oap/rule.h"
#include "pace.h"

struct chains;
struct keypool;
struct sources;
struct watch;
struct work;

/* Somebody who wants to know when what was read is in force. */
struct security_wish {
        TAILQ_ENTRY(security_wish) all;
        void (*done)(struct security_wish *w);
};

struct security {
        struct irmd        *irmd;
        const struct creds *creds; /* never NULL */
        struct chains      *chains;
        struct replay      *replay;
        struct keypool     *keys;
        struct work        *work;
        struct sources     *sources;
        struct watch       *watch;
        struct pace         pace;
        uint8_t             ids[64][OAP_ID]; /* drawn ahead: one by one they would cost as much as the rest */
        size_t              n_ids;
        int                 horizon_fd;
        uv_mutex_t          horizon_lock;
        int64_t             horizon_ns; /* what is in the file; of the lock, writers are threads */
        int64_t             newest_ns;  /* timestamp of the newest request that was accepted */
        bool                reading, again, closing;
        TAILQ_HEAD(, security_wish) wishes; /* for the next reading */
        TAILQ_HEAD(, security_wish) being_read;
};

/* Reads the credentials, blocking: nothing runs yet. NULL: *a line in the log says why. */
struct security *security_open(struct irmd *d);
void             security_close(struct security *s); /* takes NULL; before the loop ends */

/*
 * Reads all files again. @w (or NULL) is called once a reading that began after this call is in force; never from
 * within.
 */
void security_reload(struct security *s, struct security_wish *w);
void security_forget(struct security *s, struct security_wish *w);

/*
 * Policy for a flow: OAP_OK, *@st and *@id (the credentials to sign with, or NULL); or why it is refused at once. The
 * snapshot that they are of is @s->creds now.
 */
enum oap_reason security_client(const struct security *s, const char *principal, bool local,
                                struct stance *st, const struct identity **id);
enum oap_reason security_server(const struct security *s, const char *name, bool local, struct stance *st,
                                const struct identity **id);

/* Draws the number of a handshake. False: OpenSSL has no randomness. */
bool security_draw_id(struct security *s, uint8_t id[OAP_ID]);

/* ± of the clock that requests may have, ns. */
int64_t security_skew_ns(const struct security *s);

#endif
