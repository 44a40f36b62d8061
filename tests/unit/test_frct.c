/*
 * test_frct.c - FRCT's engine over its public face: stories in virtual time with exact numbers. Packets are
 * carried by hand, so that each can be looked at, lost, delayed, repeated and altered; only the last ones run
 * over a link.
 *
 * Pieces are of 1000 bytes. Unless a story is about congestion, there is no control of it.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ouroboros/errno.h>

#include "base/clock.h"
#include "frct/frct.h"

#include "random.h"

#define MS     NS_PER_MS
#define S      NS_PER_S
#define T0     (1000 * S)
#define PIECE  1000u
#define PACKET (PIECE + FRCT_HDR_DATA_MAX)
#define MPL    S
#define WINDOW 1049u /* packets of a message of 1 MiB: the smallest window */

struct packet {
        uint8_t         bytes[PACKET];
        size_t          n;
        struct frct_hdr h;
        size_t          payload;
};

static struct frct_conf conf_for(bool reliable, enum cc_kind cc, uint64_t seed)
{
        return (struct frct_conf){
                .packet   = PACKET,
                .mpl_ns   = MPL,
                .reliable = reliable,
                .cc       = cc,
                .rx_bytes = 1,
                .seed     = seed,
        };
}

static struct frct *make(bool reliable, enum cc_kind cc, uint64_t seed)
{
        struct frct_conf conf = conf_for(reliable, cc, seed);
        struct frct     *f    = frct_create(&conf, T0);

        assert_non_null(f);
        return f;
}

/* The two ends of a flow. */
struct pair {
        struct frct *a, *b;
};

static struct pair make_pair(bool reliable, enum cc_kind cc)
{
        return (struct pair){make(reliable, cc, 1), make(reliable, cc, 2)};
}

static void end_pair(struct pair *p)
{
        frct_destroy(p->a);
        frct_destroy(p->b);
}

/* The next packet of @f, or false. */
static bool take(struct frct *f, struct packet *p, int64_t now_ns)
{
        struct rd r;

        p->n = frct_tx(f, p->bytes, now_ns);
        if (p->n == 0)
                return false;
        r = (struct rd){.p = p->bytes, .end = p->bytes + p->n};
        assert_true(frct_hdr_get(&r, &p->h));
        p->payload = (size_t)(r.end - r.p);
        return true;
}

static struct packet must(struct frct *f, int64_t now_ns)
{
        struct packet p;

        assert_true(take(f, &p, now_ns));
        return p;
}

static void silent(struct frct *f, int64_t now_ns)
{
        struct packet p;

        assert_false(take(f, &p, now_ns));
}

static void give(struct frct *f, const struct packet *p, int64_t now_ns)
{
        assert_true(frct_rx(f, p->bytes, p->n, false, now_ns));
}

static void write_n(struct frct *f, unsigned n, int64_t now_ns)
{
        for (unsigned i = 0; i < n; i++)
                assert_int_equal(frct_write(f, "hello", 5, now_ns), 0);
}

static unsigned read_all(struct frct *f, int64_t now_ns)
{
        char     buf[8];
        unsigned n = 0;

        for (; frct_look(f) > 0; n++) {
                assert_int_equal(frct_read(f, buf, sizeof(buf), now_ns), 5);
                assert_memory_equal(buf, "hello", 5);
        }
        return n;
}

static struct frct_stats stats(const struct frct *f)
{
        struct frct_stats s;

        frct_stats(f, &s);
        return s;
}

/* Makes an acknowledgement as its header says. */
static void forge(struct packet *p)
{
        struct wr w = {.p = p->bytes, .end = p->bytes + sizeof(p->bytes)};

        frct_hdr_put(&w, &p->h);
        p->n = (size_t)(w.p - p->bytes);
}

/*
 * Two packets to and one acknowledgement back: a round trip of 20 ms, so RTO = 20 + 4 * 10 + 10 = 70 ms.
 * Returns when it is over.
 */
static int64_t acquaint(struct pair *p)
{
        struct packet first, second, ack;

        write_n(p->a, 2, T0);
        first  = must(p->a, T0);
        second = must(p->a, T0);
        silent(p->a, T0);
        give(p->b, &first, T0 + 10 * MS);
        give(p->b, &second, T0 + 10 * MS);
        ack = must(p->b, T0 + 10 * MS);
        give(p->a, &ack, T0 + 20 * MS);
        silent(p->a, T0 + 20 * MS);
        assert_int_equal(stats(p->a).srtt_ns, 20 * MS);
        assert_int_equal(stats(p->a).rtt_var_ns, 10 * MS);
        assert_int_equal(read_all(p->b, T0 + 20 * MS), 2);
        while (take(p->b, &ack, T0 + 20 * MS)) /* of the window */
                give(p->a, &ack, T0 + 20 * MS);
        assert_true(frct_is_quiet(p->a));
        assert_int_equal(frct_due_ns(p->a), CLOCK_NEVER);
        assert_int_equal(frct_due_ns(p->b), CLOCK_NEVER);
        return T0 + 20 * MS;
}

/* -- beginnings --------------------------------------------------------------- */

static void test_first_packets_carry_run(void **state)
{
        struct pair   p = make_pair(true, CC_NONE);
        struct packet d[3], ack;

        (void)state;
        write_n(p.a, 3, T0);
        for (unsigned i = 0; i < 3; i++) {
                d[i] = must(p.a, T0);
                assert_int_equal(d[i].h.flags, FRCT_DATA | FRCT_FIRST | FRCT_LAST | FRCT_RUN);
                assert_int_equal(d[i].h.first, d[0].h.seq);
                assert_int_equal(d[i].h.seq, d[0].h.seq + i);
                assert_int_equal(d[i].n, 16 + 5);
        }
        silent(p.a, T0);
        give(p.b, &d[0], T0);
        give(p.b, &d[1], T0);
        ack = must(p.b, T0);
        assert_int_equal(ack.h.flags, FRCT_ACK);
        assert_int_equal(ack.n, FRCT_HDR_ACK);
        assert_int_equal(ack.h.ack, d[0].h.seq + 2);
        assert_int_equal(ack.h.edge, d[0].h.seq + WINDOW);
        give(p.a, &ack, T0);
        write_n(p.a, 1, T0);
        d[0] = must(p.a, T0); /* the third is out, and the run known */
        assert_int_equal(d[0].h.flags, FRCT_DATA | FRCT_FIRST | FRCT_LAST);
        assert_int_equal(d[0].n, FRCT_HDR_DATA + 5);
        give(p.b, &d[2], T0);
        give(p.b, &d[0], T0);
        ack = must(p.b, T0);
        give(p.a, &ack, T0);
        assert_true(frct_is_quiet(p.a));
        write_n(p.a, 1, T0);
        d[0] = must(p.a, T0); /* nothing is out */
        assert_true(d[0].h.flags & FRCT_RUN);
        assert_int_equal(d[0].h.first, d[0].h.seq);
        end_pair(&p);
}

