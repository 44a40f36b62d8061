/*
 * keep.h - what irmd keeps of the shared memory of a flow: the port's descriptor and an end of each bell.
 *
 * It must be able to tell one side that the process of the other has died or that the layer has, and later
 * to give the port to an IPCP that was restarted. Counted by the ends that use it (one or two on this
 * host).
 *
 * Three descriptors a flow are many where a process may have few: the bells are only kept for as many flows
 * as need half of them. For the rest, the death of a process still reaches its peer (the kernel closes what
 * it held), and so does the death of a layer, but for a peer that does nothing but poll.
 *
 * Memory that both processes have parted from in order is set aside for the next flow between the same two,
 * under the same number: they have kept their mappings, and making, mapping and touching memory is most of
 * what a short flow costs. Nobody else ever gets it, so it holds nothing that they have not seen. Some of
 * each pair's is set aside, if little of it was used, and given up when one of the two goes or their user
 * needs the bytes.
 */
#ifndef O7S_IRMD_KEEP_H
#define O7S_IRMD_KEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "quota.h"
#include "shm/bell.h"
#include "shm/port.h"

struct pair; /* two processes with memory set aside */

/* All of them together. */
struct keeps {
        struct quotas *quotas;
        int            fd_dir; /* of our descriptors, for bells; -1: none */
        uint64_t       last_port_id;
        struct pair   *pairs;
        size_t         with_bells;
        size_t         with_bells_max;
        size_t         aside;
        size_t         aside_max;
};

struct keep {
        TAILQ_ENTRY(keep) of_pair;
        uint64_t          port_id;   /* never the same as in another life of irmd */
        uint64_t          serial[2]; /* of the processes: client, server */
        int               memfd;
        struct bell       bell[2]; /* [s]: the one of side s */
        unsigned          refs;
        bool              handed[2]; /* the side has been sent its descriptors */
        bool              over[2];
        bool              unfit; /* a side has died, or been left without a word: not to be set aside */
        bool              has_bells;
        struct port_facts facts; /* of keep_look() */
        struct quota     *payer;
};

/* @fds: how many descriptors the process may have. */
void keeps_init(struct keeps *ks, struct quotas *qs, size_t fds);
void keeps_fini(struct keeps *ks);

/* The process @serial has gone: what was set aside for it is given up. */
void keeps_forget(struct keeps *ks, uint64_t serial);

/*
 * A port for two ends on this host, of the processes @serial (client, server), or with 0 as the second for one end that
 * shares it with an IPCP, counted on @payer. The bell
 * of side 0 is taken from *@bell0 if it has one, else made. 0, -EUSERS, -EMFILE, -ENOMEM, …
 */
int keep_create(struct keep **out, struct keeps *ks, struct quota *payer, const uint64_t serial[2],
                struct bell *bell0);

/* What @side is to be sent: port, bell of the peer, own bell. Borrowed. */
void keep_fds(const struct keep *k, unsigned side, int fds[3]);

/* @side has been sent its descriptors. */
void keep_handed(struct keep *k, struct keeps *ks, unsigned side);

/* What carries the flow has died: both sides are told. */
void keep_down(struct keep *k);

/* What the sides say of themselves now. Borrowed, until the next look. */
const struct port_facts *keep_look(struct keep *k);

/*
 * After keep_look(): @side is over and gives its reference up. The other one is told, if the side has not
 * told it itself: a process that never had it, or is no longer @alive. What the dead have left in the memory
 * proves nothing: one that wrote all over it has told nobody.
 */
void keep_over(struct keep *k, struct keeps *ks, unsigned side, bool alive);

#endif
