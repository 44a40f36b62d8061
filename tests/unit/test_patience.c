/* test_patience.c - how the library learns whether to stay awake, in stories with exact numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dev/patience.h"

#define FAR  (SPIN_FAR_NS)
#define NEAR (SPIN_FAR_NS - 1)

/* Occasions that are passed over until the next try. */
static unsigned skipped(struct hunch *h)
{
        unsigned n = 0;

        while (!hunch_try(h))
                n++;
        return n;
}

static void test_hunch_begins_with_a_try(void **state)
{
        struct hunch h = {0};

        (void)state;
        assert_true(hunch_try(&h));
}

static void test_hunch_failures_double_the_gap(void **state)
{
        struct hunch h    = {0};
        unsigned     want = 1;

        (void)state;
        for (int i = 0; i < 15; i++) {
                hunch_learn(&h, false);
                assert_int_equal(skipped(&h), want);
                want = want < HUNCH_GAP_MAX ? 2 * want + 1 : want;
        }
        assert_int_equal(want, HUNCH_GAP_MAX);
}

static void test_hunch_success_makes_every_occasion_a_try(void **state)
{
        struct hunch h = {0};

        (void)state;
        for (int i = 0; i < 12; i++)
                hunch_learn(&h, false);
        hunch_learn(&h, true);
        for (int i = 0; i < 5; i++)
                assert_true(hunch_try(&h));
        hunch_learn(&h, false);
        assert_int_equal(skipped(&h), 1);
}

/* Waits that spinning does not end, each @waited_ns long, until the budget is gone. */
static unsigned exhaust(struct patience *p, int64_t waited_ns)
{
        unsigned n = 0;

        for (; patience_budget_ns(p) > 0; n++)
                patience_wasted(p, patience_budget_ns(p), waited_ns);
        return n;
}

static void test_patience_begins_hopeful(void **state)
{
        struct patience p;

        (void)state;
        patience_init(&p);
        assert_int_equal(patience_budget_ns(&p), SPIN_MAX_NS);
}

static void test_patience_halves_down_to_nothing(void **state)
{
        struct patience p;
        int64_t         want = SPIN_MAX_NS;

        (void)state;
        patience_init(&p);
        for (; want >= SPIN_MIN_NS; want /= 2) {
                assert_int_equal(patience_budget_ns(&p), want);
                patience_wasted(&p, want, FAR);
        }
        assert_int_equal(patience_budget_ns(&p), 0);
}

static void test_patience_doubles_up_to_its_limit(void **state)
{
        struct patience p;

        (void)state;
        patience_init(&p);
        for (int i = 0; i < 4; i++)
                patience_wasted(&p, patience_budget_ns(&p), FAR);
        assert_int_equal(patience_budget_ns(&p), SPIN_MAX_NS / 16);
        for (int64_t want = SPIN_MAX_NS / 8; want <= SPIN_MAX_NS; want *= 2) {
                patience_paid(&p, patience_budget_ns(&p));
                assert_int_equal(patience_budget_ns(&p), want);
        }
        patience_paid(&p, patience_budget_ns(&p));
        assert_int_equal(patience_budget_ns(&p), SPIN_MAX_NS);
}

static void test_patience_tries_again_after_short_waits(void **state)
{
        struct patience p;

        (void)state;
        patience_init(&p);
        exhaust(&p, NEAR);
        for (unsigned gap = 1; gap <= 7; gap = 2 * gap + 1) {
                for (unsigned i = 0; i < gap; i++) {
                        assert_int_equal(patience_budget_ns(&p), 0);
                        patience_wasted(&p, 0, NEAR);
                }
                assert_int_equal(patience_budget_ns(&p), SPIN_MAX_NS);
                patience_wasted(&p, SPIN_MAX_NS, NEAR);
        }
}

static void test_patience_leaves_idle_flows_in_peace(void **state)
{
        struct patience p;

        (void)state;
        patience_init(&p);
        exhaust(&p, FAR);
        for (int i = 0; i < 100000; i++) {
                assert_int_equal(patience_budget_ns(&p), 0);
                patience_wasted(&p, 0, FAR);
        }
}

static void test_patience_wakes_up_when_a_try_pays(void **state)
{
        struct patience p;

        (void)state;
        patience_init(&p);
        exhaust(&p, NEAR);
        patience_wasted(&p, 0, NEAR);
        patience_paid(&p, patience_budget_ns(&p));
        assert_int_equal(patience_budget_ns(&p), SPIN_MAX_NS);
        assert_int_equal(exhaust(&p, NEAR), 6); /* 50, 25, 12.5, 6.25, 3.1, 1.6 us */
}

/* Half of the waits are short: worth it, and the budget must not starve. */
static void test_patience_stays_with_a_mixture(void **state)
{
        struct patience p;

        (void)state;
        patience_init(&p);
        for (int i = 0; i < 1000; i++) {
                patience_wasted(&p, patience_budget_ns(&p), FAR);
                patience_paid(&p, patience_budget_ns(&p));
                assert_int_equal(patience_budget_ns(&p), SPIN_MAX_NS);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_hunch_begins_with_a_try),
                cmocka_unit_test(test_hunch_failures_double_the_gap),
                cmocka_unit_test(test_hunch_success_makes_every_occasion_a_try),
                cmocka_unit_test(test_patience_begins_hopeful),
                cmocka_unit_test(test_patience_halves_down_to_nothing),
                cmocka_unit_test(test_patience_doubles_up_to_its_limit),
                cmocka_unit_test(test_patience_tries_again_after_short_waits),
                cmocka_unit_test(test_patience_leaves_idle_flows_in_peace),
                cmocka_unit_test(test_patience_wakes_up_when_a_try_pays),
                cmocka_unit_test(test_patience_stays_with_a_mixture),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
