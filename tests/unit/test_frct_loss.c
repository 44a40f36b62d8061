/*
 * test_frct_loss.c - RACK-TLP as stories: a round trip is 100 ms, the reordering window a quarter of that,
 * each packet has 1000 bytes. Then against a model that searches all packets, and with a window so large that
 * a search would show.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "frct/loss.h"

#include "random.h"

#define MS    NS_PER_MS
#define FIRST (NUMBER_BASE + UINT64_C(0xfffffffd)) /* the lower half begins again behind the third packet */
#define NEVER (-1)                                 /* ms, for CLOCK_NEVER */

static uint8_t payload[1000];

/* Packets are called 0, 1, 2 ... in here, times are ms. */
struct rig {
        struct sendq *q;
        struct loss   l;
        struct rtt    r;
};

static int setup(void **state)
{
        struct rig *g = calloc(1, sizeof(*g));

        g->q = sendq_create(1000, 1u << 30, FIRST);
        loss_init(&g->l);
        rtt_sample(&g->r, 100 * MS, 0, 0);
        *state = g;
        return 0;
}

static int teardown(void **state)
{
        struct rig *g = *state;

        sendq_destroy(g->q);
        free(g);
        return 0;
}

static struct sent *at(struct rig *g, uint64_t i)
{
        return sendq_at(g->q, FIRST + i);
}

static void send_ns(struct rig *g, int64_t now_ns)
{
        struct sent *s;

        assert_int_equal(sendq_push(g->q, payload, sizeof(payload)), 0);
        s        = sendq_at(g->q, sendq_next(g->q));
        s->tx_ns = s->first_ns = now_ns;
        sendq_sent(g->q);
}

static void send_at(struct rig *g, int64_t ms)
{
        send_ns(g, ms * MS);
}

/* Packets @from to @to, 1 ms after one another, the first at @ms. */
static void send_range(struct rig *g, uint64_t from, uint64_t to, int64_t ms)
{
        for (uint64_t i = from; i <= to; i++) {
                assert_int_equal(sendq_next(g->q), FIRST + i);
                send_at(g, ms++);
        }
}

static void resend(struct rig *g, uint64_t i, int64_t ms)
{
        sendq_resent(g->q, FIRST + i);
        at(g, i)->tx_ns         = ms * MS;
        at(g, i)->retransmitted = true;
}

static void arrive_of(struct rig *g, uint64_t i, int64_t tx_ms, int64_t ms)
{
        loss_arrived(&g->l, g->q, FIRST + i, tx_ms * MS, ms * MS);
        at(g, i)->acked = true;
}

static void arrive(struct rig *g, uint64_t i, int64_t ms)
{
        loss_arrived(&g->l, g->q, FIRST + i, at(g, i)->tx_ns, ms * MS);
        at(g, i)->acked = true;
}

/* @n packets are lost, and it is time to look again at @due_ms. */
static void expect_ns(struct rig *g, int64_t now_ns, unsigned n, int64_t due_ms)
{
        unsigned got;
        uint64_t bytes = loss_detect(&g->l, g->q, &g->r, now_ns, &got);

        assert_int_equal(got, n);
        assert_int_equal(bytes, n * 1000u);
        assert_int_equal(g->l.reo_due_ns, due_ms == NEVER ? CLOCK_NEVER : due_ms * MS);
}

static void expect(struct rig *g, int64_t ms, unsigned n, int64_t due_ms)
{
        expect_ns(g, ms * MS, n, due_ms);
}

static int64_t window_ms(const struct rig *g)
{
        return loss_window_ns(&g->l, &g->r) / MS;
}

/* -- RACK ------------------------------------------------------------------------ */

static void test_nothing_is_out(void **state)
{
        struct rig *g = *state;

        expect(g, 0, 0, NEVER);
        send_at(g, 0);
        expect(g, 5000, 0, NEVER); /* it has not been overtaken: that is for the timeouts */
        arrive(g, 0, 5001);
        sendq_drop(g->q, FIRST + 1);
        expect(g, 5001, 0, NEVER);
}

