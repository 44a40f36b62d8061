/*
 * test_shim.c - whole shims on a wire that is memory: how flows come to be, are used and are refused. How
 * names are found: test_shim_where.c; how flows end: test_shim_ends.c.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ouroboros/errno.h>

#include "base/fd.h"
#include "base/log.h"
#include "ipcpd/shim/layer.h"

#include "shim_world.h"

/* Types of control packets. */
enum { QUERY = 1, REPLY = 4 };

static int setup(void **state)
{
        log_init("test", LOG_ERROR);
        *state = world_create(false);
        return 0;
}

static int teardown(void **state)
{
        world_destroy(*state);
        return 0;
}

/* The last reply of @h, to @ask. */
static int result_of(const struct host *h, uint32_t ask)
{
        const struct event *e = host_event(h, EV_REPLY, h->n[EV_REPLY] - 1);

        assert_int_equal(e->ask, ask);
        return e->result;
}

/* -- flows ----------------------------------------------------------------- */

static void test_flow(void **state)
{
        struct world       *w = *state;
        struct host        *a = &w->hosts[A], *b = &w->hosts[B];
        static const char   source[40] = "fe00", source_b[40] = "fe01";
        static uint8_t      big[WORLD_OAP];
        struct app          client, server;
        const struct event *e;
        const char         *text;
        uint32_t            ask;

        memset(big, 'o', sizeof(big));
        host_reg(b, 's', 0);
        ask = host_alloc(a, &client, 's', big, sizeof(big));
        WORLD_UNTIL(w, b->n[EV_ARRIVED] == 1);
        e = host_event(b, EV_ARRIVED, 0);
        assert_memory_equal(e->hash, name_of('s'), WORLD_HASH);
        assert_int_equal(e->qs.delay, qos_voice.delay);
        assert_int_equal(e->oap_len, sizeof(big));
        assert_memory_equal(e->oap, big, sizeof(e->oap));
        assert_true(e->has_way);
        assert_int_equal(e->way.packet_max, WORLD_MAX);
        assert_int_equal(e->way.mpl_ms, 123);
        assert_string_equal(e->way.peer, "host 0");
        assert_memory_equal(e->way.source, source, sizeof(source));

        memset(big, 'r', sizeof(big));
        host_accept(b, &server, e->ask, big, sizeof(big));
        WORLD_UNTIL(w, a->n[EV_REPLY] == 1);
        e = host_event(a, EV_REPLY, 0);
        assert_int_equal(result_of(a, ask), 0);
        assert_int_equal(e->oap_len, sizeof(big));
        assert_memory_equal(e->oap, big, sizeof(e->oap));
        assert_true(e->has_way);
        assert_string_equal(e->way.peer, "host 1");
        assert_memory_equal(e->way.source, source_b, sizeof(source_b));

        app_write(&client, "hello");
        WORLD_UNTIL(w, *(text = app_read(&server)) != '\0');
        assert_string_equal(text, "hello");
        app_write(&server, "world");
        WORLD_UNTIL(w, *(text = app_read(&client)) != '\0');
        assert_string_equal(text, "world");
        app_close(&client);
        app_close(&server);
}

static void test_refused(void **state)
{
        struct world *w = *state;
        struct host  *a = &w->hosts[A], *b = &w->hosts[B];
        struct app    client;
        uint32_t      ask;

        host_reg(b, 's', 0);
        ask = host_alloc(a, &client, 's', "x", 1);
        WORLD_UNTIL(w, b->n[EV_ARRIVED] == 1);
        host_refuse(b, host_event(b, EV_ARRIVED, 0)->ask, -EAUTH);
        WORLD_UNTIL(w, a->n[EV_REPLY] == 1);
        assert_int_equal(result_of(a, ask), -EAUTH);
        assert_false(host_event(a, EV_REPLY, 0)->has_way);
        assert_string_equal(app_read(&client), "end");
        assert_int_equal(host_flows(a) + host_flows(b), 0);
        app_close(&client);
}

