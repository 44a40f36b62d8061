#include "shim_world.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "ipcpd/shim/shim.h"
#include "ipcpd/shim/layer.h"
#include "shm/bell.h"

/* -- irmd ------------------------------------------------------------------ */

static struct event *note(struct host *h, enum event_kind kind)
{
        struct event *e = &h->events[h->n_events++];

        assert_true(h->n_events < WORLD_EVENTS);
        e->kind = kind;
        h->n[kind]++;
        return e;
}

static void note_oap(struct event *e, struct oap_bytes oap, const struct ipcp_way *way)
{
        e->oap_len = oap.len;
        if (oap.len > 0)
                memcpy(e->oap, oap.p, oap.len < sizeof(e->oap) ? oap.len : sizeof(e->oap));
        e->has_way = way != NULL;
        if (way != NULL)
                e->way = *way;
}

static void up_reply(void *ctx, uint32_t ask, int result, struct oap_bytes oap, const struct ipcp_way *way)
{
        struct event *e = note(ctx, EV_REPLY);

        e->ask    = ask;
        e->result = result;
        note_oap(e, oap, way);
}

static void up_arrived(void *ctx, uint32_t ask, const uint8_t *hash, const qosspec_t *qs, uint64_t twin,
                       struct oap_bytes oap, const struct ipcp_way *way)
{
        struct host  *h = ctx;
        struct event *e = note(h, EV_ARRIVED);
        struct app   *a;

        assert_int_equal(twin, 0);
        assert_int_not_equal(ask, 0);
        e->ask = ask;
        e->qs  = *qs;
        memcpy(e->hash, hash, WORLD_HASH);
        note_oap(e, oap, way);
        if (!h->auto_accept)
                return;
        a = &h->apps[h->auto_first++];
        host_accept(h, a, ask, "yes", 3);
        if (h->greeting != NULL)
                app_write(a, h->greeting);
}

static void up_gone(void *ctx, uint32_t ask)
{
        note(ctx, EV_GONE)->ask = ask;
}

static void up_dealloc(void *ctx, uint64_t flow_id)
{
        note(ctx, EV_DEALLOC)->flow_id = flow_id;
}

static void up_done(void *ctx, uint32_t ask, int result)
{
        struct event *e = note(ctx, EV_DONE);

        e->ask    = ask;
        e->result = result;
}

const struct event *host_event(const struct host *h, enum event_kind kind, size_t i)
{
        for (size_t at = 0; at < h->n_events; at++) {
                if (h->events[at].kind == kind && i-- == 0)
                        return &h->events[at];
        }
        fail_msg("host %u has no such event", h->number);
        return NULL;
}

const uint8_t *name_of(char c)
{
        static uint8_t hash[WORLD_HASH];

        memset(hash, c, sizeof(hash));
        return hash;
}

uint32_t host_reg(struct host *h, char name, int expected)
{
        uint32_t ask = ++h->w->last_ask;

        assert_int_equal(h->ops.reg(h->layer, ask, name_of(name)), expected);
        return ask;
}

uint32_t host_query(struct host *h, char name)
{
        uint32_t ask = ++h->w->last_ask;

        h->ops.name_query(h->layer, ask, name_of(name));
        return ask;
}

uint32_t host_alloc(struct host *h, struct app *a, char name, const void *oap, size_t oap_len)
{
        uint32_t         ask = ++h->w->last_ask;
        struct ipcp_port port;

        app_open(h->w, a, &port);
        h->ops.flow_alloc(h->layer, ask, a->flow_id, name_of(name), &qos_voice,
                          (struct oap_bytes){oap, oap_len}, port);
        return ask;
}

void host_accept(struct host *h, struct app *a, uint32_t ask, const void *oap, size_t oap_len)
{
        struct ipcp_port port;

        app_open(h->w, a, &port);
        h->ops.flow_answered(h->layer, ask, 0, a->flow_id, (struct oap_bytes){oap, oap_len}, port);
}

void host_refuse(struct host *h, uint32_t ask, int result)
{
        h->ops.flow_answered(h->layer, ask, result, 0, SHIM_NO_OAP, IPCP_NO_PORT);
}

void host_dealloc(struct host *h, uint64_t flow_id)
{
        h->ops.flow_dealloc(h->layer, flow_id);
}

size_t host_flows(const struct host *h)
{
        return shim_flows_count(((const struct shim *)h->layer)->flows);
}

/* -- applications ---------------------------------------------------------- */

