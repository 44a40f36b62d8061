/*
 * test_pump.c - packets between real ports, of which both sides are here, and a link that is an array: it
 * records what it gets, refuses when it is told to, and has the loop count its turns.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <ouroboros/errno.h>

#include "base/clock.h"
#include "base/fd.h"
#include "ipcpd/shim/pump.h"
#include "shm/bell.h"
#include "shm/port.h"

#include "random.h"

#define CALLS_MAX  65536
#define PACKET_MAX 1400

/* An application's side of a flow, and the pump's handle. */
struct app {
        struct port       port;
        struct pump_flow *flow; /* NULL: removed */
        uint32_t          eid;
        uint64_t          written, arrived; /* packets                          */
        int               n_broken, n_drained;
        bool              removes; /* from within the callbacks            */
        struct app       *removes_too;
        int               keeper[2];
};

/* One call of send_data(). */
struct call {
        uint32_t eid;
        size_t   n, bytes;
};

struct rig {
        uv_loop_t    loop;
        uv_prepare_t counter;
        unsigned     loop_turns;
        struct pump *pump;
        bool         closes; /* the pump, from within drained() */
        struct app  *by_eid[2048];
        struct app  *refills; /* writes another packet whenever one is sent */
        size_t       room;    /* packets that the link takes before it refuses */
        struct call  calls[CALLS_MAX];
        size_t       n_calls;
};

/* -- packets ----------------------------------------------------------------- */

/* A packet says which one it is in every byte that it has. */
static void fill(uint8_t *p, size_t len, uint64_t number)
{
        memset(p, (int)(number % 251), len);
}

static void check(const uint8_t *p, size_t len, uint64_t number)
{
        assert_true(len > 0);
        assert_int_equal(p[0], number % 251);
        assert_int_equal(p[len - 1], number % 251);
}

static int put(struct app *a, size_t len)
{
        static _Thread_local uint8_t buf[PORT_MSG_MAX];
        int                          r;

        fill(buf, len, a->written);
        r = port_write(&a->port, buf, len);
        if (r == 0)
                a->written++;
        return r;
}

static void put_many(struct app *a, size_t len, int n)
{
        while (n-- > 0)
                assert_int_equal(put(a, len), 0);
}

/* -- the link ---------------------------------------------------------------- */

static size_t send_data(void *link, const struct link_path *path, const struct iovec *v, size_t n)
{
        struct rig  *g = link;
        struct app  *a = g->by_eid[path->eid];
        struct call *c = &g->calls[g->n_calls % CALLS_MAX];

        assert_int_equal(path->own_eid, path->eid + 1);
        if (n > g->room)
                n = g->room;
        g->room -= g->room == SIZE_MAX ? 0 : n;
        *c = (struct call){.eid = path->eid, .n = n};
        for (size_t i = 0; i < n; i++) {
                check(v[i].iov_base, v[i].iov_len, a->arrived++);
                c->bytes += v[i].iov_len;
        }
        g->n_calls++;
        if (g->refills != NULL)
                put_many(g->refills, PACKET_MAX, (int)n);
        return n;
}

static const struct link_ops null_link = {.program = "null", .send_data = send_data};

static void broken(void *ctx, void *flow_ctx)
{
        struct app *a = flow_ctx;

        (void)ctx;
        a->n_broken++;
        if (a->removes) {
                pump_remove(a->flow);
                a->flow = NULL;
        }
}

static void remove_app(struct app *a)
{
        if (a != NULL && a->flow != NULL)
                pump_remove(a->flow);
        if (a != NULL)
                a->flow = NULL;
}

static void drained(void *ctx, void *flow_ctx)
{
        struct rig *g = ctx;
        struct app *a = flow_ctx;

        a->n_drained++;
        if (g->closes) {
                pump_close(g->pump);
                g->pump = NULL;
                a->flow = NULL;
                return;
        }
        if (a->removes)
                remove_app(a);
        remove_app(a->removes_too);
}

static const struct pump_ops pump_ops = {.broken = broken, .drained = drained};

/* -- the rig ----------------------------------------------------------------- */

static void count(uv_prepare_t *h)
{
        struct rig *g = h->data;

        g->loop_turns++;
}

static int set_up(void **state)
{
        struct rig *g = calloc(1, sizeof(*g));

        alarm(60);
        if (g == NULL || uv_loop_init(&g->loop) < 0)
                return -1;
        g->room = SIZE_MAX;
        g->pump = pump_open(&g->loop, &null_link, g, &pump_ops, g);
        uv_prepare_init(&g->loop, &g->counter);
        g->counter.data = g;
        uv_prepare_start(&g->counter, count);
        *state = g;
        return g->pump == NULL ? -1 : 0;
}

