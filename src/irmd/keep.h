/*
 * keep.h - what irmd keeps of the shared memory of a flow: the port's descriptor and an end of each bell.
 *
 * It must be able to tell one side that the process of the other has died, and later to give the port to an
 * IPCP that was restarted. Counted by the ends that use it (one or two on this host).
 */
#ifndef O7S_IRMD_KEEP_H
#define O7S_IRMD_KEEP_H

#include <stdbool.h>

#include "quota.h"
#include "shm/bell.h"

struct keep {
        int           memfd;
        struct bell   bell[2]; /* [s]: the one of side s */
        unsigned      refs;
        bool          over[2];
        struct quota *payer;
};

/*
 * A new port, counted on @payer. The bell of side 0 is taken from *@bell0 if it has one, else made. *@out has
 * @refs references. 0, -EUSERS, -EMFILE, -ENOMEM, …
 */
int keep_create(struct keep **out, struct quotas *qs, struct quota *payer, struct bell *bell0, unsigned refs);

/* What @side is to be sent: port, bell of the peer, own bell. Borrowed. */
void keep_fds(const struct keep *k, unsigned side, int fds[3]);

/* @side has been sent its descriptors. */
void keep_handed(struct keep *k, unsigned side);

/* What carries the flow has died: both sides are told. */
void keep_down(struct keep *k);

/* @side is over and gives its reference up. The other one is told, if the side has not told it itself (a
 * process that died, or never had it). */
void keep_over(struct keep *k, struct quotas *qs, unsigned side);

#endif
