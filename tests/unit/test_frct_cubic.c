/*
 * test_frct_cubic.c - CUBIC and HyStart++ against their formulas, computed here in floating point, and what
 * all controllers share.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "frct/cc.h"

#include "random.h"

#define P    UINT64_C(1000) /* bytes of a packet */
#define MS   NS_PER_MS
#define YEAR (INT64_C(365) * 86400 * NS_PER_S)

/* -- a connection whose packets all arrive ----------------------------------- */

struct rig {
        struct cc  c;
        struct rtt r;
        int64_t    now;
        uint64_t   base;
        bool       recovering;
        bool       idle; /* the application has little to send */
};

static void rig_init(struct rig *g, int64_t rtt_ns)
{
        *g = (struct rig){.now = 7 * NS_PER_S, .base = 1000};
        if (rtt_ns > 0)
                g->r = (struct rtt){
                        .sampled = true, .latest_ns = rtt_ns, .srtt_ns = rtt_ns, .min_ns = rtt_ns};
        cc_init(&g->c, CC_CUBIC, P, 1, g->now);
}

/*
 * @packets arrived, the first of a full window (or of a fifth of one). @rtt_ns: the sample that HyStart++
 * sees.
 */
static void ack(struct rig *g, uint64_t packets, int64_t rtt_ns)
{
        uint64_t      flight = g->idle ? g->c.cwnd / 5 : g->c.cwnd;
        struct cc_ack a      = {
                     .now_ns          = g->now,
                     .acked           = packets * g->c.packet,
                     .packets         = packets,
                     .prior_in_flight = flight,
                     .in_flight       = flight - packets * g->c.packet,
                     .rtt_ns          = rtt_ns,
                     .base            = g->base + packets,
                     .next            = g->base + flight / g->c.packet,
                     .recovering      = g->recovering,
                     .cwnd_limited    = !g->idle,
        };

        g->base += packets;
        g->c.ops->acked(&g->c, &a, &g->r);
}

/* The time that @packets take when a window takes a round trip. */
static void pass(struct rig *g, uint64_t packets)
{
        g->now += (int64_t)((double)g->r.srtt_ns * (double)(packets * g->c.packet) / (double)g->c.cwnd);
}

static void run(struct rig *g, int64_t ns)
{
        int64_t end = g->now + ns;

        while (g->now < end) {
                uint64_t n = g->c.cwnd / g->c.packet / 8;

                n = n < 1 ? 1 : n > 8 ? 8 : n;
                pass(g, n);
                ack(g, n, g->r.srtt_ns);
        }
}

static void lose(struct rig *g)
{
        struct cc_loss l = {.now_ns = g->now, .begins = true, .bytes = P, .in_flight = g->c.cwnd - P};

        g->recovering = true;
        g->c.ops->lost(&g->c, &l);
}

static void recover(struct rig *g)
{
        g->recovering = false;
        g->c.ops->recovered(&g->c, g->c.cwnd, g->now);
}

static void mark(struct rig *g)
{
        g->c.ops->marked(&g->c, 1, g->c.cwnd, g->now, g->base + g->c.cwnd / P);
}

static void time_out(struct rig *g)
{
        g->c.ops->timeout(&g->c, 0, g->now);
}

/* In congestion avoidance after a loss in a window of @packets. */
static void rig_after_loss(struct rig *g, uint64_t packets, int64_t rtt_ns)
{
        rig_init(g, rtt_ns);
        g->c.cwnd = packets * g->c.packet;
        lose(g);
        recover(g);
}

/* -- what all share ---------------------------------------------------------- */

static void test_kinds(void **state)
{
        struct cc c;

        (void)state;
        assert_int_equal(cc_by_name("none"), CC_NONE);
        assert_int_equal(cc_by_name("cubic"), CC_CUBIC);
        assert_int_equal(cc_by_name("bbr"), CC_BBR);
        assert_int_equal(cc_by_name(""), CC_N);
        assert_int_equal(cc_by_name("reno"), CC_N);
        for (unsigned kind = 0; kind < CC_N; kind++) {
                cc_init(&c, (enum cc_kind)kind, 1500, 5, 1);
                assert_int_equal(cc_by_name(c.ops->name), kind);
                assert_int_equal(c.packet, 1500);
        }
        cc_init(&c, CC_CUBIC, 1500, 5, 1);
        assert_int_equal(c.cwnd, 15000);
        assert_int_equal(c.pacing_rate, 0);
}

