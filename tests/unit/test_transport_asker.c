/*
 * test_transport_asker.c - the handshake transport as a client: repetition, pieces, proofs, and how each
 * request ends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "transport_rig.h"

static struct rig              rig;
static struct link_addr        server, other;
static struct transport_config conf;

static int setup(void **state)
{
        (void)state;
        conf   = rig_udp();
        server = rig_addr(1, 3435);
        other  = rig_addr(1, 3436);
        rig_open(&rig, &conf);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        rig_close(&rig);
        return 0;
}

/* A reply of one piece. */
static void give_reply(uint64_t id, uint8_t code, const uint8_t *token)
{
        size_t   len;
        uint8_t *all = rig_reply(code, code == SHIM_OK ? 55 : 0, token, code == SHIM_OK ? 20 : 0, &len);

        rig_give_piece(&rig, &server, id, SHIM_REPLY, all, len, len, 0);
        free(all);
}

static void test_request(void **state)
{
        struct transport_key     k = rig_ask(&rig, &server, 10);
        const struct rig_packet *p = rig_last(&rig, SHIM_REQUEST);
        struct rd                r = {.p = p->body, .end = p->body + p->head.len};
        struct shim_request      rq;

        (void)state;
        assert_int_equal(rig.n_sent, 1);
        assert_int_equal(p->len, 1200); /* padded */
        assert_true(link_addr_equal(&p->to, &server));
        assert_true(p->head.id == k.id);
        assert_true(shim_request_get(&r, &rq));
        assert_int_equal(rq.eid, 9);
        assert_int_equal(rq.oap_len, 10);
        assert_int_equal(rig_facts(&rig).asking, 1);
}

static void test_nobody_is_there(void **state)
{
        (void)state;
        rig_ask(&rig, &server, 10);
        rig_pass(&rig, 299);
        assert_int_equal(rig.n_sent, 1);
        rig_pass(&rig, 1);
        assert_int_equal(rig.n_sent, 2);
        rig_pass(&rig, 599);
        assert_int_equal(rig.n_sent, 2);
        rig_pass(&rig, 1);
        assert_int_equal(rig.n_sent, 3);
        rig_pass(&rig, 1199);
        assert_int_equal(rig.replies, 0);
        rig_pass(&rig, 1); /* 2.1 s */
        assert_int_equal(rig.replies, 1);
        assert_int_equal(rig.result, -EHOSTUNREACH);
        assert_int_equal(rig.cookie, 4711);
        assert_int_equal(rig.n_sent, 3);
        assert_int_equal(rig_facts(&rig).asking, 0);
        rig_pass(&rig, 100000);
        assert_int_equal(rig.replies, 1);
        assert_true(transport_deadline(rig.t) == CLOCK_NEVER);
}

static void test_reply_of_one_piece(void **state)
{
        struct transport_key k = rig_ask(&rig, &server, 10);
        uint8_t              oap[20];

        (void)state;
        rig_text(oap, sizeof(oap), 6);
        give_reply(k.id, SHIM_OK, NULL);
        assert_int_equal(rig.replies, 1);
        assert_int_equal(rig.result, 0);
        assert_int_equal(rig.eid, 55);
        assert_int_equal(rig.oap_len, 20);
        assert_memory_equal(rig.oap, oap, 20);
        assert_memory_equal(&rig.key, &k, TRANSPORT_KEY_LEN);
        assert_int_equal(rig_count(&rig, SHIM_DONE), 1);
        give_reply(k.id, SHIM_OK, NULL); /* late: DONE was lost */
        assert_int_equal(rig.replies, 1);
        assert_int_equal(rig_count(&rig, SHIM_DONE), 2);
        rig_pass(&rig, 60001); /* forgotten */
        give_reply(k.id, SHIM_OK, NULL);
        assert_int_equal(rig_count(&rig, SHIM_DONE), 2);
        assert_int_equal(rig_facts(&rig).remembered, 0);
}

