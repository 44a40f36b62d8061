/*
 * test_frct_bbr.c - BBR over a bottleneck in virtual time, and its filters as small stories with exact
 * numbers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "frct/bbr_model.h"

#include "bottleneck.h"

#define MBIT  UINT64_C(125000)
#define MS    NS_PER_MS
#define SEC   NS_PER_S
#define SMALL UINT64_C(1000) /* bytes of a packet in the stories */

#define N_FLOWS 4u

static struct flow f, all[N_FLOWS]; /* too large for the stack */

static struct path plain(uint64_t mbit, int64_t ms)
{
        return (struct path){.rate = mbit * MBIT, .rtt_ns = ms * MS, .ack_every = 2};
}

static uint64_t product(const struct path *p)
{
        return p->rate * (uint64_t)(p->rtt_ns / MS) / 1000;
}

static void run_on(const struct path *p, int64_t ns, uint64_t seed)
{
        flow_init(&f, p, 1500, seed);
        flow_run(&f, ns);
}

/* -- over a path ---------------------------------------------------------------- */

static void watch_startup(struct flow *x)
{
        uint64_t *found = x->watcher; /* in round; then when it was left */

        if (found[0] == 0 && x->cc.bbr.max_bw >= x->path.rate * 95 / 100)
                found[0] = x->cc.bbr.rounds;
        if (found[1] == 0 && x->cc.bbr.state != BBR_STARTUP)
                found[1] = x->cc.bbr.rounds;
}

static void start_up(uint64_t mbit, int64_t ms, uint64_t packet, unsigned ack_every, uint64_t rounds)
{
        struct path p        = plain(mbit, ms);
        uint64_t    found[2] = {0, 0};

        p.ack_every = ack_every;
        flow_init(&f, &p, packet, mbit);
        f.watch   = watch_startup;
        f.watcher = found;
        flow_run(&f, 20 * ms * MS + 1 * SEC);
        assert_in_range(found[0], 1, rounds);
        assert_in_range(found[1], found[0], rounds + 4);
        assert_in_range(f.cc.bbr.max_bw, p.rate * 95 / 100, p.rate * 102 / 100);
}

static void test_startup_finds_the_rate(void **state)
{
        static const int64_t ms[] = {1, 3, 10, 30, 100};

        (void)state;
        for (uint64_t mbit = 1; mbit <= 1000; mbit *= 10) {
                for (size_t i = 0; i < sizeof(ms) / sizeof(ms[0]); i++) {
                        start_up(mbit, ms[i], mbit < 1000 ? 1500 : 9000, 2, 10);
                        start_up(mbit, ms[i], mbit < 1000 ? 1500 : 9000, 8, 11);
                }
        }
        start_up(1000, 100, 1500, 2, 12); /* 8333 packets: ten doublings */
}

static void test_startup_overshoots_little(void **state)
{
        struct path p = plain(100, 20);

        (void)state;
        run_on(&p, 1 * SEC, 1);
        assert_in_range(f.wait_max_ns, 0, 22 * MS); /* a window of twice the product */
}

static void settle(struct path p, unsigned share, unsigned queue)
{
        run_on(&p, 2 * SEC, 3);
        flow_measure(&f);
        flow_run(&f, 15 * SEC);
        assert_in_range(flow_share(&f), share, 1000);
        assert_in_range(flow_queue(&f), 0, queue);
        assert_int_equal(f.n_timeouts, 0);
}

static void test_uses_the_path_without_a_queue(void **state)
{
        struct path slow_acks = plain(100, 20);

        (void)state;
        slow_acks.ack_every = 8;
        settle(plain(10, 20), 950, 300);
        settle(plain(10, 100), 950, 150);
        settle(plain(100, 20), 950, 100);
        settle(plain(100, 100), 950, 150);
        settle(plain(1000, 10), 950, 100);
        settle(slow_acks, 950, 100);
}

static void test_finds_a_shorter_route_at_once(void **state)
{
        struct path p = plain(100, 40);

        (void)state;
        run_on(&p, 3 * SEC, 1);
        assert_in_range(f.cc.bbr.min_rtt_ns, 40 * MS, 41 * MS);
        f.path.rtt_ns = 10 * MS;
        flow_run(&f, 200 * MS);
        assert_in_range(f.cc.bbr.min_rtt_ns, 10 * MS, 11 * MS);
}

static void test_finds_a_longer_route(void **state)
{
        struct path p = plain(100, 20);

        (void)state;
        run_on(&p, 3 * SEC, 1);
        f.path.rtt_ns = 50 * MS;
        flow_run(&f, 1 * SEC);
        assert_in_range(f.cc.bbr.min_rtt_ns, 20 * MS, 21 * MS); /* it may be a queue */
        flow_run(&f, 15 * SEC);
        assert_in_range(f.cc.bbr.min_rtt_ns, 50 * MS, 52 * MS);
        flow_measure(&f);
        flow_run(&f, 10 * SEC);
        assert_in_range(flow_share(&f), 940, 1000);
}

static void test_follows_a_path_that_slows_down(void **state)
{
        struct path p = plain(100, 20);

        (void)state;
        p.buffer = product(&p);
        run_on(&p, 3 * SEC, 1);
        f.path.rate /= 2;
        flow_run(&f, 8 * SEC);
        assert_in_range(f.cc.bbr.max_bw, f.path.rate * 95 / 100, f.path.rate * 102 / 100);
        flow_measure(&f);
        flow_run(&f, 10 * SEC);
        assert_in_range(flow_share(&f), 940, 1000);
        assert_in_range((f.rate.lost - f.lost_before) / 1500 * 100 / f.n_sent, 0, 1);
        f.path.rate *= 2;
        flow_run(&f, 8 * SEC);
        flow_measure(&f);
        flow_run(&f, 10 * SEC);
        assert_in_range(flow_share(&f), 940, 1000);
}

/* Thousandths, the mean of some runs. */
static unsigned share_with_loss(struct path p, uint64_t loss_ppm)
{
        unsigned sum = 0;

        p.loss_ppm = loss_ppm;
        for (uint64_t seed = 1; seed <= 6; seed++) {
                run_on(&p, 2 * SEC, seed);
                flow_measure(&f);
                flow_run(&f, 15 * SEC);
                sum += flow_share(&f);
        }
        return sum / 6;
}

