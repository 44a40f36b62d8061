/* test_transport_farewell.c - the end of flows, and the search for names, of the handshake transport. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "transport_rig.h"

#define ID UINT64_C(0x1234)

static struct rig       rig;
static struct link_addr peer, other;

static int setup(void **state)
{
        struct transport_config conf = rig_udp();

        (void)state;
        peer  = rig_addr(1, 3435);
        other = rig_addr(2, 3435);
        rig_open(&rig, &conf);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        rig_close(&rig);
        return 0;
}

static void answer(void)
{
        transport_answer(rig.t, rig.now_ns, &rig.key, 0, 77, (struct transport_bytes){NULL, 0});
}

/* -- DEALLOC ------------------------------------------------------------------- */

static void test_repeated(void **state)
{
        struct transport_key k = {.id = ID, .peer = peer};

        (void)state;
        transport_dealloc(rig.t, rig.now_ns, &k); /* of an exchange that is long forgotten */
        assert_int_equal(rig_count(&rig, SHIM_DEALLOC), 1);
        transport_dealloc(rig.t, rig.now_ns, &k);
        assert_int_equal(rig_count(&rig, SHIM_DEALLOC), 1);
        rig_pass(&rig, 299);
        assert_int_equal(rig_count(&rig, SHIM_DEALLOC), 1);
        rig_pass(&rig, 1);
        assert_int_equal(rig_count(&rig, SHIM_DEALLOC), 2);
        rig_pass(&rig, 300);
        assert_int_equal(rig_count(&rig, SHIM_DEALLOC), 3);
        rig_pass(&rig, 600);
        assert_int_equal(rig_count(&rig, SHIM_DEALLOC), 4);
        rig_pass(&rig, 10000);
        assert_int_equal(rig_count(&rig, SHIM_DEALLOC), 4);
        assert_true(transport_deadline(rig.t) == CLOCK_NEVER);
}

static void test_until_answered(void **state)
{
        struct transport_key k = {.id = ID, .peer = peer};

        (void)state;
        transport_dealloc(rig.t, rig.now_ns, &k);
        rig_say(&rig, &other, ID, SHIM_DEALLOCATED); /* from another */
        rig_pass(&rig, 300);
        assert_int_equal(rig_count(&rig, SHIM_DEALLOC), 2);
        rig_say(&rig, &peer, ID, SHIM_DEALLOCATED);
        rig_pass(&rig, 10000);
        assert_int_equal(rig_count(&rig, SHIM_DEALLOC), 2);
        rig_say(&rig, &peer, ID, SHIM_DEALLOCATED); /* of none */
        assert_int_equal(rig.deallocs, 0);
}

static void test_of_an_unknown_flow(void **state)
{
        (void)state;
        rig_say(&rig, &peer, ID, SHIM_DEALLOC);
        assert_int_equal(rig_count(&rig, SHIM_DEALLOCATED), 1);
        assert_int_equal(rig.deallocs, 1); /* the owner knows better */
        assert_true(rig.key.id == ID && link_addr_equal(&rig.key.peer, &peer));
        assert_int_equal(rig_facts(&rig).remembered, 0);
}

static void test_of_an_unanswered_request(void **state)
{
        (void)state;
        rig_give_request(&rig, &peer, ID);
        rig_say(&rig, &other, ID, SHIM_DEALLOC);
        assert_int_equal(rig_facts(&rig).handed_up, 1); /* it counts only from its address */
        rig_say(&rig, &peer, ID, SHIM_DEALLOC);
        assert_int_equal(rig.deallocs, 2);
        assert_int_equal(rig_facts(&rig).handed_up, 0);
        assert_int_equal(rig_facts(&rig).bytes, 0);
        rig_clear(&rig);
        answer();
        assert_int_equal(rig.n_sent, 0);
        rig_give_request(&rig, &peer, ID); /* late */
        assert_int_equal(rig.requests, 1);
}

static void test_of_an_answered_request(void **state)
{
        (void)state;
        rig_give_request(&rig, &peer, ID);
        answer();
        rig_say(&rig, &peer, ID, SHIM_DEALLOC);
        assert_int_equal(rig.deallocs, 1);
        assert_int_equal(rig_facts(&rig).stored, 0);
        rig_clear(&rig);
        rig_give_request(&rig, &peer, ID);
        assert_int_equal(rig.n_sent, 0);
}

