/* test_frct_rtt.c - round-trip time: smoothed, least, and the timeouts that follow, in exact numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "frct/rtt.h"

#include "random.h"

#define MS NS_PER_MS
#define S  NS_PER_S

static void test_nothing_is_known(void **state)
{
        struct rtt r = {0};

        (void)state;
        assert_false(r.sampled);
        assert_int_equal(rtt_rto_ns(&r, 0), 1 * S);
        assert_int_equal(rtt_rto_ns(&r, 1), 2 * S);
        assert_int_equal(rtt_rto_ns(&r, 5), 32 * S);
        assert_int_equal(rtt_rto_ns(&r, 6), 60 * S);
        assert_int_equal(rtt_rto_ns(&r, UINT32_MAX), 60 * S);
        assert_int_equal(rtt_pto_ns(&r, true), 1 * S);
        assert_int_equal(rtt_pto_ns(&r, false), 1 * S);
}

/* RFC 6298, 2.2 and 2.3, with alpha 1/8 and beta 1/4. */
static void test_smoothing(void **state)
{
        struct rtt r = {0};

        (void)state;
        rtt_sample(&r, 100 * MS, 0, 1 * S);
        assert_true(r.sampled);
        assert_int_equal(r.srtt_ns, 100 * MS);
        assert_int_equal(r.var_ns, 50 * MS);
        assert_int_equal(r.min_ns, 100 * MS);
        assert_int_equal(r.latest_ns, 100 * MS);
        assert_int_equal(rtt_rto_ns(&r, 0), 310 * MS);
        assert_int_equal(rtt_rto_ns(&r, 2), 1240 * MS);
        rtt_sample(&r, 180 * MS, 0, 2 * S);
        assert_int_equal(r.var_ns, 50 * MS + (80 * MS - 50 * MS) / 4); /* 57.5 */
        assert_int_equal(r.srtt_ns, 110 * MS);
        rtt_sample(&r, 30 * MS, 0, 3 * S);
        assert_int_equal(r.var_ns, 63125 * NS_PER_US); /* + (80 - 57.5) / 4 */
        assert_int_equal(r.srtt_ns, 100 * MS);
        assert_int_equal(r.min_ns, 30 * MS);
        assert_int_equal(rtt_rto_ns(&r, 0), 100 * MS + 4 * 63125 * NS_PER_US + 10 * MS);
        assert_int_equal(rtt_pto_ns(&r, false), 200 * MS);
        assert_int_equal(rtt_pto_ns(&r, true), 210 * MS);
}

/* With no variation at all 1 ms is added for it; and a timeout is no shorter than 50 ms, nor longer than 60 s. */
static void test_bounds_of_the_timeout(void **state)
{
        struct rtt r = {0};

        (void)state;
        for (int i = 0; i < 200; i++)
                rtt_sample(&r, 80 * MS, 0, i * MS);
        assert_in_range(r.var_ns, 0, 3); /* what is left is rounding */
        assert_int_equal(rtt_rto_ns(&r, 0), 91 * MS);
        for (int i = 0; i < 200; i++)
                rtt_sample(&r, 1, 0, 1 * S + i * MS);
        assert_int_equal(rtt_rto_ns(&r, 0), 50 * MS);
        assert_int_equal(rtt_rto_ns(&r, 1), 100 * MS);
        for (int i = 0; i < 200; i++)
                rtt_sample(&r, 4000 * S, 0, 2 * S + i * MS);
        assert_int_equal(rtt_rto_ns(&r, 0), 60 * S);
        assert_int_equal(rtt_rto_ns(&r, 40), 60 * S);
}

/* What the receiver held back is taken off, but never below what was seen on the whole. */
static void test_delay_is_taken_off(void **state)
{
        struct rtt r = {0};

        (void)state;
        rtt_sample(&r, 30 * MS, 9 * MS, 0); /* the first is the least: it is taken as it is */
        assert_int_equal(r.latest_ns, 30 * MS);
        rtt_sample(&r, 20 * MS, 0, 0);
        rtt_sample(&r, 29 * MS, 9 * MS, 0);
        assert_int_equal(r.latest_ns, 20 * MS);
        rtt_sample(&r, 29 * MS, 10 * MS, 0);
        assert_int_equal(r.latest_ns, 29 * MS);
        rtt_sample(&r, 29 * MS, INT64_C(4294967295) * NS_PER_US, 0); /* the most that a header can say */
        assert_int_equal(r.latest_ns, 29 * MS);
        assert_int_equal(r.min_ns, 20 * MS);
}

static void sample(struct rtt *r, int64_t rtt_ms, int64_t now_ms)
{
        rtt_sample(r, rtt_ms * MS, 0, now_ms * MS);
}

static void test_the_least_is_forgotten_after_10_s(void **state)
{
        struct rtt r = {0};

        (void)state;
        sample(&r, 50, 0);
        sample(&r, 40, 1000);
        sample(&r, 60, 4000); /* a quarter of the window without a better one: the second */
        sample(&r, 55, 4500);
        sample(&r, 70, 6500); /* half of it: the third */
        sample(&r, 80, 11000);
        assert_int_equal(r.min_ns, 40 * MS);
        sample(&r, 80, 11001);
        assert_int_equal(r.min_ns, 55 * MS);
        sample(&r, 80, 14500);
        assert_int_equal(r.min_ns, 55 * MS);
        sample(&r, 80, 14501);
        assert_int_equal(r.min_ns, 70 * MS);
        sample(&r, 70, 14502); /* as good, and younger */
        sample(&r, 80, 24502);
        assert_int_equal(r.min_ns, 70 * MS);
        sample(&r, 90, 24503);
        assert_int_equal(r.min_ns, 80 * MS);
        sample(&r, 100, 60000); /* after a silence, nothing of old counts */
        assert_int_equal(r.min_ns, 100 * MS);
}

/* The least is always one of the samples of the last 10 s, and not above the last. */
static void test_the_least_is_of_the_window(void **state)
{
        static int64_t at[20000], rtt[20000];
        struct rtt     r      = {0};
        uint64_t       random = 1;
        int64_t        now    = 0;

        (void)state;
        for (int i = 0; i < 20000; i++) {
                bool found = false;

                now += (int64_t)random_below(&random, random_below(&random, 100) == 0 ? 12000 : 100) * MS;
                at[i]  = now;
                rtt[i] = 1 + (int64_t)random_below(&random, 1000000);
                rtt_sample(&r, rtt[i], 0, now);
                for (int k = i; k >= 0 && now - at[k] <= RTT_MIN_WINDOW_NS && !found; k--)
                        found = rtt[k] == r.min_ns;
                assert_true(found && r.min_ns <= rtt[i]);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_nothing_is_known),
                cmocka_unit_test(test_smoothing),
                cmocka_unit_test(test_bounds_of_the_timeout),
                cmocka_unit_test(test_delay_is_taken_off),
                cmocka_unit_test(test_the_least_is_forgotten_after_10_s),
                cmocka_unit_test(test_the_least_is_of_the_window),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