static void test_none_never_limits(void **state)
{
        struct rig g;

        (void)state;
        rig_init(&g, 50 * MS);
        cc_init(&g.c, CC_NONE, P, 1, g.now);
        g.c.ops->sent(&g.c, P, 0, true, g.now);
        ack(&g, 1, MS);
        lose(&g);
        mark(&g);
        time_out(&g);
        recover(&g);
        g.c.ops->undo(&g.c, g.now);
        assert_true(g.c.cwnd > UINT64_MAX / 4);
        assert_int_equal(g.c.pacing_rate, 0);
}

/* -- slow start -------------------------------------------------------------- */

static void test_slow_start_counts_bytes(void **state)
{
        struct rig g;

        (void)state;
        rig_init(&g, 0); /* no RTT: not paced */
        ack(&g, 2, 0);
        assert_int_equal(g.c.cwnd, 12 * P);
        ack(&g, 9, 0);
        assert_int_equal(g.c.cwnd, 20 * P); /* L = 8 */
        g.r = (struct rtt){.sampled = true, .srtt_ns = 100 * MS};
        ack(&g, 1, 0);
        assert_int_equal(g.c.cwnd, 21 * P);
        ack(&g, 20, 0);
        assert_int_equal(g.c.cwnd, 41 * P); /* paced by now: no limit */
}

static void test_slow_start_needs_use(void **state)
{
        struct rig g;

        (void)state;
        rig_init(&g, 100 * MS);
        g.idle = true;
        ack(&g, 1, 0);
        assert_int_equal(g.c.cwnd, 10 * P);
}

static void test_pacing(void **state)
{
        struct rig g;

        (void)state;
        rig_init(&g, 100 * MS);
        ack(&g, 2, 0);
        assert_int_equal(g.c.pacing_rate, 2 * 12 * P * 10);
        assert_int_equal(g.c.burst, 2 * P);
        g.c.cwnd = 1000 * P;
        lose(&g);
        assert_int_equal(g.c.pacing_rate, 700 * P * 10 * 5 / 4);
        assert_int_equal(g.c.burst, 700 * P * 10 * 5 / 4 / 1024);
        g.c.cwnd = 100000 * P;
        lose(&g);
        assert_int_equal(g.c.burst, 64 << 10);
}

/* The rate lags by no more than 1/64 of the window and of the round-trip time. */
static void test_pacing_follows(void **state)
{
        struct rig g;

        (void)state;
        rig_after_loss(&g, 500, 50 * MS);
        for (int i = 0; i < 2000; i++) {
                double want;

                g.r.srtt_ns += i < 1000 ? 30000 : -40000;
                pass(&g, 2);
                ack(&g, 2, 0);
                want = 1.25 * (double)g.c.cwnd * 1e9 / (double)g.r.srtt_ns;
                assert_true(fabs((double)g.c.pacing_rate - want) <= want * 0.035);
        }
}

/* -- HyStart++ ---------------------------------------------------------------- */

/* Acknowledges the rest of the round, packet by packet. */
static void finish_round(struct rig *g, int64_t rtt_ns)
{
        uint64_t end = g->c.cubic.hystart.round_end;

        while (g->base < end)
                ack(g, 1, rtt_ns);
}

static void a_round(struct rig *g, int64_t rtt_ns)
{
        ack(g, 1, rtt_ns);
        finish_round(g, rtt_ns);
}

static void test_hystart_threshold(void **state)
{
        static const struct {
                int64_t rtt_us, rise_us;
        } cases[] = {
                {1000, 4000},    {10000, 4000},   {32000, 4000},   {40000, 5000},
                {100000, 12500}, {128000, 16000}, {500000, 16000},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct rig g;

                for (int64_t less = 0; less <= 1; less++) {
                        rig_init(&g, 100 * MS);
                        a_round(&g, cases[i].rtt_us * 1000);
                        for (int n = 0; n < 7; n++)
                                ack(&g, 1, (cases[i].rtt_us + cases[i].rise_us) * 1000 - less);
                        assert_int_equal(g.c.cubic.hystart.phase, HYSTART_FAST);
                        ack(&g, 1, (cases[i].rtt_us + cases[i].rise_us) * 1000 - less);
                        assert_int_equal(g.c.cubic.hystart.phase, less > 0 ? HYSTART_FAST : HYSTART_CAREFUL);
                }
        }
}

