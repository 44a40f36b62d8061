/* test_shim_ends.c - how flows of whole shims end: from either side, too early, too late, by force. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ouroboros/errno.h>

#include "base/log.h"
#include "ipcpd/shim/layer.h"
#include "shm/bell.h"

#include "shim_world.h"

struct fixture {
        struct world *w;
        struct app    client, server; /* on A and B */
};

static int setup(void **state)
{
        struct fixture *x = aligned_alloc(alignof(struct fixture), sizeof(*x));

        log_init("test", LOG_ERROR);
        x->w = world_create(false);
        host_reg(&x->w->hosts[B], 's', 0);
        *state = x;
        return 0;
}

static int setup_open(void **state)
{
        struct fixture *x;

        setup(state);
        x = *state;
        world_flow(x->w, A, B, 's', &x->client, &x->server);
        return 0;
}

static int teardown(void **state)
{
        struct fixture *x = *state;

        world_destroy(x->w);
        free(x);
        return 0;
}

static int teardown_open(void **state)
{
        struct fixture *x = *state;

        app_close(&x->client);
        app_close(&x->server);
        return teardown(state);
}

static struct shim_flow *flow_of(const struct host *h, uint64_t id)
{
        return shim_flow_by_id(((const struct shim *)h->layer)->flows, id);
}

/* -- by the application ---------------------------------------------------- */

/* @last of @by is still read by @of, then the end, of which its irmd hears. */
static void ends(struct world *w, struct host *by, struct app *last, struct host *of, struct app *reader)
{
        app_write(last, "one");
        app_write(last, "two");
        host_dealloc(by, last->flow_id);
        host_dealloc(by, last->flow_id); /* again does nothing */
        WORLD_UNTIL(w, of->n[EV_DEALLOC] == 1);
        assert_int_equal(host_event(of, EV_DEALLOC, 0)->flow_id, reader->flow_id);
        assert_string_equal(app_read(reader), "one");
        assert_string_equal(app_read(reader), "two");
        assert_string_equal(app_read(reader), "end");
        assert_string_equal(app_read(last), "end");
        assert_int_equal(by->n[EV_DEALLOC], 0);
        assert_int_equal(host_flows(by) + host_flows(of), 0);
        host_dealloc(of, reader->flow_id); /* they cross */
        world_run(w, 20);
        assert_int_equal(by->n[EV_DEALLOC], 0);
}

static void test_client_ends(void **state)
{
        struct fixture *x = *state;

        ends(x->w, &x->w->hosts[A], &x->client, &x->w->hosts[B], &x->server);
}

static void test_server_ends(void **state)
{
        struct fixture *x = *state;

        ends(x->w, &x->w->hosts[B], &x->server, &x->w->hosts[A], &x->client);
}

static void test_both_end(void **state)
{
        struct fixture *x = *state;
        struct host    *a = &x->w->hosts[A], *b = &x->w->hosts[B];

        host_dealloc(a, x->client.flow_id);
        host_dealloc(b, x->server.flow_id);
        WORLD_UNTIL(x->w, host_flows(a) + host_flows(b) == 0);
        world_run(x->w, 20);
        assert_int_equal(a->n[EV_DEALLOC] + b->n[EV_DEALLOC], 0);
}

/* The link takes nothing: the flow waits, and is not known to end by anybody else. */
static void test_end_waits_for_the_link(void **state)
{
        struct fixture *x = *state;
        struct host    *a = &x->w->hosts[A], *b = &x->w->hosts[B];

        a->blocked = true;
        app_write(&x->client, "late");
        host_dealloc(a, x->client.flow_id);
        world_run(x->w, 20);
        assert_int_equal(host_flows(a), 1);
        assert_int_equal(b->n[EV_DEALLOC], 0);
        host_unblock(a);
        WORLD_UNTIL(x->w, b->n[EV_DEALLOC] == 1);
        assert_string_equal(app_read(&x->server), "late");
        assert_int_equal(host_flows(a), 0);
}

