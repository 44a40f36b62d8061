/* test_cursor.c - the cursor and the frame header: exact bytes, and every prefix. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "wire/cursor.h"
#include "wire/frame.h"

#include "guarded.h"
#include "random.h"

static const uint8_t bytes[] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef};

static void test_read_is_big_endian(void **state)
{
        static const uint64_t whole = UINT64_C(0x0123456789abcdef);

        (void)state;
        for (size_t n = 0; n <= 8; n++) {
                struct rd r = {bytes, bytes + sizeof(bytes), false};

                assert_true(rd_be(&r, n) == (n == 0 ? 0 : whole >> (64 - 8 * n)));
                assert_ptr_equal(r.p, bytes + n);
                assert_false(r.bad);
        }
}

static void test_write_is_big_endian(void **state)
{
        (void)state;
        for (size_t n = 0; n <= 8; n++) {
                uint8_t   buf[9] = {0};
                struct wr w      = {buf, buf + n, false};

                memset(buf, 0xee, sizeof(buf));
                wr_be(&w, UINT64_C(0x0123456789abcdef), n);
                assert_false(w.bad);
                assert_memory_equal(buf, bytes + 8 - n, n);
                assert_int_equal(buf[n], 0xee);
                wr_be(&w, 0, 0); /* nothing fits where nothing is left */
                assert_false(w.bad);
                wr_be(&w, 1, 1);
                assert_true(w.bad);
                assert_int_equal(buf[n], 0xee);
        }
}

/* Behind every prefix lies a page that nobody may touch. */
static void test_failure_stays(void **state)
{
        uint8_t *page = guarded_alloc(GUARDED_PAGE);
        uint8_t *end  = page + GUARDED_PAGE;

        (void)state;
        for (size_t have = 0; have <= 8; have++) {
                for (size_t n = have + 1; n <= 8; n++) {
                        struct rd r = {end - have, end, false};
                        struct wr w = {end - have, end, false};

                        assert_true(rd_be(&r, n) == 0);
                        assert_true(r.bad);
                        assert_true(rd_be(&r, have) == 0); /* would fit */
                        assert_ptr_equal(r.p, end - have);
                        wr_be(&w, UINT64_MAX, n);
                        assert_true(w.bad);
                        wr_be(&w, UINT64_MAX, have);
                        assert_ptr_equal(w.p, end - have);
                        for (size_t i = 1; i <= have; i++)
                                assert_int_equal(end[-(ptrdiff_t)i], 0);
                }
        }
        guarded_free(page, GUARDED_PAGE);
}

static bool get(const uint8_t *p, size_t len, struct frame *f)
{
        struct rd r = {p, p + len, false};

        return frame_get(&r, f) && r.p == p + FRAME_HDR;
}

static void test_frame_bytes(void **state)
{
        static const uint8_t expect[] = {0x12, 0x34, 0x56, 0x78, 0x01, 0, 0, 0};
        struct frame         f        = {0x12345678, FRAME_MORE};
        uint8_t              buf[FRAME_HDR];
        struct wr            w = {buf, buf + sizeof(buf), false};

        (void)state;
        frame_put(&w, &f);
        assert_false(w.bad);
        assert_ptr_equal(w.p, w.end);
        assert_memory_equal(buf, expect, sizeof(expect));
        f = (struct frame){0};
        assert_true(get(buf, sizeof(buf), &f));
        assert_int_equal(f.id, 0x12345678);
        assert_int_equal(f.flags, FRAME_MORE);
}

static void test_frame_prefixes(void **state)
{
        static const uint8_t hdr[] = {0, 0, 0, 7, 0, 0, 0, 0};
        uint8_t             *page  = guarded_alloc(GUARDED_PAGE);
        struct frame         f;

        (void)state;
        for (size_t len = 0; len <= sizeof(hdr); len++) {
                uint8_t  *p = page + GUARDED_PAGE - len;
                struct wr w = {p, p + len, false};

                memcpy(p, hdr, len);
                assert_int_equal(get(p, len, &f), len == FRAME_HDR);
                frame_put(&w, &f);
                assert_int_equal(w.bad, len < FRAME_HDR);
        }
        guarded_free(page, GUARDED_PAGE);
}

static void test_frame_refuses_the_unknown(void **state)
{
        struct frame f;

        (void)state;
        for (size_t bit = 0; bit < 8 * FRAME_HDR; bit++) {
                uint8_t hdr[FRAME_HDR] = {0};
                bool    known          = bit < 32 || bit == 32; /* the id, and MORE */

                hdr[bit / 8] = (uint8_t)(1u << bit % 8);
                assert_int_equal(get(hdr, sizeof(hdr), &f), known);
        }
}

static void test_frame_round_trip(void **state)
{
        uint64_t seed = 5;

        (void)state;
        for (int i = 0; i < 10000; i++) {
                uint8_t      hdr[FRAME_HDR], again[FRAME_HDR];
                struct wr    w = {again, again + sizeof(again), false};
                struct frame f;

                random_fill(&seed, hdr, sizeof(hdr));
                if (random_below(&seed, 2) == 0)
                        memcpy(hdr + 4, (const uint8_t[4]){(uint8_t)(i & 1)}, 4);
                if (!get(hdr, sizeof(hdr), &f))
                        continue;
                frame_put(&w, &f);
                assert_memory_equal(hdr, again, sizeof(hdr));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_read_is_big_endian), cmocka_unit_test(test_write_is_big_endian),
                cmocka_unit_test(test_failure_stays),      cmocka_unit_test(test_frame_bytes),
                cmocka_unit_test(test_frame_prefixes),     cmocka_unit_test(test_frame_refuses_the_unknown),
                cmocka_unit_test(test_frame_round_trip),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
