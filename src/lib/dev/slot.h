/*
 * slot.h - the place of one flow in this process: what flow descriptor N means.
 *
 *     free -> pending -> open -> closing -> free      (also free -> open, pending -> closing)
 *
 * A slot is never freed, so whoever has a number finds locks there, whatever became of the flow. There are
 * two, one per direction (a lane), always taken in the order tx, rx. Everything outside the lanes changes
 * only while both are held, so that either is enough to read it.
 *
 * Nobody waits while holding a lock. Who waits, spinning or asleep, counts itself in lane.waiters and looks
 * at the flow's mapping without a lock. So the end of a flow has two steps: slot_end() makes the slot closing
 * and wakes them; slot_take() empties it when the last one has left, whoever that is (dealloc.h).
 */
#ifndef O7S_DEV_SLOT_H
#define O7S_DEV_SLOT_H

#include <errno.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include <ouroboros/errno.h>
#include <ouroboros/fccntl.h>
#include <ouroboros/ipcp.h>
#include <ouroboros/qos.h>

#include "dev/patience.h"
#include "shm/port.h"

struct ask;
struct inbox;
struct member;
struct outbox;
struct rpc;
struct stream;

enum slot_state { SLOT_FREE, SLOT_PENDING, SLOT_OPEN, SLOT_CLOSING };

/* What irmd said of a flow. */
struct flow {
        struct rpc    *rpc; /* the connection on which `id` means this flow, a reference; NULL: none */
        uint64_t       id;
        uint64_t       port_id; /* of its memory, which may come back; 0: never */
        qosspec_t      qos;
        enum ipcp_type ipcp_type;
        char           layer[FLOW_LAYER_SIZE];
        char           peer[FLOW_IDENTITY_SIZE];
        bool           client;        /* this end asked for it                      */
        bool           authenticated; /* the peer, by certificate                   */
        uint32_t       suite;         /* enum suite                                 */
        uint8_t        fingerprint[FLOW_FINGERPRINT_SIZE];
        size_t         max_message;
        struct outbox *out;    /* NULL: plain                                          */
        struct inbox  *in;     /* NULL: plain, and no first data came                  */
        struct stream *stream; /* NULL: no FRCT, as the flow is not in order or direct */
};

/* One direction, in cache lines of its own. */
struct lane {
        alignas(RING_SPACING) pthread_mutex_t lock;
        unsigned        waiters;
        struct hunch    elsewhere; /* whether the peer has a processor of its own while we spin */
        struct hunch    streaming; /* whether another message follows at once                   */
        struct patience patience;
        int64_t         timeout_ns; /* FLOWSRCVTIMEO, FLOWSSNDTIMEO; CLOCK_NEVER: none    */
        size_t          offset;     /* that much of the oldest message was read; of rx    */
        uint64_t        messages, bytes, sleeps;
};

struct slot {
        struct lane tx, rx;

        /* with both locks; to be read with either */
        alignas(RING_SPACING) enum slot_state state;
        uint32_t     flags;      /* FLOWFRDWR, …                                             */
        uint32_t     generation; /* of the number: tells a flow from its successor           */
        struct flow *flow;       /* open                                                     */
        struct ask  *ask;        /* pending: the question to irmd                            */
        atomic_bool  broken;     /* the peer broke its promises; set with either, never undone */

        size_t         max_message;
        struct outbox *out; /* of the flow, under the lock of tx                               */
        struct inbox  *in;  /* under the lock of rx; given up when there is only the ring left */

        /*
         * With FRCT; then all goes through it, `out` and `in` are its, and the flow descriptor is `front`
         * instead of the port's bell (stream.h).
         */
        struct stream *stream;
        int            front;

        LIST_HEAD(, member) members; /* of flow sets; under the lock of the sets */

        struct port port;
};

/* The zeros of a new chunk become a free slot. */
void slot_init(struct slot *s);

/* Both locks. */
void slot_lock(struct slot *s);
void slot_unlock(struct slot *s);

/*
 * With both locks, free or pending: the descriptor @fd waits for the answer to @ask, which the slot takes
 * over.
 */
void slot_pend(struct slot *s, int fd, struct ask *ask);

/*
 * With both locks, free or pending: becomes open over the port @memfd, or its @mapping if that is not NULL,
 * with @bell (the flow descriptor) and @peer_bell, all but @memfd taken over with @flow. 0, or what
 * port_open() says; then nothing was taken and the slot is as before. With a mapping it does not fail.
 */
int slot_open(struct slot *s, struct flow *flow, struct port_ctl *mapping, int memfd, unsigned side, int bell,
              int peer_bell);

/* The same for one with FRCT: @front is the flow descriptor, @bell is not. 0, or what stream_open() says. */
int slot_open_stream(struct slot *s, struct flow *flow, struct port_ctl *mapping, int memfd, unsigned side,
                     int bell, int peer_bell, int front);

/* With both locks: makes what is pending or open closing, and wakes everybody who waits. 0 or -EBADF. */
int slot_end(struct slot *s);

/* What a slot held: owned by whoever has taken it. */
struct remains {
        struct port  port;  /* only with the descriptor `bell` if it was pending */
        struct flow *flow;  /* NULL if it was pending                            */
        struct ask  *ask;   /* NULL if it was open                               */
        int          front; /* the flow descriptor, if that is not in the port; else -1 */
};

/* Empties a closing slot that nobody waits in. False: it is not closing, or somebody does. */
bool slot_take(struct slot *s, struct remains *r);

/* In a forked child: an empty slot with new locks, without a word to anybody. */
void slot_forget(struct slot *s);

/*
 * With the lock of rx, inside the port: whether there is a message. 0, -EAGAIN (none yet), -ENODATA (the peer
 * has ended, none will come), -EFLOWDOWN (it has died, or lied), -EPROTO, -ENOMEM.
 */
int slot_look(struct slot *s);

/* The same for what lies in the ring of a plain flow, where it is. */
static inline int slot_look_plain(struct slot *s, const uint8_t **msg, size_t *len)
{
        int r;

        if (atomic_load_explicit(&s->broken, memory_order_relaxed))
                return -EFLOWDOWN;
        r = port_look(&s->port, msg, len);
        return r == 0 && *len > PORT_MSG_MAX ? -EPROTO : r;
}

/* With the lock of rx: leaves the port. */
void slot_leave(struct slot *s);

/*
 * With the lock of tx, open and encrypted: the first word of a client, which proves it live to a server. That
 * has to be woken for it if it may be holding back first data until then (@wakes). Nobody waits for room.
 */
void slot_greet(struct slot *s, bool wakes);

/*
 * With a lock: the peer lied. All later calls, also those that wait now, give -EFLOWDOWN, which is returned.
 */
int slot_break(struct slot *s);

/* Wipes what is secret. Takes NULL. */
void flow_free(struct flow *f);

#endif