/* All but the first arrive: the first alone is sent again, at once when the acknowledgement is there. */
static void test_first_packet_lost(void **state)
{
        struct pair   p = make_pair(true, CC_CUBIC);
        struct packet d[10], ack;

        (void)state;
        write_n(p.a, 10, T0);
        for (unsigned i = 0; i < 10; i++)
                d[i] = must(p.a, T0);
        for (unsigned i = 1; i < 10; i++)
                give(p.b, &d[i], T0 + 10 * MS);
        assert_int_equal(frct_look(p.b), 0);
        ack = must(p.b, T0 + 10 * MS);
        silent(p.b, T0 + 10 * MS);
        assert_int_equal(ack.h.ack, d[0].h.seq);
        assert_int_equal(ack.h.n_ranges, 1);
        assert_int_equal(ack.h.ranges[0].from, d[1].h.seq);
        assert_int_equal(ack.h.ranges[0].to, d[9].h.seq + 1);
        give(p.a, &ack, T0 + 20 * MS);
        ack = must(p.a, T0 + 20 * MS);
        silent(p.a, T0 + 20 * MS);
        assert_int_equal(ack.h.seq, d[0].h.seq);
        give(p.b, &ack, T0 + 30 * MS);
        assert_int_equal(read_all(p.b, T0 + 30 * MS), 10);
        ack = must(p.b, T0 + 30 * MS);
        assert_int_equal(ack.h.ack, d[0].h.seq + 10);
        give(p.a, &ack, T0 + 40 * MS);
        assert_true(frct_is_quiet(p.a));
        assert_int_equal(stats(p.a).retransmitted, 1);
        assert_int_equal(stats(p.a).losses, 1);
        assert_int_equal(stats(p.a).timeouts, 0);
        assert_int_equal(stats(p.a).in_flight, 0);
        end_pair(&p);
}

/* The second overtakes the first by a ms: nothing is sent again. */
static void test_first_packet_late(void **state)
{
        struct pair   p = make_pair(true, CC_CUBIC);
        struct packet d[10], ack;

        (void)state;
        write_n(p.a, 10, T0);
        for (unsigned i = 0; i < 10; i++)
                d[i] = must(p.a, T0);
        give(p.b, &d[1], T0 + 10 * MS);
        ack = must(p.b, T0 + 10 * MS);
        give(p.a, &ack, T0 + 20 * MS);
        silent(p.a, T0 + 20 * MS);
        assert_int_equal(frct_due_ns(p.a), T0 + 25 * MS); /* a quarter of the round trip */
        give(p.b, &d[0], T0 + 11 * MS);
        ack = must(p.b, T0 + 11 * MS);
        assert_int_equal(ack.h.ack, d[2].h.seq);
        assert_int_equal(read_all(p.b, T0 + 11 * MS), 2);
        for (unsigned i = 2; i < 10; i++)
                give(p.b, &d[i], T0 + 12 * MS);
        give(p.a, &ack, T0 + 21 * MS);
        ack = must(p.b, T0 + 12 * MS);
        give(p.a, &ack, T0 + 22 * MS);
        silent(p.a, T0 + 22 * MS);
        assert_true(frct_is_quiet(p.a));
        assert_int_equal(stats(p.a).retransmitted, 0);
        assert_int_equal(stats(p.a).losses, 0);
        end_pair(&p);
}

/* -- acknowledgements ------------------------------------------------------------ */

static void test_ack_on_receipt(void **state)
{
        struct pair   p = make_pair(true, CC_NONE);
        struct packet d[3], ack;

        (void)state;
        write_n(p.a, 3, T0);
        for (unsigned i = 0; i < 3; i++)
                d[i] = must(p.a, T0);
        give(p.b, &d[0], T0);
        silent(p.b, T0);
        assert_int_equal(frct_due_ns(p.b), T0 + 10 * MS);
        silent(p.b, T0 + 10 * MS - 1);
        ack = must(p.b, T0 + 10 * MS); /* nothing was read */
        assert_int_equal(ack.h.ack, d[1].h.seq);
        assert_int_equal(ack.h.echo, d[0].h.stamp);
        assert_int_equal(ack.h.delay, 10000);
        assert_int_equal(frct_due_ns(p.b), CLOCK_NEVER);
        give(p.b, &d[1], T0 + 11 * MS);
        silent(p.b, T0 + 11 * MS);
        give(p.b, &d[2], T0 + 12 * MS);
        ack = must(p.b, T0 + 12 * MS); /* each second */
        assert_int_equal(ack.h.ack, d[2].h.seq + 1);
        assert_int_equal(ack.h.delay, 12000); /* since the latest stamp, which all three share, came first */
        end_pair(&p);
}

static void test_ack_rides_on_data(void **state)
{
        struct pair   p = make_pair(true, CC_NONE);
        struct packet d, e;

        (void)state;
        write_n(p.a, 1, T0);
        d = must(p.a, T0);
        give(p.b, &d, T0 + MS);
        write_n(p.b, 1, T0 + 2 * MS);
        e = must(p.b, T0 + 2 * MS);
        assert_int_equal(e.h.flags, FRCT_DATA | FRCT_FIRST | FRCT_LAST | FRCT_RUN | FRCT_ACK);
        assert_int_equal(e.h.ack, d.h.seq + 1);
        assert_int_equal(e.h.delay, 1000);
        assert_int_equal(frct_due_ns(p.b), T0 + 2 * MS + S); /* only its own packet is left */
        give(p.a, &e, T0 + 3 * MS);
        assert_true(frct_is_quiet(p.a));
        assert_int_equal(read_all(p.a, T0 + 3 * MS), 1);
        end_pair(&p);
}

static void test_ranges_and_dsack(void **state)
{
        struct pair   p = make_pair(true, CC_NONE);
        struct packet d[6], ack;
        uint32_t      first;

        (void)state;
        write_n(p.a, 6, T0);
        for (unsigned i = 0; i < 6; i++)
                d[i] = must(p.a, T0);
        first = d[0].h.seq;
        give(p.b, &d[4], T0);
        give(p.b, &d[2], T0);
        ack = must(p.b, T0);
        assert_int_equal(ack.h.n_ranges, 2);
        assert_int_equal(ack.h.ranges[0].from, first + 2); /* what came last goes first */
        assert_int_equal(ack.h.ranges[0].to, first + 3);
        assert_int_equal(ack.h.ranges[1].from, first + 4);
        give(p.b, &d[4], T0);
        ack = must(p.b, T0);
        assert_int_equal(ack.h.n_ranges, 3);
        for (unsigned i = 0; i < 2; i++) { /* D-SACK, then the range that holds it */
                assert_int_equal(ack.h.ranges[i].from, first + 4);
                assert_int_equal(ack.h.ranges[i].to, first + 5);
        }
        assert_int_equal(ack.h.ranges[2].from, first + 2);
        assert_int_equal(stats(p.b).duplicates, 1);
        give(p.b, &d[0], T0); /* in order, but more is lacking: at once */
        ack = must(p.b, T0);
        assert_int_equal(ack.h.ack, first + 1);
        assert_int_equal(ack.h.n_ranges, 2);
        give(p.b, &d[1], T0);
        give(p.b, &d[3], T0);
        give(p.b, &d[3], T0);
        ack = must(p.b, T0);
        assert_int_equal(ack.h.ack, first + 5);
        assert_int_equal(ack.h.n_ranges, 1);
        assert_int_equal(ack.h.ranges[0].from, first + 3);
        give(p.a, &ack, T0 + MS);
        assert_int_equal(stats(p.a).in_flight, 5 + FRCT_HDR_DATA);
        end_pair(&p);
}

