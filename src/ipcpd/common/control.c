#include "ipcpd/common/control.h"

#include <errno.h>
#include <stdlib.h>

#include <ouroboros/errno.h>

#include "base/log.h"
#include "crypt/hash.h"
#include "pb/convert.h"
#include "pb/ipcp_config.h"

#define VERSION 1

/* What a handler returns when nothing is to be said now. */
#define SILENT IPCP_LATER

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))

struct control {
        const struct ipcp_ops    *ops;
        const struct control_out *out;
        void                     *ctx;
        struct ipcp_up            up;
        void                     *layer;
        enum life                 life;
        size_t                    hash_len; /* of the layer's algorithm */

        /* what came with the message that is being looked at */
        int   *fds;
        size_t n_fds;
};

#define PORT_FDS 3u /* port, the application's bell, our own */

/* -- to irmd --------------------------------------------------------------- */

static ProtobufCBinaryData put_bytes(struct oap_bytes b)
{
        return (ProtobufCBinaryData){.len = b.len, .data = (uint8_t *)b.p};
}

static struct oap_bytes get_bytes(const ProtobufCBinaryData *b)
{
        return (struct oap_bytes){b->data, b->len};
}

static void send_request(struct control *c, uint32_t id, Ipcp__Request *rq)
{
        Ipcp__Message m = IPCP__MESSAGE__INIT;

        m.kind_case = IPCP__MESSAGE__KIND_REQUEST;
        m.request   = rq;
        c->out->send(c->ctx, id, &m);
}

static Ipcp__Way *put_way(Ipcp__Way *m, const struct ipcp_way *w)
{
        if (w == NULL)
                return NULL;
        ipcp__way__init(m);
        m->packet_max = w->packet_max;
        m->mpl_ms     = w->mpl_ms;
        m->peer       = (char *)w->peer;
        m->source     = (ProtobufCBinaryData){.len = sizeof(w->source), .data = (uint8_t *)w->source};
        return m;
}

static void send_reply(struct control *c, uint32_t id, int result, struct oap_bytes oap,
                       const struct ipcp_way *w)
{
        Ipcp__Reply   rp = IPCP__REPLY__INIT;
        Ipcp__Message m  = IPCP__MESSAGE__INIT;
        Ipcp__Way     way;

        if (id == 0)
                return; /* does not want one */
        rp.result   = result;
        rp.oap      = put_bytes(oap);
        rp.way      = put_way(&way, w);
        m.kind_case = IPCP__MESSAGE__KIND_REPLY;
        m.reply     = &rp;
        c->out->send(c->ctx, id, &m);
}

static void reply(struct control *c, uint32_t id, int result)
{
        send_reply(c, id, result, (struct oap_bytes){NULL, 0}, NULL);
}

static void up_flow_reply(void *ctx, uint32_t ask, int result, struct oap_bytes oap,
                          const struct ipcp_way *way)
{
        send_reply(ctx, ask, result, oap, way);
}

static void up_done(void *ctx, uint32_t ask, int result)
{
        reply(ctx, ask, result);
}

static void up_flow_arrived(void *ctx, uint32_t ask, const uint8_t *hash, const qosspec_t *qs, uint64_t twin,
                            struct oap_bytes oap, const struct ipcp_way *way)
{
        struct control   *c = ctx;
        Irm__Qos          q;
        Ipcp__Way         w;
        Ipcp__FlowArrived fa = IPCP__FLOW_ARRIVED__INIT;
        Ipcp__Request     rq = IPCP__REQUEST__INIT;

        pb_qos_put(&q, qs);
        fa.hash.data    = (uint8_t *)hash;
        fa.hash.len     = c->hash_len;
        fa.qos          = &q;
        fa.twin         = twin;
        fa.oap          = put_bytes(oap);
        fa.way          = put_way(&w, way);
        rq.verb_case    = IPCP__REQUEST__VERB_FLOW_ARRIVED;
        rq.flow_arrived = &fa;
        send_request(c, ask, &rq);
}

/* One of the two is 0. */
static void send_dealloc(struct control *c, uint64_t flow_id, uint32_t arrival)
{
        Ipcp__FlowDealloc fd = IPCP__FLOW_DEALLOC__INIT;
        Ipcp__Request     rq = IPCP__REQUEST__INIT;

        fd.flow_id      = flow_id;
        fd.arrival      = arrival;
        rq.verb_case    = IPCP__REQUEST__VERB_FLOW_DEALLOC;
        rq.flow_dealloc = &fd;
        send_request(c, 0, &rq);
}

static void up_flow_dealloc(void *ctx, uint64_t flow_id)
{
        send_dealloc(ctx, flow_id, 0);
}

