/*
 * test_ring.c - positions, laps and skips of the ring to the byte; and that no lie of the other side leads
 * outside the memory.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "shm/ring.h"

#include "guarded.h"
#include "random.h"

#define SIZE   (4 * (uint64_t)RING_PAGE)
#define EIGHTH (SIZE / 8)
#define ANY    ((size_t)UINT32_MAX - 1)

/* Both sides of one ring. */
struct rig {
        struct ring_ctl *ctl;
        uint8_t         *mem;
        struct ring_tx   tx;
        struct ring_rx   rx;
};

static void join(struct rig *g)
{
        ring_tx_init(&g->tx, g->ctl, g->mem, SIZE);
        ring_rx_init(&g->rx, g->ctl, g->mem, SIZE);
}

static int set_up(void **state)
{
        static struct rig g;

        g.ctl = guarded_alloc(GUARDED_PAGE);
        g.mem = guarded_alloc(SIZE);
        join(&g);
        *state = &g;
        return 0;
}

static int tear_down(void **state)
{
        struct rig *g = *state;

        guarded_free(g->ctl, GUARDED_PAGE);
        guarded_free(g->mem, SIZE);
        return 0;
}

/* As if @pos bytes had passed, all taken. */
static void pass(struct rig *g, uint64_t pos)
{
        join(g);
        g->tx.head = g->tx.tail = g->tx.looked = pos;
        g->rx.head = g->rx.tail = g->rx.tail_published = pos;
        atomic_store(&g->ctl->head, pos);
        atomic_store(&g->ctl->tail, pos);
        atomic_store(&g->ctl->front, 0);
}

static int put(struct rig *g, size_t len, uint8_t fill)
{
        uint8_t *p;
        int      r = ring_tx_reserve(&g->tx, len, &p);

        if (r < 0)
                return r;
        assert_true(p >= g->mem && p + len <= g->mem + SIZE);
        memset(p, fill, len);
        ring_tx_commit(&g->tx, len);
        return 0;
}

/* Looks at the oldest record, which must be of @len times @fill, and leaves it. */
static void expect(struct rig *g, size_t len, uint8_t fill)
{
        static uint8_t expected[SIZE];
        const uint8_t *p;
        size_t         n;

        assert_int_equal(ring_rx_peek(&g->rx, ANY, &p, &n), 0);
        assert_int_equal(n, len);
        assert_true(p >= g->mem && p + n <= g->mem + SIZE);
        memset(expected, fill, n);
        assert_memory_equal(p, expected, n);
}

static void take(struct rig *g, size_t len, uint8_t fill)
{
        expect(g, len, fill);
        ring_rx_pop(&g->rx);
}

/* The next record after what is held already, likewise. Where it is. */
static const uint8_t *expect_more(struct rig *g, size_t len, uint8_t fill)
{
        const uint8_t *p;
        size_t         n;

        assert_int_equal(ring_rx_peek_more(&g->rx, ANY, &p, &n), 0);
        assert_int_equal(n, len);
        assert_true(p >= g->mem && p + n <= g->mem + SIZE);
        for (size_t i = 0; i < n; i++)
                assert_int_equal(p[i], fill);
        return p;
}

static int peek_more(struct rig *g)
{
        const uint8_t *p;
        size_t         n;

        return ring_rx_peek_more(&g->rx, ANY, &p, &n);
}

static int peek(struct rig *g)
{
        const uint8_t *p;
        size_t         n;

        return ring_rx_peek(&g->rx, ANY, &p, &n);
}

static void test_records_are_padded_to_eight(void **state)
{
        static const struct {
                size_t   len;
                uint64_t record;
        } t[] = {{0, 8},   {1, 8},   {4, 8},         {5, 16},
                 {12, 16}, {13, 24}, {65536, 65544}, {UINT32_MAX, UINT64_C(4294967304)}};

        (void)state;
        for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
                assert_int_equal(ring_record(t[i].len), t[i].record);
}

