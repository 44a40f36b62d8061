/*
 * fuzz_shim_control.c - one engine of the handshake transport, and peers who send it anything: packets that a
 * peer in its senses would send, for exchanges that there are, such with a byte out of place, junk; while its
 * owner asks, answers and ends flows, and time passes.
 *
 * Whatever they do: a request is handed up once for each exchange that is remembered, an ask has one outcome,
 * what is sent is a packet of at most a datagram, who has not proved its address is sent at most three times
 * what it sent, memory keeps to its bounds, and the next deadline is in the future.
 */
#include <string.h>

#include <sanitizer/allocator_interface.h>

#include "base/clock.h"
#include "ipcpd/transport/transport.h"
#include "wire/shim.h"

#include "input.h"
#include "random.h"

#define DATAGRAM 1300u
#define KEYS     16u
#define WORK     600u
#define MEMORY   (4u << 20) /* what so few packets can hold */

struct rig {
        struct transport    *t;
        int64_t              now_ns;
        uint64_t             ids;
        size_t               before;
        unsigned             work;
        bool                 proves;
        struct transport_key keys[KEYS]; /* that it was seen to use, the last ones */
        unsigned             n_keys;
        uint64_t             asked, heard; /* bits: cookies */
        unsigned             cookies;
        uint8_t              token[SHIM_TOKEN]; /* the last that it gave */
        uint8_t              how;               /* the owner answers */
        uint64_t             in[8], out[8];     /* bytes from and to each address, without proof */
        bool                 proved;            /* a token was sent back: the count is over */
};

static struct rig rig;

static void note(struct rig *g, const struct transport_key *k)
{
        g->keys[g->n_keys++ % KEYS] = *k;
}

static struct link_addr addr(uint8_t n)
{
        return (struct link_addr){.host_len = 4, .len = 6, .b = {10, 0, 0, n & 3, 0, n & 4}};
}

static unsigned which(const struct link_addr *a)
{
        return (a->b[3] & 3u) | (a->b[5] & 4u);
}

/* -- the owner ---------------------------------------------------------------------- */

static void on_random(void *ctx, void *buf, size_t len)
{
        random_fill(&((struct rig *)ctx)->ids, buf, len);
}

static void on_send(void *ctx, const struct link_addr *to, const uint8_t *p, size_t len)
{
        struct rig      *g = ctx;
        struct rd        r = {.p = p, .end = p + len};
        struct shim_head h;

        MUST(len <= DATAGRAM);
        MUST(shim_head_get(&r, &h));
        if (h.type == SHIM_PROVE)
                memcpy(g->token, r.p, SHIM_TOKEN);
        if (to == NULL)
                return;
        note(g, &(struct transport_key){.id = h.id, .peer = *to});
        if (h.type == SHIM_REPLY || h.type == SHIM_PROVE || (h.type == SHIM_GOT && r.p[0] == SHIM_REQUEST))
                g->out[which(to)] += len;
}

static bool on_has(void *ctx, const uint8_t *hash, size_t len)
{
        MUST(len > 0 && len <= SHIM_HASH_MAX);
        return ((struct rig *)ctx)->how & 1 && hash[0] & 1;
}

static void answer(struct rig *g, const struct transport_key *k)
{
        static const uint8_t oap[TRANSPORT_MESSAGE_MAX];

        transport_answer(g->t, g->now_ns, k, g->how & 2 ? 0 : -EAUTH, 7,
                         (struct transport_bytes){oap, (size_t)g->how << (g->how & 8 ? 8 : 3)});
}

static void on_request(void *ctx, const struct transport_key *k, const struct transport_request *rq)
{
        struct rig *g = ctx;

        MUST(rq->eid != 0 && rq->hash_len > 0 && rq->hash_len <= SHIM_HASH_MAX);
        note(g, k);
        if (g->how & 4)
                answer(g, k);
        if (g->how & 16)
                transport_dealloc(g->t, g->now_ns, k);
}

static void on_reply(void *ctx, uint64_t cookie, const struct transport_key *k, int result, uint32_t eid,
                     struct transport_bytes oap)
{
        struct rig *g = ctx;