static void test_marks(void **state)
{
        struct pair   p = make_pair(true, CC_CUBIC);
        struct packet d[3], ack;
        uint64_t      cwnd = stats(p.a).cwnd;

        (void)state;
        write_n(p.a, 3, T0);
        for (unsigned i = 0; i < 3; i++)
                d[i] = must(p.a, T0);
        assert_true(frct_rx(p.b, d[0].bytes, d[0].n, true, T0 + MS));
        ack = must(p.b, T0 + MS); /* the first mark is told at once */
        assert_int_equal(ack.h.marks, 1);
        give(p.a, &ack, T0 + 2 * MS);
        assert_true(stats(p.a).cwnd < cwnd);
        assert_int_equal(stats(p.b).marks, 1);
        cwnd = stats(p.a).cwnd;
        assert_true(frct_rx(p.b, d[1].bytes, d[1].n, true, T0 + MS));
        assert_true(frct_rx(p.b, d[2].bytes, d[2].n, true, T0 + MS));
        ack = must(p.b, T0 + MS);
        assert_int_equal(ack.h.marks, 3);
        end_pair(&p);
}

/* -- loss -------------------------------------------------------------------------- */

/* Nothing is known of the round trip: 1 s, and the echo says that the second transmission is answered. */
static void test_sample_of_a_retransmission(void **state)
{
        struct pair   p = make_pair(true, CC_NONE);
        struct packet d, ack;

        (void)state;
        write_n(p.a, 1, T0);
        must(p.a, T0);
        assert_int_equal(frct_due_ns(p.a), T0 + S);
        silent(p.a, T0 + S - 1);
        d = must(p.a, T0 + S);
        assert_true(d.h.flags & FRCT_PROBE && d.h.flags & FRCT_RUN);
        assert_int_equal(stats(p.a).timeouts, 1);
        give(p.b, &d, T0 + S + 10 * MS);
        ack = must(p.b, T0 + S + 10 * MS);
        give(p.a, &ack, T0 + S + 20 * MS);
        assert_int_equal(stats(p.a).srtt_ns, 20 * MS);
        assert_true(frct_is_quiet(p.a));
        end_pair(&p);
}

static void test_probe_then_timeouts(void **state)
{
        struct pair   p   = make_pair(true, CC_NONE);
        int64_t       now = acquaint(&p);
        int64_t       rto = 70 * MS;
        struct packet d, e;

        (void)state;
        write_n(p.a, 1, now);
        d = must(p.a, now);
        silent(p.a, now);
        now += 2 * 20 * MS + 10 * MS; /* TLP: the only one out may be held back */
        assert_int_equal(frct_due_ns(p.a), now);
        e = must(p.a, now);
        silent(p.a, now);
        assert_int_equal(e.h.flags, d.h.flags | FRCT_PROBE);
        assert_true(d.h.flags & FRCT_RUN);
        assert_int_equal(e.h.seq, d.h.seq);
        assert_int_equal(stats(p.a).probes, 1);
        assert_int_equal(stats(p.a).timeouts, 0);
        for (unsigned i = 0; i < 5; i++) {
                now += rto;
                assert_int_equal(frct_due_ns(p.a), now);
                e = must(p.a, now);
                silent(p.a, now);
                assert_int_equal(e.h.seq, d.h.seq);
                assert_true(e.h.flags & FRCT_RUN); /* the receiver may have forgotten */
                rto *= 2;
        }
        assert_int_equal(stats(p.a).timeouts, 5);
        assert_int_equal(stats(p.a).retransmitted, 6);
        assert_int_equal(stats(p.a).in_flight, 5 + FRCT_HDR_DATA);
        end_pair(&p);
}

/* The acknowledgement got lost, not the packet: the probe tells by its D-SACK, and nothing was lost. */
static void test_probe_that_was_not_needed(void **state)
{
        struct pair   p    = make_pair(true, CC_CUBIC);
        int64_t       now  = acquaint(&p);
        uint64_t      cwnd = stats(p.a).cwnd;
        struct packet d, ack;

        (void)state;
        write_n(p.a, 1, now);
        d = must(p.a, now);
        give(p.b, &d, now + 10 * MS);
        must(p.b, now + 20 * MS); /* it gets lost */
        d = must(p.a, now + 50 * MS);
        give(p.b, &d, now + 60 * MS);
        ack = must(p.b, now + 60 * MS);
        assert_int_equal(ack.h.n_ranges, 1);
        give(p.a, &ack, now + 70 * MS);
        assert_int_equal(stats(p.a).losses, 0);
        assert_true(stats(p.a).cwnd >= cwnd);
        assert_true(frct_is_quiet(p.a));
        end_pair(&p);
}

/* The probe mended the tail: the controller hears of a loss, and recovery is over with it. */
static void test_probe_that_was_needed(void **state)
{
        struct pair   p    = make_pair(true, CC_CUBIC);
        int64_t       now  = acquaint(&p);
        uint64_t      cwnd = stats(p.a).cwnd;
        struct packet d, ack;

        (void)state;
        write_n(p.a, 1, now);
        must(p.a, now); /* it gets lost */
        d = must(p.a, now + 50 * MS);
        give(p.b, &d, now + 60 * MS);
        ack = must(p.b, now + 60 * MS);
        give(p.a, &ack, now + 70 * MS);
        assert_int_equal(stats(p.a).losses, 1);
        assert_true(stats(p.a).cwnd < cwnd);
        assert_int_equal(read_all(p.b, now + 70 * MS), 1);
        while (take(p.b, &ack, now + 70 * MS))
                give(p.a, &ack, now + 70 * MS);
        write_n(p.a, 1, now + S);
        d = must(p.a, now + S); /* the next one lost would be probed for as well */
        assert_true(frct_due_ns(p.a) < now + S + 70 * MS);
        cwnd = stats(p.a).cwnd;
        assert_true(frct_rx(p.b, d.bytes, d.n, true, now + S + 10 * MS));
        ack = must(p.b, now + S + 10 * MS);
        give(p.a, &ack, now + S + 20 * MS);
        assert_true(stats(p.a).cwnd < cwnd); /* a mark counts: recovery is over */
        end_pair(&p);
}

