/*
 * test_transport_answerer.c - the handshake transport as a server: requests are handed up once, replies kept;
 * what sources may hold, and what they may be sent.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ipcpd/transport/quota.h"
#include "transport_rig.h"

#define ID UINT64_C(0x1234)

static struct rig              rig;
static struct link_addr        client;
static struct transport_config conf;

static int setup_with(struct transport_config c)
{
        conf   = c;
        client = rig_addr(9, 5000);
        rig_open(&rig, &conf);
        return 0;
}

static int setup_udp(void **state)
{
        (void)state;
        return setup_with(rig_udp());
}

static int setup_eth(void **state)
{
        (void)state;
        return setup_with(rig_eth());
}

static int teardown(void **state)
{
        (void)state;
        rig_close(&rig);
        return 0;
}

static void answer(int result, size_t oap_len)
{
        static uint8_t oap[SHIM_MESSAGE_MAX];

        rig_text(oap, oap_len, 6);
        transport_answer(rig.t, rig.now_ns, &rig.key, result, 77, (struct transport_bytes){oap, oap_len});
}

/* One piece of a request of 3,000 bytes of OAP in three. */
static void give_third(const struct link_addr *from, uint64_t id, unsigned i)
{
        size_t   len;
        uint8_t *all = rig_request(8, 2800, &len);

        rig_give_piece(&rig, from, id, SHIM_REQUEST, all, len, 1000, i);
        free(all);
}

/* The same with a proof, of any message in pieces of 1,000 bytes. */
static void give_proved_piece(const struct link_addr *from, uint64_t id, const uint8_t *token,
                              const uint8_t *all, size_t len, unsigned i)
{
        struct shim_head h = {
                .type = SHIM_REQUEST, .id = id, .has_token = true, .index = (uint8_t)i, .size = 1000};

        h.count = (uint8_t)((len + 999) / 1000);
        h.len   = (uint16_t)(i + 1u < h.count ? 1000 : len - i * 1000);
        memcpy(h.token, token, SHIM_TOKEN);
        rig_give(&rig, from, &h, all + i * 1000, 0);
}

static struct shim_got last_got(void)
{
        const struct rig_packet *p = rig_last(&rig, SHIM_GOT);
        struct rd                r = {.p = p->body, .end = p->body + p->head.len};
        struct shim_got          got;

        assert_true(shim_got_get(&r, &got));
        return got;
}

static void test_handed_up_once(void **state)
{
        (void)state;
        rig_give_request(&rig, &client, ID);
        assert_int_equal(rig.requests, 1);
        assert_int_equal(rig.eid, 8);
        assert_int_equal(rig.hash_len, RIG_HASH);
        assert_int_equal(rig.qs.bandwidth, qos_voice.bandwidth);
        assert_int_equal(rig.oap_len, 100);
        assert_int_equal(rig.n_sent, 0);
        rig_give_request(&rig, &client, ID); /* before the answer */
        assert_true(last_got().complete);
        rig_clear(&rig);
        answer(0, 50);
        assert_int_equal(rig_count(&rig, SHIM_REPLY), 1);
        rig_pass(&rig, 100);
        rig_give_request(&rig, &client, ID); /* after it */
        assert_int_equal(rig_count(&rig, SHIM_REPLY), 2);
        assert_memory_equal(rig.sent[0].bytes, rig.sent[1].bytes, rig.sent[0].len);
        rig_give_request(&rig, &client, ID); /* at once: the reply is on its way */
        assert_int_equal(rig_count(&rig, SHIM_REPLY), 2);
        rig_say(&rig, &client, ID, SHIM_DONE);
        assert_int_equal(rig_facts(&rig).stored, 0);
        rig_clear(&rig);
        rig_pass(&rig, 59000);
        rig_give_request(&rig, &client, ID); /* after DONE */
        assert_int_equal(rig.n_sent, 0);
        assert_int_equal(rig.requests, 1);
        rig_pass(&rig, 1001);
        assert_int_equal(rig_facts(&rig).remembered, 0);
        assert_int_equal(rig_facts(&rig).bytes, 0);
}

static void test_answered_at_once(void **state)
{
        struct shim_reply rp;
        struct rd         r;

        (void)state;
        rig.answers = true;
        rig.answer  = -EAUTH;
        rig_give_request(&rig, &client, ID);
        r = (struct rd){.p = rig.sent[0].body, .end = rig.sent[0].body + rig.sent[0].head.len};
        assert_true(shim_reply_get(&r, &rp));
        assert_int_equal(rp.code, SHIM_AUTH);
        answer(0, 10); /* the first answer counts */
        assert_int_equal(rig_count(&rig, SHIM_REPLY), 1);
}

