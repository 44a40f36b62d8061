/*
 * test_port.c - both sides of a port in one process: descriptors that tell the truth after every step, ends,
 * sleepers, memory that is not a port, and words that lie.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <ouroboros/errno.h>

#include "base/clock.h"
#include "base/fd.h"
#include "shm/bell.h"
#include "shm/port.h"

#include "random.h"

/* A port with both its sides, and what irmd keeps of it. */
struct rig {
        int         memfd;
        struct bell bell[2]; /* [s]: side s is the owner */
        struct port p[2];
};

static int set_up(void **state)
{
        static struct rig g;

        alarm(60); /* a lost wake-up is a failure, not a hang */
        g.memfd = port_create();
        if (g.memfd < 0)
                return -1;
        for (unsigned s = 0; s < 2; s++) {
                if (bell_create(&g.bell[s]) < 0)
                        return -1;
        }
        for (unsigned s = 0; s < 2; s++) {
                if (port_open(&g.p[s], g.memfd, s, g.bell[s].own, g.bell[!s].other) < 0)
                        return -1;
        }
        *state = &g;
        return 0;
}

static int tear_down(void **state)
{
        struct rig *g = *state;

        for (unsigned s = 0; s < 2; s++) {
                port_close(&g->p[s]);
                fd_close(&g->bell[s].keeper);
        }
        fd_close(&g->memfd);
        alarm(0);
        return 0;
}

static bool readable(const struct port *p)
{
        struct pollfd fd = {.fd = p->bell, .events = POLLIN};

        return poll(&fd, 1, 0) == 1;
}

static _Atomic uint32_t *rx_word(struct port *p)
{
        return &p->rx.ctl->rx_word;
}

static int put(struct port *p, size_t len, int fill)
{
        static uint8_t buf[PORT_MSG_MAX + 1];

        memset(buf, fill, len);
        return port_write(p, buf, len);
}

static void fill(struct port *p)
{
        while (put(p, PORT_MSG_MAX, 'x') == 0)
                ;
}

static int peek(struct port *p)
{
        const uint8_t *buf;
        size_t         len;

        return port_peek(p, &buf, &len);
}

/* Takes a message, which must be of @len times @fill. */
static void take(struct port *p, size_t len, int fill)
{
        const uint8_t *buf;
        size_t         n;

        assert_int_equal(port_peek(p, &buf, &n), 0);
        assert_int_equal(n, len);
        assert_int_equal(buf[0], (uint8_t)fill);
        assert_int_equal(buf[n - 1], (uint8_t)fill);
        port_pop(p);
}

/* A visit that takes one. */
static void visit(struct port *p, size_t len, int fill)
{
        port_rx_enter(p);
        take(p, len, fill);
        port_rx_leave(p);
}

/* A visit that expects nothing. */
static void visit_in_vain(struct port *p)
{
        port_rx_enter(p);
        assert_int_equal(peek(p), -EAGAIN);
        port_rx_leave(p);
}

/* -- messages and descriptors ---------------------------------------------- */

static void test_message_each_way(void **state)
{
        struct rig *g = *state;

        for (unsigned s = 0; s < 2; s++) {
                assert_false(readable(&g->p[!s]));
                assert_int_equal(put(&g->p[s], 100, 'a' + (int)s), 0);
                assert_true(readable(&g->p[!s]));
                assert_false(readable(&g->p[s]));
                visit(&g->p[!s], 100, 'a' + (int)s);
                assert_false(readable(&g->p[!s]));
        }
}

static void test_sizes(void **state)
{
        struct rig *g = *state;

        assert_int_equal(put(&g->p[0], 0, 0), -EMSGSIZE);
        assert_int_equal(put(&g->p[0], PORT_MSG_MAX + 1, 0), -EMSGSIZE);
        assert_int_equal(put(&g->p[0], 1, 'x'), 0);
        assert_int_equal(put(&g->p[0], PORT_MSG_MAX, 'y'), 0);
        visit(&g->p[1], 1, 'x');
        visit(&g->p[1], PORT_MSG_MAX, 'y');
}

static void test_message_before_the_reader_joins(void **state)
{
        struct rig *g = *state;
        struct port late;
        void       *mem;

        assert_int_equal(put(&g->p[0], 8, 'x'), 0);
        assert_int_equal(bell_clear(g->p[1].bell), 1);
        assert_int_equal(port_open(&late, g->memfd, 1, dup(g->p[1].bell), dup(g->p[1].peer_bell)), 0);
        assert_true(readable(&late));
        visit(&late, 8, 'x');
        assert_false(readable(&late));
        mem = late.ctl;
        port_forget(&late);
        assert_int_equal(munmap(mem, PORT_SIZE), 0);
}

static void test_no_bell_inside(void **state)
{
        struct rig *g = *state;

        port_rx_enter(&g->p[1]);
        for (int i = 0; i < 10; i++) {
                assert_int_equal(put(&g->p[0], 8, i), 0);
                assert_false(readable(&g->p[1]));
        }
        assert_int_equal(g->p[0].wakes, 0);
        for (int i = 0; i < 10; i++)
                take(&g->p[1], 8, i);
        port_rx_leave(&g->p[1]);
        assert_false(readable(&g->p[1]));
        assert_int_equal(put(&g->p[0], 8, 0), 0);
        assert_int_equal(g->p[0].wakes, 1);
        assert_true(readable(&g->p[1]));
}

static void test_full(void **state)
{
        struct rig *g = *state;
        uint64_t    n = 0;
        int         r;

        while ((r = put(&g->p[0], PORT_MSG_MAX, 'x')) == 0)
                n++;
        assert_int_equal(r, -EAGAIN);
        assert_int_equal(n, 3);
        assert_true(port_tx_prepare(&g->p[0]));
        assert_int_equal(port_tx_sleep(&g->p[0], clock_now_ns() + NS_PER_MS), -ETIMEDOUT);
        visit(&g->p[1], PORT_MSG_MAX, 'x');
        assert_int_equal(port_tx_sleep(&g->p[0], CLOCK_NEVER), 0); /* the word was taken */
        assert_false(port_tx_prepare(&g->p[0]));
        assert_int_equal(put(&g->p[0], PORT_MSG_MAX, 'y'), 0);
}