static void test_random_loss_costs_little(void **state)
{
        struct path slow_acks = plain(100, 20);

        (void)state;
        slow_acks.ack_every = 8;
        assert_true(share_with_loss(plain(10, 20), 10000) * 10 > share_with_loss(plain(10, 20), 0) * 9);
        assert_true(share_with_loss(plain(10, 100), 10000) * 10 > share_with_loss(plain(10, 100), 0) * 9);
        assert_true(share_with_loss(plain(100, 20), 10000) * 10 > share_with_loss(plain(100, 20), 0) * 9);
        assert_true(share_with_loss(plain(100, 100), 10000) * 10 > share_with_loss(plain(100, 100), 0) * 9);
        assert_true(share_with_loss(slow_acks, 10000) * 10 > share_with_loss(slow_acks, 0) * 9);
}

static void test_shallow_buffer_bounds_inflight(void **state)
{
        struct path p = plain(100, 20);

        (void)state;
        p.buffer = product(&p) / 10;
        run_on(&p, 2 * SEC, 1);
        assert_in_range(f.cc.bbr.inflight_hi, product(&p), product(&p) * 135 / 100);
        flow_measure(&f);
        flow_run(&f, 15 * SEC);
        assert_in_range(f.cc.bbr.inflight_hi, product(&p), product(&p) * 135 / 100);
        assert_in_range(flow_share(&f), 900, 1000);
        assert_in_range((f.rate.lost - f.lost_before) / 1500 * 1000 / f.n_sent, 0, 5);
}

static void test_marks_bound_the_queue(void **state)
{
        struct path p = plain(100, 20);

        (void)state;
        p.mark_at = product(&p) / 4;
        run_on(&p, 2 * SEC, 1);
        assert_true(f.cc.bbr.inflight_hi != BBR_UNBOUND);
        flow_measure(&f);
        flow_run(&f, 15 * SEC);
        assert_in_range(flow_share(&f), 940, 1000);
        assert_in_range(flow_queue(&f), 0, 50);
        assert_in_range(f.wait_max_ns, 0, 12 * MS);
        assert_int_equal(f.n_lost, 0);
}

/* Everything is marked: whoever does that gets the least, but not nothing. */
static void test_marks_without_end(void **state)
{
        struct path p = plain(100, 20);

        (void)state;
        p.mark_at = 1;
        run_on(&p, 10 * SEC, 1);
        assert_in_range(f.cc.cwnd, 4 * 1500, product(&p) / 4);
        assert_in_range(f.rate.delivered, 1000000, 100 * MBIT);
}

struct probes {
        unsigned       n;
        int64_t        began_ns[8], ended_ns[8];
        uint64_t       least; /* in flight */
        enum bbr_state before;
};

static void watch_probe_rtt(struct flow *x)
{
        struct probes *p  = x->watcher;
        bool           in = x->cc.bbr.state == BBR_PROBE_RTT;

        assert_true(x->cc.withheld == in);
        if (in && p->before != BBR_PROBE_RTT)
                p->began_ns[p->n] = x->now_ns;
        if (!in && p->before == BBR_PROBE_RTT)
                p->ended_ns[p->n++] = x->now_ns;
        if (in) {
                assert_in_range(x->cc.cwnd, product(&x->path) * 48 / 100, product(&x->path) * 52 / 100);
                p->least = x->in_flight < p->least ? x->in_flight : p->least;
        }
        p->before = x->cc.bbr.state;
}

static void test_probe_rtt_comes_and_goes(void **state)
{
        struct path   p      = plain(100, 20);
        struct probes probes = {.least = UINT64_MAX};

        (void)state;
        flow_init(&f, &p, 1500, 1);
        f.watch   = watch_probe_rtt;
        f.watcher = &probes;
        flow_run(&f, 22 * SEC);
        assert_int_equal(probes.n, 4);
        assert_in_range(probes.began_ns[0], 5 * SEC, 5 * SEC + 50 * MS);
        for (unsigned i = 0; i < probes.n; i++) {
                assert_in_range(probes.ended_ns[i] - probes.began_ns[i], 200 * MS, 290 * MS);
                if (i > 0)
                        assert_in_range(probes.began_ns[i] - probes.ended_ns[i - 1], 5 * SEC,
                                        5 * SEC + 50 * MS);
        }
        assert_in_range(probes.least, 1, product(&p) / 2);
        assert_in_range(f.cc.bbr.max_bw, p.rate * 98 / 100, p.rate * 102 / 100);
}

static void watch_cycle(struct flow *x)
{
        int64_t *at = x->watcher; /* of the last REFILL; least and most between two */
        bool     in = x->cc.bbr.state == BBR_REFILL;

        if (in && at[3] == 0) {
                if (at[0] > 0 && x->now_ns - at[0] < at[1])
                        at[1] = x->now_ns - at[0];
                if (at[0] > 0 && x->now_ns - at[0] > at[2])
                        at[2] = x->now_ns - at[0];
                at[0] = x->now_ns;
        }
        at[3] = in;
}

static void test_time_between_probes(void **state)
{
        struct path far       = plain(100, 100);
        struct path near      = plain(100, 10);
        int64_t     at_far[4] = {0, INT64_MAX, 0, 0}, at_near[4] = {0, INT64_MAX, 0, 0};

        (void)state;
        flow_init(&f, &far, 1500, 1);
        f.watch   = watch_cycle;
        f.watcher = at_far;
        flow_run(&f, 100 * SEC);
        assert_in_range(at_far[1], 300 * MS,
                        2900 * MS);                   /* when PROBE_RTT was between, it is left to chance */
        assert_in_range(at_far[2], 2 * SEC, 5 * SEC); /* else 2 to 3 s after UP */
        flow_init(&f, &near, 1500, 1);
        f.watch   = watch_cycle;
        f.watcher = at_near;
        flow_run(&f, 20 * SEC);
        assert_in_range(at_near[1], 600 * MS, 800 * MS); /* 63 rounds */
}

static void test_app_limited_keeps_the_rate(void **state)
{
        struct path p = plain(100, 20);
        uint64_t    bw;

        (void)state;
        run_on(&p, 3 * SEC, 1);
        bw         = f.cc.bbr.max_bw;
        f.app_rate = p.rate / 10;
        f.app_ns   = f.now_ns;
        flow_run(&f, 30 * SEC);
        assert_in_range(f.cc.bbr.max_bw, bw * 99 / 100, bw * 101 / 100);
        f.app_rate = 0;
        flow_measure(&f);
        flow_run(&f, 1 * SEC);
        assert_in_range(flow_share(&f), 930, 1000);
}

