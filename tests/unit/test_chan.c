/* test_chan.c - a channel on a loop, with the test at the other end of the socketpair. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "loop/chan.h"
#include "pb/ipcp.pb-c.h"

struct end {
        struct chan *chan;
        int          peer;
        int          packets, faults, gones;
        int          last_fault, err;
        struct frame frame;
        size_t       len;
        uint8_t      body[256];
        int          taken; /* a descriptor */
        bool         sending;
        void (*then)(struct end *e); /* what the packet handler does besides */
};

struct fixture {
        uv_loop_t  loop;
        struct end a, b;
        int        descriptors; /* open at the start */
};

static uint8_t packet[FRAME_MAX];

static int open_descriptors(void)
{
        int n = 0;

        for (int fd = 0; fd < 1024; fd++)
                n += fcntl(fd, F_GETFD) >= 0;
        return n;
}

static void on_packet(void *ctx, int fault, const struct frame *f, const uint8_t *body, size_t len, int *fds,
                      size_t n_fds)
{
        struct end *e = ctx;

        if (fault < 0) {
                e->faults++;
                e->last_fault = fault;
                return;
        }
        e->packets++;
        e->frame = *f;
        e->len   = len;
        memcpy(e->body, body, len < sizeof(e->body) ? len : sizeof(e->body));
        if (n_fds > 1) { /* takes the second of several */
                e->taken = fds[1];
                fds[1]   = -1;
        }
        if (e->then != NULL)
                e->then(e);
}

static void on_gone(void *ctx, int err)
{
        struct end *e = ctx;

        assert_false(e->sending);
        e->gones++;
        e->err = err;
        chan_close(e->chan);
        e->chan = NULL;
}

static const struct chan_ops ops = {on_packet, on_gone};

static bool end_open(struct end *e, uv_loop_t *loop)
{
        int sv[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0)
                return false;
        e->chan  = chan_open(loop, sv[0], &ops, e);
        e->peer  = sv[1];
        e->taken = -1;
        return e->chan != NULL;
}

static void end_close(struct end *e)
{
        chan_close(e->chan);
        fd_close(&e->peer);
        fd_close(&e->taken);
}

static int setup(void **state)
{
        struct fixture *x = calloc(1, sizeof(*x));

        x->descriptors = open_descriptors();
        uv_loop_init(&x->loop);
        *state = x;
        return !end_open(&x->a, &x->loop) || !end_open(&x->b, &x->loop);
}

static int teardown(void **state)
{
        struct fixture *x = *state;
        int             leaked;

        end_close(&x->a);
        end_close(&x->b);
        uv_run(&x->loop, UV_RUN_DEFAULT);
        if (uv_loop_close(&x->loop) < 0)
                return -1;
        leaked = open_descriptors() - x->descriptors;
        free(x);
        return leaked;
}

static void turn(struct fixture *x)
{
        uv_run(&x->loop, UV_RUN_NOWAIT);
}

/* The channel sends a reply whose number is @n. */
static void send_number(struct end *e, uint64_t n, const int *fds, size_t n_fds)
{
        Ipcp__Reply   rp = IPCP__REPLY__INIT;
        Ipcp__Message m  = IPCP__MESSAGE__INIT;

        rp.flow_id  = n;
        m.kind_case = IPCP__MESSAGE__KIND_REPLY;
        m.reply     = &rp;
        e->sending  = true;
        chan_send(e->chan, (uint32_t)n, FRAME_MORE, &m.base, fds, n_fds);
        e->sending = false;
}

/* The channel sends a request of more than @len bytes. */
static void send_large(struct end *e, uint32_t id, size_t len)
{
        static uint8_t bytes[FRAME_MAX];
        Ipcp__NameReg  nr = IPCP__NAME_REG__INIT;

        nr.hash.data = bytes;
        nr.hash.len  = len;
        e->sending   = true;
        chan_send(e->chan, id, 0, &nr.base, NULL, 0);
        e->sending = false;
}

