/* test_frct_pool.c - chunks: how many, where, and what becomes of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "frct/pool.h"

#include "random.h"

#define CHUNKS 3000u

static void test_sizes_are_rounded_up(void **state)
{
        static const size_t size[][2] = {{0, 16}, {1, 16}, {16, 16}, {17, 32}, {1400, 1408}, {65535, 65536}};
        struct pool         p;

        (void)state;
        for (size_t i = 0; i < sizeof(size) / sizeof(size[0]); i++) {
                pool_init(&p, size[i][0], 1);
                assert_int_equal(p.chunk, size[i][1]);
                assert_null(p.slabs);
                pool_fini(&p);
        }
}

static void test_no_more_than_the_bound(void **state)
{
        static const size_t bound[][2] = {{16, 0},    {16, 1},    {16, 7},     {16, 8},
                                          {16, 9},    {16, 1000}, {1408, 17},  {1408, 400},
                                          {65536, 1}, {65536, 5}, {65536, 30}, {1u << 20, 3}};
        struct pool         p;

        (void)state;
        for (size_t i = 0; i < sizeof(bound) / sizeof(bound[0]); i++) {
                pool_init(&p, bound[i][0], bound[i][1]);
                for (size_t n = 0; n < bound[i][1]; n++)
                        assert_non_null(pool_take(&p));
                assert_int_equal(p.used, bound[i][1]);
                assert_int_equal(p.made, bound[i][1]);
                assert_null(pool_take(&p));
                pool_fini(&p);
        }
}

/* 8, then as many as there are, up to POOL_SLAB_MAX bytes: that is 186 of 1408. */
static void test_slabs_double(void **state)
{
        static const size_t made[] = {8, 16, 32, 64, 128, 256, 442, 628};
        struct pool         p;
        size_t              k = 0;

        (void)state;
        pool_init(&p, 1400, CHUNKS);
        for (size_t n = 0; n < 628; n++) {
                if (n == (k > 0 ? made[k - 1] : 0))
                        k++;
                assert_non_null(pool_take(&p));
                assert_int_equal(p.made, made[k - 1]);
        }
        pool_fini(&p);
}

static void test_what_was_used_last_is_taken_first(void **state)
{
        struct pool p;
        void       *a, *b, *c;

        (void)state;
        pool_init(&p, 64, 100);
        a = pool_take(&p);
        b = pool_take(&p);
        c = pool_take(&p);
        assert_ptr_equal((uint8_t *)a + 64, b); /* in the order of memory, as long as none came back */
        assert_ptr_equal((uint8_t *)b + 64, c);
        pool_give(&p, a);
        pool_give(&p, c);
        assert_ptr_equal(pool_take(&p), c);
        assert_ptr_equal(pool_take(&p), a);
        pool_fini(&p);
}

static void test_trim(void **state)
{
        struct pool p;
        void       *a;

        (void)state;
        pool_init(&p, 64, 100);
        pool_trim(&p);
        a = pool_take(&p);
        pool_trim(&p); /* one is used: nothing happens */
        assert_int_equal(p.made, 8);
        memset(a, 1, 64);
        pool_give(&p, a);
        pool_trim(&p);
        assert_int_equal(p.made, 0);
        assert_null(p.slabs);
        assert_non_null(pool_take(&p));
        pool_fini(&p);
        assert_int_equal(p.used, 0);
}

/* Each chunk is filled with its index: were two to overlap, one would show it. */
static void test_chunks_are_apart(void **state)
{
        static uint32_t *chunk[CHUNKS];
        uint64_t         random = 1;
        struct pool      p;

        (void)state;
        pool_init(&p, 200, CHUNKS); /* 208, 52 words */
        for (int step = 0; step < 100000; step++) {
                uint32_t i = (uint32_t)random_below(&random, CHUNKS);

                if (chunk[i] == NULL) {
                        chunk[i] = pool_take(&p);
                        assert_int_equal((uintptr_t)chunk[i] % 16, 0);
                        for (size_t k = 0; k < 52; k++)
                                chunk[i][k] = i;
                } else {
                        for (size_t k = 0; k < 52; k++)
                                assert_int_equal(chunk[i][k], i);
                        pool_give(&p, chunk[i]);
                        chunk[i] = NULL;
                }
        }
        pool_fini(&p);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_sizes_are_rounded_up),
                cmocka_unit_test(test_no_more_than_the_bound),
                cmocka_unit_test(test_slabs_double),
                cmocka_unit_test(test_what_was_used_last_is_taken_first),
                cmocka_unit_test(test_trim),
                cmocka_unit_test(test_chunks_are_apart),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
