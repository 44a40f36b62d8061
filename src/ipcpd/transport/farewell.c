/*
 * farewell.c - the end of flows: DEALLOC is repeated until it is answered, and answered whatever it
 * is about.
 */
#include "ipcpd/transport/parts.h"

#include <stdlib.h>

struct farewell {
        struct timer         timer;
        struct transport_key key;
        UT_hash_handle       hh;
        unsigned             repeated;
};

/* From one DEALLOC to the next: at 300, 600 and 1200 ms. */
static const int64_t gaps[] = {300 * NS_PER_MS, 300 * NS_PER_MS, 600 * NS_PER_MS};

#define GAPS (sizeof(gaps) / sizeof(gaps[0]))

static void drop(struct transport *t, struct farewell *f)
{
        timer_stop(t, &f->timer);
        if (f->hh.tbl != NULL)
                HASH_DEL(t->farewells, f);
        free(f);
}

void farewells_fini(struct transport *t)
{
        while (t->farewells != NULL)
                drop(t, t->farewells);
}

static struct farewell *find(const struct transport *t, const struct transport_key *k)
{
        struct farewell *f;

        TABLE_FIND(&t->secret, t->farewells, k, TRANSPORT_KEY_LEN, f);
        return f;
}

/* After the last nobody waits: a peer that comes back to the exchange is told again then. */
static void due(struct transport *t, struct timer *m, int64_t now_ns)
{
        struct farewell     *f = (struct farewell *)m;
        struct transport_key k = f->key;

        if (++f->repeated < GAPS)
                timer_move(t, m, now_ns + gaps[f->repeated]);
        else
                drop(t, f);
        transport_say(t, &k, SHIM_DEALLOC);
}

static void create(struct transport *t, int64_t now_ns, const struct transport_key *k)
{
        struct farewell *f = calloc(1, sizeof(*f));

        if (f == NULL)
                return;
        f->key       = *k;
        f->timer.due = due;
        TABLE_ADD(&t->secret, t->farewells, key, TRANSPORT_KEY_LEN, f);
        if (f->hh.tbl == NULL || timer_start(t, &f->timer, now_ns + gaps[0]) < 0)
                drop(t, f);
}

/* Whoever asked does not want the answer any more, if it comes now. */
static void forget_flow(struct transport *t, int64_t now_ns, const struct transport_key *k)
{
        if (memory_of(&t->memory, &t->secret, k) == MEMORY_FLOW)
                transport_remember(t, now_ns, k, MEMORY_OVER);
}

void transport_dealloc(struct transport *t, int64_t now_ns, const struct transport_key *k)
{
        if (answerer_refuse(t, now_ns, k) || find(t, k) != NULL)
                return;
        if (!asker_give_up(t, now_ns, k))
                forget_flow(t, now_ns, k);
        create(t, now_ns, k);
        transport_say(t, k, SHIM_DEALLOC); /* once at least, also without memory */
}

bool farewell_dealloc(struct transport *t, const struct arrival *a)
{
        struct transport_key k = a->key;
        struct farewell     *f = find(t, &k);

        if (a->head.len != 0)
                return false;
        transport_say(t, &k, SHIM_DEALLOCATED);
        if (f != NULL)
                drop(t, f); /* both sides want it */
        if (asker_ended(t, a->now_ns, &k))
                return true;
        answerer_ended(t, a->now_ns, &k);
        forget_flow(t, a->now_ns, &k);
        t->ops->dealloc(t->ctx, &k);
        return true;
}

bool farewell_deallocated(struct transport *t, const struct arrival *a)
{
        struct farewell *f = find(t, &a->key);

        if (f == NULL || a->head.len != 0)
                return false;
        drop(t, f);
        return true;
}