/* The least sample of a round counts: a single early one hides a queue. */
static void test_hystart_takes_the_least(void **state)
{
        struct rig g;

        (void)state;
        rig_init(&g, 100 * MS);
        a_round(&g, 100 * MS);
        ack(&g, 1, 110 * MS);
        a_round(&g, 150 * MS);
        assert_int_equal(g.c.cubic.hystart.phase, HYSTART_FAST);
        assert_int_equal(g.c.cwnd - 10 * P, (g.base - 1000) * P); /* all of it at full speed */
}

/* Seven samples are too few, and an acknowledgement without one is none. */
static void test_hystart_needs_samples(void **state)
{
        struct rig g;

        (void)state;
        rig_init(&g, 100 * MS);
        a_round(&g, 100 * MS);
        for (int i = 0; i < 7; i++)
                ack(&g, 1, 150 * MS);
        ack(&g, 1, 0);
        ack(&g, 1, 0);
        assert_int_equal(g.c.cubic.hystart.phase, HYSTART_FAST);
}

static void enter_css(struct rig *g)
{
        rig_init(g, 100 * MS);
        a_round(g, 100 * MS);
        a_round(g, 100 * MS);
        for (int i = 0; i < 8; i++)
                ack(g, 1, 120 * MS);
        assert_int_equal(g->c.cubic.hystart.phase, HYSTART_CAREFUL);
}

static void test_hystart_five_careful_rounds(void **state)
{
        struct rig g;
        uint64_t   cwnd, packets;

        (void)state;
        enter_css(&g);
        cwnd    = g.c.cwnd;
        packets = g.base;
        finish_round(&g, 121 * MS); /* what is left of this round is the first */
        for (int i = 0; i < 3; i++) {
                a_round(&g, 121 * MS);
                assert_int_equal(g.c.cubic.hystart.phase, HYSTART_CAREFUL);
        }
        assert_int_equal(g.c.cwnd, cwnd + (g.base - packets) * P / 4);
        assert_true(g.c.cubic.ssthresh == UINT64_MAX);
        a_round(&g, 121 * MS);
        assert_int_equal(g.c.cubic.hystart.phase, HYSTART_OVER);
        assert_int_equal(g.c.cubic.ssthresh, g.c.cwnd);
        cwnd = g.c.cwnd;
        assert_int_equal(g.c.pacing_rate, cwnd * 10 * 5 / 4);
        ack(&g, 1, 121 * MS); /* congestion avoidance from here, on a curve without K */
        assert_int_equal(g.c.cubic.curve.k, 0);
        assert_int_equal(g.c.cubic.curve.w_max, cwnd);
        assert_true(g.c.cwnd < cwnd + P / 10);
}

static void test_hystart_resumes(void **state)
{
        struct rig g;
        uint64_t   cwnd;

        (void)state;
        enter_css(&g);
        finish_round(&g, 120 * MS);
        for (int i = 0; i < 7; i++)
                ack(&g, 1, 119 * MS);
        cwnd = g.c.cwnd;
        ack(&g, 1, 119 * MS);
        assert_int_equal(g.c.cubic.hystart.phase, HYSTART_FAST);
        ack(&g, 4, 119 * MS);
        assert_int_equal(g.c.cwnd, cwnd + 5 * P);
}

/* Careful rounds before a resumption do not count. */
static void test_hystart_counts_anew(void **state)
{
        struct rig g;

        (void)state;
        enter_css(&g);
        finish_round(&g, 120 * MS);
        a_round(&g, 120 * MS);
        a_round(&g, 120 * MS);
        a_round(&g, 100 * MS);
        assert_int_equal(g.c.cubic.hystart.phase, HYSTART_FAST);
        for (int i = 0; i < 5; i++) {
                a_round(&g, 120 * MS);
                assert_int_equal(g.c.cubic.hystart.phase, i < 4 ? HYSTART_CAREFUL : HYSTART_OVER);
        }
}

static void test_hystart_is_for_the_first(void **state)
{
        struct rig g;

        (void)state;
        enter_css(&g);
        g.c.cwnd = 100 * P;
        time_out(&g);
        ack(&g, 1, 120 * MS);
        ack(&g, 2, 120 * MS);
        assert_int_equal(g.c.cwnd, 4 * P); /* not a quarter */
}