static void app_free(struct app *a)
{
        port_close(&a->port);
        fd_close(&a->keeper[0]);
        fd_close(&a->keeper[1]);
        free(a);
}

/* Fails when a handle is still open after one turn. */
static int tear_down(void **state)
{
        struct rig *g = *state;
        int         r;

        pump_close(g->pump);
        uv_close((uv_handle_t *)&g->counter, NULL);
        uv_run(&g->loop, UV_RUN_NOWAIT);
        r = uv_loop_close(&g->loop);
        for (size_t i = 0; i < sizeof(g->by_eid) / sizeof(g->by_eid[0]); i++) {
                if (g->by_eid[i] != NULL)
                        app_free(g->by_eid[i]);
        }
        free(g);
        alarm(0);
        return r;
}

/* A flow that has no path yet. */
static struct app *add(struct rig *g, uint32_t eid)
{
        struct app      *a = aligned_alloc(alignof(struct app), sizeof(*a));
        struct bell      bell[2];
        struct ipcp_port port = {.memfd = port_create()};

        assert_non_null(a);
        *a = (struct app){.eid = eid};
        assert_true(port.memfd >= 0);
        assert_int_equal(bell_create(&bell[0]) | bell_create(&bell[1]), 0);
        assert_int_equal(port_open(&a->port, port.memfd, 0, bell[0].own, bell[1].other), 0);
        port.bell      = bell[1].own;
        port.peer_bell = bell[0].other;
        a->keeper[0]   = bell[0].keeper;
        a->keeper[1]   = bell[1].keeper;
        assert_int_equal(pump_add(g->pump, &a->flow, port, a), 0);
        g->by_eid[eid] = a;
        return a;
}

static void set_path(struct app *a)
{
        const struct link_path path = {.eid = a->eid, .own_eid = a->eid + 1};

        pump_set_path(a->flow, &path, PACKET_MAX);
}

static struct app *add_ready(struct rig *g, uint32_t eid)
{
        struct app *a = add(g, eid);

        set_path(a);
        return a;
}

/* As many turns as there is something to do. */
static void settle(struct rig *g)
{
        do
                uv_run(&g->loop, UV_RUN_NOWAIT);
        while (uv_backend_timeout(&g->loop) == 0);
}

static bool readable(int fd)
{
        struct pollfd p = {.fd = fd, .events = POLLIN};

        return poll(&p, 1, 0) == 1;
}

/* Whether the loop would sleep now, until somebody comes. */
static bool quiet(struct rig *g)
{
        return uv_backend_timeout(&g->loop) == -1 && !readable(uv_backend_fd(&g->loop));
}

static struct pump_facts facts_of(const struct app *a)
{
        struct pump_facts f;

        pump_flow_facts(a->flow, &f);
        return f;
}

static void in(struct app *a, size_t len, uint64_t number)
{
        static uint8_t buf[PORT_RECORD_MAX + 1];

        fill(buf, len, number);
        pump_in(a->flow, buf, len);
}

/* Takes a packet at the application's side, inside. */
static int take(struct app *a, uint64_t number)
{
        const uint8_t *p;
        size_t         len;
        int            r = port_look(&a->port, &p, &len);

        if (r < 0)
                return r;
        check(p, len, number);
        port_pop(&a->port);
        return 0;
}

/* -- out --------------------------------------------------------------------- */

static void test_order(void **state)
{
        struct rig *g    = *state;
        struct app *a    = add_ready(g, 1);
        uint64_t    seed = 1;
        uint64_t    sum  = 0;

        for (int i = 0; i < 5000; i++) {
                size_t len = 1 + random_below(&seed, PACKET_MAX);

                while (put(a, len) == -EAGAIN)
                        settle(g);
                sum += len;
                if (random_below(&seed, 30) == 0)
                        uv_run(&g->loop, UV_RUN_NOWAIT);
        }
        settle(g);
        assert_int_equal(a->arrived, 5000);
        assert_int_equal(facts_of(a).packets_out, 5000);
        assert_int_equal(facts_of(a).bytes_out, sum);
        assert_true(quiet(g));
}

