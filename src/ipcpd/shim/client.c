/*
 * client.c - flows that this host asks for: the name is looked up, then who has it is asked. A place
 * that was only remembered may be out of date: if nobody is there, or not for this name, it is looked up once
 * more.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <ouroboros/errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "crypt/hash.h"
#include "ipcpd/shim/layer.h"

/* What irmd wants, kept until it has its answer. */
struct shim_wish {
        uint8_t            hash[HASH_MAX];
        qosspec_t          qs;
        struct shim_places at;
        size_t             next;     /* of `at` to be asked              */
        bool               recalled; /* `at` was known and not looked up */
        bool               renewed;  /* and has been looked up since     */
        size_t             oap_len;
        uint8_t            oap[];
};

static unsigned long long ull(uint64_t v)
{
        return v;
}

void shim_flow_refuse(struct shim *s, struct shim_flow *f, int result)
{
        uint32_t ask = f->ask;

        log_dbg("flow %llu: not allocated: %s", ull(shim_flow_id(f)), o7s_strerror(result));
        shim_flow_drop(s, f);
        s->up->flow_reply(s->up->ctx, ask, result, SHIM_NO_OAP, NULL);
}

/* -- asking ---------------------------------------------------------------- */

static int send_request(struct shim *s, struct shim_flow *f)
{
        const struct shim_wish  *rq  = f->request;
        struct transport_request trq = {.eid      = f->path.own_eid,
                                        .hash     = rq->hash,
                                        .hash_len = s->hash_len,
                                        .qs       = rq->qs,
                                        .oap      = {rq->oap, rq->oap_len}};
        struct transport_key     k;
        int r = transport_ask(s->transport, clock_now_ns(), &f->path.to, &trq, shim_flow_id(f), &k);

        if (r < 0)
                return r;
        r = shim_flow_bind(s->flows, f, k.id);
        if (r < 0)
                transport_dealloc(s->transport, clock_now_ns(), &k);
        return r;
}

/* Its endpoint id is ours before the peer knows it: what comes behind its reply, or before, is kept. */
static void ask_next(struct shim *s, struct shim_flow *f)
{
        const struct link_addr *to = &f->request->at.at[f->request->next++];
        char                    text[SHIM_ADDR_TEXT];
        uint64_t                random;
        int                     r;

        log_dbg("flow %llu: asks %s", ull(shim_flow_id(f)), shim_addr(s, to, text));
        shim_random(&random, sizeof(random));
        f->state = SHIM_ASKING;
        r        = shim_flow_place(s->flows, f, to, s->link_ops->eid, random);
        if (r == -EBUSY)
                log_warn("flow %llu: all endpoint ids with %s are taken", ull(shim_flow_id(f)),
                         shim_addr(s, to, text));
        if (r == 0)
                r = send_request(s, f);
        if (r < 0)
                shim_flow_refuse(s, f, r);
}

static void look_up(struct shim *s, struct shim_flow *f)
{
        f->state = SHIM_LOOKING;
        shim_look_up(s, f->request->hash, (struct shim_waiter){.flow_id = shim_flow_id(f), .ask = f->ask});
}

void shim_flow_found(struct shim *s, struct shim_flow *f, const struct shim_places *at)
{
        f->request->at   = *at;
        f->request->next = 0;
        if (at->n == 0)
                shim_flow_refuse(s, f, -ENAME);
        else
                ask_next(s, f);
}

static void begin(struct shim *s, struct shim_flow *f)
{
        struct shim_places at;

        if (s->works && shim_names_recall(s->names, clock_now_ns(), f->request->hash, &at)) {
                f->request->recalled = true;
                shim_flow_found(s, f, &at);
        } else {
                look_up(s, f);
        }
}

/* -- what irmd wants ------------------------------------------------------- */

static struct shim_wish *request_create(const struct shim *s, const uint8_t *hash, const qosspec_t *qs,
                                        struct oap_bytes oap)
{
        struct shim_wish *rq = calloc(1, sizeof(*rq) + oap.len);

        if (rq == NULL)
                return NULL;
        memcpy(rq->hash, hash, s->hash_len);
        rq->qs      = *qs;
        rq->oap_len = oap.len;
        if (oap.len > 0)
                memcpy(rq->oap, oap.p, oap.len);
        return rq;
}

