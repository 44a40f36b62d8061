/* test_local.c - the layer of one host as an engine: what it is told, and what it says. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ouroboros/errno.h>

#include "ipcpd/local/local.h"

/* All that the layer says. */
struct said {
        enum { NOTHING, REPLY, ARRIVED, DEALLOC } what;
        uint32_t  ask;
        int       result;
        uint64_t  flow_id; /* or twin */
        uint8_t   hash[32];
        qosspec_t qos;
};

struct fixture {
        void          *layer;
        struct ipcp_up up;
        struct said    said[64];
        size_t         n_said, n_heard;
};

static const uint8_t h1[32] = {1}, h2[32] = {2};

static struct said *say(struct fixture *x)
{
        assert_true(x->n_said < sizeof(x->said) / sizeof(x->said[0]));
        return &x->said[x->n_said++];
}

static void flow_reply(void *ctx, uint32_t ask, int result)
{
        *say(ctx) = (struct said){.what = REPLY, .ask = ask, .result = result};
}

static void flow_arrived(void *ctx, uint32_t ask, const uint8_t *hash, const qosspec_t *qs, uint64_t twin)
{
        struct said *s = say(ctx);

        *s = (struct said){.what = ARRIVED, .ask = ask, .flow_id = twin, .qos = *qs};
        memcpy(s->hash, hash, sizeof(s->hash));
}

static void flow_dealloc(void *ctx, uint64_t flow_id)
{
        *say(ctx) = (struct said){.what = DEALLOC, .flow_id = flow_id};
}

/* The next thing that it has said, or NOTHING. */
static const struct said *heard(struct fixture *x)
{
        static const struct said nothing;

        return x->n_heard < x->n_said ? &x->said[x->n_heard++] : &nothing;
}

static void hears_reply(struct fixture *x, uint32_t ask, int result)
{
        const struct said *s = heard(x);

        assert_int_equal(s->what, REPLY);
        assert_int_equal(s->ask, ask);
        assert_int_equal(s->result, result);
}

/* Returns what the layer wants answered. */
static uint32_t hears_arrival(struct fixture *x, const uint8_t *hash, uint64_t twin)
{
        const struct said *s = heard(x);

        assert_int_equal(s->what, ARRIVED);
        assert_int_not_equal(s->ask, 0);
        assert_memory_equal(s->hash, hash, 32);
        assert_int_equal(s->flow_id, twin);
        assert_int_equal(s->qos.timeout, DEFAULT_PEER_TIMEOUT);
        return s->ask;
}

static void hears_dealloc(struct fixture *x, uint64_t flow_id)
{
        const struct said *s = heard(x);

        assert_int_equal(s->what, DEALLOC);
        assert_int_equal(s->flow_id, flow_id);
}

static void hears_nothing(struct fixture *x)
{
        assert_int_equal(heard(x)->what, NOTHING);
}

static void counts(struct fixture *x, size_t names, size_t arrivals)
{
        struct local_counts c = local_count(x->layer);

        assert_int_equal(c.names, names);
        assert_int_equal(c.arrivals, arrivals);
}

static void alloc(struct fixture *x, uint32_t ask, uint64_t flow_id, const uint8_t *hash)
{
        local_ops.flow_alloc(x->layer, ask, flow_id, hash, &qos_raw);
}

static void answer(struct fixture *x, uint32_t ask, int result, uint64_t flow_id)
{
        local_ops.flow_answered(x->layer, ask, result, flow_id);
}

static void dealloc(struct fixture *x, uint64_t flow_id)
{
        local_ops.flow_dealloc(x->layer, flow_id);
}

static int setup(void **state)
{
        struct fixture *x = calloc(1, sizeof(*x));

        x->up    = (struct ipcp_up){x, flow_reply, flow_arrived, flow_dealloc};
        x->layer = local_ops.create(&x->up);
        *state   = x;
        return local_ops.bootstrap(x->layer, &local_default_conf) != 0 || local_ops.reg(x->layer, h1) != 0;
}

static int teardown(void **state)
{
        struct fixture *x = *state;

        local_ops.destroy(x->layer);
        free(x);
        return 0;
}

/* -- names ----------------------------------------------------------------- */

static void test_names(void **state)
{
        struct fixture *x = *state;

        assert_int_equal(local_ops.reg(x->layer, h1), -EEXIST);
        assert_int_equal(local_ops.unreg(x->layer, h2), -ENAME);
        assert_int_equal(local_ops.reg(x->layer, h2), 0);
        counts(x, 2, 0);
        assert_int_equal(local_ops.unreg(x->layer, h1), 0);
        assert_int_equal(local_ops.unreg(x->layer, h1), -ENAME);
        counts(x, 1, 0);
}

static void test_unknown_name(void **state)
{
        struct fixture *x = *state;

        alloc(x, 5, 100, h2);
        hears_reply(x, 5, -ENAME);
        hears_nothing(x);
        counts(x, 1, 0);
}

/* All bytes of a hash count, as many as the algorithm has. */
static void test_longer_hash(void **state)
{
        struct ipcp_config conf  = {{"layer", DIR_HASH_SHA3_512}, IPCP_LOCAL};
        struct fixture    *x     = *state;
        uint8_t            a[64] = {0}, b[64] = {0};

        local_ops.destroy(x->layer);
        x->layer = local_ops.create(&x->up);
        assert_int_equal(local_ops.bootstrap(x->layer, &conf), 0);
        b[63] = 1;
        assert_int_equal(local_ops.reg(x->layer, a), 0);
        alloc(x, 5, 100, b);
        hears_reply(x, 5, -ENAME);
        assert_int_equal(local_ops.reg(x->layer, b), 0);
        alloc(x, 6, 100, b);
        hears_arrival(x, b, 100);
}

