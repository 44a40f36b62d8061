/* test_control.c - what irmd and an IPCP say to each other, as bytes, without a socket; the layer only records what it is asked. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ouroboros/errno.h>

#include "base/log.h"
#include "ipcpd/common/control.h"
#include "ipcp_messages.h"

#define HASH 32

/* -- the layer ------------------------------------------------------------- */

static struct {
        const struct ipcp_up *up;
        uint8_t               oap[16];
        size_t                oap_len;
        int                   bootstraps, regs, unregs, allocs, answers, deallocs, destroys, queries;
        struct ipcp_port      port;
        uint8_t               hash[HASH];
        uint32_t              ask;
        uint64_t              flow_id;
        qosspec_t             qos;
        int                   result;      /* that it was given */
        int                   next_result; /* that it gives     */
} fake;

static void *fake_create(const struct ipcp_ops *ops, const struct ipcp_up *up, uv_loop_t *loop)
{
        assert_non_null(ops);
        assert_null(loop);
        fake.up = up;
        return &fake;
}

static void fake_destroy(void *layer)
{
        fake.destroys += layer != NULL;
}

static int fake_bootstrap(void *layer, const struct ipcp_config *conf)
{
        assert_ptr_equal(layer, &fake);
        assert_string_equal(conf->layer_info.name, "layer");
        fake.bootstraps++;
        return fake.next_result;
}

static int fake_reg(void *layer, uint32_t ask, const uint8_t *hash)
{
        fake.ask = ask;
        assert_ptr_equal(layer, &fake);
        memcpy(fake.hash, hash, HASH);
        fake.regs++;
        return fake.next_result;
}

static int fake_unreg(void *layer, uint32_t ask, const uint8_t *hash)
{
        fake.ask = ask;
        assert_ptr_equal(layer, &fake);
        memcpy(fake.hash, hash, HASH);
        fake.unregs++;
        return fake.next_result;
}

static void take_oap(struct oap_bytes oap)
{
        assert_true(oap.len <= sizeof(fake.oap));
        fake.oap_len = oap.len;
        if (oap.len > 0)
                memcpy(fake.oap, oap.p, oap.len);
}

static void fake_flow_alloc(void *layer, uint32_t ask, uint64_t flow_id, const uint8_t *hash,
                            const qosspec_t *qs, struct oap_bytes oap, struct ipcp_port port)
{
        assert_ptr_equal(layer, &fake);
        fake.port = port;
        take_oap(oap);
        memcpy(fake.hash, hash, HASH);
        fake.ask     = ask;
        fake.flow_id = flow_id;
        fake.qos     = *qs;
        fake.allocs++;
}

static void fake_name_query(void *layer, uint32_t ask, const uint8_t *hash)
{
        assert_ptr_equal(layer, &fake);
        memcpy(fake.hash, hash, HASH);
        fake.ask = ask;
        fake.queries++;
}

static void fake_flow_answered(void *layer, uint32_t ask, int result, uint64_t flow_id, struct oap_bytes oap,
                               struct ipcp_port port)
{
        fake.port = port;
        assert_ptr_equal(layer, &fake);
        take_oap(oap);
        fake.ask     = ask;
        fake.result  = result;
        fake.flow_id = flow_id;
        fake.answers++;
}

static void fake_flow_dealloc(void *layer, uint64_t flow_id)
{
        assert_ptr_equal(layer, &fake);
        fake.flow_id = flow_id;
        fake.deallocs++;
}

#define FAKE_OPS(type_)                                                                                   \
        {                                                                                                 \
                .program = "ipcpd-fake", .type = (type_), .create = fake_create, .destroy = fake_destroy, \
                .bootstrap = fake_bootstrap, .reg = fake_reg, .unreg = fake_unreg,                        \
                .name_query = fake_name_query, .flow_alloc = fake_flow_alloc,                             \
                .flow_answered = fake_flow_answered, .flow_dealloc = fake_flow_dealloc,                   \
        }

static const struct ipcp_ops fake_ops = FAKE_OPS(IPCP_LOCAL);
static const struct ipcp_ops net_ops  = FAKE_OPS(IPCP_UNICAST); /* whose flows have ports */

/* -- irmd ------------------------------------------------------------------ */