static void test_nothing_goes_without_a_path(void **state)
{
        struct rig *g = *state;
        struct app *a = add(g, 1);

        put_many(a, 100, 10);
        settle(g);
        assert_true(quiet(g));
        assert_int_equal(a->arrived, 0);
        set_path(a);
        settle(g);
        assert_int_equal(a->arrived, 10);
}

static void test_batches(void **state)
{
        struct rig         *g     = *state;
        struct app         *a     = add_ready(g, 1);
        static const size_t few[] = {64, 64, 64, 8};

        put_many(a, 100, 200);
        settle(g);
        assert_int_equal(g->n_calls, 4);
        for (size_t i = 0; i < 4; i++)
                assert_int_equal(g->calls[i].n, few[i]);
        put_many(a, PACKET_MAX, 100); /* 46 have 64,400 bytes */
        settle(g);
        assert_int_equal(g->calls[4].n, 46);
        assert_int_equal(g->calls[5].n, 46);
        assert_int_equal(g->calls[6].n, 8);
}

static void test_flows_take_turns(void **state)
{
        struct rig *g = *state;
        struct app *a[3];

        for (uint32_t i = 0; i < 3; i++)
                a[i] = add_ready(g, i);
        for (int i = 0; i < 3; i++)
                put_many(a[i], 100, 300);
        settle(g);
        assert_int_equal(g->n_calls, 15);
        for (size_t i = 3; i < 15; i++)
                assert_int_equal(g->calls[i].eid, g->calls[i - 3].eid);
        assert_int_not_equal(g->calls[0].eid, g->calls[1].eid);
        assert_int_not_equal(g->calls[0].eid, g->calls[2].eid);
        assert_int_not_equal(g->calls[1].eid, g->calls[2].eid);
}

/* However much there is to send, the loop polls between. */
static void test_loop_turns_between(void **state)
{
        struct rig *g = *state;
        struct app *a = add_ready(g, 1);

        put_many(a, 1, 64 * 100);
        settle(g);
        assert_int_equal(a->arrived, 6400);
        assert_in_range(g->loop_turns, 10, 100);
}

static void test_link_takes_no_more(void **state)
{
        struct rig *g = *state;
        struct app *a = add_ready(g, 1);
        struct app *b = add_ready(g, 2);

        g->room = 10;
        put_many(a, 100, 100);
        settle(g);
        assert_int_equal(a->arrived, 10);
        assert_true(quiet(g));
        put_many(b, 100, 100); /* somebody else is not sent for either */
        settle(g);
        assert_true(quiet(g));
        assert_int_equal(g->n_calls, 1);
        g->room = 5;
        pump_writable(g->pump);
        settle(g);
        assert_int_equal(a->arrived + b->arrived, 15);
        g->room = SIZE_MAX;
        pump_writable(g->pump);
        settle(g);
        assert_int_equal(a->arrived, 100);
        assert_int_equal(b->arrived, 100);
        pump_writable(g->pump); /* for nothing */
        settle(g);
        assert_true(quiet(g));
}

/* However little the link takes each time, nobody has more of it than a turn. */
static void test_turns_with_a_narrow_link(void **state)
{
        static const size_t rooms[] = {64, 10, 1, 65, 40, 63};
        struct rig         *g       = *state;
        struct app         *a       = add_ready(g, 1);
        struct app         *b       = add_ready(g, 2);

        for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
                put_many(a, 100, 600);
                put_many(b, 100, 600);
                g->room = 0;
                settle(g);
                a->arrived = b->arrived = a->written - 600;
                for (int k = 0; k < 8; k++) {
                        g->room = rooms[i];
                        pump_writable(g->pump);
                        settle(g);
                }
                assert_in_range(a->arrived - b->arrived + 64, 0, 128);
                assert_int_equal(a->arrived + b->arrived - a->written - b->written + 1200, 8 * rooms[i]);
                g->room = SIZE_MAX;
                pump_writable(g->pump);
                settle(g);
        }
}

/* A thread that writes as fast as it can, and sleeps for room. */
static void *write_all(void *arg)
{
        struct app *a = arg;
        int         r;

        while (a->written < 50000) {
                r = put(a, 1 + a->written % PACKET_MAX);
                if (r == -EAGAIN && port_tx_prepare(&a->port))
                        port_tx_sleep(&a->port, CLOCK_NEVER);
                else if (r < 0 && r != -EAGAIN)
                        break;
        }
        return NULL;
}

static void until(struct rig *g, const uint64_t *count_of, uint64_t n)
{
        while (*count_of < n)
                uv_run(&g->loop, UV_RUN_ONCE);
}