static void test_only_from_who_was_asked(void **state)
{
        struct transport_key k = rig_ask(&rig, &server, 10);
        size_t               len;
        uint8_t             *all = rig_reply(SHIM_OK, 55, NULL, 20, &len);

        (void)state;
        rig_give_piece(&rig, &other, k.id, SHIM_REPLY, all, len, len, 0);
        rig_give_piece(&rig, &server, k.id + 1, SHIM_REPLY, all, len, len, 0);
        rig_give_got(&rig, &other, k.id, SHIM_REQUEST, true, 1);
        rig_say(&rig, &other, k.id, SHIM_DEALLOC);
        free(all);
        assert_int_equal(rig.replies, 0);
        rig_pass(&rig, 2100); /* nor was it a sign of life */
        assert_int_equal(rig.result, -EHOSTUNREACH);
}

static void test_refusals(void **state)
{
        static const int results[] = {-ENAME,  -ENOTALLOC, -EBUSY, -EAUTH,
                                      -ECRYPT, -ETIMEDOUT, -ETIME, -ENOTALLOC};

        (void)state;
        for (uint8_t code = 1; code <= 8; code++) {
                struct transport_key k = rig_ask(&rig, &server, 10);

                give_reply(k.id, code, NULL);
                assert_int_equal(rig.replies, code);
                assert_int_equal(rig.result, results[code - 1]);
                assert_int_equal(rig.oap_len, 0);
        }
        assert_int_equal(rig_count(&rig, SHIM_DONE), 8);
}

/* A refusal that is malformed is one; what comes after it is not wanted. */
static void test_malformed_reply(void **state)
{
        struct transport_key k = rig_ask(&rig, &server, 10);
        size_t               len;
        uint8_t             *all = rig_reply(SHIM_OK, 0, NULL, 20, &len);

        (void)state;
        rig_give_piece(&rig, &server, k.id, SHIM_REPLY, all, len, len, 0);
        assert_int_equal(rig.replies, 1);
        assert_int_equal(rig.result, -ENOTALLOC);
        assert_int_equal(rig_facts(&rig).refused, 1);
        rig_give_piece(&rig, &server, k.id, SHIM_REPLY, all, len, len, 0);
        assert_int_equal(rig.replies, 1);
        assert_int_equal(rig_count(&rig, SHIM_DEALLOC), 1);
        free(all);
}

static void test_waiting(void **state)
{
        struct transport_key k = rig_ask(&rig, &server, 10);

        (void)state;
        rig_give_got(&rig, &server, k.id, SHIM_REQUEST, true, 1);
        rig_pass(&rig, 1999);
        assert_int_equal(rig.n_sent, 1);
        rig_pass(&rig, 1); /* at 2 s, 6 s, 14 s, 22 s, … */
        assert_int_equal(rig.n_sent, 2);
        rig_pass(&rig, 4000);
        assert_int_equal(rig.n_sent, 3);
        rig_pass(&rig, 8000);
        assert_int_equal(rig.n_sent, 4);
        rig_pass(&rig, 8000);
        assert_int_equal(rig.n_sent, 5);
        rig_pass(&rig, 600000);
        assert_int_equal(rig.replies, 0); /* its owner has to end it */
        give_reply(k.id, SHIM_OK, NULL);
        assert_int_equal(rig.result, 0);
}

/*
 * 64 KiB: at most ten pieces are in flight; what is lost comes again, be it seen by what came later or by
 * nothing.
 */