/* The peer takes one packet: its frame's id, or what ctl_recv() returned. @n_fds are closed. */
static int64_t peer_takes(struct end *e, size_t *n_fds)
{
        int          fds[CTL_FDS_MAX];
        ssize_t      n = ctl_recv(e->peer, packet, fds, n_fds, MSG_DONTWAIT);
        struct rd    in;
        struct frame f;

        if (n <= 0)
                return n;
        in = (struct rd){packet, packet + n, false};
        assert_true(frame_get(&in, &f));
        fd_close_all(fds, *n_fds);
        return f.id;
}

static void peer_gives(struct end *e, uint32_t id, const int *fds, size_t n_fds)
{
        const struct frame f = {.id = id, .flags = FRAME_MORE};

        assert_int_equal(ctl_send(e->peer, &f, "body", 4, fds, n_fds, MSG_DONTWAIT), 0);
}

/* -- receiving ------------------------------------------------------------- */

static void test_packet(void **state)
{
        struct fixture *x = *state;

        peer_gives(&x->a, 7, NULL, 0);
        turn(x);
        assert_int_equal(x->a.packets, 1);
        assert_int_equal(x->a.frame.id, 7);
        assert_int_equal(x->a.frame.flags, FRAME_MORE);
        assert_int_equal(x->a.len, 4);
        assert_memory_equal(x->a.body, "body", 4);
        turn(x);
        assert_int_equal(x->a.packets, 1);
        assert_int_equal(x->b.packets, 0);
}

/* Teardown counts: what was not taken has been closed. */
static void test_descriptors(void **state)
{
        struct fixture *x = *state;

        peer_gives(&x->a, 1, (int[]){0, 0, 0}, 3);
        peer_gives(&x->a, 2, (int[]){0}, 1);
        turn(x);
        assert_int_equal(x->a.packets, 2);
        assert_int_equal(fcntl(x->a.taken, F_GETFD), FD_CLOEXEC);
}

/* What is no frame is told, and the channel goes on. */
static void test_faults(void **state)
{
        static uint8_t  large[FRAME_MAX + 1];
        struct fixture *x = *state;

        assert_int_equal(send(x->a.peer, "short", 5, 0), 5);
        turn(x);
        assert_int_equal(x->a.last_fault, -EPROTO);
        assert_int_equal(send(x->a.peer, "\0\0\0\1\2\0\0\0flags", 13, 0), 13);
        assert_int_equal(send(x->a.peer, "\0\0\0\1\0\0\0\1spare", 13, 0), 13);
        turn(x);
        assert_int_equal(x->a.faults, 3);
        assert_int_equal(x->a.last_fault, -EPROTO);
        assert_int_equal(send(x->a.peer, large, sizeof(large), 0), sizeof(large));
        turn(x);
        assert_int_equal(x->a.faults, 4);
        assert_int_equal(x->a.last_fault, -EMSGSIZE);
        peer_gives(&x->a, 1, NULL, 0);
        turn(x);
        assert_int_equal(x->a.packets, 1);
        assert_int_equal(x->a.gones, 0);
}

/* One who sends much does not keep others waiting. */
static void test_burst(void **state)
{
        struct fixture *x = *state;

        for (uint32_t i = 1; i <= 150; i++)
                peer_gives(&x->a, i, NULL, 0);
        peer_gives(&x->b, 1, NULL, 0);
        turn(x);
        assert_in_range(x->a.packets, 1, 64);
        assert_int_equal(x->b.packets, 1);
        turn(x);
        turn(x);
        assert_int_equal(x->a.packets, 150);
}

static void close_both(struct end *e)
{
        chan_close(e->chan);
        e->chan = NULL;
}

static void test_close_in_handler(void **state)
{
        struct fixture *x = *state;

        x->a.then = close_both;
        for (uint32_t i = 1; i <= 10; i++)
                peer_gives(&x->a, i, (int[]){0, 0}, 2);
        turn(x);
        turn(x);
        assert_int_equal(x->a.packets, 1);
        assert_int_equal(x->a.gones, 0);
}

/* -- sending --------------------------------------------------------------- */