/* Takes over @port. */
static int flow_create(struct shim *s, uint64_t flow_id, struct shim_wish *rq, struct ipcp_port port,
                       struct shim_flow **out)
{
        struct shim_flow *f = shim_flows_add(s->flows);
        int               r = f == NULL || rq == NULL ? -ENOMEM : shim_flow_name(s->flows, f, flow_id);

        if (r < 0)
                shim_port_end(s, port);
        else
                r = pump_add(s->pump, &f->pump, port, f);
        if (r < 0) {
                if (f != NULL)
                        shim_flow_drop(s, f);
                free(rq);
                return r;
        }
        f->request = rq;
        *out       = f;
        return 0;
}

void shim_flow_alloc(void *layer, uint32_t ask, uint64_t flow_id, const uint8_t *hash, const qosspec_t *qs,
                     struct oap_bytes oap, struct ipcp_port port)
{
        struct shim      *s = layer;
        struct shim_flow *f;
        int               r = flow_create(s, flow_id, request_create(s, hash, qs, oap), port, &f);

        if (r < 0) {
                log_warn("flow %llu: not allocated: %s", ull(flow_id), o7s_strerror(r));
                s->up->flow_reply(s->up->ctx, ask, r, SHIM_NO_OAP, NULL);
                return;
        }
        f->ask = ask;
        begin(s, f);
        shim_rearm(s);
}

/* -- what the peer says ---------------------------------------------------- */

static void accepted(struct shim *s, struct shim_flow *f, uint32_t eid, struct oap_bytes oap)
{
        struct ipcp_way way;

        shim_way(s, &f->path.to, &way);
        log_dbg("flow %llu: open with %s", ull(shim_flow_id(f)), way.peer);
        free(f->request);
        f->request  = NULL;
        f->state    = SHIM_OPEN;
        f->path.eid = eid;
        pump_set_path(f->pump, &f->path, way.packet_max);
        s->up->flow_reply(s->up->ctx, f->ask, 0, oap, &way);
}

/* The peer does not have the name, or there is no peer: somebody else may. */
static void not_there(struct shim *s, struct shim_flow *f)
{
        struct shim_wish *rq = f->request;
        char              text[SHIM_ADDR_TEXT];

        log_dbg("flow %llu: the name is not at %s", ull(shim_flow_id(f)), shim_addr(s, &f->path.to, text));
        shim_names_forget(s->names, rq->hash, &f->path.to);
        shim_flow_unplace(s->flows, f);
        if (rq->next < rq->at.n) {
                ask_next(s, f);
        } else if (rq->recalled && !rq->renewed) {
                rq->renewed = true;
                look_up(s, f);
        } else {
                shim_flow_refuse(s, f, -ENAME);
        }
}

/*
 * The request may have been heard, and only the answers been lost: it is not sent elsewhere, and whoever heard it is
 * told that nobody waits any more. irmd may make another, and the place is no longer known by then.
 */
static void nobody_there(struct shim *s, struct shim_flow *f, const struct transport_key *k)
{
        transport_dealloc(s->transport, clock_now_ns(), k);
        shim_names_forget(s->names, f->request->hash, &f->path.to);
        shim_flow_refuse(s, f, -EHOSTUNREACH);
}

void shim_on_reply(void *ctx, uint64_t cookie, const struct transport_key *k, int result, uint32_t eid,
                   struct transport_bytes oap)
{
        struct shim      *s = ctx;
        struct shim_flow *f = shim_flow_by_exchange(s->flows, k);

        if (f == NULL || f->state != SHIM_ASKING || shim_flow_id(f) != cookie) {
                log_dbg("flow %llu: a reply that nobody waits for", ull(cookie));
        } else if (result == -ENAME) {
                not_there(s, f);
        } else if (result == -EHOSTUNREACH) {
                nobody_there(s, f, k);
        } else if (result < 0) {
                shim_flow_refuse(s, f, result);
        } else if (!s->link_ops->eid_ok(eid)) {
                log_dbg("flow %llu: is to be addressed by %u, which this link cannot", ull(cookie), eid);
                transport_dealloc(s->transport, clock_now_ns(), k);
                shim_flow_refuse(s, f, -EPROTO);
        } else {
                accepted(s, f, eid, (struct oap_bytes){oap.p, oap.len});
        }
}
