#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "random.h"
#include "transport_rig.h"

/* -- the owner ------------------------------------------------------------------ */

static void fill(void *ctx, void *buf, size_t len)
{
        struct rig *g = ctx;

        random_fill(&g->random, buf, len);
}

static void on_send(void *ctx, const struct link_addr *to, const uint8_t *p, size_t len)
{
        struct rig        *g = ctx;
        struct rig_packet *k = &g->sent[g->n_sent];
        struct rd          r;

        assert_true(g->n_sent++ < RIG_PACKETS);
        assert_true(len <= sizeof(k->bytes));
        k->everybody = to == NULL;
        if (to != NULL)
                k->to = *to;
        k->len = len;
        memcpy(k->bytes, p, len);
        r = (struct rd){.p = k->bytes, .end = k->bytes + len};
        assert_true(shim_head_get(&r, &k->head));
        k->body = r.p;
}

static bool on_has(void *ctx, const uint8_t *hash, size_t len)
{
        struct rig *g = ctx;

        memcpy(g->hash, hash, len);
        g->hash_len = len;
        return g->has;
}

static void note_oap(struct rig *g, struct transport_bytes oap)
{
        g->oap_len = oap.len;
        if (oap.len > 0)
                memcpy(g->oap, oap.p, oap.len);
}

static void on_request(void *ctx, const struct transport_key *k, const struct transport_request *rq)
{
        struct rig *g = ctx;

        g->requests++;
        g->key      = *k;
        g->eid      = rq->eid;
        g->qs       = rq->qs;
        g->hash_len = rq->hash_len;
        memcpy(g->hash, rq->hash, rq->hash_len);
        note_oap(g, rq->oap);
        if (g->answers)
                transport_answer(g->t, g->now_ns, k, g->answer, 77, (struct transport_bytes){NULL, 0});
        if (g->farewell)
                transport_dealloc(g->t, g->now_ns, k);
}

static void on_reply(void *ctx, uint64_t cookie, const struct transport_key *k, int result, uint32_t eid,
                     struct transport_bytes oap)
{
        struct rig *g = ctx;

        g->replies++;
        g->cookie = cookie;
        g->key    = *k;
        g->result = result;
        g->eid    = eid;
        note_oap(g, oap);
        if (g->farewell)
                transport_dealloc(g->t, g->now_ns, k);
}

static void on_found(void *ctx, uint64_t cookie, const struct link_addr *at)
{
        struct rig *g = ctx;

        g->founds++;
        g->cookie = cookie;
        g->found  = at != NULL;
        if (at != NULL)
                g->at = *at;
}

static void on_dealloc(void *ctx, const struct transport_key *k)
{
        struct rig *g = ctx;

        g->deallocs++;
        g->key = *k;
}

/* -- the rig ---------------------------------------------------------------------- */

struct transport_config rig_udp(void)
{
        return (struct transport_config){
                .datagram = RIG_DATAGRAM, .pad_to = 1200, .proves = true, .secret = {1, 2, 3}};
}

struct transport_config rig_eth(void)
{
        return (struct transport_config){.datagram = 1400};
}

void rig_open(struct rig *g, const struct transport_config *conf)
{
        static const struct transport_ops ops = {.random  = fill,
                                                 .send    = on_send,
                                                 .has     = on_has,
                                                 .request = on_request,
                                                 .reply   = on_reply,
                                                 .found   = on_found,
                                                 .dealloc = on_dealloc};

        memset(g, 0, sizeof(*g));
        g->now_ns = 1000 * NS_PER_S;
        g->random = 42;
        g->t      = transport_create(conf, &ops, g);
        assert_non_null(g->t);
}

void rig_close(struct rig *g)
{
        transport_destroy(g->t);
}

struct link_addr rig_addr(uint8_t host, uint16_t port)
{
        return (struct link_addr){
                .host_len = 4, .len = 6, .b = {10, 0, 0, host, (uint8_t)(port >> 8), (uint8_t)port}};
}

void rig_pass(struct rig *g, int64_t ms)
{
        int64_t until = g->now_ns + ms * NS_PER_MS;

        while (transport_deadline(g->t) <= until) {
                assert_true(transport_deadline(g->t) > g->now_ns);
                g->now_ns = transport_deadline(g->t);
                transport_tick(g->t, g->now_ns);
        }
        g->now_ns = until;
}

size_t rig_count(const struct rig *g, enum shim_type type)
{
        size_t n = 0;

        for (size_t i = 0; i < g->n_sent; i++)
                n += g->sent[i].head.type == type;
        return n;
}

const struct rig_packet *rig_last(const struct rig *g, enum shim_type type)
{
        size_t i = g->n_sent;

        while (i > 0 && g->sent[i - 1].head.type != type)
                i--;
        assert_true(i > 0);
        return &g->sent[i - 1];
}

void rig_clear(struct rig *g)
{
        g->n_sent = 0;
}

struct transport_facts rig_facts(const struct rig *g)
{
        struct transport_facts f;

        transport_facts(g->t, &f);
        return f;
}