static void up_arrival_gone(void *ctx, uint32_t ask)
{
        send_dealloc(ctx, 0, ask);
}

/* -- from irmd ------------------------------------------------------------- */

static int on_bootstrap(struct control *c, uint32_t id, const Ipcp__Request *rq)
{
        struct ipcp_config conf;
        int                r = pb_ipcp_config_get(rq->bootstrap->config, &conf, NULL);

        (void)id;
        if (r == 0 && conf.type != c->ops->type)
                r = -EIPCPTYPE;
        if (r == 0)
                r = c->ops->bootstrap(c->layer, &conf);
        if (r < 0)
                return r;
        c->hash_len = hash_len(conf.layer_info.dir_hash_algo);
        c->out->joined(c->ctx, conf.layer_info.name);
        life_step(&c->life, LIFE_EV_BOOTSTRAP);
        return 0;
}

static bool hash_ok(const struct control *c, const ProtobufCBinaryData *hash)
{
        return hash->len == c->hash_len;
}

/* The descriptors that came are the layer's now. */
static struct ipcp_port take_port(struct control *c)
{
        struct ipcp_port port = {.memfd = c->fds[0], .peer_bell = c->fds[1], .bell = c->fds[2]};

        for (size_t i = 0; i < PORT_FDS; i++)
                c->fds[i] = -1;
        return port;
}

/* Whether a message about a flow has the descriptors that this kind of layer needs. */
static bool port_ok(const struct control *c)
{
        return c->ops->type == IPCP_LOCAL || c->n_fds == PORT_FDS;
}

static struct ipcp_port port_of_message(struct control *c)
{
        return c->ops->type == IPCP_LOCAL ? IPCP_NO_PORT : take_port(c);
}

static int on_name_reg(struct control *c, uint32_t id, const Ipcp__Request *rq)
{
        if (!hash_ok(c, &rq->name_reg->hash))
                return -EINVAL;
        return c->ops->reg(c->layer, id, rq->name_reg->hash.data);
}

static int on_name_unreg(struct control *c, uint32_t id, const Ipcp__Request *rq)
{
        if (!hash_ok(c, &rq->name_unreg->hash))
                return -EINVAL;
        return c->ops->unreg(c->layer, id, rq->name_unreg->hash.data);
}

static int on_name_query(struct control *c, uint32_t id, const Ipcp__Request *rq)
{
        if (id == 0 || c->ops->name_query == NULL || !hash_ok(c, &rq->name_query->hash))
                return -EINVAL;
        c->ops->name_query(c->layer, id, rq->name_query->hash.data);
        return SILENT;
}

static int on_flow_alloc(struct control *c, uint32_t id, const Ipcp__Request *rq)
{
        const Ipcp__FlowAlloc *fa = rq->flow_alloc;
        qosspec_t              qs;

        if (id == 0 || fa->flow_id == 0 || !hash_ok(c, &fa->hash) || pb_qos_get(fa->qos, &qs) < 0 ||
            !port_ok(c))
                return -EINVAL;
        c->ops->flow_alloc(c->layer, id, fa->flow_id, fa->hash.data, &qs, get_bytes(&fa->oap),
                           port_of_message(c));
        return SILENT;
}

static int on_flow_dealloc(struct control *c, uint32_t id, const Ipcp__Request *rq)
{
        (void)id;
        c->ops->flow_dealloc(c->layer, rq->flow_dealloc->flow_id);
        return SILENT;
}

static int on_shutdown(struct control *c, uint32_t id, const Ipcp__Request *rq)
{
        (void)rq;
        control_leave(c);
        reply(c, id, 0);
        c->out->leave(c->ctx);
        return SILENT;
}

#define IN(life) (1u << (life))

static const struct verb {
        const char *name;
        int (*fn)(struct control *c, uint32_t id, const Ipcp__Request *rq);
        unsigned int states; /* in which it may be asked */
} verbs[] = {
        [IPCP__REQUEST__VERB_BOOTSTRAP]    = {"bootstrap", on_bootstrap, IN(LIFE_READY)},
        [IPCP__REQUEST__VERB_NAME_REG]     = {"name_reg", on_name_reg, IN(LIFE_OPERATIONAL)},
        [IPCP__REQUEST__VERB_NAME_UNREG]   = {"name_unreg", on_name_unreg, IN(LIFE_OPERATIONAL)},
        [IPCP__REQUEST__VERB_NAME_QUERY]   = {"name_query", on_name_query, IN(LIFE_OPERATIONAL)},
        [IPCP__REQUEST__VERB_FLOW_ALLOC]   = {"flow_alloc", on_flow_alloc, IN(LIFE_OPERATIONAL)},
        [IPCP__REQUEST__VERB_FLOW_DEALLOC] = {"flow_dealloc", on_flow_dealloc, IN(LIFE_OPERATIONAL)},
        [IPCP__REQUEST__VERB_SHUTDOWN]     = {"shutdown", on_shutdown, IN(LIFE_READY) | IN(LIFE_OPERATIONAL)},
};

