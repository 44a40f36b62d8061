/* shim.c - the life of a shim, and what its link, its transport and its deadlines call. */
#include "ipcpd/shim/shim.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <ouroboros/errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "crypt/hash.h"
#include "ipcpd/common/daemon.h"
#include "ipcpd/shim/layer.h"

/* -- shared ---------------------------------------------------------------- */

/* It has been in the queue since bootstrap(), so that there is room for it. */
void shim_rearm(struct shim *s)
{
        if (ticker_set(s->ticker, &s->tick, transport_deadline(s->transport)) < 0)
                log_err("out of memory: a timer is not set");
}

/* A running kernel gives so few at once. Ids that can be guessed would be worse than no layer. */
void shim_random(void *buf, size_t len)
{
        if (getrandom(buf, len, 0) == (ssize_t)len)
                return;
        log_err("the kernel gives no random numbers");
        abort();
}

void shim_port_end(struct shim *s, struct ipcp_port port)
{
        struct pump_flow *f;

        if (pump_add(s->pump, &f, port, NULL) == 0)
                pump_remove(f);
}

const char *shim_addr(const struct shim *s, const struct link_addr *a, char out[SHIM_ADDR_TEXT])
{
        s->link_ops->addr_text(a, out);
        return out;
}

void shim_way(const struct shim *s, const struct link_addr *peer, struct ipcp_way *out)
{
        _Static_assert(2 * LINK_ADDR_MAX < sizeof(out->source), "a host fits in hex");

        memset(out, 0, sizeof(*out));
        out->packet_max = s->link_ops->packet_max(s->link, peer);
        out->mpl_ms     = s->facts.mpl_ms;
        shim_addr(s, peer, out->peer);
        for (size_t i = 0; i < peer->host_len && i < LINK_ADDR_MAX; i++)
                snprintf(out->source + 2 * i, sizeof(out->source) - 2 * i, "%02x", peer->b[i]);
}

/* -- the link -------------------------------------------------------------- */

static void link_control(void *ctx, const struct link_addr *from, const uint8_t *p, size_t len)
{
        struct shim *s = ctx;

        transport_packet(s->transport, clock_now_ns(), from, p, len);
        shim_rearm(s);
}

static void link_data(void *ctx, const struct link_addr *from, uint32_t eid, const uint8_t *p, size_t len)
{
        struct shim      *s = ctx;
        struct shim_flow *f = shim_flow_by_end(s->flows, from, eid);
        char              text[SHIM_ADDR_TEXT];

        if (f != NULL && f->pump != NULL)
                pump_in(f->pump, p, len);
        else
                log_dbg("a packet of %s for endpoint %u, which is nobody's", shim_addr(s, from, text), eid);
}

static void link_batch(void *ctx)
{
        pump_batch(((struct shim *)ctx)->pump);
}

static void link_writable(void *ctx)
{
        pump_writable(((struct shim *)ctx)->pump);
}

static void link_state(void *ctx, bool works)
{
        struct shim *s = ctx;

        if (s->works == works)
                return;
        s->works = works;
        if (works)
                log_info("the link is up again");
        else
                log_warn("the link is down: flows wait, and none is allocated until it is up again");
}

static void link_found(void *ctx, uint32_t ask, const struct link_addr *addrs, size_t n)
{
        struct shim *s = ctx;

        shim_heard(s, ask, addrs, n);
        shim_rearm(s);
}

static void link_published(void *ctx, uint32_t ask, int result)
{
        struct shim *s = ctx;

        if (result < 0)
                log_warn("the directory refuses a change: %s", o7s_strerror(result));
        shim_names_published(s->names, ask, result);
        s->up->done(s->up->ctx, ask, result);
}

/* -- the transport --------------------------------------------------------- */

static void draw(void *ctx, void *buf, size_t len)
{
        (void)ctx;
        shim_random(buf, len);
}

static void send_control(void *ctx, const struct link_addr *to, const uint8_t *p, size_t len)
{
        struct shim *s = ctx;

        s->link_ops->send_control(s->link, to, p, len);
}

static bool has(void *ctx, const uint8_t *hash, size_t len)
{
        return shim_names_has(((struct shim *)ctx)->names, hash, len);
}

static void found(void *ctx, uint64_t cookie, const struct link_addr *at)
{
        shim_heard(ctx, (uint32_t)cookie, at, at != NULL ? 1 : 0);
}

static const struct transport_ops transport_ops = {
        .random  = draw,
        .send    = send_control,
        .has     = has,
        .request = shim_on_request,
        .reply   = shim_on_reply,
        .found   = found,
        .dealloc = shim_on_dealloc,
};

