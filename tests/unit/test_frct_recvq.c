/*
 * test_frct_recvq.c - the receive queue: stories with exact numbers, and random arrivals against a model that
 * keeps everything in plain lists.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "frct/frct.h"
#include "frct/recvq.h"

#include "random.h"

#define F FRCT_FIRST
#define L FRCT_LAST

/* Where the lower 32 bits begin again. */
#define WRAP (5 * NUMBER_BASE)

/* What the @i-th byte of the packet @seq is. */
static uint8_t byte_of(uint64_t seq, size_t i)
{
        return (uint8_t)(seq * 131 + i * 7 + seq / 256);
}

static enum recvq_put put(struct recvq *q, uint64_t seq, unsigned flags, size_t n)
{
        static uint8_t payload[UINT16_MAX];

        for (size_t i = 0; i < n; i++)
                payload[i] = byte_of(seq, i);
        return recvq_put(q, seq, (uint8_t)flags, payload, n);
}

/* The next bytes to be read are those of @seq. */
static void expect_packet(struct recvq *q, uint64_t seq, size_t n)
{
        static uint8_t buf[UINT16_MAX];

        assert_int_equal(recvq_read(q, buf, n), n);
        for (size_t i = 0; i < n; i++)
                assert_int_equal(buf[i], byte_of(seq, i));
}

static void expect_message(struct recvq *q, uint64_t seq, size_t n)
{
        assert_int_equal(recvq_look(q), (ptrdiff_t)n);
        expect_packet(q, seq, n);
}

static struct recvq *begin(size_t piece, size_t packets_max, bool reliable, uint64_t first)
{
        struct recvq *q = recvq_create(piece, 0, packets_max, reliable);

        assert_non_null(q);
        recvq_begin(q, first);
        return q;
}

/* -- stories: reliable -------------------------------------------------------- */

static void test_before_the_first_run(void **state)
{
        struct recvq *q = recvq_create(100, 0, 64, true);

        (void)state;
        assert_int_equal(recvq_look(q), 0);
        assert_int_equal(put(q, recvq_next(q), F | L, 10), RECVQ_OUTSIDE);
        assert_int_equal(put(q, recvq_next(q) - 1, F | L, 10), RECVQ_DUPLICATE);
        assert_int_equal(recvq_ranges(q, WRAP, NULL, 0), 0);
        recvq_trim(q);
        recvq_destroy(q);
        recvq_destroy(NULL);
}

static void test_in_order(void **state)
{
        struct recvq *q = begin(100, 64, true, WRAP - 2);

        (void)state;
        for (uint64_t s = WRAP - 2; s < WRAP + 3; s++) {
                assert_int_equal(put(q, s, F | L, 10), RECVQ_IN_ORDER);
                assert_int_equal(put(q, s, F | L, 10), RECVQ_DUPLICATE);
                assert_int_equal(recvq_next(q), s + 1);
        }
        assert_int_equal(recvq_bytes(q), 50);
        for (uint64_t s = WRAP - 2; s < WRAP + 3; s++) {
                assert_int_equal(recvq_edge(q), s + 64);
                expect_message(q, s, 10);
        }
        assert_int_equal(recvq_look(q), 0);
        assert_int_equal(recvq_bytes(q), 0);
        assert_int_equal(recvq_edge(q), WRAP + 3 + 64);
        recvq_destroy(q);
}

static void test_a_gap_that_fills(void **state)
{
        struct recvq *q = begin(100, 64, true, 1000);
        struct range  r[4];

        (void)state;
        assert_int_equal(put(q, 1002, L, 30), RECVQ_GAP);
        assert_int_equal(put(q, 1004, F | L, 50), RECVQ_GAP);
        assert_int_equal(put(q, 1001, 0, 20), RECVQ_GAP);
        assert_int_equal(put(q, 1002, L, 30), RECVQ_DUPLICATE);
        assert_int_equal(recvq_look(q), 0);
        assert_int_equal(recvq_next(q), 1000);
        assert_int_equal(recvq_ranges(q, 1001, r, 4), 2);
        assert_memory_equal(r, (&(struct range[]){{1001, 1003}, {1004, 1005}}), 2 * sizeof(r[0]));
        assert_int_equal(recvq_ranges(q, 1004, r, 4), 2);
        assert_memory_equal(r, (&(struct range[]){{1004, 1005}, {1001, 1003}}), 2 * sizeof(r[0]));
        assert_int_equal(recvq_ranges(q, 999, r, 1), 1);
        assert_int_equal(r[0].from, 1004);
        assert_int_equal(put(q, 1000, F, 10), RECVQ_FILLED);
        assert_int_equal(recvq_next(q), 1003);
        assert_int_equal(recvq_look(q), 60);
        expect_packet(q, 1000, 10);
        expect_packet(q, 1001, 20);
        expect_packet(q, 1002, 30);
        assert_int_equal(recvq_look(q), 0);
        assert_int_equal(put(q, 1003, F | L, 40), RECVQ_FILLED);
        expect_message(q, 1003, 40);
        expect_message(q, 1004, 50);
        assert_int_equal(recvq_ranges(q, 1004, r, 4), 0);
        recvq_destroy(q);
}