static void test_both_at_once(void **state)
{
        struct transport_key k = {.id = ID, .peer = peer};

        (void)state;
        transport_dealloc(rig.t, rig.now_ns, &k);
        rig_say(&rig, &peer, ID, SHIM_DEALLOC);
        rig_pass(&rig, 10000);
        assert_int_equal(rig_count(&rig, SHIM_DEALLOC), 1);
        assert_int_equal(rig_count(&rig, SHIM_DEALLOCATED), 1);
}

/* -- the server ends ---------------------------------------------------------------- */

static void test_unanswered_is_refused(void **state)
{
        (void)state;
        rig.farewell = true;
        rig_give_request(&rig, &peer, ID);
        assert_int_equal(rig_count(&rig, SHIM_DEALLOC), 0);
        assert_int_equal(rig_last(&rig, SHIM_REPLY)->body[0], SHIM_REFUSED);
        answer();
        assert_int_equal(rig_count(&rig, SHIM_REPLY), 1);
}

/* The client, which has heard nothing yet, gets the reply still, and then hears of the end once more. */
static void test_reply_outlives_the_flow(void **state)
{
        (void)state;
        rig_give_request(&rig, &peer, ID);
        answer();
        transport_dealloc(rig.t, rig.now_ns, &rig.key);
        rig_pass(&rig, 10000);
        assert_int_equal(rig_count(&rig, SHIM_DEALLOC), 4);
        rig_give_request(&rig, &peer, ID);
        assert_int_equal(rig_count(&rig, SHIM_REPLY), 2);
        rig_say(&rig, &peer, ID, SHIM_DONE);
        assert_int_equal(rig_count(&rig, SHIM_DEALLOC), 5);
        rig_say(&rig, &peer, ID, SHIM_DEALLOCATED);
        rig_pass(&rig, 10000);
        assert_int_equal(rig_count(&rig, SHIM_DEALLOC), 5);
}

/* -- QUERY ------------------------------------------------------------------------------ */

static const uint8_t hash[RIG_HASH] = {5, 6, 7};

static void test_query(void **state)
{
        uint64_t id;

        (void)state;
        assert_int_equal(transport_query(rig.t, rig.now_ns, NULL, hash, RIG_HASH, 33), 0);
        assert_true(rig_last(&rig, SHIM_QUERY)->everybody);
        id = rig.sent[0].head.id;
        assert_int_equal(rig.sent[0].len, SHIM_HDR + 1 + RIG_HASH);
        assert_memory_equal(rig.sent[0].body + 1, hash, RIG_HASH);
        rig_say(&rig, &other, id + 1, SHIM_HERE);
        assert_int_equal(rig.founds, 0);
        rig_say(&rig, &other, id, SHIM_HERE);
        assert_int_equal(rig.founds, 1);
        assert_int_equal(rig.cookie, 33);
        assert_true(rig.found && link_addr_equal(&rig.at, &other));
        rig_say(&rig, &peer, id, SHIM_HERE); /* a second one */
        rig_pass(&rig, 10000);
        assert_int_equal(rig.founds, 1);
        assert_int_equal(rig.n_sent, 1);
}

static void test_query_of_one(void **state)
{
        (void)state;
        assert_int_equal(transport_query(rig.t, rig.now_ns, &peer, hash, RIG_HASH, 33), 0);
        assert_true(!rig.sent[0].everybody && link_addr_equal(&rig.sent[0].to, &peer));
        rig_say(&rig, &other, rig.sent[0].head.id, SHIM_HERE);
        assert_int_equal(rig.founds, 0);
        rig_say(&rig, &peer, rig.sent[0].head.id, SHIM_HERE);
        assert_int_equal(rig.founds, 1);
}

static void test_query_finds_none(void **state)
{
        (void)state;
        assert_int_equal(transport_query(rig.t, rig.now_ns, NULL, hash, RIG_HASH, 33), 0);
        for (size_t i = 0; i < 7; i++) {
                rig_pass(&rig, (i == 0 ? 100 : 200) - 1);
                assert_int_equal(rig.n_sent, i + 1);
                rig_pass(&rig, 1);
                assert_int_equal(rig.n_sent, i + 2);
        }
        rig_pass(&rig, 199);
        assert_int_equal(rig.founds, 0);
        rig_pass(&rig, 1);
        assert_int_equal(rig.founds, 1);
        assert_false(rig.found);
        assert_int_equal(rig.n_sent, 8);
}