static const struct verb *verb_of(const Ipcp__Request *rq)
{
        if ((size_t)rq->verb_case >= N_OF(verbs) || verbs[rq->verb_case].fn == NULL)
                return NULL;
        return &verbs[rq->verb_case];
}

static void on_request(struct control *c, uint32_t id, const Ipcp__Request *rq)
{
        const struct verb *v = verb_of(rq);
        int                r;

        if (v == NULL)
                r = -ENOTSUP;
        else if ((v->states & IN(c->life)) == 0)
                r = -EIPCPSTATE;
        else
                r = v->fn(c, id, rq);
        if (r == SILENT)
                return;
        if (r < 0)
                log_dbg("%s is refused when %s: %s", v != NULL ? v->name : "an unknown verb",
                        life_name(c->life), o7s_strerror(r));
        reply(c, id, r);
}

/* The only question of ours that is answered is about a flow that has arrived. */
static void on_reply(struct control *c, uint32_t id, const Ipcp__Reply *rp)
{
        int              result = rp->result;
        struct ipcp_port port   = IPCP_NO_PORT;

        if (c->life != LIFE_OPERATIONAL) {
                log_warn("irmd answers %u, which was not asked", id);
                return;
        }
        if (result > 0 || (result == 0 && (rp->flow_id == 0 || !port_ok(c)))) {
                log_warn("irmd answers %u with the result %d and flow %llu, taken as a refusal", id, result,
                         (unsigned long long)rp->flow_id);
                result = -EPROTO;
        }
        if (result == 0)
                port = port_of_message(c);
        c->ops->flow_answered(c->layer, id, result, rp->flow_id, get_bytes(&rp->oap), port);
}

void control_message(struct control *c, uint32_t id, const uint8_t *body, size_t len, int *fds, size_t n_fds)
{
        Ipcp__Message *m = ipcp__message__unpack(NULL, len, body);

        c->fds   = fds;
        c->n_fds = n_fds;
        if (m != NULL && m->kind_case == IPCP__MESSAGE__KIND_REQUEST) {
                on_request(c, id, m->request);
        } else if (m != NULL && m->kind_case == IPCP__MESSAGE__KIND_REPLY) {
                on_reply(c, id, m->reply);
        } else {
                log_warn("irmd sends %zu bytes that are no message", len);
                reply(c, id, -EPROTO);
        }
        ipcp__message__free_unpacked(m, NULL);
}

/* -- life ------------------------------------------------------------------ */

struct control *control_create(const struct ipcp_ops *ops, uv_loop_t *loop, const struct control_out *out,
                               void *ctx)
{
        struct control *c = calloc(1, sizeof(*c));

        if (c == NULL)
                return NULL;
        c->ops   = ops;
        c->out   = out;
        c->ctx   = ctx;
        c->up    = (struct ipcp_up){.ctx          = c,
                                    .flow_reply   = up_flow_reply,
                                    .flow_arrived = up_flow_arrived,
                                    .arrival_gone = up_arrival_gone,
                                    .flow_dealloc = up_flow_dealloc,
                                    .done         = up_done};
        c->layer = ops->create(ops, &c->up, loop);
        if (c->layer == NULL) {
                control_destroy(c);
                return NULL;
        }
        return c;
}

void control_stop(struct control *c)
{
        if (c != NULL && c->ops->stop != NULL)
                c->ops->stop(c->layer);
}

void control_destroy(struct control *c)
{
        if (c == NULL)
                return;
        c->ops->destroy(c->layer);
        free(c);
}

void control_start(struct control *c)
{
        Ipcp__Ready   ready = IPCP__READY__INIT;
        Ipcp__Request rq    = IPCP__REQUEST__INIT;

        ready.version = VERSION;
        ready.type    = c->ops->type;
        rq.verb_case  = IPCP__REQUEST__VERB_READY;
        rq.ready      = &ready;
        send_request(c, 0, &rq);
        life_step(&c->life, LIFE_EV_START);
}

void control_leave(struct control *c)
{
        life_step(&c->life, LIFE_EV_LEAVE);
}

enum life control_life(const struct control *c)
{
        return c->life;
}