static void test_one_record(void **state)
{
        struct rig *g = *state;

        assert_int_equal(peek(g), -EAGAIN);
        assert_false(ring_rx_ready(&g->rx));
        assert_int_equal(put(g, 5, 'a'), 0);
        assert_int_equal(g->ctl->head, 16);
        assert_int_equal(ring_tx_used(&g->tx), 16);
        assert_int_equal(ring_rx_used(&g->rx), 16);
        assert_true(ring_rx_ready(&g->rx));
        expect(g, 5, 'a');
        expect(g, 5, 'a'); /* it stays */
        assert_false(ring_rx_pop(&g->rx));
        assert_int_equal(g->ctl->tail, 0);
        assert_int_equal(ring_tx_used(&g->tx), 16);
        assert_int_equal(ring_rx_used(&g->rx), 0);
        assert_true(ring_rx_publish(&g->rx));
        assert_false(ring_rx_publish(&g->rx));
        assert_int_equal(g->ctl->tail, 16);
        assert_int_equal(ring_tx_used(&g->tx), 0);
        assert_int_equal(peek(g), -EAGAIN);
}

static void test_empty_record(void **state)
{
        struct rig *g = *state;

        assert_int_equal(put(g, 0, 0), 0);
        assert_int_equal(g->ctl->head, 8);
        take(g, 0, 0);
        assert_int_equal(peek(g), -EAGAIN);
}

static void test_commit_may_cut(void **state)
{
        struct rig *g = *state;
        uint8_t    *p;

        assert_int_equal(ring_tx_reserve(&g->tx, 100, &p), 0);
        memset(p, 'x', 100);
        assert_int_equal(g->ctl->head, 0);
        ring_tx_commit(&g->tx, 9);
        assert_int_equal(g->ctl->head, 16);
        assert_int_equal(put(g, 1, 'y'), 0);
        take(g, 9, 'x');
        take(g, 1, 'y');
}

static void add(struct rig *g, size_t len, uint8_t fill)
{
        uint8_t *p;

        assert_int_equal(ring_tx_reserve(&g->tx, len, &p), 0);
        memset(p, fill, len);
        ring_tx_add(&g->tx, len);
}

static void test_several_are_published_at_once(void **state)
{
        struct rig *g = *state;
        uint8_t    *p;

        pass(g, SIZE - 32); /* a skip is among them */
        add(g, 12, 'a');
        add(g, 100, 'b');
        assert_int_equal(g->ctl->head, SIZE - 32);
        assert_int_equal(peek(g), -EAGAIN);
        assert_int_equal(ring_tx_used(&g->tx), 32 + 104);
        ring_tx_publish(&g->tx);
        ring_tx_publish(&g->tx);
        add(g, 1, 'c');
        take(g, 12, 'a');
        take(g, 100, 'b');
        assert_int_equal(peek(g), -EAGAIN);
        assert_int_equal(put(g, 1, 'd'), 0); /* with what was added before */
        take(g, 1, 'c');
        take(g, 1, 'd');
        pass(g, 0);
        for (uint64_t i = 0; i < SIZE / 64; i++)
                add(g, 60, 'x');
        assert_int_equal(ring_tx_reserve(&g->tx, 60, &p), -EAGAIN);
        assert_int_equal(peek(g), -EAGAIN);
}

static void test_reader_sets_its_own_maximum(void **state)
{
        struct rig    *g = *state;
        const uint8_t *p;
        size_t         n;

        assert_int_equal(put(g, 100, 'a'), 0);
        assert_int_equal(ring_rx_peek(&g->rx, 99, &p, &n), -EPROTO);
        assert_int_equal(ring_rx_peek(&g->rx, 100, &p, &n), 0);
}

static void test_skip_fills_the_end(void **state)
{
        struct rig *g = *state;

        pass(g, SIZE - 32);
        assert_int_equal(put(g, 12, 'a'), 0); /* the ring is not empty: no new lap */
        assert_int_equal(put(g, 13, 'b'), 0); /* 24 bytes do not fit in 16 */
        assert_int_equal(*(uint32_t *)(void *)(g->mem + SIZE - 16), RING_SKIP);
        assert_int_equal(g->ctl->head, SIZE + 24);
        assert_int_equal(g->ctl->front, 0);
        take(g, 12, 'a');
        take(g, 13, 'b');
        assert_int_equal(g->rx.tail, SIZE + 24);
        assert_int_equal(peek(g), -EAGAIN);
}