static void test_writers_who_sleep(void **state)
{
        struct rig *g = *state;
        struct app *a[3];
        pthread_t   t[3];

        for (uint32_t i = 0; i < 3; i++) {
                a[i] = add_ready(g, i);
                assert_int_equal(pthread_create(&t[i], NULL, write_all, a[i]), 0);
        }
        for (int i = 0; i < 3; i++)
                until(g, &a[i]->arrived, 50000);
        for (int i = 0; i < 3; i++)
                pthread_join(t[i], NULL);
        settle(g);
        assert_true(quiet(g));
}

static void *write_when_there_is_room(void *arg)
{
        struct app *a = arg;
        int         r;

        while ((r = put(a, PACKET_MAX)) == -EAGAIN) {
                if (port_tx_prepare(&a->port))
                        port_tx_sleep(&a->port, CLOCK_NEVER);
        }
        return r == 0 ? a : NULL;
}

static void test_room_wakes_a_writer(void **state)
{
        struct rig *g = *state;
        struct app *a = add_ready(g, 1);
        pthread_t   t;
        void       *done;

        g->room = 0;
        while (put(a, PACKET_MAX) == 0)
                ;
        settle(g);
        assert_int_equal(pthread_create(&t, NULL, write_when_there_is_room, a), 0);
        usleep(20000);
        g->room = SIZE_MAX;
        pump_writable(g->pump);
        settle(g);
        pthread_join(t, &done);
        assert_ptr_equal(done, a);
        settle(g);
        assert_int_equal(a->arrived, a->written);
}

static void test_too_large(void **state)
{
        struct rig *g = *state;
        struct app *a = add_ready(g, 1);

        put_many(a, PACKET_MAX, 3);
        put_many(a, PACKET_MAX + 1, 2);
        put_many(a, PACKET_MAX, 1);
        put_many(a, PORT_MSG_MAX, 1);
        put_many(a, 1, 1);
        g->room = 3;
        settle(g);
        assert_int_equal(a->arrived, 3);
        a->arrived = 5; /* two are left out */
        g->room    = 1;
        pump_writable(g->pump);
        settle(g);
        assert_int_equal(a->arrived, 6);
        a->arrived = 7;
        g->room    = 1;
        pump_writable(g->pump);
        settle(g);
        assert_int_equal(facts_of(a).packets_out, 5);
        assert_int_equal(facts_of(a).too_large, 3);
        assert_true(quiet(g));
}

/* -- in ---------------------------------------------------------------------- */

static void test_in(void **state)
{
        struct rig *g = *state;
        struct app *a = add(g, 1); /* no path is needed */
        char        rings[8];

        for (uint64_t i = 0; i < 10; i++)
                in(a, 100 + i, i);
        assert_false(readable(a->port.bell));
        pump_batch(g->pump);
        assert_int_equal(read(a->port.bell, rings, sizeof(rings)), 1); /* once */
        pump_batch(g->pump);
        assert_false(readable(a->port.bell));
        port_rx_enter(&a->port);
        for (uint64_t i = 0; i < 10; i++)
                assert_int_equal(take(a, i), 0);
        assert_int_equal(take(a, 0), -EAGAIN);
        in(a, 100, 10); /* nobody has to be woken */
        pump_batch(g->pump);
        assert_false(readable(a->port.bell));
        assert_int_equal(take(a, 10), 0);
        port_rx_leave(&a->port);
        assert_false(readable(a->port.bell));
        assert_int_equal(facts_of(a).packets_in, 11);
        assert_int_equal(facts_of(a).bytes_in, 1145);
}

static void test_in_for_several(void **state)
{
        struct rig *g = *state;
        struct app *a[3];

        for (uint32_t i = 0; i < 3; i++)
                a[i] = add(g, i);
        for (uint64_t i = 0; i < 20; i++)
                in(a[i % 2], 100, i / 2);
        pump_batch(g->pump);
        assert_true(readable(a[0]->port.bell));
        assert_true(readable(a[1]->port.bell));
        assert_false(readable(a[2]->port.bell));
        for (int i = 0; i < 2; i++) {
                port_rx_enter(&a[i]->port);
                for (uint64_t k = 0; k < 10; k++)
                        assert_int_equal(take(a[i], k), 0);
                port_rx_leave(&a[i]->port);
        }
}