static void test_answer_of_none(void **state)
{
        (void)state;
        rig.key = (struct transport_key){.id = 7, .peer = client};
        answer(0, 10);
        assert_int_equal(rig.n_sent, 0);
}

/* The same id from another socket is another exchange. */
static void test_known_by_address_and_id(void **state)
{
        struct link_addr other = rig_addr(9, 5001);

        (void)state;
        rig_give_request(&rig, &client, ID);
        rig_give_request(&rig, &other, ID);
        assert_int_equal(rig.requests, 2);
        answer(0, 10);
        assert_true(link_addr_equal(&rig_last(&rig, SHIM_REPLY)->to, &other));
        rig_say(&rig, &client, ID, SHIM_DONE); /* which has no reply yet */
        assert_int_equal(rig_facts(&rig).handed_up, 1);
        assert_int_equal(rig_facts(&rig).stored, 1);
}

static void test_stored_for_a_minute(void **state)
{
        (void)state;
        rig_give_request(&rig, &client, ID);
        rig_pass(&rig, 3600000); /* as long as irmd needs */
        answer(0, 50);
        rig_pass(&rig, 59999);
        rig_give_request(&rig, &client, ID); /* it is still wanted */
        assert_int_equal(rig_count(&rig, SHIM_REPLY), 2);
        rig_pass(&rig, 59999);
        assert_int_equal(rig_facts(&rig).stored, 1);
        rig_pass(&rig, 1);
        assert_int_equal(rig_facts(&rig).stored, 0);
        rig_give_request(&rig, &client, ID);
        assert_int_equal(rig.requests, 1); /* remembered still */
        rig_pass(&rig, 60000);
        rig_give_request(&rig, &client, ID);
        assert_int_equal(rig.requests, 2);
}

static void test_pieces(void **state)
{
        uint8_t oap[2800];

        (void)state;
        rig_text(oap, sizeof(oap), 5);
        give_third(&client, ID, 2);
        assert_int_equal(rig_count(&rig, SHIM_GOT), 1); /* the last index */
        assert_true(last_got().pieces == 4 && !last_got().complete);
        give_third(&client, ID, 0);
        assert_int_equal(rig_count(&rig, SHIM_GOT), 1);
        give_third(&client, ID, 0);
        assert_int_equal(rig_count(&rig, SHIM_GOT), 2); /* one that it had */
        assert_true(last_got().pieces == 5);
        assert_int_equal(rig_facts(&rig).collecting, 1);
        give_third(&client, ID, 1);
        assert_int_equal(rig.requests, 1);
        assert_true(last_got().complete);
        assert_int_equal(rig.oap_len, 2800);
        assert_memory_equal(rig.oap, oap, 2800);
        assert_int_equal(rig_facts(&rig).collecting, 0);
        give_third(&client, ID, 1);
        assert_int_equal(rig.requests, 1);
}

static void test_largest(void **state)
{
        size_t   len;
        uint8_t *all = rig_request(8, SHIM_MESSAGE_MAX - 4 - 1 - RIG_HASH - QOS_WIRE, &len);

        (void)state;
        for (unsigned i = 0; i < 64; i++)
                rig_give_piece(&rig, &client, ID, SHIM_REQUEST, all, len, 1024, 63 - i);
        assert_int_equal(rig.requests, 1);
        assert_int_equal(rig_count(&rig, SHIM_GOT), 1 + 15 + 1);
        assert_memory_equal(rig.oap, all + len - rig.oap_len, rig.oap_len);
        free(all);
}

static void test_conflicting_pieces(void **state)
{
        size_t   len;
        uint8_t *all = rig_request(8, 2800, &len);

        (void)state;
        give_third(&client, ID, 0);
        rig_give_piece(&rig, &client, ID, SHIM_REQUEST, all, len, 1100, 1);  /* another size */
        rig_give_piece(&rig, &client, ID, SHIM_REQUEST, all, 2000, 1000, 1); /* another count */
        rig_give_request(&rig, &client, ID);
        assert_int_equal(rig_facts(&rig).refused, 3);
        give_third(&client, ID, 1);
        give_third(&client, ID, 2);
        assert_int_equal(rig.requests, 1);
        free(all);
}

