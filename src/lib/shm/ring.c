#include "shm/ring.h"

#include <errno.h>
#include <string.h>

void ring_tx_init(struct ring_tx *t, struct ring_ctl *ctl, void *mem, uint64_t size)
{
        *t = (struct ring_tx){.ctl = ctl, .mem = mem, .size = size};
}

void ring_rx_init(struct ring_rx *r, struct ring_ctl *ctl, const void *mem, uint64_t size)
{
        *r = (struct ring_rx){.ctl = ctl, .mem = mem, .size = size};
}

/* Looks where the consumer is. False: it lies. Acquire pairs with the release in ring_rx_publish(): its reads of the room are over. */
static bool tx_refresh(struct ring_tx *t)
{
        uint64_t tail = atomic_load_explicit(&t->ctl->tail, memory_order_acquire);

        if (tail < t->tail || tail > t->head)
                return false;
        t->tail = tail;
        return true;
}

static void put_len(struct ring_tx *t, uint64_t pos, uint32_t len)
{
        memcpy(t->mem + (pos & (t->size - 1)), &len, sizeof(len));
}

/* Whether the record would leave the page it begins in, that is whether it is time to look for a chance to restart at the front. */
static bool leaves_page(uint64_t at, uint64_t need)
{
        return at >= RING_PAGE / 2 && (at & (RING_PAGE - 1)) + need >= RING_PAGE;
}

int ring_tx_reserve(struct ring_tx *t, size_t len, uint8_t **p)
{
        uint64_t need = ring_record(len);
        uint64_t at   = t->head & (t->size - 1);
        uint64_t skip = 0;

        if (len > ring_max(t->size))
                return -EMSGSIZE;
        if (at + need > t->size) {
                skip = t->size - at;
        } else if (leaves_page(at, need)) {
                if (!tx_refresh(t))
                        return -EPROTO;
                if (t->tail == t->head)
                        skip = t->size - at;
        }
        if (t->head + skip + need - t->tail > t->size) {
                if (!tx_refresh(t))
                        return -EPROTO;
                if (t->head + skip + need - t->tail > t->size)
                        return -EAGAIN;
        }
        if (skip > 0) {
                put_len(t, t->head, RING_SKIP);
                t->head += skip; /* published with the record, so a skip never stands alone */
        }
        *p = t->mem + (t->head & (t->size - 1)) + sizeof(uint32_t);
        return 0;
}

void ring_tx_commit(struct ring_tx *t, size_t len)
{
        put_len(t, t->head, (uint32_t)len);
        t->head += ring_record(len);
        /* Release: the record is whole before it can be seen. Pairs with the acquire in rx_refresh(). */
        atomic_store_explicit(&t->ctl->head, t->head, memory_order_release);
}

uint64_t ring_tx_used(const struct ring_tx *t)
{
        uint64_t tail = atomic_load_explicit(&t->ctl->tail, memory_order_acquire);

        return tail > t->head || t->head - tail > t->size ? 0 : t->head - tail;
}

/* Looks where the producer is. False: it lies. */
static bool rx_refresh(struct ring_rx *r)
{
        uint64_t head = atomic_load_explicit(&r->ctl->head, memory_order_acquire);

        if (head < r->head || head - r->tail > r->size || (head & (RING_ALIGN - 1)) != 0)
                return false;
        r->head = head;
        return true;
}

/* The length in front of the record at @pos: one load, since the producer may change it under our eyes. */
static uint32_t get_len(const struct ring_rx *r, uint64_t pos)
{
        uint32_t len = *(const volatile uint32_t *)(const void *)(r->mem + (pos & (r->size - 1)));

        return len;
}

int ring_rx_peek(struct ring_rx *r, size_t max, const uint8_t **p, size_t *len)
{
        uint64_t tail = r->tail;
        uint64_t at;
        uint32_t n;

        if (tail == r->head && !rx_refresh(r))
                return -EPROTO;
        if (tail == r->head)
                return -EAGAIN;
        n = get_len(r, tail);
        if (n == RING_SKIP) {
                tail += r->size - (tail & (r->size - 1));
                if (tail >= r->head) /* a record is published together with the skip before it */
                        return -EPROTO;
                n = get_len(r, tail);
        }
        at = tail & (r->size - 1);
        if (n > max || ring_record(n) > r->head - tail || at + ring_record(n) > r->size)
                return -EPROTO;
        r->next = tail + ring_record(n);
        *p      = r->mem + at + sizeof(uint32_t);
        *len    = n;
        return 0;
}

bool ring_rx_publish(struct ring_rx *r)
{
        if (r->tail_published == r->tail)
                return false;
        r->tail_published = r->tail;
        /* Release: we are done reading before the room can be reused. Pairs with the acquire in tx_refresh(). */
        atomic_store_explicit(&r->ctl->tail, r->tail, memory_order_release);
        return true;
}

bool ring_rx_pop(struct ring_rx *r)
{
        r->tail = r->next;
        /* Room is given back in eighths: a store to a line that the producer reads is dear, and so is the fence that its waiter needs. */
        return r->tail - r->tail_published >= r->size / 8 && ring_rx_publish(r);
}

bool ring_rx_ready(struct ring_rx *r)
{
        if (r->tail == r->head)
                (void)rx_refresh(r); /* a lie shows at the next peek */
        return r->tail != r->head ||
               atomic_load_explicit(&r->ctl->head, memory_order_relaxed) != r->head;
}

uint64_t ring_rx_used(const struct ring_rx *r)
{
        uint64_t head = atomic_load_explicit(&r->ctl->head, memory_order_acquire);

        return head < r->tail || head - r->tail > r->size ? 0 : head - r->tail;
}
