/*
 * keep.h - what irmd keeps of the shared memory of a flow: the port's descriptor and an end of each bell.
 *
 * It must be able to tell one side that the process of the other has died or that the layer has, and later to give the port to an IPCP that was restarted. Counted by
 * the ends that use it (one or two on this host).
 *
 * Three descriptors a flow are many where a process may have few: the bells are only kept for as many flows as need half of them. For the rest, the death of a
 * process still reaches its peer (the kernel closes what it held), and so does the death of a layer, but for a peer that does nothing but poll.
 */
#ifndef O7S_IRMD_KEEP_H
#define O7S_IRMD_KEEP_H

#include <stdbool.h>
#include <stddef.h>

#include "quota.h"
#include "shm/bell.h"

/* All of them together. */
struct keeps {
        struct quotas *quotas;
        size_t         with_bells;
        size_t         with_bells_max;
};

struct keep {
        int           memfd;
        struct bell   bell[2]; /* [s]: the one of side s */
        unsigned      refs;
        bool          handed[2]; /* the side has been sent its descriptors */
        bool          over[2];
        bool          has_bells;
        struct quota *payer;
};

/* @fds: how many descriptors the process may have. */
void keeps_init(struct keeps *ks, struct quotas *qs, size_t fds);

/*
 * A new port for two ends on this host, counted on @payer. The bell of side 0 is taken from *@bell0 if it has one, else made. 0, -EUSERS, -EMFILE, -ENOMEM, …
 */
int keep_create(struct keep **out, struct keeps *ks, struct quota *payer, struct bell *bell0);

/* What @side is to be sent: port, bell of the peer, own bell. Borrowed. */
void keep_fds(const struct keep *k, unsigned side, int fds[3]);

/* @side has been sent its descriptors. */
void keep_handed(struct keep *k, struct keeps *ks, unsigned side);

/* What carries the flow has died: both sides are told. */
void keep_down(struct keep *k);

/*
 * @side is over and gives its reference up. The other one is told, if the side has not told it itself: a process that never had it, or is no longer @alive. What
 * the dead have left in the memory proves nothing: one that wrote all over it has told nobody.
 */
void keep_over(struct keep *k, struct keeps *ks, unsigned side, bool alive);

#endif
