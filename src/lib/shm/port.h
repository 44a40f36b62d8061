/*
 * port.h - one flow's shared memory: two rings, one per direction, and the word in which each side says that
 * it has ended.
 *
 *     page 0     two struct ring_ctl, two end words
 *     then       data of ring 0 (side 0 writes, side 1 reads), then of ring 1
 *
 * irmd creates the memory as a memfd, seals its size, and gives it to exactly the two processes that share
 * the flow; a side maps it with port_open(). New memory is all zeros, and that is the initial state of
 * everything in it.
 *
 * A port keeps its descriptor (the bell) true to the ring: whenever no reader is inside (between
 * port_rx_enter() and port_rx_leave()), it is readable if and only if there is a message or the end. Inside,
 * the bell is disarmed, so that a reader that spins costs the writer no system call.
 *
 * Readers of one port must exclude each other, writers likewise; one reader and one writer may run at once.
 * Waiting is done outside the lock: see port_rx_sleep().
 */
#ifndef O7S_SHM_PORT_H
#define O7S_SHM_PORT_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "shm/ring.h"

#define PORT_RING_SIZE  (UINT64_C(256) * 1024)
#define PORT_MSG_MAX    (64u * 1024u)        /* longest message of a flow */
#define PORT_RECORD_MAX (PORT_MSG_MAX + 64u) /* the same with what encryption adds */
#define PORT_SIZE       (RING_PAGE + 2 * PORT_RING_SIZE)

/* What a side says of itself, or irmd of a side that died. */
enum port_end { PORT_OPEN = 0, PORT_CLOSED = 1, PORT_DIED = 2 };

struct port_ctl;

/* Reader and writer of one side may run on two processors: what each changes has cache lines of its own. */
struct port {
        struct port_ctl *ctl; /* the mapping; NULL: not open */
        unsigned         side;
        int              bell;      /* own end, readable when there is something to read; owned */
        int              peer_bell; /* owned                                                    */
        atomic_bool      hung_up;   /* the kernel says that the peer's process is gone          */

        /* under the writers' lock */
        alignas(RING_SPACING) struct ring_tx tx;
        uint64_t wakes; /* times that the peer was woken */

        /* under the readers' lock */
        alignas(RING_SPACING) struct ring_rx rx;
        bool     armed;    /* we left RING_ARMED in the word                          */
        bool     rung;     /* the bell was rung and not cleared                       */
        bool     vain;     /* this visit found the bell armed and nothing to read yet */
        unsigned n_asleep; /* readers in port_rx_sleep()                              */
        uint32_t ticket;   /* the last that port_rx_prepare_next() gave               */
        int      self;     /* a writing end of the own bell, or -1; owned             */
        unsigned rests;    /* that the port came to since that was used               */
        bool     extra;    /* the reader holds more than the ring: see port_rx_leave() */
};

/* New sealed memory for a port. Returns its descriptor or -errno. */
int port_create(void);

/*
 * Joins the port @memfd as side @side (0 or 1), takes over the bell ends (not @memfd) and arms the bell. 0,
 * or -errno: -EPROTO when the memory is not a sealed port; then nothing was taken.
 */
int port_open(struct port *p, int memfd, unsigned side, int bell, int peer_bell);

/* The same for memory that is mapped already, from port_part(). */
void port_reopen(struct port *p, struct port_ctl *mapping, unsigned side, int bell, int peer_bell);

/*
 * As port_close(), but the mapping is handed out, for port_reopen() or port_unmap(). NULL: the port was not
 * open.
 */
struct port_ctl *port_part(struct port *p);
void             port_unmap(struct port_ctl *mapping); /* takes NULL */

/* Says that this side has ended (PORT_CLOSED) and wakes the peer. */
void port_end(struct port *p);

/* The same, and gives everything back. No thread may be inside. */
void port_close(struct port *p);

/*
 * Wakes the threads of this process that sleep in port_rx_sleep() or port_tx_sleep(), so that they look
 * again. A peer that means ill can put back to sleep who was just about to: for a minute at most, see port.c.
 */
void port_rouse(struct port *p);

/*
 * Gives the mapping and descriptors back without a word to the peer: for a forked child, whose parent goes
 * on.
 */
void port_forget(struct port *p);

/*
 * For irmd: says in the port @memfd that @side has died and wakes the other one, whose bell @bell is an end
 * of, or -1: then who polls it hears of it when the last end that can ring it is closed.
 */
void port_bury(int memfd, unsigned side, int bell);

/* For irmd: makes the memory new, once both sides have parted from it. 0 or -errno. */
int port_reset(int memfd);

/* What the sides of a port say of themselves. */
struct port_facts {
        bool     ended[2];
        uint64_t bytes[2]; /* of the application, that the side has sent */
};

