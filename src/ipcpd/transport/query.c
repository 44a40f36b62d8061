/*
 * query.c - who has a name: our questions, and the answers to those of others.
 */
#include "ipcpd/transport/parts.h"

#include <errno.h>
#include <stdlib.h>

/*
 * At 100, 300, 500, … 1300 ms, given up at 1.5 s. Others may wait for the same answer, so one that is lost costs them all: with
 * 20 % loss each way four tries would fail once in sixty.
 */
#define FIRST_NS    (100 * NS_PER_MS)
#define AGAIN_NS    (200 * NS_PER_MS)
#define QUERIES_MAX 8u

struct query {
        struct timer     timer;
        uint64_t         id;
        UT_hash_handle   hh;
        uint64_t         cookie;
        bool             everybody;
        struct link_addr to;
        unsigned         sent;
        size_t           len;
        uint8_t          body[1 + SHIM_HASH_MAX];
};

static void drop(struct transport *t, struct query *q)
{
        timer_stop(t, &q->timer);
        if (q->hh.tbl != NULL)
                HASH_DEL(t->queries, q);
        free(q);
}

void queries_fini(struct transport *t)
{
        while (t->queries != NULL)
                drop(t, t->queries);
}

static void send_query(struct transport *t, struct query *q)
{
        struct shim_head h = {.type = SHIM_QUERY, .count = 1, .len = (uint16_t)q->len, .id = q->id};

        q->sent++;
        transport_send(t, q->everybody ? NULL : &q->to, &h, q->body);
}

/* Last: @q is gone. */
static void answer(struct transport *t, struct query *q, const struct link_addr *at)
{
        uint64_t cookie = q->cookie;

        drop(t, q);
        t->ops->found(t->ctx, cookie, at);
}

static void due(struct transport *t, struct timer *m, int64_t now_ns)
{
        struct query *q = (struct query *)m;

        if (q->sent == QUERIES_MAX) {
                answer(t, q, NULL);
                return;
        }
        timer_move(t, m, now_ns + AGAIN_NS);
        send_query(t, q);
}

static struct query *create(struct transport *t, int64_t now_ns, const uint8_t *hash, size_t len)
{
        struct query *q = calloc(1, sizeof(*q));
        struct wr     w;

        if (q == NULL)
                return NULL;
        w = (struct wr){.p = q->body, .end = q->body + sizeof(q->body)};
        shim_hash_put(&w, hash, len);
        q->len       = (size_t)(w.p - q->body);
        q->id        = transport_draw_id(t);
        q->timer.due = due;
        HASH_ADD(hh, t->queries, id, sizeof(q->id), q);
        if (q->hh.tbl != NULL && timer_start(t, &q->timer, now_ns + FIRST_NS) == 0)
                return q;
        drop(t, q);
        return NULL;
}

int transport_query(struct transport *t, int64_t now_ns, const struct link_addr *to, const uint8_t *hash,
                    size_t len, uint64_t cookie)
{
        struct query *q;

        if (len == 0 || len > SHIM_HASH_MAX)
                return -EINVAL;
        q = create(t, now_ns, hash, len);
        if (q == NULL)
                return -ENOMEM;
        q->cookie    = cookie;
        q->everybody = to == NULL;
        if (to != NULL)
                q->to = *to;
        send_query(t, q);
        return 0;
}

void transport_query_cancel(struct transport *t, uint64_t cookie)
{
        struct query *q, *next;

        HASH_ITER (hh, t->queries, q, next)
                if (q->cookie == cookie)
                        drop(t, q);
}

bool query_asked(struct transport *t, const struct arrival *a)
{
        struct rd      r = {.p = a->body, .end = a->body + a->head.len};
        size_t         len;
        const uint8_t *hash = shim_hash_get(&r, &len);

        if (hash == NULL || r.p != r.end)
                return false;
        if (t->ops->has(t->ctx, hash, len))
                transport_say(t, &a->key, SHIM_HERE);
        return true;
}

bool query_here(struct transport *t, const struct arrival *a)
{
        struct query *q;

        HASH_FIND(hh, t->queries, &a->head.id, sizeof(a->head.id), q);
        if (q == NULL || a->head.len != 0 || (!q->everybody && !link_addr_equal(&q->to, &a->key.peer)))
                return false;
        answer(t, q, &a->key.peer);
        return true;
}