/* ... but not for ever. */
static void test_end_lingers_no_longer(void **state)
{
        struct fixture   *x = *state;
        struct host      *a = &x->w->hosts[A], *b = &x->w->hosts[B];
        struct shim_flow *f = flow_of(a, x->client.flow_id);

        a->blocked = true;
        app_write(&x->client, "late");
        host_dealloc(a, x->client.flow_id);
        world_run(x->w, 20);
        assert_true(f->linger.at > 0);
        assert_true(f->linger.due_ns - clock_now_ns() > 29 * NS_PER_S);
        shim_flow_lingered(a->layer, f);
        assert_int_equal(host_flows(a), 0);
        WORLD_UNTIL(x->w, b->n[EV_DEALLOC] == 1);
        assert_string_equal(app_read(&x->server), "end");
}

/* The peer ends what the application has ended and that still waits for the link. */
static void test_peer_ends_what_waits(void **state)
{
        struct fixture *x = *state;
        struct host    *a = &x->w->hosts[A], *b = &x->w->hosts[B];

        a->blocked = true;
        app_write(&x->client, "late");
        host_dealloc(a, x->client.flow_id);
        host_dealloc(b, x->server.flow_id);
        WORLD_UNTIL(x->w, host_flows(a) == 0);
        assert_int_equal(a->n[EV_DEALLOC], 0);
        assert_string_equal(app_read(&x->server), "end");
}

/* -- too early, too late --------------------------------------------------- */

static void test_client_gives_up_asking(void **state)
{
        struct fixture *x = *state;
        struct host    *a = &x->w->hosts[A], *b = &x->w->hosts[B];

        host_alloc(a, &x->client, 's', "x", 1);
        WORLD_UNTIL(x->w, b->n[EV_ARRIVED] == 1);
        host_dealloc(a, x->client.flow_id);
        assert_int_equal(host_flows(a), 0);
        WORLD_UNTIL(x->w, host_flows(b) == 0);
        assert_int_equal(host_event(b, EV_GONE, 0)->ask, host_event(b, EV_ARRIVED, 0)->ask);
        assert_string_equal(app_read(&x->client), "end");
        host_accept(b, &x->server, host_event(b, EV_ARRIVED, 0)->ask, "y", 1);
        assert_int_equal(host_event(b, EV_DEALLOC, 0)->flow_id, x->server.flow_id);
        assert_string_equal(app_read(&x->server), "end");
        world_run(x->w, 20);
        assert_int_equal(a->n[EV_REPLY] + a->n[EV_DEALLOC], 0);
}

static void test_answers_to_nothing(void **state)
{
        struct fixture *x = *state;
        struct host    *b = &x->w->hosts[B];

        host_refuse(b, 999, -ENOTALLOC);
        assert_int_equal(b->n[EV_DEALLOC], 0);
        host_dealloc(b, 12345);
        b->ops.flow_answered(b->layer, 0, 0, 4711, SHIM_NO_OAP, IPCP_NO_PORT);
        assert_int_equal(host_event(b, EV_DEALLOC, 0)->flow_id, 4711);
}

/* The server ends the flow before the client has heard that there is one. */
static void test_short_flow(void **state)
{
        struct fixture *x = *state;
        struct host    *a = &x->w->hosts[A], *b = &x->w->hosts[B];

        host_alloc(a, &x->client, 's', "x", 1);
        WORLD_UNTIL(x->w, b->n[EV_ARRIVED] == 1);
        x->w->lose      = 1;
        x->w->lose_type = 4; /* the reply */
        host_accept(b, &x->server, host_event(b, EV_ARRIVED, 0)->ask, "y", 1);
        app_write(&x->server, "bye");
        host_dealloc(b, x->server.flow_id);
        WORLD_UNTIL(x->w, a->n[EV_REPLY] == 1);
        assert_int_equal(host_event(a, EV_REPLY, 0)->result, 0);
        WORLD_UNTIL(x->w, a->n[EV_DEALLOC] == 1);
        assert_string_equal(app_read(&x->client), "bye");
        assert_string_equal(app_read(&x->client), "end");
        assert_int_equal(host_flows(a) + host_flows(b), 0);
}

/* -- by force -------------------------------------------------------------- */

/* A position that cannot be. */
static void break_ring(struct app *a)
{
        app_write(a, "x");
        atomic_store(&a->port.tx.ctl->head, UINT64_MAX / 2);
        bell_ring(a->port.peer_bell);
}

