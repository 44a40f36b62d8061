/* test_operf_figures.c - operf: what has arrived, rates, and numbers for people. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "operf/count.h"
#include "operf/rate.h"
#include "operf/units.h"

#define S INT64_C(1000000000)

/* -- what has arrived ------------------------------------------------------ */

static void nothing_has_no_rate(void **state)
{
        struct count c = {0};
        struct tally t = count_tally(&c, 7);

        (void)state;
        assert_true(t.sent == 7 && t.messages == 0 && t.span_ns == 0 && tally_per_s(&t) == 0);
        count_enter(&c, 0, 5 * S);
        t = count_tally(&c, 0);
        assert_true(t.messages == 1 && t.span_ns == 0 && tally_per_s(&t) == 0);
}

/* Eleven messages are ten intervals of 100 ms. */
static void the_rate_is_by_intervals(void **state)
{
        struct count c = {0};
        struct tally t;

        (void)state;
        for (uint64_t i = 0; i <= 10; i++)
                count_enter(&c, i, 1000 * S + (int64_t)i * S / 10);
        t = count_tally(&c, 0);
        assert_true(t.span_ns == S);
        assert_true(tally_per_s(&t) == 10);
}

static void copies_do_not_count(void **state)
{
        struct count c = {0};
        struct tally t;

        (void)state;
        count_enter(&c, 0, S);
        count_enter(&c, 3, 2 * S);
        count_enter(&c, 1, 3 * S);
        count_enter(&c, 1, 4 * S);
        count_enter(&c, 3, 5 * S);
        t = count_tally(&c, 0);
        assert_true(t.messages == 3 && t.out_of_order == 1 && t.duplicates == 2 && t.span_ns == 2 * S);
}

/* Numbers are the client's: whatever they are, it can only spoil its own figures. */
static void any_number_is_harmless(void **state)
{
        static const uint64_t numbers[] = {INT64_MAX, 0, UINT64_MAX, UINT64_MAX, 0, INT64_MAX, 1};
        struct count          c         = {0};

        (void)state;
        for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
                count_enter(&c, numbers[i], S);
        assert_true(c.messages + c.duplicates == sizeof(numbers) / sizeof(numbers[0]));
        assert_true(c.out_of_order <= c.messages);
}

/* -- rates ----------------------------------------------------------------- */

static void rates_have_units(void **state)
{
        static const struct {
                const char *s;
                double      per_s;
                bool        bits;
        } good[] = {
                {"1", 1, false},          {"5000", 5000, false}, {"2.5k", 2500, false},
                {"1M", 1e6, false},       {"10Mbit", 1e7, true}, {"800bit", 800, true},
                {"1.5Gbit", 1.5e9, true}, {"0.01", 0.01, false}, {"100Kbit", 1e5, true},
        };
        static const char *const bad[] = {"",    "0",   "0bit", "-1",    "+1",   "k",      "1x",  "1kb",
                                          "1 k", "1e3", "inf",  "1.2.3", "0x10", "10bits", "1kk", ".5"};
        struct rate              r     = {0};

        (void)state;
        for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
                assert_true(rate_parse(good[i].s, &r));
                assert_true(r.per_s == good[i].per_s && r.bits == good[i].bits);
        }
        r.per_s = 42;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                assert_false(rate_parse(bad[i], &r));
        assert_true(r.per_s == 42);
}

static void bits_are_by_size(void **state)
{
        (void)state;
        assert_int_equal(rate_of(&(struct rate){1000, false}, 100), 1000 * RATE_UNIT);
        assert_int_equal(rate_of(&(struct rate){8000, true}, 100), 10 * RATE_UNIT);
        assert_int_equal(rate_of(&(struct rate){1, true}, 1u << 20), 1); /* not 0, which is a flood */
        assert_true(rate_of(&(struct rate){1e18, false}, 100) == RATE_TOP);
}

static void messages_are_due_one_by_one(void **state)
{
        (void)state;
        assert_int_equal(rate_due_ns(RATE_UNIT, 0), 0);
        assert_int_equal(rate_due_ns(RATE_UNIT, 3), 3 * S);
        assert_int_equal(rate_due_ns(3 * RATE_UNIT, 1), S / 3);
        assert_int_equal(rate_due_ns(1, 2), 2000 * S);
        assert_true(rate_due_ns(1, UINT64_MAX) > 0);
        /* an hour of a million a second does not drift */
        assert_int_equal(rate_due_ns(1000000 * RATE_UNIT, UINT64_C(3600000000)), 3600 * S);
}

/* -- numbers for people ---------------------------------------------------- */

static void large_numbers_have_prefixes(void **state)
{
        static const struct {
                double      v;
                const char *what, *text;
        } good[] = {
                {0, "", "0"},
                {999, "", "999"},
                {12345678, "bit", "12.35 Mbit"},
                {12345678, "", "12.35 M"},
                {1000, "bit", "1 kbit"},
                {999.96, "bit", "1 kbit"},
                {3.4e9, "bit", "3.4 Gbit"},
                {7e15, "bit", "7000 Tbit"},
                {5, "bit", "5 bit"},
        };
        char buf[UNITS_ROOM];

        (void)state;
        for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
                assert_string_equal(units_put(buf, good[i].v, good[i].what), good[i].text);
        assert_true(strlen(units_put(buf, 1.7e308, "longtext")) < UNITS_ROOM);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(nothing_has_no_rate),
                cmocka_unit_test(the_rate_is_by_intervals),
                cmocka_unit_test(copies_do_not_count),
                cmocka_unit_test(any_number_is_harmless),
                cmocka_unit_test(rates_have_units),
                cmocka_unit_test(bits_are_by_size),
                cmocka_unit_test(messages_are_due_one_by_one),
                cmocka_unit_test(large_numbers_have_prefixes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