/* Who drained a port by a single short visit gives all its room back when leaving or going to sleep. */
static void test_resting_gives_room(void **state)
{
        struct rig *g = *state;

        assert_int_equal(put(&g->p[0], 8, 'x'), 0);
        assert_true(port_tx_prepare(&g->p[0]));
        visit(&g->p[1], 8, 'x');
        assert_int_equal(ring_tx_used(&g->p[0].tx), 0);
        assert_false(port_tx_prepare(&g->p[0]));
        assert_int_equal(put(&g->p[0], 8, 'y'), 0);
        port_rx_enter(&g->p[1]);
        take(&g->p[1], 8, 'y');
        assert_true(port_rx_prepare(&g->p[1]));
        assert_int_equal(ring_tx_used(&g->p[0].tx), 0);
        port_rx_awake(&g->p[1]);
}

/* -- records that are written in place --------------------------------------- */

static int say(struct port *p, size_t len, int what, bool last, bool wakes)
{
        uint8_t *to;
        int      r = port_reserve(p, len, last, &to);

        if (r < 0)
                return r;
        memset(to, what, len);
        port_commit(p, len, 0, wakes);
        return 0;
}

static void test_sizes_of_records(void **state)
{
        struct rig *g = *state;

        assert_int_equal(say(&g->p[0], 0, 0, false, true), -EMSGSIZE);
        assert_int_equal(say(&g->p[0], PORT_RECORD_MAX + 1, 0, false, true), -EMSGSIZE);
        assert_int_equal(say(&g->p[0], PORT_LAST_MAX + 1, 0, true, true), -EMSGSIZE);
        assert_int_equal(say(&g->p[0], PORT_RECORD_MAX, 'r', false, true), 0);
        visit(&g->p[1], PORT_RECORD_MAX, 'r');
}

/* It is found by who comes for a message, and left alone by who leaves nothing else. */
static void test_record_without_a_call(void **state)
{
        struct rig *g = *state;

        assert_int_equal(say(&g->p[0], 8, 'q', false, false), 0);
        assert_false(readable(&g->p[1]));
        assert_int_equal(g->p[0].wakes, 0);
        assert_int_equal(put(&g->p[0], 5, 'm'), 0);
        assert_true(readable(&g->p[1]));
        port_rx_enter(&g->p[1]);
        take(&g->p[1], 8, 'q');
        take(&g->p[1], 5, 'm');
        assert_int_equal(say(&g->p[0], 8, 'q', false, false), 0);
        assert_false(port_rx_rest(&g->p[1]));
        take(&g->p[1], 8, 'q');
        assert_true(port_rx_rest(&g->p[1]));
        assert_false(readable(&g->p[1]));
        assert_int_equal(put(&g->p[0], 5, 'm'), 0);
        assert_true(readable(&g->p[1]));
}

static void add(struct port *p, size_t len, int what)
{
        uint8_t *to;

        assert_int_equal(port_reserve(p, len, false, &to), 0);
        memset(to, what, len);
        port_add(p, len, len);
}

/* Many records, and one look for the reader: he is woken once, wherever he waits. */
static void test_one_flush_for_many(void **state)
{
        struct rig *g = *state;

        for (int i = 0; i < 10; i++)
                add(&g->p[0], 8, i);
        assert_false(readable(&g->p[1]));
        assert_int_equal(peek(&g->p[1]), -EAGAIN);
        port_flush(&g->p[0]);
        port_flush(&g->p[0]);
        assert_true(readable(&g->p[1]));
        assert_int_equal(g->p[0].wakes, 1);
        port_rx_enter(&g->p[1]);
        for (int i = 0; i < 10; i++)
                take(&g->p[1], 8, i);
        assert_true(port_rx_prepare(&g->p[1]));
        add(&g->p[0], 8, 'x');
        assert_int_equal(port_rx_sleep(&g->p[1], clock_now_ns() + NS_PER_MS), -ETIMEDOUT);
        port_flush(&g->p[0]);
        assert_int_equal(port_rx_sleep(&g->p[1], CLOCK_NEVER), 0); /* the word was taken */
        assert_int_equal(g->p[0].wakes, 2);
        port_rx_awake(&g->p[1]);
        take(&g->p[1], 8, 'x');
        port_rx_leave(&g->p[1]);
}

/* -- several messages at once ------------------------------------------------ */

/* @v[i] must be of @len times @fill. */
static void expect_in(const struct iovec *v, size_t len, int fill)
{
        const uint8_t *p = v->iov_base;

        assert_int_equal(v->iov_len, len);
        assert_int_equal(p[0], (uint8_t)fill);
        assert_int_equal(p[len - 1], (uint8_t)fill);
}

static void test_batch(void **state)
{
        struct rig  *g = *state;
        struct iovec v[8];

        port_rx_enter(&g->p[1]);
        assert_int_equal(port_peek_batch(&g->p[1], v, 8, 1000), -EAGAIN);
        for (int i = 0; i < 10; i++)
                assert_int_equal(put(&g->p[0], 100 + (size_t)i, i), 0);
        assert_int_equal(port_peek_batch(&g->p[1], v, 8, SIZE_MAX), 8);
        for (int i = 0; i < 8; i++)
                expect_in(&v[i], 100 + (size_t)i, i);
        port_pop_batch(&g->p[1], v, 3);
        assert_int_equal(port_peek_batch(&g->p[1], v, 1, SIZE_MAX), 1);
        expect_in(&v[0], 103, 3);
        assert_int_equal(port_peek_batch(&g->p[1], v, 8, SIZE_MAX), 7);
        for (int i = 0; i < 7; i++)
                expect_in(&v[i], 103 + (size_t)i, 3 + i);
        port_pop_batch(&g->p[1], v, 7);
        assert_int_equal(port_peek_batch(&g->p[1], v, 8, 1000), -EAGAIN);
        port_rx_leave(&g->p[1]);
        assert_false(readable(&g->p[1]));
        assert_int_equal(ring_tx_used(&g->p[0].tx), 0);
}