static void test_send(void **state)
{
        struct fixture *x = *state;
        size_t          n_fds;

        send_number(&x->a, 5, (int[]){0, 1}, 2);
        assert_int_equal(chan_queued(x->a.chan), 0);
        assert_int_equal(peer_takes(&x->a, &n_fds), 5); /* without a turn of the loop */
        assert_int_equal(n_fds, 2);
        assert_memory_equal(packet, "\0\0\0\5\1\0\0\0", 8);
        assert_int_equal(peer_takes(&x->a, &n_fds), -EAGAIN);
}

/* Sends until @n have been queued; returns how many were sent. */
static uint64_t send_until_queued(struct end *e, uint64_t n)
{
        uint64_t sent = 0, before = 0;

        while (before < n) {
                before += chan_queued(e->chan) > 0;
                send_number(e, ++sent, (int[]){0, 1}, 2);
        }
        return sent;
}

static void test_queue(void **state)
{
        struct fixture *x    = *state;
        uint64_t        sent = send_until_queued(&x->a, 100);
        size_t          n_fds;

        turn(x); /* nobody has read: nothing changes */
        assert_true(chan_queued(x->a.chan) > 0);
        for (uint64_t i = 1; i <= sent; i++) {
                int64_t got = peer_takes(&x->a, &n_fds);

                if (got == -EAGAIN) {
                        turn(x);
                        got = peer_takes(&x->a, &n_fds);
                }
                assert_int_equal(got, i);
                assert_int_equal(n_fds, 2);
        }
        assert_int_equal(chan_queued(x->a.chan), 0);
        assert_int_equal(x->a.gones, 0);
        send_number(&x->a, 1, NULL, 0);
        assert_int_equal(chan_queued(x->a.chan), 0);
}

static void on_timer(uv_timer_t *timer)
{
        uv_close((uv_handle_t *)timer, NULL);
}

/* Writability is of no interest when nothing is queued: an idle loop sleeps. */
static void test_idle(void **state)
{
        struct fixture *x    = *state;
        uint64_t        sent = send_until_queued(&x->a, 10);
        uv_timer_t      timer;
        size_t          n_fds;

        while (sent-- > 0) {
                turn(x);
                peer_takes(&x->a, &n_fds);
        }
        turn(x);
        uv_timer_init(&x->loop, &timer);
        uv_timer_start(&timer, on_timer, 30, 0);
        uv_run(&x->loop, UV_RUN_ONCE);
        assert_true(uv_is_closing((uv_handle_t *)&timer)); /* the first that woke it */
        turn(x);
}

static void test_slow_reader(void **state)
{
        struct fixture *x = *state;

        for (uint32_t i = 1; i <= 200; i++)
                send_large(&x->a, i, 10000);
        assert_int_equal(x->a.gones, 0);
        assert_true(chan_queued(x->a.chan) <= CHAN_QUEUE_MAX);
        turn(x);
        assert_int_equal(x->a.gones, 1);
        assert_int_equal(x->a.err, -ENOBUFS);
}

/* A descriptor that waits counts for more than its four bytes. */
static void test_slow_reader_of_descriptors(void **state)
{
        struct fixture *x = *state;

        for (uint64_t i = 1; i < 10000 && chan_queued(x->a.chan) < CHAN_QUEUE_MAX - 2000; i++)
                send_number(&x->a, i, (int[]){0, 1, 2}, 3);
        for (uint64_t i = 1; i < 10; i++)
                send_number(&x->a, i, (int[]){0, 1, 2}, 3);
        turn(x);
        assert_int_equal(x->a.gones, 1);
        assert_int_equal(x->a.err, -ENOBUFS);
}

static void test_allow(void **state)
{
        struct fixture *x = *state;
        size_t          n_fds;
        uint32_t        got = 0;

        chan_allow(x->a.chan, 16u << 20);
        for (uint32_t i = 1; i <= 200; i++)
                send_large(&x->a, i, 50000);
        turn(x);
        assert_int_equal(x->a.gones, 0);
        assert_true(chan_queued(x->a.chan) > CHAN_QUEUE_MAX);
        chan_allow(x->a.chan, CHAN_QUEUE_MAX); /* what is queued stays */
        while (got < 200) {
                int64_t id = peer_takes(&x->a, &n_fds);

                if (id == -EAGAIN)
                        turn(x);
                else
                        assert_int_equal(id, ++got);
        }
        assert_int_equal(x->a.gones, 0);
}