struct fixture {
        struct control *control;
        int             fds[4]; /* that come with what is given */
        size_t          n_fds;
        uint8_t         buf[IPCP_MESSAGE_MAX];
        int             sent, left;
        uint32_t        id;  /* of what was sent last */
        Ipcp__Message  *got; /* that, or NULL when it has been looked at */
        char            layer[256];
};

static void on_send(void *ctx, uint32_t id, const Ipcp__Message *m)
{
        struct fixture *x = ctx;
        uint8_t         packed[IPCP_MESSAGE_MAX];
        size_t          len = msg_pack(packed, m);

        x->sent++;
        x->id = id;
        ipcp__message__free_unpacked(x->got, NULL);
        x->got = ipcp__message__unpack(NULL, len, packed);
        assert_non_null(x->got);
}

static void on_joined(void *ctx, const char *layer)
{
        struct fixture *x = ctx;

        strcpy(x->layer, layer);
}

static void on_leave(void *ctx)
{
        struct fixture *x = ctx;

        x->left++;
}

static const struct control_out out = {on_send, on_joined, on_leave};

/* Gives the packed message in buf to the IPCP. */
static void give(struct fixture *x, uint32_t id, size_t len)
{
        control_message(x->control, id, x->buf, len, x->fds, x->n_fds);
}

static void gets_nothing(struct fixture *x)
{
        assert_null(x->got);
}

static void forget(struct fixture *x)
{
        ipcp__message__free_unpacked(x->got, NULL);
        x->got = NULL;
}

static void gets_reply(struct fixture *x, uint32_t id, int result)
{
        assert_non_null(x->got);
        assert_int_equal(x->id, id);
        assert_int_equal(x->got->kind_case, IPCP__MESSAGE__KIND_REPLY);
        assert_int_equal(x->got->reply->result, result);
        forget(x);
}

static int setup_of(void **state, const struct ipcp_ops *ops)
{
        struct fixture *x = calloc(1, sizeof(*x));

        memset(&fake, 0, sizeof(fake));
        log_init("test", LOG_ERROR);
        x->control = control_create(ops, NULL, &out, x);
        *state     = x;
        return x->control == NULL;
}

static int setup_starting(void **state)
{
        return setup_of(state, &fake_ops);
}

static int setup_ready(void **state)
{
        int             r = setup_starting(state);
        struct fixture *x = *state;

        control_start(x->control);
        forget(x);
        return r;
}

static int setup_operational(void **state)
{
        int             r = setup_ready(state);
        struct fixture *x = *state;

        give(x, 1, msg_bootstrap(x->buf, "layer", DIR_HASH_SHA3_256, IPCP_LOCAL));
        forget(x);
        return r;
}

static int teardown(void **state)
{
        struct fixture *x = *state;

        control_destroy(x->control);
        forget(x);
        free(x);
        return fake.destroys != 1;
}

/* -- life ------------------------------------------------------------------ */

/* Every state and event, as life.h says. */
static void test_life(void **state)
{
        static const struct {
                enum life       from;
                enum life_event ev;
                int             to; /* -1: is not done */
        } table[] = {
                {LIFE_STARTING, LIFE_EV_START, LIFE_READY},
                {LIFE_STARTING, LIFE_EV_BOOTSTRAP, -1},
                {LIFE_STARTING, LIFE_EV_LEAVE, LIFE_LEAVING},
                {LIFE_READY, LIFE_EV_START, -1},
                {LIFE_READY, LIFE_EV_BOOTSTRAP, LIFE_OPERATIONAL},
                {LIFE_READY, LIFE_EV_LEAVE, LIFE_LEAVING},
                {LIFE_OPERATIONAL, LIFE_EV_START, -1},
                {LIFE_OPERATIONAL, LIFE_EV_BOOTSTRAP, -1},
                {LIFE_OPERATIONAL, LIFE_EV_LEAVE, LIFE_LEAVING},
                {LIFE_LEAVING, LIFE_EV_START, -1},
                {LIFE_LEAVING, LIFE_EV_BOOTSTRAP, -1},
                {LIFE_LEAVING, LIFE_EV_LEAVE, -1},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                enum life l = table[i].from;

                assert_int_equal(life_step(&l, table[i].ev), table[i].to >= 0);
                assert_int_equal(l, table[i].to >= 0 ? table[i].to : (int)table[i].from);
        }
}