static void test_batch_by_bytes(void **state)
{
        struct rig  *g = *state;
        struct iovec v[8];

        for (int i = 0; i < 4; i++)
                assert_int_equal(put(&g->p[0], 100, i), 0);
        assert_int_equal(put(&g->p[0], PORT_MSG_MAX, 'x'), 0);
        assert_int_equal(port_peek_batch(&g->p[1], v, 8, 0), 1); /* the first, whatever it is */
        assert_int_equal(port_peek_batch(&g->p[1], v, 8, 299), 2);
        assert_int_equal(port_peek_batch(&g->p[1], v, 8, 300), 3);
        assert_int_equal(port_peek_batch(&g->p[1], v, 8, PORT_MSG_MAX), 4);
        port_pop_batch(&g->p[1], v, 4);
        assert_int_equal(port_peek_batch(&g->p[1], v, 8, 100), 1);
        expect_in(&v[0], PORT_MSG_MAX, 'x');
}

/* Behind good messages a lie, or one that is empty: it shows when those are gone. */
static void test_batch_before_a_lie(void **state)
{
        struct rig  *g = *state;
        struct iovec v[8];
        uint8_t     *to;

        assert_int_equal(put(&g->p[0], 8, 'a'), 0);
        assert_int_equal(put(&g->p[0], 8, 'b'), 0);
        assert_int_equal(port_reserve(&g->p[0], 8, false, &to), 0);
        port_commit(&g->p[0], 0, 0, true);
        assert_int_equal(put(&g->p[0], 8, 'c'), 0);
        assert_int_equal(port_peek_batch(&g->p[1], v, 8, 1000), 2);
        port_pop_batch(&g->p[1], v, 2);
        assert_int_equal(port_peek_batch(&g->p[1], v, 8, 1000), -EPROTO);
}

/* A writer who waits for room is woken once a batch. */
static void test_batch_gives_room(void **state)
{
        struct rig  *g = *state;
        struct iovec v[64];
        int          n;

        while (put(&g->p[0], 1000, 'x') == 0)
                ;
        assert_true(port_tx_prepare(&g->p[0]));
        n = port_peek_batch(&g->p[1], v, 64, SIZE_MAX);
        assert_int_equal(n, 64);
        port_pop_batch(&g->p[1], v, 10); /* less than an eighth */
        assert_int_equal(port_tx_sleep(&g->p[0], clock_now_ns() + NS_PER_MS), -ETIMEDOUT);
        n = port_peek_batch(&g->p[1], v, 64, SIZE_MAX);
        port_pop_batch(&g->p[1], v, (size_t)n);
        assert_int_equal(port_tx_sleep(&g->p[0], CLOCK_NEVER), 0);
        assert_int_equal(put(&g->p[0], 1000, 'y'), 0);
}

/* Wherever in the memory a full ring ends. */
static void test_room_for_the_last(void **state)
{
        struct rig *g = *state;

        for (size_t len = 1; len < 3000; len += 7) {
                size_t n = 0;

                while (say(&g->p[0], len, 'r', false, true) == 0)
                        n++;
                assert_int_equal(say(&g->p[0], PORT_LAST_MAX, 'l', true, true), 0);
                while (n-- > 0)
                        visit(&g->p[1], len, 'r');
                visit(&g->p[1], PORT_LAST_MAX, 'l');
        }
}

/* A reader who holds something that the ring does not have. */
static void test_readable_for_something_else(void **state)
{
        struct rig *g = *state;

        port_rx_enter(&g->p[1]);
        g->p[1].extra = true;
        assert_false(port_rx_rest(&g->p[1]));
        port_rx_leave(&g->p[1]);
        assert_true(readable(&g->p[1]));
        port_rx_enter(&g->p[1]);
        g->p[1].extra = false;
        port_rx_leave(&g->p[1]);
        assert_false(readable(&g->p[1]));
}

static void test_bytes_of_both_sides(void **state)
{
        struct rig       *g     = *state;
        struct port_facts facts = {.bytes = {7, 7}};
        uint8_t          *to;

        port_inspect(g->memfd, &facts);
        assert_int_equal(facts.bytes[0] + facts.bytes[1], 0);
        put(&g->p[0], 100, 'x');
        put(&g->p[0], 11, 'x');
        put(&g->p[1], 3, 'x');
        assert_int_equal(port_reserve(&g->p[1], 50, false, &to), 0);
        port_commit(&g->p[1], 50, 26, true);
        port_inspect(g->memfd, &facts);
        assert_int_equal(facts.bytes[0], 111);
        assert_int_equal(facts.bytes[1], 29);
        assert_int_equal(port_reset(g->memfd), 0);
        port_inspect(g->memfd, &facts);
        assert_int_equal(facts.bytes[0] + facts.bytes[1], 0);
        facts.bytes[0] = 7;
        port_inspect(-1, &facts);
        assert_int_equal(facts.bytes[0] + facts.bytes[1], 0);
}

/* -- a random story, checked after every step ------------------------------ */

/* One direction: what is under way, and where its reader stands. */
struct lane {
        struct port *w, *r;
        size_t       len[8192];
        uint64_t     sent, taken;
        bool         inside;
        unsigned     asleep;
};

static void lane_write(struct lane *l, uint64_t *seed)
{
        size_t len = 1 + (size_t)random_below(seed, random_below(seed, 50) == 0 ? PORT_MSG_MAX : 500);
        int    r   = put(l->w, len, (int)l->sent);

        if (r == -EAGAIN) {
                assert_true(l->sent > l->taken);
                (void)port_tx_prepare(l->w);
                return;
        }
        assert_int_equal(r, 0);
        l->len[l->sent++ % 8192] = len;
}

