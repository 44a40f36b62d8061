/* test_oping_stats.c - the figures of oping, its message, and the values on its command line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/qos.h"
#include "common/values.h"
#include "oping/message.h"
#include "oping/stats.h"

static void send_n(struct stats *s, int n)
{
        while (n-- > 0)
                stats_sent(s);
}

static void assert_near(double a, double b)
{
        assert_true(a - b < 1e-6 && b - a < 1e-6);
}

/* -- figures --------------------------------------------------------------- */

static void no_reply_makes_no_figures(void **state)
{
        struct stats s = {0};

        (void)state;
        assert_near(stats_loss(&s), 0);
        assert_near(stats_mdev_ns(&s), 0);
        send_n(&s, 3);
        assert_near(stats_loss(&s), 100);
}

/* 2, 4, 4, 4, 5, 5, 7, 9: mean 5, standard deviation 2. */
static void deviation_is_that_of_the_book(void **state)
{
        const int64_t rtt[] = {2, 4, 4, 4, 5, 5, 7, 9};
        struct stats  s     = {0};

        (void)state;
        for (uint64_t i = 0; i < 8; i++) {
                stats_sent(&s);
                assert_int_equal(stats_received(&s, i, rtt[i]), ORDER_FORWARD);
        }
        assert_int_equal(s.min_ns, 2);
        assert_int_equal(s.max_ns, 9);
        assert_near(s.mean_ns, 5);
        assert_near(stats_mdev_ns(&s), 2);
        assert_near(stats_loss(&s), 0);
}

/* The sum of squares would need 120 bits here. */
static void small_deviations_of_large_times_survive(void **state)
{
        const int64_t base = INT64_C(1000000000000000);
        struct stats  s    = {0};

        (void)state;
        for (uint64_t i = 0; i < 1000; i++) {
                stats_sent(&s);
                stats_received(&s, i, base + (i % 2 != 0 ? 3 : -3));
        }
        assert_true(stats_mdev_ns(&s) > 2.9 && stats_mdev_ns(&s) < 3.1);
}

static void one_reply_has_no_deviation(void **state)
{
        struct stats s = {0};

        (void)state;
        stats_sent(&s);
        stats_received(&s, 0, 5);
        assert_int_equal(s.min_ns, 5);
        assert_int_equal(s.max_ns, 5);
        assert_near(stats_mdev_ns(&s), 0);
}

static void late_ones_and_copies_are_told_apart(void **state)
{
        struct stats s = {0};

        (void)state;
        send_n(&s, 5);
        assert_int_equal(stats_received(&s, 0, 1), ORDER_FORWARD);
        assert_int_equal(stats_received(&s, 3, 1), ORDER_FORWARD);
        assert_int_equal(stats_received(&s, 2, 1), ORDER_LATE);
        assert_int_equal(stats_received(&s, 2, 1), ORDER_TWICE);
        assert_int_equal(stats_received(&s, 3, 1), ORDER_TWICE);
        assert_int_equal(stats_received(&s, 0, 1), ORDER_TWICE);
        assert_int_equal(s.received, 3);
        assert_int_equal(s.out_of_order, 1);
        assert_int_equal(s.duplicates, 3);
        assert_near(stats_loss(&s), 40);
}

static void the_window_moves_on(void **state)
{
        struct stats s = {0};

        (void)state;
        send_n(&s, 1000);
        assert_int_equal(stats_received(&s, 0, 1), ORDER_FORWARD);
        assert_int_equal(stats_received(&s, 63, 1), ORDER_FORWARD);
        assert_int_equal(stats_received(&s, 0, 1), ORDER_TWICE); /* the oldest in it */
        assert_int_equal(stats_received(&s, 64, 1), ORDER_FORWARD);
        assert_int_equal(stats_received(&s, 0, 1), ORDER_LATE); /* forgotten */
        assert_int_equal(stats_received(&s, 1, 1), ORDER_LATE);
        assert_int_equal(stats_received(&s, 1, 1), ORDER_TWICE);
        assert_int_equal(stats_received(&s, 999, 1), ORDER_FORWARD); /* all at once */
        assert_int_equal(stats_received(&s, 998, 1), ORDER_LATE);
}

