/*
 * test_transport_memory.c - the handshake transport when memory is short: one story, with each of its
 * allocations failing once. Linked with --wrap=malloc,calloc,realloc.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "ipcpd/transport/transport.h"
#include "random.h"
#include "wire/shim.h"

#define DATAGRAM 600u

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static unsigned until_failure; /* allocations; 0: none fails */

static bool fails(void)
{
        return until_failure > 0 && --until_failure == 0;
}

void *__wrap_malloc(size_t n)
{
        return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
        return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
        return fails() ? NULL : __real_realloc(p, n);
}

/* -- an owner, who answers at once ------------------------------------------------- */

static struct transport *t;
static uint64_t          ids;
static unsigned          requests, replies;
static const uint8_t     zeros[2000];

static void on_random(void *ctx, void *buf, size_t len)
{
        (void)ctx;
        random_fill(&ids, buf, len);
}

static void on_send(void *ctx, const struct link_addr *to, const uint8_t *p, size_t len)
{
        (void)ctx, (void)to, (void)p;
        assert_true(len <= DATAGRAM);
}

static bool on_has(void *ctx, const uint8_t *hash, size_t len)
{
        (void)ctx, (void)hash, (void)len;
        return true;
}

static void on_request(void *ctx, const struct transport_key *k, const struct transport_request *rq)
{
        (void)ctx, (void)rq;
        requests++;
        transport_answer(t, NS_PER_S, k, 0, 5, (struct transport_bytes){zeros, 700});
}

static void on_reply(void *ctx, uint64_t cookie, const struct transport_key *k, int result, uint32_t eid,
                     struct transport_bytes oap)
{
        (void)ctx, (void)cookie, (void)k, (void)oap;
        assert_true((result == 0) == (eid != 0));
        replies++;
}

static void on_found(void *ctx, uint64_t cookie, const struct link_addr *at)
{
        (void)ctx, (void)cookie, (void)at;
}

static void on_dealloc(void *ctx, const struct transport_key *k)
{
        (void)ctx, (void)k;
}

static const struct transport_ops ops = {.random  = on_random,
                                         .send    = on_send,
                                         .has     = on_has,
                                         .request = on_request,
                                         .reply   = on_reply,
                                         .found   = on_found,
                                         .dealloc = on_dealloc};

/* -- the story ------------------------------------------------------------------------ */

static const struct link_addr peer = {.host_len = 4, .len = 6, .b = {10, 0, 0, 1}};

static void give(const struct shim_head *h, const uint8_t *body)
{
        uint8_t   p[DATAGRAM];
        struct wr w = {.p = p, .end = p + sizeof(p)};

        shim_head_put(&w, h);
        shim_bytes_put(&w, body, h->len);
        assert_false(w.bad);
        transport_packet(t, NS_PER_S, &peer, p, (size_t)(w.p - p));
}

/* A message of two pieces, or one. */
static void give_message(enum shim_type type, uint64_t id, const uint8_t *p, size_t len)
{
        unsigned count = len > 500 ? 2 : 1;

        for (unsigned i = 0; i < count; i++) {
                struct shim_head h = {
                        .type = (uint8_t)type, .index = (uint8_t)i, .count = (uint8_t)count, .id = id};

                h.size = count > 1 ? 500 : 0;
                h.len  = (uint16_t)(i + 1 < count ? 500 : len - i * 500u);
                give(&h, p + i * 500u);
        }
}

static void give_request(uint64_t id, size_t oap_len)
{
        uint8_t             p[1000];
        struct wr           w  = {.p = p, .end = p + sizeof(p)};
        struct shim_request rq = {
                .eid = 1, .hash = zeros, .hash_len = 32, .qs = qos_data, .oap = zeros, .oap_len = oap_len};

        shim_request_put(&w, &rq);
        give_message(SHIM_REQUEST, id, p, shim_request_len(&rq));
}

static void give_reply(uint64_t id)
{
        uint8_t           p[1000];
        struct wr         w  = {.p = p, .end = p + sizeof(p)};
        struct shim_reply rp = {.eid = 4, .oap = zeros, .oap_len = 800};

        shim_reply_put(&w, &rp);
        give_message(SHIM_REPLY, id, p, SHIM_REPLY_LEN + 800);
}

static void tell(void)
{
        struct transport_request rq = {
                .eid = 1, .hash = zeros, .hash_len = 32, .qs = qos_data, .oap = {zeros, 1500}};
        struct transport_key k = {.id = 0};

        if (transport_ask(t, NS_PER_S, &peer, &rq, 1, &k) == 0) {
                give(&(struct shim_head){.type = SHIM_PROVE, .count = 1, .len = SHIM_TOKEN, .id = k.id},
                     zeros);
                give_reply(k.id);
                give_reply(k.id); /* what did not get in, again */
                transport_dealloc(t, NS_PER_S, &k);
        }
        (void)transport_query(t, NS_PER_S, NULL, zeros, 32, 1);
        give_request(1, 10);
        give_request(2, 800);
        give(&(struct shim_head){.type = SHIM_DONE, .count = 1, .id = 1}, NULL);
        give(&(struct shim_head){.type = SHIM_DEALLOC, .count = 1, .id = 2}, NULL);
        transport_tick(t, 100 * NS_PER_S);
}

/* Returns whether an allocation has failed. */
static bool play(unsigned failure)
{
        struct transport_config conf = {.datagram = DATAGRAM, .proves = true};
        struct transport_facts  f;
        bool                    failed;

        requests = replies = 0;
        until_failure      = failure;
        t                  = transport_create(&conf, &ops, NULL);
        if (t != NULL) {
                tell();
                transport_facts(t, &f);
                assert_true(requests <= 2 && replies <= 1);
                assert_int_equal(f.collecting + f.handed_up, 0);
        }
        failed        = until_failure == 0;
        until_failure = 0;
        transport_destroy(t);
        return failed;
}

static void test_every_allocation(void **state)
{
        unsigned n = 1;

        (void)state;
        while (play(n))
                n++;
        assert_true(n > 20);
        assert_int_equal(requests, 2); /* without a failure all is well */
        assert_int_equal(replies, 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_allocation)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