static void test_app_limited_from_the_start(void **state)
{
        struct path p = plain(100, 20);

        (void)state;
        flow_init(&f, &p, 1500, 1);
        f.app_rate = p.rate / 10;
        flow_run(&f, 4 * SEC);
        assert_int_equal(f.cc.bbr.state, BBR_STARTUP); /* nothing says that the pipe is full */
        assert_in_range(f.cc.bbr.max_bw, f.app_rate * 9 / 10, p.rate * 102 / 100);
        f.app_rate = 0;
        flow_run(&f, 2 * SEC);
        assert_true(f.cc.bbr.full_ever);
        assert_in_range(f.cc.bbr.max_bw, p.rate * 98 / 100, p.rate * 102 / 100);
}

static void test_outage(void **state)
{
        struct path p = plain(100, 20);

        (void)state;
        run_on(&p, 3 * SEC, 1);
        f.path.loss_ppm = 1000000;
        flow_run(&f, 1 * SEC);
        assert_true(f.n_timeouts > 0);
        f.path.loss_ppm = 0;
        flow_run(&f, 1 * SEC);
        flow_measure(&f);
        flow_run(&f, 4 * SEC);
        assert_in_range(flow_share(&f), 900, 1000);
}

/* -- in company -------------------------------------------------------------------- */

/*
 * @n flows of 100 Mbit/s, one after the other by @apart_ns, over a buffer of @tenths of the product, at least
 * 20 packets; those whose bit is set in @cubic are under CUBIC. Bytes delivered from @from_ns to @to_ns.
 */
static void run_together(unsigned n, unsigned cubic, int64_t ms, unsigned tenths, int64_t apart_ns,
                         int64_t from_ns, int64_t to_ns, double *bytes)
{
        struct path p       = plain(100, ms);
        int64_t     line_ns = 0;

        p.ack_every = 8;
        p.buffer    = product(&p) * tenths / 10 > 20 * 1500 ? product(&p) * tenths / 10 : 20 * 1500;
        for (unsigned i = 0; i < n; i++) {
                flow_init(&all[i], &p, 1500, 1 + i);
                if (cubic >> i & 1)
                        cc_init(&all[i].cc, CC_CUBIC, 1500, 1, 0);
                flow_share_line(&all[i], &line_ns, i * apart_ns);
        }
        flows_run(all, n, from_ns);
        for (unsigned i = 0; i < n; i++)
                bytes[i] = -(double)all[i].rate.delivered;
        flows_run(all, n, to_ns);
        for (unsigned i = 0; i < n; i++)
                bytes[i] += (double)all[i].rate.delivered;
}

/* Jain, Chiu, Hawe 1984, in thousandths. */
static unsigned jain(const double *x, unsigned n)
{
        double sum = 0, squares = 0;

        for (unsigned i = 0; i < n; i++) {
                sum += x[i];
                squares += x[i] * x[i];
        }
        return (unsigned)(sum * sum * 1000 / (n * squares));
}

static void test_equals_come_to_equal_parts(void **state)
{
        static const int64_t  ms[]    = {1, 20, 100};
        static const unsigned least[] = {900, 950, 950}; /* of 1 ms it takes nine packets, and four flows */
        double                x[N_FLOWS];

        (void)state;
        for (size_t i = 0; i < sizeof(ms) / sizeof(ms[0]); i++) {
                for (unsigned n = 2; n <= N_FLOWS; n += 2) {
                        run_together(n, 0, ms[i], 10, SEC / 2, 30 * SEC, 60 * SEC, x);
                        assert_in_range(jain(x, n), least[i], 1000);
                        run_together(n, 0, ms[i], 30, 5 * SEC, 30 * SEC, 60 * SEC, x);
                        assert_in_range(jain(x, n), least[i], 1000);
                }
        }
}

static void test_shares_with_cubic(void **state)
{
        static const int64_t ms[] = {1, 20, 100};
        double               x[2];

        (void)state;
        for (size_t i = 0; i < sizeof(ms) / sizeof(ms[0]); i++) {
                for (unsigned cubic = 1; cubic <= 2; cubic++) { /* which of the two */
                        run_together(2, cubic, ms[i], cubic == 1 ? 10 : 20, SEC / 2, 30 * SEC, 90 * SEC, x);
                        assert_in_range(x[0] * 1000 / x[1], 250, 4000);
                }
        }
}

/* -- stories ---------------------------------------------------------------------- */

static struct cc make(void)
{
        struct cc c = {.ops = &cc_bbr, .packet = SMALL, .random = 7};

        c.ops->init(&c, 0);
        return c;
}

/* Of @rate, in a round of its own: all that was out has arrived, and as much is out again. */
static struct cc_ack whole_round(struct cc *c, int64_t now_ns, uint64_t bytes, uint64_t rate)
{
        return (struct cc_ack){
                .now_ns          = now_ns,
                .acked           = bytes,
                .packets         = bytes / SMALL,
                .in_flight       = bytes,
                .prior_in_flight = bytes,
                .rtt_ns          = 10 * MS,
                .delivered       = c->bbr.delivered + bytes,
                .prior_delivered = c->bbr.delivered,
                .rate            = rate,
                .interval_ns     = 10 * MS,
                .tx_in_flight    = bytes,
        };
}

static void ack_round(struct cc *c, int64_t now_ns, uint64_t bytes, uint64_t rate)
{
        struct cc_ack a = whole_round(c, now_ns, bytes, rate);

        c->ops->acked(c, &a, NULL);
}

/* In CRUISE, at 10 MB/s over 10 ms: 100 packets. */
static struct cc cruising(void)
{
        struct cc c = make();

        for (int i = 1; i <= 5; i++)
                ack_round(&c, i * 10 * MS, 100 * SMALL, 10000000);
        assert_int_equal(c.bbr.state, BBR_DOWN);
        ack_round(&c, 60 * MS, 100 * SMALL, 10000000);
        assert_int_equal(c.bbr.state, BBR_CRUISE);
        assert_int_equal(c.cwnd, 200 * SMALL + bbr_extra(&c));
        return c;
}

static void test_begins_with_ten_packets(void **state)
{
        struct cc     c = make();
        struct cc_ack a = whole_round(&c, 20 * MS, 2 * SMALL, 0);

        (void)state;
        assert_int_equal(c.cwnd, 10 * SMALL);
        assert_int_equal(c.pacing_rate, 27700000); /* 2.77 times ten packets in 1 ms */
        assert_int_equal(c.burst, 27700);
        a.rtt_ns = 20 * MS;
        c.ops->acked(&c, &a, NULL);
        assert_int_equal(c.pacing_rate, 1385000); /* in 20 ms */
        assert_int_equal(c.burst, 2 * SMALL);
        assert_int_equal(c.cwnd, 12 * SMALL);
}

