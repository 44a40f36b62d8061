#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "stats.h"

#define N 16

static void assert_is(double a, double b)
{
        assert_true(fabs(a - b) < 1e-9);
}

static void test_quantiles_lie_between_neighbours(void **state)
{
        double odd[]  = {5, 1, 4, 2, 3};
        double even[] = {4, 1, 3, 2};
        double one[]  = {7};

        (void)state;
        assert_is(stats_quantile(odd, 5, 0.0), 1);
        assert_is(stats_quantile(odd, 5, 0.25), 2);
        assert_is(stats_quantile(odd, 5, 0.5), 3);
        assert_is(stats_quantile(odd, 5, 1.0), 5);
        assert_is(stats_quantile(even, 4, 0.5), 2.5);
        assert_is(stats_quantile(even, 4, 0.9), 3.7);
        assert_is(stats_quantile(one, 1, 0.3), 7);
        assert_true(isnan(stats_quantile(NULL, 0, 0.5)));
}

static void test_equal_figures_leave_no_doubt(void **state)
{
        double          v[N];
        struct estimate e;

        (void)state;
        for (size_t i = 0; i < N; i++)
                v[i] = 1.25;
        e = stats_estimate(v, N);
        assert_is(e.median, 1.25);
        assert_is(e.low, 1.25);
        assert_is(e.high, 1.25);
}

static void test_one_wild_figure_does_not_move_it(void **state)
{
        double          v[N];
        struct estimate e;

        (void)state;
        for (size_t i = 0; i < N; i++)
                v[i] = 1 + (double)i / 1000;
        v[3] = 1e9;
        e    = stats_estimate(v, N);
        assert_true(e.median > 1 && e.median < 1.016);
        assert_true(e.high < 1.016);
}

static void test_series_is_left_alone_and_answer_repeats(void **state)
{
        double          v[] = {3, 1, 2};
        struct estimate a   = stats_estimate(v, 3);
        struct estimate b   = stats_estimate(v, 3);

        (void)state;
        assert_is(v[0], 3);
        assert_is(v[1], 1);
        assert_is(a.low, b.low);
        assert_is(a.high, b.high);
        assert_true(a.low >= 1 && a.low <= a.median && a.median <= a.high && a.high <= 3);
}

/* Of many series with a skewed distribution whose median is 1, about 95 of 100 intervals hold 1. */
static void test_interval_holds_the_truth_as_often_as_it_says(void **state)
{
        unsigned short seed[3] = {1, 2, 3};
        int            held    = 0;

        (void)state;
        for (int series = 0; series < 200; series++) {
                double          v[N];
                struct estimate e;

                for (size_t i = 0; i < N; i++)
                        v[i] = -log2(1 - erand48(seed)); /* exponential */
                e = stats_estimate(v, N);
                held += e.low <= 1 && 1 <= e.high;
        }
        assert_in_range(held, 180, 199);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_quantiles_lie_between_neighbours),
                cmocka_unit_test(test_equal_figures_leave_no_doubt),
                cmocka_unit_test(test_one_wild_figure_does_not_move_it),
                cmocka_unit_test(test_series_is_left_alone_and_answer_repeats),
                cmocka_unit_test(test_interval_holds_the_truth_as_often_as_it_says),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