static void test_incomplete_is_dropped(void **state)
{
        (void)state;
        give_third(&client, ID, 0);
        rig_pass(&rig, 29999);
        give_third(&client, ID, 1);
        rig_pass(&rig, 29999);
        assert_int_equal(rig_facts(&rig).collecting, 1);
        assert_true(rig_facts(&rig).bytes > 2000);
        rig_pass(&rig, 1);
        assert_int_equal(rig_facts(&rig).collecting, 0);
        assert_int_equal(rig_facts(&rig).bytes, 0);
        assert_int_equal(rig_facts(&rig).remembered, 0);
}

static void test_malformed(void **state)
{
        struct shim_head h = {.type = SHIM_REQUEST, .count = 1, .len = 3, .id = ID};

        (void)state;
        rig_give(&rig, &client, &h, "abc", 1200);
        assert_int_equal(rig.requests, 0);
        assert_int_equal(rig.n_sent, 0);
        assert_int_equal(rig_facts(&rig).refused, 1);
        assert_int_equal(rig_facts(&rig).handed_up + rig_facts(&rig).collecting, 0);
        assert_int_equal(rig_facts(&rig).bytes, 0);
}

static void test_unknown_version(void **state)
{
        uint8_t p[1200] = {2, SHIM_REQUEST, 0, 0, 0, 1};

        (void)state;
        rig_give_bytes(&rig, &client, p, sizeof(p));
        p[0] = 1;
        p[1] = SHIM_TYPES;
        rig_give_bytes(&rig, &client, p, sizeof(p));
        rig_give_bytes(&rig, &client, p, 0);
        assert_int_equal(rig.n_sent, 0);
        assert_int_equal(rig_facts(&rig).refused, 3);
        assert_int_equal(rig_facts(&rig).packets_in, 3);
}

/* -- replies in pieces ------------------------------------------------------------ */

/* 64 KiB: ten pieces until a GOT comes, then what is missing. */
static void test_large_reply(void **state)
{
        static uint8_t all[SHIM_MESSAGE_MAX + 1];
        uint64_t       have = 0, before = 1;
        size_t         size;
        unsigned       count;

        (void)state;
        rig_give_request(&rig, &client, ID);
        answer(0, SHIM_MESSAGE_MAX - SHIM_REPLY_LEN);
        assert_int_equal(rig_count(&rig, SHIM_REPLY), 10);
        size  = rig.sent[0].head.size;
        count = rig.sent[0].head.count;
        for (unsigned round = 0; have != (UINT64_C(1) << count) - 1; round++) {
                assert_true(round < 100);
                for (size_t i = 0; i < rig.n_sent; i++) {
                        const struct rig_packet *p = &rig.sent[i];

                        if ((round + i) % 3 == 0)
                                continue;
                        have |= UINT64_C(1) << p->head.index;
                        memcpy(all + p->head.index * size, p->body, p->head.len);
                }
                rig_clear(&rig);
                rig_pass(&rig, have == before ? 300 : 1);
                rig_give_got(&rig, &client, ID, SHIM_REPLY, false, have);
                assert_true(rig.n_sent <= 10);
                before = have;
        }
        rig_text(rig.oap, SHIM_MESSAGE_MAX - SHIM_REPLY_LEN, 6);
        assert_memory_equal(all + SHIM_REPLY_LEN, rig.oap, SHIM_MESSAGE_MAX - SHIM_REPLY_LEN);
        rig_give_got(&rig, &client, ID, SHIM_REPLY, true, have);
        assert_true(rig_facts(&rig).repeated > 0);
}

/* A storm of copies leads to no storm of replies. */
static void test_copies_are_not_multiplied(void **state)
{
        (void)state;
        rig_give_request(&rig, &client, ID);
        answer(0, 10000);
        assert_int_equal(rig_count(&rig, SHIM_REPLY), 8);
        for (unsigned i = 0; i < 50; i++) {
                rig_give_request(&rig, &client, ID);
                rig_give_got(&rig, &client, ID, SHIM_REPLY, false, 0);
        }
        assert_int_equal(rig.n_sent, 8);
        rig_pass(&rig, 100);
        rig_give_got(&rig, &client, ID, SHIM_REPLY, false, 0);
        assert_int_equal(rig.n_sent, 16);
}

static void test_too_large_a_reply(void **state)
{
        struct shim_reply rp;
        struct rd         r;

        (void)state;
        rig_give_request(&rig, &client, ID);
        answer(0, SHIM_MESSAGE_MAX - SHIM_REPLY_LEN + 1);
        r = (struct rd){.p = rig.sent[0].body, .end = rig.sent[0].body + rig.sent[0].head.len};
        assert_true(shim_reply_get(&r, &rp));
        assert_int_equal(rp.code, SHIM_REFUSED);
}