void app_open(struct world *w, struct app *a, struct ipcp_port *other)
{
        struct bell bell[2];

        other->memfd = port_create();
        assert_true(other->memfd >= 0);
        assert_int_equal(bell_create(&bell[0]), 0);
        assert_int_equal(bell_create(&bell[1]), 0);
        assert_int_equal(port_open(&a->port, other->memfd, 0, bell[0].own, bell[1].other), 0);
        fd_close(&bell[0].keeper);
        fd_close(&bell[1].keeper);
        other->bell      = bell[1].own;
        other->peer_bell = bell[0].other;
        a->flow_id       = ++w->last_id;
}

void app_close(struct app *a)
{
        port_close(&a->port);
}

void app_write(struct app *a, const char *text)
{
        assert_int_equal(port_write(&a->port, text, strlen(text)), 0);
}

const char *app_read(struct app *a)
{
        static char    text[2 * WORLD_MAX];
        const uint8_t *p;
        size_t         len;
        int            r;

        port_rx_enter_uncalled(&a->port);
        r = port_look(&a->port, &p, &len);
        if (r == 0) {
                assert_true(len < sizeof(text));
                memcpy(text, p, len);
                text[len] = '\0';
                port_pop(&a->port);
        }
        port_rx_leave(&a->port);
        return r == 0 ? text : r == -ENODATA ? "end" : r == -EAGAIN ? "" : "?";
}

/* -- the world ------------------------------------------------------------- */

static void on_alarm(uv_timer_t *t)
{
        (void)t; /* that the loop has turned is all */
}

static void host_start(struct host *h, const struct link_ops *link)
{
        struct ipcp_config conf = {.type = IPCP_ETH_DIX, .layer_info = {.dir_hash_algo = DIR_HASH_SHA3_256}};

        h->up = (struct ipcp_up){.ctx          = h,
                                 .flow_reply   = up_reply,
                                 .flow_arrived = up_arrived,
                                 .arrival_gone = up_gone,
                                 .flow_dealloc = up_dealloc,
                                 .done         = up_done};
        shim_ops(&h->ops, link);
        h->layer = h->ops.create(&h->ops, &h->up, &h->w->loop);
        assert_non_null(h->layer);
        assert_int_equal(h->ops.bootstrap(h->layer, &conf), 0);
}

struct world *world_create(bool directory)
{
        struct world *w = calloc(1, sizeof(*w));

        assert_non_null(w);
        uv_loop_init(&w->loop);
        wire_begin(w);
        uv_timer_init(&w->loop, &w->alarm);
        uv_timer_start(&w->alarm, on_alarm, 5, 5);
        for (unsigned i = 0; i < WORLD_HOSTS; i++) {
                w->hosts[i].w      = w;
                w->hosts[i].number = i;
                host_start(&w->hosts[i], directory ? &wire_directory : &wire_plain);
        }
        return w;
}

/* The loop has to come to its end by itself: nothing of the shims keeps it. */
void host_stop(struct host *h)
{
        if (h->layer == NULL)
                return;
        h->ops.stop(h->layer);
        uv_run(&h->w->loop, UV_RUN_NOWAIT);
        h->ops.destroy(h->layer);
        h->layer = NULL;
}

void world_destroy(struct world *w)
{
        for (unsigned i = 0; i < WORLD_HOSTS; i++)
                host_stop(&w->hosts[i]);
        wire_end(w);
        uv_close((uv_handle_t *)&w->alarm, NULL);
        uv_run(&w->loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&w->loop), 0);
        free(w);
}

void world_run(struct world *w, int64_t ms)
{
        int64_t until_ns = clock_now_ns() + ms * NS_PER_MS;

        while (clock_now_ns() < until_ns)
                uv_run(&w->loop, UV_RUN_ONCE);
}

void world_flow(struct world *w, unsigned from, unsigned to, char name, struct app *client,
                struct app *server)
{
        struct host *c = &w->hosts[from], *s = &w->hosts[to];
        size_t       arrived = s->n[EV_ARRIVED], replied = c->n[EV_REPLY];

        host_alloc(c, client, name, "please", 6);
        WORLD_UNTIL(w, s->n[EV_ARRIVED] == arrived + 1);
        host_accept(s, server, host_event(s, EV_ARRIVED, arrived)->ask, "yes", 3);
        WORLD_UNTIL(w, c->n[EV_REPLY] == replied + 1);
        assert_int_equal(host_event(c, EV_REPLY, replied)->result, 0);
}