static void test_record_may_end_at_the_end(void **state)
{
        struct rig *g = *state;

        pass(g, SIZE - 32);
        assert_int_equal(put(g, 12, 'a'), 0);
        assert_int_equal(put(g, 12, 'b'), 0);
        assert_int_equal(g->ctl->head, SIZE);
        assert_int_equal(put(g, 12, 'c'), 0);
        take(g, 12, 'a');
        take(g, 12, 'b');
        take(g, 12, 'c');
        assert_int_equal(g->rx.tail, SIZE + 16);
}

static void test_empty_ring_starts_a_lap_early(void **state)
{
        struct rig *g = *state;

        pass(g, RING_PAGE - 16);
        assert_int_equal(put(g, 4, 'a'), 0); /* stays in the page */
        assert_int_equal(g->ctl->head, RING_PAGE - 8);
        take(g, 4, 'a');
        ring_rx_publish(&g->rx);
        assert_int_equal(put(g, 4, 'b'), 0); /* would fill it */
        assert_int_equal(g->ctl->front, SIZE);
        assert_int_equal(g->ctl->head, SIZE + 8);
        assert_int_equal(ring_tx_used(&g->tx), 8);
        assert_int_equal(ring_rx_used(&g->rx), 8);
        take(g, 4, 'b');
        assert_int_equal(g->ctl->tail, SIZE + 8); /* the lap counts as room: published at once */
        assert_int_equal(ring_tx_used(&g->tx), 0);
}

static void test_no_early_lap_while_something_is_unread(void **state)
{
        struct rig *g = *state;

        pass(g, RING_PAGE - 16);
        assert_int_equal(put(g, 4, 'a'), 0);
        assert_int_equal(put(g, 4, 'b'), 0);
        assert_int_equal(g->ctl->front, 0);
        assert_int_equal(g->ctl->head, RING_PAGE);
}

/* A burst after a pause gets the whole ring, not what a lap would have left of it. */
static void test_early_lap_leaves_the_whole_ring(void **state)
{
        struct rig *g = *state;
        uint64_t    n = 0;

        pass(g, RING_PAGE - 8);
        while (put(g, 60, 'x') == 0)
                n++;
        assert_int_equal(n, SIZE / 64);
        assert_int_equal(g->ctl->front, SIZE);
        for (; n > 0; n--)
                take(g, 60, 'x');
        assert_int_equal(peek(g), -EAGAIN);
        assert_int_equal(g->rx.tail, 2 * SIZE);
}

static void test_quiet_flow_stays_in_one_page(void **state)
{
        struct rig *g    = *state;
        uint64_t    seed = 1;

        for (int i = 0; i < 10000; i++) {
                size_t len = (size_t)random_below(&seed, RING_PAGE / 2 - 8);

                assert_int_equal(put(g, len, (uint8_t)i), 0);
                take(g, len, (uint8_t)i);
                ring_rx_publish(&g->rx);
        }
        for (uint64_t i = RING_PAGE; i < SIZE; i++)
                assert_int_equal(g->mem[i], 0);
}

static void test_full(void **state)
{
        struct rig *g = *state;
        uint8_t    *p;

        for (uint64_t i = 0; i < SIZE / 64; i++)
                assert_int_equal(put(g, 60, 'x'), 0);
        assert_int_equal(g->ctl->head, SIZE);
        assert_int_equal(ring_tx_reserve(&g->tx, 0, &p), -EAGAIN);
        take(g, 60, 'x');
        assert_int_equal(ring_tx_reserve(&g->tx, 0, &p), -EAGAIN); /* taken, not published */
        ring_rx_publish(&g->rx);
        assert_int_equal(ring_tx_reserve(&g->tx, 61, &p), -EAGAIN);
        assert_int_equal(put(g, 60, 'y'), 0);
        assert_int_equal(ring_tx_reserve(&g->tx, 0, &p), -EAGAIN);
}

static void test_room_comes_in_eighths(void **state)
{
        struct rig *g = *state;

        for (uint64_t i = 0; i < SIZE / 64; i++)
                assert_int_equal(put(g, 60, 'x'), 0);
        for (uint64_t i = 1; i <= SIZE / 64; i++) {
                expect(g, 60, 'x');
                assert_int_equal(ring_rx_pop(&g->rx), i % (EIGHTH / 64) == 0);
                assert_int_equal(g->ctl->tail, i * 64 / EIGHTH * EIGHTH);
        }
}