static void test_in_full(void **state)
{
        struct rig *g = *state;
        struct app *a = add(g, 1);
        uint64_t    n = 0;

        while (facts_of(a).full == 0)
                in(a, 1000, n++);
        n--;
        in(a, 1000, n);
        assert_int_equal(facts_of(a).full, 2);
        assert_int_equal(facts_of(a).packets_in, n);
        assert_true(readable(a->port.bell)); /* without the end of the batch */
        port_rx_enter(&a->port);
        for (uint64_t i = 0; i < n; i++)
                assert_int_equal(take(a, i), 0);
        in(a, 1000, n);
        pump_batch(g->pump);
        assert_int_equal(take(a, n), 0);
        port_rx_leave(&a->port);
}

/* The reader begins before the ring is full. */
static void test_in_calls_early(void **state)
{
        struct rig *g = *state;
        struct app *a = add(g, 1);

        for (int i = 0; i < 65; i++)
                in(a, 1000, 0);
        assert_false(readable(a->port.bell));
        in(a, 1000, 0);
        assert_true(readable(a->port.bell));
}

static void test_in_unfit(void **state)
{
        struct rig *g = *state;
        struct app *a = add(g, 1);

        pump_in(a->flow, (const uint8_t *)"", 0);
        in(a, PORT_RECORD_MAX + 1, 0);
        in(a, PORT_RECORD_MAX, 0);
        assert_int_equal(facts_of(a).unfit, 2);
        assert_int_equal(facts_of(a).packets_in, 1);
}

static void *read_one(void *arg)
{
        struct app *a = arg;
        int         r;

        port_rx_enter(&a->port);
        while ((r = take(a, 0)) == -EAGAIN) {
                if (port_rx_prepare(&a->port))
                        port_rx_sleep(&a->port, CLOCK_NEVER);
                port_rx_awake(&a->port);
        }
        port_rx_leave(&a->port);
        return r == 0 ? a : NULL;
}

static void test_in_wakes_a_sleeper(void **state)
{
        struct rig *g = *state;
        struct app *a = add(g, 1);
        pthread_t   t;
        void       *done;

        assert_int_equal(pthread_create(&t, NULL, read_one, a), 0);
        usleep(20000);
        in(a, 100, 0);
        pump_batch(g->pump);
        pthread_join(t, &done);
        assert_ptr_equal(done, a);
}

static void test_in_for_one_who_has_gone(void **state)
{
        struct rig *g = *state;
        struct app *a = add_ready(g, 1);

        port_close(&a->port);
        in(a, 100, 0);
        settle(g);
        in(a, 100, 0);
        pump_batch(g->pump);
        assert_int_equal(facts_of(a).packets_in, 0);
        assert_true(quiet(g));
}

/* -- the end ----------------------------------------------------------------- */

static void test_end_sends_what_is_left(void **state)
{
        struct rig *g = *state;
        struct app *a = add_ready(g, 1);

        put_many(a, 100, 300);
        pump_end(a->flow);
        assert_int_equal(a->n_drained, 0);
        in(a, 100, 0);
        assert_int_equal(facts_of(a).packets_in, 0);
        settle(g);
        assert_int_equal(a->arrived, 300);
        assert_int_equal(a->n_drained, 1);
        pump_end(a->flow);
        put_many(a, 100, 1);
        settle(g);
        assert_int_equal(a->n_drained, 1);
        assert_int_equal(a->arrived, 300);
        assert_true(quiet(g));
}

static void test_end_at_once(void **state)
{
        struct rig *g = *state;
        struct app *a = add(g, 1);
        struct app *b = add_ready(g, 2);

        put_many(a, 100, 10);
        pump_end(a->flow); /* no path */
        assert_int_equal(a->n_drained, 1);
        set_path(a);       /* too late */
        pump_end(b->flow); /* nothing to send */
        assert_int_equal(b->n_drained, 1);
        settle(g);
        assert_int_equal(g->n_calls, 0);
}

static void test_end_in_any_state(void **state)
{
        struct rig *g = *state;
        struct app *a;

        for (uint32_t i = 0; i < 40; i++) {
                a = add_ready(g, i);
                put_many(a, 100, (int)(i / 8) * 50);
                for (uint32_t k = 0; k < i % 4; k++)
                        uv_run(&g->loop, UV_RUN_NOWAIT); /* asleep, in line, lingering */
                if (i % 8 >= 4)
                        put_many(a, 100, 1);
                pump_end(a->flow);
                settle(g);
                assert_int_equal(a->n_drained, 1);
                assert_int_equal(a->arrived, a->written);
        }
        assert_true(quiet(g));
}