static void test_overtaken_packets_are_lost_after_the_window(void **state)
{
        struct rig *g = *state;

        send_range(g, 0, 1, 0);
        arrive(g, 1, 101);
        expect(g, 101, 0, 125); /* sent at 0, a round trip of 100 and a window of 25 */
        expect_ns(g, 125 * MS - 1, 0, 125);
        assert_false(at(g, 0)->lost);
        expect(g, 125, 1, NEVER);
        assert_true(at(g, 0)->lost);
        expect(g, 126, 0, NEVER); /* once */
}

/* The timer is for the oldest; those behind it have theirs. */
static void test_each_has_its_time(void **state)
{
        struct rig *g = *state;

        send_range(g, 0, 9, 0);
        arrive(g, 3, 103);
        expect(g, 103, 0, 125);
        expect(g, 125, 1, 126);
        expect(g, 126, 1, 127);
        assert_false(at(g, 2)->lost);
        expect(g, 140, 1, NEVER); /* 2; those behind 3 were not overtaken */
        assert_false(at(g, 4)->lost);
}

static void test_three_that_overtook_are_enough(void **state)
{
        struct rig *g = *state;

        send_range(g, 0, 3, 0);
        arrive(g, 1, 101);
        arrive(g, 2, 102);
        expect(g, 102, 0, 125);
        assert_int_equal(g->l.overtaken, 2);
        arrive(g, 3, 103);
        expect(g, 103, 1, NEVER);
        assert_int_equal(g->l.overtaken, 3);
        assert_true(at(g, 0)->lost);
}

/* What has arrived before the first hole has overtaken nothing, dropped yet or not. */
static void test_packets_in_order_overtake_nothing(void **state)
{
        struct rig *g = *state;

        send_range(g, 0, 9, 0);
        for (uint64_t i = 0; i < 8; i++)
                arrive(g, i, 107);
        expect(g, 107, 0, NEVER);
        assert_int_equal(g->l.overtaken, 0);
        sendq_drop(g->q, FIRST + 4);
        arrive(g, 9, 109);
        expect(g, 109, 0, 133);
        assert_int_equal(g->l.overtaken, 1);
        sendq_drop(g->q, FIRST + 8);
        expect(g, 109, 0, 133);
        assert_int_equal(g->l.overtaken, 1);
}

/* One is enough then. */
static void test_a_window_of_nothing_in_recovery(void **state)
{
        struct rig *g = *state;

        send_range(g, 0, 3, 0);
        for (uint64_t i = 1; i < 4; i++)
                arrive(g, i, 103);
        expect(g, 103, 1, NEVER);
        resend(g, 0, 110);
        send_range(g, 4, 6, 111);
        assert_true(loss_begin(&g->l, sendq_next(g->q)));
        arrive(g, 0, 210);
        sendq_drop(g->q, FIRST + 4);
        expect(g, 210, 0, NEVER);
        arrive(g, 5, 212);
        expect(g, 212, 1, NEVER); /* 4 */
        assert_int_equal(g->l.overtaken, 1);
        assert_int_equal(window_ms(g), 0);
}

/* -- reordering -------------------------------------------------------------------- */

static void see_reordering(struct rig *g)
{
        send_range(g, 0, 1, 0);
        arrive(g, 1, 101);
        expect(g, 101, 0, 125);
        assert_false(g->l.reordered);
        arrive(g, 0, 102);
        assert_true(g->l.reordered);
        expect(g, 102, 0, NEVER);
        sendq_drop(g->q, FIRST + 2);
}

static void test_reordering_opens_the_window(void **state)
{
        struct rig *g = *state;

        see_reordering(g);
        send_range(g, 2, 6, 200);
        for (uint64_t i = 3; i < 6; i++)
                arrive(g, i, 303);
        expect(g, 303, 0, 325); /* three have overtaken it, and still there is a window */
        expect(g, 325, 1, NEVER);
        assert_true(loss_begin(&g->l, sendq_next(g->q)));
        assert_int_equal(window_ms(g), 25); /* in recovery as well */
}