static void test_too_long(void **state)
{
        struct rig *g = *state;
        uint8_t    *p;

        assert_int_equal(ring_max(SIZE), 3 * EIGHTH - 4);
        assert_int_equal(ring_tx_reserve(&g->tx, ring_max(SIZE) + 1, &p), -EMSGSIZE);
        assert_int_equal(ring_tx_reserve(&g->tx, UINT32_MAX, &p), -EMSGSIZE);
        assert_int_equal(ring_tx_reserve(&g->tx, SIZE_MAX - 16, &p), -EMSGSIZE);
}

/*
 * From every place, the longest record fits once all is taken, even if that is not published to the last
 * eighth.
 */
static void test_longest_fits_from_everywhere(void **state)
{
        struct rig *g = *state;

        for (uint64_t at = 0; at < SIZE; at += RING_ALIGN) {
                uint64_t pos = 3 * SIZE + at;

                pass(g, pos);
                g->rx.tail_published = pos - (EIGHTH - RING_ALIGN);
                atomic_store(&g->ctl->tail, g->rx.tail_published);
                g->tx.tail = g->tx.looked = g->rx.tail_published;
                assert_int_equal(put(g, ring_max(SIZE), (uint8_t)at), 0);
                take(g, ring_max(SIZE), (uint8_t)at);
        }
}

static void test_wrap_at_every_place(void **state)
{
        static const size_t lens[] = {0, 1, 4, 5, 60, 61, 1500, 4092, 4093, 6000};
        struct rig         *g      = *state;

        for (uint64_t at = 0; at < SIZE; at += RING_ALIGN) {
                for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
                        pass(g, SIZE + at);
                        assert_int_equal(put(g, lens[i], 1), 0);
                        assert_int_equal(put(g, lens[i], 2), 0);
                        take(g, lens[i], 1);
                        take(g, lens[i], 2);
                        assert_int_equal(peek(g), -EAGAIN);
                        ring_rx_publish(&g->rx);
                        assert_int_equal(ring_tx_used(&g->tx), 0);
                }
        }
}

/* -- several at once ------------------------------------------------------- */

static void test_several_records_are_held(void **state)
{
        struct rig    *g = *state;
        const uint8_t *second;

        for (uint8_t i = 0; i < 4; i++)
                assert_int_equal(put(g, 5 + i, i), 0);
        expect(g, 5, 0);
        second = expect_more(g, 6, 1);
        expect_more(g, 7, 2);
        expect(g, 5, 0); /* from the beginning */
        expect_more(g, 6, 1);
        expect_more(g, 7, 2);
        expect_more(g, 8, 3);
        assert_int_equal(peek_more(g), -EAGAIN);
        ring_rx_pop_to(&g->rx, second, 6);
        assert_int_equal(g->rx.tail, 32);
        expect(g, 7, 2);
        expect_more(g, 8, 3);
        ring_rx_pop(&g->rx); /* both */
        assert_int_equal(peek(g), -EAGAIN);
}

/* What is put while records are held is seen when those are gone. */
static void test_no_new_look_while_some_are_held(void **state)
{
        struct rig *g = *state;

        assert_int_equal(put(g, 1, 'a'), 0);
        expect(g, 1, 'a');
        assert_int_equal(put(g, 1, 'b'), 0);
        assert_int_equal(peek_more(g), -EAGAIN);
        ring_rx_pop(&g->rx);
        take(g, 1, 'b');
}

static void test_several_around_the_end(void **state)
{
        struct rig    *g = *state;
        const uint8_t *p;

        pass(g, SIZE - 32);
        assert_int_equal(put(g, 12, 'a'), 0);
        assert_int_equal(put(g, 13, 'b'), 0); /* behind a skip */
        assert_int_equal(put(g, 12, 'c'), 0);
        expect(g, 12, 'a');
        p = expect_more(g, 13, 'b');
        expect_more(g, 12, 'c');
        ring_rx_pop_to(&g->rx, p, 13);
        assert_int_equal(g->rx.tail, SIZE + 24);
        take(g, 12, 'c');
        assert_int_equal(peek(g), -EAGAIN);
}

