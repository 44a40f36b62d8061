/*
 * test_frct_seen.c - numbers of an unreliable flow: what is told of them, and what is forgotten; and against
 * a table of bits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "frct/seen.h"

#include "random.h"

#define FIRST (NUMBER_BASE + 1000)
#define MANY  2000u

static void expect(const struct seen *s, uint64_t newest, const struct range *want, size_t n)
{
        struct range got[SEEN_MAX];

        assert_int_equal(seen_ranges(s, newest, got, SEEN_MAX), n);
        assert_memory_equal(got, want, n * sizeof(got[0]));
}

static void test_in_order(void **state)
{
        struct seen s;

        (void)state;
        seen_begin(&s, FIRST);
        for (uint64_t i = 0; i < 5; i++)
                assert_true(seen_put(&s, FIRST + i));
        assert_int_equal(s.next, FIRST + 5);
        assert_int_equal(s.n, 0);
        assert_false(seen_put(&s, FIRST + 4)); /* twice   */
        assert_false(seen_put(&s, FIRST - 1)); /* too old */
}

static void test_holes_are_told_newest_first(void **state)
{
        struct seen        s;
        const struct range want[] = {{FIRST + 3, FIRST + 4}, {FIRST + 7, FIRST + 9}, {FIRST + 5, FIRST + 6}};

        (void)state;
        seen_begin(&s, FIRST);
        assert_true(seen_put(&s, FIRST + 8));
        assert_true(seen_put(&s, FIRST + 7));
        assert_true(seen_put(&s, FIRST + 5));
        assert_true(seen_put(&s, FIRST + 3));
        assert_false(seen_put(&s, FIRST + 7));
        expect(&s, FIRST + 3, want, 3);
        assert_int_equal(seen_ranges(&s, FIRST + 3, (struct range[1]){{0, 0}}, 0), 0);
}

static void test_holes_fill(void **state)
{
        struct seen        s;
        const struct range want[] = {{FIRST + 2, FIRST + 5}};

        (void)state;
        seen_begin(&s, FIRST);
        seen_put(&s, FIRST + 2);
        seen_put(&s, FIRST + 4);
        seen_put(&s, FIRST + 3);
        expect(&s, FIRST, want, 1);
        seen_put(&s, FIRST);
        assert_int_equal(s.next, FIRST + 1);
        seen_put(&s, FIRST + 1);
        assert_int_equal(s.next, FIRST + 5);
        assert_int_equal(s.n, 0);
}

static void test_floor(void **state)
{
        struct seen s;

        (void)state;
        seen_begin(&s, FIRST);
        seen_put(&s, FIRST + 2);
        seen_put(&s, FIRST + 6);
        seen_floor(&s, FIRST - 5); /* it never goes back */
        assert_int_equal(s.next, FIRST);
        seen_floor(&s, FIRST + 2);
        assert_int_equal(s.next, FIRST + 3);
        assert_int_equal(s.n, 1);
        seen_floor(&s, FIRST + 20);
        assert_int_equal(s.next, FIRST + 20);
        assert_int_equal(s.n, 0);
}

static void test_too_many_holes(void **state)
{
        struct seen s;

        (void)state;
        seen_begin(&s, FIRST);
        for (uint64_t i = 0; i < SEEN_MAX; i++)
                assert_true(seen_put(&s, FIRST + 1 + 2 * i));
        assert_int_equal(s.n, SEEN_MAX);
        assert_int_equal(s.next, FIRST);
        assert_true(seen_put(&s, FIRST + 1 + 2 * SEEN_MAX));
        assert_int_equal(s.n, SEEN_MAX);
        assert_int_equal(s.next, FIRST + 2); /* the oldest hole is given up */
        assert_false(seen_put(&s, FIRST));
}

/* Whatever comes in whatever order within the holes that there may be: the same as a table of bits. */
static void test_against_bits(void **state)
{
        struct seen s;
        bool        has[MANY] = {false};
        uint64_t    random    = 7;

        (void)state;
        seen_begin(&s, FIRST);
        for (unsigned i = 0; i < 50 * MANY; i++) {
                uint64_t low = s.next - FIRST;
                uint64_t n   = low + random_next(&random) % 60;

                if (n >= MANY)
                        break;
                assert_int_equal(seen_put(&s, FIRST + n), !has[n]);
                has[n] = true;
                while (low < MANY && has[low])
                        low++;
                assert_int_equal(s.next, FIRST + low);
                for (size_t k = 0; k < s.n; k++) {
                        assert_true(s.range[k].from < s.range[k].to);
                        assert_false(has[s.range[k].from - 1 - FIRST]);
                        assert_false(has[s.range[k].to - FIRST]);
                }
        }
        assert_true(s.next > FIRST + MANY - 100);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_in_order),       cmocka_unit_test(test_holes_are_told_newest_first),
                cmocka_unit_test(test_holes_fill),     cmocka_unit_test(test_floor),
                cmocka_unit_test(test_too_many_holes), cmocka_unit_test(test_against_bits),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
