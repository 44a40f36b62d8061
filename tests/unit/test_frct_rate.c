/*
 * test_frct_rate.c - delivery rate samples: the cases of the draft (draft-ietf-ccwg-bbr, 4.1; draft-cheng-
 * iccrg-delivery-rate-estimation, 2) with numbers worked out by hand, and a long random flight against a
 * model that remembers everything.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "frct/rate.h"

#include "random.h"

#define P  UINT64_C(1000)
#define MS NS_PER_MS
#define N  64

/* A sender: packets by number, sent and acknowledged in any order. */
struct rig {
        struct rate        r;
        struct rate_sample s;
        struct rate_mark   mark[N];
        int64_t            tx_ns[N];
        uint64_t           in_flight;
};

static void send_at(struct rig *g, unsigned i, int64_t ms)
{
        rate_sent(&g->r, &g->mark[i], P, g->in_flight, ms * MS);
        g->tx_ns[i] = ms * MS;
        g->in_flight += P;
}

static void lose(struct rig *g, unsigned n)
{
        g->r.lost += n * P;
        g->in_flight -= n * P;
}

/* One acknowledgement of the packets @from to @to - 1. */
static void ack_at(struct rig *g, unsigned from, unsigned to, int64_t min_rtt_ms, int64_t ms)
{
        rate_begin(&g->s);
        for (unsigned i = from; i < to; i++) {
                rate_acked(&g->r, &g->s, &g->mark[i], P, g->tx_ns[i], ms * MS);
                g->in_flight -= P;
        }
        rate_end(&g->r, &g->s, min_rtt_ms * MS);
}

static void test_steady(void **state)
{
        struct rig g = {0};

        (void)state;
        for (unsigned i = 0; i < 10; i++)
                send_at(&g, i, 100 + i);
        for (unsigned i = 0; i < 10; i++)
                ack_at(&g, i, i + 1, 50, 150 + i);
        /* All were sent with nothing delivered, at 100 ms: ten packets by 159 ms. */
        assert_int_equal(g.s.prior_delivered, 0);
        assert_int_equal(g.s.delivered, 10 * P);
        assert_int_equal(g.s.interval_ns, 59 * MS);
        assert_int_equal(g.s.rate, 10 * P * 1000 / 59);
        assert_int_equal(g.s.tx_in_flight, 10 * P);
        assert_int_equal(g.s.lost, 0);
        assert_false(g.s.app_limited);
        g.in_flight = P; /* something else is out: the flight goes on */
        send_at(&g, 10, 160);
        ack_at(&g, 10, 11, 50, 210);
        assert_int_equal(g.s.prior_delivered, 10 * P);
        assert_int_equal(g.s.delivered, P);
        assert_int_equal(g.s.interval_ns,
                         51 * MS); /* sent 51 ms after the one acknowledged last; 159 to 210 */
        assert_int_equal(g.s.rate, P * 1000 / 51);
}

/* A full pipe: one packet each millisecond, one acknowledgement each, 20 in flight. */
static void test_full_pipe(void **state)
{
        struct rig g = {0};

        (void)state;
        for (unsigned i = 0; i < 20; i++)
                send_at(&g, i, i);
        for (unsigned i = 0; i < 40; i++) {
                ack_at(&g, i, i + 1, 20, 20 + i);
                send_at(&g, i + 20, 20 + i);
        }
        assert_int_equal(g.s.interval_ns, 20 * MS);
        assert_int_equal(g.s.rate, P * 1000); /* a packet a millisecond */
}

/*
 * Acknowledgements that a queue on the way back has pressed together say nothing of the rate: sending took
 * longer.
 */
static void test_ack_compression(void **state)
{
        struct rig g = {0};

        (void)state;
        send_at(&g, 0, 0);
        ack_at(&g, 0, 1, 10, 10); /* delivered at 10 ms, and its sending at 0 ends a flight */
        g.in_flight = P;
        for (unsigned i = 1; i <= 20; i++)
                send_at(&g, i, 10 + i);
        for (unsigned i = 1; i <= 10; i++)
                ack_at(&g, i, i + 1, 10, 40); /* all at once */
        assert_int_equal(g.s.delivered, 10 * P);
        assert_int_equal(g.s.interval_ns, 30 * MS); /* 10 to 40 */
        for (unsigned i = 21; i <= 30; i++)
                send_at(&g, i, 30 + i); /* 51 to 60 ms, behind packet 10 (20 ms) */
        for (unsigned i = 11; i <= 20; i++)
                ack_at(&g, i, i + 1, 10, 60);
        ack_at(&g, 21, 31, 1, 61);
        /*
         * Ten packets in one acknowledgement, 1 ms after the one before, which they did not know of when
         * sent.
         */
        assert_int_equal(g.s.prior_delivered, 11 * P);
        assert_int_equal(g.s.delivered, 20 * P);
        assert_int_equal(g.s.interval_ns, 40 * MS); /* sending: 20 to 60; acknowledging: 40 to 61 */
        assert_int_equal(g.s.rate, 20 * P * 1000 / 40);
}

