#include "shm/ring.h"

#include <errno.h>
#include <string.h>

#define RING_LINE 64u /* bytes that travel between processors at a time */

/* Bytes that are fetched ahead: fewer are slower between processors far apart, more in short bursts. */
#define RING_AHEAD 2048u

void ring_tx_init(struct ring_tx *t, struct ring_ctl *ctl, void *mem, uint64_t size)
{
        *t = (struct ring_tx){.ctl = ctl, .mem = mem, .size = size};
}

void ring_rx_init(struct ring_rx *r, struct ring_ctl *ctl, const void *mem, uint64_t size)
{
        *r = (struct ring_rx){.ctl = ctl, .mem = mem, .size = size};
}

/*
 * Looks where the consumer is. False: it lies. Acquire pairs with ring_rx_publish(): its reads of the room
 * are over.
 */
static bool tx_refresh(struct ring_tx *t)
{
        uint64_t tail = atomic_load_explicit(&t->ctl->tail, memory_order_acquire);

        if (tail == t->looked) /* maybe less than t->tail, when we have started a lap since */
                return true;
        if (tail < t->tail || tail > t->head)
                return false;
        t->tail   = tail;
        t->looked = tail;
        return true;
}

static void put_len(struct ring_tx *t, uint64_t pos, uint32_t len)
{
        memcpy(t->mem + (pos & (t->size - 1)), &len, sizeof(len));
}

static bool has_room(const struct ring_tx *t, uint64_t need)
{
        return t->head + need - t->tail <= t->size;
}

/*
 * Whether the record would leave the page that it begins in: time to look for a chance to start a lap early.
 */
static bool leaves_page(uint64_t at, uint64_t need)
{
        return at >= RING_PAGE / 2 && (at & (RING_PAGE - 1)) + need >= RING_PAGE;
}

/* The consumer looks at the front when it sees a head beyond it, that is after ring_tx_commit(). */
static void start_lap(struct ring_tx *t)
{
        t->head = (t->head | (t->size - 1)) + 1;
        t->tail = t->head;
        atomic_store_explicit(&t->ctl->front, t->head, memory_order_relaxed);
}

int ring_tx_reserve(struct ring_tx *t, size_t len, uint8_t **p)
{
        uint64_t need = ring_record(len);
        uint64_t at   = t->head & (t->size - 1);
        uint64_t skip = at + need > t->size ? t->size - at : 0;
        bool     leaves;

        if (len > ring_max(t->size))
                return -EMSGSIZE;
        leaves = leaves_page(at, need);
        if ((leaves || !has_room(t, skip + need)) && !tx_refresh(t))
                return -EPROTO;
        if (leaves && t->tail == t->head) {
                start_lap(t);
                skip = 0;
        }
        if (!has_room(t, skip + need))
                return -EAGAIN;
        if (skip > 0) {
                put_len(t, t->head, RING_SKIP);
                t->head += skip; /* published with the record, so that a skip never stands alone */
        }
        *p = t->mem + (t->head & (t->size - 1)) + sizeof(uint32_t);
        return 0;
}

/* Generic x86-64 code would fetch for reading only; processors that lack the instruction ignore it. */
#ifdef __x86_64__
#define FOR_WRITING __attribute__((target("prfchw")))
#else
#define FOR_WRITING
#endif

/*
 * Fetches the memory that the next records will fill: the consumer's processor has it, and a fence that has
 * to wait for it takes longer than all the rest. @from is where the last record began; what lay ahead of it
 * then has been fetched already.
 */
FOR_WRITING static void fetch_ahead(const struct ring_tx *t, uint64_t from)
{
        uint64_t end = t->head + RING_AHEAD;

        if (end - t->tail > t->size) /* not what is still being read */
                return;
        from = from + RING_AHEAD > t->head ? from + RING_AHEAD : t->head;
        for (from = (from + RING_LINE - 1) & ~(uint64_t)(RING_LINE - 1); from < end; from += RING_LINE)
                __builtin_prefetch(t->mem + (from & (t->size - 1)), 1);
}

static inline void end_record(struct ring_tx *t, size_t len)
{
        put_len(t, t->head, (uint32_t)len);
        t->head += ring_record(len);
}

static inline void publish(struct ring_tx *t)
{
        /*
         * Next to the position: stores are seen in order, and one to this line before the record's last would
         * fetch it from the consumer twice.
         */
        atomic_store_explicit(&t->ctl->bytes, t->bytes, memory_order_relaxed);
        /* Release: the record is whole before it can be seen. Pairs with the acquire in rx_refresh(). */
        atomic_store_explicit(&t->ctl->head, t->head, memory_order_release);
}

