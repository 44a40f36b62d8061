/*
 * local.c - a flow is known here from its request until its answer, as an arrival: irmd is asked to find a
 * server, and what it answers is passed on. Once both ends have their port there is nothing left to do for it.
 *
 * A client may give up while its arrival is out: then the arrival stays, marked, because the answer will still
 * come. If that is a server's end, irmd hears at once that it is over.
 */
#include "ipcpd/local/local.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1 /* an element that could not be added has no table */
#include <uthash.h>

#include <ouroboros/errno.h>

#include "base/log.h"
#include "crypt/hash.h"

struct name {
        uint8_t        hash[HASH_MAX];
        UT_hash_handle hh;
};

struct arrival {
        uint32_t       id;
        uint32_t       ask;    /* what the client's side wants answered */
        uint64_t       client; /* its end */
        bool           given_up;
        UT_hash_handle by_id, by_client;
};

struct local {
        const struct ipcp_up *up;
        size_t                hash_len;
        uint32_t              last_id; /* of arrivals */
        struct name          *names;
        struct arrival       *by_id;
        struct arrival       *by_client; /* those that were not given up */
};

static unsigned long long ull(uint64_t v)
{
        return v;
}

/* -- names ----------------------------------------------------------------- */

static struct name *find_name(const struct local *l, const uint8_t *hash)
{
        struct name *n;

        HASH_FIND(hh, l->names, hash, l->hash_len, n);
        return n;
}

static void remove_name(struct local *l, struct name *n)
{
        HASH_DEL(l->names, n);
        free(n);
}

static int local_reg(void *layer, const uint8_t *hash)
{
        struct local *l = layer;
        struct name  *n;

        if (find_name(l, hash) != NULL)
                return -EEXIST;
        n = calloc(1, sizeof(*n));
        if (n == NULL)
                return -ENOMEM;
        memcpy(n->hash, hash, l->hash_len);
        HASH_ADD(hh, l->names, hash, l->hash_len, n);
        if (n->hh.tbl == NULL) {
                free(n);
                return -ENOMEM;
        }
        log_dbg("name %02x%02x%02x%02x: registered", hash[0], hash[1], hash[2], hash[3]);
        return 0;
}

static int local_unreg(void *layer, const uint8_t *hash)
{
        struct local *l = layer;
        struct name  *n = find_name(l, hash);

        if (n == NULL)
                return -ENAME;
        log_dbg("name %02x%02x%02x%02x: unregistered", hash[0], hash[1], hash[2], hash[3]);
        remove_name(l, n);
        return 0;
}

/* -- arrivals -------------------------------------------------------------- */

static struct arrival *find_arrival(const struct local *l, uint32_t id)
{
        struct arrival *a;

        HASH_FIND(by_id, l->by_id, &id, sizeof(id), a);
        return a;
}

static struct arrival *find_client(const struct local *l, uint64_t client)
{
        struct arrival *a;

        HASH_FIND(by_client, l->by_client, &client, sizeof(client), a);
        return a;
}

/* Ids come round after 2^32 arrivals; 0 is none. */
static uint32_t draw_id(struct local *l)
{
        do
                l->last_id++;
        while (l->last_id == 0 || find_arrival(l, l->last_id) != NULL);
        return l->last_id;
}

static void give_up(struct local *l, struct arrival *a)
{
        HASH_DELETE(by_client, l->by_client, a);
        a->given_up = true;
}

static void remove_arrival(struct local *l, struct arrival *a)
{
        if (!a->given_up)
                give_up(l, a);
        HASH_DELETE(by_id, l->by_id, a);
        free(a);
}