/* What the server sends at once arrives before the reply, which is lost. */
static void test_early_data(void **state)
{
        struct world *w = *state;
        struct host  *a = &w->hosts[A], *b = &w->hosts[B];
        struct app    client, server;

        b->apps        = &server;
        b->auto_accept = true;
        b->greeting    = "welcome";
        w->lose        = 1;
        w->lose_type   = REPLY;
        host_reg(b, 's', 0);
        host_alloc(a, &client, 's', "x", 1);
        WORLD_UNTIL(w, w->data == 1);
        assert_int_equal(a->n[EV_REPLY], 0);
        WORLD_UNTIL(w, a->n[EV_REPLY] == 1);
        assert_int_equal(host_event(a, EV_REPLY, 0)->result, 0);
        assert_string_equal(app_read(&client), "welcome");
        app_close(&client);
        app_close(&server);
}

static void test_id_of_another_flow(void **state)
{
        struct world    *w = *state;
        struct host     *a = &w->hosts[A], *b = &w->hosts[B];
        struct app       client, server, third;
        struct ipcp_port port;
        uint32_t         ask;

        host_reg(b, 's', 0);
        world_flow(w, A, B, 's', &client, &server);
        app_open(w, &third, &port);
        a->ops.flow_alloc(a->layer, 77, client.flow_id, name_of('s'), &qos_raw, SHIM_NO_OAP, port);
        assert_int_equal(result_of(a, 77), -EEXIST);
        assert_string_equal(app_read(&third), "end");
        app_close(&third);

        ask = host_alloc(a, &third, 's', "x", 1);
        WORLD_UNTIL(w, b->n[EV_ARRIVED] == 2);
        b->ops.flow_answered(b->layer, host_event(b, EV_ARRIVED, 1)->ask, 0, server.flow_id, SHIM_NO_OAP,
                             IPCP_NO_PORT);
        WORLD_UNTIL(w, a->n[EV_REPLY] == 3);
        assert_true(result_of(a, ask) < 0);
        assert_int_equal(a->n[EV_DEALLOC] + b->n[EV_DEALLOC], 0);
        assert_int_equal(host_flows(a), 1);
        app_close(&third);
        app_close(&client);
        app_close(&server);
}

/* irmd gives descriptors that are no port. */
static void test_no_port(void **state)
{
        struct world *w = *state;
        struct host  *a = &w->hosts[A], *b = &w->hosts[B];
        struct app    client;
        uint32_t      ask;

        host_reg(b, 's', 0);
        a->ops.flow_alloc(a->layer, 77, 1000, name_of('s'), &qos_raw, SHIM_NO_OAP, IPCP_NO_PORT);
        assert_true(result_of(a, 77) < 0);
        ask = host_alloc(a, &client, 's', "x", 1);
        WORLD_UNTIL(w, b->n[EV_ARRIVED] == 1);
        b->ops.flow_answered(b->layer, host_event(b, EV_ARRIVED, 0)->ask, 0, 2000, SHIM_NO_OAP, IPCP_NO_PORT);
        assert_int_equal(host_event(b, EV_DEALLOC, 0)->flow_id, 2000);
        WORLD_UNTIL(w, a->n[EV_REPLY] == 2);
        assert_true(result_of(a, ask) < 0);
        assert_int_equal(host_flows(a) + host_flows(b), 0);
        app_close(&client);
}

/* Endpoint id and address count together. */
static void test_packets_of_strangers(void **state)
{
        struct world    *w      = *state;
        struct host     *b      = &w->hosts[B];
        struct link_addr from_a = host_addr(A), from_c = host_addr(C);
        struct app       client, server;
        uint32_t         eid;

        host_reg(b, 's', 0);
        world_flow(w, A, B, 's', &client, &server);
        eid = shim_flow_by_id(((struct shim *)b->layer)->flows, server.flow_id)->path.own_eid;
        b->link.data(b->link.ctx, &from_c, eid, (const uint8_t *)"forged", 6);
        b->link.data(b->link.ctx, &from_a, eid + 2, (const uint8_t *)"forged", 6);
        assert_string_equal(app_read(&server), "");
        b->link.data(b->link.ctx, &from_a, eid, (const uint8_t *)"real", 4);
        b->link.batch(b->link.ctx);
        assert_string_equal(app_read(&server), "real");
        app_close(&client);
        app_close(&server);
}