static void test_reading_in_parts(void **state)
{
        struct recvq *q = begin(100, 64, true, 1000);
        uint8_t       buf[200];

        (void)state;
        put(q, 1000, F, 100);
        put(q, 1001, L, 50);
        assert_int_equal(recvq_read(q, buf, 0), 0);
        assert_int_equal(recvq_offset(q), 0);
        assert_int_equal(recvq_read(q, buf, 99), 99);
        assert_int_equal(recvq_offset(q), 99);
        assert_int_equal(recvq_look(q), 150);
        assert_int_equal(recvq_edge(q), 1064);
        assert_int_equal(recvq_read(q, buf, 2), 2); /* across the border; the first has room again */
        assert_int_equal(buf[0], byte_of(1000, 99));
        assert_int_equal(buf[1], byte_of(1001, 0));
        assert_int_equal(recvq_edge(q), 1065);
        assert_int_equal(recvq_bytes(q), 50);
        put(q, 1002, F | L, 7);
        assert_int_equal(recvq_read(q, buf, sizeof(buf)), 49); /* not into the next message */
        assert_int_equal(recvq_offset(q), 0);
        expect_message(q, 1002, 7);
        assert_int_equal(recvq_read(q, buf, sizeof(buf)), 0);
        recvq_destroy(q);
}

static void test_what_is_outside(void **state)
{
        struct recvq *q = begin(100, 64, true, 1000);

        (void)state;
        assert_int_equal(put(q, 1064, F | L, 1), RECVQ_OUTSIDE);
        assert_int_equal(put(q, UINT64_MAX, F | L, 1), RECVQ_OUTSIDE);
        assert_int_equal(put(q, 1000, F | L, 101), RECVQ_OUTSIDE); /* no room was promised for that */
        assert_int_equal(put(q, 1000, F | L, 0), RECVQ_OUTSIDE);
        assert_int_equal(put(q, 1000, FRCT_FIN, 1), RECVQ_OUTSIDE);
        assert_int_equal(put(q, 1063, F | L, 100), RECVQ_GAP);
        recvq_destroy(q);
}

/* Each of these costs the peer its message; the next is whole. */
static void test_malformed_messages(void **state)
{
        struct recvq *q = begin(100, 64, true, 1000);

        (void)state;
        put(q, 1000, L, 10); /* the end of nothing */
        put(q, 1001, 0, 10);
        put(q, 1002, F, 10); /* not finished */
        put(q, 1003, 0, 10);
        put(q, 1004, F, 10);
        assert_int_equal(recvq_bytes(q), 10);
        assert_int_equal(recvq_edge(q), 1004 + 64);
        put(q, 1005, L, 10);
        put(q, 1006, 0, 10); /* between two */
        put(q, 1007, F | L, 30);
        assert_int_equal(recvq_look(q), 20);
        expect_packet(q, 1004, 10);
        expect_packet(q, 1005, 10);
        assert_int_equal(recvq_edge(q), 1007 + 64);
        expect_message(q, 1007, 30);
        assert_int_equal(recvq_edge(q), 1008 + 64);
        recvq_destroy(q);
}

static void test_fin(void **state)
{
        struct recvq *q = begin(100, 64, true, 1000);

        (void)state;
        assert_int_equal(put(q, 1003, F | L, 10), RECVQ_GAP);
        assert_int_equal(put(q, 1005, FRCT_FIN, 0), RECVQ_GAP);
        assert_int_equal(put(q, 1002, FRCT_FIN, 0),
                         RECVQ_GAP); /* a liar's second: nothing is behind an end */
        assert_int_equal(recvq_bytes(q), 0);
        assert_int_equal(put(q, 1003, F | L, 10), RECVQ_OUTSIDE);
        assert_int_equal(put(q, 1005, FRCT_FIN, 0), RECVQ_OUTSIDE);
        assert_int_equal(put(q, 1000, F | L, 10), RECVQ_IN_ORDER);
        assert_int_equal(put(q, 1001, F, 10), RECVQ_FILLED);
        assert_int_equal(recvq_next(q), 1003);
        expect_message(q, 1000, 10);
        assert_int_equal(recvq_look(q), -ENODATA); /* the message that FIN cut short is none */
        assert_int_equal(recvq_bytes(q), 0);
        assert_int_equal(put(q, 1002, FRCT_FIN, 0), RECVQ_DUPLICATE);
        assert_int_equal(put(q, 1003, F | L, 10), RECVQ_OUTSIDE);
        recvq_trim(q);
        assert_int_equal(recvq_look(q), -ENODATA);
        recvq_begin(q, 2000); /* the end stays the end, but its FIN may come again */
        assert_int_equal(put(q, 2000, F | L, 10), RECVQ_OUTSIDE);
        assert_int_equal(put(q, 2000, FRCT_FIN, 0), RECVQ_IN_ORDER);
        assert_int_equal(recvq_look(q), -ENODATA);
        recvq_destroy(q);
}