/* Sent in a burst: acknowledging takes longer, and tells the bottleneck. */
static void test_send_burst(void **state)
{
        struct rig g = {0};

        (void)state;
        for (unsigned i = 0; i < 10; i++)
                send_at(&g, i, 0);
        for (unsigned i = 0; i < 10; i++)
                ack_at(&g, i, i + 1, 10, 10 + i * 2);
        assert_int_equal(g.s.interval_ns, 28 * MS);
        assert_int_equal(g.s.rate, 10 * P * 1000 / 28);
}

static void test_app_limited_bubble(void **state)
{
        struct rig g = {0};

        (void)state;
        for (unsigned i = 0; i < 4; i++)
                send_at(&g, i, i);
        rate_app_limited(&g.r, g.in_flight); /* the bubble follows packet 3 */
        assert_int_equal(g.r.app_limited, 4 * P);
        send_at(&g, 4, 8);
        ack_at(&g, 0, 1, 10, 10);
        assert_false(g.s.app_limited); /* sent before */
        ack_at(&g, 1, 4, 10, 13);
        assert_int_equal(g.r.app_limited, 4 * P); /* all before the bubble, nothing behind it */
        send_at(&g, 5, 14);
        ack_at(&g, 4, 5, 10, 18);
        assert_true(g.s.app_limited);
        assert_int_equal(g.r.app_limited, 0); /* it has passed */
        send_at(&g, 6, 19);
        ack_at(&g, 5, 6, 10, 24);
        assert_true(g.s.app_limited);
        ack_at(&g, 6, 7, 10, 29);
        assert_false(g.s.app_limited);
}

/* Nothing delivered and nothing out is app-limited too. */
static void test_app_limited_from_the_start(void **state)
{
        struct rig g = {0};

        (void)state;
        rate_app_limited(&g.r, 0);
        assert_int_equal(g.r.app_limited, 1);
        send_at(&g, 0, 5);
        assert_true(g.mark[0].app_limited);
        ack_at(&g, 0, 1, 10, 15);
        assert_true(g.s.app_limited);
        assert_int_equal(g.r.app_limited, 0);
}

/* The sample is of the packet's last transmission: its marks were made anew. */
static void test_retransmission(void **state)
{
        struct rig g = {0};

        (void)state;
        for (unsigned i = 0; i < 8; i++)
                send_at(&g, i, i);
        ack_at(&g, 1, 8, 10, 17);
        lose(&g, 1);
        g.in_flight = P; /* something else is out */
        send_at(&g, 0, 18);
        assert_int_equal(g.mark[0].lost, P);
        ack_at(&g, 0, 1, 10, 28);
        assert_int_equal(g.s.prior_delivered, 7 * P);
        assert_int_equal(g.s.delivered, P);
        assert_int_equal(g.s.interval_ns, 11 * MS); /* 17 to 28; sending: 7 to 18 */
        assert_int_equal(g.s.lost, 0);
        assert_int_equal(g.s.tx_in_flight, 2 * P);
}

/*
 * One acknowledgement fills the hole and reaches further: the packet sent last counts, in whatever order
 * they are told.
 */
static void test_newest_counts(void **state)
{
        struct rig g = {0}, h;

        (void)state;
        for (unsigned i = 0; i < 8; i++)
                send_at(&g, i, i);
        ack_at(&g, 1, 4, 10, 13);
        send_at(&g, 0, 14); /* again */
        h = g;
        rate_begin(&g.s);
        rate_acked(&g.r, &g.s, &g.mark[0], P, g.tx_ns[0], 24 * MS);
        rate_acked(&g.r, &g.s, &g.mark[7], P, g.tx_ns[7], 24 * MS);
        rate_end(&g.r, &g.s, 10 * MS);
        rate_begin(&h.s);
        rate_acked(&h.r, &h.s, &h.mark[7], P, h.tx_ns[7], 24 * MS);
        rate_acked(&h.r, &h.s, &h.mark[0], P, h.tx_ns[0], 24 * MS);
        rate_end(&h.r, &h.s, 10 * MS);
        assert_int_equal(g.s.prior_delivered, 3 * P);
        assert_int_equal(g.s.delivered, 2 * P);
        assert_int_equal(g.s.interval_ns, 11 * MS);
        assert_int_equal(g.r.first_ns, 14 * MS);
        assert_memory_equal(&g.r, &h.r, sizeof(g.r));
        assert_int_equal(g.s.rate, h.s.rate);
        assert_int_equal(g.s.prior_delivered, h.s.prior_delivered);
}

static void test_losses_of_a_sample(void **state)
{
        struct rig g = {0};

        (void)state;
        send_at(&g, 0, 0);
        for (unsigned i = 1; i < 10; i++)
                send_at(&g, i, i);
        lose(&g, 3);
        ack_at(&g, 9, 10, 10, 19);
        assert_int_equal(g.s.lost, 3 * P);
        assert_int_equal(g.s.tx_in_flight, 10 * P);
}