static void test_message_too_large(void **state)
{
        struct fixture *x = *state;

        send_large(&x->a, 1, FRAME_MAX - 100);
        turn(x);
        assert_int_equal(x->a.gones, 0);
        send_large(&x->a, 2, FRAME_MAX);
        send_large(&x->a, 3, 1); /* after a failure nothing is sent */
        turn(x);
        assert_int_equal(x->a.gones, 1);
        assert_int_equal(x->a.err, -EMSGSIZE);
}

/* -- the end --------------------------------------------------------------- */

static void test_peer_ends(void **state)
{
        struct fixture *x = *state;

        peer_gives(&x->a, 1, NULL, 0);
        fd_close(&x->a.peer);
        turn(x);
        turn(x);
        assert_int_equal(x->a.packets, 1); /* what it said before is heard */
        assert_int_equal(x->a.gones, 1);
        assert_int_equal(x->a.err, 0);
}

static void test_peer_ends_without_reading(void **state)
{
        struct fixture *x = *state;

        send_number(&x->a, 1, NULL, 0);
        fd_close(&x->a.peer);
        turn(x);
        assert_int_equal(x->a.gones, 1);
        assert_int_equal(x->a.err, -ECONNRESET);
}

static void test_send_to_nobody(void **state)
{
        struct fixture *x = *state;

        fd_close(&x->a.peer);
        send_number(&x->a, 1, NULL, 0);
        send_number(&x->a, 2, NULL, 0);
        assert_int_equal(x->a.gones, 0);
        turn(x);
        assert_int_equal(x->a.gones, 1);
        assert_int_equal(x->a.err, -EPIPE);
}

static void answer_until_it_fails(struct end *e)
{
        for (uint32_t i = 1; i <= 200; i++)
                send_large(e, i, 10000);
        assert_int_equal(e->gones, 0);
}

/* Failure in the middle of a handler shows when the handler is over. */
static void test_failure_in_handler(void **state)
{
        struct fixture *x = *state;

        x->a.then = answer_until_it_fails;
        peer_gives(&x->a, 1, NULL, 0);
        peer_gives(&x->a, 2, NULL, 0);
        turn(x);
        turn(x);
        assert_int_equal(x->a.packets, 1);
        assert_int_equal(x->a.gones, 1);
}

static void test_failure_then_close(void **state)
{
        struct fixture *x = *state;

        fd_close(&x->a.peer);
        send_number(&x->a, 1, NULL, 0);
        chan_close(x->a.chan);
        x->a.chan = NULL;
        turn(x);
        turn(x);
        assert_int_equal(x->a.gones, 0);
}

static void test_open_fails(void **state)
{
        struct fixture *x  = *state;
        int             fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);

        assert_null(chan_open(&x->loop, fd, &ops, &x->a));
        assert_int_equal(fcntl(fd, F_GETFD), -1);
        chan_close(NULL);
}

/* libuv keeps a pair of descriptors for signals, for good. */
static int setup_group(void **state)
{
        uv_loop_t loop;

        (void)state;
        fd_raise_limit(8192);
        return uv_loop_init(&loop) < 0 || uv_loop_close(&loop) < 0;
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                EACH(test_packet),
                EACH(test_descriptors),
                EACH(test_faults),
                EACH(test_burst),
                EACH(test_close_in_handler),
                EACH(test_send),
                EACH(test_queue),
                EACH(test_idle),
                EACH(test_slow_reader),
                EACH(test_slow_reader_of_descriptors),
                EACH(test_allow),
                EACH(test_message_too_large),
                EACH(test_peer_ends),
                EACH(test_peer_ends_without_reading),
                EACH(test_send_to_nobody),
                EACH(test_failure_in_handler),
                EACH(test_failure_then_close),
                EACH(test_open_fails),
        };

        return cmocka_run_group_tests_name("chan", tests, setup_group, NULL);
}