static void test_a_new_run(void **state)
{
        struct recvq *q = begin(100, 64, true, 1000);

        (void)state;
        put(q, 1000, F, 60);
        put(q, 1001, L, 60);
        put(q, 1002, L, 60); /* malformed */
        put(q, 1003, F | L, 60);
        put(q, 1004, F, 60); /* cut short */
        put(q, 1006, F | L, 60);
        expect_packet(q, 1000, 50);
        recvq_begin(q, WRAP);
        assert_int_equal(recvq_next(q), WRAP);
        assert_int_equal(recvq_edge(q), WRAP + 59); /* five numbers before it are not done with */
        assert_int_equal(recvq_bytes(q), 180);
        assert_int_equal(recvq_ranges(q, 1006, NULL, 0), 0);
        for (uint64_t s = WRAP + 58; s > WRAP; s--)
                assert_int_equal(put(q, s, F | L, 100), RECVQ_GAP);
        assert_int_equal(put(q, WRAP, F | L, 100), RECVQ_FILLED);
        assert_int_equal(recvq_look(q), 120);
        assert_int_equal(recvq_offset(q), 50);
        recvq_read(q, (uint8_t[70]){0}, 70);
        expect_message(q, 1003, 60);
        assert_int_equal(recvq_edge(q), WRAP + 64);
        for (uint64_t s = WRAP; s < WRAP + 59; s++)
                expect_message(q, s, 100);
        assert_int_equal(recvq_edge(q), WRAP + 59 + 64);
        recvq_destroy(q);
}

/* -- stories: the window ------------------------------------------------------- */

static void test_window(void **state)
{
        static const struct {
                size_t piece, bytes, packets, window;
        } of[] = {
                {1456, 16u << 20, 65536, (16u << 20) / 1456},
                {1457, 16u << 20, 65536, (16u << 20) / 1472}, /* chunks are multiples of 16 */
                {1456, 0, 65536, 721},                        /* a message of 1 MiB fits always */
                {1456, 0, 64, 64},                            /* but numbers are numbers        */
                {64, 16u << 20, 65536, 65536},
                {16, 0, 65536, 65536},
                {UINT16_MAX, 0, 64, 17},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
                struct recvq *q = recvq_create(of[i].piece, of[i].bytes, of[i].packets, true);

                recvq_begin(q, 7777);
                assert_int_equal(recvq_window(q), of[i].window);
                assert_int_equal(recvq_edge(q), 7777 + of[i].window);
                recvq_destroy(q);
        }
}

/* All that was promised finds room, whatever the order; with full packets. */
static void test_promises_are_kept(void **state)
{
        (void)state;
        for (int reliable = 0; reliable < 2; reliable++) {
                struct recvq *q    = begin(1456, 65536, reliable, WRAP - 300);
                uint64_t      edge = recvq_edge(q);

                assert_int_equal(edge, WRAP - 300 + 721);
                for (uint64_t s = edge - 1; reliable && s > WRAP - 300; s--)
                        assert_int_equal(put(q, s, F | L, 1456), RECVQ_GAP);
                for (uint64_t s = WRAP - 300; s < edge; s++)
                        put(q, s, F | L, 1456);
                assert_int_equal(recvq_bytes(q), 721 * 1456);
                assert_int_equal(recvq_edge(q), edge);
                assert_int_equal(put(q, edge, F | L, 1), RECVQ_OUTSIDE);
                expect_message(q, WRAP - 300, 1456);
                assert_int_not_equal(put(q, edge, F | L, 1), RECVQ_OUTSIDE);
                recvq_destroy(q);
        }
}

/* Pieces of 16 bytes, 65536 of them: the longest message in the smallest packets, the last first. */
static void test_the_longest_message(void **state)
{
        struct recvq *q = begin(16, 65536, true, WRAP - 1000);
        uint64_t      s = WRAP - 1000 + 65535;

        (void)state;
        assert_int_equal(put(q, s, L, 16), RECVQ_GAP);
        while (--s > WRAP - 1000)
                put(q, s, 0, 16);
        assert_int_equal(put(q, s, F, 16), RECVQ_FILLED);
        assert_int_equal(recvq_look(q), 1 << 20);
        assert_int_equal(recvq_bytes(q), 1 << 20);
        for (; s < WRAP - 1000 + 65536; s++)
                expect_packet(q, s, 16);
        assert_int_equal(recvq_look(q), 0);
        recvq_destroy(q);
}

