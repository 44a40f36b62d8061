/* test_operf_histogram.c - percentiles of operf to three digits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "operf/histogram.h"

#define S INT64_C(1000000000)

static int start(void **state)
{
        static struct histogram h;

        *state = &h;
        return histogram_init(&h) ? 0 : -1;
}

static int finish(void **state)
{
        histogram_done(*state);
        return 0;
}

/* Three digits: half of a unit in the third, for a number that begins with 1, is a 200th of 0.1. */
static void assert_three_digits(int64_t value, int64_t wanted)
{
        assert_in_range(value, wanted - wanted / 2000 - 1, wanted + wanted / 2000 + 1);
}

static void nothing_has_no_figures(void **state)
{
        const struct histogram *h = *state;

        assert_int_equal(histogram_at(h, 500), 0);
        assert_int_equal(h->n, 0);
        assert_true(histogram_mean(h) == 0);
}

static void one_is_all_of_them(void **state)
{
        struct histogram *h = *state;

        histogram_add(h, 123456789);
        assert_int_equal(histogram_at(h, 1), 123456789);
        assert_int_equal(histogram_at(h, 500), 123456789);
        assert_int_equal(histogram_at(h, 1000), 123456789);
        assert_true(histogram_mean(h) == 123456789);
}

static void short_times_are_exact(void **state)
{
        struct histogram *h = *state;

        for (int64_t v = 1; v <= 2000; v++)
                histogram_add(h, v);
        for (unsigned int p = 1; p <= 1000; p++)
                assert_int_equal(histogram_at(h, p), 2 * p);
}

/* The rank is rounded up: of three, one half is the second, and 999 thousandths the third. */
static void ranks_are_rounded_up(void **state)
{
        struct histogram *h = *state;

        histogram_add(h, 30);
        histogram_add(h, 10);
        histogram_add(h, 20);
        assert_int_equal(histogram_at(h, 0), 10);
        assert_int_equal(histogram_at(h, 333), 10);
        assert_int_equal(histogram_at(h, 334), 20);
        assert_int_equal(histogram_at(h, 500), 20);
        assert_int_equal(histogram_at(h, 999), 30);
}

static void one_in_a_thousand_shows_only_above_p999(void **state)
{
        struct histogram *h = *state;

        for (int i = 0; i < 999; i++)
                histogram_add(h, 1000);
        histogram_add(h, S);
        assert_int_equal(histogram_at(h, 999), 1000);
        assert_int_equal(histogram_at(h, 1000), S);
        histogram_add(h, S);
        assert_int_equal(histogram_at(h, 999), S);
}

static void every_size_has_three_digits(void **state)
{
        struct histogram *h = *state;

        for (int64_t v = 1; v < 3600 * S; v += v / 7 + 1) {
                histogram_done(h);
                assert_true(histogram_init(h));
                histogram_add(h, 0);
                histogram_add(h, v);
                histogram_add(h, INT64_C(1) << 43);
                assert_three_digits(histogram_at(h, 500), v);
        }
}

static void borders_of_slots_are_in_order(void **state)
{
        struct histogram *h = *state;

        for (unsigned int bit = 10; bit < 43; bit++) {
                int64_t at[] = {(INT64_C(1) << bit) - 1, INT64_C(1) << bit};

                histogram_done(h);
                assert_true(histogram_init(h));
                histogram_add(h, at[0]);
                histogram_add(h, at[1]);
                assert_three_digits(histogram_at(h, 500), at[0]);
                assert_int_equal(histogram_at(h, 1000), at[1]);
        }
}

static void extremes_stay_inside(void **state)
{
        struct histogram *h = *state;

        histogram_add(h, -5);
        histogram_add(h, INT64_MAX);
        histogram_add(h, INT64_MAX);
        assert_int_equal(h->min_ns, 0);
        assert_int_equal(h->max_ns, INT64_MAX);
        assert_int_equal(histogram_at(h, 100), 0);
        assert_int_equal(histogram_at(h, 1000), INT64_MAX);
}

static int by_size(const void *a, const void *b)
{
        const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

        return (x > y) - (x < y);
}

/* The same as from the sorted times. */
static void percentiles_are_those_of_the_sorted(void **state)
{
        enum { N = 5000 };
        static int64_t    all[N];
        struct histogram *h = *state;
        uint64_t          x = 1;

        for (size_t i = 0; i < N; i++) {
                x      = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
                all[i] = (int64_t)(x >> (24 + x % 20));
                histogram_add(h, all[i]);
        }
        qsort(all, N, sizeof(all[0]), by_size);
        for (unsigned int p = 1; p <= 1000; p++)
                assert_three_digits(histogram_at(h, p), all[(N * p + 999) / 1000 - 1]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(nothing_has_no_figures, start, finish),
                cmocka_unit_test_setup_teardown(one_is_all_of_them, start, finish),
                cmocka_unit_test_setup_teardown(short_times_are_exact, start, finish),
                cmocka_unit_test_setup_teardown(ranks_are_rounded_up, start, finish),
                cmocka_unit_test_setup_teardown(one_in_a_thousand_shows_only_above_p999, start, finish),
                cmocka_unit_test_setup_teardown(every_size_has_three_digits, start, finish),
                cmocka_unit_test_setup_teardown(borders_of_slots_are_in_order, start, finish),
                cmocka_unit_test_setup_teardown(extremes_stay_inside, start, finish),
                cmocka_unit_test_setup_teardown(percentiles_are_those_of_the_sorted, start, finish),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