static void test_full_after_three_rounds(void **state)
{
        struct cc c = make();

        (void)state;
        ack_round(&c, 10 * MS, 10 * SMALL, 1000000);
        ack_round(&c, 20 * MS, 20 * SMALL, 2000000);
        ack_round(&c, 30 * MS, 30 * SMALL, 2499999); /* not a quarter more: one */
        ack_round(&c, 40 * MS, 40 * SMALL, 2500000); /* a quarter: from the start */
        ack_round(&c, 50 * MS, 50 * SMALL, 2500000);
        ack_round(&c, 60 * MS, 50 * SMALL, 2600000);
        assert_int_equal(c.bbr.state, BBR_STARTUP);
        ack_round(&c, 70 * MS, 50 * SMALL, 2600000);
        assert_int_equal(c.bbr.state, BBR_DRAIN);
        assert_int_equal(c.pacing_rate, 2600000 / 2 * 99 / 100);
}

static void test_bandwidth_of_two_cycles(void **state)
{
        struct cc c = cruising();

        (void)state;
        c.bbr.bw_of[0] = 0;
        ack_round(&c, 70 * MS, 100 * SMALL, 11000000);
        assert_int_equal(c.bbr.max_bw, 11000000);
        bbr_bw_advance(&c);
        assert_int_equal(c.bbr.max_bw, 11000000);
        bbr_bw_advance(&c); /* nothing was measured: no cycle */
        assert_int_equal(c.bbr.max_bw, 11000000);
        ack_round(&c, 80 * MS, 100 * SMALL, 9000000);
        assert_int_equal(c.bbr.max_bw, 11000000);
        bbr_bw_advance(&c);
        assert_int_equal(c.bbr.max_bw, 9000000);
}

static void test_app_limited_samples(void **state)
{
        struct cc     c = cruising();
        struct cc_ack a = whole_round(&c, 70 * MS, 100 * SMALL, 9999999);

        (void)state;
        c.bbr.bw_of[0] = c.bbr.bw_of[1] = 0;
        a.app_limited                   = true;
        c.ops->acked(&c, &a, NULL);
        assert_int_equal(c.bbr.bw_of[1], 0); /* says nothing */
        a             = whole_round(&c, 80 * MS, 100 * SMALL, 12000000);
        a.app_limited = true;
        c.ops->acked(&c, &a, NULL);
        assert_int_equal(c.bbr.max_bw, 12000000); /* says that there is more */
}

static void ack_rtt(struct cc *c, int64_t now_ns, int64_t rtt_ns)
{
        struct cc_ack a = whole_round(c, now_ns, SMALL, 10000000);

        a.rtt_ns = rtt_ns;
        c->ops->acked(c, &a, NULL);
}

static void test_min_rtt_of_ten_seconds(void **state)
{
        struct cc c = make();

        (void)state;
        ack_rtt(&c, 1 * SEC, 10 * MS);
        ack_rtt(&c, 2 * SEC, 8 * MS);
        ack_rtt(&c, 3 * SEC, 9 * MS);
        ack_rtt(&c, 7 * SEC, 12 * MS);
        assert_int_not_equal(c.bbr.state, BBR_PROBE_RTT);
        ack_rtt(&c, 7 * SEC + 1, 12 * MS); /* 5 s without one that is less */
        assert_int_equal(c.bbr.state, BBR_PROBE_RTT);
        assert_int_equal(c.bbr.probe_rtt_min_ns, 12 * MS);
        assert_int_equal(c.bbr.min_rtt_ns, 8 * MS);
        ack_rtt(&c, 8 * SEC, 11 * MS);
        ack_rtt(&c, 12 * SEC, 13 * MS);
        assert_int_equal(c.bbr.min_rtt_ns, 8 * MS);
        ack_rtt(&c, 12 * SEC + 1, 13 * MS); /* 10 s */
        assert_int_equal(c.bbr.min_rtt_ns, 11 * MS);
}

static void ack_burst(struct cc *c, int64_t now_ns, uint64_t bytes)
{
        struct cc_ack a = whole_round(c, now_ns, bytes, 10000000);

        a.prior_delivered = 0; /* of this round */
        c->ops->acked(c, &a, NULL);
}

static void test_aggregation(void **state)
{
        struct cc c = cruising();

        (void)state;
        memset(c.bbr.extra_acked, 0, sizeof(c.bbr.extra_acked));
        ack_burst(&c, 70 * MS, 10 * SMALL); /* too late for the last burst: counts from here */
        assert_int_equal(bbr_extra(&c), 10 * SMALL);
        ack_burst(&c, 70 * MS + 500000, 10 * SMALL); /* 20 packets where 5 were due */
        assert_int_equal(bbr_extra(&c), 15 * SMALL);
        ack_burst(&c, 72 * MS, 1 * SMALL); /* 21, and 20 were due */
        assert_int_equal(bbr_extra(&c), 15 * SMALL);
        assert_int_equal(c.cwnd, 215 * SMALL);
        for (int i = 1; i < (int)BBR_EXTRA_SLOTS; i++)
                ack_round(&c, (80 + 20 * i) * MS, SMALL, 10000000);
        assert_int_equal(bbr_extra(&c), 15 * SMALL);
        ack_round(&c, 400 * MS, SMALL, 10000000); /* the tenth round after */
        assert_int_equal(bbr_extra(&c), SMALL);
}

static void test_aggregation_in_startup(void **state)
{
        struct cc c = make();

        (void)state;
        ack_round(&c, 10 * MS, 10 * SMALL, 1000000);
        assert_int_equal(bbr_extra(&c), 10 * SMALL);
        ack_round(&c, 20 * MS, 2 * SMALL, 1000000);
        assert_int_equal(bbr_extra(&c), 2 * SMALL); /* of the round before nothing is left */
}

static struct cc_loss some_loss(const struct cc *c, uint64_t packets, bool begins)
{
        return (struct cc_loss){
                .now_ns       = 65 * MS,
                .begins       = begins,
                .bytes        = packets * SMALL,
                .in_flight    = 100 * SMALL,
                .tx_in_flight = 100 * SMALL,
                .sample_lost  = packets * SMALL,
                .delivered    = c->bbr.delivered,
        };
}

