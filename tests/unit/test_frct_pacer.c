/*
 * test_frct_pacer.c - the pacer lets through what the rate says, to the byte, whatever the rate, the clock
 * and the timers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "frct/pacer.h"

#include "random.h"

#define YEAR (INT64_C(365) * 86400 * NS_PER_S)

/* Sends whatever may be sent at @now. */
static uint64_t send_all(struct pacer *p, uint64_t packet, int64_t now_ns)
{
        uint64_t sent = 0;

        for (; pacer_due_ns(p, now_ns) == 0; sent += packet)
                pacer_spend(p, packet, now_ns);
        return sent;
}

static void send_for(uint64_t rate, uint64_t packet, int64_t start_ns, int64_t len_ns)
{
        struct pacer p;
        uint64_t     sent  = 0;
        uint64_t     burst = 2 * packet;
        double       want  = (double)rate * ((double)len_ns / 1e9) + (double)burst;

        pacer_init(&p, burst, start_ns);
        pacer_set(&p, rate, burst, start_ns);
        for (int64_t now = start_ns; now < start_ns + len_ns;) {
                int64_t due_ns;

                sent += send_all(&p, packet, now);
                due_ns = pacer_due_ns(&p, now);
                assert_true(due_ns > now);
                now = due_ns;
        }
        assert_true((double)sent >= want - 0.001 * (double)packet);
        assert_true((double)sent <= want + 1.001 * (double)packet);
}

static void test_rate_is_exact(void **state)
{
        static const uint64_t rates[] = {1000,    1001,     1499,      12345,     99999,     125000,
                                         1000003, 12500000, 125000000, 333333333, 1250000000};

        (void)state;
        for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
                send_for(rates[i], 1500, 0, NS_PER_S);
                send_for(rates[i], 100, 1, NS_PER_S / 10);
                send_for(rates[i], 65536, 100 * YEAR, NS_PER_S);
        }
        send_for(UINT64_C(20000000000), 65536, 280 * YEAR, NS_PER_S);
        send_for(UINT64_C(19999999999), 9000, 12345, NS_PER_S / 4);
}

/* A slow rate for a long time, with a remainder at every step. */
static void test_no_drift(void **state)
{
        (void)state;
        send_for(1000, 1500, 280 * YEAR, 86400 * NS_PER_S);
        send_for(7, 65535, 0, YEAR);
        send_for(1, 1000, 0, 10 * YEAR);
        send_for(999983, 1499, 0, 600 * NS_PER_S);
}

/* Looked at much more often than needed: nothing is lost by rounding. */
static void test_frequent_looks(void **state)
{
        struct pacer p;
        uint64_t     sent = 0;

        (void)state;
        pacer_init(&p, 1000, 0);
        pacer_set(&p, 1000003, 1000, 0);
        for (int64_t now = 0; now <= NS_PER_S; now += 333) {
                pacer_set(&p, 1000003, 1000, now);
                sent += send_all(&p, 500, now);
        }
        assert_in_range(sent, 1001000, 1002000);
}

static void test_schedule(void **state)
{
        struct pacer p;

        (void)state;
        pacer_init(&p, 2000, 5000);
        pacer_set(&p, 1000000, 2000, 5000); /* 1 byte a microsecond */
        assert_int_equal(send_all(&p, 1000, 5000), 2000);
        assert_int_equal(pacer_due_ns(&p, 5000),
                         5001); /* the bucket is empty, and more than that is asked for */
        assert_int_equal(send_all(&p, 1000, 5001), 1000);
        assert_int_equal(pacer_due_ns(&p, 5001), 1005001);
        assert_int_equal(pacer_due_ns(&p, 900000), 1005001);
        assert_int_equal(pacer_due_ns(&p, 1005000), 1005001);
        assert_int_equal(pacer_due_ns(&p, 1005001), 0);
        pacer_spend(&p, 1000, 1005001);
        pacer_spend(&p, 1000, 1005001); /* a probe, which asks nobody */
        assert_int_equal(pacer_due_ns(&p, 1005001), 3005001);
}

static void test_unpaced(void **state)
{
        struct pacer p;

        (void)state;
        pacer_init(&p, 0, 0);
        for (int i = 0; i < 1000; i++) {
                assert_int_equal(pacer_due_ns(&p, i), 0);
                pacer_spend(&p, 65536, i);
        }
        pacer_set(&p, 1000, 3000, 1000); /* what went unpaced is no debt */
        assert_int_equal(pacer_due_ns(&p, 1000), 0);
        pacer_spend(&p, 3000, 1000);
        assert_true(pacer_due_ns(&p, 1000) > 1000);
        pacer_set(&p, 0, 0, 2000);
        assert_int_equal(pacer_due_ns(&p, 2000), 0);
}

static void test_silence_saves_one_burst(void **state)
{
        static const int64_t  silences[] = {NS_PER_S, YEAR, 200 * YEAR};
        static const uint64_t rates[]    = {1000000, 20000000000, UINT64_MAX};

        (void)state;
        for (size_t i = 0; i < 3; i++) {
                for (size_t n = 0; n < 3; n++) {
                        struct pacer p;
                        uint64_t     sent;

                        pacer_init(&p, 10000, 0);
                        pacer_set(&p, rates[n], 10000, 0);
                        sent = send_all(&p, 1000, silences[i]);
                        assert_int_equal(sent, 10000);
                }
        }
}

/* A burst of nothing still lets packets leave, one by one. */
static void test_no_burst(void **state)
{
        struct pacer p;

        (void)state;
        pacer_init(&p, 0, 0);
        pacer_set(&p, 1000000, 0, 0);
        assert_int_equal(send_all(&p, 1000, NS_PER_S), 1000);
        assert_int_equal(pacer_due_ns(&p, NS_PER_S), NS_PER_S + 999 * NS_PER_US + 1);
}