/* -- flows ----------------------------------------------------------------- */

static void test_accepted(void **state)
{
        struct fixture *x = *state;
        uint32_t        a;

        alloc(x, 5, 100, h1);
        a = hears_arrival(x, h1, 100);
        hears_nothing(x);
        counts(x, 1, 1);
        answer(x, a, 0, 200);
        hears_reply(x, 5, 0);
        counts(x, 1, 0);
        hears_nothing(x);
}

static void test_refused(void **state)
{
        struct fixture *x = *state;

        alloc(x, 5, 100, h1);
        answer(x, hears_arrival(x, h1, 100), -ENOTALLOC, 0);
        hears_reply(x, 5, -ENOTALLOC);
        counts(x, 1, 0);
        dealloc(x, 100); /* irmd may say so: it changes nothing */
        hears_nothing(x);
        alloc(x, 6, 100, h1); /* the same flow asks again */
        hears_arrival(x, h1, 100);
}

/* Answers come in any order. */
static void test_many(void **state)
{
        struct fixture *x = *state;
        uint32_t        a[20];

        for (uint32_t i = 0; i < 20; i++) {
                alloc(x, i + 1, 100 + i, h1);
                a[i] = hears_arrival(x, h1, 100 + i);
                for (uint32_t j = 0; j < i; j++)
                        assert_int_not_equal(a[i], a[j]);
        }
        for (uint32_t i = 20; i-- > 0;) {
                answer(x, a[i], 0, 200 + i);
                hears_reply(x, i + 1, 0);
        }
        counts(x, 1, 0);
}

static void test_client_gives_up(void **state)
{
        struct fixture *x = *state;
        uint32_t        a;

        alloc(x, 5, 100, h1);
        a = hears_arrival(x, h1, 100);
        dealloc(x, 100);
        counts(x, 1, 1);
        answer(x, a, -ENOTALLOC, 0);
        hears_nothing(x); /* nobody is told */
        counts(x, 1, 0);
}

static void test_client_gives_up_and_server_accepts(void **state)
{
        struct fixture *x = *state;
        uint32_t        a;

        alloc(x, 5, 100, h1);
        a = hears_arrival(x, h1, 100);
        dealloc(x, 100);
        answer(x, a, 0, 200);
        hears_dealloc(x, 200);
        hears_nothing(x);
        counts(x, 1, 0);
}

/* -- what cannot be -------------------------------------------------------- */

static void test_same_flow_twice(void **state)
{
        struct fixture *x = *state;
        uint32_t        a;

        alloc(x, 5, 100, h1);
        a = hears_arrival(x, h1, 100);
        alloc(x, 6, 100, h1);
        hears_reply(x, 6, -EEXIST);
        counts(x, 1, 1); /* the first goes on */
        answer(x, a, 0, 200);
        hears_reply(x, 5, 0);
        counts(x, 1, 0);
}

static void test_answer_without_question(void **state)
{
        struct fixture *x = *state;
        uint32_t        a;

        answer(x, 1, 0, 200);
        answer(x, 0, 0, 200);
        alloc(x, 5, 100, h1);
        a = hears_arrival(x, h1, 100);
        answer(x, a + 1, 0, 200);
        hears_nothing(x);
        answer(x, a, 0, 200);
        hears_reply(x, 5, 0);
        answer(x, a, -ENOTALLOC, 0); /* again */
        hears_nothing(x);
        counts(x, 1, 0);
}

static void test_unknown_flow(void **state)
{
        struct fixture *x = *state;

        dealloc(x, 0);
        dealloc(x, 4711);
        hears_nothing(x);
        counts(x, 1, 0);
}

/* The end of the layer with something of everything; a leak would show under ASan. */
static void test_destroyed_in_the_middle(void **state)
{
        struct fixture *x = *state;

        alloc(x, 5, 100, h1);
        alloc(x, 6, 101, h1);
        answer(x, hears_arrival(x, h1, 100), 0, 200);
        dealloc(x, 101);
        alloc(x, 7, 102, h1);
        counts(x, 1, 2);
        local_ops.destroy(NULL);
}

/* Ten thousand flows one after the other leave nothing. */
static void test_baseline(void **state)
{
        struct fixture *x = *state;

        for (uint64_t i = 1; i <= 10000; i++) {
                x->n_said = x->n_heard = 0;
                alloc(x, (uint32_t)i, 2 * i, h1);
                answer(x, hears_arrival(x, h1, 2 * i), 0, 2 * i + 1);
                hears_reply(x, (uint32_t)i, 0);
        }
        counts(x, 1, 0);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                EACH(test_names),           EACH(test_unknown_name),
                EACH(test_longer_hash),     EACH(test_accepted),
                EACH(test_refused),         EACH(test_many),
                EACH(test_client_gives_up), EACH(test_client_gives_up_and_server_accepts),
                EACH(test_same_flow_twice), EACH(test_answer_without_question),
                EACH(test_unknown_flow),    EACH(test_destroyed_in_the_middle),
                EACH(test_baseline),
        };

        return cmocka_run_group_tests_name("local", tests, NULL, NULL);
}