static void test_ready(void **state)
{
        struct fixture *x = *state;

        assert_int_equal(control_life(x->control), LIFE_STARTING);
        control_start(x->control);
        assert_int_equal(control_life(x->control), LIFE_READY);
        assert_non_null(x->got);
        assert_int_equal(x->id, 0);
        assert_int_equal(x->got->kind_case, IPCP__MESSAGE__KIND_REQUEST);
        assert_int_equal(x->got->request->verb_case, IPCP__REQUEST__VERB_READY);
        assert_int_equal(x->got->request->ready->version, 1);
        assert_int_equal(x->got->request->ready->type, IPCP_LOCAL);
}

static void test_bootstrap(void **state)
{
        struct fixture *x = *state;

        give(x, 7, msg_bootstrap(x->buf, "layer", DIR_HASH_SHA3_256, IPCP_LOCAL));
        gets_reply(x, 7, 0);
        assert_int_equal(control_life(x->control), LIFE_OPERATIONAL);
        assert_string_equal(x->layer, "layer");
        give(x, 8, msg_bootstrap(x->buf, "layer", DIR_HASH_SHA3_256, IPCP_LOCAL));
        gets_reply(x, 8, -EIPCPSTATE);
        assert_int_equal(fake.bootstraps, 1);
}

static void test_bootstrap_refused(void **state)
{
        struct fixture *x = *state;

        give(x, 1, msg_bootstrap(x->buf, "layer", DIR_HASH_SHA3_256, IPCP_UNICAST));
        gets_reply(x, 1, -EIPCPTYPE);
        give(x, 2, msg_bootstrap(x->buf, "layer", DIR_HASH_SHA3_256, 99));
        gets_reply(x, 2, -EIPCPTYPE);
        give(x, 3, msg_bootstrap(x->buf, "layer", 99, IPCP_LOCAL));
        gets_reply(x, 3, -EINVAL);
        give(x, 4, msg_bootstrap(x->buf, "../layer", DIR_HASH_SHA3_256, IPCP_LOCAL));
        gets_reply(x, 4, -EINVAL);
        give(x, 5, msg_bootstrap(x->buf, "", DIR_HASH_SHA3_256, IPCP_LOCAL));
        gets_reply(x, 5, -EINVAL);
        assert_int_equal(fake.bootstraps, 0);
        fake.next_result = -ENOMEM;
        give(x, 6, msg_bootstrap(x->buf, "layer", DIR_HASH_SHA3_256, IPCP_LOCAL));
        gets_reply(x, 6, -ENOMEM);
        assert_int_equal(control_life(x->control), LIFE_READY);
        assert_string_equal(x->layer, "");
        fake.next_result = 0;
        give(x, 7, msg_bootstrap(x->buf, "layer", DIR_HASH_SHA3_256, IPCP_LOCAL));
        gets_reply(x, 7, 0);
}

static void test_nothing_before_bootstrap(void **state)
{
        struct fixture *x       = *state;
        uint8_t         h[HASH] = {1};

        give(x, 1, msg_name_reg(x->buf, h, HASH));
        gets_reply(x, 1, -EIPCPSTATE);
        give(x, 2, msg_name_unreg(x->buf, h, HASH));
        gets_reply(x, 2, -EIPCPSTATE);
        give(x, 3, msg_flow_alloc(x->buf, 100, h, HASH, &qos_raw));
        gets_reply(x, 3, -EIPCPSTATE);
        give(x, 0, msg_flow_dealloc(x->buf, 100));
        gets_nothing(x);
        give(x, 4, msg_reply(x->buf, 0, 100));
        gets_nothing(x);
        assert_int_equal(fake.regs + fake.unregs + fake.allocs + fake.deallocs + fake.answers, 0);
}

static void test_shutdown(void **state)
{
        struct fixture *x       = *state;
        uint8_t         h[HASH] = {1};

        give(x, 1, msg_shutdown(x->buf));
        gets_reply(x, 1, 0);
        assert_int_equal(x->left, 1);
        assert_int_equal(control_life(x->control), LIFE_LEAVING);
        give(x, 2, msg_name_reg(x->buf, h, HASH));
        gets_reply(x, 2, -EIPCPSTATE);
        give(x, 3, msg_shutdown(x->buf));
        gets_reply(x, 3, -EIPCPSTATE);
        assert_int_equal(x->left, 1);
}

static void test_shutdown_without_answer(void **state)
{
        struct fixture *x = *state;

        give(x, 0, msg_shutdown(x->buf));
        gets_nothing(x);
        assert_int_equal(x->left, 1);
}

