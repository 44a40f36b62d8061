/* test_clock.c - lengths and moments, at their ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

static void test_now_goes_on(void **state)
{
        int64_t a = clock_now_ns();
        int64_t b = clock_now_ns();

        (void)state;
        assert_true(a > 0 && b >= a);
}

static void test_timespec(void **state)
{
        struct timespec ts = clock_timespec(3 * NS_PER_S + 5);

        (void)state;
        assert_int_equal(ts.tv_sec, 3);
        assert_int_equal(ts.tv_nsec, 5);
        ts = clock_timespec(0);
        assert_int_equal(ts.tv_sec, 0);
        assert_int_equal(ts.tv_nsec, 0);
        ts = clock_timespec(CLOCK_NEVER);
        assert_true(clock_timespec_ok(&ts));
}

static void test_which_timespecs_are_ok(void **state)
{
        static const struct {
                struct timespec ts;
                bool            ok;
        } t[] = {
                {{0, 0}, true},           {{0, 999999999}, true},  {{INT64_MAX, 0}, true},
                {{0, 1000000000}, false}, {{0, -1}, false},        {{-1, 0}, false},
                {{-1, 999999999}, false}, {{INT64_MIN, 0}, false}, {{0, INT64_MAX}, false},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
                assert_int_equal(clock_timespec_ok(&t[i].ts), t[i].ok);
}

static void test_length_is_clipped(void **state)
{
        struct timespec ts = {1, 500};

        (void)state;
        assert_int_equal(clock_length_ns(&ts), NS_PER_S + 500);
        ts = (struct timespec){INT64_MAX, 999999999};
        assert_true(clock_length_ns(&ts) > INT64_C(99) * 365 * 86400 * NS_PER_S);
        assert_true(clock_length_ns(&ts) < CLOCK_NEVER);
}

static void test_after(void **state)
{
        (void)state;
        assert_int_equal(clock_after(10, 5), 15);
        assert_int_equal(clock_after(10, 0), 10);
        assert_int_equal(clock_after(10, CLOCK_NEVER), CLOCK_NEVER);
        assert_int_equal(clock_after(10, CLOCK_NEVER - 10), CLOCK_NEVER);
        assert_int_equal(clock_after(10, CLOCK_NEVER - 11), CLOCK_NEVER - 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_now_goes_on),
                cmocka_unit_test(test_timespec),
                cmocka_unit_test(test_which_timespecs_are_ok),
                cmocka_unit_test(test_length_is_clipped),
                cmocka_unit_test(test_after),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