/* All that a ring holds, from wherever it begins; the room comes back at once. */
static void test_a_whole_ring_at_once(void **state)
{
        struct rig    *g = *state;
        const uint8_t *p = NULL;

        for (uint64_t at = 0; at < SIZE; at += 64) {
                pass(g, SIZE + at);
                for (uint64_t i = 0; i < SIZE / 64; i++)
                        assert_int_equal(put(g, 60, 'x'), 0);
                expect(g, 60, 'x');
                for (uint64_t i = 1; i < SIZE / 64; i++)
                        p = expect_more(g, 60, 'x');
                assert_int_equal(peek_more(g), -EAGAIN);
                assert_true(ring_rx_pop_to(&g->rx, p, 60));
                assert_int_equal(g->rx.tail, g->tx.head);
                assert_int_equal(ring_tx_used(&g->tx), 0);
        }
}

/* Random traffic against a queue of lengths; what is full and what fits is checked by the bytes in use. */
static void test_random_traffic(void **state)
{
        struct rig *g     = *state;
        uint64_t    seed  = 7;
        uint64_t    w     = 0;
        uint64_t    r     = 0;
        uint64_t    empty = 0;
        size_t      lens[4096];

        for (int i = 0; i < 300000; i++) {
                size_t len =
                        (size_t)random_below(&seed, random_below(&seed, 8) == 0 ? ring_max(SIZE) + 1 : 200);

                if (random_below(&seed, 2) == 0) {
                        int ret = put(g, len, (uint8_t)w);

                        assert_true(ret == 0 || (ret == -EAGAIN && w != r));
                        if (ret == 0)
                                lens[w++ % 4096] = len;
                } else if (r < w) {
                        take(g, lens[r % 4096], (uint8_t)r);
                        r++;
                } else {
                        assert_int_equal(peek(g), -EAGAIN);
                        empty++;
                        if (random_below(&seed, 2) == 0)
                                ring_rx_publish(&g->rx);
                }
                assert_int_equal(ring_rx_ready(&g->rx), r < w);
                assert_true(g->tx.head - g->tx.tail <= SIZE);
        }
        assert_true(w > 10000 && empty > 1000);
}

/* -- a hostile producer ---------------------------------------------------- */

static void test_lies_about_the_head(void **state)
{
        static const uint64_t lies[] = {1,
                                        4,
                                        7,
                                        12,
                                        SIZE + 8,
                                        SIZE + 1,
                                        2 * SIZE,
                                        UINT64_C(1) << 32,
                                        INT64_MAX,
                                        UINT64_MAX,
                                        UINT64_MAX - 7};
        struct rig           *g      = *state;

        for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
                pass(g, 5 * SIZE + 64);
                atomic_store(&g->ctl->head, 5 * SIZE + 64 + lies[i]); /* the last two go back */
                assert_int_equal(peek(g), -EPROTO);
                assert_true(ring_rx_ready(&g->rx)); /* the error is something to read */
                assert_int_equal(peek(g), -EPROTO);
        }
}

static void test_lies_about_the_front(void **state)
{
        static const struct {
                uint64_t head, front; /* the reader is at SIZE + 64 */
                int      r;
        } t[] = {
                {SIZE + 72, SIZE + 72, -EPROTO}, /* not where a lap begins */
                {3 * SIZE, 3 * SIZE, -EPROTO},   /* skips a lap */
                {UINT64_MAX - 7, UINT64_MAX - SIZE + 1, -EPROTO},
                {3 * SIZE + 8, 2 * SIZE, -EPROTO}, /* more than the ring from there */
                {SIZE + 72, SIZE, 0},              /* an old one */
                {SIZE + 72, 2 * SIZE, 0},          /* not published yet */
                {2 * SIZE, 2 * SIZE, -EAGAIN},     /* a lap without a record is none */
                {2 * SIZE + 8, 2 * SIZE, 0},
                {3 * SIZE, 2 * SIZE, 0},
        };
        struct rig *g = *state;

        for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
                memset(g->mem, 0, SIZE);
                pass(g, SIZE + 64);
                atomic_store(&g->ctl->front, t[i].front);
                atomic_store(&g->ctl->head, t[i].head);
                assert_int_equal(peek(g), t[i].r);
        }
}

static void test_lies_about_the_length(void **state)
{
        static const uint32_t lies[] = {
                5, 12, 13, 4096, SIZE - 4, SIZE, INT32_MAX, UINT32_MAX - 1, UINT32_MAX - 4};
        struct rig *g = *state;

        for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
                pass(g, 0);
                assert_int_equal(put(g, 4, 'x'), 0);
                memcpy(g->mem, &lies[i], 4);
                assert_int_equal(peek(g), -EPROTO);
        }
}