static void lose_some(struct cc *c, uint64_t packets, bool begins)
{
        struct cc_loss l = some_loss(c, packets, begins);

        c->ops->lost(c, &l);
}

static void test_loss_lowers_the_short_term(void **state)
{
        struct cc     c = cruising();
        struct cc_ack a;

        (void)state;
        memset(c.bbr.extra_acked, 0, sizeof(c.bbr.extra_acked));
        bbr_forget_signals(&c);
        c.bbr.pace_sent = c.bbr.pace = 990;
        lose_some(&c, 1, true);
        assert_int_equal(c.bbr.bw_lo, BBR_UNBOUND); /* at the end of the round */
        a                 = whole_round(&c, 70 * MS, 10 * SMALL, 9405000);
        a.recovering      = true;
        a.prior_delivered = c.bbr.delivered - 85 * SMALL;
        c.ops->acked(&c, &a, NULL);
        assert_int_equal(c.bbr.bw_lo, BBR_UNBOUND);
        a            = whole_round(&c, 80 * MS, 85 * SMALL, 9405000);
        a.recovering = true;
        a.acked      = 0;
        c.ops->acked(&c, &a, NULL); /* nothing new: no news */
        assert_int_equal(c.bbr.bw_lo, BBR_UNBOUND);
        a.acked = SMALL;
        c.ops->acked(&c, &a, NULL);
        assert_int_equal(c.bbr.bw_lo, 9500000);           /* 0.95: 0.9405 arrived of 0.99 */
        assert_int_equal(c.bbr.inflight_lo, 210 * SMALL); /* 0.7 of the window, more than was delivered */
        assert_int_equal(c.pacing_rate, 9500000 / 100 * 99);
        assert_int_equal(c.bbr.inflight_hi, BBR_UNBOUND); /* it was no probe */
}

static void test_marks_lower_the_window_to_the_product_first(void **state)
{
        struct cc c = cruising();

        (void)state;
        c.bbr.inflight_lo = 200 * SMALL;
        for (int i = 0; i < 4; i++) {
                static const uint64_t expect[] = {140, 100, 70, 49};

                c.ops->marked(&c, 3, 100 * SMALL, (70 + 10 * i) * MS, 0);
                ack_round(&c, (75 + 10 * i) * MS, 100 * SMALL, 9900000);
                assert_int_equal(c.bbr.inflight_lo, expect[i] * SMALL);
        }
        assert_true(c.bbr.bw_lo >= 9900000); /* all was delivered */
}

/* In UP, with the answers to what was sent there coming in. */
static struct cc probing(void)
{
        struct cc c = cruising();

        ack_round(&c, 4 * SEC, 100 * SMALL, 10000000);
        assert_int_equal(c.bbr.state, BBR_REFILL);
        ack_round(&c, 4 * SEC + 10 * MS, 100 * SMALL, 10000000);
        assert_int_equal(c.bbr.state, BBR_UP);
        assert_true(c.bbr.is_probe);
        return c;
}

static void test_probe_that_loses_too_much(void **state)
{
        struct cc      c = probing();
        struct cc_loss l = some_loss(&c, 2, true);

        (void)state;
        l.now_ns       = 4 * SEC + 20 * MS;
        l.tx_in_flight = 300 * SMALL;
        l.sample_lost  = 5 * SMALL;
        c.ops->lost(&c, &l); /* 1.7 % */
        assert_int_equal(c.bbr.state, BBR_UP);
        l.begins      = false;
        l.sample_lost = 7 * SMALL;
        c.ops->lost(&c, &l); /* 2.3 %: of 299 packets before it 5.98 may get lost, and 5 were */
        assert_int_equal(c.bbr.inflight_hi, (299 * SMALL + 980 * 1000 / 980) / 10 * 7);
        assert_int_equal(c.bbr.state, BBR_DOWN);
        assert_true(c.bbr.too_high);
        c.ops->lost(&c, &l); /* one answer to a probe */
        assert_int_equal(c.bbr.inflight_hi, 210 * SMALL);
}

/* What the path carries is left, with the headroom on it: a shallow buffer is no reason to send less. */
static void test_probe_that_loses_too_much_of_little(void **state)
{
        struct cc      c = probing();
        struct cc_loss l = some_loss(&c, 10, true);

        (void)state;
        l.now_ns       = 4 * SEC + 20 * MS;
        l.tx_in_flight = 110 * SMALL;
        c.ops->lost(&c, &l);
        assert_int_equal(c.bbr.inflight_hi, 100 * SMALL * 1000 / 850);
        assert_in_range(bbr_with_headroom(&c), 100 * SMALL - 1, 100 * SMALL);
}

/* It ends when it has raised the delay by a twelfth of the least, and eight packets' time. */
static void test_probe_ends_when_the_queue_grows(void **state)
{
        struct cc     c = probing();
        struct cc_ack a = whole_round(&c, 4 * SEC + 20 * MS, 10 * SMALL, 10000000);

        (void)state;
        c.bbr.srtt_ns = c.bbr.up_srtt_ns = 22 * MS;
        a.rtt_ns                         = 14 * MS;
        c.ops->acked(&c, &a, NULL); /* somebody else has left */
        assert_int_equal(c.bbr.up_srtt_ns, 21 * MS);
        c.bbr.srtt_ns = 22 * MS + 600000;
        a             = whole_round(&c, 4 * SEC + 21 * MS, 10 * SMALL, 10000000);
        a.rtt_ns      = 22 * MS + 600000;
        c.ops->acked(&c, &a, NULL); /* 1.6 ms: 0.83 and 0.8 are more */
        assert_int_equal(c.bbr.state, BBR_UP);
        c.bbr.srtt_ns = 22 * MS + 640000;
        a             = whole_round(&c, 4 * SEC + 22 * MS, 10 * SMALL, 10000000);
        a.rtt_ns      = 22 * MS + 640000;
        c.ops->acked(&c, &a, NULL);
        assert_int_equal(c.bbr.state, BBR_DOWN);
}

/* A round of CRUISE with a queue of @queue_ns, in which @rate is delivered. */
static void cruise_round(struct cc *c, int64_t now_ns, int64_t queue_ns, uint64_t rate)
{
        struct cc_ack a = whole_round(c, now_ns, 100 * SMALL, rate);

        a.rtt_ns += queue_ns;
        c->ops->acked(c, &a, NULL);
}