/* One acknowledgement tells of many, in whatever order it is read. */
static void test_an_acknowledgement_has_no_order(void **state)
{
        struct rig *g = *state;

        send_range(g, 0, 3, 0);
        arrive(g, 3, 103);
        arrive(g, 1, 103);
        arrive(g, 2, 103);
        arrive(g, 0, 103);
        assert_false(g->l.reordered);
        expect(g, 103, 0, NEVER);
}

static void lose_the_first(struct rig *g)
{
        send_range(g, 0, 3, 0);
        for (uint64_t i = 1; i < 4; i++)
                arrive(g, i, 103);
        expect(g, 103, 1, NEVER);
        assert_true(loss_begin(&g->l, sendq_next(g->q)));
}

static void test_a_retransmission_is_no_reordering(void **state)
{
        struct rig *g = *state;

        lose_the_first(g);
        resend(g, 0, 110);
        arrive(g, 0, 210);
        assert_false(g->l.reordered);
}

static void test_an_original_that_comes_late_is_reordering(void **state)
{
        struct rig *g = *state;

        lose_the_first(g);
        resend(g, 0, 110);
        arrive_of(g, 0, 0, 115);
        assert_true(g->l.reordered);
        assert_int_equal(g->l.rack_tx_ns, 3 * MS); /* it was sent before that */
        expect(g, 115, 0, NEVER);
}

/* -- D-SACK -------------------------------------------------------------------------- */

static void test_a_dsack_widens_the_window_once_a_round(void **state)
{
        struct rig *g = *state;

        assert_int_equal(window_ms(g), 25);
        loss_dsack(&g->l, FIRST + 10);
        assert_int_equal(window_ms(g), 50);
        loss_dsack(&g->l, FIRST + 12);
        assert_int_equal(window_ms(g), 50);
        loss_advance(&g->l, FIRST + 9);
        loss_dsack(&g->l, FIRST + 15);
        assert_int_equal(window_ms(g), 50);
        loss_advance(&g->l, FIRST + 10);
        loss_dsack(&g->l, FIRST + 20);
        assert_int_equal(window_ms(g), 75);
}

static void test_the_window_is_at_most_srtt(void **state)
{
        struct rig *g = *state;

        for (uint64_t i = 1; i <= 5000; i++) {
                loss_dsack(&g->l, FIRST + i);
                loss_advance(&g->l, FIRST + i);
        }
        assert_int_equal(window_ms(g), 100);
        assert_int_equal(g->l.reo_mult, LOSS_REO_MULT_MAX);
}

static void recover(struct rig *g, uint64_t end)
{
        assert_true(loss_begin(&g->l, FIRST + end));
        assert_true(loss_advance(&g->l, FIRST + end));
}

static void test_sixteen_recoveries_narrow_it_again(void **state)
{
        struct rig *g = *state;

        loss_dsack(&g->l, FIRST + 1);
        loss_advance(&g->l, FIRST + 1);
        loss_dsack(&g->l, FIRST + 2);
        assert_int_equal(window_ms(g), 75);
        for (uint64_t i = 0; i < 15; i++)
                recover(g, 10 + i);
        assert_int_equal(window_ms(g), 75);
        loss_dsack(&g->l, FIRST + 30); /* another: the count begins again */
        assert_int_equal(window_ms(g), 100);
        for (uint64_t i = 0; i < 15; i++)
                recover(g, 40 + i);
        assert_int_equal(window_ms(g), 100);
        recover(g, 60);
        assert_int_equal(window_ms(g), 25);
        for (uint64_t i = 0; i < 20; i++)
                recover(g, 70 + i);
        assert_int_equal(window_ms(g), 25);
}

/* -- what was sent again --------------------------------------------------------------- */

static void test_a_retransmission_that_is_lost_is_found_by_time(void **state)
{
        struct rig *g = *state;

        lose_the_first(g);
        send_at(g, 109);
        resend(g, 0, 110);
        assert_false(at(g, 0)->lost);
        send_at(g, 111);
        arrive(g, 4, 209);
        expect(g, 209, 0, NEVER); /* sent before it */
        arrive(g, 5, 211);
        expect(g, 211, 1, NEVER); /* sent behind it; and there is no window in recovery */
        assert_true(at(g, 0)->lost);
}