/* -- the curve ---------------------------------------------------------------- */

/* RFC 9438, figures 1 to 4, in packets and seconds. */
static double cubic_k(double w_max, double cwnd)
{
        return cbrt((w_max - cwnd) / 0.4);
}

static double cubic_w(double t, double k, double w_max)
{
        return 0.4 * pow(t - k, 3) + w_max;
}

/* One window of acknowledgements a round trip: alpha packets each, one when it has reached @prior. */
static double reno_w(double t, double rtt, double start, double prior)
{
        double alpha = 3 * (1 - 0.7) / (1 + 0.7);
        double t1    = (prior - start) / alpha * rtt;

        return t < t1 ? start + alpha * t / rtt : prior + (t - t1) / rtt;
}

static void follow_curve(uint64_t packet, uint64_t packets, int64_t rtt_ns)
{
        struct rig g;
        double     w_max = (double)packets, start, k, rtt = (double)rtt_ns / 1e9;
        int64_t    began;

        rig_init(&g, rtt_ns);
        cc_init(&g.c, CC_CUBIC, packet, 1, g.now);
        g.c.cwnd = packets * packet;
        lose(&g);
        recover(&g);
        start = (double)g.c.cwnd / (double)packet;
        assert_true(fabs(start - 0.7 * w_max) < 0.01);
        k     = cubic_k(w_max, start);
        began = g.now;
        while ((double)(g.now - began) / 1e9 < 3 * k + 1) {
                double t, w, reno, cwnd;

                run(&g, rtt_ns);
                t    = (double)(g.now - began) / 1e9;
                w    = cubic_w(t, k, w_max);
                reno = reno_w(t, rtt, start, w_max);
                cwnd = (double)g.c.cwnd / (double)packet;
                w    = w > reno ? w : reno;
                assert_true(fabs(cwnd - w) <= (w < 300 ? 1 : w / 300));
        }
}

static void test_curve(void **state)
{
        (void)state;
        follow_curve(1000, 1000, 100 * MS);
        follow_curve(1000, 200, 20 * MS);
        follow_curve(1000, 20000, 50 * MS);
        follow_curve(9000, 3000, 10 * MS);
        follow_curve(200, 1000, 200 * MS);
        follow_curve(65535, 40, 100 * MS);
}

/* Short round trips and small windows: Reno is faster all the way. */
static void test_curve_reno_friendly(void **state)
{
        (void)state;
        follow_curve(1000, 10, 10 * MS);
        follow_curve(1000, 20, 5 * MS);
        follow_curve(65535, 10, 1 * MS);
        follow_curve(100, 10, 2 * MS);
}

static void test_k(void **state)
{
        uint64_t random = 3;

        (void)state;
        for (int i = 0; i < 20000; i++) {
                struct rig g;
                uint64_t   packet  = 64 + random_below(&random, 65536);
                uint64_t   packets = 4 + random_below(&random, UINT64_C(1) << random_below(&random, 17));
                double     start, k;

                rig_init(&g, 100 * MS);
                cc_init(&g.c, CC_CUBIC, packet, 1, g.now);
                g.c.cwnd = packets * packet;
                lose(&g);
                recover(&g);
                start = (double)g.c.cwnd / (double)packet;
                ack(&g, 1, 0);
                k = cubic_k((double)packets, start) * 1e9 / 65536;
                assert_true(fabs((double)g.c.cubic.curve.k - k) <= 1 + k / 1000);
        }
}

static void test_rests_while_recovering(void **state)
{
        struct rig g;

        (void)state;
        rig_init(&g, 100 * MS);
        g.c.cwnd = 1000 * P;
        lose(&g);
        assert_int_equal(g.c.cwnd, 700 * P);
        assert_int_equal(g.c.cubic.ssthresh, 700 * P);
        run(&g, 500 * MS);
        g.c.ops->lost(&g.c, &(struct cc_loss){.now_ns = g.now, .bytes = 5 * P}); /* of the same event */
        run(&g, 500 * MS);
        assert_int_equal(g.c.cwnd, 700 * P);
        recover(&g);
        run(&g, 500 * MS);
        assert_true(g.c.cwnd > 705 * P);
}