static void test_yields_to_a_queue_that_stands(void **state)
{
        struct cc c = cruising();

        (void)state;
        c.bbr.stood = 0;
        for (int i = 0; i < 3; i++)
                cruise_round(&c, (70 + 10 * i) * MS, 3 * MS, 8000000);
        assert_int_equal(c.bbr.max_bw, 10000000);
        cruise_round(&c, 100 * MS, 3 * MS, 8000000); /* the third round that is over */
        assert_int_equal(c.bbr.max_bw, 8000000);
        assert_int_equal(c.bbr.inflight_lo, (80 + 8) * SMALL + 9900);
        assert_int_equal(c.pacing_rate, 7920000);
        for (int i = 0; i < 5; i++)
                cruise_round(&c, (110 + 10 * i) * MS, 3 * MS, 6000000);
        assert_int_equal(c.bbr.max_bw, 8000000); /* once a cycle */
}

static void test_yields_by_beta_at_most(void **state)
{
        struct cc c = cruising();

        (void)state;
        for (int i = 0; i < 4; i++)
                cruise_round(&c, (70 + 10 * i) * MS, 3 * MS, 1000000);
        assert_int_equal(c.bbr.max_bw, 7000000);
}

static void test_does_not_yield_in_vain(void **state)
{
        struct cc c = cruising();

        (void)state;
        for (int i = 0; i < 10; i++)
                cruise_round(&c, (70 + 10 * i) * MS, i % 3 == 0 ? 0 : 3 * MS,
                             8000000); /* it is empty now and then */
        assert_int_equal(c.bbr.max_bw, 10000000);
        for (int i = 0; i < 10; i++)
                cruise_round(&c, (170 + 10 * i) * MS, 3 * MS, 9900000); /* all that was sent is delivered */
        assert_int_equal(c.bbr.max_bw, 10000000);
        c.bbr.rivals = true;
        for (int i = 0; i < 10; i++)
                cruise_round(&c, (270 + 10 * i) * MS, 3 * MS, 8000000); /* others would take it */
        assert_int_equal(c.bbr.max_bw, 10000000);
}

/* PROBE_RTT with a queue of @queue_ns that does not go: whether others are taken for rivals. */
static bool finds_rivals(int64_t queue_ns)
{
        struct cc c = cruising();

        c.bbr.probe_rtt_min_ns = 10 * MS;
        cruise_round(&c, 6 * SEC, 5 * MS, 10000000);
        assert_int_equal(c.bbr.state, BBR_PROBE_RTT);
        for (int i = 1; c.bbr.state == BBR_PROBE_RTT; i++) {
                struct cc_ack a = whole_round(&c, 6 * SEC + i * 10 * MS, 50 * SMALL, 5000000);

                a.rtt_ns += i == 10 ? queue_ns : 5 * MS; /* the least counts */
                c.ops->acked(&c, &a, NULL);
        }
        assert_in_range(c.bbr.probe_wait_ns, 0, 2 * SEC);
        return c.bbr.rivals;
}

static void test_rivals_keep_the_queue(void **state)
{
        (void)state;
        assert_false(finds_rivals(0));
        assert_false(finds_rivals(2 * MS));
        assert_true(finds_rivals(3 * MS));
}

/*
 * The filter moves on when acknowledgements are of packets that were sent after the probe, and only if they
 * measure.
 */
static void test_cycle_ends_a_round_after_the_probe(void **state)
{
        struct cc     c = probing();
        struct cc_ack a;

        (void)state;
        c.bbr.bw_of[0] = 1;
        c.bbr.full_now = true;
        a              = whole_round(&c, 4 * SEC + 20 * MS, 100 * SMALL, 10000000);
        c.ops->acked(&c, &a, NULL);
        assert_int_equal(c.bbr.state, BBR_DOWN);
        a                 = whole_round(&c, 4 * SEC + 25 * MS, 50 * SMALL, 10000000);
        a.prior_delivered = c.bbr.delivered - 1;
        c.ops->acked(&c, &a, NULL);
        assert_int_equal(c.bbr.bw_of[0], 1);
        a             = whole_round(&c, 4 * SEC + 30 * MS, 50 * SMALL, 10000000);
        a.app_limited = true;
        c.ops->acked(&c, &a, NULL);
        assert_false(c.bbr.is_probe);
        assert_int_equal(c.bbr.bw_of[0], 1);
        c.bbr.feedback = BBR_OF_STOP;
        ack_round(&c, 4 * SEC + 40 * MS, 50 * SMALL, 10000000);
        assert_int_equal(c.bbr.bw_of[0], 10000000);
        assert_int_equal(c.bbr.bw_of[1], 0);
}

static void test_probe_that_sees_marks(void **state)
{
        struct cc c = probing();

        (void)state;
        c.ops->marked(&c, 1, 200 * SMALL, 4 * SEC + 20 * MS, 0);
        assert_int_equal(c.bbr.inflight_hi, 140 * SMALL);
        assert_int_equal(c.bbr.state, BBR_DOWN);
}

static void test_bound_grows_by_1_2_4(void **state)
{
        struct cc c = probing();

        (void)state;
        c.bbr.inflight_hi = c.cwnd = 150 * SMALL;
        c.bbr.up_rounds            = 0;
        c.bbr.rivals               = true;
        for (int i = 0; i < 4; i++) {
                static const uint64_t expect[] = {150, 151, 153, 157};
                struct cc_ack a = whole_round(&c, 4 * SEC + (20 + i * 10) * MS, c.bbr.inflight_hi, 10000000);

                a.cwnd_limited = true;
                c.bbr.up_acked = 0;
                c.bbr.up_step  = i == 0 ? BBR_UNBOUND : c.bbr.up_step;
                c.cwnd         = c.bbr.inflight_hi;
                c.ops->acked(&c, &a, NULL);
                assert_int_equal(c.bbr.inflight_hi, expect[i] * SMALL);
        }
}

static void test_stale_bound_grows_by_a_third(void **state)
{
        struct cc     c = probing();
        struct cc_ack a;

        (void)state;
        c.bbr.inflight_hi = c.cwnd = 150 * SMALL;
        a                          = whole_round(&c, 4 * SEC + 20 * MS, 150 * SMALL, 10000000);
        a.cwnd_limited             = true;
        c.ops->acked(&c, &a, NULL);
        assert_int_equal(c.bbr.inflight_hi, 200 * SMALL);
}