/* -- what sources may hold ----------------------------------------------------------- */

static uint8_t last_code(void)
{
        return rig_last(&rig, SHIM_REPLY)->body[0];
}

static void test_requests_of_a_source(void **state)
{
        struct link_addr other = rig_addr(8, 5000);

        (void)state;
        for (uint64_t id = 0; id < SOURCE_REQUESTS_MAX; id++) {
                struct link_addr socket = rig_addr(9, (uint16_t)(5000 + id)); /* one host all the same */

                give_third(&socket, id, 0);
        }
        assert_int_equal(rig.n_sent, 0);
        give_third(&client, 100, 0);
        assert_int_equal(rig_count(&rig, SHIM_REPLY), 1);
        assert_int_equal(last_code(), SHIM_BUSY);
        assert_int_equal(rig_facts(&rig).collecting, SOURCE_REQUESTS_MAX);
        give_third(&other, 100, 0); /* another's quota is another's */
        assert_int_equal(rig_facts(&rig).collecting, SOURCE_REQUESTS_MAX + 1);
        give_third(&client, 0, 1); /* what is under way goes on … */
        give_third(&client, 0, 2);
        assert_int_equal(rig.requests, 1);
        give_third(&client, 100, 0); /* … and makes room */
        assert_int_equal(rig_facts(&rig).collecting, SOURCE_REQUESTS_MAX + 1);
        rig_pass(&rig, 30000);
        assert_int_equal(rig_facts(&rig).collecting, 0);
}

/* Who forges requests of a host uses up nothing of what the host itself may have. */
static void test_forged_requests(void **state)
{
        size_t   len;
        uint8_t *all = rig_request(8, SHIM_MESSAGE_MAX - 4 - 1 - RIG_HASH - QOS_WIRE, &len);
        uint8_t  token[SHIM_TOKEN];

        (void)state;
        for (uint64_t id = 0; id < SOURCE_REQUESTS_MAX; id++)
                for (unsigned i = 1; i < 30; i++)
                        rig_give_piece(&rig, &client, id, SHIM_REQUEST, all, len, 1024, i);
        free(all);
        rig_clear(&rig);
        give_third(&client, 100, 0);
        assert_int_equal(rig_count(&rig, SHIM_REPLY), 0);
        memcpy(token, rig_last(&rig, SHIM_PROVE)->body, SHIM_TOKEN);
        all = rig_request(8, 2800, &len);
        for (unsigned i = 0; i < 3; i++)
                give_proved_piece(&client, 100, token, all, len, i);
        free(all);
        assert_int_equal(rig.requests, 1);
}

/* A request that is under way when its source proves itself is counted as its own from then on. */
static void test_proved_meanwhile(void **state)
{
        size_t   len;
        uint8_t *all = rig_request(8, 2800, &len);
        uint8_t  token[SHIM_TOKEN];

        (void)state;
        give_third(&client, 100, 0);
        rig_give_request(&rig, &client, 1);
        answer(0, 9000);
        memcpy(token, rig_last(&rig, SHIM_PROVE)->body, SHIM_TOKEN);
        give_proved_piece(&client, 100, token, all, len, 1);
        assert_int_equal(rig_facts(&rig).collecting, 1);
        for (uint64_t id = 200; id < 200 + SOURCE_REQUESTS_MAX; id++)
                give_third(&client, id, 0);
        assert_int_equal(rig_facts(&rig).collecting, 1 + SOURCE_REQUESTS_MAX);
        give_proved_piece(&client, 100, token, all, len, 2);
        free(all);
        assert_int_equal(rig.requests, 2);
        rig_pass(&rig, 30000);
        assert_int_equal(rig_facts(&rig).collecting, 0);
}

static void test_bytes_of_a_source(void **state)
{
        size_t   len;
        uint8_t *all = rig_request(8, SHIM_MESSAGE_MAX - 4 - 1 - RIG_HASH - QOS_WIRE, &len);

        (void)state;
        for (uint64_t id = 0; id < 6; id++)
                for (unsigned i = 0; i < 63; i++)
                        rig_give_piece(&rig, &client, id, SHIM_REQUEST, all, len, 1024, i);
        assert_true(rig_facts(&rig).bytes <= SOURCE_BYTES_MAX);
        assert_true(rig_facts(&rig).bytes > SOURCE_BYTES_MAX - 3000);
        rig_pass(&rig, 30000);
        assert_int_equal(rig_facts(&rig).bytes, 0);
        free(all);
}