static void lane_read(struct lane *l, uint64_t *seed)
{
        uint64_t n = random_below(seed, 4);

        if (!l->inside)
                port_rx_enter(l->r);
        for (uint64_t i = 0; i < n && l->taken < l->sent; i++, l->taken++)
                take(l->r, l->len[l->taken % 8192], (int)l->taken);
        if (l->taken == l->sent)
                assert_int_equal(peek(l->r), -EAGAIN);
        l->inside = random_below(seed, 4) == 0;
        if (!l->inside)
                port_rx_leave(l->r);
}

/* Another thread's steps around a sleep, which need not be next to each other. */
static void lane_sleep(struct lane *l, uint64_t *seed)
{
        if (l->asleep > 0 && random_below(seed, 2) == 0) {
                l->asleep--;
                port_rx_awake(l->r);
                l->inside = random_below(seed, 2) == 0;
                if (!l->inside)
                        port_rx_leave(l->r);
        } else if (l->asleep < 3) {
                if (random_below(seed, 2) == 0)
                        port_rx_enter(l->r);
                assert_int_equal(port_rx_prepare(l->r), l->sent == l->taken);
                l->asleep++;
                l->inside = true;
        }
}

static void lane_check(struct lane *l)
{
        assert_int_equal(l->r->n_asleep, l->asleep);
        if (l->inside)
                return;
        assert_int_equal(readable(l->r), l->sent > l->taken);
        if (l->sent > l->taken) /* whoever is asleep has been woken */
                assert_int_equal(atomic_load(rx_word(l->r)) & RING_ASLEEP, 0);
}

static void story(struct rig *g, uint64_t seed, int steps)
{
        static struct lane lanes[2];

        for (unsigned s = 0; s < 2; s++)
                lanes[s] = (struct lane){.w = &g->p[s], .r = &g->p[!s]};
        for (int i = 0; i < steps; i++) {
                struct lane *l = &lanes[random_below(&seed, 2)];

                switch (random_below(&seed, 5)) {
                case 0:
                case 1: lane_write(l, &seed); break;
                case 2:
                case 3: lane_read(l, &seed); break;
                default: lane_sleep(l, &seed);
                }
                lane_check(l);
        }
        assert_true(lanes[0].taken > (uint64_t)steps / 20);
}

static void test_descriptor_tells_the_truth(void **state)
{
        for (uint64_t seed = 0; seed < 20; seed++) {
                assert_int_equal(tear_down(state) | set_up(state), 0);
                story(*state, seed, 5000);
        }
}

/*
 * A reader who leaves a message behind needs a descriptor to ring with. Without, pollers hear of it with the
 * next one.
 */
static void test_no_descriptor_to_ring_with(void **state)
{
        struct rig   *g = *state;
        struct rlimit lim, none = {0};

        assert_int_equal(getrlimit(RLIMIT_NOFILE, &lim), 0);
        none.rlim_max = lim.rlim_max;
        port_rx_enter(&g->p[1]);
        assert_int_equal(put(&g->p[0], 8, 'x'), 0);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
        port_rx_leave(&g->p[1]);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &lim), 0);
        assert_false(readable(&g->p[1]));
        assert_int_equal(put(&g->p[0], 8, 'y'), 0);
        assert_true(readable(&g->p[1]));
        visit(&g->p[1], 8, 'x');
        assert_true(readable(&g->p[1]));
        visit(&g->p[1], 8, 'y');
        assert_false(readable(&g->p[1]));
}

/* -- rings that come late, or for nothing ---------------------------------- */

/* A writer was interrupted between taking the arm and ringing; the reader took the message meanwhile. */
static void test_late_ring_costs_one_visit(void **state)
{
        struct rig *g = *state;

        port_rx_enter(&g->p[1]);
        assert_int_equal(put(&g->p[0], 8, 'x'), 0);
        take(&g->p[1], 8, 'x');
        port_rx_leave(&g->p[1]);
        bell_ring(g->p[0].peer_bell);
        assert_true(readable(&g->p[1]));
        visit_in_vain(&g->p[1]);
        assert_false(readable(&g->p[1]));
}

static void test_late_ring_is_waited_for(void **state)
{
        struct rig *g = *state;

        atomic_store(rx_word(&g->p[1]), RING_AWAKE); /* taken */
        bell_ring(g->p[0].peer_bell);
        visit_in_vain(&g->p[1]);
        assert_false(readable(&g->p[1]));
        atomic_store(rx_word(&g->p[1]), RING_AWAKE); /* taken, and never rung */
        visit_in_vain(&g->p[1]);
        assert_false(readable(&g->p[1]));
        assert_int_equal(put(&g->p[0], 8, 'x'), 0);
        assert_true(readable(&g->p[1]));
}

static void test_peer_that_rings_for_nothing(void **state)
{
        struct rig *g      = *state;
        int         visits = 0;

        for (int i = 0; i < 1000; i++)
                bell_ring(g->p[0].peer_bell);
        for (; readable(&g->p[1]); visits++) {
                visit_in_vain(&g->p[1]);
                assert_true(visits < 1000);
        }
        assert_int_equal(put(&g->p[0], 8, 'x'), 0);
        visit(&g->p[1], 8, 'x');
        assert_false(readable(&g->p[1]));
}

/* A reader spins outside the lock; another one comes, finds nothing, leaves and so arms the bell. */
static void test_second_reader_arms_behind_a_spinner(void **state)
{
        struct rig *g = *state;

        port_rx_enter(&g->p[1]);
        visit_in_vain(&g->p[1]);
        assert_int_equal(put(&g->p[0], 8, 'x'), 0);
        assert_true(readable(&g->p[1]));
        take(&g->p[1], 8, 'x'); /* the spinner, without entering again */
        port_rx_leave(&g->p[1]);
        assert_false(readable(&g->p[1]));
        /* the same, and it goes to sleep */
        port_rx_enter(&g->p[1]);
        visit_in_vain(&g->p[1]);
        assert_true(port_rx_prepare(&g->p[1]));
        assert_int_equal(put(&g->p[0], 8, 'y'), 0);
        assert_int_equal(port_rx_sleep(&g->p[1], CLOCK_NEVER), 0);
        port_rx_awake(&g->p[1]);
        port_rx_leave(&g->p[1]);
        assert_true(readable(&g->p[1]));
        visit(&g->p[1], 8, 'y');
        assert_false(readable(&g->p[1]));
}