static void test_application_breaks_its_ring(void **state)
{
        struct fixture *x = *state;
        struct host    *a = &x->w->hosts[A], *b = &x->w->hosts[B];

        break_ring(&x->client);
        WORLD_UNTIL(x->w, b->n[EV_DEALLOC] == 1);
        assert_int_equal(a->n[EV_DEALLOC], 1);
        assert_int_equal(host_event(a, EV_DEALLOC, 0)->flow_id, x->client.flow_id);
        assert_int_equal(host_flows(a) + host_flows(b), 0);
        assert_string_equal(app_read(&x->server), "end");
}

/* The other ring, of which it is only the reader, before the flow is there. */
static void test_application_breaks_its_ring_early(void **state)
{
        struct fixture  *x = *state;
        struct host     *a = &x->w->hosts[A], *b = &x->w->hosts[B];
        struct link_addr from_b = host_addr(B);
        uint32_t         eid, ask;

        ask = host_alloc(a, &x->client, 's', "x", 1);
        WORLD_UNTIL(x->w, b->n[EV_ARRIVED] == 1);
        eid = flow_of(a, x->client.flow_id)->path.own_eid;
        atomic_store(&x->client.port.rx.ctl->tail, UINT64_MAX / 2);
        for (int i = 0; i < 300 && a->n[EV_REPLY] == 0; i++) { /* the shim looks when its ring seems full */
                static const uint8_t packet[1400];

                a->link.data(a->link.ctx, &from_b, eid, packet, sizeof(packet));
        }
        assert_int_equal(host_event(a, EV_REPLY, 0)->ask, ask);
        assert_int_equal(host_event(a, EV_REPLY, 0)->result, -EPROTO);
        assert_int_equal(a->n[EV_DEALLOC], 0);
        assert_int_equal(host_flows(a), 0);
        WORLD_UNTIL(x->w, host_flows(b) == 0); /* the arrival has gone with it */
        app_close(&x->client);
}

/* The shim ends with all it has: an open flow, a request, an arrival, a look-up. */
static void test_shim_ends(void **state)
{
        struct fixture *x = *state;
        struct world   *w = x->w;
        struct host    *a = &w->hosts[A], *b = &w->hosts[B], *c = &w->hosts[C];
        struct app      asking, arriving, looking;

        host_reg(a, 't', 0);
        host_alloc(a, &asking, 's', "x", 1);
        host_alloc(c, &arriving, 't', "x", 1);
        WORLD_UNTIL(w, b->n[EV_ARRIVED] == 2 && a->n[EV_ARRIVED] == 1);
        host_alloc(a, &looking, 'u', "x", 1);
        host_query(a, 'v');
        host_stop(a);
        WORLD_UNTIL(w, b->n[EV_DEALLOC] == 1 && c->n[EV_REPLY] == 1);
        assert_int_equal(host_event(b, EV_DEALLOC, 0)->flow_id, x->server.flow_id);
        assert_true(host_event(c, EV_REPLY, 0)->result < 0);
        WORLD_UNTIL(w, host_flows(b) == 0);
        assert_int_equal(a->n[EV_DONE], 0);
        assert_int_equal(a->n[EV_REPLY], 1);
        app_close(&asking);
        app_close(&arriving);
        app_close(&looking);
}

#define AT(setup, test, teardown) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                AT(setup_open, test_client_ends, teardown_open),
                AT(setup_open, test_server_ends, teardown_open),
                AT(setup_open, test_both_end, teardown_open),
                AT(setup_open, test_end_waits_for_the_link, teardown_open),
                AT(setup_open, test_end_lingers_no_longer, teardown_open),
                AT(setup_open, test_peer_ends_what_waits, teardown_open),
                AT(setup, test_client_gives_up_asking, teardown_open),
                AT(setup, test_answers_to_nothing, teardown),
                AT(setup, test_short_flow, teardown_open),
                AT(setup_open, test_application_breaks_its_ring, teardown_open),
                AT(setup, test_application_breaks_its_ring_early, teardown),
                AT(setup_open, test_shim_ends, teardown_open),
        };

        return cmocka_run_group_tests_name("shim ends", tests, NULL, NULL);
}