/* -- message --------------------------------------------------------------- */

static void a_message_is_read_back(void **state)
{
        const struct message m = {UINT64_C(0x0102030405060708), INT64_C(0x1112131415161718)};
        struct message       back;
        uint8_t              buf[MESSAGE_MIN];

        (void)state;
        message_put(buf, &m);
        assert_memory_equal(buf, "opin\1\2\3\4\5\6\7\10\21\22\23\24\25\26\27\30", MESSAGE_MIN);
        assert_true(message_get(buf, sizeof(buf), &back));
        assert_true(back.seq == m.seq && back.sent_ns == m.sent_ns);
        for (size_t len = 0; len < sizeof(buf); len++)
                assert_false(message_get(buf, len, &back));
        buf[3] ^= 1;
        assert_false(message_get(buf, sizeof(buf), &back));
}

/* -- values ---------------------------------------------------------------- */

static void times_have_units(void **state)
{
        static const struct {
                const char *s;
                int64_t     ns;
        } good[] = {
                {"0", 0},        {"250", 250000000}, {"250ms", 250000000}, {"1.5s", 1500000000},
                {"20us", 20000}, {"100ns", 100},     {"2m", 120000000000}, {"1h", 3600000000000},
                {"0.001us", 1},
        };
        static const char *const bad[] = {"",     "s",   "-1",       "+1",
                                          "1 s",  "1x",  "1e3",      "1.2.3",
                                          "0x10", "nan", "1000000h", "99999999999999999999999999",
                                          ".5s"};
        int64_t                  ns;

        (void)state;
        for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
                assert_true(value_time(good[i].s, &ns));
                assert_true(ns == good[i].ns);
        }
        ns = 42;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                assert_false(value_time(bad[i], &ns));
        assert_true(ns == 42);
}

static void numbers_have_bounds(void **state)
{
        uint64_t v = 42;

        (void)state;
        assert_true(value_number("18446744073709551615", 1, UINT64_MAX, &v));
        assert_true(v == UINT64_MAX);
        assert_false(value_number("18446744073709551616", 1, UINT64_MAX, &v));
        assert_false(value_number("0", 1, 10, &v));
        assert_false(value_number("11", 1, 10, &v));
        assert_false(value_number("1x", 1, 10, &v));
        assert_false(value_number("", 0, 10, &v));
}

static void qos_has_names(void **state)
{
        static const char *const bad[] = {"", "dat", "dataa", "Data", "raw-", "raw_no", "raw no errors", "-"};

        (void)state;
        assert_int_equal(qos_find("data")->spec->max_gap, qos_data.max_gap);
        assert_string_equal(qos_find("best")->name, "best_effort");
        assert_string_equal(qos_find("best-effort")->name, "best_effort");
        assert_string_equal(qos_find("raw-no_errors")->name, "raw_no_errors");
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                assert_null(qos_find(bad[i]));
}

/* QOS_NAMES is what people are told. */
static void every_name_of_a_qos_is_one(void **state)
{
        char  names[] = QOS_NAMES;
        char *rest    = names, *name;

        (void)state;
        while ((name = strsep(&rest, ",")) != NULL) {
                name += strspn(name, " ");
                assert_non_null(qos_find(name));
                assert_string_equal(qos_find(name)->name, name);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(no_reply_makes_no_figures),
                cmocka_unit_test(deviation_is_that_of_the_book),
                cmocka_unit_test(small_deviations_of_large_times_survive),
                cmocka_unit_test(one_reply_has_no_deviation),
                cmocka_unit_test(late_ones_and_copies_are_told_apart),
                cmocka_unit_test(the_window_moves_on),
                cmocka_unit_test(a_message_is_read_back),
                cmocka_unit_test(times_have_units),
                cmocka_unit_test(numbers_have_bounds),
                cmocka_unit_test(qos_has_names),
                cmocka_unit_test(every_name_of_a_qos_is_one),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