/*
 * Who has announced a sleep does not begin it when another has announced his since: what he waits for may
 * have been taken in between.
 */
static void test_sleep_of_before(void **state)
{
        struct rig *g = *state;
        uint32_t    first, second;

        port_rx_enter(&g->p[1]);
        assert_true(port_rx_prepare_next(&g->p[1], &first));
        assert_int_equal(put(&g->p[0], 8, 'x'), 0);
        take(&g->p[1], 8, 'x');
        assert_true(port_rx_prepare_next(&g->p[1], &second));
        assert_int_equal(port_rx_sleep_on(&g->p[1], first, CLOCK_NEVER), 0);
        assert_int_equal(port_rx_sleep_on(&g->p[1], second, clock_now_ns() + NS_PER_MS), -ETIMEDOUT);
        port_rx_awake(&g->p[1]);
        assert_int_equal(put(&g->p[0], 8, 'y'), 0);
        assert_int_equal(port_rx_sleep_on(&g->p[1], second, CLOCK_NEVER), 0); /* it was woken */
        port_rx_awake(&g->p[1]);
        port_rx_leave(&g->p[1]);
        assert_true(readable(&g->p[1]));
}

/* -- the end --------------------------------------------------------------- */

static void check_ended(struct port *p, enum port_end end)
{
        assert_int_equal(port_peer(p), end);
        assert_true(readable(p));
        assert_int_equal(put(p, 8, 'x'), -EFLOWDOWN);
        assert_true(port_rx_moved(p, port_rx_seen(p)));
        assert_true(port_tx_moved(p, port_tx_seen(p)));
        assert_false(port_tx_prepare(p));
        for (int i = 0; i < 3; i++) {
                visit_in_vain(p);
                assert_true(readable(p));
        }
        port_rx_enter(p);
        assert_false(port_rx_prepare(p));
        port_rx_awake(p);
        port_rx_leave(p);
}

static void test_close(void **state)
{
        struct rig       *g = *state;
        struct port_facts facts;

        port_inspect(g->memfd, &facts);
        assert_false(facts.ended[0]);
        assert_int_equal(put(&g->p[0], 8, 'x'), 0);
        port_close(&g->p[0]);
        port_close(&g->p[0]);
        port_inspect(g->memfd, &facts);
        assert_true(facts.ended[0]);
        assert_false(facts.ended[1]);
        assert_int_equal(port_peer(&g->p[1]), PORT_CLOSED);
        visit(&g->p[1], 8, 'x'); /* what was sent before is still read */
        check_ended(&g->p[1], PORT_CLOSED);
        port_bury(g->memfd, 0, g->bell[1].keeper); /* who has closed does not die as well */
        check_ended(&g->p[1], PORT_CLOSED);
}

static void test_bury(void **state)
{
        struct rig *g = *state;

        assert_int_equal(put(&g->p[0], 8, 'x'), 0);
        port_bury(g->memfd, 0, g->bell[1].keeper);
        visit(&g->p[1], 8, 'x');
        check_ended(&g->p[1], PORT_DIED);
        assert_int_equal(port_peer(&g->p[0]), PORT_OPEN);
}

/* Without a bell, whoever polls hears of it by the hang-up. */
static void test_bury_without_bell(void **state)
{
        struct rig *g = *state;

        port_bury(g->memfd, 0, -1);
        assert_int_equal(port_peer(&g->p[1]), PORT_DIED);
        fd_close(&g->bell[1].keeper);
        fd_close(&g->p[0].peer_bell);
        check_ended(&g->p[1], PORT_DIED);
        port_bury(-1, 0, -1); /* no port: nothing happens */
}

/* irmd is gone, the peer's process dies without a word: the kernel tells. */
static void test_hang_up(void **state)
{
        struct rig *g = *state;

        assert_int_equal(put(&g->p[0], 8, 'x'), 0);
        fd_close(&g->bell[1].keeper);
        fd_close(&g->p[0].peer_bell);
        assert_true(readable(&g->p[1]));
        visit(&g->p[1], 8, 'x');
        assert_true(readable(&g->p[1]));
        visit_in_vain(&g->p[1]);
        check_ended(&g->p[1], PORT_DIED);
}

/* irmd gives the memory to the next flow of the same two processes, who have kept it mapped. */
static void test_memory_comes_back(void **state)
{
        struct rig       *g = *state;
        struct port_ctl  *mapping[2];
        struct port_facts facts;

        fill(&g->p[0]);
        fill(&g->p[1]);
        for (unsigned s = 0; s < 2; s++) {
                mapping[s] = port_part(&g->p[s]);
                assert_non_null(mapping[s]);
                assert_null(port_part(&g->p[s]));
                fd_close(&g->bell[s].keeper);
                assert_int_equal(bell_create(&g->bell[s]), 0);
                port_inspect(g->memfd, &facts);
                assert_true(facts.ended[s]);
        }
        assert_int_equal(port_reset(g->memfd), 0);
        for (unsigned s = 0; s < 2; s++)
                port_reopen(&g->p[s], mapping[s], s, g->bell[s].own, g->bell[!s].other);
        for (unsigned s = 0; s < 2; s++) {
                port_inspect(g->memfd, &facts);
                assert_false(facts.ended[s]);
                assert_int_equal(port_peer(&g->p[s]), PORT_OPEN);
                assert_false(readable(&g->p[s]));
        }
        story(g, 99, 1000);
        assert_true(port_reset(-1) < 0);
        port_unmap(NULL);
}