void ring_tx_commit(struct ring_tx *t, size_t len)
{
        uint64_t from = t->head;

        end_record(t, len);
        publish(t);
        fetch_ahead(t, from);
}

void ring_tx_add(struct ring_tx *t, size_t len)
{
        uint64_t from = t->head;

        end_record(t, len);
        fetch_ahead(t, from);
}

void ring_tx_publish(struct ring_tx *t)
{
        publish(t);
}

uint64_t ring_tx_used(const struct ring_tx *t)
{
        uint64_t tail = atomic_load_explicit(&t->ctl->tail, memory_order_acquire);

        if (tail < t->tail)
                tail = t->tail;
        return tail > t->head ? 0 : t->head - tail;
}

/*
 * The beginning of what is unread when the producer is at @head: where the tail is, or the front that was
 * moved beyond it.
 */
static uint64_t rx_begin(const struct ring_rx *r, uint64_t head)
{
        uint64_t front = atomic_load_explicit(&r->ctl->front, memory_order_relaxed);

        return front > r->tail && front <= head ? front : r->tail;
}

/* Looks where the producer is, when all that was seen is taken. False: it lies. */
static bool rx_refresh(struct ring_rx *r)
{
        uint64_t head  = atomic_load_explicit(&r->ctl->head, memory_order_acquire);
        uint64_t begin = rx_begin(r, head);

        if (begin != r->tail && (begin - r->tail > r->size || (begin & (r->size - 1)) != 0))
                return false;
        if (head - begin > r->size || (head & (RING_ALIGN - 1)) != 0) /* one that went back is far ahead */
                return false;
        r->tail = begin;
        r->head = head;
        return true;
}

/* The length in front of the record at @pos: one load, since the producer may change it under our eyes. */
static uint32_t get_len(const struct ring_rx *r, uint64_t pos)
{
        return *(const volatile uint32_t *)(const void *)(r->mem + (pos & (r->size - 1)));
}

/* The record at @pos, which is before the head. */
static inline int give(struct ring_rx *r, uint64_t pos, size_t max, const uint8_t **p, size_t *len)
{
        uint32_t n = get_len(r, pos);
        uint64_t at;

        if (n == RING_SKIP) {
                pos += r->size - (pos & (r->size - 1));
                if (pos >= r->head) /* a record is published together with the skip before it */
                        return -EPROTO;
                n = get_len(r, pos);
        }
        at = pos & (r->size - 1);
        if (n > max || ring_record(n) > r->head - pos || at + ring_record(n) > r->size)
                return -EPROTO;
        r->next = pos + ring_record(n);
        *p      = r->mem + at + sizeof(uint32_t);
        *len    = n;
        return 0;
}

int ring_rx_peek(struct ring_rx *r, size_t max, const uint8_t **p, size_t *len)
{
        if (r->tail == r->head && !rx_refresh(r))
                return -EPROTO;
        return r->tail == r->head ? -EAGAIN : give(r, r->tail, max, p, len);
}

int ring_rx_peek_more(struct ring_rx *r, size_t max, const uint8_t **p, size_t *len)
{
        return r->next == r->head ? -EAGAIN : give(r, r->next, max, p, len);
}

bool ring_rx_publish(struct ring_rx *r)
{
        if (r->tail_published == r->tail)
                return false;
        r->tail_published = r->tail;
        /*
         * Release: we are done reading before the room can be reused. Pairs with the acquire in tx_refresh().
         */
        atomic_store_explicit(&r->ctl->tail, r->tail, memory_order_release);
        return true;
}

bool ring_rx_pop(struct ring_rx *r)
{
        r->tail = r->next;
        /* Room is given back in eighths: a store to a line that the producer reads is dear. */
        return r->tail - r->tail_published >= r->size / 8 && ring_rx_publish(r);
}

/* Between the tail and where the record ends lies one lap at most, and never nothing. */
bool ring_rx_pop_to(struct ring_rx *r, const uint8_t *p, size_t len)
{
        uint64_t end = (uint64_t)(p - r->mem) - sizeof(uint32_t) + ring_record(len);

        r->next = r->tail + 1 + ((end - r->tail - 1) & (r->size - 1));
        return ring_rx_pop(r);
}

bool ring_rx_ready(struct ring_rx *r)
{
        /* A lie counts as something: it shows at the next peek. */
        return r->tail != r->head || !rx_refresh(r) || r->tail != r->head;
}

uint64_t ring_rx_used(const struct ring_rx *r)
{
        uint64_t head  = atomic_load_explicit(&r->ctl->head, memory_order_acquire);
        uint64_t begin = rx_begin(r, head);

        return head - begin > r->size ? 0 : head - begin;
}