static void test_a_message_that_is_too_long(void **state)
{
        (void)state;
        for (int reliable = 0; reliable < 2; reliable++) {
                struct recvq *q = recvq_create(1u << 12, 2u << 20, 512, reliable);

                recvq_begin(q, 1000);
                for (uint64_t s = 1000; s < 1256; s++)
                        assert_int_equal(put(q, s, s == 1000 ? F : 0, 1u << 12), RECVQ_IN_ORDER);
                assert_int_equal(recvq_bytes(q), 1 << 20);
                assert_int_equal(put(q, 1256, 0, 1), RECVQ_IN_ORDER); /* one byte more */
                assert_int_equal(recvq_bytes(q), 0);
                assert_int_equal(put(q, 1257, L, 1), RECVQ_IN_ORDER);
                assert_int_equal(recvq_look(q), 0);
                put(q, 1258, F | L, 5);
                expect_message(q, 1258, 5);
                assert_int_equal(recvq_edge(q), 1259 + recvq_window(q));
                recvq_destroy(q);
        }
}

/* Crumbs, so many that there is no room for their end. */
static void test_a_message_that_fills_the_window(void **state)
{
        (void)state;
        for (int reliable = 0; reliable < 2; reliable++) {
                struct recvq *q = begin(1000, 64, reliable, 1000);

                for (uint64_t s = 1000; s < 1063; s++)
                        put(q, s, s == 1000 ? F : 0, 1);
                assert_int_equal(recvq_bytes(q), 63);
                assert_int_equal(recvq_edge(q), 1064);
                put(q, 1063, 0, 1);
                assert_int_equal(recvq_bytes(q), 0);
                assert_int_equal(recvq_edge(q), 1064 + 64);
                put(q, 1064, L, 1);
                put(q, 1065, F | L, 1);
                expect_message(q, 1065, 1);
                recvq_destroy(q);
        }
}

/* A message that ends with the window is whole. */
static void test_a_message_as_large_as_the_window(void **state)
{
        struct recvq *q = begin(1000, 64, true, 1000);

        (void)state;
        for (uint64_t s = 1000; s < 1064; s++)
                put(q, s, s == 1000 ? F : s == 1063 ? L : 0, 1000);
        assert_int_equal(recvq_look(q), 64000);
        assert_int_equal(recvq_edge(q), 1064);
        assert_int_equal(put(q, 1064, FRCT_FIN, 0), RECVQ_OUTSIDE);
        expect_packet(q, 1000, 1000);
        assert_int_equal(put(q, 1064, FRCT_FIN, 0), RECVQ_IN_ORDER);
        recvq_destroy(q);
}

static void test_trim(void **state)
{
        struct recvq *q = begin(1000, 4096, true, 1000);

        (void)state;
        for (int i = 0; i < 3; i++) {
                uint64_t s = recvq_next(q);

                put(q, s + 700, F | L, 1000); /* lies far enough behind that all has to grow */
                put(q, s, F | L, 1000);
                recvq_trim(q); /* not now */
                expect_message(q, s, 1000);
                recvq_trim(q);
                for (uint64_t t = s + 1; t < s + 700; t++)
                        put(q, t, F | L, 1);
                for (uint64_t t = s + 1; t < s + 700; t++)
                        expect_message(q, t, 1);
                expect_message(q, s + 700, 1000);
                recvq_trim(q);
        }
        recvq_destroy(q);
}

/* Every third number and some more, the nearest first, so that the queue grows with all that lies in it. */
static void test_growing_behind_a_gap(void **state)
{
        struct recvq *q     = begin(64, 16384, true, WRAP - 100);
        uint64_t      first = WRAP - 100;
        struct range  r[32];

        (void)state;
        for (uint64_t i = 1; i < 16384; i++) {
                if (i % 3 == 0 || i / 1000 == 7)
                        assert_int_equal(put(q, first + i, F | L, 64), RECVQ_GAP);
        }
        assert_int_equal(recvq_ranges(q, first + 7500, r, 32), 32);
        assert_memory_equal(r,
                            (&(struct range[]){{first + 6999, first + 8000}, {first + 16383, first + 16384}}),
                            2 * sizeof(r[0]));
        assert_int_equal(r[31].from, first + 16383 - 30 * 3);
        assert_int_equal(recvq_ranges(q, first + 3, r, 2), 2);
        assert_int_equal(r[0].from, first + 3);
        for (uint64_t i = 0; i < 16384; i++)
                put(q, first + i, F | L, 64);
        for (uint64_t i = 0; i < 16384; i++)
                expect_message(q, first + i, 64);
        recvq_destroy(q);
}

