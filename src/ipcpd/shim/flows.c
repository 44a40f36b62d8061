#include "ipcpd/shim/flows.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A small space (LLC has some 120 ids) is walked through, a large one has a free one at once. */
#define EID_TRIES 512u

_Static_assert(sizeof(struct shim_end) == sizeof(struct link_addr) + 4, "a key has no padding");
_Static_assert(sizeof(struct shim_exchange) == sizeof(struct link_addr) + 8, "a key has no padding");

LIST_HEAD(flow_list, shim_flow);

struct shim_flows {
        struct flow_list  all;
        size_t            n;
        uint32_t          last_ask;
        struct shim_flow *by_id, *by_ask, *by_end, *by_exchange;
};

struct shim_flows *shim_flows_create(void)
{
        struct shim_flows *fs = calloc(1, sizeof(*fs));

        if (fs != NULL)
                LIST_INIT(&fs->all);
        return fs;
}

void shim_flows_destroy(struct shim_flows *fs)
{
        if (fs == NULL)
                return;
        while (!LIST_EMPTY(&fs->all))
                shim_flows_remove(fs, LIST_FIRST(&fs->all));
        free(fs);
}

struct shim_flow *shim_flows_first(const struct shim_flows *fs)
{
        return LIST_FIRST(&fs->all);
}

size_t shim_flows_count(const struct shim_flows *fs)
{
        return fs->n;
}

struct shim_flow *shim_flows_add(struct shim_flows *fs)
{
        struct shim_flow *f = calloc(1, sizeof(*f));

        if (f == NULL)
                return NULL;
        LIST_INSERT_HEAD(&fs->all, f, all);
        fs->n++;
        return f;
}

void shim_flows_remove(struct shim_flows *fs, struct shim_flow *f)
{
        if (f->by_id.tbl != NULL)
                HASH_DELETE(by_id, fs->by_id, f);
        shim_flow_settle(fs, f);
        shim_flow_unplace(fs, f);
        LIST_REMOVE(f, all);
        fs->n--;
        free(f);
}

/* -- irmd's side ----------------------------------------------------------- */

int shim_flow_name(struct shim_flows *fs, struct shim_flow *f, uint64_t id)
{
        if (shim_flow_by_id(fs, id) != NULL)
                return -EEXIST;
        f->id = id;
        HASH_ADD(by_id, fs->by_id, id, sizeof(f->id), f);
        return f->by_id.tbl == NULL ? -ENOMEM : 0;
}

uint64_t shim_flow_id(const struct shim_flow *f)
{
        return f->by_id.tbl == NULL ? 0 : f->id;
}

struct shim_flow *shim_flow_by_id(const struct shim_flows *fs, uint64_t id)
{
        struct shim_flow *f;

        HASH_FIND(by_id, fs->by_id, &id, sizeof(id), f);
        return f;
}

int shim_flow_number(struct shim_flows *fs, struct shim_flow *f)
{
        do
                fs->last_ask++;
        while (fs->last_ask == 0 || shim_flow_by_ask(fs, fs->last_ask) != NULL);
        f->ask = fs->last_ask;
        HASH_ADD(by_ask, fs->by_ask, ask, sizeof(f->ask), f);
        return f->by_ask.tbl == NULL ? -ENOMEM : 0;
}

void shim_flow_settle(struct shim_flows *fs, struct shim_flow *f)
{
        if (f->by_ask.tbl == NULL)
                return;
        HASH_DELETE(by_ask, fs->by_ask, f);
        f->by_ask.tbl = NULL;
}

struct shim_flow *shim_flow_by_ask(const struct shim_flows *fs, uint32_t ask)
{
        struct shim_flow *f;

        HASH_FIND(by_ask, fs->by_ask, &ask, sizeof(ask), f);
        return f;
}

/* -- the wire's side ------------------------------------------------------- */

static struct shim_end end_of(const struct link_addr *peer, uint32_t eid)
{
        struct shim_end e = {.peer = *peer};

        memcpy(e.eid, &eid, sizeof(eid));
        return e;
}

static struct shim_exchange exchange_of(const struct link_addr *peer, uint64_t id)
{
        struct shim_exchange x = {.peer = *peer};

        memcpy(x.id, &id, sizeof(id));
        return x;
}

struct shim_flow *shim_flow_by_end(const struct shim_flows *fs, const struct link_addr *peer,
                                   uint32_t own_eid)
{
        struct shim_end   e = end_of(peer, own_eid);
        struct shim_flow *f;

        HASH_FIND(by_end, fs->by_end, &e, sizeof(e), f);
        return f;
}

struct shim_flow *shim_flow_by_exchange(const struct shim_flows *fs, const struct transport_key *k)
{
        struct shim_exchange x = exchange_of(&k->peer, k->id);
        struct shim_flow    *f;

        HASH_FIND(by_exchange, fs->by_exchange, &x, sizeof(x), f);
        return f;
}

/* One that is free with @peer, or 0. */
static uint32_t draw_eid(const struct shim_flows *fs, const struct link_addr *peer,
                         uint32_t (*eid_of)(uint64_t r), uint64_t             r)
{
        for (uint64_t i = 0; i < EID_TRIES; i++) {
                uint32_t eid = eid_of(r + i);

                if (shim_flow_by_end(fs, peer, eid) == NULL)
                        return eid;
        }
        return 0;
}

int shim_flow_place(struct shim_flows *fs, struct shim_flow *f, const struct link_addr *peer,
                    uint32_t (*eid_of)(uint64_t r), uint64_t r)
{
        uint32_t eid = draw_eid(fs, peer, eid_of, r);

        if (eid == 0)
                return -EBUSY;
        f->end = end_of(peer, eid);
        HASH_ADD(by_end, fs->by_end, end, sizeof(f->end), f);
        if (f->by_end.tbl == NULL)
                return -ENOMEM;
        f->path = (struct link_path){.to = *peer, .own_eid = eid};
        return 0;
}

int shim_flow_bind(struct shim_flows *fs, struct shim_flow *f, uint64_t exchange_id)
{
        struct transport_key k = {.peer = f->path.to, .id = exchange_id};

        if (shim_flow_by_exchange(fs, &k) != NULL)
                return -EEXIST;
        f->exchange = exchange_of(&k.peer, k.id);
        HASH_ADD(by_exchange, fs->by_exchange, exchange, sizeof(f->exchange), f);
        return f->by_exchange.tbl == NULL ? -ENOMEM : 0;
}

void shim_flow_key(const struct shim_flow *f, struct transport_key *out)
{
        memset(out, 0, sizeof(*out));
        if (f->by_exchange.tbl == NULL)
                return;
        out->peer = f->exchange.peer;
        memcpy(&out->id, f->exchange.id, sizeof(out->id));
}

void shim_flow_unplace(struct shim_flows *fs, struct shim_flow *f)
{
        if (f->by_end.tbl != NULL)
                HASH_DELETE(by_end, fs->by_end, f);
        if (f->by_exchange.tbl != NULL)
                HASH_DELETE(by_exchange, fs->by_exchange, f);
        f->by_end.tbl = f->by_exchange.tbl = NULL;
}