/* A shorter interval than any round trip cannot be: the rate is not believed, the rest is told. */
static void test_too_short(void **state)
{
        struct rig g = {0};

        (void)state;
        send_at(&g, 0, 0);
        send_at(&g, 1, 1);
        ack_at(&g, 0, 2, 10, 9);
        assert_int_equal(g.s.rate, 0);
        assert_int_equal(g.s.interval_ns, 0);
        assert_int_equal(g.s.delivered, 2 * P);
        assert_int_equal(g.r.delivered, 2 * P);
        send_at(&g, 2, 10);
        ack_at(&g, 2, 3, 10, 20); /* just long enough */
        assert_int_equal(g.s.rate, P * 100);
        send_at(&g, 3, 20);
        ack_at(&g, 3, 4, 0, 20); /* no time at all */
        assert_int_equal(g.s.rate, 0);
}

static void test_nothing_new(void **state)
{
        struct rig g = {0};

        (void)state;
        send_at(&g, 0, 0);
        ack_at(&g, 0, 0, 10, 20);
        assert_int_equal(g.s.rate, 0);
        assert_int_equal(g.s.delivered, 0);
        assert_int_equal(g.r.delivered, 0);
}

/* After silence the flight begins anew: an hour of it does not make the path slow. */
static void test_idle(void **state)
{
        struct rig g = {0};

        (void)state;
        send_at(&g, 0, 0);
        ack_at(&g, 0, 1, 10, 10);
        send_at(&g, 1, 3600000);
        send_at(&g, 2, 3600000);
        ack_at(&g, 1, 3, 10, 3600010);
        assert_int_equal(g.s.interval_ns, 10 * MS);
        assert_int_equal(g.s.rate, 2 * P * 100);
}

/* As fast as can be, for as long as a sample can be: the product does not fit. */
static void test_large(void **state)
{
        struct rate        r = {.delivered = UINT64_C(1) << 60};
        struct rate_sample s;
        struct rate_mark   m;
        double             want;

        (void)state;
        rate_sent(&r, &m, 1, 0, 0);
        rate_begin(&s);
        rate_acked(&r, &s, &m, UINT64_C(40000000000), 0, 2 * NS_PER_S);
        rate_end(&r, &s, 0);
        want = 2e10;
        assert_true(fabs((double)s.rate - want) < want / 1000);
}

/* -- a model ------------------------------------------------------------------ */

/* What a sample should be, from the whole history: when each packet left and what had been delivered then. */
struct past {
        int64_t  tx_ns, first_ns, delivered_ns;
        uint64_t delivered;
};

static void test_random_flight(void **state)
{
        static struct rate_mark mark[20000];
        static struct past      past[20000];
        struct rate             r   = {0};
        uint64_t                rng = 4, in_flight = 0, delivered = 0;
        unsigned                base = 0, next = 0;
        int64_t                 now = NS_PER_S, last_tx = 0, last_ack = 0;

        (void)state;
        while (next < 20000) {
                struct rate_sample s;
                unsigned           n = (unsigned)random_below(&rng, 5);

                for (; n > 0 && next < 20000; n--, next++) {
                        now += (int64_t)random_below(&rng, 100000);
                        if (in_flight == 0)
                                last_tx = last_ack = now;
                        past[next] = (struct past){now, last_tx, last_ack, delivered};
                        rate_sent(&r, &mark[next], P, in_flight, now);
                        in_flight += P;
                }
                n = (unsigned)random_below(&rng, 5);
                n = n > next - base ? next - base : n;
                now += (int64_t)random_below(&rng, 400000);
                rate_begin(&s);
                for (unsigned i = 0; i < n; i++, in_flight -= P)
                        rate_acked(&r, &s, &mark[base + i], P, past[base + i].tx_ns, now);
                rate_end(&r, &s, 0);
                base += n;
                delivered += n * P;
                if (n > 0) {
                        const struct past *l    = &past[base - 1];
                        int64_t            send = l->tx_ns - l->first_ns, ack = now - l->delivered_ns;
                        double             ns   = (double)(send > ack ? send : ack);
                        double             want = ns > 0 ? (double)(delivered - l->delivered) * 1e9 / ns : 0;

                        assert_true(fabs((double)s.rate - want) <= 1);
                        last_tx  = l->tx_ns;
                        last_ack = now;
                }
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_steady),
                cmocka_unit_test(test_full_pipe),
                cmocka_unit_test(test_ack_compression),
                cmocka_unit_test(test_send_burst),
                cmocka_unit_test(test_app_limited_bubble),
                cmocka_unit_test(test_app_limited_from_the_start),
                cmocka_unit_test(test_retransmission),
                cmocka_unit_test(test_newest_counts),
                cmocka_unit_test(test_losses_of_a_sample),
                cmocka_unit_test(test_too_short),
                cmocka_unit_test(test_nothing_new),
                cmocka_unit_test(test_idle),
                cmocka_unit_test(test_large),
                cmocka_unit_test(test_random_flight),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