static void test_careful_after_a_probe_that_lost(void **state)
{
        struct cc c = probing();

        (void)state;
        c.bbr.too_high    = true;
        c.bbr.inflight_hi = 90 * SMALL;
        ack_round(&c, 4 * SEC + 20 * MS, 80 * SMALL, 10000000);
        assert_int_equal(c.bbr.state, BBR_UP);
        ack_round(&c, 4 * SEC + 30 * MS, 95 * SMALL, 10000000); /* as far as that, and back */
        assert_int_equal(c.bbr.state, BBR_DOWN);
        assert_true(c.bbr.precautionary && !c.bbr.too_high);
        ack_round(&c, 4 * SEC + 40 * MS, 95 * SMALL, 10000000); /* it went well: once more, in earnest */
        assert_int_equal(c.bbr.state, BBR_REFILL);
        assert_false(c.bbr.precautionary);
}

static void test_undo_of_a_probe(void **state)
{
        struct cc      c    = probing();
        uint64_t       cwnd = c.cwnd;
        struct cc_loss l    = some_loss(&c, 10, true);

        (void)state;
        l.now_ns = 4 * SEC + 20 * MS;
        c.ops->lost(&c, &l);
        assert_int_equal(c.bbr.state, BBR_DOWN);
        assert_int_equal(c.bbr.inflight_hi, 100 * SMALL * 1000 / 850);
        ack_round(&c, 4 * SEC + 30 * MS, 100 * SMALL, 10000000);
        c.ops->undo(&c, 4 * SEC + 30 * MS);
        assert_int_equal(c.bbr.inflight_hi, BBR_UNBOUND);
        assert_int_equal(c.bbr.bw_lo, BBR_UNBOUND);
        assert_int_equal(c.bbr.inflight_lo, BBR_UNBOUND);
        assert_int_equal(c.bbr.state, BBR_REFILL); /* the probe begins again */
        assert_in_range(c.cwnd, cwnd * 8 / 10, cwnd);
}

/* What the rounds of one event have done is undone as a whole. */
static void test_undo_of_a_long_event(void **state)
{
        struct cc c = cruising();

        (void)state;
        lose_some(&c, 1, true);
        for (int i = 0; i < 5; i++) {
                struct cc_ack a = whole_round(&c, (70 + 10 * i) * MS, 80 * SMALL, 8000000);

                a.recovering = true;
                c.ops->acked(&c, &a, NULL);
                lose_some(&c, 1, false);
        }
        assert_true(c.bbr.bw_lo < 9000000 && c.bbr.inflight_lo < 200 * SMALL);
        c.ops->undo(&c, 200 * MS);
        assert_int_equal(c.bbr.bw_lo, BBR_UNBOUND);
        assert_int_equal(c.bbr.inflight_lo, BBR_UNBOUND);
        assert_int_equal(c.pacing_rate, 9900000);
        assert_int_equal(c.bbr.state, BBR_CRUISE);
}

static void ack_losing(struct cc *c, int64_t now_ns)
{
        struct cc_ack a = whole_round(c, now_ns, 100 * SMALL, c->bbr.max_bw * 5 / 4 + 1000000);

        a.recovering  = true;
        a.sample_lost = 6 * SMALL;
        c->ops->acked(c, &a, NULL);
}

static void test_startup_ends_by_loss(void **state)
{
        struct cc c = make();

        (void)state;
        for (int i = 1; i <= 4; i++)
                ack_losing(&c, i * 10 * MS);
        for (int i = 0; i < 10; i++) {
                lose_some(&c, 1, i == 0);
                if (i % 5 == 4)
                        ack_losing(&c, (46 + i) * MS); /* only five in a round */
        }
        assert_int_equal(c.bbr.state, BBR_STARTUP);
        for (int i = 0; i < 6; i++)
                lose_some(&c, 1, false);
        ack_losing(&c, 60 * MS);
        assert_int_equal(c.bbr.state, BBR_DRAIN);
        assert_true(c.bbr.full_ever && c.bbr.inflight_hi != BBR_UNBOUND);
        c.ops->undo(&c, 61 * MS);
        assert_int_equal(c.bbr.state, BBR_STARTUP);
        assert_false(c.bbr.full_ever);
        assert_int_equal(c.bbr.inflight_hi, BBR_UNBOUND);
}

static void test_startup_ends_by_marks(void **state)
{
        struct cc c = make();

        (void)state;
        ack_losing(&c, 10 * MS);
        c.ops->marked(&c, 5, 100 * SMALL, 10 * MS, 0);
        ack_losing(&c, 20 * MS);
        assert_int_equal(c.bbr.state, BBR_STARTUP);
        c.ops->marked(&c, 5, 100 * SMALL, 20 * MS, 0);
        ack_losing(&c, 30 * MS);
        assert_int_equal(c.bbr.state, BBR_DRAIN);
}

static void test_timeout(void **state)
{
        struct cc     c    = cruising();
        uint64_t      cwnd = c.cwnd;
        struct cc_ack a;

        (void)state;
        bbr_forget_signals(&c);
        lose_some(&c, 100, true);
        c.ops->timeout(&c, 0, 300 * MS);
        assert_int_equal(c.cwnd, SMALL);
        a            = whole_round(&c, 310 * MS, SMALL, 0);
        a.recovering = true;
        c.ops->acked(&c, &a, NULL);
        assert_int_equal(c.cwnd, 4 * SMALL);
        c.ops->recovered(&c, 0, 320 * MS);
        assert_int_equal(c.bbr.inflight_lo, cwnd / 10 * 7);
        assert_int_equal(c.cwnd, cwnd / 10 * 7);
        assert_int_equal(c.bbr.bw_lo, 7000000);
        assert_int_equal(c.bbr.max_bw, 10000000);
}

/* On a flow that does not retransmit, nobody says that an event is over but the next acknowledgement. */
static void test_event_that_ends_unsaid(void **state)
{
        struct cc c    = cruising();
        uint64_t  cwnd = c.cwnd;

        (void)state;
        lose_some(&c, 1, true);
        assert_int_equal(c.bbr.prior_cwnd, cwnd);
        ack_round(&c, 70 * MS, SMALL, 10000000);
        c.cwnd = 50 * SMALL;
        lose_some(&c, 1, true);
        assert_int_equal(c.bbr.prior_cwnd, 50 * SMALL);
}

static void test_timeout_for_nothing(void **state)
{
        struct cc c    = cruising();
        uint64_t  cwnd = c.cwnd;

        (void)state;
        c.ops->timeout(&c, 0, 300 * MS);
        c.ops->undo(&c, 310 * MS);
        assert_int_equal(c.cwnd, cwnd);
        assert_int_equal(c.bbr.bw_lo, BBR_UNBOUND);
}

