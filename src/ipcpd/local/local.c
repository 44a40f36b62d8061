/*
 * local.c - the layer is its directory: a flow to a name that is registered arrives on this host at once,
 * where irmd joins the two ends, which it both knows. Nothing of it is remembered here.
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

struct local {
        const struct ipcp_up *up;
        size_t                hash_len;
        struct name          *names;
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

static int local_reg(void *layer, uint32_t ask, const uint8_t *hash)
{
        struct local *l = layer;
        struct name  *n;

        (void)ask;
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

static int local_unreg(void *layer, uint32_t ask, const uint8_t *hash)
{
        struct local *l = layer;
        struct name  *n = find_name(l, hash);

        (void)ask;
        if (n == NULL)
                return -ENAME;
        log_dbg("name %02x%02x%02x%02x: unregistered", hash[0], hash[1], hash[2], hash[3]);
        remove_name(l, n);
        return 0;
}

/* -- flows ----------------------------------------------------------------- */

static void local_flow_alloc(void *layer, uint32_t ask, uint64_t flow_id, const uint8_t *hash,
                             const qosspec_t *qs, struct oap_bytes oap, struct ipcp_port port)
{
        struct local *l = layer;

        (void)port;
        if (find_name(l, hash) != NULL) {
                l->up->flow_arrived(l->up->ctx, 0, hash, qs, flow_id, oap, NULL);
                return;
        }
        log_dbg("flow %llu: the name is unknown", ull(flow_id));
        l->up->flow_reply(l->up->ctx, ask, -ENAME, (struct oap_bytes){NULL, 0}, NULL);
}

static void local_flow_answered(void *layer, uint32_t ask, int result, uint64_t flow_id, struct oap_bytes oap,
                                struct ipcp_port port)
{
        (void)layer, (void)result, (void)oap, (void)port;
        log_warn("arrival %u: irmd answers what was not asked, with flow %llu", ask, ull(flow_id));
}

static void local_flow_dealloc(void *layer, uint64_t flow_id)
{
        (void)layer;
        log_dbg("flow %llu: over", ull(flow_id));
}

/* -- the layer ------------------------------------------------------------- */

static void *local_create(const struct ipcp_ops *ops, const struct ipcp_up *up, uv_loop_t *loop)
{
        struct local *l = calloc(1, sizeof(*l));

        (void)ops, (void)loop;
        if (l != NULL)
                l->up = up;
        return l;
}

static void local_destroy(void *layer)
{
        struct local *l = layer;
        struct name  *n, *next;

        if (l == NULL)
                return;
        n = l->names;
        HASH_CLEAR(hh, l->names);
        for (; n != NULL; n = next) { /* the table has gone, the chain is still there */
                next = n->hh.next;
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

size_t local_count(const void *layer)
{
        const struct local *l = layer;

        return HASH_COUNT(l->names);
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