/* Many packets leave at one time of the clock. What counts then is which came first. */
static void test_order_within_one_time(void **state)
{
        struct rig *g = *state;

        lose_the_first(g);
        send_at(g, 110); /* 4 */
        resend(g, 0, 110);
        send_at(g, 110); /* 5 */
        arrive(g, 4, 210);
        expect(g, 210, 0, NEVER);
        arrive(g, 5, 210);
        expect(g, 210, 1, NEVER);
        assert_true(at(g, 0)->lost);
}

/* The original of a packet that was sent again tells nothing of those that left at the same time as that. */
static void test_a_former_transmission_within_one_time(void **state)
{
        struct rig *g = *state;

        send_range(g, 0, 0, 0);
        send_at(g, 0);
        send_at(g, 0);
        resend(g, 2, 50);
        arrive_of(g, 2, 0, 100);
        expect(g, 500, 0, NEVER);
        arrive(g, 1, 501);
        expect(g, 501, 0, 526); /* 0 was sent before 1 */
}

/* What was dropped without having arrived (unreliable flows) is not looked for any more. */
static void test_what_is_dropped_is_forgotten(void **state)
{
        struct rig *g = *state;

        send_range(g, 0, 9, 0);
        arrive(g, 5, 105);
        sendq_drop(g->q, FIRST + 3);
        expect(g, 105, 0, 128);
        expect(g, 128, 1, 129);
        sendq_drop(g->q, FIRST + 4); /* 3 is lost */
        expect(g, 129, 1, NEVER);
        sendq_drop(g->q, FIRST + 5); /* 4, too, and behind it lies what has arrived */
        arrive(g, 9, 109);
        expect(g, 109, 0, 131);
        assert_int_equal(g->l.overtaken, 1);
}

/* -- timeouts, recovery ------------------------------------------------------------------ */

static void time_out(struct rig *g, int64_t ms, unsigned n, int64_t due_ms)
{
        unsigned got;
        uint64_t bytes = loss_timeout(&g->l, g->q, &g->r, ms * MS, &got);

        assert_int_equal(got, n);
        assert_int_equal(bytes, n * 1000u);
        assert_int_equal(g->l.reo_due_ns, due_ms == NEVER ? CLOCK_NEVER : due_ms * MS);
}

static void test_a_timeout_spares_what_was_sent_within_a_round_trip(void **state)
{
        struct rig *g = *state;
        uint64_t    seq;

        send_at(g, 0);
        send_at(g, 800);
        send_at(g, 900);
        send_at(g, 901);
        resend(g, 1, 950);
        time_out(g, 1000, 2, NEVER);
        assert_true(at(g, 0)->lost && at(g, 2)->lost);
        assert_false(at(g, 1)->lost || at(g, 3)->lost);
        assert_ptr_equal(sendq_first_lost(g->q, &seq), at(g, 0));
        assert_int_equal(seq, FIRST);
}

static void test_a_timeout_never_comes_to_nothing(void **state)
{
        struct rig *g = *state;

        time_out(g, 0, 0, NEVER);
        send_at(g, 990);
        send_at(g, 991);
        time_out(g, 1000, 1, NEVER);
        time_out(g, 1000, 1, NEVER);
        time_out(g, 1000, 0, NEVER);
}

static void test_a_timeout_without_a_sample_takes_all(void **state)
{
        struct rig *g = *state;

        g->r = (struct rtt){0};
        send_range(g, 0, 9, 0);
        arrive(g, 2, 1000);
        time_out(g, 1000, 9, NEVER);
}

/* The timer for those that are spared is set, too. */
static void test_a_timeout_looks_again(void **state)
{
        struct rig *g = *state;

        send_at(g, 0);
        send_at(g, 901);
        send_at(g, 902);
        send_at(g, 903);
        arrive(g, 3, 990);
        time_out(g, 1000, 1, 901 + 87 + 25);
        assert_false(at(g, 1)->lost);
}