static void test_query_cancelled(void **state)
{
        (void)state;
        assert_int_equal(transport_query(rig.t, rig.now_ns, NULL, hash, RIG_HASH, 33), 0);
        transport_query_cancel(rig.t, 32);
        transport_query_cancel(rig.t, 33);
        rig_say(&rig, &other, rig.sent[0].head.id, SHIM_HERE);
        rig_pass(&rig, 10000);
        assert_int_equal(rig.founds, 0);
        assert_int_equal(rig.n_sent, 1);
        assert_int_equal(transport_query(rig.t, rig.now_ns, NULL, hash, 0, 33), -EINVAL);
        assert_int_equal(transport_query(rig.t, rig.now_ns, NULL, hash, SHIM_HASH_MAX + 1, 33), -EINVAL);
}

static void test_asked(void **state)
{
        uint8_t          body[1 + RIG_HASH + 1] = {RIG_HASH, 5, 6, 7};
        struct shim_head h = {.type = SHIM_QUERY, .count = 1, .len = 1 + RIG_HASH, .id = ID};

        (void)state;
        rig_give(&rig, &peer, &h, body, 0);
        assert_int_equal(rig.n_sent, 0); /* who has it not is silent */
        rig.has = true;
        rig_give(&rig, &peer, &h, body, 0);
        assert_true(rig_last(&rig, SHIM_HERE)->head.id == ID);
        assert_int_equal(rig.hash_len, RIG_HASH);
        assert_memory_equal(rig.hash, hash, RIG_HASH);
        for (h.len = 0; h.len <= 2 + RIG_HASH; h.len++) /* any other length */
                if (h.len != 1 + RIG_HASH)
                        rig_give(&rig, &peer, &h, body, 0);
        assert_int_equal(rig_count(&rig, SHIM_HERE), 1);
        assert_int_equal(rig_facts(&rig).refused, 2 + RIG_HASH);
}

/* What is out of place, or has a body where none belongs. */
static void test_refused(void **state)
{
        static const uint8_t types[] = {SHIM_HERE,    SHIM_GOT,         SHIM_PROVE, SHIM_DONE,
                                        SHIM_DEALLOC, SHIM_DEALLOCATED, SHIM_REPLY};
        uint8_t              body[9] = {0};

        (void)state;
        for (size_t i = 0; i < sizeof(types); i++) {
                struct shim_head h = {.type = types[i], .count = 1, .len = 9, .id = ID};

                rig_give(&rig, &peer, &h, body, 0);
                assert_int_equal(rig_facts(&rig).refused, i + 1);
        }
        assert_int_equal(rig.n_sent + rig.deallocs, 0);
}

/* With everything under way, destroying calls nobody and leaves nothing. */
static void test_destroy(void **state)
{
        struct shim_head h = {.type = SHIM_REQUEST, .count = 2, .size = 9, .len = 9, .id = 99};

        (void)state;
        rig_ask(&rig, &peer, 5000);
        rig_give_request(&rig, &peer, 1);
        answer();
        rig_give_request(&rig, &peer, 2);
        rig_give(&rig, &peer, &h, "123456789", 0);
        transport_dealloc(rig.t, rig.now_ns, &(struct transport_key){.id = 3, .peer = peer});
        assert_int_equal(transport_query(rig.t, rig.now_ns, NULL, hash, RIG_HASH, 33), 0);
        transport_destroy(NULL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
                T(test_repeated),
                T(test_until_answered),
                T(test_of_an_unknown_flow),
                T(test_of_an_unanswered_request),
                T(test_of_an_answered_request),
                T(test_both_at_once),
                T(test_unanswered_is_refused),
                T(test_reply_outlives_the_flow),
                T(test_query),
                T(test_query_of_one),
                T(test_query_finds_none),
                T(test_query_cancelled),
                T(test_asked),
                T(test_refused),
                T(test_destroy),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