static void test_large_request(void **state)
{
        struct transport_key k     = rig_ask(&rig, &server, SHIM_MESSAGE_MAX - 4 - 1 - RIG_HASH - QOS_WIRE);
        unsigned             count = rig.sent[0].head.count;
        uint8_t             *all   = calloc(1, SHIM_MESSAGE_MAX), *right;
        uint64_t             have  = 0;
        size_t               size  = rig.sent[0].head.size, len;

        (void)state;
        assert_non_null(all);
        assert_int_equal(rig.n_sent, 10);
        for (unsigned round = 0; have != (UINT64_C(1) << count) - 1; round++) {
                size_t n = rig.n_sent;

                assert_true(round < 100);
                assert_true(n <= 10);
                for (size_t i = 0; i < n; i++) {
                        const struct rig_packet *p = &rig.sent[i];

                        if ((round + i) % 3 == 0) /* lost */
                                continue;
                        have |= UINT64_C(1) << p->head.index;
                        memcpy(all + p->head.index * size, p->body, p->head.len);
                }
                rig_clear(&rig);
                rig_give_got(&rig, &server, k.id, SHIM_REQUEST, false, have);
                rig_pass(&rig, rig.n_sent == 0 ? 300 : 1);
        }
        right = rig_request(9, SHIM_MESSAGE_MAX - 4 - 1 - RIG_HASH - QOS_WIRE, &len);
        assert_int_equal(len, SHIM_MESSAGE_MAX);
        rig_text(right + 4 + 1 + RIG_HASH + QOS_WIRE, len - (4 + 1 + RIG_HASH + QOS_WIRE), 7);
        assert_memory_equal(all + 4 + 1 + RIG_HASH + QOS_WIRE, right + 4 + 1 + RIG_HASH + QOS_WIRE,
                            len - (4 + 1 + RIG_HASH + QOS_WIRE));
        rig_clear(&rig);
        rig_pass(&rig, 1600); /* all has arrived: it waits */
        assert_int_equal(rig.n_sent, 0);
        free(right);
        free(all);
}

static void test_too_large(void **state)
{
        static const uint8_t     oap[SHIM_MESSAGE_MAX];
        struct transport_request rq = {.eid      = 1,
                                       .hash     = oap,
                                       .hash_len = RIG_HASH,
                                       .qs       = qos_raw,
                                       .oap      = {oap, SHIM_MESSAGE_MAX - 4 - 1 - RIG_HASH - QOS_WIRE + 1}};
        struct transport_key     k;

        (void)state;
        assert_int_equal(transport_ask(rig.t, rig.now_ns, &server, &rq, 1, &k), -EMSGSIZE);
        rq.oap.len  = 0;
        rq.hash_len = SHIM_HASH_MAX + 1;
        assert_int_equal(transport_ask(rig.t, rig.now_ns, &server, &rq, 1, &k), -EINVAL);
        rq.hash_len = 0;
        assert_int_equal(transport_ask(rig.t, rig.now_ns, &server, &rq, 1, &k), -EINVAL);
        rq.hash_len = RIG_HASH;
        rq.eid      = 0;
        assert_int_equal(transport_ask(rig.t, rig.now_ns, &server, &rq, 1, &k), -EINVAL);
        assert_int_equal(rig.n_sent, 0);
}

static void test_reply_in_pieces_in_any_order(void **state)
{
        struct transport_key k = rig_ask(&rig, &server, 10);
        size_t               len;
        uint8_t             *all   = rig_reply(SHIM_OK, 55, NULL, SHIM_MESSAGE_MAX - SHIM_REPLY_LEN, &len);
        unsigned             order = 0;
        struct shim_got      got;

        (void)state;
        assert_int_equal(len, SHIM_MESSAGE_MAX);
        for (unsigned i = 0; i < 63; i++, order = (order + 27) % 64) { /* 27 is odd: every piece once */
                struct rd r;

                rig_clear(&rig);
                rig_give_piece(&rig, &server, k.id, SHIM_REPLY, all, len, 1024, order);
                assert_int_equal(rig_count(&rig, SHIM_GOT), i % 4 == 3 || order == 63);
                if (rig.n_sent == 0)
                        continue;
                r = (struct rd){.p = rig.sent[0].body, .end = rig.sent[0].body + SHIM_GOT_LEN};
                assert_true(shim_got_get(&r, &got));
                assert_int_equal(got.what, SHIM_REPLY);
                assert_int_equal(__builtin_popcountll(got.pieces), i + 1);
        }
        rig_clear(&rig);
        rig_give_piece(&rig, &server, k.id, SHIM_REPLY, all, len, 1024, 0); /* which it had */
        assert_int_equal(rig_count(&rig, SHIM_GOT), 1);
        rig_give_piece(&rig, &server, k.id, SHIM_REPLY, all, len, 1030, 1);        /* another size */
        rig_give_piece(&rig, &server, k.id, SHIM_REPLY, all, len - 1024, 1024, 1); /* another count */
        rig_give_piece(&rig, &server, k.id, SHIM_REPLY, all, 30, 30, 0);
        assert_int_equal(rig_facts(&rig).refused, 3);
        assert_int_equal(rig.replies, 0);
        rig_give_piece(&rig, &server, k.id, SHIM_REPLY, all, len, 1024, order);
        assert_int_equal(rig.replies, 1);
        assert_int_equal(rig.result, 0);
        assert_int_equal(rig.oap_len, SHIM_MESSAGE_MAX - SHIM_REPLY_LEN);
        assert_memory_equal(rig.oap, all + SHIM_REPLY_LEN, rig.oap_len);
        assert_int_equal(rig_count(&rig, SHIM_DONE), 1);
        free(all);
}

