/* test_frct_link.c - the link of the simulations (tests/sim/frct_link.h) does what it is told, no more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"

#include "frct_link.h"
#include "random.h"

#define PACKET 1000u
#define SMALL  64u
#define MANY   100000u

static void send_one(struct link *l, uint32_t number, size_t n, int64_t now_ns)
{
        uint8_t packet[PACKET] = {0};

        memcpy(packet, &number, sizeof(number));
        link_send(l, number % 7, packet, n, now_ns);
}

static uint32_t number_of(const struct link_packet *p)
{
        uint32_t number;

        memcpy(&number, p->bytes, sizeof(number));
        return number;
}

static void test_delay(void **state)
{
        struct link_conf          conf = {.delay_ns = 5 * NS_PER_MS};
        struct link              *l    = link_create(&conf, PACKET, 1);
        const struct link_packet *p;

        (void)state;
        assert_true(link_due_ns(l) == CLOCK_NEVER);
        send_one(l, 9, 100, NS_PER_MS);
        assert_int_equal(link_due_ns(l), 6 * NS_PER_MS);
        assert_null(link_take(l, 6 * NS_PER_MS - 1));
        p = link_take(l, 6 * NS_PER_MS);
        assert_non_null(p);
        assert_int_equal(p->n, 100);
        assert_int_equal(p->flow, 2);
        assert_int_equal(number_of(p), 9);
        assert_false(p->marked || p->altered);
        assert_null(link_take(l, CLOCK_NEVER - 1));
        link_destroy(l);
}

/* 1 MB/s: a packet of 1000 bytes takes 1 ms; three may wait, the one that is on the line with them. */
static void test_rate_queue_and_marks(void **state)
{
        struct link_conf conf = {.rate = 1000000, .queue = 3000, .mark = 2000, .delay_ns = NS_PER_MS};
        struct link     *l    = link_create(&conf, PACKET, 1);

        (void)state;
        for (uint32_t i = 0; i < 5; i++)
                send_one(l, i, PACKET, 0);
        assert_int_equal(link_stats(l).dropped, 2);
        for (uint32_t i = 0; i < 3; i++) {
                const struct link_packet *p = link_take(l, CLOCK_NEVER - 1);

                assert_int_equal(number_of(p), i);
                assert_int_equal(p->at_ns, (i + 2) * NS_PER_MS);
                assert_int_equal(p->marked, i == 2);
        }
        send_one(l, 5, PACKET, 10 * NS_PER_MS);
        assert_int_equal(link_take(l, CLOCK_NEVER - 1)->at_ns, 12 * NS_PER_MS);
        assert_int_equal(link_life_ns(&conf, PACKET), 5 * NS_PER_MS);
        link_destroy(l);
}

static void test_overhead_takes_the_line(void **state)
{
        struct link_conf conf = {.rate = 1000000, .overhead = 500};
        struct link     *l    = link_create(&conf, PACKET, 1);

        (void)state;
        send_one(l, 0, 500, 0);
        assert_int_equal(link_due_ns(l), NS_PER_MS);
        link_destroy(l);
}

static void test_cuts(void **state)
{
        struct link_conf conf = {.delay_ns = NS_PER_S};
        struct link     *l    = link_create(&conf, PACKET, 1);

        (void)state;
        link_cut(l, 10, 20);
        link_cut(l, 15, 30);
        for (uint32_t t = 9; t <= 30; t++)
                send_one(l, t, 10, t);
        assert_int_equal(link_stats(l).cut, 20);
        assert_int_equal(number_of(link_take(l, CLOCK_NEVER - 1)), 9);
        assert_int_equal(number_of(link_take(l, CLOCK_NEVER - 1)), 30);
        link_destroy(l);
}

static void send_many(struct link *l, int64_t apart_ns)
{
        for (uint32_t i = 0; i < MANY; i++)
                send_one(l, i, 20, i * apart_ns);
}

