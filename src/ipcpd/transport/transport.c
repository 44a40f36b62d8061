#include "ipcpd/transport/parts.h"

#include <assert.h>
#include <stdlib.h>

#include <openssl/crypto.h>

#include "base/clock.h"

/* -- timers ------------------------------------------------------------------ */

int timer_start(struct transport *t, struct timer *m, int64_t due_ns)
{
        return deadlines_set(&t->deadlines, &m->at, due_ns);
}

void timer_move(struct transport *t, struct timer *m, int64_t due_ns)
{
        int r = deadlines_set(&t->deadlines, &m->at, due_ns);

        assert(r == 0); /* it has its place */
        (void)r;
}

void timer_stop(struct transport *t, struct timer *m)
{
        deadlines_cancel(&t->deadlines, &m->at);
}

int64_t transport_deadline(const struct transport *t)
{
        return deadlines_next(&t->deadlines);
}

/* Whatever is due moves its timer into the future, or ends. */
void transport_tick(struct transport *t, int64_t now_ns)
{
        while (deadlines_next(&t->deadlines) <= now_ns) {
                struct timer *m = (struct timer *)t->deadlines.heap[0]; /* its first member */

                m->due(t, m, now_ns);
        }
}

/* -- ids that are over --------------------------------------------------------- */

static void memory_due(struct transport *t, struct timer *m, int64_t now_ns)
{
        timer_move(t, m, memory_age(&t->memory, now_ns));
}

void transport_remember(struct transport *t, int64_t now_ns, const struct transport_key *k,
                        enum memory_of what)
{
        memory_put(&t->memory, &t->secret, now_ns, k, what);
        timer_move(t, &t->memory_timer, memory_age(&t->memory, now_ns));
}

/* -- sending ------------------------------------------------------------------- */

static size_t pad(const struct transport *t, const struct shim_head *h, size_t len)
{
        size_t to = t->conf.pad_to < t->conf.datagram ? t->conf.pad_to : t->conf.datagram;

        if (h->type != SHIM_REQUEST || h->index != 0 || len >= to)
                return len;
        memset(t->packet + len, 0, to - len);
        return to;
}

void transport_send(struct transport *t, const struct link_addr *to, const struct shim_head *h,
                    const void *body)
{
        struct wr w = {.p = t->packet, .end = t->packet + t->conf.datagram};

        shim_head_put(&w, h);
        shim_bytes_put(&w, body, h->len);
        assert(!w.bad);
        t->facts.packets_out++;
        t->ops->send(t->ctx, to, t->packet, pad(t, h, (size_t)(w.p - t->packet)));
}

void transport_say(struct transport *t, const struct transport_key *k, enum shim_type type)
{
        struct shim_head h = {.type = (uint8_t)type, .count = 1, .id = k->id};

        transport_send(t, &k->peer, &h, NULL);
}

void transport_say_got(struct transport *t, const struct transport_key *k, const struct shim_got *got,
                       const uint8_t *token)
{
        struct shim_head h = {.type = SHIM_GOT, .count = 1, .len = SHIM_GOT_LEN, .id = k->id};
        uint8_t          body[SHIM_GOT_LEN];
        struct wr        w = {.p = body, .end = body + sizeof(body)};

        h.has_token = token != NULL;
        if (token != NULL)
                memcpy(h.token, token, SHIM_TOKEN);
        shim_got_put(&w, got);
        transport_send(t, &k->peer, &h, body);
}

uint64_t transport_draw_id(struct transport *t)
{
        uint64_t id;

        t->ops->random(t->ctx, &id, sizeof(id));
        return id;
}

/* -- what comes ------------------------------------------------------------------ */

static bool got(struct transport *t, const struct arrival *a)
{
        struct rd       r = {.p = a->body, .end = a->body + a->head.len};
        struct shim_got g;

        if (!shim_got_get(&r, &g))
                return false;
        return g.what == SHIM_REQUEST ? asker_got(t, a, &g) : answerer_got(t, a, &g);
}

static bool (*const handlers[SHIM_TYPES])(struct transport *t, const struct arrival *a) = {
        [SHIM_QUERY]       = query_asked,
        [SHIM_HERE]        = query_here,
        [SHIM_REQUEST]     = answerer_request,
        [SHIM_REPLY]       = asker_reply,
        [SHIM_GOT]         = got,
        [SHIM_PROVE]       = asker_prove,
        [SHIM_DONE]        = answerer_done,
        [SHIM_DEALLOC]     = farewell_dealloc,
        [SHIM_DEALLOCATED] = farewell_deallocated,
};

void transport_packet(struct transport *t, int64_t now_ns, const struct link_addr *from, const uint8_t *p,
                      size_t len)
{
        struct rd      r = {.p = p, .end = p + len};
        struct arrival a = {.now_ns = now_ns, .packet_len = len};

        t->facts.packets_in++;
        if (!shim_head_get(&r, &a.head)) {
                t->facts.refused++;
                return;
        }
        a.key.id   = a.head.id;
        a.key.peer = *from;
        a.body     = r.p;
        if (!handlers[a.head.type](t, &a))
                t->facts.refused++;
}

/* -- the engine -------------------------------------------------------------------- */

struct transport *transport_create(const struct transport_config *conf, const struct transport_ops *ops,
                                   void *ctx)
{
        struct transport *t = calloc(1, sizeof(*t));

        if (t == NULL)
                return NULL;
        t->conf = *conf;
        t->ops  = ops;
        t->ctx  = ctx;
        TAILQ_INIT(&t->stored);
        t->memory_timer.due = memory_due;
        t->packet           = malloc(conf->datagram);
        if (t->packet == NULL || timer_start(t, &t->memory_timer, CLOCK_NEVER) < 0) {
                transport_destroy(t);
                return NULL;
        }
        ops->random(ctx, &t->secret, sizeof(t->secret));
        return t;
}

void transport_destroy(struct transport *t)
{
        if (t == NULL)
                return;
        askers_fini(t);
        answerers_fini(t);
        queries_fini(t);
        farewells_fini(t);
        sources_fini(&t->sources);
        tokens_fini(&t->tokens);
        memory_fini(&t->memory);
        deadlines_fini(&t->deadlines);
        free(t->packet);
        OPENSSL_cleanse(t->conf.secret, sizeof(t->conf.secret));
        free(t);
}

void transport_facts(const struct transport *t, struct transport_facts *out)
{
        *out            = t->facts;
        out->remembered = memory_count(&t->memory);
        out->bytes      = t->sources.bytes + t->stored_bytes;
}