/* A window is gone through in 32 steps. */
static void test_grows_in_steps(void **state)
{
        struct rig g;

        (void)state;
        rig_after_loss(&g, 1000, 100 * MS);
        for (int i = 0; i < 21; i++)
                ack(&g, 1, 0);
        assert_int_equal(g.c.cwnd, 700 * P);
        ack(&g, 1, 0);
        assert_true(g.c.cwnd > 700 * P);
}

static void test_window_has_a_floor(void **state)
{
        struct rig g;

        (void)state;
        rig_init(&g, 100 * MS);
        for (int i = 0; i < 10; i++) {
                lose(&g);
                recover(&g);
        }
        assert_int_equal(g.c.cwnd, 2 * P);
        assert_int_equal(g.c.cubic.ssthresh, 2 * P);
        time_out(&g);
        recover(&g);
        lose(&g);
        ack(&g, 1, 0);
        assert_int_equal(g.c.cwnd, P); /* rests below it as well */
}

static void test_fast_convergence(void **state)
{
        struct rig g;
        int64_t    began;
        double     k;

        (void)state;
        rig_after_loss(&g, 1000, 100 * MS);
        assert_int_equal(g.c.cubic.curve.w_max, 1000 * P);
        g.c.cwnd = 800 * P; /* less than the maximum: flat at 800 (1 + 0.7) / 2 = 680 */
        lose(&g);
        recover(&g);
        assert_int_equal(g.c.cwnd, 560 * P);
        assert_int_equal(g.c.cubic.curve.w_max, 680 * P);
        k     = cubic_k(680, 560);
        began = g.now;
        run(&g, (int64_t)(k * 1e9));
        assert_true(fabs((double)g.c.cwnd / (double)P - 680) < 2);
        run(&g, 2 * NS_PER_S);
        assert_true(fabs((double)g.c.cwnd / (double)P - cubic_w((double)(g.now - began) / 1e9, k, 680)) < 2);
        g.c.cwnd = 900 * P; /* more than the maximum */
        lose(&g);
        assert_int_equal(g.c.cubic.curve.w_max, 900 * P);
}

/* -- time and use -------------------------------------------------------------- */

static void test_little_to_send_does_not_grow(void **state)
{
        struct rig g, twin;
        uint64_t   cwnd;

        (void)state;
        rig_after_loss(&g, 1000, 100 * MS);
        run(&g, 3 * NS_PER_S);
        twin   = g;
        cwnd   = g.c.cwnd;
        g.idle = true;
        for (int i = 0; i < 1000; i++) {
                g.now += 100 * MS;
                ack(&g, 10, 0);
        }
        assert_int_equal(g.c.cwnd, cwnd);
        g.idle = false;
        run(&g, 10 * NS_PER_S); /* goes on where it was, not 100 s later */
        run(&twin, 10 * NS_PER_S);
        assert_int_equal(g.c.cwnd, twin.c.cwnd);
}

static void test_paced_counts_as_used(void **state)
{
        struct rig    g;
        struct cc_ack a = {.acked = 100 * P, .cwnd_limited = false, .base = 1};

        (void)state;
        rig_after_loss(&g, 1000, 100 * MS);
        run(&g, 100 * MS);
        a.now_ns          = g.now;
        a.prior_in_flight = g.c.cwnd * 6 / 8;
        for (uint64_t cwnd = g.c.cwnd, i = 0; i < 2; i++) {
                g.c.ops->acked(&g.c, &a, &g.r);
                assert_int_equal(g.c.cwnd > cwnd, i == 1);
                a.prior_in_flight = cwnd * 15 / 16;
        }
}

static void test_short_idleness_is_no_time(void **state)
{
        struct rig g, twin;
        int64_t    rto_ns;

        (void)state;
        rig_after_loss(&g, 1000, 100 * MS);
        run(&g, 3 * NS_PER_S);
        rto_ns = rtt_rto_ns(&g.r, 0);
        g.c.ops->sent(&g.c, P, g.c.cwnd, false, g.now);
        twin = g;
        g.now += rto_ns;
        g.c.ops->sent(&g.c, P, 0, true, g.now);
        assert_int_equal(g.c.cwnd, twin.c.cwnd);
        run(&g, 10 * NS_PER_S);
        run(&twin, 10 * NS_PER_S);
        assert_int_equal(g.c.cwnd, twin.c.cwnd);
}