/* Four are late, not lost: probe, timeout, and then all four originals are acknowledged. */
static void test_spurious_timeout_is_undone(void **state)
{
        struct pair   p    = make_pair(true, CC_CUBIC);
        int64_t       now  = acquaint(&p);
        uint64_t      cwnd = stats(p.a).cwnd;
        struct packet d[4], ack[2];

        (void)state;
        write_n(p.a, 4, now);
        for (unsigned i = 0; i < 4; i++) { /* paced */
                d[i] = must(p.a, now);
                silent(p.a, now);
                if (i < 3)
                        now = frct_due_ns(p.a);
        }
        must(p.a, now + 50 * MS);  /* TLP */
        must(p.a, now + 120 * MS); /* RTO */
        assert_int_equal(stats(p.a).timeouts, 1);
        assert_true(stats(p.a).cwnd < cwnd);
        for (unsigned i = 0; i < 2; i++) {
                give(p.b, &d[2 * i], now + 119 * MS);
                give(p.b, &d[2 * i + 1], now + 119 * MS);
                ack[i] = must(p.b, now + 119 * MS);
        }
        give(p.a, &ack[0], now + 125 * MS);
        assert_true(stats(p.a).cwnd < cwnd);
        give(p.a, &ack[1], now + 125 * MS);
        assert_true(stats(p.a).cwnd >= cwnd);
        assert_true(stats(p.a).spurious >= 2);
        assert_true(frct_is_quiet(p.a));
        silent(p.a, now + 125 * MS);
        assert_int_equal(stats(p.a).in_flight, 0);
        end_pair(&p);
}

/* R: nothing comes back. */
static void test_given_up_after_r(void **state)
{
        struct pair   p   = make_pair(true, CC_CUBIC);
        int64_t       now = T0;
        struct packet d;
        unsigned      n = 0;

        (void)state;
        write_n(p.a, 1, now);
        while (!frct_is_over(p.a)) {
                for (; take(p.a, &d, now); n++)
                        assert_true(d.h.flags & FRCT_RUN);
                if (frct_is_over(p.a))
                        break;
                assert_true(frct_due_ns(p.a) > now);
                now = frct_due_ns(p.a);
        }
        assert_int_equal(now, T0 + 120 * S);
        assert_int_equal(n, 7); /* at 0, 1, 3, 7, 15, 31 and 63 s */
        assert_int_equal(frct_due_ns(p.a), CLOCK_NEVER);
        assert_int_equal(frct_write(p.a, "x", 1, now), -EFLOWPEER);
        assert_int_equal(frct_look(p.a), -EFLOWPEER);
        assert_true(frct_is_quiet(p.a));
        end_pair(&p);
}

/* -- the window ----------------------------------------------------------------------- */

/* Carries without delay until both are silent. Returns the packets with DATA from a to b. */
static unsigned carry(struct pair *p, int64_t now_ns)
{
        struct packet d;
        unsigned      n = 0;

        for (bool any = true; any;) {
                any = false;
                for (; take(p->a, &d, now_ns); any = true) {
                        n += d.h.flags & FRCT_DATA;
                        give(p->b, &d, now_ns);
                }
                for (; take(p->b, &d, now_ns); any = true)
                        give(p->a, &d, now_ns);
        }
        return n;
}

static void test_window_closes_and_opens(void **state)
{
        struct pair   p        = make_pair(true, CC_NONE);
        int64_t       now      = T0;
        int64_t       probe_ns = 50 * MS; /* least RTO */
        struct packet d, ack;
        char          buf[8];

        (void)state;
        write_n(p.a, WINDOW + 10, now);
        carry(&p, now);
        assert_int_equal(stats(p.b).rx_packets, WINDOW);
        assert_int_equal(stats(p.a).in_flight, 0);
        for (unsigned i = 0; i < 12; i++) {
                now += probe_ns;
                assert_int_equal(frct_due_ns(p.a), now);
                d = must(p.a, now);
                silent(p.a, now);
                assert_int_equal(d.h.flags, FRCT_PROBE | FRCT_RUN);
                give(p.b, &d, now);
                ack = must(p.b, now);
                silent(p.b, now);
                assert_int_equal(ack.h.edge, ack.h.ack);
                give(p.a, &ack, now);
                silent(p.a, now);
                probe_ns = 2 * probe_ns < 5 * S ? 2 * probe_ns : 5 * S;
        }
        assert_int_equal(probe_ns, 5 * S);
        assert_int_equal(frct_read(p.b, buf, sizeof(buf), now), 5);
        ack = must(p.b, now); /* from nothing: at once */
        assert_int_equal(ack.h.edge, ack.h.ack + 1);
        give(p.a, &ack, now);
        d = must(p.a, now);
        silent(p.a, now);
        assert_int_equal(d.h.seq, ack.h.ack);
        end_pair(&p);
}

/*
 * A message is half there, and the window closes for longer than the receiver remembers; all questions and
 * the news of the window get lost. It goes on where it was.
 */
static void test_closed_for_long_amid_a_message(void **state)
{
        struct pair   p    = make_pair(true, CC_NONE);
        uint8_t      *msg  = malloc(FRCT_MESSAGE_MAX);
        uint8_t      *got  = malloc(FRCT_MESSAGE_MAX);
        uint64_t      seed = 5;
        int64_t       now  = T0;
        struct packet d;
        char          buf[8];

        (void)state;
        random_fill(&seed, msg, FRCT_MESSAGE_MAX);
        write_n(p.a, 1, now);
        assert_int_equal(frct_write(p.a, msg, FRCT_MESSAGE_MAX, now), 0);
        for (unsigned i = 0; i < 3; i++, now += 10 * MS)
                carry(&p, now);
        assert_int_equal(stats(p.b).rx_packets, WINDOW);
        while (now < T0 + 300 * S) {
                now = frct_due_ns(p.a);
                while (take(p.a, &d, now))
                        assert_false(d.h.flags & FRCT_DATA);
        }
        assert_false(frct_is_over(p.a));
        assert_int_equal(frct_read(p.b, buf, sizeof(buf), now), 5);
        must(p.b, now);
        now = frct_due_ns(p.a);
        for (unsigned i = 0; i < 3; i++, now += 10 * MS)
                carry(&p, now);
        assert_int_equal(frct_look(p.b), FRCT_MESSAGE_MAX);
        assert_int_equal(frct_read(p.b, got, FRCT_MESSAGE_MAX, now), FRCT_MESSAGE_MAX);
        assert_memory_equal(msg, got, FRCT_MESSAGE_MAX);
        free(msg);
        free(got);
        end_pair(&p);
}

/* -- runs -------------------------------------------------------------------------------- */

#define SENDER_IDLE   (3 * MPL + FRCT_A_NS + FRCT_R_NS)
#define RECEIVER_IDLE (2 * MPL + FRCT_A_NS + FRCT_R_NS)

static void test_new_number_after_long_silence(void **state)
{
        struct pair   p = make_pair(true, CC_NONE);
        struct packet old, d;
        int64_t       now = T0;

        (void)state;
        acquaint(&p);
        now = T0 + 30 * MS;
        write_n(p.a, 1, now);
        old = must(p.a, now);
        give(p.b, &old, now);
        d = must(p.b, now + 10 * MS);
        give(p.a, &d, now + 10 * MS);
        now += SENDER_IDLE;
        write_n(p.a, 1, now); /* not a ns longer: the same run */
        d = must(p.a, now);
        assert_int_equal(d.h.seq, old.h.seq + 1);
        assert_true(d.h.flags & FRCT_RUN);
        give(p.b, &d, now);
        assert_int_equal(read_all(p.b, now), 2);
        d = must(p.b, now + 10 * MS);
        give(p.a, &d, now + 10 * MS);
        assert_true(frct_is_quiet(p.a));
        now += SENDER_IDLE + 1;
        write_n(p.a, 1, now);
        d = must(p.a, now);
        assert_int_not_equal(d.h.seq, old.h.seq + 2);
        assert_true(d.h.flags & FRCT_RUN);
        assert_int_equal(d.h.first, d.h.seq);
        give(p.b, &d, now);
        assert_int_equal(read_all(p.b, now), 1);
        give(p.b, &old, now); /* replayed */
        assert_int_equal(frct_look(p.b), 0);
        assert_int_equal(stats(p.b).duplicates + stats(p.b).outside, 1);
        end_pair(&p);
}