        MUST(g->asked >> cookie & 1 && !(g->heard >> cookie & 1));
        MUST(result <= 0 && (result == 0) == (eid != 0) && (result == 0 || oap.len == 0));
        g->heard |= UINT64_C(1) << cookie;
        if (g->how & 32)
                transport_dealloc(g->t, g->now_ns, k);
}

static void on_found(void *ctx, uint64_t cookie, const struct link_addr *at)
{
        (void)ctx, (void)cookie, (void)at;
}

static void on_dealloc(void *ctx, const struct transport_key *k)
{
        struct rig *g = ctx;

        if (g->how & 64)
                answer(g, k); /* what has gone: nothing happens */
}

/* -- the rig -------------------------------------------------------------------------- */

static void begin(struct rig *g, struct input *in)
{
        static const struct transport_ops ops  = {.random  = on_random,
                                                  .send    = on_send,
                                                  .has     = on_has,
                                                  .request = on_request,
                                                  .reply   = on_reply,
                                                  .found   = on_found,
                                                  .dealloc = on_dealloc};
        struct transport_config           conf = {.datagram = DATAGRAM, .secret = {1}};
        uint8_t                           how  = input_byte(in);

        memset(g, 0, sizeof(*g));
        g->now_ns   = NS_PER_S;
        g->how      = input_byte(in);
        conf.proves = g->proves = how & 1;
        conf.pad_to             = how & 2 ? 1200 : 0;
        if (how & 4)
                conf.datagram = 128;
        g->before = __sanitizer_get_current_allocated_bytes();
        g->t      = transport_create(&conf, &ops, g);
        MUST(g->t != NULL);
}

static void check(struct rig *g)
{
        struct transport_facts f;

        transport_facts(g->t, &f);
        MUST(transport_deadline(g->t) > g->now_ns);
        MUST(__sanitizer_get_current_allocated_bytes() - g->before <= MEMORY);
        MUST(f.asking <= g->cookies && f.bytes <= MEMORY);
        for (unsigned i = 0; i < 8; i++)
                MUST(!g->proves || g->proved || g->out[i] <= 3 * g->in[i]);
}

static void give(struct rig *g, const struct link_addr *from, const uint8_t *p, size_t len)
{
        uint8_t *copy = malloc(len > 0 ? len : 1); /* exactly, so that one byte more is seen */

        MUST(copy != NULL);
        if (len > 0)
                memcpy(copy, p, len);
        g->in[which(from)] += len;
        transport_packet(g->t, g->now_ns, from, copy, len);
        free(copy);
}

/* An exchange that there is or was, or one with a small id. */
static struct transport_key choose(struct rig *g, struct input *in)
{
        uint8_t n = input_byte(in);

        if (n & 0x80 && g->n_keys > 0)
                return g->keys[n % (g->n_keys < KEYS ? g->n_keys : KEYS)];
        return (struct transport_key){.id = n >> 3 & 7, .peer = addr(n)};
}

static void give_junk(struct rig *g, struct input *in)
{
        struct link_addr from = addr(input_byte(in));
        uint8_t          p[256];
        size_t           n = input_byte(in);

        for (size_t i = 0; i < n; i++)
                p[i] = input_byte(in);
        give(g, &from, p, n);
}

/* What the type has in it, as it should be: @len bytes of it. */
static size_t body(struct rig *g, struct input *in, uint8_t type, uint8_t *p, size_t room)
{
        static const uint8_t zeros[1024];
        struct wr            w = {.p = p, .end = p + room};

        switch (type) {
        case SHIM_QUERY: shim_hash_put(&w, (const uint8_t[]){input_byte(in), 2, 3}, 3); break;
        case SHIM_REQUEST: {
                struct shim_request rq = {.eid      = input_byte(in),
                                          .hash     = zeros,
                                          .hash_len = 32,
                                          .qs       = qos_data,
                                          .oap      = zeros,
                                          .oap_len  = input_byte(in) * 3u};

                shim_request_put(&w, &rq);
                break;
        }
        case SHIM_REPLY: {
                struct shim_reply rp = {.code = input_byte(in), .oap = zeros};

                rp.eid     = rp.code == 0;
                rp.oap_len = rp.code == 0 ? input_byte(in) : 0;
                shim_reply_put(&w, &rp);
                break;
        }
        case SHIM_GOT:
                shim_got_put(&w, &(struct shim_got){.what = input_byte(in) & 1 ? SHIM_REQUEST : SHIM_REPLY,
                                                    .complete = input_byte(in) & 1,
                                                    .pieces   = input_le(in, 8)});
                break;
        case SHIM_PROVE: shim_bytes_put(&w, g->token, SHIM_TOKEN); break;
        default: break;
        }
        return (size_t)(w.p - p);
}