/* Jitter keeps the order; what is late breaks it, and by no more than it may. */
static void test_order(void **state)
{
        (void)state;
        for (uint32_t ppm = 0; ppm <= 10000; ppm += 10000) {
                struct link_conf conf = {
                        .delay_ns = 1000, .jitter_ns = 5000, .late_ppm = ppm, .late_ns = 50000};
                struct link              *l    = link_create(&conf, SMALL, 3);
                uint32_t                  late = 0, next = 0;
                const struct link_packet *p;

                send_many(l, 100);
                while ((p = link_take(l, CLOCK_NEVER - 1)) != NULL) {
                        int64_t took_ns = p->at_ns - number_of(p) * 100;

                        assert_true(took_ns >= 1000 && took_ns <= link_life_ns(&conf, SMALL));
                        late += number_of(p) < next;
                        next = number_of(p) > next ? number_of(p) : next;
                }
                assert_int_equal(link_stats(l).arrived, MANY);
                assert_true(ppm == 0 ? late == 0 : late > 500 && late < 1100);
                link_destroy(l);
        }
}

static void test_shares(void **state)
{
        struct link_conf  conf = {.loss_ppm = 20000, .dup_ppm = 50000, .alter_ppm = 10000};
        struct link      *l    = link_create(&conf, SMALL, 5);
        struct link_stats s;

        (void)state;
        send_many(l, 1);
        s = link_stats(l);
        assert_in_range(s.lost, 1800, 2200);
        assert_in_range(s.doubled, 4600, 5200);
        assert_in_range(s.altered, 900, 1200);
        link_destroy(l);
}

/* Bursts of ten on average, one in a thousand begins one; or cut short by their time. */
static void test_bursts(void **state)
{
        struct link_conf conf = {
                .burst_ppm = 1000, .burst_end_ppm = 100000, .burst_loss_ppm = 1000000, .burst_ns = NS_PER_S};
        struct link *l = link_create(&conf, SMALL, 5);

        (void)state;
        send_many(l, 1);
        assert_in_range(link_stats(l).lost, 800, 1200);
        conf.burst_ns = 3;
        link_change(l, &conf);
        send_many(l, 1);
        assert_in_range(link_stats(l).lost, 1000, 1600);
        link_destroy(l);
}

static uint64_t trace(uint64_t seed)
{
        struct link_conf          conf = {.rate      = 100000000,
                                          .queue     = 20000,
                                          .mark      = 10000,
                                          .delay_ns  = NS_PER_MS,
                                          .jitter_ns = NS_PER_MS,
                                          .late_ppm  = 10000,
                                          .late_ns   = NS_PER_MS,
                                          .loss_ppm  = 10000,
                                          .dup_ppm   = 10000,
                                          .alter_ppm = 10000,
                                          .burst_ppm = 100};
        struct link              *l    = link_create(&conf, SMALL, seed);
        uint64_t                  sum  = 0;
        const struct link_packet *p;

        send_many(l, 150);
        while ((p = link_take(l, CLOCK_NEVER - 1)) != NULL)
                sum = sum * 31 + (uint64_t)p->at_ns + p->n + p->marked;
        link_destroy(l);
        return sum;
}

static void test_the_seed_decides(void **state)
{
        (void)state;
        assert_true(trace(1) == trace(1));
        assert_true(trace(1) != trace(2));
}

static void test_alter_stays_inside(void **state)
{
        uint64_t random = 1;

        (void)state;
        for (int i = 0; i < 100000; i++) {
                uint8_t *bytes = malloc(PACKET);
                size_t   n     = random_below(&random, PACKET + 1);

                memset(bytes, 0, PACKET);
                link_alter(&random, bytes, &n, PACKET);
                assert_true(n <= PACKET);
                free(bytes);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_delay),
                cmocka_unit_test(test_rate_queue_and_marks),
                cmocka_unit_test(test_overhead_takes_the_line),
                cmocka_unit_test(test_cuts),
                cmocka_unit_test(test_order),
                cmocka_unit_test(test_shares),
                cmocka_unit_test(test_bursts),
                cmocka_unit_test(test_the_seed_decides),
                cmocka_unit_test(test_alter_stays_inside),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