static void test_end_while_the_link_takes_nothing(void **state)
{
        struct rig *g = *state;
        struct app *a = add_ready(g, 1);
        struct app *b = add_ready(g, 2);

        g->room = 0;
        put_many(a, 100, 10);
        settle(g);
        pump_end(a->flow);
        pump_end(b->flow); /* has nothing */
        settle(g);
        assert_int_equal(a->n_drained, 0);
        assert_int_equal(b->n_drained, 1);
        g->room = SIZE_MAX;
        pump_writable(g->pump);
        settle(g);
        assert_int_equal(a->n_drained, 1);
        assert_int_equal(a->arrived, 10);
}

static void test_end_of_one_who_goes_on_writing(void **state)
{
        struct rig *g = *state;
        struct app *a = add_ready(g, 1);

        put_many(a, PACKET_MAX, 100);
        g->refills = a;
        pump_end(a->flow);
        settle(g);
        assert_int_equal(a->n_drained, 1);
        assert_in_range(a->arrived, 100, 250);
        g->refills = NULL;
}

static void test_application_ends_first(void **state)
{
        struct rig *g = *state;
        struct app *a = add_ready(g, 1);

        put_many(a, 100, 100);
        port_close(&a->port);
        settle(g);
        assert_int_equal(a->arrived, 100);
        assert_int_equal(a->n_drained, 0);
        assert_true(quiet(g));
        pump_end(a->flow);
        assert_int_equal(a->n_drained, 1);
}

/* The kernel says so for ever (POLLHUP); the loop may not hear it for ever. */
static void test_application_dies_without_a_word(void **state)
{
        struct rig *g = *state;
        struct app *a = add_ready(g, 1);
        void       *mem;

        g->room = 0;
        put_many(a, 100, 1);
        settle(g);
        mem = a->port.ctl;
        port_forget(&a->port);
        fd_close(&a->keeper[0]);
        fd_close(&a->keeper[1]);
        settle(g);
        assert_true(quiet(g));
        g->room = SIZE_MAX;
        pump_writable(g->pump);
        settle(g);
        assert_int_equal(a->arrived, 1);
        assert_true(quiet(g));
        port_unmap(mem);
}

static void test_remove_lets_the_application_read(void **state)
{
        struct rig *g = *state;
        struct app *a = add(g, 1);

        in(a, 100, 0);
        in(a, 100, 1);
        remove_app(a);
        assert_true(readable(a->port.bell));
        port_rx_enter(&a->port);
        assert_int_equal(take(a, 0), 0);
        assert_int_equal(take(a, 1), 0);
        assert_int_equal(take(a, 2), -ENODATA);
        pump_batch(g->pump);
        settle(g);
}

static void test_remove_in_any_state(void **state)
{
        struct rig *g = *state;
        struct app *a;

        for (uint32_t i = 0; i < 32; i++) {
                g->room = i < 16 ? SIZE_MAX : 3;
                a       = add_ready(g, i);
                put_many(a, 100, (int)(i % 16 / 4) * 300);
                for (uint32_t k = 0; k < i % 4; k++)
                        uv_run(&g->loop, UV_RUN_NOWAIT);
                remove_app(a);
                pump_writable(g->pump);
                settle(g);
                assert_true(quiet(g));
        }
}

static void test_remove_from_within(void **state)
{
        struct rig *g = *state;
        struct app *a[4];

        for (uint32_t i = 0; i < 4; i++) {
                a[i]          = add_ready(g, i);
                a[i]->removes = true;
                put_many(a[i], 100, 100);
        }
        a[0]->removes_too = a[1];
        a[1]->removes_too = a[0];
        pump_end(a[0]->flow);
        pump_end(a[1]->flow);
        pump_end(a[2]->flow);
        settle(g);
        assert_int_equal(a[0]->n_drained + a[1]->n_drained, 1);
        assert_int_equal(a[2]->n_drained, 1);
        assert_null(a[0]->flow);
        assert_null(a[1]->flow);
        assert_int_equal(a[3]->arrived, 100);
        pump_end(a[3]->flow); /* from within this */
        assert_null(a[3]->flow);
}

static void test_close_from_within(void **state)
{
        struct rig *g = *state;
        struct app *a = add_ready(g, 1);
        struct app *b = add_ready(g, 2);

        put_many(a, 100, 100);
        put_many(b, 100, 1000);
        g->closes = true;
        pump_end(a->flow);
        while (g->pump != NULL)
                uv_run(&g->loop, UV_RUN_NOWAIT);
        assert_int_equal(a->n_drained, 1);
}