static void test_recovery_begins_and_ends_once(void **state)
{
        struct rig *g = *state;

        assert_false(loss_advance(&g->l, FIRST));
        assert_true(loss_begin(&g->l, FIRST + 10));
        assert_false(loss_begin(&g->l, FIRST + 15));
        assert_false(loss_advance(&g->l, FIRST + 9));
        assert_true(g->l.recovering);
        assert_true(loss_advance(&g->l, FIRST + 10));
        assert_false(loss_advance(&g->l, FIRST + 11));
        assert_true(loss_begin(&g->l, FIRST + 20));
        assert_true(loss_advance(&g->l, FIRST + 25));
}

/* -- against a model ----------------------------------------------------------------------- */

/* RFC 8985, 6.2, step 5, as it is written: over all segments, by time of transmission and the order of it. */
static unsigned model_lost(struct rig *g, int64_t window, int64_t now_ns, bool lost[], int64_t *due_ns)
{
        unsigned n = 0;

        *due_ns = CLOCK_NEVER;
        for (uint64_t seq = sendq_base(g->q); seq < sendq_next(g->q); seq++) {
                const struct sent *s   = sendq_at(g->q, seq);
                int64_t            due = s->tx_ns + g->l.rack_rtt_ns + window;

                lost[seq - FIRST] = s->lost;
                if (s->acked || s->lost || s->tx_ns > g->l.rack_tx_ns ||
                    (s->tx_ns == g->l.rack_tx_ns && s->order >= g->l.rack_order))
                        continue;
                if (due <= now_ns)
                        n += lost[seq - FIRST] = true;
                else if (due < *due_ns)
                        *due_ns = due;
        }
        return n;
}

static unsigned model_overtaken(struct rig *g)
{
        uint64_t seq = sendq_base(g->q);
        unsigned n   = 0;

        while (seq < sendq_next(g->q) && sendq_at(g->q, seq)->acked)
                seq++;
        for (; seq < sendq_next(g->q); seq++)
                n += sendq_at(g->q, seq)->acked;
        return n;
}

static void detect_both(struct rig *g, int64_t now_ns)
{
        static bool lost[4000];
        unsigned    n, got;
        int64_t     due;

        g->l.overtaken = model_overtaken(g);
        n              = model_lost(g, loss_window_ns(&g->l, &g->r), now_ns, lost, &due);
        loss_detect(&g->l, g->q, &g->r, now_ns, &got);
        assert_int_equal(got, n);
        assert_int_equal(g->l.reo_due_ns, due);
        assert_int_equal(g->l.overtaken, model_overtaken(g));
        for (uint64_t seq = sendq_base(g->q); seq < sendq_next(g->q); seq++)
                assert_int_equal(sendq_at(g->q, seq)->lost, lost[seq - FIRST]);
        if (got > 0)
                loss_begin(&g->l, sendq_next(g->q));
}

static void touch(struct rig *g, uint64_t i, uint64_t what, int64_t ms)
{
        struct sent *s = at(g, i);

        if (s->acked)
                return;
        if (what == 0 || (s->lost && what < 4))
                resend(g, i, ms);
        else
                arrive_of(g, i, what == 5 ? s->first_ns / MS : s->tx_ns / MS, ms);
}

static void advance(struct rig *g)
{
        while (sendq_base(g->q) < sendq_next(g->q) && sendq_at(g->q, sendq_base(g->q))->acked)
                sendq_drop(g->q, sendq_base(g->q) + 1);
        loss_advance(&g->l, sendq_base(g->q));
}

static void test_against_the_model(void **state)
{
        struct rig *g      = *state;
        uint64_t    random = 1;
        int64_t     ms     = 0;

        for (int step = 0; step < 20000 && sendq_next(g->q) < FIRST + 3900; step++) {
                uint64_t out = sendq_next(g->q) - sendq_base(g->q);

                ms += (int64_t)random_below(&random, 8);
                for (uint64_t n = random_below(&random, 4); n > 0 && out < 100; n--)
                        send_at(g, ms);
                for (uint64_t n = random_below(&random, 6); n > 0 && out > 0; n--)
                        touch(g, sendq_base(g->q) - FIRST + random_below(&random, out),
                              random_below(&random, 8), ms);
                if (random_below(&random, 50) == 0)
                        loss_dsack(&g->l, sendq_next(g->q));
                if (random_below(&random, 2) == 0)
                        advance(g);
                detect_both(g, ms * MS);
                if (random_below(&random, 2) == 0)
                        advance(g);
        }
        assert_true(sendq_next(g->q) > FIRST + 1000);
}