static void test_forgetting_says_nothing(void **state)
{
        struct rig *g = *state;
        pid_t       pid;
        int         status = -1;

        pid = fork();
        if (pid == 0) {
                void         *mem = g->p[0].ctl;
                unsigned char in;

                port_forget(&g->p[0]);
                if (g->p[0].ctl != NULL || g->p[0].bell != -1 || g->p[0].peer_bell != -1)
                        _exit(1);
                _exit(mincore(mem, RING_PAGE, &in) == 0 || errno != ENOMEM ? 2 : 0); /* not mapped here */
        }
        assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
        assert_int_equal(status, 0);
        assert_int_equal(port_peer(&g->p[1]), PORT_OPEN);
        assert_false(readable(&g->p[1]));
        assert_int_equal(put(&g->p[0], 8, 'x'), 0);
        visit(&g->p[1], 8, 'x');
}

/* -- sleepers -------------------------------------------------------------- */

/* A thread that reads one message, asleep until it comes. */
struct sleeper {
        pthread_t        id;
        pthread_mutex_t *lock;
        struct port     *port;
        int64_t          deadline_ns;
        int              result; /* 0, -ENODATA (the end), -ETIMEDOUT, -EINTR (roused) */
        atomic_bool     *stop;
};

static int read_asleep(struct sleeper *z)
{
        int r = 0;

        for (;;) {
                int got = peek(z->port);

                if (got == 0)
                        port_pop(z->port);
                if (got == 0)
                        return 0;
                if (port_peer(z->port) != PORT_OPEN)
                        return -ENODATA;
                if (*z->stop)
                        return -EINTR;
                if (r < 0)
                        return r;
                if (port_rx_prepare(z->port)) {
                        pthread_mutex_unlock(z->lock);
                        r = port_rx_sleep(z->port, z->deadline_ns);
                        pthread_mutex_lock(z->lock);
                }
                port_rx_awake(z->port);
        }
}

static void *sleeper_run(void *arg)
{
        struct sleeper *z = arg;

        pthread_mutex_lock(z->lock);
        port_rx_enter(z->port);
        z->result = read_asleep(z);
        port_rx_leave(z->port);
        pthread_mutex_unlock(z->lock);
        return NULL;
}

#define N_SLEEPERS 4

/* Starts some on side 1 of @g and waits until they sleep. */
static void put_to_sleep(struct rig *g, struct sleeper z[N_SLEEPERS], int64_t deadline_ns)
{
        static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
        static atomic_bool     stop;
        unsigned               n = 0;

        stop = false;
        for (int i = 0; i < N_SLEEPERS; i++) {
                z[i] = (struct sleeper){.lock        = &lock,
                                        .port        = &g->p[1],
                                        .deadline_ns = deadline_ns,
                                        .result      = 1,
                                        .stop        = &stop};
                assert_int_equal(pthread_create(&z[i].id, NULL, sleeper_run, &z[i]), 0);
        }
        while (n < N_SLEEPERS) {
                usleep(1000);
                pthread_mutex_lock(&lock);
                n = g->p[1].n_asleep;
                pthread_mutex_unlock(&lock);
        }
        usleep(1000);
}

static void all_end_with(struct sleeper z[N_SLEEPERS], int result)
{
        for (int i = 0; i < N_SLEEPERS; i++) {
                assert_int_equal(pthread_join(z[i].id, NULL), 0);
                assert_int_equal(z[i].result, result);
        }
}

static void test_sleepers_share_messages(void **state)
{
        struct rig    *g = *state;
        struct sleeper z[N_SLEEPERS];

        put_to_sleep(g, z, CLOCK_NEVER);
        for (int i = 0; i < N_SLEEPERS; i++)
                assert_int_equal(put(&g->p[0], 8, 'x'), 0);
        all_end_with(z, 0);
        assert_false(readable(&g->p[1]));
}

static void test_sleepers_wake_each_other_for_what_is_left(void **state)
{
        struct rig    *g = *state;
        struct sleeper z[N_SLEEPERS];

        put_to_sleep(g, z, CLOCK_NEVER);
        pthread_mutex_lock(z[0].lock); /* they wake, and wait for the lock */
        for (int i = 0; i < N_SLEEPERS; i++)
                assert_int_equal(put(&g->p[0], 8, 'x'), 0);
        pthread_mutex_unlock(z[0].lock);
        all_end_with(z, 0);
}

static void test_sleepers_and_close(void **state)
{
        struct rig    *g = *state;
        struct sleeper z[N_SLEEPERS];

        put_to_sleep(g, z, CLOCK_NEVER);
        port_close(&g->p[0]);
        all_end_with(z, -ENODATA);
        check_ended(&g->p[1], PORT_CLOSED);
}

static void test_sleepers_and_bury(void **state)
{
        struct rig    *g = *state;
        struct sleeper z[N_SLEEPERS];

        put_to_sleep(g, z, CLOCK_NEVER);
        port_bury(g->memfd, 0, g->bell[1].keeper);
        all_end_with(z, -ENODATA);
}

static void test_sleepers_are_roused(void **state)
{
        struct rig    *g = *state;
        struct sleeper z[N_SLEEPERS];

        put_to_sleep(g, z, CLOCK_NEVER);
        *z[0].stop = true;
        port_rouse(&g->p[1]);
        all_end_with(z, -EINTR);
        port_close(&g->p[1]);
        port_rouse(&g->p[1]); /* nobody there */
}

/*
 * Two have announced their sleep and been woken before it; the first to come back must not put the other one
 * to sleep.
 */
static void test_waking_is_not_undone(void **state)
{
        struct rig  *g = *state;
        struct port *p = &g->p[1];

        port_rx_enter(p);
        assert_true(port_rx_prepare(p));
        assert_true(port_rx_prepare(p));
        port_rouse(p);
        assert_int_equal(port_rx_sleep(p, CLOCK_NEVER), 0);
        port_rx_awake(p);
        assert_int_equal(port_rx_sleep(p, CLOCK_NEVER), 0);
        port_rx_awake(p);
        port_rx_leave(p);
        assert_false(readable(p));
}