/* -- stories: unreliable -------------------------------------------------------- */

static void test_unreliable_follows_the_newest(void **state)
{
        struct recvq *q = begin(100, 64, false, WRAP - 3);
        struct range  r[2];

        (void)state;
        assert_int_equal(put(q, WRAP - 3, F | L, 10), RECVQ_IN_ORDER);
        assert_int_equal(put(q, WRAP - 1, F | L, 20), RECVQ_GAP);
        assert_int_equal(put(q, WRAP - 2, F | L, 30), RECVQ_DUPLICATE); /* too late */
        assert_int_equal(recvq_next(q), WRAP);
        assert_int_equal(recvq_ranges(q, WRAP - 1, r, 2), 0);
        assert_int_equal(recvq_edge(q), WRAP + 62); /* what got lost takes no room */
        expect_message(q, WRAP - 3, 10);
        expect_message(q, WRAP - 1, 20);
        assert_int_equal(recvq_edge(q), WRAP + 64);
        recvq_destroy(q);
}

static void test_unreliable_drops_what_misses_a_piece(void **state)
{
        struct recvq *q = begin(100, 64, false, 1000);

        (void)state;
        put(q, 1000, F, 10);
        put(q, 1001, 0, 10);
        assert_int_equal(recvq_bytes(q), 20);
        assert_int_equal(put(q, 1003, L, 10), RECVQ_GAP);
        assert_int_equal(recvq_bytes(q), 0);
        assert_int_equal(recvq_edge(q), 1004 + 64);
        put(q, 1004, F, 10);
        put(q, 1005, L, 10);
        put(q, 1007, 0, 10); /* its beginning got lost */
        put(q, 1008, L, 10);
        put(q, 1009, F | L, 10);
        assert_int_equal(recvq_look(q), 20);
        expect_packet(q, 1004, 10);
        expect_packet(q, 1005, 10);
        expect_message(q, 1009, 10);
        recvq_destroy(q);
}

static void test_unreliable_skips(void **state)
{
        struct recvq *q = begin(100, 64, false, 1000);

        (void)state;
        put(q, 1000, F | L, 10);
        put(q, 1001, F, 10);
        recvq_skip(q, 1002); /* nothing new */
        recvq_skip(q, 900);
        assert_int_equal(recvq_bytes(q), 20);
        recvq_skip(q, 1003);
        assert_int_equal(recvq_bytes(q), 10);
        assert_int_equal(recvq_next(q), 1003);
        assert_int_equal(put(q, 1002, L, 10), RECVQ_DUPLICATE);
        assert_int_equal(put(q, 1003, F | L, 10), RECVQ_IN_ORDER);
        assert_int_equal(put(q, 1005, FRCT_FIN, 0), RECVQ_GAP);
        recvq_skip(q, 2000); /* there is nothing behind the end */
        assert_int_equal(recvq_next(q), 1006);
        expect_message(q, 1000, 10);
        expect_message(q, 1003, 10);
        assert_int_equal(recvq_look(q), -ENODATA);
        assert_int_equal(put(q, 1006, F | L, 10), RECVQ_OUTSIDE);
        recvq_destroy(q);
        q = begin(100, 64, true, 1000);
        recvq_skip(q, 1010);
        assert_int_equal(recvq_next(q), 1000);
        recvq_destroy(q);
}

/* -- against a model ------------------------------------------------------------- */

#define SPAN    600u /* numbers of a run */
#define PACKETS 64u
#define PIECE   32u
#define PIECES  4096u

struct piece {
        uint64_t seq, pos;
        size_t   n;
        bool     last;
};

/* A list: what was put in, and the first that is not taken out. */
struct list {
        struct piece of[PIECES];
        size_t       begin, end;
};

struct model {
        bool        reliable, ended;
        uint64_t    first, next, stop, passed;
        bool        there[SPAN];
        uint8_t     flags[SPAN];
        size_t      len[SPAN];
        struct list whole, open;
        size_t      offset, within;
};

static void model_begin(struct model *m, uint64_t first)
{
        m->first = m->next = first;
        m->stop            = UINT64_MAX;
        memset(m->there, 0, sizeof(m->there));
        m->open.begin = m->open.end = 0;
}

static size_t list_bytes(const struct list *l)
{
        size_t n = 0;

        for (size_t i = l->begin; i < l->end; i++)
                n += l->of[i].n;
        return n;
}