/* What is missing of a reply is asked for: after 300 ms, 600 ms, 1.2 s, then each 2 s. */
static void test_asks_for_the_rest(void **state)
{
        static const int     gaps[] = {300, 600, 1200, 2000, 2000};
        struct transport_key k      = rig_ask(&rig, &server, 10);
        size_t               len;
        uint8_t             *all = rig_reply(SHIM_OK, 55, NULL, 3000, &len);

        (void)state;
        rig_give_piece(&rig, &server, k.id, SHIM_REPLY, all, len, 1024, 0);
        rig_clear(&rig);
        for (size_t i = 0; i < 5; i++) {
                rig_pass(&rig, gaps[i] - 1);
                assert_int_equal(rig.n_sent, i);
                rig_pass(&rig, 1);
                assert_int_equal(rig_count(&rig, SHIM_GOT), i + 1);
        }
        rig_give_piece(&rig, &server, k.id, SHIM_REPLY, all, len, 1024, 1);
        rig_clear(&rig);
        rig_pass(&rig, 300); /* from the beginning */
        assert_int_equal(rig.n_sent, 1);
        free(all);
}

static void give_prove(const struct link_addr *from, uint64_t id, const uint8_t token[SHIM_TOKEN])
{
        struct shim_head h = {.type = SHIM_PROVE, .count = 1, .len = SHIM_TOKEN, .id = id};

        rig_give(&rig, from, &h, token, 0);
}

static void test_prove(void **state)
{
        static const uint8_t     token[SHIM_TOKEN] = {1, 2, 3};
        struct transport_key     k                 = rig_ask(&rig, &server, 10);
        const struct rig_packet *p;

        (void)state;
        give_prove(&other, k.id, token);
        assert_int_equal(rig.n_sent, 1);
        give_prove(&server, k.id, token);
        assert_int_equal(rig.n_sent, 2);
        p = rig_last(&rig, SHIM_REQUEST);
        assert_true(p->head.has_token);
        assert_memory_equal(p->head.token, token, SHIM_TOKEN);
        assert_int_equal(p->len, 1200);
        give_prove(&server, k.id, token); /* no news */
        assert_int_equal(rig.n_sent, 2);
        give_reply(k.id, SHIM_OK, (const uint8_t[SHIM_TOKEN]){9});
        rig_ask(&rig, &server, 10); /* the next has the newest at once */
        p = rig_last(&rig, SHIM_REQUEST);
        assert_true(p->head.has_token);
        assert_int_equal(p->head.token[0], 9);
        rig_ask(&rig, &other, 10);
        assert_false(rig_last(&rig, SHIM_REQUEST)->head.has_token);
}

