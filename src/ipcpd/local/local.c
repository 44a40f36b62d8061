/*
 * local.c - a flow is two ends and, until irmd has found a server, an arrival.
 *
 *     flow_alloc:     the client's end is born with an arrival, and irmd is asked about that
 *     flow_answered:  the arrival goes. Accepted: the server's end is born and paired. Refused: the client's
 * end goes flow_dealloc:   the end goes; its pair, if there still is one, stays until its own dealloc
 *
 * A client may give up while its arrival is out: then the arrival stays without a client, because the answer
 * will still come. If that is a server's end, irmd hears at once that it is over.
 */
#include "ipcpd/local/local.h"

#include <errno.h>
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

struct end {
        uint64_t        id;
        struct end     *pair;
        struct arrival *arrival; /* a client's that has not been answered */
        UT_hash_handle  hh;
};

struct arrival {
        uint32_t       id;
        uint32_t       ask;    /* what the client's side wants answered */
        struct end    *client; /* NULL: it gave up */
        UT_hash_handle hh;
};

struct local {
        const struct ipcp_up *up;
        size_t                hash_len;
        uint32_t              last_id; /* of arrivals */
        struct name          *names;
        struct end           *ends;
        struct arrival       *arrivals;
};

static unsigned long long ull(uint64_t v)
{
        return v;
}

/* -- names -------------------------------------------------------------------- */

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

/* -- ends --------------------------------------------------------------------- */

static struct end *find_end(const struct local *l, uint64_t id)
{
        struct end *e;

        HASH_FIND(hh, l->ends, &id, sizeof(id), e);
        return e;
}

/* -EEXIST, -ENOMEM. */
static int add_end(struct local *l, uint64_t id, struct end **out)
{
        struct end *e;

        if (find_end(l, id) != NULL)
                return -EEXIST;
        e = calloc(1, sizeof(*e));
        if (e == NULL)
                return -ENOMEM;
        e->id = id;
        HASH_ADD(hh, l->ends, id, sizeof(e->id), e);
        if (e->hh.tbl == NULL) {
                free(e);
                return -ENOMEM;
        }
        *out = e;
        return 0;
}

static void remove_end(struct local *l, struct end *e)
{
        if (e->pair != NULL)
                e->pair->pair = NULL;
        if (e->arrival != NULL)
                e->arrival->client = NULL;
        HASH_DEL(l->ends, e);
        free(e);
}

/* -- arrivals ----------------------------------------------------------------- */

static struct arrival *find_arrival(const struct local *l, uint32_t id)
{
        struct arrival *a;

        HASH_FIND(hh, l->arrivals, &id, sizeof(id), a);
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

static int add_arrival(struct local *l, uint32_t ask, struct end *client)
{
        struct arrival *a = calloc(1, sizeof(*a));

        if (a == NULL)
                return -ENOMEM;
        a->id  = draw_id(l);
        a->ask = ask;
        HASH_ADD(hh, l->arrivals, id, sizeof(a->id), a);
        if (a->hh.tbl == NULL) {
                free(a);
                return -ENOMEM;
        }
        a->client       = client;
        client->arrival = a;
        return 0;
}

/* Returns the client, or NULL when it gave up. */
static struct end *remove_arrival(struct local *l, struct arrival *a)
{
        struct end *client = a->client;

        if (client != NULL)
                client->arrival = NULL;
        HASH_DEL(l->arrivals, a);
        free(a);
        return client;
}

/* -- flows -------------------------------------------------------------------- */

static void local_flow_alloc(void *layer, uint32_t ask, uint64_t flow_id, const uint8_t *hash,
                             const qosspec_t *qs)
{
        struct local *l      = layer;
        struct end   *client = NULL;
        int           r      = find_name(l, hash) == NULL ? -ENAME : add_end(l, flow_id, &client);

        if (r == 0)
                r = add_arrival(l, ask, client);
        if (r == 0) {
                l->up->flow_arrived(l->up->ctx, client->arrival->id, hash, qs, flow_id);
                return;
        }
        if (client != NULL)
                remove_end(l, client);
        log_dbg("flow %llu: refused: %s", ull(flow_id), o7s_strerror(r));
        l->up->flow_reply(l->up->ctx, ask, r);
}

/* The server's end @id is there. NULL, and irmd has been told, when it cannot be kept. */
static int open_server(struct local *l, uint64_t id, struct end **server)
{
        int r = add_end(l, id, server);

        if (r == -EEXIST)
                log_warn("flow %llu: irmd answers with an end that it has given before", ull(id));
        else if (r < 0)
                l->up->flow_dealloc(l->up->ctx, id);
        return r;
}

static void local_flow_answered(void *layer, uint32_t ask, int result, uint64_t flow_id)
{
        struct local   *l      = layer;
        struct arrival *a      = find_arrival(l, ask);
        struct end     *server = NULL;
        struct end     *client;
        uint32_t        client_ask;

        if (a == NULL) {
                log_warn("arrival %u: irmd answers what was not asked", ask);
                return;
        }
        client_ask = a->ask;
        client     = remove_arrival(l, a);
        if (result == 0)
                result = open_server(l, flow_id, &server);
        if (client == NULL) {
                if (server != NULL)
                        l->up->flow_dealloc(l->up->ctx, flow_id);
                return;
        }
        log_dbg("flow %llu: %s", ull(client->id), result == 0 ? "accepted" : o7s_strerror(result));
        if (server != NULL) {
                server->pair = client;
                client->pair = server;
        } else {
                remove_end(l, client);
        }
        l->up->flow_reply(l->up->ctx, client_ask, result);
}

static void local_flow_dealloc(void *layer, uint64_t flow_id)
{
        struct local *l = layer;
        struct end   *e = find_end(l, flow_id);

        if (e == NULL) {
                log_dbg("flow %llu: over, but unknown", ull(flow_id));
                return;
        }
        log_dbg("flow %llu: over", ull(flow_id));
        remove_end(l, e);
}

/* -- the layer ---------------------------------------------------------------- */

static void *local_create(const struct ipcp_up *up)
{
        struct local *l = calloc(1, sizeof(*l));

        if (l != NULL)
                l->up = up;
        return l;
}

static void local_destroy(void *layer)
{
        struct local *l = layer;

        if (l == NULL)
                return;
        while (l->arrivals != NULL)
                remove_arrival(l, l->arrivals);
        while (l->ends != NULL)
                remove_end(l, l->ends);
        while (l->names != NULL)
                remove_name(l, l->names);
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

        return (struct local_counts){HASH_COUNT(l->names), HASH_COUNT(l->ends), HASH_COUNT(l->arrivals)};
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