static void test_long_idleness_takes_the_window(void **state)
{
        static const struct {
                int64_t  rtos;
                uint64_t packets;
        } cases[] = {{0, 1000}, {1, 500}, {2, 250}, {3, 125}, {6, 15}, {7, 10}, {1000000, 10}};

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct rig g;

                rig_init(&g, 100 * MS);
                g.c.cwnd           = 1000 * P;
                g.c.cubic.ssthresh = 200 * P;
                ack(&g, 0, 0);
                g.c.ops->sent(&g.c, P, 0, false, g.now);
                g.now += cases[i].rtos * rtt_rto_ns(&g.r, 0) + 1;
                g.c.ops->sent(&g.c, P, 0, cases[i].rtos > 0, g.now);
                assert_int_equal(g.c.cwnd / P, cases[i].packets);
                assert_int_equal(g.c.cubic.ssthresh / P, cases[i].rtos > 0 ? 750 : 200);
                if (cases[i].rtos == 0)
                        continue;
                assert_int_equal(g.c.pacing_rate, g.c.cwnd * 2 * 10);
                for (uint64_t n = cases[i].packets; n < 750; n++) /* slow start leads back */
                        ack(&g, 1, 0);
                assert_int_equal(g.c.cwnd / P, 750);
                assert_int_equal(g.c.pacing_rate, 750 * P * 10 * 5 / 4);
                ack(&g, 1, 0);
                ack(&g, 100, 0);
                assert_int_equal(g.c.cwnd / P, 750);
                assert_true(fabs((double)g.c.cubic.curve.k * 65536e-9 - cubic_k(1000, 750)) < 0.001);
        }
}

/* -- marks ---------------------------------------------------------------------- */

static void test_mark_once_a_round(void **state)
{
        struct rig g;

        (void)state;
        rig_init(&g, 100 * MS);
        g.c.cwnd = 1000 * P;
        mark(&g); /* its round is of 1000 packets, or what was in flight then */
        assert_int_equal(g.c.cwnd, 850 * P);
        assert_int_equal(g.c.cubic.ssthresh, 850 * P);
        assert_int_equal(g.c.cubic.curve.w_max, 1000 * P);
        mark(&g);
        ack(&g, 999, 0);
        mark(&g);
        assert_true(g.c.cwnd >= 850 * P && g.c.cwnd < 860 * P);
        ack(&g, 1, 0);
        g.c.cwnd = 800 * P;
        mark(&g);
        assert_int_equal(g.c.cwnd, 680 * P);
        assert_int_equal(g.c.cubic.curve.w_max, 740 * P); /* 800 (1 + 0.85) / 2 */
}

static void test_mark_and_loss_are_one(void **state)
{
        struct rig g;

        (void)state;
        rig_init(&g, 100 * MS);
        g.c.cwnd = 1000 * P;
        mark(&g);
        lose(&g);
        assert_int_equal(g.c.cwnd, 700 * P);
        assert_int_equal(g.c.cubic.curve.w_max, 1000 * P);
        mark(&g);
        assert_int_equal(g.c.cwnd, 700 * P);
        recover(&g);
        g.c.ops->undo(&g.c, g.now); /* the loss was none, the mark was one */
        assert_int_equal(g.c.cwnd, 850 * P);
}

static void test_mark_ends_the_first_slow_start(void **state)
{
        struct rig g;

        (void)state;
        rig_init(&g, 100 * MS);
        ack(&g, 5, 0);
        ack(&g, 5, 0);
        mark(&g);
        assert_int_equal(g.c.cwnd, 17 * P);
        ack(&g, 10, 0);
        assert_true(g.c.cwnd < 18 * P);
}

/* -- timeouts ------------------------------------------------------------------- */

