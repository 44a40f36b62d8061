/*
 * end.c - how flows end. The application ends one: what it has written goes out, then the peer is told.
 * The peer ends one, or the application breaks its ring: at once.
 */
#include <errno.h>
#include <stdlib.h>

#include <ouroboros/errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "ipcpd/shim/layer.h"

/* So long an ended flow may have packets that the link does not take. */
#define LINGER_NS (30 * NS_PER_S)

static unsigned long long ull(uint64_t v)
{
        return v;
}

static void log_losses(const struct shim_flow *f)
{
        struct pump_facts facts;

        pump_flow_facts(f->pump, &facts);
        if (facts.full > 0 || facts.too_large > 0)
                log_dbg("flow %llu: %llu packets found its ring full, %llu were too large",
                        ull(shim_flow_id(f)), ull(facts.full), ull(facts.too_large));
}

void shim_flow_drop(struct shim *s, struct shim_flow *f)
{
        if (f->pump != NULL) {
                log_losses(f);
                pump_remove(f->pump);
        }
        ticker_cancel(s->ticker, &f->linger);
        free(f->request);
        shim_flows_remove(s->flows, f);
}

/* A request that irmd has not answered is refused by this. */
static void tell_peer(struct shim *s, const struct shim_flow *f)
{
        struct transport_key k;

        if (f->state == SHIM_LOOKING)
                return; /* it knows nothing of it */
        shim_flow_key(f, &k);
        transport_dealloc(s->transport, clock_now_ns(), &k);
}

void shim_flow_finish(struct shim *s, struct shim_flow *f)
{
        tell_peer(s, f);
        shim_flow_drop(s, f);
        shim_rearm(s);
}

void shim_end_all(struct shim *s)
{
        while (shim_flows_first(s->flows) != NULL)
                shim_flow_finish(s, shim_flows_first(s->flows));
}

/* -- the application ends it ----------------------------------------------- */

static void begin_end(struct shim *s, struct shim_flow *f)
{
        f->state = SHIM_ENDING;
        if (ticker_set(s->ticker, &f->linger, clock_after(clock_now_ns(), LINGER_NS)) < 0) {
                log_warn("flow %llu: out of memory: what it still had to send is lost", ull(shim_flow_id(f)));
                shim_flow_finish(s, f);
                return;
        }
        pump_end(f->pump);
}

void shim_flow_dealloc(void *layer, uint64_t flow_id)
{
        struct shim      *s = layer;
        struct shim_flow *f = shim_flow_by_id(s->flows, flow_id);

        if (f == NULL) {
                log_dbg("flow %llu: irmd ends what has gone", ull(flow_id));
        } else if (f->state == SHIM_OPEN) {
                log_dbg("flow %llu: over", ull(flow_id));
                begin_end(s, f);
        } else if (f->state != SHIM_ENDING) {
                log_dbg("flow %llu: given up", ull(flow_id));
                shim_flow_finish(s, f);
        }
}

void shim_on_drained(void *ctx, void *flow_ctx)
{
        shim_flow_finish(ctx, flow_ctx);
}

void shim_flow_lingered(struct shim *s, struct shim_flow *f)
{
        log_warn("flow %llu: the link does not take what it still had to send", ull(shim_flow_id(f)));
        shim_flow_finish(s, f);
}

/* -- somebody else does ---------------------------------------------------- */

/* irmd hears of a flow that it counts as open. */
static void tell_irmd(struct shim *s, enum shim_state was, uint64_t id)
{
        if (was == SHIM_OPEN)
                s->up->flow_dealloc(s->up->ctx, id);
}

void shim_on_dealloc(void *ctx, const struct transport_key *k)
{
        struct shim      *s = ctx;
        struct shim_flow *f = shim_flow_by_exchange(s->flows, k);
        enum shim_state   was;
        uint64_t          id;
        uint32_t          ask;

        if (f == NULL || f->request != NULL)
                return; /* what we ask for ends by its reply */
        was = f->state;
        id  = shim_flow_id(f);
        ask = f->ask;
        if (was == SHIM_ARRIVED)
                log_dbg("arrival %u: given up by its client", ask);
        else
                log_dbg("flow %llu: ended by the peer", ull(id));
        shim_flow_drop(s, f);
        if (was == SHIM_ARRIVED)
                s->up->arrival_gone(s->up->ctx, ask);
        else
                tell_irmd(s, was, id);
}

void shim_on_broken(void *ctx, void *flow_ctx)
{
        struct shim      *s   = ctx;
        struct shim_flow *f   = flow_ctx;
        enum shim_state   was = f->state;
        uint64_t          id  = shim_flow_id(f);

        log_warn("flow %llu: the application broke its ring", ull(id));
        if (f->request != NULL) {
                tell_peer(s, f);
                shim_flow_refuse(s, f, -EPROTO);
                shim_rearm(s);
                return;
        }
        shim_flow_finish(s, f);
        tell_irmd(s, was, id);
}
