/* server.c - flows that others ask for: irmd decides, and the peer hears what. */
#include <errno.h>

#include <ouroboros/errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "ipcpd/shim/layer.h"

static void answer(struct shim *s, const struct transport_key *k, int result, uint32_t eid,
                   struct oap_bytes oap)
{
        transport_answer(s->transport, clock_now_ns(), k, result, eid,
                         (struct transport_bytes){oap.p, oap.len});
}

/* A flow for the exchange @k, in all tables that an arrival is found by. */
static int arrive(struct shim *s, const struct transport_key *k, struct shim_flow **out)
{
        struct shim_flow *f = shim_flows_add(s->flows);
        uint64_t          random;
        int               r;

        if (f == NULL)
                return -ENOMEM;
        shim_random(&random, sizeof(random));
        f->state = SHIM_ARRIVED;
        r        = shim_flow_place(s->flows, f, &k->peer, s->link_ops->eid, random);
        if (r == 0)
                r = shim_flow_bind(s->flows, f, k->id);
        if (r == 0)
                r = shim_flow_number(s->flows, f);
        if (r < 0)
                shim_flow_drop(s, f);
        else
                *out = f;
        return r;
}

void shim_on_request(void *ctx, const struct transport_key *k, const struct transport_request *rq)
{
        struct shim      *s = ctx;
        struct shim_flow *f = NULL;
        struct ipcp_way   way;
        int               r = shim_names_has(s->names, rq->hash, rq->hash_len) ? 0 : -ENAME;

        shim_way(s, &k->peer, &way);
        if (r == 0 && !s->link_ops->eid_ok(rq->eid))
                r = -ENOTALLOC; /* it could not be answered there */
        if (r == 0)
                r = arrive(s, k, &f); /* -EBUSY: all endpoint ids with this peer are taken */
        if (r < 0) {
                log_dbg("a request of %s is refused: %s", way.peer, o7s_strerror(r));
                answer(s, k, r, 0, SHIM_NO_OAP);
                return;
        }
        f->path.eid = rq->eid;
        log_dbg("arrival %u: from %s", f->ask, way.peer);
        s->up->flow_arrived(s->up->ctx, f->ask, rq->hash, &rq->qs, 0,
                            (struct oap_bytes){rq->oap.p, rq->oap.len}, &way);
}

static void refuse(struct shim *s, struct shim_flow *f, int result)
{
        struct transport_key k;

        shim_flow_key(f, &k);
        log_dbg("arrival %u: refused: %s", f->ask, o7s_strerror(result));
        shim_flow_drop(s, f);
        answer(s, &k, result, 0, SHIM_NO_OAP);
}

/* The arrival becomes the flow @flow_id. Takes over @port. */
static int join(struct shim *s, struct shim_flow *f, uint64_t flow_id, struct ipcp_port port)
{
        int r = shim_flow_name(s->flows, f, flow_id);

        if (r < 0) {
                shim_port_end(s, port);
                return r;
        }
        return pump_add(s->pump, &f->pump, port, f);
}

static void accept_flow(struct shim *s, struct shim_flow *f, struct oap_bytes oap)
{
        struct transport_key k;
        struct ipcp_way      way;

        shim_flow_key(f, &k);
        shim_way(s, &f->path.to, &way);
        log_dbg("flow %llu: open with %s", (unsigned long long)shim_flow_id(f), way.peer);
        f->state = SHIM_OPEN;
        pump_set_path(f->pump, &f->path, way.packet_max);
        answer(s, &k, 0, f->path.own_eid, oap);
}

/* irmd believes that the flow is open by now: it hears if it is not, but of a flow that was open before. */
static void admit(struct shim *s, struct shim_flow *f, uint64_t flow_id, struct oap_bytes oap,
                  struct ipcp_port port)
{
        int r = join(s, f, flow_id, port);

        if (r == 0) {
                accept_flow(s, f, oap);
                return;
        }
        log_warn("flow %llu: does not open: %s", (unsigned long long)flow_id, o7s_strerror(r));
        refuse(s, f, r);
        if (r != -EEXIST)
                s->up->flow_dealloc(s->up->ctx, flow_id);
}

/* The client has gone meanwhile, or there never was one. */
static void too_late(struct shim *s, uint32_t ask, int result, uint64_t flow_id)
{
        log_dbg("arrival %u: is no more when irmd answers", ask);
        if (result == 0)
                s->up->flow_dealloc(s->up->ctx, flow_id);
}

void shim_flow_answered(void *layer, uint32_t ask, int result, uint64_t flow_id, struct oap_bytes oap,
                        struct ipcp_port port)
{
        struct shim      *s = layer;
        struct shim_flow *f = shim_flow_by_ask(s->flows, ask);

        if (f != NULL)
                shim_flow_settle(s->flows, f);
        if (f != NULL && result == 0) {
                admit(s, f, flow_id, oap, port);
        } else {
                shim_port_end(s, port);
                if (f != NULL)
                        refuse(s, f, result);
                else
                        too_late(s, ask, result, flow_id);
        }
        shim_rearm(s);
}