static void test_sleepers_time_out(void **state)
{
        struct rig    *g     = *state;
        int64_t        start = clock_now_ns();
        struct sleeper z[N_SLEEPERS];

        put_to_sleep(g, z, start + 50 * NS_PER_MS);
        all_end_with(z, -ETIMEDOUT);
        assert_true(clock_now_ns() - start >= 50 * NS_PER_MS);
        assert_false(readable(&g->p[1]));
        assert_int_equal(put(&g->p[0], 8, 'x'), 0);
        assert_true(readable(&g->p[1]));
}

/* While they sleep others may poll: who reads is up to who is first, but nobody is forgotten. */
static void test_visitor_among_sleepers(void **state)
{
        struct rig    *g = *state;
        struct sleeper z[N_SLEEPERS];

        put_to_sleep(g, z, CLOCK_NEVER);
        pthread_mutex_lock(z[0].lock);
        visit_in_vain(&g->p[1]); /* arms the bell over their heads */
        pthread_mutex_unlock(z[0].lock);
        assert_false(readable(&g->p[1]));
        for (int i = 0; i < N_SLEEPERS; i++)
                assert_int_equal(put(&g->p[0], 8, 'x'), 0);
        all_end_with(z, 0);
        assert_false(readable(&g->p[1]));
}

static void *write_asleep(void *arg)
{
        struct port *p = arg;
        int          r;

        while ((r = put(p, PORT_MSG_MAX, 'x')) == -EAGAIN) {
                if (port_tx_prepare(p))
                        (void)port_tx_sleep(p, CLOCK_NEVER);
        }
        return (void *)(intptr_t)r;
}

static void test_writer_asleep(void **state)
{
        struct rig *g = *state;
        pthread_t   id;
        void       *r;

        fill(&g->p[0]);
        assert_int_equal(pthread_create(&id, NULL, write_asleep, &g->p[0]), 0);
        usleep(20000);
        visit(&g->p[1], PORT_MSG_MAX, 'x');
        assert_int_equal(pthread_join(id, &r), 0);
        assert_null(r);
}

static void test_writer_asleep_and_close(void **state)
{
        struct rig *g = *state;
        pthread_t   id;
        void       *r;

        fill(&g->p[0]);
        assert_int_equal(pthread_create(&id, NULL, write_asleep, &g->p[0]), 0);
        usleep(20000);
        port_close(&g->p[1]);
        assert_int_equal(pthread_join(id, &r), 0);
        assert_int_equal((intptr_t)r, -EFLOWDOWN);
}

static void test_deadline_in_the_past(void **state)
{
        struct rig *g = *state;

        port_rx_enter(&g->p[1]);
        assert_true(port_rx_prepare(&g->p[1]));
        assert_int_equal(port_rx_sleep(&g->p[1], 0), -ETIMEDOUT);
        port_rx_awake(&g->p[1]);
        port_rx_leave(&g->p[1]);
        assert_false(readable(&g->p[1]));
}

/* -- what is not a port ---------------------------------------------------- */

static int memfd(off_t size, int seals)
{
        int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        assert_true(fd >= 0 && ftruncate(fd, size) == 0 &&
                    (seals == 0 || fcntl(fd, F_ADD_SEALS, seals) == 0));
        return fd;
}

static void refuse(int fd)
{
        struct port p = {.bell = 77};

        assert_int_equal(port_open(&p, fd, 0, -1, -1), -EPROTO);
        assert_int_equal(p.bell, 77);
        fd_close(&fd);
}

static void test_not_a_port(void **state)
{
        int pipe_fds[2];

        (void)state;
        refuse(-1);
        refuse(open("/dev/zero", O_RDWR));
        refuse(memfd((off_t)PORT_SIZE, 0));
        refuse(memfd((off_t)PORT_SIZE, F_SEAL_GROW | F_SEAL_SEAL));
        refuse(memfd((off_t)PORT_SIZE - 1, F_SEAL_SHRINK));
        refuse(memfd((off_t)PORT_SIZE + 1, F_SEAL_SHRINK));
        refuse(memfd(0, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL));
        refuse(memfd(INT64_C(1) << 40, F_SEAL_SHRINK));
        assert_int_equal(pipe(pipe_fds), 0);
        refuse(pipe_fds[0]);
        close(pipe_fds[1]);
}

static void test_no_memory_to_make_one(void **state)
{
        struct rlimit lim, none = {0};

        (void)state;
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &lim), 0);
        none.rlim_max = lim.rlim_max;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
        assert_int_equal(port_create(), -EMFILE);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &lim), 0);
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &lim), 0);
        none.rlim_max = lim.rlim_max;
        signal(SIGXFSZ, SIG_IGN);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
        assert_int_equal(port_create(), -EFBIG);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &lim), 0);
        signal(SIGXFSZ, SIG_DFL);
}

static void test_port_that_cannot_be_written(void **state)
{
        struct port p;
        int         fd = memfd((off_t)PORT_SIZE, F_SEAL_SHRINK | F_SEAL_WRITE);

        (void)state;
        assert_int_equal(port_open(&p, fd, 0, -1, -1), -EPERM);
        close(fd);
}