static void test_bytes_of_all(void **state)
{
        size_t   len;
        uint8_t *all = rig_request(8, SHIM_MESSAGE_MAX - 4 - 1 - RIG_HASH - QOS_WIRE, &len);

        (void)state;
        for (unsigned host = 0; host < 100; host++) {
                struct link_addr from = rig_addr((uint8_t)host, 1);

                for (uint64_t id = 0; id < 3; id++)
                        for (unsigned i = 0; i < 63; i++)
                                rig_give_piece(&rig, &from, id, SHIM_REQUEST, all, len, 1024, i);
                rig_clear(&rig);
        }
        assert_true(rig_facts(&rig).bytes <= SOURCES_BYTES_MAX);
        assert_true(rig_facts(&rig).bytes > SOURCES_BYTES_MAX - 70000);
        rig_give_request(&rig, &client, 999);
        rig_pass(&rig, 30000);
        free(all);
}

/* The oldest replies give way to new ones. */
static void test_stored_replies(void **state)
{
        (void)state;
        rig.answers = false;
        for (uint64_t id = 0; id < 600; id++) {
                rig_give_request(&rig, &client, id);
                answer(0, SHIM_MESSAGE_MAX - SHIM_REPLY_LEN);
                rig_clear(&rig);
                assert_true(rig_facts(&rig).bytes <= 32u << 20);
        }
        assert_true(rig_facts(&rig).stored > 500 && rig_facts(&rig).stored < 512);
        assert_int_equal(rig_facts(&rig).stored + rig_facts(&rig).remembered, 600);
        rig_give_request(&rig, &client, 0);
        assert_int_equal(rig.requests, 600);
}

/* -- proofs ----------------------------------------------------------------------------- */

static uint64_t bytes_sent(void)
{
        uint64_t sum = 0;

        for (size_t i = 0; i < rig.n_sent; i++)
                sum += rig.sent[i].len;
        return sum;
}

static void give_proved(const struct link_addr *from, uint64_t id, const uint8_t *token)
{
        struct shim_head h = {.type = SHIM_REQUEST, .count = 1, .id = id, .has_token = true};
        size_t           len;
        uint8_t         *all = rig_request(8, 100, &len);

        memcpy(h.token, token, SHIM_TOKEN);
        h.len = (uint16_t)len;
        rig_give(&rig, from, &h, all, 1200);
        free(all);
}

static void test_three_times_what_came(void **state)
{
        (void)state;
        rig_give_request(&rig, &client, 1);
        answer(0, 3400); /* three packets: just as much */
        assert_int_equal(rig_count(&rig, SHIM_REPLY), 3);
        assert_int_equal(rig_count(&rig, SHIM_PROVE), 0);
        assert_true(bytes_sent() <= 3600);
        rig_clear(&rig);
        rig_give_request(&rig, &client, 2);
        answer(0, 3600);
        assert_int_equal(rig_count(&rig, SHIM_REPLY), 0);
        assert_int_equal(rig_count(&rig, SHIM_PROVE), 1);
        give_proved(&client, 2, rig_last(&rig, SHIM_PROVE)->body);
        assert_int_equal(rig_count(&rig, SHIM_REPLY), 3);
        assert_int_equal(rig.requests, 2);
}

/* However often an unproved source asks, and whatever for. */
static void test_never_more_than_three_times(void **state)
{
        struct shim_head h        = {.type = SHIM_REQUEST, .count = 1, .id = 5};
        uint64_t         received = 0, sent = 0;
        size_t           len;
        uint8_t         *all = rig_request(8, 0, &len);

        (void)state;
        h.len = (uint16_t)len; /* without padding */
        for (unsigned i = 0; i < 200; i++) {
                rig_give(&rig, &client, &h, all, 0);
                received += SHIM_HDR + len;
                if (i == 3)
                        answer(0, 9000);
                rig_give_got(&rig, &client, 5, SHIM_REPLY, false, i & 1);
                received += i >= 3 ? SHIM_HDR + SHIM_GOT_LEN : 0;
                rig_pass(&rig, 150);
                sent += bytes_sent();
                assert_true(sent <= 3 * received);
                rig_clear(&rig);
        }
        free(all);
}

