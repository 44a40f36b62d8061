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

static const struct oap_bytes request = {(const uint8_t *)"request", 7};

static struct said *say(struct fixture *x)
{
        assert_true(x->n_said < sizeof(x->said) / sizeof(x->said[0]));
        return &x->said[x->n_said++];
}

static void flow_reply(void *ctx, uint32_t ask, int result, struct oap_bytes oap, const struct ipcp_way *way)
{
        assert_null(way);
        assert_int_equal(oap.len, 0);
        *say(ctx) = (struct said){.what = REPLY, .ask = ask, .result = result};
}

static void flow_arrived(void *ctx, uint32_t ask, const uint8_t *hash, const qosspec_t *qs, uint64_t twin,
                         struct oap_bytes oap, const struct ipcp_way *way)
{
        struct said *s = say(ctx);

        assert_null(way);
        assert_ptr_equal(oap.p, request.p); /* as it came */
        assert_int_equal(oap.len, request.len);

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

/* Nothing is to be answered. */
static void hears_arrival(struct fixture *x, const uint8_t *hash, uint64_t twin)
{
        const struct said *s = heard(x);

        assert_int_equal(s->what, ARRIVED);
        assert_int_equal(s->ask, 0);
        assert_memory_equal(s->hash, hash, 32);
        assert_int_equal(s->flow_id, twin);
        assert_int_equal(s->qos.timeout, DEFAULT_PEER_TIMEOUT);
}

static void hears_nothing(struct fixture *x)
{
        assert_int_equal(heard(x)->what, NOTHING);
}

static void alloc(struct fixture *x, uint32_t ask, uint64_t flow_id, const uint8_t *hash)
{
        local_ops.flow_alloc(x->layer, ask, flow_id, hash, &qos_raw, request, IPCP_NO_PORT);
}

static void dealloc(struct fixture *x, uint64_t flow_id)
{
        local_ops.flow_dealloc(x->layer, flow_id);
}

static int setup(void **state)
{
        struct fixture *x = calloc(1, sizeof(*x));

        x->up    = (struct ipcp_up){x, flow_reply, flow_arrived, NULL, flow_dealloc, NULL};
        x->layer = local_ops.create(&local_ops, &x->up, NULL);
        *state   = x;
        return local_ops.bootstrap(x->layer, &local_default_conf) != 0 || local_ops.reg(x->layer, 0, h1) != 0;
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

        assert_int_equal(local_ops.reg(x->layer, 0, h1), -EEXIST);
        assert_int_equal(local_ops.unreg(x->layer, 0, h2), -ENAME);
        assert_int_equal(local_ops.reg(x->layer, 0, h2), 0);
        assert_int_equal(local_count(x->layer), 2);
        assert_int_equal(local_ops.unreg(x->layer, 0, h1), 0);
        assert_int_equal(local_ops.unreg(x->layer, 0, h1), -ENAME);
        assert_int_equal(local_count(x->layer), 1);
}

static void test_unknown_name(void **state)
{
        struct fixture *x = *state;

        alloc(x, 5, 100, h2);
        hears_reply(x, 5, -ENAME);
        hears_nothing(x);
        assert_int_equal(local_count(x->layer), 1);
}

/* All bytes of a hash count, as many as the algorithm has. */
static void test_longer_hash(void **state)
{
        struct ipcp_config conf  = local_default_conf;
        struct fixture    *x     = *state;
        uint8_t            a[64] = {0}, b[64] = {0};

        conf.layer_info.dir_hash_algo = DIR_HASH_SHA3_512;
        local_ops.destroy(x->layer);
        x->layer = local_ops.create(&local_ops, &x->up, NULL);
        assert_int_equal(local_ops.bootstrap(x->layer, &conf), 0);
        b[63] = 1;
        assert_int_equal(local_ops.reg(x->layer, 0, a), 0);
        alloc(x, 5, 100, b);
        hears_reply(x, 5, -ENAME);
        assert_int_equal(local_ops.reg(x->layer, 0, b), 0);
        alloc(x, 6, 100, b);
        hears_arrival(x, b, 100);
}

/* -- flows ----------------------------------------------------------------- */

/* It arrives here, and the layer is done with it. */
static void test_arrives(void **state)
{
        struct fixture *x = *state;

        alloc(x, 5, 100, h1);
        hears_arrival(x, h1, 100);
        hears_nothing(x);
        alloc(x, 6, 101, h1);
        hears_arrival(x, h1, 101);
        dealloc(x, 100);
        dealloc(x, 4711);
        hears_nothing(x);
}

static void test_not_after_the_name_has_gone(void **state)
{
        struct fixture *x = *state;

        assert_int_equal(local_ops.unreg(x->layer, 0, h1), 0);
        alloc(x, 5, 100, h1);
        hears_reply(x, 5, -ENAME);
        assert_int_equal(local_ops.reg(x->layer, 0, h1), 0);
        alloc(x, 6, 100, h1);
        hears_arrival(x, h1, 100);
}

static void test_answer_without_question(void **state)
{
        struct fixture *x = *state;

        local_ops.flow_answered(x->layer, 1, 0, 200, request, IPCP_NO_PORT);
        local_ops.flow_answered(x->layer, 0, -ENOTALLOC, 0, request, IPCP_NO_PORT);
        hears_nothing(x);
        local_ops.destroy(NULL);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                EACH(test_names),
                EACH(test_unknown_name),
                EACH(test_longer_hash),
                EACH(test_arrives),
                EACH(test_not_after_the_name_has_gone),
                EACH(test_answer_without_question),
        };

        return cmocka_run_group_tests_name("local", tests, NULL, NULL);
}