/*
 * Between the two times: the sender goes on, and the receiver begins again. Every packet of the flight says
 * so, and so does each retransmission.
 */
static void test_receiver_forgets_first(void **state)
{
        struct pair   p = make_pair(true, CC_NONE);
        struct packet d[2], ack;
        int64_t       now;

        (void)state;
        acquaint(&p);
        now = T0 + 10 * MS + RECEIVER_IDLE + 1;
        write_n(p.a, 2, now);
        d[0] = must(p.a, now);
        d[1] = must(p.a, now);
        assert_true(d[0].h.flags & FRCT_RUN && d[1].h.flags & FRCT_RUN);
        give(p.b, &d[1], now); /* the first gets lost */
        assert_int_equal(frct_look(p.b), 0);
        ack = must(p.b, now);
        assert_int_equal(ack.h.ack, d[0].h.seq);
        now += 50 * MS; /* the acknowledgement gets lost too; TLP: the newest */
        d[1] = must(p.a, now);
        assert_true(d[1].h.flags & FRCT_RUN);
        give(p.b, &d[1], now);
        ack = must(p.b, now);
        give(p.a, &ack, now + 20 * MS);
        now  = frct_due_ns(p.a) > now + 20 * MS ? frct_due_ns(p.a) : now + 20 * MS;
        d[0] = must(p.a, now);
        give(p.b, &d[0], now);
        assert_int_equal(read_all(p.b, now), 2);
        end_pair(&p);
}

static void test_packet_without_run_begins_nothing(void **state)
{
        struct pair   p = make_pair(true, CC_NONE);
        struct frct  *other;
        struct packet d;

        (void)state;
        acquaint(&p);
        write_n(p.a, 2, T0 + S);
        d = must(p.a, T0 + S);
        must(p.a, T0 + S);
        give(p.b, &d, T0 + S);
        d = must(p.b, T0 + S + 10 * MS);
        give(p.a, &d, T0 + S + 10 * MS);
        write_n(p.a, 1, T0 + S + 10 * MS);
        d     = must(p.a, T0 + S + 10 * MS);
        other = make(true, CC_NONE, 3);
        assert_false(d.h.flags & FRCT_RUN);
        give(other, &d, T0 + S);
        assert_int_equal(frct_look(other), 0);
        silent(other, T0 + 2 * S);
        frct_destroy(other);
        end_pair(&p);
}

/* -- the end ------------------------------------------------------------------------------- */

static void test_fin(void **state)
{
        struct pair   p = make_pair(true, CC_NONE);
        struct packet d, ack;
        int64_t       now;

        (void)state;
        now = acquaint(&p);
        assert_int_equal(frct_fin(p.a, now), 0);
        assert_int_equal(frct_fin(p.a, now), 0);
        assert_int_equal(frct_write(p.a, "x", 1, now), -EPIPE);
        assert_false(frct_is_quiet(p.a));
        d = must(p.a, now);
        silent(p.a, now);
        assert_int_equal(d.h.flags, FRCT_DATA | FRCT_FIN | FRCT_RUN);
        assert_int_equal(d.payload, 0);
        now += 50 * MS; /* it got lost */
        d = must(p.a, now);
        assert_true(d.h.flags & FRCT_FIN);
        give(p.b, &d, now);
        assert_int_equal(frct_look(p.b), -ENODATA);
        ack = must(p.b, now); /* gets lost */
        assert_int_equal(ack.h.ack, d.h.seq + 1);
        now = frct_due_ns(p.a);
        d   = must(p.a, now);
        give(p.b, &d, now);
        ack = must(p.b, now);
        give(p.a, &ack, now);
        assert_true(frct_is_quiet(p.a));
        assert_int_equal(frct_due_ns(p.a), CLOCK_NEVER);
        assert_int_equal(frct_due_ns(p.b), CLOCK_NEVER);
        write_n(p.b, 1, now); /* the other way is open */
        d = must(p.b, now);
        give(p.a, &d, now);
        assert_int_equal(read_all(p.a, now), 1);
        end_pair(&p);
}

static void test_keepalive_and_death(void **state)
{
        struct frct_conf conf = conf_for(true, CC_NONE, 1);
        struct frct     *f;
        struct packet    d;
        char             junk[4] = {0};

        (void)state;
        conf.timeout_ns = 4 * S;
        f               = frct_create(&conf, T0);
        for (unsigned i = 1; i <= 3; i++) {
                assert_int_equal(frct_due_ns(f), T0 + i * S);
                d = must(f, T0 + i * S);
                silent(f, T0 + i * S);
                assert_int_equal(d.h.flags, FRCT_PROBE);
                assert_int_equal(d.n, 8);
        }
        assert_false(frct_rx(f, junk, sizeof(junk), false, T0 + 3 * S)); /* no sign of life */
        assert_int_equal(stats(f).malformed, 1);
        assert_int_equal(frct_due_ns(f), T0 + 4 * S);
        give(f, &d, T0 + 4 * S - 1); /* but this is one */
        silent(f, T0 + 4 * S - 1);
        for (unsigned i = 4; i < 8; i++)
                must(f, T0 + i * S);
        silent(f, T0 + 8 * S - 1);
        assert_true(frct_is_over(f));
        assert_int_equal(frct_look(f), -EFLOWPEER);
        assert_int_equal(frct_write(f, "x", 1, T0 + 8 * S), -EFLOWPEER);
        assert_int_equal(frct_due_ns(f), CLOCK_NEVER);
        frct_destroy(f);
}

static void test_down(void **state)
{
        struct pair   p = make_pair(true, CC_NONE);
        struct packet d;

        (void)state;
        write_n(p.a, 1, T0);
        d = must(p.a, T0);
        give(p.b, &d, T0);
        frct_down(p.b);
        assert_int_equal(read_all(p.b, T0), 1); /* what came whole is read */
        assert_int_equal(frct_look(p.b), -EFLOWDOWN);
        silent(p.b, T0 + S);
        assert_false(frct_rx(p.b, d.bytes, d.n, false, T0));
        end_pair(&p);
}

/* -- unreliable ------------------------------------------------------------------------------ */