/* Behind records that are good: these can be taken, and the lie stays one. */
static void test_lies_behind_others(void **state)
{
        struct rig    *g   = *state;
        const uint32_t lie = 4096;

        assert_int_equal(put(g, 4, 'a'), 0);
        assert_int_equal(put(g, 4, 'b'), 0);
        assert_int_equal(put(g, 4, 'c'), 0);
        memcpy(g->mem + 16, &lie, 4); /* instead of 'c' */
        expect(g, 4, 'a');
        expect_more(g, 4, 'b');
        assert_int_equal(peek_more(g), -EPROTO);
        assert_int_equal(peek_more(g), -EPROTO);
        ring_rx_pop(&g->rx);
        assert_int_equal(g->rx.tail, 16);
        assert_int_equal(peek(g), -EPROTO);
}

/* Published bytes that would make the record run over the end of the memory. */
static void test_length_over_the_end(void **state)
{
        struct rig    *g   = *state;
        const uint32_t len = 12;

        pass(g, SIZE - 8);
        memcpy(g->mem + SIZE - 8, &len, 4);
        atomic_store(&g->ctl->head, SIZE + 64);
        assert_int_equal(peek(g), -EPROTO);
}

static void test_lies_about_skips(void **state)
{
        struct rig    *g    = *state;
        const uint32_t skip = RING_SKIP;

        /* alone */
        pass(g, SIZE - 16);
        memcpy(g->mem + SIZE - 16, &skip, 4);
        atomic_store(&g->ctl->head, SIZE);
        assert_int_equal(peek(g), -EPROTO);
        /* beyond what is published */
        pass(g, SIZE - 16);
        atomic_store(&g->ctl->head, SIZE - 8);
        assert_int_equal(peek(g), -EPROTO);
        /* two in a row */
        pass(g, SIZE - 16);
        memcpy(g->mem, &skip, 4);
        atomic_store(&g->ctl->head, SIZE + 16);
        assert_int_equal(peek(g), -EPROTO);
}

/* -- a hostile consumer ---------------------------------------------------- */

static void test_lies_about_the_tail(void **state)
{
        static const uint64_t lies[] = {SIZE + 65, SIZE + 72, 2 * SIZE, UINT64_MAX, SIZE - 1, 0, 1};
        struct rig           *g      = *state;
        uint8_t              *p;

        for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
                pass(g, SIZE);
                assert_int_equal(put(g, 60, 'x'), 0);
                while (put(g, 1000, 'x') == 0)
                        ;
                atomic_store(&g->ctl->tail, g->tx.head + lies[i] - (SIZE + 64));
                if (lies[i] < SIZE)
                        atomic_store(&g->ctl->tail, lies[i]);
                assert_int_equal(ring_tx_reserve(&g->tx, 1000, &p), -EPROTO);
                assert_true(ring_tx_used(&g->tx) <= SIZE);
        }
}

/* After an early lap nobody may claim to be before it, but for standing where it was. */
static void test_tail_before_an_early_lap(void **state)
{
        struct rig *g = *state;
        uint8_t    *p;

        pass(g, RING_PAGE - 8);
        while (put(g, 60, 'x') == 0)
                ;
        assert_int_equal(ring_tx_reserve(&g->tx, 60, &p), -EAGAIN);
        atomic_store(&g->ctl->tail, RING_PAGE);
        assert_int_equal(ring_tx_reserve(&g->tx, 60, &p), -EPROTO);
        assert_int_equal(ring_tx_used(&g->tx), SIZE);
}

/* -- anything -------------------------------------------------------------- */

/* A value that is likely to hurt, near @pos. */
static uint64_t nasty(uint64_t *seed, uint64_t pos)
{
        static const uint64_t odd[] = {
                0, 1, 4, 8, 16, SIZE - 8, SIZE, SIZE + 8, UINT64_MAX, UINT64_MAX - 7, UINT32_MAX};

        switch (random_below(seed, 4)) {
        case 0: return pos + odd[random_below(seed, sizeof(odd) / sizeof(odd[0]))];
        case 1: return pos - odd[random_below(seed, sizeof(odd) / sizeof(odd[0]))];
        case 2: return ((pos | (SIZE - 1)) + 1) + 8 * random_below(seed, 4);
        default: return random_next(seed);
        }
}