static void test_seals_of_a_new_port(void **state)
{
        struct rig *g = *state;

        assert_int_equal(fcntl(g->memfd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
        assert_int_equal(fcntl(g->memfd, F_GETFD), FD_CLOEXEC);
        assert_int_equal(ftruncate(g->memfd, 0), -1);
        assert_int_equal(ftruncate(g->memfd, (off_t)PORT_SIZE + 4096), -1);
        assert_int_equal(fcntl(g->memfd, F_ADD_SEALS, F_SEAL_WRITE), -1);
}

/* The peer may punch holes where it likes: they read as zeros. */
static void test_holes(void **state)
{
        struct rig *g = *state;

        assert_int_equal(put(&g->p[0], 100, 'x'), 0);
        assert_int_equal(fallocate(g->memfd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)PORT_SIZE),
                         0);
        port_rx_enter(&g->p[1]);
        assert_int_equal(peek(&g->p[1]), -EAGAIN);
        port_rx_leave(&g->p[1]);
        (void)put(&g->p[0], 100, 'x');
        (void)put(&g->p[1], 100, 'x');
}

/* -- hostile words --------------------------------------------------------- */

static void test_empty_message_is_a_lie(void **state)
{
        struct rig *g = *state;
        uint8_t    *p;

        assert_int_equal(ring_tx_reserve(&g->p[0].tx, 0, &p), 0);
        ring_tx_commit(&g->p[0].tx, 0);
        port_rx_enter(&g->p[1]);
        assert_int_equal(peek(&g->p[1]), -EPROTO);
        port_rx_leave(&g->p[1]);
        assert_true(readable(&g->p[1]));
}

static void test_broken_ring_is_readable(void **state)
{
        struct rig *g = *state;

        port_rx_enter(&g->p[1]);
        atomic_store(&g->p[1].rx.ctl->head, UINT64_MAX);
        assert_false(port_rx_prepare(&g->p[1]));
        port_rx_awake(&g->p[1]);
        assert_int_equal(peek(&g->p[1]), -EPROTO);
        port_rx_leave(&g->p[1]);
        assert_true(readable(&g->p[1]));
        atomic_store(&g->p[1].tx.ctl->tail, UINT64_MAX);
        fill(&g->p[1]);
        assert_int_equal(put(&g->p[1], PORT_MSG_MAX, 'x'), -EPROTO);
}

/* Whatever the words say, nobody hangs, and a port whose peer comes to reason works again. */
static void test_random_words(void **state)
{
        struct rig *g    = *state;
        uint64_t    seed = 11;

        for (int i = 0; i < 20000; i++) {
                atomic_store(rx_word(&g->p[1]), (uint32_t)random_next(&seed) >> random_below(&seed, 32));
                atomic_store(&g->p[0].tx.ctl->tx_word,
                             (uint32_t)random_next(&seed) >> random_below(&seed, 32));
                if (random_below(&seed, 2) == 0)
                        (void)put(&g->p[0], 8, 'x');
                if (random_below(&seed, 2) == 0) {
                        port_rx_enter(&g->p[1]);
                        if (peek(&g->p[1]) == 0)
                                port_pop(&g->p[1]);
                        else if (port_rx_prepare(&g->p[1]) && random_below(&seed, 100) == 0)
                                (void)port_rx_sleep(&g->p[1], clock_now_ns() + 1000);
                        if (g->p[1].n_asleep > 0)
                                port_rx_awake(&g->p[1]);
                        port_rx_leave(&g->p[1]);
                }
        }
        port_rx_enter(&g->p[1]);
        while (peek(&g->p[1]) == 0)
                port_pop(&g->p[1]);
        port_rx_leave(&g->p[1]);
        for (int i = 0; i < 1000 && readable(&g->p[1]); i++)
                visit_in_vain(&g->p[1]);
        assert_false(readable(&g->p[1]));
        assert_int_equal(put(&g->p[0], 8, 'y'), 0);
        assert_true(readable(&g->p[1]));
        visit(&g->p[1], 8, 'y');
}

static void test_end_word_that_flickers(void **state)
{
        struct rig *g    = *state;
        uint64_t    seed = 12;

        for (int i = 0; i < 10000; i++) {
                _Atomic uint32_t *end =
                        (_Atomic uint32_t *)(void *)((uint8_t *)g->p[1].ctl + 2 * sizeof(struct ring_ctl));

                atomic_store(end, (uint32_t)random_below(&seed, 4));
                assert_true(port_peer(&g->p[1]) <= PORT_DIED);
                visit_in_vain(&g->p[1]);
                assert_int_equal(readable(&g->p[1]), port_peer(&g->p[1]) != PORT_OPEN);
        }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(test_message_each_way),
                TEST(test_sizes),
                TEST(test_sizes_of_records),
                TEST(test_record_without_a_call),
                TEST(test_one_flush_for_many),
                TEST(test_batch),
                TEST(test_batch_by_bytes),
                TEST(test_batch_before_a_lie),
                TEST(test_batch_gives_room),
                TEST(test_room_for_the_last),
                TEST(test_readable_for_something_else),
                TEST(test_bytes_of_both_sides),
                TEST(test_message_before_the_reader_joins),
                TEST(test_no_bell_inside),
                TEST(test_full),
                TEST(test_resting_gives_room),
                TEST(test_descriptor_tells_the_truth),
                TEST(test_no_descriptor_to_ring_with),
                TEST(test_late_ring_costs_one_visit),
                TEST(test_late_ring_is_waited_for),
                TEST(test_sleep_of_before),
                TEST(test_peer_that_rings_for_nothing),
                TEST(test_second_reader_arms_behind_a_spinner),
                TEST(test_close),
                TEST(test_bury),
                TEST(test_bury_without_bell),
                TEST(test_hang_up),
                TEST(test_memory_comes_back),
                TEST(test_forgetting_says_nothing),
                TEST(test_sleepers_share_messages),
                TEST(test_sleepers_wake_each_other_for_what_is_left),
                TEST(test_sleepers_and_close),
                TEST(test_sleepers_and_bury),
                TEST(test_sleepers_are_roused),
                TEST(test_waking_is_not_undone),
                TEST(test_sleepers_time_out),
                TEST(test_visitor_among_sleepers),
                TEST(test_writer_asleep),
                TEST(test_writer_asleep_and_close),
                TEST(test_deadline_in_the_past),
                TEST(test_not_a_port),
                TEST(test_no_memory_to_make_one),
                TEST(test_port_that_cannot_be_written),
                TEST(test_seals_of_a_new_port),
                TEST(test_holes),
                TEST(test_empty_message_is_a_lie),
                TEST(test_broken_ring_is_readable),
                TEST(test_random_words),
                TEST(test_end_word_that_flickers),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