static void test_unreliable_forgets(void **state)
{
        struct pair   p = make_pair(false, CC_CUBIC);
        struct packet d[10], ack;

        (void)state;
        write_n(p.a, 10, T0);
        assert_false(frct_is_quiet(p.a));
        for (unsigned i = 0; i < 10; i++)
                d[i] = must(p.a, T0);
        assert_true(frct_is_quiet(p.a)); /* sent is all that is promised */
        for (unsigned i = 1; i < 10; i++)
                give(p.b, &d[i], T0 + 10 * MS);
        assert_int_equal(read_all(p.b, T0 + 10 * MS), 9); /* nothing is waited for */
        ack = must(p.b, T0 + 10 * MS);
        assert_int_equal(ack.h.ack, d[0].h.seq);
        assert_int_equal(ack.h.n_ranges, 1);
        give(p.a, &ack, T0 + 20 * MS);
        silent(p.a, T0 + 20 * MS);
        assert_int_equal(stats(p.a).losses, 1);
        assert_int_equal(stats(p.a).retransmitted, 0);
        assert_int_equal(stats(p.a).in_flight, 0);
        assert_int_equal(stats(p.a).tx_queued, 0);
        write_n(p.a, 1, T0 + 20 * MS);
        d[0] = must(p.a, T0 + 20 * MS);
        assert_true(d[0].h.flags & FRCT_RUN);
        assert_int_equal(d[0].h.first, d[9].h.seq + 1); /* it will not come */
        give(p.b, &d[0], T0 + 30 * MS);
        ack = must(p.b, T0 + 40 * MS);
        assert_int_equal(ack.h.ack, d[0].h.seq + 1);
        assert_int_equal(ack.h.n_ranges, 0);
        end_pair(&p);
}

/* The tail is lost: one timeout, and when all is given up nothing is left to time out. */
static void test_unreliable_tail(void **state)
{
        struct pair p = make_pair(false, CC_CUBIC);
        int64_t     now;

        (void)state;
        now = acquaint(&p);
        write_n(p.a, 1, now);
        must(p.a, now);
        assert_int_equal(frct_due_ns(p.a), now + 70 * MS);
        must(p.a, now + 70 * MS); /* PROBE alone */
        silent(p.a, now + 70 * MS);
        assert_int_equal(stats(p.a).timeouts, 1);
        assert_int_equal(stats(p.a).in_flight, 0);
        assert_int_equal(frct_due_ns(p.a), CLOCK_NEVER);
        end_pair(&p);
}

/* What is given up because others overtook it leaves nothing to time out. */
static void test_unreliable_overtaken(void **state)
{
        struct pair   p = make_pair(false, CC_CUBIC);
        struct packet d, ack;

        (void)state;
        write_n(p.a, 2, T0);
        must(p.a, T0);
        d = must(p.a, T0);
        give(p.b, &d, T0 + 10 * MS);
        ack = must(p.b, T0 + 10 * MS);
        give(p.a, &ack, T0 + 20 * MS);
        silent(p.a, T0 + 20 * MS);
        assert_int_equal(frct_due_ns(p.a), T0 + 25 * MS);
        silent(p.a, T0 + 25 * MS);
        assert_int_equal(stats(p.a).losses, 1);
        assert_int_equal(stats(p.a).in_flight, 0);
        assert_int_equal(frct_due_ns(p.a), CLOCK_NEVER);
        assert_int_equal(stats(p.a).timeouts, 0);
        end_pair(&p);
}

/*
 * The process was stopped while packets were out, for longer than a run lasts, and writes before any timer
 * could run.
 */
static void test_unreliable_stopped_for_long(void **state)
{
        struct pair   p = make_pair(false, CC_NONE);
        int64_t       now;
        struct packet d;

        (void)state;
        now = acquaint(&p);
        write_n(p.a, 3, now);
        while (take(p.a, &d, now))
                ;
        now += 2 * SENDER_IDLE;
        write_n(p.a, 1, now);
        while (take(p.a, &d, now))
                give(p.b, &d, now);
        assert_int_equal(read_all(p.b, now), 1);
        end_pair(&p);
}

/* Everything is lost until the receiver's room seems used up: it is not, and what comes then arrives. */
static void test_unreliable_after_an_outage(void **state)
{
        struct pair   p   = make_pair(false, CC_NONE);
        int64_t       now = T0;
        struct packet d;

        (void)state;
        write_n(p.a, 70, now);
        for (unsigned i = 0; i < 8; i++) {
                while (take(p.a, &d, now))
                        ;
                now = frct_due_ns(p.a);
        }
        assert_int_equal(stats(p.a).in_flight, 0);
        assert_false(frct_is_quiet(p.a)); /* 64 are trusted to a receiver that has not spoken */
        carry(&p, now);
        assert_int_equal(read_all(p.b, now), 6);
        assert_true(frct_is_quiet(p.a));
        end_pair(&p);
}

/* -- long stories ------------------------------------------------------------------------------ */

#define WIRE_MAX 4096u

/* One way of a link: 10 ms; each @lose-th packet is lost, each @late-th takes 5 ms longer. */
struct way {
        struct packet *packets;
        int64_t       *at_ns;
        size_t         n;
        unsigned       count, lose, late;
};

static void way_put(struct way *w, const struct packet *p, int64_t now_ns)
{
        w->count++;
        if ((w->lose > 0 && w->count % w->lose == 0) || w->n == WIRE_MAX)
                return;
        w->at_ns[w->n]     = now_ns + 10 * MS + (w->late > 0 && w->count % w->late == 0 ? 5 * MS : 0);
        w->packets[w->n++] = *p;
}

static int64_t way_due_ns(const struct way *w)
{
        int64_t due_ns = CLOCK_NEVER;

        for (size_t i = 0; i < w->n; i++)
                if (w->at_ns[i] < due_ns)
                        due_ns = w->at_ns[i];
        return due_ns;
}

static void way_get(struct way *w, struct frct *to, int64_t now_ns)
{
        size_t kept = 0;

        for (size_t i = 0; i < w->n; i++) {
                if (w->at_ns[i] <= now_ns) {
                        give(to, &w->packets[i], now_ns);
                        continue;
                }
                w->at_ns[kept]     = w->at_ns[i];
                w->packets[kept++] = w->packets[i];
        }
        w->n = kept;
}

static struct way way_make(unsigned lose, unsigned late)
{
        return (struct way){
                .packets = malloc(WIRE_MAX * sizeof(struct packet)),
                .at_ns   = malloc(WIRE_MAX * sizeof(int64_t)),
                .lose    = lose,
                .late    = late,
        };
}

static void way_end(struct way *w)
{
        free(w->packets);
        free(w->at_ns);
}

static int64_t earliest(int64_t a, int64_t b)
{
        return a < b ? a : b;
}

/* One step: what has arrived is taken, what may leave leaves. Returns when there is more to do. */
static int64_t step(struct pair *p, struct way *there, struct way *back, int64_t now_ns)
{
        struct packet d;

        way_get(there, p->b, now_ns);
        way_get(back, p->a, now_ns);
        while (take(p->a, &d, now_ns))
                way_put(there, &d, now_ns);
        while (take(p->b, &d, now_ns))
                way_put(back, &d, now_ns);
        return earliest(earliest(frct_due_ns(p->a), frct_due_ns(p->b)),
                        earliest(way_due_ns(there), way_due_ns(back)));
}

