/* test_pace.c - what is quick is done at once, but not much of it in a turn. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "pace.h"

#define US NS_PER_US

static void test_unknown_is_not_quick(void **state)
{
        struct pace p = {0};

        (void)state;
        assert_false(pace_now(&p, SUITE_X25519, PACE_VERIFY, PACE_N));
        pace_took(&p, SUITE_X25519, PACE_VERIFY, 60 * US, false);
        assert_true(pace_now(&p, SUITE_X25519, PACE_VERIFY, PACE_N));
        assert_false(pace_now(&p, SUITE_P384, PACE_VERIFY, PACE_N));
        assert_false(pace_now(&p, SUITE_X25519, PACE_SIGN, PACE_N));
        assert_false(pace_now(&p, SUITE_X25519, PACE_VERIFY, PACE_SIGN));
}

static void test_bad_news_is_believed_at_once(void **state)
{
        struct pace p = {0};

        (void)state;
        for (int i = 0; i < 100; i++)
                pace_took(&p, SUITE_X25519, PACE_VERIFY, 60 * US, false);
        pace_took(&p, SUITE_X25519, PACE_VERIFY, 700 * US, false);
        assert_false(pace_now(&p, SUITE_X25519, PACE_VERIFY, PACE_N));
        pace_took(&p, SUITE_X25519, PACE_VERIFY, 60 * US, false);
        assert_false(pace_now(&p, SUITE_X25519, PACE_VERIFY, PACE_N)); /* and forgotten slowly */
        for (int i = 0; i < 30; i++)
                pace_took(&p, SUITE_X25519, PACE_VERIFY, 60 * US, false);
        assert_true(pace_now(&p, SUITE_X25519, PACE_VERIFY, PACE_N));
}

static void test_a_turn_has_its_share(void **state)
{
        struct pace p = {0};
        int         n = 0;

        (void)state;
        pace_took(&p, SUITE_X25519, PACE_CHECK, 100 * US, false);
        while (pace_now(&p, SUITE_X25519, PACE_CHECK, PACE_N)) {
                pace_took(&p, SUITE_X25519, PACE_CHECK, 100 * US, true);
                assert_true(++n < 10);
        }
        assert_true(n > 1);
        pace_turn(&p);
        assert_true(pace_now(&p, SUITE_X25519, PACE_CHECK, PACE_N));
}

/* What is done elsewhere does not count. */
static void test_threads_spend_nothing(void **state)
{
        struct pace p = {0};

        (void)state;
        for (int i = 0; i < 100; i++)
                pace_took(&p, SUITE_X25519, PACE_CHECK, 100 * US, false);
        assert_true(pace_now(&p, SUITE_X25519, PACE_CHECK, PACE_N));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_unknown_is_not_quick),
                cmocka_unit_test(test_bad_news_is_believed_at_once),
                cmocka_unit_test(test_a_turn_has_its_share),
                cmocka_unit_test(test_threads_spend_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
