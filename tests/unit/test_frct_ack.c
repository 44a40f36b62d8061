/* test_frct_ack.c - when an acknowledgement is due, and what it echoes: stories with exact times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "frct/ack.h"

#define MS NS_PER_MS
#define T0 (100 * NS_PER_S)

/* A packet that is nothing special. */
static void came(struct ack *a, uint64_t seq, uint32_t stamp, int64_t now_ns)
{
        ack_data(a, seq, stamp, false, false, false, now_ns);
}

static void at_once(struct ack *a, uint64_t seq, uint32_t stamp, int64_t now_ns)
{
        ack_data(a, seq, stamp, false, true, false, now_ns);
}

static void twice(struct ack *a, uint64_t seq, int64_t now_ns)
{
        ack_data(a, seq, 1, false, true, true, now_ns);
}

static void test_nothing_is_owed(void **state)
{
        struct ack a;

        (void)state;
        ack_init(&a);
        assert_int_equal(a.due_ns, CLOCK_NEVER);
        ack_window(&a, T0); /* there is nothing that it could acknowledge */
        assert_int_equal(a.due_ns, CLOCK_NEVER);
        ack_made(&a);
        assert_int_equal(a.due_ns, CLOCK_NEVER);
        assert_int_equal(a.marks, 0);
}

static void test_one_waits_10_ms(void **state)
{
        struct ack a;

        (void)state;
        ack_init(&a);
        came(&a, 7, 1000, T0);
        assert_int_equal(a.due_ns, T0 + 10 * MS);
        assert_int_equal(a.echo, 1000);
        assert_int_equal(a.newest, 7);
        assert_int_equal(ack_delay_us(&a, T0 + 10 * MS), 10000);
        ack_made(&a);
        assert_int_equal(a.due_ns, CLOCK_NEVER);
        assert_int_equal(a.waiting, 0);
}

static void test_every_second_early(void **state)
{
        struct ack a;

        (void)state;
        ack_init(&a);
        for (uint64_t i = 0; i < ACK_EARLY; i += 2) {
                came(&a, i, (uint32_t)i, T0);
                assert_int_equal(a.due_ns, T0 + 10 * MS);
                came(&a, i + 1, (uint32_t)i + 1, T0 + MS);
                assert_int_equal(a.due_ns, T0 + MS);
                ack_made(&a);
        }
        for (uint64_t round = 0; round < 3; round++) {
                for (uint64_t i = 1; i < ACK_EVERY; i++) {
                        came(&a, 200, 200, T0 + (int64_t)i);
                        assert_int_equal(a.due_ns, T0 + 1 + 10 * MS); /* since the first of them */
                }
                came(&a, 200, 200, T0 + 9);
                assert_int_equal(a.due_ns, T0 + 9);
                ack_made(&a);
        }
        ack_begin(&a); /* early again */
        came(&a, 0, 0, T0);
        came(&a, 1, 0, T0 + 5);
        assert_int_equal(a.due_ns, T0 + 5);
}

/* The 128th is the second of two; with one that waits from before, the 129th is of the eight. */
static void test_the_border_of_early(void **state)
{
        struct ack a;

        (void)state;
        ack_init(&a);
        for (uint64_t i = 0; i < ACK_EARLY; i++) {
                came(&a, i, 0, T0);
                if (i != ACK_EARLY - 1)
                        ack_made(&a);
        }
        assert_int_equal(a.due_ns, T0 + 10 * MS);
        came(&a, ACK_EARLY, 0, T0 + MS);
        assert_int_equal(a.due_ns, T0 + 10 * MS);
}

static void test_at_once(void **state)
{
        struct ack a;

        (void)state;
        ack_init(&a);
        came(&a, 7, 1000, T0);
        at_once(&a, 9, 1002, T0 + 2 * MS);
        assert_int_equal(a.due_ns, T0 + 2 * MS);
        came(&a, 10, 1003, T0 + 3 * MS); /* due stays due */
        assert_int_equal(a.due_ns, T0 + 2 * MS);
        ack_made(&a);
        ack_window(&a, T0 + 5 * MS);
        assert_int_equal(a.due_ns, T0 + 5 * MS);
        assert_int_equal(a.echo, 1003);
        assert_int_equal(ack_delay_us(&a, T0 + 5 * MS), 2000);
        ack_made(&a);
        ack_probe(&a, 2000, T0 + 7 * MS);
        assert_int_equal(a.due_ns, T0 + 7 * MS);
        assert_int_equal(a.echo, 2000);
        assert_int_equal(ack_delay_us(&a, T0 + 7 * MS), 0);
}