/* -- what is passed on ----------------------------------------------------- */

static void test_names(void **state)
{
        struct fixture *x       = *state;
        uint8_t         h[HASH] = {1, 2, 3};

        give(x, 1, msg_name_reg(x->buf, h, HASH));
        gets_reply(x, 1, 0);
        assert_memory_equal(fake.hash, h, HASH);
        fake.next_result = -ENAME;
        give(x, 2, msg_name_unreg(x->buf, h, HASH));
        gets_reply(x, 2, -ENAME);
        assert_int_equal(fake.regs, 1);
        assert_int_equal(fake.unregs, 1);
}

static void test_hash_of_wrong_length(void **state)
{
        static const size_t wrong[] = {0, 1, HASH - 1, HASH + 1, 64, 500};
        struct fixture     *x       = *state;
        uint8_t             h[500]  = {1};

        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
                give(x, 1, msg_name_reg(x->buf, h, wrong[i]));
                gets_reply(x, 1, -EINVAL);
                give(x, 2, msg_name_unreg(x->buf, h, wrong[i]));
                gets_reply(x, 2, -EINVAL);
                give(x, 3, msg_flow_alloc(x->buf, 100, h, wrong[i], &qos_raw));
                gets_reply(x, 3, -EINVAL);
        }
        assert_int_equal(fake.regs + fake.unregs + fake.allocs, 0);
}

static void test_flow_alloc(void **state)
{
        struct fixture *x       = *state;
        uint8_t         h[HASH] = {7};

        give(x, 5, msg_flow_alloc(x->buf, UINT64_MAX, h, HASH, &qos_voice));
        gets_nothing(x);
        assert_int_equal(fake.allocs, 1);
        assert_int_equal(fake.ask, 5);
        assert_true(fake.flow_id == UINT64_MAX);
        assert_memory_equal(fake.hash, h, HASH);
        assert_int_equal(fake.qos.delay, qos_voice.delay);
        assert_int_equal(fake.qos.in_order, 1);
        assert_int_equal(fake.oap_len, sizeof(MSG_OAP) - 1);
        assert_memory_equal(fake.oap, MSG_OAP, fake.oap_len);
        fake.up->flow_reply(fake.up->ctx, 5, 0, (struct oap_bytes){h, 3}, NULL);
        assert_null(x->got->reply->way);
        assert_int_equal(x->got->reply->oap.len, 3);
        assert_memory_equal(x->got->reply->oap.data, h, 3);
        gets_reply(x, 5, 0);
}

static void test_flow_alloc_refused(void **state)
{
        struct fixture *x       = *state;
        uint8_t         h[HASH] = {7};
        qosspec_t       qs      = qos_raw;

        give(x, 1, msg_flow_alloc(x->buf, 0, h, HASH, &qos_raw));
        gets_reply(x, 1, -EINVAL);
        qs.in_order = 2;
        give(x, 2, msg_flow_alloc(x->buf, 1, h, HASH, &qs));
        gets_reply(x, 2, -EINVAL);
        give(x, 0, msg_flow_alloc(x->buf, 1, h, HASH, &qos_raw)); /* nobody to be answered */
        gets_nothing(x);
        assert_int_equal(fake.allocs, 0);
}

static void test_flow_arrived(void **state)
{
        struct fixture    *x       = *state;
        uint8_t            h[HASH] = {9};
        Ipcp__FlowArrived *fa;

        fake.up->flow_arrived(fake.up->ctx, 0x80000001, h, &qos_data, 100, (struct oap_bytes){h, 5}, NULL);
        assert_int_equal(x->id, 0x80000001);
        assert_int_equal(x->got->request->verb_case, IPCP__REQUEST__VERB_FLOW_ARRIVED);
        fa = x->got->request->flow_arrived;
        assert_int_equal(fa->hash.len, HASH);
        assert_memory_equal(fa->hash.data, h, HASH);
        assert_int_equal(fa->twin, 100);
        assert_int_equal(fa->oap.len, 5);
        assert_memory_equal(fa->oap.data, h, 5);
        assert_int_equal(fa->qos->max_gap, qos_data.max_gap);
        forget(x);

        give(x, 0x80000001, msg_reply(x->buf, 0, 200));
        gets_nothing(x);
        assert_int_equal(fake.ask, 0x80000001);
        assert_int_equal(fake.oap_len, sizeof(MSG_OAP) - 1);
        assert_memory_equal(fake.oap, MSG_OAP, fake.oap_len);
        assert_int_equal(fake.result, 0);
        assert_int_equal(fake.flow_id, 200);
        give(x, 2, msg_reply(x->buf, -ENOTALLOC, 0));
        assert_int_equal(fake.result, -ENOTALLOC);
        assert_int_equal(fake.answers, 2);
}