static void test_thousand_flows(void **state)
{
        struct world *w = *state;
        struct host  *a = &w->hosts[A], *b = &w->hosts[B];
        size_t        n = fd_raise_limit(10000) / 10;
        struct app   *client, *server;

        n      = n < 1000 ? n : 1000;
        client = aligned_alloc(alignof(struct app), n * sizeof(*client));
        server = aligned_alloc(alignof(struct app), n * sizeof(*server));
        host_reg(b, 's', 0);
        b->apps        = server;
        b->auto_accept = true;
        b->greeting    = "welcome";
        for (size_t i = 0; i < n; i++) {
                host_alloc(a, &client[i], 's', "x", 1);
                if (i % 100 == 99) /* who is not heard of for 2 s fails: a slow machine needs time */
                        WORLD_UNTIL(w, a->n[EV_REPLY] == i + 1);
        }
        WORLD_UNTIL(w, a->n[EV_REPLY] == n && w->data == n);
        assert_true(w->types[QUERY] <= 8); /* all wait for one look-up */
        for (size_t i = 0; i < n; i++) {
                assert_int_equal(host_event(a, EV_REPLY, i)->result, 0);
                assert_string_equal(app_read(&client[i]), "welcome");
        }
        for (size_t i = 0; i < n; i++) {
                host_dealloc(a, client[i].flow_id);
                app_close(&client[i]);
        }
        WORLD_UNTIL(w, b->n[EV_DEALLOC] == n);
        assert_int_equal(host_flows(a) + host_flows(b), 0);
        for (size_t i = 0; i < n; i++)
                app_close(&server[i]);
        free(client);
        free(server);
}

/* Two ids for each pair of hosts. */
static void test_endpoint_ids_run_out(void **state)
{
        struct world *w = *state;
        struct host  *a = &w->hosts[A], *b = &w->hosts[B], *c = &w->hosts[C];
        struct app    client[4], server[3];
        uint32_t      ask;

        w->n_eids = 2;
        host_reg(b, 's', 0);
        host_reg(a, 't', 0);
        world_flow(w, A, B, 's', &client[0], &server[0]);
        world_flow(w, B, A, 't', &client[1], &server[1]); /* one number space for both directions */
        ask = host_alloc(a, &client[2], 's', "x", 1);
        assert_int_equal(result_of(a, ask), -EBUSY);
        app_close(&client[2]);
        world_flow(w, C, B, 's', &client[2], &server[2]);

        w->n_eids = 3; /* as if the client's link had more than the server's */
        ask       = host_alloc(a, &client[3], 's', "x", 1);
        w->n_eids = 2;
        WORLD_UNTIL(w, a->n[EV_REPLY] == 3);
        assert_int_equal(result_of(a, ask), -EBUSY);
        assert_int_equal(b->n[EV_ARRIVED], 2);
        assert_int_equal(c->n[EV_REPLY], 1);

        host_dealloc(a, client[0].flow_id); /* then there is one again */
        WORLD_UNTIL(w, b->n[EV_DEALLOC] == 1);
        app_close(&client[0]);
        app_close(&server[0]);
        world_flow(w, A, B, 's', &client[0], &server[0]);
        for (unsigned i = 0; i < 4; i++)
                app_close(&client[i]);
        for (unsigned i = 0; i < 3; i++)
                app_close(&server[i]);
}

#define IN(setup, test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                IN(setup, test_flow),           IN(setup, test_refused),
                IN(setup, test_early_data),     IN(setup, test_id_of_another_flow),
                IN(setup, test_no_port),        IN(setup, test_packets_of_strangers),
                IN(setup, test_thousand_flows), IN(setup, test_endpoint_ids_run_out),
        };

        return cmocka_run_group_tests_name("shim", tests, NULL, NULL);
}