static void test_tokens(void **state)
{
        uint8_t          token[SHIM_TOKEN];
        struct link_addr other = rig_addr(9, 5001);

        (void)state;
        rig_give_request(&rig, &client, 1);
        answer(0, 9000);
        memcpy(token, rig_last(&rig, SHIM_PROVE)->body, SHIM_TOKEN);
        rig_clear(&rig);

        for (unsigned i = 0; i < SHIM_TOKEN; i++) { /* forged */
                token[i] ^= 0x40;
                give_proved(&client, 100 + i, token);
                token[i] ^= 0x40;
                answer(0, 9000);
        }
        give_proved(&client, 2, (const uint8_t[SHIM_TOKEN]){0});
        answer(0, 9000);
        assert_int_equal(rig_count(&rig, SHIM_REPLY), 0);
        give_proved(&client, 2, token);
        assert_int_equal(rig_count(&rig, SHIM_REPLY), 7);
        rig_clear(&rig);

        give_proved(&other, 3, token); /* another address */
        answer(0, 9000);
        assert_int_equal(rig_count(&rig, SHIM_REPLY), 0);
        rig_pass(&rig, 5 * 600000); /* five epochs: it is valid still */
        give_proved(&client, 4, token);
        answer(0, 9000);
        assert_int_equal(rig_count(&rig, SHIM_REPLY), 7);
        rig_clear(&rig);
        rig_pass(&rig, 600000); /* six: it is not */
        give_proved(&client, 5, token);
        answer(0, 9000);
        assert_int_equal(rig_count(&rig, SHIM_REPLY), 0);
}

/* With 64 requests under way nobody unproved gets memory. */
static void test_proof_under_load(void **state)
{
        struct link_addr  stranger = rig_addr(1, 1);
        struct shim_reply rp;
        struct rd         r;
        size_t            bytes;

        (void)state;
        for (uint64_t id = 0; id < 64; id++)
                rig_give_request(&rig, &client, id);
        assert_int_equal(rig_count(&rig, SHIM_PROVE), 0);
        bytes = rig_facts(&rig).bytes;
        rig_give_request(&rig, &stranger, 1);
        assert_int_equal(rig_count(&rig, SHIM_PROVE), 1);
        assert_int_equal(rig.requests, 64);
        assert_int_equal(rig_facts(&rig).bytes, bytes);
        give_proved(&stranger, 1, rig_last(&rig, SHIM_PROVE)->body);
        assert_int_equal(rig.requests, 65);
        answer(0, 10);
        r = (struct rd){.p = rig_last(&rig, SHIM_REPLY)->body, .end = rig_last(&rig, SHIM_REPLY)->body + 31};
        assert_true(shim_reply_get(&r, &rp));
        rig_clear(&rig);
        give_proved(&stranger, 2, rp.token); /* that of a reply is as good */
        assert_int_equal(rig.requests, 66);
}

static void test_no_proofs_on_ethernet(void **state)
{
        (void)state;
        for (uint64_t id = 0; id < 100; id++)
                rig_give_request(&rig, &client, id);
        assert_int_equal(rig.requests, 100);
        answer(0, 60000);
        assert_int_equal(rig_count(&rig, SHIM_REPLY), 10);
        assert_int_equal(rig_count(&rig, SHIM_PROVE), 0);
        assert_int_equal(rig.sent[0].body[5], 0); /* no token */
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define UDP(f) cmocka_unit_test_setup_teardown(f, setup_udp, teardown)
#define ETH(f) cmocka_unit_test_setup_teardown(f, setup_eth, teardown)
                UDP(test_handed_up_once),
                UDP(test_answered_at_once),
                UDP(test_answer_of_none),
                UDP(test_known_by_address_and_id),
                UDP(test_stored_for_a_minute),
                UDP(test_pieces),
                UDP(test_largest),
                UDP(test_conflicting_pieces),
                UDP(test_incomplete_is_dropped),
                UDP(test_malformed),
                UDP(test_unknown_version),
                ETH(test_large_reply),
                ETH(test_copies_are_not_multiplied),
                ETH(test_too_large_a_reply),
                ETH(test_requests_of_a_source),
                UDP(test_forged_requests),
                UDP(test_proved_meanwhile),
                UDP(test_bytes_of_a_source),
                ETH(test_bytes_of_all),
                ETH(test_stored_replies),
                UDP(test_three_times_what_came),
                UDP(test_never_more_than_three_times),
                UDP(test_tokens),
                UDP(test_proof_under_load),
                ETH(test_no_proofs_on_ethernet),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