/* -EEXIST, -ENOMEM. */
static int add_arrival(struct local *l, uint32_t ask, uint64_t client, struct arrival **out)
{
        struct arrival *a;

        if (find_client(l, client) != NULL)
                return -EEXIST;
        a = calloc(1, sizeof(*a));
        if (a == NULL)
                return -ENOMEM;
        a->id     = draw_id(l);
        a->ask    = ask;
        a->client = client;
        HASH_ADD(by_id, l->by_id, id, sizeof(a->id), a);
        if (a->by_id.tbl == NULL) {
                free(a);
                return -ENOMEM;
        }
        HASH_ADD(by_client, l->by_client, client, sizeof(a->client), a);
        if (a->by_client.tbl == NULL) {
                HASH_DELETE(by_id, l->by_id, a);
                free(a);
                return -ENOMEM;
        }
        *out = a;
        return 0;
}

/* -- flows ----------------------------------------------------------------- */

static void local_flow_alloc(void *layer, uint32_t ask, uint64_t flow_id, const uint8_t *hash,
                             const qosspec_t *qs)
{
        struct local   *l = layer;
        struct arrival *a;
        int             r = find_name(l, hash) == NULL ? -ENAME : add_arrival(l, ask, flow_id, &a);

        if (r == 0) {
                l->up->flow_arrived(l->up->ctx, a->id, hash, qs, flow_id);
                return;
        }
        log_dbg("flow %llu: refused: %s", ull(flow_id), o7s_strerror(r));
        l->up->flow_reply(l->up->ctx, ask, r);
}

static void local_flow_answered(void *layer, uint32_t ask, int result, uint64_t flow_id)
{
        struct local   *l = layer;
        struct arrival *a = find_arrival(l, ask);
        struct arrival  was;

        if (a == NULL) {
                log_warn("arrival %u: irmd answers what was not asked", ask);
                return;
        }
        was = *a;
        remove_arrival(l, a);
        if (!was.given_up) {
                log_dbg("flow %llu: %s", ull(was.client), result == 0 ? "accepted" : o7s_strerror(result));
                l->up->flow_reply(l->up->ctx, was.ask, result);
        } else if (result == 0) {
                l->up->flow_dealloc(l->up->ctx, flow_id);
        }
}

static void local_flow_dealloc(void *layer, uint64_t flow_id)
{
        struct local   *l = layer;
        struct arrival *a = find_client(l, flow_id);

        if (a == NULL) {
                log_dbg("flow %llu: over, but unknown", ull(flow_id));
                return;
        }
        log_dbg("flow %llu: given up", ull(flow_id));
        give_up(l, a);
}

/* -- the layer ------------------------------------------------------------- */

static void *local_create(const struct ipcp_up *up)
{
        struct local *l = calloc(1, sizeof(*l));

        if (l != NULL)
                l->up = up;
        return l;
}

static void local_destroy(void *layer)
{
        struct local   *l = layer;
        struct arrival *a, *next_a;
        struct name    *n, *next_n;

        if (l == NULL)
                return;
        a = l->by_id;
        n = l->names;
        HASH_CLEAR(by_client, l->by_client);
        HASH_CLEAR(by_id, l->by_id);
        HASH_CLEAR(hh, l->names);
        for (; a != NULL; a = next_a) { /* the tables have gone, the chains are still there */
                next_a = a->by_id.next;
                free(a);
        }
        for (; n != NULL; n = next_n) {
                next_n = n->hh.next;
                free(n);
        }
        free(l);
}

static int local_bootstrap(void *layer, const struct ipcp_config *conf)
{
        struct local *l = layer;

        l->hash_len = hash_len(conf->layer_info.dir_hash_algo);
        return 0;
}

struct local_counts local_count(const void *layer)
{
        const struct local *l = layer;

        return (struct local_counts){HASH_COUNT(l->names), HASH_CNT(by_id, l->by_id)};
}

const struct ipcp_ops local_ops = {
        .program       = "ipcpd-local",
        .type          = IPCP_LOCAL,
        .create        = local_create,
        .destroy       = local_destroy,
        .bootstrap     = local_bootstrap,
        .reg           = local_reg,
        .unreg         = local_unreg,
        .flow_alloc    = local_flow_alloc,
        .flow_answered = local_flow_answered,
        .flow_dealloc  = local_flow_dealloc,
};