/* An acceptance without a flow, or with a result that is none. */
static void test_answers_that_are_none(void **state)
{
        struct fixture *x = *state;

        give(x, 1, msg_reply(x->buf, 0, 0));
        assert_int_equal(fake.result, -EPROTO);
        give(x, 1, msg_reply(x->buf, 5, 200));
        assert_int_equal(fake.result, -EPROTO);
        gets_nothing(x);
}

/* -- flows to elsewhere ---------------------------------------------------- */

static int setup_net(void **state)
{
        int             r = setup_of(state, &net_ops);
        struct fixture *x = *state;

        control_start(x->control);
        give(x, 1, msg_bootstrap(x->buf, "layer", DIR_HASH_SHA3_256, IPCP_UNICAST));
        gets_reply(x, 1, 0);
        return r;
}

static void bring(struct fixture *x, size_t n)
{
        x->n_fds = n;
        for (size_t i = 0; i < n; i++)
                x->fds[i] = 1000 + (int)i;
}

static void test_flow_alloc_brings_the_port(void **state)
{
        static const struct ipcp_way way = {.packet_max = 1496, .mpl_ms = 100, .peer = "a", .source = "b"};
        struct fixture              *x   = *state;
        uint8_t                      h[HASH] = {7};

        bring(x, 2);
        give(x, 5, msg_flow_alloc(x->buf, 9, h, HASH, &qos_raw));
        gets_reply(x, 5, -EINVAL);
        assert_int_equal(x->fds[0], 1000); /* whoever gave them closes them */
        bring(x, 3);
        give(x, 6, msg_flow_alloc(x->buf, 9, h, HASH, &qos_raw));
        gets_nothing(x);
        assert_int_equal(fake.port.memfd, 1000);
        assert_int_equal(fake.port.bell, 1001 + 1);
        assert_int_equal(fake.port.peer_bell, 1001);
        for (int i = 0; i < 3; i++)
                assert_int_equal(x->fds[i], -1);
        fake.up->flow_reply(fake.up->ctx, 6, 0, (struct oap_bytes){h, 3}, &way);
        assert_int_equal(x->got->reply->way->packet_max, 1496);
        assert_int_equal(x->got->reply->way->mpl_ms, 100);
        assert_string_equal(x->got->reply->way->peer, "a");
        assert_int_equal(x->got->reply->way->source.len, sizeof(way.source));
        gets_reply(x, 6, 0);
}

static void test_answer_brings_the_port(void **state)
{
        struct fixture *x = *state;

        bring(x, 0);
        give(x, 7, msg_reply(x->buf, 0, 200));
        assert_int_equal(fake.result, -EPROTO);
        assert_int_equal(fake.port.memfd, -1);
        bring(x, 3);
        give(x, 7, msg_reply(x->buf, -ENOTALLOC, 0));
        assert_int_equal(fake.port.memfd, -1);
        assert_int_equal(x->fds[0], 1000);
        give(x, 7, msg_reply(x->buf, 0, 200));
        assert_int_equal(fake.result, 0);
        assert_int_equal(fake.port.memfd, 1000);
        assert_int_equal(x->fds[0], -1);
}

static void test_name_query(void **state)
{
        struct fixture *x       = *state;
        uint8_t         h[HASH] = {5};

        give(x, 4, msg_name_query(x->buf, h, HASH));
        gets_nothing(x);
        assert_int_equal(fake.queries, 1);
        assert_memory_equal(fake.hash, h, HASH);
        fake.up->done(fake.up->ctx, 4, -ENAME);
        gets_reply(x, 4, -ENAME);
        give(x, 5, msg_name_query(x->buf, h, HASH - 1));
        gets_reply(x, 5, -EINVAL);
}