static void test_timeout(void **state)
{
        struct rig g;
        uint64_t   cwnd;

        (void)state;
        rig_after_loss(&g, 1000, 100 * MS);
        run(&g, 100 * MS);
        g.c.cwnd     = 1000 * P;
        g.recovering = true;
        time_out(&g);
        assert_int_equal(g.c.cwnd, P);
        assert_int_equal(g.c.cubic.ssthresh, 700 * P);
        assert_int_equal(g.c.pacing_rate, 2 * P * 10);
        time_out(&g); /* again: the threshold stays */
        assert_int_equal(g.c.cubic.ssthresh, 700 * P);
        for (uint64_t n = 1; n < 700; n *= 2) {
                assert_int_equal(g.c.cwnd, n * P);
                ack(&g, n, 100 * MS);
        }
        assert_int_equal(g.c.cwnd, 700 * P); /* and rests there until all is repaired */
        ack(&g, 700, 100 * MS);
        assert_int_equal(g.c.cwnd, 700 * P);
        recover(&g);
        ack(&g, 8, 100 * MS);
        ack(&g, 30, 100 * MS);
        cwnd = g.c.cwnd;
        assert_int_equal(g.c.cubic.curve.k, 0);
        assert_int_equal(g.c.cubic.curve.w_max, 700 * P);
        run(&g, 8 * NS_PER_S);
        assert_true(fabs((double)g.c.cwnd / (double)P - cubic_w(8, 0, 700)) < 9);
        assert_true(g.c.cwnd > cwnd);
}

/* The engine tells of the losses first, and of the timeout then. */
static void test_timeout_with_losses_is_one_event(void **state)
{
        struct rig   g;
        struct cubic before;

        (void)state;
        rig_after_loss(&g, 1000, 100 * MS);
        run(&g, 12 * NS_PER_S);
        g.c.cwnd = 1010 * P;
        before   = g.c.cubic;
        lose(&g);
        time_out(&g);
        assert_int_equal(g.c.cwnd, P);
        assert_int_equal(g.c.cubic.ssthresh, 707 * P);
        time_out(&g);
        ack(&g, 1, 0);
        assert_int_equal(g.c.cwnd, 2 * P);
        g.c.ops->undo(&g.c, g.now);
        assert_int_equal(g.c.cwnd, 1010 * P);
        assert_int_equal(g.c.cubic.ssthresh, before.ssthresh);
        assert_memory_equal(&g.c.cubic.curve, &before.curve, sizeof(before.curve));
}

/* -- undo ------------------------------------------------------------------------ */

static void test_undo_as_if_never(void **state)
{
        struct rig g, twin;

        (void)state;
        rig_after_loss(&g, 1000, 100 * MS);
        run(&g, 4 * NS_PER_S);
        twin = g;
        lose(&g);
        assert_true(g.c.cwnd < twin.c.cwnd);
        g.c.ops->undo(&g.c, g.now);
        g.recovering = false;
        assert_int_equal(g.c.cwnd, twin.c.cwnd);
        assert_int_equal(g.c.pacing_rate, twin.c.cwnd * 10 * 5 / 4);
        run(&g, 8 * NS_PER_S);
        run(&twin, 8 * NS_PER_S);
        assert_int_equal(g.c.cwnd, twin.c.cwnd);
}

static void test_undo_returns_to_slow_start(void **state)
{
        struct rig g;

        (void)state;
        rig_init(&g, 100 * MS);
        ack(&g, 5, 100 * MS);
        ack(&g, 5, 100 * MS);
        lose(&g);
        assert_int_equal(g.c.cwnd, 14 * P);
        recover(&g);
        g.c.ops->undo(&g.c, g.now);
        assert_int_equal(g.c.cwnd, 20 * P);
        ack(&g, 10, 100 * MS);
        assert_int_equal(g.c.cwnd, 30 * P);
}

static void test_undo_once_and_only_forward(void **state)
{
        struct rig g;

        (void)state;
        rig_after_loss(&g, 1000, 100 * MS);
        g.c.ops->undo(&g.c, g.now);
        assert_int_equal(g.c.cwnd, 1000 * P);
        g.c.cwnd = 400 * P;
        g.c.ops->undo(&g.c, g.now); /* nothing is left to undo */
        assert_int_equal(g.c.cwnd, 400 * P);
        lose(&g);
        recover(&g);
        g.c.cwnd = 500 * P; /* it has outgrown what it was */
        g.c.ops->undo(&g.c, g.now);
        assert_int_equal(g.c.cwnd, 500 * P);
        lose(&g);
        recover(&g);
        mark(&g); /* a mark since is no mistake */
        g.c.ops->undo(&g.c, g.now);
        assert_int_equal(g.c.cwnd, 500 * P * 7 / 10 * 85 / 100);
}

/* -- extremes --------------------------------------------------------------------- */