static void scribble(struct rig *g, uint64_t *seed)
{
        switch (random_below(seed, 4)) {
        case 0: atomic_store(&g->ctl->head, nasty(seed, g->rx.tail)); break;
        case 1: atomic_store(&g->ctl->front, nasty(seed, g->rx.tail)); break;
        case 2: atomic_store(&g->ctl->tail, nasty(seed, g->tx.head)); break;
        default: {
                uint32_t len = (uint32_t)nasty(seed, random_below(seed, 64));

                memcpy(g->mem + (g->rx.tail & (SIZE - 1)), &len, 4);
        }
        }
}

/* One more record, maybe changed under our eyes. */
static uint64_t read_more(struct rig *g, uint64_t *seed)
{
        const uint8_t *p;
        size_t         n;

        if (random_below(seed, 4) == 0)
                scribble(g, seed);
        if (ring_rx_peek_more(&g->rx, ANY, &p, &n) < 0)
                return 0;
        assert_true(n <= SIZE && p >= g->mem && p + n <= g->mem + SIZE);
        if (random_below(seed, 4) == 0)
                ring_rx_pop_to(&g->rx, p, n);
        return n > 0 ? (uint64_t)p[0] + p[n - 1] : 0;
}

/* Reads and writes every byte that the ring offers: the guard pages are the judge. */
static void test_nothing_leads_outside(void **state)
{
        struct rig *g    = *state;
        uint64_t    seed = 3;
        uint64_t    sum  = 0;

        for (int i = 0; i < 500000; i++) {
                const uint8_t *p;
                uint8_t       *to;
                size_t         n   = 0;
                size_t         len = (size_t)random_below(&seed, 300);

                scribble(g, &seed);
                if (ring_rx_peek(&g->rx, ANY, &p, &n) == 0) {
                        assert_true(n <= SIZE && p >= g->mem && p + n <= g->mem + SIZE);
                        for (size_t k = 0; k < n; k += 61)
                                sum += p[k];
                        for (int more = i % 4; more > 0; more--)
                                sum += read_more(g, &seed);
                        ring_rx_pop(&g->rx);
                }
                (void)ring_rx_ready(&g->rx);
                assert_true(ring_rx_used(&g->rx) <= SIZE);
                assert_true(ring_tx_used(&g->tx) <= SIZE);
                if (ring_tx_reserve(&g->tx, len, &to) == 0) {
                        assert_true(to >= g->mem && to + len <= g->mem + SIZE);
                        memset(to, i, len);
                        if (i % 3 == 0)
                                ring_tx_add(&g->tx, len);
                        else
                                ring_tx_commit(&g->tx, len);
                }
                if (i % 1000 == 0)
                        join(g);
        }
        assert_true(sum > 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(test_records_are_padded_to_eight),
                TEST(test_one_record),
                TEST(test_empty_record),
                TEST(test_commit_may_cut),
                TEST(test_several_are_published_at_once),
                TEST(test_reader_sets_its_own_maximum),
                TEST(test_skip_fills_the_end),
                TEST(test_record_may_end_at_the_end),
                TEST(test_empty_ring_starts_a_lap_early),
                TEST(test_no_early_lap_while_something_is_unread),
                TEST(test_early_lap_leaves_the_whole_ring),
                TEST(test_quiet_flow_stays_in_one_page),
                TEST(test_full),
                TEST(test_room_comes_in_eighths),
                TEST(test_too_long),
                TEST(test_longest_fits_from_everywhere),
                TEST(test_wrap_at_every_place),
                TEST(test_several_records_are_held),
                TEST(test_no_new_look_while_some_are_held),
                TEST(test_several_around_the_end),
                TEST(test_a_whole_ring_at_once),
                TEST(test_random_traffic),
                TEST(test_lies_about_the_head),
                TEST(test_lies_about_the_front),
                TEST(test_lies_about_the_length),
                TEST(test_lies_behind_others),
                TEST(test_length_over_the_end),
                TEST(test_lies_about_skips),
                TEST(test_lies_about_the_tail),
                TEST(test_tail_before_an_early_lap),
                TEST(test_nothing_leads_outside),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