/* A number in order. */
static void model_take(struct model *m, uint64_t seq)
{
        uint8_t      f = m->flags[seq - m->first];
        struct piece p = {seq, m->passed++, m->len[seq - m->first], f & L};

        if (f & (F | FRCT_FIN))
                m->open.end = 0;
        m->ended |= f & FRCT_FIN;
        if (!(f & F) && m->open.end == 0)
                return;
        m->open.of[m->open.end++] = p;
        if (f & L) {
                assert_true(m->whole.end + m->open.end <= PIECES);
                memcpy(&m->whole.of[m->whole.end], m->open.of, m->open.end * sizeof(p));
                m->whole.end += m->open.end;
        }
        if (f & L || m->open.end == PACKETS)
                m->open.end = 0;
}

/* Numbers that are taken up. */
static uint64_t model_held(const struct model *m)
{
        const struct list *oldest = m->whole.begin < m->whole.end ? &m->whole : &m->open;

        if (!m->reliable)
                return m->whole.end - m->whole.begin + m->open.end;
        return oldest->begin < oldest->end ? m->passed - oldest->of[oldest->begin].pos : 0;
}

static uint64_t model_edge(const struct model *m)
{
        return m->next + PACKETS - model_held(m);
}

static enum recvq_put model_refuses(const struct model *m, uint64_t seq, uint8_t flags)
{
        if (seq < m->next || (seq - m->first < SPAN && m->there[seq - m->first]))
                return RECVQ_DUPLICATE;
        if (seq >= model_edge(m) || seq >= m->stop || (m->ended && !(flags & FRCT_FIN)))
                return RECVQ_OUTSIDE;
        return RECVQ_IN_ORDER;
}

static enum recvq_put model_put(struct model *m, uint64_t seq, uint8_t flags, size_t n)
{
        enum recvq_put r = model_refuses(m, seq, flags);
        uint64_t       i = seq - m->first, next = m->next;

        if (r != RECVQ_IN_ORDER)
                return r;
        m->there[i] = true;
        m->flags[i] = flags;
        m->len[i]   = n;
        if (flags & FRCT_FIN) {
                m->stop = seq + 1;
                memset(m->there + i + 1, 0, SPAN - i - 1);
        }
        if (!m->reliable && seq > m->next) {
                m->open.end = 0;
                m->next     = seq;
        }
        while (m->next - m->first < SPAN && m->there[m->next - m->first])
                model_take(m, m->next++);
        if (seq != next)
                return RECVQ_GAP;
        return m->next > seq + 1 ? RECVQ_FILLED : RECVQ_IN_ORDER;
}

static size_t model_bytes(const struct model *m)
{
        size_t n = list_bytes(&m->whole) + list_bytes(&m->open);

        for (uint64_t s = m->next; s < m->first + SPAN; s++)
                n += m->there[s - m->first] ? m->len[s - m->first] : 0;
        return n;
}

static ptrdiff_t model_look(const struct model *m)
{
        size_t n = m->within == 0 ? m->offset : m->offset - m->within;

        if (m->whole.begin == m->whole.end)
                return m->ended ? -ENODATA : 0;
        for (size_t i = m->whole.begin;; i++) {
                n += m->whole.of[i].n;
                if (m->whole.of[i].last)
                        return (ptrdiff_t)n;
        }
}

static bool model_there(const struct model *m, uint64_t seq)
{
        return seq >= m->next && seq < m->first + SPAN && m->there[seq - m->first];
}

static size_t model_ranges(const struct model *m, uint64_t newest, struct range *out, size_t max)
{
        size_t n = 0;

        for (int pass = 0; pass < 2; pass++) {
                for (uint64_t s = m->first + SPAN; s > m->next && n < max; s--) {
                        struct range r = {s, s};

                        if (model_there(m, s) || !model_there(m, s - 1))
                                continue;
                        while (model_there(m, r.from - 1))
                                r.from--;
                        if ((newest >= r.from && newest < r.to) == (pass == 0))
                                out[n++] = r;
                }
        }
        return n;
}

/* One byte of the oldest message. */
static uint8_t model_read(struct model *m)
{
        const struct piece *p = &m->whole.of[m->whole.begin];
        uint8_t             b = byte_of(p->seq, m->within++);

        m->offset++;
        if (m->within == p->n) {
                m->offset = p->last ? 0 : m->offset;
                m->within = 0;
                m->whole.begin++;
        }
        return b;
}

struct rig {
        struct recvq *q;
        struct model  m;
        uint64_t      random, edge;
        bool          honest; /* flags as a sender would set them; else any */
        bool          run_over;
};

