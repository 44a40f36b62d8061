/*
 * fuzz_ring.c - a producer and a consumer of one ring, and a peer of each who writes any byte of the shared
 * memory between their steps.
 *
 * The memory lies between pages that nobody may touch, and every byte that the ring offers is touched. As
 * long as nobody has lied, what comes out must be what went in.
 */
#include <errno.h>
#include <string.h>

#include "shm/ring.h"

#include "guarded.h"
#include "input.h"

#define SIZE     (4 * (uint64_t)RING_PAGE)
#define MESSAGES 4096 /* more than the ring can hold */

struct rig {
        struct ring_ctl *ctl;
        uint8_t         *mem;
        struct ring_tx   tx;
        struct ring_rx   rx;
        bool             honest;
        uint64_t         sent, taken;
        uint16_t         len[MESSAGES];
};

/* One for all inputs: mapping is dear. */
static struct rig rig;

static void begin(struct rig *g)
{
        if (g->ctl == NULL) {
                g->ctl = guarded_alloc(GUARDED_PAGE);
                g->mem = guarded_alloc(SIZE);
        }
        memset(g->ctl, 0, GUARDED_PAGE);
        memset(g->mem, 0, SIZE);
        ring_tx_init(&g->tx, g->ctl, g->mem, SIZE);
        ring_rx_init(&g->rx, g->ctl, g->mem, SIZE);
        g->honest = true;
        g->sent   = 0;
        g->taken  = 0;
}

static void produce(struct rig *g, size_t len, size_t cut)
{
        uint64_t head = g->tx.head;
        uint8_t *p;
        int      r = ring_tx_reserve(&g->tx, len, &p);

        MUST(r == 0 || r == -EAGAIN || (r == -EPROTO && !g->honest) ||
             (r == -EMSGSIZE && len > ring_max(SIZE)));
        MUST(g->tx.head >= head);
        if (r < 0)
                return;
        MUST(p >= g->mem && p + len <= g->mem + SIZE);
        memset(p, (int)g->sent, len);
        len -= cut % (len + 1);
        ring_tx_commit(&g->tx, len);
        g->len[g->sent++ % MESSAGES] = (uint16_t)len;
}

static void check_honest(const struct rig *g, int r, const uint8_t *p, size_t len)
{
        static uint8_t expect[SIZE];

        MUST(r == (g->taken < g->sent ? 0 : -EAGAIN));
        if (r < 0)
                return;
        MUST(len == g->len[g->taken % MESSAGES]);
        memset(expect, (int)g->taken, len);
        MUST(memcmp(p, expect, len) == 0);
}

static void consume(struct rig *g, size_t max, bool pop)
{
        static uint8_t copy[SIZE];
        uint64_t       tail = g->rx.tail;
        const uint8_t *p    = NULL;
        size_t         len  = 0;
        int            r    = ring_rx_peek(&g->rx, max, &p, &len);

        if (g->honest && max >= ring_max(SIZE))
                check_honest(g, r, p, len);
        MUST(r == 0 || r == -EAGAIN || r == -EPROTO);
        MUST(g->rx.tail >= tail);
        if (r < 0)
                return;
        MUST(len <= max && p >= g->mem && p + len <= g->mem + SIZE);
        memcpy(copy, p, len);
        if (pop) {
                (void)ring_rx_pop(&g->rx);
                MUST(g->rx.tail > tail);
                g->taken++;
        }
}

/* Somewhere that matters more often than not, with a value that matters. */
static void lie(struct rig *g, struct input *in)
{
        uint8_t  how  = input_byte(in);
        uint64_t near = how & 0x10 ? g->rx.tail : g->tx.head;
        int64_t  off  = (int64_t)(int16_t)input_le(in, 2) * (how & 0x40 ? 8 : 1);
        uint64_t v    = how & 0x20 ? input_le(in, 8) : near + (uint64_t)off;
        uint32_t len  = (uint32_t)input_le(in, how & 0x20 ? 4 : 1);

        g->honest = false;
        switch (how & 0x07) {
        case 0: atomic_store(&g->ctl->head, v); break;
        case 1: atomic_store(&g->ctl->front, how & 0x80 ? v & ~(SIZE - 1) : v); break;
        case 2: atomic_store(&g->ctl->tail, v); break;
        case 3: memcpy(g->mem + (g->rx.tail & (SIZE - 1)), &len, 4); break;
        case 4: memset(g->mem + (g->rx.tail & (SIZE - 1)), 0xff, 4); break;
        case 5: memcpy(g->mem + (v & (SIZE - 4)), &len, 4); break;
        case 6: ((uint8_t *)g->ctl)[v % sizeof(*g->ctl)] = (uint8_t)len; break;
        default: g->mem[v & (SIZE - 1)] = (uint8_t)len;
        }
}

static void step(struct rig *g, struct input *in)
{
        uint8_t op = input_byte(in);

        switch (op & 0x07) {
        case 0: produce(g, input_byte(in), 0); break;
        case 1: produce(g, input_le(in, 2), op & 0x08 ? input_le(in, 2) : 0); break;
        case 2: consume(g, SIZE, true); break;
        case 3: consume(g, input_byte(in), op & 0x08); break;
        case 4: (void)ring_rx_publish(&g->rx); break;
        case 5: MUST(ring_rx_ready(&g->rx) == (g->taken < g->sent) || !g->honest); break;
        case 6:
                for (int i = op >> 3; i > 0; i--) {
                        produce(g, 60, 0);
                        consume(g, SIZE, true);
                }
                break;
        default: lie(g, in);
        }
        MUST(ring_tx_used(&g->tx) <= SIZE);
        MUST(ring_rx_used(&g->rx) <= SIZE);
        MUST(g->tx.head - g->tx.tail <= SIZE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct input in = {data, data + size};

        begin(&rig);
        while (input_left(&in))
                step(&rig, &in);
        return 0;
}