static void test_new_rate_from_now_on(void **state)
{
        struct pacer p;

        (void)state;
        pacer_init(&p, 1000, 0);
        pacer_set(&p, 1000000, 1000, 0);
        pacer_spend(&p, 5000, 0); /* 4 ms */
        assert_int_equal(pacer_due_ns(&p, 0), 4 * NS_PER_MS + 1);
        pacer_set(&p, 2000000, 1000, 2 * NS_PER_MS); /* 2000 bytes are left to gather */
        assert_int_equal(pacer_due_ns(&p, 2 * NS_PER_MS), 3 * NS_PER_MS + 1);
        pacer_set(&p, 2000000, 500, 10 * NS_PER_MS);
        pacer_set(&p, 2000000, 500, 20 * NS_PER_MS);
        pacer_spend(&p, 500, 20 * NS_PER_MS);
        assert_int_equal(pacer_due_ns(&p, 20 * NS_PER_MS),
                         0); /* it waited, and is late: 1 ms of 2000 bytes */
        pacer_spend(&p, 2000, 20 * NS_PER_MS);
        assert_int_equal(pacer_due_ns(&p, 20 * NS_PER_MS), 20 * NS_PER_MS + 1);
}

/* Timers that come up to 1 ms late take nothing from the rate, later ones do. */
static void late_timers(uint64_t rate, int64_t late_ns, double least, double most)
{
        struct pacer p;
        uint64_t     sent = 0, random = 9;
        int64_t      now = 0;

        pacer_init(&p, 65536, 0);
        pacer_set(&p, rate, 65536, 0);
        while (now < NS_PER_S) {
                sent += send_all(&p, 1500, now);
                pacer_set(&p, rate, 65536, now);
                now = pacer_due_ns(&p, now) + (int64_t)random_below(&random, (uint64_t)late_ns);
        }
        assert_true((double)sent >= least * (double)rate && (double)sent <= most * (double)rate);
}

static void test_late_timers(void **state)
{
        (void)state;
        late_timers(1250000000, 60 * NS_PER_US, 0.999, 1.001);
        late_timers(1250000000, NS_PER_MS, 0.999, 1.002);
        late_timers(1250000000, 10 * NS_PER_MS, 0.05, 0.5);
        late_timers(12500000, 5 * NS_PER_MS, 0.999, 1.01); /* a burst of 5 ms covers it */
}

/* Waiting once does not make up for a silence that has nothing to do with it. */
static void test_lateness_has_an_end(void **state)
{
        struct pacer p;

        (void)state;
        pacer_init(&p, 10000, 0);
        pacer_set(&p, 10000000, 10000, 0);
        send_all(&p, 1000, 0);
        assert_in_range(send_all(&p, 1000, NS_PER_S), 20000, 20000); /* burst and 1 ms */
        assert_in_range(send_all(&p, 1000, 2 * NS_PER_S), 20000, 20000);
}

/*
 * What was gathered by lateness is sent although the clock goes on meanwhile; what is left is no more than
 * a burst.
 */
static void test_lateness_is_used_up(void **state)
{
        struct pacer p;
        int64_t      now = NS_PER_S;

        (void)state;
        pacer_init(&p, 10000, 0);
        pacer_set(&p, 10000000, 10000, 0);
        send_all(&p, 1000, 0);
        pacer_due_ns(&p, 0);
        for (int i = 0; i < 15; i++, now++) {
                assert_int_equal(pacer_due_ns(&p, now), 0);
                pacer_spend(&p, 1000, now);
        }
        assert_int_equal(send_all(&p, 1000, 2 * NS_PER_S), 10000);
}

static void test_smaller_burst(void **state)
{
        struct pacer p;

        (void)state;
        pacer_init(&p, 10000, 0);
        pacer_set(&p, 10000000, 10000, 0);
        pacer_set(&p, 10000000, 2000, 0);
        assert_int_equal(send_all(&p, 1000, 0), 2000);
}

/* A debt ends with pacing. */
static void test_debt_is_forgiven(void **state)
{
        struct pacer p;

        (void)state;
        pacer_init(&p, 1000, 0);
        pacer_set(&p, 1000, 1000, 0);
        pacer_spend(&p, 65536, 0);
        assert_true(pacer_due_ns(&p, 0) > 60 * NS_PER_S);
        pacer_set(&p, 0, 0, 1);
        pacer_set(&p, 1000, 1000, 2);
        assert_int_equal(pacer_due_ns(&p, 2), 0);
}

/* The clock of several cores, or a caller that mixes up two readings: it only waits. */
static void test_clock_goes_back(void **state)
{
        struct pacer p;

        (void)state;
        pacer_init(&p, 1000, NS_PER_S);
        pacer_set(&p, 1000, 1000, NS_PER_S);
        pacer_spend(&p, 1000, NS_PER_S / 2);
        assert_int_equal(pacer_due_ns(&p, NS_PER_S / 2), NS_PER_S + NS_PER_MS / 1000 / 1000);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rate_is_exact),
                cmocka_unit_test(test_no_drift),
                cmocka_unit_test(test_frequent_looks),
                cmocka_unit_test(test_schedule),
                cmocka_unit_test(test_unpaced),
                cmocka_unit_test(test_silence_saves_one_burst),
                cmocka_unit_test(test_no_burst),
                cmocka_unit_test(test_new_rate_from_now_on),
                cmocka_unit_test(test_late_timers),
                cmocka_unit_test(test_lateness_has_an_end),
                cmocka_unit_test(test_lateness_is_used_up),
                cmocka_unit_test(test_smaller_burst),
                cmocka_unit_test(test_debt_is_forgiven),
                cmocka_unit_test(test_clock_goes_back),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