/* For irmd: looks into the port @memfd. Zeros when it cannot be read. */
void port_inspect(int memfd, struct port_facts *facts);

/* What the peer says of itself. */
enum port_end port_peer(const struct port *p);

/* -- writing, under the writers' lock -------------------------------------- */

/*
 * Sends one message of 1 to PORT_MSG_MAX bytes. 0, -EAGAIN (no room), -EMSGSIZE, -EFLOWDOWN, -EPROTO (the
 * peer broke the ring).
 */
int port_write(struct port *p, const void *buf, size_t len);

/*
 * The same in two steps, for up to PORT_RECORD_MAX bytes that are written in place. Room is left for one
 * record of at most PORT_LAST_MAX bytes; only a @last one may use that, so that what a side says at its end
 * finds a place however full the ring is.
 */
#define PORT_LAST_MAX 32u

int port_reserve(struct port *p, size_t len, bool last, uint8_t **to);

/*
 * Publishes what was reserved, with @len bytes, @payload of them the application's. Not @wakes: the reader is
 * left as it is; the record is found by whoever comes for another.
 */
void port_commit(struct port *p, size_t len, size_t payload, bool wakes);

/*
 * The same for many: port_add() ends a record, and port_flush() publishes all that were added and wakes the
 * reader, with one look at his word.
 */
void port_add(struct port *p, size_t len, size_t payload);
void port_flush(struct port *p);

/* Announces a wait for room. True: still none, sleep with port_tx_sleep() after unlocking. */
bool port_tx_prepare(struct port *p);

/* Outside the lock: sleeps until there may be room or @deadline_ns. 0 or -ETIMEDOUT. */
int port_tx_sleep(struct port *p, int64_t deadline_ns);

/* -- reading, under the readers' lock -------------------------------------- */

void port_rx_enter(struct port *p);

/*
 * The same for one whom the bell did not call: a visit that finds nothing does not make it doubt the bell,
 * which costs a system call.
 */
void port_rx_enter_uncalled(struct port *p);

/* The descriptor becomes readable if there is something in the ring, the end, or `extra` is set. */
void port_rx_leave(struct port *p);

/*
 * Leaves only if there is none of these: then true, and the bell is armed. False: still inside, with something
 * to look at.
 */
bool port_rx_rest(struct port *p);

/* Takes the ring back without leaving: others of this process are asleep, and will see to what comes. */
void port_rx_unring(struct port *p);

/* The oldest message in place, as ring_rx_peek(). 0, -EAGAIN, -EPROTO. */
int port_peek(struct port *p, const uint8_t **buf, size_t *len);

/* After port_peek() gave -EAGAIN. */
int port_look_again(struct port *p, const uint8_t **buf, size_t *len);

/* The same, or how it ends: -ENODATA, the peer has closed and none will come; -EFLOWDOWN, it has died. */
static inline int port_look(struct port *p, const uint8_t **buf, size_t *len)
{
        int r = port_peek(p, buf, len);

        return r == -EAGAIN ? port_look_again(p, buf, len) : r;
}

/* Takes it. */
void port_pop(struct port *p);

/*
 * The oldest messages at once: up to @n of them, and of @bytes together unless the first has more. Returns how
 * many, at least 1; -EAGAIN, -EPROTO. Their bytes stay in the ring, where the peer may alter them.
 */
int port_peek_batch(struct port *p, struct iovec *v, size_t n, size_t bytes);

/* Takes the first @n (at least 1) of those in @v. */
void port_pop_batch(struct port *p, const struct iovec *v, size_t n);

/*
 * Waiting for a message, inside: port_rx_prepare() announces it; if it returns true there is still nothing,
 * and port_rx_sleep() after unlocking sleeps until there may be or @deadline_ns (0 or -ETIMEDOUT). Lock
 * again, then port_rx_awake(), whether it slept or not.
 */
bool port_rx_prepare(struct port *p);
int  port_rx_sleep(struct port *p, int64_t deadline_ns);
void port_rx_awake(struct port *p);

/*
 * The same for readers who take in for each other. What woke one may be taken by another, who then goes to
 * sleep himself: each announcement has a ticket of its own, and who is about to sleep on an older one does not.
 */
bool port_rx_prepare_next(struct port *p, uint32_t *ticket);
int  port_rx_sleep_on(struct port *p, uint32_t ticket, int64_t deadline_ns);

/*
 * For a spinning reader, without lock: whether the producer moved since it was at @seen (port_rx_seen(),
 * under the lock), or ended.
 */
uint64_t port_rx_seen(const struct port *p);
bool     port_rx_moved(const struct port *p, uint64_t seen);

/* Likewise for a spinning writer. */
uint64_t port_tx_seen(const struct port *p);
bool     port_tx_moved(const struct port *p, uint64_t seen);

#endif