static void compare(struct rig *g)
{
        size_t       max = random_below(&g->random, 34);
        uint64_t     at  = g->m.next - 3 + random_below(&g->random, PACKETS + 6);
        struct range a[34], b[34];
        size_t       n = recvq_ranges(g->q, at, a, max);

        assert_int_equal(recvq_next(g->q), g->m.next);
        assert_int_equal(recvq_edge(g->q), model_edge(&g->m));
        assert_true(recvq_edge(g->q) >= g->edge);
        g->edge = recvq_edge(g->q);
        assert_int_equal(recvq_look(g->q), model_look(&g->m));
        assert_int_equal(recvq_offset(g->q), g->m.offset);
        assert_int_equal(recvq_bytes(g->q), model_bytes(&g->m));
        assert_true(recvq_bytes(g->q) <= (size_t)PACKETS * PIECE);
        assert_int_equal(n, model_ranges(&g->m, at, b, max));
        assert_memory_equal(a, b, n * sizeof(a[0]));
}

/* Messages of 1 to 7 packets, by the number alone. */
static uint8_t honest_flags(uint64_t seq)
{
        uint64_t of = seq / 8, k = seq % 8, cut = of * 2654435761u % 8;

        return (uint8_t)((k == 0 || k == cut ? F : 0) | (k == 7 || k + 1 == cut ? L : 0));
}

static void arrive(struct rig *g)
{
        static const uint64_t reach[] = {1, 1, 2, 5, 20, PACKETS + 8};
        uint64_t              ahead   = random_below(&g->random, reach[random_below(&g->random, 6)]);
        uint64_t              late    = random_below(&g->random, 4) == 0 ? random_below(&g->random, 12) : 0;
        uint64_t              seq     = number_near(g->m.next, (uint32_t)(g->m.next + ahead - late));
        uint8_t               flags   = honest_flags(seq);
        size_t                n       = 1 + seq * 37 % PIECE;

        if (seq < g->m.first || seq >= g->m.first + SPAN) {
                g->run_over = seq >= g->m.first;
                return;
        }
        if (!g->honest)
                flags = (uint8_t)(random_next(&g->random) & (F | L));
        if (random_below(&g->random, g->honest ? 4000 : 300) == 0) {
                flags = FRCT_FIN;
                n     = 0;
        }
        assert_int_equal(put(g->q, seq, flags, n), model_put(&g->m, seq, flags, n));
}

static void read_some(struct rig *g)
{
        uint8_t   buf[PIECE * 8];
        ptrdiff_t look = model_look(&g->m);
        size_t    left = look > 0 ? (size_t)look - g->m.offset : 0;
        size_t    want = random_below(&g->random, sizeof(buf));
        size_t    n    = recvq_read(g->q, buf, want);

        assert_int_equal(n, want < left ? want : left);
        for (size_t i = 0; i < n; i++)
                assert_int_equal(buf[i], model_read(&g->m));
}

static void new_run(struct rig *g)
{
        uint64_t first = random_below(&g->random, 2) == 0
                                 ? WRAP - random_below(&g->random, SPAN)
                                 : NUMBER_BASE + random_below(&g->random, NUMBER_BASE);

        recvq_begin(g->q, first);
        model_begin(&g->m, first);
        g->edge     = 0;
        g->run_over = false;
        /* The model's list begins again, with what is not read. */
        memmove(g->m.whole.of, g->m.whole.of + g->m.whole.begin,
                (g->m.whole.end - g->m.whole.begin) * sizeof(struct piece));
        g->m.whole.end -= g->m.whole.begin;
        g->m.whole.begin = 0;
}

static void skip_some(struct rig *g)
{
        uint64_t first = g->m.next - 2 + random_below(&g->random, 6);

        if (g->m.reliable || first >= g->m.first + SPAN)
                return;
        recvq_skip(g->q, first);
        if (first <= g->m.next || first > g->m.stop)
                return;
        g->m.next     = first;
        g->m.open.end = 0;
}

static void step(struct rig *g)
{
        uint64_t what = random_below(&g->random, 100);

        if (what < 75)
                arrive(g);
        else if (what < 95)
                read_some(g);
        else if (what < 97)
                skip_some(g);
        else if (what < 98)
                recvq_trim(g->q);
        if (g->run_over)
                new_run(g);
        compare(g);
}

static void story(uint64_t seed, bool reliable, bool honest)
{
        static struct rig g;

        memset(&g, 0, sizeof(g));
        g.q          = recvq_create(PIECE, 0, PACKETS, reliable);
        g.m.reliable = reliable;
        g.honest     = honest;
        g.random     = seed;
        assert_non_null(g.q);
        new_run(&g);
        for (int i = 0; i < 4000; i++)
                step(&g);
        recvq_destroy(g.q);
}

static void test_against_the_model(void **state)
{
        (void)state;
        for (uint64_t seed = 0; seed < 24; seed++)
                story(seed, seed & 1, seed & 2);
}

/* -- wiping ---------------------------------------------------------------------- */