/* Until all is acknowledged. */
static void settle(struct pair *p, struct way *there, struct way *back, int64_t now_ns)
{
        for (;;) {
                int64_t next_ns = step(p, there, back, now_ns);

                if (frct_is_quiet(p->a))
                        return;
                now_ns = next_ns > now_ns ? next_ns : now_ns + 1;
                assert_true(now_ns < T0 + 60 * S);
        }
}

/* Messages of all lengths up to the largest arrive whole and in order, whatever is lost. */
static void whole_messages(enum cc_kind cc, unsigned lose, unsigned late)
{
        static const size_t lens[] = {1, PIECE, PIECE + 1, FRCT_MESSAGE_MAX, 7, FRCT_MESSAGE_MAX - 1};
        const size_t        n      = sizeof(lens) / sizeof(lens[0]);
        struct pair         p      = make_pair(true, cc);
        struct way          there  = way_make(lose, late);
        struct way          back   = way_make(lose, late);
        uint8_t            *msg    = malloc(FRCT_MESSAGE_MAX);
        uint8_t            *got    = malloc(FRCT_MESSAGE_MAX);
        int64_t             now    = T0;
        uint64_t            seed   = 9;
        size_t              read   = 0;

        random_fill(&seed, msg, FRCT_MESSAGE_MAX);
        assert_int_equal(frct_write(p.a, msg, 0, now), -EMSGSIZE);
        assert_int_equal(frct_write(p.a, msg, FRCT_MESSAGE_MAX + 1, now), -EMSGSIZE);
        for (size_t i = 0; i < n; i++)
                assert_int_equal(frct_write(p.a, msg, lens[i], now), 0);
        assert_int_equal(frct_fin(p.a, now), 0);
        while (frct_look(p.b) != -ENODATA) {
                int64_t next_ns = step(&p, &there, &back, now);

                while (frct_look(p.b) > 0) {
                        assert_int_equal(frct_look(p.b), lens[read]);
                        assert_int_equal(frct_read(p.b, got, FRCT_MESSAGE_MAX, now), lens[read]);
                        assert_memory_equal(got, msg, lens[read]);
                        read++;
                }
                next_ns = next_ns > now ? next_ns : now + 1;
                assert_true(next_ns < T0 + 60 * S);
                now = next_ns;
        }
        assert_int_equal(read, n);
        settle(&p, &there, &back, now);
        assert_int_equal(stats(p.a).in_flight, 0);
        assert_int_equal(stats(p.a).tx_queued, 0);
        assert_int_equal(stats(p.b).rx_queued, 0);
        assert_int_equal(stats(p.a).retransmitted == 0, lose == 0);
        way_end(&there);
        way_end(&back);
        free(msg);
        free(got);
        end_pair(&p);
}

static void test_whole_messages(void **state)
{
        (void)state;
        whole_messages(CC_NONE, 0, 0);
        whole_messages(CC_CUBIC, 0, 0);
        whole_messages(CC_CUBIC, 13, 7);
        whole_messages(CC_BBR, 29, 0);
}

static void test_counters(void **state)
{
        struct pair       p = make_pair(true, CC_NONE);
        struct frct_stats s;

        (void)state;
        acquaint(&p);
        s = stats(p.a);
        assert_int_equal(s.tx_packets, 2);
        assert_int_equal(s.tx_bytes, 2 * (16 + 5));
        assert_int_equal(s.retransmitted + s.spurious + s.probes + s.timeouts + s.losses, 0);
        assert_int_equal(s.min_rtt_ns, 20 * MS);
        assert_int_equal(s.tx_window, WINDOW - 2); /* what was read since is no quarter of it */
        s = stats(p.b);
        assert_int_equal(s.rx_packets, 2);
        assert_int_equal(s.rx_bytes, 10);
        assert_int_equal(s.duplicates + s.outside + s.malformed + s.marks, 0);
        write_n(p.a, 3, T0 + S);
        assert_int_equal(stats(p.a).tx_queued, 15);
        end_pair(&p);
}

/* -- hostile ---------------------------------------------------------------------------------- */

static void test_ack_of_what_was_not_sent(void **state)
{
        struct pair   p = make_pair(true, CC_NONE);
        struct packet d, ack;

        (void)state;
        write_n(p.a, 2, T0);
        d = must(p.a, T0);
        give(p.b, &d, T0);
        d = must(p.a, T0);
        give(p.b, &d, T0);
        ack = must(p.b, T0);
        ack.h.ack++; /* two were sent */
        forge(&ack);
        give(p.a, &ack, T0 + MS);
        assert_int_equal(stats(p.a).malformed, 1);
        assert_int_equal(stats(p.a).in_flight, 2 * (5 + FRCT_HDR_DATA));
        ack.h.ack            = d.h.seq - 1;
        ack.h.n_ranges       = 1;
        ack.h.ranges[0].from = d.h.seq;
        ack.h.ranges[0].to   = d.h.seq + 2;
        forge(&ack);
        give(p.a, &ack, T0 + MS); /* the range is not read */
        assert_int_equal(stats(p.a).in_flight, 2 * (5 + FRCT_HDR_DATA));
        ack.h.ranges[0].to = d.h.seq - UINT32_MAX / 2; /* nearly all there are */
        forge(&ack);
        give(p.a, &ack, T0 + MS);
        assert_false(frct_is_quiet(p.a));
        end_pair(&p);
}

/* An edge moves forwards only; a delay or an echo that cannot be is no sample. */
static void test_lies_of_time_and_room(void **state)
{
        struct pair   p   = make_pair(true, CC_NONE);
        int64_t       now = acquaint(&p);
        struct packet d, ack;

        (void)state;
        write_n(p.a, 1, now);
        d = must(p.a, now);
        give(p.b, &d, now);
        ack         = must(p.b, now + 10 * MS);
        ack.h.edge  = ack.h.ack - 5;
        ack.h.delay = 2000000;
        forge(&ack);
        give(p.a, &ack, now + 10 * MS);
        assert_int_equal(stats(p.a).srtt_ns, 20 * MS);
        assert_int_equal(stats(p.a).tx_window, WINDOW - 3);
        write_n(p.a, 1, now + 10 * MS);
        d = must(p.a, now + 10 * MS);
        give(p.b, &d, now + 10 * MS);
        ack        = must(p.b, now + 20 * MS);
        ack.h.echo = d.h.stamp + 1000000; /* to come */
        forge(&ack);
        give(p.a, &ack, now + 20 * MS);
        assert_int_equal(stats(p.a).srtt_ns, 20 * MS);
        write_n(p.a, 1, now + 20 * MS);
        d = must(p.a, now + 20 * MS);
        give(p.b, &d, now + 20 * MS);
        ack        = must(p.b, now + 30 * MS);
        ack.h.echo = d.h.stamp - 2; /* nothing that is out is as old */
        forge(&ack);
        give(p.a, &ack, now + 30 * MS);
        assert_int_equal(stats(p.a).srtt_ns, 20 * MS);
        assert_true(frct_is_quiet(p.a));
        end_pair(&p);
}

#define STORY 8u /* messages */