static void test_idle(void **state)
{
        struct cc c    = cruising();
        uint64_t  cwnd = c.cwnd;

        (void)state;
        c.bbr.state   = BBR_DOWN;
        c.pacing_rate = 8910000;
        c.ops->sent(&c, SMALL, 0, true, 60 * SEC);
        assert_int_equal(c.pacing_rate, 9900000); /* not at the rate of DOWN */
        assert_int_equal(c.cwnd, cwnd);
        ack_round(&c, 60 * SEC + 10 * MS, SMALL, 0);
        assert_true(c.bbr.state != BBR_PROBE_RTT); /* the silence was one */
        assert_int_equal(c.bbr.min_rtt_at_ns, 60 * SEC + 10 * MS);
}

static void test_idle_in_probe_rtt(void **state)
{
        struct cc c    = cruising();
        uint64_t  cwnd = c.cwnd;

        (void)state;
        c.bbr.probe_rtt_min_ns = 10 * MS;
        ack_round(&c, 6 * SEC, 100 * SMALL, 10000000);
        assert_int_equal(c.bbr.state, BBR_PROBE_RTT);
        assert_int_equal(c.cwnd, 50 * SMALL);
        assert_true(c.withheld);
        ack_round(&c, 6 * SEC + 10 * MS, 50 * SMALL, 5000000); /* so little is out now */
        assert_int_equal(c.bbr.probe_rtt_done_ns, 6 * SEC + 210 * MS);
        c.bbr.inflight_hi = 120 * SMALL;
        c.ops->sent(&c, SMALL, 0, true, 7 * SEC);
        assert_int_equal(c.bbr.state, BBR_CRUISE);
        assert_int_equal(c.bbr.prior_cwnd, cwnd);
        assert_int_equal(c.cwnd, 102 * SMALL); /* less the headroom */
}

static void test_largest_numbers(void **state)
{
        struct cc      c    = make();
        const uint64_t rate = UINT64_C(100000000000), bytes = UINT64_C(1000000000000);

        (void)state;
        for (int i = 1; i <= 6; i++) {
                struct cc_ack a = whole_round(&c, i * 10 * SEC, bytes, rate);

                a.rtt_ns = 10 * SEC;
                c.ops->acked(&c, &a, NULL);
        }
        assert_int_equal(c.bbr.max_bw, rate);
        assert_int_equal(bbr_bdp(&c, rate, 2250), bytes / 4 * 9);
        assert_int_equal(bbr_carries(BBR_RATE_MAX, INT64_MAX), BBR_RATE_MAX * 16);
        assert_int_equal(bbr_carries(BBR_RATE_MAX, -1), 0);
        ack_round(&c, 70 * SEC, bytes, UINT64_MAX);
        assert_int_equal(c.bbr.max_bw, BBR_RATE_MAX);
        assert_true(c.pacing_rate <= BBR_RATE_MAX * 3 && c.burst == 65536);
}

static void test_slowest_path(void **state)
{
        struct cc c = make();

        (void)state;
        for (int i = 1; i <= 8; i++)
                ack_round(&c, i * SEC, SMALL, 10);
        assert_int_equal(c.pacing_rate, SMALL); /* a packet a second, never 0 */
        assert_int_equal(c.burst, 2 * SMALL);
        assert_true(c.cwnd >= 4 * SMALL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_startup_finds_the_rate),
                cmocka_unit_test(test_startup_overshoots_little),
                cmocka_unit_test(test_uses_the_path_without_a_queue),
                cmocka_unit_test(test_finds_a_shorter_route_at_once),
                cmocka_unit_test(test_finds_a_longer_route),
                cmocka_unit_test(test_follows_a_path_that_slows_down),
                cmocka_unit_test(test_random_loss_costs_little),
                cmocka_unit_test(test_shallow_buffer_bounds_inflight),
                cmocka_unit_test(test_marks_bound_the_queue),
                cmocka_unit_test(test_marks_without_end),
                cmocka_unit_test(test_probe_rtt_comes_and_goes),
                cmocka_unit_test(test_time_between_probes),
                cmocka_unit_test(test_app_limited_keeps_the_rate),
                cmocka_unit_test(test_app_limited_from_the_start),
                cmocka_unit_test(test_outage),
                cmocka_unit_test(test_equals_come_to_equal_parts),
                cmocka_unit_test(test_shares_with_cubic),
                cmocka_unit_test(test_begins_with_ten_packets),
                cmocka_unit_test(test_full_after_three_rounds),
                cmocka_unit_test(test_bandwidth_of_two_cycles),
                cmocka_unit_test(test_app_limited_samples),
                cmocka_unit_test(test_min_rtt_of_ten_seconds),
                cmocka_unit_test(test_aggregation),
                cmocka_unit_test(test_aggregation_in_startup),
                cmocka_unit_test(test_loss_lowers_the_short_term),
                cmocka_unit_test(test_marks_lower_the_window_to_the_product_first),
                cmocka_unit_test(test_probe_that_loses_too_much),
                cmocka_unit_test(test_probe_that_loses_too_much_of_little),
                cmocka_unit_test(test_probe_ends_when_the_queue_grows),
                cmocka_unit_test(test_yields_to_a_queue_that_stands),
                cmocka_unit_test(test_yields_by_beta_at_most),
                cmocka_unit_test(test_does_not_yield_in_vain),
                cmocka_unit_test(test_rivals_keep_the_queue),
                cmocka_unit_test(test_cycle_ends_a_round_after_the_probe),
                cmocka_unit_test(test_probe_that_sees_marks),
                cmocka_unit_test(test_bound_grows_by_1_2_4),
                cmocka_unit_test(test_stale_bound_grows_by_a_third),
                cmocka_unit_test(test_careful_after_a_probe_that_lost),
                cmocka_unit_test(test_undo_of_a_probe),
                cmocka_unit_test(test_undo_of_a_long_event),
                cmocka_unit_test(test_startup_ends_by_loss),
                cmocka_unit_test(test_startup_ends_by_marks),
                cmocka_unit_test(test_timeout),
                cmocka_unit_test(test_event_that_ends_unsaid),
                cmocka_unit_test(test_timeout_for_nothing),
                cmocka_unit_test(test_idle),
                cmocka_unit_test(test_idle_in_probe_rtt),
                cmocka_unit_test(test_largest_numbers),
                cmocka_unit_test(test_slowest_path),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