static const struct pump_ops pump_ops = {shim_on_broken, shim_on_drained};

static struct shim_flow *flow_of(struct deadline *d)
{
        return (struct shim_flow *)((char *)d - offsetof(struct shim_flow, linger));
}

static void on_due(void *ctx, struct deadline *d, int64_t now_ns)
{
        struct shim *s = ctx;

        if (d == &s->tick)
                transport_tick(s->transport, now_ns);
        else
                shim_flow_lingered(s, flow_of(d));
        shim_rearm(s);
}

/* -- life ------------------------------------------------------------------ */

static void *shim_create(const struct ipcp_ops *ops, const struct ipcp_up *up, uv_loop_t *loop)
{
        struct shim *s = calloc(1, sizeof(*s));

        if (s == NULL)
                return NULL;
        s->up       = up;
        s->link_ops = ops->link;
        s->loop     = loop;
        s->link_up  = (struct link_up){.ctx       = s,
                                       .control   = link_control,
                                       .data      = link_data,
                                       .batch     = link_batch,
                                       .writable  = link_writable,
                                       .state     = link_state,
                                       .found     = link_found,
                                       .published = link_published};
        return s;
}

static struct transport *open_transport(struct shim *s)
{
        struct transport_config conf = {
                .datagram = s->facts.control_max, .pad_to = s->facts.pad_to, .proves = s->facts.proves};
        struct transport *t;

        shim_random(conf.secret, sizeof(conf.secret));
        t = transport_create(&conf, &transport_ops, s);
        explicit_bzero(&conf, sizeof(conf));
        return t;
}

/* All that stands on the link. */
static int build(struct shim *s)
{
        s->names     = shim_names_create(s->hash_len);
        s->lookups   = shim_lookups_create(s->hash_len);
        s->flows     = shim_flows_create();
        s->transport = open_transport(s);
        s->ticker    = ticker_open(s->loop, on_due, s);
        s->pump      = pump_open(s->loop, s->link_ops, s->link, &pump_ops, s);
        if (s->names == NULL || s->lookups == NULL || s->flows == NULL || s->transport == NULL ||
            s->ticker == NULL || s->pump == NULL)
                return -ENOMEM;
        return ticker_set(s->ticker, &s->tick, CLOCK_NEVER);
}

/* Whatever is there. */
static void take_down(struct shim *s)
{
        pump_close(s->pump);
        ticker_close(s->ticker);
        transport_destroy(s->transport);
        shim_flows_destroy(s->flows);
        shim_lookups_destroy(s->lookups);
        shim_names_destroy(s->names);
        s->link_ops->close(s->link);
        s->pump      = NULL;
        s->ticker    = NULL;
        s->transport = NULL;
        s->flows     = NULL;
        s->lookups   = NULL;
        s->names     = NULL;
        s->link      = NULL;
        s->tick      = (struct deadline){0};
}

static int shim_bootstrap(void *layer, const struct ipcp_config *conf)
{
        struct shim *s = layer;
        int          r = s->link_ops->open(&s->link, s->loop, conf, &s->link_up);

        if (r < 0) {
                s->link = NULL;
                return r;
        }
        s->works    = true;
        s->hash_len = hash_len(conf->layer_info.dir_hash_algo);
        s->link_ops->facts(s->link, &s->facts);
        r = build(s);
        if (r < 0) {
                log_err("the layer cannot be built: %s", o7s_strerror(r));
                take_down(s);
        }
        return r;
}

static void shim_stop(void *layer)
{
        struct shim *s = layer;

        if (s->link == NULL)
                return;
        shim_end_all(s);
        take_down(s);
}

static void shim_destroy(void *layer)
{
        free(layer);
}

void shim_ops(struct ipcp_ops *out, const struct link_ops *link)
{
        *out = (struct ipcp_ops){
                .program       = link->program,
                .type          = link->type,
                .link          = link,
                .create        = shim_create,
                .stop          = shim_stop,
                .destroy       = shim_destroy,
                .bootstrap     = shim_bootstrap,
                .reg           = shim_reg,
                .unreg         = shim_unreg,
                .name_query    = shim_name_query,
                .flow_alloc    = shim_flow_alloc,
                .flow_answered = shim_flow_answered,
                .flow_dealloc  = shim_flow_dealloc,
        };
}

int shim_main(const struct link_ops *link, int argc, char *argv[])
{
        struct ipcp_ops ops;

        shim_ops(&ops, link);
        return daemon_main(&ops, argc, argv);
}
