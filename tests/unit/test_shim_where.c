/* test_shim_where.c - how shims find who has a name, on the wire and in a directory; a link that is down. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ouroboros/errno.h>

#include "base/log.h"

#include "shim_world.h"

/* Types of control packets. */
enum { QUERY = 1, REQUEST = 3, DEALLOC = 8 };

static int setup(void **state)
{
        log_init("test", LOG_ERROR);
        *state = world_create(false);
        return 0;
}

static int setup_directory(void **state)
{
        log_init("test", LOG_ERROR);
        *state = world_create(true);
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

static int done_of(const struct host *h, uint32_t ask)
{
        const struct event *e = host_event(h, EV_DONE, h->n[EV_DONE] - 1);

        assert_int_equal(e->ask, ask);
        return e->result;
}

/* -- names ----------------------------------------------------------------- */

static void test_names(void **state)
{
        struct world *w = *state;
        struct host  *a = &w->hosts[A], *b = &w->hosts[B];
        uint32_t      ask;

        host_reg(a, 's', 0);
        host_reg(a, 's', -EEXIST);
        ask = host_query(b, 's');
        assert_int_equal(b->n[EV_DONE], 0);
        WORLD_UNTIL(w, b->n[EV_DONE] == 1);
        assert_int_equal(done_of(b, ask), 0);
        ask = host_query(b, 's'); /* is known now */
        assert_int_equal(b->n[EV_DONE], 2);
        assert_int_equal(done_of(b, ask), 0);
        assert_int_equal(w->types[QUERY], 1);
        assert_int_equal(a->ops.unreg(a->layer, 1, name_of('s')), 0);
        assert_int_equal(a->ops.unreg(a->layer, 2, name_of('s')), -ENAME);
}

/* Nobody has it; a flow and two questions wait together, one of them until its flow has been given up. */
static void test_unknown_name(void **state)
{
        struct world *w = *state;
        struct host  *a = &w->hosts[A];
        struct app    client, given_up;
        uint32_t      ask;

        host_reg(a, 's', 0); /* who has it himself is not somebody else */
        host_query(a, 's');
        host_query(a, 's');
        ask = host_alloc(a, &client, 's', "x", 1);
        host_alloc(a, &given_up, 's', "x", 1);
        host_dealloc(a, given_up.flow_id);
        WORLD_UNTIL(w, a->n[EV_DONE] == 2 && a->n[EV_REPLY] == 1);
        assert_int_equal(result_of(a, ask), -ENAME);
        assert_int_equal(host_event(a, EV_DONE, 0)->result, -ENAME);
        assert_int_equal(host_event(a, EV_DONE, 1)->result, -ENAME);
        assert_int_equal(w->types[QUERY], 8);
        assert_int_equal(w->types[REQUEST], 0);
        assert_string_equal(app_read(&client), "end");
        assert_string_equal(app_read(&given_up), "end");
        app_close(&client);
        app_close(&given_up);
}

/* The service is where it was no more: once its host says so, once it says nothing at all. */
static void test_moved_service(void **state)
{
        struct world *w = *state;
        struct host  *a = &w->hosts[A], *b = &w->hosts[B], *c = &w->hosts[C];
        struct app    client[2], server[2], unheard;
        uint32_t      ask;

        host_reg(b, 's', 0);
        host_query(a, 's');
        WORLD_UNTIL(w, a->n[EV_DONE] == 1);
        assert_int_equal(b->ops.unreg(b->layer, 1, name_of('s')), 0);
        host_reg(c, 's', 0);
        world_flow(w, A, C, 's', &client[0], &server[0]);
        assert_int_equal(w->types[REQUEST], 2);

        c->silent = true;
        host_reg(b, 's', 0);
        ask = host_alloc(a, &unheard, 's', "x", 1);
        WORLD_UNTIL(w, a->n[EV_REPLY] == 2);
        assert_int_equal(result_of(a, ask),
                         -EHOSTUNREACH); /* C may have heard it: the next request is irmd's to make */
        WORLD_UNTIL(w, w->types[DEALLOC] > 0);
        assert_int_equal(b->n[EV_ARRIVED], 0);
        app_close(&unheard);
        world_flow(w, A, B, 's', &client[1], &server[1]);
        for (unsigned i = 0; i < 2; i++) {
                app_close(&client[i]);
                app_close(&server[i]);
        }
}

/* It has not moved, it is gone: asked for anew once, and no more. */
static void test_gone_service(void **state)
{
        struct world *w = *state;
        struct host  *a = &w->hosts[A], *b = &w->hosts[B];
        struct app    client;
        uint32_t      ask;

        host_reg(b, 's', 0);
        host_query(a, 's');
        WORLD_UNTIL(w, a->n[EV_DONE] == 1);
        assert_int_equal(b->ops.unreg(b->layer, 1, name_of('s')), 0);
        ask = host_alloc(a, &client, 's', "x", 1);
        WORLD_UNTIL(w, a->n[EV_REPLY] == 1);
        assert_int_equal(result_of(a, ask), -ENAME);
        assert_int_equal(w->types[REQUEST], 1);
        assert_int_equal(w->types[QUERY], 9);
        app_close(&client);
}

/* -- the directory --------------------------------------------------------- */

/* It knows two places, and the first is wrong. The wire's answer is not waited for. */
static void test_directory_finds(void **state)
{
        struct world    *w = *state;
        struct host     *a = &w->hosts[A], *c = &w->hosts[C];
        struct link_addr at[2] = {host_addr(B), host_addr(C)};
        struct app       client[2], server[2];

        host_reg(c, 's', 0);
        w->lose      = 100;
        w->lose_type = QUERY;
        host_alloc(a, &client[0], 's', "x", 1);
        a->link.found(a->link.ctx, a->find_ask, at, 2);
        WORLD_UNTIL(w, c->n[EV_ARRIVED] == 1);
        host_accept(c, &server[0], host_event(c, EV_ARRIVED, 0)->ask, "y", 1);
        WORLD_UNTIL(w, a->n[EV_REPLY] == 1);
        assert_int_equal(host_event(a, EV_REPLY, 0)->result, 0);
        assert_int_equal(w->types[REQUEST], 2);
        world_flow(w, A, C, 's', &client[1], &server[1]); /* where it was not is known */
        assert_int_equal(w->types[REQUEST], 3);
        for (unsigned i = 0; i < 2; i++) {
                app_close(&client[i]);
                app_close(&server[i]);
        }
}

/* One source that knows nothing does not end the look-up; late answers are of no use. */
static void test_directory_and_wire(void **state)
{
        struct world    *w = *state;
        struct host     *a = &w->hosts[A], *b = &w->hosts[B];
        struct link_addr at = host_addr(C);
        uint32_t         first;

        host_reg(b, 's', 0);
        host_query(a, 's');
        first = a->find_ask;
        a->link.found(a->link.ctx, first, NULL, 0);
        assert_int_equal(a->n[EV_DONE], 0);
        WORLD_UNTIL(w, a->n[EV_DONE] == 1);
        assert_int_equal(host_event(a, EV_DONE, 0)->result, 0);

        host_query(a, 'n');
        assert_int_not_equal(a->find_ask, first);
        a->link.found(a->link.ctx, first, &at, 1);
        world_run(w, 1600); /* the wire has said that there is nobody */
        assert_int_equal(a->n[EV_DONE], 1);
        a->link.found(a->link.ctx, a->find_ask, NULL, 0);
        assert_int_equal(a->n[EV_DONE], 2);
        assert_int_equal(host_event(a, EV_DONE, 1)->result, -ENAME);
}

static void test_directory_is_told(void **state)
{
        struct world *w = *state;
        struct host  *a = &w->hosts[A];
        uint32_t      ask;

        a->publish_result = -EIO;
        host_reg(a, 's', -EIO);
        a->publish_result = 0;
        host_reg(a, 's', 0);
        assert_true(a->there);
        a->publish_result = IPCP_LATER;
        assert_int_equal(a->ops.unreg(a->layer, 500, name_of('s')), IPCP_LATER);
        assert_false(a->there);
        a->link.published(a->link.ctx, 500, -EIO);
        assert_int_equal(done_of(a, 500), -EIO);

        ask = host_reg(a, 's', IPCP_LATER); /* it had gone from here all the same */
        assert_int_equal(a->publish_ask, ask);
        a->link.published(a->link.ctx, ask, 0);
        assert_int_equal(done_of(a, ask), 0);
        host_reg(a, 's', -EEXIST);
        ask = host_reg(a, 't', IPCP_LATER);
        a->link.published(a->link.ctx, ask, -EACCES);
        assert_int_equal(done_of(a, ask), -EACCES);
        host_reg(a, 't', IPCP_LATER);
}

/* -- the link -------------------------------------------------------------- */

static void test_link_down(void **state)
{
        struct world *w = *state;
        struct host  *a = &w->hosts[A], *b = &w->hosts[B];
        struct app    client[2], server[2], third;
        uint32_t      ask;

        host_reg(b, 's', 0);
        world_flow(w, A, B, 's', &client[0], &server[0]);
        host_link_state(a, false);
        host_link_state(a, false);
        ask = host_alloc(a, &third, 's', "x", 1);
        assert_int_equal(result_of(a, ask), -ENAME); /* at once, and though it is known where */
        ask = host_query(a, 's');
        assert_int_equal(done_of(a, ask), -ENAME);
        assert_int_equal(host_flows(a), 1);
        app_close(&third);

        host_link_state(a, true);
        app_write(&client[0], "still here");
        WORLD_UNTIL(w, w->data == 1);
        assert_string_equal(app_read(&server[0]), "still here");
        world_flow(w, A, B, 's', &client[1], &server[1]);
        for (unsigned i = 0; i < 2; i++) {
                app_close(&client[i]);
                app_close(&server[i]);
        }
}

#define IN(setup, test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                IN(setup, test_names),
                IN(setup, test_unknown_name),
                IN(setup, test_moved_service),
                IN(setup, test_gone_service),
                IN(setup_directory, test_directory_finds),
                IN(setup_directory, test_directory_and_wire),
                IN(setup_directory, test_directory_is_told),
                IN(setup, test_link_down),
        };

        return cmocka_run_group_tests_name("shim where", tests, NULL, NULL);
}