static void give_packet(struct rig *g, struct input *in)
{
        struct transport_key k   = choose(g, in);
        uint8_t              how = input_byte(in);
        struct shim_head     h   = {
                      .type = (uint8_t)(1 + input_byte(in) % (SHIM_TYPES - 1)), .count = 1, .id = k.id};
        uint8_t   p[DATAGRAM] = {0}, text[1100] = {0};
        struct wr w = {.p = p, .end = p + sizeof(p)};
        size_t    len;

        if (how & 1 && (h.type == SHIM_REQUEST || h.type == SHIM_REPLY)) {
                h.count = 1 + (input_byte(in) & 63);
                h.index = input_byte(in) % h.count;
        }
        if (how & 2 && (h.type == SHIM_REQUEST || h.type == SHIM_GOT)) {
                h.has_token = true;
                memcpy(h.token, g->token, SHIM_TOKEN);
                g->proved = true;
        }
        h.len = (uint16_t)body(g, in, h.type, text, sizeof(text));
        if (h.count > 1)
                h.size = h.len = how & 4 ? 1000 : 60;
        shim_head_put(&w, &h);
        shim_bytes_put(&w, text, h.len);
        MUST(!w.bad);
        len = (size_t)(w.p - p);
        if (how & 8)
                p[input_byte(in) % len] = input_byte(in);
        give(g, &k.peer, p, how & 16 && h.type == SHIM_REQUEST && len < 1200 ? 1200 : len);
}

/* -- what the owner does, and time ------------------------------------------------------ */

static void ask(struct rig *g, struct input *in)
{
        static const uint8_t     zeros[TRANSPORT_MESSAGE_MAX];
        struct link_addr         to = addr(input_byte(in));
        struct transport_request rq = {.eid      = 1,
                                       .hash     = zeros,
                                       .hash_len = 32,
                                       .qs       = qos_data,
                                       .oap      = {zeros, input_byte(in) * 256u}};
        struct transport_key     k;

        if (g->cookies == 64)
                return;
        if (transport_ask(g->t, g->now_ns, &to, &rq, g->cookies, &k) < 0)
                return;
        note(g, &k);
        g->asked |= UINT64_C(1) << g->cookies++;
}

static void pass(struct rig *g, struct input *in)
{
        uint8_t n     = input_byte(in);
        int64_t until = g->now_ns + (n >> 2) * (n & 1 ? NS_PER_S : 10 * NS_PER_MS);

        while (transport_deadline(g->t) <= until && g->work++ < WORK) {
                g->now_ns = transport_deadline(g->t);
                transport_tick(g->t, g->now_ns);
                check(g);
        }
        if (n & 2 && transport_deadline(g->t) > until) /* late, too */
                g->now_ns = until;
        transport_tick(g->t, g->now_ns);
}

static void step(struct rig *g, struct input *in)
{
        struct transport_key k;
        uint8_t              op = input_byte(in);

        switch (op & 15) {
        case 0: ask(g, in); break;
        case 1: pass(g, in); break;
        case 2: give_junk(g, in); break;
        case 3:
                k = choose(g, in);
                transport_dealloc(g->t, g->now_ns, &k);
                break;
        case 4:
                k = choose(g, in);
                answer(g, &k);
                break;
        case 5: g->how = input_byte(in); break;
        case 6:
                k = choose(g, in);
                (void)transport_query(g->t, g->now_ns, op & 16 ? NULL : &k.peer, (const uint8_t *)"name", 4,
                                      op >> 5);
                break;
        case 7: transport_query_cancel(g->t, op >> 5); break;
        default: give_packet(g, in);
        }
        check(g);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct input in = {data, data + size};

        begin(&rig, &in);
        while (input_left(&in) && rig.work++ < WORK)
                step(&rig, &in);
        transport_destroy(rig.t);
        return 0;
}