/* -- hostile applications ---------------------------------------------------- */

static void break_out(struct app *a)
{
        put_many(a, 100, 3);
        atomic_fetch_add(&a->port.tx.ctl->head, UINT64_C(1) << 40);
}

static void test_broken_ring(void **state)
{
        struct rig *g = *state;
        struct app *a = add_ready(g, 1);
        struct app *b = add_ready(g, 2);

        put_many(b, 100, 100);
        break_out(a);
        settle(g);
        assert_int_equal(a->n_broken, 1);
        assert_int_equal(a->arrived, 0);
        bell_ring(a->port.peer_bell);
        in(a, 100, 0);
        pump_batch(g->pump);
        settle(g);
        assert_int_equal(a->n_broken, 1);
        assert_int_equal(facts_of(a).packets_in, 0);
        assert_int_equal(b->arrived, 100);
        assert_true(quiet(g));
        pump_end(a->flow);
        assert_int_equal(a->n_drained, 1);
}

static void test_broken_ring_and_remove(void **state)
{
        struct rig *g = *state;
        struct app *a = add_ready(g, 1);

        a->removes = true;
        break_out(a);
        settle(g);
        assert_int_equal(a->n_broken, 1);
        assert_null(a->flow);
}

/* Who has ended is not told of it any more. */
static void test_broken_at_the_end(void **state)
{
        struct rig *g = *state;
        struct app *a = add_ready(g, 1);
        struct app *b = add_ready(g, 2);

        break_out(a);
        pump_end(a->flow);
        put_many(b, 100, 100);
        pump_end(b->flow);
        break_out(b); /* behind what is good */
        settle(g);
        assert_int_equal(b->arrived, 100);
        assert_int_equal(a->n_broken + b->n_broken, 0);
        assert_int_equal(a->n_drained, 1);
        assert_int_equal(b->n_drained, 1);
}

/* The application's position as a reader is a lie. */
static void test_broken_in(void **state)
{
        struct rig *g = *state;
        struct app *a = add_ready(g, 1);

        a->removes = true;
        in(a, 100, 0);
        atomic_store(&a->port.rx.ctl->tail, UINT64_C(1) << 40);
        for (int i = 0; i < 1000 && a->flow != NULL; i++)
                in(a, 1000, 0);
        assert_int_equal(a->n_broken, 1);
        pump_batch(g->pump);
        settle(g);
}

static void test_ring_for_nothing(void **state)
{
        struct rig *g = *state;
        struct app *a = add_ready(g, 1);

        for (int i = 0; i < 100; i++) {
                for (int k = 0; k < i; k++)
                        bell_ring(a->port.peer_bell);
                settle(g);
                settle(g); /* it takes 64 back at once */
                assert_true(quiet(g));
        }
        put_many(a, 100, 1);
        assert_false(quiet(g));
        settle(g);
        assert_int_equal(a->arrived, 1);
}

static void test_no_port(void **state)
{
        struct rig       *g = *state;
        struct pump_flow *f;
        struct ipcp_port  port = {.memfd = open("/dev/null", O_RDWR)};

        assert_int_equal(pump_add(g->pump, &f, IPCP_NO_PORT, NULL), -EPROTO);
        port.bell      = dup(port.memfd);
        port.peer_bell = dup(port.memfd);
        assert_int_equal(pump_add(g->pump, &f, port, NULL), -EPROTO);
        assert_int_equal(fcntl(port.memfd, F_GETFD), -1);
        assert_int_equal(fcntl(port.bell, F_GETFD), -1);
        assert_int_equal(fcntl(port.peer_bell, F_GETFD), -1);
}

/* A bell that the loop cannot watch. */
static void test_no_bell(void **state)
{
        struct rig       *g = *state;
        struct pump_flow *f;
        struct ipcp_port  port = {.memfd = port_create(), .bell = port_create(), .peer_bell = -1};

        assert_true(pump_add(g->pump, &f, port, NULL) < 0);
        assert_int_equal(fcntl(port.memfd, F_GETFD), -1);
        assert_int_equal(fcntl(port.bell, F_GETFD), -1);
}

/* -- waking ------------------------------------------------------------------ */

static void on_timer(uv_timer_t *t)
{
        (void)t;
}