static void test_given_up_by_the_owner(void **state)
{
        struct transport_key k = rig_ask(&rig, &server, 10);

        (void)state;
        transport_dealloc(rig.t, rig.now_ns, &k);
        assert_int_equal(rig_count(&rig, SHIM_DEALLOC), 1);
        assert_int_equal(rig_facts(&rig).asking, 0);
        rig_pass(&rig, 10000);
        assert_int_equal(rig_count(&rig, SHIM_DEALLOC), 4);
        give_reply(k.id, SHIM_OK, NULL); /* the peer has heard nothing of it: once more */
        assert_int_equal(rig_count(&rig, SHIM_DEALLOC), 5);
        assert_int_equal(rig_count(&rig, SHIM_DONE), 0);
        assert_int_equal(rig.replies, 0);
}

/* A flow that the peer has ended before its reply has come is delivered, and then ended. */
static void test_ended_before_the_reply(void **state)
{
        struct transport_key k = rig_ask(&rig, &server, 10);

        (void)state;
        rig_say(&rig, &server, k.id, SHIM_DEALLOC);
        assert_int_equal(rig_count(&rig, SHIM_DEALLOCATED), 1);
        assert_int_equal(rig.deallocs + rig.replies, 0);
        rig_pass(&rig, 300);
        assert_int_equal(rig_count(&rig, SHIM_REQUEST), 2);
        give_reply(k.id, SHIM_OK, NULL);
        assert_int_equal(rig.replies, 1);
        assert_int_equal(rig.result, 0);
        assert_int_equal(rig.deallocs, 1);
}

static void test_ended_without_a_reply(void **state)
{
        struct transport_key k = rig_ask(&rig, &server, 10);

        (void)state;
        rig_say(&rig, &server, k.id, SHIM_DEALLOC);
        rig_pass(&rig, 1000);
        rig_say(&rig, &server, k.id, SHIM_DEALLOC);
        rig_pass(&rig, 8999);
        assert_int_equal(rig.replies, 0);
        rig_pass(&rig, 1); /* ten seconds after the first */
        assert_int_equal(rig.replies, 1);
        assert_int_equal(rig.result, -ENOTALLOC);
        assert_int_equal(rig.deallocs, 0);
}

static void test_owner_ends_in_the_callback(void **state)
{
        struct transport_key k;

        (void)state;
        rig.farewell = true;
        k            = rig_ask(&rig, &server, 10);
        give_reply(k.id, SHIM_OK, NULL);
        assert_int_equal(rig_count(&rig, SHIM_DONE), 1);
        assert_int_equal(rig_count(&rig, SHIM_DEALLOC), 1);
        rig_say(&rig, &server, k.id, SHIM_DEALLOCATED);
        give_reply(k.id, SHIM_OK, NULL);
        assert_int_equal(rig_count(&rig, SHIM_DEALLOC), 2);
}

/* Tokens are of no use where sources need no proof, and small links have small messages. */
static void test_ethernet(void **state)
{
        static const uint8_t token[SHIM_TOKEN] = {1};
        struct transport_key k;
        struct rig          *eth = calloc(1, sizeof(*eth));

        (void)state;
        assert_non_null(eth);
        conf          = rig_eth();
        conf.datagram = 128;
        rig_open(eth, &conf);
        k = rig_ask(eth, &server, 500);
        assert_true(eth->n_sent > 1);
        for (size_t i = 0; i < eth->n_sent; i++)
                assert_true(eth->sent[i].len <= 128);
        rig_give(eth, &server, &(struct shim_head){.type = SHIM_PROVE, .count = 1, .len = 16, .id = k.id},
                 token, 0);
        assert_int_equal(rig_facts(eth).refused, 1);
        rig_close(eth);
        free(eth);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
                T(test_request),
                T(test_nobody_is_there),
                T(test_reply_of_one_piece),
                T(test_only_from_who_was_asked),
                T(test_refusals),
                T(test_malformed_reply),
                T(test_waiting),
                T(test_large_request),
                T(test_too_large),
                T(test_reply_in_pieces_in_any_order),
                T(test_asks_for_the_rest),
                T(test_prove),
                T(test_given_up_by_the_owner),
                T(test_ended_before_the_reply),
                T(test_ended_without_a_reply),
                T(test_owner_ends_in_the_callback),
                T(test_ethernet),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