static void test_years(void **state)
{
        struct rig g;

        (void)state;
        rig_init(&g, 100 * MS);
        cc_init(&g.c, CC_CUBIC, 65535, 1, g.now);
        g.c.cwnd = 60000 * g.c.packet;
        lose(&g);
        recover(&g);
        for (int i = 0; i < 280; i++) {
                uint64_t cwnd = g.c.cwnd;

                ack(&g, 20000, 100 * MS);
                assert_true(g.c.cwnd >= cwnd && g.c.cwnd <= UINT64_C(1) << 32);
                assert_true(g.c.pacing_rate >= g.c.cwnd * 12 && g.c.pacing_rate <= g.c.cwnd * 13);
                g.now += YEAR;
        }
        assert_true(g.c.cwnd == UINT64_C(1) << 32);
        g.c.ops->sent(&g.c, 1, 0, true, g.now);
        assert_int_equal(g.c.cwnd, 10 * 65535);
}

static void random_event(struct rig *g, uint64_t *random)
{
        uint64_t flight = random_below(random, g->c.cwnd + 1);

        switch (random_below(random, 40)) {
        case 0: lose(g); break;
        case 1: mark(g); break;
        case 2: time_out(g); break;
        case 3: recover(g); break;
        case 4: g->c.ops->undo(&g->c, g->now); break;
        case 5: g->idle = !g->idle; break;
        case 6: g->c.ops->sent(&g->c, P, 0, true, g->now); break;
        case 7:
                g->r.srtt_ns = 1 + (int64_t)random_below(random, UINT64_C(1) << random_below(random, 37));
                break;
        case 8: g->now += (int64_t)random_below(random, UINT64_C(1) << random_below(random, 45)); break;
        default:
                g->c.ops->sent(&g->c, P, flight, false, g->now);
                ack(g, random_below(random, UINT64_C(1) << random_below(random, 17)),
                    (int64_t)random_below(random, 1u << 30));
        }
}

/* Whatever comes in whatever order, the window stays one, and so does the rate. */
static void test_any_order(void **state)
{
        uint64_t random = 11;

        (void)state;
        for (int i = 0; i < 200; i++) {
                struct rig g;

                rig_init(&g, i % 2 == 0 ? 0 : 100 * MS);
                g.r.sampled = i % 3 != 0;
                for (int n = 0; n < 2000; n++) {
                        random_event(&g, &random);
                        assert_true(g.c.cwnd >= P && g.c.cwnd <= UINT64_C(1) << 32);
                        assert_true(g.c.cubic.ssthresh >= 2 * P);
                        assert_true(g.c.pacing_rate == 0 || g.c.burst >= 2 * P);
                }
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_kinds),
                cmocka_unit_test(test_none_never_limits),
                cmocka_unit_test(test_slow_start_counts_bytes),
                cmocka_unit_test(test_slow_start_needs_use),
                cmocka_unit_test(test_pacing),
                cmocka_unit_test(test_pacing_follows),
                cmocka_unit_test(test_hystart_threshold),
                cmocka_unit_test(test_hystart_takes_the_least),
                cmocka_unit_test(test_hystart_needs_samples),
                cmocka_unit_test(test_hystart_five_careful_rounds),
                cmocka_unit_test(test_hystart_resumes),
                cmocka_unit_test(test_hystart_counts_anew),
                cmocka_unit_test(test_hystart_is_for_the_first),
                cmocka_unit_test(test_curve),
                cmocka_unit_test(test_curve_reno_friendly),
                cmocka_unit_test(test_k),
                cmocka_unit_test(test_rests_while_recovering),
                cmocka_unit_test(test_grows_in_steps),
                cmocka_unit_test(test_window_has_a_floor),
                cmocka_unit_test(test_fast_convergence),
                cmocka_unit_test(test_little_to_send_does_not_grow),
                cmocka_unit_test(test_paced_counts_as_used),
                cmocka_unit_test(test_short_idleness_is_no_time),
                cmocka_unit_test(test_long_idleness_takes_the_window),
                cmocka_unit_test(test_mark_once_a_round),
                cmocka_unit_test(test_mark_and_loss_are_one),
                cmocka_unit_test(test_mark_ends_the_first_slow_start),
                cmocka_unit_test(test_timeout),
                cmocka_unit_test(test_timeout_with_losses_is_one_event),
                cmocka_unit_test(test_undo_as_if_never),
                cmocka_unit_test(test_undo_returns_to_slow_start),
                cmocka_unit_test(test_undo_once_and_only_forward),
                cmocka_unit_test(test_years),
                cmocka_unit_test(test_any_order),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