static void test_marks(void **state)
{
        struct ack a;

        (void)state;
        ack_init(&a);
        ack_data(&a, 1, 0, true, false, false, T0);
        assert_int_equal(a.due_ns, T0); /* news */
        ack_made(&a);
        ack_data(&a, 2, 0, true, false, false, T0 + MS);
        assert_int_equal(a.due_ns, T0 + 11 * MS); /* none */
        assert_int_equal(a.marks, 2);
        ack_made(&a);
        came(&a, 3, 0, T0 + 2 * MS);
        ack_made(&a);
        ack_data(&a, 4, 0, true, false, false, T0 + 3 * MS);
        assert_int_equal(a.due_ns, T0 + 3 * MS);
        ack_begin(&a);
        assert_int_equal(a.marks, 3); /* of the flow */
        for (unsigned i = 3; i < 0x10000; i++)
                ack_data(&a, i, 0, true, false, false, T0);
        assert_int_equal(a.marks, 0);
}

/*
 * Sent: 1 and 2 (stamps 50 and 51), 2 again (100), 3 (101). It does not matter in which order they arrive: an
 * echo of less than 100 is to mean that the first 2 has arrived, and an acknowledgement that covers the
 * second must not have one.
 */
static void test_echo_is_the_latest_stamp(void **state)
{
        struct ack a;

        (void)state;
        ack_init(&a);
        at_once(&a, 2, 100, T0);
        came(&a, 1, 50, T0 + MS);
        assert_int_equal(a.echo, 100);
        assert_int_equal(ack_delay_us(&a, T0 + 3 * MS), 3000);
        ack_made(&a);
        came(&a, 3, 51, T0 + 4 * MS); /* the acknowledgement before may get lost */
        assert_int_equal(a.echo, 100);
        came(&a, 4, 101, T0 + 5 * MS);
        assert_int_equal(a.echo, 101);
        assert_int_equal(ack_delay_us(&a, T0 + 5 * MS), 0);
        ack_begin(&a); /* stamps of a run that is over mean nothing */
        came(&a, 1, 50, T0 + 6 * MS);
        assert_int_equal(a.echo, 50);
}

static void test_stamps_begin_again(void **state)
{
        struct ack a;

        (void)state;
        ack_init(&a);
        came(&a, 1, 0xfffffff0, T0);
        came(&a, 2, 5, T0 + MS);
        assert_int_equal(a.echo, 5);
        came(&a, 3, 0xffffffff, T0 + 2 * MS);
        assert_int_equal(a.echo, 5);
        ack_probe(&a, 0x90000000,
                  T0 + ACK_ECHO_NS); /* nothing that old is on its way: later by more than half a turn */
        assert_int_equal(a.echo, 5);
        ack_probe(&a, 0x90000000, T0 + MS + ACK_ECHO_NS);
        assert_int_equal(a.echo, 0x90000000);
}

static void test_delay_is_clipped(void **state)
{
        struct ack a;

        (void)state;
        ack_init(&a);
        came(&a, 1, 1, T0);
        assert_int_equal(ack_delay_us(&a, T0 + 999), 0);
        assert_int_equal(ack_delay_us(&a, T0 + 1000), 1);
        assert_int_equal(ack_delay_us(&a, T0 - 5000), 0);
        assert_int_equal(ack_delay_us(&a, T0 + UINT32_MAX * NS_PER_US), UINT32_MAX);
        assert_int_equal(ack_delay_us(&a, T0 + 5000000 * NS_PER_S), UINT32_MAX);
}

static void expect_twice(const struct ack *a, uint64_t from, uint64_t to)
{
        assert_int_equal(a->twice.from, from);
        assert_int_equal(a->twice.to, to);
}

static void test_what_came_twice(void **state)
{
        struct ack a;

        (void)state;
        ack_init(&a);
        ack_data(&a, 20, 1, false, false, true, T0);
        assert_int_equal(a.due_ns, T0);
        assert_int_equal(a.newest, 20);
        expect_twice(&a, 20, 21);
        twice(&a, 21, T0);
        expect_twice(&a, 20, 22);
        twice(&a, 19, T0);
        expect_twice(&a, 19, 22);
        twice(&a, 20, T0);
        expect_twice(&a, 19, 22);
        twice(&a, 23, T0); /* not next to it: the last is told */
        expect_twice(&a, 23, 24);
        twice(&a, 10, T0);
        expect_twice(&a, 10, 11);
        ack_made(&a);
        assert_int_equal(a.twice.from, a.twice.to);
        came(&a, 24, 1, T0);
        assert_int_equal(a.twice.from, a.twice.to);
        twice(&a, 24, T0);
        ack_begin(&a);
        assert_int_equal(a.twice.from, a.twice.to);
        assert_int_equal(a.due_ns, CLOCK_NEVER);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_nothing_is_owed),
                cmocka_unit_test(test_one_waits_10_ms),
                cmocka_unit_test(test_every_second_early),
                cmocka_unit_test(test_the_border_of_early),
                cmocka_unit_test(test_at_once),
                cmocka_unit_test(test_marks),
                cmocka_unit_test(test_echo_is_the_latest_stamp),
                cmocka_unit_test(test_stamps_begin_again),
                cmocka_unit_test(test_delay_is_clipped),
                cmocka_unit_test(test_what_came_twice),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