#define SECRET  256u
#define MAPPING (4u << 20) /* those of a sanitizer are larger */

/* Not as it is: the test must not have a copy itself. */
static uint8_t secret_byte(size_t i)
{
        return (uint8_t)(i * i * 31 + i * 57 + 11);
}

/* The second half: where a chunk lies free, its beginning is written over. */
static bool is_secret(const uint8_t *p)
{
        for (size_t i = 0; i < SECRET / 2; i++) {
                if (p[i] != secret_byte(SECRET / 2 + i))
                        return false;
        }
        return true;
}

static void put_secret(struct recvq *q, uint64_t seq, unsigned flags)
{
        uint8_t secret[SECRET];

        for (size_t i = 0; i < SECRET; i++)
                secret[i] = secret_byte(i);
        assert_true(recvq_put(q, seq, (uint8_t)flags, secret, SECRET) <= RECVQ_GAP);
        explicit_bzero(secret, SECRET);
}

/* Our memory from @from to @to, looked at in a copy, which is wiped. */
static size_t secrets_in(int mem, uint64_t from, uint64_t to, uint8_t *copy)
{
        size_t  found = 0;
        ssize_t n     = pread(mem, copy, to - from, (off_t)from);

        for (ssize_t i = 0; i + (ssize_t)SECRET / 2 <= n; i++)
                found += is_secret(copy + i);
        explicit_bzero(copy, to - from);
        return found;
}

/*
 * How often the secret lies in our memory, freed or not, where an allocator may have put it. The copy is not
 * there: it is shared.
 */
static size_t secrets(void)
{
        FILE    *maps = fopen("/proc/self/maps", "r");
        int      mem  = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
        uint8_t *copy = mmap(NULL, MAPPING, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        char     line[512];
        size_t   found = 0;

        assert_true(maps != NULL && mem >= 0 && copy != MAP_FAILED);
        while (fgets(line, sizeof(line), maps) != NULL) {
                uint64_t from, to;

                if (sscanf(line, "%" SCNx64 "-%" SCNx64, &from, &to) == 2 && to - from <= MAPPING &&
                    strstr(line, " rw-p ") != NULL)
                        found += secrets_in(mem, from, to, copy);
        }
        munmap(copy, MAPPING);
        close(mem);
        fclose(maps);
        return found;
}

/* In every way that a payload may be let go. */
static void test_payloads_are_wiped(void **state)
{
        struct recvq *q = begin(SECRET, 64, true, 1000);
        uint8_t       buf[SECRET];

        (void)state;
        assert_int_equal(secrets(), 0);
        put_secret(q, 1000, F | L);
        assert_int_equal(secrets(), 1);
        recvq_read(q, buf, SECRET);
        explicit_bzero(buf, SECRET);
        assert_int_equal(secrets(), 0);
        put_secret(q, 1001, F);
        put_secret(q, 1003, 0);
        put_secret(q, 1005, 0);
        assert_int_equal(secrets(), 3);
        put(q, 1004, FRCT_FIN, 0);
        assert_int_equal(secrets(), 2);
        put(q, 1002, F, 1);
        assert_int_equal(secrets(), 0);
        recvq_destroy(q);
        q = begin(SECRET, 64, true, 1000);
        put_secret(q, 1000, F | L);
        put_secret(q, 1001, F);
        put_secret(q, 1003, 0);
        recvq_begin(q, 5000);
        assert_int_equal(secrets(), 1);
        put_secret(q, 5000, F);
        put_secret(q, 5002, F);
        assert_int_equal(secrets(), 3);
        recvq_destroy(q);
        assert_int_equal(secrets(), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_before_the_first_run),
                cmocka_unit_test(test_in_order),
                cmocka_unit_test(test_a_gap_that_fills),
                cmocka_unit_test(test_reading_in_parts),
                cmocka_unit_test(test_what_is_outside),
                cmocka_unit_test(test_malformed_messages),
                cmocka_unit_test(test_fin),
                cmocka_unit_test(test_a_new_run),
                cmocka_unit_test(test_window),
                cmocka_unit_test(test_promises_are_kept),
                cmocka_unit_test(test_the_longest_message),
                cmocka_unit_test(test_a_message_that_is_too_long),
                cmocka_unit_test(test_a_message_that_fills_the_window),
                cmocka_unit_test(test_a_message_as_large_as_the_window),
                cmocka_unit_test(test_trim),
                cmocka_unit_test(test_growing_behind_a_gap),
                cmocka_unit_test(test_unreliable_follows_the_newest),
                cmocka_unit_test(test_unreliable_drops_what_misses_a_piece),
                cmocka_unit_test(test_unreliable_skips),
                cmocka_unit_test(test_against_the_model),
                cmocka_unit_test(test_payloads_are_wiped),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