/* -- what it gets -------------------------------------------------------------------- */

/* In memory that ends where the packet does. */
void rig_give_bytes(struct rig *g, const struct link_addr *from, const uint8_t *p, size_t len)
{
        uint8_t *copy = malloc(len > 0 ? len : 1);

        assert_non_null(copy);
        if (len > 0)
                memcpy(copy, p, len);
        transport_packet(g->t, g->now_ns, from, copy, len);
        free(copy);
}

void rig_give(struct rig *g, const struct link_addr *from, const struct shim_head *h, const void *body,
              size_t pad_to)
{
        uint8_t   packet[65536] = {0};
        struct wr w             = {.p = packet, .end = packet + sizeof(packet)};
        size_t    len;

        shim_head_put(&w, h);
        shim_bytes_put(&w, body, h->len);
        assert_false(w.bad);
        len = (size_t)(w.p - packet);
        rig_give_bytes(g, from, packet, len > pad_to ? len : pad_to);
}

void rig_say(struct rig *g, const struct link_addr *from, uint64_t id, enum shim_type type)
{
        struct shim_head h = {.type = (uint8_t)type, .count = 1, .id = id};

        rig_give(g, from, &h, NULL, 0);
}

void rig_give_got(struct rig *g, const struct link_addr *from, uint64_t id, uint8_t what, bool complete,
                  uint64_t pieces)
{
        struct shim_got  got = {.what = what, .complete = complete, .pieces = pieces};
        struct shim_head h   = {.type = SHIM_GOT, .count = 1, .len = SHIM_GOT_LEN, .id = id};
        uint8_t          body[SHIM_GOT_LEN];
        struct wr        w = {.p = body, .end = body + sizeof(body)};

        shim_got_put(&w, &got);
        rig_give(g, from, &h, body, 0);
}

void rig_text(uint8_t *out, size_t len, uint64_t seed)
{
        random_fill(&seed, out, len);
}

static const uint8_t hash[RIG_HASH] = {0xaa, 0xbb, 0xcc};

uint8_t *rig_request(uint32_t eid, size_t oap_len, size_t *len)
{
        uint8_t            *oap = malloc(oap_len + 1);
        struct shim_request rq  = {.eid      = eid,
                                   .hash     = hash,
                                   .hash_len = sizeof(hash),
                                   .qs       = qos_voice,
                                   .oap      = oap,
                                   .oap_len  = oap_len};
        uint8_t            *all = malloc(shim_request_len(&rq));
        struct wr           w   = {.p = all, .end = all + shim_request_len(&rq)};

        assert_non_null(oap);
        assert_non_null(all);
        rig_text(oap, oap_len, 5);
        shim_request_put(&w, &rq);
        *len = shim_request_len(&rq);
        free(oap);
        return all;
}

uint8_t *rig_reply(uint8_t code, uint32_t eid, const uint8_t *token, size_t oap_len, size_t *len)
{
        uint8_t          *oap = malloc(oap_len + 1);
        struct shim_reply rp  = {.code = code, .eid = eid, .oap = oap, .oap_len = oap_len};
        uint8_t          *all = malloc(SHIM_REPLY_LEN + oap_len);
        struct wr         w   = {.p = all, .end = all + SHIM_REPLY_LEN + oap_len};

        assert_non_null(oap);
        assert_non_null(all);
        rig_text(oap, oap_len, 6);
        if (token != NULL)
                memcpy(rp.token, token, SHIM_TOKEN);
        shim_reply_put(&w, &rp);
        *len = SHIM_REPLY_LEN + oap_len;
        free(oap);
        return all;
}

void rig_give_piece(struct rig *g, const struct link_addr *from, uint64_t id, enum shim_type type,
                    const uint8_t *message, size_t len, size_t size, unsigned i)
{
        struct shim_head h = {.type = (uint8_t)type, .id = id, .index = (uint8_t)i};

        h.count = (uint8_t)((len + size - 1) / size);
        h.size  = h.count > 1 ? (uint16_t)size : 0;
        h.len   = (uint16_t)(i + 1u < h.count ? size : len - i * size);
        rig_give(g, from, &h, message + i * size, 0);
}

struct transport_key rig_ask(struct rig *g, const struct link_addr *to, size_t oap_len)
{
        uint8_t                 *oap = malloc(oap_len + 1);
        struct transport_request rq  = {
                 .eid = 9, .hash = hash, .hash_len = sizeof(hash), .qs = qos_data, .oap = {oap, oap_len}};
        struct transport_key k;

        assert_non_null(oap);
        rig_text(oap, oap_len, 7);
        assert_int_equal(transport_ask(g->t, g->now_ns, to, &rq, 4711, &k), 0);
        free(oap);
        return k;
}

void rig_give_request(struct rig *g, const struct link_addr *from, uint64_t id)
{
        struct shim_head h = {.type = SHIM_REQUEST, .count = 1, .id = id};
        size_t           len;
        uint8_t         *all = rig_request(8, 100, &len);

        h.len = (uint16_t)len;
        rig_give(g, from, &h, all, 1200);
        free(all);
}