/* Loop turns within @ms without anybody doing anything. */
static unsigned turns_within(struct rig *g, uint64_t ms)
{
        uv_timer_t t;
        unsigned   before = g->loop_turns;

        uv_timer_init(&g->loop, &t);
        uv_timer_start(&t, on_timer, ms, 0);
        while (uv_is_active((uv_handle_t *)&t))
                uv_run(&g->loop, UV_RUN_ONCE);
        uv_close((uv_handle_t *)&t, NULL);
        uv_run(&g->loop, UV_RUN_NOWAIT);
        return g->loop_turns - before;
}

static void test_idle_flows_wake_nobody(void **state)
{
        struct rig *g = *state;

        for (uint32_t i = 0; i < 100; i++)
                put_many(add_ready(g, i), 100, 10);
        settle(g);
        assert_in_range(turns_within(g, 100), 1, 4);
}

/* One that writes now and then is not waited for: each packet costs as many turns as it needs. */
static void test_slow_flow_costs_little(void **state)
{
        struct rig *g = *state;
        struct app *a = add_ready(g, 1);
        unsigned    before;

        put_many(a, 100, 1);
        (void)turns_within(g, 2);
        before = g->loop_turns;
        for (int i = 0; i < 20; i++) {
                put_many(a, 100, 1);
                (void)turns_within(g, 2);
        }
        assert_int_equal(a->arrived, 21);
        assert_in_range(g->loop_turns - before, 20, 20 * 6);
}

/*
 * While the pump lingers, a writer needs no bell. Whether it still does depends on the machine's other work,
 * so some tries may fail.
 */
static void test_lingering_saves_the_bell(void **state)
{
        struct rig *g     = *state;
        int         saved = 0;

        for (uint32_t i = 0; i < 20; i++) {
                struct app *a = add_ready(g, i);

                put_many(a, 100, 1);
                uv_run(&g->loop, UV_RUN_NOWAIT);
                put_many(a, 100, 1);
                saved += a->port.wakes == 1;
                settle(g);
                assert_int_equal(a->arrived, 2);
        }
        assert_in_range(saved, 1, 20);
}

static void test_many_flows(void **state)
{
        struct rig *g = *state;
        uint32_t    n = fd_raise_limit(8192) < 7000 ? 200 : 1000;

        for (uint32_t i = 0; i < n; i++)
                add_ready(g, i);
        for (int round = 1; round <= 5; round++) {
                for (uint32_t i = 0; i < n; i++) {
                        put_many(g->by_eid[i], 100, 7);
                        in(g->by_eid[i], 100, (uint64_t)round - 1);
                }
                pump_batch(g->pump);
                settle(g);
                for (uint32_t i = 0; i < n; i++) {
                        assert_int_equal(g->by_eid[i]->arrived, 7 * round);
                        port_rx_enter(&g->by_eid[i]->port);
                        assert_int_equal(take(g->by_eid[i], (uint64_t)round - 1), 0);
                        port_rx_leave(&g->by_eid[i]->port);
                }
        }
        assert_true(quiet(g));
        assert_in_range(turns_within(g, 50), 1, 4);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(test_order),
                TEST(test_nothing_goes_without_a_path),
                TEST(test_batches),
                TEST(test_flows_take_turns),
                TEST(test_loop_turns_between),
                TEST(test_link_takes_no_more),
                TEST(test_turns_with_a_narrow_link),
                TEST(test_writers_who_sleep),
                TEST(test_room_wakes_a_writer),
                TEST(test_too_large),
                TEST(test_in),
                TEST(test_in_for_several),
                TEST(test_in_full),
                TEST(test_in_calls_early),
                TEST(test_in_unfit),
                TEST(test_in_wakes_a_sleeper),
                TEST(test_in_for_one_who_has_gone),
                TEST(test_end_sends_what_is_left),
                TEST(test_end_at_once),
                TEST(test_end_in_any_state),
                TEST(test_end_while_the_link_takes_nothing),
                TEST(test_end_of_one_who_goes_on_writing),
                TEST(test_application_ends_first),
                TEST(test_application_dies_without_a_word),
                TEST(test_remove_lets_the_application_read),
                TEST(test_remove_in_any_state),
                TEST(test_remove_from_within),
                TEST(test_close_from_within),
                TEST(test_broken_ring),
                TEST(test_broken_ring_and_remove),
                TEST(test_broken_at_the_end),
                TEST(test_broken_in),
                TEST(test_ring_for_nothing),
                TEST(test_no_port),
                TEST(test_no_bell),
                TEST(test_idle_flows_wake_nobody),
                TEST(test_slow_flow_costs_little),
                TEST(test_lingering_saves_the_bell),
                TEST(test_many_flows),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