static void test_later(void **state)
{
        struct fixture *x       = *state;
        uint8_t         h[HASH] = {5};

        fake.next_result = IPCP_LATER;
        give(x, 8, msg_name_reg(x->buf, h, HASH));
        gets_nothing(x);
        fake.up->done(fake.up->ctx, 8, -EACCES);
        gets_reply(x, 8, -EACCES);
}

static void test_flow_dealloc(void **state)
{
        struct fixture *x = *state;

        give(x, 0, msg_flow_dealloc(x->buf, 77));
        give(x, 3, msg_flow_dealloc(x->buf, 77));
        gets_nothing(x);
        assert_int_equal(fake.deallocs, 2);
        assert_int_equal(fake.flow_id, 77);
        fake.up->flow_dealloc(fake.up->ctx, 88);
        assert_int_equal(x->id, 0);
        assert_int_equal(x->got->request->verb_case, IPCP__REQUEST__VERB_FLOW_DEALLOC);
        assert_int_equal(x->got->request->flow_dealloc->flow_id, 88);
}

/* -- what is no message ---------------------------------------------------- */

static void test_unknown_verbs(void **state)
{
        static const int  verbs[] = {IPCP__REQUEST__VERB__NOT_SET, IPCP__REQUEST__VERB_READY,
                                     IPCP__REQUEST__VERB_FLOW_ARRIVED};
        Ipcp__Ready       ready   = IPCP__READY__INIT;
        Ipcp__FlowArrived fa      = IPCP__FLOW_ARRIVED__INIT;
        struct fixture   *x       = *state;

        for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
                Ipcp__Request rq = IPCP__REQUEST__INIT;

                rq.verb_case = verbs[i];
                if (verbs[i] == IPCP__REQUEST__VERB_READY)
                        rq.ready = &ready;
                if (verbs[i] == IPCP__REQUEST__VERB_FLOW_ARRIVED)
                        rq.flow_arrived = &fa;
                give(x, 9, msg_request(x->buf, &rq));
                gets_reply(x, 9, -ENOTSUP);
                give(x, 0, msg_request(x->buf, &rq));
                gets_nothing(x);
        }
}

static void test_garbage(void **state)
{
        struct fixture *x = *state;

        give(x, 1, 0); /* an empty message is of no kind */
        gets_reply(x, 1, -EPROTO);
        give(x, 0, 0);
        gets_nothing(x);
        memset(x->buf, 0xff, sizeof(x->buf));
        give(x, 2, sizeof(x->buf));
        gets_reply(x, 2, -EPROTO);
        give(x, 3, msg_shutdown(x->buf)); /* and it goes on */
        gets_reply(x, 3, 0);
}

/* Every prefix of a message, and every message with one byte changed, is survived. */
static void test_damaged(void **state)
{
        struct fixture *x       = *state;
        uint8_t         h[HASH] = {1};
        uint8_t         whole[IPCP_MESSAGE_MAX];
        size_t          len = msg_flow_alloc(whole, 100, h, HASH, &qos_voice);

        for (size_t cut = 0; cut < len; cut++) {
                memcpy(x->buf, whole, cut);
                give(x, 1, cut);
        }
        for (size_t at = 0; at < len; at++) {
                memcpy(x->buf, whole, len);
                for (int v = 0; v < 256; v++) {
                        x->buf[at] = (uint8_t)v;
                        give(x, 1, len);
                }
        }
        assert_true(control_life(x->control) >= LIFE_OPERATIONAL); /* one of them says shutdown */
}

#define AT(life, test) cmocka_unit_test_setup_teardown(test, setup_##life, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_life),
                AT(starting, test_ready),
                AT(ready, test_bootstrap),
                AT(ready, test_bootstrap_refused),
                AT(ready, test_nothing_before_bootstrap),
                AT(ready, test_shutdown),
                AT(operational, test_shutdown),
                AT(operational, test_shutdown_without_answer),
                AT(operational, test_names),
                AT(operational, test_hash_of_wrong_length),
                AT(operational, test_flow_alloc),
                AT(operational, test_flow_alloc_refused),
                AT(operational, test_flow_arrived),
                AT(operational, test_answers_that_are_none),
                AT(operational, test_flow_dealloc),
                AT(net, test_flow_alloc_brings_the_port),
                AT(net, test_answer_brings_the_port),
                AT(net, test_name_query),
                AT(net, test_later),
                AT(operational, test_unknown_verbs),
                AT(operational, test_garbage),
                AT(operational, test_damaged),
        };

        return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
