/*
 * ring.h - a single-producer single-consumer byte ring in shared memory, with records of variable length.
 *
 * Positions are 64-bit byte counts that only grow; full and empty are subtraction, the place in the memory is
 * the position modulo the size. A record is a 32-bit length and the bytes, padded to 8, never split: one that
 * does not fit before the end of the memory is preceded by a skip record that fills it.
 *
 * A producer that would enter a new page and finds that everything was taken starts a lap early: it moves its
 * position to the next multiple of the size and says so in `front`. What lies between is nobody's, so the
 * whole ring is free again, and a quiet flow touches one page of memory, not all.
 *
 * The other side is hostile. Each side keeps its own position in private memory and only publishes it; what
 * it reads of the other's (a position, a length) is loaded once into a local and checked before use: a lie is
 * -EPROTO, and the ring is of no more use, but nothing outside it was touched.
 *
 * Sleeping. Each side has a word in which it says that it must be woken (RING_ARMED: ring its bell;
 * RING_ASLEEP: wake the futex, which is that word itself); the other side takes the word (exchanges it for
 * RING_AWAKE) after publishing and acts on what it finds. Store the position, then load the word here; store
 * the word, then load the position there: with ring_fence() between on both sides, at least one of the two
 * sees the other (Dekker). Who wakes, and how, is port.c's business.
 *
 * Neither side is safe for concurrent use by several threads: callers lock each direction.
 */
#ifndef O7S_SHM_RING_H
#define O7S_SHM_RING_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RING_ALIGN   8u         /* of records                                              */
#define RING_PAGE    4096u      /* granularity at which an empty ring starts a lap early   */
#define RING_SKIP    UINT32_MAX /* length of a record that only fills memory to its end    */
#define RING_SPACING 128        /* two cache lines: the prefetcher fetches them in pairs   */

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "a lock would not work between processes");

enum { RING_AWAKE = 0, RING_ARMED = 1, RING_ASLEEP = 2 };

/*
 * In shared memory, all zeros at birth. Each group is written by one side only, but for its word, which the
 * other side takes. A word shares the line of its side's position, since the other side looks at both.
 */
struct ring_ctl {
        /* the producer's */
        alignas(RING_SPACING) _Atomic uint64_t head; /* end of the last record               */
        _Atomic uint64_t front;                      /* start of the last lap begun early    */
        _Atomic uint64_t bytes;                      /* of applications, in all its records  */
        _Atomic uint32_t tx_word;                    /* producer waits for room              */
        /* the consumer's */
        alignas(RING_SPACING) _Atomic uint64_t tail; /* end of what it has taken             */
        _Atomic uint32_t rx_word;                    /* consumer waits for records           */
};

struct ring_tx {
        struct ring_ctl *ctl;
        uint8_t         *mem;
        uint64_t         size; /* a power of two, at least 4 * RING_PAGE */
        uint64_t         head;
        uint64_t         tail;   /* memory before it is free                */
        uint64_t         looked; /* the consumer's position as last seen    */
        uint64_t         bytes;  /* the caller's count for ring_ctl.bytes   */
};

struct ring_rx {
        struct ring_ctl *ctl;
        const uint8_t   *mem;
        uint64_t         size;
        uint64_t         tail;
        uint64_t         tail_published;
        uint64_t         head; /* as last seen */
        uint64_t         next; /* end of the last record that was given */
};

/*
 * Between what we publish and what we look at. A fence, not a sequentially consistent store of the position:
 * that is a locked instruction, which begins to fetch the line of the position only when the record's own
 * stores are done; one after the other, they double the time until the other side sees the record. Clang
 * would take mfence, which costs twice as much as what GCC takes and we write here.
 */
static inline void ring_fence(void)
{
#if defined(__clang__) && defined(__x86_64__)
        __asm__ volatile("lock orl $0, (%%rsp)" ::: "memory", "cc");
#else
        atomic_thread_fence(memory_order_seq_cst);
#endif
}

/* Bytes that a record of @len takes. */
static inline uint64_t ring_record(size_t len)
{
        return (sizeof(uint32_t) + (uint64_t)len + RING_ALIGN - 1) & ~(uint64_t)(RING_ALIGN - 1);
}

/*
 * The longest message a ring of @size takes for sure once all was popped: with the skip in front it must
 * leave the eighth that ring_rx_pop() may not have published.
 */
static inline size_t ring_max(uint64_t size)
{
        return (size_t)(3 * (size / 8) - sizeof(uint32_t));
}

void ring_tx_init(struct ring_tx *t, struct ring_ctl *ctl, void *mem, uint64_t size);
void ring_rx_init(struct ring_rx *r, struct ring_ctl *ctl, const void *mem, uint64_t size);

/*
 * Room for a record of @len (at most ring_max()) bytes, to be filled in place at *@p and sent by
 * ring_tx_commit(). 0, -EAGAIN (full), -EMSGSIZE, -EPROTO.
 */
int ring_tx_reserve(struct ring_tx *t, size_t len, uint8_t **p);

/* Publishes the reserved record, cut to @len, which is not more than was reserved. */
void ring_tx_commit(struct ring_tx *t, size_t len);

/*
 * The same, but it is not published before ring_tx_publish(): several with one store to the line that both
 * sides look at.
 */
void ring_tx_add(struct ring_tx *t, size_t len);
void ring_tx_publish(struct ring_tx *t);

/* Bytes (records with their padding) that the consumer has not published as taken. */
uint64_t ring_tx_used(const struct ring_tx *t);

/*
 * The oldest record, in place: *@p and *@len, @len at most @max. It stays until ring_rx_pop(), so that it may
 * be read in parts; the producer may alter its bytes meanwhile. 0, -EAGAIN (empty), -EPROTO.
 */
int ring_rx_peek(struct ring_rx *r, size_t max, const uint8_t **p, size_t *len);

/*
 * After ring_rx_peek(): the record behind the last that was given, so that several are held at once. Only what
 * the last look at the producer has shown: -EAGAIN says nothing of what came since.
 */
int ring_rx_peek_more(struct ring_rx *r, size_t max, const uint8_t **p, size_t *len);

/*
 * Takes what ring_rx_peek() and ring_rx_peek_more() gave. True when the room was published, that is when a
 * waiting producer should be looked for.
 */
bool ring_rx_pop(struct ring_rx *r);

/* The same, but only up to the record of @len at @p, which was given, and with it. */
bool ring_rx_pop_to(struct ring_rx *r, const uint8_t *p, size_t len);

/* Publishes all room. True when there was any to publish. */
bool ring_rx_publish(struct ring_rx *r);

/*
 * Whether ring_rx_peek() would give something else than -EAGAIN, by a fresh look at the producer's position.
 */
bool ring_rx_ready(struct ring_rx *r);

/* Bytes (records with their padding) waiting. */
uint64_t ring_rx_used(const struct ring_rx *r);

#endif