/* -- a large window ---------------------------------------------------------------------------- */

#define WINDOW 16384u /* packets in flight: one leaves and one arrives every us */
#define TICKS  400000u

static struct flight {
        uint64_t seq; /* 0: nothing was sent */
        int64_t  tx_ns;
        bool     lost;
} flights[WINDOW];

/* One of a hundred gets lost, retransmitted or not. */
static void depart(struct rig *g, struct flight *f, uint64_t *random, int64_t now_ns)
{
        uint64_t     seq;
        struct sent *s = sendq_first_lost(g->q, &seq);

        if (s == NULL) {
                seq = sendq_next(g->q);
                send_ns(g, now_ns);
        } else {
                sendq_resent(g->q, seq);
                s->retransmitted = true;
                s->tx_ns         = now_ns;
        }
        *f = (struct flight){.seq = seq, .tx_ns = now_ns, .lost = random_below(random, 100) == 0};
}

static unsigned land(struct rig *g, const struct flight *f, int64_t now_ns)
{
        unsigned n = 0;

        if (f->seq == 0 || f->lost)
                return 0;
        loss_arrived(&g->l, g->q, f->seq, f->tx_ns, now_ns);
        sendq_at(g->q, f->seq)->acked = true;
        advance(g);
        loss_detect(&g->l, g->q, &g->r, now_ns, &n);
        if (n > 0)
                loss_begin(&g->l, sendq_next(g->q));
        return n;
}

/*
 * Nothing is reordered, so what is lost is exactly what was: were one taken for lost that is not, it would
 * arrive twice. Two searches of the window in each tick would take many seconds.
 */
static void test_a_large_window(void **state)
{
        struct rig *g      = *state;
        uint64_t    random = 1;
        unsigned    lost   = 0;
        unsigned    found  = 0;

        for (uint64_t t = 1; t <= TICKS; t++) {
                struct flight *f = &flights[t % WINDOW];

                lost += f->seq != 0 && f->lost;
                if (f->seq != 0 && !f->lost)
                        assert_false(sendq_at(g->q, f->seq)->acked || sendq_at(g->q, f->seq)->lost);
                found += land(g, f, (int64_t)t * NS_PER_US);
                depart(g, f, &random, (int64_t)t * NS_PER_US);
        }
        assert_in_range(lost, TICKS / 120, TICKS / 80);
        assert_in_range(found, lost - 3, lost);
        assert_false(g->l.reordered);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                STORY(test_nothing_is_out),
                STORY(test_overtaken_packets_are_lost_after_the_window),
                STORY(test_each_has_its_time),
                STORY(test_three_that_overtook_are_enough),
                STORY(test_packets_in_order_overtake_nothing),
                STORY(test_a_window_of_nothing_in_recovery),
                STORY(test_reordering_opens_the_window),
                STORY(test_an_acknowledgement_has_no_order),
                STORY(test_a_retransmission_is_no_reordering),
                STORY(test_an_original_that_comes_late_is_reordering),
                STORY(test_a_dsack_widens_the_window_once_a_round),
                STORY(test_the_window_is_at_most_srtt),
                STORY(test_sixteen_recoveries_narrow_it_again),
                STORY(test_a_retransmission_that_is_lost_is_found_by_time),
                STORY(test_order_within_one_time),
                STORY(test_a_former_transmission_within_one_time),
                STORY(test_what_is_dropped_is_forgotten),
                STORY(test_a_timeout_spares_what_was_sent_within_a_round_trip),
                STORY(test_a_timeout_never_comes_to_nothing),
                STORY(test_a_timeout_without_a_sample_takes_all),
                STORY(test_a_timeout_looks_again),
                STORY(test_recovery_begins_and_ends_once),
                STORY(test_against_the_model),
                STORY(test_a_large_window),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