static void write_story(struct frct *f)
{
        for (uint8_t i = 0; i < STORY; i++) {
                uint8_t msg[40];

                memset(msg, i, sizeof(msg));
                assert_int_equal(frct_write(f, msg, sizeof(msg) - i, T0), 0);
        }
}

/* What is there to be read is the beginning of what was written. */
static unsigned read_story(struct frct *f, bool exact, int64_t now_ns)
{
        uint8_t  msg[40 * STORY];
        unsigned n = 0;

        for (ptrdiff_t len; (len = frct_look(f)) > 0; n++) {
                assert_true((size_t)len <= sizeof(msg));
                assert_int_equal(frct_read(f, msg, sizeof(msg), now_ns), len);
                if (!exact)
                        continue;
                assert_true(n < STORY);
                assert_int_equal(len, 40 - n);
                for (ptrdiff_t i = 0; i < len; i++)
                        assert_int_equal(msg[i], n);
        }
        return n;
}

/* Both go on for a while, as if nothing had been. */
static void go_on(struct pair *p, int64_t now_ns)
{
        for (unsigned i = 0; i < 6 && now_ns != CLOCK_NEVER; i++) {
                carry(p, now_ns);
                now_ns = earliest(frct_due_ns(p->a), frct_due_ns(p->b));
        }
}

/* Six of eight arrive, with two holes; the acknowledgement of that comes with byte @at changed to @value. */
static void alter_ack(bool reliable, size_t at, uint8_t value)
{
        struct pair   p = make_pair(reliable, CC_CUBIC);
        struct packet d[STORY], ack;

        write_story(p.a);
        for (unsigned i = 0; i < STORY; i++)
                d[i] = must(p.a, T0);
        for (unsigned i = 0; i < STORY; i++)
                if (i != 2 && i != 5)
                        give(p.b, &d[i], T0);
        ack = must(p.b, T0);
        assert_int_equal(ack.n, FRCT_HDR_ACK + 16);
        ack.bytes[at] = value;
        frct_rx(p.a, ack.bytes, ack.n, false, T0 + MS);
        go_on(&p, T0 + MS);
        read_story(p.b, reliable, T0 + 2 * MS);
        end_pair(&p);
}

/* The third of eight comes with byte @at changed to @value. */
static void alter_data(bool reliable, size_t at, uint8_t value, bool exact)
{
        struct pair   p = make_pair(reliable, CC_CUBIC);
        struct packet d[STORY];

        write_story(p.a);
        for (unsigned i = 0; i < STORY; i++)
                d[i] = must(p.a, T0);
        d[2].bytes[at] = value;
        for (unsigned i = 0; i < STORY; i++)
                frct_rx(p.b, d[i].bytes, d[i].n, false, T0);
        go_on(&p, T0);
        read_story(p.b, exact, T0 + MS);
        end_pair(&p);
}

static void test_altered_acks(void **state)
{
        (void)state;
        for (size_t at = 0; at < FRCT_HDR_ACK + 16; at++)
                for (unsigned value = 0; value < 256; value++) {
                        alter_ack(true, at, (uint8_t)value);
                        alter_ack(false, at, (uint8_t)value);
                }
}

/*
 * Flags and numbers say where the payload belongs, and are believed: then only the end is sure. Of all else
 * nothing is.
 */
static void test_altered_data(void **state)
{
        (void)state;
        for (size_t at = 0; at < 16 + 5; at++)
                for (unsigned value = 0; value < 256; value++) {
                        alter_data(true, at, (uint8_t)value, at >= 4 && at < 8);
                        alter_data(false, at, (uint8_t)value, false);
                }
}

/* Acknowledgements of anything, again and again. */
static void test_random_acks(void **state)
{
        uint64_t random = 11;

        (void)state;
        for (unsigned round = 0; round < 300; round++) {
                struct pair   p   = make_pair(round % 2, round % 3 == 0 ? CC_BBR : CC_CUBIC);
                int64_t       now = T0;
                struct packet d;
                uint32_t      first;

                write_n(p.a, 40, now);
                d     = must(p.a, now);
                first = d.h.seq;
                for (unsigned i = 0; i < 40 && !frct_is_over(p.a); i++) {
                        struct packet ack = {.h = {.flags = FRCT_ACK}};

                        ack.h.ack      = first + (uint32_t)random_below(&random, 42) - 1;
                        ack.h.edge     = ack.h.ack + (uint32_t)random_below(&random, 100);
                        ack.h.echo     = d.h.stamp + (uint32_t)random_below(&random, 2000) - 1000;
                        ack.h.delay    = (uint32_t)random_below(&random, 2000);
                        ack.h.marks    = (uint16_t)random_below(&random, 3);
                        ack.h.n_ranges = (uint8_t)random_below(&random, 5);
                        for (unsigned k = 0; k < ack.h.n_ranges; k++) {
                                ack.h.ranges[k].from = first + (uint32_t)random_below(&random, 42);
                                ack.h.ranges[k].to =
                                        ack.h.ranges[k].from + (uint32_t)random_below(&random, 9);
                        }
                        forge(&ack);
                        give(p.a, &ack, now);
                        while (take(p.a, &d, now))
                                ;
                        assert_true(stats(p.a).in_flight < 41 * 100);
                        now += (int64_t)random_below(&random, 30) * MS;
                }
                end_pair(&p);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_first_packets_carry_run),
                cmocka_unit_test(test_first_packet_lost),
                cmocka_unit_test(test_first_packet_late),
                cmocka_unit_test(test_ack_on_receipt),
                cmocka_unit_test(test_ack_rides_on_data),
                cmocka_unit_test(test_ranges_and_dsack),
                cmocka_unit_test(test_marks),
                cmocka_unit_test(test_sample_of_a_retransmission),
                cmocka_unit_test(test_probe_then_timeouts),
                cmocka_unit_test(test_probe_that_was_not_needed),
                cmocka_unit_test(test_probe_that_was_needed),
                cmocka_unit_test(test_spurious_timeout_is_undone),
                cmocka_unit_test(test_given_up_after_r),
                cmocka_unit_test(test_window_closes_and_opens),
                cmocka_unit_test(test_closed_for_long_amid_a_message),
                cmocka_unit_test(test_new_number_after_long_silence),
                cmocka_unit_test(test_receiver_forgets_first),
                cmocka_unit_test(test_packet_without_run_begins_nothing),
                cmocka_unit_test(test_fin),
                cmocka_unit_test(test_keepalive_and_death),
                cmocka_unit_test(test_down),
                cmocka_unit_test(test_unreliable_forgets),
                cmocka_unit_test(test_unreliable_tail),
                cmocka_unit_test(test_unreliable_overtaken),
                cmocka_unit_test(test_unreliable_stopped_for_long),
                cmocka_unit_test(test_unreliable_after_an_outage),
                cmocka_unit_test(test_whole_messages),
                cmocka_unit_test(test_counters),
                cmocka_unit_test(test_ack_of_what_was_not_sent),
                cmocka_unit_test(test_lies_of_time_and_room),
                cmocka_unit_test(test_altered_acks),
                cmocka_unit_test(test_altered_data),
                cmocka_unit_test(test_random_acks),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
